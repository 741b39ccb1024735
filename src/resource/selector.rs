//! Label selectors in their text form, `app=web,tier in (a, b),!canary`.
//!
//! Compat: `k8s.io/apimachinery` `labels.Parse`, which kustomize and Flux use
//! for labels and annotations alike.

/// A selector: requirements that must all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
    Greater(i64),
    Less(i64),
}

impl Selector {
    /// Reads a selector; an empty text selects everything.
    ///
    /// # Errors
    ///
    /// A phrase that says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Selector, String> {
        let mut parser = Parser { rest: text };
        let mut requirements = Vec::new();
        parser.skip();
        if parser.rest.is_empty() {
            return Ok(Selector::default());
        }
        loop {
            requirements.push(parser.requirement()?);
            match parser.token() {
                Token::End => break,
                Token::Sign(",") => {}
                other => return Err(format!("expected `,`, found {other}")),
            }
        }
        Ok(Selector { requirements })
    }

    /// Whether labels, looked up by their key, are selected.
    pub fn matches<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.requirements.iter().all(|requirement| {
            let value = label(&requirement.key);
            match (&requirement.test, value) {
                (Test::Exists, value) => value.is_some(),
                (Test::Absent, value) => value.is_none(),
                (Test::In(values), Some(value)) => values.iter().any(|v| v == value),
                (Test::NotIn(values), Some(value)) => !values.iter().any(|v| v == value),
                (Test::NotIn(_), None) => true,
                (Test::Greater(n), Some(value)) => value.parse().is_ok_and(|v: i64| v > *n),
                (Test::Less(n), Some(value)) => value.parse().is_ok_and(|v: i64| v < *n),
                (_, None) => false,
            }
        })
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token<'a> {
    End,
    Sign(&'static str),
    Word(&'a str),
}

impl std::fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Token::End => f.write_str("the end"),
            Token::Sign(text) | Token::Word(text) => write!(f, "`{text}`"),
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn skip(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    fn token(&mut self) -> Token<'a> {
        self.skip();
        if self.rest.is_empty() {
            return Token::End;
        }
        // The longest first.
        for sign in ["==", "!=", "=", "!", ">", "<", ",", "(", ")"] {
            if let Some(rest) = self.rest.strip_prefix(sign) {
                self.rest = rest;
                return Token::Sign(sign);
            }
        }
        let end = self
            .rest
            .find([' ', '\t', '\r', '\n', '=', '!', '>', '<', ',', '(', ')'])
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Token::Word(word)
    }

    fn peek(&mut self) -> Token<'a> {
        let before = self.rest;
        let token = self.token();
        self.rest = before;
        token
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let absent = self.peek() == Token::Sign("!");
        if absent {
            self.token();
        }
        let key = match self.token() {
            Token::Word(word) => word,
            other => return Err(format!("expected a key, found {other}")),
        };
        check_key(key)?;
        let requirement = |test| {
            Ok(Requirement {
                key: key.to_owned(),
                test,
            })
        };
        if absent {
            return requirement(Test::Absent);
        }
        if matches!(self.peek(), Token::End | Token::Sign(",")) {
            return requirement(Test::Exists);
        }
        match self.token() {
            Token::Sign("=" | "==") => requirement(Test::In(vec![self.value()?])),
            Token::Sign("!=") => requirement(Test::NotIn(vec![self.value()?])),
            Token::Sign(">") => requirement(Test::Greater(self.integer()?)),
            Token::Sign("<") => requirement(Test::Less(self.integer()?)),
            Token::Word("in") => requirement(Test::In(self.values()?)),
            Token::Word("notin") => requirement(Test::NotIn(self.values()?)),
            other => Err(format!(
                "expected an operator (`=`, `!=`, `in`, `notin`, `<`, `>`), found {other}"
            )),
        }
    }

    /// One value, which may be empty.
    fn value(&mut self) -> Result<String, String> {
        match self.peek() {
            Token::End | Token::Sign(",") => Ok(String::new()),
            Token::Word(word) => {
                self.token();
                check_value(word)?;
                Ok(word.to_owned())
            }
            other @ Token::Sign(_) => Err(format!("expected a value, found {other}")),
        }
    }

    fn integer(&mut self) -> Result<i64, String> {
        let value = self.value()?;
        value
            .parse()
            .map_err(|_| format!("`{value}` is no integer, which `<` and `>` compare with"))
    }

    /// Values in parentheses.
    fn values(&mut self) -> Result<Vec<String>, String> {
        match self.token() {
            Token::Sign("(") => {}
            other => return Err(format!("expected `(`, found {other}")),
        }
        let mut values = Vec::new();
        loop {
            match self.token() {
                Token::Word(word) => {
                    check_value(word)?;
                    values.push(word.to_owned());
                    match self.token() {
                        Token::Sign(",") if self.peek() == Token::Sign(")") => {
                            values.push(String::new());
                            self.token();
                            return Ok(values);
                        }
                        Token::Sign(",") => {}
                        Token::Sign(")") => return Ok(values),
                        other => return Err(format!("expected `,` or `)`, found {other}")),
                    }
                }
                Token::Sign(",") => values.push(String::new()),
                Token::Sign(")") if values.is_empty() => return Ok(vec![String::new()]),
                Token::Sign(")") => return Ok(values),
                other => return Err(format!("expected a value, found {other}")),
            }
        }
    }
}

