//! Where a tenant's objects go, and where they come from.

use super::{Tenant, references};
use crate::check::rbac::access::Applier;
use crate::check::subst::is_open;
use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;
use crate::pipeline::cluster::UnitKind;
use crate::schema::Scope;
use crate::yaml::Node;

/// The example, with the part that is wrong in one and right in the other.
macro_rules! example {
    ($part:literal) => {
        concat!(
            "\
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
",
            $part
        )
    };
}

pub(in crate::check) static RULE: Rule = Rule {
    id: "tenancy/scope",
    severity: Severity::Error,
    title: "a tenant that reaches out of its namespaces",
    why: "What a tenant brings for the whole cluster, or for a namespace of others, is refused if \
          its account has the rights of a tenant, and nobody's safe if it has more. An object \
          without a namespace is refused as well, or ends up in `default`. A source in another \
          namespace is somebody else's: who can change it changes the tenant, and Flux refuses it \
          where it runs with `--no-cross-namespace-refs`; the same goes for what alerts, receivers \
          and image automation name. Tenants are found by labels and folders, or declared under \
          `tenants` in `.fluxwright.yaml`, with their namespaces.",
    mend: "Set `targetNamespace`, or the namespace in the objects, and let the platform apply what \
           is for the whole cluster. Give the tenant a source in its own namespace.",
    bad: example!(
        "  namespace: team-b
"
    ),
    good: example!(
        "  namespace: team-a
"
    ),
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    let tenants = super::tenants(view);
    for tenant in &tenants {
        if tenant.declared.is_some() || !tenant.is_unconfined(view) {
            objects(view, tenant, out);
        }
    }
    references::check(view, &tenants, out);
}

fn objects(view: &View<'_>, tenant: &Tenant<'_, '_>, out: &mut Out<'_>) {
    let namespaces = tenant.namespaces(view);
    let help = if namespaces.are_unknown() {
        "set `targetNamespace` in the tenant's Kustomization".to_owned()
    } else {
        format!("its namespaces are {}", namespaces.names())
    };
    // A chart that is not at hand shows no objects.
    if let Some(target) = tenant.target().filter(|_| tenant.applied.is_empty())
        && !namespaces.are_unknown()
        && !namespaces.hold(target)
    {
        let span = tenant.unit.object.at_path(&["spec", "targetNamespace"]);
        let span = span.map_or(tenant.unit.object.span(), Node::span);
        let message = format!(
            "the tenant `{}` brings a release for the namespace `{target}`, which is not its own",
            tenant.name
        );
        out.push(
            out.about_object(tenant.unit.id.to_object_ref(), span, message)
                .path("/spec/targetNamespace")
                .help(help.clone()),
        );
    }
    // Who lets Flux itself install a chart of others does not mean to confine
    // what is in it; that nothing confines the tenant is told.
    let by_controller = tenant.applier == Applier::Controller;
    for applied in &tenant.applied {
        if by_controller && tenant.declared.is_none() && applied.is_of_foreign_chart() {
            continue;
        }
        let gvk = applied.gvk();
        let scope = view.schemas.scope(&gvk.api_version(), &gvk.kind);
        let message = if scope == Some(Scope::Cluster) {
            if applied.is("", "Namespace")
                && (namespaces.hold(applied.name()) || is_open(applied.name()))
            {
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
        } else if namespaces.are_unknown()
            || namespaces.hold(applied.namespace)
            || is_open(applied.namespace)
        {
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
                .help(help.clone()),
        );
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
