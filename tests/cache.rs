//! The render cache as a user meets it: it never shows, save in the time that a
//! build takes.

use std::fs;
use std::path::{Path, PathBuf};

use fluxwright::artifact::Digest;

use crate::program::{Run, run_with};

/// A copy of the sample fleet, and a store.
struct Fixture {
    folder: tempfile::TempDir,
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

impl Fixture {
    fn new() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        copy(Path::new("testdata/fleet"), &folder.path().join("fleet"));
        copy(Path::new("testdata/herbs"), &folder.path().join("herbs"));
        Fixture { folder }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn build_with(&self, store: &Path, more: &[&str], environment: &[(&str, &str)]) -> Run {
        self.run("build", store, more, environment)
    }

    fn run(&self, what: &str, store: &Path, more: &[&str], environment: &[(&str, &str)]) -> Run {
        let fleet = self.at("fleet");
        // One source is not at hand: errors are kept, too.
        let herbs = format!("GitRepository/garden/garden={}", self.at("herbs").display());
        let mut args = vec![what, fleet.to_str().unwrap(), "--local-sources", &herbs];
        args.extend(["--store", store.to_str().unwrap()]);
        args.extend(more);
        run_with(&args, "", environment)
    }

    fn build(&self, more: &[&str]) -> Run {
        self.build_with(&self.at("store"), more, &[])
    }

    fn results(&self) -> Vec<PathBuf> {
        files_below(&self.at("store/renders"))
    }
}

/// Puts other text of the same length into every kept result, as if that had
/// been rendered.
fn tamper(results: &[PathBuf], from: &str, to: &str) -> usize {
    assert_eq!(from.len(), to.len());
    let mut changed = 0;
    for file in results {
        let mut bytes = fs::read(file).unwrap().split_off(64);
        let places: Vec<usize> = memchr::memmem::find_iter(&bytes, from).collect();
        for at in &places {
            bytes[*at..*at + to.len()].copy_from_slice(to.as_bytes());
        }
        if !places.is_empty() {
            // The key, as the file is named by it, is sealed with the result.
            let key = [file.parent().unwrap(), file].map(|p| p.file_name().unwrap());
            let key = key.map(std::ffi::OsStr::as_encoded_bytes).concat();
            let seal = Digest::of(&[&key[..], &bytes].concat());
            let mut whole = seal.hex().into_bytes();
            whole.extend(bytes);
            fs::write(file, whole).unwrap();
            changed += 1;
        }
    }
    changed
}

#[test]
fn it_changes_no_byte() {
    let fixture = Fixture::new();
    let without = fixture.build(&["--no-cache"]);
    assert_eq!(without.code, Some(2), "a source is not at hand");
    assert!(without.stderr.contains("source/unavailable"));
    assert_eq!(fixture.results(), Vec::<PathBuf>::new());

    assert_eq!(fixture.build(&[]), without, "cold");
    let results = fixture.results();
    assert_eq!(results.len(), 2);
    assert_eq!(fixture.build(&[]), without, "warm");
    assert_eq!(fixture.results(), results);

    // What is truncated or damaged is made again.
    for file in &results {
        let whole = fs::read(file).unwrap();
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        for spoilt in [&whole[..whole.len() / 2], &flipped, b""] {
            fs::write(file, spoilt).unwrap();
            assert_eq!(fixture.build(&[]), without, "damaged");
            assert_eq!(fs::read(file).unwrap(), whole, "made again");
        }
    }
}

#[test]
fn it_is_used() {
    let fixture = Fixture::new();
    let cold = fixture.build(&[]);
    assert!(cold.stdout.contains("name: queue"));
    assert_eq!(tamper(&fixture.results(), "name: queue", "name: taken"), 1);
    let warm = fixture.build(&[]);
    assert!(
        !warm.stdout.contains("name: queue"),
        "it was rendered again"
    );
    assert!(warm.stdout.contains("name: taken"));
    // For other arguments it is another result.
    let other = fixture.build(&["--substitute", "unused=1"]);
    assert_eq!(other, cold);
}

#[test]
fn results_of_others_are_none() {
    let fixture = Fixture::new();
    let (one, more) = (&[][..], &["--kube-version", "1.30.0"][..]);
    let cold = fixture.build(one);
    fixture.build(more);
    let results = fixture.results();
    assert!(results.len() >= 4, "{results:?}");
    let kept: Vec<Vec<u8>> = results.iter().map(|file| fs::read(file).unwrap()).collect();
    for file in &results {
        for other in &kept {
            fs::write(file, other).unwrap();
            assert_eq!(fixture.build(one), cold);
        }
    }
}

#[test]
fn files_and_index_are_kept_as_well() {
    let fixture = Fixture::new();
    let read = |folder: &str| -> Vec<(PathBuf, Vec<u8>)> {
        let folder = fixture.at(folder);
        let files = files_below(&folder).into_iter();
        files
            .map(|file| {
                let name = file.strip_prefix(&folder).unwrap().to_owned();
                (name, fs::read(file).unwrap())
            })
            .collect()
    };
    let output = |folder: &str| fixture.at(folder).to_str().unwrap().to_owned();
    let without = fixture.build(&["--no-cache", "--output-dir", &output("a")]);
    for folder in ["b", "c"] {
        let run = fixture.build(&["--output-dir", &output(folder)]);
        assert_eq!(read(folder), read("a"));
        assert_eq!(
            run.stderr.replace(&output(folder), &output("a")),
            without.stderr
        );
    }
    assert_eq!(fixture.results().len(), 2, "the folder is no input");
    assert_eq!(tamper(&fixture.results(), "name: queue", "name: taken"), 1);
    fixture.build(&["--output-dir", &output("d")]);
    assert_ne!(read("d"), read("a"), "it is used");
}

#[test]
fn checks_are_kept_as_well() {
    let fixture = Fixture::new();
    let check = |more: &[&str]| {
        let mut run = fixture.run("check", &fixture.at("store"), more, &[]);
        // How long it took.
        let end = run.stderr.rfind(" (").unwrap_or(run.stderr.len());
        run.stderr.truncate(end);
        run
    };
    let without = check(&["--no-cache"]);
    assert_eq!(without.code, Some(1));
    assert!(
        without.stdout.contains("source/unavailable"),
        "{}",
        without.stdout
    );
    assert_eq!(fixture.results(), Vec::<PathBuf>::new());
    assert_eq!(check(&[]), without, "cold");
    assert_eq!(fixture.results().len(), 2);
    assert_eq!(check(&[]), without, "warm");
    // In another form, it is the same.
    let json = check(&["--output", "json", "--no-cache"]);
    assert_eq!(check(&["--output", "json"]), json);
    assert_eq!(fixture.results().len(), 2);
    let (from, to) = ("is not at hand", "is not at HAND");
    assert_eq!(tamper(&fixture.results(), from, to), 1);
    assert!(check(&[]).stdout.contains(to), "it was checked again");
    // With another question, another answer.
    assert!(!check(&["--rule", "rbac"]).stdout.contains(to));
}

#[test]
fn every_input_counts() {
    let fixture = Fixture::new();
    let first = fixture.build(&[]);
    let edits = [
        ("fleet/apps/base/queue/values.yaml", "\nextra: 1\n"),
        ("fleet/clusters/staging/settings.yaml", "  extra: \"1\"\n"),
        ("fleet/.fluxwright.yaml", "\nsubstitute: {extra: \"1\"}\n"),
        ("fleet/charts/queue/values.yaml", "\nextra: 1\n"),
        (
            "herbs/deploy/base/deployment.yaml",
            "---\n{apiVersion: v1, kind: Pod, metadata: {name: new}}\n",
        ),
    ];
    for (path, text) in edits {
        let at = fixture.at(path);
        let before = fs::read(&at).ok();
        let mut content = before.clone().unwrap_or_default();
        content.extend(text.as_bytes());
        fs::write(&at, content).unwrap();
        let count = fixture.results().len();
        let run = fixture.build(&[]);
        assert_eq!(run, fixture.build(&["--no-cache"]), "{path}");
        assert_eq!(fixture.results().len(), count + 1, "{path} was read");
        match before {
            Some(before) => fs::write(&at, before).unwrap(),
            None => fs::remove_file(&at).unwrap(),
        }
        assert_eq!(fixture.build(&[]), first);
        assert_eq!(fixture.results().len(), count + 1, "{path} is as before");
    }
    // What no build reads is no input.
    fs::write(fixture.at("fleet/apps/base/queue/NOTES.txt"), "x").unwrap();
    assert_eq!(fixture.build(&[]), first);
}

#[test]
fn a_cache_that_cannot_be_written_is_none() {
    let fixture = Fixture::new();
    fs::write(fixture.at("file"), "").unwrap();
    let run = fixture.build_with(&fixture.at("file"), &[], &[]);
    assert_eq!(run, fixture.build(&["--no-cache"]));
}

#[test]
fn several_at_once_disturb_each_other_in_nothing() {
    let fixture = Fixture::new();
    let expected = fixture.build(&["--no-cache"]);
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..6).map(|_| scope.spawn(|| fixture.build(&[]))).collect();
        for run in runs {
            assert_eq!(run.join().unwrap(), expected);
        }
    });
    assert_eq!(fixture.build(&[]), expected);
    let whole = run_with(
        &[
            "store",
            "verify",
            "--store",
            fixture.at("store").to_str().unwrap(),
        ],
        "",
        &[],
    );
    assert_eq!(
        (whole.code, &*whole.stdout),
        (Some(0), "2 entries are whole\n")
    );
}

