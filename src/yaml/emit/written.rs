//! What go-yaml v3 prints of a node tree.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;

use super::super::resolve::{Version, is_plain_string, resolve};
use super::super::{Comments, Data, Document, Entry, Node, Style, Tag, Value};
use super::emitter::{Config, Emitter, Scalar, Shape, Start, View};
use super::order::sort_by_key;
use crate::diag::{Error, Result, Span};
use crate::gostd::strconv;

/// How collections are indented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indent {
    /// kyaml's: two blanks, sequences level with their keys.
    Compact,
    /// go-yaml's own, sequences too, with this many blanks.
    Wide(usize),
}

impl Indent {
    fn config(self) -> Config {
        Config {
            version: Version::V3,
            indent: match self {
                Indent::Wide(n) if (2..=9).contains(&n) => n,
                // Compat: go-yaml takes other widths for a mistake.
                Indent::Compact | Indent::Wide(_) => 2,
            },
            width: usize::MAX,
            compact: self == Indent::Compact,
        }
    }
}

/// Appends a node to `out` as go-yaml v3 prints it: order, styles, tags,
/// anchors and comments kept.
///
/// The text ends with a line break; no marker stands before it.
pub fn as_written(node: &Node, indent: Indent, out: &mut String) {
    let mut emitter = Emitter::new(indent.config(), std::mem::take(out));
    let Ok(()) = emitter.document(None, &NodeView(node), None);
    *out = emitter.out;
}

/// Refuses text that go-yaml v3 writes as a block and does not read again: its
/// first line begins with a tab.
///
/// Compat: `scannerc.go` `yaml_parser_scan_block_scalar_breaks`; `emitterc.go`
/// says how far a block is indented where it begins with a blank alone.
///
/// # Errors
///
/// `yaml/invalid` at `span`.
pub fn check_block(text: &str, span: Span) -> Result<()> {
    if !text.starts_with('\t') || !text.contains('\n') {
        return Ok(());
    }
    Err(Error::new(
        "yaml/invalid",
        "text of several lines begins with a tab, which kustomize cannot read again",
    )
    .at(span)
    .help("begin the text with another character, or indent it with blanks"))
}

/// Appends documents to `out` as an encoder of go-yaml v3 prints them one
/// after another: as [`as_written`], with the comments at their beginning and
/// end, and `---` between them.
pub fn documents_as_written(documents: &[Document], indent: Indent, out: &mut String) {
    let mut emitter = Emitter::new(indent.config(), std::mem::take(out));
    for (i, document) in documents.iter().enumerate() {
        if i > 0 {
            emitter.document_start();
        }
        let Ok(()) = emitter.document(
            document.head.as_ref(),
            &NodeView(&document.root),
            document.foot.as_ref(),
        );
    }
    *out = emitter.out;
}

/// Appends plain data to `out` as an encoder of go-yaml v3 prints it, keys
/// sorted.
pub fn value_as_written(value: &Value, indent: Indent, out: &mut String) {
    as_written(&node_of(value), indent, out);
}

fn node_of(value: &Value) -> Node {
    let span = Span::NONE;
    match value {
        Value::Null => Node::null(span),
        Value::Bool(b) => Node::bool(*b, span),
        Value::Int(i) => Node::int(*i, span),
        Value::Uint(u) => Node::scalar(u.to_string(), Tag::Int, span),
        Value::Float(f) => {
            // The tag is that of the text, as `1` is a float's text, too.
            let text = strconv::format_float(*f);
            let tag = resolve(&text, Version::V3).tag();
            Node::scalar(text, tag, span)
        }
        Value::String(text) => string(text),
        Value::Sequence(items) => Node::sequence(items.iter().map(node_of).collect(), span),
        Value::Mapping(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            sort_by_key(&mut entries, |entry| entry.0);
            let entries = entries
                .into_iter()
                .map(|(key, value)| Entry {
                    key: string(key),
                    value: node_of(value),
                })
                .collect();
            Node::mapping(entries, span)
        }
    }
}

/// Compat: `encode.go` `stringv`: what YAML 1.1 took for a truth value or a
/// number to the base of 60 is quoted in values, though not in nodes.
fn string(text: &Arc<str>) -> Node {
    let node = Node::string(text.clone(), Span::NONE);
    if !text.contains('\n') && !is_plain_string(text, Version::V3) {
        return node.with_style(Style::DoubleQuoted);
    }
    node
}

#[derive(Clone, Copy)]
struct NodeView<'a>(&'a Node);

impl View for NodeView<'_> {
    type Error = Infallible;

    fn shape(&self) -> std::result::Result<Shape<'_, Self>, Infallible> {
        let node = self.0;
        let start = || Start {
            flow: node.style() == Style::Flow,
            tag: node.is_tagged().then(|| tag(node)),
            anchor: node.anchor(),
        };
        Ok(match node.data() {
            Data::Scalar(text) => Shape::Scalar(scalar(node, text)),
            Data::Sequence(items) => Shape::Sequence(start(), items.iter().map(NodeView).collect()),
            Data::Mapping(entries) => Shape::Mapping(
                start(),
                entries
                    .iter()
                    .map(|e| (NodeView(&e.key), NodeView(&e.value)))
                    .collect(),
            ),
            Data::Alias(alias) => Shape::Alias(&alias.0),
        })
    }

    fn comments(&self) -> Option<&Comments> {
        self.0.comments()
    }
}

/// A tag as it is written: `!!core`, `!local` or `!<address>`.
///
/// Compat: `emitterc.go` `yaml_emitter_write_tag_content`: other characters than
/// those of addresses are escaped.
fn tag(node: &Node) -> Cow<'_, str> {
    let Some(text) = node.custom_tag() else {
        return node.tag().short().into();
    };
    let (begin, content, end) = if let Some(content) = text.strip_prefix("!!") {
        ("!!", content, "")
    } else if let Some(content) = text.strip_prefix('!') {
        ("!", content, "")
    } else {
        ("!<", text, ">")
    };
    let mut out = String::from(begin);
    for byte in content.bytes() {
        if byte.is_ascii_alphanumeric() || b"-;/?:@&=+$,_.~*'()[]".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out.push_str(end);
    out.into()
}

/// Compat: `encode.go` `node`: a tag is written where it was, or where the text
/// would mean something else without it; `<<` always has one.
fn scalar<'a>(node: &'a Node, text: &'a str) -> Scalar<'a> {
    let mut style = node.style();
    let mut written = node.is_tagged();
    let is_plain = matches!(style, Style::Plain | Style::Flow);
    if !written
        && (is_plain || node.tag() != Tag::Str)
        && resolve(text, Version::V3).tag() != node.tag()
    {
        if node.tag() == Tag::Str {
            style = Style::DoubleQuoted;
        } else {
            written = true;
        }
    }
    if is_plain && text.contains('\n') {
        style = Style::Literal;
    }
    Scalar {
        text: text.into(),
        style,
        tag: written.then(|| tag(node)),
        anchor: node.anchor(),
    }
}
