//! What go-yaml v3 prints of a node tree.

use std::convert::Infallible;

use super::super::resolve::{Version, v3_tag};
use super::super::{Data, Node, Style, Tag};
use super::emitter::{Config, Emitter, Scalar, Shape, Start, View};

/// How collections are indented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indent {
    /// kyaml's: two blanks, sequences level with their keys.
    Compact,
    /// go-yaml's own, sequences too, with this many blanks.
    Wide(usize),
}

/// Appends a node to `out` as go-yaml v3 prints it: order, styles, tags and
/// anchors kept.
///
/// The text ends with a line break; no marker stands before it.
pub fn as_written(node: &Node, indent: Indent, out: &mut String) {
    let config = Config {
        version: Version::V3,
        indent: match indent {
            Indent::Compact => 2,
            Indent::Wide(n) => n.clamp(2, 9),
        },
        width: usize::MAX,
        compact: indent == Indent::Compact,
    };
    let mut emitter = Emitter::new(config, std::mem::take(out));
    match emitter.document(&NodeView(node)) {
        Ok(()) => *out = emitter.out,
        Err(never) => match never {},
    }
}

#[derive(Clone, Copy)]
struct NodeView<'a>(&'a Node);

impl View for NodeView<'_> {
    type Error = Infallible;

    fn shape(&self) -> Result<Shape<'_, Self>, Infallible> {
        let node = self.0;
        let start = Start {
            flow: node.style() == Style::Flow,
            tag: node.is_tagged().then(|| tag_text(node)),
            anchor: node.anchor(),
        };
        Ok(match node.data() {
            Data::Scalar(text) => Shape::Scalar(scalar(node, text)),
            Data::Sequence(items) => Shape::Sequence(start, items.iter().map(NodeView).collect()),
            Data::Mapping(entries) => Shape::Mapping(
                start,
                entries
                    .iter()
                    .map(|e| (NodeView(&e.key), NodeView(&e.value)))
                    .collect(),
            ),
            Data::Alias(alias) => Shape::Alias(&alias.0),
        })
    }
}

fn tag_text(node: &Node) -> &str {
    node.custom_tag().unwrap_or(node.tag().short())
}

/// Compat: `encode.go` `node`: a tag is written where it was, or where the text
/// would mean something else without it.
fn scalar<'a>(node: &'a Node, text: &'a str) -> Scalar<'a> {
    let mut style = node.style();
    let mut tag = node.is_tagged().then(|| tag_text(node));
    if tag.is_none() && style == Style::Plain && v3_tag(text) != node.tag() {
        if node.tag() == Tag::Str {
            style = Style::DoubleQuoted;
        } else {
            tag = Some(tag_text(node));
        }
    }
    if text.contains('\n') && matches!(node.style(), Style::Plain) {
        style = Style::Literal;
    }
    Scalar {
        text: text.into(),
        style,
        tag,
        anchor: node.anchor(),
    }
}
