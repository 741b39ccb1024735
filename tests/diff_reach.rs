//! How far `fluxwright diff` renders, as a user meets it: what a change does not
//! reach is rendered on neither side, what it reaches is never missed, and a
//! comparison that was made is kept.

use std::fs;
use std::path::PathBuf;

use fluxwright::artifact::Digest;

use crate::diff::Fixture;
use crate::program::{Run, run};
use crate::secrets::{assert_no_canary, files};

fn release(name: &str, chart: &str, values: &str) -> String {
    format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: {name}, \
         namespace: flux-system}}\nspec:\n  interval: 10m\n  chart: {{spec: {{chart: \
         ./charts/{chart}, sourceRef: {{kind: GitRepository, name: flux-system}}}}}}\n  values: \
         {{{values}}}\n"
    )
}

/// A chart with one template.
fn chart(fixture: &Fixture, name: &str, template: &str) {
    fixture.write(
        &format!("charts/{name}/Chart.yaml"),
        &format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n"),
    );
    fixture.write(&format!("charts/{name}/templates/x.yaml"), template);
}

fn note(name: &str, text: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop}}\ndata: {{a: \
         '{text}'}}\n"
    )
}

fn diff(fixture: &Fixture, more: &[&str]) -> Run {
    let root = fixture.path().to_str().unwrap();
    let mut args = vec!["diff", root, "--base", "HEAD"];
    if !more.contains(&"--output") {
        args.extend(["--output", "brief"]);
    }
    args.extend(more);
    run(&args, "")
}

#[test]
fn a_release_that_is_the_same_on_both_sides_is_rendered_on_neither() {
    let fixture = Fixture::new();
    chart(&fixture, "never", "{{ fail \"it was rendered\" }}\n");
    fixture.write("cluster/never.yaml", &release("never", "never", "a: 1"));
    fixture.commit();
    fixture.write("cluster/note.yaml", &note("note", "1"));
    let run = diff(&fixture, &[]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert_eq!(
        run.stdout,
        "+ ConfigMap/shop/note\nobjects: 1 added, 3 the same; 1 owner is not reached\n"
    );
    // Each thing that it is rendered from reaches it.
    fixture.commit();
    let changes: [(&str, String); 4] = [
        ("cluster/never.yaml", release("never", "never", "a: 2")),
        (
            "charts/never/templates/x.yaml",
            "{{ fail \"other\" }}\n".to_owned(),
        ),
        ("charts/never/values.yaml", "b: 1\n".to_owned()),
        (
            ".fluxwright.yaml",
            "kubernetesVersion: \"1.34\"\n".to_owned(),
        ),
    ];
    for (path, content) in changes {
        let before = fs::read_to_string(fixture.path().join(path)).ok();
        fixture.write(path, &content);
        let run = diff(&fixture, &[]);
        assert_eq!(run.code, Some(2), "{path}: {}", run.stdout);
        assert!(
            run.stdout.contains("! HelmRelease/flux-system/never"),
            "{path}"
        );
        match before {
            Some(before) => fixture.write(path, &before),
            None => fs::remove_file(fixture.path().join(path)).unwrap(),
        }
    }
}

#[test]
fn values_from_elsewhere_reach_a_release() {
    let fixture = Fixture::new();
    chart(
        &fixture,
        "note",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: made, namespace: shop}\ndata: {a: {{ \
         .Values.text }}}\n",
    );
    let from = "  valuesFrom: [{kind: ConfigMap, name: values}]\n";
    fixture.write("cluster/a.yaml", &(release("a", "note", "") + from));
    fixture.write("cluster/b.yaml", &release("b", "note", "text: b"));
    let values = |text: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: values, namespace: \
             flux-system}}\ndata: {{values.yaml: 'text: {text}'}}\n"
        )
    };
    fixture.write("cluster/values.yaml", &values("x"));
    fixture.commit();
    fixture.write("cluster/values.yaml", &values("y"));
    let run = diff(&fixture, &[]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(
        run.stdout,
        "~ ConfigMap/shop/made\n~ ConfigMap/flux-system/values\nobjects: 2 changed, 4 the same; 1 \
         owner is not reached\n"
    );
}

