//! Objects that several apply.

use std::collections::BTreeMap;

use crate::check::{Applied, Check, Out, Rule, View};
use crate::diag::{Location, Severity, SourceMap};
use crate::flux::api;
use crate::pipeline::cluster::{Unit, UnitKind};
use crate::yaml::{Node, emit};

/// The example, with the part that is wrong in one and right in the other.
macro_rules! example {
    ($part:literal) => {
        concat!(
            "\
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
",
            $part,
            "\
-- apps/web.yaml --
apiVersion: v1
kind: Namespace
metadata:
  name: web
"
        )
    };
}

pub(in crate::check) static RULE: Rule = Rule {
    id: "own/duplicate",
    severity: Severity::Error,
    title: "an object that several apply",
    why: "Two Kustomizations (or HelmReleases) that apply the same object undo each other's \
          fields and labels at every interval, and when one of them is removed or no longer \
          brings it, pruning deletes the object under the other one. What goes to another cluster, \
          by `kubeConfig`, is compared with what goes to the same one. Names with variables that \
          have no value here are the same where both take them from the same objects.",
    mend: "Let one of them bring the object; give the other one another name or namespace, or let \
           both depend on a third that brings what they share.",
    bad: example!(
        "\
---
apiVersion: v1
kind: Namespace
metadata:
  name: web
"
    ),
    good: example!(""),
    check: Check::Cluster(check),
};

/// A cluster, empty for this one; the group, kind, namespace and name of an
/// object; and what decides on its name where that is not known.
type Key<'a> = (String, &'a str, &'a str, &'a str, &'a str, String);

fn check(view: &View<'_>, out: &mut Out<'_>) {
    let mut owners: BTreeMap<Key<'_>, Vec<&Applied<'_>>> = BTreeMap::new();
    for applied in view.objects() {
        // What is bootstrapped and not applied has no owner.
        let Some(unit) = applied.unit.filter(|_| !is_shared(applied)) else {
            continue;
        };
        let gvk = applied.gvk();
        let key = (
            cluster(unit),
            &*gvk.group,
            &*gvk.kind,
            applied.namespace,
            applied.name(),
            variables(applied, unit),
        );
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
            let is_of_crds = |applied| is_in_crds_folder(applied, out.sources());
            out.push(if is_namespace(other) {
                // Both say the same of it; what is at stake is pruning.
                finding.severity(namespace_severity(first, other))
            } else if is_of_crds(first) && is_of_crds(other) {
                // Helm neither owns nor deletes what lies there.
                finding.severity(Severity::Info)
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

/// What the cluster is called that a unit applies to: by its kubeconfig, or
/// nothing where it is this one.
fn cluster(unit: &Unit) -> String {
    let named = ["secretRef", "configMapRef"].into_iter().filter_map(|key| {
        let path = ["spec", "kubeConfig", key, "name"];
        let name = unit.object.at_path(&path).and_then(Node::text)?;
        Some(format!("{key} {}/{name}", unit.id.namespace))
    });
    named.collect::<Vec<_>>().join(" ")
}

/// What decides on a name that depends on variables which have no value here:
/// two that are the same before substitution are the same after it where all
/// variables come from the same objects, and may be two otherwise.
fn variables(applied: &Applied<'_>, unit: &Unit) -> String {
    if !applied.name().contains("${") && !applied.namespace.contains("${") {
        return String::new();
    }
    let given = unit.object.at_path(&["spec", "postBuild"]);
    let mut text = format!("{} ", unit.id.namespace);
    if let Some(given) = given {
        // What cannot be printed was not rendered either.
        let _ = emit::sorted(given, &mut text);
    }
    text
}

/// Whether an object is a definition from the folder `crds` of a chart.
fn is_in_crds_folder(applied: &Applied<'_>, sources: &SourceMap) -> bool {
    let is_release = applied
        .unit
        .is_some_and(|unit| unit.kind == UnitKind::HelmRelease);
    let file = sources.get(applied.node().span().file);
    let in_folder = file.is_some_and(|file| file.path.contains("/crds/"));
    is_release && applied.is("apiextensions.k8s.io", "CustomResourceDefinition") && in_folder
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
                    .and_then(Node::as_bool)
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

#[cfg(test)]
mod tests {
    use crate::check::example::testing::found;

    /// Two Kustomizations of one folder, each with more in its `spec`.
    fn two(name: &str, one: &str, other: &str) -> usize {
        let sync = |name: &str, more: &str| {
            format!(
                "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: \
                 {name}, namespace: flux-system}}\nspec:\n  interval: 10m\n  path: ./apps\n  prune: \
                 true\n  sourceRef: {{kind: GitRepository, name: flux-system}}\n{more}---\n"
            )
        };
        let text = format!(
            "{}{}-- apps/settings.yaml --\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: \
             '{name}', namespace: default}}\n",
            sync("one", one),
            sync("other", other)
        );
        found("own/duplicate", &text).len()
    }

    #[test]
    fn definitions_of_two_releases_of_one_chart_are_a_note() {
        let release = |name: &str| {
            format!(
                "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: \
                 {name}, namespace: default}}\nspec:\n  interval: 1h\n  chart:\n    spec:\n      \
                 chart: ./chart\n      sourceRef: {{kind: GitRepository, name: flux-system, \
                 namespace: flux-system}}\n---\n"
            )
        };
        let definition = "apiVersion: apiextensions.k8s.io/v1\nkind: \
                          CustomResourceDefinition\nmetadata: {name: widgets.example.com}\nspec:\n  \
                          group: example.com\n  scope: Namespaced\n  names: {kind: Widget, plural: \
                          widgets}\n  versions:\n  - {name: v1, served: true, storage: true, schema: \
                          {openAPIV3Schema: {type: object}}}\n";
        let found = |folder: &str| {
            let text = format!(
                "{}{}-- chart/Chart.yaml --\napiVersion: v2\nname: c\nversion: 1.0.0\n-- \
                 chart/{folder}/w.yaml --\n{definition}",
                release("a"),
                release("b")
            );
            let found = found("own/duplicate", &text);
            let severities = found.iter().filter_map(|f| f.split(' ').next());
            severities.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(found("crds"), ["info"]);
        assert_eq!(found("templates"), ["error"]);
    }

    #[test]
    fn other_clusters_are_told_apart_by_their_kubeconfig() {
        let to = |name: &str| format!("  kubeConfig: {{secretRef: {{name: {name}}}}}\n");
        assert_eq!(two("a", &to("blue"), &to("blue")), 1);
        assert_eq!(two("a", &to("blue"), &to("green")), 0);
        assert_eq!(two("a", &to("blue"), ""), 0);
    }

    #[test]
    fn unknown_names_are_the_same_if_what_they_come_from_is() {
        let from = |name: &str| {
            format!("  postBuild: {{substituteFrom: [{{kind: Secret, name: {name}}}]}}\n")
        };
        let name = "settings-${cluster}";
        assert_eq!(two(name, &from("vars"), &from("vars")), 1);
        assert_eq!(two(name, &from("vars"), &from("others")), 0);
        let is = |value: &str| format!("  postBuild: {{substitute: {{cluster: {value}}}}}\n");
        assert_eq!(two(name, &is("blue"), &is("blue")), 1);
        assert_eq!(two(name, &is("blue"), &is("green")), 0);
    }
}
