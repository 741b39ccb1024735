//! Sources and charts that are not pinned to one release.

use crate::check::subst::is_open;
use crate::check::{Applied, Check, Out, Rule, View};
use crate::diag::{Cause, Finding, Severity, Span};
use crate::flux::api::{HELM, SOURCE};
use crate::gostd::semver::Version;
use crate::yaml::Node;

pub(in crate::check) static RULE: Rule = Rule {
    id: "pin/floating",
    severity: Severity::Warning,
    title: "a branch, a range or `latest` where a release is meant",
    why: "What is fetched by branch, by version range or by a tag that moves can change between \
          the review and the deployment, and from one cluster to the next. The source that the \
          repository itself is follows its branch, and is no finding.",
    mend: "Name one release: `ref.tag` or `ref.commit` of a GitRepository, `ref.tag` with a \
           version or `ref.digest` of an OCIRepository, an exact `version` of a chart.",
    bad: "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: podinfo
  namespace: flux-system
spec:
  interval: 1h
  url: https://git.example.com/podinfo
  ref:
    branch: main
",
    good: "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: podinfo
  namespace: flux-system
spec:
  interval: 1h
  url: https://git.example.com/podinfo
  ref:
    tag: 6.9.1
",
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for applied in view.of_kind(SOURCE, "GitRepository") {
        if !view.is_own_source(applied) {
            git(applied, out);
        }
    }
    for applied in view.of_kind(SOURCE, "OCIRepository") {
        if !view.is_own_source(applied) {
            oci(applied, out);
        }
    }
    for applied in view.of_kind(HELM, "HelmRelease") {
        chart(applied, &["spec", "chart", "spec"], out);
    }
    for applied in view.of_kind(SOURCE, "HelmChart") {
        chart(applied, &["spec"], out);
    }
}

/// Where a field stands, or the object where it is not written.
fn place(applied: &Applied<'_>, path: &[&str]) -> Span {
    let written = applied.at(path).or_else(|| applied.at(&["spec"]));
    written.unwrap_or(applied.node()).span()
}

/// Compat: of several references the last of branch, tag, semver, name and
/// commit counts, and none means the branch `master`.
fn git(applied: &Applied<'_>, out: &mut Out<'_>) {
    let text = |field| {
        applied
            .text(&["spec", "ref", field])
            .filter(|t| !t.is_empty())
    };
    if text("commit").is_some() {
        return;
    }
    let (message, field) = if let Some(name) = text("name") {
        if name.starts_with("refs/tags/") {
            return;
        }
        (format!("the reference `{name}` moves"), "name")
    } else if let Some(range) = text("semver") {
        if is_exact(range) {
            return;
        }
        (
            format!("the range `{range}` takes every release that fits"),
            "semver",
        )
    } else if let Some(tag) = text("tag") {
        if !is_moving_tag(tag) {
            return;
        }
        (format!("the tag `{tag}` moves"), "tag")
    } else if let Some(branch) = text("branch") {
        (format!("the branch `{branch}` moves"), "branch")
    } else {
        (
            "without a reference it follows the branch `master`".to_owned(),
            "",
        )
    };
    let path = ["spec", "ref", field];
    let path = if field.is_empty() {
        &path[..1]
    } else {
        &path[..]
    };
    out.push(
        out.about(applied, place(applied, path), message)
            .path(format!("/{}", path.join("/")))
            .help("name one release with `ref.tag`, or one revision with `ref.commit`"),
    );
}

/// Compat: digest before semver before tag, and none means the tag `latest`.
fn oci(applied: &Applied<'_>, out: &mut Out<'_>) {
    let text = |field| {
        applied
            .text(&["spec", "ref", field])
            .filter(|t| !t.is_empty())
    };
    if text("digest").is_some() {
        return;
    }
    let (message, path): (String, &[&str]) = if let Some(range) = text("semver") {
        if is_exact(range) {
            return;
        }
        let message = format!("the range `{range}` takes every release that fits");
        (message, &["spec", "ref", "semver"])
    } else if let Some(tag) = text("tag") {
        if !is_moving_tag(tag) {
            return;
        }
        (format!("the tag `{tag}` moves"), &["spec", "ref", "tag"])
    } else {
        (
            "without a reference it follows the tag `latest`".to_owned(),
            &["spec"],
        )
    };
    out.push(
        out.about(applied, place(applied, path), message)
            .path(format!("/{}", path.join("/")))
            .help("name one version with `ref.tag`, or the very artifact with `ref.digest`"),
    );
}

/// Compat: the version counts for charts of a HelmRepository alone; none means
/// `*`.
fn chart(applied: &Applied<'_>, at: &[&str], out: &mut Out<'_>) {
    let below = |field: &'static str| -> Vec<&str> { at.iter().copied().chain([field]).collect() };
    let Some(spec) = applied.at(at) else { return };
    let kind = spec
        .get("sourceRef")
        .and_then(|source| source.get("kind"))
        .and_then(Node::text);
    if kind != Some("HelmRepository") {
        return;
    }
    let version = applied.text(&below("version")).unwrap_or_default().trim();
    if is_exact(version) {
        return;
    }
    let (message, path) = if version.is_empty() {
        (
            "the newest version of the chart is taken".to_owned(),
            at.to_vec(),
        )
    } else {
        let message = format!("the range `{version}` takes every version that fits");
        (message, below("version"))
    };
    out.push(
        out.about(applied, place(applied, &path), message)
            .path(format!("/{}", path.join("/")))
            .help("write the version of one release, `version: 1.2.3`"),
    );
}

