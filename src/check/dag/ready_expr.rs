//! Expressions of readiness that are none.

use crate::cel::Program;
use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;
use crate::flux::api::{HELM, KUSTOMIZE};

pub(in crate::check) static RULE: Rule = Rule {
    id: "dag/ready-expr",
    severity: Severity::Error,
    title: "a readyExpr that does not compile",
    why: "`readyExpr` says in CEL when a dependency is ready. One that does not compile stops the object for \
          good: Flux does not try again until it is changed. It knows `self`, the object, and `dep`, \
          the dependency.",
    mend: "Mend the expression at the place that is shown.",
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
  dependsOn:
  - name: infrastructure
    readyExpr: dep.status.ready ==
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: infrastructure
  namespace: flux-system
spec:
  interval: 10m
  path: ./infrastructure
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
-- apps/kustomization.yaml --
kind: Kustomization
-- infrastructure/kustomization.yaml --
kind: Kustomization
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
  dependsOn:
  - name: infrastructure
    readyExpr: dep.status.observedGeneration == dep.metadata.generation
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: infrastructure
  namespace: flux-system
spec:
  interval: 10m
  path: ./infrastructure
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
-- apps/kustomization.yaml --
kind: Kustomization
-- infrastructure/kustomization.yaml --
kind: Kustomization
",
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for (group, kind) in [(KUSTOMIZE, "Kustomization"), (HELM, "HelmRelease")] {
        for applied in view.of_kind(group, kind) {
            let list = applied.at(&["spec", "dependsOn"]);
            let list = list.map_or(&[][..], |n| n.items());
            for (i, dependency) in list.iter().enumerate() {
                let Some(expression) = dependency.target().get("readyExpr") else {
                    continue;
                };
                let text = expression.target().text().unwrap_or_default();
                if let Err(e) = Program::compile(text, &["self", "dep"]) {
                    out.push(
                        out.about(applied, expression.span(), format!("no expression: {e}"))
                            .path(format!("/spec/dependsOn/{i}/readyExpr"))
                            .help("write CEL over `self` and `dep`, as in `dep.status.ready`"),
                    );
                }
            }
        }
    }
}
