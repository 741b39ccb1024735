//! Lines of `NAME=value`.

use super::{malformed, unfit};
use crate::diag::Result;
use crate::sops::tree::{Documents, Item, Key, Value, plain_text};

/// Compat: `stores/dotenv/store.go`: the first `=` ends the name; `\n` stands
/// for a line break, and nothing else is escaped.
pub(super) fn read(content: &[u8]) -> Result<Documents> {
    let mut items = Vec::new();
    for (i, line) in content.split(|b| *b == b'\n').enumerate() {
        if line.is_empty() {
            continue;
        }
        if let Some(comment) = line.strip_prefix(b"#") {
            items.push(Item::comment(comment, false));
            continue;
        }
        let Some(at) = memchr::memchr(b'=', line) else {
            return Err(malformed("dotenv", format!("line {} has no `=`", i + 1)));
        };
        let (name, value) = line.split_at(at);
        let value = value.get(1..).unwrap_or_default();
        items.push(Item::new(
            String::from_utf8_lossy(name),
            Value::Text(replace(value, b"\\n", b"\n")),
        ));
    }
    Ok(vec![items])
}

pub(super) fn write(items: &[Item]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    for item in items {
        match (&item.key, &item.value) {
            (_, Value::List(_) | Value::Map(_)) => {
                return Err(unfit("a dotenv file holds no lists and mappings"));
            }
            (Key::Comment(comment), _) => {
                out.push(b'#');
                out.extend_from_slice(&comment.text);
            }
            (Key::Text(name), value) => {
                out.extend_from_slice(name.as_bytes());
                out.push(b'=');
                match value {
                    Value::Text(text) => out.extend(replace(text, b"\n", b"\\n")),
                    value => out.extend(plain_text(value)),
                }
            }
            (Key::Other(kind), _) => return Err(unfit(format!("a key is {kind}"))),
        }
        out.push(b'\n');
    }
    Ok(out)
}

fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memmem::find(rest, from) {
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        out.extend_from_slice(to);
        rest = rest.get(at + from.len()..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}
