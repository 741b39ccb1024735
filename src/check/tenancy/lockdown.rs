//! Whether Flux keeps tenants apart by itself.

use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;

pub(in crate::check) static RULE: Rule = Rule {
    id: "tenancy/lockdown",
    severity: Severity::Info,
    title: "tenants, and a Flux that does not keep them apart",
    why: "With `--no-cross-namespace-refs` no tenant can use the sources and alerts of another. \
          With `--default-service-account` a Kustomization or HelmRelease that names no account \
          has the rights of an account of its own namespace rather than Flux's. Without them, \
          every tenant that forgets a line, or leaves it out on purpose, has all rights.",
    mend: "Add both options to kustomize-controller and helm-controller, by patches in \
           `flux-system/kustomization.yaml`, or set `spec.cluster.multitenant` in the \
           FluxInstance.",
    bad: concat!(
        "-- clusters/prod/flux-system/kustomization.yaml --\n",
        "resources: [gotk-components.yaml, gotk-sync.yaml]\n",
        "-- clusters/prod/flux-system/gotk-components.yaml --\n",
        "apiVersion: apps/v1\n",
        "kind: Deployment\n",
        "metadata:\n",
        "  name: kustomize-controller\n",
        "  namespace: flux-system\n",
        "  labels: {app.kubernetes.io/part-of: flux}\n",
        "spec:\n",
        "  selector: {matchLabels: {app: kustomize-controller}}\n",
        "  template:\n",
        "    metadata: {labels: {app: kustomize-controller}}\n",
        "    spec:\n",
        "      containers:\n",
        "      - name: manager\n",
        "        image: ghcr.io/fluxcd/kustomize-controller:v1.9.5\n",
        "        args: [--watch-all-namespaces=true]\n",
        "-- clusters/prod/team.yaml --\n",
        "apiVersion: v1\n",
        "kind: Namespace\n",
        "metadata:\n",
        "  name: team\n",
        "  labels: {toolkit.fluxcd.io/tenant: team}\n",
    ),
    good: concat!(
        "-- clusters/prod/flux-system/kustomization.yaml --\n",
        "resources: [gotk-components.yaml, gotk-sync.yaml]\n",
        "patches:\n",
        "- target: {kind: Kustomization, name: flux-system}\n",
        "  patch: |\n",
        "    - op: add\n",
        "      path: /spec/serviceAccountName\n",
        "      value: kustomize-controller\n",
        "-- clusters/prod/flux-system/gotk-components.yaml --\n",
        "apiVersion: apps/v1\n",
        "kind: Deployment\n",
        "metadata:\n",
        "  name: kustomize-controller\n",
        "  namespace: flux-system\n",
        "  labels: {app.kubernetes.io/part-of: flux}\n",
        "spec:\n",
        "  selector: {matchLabels: {app: kustomize-controller}}\n",
        "  template:\n",
        "    metadata: {labels: {app: kustomize-controller}}\n",
        "    spec:\n",
        "      containers:\n",
        "      - name: manager\n",
        "        image: ghcr.io/fluxcd/kustomize-controller:v1.9.5\n",
        "        args: [--no-cross-namespace-refs=true, --default-service-account=default]\n",
        "-- clusters/prod/team.yaml --\n",
        "apiVersion: v1\n",
        "kind: Namespace\n",
        "metadata:\n",
        "  name: team\n",
        "  labels: {toolkit.fluxcd.io/tenant: team}\n",
    ),
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    let controllers = &view.access().controllers;
    if !controllers.installed {
        return;
    }
    let labelled = view
        .of_kind("", "Namespace")
        .any(|n| super::label(n.node()).is_some());
    if !labelled && super::tenants(view).is_empty() {
        return;
    }
    for (name, account) in [
        ("kustomize-controller", &controllers.kustomize_account),
        ("helm-controller", &controllers.helm_account),
    ] {
        let deployment = view.find("apps", "Deployment", &controllers.namespace, name);
        let Some(deployment) = deployment else {
            continue;
        };
        let mut lacks = Vec::new();
        if !controllers.confines(name) {
            lacks.push("`--no-cross-namespace-refs`");
        }
        if account.is_none() {
            lacks.push("`--default-service-account`");
        }
        if lacks.is_empty() {
            continue;
        }
        let message = format!(
            "there are tenants, and {name} runs without {}",
            lacks.join(" and ")
        );
        out.push(
            out.about(deployment, deployment.node().span(), message)
                .help("add the options by a patch in the folder of `gotk-components.yaml`"),
        );
    }
}
