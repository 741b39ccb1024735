//! Signatures of tags where there is none.

use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;
use crate::flux::api::SOURCE;

pub(in crate::check) static RULE: Rule = Rule {
    id: "trust/mode",
    severity: Severity::Warning,
    title: "a signature of a tag is asked for, and no tag is followed",
    why: "With `verify.mode: Tag` or `TagAndHEAD` the signature of the tag is looked at. A branch \
          or a commit has none, and the source fails. `head` is how `HEAD` was spelled once.",
    mend: "Follow a tag (`ref.tag`, `ref.semver` or `ref.name`), or verify the commit with `HEAD`.",
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
  verify:
    mode: Tag
    secretRef:
      name: keys
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
      name: keys
",
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for applied in view.of_kind(SOURCE, "GitRepository") {
        let Some(mode) = applied.at(&["spec", "verify", "mode"]) else {
            continue;
        };
        let text = mode.text().unwrap_or_default();
        if text == "head" {
            out.push(
                out.about(applied, mode.span(), "the mode `head` is an old spelling")
                    .severity(Severity::Info)
                    .path("/spec/verify/mode")
                    .help("write `mode: HEAD`"),
            );
        }
        let has = |field: &str| applied.at(&["spec", "ref", field]).is_some();
        let tagged = ["tag", "semver", "name"].into_iter().any(has) && !has("commit");
        if matches!(text, "Tag" | "TagAndHEAD") && !tagged {
            out.push(
                out.about(
                    applied,
                    mode.span(),
                    format!("the mode `{text}` needs a tag, and `ref` names none"),
                )
                .path("/spec/verify/mode")
                .help("follow a tag, or write `mode: HEAD`"),
            );
        }
    }
}
