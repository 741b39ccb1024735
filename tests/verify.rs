//! Signatures that other programs made: see testdata/verify/SOURCE.

use std::path::{Path, PathBuf};

use fluxwright::artifact::git::{GitRepository, Reference};
use fluxwright::gostd::moment::Moment;
use fluxwright::verify::git::{Mode, verify};
use fluxwright::verify::{KeyFile, Keys};
use serde::Deserialize;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/verify")
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
    signer: Option<String>,
    rule: Option<String>,
    says: Option<String>,
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
        let result = repository
            .checkout(&self.reference())
            .and_then(|checkout| verify(&repository, &checkout, mode, &keys, now));
        match (result, &self.signer) {
            (Ok(proofs), Some(signer)) if proofs.iter().all(|p| p.signer.fingerprint == *signer) => {
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

#[test]
fn git_signatures() {
    let text = std::fs::read_to_string(folder().join("git/cases.json")).unwrap();
    let cases: GitCases = serde_json::from_str(&text).unwrap();
    assert!(cases.cases.len() > 80);
    let mut wrong = Vec::new();
    for case in &cases.cases {
        if let Err(fault) = case.run(&cases.now) {
            wrong.push(format!(
                "{} {} with {:?}: {fault}",
                case.mode, case.reference, case.keys
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
