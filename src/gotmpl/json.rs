//! JSON as Go's `encoding/json` reads and writes it.
//!
//! Reading gives plain data whose numbers are floats, or Go's message; writing
//! has the variants that templates ask for.

use std::sync::Arc;

use crate::gostd::strconv;
use crate::yaml::{self, Map, Value};

/// How deep arrays and objects may nest.
///
/// Go allows 10,000; recursion here must not overflow the stack.
const MAX_DEPTH: usize = yaml::MAX_DEPTH;

/// Reads a text that holds one value and nothing else.
///
/// # Errors
///
/// Go's message.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0)?;
    reader.blanks();
    match reader.peek() {
        None => Ok(value),
        Some(c) => Err(format!(
            "invalid character {} after top-level value",
            quoted(c)
        )),
    }
}

/// Reads the value that a text begins with, and gives the bytes that it takes.
pub(crate) fn parse_prefix(text: &str) -> Result<(Value, usize), String> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0)?;
    Ok((value, reader.at))
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

/// A character as Go's messages show it.
fn quoted(c: char) -> String {
    match c {
        '\'' => "'\\''".to_owned(),
        '"' => "'\"'".to_owned(),
        c => {
            let shown = strconv::quote(&c.to_string());
            format!("'{}'", &shown[1..shown.len() - 1])
        }
    }
}

const UNEXPECTED_END: &str = "unexpected end of JSON input";

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// An error at the next character; `context` says what was being read.
    fn unexpected(&self, context: &str) -> String {
        match self.peek() {
            None => UNEXPECTED_END.to_owned(),
            Some(c) => format!("invalid character {} {context}", quoted(c)),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        if depth > MAX_DEPTH {
            return Err("exceeded max depth".to_owned());
        }
        self.blanks();
        match self.byte() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Value::String),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.unexpected("looking for beginning of value")),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, String> {
        for expected in word.chars() {
            if self.peek() != Some(expected) {
                let context = format!("in literal {word} (expecting {})", quoted(expected));
                return Err(self.unexpected(&context));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Result<Value, String> {
        let start = self.at;
        self.at += usize::from(self.byte() == Some(b'-'));
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else if self.digits() == 0 {
            return Err(self.unexpected("in numeric literal"));
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(self.unexpected("after decimal point in numeric literal"));
            }
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            if self.digits() == 0 {
                return Err(self.unexpected("in exponent of numeric literal"));
            }
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        match text.parse() {
            Ok(f) if f64::is_finite(f) => Ok(Value::Float(f)),
            _ => Err(format!(
                "json: cannot unmarshal number {text} into Go value of type float64"
            )),
        }
    }

    fn string(&mut self) -> Result<Arc<str>, String> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let is_end = |b: &u8| matches!(b, b'"' | b'\\' | 0..b' ');
            let Some(length) = rest.as_bytes().iter().position(is_end) else {
                return Err(UNEXPECTED_END.to_owned());
            };
            let part = rest.get(..length).unwrap_or_default();
            self.at += length;
            if out.is_empty() && self.byte() == Some(b'"') {
                self.at += 1;
                return Ok(part.into());
            }
            out.push_str(part);
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out.into());
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.escape(&mut out)?;
                }
                _ => return Err(self.unexpected("in string literal")),
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), String> {
        let c = match self.byte() {
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'u') => {
                self.at += 1;
                let unit = self.hexadecimal()?;
                let c = self.character(unit)?;
                out.push(c);
                return Ok(());
            }
            _ => return Err(self.unexpected("in string escape code")),
        };
        self.at += 1;
        out.push(c);
        Ok(())
    }

    /// The character of a UTF-16 unit, with the one behind it where both are
    /// halves of one.
    fn character(&mut self, unit: u32) -> Result<char, String> {
        const LOST: char = '\u{FFFD}';
        if !(0xD800..0xE000).contains(&unit) {
            return Ok(char::from_u32(unit).unwrap_or(LOST));
        }
        let rest = self.text.get(self.at..).unwrap_or_default();
        if unit >= 0xDC00 || !rest.starts_with("\\u") {
            return Ok(LOST);
        }
        let before = self.at;
        self.at += 2;
        let low = self.hexadecimal()?;
        if (0xDC00..0xE000).contains(&low) {
            let code = 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
            return Ok(char::from_u32(code).unwrap_or(LOST));
        }
        self.at = before;
        Ok(LOST)
    }

    fn hexadecimal(&mut self) -> Result<u32, String> {
        let mut code = 0;
        for _ in 0..4 {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(16)) else {
                return Err(self.unexpected("in \\u hexadecimal character escape"));
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    fn array(&mut self, depth: usize) -> Result<Value, String> {
        self.at += 1;
        let mut items = Vec::new();
        self.blanks();
        if self.byte() == Some(b']') {
            self.at += 1;
            return Ok(Value::Sequence(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.blanks();
            match self.byte() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::Sequence(items));
                }
                _ => return Err(self.unexpected("after array element")),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, String> {
        self.at += 1;
        let mut map = Map::new();
        self.blanks();
        if self.byte() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Mapping(map));
        }
        loop {
            self.blanks();
            if self.byte() != Some(b'"') {
                return Err(self.unexpected("looking for beginning of object key string"));
            }
            let key = self.string()?;
            self.blanks();
            if self.byte() != Some(b':') {
                return Err(self.unexpected("after object key"));
            }
            self.at += 1;
            map.insert(key, self.value(depth + 1)?);
            self.blanks();
            match self.byte() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Mapping(map));
                }
                _ => return Err(self.unexpected("after object key:value pair")),
            }
        }
    }
}

