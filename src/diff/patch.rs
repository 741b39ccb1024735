//! Differences as RFC 6902 patches.
//!
//! Applied to the old object, a patch gives the new one. Lists are patched item
//! by item, as they were matched, so that an inserted container is one `add`.

use super::align::{self, value};
use crate::diag::pointer;
use crate::resource::Gvk;
use crate::schema::kustomize::{FieldSchema, OpenApi};
use crate::yaml::{Data, Node, Value};

/// An operation of a patch.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Puts a value in a place.
    Add {
        /// The place, a JSON pointer.
        path: String,
        /// The value.
        value: Value,
    },
    /// Takes a value out.
    Remove {
        /// The place, a JSON pointer.
        path: String,
    },
    /// Puts a value in the place of another.
    Replace {
        /// The place, a JSON pointer.
        path: String,
        /// The value.
        value: Value,
    },
    /// Takes an item out of a list and puts it elsewhere in it.
    Move {
        /// Where it was, a JSON pointer.
        from: String,
        /// Where it goes, a JSON pointer.
        path: String,
    },
}

/// The patch that makes the old object the new one.
pub fn patch(old: &Node, new: &Node) -> Vec<Operation> {
    static OPEN_API: OpenApi = OpenApi::new();
    let gvk = Gvk::of(new);
    let schema = OPEN_API.kind(&gvk.api_version(), &gvk.kind);
    let mut operations = Vec::new();
    node(old, new, schema, "", &mut operations);
    operations
}

fn node(
    old: &Node,
    new: &Node,
    schema: Option<FieldSchema<'_>>,
    path: &str,
    operations: &mut Vec<Operation>,
) {
    let (old, new) = (old.target(), new.target());
    match (old.data(), new.data()) {
        (Data::Mapping(_), Data::Mapping(_)) => mapping(old, new, schema, path, operations),
        (Data::Sequence(a), Data::Sequence(b)) => sequence(a, b, schema, path, operations),
        _ => {
            if !align::same(old, new) {
                operations.push(Operation::Replace {
                    path: path.to_owned(),
                    value: value(new),
                });
            }
        }
    }
}

fn mapping(
    old: &Node,
    new: &Node,
    schema: Option<FieldSchema<'_>>,
    path: &str,
    operations: &mut Vec<Operation>,
) {
    for entry in old.entries() {
        let Some(key) = entry.key.text() else {
            continue;
        };
        let at = format!("{path}/{}", pointer::escape(key));
        match new.get(key) {
            Some(new) => {
                let schema = schema.and_then(|s| s.field(key));
                node(&entry.value, new, schema, &at, operations);
            }
            None => operations.push(Operation::Remove { path: at }),
        }
    }
    for entry in new.entries() {
        let Some(key) = entry.key.text() else {
            continue;
        };
        if old.get(key).is_none() {
            operations.push(Operation::Add {
                path: format!("{path}/{}", pointer::escape(key)),
                value: value(&entry.value),
            });
        }
    }
}

fn sequence(
    old: &[Node],
    new: &[Node],
    schema: Option<FieldSchema<'_>>,
    path: &str,
    operations: &mut Vec<Operation>,
) {
    let pairs = align::pairs(old, new, schema);
    let elements = schema.and_then(FieldSchema::elements);
    // From the end, so that the places before stay what they are.
    let mut gone: Vec<usize> = pairs
        .iter()
        .filter(|p| p.new.is_none())
        .filter_map(|p| p.old)
        .collect();
    gone.sort_unstable();
    for index in gone.iter().rev() {
        operations.push(Operation::Remove {
            path: format!("{path}/{index}"),
        });
    }
    // What the list holds now, by places in the old one; then from the front.
    let mut current: Vec<Option<usize>> = (0..old.len())
        .filter(|i| gone.binary_search(i).is_err())
        .map(Some)
        .collect();
    let mut kept: Vec<_> = pairs.iter().filter(|p| p.new.is_some()).collect();
    kept.sort_by_key(|p| p.new);
    for pair in kept {
        let (Some(at), Some(item)) = (pair.new, pair.new.and_then(|i| new.get(i))) else {
            continue;
        };
        let here = format!("{path}/{at}");
        let Some(was) = pair.old else {
            current.insert(at.min(current.len()), None);
            operations.push(Operation::Add {
                path: here,
                value: value(item),
            });
            continue;
        };
        let place = current.iter().position(|i| *i == Some(was));
        if let Some(place) = place.filter(|place| *place != at) {
            let moved = current.remove(place);
            current.insert(at.min(current.len()), moved);
            operations.push(Operation::Move {
                from: format!("{path}/{place}"),
                path: here.clone(),
            });
        }
        if let Some(old) = old.get(was) {
            node(old, item, elements, &here, operations);
        }
    }
}
