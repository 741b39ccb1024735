//! What a rule is.

use super::{Out, Repository, View};
use crate::diag::Severity;

/// A rule: what it is called, what it looks for, why, and what to do about it.
#[derive(Debug)]
pub struct Rule {
    /// `family/name`; stable between versions.
    pub id: &'static str,
    /// How bad a finding is, unless the finding itself says otherwise.
    pub severity: Severity,
    /// What is wrong, in one line: a phrase in lower case.
    pub title: &'static str,
    /// Why it matters: sentences, Markdown.
    pub why: &'static str,
    /// What to do about it: sentences, Markdown.
    pub mend: &'static str,
    /// A repository that it finds something in, as [`example`](super::example)
    /// reads it. Empty for what takes more than text to show.
    pub bad: &'static str,
    /// The same, mended.
    pub good: &'static str,
    /// How it is found.
    pub check: Check,
}

/// How a rule comes to its findings.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// By looking at each cluster.
    Cluster(fn(&View<'_>, &mut Out<'_>)),
    /// By looking at all clusters together, or at files.
    Repository(fn(&Repository, &[View<'_>], &mut Out<'_>)),
    /// Reading and rendering tell it, whoever asks.
    Rendering,
}

impl Rule {
    /// The family: what stands before the slash.
    pub fn family(&self) -> &'static str {
        self.id
            .split_once('/')
            .map_or(self.id, |(family, _)| family)
    }
}
