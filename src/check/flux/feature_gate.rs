//! Fields that a feature gate of the controllers switches off.

use crate::check::{Applied, Check, Out, Rule, View};
use crate::diag::Severity;
use crate::flux::api::{HELM, IMAGE, KUSTOMIZE, NOTIFICATION, SOURCE};
use crate::yaml::Node;

/// A FluxInstance, with more in its `spec`, and a source with an account.
macro_rules! example {
    ($more:literal) => {
        concat!(
            "\
apiVersion: fluxcd.controlplane.io/v1
kind: FluxInstance
metadata:
  name: flux
  namespace: flux-system
spec:
  distribution:
    version: 2.9.x
    registry: ghcr.io/fluxcd
",
            $more,
            "\
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: Bucket
metadata:
  name: artifacts
  namespace: flux-system
spec:
  interval: 1h
  provider: aws
  bucketName: artifacts
  endpoint: s3.eu-central-1.amazonaws.com
  serviceAccountName: artifacts
"
        )
    };
}

pub(in crate::check) static RULE: Rule = Rule {
    id: "flux/feature-gate",
    severity: Severity::Error,
    title: "a field that the controllers are not set up for",
    why: "Some of what Flux can do is behind a feature gate that is off by default: an account of \
          its own for a source or a provider in a cloud (`ObjectLevelWorkloadIdentity`), and \
          sources that are made by something else than Flux (`ExternalArtifact`). Without the \
          gate, the controller refuses the object. The gates are looked for where the repository \
          says how Flux is set up: in its Deployments or its FluxInstance.",
    mend: "Switch the gate on: `--feature-gates=NAME=true` by a patch of the controller, or what \
           the FluxInstance has for it (`spec.cluster.objectLevelWorkloadIdentity`, the component \
           `source-watcher`).",
    bad: example!(""),
    good: example!("  cluster:\n    objectLevelWorkloadIdentity: true\n"),
    check: Check::Cluster(check),
};

/// A field that takes a gate.
struct Gated {
    group: &'static str,
    kind: &'static str,
    /// The field that takes it.
    field: &'static [&'static str],
    /// The value that it takes it with; any where there is none.
    value: Option<&'static str>,
    controller: &'static str,
    gate: &'static str,
}

const fn gated(
    group: &'static str,
    kind: &'static str,
    field: &'static [&'static str],
    controller: &'static str,
) -> Gated {
    Gated {
        group,
        kind,
        field,
        value: None,
        controller,
        gate: "ObjectLevelWorkloadIdentity",
    }
}

const fn external(
    group: &'static str,
    kind: &'static str,
    field: &'static [&'static str],
    controller: &'static str,
) -> Gated {
    Gated {
        value: Some("ExternalArtifact"),
        gate: "ExternalArtifact",
        ..gated(group, kind, field, controller)
    }
}

/// Compat: fluxcd/pkg `auth` and the reconcilers that ask it;
/// `AllowExternalArtifact` of kustomize-controller and helm-controller.
const GATED: [Gated; 9] = [
    gated(
        SOURCE,
        "Bucket",
        &["spec", "serviceAccountName"],
        "source-controller",
    ),
    gated(
        SOURCE,
        "GitRepository",
        &["spec", "serviceAccountName"],
        "source-controller",
    ),
    gated(
        SOURCE,
        "OCIRepository",
        &["spec", "serviceAccountName"],
        "source-controller",
    ),
    gated(
        IMAGE,
        "ImageRepository",
        &["spec", "serviceAccountName"],
        "image-reflector-controller",
    ),
    gated(
        NOTIFICATION,
        "Provider",
        &["spec", "serviceAccountName"],
        "notification-controller",
    ),
    gated(
        KUSTOMIZE,
        "Kustomization",
        &["spec", "decryption", "serviceAccountName"],
        "kustomize-controller",
    ),
    external(
        KUSTOMIZE,
        "Kustomization",
        &["spec", "sourceRef", "kind"],
        "kustomize-controller",
    ),
    external(
        HELM,
        "HelmRelease",
        &["spec", "chartRef", "kind"],
        "helm-controller",
    ),
    external(
        HELM,
        "HelmRelease",
        &["spec", "chart", "spec", "sourceRef", "kind"],
        "helm-controller",
    ),
];

fn check(view: &View<'_>, out: &mut Out<'_>) {
    let controllers = &view.access().controllers;
    if !controllers.is_set_up() {
        return;
    }
    for gated in &GATED {
        if controllers.gate(gated.controller, gated.gate) == Some(true) {
            continue;
        }
        for applied in view.of_kind(gated.group, gated.kind) {
            let Some(value) = applied
                .at(gated.field)
                .filter(|node| asks(gated, applied, node))
            else {
                continue;
            };
            out.push(
                out.about(
                    applied,
                    value.span(),
                    format!(
                        "{} runs without the feature gate `{}` that this takes",
                        gated.controller, gated.gate
                    ),
                )
                .path(format!("/{}", gated.field.join("/")))
                .help(format!(
                    "add `--feature-gates={}=true` to {}",
                    gated.gate, gated.controller
                )),
            );
        }
    }
}

/// Whether a field asks for what the gate is for: an account means something
/// else to sources outside of clouds.
fn asks(gated: &Gated, applied: &Applied<'_>, node: &Node) -> bool {
    let text = node.text().unwrap_or_default();
    if let Some(value) = gated.value {
        return text == value;
    }
    let provider = applied.text(&["spec", "provider"]);
    let by_provider = [SOURCE, IMAGE].contains(&gated.group);
    !text.is_empty() && (!by_provider || provider.is_some_and(|name| name != "generic"))
}

#[cfg(test)]
mod tests {
    use crate::check::example::testing::found;

    #[test]
    fn an_account_to_pull_with_takes_no_gate() {
        let bad = super::RULE.bad;
        assert_eq!(
            found("flux/feature-gate", bad),
            [
                "error clusters/prod/example.yaml:21:23 source-controller runs without the feature \
                 gate `ObjectLevelWorkloadIdentity` that this takes"
            ]
        );
        let plain = bad.replace("provider: aws", "provider: generic");
        assert_eq!(found("flux/feature-gate", &plain), [""; 0]);
        // Nothing is known of an installation that the repository does not hold.
        let (_, unknown) = bad.split_once("---\n").unwrap();
        assert_eq!(found("flux/feature-gate", unknown), [""; 0]);
    }

    #[test]
    fn sources_that_others_make() {
        let text = super::RULE.good.replace(
            "objectLevelWorkloadIdentity: true\n",
            "objectLevelWorkloadIdentity: true\n  components: [source-controller]\n",
        ) + "---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: a, \
             namespace: flux-system}\nspec:\n  interval: 10m\n  prune: true\n  sourceRef: {kind: \
             ExternalArtifact, name: a}\n";
        assert_eq!(found("flux/feature-gate", &text).len(), 1);
        let watcher = text.replace("[source-controller]", "[source-controller, source-watcher]");
        assert_eq!(found("flux/feature-gate", &watcher), [""; 0]);
    }
}
