//! Fields of a node, looked up and set as kyaml does it.
//!
//! In: a node and a path of names, indexes and `[key=value]`. Out: the node
//! there, made if asked for. Compat: `yaml/fns.go` of kyaml: `PathGetter`,
//! `FieldMatcher`, `FieldSetter`, `FieldClearer`.

use std::sync::Arc;

use super::links::Links;
use crate::diag::{Error, Result, Span};
use crate::yaml::resolve::{self, Scalar, Version};
use crate::yaml::{Entry, Node, Style, Tag};

/// The kinds that a node can be made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Scalar,
    Mapping,
    Sequence,
}

impl Kind {
    pub(super) fn of(node: &Node) -> Kind {
        match node.target() {
            n if n.is_mapping() => Kind::Mapping,
            n if n.is_sequence() => Kind::Sequence,
            _ => Kind::Scalar,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Scalar => "a single value",
            Kind::Mapping => "a mapping",
            Kind::Sequence => "a list",
        }
    }

    /// An empty node of this kind.
    pub(super) fn empty(self, span: Span) -> Node {
        match self {
            Kind::Scalar => untagged("", span),
            Kind::Mapping => Node::mapping(Vec::new(), span),
            Kind::Sequence => Node::sequence(Vec::new(), span),
        }
    }
}

/// Refuses a node of another kind; null passes for every kind.
pub(super) fn expect(node: &Node, kind: Kind) -> Result<()> {
    if node.is_null() || Kind::of(node) == kind {
        return Ok(());
    }
    Err(Error::new(
        "kustomize/wrong-kind",
        format!("{} where {} is needed", node.describe(), kind.name()),
    )
    .at(node.span()))
}

// Scalars.

/// A scalar without a tag: what it is, its text decides.
pub(super) fn untagged(text: impl Into<Arc<str>>, span: Span) -> Node {
    let text = text.into();
    let tag = plain_tag(&text);
    Node::untagged_scalar(text, tag, span)
}

/// The kind that go-yaml v3 sees in plain text.
pub(super) fn plain_tag(text: &str) -> Tag {
    if text == "<<" {
        return Tag::Merge;
    }
    resolve::resolve(text, Version::V3).tag()
}

/// Whether a scalar of this style is quoted, so that it is read as a string.
pub(super) fn is_quoted(style: Style) -> bool {
    !matches!(style, Style::Plain | Style::Flow)
}

/// A scalar in the style of the one it takes the place of.
///
/// Compat: a value of another kind becomes a string when the style that is kept
/// has quotes, since its tag is left out as implied.
fn styled(mut value: Node, style: Style) -> Node {
    value.set_style(style);
    let kept = value.tag();
    if is_quoted(style)
        && kept != Tag::Str
        && value.text().is_some_and(|text| plain_tag(text) == kept)
    {
        value.set_tag(Tag::Str);
    }
    value
}

/// What text is set as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum As {
    /// A string, whatever it looks like.
    String,
    /// What it looks like, in the style of what it takes the place of.
    Written,
}

fn scalar(text: Arc<str>, what: As, span: Span) -> Node {
    match what {
        As::String => Node::string(text, span),
        As::Written => untagged(text, span),
    }
}

/// Quotes a plain string that readers of YAML 1.1 would take for something else.
///
/// Compat: `FieldSetter` of kyaml does so to every value that it is given, and
/// in a strategic merge all fields of the object are set anew.
pub(super) fn quote_ambiguous(value: &mut Node) {
    if is_ambiguous(value) {
        value.set_style(Style::DoubleQuoted);
        value.set_tag(Tag::Str);
    }
}

/// Whether [`quote_ambiguous`] changes a node.
pub(super) fn is_ambiguous(value: &Node) -> bool {
    let is_candidate = (value.is_untagged() || value.tag() == Tag::Str)
        && value.style() == Style::Plain
        && value.is_scalar();
    is_candidate
        && value.text().is_some_and(|text| {
            if value.is_resolved() {
                // It has been read as one plain scalar.
                !text.contains('\n') && resolve::resolve(text, Version::V2) != Scalar::String
            } else {
                is_other_than_string(text)
            }
        })
}

/// Sets the text of a scalar in place, its style kept.
///
/// # Errors
///
/// `kustomize/wrong-kind` where this is no scalar.
pub(super) fn set_text(
    slot: &mut Node,
    text: impl Into<Arc<str>>,
    what: As,
    span: Span,
    links: &mut Links,
) -> Result<()> {
    expect(slot, Kind::Scalar)?;
    let style = slot.style();
    links.overwrite(slot, styled(scalar(text.into(), what, span), style));
    Ok(())
}

/// Writes a scalar over another in place, whose style is kept.
pub(super) fn set_scalar(slot: &mut Node, value: Node, links: &mut Links) {
    let style = slot.style();
    links.overwrite(slot, styled(value, style));
}

