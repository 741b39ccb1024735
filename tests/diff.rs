//! `fluxwright diff` over a repository, as a user runs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{Run, run_with};

/// A repository with one cluster, and its first commit.
pub(crate) struct Fixture {
    folder: tempfile::TempDir,
}

const SYNC: &str = "\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-system, namespace: flux-system}
spec:
  path: ./cluster
  prune: true
  interval: 10m
  sourceRef: {kind: GitRepository, name: flux-system}
";

const WEB: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: example.com/web:1.0
";

impl Fixture {
    pub(crate) fn new() -> Fixture {
        let fixture = Fixture {
            folder: tempfile::tempdir().unwrap(),
        };
        fixture.git(&["init", "--quiet", "--initial-branch", "main", "."]);
        fixture.write("cluster/flux-system/gotk-sync.yaml", SYNC);
        fixture.write("cluster/web.yaml", WEB);
        fixture.commit();
        fixture
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, path: &str, content: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn git(&self, args: &[&str]) {
        let status = Command::new("git")
            .args(args)
            .current_dir(self.path())
            .env("HOME", self.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .envs([
                ("GIT_AUTHOR_NAME", "a"),
                ("GIT_AUTHOR_EMAIL", "a@example.com"),
                ("GIT_AUTHOR_DATE", "1700000000 +0000"),
                ("GIT_COMMITTER_NAME", "a"),
                ("GIT_COMMITTER_EMAIL", "a@example.com"),
                ("GIT_COMMITTER_DATE", "1700000000 +0000"),
            ])
            .status()
            .unwrap();
        assert!(status.success(), "git {args:?}");
    }

    pub(crate) fn commit(&self) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "x"]);
    }

    /// The commit that is checked out.
    pub(crate) fn head(&self) -> String {
        self.git_output(&["rev-parse", "HEAD"])
    }

    fn git_output(&self, args: &[&str]) -> String {
        let output = Command::new("git")
            .args(args)
            .current_dir(self.path())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn diff(&self, args: &[&str]) -> Run {
        let root: PathBuf = self.path().to_owned();
        let mut all = vec!["diff", root.to_str().unwrap()];
        all.extend(args);
        run_with(&all, "", &[("COLUMNS", "80")])
    }
}

/// A change with a bit of everything: an image, a deletion with data, a Secret.
fn changed() -> Fixture {
    let fixture = Fixture::new();
    let secret = |value: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: s, namespace: shop}}\nstringData: {{a: {value}}}\n"
        )
    };
    fixture.write(
        "cluster/disk.yaml",
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: disk, namespace: shop}\n",
    );
    fixture.write("cluster/secret.yaml", &secret("hunter1"));
    fixture.commit();
    fixture.write("cluster/secret.yaml", &secret("hunter2"));
    fixture.write(
        "cluster/web.yaml",
        &WEB.replace("web:1.0", "web:1.1")
            .replace("replicas: 2", "replicas: 3"),
    );
    fs::remove_file(fixture.path().join("cluster/disk.yaml")).unwrap();
    fixture.write(
        "cluster/note.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: note}\ndata: {a: '``` <b> @you'}\n",
    );
    fixture
}

#[test]
fn every_form_tells_the_same() {
    let fixture = changed();
    for form in [
        "human", "unified", "json", "markdown", "github", "html", "brief",
    ] {
        let run = fixture.diff(&["--output", form]);
        assert_eq!(run.code, Some(1), "{form}: {}", run.stderr);
        assert_eq!(run.stderr, "");
        assert!(!run.stdout.contains("hunter"), "{form}");
        insta::with_settings!({snapshot_path => "../snapshots/diff", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(form, run.stdout);
        });
    }
}

