//! Substitution that silently does not happen.

use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;
use crate::flux::substitute;
use crate::pipeline::cluster::UnitKind;
use crate::yaml::Node;

pub(in crate::check) static RULE: Rule = Rule {
    id: "subst/skipped",
    severity: Severity::Warning,
    title: "expressions that nothing replaces",
    why: "A Kustomization with `postBuild` and without a single variable replaces nothing: not the defaults \
          (`${a:=b}`), and not `$${a}` either. The objects are applied with the expressions in \
          them.",
    mend: "Give it a variable, any one, or say `substituteStrategy: Always` (Flux 2.9).",
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
    substitute: {}
-- apps/settings.yaml --
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  namespace: default
data:
  domain: ${domain:=example.com}
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
      domain: example.org
-- apps/settings.yaml --
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  namespace: default
data:
  domain: ${domain:=example.com}
",
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for unit in &view.cluster.units {
        if unit.kind != UnitKind::Kustomization {
            continue;
        }
        let post_build = unit
            .object
            .at_path(&["spec", "postBuild"])
            .map(Node::target);
        let Some(post_build) = post_build.filter(|n| n.is_mapping()) else {
            continue;
        };
        let given = ["substitute", "substituteFrom"].iter().any(|field| {
            let node = post_build.get(field);
            node.is_some_and(|n| !n.is_null_or_empty())
        });
        if given || post_build.str_at("substituteStrategy") == Some("Always") {
            continue;
        }
        for applied in view.objects() {
            if applied.unit.is_none_or(|owner| owner.id != unit.id)
                || substitute::is_disabled(applied.node())
            {
                continue;
            }
            if let Some(node) = expression(applied.node()) {
                // Scripts and dashboards have expressions of their own.
                let is_text = node
                    .text()
                    .is_some_and(|text| text.trim_end().contains('\n'));
                let severity = if is_text {
                    Severity::Info
                } else {
                    RULE.severity
                };
                out.push(
                    out.about(
                        applied,
                        node.span(),
                        format!(
                            "{} replaces nothing: it has no variables",
                            unit.id.to_object_ref()
                        ),
                    )
                    .severity(severity)
                    .help("give `postBuild` a variable, or `substituteStrategy: Always`"),
                );
            }
        }
    }
}

/// The first value with an expression.
fn expression(object: &Node) -> Option<&Node> {
    let mut found = None;
    object.walk(&mut |node| {
        let text = node.text().unwrap_or_default();
        if found.is_none() && text.contains("${") && text.contains('}') {
            found = Some(node);
        }
    });
    found
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::check::example::testing::found;

    #[test]
    fn longer_texts_have_expressions_of_their_own() {
        let of = |value: &str| {
            let text = RULE.bad.replace("domain: ${domain:=example.com}", value);
            assert_ne!(text, RULE.bad);
            found(RULE.id, &text)
        };
        assert!(of("domain: ${a}")[0].starts_with("warning"));
        assert!(of("run: |\n    echo ${a}\n    exit")[0].starts_with("info"));
    }
}