/// What a HelmRelease says of itself and of its upgrades decides nothing about
/// the objects that it applies, nor does the line on which that stands.
#[test]
fn what_makes_no_other_objects_renders_nothing() {
    let fixture = Fixture::new();
    chart(&fixture, "never", "{{ fail \"it was rendered\" }}\n");
    let never = release("never", "never", "a: 1");
    fixture.write("cluster/never.yaml", &never);
    fixture.commit();
    let changes = [
        never.replace("  interval: 10m\n", "  interval: 1h\n  maxHistory: 3\n"),
        never.replace(
            "  values:",
            "  upgrade: {remediation: {retries: 9}}\n  values:",
        ),
        never.replace("{name: never,", "{labels: {team: tea}, name: never,"),
    ];
    for changed in changes {
        fixture.write("cluster/never.yaml", &format!("# moved\n\n{changed}"));
        let run = diff(&fixture, &[]);
        assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
        assert_eq!(
            run.stdout,
            "~ HelmRelease/flux-system/never\nobjects: 1 changed, 2 the same; 1 owner is not \
             reached\n"
        );
    }
    // Another cluster gets the same objects.
    let elsewhere = never.replace(
        "  values:",
        "  kubeConfig: {secretRef: {name: other}}\n  values:",
    );
    fixture.write("cluster/never.yaml", &elsewhere);
    let run = diff(&fixture, &[]);
    assert!(
        run.stdout.contains("! HelmRelease/flux-system/never"),
        "{}",
        run.stdout
    );
}

/// Decrypted values are part of what is compared, and nobody sees them.
#[test]
fn what_is_decrypted_and_the_same_is_rendered_once() {
    let fixture = Fixture::new();
    let testdata = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/sops");
    for (path, content) in files(&testdata.join("canary")) {
        let path = path.strip_prefix(testdata.join("canary")).unwrap();
        fixture.write(path.to_str().unwrap(), &String::from_utf8(content).unwrap());
    }
    chart(&fixture, "never", "{{ fail \"it was rendered\" }}\n");
    let from = "  valuesFrom: [{kind: Secret, name: canary, valuesKey: CANARY, targetPath: p}]\n";
    fixture.write(
        "apps/never.yaml",
        &(release("never", "never", "a: 1") + from),
    );
    fixture.commit();
    let key = testdata.join("keys/one.agekey");
    let key = ["--age-key-file", key.to_str().unwrap()];
    fixture.write("cluster/note.yaml", &note("note", "1"));
    let run = diff(&fixture, &key);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(
        run.stdout
            .starts_with("+ ConfigMap/shop/note\nobjects: 1 added"),
        "{}",
        run.stdout
    );
    fixture.commit();
    // What is no longer decrypted is another value.
    let kustomization = fixture.path().join("cluster/secrets.yaml");
    let text = fs::read_to_string(&kustomization).unwrap();
    fixture.write(
        "cluster/secrets.yaml",
        &text.replace("provider: sops", "provider: none"),
    );
    let run = diff(&fixture, &key);
    assert!(
        run.stdout.contains("! HelmRelease/flux-system/never"),
        "{}",
        run.stdout
    );
    assert_no_canary("the difference", run.stdout.as_bytes());
}

