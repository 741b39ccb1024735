//! HelmReleases in all their forms, over `testdata/releases`.

use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::program::{Run, run};

/// An archive of a chart as a repository holds it, under another version.
fn pack(chart: &Path, version: &str, to: &Path) {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let name = chart.file_name().unwrap().to_str().unwrap();
    let mut pending = vec![chart.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
                continue;
            }
            let mut text = std::fs::read_to_string(&path).unwrap();
            if path.ends_with("Chart.yaml") {
                let line = text.lines().find(|l| l.starts_with("version:")).unwrap();
                text = text.replace(line, &format!("version: {version}"));
            }
            let below = path.strip_prefix(chart).unwrap().to_str().unwrap();
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            let path = format!("{name}/{below}");
            archive
                .append_data(&mut header, path, text.as_bytes())
                .unwrap();
        }
    }
    let bytes = archive.into_inner().unwrap().finish().unwrap();
    std::fs::write(to, bytes).unwrap();
}

fn build(more: &[&str]) -> Run {
    let charts = tempfile::tempdir().unwrap();
    let part = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/releases/charts/part");
    for version in ["1.0.1", "2.1.0", "3.0.0"] {
        pack(
            &part,
            version,
            &charts.path().join(format!("part-{version}.tgz")),
        );
    }
    let folder = charts.path().to_str().unwrap();
    let sources = format!(
        "--local-sources=HelmRepository/apps/charts={folder},OCIRepository/apps/show={folder}/part-2.1.0.tgz"
    );
    let mut args = vec!["build", "testdata/releases", &sources];
    args.extend(more);
    let mut run = run(&args, "");
    run.stderr = run.stderr.replace(folder, "CHARTS");
    run
}

#[test]
fn forms_of_releases() {
    let run = build(&["--kind", "HelmRelease"]);
    // One of them has no chart.
    assert_eq!(run.code, Some(2));
    insta::with_settings!({ snapshot_path => "../snapshots/releases", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("objects", run.stdout);
        insta::assert_snapshot!("findings", run.stderr);
    });
}

/// A repository whose charts look for objects and make up values.
fn asking(more: &[&str]) -> Run {
    let mut args = vec!["build", "testdata/asking", "--kind", "HelmRelease"];
    args.extend(more);
    run(&args, "")
}

/// What follows a name in the output, one for each time that it stands there.
fn values<'r>(run: &'r Run, name: &str) -> Vec<&'r str> {
    let lines = run.stdout.lines().map(str::trim_start);
    lines
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        .map(|value| value.trim_matches('"'))
        .collect()
}

#[test]
fn charts_find_what_the_rest_of_the_repository_renders() {
    let nothing = asking(&[]);
    assert_eq!(nothing.code, Some(0), "{}", nothing.stderr);
    assert_eq!(values(&nothing, "found"), ["nothing", "nothing"]);
    assert_eq!(values(&nothing, "other"), ["nothing", "nothing"]);

    // Of a Kustomization, and of the other release, not of a release itself.
    let rendered = asking(&["--lookup-from", "repository"]);
    assert_eq!(rendered.code, Some(0), "{}", rendered.stderr);
    assert_eq!(values(&rendered, "found"), ["clear", "clear"]);
    assert_eq!(values(&rendered, "other"), ["second", "first"]);
    assert_eq!(values(&rendered, "own"), ["nothing", "nothing"]);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret.yaml");
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: given, namespace: apps}\n\
                  data: {level: Z2l2ZW4=}\n";
    std::fs::write(&file, secret).unwrap();
    let given = asking(&["--lookup-from", file.to_str().unwrap()]);
    assert_eq!(values(&given, "found"), ["given", "given"]);
    assert_eq!(values(&given, "other"), ["nothing", "nothing"]);
}

#[test]
fn made_up_values_of_releases() {
    let first = asking(&["--now", "2026-11-23T20:00:00Z"]);
    assert_eq!(
        first.stdout,
        asking(&["--now", "2026-11-23T20:00:00Z"]).stdout
    );
    assert_eq!(values(&first, "made"), ["2026-11-23", "2026-11-23"]);
    let passwords = values(&first, "password");
    assert_ne!(passwords[0], passwords[1], "two releases share nothing");
    let told = "in `/data/password` of ConfigMap `second`";
    assert!(first.stderr.contains(told), "{}", first.stderr);

    let folder = tempfile::tempdir().unwrap();
    let seed = folder.path().join("seed");
    std::fs::write(&seed, "only we know").unwrap();
    let secret = asking(&["--seed-file", seed.to_str().unwrap()]);
    assert_ne!(values(&secret, "password"), passwords);
    // A secret seed hides passwords; the time stays what it is.
    assert!(
        !secret.stderr.contains("/data/password"),
        "{}",
        secret.stderr
    );

    let endless = asking(&["--max-steps", "20"]);
    assert_eq!(endless.code, Some(2));
    assert!(
        endless.stderr.contains("error[helm/limit]"),
        "{}",
        endless.stderr
    );
}

#[test]
fn older_versions_of_flux_leave_hooks_alone() {
    let run = build(&["--only", "apps/post-rendered", "--flux-version", "2.8"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let labelled = |name: &str| {
        let objects = run.stdout.split("---\n");
        let object = objects.filter(|o| o.contains(&format!("  name: {name}\n")));
        object
            .map(|o| o.contains("helm.toolkit.fluxcd.io/name"))
            .collect::<Vec<_>>()
    };
    assert_eq!(labelled("post-rendered"), [true]);
    assert_eq!(labelled("post-rendered-before"), [false]);
}