#[test]
fn a_terminal_gets_the_first_lines_of_what_is_new_or_gone() {
    let object = |name: &str, lines: usize| {
        let lines: Vec<String> = (0..lines).map(|i| format!("  k{i:04}: v\n")).collect();
        let lines = lines.concat();
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop}}\ndata:\n{lines}"
        )
    };
    let fixture = Fixture::new();
    fixture.write("cluster/gone.yaml", &object("gone", 3000));
    fixture.commit();
    fs::remove_file(fixture.path().join("cluster/gone.yaml")).unwrap();
    fixture.write("cluster/new.yaml", &object("new", 3000));
    // An object of fewer lines is shown as a whole.
    fixture.write("cluster/short.yaml", &object("short", 188));
    let human = fixture.diff(&[]).stdout;
    assert_eq!(human.matches("the rest is left out").count(), 2, "{human}");
    assert!(human.contains("+   k0187: v"), "{human}");
    assert!(human.lines().count() < 650, "{}", human.lines().count());
    let unified = fixture.diff(&["--output", "unified"]).stdout;
    assert!(unified.contains("\n-  k2999: v\n"));
    assert!(unified.contains("\n+  k2999: v\n"));
}

#[test]
fn the_answer_is_no_as_one_asks() {
    let fixture = changed();
    assert_eq!(fixture.diff(&["--fail-on", "never"]).code, Some(0));
    assert_eq!(
        fixture.diff(&["--fail-on", "never", "--exit-code"]).code,
        Some(1)
    );
    assert_eq!(
        fixture.diff(&["--ignore", "change/delete-data"]).code,
        Some(0)
    );
    fixture.commit();
    let run = fixture.diff(&["--exit-code"]);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (Some(0), "no object differs; 1 owner is not reached\n")
    );
    // Of the commit before, whatever it is called.
    for base in ["HEAD~1", "main~1"] {
        assert_eq!(fixture.diff(&["--base", base]).code, Some(1));
    }
}

#[test]
fn a_branch_is_compared_with_where_it_began() {
    let fixture = Fixture::new();
    fixture.git(&["checkout", "--quiet", "-b", "topic"]);
    fixture.write("cluster/web.yaml", &WEB.replace("web:1.0", "web:1.1"));
    fixture.commit();
    fixture.git(&["checkout", "--quiet", "main"]);
    fixture.write(
        "cluster/other.yaml",
        &WEB.replace("name: web, n", "name: other, n"),
    );
    fixture.commit();
    fixture.git(&["checkout", "--quiet", "topic"]);
    let run = fixture.diff(&["--output", "brief"]);
    assert_eq!(
        run.stdout,
        "~ Deployment/shop/web\nobjects: 1 changed, 1 the same\n"
    );
}

