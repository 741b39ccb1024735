//! Nodes as JSON would have them.
//!
//! In: a node with aliases, merge keys and any spelling of scalars. Out: a node
//! of the same meaning that could have been read from JSON, each part with the
//! place it had. This is where kustomize turns YAML into JSON: for
//! kustomization files, for JSON patches and what they are applied to.

use crate::diag::{Error, FileId, Result, Span};
use crate::gostd::strconv;
use crate::yaml::emit::{self, Indent};
use crate::yaml::resolve::Version;
use crate::yaml::{self, Data, Entry, Node, Style, Tag, Value};

/// A node without aliases, merge keys and spellings that only YAML has.
///
/// Under v2 the last of several equal keys wins and keys that are no strings
/// become strings, as `sigs.k8s.io/yaml` has it; under v3 both are refused.
///
/// # Errors
///
/// As [`yaml::decode`].
pub(super) fn plain(node: &Node, version: Version) -> Result<Node> {
    match node.data() {
        Data::Scalar(_) => scalar(node, version),
        Data::Sequence(items) => {
            let items: Result<_> = items.iter().map(|item| plain(item, version)).collect();
            Ok(Node::sequence(items?, node.span()))
        }
        Data::Mapping(entries) => mapping(entries, node.span(), version),
        Data::Alias(alias) => plain(&alias.1, version),
    }
}

fn scalar(node: &Node, version: Version) -> Result<Node> {
    if node.tag() == Tag::Str {
        // Both versions agree on what is quoted; plain text they may not.
        let kept = node.shared_text().filter(|text| {
            !node.is_resolved() || version == Version::V3 || yaml::resolve::old_bool(text).is_none()
        });
        if let Some(text) = kept {
            return Ok(Node::string(text.clone(), node.span()));
        }
    }
    Ok(of_value(&yaml::decode(node, version)?, node.span()))
}

/// The node of a scalar value; collections are not scalars, and give null.
fn of_value(value: &Value, span: Span) -> Node {
    match value {
        Value::Null | Value::Sequence(_) | Value::Mapping(_) => Node::null(span),
        Value::Bool(b) => Node::bool(*b, span),
        Value::Int(i) => Node::int(*i, span),
        Value::Uint(u) => Node::scalar(u.to_string(), Tag::Int, span),
        Value::Float(f) => number(strconv::format_json_float(*f), span),
        Value::String(text) => Node::string(text.clone(), span),
    }
}

/// A number with this spelling, of the kind that a reader sees in it.
fn number(text: String, span: Span) -> Node {
    let whole = text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    Node::scalar(text, if whole { Tag::Int } else { Tag::Float }, span)
}

fn mapping(entries: &[Entry], span: Span, version: Version) -> Result<Node> {
    let mut out: Vec<Entry> = Vec::with_capacity(entries.len());
    let mut merges = Vec::new();
    for entry in entries {
        if entry.key.tag() == Tag::Merge {
            merges.push(entry);
            continue;
        }
        let key = key(&entry.key, version)?;
        let value = plain(&entry.value, version)?;
        match out.iter_mut().find(|e| e.key.text() == key.text()) {
            Some(_) if version == Version::V3 => {
                return Err(twice(&entry.key));
            }
            Some(earlier) => *earlier = Entry { key, value },
            None => out.push(Entry { key, value }),
        }
    }
    // Of several merge keys the last one counts, as go-yaml reads them.
    if let Some(merge) = merges.last() {
        for entry in merged(&merge.value, version)? {
            if !out.iter().any(|e| e.key.text() == entry.key.text()) {
                out.push(entry);
            }
        }
    }
    Ok(Node::mapping(out, span))
}

