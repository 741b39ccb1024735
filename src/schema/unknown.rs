//! Fields that a schema does not have.
//!
//! In: an object. Out: what stands in it that the API server would drop.

use super::Schema;
use super::evaluate::{help_for_unknown, resolve};
use super::pack::flag;
use crate::diag::Span;
use crate::yaml::Node;

/// A field that is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownField {
    /// Its name.
    pub name: String,
    /// A JSON pointer to it.
    pub path: String,
    /// Where its key stands.
    pub span: Span,
    /// What to do: the nearest known name, where one is near.
    pub help: String,
}

/// The fields of an object that its schema closes out. Lists and mappings are
/// gone into, whatever else is wrong with them.
pub(super) fn fields(schema: Schema<'_>, object: &Node) -> Vec<UnknownField> {
    let mut walk = Walk {
        path: String::new(),
        found: Vec::new(),
    };
    walk.value(schema, object);
    walk.found
}

struct Walk {
    path: String,
    found: Vec<UnknownField>,
}

impl Walk {
    fn value(&mut self, schema: Schema<'_>, node: &Node) {
        // A schema that goes in a circle says nothing.
        let Some(schema) = resolve(schema) else {
            return;
        };
        let is_root = self.path.is_empty();
        for entry in node.entries() {
            let Some(name) = entry.key.text() else {
                continue;
            };
            if is_root && matches!(name, "apiVersion" | "kind" | "metadata") {
                continue;
            }
            let known = schema.property(name).or(schema.additional());
            self.below(&crate::diag::pointer::escape(name), |walk| {
                if let Some(known) = known {
                    walk.value(known, &entry.value);
                } else if schema.has(flag::CLOSED) {
                    walk.found.push(UnknownField {
                        name: name.to_owned(),
                        path: walk.path.clone(),
                        span: entry.key.span(),
                        help: help_for_unknown(schema, name),
                    });
                }
            });
        }
        if let Some(items) = schema.items() {
            for (i, item) in node.items().iter().enumerate() {
                self.below(&i.to_string(), |walk| walk.value(items, item));
            }
        }
    }

    fn below(&mut self, part: &str, walk: impl FnOnce(&mut Walk)) {
        let length = self.path.len();
        self.path.push('/');
        self.path.push_str(part);
        walk(self);
        self.path.truncate(length);
    }
}
