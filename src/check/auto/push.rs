//! Automation that deploys what nobody has seen.

use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;
use crate::flux::api::{IMAGE, SOURCE};

/// The example, with the part that is wrong in one and right in the other.
macro_rules! example {
    ($part:literal) => {
        concat!(
            "\
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata:
  name: updates
  namespace: flux-system
spec:
  interval: 30m
  sourceRef:
    kind: GitRepository
    name: flux-system
  git:
    checkout:
      ref:
        branch: main
    commit:
      author:
        email: flux@example.com
",
            $part,
            "  update:
    path: ./clusters
    strategy: Setters
"
        )
    };
}

pub(in crate::check) static RULE: Rule = Rule {
    id: "auto/push",
    severity: Severity::Info,
    title: "image updates that are pushed to the branch that is deployed",
    why: "Without `push.branch`, or with the branch that the source follows, a new image tag is \
          deployed as soon as it is found: whoever can push to the registry deploys.",
    mend: "Push to another branch with `spec.git.push.branch`, and merge it when it was looked at. \
           Where that is not wanted, ignore this with a reason.",
    bad: example!(""),
    good: example!(
        "    push:
      branch: image-updates
"
    ),
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for applied in view.of_kind(IMAGE, "ImageUpdateAutomation") {
        let namespace = applied.text(&["spec", "sourceRef", "namespace"]);
        let name = applied
            .text(&["spec", "sourceRef", "name"])
            .unwrap_or_default();
        let source = view.find(
            SOURCE,
            "GitRepository",
            namespace.unwrap_or(applied.namespace),
            name,
        );
        let Some(followed) = source.and_then(|s| s.text(&["spec", "ref", "branch"])) else {
            continue;
        };
        let checkout = applied.at(&["spec", "git", "checkout", "ref", "branch"]);
        let push = applied.at(&["spec", "git", "push", "branch"]);
        let branch = push.or(checkout);
        if push.is_none() && applied.at(&["spec", "git", "push", "refspec"]).is_some() {
            continue;
        }
        if branch.is_some_and(|b| b.text() != Some(followed)) {
            continue;
        }
        let place = branch.unwrap_or(applied.node());
        out.push(
            out.about(
                applied,
                place.span(),
                format!("updates are pushed to `{followed}`, which is deployed"),
            )
            .path("/spec/git/push/branch")
            .help("push to another branch"),
        );
    }
}
