//! The files of a commit, read from the objects of its repository: no working
//! tree is touched, and none is needed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{GitRepository, ObjectId, ObjectKind, unreadable};
use crate::artifact::{Entry, Kind, MAX_FILE_BYTES, Tree, disk, path};
use crate::diag::{Error, Result};

/// How many symbolic links are followed to one file, as Linux has it.
const MAX_LINKS: usize = 40;

/// How deep folders may lie in one another.
const MAX_DEPTH: usize = 256;

/// A folder of a commit.
///
/// What its folders hold is read when it is opened, files when they are asked
/// for. The content is that of the commit: neither filters of `.gitattributes`
/// nor large-file pointers are followed, and submodules are empty folders.
#[derive(Debug)]
pub struct GitTree {
    /// What stands before paths in messages, as git writes it: `REVISION:`.
    prefix: String,
    repository: Mutex<GitRepository>,
    entries: BTreeMap<String, Object>,
}

/// What a path of the commit names, links not followed.
#[derive(Clone, Debug)]
enum Object {
    Folder,
    File(ObjectId),
    Link(ObjectId),
}

impl GitTree {
    /// The folder `folder` of a commit; `name` is what messages call the
    /// commit.
    ///
    /// # Errors
    ///
    /// `ref/missing` where the commit has no such folder or its objects are
    /// not there, `git/unreadable` for what is damaged.
    pub fn open(
        repository: GitRepository,
        commit: ObjectId,
        folder: &str,
        name: &str,
    ) -> Result<GitTree> {
        let mut entries = BTreeMap::new();
        let root = repository.tree_of(commit)?;
        let root = descend(&repository, root, folder).map_err(|e| {
            e.context(format!("`{name}`"))
                .help("the folder is new: there is nothing to compare it with")
        })?;
        walk(&repository, root, "", 0, &mut entries)?;
        Ok(GitTree {
            prefix: format!("{name}:"),
            repository: Mutex::new(repository),
            entries,
        })
    }

    /// The paths of all files, and the names of their content.
    pub fn files(&self) -> impl Iterator<Item = (&str, ObjectId)> {
        self.entries
            .iter()
            .filter_map(|(path, object)| match object {
                Object::File(id) | Object::Link(id) => Some((path.as_str(), *id)),
                Object::Folder => None,
            })
    }

    fn blob(&self, id: ObjectId) -> Result<Vec<u8>> {
        let repository = self
            .repository
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        repository.read(id).map(|(_, content)| content)
    }

    /// The path with all links followed; none where there is nothing.
    fn locate(&self, path: &str) -> Result<Option<String>> {
        let mut links = 0;
        let mut at = String::new();
        let mut rest: Vec<String> = parts(path);
        while let Some(part) = rest.pop() {
            if part == ".." {
                let Some(parent) = path::parent(&at) else {
                    return Err(self.escape(path));
                };
                at.truncate(parent.len());
                continue;
            }
            let next = if at.is_empty() {
                part
            } else {
                format!("{at}/{part}")
            };
            match self.entries.get(&next) {
                None => return Ok(None),
                Some(Object::Link(id)) => {
                    links += 1;
                    let target =
                        String::from_utf8(self.blob(*id)?).map_err(|_| self.escape(path))?;
                    if links > MAX_LINKS || target.starts_with('/') {
                        return Err(self.escape(path));
                    }
                    rest.extend(parts(&target));
                }
                Some(_) => at = next,
            }
        }
        Ok(Some(at))
    }

    fn escape(&self, path: &str) -> Error {
        Error::new(
            "file/escape",
            format!(
                "`{}` leads out of the repository through a symbolic link, or in a circle",
                self.display(path)
            ),
        )
        .help("replace the link by what it points to")
    }
}

/// The parts of a path, the first of them last.
fn parts(path: &str) -> Vec<String> {
    let parts = path.split('/').filter(|p| !p.is_empty() && *p != ".");
    parts.rev().map(str::to_owned).collect()
}

