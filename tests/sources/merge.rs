//! Lockfiles that two people changed, merged as git merges them.

use std::collections::BTreeMap;
use std::process::Command;

use fluxwright::artifact::Digest;
use fluxwright::diag::FileId;
use fluxwright::flux::api::SourceRef;
use fluxwright::lock::{ChartPin, ChartRequest, Locked, Lockfile, Pin, Request, Signed};

/// What can be updated in the lockfile below, one thing at a time.
const INPUTS: usize = 8;

/// A lockfile whose inputs are at these versions.
fn lockfile(versions: [u32; INPUTS]) -> Lockfile {
    let mut lockfile = Lockfile::default();
    let pin = |i: usize| Pin {
        revision: format!("v{}@sha1:{i}", versions[i]),
        digest: Digest::of(format!("{i} {}", versions[i]).as_bytes()),
    };
    let request = |kind: &str, name: String| Request {
        url: format!("https://example.org/{name}"),
        source: SourceRef {
            kind: kind.into(),
            namespace: "flux-system".into(),
            name: name.into(),
        },
        reference: BTreeMap::new(),
    };
    let chart = |i: usize| {
        let request = ChartRequest {
            name: format!("chart{i}"),
            range: "*".into(),
        };
        let pin = ChartPin {
            version: format!("1.0.{}", versions[i]),
            digest: pin(i).digest,
        };
        (request, pin)
    };
    for (i, version) in versions.iter().enumerate().take(3) {
        let signed = Signed {
            verified: vec![format!("somebody {version}")],
            ..Signed::default()
        };
        let locked = Locked {
            pin: Some(pin(i)),
            signed: [(pin(i).digest, signed)].into(),
            ..Locked::default()
        };
        let name = format!("app{i}");
        lockfile
            .sources
            .insert(request("GitRepository", name), locked);
    }
    for i in 3..5 {
        let locked = Locked {
            charts: [chart(i)].into(),
            ..Locked::default()
        };
        let name = format!("charts{i}");
        lockfile
            .sources
            .insert(request("HelmRepository", name), locked);
    }
    for i in 5..7 {
        let url = format!("https://example.org/dependencies{i}");
        lockfile.dependencies.insert(url, [chart(i)].into());
    }
    lockfile
        .remotes
        .insert("https://example.org/x.yaml".into(), pin(7));
    lockfile
}

/// The merge of two texts with a common ancestor, as `git merge-file` makes it.
fn merged(base: &str, ours: &str, theirs: &str) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("base", base), ("ours", ours), ("theirs", theirs)] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let output = Command::new("git")
        .args(["merge-file", "-p", "ours", "base", "theirs"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    output.status.success().then_some(text)
}

#[test]
fn independent_updates_merge() {
    let base = lockfile([1; INPUTS]).to_text();
    for ours in 0..INPUTS {
        for theirs in (0..INPUTS).filter(|theirs| *theirs != ours) {
            let with = |changed: &[usize]| {
                let versions = std::array::from_fn(|i| if changed.contains(&i) { 2 } else { 1 });
                lockfile(versions)
            };
            let text = merged(&base, &with(&[ours]).to_text(), &with(&[theirs]).to_text());
            let text = text.unwrap_or_else(|| panic!("{ours} and {theirs} conflict"));
            assert_eq!(text, with(&[ours, theirs]).to_text());
            let read = Lockfile::parse(&text, FileId::default()).unwrap();
            assert_eq!(read, with(&[ours, theirs]));
        }
    }
    // Two updates of one input do conflict, and that is told.
    let both = merged(
        &base,
        &lockfile([2; INPUTS]).to_text(),
        &lockfile([3; INPUTS]).to_text(),
    );
    assert_eq!(both, None);
}
