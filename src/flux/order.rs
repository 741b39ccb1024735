//! The order in which kustomize-controller applies objects.
//!
//! Compat: fluxcd/pkg `ssa/manager_apply.go` `ApplyAllStaged` for the stages,
//! `ssa/sort.go` for the order within one.

use std::cmp::Ordering;

use crate::resource::ResId;

/// What is applied, and waited for, before what comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Custom resource definitions, namespaces and cluster roles.
    Definitions,
    /// Kinds whose name ends in `Class`.
    Classes,
    /// Kinds that the controller's `--custom-apply-stage-kinds` names.
    Custom,
    /// Everything else.
    Resources,
}

/// A kind that has a stage of its own, by group and name.
pub type CustomKinds = [(String, String)];

/// The stage of an object.
pub fn stage(id: &ResId, custom: &CustomKinds) -> Stage {
    let group = &*id.gvk.group;
    let core = group.is_empty() && &*id.gvk.version == "v1";
    match id.gvk.kind.to_lowercase().as_str() {
        "customresourcedefinition" if group == "apiextensions.k8s.io" => Stage::Definitions,
        "namespace" if core => Stage::Definitions,
        "clusterrole" if group == "rbac.authorization.k8s.io" => Stage::Definitions,
        _ if id.gvk.kind.ends_with("Class") => Stage::Classes,
        _ if custom
            .iter()
            .any(|(g, k)| g == group && **k == *id.gvk.kind) =>
        {
            Stage::Custom
        }
        _ => Stage::Resources,
    }
}

/// Kinds that go before others within a stage, in this order.
const FIRST: &[&str] = &[
    "CustomResourceDefinition",
    "Namespace",
    "ClusterRole",
    "ClusterClass",
    "RuntimeClass",
    "PriorityClass",
    "StorageClass",
    "VolumeSnapshotClass",
    "IngressClass",
    "GatewayClass",
    "ClusterRoleBinding",
    "ResourceQuota",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ConfigMap",
    "Secret",
    "Service",
    "LimitRange",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

/// Kinds that go after all others within a stage, in this order.
const LAST: &[&str] = &[
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

fn rank(kind: &str) -> usize {
    let first = FIRST.iter().position(|k| *k == kind);
    let last = || LAST.iter().position(|k| *k == kind);
    first.unwrap_or_else(|| FIRST.len() + last().map_or(0, |i| i + 1))
}

/// Compares two objects of one Kustomization: which is applied first.
pub fn compare(a: &ResId, b: &ResId, custom: &CustomKinds) -> Ordering {
    stage(a, custom)
        .cmp(&stage(b, custom))
        .then_with(|| rank(&a.gvk.kind).cmp(&rank(&b.gvk.kind)))
        .then_with(|| a.gvk.group.cmp(&b.gvk.group))
        .then_with(|| a.gvk.kind.cmp(&b.gvk.kind))
        .then_with(|| a.namespace.cmp(&b.namespace))
        .then_with(|| a.name.cmp(&b.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Gvk;

    fn id(api_version: &str, kind: &str, namespace: &str, name: &str) -> ResId {
        ResId {
            gvk: Gvk::new(api_version, kind),
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// Every kind that the order knows, some that it does not, in the order
    /// that `ApplyAllStaged` applies them.
    fn expected() -> Vec<ResId> {
        let rbac = "rbac.authorization.k8s.io/v1";
        vec![
            id(
                "apiextensions.k8s.io/v1",
                "CustomResourceDefinition",
                "",
                "x",
            ),
            id("v1", "Namespace", "", "a"),
            id("v1", "Namespace", "", "b"),
            id(rbac, "ClusterRole", "", "x"),
            id("cluster.x-k8s.io/v1beta1", "ClusterClass", "x", "x"),
            id("node.k8s.io/v1", "RuntimeClass", "", "x"),
            id("scheduling.k8s.io/v1", "PriorityClass", "", "x"),
            id("storage.k8s.io/v1", "StorageClass", "", "x"),
            id("snapshot.storage.k8s.io/v1", "VolumeSnapshotClass", "", "x"),
            id("networking.k8s.io/v1", "IngressClass", "", "x"),
            id("gateway.networking.k8s.io/v1", "GatewayClass", "", "x"),
            // A class that has no place of its own comes after those that do.
            id("resource.k8s.io/v1", "DeviceClass", "", "x"),
            // Named by the controller's flag.
            id(rbac, "Role", "x", "x"),
            id(rbac, "ClusterRoleBinding", "", "x"),
            id("v1", "ResourceQuota", "x", "x"),
            id("v1", "ServiceAccount", "x", "x"),
            id(rbac, "RoleBinding", "x", "x"),
            id("v1", "ConfigMap", "a", "z"),
            id("v1", "ConfigMap", "b", "a"),
            id("v1", "Secret", "x", "x"),
            id("v1", "Service", "x", "x"),
            // Another group's kind of the same name stands beside it.
            id("serving.knative.dev/v1", "Service", "x", "x"),
            id("v1", "LimitRange", "x", "x"),
            id("apps/v1", "Deployment", "x", "x"),
            id("apps/v1", "StatefulSet", "x", "x"),
            id("batch/v1", "CronJob", "x", "x"),
            id("policy/v1", "PodDisruptionBudget", "x", "x"),
            // Everything else by group, then kind.
            id("v1", "PersistentVolumeClaim", "x", "x"),
            id("v1", "Pod", "x", "x"),
            id("apps/v1", "DaemonSet", "x", "x"),
            id("batch/v1", "Job", "x", "x"),
            id("example.com/v1", "Namespace", "x", "x"),
            id("helm.toolkit.fluxcd.io/v2", "HelmRelease", "x", "x"),
            id("networking.k8s.io/v1", "Ingress", "x", "x"),
            id("networking.k8s.io/v1", "NetworkPolicy", "x", "x"),
            id(
                "admissionregistration.k8s.io/v1",
                "MutatingWebhookConfiguration",
                "",
                "x",
            ),
            id(
                "admissionregistration.k8s.io/v1",
                "ValidatingWebhookConfiguration",
                "",
                "x",
            ),
        ]
    }

    #[test]
    fn every_kind_has_its_place() {
        let custom = [("rbac.authorization.k8s.io".to_owned(), "Role".to_owned())];
        let mut want = expected();
        // A namespace of another group is no definition, but ranks as one.
        let odd = want
            .iter()
            .position(|i| &*i.gvk.group == "example.com")
            .unwrap();
        let namespace = want.remove(odd);
        let first = want
            .iter()
            .position(|i| stage(i, &custom) == Stage::Resources)
            .unwrap();
        want.insert(first, namespace);

        let mut got = want.clone();
        got.reverse();
        got.sort_by(|a, b| compare(a, b, &custom));
        assert_eq!(got, want);

        for kind in FIRST.iter().chain(LAST) {
            assert!(want.iter().any(|i| &*i.gvk.kind == *kind), "{kind}");
        }
    }

    #[test]
    fn without_the_flag_roles_are_resources() {
        let role = id("rbac.authorization.k8s.io/v1", "Role", "x", "x");
        let account = id("v1", "ServiceAccount", "x", "x");
        let binding = id("rbac.authorization.k8s.io/v1", "RoleBinding", "x", "x");
        assert_eq!(compare(&account, &role, &[]), Ordering::Less);
        assert_eq!(compare(&role, &binding, &[]), Ordering::Less);
    }
}
