//! Plain data: what a node means.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;

use super::resolve::{Scalar, Version, resolve, resolve_tagged};
use super::{Data, Entry, Node, Style, Tag};
use crate::diag::{Error, Result};
use crate::gostd::strconv;

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

/// What a scalar is.
fn resolved(node: &Node, text: &str, version: Version) -> Result<Scalar> {
    let resolved = match version {
        Version::V2 if node.is_unspecific() => Some(Scalar::String),
        // What v3 found says nothing to v2.
        Version::V2 if node.is_resolved() => Some(resolve(text, version)),
        _ => resolve_tagged(text, node.tag(), version),
    };
    resolved.ok_or_else(|| {
        Error::new(
            "yaml/invalid",
            format!("cannot decode `{text}` as {}", node.tag().short()),
        )
        .at(node.span())
        .help("remove the tag, or write a value of its kind")
    })
}

fn scalar(node: &Node, text: &Arc<str>, version: Version) -> Result<Value> {
    Ok(match resolved(node, text, version)? {
        Scalar::Null => Value::Null,
        Scalar::Bool(b) => Value::Bool(b),
        Scalar::Int(i) => Value::Int(i),
        Scalar::Uint(u) => Value::Uint(u),
        Scalar::Float(f) if f.is_finite() => Value::Float(f),
        Scalar::Float(_) => {
            return Err(
                Error::new("yaml/invalid", format!("JSON has no number `{text}`"))
                    .at(node.span())
                    .help("put it in quotes if it is text"),
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
            Error::new("yaml/invalid", "the value of `!!binary` is no base64")
                .at(node.span())
                .help("remove the tag, or encode the value")
        })
}

/// Adds the entries of a mapping to `map`, in place of those of the same keys
/// that are there already.
///
/// Compat: under v3 what a merge key brings yields to what is written beside
/// it; under v2 it replaces what is written before it.
fn mapping(map: &mut Map, entries: &[Entry], version: Version) -> Result<()> {
    if version == Version::V3 {
        check_unique(entries)?;
    }
    let mut merge = None;
    for entry in entries {
        if entry.key.tag() == Tag::Merge {
            match version {
                Version::V2 => merge_over(map, &entry.value)?,
                Version::V3 => merge = Some(entry),
            }
            continue;
        }
        let key = key_text(&entry.key, version)?;
        map.insert(key, decode(&entry.value, version)?);
    }
    match merge {
        Some(entry) => merge_under(map, &entry.value),
        None => Ok(()),
    }
}

/// Adds the entries of a merged mapping to those that are there, as v3 does.
///
/// Compat: here, and here alone, keys that are numbers or booleans become
/// text, and nulls are left out.
fn merged_mapping(map: &mut Map, entries: &[Entry]) -> Result<()> {
    check_unique(entries)?;
    let mut merge = None;
    for entry in entries {
        if entry.key.tag() == Tag::Merge {
            merge = Some(entry);
            continue;
        }
        let key = entry.key.target();
        let text = match key.shared_text() {
            None => return Err(wrong_key(&entry.key)),
            Some(text) => match resolved(key, text, Version::V3)? {
                Scalar::Null => continue,
                Scalar::String if key.tag() == Tag::Binary => match binary(key, text)? {
                    Value::String(text) => text,
                    _ => return Err(wrong_key(&entry.key)),
                },
                _ => text.clone(),
            },
        };
        if let std::collections::btree_map::Entry::Vacant(slot) = map.entry(text) {
            slot.insert(decode(&entry.value, Version::V3)?);
        }
    }
    match merge {
        Some(entry) => merge_under(map, &entry.value),
        None => Ok(()),
    }
}

/// The mappings that a merge key brings, those that win first.
fn merge_sources(value: &Node) -> Result<impl DoubleEndedIterator<Item = &[Entry]>> {
    let sources: &[Node] = match value.target().data() {
        Data::Mapping(_) => std::slice::from_ref(value),
        // A sequence may be written here, but not referred to.
        Data::Sequence(items) if !value.is_alias() => items,
        _ => &[],
    };
    let is_list = value.is_sequence();
    let wrong = |node: &Node| {
        Error::new(
            "yaml/invalid",
            "only a mapping, or a list of mappings, can be merged",
        )
        .at(node.span())
        .help("behind `<<:` write an alias of a mapping, or a list of such aliases")
    };
    if sources.is_empty() && !is_list {
        return Err(wrong(value));
    }
    if let Some(node) = sources.iter().find(|node| !node.target().is_mapping()) {
        return Err(wrong(node));
    }
    Ok(sources.iter().map(|source| source.target().entries()))
}

fn merge_over(map: &mut Map, value: &Node) -> Result<()> {
    merge_sources(value)?
        .rev()
        .try_for_each(|entries| mapping(map, entries, Version::V2))
}

fn merge_under(map: &mut Map, value: &Node) -> Result<()> {
    merge_sources(value)?.try_for_each(|entries| merged_mapping(map, entries))
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
    let target = key.target();
    let Some(text) = target.shared_text() else {
        return Err(wrong_key(key));
    };
    if version == Version::V3 {
        return match target.tag() {
            Tag::Str => Ok(text.clone()),
            _ => Err(wrong_key(key)),
        };
    }
    match resolved(target, text, version)? {
        Scalar::Int(i) => Ok(i.to_string().into()),
        Scalar::Bool(b) => Ok(b.to_string().into()),
        Scalar::Float(f) if f.is_nan() => Ok(".nan".into()),
        Scalar::Float(f) if f.is_infinite() => Ok(if f > 0.0 { ".inf" } else { "-.inf" }.into()),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "keys are printed as float32"
        )]
        Scalar::Float(f) => Ok(strconv::format_float32(f as f32).into()),
        Scalar::String | Scalar::Timestamp(_) => match scalar(target, text, version)? {
            Value::String(text) => Ok(text),
            _ => Err(wrong_key(key)),
        },
        Scalar::Null | Scalar::Uint(_) => Err(wrong_key(key)),
    }
}

