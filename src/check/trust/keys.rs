//! Signatures that cannot be verified for want of the keys.

use crate::check::{Applied, Check, Out, Repository, Rule, View};
use crate::diag::Severity;
use crate::flux::api::{HELM, SOURCE};
use crate::yaml::Node;

pub(in crate::check) static RULE: Rule = Rule {
    id: "trust/keys",
    severity: Severity::Warning,
    title: "a signature that cannot be verified for want of the keys",
    why: "A source that asks for signatures is not used before they are verified. The keys come from the \
          Secret that it names: where that is not in the repository, or is encrypted and nothing \
          opens it, `lock` and `build` refuse the source, and Flux waits for somebody to make the \
          Secret. Where it holds no keys, no signature will do. Signatures by notation are verified \
          by Flux alone.",
    mend: "Add the Secret: public keys are no secret. Or name key files for it under `keys` in \
           `.fluxwright.yaml`.",
    bad: "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: library
  namespace: flux-system
spec:
  interval: 1h
  url: https://git.example.com/library
  ref:
    tag: 1.0.0
  verify:
    mode: Tag
    secretRef:
      name: library-keys
---
apiVersion: v1
kind: Secret
metadata:
  name: library-keys
  namespace: flux-system
",
    good: "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: library
  namespace: flux-system
spec:
  interval: 1h
  url: https://git.example.com/library
  ref:
    tag: 1.0.0
  verify:
    mode: Tag
    secretRef:
      name: library-keys
-- .fluxwright.yaml --
keys:
- secret: flux-system/library-keys
  files: [keys/library.asc]
-- keys/library.asc --
a key
",
    check: Check::Repository(check),
};

/// Which objects ask for signatures, and where.
const ASKING: [(&str, &str, &[&str]); 4] = [
    (SOURCE, "GitRepository", &["spec", "verify"]),
    (SOURCE, "OCIRepository", &["spec", "verify"]),
    (SOURCE, "HelmChart", &["spec", "verify"]),
    (HELM, "HelmRelease", &["spec", "chart", "spec", "verify"]),
];

fn check(repository: &Repository, views: &[View<'_>], out: &mut Out<'_>) {
    let keys = repository.config.keys.iter();
    let given: Vec<&str> = keys.map(|keys| keys.secret.as_str()).collect();
    for view in views {
        for (group, kind, path) in ASKING {
            for applied in view.of_kind(group, kind) {
                if let Some(verify) = applied.at(path) {
                    one(view, applied, verify, path, &given, out);
                }
            }
        }
    }
}

fn one(
    view: &View<'_>,
    applied: &Applied<'_>,
    verify: &Node,
    path: &[&str],
    given: &[&str],
    out: &mut Out<'_>,
) {
    let pointer = format!("/{}", path.join("/"));
    let mut tell = |node: &Node, severity, field: &str, message: String, help: String| {
        let finding = out
            .about(applied, node.span(), message)
            .severity(severity)
            .path(format!("{pointer}/{field}"))
            .help(help);
        let cluster = view.label.clone();
        out.push(crate::diag::Finding { cluster, ..finding });
    };
    if let Some(provider) = verify
        .get("provider")
        .filter(|p| p.text() == Some("notation"))
    {
        let help = "only Flux verifies it: here the source is refused unless \
                    `--insecure-skip-verify` names it"
            .to_owned();
        let message = "signatures by notation cannot be verified here".to_owned();
        return tell(provider, Severity::Info, "provider", message, help);
    }
    let Some(name) = verify.at_path(&["secretRef", "name"]) else {
        return;
    };
    // A HelmChart that a release makes lies beside the source of the chart.
    let beside = applied.text(&["spec", "chart", "spec", "sourceRef", "namespace"]);
    let namespace = beside.unwrap_or(applied.namespace);
    let id = format!("{namespace}/{}", name.text().unwrap_or_default());
    if given.contains(&id.as_str()) {
        return;
    }
    let help = format!(
        "public keys are no secret: add it, or name key files under `keys` in .fluxwright.yaml, for \
         `secret: {id}`"
    );
    let secret = view.find("", "Secret", namespace, name.text().unwrap_or_default());
    let Some(secret) = secret else {
        let message = format!("the Secret `{id}` with the keys is not in the repository");
        return tell(name, Severity::Info, "secretRef/name", message, help);
    };
    let maps = ["data", "stringData"].map(|field| secret.at(&[field]));
    let entries = || maps.iter().flatten().flat_map(|map| map.entries());
    if entries().next().is_none() {
        let message = format!("the Secret `{id}` holds no keys");
        tell(name, Severity::Warning, "secretRef/name", message, help);
    } else if entries().any(|entry| entry.value.is_placeholder()) {
        let message = format!("the Secret `{id}` with the keys is encrypted, and no key opens it");
        let help = format!("give `--age-key-file` or `--pgp-key`; {help}");
        tell(name, Severity::Info, "secretRef/name", message, help);
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::check::example::testing::found;

    #[test]
    fn what_cannot_be_verified_is_told() {
        let with = |verify: &str, more: &str| {
            let repository = format!(
                "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata:\n  name: a\n  \
                 namespace: b\nspec:\n  interval: 1h\n  url: oci://registry.example.com/a\n  ref:\n    \
                 tag: 1.0.0\n  verify: {verify}\n{more}"
            );
            let all = found(RULE.id, &repository);
            all.iter()
                .map(|f| f.split(' ').next().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let keyed = "{provider: cosign, secretRef: {name: k}}";
        let secret = |more: &str| {
            format!(
                "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: k, namespace: b}}\n{more}"
            )
        };
        assert_eq!(with(keyed, ""), ["info"]);
        assert_eq!(with(keyed, &secret("")), ["warning"]);
        assert!(with(keyed, &secret("stringData: {cosign.pub: x}\n")).is_empty());
        assert_eq!(
            with("{provider: notation, secretRef: {name: k}}", ""),
            ["info"]
        );
        assert!(with("{provider: cosign}", "").is_empty());
    }
}
