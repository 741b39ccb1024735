//! Lists whose items are merged by their keys.
//!
//! Compat: `walk/associative_sequence.go` and `ElementSetter` of kyaml, step by
//! step: what they do to items without keys shows in the output. Items of the
//! patch come first.

use super::directive::{self, Directive};
use super::{Merged, Merger, Sides, scalar_text};
use crate::diag::{Error, Result};
use crate::kustomize::fields::{self, As, Kind};
use crate::schema::kustomize::FieldSchema;
use crate::yaml::Node;

/// The texts of an item's keys; empty where a key is missing.
type Values = Vec<String>;

/// Lists longer than this are not looked at in pairs to see whether they
/// change.
const MAX_PAIRED: usize = 64;

impl<'m> Merger<'m> {
    pub(super) fn walk_list(
        &mut self,
        sides: Sides,
        schema: Option<FieldSchema<'m>>,
    ) -> Result<Merged> {
        let (list, patch, in_place) = match sides {
            Sides::Neither => return Ok(Merged::Gone),
            Sides::Object(list) => (list, None, true),
            Sides::Both { object, mut patch } if !object.is_null() => {
                if patch.is_null() {
                    return Ok(Merged::Gone);
                }
                match directive::of_list(&mut patch)? {
                    Directive::Delete => return Ok(Merged::Gone),
                    Directive::Replace => (patch, None, false),
                    Directive::Merge => (object, Some(patch), true),
                }
            }
            Sides::Same(mut patch) => match directive::of_list(&mut patch)? {
                Directive::Delete => return Ok(Merged::Gone),
                Directive::Replace | Directive::Merge => (patch, None, false),
            },
            Sides::Patch(patch) | Sides::Both { patch, .. } => (patch, None, false),
        };
        let mut list = list;
        let (_, keys) = schema.map_or(("", Vec::new()), FieldSchema::patch_strategy_and_keys);
        let elements = schema.and_then(FieldSchema::elements);
        let items = match list.items_mut() {
            Some(items) => std::mem::take(items),
            None => return Ok(Merged::Gone),
        };
        let mut state = Lists {
            list: items,
            patch: patch.as_ref().map(|p| p.items().to_vec()),
            is_patch: !in_place,
        };
        if keys.is_empty() {
            let values = state.primitive_values();
            self.merge_items(&mut state, values, &[""], elements)?;
        } else {
            let values = state.values(&keys);
            self.merge_items(&mut state, values, &keys, elements)?;
        }
        if let Some(items) = list.items_mut() {
            *items = state.list;
        }
        Ok(if in_place {
            Merged::InPlace(list)
        } else {
            Merged::Other(list)
        })
    }

    fn merge_items(
        &mut self,
        state: &mut Lists,
        mut all: Vec<Values>,
        keys: &[&str],
        elements: Option<FieldSchema<'m>>,
    ) -> Result<()> {
        if keys.len() > 1 {
            join_matching(&mut all);
        }
        let mut added: Vec<Node> = Vec::new();
        let mut valid_keys: Vec<&str> = Vec::new();
        for values in &all {
            let (keys, values) = with_values(&all, values, keys);
            valid_keys.clone_from(&keys);
            let merged = self.walk_item(state, &keys, &values, elements)?;
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            let gone = match merged.node() {
                None => true,
                Some(node) => node.is_null() || (node.is_mapping() && node.entries().is_empty()),
            };
            if gone {
                for _ in &keys {
                    set_element(&mut state.list, None, &keys, &values)?;
                }
                continue;
            }
            let Some(mut item) = merged.node().cloned() else {
                continue;
            };
            for (key, value) in keys.iter().zip(&values) {
                if item.get(key).is_none() && !value.is_empty() {
                    let span = item.span();
                    fields::set_field(&mut item, key, *value, As::Written, span, self.links)?;
                }
            }
            // What the object has is changed where it is; so is a patch that
            // is merged with itself.
            if state.is_patch || matches!(merged, Merged::InPlace(_)) {
                state.put_back(&keys, &values, &item);
            }
            set_element(&mut added, Some(&item), &keys, &values)?;
        }
        if !all.is_empty() {
            let list = std::mem::take(&mut state.list);
            append_items(&mut added, list, &valid_keys)?;
            state.list = added;
        }
        Ok(())
    }

