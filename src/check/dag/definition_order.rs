//! Custom resources before their definitions.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;
use crate::graph::Moment;
use crate::pipeline::cluster::{Unit, UnitKind};
use crate::resource::ResId;
use crate::yaml::Node;

pub(in crate::check) static RULE: Rule = Rule {
    id: "dag/definition-order",
    severity: Severity::Warning,
    title: "a custom resource beside the release that brings its definition",
    why: "A Kustomization tries all its objects before it applies the first one (definitions, namespaces \
          and classes go ahead). A custom resource whose definition a HelmRelease of the same Kustomization brings \
          fails the trial, so that in a cluster that does not have the definition already, the HelmRelease is \
          never applied and the definition never comes. Where another Kustomization brings the definition, and \
          this one does not wait for it, the trial fails until it is there: that is a note.",
    mend: "Move the custom resource to a Kustomization of its own that depends on the one with the HelmRelease, \
           or on whatever brings its definition.",
    bad: "\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: operator
  namespace: default
spec:
  interval: 1h
  chart:
    spec:
      chart: ./charts/operator
      sourceRef:
        kind: GitRepository
        name: flux-system
        namespace: flux-system
---
apiVersion: example.com/v1
kind: Widget
metadata:
  name: first
  namespace: default
-- charts/operator/Chart.yaml --
apiVersion: v2
name: operator
version: 1.0.0
-- charts/operator/crds/widgets.yaml --
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: widgets.example.com
spec:
  group: example.com
  scope: Namespaced
  names:
    kind: Widget
    plural: widgets
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
",
    good: concat!(
        kustomization!("operator", "  wait: true\n"),
        "---\n",
        kustomization!("apps", "  dependsOn:\n  - name: operator\n"),
        "\
-- operator/release.yaml --
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: operator
  namespace: default
spec:
  interval: 1h
  chart:
    spec:
      chart: ./charts/operator
      sourceRef:
        kind: GitRepository
        name: flux-system
        namespace: flux-system
-- apps/widget.yaml --
apiVersion: example.com/v1
kind: Widget
metadata:
  name: first
  namespace: default
-- charts/operator/Chart.yaml --
apiVersion: v2
name: operator
version: 1.0.0
-- charts/operator/crds/widgets.yaml --
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: widgets.example.com
spec:
  group: example.com
  scope: Namespaced
  names:
    kind: Widget
    plural: widgets
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
",
    ),
    check: Check::Cluster(check),
};

/// Group and kind of what definitions define.
type Kind<'a> = (&'a str, &'a str);

