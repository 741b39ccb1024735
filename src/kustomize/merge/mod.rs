//! Strategic merge patches.
//!
//! In: an object, a patch, and schemas that say how lists are merged. Out: the
//! patched object, or that nothing is left of it.
//!
//! Compat: packages `merge2` and `walk` of kyaml. Those walk over object and
//! patch at once and change the object in place; so does this. What is not in
//! the patch is walked over too, and changes where that walk changes it: a
//! field that is empty goes, items of one key become one.

mod directive;
mod list;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::fields::{self, As, Kind};
use super::links::Links;
use crate::diag::{Error, Result};
use crate::schema::kustomize::{FieldSchema, OpenApi};
use crate::yaml::Node;
use directive::Directive;

/// What a merge leaves.
#[derive(Debug)]
enum Merged {
    /// Nothing: the field or item goes.
    Gone,
    /// What was there, changed.
    InPlace(Node),
    /// The patch's own node, in place of what was there.
    Other(Node),
    /// A null that was written out, which stays.
    Null(Node),
}

impl Merged {
    fn node(&self) -> Option<&Node> {
        match self {
            Merged::Gone => None,
            Merged::InPlace(node) | Merged::Other(node) | Merged::Null(node) => Some(node),
        }
    }
}

/// What is merged: the two sides of one place.
#[derive(Clone, Debug)]
enum Sides {
    /// In the object alone.
    Object(Node),
    /// In the patch alone.
    Patch(Node),
    /// In both.
    Both { object: Node, patch: Node },
    /// The patch's own node, merged with itself: directives in it are carried
    /// out, and nulls go.
    Same(Node),
    /// In neither.
    Neither,
}

impl Sides {
    fn of(object: Option<Node>, patch: Option<Node>) -> Sides {
        match (object, patch) {
            (Some(object), Some(patch)) => Sides::Both { object, patch },
            (Some(object), None) => Sides::Object(object),
            (None, Some(patch)) => Sides::Patch(patch),
            (None, None) => Sides::Neither,
        }
    }

    /// The sides that hold more than null, the object first.
    fn known(&self) -> impl Iterator<Item = &Node> {
        let (first, second) = match self {
            Sides::Object(node) | Sides::Patch(node) | Sides::Same(node) => (Some(node), None),
            Sides::Both { object, patch } => (Some(object), Some(patch)),
            Sides::Neither => (None, None),
        };
        first.into_iter().chain(second).filter(|n| !n.is_null())
    }
}

/// Merges a patch into an object.
///
/// # Errors
///
/// `kustomize/wrong-kind` where object and patch differ in kind,
/// `kustomize/patch` for an unknown directive.
pub(super) fn merge(
    object: &mut Node,
    patch: &Node,
    api: &OpenApi,
    links: &mut Links,
) -> Result<Outcome> {
    let mut merger = Merger { api, links };
    // Compat: a patch that replaces the whole object is made, and lost.
    let before = patch.get(directive::KEY).map(|_| object.clone());
    let sides = Sides::Both {
        object: std::mem::replace(object, Node::null(patch.span())),
        patch: patch.clone(),
    };
    match merger.walk(sides, None)? {
        Merged::Gone => return Ok(Outcome::Deleted),
        Merged::InPlace(node) => *object = node,
        Merged::Other(node) | Merged::Null(node) => *object = before.unwrap_or(node),
    }
    Ok(Outcome::Merged)
}

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Merged,
    Deleted,
}

struct Merger<'m> {
    api: &'m OpenApi,
    links: &'m mut Links,
}

impl<'m> Merger<'m> {
    fn walk(&mut self, sides: Sides, schema: Option<FieldSchema<'m>>) -> Result<Merged> {
        let schema = schema.or_else(|| self.schema_of(&sides));
        let Some(kind) = sides.known().next().map(Kind::of) else {
            return self.walk_mapping(sides, schema);
        };
        check_kinds(&sides, kind)?;
        match kind {
            Kind::Mapping => self.walk_mapping(sides, schema),
            Kind::Sequence if schema.is_some_and(FieldSchema::is_associative) => {
                self.walk_list(sides, schema)
            }
            Kind::Sequence | Kind::Scalar => Ok(match sides {
                Sides::Object(mut node) => {
                    fields::quote_ambiguous(&mut node);
                    Merged::InPlace(node)
                }
                Sides::Same(mut node) => {
                    fields::quote_ambiguous(&mut node);
                    Merged::Other(node)
                }
                Sides::Patch(node) => Merged::Other(node),
                Sides::Both { patch, .. } => Merged::Other(patch),
                Sides::Neither => Merged::Gone,
            }),
        }
    }

