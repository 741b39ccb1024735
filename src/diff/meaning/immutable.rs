//! Fields that the API server lets nobody change.

use std::borrow::Cow;

use super::super::fields::{Change, ChangeKind};
use super::super::path::FieldPath;
use super::super::rendering::Owner;
use super::{Subject, from_to, owner_ref, text_at};
use crate::cel::Quantity;
use crate::diag::{Finding, Severity};
use crate::pipeline::cluster::UnitKind;
use crate::yaml::Node;

/// A chain of keys; `*` is any item.
type Keys = &'static [&'static str];

/// Which fields of a kind cannot be changed.
struct Immutable {
    group: &'static str,
    kind: &'static str,
    /// The fields.
    fields: &'static [Keys],
    /// Fields below them that can be changed all the same.
    but: &'static [Keys],
    /// What the API server fills in: written out or left out, it is the same.
    defaults: &'static [(Keys, &'static str)],
}

const fn fields(group: &'static str, kind: &'static str, fields: &'static [Keys]) -> Immutable {
    Immutable {
        group,
        kind,
        fields,
        but: &[],
        defaults: &[],
    }
}

const RBAC: &str = "rbac.authorization.k8s.io";

/// Source: the validation of updates in Kubernetes 1.37, `pkg/apis/*/validation`,
/// and the defaults beside it; of the last ones, the rules in their definitions.
const KINDS: &[Immutable] = &[
    fields("apps", "Deployment", &[&["spec", "selector"]]),
    fields("apps", "DaemonSet", &[&["spec", "selector"]]),
    fields("apps", "ReplicaSet", &[&["spec", "selector"]]),
    fields("apps", "ControllerRevision", &[&["data"]]),
    Immutable {
        group: "apps",
        kind: "StatefulSet",
        fields: &[&["spec"]],
        but: &[
            &["spec", "minReadySeconds"],
            &["spec", "ordinals"],
            &["spec", "persistentVolumeClaimRetentionPolicy"],
            &["spec", "replicas"],
            &["spec", "revisionHistoryLimit"],
            &["spec", "template"],
            &["spec", "updateStrategy"],
        ],
        defaults: &[
            (&["spec", "podManagementPolicy"], "OrderedReady"),
            (&["spec", "volumeClaimTemplates", "*", "apiVersion"], "v1"),
            (
                &["spec", "volumeClaimTemplates", "*", "kind"],
                "PersistentVolumeClaim",
            ),
            (
                &["spec", "volumeClaimTemplates", "*", "spec", "volumeMode"],
                "Filesystem",
            ),
        ],
    },
    Immutable {
        group: "batch",
        kind: "Job",
        fields: &[
            &["spec", "backoffLimitPerIndex"],
            &["spec", "completionMode"],
            &["spec", "completions"],
            &["spec", "managedBy"],
            &["spec", "podFailurePolicy"],
            &["spec", "selector"],
            &["spec", "successPolicy"],
            &["spec", "template"],
        ],
        but: &[],
        defaults: &[(&["spec", "completionMode"], "NonIndexed")],
    },
    Immutable {
        group: "",
        kind: "Pod",
        fields: &[&["spec"]],
        but: &[
            &["spec", "activeDeadlineSeconds"],
            &["spec", "containers", "*", "image"],
            &["spec", "initContainers", "*", "image"],
            &["spec", "schedulingGates"],
            &["spec", "terminationGracePeriodSeconds"],
            &["spec", "tolerations"],
        ],
        defaults: &[],
    },
    Immutable {
        group: "",
        kind: "PersistentVolumeClaim",
        fields: &[&["spec"]],
        but: &[
            &["spec", "resources"],
            &["spec", "volumeAttributesClassName"],
        ],
        defaults: &[(&["spec", "volumeMode"], "Filesystem")],
    },
    Immutable {
        group: "",
        kind: "PersistentVolume",
        fields: &[&["spec"]],
        but: &[
            &["spec", "accessModes"],
            &["spec", "capacity"],
            &["spec", "claimRef"],
            &["spec", "csi", "controllerExpandSecretRef"],
            &["spec", "mountOptions"],
            &["spec", "persistentVolumeReclaimPolicy"],
            &["spec", "storageClassName"],
            &["spec", "volumeAttributesClassName"],
        ],
        defaults: &[(&["spec", "volumeMode"], "Filesystem")],
    },
    Immutable {
        defaults: &[(&["type"], "Opaque")],
        ..fields("", "Secret", &[&["type"]])
    },
    Immutable {
        defaults: &[(&["roleRef", "apiGroup"], RBAC)],
        ..fields(RBAC, "RoleBinding", &[&["roleRef"]])
    },
    Immutable {
        defaults: &[(&["roleRef", "apiGroup"], RBAC)],
        ..fields(RBAC, "ClusterRoleBinding", &[&["roleRef"]])
    },
    Immutable {
        defaults: &[
            (&["reclaimPolicy"], "Delete"),
            (&["volumeBindingMode"], "Immediate"),
        ],
        ..fields(
            "storage.k8s.io",
            "StorageClass",
            &[
                &["parameters"],
                &["provisioner"],
                &["reclaimPolicy"],
                &["volumeBindingMode"],
            ],
        )
    },
    Immutable {
        defaults: &[(&["spec", "attachRequired"], "true")],
        ..fields(
            "storage.k8s.io",
            "CSIDriver",
            &[
                &["spec", "attachRequired"],
                &["spec", "volumeLifecycleModes"],
            ],
        )
    },
    fields(
        "storage.k8s.io",
        "VolumeAttributesClass",
        &[&["driverName"], &["parameters"]],
    ),
    Immutable {
        defaults: &[(&["preemptionPolicy"], "PreemptLowerPriority")],
        ..fields(
            "scheduling.k8s.io",
            "PriorityClass",
            &[&["preemptionPolicy"], &["value"]],
        )
    },
    fields(
        "networking.k8s.io",
        "IngressClass",
        &[&["spec", "controller"]],
    ),
    fields("node.k8s.io", "RuntimeClass", &[&["handler"]]),
    fields("discovery.k8s.io", "EndpointSlice", &[&["addressType"]]),
    fields("resource.k8s.io", "ResourceClaim", &[&["spec"]]),
    fields("resource.k8s.io", "ResourceClaimTemplate", &[&["spec"]]),
    fields(
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        &[
            &["spec", "group"],
            &["spec", "names", "kind"],
            &["spec", "names", "plural"],
            &["spec", "scope"],
        ],
    ),
    fields(
        "gateway.networking.k8s.io",
        "GatewayClass",
        &[&["spec", "controllerName"]],
    ),
    fields(
        "snapshot.storage.k8s.io",
        "VolumeSnapshot",
        &[&["spec", "source"]],
    ),
];

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some((old, new)) = subject.both() else {
        return;
    };
    if is_hook(subject) {
        return;
    }
    let (group, kind) = subject.group_kind();
    let known = KINDS.iter().find(|k| k.group == group && k.kind == kind);
    for change in subject.changes {
        let fixed = known.is_some_and(|known| {
            let is_in = |fields: &&[&str]| change.path.starts_with(fields);
            let is_default =
                |(keys, default): &(Keys, &str)| is_in(keys) && change.is_filled_in(default);
            known.fields.iter().any(is_in)
                && !known.but.iter().any(is_in)
                && !known.defaults.iter().any(is_default)
                && !is_free(kind, change, old, new)
        });
        let sealed = matches!((group, kind), ("", "ConfigMap" | "Secret"))
            && text_at(old, &["immutable"]).is_some_and(|text| &**text == "true")
            && ["binaryData", "data", "immutable", "stringData"]
                .iter()
                .any(|field| change.path.starts_with(&[field]));
        if fixed || sealed {
            findings.push(told(subject, change));
        } else if let Some(finding) = shrinks(subject, change) {
            findings.push(finding);
        }
    }
    if (group, kind) == ("", "Service") {
        let changes = service(subject, old, new);
        findings.extend(changes.iter().map(|change| told(subject, change)));
    }
}

