//! Results by the digest of everything that went into them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::artifact::Digest;

/// The length of the digest that a file begins with.
const DIGEST_LENGTH: usize = 64;

/// A result that is whole.
#[derive(Debug, PartialEq, Eq)]
pub struct Rendered(Vec<u8>);

impl Rendered {
    fn whole(content: Vec<u8>) -> Option<Rendered> {
        let (digest, result) = content.split_first_chunk::<DIGEST_LENGTH>()?;
        (Digest::of(result).hex().as_bytes() == digest).then_some(Rendered(content))
    }
}

impl std::ops::Deref for Rendered {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.get(DIGEST_LENGTH..).unwrap_or_default()
    }
}

/// The cache of rendering.
///
/// A result lies in a file that is named by its key and begins with its own
/// digest: what is truncated, damaged or of another version is no result, and
/// is made again. A cache that cannot be written is no error: everything can be
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
        let mut file = fs::File::open(self.path(key)).ok()?;
        let mut content = Vec::new();
        file.read_to_end(&mut content).ok()?;
        let content = Rendered::whole(content)?;
        super::note_use(&file);
        Some(content)
    }

    /// Whether a file holds a whole result.
    pub(super) fn is_whole(path: &Path) -> bool {
        fs::read(path).is_ok_and(|content| Rendered::whole(content).is_some())
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
        file.write_all(Digest::of(result).hex().as_bytes())?;
        file.write_all(result)?;
        file.persist(path)?;
        Ok(())
    }
}
