//! Whether the account that applies objects may do so.

use std::collections::BTreeMap;

use crate::check::{Applied, Check, Out, Rule, View};
use crate::diag::{Finding, Severity, Span};
use crate::pipeline::cluster::{Unit, UnitKind};
use crate::rbac::needs::{self, Item, Lack, Purpose};
use crate::rbac::{GROUP, Grant, Rights, Subject};

use super::access::{self, Access, Applier};

pub(in crate::check) static RULE: Rule = Rule {
    id: "rbac/insufficient",
    severity: Severity::Error,
    title: "the account that applies an object may not do so",
    why: "With a service account Flux has the rights of that account alone. To apply an object it \
          needs `get`, `patch` and, where the object is new, `create`; Helm stores its releases \
          in Secrets as well. Without, the whole Kustomization or HelmRelease fails, and so does \
          all that depends on it. Without `delete`, what is gone from the source stays in the \
          cluster; without `list`, what `wait` waits for is never seen to be ready. A Role or a \
          binding with rights that the account does not have itself is refused by the API server, \
          and an account cannot give itself the first of its rights. \
          What counts are the Roles and bindings in the repository, with the roles that every \
          cluster has; `docs/rbac.md` tells how it is worked out.",
    mend: "Add what is missing to a Role of the account; `fluxwright rbac` prints the least one. \
           If the account is bound in another namespace, or the binding names an account in \
           another, mend that.",
    bad: concat!(
        "-- clusters/prod/team.yaml --\n",
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\n",
        "kind: Kustomization\n",
        "metadata:\n",
        "  name: team\n",
        "  namespace: team\n",
        "spec:\n",
        "  interval: 10m\n",
        "  path: ./team\n",
        "  prune: true\n",
        "  serviceAccountName: deployer\n",
        "  sourceRef:\n",
        "    kind: GitRepository\n",
        "    name: flux-system\n",
        "    namespace: flux-system\n",
        "---\n",
        "apiVersion: v1\n",
        "kind: ServiceAccount\n",
        "metadata:\n",
        "  name: deployer\n",
        "  namespace: team\n",
        "---\n",
        "apiVersion: rbac.authorization.k8s.io/v1\n",
        "kind: RoleBinding\n",
        "metadata:\n",
        "  name: deployer\n",
        "  namespace: team\n",
        "roleRef:\n",
        "  apiGroup: rbac.authorization.k8s.io\n",
        "  kind: ClusterRole\n",
        "  name: view\n",
        "subjects:\n",
        "- kind: ServiceAccount\n",
        "  name: deployer\n",
        "-- team/settings.yaml --\n",
        "apiVersion: v1\n",
        "kind: ConfigMap\n",
        "metadata:\n",
        "  name: settings\n",
        "  namespace: team\n",
    ),
    good: concat!(
        "-- clusters/prod/team.yaml --\n",
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\n",
        "kind: Kustomization\n",
        "metadata:\n",
        "  name: team\n",
        "  namespace: team\n",
        "spec:\n",
        "  interval: 10m\n",
        "  path: ./team\n",
        "  prune: true\n",
        "  serviceAccountName: deployer\n",
        "  sourceRef:\n",
        "    kind: GitRepository\n",
        "    name: flux-system\n",
        "    namespace: flux-system\n",
        "---\n",
        "apiVersion: v1\n",
        "kind: ServiceAccount\n",
        "metadata:\n",
        "  name: deployer\n",
        "  namespace: team\n",
        "---\n",
        "apiVersion: rbac.authorization.k8s.io/v1\n",
        "kind: RoleBinding\n",
        "metadata:\n",
        "  name: deployer\n",
        "  namespace: team\n",
        "roleRef:\n",
        "  apiGroup: rbac.authorization.k8s.io\n",
        "  kind: ClusterRole\n",
        "  name: edit\n",
        "subjects:\n",
        "- kind: ServiceAccount\n",
        "  name: deployer\n",
        "-- team/settings.yaml --\n",
        "apiVersion: v1\n",
        "kind: ConfigMap\n",
        "metadata:\n",
        "  name: settings\n",
        "  namespace: team\n",
    ),
    check: Check::Cluster(check),
};

/// How many objects a message names.
const MAX_NAMED: usize = 3;

