//! Whether a word stands anywhere in a chart: what a chart does not say, and
//! nothing tells it, it cannot print.
//!
//! An archive is looked through without being loaded, which costs a tenth of
//! that.

use std::io::Read as _;

use super::archive::{MAX_CHART_BYTES, is_archive};
use super::chart::Chart;
use crate::diag::Result;

/// How deep archives may lie in archives.
const MAX_DEPTH: usize = 8;

/// Whether a word stands in the archive of a chart, or in those of charts in
/// it. What cannot be read may say anything.
pub fn archive_mentions(bytes: &[u8], word: &str) -> bool {
    within(bytes, word.as_bytes(), 0)
}

fn within(bytes: &[u8], word: &[u8], depth: usize) -> bool {
    if depth > MAX_DEPTH {
        return true;
    }
    let mut plain = Vec::new();
    let unpacked = flate2::read::MultiGzDecoder::new(bytes);
    let read = unpacked
        .take(2 * MAX_CHART_BYTES)
        .read_to_end(&mut plain)
        .is_ok();
    if !read || plain.len() as u64 >= 2 * MAX_CHART_BYTES {
        return true;
    }
    if memchr::memmem::find(&plain, word).is_some() {
        return true;
    }
    let mut archive = tar::Archive::new(plain.as_slice());
    let Ok(entries) = archive.entries() else {
        return true;
    };
    for entry in entries {
        let Ok(entry) = entry else { return true };
        let start = usize::try_from(entry.raw_file_position()).unwrap_or(usize::MAX);
        let length = usize::try_from(entry.size()).unwrap_or(usize::MAX);
        let content = plain.get(start..).and_then(|rest| rest.get(..length));
        if content.is_some_and(|content| is_archive(content) && within(content, word, depth + 1)) {
            return true;
        }
    }
    false
}

impl Chart {
    /// Whether a word stands in a file of the chart, or of the charts below.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read.
    pub fn mentions(&self, word: &str) -> Result<bool> {
        let own = [Some(&self.metadata_file), self.values.file.as_ref()];
        let files = own.into_iter().flatten().chain(&self.templates);
        for file in files.chain(&self.files) {
            let bytes = file.bytes()?;
            let is_there = memchr::memmem::find(&bytes, word.as_bytes()).is_some();
            if is_there || file.name.contains(word) {
                return Ok(true);
            }
        }
        for chart in &self.dependencies {
            if chart.mentions(word)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::diag::SourceMap;

    fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_cksum();
            tar.append_data(&mut header, path, *content).unwrap();
        }
        let tar = tar.into_inner().unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&tar).unwrap();
        gzip.finish().unwrap()
    }

    #[test]
    fn words_are_found_wherever_they_stand() {
        const METADATA: &[u8] = b"apiVersion: v2\nname: c\nversion: 1.0.0\n";
        let inner = packed(&[
            ("d/Chart.yaml", METADATA),
            ("d/templates/x.yaml", b"a: deep"),
        ]);
        let outer = packed(&[
            ("c/Chart.yaml", METADATA),
            ("c/values.yaml", b"a: value"),
            ("c/templates/a.yaml", b"a: template"),
            ("c/crds/a.yaml", b"a: definition"),
            ("c/files/name.txt", b""),
            ("c/charts/d-1.0.0.tgz", &inner),
        ]);
        let chart = Chart::from_archive(&outer, "c.tgz", &SourceMap::new()).unwrap();
        for word in ["value", "template", "definition", "name.txt", "deep"] {
            assert!(archive_mentions(&outer, word), "{word}");
            assert!(chart.mentions(word).unwrap(), "{word}");
        }
        assert!(!archive_mentions(&outer, "nowhere"));
        assert!(!chart.mentions("nowhere").unwrap());
        // What cannot be read may say it.
        assert!(archive_mentions(b"no archive", "nowhere"));
        assert!(archive_mentions(&outer[..outer.len() / 2], "nowhere"));
    }
}
