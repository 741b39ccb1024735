//! Credentials that are sent to other hosts.

use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;
use crate::flux::api::SOURCE;

pub(in crate::check) static RULE: Rule = Rule {
    id: "source/pass-credentials",
    severity: Severity::Warning,
    title: "credentials that are sent to whatever host the index names",
    why: "With `passCredentials` the name and the password of a chart repository go to every host that \
          its index names for a chart; whoever can change the index can have them.",
    mend: "Take it out; if charts lie on another host, give that host a HelmRepository of its own.",
    bad: "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata:
  name: charts
  namespace: flux-system
spec:
  interval: 1h
  url: https://charts.example.com
  secretRef:
    name: charts
  passCredentials: true
",
    good: "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata:
  name: charts
  namespace: flux-system
spec:
  interval: 1h
  url: https://charts.example.com
  secretRef:
    name: charts
",
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for applied in view.of_kind(SOURCE, "HelmRepository") {
        if !applied.is_true(&["spec", "passCredentials"]) {
            continue;
        }
        let Some(field) = applied.at(&["spec", "passCredentials"]) else {
            continue;
        };
        out.push(
            out.about(
                applied,
                field.span(),
                "credentials go to every host that the index names",
            )
            .path("/spec/passCredentials")
            .help("take it out, or give the other host a HelmRepository of its own"),
        );
    }
}
