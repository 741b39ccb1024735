//! Text to parts.
//!
//! Compat: the library's scanner, `parse/scan.go` and `parse/parse.go`: names
//! are letters of any script, digits and `_`; a NUL ends the text; where it
//! loses its place, so do we.

use std::borrow::Cow;
use std::ops::Range;

use super::{ErrorKind, SubstitutionError};
use crate::gostd::unicode;

/// Expressions in expressions, at most.
pub(super) const MAX_DEPTH: usize = 64;

/// A part of a text.
#[derive(Debug)]
pub(super) enum Part<'t> {
    /// As it is.
    Text(&'t str),
    /// `$$`, which stands for one dollar sign.
    Dollar { at: usize },
    /// `${…}`.
    Expression(Expression<'t>),
}

/// A variable, an operator and its arguments.
#[derive(Debug)]
pub(super) struct Expression<'t> {
    pub(super) variable: &'t str,
    pub(super) operator: &'t str,
    pub(super) arguments: Vec<Argument<'t>>,
    pub(super) input: Range<usize>,
}

#[derive(Debug)]
pub(super) enum Argument<'t> {
    Text(Cow<'t, str>),
    Expression(Expression<'t>),
}

type Result<T> = std::result::Result<T, SubstitutionError>;

pub(super) fn parse(text: &str) -> Result<Vec<Part<'_>>> {
    let mut parser = Parser {
        text: text.split('\0').next().unwrap_or_default(),
        at: 0,
        depth: 0,
    };
    let mut parts = Vec::new();
    while let Some(dollar) = parser.rest().find('$') {
        let (before, rest) = parser.rest().split_at(dollar);
        let token = match rest.as_bytes().get(1) {
            Some(b'{') => {
                parts.push(Part::Text(before));
                parser.at += dollar;
                parts.push(Part::Expression(parser.expression()?));
                continue;
            }
            Some(b'$') => 2,
            _ => 1,
        };
        // A lone dollar sign is text like any other.
        let end = if token == 2 { dollar } else { dollar + 1 };
        parts.push(Part::Text(parser.rest().get(..end).unwrap_or_default()));
        if token == 2 {
            parts.push(Part::Dollar {
                at: parser.at + dollar,
            });
        }
        parser.at += dollar + token;
    }
    parts.push(Part::Text(parser.rest()));
    Ok(parts)
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Takes the characters that are asked for.
    fn take_while(&mut self, is_wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !is_wanted(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    /// Takes the first of these texts that comes next.
    fn take_one(&mut self, texts: &[&'static str]) -> Option<&'t str> {
        let rest = self.rest();
        let found = texts.iter().find(|text| rest.starts_with(**text))?;
        self.at += found.len();
        rest.get(..found.len())
    }

    fn name(&mut self) -> &'t str {
        self.take_while(|c| c == '_' || unicode::is_letter(c) || unicode::is_digit(c))
    }

    /// `${…}`; the parser is at the dollar sign.
    fn expression(&mut self) -> Result<Expression<'t>> {
        let start = self.at;
        let error = |kind| SubstitutionError {
            kind,
            offset: start,
        };
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(error(ErrorKind::TooDeep));
        }
        self.at += 2;
        let mut expression = Expression {
            variable: "",
            operator: "",
            arguments: Vec::new(),
            input: start..start,
        };
        if let Some(hash) = self.take_one(&["#"]) {
            expression.operator = hash;
            expression.variable = self.name();
            if expression.variable.is_empty() {
                return Err(error(ErrorKind::BadSubstitution));
            }
        } else {
            expression.variable = self.name();
            if expression.variable.is_empty() {
                return Err(error(ErrorKind::VariableName));
            }
            let problem = match self.peek() {
                Some(':') => self.default_or_substring(&mut expression),
                Some('=') => self.default(&mut expression),
                Some(',' | '^') => {
                    let rest = self.rest();
                    // Compat: `,^` is taken too, and does nothing.
                    let length = rest
                        .bytes()
                        .take(2)
                        .take_while(|b| b",^".contains(b))
                        .count();
                    self.at += length;
                    expression.operator = rest.get(..length).unwrap_or_default();
                    Ok(())
                }
                Some('/') => self.replacement(&mut expression),
                Some('#' | '%') => {
                    let operator = self.take_one(&["##", "%%", "#", "%"]);
                    expression.operator = operator.unwrap_or_default();
                    self.argument(&mut expression, |c| c != '}', false)
                }
                Some('}') => Ok(()),
                _ => Err(Problem::Here(ErrorKind::MissingClosingBrace)),
            };
            problem.map_err(|problem| match problem {
                Problem::Here(kind) => error(kind),
                Problem::Inside(e) => e,
            })?;
        }
        if self.take_one(&["}"]).is_none() {
            return Err(error(ErrorKind::BadSubstitution));
        }
        expression.input.end = self.at;
        self.depth -= 1;
        Ok(expression)
    }

    /// An argument: text as long as it is accepted, or an expression.
    fn argument(
        &mut self,
        expression: &mut Expression<'t>,
        accepts: impl Fn(char) -> bool,
        has_escapes: bool,
    ) -> Outcome {
        if self.rest().starts_with("${") {
            let inner = self.expression()?;
            expression.arguments.push(Argument::Expression(inner));
            return Ok(());
        }
        let mut text = Cow::Borrowed("");
        let start = self.at;
        while let Some(c) = self.peek() {
            let escaped = match self.rest().as_bytes() {
                [b'$', b'{', ..] => break,
                [b'$', b'$', ..] if has_escapes => "$",
                [b'\\', b'/', ..] if has_escapes => "/",
                [b'\\', b'\\', ..] if has_escapes => "\\",
                _ if accepts(c) => {
                    self.at += c.len_utf8();
                    match &mut text {
                        Cow::Borrowed(whole) => {
                            *whole = self.text.get(start..self.at).unwrap_or_default();
                        }
                        Cow::Owned(text) => text.push(c),
                    }
                    continue;
                }
                _ => break,
            };
            self.at += 2;
            text.to_mut().push_str(escaped);
        }
        if text.is_empty() {
            return Err(Problem::Here(ErrorKind::Argument));
        }
        expression.arguments.push(Argument::Text(text));
        Ok(())
    }

    fn default_or_substring(&mut self, expression: &mut Expression<'t>) -> Outcome {
        let after = self.rest().chars().nth(1);
        match after {
            Some('=' | '-' | '?' | '+') => return self.default(expression),
            // Compat: the scanner goes back by the width of this character
            // and is no longer at the colon.
            None => return Err(Problem::Here(ErrorKind::BadSubstitution)),
            Some(c) if c.len_utf8() > 1 => {
                return Err(Problem::Here(ErrorKind::BadSubstitution));
            }
            Some(_) => {}
        }
        expression.operator = self.take_one(&[":"]).unwrap_or_default();
        self.argument(expression, |c| c != ':' && c != '}', false)?;
        if self.peek() == Some('}') {
            return Ok(());
        }
        // Compat: several colons count as one.
        if self.take_while(|c| c == ':').is_empty() {
            return Err(Problem::Here(ErrorKind::BadSubstitution));
        }
        self.argument(expression, |c| c != '}', false)
    }

    fn default(&mut self, expression: &mut Expression<'t>) -> Outcome {
        let operator = self.take_one(&["=", ":=", ":-", ":?", ":+"]);
        let Some(operator) = operator else {
            return Err(Problem::Here(ErrorKind::DefaultOperator));
        };
        expression.operator = operator;
        while self.peek() != Some('}') {
            self.argument(expression, |c| c != '}', false)?;
        }
        Ok(())
    }

    fn replacement(&mut self, expression: &mut Expression<'t>) -> Outcome {
        let operator = self.take_one(&["//", "/#", "/%", "/"]);
        expression.operator = operator.unwrap_or_default();
        self.argument(expression, |c| c != '/', true)?;
        // Compat: several slashes count as one.
        if self.take_while(|c| c == '/').is_empty() {
            return Err(Problem::Here(ErrorKind::BadSubstitution));
        }
        if self.peek() == Some('}') {
            return Ok(());
        }
        self.argument(expression, |c| c != '}', true)
    }
}

/// What is wrong, with the expression that is being read or with one in it.
enum Problem {
    Here(ErrorKind),
    Inside(SubstitutionError),
}

type Outcome = std::result::Result<(), Problem>;

impl From<SubstitutionError> for Problem {
    fn from(error: SubstitutionError) -> Problem {
        Problem::Inside(error)
    }
}
