//! What is wrong with a text, in words that say what to do.

use super::MAX_DEPTH;
use super::scan::{Kind, Mark};
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
    /// Whether the lines around may tell what was meant.
    may_guess: bool,
}

impl Problem {
    pub(super) fn new(message: impl Into<String>, mark: Mark) -> Problem {
        Problem(Box::new(Inner {
            message: message.into(),
            mark,
            help: None,
            may_guess: false,
        }))
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Problem {
        self.0.help = Some(help.into());
        self
    }

    /// Lets the lines around it say what was probably meant.
    fn guess(mut self) -> Problem {
        self.0.may_guess = true;
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
        .help("nothing that Kubernetes takes is as deep: check what made this file")
    }

    pub(super) fn no_directive(mark: Mark) -> Problem {
        Problem::new("a line that begins with `%` must be a directive", mark)
            .help("put the text in quotes, or indent it, if it is content")
    }

    /// What stands where a key must stand is none.
    pub(super) fn no_colon(mark: Mark) -> Problem {
        Problem::new("a key must stand here, and `:` behind it", mark)
            .help("indent the line if it belongs to the value above it")
            .guess()
    }

    /// A `-` stands where no list can begin.
    pub(super) fn no_item(mark: Mark) -> Problem {
        Problem::new("a list item cannot begin here", mark)
            .help("begin the list on a line of its own, or put the value in quotes")
            .guess()
    }

    /// A `:` stands where no mapping can begin, behind a token that begins at
    /// `before`.
    pub(super) fn no_value(mark: Mark, before: Mark) -> Problem {
        if before.line == mark.line {
            return Problem::new("a mapping value cannot begin here", mark)
                .help("put a value that holds `: ` in quotes, or begin the mapping on a line of its own")
                .guess();
        }
        Problem::new(
            format!(
                "a mapping value cannot begin here: this is still the text that begins at line {}",
                before.line + 1
            ),
            mark,
        )
        .help("indent the line as the key above it; or end that text, or put it in quotes")
        .guess()
    }

    /// A token that begins no value.
    pub(super) fn unexpected(kind: Kind, mark: Mark) -> Problem {
        match kind {
            Kind::FlowSequenceEnd => Problem::new("`]` closes nothing", mark)
                .help("remove it, or put text that holds brackets in quotes"),
            Kind::FlowMappingEnd => Problem::new("`}` closes nothing", mark)
                .help("remove it, or put text that holds brackets in quotes"),
            Kind::Comma => Problem::new("a value is missing before `,`", mark)
                .help("remove the comma, or write `null`"),
            Kind::Item => Problem::no_item(mark),
            Kind::Value => Problem::new("a key is missing before `:`", mark)
                .help("write the key, or put text that begins with `:` in quotes"),
            _ => Problem::new("a value is missing here", mark).help("write one, or `null`"),
        }
    }

    /// Something else than the next entry of the block collection that begins
    /// at `start`.
    pub(super) fn misplaced(
        expected: &str,
        start: Mark,
        kind: Kind,
        mark: Mark,
        text: &str,
    ) -> Problem {
        if matches!(
            kind,
            Kind::FlowSequenceEnd | Kind::FlowMappingEnd | Kind::Comma
        ) {
            return Problem::unexpected(kind, mark);
        }
        let line = text.lines().nth(mark.line as usize).unwrap_or_default();
        let mut before = line.chars().take(mark.column as usize);
        if before.any(|c| !matches!(c, ' ' | '\t' | '-' | '?')) {
            return Problem::new("text cannot follow a value on its line", mark)
                .help("put the whole value in quotes")
                .guess();
        }
        Problem::new(
            format!("expected {expected} that begins at line {}", start.line + 1),
            mark,
        )
        .help(format!(
            "indent it to column {} as the others, or deeper if it belongs to the one before",
            start.column + 1
        ))
        .guess()
    }

    /// Something else than a comma or the bracket that closes the flow
    /// collection that begins at `start`.
    pub(super) fn unclosed(
        collection: &str,
        bracket: char,
        start: Mark,
        kind: Kind,
        mark: Mark,
    ) -> Problem {
        if kind == Kind::StreamEnd {
            return Problem::new(
                format!("the {collection} that begins here has no closing `{bracket}`"),
                start,
            )
            .help(format!("add the `{bracket}`"));
        }
        Problem::new(format!("expected `,` or `{bracket}`"), mark)
            .within(collection, start)
            .help("put a comma between entries, and text that holds brackets or commas in quotes")
    }

    /// The error that a user sees; the lines around it say what probably
    /// happened.
    pub(super) fn into_error(self, text: &str, file: FileId) -> Error {
        let Inner {
            message,
            mark,
            help,
            may_guess,
        } = *self.0;
        if let Some(line) = conflict_marker(text, mark.line) {
            return Error::new("yaml/invalid", "a merge conflict is not resolved")
                .at(Span::new(file, line.saturating_add(1), 1))
                .help("keep one of the two sides and remove the marker lines");
        }
        let guess = if may_guess { guess(text, mark) } else { None };
        let help = guess.or(help);
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
    text.lines()
        .take(last as usize + 2)
        .position(|line| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> "))
        .and_then(|line| u32::try_from(line).ok())
}

/// What the author probably meant on the line of a place, or on the one
/// before.
fn guess(text: &str, mark: Mark) -> Option<String> {
    let mut lines = text.lines().skip((mark.line as usize).saturating_sub(1));
    let before = if mark.line > 0 { lines.next() } else { None };
    for line in [lines.next(), before].into_iter().flatten() {
        let line = line.trim_start_matches([' ', '-']);
        if line.starts_with("{{")
            || line.starts_with("{%")
            || line.contains(": {{")
            || line.contains("- {{")
        {
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

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::FileId;

    /// The place, message and help of the error that a text gives.
    fn problem(text: &str) -> String {
        let error = parse(text, FileId::default()).expect_err(text);
        assert_eq!(error.rule(), "yaml/invalid");
        let finding = error.to_finding(&crate::diag::SourceMap::new());
        let span = error.span();
        format!(
            "{}:{}: {}\n  {}",
            span.line,
            span.column,
            finding.message,
            finding.help.unwrap_or_default()
        )
    }

    #[test]
    fn indentation() {
        insta::assert_snapshot!(problem("a:\n\tb: c\n"), @"
        2:1: a tab cannot be used for indentation
          replace the tab with spaces
        ");
        insta::assert_snapshot!(problem("a: |\n\tb\n"), @"
        2:1: a tab cannot be used for indentation, in the block scalar that begins at line 1
          replace the tab with spaces
        ");
        insta::assert_snapshot!(problem("a:\n  b: c\n d: e\n"), @"
        3:2: expected a key of the mapping that begins at line 1
          indent it to column 1 as the others, or deeper if it belongs to the one before
        ");
        insta::assert_snapshot!(problem("a:\n  - b\n c: d\n"), @"
        3:2: expected a key of the mapping that begins at line 1
          indent it to column 1 as the others, or deeper if it belongs to the one before
        ");
        insta::assert_snapshot!(problem("- a\n- b\nc: d\n"), @"
        3:1: expected an item of the list that begins at line 1
          indent it to column 1 as the others, or deeper if it belongs to the one before
        ");
        insta::assert_snapshot!(problem("a: b\n  c: d\n"), @"
        2:4: a mapping value cannot begin here: this is still the text that begins at line 1
          indent the line as the key above it; or end that text, or put it in quotes
        ");
        insta::assert_snapshot!(problem("a\nb: c\n"), @"
        2:2: a mapping value cannot begin here: this is still the text that begins at line 1
          indent the line as the key above it; or end that text, or put it in quotes
        ");
    }

    #[test]
    fn values() {
        insta::assert_snapshot!(problem("a: b: c\n"), @"
        1:5: a mapping value cannot begin here
          put a value that holds `: ` in quotes, or begin the mapping on a line of its own
        ");
        insta::assert_snapshot!(problem("a: - b\n"), @"
        1:4: a list item cannot begin here
          begin the list on a line of its own, or put the value in quotes
        ");
        insta::assert_snapshot!(problem("image: \"x\" y\n"), @"
        1:12: text cannot follow a value on its line
          put the whole value in quotes
        ");
        insta::assert_snapshot!(problem("a: @b\n"), @"
        1:4: no value can begin with `@`
          put the value in quotes
        ");
        insta::assert_snapshot!(problem("a: %b\n"), @"
        1:4: no value can begin with `%`
          put the value in quotes
        ");
        insta::assert_snapshot!(problem("%b\n"), @"
        1:1: a line that begins with `%` must be a directive
          put the text in quotes, or indent it, if it is content
        ");
        insta::assert_snapshot!(problem("a: *b\n"), @"
        1:4: no anchor is named `b`
          define it before with `&b`, or put the value in quotes if `*` belongs to it
        ");
        insta::assert_snapshot!(problem("a: *.log\n"), @"
        1:4: the name of an alias has letters, digits, `-` and `_` alone
          put the value in quotes if `*` belongs to it
        ");
        insta::assert_snapshot!(problem("a: !x\"\n"), @"
        1:4: a blank must follow a tag
          put the value in quotes if `!` belongs to it
        ");
        insta::assert_snapshot!(problem("a: &x [*x]\n"), @"
        1:8: the value of the anchor `x` contains itself
          name the anchor of another value
        ");
        insta::assert_snapshot!(problem("a: | text\n"), @"
        1:6: text cannot follow the `|` or `>` of a block scalar on its line
          begin the text on the next line, or put the value in quotes
        ");
        insta::assert_snapshot!(problem("a\n---\nb\n...\nc: d\n"), @"
        5:1: a document must begin here with `---`
          separate documents with `---`, and indent what belongs to the value before
        ");
    }

    #[test]
    fn missing_blanks() {
        insta::assert_snapshot!(problem("name:web\nkind: x\n"), @"
        2:5: a mapping value cannot begin here: this is still the text that begins at line 1
          put a blank behind the colon: `name: web`
        ");
        insta::assert_snapshot!(problem("a: b\nname:web\nc: d\n"), @"
        2:1: a key must stand here, and `:` behind it
          put a blank behind the colon: `name: web`
        ");
    }

    #[test]
    fn quotes() {
        insta::assert_snapshot!(problem("a: \"b\nc: d\n"), @r#"
        1:4: the string that begins here has no closing `"`
          close it on its own line, or use a block scalar (`|`) for text of several lines
        "#);
        insta::assert_snapshot!(problem("a: 'b\nc: d\n"), @"
        1:4: the string that begins here has no closing `'`
          close it on its own line, or use a block scalar (`|`) for text of several lines
        ");
        insta::assert_snapshot!(problem("a: \"\\d+\"\n"), @r"
        1:5: `\d` is no escape sequence of a double-quoted string
          double the backslash, or use single quotes, which have no escapes
        ");
        insta::assert_snapshot!(problem("a: \"\\x4\"\n"), @"
        1:5: this escape sequence needs 2 hexadecimal digits
          write all of them, or double the backslash
        ");
        insta::assert_snapshot!(problem("a: \"\\ud83d\"\n"), @r"
        1:5: this escape sequence stands for no character
          write the character itself, or `\U` and its number in eight digits
        ");
    }

    #[test]
    fn brackets() {
        insta::assert_snapshot!(problem("a: [b\nc: d\n"), @"
        2:2: expected `,` or `]`, in the list that begins at line 1
          put a comma between entries, and text that holds brackets or commas in quotes
        ");
        insta::assert_snapshot!(problem("a: {b: c\n"), @"
        1:4: the mapping that begins here has no closing `}`
          add the `}`
        ");
        insta::assert_snapshot!(problem("a: [b c: d, {e]}\n"), @"
        1:15: expected `,` or `}`, in the mapping that begins at line 1
          put a comma between entries, and text that holds brackets or commas in quotes
        ");
        insta::assert_snapshot!(problem("a: b]\nc: ]\n"), @"
        2:4: `]` closes nothing
          remove it, or put text that holds brackets in quotes
        ");
        insta::assert_snapshot!(problem("a: [,]\n"), @"
        1:5: a value is missing before `,`
          remove the comma, or write `null`
        ");
    }

    #[test]
    fn what_is_no_yaml_at_all() {
        insta::assert_snapshot!(problem("a: {{ .b }}c\n"), @"
        1:12: text cannot follow a value on its line
          a template expression must be in quotes where YAML is expected; render templates first
        ");
        insta::assert_snapshot!(problem("{{- if .a }}\nb: c\n"), @"
        1:3: a list item cannot begin here
          a template expression must be in quotes where YAML is expected; render templates first
        ");
        insta::assert_snapshot!(
            problem("a: b\n<<<<<<< HEAD\nc: d\n=======\nc: e\n>>>>>>> main\n"),
            @"
        2:1: a merge conflict is not resolved
          keep one of the two sides and remove the marker lines
        "
        );
    }

    #[test]
    fn limits() {
        insta::assert_snapshot!(problem(&"[".repeat(600)), @"
        1:513: collections nest deeper than 512 levels
          nothing that Kubernetes takes is as deep: check what made this file
        ");
        insta::assert_snapshot!(problem(&"- ".repeat(600)), @"
        1:1025: collections nest deeper than 512 levels
          nothing that Kubernetes takes is as deep: check what made this file
        ");
        insta::assert_snapshot!(problem("a: \u{7}\n"), @"
        1:4: control character U+0007 is not allowed
          write it as an escape in double quotes, or remove it
        ");
    }
}
