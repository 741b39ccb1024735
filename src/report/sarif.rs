//! SARIF 2.1.0, for code scanning.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{RuleText, fingerprints};
use crate::diag::{Finding, Severity};

/// The findings as a SARIF log of one run, with the texts of the rules that
/// have findings. GitHub refuses a log with a finding that has no file; those
/// stand at the root.
pub fn sarif(findings: &[Finding], rules: &[RuleText]) -> String {
    let mut used: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in findings {
        used.entry(&finding.rule).or_default();
    }
    for (number, (_, index)) in used.iter_mut().enumerate() {
        *index = number;
    }
    let texts: Vec<Value> = used
        .keys()
        .map(|id| match rules.iter().find(|rule| rule.id == *id) {
            Some(rule) => json!({
                "id": id,
                "shortDescription": {"text": rule.title},
                "fullDescription": {"text": rule.why},
                "help": {"text": rule.mend, "markdown": rule.mend},
                "defaultConfiguration": {"level": level(rule.severity)},
            }),
            None => json!({"id": id}),
        })
        .collect();
    let results: Vec<Value> = findings
        .iter()
        .zip(fingerprints(findings))
        .map(|(finding, fingerprint)| {
            result(finding, used.get(&*finding.rule).copied(), &fingerprint)
        })
        .collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "fluxwright",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": texts,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    let mut out = serde_json::to_string_pretty(&log).unwrap_or_default();
    out.push('\n');
    out
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

fn result(finding: &Finding, rule: Option<usize>, fingerprint: &str) -> Value {
    let mut text = finding.message.clone();
    if let Some(help) = &finding.help {
        text.push_str("\nhelp: ");
        text.push_str(help);
    }
    let mut location = json!({"physicalLocation": {"artifactLocation": {"uri": "."}}});
    if let Some(place) = &finding.location {
        let mut physical = json!({"artifactLocation": {"uri": uri(&place.file)}});
        if place.line > 0 {
            physical["region"] = json!({
                "startLine": place.line,
                "startColumn": place.column.max(1),
            });
        }
        location["physicalLocation"] = physical;
    }
    if let Some(object) = &finding.object {
        location["logicalLocations"] = json!([{
            "fullyQualifiedName": object.to_string(),
            "kind": "object",
        }]);
    }
    let mut result = json!({
        "ruleId": finding.rule,
        "level": level(finding.severity),
        "message": {"text": text},
        "locations": [location],
        "partialFingerprints": {"fluxwright/v1": fingerprint},
    });
    if let Some(rule) = rule {
        result["ruleIndex"] = json!(rule);
    }
    result
}

/// A path as a relative address: what has a meaning there is escaped.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