    /// The schema of an object that is met, at any depth.
    fn schema_of(&self, sides: &Sides) -> Option<FieldSchema<'m>> {
        sides.known().find_map(|node| {
            let text = |name| node.get(name).and_then(Node::text).unwrap_or_default();
            let (api_version, kind) = (text("apiVersion"), text("kind"));
            if api_version.is_empty() || kind.is_empty() {
                return None;
            }
            self.api.kind(api_version, kind)
        })
    }

    fn walk_mapping(&mut self, sides: Sides, schema: Option<FieldSchema<'m>>) -> Result<Merged> {
        match sides {
            Sides::Neither => Ok(Merged::Gone),
            Sides::Object(node) if node.is_null() => Ok(match node.text() {
                // Compat: a null that was written out stays, `key:` alone does
                // not.
                Some(text) if !text.is_empty() => Merged::Null(node),
                _ => Merged::Gone,
            }),
            Sides::Object(node) => {
                if self.is_settled(&node, schema) {
                    return Ok(Merged::InPlace(node));
                }
                self.merge_fields(node, None, schema).map(Merged::InPlace)
            }
            Sides::Both { object, patch } if !object.is_null() => {
                self.merge_mappings(object, patch, schema)
            }
            Sides::Patch(patch) | Sides::Both { patch, .. } => self.add(patch, schema),
            Sides::Same(patch) if patch.is_null() => self.add(patch, schema),
            Sides::Same(mut patch) => match directive::of_mapping(&mut patch)? {
                Directive::Delete => Ok(Merged::Gone),
                Directive::Replace | Directive::Merge => {
                    self.merge_with_itself(patch, schema).map(Merged::Other)
                }
            },
        }
    }

    /// What is in the patch and not in the object.
    fn add(&mut self, mut patch: Node, schema: Option<FieldSchema<'m>>) -> Result<Merged> {
        // Compat: an unknown directive is passed over here.
        if let Ok(Directive::Delete) = directive::of_mapping(&mut patch) {
            return Ok(Merged::Gone);
        }
        if patch.is_null() {
            return Ok(Merged::Other(patch));
        }
        self.merge_with_itself(patch, schema).map(Merged::Other)
    }

    fn merge_mappings(
        &mut self,
        object: Node,
        mut patch: Node,
        schema: Option<FieldSchema<'m>>,
    ) -> Result<Merged> {
        if patch.is_null() {
            return Ok(Merged::Gone);
        }
        match directive::of_mapping(&mut patch)? {
            Directive::Delete => Ok(Merged::Gone),
            Directive::Replace => self.merge_with_itself(patch, schema).map(Merged::Other),
            Directive::Merge => self
                .merge_fields(object, Some(&patch), schema)
                .map(Merged::InPlace),
        }
    }

    fn merge_with_itself(
        &mut self,
        mut node: Node,
        schema: Option<FieldSchema<'m>>,
    ) -> Result<Node> {
        for name in field_names(&[&node]) {
            let Some(value) = node.get(&name).cloned() else {
                continue;
            };
            fields::check_name(&name, value.span())?;
            let field = schema.and_then(|schema| schema.field(&name));
            match self.walk(Sides::Same(value), field)? {
                Merged::Gone => drop(fields::clear(&mut node, &name)?),
                merged => {
                    if let Some(value) = merged.node() {
                        self.set(&mut node, &name, value.clone(), None)?;
                    }
                }
            }
        }
        Ok(node)
    }

    /// Merges the fields of a patch into a mapping, and walks over the others.
    fn merge_fields(
        &mut self,
        mut object: Node,
        patch: Option<&Node>,
        schema: Option<FieldSchema<'m>>,
    ) -> Result<Node> {
        let sides: Vec<&Node> = std::iter::once(&object).chain(patch).collect();
        for name in field_names(&sides) {
            let ours = object.get(&name);
            let theirs = patch.and_then(|patch| patch.entry(&name));
            let place = ours
                .or(theirs.map(|e| &e.value))
                .map_or(object.span(), Node::span);
            fields::check_name(&name, place)?;
            let field = schema.and_then(|schema| schema.field(&name));
            if theirs.is_none() && ours.is_some_and(|ours| self.is_settled(ours, field)) {
                continue;
            }
            let theirs_value = theirs.map(|e| e.value.clone());
            // Collections are taken out, so that changing them copies nothing;
            // scalars stay, since they may be tied to others.
            let ours = match object.get_mut(&name) {
                Some(slot) if !slot.is_scalar() => {
                    let style = slot.style();
                    let empty = Node::sequence(Vec::new(), slot.span()).with_style(style);
                    Some(std::mem::replace(slot, empty))
                }
                slot => slot.map(|slot| slot.clone()),
            };
            match self.walk(Sides::of(ours, theirs_value), field)? {
                Merged::Gone => drop(fields::clear(&mut object, &name)?),
                Merged::Null(_) => {}
                Merged::InPlace(value) => {
                    if let Some(slot) = object.get_mut(&name) {
                        *slot = value;
                    }
                }
                Merged::Other(value) => {
                    self.set(&mut object, &name, value, theirs.map(|e| &e.key))?;
                }
            }
        }
        Ok(object)
    }

    /// Sets a field that is there, or adds it under the key that the patch has.
    fn set(&mut self, node: &mut Node, name: &str, value: Node, key: Option<&Node>) -> Result<()> {
        let is_new = node.get(name).is_none();
        fields::set_node(node, name, value, As::String, self.links)?;
        let (true, Some(key)) = (is_new, key) else {
            return Ok(());
        };
        let mut key = key.clone();
        key.set_tag(if fields::is_quoted(key.style()) {
            crate::yaml::Tag::Str
        } else {
            fields::plain_tag(name)
        });
        let entries = node.entries_mut().into_iter().flatten();
        if let Some(entry) = entries.last().filter(|e| e.key.text() == Some(name)) {
            entry.key = key;
        }
        Ok(())
    }

    /// Whether a walk over what is in the object alone changes nothing.
    fn is_settled(&self, node: &Node, schema: Option<FieldSchema<'m>>) -> bool {
        let schema = || schema.or_else(|| self.schema_of(&Sides::Object(node.clone())));
        if node.is_scalar() {
            return !node.is_null() && !fields::is_ambiguous(node);
        }
        if node.is_mapping() {
            let schema = schema();
            return node.entries().iter().all(|entry| {
                let name = entry.key.text().unwrap_or_default();
                !name.is_empty()
                    && self.is_settled(&entry.value, schema.and_then(|s| s.field(name)))
            });
        }
        match schema() {
            Some(schema) if schema.is_associative() => self.is_list_settled(node.items(), schema),
            _ => true,
        }
    }
}

fn check_kinds(sides: &Sides, kind: Kind) -> Result<()> {
    let Some(other) = sides.known().find(|node| Kind::of(node) != kind) else {
        return Ok(());
    };
    let object = sides.known().next().map_or("", Node::describe);
    Err(Error::new(
        "kustomize/wrong-kind",
        format!(
            "the patch has {} where the object has {object}",
            other.describe()
        ),
    )
    .at(other.span())
    .help("patch it with a value of the same kind, or replace it with `$patch: replace`"))
}

/// The names of all fields, each once, in the order of their bytes.
fn field_names(nodes: &[&Node]) -> BTreeSet<Arc<str>> {
    nodes
        .iter()
        .flat_map(|node| node.entries())
        .map(|entry| entry.key.shared_text().cloned().unwrap_or_default())
        .collect()
}

/// The text of a scalar without a style of its own.
fn scalar_text(node: &Node) -> &str {
    node.text().unwrap_or_default()
}

#[cfg(test)]
mod tests;
