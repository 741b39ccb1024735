//! Content by its digest, on disk: what was fetched, and what was rendered.
//!
//! In: bytes. Out: the same bytes, or an error: a file whose content does not
//! have the digest that it is named by is never handed out. A store is a folder
//! that any number of processes may share:
//!
//! - `sha256/ab/cdef…` holds content under its digest. It is written beside, as
//!   `incoming/…`, hashed on the way, and renamed when it is whole, so that a
//!   process that dies leaves nothing half-written under a digest,
//! - `renders/…` holds results by the digest of what went in ([`Renders`]).
//!
//! Nothing refers to a store; it can be deleted at any time and fetched again.

#![expect(
    clippy::disallowed_methods,
    reason = "this is what keeps files by their digest"
)]

mod renders;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::artifact::{Digest, Hasher, MAX_FILE_BYTES};
use crate::diag::{Error, Result};

pub use renders::{Rendered, Renders};

/// The largest content that is taken, in bytes.
pub const MAX_CONTENT_BYTES: u64 = 2 * MAX_FILE_BYTES + (64 << 20);

/// How long a file that nobody finished is left alone: longer than any fetch.
const ABANDONED: Duration = Duration::from_hours(24);

/// Uses closer together than this are not noted.
const USE_PRECISION: Duration = Duration::from_hours(1);

/// A store: a folder, which need not exist before something is put in it.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
    uses: Option<Arc<Uses>>,
}

/// Which content a store was asked for, and whether it had it.
#[derive(Debug, Default)]
pub struct Uses(Mutex<BTreeMap<Digest, bool>>);

impl Uses {
    /// All of it.
    pub fn all(&self) -> BTreeMap<Digest, bool> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Content of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// When it was last used, to the hour.
    pub used: SystemTime,
}

/// What is kept when a store is pruned.
#[derive(Clone, Debug, Default)]
pub struct Keep {
    /// Only what was used within this time.
    pub used_within: Option<Duration>,
    /// Only so much, what was used last first.
    pub total_bytes: Option<u64>,
}

/// What pruning took away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// How many files.
    pub count: usize,
    /// Their size in bytes.
    pub size_bytes: u64,
}

impl Store {
    /// The store in a folder.
    pub fn new(root: impl Into<PathBuf>) -> Store {
        Store {
            root: root.into(),
            uses: None,
        }
    }

    /// The same store, which notes what it is asked for.
    #[must_use]
    pub fn noting(mut self, uses: Arc<Uses>) -> Store {
        self.uses = Some(uses);
        self
    }

    fn note(&self, digest: Digest, is_there: bool) {
        if let Some(Uses(uses)) = self.uses.as_deref() {
            let mut uses = uses.lock().unwrap_or_else(PoisonError::into_inner);
            uses.insert(digest, is_there);
        }
    }

    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Results of rendering, in the same folder.
    pub fn renders(&self) -> Renders {
        Renders::new(self.root.join("renders"))
    }

    fn path(&self, digest: Digest) -> PathBuf {
        let hex = digest.hex();
        let (folder, name) = hex.split_at(2);
        self.root.join("sha256").join(folder).join(name)
    }

    /// Whether there is content of this digest; it is not read.
    pub fn holds(&self, digest: Digest) -> bool {
        let is_there = self.path(digest).is_file();
        self.note(digest, is_there);
        is_there
    }

    /// The content of a digest.
    ///
    /// # Errors
    ///
    /// `store/missing` where there is none, `store/damaged` where the file
    /// holds something else, `store/unreadable` for what cannot be read.
    pub fn read(&self, digest: Digest) -> Result<Arc<[u8]>> {
        let content = self.content(digest);
        self.note(digest, content.is_ok());
        content
    }

