//! Objects that go, and objects that change hands.

use super::super::compare::Compared;
use super::super::pairs::Located;
use super::super::rendering::{Cluster, Owner};
use super::{Subject, counted, owner_ref, text_at};
use crate::diag::{Finding, Severity};
use crate::flux::api;
use crate::pipeline::cluster::UnitKind;
use crate::yaml::Node;

pub(super) fn look(
    subject: &Subject<'_>,
    compared: &[Compared<'_>],
    new: &Cluster,
    findings: &mut Vec<Finding>,
) {
    match (subject.old, subject.new) {
        (Some(_), None) => removed(subject, compared, new, findings),
        (Some(old), Some(new)) => {
            if let (Some(from), Some(to)) = (old.owner, new.owner)
                && !super::same_object(&from.id, &to.id)
            {
                moved(subject, from, to, findings);
            }
        }
        _ => {}
    }
}

fn moved(subject: &Subject<'_>, from: &Owner, to: &Owner, findings: &mut Vec<Finding>) {
    let finding = subject.finding(
        "change/owner",
        format!("it moves from {} to {}", owner_ref(from), owner_ref(to)),
    );
    let kept = |old: Located<'_>| is_kept(old, from);
    let deletes = from.prunes && !subject.old.is_some_and(kept);
    let finding = if deletes {
        let order = match from.kind {
            UnitKind::Kustomization => ", or order the owners with `dependsOn`",
            UnitKind::HelmRelease => "",
        };
        finding.help(format!(
            "{} deletes it if it runs before {} has taken it over: set the annotation `{}` on the \
             object in a change before this one{order}",
            owner_ref(from),
            owner_ref(to),
            keeping(from)
        ))
    } else {
        Finding {
            severity: Severity::Info,
            ..finding
        }
    };
    findings.push(finding);
}

/// The annotation that makes an owner leave an object in the cluster.
fn keeping(owner: &Owner) -> &'static str {
    match owner.kind {
        UnitKind::Kustomization => "kustomize.toolkit.fluxcd.io/prune: disabled",
        UnitKind::HelmRelease => "helm.sh/resource-policy: keep",
    }
}

/// Whether an owner leaves an object in the cluster when it is no longer
/// rendered.
///
/// Compat: kustomize-controller `prune`: the label or annotation
/// `kustomize.toolkit.fluxcd.io/prune`, and server-side apply's
/// `ssa: Ignore` is not looked at. Helm: `helm.sh/resource-policy: keep`.
fn is_kept(located: Located<'_>, owner: &Owner) -> bool {
    let object = &located.object.node;
    let metadata = |kind: &str, key: &str| {
        text_at(object, &["metadata", kind, key]).map(|text| text.to_ascii_lowercase())
    };
    match owner.kind {
        UnitKind::Kustomization => ["labels", "annotations"].iter().any(|kind| {
            metadata(kind, "kustomize.toolkit.fluxcd.io/prune").as_deref() == Some("disabled")
        }),
        UnitKind::HelmRelease => {
            located.object.stays
                || metadata("annotations", "helm.sh/resource-policy").as_deref() == Some("keep")
        }
    }
}

