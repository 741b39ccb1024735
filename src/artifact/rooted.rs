//! A folder of a tree as a tree of its own.
//!
//! In: a tree, and a folder in it. Out: the tree of what lies in that folder,
//! shown under the paths that users know. What leads out of it is not there.

use std::sync::Arc;

use super::{Entry, Kind, Tree, path};
use crate::diag::Result;

/// A folder of another tree.
#[derive(Debug)]
pub struct RootedTree {
    tree: Arc<dyn Tree>,
    folder: String,
}

impl RootedTree {
    /// The tree of what lies in a folder.
    pub fn new(tree: Arc<dyn Tree>, folder: impl Into<String>) -> RootedTree {
        RootedTree {
            tree,
            folder: folder.into(),
        }
    }

    fn within(&self, path: &str) -> String {
        path::join(&self.folder, path.trim_start_matches('/')).unwrap_or_default()
    }
}

impl Tree for RootedTree {
    fn kind(&self, path: &str) -> Result<Option<Kind>> {
        self.tree.kind(&self.within(path))
    }

    fn read(&self, path: &str) -> Result<Arc<[u8]>> {
        self.tree.read(&self.within(path))
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>> {
        self.tree.list(&self.within(path))
    }

    fn resolve(&self, path: &str) -> Result<Option<String>> {
        let real = self.tree.resolve(&self.within(path))?;
        // What lies elsewhere has another path in any case.
        Ok(real.map(|real| path::relative(&self.folder, &real)))
    }

    fn display(&self, path: &str) -> String {
        self.tree.display(&self.within(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::MemoryTree;

    #[test]
    fn a_folder_is_a_tree() {
        let mut tree = MemoryTree::new("repository");
        tree.insert("deploy/apps/web.yaml", b"a".as_slice());
        tree.insert("other.yaml", b"b".as_slice());
        let tree: Arc<dyn Tree> = Arc::new(tree);
        let rooted = RootedTree::new(tree, "deploy");
        assert_eq!(rooted.kind("apps").unwrap(), Some(Kind::Directory));
        assert_eq!(&*rooted.read("apps/web.yaml").unwrap(), b"a");
        assert_eq!(rooted.list("").unwrap().len(), 1);
        assert_eq!(
            rooted.resolve("apps/web.yaml").unwrap().as_deref(),
            Some("apps/web.yaml")
        );
        assert_eq!(rooted.kind("other.yaml").unwrap(), None);
        assert!(rooted.display("apps").ends_with("deploy/apps"));
    }
}
