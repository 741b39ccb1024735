//! Output folders, replaced as a whole.
//!
//! The new content is written beside the folder and put in its place when it is
//! whole, so that an interrupted run leaves what was there.

#![expect(
    clippy::disallowed_methods,
    reason = "this is what writes output folders"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use super::settings::open_source;
use crate::diag::{Error, Result};
use crate::pipeline::index::{FORMAT, INDEX_NAME, OutputFiles};
use crate::store::Rendered;

/// The content of a file that is to be written.
pub(super) enum Content<'a> {
    Bytes(&'a [u8]),
    /// A part of a result that was kept.
    Kept(&'a Rendered, Range<u64>),
}

impl Content<'_> {
    fn length_bytes(&self) -> u64 {
        match self {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Kept(_, part) => part.end - part.start,
        }
    }

    fn each_piece(&self, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        match self {
            Content::Bytes(bytes) => bytes.chunks(PIECE_BYTES).try_for_each(take),
            Content::Kept(kept, part) => kept.each_piece(part, &mut take),
        }
    }

    /// Whether a file has this content.
    fn is_in(&self, path: &Path) -> io::Result<bool> {
        let mut file = fs::File::open(path)?;
        if file.metadata()?.len() != self.length_bytes() {
            return Ok(false);
        }
        let mut there = Vec::new();
        let mut is_same = true;
        self.each_piece(|piece| {
            if is_same {
                there.resize(piece.len(), 0);
                file.read_exact(&mut there)?;
                is_same = there == piece;
            }
            Ok(())
        })?;
        Ok(is_same)
    }
}

/// How much of a file is compared at a time.
const PIECE_BYTES: usize = 256 << 10;

/// Files by their paths.
pub(super) type Contents<'a> = BTreeMap<&'a str, Content<'a>>;

/// Files in memory.
fn contents(files: &OutputFiles) -> Contents<'_> {
    let files = files.iter();
    files
        .map(|(path, bytes)| (path.as_str(), Content::Bytes(bytes)))
        .collect()
}

/// Replaces the content of a folder by these files; where it is the same, the
/// folder is left as it is.
///
/// # Errors
///
/// `output/refused` for a folder that holds something else than an earlier
/// output, `output/failed` for what cannot be written.
pub(super) fn replace(folder: &Path, files: &OutputFiles) -> Result<()> {
    replace_by(folder, &contents(files), FORMAT)
}

/// The same, of what may be a result that was kept.
pub(super) fn replace_kept(folder: &Path, files: &Contents<'_>) -> Result<()> {
    replace_by(folder, files, FORMAT)
}

/// The same, for a folder whose index has another format.
pub(super) fn replace_as(folder: &Path, files: &OutputFiles, format: &str) -> Result<()> {
    replace_by(folder, &contents(files), format)
}

fn replace_by(folder: &Path, files: &Contents<'_>, format: &str) -> Result<()> {
    check_ours(folder, format)?;
    let failed = |what: &str, path: &Path, e: &io::Error| {
        Error::new(
            "output/failed",
            format!("cannot {what} `{}`: {}", path.display(), e.kind()),
        )
    };
    if holds(folder, files) {
        return Ok(());
    }
    let absolute = std::path::absolute(folder).map_err(|e| failed("find", folder, &e))?;
    let parent = absolute.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent).map_err(|e| failed("create", parent, &e))?;
    let beside = tempfile::Builder::new()
        .prefix(".fluxwright-")
        .tempdir_in(parent)
        .map_err(|e| failed("write to", parent, &e))?;
    for (path, content) in files {
        let target = beside.path().join(path);
        write(&target, content).map_err(|e| failed("write", &target, &e))?;
    }
    swap(beside.path(), &absolute).map_err(|e| failed("replace", folder, &e))
}

