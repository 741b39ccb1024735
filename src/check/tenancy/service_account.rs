//! Whose rights a tenant has.

use crate::check::rbac::access::Applier;
use crate::check::{Check, Out, Rule, View};
use crate::diag::{Severity, nearest};
use crate::rbac::Subject;

pub(in crate::check) static RULE: Rule = Rule {
    id: "tenancy/service-account",
    severity: Severity::Warning,
    title: "a tenant that has Flux's own rights, or an account that is not there",
    why: "Without a service account Flux applies what a tenant brings with its own rights, which \
          are all: a ClusterRoleBinding in the tenant's repository, and the cluster is the \
          tenant's. `targetNamespace` does not confine it: it says where objects go that have a \
          namespace, and nothing of those that have none. With an account that does not exist \
          everything is refused, with a message that speaks of rights.",
    mend: "Name an account in `serviceAccountName` that has a RoleBinding in the tenant's \
           namespaces alone, and run Flux with `--default-service-account` so that none can be \
           forgotten.",
    bad: "\
-- clusters/prod/team-a.yaml --
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: team-a
  namespace: team-a
  labels:
    toolkit.fluxcd.io/tenant: team-a
spec:
  interval: 10m
  path: ./team-a
  prune: true
  targetNamespace: team-a
  sourceRef:
    kind: GitRepository
    name: flux-system
    namespace: flux-system
-- team-a/settings.yaml --
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
",
    good: "\
-- clusters/prod/team-a.yaml --
apiVersion: v1
kind: ServiceAccount
metadata:
  name: team-a
  namespace: team-a
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: team-a
  namespace: team-a
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: edit
subjects:
- kind: ServiceAccount
  name: team-a
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: team-a
  namespace: team-a
  labels:
    toolkit.fluxcd.io/tenant: team-a
spec:
  interval: 10m
  path: ./team-a
  prune: true
  serviceAccountName: team-a
  targetNamespace: team-a
  sourceRef:
    kind: GitRepository
    name: flux-system
    namespace: flux-system
-- team-a/settings.yaml --
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
",
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for tenant in super::tenants(view) {
        if tenant.applier == Applier::Controller {
            let object = tenant.unit.id.to_object_ref();
            let message = format!(
                "what the tenant `{}` brings is applied with all rights",
                tenant.name
            );
            out.push(
                out.about_object(object, tenant.unit.object.span(), message)
                    .path("/spec")
                    .help("name an account of the tenant in `serviceAccountName`"),
            );
        }
    }
    missing(view, out);
}

/// Accounts that are named and that nothing brings, whoever names them.
fn missing(view: &View<'_>, out: &mut Out<'_>) {
    let access = view.access();
    for unit in &view.cluster.units {
        let Applier::Account {
            subject: Subject::ServiceAccount { namespace, name },
            span,
            named: true,
        } = access.applier(unit)
        else {
            continue;
        };
        if access.exists(&namespace, &name) {
            continue;
        }
        // Somebody who is given rights here is known, wherever it comes from.
        let subject = Subject::service_account(namespace.clone(), name.clone());
        let bound = !access.policy.rights(&subject).is_empty();
        let severity = if bound {
            Severity::Info
        } else if view.is_complete() {
            Severity::Error
        } else {
            Severity::Warning
        };
        let beside = access.accounts.iter().filter(|(of, _)| *of == namespace);
        let beside: Vec<&str> = beside.map(|(_, name)| &**name).collect();
        let elsewhere = access.accounts.iter().find(|(_, other)| *other == name);
        let help = match (nearest(&name, beside.iter().copied()), elsewhere) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, Some((other, _))) => {
                format!(
                    "there is one in `{other}`: the account has to be in the namespace of the {}",
                    unit.id.gvk.kind
                )
            }
            (None, None) => "bring the ServiceAccount, and bind a role to it".to_owned(),
        };
        let message = format!("there is no ServiceAccount `{name}` in `{namespace}`");
        out.push(
            out.about_object(unit.id.to_object_ref(), span, message)
                .severity(severity)
                .path("/spec/serviceAccountName")
                .help(help),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::example::testing;

    #[test]
    fn a_folder_or_a_namespace_makes_a_tenant_too() {
        let label = "  labels:\n    toolkit.fluxcd.io/tenant: team-a\n";
        let plain = RULE.bad.replace(label, "");
        assert!(testing::found("tenancy/service-account", &plain).is_empty());
        let folder = plain.replace(
            "clusters/prod/team-a.yaml",
            "clusters/prod/tenants/team-a.yaml",
        );
        assert_eq!(
            testing::found("tenancy/service-account", &folder),
            [
                "warning clusters/prod/tenants/team-a.yaml:1:1 what the tenant `team-a` brings is \
              applied with all rights"
            ]
        );
        let namespace = plain.replace(
            "-- clusters/prod/team-a.yaml --\n",
            &format!("-- clusters/prod/team-a.yaml --\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: team-a\n{label}---\n"),
        );
        assert_eq!(
            testing::found("tenancy/service-account", &namespace).len(),
            1
        );
    }

    #[test]
    fn an_account_that_is_not_there_is_told_with_the_nearest() {
        let wrong = RULE
            .good
            .replace("serviceAccountName: team-a", "serviceAccountName: teama");
        let findings = testing::check(&wrong);
        let found: Vec<_> = findings
            .iter()
            .filter(|f| &*f.rule == "tenancy/service-account")
            .collect();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].severity, Severity::Error);
        assert_eq!(found[0].help.as_deref(), Some("did you mean `team-a`?"));
    }
}
