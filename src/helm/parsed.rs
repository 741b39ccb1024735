//! What was read of what templates wrote, for whoever renders a chart twice with
//! other values: most of what comes of it is the same, and read once.

use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::{HashMap, HashMapExt as _};

use super::manifest::Read;
use crate::diag::{FileId, Result};
use crate::gotmpl::Texts;
use crate::yaml::Node;

/// Documents that were read; shared by all threads.
#[derive(Debug, Default)]
pub struct Parsed {
    heads: Mutex<HashMap<Arc<str>, Read>>,
    placed: Kept<Written, Option<Node>>,
    definitions: Kept<FileId, Vec<Node>>,
    /// What templates read themselves.
    pub(super) texts: Arc<Texts>,
}

/// A document that a template wrote.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Written {
    pub(super) file: FileId,
    /// Its number among the documents that were read.
    pub(super) number: usize,
    /// What each stretch of it begins with: an offset, a place in the template,
    /// and whether it is the template's own text.
    pub(super) stretches: Vec<(isize, usize, bool)>,
}

impl Parsed {
    /// What Helm looks at in a document, and the number of that.
    pub(super) fn head(&self, document: &str, read: impl FnOnce() -> Result<Read>) -> Result<Read> {
        let lock = || self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(document) {
            return Ok(known.clone());
        }
        let mut read = read()?;
        let mut heads = lock();
        let number = heads.len();
        read.number = Some(number);
        // Who was faster has given it another number.
        Ok(heads.entry(document.into()).or_insert(read).clone())
    }

    /// The object that a document is, each node at its place.
    pub(super) fn placed(
        &self,
        written: Written,
        place: impl FnOnce() -> Result<Option<Node>>,
    ) -> Result<Option<Node>> {
        self.placed.get_or(written, place)
    }

    /// The objects in a file of definitions.
    pub(super) fn definitions(
        &self,
        file: FileId,
        read: impl FnOnce() -> Result<Vec<Node>>,
    ) -> Result<Vec<Node>> {
        self.definitions.get_or(file, read)
    }
}

#[derive(Debug)]
struct Kept<K, V>(Mutex<HashMap<K, V>>);

impl<K, V> Default for Kept<K, V> {
    fn default() -> Kept<K, V> {
        Kept(Mutex::new(HashMap::new()))
    }
}

impl<K: Hash + Eq, V: Clone> Kept<K, V> {
    /// What is kept, or what is made now and kept; errors are not. Nothing is
    /// locked meanwhile.
    fn get_or(&self, key: K, make: impl FnOnce() -> Result<V>) -> Result<V> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&key) {
            return Ok(known.clone());
        }
        let made = make()?;
        lock().insert(key, made.clone());
        Ok(made)
    }
}