/// Whether plain text would be something else than a string to a reader of
/// YAML 1.1.
///
/// Compat: `IsValueNonString`, which reads the text as a document.
fn is_other_than_string(text: &str) -> bool {
    if text.is_empty() || text.contains('\n') {
        return false;
    }
    if resolve::resolve(text, Version::V2) != Scalar::String {
        return true;
    }
    // Text that holds no indicator is one plain scalar.
    if !text.contains([
        ':', '#', '[', '{', '-', '?', '!', '&', '*', '\'', '"', '%', '@', '`',
    ]) {
        return false;
    }
    match crate::yaml::parse_one(text, crate::diag::FileId::default()) {
        Ok(Some(node)) => !node.is_scalar(),
        Ok(None) => true,
        Err(_) => false,
    }
}

// Looking up.

/// The value under a name; none in a null.
///
/// # Errors
///
/// `kustomize/wrong-kind` where this is no mapping.
pub(super) fn get<'a>(node: &'a Node, name: &str) -> Result<Option<&'a Node>> {
    expect(node, Kind::Mapping)?;
    Ok(node.get(name))
}

/// A part of a path.
enum Step<'p> {
    Index(usize),
    Last,
    Name(&'p str),
    /// An item by the value of one of its fields; by its own where the key is
    /// empty.
    Item(&'p str, &'p str),
}

/// Reads a whole number as `strconv.Atoi`.
pub(super) fn atoi(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Whether a part of a path has the form `[key=value]`.
pub(super) fn is_item(part: &str) -> bool {
    part.starts_with('[') && part.ends_with(']')
}

/// The two sides of `[key=value]`.
pub(super) fn split_item(part: &str) -> Result<(&str, &str)> {
    let inner = part.strip_suffix(']').unwrap_or(part);
    let inner = inner.strip_prefix('[').unwrap_or(inner);
    inner.split_once('=').ok_or_else(|| {
        Error::new(
            "kustomize/field-path",
            format!("`{part}` does not say which item it means"),
        )
        .help("write `[name=value]`, or the number of the item")
    })
}

fn step(part: &str) -> Result<Step<'_>> {
    match atoi(part) {
        Some(index) => usize::try_from(index).map(Step::Index).map_err(|_| {
            Error::new(
                "kustomize/field-path",
                format!("the index {index} is negative"),
            )
            .help("items count from 0; `-` is the last one")
        }),
        None if part == "-" => Ok(Step::Last),
        None if part == "*" => Err(Error::new(
            "kustomize/field-path",
            "`*` cannot be used here: one value is wanted",
        )
        .help("name the item, as in `[name=value]`")),
        None if is_item(part) => {
            let (key, value) = split_item(part)?;
            Ok(Step::Item(key, value))
        }
        None => Ok(Step::Name(part)),
    }
}

/// The position of what a step leads to.
fn position(node: &Node, step: &Step<'_>) -> Result<Option<usize>> {
    match step {
        Step::Name(name) => {
            expect(node, Kind::Mapping)?;
            Ok(node.position(name))
        }
        Step::Index(index) => {
            expect(node, Kind::Sequence)?;
            Ok(Some(*index).filter(|i| *i < node.items().len()))
        }
        Step::Last => {
            expect(node, Kind::Sequence)?;
            // Compat: kustomize crashes on an empty list.
            node.items().len().checked_sub(1).map(Some).ok_or_else(|| {
                Error::new("kustomize/field-path", "an empty list has no last item").at(node.span())
            })
        }
        Step::Item(key, value) => {
            expect(node, Kind::Sequence)?;
            Ok(find_item(node.items(), key, value))
        }
    }
}

/// The first item whose field has this text, or which has it itself.
pub(super) fn find_item(items: &[Node], key: &str, value: &str) -> Option<usize> {
    items.iter().position(|item| {
        if key.is_empty() {
            item.text().unwrap_or_default() == value
        } else {
            item.get(key)
                .is_some_and(|field| field.text().unwrap_or_default() == value)
        }
    })
}

fn child(node: &Node, index: usize) -> Option<&Node> {
    if node.is_mapping() {
        node.entries().get(index).map(|e| &e.value)
    } else {
        node.items().get(index)
    }
}

fn child_mut(node: &mut Node, index: usize) -> Option<&mut Node> {
    if node.is_mapping() {
        node.entries_mut()?.get_mut(index).map(|e| &mut e.value)
    } else {
        node.items_mut()?.get_mut(index)
    }
}

fn cleaned<P: AsRef<str>>(path: &[P]) -> impl Iterator<Item = &str> {
    path.iter()
        .map(|part| part.as_ref().trim())
        .filter(|part| !part.is_empty())
}

/// The node at a path; none where there is nothing, or null on the way.
///
/// # Errors
///
/// `kustomize/wrong-kind` where the path does not fit what is there,
/// `kustomize/field-path` where it is no path.
pub(super) fn lookup<'a>(node: &'a Node, path: &[impl AsRef<str>]) -> Result<Option<&'a Node>> {
    let mut node = node;
    for part in cleaned(path) {
        let step = step(part)?;
        let next = position(node, &step)?.and_then(|index| child(node, index));
        let Some(next) = next else {
            return Ok(None);
        };
        node = next;
    }
    Ok(Some(node))
}

