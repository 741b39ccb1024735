//! `build` on repositories with something wrong in them: it is told with its
//! place, the rest is built, and nothing is written where it does not belong.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::program::{Run, run};

/// An entry point with the source that the repository is, and a Kustomization
/// for each of two folders.
const ENTRY: &str = "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: flux-system
  namespace: flux-system
spec:
  interval: 1m
  url: https://example.com/fleet
  ignore: |
    left-out.yaml
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: good
  namespace: flux-system
spec:
  interval: 10m
  path: ./good
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: bad
  namespace: flux-system
spec:
  interval: 10m
  path: ./bad
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
";

const GOOD: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: good\n";

/// A repository whose folder `bad` holds these files.
fn repository(entry: &str, bad: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, content: &[u8]| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    write(".fluxwright.yaml", b"entries:\n- path: cluster\n");
    write("cluster/entry.yaml", entry.as_bytes());
    write("good/config.yaml", GOOD.as_bytes());
    for (path, content) in bad {
        write(&format!("bad/{path}"), content);
    }
    folder
}

fn build(folder: &Path, options: &[&str]) -> Run {
    run(
        &[&["build", folder.to_str().unwrap()], options].concat(),
        "",
    )
}

/// Shows what is told of a repository, of which the good half is built.
#[track_caller]
fn assert_told(name: &str, folder: &TempDir, code: i32) {
    let built = build(folder.path(), &[]);
    assert_eq!(built.code, Some(code), "{}", built.stderr);
    assert!(built.stdout.contains("name: good"), "{}", built.stdout);
    assert_shown(name, &built.stderr);
}

#[track_caller]
fn assert_shown(name: &str, message: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots/bad_repository");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, message));
}

const RESOURCES: &[u8] = b"resources:\n- config.yaml\n";

#[test]
fn binary_files_are_told() {
    let files: &[(&str, &[u8])] = &[
        ("kustomization.yaml", RESOURCES),
        ("config.yaml", b"\x7fELF\x02\x01\x01\0\0\0"),
    ];
    assert_told("binary", &repository(ENTRY, files), 2);
}

#[test]
fn pointers_of_git_lfs_are_told() {
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n";
    let resource: &[(&str, &[u8])] = &[("kustomization.yaml", RESOURCES), ("config.yaml", pointer)];
    assert_told("lfs_resource", &repository(ENTRY, resource), 2);

    let kustomization = b"configMapGenerator:\n- name: logo\n  files:\n  - logo.svg\n";
    let file: &[(&str, &[u8])] = &[("kustomization.yaml", kustomization), ("logo.svg", pointer)];
    assert_told("lfs_generator", &repository(ENTRY, file), 0);
}

#[test]
fn files_that_the_source_leaves_out_are_not_there() {
    let files: &[(&str, &[u8])] = &[
        ("kustomization.yaml", b"resources:\n- left-out.yaml\n"),
        ("left-out.yaml", GOOD.as_bytes()),
    ];
    assert_told("left_out", &repository(ENTRY, files), 2);
}

#[cfg(unix)]
#[test]
fn symbolic_links_are_not_there() {
    let files: &[(&str, &[u8])] = &[("kustomization.yaml", RESOURCES)];
    let inside = repository(ENTRY, files);
    std::os::unix::fs::symlink("../good/config.yaml", inside.path().join("bad/config.yaml"))
        .unwrap();
    assert_told("link_inside", &inside, 2);

    let outside = repository(ENTRY, files);
    std::os::unix::fs::symlink("/etc/hostname", outside.path().join("bad/config.yaml")).unwrap();
    assert_told("link_outside", &outside, 2);
}

#[test]
fn unknown_fields_are_told_with_the_nearest_name() {
    let entry = ENTRY.replacen("prune: true", "prunes: true\n  targetNamespaces: x", 1);
    let files: &[(&str, &[u8])] = &[("config.yaml", GOOD.as_bytes())];
    assert_told("unknown_field", &repository(&entry, files), 0);
}

/// The name of a file of the output comes from the input.
#[test]
fn names_cannot_leave_the_output_folder() {
    let entry = ENTRY.replacen("name: bad", "name: ../../../escaped", 1);
    let files: &[(&str, &[u8])] = &[("config.yaml", GOOD.as_bytes())];
    let folder = repository(&entry, files);
    let output = folder.path().join("deep/er/output");
    fs::create_dir_all(output.parent().unwrap()).unwrap();
    let built = build(folder.path(), &["--output-dir", output.to_str().unwrap()]);
    assert_eq!(built.code, Some(2), "{}", built.stderr);
    let names = |folder: &Path| -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(
        names(folder.path()),
        [".fluxwright.yaml", "bad", "cluster", "deep", "good"]
    );
    assert_eq!(names(&folder.path().join("deep/er")), ["output"]);
    assert_eq!(
        names(&output.join("kustomization/flux-system")),
        ["good.yaml"]
    );
    let place = output.display().to_string();
    assert_shown("escape", &built.stderr.replace(&place, "OUTPUT"));
}

/// A folder that holds other things stays as it is.
#[test]
fn foreign_output_folders_are_refused() {
    let folder = repository(ENTRY, &[("config.yaml", GOOD.as_bytes())]);
    let output = folder.path().join("good");
    let built = build(folder.path(), &["--output-dir", output.to_str().unwrap()]);
    assert_eq!(built.code, Some(2));
    assert_eq!(fs::read_dir(&output).unwrap().count(), 1);
    assert!(
        built.stderr.contains("error[output/refused]"),
        "{}",
        built.stderr
    );
}

#[test]
fn any_number_of_jobs_gives_the_same_bytes() {
    let fleet = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/fleet");
    let one = build(&fleet, &["--jobs", "1"]);
    assert!(one.stdout.len() > 1000, "{}", one.stderr);
    for jobs in ["2", "3", "16"] {
        assert_eq!(build(&fleet, &["--jobs", jobs]), one, "{jobs}");
    }
}
