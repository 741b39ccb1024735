//! A Role and its binding that cannot be applied together.

use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;
use crate::pipeline::cluster::UnitKind;
use crate::rbac::{Binding, GROUP, Request};

use super::access::Applier;

pub(in crate::check) static RULE: Rule = Rule {
    id: "rbac/together",
    severity: Severity::Warning,
    title: "a Role and its binding in one Kustomization with a service account",
    why: "kustomize-controller tries all objects of a Kustomization out before it applies any. To \
          check a RoleBinding for rights that the account does not have, the API server looks at \
          the Role, which is not there yet: the first apply of the two fails, and so does every \
          other. Only accounts that have the verb `bind` are not checked.",
    mend: "Apply the Role in another Kustomization that this one depends on, or bind a \
           ClusterRole: those are applied first.",
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
        "  name: admin\n",
        "subjects:\n",
        "- kind: ServiceAccount\n",
        "  name: deployer\n",
        "-- team/rbac.yaml --\n",
        "apiVersion: rbac.authorization.k8s.io/v1\n",
        "kind: Role\n",
        "metadata:\n",
        "  name: web\n",
        "  namespace: team\n",
        "rules:\n",
        "- apiGroups: ['']\n",
        "  resources: [configmaps]\n",
        "  verbs: [get]\n",
        "---\n",
        "apiVersion: rbac.authorization.k8s.io/v1\n",
        "kind: RoleBinding\n",
        "metadata:\n",
        "  name: web\n",
        "  namespace: team\n",
        "roleRef:\n",
        "  apiGroup: rbac.authorization.k8s.io\n",
        "  kind: Role\n",
        "  name: web\n",
        "subjects:\n",
        "- kind: ServiceAccount\n",
        "  name: web\n",
        "  namespace: team\n",
    ),
    good: "\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: web
  namespace: team
rules:
- apiGroups: ['']
  resources: [configmaps]
  verbs: [get]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: web
  namespace: team
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: web
subjects:
- kind: ServiceAccount
  name: web
  namespace: team
",
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    let access = view.access();
    for applied in super::own(view, &["RoleBinding"]) {
        let Some(unit) = applied.unit.filter(|u| u.kind == UnitKind::Kustomization) else {
            continue;
        };
        let Applier::Account { subject, .. } = access.applier(unit) else {
            continue;
        };
        let Some(binding) = Binding::of(applied.node(), applied.namespace) else {
            continue;
        };
        let name = &binding.role.name;
        let beside = view
            .all(GROUP, "Role", applied.namespace, name)
            .any(|role| role.unit.is_some_and(|other| std::ptr::eq(other, unit)));
        let bind = Request {
            verb: "bind",
            group: GROUP,
            resource: "roles",
            namespace: applied.namespace,
            name,
        };
        if binding.role.cluster || !beside || access.policy.rights(&subject).allows(bind).is_some()
        {
            continue;
        }
        out.push(
            out.about(
                applied,
                binding.role.span,
                format!(
                    "`{subject}` cannot bind the Role `{name}` before it is there, and applies \
                     both at once"
                ),
            )
            .path("/roleRef")
            .help("apply the Role in a Kustomization that this one depends on"),
        );
    }
}