/// Whether Helm deletes the object and makes it anew with each upgrade.
fn is_hook(subject: &Subject<'_>) -> bool {
    let by_helm = |owner: &Owner| owner.kind == UnitKind::HelmRelease;
    let path = ["metadata", "annotations", "helm.sh/hook"];
    subject.owner().is_some_and(by_helm)
        && (subject.new).is_some_and(|new| text_at(&new.object.node, &path).is_some())
}

/// Changes that are free where others of the field are not.
fn is_free(kind: &str, change: &Change, old: &Node, new: &Node) -> bool {
    let text = |node: &Node, key: &str| text_at(node, &["spec", key]).map(ToString::to_string);
    match kind {
        // Compat: `validateCompletions`: an indexed Job may grow and shrink, with all
        // of its pods at once.
        "Job" => {
            change.path.starts_with(&["spec", "completions"])
                && text(old, "completionMode").as_deref() == Some("Indexed")
                && text(new, "completions") == text(new, "parallelism")
        }
        // It may be set once.
        "PersistentVolume" => {
            change.path.starts_with(&["spec", "nodeAffinity"])
                && old.at_path(&["spec", "nodeAffinity"]).is_none()
        }
        _ => false,
    }
}

/// What cannot be changed of a Service while it has an address of its own.
///
/// Compat: `ValidateServiceUpdate` and `patchAllocatedValues`: what is left out is
/// taken from the Service that is there.
fn service(subject: &Subject<'_>, old: &Node, new: &Node) -> Vec<Change> {
    let kind = |node: &Node| text_at(node, &["spec", "type"]).map(ToString::to_string);
    let (was, is) = (kind(old), kind(new));
    if [&was, &is]
        .iter()
        .any(|t| t.as_deref() == Some("ExternalName"))
    {
        return Vec::new();
    }
    let balances = [&was, &is]
        .iter()
        .all(|t| t.as_deref() == Some("LoadBalancer"));
    let mut found = Vec::new();
    for change in subject.changes_at(&["spec", "clusterIP"]) {
        // Any other that comes may be the one that the cluster gave.
        let is_headless = change.new.as_ref().and_then(Node::text) == Some("None");
        if change.kind == ChangeKind::Changed || is_headless {
            found.push(change.into_owned());
        }
    }
    if balances {
        let class = subject.changes_at(&["spec", "loadBalancerClass"]);
        found.extend(class.map(Cow::into_owned));
        let port = subject.changes_at(&["spec", "healthCheckNodePort"]);
        let port = port.filter(|change| change.kind == ChangeKind::Changed);
        found.extend(port.map(Cow::into_owned));
    }
    // Of these, the first.
    for key in ["clusterIPs", "ipFamilies"] {
        let first = |node: &Node| node.at_path(&["spec", key])?.items().first().cloned();
        if let (Some(before), Some(now)) = (first(old), first(new))
            && before.text() != now.text()
        {
            found.push(Change {
                path: FieldPath::default()
                    .key(&"spec".into())
                    .key(&key.into())
                    .item(None, Some(0), Some(0)),
                kind: ChangeKind::Changed,
                old: Some(before),
                new: Some(now),
                noise: None,
            });
        }
    }
    found
}

