//! Metadata in one level: `age__list_0__map_enc` is the value at
//! `age[0].enc`.

use std::collections::BTreeMap;

use crate::sops::tree::{Item, Key, Value};

/// The most items of a list that are taken: files have a handful of keys.
const MAX_INDEX: usize = 10_000;

/// What a path leads to, while it is put together.
#[derive(Default)]
struct Node {
    value: Option<Value>,
    keys: BTreeMap<String, Node>,
    items: BTreeMap<usize, Node>,
}

enum Step {
    Key(String),
    Index(usize),
}

/// Puts flat items together again.
///
/// # Errors
///
/// What contradicts itself, or leaves out an item of a list.
pub(in crate::sops) fn unflatten(items: Vec<Item>) -> Result<Vec<Item>, String> {
    let mut root = Node::default();
    for item in items {
        let Key::Text(path) = item.key else { continue };
        let mut node = &mut root;
        for step in steps(&path) {
            node = match step {
                Step::Key(key) => node.keys.entry(key).or_default(),
                Step::Index(index) if index > MAX_INDEX => {
                    return Err(format!("`{path}` is too far in a list"));
                }
                Step::Index(index) => node.items.entry(index).or_default(),
            };
        }
        if node.value.replace(item.value).is_some() {
            return Err(format!("`{path}` stands twice"));
        }
    }
    match convert(root)? {
        Value::Map(items) => Ok(items),
        _ => Ok(Vec::new()),
    }
}

fn steps(path: &str) -> Vec<Step> {
    const MAP: &str = "__map_";
    const LIST: &str = "__list_";
    let mut steps = Vec::new();
    let mut rest = path;
    let mut is_index = false;
    loop {
        let next = [MAP, LIST]
            .into_iter()
            .filter_map(|mark| rest.find(mark).map(|at| (at, mark)))
            .min();
        let (name, after, mark) = match next {
            Some((at, mark)) => (
                rest.get(..at).unwrap_or_default(),
                rest.get(at + mark.len()..).unwrap_or_default(),
                mark,
            ),
            None => (rest, "", ""),
        };
        steps.push(if is_index {
            // Compat: what is no number counts as 0.
            Step::Index(name.parse().unwrap_or(0))
        } else {
            Step::Key(name.to_owned())
        });
        if mark.is_empty() {
            return steps;
        }
        is_index = mark == LIST;
        rest = after;
    }
}

fn convert(node: Node) -> Result<Value, String> {
    let kinds = [
        node.value.is_some(),
        !node.keys.is_empty(),
        !node.items.is_empty(),
    ];
    if kinds.iter().filter(|k| **k).count() > 1 {
        return Err("a key stands for a value and for more than one".to_owned());
    }
    if let Some(value) = node.value {
        return Ok(value);
    }
    if node.items.is_empty() {
        let mut items = Vec::new();
        for (key, node) in node.keys {
            items.push(Item::new(key, convert(node)?));
        }
        return Ok(Value::Map(items));
    }
    let mut values = Vec::new();
    for (i, (index, node)) in node.items.into_iter().enumerate() {
        if index != i {
            return Err(format!("item {i} of a list is missing"));
        }
        values.push(convert(node)?);
    }
    Ok(Value::List(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Value {
        Value::Text(value.as_bytes().to_vec())
    }

    fn flat(keys: &[&str]) -> Vec<Item> {
        keys.iter().map(|k| Item::new(*k, text(k))).collect()
    }

    #[test]
    fn paths_become_trees() {
        let items = unflatten(flat(&[
            "age__list_0__map_enc",
            "age__list_0__map_recipient",
            "mac",
        ]));
        assert_eq!(
            items.unwrap(),
            [
                Item::new(
                    "age",
                    Value::List(vec![Value::Map(vec![
                        Item::new("enc", text("age__list_0__map_enc")),
                        Item::new("recipient", text("age__list_0__map_recipient")),
                    ])])
                ),
                Item::new("mac", text("mac")),
            ]
        );
    }

    #[test]
    fn contradictions() {
        for keys in [
            &["a", "a"][..],
            &["a", "a__map_b"],
            &["a__list_0", "a__map_b"],
            &["a__list_1"],
            &["a__list_99999999999"],
            &["a__list_20000"],
        ] {
            // A number too large for a list counts as 0, as for sops.
            let expected = keys == ["a__list_99999999999"] && usize::BITS == 32;
            assert_eq!(unflatten(flat(keys)).is_ok(), expected, "{keys:?}");
        }
    }
}
