//! Results by the digest of everything that went into them.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::artifact::Digest;

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
    pub fn get(&self, key: Digest) -> Option<Vec<u8>> {
        let file = fs::File::open(self.path(key)).ok()?;
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut &file, &mut content).ok()?;
        let (digest, result) = content.split_first_chunk::<64>()?;
        if Digest::of(result).hex().as_bytes() != digest {
            return None;
        }
        super::note_use(&file);
        content.drain(..64);
        Some(content)
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
