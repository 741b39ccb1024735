//! Chart archives: bytes of a `.tgz` to files, with nothing outside of the
//! chart's folder and no more than a bounded size.
//!
//! Compat: Helm 4.3.1 `pkg/chart/loader/archive/archive.go`.

use std::io::Read;

use crate::diag::{Error, Result};
use crate::gostd::path;

/// The largest content of an archive, or of a chart's folder, in bytes.
pub(super) const MAX_CHART_BYTES: u64 = 100 << 20;

/// Hands out the files of an archive, by their paths in the chart, in its order.
///
/// # Errors
///
/// `helm/chart-invalid` for what is no archive, paths that lead out of the
/// chart, and content of more than [`MAX_CHART_BYTES`].
pub(super) fn files(bytes: &[u8], mut each: impl FnMut(String, &[u8])) -> Result<()> {
    if !is_archive(bytes) {
        return Err(invalid("the file does not appear to be a gzipped archive")
            .help("package the chart again: `helm package`"));
    }
    let (unpacked, broken) = unpack(bytes);
    // What is wrong with the packing shows as an early end.
    let unreadable = |e: std::io::Error| {
        let e = broken.as_ref().unwrap_or(&e);
        invalid(format!("the archive cannot be read: {e}")).help("fetch or package it again")
    };
    let mut archive = tar::Archive::new(&*unpacked);
    let mut is_empty = true;
    let mut left = MAX_CHART_BYTES;
    for entry in archive.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        let kind = entry.header().entry_type();
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if kind.is_dir() || path.ends_with('/') || kind.is_pax_global_extensions() {
            continue;
        }
        let name = name_in_chart(&path)?;
        let size = entry.size();
        if size >= left {
            return Err(invalid(format!(
                "decompressed chart is larger than the maximum size {MAX_CHART_BYTES}"
            ))
            .help("leave out of the chart what its templates do not read"));
        }
        left -= size;
        is_empty = false;
        let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let start = entry.raw_file_position();
        let content = unpacked.get(at(start)..at(start.saturating_add(size)));
        match content {
            // What has holes is put together.
            _ if kind.is_gnu_sparse() => {
                let mut content = Vec::new();
                entry.read_to_end(&mut content).map_err(unreadable)?;
                each(name, &content);
            }
            Some(content) => each(name, content),
            None => return Err(unreadable(std::io::ErrorKind::UnexpectedEof.into())),
        }
    }
    if is_empty {
        return Err(invalid("no files in chart archive").help("package the chart again"));
    }
    Ok(())
}

/// What is packed, as far as it can be unpacked, and why no further.
fn unpack(bytes: &[u8]) -> (Vec<u8>, Option<std::io::Error>) {
    // A gzip file may have several parts; the limit holds for their sum, with
    // room for the headers.
    const LIMIT: u64 = MAX_CHART_BYTES + (64 << 20);
    // The size that the last part says it has, where it can be so.
    let told = bytes
        .last_chunk()
        .map_or(0, |size| u32::from_le_bytes(*size));
    let room = usize::try_from(told).unwrap_or(0).min(bytes.len() * 16) + 1;
    let mut unpacked = Vec::with_capacity(room);
    let mut reader = flate2::read::MultiGzDecoder::new(bytes).take(LIMIT);
    let broken = reader.read_to_end(&mut unpacked).err();
    (unpacked, broken)
}

/// Whether bytes begin as what gzip packs.
pub(super) fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1F, 0x8B])
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new("helm/chart-invalid", message)
}

/// The path in the chart of a path in its archive, whose first part is the
/// chart's folder.
pub(super) fn name_in_chart(path: &str) -> Result<String> {
    const HELP: &str = "do not trust this archive; package the chart again";
    // An archive made on Windows may have backslashes.
    let separator = if path.contains('\\') { '\\' } else { '/' };
    let (folder, rest) = path.split_once(separator).unwrap_or((path, ""));
    let rest = rest.replace(separator, "/");
    if rest.starts_with('/') {
        return Err(invalid("chart illegally contains absolute paths").help(HELP));
    }
    let name = path::clean(&rest);
    if name == "." {
        return Err(invalid(format!(
            "chart illegally contains content outside the base directory: {path:?}"
        ))
        .help(HELP));
    }
    if name.starts_with("..") {
        return Err(invalid("chart illegally references parent directory").help(HELP));
    }
    if matches!(name.as_bytes(), [drive, b':', b'/', ..] if drive.is_ascii_alphabetic()) {
        return Err(invalid("chart contains illegally named files").help(HELP));
    }
    if folder == "Chart.yaml" {
        return Err(invalid("chart yaml not in base directory").help(HELP));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive of these paths; names are not checked.
    fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            tar.append(&header, *content).unwrap();
        }
        let tar = tar.into_inner().unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, &tar).unwrap();
        gzip.finish().unwrap()
    }

    #[test]
    fn paths_lose_the_chart_folder() {
        let bytes = archive(&[
            ("c/Chart.yaml", b"x"),
            ("c/./templates//a", b""),
            ("c\\b\\d", b""),
        ]);
        let mut names = Vec::new();
        files(&bytes, |name, _| names.push(name)).unwrap();
        assert_eq!(names, ["Chart.yaml", "templates/a", "b/d"]);
    }

    #[test]
    fn nothing_leads_out() {
        for (path, message) in [
            ("c/../x", "chart illegally references parent directory"),
            ("c/a/../../x", "chart illegally references parent directory"),
            ("c//x", "chart illegally contains absolute paths"),
            (
                "x",
                "chart illegally contains content outside the base directory: \"x\"",
            ),
            ("c/c:/x", "chart contains illegally named files"),
            ("Chart.yaml/x", "chart yaml not in base directory"),
        ] {
            let error = files(&archive(&[(path, b"")]), |_, _| ()).unwrap_err();
            assert_eq!(error.rule(), "helm/chart-invalid");
            assert_eq!(error.message(), message, "{path}");
        }
        assert!(files(b"name: x", |_, _| ()).is_err());
        assert!(files(&archive(&[]), |_, _| ()).is_err());
    }

    #[test]
    fn what_is_cut_off_or_follows() {
        let bytes = archive(&[("c/a", b"one"), ("c/b", b"two")]);
        let mut found = Vec::new();
        let mut and_more = bytes.clone();
        and_more.extend(b"more");
        // Helm stops reading where the archive ends.
        files(&and_more, |name, content| {
            found.push((name, content.to_vec()))
        })
        .unwrap();
        assert_eq!(
            found,
            [("a".into(), b"one".to_vec()), ("b".into(), b"two".to_vec())]
        );
        let error = files(&bytes[..bytes.len() / 2], |_, _| ()).unwrap_err();
        assert!(error.message().starts_with("the archive cannot be read"));
    }

    #[test]
    fn a_bomb_is_refused() {
        let zeros = vec![0; 60 << 20];
        let bomb = archive(&[("c/a", &zeros), ("c/b", &zeros)]);
        let error = files(&bomb, |_, _| ()).unwrap_err();
        assert_eq!(
            error.message(),
            "decompressed chart is larger than the maximum size 104857600"
        );
    }
}
