//! API versions that are out of date.

use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;
use crate::flux::api;
use crate::schema::Missing;

pub(in crate::check) static RULE: Rule = Rule {
    id: "api/deprecated",
    severity: Severity::Error,
    title: "an API version that is deprecated, or no longer served",
    why: "An object in a version that the API server does not serve is refused, and with it \
          everything that the same Kustomization applies. Versions go with Kubernetes \
          (`--kube-version`) and with Flux (`--flux-version`, or what `gotk-components.yaml` \
          says). One that is deprecated still works, and is a warning.",
    mend: "Write the version that the help names; `fluxwright migrate` does so for Flux's own \
           kinds, in place.",
    bad: "\
apiVersion: source.toolkit.fluxcd.io/v1beta2
kind: HelmRepository
metadata:
  name: charts
  namespace: flux-system
spec:
  interval: 1h
  url: https://charts.example.com
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
",
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for applied in view.objects() {
        let gvk = applied.gvk();
        let version = gvk.api_version();
        let written = applied.at(&["apiVersion"]).unwrap_or(applied.node());
        if let Some((_, known)) = api::kind_of(gvk) {
            if let Some(told) = api::check_version(applied.node(), view.flux, out.sources()) {
                let served = known.is_some_and(|v| v.is_served_by(view.flux));
                let mut finding = out
                    .about(applied, written.span(), told.message)
                    .path("/apiVersion")
                    .severity(if served {
                        Severity::Warning
                    } else {
                        Severity::Error
                    });
                finding.help = told.help;
                out.push(finding);
            }
            continue;
        }
        let (message, help) = match view.schemas.missing(&version, &gvk.kind) {
            Some(Missing::NotServed(help)) => ("is not served", help),
            Some(Missing::NotYet(help)) => ("is not served yet", help),
            _ => continue,
        };
        out.push(
            out.about(
                applied,
                written.span(),
                format!(
                    "{} `{version}` {message} (Kubernetes {})",
                    gvk.kind, view.kubernetes
                ),
            )
            .path("/apiVersion")
            .help(help),
        );
    }
}