/// The tree of a folder below another tree.
fn descend(repository: &GitRepository, root: ObjectId, folder: &str) -> Result<ObjectId> {
    let mut at = root;
    for part in folder.split('/').filter(|p| !p.is_empty()) {
        let entries = repository.entries(at)?;
        let found = entries.into_iter().find(|e| e.name == part);
        at = match found {
            Some(entry) if entry.mode == Mode::Folder => entry.id,
            _ => return Err(disk::missing(folder)),
        };
    }
    Ok(at)
}

fn walk(
    repository: &GitRepository,
    tree: ObjectId,
    folder: &str,
    depth: usize,
    found: &mut BTreeMap<String, Object>,
) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(unreadable(format!("folders lie too deep: `{folder}`")));
    }
    for entry in repository.entries(tree)? {
        let path = if folder.is_empty() {
            entry.name
        } else {
            format!("{folder}/{}", entry.name)
        };
        let object = match entry.mode {
            Mode::Folder => {
                walk(repository, entry.id, &path, depth + 1, found)?;
                Object::Folder
            }
            Mode::Submodule => Object::Folder,
            Mode::File => Object::File(entry.id),
            Mode::Link => Object::Link(entry.id),
        };
        found.insert(path, object);
    }
    Ok(())
}

/// What an entry of a tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Folder,
    File,
    Link,
    Submodule,
}

/// An entry of a tree.
pub(super) struct TreeEntry {
    pub(super) name: String,
    pub(super) mode: Mode,
    pub(super) id: ObjectId,
}

/// What a commit holds at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitEntryKind {
    /// A file.
    File,
    /// A symbolic link; its content is where it leads.
    Link,
    /// A commit of another repository.
    Submodule,
}

/// An entry of a commit's tree that is no folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitEntry {
    /// The path from the root.
    pub path: String,
    /// What it is.
    pub kind: CommitEntryKind,
    /// The object: a blob, or the commit of a submodule.
    pub id: ObjectId,
}