#[cfg(feature = "sops")]
#[test]
fn with_private_keys_nothing_is_kept() {
    let fixture = Fixture::new();
    let without = fixture.build(&["--no-cache"]);
    let key = "testdata/sops/keys/one.agekey";
    assert_eq!(fixture.build(&["--age-key-file", key]), without);
    let environment = [("SOPS_AGE_KEY_FILE", key)];
    let run = fixture.build_with(&fixture.at("store"), &[], &environment);
    assert_eq!(run, without);
    assert_eq!(fixture.results(), Vec::<PathBuf>::new());
}

#[test]
fn results_are_listed_verified_and_pruned() {
    let fixture = Fixture::new();
    fixture.build(&[]);
    let store = fixture.at("store");
    let store = |what: &[&str]| {
        let mut args = vec!["store"];
        args.extend(what);
        args.extend(["--store", store.to_str().unwrap()]);
        run_with(&args, "", &[])
    };
    let listed = store(&["list"]).stdout;
    assert!(
        listed.starts_with("0 entries, 0 B\n2 results of rendering, "),
        "{listed}"
    );
    let results = fixture.results();
    fs::write(&results[0], "spoilt").unwrap();
    let damaged = store(&["verify"]);
    assert_eq!(damaged.code, Some(1));
    assert!(
        damaged.stderr.contains("store/damaged"),
        "{}",
        damaged.stderr
    );
    assert!(damaged.stderr.contains("made again"));
    let pruned = store(&["prune", "--max-size", "0"]);
    assert!(
        pruned.stdout.starts_with("removed 2 files"),
        "{}",
        pruned.stdout
    );
    assert_eq!(fixture.results(), Vec::<PathBuf>::new());
}
