//! Sources: which tree stands behind a `sourceRef`.
//!
//! The repository's own source is its working tree; `--local-sources` gives
//! others; what is neither is not at hand, and stops only what needs it.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::release::Charts;
use crate::artifact::{MemoryTree, archive};
use crate::diag::{Error, Result, SourceMap, Span};
use crate::flux::api::SourceRef;
use crate::resource::Files;

/// A source that the user gives: the user's own word, not verified.
#[derive(Clone, Debug)]
pub struct LocalSource {
    /// The path as the user wrote it.
    pub path: String,
    content: Arc<Content>,
}

#[derive(Debug)]
enum Content {
    Folder(Arc<Files>),
    Archive {
        bytes: Arc<[u8]>,
        source_map: Arc<SourceMap>,
        /// Unpacked when a file of it is asked for: charts are read packed.
        files: OnceLock<Result<Arc<Files>>>,
    },
}

impl LocalSource {
    /// A folder.
    pub fn folder(path: impl Into<String>, files: Arc<Files>) -> LocalSource {
        LocalSource {
            path: path.into(),
            content: Arc::new(Content::Folder(files)),
        }
    }

    /// A tar archive, packed by gzip or not.
    pub fn archive(
        path: impl Into<String>,
        bytes: Arc<[u8]>,
        source_map: &Arc<SourceMap>,
    ) -> LocalSource {
        LocalSource {
            path: path.into(),
            content: Arc::new(Content::Archive {
                bytes,
                source_map: source_map.clone(),
                files: OnceLock::new(),
            }),
        }
    }

    /// The files in it.
    ///
    /// # Errors
    ///
    /// As [`archive::unpack`].
    pub fn files(&self) -> Result<&Arc<Files>> {
        match &*self.content {
            Content::Folder(files) => Ok(files),
            Content::Archive {
                bytes,
                source_map,
                files,
            } => files
                .get_or_init(|| {
                    let mut tree = MemoryTree::new(&*self.path);
                    archive::unpack(bytes, &mut tree)?;
                    Ok(Arc::new(Files::new(Arc::new(tree), source_map.clone())))
                })
                .as_ref()
                .map_err(Error::clone),
        }
    }

    /// The bytes of an archive; none for a folder.
    pub fn packed(&self) -> Option<&Arc<[u8]>> {
        match &*self.content {
            Content::Folder(_) => None,
            Content::Archive { bytes, .. } => Some(bytes),
        }
    }
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
    /// The charts that were loaded from these.
    pub(super) charts: Arc<Charts>,
}

impl Sources {
    /// A repository's working tree, and nothing besides.
    pub fn new(repository: Arc<Files>) -> Sources {
        Sources {
            repository,
            own: None,
            local: BTreeMap::new(),
            charts: Arc::default(),
        }
    }

    /// The tree behind a reference that stands at `span`.
    ///
    /// # Errors
    ///
    /// `source/unavailable` for what is not at hand.
    pub fn resolve(&self, source: &SourceRef, span: Span) -> Result<&Arc<Files>> {
        if let Some(local) = self.local.get(source) {
            return local.files();
        }
        if self.is_own(source) {
            return Ok(&self.repository);
        }
        Err(unavailable(source, span))
    }

    /// Whether a reference is the repository itself.
    pub fn is_own(&self, source: &SourceRef) -> bool {
        self.own.as_ref() == Some(source)
    }
}

/// The error for a source that is not at hand.
pub(super) fn unavailable(source: &SourceRef, span: Span) -> Error {
    Error::new(
        "source/unavailable",
        format!("the source `{source}` is not at hand"),
    )
    .at(span)
    .help(format!(
        "give a folder or an archive that stands in: `--local-sources {source}=PATH`"
    ))
}
