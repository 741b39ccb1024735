//! Where a rule puts its findings.

use std::sync::Arc;

use super::{Applied, Rule};
use crate::diag::{Finding, ObjectRef, SourceMap, Span};

/// The findings of one rule, in one cluster or in the repository.
#[derive(Debug)]
pub struct Out<'a> {
    rule: &'static Rule,
    sources: &'a SourceMap,
    cluster: Option<Arc<str>>,
    findings: Vec<Finding>,
    /// Names that may still be looked at for help texts.
    looks_left: usize,
}

/// How many names a rule looks at, in one cluster, to say what was meant. Where
/// thousands are wrong among thousands, the first ones have the better help.
const MAX_LOOKS: usize = 200_000;

impl<'a> Out<'a> {
    pub(super) fn new(
        rule: &'static Rule,
        sources: &'a SourceMap,
        cluster: Option<Arc<str>>,
    ) -> Out<'a> {
        Out {
            rule,
            sources,
            cluster,
            findings: Vec::new(),
            looks_left: MAX_LOOKS,
        }
    }

    /// Whether so many names may be looked at for a help text.
    pub fn may_look(&mut self, names: usize) -> bool {
        let left = self.looks_left.checked_sub(names);
        self.looks_left = left.unwrap_or(0);
        left.is_some()
    }

    /// A finding about an object, at a place; of the rule's own severity.
    pub fn about(&self, applied: &Applied<'_>, span: Span, message: impl Into<String>) -> Finding {
        self.about_object(applied.reference(), span, message)
    }

    /// A finding about an object that is known by its identity alone.
    pub fn about_object(
        &self,
        object: ObjectRef,
        span: Span,
        message: impl Into<String>,
    ) -> Finding {
        self.at(span, message).object(object)
    }

    /// A finding about no object, at a place.
    pub fn at(&self, span: Span, message: impl Into<String>) -> Finding {
        Finding::new(self.rule.id, self.rule.severity, message).at(span, self.sources)
    }

    /// Adds a finding.
    pub fn push(&mut self, mut finding: Finding) {
        if finding.cluster.is_none() {
            finding.cluster.clone_from(&self.cluster);
        }
        self.findings.push(finding);
    }

    /// The files that places are in.
    pub fn sources(&self) -> &'a SourceMap {
        self.sources
    }

    pub(super) fn into_findings(self) -> Vec<Finding> {
        self.findings
    }
}
