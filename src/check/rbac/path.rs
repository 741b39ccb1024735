//! Who can become an account that may do everything.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::{Check, Out, Rule, View};
use crate::diag::{Finding, Severity};
use crate::rbac::power::{World, way_to_admin};
use crate::rbac::{Binding, Subject};

pub(in crate::check) static RULE: Rule = Rule {
    id: "rbac/path",
    severity: Severity::Warning,
    title: "a way from an account to all rights",
    why: "Rights lead on: who may create Pods in a namespace runs them as any account there; who \
          may create Kustomizations or HelmReleases has Flux's own rights, unless Flux is told to \
          use an account of the namespace; who may impersonate an account is that account. The \
          message shows the shortest way. From an account in a namespace of a tenant that \
          `.fluxwright.yaml` declares it is an error: tenants are meant to be confined.",
    mend: "Cut it at its weakest step: keep powerful accounts in namespaces of their own, and run \
           Flux with `--default-service-account` where others than its owners may write its \
           objects. `docs/guides/cluster-admin.md` goes through it.",
    bad: "\
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: developers
  namespace: team-a
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: edit
subjects:
- kind: Group
  name: developers
",
    good: "\
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: developers
  namespace: team-a
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: view
subjects:
- kind: Group
  name: developers
",
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    let access = view.access();
    let controllers = &access.controllers;
    let own = |name: &str| Some(access.controller(name));
    let world = World {
        accounts: access.accounts.clone(),
        kustomize: match controllers.kustomize_account {
            None => own("kustomize-controller"),
            Some(_) => None,
        },
        helm: match controllers.helm_account {
            None => own("helm-controller"),
            Some(_) => None,
        },
    };
    // An account with several bindings has one way.
    let mut seen: BTreeSet<Subject> = BTreeSet::new();
    let mut ways: BTreeMap<Subject, (Finding, Vec<Subject>)> = BTreeMap::new();
    for applied in super::own(view, &["RoleBinding", "ClusterRoleBinding"]) {
        let Some(binding) = Binding::of(applied.node(), applied.namespace) else {
            continue;
        };
        for subject in &binding.subjects {
            if access.is_trusted(subject) || !seen.insert(subject.clone()) {
                continue;
            }
            let Some(way) = way_to_admin(&access.policy, &world, subject) else {
                continue;
            };
            if way.is_empty() {
                continue;
            }
            let severity = if access.tenants.iter().any(|t| t.has_account(subject)) {
                // Who is declared to be confined is not.
                Severity::Error
            } else {
                super::severity(applied, Severity::Warning)
            };
            let mut text = format!("`{subject}`");
            for step in &way {
                text.push_str(&format!(" may {}, and so be `{}`", step.by, step.to));
            }
            let finding = out
                .about(
                    applied,
                    binding.span,
                    format!("{text}, which may do everything"),
                )
                .severity(severity)
                .help("cut the way at its weakest step: see `fluxwright rule rbac/path`");
            match way.last() {
                // What is made for the whole cluster can often become many: all
                // ways to one account are cut there.
                Some(last) if severity == Severity::Info => ways
                    .entry(last.to.clone())
                    .or_insert_with(|| (finding, Vec::new()))
                    .1
                    .push(subject.clone()),
                _ => out.push(finding),
            }
        }
    }
    for (finding, subjects) in ways.into_values() {
        out.push(with_others(finding, &subjects));
    }
}

/// A finding about the first of some accounts that can become the same one, which
/// names the others.
fn with_others(mut finding: Finding, subjects: &[Subject]) -> Finding {
    const NAMED: usize = 3;
    let others = subjects.get(1..).unwrap_or_default();
    if let (false, Some(help)) = (others.is_empty(), &mut finding.help) {
        let named: Vec<String> = others
            .iter()
            .take(NAMED)
            .map(|s| format!("`{s}`"))
            .collect();
        help.push_str(&format!("; so can {}", named.join(", ")));
        if others.len() > NAMED {
            help.push_str(&format!(" and {} more", others.len() - NAMED));
        }
    }
    finding
}

#[cfg(test)]
mod tests {
    use crate::check::example::testing;

    #[test]
    fn the_way_ends_where_flux_uses_an_account_of_the_namespace() {
        let bad = super::RULE.bad;
        assert_eq!(
            testing::found("rbac/path", bad),
            [
                "warning clusters/prod/example.yaml:1:1 `Group/developers` may create \
              `kustomizations` in `team-a` that name no service account, and so be \
              `ServiceAccount/flux-system/kustomize-controller`, which may do everything"
            ]
        );
        let locked = format!(
            "{bad}-- clusters/prod/flux-system/kustomization.yaml --\nresources: \
             [gotk-sync.yaml]\npatches:\n- target: {{kind: Deployment, name: \
             (kustomize-controller|helm-controller)}}\n  patch: |\n    - op: add\n      path: \
             /spec/template/spec/containers/0/args/-\n      value: \
             --default-service-account=default\n"
        );
        assert!(testing::found("rbac/path", &locked).is_empty());
    }
}
