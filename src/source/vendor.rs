//! Inputs in the repository itself, as `vendor` writes them.
//!
//! A folder with an `index.json` that says where each digest lies: a file
//! (`charts/web-1.2.3.tgz`), or a folder of readable files (`sources/…`) that
//! packs to that digest. What was edited no longer does, and is refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::artifact::{Digest, Kind, MemoryTree, Tree, pack, path};
use crate::diag::{Error, Result};

/// The folder, at the root of the repository, where none is named.
pub const FOLDER: &str = "vendor";

/// The name of the index in it.
pub const INDEX_NAME: &str = "index.json";

/// What the index calls itself and its version.
pub const FORMAT: &str = "fluxwright.vendor/v1";

/// The folder of a checkout that git would not take, and what stands for it.
const GIT: (&str, &str) = (".git", "_git");

/// The index of the folder.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// [`FORMAT`].
    pub format: String,
    /// Where content lies, by digest.
    pub content: BTreeMap<String, Place>,
}

/// Where content lies.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// A file.
    File(String),
    /// A folder of files.
    Folder(String),
}

/// A folder that `vendor` filled.
#[derive(Debug)]
pub struct Vendored {
    tree: Arc<dyn Tree>,
    folder: String,
    index: Index,
}

impl Vendored {
    /// Opens the folder; none where it was not filled.
    ///
    /// # Errors
    ///
    /// `vendor/invalid` for an index that cannot be read.
    pub fn open(tree: Arc<dyn Tree>, folder: &str) -> Result<Option<Vendored>> {
        let folder = path::join("", folder).unwrap_or_default();
        let file = format!("{folder}/{INDEX_NAME}");
        if tree.kind(&file)? != Some(Kind::File) {
            return Ok(None);
        }
        let bytes = tree.read(&file)?;
        let index: Index = match serde_json::from_slice(&bytes) {
            Ok(index) => index,
            // Somebody else's folder of that name.
            Err(_) if memchr::memmem::find(&bytes, b"fluxwright.vendor").is_none() => {
                return Ok(None);
            }
            Err(e) => {
                return Err(Error::new(
                    "vendor/invalid",
                    format!("`{}` cannot be read: {e}", tree.display(&file)),
                )
                .help("run `fluxwright vendor` to write it anew"));
            }
        };
        Ok(Some(Vendored {
            tree,
            folder,
            index,
        }))
    }

    /// Content by its digest; none where it is not there.
    ///
    /// # Errors
    ///
    /// `vendor/changed` where something else lies there.
    pub(super) fn read(&self, digest: Digest) -> Result<Option<Arc<[u8]>>> {
        let Some(place) = self.index.content.get(&digest.to_string()) else {
            return Ok(None);
        };
        let (path, content) = match place {
            Place::File(path) => {
                let path = self.inside(path)?;
                let content = self.tree.read(&path)?;
                (path, content)
            }
            Place::Folder(path) => {
                let path = self.inside(path)?;
                let content = pack::pack(&self.files(&path)?)?.into();
                (path, content)
            }
        };
        if Digest::of(&content) == digest {
            return Ok(Some(content));
        }
        Err(Error::new(
            "vendor/changed",
            format!(
                "`{}` is not what is locked: it was changed",
                self.tree.display(&path)
            ),
        )
        .help("undo the change, or run `fluxwright vendor` to write it anew"))
    }

    fn inside(&self, written: &str) -> Result<String> {
        path::join(&self.folder, written)
            .filter(|p| !written.starts_with('/') && path::is_within(p, &self.folder))
            .ok_or_else(|| {
                Error::new(
                    "vendor/invalid",
                    format!("`{written}` leads out of the folder `{}`", self.folder),
                )
            })
    }

    /// The files of a folder, as they were before it was written.
    fn files(&self, folder: &str) -> Result<MemoryTree> {
        let mut tree = MemoryTree::new("");
        let mut open = vec![String::new()];
        while let Some(below) = open.pop() {
            for entry in self
                .tree
                .list(format!("{folder}/{below}").trim_end_matches('/'))?
            {
                let path = if below.is_empty() {
                    entry.name
                } else {
                    format!("{below}/{}", entry.name)
                };
                match entry.kind {
                    Kind::Directory => open.push(path),
                    Kind::File => {
                        let content = self.tree.read(&format!("{folder}/{path}"))?;
                        tree.insert(renamed(&path, GIT.1, GIT.0), content);
                    }
                }
            }
        }
        Ok(tree)
    }
}

