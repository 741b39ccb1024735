//! Annotated source, for terminals.

use std::borrow::Cow;
use std::collections::BTreeMap;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::diag::{Finding, Severity, SourceMap};

/// The findings as annotated source, one after the other.
///
/// With `color`, the text holds ANSI escapes.
pub fn human(findings: &[Finding], sources: &SourceMap, color: bool) -> String {
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let mut out = String::new();
    for (finding, clusters) in by_cluster(findings) {
        out.push_str(&one(finding, &clusters, sources, &renderer));
        out.push('\n');
    }
    out
}

/// The findings, each with the clusters that have it: what several have in
/// common is told once, where it comes first.
fn by_cluster(findings: &[Finding]) -> Vec<(&Finding, Vec<&str>)> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut told: Vec<(&Finding, Vec<&str>)> = Vec::new();
    for finding in findings {
        let mut key = finding.clone();
        key.cluster = None;
        let place = *places.entry(format!("{key:?}")).or_insert(told.len());
        if place == told.len() {
            told.push((finding, Vec::new()));
        }
        if let Some((_, clusters)) = told.get_mut(place) {
            clusters.extend(finding.cluster.as_deref());
        }
    }
    told
}

fn one(finding: &Finding, clusters: &[&str], sources: &SourceMap, renderer: &Renderer) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let title = level.primary_title(&*finding.message).id(&*finding.rule);
    let object = finding.object.as_ref().map(|object| {
        let mut text = format!("object: {object}");
        if let Some(path) = &finding.path {
            text.push_str(", at ");
            text.push_str(path);
        }
        text
    });

    let file = finding
        .location
        .as_ref()
        .and_then(|l| sources.by_path(&l.file));
    let mut group = Group::with_title(title);
    let line = match (&finding.location, &file) {
        (Some(location), Some(file)) => file
            .line(location.line)
            .map(|l| (location, without_logins(l))),
        _ => None,
    };
    if let Some((location, line)) = &line {
        let line = &**line;
        let start = line
            .char_indices()
            .nth((location.column as usize).saturating_sub(1))
            .map_or(line.len(), |(i, _)| i);
        let end = line[start..]
            .char_indices()
            .find(|(_, c)| c.is_whitespace())
            .map_or(line.len(), |(i, _)| start + i);
        group = group.element(
            Snippet::source(line)
                .path(&*location.file)
                .line_start(location.line as usize)
                .annotation(AnnotationKind::Primary.span(start..end)),
        );
    } else if let Some(location) = &finding.location {
        let origin = annotate_snippets::Origin::path(&*location.file);
        group = group.element(if location.line > 0 {
            origin
                .line(location.line as usize)
                .char_column(location.column as usize)
        } else {
            origin
        });
    }
    if let Some(object) = &object {
        group = group.element(Level::NOTE.message(object));
    }
    let clusters = match clusters {
        [] => None,
        [one] => Some(format!("cluster: {one}")),
        several => Some(format!("clusters: {}", several.join(", "))),
    };
    if let Some(clusters) = &clusters {
        group = group.element(Level::NOTE.message(clusters));
    }
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(help));
    }
    renderer.render(&[group])
}

/// A line with stars for the logins that stand in its addresses: passwords, and
/// over HTTP names that stand alone, which are tokens.
fn without_logins(line: &str) -> Cow<'_, str> {
    const BORDERS: &[char] = &['/', '"', '\'', ',', '}', ')', ']', '>', '`'];
    let mut shown = String::new();
    let mut rest = line;
    while let Some((before, behind)) = rest.split_once("://") {
        let ends = |c: char| c.is_whitespace() || BORDERS.contains(&c);
        let (authority, after) = behind.split_at(behind.find(ends).unwrap_or(behind.len()));
        shown.push_str(before);
        shown.push_str("://");
        match authority.rsplit_once('@') {
            Some((login, host)) => {
                let is_http = before.ends_with("http") || before.ends_with("https");
                let (name, hidden) = match login.split_once(':') {
                    Some((name, password)) => (format!("{name}:"), password),
                    None if is_http => (String::new(), login),
                    None => (login.to_owned(), ""),
                };
                shown.push_str(&name);
                shown.extend(hidden.chars().map(|_| '*'));
                shown.push('@');
                shown.push_str(host);
            }
            None => shown.push_str(authority),
        }
        rest = after;
    }
    if shown.is_empty() {
        return Cow::Borrowed(line);
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Error, ObjectRef, Span};

    #[test]
    fn logins_in_addresses_are_not_shown() {
        for (line, shown) in [
            (
                "url: https://alice:pä@h/x # ssh://git@h",
                "url: https://alice:**@h/x # ssh://git@h",
            ),
            ("- 'http://token@h'", "- 'http://*****@h'"),
            ("url: ssh://git:pw@h/x", "url: ssh://git:**@h/x"),
            ("url: https://h/a@b", "url: https://h/a@b"),
            ("a: b@c", "a: b@c"),
        ] {
            assert_eq!(without_logins(line), shown);
        }
    }

    #[test]
    fn an_error_shows_its_line() {
        let sources = SourceMap::new();
        let file = sources.add("apps/app.yaml", "a: b\nname: web\n");
        let finding = Error::new("ref/missing", "no such file: `web`")
            .at(Span::new(file, 2, 7))
            .help("create it")
            .object(ObjectRef {
                api_version: "v1".into(),
                kind: "ConfigMap".into(),
                namespace: "apps".into(),
                name: "web".into(),
            })
            .to_finding(&sources);
        insta::assert_snapshot!(human(&[finding], &sources, false), @"
        error[ref/missing]: no such file: `web`
         --> apps/app.yaml:2:7
          |
        2 | name: web
          |       ^^^
          |
          = note: object: ConfigMap/apps/web
          = help: create it
        ");
    }

    #[test]
    fn what_clusters_have_in_common_is_told_once() {
        let of = |cluster: &str| {
            let mut finding = Finding::new("ref/missing", Severity::Error, "no such path");
            finding.cluster = Some(cluster.into());
            finding
        };
        let all = [of("production"), of("staging")];
        insta::assert_snapshot!(human(&all, &SourceMap::new(), false), @"
        error[ref/missing]: no such path
         |
         = note: clusters: production, staging
        ");
    }

    #[test]
    fn a_finding_without_place_is_a_line() {
        let finding = Finding::new("file/unreadable", Severity::Warning, "cannot read `x`");
        insta::assert_snapshot!(human(&[finding], &SourceMap::new(), false), @"warning[file/unreadable]: cannot read `x`");
    }
}
