//! Ignore rules that are none.

use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;
use crate::flux::api::SOURCE;

pub(in crate::check) static RULE: Rule = Rule {
    id: "source/ignore-rules",
    severity: Severity::Warning,
    title: "ignore rules that leave nothing out",
    why: "`spec.ignore` holds lines as a .gitignore does. A list in YAML, or a pattern in quotes, is a \
          pattern too: one that no file has ever matched. And any `spec.ignore` puts Flux's own \
          list of what is left out (archives, pictures, CI files) out of use.",
    mend: "Write one pattern on each line, without quotes and dashes.",
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
  ignore: |
    - path: \"docs/**\"
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
  ignore: |
    docs/
",
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for kind in ["GitRepository", "OCIRepository", "Bucket"] {
        for applied in view.of_kind(SOURCE, kind) {
            let Some(ignore) = applied.at(&["spec", "ignore"]) else {
                continue;
            };
            let lines = ignore.text().unwrap_or_default().lines();
            if let Some(line) = lines.map(str::trim).find(|line| is_no_rule(line)) {
                out.push(
                    out.about(
                        applied,
                        ignore.span(),
                        format!("`{line}` is taken for the name of a file"),
                    )
                    .path("/spec/ignore")
                    .help("write a pattern as in .gitignore, `docs/` or `*.md`"),
                );
            }
        }
    }
}

/// Whether a line looks like YAML, or like text in quotes.
fn is_no_rule(line: &str) -> bool {
    let bare = line.trim_start_matches("- ");
    let in_quotes = bare.len() > 1 && bare.starts_with(['"', '\'']) && bare.ends_with(['"', '\'']);
    !line.starts_with('#') && (line.starts_with("- ") || in_quotes || bare.contains(": "))
}

#[cfg(test)]
mod tests {
    use super::is_no_rule;

    #[test]
    fn yaml_is_no_rule() {
        for (line, odd) in [
            ("- path: \"docs/**\"", true),
            ("match: \"**/*\"", true),
            ("'*.md'", true),
            ("# - a: b", false),
            ("/*", false),
            ("!/deploy", false),
            ("a b/", false),
        ] {
            assert_eq!(is_no_rule(line), odd, "{line}");
        }
    }
}
