//! Deletion policies that surprise.

use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;
use crate::flux::api::KUSTOMIZE;

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
  prune: false
  sourceRef:
    kind: GitRepository
    name: flux-system
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
    id: "own/deletion-policy",
    severity: Severity::Info,
    title: "what is not pruned is deleted with its Kustomization",
    why: "`prune: false` keeps objects that are no longer in Git, but `deletionPolicy: Delete` removes all of \
          them when the Kustomization itself is deleted: more than most who write the first mean.",
    mend: "Leave `deletionPolicy` out: it does what `prune` says.",
    bad: example!(
        "  deletionPolicy: Delete
"
    ),
    good: example!(""),
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for applied in view.of_kind(KUSTOMIZE, "Kustomization") {
        let Some(policy) = applied.at(&["spec", "deletionPolicy"]) else {
            continue;
        };
        let deletes = matches!(policy.text(), Some("Delete" | "WaitForTermination"));
        if deletes && !applied.is_true(&["spec", "prune"]) {
            out.push(
                out.about(
                    applied,
                    policy.span(),
                    "nothing is pruned, but everything goes with the Kustomization",
                )
                .path("/spec/deletionPolicy")
                .help("leave `deletionPolicy` out, so that it does what `prune` says"),
            );
        }
    }
}
