//! Two objects, field by field.

use std::sync::Arc;

use super::align::{self, Pair};
use super::noise::{self, Noise};
use super::path::{FieldPath, Step};
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
    let mut walk = Walk::default();
    walk.node(old, new, schema);
    for change in &mut walk.found {
        change.noise = noise::of(change, &gvk);
    }
    walk.found
}

/// The way through two objects.
#[derive(Default)]
struct Walk {
    path: FieldPath,
    found: Vec<Change>,
}

impl Walk {
    fn node(&mut self, old: &Node, new: &Node, schema: Option<FieldSchema<'_>>) {
        let (old, new) = (old.target(), new.target());
        if old.is_shared_with(new) {
            return;
        }
        match (old.data(), new.data()) {
            (Data::Mapping(_), Data::Mapping(_)) => self.mapping(old, new, schema),
            (Data::Sequence(a), Data::Sequence(b)) => self.sequence(a, b, schema),
            (Data::Scalar(a), Data::Scalar(b)) if a == b && old.tag() == new.tag() => {}
            _ => {
                if !align::same(old, new) {
                    self.found(ChangeKind::Changed, Some(old), Some(new));
                }
            }
        }
    }

    fn mapping(&mut self, old: &Node, new: &Node, schema: Option<FieldSchema<'_>>) {
        for (at, entry) in old.entries().iter().enumerate() {
            let Some(key) = entry.key.shared_text() else {
                continue;
            };
            let counterpart = value_of(new, key, at);
            if counterpart.is_some_and(|new| new.is_shared_with(&entry.value)) {
                continue;
            }
            self.path.0.push(Step::Key(key.clone()));
            match counterpart {
                Some(new) => {
                    let schema = schema.and_then(|s| s.field(key));
                    self.node(&entry.value, new, schema);
                }
                None => self.found(ChangeKind::Removed, Some(entry.value.target()), None),
            }
            self.path.0.pop();
        }
        for (at, entry) in new.entries().iter().enumerate() {
            let Some(key) = entry.key.shared_text() else {
                continue;
            };
            if value_of(old, key, at).is_none() {
                self.path.0.push(Step::Key(key.clone()));
                self.found(ChangeKind::Added, None, Some(entry.value.target()));
                self.path.0.pop();
            }
        }
    }

    fn sequence(&mut self, old: &[Node], new: &[Node], schema: Option<FieldSchema<'_>>) {
        // Which item is which takes longer to find out.
        let all_alike = || old.iter().zip(new).all(|(old, new)| is_alike(old, new));
        if old.len() == new.len() && all_alike() {
            return;
        }
        let pairs = align::pairs(old, new, schema);
        let elements = schema.and_then(FieldSchema::elements);
        for pair in &pairs {
            let item = |items: &[Node], index: Option<usize>| {
                index.and_then(|i| items.get(i)).map(|n| n.target().clone())
            };
            self.path.0.push(Step::Item {
                label: pair.label.clone(),
                old: pair.old,
                new: pair.new,
            });
            match (item(old, pair.old), item(new, pair.new)) {
                (Some(old), Some(new)) => self.node(&old, &new, elements),
                (Some(old), None) => self.found(ChangeKind::Removed, Some(&old), None),
                (None, Some(new)) => self.found(ChangeKind::Added, None, Some(&new)),
                (None, None) => {}
            }
            self.path.0.pop();
        }
        if is_reordered(&pairs) {
            let list = |items: &[Node], span| Node::sequence(items.to_vec(), span);
            let span = |items: &[Node]| items.first().map(Node::span).unwrap_or_default();
            self.found(
                ChangeKind::Reordered,
                Some(&list(old, span(old))),
                Some(&list(new, span(new))),
            );
        }
    }

    fn found(&mut self, kind: ChangeKind, old: Option<&Node>, new: Option<&Node>) {
        self.found.push(Change {
            path: self.path.clone(),
            kind,
            old: old.cloned(),
            new: new.cloned(),
            noise: None,
        });
    }
}

/// The value of a key, which most often stands at the same place as in the other
/// object.
fn value_of<'n>(node: &'n Node, key: &Arc<str>, at: usize) -> Option<&'n Node> {
    let there = node.entries().get(at);
    match there.filter(|entry| entry.key.text() == Some(key)) {
        Some(entry) => Some(&entry.value),
        None => node.get(key),
    }
}

/// Whether it is seen at once that two nodes are the same, keys in one order.
fn is_alike(old: &Node, new: &Node) -> bool {
    let (old, new) = (old.target(), new.target());
    if old.is_shared_with(new) {
        return true;
    }
    match (old.data(), new.data()) {
        (Data::Scalar(a), Data::Scalar(b)) => a == b && old.tag() == new.tag(),
        (Data::Sequence(a), Data::Sequence(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| is_alike(a, b))
        }
        (Data::Mapping(a), Data::Mapping(b)) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b.iter())
                    .all(|(a, b)| is_alike(&a.key, &b.key) && is_alike(&a.value, &b.value))
        }
        _ => false,
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
