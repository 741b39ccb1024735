//! Findings: what a user is told.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{SourceMap, Span, hidden};

/// How bad a finding is. Ordered: `Info < Warning < Error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Probably not what was meant.
    Warning,
    /// Wrong, or could not be done.
    Error,
}

impl Severity {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// A Kubernetes object by what identifies it, as it is applied.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// `group/version`, or `version` for the core group.
    pub api_version: Arc<str>,
    /// The kind.
    pub kind: Arc<str>,
    /// The namespace; empty for what has none.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl ObjectRef {
    /// Changes what names it: to take out what nobody may see.
    pub(super) fn map_text(&mut self, change: impl Fn(&str) -> String) {
        for text in [&mut self.namespace, &mut self.name] {
            *text = change(text).into();
        }
    }

    /// The same without what differs from another.
    pub(super) fn without_secrets(&self, other: &ObjectRef) -> ObjectRef {
        let common = |text: &str, other: &str| hidden::common(text, other).into();
        ObjectRef {
            api_version: common(&self.api_version, &other.api_version),
            kind: common(&self.kind, &other.kind),
            namespace: common(&self.namespace, &other.namespace),
            name: common(&self.name, &other.name),
        }
    }
}

impl std::fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/", self.kind)?;
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}

/// Where a finding is: a file relative to the root, and a place in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Location {
    /// The path relative to the repository root.
    pub file: Arc<str>,
    /// The line, from 1; 0 where only the file is known.
    pub line: u32,
    /// The column, from 1; 0 where only the file is known.
    pub column: u32,
}

impl Location {
    /// The location that a span stands for; none where the span is none.
    pub fn of(span: Span, sources: &SourceMap) -> Option<Location> {
        Some(Location {
            file: sources.get(span.file)?.path.clone(),
            line: span.line,
            column: span.column,
        })
    }
}

/// One finding: of a rule, about an object, at a place.
///
/// Serialised as the JSON that `--output json` prints; its schema is
/// `schemas/fluxwright/finding.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule id, `family/name`; stable between versions.
    pub rule: Arc<str>,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The object concerned.
    pub object: Option<ObjectRef>,
    /// The place in the input.
    pub location: Option<Location>,
    /// A JSON pointer into the object.
    pub path: Option<String>,
    /// The cluster (entry point) concerned, where there is more than one.
    pub cluster: Option<Arc<str>>,
    /// What it comes from, for who takes it further; no part of reports.
    #[serde(skip)]
    pub cause: Option<Cause>,
}

/// What a finding comes from, where another part goes on from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A release is rendered without values that it names.
    NoValues,
    /// A variable has its value from something that only the cluster has.
    ValueElsewhere,
    /// The target of a patch or a replacement matches nothing.
    NothingMatched,
    /// This address, as it is written, is remote, and was not fetched.
    Remote(Arc<str>),
}

impl Finding {
    /// A finding of the rule `family/name`.
    pub fn new(
        rule: impl Into<Arc<str>>,
        severity: Severity,
        message: impl Into<String>,
    ) -> Finding {
        Finding {
            rule: rule.into(),
            severity,
            message: message.into(),
            help: None,
            object: None,
            location: None,
            path: None,
            cluster: None,
            cause: None,
        }
    }

    /// Sets the place that a span stands for.
    #[must_use]
    pub fn at(mut self, span: Span, sources: &SourceMap) -> Finding {
        self.location = Location::of(span, sources).or(self.location);
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Finding {
        self.help = Some(help.into());
        self
    }

    /// Names the object concerned.
    #[must_use]
    pub fn object(mut self, object: ObjectRef) -> Finding {
        self.object = Some(object);
        self
    }

    /// Gives it another severity than its rule's.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Finding {
        self.severity = severity;
        self
    }

    /// Says what it comes from.
    #[must_use]
    pub fn cause(mut self, cause: Cause) -> Finding {
        self.cause = Some(cause);
        self
    }

    /// Sets the JSON pointer into the object.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Finding {
        self.path = Some(path.into());
        self
    }

    /// The total order of reports: by place, then rule, object and message,
    /// so that the order of threads never shows.
    fn order(&self, other: &Finding) -> std::cmp::Ordering {
        (&self.cluster, &self.location, &self.rule, &self.object)
            .cmp(&(&other.cluster, &other.location, &other.rule, &other.object))
            .then_with(|| self.path.cmp(&other.path))
            .then_with(|| self.message.cmp(&other.message))
    }
}

