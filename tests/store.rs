//! `fluxwright store` as a user runs it.

use std::path::Path;

use fluxwright::store::Store;

use crate::program::{Run, run, run_with};

fn store(what: &str, folder: &Path, more: &[&str]) -> Run {
    let folder = folder.to_str().unwrap();
    let mut args = vec!["store", what, "--store", folder];
    args.extend(more);
    run(&args, "")
}

#[test]
fn listed_verified_and_pruned() {
    let folder = tempfile::tempdir().unwrap();
    let empty = store("list", folder.path(), &[]);
    assert_eq!(
        (empty.code, empty.stdout.as_str()),
        (Some(0), "0 entries, 0 B\n")
    );

    let content = Store::new(folder.path());
    let digest = content.put(b"content").unwrap();
    let listed = store("list", folder.path(), &[]);
    assert_eq!(
        listed.stdout,
        format!("{digest}         7 B     0 d\n1 entries, 7 B\n")
    );
    let json = store("list", folder.path(), &["--output", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json[0]["digest"], digest.to_string());
    assert_eq!(json[0]["sizeBytes"], 7);
    let whole = store("verify", folder.path(), &[]);
    assert_eq!(
        (whole.code, whole.stdout.as_str()),
        (Some(0), "1 entries are whole\n")
    );

    let hex = digest.hex();
    let file = folder.path().join("sha256").join(&hex[..2]).join(&hex[2..]);
    std::fs::write(file, "contemt").unwrap();
    let damaged = store("verify", folder.path(), &[]);
    assert_eq!(damaged.code, Some(1));
    assert!(
        damaged.stderr.contains("store/damaged"),
        "{}",
        damaged.stderr
    );
    assert!(damaged.stderr.contains(&digest.to_string()));

    let pruned = store("prune", folder.path(), &["--max-size", "0"]);
    assert_eq!(
        (pruned.code, pruned.stdout.as_str()),
        (Some(0), "removed 1 files, 7 B\n")
    );
}

#[test]
fn pruning_asks_what() {
    let folder = tempfile::tempdir().unwrap();
    let run = store("prune", folder.path(), &[]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("usage/prune"), "{}", run.stderr);
    assert!(run.stderr.contains("--older-than 30d"));
    let run = store("prune", folder.path(), &["--older-than", "30"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("as in 30d"), "{}", run.stderr);
}

#[test]
fn the_store_lies_among_the_caches() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    Store::new(folder.path().join("fluxwright"))
        .put(b"content")
        .unwrap();
    let list = |environment: &[(&str, &str)]| run_with(&["store", "list"], "", environment);
    let found = list(&[("XDG_CACHE_HOME", path)]);
    assert!(
        found.stdout.ends_with("1 entries, 7 B\n"),
        "{}",
        found.stdout
    );
    Store::new(folder.path().join(".cache/fluxwright"))
        .put(b"of home")
        .unwrap();
    let found = list(&[("HOME", path)]);
    assert!(
        found.stdout.ends_with("1 entries, 7 B\n"),
        "{}",
        found.stdout
    );
    let nowhere = list(&[]);
    assert_eq!(nowhere.code, Some(2));
    assert!(nowhere.stderr.contains("usage/store"), "{}", nowhere.stderr);
}
