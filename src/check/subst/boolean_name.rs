//! Variables whose names are booleans.

use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;
use crate::flux::api::KUSTOMIZE;
use crate::yaml::Style;

pub(in crate::check) static RULE: Rule = Rule {
    id: "subst/boolean-name",
    severity: Severity::Warning,
    title: "a variable that is named like a boolean",
    why: "To YAML 1.1, which Kubernetes reads, an unquoted key `y`, `n`, `on`, `yes` or `no` is a boolean. The \
          variable silently does not exist.",
    mend: "Put the name in quotes, or better choose another one.",
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
  postBuild:
    substitute:
      n: \"3\"
-- apps/kustomization.yaml --
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
  postBuild:
    substitute:
      count: \"3\"
-- apps/kustomization.yaml --
kind: Kustomization
",
    check: Check::Cluster(check),
};

/// What is a boolean to YAML 1.1 and can be the name of a variable.
const NAMES: &[&str] = &["y", "n", "yes", "no", "on", "off", "true", "false"];

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for applied in view.of_kind(KUSTOMIZE, "Kustomization") {
        let Some(variables) = applied.at(&["spec", "postBuild", "substitute"]) else {
            continue;
        };
        for entry in variables.entries() {
            let name = entry.key.text().unwrap_or_default();
            if entry.key.style() == Style::Plain
                && NAMES.contains(&name.to_ascii_lowercase().as_str())
            {
                out.push(
                    out.about(
                        applied,
                        entry.key.span(),
                        format!("`{name}` is a boolean, and no name of a variable"),
                    )
                    .path(format!("/spec/postBuild/substitute/{name}"))
                    .help("put it in quotes, or choose another name"),
                );
            }
        }
    }
}
