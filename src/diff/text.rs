//! Differences as lines of text.

use crate::yaml::{Node, emit};

/// What a line is in a difference of texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// The header of a hunk.
    Hunk,
    /// A line that both have.
    Same,
    /// A line of the old text.
    Old,
    /// A line of the new text.
    New,
}

/// A line of a difference, without its line break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is.
    pub kind: LineKind,
    /// Its text.
    pub text: String,
}

/// An object as Flux's programs print it; what it is, where it cannot be
/// printed.
pub fn print(object: &Node) -> String {
    let mut text = String::new();
    match emit::sorted(object, &mut text) {
        Ok(()) => text,
        Err(e) => format!("# cannot be printed: {e}\n"),
    }
}

/// The first lines of an object as [`print()`] gives them, of lists in lists not as many;
/// and whether that is all of it.
pub fn print_start(object: &Node, lines: usize) -> (String, bool) {
    let mut text = String::new();
    // A line has a key and its value, and may begin an item; more stand on one where
    // lists are nested.
    let nodes = lines.saturating_mul(3).saturating_add(16);
    let Ok(is_all) = emit::sorted_start(object, nodes, &mut text) else {
        return (print(object), true);
    };
    let ends = memchr::memchr_iter(b'\n', text.as_bytes()).take(lines);
    let end = ends.last().map_or(0, |at| at + 1);
    let is_all = is_all && end == text.len();
    text.truncate(end);
    (text, is_all)
}

/// The lines in which two texts differ, with `context` lines around them, in
/// hunks as unified differences have them.
pub fn lines(old: &str, new: &str, context: usize) -> Vec<Line> {
    let difference = similar::TextDiff::from_lines(old, new);
    let mut lines = Vec::new();
    for hunk in difference
        .unified_diff()
        .context_radius(context)
        .iter_hunks()
    {
        lines.push(Line {
            kind: LineKind::Hunk,
            text: hunk.header().to_string(),
        });
        for change in hunk.iter_changes() {
            let kind = match change.tag() {
                similar::ChangeTag::Equal => LineKind::Same,
                similar::ChangeTag::Delete => LineKind::Old,
                similar::ChangeTag::Insert => LineKind::New,
            };
            let text = change.value().trim_end_matches('\n').to_owned();
            lines.push(Line { kind, text });
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;
    use crate::yaml::parse_one;

    #[test]
    fn the_start_of_an_object_is_what_print_begins_with() {
        let object =
            "b: |\n  one\n  two\na:\n- - x\n  - {y: 1, z: []}\n- {}\nc: {d: &d 1, e: \"\"}\n";
        let merged = "x: &x {_1: 1, _2: 2}\n_0: {Z: 1, b: 1, <<: *x}\n";
        for text in [
            object.to_owned(),
            format!("{object}f: *d\n"),
            merged.to_owned(),
        ] {
            let node = parse_one(&text, FileId::default()).unwrap().unwrap();
            let whole = print(&node);
            let count = whole.lines().count();
            for lines in 0..count + 3 {
                let (start, is_all) = print_start(&node, lines);
                let expected: String = whole.split_inclusive('\n').take(lines).collect();
                assert_eq!(start, expected, "{lines}");
                assert_eq!(is_all, lines >= count, "{lines}");
            }
        }
    }

    #[test]
    fn little_more_than_the_start_of_an_object_is_printed() {
        let items = "- {n: 1}\n".repeat(1000);
        let node = parse_one(&items, FileId::default()).unwrap().unwrap();
        let mut text = String::new();
        assert!(!emit::sorted_start(&node, 40, &mut text).unwrap());
        assert!((10..30).contains(&text.lines().count()), "{text}");
        assert!(print(&node).starts_with(&text), "{text}");
    }
}