/// Whether a folder holds these files and nothing else; what cannot be read is
/// something else.
fn holds(folder: &Path, files: &Contents<'_>) -> bool {
    let mut found = 0;
    let mut open = vec![(folder.to_owned(), String::new())];
    while let Some((at, prefix)) = open.pop() {
        let Ok(entries) = fs::read_dir(&at) else {
            return false;
        };
        let mut count = 0;
        for entry in entries {
            let Ok((entry, kind)) = entry.and_then(|e| e.file_type().map(|kind| (e, kind))) else {
                return false;
            };
            let name = entry.file_name();
            let Some(name) = name.to_str().map(|name| format!("{prefix}{name}")) else {
                return false;
            };
            count += 1;
            if kind.is_dir() {
                open.push((entry.path(), format!("{name}/")));
            } else if kind.is_file() && files.contains_key(name.as_str()) {
                found += 1;
            } else {
                return false;
            }
        }
        // A folder without files was not written.
        if count == 0 {
            return false;
        }
    }
    let is_same =
        |(path, content): (&&str, &Content<'_>)| content.is_in(&folder.join(path)).unwrap_or(false);
    found == files.len() && files.par_iter().all(is_same)
}

/// Writes the files of a bundle: a folder, or a tar archive of it where the
/// path ends with `.tar`.
///
/// # Errors
///
/// As [`replace`].
pub(super) fn write_bundle(path: &Path, files: &OutputFiles) -> Result<()> {
    if path.extension().is_none_or(|ending| ending != "tar") {
        return replace_as(path, files, crate::bundle::FORMAT);
    }
    let failed = |e: &io::Error| {
        Error::new(
            "output/failed",
            format!("cannot write `{}`: {}", path.display(), e.kind()),
        )
    };
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    if path.exists() && !is_bundle(path) {
        return Err(Error::new(
            "output/refused",
            format!("`{}` is there, and is no bundle", path.display()),
        )
        .help("name a new file, or a bundle that is to be replaced"));
    }
    fs::create_dir_all(parent).map_err(|e| failed(&e))?;
    let packed = crate::bundle::in_one_file(files)?;
    let mut beside = tempfile::NamedTempFile::new_in(parent).map_err(|e| failed(&e))?;
    beside.write_all(&packed).map_err(|e| failed(&e))?;
    // A temporary file is its owner's alone; an output is as others are.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    beside
        .as_file()
        .set_permissions(mode)
        .map_err(|e| failed(&e))?;
    beside.persist(path).map_err(|e| failed(&e.error))?;
    Ok(())
}

/// Whether a file is a bundle, whole or not.
fn is_bundle(path: &Path) -> bool {
    let source = open_source(&path.display().to_string(), &Arc::default());
    let tree = source.and_then(|source| Ok(source.files()?.tree().clone()));
    tree.is_ok_and(|tree| crate::bundle::is_layout(&*tree))
}

fn write(target: &Path, content: &Content<'_>) -> io::Result<()> {
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = fs::File::create_new(target)?;
    content.each_piece(|piece| file.write_all(piece))
}

/// Puts `new` where `old` is; what was there is left in `new`.
fn swap(new: &Path, old: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    // The folder is readable to those who could read the one before.
    let mode = fs::metadata(old).map(|m| m.permissions());
    if let Ok(mode) = mode {
        fs::set_permissions(new, mode)?;
    } else {
        readable(new)?;
        return fs::rename(new, old);
    }
    if renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE).is_ok() {
        return Ok(());
    }
    // File systems without an exchange: two steps, and the first undone if
    // the second fails.
    let mut aside = new.as_os_str().to_owned();
    aside.push("-old");
    let aside = PathBuf::from(aside);
    fs::rename(old, &aside)?;
    if let Err(e) = fs::rename(new, old) {
        let _ = fs::rename(&aside, old);
        return Err(e);
    }
    fs::remove_dir_all(&aside)
}

/// Replaces one file, whole or not at all.
///
/// # Errors
///
/// `output/failed` for what cannot be written.
pub(super) fn replace_file(target: &Path, content: &[u8]) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let write = || -> io::Result<()> {
        let folder = target.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(content)?;
        let permissions = match fs::metadata(target) {
            Ok(old) => old.permissions(),
            Err(_) => fs::Permissions::from_mode(0o644),
        };
        file.as_file().set_permissions(permissions)?;
        file.as_file().sync_data()?;
        file.persist(target)?;
        Ok(())
    };
    write().map_err(|e| {
        Error::new(
            "output/failed",
            format!("cannot write `{}`: {e}", target.display()),
        )
    })
}

/// Gives a new folder the permissions that `mkdir` would.
fn readable(folder: &Path) -> io::Result<()> {
    let probe = folder.join(".mode");
    fs::create_dir(&probe)?;
    let mode = fs::metadata(&probe)?.permissions();
    fs::remove_dir(&probe)?;
    fs::set_permissions(folder, mode)
}