/// What a merge key brings, the sources that win first.
fn merged(value: &Node, version: Version) -> Result<Vec<Entry>> {
    let sources = match value.target().data() {
        Data::Sequence(items) if !value.is_alias() => items.as_slice(),
        _ => std::slice::from_ref(value),
    };
    let mut out: Vec<Entry> = Vec::new();
    for source in sources {
        let Data::Mapping(entries) = source.target().data() else {
            return Err(Error::new(
                "yaml/invalid",
                "map merge requires map or sequence of maps as the value",
            )
            .at(source.span())
            .help("after `<<:` write an alias of a mapping, or a list of such aliases"));
        };
        for entry in mapping(entries, source.span(), version)?.entries() {
            if !out.iter().any(|e| e.key.text() == entry.key.text()) {
                out.push(entry.clone());
            }
        }
    }
    Ok(out)
}

fn key(key: &Node, version: Version) -> Result<Node> {
    if key.tag() == Tag::Str && (!key.is_resolved() || version == Version::V3) {
        let text = key.shared_text().cloned().unwrap_or_default();
        return Ok(Node::string(text, key.span()));
    }
    // Reading a mapping of this key alone gives its text, or the reason why
    // it is none.
    let alone = Node::mapping(
        vec![Entry {
            key: key.clone(),
            value: Node::null(key.span()),
        }],
        key.span(),
    );
    let Value::Mapping(map) = yaml::decode(&alone, version)? else {
        return Ok(Node::string("", key.span()));
    };
    let text = map.into_keys().next().unwrap_or_default();
    Ok(Node::string(text, key.span()))
}

fn twice(key: &Node) -> Error {
    Error::new(
        "yaml/invalid",
        format!("the key `{}` stands twice", key.text().unwrap_or_default()),
    )
    .at(key.span())
    .help("remove one of the two")
}

/// An object as kyaml reads it when it has written it itself, which it does on
/// the way to JSON.
///
/// Compat: all comes back as it was, but for folded text, as go-yaml v3 writes
/// a break before a line that is indented further twice, and for nulls that
/// nothing is written for, in flow style or as a key: it writes `''` there
/// (`emitterc.go` `yaml_emitter_select_scalar_style`).
///
/// # Errors
///
/// As [`yaml::parse_one`] and [`emit::check_block`].
pub(super) fn written_again(object: &Node) -> Result<Node> {
    let mut object = object.clone();
    if is_changed_by_writing(&object, false) {
        write_again(&mut object, false)?;
    }
    Ok(object)
}

fn is_changed_by_writing(node: &Node, in_flow: bool) -> bool {
    let in_flow = in_flow || node.style() == Style::Flow;
    match node.data() {
        Data::Scalar(text) if in_flow => text.is_empty() && is_nothing(node),
        Data::Scalar(text) => {
            is_folded(node) || text.starts_with('\t') && is_written_as_block(node)
        }
        Data::Sequence(items) => items
            .iter()
            .any(|item| is_changed_by_writing(item, in_flow)),
        Data::Mapping(entries) => entries
            .iter()
            .any(|entry| is_nothing(&entry.key) || is_changed_by_writing(&entry.value, in_flow)),
        Data::Alias(_) => false,
    }
}

fn write_again(node: &mut Node, in_flow: bool) -> Result<()> {
    let in_flow = in_flow || node.style() == Style::Flow;
    if in_flow {
        if is_nothing(node) {
            *node = Node::string("", node.span());
        }
    } else if is_folded(node) {
        *node = fold_again(node)?;
    } else if is_written_as_block(node) {
        emit::check_block(node.text().unwrap_or_default(), node.span())?;
    }
    for item in node.items_mut().into_iter().flatten() {
        write_again(item, in_flow)?;
    }
    for entry in node.entries_mut().into_iter().flatten() {
        if is_nothing(&entry.key) {
            entry.key = Node::string("", entry.key.span());
        }
        write_again(&mut entry.value, in_flow)?;
    }
    Ok(())
}

fn is_folded(node: &Node) -> bool {
    node.style() == Style::Folded && node.text().is_some_and(|text| text.contains('\n'))
}

/// Whether it is a block where it has several lines.
fn is_written_as_block(node: &Node) -> bool {
    !matches!(node.style(), Style::SingleQuoted | Style::DoubleQuoted)
}

