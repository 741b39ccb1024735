//! API versions that are out of date.

use crate::check::{Applied, Check, Out, Rule, View};
use crate::diag::Severity;
use crate::flux::api;
use crate::pipeline::cluster::UnitKind;
use crate::schema::{Missing, Schemas};

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
        let (message, mut help) = match view.schemas.missing(&version, &gvk.kind) {
            Some(Missing::NotServed(help)) => ("is not served", help),
            Some(Missing::NotYet(help)) => ("is not served yet", help),
            _ => continue,
        };
        let mut severity = RULE.severity;
        if may_be_chosen(applied) {
            severity = if applied.is_of_foreign_chart() {
                Severity::Info
            } else {
                Severity::Warning
            };
            help.push_str(
                "; if the chart chooses the version by what the cluster serves, say what that is with `--api-versions`",
            );
        }
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
            .severity(severity)
            .help(help),
        );
    }
}
/// Whether a chart may have chosen the version of an object by what it takes the
/// cluster to serve, which is not known here.
///
/// Compat: Helm's capabilities without a cluster are the kinds of client-go and
/// those of apiextensions.
fn may_be_chosen(applied: &Applied<'_>) -> bool {
    let group = &applied.gvk().group;
    let is_known_to_helm =
        Schemas::is_built_in_group(group) && **group != *"apiregistration.k8s.io";
    let is_release = applied
        .unit
        .is_some_and(|unit| unit.kind == UnitKind::HelmRelease);
    is_release && !is_known_to_helm
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::check::example::testing::found;

    #[test]
    fn a_chart_may_choose_by_what_the_cluster_serves() {
        let brought = |object: &str| {
            let text = format!(
                "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: a, \
                 namespace: default}}\nspec:\n  interval: 1h\n  chart:\n    spec:\n      chart: \
                 ./chart\n      sourceRef: {{kind: GitRepository, name: flux-system, namespace: \
                 flux-system}}\n-- chart/Chart.yaml --\napiVersion: v2\nname: c\nversion: 1.0.0\n-- \
                 chart/templates/x.yaml --\n{object}"
            );
            let found = found(RULE.id, &text);
            let severities = found.iter().filter_map(|f| f.split(' ').next());
            severities.map(str::to_owned).collect::<Vec<_>>()
        };
        let of = |version: &str, kind: &str| {
            format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: x}}\n")
        };
        // Helm knows what takes the place of these without a cluster.
        let budget = of("policy/v1beta1", "PodDisruptionBudget");
        assert_eq!(brought(&budget), ["error"]);
        let service = of("apiregistration.k8s.io/v1beta1", "APIService");
        assert_eq!(brought(&service), ["warning"]);
        assert_eq!(brought(&of("apps/v1", "Deployment")), [""; 0]);
    }
}
