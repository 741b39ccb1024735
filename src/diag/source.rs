//! Input files by number, and places in them.

use std::sync::{Arc, RwLock};

/// The number of an input file in a [`SourceMap`]; 0 is "no file".
///
/// Numbers are handed out in the order in which files are read, which differs
/// from run to run when several threads read: never sort by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FileId(u32);

impl FileId {
    /// Whether this stands for no file at all.
    pub fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// A place in an input file.
///
/// Lines and columns count from 1; columns count Unicode scalar values. A line
/// of 0 means that the file is known and the place in it is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

impl Span {
    /// No place: for what no input file says.
    pub const NONE: Span = Span {
        file: FileId(0),
        line: 0,
        column: 0,
    };

    /// A place in a file.
    pub fn new(file: FileId, line: u32, column: u32) -> Span {
        Span { file, line, column }
    }

    /// Whether no file is known.
    pub fn is_none(self) -> bool {
        self.file.is_none()
    }

    /// This place, or `other` where this one is none.
    #[must_use]
    pub fn or(self, other: Span) -> Span {
        if self.is_none() { other } else { self }
    }
}

/// An input file: its name as users know it, and its text.
#[derive(Debug)]
pub struct SourceFile {
    /// The path relative to the repository root, with `/` between its parts,
    /// or a name in angle brackets for what is no file (`<stdin>`).
    pub path: Arc<str>,
    /// The text as read; empty for files that are not text.
    pub text: Arc<str>,
}

impl SourceFile {
    /// The text of a line (from 1), without its line break.
    pub fn line(&self, line: u32) -> Option<&str> {
        let index = (line as usize).checked_sub(1)?;
        self.text.lines().nth(index)
    }
}

/// All input files of a run.
///
/// Shared by all threads; files are only ever added.
#[derive(Debug, Default)]
pub struct SourceMap {
    files: RwLock<Vec<Arc<SourceFile>>>,
}

impl SourceMap {
    /// A map without files.
    pub fn new() -> SourceMap {
        SourceMap::default()
    }

    /// Adds a file and gives its number.
    pub fn add(&self, path: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> FileId {
        let mut files = self
            .files
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        files.push(Arc::new(SourceFile {
            path: path.into(),
            text: text.into(),
        }));
        FileId(u32::try_from(files.len()).unwrap_or(0))
    }

    /// The file with this number.
    pub fn get(&self, file: FileId) -> Option<Arc<SourceFile>> {
        let files = self
            .files
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        files.get((file.0 as usize).checked_sub(1)?).cloned()
    }

    /// The file with this path, the one read last if there are several.
    pub fn by_path(&self, path: &str) -> Option<Arc<SourceFile>> {
        let files = self
            .files
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        files.iter().rev().find(|f| &*f.path == path).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_count_from_one() {
        let map = SourceMap::new();
        let id = map.add("a.yaml", "one\ntwo\r\nthree");
        let file = map.get(id).unwrap();
        assert_eq!(file.line(1), Some("one"));
        assert_eq!(file.line(2), Some("two"));
        assert_eq!(file.line(3), Some("three"));
        assert_eq!(file.line(0), None);
        assert_eq!(file.line(4), None);
        assert!(map.get(FileId::default()).is_none());
    }

    #[test]
    fn a_span_without_file_gives_way() {
        let map = SourceMap::new();
        let span = Span::new(map.add("a.yaml", ""), 3, 1);
        assert_eq!(Span::NONE.or(span), span);
        assert_eq!(span.or(Span::NONE), span);
    }
}
