//! Variables in text, as Flux's post-build substitution replaces them.
//!
//! In: a text and a look-up. Out: the text with `${…}` replaced, where each
//! replacement stands in both texts, and which variables were asked for. The
//! grammar is that of a shell with differences of its own; `docs/envsubst.md`
//! lists it. Which objects are substituted, and with which variables, is not
//! known here.
//!
//! Compat: fluxcd/pkg/envsubst, of which this follows the behaviour, errors
//! and oddities included.

mod expand;
mod parse;
mod pattern;
#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::diag::{self, Span};
use parse::Part;

/// A text whose variables are found.
#[derive(Debug)]
pub struct Template<'t> {
    text: &'t str,
    parts: Vec<Part<'t>>,
}

/// What a text became.
#[derive(Debug, PartialEq, Eq)]
pub struct Output {
    /// The text; it may end up not being UTF-8 where `${var:1:2}` counts bytes.
    pub bytes: Vec<u8>,
    /// What was replaced, in order. Between replacements both texts are the
    /// same.
    pub replacements: Vec<Replacement>,
    /// Every variable that was asked for, in the order of evaluation.
    pub uses: Vec<Use>,
}

/// A part of the text that was replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// Where it stood, in bytes of the input.
    pub input: Range<usize>,
    /// Where what replaces it stands, in bytes of the output.
    pub output: Range<usize>,
    /// The variable; none for `$$`.
    pub variable: Option<Box<str>>,
}

/// A variable that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// Its name.
    pub variable: Box<str>,
    /// Where the expression begins and ends, in bytes of the input.
    pub input: Range<usize>,
    /// Whether it has a value.
    pub is_set: bool,
    /// Whether the expression provides for a variable without a value.
    pub has_default: bool,
}

/// Why a text cannot be substituted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubstitutionError {
    /// What is wrong; reads as the library's error does.
    pub kind: ErrorKind,
    /// Where the expression begins, in bytes of the input.
    pub offset: usize,
}

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// No name after `${`.
    VariableName,
    /// No `}` after the name.
    MissingClosingBrace,
    /// An operator without its argument.
    Argument,
    /// `:=` and its kin, garbled.
    DefaultOperator,
    /// Anything else.
    BadSubstitution,
    /// No value and no default, where one of them is asked for.
    NotSet(Box<str>),
    /// `${var:2:-1}`, on which the library crashes.
    Length(Box<str>),
    /// Expressions in expressions, too deep.
    TooDeep,
    /// A value of more than 8 KiB, trimmed by a pattern with `?` or `[…]`.
    TooLong,
}

impl std::fmt::Display for SubstitutionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match &self.kind {
            ErrorKind::VariableName => "unable to parse variable name",
            ErrorKind::MissingClosingBrace => "missing closing brace",
            ErrorKind::Argument => "unable to parse substitution within function",
            ErrorKind::DefaultOperator => "unable to parse default function",
            ErrorKind::BadSubstitution => "bad substitution",
            ErrorKind::NotSet(name) => {
                let name = crate::gostd::strconv::quote(name);
                return write!(f, "variable not set (strict mode): {name}");
            }
            ErrorKind::Length(length) => return write!(f, "negative length: `{length}`"),
            ErrorKind::TooDeep => "substitutions nest too deeply",
            ErrorKind::TooLong => "value too long for a pattern with `?` or `[…]`",
        })
    }
}

impl std::error::Error for SubstitutionError {}

impl SubstitutionError {
    /// The error that a user sees, at the place of the expression.
    pub fn at(&self, span: Span) -> diag::Error {
        let (rule, help) = match &self.kind {
            ErrorKind::VariableName => (
                "subst/invalid",
                "name a variable after `${`, or write `$${` for a literal `${`".to_owned(),
            ),
            ErrorKind::MissingClosingBrace => (
                "subst/invalid",
                "a name has letters, digits and `_` only, and `}` or an operator after it; write \
                 `$${` for a literal `${`"
                    .to_owned(),
            ),
            ErrorKind::Argument | ErrorKind::BadSubstitution | ErrorKind::DefaultOperator => (
                "subst/invalid",
                "complete the expression, as in `${name:-default}`, `${name/old/new}` or \
                 `${name:0:3}`; write `$${` for a literal `${`"
                    .to_owned(),
            ),
            ErrorKind::NotSet(name) => (
                "subst/unresolved",
                format!(
                    "give `{name}` a value, a default as in `${{{name}:-default}}`, or write \
                     `$${{{name}}}` to keep it as it is"
                ),
            ),
            ErrorKind::Length(_) => (
                "subst/invalid",
                "give a length of zero or more, or none for all the rest".to_owned(),
            ),
            ErrorKind::TooDeep => (
                "subst/invalid",
                format!("nest at most {} expressions", parse::MAX_DEPTH),
            ),
            ErrorKind::TooLong => (
                "subst/invalid",
                "use a pattern of plain characters and `*`, or a value of at most 8 KiB".to_owned(),
            ),
        };
        diag::Error::new(rule, self.to_string()).at(span).help(help)
    }
}

impl<'t> Template<'t> {
    /// Finds the variables of a text.
    pub fn parse(text: &'t str) -> Result<Template<'t>, SubstitutionError> {
        let parts = parse::parse(text)?;
        Ok(Template { text, parts })
    }

    /// Replaces the variables by their values.
    ///
    /// In strict mode a variable without a value is an error, unless the
    /// expression has a default; otherwise it is the empty text.
    pub fn expand<'v>(
        &self,
        is_strict: bool,
        value: impl Fn(&str) -> Option<&'v str>,
    ) -> Result<Output, SubstitutionError> {
        expand::expand(self.text, &self.parts, is_strict, &value)
    }
}

/// Parses a text and replaces its variables.
pub fn substitute<'v>(
    text: &str,
    is_strict: bool,
    value: impl Fn(&str) -> Option<&'v str>,
) -> Result<Output, SubstitutionError> {
    Template::parse(text)?.expand(is_strict, value)
}

/// Whether Flux takes a name for a variable: letters, digits and `_`, and no
/// digit first.
pub fn is_variable_name(name: &str) -> bool {
    name.bytes()
        .enumerate()
        .all(|(i, b)| b.is_ascii_alphabetic() || b == b'_' || (i > 0 && b.is_ascii_digit()))
        && !name.is_empty()
}