/// Findings as they are collected: by each task for itself, then joined.
#[derive(Clone, Debug, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// No findings.
    pub fn new() -> Findings {
        Findings::default()
    }

    /// Adds one.
    pub fn push(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    /// Adds all of these: another task's, or any others.
    pub fn extend(&mut self, others: impl IntoIterator<Item = Finding>) {
        self.0.extend(others);
    }

    /// Says of all of them which cluster they are about.
    pub fn set_cluster(&mut self, cluster: &Arc<str>) {
        for finding in &mut self.0 {
            finding.cluster = Some(cluster.clone());
        }
    }

    /// All of them, in no particular order.
    pub fn into_vec(self) -> Vec<Finding> {
        self.0
    }

    /// Changes the texts of all of them: to take out what nobody may see.
    pub fn map_text(&mut self, change: impl Fn(&str) -> String) {
        for finding in &mut self.0 {
            finding.message = change(&finding.message);
            finding.help = finding.help.as_deref().map(&change);
            finding.path = finding.path.as_deref().map(&change);
            if let Some(Cause::Remote(address)) = &mut finding.cause {
                *address = change(address).into();
            }
            if let Some(object) = &mut finding.object {
                object.map_text(&change);
            }
        }
    }

    /// Leaves out of the texts of all of them what comes of secret values:
    /// whatever differs from `shadows`, the findings where other values stood
    /// in their place. A finding that is not among those keeps no text.
    pub fn without_secrets(&mut self, shadows: Option<&Findings>) {
        let mut free: Vec<&Finding> = shadows.map_or_else(Vec::new, |s| s.0.iter().collect());
        for finding in &mut self.0 {
            let same = |other: &&Finding| {
                (&other.rule, &other.location) == (&finding.rule, &finding.location)
                    && other.help.is_some() == finding.help.is_some()
            };
            let equal = |other: &&Finding| same(other) && other.message == finding.message;
            let at = free.iter().position(equal);
            let Some(at) = at.or_else(|| free.iter().position(same)) else {
                hidden::LEFT_OUT.clone_into(&mut finding.message);
                finding.help = None;
                finding.object = None;
                finding.path = None;
                finding.cause = None;
                continue;
            };
            let shadow = free.remove(at);
            finding.message = hidden::common(&finding.message, &shadow.message);
            if let (Some(help), Some(other)) = (&mut finding.help, &shadow.help) {
                *help = hidden::common(help, other);
            }
            if finding.path != shadow.path {
                finding.path = None;
            }
            if finding.cause != shadow.cause {
                finding.cause = None;
            }
            let object = finding.object.take();
            finding.object = object
                .zip(shadow.object.as_ref())
                .map(|(object, other)| object.without_secrets(other));
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The findings so far, in no particular order.
    pub fn as_slice(&self) -> &[Finding] {
        &self.0
    }

    /// The worst severity among them.
    pub fn worst(&self) -> Option<Severity> {
        self.0.iter().map(|f| f.severity).max()
    }

    /// The findings in the order of reports, each once.
    pub fn into_sorted(mut self) -> Vec<Finding> {
        self.0.sort_by(Finding::order);
        self.0.dedup();
        self.0
    }
}

impl IntoIterator for Findings {
    type Item = Finding;
    type IntoIter = std::vec::IntoIter<Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromIterator<Finding> for Findings {
    fn from_iter<T: IntoIterator<Item = Finding>>(findings: T) -> Findings {
        Findings(findings.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_sort_by_place_and_lose_doubles() {
        let sources = SourceMap::new();
        let a = sources.add("b.yaml", "");
        let b = sources.add("a.yaml", "");
        let mut findings = Findings::new();
        for (file, line) in [(a, 1), (b, 7), (b, 2), (b, 7)] {
            findings.push(
                Finding::new("yaml/invalid", Severity::Error, "x")
                    .at(Span::new(file, line, 1), &sources),
            );
        }
        let order: Vec<_> = findings
            .into_sorted()
            .into_iter()
            .map(|f| {
                let l = f.location.unwrap();
                (l.file.to_string(), l.line)
            })
            .collect();
        assert_eq!(
            order,
            [
                ("a.yaml".into(), 2),
                ("a.yaml".into(), 7),
                ("b.yaml".into(), 1)
            ]
        );
    }

    #[test]
    fn json_has_the_documented_shape() {
        let finding = Finding::new("ref/missing", Severity::Warning, "no such file");
        insta::assert_json_snapshot!(finding, @r#"
        {
          "rule": "ref/missing",
          "severity": "warning",
          "message": "no such file",
          "help": null,
          "object": null,
          "location": null,
          "path": null,
          "cluster": null
        }
        "#);
    }
}
