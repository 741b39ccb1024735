//! Patterns that must match a text from end to end.
//!
//! Compat: selectors and image names are regular expressions in kustomize.
//! Nearly all of them are plain names, which are compared without compiling
//! anything.

use std::cell::OnceCell;
use std::sync::Arc;

use crate::diag::{Error, Result, Span};
use crate::gostd::regexp::Regexp;

/// A pattern, `^(?:…)$`; the empty one matches everything.
#[derive(Debug)]
pub(super) struct Pattern {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Anything,
    /// Text in which a point stands for any character.
    Simple(Arc<str>),
    Regexp(Box<Regexp>),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// `kustomize/pattern` for what is no regular expression.
    pub(super) fn new(text: &Arc<str>, span: Span) -> Result<Pattern> {
        let kind = if text.is_empty() {
            Kind::Anything
        } else if is_simple(text) {
            Kind::Simple(text.clone())
        } else {
            Kind::Regexp(Box::new(
                Regexp::anchored(text).map_err(|e| bad_pattern(text, &e.to_string(), span))?,
            ))
        };
        Ok(Pattern { kind })
    }

    /// Whether it matches all of a text.
    pub(super) fn matches(&self, text: &str) -> bool {
        match &self.kind {
            Kind::Anything => true,
            Kind::Simple(pattern) => simple_match(pattern, text),
            Kind::Regexp(regexp) => regexp.is_match(text),
        }
    }
}

/// A pattern that is compiled when it is first needed, and may match anywhere
/// in a text.
#[derive(Debug)]
pub(super) struct Search<'a> {
    text: &'a str,
    compiled: OnceCell<Option<Regexp>>,
}

impl<'a> Search<'a> {
    pub(super) fn new(text: &'a str) -> Search<'a> {
        Search {
            text,
            compiled: OnceCell::new(),
        }
    }

    /// Whether the pattern is found in a text.
    ///
    /// # Errors
    ///
    /// `kustomize/pattern` for what is no regular expression.
    pub(super) fn is_in(&self, text: &str, span: Span) -> Result<bool> {
        if is_plain(self.text) {
            return Ok(text.contains(self.text));
        }
        let compiled = self.compiled.get_or_init(|| Regexp::new(self.text).ok());
        match compiled {
            Some(regexp) => Ok(regexp.is_match(text)),
            None => Err(bad_pattern(self.text, "it does not parse", span)),
        }
    }
}

pub(super) fn bad_pattern(text: &str, reason: &str, span: Span) -> Error {
    Error::new(
        "kustomize/pattern",
        format!("`{text}` is no regular expression: {reason}"),
    )
    .at(span)
    .help("put a `\\` before characters that are meant as they are")
}

/// Whether nothing in a pattern has a meaning of its own.
fn is_plain(text: &str) -> bool {
    !text.contains([
        '\\', '.', '+', '*', '?', '(', ')', '|', '[', ']', '{', '}', '^', '$',
    ])
}

/// Whether nothing but points in a pattern have a meaning of their own.
pub(super) fn is_simple(text: &str) -> bool {
    !text.contains([
        '\\', '+', '*', '?', '(', ')', '|', '[', ']', '{', '}', '^', '$',
    ])
}

fn simple_match(pattern: &str, text: &str) -> bool {
    simple_prefix(pattern, text).is_some_and(str::is_empty)
}

/// What follows in a text on the match of a simple pattern at its beginning.
pub(super) fn simple_prefix<'t>(pattern: &str, text: &'t str) -> Option<&'t str> {
    let mut rest = text.chars();
    for want in pattern.chars() {
        let have = rest.next()?;
        if want != have && (want != '.' || have == '\n') {
            return None;
        }
    }
    Some(rest.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::new(&pattern.into(), Span::NONE)
            .unwrap()
            .matches(text)
    }

    #[test]
    fn names_and_expressions() {
        assert!(matches("", "anything"));
        assert!(matches("web", "web"));
        assert!(!matches("web", "web-2"));
        assert!(matches("a.b", "axb") && !matches("a.b", "a\nb"));
        assert!(matches("web.*", "web-2"));
        assert!(matches("a|b", "b") && !matches("a|b", "ab"));
    }

    #[test]
    fn a_bad_expression_is_told_with_its_place() {
        let error = Pattern::new(&"(".into(), Span::NONE).unwrap_err();
        assert_eq!(error.rule(), "kustomize/pattern");
    }
}
