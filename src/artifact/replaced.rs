//! A tree with another content in one file at its root.

use std::sync::Arc;

use super::{Entry, Kind, Tree};
use crate::diag::Result;

/// A tree in which one file at the root is another.
#[derive(Clone, Debug)]
pub struct Replaced {
    tree: Arc<dyn Tree>,
    name: String,
    content: Arc<[u8]>,
    /// What the file is called in messages.
    display: String,
}

impl Replaced {
    /// `tree` with `content` in the file `name`, whether it has one or not;
    /// messages call the file `display`.
    pub fn new(
        tree: Arc<dyn Tree>,
        name: &str,
        content: impl Into<Arc<[u8]>>,
        display: &str,
    ) -> Replaced {
        Replaced {
            tree,
            name: name.to_owned(),
            content: content.into(),
            display: display.to_owned(),
        }
    }
}

impl Tree for Replaced {
    fn kind(&self, path: &str) -> Result<Option<Kind>> {
        if path == self.name {
            return Ok(Some(Kind::File));
        }
        self.tree.kind(path)
    }

    fn read(&self, path: &str) -> Result<Arc<[u8]>> {
        if path == self.name {
            return Ok(self.content.clone());
        }
        self.tree.read(path)
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>> {
        let mut entries = self.tree.list(path)?;
        if path.is_empty() {
            entries.retain(|entry| entry.name != self.name);
            let at = entries.partition_point(|entry| entry.name < self.name);
            entries.insert(
                at,
                Entry {
                    name: self.name.clone(),
                    kind: Kind::File,
                    is_symlink: false,
                },
            );
        }
        Ok(entries)
    }

    fn resolve(&self, path: &str) -> Result<Option<String>> {
        if path == self.name {
            return Ok(Some(path.to_owned()));
        }
        self.tree.resolve(path)
    }

    fn display(&self, path: &str) -> String {
        if path == self.name {
            return self.display.clone();
        }
        self.tree.display(path)
    }
}

#[cfg(test)]
mod tests {
    use super::super::MemoryTree;
    use super::*;

    #[test]
    fn one_file_is_another_and_the_rest_as_it_was() {
        let mut tree = MemoryTree::new("tree");
        tree.insert("a", b"1".as_slice());
        tree.insert("c/b", b"2".as_slice());
        let names = |tree: &dyn Tree| -> Vec<String> {
            tree.list("").unwrap().into_iter().map(|e| e.name).collect()
        };
        for name in ["a", "b"] {
            let replaced = Replaced::new(Arc::new(tree.clone()), name, b"new".as_slice(), "x");
            assert_eq!(&*replaced.read(name).unwrap(), b"new");
            assert_eq!(&*replaced.read("c/b").unwrap(), b"2");
            assert_eq!(replaced.display(name), "x");
            let expected: &[&str] = if name == "a" {
                &["a", "c"]
            } else {
                &["a", "b", "c"]
            };
            assert_eq!(names(&replaced), expected);
        }
    }
}