    fn walk_item(
        &mut self,
        state: &Lists,
        keys: &[&str],
        values: &[String],
        elements: Option<FieldSchema<'m>>,
    ) -> Result<Merged> {
        let (keys, values) = with_values(&[values.to_vec()], values, keys);
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let ours = find(&state.list, &keys, &values).map(|i| state.list[i].clone());
        let sides = match (&state.patch, ours) {
            (None, None) => Sides::Neither,
            (None, Some(item)) if state.is_patch => Sides::Same(item),
            (None, Some(item)) => Sides::Object(item),
            (Some(patch), ours) => {
                let theirs = find(patch, &keys, &values).map(|i| patch[i].clone());
                Sides::of(ours, theirs)
            }
        };
        self.walk(sides, elements)
    }

    /// Whether a walk over a list that is in the object alone changes nothing:
    /// every item has keys of its own.
    pub(super) fn is_list_settled(&self, items: &[Node], schema: FieldSchema<'m>) -> bool {
        let (_, keys) = schema.patch_strategy_and_keys();
        if items.is_empty() {
            return true;
        }
        if keys.is_empty() {
            let texts: Vec<&str> = items.iter().map(scalar_text).collect();
            return items.iter().all(|item| item.is_scalar() && !item.is_null())
                && are_distinct(&texts);
        }
        let elements = schema.elements();
        let is_settled = |item: &Node| {
            item.is_mapping() && !item.entries().is_empty() && self.is_settled(item, elements)
        };
        if !items.iter().all(is_settled) {
            return false;
        }
        let all: Vec<Values> = items.iter().map(|item| values_of(item, &keys)).collect();
        if let [_] = keys.as_slice() {
            let texts: Vec<&str> = all.iter().map(|v| v[0].as_str()).collect();
            return texts.iter().all(|t| !t.is_empty()) && are_distinct(&texts);
        }
        // Every item must have the same keys, and differ in one of them.
        let has = |values: &Values| values.iter().map(|v| !v.is_empty()).collect::<Vec<_>>();
        let first = has(&all[0]);
        items.len() <= MAX_PAIRED
            && first.contains(&true)
            && all.iter().all(|values| has(values) == first)
            && all
                .iter()
                .enumerate()
                .all(|(i, values)| !all[..i].contains(values))
    }
}

fn are_distinct(texts: &[&str]) -> bool {
    let mut seen = foldhash::HashSet::default();
    texts.iter().all(|text| seen.insert(*text))
}

/// The lists that are being merged.
struct Lists {
    list: Vec<Node>,
    patch: Option<Vec<Node>>,
    /// The list is the patch's own, merged with itself.
    is_patch: bool,
}

impl Lists {
    /// The keys of all items, those of the patch first, each once.
    fn values(&self, keys: &[&str]) -> Vec<Values> {
        let mut all: Vec<Values> = Vec::new();
        for item in self.patch.iter().flatten().chain(&self.list) {
            let values = values_of(item, keys);
            if !all.contains(&values) {
                all.push(values);
            }
        }
        all
    }

    /// The texts of all items, those of the patch first, each once.
    fn primitive_values(&self) -> Vec<Values> {
        let mut all: Vec<Values> = Vec::new();
        for item in self.patch.iter().flatten().chain(&self.list) {
            let values = vec![scalar_text(item).to_owned()];
            if !all.contains(&values) {
                all.push(values);
            }
        }
        all
    }

    /// Puts a changed item where it was.
    fn put_back(&mut self, keys: &[&str], values: &[&str], item: &Node) {
        let owned: Values = values.iter().map(|v| (*v).to_owned()).collect();
        let (keys, values) = with_values(std::slice::from_ref(&owned), &owned, keys);
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        if let Some(i) = find(&self.list, &keys, &values) {
            self.list[i] = item.clone();
        }
    }
}

fn values_of(item: &Node, keys: &[&str]) -> Values {
    let text = |key: &&str| {
        let field = item.get(key).filter(|field| !field.is_null_or_empty());
        field.map(scalar_text).unwrap_or_default().to_owned()
    };
    keys.iter().map(text).collect()
}

/// The first item with these keys.
fn find(items: &[Node], keys: &[&str], values: &[&str]) -> Option<usize> {
    if keys.first().is_none_or(|key| key.is_empty()) {
        let want = values.first().copied().unwrap_or_default();
        return items.iter().position(|item| scalar_text(item) == want);
    }
    items.iter().position(|item| {
        item.is_mapping()
            && keys.len() == values.len()
            && keys.iter().zip(values).all(|(key, value)| {
                item.get(key)
                    .is_some_and(|field| scalar_text(field) == *value)
            })
    })
}

/// Joins the keys of items that agree as far as they have them.
///
/// Compat: `mergeValues`.
fn join_matching(all: &mut [Values]) {
    for i in 0..all.len() {
        for j in 0..all.len() {
            if let Some(joined) = joined(&all[i], &all[j]) {
                all[i].clone_from(&joined);
                all[j] = joined;
            }
        }
    }
}

