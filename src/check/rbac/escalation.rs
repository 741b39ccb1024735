//! Rights that are as good as all rights.

use std::sync::Arc;

use crate::check::{Applied, Check, Out, Rule, View};
use crate::diag::Severity;
use crate::rbac::power::{Power, powers};
use crate::rbac::{Binding, GROUP, PolicyRule, Role, Subject};
use crate::yaml::Node;

use super::access::Access;

pub(in crate::check) static RULE: Rule = Rule {
    id: "rbac/escalation",
    severity: Severity::Error,
    title: "rights that lead to all rights",
    why: "`cluster-admin` may read every Secret and change every object of the cluster. The verbs \
          `escalate` and `bind` lift the check that keeps people from giving rights which they do \
          not have; `impersonate` makes somebody else of them. One leaked token of such an account \
          is the whole cluster. Within a namespace `cluster-admin` still reads its Secrets, runs \
          as all its accounts and gives rights on; that is a warning.",
    mend: "Bind the built-in `edit` or `view`, or a Role with what is needed: `fluxwright rbac` \
           prints the least Role for what Flux applies. Where `bind` is wanted, limit it with \
           `resourceNames` to the roles that may be given. `docs/guides/cluster-admin.md` goes \
           through it.",
    bad: "\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: deployer
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: cluster-admin
subjects:
- kind: ServiceAccount
  name: deployer
  namespace: team-a
",
    good: "\
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: deployer
  namespace: team-a
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: edit
subjects:
- kind: ServiceAccount
  name: deployer
  namespace: team-a
",
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    let access = view.access();
    for applied in super::own(view, &["RoleBinding", "ClusterRoleBinding"]) {
        if let Some(binding) = Binding::of(applied.node(), applied.namespace) {
            judge_binding(access, applied, &binding, out);
        }
    }
    for applied in super::own(view, &["Role", "ClusterRole"]) {
        if let Some(role) = Role::of(applied.node(), applied.namespace) {
            judge_role(access, applied, &role, out);
        }
    }
}

fn judge_binding(access: &Access, applied: &Applied<'_>, binding: &Binding, out: &mut Out<'_>) {
    let Some(role) = access
        .policy
        .role(&binding.role, binding.namespace.as_ref())
    else {
        return;
    };
    if !access.policy.rules(role).iter().any(is_everything) {
        return;
    }
    let strangers: Vec<String> = binding
        .subjects
        .iter()
        .filter(|subject| !access.is_trusted(subject))
        .map(|subject| format!("`{subject}`"))
        .collect();
    if strangers.is_empty() {
        return;
    }
    let who = strangers.join(", ");
    let what = match &*role.name {
        "cluster-admin" => "`cluster-admin`".to_owned(),
        name => format!("`{name}`, which is as good as `cluster-admin`,"),
    };
    let (severity, message) = match &binding.namespace {
        None => (
            Severity::Error,
            format!("{who} may do everything in the cluster: {what} is bound cluster-wide"),
        ),
        Some(namespace) => (
            Severity::Warning,
            format!("{who} may do everything in `{namespace}`: {what} is bound there"),
        ),
    };
    let everybody = |s: &Subject| matches!(s, Subject::Group(name) if name.starts_with("system:"));
    let help = if binding.subjects.iter().any(everybody) {
        "name single accounts, and bind a role with what they need"
    } else {
        "bind `edit`, `view`, or a Role with what is needed; `fluxwright rbac` prints the least one"
    };
    out.push(
        out.about(applied, binding.role.span, message)
            .severity(super::severity(applied, severity))
            .path("/roleRef")
            .help(help),
    );
}

/// Whether a rule allows everything on everything.
fn is_everything(rule: &PolicyRule) -> bool {
    let wildcards = rule.wildcards();
    ["verbs", "apiGroups", "resources"]
        .iter()
        .all(|field| wildcards.contains(field))
        && rule.resource_names.is_empty()
}

fn judge_role(access: &Access, applied: &Applied<'_>, role: &Role, out: &mut Out<'_>) {
    for (index, rule) in role.rules.iter().enumerate() {
        misplaced(applied, index, rule, out);
        for (power, verb, resource) in powers(rule) {
            let lead = match power {
                Power::Escalate => "whoever has this role can give itself all rights",
                Power::Bind => "whoever has this role can bind itself to any other",
                Power::Impersonate => "whoever has this role can act as somebody else",
                _ => continue,
            };
            let harmless = power == Power::Bind && binds_harmless(access, rule);
            let severity = if harmless {
                Severity::Warning
            } else {
                Severity::Error
            };
            out.push(
                out.about(
                    applied,
                    place(applied, index, verb).unwrap_or(rule.span),
                    format!("{lead}: the verb `{verb}` on `{resource}`"),
                )
                .severity(super::severity(applied, severity))
                .path(format!("/rules/{index}/verbs"))
                .help(match power {
                    Power::Bind => {
                        "limit it with `resourceNames` to the roles that may be given, or take \
                         the verb out"
                    }
                    _ => "take the verb out: Flux itself has it where it needs it",
                }),
            );
        }
    }
}

