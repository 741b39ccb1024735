//! `--shard` and `fluxwright merge`: the parts are the whole.

use std::fs;
use std::path::Path;

use crate::diff::Fixture;
use crate::program::{Run, run_with};

const SYNC: &str = "\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-system, namespace: flux-system}
spec: {path: ./clusters/NAME, prune: true, interval: 10m, sourceRef: {kind: GitRepository, name: flux-system}}
";

const CLUSTERS: &[&str] = &["blue", "green", "red", "white", "yellow"];

/// A repository with several clusters, all of which change, and two of which
/// have something wrong.
fn fleet() -> Fixture {
    let fixture = Fixture::new();
    fs::remove_dir_all(fixture.path().join("cluster")).unwrap();
    let web = |cluster: &str, version: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web-{cluster}, namespace: \
             shop}}\nspec:\n  selector: {{matchLabels: {{app: web}}}}\n  template:\n    metadata: \
             {{labels: {{app: web}}}}\n    spec: {{containers: [{{name: web, image: \
             'example.com/web:{version}'}}]}}\n"
        )
    };
    let mut config = String::from("entries:\n");
    for cluster in CLUSTERS {
        config.push_str(&format!("- path: clusters/{cluster}\n"));
        fixture.write(
            &format!("clusters/{cluster}/flux-system/gotk-sync.yaml"),
            &SYNC.replace("NAME", cluster),
        );
        fixture.write(
            &format!("clusters/{cluster}/web.yaml"),
            &web(cluster, "1.0"),
        );
    }
    fixture.write(
        "clusters/red/disk.yaml",
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: disk, namespace: shop}\n",
    );
    // What one cluster does not read, another may.
    let named = "resources: [flux-system/gotk-sync.yaml, web.yaml, ../white/more.yaml]\n";
    fixture.write("clusters/green/kustomization.yaml", named);
    fixture.write(
        "clusters/white/kustomization.yaml",
        &named.replace(", ../white/more.yaml", ""),
    );
    for file in ["green/left.yaml", "white/more.yaml", "white/left.yaml"] {
        let name = file.replace(['/', '.'], "-");
        let map = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop}}\n"
        );
        fixture.write(&format!("clusters/{file}"), &map);
    }
    fixture.write(".fluxwright.yaml", &config);
    fixture.commit();
    for cluster in CLUSTERS {
        fixture.write(
            &format!("clusters/{cluster}/web.yaml"),
            &web(cluster, "1.1"),
        );
    }
    fs::remove_file(fixture.path().join("clusters/red/disk.yaml")).unwrap();
    fixture
}

