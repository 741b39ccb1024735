//! Trees in memory: unpacked archives, composed artifacts, tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Entry, Kind, Tree, path};
use crate::diag::{Error, Result};

/// A tree whose files are held in memory; folders are what files lie in.
#[derive(Clone, Debug, Default)]
pub struct MemoryTree {
    /// What stands before paths in messages.
    name: String,
    files: BTreeMap<String, Arc<[u8]>>,
}

impl MemoryTree {
    /// An empty tree; `name` stands before its paths in messages.
    pub fn new(name: impl Into<String>) -> MemoryTree {
        MemoryTree {
            name: name.into(),
            files: BTreeMap::new(),
        }
    }

    /// Adds a file, or replaces it. The path is as `path::join` gives it.
    pub fn insert(&mut self, path: impl Into<String>, content: impl Into<Arc<[u8]>>) {
        self.files.insert(path.into(), content.into());
    }

    /// The paths of all files, in the order of their bytes.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// All files and what is in them, in the order of their paths' bytes.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Arc<[u8]>)> {
        self.files
            .iter()
            .map(|(path, content)| (path.as_str(), content))
    }
}

impl Tree for MemoryTree {
    fn kind(&self, path: &str) -> Result<Option<Kind>> {
        if self.files.contains_key(path) {
            return Ok(Some(Kind::File));
        }
        let below = if path.is_empty() {
            return Ok(Some(Kind::Directory));
        } else {
            format!("{path}/")
        };
        let mut after = self.files.range(below.clone()..);
        Ok(after
            .next()
            .is_some_and(|(file, _)| file.starts_with(&below))
            .then_some(Kind::Directory))
    }

    fn read(&self, path: &str) -> Result<Arc<[u8]>> {
        match self.files.get(path) {
            Some(content) => Ok(content.clone()),
            None if self.kind(path)?.is_some() => {
                Err(super::disk::is_a_folder(&self.display(path)))
            }
            None => Err(super::disk::missing(&self.display(path))),
        }
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>> {
        match self.kind(path)? {
            Some(Kind::Directory) => {}
            Some(Kind::File) => {
                return Err(Error::new(
                    "file/unreadable",
                    format!("`{}` is no folder", self.display(path)),
                ));
            }
            None => return Err(super::disk::missing(&self.display(path))),
        }
        let mut entries: Vec<Entry> = Vec::new();
        for file in self.files.keys() {
            let rest = if path.is_empty() {
                file.as_str()
            } else if path::is_within(file, path) {
                &file[path.len() + 1..]
            } else {
                continue;
            };
            let (name, kind) = match rest.split_once('/') {
                Some((name, _)) => (name, Kind::Directory),
                None => (rest, Kind::File),
            };
            if entries.last().is_none_or(|last| last.name != name) {
                entries.push(Entry {
                    name: name.to_owned(),
                    kind,
                    is_symlink: false,
                });
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries.dedup();
        Ok(entries)
    }

    fn display(&self, path: &str) -> String {
        match (self.name.as_str(), path) {
            ("", "") => ".".to_owned(),
            ("", path) => path.to_owned(),
            (name, "") => name.to_owned(),
            (name, path) => format!("{name}/{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_what_files_lie_in() {
        let mut tree = MemoryTree::new("");
        for file in ["a/x.yaml", "a/b/y.yaml", "a-b", "z"] {
            tree.insert(file, file.as_bytes());
        }
        assert_eq!(tree.kind("a").unwrap(), Some(Kind::Directory));
        assert_eq!(tree.kind("a/x.yaml").unwrap(), Some(Kind::File));
        assert_eq!(tree.kind("b").unwrap(), None);
        let names = |path| -> Vec<_> {
            let entries = tree.list(path).unwrap();
            entries.into_iter().map(|e| (e.name, e.kind)).collect()
        };
        assert_eq!(
            names(""),
            [
                ("a".into(), Kind::Directory),
                ("a-b".into(), Kind::File),
                ("z".into(), Kind::File)
            ]
        );
        assert_eq!(
            names("a"),
            [("b".into(), Kind::Directory), ("x.yaml".into(), Kind::File)]
        );
        assert_eq!(&*tree.read("a/b/y.yaml").unwrap(), b"a/b/y.yaml");
        assert_eq!(tree.read("a").unwrap_err().rule(), "file/unreadable");
        assert_eq!(tree.read("q").unwrap_err().rule(), "ref/missing");
        assert_eq!(tree.list("z").unwrap_err().rule(), "file/unreadable");
    }
}
