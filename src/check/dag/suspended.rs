//! Dependencies that are suspended.

use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;
use crate::graph::Why;

pub(in crate::check) static RULE: Rule = Rule {
    id: "dag/suspended",
    severity: Severity::Info,
    title: "a dependency that is suspended",
    why: "What is suspended keeps the state it had: what depends on it waits for ever in a new cluster, \
          and in an old one does not wait for changes.",
    mend: "Resume it, or take the dependency out.",
    bad: concat!(
        kustomization!("apps", "  dependsOn:\n  - name: infrastructure\n"),
        "---\n",
        kustomization!("infrastructure", "  suspend: true\n"),
        "\
-- apps/kustomization.yaml --
kind: Kustomization
-- infrastructure/kustomization.yaml --
kind: Kustomization
",
    ),
    good: concat!(
        kustomization!("apps", "  dependsOn:\n  - name: infrastructure\n"),
        "---\n",
        kustomization!("infrastructure"),
        "\
-- apps/kustomization.yaml --
kind: Kustomization
-- infrastructure/kustomization.yaml --
kind: Kustomization
",
    ),
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for edge in view.graph.edges.iter().filter(|e| e.why == Why::DependsOn) {
        let (from, to) = (view.graph.item(edge.from.0), view.graph.item(edge.to.0));
        if to.suspended && !from.suspended {
            out.push(
                out.about_object(
                    from.id.to_object_ref(),
                    edge.span,
                    format!(
                        "it depends on {}, which is suspended",
                        to.id.to_object_ref()
                    ),
                )
                .help("resume it, or take the dependency out"),
            );
        }
    }
}
