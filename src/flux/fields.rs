//! Typed reading of an object's fields, with errors that name field and place.

use std::sync::Arc;

use crate::diag::{Error, Result};
use crate::yaml::Node;

/// A part of an object and the way to it, `spec.postBuild`.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    node: &'a Node,
    path: String,
}

impl<'a> Fields<'a> {
    /// The object itself.
    pub(super) fn of(node: &'a Node) -> Fields<'a> {
        Fields {
            node,
            path: String::new(),
        }
    }

    /// The node.
    pub(super) fn node(&self) -> &'a Node {
        self.node
    }

    /// The way to a field, for messages.
    pub(super) fn path_of(&self, field: &str) -> String {
        if self.path.is_empty() {
            field.to_owned()
        } else {
            format!("{}.{field}", self.path)
        }
    }

    /// A field that is there and no null.
    pub(super) fn get(&self, field: &str) -> Option<&'a Node> {
        self.node
            .get(field)
            .map(Node::target)
            .filter(|n| !n.is_null())
    }

    fn wrong(&self, field: &str, node: &Node, wanted: &str) -> Error {
        Error::new(
            "schema/invalid",
            format!(
                "`{}` must be {wanted}, not {}",
                self.path_of(field),
                node.describe()
            ),
        )
        .at(node.span())
    }

    /// A field that is missing.
    pub(super) fn missing(&self, field: &str) -> Error {
        Error::new(
            "schema/invalid",
            format!("`{}` is missing", self.path_of(field)),
        )
        .at(self.node.span())
        .help(format!("add `{}`", self.path_of(field)))
    }

    /// A string, as a node.
    pub(super) fn string(&self, field: &str) -> Result<Option<&'a Node>> {
        match self.get(field) {
            Some(node) if node.as_str().is_none() => Err(self
                .wrong(field, node, "a string")
                .help("put the value in quotes")),
            node => Ok(node),
        }
    }

    /// The text of a string; empty where it is missing.
    pub(super) fn text(&self, field: &str) -> Result<Arc<str>> {
        let node = self.string(field)?;
        Ok(node
            .and_then(Node::shared_text)
            .cloned()
            .unwrap_or_default())
    }

    /// The text of a string that must be there.
    pub(super) fn required(&self, field: &str) -> Result<Arc<str>> {
        let text = self.text(field)?;
        if text.is_empty() {
            return Err(self.missing(field));
        }
        Ok(text)
    }

    /// A boolean; false where it is missing.
    pub(super) fn bool(&self, field: &str) -> Result<bool> {
        match self.get(field) {
            None => Ok(false),
            Some(node) => node
                .as_bool()
                .ok_or_else(|| self.wrong(field, node, "true or false")),
        }
    }

    /// The items of a list; empty where it is missing.
    pub(super) fn list(&self, field: &str) -> Result<&'a [Node]> {
        match self.get(field) {
            None => Ok(&[]),
            Some(node) if node.is_sequence() => Ok(node.items()),
            Some(node) => Err(self.wrong(field, node, "a list")),
        }
    }

    /// The items of a list of mappings.
    pub(super) fn mappings(&self, field: &str) -> Result<Vec<Fields<'a>>> {
        let items = self.list(field)?.iter().enumerate();
        items
            .map(|(i, node)| {
                let node = node.target();
                if !node.is_mapping() {
                    return Err(self.wrong(&format!("{field}[{i}]"), node, "a mapping"));
                }
                Ok(Fields {
                    node,
                    path: format!("{}[{i}]", self.path_of(field)),
                })
            })
            .collect()
    }

    /// The items of a list of strings.
    pub(super) fn strings(&self, field: &str) -> Result<Vec<&'a Node>> {
        let items = self.list(field)?.iter().enumerate();
        items
            .map(|(i, node)| match node.as_str() {
                Some(_) => Ok(node),
                None => Err(self
                    .wrong(&format!("{field}[{i}]"), node, "a string")
                    .help("put the value in quotes")),
            })
            .collect()
    }

    /// A mapping below; none where it is missing.
    pub(super) fn mapping(&self, field: &str) -> Result<Option<Fields<'a>>> {
        match self.get(field) {
            None => Ok(None),
            Some(node) if node.is_mapping() => Ok(Some(Fields {
                node,
                path: self.path_of(field),
            })),
            Some(node) => Err(self.wrong(field, node, "a mapping")),
        }
    }

    /// A mapping of strings to strings, in the order written.
    pub(super) fn string_map(&self, field: &str) -> Result<Vec<(Arc<str>, Node)>> {
        let Some(map) = self.mapping(field)? else {
            return Ok(Vec::new());
        };
        map.node
            .entries()
            .iter()
            .map(|entry| {
                let Some(key) = entry.key.shared_text() else {
                    return Err(self.wrong(field, &entry.key, "a mapping of strings"));
                };
                let value = entry.value.target();
                if value.as_str().is_none() {
                    return Err(map
                        .wrong(key, value, "a string")
                        .help("put the value in quotes"));
                }
                Ok((key.clone(), value.clone()))
            })
            .collect()
    }
}
