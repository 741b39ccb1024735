//! Tokens and keys of well-known shapes.

use super::shapes;
use crate::artifact::ignore::regular_files;
use crate::check::{Check, Out, Repository, Rule, View};
use crate::diag::{Severity, Span};

pub(in crate::check) static RULE: Rule = Rule {
    id: "secret/token",
    severity: Severity::Error,
    title: "a token or a private key in a file",
    why: "Tokens of many services say by their shape what they are, and programs search public and \
          stolen repositories for them. Whoever has one is who it was made for.",
    mend: "Revoke it at the service that made it, and put its successor into an encrypted Secret. \
           What is an example or a test, and opens nothing, can be ignored with a reason in \
           `.fluxwright.yaml`.",
    bad: concat!(
        "apiVersion: v1\n",
        "kind: ConfigMap\n",
        "metadata:\n",
        "  name: settings\n",
        "  namespace: default\n",
        "data:\n",
        "  github: gh",
        "p_aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6\n",
    ),
    good: "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  namespace: default
data:
  github: https://github.com/example/fleet
",
    check: Check::Repository(check),
};

/// Larger files are no manifests, and no keys.
const MAX_BYTES: usize = 2 << 20;

/// What documents and pictures are called: examples stand in those.
const PASSED_OVER: [&str; 14] = [
    ".md", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".ico", ".pdf", ".tgz", ".gz", ".zip", ".lock",
    ".woff2", ".gpg",
];

fn check(repository: &Repository, _: &[View<'_>], out: &mut Out<'_>) {
    let files = &repository.sources.repository;
    let Ok(paths) = regular_files(&**files.tree()) else {
        return;
    };
    for path in paths {
        let hidden = path
            .split('/')
            .any(|part| part == ".git" || part == "node_modules");
        if hidden || PASSED_OVER.iter().any(|end| path.ends_with(end)) {
            continue;
        }
        let Ok(bytes) = files.bytes(&path) else {
            continue;
        };
        let Ok(text) = std::str::from_utf8(&bytes) else {
            continue;
        };
        if bytes.len() > MAX_BYTES {
            continue;
        }
        for found in shapes::find(text) {
            let before = text.get(..found.range.start).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let column = before
                .rsplit('\n')
                .next()
                .unwrap_or_default()
                .chars()
                .count()
                + 1;
            let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            let Ok(known) = files.raw(&path) else {
                continue;
            };
            let place = Span::new(known.file, number(line), number(column));
            let shown: String = text
                .get(found.range.clone())
                .unwrap_or_default()
                .chars()
                .take(8)
                .collect();
            out.push(
                out.at(place, format!("{} in clear: `{shown}…`", found.what))
                    .help("revoke it, and put its successor into an encrypted Secret"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::example::testing;

    #[test]
    fn the_place_is_that_of_the_token_in_any_file() {
        let body = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6";
        let text = format!(
            "-- scripts/release.env --\nA=1\nTOKEN={}{body}\n-- README.md --\n{0}{body}\n",
            "ghp_"
        );
        assert_eq!(
            testing::found("secret/token", &text),
            ["error scripts/release.env:2:7 a GitHub token in clear: `ghp_aB3d…`"]
        );
    }
}