fn run(args: &[&str]) -> Run {
    run_with(args, "", &[])
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The paths of all parts, which `make` made.
fn parts(fixture: &Fixture, of: u32, make: impl Fn(&str, &str)) -> Vec<String> {
    let paths = (1..=of).map(|part| {
        let path = fixture.path().join(format!(".part-{of}-{part}"));
        make(&format!("{part}/{of}"), text(&path));
        text(&path).to_owned()
    });
    paths.collect()
}

fn merge(parts: &[String], more: &[&str]) -> Run {
    let mut args = vec!["merge"];
    // In any order.
    args.extend(parts.iter().rev().map(String::as_str));
    args.extend(more);
    run(&args)
}

#[test]
fn reports_of_parts_are_the_report() {
    let fixture = fleet();
    let root = text(fixture.path());
    for (command, more, forms) in [
        (
            "check",
            vec![],
            vec!["json", "sarif", "junit", "github", "gitlab", "markdown"],
        ),
        (
            "diff",
            vec!["--base", "HEAD"],
            vec!["json", "unified", "markdown", "github", "html", "brief"],
        ),
    ] {
        for of in [1, 3, 7] {
            let parts = parts(&fixture, of, |shard, path| {
                let mut args = vec![command, root, "--shard", shard];
                args.extend(&more);
                let run = run(&args);
                assert_eq!(run.code, Some(0), "{}", run.stderr);
                fs::write(path, run.stdout).unwrap();
            });
            for form in &forms {
                let mut args = vec![command, root, "--output", form];
                args.extend(&more);
                let whole = run(&args);
                let merged = merge(&parts, &["--output", form]);
                if *form == "json" && command == "check" {
                    let orphans = whole.stdout.matches("\"rule\": \"file/orphan\"").count();
                    assert_eq!(orphans, 2);
                }
                assert_eq!(merged.stdout, whole.stdout, "{command} {form} of {of}");
                assert_eq!(merged.code, whole.code, "{command}: {}", merged.stderr);
                assert_eq!(whole.code, Some(1));
            }
        }
    }
    // What a comparison has besides.
    let template = fixture.path().join(".own.jinja");
    fs::write(&template, "{{ summary.sentence }}\n").unwrap();
    let parts = parts(&fixture, 2, |shard, path| {
        let run = run(&["diff", root, "--base", "HEAD", "--shard", shard]);
        fs::write(path, run.stdout).unwrap();
    });
    for more in [
        vec!["--template", text(&template)],
        vec!["--fail-on", "never"],
        vec!["--fail-on", "never", "--exit-code"],
    ] {
        let whole = run(&[&["diff", root, "--base", "HEAD"], &more[..]].concat());
        let merged = merge(&parts, &more);
        assert_eq!(merged.code, whole.code, "{more:?}: {}", merged.stderr);
        if more.contains(&"--template") {
            assert_eq!(merged.stdout, whole.stdout);
        }
    }
}

#[test]
fn builds_and_bundles_of_parts_are_the_whole() {
    let fixture = fleet();
    fixture.commit();
    let root = text(fixture.path());
    let at = |name: &str| text(&fixture.path().join(name)).to_owned();
    let whole = run(&["build", root, "--output-dir", &at(".whole")]);
    assert_eq!(whole.code, Some(0), "{}", whole.stderr);
    let bundle = run(&[
        "bundle",
        "create",
        root,
        "--output",
        &at(".whole.tar"),
        "--tag",
        "v1",
    ]);
    assert_eq!(bundle.code, Some(0), "{}", bundle.stderr);
    for of in [2, 4] {
        let builds = parts(&fixture, of, |shard, path| {
            let run = run(&["build", root, "--shard", shard, "--output-dir", path]);
            assert_eq!(run.code, Some(0), "{}", run.stderr);
        });
        let merged = merge(&builds, &["--output-dir", &at(".merged")]);
        assert_eq!(merged.code, Some(0), "{}", merged.stderr);
        let read =
            |folder: &str, file: &str| fs::read(fixture.path().join(folder).join(file)).unwrap();
        assert_eq!(read(".merged", "index.json"), read(".whole", "index.json"));
        for cluster in CLUSTERS {
            let file = format!("{cluster}/kustomization/flux-system/flux-system.yaml");
            assert_eq!(read(".merged", &file), read(".whole", &file));
        }
        for path in &builds {
            fs::remove_dir_all(path).unwrap();
        }
        let bundles = parts(&fixture, of, |shard, path| {
            let run = run(&[
                "bundle", "create", root, "--shard", shard, "--output", path, "--tag", "v1",
            ]);
            assert_eq!(run.code, Some(0), "{}", run.stderr);
        });
        let merged = merge(&bundles, &["--output-dir", &at(".merged.tar")]);
        assert_eq!(merged.stdout, bundle.stdout, "{}", merged.stderr);
        assert_eq!(
            fs::read(at(".merged.tar")).unwrap(),
            fs::read(at(".whole.tar")).unwrap()
        );
        let less = merge(&bundles[1..], &["--output-dir", &at(".less")]);
        assert_eq!((less.code, less.stdout.as_str()), (Some(2), ""));
        assert!(less.stderr.contains("is missing"), "{}", less.stderr);
        assert!(!fixture.path().join(".less").exists());
        // One of them alone is not what anybody should deploy.
        let push = run(&["bundle", "push", &bundles[0], "oci://127.0.0.1:1/fleet"]);
        assert_eq!(push.code, Some(2));
        let part = format!("it is part 1/{of} of a bundle alone");
        assert!(push.stderr.contains(&part), "{}", push.stderr);
        let inspect = run(&["bundle", "inspect", &bundles[0]]);
        assert!(
            inspect.stdout.contains(&format!("part        1/{of}")),
            "{}",
            inspect.stdout
        );
        for path in &bundles {
            fs::remove_dir_all(path).unwrap();
        }
    }
}

#[test]
fn what_is_no_part_is_told() {
    let fixture = fleet();
    let root = text(fixture.path());
    let at = |name: &str| text(&fixture.path().join(name)).to_owned();
    for wrong in ["0/2", "3/2", "x"] {
        let run = run(&["check", root, "--shard", wrong]);
        assert_eq!(run.code, Some(2));
        assert!(run.stderr.contains("write I/N"), "{}", run.stderr);
    }
    for form in [["--output", "json"], ["--template", "x"]] {
        let run = run(&[&["diff", root, "--shard", "1/2"], &form[..]].concat());
        assert_eq!(run.code, Some(2));
        assert!(run.stderr.contains("fluxwright merge"), "{}", run.stderr);
    }
    fs::write(at(".a.json"), "[]").unwrap();
    let merged = merge(&[at(".a.json")], &[]);
    assert_eq!(merged.code, Some(2));
    assert!(merged.stderr.contains("merge/parts"), "{}", merged.stderr);
    let part = run(&["check", root, "--shard", "1/1"]);
    fs::write(at(".check.json"), part.stdout).unwrap();
    let form = merge(&[at(".check.json")], &["--output", "html"]);
    assert_eq!(form.code, Some(2));
    assert!(
        form.stderr.contains("a check has no form `html`"),
        "{}",
        form.stderr
    );
    let twice = merge(&[at(".check.json"), at(".check.json")], &[]);
    assert_eq!(twice.code, Some(2));
    assert!(twice.stderr.contains("is there twice"), "{}", twice.stderr);
}

#[test]
fn parts_of_different_runs_are_no_whole() {
    let fixture = fleet();
    fixture.commit();
    let root = text(fixture.path()).to_owned();
    let made = |name: &str, args: &[&str]| {
        let path = fixture.path().join(".git").join(name);
        let run = run(&[args, &[&root]].concat());
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        fs::write(&path, run.stdout).unwrap();
        text(&path).to_owned()
    };
    let first = made("1", &["check", "--shard", "1/2"]);
    let other = made("2", &["check", "--shard", "2/2", "--rule", "ref"]);
    fixture.write("README.md", "another commit\n");
    fixture.commit();
    let later = made("3", &["check", "--shard", "2/2"]);
    for wrong in [other, later] {
        let merged = merge(&[first.clone(), wrong], &[]);
        assert_eq!(merged.code, Some(2));
        let told = "is of another run than";
        assert!(merged.stderr.contains(told), "{}", merged.stderr);
        assert!(merged.stderr.contains("of one commit"), "{}", merged.stderr);
    }
    let build = |part: &str| {
        let folder = text(&fixture.path().join(".git").join(&part[..1])).to_owned() + "b";
        let run = run(&["build", &root, "--shard", part, "--output-dir", &folder]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        folder
    };
    let first = build("1/2");
    fixture.write("README.md", "and another\n");
    fixture.commit();
    let merged = merge(
        &[first, build("2/2")],
        &["--output-dir", &(root.clone() + "/.merged")],
    );
    assert_eq!(merged.code, Some(2));
    assert!(!fixture.path().join(".merged").exists());
}

/// As a build that is made in one piece.
#[test]
fn what_failed_in_a_part_fails_the_whole() {
    let fixture = fleet();
    fixture.write(
        "clusters/red/more.yaml",
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: more, \
         namespace: flux-system}\nspec: {path: ./nowhere, prune: true, interval: 10m, sourceRef: \
         {kind: GitRepository, name: flux-system}}\n",
    );
    fixture.commit();
    let root = text(fixture.path());
    let at = |name: &str| text(&fixture.path().join(name)).to_owned();
    let whole = run(&["build", root, "--output-dir", &at(".whole")]);
    assert_eq!(whole.code, Some(2));
    let parts = parts(&fixture, 2, |shard, path| {
        run(&["build", root, "--shard", shard, "--output-dir", path]);
    });
    let merged = merge(&parts, &["--output-dir", &at(".merged")]);
    assert_eq!(merged.code, Some(2), "{}", merged.stderr);
    assert!(merged.stderr.contains("nowhere"), "{}", merged.stderr);
    assert!(merged.stderr.contains("cluster: red"), "{}", merged.stderr);
    let read = |folder: &str| fs::read(fixture.path().join(folder).join("index.json")).unwrap();
    assert_eq!(read(".merged"), read(".whole"));
}

#[test]
fn a_check_and_its_parts_take_a_template() {
    let fixture = fleet();
    let root = text(fixture.path());
    let template = text(&fixture.path().join(".own.md")).to_owned();
    fs::write(
        &template,
        "{{ summary.errors }} errors\n{% for finding in findings %}{{ finding.rule | code }} of {{ \
         finding.cluster | plain }}: {{ rules[finding.rule].title }}\n{% endfor %}",
    )
    .unwrap();
    let rules = ["--rule", "ref"];
    let whole = run(&[&["check", root, "--template", &template], &rules[..]].concat());
    assert_eq!(whole.code, Some(1), "{}", whole.stderr);
    let line = "`ref/missing` of blue: something is named that does not exist\n";
    assert!(whole.stdout.contains(line), "{}", whole.stdout);
    let parts = parts(&fixture, 3, |shard, path| {
        let run = run(&[&["check", root, "--shard", shard], &rules[..]].concat());
        fs::write(path, run.stdout).unwrap();
    });
    let merged = merge(&parts, &["--template", &template]);
    assert_eq!((merged.code, merged.stdout), (whole.code, whole.stdout));

    fs::write(&template, "{{ findings }}\n{{ nothing }}\n").unwrap();
    let wrong = run(&["check", root, "--template", &template]);
    assert_eq!((wrong.code, wrong.stdout.as_str()), (Some(2), ""));
    assert!(wrong.stderr.contains("report/template"), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("line 2"), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("docs/ci.md"), "{}", wrong.stderr);
    let missing = run(&["check", root, "--template", "no/such/file"]);
    assert_eq!(missing.code, Some(2));
    assert!(
        missing.stderr.contains("no such file"),
        "{}",
        missing.stderr
    );
}
