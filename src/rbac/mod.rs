//! Who may do what, worked out as Kubernetes' RBAC authorizer does.
//!
//! In: Roles, ClusterRoles and their bindings as objects, with what every
//! cluster has of its own. Out: answers. `docs/rbac.md` tells how rights are
//! simulated, and what is taken for granted.
//!
//! - [`Policy`]: roles (aggregated ones worked out) and bindings of a cluster;
//!   [`Policy::rights`] gives all that one subject may do, [`Rights::allows`]
//!   answers a [`Request`]
//! - [`escalation`]: whether somebody may write a role or a binding
//! - [`needs`]: what Flux has to be allowed to do for each object it applies
//! - [`least`]: what is missing, as the least Roles that give it
//! - [`power`]: what a rule can be abused for, and who can become whom
//! - [`kinds`]: the resource that objects of a kind are called by

mod builtin;
pub mod escalation;
pub mod kinds;
pub mod least;
mod model;
pub mod needs;
mod policy;
pub mod power;

pub use model::{Binding, GROUP, LabelSelector, PolicyRule, Role, RoleRef, Subject};
pub use policy::{Grant, Policy, Request, Rights};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;
    use crate::yaml;

    /// The policy of objects as text; all are of RBAC's own version.
    pub(super) fn cluster(text: &str) -> Policy {
        let documents = yaml::parse(text, FileId::default()).unwrap();
        let objects: Vec<yaml::Node> = documents
            .into_iter()
            .map(|document| {
                let mut root = document.root;
                let version = format!("{GROUP}/v1");
                root.set("apiVersion", yaml::Node::string(version, root.span()));
                root
            })
            .collect();
        let namespace = |node: &yaml::Node| -> String {
            let namespace = node.at_path(&["metadata", "namespace"]);
            namespace
                .and_then(yaml::Node::text)
                .unwrap_or_default()
                .to_owned()
        };
        Policy::new(
            objects.iter().filter_map(|n| Role::of(n, &namespace(n))),
            objects.iter().filter_map(|n| Binding::of(n, &namespace(n))),
            Some("flux-system"),
        )
    }

    /// Rules as text.
    pub(super) fn rules(text: &str) -> Vec<PolicyRule> {
        let documents = yaml::parse(text, FileId::default()).unwrap();
        documents[0]
            .root
            .items()
            .iter()
            .map(PolicyRule::of)
            .collect()
    }

    pub(super) fn account(namespace: &str, name: &str) -> Subject {
        Subject::service_account(namespace, name)
    }
}
