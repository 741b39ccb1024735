//! Differences in a terminal.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use rayon::prelude::*;

use super::Titles;
use super::model::{Detail, Model, ObjectModel};
use crate::diag::{Finding, Severity};
use crate::diff::text::{self, LineKind};
use crate::diff::{Action, Change, ChangeKind, ClusterDifference, Difference, ObjectDifference};
use crate::report::escape;
use crate::yaml::Node;

/// How wide a terminal must be for two columns.
const TWO_COLUMNS_FROM: usize = 140;

/// How many lines of an object are shown that is new or gone: definitions have tens of
/// thousands.
const MAX_LINES: usize = 200;

/// Styles, or none.
#[derive(Clone, Copy)]
struct Palette {
    color: bool,
}

impl Palette {
    /// Text of others in a style: its own control characters do nothing.
    fn paint(self, style: Style, text: &str) -> String {
        let (style, text) = (self.style(style), escape::visible(text));
        format!("{style}{text}{style:#}")
    }

    /// A style, which writes nothing where there is no colour.
    fn style(self, style: Style) -> Style {
        if self.color { style } else { Style::new() }
    }

    fn red(self, text: &str) -> String {
        self.paint(AnsiColor::Red.on_default(), text)
    }

    fn green(self, text: &str) -> String {
        self.paint(AnsiColor::Green.on_default(), text)
    }

