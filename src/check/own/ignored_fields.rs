//! Fields that a Kustomization leaves alone in every object.

use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;
use crate::flux::api::KUSTOMIZE;
use crate::yaml::Node;

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
  ignore:
  - paths:
    - /spec/replicas
",
            $part,
            "\
-- apps/kustomization.yaml --
kind: Kustomization
"
        )
    };
}

pub(in crate::check) static RULE: Rule = Rule {
    id: "own/ignored-fields",
    severity: Severity::Warning,
    title: "fields that are left alone in every object",
    why: "An entry of `spec.ignore` without a `target` is for all objects of the Kustomization: the field is \
          neither applied nor corrected in any of them, also in those that are added later.",
    mend: "Name the objects under `target`.",
    bad: example!(""),
    good: example!(
        "    target:
      kind: Deployment
      name: web
"
    ),
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for applied in view.of_kind(KUSTOMIZE, "Kustomization") {
        let rules = applied.at(&["spec", "ignore"]);
        for (i, rule) in rules.map_or(&[][..], Node::items).iter().enumerate() {
            let target = rule.target().get("target").map(Node::target);
            if target.is_none_or(Node::is_null_or_empty) {
                out.push(
                    out.about(
                        applied,
                        rule.span(),
                        "without a target this is for every object",
                    )
                    .path(format!("/spec/ignore/{i}"))
                    .help("name the objects under `target`"),
                );
            }
        }
    }
}
