//! Regular expressions as Go's `regexp` takes and matches them: the one way in
//! this program to compile a pattern that a user wrote.
//!
//! Go's syntax is parsed here and written again for the `regex` crate, whose
//! engines match as Go's do: the leftmost match, the first alternative first,
//! in linear time. What a pattern may be, what it means and what an error says
//! is Go's; the table that the tests read was made by Go.

mod cache;
mod emit;
mod engine;
mod names;
mod parse;
mod replace;
#[cfg(test)]
mod tests;
mod tree;

use std::ops::Range;

pub use cache::{Cache, Compiled};
use emit::Alphabet;
use engine::Engines;

/// A compiled pattern. Cheap to share between threads.
#[derive(Clone, Debug)]
pub struct Regexp {
    source: Box<str>,
    engines: Engines,
    /// For each group its number in the engines.
    groups: Box<[Option<usize>]>,
    names: Box<[Option<String>]>,
}

/// The places of a match and its groups; the first is the whole match, none is
/// a group that took no part.
pub type Submatches = Vec<Option<Range<usize>>>;

impl Regexp {
    /// Compiles a pattern, as `regexp.Compile`.
    pub fn new(pattern: &str) -> Result<Regexp, SyntaxError> {
        let parsed = parse::parse(pattern)?;
        let engines = Engines::new(&parsed)
            .map_err(|engine::TooLarge| SyntaxError::new(ErrorKind::Large, pattern))?;
        Ok(Regexp {
            source: pattern.into(),
            groups: emit::emit(&parsed, Alphabet::Ascii).groups.into(),
            engines,
            names: parsed.groups.into(),
        })
    }

    /// Compiles a pattern that must match a text from end to end, `^(?:…)$`,
    /// as Kustomize's selectors do.
    pub fn anchored(pattern: &str) -> Result<Regexp, SyntaxError> {
        Regexp::new(&format!("^(?:{pattern})$"))
    }

    /// The pattern.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// `MatchString`.
    pub fn is_match(&self, text: &str) -> bool {
        self.engines
            .of(text)
            .is_some_and(|regex| regex.is_match(text))
    }

    /// `FindStringIndex`: the place of the first match.
    pub fn find(&self, text: &str) -> Option<Range<usize>> {
        self.engines.of(text)?.find(text).map(|m| m.range())
    }

    /// `FindStringSubmatchIndex`: the places of the first match and its
    /// groups.
    pub fn find_submatches(&self, text: &str) -> Option<Submatches> {
        let regex = self.engines.of(text)?;
        let mut locations = regex.capture_locations();
        regex.captures_read(&mut locations, text)?;
        Some(self.submatches(&locations))
    }

    /// `FindAllStringIndex`: the places of all matches. An empty match right
    /// after another does not count.
    pub fn find_all<'t>(&'t self, text: &'t str) -> impl Iterator<Item = Range<usize>> + 't {
        let regex = self.engines.of(text).into_iter();
        regex.flat_map(move |regex| regex.find_iter(text).map(|m| m.range()))
    }

    /// Whether finding a match may look at any number of characters behind it.
    pub fn may_look_far(&self) -> bool {
        self.source.contains(['*', '+']) || self.source.contains(",}")
    }

    /// `FindAllStringSubmatchIndex`: all matches, with their groups.
    pub fn find_all_submatches(&self, text: &str) -> Vec<Submatches> {
        let mut all = Vec::new();
        self.each_match(text, |locations| all.push(self.submatches(locations)));
        all
    }

    /// `Split`: the parts of the text between matches, at most `limit` of them
    /// (the last is the rest), all where `limit` is negative, none where it is
    /// zero.
    pub fn split<'t>(&self, text: &'t str, limit: i64) -> Vec<&'t str> {
        if limit == 0 {
            return Vec::new();
        }
        if !self.source.is_empty() && text.is_empty() {
            return vec![text];
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut parts = Vec::new();
        let (mut begin, mut end) = (0, 0);
        // Go asks for so many matches, and each gives at most one part.
        for found in self.find_all(text).take(limit) {
            if parts.len() == limit - 1 {
                break;
            }
            end = found.start;
            if found.end != 0 {
                parts.push(text.get(begin..end).unwrap_or_default());
            }
            begin = found.end;
        }
        if end != text.len() {
            parts.push(text.get(begin..).unwrap_or_default());
        }
        parts
    }

    /// The number of groups, without the whole match.
    pub fn group_count(&self) -> usize {
        self.names.len().saturating_sub(1)
    }

    /// The names of the groups; the first, the whole match, has none.
    pub fn group_names(&self) -> &[Option<String>] {
        &self.names
    }

    fn submatches(&self, locations: &regex::CaptureLocations) -> Submatches {
        self.groups
            .iter()
            .map(|group| {
                let (start, end) = locations.get((*group)?)?;
                Some(start..end)
            })
            .collect()
    }
}

/// `regexp.QuoteMeta`: a pattern that matches the text itself.
pub fn quote_meta(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}

/// Why a pattern is refused; reads as Go's error does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    kind: ErrorKind,
    expression: String,
}

/// What is wrong with a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    InvalidCharRange,
    InvalidEscape,
    InvalidNamedCapture,
    InvalidPerlOp,
    InvalidRepeatOp,
    InvalidRepeatSize,
    Large,
    MissingBracket,
    MissingParen,
    MissingRepeatArgument,
    NestingDepth,
    TrailingBackslash,
    UnexpectedParen,
}

impl SyntaxError {
    fn new(kind: ErrorKind, expression: &str) -> SyntaxError {
        SyntaxError {
            kind,
            expression: expression.to_owned(),
        }
    }

    /// The part of the pattern that is wrong.
    pub fn expression(&self) -> &str {
        &self.expression
    }
}

impl std::fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self.kind {
            ErrorKind::InvalidCharRange => "invalid character class range",
            ErrorKind::InvalidEscape => "invalid escape sequence",
            ErrorKind::InvalidNamedCapture => "invalid named capture",
            ErrorKind::InvalidPerlOp => "invalid or unsupported Perl syntax",
            ErrorKind::InvalidRepeatOp => "invalid nested repetition operator",
            ErrorKind::InvalidRepeatSize => "invalid repeat count",
            ErrorKind::Large => "expression too large",
            ErrorKind::MissingBracket => "missing closing ]",
            ErrorKind::MissingParen => "missing closing )",
            ErrorKind::MissingRepeatArgument => "missing argument to repetition operator",
            ErrorKind::NestingDepth => "expression nests too deeply",
            ErrorKind::TrailingBackslash => "trailing backslash at end of expression",
            ErrorKind::UnexpectedParen => "unexpected )",
        };
        write!(f, "error parsing regexp: {what}: `{}`", self.expression)
    }
}

impl std::error::Error for SyntaxError {}