/// A label key: a name, or a DNS name and a name.
fn check_key(key: &str) -> Result<(), String> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    let good = is_name(name) && prefix.is_none_or(is_subdomain);
    good.then_some(())
        .ok_or_else(|| format!("`{key}` is no label key"))
}

fn check_value(value: &str) -> Result<(), String> {
    let good = value.is_empty() || is_name(value);
    good.then_some(())
        .ok_or_else(|| format!("`{value}` is no label value"))
}

fn is_name(text: &str) -> bool {
    let ends = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    text.len() <= 63
        && ends(bytes.first())
        && ends(bytes.last())
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn is_subdomain(text: &str) -> bool {
    let dns = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        bytes.first().is_some_and(dns)
            && bytes.last().is_some_and(dns)
            && bytes.iter().all(|b| dns(b) || *b == b'-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selects(selector: &str, labels: &[(&str, &str)]) -> bool {
        let selector = Selector::parse(selector).unwrap();
        selector.matches(|key| labels.iter().find(|(k, _)| *k == key).map(|(_, v)| *v))
    }

    #[test]
    fn requirements_all_hold() {
        let labels = [("app", "web"), ("tier", "a"), ("n", "5")];
        for yes in [
            "",
            "app",
            "!x",
            "app=web",
            "app == web",
            "app!=db",
            "x!=y",
            "tier in (a, b)",
            "tier notin (c)",
            "x notin (c)",
            "n>4,n<6",
            "app=web , tier in (a)",
            "x notin ()",
        ] {
            assert!(selects(yes, &labels), "{yes}");
        }
        for no in [
            "x",
            "!app",
            "app=db",
            "app=",
            "tier in (b,c)",
            "tier notin (a)",
            "n>5",
            "app>1",
            "app,x",
        ] {
            assert!(!selects(no, &labels), "{no}");
        }
        assert!(selects("x in (,a)", &[("x", "")]));
    }

    #[test]
    fn what_is_no_selector_is_said() {
        for (text, message) in [
            ("=a", "expected a key, found `=`"),
            (
                "a b",
                "expected an operator (`=`, `!=`, `in`, `notin`, `<`, `>`), found `b`",
            ),
            ("a in b", "expected `(`, found `b`"),
            ("a in (b", "expected `,` or `)`, found the end"),
            ("a>b", "`b` is no integer, which `<` and `>` compare with"),
            ("a=-b", "`-b` is no label value"),
            ("A/b/c=d", "`A/b/c` is no label key"),
            ("a,", "expected a key, found the end"),
            ("-a=b", "`-a` is no label key"),
            ("a-.b/c", "`a-.b/c` is no label key"),
            ("a/=b", "`a/` is no label key"),
            ("a in", "expected `(`, found the end"),
        ] {
            assert_eq!(Selector::parse(text).unwrap_err(), message, "{text}");
        }
    }
}
