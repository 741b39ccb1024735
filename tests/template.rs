//! `fluxwright template`

use std::fs;

use crate::program::{Run, run};

const CHART: &str = "testdata/helm/shop";

fn template(args: &[&str]) -> Run {
    run(&[&["template"], args].concat(), "")
}

/// What was printed, without what was said besides.
fn printed(args: &[&str]) -> String {
    let done = template(args);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    done.stdout
}

#[test]
fn prints_what_helm_prints() {
    let done = template(&[
        "web",
        CHART,
        "--namespace",
        "apps",
        "--include-crds",
        "-f",
        "testdata/helm/values.yaml",
        "--set",
        "image.tag=7",
        "--now",
        "2026-11-23T12:00:00Z",
    ]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let expected = fs::read_to_string("testdata/helm/shop.yaml").unwrap();
    assert_eq!(done.stdout, expected);
}

#[test]
fn an_archive_is_a_chart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop-1.4.0.tgz");
    let file = fs::File::create(&path).unwrap();
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(
        file,
        flate2::Compression::fast(),
    ));
    archive.append_dir_all("shop", CHART).unwrap();
    archive.into_inner().unwrap().finish().unwrap();
    let path = path.to_str().unwrap();
    assert_eq!(printed(&["web", path]), printed(&["web", CHART]));
}