fn told(subject: &Subject<'_>, change: &Change) -> Finding {
    let what = format!(
        "`{}` cannot be changed: it {}",
        change.path,
        from_to(change)
    );
    let finding = subject.finding_at("change/immutable", change, what);
    // The cluster fills in the volume of a claim, and the class that is the default.
    let may_be_the_same = subject.group_kind() == ("", "PersistentVolumeClaim")
        && change.kind == ChangeKind::Added
        && [&["spec", "storageClassName"], &["spec", "volumeName"]]
            .iter()
            .any(|field| change.path.starts_with(*field));
    if may_be_the_same {
        return Finding {
            severity: Severity::Warning,
            message: format!(
                "{}, which may be what the cluster has filled in",
                finding.message
            ),
            ..finding
        }
        .help("look at the claim in the cluster: any other value is refused");
    }
    let forced = subject.owner().is_some_and(|owner| owner.forces)
        || subject.new.is_some_and(|new| {
            ["labels", "annotations"].iter().any(|place| {
                let path = ["metadata", place, "kustomize.toolkit.fluxcd.io/force"];
                text_at(&new.object.node, &path)
                    .is_some_and(|text| text.eq_ignore_ascii_case("enabled"))
            })
        });
    match subject.owner() {
        Some(owner) if forced => Finding {
            severity: Severity::Warning,
            message: format!(
                "{}; {} deletes the object and makes it anew",
                finding.message,
                owner_ref(owner)
            ),
            ..finding
        }
        .help("see that what depends on it bears that"),
        Some(owner) if owner.kind == UnitKind::Kustomization => finding.help(format!(
            "{} fails until the object is deleted by hand, or carries the annotation \
             `kustomize.toolkit.fluxcd.io/force: enabled`, with which it is deleted and made anew",
            owner_ref(owner)
        )),
        Some(owner) => finding.help(format!(
            "the upgrade of {} fails until the object is deleted by hand",
            owner_ref(owner)
        )),
        None => finding.help("delete the object first, or give the new one another name"),
    }
}

/// A claim for less than before.
fn shrinks(subject: &Subject<'_>, change: &Change) -> Option<Finding> {
    let path = ["spec", "resources", "requests", "storage"];
    if subject.group_kind() != ("", "PersistentVolumeClaim") || !change.path.starts_with(&path) {
        return None;
    }
    let amount = |node: &Option<Node>| Quantity::parse(node.as_ref()?.text()?);
    let (old, new) = (amount(&change.old)?, amount(&change.new)?);
    (new < old).then(|| {
        subject
            .finding_at(
                "change/volume-shrink",
                change,
                format!("the claim {}: volumes only grow", from_to(change)),
            )
            .help("make a new claim and copy the data")
    })
}