/// What templates look up in the rest of the repository is part of what a release
/// is rendered from.
#[test]
fn what_is_looked_up_reaches_a_release() {
    let fixture = Fixture::new();
    chart(
        &fixture,
        "ask",
        "{{ $found := lookup \"v1\" \"ConfigMap\" \"shop\" .Values.of }}\napiVersion: \
         v1\nkind: ConfigMap\nmetadata: {name: of-{{ .Values.of }}, namespace: shop}\ndata: {a: \
         {{ $found.data.a }}}\n",
    );
    for of in ["one", "two"] {
        let path = format!("cluster/ask-{of}.yaml");
        fixture.write(&path, &release(of, "ask", &format!("of: {of}")));
        fixture.write(&format!("cluster/{of}.yaml"), &note(of, "1"));
    }
    fixture.commit();
    fixture.write("cluster/two.yaml", &note("two", "2"));
    let run = diff(&fixture, &["--lookup-from", "repository"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(
        run.stdout,
        "~ ConfigMap/shop/of-two\n~ ConfigMap/shop/two\nobjects: 2 changed, 5 the same; 1 owner \
         is not reached\n"
    );
}

/// A chart that renders a Kustomization leads to what that applies, though the
/// release itself is the same.
#[test]
fn what_a_release_leads_to_is_seen() {
    let kustomization = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: \
                         Kustomization\nmetadata: {name: late, namespace: flux-system}\nspec: \
                         {path: ./late, prune: true, interval: 1m, sourceRef: {kind: \
                         GitRepository, name: flux-system}}\n";
    let raw = "{{ toYaml .Values.object }}\n";
    let of_values = "object: {apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, \
                     metadata: {name: late, namespace: flux-system}, spec: {path: ./late, prune: \
                     true, interval: 1m, sourceRef: {kind: GitRepository, name: flux-system}}}";
    for (template, values) in [(kustomization, ""), (raw, of_values)] {
        let fixture = Fixture::new();
        chart(&fixture, "sync", template);
        chart(&fixture, "plain", &note("plain", "1"));
        fixture.write("cluster/sync.yaml", &release("sync", "sync", values));
        fixture.write("cluster/plain.yaml", &release("plain", "plain", ""));
        fixture.write("late/note.yaml", &note("late", "1"));
        fixture.commit();
        fixture.write("late/note.yaml", &note("late", "2"));
        let run = diff(&fixture, &[]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert_eq!(
            run.stdout,
            "~ ConfigMap/shop/late\nobjects: 1 changed; 3 owners are not reached\n"
        );
    }
}

/// What a chart hides is seen where everything is rendered.
#[test]
fn everything_is_rendered_where_one_asks_for_it() {
    let hidden = "{{ printf \"apiVersion: kustomize.toolkit.flux%s.io/v1\" \"cd\" }}\nkind: \
                  Kustomization\nmetadata: {name: late, namespace: flux-system}\nspec: {path: \
                  ./late, prune: true, interval: 1m, sourceRef: {kind: GitRepository, name: \
                  flux-system}}\n";
    let fixture = Fixture::new();
    chart(&fixture, "sync", hidden);
    fixture.write("cluster/sync.yaml", &release("sync", "sync", ""));
    fixture.write("late/note.yaml", &note("late", "1"));
    fixture.commit();
    fixture.write("late/note.yaml", &note("late", "2"));
    let quick = diff(&fixture, &["--no-cache"]);
    assert_eq!(
        quick.stdout,
        "no object differs; 2 owners are not reached\n"
    );
    let full = diff(&fixture, &["--no-cache", "--full"]);
    assert_eq!(
        full.stdout,
        "~ ConfigMap/shop/late\nobjects: 1 changed; 2 owners are not reached\n"
    );
}

#[test]
fn objects_that_go_with_their_definition_are_counted_wherever_they_are() {
    let fixture = Fixture::new();
    let definition = "apiVersion: apiextensions.k8s.io/v1\nkind: \
                      CustomResourceDefinition\nmetadata: {name: cups.tea.example}\nspec: {group: \
                      tea.example, scope: Namespaced, names: {kind: Cup, plural: cups}, versions: \
                      []}\n";
    chart(
        &fixture,
        "cup",
        "apiVersion: tea.example/v1\nkind: Cup\nmetadata: {name: mine}\n",
    );
    fixture.write("cluster/cup.yaml", &release("cup", "cup", ""));
    fixture.write("cluster/definition.yaml", definition);
    fixture.commit();
    fs::remove_file(fixture.path().join("cluster/definition.yaml")).unwrap();
    let run = diff(&fixture, &["--output", "json"]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(
        run.stdout
            .contains("every Cup in the cluster, 1 of this repository among them"),
        "{}",
        run.stdout
    );
}

/// A definition of a kind that is in no catalog.
fn definition(kind: &str, scope: &str, text: &str) -> String {
    let plural = format!("{}s", kind.to_lowercase());
    format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: \
         {plural}.tea.example, annotations: {{text: '{text}'}}}}\nspec: {{group: tea.example, \
         scope: {scope}, names: {{kind: {kind}, plural: {plural}}}, versions: []}}\n"
    )
}

/// What a comparison says, but for how many objects are the same.
fn told(fixture: &Fixture, more: &[&str]) -> String {
    let run = diff(
        fixture,
        &[more, &["--no-cache", "--output", "human"]].concat(),
    );
    let lines = run.stdout.lines();
    let kept: Vec<&str> = lines
        .filter(|line| !line.starts_with("objects: "))
        .collect();
    format!("{:?}\n{}", run.code, kept.join("\n"))
}

/// Definitions in a chart are not read where both versions have the same ones: what is
/// wrong with them is `check`'s to tell.
#[test]
fn definitions_that_both_sides_have_are_not_read() {
    let fixture = Fixture::new();
    chart(
        &fixture,
        "cup",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cup}\ndata: {a: '{{ .Values.a }}'}\n",
    );
    fixture.write("charts/cup/crds/broken.yaml", "a: [\n");
    fixture.write("cluster/cup.yaml", &release("cup", "cup", "a: 1"));
    fixture.commit();
    fixture.write("cluster/cup.yaml", &release("cup", "cup", "a: 2"));
    let quick = diff(&fixture, &["--no-cache"]);
    assert_eq!(
        quick.stdout,
        "~ ConfigMap/flux-system/cup\n~ HelmRelease/flux-system/cup\nobjects: 2 changed, 2 the \
         same\n",
        "{}",
        quick.stderr
    );
    let full = diff(&fixture, &["--no-cache", "--full"]);
    assert!(
        full.stdout.contains("! HelmRelease/flux-system/cup"),
        "{}",
        full.stdout
    );
}

