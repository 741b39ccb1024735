//! Errors of templates in Helm's words, with the template's line and the value
//! behind it.

use std::sync::Arc;

use super::chart::ChartFile;
use super::dependencies::Instance;
use super::user::{Place, UserValues};
use crate::diag::{Error, SourceMap};
use crate::gotmpl::{Failure, ParseError};

/// A template that cannot be parsed.
///
/// Compat: `pkg/engine/engine.go` `cleanupParseError`.
pub(super) fn not_parsed(
    error: &ParseError,
    path: &str,
    file: &ChartFile,
    sources: &SourceMap,
) -> Error {
    let message = error.message_in(path);
    // Helm shows what stands behind the last colon.
    let message = message.rsplit(": ").next().unwrap_or_default();
    let column = match file.template() {
        Ok(Ok(source)) => source.line_and_column(error.place).1,
        _ => column_of(file, error.place),
    };
    Error::new(
        "helm/template-error",
        format!("parse error at ({path}:{}): {message}", error.line),
    )
    .at(file.span(sources, error.line, column))
}

/// The column of a place in a file that is no template.
fn column_of(file: &ChartFile, place: u32) -> u32 {
    let Ok(text) = file.text() else {
        return 1;
    };
    let before = text.get(..place as usize).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    u32::try_from(line.chars().count() + 1).unwrap_or(u32::MAX)
}

/// A template that failed.
pub(super) fn failed(
    failure: &Failure,
    root: &Instance,
    values: &UserValues,
    sources: &SourceMap,
) -> Error {
    let rule = if failure.exhausted().is_some() {
        "helm/limit"
    } else {
        "helm/template-error"
    };
    let mut error = Error::new(rule, shortened(failure.helm_message()));
    if failure.exhausted().is_some() {
        error = error.help("raise the limits with --max-steps and --max-bytes if this is meant");
    }
    let Some(place) = failure.innermost_place() else {
        return error;
    };
    let Some((chart, file)) = file_at(root, &place.file) else {
        return error;
    };
    error = error.at(file.span(sources, place.line, place.column));
    let path = failure.innermost_expression().and_then(value_path);
    if let Some(path) = path {
        error = error.help(help_on(&path, &chart, root, values, sources));
    }
    error
}

/// A message without its middle where it is long: a template that includes
/// itself is named once for each time.
fn shortened(message: String) -> String {
    const KEPT: usize = 800;
    if message.len() <= 3 * KEPT {
        return message;
    }
    let start = message.floor_char_boundary(KEPT);
    let end = message.ceil_char_boundary(message.len() - KEPT);
    let (first, last) = (message.get(..start), message.get(end..));
    format!(
        "{} [{} bytes left out] {}",
        first.unwrap_or_default(),
        end - start,
        last.unwrap_or_default()
    )
}

/// The template of that path, and the names of the charts that it lies in
/// below the root.
pub(super) fn file_at(root: &Instance, path: &str) -> Option<(Vec<Arc<str>>, Arc<ChartFile>)> {
    let mut instance = root;
    let mut names = Vec::new();
    let mut rest = path.strip_prefix(&*root.name)?.strip_prefix('/')?;
    while let Some(below) = rest.strip_prefix("charts/") {
        let child = instance.dependencies.iter().find(|child| {
            below
                .strip_prefix(&*child.name)
                .is_some_and(|rest| rest.starts_with('/'))
        })?;
        names.push(child.name.clone());
        rest = below.get(child.name.len() + 1..)?;
        instance = child;
    }
    let file = instance.chart.templates().iter().find(|f| f.name == rest)?;
    Some((names, file.clone()))
}

/// The path of the value that an expression names first, below `.Values`.
fn value_path(expression: &str) -> Option<Vec<String>> {
    let at = expression.find(".Values.")?;
    let rest = expression.get(at + ".Values.".len()..)?;
    let end = rest
        .find(|c: char| !c.is_alphanumeric() && !matches!(c, '.' | '_'))
        .unwrap_or(rest.len());
    let path: Vec<String> = rest.get(..end)?.split('.').map(str::to_owned).collect();
    path.iter().all(|part| !part.is_empty()).then_some(path)
}

/// Where the value is set, or what could be set.
fn help_on(
    path: &[String],
    chart: &[Arc<str>],
    root: &Instance,
    values: &UserValues,
    sources: &SourceMap,
) -> String {
    let below: Vec<&str> = path.iter().map(String::as_str).collect();
    let whole: Vec<&str> = chart
        .iter()
        .map(|name| &**name)
        .chain(below.clone())
        .collect();
    let shown = whole.join(".");
    let by_user = values
        .locate(&whole, sources)
        .filter(|(length, _)| *length > chart.len());
    if let Some((length, place)) = by_user
        && let Some(place) = place.shown(sources)
    {
        let known = whole.get(..length).unwrap_or_default().join(".");
        return if length == whole.len() {
            format!("the value `{shown}` is set {place}")
        } else {
            format!("`{known}` is set {place}, without what the template looks for in it")
        };
    }
    let owner = chart.iter().try_fold(root, |instance, name| {
        instance
            .dependencies
            .iter()
            .find(|child| child.name == *name)
    });
    let default = owner.and_then(|owner| owner.chart.defaults().locate(sources, &below));
    match default.and_then(|span| Place::File(span).shown(sources)) {
        Some(place) => format!("the value `{shown}` has its default {place}"),
        None => format!("the value `{shown}` is not set"),
    }
}
