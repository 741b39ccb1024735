//! Files of a tree, read once and parsed once.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use foldhash::HashMap;

use crate::artifact::{Entry, Kind, Tree};
use crate::diag::{FileId, Result, SourceMap};
use crate::yaml::{self, Document};

/// The text of a file.
#[derive(Clone, Debug)]
pub struct Text {
    /// The text.
    pub text: Arc<str>,
    /// Its number in the source map.
    pub file: FileId,
}

/// The bytes of a file.
#[derive(Clone, Debug)]
pub struct Raw {
    /// The bytes.
    pub bytes: Arc<[u8]>,
    /// Its number in the source map.
    pub file: FileId,
}

/// A tree together with what has been read of it.
///
/// Shared by all threads. A file is read, decoded and parsed at most once,
/// whoever asks; documents share their content until they are changed.
#[derive(Debug)]
pub struct Files {
    tree: Arc<dyn Tree>,
    sources: Arc<SourceMap>,
    read: Mutex<HashMap<String, Arc<File>>>,
}

#[derive(Debug, Default)]
struct File {
    text: OnceLock<Result<Text>>,
    raw: OnceLock<Result<Raw>>,
    documents: OnceLock<Result<Arc<[Document]>>>,
}

impl Files {
    /// The files of a tree; what is read is added to `sources`.
    pub fn new(tree: Arc<dyn Tree>, sources: Arc<SourceMap>) -> Files {
        Files {
            tree,
            sources,
            read: Mutex::default(),
        }
    }

    /// The source map that spans point into.
    pub fn sources(&self) -> &Arc<SourceMap> {
        &self.sources
    }

    /// The tree below.
    pub fn tree(&self) -> &Arc<dyn Tree> {
        &self.tree
    }

    /// What a path names.
    pub fn kind(&self, path: &str) -> Result<Option<Kind>> {
        self.tree.kind(path)
    }

    /// The entries of a folder, sorted by name.
    pub fn list(&self, path: &str) -> Result<Vec<Entry>> {
        self.tree.list(path)
    }

    /// The bytes of a file.
    pub fn bytes(&self, path: &str) -> Result<Arc<[u8]>> {
        self.tree.read(path)
    }

    /// The path with all symbolic links followed.
    pub fn resolve(&self, path: &str) -> Result<Option<String>> {
        self.tree.resolve(path)
    }

    /// The bytes of a file that need not be text, and its number in the source
    /// map.
    ///
    /// # Errors
    ///
    /// As [`Tree::read`].
    pub fn raw(&self, path: &str) -> Result<Raw> {
        let file = self.file(path);
        file.raw
            .get_or_init(|| {
                let bytes = self.tree.read(path)?;
                let name = self.tree.display(path);
                let file = self.sources.add(name, String::from_utf8_lossy(&bytes));
                Ok(Raw { bytes, file })
            })
            .clone()
    }

    /// The path as users know it.
    pub fn display(&self, path: &str) -> String {
        self.tree.display(path)
    }

    /// The text of a YAML or JSON file.
    ///
    /// # Errors
    ///
    /// As [`Tree::read`] and [`yaml::text::decode`].
    pub fn text(&self, path: &str) -> Result<Text> {
        let file = self.file(path);
        file.text.get_or_init(|| self.read_text(path)).clone()
    }

    /// The YAML documents of a file.
    ///
    /// # Errors
    ///
    /// As [`Files::text`] and [`yaml::parse`].
    pub fn documents(&self, path: &str) -> Result<Arc<[Document]>> {
        let file = self.file(path);
        file.documents
            .get_or_init(|| {
                let Text { text, file } = self.text(path)?;
                Ok(yaml::parse(&text, file)?.into())
            })
            .clone()
    }

    fn file(&self, path: &str) -> Arc<File> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = read.get(path) {
            return file.clone();
        }
        read.entry(path.to_owned()).or_default().clone()
    }

    fn read_text(&self, path: &str) -> Result<Text> {
        let bytes = self.tree.read(path)?;
        let name = self.tree.display(path);
        match yaml::text::decode(&bytes) {
            Ok(text) => {
                let text: Arc<str> = text.into();
                let file = self.sources.add(name, text.clone());
                Ok(Text { text, file })
            }
            Err(e) => {
                let file = self.sources.add(name, String::from_utf8_lossy(&bytes));
                Err(e.in_file(file))
            }
        }
    }
}