/// Whatever becomes of definitions, the comparison says what one says that reads them
/// all.
#[test]
fn definitions_that_matter_are_read() {
    const TEMPLATE: &str = "{{ if .Values.fails }}{{ fail \"it fails\" }}{{ end }}\napiVersion: \
                            tea.example/v1\nkind: Cup\nmetadata: {name: mine}\nspec: {a: {{ \
                            .Values.a }}}\n";
    const PATH: &str = "charts/cup/crds/cup.yaml";
    const BELOW: &str = "charts/cup/charts/pot/crds/pot.yaml";
    let cup = |text: &str| definition("Cup", "Namespaced", text);
    let pot = |text: &str| definition("Pot", "Cluster", text);
    let values = |values: &str| ("cluster/cup.yaml", Some(release("cup", "cup", values)));
    let late = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: \
                late, namespace: flux-system}\nspec: {path: ./late, prune: true, interval: 1m, \
                sourceRef: {kind: GitRepository, name: flux-system}}\n";
    // What a change is, and a word that tells of it.
    type Files = Vec<(&'static str, Option<String>)>;
    let changes: Vec<(&str, Files)> = vec![
        ("~ Cup/flux-system/mine", vec![values("a: 2")]),
        // Only what is done to what the templates make.
        (
            "metadata.labels",
            vec![(
                "cluster/cup.yaml",
                Some(
                    release("cup", "cup", "a: 1")
                        .replace("spec:\n", "spec:\n  commonMetadata: {labels: {a: b}}\n"),
                ),
            )],
        ),
        (
            "cups.tea.example",
            vec![values("a: 2"), (PATH, Some(cup("other")))],
        ),
        ("cups.tea.example", vec![values("a: 2"), (PATH, None)]),
        ("4 objects have nothing", vec![values("fails: true")]),
        // What is rendered has a key twice.
        ("4 objects have nothing", vec![values("a: '1, a: 2'")]),
        (
            "pots.tea.example",
            vec![values("a: 1, pot: {enabled: false}")],
        ),
        (
            "ConfigMap/shop/late",
            vec![values("a: 2"), ("late/note.yaml", Some(note("late", "2")))],
        ),
        (
            "kettles.tea.example",
            vec![values("a: 2"), ("cluster/kettle.yaml", None)],
        ),
        (
            "mugs.tea.example",
            vec![values("a: 2"), ("cluster/mug.yaml", None)],
        ),
    ];
    for (word, change) in changes {
        let fixture = Fixture::new();
        chart(&fixture, "cup", TEMPLATE);
        chart(&fixture, "cup/charts/pot", "");
        fixture.write(
            "charts/cup/Chart.yaml",
            "apiVersion: v2\nname: cup\nversion: 1.0.0\ndependencies: [{name: pot, version: 1.0.0, \
             condition: pot.enabled}]\n",
        );
        fixture.write(
            "charts/cup/charts/pot/Chart.yaml",
            "apiVersion: v2\nname: pot\nversion: 1.0.0\n",
        );
        fixture.write(PATH, &cup("one"));
        fixture.write(BELOW, &pot("one"));
        if word.contains("late") {
            fixture.write("charts/cup/crds/late.yaml", late);
        }
        fixture.write("late/note.yaml", &note("late", "1"));
        fixture.write(
            "cluster/kettle.yaml",
            &definition("Kettle", "Namespaced", "one"),
        );
        // One that a chart has as well.
        fixture.write("cluster/mug.yaml", &definition("Mug", "Namespaced", "one"));
        fixture.write(
            "charts/cup/crds/mug.yaml",
            &definition("Mug", "Namespaced", "one"),
        );
        fixture.write("cluster/cup.yaml", &release("cup", "cup", "a: 1"));
        fixture.commit();
        for (path, content) in change {
            match content {
                Some(content) => fixture.write(path, &content),
                None => fs::remove_file(fixture.path().join(path)).unwrap(),
            }
        }
        let quick = told(&fixture, &[]);
        assert!(quick.contains(word), "{word}\n{quick}");
        assert_eq!(quick, told(&fixture, &["--full"]), "{word}");
    }
}

