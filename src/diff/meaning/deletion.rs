//! Objects that go, and objects that change hands.

use std::collections::{BTreeMap, BTreeSet};

use super::super::compare::Compared;
use super::super::pairs::Located;
use super::super::rendering::{Cluster, Owner, flags_of};
use super::{Subject, counted, owner_ref, text_at};
use crate::diag::{Finding, Severity};
use crate::flux::api;
use crate::pipeline::cluster::UnitKind;
use crate::resource::ResId;
use crate::yaml::Node;

/// What becomes of what leaves the repository.
pub(super) struct Fates<'a> {
    compared: &'a [Compared<'a>],
    new: &'a Cluster,
    /// The owners that are still there.
    owners: BTreeMap<OwnerKey<'a>, &'a Owner>,
    /// The objects of those that are not.
    gone: BTreeMap<OwnerKey<'a>, Located<'a>>,
}

/// An owner, whatever the version of its API.
type OwnerKey<'a> = [&'a str; 4];

fn key(id: &ResId) -> OwnerKey<'_> {
    [&id.gvk.group, &id.gvk.kind, &id.namespace, &id.name]
}

/// What becomes of an object that an owner no longer holds.
enum Fate {
    Deleted,
    /// It stays in the cluster: why.
    Stays(String),
}

impl<'a> Fates<'a> {
    pub(super) fn of(compared: &'a [Compared<'a>], new: &'a Cluster) -> Fates<'a> {
        let owners = new.units.iter().filter_map(|unit| unit.owner.as_ref());
        let gone = compared.iter().filter(|c| c.pair.new.is_none());
        let gone = gone.filter_map(|c| c.pair.old);
        let gone = gone.filter(|l| matches!(&*l.object.id.gvk.group, api::KUSTOMIZE | api::HELM));
        Fates {
            compared,
            new,
            owners: owners.map(|owner| (key(&owner.id), owner)).collect(),
            gone: gone.map(|l| (key(&l.object.id), l)).collect(),
        }
    }

    /// What becomes of an object that this owner held.
    fn fate(&self, located: Located<'a>, owner: &'a Owner) -> Fate {
        let mut seen = BTreeSet::new();
        self.fate_within(located, owner, &mut seen)
    }

    /// That something is deleted, and when.
    fn when(&self, owner: &Owner) -> String {
        match self.owners.get(&key(&owner.id)) {
            Some(now) if now.suspended => {
                format!("it is deleted as soon as {} is resumed", owner_ref(owner))
            }
            _ => "it is deleted".to_owned(),
        }
    }

    fn fate_within(
        &self,
        located: Located<'a>,
        owner: &'a Owner,
        seen: &mut BTreeSet<OwnerKey<'a>>,
    ) -> Fate {
        let name = owner_ref(owner);
        if let Some(why) = is_kept(located, owner) {
            return Fate::Stays(format!("{name} {why}"));
        }
        let own = key(&owner.id);
        if let Some(now) = self.owners.get(&own) {
            // Which of the two it does first, its old way or its new one, is a
            // matter of chance.
            if owner.prunes || now.prunes {
                return Fate::Deleted;
            }
            return Fate::Stays(format!("{name} does not prune"));
        }
        // The owner goes as well, by what holds it.
        let holder = self.gone.get(&own).and_then(|l| Some((*l, l.owner?)));
        if let Some((object, holder)) = holder.filter(|_| seen.insert(own))
            && !key(&holder.id).eq(&own)
            && let Fate::Stays(_) = self.fate_within(object, holder, seen)
        {
            return Fate::Stays(format!("{name} stays there, too"));
        }
        if owner.takes_along {
            return Fate::Deleted;
        }
        Fate::Stays(if owner.suspended {
            format!("{name} is suspended, and deletes nothing when it goes")
        } else {
            format!("{name} leaves what it has applied when it goes")
        })
    }
}

pub(super) fn look<'a>(subject: &Subject<'a>, fates: &Fates<'a>, findings: &mut Vec<Finding>) {
    match (subject.old, subject.new) {
        (Some(old), None) => findings.push(removed(subject, old, fates)),
        // The one of the old name goes. Only with data there is something to say of
        // what comes and goes with every change of its content.
        (Some(old), Some(_)) if subject.is_renamed() => {
            let gone = Subject {
                new: None,
                ..*subject
            };
            let finding = removed(&gone, old, fates);
            findings.extend((&*finding.rule == "change/delete-data").then_some(finding));
        }
        (Some(old), Some(new)) => {
            if let (Some(from), Some(to)) = (old.owner, new.owner)
                && !super::same_object(&from.id, &to.id)
            {
                findings.push(moved(subject, old, (from, to), fates));
            }
        }
        _ => {}
    }
}

