//! A tree as one piece of bytes: what the store keeps of a source.
//!
//! In: files by path. Out: bytes that follow from them alone, whatever wrote
//! them, so that their digest names the tree. Not an archive format of others,
//! since a new version of a library must never change a digest:
//!
//! ```text
//! fluxwright tree 1
//! 12 apps/web.yaml      the size in bytes, and the path; sorted by path
//! 3 notes
//!                       an empty line, then all content in this order
//! ```

use super::{MemoryTree, path};
use crate::artifact::archive::{MAX_ARCHIVE_BYTES, MAX_ARCHIVE_FILES};
use crate::diag::{Error, Result};

const MARK: &str = "fluxwright tree 1";

/// Packs the files of a tree.
///
/// # Errors
///
/// `pack/invalid` for names with a line break in them, and for more than an
/// archive may hold.
pub fn pack(tree: &MemoryTree) -> Result<Vec<u8>> {
    use std::io::Write as _;
    let mut total = 0u64;
    let mut count = 0usize;
    let mut packed = format!("{MARK}\n").into_bytes();
    for (path, content) in tree.files() {
        if path.contains('\n') {
            return Err(
                invalid(format!("a file has a line break in its name: {path:?}"))
                    .help("rename it, or leave it out with `spec.ignore`"),
            );
        }
        total += content.len() as u64;
        count += 1;
        // Writing to a Vec cannot fail.
        let _ = writeln!(packed, "{} {path}", content.len());
    }
    if total > MAX_ARCHIVE_BYTES || count > MAX_ARCHIVE_FILES {
        return Err(invalid(format!(
            "the source holds {count} files of {} MiB: more than {MAX_ARCHIVE_FILES} files or {} MiB",
            total >> 20,
            MAX_ARCHIVE_BYTES >> 20
        ))
        .help("leave out what is not deployed with `spec.ignore`"));
    }
    packed.push(b'\n');
    for (_, content) in tree.files() {
        packed.extend_from_slice(content);
    }
    Ok(packed)
}

/// Whether bytes begin as a packed tree does.
pub fn is_packed(bytes: &[u8]) -> bool {
    bytes.starts_with(MARK.as_bytes())
}

/// Unpacks a tree; `name` stands before its paths in messages.
///
/// # Errors
///
/// `pack/invalid` for what [`pack`] did not write.
pub fn unpack(bytes: &[u8], name: &str) -> Result<MemoryTree> {
    let damaged = || invalid(format!("`{name}` is no packed tree"));
    let end = memchr::memmem::find(bytes, b"\n\n").ok_or_else(damaged)?;
    let header = bytes.get(..end).ok_or_else(damaged)?;
    let header = std::str::from_utf8(header).map_err(|_| damaged())?;
    let mut lines = header.split('\n');
    if lines.next() != Some(MARK) {
        return Err(damaged());
    }
    let mut rest = bytes.get(end + 2..).ok_or_else(damaged)?;
    let mut tree = MemoryTree::new(name);
    let mut last = "";
    for line in lines {
        let (size, file) = line.split_once(' ').ok_or_else(damaged)?;
        let size: usize = size.parse().map_err(|_| damaged())?;
        if file <= last || path::join("", file).as_deref() != Some(file) {
            return Err(damaged());
        }
        last = file;
        let content = rest.split_at_checked(size).ok_or_else(damaged)?;
        tree.insert(file, content.0);
        rest = content.1;
    }
    if rest.is_empty() {
        Ok(tree)
    } else {
        Err(damaged())
    }
}

fn invalid(message: String) -> Error {
    Error::new("pack/invalid", message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::artifact::Tree as _;

    #[test]
    fn the_bytes_are_these() {
        let mut tree = MemoryTree::new("");
        tree.insert("b", b"two\n".as_slice());
        tree.insert("a/x y", b"one".as_slice());
        let packed = pack(&tree).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&packed),
            "fluxwright tree 1\n3 a/x y\n4 b\n\nonetwo\n"
        );
        assert!(is_packed(&packed));
        let back = unpack(&packed, "s").unwrap();
        assert_eq!(&*back.read("a/x y").unwrap(), b"one");
        assert_eq!(back.display("b"), "s/b");
        let empty = pack(&MemoryTree::new("")).unwrap();
        assert_eq!(unpack(&empty, "s").unwrap().paths().count(), 0);
    }

    #[test]
    fn what_was_not_packed_is_refused() {
        for bytes in [
            "",
            "fluxwright tree 1\n",
            "fluxwright tree 2\n\n",
            "fluxwright tree 1\n1 a\n\n",
            "fluxwright tree 1\n1 a\n\nxy",
            "fluxwright tree 1\n0 ../a\n\n",
            "fluxwright tree 1\n0 b\n0 a\n\n",
            "fluxwright tree 1\n0 a\n0 a\n\n",
            "fluxwright tree 1\n-1 a\n\n",
            "fluxwright tree 1\n99999999999999999999 a\n\n",
        ] {
            let error = unpack(bytes.as_bytes(), "s").unwrap_err();
            assert_eq!(error.rule(), "pack/invalid", "{bytes:?}");
        }
        let mut tree = MemoryTree::new("");
        tree.insert("a\nb", b"".as_slice());
        assert!(pack(&tree).is_err());
    }

    proptest! {
        #[test]
        fn unpacking_gives_back_what_was_packed(
            files in proptest::collection::btree_map("[a-z]{1,3}(/[a-z ]{1,4}){0,2}", any::<Vec<u8>>(), 0..8)
        ) {
            let mut tree = MemoryTree::new("");
            for (path, content) in &files {
                if let Some(path) = path::join("", path) {
                    tree.insert(path, content.as_slice());
                }
            }
            let packed = pack(&tree).unwrap();
            let back = unpack(&packed, "").unwrap();
            prop_assert!(tree.files().eq(back.files()));
            prop_assert_eq!(pack(&back).unwrap(), packed);
        }
    }
}
