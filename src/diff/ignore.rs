//! Fields that a comparison leaves out.

use crate::diag::{Error, Result};
use crate::resource::ResId;
use crate::yaml::Node;

/// Which fields of which objects are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignore {
    /// The kind of object; any where none is named.
    kind: Option<String>,
    /// The way to the field; `*` is any key or item.
    keys: Vec<String>,
}

impl Ignore {
    /// Reads `[KIND:]/a/b/*`, a JSON pointer in which `*` stands for any part.
    ///
    /// # Errors
    ///
    /// `usage/ignore` for what is no such pointer.
    pub fn parse(text: &str) -> Result<Ignore> {
        let (kind, pointer) = match text.split_once(':') {
            Some((kind, pointer)) if pointer.starts_with('/') => (Some(kind), pointer),
            _ => (None, text),
        };
        let wrong = || {
            Error::new("usage/ignore", format!("`{text}` names no field")).help(
                "write a JSON pointer, after a kind if it is for one alone: \
                 `/metadata/labels/team`, `Deployment:/spec/replicas`, \
                 `/spec/template/spec/containers/*/image`",
            )
        };
        let rest = pointer.strip_prefix('/').ok_or_else(wrong)?;
        let is_kind =
            |kind: &str| !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_alphanumeric());
        if rest.is_empty() || !kind.is_none_or(is_kind) {
            return Err(wrong());
        }
        Ok(Ignore {
            kind: kind.map(str::to_owned),
            keys: rest
                .split('/')
                .map(crate::diag::pointer::unescape)
                .collect(),
        })
    }

    /// Takes the fields out of an object.
    pub(super) fn apply(&self, object: &mut Node) {
        let kind = ResId::of(object).gvk.kind;
        if self.kind.as_deref().is_none_or(|wanted| *wanted == *kind) {
            let keys: Vec<&str> = self.keys.iter().map(String::as_str).collect();
            remove(object, &keys);
        }
    }
}

fn remove(node: &mut Node, keys: &[&str]) {
    let Some((key, rest)) = keys.split_first() else {
        return;
    };
    if node.is_sequence() {
        let index: Option<usize> = key.parse().ok();
        let Some(items) = node.items_mut() else {
            return;
        };
        if rest.is_empty() {
            let mut at = 0;
            items.retain(|_| {
                let kept = *key != "*" && index != Some(at);
                at += 1;
                kept
            });
            return;
        }
        for (i, item) in items.iter_mut().enumerate() {
            if *key == "*" || index == Some(i) {
                remove(item, rest);
            }
        }
        return;
    }
    let Some(entries) = node.entries_mut() else {
        return;
    };
    let is_meant = |name: Option<&str>| *key == "*" || name == Some(*key);
    if rest.is_empty() {
        entries.retain(|e| !is_meant(e.key.text()));
        return;
    }
    for entry in entries {
        if is_meant(entry.key.text()) {
            remove(&mut entry.value, rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;

    fn without(pointer: &str) -> String {
        let text = "kind: Deployment\nmetadata: {labels: {a/b: x, c: y}}\n\
                    spec: {list: [{a: 1, b: 2}, {a: 3}]}\n";
        let mut node = crate::yaml::parse_one(text, FileId::default())
            .unwrap()
            .unwrap();
        Ignore::parse(pointer).unwrap().apply(&mut node);
        super::super::align::canonical(&node)
    }

    #[test]
    fn fields_are_taken_out() {
        assert_eq!(
            without("/metadata/labels/a~1b"),
            r#"{"kind":"Deployment","metadata":{"labels":{"c":"y"}},"spec":{"list":[{"a":1,"b":2},{"a":3}]}}"#
        );
        assert_eq!(
            without("Deployment:/spec/list/*/a"),
            r#"{"kind":"Deployment","metadata":{"labels":{"a/b":"x","c":"y"}},"spec":{"list":[{"b":2},{}]}}"#
        );
        assert_eq!(
            without("/spec/list/0"),
            r#"{"kind":"Deployment","metadata":{"labels":{"a/b":"x","c":"y"}},"spec":{"list":[{"a":3}]}}"#
        );
        assert_eq!(without("Service:/spec"), without("/nothing"));
    }

    #[test]
    fn what_names_no_field_is_refused() {
        for wrong in ["spec.replicas", "", "/", ":/spec", "apps/Deployment:/spec"] {
            let error = Ignore::parse(wrong).unwrap_err();
            assert_eq!(error.rule(), "usage/ignore", "{wrong}");
            assert!(error.help_text().is_some());
        }
    }
}
