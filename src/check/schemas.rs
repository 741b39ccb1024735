//! Objects against the schemas of their kinds: the families `schema/` and, as
//! far as API versions are served or not, `api/`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diag::{Finding, Findings, Location, ObjectRef, Severity, SourceMap};
use crate::schema::{Missing, Schemas, Verdict, Violation};
use crate::yaml::Document;

/// Kinds without a schema, each with how many objects it has and where the
/// first of them is.
pub type Unknown = BTreeMap<(String, String), (usize, Option<Location>)>;

/// What came of some documents.
#[derive(Debug, Default)]
pub struct Checked {
    /// What is wrong.
    pub findings: Findings,
    /// Objects that were looked at.
    pub objects: usize,
    /// Kinds that nothing is known of.
    pub unknown: Unknown,
}

impl Checked {
    /// Adds what came of other documents.
    pub fn extend(&mut self, other: Checked) {
        self.findings.extend(other.findings);
        self.objects += other.objects;
        for (kind, (count, place)) in other.unknown {
            let known = self.unknown.entry(kind).or_insert((0, place));
            known.0 += count;
        }
    }

    /// The findings, kinds without a schema among them: with `require`, these
    /// are errors.
    pub fn into_findings(mut self, require: bool) -> Findings {
        for ((api_version, kind), (count, place)) in self.unknown {
            let severity = if require {
                Severity::Error
            } else {
                Severity::Info
            };
            let objects = if count == 1 { "object" } else { "objects" };
            let message = format!(
                "no schema for `{kind}` in `{api_version}`: {count} {objects} not validated"
            );
            let mut finding = Finding::new("schema/unknown", severity, message)
                .help("give its CustomResourceDefinition with `--crds`");
            finding.location = place;
            self.findings.push(finding);
        }
        self.findings
    }
}

/// Judges the documents of a file.
pub fn check(schemas: &Schemas, documents: &[Document], sources: &SourceMap) -> Checked {
    let mut checked = Checked::default();
    for document in documents {
        match schemas.check(&document.root) {
            Ok(verdicts) => {
                for verdict in verdicts {
                    checked.objects += 1;
                    add(&mut checked, verdict, sources);
                }
            }
            Err(e) => checked.findings.push(e.to_finding(sources)),
        }
    }
    checked
}

fn add(checked: &mut Checked, verdict: Verdict, sources: &SourceMap) {
    let object = reference(&verdict);
    for violation in verdict.violations {
        checked
            .findings
            .push(finding(violation, object.as_ref(), sources));
    }
    let Some(missing) = verdict.missing else {
        return;
    };
    let (api_version, kind) = (verdict.api_version, verdict.kind);
    let (rule, message, help) = match missing {
        Missing::Unknown => {
            let place = Location::of(verdict.span, sources);
            let known = checked
                .unknown
                .entry((api_version, kind))
                .or_insert((0, place));
            known.0 += 1;
            return;
        }
        Missing::NotServed(help) => (
            "api/deprecated",
            format!("`{kind}` is not served as `{api_version}`"),
            help,
        ),
        Missing::NotYet(help) => (
            "api/unavailable",
            format!("`{kind}` is not served as `{api_version}` yet"),
            help,
        ),
        Missing::NoSuchKind(near) => (
            "schema/missing-kind",
            format!("`{api_version}` has no kind `{kind}`"),
            near.map_or(
                "look for the kind in the API reference".to_owned(),
                |near| format!("did you mean `{near}`?"),
            ),
        ),
    };
    let mut finding = Finding::new(rule, Severity::Error, message)
        .at(verdict.span, sources)
        .help(help)
        .path(format!("{}/apiVersion", verdict.pointer));
    finding.object = object;
    checked.findings.push(finding);
}

fn finding(violation: Violation, object: Option<&ObjectRef>, sources: &SourceMap) -> Finding {
    let mut finding = Finding::new(violation.rule, violation.severity, violation.message)
        .at(violation.span, sources)
        .path(violation.path);
    finding.help = violation.help;
    finding.object = object.cloned();
    finding
}

/// The object, if there is enough of it to be one.
fn reference(verdict: &Verdict) -> Option<ObjectRef> {
    if verdict.kind.is_empty() && verdict.name.is_empty() {
        return None;
    }
    let text = |text: &str| Arc::from(text);
    Some(ObjectRef {
        api_version: text(&verdict.api_version),
        kind: text(&verdict.kind),
        namespace: text(&verdict.namespace),
        name: text(&verdict.name),
    })
}
