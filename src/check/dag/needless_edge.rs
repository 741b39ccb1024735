//! Dependencies that make no difference.

use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;

pub(in crate::check) static RULE: Rule = Rule {
    id: "dag/needless-edge",
    severity: Severity::Info,
    title: "a dependency that another one implies",
    why: "What is depended on waits for it already, so that this dependency makes no difference. The \
          fewer there are, the easier it is to see what waits for what, and the less there is to \
          mend when something is renamed.",
    mend: "Take it out, unless it is meant for the reader.",
    bad: concat!(
        kustomization!(
            "apps",
            "  dependsOn:\n  - name: ingress\n  - name: certificates\n"
        ),
        "---\n",
        kustomization!("ingress", "  dependsOn:\n  - name: certificates\n"),
        "---\n",
        kustomization!("certificates"),
        "\
-- apps/kustomization.yaml --
kind: Kustomization
-- ingress/kustomization.yaml --
kind: Kustomization
-- certificates/kustomization.yaml --
kind: Kustomization
",
    ),
    good: concat!(
        kustomization!("apps", "  dependsOn:\n  - name: ingress\n"),
        "---\n",
        kustomization!("ingress", "  dependsOn:\n  - name: certificates\n"),
        "---\n",
        kustomization!("certificates"),
        "\
-- apps/kustomization.yaml --
kind: Kustomization
-- ingress/kustomization.yaml --
kind: Kustomization
-- certificates/kustomization.yaml --
kind: Kustomization
",
    ),
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for (edge, by) in view.graph.needless() {
        let name = |item: usize| view.graph.item(item).id.to_object_ref();
        out.push(
            out.about_object(
                name(edge.from.0),
                edge.span,
                format!("{} waits for {} already", name(by), name(edge.to.0)),
            )
            .help("take this dependency out, or leave it for the reader"),
        );
    }
}
