//! Rights over the whole cluster that can be abused for more.

use std::collections::BTreeSet;

use crate::check::{Applied, Check, Out, Rule, View};
use crate::diag::{Severity, Span};
use crate::rbac::power::{self, Power};
use crate::rbac::{Binding, Role};

const GOOD: &str = "\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: reader
rules:
- apiGroups: ['']
  resources: [configmaps]
  verbs: [get, list, watch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: reader
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: reader
subjects:
- kind: ServiceAccount
  name: reader
  namespace: tools
";

/// A ClusterRole with one rule, bound cluster-wide.
macro_rules! bad {
    ($rule:literal) => {
        concat!(
            "apiVersion: rbac.authorization.k8s.io/v1\n",
            "kind: ClusterRole\n",
            "metadata:\n",
            "  name: reader\n",
            "rules:\n",
            "- ",
            $rule,
            "\n---\n",
            "apiVersion: rbac.authorization.k8s.io/v1\n",
            "kind: ClusterRoleBinding\n",
            "metadata:\n",
            "  name: reader\n",
            "roleRef:\n",
            "  apiGroup: rbac.authorization.k8s.io\n",
            "  kind: ClusterRole\n",
            "  name: reader\n",
            "subjects:\n",
            "- kind: ServiceAccount\n",
            "  name: reader\n",
            "  namespace: tools\n",
        )
    };
}

pub(in crate::check) static EXEC: Rule = Rule {
    id: "rbac/exec",
    severity: Severity::Warning,
    title: "commands in any container of the cluster",
    why: "Who may `exec` into, attach to or forward ports of every Pod has what those Pods have: \
          their Secrets, their accounts, their network.",
    mend: "Give it in single namespaces, by a RoleBinding.",
    bad: bad!("{apiGroups: [''], resources: [pods/exec], verbs: [create]}"),
    good: GOOD,
    check: Check::Cluster(|view, out| check(view, Power::Exec, out)),
};

pub(in crate::check) static NODES: Rule = Rule {
    id: "rbac/nodes",
    severity: Severity::Warning,
    title: "the kubelets of all nodes",
    why: "`nodes/proxy` reaches the kubelet past the API server: commands in every container, \
          without an audit record and past admission.",
    mend: "Take `nodes/proxy` out; metrics need `nodes/metrics` and `nodes/stats` alone.",
    bad: bad!("{apiGroups: [''], resources: [nodes/proxy], verbs: [get]}"),
    good: GOOD,
    check: Check::Cluster(|view, out| check(view, Power::Nodes, out)),
};

pub(in crate::check) static SECRETS: Rule = Rule {
    id: "rbac/secrets",
    severity: Severity::Warning,
    title: "all Secrets of the cluster can be read",
    why: "Among the Secrets of a cluster are tokens of accounts, Flux's keys to its sources and \
          Helm's releases: who reads them all can become nearly anybody. `list` and `watch` show \
          the content as `get` does.",
    mend: "Give it in single namespaces, by a RoleBinding, or for single Secrets, by \
           `resourceNames`.",
    bad: bad!("{apiGroups: [''], resources: [secrets], verbs: [list]}"),
    good: GOOD,
    check: Check::Cluster(|view, out| check(view, Power::Secrets, out)),
};

pub(in crate::check) static TOKENS: Rule = Rule {
    id: "rbac/tokens",
    severity: Severity::Warning,
    title: "tokens of any account, or certificates of any user",
    why: "Who may create `serviceaccounts/token` everywhere, or approve certificate requests, can \
          log in as anybody.",
    mend: "Give it in single namespaces, by a RoleBinding, or for single accounts, by \
           `resourceNames`.",
    bad: bad!("{apiGroups: [''], resources: [serviceaccounts/token], verbs: [create]}"),
    good: GOOD,
    check: Check::Cluster(|view, out| check(view, Power::Tokens, out)),
};

pub(in crate::check) static WEBHOOKS: Rule = Rule {
    id: "rbac/webhooks",
    severity: Severity::Warning,
    title: "admission webhooks can be changed",
    why: "An admission webhook sees every object that is written, Secrets among them, and a \
          mutating one changes them: who may register one controls the cluster.",
    mend: "Limit it with `resourceNames` to the webhooks that the account brings itself.",
    bad: bad!(
        "{apiGroups: [admissionregistration.k8s.io], resources: [mutatingwebhookconfigurations], \
         verbs: [create, patch]}"
    ),
    good: GOOD,
    check: Check::Cluster(|view, out| check(view, Power::Webhooks, out)),
};

/// Tells of every ClusterRoleBinding that gives a power, at the rule that does.
fn check(view: &View<'_>, wanted: Power, out: &mut Out<'_>) {
    let access = view.access();
    let mut told = BTreeSet::new();
    for applied in super::own(view, &["ClusterRoleBinding"]) {
        let Some(binding) = Binding::of(applied.node(), "") else {
            continue;
        };
        let strangers = binding.subjects.iter().filter(|s| !access.is_trusted(s));
        let strangers: Vec<String> = strangers.map(|s| format!("`{s}`")).collect();
        let Some(role) = access.policy.role(&binding.role, None) else {
            continue;
        };
        if strangers.is_empty()
            || access
                .policy
                .rules(role)
                .iter()
                .any(|r| r.wildcards().len() > 2)
        {
            // Who may do everything has a finding of its own.
            continue;
        }
        let rules = access.policy.rules(role).iter();
        let mut given = rules
            .filter(|rule| rule.resource_names.is_empty())
            .flat_map(|rule| {
                let powers = power::powers(rule).into_iter();
                powers.map(move |(power, verb, resource)| (rule, power, verb, resource))
            });
        let Some((rule, _, verb, resource)) = given.find(|(_, power, ..)| *power == wanted) else {
            continue;
        };
        let (about, span) = definer(view, role, rule.span).unwrap_or((applied, binding.role.span));
        let severity = super::severity(about, Severity::Warning);
        // That a chart gives one account one power by several roles is nothing
        // new.
        if !told.insert(strangers.clone()) && severity == Severity::Info {
            continue;
        }
        out.push(
            out.about(
                about,
                span,
                format!(
                    "{} may `{verb}` `{resource}` in the whole cluster, through `{}`",
                    strangers.join(", "),
                    role.name
                ),
            )
            .severity(severity)
            .help("bind it in single namespaces, or limit it with `resourceNames`"),
        );
    }
}

/// The role that a rule stands in, where the repository brings it.
fn definer<'v, 'a>(
    view: &'v View<'a>,
    role: &'v Role,
    span: Span,
) -> Option<(&'v Applied<'a>, Span)> {
    let found = view.find(crate::rbac::GROUP, "ClusterRole", "", &role.name)?;
    (span != Span::NONE).then_some((found, span))
}
