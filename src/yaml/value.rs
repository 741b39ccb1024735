//! Plain data: what a node means.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;

use super::resolve::{Scalar, Version, resolve, resolve_tagged};
use super::{Data, Entry, Node, Tag};
use crate::diag::{Error, Result};

/// A mapping by its keys, in the order of their bytes.
pub type Map = BTreeMap<Arc<str>, Value>;

/// JSON-like data with the kinds of numbers that go-yaml has.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer that fits 64 bits with a sign.
    Int(i64),
    /// A larger one that fits 64 bits without.
    Uint(u64),
    /// Any other number.
    Float(f64),
    /// Text. Timestamps are text here, in RFC 3339 form under v3 and as
    /// written under v2.
    String(Arc<str>),
    /// A list.
    Sequence(Vec<Value>),
    /// A mapping.
    Mapping(Map),
}

impl Value {
    /// The value under a key; none for anything but a mapping.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Value::Mapping(map) => map.get(key),
            _ => None,
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }
}

/// What a node means to a program that decodes it into untyped data and hands
/// it on as JSON: `yaml.Unmarshal` of go-yaml, then `json.Marshal`.
///
/// Merge keys are followed; keys that are numbers or booleans become text
/// under v2, as sigs.k8s.io/yaml has it, and are refused under v3.
///
/// # Errors
///
/// `yaml/invalid` with the place: a key that stands twice (v3 alone; v2 takes
/// the last), a key that JSON cannot have, text that its tag does not fit,
/// numbers that JSON cannot hold, and what a merge key cannot merge.
pub fn decode(node: &Node, version: Version) -> Result<Value> {
    match node.data() {
        Data::Scalar(text) => scalar(node, text, version),
        Data::Sequence(items) => items
            .iter()
            .map(|item| decode(item, version))
            .collect::<Result<_>>()
            .map(Value::Sequence),
        Data::Mapping(entries) => {
            let mut map = Map::new();
            mapping(&mut map, entries, version)?;
            Ok(Value::Mapping(map))
        }
        Data::Alias(alias) => decode(&alias.1, version),
    }
}

fn scalar(node: &Node, text: &Arc<str>, version: Version) -> Result<Value> {
    let resolved = if node.is_unspecific() && version == Version::V2 {
        Some(Scalar::String)
    } else if node.is_resolved() && version == Version::V2 {
        // What v3 found says nothing to v2.
        Some(resolve(text, version))
    } else {
        resolve_tagged(text, node.tag(), version)
    };
    let Some(resolved) = resolved else {
        return Err(Error::new(
            "yaml/invalid",
            format!("cannot decode `{text}` as {}", node.tag().short()),
        )
        .at(node.span())
        .help("remove the tag, or write a value of its kind"));
    };
    Ok(match resolved {
        Scalar::Null => Value::Null,
        Scalar::Bool(b) => Value::Bool(b),
        Scalar::Int(i) => Value::Int(i),
        Scalar::Uint(u) => Value::Uint(u),
        Scalar::Float(f) if f.is_finite() => Value::Float(f),
        Scalar::Float(_) => {
            return Err(
                Error::new("yaml/invalid", format!("JSON has no number `{text}`")).at(node.span()),
            );
        }
        // Compat: v2 keeps the text when it decodes into untyped data.
        Scalar::Timestamp(t) if version == Version::V3 => Value::String(t.into()),
        Scalar::String if node.tag() == Tag::Binary => binary(node, text)?,
        Scalar::Timestamp(_) | Scalar::String => Value::String(text.clone()),
    })
}

fn binary(node: &Node, text: &str) -> Result<Value> {
    let packed: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    base64::engine::general_purpose::STANDARD
        .decode(packed)
        .map(|bytes| {
            // Compat: `encoding/json` puts U+FFFD for each byte that is no
            // part of a character.
            let mut text = String::with_capacity(bytes.len());
            for chunk in bytes.utf8_chunks() {
                text.push_str(chunk.valid());
                text.extend(chunk.invalid().iter().map(|_| '\u{FFFD}'));
            }
            Value::String(text.into())
        })
        .map_err(|_| {
            Error::new(
                "yaml/invalid",
                "!!binary value contains invalid base64 data",
            )
            .at(node.span())
        })
}

