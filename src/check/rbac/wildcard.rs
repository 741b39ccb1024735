//! Rules that stand for everything, today's and tomorrow's.

use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;
use crate::rbac::Role;
use crate::yaml::Node;

pub(in crate::check) static RULE: Rule = Rule {
    id: "rbac/wildcard",
    severity: Severity::Warning,
    title: "`*` in a rule of a role",
    why: "`*` stands for every verb, group or resource that there is and that will be: `escalate`, \
          `impersonate`, Secrets, and whatever the next operator brings.",
    mend: "Name what is needed. `fluxwright rbac` prints what Flux needs for what it applies.",
    bad: "\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: deployer
  namespace: team-a
rules:
- apiGroups: [apps]
  resources: ['*']
  verbs: [get, patch]
",
    good: "\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: deployer
  namespace: team-a
rules:
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, patch]
",
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for applied in super::own(view, &["Role", "ClusterRole"]) {
        let Some(role) = Role::of(applied.node(), applied.namespace) else {
            continue;
        };
        let nodes = applied.at(&["rules"]).map_or(&[][..], Node::items);
        for (index, rule) in role.rules.iter().enumerate() {
            let fields = rule.wildcards();
            let Some(first) = fields.first() else {
                continue;
            };
            let place = nodes.get(index).and_then(|n| n.target().get(first));
            let list = fields.iter().map(|field| format!("`{field}`"));
            let list: Vec<String> = list.collect();
            out.push(
                out.about(
                    applied,
                    place.map_or(rule.span, |node| {
                        node.target()
                            .items()
                            .first()
                            .map_or(node.span(), Node::span)
                    }),
                    format!("`*` among {} of a rule", list.join(", ")),
                )
                .severity(super::severity(applied, Severity::Warning))
                .path(format!("/rules/{index}/{first}"))
                .help("name what is needed"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::example::testing;

    #[test]
    fn the_place_is_the_star() {
        let text = "\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: reader
rules:
- apiGroups: ['']
  resources: [pods]
  verbs: [get]
- apiGroups:
  - apps
  - '*'
  resources: ['*']
  verbs: [get]
";
        assert_eq!(
            testing::found("rbac/wildcard", text),
            [
                "warning clusters/prod/example.yaml:10:5 `*` among `apiGroups`, `resources` of a rule"
            ]
        );
        // Flux's own are what an installation brings.
        let flux = text.replace(
            "name: reader",
            "name: crd-controller\n  labels: {app.kubernetes.io/part-of: flux}",
        );
        assert!(testing::found("rbac/wildcard", &flux).is_empty());
    }
}
