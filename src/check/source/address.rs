//! Addresses that do not fit their kind of source.

use crate::check::{Applied, Check, Out, Rule, View};
use crate::diag::Severity;
use crate::flux::api::SOURCE;

pub(in crate::check) static RULE: Rule = Rule {
    id: "source/address",
    severity: Severity::Error,
    title: "an address that does not fit its kind of source",
    why: "A HelmRepository whose charts lie in a registry says `type: oci`, and one that has an \
          index does not; the address of an OCIRepository names no tag and no digest, which stand \
          under `ref`. Otherwise source-controller refuses the source.",
    mend: "Correct the address, or the `type`.",
    bad: "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata:
  name: charts
  namespace: flux-system
spec:
  interval: 1h
  url: oci://registry.example.com/charts
",
    good: "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata:
  name: charts
  namespace: flux-system
spec:
  interval: 1h
  type: oci
  url: oci://registry.example.com/charts
",
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for kind in ["HelmRepository", "OCIRepository"] {
        for applied in view.of_kind(SOURCE, kind) {
            let Some(url) = applied.at(&["spec", "url"]) else {
                continue;
            };
            let text = url.text().unwrap_or_default();
            let problem = match kind {
                "HelmRepository" => of_charts(applied, text),
                _ => of_artifact(text),
            };
            if let Some((message, help)) = problem {
                out.push(
                    out.about(applied, url.span(), message)
                        .path("/spec/url")
                        .help(help),
                );
            }
        }
    }
}

fn of_charts(applied: &Applied<'_>, url: &str) -> Option<(&'static str, &'static str)> {
    let is_oci = applied.text(&["spec", "type"]) == Some("oci");
    let is_http = url.starts_with("http://") || url.starts_with("https://");
    match (url.starts_with("oci://"), is_oci) {
        (true, false) => Some((
            "an `oci://` address needs `type: oci`",
            "add `type: oci`, or use an OCIRepository with `chartRef`",
        )),
        (false, true) if is_http => Some((
            "`type: oci` needs an `oci://` address",
            "write `oci://`, or take `type: oci` out",
        )),
        _ => None,
    }
}

fn of_artifact(url: &str) -> Option<(&'static str, &'static str)> {
    let name = url.strip_prefix("oci://")?.rsplit_once('/')?.1;
    let help = "move it to `ref.tag` or `ref.digest`";
    if name.contains('@') {
        Some(("the address of an OCIRepository names no digest", help))
    } else if name.contains(':') {
        Some(("the address of an OCIRepository names no tag", help))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{RULE, of_artifact};
    use crate::check::example::testing::found;

    #[test]
    fn type_and_address_go_together() {
        let http = RULE.good.replace("oci://", "https://");
        assert_eq!(found(RULE.id, &http).len(), 1);
        let index = http.replace("  type: oci\n", "");
        assert_eq!(found(RULE.id, &index), [""; 0]);
    }

    #[test]
    fn a_port_is_no_tag() {
        assert!(of_artifact("oci://registry.example.com:5000/app").is_none());
        assert!(of_artifact("oci://registry.example.com/app:1.2.3").is_some());
        assert!(of_artifact("oci://registry.example.com/app@sha256:0").is_some());
    }
}
