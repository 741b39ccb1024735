//! Custom resources before their definitions.

use std::collections::BTreeMap;

use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;
use crate::pipeline::cluster::{Unit, UnitKind};
use crate::yaml::Node;

pub(in crate::check) static RULE: Rule = Rule {
    id: "dag/definition-order",
    severity: Severity::Error,
    title: "a custom resource beside the release that brings its definition",
    why: "A Kustomization tries all its objects before it applies the first one (definitions, namespaces \
          and classes go ahead). A custom resource whose definition a HelmRelease of the same Kustomization brings \
          fails the trial, so that the HelmRelease is never applied and the definition never comes.",
    mend: "Move the custom resource to a Kustomization of its own that depends on the one with the HelmRelease.",
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
    good: "\
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
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    // Which unit brings which definition.
    let mut definitions: BTreeMap<(&str, &str), Vec<&Unit>> = BTreeMap::new();
    for applied in view.of_kind("apiextensions.k8s.io", "CustomResourceDefinition") {
        let group = applied.text(&["spec", "group"]).unwrap_or_default();
        let kind = applied.text(&["spec", "names", "kind"]).unwrap_or_default();
        if let Some(unit) = applied.unit {
            definitions.entry((group, kind)).or_default().push(unit);
        }
    }
    for applied in view.objects() {
        let gvk = applied.gvk();
        let Some(unit) = applied.unit.filter(|u| u.kind == UnitKind::Kustomization) else {
            continue;
        };
        let Some(owners) = definitions.get(&(&*gvk.group, &*gvk.kind)) else {
            continue;
        };
        // Somebody else may bring it first.
        let beside = owners.iter().all(|owner| {
            owner.kind == UnitKind::HelmRelease && owner.parent.as_ref() == Some(&unit.id)
        });
        let skips = unit
            .object
            .at_path(&["spec", "suspend"])
            .and_then(Node::as_bool)
            == Some(true);
        if !beside || skips {
            continue;
        }
        let owner = owners.first().map(|o| o.id.to_object_ref().to_string());
        out.push(
            out.about(
                applied,
                applied.node().span(),
                format!(
                    "its definition comes with {}, which {} applies together with it",
                    owner.unwrap_or_default(),
                    unit.id.to_object_ref()
                ),
            )
            .help("move it to a Kustomization that depends on this one"),
        );
    }
}
