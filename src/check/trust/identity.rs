//! Keyless signatures of nobody in particular.

use crate::check::{Applied, Check, Out, Rule, View};
use crate::diag::Severity;
use crate::flux::api::{HELM, SOURCE};
use crate::yaml::Node;

pub(in crate::check) static RULE: Rule = Rule {
    id: "trust/identity",
    severity: Severity::Warning,
    title: "a keyless signature that anybody can make",
    why: "Without a key, cosign proves who signed by a certificate that everybody with an account \
          at a public provider gets. Unless the identity is asked for, any signature will do; and \
          a pattern without `^` and `$` fits every identity that holds the text somewhere. In a \
          HelmRelease the identity cannot be asked for at all.",
    mend: "Name issuer and subject in `verify.matchOIDCIdentity`, with anchored patterns, or give a \
           key in `verify.secretRef`. For a chart, use an OCIRepository with `chartRef`.",
    bad: "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata:
  name: manifests
  namespace: flux-system
spec:
  interval: 1h
  url: oci://registry.example.com/manifests
  ref:
    tag: 1.0.0
  verify:
    provider: cosign
",
    good: "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata:
  name: manifests
  namespace: flux-system
spec:
  interval: 1h
  url: oci://registry.example.com/manifests
  ref:
    tag: 1.0.0
  verify:
    provider: cosign
    matchOIDCIdentity:
    - issuer: ^https://token\\.actions\\.githubusercontent\\.com$
      subject: ^https://github\\.com/example/manifests/\\.github/workflows/release\\.yaml@refs/tags/.*$
",
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    let kinds: [(&str, &str, &[&str]); 3] = [
        (SOURCE, "OCIRepository", &["spec", "verify"]),
        (SOURCE, "HelmChart", &["spec", "verify"]),
        (HELM, "HelmRelease", &["spec", "chart", "spec", "verify"]),
    ];
    for (group, kind, path) in kinds {
        for applied in view.of_kind(group, kind) {
            if let Some(verify) = applied.at(path) {
                one(applied, verify, &format!("/{}", path.join("/")), out);
            }
        }
    }
}

fn one(applied: &Applied<'_>, verify: &Node, pointer: &str, out: &mut Out<'_>) {
    let provider = verify.str_at("provider").unwrap_or("cosign");
    if provider != "cosign" || verify.at_path(&["secretRef", "name"]).is_some() {
        return;
    }
    let identities = verify.get("matchOIDCIdentity").map(Node::target);
    let identities = identities.map_or(&[][..], Node::items);
    if identities.is_empty() {
        out.push(
            out.about(applied, verify.span(), "any identity may have signed it")
                .path(pointer)
                .help("name issuer and subject in `matchOIDCIdentity`, or give a key"),
        );
    }
    for (index, identity) in identities.iter().map(Node::target).enumerate() {
        for field in ["issuer", "subject"] {
            let Some(node) = identity.get(field) else {
                continue;
            };
            let text = node.text().unwrap_or_default();
            if text.starts_with('^') && text.ends_with('$') {
                continue;
            }
            out.push(
                out.about(
                    applied,
                    node.span(),
                    format!("the pattern of the {field} fits whatever holds it: `{text}`"),
                )
                .path(format!("{pointer}/matchOIDCIdentity/{index}/{field}"))
                .help("begin it with `^` and end it with `$`"),
            );
        }
    }
}
