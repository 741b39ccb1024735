//! Objects that several apply.

use std::collections::BTreeMap;

use crate::check::{Applied, Check, Out, Rule, View};
use crate::diag::{Location, Severity};
use crate::flux::api;

pub(in crate::check) static RULE: Rule = Rule {
    id: "own/duplicate",
    severity: Severity::Error,
    title: "an object that several apply",
    why: "Two Kustomizations (or HelmReleases) that apply the same object undo each other's \
          fields and labels at every interval, and when one of them is removed or no longer \
          brings it, pruning deletes the object under the other one.",
    mend: "Let one of them bring the object; give the other one another name or namespace, or let \
           both depend on a third that brings what they share.",
    bad: "\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: apps
  namespace: flux-system
spec:
  interval: 10m
  path: ./apps
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
---
apiVersion: v1
kind: Namespace
metadata:
  name: web
-- apps/web.yaml --
apiVersion: v1
kind: Namespace
metadata:
  name: web
",
    good: "\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: apps
  namespace: flux-system
spec:
  interval: 10m
  path: ./apps
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
-- apps/web.yaml --
apiVersion: v1
kind: Namespace
metadata:
  name: web
",
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    let mut owners: BTreeMap<(&str, &str, &str, &str), Vec<&Applied<'_>>> = BTreeMap::new();
    for applied in view.objects() {
        // What is bootstrapped and not applied has no owner; what goes to
        // another cluster is not here.
        if applied.unit.is_none()
            || applied.is_remote()
            || is_shared(applied)
            || is_unresolved(applied)
        {
            continue;
        }
        let gvk = applied.gvk();
        let key = (&*gvk.group, &*gvk.kind, applied.namespace, applied.name());
        owners.entry(key).or_default().push(applied);
    }
    for applied in owners.values() {
        let [first, rest @ ..] = &applied[..] else {
            continue;
        };
        let Some(owner) = first.unit else { continue };
        for other in rest {
            let Some(unit) = other.unit.filter(|unit| unit.id != owner.id) else {
                continue;
            };
            let (a, b) = (owner.id.to_object_ref(), unit.id.to_object_ref());
            let at = Location::of(first.node().span(), out.sources());
            let there = at.map_or_else(String::new, |l| format!(" ({}:{})", l.file, l.line));
            let finding = out
                .about(
                    other,
                    other.node().span(),
                    format!("{b} applies it, and so does {a}{there}"),
                )
                .help(format!("leave it to one of them, {a} or {b}"));
            out.push(if is_namespace(other) {
                // Both say the same of it; what is at stake is pruning.
                finding.severity(namespace_severity(first, other))
            } else {
                finding
            });
        }
    }
}

/// Whether an object says itself that several may have a part in it.
///
/// Compat: kustomize-controller's `ssa: Merge`, `IfNotPresent` and `Ignore`.
fn is_shared(applied: &Applied<'_>) -> bool {
    let annotation = |name: &str| applied.text(&["metadata", "annotations", name]);
    annotation("kustomize.toolkit.fluxcd.io/ssa").is_some()
        || annotation("kustomize.toolkit.fluxcd.io/reconcile") == Some("disabled")
        || applied.gvk().group.is_empty() && applied.gvk().kind.is_empty()
}

/// Whether the name depends on variables that have no value here.
fn is_unresolved(applied: &Applied<'_>) -> bool {
    applied.name().contains("${") || applied.namespace.contains("${")
}

fn is_namespace(applied: &Applied<'_>) -> bool {
    applied.is("", "Namespace")
}

/// A Namespace that nobody prunes is harmless twice.
fn namespace_severity(first: &Applied<'_>, other: &Applied<'_>) -> Severity {
    let kept = |applied: &Applied<'_>| {
        let annotation = "kustomize.toolkit.fluxcd.io/prune";
        let own = applied.text(&["metadata", "annotations", annotation]) == Some("disabled");
        let label = applied.text(&["metadata", "labels", annotation]) == Some("disabled");
        let prunes = applied.unit.is_some_and(|unit| {
            !api::is_kustomization(&unit.id.gvk)
                || unit
                    .object
                    .at_path(&["spec", "prune"])
                    .and_then(crate::yaml::Node::as_bool)
                    == Some(true)
        });
        own || label || !prunes
    };
    if kept(first) && kept(other) {
        Severity::Warning
    } else {
        Severity::Error
    }
}
