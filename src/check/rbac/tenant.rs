//! Rights of tenants where they have nothing to do.

use std::collections::BTreeSet;

use super::access::Applier;
use crate::check::tenancy::declared::Declared;
use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;
use crate::rbac::{Binding, Subject};

pub(in crate::check) static RULE: Rule = Rule {
    id: "rbac/tenant",
    severity: Severity::Warning,
    title: "rights of a tenant outside of its namespaces",
    why: "The accounts of a tenant, those in its namespaces and those that its Kustomizations are \
          applied by, are meant to reach its own namespaces alone. A binding in another namespace \
          gives it what is somebody else's, one for the whole cluster what is everybody's. Only \
          tenants count that `.fluxwright.yaml` declares with their namespaces: that is where it \
          says what is whose.",
    mend: "Bind in the tenant's namespaces, or add the namespace to the tenant under `tenants`.",
    bad: concat!(
        "apiVersion: rbac.authorization.k8s.io/v1\n",
        "kind: RoleBinding\n",
        "metadata:\n",
        "  name: blue\n",
        "  namespace: green\n",
        "roleRef:\n",
        "  apiGroup: rbac.authorization.k8s.io\n",
        "  kind: ClusterRole\n",
        "  name: view\n",
        "subjects:\n",
        "- kind: ServiceAccount\n",
        "  name: deployer\n",
        "  namespace: blue\n",
        "-- .fluxwright.yaml --\n",
        "tenants:\n",
        "- name: blue\n",
        "  namespaces: [blue, blue-*]\n",
    ),
    good: concat!(
        "apiVersion: rbac.authorization.k8s.io/v1\n",
        "kind: RoleBinding\n",
        "metadata:\n",
        "  name: blue\n",
        "  namespace: blue-test\n",
        "roleRef:\n",
        "  apiGroup: rbac.authorization.k8s.io\n",
        "  kind: ClusterRole\n",
        "  name: view\n",
        "subjects:\n",
        "- kind: ServiceAccount\n",
        "  name: deployer\n",
        "  namespace: blue\n",
        "-- .fluxwright.yaml --\n",
        "tenants:\n",
        "- name: blue\n",
        "  namespaces: [blue, blue-*]\n",
    ),
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    let access = view.access();
    let tenants = access.tenants.iter().filter(|t| t.has_namespaces());
    for tenant in tenants {
        let appliers = appliers(view, tenant);
        let is_of_tenant =
            |subject: &Subject| tenant.has_account(subject) || appliers.contains(subject);
        for applied in super::own(view, &["RoleBinding", "ClusterRoleBinding"]) {
            let Some(binding) = Binding::of(applied.node(), applied.namespace) else {
                continue;
            };
            let within = binding.namespace.as_ref().is_some_and(|n| tenant.owns(n));
            let Some(subject) = binding.subjects.iter().find(|s| is_of_tenant(s)) else {
                continue;
            };
            if within {
                continue;
            }
            let place = match &binding.namespace {
                Some(namespace) => format!("in `{namespace}`"),
                None => "in the whole cluster".to_owned(),
            };
            let message = format!(
                "`{subject}` of the tenant `{}` has the rights of `{}` {place}",
                tenant.name, binding.role.name
            );
            out.push(
                out.about(applied, binding.role.span, message)
                    .severity(super::severity(applied, Severity::Warning))
                    .path("/roleRef")
                    .help(
                        "bind in the tenant's namespaces, or declare the namespace to be its own",
                    ),
            );
        }
    }
}

/// The accounts that what a tenant brings is applied by.
fn appliers(view: &View<'_>, tenant: &Declared) -> BTreeSet<Subject> {
    let access = view.access();
    let mut found = BTreeSet::new();
    for unit in &view.cluster.units {
        let file = view.repository.source_map.get(unit.object.span().file);
        let file = file.as_ref().map(|file| &*file.path);
        if tenant.brings(&unit.id, file)
            && let Applier::Account { subject, .. } = access.applier(unit)
            && !access.is_trusted(&subject)
        {
            found.insert(subject);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::check::example::testing::found;

    #[test]
    fn whoever_applies_for_a_tenant_is_of_it() {
        let text = "\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: blue, namespace: flux-system}
spec:
  interval: 10m
  path: ./blue
  prune: true
  serviceAccountName: blue
  sourceRef: {kind: GitRepository, name: flux-system}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: blue, namespace: flux-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: blue}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: blue, namespace: flux-system}]
-- blue/settings.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: blue}
-- .fluxwright.yaml --
tenants: [{name: blue, namespaces: [blue], objects: [flux-system/blue]}]
";
        assert_eq!(
            found("rbac/tenant", text),
            [
                "warning clusters/prod/example.yaml:18:10 `ServiceAccount/flux-system/blue` of the \
                 tenant `blue` has the rights of `view` in the whole cluster"
            ]
        );
        let undeclared = text.replace("objects: [flux-system/blue]", "paths: [elsewhere]");
        assert_eq!(found("rbac/tenant", &undeclared), [""; 0]);
    }
}
