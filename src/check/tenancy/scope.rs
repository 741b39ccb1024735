//! Where a tenant's objects go, and where they come from.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Tenant;
use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;
use crate::pipeline::cluster::UnitKind;
use crate::schema::Scope;
use crate::yaml::Node;

pub(in crate::check) static RULE: Rule = Rule {
    id: "tenancy/scope",
    severity: Severity::Error,
    title: "a tenant that reaches out of its namespaces",
    why: "What a tenant brings for the whole cluster, or for a namespace of others, is refused if \
          its account has the rights of a tenant, and nobody's safe if it has more. An object \
          without a namespace is refused as well, or ends up in `default`. A source in another \
          namespace is somebody else's: who can change it changes the tenant, and Flux refuses it \
          where it runs with `--no-cross-namespace-refs`.",
    mend: "Set `targetNamespace`, or the namespace in the objects, and let the platform apply what \
           is for the whole cluster. Give the tenant a source in its own namespace.",
    bad: "\
-- clusters/prod/team-a.yaml --
apiVersion: v1
kind: Namespace
metadata:
  name: team-a
  labels:
    toolkit.fluxcd.io/tenant: team-a
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: team-a
  namespace: flux-system
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
  namespace: flux-system
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: team-a
  namespace: flux-system
  labels:
    toolkit.fluxcd.io/tenant: team-a
spec:
  interval: 10m
  path: ./team-a
  prune: true
  serviceAccountName: team-a
  sourceRef:
    kind: GitRepository
    name: flux-system
-- team-a/settings.yaml --
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  namespace: team-b
",
    good: "\
-- clusters/prod/team-a.yaml --
apiVersion: v1
kind: Namespace
metadata:
  name: team-a
  labels:
    toolkit.fluxcd.io/tenant: team-a
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: team-a
  namespace: flux-system
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
  namespace: flux-system
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: team-a
  namespace: flux-system
  labels:
    toolkit.fluxcd.io/tenant: team-a
spec:
  interval: 10m
  path: ./team-a
  prune: true
  serviceAccountName: team-a
  sourceRef:
    kind: GitRepository
    name: flux-system
-- team-a/settings.yaml --
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  namespace: team-a
",
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for tenant in super::tenants(view) {
        source(view, &tenant, out);
        if !tenant.is_unconfined(view) {
            objects(view, &tenant, out);
        }
    }
    forbidden(view, out);
}

fn objects(view: &View<'_>, tenant: &Tenant<'_, '_>, out: &mut Out<'_>) {
    let namespaces = tenant.namespaces(view);
    for applied in &tenant.applied {
        let gvk = applied.gvk();
        let scope = view.schemas.scope(&gvk.api_version(), &gvk.kind);
        let own = |name: &str| namespaces.contains(name);
        let message = if scope == Some(Scope::Cluster) {
            if applied.is("", "Namespace") && own(applied.name()) {
                continue;
            }
            format!(
                "the tenant `{}` brings an object of the whole cluster",
                tenant.name
            )
        } else if applied.object.id.namespace.is_empty() {
            if scope.is_none() || tenant.unit.kind == UnitKind::HelmRelease {
                continue;
            }
            format!("an object of the tenant `{}` has no namespace", tenant.name)
        } else if namespaces.is_empty() || own(applied.namespace) {
            continue;
        } else {
            format!(
                "the tenant `{}` brings an object for the namespace `{}`, which is not its own",
                tenant.name, applied.namespace
            )
        };
        out.push(
            out.about(applied, applied.node().span(), message)
                .path("/metadata/namespace")
                .help(advice(&namespaces)),
        );
    }
}

fn advice(namespaces: &BTreeSet<Arc<str>>) -> String {
    if namespaces.is_empty() {
        return "set `targetNamespace` in the tenant's Kustomization".to_owned();
    }
    let names: Vec<&str> = namespaces.iter().map(|n| &**n).collect();
    format!("its namespaces are `{}`", names.join("`, `"))
}