/// Adds the entries of a mapping to `map`; keys that are there already win
/// over merged ones.
fn mapping(map: &mut Map, entries: &[Entry], version: Version) -> Result<()> {
    if version == Version::V3 {
        check_unique(entries)?;
    }
    let mut merge = None;
    for entry in entries {
        if entry.key.tag() == Tag::Merge {
            merge = Some(entry);
            continue;
        }
        let key = key_text(&entry.key, version)?;
        map.insert(key, decode(&entry.value, version)?);
    }
    match merge {
        Some(entry) => merge_into(map, &entry.value, version),
        None => Ok(()),
    }
}

fn merge_into(map: &mut Map, source: &Node, version: Version) -> Result<()> {
    let wrong = |node: &Node| {
        Error::new(
            "yaml/invalid",
            "map merge requires map or sequence of maps as the value",
        )
        .at(node.span())
        .help("after `<<:` write an alias of a mapping, or a list of such aliases")
    };
    let sources: &[Node] = match source.target().data() {
        Data::Mapping(_) => std::slice::from_ref(source),
        // A sequence may be written here, but not referred to.
        Data::Sequence(items) if !source.is_alias() => items,
        _ => return Err(wrong(source)),
    };
    for source in sources {
        let Data::Mapping(entries) = source.target().data() else {
            return Err(wrong(source));
        };
        let mut merged = Map::new();
        mapping(&mut merged, entries, version)?;
        for (key, value) in merged {
            map.entry(key).or_insert(value);
        }
    }
    Ok(())
}

/// Refuses a key that is no string.
pub(super) fn check_key(key: &Node) -> Result<()> {
    if key.is_scalar() && key.tag() == Tag::Str {
        return Ok(());
    }
    key_text(key, Version::V3).map(|_| ())
}

/// The text that a key becomes in JSON.
fn key_text(key: &Node, version: Version) -> Result<Arc<str>> {
    let refuse = |what: &str| {
        Err(
            Error::new("yaml/invalid", format!("a key is {what}, not a string"))
                .at(key.span())
                .help("put the key in quotes"),
        )
    };
    if version == Version::V3 && key.target().tag() != Tag::Str {
        return refuse(key.target().describe());
    }
    match decode(key, version)? {
        Value::String(text) => Ok(text),
        Value::Int(i) if version == Version::V2 => Ok(i.to_string().into()),
        Value::Bool(b) if version == Version::V2 => Ok(b.to_string().into()),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "keys are printed as float32"
        )]
        Value::Float(f) if version == Version::V2 => {
            Ok(crate::gostd::strconv::format_float32(f as f32).into())
        }
        _ => refuse(key.target().describe()),
    }
}

/// Refuses a key that stands twice.
///
/// # Errors
///
/// `yaml/duplicate-key` at the second of them.
pub fn check_unique(entries: &[Entry]) -> Result<()> {
    let twice = |first: &Node, second: &Node| {
        Err(Error::new(
            "yaml/duplicate-key",
            format!(
                "mapping key `{}` already defined at line {}",
                second.text().unwrap_or_default(),
                first.span().line
            ),
        )
        .at(second.span())
        .help("remove one of the two"))
    };
    if entries.len() <= 16 {
        for (i, entry) in entries.iter().enumerate() {
            if entry.key.is_scalar()
                && let Some(first) = entries[..i]
                    .iter()
                    .find(|e| e.key.text() == entry.key.text())
            {
                return twice(&first.key, &entry.key);
            }
        }
        return Ok(());
    }
    let mut seen = foldhash::HashMap::default();
    for entry in entries {
        if let Some(text) = entry.key.text()
            && let Some(first) = seen.insert(text, &entry.key)
        {
            return twice(first, &entry.key);
        }
    }
    Ok(())
}
