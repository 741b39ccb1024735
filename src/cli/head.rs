//! The commit that the working tree is of.

use std::path::Path;

use crate::artifact::Reads;
use crate::diag::{Error, Result};

/// A commit.
pub(super) struct Head {
    /// `sha1:…` or `sha256:…`, as Flux writes revisions.
    pub(super) revision: String,
    /// When it was made, in seconds since 1970.
    pub(super) seconds: i64,
}

/// The folder of the Git repository that a folder lies in.
#[cfg(feature = "git")]
pub(super) fn top_of(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|f| f.join(".git").exists())
}

/// The commit that is checked out; none outside of Git.
#[cfg(feature = "git")]
pub(super) fn of(root: &Path) -> Option<Head> {
    use crate::artifact::git::{GitRepository, committed_at};

    let top = top_of(root)?;
    let repository = GitRepository::open(top).ok()?;
    let commit = repository.revision("HEAD").ok()?;
    let (_, content) = repository.read(commit).ok()?;
    let algorithm = if repository.is_sha256() {
        "sha256"
    } else {
        "sha1"
    };
    Some(Head {
        revision: format!("{algorithm}:{commit}"),
        seconds: committed_at(&content),
    })
}

/// The first file below the root that is not as it was committed, or is not
/// committed at all; only files that a build reads count among the latter: what
/// was read, and manifests that may have been, but none of these in the folder
/// `output`, where an earlier run may have written.
///
/// # Errors
///
/// `ref/missing` outside of Git.
#[cfg(feature = "git")]
pub(super) fn first_change(
    root: &Path,
    output: Option<&Path>,
    reads: &Reads,
) -> Result<Option<String>> {
    use std::collections::BTreeMap;

    use crate::artifact::git::{GitRepository, GitTree};
    use crate::artifact::{DiskTree, Kind, Tree as _};

    fn untracked(
        disk: &DiskTree,
        folder: &str,
        output: Option<&str>,
        known: &BTreeMap<String, crate::artifact::git::ObjectId>,
    ) -> Result<Option<String>> {
        for entry in disk.list(folder)? {
            let path = if folder.is_empty() {
                entry.name.clone()
            } else {
                format!("{folder}/{}", entry.name)
            };
            let is_output = output == Some(path.as_str());
            if entry.name.starts_with('.') || entry.is_symlink || is_output {
                continue;
            }
            let is_read = [".yaml", ".yml", ".json", ".env"]
                .iter()
                .any(|ending| entry.name.ends_with(ending));
            // A bundle that an earlier run made or pulled is no manifest.
            let is_layout = || {
                let marker = path.strip_suffix(&entry.name).unwrap_or_default();
                matches!(
                    disk.kind(&format!("{marker}oci-layout")),
                    Ok(Some(Kind::File))
                )
            };
            let is_read = is_read && !(entry.name == "index.json" && is_layout());
            match entry.kind {
                Kind::Directory => {
                    if let Some(found) = untracked(disk, &path, output, known)? {
                        return Ok(Some(found));
                    }
                }
                Kind::File if is_read && !known.contains_key(&path) => return Ok(Some(path)),
                Kind::File => {}
            }
        }
        Ok(None)
    }

    let top = top_of(root);
    let top = top.ok_or_else(|| {
        Error::new(
            "ref/missing",
            format!("`{}` lies in no Git repository", root.display()),
        )
        .help("release from a clone, so that the bundle has a revision")
    })?;
    let folder = root.strip_prefix(top).ok().and_then(Path::to_str);
    let open = || GitRepository::open(top);
    let commit = open()?.revision("HEAD")?;
    let tree = GitTree::open(open()?, commit, folder.unwrap_or_default(), "HEAD")?;
    let names = open()?;
    let disk = DiskTree::open(root)?;
    let known: BTreeMap<String, _> = tree.files().map(|(p, id)| (p.to_owned(), id)).collect();
    for (path, id) in &known {
        // A link is its target's path in Git, and its target's content here.
        let committed = tree.read(path);
        let same = match (disk.read(path), committed) {
            (Ok(now), Ok(was)) => names.name_of(&now) == Some(*id) || now == was,
            (now, was) => now.is_err() && was.is_err(),
        };
        if !same {
            return Ok(Some(path.clone()));
        }
    }
    for path in reads.contents() {
        let is_there = disk.kind(path)? == Some(Kind::File);
        let real = disk.resolve(path)?;
        if is_there && !known.contains_key(path) && !real.is_some_and(|at| known.contains_key(&at))
        {
            return Ok(Some(path.to_owned()));
        }
    }
    // Nothing that is committed is passed over.
    let output = output
        .and_then(|path| path.canonicalize().ok())
        .and_then(|path| Some(path.strip_prefix(root).ok()?.to_str()?.to_owned()));
    untracked(&disk, "", output.as_deref(), &known)
}

/// Whether a file is one of the commit that is checked out.
///
/// # Errors
///
/// `ref/missing` outside of Git.
#[cfg(feature = "git")]
pub(super) fn is_committed(root: &Path, file: &Path) -> Result<bool> {
    use crate::artifact::git::{GitRepository, GitTree};

    let top = top_of(root);
    let (Some(top), Ok(file)) = (top, file.canonicalize()) else {
        return Ok(false);
    };
    let Some(path) = file.strip_prefix(top).ok().and_then(Path::to_str) else {
        return Ok(false);
    };
    let repository = GitRepository::open(top)?;
    let commit = repository.revision("HEAD")?;
    let tree = GitTree::open(repository, commit, "", "HEAD")?;
    Ok(tree.files().any(|(committed, _)| committed == path))
}

/// None: this build knows no Git.
#[cfg(not(feature = "git"))]
pub(super) fn of(_root: &Path) -> Option<Head> {
    None
}

/// Nothing can be said: this build knows no Git.
#[cfg(not(feature = "git"))]
pub(super) fn first_change(
    _root: &Path,
    _output: Option<&Path>,
    _reads: &Reads,
) -> Result<Option<String>> {
    Err(Error::new(
        "usage/feature",
        "this build of fluxwright lacks the feature `git`",
    )
    .help("take a released build, or build with the default features"))
}

/// Nothing is: this build knows no Git.
#[cfg(not(feature = "git"))]
pub(super) fn is_committed(_root: &Path, _file: &Path) -> Result<bool> {
    Ok(false)
}
