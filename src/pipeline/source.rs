//! Sources: which tree stands behind a `sourceRef`.
//!
//! The repository's own source is its working tree; `--local-sources` gives
//! others; what is neither is not at hand, and stops only what needs it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diag::{Error, Result, Span};
use crate::flux::api::SourceRef;
use crate::resource::Files;

/// A source that the user gives: the user's own word, not verified.
#[derive(Clone, Debug)]
pub struct LocalSource {
    /// The path as the user wrote it.
    pub path: String,
    /// The files in it; none for what is no tree (a folder of charts, say, is
    /// read by who needs charts).
    pub files: Arc<Files>,
}

/// All sources that are at hand.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The repository's working tree.
    pub repository: Arc<Files>,
    /// What the repository itself is called in the cluster.
    pub own: Option<SourceRef>,
    /// What `--local-sources` gives.
    pub local: BTreeMap<SourceRef, LocalSource>,
}

impl Sources {
    /// The tree behind a reference that stands at `span`.
    ///
    /// # Errors
    ///
    /// `source/unavailable` for what is not at hand.
    pub fn resolve(&self, source: &SourceRef, span: Span) -> Result<&Arc<Files>> {
        if let Some(local) = self.local.get(source) {
            return Ok(&local.files);
        }
        if self.own.as_ref() == Some(source) {
            return Ok(&self.repository);
        }
        Err(Error::new(
            "source/unavailable",
            format!("the source `{source}` is not at hand"),
        )
        .at(span)
        .help(format!(
            "give a folder or an archive that stands in: `--local-sources {source}=PATH`"
        )))
    }

    /// Whether a reference is the repository itself.
    pub fn is_own(&self, source: &SourceRef) -> bool {
        self.own.as_ref() == Some(source)
    }
}