fn joined(a: &Values, b: &Values) -> Option<Values> {
    let mut has_common = false;
    let mut out = Values::with_capacity(a.len());
    for (x, y) in a.iter().zip(b) {
        if x == y {
            has_common = true;
            out.push(x.clone());
        } else if !x.is_empty() && !y.is_empty() {
            return None;
        } else {
            out.push(if x.is_empty() { y } else { x }.clone());
        }
    }
    has_common.then_some(out)
}

/// The keys that any item has, and the values for them.
///
/// Compat: `validateKeys`.
fn with_values<'k>(all: &[Values], values: &[String], keys: &[&'k str]) -> (Vec<&'k str>, Values) {
    let is_valid = |i: usize| all.iter().any(|v| v.get(i).is_some_and(|v| !v.is_empty()));
    if !(0..keys.len()).any(is_valid) {
        return (keys.to_vec(), values.to_vec());
    }
    let valid_keys = keys.iter().enumerate().filter(|(i, _)| is_valid(*i));
    let valid_values = values
        .iter()
        .enumerate()
        .filter(|(i, value)| !value.is_empty() || is_valid(*i));
    (
        valid_keys.map(|(_, key)| *key).collect(),
        valid_values.map(|(_, value)| value.clone()).collect(),
    )
}

/// Puts an item in place of those with the same keys, or at the end; without
/// an item, takes those out.
///
/// Compat: `ElementSetter`; null items and empty mappings go on the way.
pub(super) fn set_element(
    list: &mut Vec<Node>,
    element: Option<&Node>,
    keys: &[&str],
    values: &[&str],
) -> Result<()> {
    let set_by_key = keys.first().is_some_and(|key| !key.is_empty())
        && values.first().is_some_and(|value| !value.is_empty());
    let mut kept = Vec::with_capacity(list.len() + 1);
    let mut is_found = false;
    for item in list.drain(..) {
        if item.is_null() || (item.is_mapping() && item.entries().is_empty()) {
            continue;
        }
        if !item.is_mapping() && set_by_key {
            kept.push(item);
            continue;
        }
        if !has_values(&item, keys, values)? {
            if !values.is_empty() {
                kept.push(item);
            }
            continue;
        }
        is_found = true;
        kept.extend(element.cloned());
    }
    *list = kept;
    if let Some(element) = element.filter(|e| !e.is_null() && !is_found) {
        list.push(element.clone());
    }
    Ok(())
}

fn has_values(item: &Node, keys: &[&str], values: &[&str]) -> Result<bool> {
    let mut has_any = false;
    for (i, key) in keys.iter().enumerate() {
        if let Some(value) = values.get(i) {
            if !has_value(item, key, value)? {
                return Ok(false);
            }
            has_any = true;
        } else if !has_any {
            return Ok(false);
        }
    }
    Ok(has_any)
}

fn has_value(item: &Node, key: &str, value: &str) -> Result<bool> {
    if key.is_empty() {
        if Kind::of(item) != Kind::Scalar {
            return Err(no_key(item));
        }
        return Ok(scalar_text(item) == value);
    }
    fields::expect(item, Kind::Mapping).map_err(|_| no_key(item))?;
    Ok(item
        .get(key)
        .is_some_and(|field| value.is_empty() || scalar_text(field) == value))
}

fn no_key(item: &Node) -> Error {
    Error::new(
        "kustomize/wrong-kind",
        format!(
            "the items of this list are merged by a key, and {} has none",
            item.describe()
        ),
    )
    .at(item.span())
    .help("give every item the key, or replace the list with an item `$patch: replace`")
}

/// Adds the items of the object's list behind those that were merged.
///
/// Compat: `appendListNode`; an item without keys takes the place of all.
fn append_items(list: &mut Vec<Node>, items: Vec<Node>, keys: &[&str]) -> Result<()> {
    for item in items {
        if keys.first().is_none_or(|key| key.is_empty()) {
            let text = scalar_text(&item).to_owned();
            set_element(list, Some(&item), &[""], &[&text])?;
            continue;
        }
        let mut values: Vec<String> = Vec::new();
        for key in keys {
            fields::expect(&item, Kind::Mapping).map_err(|_| no_key(&item))?;
            match item.get(key) {
                Some(field) => values.push(scalar_text(field).to_owned()),
                None => list.push(item.clone()),
            }
        }
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        if keys.len() > 1 {
            set_element(list, None, keys, &values)?;
        }
        set_element(list, Some(&item), keys, &values)?;
    }
    Ok(())
}