/// The reference to the source of a unit.
fn reference(unit: &crate::pipeline::cluster::Unit) -> Option<(&Node, &'static str)> {
    let paths: [(&[&str], &str); 3] = [
        (
            &["spec", "sourceRef", "namespace"],
            "/spec/sourceRef/namespace",
        ),
        (
            &["spec", "chartRef", "namespace"],
            "/spec/chartRef/namespace",
        ),
        (
            &["spec", "chart", "spec", "sourceRef", "namespace"],
            "/spec/chart/spec/sourceRef/namespace",
        ),
    ];
    let mut found = paths
        .iter()
        .filter_map(|(path, pointer)| Some((unit.object.at_path(path)?, *pointer)));
    found.find(|(node, _)| node.text().is_some_and(|text| text != &*unit.id.namespace))
}

/// A source of somebody else, where nothing forbids it.
fn source(view: &View<'_>, tenant: &Tenant<'_, '_>, out: &mut Out<'_>) {
    if view
        .access()
        .controllers
        .confines(controller(tenant.unit.kind))
    {
        return;
    }
    let Some((node, pointer)) = reference(tenant.unit) else {
        return;
    };
    let text = node.text().unwrap_or_default();
    let flux = *text == *view.access().controllers.namespace;
    let message = format!(
        "the tenant `{}` takes its source from the namespace `{text}`",
        tenant.name
    );
    out.push(
        out.about_object(tenant.unit.id.to_object_ref(), node.span(), message)
            // What the platform offers to all is the platform's to offer.
            .severity(if flux {
                Severity::Info
            } else {
                Severity::Warning
            })
            .path(pointer)
            .help(format!("bring a source in `{}`", tenant.unit.id.namespace)),
    );
}

/// Sources in other namespaces, where Flux is told to refuse them.
fn forbidden(view: &View<'_>, out: &mut Out<'_>) {
    let controllers = &view.access().controllers;
    for unit in &view.cluster.units {
        if !controllers.confines(controller(unit.kind)) {
            continue;
        }
        let Some((node, pointer)) = reference(unit) else {
            continue;
        };
        let message = format!(
            "{} runs with `--no-cross-namespace-refs` and refuses a source in the namespace `{}`",
            controller(unit.kind),
            node.text().unwrap_or_default()
        );
        out.push(
            out.about_object(unit.id.to_object_ref(), node.span(), message)
                .path(pointer)
                .help(format!("bring the source in `{}`", unit.id.namespace)),
        );
    }
}

fn controller(kind: UnitKind) -> &'static str {
    match kind {
        UnitKind::Kustomization => "kustomize-controller",
        UnitKind::HelmRelease => "helm-controller",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::example::testing;

    #[test]
    fn what_has_no_namespace_and_what_is_for_all() {
        let found = |object: &str| {
            let (first, _) = RULE.good.split_once("-- team-a/settings").unwrap();
            testing::found(
                "tenancy/scope",
                &format!("{first}-- team-a/x.yaml --\n{object}"),
            )
        };
        assert_eq!(
            found("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"),
            ["error team-a/x.yaml:1:1 an object of the tenant `team-a` has no namespace"]
        );
        assert_eq!(
            found(
                "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: x}\nrules: []\n"
            ),
            ["error team-a/x.yaml:1:1 the tenant `team-a` brings an object of the whole cluster"]
        );
    }

    #[test]
    fn sources_of_others() {
        let source = |namespace: &str| {
            RULE.good.replace(
                "    name: flux-system\n-- team",
                &format!("    name: other\n    namespace: {namespace}\n-- team"),
            )
        };
        let found = testing::found("tenancy/scope", &source("team-b"));
        assert_eq!(
            found,
            [
                "warning clusters/prod/team-a.yaml:43:16 the tenant `team-a` takes its source from \
              the namespace `team-b`"
            ]
        );
        let locked = format!(
            "{}-- clusters/prod/flux-system/kustomization.yaml --\nresources: \
             [gotk-sync.yaml]\npatches:\n- target: {{kind: Deployment, name: \
             kustomize-controller}}\n  patch: |\n    - op: add\n      path: \
             /spec/template/spec/containers/0/args/-\n      value: \
             --no-cross-namespace-refs=true\n",
            source("team-b")
        );
        let found = testing::found("tenancy/scope", &locked);
        assert!(found[0].starts_with("error"), "{found:?}");
    }
}
