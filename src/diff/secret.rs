//! Placeholders for values that must not be shown.
//!
//! Secret are the values in a Secret, also where kubectl noted them down in it, and
//! every scalar that was made from a decrypted one. Two values of one comparison have the same placeholder when
//! they are the same: that a value changed is seen, and nothing else of it.

use super::fields::Change;
use crate::resource::{Gvk, ResId};
use crate::yaml::secret::has_secret;
use crate::yaml::{Node, Style};

/// Where a Secret holds values.
const PLACES: &[&[&str]] = &[
    &["data"],
    &["stringData"],
    // The whole object, as `kubectl apply` was given it.
    &[
        "metadata",
        "annotations",
        "kubectl.kubernetes.io/last-applied-configuration",
    ],
];

/// Marks what must not be shown of a change, for whoever speaks of it.
pub(super) fn mark(change: &mut Change, gvk: &Gvk) {
    if !is_secret(gvk) || !PLACES.iter().any(|place| change.path.starts_with(place)) {
        return;
    }
    for node in [&mut change.old, &mut change.new].into_iter().flatten() {
        node.mark_secret();
    }
}

fn is_secret(gvk: &Gvk) -> bool {
    &*gvk.kind == "Secret" && gvk.group.is_empty()
}

/// The placeholders of one comparison.
#[derive(Debug, Default)]
pub(super) struct Placeholders {
    values: Vec<String>,
}

impl Placeholders {
    /// An object with placeholders for its secret values.
    pub(super) fn object(&mut self, object: &Node) -> Node {
        let mut masked = object.clone();
        if is_secret(&ResId::of(object).gvk) {
            for place in PLACES {
                let node = place
                    .iter()
                    .try_fold(&mut masked, |node, key| node.get_mut(key));
                if let Some(node) = node {
                    self.hide(node, true);
                }
            }
        }
        self.hide(&mut masked, false);
        masked
    }

    /// Hides the secret scalars of a node, or all of them.
    fn hide(&mut self, node: &mut Node, all: bool) {
        if !all && !has_secret(node) {
            return;
        }
        if node.is_scalar() {
            if all || node.is_secret() {
                self.hide_scalar(node);
            }
        } else if node.is_sequence() {
            for item in node.items_mut().into_iter().flatten() {
                self.hide(item, all);
            }
        } else {
            for entry in node.entries_mut().into_iter().flatten() {
                self.hide(&mut entry.value, all);
            }
        }
    }

    fn hide_scalar(&mut self, node: &mut Node) {
        let text = node.text().unwrap_or_default();
        let known = self.values.iter().position(|v| v == text);
        let number = known.unwrap_or_else(|| {
            self.values.push(text.to_owned());
            self.values.len() - 1
        });
        *node =
            Node::string(format!("‹secret {}›", number + 1), node.span()).with_style(Style::Plain);
    }
}
