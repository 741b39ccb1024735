//! Signatures that other programs made: see testdata/verify/SOURCE.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fluxwright::artifact::MemoryTree;
use fluxwright::artifact::git::{GitRepository, Reference};
use fluxwright::diag::Error;
use fluxwright::gostd::moment::Moment;
use fluxwright::verify::cosign::{self, Digest, Identity, Layout, Trust};
use fluxwright::verify::git::{Mode, verify};
use fluxwright::verify::{KeyFile, Keys, Proof, provenance};
use serde::Deserialize;

use crate::program::run;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/verify")
}

/// Who signed, or the rule and some words of the refusal.
#[derive(Deserialize)]
struct Wanted {
    signer: Option<String>,
    rule: Option<String>,
    says: Option<String>,
}

impl Wanted {
    fn judge(&self, result: Result<Vec<Proof>, Error>) -> Result<(), String> {
        match (result, &self.signer) {
            (Ok(proofs), Some(signer))
                if proofs.iter().all(|p| p.signer.fingerprint == *signer) =>
            {
                Ok(())
            }
            (Ok(proofs), _) => Err(format!("verified: {proofs:?}")),
            (Err(error), Some(_)) => Err(format!("refused: {} {error}", error.rule())),
            (Err(error), None) => {
                let rule = self.rule.as_deref().unwrap();
                let says = self.says.as_deref().unwrap();
                if error.rule() != rule || !error.to_string().contains(says) {
                    return Err(format!("refused otherwise: {} {error}", error.rule()));
                }
                if error.help_text().is_none() {
                    return Err("no help".to_owned());
                }
                Ok(())
            }
        }
    }
}

#[derive(Deserialize)]
struct GitCases {
    now: String,
    cases: Vec<GitCase>,
}

#[derive(Deserialize)]
struct GitCase {
    #[serde(default)]
    bundle: Option<String>,
    #[serde(rename = "ref")]
    reference: serde_json::Value,
    keys: Vec<String>,
    mode: String,
    now: Option<String>,
    #[serde(flatten)]
    wanted: Wanted,
}

impl GitCase {
    /// A branch by its name, or the parts of a reference.
    fn reference(&self) -> Reference {
        let part = |name: &str| self.reference[name].as_str().map(str::to_owned);
        Reference {
            branch: self
                .reference
                .as_str()
                .map_or_else(|| part("branch"), |b| Some(b.to_owned())),
            tag: part("tag"),
            semver: part("semver"),
            name: part("name"),
            commit: part("commit"),
        }
    }

    fn run(&self, now: &str) -> Result<(), String> {
        self.wanted.judge(self.verify(now))
    }

    fn verify(&self, now: &str) -> Result<Vec<Proof>, Error> {
        let folder = folder().join("git");
        let bundle = self.bundle.as_deref().unwrap_or("cases.bundle");
        let repository = GitRepository::open(&folder.join(bundle)).unwrap();
        let files: Vec<KeyFile> = self
            .keys
            .iter()
            .map(|name| KeyFile {
                name: name.clone(),
                content: std::fs::read(folder.join("keys").join(name)).unwrap(),
            })
            .collect();
        let keys = Keys::read(&files);
        let mode = Mode::parse(&self.mode).unwrap();
        let now = Moment::parse(self.now.as_deref().unwrap_or(now)).unwrap();
        repository
            .checkout(&self.reference())
            .and_then(|checkout| verify(&repository, &checkout, mode, &keys, now))
    }
}

