//! Variables for post-build substitution, from objects that the repository
//! itself renders.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;

use crate::flux::api::SubstituteReference;
use crate::resource::ResId;
use crate::yaml::Node;

/// Kind, namespace and name.
type ObjectKey = (Arc<str>, Arc<str>, Arc<str>);

/// Which owner renders which ConfigMap and Secret; the first one that says so.
pub(super) struct Providers<K> {
    owners: BTreeMap<ObjectKey, K>,
}

impl<K> Default for Providers<K> {
    fn default() -> Providers<K> {
        Providers {
            owners: BTreeMap::new(),
        }
    }
}

impl<K: Clone> Providers<K> {
    /// Notes that `owner` renders `object`; objects without a namespace lie in
    /// `namespace`.
    pub(super) fn add(&mut self, owner: &K, object: &Node, namespace: &Arc<str>) {
        let kind = object.get("kind").and_then(Node::text);
        if !matches!(kind, Some("ConfigMap" | "Secret")) {
            return;
        }
        let id = ResId::of(object);
        if !is_provider(&id) || is_sealed(object) {
            return;
        }
        let namespace = if id.namespace.is_empty() {
            namespace.clone()
        } else {
            id.namespace
        };
        self.owners
            .entry((id.gvk.kind, namespace, id.name))
            .or_insert_with(|| owner.clone());
    }

    /// Who renders the object that is named.
    pub(super) fn find(&self, kind: &str, namespace: &Arc<str>, name: &Arc<str>) -> Option<&K> {
        self.owners
            .get(&(kind.into(), namespace.clone(), name.clone()))
    }

    /// The object that is named, among those of its owner.
    pub(super) fn object<'a>(
        objects: &'a [Node],
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Option<&'a Node> {
        objects.iter().find(|object| {
            let id = ResId::of(object);
            is_provider(&id)
                && &*id.gvk.kind == kind
                && &*id.name == name
                && (id.namespace.is_empty() || &*id.namespace == namespace)
        })
    }
}

fn is_provider(id: &ResId) -> bool {
    id.gvk.group.is_empty() && matches!(&*id.gvk.kind, "ConfigMap" | "Secret")
}

/// Whether SOPS has encrypted an object.
pub(super) fn is_encrypted(object: &Node) -> bool {
    object
        .get("sops")
        .is_some_and(|sops| sops.get("mac").is_some())
}

/// Whether an object, or a part of its data, could not be decrypted: it counts
/// as absent.
pub(super) fn is_sealed(object: &Node) -> bool {
    let stands_in = |field: &&str| {
        let entries = object.get(field).map_or(&[][..], |data| data.entries());
        entries.iter().any(|entry| entry.value.is_placeholder())
    };
    is_encrypted(object) || ["data", "stringData"].iter().any(stands_in)
}

/// A reference of `substituteFrom` and what it yields.
#[derive(Clone, Debug)]
pub struct Sourced {
    /// The reference.
    pub reference: SubstituteReference,
    /// The variables, each with the node that holds its value; none where the
    /// object is not in the repository in clear.
    pub variables: Option<Vec<(Arc<str>, Node)>>,
}

impl Sourced {
    pub(super) fn new(reference: &SubstituteReference, object: Option<&Node>) -> Sourced {
        Sourced {
            reference: reference.clone(),
            variables: object.map(variables_of),
        }
    }
}

/// The data of a ConfigMap or Secret as variables.
///
/// Compat: fluxcd/pkg `kustomize_varsub.go` `LoadVariables`, which reads the
/// object from the API server: `stringData` has become `data` there.
fn variables_of(object: &Node) -> Vec<(Arc<str>, Node)> {
    let secret = object.str_at("kind") == Some("Secret");
    let mut variables: BTreeMap<Arc<str>, Node> = BTreeMap::new();
    let entries = |field| object.get(field).map_or(&[][..], |n| n.entries());
    for entry in entries("data") {
        let (Some(key), Some(text)) = (entry.key.shared_text(), entry.value.text()) else {
            continue;
        };
        let mut value = entry.value.clone();
        if secret {
            let packed: String = text.split_ascii_whitespace().collect();
            let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(packed) else {
                continue;
            };
            value.set_text(String::from_utf8_lossy(&bytes));
        }
        variables.insert(key.clone(), value);
    }
    if secret {
        for entry in entries("stringData") {
            if let Some(key) = entry.key.shared_text() {
                variables.insert(key.clone(), entry.value.clone());
            }
        }
    }
    variables.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;
    use crate::yaml::parse_one;

    fn object(text: &str) -> Node {
        parse_one(text, FileId::default()).unwrap().unwrap()
    }

    #[test]
    fn secrets_are_decoded_and_string_data_wins() {
        let secret = object(
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\ndata:\n  A: eWVz\n  B: \
             b2xk\nstringData:\n  B: new\n",
        );
        let variables: Vec<(String, String)> = variables_of(&secret)
            .into_iter()
            .map(|(k, v)| (k.to_string(), v.text().unwrap().to_owned()))
            .collect();
        assert_eq!(
            variables,
            [("A".into(), "yes".into()), ("B".into(), "new".into())]
        );
    }

    #[test]
    fn encrypted_objects_provide_nothing() {
        let mut providers = Providers::default();
        let ns: Arc<str> = "n".into();
        let secret = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\n";
        let encrypted = object(&format!("{secret}sops:\n  mac: ENC[x]\n"));
        providers.add(&1, &encrypted, &ns);
        assert!(providers.find("Secret", &ns, &"s".into()).is_none());
        providers.add(&2, &object(secret), &ns);
        providers.add(&3, &object(secret), &ns);
        assert_eq!(providers.find("Secret", &ns, &"s".into()), Some(&2));
        assert!(providers.find("ConfigMap", &ns, &"s".into()).is_none());
    }
}
