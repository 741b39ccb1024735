//! What sigs.k8s.io/yaml prints.

use std::borrow::Cow;
use std::cell::Cell;

use super::super::resolve::{Scalar as Resolved, Version, is_plain_string, resolve};
use super::super::text::is_allowed;
use super::super::value::{check_key, check_unique};
use super::super::{Data, Entry, Node, Style, Tag, Value, decode, write_json_string};
use super::emitter::{Config, Emitter, Scalar, Shape, Start, View};
use super::order::sort_by_key;
use crate::diag::{Error, Result};
use crate::gostd::strconv;

const CONFIG: Config = Config {
    version: Version::V2,
    indent: 2,
    width: 80,
    compact: true,
};

/// Appends a node to `out` as `kustomize build` prints a resource: read by
/// go-yaml v3, turned into JSON, and that into YAML by sigs.k8s.io/yaml.
///
/// The text ends with a line break; no marker stands before it. Keys are
/// sorted and strings quoted only where needed; `1.0` becomes `1`, and a
/// timestamp its RFC 3339 form, since JSON stands between.
///
/// # Errors
///
/// `yaml/invalid`, as [`decode`] gives it, and for
/// characters that the second reader refuses.
pub fn sorted(node: &Node, out: &mut String) -> Result<()> {
    if is_indirect(node) {
        return sorted_value(&decode(node, Version::V3)?, out);
    }
    print(&NodeView(node), out)
}

/// As [`sorted`], but stops after so many nodes: keys, values and items. False where it
/// has, in whatever line that was.
///
/// # Errors
///
/// As [`sorted`], of what is printed.
pub fn sorted_start(node: &Node, nodes: usize, out: &mut String) -> Result<bool> {
    let start = Beginning {
        left: Cell::new(nodes),
        is_indirect: Cell::new(false),
    };
    let view = NodeView(node);
    let view = StartView {
        view,
        start: &start,
    };
    let before = out.len();
    match print(&view, out) {
        Err(_) if start.is_indirect.get() => {
            out.truncate(before);
            sorted(node, out).map(|()| true)
        }
        Err(_) if start.left.get() == 0 => Ok(false),
        result => result.map(|()| true),
    }
}

/// Whether aliases or merged keys are in a node.
fn is_indirect(node: &Node) -> bool {
    let mut found = false;
    node.walk(&mut |n| found |= is_reference(n));
    found
}

fn is_reference(node: &Node) -> bool {
    node.is_alias() || node.tag() == Tag::Merge
}

/// Whether [`sorted`] prints a node: its error, where it does not. Fields that it
/// shares with `known`, which can be printed, are not looked at.
///
/// # Errors
///
/// As [`sorted`].
pub fn check_sorted(node: &Node, known: Option<&Node>) -> Result<()> {
    if is_printable(node, known) {
        return Ok(());
    }
    // In the order in which it is printed: of several errors, the first.
    fn check<V: View<Error = Error>>(view: &V) -> Result<()> {
        match view.shape()? {
            Shape::Scalar(_) | Shape::Alias(_) => Ok(()),
            Shape::Sequence(_, items) => items.iter().try_for_each(check),
            Shape::Mapping(_, entries) => entries.iter().try_for_each(|(key, value)| {
                check(key)?;
                check(value)
            }),
        }
    }
    if is_indirect(node) {
        return check(&ValueView::Value(&decode(node, Version::V3)?));
    }
    check(&NodeView(node))
}

/// Whether a text is printed as it is, wherever it stands; most are.
fn is_plain_text(text: &str) -> bool {
    text.bytes().all(|byte| byte < 0x7f)
}

/// Whether it is seen at once that a node can be printed, without looking at how.
fn is_printable(node: &Node, known: Option<&Node>) -> bool {
    let is_known = |entry: &Entry| {
        let known = known.zip(entry.key.text()).and_then(|(k, key)| k.get(key));
        known.is_some_and(|known| known.is_shared_with(&entry.value))
    };
    match node.data() {
        Data::Scalar(text) => match node.tag() {
            Tag::Str => is_plain_text(text) || through_json(text).is_ok(),
            Tag::Merge => false,
            _ => NodeView(node).scalar(text).is_ok(),
        },
        Data::Sequence(items) => items.iter().all(|item| is_printable(item, None)),
        Data::Mapping(entries) => {
            let is_key = |key: &Node| {
                let text = key.text().unwrap_or_default();
                check_key(key).is_ok()
                    && (text.len() < SURELY_SHORT && is_plain_text(text)
                        || check_json_key(text).is_ok() && is_printable(key, None))
            };
            check_unique(entries).is_ok()
                && entries
                    .iter()
                    .all(|e| is_key(&e.key) && (is_known(e) || is_printable(&e.value, None)))
        }
        Data::Alias(_) => false,
    }
}

/// Appends plain data to `out` as `yaml.Marshal` of sigs.k8s.io/yaml prints it.
///
/// # Errors
///
/// `yaml/invalid` for characters that its reader refuses.
pub fn sorted_value(value: &Value, out: &mut String) -> Result<()> {
    print(&ValueView::Value(value), out)
}

