//! Label selectors: `app=web,tier in (a, b),!old`.
//!
//! Compat: `labels.Parse` of Kubernetes, as kyaml carries it.

use std::sync::Arc;

use crate::diag::{Error, Result, Span};
use crate::yaml::Node;

/// What labels must be like.
#[derive(Debug, Default)]
pub(super) struct LabelSelector(Vec<Requirement>);

#[derive(Debug)]
struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
    GreaterThan,
    LessThan,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    End,
    Symbol(&'static str),
    Word(String),
}

impl Token {
    fn is(&self, symbol: &str) -> bool {
        matches!(self, Token::Symbol(s) if *s == symbol)
    }
}

impl LabelSelector {
    /// Reads a selector; the empty one matches everything.
    ///
    /// # Errors
    ///
    /// `kustomize/selector` for what is none.
    pub(super) fn new(text: &str, span: Span) -> Result<LabelSelector> {
        let mut parser = Parser {
            tokens: tokens(text),
            position: 0,
        };
        parser.requirements().map(LabelSelector).map_err(|reason| {
            Error::new(
                "kustomize/selector",
                format!("`{text}` is no label selector: {reason}"),
            )
            .at(span)
            .help("write it as kubectl takes it: `app=web,tier!=cache,!old`")
        })
    }

    /// Whether it matches these labels.
    pub(super) fn matches(&self, labels: &[(Arc<str>, Node)]) -> bool {
        self.0.iter().all(|requirement| requirement.matches(labels))
    }
}

impl Requirement {
    fn matches(&self, labels: &[(Arc<str>, Node)]) -> bool {
        let label = labels
            .iter()
            .find(|(key, _)| **key == *self.key)
            .map(|(_, value)| value.text().unwrap_or_default());
        match self.operator {
            Operator::In => label.is_some_and(|l| self.values.iter().any(|v| v == l)),
            Operator::NotIn => label.is_none_or(|l| !self.values.iter().any(|v| v == l)),
            Operator::Exists => label.is_some(),
            Operator::DoesNotExist => label.is_none(),
            Operator::GreaterThan | Operator::LessThan => {
                let number = |text: &str| text.parse::<i64>().ok();
                match (
                    label.and_then(number),
                    self.values.first().and_then(|v| number(v)),
                ) {
                    (Some(label), Some(bound)) if self.operator == Operator::GreaterThan => {
                        label > bound
                    }
                    (Some(label), Some(bound)) => label < bound,
                    _ => false,
                }
            }
        }
    }
}

const SYMBOLS: [&str; 9] = [")", ",", "!", "==", "=", ">", "<", "!=", "("];

fn tokens(text: &str) -> Vec<Token> {
    let is_special = |b: u8| matches!(b, b'=' | b'!' | b'(' | b')' | b',' | b'>' | b'<');
    let is_blank = |b: u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n');
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut i = 0;
    while i < bytes.len() {
        let start = i;
        if is_blank(bytes[i]) {
            i += 1;
        } else if is_special(bytes[i]) {
            // The longest symbol, grown as long as it is one.
            let mut end = i + 1;
            while end < bytes.len()
                && is_special(bytes[end])
                && SYMBOLS.contains(&&text[start..=end])
            {
                end += 1;
            }
            let found = SYMBOLS.iter().find(|s| **s == &text[start..end]);
            tokens.extend(found.map(|s| Token::Symbol(s)));
            i = end;
        } else {
            while i < bytes.len() && !is_special(bytes[i]) && !is_blank(bytes[i]) {
                i += 1;
            }
            tokens.push(Token::Word(text[start..i].to_owned()));
        }
    }
    tokens
}

struct Parser {
    tokens: Vec<Token>,
    position: usize,
}

type Parsed<T> = std::result::Result<T, String>;

impl Parser {
    fn peek(&self) -> Token {
        self.tokens
            .get(self.position)
            .cloned()
            .unwrap_or(Token::End)
    }

    fn next(&mut self) -> Token {
        let token = self.peek();
        self.position += 1;
        token
    }

    fn requirements(&mut self) -> Parsed<Vec<Requirement>> {
        let mut requirements = Vec::new();
        loop {
            match self.peek() {
                Token::End => return Ok(requirements),
                Token::Word(_) => {}
                token @ Token::Symbol(_) if token.is("!") => {}
                token @ Token::Symbol(_) => {
                    return Err(format!("found {}, expected a key or `!`", show(&token)));
                }
            }
            requirements.push(self.requirement()?);
            match self.next() {
                Token::End => return Ok(requirements),
                token if token.is(",") => match self.peek() {
                    Token::Word(_) => {}
                    token if token.is("!") => {}
                    token => return Err(format!("found {} after `,`", show(&token))),
                },
                token => return Err(format!("found {}, expected `,`", show(&token))),
            }
        }
    }

