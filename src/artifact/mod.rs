//! File trees that the pipeline reads, and nothing else: every byte below
//! `pipeline` comes out of a [`Tree`].
//!
//! In: a folder, an archive, a git tree, or files in memory. Out: files by
//! their path relative to the root of the tree, with `/` between its parts and
//! without `.` and `..`; the root itself is the empty path.

pub mod archive;
pub mod bytes;
mod digest;
mod disk;
#[cfg(feature = "git")]
pub mod git;
pub mod ignore;
mod memory;
pub mod pack;
pub mod path;
mod reads;
mod replaced;
mod rooted;

use std::sync::Arc;

use crate::diag::Result;

pub use digest::{Digest, Hasher};
pub use disk::DiskTree;
pub use memory::MemoryTree;
pub use reads::{Reads, Recording, content_digest, digest_of_content};
pub use replaced::Replaced;
pub use rooted::RootedTree;

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file, or a link to one.
    File,
    /// A folder, or a link to one.
    Directory,
}

/// An entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name in the folder.
    pub name: String,
    /// What it is, links followed.
    pub kind: Kind,
    /// Whether it is a symbolic link.
    pub is_symlink: bool,
}

/// The largest file that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 512 << 20;

/// Whether a file holds, in the place of its content, what Git LFS knows it by.
pub fn is_lfs_pointer(bytes: &[u8]) -> bool {
    bytes.starts_with(b"version https://git-lfs.github.com/spec/v1\n")
}

/// A tree of files that does not change while it is read.
///
/// Symbolic links are followed as long as they stay in the tree; one that
/// leads out of it is an error where it is met.
pub trait Tree: Send + Sync + std::fmt::Debug {
    /// What a path names; none where there is nothing.
    fn kind(&self, path: &str) -> Result<Option<Kind>>;

    /// The content of a file.
    ///
    /// # Errors
    ///
    /// `ref/missing` where there is none, `file/unreadable` for what cannot be
    /// read, is no file, or is larger than [`MAX_FILE_BYTES`].
    fn read(&self, path: &str) -> Result<Arc<[u8]>>;

    /// The entries of a folder, in the order of their names' bytes.
    ///
    /// # Errors
    ///
    /// As [`Tree::read`].
    fn list(&self, path: &str) -> Result<Vec<Entry>>;

    /// The path with all symbolic links followed; none where there is nothing.
    fn resolve(&self, path: &str) -> Result<Option<String>> {
        Ok(self.kind(path)?.map(|_| path.to_owned()))
    }

    /// The path as users know it, for messages and findings.
    fn display(&self, path: &str) -> String;
}
