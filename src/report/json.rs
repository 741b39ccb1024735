//! JSON: a list of findings, see `schemas/fluxwright/finding.json`.

use crate::diag::Finding;

/// The findings as a JSON list, with a final line break.
pub fn json(findings: &[Finding]) -> String {
    let mut out = serde_json::to_string_pretty(findings).unwrap_or_else(|_| "[]".to_owned());
    out.push('\n');
    out
}
