//! `spec.ignore` of a Kustomization: fields that are left out of the apply.
//!
//! Compat: fluxcd/pkg `ssa/jsondiff`: rules of JSON pointers, each for the
//! objects that its target selects by anchored regular expressions and label
//! selectors; without a target, for all. Since Flux 2.9.

use std::sync::Arc;

use super::fields::Fields;
use crate::diag::{Error, Result};
use crate::gostd::regexp::Regexp;
use crate::resource::{ResId, Selector};
use crate::yaml::Node;

/// The rules of a Kustomization, compiled.
#[derive(Clone, Debug, Default)]
pub struct IgnoreRules(Vec<Rule>);

#[derive(Clone, Debug)]
struct Rule {
    pointers: Vec<Vec<String>>,
    target: Option<Target>,
}

#[derive(Clone, Debug)]
struct Target {
    /// Group, version, kind, namespace, name; none matches everything.
    patterns: [Option<Regexp>; 5],
    labels: Selector,
    annotations: Selector,
}

impl IgnoreRules {
    /// Reads the entries of `spec.ignore`.
    ///
    /// # Errors
    ///
    /// `schema/invalid`, with the place, for what is no pointer, pattern or
    /// selector.
    pub fn read(entries: &[Node]) -> Result<IgnoreRules> {
        entries
            .iter()
            .map(Rule::read)
            .collect::<Result<_>>()
            .map(IgnoreRules)
    }

    /// Takes the ignored fields out of an object.
    pub fn apply(&self, object: &mut Node) {
        for rule in &self.0 {
            if rule.target.as_ref().is_none_or(|t| t.selects(object)) {
                for pointer in &rule.pointers {
                    remove(object, pointer);
                }
            }
        }
    }
}

impl Rule {
    fn read(entry: &Node) -> Result<Rule> {
        let fields = Fields::of(entry);
        let pointers = fields.strings("paths")?.into_iter().map(pointer);
        Ok(Rule {
            pointers: pointers.collect::<Result<_>>()?,
            target: fields
                .mapping("target")?
                .map(|t| Target::read(&t))
                .transpose()?,
        })
    }
}

impl Target {
    fn read(fields: &Fields<'_>) -> Result<Target> {
        let pattern = |field: &str| -> Result<Option<Regexp>> {
            let Some(node) = fields.string(field)?.filter(|n| n.text() != Some("")) else {
                return Ok(None);
            };
            Regexp::anchored(node.text().unwrap_or_default())
                .map(Some)
                .map_err(|e| Error::new("schema/invalid", e.to_string()).at(node.span()))
        };
        let selector = |field: &str| -> Result<Selector> {
            let Some(node) = fields.string(field)? else {
                return Ok(Selector::default());
            };
            Selector::parse(node.text().unwrap_or_default())
                .map_err(|e| Error::new("schema/invalid", e).at(node.span()))
        };
        Ok(Target {
            patterns: [
                pattern("group")?,
                pattern("version")?,
                pattern("kind")?,
                pattern("namespace")?,
                pattern("name")?,
            ],
            labels: selector("labelSelector")?,
            annotations: selector("annotationSelector")?,
        })
    }

    fn selects(&self, object: &Node) -> bool {
        let id = ResId::of(object);
        let parts: [&Arc<str>; 5] = [
            &id.gvk.group,
            &id.gvk.version,
            &id.gvk.kind,
            &id.namespace,
            &id.name,
        ];
        let named = self
            .patterns
            .iter()
            .zip(parts)
            .all(|(pattern, part)| pattern.as_ref().is_none_or(|p| p.is_match(part)));
        let look_up = |field: &'static str| {
            let map = object.at_path(&["metadata", field]);
            move |key: &str| map.and_then(|m| m.get(key)).and_then(Node::text)
        };
        named
            && self.labels.matches(look_up("labels"))
            && self.annotations.matches(look_up("annotations"))
    }
}

/// The steps of a JSON pointer.
fn pointer(node: &Node) -> Result<Vec<String>> {
    let text = node.text().unwrap_or_default();
    let Some(rest) = text.strip_prefix('/') else {
        return Err(
            Error::new("schema/invalid", format!("`{text}` is no JSON pointer"))
                .at(node.span())
                .help("a JSON pointer begins with `/`, as in `/spec/replicas`"),
        );
    };
    Ok(rest
        .split('/')
        .map(crate::diag::pointer::unescape)
        .collect())
}

fn remove(node: &mut Node, steps: &[String]) {
    let Some((step, rest)) = steps.split_first() else {
        return;
    };
    let index = step.parse::<usize>().ok();
    if rest.is_empty() {
        if let (Some(index), true) = (index, node.is_sequence()) {
            if index < node.items().len()
                && let Some(items) = node.items_mut()
            {
                items.remove(index);
            }
        } else {
            node.remove(step);
        }
        return;
    }
    let child = if node.is_sequence() {
        index
            .filter(|i| *i < node.items().len())
            .and_then(|i| node.items_mut()?.get_mut(i))
    } else {
        node.get_mut(step)
    };
    if let Some(child) = child {
        remove(child, rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;
    use crate::yaml::{emit, parse_one};

    fn node(text: &str) -> Node {
        parse_one(text, FileId::default()).unwrap().unwrap()
    }

    fn apply(rules: &str, object: &str) -> String {
        let mut object = node(object);
        IgnoreRules::read(node(rules).items())
            .unwrap()
            .apply(&mut object);
        let mut out = String::new();
        emit::sorted(&object, &mut out).unwrap();
        out
    }

    const DEPLOYMENT: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  \
                              labels:\n    app: web\n    a/b: c\nspec:\n  replicas: 2\n  list:\n  \
                              - x: 1\n    y: 2\n";

    #[test]
    fn pointers_are_followed() {
        let out = apply(
            "- paths: [/spec/replicas, /metadata/labels/a~1b, /spec/list/0/y, /spec/no/such]\n",
            DEPLOYMENT,
        );
        assert_eq!(
            out,
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  labels:\n    app: web\n  name: \
             web\nspec:\n  list:\n  - x: 1\n"
        );
    }

    #[test]
    fn targets_choose() {
        let whole = apply("[]", DEPLOYMENT);
        for target in [
            "kind: Deploy",
            "labelSelector: app=db",
            "name: .*b2",
            "namespace: x",
        ] {
            let rules = format!("- paths: [/spec/replicas]\n  target:\n    {target}\n");
            assert_eq!(apply(&rules, DEPLOYMENT), whole, "{target}");
        }
        for target in [
            "kind: Deploy.*",
            "labelSelector: app=web",
            "group: apps",
            "{}",
        ] {
            let rules = format!("- paths: [/spec/replicas]\n  target:\n    {target}\n");
            assert_ne!(apply(&rules, DEPLOYMENT), whole, "{target}");
        }
    }

    #[test]
    fn bad_rules_have_a_place() {
        for (rules, line) in [
            ("- paths: [spec]\n", 1),
            ("- paths: []\n  target:\n    name: (\n", 3),
            ("- paths: []\n  target:\n    labelSelector: a b\n", 3),
        ] {
            let error = IgnoreRules::read(node(rules).items()).unwrap_err();
            assert_eq!((error.rule(), error.span().line), ("schema/invalid", line));
        }
    }
}
