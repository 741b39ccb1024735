//! Expressions of readiness that are none.

use crate::cel::Program;
use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;
use crate::flux::api::{HELM, KUSTOMIZE};

pub(in crate::check) static RULE: Rule = Rule {
    id: "dag/ready-expr",
    severity: Severity::Error,
    title: "a readyExpr that does not compile",
    why: "`readyExpr` says in CEL when a dependency is ready. One that does not compile, or is no \
          condition, stops the object for good: Flux does not try again until it is changed. It \
          knows `self`, the object, and `dep`, the dependency. Fields of these are of any type, \
          so that a field alone is no condition.",
    mend: "Mend the expression at the place that is shown.",
    bad: concat!(
        kustomization!(
            "apps",
            "  dependsOn:\n  - name: infrastructure\n    readyExpr: dep.status.ready ==\n"
        ),
        "---\n",
        kustomization!("infrastructure"),
        "\
-- apps/kustomization.yaml --
kind: Kustomization
-- infrastructure/kustomization.yaml --
kind: Kustomization
",
    ),
    good: concat!(
        kustomization!(
            "apps",
            "  dependsOn:\n  - name: infrastructure\n    readyExpr: dep.status.observedGeneration == dep.metadata.generation\n"
        ),
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
    for (group, kind) in [(KUSTOMIZE, "Kustomization"), (HELM, "HelmRelease")] {
        for applied in view.of_kind(group, kind) {
            let list = applied.at(&["spec", "dependsOn"]);
            let list = list.map_or(&[][..], |n| n.items());
            for (i, dependency) in list.iter().enumerate() {
                let Some(expression) = dependency.target().get("readyExpr") else {
                    continue;
                };
                let text = expression.target().text().unwrap_or_default();
                // Compat: an empty one counts as none.
                if text.is_empty() {
                    continue;
                }
                let message = match Program::compile(text, &["self", "dep"]) {
                    Err(e) => format!("no expression: {e}"),
                    Ok(program) if program.is_boolean() == Some(false) => {
                        "the expression is no condition: its value need not be true or false"
                            .to_owned()
                    }
                    Ok(_) => continue,
                };
                out.push(
                    out.about(applied, expression.span(), message)
                        .path(format!("/spec/dependsOn/{i}/readyExpr"))
                        .help(
                            "write a condition in CEL over `self` and `dep`, as in \
                             `dep.status.ready == true`",
                        ),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::check::example::testing::found;

    #[test]
    fn fields_alone_are_no_conditions() {
        let count = |expression: &str| {
            let quoted = format!("\"{expression}\"");
            found(RULE.id, &RULE.bad.replace("dep.status.ready ==", &quoted)).len()
        };
        for good in [
            "has(dep.status)",
            "dep.status.conditions.exists(c, c.type == 'Ready')",
            "dep.metadata.name.startsWith('a')",
            "self.a == dep.b ? true : dep.c in ['x']",
        ] {
            assert_eq!(count(good), 0, "{good}");
        }
        for bad in [
            "dep.status.ready",
            "dep.status['ready']",
            "'true'",
            "size(",
            "obj.a == 1",
        ] {
            assert_eq!(count(bad), 1, "{bad}");
        }
    }
}