/// A path with its first part renamed.
fn renamed(path: &str, from: &str, to: &str) -> String {
    match path.strip_prefix(from) {
        Some(rest) if rest.starts_with('/') => format!("{to}{rest}"),
        _ => path.to_owned(),
    }
}

/// The readable files of stored content; none for what is no tree, or cannot be
/// written so.
pub fn readable(content: &[u8]) -> Option<MemoryTree> {
    let stored = pack::unpack(content, "").ok()?;
    let mut tree = MemoryTree::new("");
    for (file, content) in stored.files() {
        // A second `.git` below would be taken for a repository.
        let is_hidden = file.split('/').skip(1).any(|part| part == GIT.0);
        if is_hidden || path::is_within(file, GIT.1) {
            return None;
        }
        tree.insert(renamed(file, GIT.0, GIT.1), content.clone());
    }
    Some(tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vendored(stored: &[u8]) -> (MemoryTree, Digest) {
        let digest = Digest::of(stored);
        let mut tree = MemoryTree::new("");
        for (file, content) in readable(stored).unwrap().files() {
            tree.insert(format!("vendor/sources/app/{file}"), content.clone());
        }
        let index = format!(
            r#"{{"format": "{FORMAT}", "content": {{"{digest}": {{"folder": "sources/app"}}}}}}"#
        );
        tree.insert("vendor/index.json", index.as_bytes());
        (tree, digest)
    }

    fn stored() -> Vec<u8> {
        let mut tree = MemoryTree::new("");
        tree.insert("a/b.yaml", b"x".as_slice());
        tree.insert(".git/commit", b"tree 0".as_slice());
        pack::pack(&tree).unwrap()
    }

    #[test]
    fn readable_folders_pack_to_their_digest() {
        let (tree, digest) = vendored(&stored());
        assert!(tree.paths().any(|p| p == "vendor/sources/app/_git/commit"));
        let vendored = Vendored::open(Arc::new(tree), "vendor").unwrap().unwrap();
        let content = vendored.read(digest).unwrap().unwrap();
        assert_eq!(*content, *stored());
        assert!(vendored.read(Digest::of(b"other")).unwrap().is_none());
    }

    #[test]
    fn what_was_edited_is_refused() {
        let (mut tree, digest) = vendored(&stored());
        tree.insert("vendor/sources/app/a/b.yaml", b"y".as_slice());
        let vendored = Vendored::open(Arc::new(tree), "vendor").unwrap().unwrap();
        let error = vendored.read(digest).unwrap_err();
        assert_eq!(error.rule(), "vendor/changed");
        assert!(error.message().contains("vendor/sources/app"));
        assert!(error.help_text().unwrap().contains("fluxwright vendor"));
    }

    #[test]
    fn other_folders_are_left_alone() {
        let mut tree = MemoryTree::new("");
        let open = |tree: &MemoryTree| Vendored::open(Arc::new(tree.clone()), "vendor");
        assert!(open(&tree).unwrap().is_none());
        tree.insert("vendor/index.json", b"[1, 2]".as_slice());
        assert!(open(&tree).unwrap().is_none());
        let wrong = format!(r#"{{"format": "{FORMAT}", "content": 5}}"#);
        tree.insert("vendor/index.json", wrong.as_bytes());
        assert_eq!(open(&tree).unwrap_err().rule(), "vendor/invalid");
        let digest = Digest::of(b"x");
        let out = format!(
            r#"{{"format": "{FORMAT}", "content": {{"{digest}": {{"file": "../secret"}}}}}}"#
        );
        tree.insert("vendor/index.json", out.as_bytes());
        let error = open(&tree).unwrap().unwrap().read(digest).unwrap_err();
        assert_eq!(error.rule(), "vendor/invalid");
    }
}
