//! What identifies an object to kustomize.
//!
//! Compat: `resid/resid.go`, `resid/gvk.go` of kyaml. No namespace and the
//! namespace `default` are one and the same, and objects that are known to live
//! outside namespaces have one of their own.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::diag::ObjectRef;
use crate::resource::Gvk;
use crate::yaml::Node;

/// Stands for the namespace of what has none.
pub(super) const CLUSTER: &str = "_non_namespaceable_";

/// A group, version and kind to compare others with; empty parts match
/// everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct GvkPattern {
    pub(super) group: Cow<'static, str>,
    pub(super) version: Cow<'static, str>,
    pub(super) kind: Cow<'static, str>,
}

impl GvkPattern {
    /// Whether it selects this group, version and kind.
    pub(super) fn selects(&self, gvk: &Gvk) -> bool {
        let part = |want: &str, have: &str| want.is_empty() || want == have;
        part(&self.group, &gvk.group)
            && part(&self.version, &gvk.version)
            && part(&self.kind, &gvk.kind)
    }

    /// Whether `other`, taken as a group, version and kind, is selected by
    /// this pattern.
    pub(super) fn selects_pattern(&self, other: &GvkPattern) -> bool {
        let part = |want: &str, have: &str| want.is_empty() || want == have;
        part(&self.group, &other.group)
            && part(&self.version, &other.version)
            && part(&self.kind, &other.kind)
    }
}

impl std::fmt::Display for GvkPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [&*self.group, &*self.version, &*self.kind];
        let mut first = true;
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            if !first {
                f.write_str("/")?;
            }
            f.write_str(part)?;
            first = false;
        }
        Ok(())
    }
}

/// An object by what identifies it.
///
/// Two are equal when kustomize takes them for the same object.
#[derive(Clone, Debug, Default)]
pub(super) struct Id {
    pub(super) gvk: Gvk,
    pub(super) name: Arc<str>,
    /// As written.
    pub(super) namespace: Arc<str>,
    /// Whether it is known to live outside namespaces.
    pub(super) is_cluster_scoped: bool,
}

impl Id {
    /// The namespace that counts.
    pub(super) fn effective_namespace(&self) -> &str {
        if self.is_cluster_scoped {
            CLUSTER
        } else if self.namespace.is_empty() {
            "default"
        } else {
            &self.namespace
        }
    }

    /// Whether the two are in the same namespace.
    pub(super) fn is_namespace_equal(&self, other: &Id) -> bool {
        self.effective_namespace() == other.effective_namespace()
    }

    /// Whether group, version, kind and name are the same.
    pub(super) fn is_gvkn_equal(&self, other: &Id) -> bool {
        self.name == other.name && self.gvk == other.gvk
    }

    /// The form that findings carry.
    pub(super) fn to_object_ref(&self) -> ObjectRef {
        ObjectRef {
            api_version: self.gvk.api_version().into(),
            kind: self.gvk.kind.clone(),
            namespace: if self.is_cluster_scoped {
                "".into()
            } else {
                self.namespace.clone()
            },
            name: self.name.clone(),
        }
    }
}

impl PartialEq for Id {
    fn eq(&self, other: &Id) -> bool {
        self.is_gvkn_equal(other) && self.is_namespace_equal(other)
    }
}

impl Eq for Id {}

impl Hash for Id {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        self.gvk.hash(state);
        self.effective_namespace().hash(state);
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/", self.gvk.kind)?;
        if !self.namespace.is_empty() && !self.is_cluster_scoped {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}

// Fields that identify, as they stand in an object.

/// The text of a field, empty where it is missing or no scalar.
pub(super) fn field_text(object: &Node, name: &str) -> Arc<str> {
    object
        .get(name)
        .and_then(Node::shared_text)
        .cloned()
        .unwrap_or_default()
}

/// The group, version and kind of an object.
pub(super) fn gvk_of(object: &Node) -> Gvk {
    let api_version = object
        .get("apiVersion")
        .and_then(Node::text)
        .unwrap_or_default();
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    Gvk {
        group: group.into(),
        version: version.into(),
        kind: field_text(object, "kind"),
    }
}

/// A string field of the metadata; empty where it is missing or null.
pub(super) fn metadata_text(object: &Node, name: &str) -> Arc<str> {
    object
        .get("metadata")
        .filter(|metadata| !metadata.is_null_or_empty())
        .and_then(|metadata| metadata.get(name))
        .filter(|field| !field.is_null_or_empty())
        .and_then(Node::shared_text)
        .cloned()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(namespace: &str, is_cluster_scoped: bool) -> Id {
        Id {
            gvk: Gvk::new("v1", "ConfigMap"),
            name: "a".into(),
            namespace: namespace.into(),
            is_cluster_scoped,
        }
    }

    #[test]
    fn no_namespace_is_the_default_one() {
        assert_eq!(id("", false), id("default", false));
        assert_ne!(id("", false), id("x", false));
        assert_eq!(id("x", true), id("", true));
        assert_eq!(id(CLUSTER, false), id("y", true));
    }

    #[test]
    fn patterns() {
        let all = GvkPattern::default();
        let kind = GvkPattern {
            kind: "ConfigMap".into(),
            ..GvkPattern::default()
        };
        let gvk = Gvk::new("apps/v1", "Deployment");
        assert!(all.selects(&gvk) && !kind.selects(&gvk));
        assert!(kind.selects(&Gvk::new("v1", "ConfigMap")));
        assert!(all.selects_pattern(&kind) && !kind.selects_pattern(&all));
    }
}