fn print<V: View<Error = Error>>(view: &V, out: &mut String) -> Result<()> {
    let mut emitter = Emitter::new(CONFIG, std::mem::take(out));
    let result = emitter.document(None, view, None);
    *out = emitter.out;
    result
}

/// A string as go-yaml v2 prints it.
fn string(text: &str) -> Result<Scalar<'_>> {
    let text = through_json(text)?;
    let style = if text.contains('\n') {
        Style::Literal
    } else if is_plain_string(&text, Version::V2) {
        Style::Plain
    } else {
        Style::DoubleQuoted
    };
    Ok(Scalar {
        text,
        style,
        tag: None,
        anchor: None,
    })
}

fn plain<'a>(text: impl Into<Cow<'a, str>>) -> Scalar<'a> {
    Scalar {
        text: text.into(),
        style: Style::Plain,
        tag: None,
        anchor: None,
    }
}

/// A number that JSON wrote, as go-yaml v2 reads and prints it.
fn number<'a>(value: &Resolved) -> Scalar<'a> {
    let text = match value {
        Resolved::Int(i) => i.to_string(),
        Resolved::Uint(u) => u.to_string(),
        Resolved::Float(f) => {
            let json = strconv::format_json_float(*f);
            match resolve(&json, Version::V2) {
                Resolved::Float(f) => strconv::format_float(f),
                // A float without fraction is an integer after JSON.
                read => return number(&read),
            }
        }
        _ => String::new(),
    };
    plain(text)
}

/// What a string is after `json.Marshal` and go-yaml's reading of it.
///
/// # Errors
///
/// `yaml/invalid` for characters that JSON leaves as they are and go-yaml's
/// reader does not take.
fn through_json(text: &str) -> Result<Cow<'_, str>> {
    if is_plain_text(text) {
        return Ok(text.into());
    }
    if let Some(bad) = text.chars().find(|c| *c >= '\x7f' && !is_allowed(*c)) {
        return Err(Error::new(
            "yaml/invalid",
            format!("control character U+{:04X} is not allowed", u32::from(bad)),
        )
        .help("no reference program prints it either; keep such text in binaryData"));
    }
    if !text.contains('\u{85}') {
        return Ok(text.into());
    }
    // Compat: a raw U+0085 within double quotes is a line break, and folded.
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find([' ', '\u{85}']) {
        out.push_str(&rest[..at]);
        let after = rest[at..].trim_start_matches([' ', '\u{85}']);
        let run = &rest[at..rest.len() - after.len()];
        match run.matches('\u{85}').count() {
            0 => out.push_str(run),
            1 => out.push(' '),
            n => out.extend(std::iter::repeat_n('\n', n - 1)),
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out.into())
}

/// The longest key that go-yaml reads, as JSON writes it.
const LONGEST_KEY: usize = 1024;

/// Shorter keys are short enough, in bytes: JSON writes no byte as more than six, and
/// two quotes.
const SURELY_SHORT: usize = (LONGEST_KEY - 2) / 6 + 1;

/// Refuses keys that go-yaml does not find in the JSON between: those of more
/// than 1024 characters, quotes and escapes counted, or of several lines.
fn check_json_key(key: &str) -> Result<()> {
    let problem = if key.contains('\u{85}') {
        "a key with a line break (U+0085) cannot be printed"
    } else if key.len() >= SURELY_SHORT && json_length(key) > LONGEST_KEY {
        "a key of more than 1022 characters cannot be printed"
    } else {
        return Ok(());
    };
    Err(Error::new("yaml/invalid", problem).help("the reference programs refuse it, too"))
}

/// The characters of a string as `json.Marshal` writes it.
fn json_length(text: &str) -> usize {
    let mut json = String::with_capacity(text.len() + 2);
    write_json_string(&mut json, text);
    json.chars().count()
}

/// A node without aliases and merge keys.
#[derive(Clone, Copy)]
struct NodeView<'a>(&'a Node);

impl View for NodeView<'_> {
    type Error = Error;

    fn shape(&self) -> Result<Shape<'_, Self>> {
        match self.0.data() {
            Data::Scalar(text) => Ok(Shape::Scalar(self.scalar(text)?)),
            Data::Sequence(items) => Ok(Shape::Sequence(
                Start::default(),
                items.iter().map(NodeView).collect(),
            )),
            Data::Mapping(entries) => {
                check_unique(entries)?;
                let mut sorted: Vec<&Entry> = entries.iter().collect();
                for entry in &sorted {
                    check_key(&entry.key)?;
                    check_json_key(entry.key.text().unwrap_or_default())
                        .map_err(|e| e.at(entry.key.span()))?;
                }
                sort_by_key(&mut sorted, |entry| entry.key.text().unwrap_or_default());
                Ok(Shape::Mapping(
                    Start::default(),
                    sorted
                        .into_iter()
                        .map(|e| (NodeView(&e.key), NodeView(&e.value)))
                        .collect(),
                ))
            }
            Data::Alias(_) => Ok(Shape::Scalar(plain("null"))),
        }
    }
}

