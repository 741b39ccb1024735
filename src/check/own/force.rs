//! Force on what holds data.

use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;

pub(in crate::check) static RULE: Rule = Rule {
    id: "own/force",
    severity: Severity::Warning,
    title: "what holds data is deleted and made anew to change it",
    why: "With `force`, an object whose change the API server refuses is deleted and created again. A \
          PersistentVolumeClaim loses its volume so, a StatefulSet all its pods at once.",
    mend: "Take `force` out, or give the annotation `kustomize.toolkit.fluxcd.io/force: Enabled` to the objects \
           that need it.",
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
  force: true
-- apps/db.yaml --
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: db
  namespace: default
spec:
  serviceName: db
  selector:
    matchLabels:
      app: db
  template:
    metadata:
      labels:
        app: db
    spec:
      containers:
      - name: db
        image: registry.example.com/db:1.0.0
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
-- apps/db.yaml --
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: db
  namespace: default
spec:
  serviceName: db
  selector:
    matchLabels:
      app: db
  template:
    metadata:
      labels:
        app: db
    spec:
      containers:
      - name: db
        image: registry.example.com/db:1.0.0
",
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for applied in view.objects() {
        let holds_data =
            applied.is("apps", "StatefulSet") || applied.is("", "PersistentVolumeClaim");
        let Some(unit) = applied.unit.filter(|_| holds_data) else {
            continue;
        };
        let Some(force) = unit.object.at_path(&["spec", "force"]) else {
            continue;
        };
        if force.as_bool() == Some(true) {
            out.push(
                out.about(
                    applied,
                    force.span(),
                    format!("`force` of {} can delete it", unit.id.to_object_ref()),
                )
                .help("take `force` out, and annotate the objects that need it"),
            );
        }
    }
}
