//! What must hold for every definition, object and expression: used by the
//! fuzz targets and by the tests that replay their inputs.

use fluxwright::cel::{Meter, Program, Value};
use fluxwright::diag::FileId;
use fluxwright::gostd::regexp::Cache;
use fluxwright::schema::kustomize::OpenApi;
use fluxwright::schema::{Schemas, crd};
use fluxwright::yaml::{self, Node};

/// Reads an expression and evaluates it. It ends, within its steps, and gives
/// the same again.
pub(crate) fn cel(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let program = match Program::compile(text, &["self"]) {
        Ok(program) => program,
        Err(error) => {
            assert!(error.at <= text.len() && !error.message.is_empty());
            return;
        }
    };
    let item = |text: &str| Value::from(text);
    let variable: Value = vec![item("a"), item("1.5Gi"), item("2026-01-31T12:00:00Z")].into();
    let run = || {
        let cache = Cache::default();
        let mut meter = Meter::new(20_000, &cache);
        let result = program.evaluate(&[("self", variable.clone())], &mut meter);
        format!("{result:?}")
    };
    assert_eq!(run(), run());
}

/// Reads the first document as a definition, as a JSON schema and as an
/// OpenAPI document, and judges all documents by it. Findings lie in the text,
/// and are the same again.
pub(crate) fn schema(data: &[u8]) {
    let Ok(text) = yaml::text::decode(data) else {
        return;
    };
    let Ok(documents) = yaml::parse(&text, FileId::default()) else {
        return;
    };
    let Some(first) = documents.first().map(|document| &document.root) else {
        return;
    };
    let _ = OpenApi::new().add(first);
    // As YAML counts them.
    let breaks = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];
    let lines = text.matches(breaks).count();
    let judge = || {
        let mut schemas = Schemas::new(36, 9);
        if crd::is_definition(first) {
            schemas.add_definitions([first]);
        }
        schemas.add_schemas([("example.org/v1", "Thing", first)]);
        let mut out = String::new();
        for document in &documents {
            judge_one(&schemas, &document.root, lines, &mut out);
        }
        out
    };
    assert_eq!(judge(), judge());
}

fn judge_one(schemas: &Schemas, document: &Node, lines: usize, out: &mut String) {
    let verdicts = match schemas.check(document) {
        Ok(verdicts) => verdicts,
        Err(error) => {
            assert!(!error.message().is_empty());
            return;
        }
    };
    for verdict in verdicts {
        for violation in &verdict.violations {
            assert!(violation.path.is_empty() || violation.path.starts_with('/'));
            assert!(violation.span.line as usize <= lines + 1);
            assert!(!violation.message.is_empty());
        }
        out.push_str(&format!("{verdict:?}\n"));
    }
}
