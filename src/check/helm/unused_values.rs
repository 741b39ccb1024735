//! Values that a chart does not use, where no release uses them.
//!
//! In: findings of rendering, one for each release and value. Out: those worth
//! telling: a value that several releases have from one place, as by a patch or
//! from a ConfigMap, is meant for those of them that read it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::check::{Check, Repository, Rule, View};
use crate::diag::{Finding, Location, Severity, Span};
use crate::pipeline::cluster::{Unit, UnitKind};
use crate::yaml::Node;

pub(in crate::check) static RULE: Rule = Rule {
    id: "helm/unused-values",
    severity: Severity::Info,
    title: "a value that the chart does not use",
    why: "Helm says nothing of a value that no template reads: a slip of the pen, a name of another \
          version of the chart or of another chart changes nothing. Told are values that neither \
          templates nor the chart's own values nor its schema know. Charts that hand all values on \
          as a whole may use any.",
    mend: "Look up the name in the chart's `values.yaml`, or take the value out.",
    bad: "\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: web
  namespace: default
spec:
  interval: 1h
  chart:
    spec:
      chart: ./charts/web
      sourceRef:
        kind: GitRepository
        name: flux-system
        namespace: flux-system
  values:
    server:
      replicas: 3
-- charts/web/Chart.yaml --
apiVersion: v2
name: web
version: 1.0.0
-- charts/web/values.yaml --
server:
  replicaCount: 1
-- charts/web/templates/settings.yaml --
apiVersion: v1
kind: ConfigMap
metadata:
  name: web
data:
  replicas: \"{{ .Values.server.replicaCount }}\"
",
    good: "\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: web
  namespace: default
spec:
  interval: 1h
  chart:
    spec:
      chart: ./charts/web
      sourceRef:
        kind: GitRepository
        name: flux-system
        namespace: flux-system
  values:
    server:
      replicaCount: 3
-- charts/web/Chart.yaml --
apiVersion: v2
name: web
version: 1.0.0
-- charts/web/values.yaml --
server:
  replicaCount: 1
-- charts/web/templates/settings.yaml --
apiVersion: v1
kind: ConfigMap
metadata:
  name: web
data:
  replicas: \"{{ .Values.server.replicaCount }}\"
",
    check: Check::Rendering,
};

/// A place in a cluster.
type Key = (Option<Arc<str>>, Location);