fn removed(
    subject: &Subject<'_>,
    compared: &[Compared<'_>],
    new: &Cluster,
    findings: &mut Vec<Finding>,
) {
    let Some(old) = subject.old else { return };
    let object = &old.object.node;
    let Some(owner) = old.owner else {
        findings.push(subject.finding(
            "change/orphan",
            "it is gone from the repository; nobody deletes it from the cluster",
        ));
        return;
    };
    if !owner.prunes || is_kept(old, owner) {
        let why = if old.object.stays {
            "never deletes a definition in the `crds/` of its chart"
        } else if owner.prunes {
            "is told to keep it"
        } else {
            "does not prune"
        };
        findings.push(subject.finding(
            "change/orphan",
            format!("it stays in the cluster: {} {why}", owner_ref(owner)),
        ));
        return;
    }
    if let Some(lost) = lost_with(subject, object, compared, new) {
        findings.push(
            subject
                .finding(
                    "change/delete-data",
                    format!("it is deleted, and with it {lost}"),
                )
                .help(format!(
                    "if it is to stay, set the annotation `{}` in a change before this one; else \
                     see that there is a backup",
                    keeping(owner)
                )),
        );
        return;
    }
    findings.push(subject.finding(
        "change/delete",
        format!("it is deleted: {} no longer holds it", owner_ref(owner)),
    ));
}

/// What is lost with an object besides itself.
fn lost_with(
    subject: &Subject<'_>,
    object: &Node,
    compared: &[Compared<'_>],
    new: &Cluster,
) -> Option<String> {
    let id = subject.id()?;
    let text = |path: &[&str]| text_at(object, path);
    match subject.group_kind() {
        ("", "PersistentVolumeClaim") => Some("the volume that it claims".to_owned()),
        ("", "PersistentVolume") => {
            let policy = text(&["spec", "persistentVolumeReclaimPolicy"]);
            let kept = policy.is_some_and(|p| &**p == "Retain");
            (!kept).then(|| "its storage".to_owned())
        }
        ("", "Namespace") => {
            let inside = compared
                .iter()
                .filter(|c| {
                    let old = c.pair.old.filter(|_| c.pair.new.is_none());
                    old.is_some_and(|l| *l.namespace == id.name)
                })
                .count();
            Some(match inside {
                0 => "everything in it".to_owned(),
                n => format!(
                    "everything in it, {} of this repository among it",
                    counted(n, "object", "objects")
                ),
            })
        }
        ("apiextensions.k8s.io", "CustomResourceDefinition") => {
            let group = text(&["spec", "group"])?;
            let kind = text(&["spec", "names", "kind"])?;
            let left = new
                .units
                .iter()
                .filter_map(|unit| unit.outcome.as_ref().ok())
                .flatten()
                .filter(|o| o.id.gvk.group == *group && o.id.gvk.kind == *kind)
                .count();
            Some(match left {
                0 => format!("every {kind} in the cluster"),
                n => format!("every {kind} in the cluster, {n} of this repository among them"),
            })
        }
        ("apps", "StatefulSet") => {
            let path = [
                "spec",
                "persistentVolumeClaimRetentionPolicy",
                "whenDeleted",
            ];
            let deletes = text(&path).is_some_and(|p| &**p == "Delete");
            deletes.then(|| "the volumes of its pods".to_owned())
        }
        (api::KUSTOMIZE, "Kustomization") => {
            let mirror = text(&["spec", "deletionPolicy"]);
            let spec = object.get("spec");
            let prunes = spec
                .and_then(|s| s.get("prune"))
                .and_then(Node::as_bool)
                .unwrap_or_default();
            let deletes = match mirror.map(|p| &**p) {
                Some("Delete" | "WaitForTermination") => true,
                Some("Orphan") => false,
                _ => prunes,
            };
            let objects = objects_of(subject, compared);
            (deletes && objects > 0).then(|| {
                format!(
                    "the {} that it applies and nobody takes over",
                    counted(objects, "object", "objects")
                )
            })
        }
        (api::HELM, "HelmRelease") => Some("the release, which is uninstalled".to_owned()),
        _ => None,
    }
}

/// How many objects go that the subject, an owner, applied.
fn objects_of(subject: &Subject<'_>, compared: &[Compared<'_>]) -> usize {
    let Some(id) = subject.id() else { return 0 };
    let is_its = |c: &&Compared<'_>| {
        let old = c.pair.old.filter(|_| c.pair.new.is_none());
        old.and_then(|l| l.owner)
            .is_some_and(|o| super::same_object(&o.id, id))
    };
    compared.iter().filter(is_its).count()
}
