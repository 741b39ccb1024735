//! A manifest as the API server reads it: YAML turned into JSON.
//!
//! Compat: `UnmarshalStrict` of sigs.k8s.io/yaml v1.5.0, on go-yaml v2: keys
//! that stand twice are refused, aliases and merge keys are followed, keys that
//! are numbers or booleans become text, `yes` and `on` are booleans.

use std::borrow::Cow;

use crate::diag::{Error, Result};
use crate::yaml::resolve::{Scalar, Version, resolve, resolve_tagged};
use crate::yaml::{Data, Entry, Node, Tag, Value, check_unique, decode};

/// What a node is as JSON.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Text,
    List,
    Mapping,
}

impl Kind {
    /// Aliases must have been followed.
    pub(super) fn of(node: &Node) -> Kind {
        let text = match node.data() {
            Data::Scalar(text) => text,
            Data::Sequence(_) => return Kind::List,
            Data::Mapping(_) => return Kind::Mapping,
            Data::Alias(alias) => return Kind::of(&alias.1),
        };
        if node.tag() == Tag::Str && !node.is_resolved() {
            return Kind::Text;
        }
        let scalar = if node.is_resolved() {
            Some(resolve(text, Version::V2))
        } else {
            resolve_tagged(text, node.tag(), Version::V2)
        };
        match scalar {
            Some(Scalar::Null) => Kind::Null,
            Some(Scalar::Bool(b)) => Kind::Bool(b),
            Some(Scalar::Int(i)) => Kind::Int(i),
            Some(Scalar::Uint(u)) => Kind::Uint(u),
            Some(Scalar::Float(f)) => Kind::Float(f),
            Some(Scalar::Timestamp(_) | Scalar::String) | None => Kind::Text,
        }
    }

    /// A word for it, for messages.
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Bool(_) => "a boolean",
            Kind::Int(_) | Kind::Uint(_) | Kind::Float(_) => "a number",
            Kind::Text => "a string",
            Kind::List => "a list",
            Kind::Mapping => "a mapping",
        }
    }
}

/// The document without aliases and merge keys, all keys text. It is copied
/// only where it has any.
///
/// # Errors
///
/// `yaml/invalid`, with the place.
pub(super) fn plain(node: &Node) -> Result<Cow<'_, Node>> {
    Ok(if is_plain(node)? {
        Cow::Borrowed(node)
    } else {
        Cow::Owned(expand(node)?)
    })
}

fn is_plain(node: &Node) -> Result<bool> {
    let mut all = true;
    match node.data() {
        Data::Scalar(_) => {}
        Data::Alias(_) => all = false,
        Data::Sequence(items) => {
            for item in items.iter() {
                all &= is_plain(item)?;
            }
        }
        Data::Mapping(entries) => {
            check_unique(entries)?;
            for entry in entries.iter() {
                all &= entry.key.tag() == Tag::Str && Kind::of(&entry.key) == Kind::Text;
                all &= is_plain(&entry.value)?;
            }
        }
    }
    Ok(all)
}

fn expand(node: &Node) -> Result<Node> {
    match node.data() {
        Data::Scalar(_) => Ok(node.clone()),
        Data::Alias(alias) => expand(&alias.1),
        Data::Sequence(items) => {
            let items = items.iter().map(expand).collect::<Result<_>>()?;
            Ok(Node::sequence(items, node.span()))
        }
        Data::Mapping(entries) => {
            let mut out: Vec<Entry> = Vec::with_capacity(entries.len());
            let mut merged = Vec::new();
            for entry in entries.iter() {
                if entry.key.tag() == Tag::Merge {
                    merged.push(&entry.value);
                    continue;
                }
                out.push(Entry {
                    key: Node::string(key_text(&entry.key)?, entry.key.span()),
                    value: expand(&entry.value)?,
                });
            }
            for source in merged {
                merge(&mut out, source)?;
            }
            Ok(Node::mapping(out, node.span()))
        }
    }
}

/// Adds what a merge key brings and the mapping does not have.
fn merge(out: &mut Vec<Entry>, source: &Node) -> Result<()> {
    let sources = match source.data() {
        Data::Sequence(items) => items.as_slice(),
        _ => std::slice::from_ref(source),
    };
    for source in sources {
        if !source.target().is_mapping() {
            return Err(Error::new(
                "yaml/invalid",
                format!("`<<` merges {}, not a mapping", source.target().describe()),
            )
            .at(source.span())
            .help("after `<<:` write an alias of a mapping, or a list of such aliases"));
        }
        for entry in expand(source)?.entries() {
            if out.iter().all(|e| e.key.text() != entry.key.text()) {
                out.push(entry.clone());
            }
        }
    }
    Ok(())
}

fn key_text(key: &Node) -> Result<std::sync::Arc<str>> {
    if key.tag() == Tag::Str
        && let Some(text) = key.shared_text()
        && Kind::of(key) == Kind::Text
    {
        return Ok(text.clone());
    }
    match decode(key, Version::V2)? {
        Value::String(text) => Ok(text),
        Value::Int(i) => Ok(i.to_string().into()),
        Value::Bool(b) => Ok(b.to_string().into()),
        Value::Float(_) | Value::Uint(_) => Ok(key.target().text().unwrap_or_default().into()),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) => Err(Error::new(
            "yaml/invalid",
            format!("a key is {}, not text", key.target().describe()),
        )
        .at(key.span())
        .help("a key is text; braces that belong to a template must be in quotes")),
    }
}
