//! Two objects, field by field.

use std::sync::Arc;

use super::align::{self, Pair};
use super::noise::{self, Noise};
use super::path::FieldPath;
use crate::resource::Gvk;
use crate::schema::kustomize::{FieldSchema, OpenApi};
use crate::yaml::{Data, Node};

/// What became of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It has another value.
    Changed,
    /// The items of a list are the same, in another order.
    Reordered,
}

/// A field that is not as it was.
#[derive(Clone, Debug)]
pub struct Change {
    /// Which field.
    pub path: FieldPath,
    /// What became of it.
    pub kind: ChangeKind,
    /// The old value.
    pub old: Option<Node>,
    /// The new value.
    pub new: Option<Node>,
    /// Why it means nothing, where it does not.
    pub noise: Option<Noise>,
}

impl Change {
    /// What it comes to at these keys below it; none where nothing is there, or the
    /// same.
    pub(super) fn part(&self, keys: &[&str]) -> Option<Change> {
        let at = |node: &Option<Node>| node.as_ref()?.at_path(keys).map(|n| n.target().clone());
        let (old, new) = (at(&self.old), at(&self.new));
        let kind = match (&old, &new) {
            (None, None) => return None,
            (Some(_), None) => ChangeKind::Removed,
            (None, Some(_)) => ChangeKind::Added,
            (Some(old), Some(new)) if align::same(old, new) => return None,
            (Some(_), Some(_)) => ChangeKind::Changed,
        };
        let keys = keys.iter().map(|key| Arc::from(*key));
        Some(Change {
            path: keys.fold(self.path.clone(), |path, key| path.key(&key)),
            kind,
            old,
            new,
            noise: self.noise,
        })
    }

    /// Whether it only writes out, or leaves out, what the API server fills in.
    pub(super) fn is_filled_in(&self, default: &str) -> bool {
        let is_default = |node: &Option<Node>| {
            node.as_ref()
                .is_none_or(|node| node.text() == Some(default))
        };
        is_default(&self.old) && is_default(&self.new)
    }
}

/// The fields in which two objects differ, in the order of the old object's
/// fields, new ones behind them.
///
/// The order of keys, styles and comments are no differences; `1` and `1.0`
/// are none, as the API server sees none.
pub(super) fn changes(old: &Node, new: &Node) -> Vec<Change> {
    if old.shares_content(new) {
        return Vec::new();
    }
    static OPEN_API: OpenApi = OpenApi::new();
    let gvk = Gvk::of(new);
    let schema = OPEN_API.kind(&gvk.api_version(), &gvk.kind);
    let mut found = Vec::new();
    node(old, new, schema, &FieldPath::default(), &mut found);
    for change in &mut found {
        change.noise = noise::of(change, &gvk);
    }
    found
}

fn node(
    old: &Node,
    new: &Node,
    schema: Option<FieldSchema<'_>>,
    path: &FieldPath,
    found: &mut Vec<Change>,
) {
    let (old, new) = (old.target(), new.target());
    if old.is_shared_with(new) {
        return;
    }
    match (old.data(), new.data()) {
        (Data::Mapping(_), Data::Mapping(_)) => mapping(old, new, schema, path, found),
        (Data::Sequence(a), Data::Sequence(b)) => sequence(a, b, schema, path, found),
        (Data::Scalar(a), Data::Scalar(b)) if a == b && old.tag() == new.tag() => {}
        _ => {
            if !align::same(old, new) {
                found.push(change(ChangeKind::Changed, path, Some(old), Some(new)));
            }
        }
    }
}

fn change(kind: ChangeKind, path: &FieldPath, old: Option<&Node>, new: Option<&Node>) -> Change {
    Change {
        path: path.clone(),
        kind,
        old: old.cloned(),
        new: new.cloned(),
        noise: None,
    }
}

fn mapping(
    old: &Node,
    new: &Node,
    schema: Option<FieldSchema<'_>>,
    path: &FieldPath,
    found: &mut Vec<Change>,
) {
    for entry in old.entries() {
        let Some(key) = entry.key.shared_text() else {
            continue;
        };
        let path = path.key(key);
        match new.get(key) {
            Some(new) => {
                let schema = schema.and_then(|s| s.field(key));
                node(&entry.value, new, schema, &path, found);
            }
            None => found.push(change(
                ChangeKind::Removed,
                &path,
                Some(entry.value.target()),
                None,
            )),
        }
    }
    for entry in new.entries() {
        let Some(key) = entry.key.shared_text() else {
            continue;
        };
        if old.get(key).is_none() {
            let path = path.key(key);
            found.push(change(
                ChangeKind::Added,
                &path,
                None,
                Some(entry.value.target()),
            ));
        }
    }
}

fn sequence(
    old: &[Node],
    new: &[Node],
    schema: Option<FieldSchema<'_>>,
    path: &FieldPath,
    found: &mut Vec<Change>,
) {
    let pairs = align::pairs(old, new, schema);
    let elements = schema.and_then(FieldSchema::elements);
    for pair in &pairs {
        let at = path.item(pair.label.clone(), pair.old, pair.new);
        let item = |items: &[Node], index: Option<usize>| {
            index.and_then(|i| items.get(i)).map(|n| n.target().clone())
        };
        match (item(old, pair.old), item(new, pair.new)) {
            (Some(old), Some(new)) => node(&old, &new, elements, &at, found),
            (Some(old), None) => found.push(change(ChangeKind::Removed, &at, Some(&old), None)),
            (None, Some(new)) => found.push(change(ChangeKind::Added, &at, None, Some(&new))),
            (None, None) => {}
        }
    }
    if is_reordered(&pairs) {
        let list = |items: &[Node], span| Node::sequence(items.to_vec(), span);
        let span = |items: &[Node]| items.first().map(Node::span).unwrap_or_default();
        found.push(change(
            ChangeKind::Reordered,
            path,
            Some(&list(old, span(old))),
            Some(&list(new, span(new))),
        ));
    }
}

/// Whether items that stayed stand in another order.
fn is_reordered(pairs: &[Pair]) -> bool {
    let mut last = None;
    pairs
        .iter()
        .filter(|pair| pair.new.is_some())
        .filter_map(|pair| pair.old)
        .any(|old| last.replace(old).is_some_and(|before| before > old))
}
