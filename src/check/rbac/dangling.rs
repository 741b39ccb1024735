//! Bindings of roles that are nowhere to be seen.

use crate::check::{Check, Out, Rule, View};
use crate::diag::{Severity, nearest};
use crate::rbac::Binding;

/// The example, with the part that is wrong in one and right in the other.
macro_rules! example {
    ($part:literal) => {
        concat!(
            "\
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: deployer
  namespace: team-a
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
",
            $part,
            "\
subjects:
- kind: ServiceAccount
  name: deployer
  namespace: team-a
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: deployer
  namespace: team-a
rules: []
"
        )
    };
}

pub(in crate::check) static RULE: Rule = Rule {
    id: "rbac/dangling",
    severity: Severity::Warning,
    title: "a binding of a role that is not there",
    why: "A binding of a role that does not exist gives nothing, and says so nowhere: what relies \
          on it fails for want of rights. A ClusterRole may be one that the cluster has from \
          elsewhere, so that is worth a note only.",
    mend: "Mend the name in `roleRef`, or bring the role. What a Role is bound to cannot be \
           changed: delete the binding to change its `roleRef`.",
    bad: example!(
        "  name: deploier
"
    ),
    good: example!(
        "  name: deployer
"
    ),
    check: Check::Cluster(check),
};

/// Roles that every cluster has.
///
/// Compat: `namespace_policy.go` of Kubernetes' bootstrap policy.
const BUILT_IN: [(&str, &str); 7] = [
    ("kube-system", "extension-apiserver-authentication-reader"),
    (
        "kube-system",
        "system::leader-locking-kube-controller-manager",
    ),
    ("kube-system", "system::leader-locking-kube-scheduler"),
    ("kube-system", "system:controller:bootstrap-signer"),
    ("kube-system", "system:controller:cloud-provider"),
    ("kube-system", "system:controller:token-cleaner"),
    ("kube-public", "system:controller:bootstrap-signer"),
];

fn check(view: &View<'_>, out: &mut Out<'_>) {
    let policy = &view.access().policy;
    for applied in super::own(view, &["RoleBinding", "ClusterRoleBinding"]) {
        let Some(binding) = Binding::of(applied.node(), applied.namespace) else {
            continue;
        };
        let reference = &binding.role;
        let namespace = binding.namespace.as_ref().filter(|_| !reference.cluster);
        let is_built_in = !reference.cluster
            && BUILT_IN.iter().any(|(of, name)| {
                namespace.is_some_and(|n| &**n == *of) && *reference.name == **name
            });
        if reference.name.is_empty() || is_built_in || policy.role(reference, namespace).is_some() {
            continue;
        }
        let kind = if reference.cluster {
            "ClusterRole"
        } else {
            "Role"
        };
        let place = namespace.map_or_else(String::new, |n| format!(" in `{n}`"));
        let known = policy
            .roles()
            .filter(|role| role.namespace.as_ref() == namespace);
        let known: Vec<&str> = known.map(|role| &*role.name).collect();
        let near = out
            .may_look(known.len())
            .then(|| nearest(&reference.name, known.iter().copied()))
            .flatten();
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("bring the {kind}, or name another"),
        };
        let severity = if reference.cluster || !view.is_complete() {
            Severity::Info
        } else {
            Severity::Warning
        };
        let message = format!("there is no {kind} `{}`{place}", reference.name);
        out.push(
            out.about(applied, reference.span, message)
                .severity(super::severity(applied, severity))
                .path("/roleRef/name")
                .help(help),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::check::example::testing::found;

    #[test]
    fn roles_that_every_cluster_has_are_there() {
        let of = |namespace: &str| {
            let binding = format!(
                "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {{name: a, \
                 namespace: {namespace}}}\nroleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, \
                 name: extension-apiserver-authentication-reader}}\nsubjects: [{{kind: \
                 ServiceAccount, name: a, namespace: metrics}}]\n"
            );
            found(RULE.id, &binding).len()
        };
        assert_eq!(of("kube-system"), 0);
        assert_eq!(of("metrics"), 1);
    }
}
