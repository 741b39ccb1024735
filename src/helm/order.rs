//! The order in which kinds are installed.
//!
//! Compat: Helm 4.3.1 `pkg/release/v1/util/kind_sorter.go` `InstallOrder`: what
//! others need comes first, kinds that are not listed come last, by name.

use std::cmp::Ordering;

/// Kinds from the first to the last.
pub const INSTALL_ORDER: &[&str] = &[
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// Which of two kinds is installed first; equal for those whose order in their
/// templates decides.
pub fn compare(a: &str, b: &str) -> Ordering {
    let rank = |kind: &str| INSTALL_ORDER.iter().position(|known| *known == kind);
    match (rank(a), rank(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_place() {
        let mut kinds: Vec<&str> = INSTALL_ORDER.iter().rev().copied().collect();
        kinds.extend(["Widget", "Gadget", ""]);
        kinds.sort_by(|a, b| compare(a, b));
        let (known, others) = kinds.split_at(INSTALL_ORDER.len());
        assert_eq!(known, INSTALL_ORDER);
        assert_eq!(others, ["", "Gadget", "Widget"]);
    }
}
