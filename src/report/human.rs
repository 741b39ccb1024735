//! Annotated source, for terminals.

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
    for finding in findings {
        out.push_str(&one(finding, sources, &renderer));
        out.push('\n');
    }
    out
}

fn one(finding: &Finding, sources: &SourceMap, renderer: &Renderer) -> String {
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
        (Some(location), Some(file)) => file.line(location.line).map(|l| (location, l)),
        _ => None,
    };
    if let Some((location, line)) = line {
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
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(help));
    }
    renderer.render(&[group])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Error, ObjectRef, Span};

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
    fn a_finding_without_place_is_a_line() {
        let finding = Finding::new("file/unreadable", Severity::Warning, "cannot read `x`");
        insta::assert_snapshot!(human(&[finding], &SourceMap::new(), false), @"warning[file/unreadable]: cannot read `x`");
    }
}
