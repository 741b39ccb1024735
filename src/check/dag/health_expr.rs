//! Expressions of health that are none.

use crate::cel::Program;
use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;
use crate::flux::api::{HELM, KUSTOMIZE};

pub(in crate::check) static RULE: Rule = Rule {
    id: "dag/health-expr",
    severity: Severity::Error,
    title: "an expression of health that does not compile",
    why: "`healthCheckExprs` say in CEL when an object of a kind is ready, has failed or is under \
          way. With one that does not compile the Kustomization or HelmRelease never becomes ready, \
          and what depends on it is never applied.",
    mend: "Mend the expression at the place that is shown.",
    bad: concat!(
        kustomization!(
            "apps",
            "  wait: true\n  healthCheckExprs:\n  - apiVersion: example.com/v1\n    kind: Widget\n    current: status.phase == 'Done\n"
        ),
        "\
-- apps/kustomization.yaml --
kind: Kustomization
",
    ),
    good: concat!(
        kustomization!(
            "apps",
            "  wait: true\n  healthCheckExprs:\n  - apiVersion: example.com/v1\n    kind: Widget\n    current: status.phase == 'Done'\n"
        ),
        "\
-- apps/kustomization.yaml --
kind: Kustomization
",
    ),
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for (group, kind) in [(KUSTOMIZE, "Kustomization"), (HELM, "HelmRelease")] {
        for applied in view.of_kind(group, kind) {
            let list = applied.at(&["spec", "healthCheckExprs"]);
            let list = list.map_or(&[][..], |n| n.items());
            for (i, expressions) in list.iter().enumerate() {
                for field in ["current", "failed", "inProgress"] {
                    let Some(expression) = expressions.target().get(field) else {
                        continue;
                    };
                    let text = expression.target().text().unwrap_or_default();
                    if let Some(e) = problem(text) {
                        out.push(
                            out.about(applied, expression.span(), format!("no expression: {e}"))
                                .path(format!("/spec/healthCheckExprs/{i}/{field}"))
                                .help(
                                    "write a condition in CEL over the fields of the object, as in \
                                     `status.phase == 'Done'`",
                                ),
                        );
                    }
                }
            }
        }
    }
}

/// Why a text is no expression over the fields of any object.
///
/// Compat: fluxcd/pkg `runtime/cel/status_evaluator.go` only parses it, since
/// objects may have any fields.
fn problem(text: &str) -> Option<String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let words: Vec<&str> = text
        .split(|c| !is_word(c))
        .filter(|word| !word.is_empty())
        .collect();
    if text.is_empty() {
        return None;
    }
    Program::compile(text, &words).err().map(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::problem;

    #[test]
    fn any_field_may_stand_in_it() {
        for good in [
            "status.conditions.filter(e, e.type == 'Ready').all(e, e.status == 'True')",
            "has(data.key) && spec.x > 1",
            "",
        ] {
            assert_eq!(problem(good), None, "{good}");
        }
        for bad in ["status.phase ==", "status.phase = 'x'", "(status.a"] {
            assert!(problem(bad).is_some(), "{bad}");
        }
    }
}
