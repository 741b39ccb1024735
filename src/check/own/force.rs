//! Force on what holds data.

use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;

/// The example, with the part that is wrong in one and right in the other.
macro_rules! example {
    ($part:literal) => {
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
",
            $part,
            "\
-- apps/db.yaml --
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: db
  namespace: default
spec:
  serviceName: db
  selector:
    matchLabels:
      app: db
  template:
    metadata:
      labels:
        app: db
    spec:
      containers:
      - name: db
        image: registry.example.com/db:1.0.0
"
        )
    };
}

pub(in crate::check) static RULE: Rule = Rule {
    id: "own/force",
    severity: Severity::Warning,
    title: "what holds data is deleted and made anew to change it",
    why: "With `force`, an object whose change the API server refuses is deleted and created again. A \
          PersistentVolumeClaim loses its volume so, a StatefulSet all its pods at once.",
    mend: "Take `force` out, or give the annotation `kustomize.toolkit.fluxcd.io/force: Enabled` to the objects \
           that need it, for as long as they do.",
    bad: example!(
        "  force: true
"
    ),
    good: example!(""),
    check: Check::Cluster(check),
};

const FORCE: &str = "kustomize.toolkit.fluxcd.io/force";

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for applied in view.objects() {
        let holds_data =
            applied.is("apps", "StatefulSet") || applied.is("", "PersistentVolumeClaim");
        let Some(unit) = applied.unit.filter(|_| holds_data) else {
            continue;
        };
        let of_unit = unit.object.at_path(&["spec", "force"]);
        let of_unit = of_unit.filter(|force| force.as_bool() == Some(true));
        let own = ["annotations", "labels"].into_iter().find_map(|field| {
            let value = applied.at(&["metadata", field, FORCE])?;
            let text = value.text().unwrap_or_default();
            text.eq_ignore_ascii_case("enabled").then_some(value)
        });
        if let Some(own) = own {
            out.push(
                out.about(applied, own.span(), format!("`{FORCE}` can delete it"))
                    .help("take it out once the change that needs it is through"),
            );
        } else if let Some(force) = of_unit {
            out.push(
                out.about(
                    applied,
                    force.span(),
                    format!("`force` of {} can delete it", unit.id.to_object_ref()),
                )
                .help("take `force` out, and annotate the objects that need it"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::example::testing::found;

    #[test]
    fn what_says_so_itself_is_told_where_it_does() {
        let annotated = super::RULE.good.replace(
            "  namespace: default\nspec",
            "  namespace: default\n  annotations: {kustomize.toolkit.fluxcd.io/force: Enabled}\nspec",
        );
        assert_eq!(
            found("own/force", &annotated),
            ["warning apps/db.yaml:6:52 `kustomize.toolkit.fluxcd.io/force` can delete it"]
        );
    }
}
