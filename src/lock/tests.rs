//! Lockfiles as text, and what is told of changes.

use proptest::prelude::*;

use super::*;
use crate::diag::{FileId, Result};

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn request(kind: &str, name: &str, reference: &[(&str, &str)]) -> Request {
    Request {
        source: SourceRef {
            kind: kind.into(),
            namespace: "flux-system".into(),
            name: name.into(),
        },
        url: format!("https://git.example/{name}"),
        reference: reference
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
    }
}

fn pinned(revision: &str) -> Locked {
    Locked {
        pin: Some(Pin {
            revision: revision.to_owned(),
            digest: digest(revision),
        }),
        ..Locked::default()
    }
}

fn sample() -> Lockfile {
    let mut lockfile = Lockfile::default();
    let mut app = pinned("main@sha1:6e8a");
    let signed = Signed {
        signatures: Vec::new(),
        verified: vec!["OpenPGP key 0A (Alice <alice@example.org>)".into()],
    };
    app.signed.insert(digest("main@sha1:6e8a"), signed);
    lockfile
        .sources
        .insert(request("GitRepository", "app", &[("branch", "main")]), app);
    let mut charts = Locked::default();
    charts.charts.insert(
        ChartRequest {
            name: "web".into(),
            range: ">=1.0 <2".into(),
        },
        ChartPin {
            version: "1.4".into(),
            digest: digest("web"),
        },
    );
    let signed = Signed {
        signatures: vec![digest("signature")],
        verified: vec!["key SHA256:0b".into()],
    };
    charts.signed.insert(digest("web"), signed);
    lockfile
        .sources
        .insert(request("HelmRepository", "charts", &[]), charts);
    lockfile.remotes.insert(
        "https://example.org/a.yaml".into(),
        Pin {
            revision: String::new(),
            digest: digest("a"),
        },
    );
    lockfile
}

fn parse(text: &str) -> Result<Lockfile> {
    Lockfile::parse(text, FileId::default())
}