fn check(view: &View<'_>, out: &mut Out<'_>) {
    let access = view.access();
    for (unit, applied) in view.applied_by_unit() {
        let Applier::Account {
            subject,
            span,
            named,
        } = access.applier(unit)
        else {
            continue;
        };
        if applied.is_empty() && unit.kind == UnitKind::Kustomization {
            continue;
        }
        let rights = access.policy.rights(&subject);
        if named && rights.is_empty() && !is_there(access, &subject) {
            // That it is not there is what is wrong: `tenancy/service-account`.
            continue;
        }
        let unit = Judged {
            unit,
            subject: &subject,
            span,
            // The account is the cluster's, and so may be its rights.
            unsure: !is_there(access, &subject) && !view.is_complete(),
        };
        if rights.is_empty() {
            unit.nothing(&applied, out);
            continue;
        }
        let applied = access::placed(view, applied);
        let items = access::items(view, access, unit.unit, &applied);
        lacking(&unit, access, &rights, &items, out);
        if !unit.unsure && !access.is_trusted(&subject) {
            circular(&unit, view, &rights, &items, out);
        }
        escalations(&unit, access, &rights, &items, &applied, out);
    }
}

fn is_there(access: &Access, subject: &Subject) -> bool {
    match subject {
        Subject::ServiceAccount { namespace, name } => access.exists(namespace, name),
        _ => false,
    }
}

/// A unit, and who applies it.
struct Judged<'a> {
    unit: &'a Unit,
    subject: &'a Subject,
    span: Span,
    unsure: bool,
}

impl Judged<'_> {
    /// Tells that nothing is bound to the account.
    fn nothing(&self, applied: &[&Applied<'_>], out: &mut Out<'_>) {
        let objects = match applied {
            [one] => format!("`{}/{}`", one.gvk().kind, one.name()),
            _ => format!("any of the {} objects", applied.len()),
        };
        let message = format!(
            "`{}` may not apply {objects}: no role is bound to it",
            self.subject
        );
        let help = "bind a role to it; `fluxwright rbac` prints the least one";
        out.push(self.finding(Severity::Error, message, out).help(help));
    }

    fn finding(&self, severity: Severity, message: String, out: &Out<'_>) -> Finding {
        let severity = if self.unsure {
            severity.min(Severity::Warning)
        } else {
            severity
        };
        let object = self.unit.id.to_object_ref();
        out.about_object(object, self.span, message)
            .severity(severity)
            .path("/spec/serviceAccountName")
    }
}

/// What belongs into one finding: how bad it is, the namespace, the resource,
/// and the objects.
type Group<'l> = (Severity, &'l str, &'l str, &'l str, &'l [usize]);

/// Tells of an account whose rights come from bindings and roles that it would
/// have to apply itself: nobody gives it the first one.
fn circular(
    unit: &Judged<'_>,
    view: &View<'_>,
    rights: &Rights<'_>,
    items: &[Item<'_>],
    out: &mut Out<'_>,
) {
    let by_it_alone = |kind: &str, namespace: &str, name: &str| {
        let mut appliers = view.all(GROUP, kind, namespace, name).peekable();
        appliers.peek().is_some()
            && appliers.all(|a| a.unit.is_some_and(|other| std::ptr::eq(other, unit.unit)))
    };
    let given = |grant: &Grant<'_>| {
        let binding = grant.binding;
        let (kind, role) = match (&binding.namespace, binding.role.cluster) {
            (None, _) => ("ClusterRoleBinding", "ClusterRole"),
            (Some(_), true) => ("RoleBinding", "ClusterRole"),
            (Some(_), false) => ("RoleBinding", "Role"),
        };
        let namespace = binding.namespace.as_deref().unwrap_or_default();
        let of_role = if binding.role.cluster { "" } else { namespace };
        if by_it_alone(kind, namespace, &binding.name) {
            Some(format!("{kind}/{}", binding.name))
        } else if by_it_alone(role, of_role, &binding.role.name) {
            Some(format!("{role}/{}", binding.role.name))
        } else {
            None
        }
    };
    if !items.iter().any(|item| item.group == GROUP) {
        return;
    }
    let all = rights.all();
    let Some(first) = all.iter().find_map(given) else {
        return;
    };
    let access = view.access();
    let lacks = |rights: &Rights<'_>| {
        let lacks = needs::lacking(rights, access::how(access, unit.unit), items);
        lacks.iter().any(|lack| lack.purpose == Purpose::Apply)
    };
    if lacks(rights) || !lacks(&rights.without(|grant| given(grant).is_some())) {
        return;
    }
    let message = format!(
        "`{}` has its rights from `{first}`, which it would have to apply itself",
        unit.subject
    );
    out.push(unit.finding(Severity::Error, message, out).help(
        "let a Kustomization without the account, or one that it depends on, bring its roles and \
         bindings",
    ));
}

