//! Findings that a repository had before it was checked: only new ones count.
//!
//! In: findings, and the text of a baseline file. Out: the text of a new one,
//! or the findings that it does not know. A finding is known by its
//! [`fingerprint`](super::fingerprints), which stays when lines move.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::fingerprints;
use crate::diag::{Error, Finding, Result};

/// The only version so far.
const VERSION: u32 = 1;

/// The findings that were there when the file was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    version: u32,
    findings: Vec<Known>,
}

/// A finding as the file has it: the fingerprint counts, the rest is for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    fingerprint: String,
    rule: String,
    file: String,
    object: String,
    message: String,
}

/// What a baseline makes of findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Those that it does not know.
    pub new: Vec<Finding>,
    /// How many it knows.
    pub known: usize,
    /// How many it names that are no longer found.
    pub mended: usize,
}

impl Baseline {
    /// All of these findings.
    pub fn of(findings: &[Finding]) -> Baseline {
        let known = findings.iter().zip(fingerprints(findings));
        let mut known: Vec<Known> = known
            .map(|(finding, fingerprint)| {
                let file = finding.location.as_ref().map(|l| l.file.to_string());
                let object = finding.object.as_ref().map(ToString::to_string);
                Known {
                    fingerprint,
                    rule: finding.rule.to_string(),
                    file: file.unwrap_or_default(),
                    object: object.unwrap_or_default(),
                    message: finding.message.clone(),
                }
            })
            .collect();
        // One order whatever moved, so that two versions compare line by line.
        known.sort_by(|a, b| {
            let key = |k: &Known| (k.file.clone(), k.rule.clone(), k.object.clone());
            (key(a), &a.fingerprint).cmp(&(key(b), &b.fingerprint))
        });
        Baseline {
            version: VERSION,
            findings: known,
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// `config/invalid` for text that is none.
    pub fn parse(text: &str) -> Result<Baseline> {
        let wrong = |message: String| {
            Error::new("config/invalid", format!("this is no baseline: {message}"))
                .help("`fluxwright check --baseline FILE --write-baseline` makes one")
        };
        let read: Baseline = serde_json::from_str(text).map_err(|e| wrong(e.to_string()))?;
        if read.version != VERSION {
            return Err(wrong(format!("its version is {}", read.version)));
        }
        Ok(read)
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// How many findings it names.
    pub fn len(&self) -> usize {
        self.findings.len()
    }

    /// Whether it names none.
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// Sorts findings into known and new ones.
    pub fn compare(&self, findings: Vec<Finding>) -> Compared {
        let mut open: BTreeSet<&str> = self.findings.iter().map(|k| &*k.fingerprint).collect();
        let total = open.len();
        let names = fingerprints(&findings);
        let new: Vec<Finding> = findings
            .into_iter()
            .zip(names)
            .filter(|(_, name)| !open.remove(&**name))
            .map(|(finding, _)| finding)
            .collect();
        Compared {
            new,
            known: total - open.len(),
            mended: open.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Location, Severity};

    fn finding(file: &str, line: u32, message: &str) -> Finding {
        let mut finding = Finding::new("image/mutable", Severity::Warning, message);
        finding.location = Some(Location {
            file: file.into(),
            line,
            column: 1,
        });
        finding
    }

    #[test]
    fn what_moved_is_known_and_what_is_new_is_not() {
        let before = [finding("a.yaml", 3, "no tag"), finding("b.yaml", 1, "old")];
        let baseline = Baseline::parse(&Baseline::of(&before).to_text()).unwrap();
        assert_eq!(baseline.len(), 2);
        let now = vec![
            finding("a.yaml", 30, "no tag"),
            finding("a.yaml", 40, "no tag"),
        ];
        let compared = baseline.compare(now);
        assert_eq!(compared.new, [finding("a.yaml", 40, "no tag")]);
        assert_eq!((compared.known, compared.mended), (1, 1));
    }

    #[test]
    fn what_is_no_baseline_is_refused() {
        for (text, says) in [
            ("", "EOF"),
            ("{\"version\": 2, \"findings\": []}", "its version is 2"),
            (
                "{\"version\": 1, \"findings\": [], \"x\": 1}",
                "unknown field",
            ),
        ] {
            let error = Baseline::parse(text).unwrap_err();
            assert_eq!(error.rule(), "config/invalid");
            assert!(error.message().contains(says), "{}", error.message());
        }
    }
}
