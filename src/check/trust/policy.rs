//! Trust policies that cannot be met.

use crate::artifact::{Kind, path};
use crate::check::{Check, Out, Repository, Rule, View};
use crate::config::FILE_NAME;
use crate::diag::Severity;
use crate::flux::api::SourceRef;
use crate::yaml::Node;

pub(in crate::check) static RULE: Rule = Rule {
    id: "trust/policy",
    severity: Severity::Error,
    title: "a trust policy that cannot be met, or means nothing",
    why: "`trust` and `keys` in `.fluxwright.yaml` say which sources must be signed, and by which \
          keys. A key file that is not there lets no signature count, so that every source under \
          the policy is refused. A pattern that means no source protects nothing: a slip in a name \
          looks like safety.",
    mend: "Add the key file, or correct its path: it counts from the root of the repository. \
           Correct the pattern, `KIND/NAMESPACE/NAME`, or take it out.",
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
-- .fluxwright.yaml --
trust:
  sources:
  - source: GitRepository/flux-system/libary
    keys: [keys/library.asc]
-- keys/library.asc --
a key
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
-- .fluxwright.yaml --
trust:
  sources:
  - source: GitRepository/flux-system/library
    keys: [keys/library.asc]
-- keys/library.asc --
a key
",
    check: Check::Repository(check),
};

fn check(repository: &Repository, views: &[View<'_>], out: &mut Out<'_>) {
    let files = &repository.sources.repository;
    let Ok(documents) = files.documents(FILE_NAME) else {
        return;
    };
    let Some(root) = documents.first().map(|document| &document.root) else {
        return;
    };
    let items = |node: Option<&'_ Node>| {
        let items = node.map_or(&[][..], |n| n.target().items());
        items.iter().map(Node::target).cloned().collect::<Vec<_>>()
    };
    let trust = root.get("trust").map(Node::target);
    let mut named: Vec<Node> = Vec::new();
    named.extend(trust.and_then(|t| t.get("trustedRoot")).cloned());
    for keys in ["keys", "keyrings"] {
        named.extend(items(trust.and_then(|t| t.at_path(&["bundles", keys]))));
    }
    for keys in items(root.get("keys")) {
        named.extend(items(keys.get("files")));
    }
    let policies = items(trust.and_then(|t| t.get("sources")));
    for policy in &policies {
        named.extend(policy.get("trustedRoot").cloned());
        named.extend(items(policy.get("keys")));
    }
    for file in &named {
        let text = file.text().unwrap_or_default();
        // What lies elsewhere is the machine's.
        let inside = (!text.starts_with('/'))
            .then(|| path::join("", text))
            .flatten();
        let is_missing = inside.is_some_and(|at| !matches!(files.kind(&at), Ok(Some(Kind::File))));
        if is_missing {
            out.push(
                out.at(file.span(), format!("there is no key file `{text}`"))
                    .help("add it, or correct the path: it counts from the root of the repository"),
            );
        }
    }
    if !repository.is_whole {
        return;
    }
    let entries = repository.config.trust.sources.iter().zip(&policies);
    for (entry, node) in entries {
        let is_met = views.iter().any(|view| {
            let mut sources = view.cluster.sources().into_iter().map(|source| source.id);
            let own = view.cluster.own.iter().map(SourceRef::to_string);
            sources.any(|id| entry.matches(&id.to_string()))
                || own.into_iter().any(|id| entry.matches(&id))
        });
        if !is_met {
            let span = node.get("source").map_or(node.span(), Node::span);
            out.push(
                out.at(span, format!("no source is meant by `{}`", entry.source))
                    .severity(Severity::Warning)
                    .help(
                        "correct the pattern, or take it out; `fluxwright get sources` lists them",
                    ),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::check::example::testing::found;

    #[test]
    fn key_files_are_in_the_repository() {
        let with = |config: &str| found(RULE.id, &format!("-- .fluxwright.yaml --\n{config}"));
        assert_eq!(
            with("trust:\n  bundles:\n    keys: [release.pub]\n"),
            ["error .fluxwright.yaml:3:12 there is no key file `release.pub`"]
        );
        assert_eq!(
            with("keys:\n- secret: a/b\n  files:\n  - a.asc\ntrust: {trustedRoot: root.json}\n")
                .len(),
            2
        );
        // The machine's own are not looked for.
        assert_eq!(with("trust: {trustedRoot: /etc/root.json}\n"), [""; 0]);
        assert_eq!(with("trust: {trustedRoot: ../root.json}\n"), [""; 0]);
    }
}
