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

/// Names that git has a use for, and what stands for them: it would not take a
/// repository in a repository, nor files that are ignored, and change others.
const GIT: [(&str, &str); 4] = [
    (".git", "_git"),
    (".gitattributes", "_gitattributes"),
    (".gitignore", "_gitignore"),
    (".gitmodules", "_gitmodules"),
];

/// Files beside the index that keep git from leaving out or changing others.
pub const FOR_GIT: [(&str, &str); 2] = [
    (
        ".gitattributes",
        "* -text -filter -ident -working-tree-encoding\n",
    ),
    (".gitignore", "!*\n"),
];

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
                        tree.insert(as_stored(&path), content);
                    }
                }
            }
        }
        Ok(tree)
    }
}

/// A path as it is written into the repository; none where that could not be
/// told from another one.
fn as_written(path: &str) -> Option<String> {
    let parts = path.split('/').map(|part| {
        let is_taken = GIT.iter().any(|(_, written)| part == *written);
        let own = GIT.iter().find(|(stored, _)| part == *stored);
        (!is_taken).then(|| own.map_or(part, |(_, written)| *written))
    });
    let parts: Option<Vec<&str>> = parts.collect();
    Some(parts?.join("/"))
}

/// A path as it was before it was written.
fn as_stored(path: &str) -> String {
    let parts = path.split('/').map(|part| {
        let own = GIT.iter().find(|(_, written)| part == *written);
        own.map_or(part, |(stored, _)| *stored)
    });
    parts.collect::<Vec<&str>>().join("/")
}

/// The readable files of stored content; none for what is no tree, or cannot be
/// written so.
pub fn readable(content: &[u8]) -> Option<MemoryTree> {
    let stored = pack::unpack(content, "").ok()?;
    let mut tree = MemoryTree::new("");
    for (file, content) in stored.files() {
        tree.insert(as_written(file)?, content.clone());
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
    fn names_that_git_has_a_use_for_are_others() {
        let mut tree = MemoryTree::new("");
        for file in [".gitattributes", "a/.gitignore", "a/.git/x", "b.gitignore"] {
            tree.insert(file, b"x".as_slice());
        }
        let stored = pack::pack(&tree).unwrap();
        let written = readable(&stored).unwrap();
        let paths: Vec<&str> = written.paths().collect();
        assert_eq!(
            paths,
            ["_gitattributes", "a/_git/x", "a/_gitignore", "b.gitignore"]
        );
        let (tree, digest) = vendored(&stored);
        let vendored = Vendored::open(Arc::new(tree), "vendor").unwrap().unwrap();
        assert_eq!(*vendored.read(digest).unwrap().unwrap(), *stored);
        // What is called so already stays in its packed form.
        let mut tree = MemoryTree::new("");
        tree.insert("a/_gitignore", b"x".as_slice());
        assert!(readable(&pack::pack(&tree).unwrap()).is_none());
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