#[test]
fn bad_bases_are_told() {
    let fixture = Fixture::new();
    let run = fixture.diff(&["--base", "mian"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(
        run.stderr.contains("error[ref/missing]: no such reference"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("there is `refs/heads/main`"),
        "{}",
        run.stderr
    );

    let run = fixture.diff(&["--base", ""]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(
        run.stderr.contains("the revision to compare with is empty"),
        "{}",
        run.stderr
    );

    fixture.git(&["branch", "--quiet", "-m", "main", "trunk"]);
    let run = fixture.diff(&[]);
    assert!(
        run.stderr.contains("which branch is the default one"),
        "{}",
        run.stderr
    );

    fs::remove_dir_all(fixture.path().join(".git")).unwrap();
    let run = fixture.diff(&["--root", fixture.path().to_str().unwrap()]);
    assert!(
        run.stderr.contains("lies in no Git repository"),
        "{}",
        run.stderr
    );

    // A base that cannot be read as YAML is no mass of new objects.
    let fixture = Fixture::new();
    fixture.write("cluster/web.yaml", "{");
    fixture.commit();
    fixture.write("cluster/web.yaml", WEB);
    let run = fixture.diff(&["--base", "HEAD"]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.stdout.contains("did not render before this change"),
        "{}",
        run.stdout
    );
    assert!(!run.stdout.contains("added"), "{}", run.stdout);
}

#[test]
fn a_shallow_clone_says_how_to_get_the_base() {
    let fixture = Fixture::new();
    fixture.write("cluster/web.yaml", &WEB.replace("web:1.0", "web:1.1"));
    fixture.commit();
    let base = fixture.git_output(&["rev-parse", "HEAD~1"]);
    let folder = tempfile::tempdir().unwrap();
    let clone = folder.path().join("clone");
    let url = format!("file://{}", fixture.path().display());
    fixture.git(&[
        "clone",
        "--quiet",
        "--depth",
        "1",
        &url,
        clone.to_str().unwrap(),
    ]);
    for base in [&*base, "HEAD~1", "v1.0"] {
        let run = run_with(&["diff", clone.to_str().unwrap(), "--base", base], "", &[]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
        assert!(run.stderr.contains("shallow"), "{}", run.stderr);
        assert!(
            run.stderr.contains("git fetch --unshallow"),
            "{}",
            run.stderr
        );
    }
}

/// The commit that a branch began at may be there, and those before it not.
#[test]
fn a_branch_in_a_shallow_clone_is_compared_with_where_it_began() {
    let fixture = Fixture::new();
    fixture.write("cluster/web.yaml", &WEB.replace("web:1.0", "web:1.1"));
    fixture.commit();
    let folder = tempfile::tempdir().unwrap();
    let clone = folder.path().join("clone");
    let (clone, url) = (
        clone.to_str().unwrap(),
        format!("file://{}", fixture.path().display()),
    );
    fixture.git(&["clone", "--quiet", "--depth", "1", &url, clone]);
    fixture.git(&["-C", clone, "checkout", "--quiet", "-b", "more"]);
    for replicas in ["3", "4"] {
        let web = WEB.replace("replicas: 2", &format!("replicas: {replicas}"));
        fs::write(Path::new(clone).join("cluster/web.yaml"), web).unwrap();
        fixture.git(&["-C", clone, "commit", "--quiet", "--all", "--message", "x"]);
    }
    let run = run_with(&["diff", clone, "--output", "unified"], "", &[]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    for line in [
        "-  replicas: 2",
        "+  replicas: 4",
        "-      - image: example.com/web:1.1",
    ] {
        assert!(run.stdout.contains(line), "{}", run.stdout);
    }
}

/// A cluster whose bootstrap file cannot be read does not render: it is not gone.
#[test]
fn a_sync_that_cannot_be_read_is_no_cluster_that_is_gone() {
    let fixture = Fixture::new();
    let sync = "clusters/blue/flux-system/gotk-sync.yaml";
    fixture.write(sync, &SYNC.replace("./cluster", "./clusters/blue"));
    fixture.write("clusters/blue/web.yaml", WEB);
    fixture.commit();
    fixture.write(sync, "<<<<<<< HEAD\nspec: {\n");
    let run = fixture.diff(&["--base", "HEAD", "--output", "brief"]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(
        run.stdout
            .starts_with("! blue: the cluster does not render: "),
        "{}",
        run.stdout
    );
    assert!(!run.stdout.contains("\n- "), "{}", run.stdout);
    // Nor is it new where it could not be read before.
    fixture.commit();
    fixture.write(sync, &SYNC.replace("./cluster", "./clusters/blue"));
    let run = fixture.diff(&["--base", "HEAD", "--output", "brief"]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(!run.stdout.contains("\n+ "), "{}", run.stdout);
    let root = fixture.path().to_str().unwrap();
    fixture.write(sync, "spec: {\n");
    let built = run_with(&["build", root], "", &[]);
    assert_eq!(built.code, Some(2), "{}", built.stderr);
}

#[test]
fn manifests_and_a_build_are_two_things() {
    let fixture = Fixture::new();
    let at = |name: &str| fixture.path().join(name).to_str().unwrap().to_owned();
    let root = fixture.path().to_str().unwrap();
    let built = run_with(&["build", root, "--output-dir", &at(".built")], "", &[]);
    assert_eq!(built.code, Some(0), "{}", built.stderr);
    fixture.write(".plain/web.yaml", WEB);
    fs::create_dir(at(".empty")).unwrap();
    for (old, new) in [(".plain", ".built"), (".built", ".plain")] {
        let run = run_with(&["diff", &at(old), &at(new)], "", &[]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{old}");
        assert!(
            run.stderr.contains("compare two of one sort"),
            "{}",
            run.stderr
        );
    }
    // Nothing is of any sort.
    for other in [".plain", ".built"] {
        let run = run_with(&["diff", &at(".empty"), &at(other)], "", &[]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert!(run.stdout.contains(" added"), "{}", run.stdout);
    }
}

#[test]
fn rules_of_changes_are_explained() {
    let rule = |args: &[&str]| run_with(&[&["rule"], args].concat(), "", &[]);
    let one = rule(&["change/delete-data"]);
    assert_eq!(one.code, Some(0), "{}", one.stderr);
    assert!(
        one.stdout.starts_with("change/delete-data (error): "),
        "{}",
        one.stdout
    );
    assert!(
        one.stdout.contains("no revert brings them back"),
        "{}",
        one.stdout
    );
    let all = rule(&["change"]);
    assert_eq!(all.stdout.lines().count(), fluxwright::diff::RULES.len());
    let wrong = rule(&["change/delete-date"]);
    assert_eq!(wrong.code, Some(2));
    assert!(
        wrong.stderr.contains("did you mean `change/delete-data`?"),
        "{}",
        wrong.stderr
    );
    assert!(
        !rule(&[]).stdout.contains("change/"),
        "those of check are listed"
    );
}

/// A comment on a pull request says once what is the same in several clusters.
#[test]
fn a_comment_says_once_what_several_clusters_have_in_common() {
    let clusters = ["a", "b", "c", "d", "e", "f"];
    let fixture = Fixture::new();
    for cluster in clusters {
        fixture.write(&format!("clusters/{cluster}/web.yaml"), WEB);
        let sync = SYNC.replace("./cluster", &format!("./clusters/{cluster}"));
        fixture.write(
            &format!("clusters/{cluster}/flux-system/gotk-sync.yaml"),
            &sync,
        );
    }
    fs::remove_dir_all(fixture.path().join("cluster")).unwrap();
    fixture.commit();
    for cluster in clusters {
        let web = WEB
            .replace("web:1.0", "web:1.1")
            .replace("replicas: 2", "replicas: 0");
        fixture.write(&format!("clusters/{cluster}/web.yaml"), &web);
    }
    let run = fixture.diff(&["--base", "HEAD", "--output", "github"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let rows = |what: &str| run.stdout.lines().filter(|l| l.contains(what)).count();
    assert_eq!(rows("`change/replicas`"), 1, "{}", run.stdout);
    assert!(
        run.stdout.contains(" of a, b, c, d and 2 more |"),
        "{}",
        run.stdout
    );
    assert_eq!(
        rows("+      - image: example.com/web:1.1"),
        1,
        "{}",
        run.stdout
    );
    assert_eq!(rows("`Deployment/shop/web` as in a"), 5, "{}", run.stdout);
    // Many notes are folded; what is worse is not.
    for n in 0..12 {
        let path = format!("clusters/a/many-{n}.yaml");
        fixture.write(
            &path,
            &WEB.replace("name: web,", &format!("name: many-{n},")),
        );
    }
    fixture.commit();
    for n in 0..12 {
        let path = format!("clusters/a/many-{n}.yaml");
        let text = WEB.replace("name: web,", &format!("name: many-{n},"));
        let replicas = if n == 0 { "replicas: 0" } else { "replicas: 3" };
        fixture.write(&path, &text.replace("replicas: 2", replicas));
    }
    let run = fixture.diff(&["--base", "HEAD", "--output", "github"]);
    let (first, folded) = run.stdout.split_once("What else it means: 11").unwrap();
    assert!(first.contains("`Deployment/shop/many-0`"), "{first}");
    assert!(!first.contains("`Deployment/shop/many-1`"), "{first}");
    assert!(folded.contains("`Deployment/shop/many-1`"), "{folded}");
}

#[test]
fn a_lockfile_takes_the_place_of_the_base_s() {
    let fixture = Fixture::new();
    fixture.write("fluxwright.lock", "version: 1\n");
    fixture.write("old.lock", "version: 1\n");
    fixture.commit();
    let lock = fixture.path().join("old.lock");
    let store = fixture.path().join(".store");
    let store = store.to_str().unwrap();
    let run = fixture.diff(&[
        "--base-lock",
        lock.to_str().unwrap(),
        "--exit-code",
        "--store",
        store,
    ]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    // One that cannot be read makes no empty base.
    fixture.write("old.lock", "version: 99\n");
    let run = fixture.diff(&["--base-lock", lock.to_str().unwrap(), "--store", store]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(run.stderr.contains("old.lock"), "{}", run.stderr);
    // Of a commit, with another lockfile.
    fixture.write("old.lock", "version: 1\n");
    fixture.write("cluster/web.yaml", &WEB.replace("web:1.0", "web:1.1"));
    let run = fixture.diff(&[
        "--base",
        "HEAD",
        "--base-lock",
        lock.to_str().unwrap(),
        "--output",
        "json",
        "--store",
        store,
    ]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let model: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(model["summary"]["changed"], 1);
    assert!(
        model["old"].as_str().unwrap().ends_with("old.lock"),
        "{}",
        model["old"]
    );
}

#[test]
fn links_and_folders_of_a_commit_are_read() {
    let fixture = Fixture::new();
    fs::create_dir_all(fixture.path().join("shared")).unwrap();
    fs::rename(
        fixture.path().join("cluster/web.yaml"),
        fixture.path().join("shared/web.yaml"),
    )
    .unwrap();
    std::os::unix::fs::symlink("../shared", fixture.path().join("cluster/apps")).unwrap();
    fixture.write(
        "cluster/kustomization.yaml",
        "resources: [apps/web.yaml, flux-system/gotk-sync.yaml]\n",
    );
    fixture.commit();
    fixture.write("shared/web.yaml", &WEB.replace("web:1.0", "web:2.0"));
    let run = fixture.diff(&["--base", "HEAD", "--output", "brief"]);
    assert_eq!(
        run.stdout,
        // The artifact of a source has no links: Flux itself cannot follow this one.
        "! Kustomization/flux-system/flux-system does not render, nor did it before this change: no \
         such file or folder: `cluster/apps/web.yaml`\n~ Deployment/shop/web\nobjects: 1 changed, 1 \
         the same; 1 part does not render\n",
        "{}",
        run.stderr
    );
}

#[test]
fn two_folders_of_any_sort() {
    let fixture = changed();
    let root = fixture.path().to_str().unwrap().to_owned();
    let outputs = tempfile::tempdir().unwrap();
    let at = |name: &str| outputs.path().join(name).display().to_string();
    let (old, new) = (at("old"), at("new"));
    let build = |output: &str| {
        let run = run_with(&["build", &root, "--output-dir", output], "", &[]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
    };
    build(&new);
    fixture.git(&["stash", "--quiet", "--include-untracked"]);
    build(&old);
    let run = run_with(&["diff", &old, &new, "--output", "brief"], "", &[]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    insta::assert_snapshot!(run.stdout, @"
    ~ Deployment/shop/web
    + ConfigMap/note
    - PersistentVolumeClaim/shop/disk
    ~ Secret/shop/s
    objects: 2 changed, 1 added, 1 removed, 1 the same
    ");
    // Manifests without owners are compared as such.
    let file = |folder: &str| format!("{folder}/kustomization");
    let run = run_with(
        &["diff", &file(&old), &file(&new), "--output", "brief"],
        "",
        &[],
    );
    insta::assert_snapshot!(run.stdout, @"
    ~ Deployment/shop/web
    + ConfigMap/note
    - PersistentVolumeClaim/shop/disk
    ~ Secret/shop/s
    objects: 2 changed, 1 added, 1 removed, 1 the same
    ");
}

/// Helm never deletes what lies in the `crds/` of a chart: a folder that was written
/// and a bundle know of it, too.
#[test]
fn definitions_of_charts_stay_in_what_was_written() {
    let fixture = Fixture::new();
    fixture.write(
        "cluster/cups.yaml",
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: cups, \
         namespace: flux-system}\nspec: {interval: 10m, chart: {spec: {chart: ./charts/cups, \
         sourceRef: {kind: GitRepository, name: flux-system}}}}\n",
    );
    fixture.write(
        "charts/cups/Chart.yaml",
        "apiVersion: v2\nname: cups\nversion: 1.0.0\n",
    );
    let definition = |name: &str| {
        format!(
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: \
             {{name: {name}.tea.example}}\nspec: {{group: tea.example, scope: Cluster, names: \
             {{kind: {name}, plural: {name}}}}}\n"
        )
    };
    for (folder, name) in [("crds", "cups"), ("templates", "pots")] {
        fixture.write(
            &format!("charts/cups/{folder}/{name}.yaml"),
            &definition(name),
        );
    }
    fixture.commit();
    let root = fixture.path().to_str().unwrap().to_owned();
    let outputs = tempfile::tempdir().unwrap();
    let at = |name: &str| outputs.path().join(name).display().to_string();
    let write = |name: &str| {
        let (folder, bundle) = (at(name), at(&format!("{name}.tar")));
        for args in [
            ["build", &root, "--output-dir", &folder].as_slice(),
            &["bundle", "create", &root, "--output", &bundle],
        ] {
            let run = run_with(args, "", &[]);
            assert_eq!(run.code, Some(0), "{}", run.stderr);
        }
    };
    write("old");
    for (folder, name) in [("crds", "cups"), ("templates", "pots")] {
        fs::remove_file(
            fixture
                .path()
                .join(format!("charts/cups/{folder}/{name}.yaml")),
        )
        .unwrap();
    }
    write("new");
    for (old, new) in [("old", "new"), ("old.tar", "new.tar")] {
        let run = run_with(&["diff", &at(old), &at(new)], "", &[]);
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        let told = |what: &str| assert!(run.stdout.contains(what), "{old}: {}", run.stdout);
        told("error[change/delete-data] CustomResourceDefinition/pots.tea.example: it is deleted");
        told(
            "info[change/orphan] CustomResourceDefinition/cups.tea.example: it stays in the \
             cluster: HelmRelease/flux-system/cups never deletes a definition",
        );
    }
}

/// Names and values that others wrote do nothing to whoever reads a report.
#[test]
fn what_others_wrote_does_not_act() {
    let fixture = Fixture::new();
    let note = |name: &str, value: &str, image: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop}}\ndata: \
             {{a: {value}}}\n---\napiVersion: v1\nkind: Pod\nmetadata: {{name: pod, namespace: \
             shop}}\nspec: {{containers: [{{name: a, image: {image}}}]}}\n"
        )
    };
    fixture.write("cluster/note.yaml", &note("a", r#""\e[31m""#, r#""x```""#));
    fixture.commit();
    let name = r#""<b>`|@team\e]0;\u202e""#;
    fixture.write(
        "cluster/note.yaml",
        &note(name, r#""\e[2J\u202e""#, r#""<img src=x> @team \\| <b>""#),
    );
    for form in ["human", "unified", "brief", "markdown", "github", "html"] {
        let run = fixture.diff(&["--base", "HEAD", "--output", form]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let acts = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!run.stdout.contains(acts), "{form}: {}", run.stdout);
        assert!(run.stdout.contains("pod"), "{form}: {}", run.stdout);
        // Lines of blocks are text already.
        let lines = run
            .stdout
            .lines()
            .filter(|l| !l.starts_with(['+', '-', ' ']));
        let text: Vec<&str> = lines.collect();
        let text = text.join("\n");
        let tags: &[&str] = match form {
            "markdown" | "github" => &["<img", "<b>", " @team"],
            "html" => &["<img", "<b>"],
            _ => &[],
        };
        for tag in tags {
            assert!(!text.contains(tag), "{form}: {text}");
        }
    }
}

#[test]
fn templates_of_the_user() {
    let fixture = changed();
    fixture.write("own.jinja", "{{ summary.changed }} of {{ old | length }}\n");
    let own = fixture.path().join("own.jinja");
    let run = fixture.diff(&["--template", own.to_str().unwrap()]);
    assert_eq!(run.stdout, "2 of 10\n", "{}", run.stderr);
    // One that would never end does.
    for endless in [
        "{% for a in range(20000) %}{% for b in range(20000) %}{{ a * b }}{% endfor %}{% endfor %}",
        "{% macro again(n) %}{{ again(n + 1) }}{{ again(n + 1) }}{% endmacro %}{{ again(0) }}",
        "{% set text = namespace(a='x') %}{% for a in range(99) %}{% set text.a = text.a ~ text.a \
         %}{% endfor %}{{ text.a | length }}",
    ] {
        fixture.write("own.jinja", endless);
        let run = fixture.diff(&["--template", own.to_str().unwrap()]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{endless}");
        assert!(
            run.stderr.contains("error[report/template]"),
            "{endless}: {}",
            run.stderr
        );
    }
    fixture.write("own.jinja", "a\n{{ nothing.at.all }}\n");
    let run = fixture.diff(&["--template", own.to_str().unwrap()]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(
        run.stderr.contains("error[report/template]"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("line 2"), "{}", run.stderr);
}
