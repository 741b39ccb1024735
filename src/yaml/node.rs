//! The node tree.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::diag::Span;

/// What kind of value a node is, as go-yaml's short tags name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tag {
    /// `!!null`
    Null,
    /// `!!bool`
    Bool,
    /// `!!str`
    Str,
    /// `!!int`
    Int,
    /// `!!float`
    Float,
    /// `!!timestamp`
    Timestamp,
    /// `!!binary`
    Binary,
    /// `!!merge`, the key `<<`
    Merge,
    /// `!!map`
    Map,
    /// `!!seq`
    Seq,
    /// Any other tag; [`Node::custom_tag`] has its text.
    Other,
}

impl Tag {
    /// The short form, `!!str`; `!` for other tags.
    pub fn short(self) -> &'static str {
        match self {
            Tag::Null => "!!null",
            Tag::Bool => "!!bool",
            Tag::Str => "!!str",
            Tag::Int => "!!int",
            Tag::Float => "!!float",
            Tag::Timestamp => "!!timestamp",
            Tag::Binary => "!!binary",
            Tag::Merge => "!!merge",
            Tag::Map => "!!map",
            Tag::Seq => "!!seq",
            Tag::Other => "!",
        }
    }

    /// The tag of a suffix after `tag:yaml.org,2002:`.
    pub(super) fn of_core_suffix(suffix: &str) -> Tag {
        match suffix {
            "null" => Tag::Null,
            "bool" => Tag::Bool,
            "str" => Tag::Str,
            "int" => Tag::Int,
            "float" => Tag::Float,
            "timestamp" => Tag::Timestamp,
            "binary" => Tag::Binary,
            "merge" => Tag::Merge,
            "map" => Tag::Map,
            "seq" => Tag::Seq,
            _ => Tag::Other,
        }
    }
}

/// How a node is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Style {
    /// A scalar without quotes; a collection in block style.
    #[default]
    Plain,
    /// `'…'`
    SingleQuoted,
    /// `"…"`
    DoubleQuoted,
    /// `|`
    Literal,
    /// `>`
    Folded,
    /// A collection in `[…]` or `{…}`.
    Flow,
}

/// A key and its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key, a node of its own: it has a style, a place and comments.
    pub key: Node,
    /// The value.
    pub value: Node,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub enum Data {
    /// The text of a scalar, escapes and folding undone.
    Scalar(Arc<str>),
    /// The items of a sequence.
    Sequence(Arc<Vec<Node>>),
    /// The entries of a mapping, in the order written.
    Mapping(Arc<Vec<Entry>>),
    /// A reference to an anchor: its name and the node it stands for.
    Alias(Arc<(Arc<str>, Node)>),
}

/// Comments, with their `#`, lines joined by line feeds; as go-yaml v3 names
/// them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comments {
    /// Above the node.
    pub head: Option<Arc<str>>,
    /// Behind it, on its line.
    pub line: Option<Arc<str>>,
    /// Below it, before an empty line.
    pub foot: Option<Arc<str>>,
}

/// What few nodes have.
#[derive(Clone, Debug, Default)]
struct Extra {
    comments: Comments,
    anchor: Option<Arc<str>>,
    tag: Option<Arc<str>>,
    shadow: Option<Arc<str>>,
}

const TAGGED: u8 = 1;
const SECRET: u8 = 2;
/// Whether [`SECRET`] was ever set.
static HAS_MARKS: AtomicBool = AtomicBool::new(false);
const RESOLVED: u8 = 4;
const UNSPECIFIC: u8 = 8;
const UNTAGGED: u8 = 16;
const PLACEHOLDER: u8 = 32;

/// A YAML node: a scalar, sequence, mapping or alias, with how and where it
/// was written.
///
/// Copies share their content until one of them is changed, so that copying a
/// document costs nothing. Every node keeps the place it came from through
/// patches, generators, replacements and substitution: code that makes or
/// changes a node gives it the place of the input that decided it.
#[derive(Clone, Debug)]
pub struct Node {
    data: Data,
    tag: Tag,
    style: Style,
    flags: u8,
    span: Span,
    extra: Option<Box<Extra>>,
}

impl Node {
    fn new(data: Data, tag: Tag, span: Span) -> Node {
        Node {
            data,
            tag,
            style: Style::Plain,
            flags: 0,
            span,
            extra: None,
        }
    }

    /// A scalar of this kind and text.
    pub fn scalar(text: impl Into<Arc<str>>, tag: Tag, span: Span) -> Node {
        Node::new(Data::Scalar(text.into()), tag, span)
    }