    fn quiet(self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    fn title(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    fn severity(self, severity: Severity) -> String {
        let color = match severity {
            Severity::Error => AnsiColor::Red,
            Severity::Warning => AnsiColor::Yellow,
            Severity::Info => AnsiColor::Blue,
        };
        self.paint(color.on_default().bold(), severity.name())
    }
}

/// Field by field: what it means first, then each object.
pub(super) fn render(
    difference: &Difference,
    titles: &Titles,
    color: bool,
    width: usize,
) -> String {
    let palette = Palette { color };
    let mut out = String::new();
    let several = difference.clusters.len() > 1;
    for cluster in &difference.clusters {
        let is_empty = cluster.objects.is_empty() && cluster.unrendered.is_empty();
        if is_empty {
            continue;
        }
        if several {
            let _ = writeln!(out, "{}\n", palette.title(&format!("# {}", cluster.name)));
        }
        for part in &cluster.unrendered {
            let what = part.to_string();
            let _ = writeln!(out, "{} {}\n", palette.red("!"), escape::visible(&what));
        }
        let objects = cluster.objects.par_iter();
        let shown = objects.filter(|object| titles.show_noise || !object.is_noise());
        let texts: Vec<String> = shown.map(|object| one(object, palette, width)).collect();
        out.extend(texts);
        findings(cluster, palette, &mut out);
    }
    let sentence = Model::with(difference, titles, Detail::Names)
        .summary
        .sentence;
    let _ = writeln!(out, "{}", escape::in_line(&sentence));
    out
}

fn findings(cluster: &ClusterDifference, palette: Palette, out: &mut String) {
    for finding in &cluster.findings {
        finding_lines(finding, palette, out);
    }
    if !cluster.findings.is_empty() {
        out.push('\n');
    }
}

fn finding_lines(finding: &Finding, palette: Palette, out: &mut String) {
    let object = finding.object.as_ref().map_or_else(String::new, |o| {
        format!("{}: ", escape::in_line(&o.to_string()))
    });
    let _ = writeln!(
        out,
        "{}[{}] {object}{}",
        palette.severity(finding.severity),
        finding.rule,
        escape::in_line(&finding.message)
    );
    if let Some(location) = &finding.location {
        let place = format!("  --> {}:{}", location.file, location.line);
        let _ = writeln!(out, "{}", palette.quiet(&place));
    }
    if let Some(help) = &finding.help {
        let _ = writeln!(out, "{}", palette.quiet(&format!("  help: {help}")));
    }
}

fn one(object: &ObjectDifference, palette: Palette, width: usize) -> String {
    let mut out = String::new();
    let (sign, what) = match object.action {
        Action::Added => (palette.green("+"), "added"),
        Action::Removed => (palette.red("-"), "removed"),
        Action::Changed => (palette.title("~"), "changed"),
    };
    let mut who = match (&object.owner, &object.old_owner) {
        (Some(owner), Some(old)) => format!("by {owner}, no longer by {old}"),
        (Some(owner), None) => format!("by {owner}"),
        (None, _) => String::new(),
    };
    if let Some(old) = &object.old_id {
        who.push_str(&format!(", named {} before", old.name));
    }
    let title = palette.title(&escape::in_line(&object.id.to_string()));
    let who = palette.quiet(&escape::in_line(&who));
    let _ = writeln!(out, "{sign} {title} {what} {who}");
    for change in &object.changes {
        field(change, palette, width, &mut out);
    }
    let whole = match object.action {
        Action::Added => object.new.as_ref().map(|n| (n, true)),
        Action::Removed => object.old.as_ref().map(|n| (n, false)),
        Action::Changed => None,
    };
    if let Some((node, is_new)) = whole {
        let (text, is_all) = text::print_start(node, MAX_LINES);
        block(&text, is_new, palette, &mut out);
        if !is_all {
            let more = "… the rest is left out: `--output unified` shows all of it";
            let _ = writeln!(out, "      {}", palette.quiet(more));
        }
    }
    out.push('\n');
    out
}

fn field(change: &Change, palette: Palette, width: usize, out: &mut String) {
    let noise = change
        .noise
        .map_or_else(String::new, |n| palette.quiet(&format!(" ({})", n.name())));
    let path = change.path.to_string();
    let path = escape::in_line(&path);
    let short = |node: &Option<Node>| {
        let text = node.as_ref()?.text()?;
        (!text.contains('\n')).then(|| written(text))
    };
    match (change.kind, short(&change.old), short(&change.new)) {
        (ChangeKind::Changed, Some(old), Some(new)) => {
            if path.chars().count() + old.chars().count() + new.chars().count() + 8 <= width {
                let _ = writeln!(
                    out,
                    "    {path}: {} → {}{noise}",
                    palette.red(&old),
                    palette.green(&new)
                );
            } else {
                let _ = writeln!(out, "    {path}:{noise}");
                let _ = writeln!(out, "      {}", palette.red(&format!("- {old}")));
                let _ = writeln!(out, "      {}", palette.green(&format!("+ {new}")));
            }
            return;
        }
        (ChangeKind::Added, _, Some(new)) => {
            let _ = writeln!(
                out,
                "    {}{noise}",
                palette.green(&format!("+ {path}: {new}"))
            );
            return;
        }
        (ChangeKind::Removed, Some(old), _) => {
            let _ = writeln!(
                out,
                "    {}{noise}",
                palette.red(&format!("- {path}: {old}"))
            );
            return;
        }
        (ChangeKind::Reordered, ..) => {
            let _ = writeln!(out, "    {path}: the items are in another order{noise}");
            return;
        }
        _ => {}
    }
    let _ = writeln!(out, "    {path}:{noise}");
    let print = |node: &Option<Node>| {
        let node = node.as_ref()?;
        Some(match node.text() {
            Some(text) => text.to_owned(),
            None => text::print(node),
        })
    };
    match (print(&change.old), print(&change.new)) {
        (Some(old), Some(new)) if width >= TWO_COLUMNS_FROM => {
            side_by_side(&old, &new, palette, width, out);
        }
        (Some(old), Some(new)) => {
            for line in text::lines(&old, &new, 2) {
                lined(line.kind, &line.text, "      ", palette, out);
            }
        }
        (Some(old), None) => block(&old, false, palette, out),
        (None, Some(new)) => block(&new, true, palette, out),
        (None, None) => {}
    }
}

/// A scalar as it is shown within a line.
fn written(text: &str) -> String {
    if text.is_empty() || text.starts_with(' ') || text.ends_with(' ') {
        format!("\"{text}\"")
    } else {
        text.to_owned()
    }
}

fn block(text: &str, is_new: bool, palette: Palette, out: &mut String) {
    let kind = if is_new { LineKind::New } else { LineKind::Old };
    for line in text.lines() {
        lined(kind, line, "      ", palette, out);
    }
}

fn lined(kind: LineKind, text: &str, indent: &str, palette: Palette, out: &mut String) {
    let (style, sign) = match kind {
        LineKind::Hunk => (Style::new().dimmed(), ""),
        LineKind::Same => (Style::new().dimmed(), "  "),
        LineKind::Old => (AnsiColor::Red.on_default(), "- "),
        LineKind::New => (AnsiColor::Green.on_default(), "+ "),
    };
    let (style, text) = (palette.style(style), escape::visible(text));
    let _ = writeln!(out, "{indent}{style}{sign}{text}{style:#}");
}

/// Two texts beside each other, what is new on the right.
fn side_by_side(old: &str, new: &str, palette: Palette, width: usize, out: &mut String) {
    let column = (width.saturating_sub(9)) / 2;
    let lines = text::lines(old, new, 2);
    let mut rest = lines.as_slice();
    while let Some(first) = rest.first() {
        match first.kind {
            LineKind::Hunk => {
                let _ = writeln!(out, "      {}", palette.quiet(&first.text));
                rest = rest.get(1..).unwrap_or_default();
            }
            LineKind::Same => {
                let text = fitted(&first.text, column);
                let row = format!("      {text}   {text}");
                let _ = writeln!(out, "{}", palette.quiet(row.trim_end()));
                rest = rest.get(1..).unwrap_or_default();
            }
            LineKind::Old | LineKind::New => {
                let count = |kind| {
                    let of_kind = |l: &&text::Line| l.kind == kind;
                    let run = rest
                        .iter()
                        .take_while(|l| matches!(l.kind, LineKind::Old | LineKind::New));
                    run.filter(of_kind).count()
                };
                let run = count(LineKind::Old) + count(LineKind::New);
                let (changed, after) = rest.split_at(run.min(rest.len()));
                let of = |kind| changed.iter().filter(move |l| l.kind == kind);
                let (mut left, mut right) = (of(LineKind::Old), of(LineKind::New));
                loop {
                    let row = (left.next(), right.next());
                    if row == (None, None) {
                        break;
                    }
                    let cell = |line: Option<&text::Line>| {
                        fitted(line.map_or("", |l| l.text.as_str()), column)
                    };
                    let _ = writeln!(
                        out,
                        "      {} │ {}",
                        palette.red(&cell(row.0)),
                        palette.green(cell(row.1).trim_end())
                    );
                }
                rest = after;
            }
        }
    }
}

/// A line in a column: cut, or filled with blanks.
fn fitted(text: &str, column: usize) -> String {
    let count = text.chars().count();
    if count > column {
        let cut: String = text.chars().take(column.saturating_sub(1)).collect();
        return format!("{cut}…");
    }
    format!("{text}{}", " ".repeat(column - count))
}

/// Lines of YAML, object by object.
pub(super) fn unified(model: &Model, color: bool) -> String {
    let palette = Palette { color };
    let mut out = String::new();
    let several = model.clusters.len() > 1;
    for cluster in &model.clusters {
        let prefix = if several {
            format!("{}/", cluster.name)
        } else {
            String::new()
        };
        for part in &cluster.unrendered {
            let _ = writeln!(out, "# {prefix}{}", part.what);
        }
        for object in cluster.objects.iter().filter(|o| o.shown) {
            unified_object(object, &prefix, palette, &mut out);
        }
    }
    out
}

fn unified_object(object: &ObjectModel, prefix: &str, palette: Palette, out: &mut String) {
    let name = |side: &str, id: &str| format!("{side}/{prefix}{id}");
    let old_id = object
        .old_object
        .as_ref()
        .map_or_else(|| object.name.clone(), ToString::to_string);
    let (old, new) = match &*object.action {
        "added" => ("/dev/null".to_owned(), name("b", &object.name)),
        "removed" => (name("a", &object.name), "/dev/null".to_owned()),
        _ => (name("a", &old_id), name("b", &object.name)),
    };
    let _ = writeln!(out, "{}", palette.title(&format!("--- {old}")));
    let _ = writeln!(out, "{}", palette.title(&format!("+++ {new}")));
    for line in object.diff.lines() {
        let line = match line.as_bytes().first() {
            Some(b'-') => palette.red(line),
            Some(b'+') => palette.green(line),
            Some(b'@') => palette.quiet(line),
            _ => line.to_owned(),
        };
        let _ = writeln!(out, "{line}");
    }
}