fn check(view: &View<'_>, out: &mut Out<'_>) {
    // Which unit brings which definition; none where somebody does by hand.
    let mut definitions: BTreeMap<Kind<'_>, Option<Vec<&Unit>>> = BTreeMap::new();
    for applied in view.of_kind("apiextensions.k8s.io", "CustomResourceDefinition") {
        let group = applied.text(&["spec", "group"]).unwrap_or_default();
        let kind = applied.text(&["spec", "names", "kind"]).unwrap_or_default();
        let units = definitions.entry((group, kind)).or_insert(Some(Vec::new()));
        match (units.as_mut(), applied.unit) {
            (Some(known), Some(unit)) => known.push(unit),
            _ => *units = None,
        }
    }
    let numbers = numbers(view);
    let order = view.graph.order();
    let mut told = BTreeSet::new();
    for applied in view.objects() {
        let gvk = applied.gvk();
        let Some(unit) = applied.unit.filter(|u| u.kind == UnitKind::Kustomization) else {
            continue;
        };
        let owners = definitions.get(&(&*gvk.group, &*gvk.kind));
        let Some(owners) = owners.and_then(Option::as_ref) else {
            continue;
        };
        let skips = unit
            .object
            .at_path(&["spec", "suspend"])
            .and_then(Node::as_bool)
            == Some(true);
        let Some(owner) = owners.first().filter(|_| !skips && !unit.remote) else {
            continue;
        };
        let (by, whole) = (owner.id.to_object_ref(), unit.id.to_object_ref());
        // Somebody else may bring it first.
        let beside = owners.iter().all(|owner| {
            owner.kind == UnitKind::HelmRelease && owner.parent.as_ref() == Some(&unit.id)
        });
        // Once for each Kustomization and whoever brings the definition.
        if told.contains(&(whole.clone(), by.clone())) {
            continue;
        }
        if beside {
            let message =
                format!("its definition comes with {by}, which {whole} applies together with it");
            out.push(
                out.about(applied, applied.node().span(), message)
                    .help("move it, and what else is of that kind, to a Kustomization that depends on this one"),
            );
            told.insert((whole, by));
            continue;
        }
        let is_ordered = || {
            let number = numbers.get(&key_of(unit)).copied();
            let bringers: Vec<(Option<usize>, Option<usize>)> = owners
                .iter()
                .map(|owner| {
                    let parent = owner.parent.as_ref();
                    let parent = parent.and_then(|id| numbers.get(&(id, UnitKind::Kustomization)));
                    (numbers.get(&key_of(owner)).copied(), parent.copied())
                })
                .collect();
            let is_own = owners.iter().any(|owner| key_of(owner) == key_of(unit));
            is_own
                || number.is_none_or(|number| {
                    order.comes_after(number, |item, moment| {
                        bringers.iter().any(|(owner, parent)| {
                            *owner == Some(item)
                                // Whoever waits for all of it waits for the release in it.
                                || (*parent == Some(item) && moment == Moment::Ready)
                        })
                    })
                })
        };
        if !is_ordered() {
            let message =
                format!("its definition comes with {by}, which {whole} does not wait for");
            out.push(
                out.about(applied, applied.node().span(), message)
                    .severity(Severity::Info)
                    .help(format!("let {whole} depend on what applies {by}")),
            );
            told.insert((whole, by));
        }
    }
}

type Key<'a> = (&'a ResId, UnitKind);

fn key_of(unit: &Unit) -> Key<'_> {
    (&unit.id, unit.kind)
}

/// The numbers of units in the graph.
fn numbers<'a>(view: &View<'a>) -> BTreeMap<Key<'a>, usize> {
    let items = view.graph.items.iter().enumerate();
    let by_id: BTreeMap<_, usize> = items
        .map(|(number, item)| {
            let id = &item.id;
            ((&*id.gvk.kind, &*id.namespace, &*id.name), number)
        })
        .collect();
    let units = view.cluster.units.iter();
    units
        .filter_map(|unit| {
            let namespace = match &*unit.id.namespace {
                "" => "default",
                namespace => namespace,
            };
            let key = (&*unit.id.gvk.kind, namespace, &*unit.id.name);
            Some((key_of(unit), *by_id.get(&key)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::check::dag::testing::kustomization;
    use crate::check::example::testing::found;

    #[test]
    fn a_resource_waits_for_whoever_brings_its_definition() {
        let widget = |name: &str| {
            format!(
                "---\napiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: {name}\n  namespace: \
                 default\n"
            )
        };
        let definition = RULE.bad.split_once("widgets.yaml --\n").unwrap().1;
        let repository = |definitions: &str, apps: &str| {
            format!(
                "{}{}-- definitions/widgets.yaml --\n{definition}-- apps/widgets.yaml --\n{}{}",
                kustomization("definitions", "definitions", definitions),
                kustomization("apps", "apps", apps),
                widget("a"),
                widget("b")
            )
        };
        assert_eq!(
            found(RULE.id, &repository("", "")),
            ["info apps/widgets.yaml:2:1 its definition comes with \
                 Kustomization/flux-system/definitions, which Kustomization/flux-system/apps does \
                 not wait for"]
        );
        let waits = "  dependsOn:\n  - name: definitions\n";
        assert_eq!(found(RULE.id, &repository("", waits)), [""; 0]);
        assert_eq!(
            found(RULE.id, &repository("", "  suspend: true\n")),
            [""; 0]
        );
    }
}
