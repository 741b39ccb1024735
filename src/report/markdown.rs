//! Markdown, for a comment on a pull request.

use crate::diag::{Finding, Severity};

/// The findings as a summary and a table for each severity; notes are folded
/// away.
pub fn markdown(findings: &[Finding]) -> String {
    let mut out = String::from("## fluxwright\n\n");
    if findings.is_empty() {
        out.push_str("Nothing is wrong.\n");
        return out;
    }
    for (severity, one, many) in [
        (Severity::Error, "error", "errors"),
        (Severity::Warning, "warning", "warnings"),
        (Severity::Info, "note", "notes"),
    ] {
        let own: Vec<&Finding> = findings.iter().filter(|f| f.severity == severity).collect();
        if own.is_empty() {
            continue;
        }
        let title = format!("{} {}", own.len(), if own.len() == 1 { one } else { many });
        let folded = severity == Severity::Info;
        if folded {
            out.push_str(&format!("<details><summary>{title}</summary>\n\n"));
        } else {
            out.push_str(&format!("### {title}\n\n"));
        }
        out.push_str("| rule | object | place | what |\n| --- | --- | --- | --- |\n");
        for finding in own {
            row(finding, &mut out);
        }
        out.push('\n');
        if folded {
            out.push_str("</details>\n");
        }
    }
    out
}

fn row(finding: &Finding, out: &mut String) {
    let object = finding.object.as_ref().map(ToString::to_string);
    let place = finding.location.as_ref().map(|l| match l.line {
        0 => l.file.to_string(),
        line => format!("{}:{line}", l.file),
    });
    let mut what = cell(&finding.message);
    if let Some(help) = &finding.help {
        what.push_str("<br>");
        what.push_str(&cell(help));
    }
    out.push_str(&format!(
        "| `{}` | {} | {} | {what} |\n",
        finding.rule,
        cell(object.as_deref().unwrap_or_default()),
        cell(place.as_deref().unwrap_or_default())
    ));
}

/// Text for a cell: no line breaks, no bars, no HTML.
fn cell(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('|', "\\|")
        .replace('<', "&lt;")
        .replace('\n', " ")
}