/// Leaves out what is told of values that other releases have from the same
/// place, and use.
pub(in crate::check) fn drop_shared(
    repository: &Repository,
    views: &[View<'_>],
    findings: &mut Vec<Finding>,
) {
    // How many releases tell of a place, and how many have it.
    let mut places: BTreeMap<Key, (usize, usize)> = BTreeMap::new();
    for key in findings.iter().filter_map(key_of) {
        places.entry(key).or_default().0 += 1;
    }
    if places.is_empty() {
        return;
    }
    for view in views {
        let units = view.cluster.units.iter();
        for unit in units.filter(|unit| unit.kind == UnitKind::HelmRelease) {
            for ((cluster, location), (_, users)) in &mut places {
                if *cluster == view.label && has_values_at(repository, view, unit, location) {
                    *users += 1;
                }
            }
        }
    }
    findings.retain(|finding| {
        let counts = key_of(finding).and_then(|key| places.get(&key));
        counts.is_none_or(|(told, users)| told >= users)
    });
}

fn key_of(finding: &Finding) -> Option<Key> {
    let location = finding.location.clone();
    let location = location.filter(|_| *finding.rule == *RULE.id)?;
    Some((finding.cluster.clone(), location))
}

/// Whether a release has a value from a place: one of its own, or one of a
/// ConfigMap.
fn has_values_at(
    repository: &Repository,
    view: &View<'_>,
    unit: &Unit,
    location: &Location,
) -> bool {
    let Some(spec) = unit.object.get("spec").map(Node::target) else {
        return false;
    };
    let is_in_file = |span: Span| {
        let file = repository.source_map.get(span.file);
        file.is_some_and(|file| file.path == location.file)
    };
    let inline = spec.get("values").is_some_and(|values| {
        let mut is_there = false;
        values.walk(&mut |node| {
            for entry in node.entries() {
                let span = entry.key.span();
                is_there |= (span.line, span.column) == (location.line, location.column)
                    && is_in_file(span);
            }
        });
        is_there
    });
    let references = spec.get("valuesFrom").map(Node::target);
    inline
        || references
            .map_or(&[][..], Node::items)
            .iter()
            .any(|reference| {
                let reference = reference.target();
                let name = reference.str_at("name").unwrap_or_default();
                let kind = reference.str_at("kind").unwrap_or_default();
                let key = reference.str_at("valuesKey").unwrap_or("values.yaml");
                let object = view.find("", kind, &unit.id.namespace, name);
                let text = object.and_then(|object| object.at(&["data", key]));
                text.is_some_and(|node| {
                    let (span, lines) = (node.span(), node.text().unwrap_or_default().lines());
                    let last = span.line + u32::try_from(lines.count()).unwrap_or(u32::MAX);
                    (span.line..=last).contains(&location.line) && is_in_file(span)
                })
            })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::example::testing::found;

    /// A repository with a chart that reads `a` and `b.c`, and a release for
    /// each text of its spec.
    fn repository(releases: &[&str], more: &str) -> String {
        let mut text = String::new();
        for (i, spec) in releases.iter().enumerate() {
            text.push_str(&format!(
                "---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: \
                 r{i}\n  namespace: default\nspec:\n  interval: 1h\n  chart:\n    spec:\n      \
                 chart: ./charts/c\n      sourceRef:\n        kind: GitRepository\n        name: \
                 flux-system\n        namespace: flux-system\n{spec}"
            ));
        }
        text + more
            + "-- charts/c/Chart.yaml --\napiVersion: v2\nname: c\nversion: 1.0.0\n-- \
               charts/c/templates/a.yaml --\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: \
               {{ .Release.Name }}\ndata:\n  a: {{ .Values.a | quote }}\n  {{- with .Values.b }}\n  b: \
               {{ .c | quote }}\n  {{- end }}\n"
    }

    #[test]
    fn values_stand_in_the_release_or_in_a_config_map() {
        let inline = repository(
            &["  values:\n    a: 1\n    b:\n      c: 1\n      d/e: 2\n"],
            "",
        );
        assert_eq!(
            found(RULE.id, &inline),
            [
                "info clusters/prod/example.yaml:20:7 no template of the chart `c` reads the value \
                 `b.d/e`"
            ]
        );
        let from = "  valuesFrom:\n  - kind: ConfigMap\n    name: v\n";
        let map = "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: v\n  namespace: \
                   default\ndata:\n  values.yaml: |\n    a: 1\n    aa: 1\n";
        assert_eq!(
            found(RULE.id, &repository(&[from], map)),
            [
                "info clusters/prod/example.yaml:28:5 no template of the chart `c` reads the value `aa`"
            ]
        );
        // Once for all who have it from there.
        let all = found(RULE.id, &repository(&[from, from], map));
        assert_eq!(all.len(), 1);
    }

    #[test]
    fn what_one_release_uses_may_be_handed_to_another() {
        let from = "  valuesFrom:\n  - kind: ConfigMap\n    name: v\n";
        let map = "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: v\n  namespace: \
                   default\ndata:\n  values.yaml: |\n    aa: 1\n";
        let both = repository(&[from, from], map);
        assert_eq!(found(RULE.id, &both).len(), 1);
        // The chart of one of them is not at hand.
        let (before, after) = both.rsplit_once("kind: GitRepository").unwrap();
        let one = format!("{before}kind: HelmRepository{after}");
        assert_eq!(found(RULE.id, &one), [""; 0]);
    }
}