fn lacking(
    unit: &Judged<'_>,
    access: &Access,
    rights: &Rights<'_>,
    items: &[Item<'_>],
    out: &mut Out<'_>,
) {
    let lacks = needs::lacking(rights, access::how(access, unit.unit), items);
    let mut groups: BTreeMap<Group<'_>, Vec<&Lack<'_>>> = BTreeMap::new();
    for lack in &lacks {
        let severity = match lack.purpose {
            Purpose::Apply | Purpose::Store => Severity::Error,
            Purpose::Prune | Purpose::Wait => Severity::Warning,
        };
        let key = (
            severity,
            lack.namespace,
            &*lack.group,
            &*lack.resource,
            &*lack.items,
        );
        groups.entry(key).or_default().push(lack);
    }
    for ((severity, namespace, group, resource, members), lacks) in groups {
        let verbs: Vec<&str> = lacks.iter().map(|lack| lack.verb).collect();
        let verbs = format!("`{}`", verbs.join("`, `"));
        let resource_name = if group.is_empty() {
            resource.to_owned()
        } else {
            format!("{resource}.{group}")
        };
        let place = if namespace.is_empty() {
            "in the cluster".to_owned()
        } else {
            format!("in `{namespace}`")
        };
        let what = match lacks.first().map(|lack| lack.purpose) {
            Some(Purpose::Store) => "where Helm stores the release".to_owned(),
            Some(Purpose::Wait) => format!("to see whether {} ready", named(items, members, true)),
            _ if members.is_empty() => "for the release".to_owned(),
            _ => format!("for {}", named(items, members, false)),
        };
        let message = format!(
            "`{}` may not {verbs} `{resource_name}` {place}, {what}",
            unit.subject
        );
        let kind = if namespace.is_empty() {
            "ClusterRole"
        } else {
            "Role"
        };
        let group = if group.is_empty() {
            "the core group".to_owned()
        } else {
            format!("the group `{group}`")
        };
        let help = format!(
            "give it the verbs {verbs} on `{resource}` of {group} in a {kind}; \
             `fluxwright rbac` prints the least one"
        );
        out.push(unit.finding(severity, message, out).help(help));
    }
}

/// The objects in words.
fn named(items: &[Item<'_>], members: &[usize], verb: bool) -> String {
    let name = |item: &Item<'_>| format!("`{}/{}`", item.kind, item.name);
    let first = members.iter().filter_map(|i| items.get(*i)).take(MAX_NAMED);
    let mut text = first.map(name).collect::<Vec<_>>().join(", ");
    let more = members.len().saturating_sub(MAX_NAMED);
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    if verb {
        text.push_str(if members.len() == 1 { " is" } else { " are" });
    }
    text
}

fn escalations(
    unit: &Judged<'_>,
    access: &Access,
    rights: &Rights<'_>,
    items: &[Item<'_>],
    applied: &[&Applied<'_>],
    out: &mut Out<'_>,
) {
    for escalation in needs::escalations(&access.policy, rights, items) {
        let (Some(item), Some(applied)) =
            (items.get(escalation.item), applied.get(escalation.item))
        else {
            continue;
        };
        let mut parts: Vec<String> = escalation.missing.iter().map(ToString::to_string).collect();
        let more = parts.len().saturating_sub(MAX_NAMED);
        parts.truncate(MAX_NAMED);
        let mut parts = parts.join(", ");
        if more > 0 {
            parts.push_str(&format!(" and {more} more"));
        }
        let message = format!(
            "`{}` may not apply `{}/{}`: it gives rights that the account does not have: {parts}",
            unit.subject, item.kind, item.name
        );
        let mut finding = unit.finding(Severity::Error, message, out);
        finding.object = Some(applied.reference());
        finding.path = None;
        out.push(finding.at(applied.node().span(), out.sources()).help(
            "give the account those rights, or let a Kustomization without the account apply it",
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::example::testing;

    fn with(rules: &str, team: &str) -> String {
        let bad = RULE.bad.replace(
            "  kind: ClusterRole\n  name: view",
            "  kind: Role\n  name: deployer",
        );
        let (first, _) = bad.split_once("-- team/settings").unwrap();
        format!(
            "{first}---\napiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n  name: \
             deployer\n  namespace: team\nrules:\n{rules}\n-- team/all.yaml --\n{team}\n"
        )
    }

    const SETTINGS: &str =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: team}";

    #[test]
    fn each_verb_that_is_missing_is_told() {
        let found = |verbs: &str| {
            let rules = format!("- {{apiGroups: [''], resources: [configmaps], verbs: [{verbs}]}}");
            testing::found("rbac/insufficient", &with(&rules, SETTINGS))
        };
        assert!(found("get, create, patch, delete").is_empty());
        assert_eq!(
            found("create, delete"),
            [
                "error clusters/prod/team.yaml:10:23 `ServiceAccount/team/deployer` may not `get`, \
              `patch` `configmaps` in `team`, for `ConfigMap/settings`"
            ]
        );
        assert_eq!(
            found("get, create, patch"),
            [
                "warning clusters/prod/team.yaml:10:23 `ServiceAccount/team/deployer` may not \
              `delete` `configmaps` in `team`, for `ConfigMap/settings`"
            ]
        );
    }

    #[test]
    fn what_is_kept_need_not_be_deleted() {
        let rules = "- {apiGroups: [''], resources: [configmaps], verbs: [get, create, patch]}";
        let kept = SETTINGS.replace(
            "namespace: team",
            "namespace: team, annotations: {kustomize.toolkit.fluxcd.io/prune: disabled}",
        );
        assert!(testing::found("rbac/insufficient", &with(rules, &kept)).is_empty());
    }

    #[test]
    fn rights_that_only_the_account_itself_applies_never_come() {
        let binding_at = RULE.good.find("---\napiVersion: rbac").unwrap();
        let (first, rest) = RULE.good.split_at(binding_at);
        let (binding, settings) = rest.split_once("-- team/").unwrap();
        let own =
            format!("{first}-- team/{settings}{binding}").replace("name: edit", "name: admin");
        assert_eq!(
            testing::found("rbac/insufficient", &own),
            [
                "error clusters/prod/team.yaml:10:23 `ServiceAccount/team/deployer` has its rights \
                 from `RoleBinding/deployer`, which it would have to apply itself"
            ]
        );
        // What Flux applies as well is there.
        let twice = format!("{own}-- clusters/prod/again.yaml --\n{binding}")
            .replace("name: edit", "name: admin");
        assert_eq!(testing::found("rbac/insufficient", &twice), [""; 0]);
    }

    #[test]
    fn waiting_takes_lists_only_where_a_gate_says_so() {
        let rules =
            "- {apiGroups: [''], resources: [configmaps], verbs: [get, create, patch, delete]}";
        let waits =
            with(rules, SETTINGS).replace("  prune: true\n", "  prune: true\n  wait: true\n");
        assert_eq!(testing::found("rbac/insufficient", &waits), [""; 0]);
        let gate = format!(
            "{waits}-- clusters/prod/flux-system/kustomization.yaml --\nresources: \
             [gotk-sync.yaml]\npatches:\n- target: {{kind: Deployment, name: \
             kustomize-controller}}\n  path: gates.yaml\n-- clusters/prod/flux-system/gates.yaml \
             --\n- op: add\n  path: /spec/template/spec/containers/0/args/-\n  value: \
             --feature-gates=DisableStatusPollerCache=false\n"
        );
        assert_eq!(
            testing::found("rbac/insufficient", &gate),
            [
                "warning clusters/prod/team.yaml:11:23 `ServiceAccount/team/deployer` may not \
                 `list` `configmaps` in `team`, to see whether `ConfigMap/settings` is ready"
            ]
        );
    }

    #[test]
    fn nobody_gives_what_they_have_not() {
        let rules = "\
- {apiGroups: [''], resources: [configmaps], verbs: [get, create, patch, delete]}
- {apiGroups: [rbac.authorization.k8s.io], resources: [roles], verbs: [get, create, patch, delete]}";
        let role = |verbs: &str| {
            format!(
                "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{name: reader, \
                 namespace: team}}\nrules:\n- {{apiGroups: [''], resources: [configmaps], verbs: \
                 [{verbs}]}}\n"
            )
        };
        assert!(testing::found("rbac/insufficient", &with(rules, &role("get"))).is_empty());
        assert_eq!(
            testing::found("rbac/insufficient", &with(rules, &role("get, list"))),
            [
                "error team/all.yaml:1:1 `ServiceAccount/team/deployer` may not apply `Role/reader`: \
              it gives rights that the account does not have: `list` `configmaps`"
            ]
        );
    }
}
