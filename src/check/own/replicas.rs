//! A number of pods that two set.

use crate::check::{Applied, Check, Out, Rule, View};
use crate::diag::Severity;
use crate::pipeline::cluster::UnitKind;

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
-- apps/web.yaml --
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: default
spec:
",
            $part,
            "  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
      - name: web
        image: registry.example.com/web:1.0.0
-- apps/scaler.yaml --
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: web
  namespace: default
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: web
  minReplicas: 2
  maxReplicas: 5
"
        )
    };
}

pub(in crate::check) static RULE: Rule = Rule {
    id: "own/replicas",
    severity: Severity::Warning,
    title: "a number of pods that an autoscaler changes and Flux changes back",
    why: "What a Kustomization applies it owns: with `replicas` in the manifest, Flux sets the number back at \
          every interval, the autoscaler raises it again, and pods come and go in between.",
    mend: "Take `replicas` out of the manifest, or out of the patch that sets it, and leave the number to the \
           autoscaler.",
    bad: example!(
        "  replicas: 2
"
    ),
    good: example!(""),
    check: Check::Cluster(check),
};

/// What changes the number of pods of something else.
const SCALERS: [(&str, &str); 2] = [
    ("autoscaling", "HorizontalPodAutoscaler"),
    ("keda.sh", "ScaledObject"),
];

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for (group, kind) in SCALERS {
        for scaler in view.of_kind(group, kind).filter(|s| !s.is_remote()) {
            let Some(name) = scaler.text(&["spec", "scaleTargetRef", "name"]) else {
                continue;
            };
            let target = scaler.text(&["spec", "scaleTargetRef", "kind"]);
            let target = target.unwrap_or("Deployment");
            for workload in view.all("apps", target, scaler.namespace, name) {
                one(scaler, workload, out);
            }
        }
    }
}

fn one(scaler: &Applied<'_>, workload: &Applied<'_>, out: &mut Out<'_>) {
    // Helm changes what a new version of the chart changes, and no more.
    let applied = workload
        .unit
        .is_some_and(|unit| unit.kind == UnitKind::Kustomization && !unit.remote);
    let left = workload
        .text(&["metadata", "annotations", "kustomize.toolkit.fluxcd.io/ssa"])
        .is_some_and(|ssa| ssa == "IfNotPresent" || ssa == "Ignore");
    let Some(replicas) = workload
        .at(&["spec", "replicas"])
        .filter(|_| applied && !left)
    else {
        return;
    };
    // An autoscaler leaves alone what is switched off by zero.
    if replicas.text() == Some("0") {
        return;
    }
    out.push(
        out.about(
            workload,
            replicas.span(),
            format!("{} sets the number of pods as well", scaler.reference()),
        )
        .path("/spec/replicas")
        .help("take `replicas` out, and leave it to the autoscaler"),
    );
}

#[cfg(test)]
mod tests {
    use crate::check::example::testing::found;

    #[test]
    fn a_field_that_is_ignored_is_nobodys() {
        let bad = super::RULE.bad;
        assert_eq!(
            found("own/replicas", bad),
            [
                "warning apps/web.yaml:7:13 HorizontalPodAutoscaler/default/web sets the number of \
                 pods as well"
            ]
        );
        let ignoring = bad.replace(
            "  prune: true\n",
            "  prune: true\n  ignore:\n  - paths: [/spec/replicas]\n    target: {kind: Deployment}\n",
        );
        assert_eq!(found("own/replicas", &ignoring), [""; 0]);
        assert_eq!(
            found(
                "own/replicas",
                &bad.replace("replicas: 2\n  selector", "replicas: 0\n  selector")
            ),
            [""; 0]
        );
    }
}