/// Tells of the verbs where they do nothing: on bindings, where roles are
/// meant. Whoever mends that gives what was meant.
fn misplaced(applied: &Applied<'_>, index: usize, rule: &PolicyRule, out: &mut Out<'_>) {
    let has = |list: &[Arc<str>], items: &[&str]| list.iter().any(|own| items.contains(&&**own));
    if !has(&rule.api_groups, &[GROUP, "*"])
        || has(&rule.resources, &["roles", "clusterroles", "*"])
        || !has(&rule.resources, &["rolebindings", "clusterrolebindings"])
    {
        return;
    }
    let Some(verb) = rule
        .verbs
        .iter()
        .find(|v| matches!(&***v, "bind" | "escalate"))
    else {
        return;
    };
    out.push(
        out.about(
            applied,
            place(applied, index, verb).unwrap_or(rule.span),
            format!(
                "the verb `{verb}` does nothing on bindings; on roles, as it is meant, it leads \
                 to all rights"
            ),
        )
        .severity(super::severity(applied, Severity::Error))
        .path(format!("/rules/{index}/verbs"))
        .help("take the verb out"),
    );
}

/// Whether a rule lets bind only roles that are known and lead nowhere.
fn binds_harmless(access: &Access, rule: &PolicyRule) -> bool {
    let policy = &access.policy;
    let harmless = |name: &str| {
        let mut named = policy.roles().filter(|role| *role.name == *name).peekable();
        named.peek().is_some()
            && named.all(|role| {
                let rules = policy.rules(role);
                !rules.iter().any(|rule| {
                    is_everything(rule)
                        || powers(rule)
                            .iter()
                            .any(|(power, ..)| matches!(power, Power::Escalate | Power::Bind))
                })
            })
    };
    !rule.resource_names.is_empty() && rule.resource_names.iter().all(|name| harmless(name))
}

/// Where a verb of a rule is written.
fn place(applied: &Applied<'_>, index: usize, verb: &str) -> Option<crate::diag::Span> {
    let rule = applied.at(&["rules"])?.items().get(index)?.target();
    let verbs = rule.get("verbs")?.target().items();
    let verb = verbs.iter().find(|node| node.text() == Some(verb));
    verb.map(Node::span)
}

#[cfg(test)]
mod tests {
    use crate::check::example::testing;

    fn role(rules: &str) -> String {
        format!(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n  name: r\n  \
             namespace: team\nrules:\n{rules}\n"
        )
    }

    fn binding(kind: &str, role: &str, subject: &str) -> String {
        let namespace = if kind == "RoleBinding" {
            "\n  namespace: team"
        } else {
            ""
        };
        format!(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata:\n  \
             name: b{namespace}\nroleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: \
             ClusterRole\n  name: {role}\nsubjects:\n- {subject}\n"
        )
    }

    #[test]
    fn who_is_flux_may_do_everything() {
        let found = |kind, subject: &str| {
            testing::found("rbac/escalation", &binding(kind, "cluster-admin", subject)).len()
        };
        for (subject, findings) in [
            (
                "{kind: ServiceAccount, name: kustomize-controller, namespace: flux-system}",
                0,
            ),
            (
                "{kind: ServiceAccount, name: kustomize-controller, namespace: team}",
                1,
            ),
            (
                "{kind: ServiceAccount, name: flux-operator, namespace: flux-system}",
                0,
            ),
            ("{kind: Group, name: 'system:masters'}", 0),
            ("{kind: Group, name: 'system:authenticated'}", 1),
            ("{kind: User, name: jane}", 1),
        ] {
            assert_eq!(found("ClusterRoleBinding", subject), findings, "{subject}");
        }
        let team = "{kind: ServiceAccount, name: team, namespace: team}";
        let found = testing::found(
            "rbac/escalation",
            &binding("RoleBinding", "cluster-admin", team),
        );
        assert_eq!(
            found,
            [
                "warning clusters/prod/example.yaml:7:3 `ServiceAccount/team/team` may do everything \
              in `team`: `cluster-admin` is bound there"
            ]
        );
        assert!(
            testing::found(
                "rbac/escalation",
                &binding("ClusterRoleBinding", "view", team)
            )
            .is_empty()
        );
    }

    #[test]
    fn verbs_that_lift_the_check() {
        let found = |rules: &str| testing::found("rbac/escalation", &role(rules));
        let rbac = "apiGroups: [rbac.authorization.k8s.io]";
        assert_eq!(
            found(&format!(
                "- {{{rbac}, resources: [roles], verbs: [get, escalate]}}"
            )),
            [
                "error clusters/prod/example.yaml:7:77 whoever has this role can give itself all \
              rights: the verb `escalate` on `roles`"
            ]
        );
        let named = |name: &str| {
            found(&format!(
                "- {{{rbac}, resources: [clusterroles], verbs: [bind], resourceNames: [{name}]}}"
            ))
        };
        assert!(named("view")[0].starts_with("warning"));
        assert!(named("cluster-admin")[0].starts_with("error"));
        assert!(named("of-some-chart")[0].starts_with("error"));
        assert_eq!(
            found(&format!(
                "- {{{rbac}, resources: [rolebindings], verbs: [create, bind]}}"
            )),
            [
                "error clusters/prod/example.yaml:7:87 the verb `bind` does nothing on bindings; on \
              roles, as it is meant, it leads to all rights"
            ]
        );
        // A verb of that name on something else means nothing.
        assert!(found("- {apiGroups: [apps], resources: [deployments], verbs: [bind]}").is_empty());
    }
}