impl<'a> NodeView<'a> {
    fn scalar(self, text: &'a str) -> Result<Scalar<'a>> {
        let node = self.0;
        if node.tag() == Tag::Str {
            return string(text).map_err(|e| e.at(node.span()));
        }
        match decode(node, Version::V3)? {
            Value::Bool(b) => Ok(plain(if b { "true" } else { "false" })),
            Value::Int(i) => Ok(number(&Resolved::Int(i))),
            Value::Uint(u) => Ok(number(&Resolved::Uint(u))),
            Value::Float(f) => Ok(number(&Resolved::Float(f))),
            Value::String(text) => {
                let Scalar { text, style, .. } = string(&text)?;
                Ok(Scalar {
                    text: text.into_owned().into(),
                    style,
                    tag: None,
                    anchor: None,
                })
            }
            Value::Null | Value::Sequence(_) | Value::Mapping(_) => Ok(plain("null")),
        }
    }
}

/// How far the start of a node is printed.
struct Beginning {
    /// How many nodes more.
    left: Cell<usize>,
    /// Whether an alias or a merged key was met.
    is_indirect: Cell<bool>,
}

/// A node of which the start is printed.
struct StartView<'a> {
    view: NodeView<'a>,
    start: &'a Beginning,
}

impl View for StartView<'_> {
    type Error = Error;

    fn shape(&self) -> Result<Shape<'_, Self>> {
        let StartView { view, start } = self;
        let ends = || Error::new("yaml/invalid", "the rest is left out");
        let left = start.left.get().checked_sub(1).ok_or_else(ends)?;
        start.left.set(left);
        // Keys that are merged in may stand first.
        if is_reference(view.0) || view.0.entries().iter().any(|e| is_reference(&e.key)) {
            start.is_indirect.set(true);
            return Err(ends());
        }
        let within = |view| StartView { view, start };
        Ok(match view.shape()? {
            Shape::Scalar(scalar) => Shape::Scalar(scalar),
            Shape::Sequence(start, items) => {
                Shape::Sequence(start, items.into_iter().map(within).collect())
            }
            Shape::Mapping(start, entries) => {
                let entries = entries.into_iter();
                let entries = entries.map(|(key, value)| (within(key), within(value)));
                Shape::Mapping(start, entries.collect())
            }
            Shape::Alias(name) => Shape::Alias(name),
        })
    }
}

/// Plain data.
enum ValueView<'a> {
    Key(&'a str),
    Value(&'a Value),
}

impl View for ValueView<'_> {
    type Error = Error;

    fn shape(&self) -> Result<Shape<'_, Self>> {
        let value = match self {
            ValueView::Key(text) => return Ok(Shape::Scalar(string(text)?)),
            ValueView::Value(value) => value,
        };
        Ok(match value {
            Value::Null => Shape::Scalar(plain("null")),
            Value::Bool(b) => Shape::Scalar(plain(if *b { "true" } else { "false" })),
            Value::Int(i) => Shape::Scalar(number(&Resolved::Int(*i))),
            Value::Uint(u) => Shape::Scalar(number(&Resolved::Uint(*u))),
            Value::Float(f) => Shape::Scalar(number(&Resolved::Float(*f))),
            Value::String(text) => Shape::Scalar(string(text)?),
            Value::Sequence(items) => Shape::Sequence(
                Start::default(),
                items.iter().map(ValueView::Value).collect(),
            ),
            Value::Mapping(map) => {
                let mut sorted: Vec<_> = map.iter().collect();
                for (key, _) in &sorted {
                    check_json_key(key)?;
                }
                sort_by_key(&mut sorted, |(key, _)| key);
                Shape::Mapping(
                    Start::default(),
                    sorted
                        .into_iter()
                        .map(|(k, v)| (ValueView::Key(k), ValueView::Value(v)))
                        .collect(),
                )
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;

    /// What is found without printing is what printing finds.
    #[test]
    fn what_cannot_be_printed_is_told_as_printing_tells_it() {
        let long = format!("? {}\n: 1\n", "k".repeat(1100));
        let texts = [
            "a: 1\nb: [x, 1.5, true, null, 2024-01-01]\n",
            "a: &x {b: 1}\nc: {<<: *x, d: 2}\n",
            "a: 1\na: 2\n",
            "b: {c: 1, c: 2}\na: {d: 1, d: 2}\n",
            "a: \"\\x7f\"\n",
            "a: \"\\u0085\"\n",
            "\"\\u0085\": a\n",
            "1: a\n",
            "[a]: b\n",
            "a: 0x1_0\nb: .inf\n",
            "a: !!binary aGk=\n",
            "a: ü\n",
            &long,
        ];
        let mut refused = 0;
        for text in texts {
            let Ok(Some(node)) = crate::yaml::parse_one(text, FileId::default()) else {
                continue;
            };
            let told = |result: Result<()>| result.map_err(|e| (e.to_string(), e.span()));
            let printed = told(sorted(&node, &mut String::new()));
            assert_eq!(told(check_sorted(&node, None)), printed, "{text}");
            assert_eq!(
                told(check_sorted(&node, Some(&Node::null(node.span())))),
                printed
            );
            refused += usize::from(printed.is_err());
        }
        assert!(refused > 4, "{refused}");
    }
}
