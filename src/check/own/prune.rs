//! What holds data and is pruned.

use std::collections::BTreeSet;

use crate::check::{Applied, Check, Out, Rule, View};
use crate::diag::{Severity, Span};
use crate::pipeline::cluster::UnitKind;
use crate::yaml::Node;

/// A volume claim, with more in its metadata.
macro_rules! example {
    ($more:literal) => {
        concat!(
            "\
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
-- apps/volume.yaml --
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: data
  namespace: default
",
            $more,
            "\
spec:
  accessModes: [ReadWriteOnce]
  resources:
    requests:
      storage: 10Gi
"
        )
    };
}

pub(in crate::check) static RULE: Rule = Rule {
    id: "own/prune",
    severity: Severity::Info,
    title: "what holds data is deleted once it is gone from Git",
    why: "With `prune: true` an object that is no longer in Git is deleted, by a renamed folder or \
          a wrong path as well as on purpose. A claim takes its volume along, and a Namespace \
          every claim in it.",
    mend: "Give the object the annotation `kustomize.toolkit.fluxcd.io/prune: disabled`, and delete \
           it by hand when its data is not needed.",
    bad: example!(""),
    good: example!("  annotations: {kustomize.toolkit.fluxcd.io/prune: disabled}\n"),
    check: Check::Cluster(check),
};

const PRUNE: &str = "kustomize.toolkit.fluxcd.io/prune";

fn check(view: &View<'_>, out: &mut Out<'_>) {
    let claims = view.of_kind("", "PersistentVolumeClaim").chain(
        view.of_kind("apps", "StatefulSet")
            .filter(|a| makes_claims(a)),
    );
    let with_data: BTreeSet<&str> = claims.map(|applied| applied.namespace).collect();
    for applied in view.objects() {
        let what = if applied.is("", "PersistentVolumeClaim") {
            "its volume goes with it"
        } else if applied.is("", "PersistentVolume")
            && applied.text(&["spec", "persistentVolumeReclaimPolicy"]) == Some("Delete")
        {
            "what is on it goes with it"
        } else if applied.is("", "Namespace") && with_data.contains(applied.name()) {
            "its volume claims go with it"
        } else {
            continue;
        };
        let Some(span) = pruning(applied) else {
            continue;
        };
        out.push(
            out.about(
                applied,
                span,
                format!("it is deleted once it is gone from Git, and {what}"),
            )
            .path("/metadata/annotations")
            .help(format!("annotate it with `{PRUNE}: disabled`")),
        );
    }
}

fn makes_claims(applied: &Applied<'_>) -> bool {
    let claims = applied.at(&["spec", "volumeClaimTemplates"]);
    claims.is_some_and(|claims| !claims.items().is_empty())
}

/// The object's place, if a Kustomization prunes it.
fn pruning(applied: &Applied<'_>) -> Option<Span> {
    let unit = applied.unit?;
    let prunes = unit
        .object
        .at_path(&["spec", "prune"])
        .and_then(Node::as_bool);
    let kept = ["annotations", "labels"].into_iter().any(|field| {
        let value = applied.text(&["metadata", field, PRUNE]);
        value.is_some_and(|value| value.eq_ignore_ascii_case("disabled"))
    });
    let pruned = unit.kind == UnitKind::Kustomization && prunes == Some(true) && !kept;
    pruned.then(|| applied.node().span())
}

#[cfg(test)]
mod tests {
    use crate::check::example::testing::found;

    #[test]
    fn a_namespace_counts_where_it_holds_claims() {
        let with = |namespace: &str| {
            let text = super::RULE.good.to_owned();
            found(
                "own/prune",
                &format!(
                    "{text}---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}\n"
                ),
            )
        };
        assert_eq!(with("other"), [""; 0]);
        assert_eq!(
            with("default"),
            [
                "info apps/volume.yaml:13:1 it is deleted once it is gone from Git, and its volume \
                 claims go with it"
            ]
        );
    }

    #[test]
    fn nothing_is_lost_without_pruning() {
        let kept = super::RULE.bad.replace("prune: true", "prune: false");
        assert_eq!(found("own/prune", &kept), [""; 0]);
    }
}
