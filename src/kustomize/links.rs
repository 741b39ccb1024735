//! Scalars that change together.
//!
//! Compat: `filtersutil.SetEntry` hands one and the same node to every place of
//! an object that gets a label, and every later change of one of them is made
//! in that node. So a patch or a replacement that changes a label below
//! `metadata` changes it in selectors and templates too, if an earlier layer
//! put it there. Here such places are known by the text that they share: one
//! allocation, which no other scalar of the object has.

use std::sync::Arc;

use crate::yaml::{Data, Node};

/// The groups of scalars in an object that change together.
#[derive(Clone, Debug, Default)]
pub(super) struct Links {
    groups: Vec<Arc<str>>,
    /// What has been written over members of groups and not yet brought to
    /// the others: the group, and what to put there.
    changed: Vec<(usize, Node)>,
}

impl Links {
    /// Notes that all scalars which share this text change together.
    pub(super) fn tie(&mut self, text: Arc<str>) {
        self.groups.push(text);
    }

    /// Whether there are no groups.
    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Forgets all groups: for objects that were made anew.
    pub(super) fn clear(&mut self) {
        self.groups.clear();
        self.changed.clear();
    }

    /// Writes a scalar over another in place.
    pub(super) fn overwrite(&mut self, slot: &mut Node, mut value: Node) {
        if let Some(group) = self.group_of(slot) {
            value = unshared(&value);
            self.changed.push((group, value.clone()));
        }
        *slot = value;
    }

    fn group_of(&self, node: &Node) -> Option<usize> {
        let text = node.shared_text()?;
        let of_group = self.groups.iter().position(|g| Arc::ptr_eq(g, text));
        of_group.or_else(|| {
            let changed = self.changed.iter().find(|(_, value)| {
                value
                    .shared_text()
                    .is_some_and(|changed| Arc::ptr_eq(changed, text))
            });
            changed.map(|(group, _)| *group)
        })
    }

    /// Brings what was changed to all members of its group.
    pub(super) fn settle(&mut self, object: &mut Node) {
        for group in 0..self.groups.len() {
            let Some((_, last)) = self.changed.iter().rfind(|(g, _)| *g == group) else {
                continue;
            };
            let value = unshared(last);
            replace_members(object, &value, &|node| self.group_of(node) == Some(group));
            if let Some(text) = value.shared_text() {
                self.groups[group] = text.clone();
            }
        }
        self.changed.clear();
    }
}

/// A copy whose text is an allocation of its own.
pub(super) fn unshared(node: &Node) -> Node {
    let mut copy = node.clone();
    if let Some(text) = node.text() {
        copy.set_text(text);
    }
    copy
}

/// Puts `value` in place of every member; what has none stays shared.
fn replace_members(node: &mut Node, value: &Node, is_member: &impl Fn(&Node) -> bool) {
    if !holds_member(node, is_member) {
        return;
    }
    match node.data() {
        Data::Scalar(_) => *node = value.clone(),
        Data::Sequence(_) => {
            for item in node.items_mut().into_iter().flatten() {
                replace_members(item, value, is_member);
            }
        }
        Data::Mapping(_) => {
            for entry in node.entries_mut().into_iter().flatten() {
                replace_members(&mut entry.value, value, is_member);
            }
        }
        Data::Alias(_) => {}
    }
}

fn holds_member(node: &Node, is_member: &impl Fn(&Node) -> bool) -> bool {
    match node.data() {
        Data::Scalar(_) => is_member(node),
        Data::Sequence(items) => items.iter().any(|item| holds_member(item, is_member)),
        Data::Mapping(entries) => entries.iter().any(|e| holds_member(&e.value, is_member)),
        Data::Alias(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Span;

    fn object(text: &Arc<str>) -> Node {
        let mut node = Node::mapping(Vec::new(), Span::NONE);
        node.set("a", Node::string(text.clone(), Span::NONE));
        node.set("b", Node::string(text.clone(), Span::NONE));
        node.set("c", Node::string("x", Span::NONE));
        node
    }

    #[test]
    fn members_follow_the_last_change() {
        let text: Arc<str> = "x".into();
        let mut node = object(&text);
        let mut links = Links::default();
        links.tie(text);
        for (key, value) in [("a", "y"), ("b", "z")] {
            let slot = node.get_mut(key).unwrap();
            links.overwrite(slot, Node::string(value, Span::NONE));
        }
        links.settle(&mut node);
        assert_eq!(node.str_at("a"), Some("z"));
        assert_eq!(node.str_at("b"), Some("z"));
        assert_eq!(node.str_at("c"), Some("x"));

        // The group is one after the change, too.
        links.overwrite(node.get_mut("b").unwrap(), Node::string("w", Span::NONE));
        links.settle(&mut node);
        assert_eq!(node.str_at("a"), Some("w"));
    }
}