    fn content(&self, digest: Digest) -> Result<Arc<[u8]>> {
        let path = self.path(digest);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(
                    Error::new("store/missing", format!("`{digest}` is not in the store"))
                        .help("run `fluxwright fetch`, which needs the network"),
                );
            }
            Err(e) => return Err(self.failed("store/unreadable", "read", &e)),
        };
        let read = |e: io::Error| self.failed("store/unreadable", "read", &e);
        let size = file.metadata().map_err(read)?.len();
        let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        file.read_to_end(&mut content).map_err(read)?;
        if Digest::of(&content) != digest {
            return Err(damaged(digest, &path));
        }
        note_use(&file);
        Ok(content.into())
    }

    /// Puts content in.
    ///
    /// # Errors
    ///
    /// `store/unwritable`.
    pub fn put(&self, content: &[u8]) -> Result<Digest> {
        let digest = Digest::of(content);
        // What is there and damaged is replaced.
        if self.content(digest).is_err() {
            let mut incoming = self.incoming()?;
            incoming
                .write_all(content)
                .map_err(|e| self.failed("store/unwritable", "write to", &e))?;
            incoming.finish(Some(digest))?;
        }
        Ok(digest)
    }

    /// Takes content out again, where it is there.
    ///
    /// # Errors
    ///
    /// `store/unwritable`.
    pub fn forget(&self, digest: Digest) -> Result<()> {
        self.remove(&self.path(digest))
    }

    /// A place for content that comes in pieces.
    ///
    /// # Errors
    ///
    /// `store/unwritable`.
    pub fn incoming(&self) -> Result<Incoming<'_>> {
        let folder = self.root.join("incoming");
        let file = fs::create_dir_all(&folder)
            .and_then(|()| tempfile::NamedTempFile::new_in(&folder))
            .map_err(|e| self.failed("store/unwritable", "write to", &e))?;
        Ok(Incoming {
            store: self,
            file,
            hasher: Hasher::default(),
            size: 0,
        })
    }

    /// All content, sorted by digest.
    ///
    /// # Errors
    ///
    /// `store/unreadable`.
    pub fn list(&self) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for folder in self.names(&self.root.join("sha256"))? {
            for file in self.names(&folder)? {
                let Some(digest) = digest_of(&file) else {
                    continue;
                };
                // Another process may prune meanwhile.
                let Ok(metadata) = fs::metadata(&file) else {
                    continue;
                };
                entries.push(Entry {
                    digest,
                    size_bytes: metadata.len(),
                    used: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                });
            }
        }
        entries.sort_by_key(|e| e.digest);
        Ok(entries)
    }

    /// The digests whose content is damaged, sorted, and then the results of
    /// rendering that are; each is an error that names the file.
    ///
    /// # Errors
    ///
    /// `store/unreadable` where the store cannot be listed.
    pub fn verify(&self) -> Result<Vec<Error>> {
        use rayon::prelude::*;
        let entries = self.list()?;
        let errors = entries.par_iter().map(|e| self.content(e.digest).err());
        let mut errors: Vec<Error> = errors
            .filter(|e| e.as_ref().is_none_or(|e| e.rule() != "store/missing"))
            .flatten()
            .collect();
        let paths = self.rendered()?;
        let damaged = paths.par_iter().filter(|path| !Renders::is_whole(path));
        errors.par_extend(damaged.map(|path| {
            Error::new(
                "store/damaged",
                format!("`{}` is damaged: a result of rendering", path.display()),
            )
            .help("delete it; it is made again when it is needed")
        }));
        Ok(errors)
    }

    /// The results of rendering: how many, and their size in bytes.
    ///
    /// # Errors
    ///
    /// `store/unreadable`.
    pub fn rendered_size(&self) -> Result<(usize, u64)> {
        let files = self.rendered()?.into_iter().filter_map(stat);
        Ok(files.fold((0, 0), |(count, total), (_, size, _)| {
            (count + 1, total + size)
        }))
    }

    /// The files of results of rendering, sorted.
    fn rendered(&self) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for folder in self.names(&self.root.join("renders"))? {
            files.extend(self.names(&folder)?);
        }
        files.sort();
        Ok(files)
    }

    /// Takes away what is not to be kept, results of rendering included, and
    /// what dead processes left.
    ///
    /// # Errors
    ///
    /// `store/unreadable`, `store/unwritable`.
    pub fn prune(&self, keep: &Keep) -> Result<Pruned> {
        let now = SystemTime::now();
        let age = |used: SystemTime| now.duration_since(used).unwrap_or_default();
        let mut files: Vec<(SystemTime, u64, PathBuf)> = self
            .list()?
            .into_iter()
            .map(|e| (e.used, e.size_bytes, self.path(e.digest)))
            .collect();
        files.extend(self.rendered()?.into_iter().filter_map(stat));
        // Last used first.
        files.sort_by(|a, b| (b.0, &a.2).cmp(&(a.0, &b.2)));
        let mut pruned = Pruned::default();
        let mut total = 0u64;
        for (used, size, path) in files {
            let is_old = keep.used_within.is_some_and(|limit| age(used) > limit);
            let is_surplus = keep.total_bytes.is_some_and(|limit| total + size > limit);
            if is_old || is_surplus {
                self.remove(&path)?;
                pruned.count += 1;
                pruned.size_bytes += size;
            } else {
                total += size;
            }
        }
        for file in self.names(&self.root.join("incoming"))? {
            if let Some((written, _, path)) = stat(file)
                && age(written) > ABANDONED
            {
                self.remove(&path)?;
            }
        }
        Ok(pruned)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(self.failed("store/unwritable", "remove from", &e))
            }
            _ => Ok(()),
        }
    }

    /// The entries of a folder; none where there is no such folder.
    fn names(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        let failed = |e: io::Error| self.failed("store/unreadable", "list", &e);
        match fs::read_dir(folder) {
            Ok(entries) => entries
                .map(|e| e.map(|e| e.path()).map_err(failed))
                .collect(),
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                Ok(Vec::new())
            }
            Err(e) => Err(failed(e)),
        }
    }

    fn failed(&self, rule: &'static str, what: &str, error: &io::Error) -> Error {
        let message = format!("cannot {what} the store `{}`: {error}", self.root.display());
        Error::new(rule, message).help(if is_full(error) {
            "make room, for instance with `fluxwright store prune --older-than 30d`"
        } else {
            "give another folder with `--store DIR`"
        })
    }
}

