//! What went wrong, or may: positions, errors and findings.
//!
//! Every stage of the pipeline reports through the types here. A [`Span`] is a
//! place in an input file (three small numbers, so that every YAML node can
//! carry one), an [`Error`] stops what it happened to, and a [`Finding`] is
//! either of them as a user sees it: in a terminal, in JSON, in a report.
//! Nothing here prints; `report` and `cli` do.

mod error;
mod finding;
mod hidden;
mod nearest;
pub mod pointer;
mod source;

pub use error::{Error, Result};
pub use finding::{Cause, Finding, Findings, Location, ObjectRef, Severity};
pub use hidden::differing;
pub use nearest::nearest;
pub use source::{FileId, SourceFile, SourceMap, Span};
