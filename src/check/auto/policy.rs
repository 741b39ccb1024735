//! Image policies whose range or pattern cannot mean what it looks like.

use crate::check::{Applied, Check, Out, Rule, View};
use crate::diag::Severity;
use crate::flux::api::IMAGE;
use crate::gostd::regexp::Regexp;
use crate::gostd::semver::{Constraints, Version};

/// The example, with the part that is wrong in one and right in the other.
macro_rules! example {
    ($part:literal) => {
        concat!(
            "\
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata:
  name: web
  namespace: flux-system
spec:
  image: registry.example.com/web
  interval: 5m
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata:
  name: web
  namespace: flux-system
spec:
  imageRepositoryRef:
    name: web
  policy:
    semver:
",
            $part
        )
    };
}

pub(in crate::check) static RULE: Rule = Rule {
    id: "auto/policy",
    severity: Severity::Warning,
    title: "an image policy that chooses nothing, or not what it looks like",
    why: "A range with hyphens needs spaces around them: `1.0.0-2.0.0` is one version, a \
          prerelease of 1.0.0. A range or a pattern that does not parse stops the policy, and \
          `extract` can only name groups that the pattern has.",
    mend: "Write `1.0.0 - 2.0.0` or `>=1.0.0 <2.0.0`; name the group in the pattern as in \
           `^main-(?P<ts>[0-9]+)$` and extract `$ts`.",
    bad: example!(
        "      range: 1.0.0-2.0.0
"
    ),
    good: example!(
        "      range: 1.0.0 - 2.0.0
"
    ),
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for applied in view.of_kind(IMAGE, "ImagePolicy") {
        range(applied, out);
        pattern(applied, out);
    }
}

fn range(applied: &Applied<'_>, out: &mut Out<'_>) {
    const PATH: [&str; 4] = ["spec", "policy", "semver", "range"];
    let Some(node) = applied.at(&PATH) else {
        return;
    };
    let text = node.text().unwrap_or_default();
    let (message, help) = match Constraints::parse(text) {
        Err(e) => (
            format!("`{text}` is no range: {e}"),
            "write a range such as `>=1.0.0 <2.0.0`".to_owned(),
        ),
        Ok(_) => match hyphenated(text) {
            Some((from, to)) => (
                format!("`{text}` is one version, a prerelease of `{from}`, and no range"),
                format!("write `{from} - {to}`, with spaces"),
            ),
            None => return,
        },
    };
    out.push(
        out.about(applied, node.span(), message)
            .path("/spec/policy/semver/range")
            .help(help),
    );
}

/// The two versions of what looks like a range and is one version.
fn hyphenated(text: &str) -> Option<(&str, &str)> {
    let (from, to) = text.trim().split_once('-')?;
    let is_version = |text: &str| text.contains('.') && Version::parse(text).is_ok();
    (is_version(from) && is_version(to)).then_some((from, to))
}

fn pattern(applied: &Applied<'_>, out: &mut Out<'_>) {
    let Some(node) = applied.at(&["spec", "filterTags", "pattern"]) else {
        return;
    };
    let text = node.text().unwrap_or_default();
    let regexp = match Regexp::new(text) {
        Ok(regexp) => regexp,
        Err(e) => {
            out.push(
                out.about(
                    applied,
                    node.span(),
                    format!("the pattern does not parse: {e}"),
                )
                .path("/spec/filterTags/pattern")
                .help("patterns are Go's regular expressions"),
            );
            return;
        }
    };
    let Some(extract) = applied.at(&["spec", "filterTags", "extract"]) else {
        return;
    };
    let names = regexp.group_names();
    for name in references(extract.text().unwrap_or_default()) {
        let known = match name.parse::<usize>() {
            Ok(number) => number <= regexp.group_count(),
            Err(_) => names.iter().flatten().any(|own| own == name),
        };
        if !known {
            out.push(
                out.about(
                    applied,
                    extract.span(),
                    format!("the pattern has no group `{name}`: what is extracted is empty"),
                )
                .path("/spec/filterTags/extract")
                .help(format!("name the group in the pattern: `(?P<{name}>…)`")),
            );
        }
    }
}

/// The groups that a template of Go's regular expressions names.
fn references(template: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = template;
    while let Some((_, after)) = rest.split_once('$') {
        if let Some(after) = after.strip_prefix('$') {
            rest = after;
            continue;
        }
        let braced = after
            .strip_prefix('{')
            .and_then(|inner| inner.split_once('}'));
        let (name, left) = braced.unwrap_or_else(|| {
            let end = after.find(|c: char| !c.is_alphanumeric() && c != '_');
            after.split_at(end.unwrap_or(after.len()))
        });
        if !name.is_empty() {
            found.push(name);
        }
        rest = left;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::example::testing;

    #[test]
    fn groups_are_those_of_the_pattern() {
        assert_eq!(references("$ts-${sha}$$x $1"), ["ts", "sha", "1"]);
        let with = |extract: &str| {
            let text = RULE.good.replace(
                "  policy:\n    semver:\n      range: 1.0.0 - 2.0.0",
                &format!(
                    "  filterTags:\n    pattern: '^main-(?P<ts>[0-9]+)$'\n    extract: \
                     {extract}\n  policy:\n    numerical:\n      order: asc"
                ),
            );
            testing::found("auto/policy", &text)
        };
        assert!(with("$ts").is_empty());
        assert!(with("$1").is_empty());
        assert!(with("$time")[0].contains("has no group `time`"));
    }

    #[test]
    fn prereleases_are_no_ranges() {
        assert!(hyphenated("1.0.0-rc.1").is_none());
        assert!(hyphenated("1.0.0 - 2.0.0").is_none());
        assert_eq!(hyphenated("1.0-2.0"), Some(("1.0", "2.0")));
    }
}