#[test]
fn objects_are_chosen() {
    let all = printed(&["web", CHART]);
    assert!(all.contains("web-migrate") && all.contains("web-test"));
    assert!(!all.contains("CustomResourceDefinition"));
    let without_tests = printed(&["web", CHART, "--skip-tests"]);
    assert!(without_tests.contains("web-migrate") && !without_tests.contains("web-test"));
    assert!(!printed(&["web", CHART, "--no-hooks"]).contains("web-migrate"));
    let only = printed(&[
        "web",
        CHART,
        "--show-only",
        "charts/storage/templates/*.yaml",
    ]);
    insta::assert_snapshot!(only, @r#"
    ---
    # Source: shop/charts/storage/templates/claim.yaml
    apiVersion: v1
    kind: PersistentVolumeClaim
    metadata:
      name: web-storage
      labels:
        app.kubernetes.io/name: storage
        app.kubernetes.io/instance: web
        team: "sales"
    spec:
      resources: {requests: {storage: 1Gi}}
    "#);
    let missing = template(&["web", CHART, "-s", "templates/deploymnt.yaml"]);
    insta::assert_snapshot!(missing.stderr, @"
    warning[render/random]: `randAlphaNum` makes a value that anybody can make again in `/stringData/password` of Secret `web`
     --> testdata/helm/shop/templates/secret.yaml:8:42
      |
    8 |   password: {{ .Values.secret | default (randAlphaNum 12) | quote }}
      |                                          ^^^^^^^^^^^^
      |
      = note: object: Secret/web, at /stringData/password
      = help: give the value yourself, or keep its seed secret by --seed-file
    error[helm/template-missing]: could not find template templates/deploymnt.yaml in chart
     |
     = help: did you mean `templates/deployment.yaml`?
    ");
}

#[cfg(unix)]
#[test]
fn links_in_a_chart_are_followed() {
    use std::os::unix::fs::symlink;

    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(
        "web/Chart.yaml",
        "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    );
    write("web/templates/a.yaml", "a: {{ include \"name\" . }}\n");
    write(
        "names/Chart.yaml",
        "apiVersion: v2\nname: names\nversion: 1.0.0\ntype: library\n",
    );
    write(
        "names/templates/_n.tpl",
        "{{ define \"name\" }}ours{{ end }}",
    );
    fs::create_dir(folder.path().join("web/charts")).unwrap();
    symlink("../../names", folder.path().join("web/charts/names")).unwrap();
    let chart = folder.path().join("web");
    let chart = chart.to_str().unwrap();
    assert!(printed(&["web", chart]).contains("a: ours\n"));

    symlink("nowhere", folder.path().join("web/README.md")).unwrap();
    let broken = template(&["web", chart]);
    assert_eq!(broken.code, Some(2));
    assert!(broken.stderr.contains("web/README.md"), "{}", broken.stderr);
    assert!(broken.stderr.contains("symbolic link"), "{}", broken.stderr);
}

#[test]
fn files_go_to_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let args = [
        "web",
        CHART,
        "--output-dir",
        path,
        "--release-name",
        "--no-hooks",
    ];
    let said = printed(&args);
    assert!(said.contains(&format!("wrote {path}/web/shop/templates/secret.yaml\n")));
    let written = fs::read_to_string(folder.path().join("web/shop/templates/deployment.yaml"));
    let begin = "---\n# Source: shop/templates/deployment.yaml\n";
    assert!(written.unwrap().starts_with(begin));
}

#[test]
fn made_up_values_are_stable_and_told() {
    let secret = &["web", CHART, "-s", "templates/secret.yaml"];
    let first = template(secret);
    assert_eq!(first, template(secret));
    assert!(first.stdout.contains("made: \"1970-01-01\""));
    insta::assert_snapshot!(first.stderr, @"
    warning[render/random]: `randAlphaNum` makes a value that anybody can make again in `/stringData/password` of Secret `web`
     --> testdata/helm/shop/templates/secret.yaml:8:42
      |
    8 |   password: {{ .Values.secret | default (randAlphaNum 12) | quote }}
      |                                          ^^^^^^^^^^^^
      |
      = note: object: Secret/web, at /stringData/password
      = help: give the value yourself, or keep its seed secret by --seed-file
    ");
    // A secret seed makes other values, which nobody can make again.
    let folder = tempfile::tempdir().unwrap();
    let seed = folder.path().join("seed");
    fs::write(&seed, "only we know").unwrap();
    let seed = ["--seed-file", seed.to_str().unwrap()];
    let with_seed = template(&[secret.as_slice(), &seed].concat());
    assert_eq!((with_seed.code, &*with_seed.stderr), (Some(0), ""));
    assert_ne!(with_seed.stdout, first.stdout);
    let random = || template(&[secret.as_slice(), &["--random"]].concat());
    assert_ne!(random().stdout, random().stdout);
    assert_eq!(random().stderr, "");
}

#[test]
fn lookup_finds_what_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let objects = "apiVersion: v1\nkind: ConfigMap\n\
                   metadata: {name: shared, namespace: apps}\ndata: {a: b}\n";
    fs::write(folder.path().join("objects.yaml"), objects).unwrap();
    let path = folder.path().to_str().unwrap();
    let only = [
        "web",
        CHART,
        "-s",
        "templates/lookup.yaml",
        "-n",
        "apps",
        "--lookup-from",
        path,
    ];
    let found = printed(&only);
    assert!(
        found.contains("name: web-copy\ndata: {\"a\":\"b\"}"),
        "{found}"
    );
    assert!(!printed(&["web", CHART, "-n", "apps"]).contains("web-copy"));
}

#[test]
fn values_that_do_not_fit_are_shown_where_they_are_set() {
    let folder = tempfile::tempdir().unwrap();
    let values = folder.path().join("values.yaml");
    let text = "replicas: 0\nports:\n- 80\n- 70000\nimage: {tag: x}\n";
    fs::write(&values, text).unwrap();
    let failed = template(&["web", CHART, "-f", values.to_str().unwrap()]);
    assert_eq!((failed.code, &*failed.stdout), (Some(2), ""));
    let shown = failed
        .stderr
        .replace(folder.path().to_str().unwrap(), "DIR");
    insta::assert_snapshot!(shown, @"
    error[helm/schema]: values don't meet the specifications of the schema(s) in the following chart(s):
                        shop:
                        - at '/ports/1': maximum: got 70,000, want 65,535
                        - at '/replicas': minimum: got 0, want 1
     --> DIR/values.yaml:4:3
      |
    4 | - 70000
      |   ^^^^^
      |
      = help: `ports.1` is set at DIR/values.yaml:4:3; `replicas` is set at DIR/values.yaml:1:1
    ");
}

#[test]
fn errors_show_the_template_and_the_value_behind_it() {
    let no_schema = "--skip-schema-validation";
    let failed = template(&["web", CHART, "--set", "ports=80", no_schema]);
    insta::assert_snapshot!(failed.stderr, @r#"
    error[helm/template-error]: template: shop/templates/NOTES.txt:1:34: executing "shop/templates/NOTES.txt" at <first .Values.ports>: error calling first: Cannot find first on type int64
     --> testdata/helm/shop/templates/NOTES.txt:1:35
      |
    1 | {{ .Release.Name }} listens on {{ first .Values.ports }}.
      |                                   ^^^^^
      |
      = help: the value `ports` is set by `--set`
    "#);
    let failed = template(&["web", CHART, "--kube-version", "1.27"]);
    insta::assert_snapshot!(failed.stderr, @"
    error[helm/kube-version]: chart requires kubeVersion: >=1.28.0-0 which is incompatible with Kubernetes v1.27
     --> testdata/helm/shop/Chart.yaml:1:1
      |
    1 | apiVersion: v2
      | ^^^^^^^^^^^
      |
      = help: choose another version by --kube-version
    ");
    let failed = template(&["web", "testdata/helm"]);
    insta::assert_snapshot!(failed.stderr, @"
    error[helm/chart-invalid]: `testdata/helm` is no chart: it has no Chart.yaml
     |
     = help: name the folder that Chart.yaml lies in
    ");
}

#[test]
fn what_helm_would_do_elsewhere_is_refused() {
    for (option, says) in [
        (&["--post-renderer", "sed"][..], "no program is run"),
        (&["--dependency-update"], "nothing is fetched"),
        (&["--repo", "https://example.org"], "nothing is fetched"),
        (&["--validate"], "there is no cluster to ask"),
        (&["--dry-run=server"], "there is no cluster to ask"),
        (&["--enable-dns"], "no name is looked up"),
    ] {
        let refused = template(&[&["web", CHART], option].concat());
        let ended = (refused.code, &*refused.stdout);
        assert_eq!(ended, (Some(2), ""), "{option:?}");
        let said = refused.stderr;
        assert!(said.starts_with("error[usage/refused]"), "{said}");
        assert!(said.contains(says) && said.contains("= help: "), "{said}");
    }
    for taken in ["--dry-run", "--dry-run=client", "--devel", "--version=1"] {
        assert_eq!(template(&["web", CHART, taken]).code, Some(0), "{taken}");
    }
}

#[test]
fn names_of_releases() {
    let name = |args: &[&str]| {
        let text = printed(&[args, &["-s", "templates/secret.yaml"]].concat());
        let mut names = text
            .lines()
            .filter_map(|line| line.strip_prefix("  name: "));
        names.next().unwrap().to_owned()
    };
    assert_eq!(name(&[CHART]), "release-name");
    let generated = name(&[CHART, "-g", "--now", "1700000000"]);
    assert_eq!(generated, "shop-1700000000");
    let by_template = name(&[CHART, "--name-template", "{{ \"Web\" | lower }}-1"]);
    assert_eq!(by_template, "web-1");
    let refused = template(&["Web", CHART]);
    let begin = "error[helm/release-name]: release name check failed";
    assert!(refused.stderr.starts_with(begin), "{}", refused.stderr);
}

#[test]
fn kustomizations_render_charts() {
    let kustomization = "testdata/helm/kustomization";
    let done = run(&["kustomize", kustomization, "--enable-helm"], "");
    assert_eq!((done.code, &*done.stderr), (Some(0), ""));
    let expected = fs::read_to_string("testdata/helm/kustomization.yaml").unwrap();
    assert_eq!(done.stdout, expected);
    let refused = run(&["kustomize", kustomization], "");
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("pass `--enable-helm`"),
        "{}",
        refused.stderr
    );
}