/// Whether it is a null of which no character is written.
fn is_nothing(node: &Node) -> bool {
    node.is_null() && !node.is_tagged() && node.text() == Some("")
}

fn fold_again(node: &Node) -> Result<Node> {
    let mut text = String::new();
    emit::as_written(node, Indent::Compact, &mut text);
    let read = yaml::parse_one(&text, FileId::default()).map_err(|e| e.at(node.span()))?;
    let text = read.as_ref().and_then(Node::shared_text).cloned();
    Ok(Node::string(text.unwrap_or_default(), node.span()))
}

/// A JSON-shaped node as it is after Go read it into untyped data and wrote it
/// as YAML: every number has gone through a 64-bit float, as `FormatFloat`
/// spells it.
///
/// Compat: `RNode.UnmarshalJSON` and `yaml.Marshal` of go-yaml v3; spelling
/// shows where a number is copied into text.
pub(super) fn through_floats(node: &mut Node) {
    for_each_scalar(node, &mut |node| {
        let Some(text) = node
            .text()
            .filter(|_| matches!(node.tag(), Tag::Int | Tag::Float))
        else {
            return;
        };
        if let Ok(value) = text.parse::<f64>() {
            let after = strconv::format_float(value);
            if after != text {
                *node = number(after, node.span());
            }
        }
    });
}

/// Changes every scalar that is the value of a field or an item.
fn for_each_scalar(node: &mut Node, change: &mut impl FnMut(&mut Node)) {
    match node.data() {
        Data::Scalar(_) => change(node),
        Data::Alias(_) => {}
        Data::Sequence(_) => {
            for item in node.items_mut().into_iter().flatten() {
                for_each_scalar(item, change);
            }
        }
        Data::Mapping(_) => {
            for entry in node.entries_mut().into_iter().flatten() {
                for_each_scalar(&mut entry.value, change);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;

    fn check(text: &str, version: Version, want: &str) {
        let node = yaml::parse_one(text, FileId::default()).unwrap().unwrap();
        let mut out = String::new();
        match plain(&node, version) {
            Ok(node) => yaml::emit::as_written(&node, yaml::emit::Indent::Compact, &mut out),
            Err(e) => out = format!("{}: {e}", e.rule()),
        }
        assert_eq!(out, want, "{text}");
    }

    #[test]
    fn scalars_become_those_of_json() {
        check(
            "[0x10, 1.0, 1e3, yes, 'yes', ~, 2001-01-01]",
            Version::V2,
            "- 16\n- 1\n- 1000\n- true\n- yes\n- null\n- \"2001-01-01\"\n",
        );
        check(
            "[0x10, yes, 2001-01-01]",
            Version::V3,
            "- 16\n- yes\n- \"2001-01-01T00:00:00Z\"\n",
        );
    }

    #[test]
    fn aliases_and_merges_are_followed() {
        check(
            "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: *a\n",
            Version::V3,
            "a:\n  x: 1\n  y: 2\nb:\n  y: 3\n  x: 1\nc:\n  x: 1\n  y: 2\n",
        );
    }

    #[test]
    fn keys() {
        check("a: 1\na: 2\n", Version::V2, "a: 2\n");
        check(
            "a: 1\na: 2\n",
            Version::V3,
            "yaml/invalid: the key `a` stands twice",
        );
        check("1: a\nyes: b\n", Version::V2, "\"1\": a\n\"true\": b\n");
    }

    #[test]
    fn numbers_lose_what_a_float_does_not_hold() {
        let text = "[1000000, 12345678901234567890, 1.5, 100]";
        let node = yaml::parse_one(text, FileId::default()).unwrap().unwrap();
        let mut node = plain(&node, Version::V3).unwrap();
        through_floats(&mut node);
        let texts: Vec<_> = node.items().iter().filter_map(Node::text).collect();
        assert_eq!(texts, ["1e+06", "1.2345678901234567e+19", "1.5", "100"]);
    }
}