/// Refuses a folder that is neither empty nor an earlier output.
fn check_ours(folder: &Path, format: &str) -> Result<()> {
    let refused = |why: &str| {
        Err(
            Error::new("output/refused", format!("`{}` {why}", folder.display()))
                .help("name a new folder, an empty one, or one that fluxwright wrote"),
        )
    };
    let mut entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(_) => return refused("is no folder that can be read"),
    };
    if entries.next().is_none() {
        return Ok(());
    }
    let ours = fs::read(folder.join(INDEX_NAME))
        .ok()
        .and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok())
        .is_some_and(|index| {
            let own = index.get("format").and_then(|s| s.as_str());
            let bundle = index
                .pointer("/annotations/fluxwright.format")
                .and_then(|s| s.as_str());
            own == Some(format) || bundle == Some(format)
        });
    if ours {
        Ok(())
    } else {
        refused("holds files that fluxwright did not write")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(list: &[&str]) -> OutputFiles {
        let index = format!("{{\"format\": \"{FORMAT}\"}}");
        let mut files: OutputFiles = list
            .iter()
            .map(|p| ((*p).to_owned(), p.as_bytes().into()))
            .collect();
        files.insert(INDEX_NAME.to_owned(), index.into_bytes().into());
        files
    }

    fn tree(folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        let mut open = vec![folder.to_owned()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    found.push(path.display().to_string());
                }
            }
        }
        let prefix = format!("{}/", folder.display());
        let mut found: Vec<_> = found.into_iter().map(|p| p.replace(&prefix, "")).collect();
        found.sort();
        found
    }

    #[test]
    fn stale_files_go_and_nothing_is_left_beside() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("deep/out");
        replace(&folder, &files(&["a/b.yaml", "c.yaml"])).unwrap();
        assert_eq!(tree(&folder), ["a/b.yaml", "c.yaml", "index.json"]);
        replace(&folder, &files(&["a/d.yaml"])).unwrap();
        assert_eq!(tree(&folder), ["a/d.yaml", "index.json"]);
        let beside = fs::read_dir(folder.parent().unwrap()).unwrap().count();
        assert_eq!(beside, 1);
    }

    #[test]
    fn what_is_the_same_is_not_written_again() {
        use std::os::unix::fs::MetadataExt as _;
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("out");
        let node = || fs::metadata(folder.join("a/b.yaml")).unwrap().ino();
        let files = files(&["a/b.yaml", "c.yaml"]);
        replace(&folder, &files).unwrap();
        let first = node();
        replace(&folder, &files).unwrap();
        assert_eq!(node(), first);
        // Whatever is not as it was written is put right.
        type Change = fn(&Path);
        let changes: [Change; 5] = [
            |folder| fs::write(folder.join("c.yaml"), "C.yaml").unwrap(),
            |folder| fs::write(folder.join("more"), "").unwrap(),
            |folder| fs::create_dir(folder.join("a/empty")).unwrap(),
            |folder| fs::remove_file(folder.join("c.yaml")).unwrap(),
            |folder| {
                fs::remove_file(folder.join("c.yaml")).unwrap();
                std::os::unix::fs::symlink("a/b.yaml", folder.join("c.yaml")).unwrap();
            },
        ];
        for change in changes {
            change(&folder);
            replace(&folder, &files).unwrap();
            assert_eq!(tree(&folder), ["a/b.yaml", "c.yaml", "index.json"]);
            assert_eq!(fs::read(folder.join("c.yaml")).unwrap(), b"c.yaml");
            assert_eq!(fs::read_dir(folder.join("a")).unwrap().count(), 1);
            assert!(
                !fs::symlink_metadata(folder.join("c.yaml"))
                    .unwrap()
                    .is_symlink()
            );
        }
    }

    #[test]
    fn other_people_s_files_stay() {
        let temporary = tempfile::tempdir().unwrap();
        fs::write(temporary.path().join("notes.txt"), "mine").unwrap();
        let error = replace(temporary.path(), &files(&["a"])).unwrap_err();
        assert_eq!(error.rule(), "output/refused");
        assert!(error.help_text().is_some());
        assert_eq!(tree(temporary.path()), ["notes.txt"]);
        fs::write(temporary.path().join("index.json"), "{}").unwrap();
        assert!(replace(temporary.path(), &files(&["a"])).is_err());
        let file = temporary.path().join("notes.txt");
        assert!(replace(&file, &files(&["a"])).is_err());
    }

    #[test]
    fn an_empty_folder_is_taken() {
        let temporary = tempfile::tempdir().unwrap();
        replace(temporary.path(), &files(&["a"])).unwrap();
        assert_eq!(tree(temporary.path()), ["a", "index.json"]);
    }
}
