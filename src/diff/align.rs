//! Which item of one list is which of another.
//!
//! Lists that Kubernetes merges by keys are matched by these keys, so that a
//! container put in front of others is one insertion; lists of mappings that
//! all have a name of their own, by that; all others by what has stayed the
//! same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::schema::kustomize::FieldSchema;
use crate::yaml::{Node, Value, decode, emit, resolve::Version};

/// An item of either list, or of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) old: Option<usize>,
    pub(super) new: Option<usize>,
    /// What tells the item from others, `name=app`.
    pub(super) label: Option<Arc<str>>,
}

/// Fields that most probably tell items apart where no schema says what does.
const LIKELY_KEYS: &[&str] = &["name", "host", "key", "id"];

/// Pairs the items of two lists: those of the new one in their order, each of
/// the old one that is gone before what stood behind it.
pub(super) fn pairs(old: &[Node], new: &[Node], schema: Option<FieldSchema<'_>>) -> Vec<Pair> {
    let keys = schema
        .map(|s| s.patch_strategy_and_keys().1)
        .unwrap_or_default();
    if !keys.is_empty()
        && let Some(pairs) = by_keys(old, new, &keys)
    {
        return pairs;
    }
    LIKELY_KEYS
        .iter()
        .find_map(|key| {
            let all = old.iter().chain(new).all(|item| item.get(key).is_some());
            if all { by_keys(old, new, &[key]) } else { None }
        })
        .unwrap_or_else(|| by_content(old, new))
}

/// What an item of a list is told by.
struct Label {
    /// The values of its keys, those that the API server fills in among them.
    identity: Arc<str>,
    /// Those that stand there, for people.
    shown: Arc<str>,
}

impl Label {
    fn of(item: &Node, keys: &[&str]) -> Option<Label> {
        let mut identity = Vec::new();
        let mut shown = Vec::new();
        for key in keys {
            let text = item.get(key).and_then(|value| value.target().text());
            // Compat: Kubernetes' `SetDefaults_Container`, `SetDefaults_Service`.
            let filled_in = (*key == "protocol").then_some("TCP");
            identity.extend(text.or(filled_in).map(|text| format!("{key}={text}")));
            shown.extend(text.map(|text| format!("{key}={text}")));
        }
        (!shown.is_empty()).then(|| Label {
            identity: identity.join(",").into(),
            shown: shown.join(",").into(),
        })
    }
}

/// Pairs by the values of keys; none where two items of a list have the same.
fn by_keys(old: &[Node], new: &[Node], keys: &[&str]) -> Option<Vec<Pair>> {
    let labels = |items: &[Node]| -> Option<Vec<Label>> {
        let labels = items.iter().map(|item| Label::of(item, keys));
        let labels: Vec<Label> = labels.collect::<Option<_>>()?;
        let distinct: BTreeSet<&Arc<str>> = labels.iter().map(|l| &l.identity).collect();
        (distinct.len() == labels.len()).then_some(labels)
    };
    let (old_labels, new_labels) = (labels(old)?, labels(new)?);
    let identities = old_labels.iter().map(|label| &label.identity);
    let places: BTreeMap<&Arc<str>, usize> = identities.zip(0..).collect();
    let kept: BTreeSet<&Arc<str>> = new_labels.iter().map(|l| &l.identity).collect();
    let pair = |old, new, label: &Label| Pair {
        old,
        new,
        label: Some(label.shown.clone()),
    };
    let mut pairs = Vec::new();
    // What is gone is told where it stood: behind what it stood behind.
    let mut gone = old_labels
        .iter()
        .enumerate()
        .filter(|(_, label)| !kept.contains(&label.identity))
        .peekable();
    for (at, label) in new_labels.iter().enumerate() {
        let place = places.get(&label.identity).copied();
        while let Some((i, label)) = gone.next_if(|(i, _)| place.is_some_and(|p| *i < p)) {
            pairs.push(pair(Some(i), None, label));
        }
        pairs.push(pair(place, Some(at), label));
    }
    pairs.extend(gone.map(|(i, label)| pair(Some(i), None, label)));
    Some(pairs)
}

/// Pairs equal items in the longest sequence that both lists share; what was
/// replaced between them, one by one as long as both are collections.
fn by_content(old: &[Node], new: &[Node]) -> Vec<Pair> {
    let texts = |items: &[Node]| -> Vec<String> { items.iter().map(canonical).collect() };
    let (a, b) = (texts(old), texts(new));
    let operations = similar::capture_diff_slices(similar::Algorithm::Myers, &a, &b);
    let mut pairs = Vec::new();
    let pair = |old, new| Pair {
        old,
        new,
        label: None,
    };
    for operation in operations {
        let (old_range, new_range) = (operation.old_range(), operation.new_range());
        let common = old_range.len().min(new_range.len());
        let (old_start, new_start) = (old_range.start, new_range.start);
        let mut paired = 0;
        while paired < common {
            let items = (old.get(old_start + paired), new.get(new_start + paired));
            let same_shape = match items {
                (Some(a), Some(b)) => {
                    (a.target().is_mapping() && b.target().is_mapping())
                        || (a.target().is_sequence() && b.target().is_sequence())
                        || operation.tag() == similar::DiffTag::Equal
                }
                _ => false,
            };
            if !same_shape {
                break;
            }
            pairs.push(pair(Some(old_start + paired), Some(new_start + paired)));
            paired += 1;
        }
        pairs.extend((old_start + paired..old_range.end).map(|i| pair(Some(i), None)));
        pairs.extend((new_start + paired..new_range.end).map(|i| pair(None, Some(i))));
    }
    pairs
}

/// A text that equal values have in common.
pub(super) fn canonical(node: &Node) -> String {
    crate::yaml::to_json(&value(node))
}

/// Whether two nodes are the same to the API server, which gets JSON: `1` and `1.0`
/// are.
pub(super) fn same(old: &Node, new: &Node) -> bool {
    let (old, new) = (value(old), value(new));
    old == new || crate::yaml::to_json(&old) == crate::yaml::to_json(&new)
}

/// What a node means to the API server: as kustomize reads it, or, where that
/// refuses it, as kubectl does; its text where neither takes it.
pub fn value(node: &Node) -> Value {
    let decoded = decode(node, Version::V3).or_else(|_| decode(node, Version::V2));
    decoded.unwrap_or_else(|_| {
        let mut text = String::new();
        emit::as_written(node, emit::Indent::Compact, &mut text);
        Value::String(text.into())
    })
}
