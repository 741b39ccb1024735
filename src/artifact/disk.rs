//! Trees on disk: the one place below `source` that reads files.

#![expect(
    clippy::disallowed_methods,
    reason = "this is what others read through"
)]

use std::fs::FileType;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use foldhash::HashMap;

use super::{Entry, Kind, MAX_FILE_BYTES, Tree};
use crate::diag::{Error, Result};

/// A folder on disk.
#[derive(Clone, Debug)]
pub struct DiskTree {
    /// The root, without links in it.
    root: PathBuf,
    /// What stands before paths in messages.
    prefix: String,
    /// Folders in the tree that are known to be there, and the places they are
    /// found at: their parents need not be looked at again.
    folders: Arc<RwLock<HashMap<String, PathBuf>>>,
    /// Whether links may lead out of the root.
    follows_links: bool,
}

impl DiskTree {
    /// The tree below a folder. Messages name files relative to it.
    ///
    /// # Errors
    ///
    /// `ref/missing` where there is no such folder.
    pub fn open(root: &Path) -> Result<DiskTree> {
        let canonical = root
            .canonicalize()
            .map_err(|e| io_error(&root.display().to_string(), &e))?;
        if !canonical.is_dir() {
            return Err(Error::new(
                "file/unreadable",
                format!("`{}` is no folder", root.display()),
            ));
        }
        Ok(DiskTree {
            root: canonical,
            prefix: String::new(),
            folders: Arc::default(),
            follows_links: false,
        })
    }

    /// The same tree, with `prefix` before its paths in messages.
    #[must_use]
    pub fn named(mut self, prefix: impl Into<String>) -> DiskTree {
        self.prefix = prefix.into();
        self
    }

    /// The same tree, whose links may lead anywhere, but not nowhere: for what
    /// a user names by hand, and a reference reads so.
    #[must_use]
    pub fn following_links(mut self) -> DiskTree {
        self.follows_links = true;
        self
    }

    /// The root, absolute and without links.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The place on disk of a path in the tree and what lies there, links
    /// followed and checked.
    fn locate(&self, path: &str) -> Result<Option<(PathBuf, FileType)>> {
        match self.find(path) {
            Ok(Some(found)) => Ok(Some(found)),
            Ok(None) => Err(self.escape(path)),
            Err(e) if is_absent(&e) => Ok(None),
            Err(e) => Err(io_error(&self.display(path), &e)),
        }
    }

    fn escape(&self, path: &str) -> Error {
        Error::new(
            "file/escape",
            format!(
                "`{}` leads out of `{}` through a symbolic link",
                self.display(path),
                self.display("")
            ),
        )
        .help("replace the link by what it points to, or move that into the tree")
    }

    /// Opens a file; none for what is not in the tree.
    fn open_file(&self, path: &str) -> io::Result<Option<std::fs::File>> {
        use rustix::fs::{Mode, OFlags, open};
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let Some(mut place) = self.folder(folder)? else {
            return Ok(None);
        };
        if !name.is_empty() {
            place.push(name);
        }
        // Whoever opens a pipe would wait for somebody to write to it.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        match open(&place, flags | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(file) => Ok(Some(file.into())),
            // It is a link: it is looked at where it leads.
            Err(rustix::io::Errno::LOOP) => match self.find(path)? {
                Some((place, _)) => Ok(Some(open(&place, flags, Mode::empty())?.into())),
                None => Ok(None),
            },
            Err(e) => Err(e.into()),
        }
    }

    /// As `locate`; none for what is not in the tree.
    fn find(&self, path: &str) -> io::Result<Option<(PathBuf, FileType)>> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let Some(mut place) = self.folder(folder)? else {
            return Ok(None);
        };
        if name.is_empty() {
            let file_type = place.symlink_metadata()?.file_type();
            return Ok(Some((place, file_type)));
        }
        place.push(name);
        let file_type = place.symlink_metadata()?.file_type();
        if !file_type.is_symlink() {
            return Ok(Some((place, file_type)));
        }
        let place = place.canonicalize()?;
        if !self.follows_links && !place.starts_with(&self.root) {
            return Ok(None);
        }
        let file_type = place.symlink_metadata()?.file_type();
        Ok(Some((place, file_type)))
    }

    /// The place on disk of a folder; none for what is not in the tree.
    fn folder(&self, path: &str) -> io::Result<Option<PathBuf>> {
        if path.is_empty() {
            return Ok(Some(self.root.clone()));
        }
        let known = self.folders.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = known.get(path) {
            return Ok(Some(place.clone()));
        }
        drop(known);
        let Some((place, file_type)) = self.find(path)? else {
            return Ok(None);
        };
        if !file_type.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        let mut known = self.folders.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(path.to_owned(), place.clone());
        Ok(Some(place))
    }
}

fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, NotADirectory, NotFound};
    // A name with a NUL in it names nothing.
    matches!(error.kind(), NotFound | NotADirectory | InvalidInput)
}

impl Tree for DiskTree {
    fn kind(&self, path: &str) -> Result<Option<Kind>> {
        Ok(self.locate(path)?.map(|(_, file_type)| {
            if file_type.is_dir() {
                Kind::Directory
            } else {
                Kind::File
            }
        }))
    }

    fn read(&self, path: &str) -> Result<Arc<[u8]>> {
        let display = || self.display(path);
        let file = match self.open_file(path) {
            Ok(Some(file)) => file,
            Ok(None) => return Err(self.escape(path)),
            Err(e) => return Err(io_error(&display(), &e)),
        };
        let metadata = file.metadata().map_err(|e| io_error(&display(), &e))?;
        if metadata.is_dir() {
            return Err(is_a_folder(&display()));
        }
        if !metadata.is_file() {
            return Err(Error::new(
                "file/unreadable",
                format!("`{}` is no regular file", display()),
            ));
        }
        let capacity = usize::try_from(metadata.len().min(MAX_FILE_BYTES)).unwrap_or_default();
        let mut content = Vec::with_capacity(capacity);
        file.take(MAX_FILE_BYTES + 1)
            .read_to_end(&mut content)
            .map_err(|e| io_error(&display(), &e))?;
        if content.len() as u64 > MAX_FILE_BYTES {
            return Err(Error::new(
                "file/unreadable",
                format!(
                    "`{}` is larger than {} MiB",
                    display(),
                    MAX_FILE_BYTES >> 20
                ),
            ));
        }
        Ok(content.into())
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>> {
        let error = |e: &io::Error| io_error(&self.display(path), e);
        let (real, _) = self
            .locate(path)?
            .ok_or_else(|| missing(&self.display(path)))?;
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(&real).map_err(|e| error(&e))? {
            let entry = entry.map_err(|e| error(&e))?;
            let file_type = entry.file_type().map_err(|e| error(&e))?;
            let Ok(name) = entry.file_name().into_string() else {
                return Err(Error::new(
                    "file/unreadable",
                    format!(
                        "`{}` holds a file whose name is not UTF-8",
                        self.display(path)
                    ),
                )
                .help("rename it"));
            };
            let kind = if file_type.is_symlink() {
                // A link to nowhere, or out of the tree, is a file that
                // cannot be read: an error only for who reads it.
                match std::fs::metadata(entry.path()) {
                    Ok(target) if target.is_dir() => Kind::Directory,
                    Err(e) if self.follows_links => {
                        let path = super::path::join(path, &name).unwrap_or_default();
                        return Err(io_error(&self.display(&path), &e).help(
                            "this is a symbolic link: remove it, or mend where it points to",
                        ));
                    }
                    _ => Kind::File,
                }
            } else if file_type.is_dir() {
                Kind::Directory
            } else {
                Kind::File
            };
            entries.push(Entry {
                name,
                kind,
                is_symlink: file_type.is_symlink(),
            });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn resolve(&self, path: &str) -> Result<Option<String>> {
        let Some((real, _)) = self.locate(path)? else {
            return Ok(None);
        };
        let relative = real.strip_prefix(&self.root).unwrap_or(&real);
        relative
            .to_str()
            .map(str::to_owned)
            .map(Some)
            .ok_or_else(|| {
                Error::new(
                    "file/unreadable",
                    format!("the way to `{}` is not UTF-8", self.display(path)),
                )
                .help("rename it")
            })
    }

    fn display(&self, path: &str) -> String {
        match (self.prefix.as_str(), path) {
            ("", "") => ".".to_owned(),
            ("", path) => path.to_owned(),
            (prefix, "") => prefix.to_owned(),
            ("/", path) => format!("/{path}"),
            (prefix, path) => format!("{prefix}/{path}"),
        }
    }
}

pub(super) fn missing(path: &str) -> Error {
    Error::new("ref/missing", format!("no such file or folder: `{path}`"))
}

pub(super) fn is_a_folder(path: &str) -> Error {
    Error::new(
        "file/unreadable",
        format!("`{path}` is a folder, not a file"),
    )
}

fn io_error(path: &str, error: &io::Error) -> Error {
    if is_absent(error) {
        return missing(path);
    }
    Error::new(
        "file/unreadable",
        format!("cannot read `{path}`: {}", error.kind()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("tree/sub")).unwrap();
        std::fs::write(folder.path().join("outside"), "no").unwrap();
        std::fs::write(folder.path().join("tree/sub/a"), "a").unwrap();
        folder
    }

    #[test]
    fn reading_and_listing() {
        let folder = folder();
        let tree = DiskTree::open(&folder.path().join("tree")).unwrap();
        assert_eq!(&*tree.read("sub/a").unwrap(), b"a");
        assert_eq!(tree.kind("sub").unwrap(), Some(Kind::Directory));
        assert_eq!(tree.kind("sub/a/b").unwrap(), None);
        assert_eq!(tree.read("sub").unwrap_err().rule(), "file/unreadable");
        assert_eq!(tree.read("x").unwrap_err().rule(), "ref/missing");
        assert_eq!(tree.list("").unwrap()[0].name, "sub");
        assert!(DiskTree::open(&folder.path().join("x")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn pipes_are_no_files() {
        let folder = folder();
        let made = std::process::Command::new("mkfifo")
            .arg(folder.path().join("tree/pipe"))
            .status();
        assert!(made.unwrap().success());
        let tree = DiskTree::open(&folder.path().join("tree")).unwrap();
        let error = tree.read("pipe").unwrap_err();
        assert_eq!(error.rule(), "file/unreadable");
        assert_eq!(error.to_string(), "`pipe` is no regular file");
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_inside() {
        use std::os::unix::fs::symlink;
        let folder = folder();
        let root = folder.path().join("tree");
        symlink("sub/a", root.join("in")).unwrap();
        symlink("../outside", root.join("out")).unwrap();
        symlink("nowhere", root.join("dangling")).unwrap();
        symlink("sub", root.join("folder")).unwrap();
        symlink("..", root.join("above")).unwrap();
        let tree = DiskTree::open(&root).unwrap();
        assert_eq!(&*tree.read("in").unwrap(), b"a");
        let error = tree.read("out").unwrap_err();
        assert_eq!(error.rule(), "file/escape");
        assert_eq!(
            error.to_string(),
            "`out` leads out of `.` through a symbolic link"
        );
        assert_eq!(tree.read("dangling").unwrap_err().rule(), "ref/missing");
        // What is below a folder is found through what is known of the folder.
        for _ in 0..2 {
            assert_eq!(tree.resolve("folder/a").unwrap().as_deref(), Some("sub/a"));
            assert_eq!(tree.kind("folder").unwrap(), Some(Kind::Directory));
            let error = tree.read("above/outside").unwrap_err();
            assert_eq!(error.rule(), "file/escape");
        }
        let links: Vec<bool> = tree
            .list("")
            .unwrap()
            .iter()
            .map(|e| e.is_symlink)
            .collect();
        assert_eq!(links, [true, true, true, true, true, false]);
    }
}
