//! Findings as people and machines read them.
//!
//! In: findings in their order, and the sources that they point into. Out:
//! text; nothing is printed here. A format is one file and one line here.

mod baseline;
pub mod difference;
mod escape;
mod fingerprint;
mod github;
mod gitlab;
pub mod graph;
mod graph_svg;
mod human;
mod json;
mod junit;
mod markdown;
mod sarif;
#[cfg(test)]
mod tests;

use crate::diag::Severity;

pub use baseline::{Baseline, Compared};
pub use fingerprint::fingerprints;
pub use github::github;
pub use gitlab::gitlab;
pub use graph_svg::svg;
pub use human::human;
pub use json::json;
pub use junit::junit;
pub use markdown::markdown;
pub use sarif::sarif;

/// What a report says of a rule.
#[derive(Clone, Copy, Debug)]
pub struct RuleText {
    /// `family/name`
    pub id: &'static str,
    /// What is wrong, in one line.
    pub title: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// What to do about it.
    pub mend: &'static str,
    /// How bad it is by default.
    pub severity: Severity,
}
