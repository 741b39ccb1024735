//! What the templates of charts find by `lookup`: objects that are given, and
//! those that the rest of the repository renders.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::helm::{Lookup, lookup_in};
use crate::pipeline::variables::is_sealed;
use crate::schema::kustomize::OpenApi;
use crate::yaml::{Map, Node, Value, decode, resolve::Version, secret};

/// A HelmRelease by namespace and name.
type Key = (Arc<str>, Arc<str>);

/// Where `lookup` looks.
#[derive(Clone, Debug, Default)]
pub struct Lookups {
    /// Objects that are given.
    pub given: Arc<Vec<Value>>,
    /// Whether what the rest of the repository renders is found as well.
    pub rendered: bool,
}

impl Lookups {
    /// Whether there is nothing to find.
    pub(in crate::pipeline) fn are_empty(&self) -> bool {
        self.given.is_empty() && !self.rendered
    }
}

/// An object that the repository renders.
struct Held {
    /// The HelmRelease whose chart renders it.
    owner: Option<Key>,
    object: Value,
    /// The object with shadows for its secret values, where it has any.
    shadow: Option<Value>,
}

/// Objects that can be found.
pub(in crate::pipeline) struct Shelf {
    given: Arc<Vec<Value>>,
    held: Vec<Held>,
}

impl Shelf {
    pub(in crate::pipeline) fn new(lookups: &Lookups) -> Shelf {
        Shelf {
            given: lookups.given.clone(),
            held: Vec::new(),
        }
    }

    /// Adds an object that is rendered; one without a namespace lies in
    /// `namespace`. What is encrypted cannot be found.
    pub(in crate::pipeline) fn add(
        &mut self,
        owner: Option<&Key>,
        object: &Node,
        namespace: &Arc<str>,
    ) {
        if is_sealed(object) {
            return;
        }
        let value = |object: &Node| {
            let value = decode(object, Version::V2).ok()?;
            Some(with_namespace(value, namespace))
        };
        if let Some(found) = value(object) {
            self.held.push(Held {
                owner: owner.cloned(),
                object: found,
                shadow: secret::shadowed(object).as_ref().and_then(value),
            });
        }
    }

    /// Whether any value that can be found is secret.
    pub(super) fn has_secrets(&self) -> bool {
        self.held.iter().any(|held| held.shadow.is_some())
    }

    /// Answers the templates of a release, which does not find what it renders
    /// itself, and notes that they asked.
    pub(super) fn finder(
        self: &Arc<Shelf>,
        own: Key,
        has_shadows: bool,
        asked: &Arc<AtomicBool>,
    ) -> Arc<Lookup> {
        let (shelf, asked) = (self.clone(), asked.clone());
        let index: OnceLock<Arc<Lookup>> = OnceLock::new();
        Arc::new(move |api_version, kind, namespace, name| {
            asked.store(true, Ordering::Relaxed);
            let index = index.get_or_init(|| {
                let others = shelf.held.iter().filter(|h| h.owner.as_ref() != Some(&own));
                let others = others.map(|held| match &held.shadow {
                    Some(shadow) if has_shadows => shadow,
                    _ => &held.object,
                });
                // What is given is what the user says: it wins.
                lookup_in(others.chain(&*shelf.given).cloned())
            });
            index(api_version, kind, namespace, name)
        })
    }
}

fn with_namespace(mut object: Value, namespace: &Arc<str>) -> Value {
    let text = |key| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let api = OpenApi::new();
    if api.is_certainly_cluster_scoped(text("apiVersion"), text("kind")) {
        return object;
    }
    if let Value::Mapping(fields) = &mut object {
        let metadata = fields
            .entry("metadata".into())
            .or_insert_with(|| Value::Mapping(Map::new()));
        if let Value::Mapping(metadata) = metadata {
            metadata
                .entry("namespace".into())
                .or_insert_with(|| Value::String(namespace.clone()));
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;
    use crate::yaml::parse_one;

    fn shelf(objects: &[(Option<&str>, &str)]) -> Arc<Shelf> {
        let mut shelf = Shelf::new(&Lookups::default());
        for (owner, text) in objects {
            let node = parse_one(text, FileId::default()).unwrap().unwrap();
            let owner = owner.map(|name| (Arc::from("apps"), Arc::from(name)));
            shelf.add(owner.as_ref(), &node, &"apps".into());
        }
        Arc::new(shelf)
    }

    #[test]
    fn a_release_finds_what_others_render() {
        let shelf = shelf(&[
            (
                Some("a"),
                "{apiVersion: v1, kind: Secret, metadata: {name: s}}",
            ),
            (
                None,
                "{apiVersion: v1, kind: Namespace, metadata: {name: apps}}",
            ),
        ]);
        let asked = Arc::new(AtomicBool::new(false));
        let finder = |name: &str| shelf.finder(("apps".into(), name.into()), false, &asked);
        let own = finder("a");
        assert!(!asked.load(Ordering::Relaxed));
        assert_eq!(own("v1", "Secret", "apps", "s"), None);
        assert!(asked.load(Ordering::Relaxed));
        let other = finder("b");
        assert!(other("v1", "Secret", "apps", "s").is_some());
        assert_eq!(other("v1", "Secret", "default", "s"), None);
        let namespace = other("v1", "Namespace", "", "apps").unwrap();
        let metadata = namespace.get("metadata").unwrap();
        assert_eq!(metadata.get("namespace"), None, "it lies in no namespace");
    }
}
