//! Roles that widen the built-in ones.

use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;
use crate::rbac::Role;
use crate::rbac::power::powers;

pub(in crate::check) static RULE: Rule = Rule {
    id: "rbac/aggregation",
    severity: Severity::Warning,
    title: "a role that widens `admin`, `edit` or `view` by something dangerous",
    why: "A ClusterRole with a label `rbac.authorization.k8s.io/aggregate-to-…` becomes part of \
          the built-in role of that name, for everybody who has it, in every namespace.",
    mend: "Take the label off, and bind the role to those who need it.",
    bad: "\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: readers-of-secrets
  labels:
    rbac.authorization.k8s.io/aggregate-to-view: 'true'
rules:
- apiGroups: ['']
  resources: [secrets]
  verbs: [get]
",
    good: "\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: readers-of-widgets
  labels:
    rbac.authorization.k8s.io/aggregate-to-view: 'true'
rules:
- apiGroups: [example.org]
  resources: [widgets]
  verbs: [get, list, watch]
",
    check: Check::Cluster(check),
};

const PREFIX: &str = "rbac.authorization.k8s.io/aggregate-to-";

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for applied in super::own(view, &["ClusterRole"]) {
        let Some(role) = Role::of(applied.node(), "") else {
            continue;
        };
        let widened: Vec<&str> = role
            .labels
            .iter()
            .filter(|(_, value)| &***value == "true")
            .filter_map(|(key, _)| key.strip_prefix(PREFIX))
            .filter(|name| matches!(*name, "admin" | "edit" | "view"))
            .collect();
        if widened.is_empty() {
            continue;
        }
        for (index, rule) in role.rules.iter().enumerate() {
            let what = match powers(rule).first() {
                Some((_, verb, resource)) => format!("the verb `{verb}` on `{resource}`"),
                None if rule.wildcards().len() > 1 => "`*`".to_owned(),
                None => continue,
            };
            let message = format!("everybody with `{}` gets {what}", widened.join("`, `"));
            out.push(
                out.about(applied, rule.span, message)
                    .severity(super::severity(applied, Severity::Warning))
                    .path(format!("/rules/{index}"))
                    .help("take the label off, and bind the role to those who need it"),
            );
        }
    }
}
