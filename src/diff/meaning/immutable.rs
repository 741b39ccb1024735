//! Fields that the API server lets nobody change.

use super::super::fields::{Change, ChangeKind};
use super::{Subject, from_to, owner_ref, text_at};
use crate::cel::Quantity;
use crate::diag::{Finding, Severity};
use crate::pipeline::cluster::UnitKind;

/// Which fields of a kind cannot be changed.
struct Immutable {
    group: &'static str,
    kind: &'static str,
    /// The fields.
    fields: &'static [&'static [&'static str]],
    /// Fields below them that can be changed all the same.
    but: &'static [&'static [&'static str]],
}

const fn fields(
    group: &'static str,
    kind: &'static str,
    fields: &'static [&'static [&'static str]],
) -> Immutable {
    Immutable {
        group,
        kind,
        fields,
        but: &[],
    }
}

/// Source: the validation of updates in Kubernetes 1.37, `pkg/apis/*/validation`.
const KINDS: &[Immutable] = &[
    fields("apps", "Deployment", &[&["spec", "selector"]]),
    fields("apps", "DaemonSet", &[&["spec", "selector"]]),
    fields("apps", "ReplicaSet", &[&["spec", "selector"]]),
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
    },
    Immutable {
        group: "batch",
        kind: "Job",
        fields: &[
            &["spec", "completionMode"],
            &["spec", "managedBy"],
            &["spec", "podFailurePolicy"],
            &["spec", "selector"],
            &["spec", "successPolicy"],
            &["spec", "template"],
        ],
        but: &[],
    },
    Immutable {
        group: "",
        kind: "PersistentVolumeClaim",
        fields: &[&["spec"]],
        but: &[
            &["spec", "resources"],
            &["spec", "volumeAttributesClassName"],
        ],
    },
    Immutable {
        group: "",
        kind: "PersistentVolume",
        fields: &[&["spec"]],
        but: &[
            &["spec", "accessModes"],
            &["spec", "capacity"],
            &["spec", "claimRef"],
            &["spec", "mountOptions"],
            &["spec", "nodeAffinity"],
            &["spec", "persistentVolumeReclaimPolicy"],
            &["spec", "storageClassName"],
            &["spec", "volumeAttributesClassName"],
        ],
    },
    fields("", "Secret", &[&["type"]]),
    fields("rbac.authorization.k8s.io", "RoleBinding", &[&["roleRef"]]),
    fields(
        "rbac.authorization.k8s.io",
        "ClusterRoleBinding",
        &[&["roleRef"]],
    ),
    fields(
        "storage.k8s.io",
        "StorageClass",
        &[
            &["parameters"],
            &["provisioner"],
            &["reclaimPolicy"],
            &["volumeBindingMode"],
        ],
    ),
    fields(
        "storage.k8s.io",
        "CSIDriver",
        &[
            &["spec", "attachRequired"],
            &["spec", "fsGroupPolicy"],
            &["spec", "volumeLifecycleModes"],
        ],
    ),
    fields(
        "storage.k8s.io",
        "VolumeAttributesClass",
        &[&["driverName"], &["parameters"]],
    ),
    fields(
        "scheduling.k8s.io",
        "PriorityClass",
        &[&["preemptionPolicy"], &["value"]],
    ),
    fields(
        "networking.k8s.io",
        "IngressClass",
        &[&["spec", "controller"]],
    ),
    fields("node.k8s.io", "RuntimeClass", &[&["handler"]]),
    fields("discovery.k8s.io", "EndpointSlice", &[&["addressType"]]),
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
];

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some((old, _)) = subject.both() else {
        return;
    };
    let (group, kind) = subject.group_kind();
    let known = KINDS.iter().find(|k| k.group == group && k.kind == kind);
    for change in subject.changes {
        let fixed = known.is_some_and(|known| {
            let is_in = |fields: &&[&str]| change.path.starts_with(fields);
            known.fields.iter().any(is_in) && !known.but.iter().any(is_in)
        });
        // An address that was given by the cluster is not in the repository.
        let address = (group, kind) == ("", "Service")
            && change.kind == ChangeKind::Changed
            && change.path.starts_with(&["spec", "clusterIP"]);
        let sealed = matches!((group, kind), ("", "ConfigMap" | "Secret"))
            && text_at(old, &["immutable"]).is_some_and(|text| &**text == "true")
            && ["binaryData", "data", "immutable", "stringData"]
                .iter()
                .any(|field| change.path.starts_with(&[field]));
        if fixed || address || sealed {
            findings.push(told(subject, change));
        } else if let Some(finding) = shrinks(subject, change) {
            findings.push(finding);
        }
    }
}

fn told(subject: &Subject<'_>, change: &Change) -> Finding {
    let what = format!(
        "`{}` cannot be changed: it {}",
        change.path,
        from_to(change)
    );
    let finding = subject.finding_at("change/immutable", change, what);
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
    let amount = |node: &Option<crate::yaml::Node>| Quantity::parse(node.as_ref()?.text()?);
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