#[test]
fn the_text_is_this() {
    insta::assert_snapshot!(sample().to_text(), @"
    # Every input of this repository, by digest. Written by `fluxwright lock`: commit it,
    # and leave the editing to that command.
    version: 1
    sources:

    - name: GitRepository/flux-system/app
      url: https://git.example/app
      ref:
        branch: main
      revision: main@sha1:6e8a
      digest: sha256:209a05f42dc1538c8cff1e0b1e3b708c1e76852731f48a75e1d1c921006bbd58
      verified:
      - 'OpenPGP key 0A (Alice <alice@example.org>)'

    - name: HelmRepository/flux-system/charts
      url: https://git.example/charts
      charts:
      - chart: web
        range: '>=1.0 <2'
        version: '1.4'
        digest: sha256:4b5e57f6eb2f42b9039b3d1e13929295f231749c510cbe341cd68036d9af97e2
        signatures:
        - sha256:1a2fc26dc7ea5a2a4748b7cb2b1ef193d96ab2c99f93092f69e63075b28d1278
        verified:
        - 'key SHA256:0b'

    remotes:

    - url: https://example.org/a.yaml
      digest: sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb
    ");
}

#[test]
fn what_was_written_is_read() {
    let lockfile = sample();
    assert_eq!(parse(&lockfile.to_text()).unwrap(), lockfile);
    assert_eq!(parse("").unwrap(), Lockfile::default());
    assert_eq!(lockfile.digests().count(), 4);
}

#[track_caller]
fn refused(text: &str, rule: &str, message: &str, line: u32, help: Option<&str>) {
    let error = parse(text).unwrap_err();
    assert_eq!(error.rule(), rule);
    assert_eq!(error.message(), message);
    assert_eq!(error.span().line, line);
    if let Some(help) = help {
        assert!(
            error.help_text().unwrap_or_default().contains(help),
            "{error:?}"
        );
    }
}

#[test]
fn what_is_wrong_has_a_place() {
    refused(
        "version: 1\nsources:\n<<<<<<< HEAD\n",
        "lock/conflict",
        "fluxwright.lock holds the marks of a merge that is not finished",
        3,
        Some("fluxwright lock"),
    );
    refused(
        "version: 2\n",
        "lock/version",
        "the lockfile has version 2, and this program knows 1",
        1,
        Some("newer"),
    );
    refused(
        "sources: []\n",
        "lock/invalid",
        "`version` is missing",
        1,
        Some("lock"),
    );
    refused("- a\n", "lock/invalid", "this is no lockfile", 1, None);
    refused(
        "version: 1\nsuorces: []\n",
        "lock/invalid",
        "unknown key `suorces`",
        2,
        Some("did you mean `sources`?"),
    );
    refused(
        "version: 1\nsources:\n- name: a/b\n  url: x\n",
        "lock/invalid",
        "`a/b` is not KIND/NAMESPACE/NAME",
        3,
        None,
    );
    refused(
        "version: 1\nremotes:\n- url: x\n  digest: sha256:00\n",
        "lock/invalid",
        "`sha256:00` is no digest",
        4,
        None,
    );
    refused(
        "version: 1\nremotes:\n- url: 5\n",
        "lock/invalid",
        "`url` must be a string, not a number",
        3,
        None,
    );
    let block = format!("- url: x\n  digest: {}\n", digest("x"));
    refused(
        &format!("version: 1\nremotes:\n{block}{block}"),
        "lock/invalid",
        "`x` is locked twice",
        5,
        Some("delete one"),
    );
}

#[test]
fn changes_are_told() {
    let old = sample();
    let mut new = sample();
    new.sources.insert(
        request("GitRepository", "app", &[("branch", "main")]),
        pinned("main@sha1:77"),
    );
    new.sources
        .insert(request("Bucket", "new", &[]), pinned("sha256:5"));
    new.remotes.clear();
    let changes = compare(&old, &new);
    insta::assert_snapshot!(markdown(&changes), @"
    | input | change |
    | --- | --- |
    | `Bucket/flux-system/new` | new: `sha256:5` |
    | `GitRepository/flux-system/app` | `main@sha1:6e8a` → `main@sha1:77` |
    | `GitRepository/flux-system/app, signed by` | gone: `OpenPGP key 0A (Alice <alice@example.org>)` |
    | `https://example.org/a.yaml` | gone: `sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb` |
    ");
    insta::assert_snapshot!(table(&changes), @"
    Bucket/flux-system/new                    new: sha256:5
    GitRepository/flux-system/app             main@sha1:6e8a → main@sha1:77
    GitRepository/flux-system/app, signed by  gone: OpenPGP key 0A (Alice <alice@example.org>)
    https://example.org/a.yaml                gone: sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb
    ");
    assert_eq!(compare(&old, &old), []);
}

/// Lockfiles with texts of all kinds.
fn lockfiles() -> impl Strategy<Value = Lockfile> {
    let text = "[ -~]{0,12}|true|null|~|1.5|0x1F|\\PC{0,4}";
    let name = "[a-z][a-z0-9-]{0,6}";
    let block = (name, text, text, any::<[u8; 4]>(), text);
    proptest::collection::vec(block, 0..6).prop_map(|blocks| {
        let mut lockfile = Lockfile::default();
        for (name, url, value, seed, revision) in blocks {
            let mut asked = request("GitRepository", &name, &[("branch", &value)]);
            asked.url = url.clone();
            let mut locked = pinned(&revision);
            let locked_revision = revision.clone();
            locked.charts.insert(
                ChartRequest {
                    name: value.clone(),
                    range: revision.clone(),
                },
                ChartPin {
                    version: revision.clone(),
                    digest: Digest::of(&seed),
                },
            );
            let signed = Signed {
                signatures: vec![Digest::of(&seed)],
                verified: vec![value],
            };
            locked.signed.insert(digest(&locked_revision), signed);
            lockfile
                .dependencies
                .insert(url.clone(), locked.charts.clone());
            lockfile.sources.insert(asked, locked);
            lockfile.remotes.insert(
                url,
                Pin {
                    revision,
                    digest: Digest::of(&seed),
                },
            );
        }
        lockfile
    })
}

proptest! {
    #[test]
    fn reading_gives_back_what_was_written(lockfile in lockfiles()) {
        let text = lockfile.to_text();
        prop_assert_eq!(parse(&text).unwrap(), lockfile);
    }

    /// As git merges: a side's change to a line stands as long as the other
    /// side leaves it and its neighbours.
    #[test]
    fn changes_of_two_people_never_touch(count in 2usize..6, a in 0usize..6, b in 0usize..6) {
        let (a, b) = (a % count, b % count);
        prop_assume!(a != b);
        let base: Vec<String> = (0..count).map(|i| format!("app{i}")).collect();
        let with = |moved: Option<usize>| {
            let mut lockfile = Lockfile::default();
            for (i, name) in base.iter().enumerate() {
                let revision = if moved == Some(i) { "v2" } else { "v1" };
                lockfile.sources.insert(request("GitRepository", name, &[]), pinned(revision));
            }
            lockfile.to_text()
        };
        let common = with(None);
        let changed = |text: &str| -> Vec<usize> {
            let lines = common.lines().zip(text.lines()).enumerate();
            lines.filter(|(_, (x, y))| x != y).map(|(i, _)| i).collect()
        };
        for x in changed(&with(Some(a))) {
            for y in changed(&with(Some(b))) {
                prop_assert!(x.abs_diff(y) > 2, "lines {x} and {y} of\n{common}");
            }
        }
    }
}
