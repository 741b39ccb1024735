//! Waits that can never end.

use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;
use crate::graph::{Cycle, Graph, Why};

pub(in crate::check) static RULE: Rule = Rule {
    id: "dag/cycle",
    severity: Severity::Error,
    title: "objects that wait for each other",
    why: "Flux does not look for cycles: each of the objects stays \"dependency not ready\", or \
          waits until its timeout, again and again, and nothing that depends on them is ever \
          applied. Besides `dependsOn`, a cycle can go through `wait` and `healthChecks` (a \
          Kustomization that waits for its child, which depends on it), and through a source that \
          comes out of what is fetched from it.",
    mend: "Take out the edge that is not needed, or move what both need into an object of its own \
           that both depend on. `fluxwright graph` shows who waits for whom; \
           `docs/guides/circular-dependencies.md` goes through the forms that cycles take.",
    bad: concat!(
        kustomization!("database", "  dependsOn:\n  - name: backup\n"),
        "---\n",
        kustomization!("backup", "  dependsOn:\n  - name: database\n"),
        "\
-- database/kustomization.yaml --
kind: Kustomization
-- backup/kustomization.yaml --
kind: Kustomization
",
    ),
    good: concat!(
        kustomization!("database"),
        "---\n",
        kustomization!("backup", "  dependsOn:\n  - name: database\n"),
        "\
-- database/kustomization.yaml --
kind: Kustomization
-- backup/kustomization.yaml --
kind: Kustomization
",
    ),
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    let graph = &view.graph;
    for cycle in graph.cycles() {
        let Some(first) = cycle.first() else { continue };
        let object = graph.item(first.from.0).id.to_object_ref();
        let message = format!("a wait that never ends: {}", phrase(graph, &cycle));
        let finding = out.about_object(object, first.span, message);
        // Objects with values may have been made by hand, once.
        let by_values = cycle.iter().any(|edge| edge.why == Why::Values);
        let finding = if by_values {
            finding.severity(Severity::Warning)
        } else {
            finding
        };
        let help = match cycle.iter().find(|edge| edge.why == Why::Wait) {
            Some(edge) => format!(
                "take this dependency out, or `wait` out of {}: what it applies cannot wait for it",
                graph.item(edge.from.0).id.to_object_ref()
            ),
            None => "take one of these edges out, or move what both sides need into a \
                     Kustomization that both depend on"
                .to_owned(),
        };
        out.push(finding.help(help));
    }
}

/// `A depends on B, B waits for C, which it applies, …`
fn phrase(graph: &Graph, cycle: &Cycle) -> String {
    let name = |item: usize| graph.item(item).id.to_object_ref().to_string();
    let parts = cycle.iter().filter(|edge| edge.why != Why::Itself);
    let parts = parts.map(|edge| {
        let (from, to) = (name(edge.from.0), name(edge.to.0));
        match edge.why {
            Why::DependsOn if from == to => format!("{from} depends on itself"),
            Why::Itself | Why::DependsOn => format!("{from} depends on {to}"),
            Why::Parent => format!("{from} comes out of {to}"),
            Why::Source => format!("{from} is fetched from {to}"),
            Why::Wait => format!("{from} waits for {to}, which it applies"),
            Why::HealthCheck => format!("health checks of {from} look at what {to} applies"),
            Why::Values => format!("{from} needs values that {to} applies"),
        }
    });
    parts.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use crate::check::dag::testing::kustomization;
    use crate::check::example::testing::found;

    const CONFIG: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\n  namespace: d\n";

    #[test]
    fn a_child_cannot_wait_for_the_parent_that_waits_for_it() {
        let child = kustomization("child", "b", "  dependsOn:\n  - name: parent\n");
        let repository = |more: &str| {
            format!(
                "{}-- a/child.yaml --\n{child}-- b/c.yaml --\n{CONFIG}",
                kustomization("parent", "a", more)
            )
        };
        assert_eq!(
            found("dag/cycle", &repository("  wait: true\n")),
            ["error a/child.yaml:15:11 a wait that never ends: \
                 Kustomization/flux-system/child depends on Kustomization/flux-system/parent; \
                 Kustomization/flux-system/parent waits for Kustomization/flux-system/child, which \
                 it applies"]
        );
        assert_eq!(found("dag/cycle", &repository("")), [""; 0]);
    }

    #[test]
    fn what_was_applied_by_hand_waits_for_no_parent() {
        // The folder that is bootstrapped is part of what it syncs.
        let flux = kustomization("flux", "other", "");
        let cluster = kustomization("cluster", "flux", "  dependsOn:\n  - name: flux\n");
        let other = CONFIG.replace("name: c", "name: e");
        let repository = format!(
            "-- .fluxwright.yaml --\nentries: [{{path: flux/config}}]\n-- flux/config/a.yaml \
             --\n{flux}{cluster}-- flux/c.yaml --\n{CONFIG}-- other/c.yaml --\n{other}"
        );
        assert_eq!(found("dag/cycle", &repository), [""; 0]);
    }

    #[test]
    fn health_checks_count_without_wait_alone() {
        let check = "  healthChecks:\n  - apiVersion: v1\n    kind: ConfigMap\n    name: c\n    \
                     namespace: d\n";
        let repository = |more: &str| {
            format!(
                "{}{}-- a/kustomization.yaml --\nkind: Kustomization\n-- b/c.yaml --\n{CONFIG}",
                kustomization("a", "a", more),
                kustomization("b", "b", "  dependsOn:\n  - name: a\n")
            )
        };
        assert_eq!(found("dag/cycle", &repository(check)).len(), 1);
        let waits = format!("{check}  wait: true\n");
        assert_eq!(found("dag/cycle", &repository(&waits)), [""; 0]);
    }

    #[test]
    fn what_two_apply_waits_for_neither() {
        let charts = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata:\n  name: \
                      x\n  namespace: default\nspec:\n  url: https://charts.example.com\n";
        let repository = format!(
            "{}{}-- a/charts.yaml --\n{charts}-- b/charts.yaml --\n{charts}",
            kustomization("a", "a", "  dependsOn:\n  - name: b\n"),
            kustomization("b", "b", "  wait: true\n")
        );
        assert_eq!(found("dag/cycle", &repository), [""; 0]);
        assert_eq!(found("own/duplicate", &repository).len(), 1);
    }

    #[test]
    fn a_source_cannot_come_out_of_what_is_fetched_from_it() {
        let source = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata:\n  \
                      name: x\n  namespace: flux-system\nspec:\n  interval: 1h\n  url: \
                      https://git.example.com/x\n  ref:\n    tag: 1.0.0\n";
        let by = kustomization("by", "a", "  dependsOn:\n  - name: of\n");
        let of = kustomization("of", "a", "").replace("name: flux-system\n---", "name: x\n---");
        let of = of.replace("    name: flux-system\n", "    name: x\n");
        let repository = format!("{by}{of}-- a/source.yaml --\n{source}");
        let found = found("dag/cycle", &repository);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("is fetched from GitRepository/flux-system/x"));
    }
}