/// Whether an error says that there is no room left.
pub fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | FileTooLarge | QuotaExceeded)
}

/// Content on its way into a store; dropped before it is finished, it leaves
/// nothing.
#[derive(Debug)]
pub struct Incoming<'a> {
    store: &'a Store,
    file: tempfile::NamedTempFile,
    hasher: Hasher,
    size: u64,
}

impl Incoming<'_> {
    /// How much was written, in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.size
    }

    /// Gives the content its place under its digest.
    ///
    /// # Errors
    ///
    /// `store/digest` where another digest was expected, `store/unwritable`.
    pub fn finish(self, expected: Option<Digest>) -> Result<Digest> {
        let digest = self.hasher.finish();
        if let Some(expected) = expected
            && expected != digest
        {
            return Err(Error::new(
                "store/digest",
                format!("what was fetched has the digest {digest}, not {expected}"),
            )
            .help(
                "the content changed behind its name: find out why, then take it over with \
                 `fluxwright lock --update NAME`",
            ));
        }
        let failed = |e: io::Error| self.store.failed("store/unwritable", "write to", &e);
        let target = self.store.path(digest);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        // Whole on disk before it has its name: a machine may lose power.
        self.file.as_file().sync_data().map_err(failed)?;
        self.file.persist(&target).map_err(|e| failed(e.error))?;
        Ok(digest)
    }
}

impl Write for Incoming<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.size += written as u64;
        if self.size > MAX_CONTENT_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("it is larger than {} MiB", MAX_CONTENT_BYTES >> 20),
            ));
        }
        self.hasher.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Notes that a file was used: its time of modification, as others are often
/// not kept.
fn note_use(file: &File) {
    let now = SystemTime::now();
    let known = file.metadata().and_then(|m| m.modified());
    let is_recent = known.is_ok_and(|used| {
        now.duration_since(used)
            .is_ok_and(|age| age < USE_PRECISION)
    });
    if !is_recent {
        // A store that is only readable does without.
        let _ = file.set_modified(now);
    }
}

fn stat(file: PathBuf) -> Option<(SystemTime, u64, PathBuf)> {
    let metadata = fs::metadata(&file).ok()?;
    Some((metadata.modified().ok()?, metadata.len(), file))
}

/// The digest that a file of a store is named by.
fn digest_of(file: &Path) -> Option<Digest> {
    let name = file.file_name()?.to_str()?;
    let folder = file.parent()?.file_name()?.to_str()?;
    Digest::parse(&format!("sha256:{folder}{name}")).ok()
}

fn damaged(digest: Digest, path: &Path) -> Error {
    Error::new(
        "store/damaged",
        format!("`{digest}` in the store is damaged: its content has another digest"),
    )
    .help(format!(
        "delete `{}`, then run `fluxwright fetch`",
        path.display()
    ))
}

#[cfg(test)]
mod tests;
