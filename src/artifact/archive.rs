//! Archives, unpacked into memory.
//!
//! In: the bytes of a tar archive, compressed with gzip or not. Out: its regular
//! files in a [`MemoryTree`].
//!
//! Compat: fluxcd/pkg `tar/untar.go`: symbolic links are left out, hard links are
//! empty files, devices and names that leave the archive are refused, sizes are
//! bounded.

use std::io::Read;

use super::{MAX_FILE_BYTES, MemoryTree, path};
use crate::diag::{Error, Result};

/// The most that an archive may hold, unpacked, in bytes.
pub const MAX_ARCHIVE_BYTES: u64 = 1 << 30;
/// The most files that an archive may hold.
pub const MAX_ARCHIVE_FILES: usize = 200_000;

/// Adds the files of an archive to a tree.
///
/// # Errors
///
/// `archive/invalid` for what is no archive or a damaged one, for names that
/// lead out of it, for devices, and for more than an archive may hold.
pub fn unpack(bytes: &[u8], tree: &mut MemoryTree) -> Result<()> {
    if bytes.starts_with(&[0x1F, 0x8B]) {
        unpack_tar(flate2::read::MultiGzDecoder::new(bytes), tree)
    } else {
        unpack_tar(bytes, tree)
    }
}

/// Reads an archive to its end, to see that it is whole; what is in it is
/// looked at by whoever unpacks it.
///
/// # Errors
///
/// `archive/invalid` for what is no archive or a damaged one.
pub fn check(bytes: &[u8]) -> Result<()> {
    let damaged = |e: std::io::Error| invalid(format!("the archive is damaged: {e}"));
    let limit = MAX_ARCHIVE_BYTES + (64 << 20);
    let mut reader: Box<dyn Read> = if bytes.starts_with(&[0x1F, 0x8B]) {
        Box::new(flate2::read::MultiGzDecoder::new(bytes).take(limit))
    } else {
        Box::new(bytes.take(limit))
    };
    let mut archive = tar::Archive::new(&mut reader);
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        std::io::copy(&mut entry, &mut std::io::sink()).map_err(damaged)?;
    }
    std::io::copy(&mut reader, &mut std::io::sink())
        .map(drop)
        .map_err(damaged)
}

fn unpack_tar(reader: impl Read, tree: &mut MemoryTree) -> Result<()> {
    let damaged = |e: std::io::Error| invalid(format!("the archive is damaged: {e}"));
    // A bound on what is read, whatever the headers say.
    let mut archive = tar::Archive::new(reader.take(MAX_ARCHIVE_BYTES + (64 << 20)));
    let mut total = 0u64;
    let mut count = 0usize;
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let kind = entry.header().entry_type();
        let is_device = kind.is_character_special() || kind.is_block_special() || kind.is_fifo();
        if !kind.is_file() && !kind.is_hard_link() && !is_device {
            continue;
        }
        let name = entry.path_bytes().into_owned();
        let Ok(name) = String::from_utf8(name) else {
            return Err(invalid("the archive holds a file whose name is not UTF-8"));
        };
        if is_device {
            return Err(invalid(format!("`{name}` is a device, and no file")));
        }
        let target = path::join("", &name).filter(|p| !p.is_empty() && !name.starts_with('/'));
        let Some(target) = target else {
            return Err(invalid(format!("`{name}` leads out of the archive")));
        };
        count += 1;
        let size = entry.size();
        total = total.saturating_add(size);
        if count > MAX_ARCHIVE_FILES {
            return Err(invalid(format!(
                "the archive holds more than {MAX_ARCHIVE_FILES} files"
            )));
        }
        if size > MAX_FILE_BYTES || total > MAX_ARCHIVE_BYTES {
            return Err(invalid(format!(
                "the archive holds more than {} MiB",
                MAX_ARCHIVE_BYTES >> 20
            )));
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(damaged)?;
        if content.len() as u64 != size {
            return Err(invalid("the archive ends before it should"));
        }
        tree.insert(target, content);
    }
    Ok(())
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new("archive/invalid", message)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::artifact::Tree as _;

    fn archive(files: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, content) in files {
            let mut header = tar::Header::new_gnu();
            // Written as is: the library refuses what is to be tested.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append(&header, content.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn unpacked(bytes: &[u8]) -> std::result::Result<Vec<String>, String> {
        let mut tree = MemoryTree::new("a.tgz");
        unpack(bytes, &mut tree).map_err(|e| e.to_string())?;
        Ok(tree.paths().map(str::to_owned).collect())
    }

    #[test]
    fn files_come_out() {
        let bytes = archive(&[("./a/b.yaml", "x: 1"), ("c", "")]);
        let mut tree = MemoryTree::new("a.tgz");
        unpack(&gzip(&bytes), &mut tree).unwrap();
        assert_eq!(tree.paths().collect::<Vec<_>>(), ["a/b.yaml", "c"]);
        assert_eq!(&*tree.read("a/b.yaml").unwrap(), b"x: 1");
        assert_eq!(tree.display("c"), "a.tgz/c");
        assert_eq!(unpacked(&bytes).unwrap(), ["a/b.yaml", "c"]);
    }

    #[test]
    fn escapes_and_damage_are_refused() {
        for name in ["../x", "a/../../x", "/etc/passwd"] {
            let error = unpacked(&archive(&[(name, "")])).unwrap_err();
            assert_eq!(error, format!("`{name}` leads out of the archive"));
        }
        let whole = gzip(&archive(&[("a", &"content ".repeat(500))]));
        let error = unpacked(&whole[..whole.len() / 2]).unwrap_err();
        assert!(error.starts_with("the archive is damaged"), "{error}");
        assert!(unpacked(b"no archive").is_err());
    }

    #[test]
    fn links_and_devices() {
        let of = |kind: tar::EntryType| {
            let mut builder = tar::Builder::new(Vec::new());
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_path("a").unwrap();
            header.set_link_name("../../etc/passwd").unwrap();
            header.set_size(0);
            header.set_cksum();
            builder.append(&header, std::io::empty()).unwrap();
            unpacked(&builder.into_inner().unwrap())
        };
        assert_eq!(of(tar::EntryType::Symlink), Ok(vec![]));
        assert_eq!(of(tar::EntryType::Link), Ok(vec!["a".to_owned()]));
        for kind in [
            tar::EntryType::Char,
            tar::EntryType::Block,
            tar::EntryType::Fifo,
        ] {
            assert_eq!(of(kind).unwrap_err(), "`a` is a device, and no file");
        }
    }
}
