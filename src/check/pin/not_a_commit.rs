//! Commits that are none.

use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;
use crate::flux::api::SOURCE;

pub(in crate::check) static RULE: Rule = Rule {
    id: "pin/not-a-commit",
    severity: Severity::Error,
    title: "a commit that is no commit",
    why: "A commit is named by all 40 digits of its id (64 in a SHA-256 repository). Anything else, a short \
          id included, is never found, and every fetch fails.",
    mend: "Write the whole id, as `git rev-parse` prints it.",
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
    branch: main
    commit: 1a2b3c4
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
    branch: main
    commit: 5394cb7f48332b2de7c17dd8b8384bbc84b7e738
",
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for applied in view.of_kind(SOURCE, "GitRepository") {
        let Some(commit) = applied.at(&["spec", "ref", "commit"]) else {
            continue;
        };
        let text = commit.text().unwrap_or_default();
        let hexadecimal = text.bytes().all(|b| b.is_ascii_hexdigit());
        if text.is_empty() || hexadecimal && matches!(text.len(), 40 | 64) {
            continue;
        }
        out.push(
            out.about(
                applied,
                commit.span(),
                format!("`{text}` is no whole id of a commit"),
            )
            .path("/spec/ref/commit")
            .help("write its 40 hexadecimal digits, as `git rev-parse` prints them"),
        );
    }
}
