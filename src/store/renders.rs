//! Results by the digest of everything that went into them.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::artifact::{Digest, Hasher};

/// The length of the digest that a file begins with.
const DIGEST_LENGTH: usize = 64;

/// How much of a result is in memory at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// A result that is whole. It stays on disk, where it can be read part by part:
/// results are large, and most of what is in one is only passed on.
#[derive(Debug)]
pub struct Rendered {
    file: fs::File,
    length_bytes: u64,
}

impl Rendered {
    fn open(path: &Path) -> Option<Rendered> {
        let mut file = fs::File::open(path).ok()?;
        let mut wanted = [0; DIGEST_LENGTH];
        file.read_exact(&mut wanted).ok()?;
        let mut hasher = sealing(path)?;
        let mut buffer = vec![0; CHUNK_BYTES];
        let mut length_bytes = 0;
        loop {
            let count = file.read(&mut buffer).ok()?;
            let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) else {
                break;
            };
            hasher.update(read);
            length_bytes += count as u64;
        }
        let is_whole = hasher.finish().hex().as_bytes() == wanted;
        is_whole.then_some(Rendered { file, length_bytes })
    }

    /// How long it is.
    pub fn length_bytes(&self) -> u64 {
        self.length_bytes
    }

    /// Fills a buffer with what is there from a place on.
    ///
    /// # Errors
    ///
    /// Where there is less, or it cannot be read.
    pub fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, at + DIGEST_LENGTH as u64)
    }

    /// Hands over a part of it, piece by piece.
    ///
    /// # Errors
    ///
    /// What `take` says, and where it cannot be read.
    pub fn each_piece(
        &self,
        part: &Range<u64>,
        mut take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut buffer = vec![0; CHUNK_BYTES.min(usize_of(part.end - part.start))];
        let mut at = part.start;
        while at < part.end {
            let length = usize_of(part.end - at).min(buffer.len());
            let Some(piece) = buffer.get_mut(..length) else {
                break;
            };
            self.read_at(piece, at)?;
            take(piece)?;
            at += length as u64;
        }
        Ok(())
    }

    /// All of it; none where it cannot be read any more.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        let mut bytes = vec![0; usize_of(self.length_bytes)];
        self.read_at(&mut bytes, 0).ok()?;
        Some(bytes)
    }
}

/// The digest of a result and its key, so far as the key goes: a result under
/// the key of another one is none.
fn sealing(path: &Path) -> Option<Hasher> {
    let mut hasher = Hasher::default();
    for part in [path.parent()?.file_name()?, path.file_name()?] {
        hasher.update(part.as_encoded_bytes());
    }
    Some(hasher)
}

/// What lies on disk fits into the address space, or reading it fails.
fn usize_of(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// The cache of rendering.
///
/// A result lies in a file that is named by its key and begins with the digest
/// of both: what is truncated, damaged, of another key or of another version is
/// no result, and is made again. A cache that cannot be written is no error: everything can be
/// made again.
#[derive(Clone, Debug)]
pub struct Renders {
    root: PathBuf,
}

impl Renders {
    /// The cache in a folder, which need not exist.
    pub fn new(root: impl Into<PathBuf>) -> Renders {
        Renders { root: root.into() }
    }

    pub(super) fn path(&self, key: Digest) -> PathBuf {
        let hex = key.hex();
        let (folder, name) = hex.split_at(2);
        self.root.join(folder).join(name)
    }

    /// The result of a key; none where there is none that is whole.
    pub fn get(&self, key: Digest) -> Option<Rendered> {
        let rendered = Rendered::open(&self.path(key))?;
        super::note_use(&rendered.file);
        Some(rendered)
    }

    /// Whether a file holds a whole result.
    pub(super) fn is_whole(path: &Path) -> bool {
        Rendered::open(path).is_some()
    }

    /// Forgets the result of a key.
    pub fn remove(&self, key: Digest) {
        // What stays is pruned when nothing has used it for long.
        let _ = fs::remove_file(self.path(key));
    }

    /// Keeps the result of a key.
    pub fn put(&self, key: Digest, result: &[u8]) {
        // Whoever shares the cache sees the whole file or none.
        let _ = self.write(&self.path(key), result);
    }

    fn write(&self, path: &Path, result: &[u8]) -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        let mut hasher = sealing(path).ok_or(io::ErrorKind::InvalidInput)?;
        hasher.update(result);
        file.write_all(hasher.finish().hex().as_bytes())?;
        file.write_all(result)?;
        file.persist(path)?;
        Ok(())
    }
}