    /// A string. Emitters quote it where plain text would mean something else.
    pub fn string(text: impl Into<Arc<str>>, span: Span) -> Node {
        Node::scalar(text, Tag::Str, span)
    }

    /// A null.
    pub fn null(span: Span) -> Node {
        Node::scalar("null", Tag::Null, span)
    }

    /// A boolean.
    pub fn bool(value: bool, span: Span) -> Node {
        Node::scalar(if value { "true" } else { "false" }, Tag::Bool, span)
    }

    /// An integer.
    pub fn int(value: i64, span: Span) -> Node {
        Node::scalar(value.to_string(), Tag::Int, span)
    }

    /// A sequence in block style.
    pub fn sequence(items: Vec<Node>, span: Span) -> Node {
        Node::new(Data::Sequence(Arc::new(items)), Tag::Seq, span)
    }

    /// A mapping in block style.
    pub fn mapping(entries: Vec<Entry>, span: Span) -> Node {
        Node::new(Data::Mapping(Arc::new(entries)), Tag::Map, span)
    }

    /// A reference to an anchor.
    pub(super) fn alias(name: Arc<str>, target: Node, span: Span) -> Node {
        let tag = target.tag;
        Node::new(Data::Alias(Arc::new((name, target))), tag, span)
    }

    /// The node with another style.
    #[must_use]
    pub fn with_style(mut self, style: Style) -> Node {
        self.style = style;
        self
    }

    // What it is.

    /// What the node holds.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// The kind of value. For plain scalars it is what go-yaml v3 makes of
    /// the text when it reads it.
    pub fn tag(&self) -> Tag {
        self.tag
    }

    /// The text of a tag that is none of YAML's own, as written.
    pub fn custom_tag(&self) -> Option<&str> {
        self.extra.as_ref()?.tag.as_deref()
    }

    /// Whether the tag was written out.
    pub fn is_tagged(&self) -> bool {
        self.flags & TAGGED != 0
    }

    /// Whether the kind was worked out from plain text, so that another
    /// version of YAML may see another kind.
    pub fn is_resolved(&self) -> bool {
        self.flags & RESOLVED != 0
    }

    /// Whether it was made without a kind, which its text alone decides: other
    /// text in its place may be of another kind.
    pub fn is_untagged(&self) -> bool {
        self.flags & UNTAGGED != 0
    }

    /// How it was written, or is to be.
    pub fn style(&self) -> Style {
        self.style
    }

    /// Where it came from.
    pub fn span(&self) -> Span {
        self.span
    }

    /// Whether it was, or was made from, a decrypted value.
    pub fn is_secret(&self) -> bool {
        self.flags & SECRET != 0
    }

    /// What stands in for its text where it is to be seen what a secret
    /// reaches, if that is known: see [`super::secret`].
    pub(super) fn shadow(&self) -> Option<&Arc<str>> {
        self.extra.as_ref()?.shadow.as_ref()
    }

    /// Whether it stands for a value that could not be decrypted.
    pub fn is_placeholder(&self) -> bool {
        self.flags & PLACEHOLDER != 0
    }

    /// The comments around it.
    pub fn comments(&self) -> Option<&Comments> {
        self.extra.as_ref().map(|e| &e.comments)
    }

    /// The anchor defined on it.
    pub fn anchor(&self) -> Option<&str> {
        self.extra.as_ref()?.anchor.as_deref()
    }