/// Writes data as `json.MarshalIndent(value, "", "  ")`.
pub(crate) fn pretty(value: &Value) -> String {
    let mut out = String::new();
    write_pretty(&mut out, value, 0);
    out
}

fn write_pretty(out: &mut String, value: &Value, depth: usize) {
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    match value {
        Value::Sequence(items) if !items.is_empty() => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                line(out, depth + 1);
                write_pretty(out, item, depth + 1);
            }
            line(out, depth);
            out.push(']');
        }
        Value::Mapping(map) if !map.is_empty() => {
            out.push('{');
            for (i, (key, value)) in map.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                line(out, depth + 1);
                yaml::write_json_string(out, key);
                out.push_str(": ");
                write_pretty(out, value, depth + 1);
            }
            line(out, depth);
            out.push('}');
        }
        other => out.push_str(&yaml::to_json(other)),
    }
}

/// JSON text without the escapes of what HTML gives a meaning.
///
/// Compat: `SetEscapeHTML(false)`; the escapes of U+2028 and U+2029 stay.
pub(crate) fn raw(value: &Value) -> String {
    let escaped = yaml::to_json(value);
    if !escaped.contains("\\u00") {
        return escaped;
    }
    let mut out = String::with_capacity(escaped.len());
    let mut rest = &*escaped;
    while let Some(at) = rest.find('\\') {
        let (before, tail) = rest.split_at(at);
        out.push_str(before);
        let (character, length) = match tail.get(..6) {
            Some("\\u003c") => ("<", 6),
            Some("\\u003e") => (">", 6),
            Some("\\u0026") => ("&", 6),
            // Any other escape, the backslash's own among them.
            _ => (tail.get(..2).unwrap_or(tail), 2),
        };
        out.push_str(character);
        rest = tail.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_go_reads() {
        let text = r#" {"a": [1, -2.5e3, true, null, "x\u00e4\ud83d\ude00\ud800\n"], "a b": {}} "#;
        let value = parse(text).unwrap();
        assert_eq!(
            yaml::to_json(&value),
            "{\"a\":[1,-2500,true,null,\"xä😀\u{FFFD}\\n\"],\"a b\":{}}"
        );
        assert_eq!(parse_prefix("1 ,x").unwrap().1, 1);
    }

    #[test]
    fn errors_are_gos() {
        for (text, want) in [
            ("", "unexpected end of JSON input"),
            ("{", "unexpected end of JSON input"),
            ("x", "invalid character 'x' looking for beginning of value"),
            (
                "{x",
                "invalid character 'x' looking for beginning of object key string",
            ),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            (
                "{\"a\":1 2}",
                "invalid character '2' after object key:value pair",
            ),
            (
                "{\"a\":1,}",
                "invalid character '}' looking for beginning of object key string",
            ),
            ("[1 2]", "invalid character '2' after array element"),
            (
                "[1,]",
                "invalid character ']' looking for beginning of value",
            ),
            ("1 2", "invalid character '2' after top-level value"),
            ("01", "invalid character '1' after top-level value"),
            ("-", "unexpected end of JSON input"),
            ("-x", "invalid character 'x' in numeric literal"),
            (
                "1.x",
                "invalid character 'x' after decimal point in numeric literal",
            ),
            ("1e", "unexpected end of JSON input"),
            (
                "trux",
                "invalid character 'x' in literal true (expecting 'e')",
            ),
            ("\"\\x\"", "invalid character 'x' in string escape code"),
            (
                "\"\\u00x0\"",
                "invalid character 'x' in \\u hexadecimal character escape",
            ),
            ("\"a\nb\"", "invalid character '\\n' in string literal"),
            (
                "'",
                "invalid character '\\'' looking for beginning of value",
            ),
            (
                "1e999",
                "json: cannot unmarshal number 1e999 into Go value of type float64",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), want, "{text}");
        }
    }

    #[test]
    fn variants() {
        let value = parse(r#"{"a":[],"b":["<&>",{"c":"\\u003c"}],"d":{}}"#).unwrap();
        assert_eq!(
            raw(&value),
            r#"{"a":[],"b":["<&>",{"c":"\\u003c"}],"d":{}}"#
        );
        assert_eq!(
            pretty(&value),
            "{\n  \"a\": [],\n  \"b\": [\n    \"\\u003c\\u0026\\u003e\",\n    {\n      \"c\": \"\\\\u003c\"\n    }\n  ],\n  \"d\": {}\n}"
        );
    }
}