#[test]
fn git_signatures() {
    let mut wrong = Vec::new();
    for (file, count) in [
        ("git/cases.json", 80),
        ("git/curves.json", 2),
        ("git/copies.json", 15),
    ] {
        let text = std::fs::read_to_string(folder().join(file)).unwrap();
        let cases: GitCases = serde_json::from_str(&text).unwrap();
        assert!(cases.cases.len() > count);
        for case in &cases.cases {
            if let Err(fault) = case.run(&cases.now) {
                wrong.push(format!(
                    "{} {} with {:?}: {fault}",
                    case.mode, case.reference, case.keys
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a refusal names the key of a signature: that there is one, and that it
/// can be read, is known.
/// Runs Git in a folder; gives what it prints.
fn git(folder: &Path, args: &[&str]) -> String {
    let output = std::process::Command::new("git")
        .args(["-c", "user.name=a", "-c", "user.email=a@example.org"])
        .args(args)
        .current_dir(folder)
        .env("HOME", folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn ranges_of_commits() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    let bundle = folder().join("git/cases.bundle").display().to_string();
    git(
        home.path(),
        &["clone", "-q", "-b", "pgp/ed25519", &bundle, "work"],
    );
    let (work, key) = (at("work"), folder().join("git/keys/ed25519.asc"));
    let key = key.display().to_string();
    let verify = |repository: &Path, range: &str| {
        let repository = repository.display().to_string();
        let now = ["--now", "2026-01-01T00:00:00Z"];
        let args = [
            "verify",
            "git",
            &repository,
            "--range",
            range,
            "--key",
            &key,
        ];
        run(&[&args[..], &now].concat(), "")
    };
    // A signed commit, and one that is not.
    let signed = git(&work, &["rev-parse", "HEAD"]);
    git(&work, &["commit", "-q", "--allow-empty", "-m", "two"]);
    let unsigned = git(&work, &["rev-parse", "HEAD"]);
    std::fs::create_dir(work.join("below")).unwrap();
    let refused = verify(&work.join("below"), &format!("{signed}..HEAD"));
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains(&unsigned) && refused.stderr.contains("not signed"));
    let good = verify(&work, &format!("origin/plain..{signed}"));
    assert_eq!(good.code, Some(0), "{}", good.stderr);
    assert!(good.stdout.contains(&signed) && good.stderr.is_empty());
    // Nothing is no mistake, and told.
    let none = verify(&work, "HEAD..HEAD");
    assert_eq!((none.code, none.stdout.as_str()), (Some(0), ""));
    assert!(none.stderr.contains("nothing to verify"), "{}", none.stderr);
    // What was not fetched is not passed over.
    for n in ["three", "four", "five"] {
        git(&work, &["commit", "-q", "--allow-empty", "-m", n]);
    }
    let url = format!("file://{}", work.display());
    let shallow = [
        "clone",
        "-q",
        "--depth=2",
        "--no-single-branch",
        &url,
        "shallow",
    ];
    git(home.path(), &shallow);
    let cut = verify(&at("shallow"), "HEAD~1..HEAD");
    assert_eq!(cut.code, Some(2), "{}", cut.stderr);
    assert!(cut.stderr.contains("history is cut off"), "{}", cut.stderr);
    assert!(cut.stderr.contains("--unshallow"), "{}", cut.stderr);
}

fn names_signer(error: &Error) -> bool {
    let about_a_key = [
        "trust/unknown-key",
        "trust/expired",
        "trust/revoked",
        "trust/weak",
        "trust/future",
        "trust/namespace",
    ];
    if !about_a_key.contains(&error.rule()) {
        return true;
    }
    let text = error.to_string();
    let is_openpgp = |word: &str| word.len() >= 16 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != ':');
    words.any(|word| is_openpgp(word) && word.len() != 64 || word.starts_with("SHA256:"))
}

#[test]
fn refusals_name_the_subject_and_the_signer() {
    let text = std::fs::read_to_string(folder().join("git/cases.json")).unwrap();
    let cases: GitCases = serde_json::from_str(&text).unwrap();
    let mut count = 0;
    for case in &cases.cases {
        let Err(error) = case.verify(&cases.now) else {
            continue;
        };
        if !error.rule().starts_with("trust/") || error.rule() == "trust/mode" {
            continue;
        }
        let text = error.to_string();
        assert!(
            ["commit ", "tag ", "reference "]
                .iter()
                .any(|word| text.starts_with(word)),
            "{text}"
        );
        assert!(names_signer(&error), "{text}");
        assert!(error.help_text().is_some(), "{text}");
        count += 1;
    }
    assert!(count > 30, "{count}");
}

#[derive(Deserialize)]
struct CosignCases {
    digest: String,
    files: BTreeMap<String, String>,
    root: serde_json::Value,
    cases: Vec<CosignCase>,
}

#[derive(Deserialize)]
struct CosignCase {
    name: String,
    tag: String,
    /// What differs from the common files; nothing for what is left out.
    files: BTreeMap<String, Option<String>>,
    keys: Option<Vec<String>>,
    root: Option<serde_json::Value>,
    identity: Option<String>,
    issuer: Option<String>,
    #[serde(flatten)]
    wanted: Wanted,
}

impl CosignCase {
    fn layout(&self, common: &BTreeMap<String, String>) -> MemoryTree {
        let mut tree = MemoryTree::new("layout");
        let own = self
            .files
            .iter()
            .map(|(path, content)| (path, content.as_ref()));
        let common = common.iter().map(|(path, content)| (path, Some(content)));
        let mut files: BTreeMap<_, _> = common.collect();
        files.extend(own);
        for (path, content) in files {
            if let Some(content) = content {
                tree.insert(path.clone(), content.as_bytes());
            }
        }
        tree
    }

    fn trust(&self, root: &serde_json::Value) -> Result<Trust, Error> {
        let file = |content: String| KeyFile {
            name: "key".to_owned(),
            content: content.into_bytes(),
        };
        if let Some(keys) = &self.keys {
            let files: Vec<KeyFile> = keys.iter().map(|key| file(key.clone())).collect();
            return Trust::keys(&files);
        }
        let identity = Identity::new(
            self.issuer.as_deref().unwrap(),
            self.identity.as_deref().unwrap(),
        )?;
        let root = self.root.as_ref().unwrap_or(root);
        Trust::identities(&file(root.to_string()), vec![identity])
    }

    fn run(&self, cases: &CosignCases) -> Result<(), String> {
        let result = self.trust(&cases.root).and_then(|trust| {
            let layout = Layout::open(Arc::new(self.layout(&cases.files)))?;
            let digest = layout.resolve(&self.tag)?;
            cosign::verify(&layout, &digest, &trust)
        });
        self.wanted.judge(result)
    }
}

#[test]
fn cosign_signatures() {
    let text = std::fs::read_to_string(folder().join("cosign/cases.json")).unwrap();
    let cases: CosignCases = serde_json::from_str(&text).unwrap();
    assert!(cases.cases.len() > 100);
    assert!(Digest::parse(&cases.digest).is_ok());
    let mut wrong = Vec::new();
    for case in &cases.cases {
        if let Err(fault) = case.run(&cases) {
            wrong.push(format!("{}: {fault}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[derive(Deserialize)]
struct ChartCases {
    now: String,
    cases: Vec<ChartCase>,
}

#[derive(Deserialize)]
struct ChartCase {
    name: String,
    provenance: String,
    keyring: String,
    file: String,
    archive: String,
    #[serde(flatten)]
    wanted: Wanted,
}

#[test]
fn chart_provenance() {
    use base64::Engine as _;
    let text = std::fs::read_to_string(folder().join("chart/cases.json")).unwrap();
    let cases: ChartCases = serde_json::from_str(&text).unwrap();
    assert!(cases.cases.len() > 20);
    let now = Moment::parse(&cases.now).unwrap();
    let mut wrong = Vec::new();
    for case in &cases.cases {
        let content = base64::engine::general_purpose::STANDARD.decode(&case.keyring);
        let keyring = KeyFile {
            name: "pubring.gpg".to_owned(),
            content: content.unwrap(),
        };
        let result = provenance::verify(
            case.archive.as_bytes(),
            &case.file,
            case.provenance.as_bytes(),
            &keyring,
            now,
        );
        if let Err(fault) = case.wanted.judge(result.map(|p| vec![p])) {
            wrong.push(format!("{}: {fault}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_largest_keyrings_are_refused_and_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.asc");
    // A hundred megabytes, of which none is on the disk.
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(100 << 20).unwrap();
    let ring = path.to_str().unwrap();
    let bundle = self::folder().join("git/cases.bundle");
    let archive = folder.path().join("web-1.0.0.tgz");
    std::fs::write(&archive, "archive").unwrap();
    std::fs::write(folder.path().join("web-1.0.0.tgz.prov"), "text").unwrap();
    let archive = archive.to_str().unwrap();
    for args in [
        &[
            "verify",
            "git",
            bundle.to_str().unwrap(),
            "--branch",
            "pgp/ed25519",
            "--key",
            ring,
        ][..],
        &["verify", "chart", archive, "--keyring", ring],
        &[
            "verify",
            "oci",
            folder.path().to_str().unwrap(),
            "--key",
            ring,
        ],
    ] {
        let run = crate::program::run(args, "");
        assert_eq!(run.code, Some(2), "{args:?}: {}", run.stderr);
        let said = "it is larger than 16 MiB";
        assert!(run.stderr.contains(said), "{args:?}: {}", run.stderr);
    }
    // As an entry of a Secret, it is one of several that could not be read.
    let big = KeyFile {
        name: "all.asc".to_owned(),
        content: vec![b'x'; 17 << 20],
    };
    let repository = GitRepository::open(&bundle).unwrap();
    let reference = Reference {
        branch: Some("pgp/ed25519".to_owned()),
        ..Reference::default()
    };
    let checkout = repository.checkout(&reference).unwrap();
    let now = Moment::parse("2026-01-01T00:00:00Z").unwrap();
    let keys = Keys::read([&big]);
    let refusal = verify(&repository, &checkout, Mode::Head, &keys, now).unwrap_err();
    assert_eq!(refusal.rule(), "trust/key-file");
    assert!(
        refusal.message().contains("key file `all.asc` has 17 MiB"),
        "{refusal}"
    );
}