    /// Whether what is in it is held once, for it and for another: then both are
    /// the same collection, or the same text, wherever they stand.
    pub fn is_shared_with(&self, other: &Node) -> bool {
        match (&self.data, &other.data) {
            (Data::Scalar(a), Data::Scalar(b)) => self.tag == other.tag && Arc::ptr_eq(a, b),
            (Data::Sequence(a), Data::Sequence(b)) => Arc::ptr_eq(a, b),
            (Data::Mapping(a), Data::Mapping(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// Whether it is a scalar.
    pub fn is_scalar(&self) -> bool {
        matches!(self.data, Data::Scalar(_))
    }

    /// Whether it is a sequence.
    pub fn is_sequence(&self) -> bool {
        matches!(self.data, Data::Sequence(_))
    }

    /// Whether it is a mapping.
    pub fn is_mapping(&self) -> bool {
        matches!(self.data, Data::Mapping(_))
    }

    /// Whether it is a reference to an anchor.
    pub fn is_alias(&self) -> bool {
        matches!(self.data, Data::Alias(_))
    }

    /// Whether it is a null.
    pub fn is_null(&self) -> bool {
        self.is_scalar() && self.tag == Tag::Null
    }

    /// Whether it holds nothing: a null, or a collection without content.
    pub fn is_null_or_empty(&self) -> bool {
        match &self.data {
            Data::Scalar(_) => self.tag == Tag::Null,
            Data::Sequence(items) => items.is_empty(),
            Data::Mapping(entries) => entries.is_empty(),
            Data::Alias(alias) => alias.1.is_null_or_empty(),
        }
    }

    /// A word for what it is, for messages.
    pub fn describe(&self) -> &'static str {
        match (&self.data, self.tag) {
            (Data::Sequence(_), _) => "a list",
            (Data::Mapping(_), _) => "a mapping",
            (Data::Alias(_), _) => "an alias",
            (Data::Scalar(_), Tag::Null) => "null",
            (Data::Scalar(_), Tag::Bool) => "a boolean",
            (Data::Scalar(_), Tag::Int | Tag::Float) => "a number",
            (Data::Scalar(_), Tag::Timestamp) => "a timestamp",
            (Data::Scalar(_), _) => "a string",
        }
    }

    // What is in it.

    /// Whether it is a collection that shares its content with another one:
    /// neither was changed since one was copied from the other.
    pub fn shares_content(&self, other: &Node) -> bool {
        match (&self.data, &other.data) {
            (Data::Sequence(a), Data::Sequence(b)) => Arc::ptr_eq(a, b),
            (Data::Mapping(a), Data::Mapping(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// The text of a scalar of any kind; none for collections.
    pub fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// The text of a scalar, to be shared.
    pub fn shared_text(&self) -> Option<&Arc<str>> {
        match &self.data {
            Data::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// The text of a string; none for every other kind of value.
    pub fn as_str(&self) -> Option<&str> {
        match &self.data {
            Data::Scalar(text) if self.tag == Tag::Str => Some(text),
            _ => None,
        }
    }

    /// The value of a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match &self.data {
            Data::Scalar(text) if self.tag == Tag::Bool => {
                Some(matches!(&**text, "true" | "True" | "TRUE"))
            }
            _ => None,
        }
    }

    /// The items of a sequence; empty for anything else.
    pub fn items(&self) -> &[Node] {
        match &self.data {
            Data::Sequence(items) => items,
            _ => &[],
        }
    }

    /// The entries of a mapping; empty for anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.data {
            Data::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The value under a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|e| &e.value)
    }

    /// The entry of a key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|e| e.key.text() == Some(key))
    }

    /// The value behind a chain of keys.
    pub fn at_path(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The text of the string under a key.
    pub fn str_at(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Node::as_str)
    }

    // Changes.

    /// Gives it a place.
    pub fn set_span(&mut self, span: Span) {
        self.span = span;
    }

    /// Sets how it is written.
    pub fn set_style(&mut self, style: Style) {
        self.style = style;
    }

    /// Sets the kind of value.
    pub fn set_tag(&mut self, tag: Tag) {
        self.tag = tag;
        self.flags &= !(TAGGED | RESOLVED | UNTAGGED);
    }

    /// A scalar made without a kind; `tag` is the one that its text has.
    pub fn untagged_scalar(text: impl Into<Arc<str>>, tag: Tag, span: Span) -> Node {
        let mut node = Node::scalar(text, tag, span);
        node.flags |= UNTAGGED;
        node
    }

    /// Plain text as it was read, with the kind that v3 sees in it.
    pub(super) fn resolved_scalar(text: Arc<str>, tag: Tag, span: Span) -> Node {
        let mut node = Node::scalar(text, tag, span);
        node.flags |= RESOLVED;
        node
    }

    /// Whether `!` alone stood before it, which says nothing to v3, and makes
    /// a string of plain text for v2.
    pub(super) fn is_unspecific(&self) -> bool {
        self.flags & UNSPECIFIC != 0
    }

    /// Sets a tag as written in the source.
    pub(super) fn set_written_tag(&mut self, tag: Tag, text: Option<Arc<str>>) {
        if text.as_deref() == Some("!") {
            self.flags |= UNSPECIFIC;
            return;
        }
        self.tag = tag;
        self.flags = self.flags & !RESOLVED | TAGGED;
        if text.is_some() {
            self.extra_mut().tag = text;
        }
    }

    /// Marks it as made from a decrypted value.
    pub fn mark_secret(&mut self) {
        self.flags |= SECRET;
        HAS_MARKS.store(true, Ordering::Relaxed);
    }

    /// Whether any node was marked as made from a decrypted value since the
    /// process began: where nothing is encrypted, nobody need look for marks.
    pub(super) fn any_is_secret() -> bool {
        HAS_MARKS.load(Ordering::Relaxed)
    }

    /// Marks it as made from a decrypted value, of which this is the shadow.
    pub(super) fn mark_secret_of(&mut self, shadow: Arc<str>) {
        self.mark_secret();
        self.extra_mut().shadow = Some(shadow);
    }

    /// Marks it as standing for a value that could not be decrypted.
    pub fn mark_placeholder(&mut self) {
        self.flags |= PLACEHOLDER;
    }

    /// Sets the text of a scalar, keeping kind, style and place; turns a
    /// collection into a string.
    pub fn set_text(&mut self, text: impl Into<Arc<str>>) {
        if !self.is_scalar() {
            self.tag = Tag::Str;
            self.style = Style::Plain;
        }
        self.data = Data::Scalar(text.into());
    }

    /// Takes the anchor away.
    pub fn clear_anchor(&mut self) {
        if let Some(extra) = &mut self.extra {
            extra.anchor = None;
        }
    }

    pub(super) fn set_anchor(&mut self, name: Arc<str>) {
        self.extra_mut().anchor = Some(name);
    }

    /// The comments, to be changed.
    pub fn comments_mut(&mut self) -> &mut Comments {
        &mut self.extra_mut().comments
    }

    fn extra_mut(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// The items of a sequence, to be changed; none for anything else.
    pub fn items_mut(&mut self) -> Option<&mut Vec<Node>> {
        match &mut self.data {
            Data::Sequence(items) => Some(Arc::make_mut(items)),
            _ => None,
        }
    }

    /// The entries of a mapping, to be changed; none for anything else.
    pub fn entries_mut(&mut self) -> Option<&mut Vec<Entry>> {
        match &mut self.data {
            Data::Mapping(entries) => Some(Arc::make_mut(entries)),
            _ => None,
        }
    }

    /// The value under a key, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        // Look first: a miss must not copy what is shared.
        let index = self.position(key)?;
        self.entries_mut()?.get_mut(index).map(|e| &mut e.value)
    }

    /// Where a key stands among the entries.
    pub fn position(&self, key: &str) -> Option<usize> {
        self.entries()
            .iter()
            .position(|e| e.key.text() == Some(key))
    }

    /// The value under a key, to be changed; a null is put there, at the
    /// end, if the key is new. None where this is no mapping.
    pub fn get_or_insert(&mut self, key: &str, span: Span) -> Option<&mut Node> {
        let index = if let Some(index) = self.position(key) {
            index
        } else {
            let entries = self.entries_mut()?;
            entries.push(Entry {
                key: Node::string(key, span),
                value: Node::null(span),
            });
            entries.len() - 1
        };
        self.entries_mut()?.get_mut(index).map(|e| &mut e.value)
    }

    /// Sets the value under a key: in its place, or at the end. The key of a
    /// new entry gets the value's place. Does nothing where this is no
    /// mapping.
    pub fn set(&mut self, key: &str, value: Node) {
        let span = value.span;
        if let Some(slot) = self.get_or_insert(key, span) {
            *slot = value;
        }
    }

    /// Takes a key out and gives its entry.
    pub fn remove(&mut self, key: &str) -> Option<Entry> {
        let index = self.position(key)?;
        Some(self.entries_mut()?.remove(index))
    }

    /// The node behind an alias, else the node itself.
    pub fn target(&self) -> &Node {
        let mut node = self;
        while let Data::Alias(alias) = &node.data {
            node = &alias.1;
        }
        node
    }

    /// Calls `f` on every node, parents first, keys before their values;
    /// aliases are not followed.
    pub fn walk<'a>(&'a self, f: &mut impl FnMut(&'a Node)) {
        f(self);
        match &self.data {
            Data::Sequence(items) => items.iter().for_each(|n| n.walk(f)),
            Data::Mapping(entries) => entries.iter().for_each(|e| {
                e.key.walk(f);
                e.value.walk(f);
            }),
            Data::Scalar(_) | Data::Alias(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_small() {
        // Nodes are what memory is spent on: see docs/performance.md.
        assert!(size_of::<Node>() <= 56, "{}", size_of::<Node>());
    }

    #[test]
    fn copies_share_until_changed() {
        let mut a = Node::mapping(Vec::new(), Span::NONE);
        a.set("k", Node::string("v", Span::NONE));
        let b = a.clone();
        a.set("k", Node::string("w", Span::NONE));
        a.set("l", Node::int(1, Span::NONE));
        assert_eq!(b.str_at("k"), Some("v"));
        assert_eq!(a.str_at("k"), Some("w"));
        assert_eq!((a.entries().len(), b.entries().len()), (2, 1));
        assert_eq!(a.remove("k").unwrap().value.as_str(), Some("w"));
        assert!(a.get("k").is_none());
    }
}