/// As [`lookup`], for changing what is there.
pub(super) fn lookup_mut<'a>(
    node: &'a mut Node,
    path: &[impl AsRef<str>],
) -> Result<Option<&'a mut Node>> {
    // Look first: a miss must not copy what is shared.
    if lookup(node, path)?.is_none() {
        return Ok(None);
    }
    let mut node = node;
    for part in cleaned(path) {
        let step = step(part)?;
        let Some(index) = position(node, &step)? else {
            return Ok(None);
        };
        let Some(next) = child_mut(node, index) else {
            return Ok(None);
        };
        node = next;
    }
    Ok(Some(node))
}

/// What a missing part is made as, judged by the part behind it.
pub(super) fn made_as(next: Option<&str>, leaf: Kind) -> Kind {
    match next {
        None | Some("") => leaf,
        Some(next) if is_item(next) || atoi(next).is_some_and(|i| i >= 0) => Kind::Sequence,
        Some(_) => Kind::Mapping,
    }
}

/// The node at a path, made where it is missing: the last part as `leaf`. None
/// where a null is on the way, or an index behind the end of a list.
pub(super) fn lookup_or_create<'a>(
    node: &'a mut Node,
    path: &[impl AsRef<str>],
    leaf: Kind,
    span: Span,
) -> Result<Option<&'a mut Node>> {
    let mut node = node;
    let parts: Vec<&str> = cleaned(path).collect();
    for (i, part) in parts.iter().enumerate() {
        let step = step(part)?;
        let index = match position(node, &step)? {
            Some(index) => index,
            None if node.is_null() => return Ok(None),
            None => match step {
                Step::Name(name) => {
                    let kind = made_as(parts.get(i + 1).copied(), leaf);
                    push_entry(node, name, kind.empty(span))
                }
                Step::Item(key, value) => push_item(node, item(key, value, span)),
                Step::Index(_) | Step::Last => return Ok(None),
            },
        };
        let Some(next) = child_mut(node, index) else {
            return Ok(None);
        };
        node = next;
    }
    Ok(Some(node))
}

/// The item that `[key=value]` makes.
pub(super) fn item(key: &str, value: &str, span: Span) -> Node {
    let value = untagged(value, span);
    if key.is_empty() {
        return value;
    }
    let key = untagged(key, span);
    Node::mapping(vec![Entry { key, value }], span)
}

/// Appends an entry and gives its position.
pub(super) fn push_entry(node: &mut Node, name: &str, value: Node) -> usize {
    let Some(entries) = node.entries_mut() else {
        return usize::MAX;
    };
    entries.push(Entry {
        key: untagged(name, value.span()),
        value,
    });
    entries.len() - 1
}

/// Appends an item and gives its position.
pub(super) fn push_item(node: &mut Node, item: Node) -> usize {
    let Some(items) = node.items_mut() else {
        return usize::MAX;
    };
    items.push(item);
    items.len() - 1
}

// Setting.

/// Sets a field of a mapping to text: in place where the field is there, its
/// style kept, else at the end. A null stays what it is.
///
/// # Errors
///
/// `kustomize/wrong-kind` where this is no mapping.
pub(super) fn set_field(
    node: &mut Node,
    name: &str,
    text: impl Into<Arc<str>>,
    what: As,
    span: Span,
    links: &mut Links,
) -> Result<()> {
    set_node(node, name, scalar(text.into(), what, span), what, links)
}

/// Refuses the empty key.
///
/// Compat: to kyaml the empty name means the node itself, which has to be a
/// scalar then.
pub(super) fn check_name(name: &str, span: Span) -> Result<()> {
    if name.is_empty() {
        return Err(
            Error::new("kustomize/field-path", "the key of this field is empty")
                .at(span)
                .help("kustomize cannot set such a field; give it a name"),
        );
    }
    Ok(())
}

/// As [`set_field`], for a node.
///
/// A null takes the field away.
pub(super) fn set_node(
    node: &mut Node,
    name: &str,
    mut value: Node,
    what: As,
    links: &mut Links,
) -> Result<()> {
    check_name(name, value.span())?;
    if value.is_null() && what == As::String {
        clear(node, name)?;
        return Ok(());
    }
    expect(node, Kind::Mapping)?;
    if node.is_null() {
        return Ok(());
    }
    if let Some(field) = node.get_mut(name) {
        // Compat: the style of what was there is kept, for a string too.
        let style = field.style();
        if value.is_scalar() {
            value = styled(value, style);
        } else {
            value.set_style(style);
        }
        links.overwrite(field, value);
        return Ok(());
    }
    if value.is_scalar()
        && value.style() == Style::Plain
        && (value.tag() == Tag::Str || what == As::Written)
        && value.text().is_some_and(is_other_than_string)
    {
        value.set_style(Style::DoubleQuoted);
        value.set_tag(Tag::Str);
    }
    push_entry(node, name, value);
    Ok(())
}

/// Takes a field out of a mapping.
///
/// # Errors
///
/// `kustomize/wrong-kind` where this is no mapping.
pub(super) fn clear(node: &mut Node, name: &str) -> Result<Option<Node>> {
    expect(node, Kind::Mapping)?;
    Ok(node.remove(name).map(|entry| entry.value))
}