fn wrong_key(key: &Node) -> Error {
    let target = key.target();
    let help = if target.style() == Style::Flow && target.is_mapping() {
        // As in `name: {{ .Values.name }}`.
        "a template expression must be in quotes where YAML is expected; render templates first"
    } else {
        "put the key in quotes"
    };
    Error::new(
        "yaml/invalid",
        format!("a key is {}, not a string", target.describe()),
    )
    .at(key.span())
    .help(help)
}

/// What keys are told apart by: their text, or the name of their anchor.
fn identity(key: &Node) -> Option<(bool, &str)> {
    match key.data() {
        Data::Scalar(text) => Some((false, text)),
        Data::Alias(alias) => Some((true, &alias.0)),
        Data::Sequence(_) | Data::Mapping(_) => None,
    }
}

/// Refuses a key that stands twice.
///
/// # Errors
///
/// `yaml/invalid` at the second of them.
pub fn check_unique(entries: &[Entry]) -> Result<()> {
    let twice = |first: &Node, second: &Node| {
        Err(Error::new(
            "yaml/invalid",
            format!(
                "mapping key `{}` already defined at line {}",
                identity(second).map_or("", |(_, text)| text),
                first.span().line
            ),
        )
        .at(second.span())
        .help("remove one of the two"))
    };
    if entries.len() <= 16 {
        for (i, entry) in entries.iter().enumerate() {
            let own = identity(&entry.key);
            if own.is_some()
                && let Some(first) = entries[..i].iter().find(|e| identity(&e.key) == own)
            {
                return twice(&first.key, &entry.key);
            }
        }
        return Ok(());
    }
    let mut seen = foldhash::HashMap::default();
    for entry in entries {
        if let Some(own) = identity(&entry.key)
            && let Some(first) = seen.insert(own, &entry.key)
        {
            return twice(first, &entry.key);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{parse, to_json};
    use super::*;
    use crate::diag::{FileId, SourceMap};

    fn decoded(text: &str, version: Version) -> Result<String> {
        let documents = parse(text, FileId::default()).expect(text);
        decode(&documents[0].root, version).map(|value| to_json(&value))
    }

    #[track_caller]
    fn check(text: &str, v2: &str, v3: &str) {
        assert_eq!(decoded(text, Version::V2).unwrap(), v2, "v2");
        assert_eq!(decoded(text, Version::V3).unwrap(), v3, "v3");
    }

    /// Rule, place, message and help.
    fn problem(text: &str, version: Version) -> String {
        let error = decoded(text, version).expect_err(text);
        let finding = error.to_finding(&SourceMap::new());
        let span = error.span();
        format!(
            "{} {}:{}: {}\n  {}",
            finding.rule,
            span.line,
            span.column,
            finding.message,
            finding.help.unwrap_or_default()
        )
    }

    #[test]
    fn scalars_mean_what_each_version_makes_of_them() {
        check(
            "[yes, 0o7, 1e3, 2001-1-2, ~, 18446744073709551615]",
            r#"[true,7,1000,"2001-1-2",null,18446744073709551615]"#,
            r#"["yes",7,1000,"2001-01-02T00:00:00Z",null,18446744073709551615]"#,
        );
        check(
            "[! 12, !!str 12, !x 12]",
            r#"["12","12","12"]"#,
            r#"[12,"12","12"]"#,
        );
        check("!!binary aGn/", "\"hi\u{FFFD}\"", "\"hi\u{FFFD}\"");
    }

    #[test]
    fn merged_entries_yield_under_v3_and_replace_what_is_before_under_v2() {
        check(
            "a: &a {x: 1, z: 1}\nb: {x: 2, <<: *a, z: 3}\n",
            r#"{"a":{"x":1,"z":1},"b":{"x":1,"z":3}}"#,
            r#"{"a":{"x":1,"z":1},"b":{"x":2,"z":3}}"#,
        );
        check(
            "{<<: [{x: 1}, {x: 2, z: 2}]}",
            r#"{"x":1,"z":2}"#,
            r#"{"x":1,"z":2}"#,
        );
        // Keys that v3 refuses elsewhere are text here.
        check(
            "{<<: {1: a, true: b}}",
            r#"{"1":"a","true":"b"}"#,
            r#"{"1":"a","true":"b"}"#,
        );
    }

    #[test]
    fn keys_become_text_under_v2() {
        assert_eq!(
            decoded("{1: a, 1.5: b, yes: c, .inf: d, 0x10: e}", Version::V2).unwrap(),
            r#"{".inf":"d","1":"a","1.5":"b","16":"e","true":"c"}"#
        );
        assert_eq!(decoded("{a: 1, a: 2}", Version::V2).unwrap(), r#"{"a":2}"#);
    }

    #[test]
    fn what_is_refused_says_why() {
        insta::assert_snapshot!(problem("a: 1\nb: 2\na: 3\n", Version::V3), @"
        yaml/invalid 3:1: mapping key `a` already defined at line 1
          remove one of the two
        ");
        insta::assert_snapshot!(problem("x: &k k\ny: {*k : 1, *k : 2}\n", Version::V3), @"
        yaml/invalid 2:13: mapping key `k` already defined at line 2
          remove one of the two
        ");
        insta::assert_snapshot!(problem("a:\n  1: b\n", Version::V3), @"
        yaml/invalid 2:3: a key is a number, not a string
          put the key in quotes
        ");
        insta::assert_snapshot!(problem("~: b\n", Version::V2), @"
        yaml/invalid 1:1: a key is null, not a string
          put the key in quotes
        ");
        insta::assert_snapshot!(problem("a: {{ .b }}\n", Version::V3), @"
        yaml/invalid 1:5: a key is a mapping, not a string
          a template expression must be in quotes where YAML is expected; render templates first
        ");
        insta::assert_snapshot!(problem("a: .inf\n", Version::V2), @"
        yaml/invalid 1:4: JSON has no number `.inf`
          put it in quotes if it is text
        ");
        insta::assert_snapshot!(problem("a: !!int x\n", Version::V3), @"
        yaml/invalid 1:4: cannot decode `x` as !!int
          remove the tag, or write a value of its kind
        ");
        insta::assert_snapshot!(problem("a: !!binary \"?\"\n", Version::V3), @"
        yaml/invalid 1:4: the value of `!!binary` is no base64
          remove the tag, or encode the value
        ");
        insta::assert_snapshot!(problem("a:\n  <<: text\n", Version::V3), @"
        yaml/invalid 2:7: only a mapping, or a list of mappings, can be merged
          behind `<<:` write an alias of a mapping, or a list of such aliases
        ");
        insta::assert_snapshot!(problem("a:\n  <<: [{b: c}, text]\n", Version::V2), @"
        yaml/invalid 2:16: only a mapping, or a list of mappings, can be merged
          behind `<<:` write an alias of a mapping, or a list of such aliases
        ");
    }
}
