//! The metadata of objects: names, labels, annotations.
//!
//! Compat: `ValidateObjectMeta` of `k8s.io/apimachinery`, as far as it can be
//! known without a cluster.

use super::evaluate::{Evaluation, Step};
use crate::gostd::names;
use crate::yaml::Node;

/// More bytes of keys and values than this are no annotations.
const MAX_ANNOTATIONS: usize = 256 << 10;

/// Judges the metadata of an object, beyond its schema; the path of the
/// evaluation is that of the metadata. An object that is part of another may
/// have any name that can stand in a path.
pub(super) fn check<'n>(
    evaluation: &mut Evaluation<'_, 'n>,
    object: &Node,
    metadata: &'n Node,
    is_part: bool,
) {
    let is_rbac = object
        .str_at("apiVersion")
        .is_some_and(|v| v.starts_with("rbac.authorization.k8s.io/"));
    let is_free = is_rbac || is_part;
    let name_rule = if is_free {
        names::path_segment
    } else {
        names::dns_subdomain
    };
    if let Some(node) = metadata.get("name")
        && let Some(name) = node.as_str().filter(|name| !name.is_empty())
        && let Some(wrong) = name_rule(name)
    {
        let message = format!("`{name}` is no name: {wrong}");
        evaluation.report_at(Step::Key("name"), node.span(), message);
    }
    if let Some(node) = metadata.get("generateName")
        && let Some(prefix) = node.as_str().filter(|prefix| !prefix.is_empty())
    {
        // More will be put behind it.
        let wrong = if is_free {
            names::path_segment(&format!("{prefix}x"))
        } else {
            names::dns_subdomain(&names::without_final_hyphen(prefix))
        };
        if let Some(wrong) = wrong {
            let message = format!("`{prefix}` cannot begin a name: {wrong}");
            evaluation.report_at(Step::Key("generateName"), node.span(), message);
        }
    }
    if let Some(node) = metadata.get("namespace")
        && let Some(namespace) = node.as_str().filter(|namespace| !namespace.is_empty())
        && let Some(wrong) = names::dns_label(namespace)
    {
        let message = format!("`{namespace}` is no name of a namespace: {wrong}");
        evaluation.report_at(Step::Key("namespace"), node.span(), message);
    }
    if let Some(labels) = metadata.get("labels") {
        evaluation.path.push(Step::Key("labels"));
        for entry in labels.target().entries() {
            let Some(key) = entry.key.text() else {
                continue;
            };
            if let Some(wrong) = names::qualified_name(key) {
                let message = format!("`{key}` is no key of a label: {wrong}");
                evaluation.report_at(Step::Key(key), entry.key.span(), message);
            }
            if let Some(value) = entry.value.target().as_str()
                && let Some(wrong) = names::label_value(value)
            {
                let message = format!("`{value}` is no value of a label: {wrong}");
                evaluation.report_at(Step::Key(key), entry.value.span(), message);
            }
        }
        evaluation.path.pop();
    }
    if let Some(annotations) = metadata.get("annotations") {
        let annotations = annotations.target();
        evaluation.path.push(Step::Key("annotations"));
        let mut size = 0;
        for entry in annotations.entries() {
            let Some(key) = entry.key.text() else {
                continue;
            };
            size += key.len() + entry.value.target().text().map_or(0, str::len);
            // Capitals in the prefix are let pass here.
            if let Some(wrong) = names::qualified_name(&key.to_lowercase()) {
                let message = format!("`{key}` is no key of an annotation: {wrong}");
                evaluation.report_at(Step::Key(key), entry.key.span(), message);
            }
        }
        if size > MAX_ANNOTATIONS {
            let message = format!(
                "the annotations have {size} bytes, and at most {MAX_ANNOTATIONS} are allowed"
            );
            evaluation.report(annotations.span(), message);
        }
        evaluation.path.pop();
    }
}