impl GitRepository {
    /// The files, links and submodules of a commit, sorted by path.
    ///
    /// # Errors
    ///
    /// `ref/missing` for objects that are not there, `git/unreadable` for what
    /// cannot be read.
    pub fn commit_entries(&self, commit: ObjectId) -> Result<Vec<CommitEntry>> {
        let mut found = Vec::new();
        let mut open = vec![(String::new(), self.tree_of(commit)?, 0)];
        while let Some((folder, tree, depth)) = open.pop() {
            if depth > MAX_DEPTH {
                return Err(unreadable(format!("folders lie too deep: `{folder}`")));
            }
            for TreeEntry { name, mode, id } in self.entries(tree)? {
                let path = format!("{folder}{name}");
                let kind = match mode {
                    Mode::Folder => {
                        open.push((format!("{path}/"), id, depth + 1));
                        continue;
                    }
                    Mode::File => CommitEntryKind::File,
                    Mode::Link => CommitEntryKind::Link,
                    Mode::Submodule => CommitEntryKind::Submodule,
                };
                found.push(CommitEntry { path, kind, id });
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// The tree of a commit.
    pub(super) fn tree_of(&self, commit: ObjectId) -> Result<ObjectId> {
        let (kind, content) = self.read(commit)?;
        let tree = (kind == ObjectKind::Commit)
            .then(|| super::header(&content, "tree"))
            .flatten();
        tree.and_then(|hex| self.parse_id(hex))
            .ok_or_else(|| unreadable(format!("commit {commit} has no tree")))
    }

    /// The entries of a tree.
    fn entries(&self, tree: ObjectId) -> Result<Vec<TreeEntry>> {
        let (kind, content) = self.read(tree)?;
        if kind != ObjectKind::Tree {
            return Err(damaged(tree));
        }
        entries(tree, &content, self.repository.object_format())
    }
}

fn damaged(tree: ObjectId) -> Error {
    unreadable(format!("tree {tree} is damaged"))
}

/// The entries of a tree: mode, blank, name, NUL and the bytes of the name, for
/// each.
pub(super) fn entries(
    tree: ObjectId,
    content: &[u8],
    format: git2::ObjectFormat,
) -> Result<Vec<TreeEntry>> {
    let broken = || damaged(tree);
    let length = match format {
        git2::ObjectFormat::Sha256 => 32,
        git2::ObjectFormat::Sha1 => 20,
    };
    let mut rest = content;
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let blank = memchr::memchr(b' ', rest).ok_or_else(broken)?;
        let nul = memchr::memchr(0, rest)
            .filter(|n| *n > blank)
            .ok_or_else(broken)?;
        let (head, behind) = rest.split_at(nul);
        let id = behind.get(1..=length).ok_or_else(broken)?;
        let (mode, name) = head.split_at(blank);
        let name = std::str::from_utf8(name.get(1..).unwrap_or_default()).map_err(|_| {
            unreadable(format!("tree {tree} holds a file whose name is not UTF-8"))
                .help("rename it")
        })?;
        entries.push(TreeEntry {
            name: name.to_owned(),
            mode: match mode {
                b"40000" => Mode::Folder,
                b"120000" => Mode::Link,
                b"160000" => Mode::Submodule,
                _ => Mode::File,
            },
            id: ObjectId::parse(&hex::encode(id), format).ok_or_else(broken)?,
        });
        rest = behind.get(length + 1..).unwrap_or_default();
    }
    Ok(entries)
}

impl Tree for GitTree {
    fn kind(&self, path: &str) -> Result<Option<Kind>> {
        let Some(real) = self.locate(path)? else {
            return Ok(None);
        };
        Ok(match self.entries.get(&real) {
            Some(Object::File(_)) => Some(Kind::File),
            Some(Object::Folder) => Some(Kind::Directory),
            None if real.is_empty() => Some(Kind::Directory),
            Some(Object::Link(_)) | None => None,
        })
    }

    fn read(&self, path: &str) -> Result<Arc<[u8]>> {
        let missing = || disk::missing(&self.display(path));
        let real = self.locate(path)?.ok_or_else(missing)?;
        let Some(Object::File(id)) = self.entries.get(&real) else {
            return Err(disk::is_a_folder(&self.display(path)));
        };
        let content = self.blob(*id)?;
        if content.len() as u64 > MAX_FILE_BYTES {
            return Err(Error::new(
                "file/unreadable",
                format!(
                    "`{}` is larger than {} MiB",
                    self.display(path),
                    MAX_FILE_BYTES >> 20
                ),
            ));
        }
        Ok(content.into())
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>> {
        let missing = || disk::missing(&self.display(path));
        let real = self.locate(path)?.ok_or_else(missing)?;
        if matches!(self.entries.get(&real), Some(Object::File(_))) {
            return Err(Error::new(
                "file/unreadable",
                format!("`{}` is no folder", self.display(path)),
            ));
        }
        let prefix = if real.is_empty() {
            String::new()
        } else {
            format!("{real}/")
        };
        let below = self
            .entries
            .range(prefix.clone()..)
            .take_while(|(path, _)| path.starts_with(&prefix));
        let mut entries = Vec::new();
        for (path, object) in below {
            let name = path.get(prefix.len()..).unwrap_or_default();
            if name.is_empty() || name.contains('/') {
                continue;
            }
            let is_symlink = matches!(object, Object::Link(_));
            let kind = match object {
                Object::Folder => Kind::Directory,
                Object::File(_) => Kind::File,
                // A link to nowhere, or out of the tree, is a file that
                // cannot be read: an error only for who reads it.
                Object::Link(_) => self.kind(path).ok().flatten().unwrap_or(Kind::File),
            };
            entries.push(Entry {
                name: name.to_owned(),
                kind,
                is_symlink,
            });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn resolve(&self, path: &str) -> Result<Option<String>> {
        self.locate(path)
    }

    fn display(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }
}
