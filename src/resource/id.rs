//! What identifies a Kubernetes object.

use std::sync::Arc;

use crate::diag::ObjectRef;
use crate::yaml::Node;

/// A group, version and kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gvk {
    /// The API group; empty for the core group.
    pub group: Arc<str>,
    /// The version.
    pub version: Arc<str>,
    /// The kind.
    pub kind: Arc<str>,
}

impl Gvk {
    /// From an `apiVersion` and a kind.
    pub fn new(api_version: &str, kind: &str) -> Gvk {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Gvk {
            group: group.into(),
            version: version.into(),
            kind: kind.into(),
        }
    }

    /// The fields `apiVersion` and `kind` of an object; empty where absent.
    pub fn of(object: &Node) -> Gvk {
        let text = |key| object.get(key).and_then(Node::shared_text).cloned();
        let api_version = text("apiVersion").unwrap_or_default();
        let (group, version) = match api_version.split_once('/') {
            Some((group, version)) => (group.into(), version.into()),
            None => (Arc::default(), api_version),
        };
        Gvk {
            group,
            version,
            kind: text("kind").unwrap_or_default(),
        }
    }

    /// The `apiVersion`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_string()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}

/// A Kubernetes object by what identifies it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResId {
    /// What kind of object.
    pub gvk: Gvk,
    /// Its namespace; empty where none is written.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

impl ResId {
    /// The identity of an object, as its fields stand.
    pub fn of(object: &Node) -> ResId {
        let field = |key| -> Arc<str> {
            object
                .at_path(&["metadata", key])
                .and_then(Node::shared_text)
                .cloned()
                .unwrap_or_default()
        };
        ResId {
            gvk: Gvk::of(object),
            namespace: field("namespace"),
            name: field("name"),
        }
    }

    /// The form that findings carry.
    pub fn to_object_ref(&self) -> ObjectRef {
        ObjectRef {
            api_version: self.gvk.api_version().into(),
            kind: self.gvk.kind.clone(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }
}