/// What is to be said of a remote base besides that it is one: that its address
/// means another thing tomorrow.
pub(in crate::check) fn of_remote(told: &Finding) -> Option<Finding> {
    let Some(Cause::Remote(address)) = &told.cause else {
        return None;
    };
    is_moving_address(address).then(|| Finding {
        rule: RULE.id.into(),
        severity: RULE.severity,
        message: format!("what `{address}` names moves"),
        help: Some("name a release or a commit: `?ref=v1.2.3`".to_owned()),
        ..told.clone()
    })
}

/// Whether the address of a remote base names a branch, or whatever is newest.
fn is_moving_address(address: &str) -> bool {
    let moves = |reference: &str| {
        let is_release = reference.bytes().any(|b| b.is_ascii_digit());
        is_moving_tag(reference) || !is_release
    };
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let named = query
        .split('&')
        .filter_map(|parameter| parameter.split_once('='));
    if let Some((_, reference)) = named
        .into_iter()
        .find(|(k, _)| matches!(*k, "ref" | "version"))
    {
        return moves(reference);
    }
    if let Some((_, rest)) = path.split_once("raw.githubusercontent.com/") {
        // OWNER/NAME/REFERENCE, or OWNER/NAME/refs/heads/REFERENCE.
        let mut parts = rest.split('/').skip(2);
        return match parts.next() {
            Some("refs") => parts.next() == Some("heads"),
            Some(reference) => moves(reference),
            None => false,
        };
    }
    if path.contains("/releases/latest/") {
        return true;
    }
    let is_file = [".yaml", ".yml", ".json"]
        .iter()
        .any(|end| path.ends_with(end));
    // A repository without a reference is at its default branch.
    !is_file
}

/// Whether a range holds one version only, as far as is known here.
fn is_exact(range: &str) -> bool {
    if is_open(range) {
        return true;
    }
    let bare = range.trim().trim_start_matches('=').trim_start();
    Version::parse(bare).is_ok() && bare.bytes().filter(|b| *b == b'.').count() >= 2
}

/// Whether a tag names a channel rather than a release.
fn is_moving_tag(tag: &str) -> bool {
    const CHANNELS: &[&str] = &[
        "latest",
        "main",
        "master",
        "edge",
        "nightly",
        "stable",
        "dev",
        "develop",
        "production",
        "staging",
        "canary",
        "rolling",
        "head",
        "trunk",
        "snapshot",
    ];
    CHANNELS.contains(&tag.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::example::testing::found;

    fn oci(reference: &str) -> Vec<String> {
        let text = format!(
            "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata:\n  name: \
             a\n  namespace: b\nspec:\n  interval: 1h\n  url: oci://registry.example.com/a\n{reference}"
        );
        found("pin/floating", &text)
    }

    #[test]
    fn what_names_one_release_is_pinned() {
        for pinned in [
            "tag: 1.2.3",
            "semver: 1.2.3",
            "tag: v7",
            "{tag: latest, digest: 'sha256:0'}",
        ] {
            let reference = if pinned.starts_with('{') {
                format!("  ref: {pinned}\n")
            } else {
                format!("  ref:\n    {pinned}\n")
            };
            assert_eq!(oci(&reference), [""; 0], "{pinned}");
        }
        let place = "warning clusters/prod/example.yaml";
        assert_eq!(
            oci("  ref:\n    semver: '>=1.0.0'\n"),
            [format!(
                "{place}:10:13 the range `>=1.0.0` takes every release that fits"
            )]
        );
        assert_eq!(
            oci(""),
            [format!(
                "{place}:7:3 without a reference it follows the tag `latest`"
            )]
        );
    }

    #[test]
    fn addresses_of_remote_bases_name_a_release() {
        for (address, moving) in [
            ("https://github.com/a/b//deploy?ref=main", true),
            ("https://github.com/a/b//deploy?ref=v1.2.3", false),
            (
                "https://github.com/a/b//deploy?timeout=90s&ref=5394cb7f",
                false,
            ),
            ("github.com/a/b/deploy", true),
            ("https://raw.githubusercontent.com/a/b/main/c.yaml", true),
            (
                "https://raw.githubusercontent.com/a/b/refs/heads/v1/c.yaml",
                true,
            ),
            ("https://raw.githubusercontent.com/a/b/v1.2.3/c.yaml", false),
            (
                "https://github.com/a/b/releases/latest/download/c.yaml",
                true,
            ),
            (
                "https://github.com/a/b/releases/download/v1.2.3/c.yaml",
                false,
            ),
        ] {
            assert_eq!(is_moving_address(address), moving, "{address}");
        }
        let text = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: \
                    a\n  namespace: flux-system\nspec:\n  interval: 10m\n  path: ./a\n  prune: true\n  \
                    sourceRef:\n    kind: GitRepository\n    name: flux-system\n-- a/kustomization.yaml \
                    --\nresources:\n- https://github.com/a/b//deploy?ref=main\n";
        assert_eq!(
            found("pin/floating", text),
            [
                "warning a/kustomization.yaml:2:3 what `https://github.com/a/b//deploy?ref=main` names \
                 moves"
            ]
        );
    }

    #[test]
    fn exact_ranges_hold_one_version() {
        for (range, exact) in [
            ("1.2.3", true),
            ("= v1.2.3", true),
            ("1.2", false),
            ("1.2.x", false),
            ("~1.2.3", false),
            ("*", false),
            ("", false),
        ] {
            assert_eq!(is_exact(range), exact, "{range}");
        }
    }
}
