//! Code quality reports of GitLab.

use serde_json::{Value, json};

use super::fingerprints;
use crate::diag::{Finding, Severity};

/// The findings as a code quality report. GitLab shows none without a file;
/// those stand at the root.
pub fn gitlab(findings: &[Finding]) -> String {
    let issues: Vec<Value> = findings
        .iter()
        .zip(fingerprints(findings))
        .map(|(finding, fingerprint)| {
            let place = finding.location.as_ref();
            let mut description = finding.message.clone();
            if let Some(object) = &finding.object {
                description = format!("{object}: {description}");
            }
            json!({
                "description": description,
                "check_name": finding.rule,
                "fingerprint": fingerprint,
                "severity": match finding.severity {
                    Severity::Error => "critical",
                    Severity::Warning => "minor",
                    Severity::Info => "info",
                },
                "location": {
                    "path": place.map_or(".", |l| &*l.file),
                    "lines": {"begin": place.map_or(1, |l| l.line.max(1))},
                },
            })
        })
        .collect();
    let mut out = serde_json::to_string_pretty(&issues).unwrap_or_else(|_| "[]".to_owned());
    out.push('\n');
    out
}
