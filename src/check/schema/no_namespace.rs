//! Objects that are in no namespace and need one.

use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;
use crate::pipeline::cluster::UnitKind;
use crate::schema::{Origin, Scope};

pub(in crate::check) static RULE: Rule = Rule {
    id: "schema/no-namespace",
    severity: Severity::Error,
    title: "an object without the namespace that its kind needs",
    why: "A Kustomization does not put objects into a namespace by itself, not even into `default`: one of \
          a namespaced kind without `metadata.namespace` fails the whole apply with \"namespace not \
          specified\".",
    mend: "Write the namespace, or set `targetNamespace` on the Kustomization or `namespace` in \
           kustomization.yaml.",
    bad: "\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: apps
  namespace: flux-system
spec:
  interval: 10m
  path: ./apps
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
-- apps/settings.yaml --
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
",
    good: "\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: apps
  namespace: flux-system
spec:
  interval: 10m
  path: ./apps
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
  targetNamespace: default
-- apps/settings.yaml --
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
",
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for applied in view.objects() {
        let by_kustomization = applied
            .unit
            .is_some_and(|unit| unit.kind == UnitKind::Kustomization);
        let id = &applied.object.id;
        if !by_kustomization || !id.namespace.is_empty() {
            continue;
        }
        let known = view.schemas.kind(&id.gvk.api_version(), &id.gvk.kind);
        let needs_one = known.is_some_and(|(origin, variant)| {
            origin != Origin::Catalog && variant.scope == Some(Scope::Namespaced)
        });
        if needs_one {
            out.push(
                out.about(
                    applied,
                    applied.node().span(),
                    format!(
                        "a {} lies in a namespace, and this one names none",
                        id.gvk.kind
                    ),
                )
                .path("/metadata")
                .help("write `metadata.namespace`, or set `targetNamespace` on the Kustomization"),
            );
        }
    }
}
