//! Placeholders for values that must not be shown.
//!
//! Secret are the values in a Secret and every scalar that was made from a
//! decrypted one. Two values of one comparison have the same placeholder when
//! they are the same: that a value changed is seen, and nothing else of it.

use crate::resource::ResId;
use crate::yaml::{Node, Style};

/// The placeholders of one comparison.
#[derive(Debug, Default)]
pub(super) struct Placeholders {
    values: Vec<String>,
}

impl Placeholders {
    /// An object with placeholders for its secret values.
    pub(super) fn object(&mut self, object: &Node) -> Node {
        let id = ResId::of(object);
        let is_secret = &*id.gvk.kind == "Secret" && id.gvk.group.is_empty();
        let mut masked = object.clone();
        if is_secret {
            for key in ["data", "stringData"] {
                if let Some(node) = masked.get_mut(key) {
                    self.hide(node, true);
                }
            }
        }
        self.hide(&mut masked, false);
        masked
    }

    /// Hides the secret scalars of a node, or all of them.
    fn hide(&mut self, node: &mut Node, all: bool) {
        if !all && !holds_secret(node) {
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
        // What is a placeholder already has no other.
        if text.starts_with("‹secret ") {
            return;
        }
        let known = self.values.iter().position(|v| v == text);
        let number = known.unwrap_or_else(|| {
            self.values.push(text.to_owned());
            self.values.len() - 1
        });
        *node =
            Node::string(format!("‹secret {}›", number + 1), node.span()).with_style(Style::Plain);
    }
}

fn holds_secret(node: &Node) -> bool {
    let mut found = false;
    node.walk(&mut |n| found |= n.is_secret());
    found
}
