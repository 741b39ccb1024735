//! Whether files are those of a commit, without its repository.
//!
//! In: a commit, the trees that it leads to, files. Out: nothing, or what
//! differs. Every name is computed from the bytes: a commit whose signature
//! holds vouches for its tree, the tree for its folders and files.
//!
//! Trees and the commits of submodules lie one behind another, each as git
//! names it: `tree`, a blank, the size, NUL, the bytes.

use std::collections::BTreeMap;

use super::tree::{Mode, entries};
use super::{GitRepository, ObjectId, ObjectKind, header, unreadable};
use crate::artifact::path;
use crate::diag::{Error, Result};

/// How deep folders may lie in one another, submodules included.
const MAX_DEPTH: usize = 256;

/// Objects by their names, as they are packed.
pub type Packed = BTreeMap<ObjectId, Vec<u8>>;

impl GitRepository {
    /// Adds the trees that a commit leads to; with `is_submodule`, the commit
    /// itself as well.
    ///
    /// # Errors
    ///
    /// As [`GitRepository::read`].
    pub fn pack_trees(
        &self,
        commit: ObjectId,
        is_submodule: bool,
        packed: &mut Packed,
    ) -> Result<()> {
        if is_submodule {
            packed.insert(commit, loose("commit", &self.read(commit)?.1));
        }
        let mut open = vec![(self.tree_of(commit)?, 0)];
        while let Some((tree, depth)) = open.pop() {
            if depth > MAX_DEPTH {
                return Err(unreadable("folders lie too deep".to_owned()));
            }
            if packed.contains_key(&tree) {
                continue;
            }
            let content = self.read(tree)?.1;
            for entry in entries(tree, &content, self.repository.object_format())? {
                if entry.mode == Mode::Folder {
                    open.push((entry.id, depth + 1));
                }
            }
            packed.insert(tree, loose("tree", &content));
        }
        Ok(())
    }
}

fn loose(kind: &str, content: &[u8]) -> Vec<u8> {
    let mut out = format!("{kind} {}\0", content.len()).into_bytes();
    out.extend_from_slice(content);
    out
}

/// The name of an object with these bytes, in hexadecimal.
pub fn name_of(kind: ObjectKind, content: &[u8], is_sha256: bool) -> Option<String> {
    let kind = match kind {
        ObjectKind::Commit => git2::ObjectType::Commit,
        ObjectKind::Tag => git2::ObjectType::Tag,
        ObjectKind::Tree => git2::ObjectType::Tree,
        ObjectKind::Blob => git2::ObjectType::Blob,
    };
    ObjectId::of(kind, content, format(is_sha256)).map(|id| id.to_string())
}

fn format(is_sha256: bool) -> git2::ObjectFormat {
    if is_sha256 {
        git2::ObjectFormat::Sha256
    } else {
        git2::ObjectFormat::Sha1
    }
}

/// Holds files to a commit: each regular file of the commit must be there with
/// its content, and no other. Links are left out, and submodules unless they are
/// asked for.
///
/// # Errors
///
/// `trust/digest` for the first difference.
pub fn check_files(
    commit: &[u8],
    packed: &[u8],
    is_sha256: bool,
    with_submodules: bool,
    files: &BTreeMap<&str, &[u8]>,
) -> Result<()> {
    let objects = Objects::read(packed, format(is_sha256))?;
    let tree = objects.tree_of(commit)?;
    let mut seen = 0;
    let mut open = vec![(String::new(), tree, 0)];
    while let Some((folder, tree, depth)) = open.pop() {
        if depth > MAX_DEPTH {
            return Err(differs("its folders lie too deep"));
        }
        let content = objects.get(tree)?;
        for entry in entries(tree, content, objects.format)? {
            let file = path::join(&folder, &entry.name)
                .filter(|_| !entry.name.contains('/'))
                .ok_or_else(|| differs(&format!("it names a file `{}`", entry.name)))?;
            match entry.mode {
                Mode::Folder => open.push((file, entry.id, depth + 1)),
                Mode::Submodule if with_submodules => {
                    let commit = objects.commits.get(&entry.id).ok_or_else(|| {
                        differs(&format!("the commit of its submodule `{file}` is missing"))
                    })?;
                    open.push((file, objects.tree_of(commit)?, depth + 1));
                }
                Mode::Link | Mode::Submodule => {}
                Mode::File => {
                    let content = files
                        .get(file.as_str())
                        .ok_or_else(|| differs(&format!("its file `{file}` is missing")))?;
                    let id = ObjectId::of(git2::ObjectType::Blob, content, objects.format);
                    if id != Some(entry.id) {
                        return Err(differs(&format!("`{file}` was changed")));
                    }
                    seen += 1;
                }
            }
        }
    }
    if seen != files.len() {
        return Err(differs("there are files that it does not hold"));
    }
    Ok(())
}

/// Trees and commits, each under the name that its bytes have.
struct Objects<'a> {
    format: git2::ObjectFormat,
    trees: BTreeMap<ObjectId, &'a [u8]>,
    commits: BTreeMap<ObjectId, &'a [u8]>,
}

impl<'a> Objects<'a> {
    fn read(packed: &'a [u8], format: git2::ObjectFormat) -> Result<Objects<'a>> {
        let mut objects = Objects {
            format,
            trees: BTreeMap::new(),
            commits: BTreeMap::new(),
        };
        let mut rest = packed;
        while !rest.is_empty() {
            let (kind, content, after) =
                split(rest).ok_or_else(|| differs("its trees cannot be read"))?;
            let of = |kind| ObjectId::of(kind, content, format);
            let id = match kind {
                "tree" => of(git2::ObjectType::Tree).map(|id| objects.trees.insert(id, content)),
                "commit" => {
                    of(git2::ObjectType::Commit).map(|id| objects.commits.insert(id, content))
                }
                _ => None,
            };
            id.ok_or_else(|| differs("its trees cannot be read"))?;
            rest = after;
        }
        Ok(objects)
    }

    fn tree_of(&self, commit: &[u8]) -> Result<ObjectId> {
        header(commit, "tree")
            .and_then(|hex| ObjectId::parse(hex, self.format))
            .ok_or_else(|| differs("it has no tree"))
    }

    fn get(&self, tree: ObjectId) -> Result<&'a [u8]> {
        let found = self.trees.get(&tree).copied();
        found.ok_or_else(|| differs(&format!("its tree {tree} is missing")))
    }
}

/// The kind and content of the first object, and what is behind it.
fn split(packed: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let nul = memchr::memchr(0, packed.get(..packed.len().min(64))?)?;
    let head = std::str::from_utf8(packed.get(..nul)?).ok()?;
    let (kind, size) = head.split_once(' ')?;
    let (content, rest) = packed
        .get(nul + 1..)?
        .split_at_checked(size.parse().ok()?)?;
    Some((kind, content, rest))
}

fn differs(why: &str) -> Error {
    Error::new(
        "trust/digest",
        format!("the files are not those of the commit: {why}"),
    )
    .help("fetch the source anew: `fluxwright lock --update NAME`")
}
