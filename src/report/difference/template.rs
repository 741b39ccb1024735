//! Reports that are templates.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};

use super::model::{ClusterModel, Model};
use crate::diag::{Error, Finding, Result, Severity};

const MARKDOWN: &str = include_str!("../templates/diff.md.jinja");
const GITHUB: &str = include_str!("../templates/diff.github.jinja");
const HTML: &str = include_str!("../templates/diff.html.jinja");

/// The most bytes that a comment on GitHub may have, with some room for what
/// others put around it.
pub const GITHUB_LIMIT_BYTES: usize = 64_000;

/// How much the program's own templates may cost, which a very large fleet asks
/// for: an instruction costs one, and so do 64 bytes of text that it makes.
const FUEL: u64 = 50_000_000;

/// How much a user's own template may cost: some seconds, and no more text than
/// fits into memory.
const FUEL_OF_USERS: u64 = 5_000_000;

fn environment<'a>(fuel: u64) -> Environment<'a> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build();
    // Only delimiters of a user's choice could be refused.
    if let Ok(syntax) = syntax {
        environment.set_syntax(syntax);
    }
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(fuel));
    environment.set_auto_escape_callback(|name| {
        if name.contains(".html") {
            AutoEscape::Html
        } else {
            AutoEscape::None
        }
    });
    environment.add_filter("fence", fence);
    environment.add_filter("code", code);
    environment.add_filter("plain", plain);
    environment
}

/// Text as a fenced block that nothing in it can end.
fn fence(text: &str, language: &str) -> String {
    let longest = text
        .split(|c| c != '`')
        .map(str::len)
        .max()
        .unwrap_or_default();
    let marks = "`".repeat(longest.max(2) + 1);
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!("{marks}{language}\n{text}{end}{marks}")
}

/// Text as code within a line.
fn code(text: &str) -> String {
    let text = text.replace(['\n', '\r'], " ");
    if text.contains('`') {
        format!("`` {text} ``")
    } else {
        format!("`{text}`")
    }
}

/// A message, whose values are in backticks already, on one line and without
/// anything that Markdown or HTML would take for more than text.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_code = false;
    for c in text.chars() {
        match c {
            '`' => {
                in_code = !in_code;
                out.push(c);
            }
            '\n' | '\r' => out.push(' '),
            '<' if !in_code => out.push_str("&lt;"),
            '>' if !in_code => out.push_str("&gt;"),
            '|' => out.push_str("\\|"),
            // Nobody is told of a comment because an object is named so.
            '@' if !in_code => out.push_str("@\u{200B}"),
            '*' | '_' | '[' | ']' | '#' if !in_code => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    if in_code {
        out.push('`');
    }
    out
}

fn render(name: &str, source: &str, model: &Model, fuel: u64) -> Result<String> {
    let environment = environment(fuel);
    let refused = |e: &minijinja::Error| {
        let place = e.line().map_or(String::new(), |n| format!(", line {n}"));
        let detail = e.detail().map_or(String::new(), |d| format!(": {d}"));
        Error::new(
            "report/template",
            format!("the template `{name}`{place}: {}{detail}", e.kind()),
        )
        .help("docs/diff.md lists what a template is given")
    };
    environment
        .render_named_str(name, source, Value::from(Serde(model)))
        .map_err(|e| refused(&e))
}

pub(super) fn own(model: &Model, name: &str, source: &str) -> Result<String> {
    render(name, source, model, FUEL_OF_USERS)
}

pub(super) fn markdown(mut model: Model) -> Result<String> {
    model.findings = by_clusters(model.findings);
    render("diff.md", MARKDOWN, &model, FUEL)
}

/// How many clusters are named where one thing is said of several.
const SHOWN_CLUSTERS: usize = 4;

/// What is said of the same object in several clusters, said once of all.
fn by_clusters(findings: Vec<Finding>) -> Vec<Finding> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut found: Vec<(Finding, Vec<Arc<str>>)> = Vec::new();
    for mut finding in findings {
        let cluster = finding.cluster.take();
        let Finding {
            rule,
            severity,
            object,
            message,
            help,
            ..
        } = &finding;
        let said = format!("{rule} {severity:?} {object:?} {message:?} {help:?}");
        let at = *places.entry(said).or_insert(found.len());
        match found.get_mut(at) {
            Some((_, clusters)) => clusters.extend(cluster),
            None => found.push((finding, cluster.into_iter().collect())),
        }
    }
    let joined = |(mut finding, mut clusters): (Finding, Vec<Arc<str>>)| {
        clusters.dedup();
        let more = clusters.len().saturating_sub(SHOWN_CLUSTERS);
        clusters.truncate(SHOWN_CLUSTERS);
        let mut names = clusters.join(", ");
        if more > 0 {
            names.push_str(&format!(" and {more} more"));
        }
        finding.cluster = (!names.is_empty()).then(|| names.into());
        finding
    };
    found.into_iter().map(joined).collect()
}

