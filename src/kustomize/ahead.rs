//! Files that a kustomization will ask for, read by all threads before it does.
//!
//! In: what a kustomization names under `resources`. Out: nothing; [`Files`]
//! keeps what was read, and what cannot be read is told by who asks for it.

use std::sync::{Mutex, PoisonError};

use foldhash::HashSet;
use rayon::prelude::*;

use super::file::FILE_NAMES;
use crate::artifact::path;
use crate::resource::Files;
use crate::yaml::Node;

/// How many entries are worth it.
const MANY: usize = 8;
/// How deep folders are followed.
const MAX_DEPTH: usize = 16;

/// Reads what `entries` of the kustomization in `folder` name, if they are many.
pub(super) fn read<'e>(files: &Files, folder: &str, entries: impl Iterator<Item = &'e str>) {
    let entries: Vec<&str> = entries.collect();
    if entries.len() < MANY || rayon::current_num_threads() < 2 {
        return;
    }
    let ahead = Ahead {
        files,
        seen: Mutex::default(),
    };
    entries
        .par_iter()
        .for_each(|entry| ahead.entry(folder, entry, 0));
}

struct Ahead<'a> {
    files: &'a Files,
    /// Folders that were read.
    seen: Mutex<HashSet<String>>,
}

impl Ahead<'_> {
    fn entry(&self, folder: &str, entry: &str, depth: usize) {
        // What lies elsewhere is not read here.
        if entry.contains("://") || entry.contains('?') {
            return;
        }
        let Some(path) = path::join(folder, entry) else {
            return;
        };
        if [".yaml", ".yml", ".json"]
            .iter()
            .any(|e| entry.ends_with(e))
        {
            let _ = self.files.documents(&path);
            return;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = seen.insert(path.clone());
        drop(seen);
        if depth == MAX_DEPTH || !is_new {
            return;
        }
        let file = format!("{path}/{}", FILE_NAMES[0]);
        let Ok(documents) = self.files.documents(&file) else {
            return;
        };
        let resources = documents.first().and_then(|d| d.root.get("resources"));
        for inner in resources.map_or(&[][..], Node::items) {
            if let Some(text) = inner.text() {
                self.entry(&path, text, depth + 1);
            }
        }
    }
}
