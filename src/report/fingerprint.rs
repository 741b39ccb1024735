//! Names of findings that stay when lines move.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::diag::Finding;

/// A fingerprint for each finding: of its rule, file, object, path, cluster and
/// message, without line numbers. Of several that are alike the second has
/// another one than the first, so that a new one of them is new.
pub fn fingerprints(findings: &[Finding]) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    findings
        .iter()
        .map(|finding| {
            let text = text_of(finding);
            let count = seen.entry(text.clone()).or_default();
            *count += 1;
            let digest = Sha256::digest(format!("{text}\n{count}"));
            hex::encode(digest.get(..16).unwrap_or_default())
        })
        .collect()
}

fn text_of(finding: &Finding) -> String {
    let file = finding.location.as_ref().map_or("", |l| &*l.file);
    let object = finding.object.as_ref().map(ToString::to_string);
    [
        &*finding.rule,
        file,
        object.as_deref().unwrap_or_default(),
        finding.path.as_deref().unwrap_or_default(),
        finding.cluster.as_deref().unwrap_or_default(),
        &without_numbers(&finding.message),
    ]
    .join("\n")
}

/// The message with every number as `0`: lines and counts are among them.
fn without_numbers(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    for c in message.chars() {
        if !c.is_ascii_digit() {
            out.push(c);
        } else if !out.ends_with('0') {
            out.push('0');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Location, Severity};

    fn finding(line: u32, message: &str) -> Finding {
        let mut finding = Finding::new("own/duplicate", Severity::Error, message);
        finding.location = Some(Location {
            file: "a.yaml".into(),
            line,
            column: 1,
        });
        finding
    }

    #[test]
    fn they_survive_moved_lines_and_tell_equals_apart() {
        let before = fingerprints(&[finding(1, "so does b.yaml:7"), finding(9, "other")]);
        let after = fingerprints(&[finding(3, "so does b.yaml:12"), finding(8, "other")]);
        assert_eq!(before, after);
        let twice = fingerprints(&[finding(1, "x"), finding(2, "x")]);
        assert_ne!(twice[0], twice[1]);
        assert_eq!(twice[0].len(), 32);
    }
}
