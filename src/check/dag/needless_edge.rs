//! Dependencies that make no difference.

use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;

pub(in crate::check) static RULE: Rule = Rule {
    id: "dag/needless-edge",
    severity: Severity::Info,
    title: "a dependency that another one implies",
    why: "What is depended on waits for it already, so that this dependency makes no difference. The \
          fewer there are, the easier it is to see what waits for what, and the less there is to \
          mend when something is renamed.",
    mend: "Take it out, unless it is meant for the reader.",
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
  - name: ingress
  - name: certificates
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: ingress
  namespace: flux-system
spec:
  interval: 10m
  path: ./ingress
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
  dependsOn:
  - name: certificates
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: certificates
  namespace: flux-system
spec:
  interval: 10m
  path: ./certificates
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
-- apps/kustomization.yaml --
kind: Kustomization
-- ingress/kustomization.yaml --
kind: Kustomization
-- certificates/kustomization.yaml --
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
  - name: ingress
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: ingress
  namespace: flux-system
spec:
  interval: 10m
  path: ./ingress
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
  dependsOn:
  - name: certificates
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: certificates
  namespace: flux-system
spec:
  interval: 10m
  path: ./certificates
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
-- apps/kustomization.yaml --
kind: Kustomization
-- ingress/kustomization.yaml --
kind: Kustomization
-- certificates/kustomization.yaml --
kind: Kustomization
",
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for (edge, by) in view.graph.needless() {
        let name = |item: usize| view.graph.item(item).id.to_object_ref();
        out.push(
            out.about_object(
                name(edge.from.0),
                edge.span,
                format!("{} waits for {} already", name(by), name(edge.to.0)),
            )
            .help("take this dependency out, or leave it for the reader"),
        );
    }
}
