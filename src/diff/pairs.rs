//! Which object of one side is which of the other.
//!
//! By identity first, whatever the version of its API and whoever applies it;
//! what is left over, by its name without the digest that kustomize and charts
//! put behind generated names.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::rendering::Owner;
use super::scopes::Scopes;
use crate::diag::ObjectRef;
use crate::pipeline::cluster::Object;

/// An object with its owner.
#[derive(Clone, Copy, Debug)]
pub(super) struct Located<'a> {
    pub(super) owner: Option<&'a Owner>,
    pub(super) object: &'a Object,
    /// The namespace that it ends up in; empty for what has none.
    pub(super) namespace: &'a Arc<str>,
}

impl<'a> Located<'a> {
    /// An object, in the namespace that its owner gives it where it names none.
    pub(super) fn new(owner: Option<&'a Owner>, object: &'a Object, scopes: &Scopes) -> Self {
        let own = &object.id.namespace;
        let given = owner.and_then(|owner| owner.namespace.as_ref());
        let given = given.filter(|_| own.is_empty() && scopes.is_namespaced(&object.id.gvk));
        Located {
            owner,
            object,
            namespace: given.unwrap_or(own),
        }
    }

    /// What identifies it, for people and machines.
    pub(super) fn reference(&self) -> ObjectRef {
        ObjectRef {
            namespace: self.namespace.clone(),
            ..self.object.id.to_object_ref()
        }
    }

    /// What identifies it in all clusters that an entry point reaches.
    fn key(&self) -> Key {
        let id = &self.object.id;
        Key {
            remote: self.owner.and_then(|o| o.remote.clone()),
            group: id.gvk.group.clone(),
            kind: id.gvk.kind.clone(),
            namespace: self.namespace.clone(),
            name: id.name.clone(),
        }
    }
}

/// What identifies an object; its version is a matter of its content.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    remote: Option<Arc<str>>,
    group: Arc<str>,
    kind: Arc<str>,
    namespace: Arc<str>,
    name: Arc<str>,
}

/// An object on one side or on both.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair<'a> {
    pub(super) old: Option<Located<'a>>,
    pub(super) new: Option<Located<'a>>,
}

/// Pairs the objects of two sides, in the order of what identifies them.
pub(super) fn pairs<'a>(old: Vec<Located<'a>>, new: Vec<Located<'a>>) -> Vec<Pair<'a>> {
    type Both<'a> = (Vec<Located<'a>>, Vec<Located<'a>>);
    let mut by_key: BTreeMap<Key, Both<'a>> = BTreeMap::new();
    for located in old {
        by_key.entry(located.key()).or_default().0.push(located);
    }
    for located in new {
        by_key.entry(located.key()).or_default().1.push(located);
    }
    let mut paired: BTreeMap<Key, Vec<Pair<'a>>> = BTreeMap::new();
    let mut left: BTreeMap<Key, Both<'a>> = BTreeMap::new();
    for (key, (old, mut new)) in by_key {
        let mut alone = Vec::new();
        for located in old {
            let owner = located.owner.map(|o| &o.id);
            match new.iter().position(|n| n.owner.map(|o| &o.id) == owner) {
                Some(at) => paired.entry(key.clone()).or_default().push(Pair {
                    old: Some(located),
                    new: Some(new.remove(at)),
                }),
                None => alone.push(located),
            }
        }
        let mut new = new.into_iter();
        for located in alone {
            match new.next() {
                Some(other) => paired.entry(key.clone()).or_default().push(Pair {
                    old: Some(located),
                    new: Some(other),
                }),
                None => left
                    .entry(without_digest(&key, located))
                    .or_default()
                    .0
                    .push(located),
            }
        }
        for located in new {
            left.entry(without_digest(&key, located))
                .or_default()
                .1
                .push(located);
        }
    }
    for (key, (old, new)) in left {
        let pairs = paired.entry(key).or_default();
        let mut new = new.into_iter();
        pairs.extend(old.into_iter().map(|located| Pair {
            old: Some(located),
            new: new.next(),
        }));
        pairs.extend(new.map(|located| Pair {
            old: None,
            new: Some(located),
        }));
    }
    paired.into_values().flatten().collect()
}

fn without_digest(key: &Key, located: Located<'_>) -> Key {
    // A digest that stands for a secret is no digest of content.
    let name = located.object.node.at_path(&["metadata", "name"]);
    let stem = stem(&key.name).filter(|_| name.is_none_or(|name| !name.is_secret()));
    let name = stem.map_or_else(|| key.name.clone(), Arc::from);
    Key {
        name,
        ..key.clone()
    }
}

/// A generated name without the digest of its content.
///
/// Compat: kustomize's `hasher.go` takes ten digits of a SHA-256 and writes
/// five of the hexadecimal ones with other letters, so that no word appears.
/// Charts put six and more hexadecimal digits there.
pub(super) fn stem(name: &str) -> Option<&str> {
    let (stem, last) = name.rsplit_once('-')?;
    let kustomize = last.len() == 10 && last.bytes().all(|b| b"2456789bcdfghkmt".contains(&b));
    let hexadecimal = (6..=64).contains(&last.len())
        && last.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        && last.bytes().any(|b| b.is_ascii_digit());
    (kustomize || hexadecimal).then_some(stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_names_have_a_stem() {
        for (name, expected) in [
            ("shop-config-8h2mkt7f42", Some("shop-config")),
            ("migrate-3fa9b2", Some("migrate")),
            ("shop-config", None),
            ("shop-facade", None),
            ("web-v2", None),
            ("shop", None),
        ] {
            assert_eq!(stem(name), expected, "{name}");
        }
    }
}