fn moved<'a>(
    subject: &Subject<'a>,
    old: Located<'a>,
    (from, to): (&'a Owner, &'a Owner),
    fates: &Fates<'a>,
) -> Finding {
    let (from_ref, to_ref) = (owner_ref(from), owner_ref(to));
    let message = format!("it moves from {from_ref} to {to_ref}");
    if let Fate::Stays(_) = fates.fate(old, from) {
        return Finding {
            severity: Severity::Info,
            ..subject.finding("change/owner", message)
        };
    }
    let keeping = keeping(from);
    let lost = lost_with(subject, &old.object.node, fates);
    match from.kind {
        UnitKind::Kustomization => {
            let message = match lost {
                Some(lost) => format!("{message}: if it is deleted on the way, so is {lost}"),
                None => message,
            };
            subject.finding("change/owner", message).help(format!(
                "{from_ref} deletes it if it runs before {to_ref} has taken it over: set the \
                 annotation `{keeping}` on the object in a change before this one, or order the \
                 owners with `dependsOn`"
            ))
        }
        // Compat: Helm deletes what a release no longer has without a look at who
        // else has it.
        UnitKind::HelmRelease => {
            let finding = subject.finding("change/owner", &message);
            let finding = match lost {
                Some(lost) => Finding {
                    severity: Severity::Error,
                    message: format!("{message}, and is deleted on the way, and with it {lost}"),
                    ..finding
                },
                None => finding,
            };
            finding.help(format!(
                "{from_ref} deletes it, whoever has taken it over by then: set the annotation \
                 `{keeping}` on the object in a change before this one"
            ))
        }
    }
}

/// The annotation that makes an owner leave an object in the cluster.
fn keeping(owner: &Owner) -> &'static str {
    match owner.kind {
        UnitKind::Kustomization => "kustomize.toolkit.fluxcd.io/prune: disabled",
        UnitKind::HelmRelease => "helm.sh/resource-policy: keep",
    }
}

/// Why an owner leaves an object in the cluster when it is no longer rendered,
/// where it does.
///
/// Compat: kustomize-controller `deleteObjects`: a label or annotation of its own
/// group. Helm: `helm.sh/resource-policy: keep`; hooks are no part of what a
/// release is compared with.
fn is_kept(located: Located<'_>, owner: &Owner) -> Option<&'static str> {
    const EXCLUSIONS: &[(&str, &str)] = &[
        ("kustomize.toolkit.fluxcd.io/prune", "disabled"),
        ("kustomize.toolkit.fluxcd.io/reconcile", "disabled"),
        ("kustomize.toolkit.fluxcd.io/ssa", "ignore"),
    ];
    let object = &located.object.node;
    let metadata = |kind: &str, key: &str| {
        text_at(object, &["metadata", kind, key]).map(|text| text.to_ascii_lowercase())
    };
    let is_told = match owner.kind {
        UnitKind::Kustomization => EXCLUSIONS.iter().any(|(key, value)| {
            let places = ["labels", "annotations"].iter();
            let mut found = places.filter_map(|kind| metadata(kind, key));
            found.any(|text| text == *value)
        }),
        UnitKind::HelmRelease if located.object.stays => {
            return Some("never deletes a definition in the `crds/` of its chart");
        }
        UnitKind::HelmRelease if metadata("annotations", "helm.sh/hook").is_some() => {
            return Some("does not delete a hook of its chart with the rest");
        }
        UnitKind::HelmRelease => {
            metadata("annotations", "helm.sh/resource-policy").as_deref() == Some("keep")
        }
    };
    is_told.then_some("is told to keep it")
}

fn removed<'a>(subject: &Subject<'a>, old: Located<'a>, fates: &Fates<'a>) -> Finding {
    let Some(owner) = old.owner else {
        return subject.finding(
            "change/orphan",
            "it is gone from the repository; nobody deletes it from the cluster",
        );
    };
    if let Fate::Stays(why) = fates.fate(old, owner) {
        return subject.finding("change/orphan", format!("it stays in the cluster: {why}"));
    }
    let when = fates.when(owner);
    let Some(lost) = lost_with(subject, &old.object.node, fates) else {
        let holds = format!("{} no longer holds it", owner_ref(owner));
        return subject.finding("change/delete", format!("{when}: {holds}"));
    };
    subject
        .finding("change/delete-data", format!("{when}, and with it {lost}"))
        .help(format!(
            "if it is to stay, set the annotation `{}` in a change before this one; else see that \
             there is a backup",
            keeping(owner)
        ))
}

/// What is lost with an object besides itself.
fn lost_with<'a>(subject: &Subject<'a>, object: &Node, fates: &Fates<'a>) -> Option<String> {
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
            let inside = fates
                .compared
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
            let units = fates.new.units.iter();
            let left = units
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
            let objects = objects_of(id, fates);
            (objects > 0).then(|| {
                format!(
                    "the {} that it applies and nobody takes over",
                    counted(objects, "object", "objects")
                )
            })
        }
        (api::HELM, "HelmRelease") => {
            let uninstalls = flags_of(UnitKind::HelmRelease, Some(object)).takes_along;
            uninstalls.then(|| "the release, which is uninstalled".to_owned())
        }
        _ => None,
    }
}

/// How many objects are deleted that an owner applied.
fn objects_of(id: &ResId, fates: &Fates<'_>) -> usize {
    let gone = fates.compared.iter().filter(|c| c.pair.new.is_none());
    let gone = gone.filter_map(|c| c.pair.old);
    gone.filter(|located| {
        located.owner.is_some_and(|owner| {
            super::same_object(&owner.id, id)
                && matches!(fates.fate(*located, owner), Fate::Deleted)
        })
    })
    .count()
}
