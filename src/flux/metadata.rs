//! Labels and annotations that kustomize-controller adds.

use std::sync::Arc;

use crate::diag::Span;
use crate::yaml::{Entry, Node, Tag};

/// `kustomize.toolkit.fluxcd.io/name` and `…/namespace`.
const OWNER_NAME: &str = "kustomize.toolkit.fluxcd.io/name";
const OWNER_NAMESPACE: &str = "kustomize.toolkit.fluxcd.io/namespace";

/// Labels an object with the Kustomization that applies it.
///
/// The labels get the places of the Kustomization's own name and namespace.
///
/// Compat: kustomize-controller sets them before `spec.commonMetadata`, which
/// can override them.
pub fn set_owner(object: &mut Node, name: &Node, namespace: &Node) {
    for (key, from) in [(OWNER_NAME, name), (OWNER_NAMESPACE, namespace)] {
        let mut value = Node::string(from.text().unwrap_or_default(), from.span());
        if from.is_secret() {
            value.mark_secret();
        }
        if let Some(labels) = map_below(object, "labels", from.span()) {
            labels.set(key, value);
        }
    }
}

/// Adds `spec.commonMetadata`; its entries win over what is there.
///
/// Compat: fluxcd/pkg `ssa/utils/meta.go`: labels are read as strings all
/// together, so that an object with one label of another kind loses all of its
/// own (fact 111). The same for annotations.
pub fn set_common(
    object: &mut Node,
    labels: &[(Arc<str>, Node)],
    annotations: &[(Arc<str>, Node)],
) {
    for (field, values) in [("labels", labels), ("annotations", annotations)] {
        let Some((_, first)) = values.first() else {
            continue;
        };
        let Some(map) = map_below(object, field, first.span()) else {
            continue;
        };
        if map.entries().iter().any(|e| e.value.as_str().is_none()) {
            let span = map.span();
            *map = Node::mapping(Vec::new(), span);
        }
        for (key, value) in values {
            let text = value.text().unwrap_or_default();
            let mut value_node = Node::string(text, value.span());
            if value.is_secret() {
                value_node.mark_secret();
            }
            map.set(key, value_node);
        }
    }
}

/// The mapping `metadata.FIELD`, made where it is missing or null.
fn map_below<'a>(object: &'a mut Node, field: &str, span: Span) -> Option<&'a mut Node> {
    let metadata = object.get_or_insert("metadata", span)?;
    ensure_mapping(metadata, span);
    let map = metadata.get_or_insert(field, span)?;
    ensure_mapping(map, span);
    Some(map)
}

fn ensure_mapping(node: &mut Node, span: Span) {
    if node.is_scalar() && node.tag() == Tag::Null {
        *node = Node::mapping(Vec::<Entry>::new(), span);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;
    use crate::yaml::{emit, parse_one};

    fn object(text: &str) -> Node {
        parse_one(text, FileId::default()).unwrap().unwrap()
    }

    fn print(node: &Node) -> String {
        let mut out = String::new();
        emit::sorted(node, &mut out).unwrap();
        out
    }

    fn owner(text: &str) -> Node {
        Node::string(text, Span::NONE)
    }

    #[test]
    fn owners_are_labels() {
        let mut node = object("kind: A\nmetadata:\n  labels:\n    b: c\n");
        set_owner(&mut node, &owner("apps"), &owner("flux-system"));
        assert_eq!(
            print(&node),
            "kind: A\nmetadata:\n  labels:\n    b: c\n    kustomize.toolkit.fluxcd.io/name: apps\n    \
             kustomize.toolkit.fluxcd.io/namespace: flux-system\n"
        );
        let mut node = object("kind: A\nmetadata:\n  labels:\n");
        set_owner(&mut node, &owner("1"), &owner("n"));
        assert_eq!(
            print(&node),
            "kind: A\nmetadata:\n  labels:\n    kustomize.toolkit.fluxcd.io/name: \"1\"\n    \
             kustomize.toolkit.fluxcd.io/namespace: \"n\"\n"
        );
    }

    #[test]
    fn common_metadata_wins_and_one_odd_label_loses_the_others() {
        let team = [(Arc::from("team"), owner("x"))];
        let mut node = object("metadata:\n  labels:\n    team: y\n    a: b\n");
        set_common(&mut node, &team, &[]);
        assert_eq!(
            print(&node),
            "metadata:\n  labels:\n    a: b\n    team: x\n"
        );

        let mut node = object("metadata:\n  labels:\n    n: 1\n    a: b\n");
        set_common(&mut node, &team, &[]);
        assert_eq!(print(&node), "metadata:\n  labels:\n    team: x\n");

        let mut node = object("metadata:\n  labels:\n    n: 1\n");
        set_common(&mut node, &[], &team);
        assert_eq!(
            print(&node),
            "metadata:\n  annotations:\n    team: x\n  labels:\n    \"n\": 1\n"
        );
    }
}