/// Says of objects that differ as they do in a cluster before, that they do.
fn refer_to_first(clusters: &mut [ClusterModel]) {
    let mut first: BTreeMap<(String, String), String> = BTreeMap::new();
    for cluster in clusters {
        for object in cluster.objects.iter_mut().filter(|o| !o.diff.is_empty()) {
            let key = (object.name.clone(), object.diff.clone());
            if let Some(other) = first.get(&key) {
                object.same_as = Some(other.clone());
                object.diff.clear();
            } else {
                first.insert(key, cluster.name.clone());
            }
        }
    }
}

pub(super) fn html(model: &Model) -> Result<String> {
    render("diff.html", HTML, model, FUEL)
}

/// A comment within the limit: details go from the end, where the least
/// matters, until it fits.
pub(super) fn github(mut model: Model) -> Result<String> {
    model.findings = by_clusters(model.findings);
    refer_to_first(&mut model.clusters);
    for cluster in &mut model.clusters {
        cluster.objects.sort_by_key(|object| {
            std::cmp::Reverse(match &*object.severity {
                "error" => 3,
                "warning" => 2,
                "info" => 1,
                _ => 0,
            })
        });
    }
    loop {
        let text = render("diff.github.md", GITHUB, &model, FUEL)?;
        if text.len() <= GITHUB_LIMIT_BYTES || !shorten(&mut model, text.len()) {
            return Ok(cut(text));
        }
    }
}

/// The most notes of a comment that is too long otherwise.
const MOST_NOTES: usize = 50;

/// What a finding takes at the least, in bytes.
const FINDING_BYTES: usize = 80;

/// Takes details out, those of the least matter first, as much as is too much.
fn shorten(model: &mut Model, length: usize) -> bool {
    let mut excess = length.saturating_sub(GITHUB_LIMIT_BYTES);
    let mut changed = false;
    let notes = model.findings.iter().rev();
    let notes = notes.take_while(|f| f.severity == Severity::Info).count();
    if let Some(more @ 1..) = notes.checked_sub(MOST_NOTES) {
        leave_out(model, more);
        return true;
    }
    let objects = model.clusters.iter_mut().flat_map(|c| &mut c.objects);
    let mut objects: Vec<_> = objects.collect();
    objects.reverse();
    objects.sort_by_key(|object| match &*object.severity {
        "error" => 3,
        "warning" => 2,
        _ => 1,
    });
    for object in &mut objects {
        if excess == 0 {
            return changed;
        }
        if !object.diff.is_empty() {
            excess = excess.saturating_sub(object.diff.len());
            object.diff.clear();
            changed = true;
        }
    }
    if changed || excess == 0 {
        return changed;
    }
    // Names alone are too many: the findings and numbers remain.
    for object in objects {
        if object.shown {
            excess = excess.saturating_sub(object.name.len() + 60);
            object.shown = false;
            changed = true;
        }
        if excess == 0 {
            break;
        }
    }
    if !changed && !model.findings.is_empty() {
        leave_out(model, excess / FINDING_BYTES + 1);
        return true;
    }
    changed
}

/// Leaves so many findings out, the last of which matter least.
fn leave_out(model: &mut Model, count: usize) {
    let kept = model.findings.len().saturating_sub(count);
    let gone = model.findings.len() - kept;
    model.findings.truncate(kept);
    *model.left_out.get_or_insert_default() += gone;
}

/// The last resort: findings alone are too many.
fn cut(mut text: String) -> String {
    if text.len() <= GITHUB_LIMIT_BYTES {
        return text;
    }
    const NOTE: &str = "\n\n…and more than a comment holds: see the report of the run.\n";
    let mut end = GITHUB_LIMIT_BYTES - NOTE.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.push_str(NOTE);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever there is to say, a comment ends what it begins.
    #[test]
    fn a_comment_has_room_for_the_worst() {
        let finding = |severity, n: usize| {
            let message = format!("{n}: {}", "words ".repeat(12));
            Finding::new("change/image", severity, message)
        };
        for (errors, notes) in [(3, 3000), (3000, 3000), (30, 60), (0, 51)] {
            let errors = (0..errors).map(|n| finding(Severity::Error, n));
            let notes = (0..notes).map(|n| finding(Severity::Info, n));
            let mut model = Model::default();
            model.findings.extend(errors.chain(notes));
            let all = model.findings.len();
            let text = github(model).unwrap();
            assert!(text.len() <= GITHUB_LIMIT_BYTES);
            let count = |what: &str| text.matches(what).count();
            assert_eq!(count("<details>"), count("</details>"));
            let rows = count("`change/image`");
            let is_all = rows == all;
            assert!(
                is_all || text.contains(&format!("{} more of this", all - rows)),
                "{rows}"
            );
            assert!(rows > 50, "{rows}");
            assert!(text.trim_end().ends_with("</sub>"), "{text}");
        }
    }

    #[test]
    fn nothing_ends_a_block_but_its_end() {
        assert_eq!(fence("a\n", "diff"), "```diff\na\n```");
        assert_eq!(fence("a ```` b", ""), "`````\na ```` b\n`````");
        assert_eq!(code("a`b"), "`` a`b ``");
        assert_eq!(
            plain("<b> `a_b` @team *x* | [y](z)"),
            "&lt;b&gt; `a_b` @\u{200B}team \\*x\\* \\| \\[y\\](z)"
        );
    }
}
