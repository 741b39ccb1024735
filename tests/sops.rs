//! Files that sops encrypted: see testdata/sops/SOURCE.

use std::path::{Path, PathBuf};

use fluxwright::diag::Error;
use fluxwright::sops::{Format, Keys, decrypt};
use serde::Deserialize;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/sops")
}

#[derive(Deserialize)]
struct Case {
    file: String,
    keys: Vec<String>,
    output: Option<String>,
    /// What is printed; else the rule and some words of the refusal.
    expected: Option<String>,
    rule: Option<String>,
    says: Option<String>,
}

impl Case {
    fn keys(&self) -> Result<Keys, Error> {
        let mut keys = Keys::default();
        for name in &self.keys {
            let content = std::fs::read(folder().join("keys").join(name)).unwrap();
            let is_openpgp = Path::new(name)
                .extension()
                .is_some_and(|ending| ending == "asc" || ending == "gpg");
            if is_openpgp {
                keys.add_openpgp(name, &content)?;
            } else {
                keys.add_age(name, &content)?;
            }
        }
        Ok(keys)
    }

    fn run(&self) -> Result<Vec<u8>, Error> {
        let content = std::fs::read(folder().join("files").join(&self.file)).unwrap();
        let input = Format::of_path(&self.file);
        let output = match self.output.as_deref() {
            None => input,
            Some("json") => Format::Json,
            Some("yaml") => Format::Yaml,
            Some(other) => panic!("{other}"),
        };
        let plain = decrypt(&content, input, output, &self.keys()?)?;
        Ok(plain.to_vec())
    }

    fn judge(&self) -> Result<(), String> {
        match (self.run(), &self.expected) {
            (Ok(plain), Some(name)) => {
                let expected = std::fs::read(folder().join("expected").join(name)).unwrap();
                if plain != expected {
                    return Err(format!(
                        "printed otherwise:\n{}",
                        String::from_utf8_lossy(&plain)
                    ));
                }
                Ok(())
            }
            (Ok(_), None) => Err("decrypted".to_owned()),
            (Err(error), Some(_)) => Err(format!("refused: {error}")),
            (Err(error), None) => {
                let says = self.says.as_deref().unwrap();
                if Some(error.rule()) != self.rule.as_deref() || !error.to_string().contains(says) {
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
fn files_that_sops_encrypted() {
    let text = std::fs::read_to_string(folder().join("cases.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_str(&text).unwrap();
    assert!(cases.len() > 60);
    let mut wrong = Vec::new();
    for case in &cases {
        if let Err(fault) = case.judge() {
            wrong.push(format!("{} with {:?}: {fault}", case.file, case.keys));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
