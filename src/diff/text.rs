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
