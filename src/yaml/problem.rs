//! What is wrong with a text, in words that say what to do.

use super::MAX_DEPTH;
use super::scan::Mark;
use crate::diag::{Error, FileId, Span};

/// What scanning and parsing give.
pub(super) type Result<T> = std::result::Result<T, Problem>;

/// Why a text is no YAML, without the file that it is in.
#[derive(Debug)]
pub(super) struct Problem(Box<Inner>);

#[derive(Debug)]
struct Inner {
    message: String,
    mark: Mark,
    help: Option<String>,
}

impl Problem {
    pub(super) fn new(message: impl Into<String>, mark: Mark) -> Problem {
        Problem(Box::new(Inner {
            message: message.into(),
            mark,
            help: None,
        }))
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Problem {
        self.0.help = Some(help.into());
        self
    }

    /// Says in what it was met, and where that begins.
    pub(super) fn within(mut self, what: &str, start: Mark) -> Problem {
        self.0.message += &format!(", in the {what} that begins at line {}", start.line + 1);
        self
    }

    /// Nothing begins with this character.
    pub(super) fn no_token(c: char, mark: Mark) -> Problem {
        match c {
            '\t' => Problem::tab(mark),
            '\0' => Problem::new("the text ends where a value is expected", mark),
            c => Problem::new(format!("no value can begin with `{c}`"), mark)
                .help("put the value in quotes"),
        }
    }

    pub(super) fn tab(mark: Mark) -> Problem {
        Problem::new("a tab cannot be used for indentation", mark)
            .help("replace the tab with spaces")
    }

    pub(super) fn too_deep(mark: Mark) -> Problem {
        Problem::new(
            format!("collections nest deeper than {MAX_DEPTH} levels"),
            mark,
        )
    }

    pub(super) fn no_directive(mark: Mark) -> Problem {
        Problem::new("a line that begins with `%` must be a directive", mark)
            .help("put the text in quotes, or indent it, if it is content")
    }

    /// What stands where a key must stand is none.
    pub(super) fn no_colon(mark: Mark) -> Problem {
        Problem::new("a key must stand here, and `:` behind it", mark)
    }

    /// The error that a user sees; the lines around it say what probably
    /// happened.
    pub(super) fn into_error(self, text: &str, file: FileId) -> Error {
        let Inner {
            message,
            mark,
            help,
        } = *self.0;
        if let Some(line) = conflict_marker(text, mark.line) {
            return Error::new("yaml/invalid", "a merge conflict is not resolved")
                .at(Span::new(file, line.saturating_add(1), 1))
                .help("keep one of the two sides and remove the marker lines");
        }
        let help = guess(text, mark).or(help);
        let error = Error::new("yaml/invalid", message).at(span(mark, file));
        match help {
            Some(help) => error.help(help),
            None => error,
        }
    }
}

/// The span of a place.
pub(super) fn span(mark: Mark, file: FileId) -> Span {
    Span::new(
        file,
        mark.line.saturating_add(1),
        mark.column.saturating_add(1),
    )
}

/// The line of the first conflict marker at or before the one after `last`.
fn conflict_marker(text: &str, last: u32) -> Option<u32> {
    let is_marker = |line: &str| {
        line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ") || line == "======="
    };
    text.lines()
        .take(last as usize + 2)
        .position(|line| is_marker(line.trim_end()))
        .and_then(|line| u32::try_from(line).ok())
}

/// What the author probably meant on the line of a place, or on the one
/// before.
fn guess(text: &str, mark: Mark) -> Option<String> {
    let mut lines = text.lines().skip((mark.line as usize).saturating_sub(1));
    let before = if mark.line > 0 { lines.next() } else { None };
    for line in [lines.next(), before].into_iter().flatten() {
        let line = line.trim_start_matches([' ', '-']);
        if line.contains("{{") || line.starts_with("{%") {
            return Some(
                "a template expression must be in quotes where YAML is expected; render templates first"
                    .to_owned(),
            );
        }
        if let Some((key, value)) = missing_blank(line) {
            return Some(format!("put a blank behind the colon: `{key}: {value}`"));
        }
    }
    None
}

/// Finds `key:value` at the start of a line that has no key otherwise.
fn missing_blank(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(':')?;
    let is_key = !key.is_empty()
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/'));
    let value = value.split_whitespace().next()?;
    let is_value = line[key.len() + 1..].starts_with(value)
        && !value.starts_with("//")
        && !line.contains(": ")
        && !line.trim_end().ends_with(':');
    (is_key && is_value).then_some((key, value))
}
