//! JSON objects.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{malformed, unfit};
use crate::diag::{Error, Result};
use crate::gostd::strconv;
use crate::sops::tree::{Documents, Item, Key, Value};
use crate::yaml::{MAX_DEPTH, write_json_string};

/// Reads the object at the beginning of a text.
///
/// Compat: `stores/json/store.go` reads tokens: a key may stand twice, and
/// what follows the object does not count.
pub(super) fn read(content: &[u8]) -> Result<Documents> {
    let mut reader = Reader {
        rest: content,
        length: content.len(),
    };
    reader.blank();
    if !reader.take(b'{') {
        return Err(reader.fault("it does not begin with `{`"));
    }
    Ok(vec![reader.object(0)?])
}

struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
}

impl Reader<'_> {
    fn fault(&self, why: &str) -> Error {
        let at = self.length - self.rest.len();
        malformed("JSON", format!("{why} (byte {at})"))
    }

    fn blank(&mut self) {
        let blank = |b: &&u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n');
        let count = self.rest.iter().take_while(blank).count();
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    fn take(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn object(&mut self, depth: usize) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        self.blank();
        if self.take(b'}') {
            return Ok(items);
        }
        loop {
            self.blank();
            let key = self.string()?;
            self.blank();
            if !self.take(b':') {
                return Err(self.fault("a `:` is missing"));
            }
            items.push(Item::new(key, self.value(depth + 1)?));
            self.blank();
            if self.take(b'}') {
                return Ok(items);
            }
            if !self.take(b',') {
                return Err(self.fault("a `,` or `}` is missing"));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Vec<Value>> {
        let mut values = Vec::new();
        self.blank();
        if self.take(b']') {
            return Ok(values);
        }
        loop {
            values.push(self.value(depth + 1)?);
            self.blank();
            if self.take(b']') {
                return Ok(values);
            }
            if !self.take(b',') {
                return Err(self.fault("a `,` or `]` is missing"));
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value> {
        if depth > MAX_DEPTH {
            return Err(self.fault("it nests too deep"));
        }
        self.blank();
        match self.rest.first() {
            Some(b'{') => {
                self.take(b'{');
                self.object(depth).map(Value::Map)
            }
            Some(b'[') => {
                self.take(b'[');
                self.array(depth).map(Value::List)
            }
            Some(b'"') => self.string().map(|s| Value::Text(s.into_bytes())),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                let words = [
                    ("true", Value::Bool(true)),
                    ("false", Value::Bool(false)),
                    ("null", Value::Null),
                ];
                for (word, value) in words {
                    if let Some(rest) = self.rest.strip_prefix(word.as_bytes()) {
                        self.rest = rest;
                        return Ok(value);
                    }
                }
                Err(self.fault("a value is missing"))
            }
        }
    }

    /// A string, by the library: it knows the escapes.
    fn string(&mut self) -> Result<String> {
        let mut is_escaped = false;
        let end = self.rest.iter().skip(1).position(|b| {
            let is_end = *b == b'"' && !is_escaped;
            is_escaped = *b == b'\\' && !is_escaped;
            is_end
        });
        let (true, Some(end)) = (self.rest.first() == Some(&b'"'), end) else {
            return Err(self.fault("a string is missing or does not end"));
        };
        let (quoted, rest) = self.rest.split_at(end + 2);
        // Compat: Go puts the replacement character for what is no UTF-8, and
        // for half of a surrogate pair.
        let quoted = String::from_utf8_lossy(quoted);
        let text = serde_json::from_str(&quoted)
            .or_else(|_| serde_json::from_str(&without_lone_surrogates(&quoted)))
            .map_err(|_| self.fault("a string has an escape or a character that is not allowed"))?;
        self.rest = rest;
        Ok(text)
    }

    fn number(&mut self) -> Result<Value> {
        let part = |b: &&u8| matches!(b, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
        let count = self.rest.iter().take_while(part).count();
        let (number, rest) = self.rest.split_at(count);
        let text = std::str::from_utf8(number).unwrap_or_default();
        if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
            return Err(self.fault("a number is malformed"));
        }
        let value = match strconv::atoi(text) {
            Ok(i) => Value::Int(i),
            Err(_) => match strconv::parse_float(text, 64) {
                Ok(f) => Value::Float(f),
                Err(_) => return Err(self.fault("a number is too large")),
            },
        };
        self.rest = rest;
        Ok(value)
    }
}

/// A quoted JSON string with `\ufffd` for every half of a surrogate pair that
/// stands alone.
fn without_lone_surrogates(quoted: &str) -> String {
    let mut out = String::with_capacity(quoted.len());
    let mut rest = quoted;
    let unit = |text: &str| {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        u16::from_str_radix(digits, 16).ok()
    };
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let length = match unit(escape) {
            Some(0xd800..=0xdbff) => {
                let low = escape.get(6..).and_then(unit);
                if matches!(low, Some(0xdc00..=0xdfff)) {
                    out.push_str(escape.get(..12).unwrap_or_default());
                    12
                } else {
                    out.push_str("\\ufffd");
                    6
                }
            }
            Some(0xdc00..=0xdfff) => {
                out.push_str("\\ufffd");
                6
            }
            _ => {
                let length = escape.chars().take(2).map(char::len_utf8).sum();
                out.push_str(escape.get(..length).unwrap_or_default());
                length
            }
        };
        rest = escape.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// Writes an object as `json.Indent` lays it out, with tabs.
pub(super) fn write(items: &[Item]) -> Result<Vec<u8>> {
    let mut out = String::new();
    write_map(items, 0, &mut out)?;
    out.push('\n');
    Ok(out.into_bytes())
}

fn write_map(items: &[Item], depth: usize, out: &mut String) -> Result<()> {
    out.push('{');
    let mut is_first = true;
    for item in items {
        let key = match &item.key {
            Key::Comment(_) => continue,
            Key::Text(key) => key,
            Key::Other(kind) => return Err(unfit(format!("a key is {kind}"))),
        };
        separate(&mut is_first, depth + 1, out);
        write_json_string(out, key);
        out.push_str(": ");
        write_value(&item.value, depth + 1, out)?;
    }
    close(is_first, depth, '}', out);
    Ok(())
}

fn write_value(value: &Value, depth: usize, out: &mut String) -> Result<()> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(i) => out.push_str(&i.to_string()),
        Value::Float(f) if !f.is_finite() => {
            return Err(unfit(
                "JSON has no number for infinity, or for what is none",
            ));
        }
        Value::Float(f) => out.push_str(&strconv::format_json_float(*f)),
        Value::Time(time) => write_json_string(out, &time.rfc3339_nano()),
        Value::Text(text) => write_text(text, out),
        Value::Bytes(bytes) => write_json_string(out, &STANDARD.encode(bytes)),
        Value::Map(items) => write_map(items, depth, out)?,
        Value::List(values) => {
            out.push('[');
            let mut is_first = true;
            for value in values.iter().filter(|v| !matches!(v, Value::Comment(_))) {
                separate(&mut is_first, depth + 1, out);
                write_value(value, depth + 1, out)?;
            }
            close(is_first, depth, ']', out);
        }
        Value::Comment(_) => return Err(unfit("a comment stands where a value is")),
        Value::Other(kind) => return Err(unfit(format!("JSON does not know {kind}"))),
    }
    Ok(())
}

/// Text that need not be UTF-8.
///
/// Compat: encoding/json writes `\ufffd` for each byte that is none.
fn write_text(text: &[u8], out: &mut String) {
    out.push('"');
    for chunk in text.utf8_chunks() {
        let mut quoted = String::new();
        write_json_string(&mut quoted, chunk.valid());
        out.push_str(quoted.get(1..quoted.len() - 1).unwrap_or_default());
        out.extend(std::iter::repeat_n("\\ufffd", chunk.invalid().len()));
    }
    out.push('"');
}

fn separate(is_first: &mut bool, depth: usize, out: &mut String) {
    if !std::mem::take(is_first) {
        out.push(',');
    }
    out.push('\n');
    out.extend(std::iter::repeat_n('\t', depth));
}

fn close(is_empty: bool, depth: usize, bracket: char, out: &mut String) {
    if !is_empty {
        out.push('\n');
        out.extend(std::iter::repeat_n('\t', depth));
    }
    out.push(bracket);
}
