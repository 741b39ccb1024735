//! What the templates of charts find by `lookup`: objects that are given, and
//! those that the rest of the repository renders.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::Context;
use crate::artifact::Digest;
use crate::flux::api::HelmRelease;
use crate::helm::{Lookup, lookup_in};
use crate::pipeline::variables::is_sealed;
use crate::schema::kustomize::OpenApi;
use crate::yaml::{Map, Node, Value, decode, resolve::Version, secret, to_json};

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

    /// Whether a word may stand in what templates can look up.
    pub(super) fn may_mention(&self, word: &str) -> bool {
        // It is of letters, which JSON writes as they are.
        self.rendered || self.given.iter().any(|value| to_json(value).contains(word))
    }
}

/// What templates looked for, with digests of what they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::pipeline) struct Asked(BTreeMap<Query, Digest>);

/// A call of `lookup`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Query {
    /// Whether shadows were given for secret values.
    has_shadows: bool,
    api_version: String,
    kind: String,
    namespace: String,
    name: String,
}

impl Asked {
    /// Whether nothing was looked for.
    pub(in crate::pipeline) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the templates of a release would be given the same now.
    pub(super) fn is_answered_alike(&self, release: &HelmRelease, context: &Context<'_>) -> bool {
        let Some(shelf) = context.shelf else {
            return self.is_empty();
        };
        if self.is_empty() {
            return true;
        }
        let own = (release.id.namespace.clone(), release.id.name.clone());
        let [plain, shadows] = [false, true]
            .map(|has_shadows| shelf.finder(own.clone(), has_shadows, &Arc::default()));
        self.0.iter().all(|(query, answer)| {
            let Query {
                has_shadows,
                api_version,
                kind,
                namespace,
                name,
            } = query;
            let finder = if *has_shadows { &shadows } else { &plain };
            digest_of(finder(api_version, kind, namespace, name).as_ref()) == *answer
        })
    }
}

fn digest_of(answer: Option<&Value>) -> Digest {
    let text = answer.map_or_else(String::new, to_json);
    Digest::of(text.as_bytes())
}

/// Gathers what templates look for.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct Asking(Mutex<Asked>);

impl Asking {
    fn note(&self, query: Query, answer: Option<&Value>) {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.0.insert(query, digest_of(answer));
    }

    /// Whether anything was looked for so far.
    pub(super) fn has_asked(&self) -> bool {
        !self.all().is_empty()
    }

    /// All that was looked for so far.
    pub(super) fn all(&self) -> Asked {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
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
    /// itself, and notes what they asked.
    pub(super) fn finder(
        self: &Arc<Shelf>,
        own: Key,
        has_shadows: bool,
        asking: &Arc<Asking>,
    ) -> Arc<Lookup> {
        let (shelf, asking) = (self.clone(), asking.clone());
        let index: OnceLock<Arc<Lookup>> = OnceLock::new();
        Arc::new(move |api_version, kind, namespace, name| {
            let index = index.get_or_init(|| {
                let others = shelf.held.iter().filter(|h| h.owner.as_ref() != Some(&own));
                let others = others.map(|held| match &held.shadow {
                    Some(shadow) if has_shadows => shadow,
                    _ => &held.object,
                });
                // What is given is what the user says: it wins.
                lookup_in(others.chain(&*shelf.given).cloned())
            });
            let answer = index(api_version, kind, namespace, name);
            let query = Query {
                has_shadows,
                api_version: api_version.to_owned(),
                kind: kind.to_owned(),
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            };
            asking.note(query, answer.as_ref());
            answer
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
        let asking = Arc::new(Asking::default());
        let finder = |name: &str| shelf.finder(("apps".into(), name.into()), false, &asking);
        let own = finder("a");
        assert!(!asking.has_asked());
        assert_eq!(own("v1", "Secret", "apps", "s"), None);
        assert!(asking.has_asked());
        let other = finder("b");
        assert!(other("v1", "Secret", "apps", "s").is_some());
        assert_eq!(other("v1", "Secret", "default", "s"), None);
        let namespace = other("v1", "Namespace", "", "apps").unwrap();
        let metadata = namespace.get("metadata").unwrap();
        assert_eq!(metadata.get("namespace"), None, "it lies in no namespace");
    }
}