    fn requirement(&mut self) -> Parsed<Requirement> {
        let negated = self.peek().is("!");
        if negated {
            self.next();
        }
        let Token::Word(key) = self.next() else {
            return Err("a key is missing".to_owned());
        };
        if !is_qualified_name(&key) {
            return Err(format!("`{key}` is no label key"));
        }
        let bare = |operator| Requirement {
            key: key.clone(),
            operator,
            values: Vec::new(),
        };
        if negated {
            return Ok(bare(Operator::DoesNotExist));
        }
        let operator = match self.peek() {
            Token::End => return Ok(bare(Operator::Exists)),
            token if token.is(",") => return Ok(bare(Operator::Exists)),
            Token::Word(word) if word == "in" => Operator::In,
            Token::Word(word) if word == "notin" => Operator::NotIn,
            token if token.is("=") || token.is("==") => Operator::In,
            token if token.is("!=") => Operator::NotIn,
            token if token.is(">") => Operator::GreaterThan,
            token if token.is("<") => Operator::LessThan,
            token => return Err(format!("found {}, expected an operator", show(&token))),
        };
        let values = match self.next() {
            Token::Word(_) => self.values()?,
            _ => vec![self.exact_value()?],
        };
        if matches!(operator, Operator::GreaterThan | Operator::LessThan)
            && values.iter().any(|v| v.parse::<i64>().is_err())
        {
            return Err("`>` and `<` compare whole numbers".to_owned());
        }
        if let Some(bad) = values.iter().find(|v| !is_label_value(v)) {
            return Err(format!("`{bad}` is no label value"));
        }
        Ok(Requirement {
            key,
            operator,
            values,
        })
    }

    /// `(a, b)`, each of which may be empty.
    fn values(&mut self) -> Parsed<Vec<String>> {
        if !self.next().is("(") {
            return Err("expected `(`".to_owned());
        }
        let mut values = Vec::new();
        let mut after_comma = true;
        loop {
            match self.next() {
                Token::Word(word) if after_comma => {
                    values.push(word);
                    after_comma = false;
                }
                token if token.is(",") => {
                    if after_comma {
                        values.push(String::new());
                    }
                    after_comma = true;
                }
                token if token.is(")") => {
                    if after_comma {
                        values.push(String::new());
                    }
                    // The values are a set.
                    values.sort();
                    values.dedup();
                    return Ok(values);
                }
                token => return Err(format!("found {}, expected `,` or `)`", show(&token))),
            }
        }
    }

    fn exact_value(&mut self) -> Parsed<String> {
        match self.peek() {
            Token::End => Ok(String::new()),
            token if token.is(",") => Ok(String::new()),
            Token::Word(word) => {
                self.next();
                Ok(word)
            }
            Token::Symbol(symbol) => Err(format!("found `{symbol}`, expected a value")),
        }
    }
}

fn show(token: &Token) -> String {
    match token {
        Token::End => "the end".to_owned(),
        Token::Symbol(symbol) => format!("`{symbol}`"),
        Token::Word(word) => format!("`{word}`"),
    }
}

/// Letters, digits, `-`, `_` and `.`, the first and the last of them a letter
/// or a digit; at most 63.
fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ends = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    bytes.len() <= 63
        && ends(bytes.first())
        && ends(bytes.last())
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn is_label_value(text: &str) -> bool {
    text.is_empty() || is_name(text)
}

/// A name, with a DNS subdomain and `/` before it or not.
fn is_qualified_name(text: &str) -> bool {
    match text.split_once('/') {
        None => is_name(text),
        Some((prefix, name)) => is_name(name) && is_subdomain(prefix),
    }
}

fn is_subdomain(text: &str) -> bool {
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        let ends = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        ends(bytes.first())
            && ends(bytes.last())
            && bytes
                .iter()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(selector: &str, labels: &[(&str, &str)]) -> bool {
        let labels: Vec<_> = labels
            .iter()
            .map(|(k, v)| (Arc::from(*k), Node::string(*v, Span::NONE)))
            .collect();
        LabelSelector::new(selector, Span::NONE)
            .unwrap()
            .matches(&labels)
    }

    #[test]
    fn selectors() {
        let labels = [("app", "web"), ("tier", "front"), ("n", "7"), ("e", "")];
        for selector in [
            "",
            "app=web",
            "app == web , tier in (front, back)",
            "app!=db,tier notin (back)",
            "app,!old",
            "old!=x",
            "n>6,n<8",
            "e=",
            "e in (,x)",
        ] {
            assert!(matches(selector, &labels), "{selector}");
        }
        for selector in [
            "app=db",
            "!app",
            "old",
            "n>7",
            "app in ()",
            "tier notin (front)",
        ] {
            assert!(!matches(selector, &labels), "{selector}");
        }
    }

    #[test]
    fn what_is_no_selector() {
        for selector in [
            "=", "app=web,", "a b", "a in", "a in (b", "-a=b", "a=-b", "n>x", "A/=b",
        ] {
            let error = LabelSelector::new(selector, Span::NONE).unwrap_err();
            assert_eq!(error.rule(), "kustomize/selector", "{selector}");
        }
    }
}
