//! Chart archives: bytes of a `.tgz` to files, with nothing outside of the
//! chart's folder and no more than a bounded size.
//!
//! Compat: Helm 4.3.1 `pkg/chart/loader/archive/archive.go`.

use std::io::Read;

use crate::diag::{Error, Result};
use crate::gostd::path;

/// The largest content of an archive, or of a chart's folder, in bytes.
pub(super) const MAX_CHART_BYTES: u64 = 100 << 20;

/// The files of an archive, by their paths in the chart, in its order.
///
/// # Errors
///
/// `helm/chart-invalid` for what is no archive, paths that lead out of the
/// chart, and content of more than [`MAX_CHART_BYTES`].
pub(super) fn files(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>> {
    if !is_archive(bytes) {
        return Err(invalid("the file does not appear to be a gzipped archive")
            .help("package the chart again: `helm package`"));
    }
    let unreadable = |e: std::io::Error| {
        invalid(format!("the archive cannot be read: {e}")).help("fetch or package it again")
    };
    // A gzip file may have several parts; the limit holds for their sum, with
    // room for the headers.
    let limit = MAX_CHART_BYTES + (64 << 20);
    let unpacked = flate2::read::MultiGzDecoder::new(bytes).take(limit);
    let mut archive = tar::Archive::new(unpacked);
    let mut files = Vec::new();
    let mut left = MAX_CHART_BYTES;
    for entry in archive.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        let kind = entry.header().entry_type();
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if kind.is_dir() || path.ends_with('/') || kind.is_pax_global_extensions() {
            continue;
        }
        let name = name_in_chart(&path)?;
        let mut content = Vec::new();
        if entry.size() <= left {
            // What the header says is no more than a hint.
            let size = usize::try_from(entry.size()).unwrap_or_default();
            content.reserve_exact(size.min(1 << 20));
            entry
                .by_ref()
                .take(left + 1)
                .read_to_end(&mut content)
                .map_err(unreadable)?;
        }
        if entry.size() > left || content.len() as u64 >= left {
            return Err(invalid(format!(
                "decompressed chart is larger than the maximum size {MAX_CHART_BYTES}"
            ))
            .help("leave out of the chart what its templates do not read"));
        }
        left -= content.len() as u64;
        files.push((name, content));
    }
    if files.is_empty() {
        return Err(invalid("no files in chart archive").help("package the chart again"));
    }
    Ok(files)
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
        let names: Vec<String> = files(&bytes).unwrap().into_iter().map(|f| f.0).collect();
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
            let error = files(&archive(&[(path, b"")])).unwrap_err();
            assert_eq!(error.rule(), "helm/chart-invalid");
            assert_eq!(error.message(), message, "{path}");
        }
        assert!(files(b"name: x").is_err());
        assert!(files(&archive(&[])).is_err());
    }

    #[test]
    fn a_bomb_is_refused() {
        let zeros = vec![0; 60 << 20];
        let error = files(&archive(&[("c/a", &zeros), ("c/b", &zeros)])).unwrap_err();
        assert_eq!(
            error.message(),
            "decompressed chart is larger than the maximum size 104857600"
        );
    }
}
