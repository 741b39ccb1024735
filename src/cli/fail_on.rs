//! `--fail-on`: which findings make the answer no.

use clap::ValueEnum;

use super::output::Exit;
use crate::diag::{Finding, Severity};

/// The least severity that makes the answer no.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum FailOn {
    /// Errors alone
    Error,
    /// Errors and warnings
    Warning,
    /// Every finding
    Info,
    /// None
    Never,
}

impl FailOn {
    /// How a run ends with these findings.
    pub(super) fn exit<'a>(self, findings: impl IntoIterator<Item = &'a Finding>) -> Exit {
        let limit = match self {
            FailOn::Error => Severity::Error,
            FailOn::Warning => Severity::Warning,
            FailOn::Info => Severity::Info,
            FailOn::Never => return Exit::Done,
        };
        if findings.into_iter().any(|f| f.severity >= limit) {
            Exit::No
        } else {
            Exit::Done
        }
    }
}