/// A store for the results of runs, and what is in it.
struct Kept {
    folder: tempfile::TempDir,
}

impl Kept {
    fn results(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for folder in fs::read_dir(self.folder.path().join("renders"))
            .into_iter()
            .flatten()
        {
            let files = fs::read_dir(folder.unwrap().path()).unwrap();
            found.extend(files.map(|file| file.unwrap().path()));
        }
        found
    }

    /// Puts another text into what is kept, as if that had been found.
    fn tamper(&self, from: &str, to: &str) {
        for file in self.results() {
            let content = fs::read(&file).unwrap().split_off(64);
            let Ok(text) = String::from_utf8(content) else {
                continue;
            };
            let text = text.replace(from, to);
            // The key, as the file is named by it, is sealed with the result.
            let key = [file.parent().unwrap(), &*file].map(|p| p.file_name().unwrap());
            let key: String = key.iter().map(|part| part.to_str().unwrap()).collect();
            let whole = Digest::of((key + &text).as_bytes()).hex() + &text;
            fs::write(&file, whole).unwrap();
        }
    }
}

#[test]
fn a_comparison_that_was_made_is_kept() {
    let fixture = Fixture::new();
    fixture.write("cluster/note.yaml", &note("note", "1"));
    fixture.commit();
    fixture.write("cluster/note.yaml", &note("note", "2"));
    let kept = Kept {
        folder: tempfile::tempdir().unwrap(),
    };
    let store = kept.folder.path().to_str().unwrap();
    let with = |more: &[&str]| {
        let mut args = vec!["--store", store];
        args.extend(more);
        diff(&fixture, &args)
    };
    let without = with(&["--no-cache"]);
    assert!(kept.results().is_empty());
    assert_eq!(with(&[]), without, "cold");
    assert_eq!(with(&[]), without, "warm");
    kept.tamper("ConfigMap/shop/note", "ConfigMap/shop/kept");
    assert_eq!(
        with(&[]).stdout,
        without.stdout.replace("shop/note", "shop/kept"),
        "it was made again"
    );
    // Other questions, another base, another working tree: other answers.
    assert_eq!(with(&["--exit-code"]).stdout, without.stdout);
    assert_eq!(with(&["--exit-code"]).code, Some(1));
    assert!(with(&["--output", "json"]).stdout.starts_with('{'));
    fixture.write("cluster/note.yaml", &note("note", "3"));
    fixture.write("cluster/other.yaml", &note("other", "1"));
    let other = with(&[]);
    assert_eq!(other, with(&["--no-cache"]));
    assert!(
        other.stdout.contains("+ ConfigMap/shop/other"),
        "{}",
        other.stdout
    );
    fixture.commit();
    assert_eq!(with(&["--exit-code"]).code, Some(0));

    // A folder as the base is looked at as well.
    let before = tempfile::tempdir().unwrap();
    let at = before.path().to_str().unwrap();
    fs::create_dir_all(before.path().join("cluster/flux-system")).unwrap();
    for file in ["flux-system/gotk-sync.yaml", "note.yaml", "web.yaml"] {
        let from = fixture.path().join("cluster").join(file);
        fs::copy(from, before.path().join("cluster").join(file)).unwrap();
    }
    let root = fixture.path().to_str().unwrap();
    let args = [
        "diff",
        root,
        "--base-dir",
        at,
        "--store",
        store,
        "--output",
        "brief",
    ];
    let first = run(&args, "");
    assert!(
        first.stdout.contains("+ ConfigMap/shop/other"),
        "{}",
        first.stdout
    );
    assert_eq!(run(&args, ""), first);
    fs::write(before.path().join("cluster/note.yaml"), note("note", "9")).unwrap();
    let second = run(&args, "");
    assert!(
        second.stdout.contains("~ ConfigMap/shop/note"),
        "{}",
        second.stdout
    );
}

#[test]
fn a_release_in_another_version_of_its_api_is_the_same_release() {
    let fixture = Fixture::new();
    chart(&fixture, "note", &note("of-web", "1"));
    fixture.write("cluster/web.yaml", &release("web", "note", "a: 1"));
    fixture.commit();
    let other = release("web", "note", "a: 1").replace("/v2\n", "/v2beta2\n");
    fixture.write("cluster/web.yaml", &other);
    // What leads to Flux objects has all of its side rendered, and this side alone.
    let source = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: \
                  more, namespace: flux-system}\nspec: {interval: 1m, url: 'https://x.example'}\n";
    chart(&fixture, "more", source);
    fixture.write("cluster/more.yaml", &release("more", "more", "a: 1"));
    let lines = |run: &Run| -> Vec<String> {
        assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
        let lines = run
            .stdout
            .lines()
            .filter(|line| !line.starts_with("objects:"));
        lines.map(str::to_owned).collect()
    };
    let reached = diff(&fixture, &[]);
    assert_eq!(lines(&reached), lines(&diff(&fixture, &["--full"])));
    assert!(!reached.stdout.contains("of-web"), "{}", reached.stdout);
}
