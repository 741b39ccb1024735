//! Workflow commands of GitHub: annotations on the lines of a pull request.

use crate::diag::{Finding, Severity};

/// The findings as workflow commands, one on each line.
pub fn github(findings: &[Finding]) -> String {
    let mut out = String::new();
    for finding in findings {
        let command = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "notice",
        };
        let mut properties = Vec::new();
        if let Some(place) = &finding.location {
            properties.push(format!("file={}", property(&place.file)));
            if place.line > 0 {
                properties.push(format!("line={}", place.line));
                properties.push(format!("col={}", place.column.max(1)));
            }
        }
        properties.push(format!("title={}", property(&finding.rule)));
        let mut text = String::new();
        if let Some(object) = &finding.object {
            text.push_str(&format!("{object}: "));
        }
        text.push_str(&finding.message);
        if let Some(help) = &finding.help {
            text.push_str("\nhelp: ");
            text.push_str(help);
        }
        out.push_str(&format!(
            "::{command} {}::{}\n",
            properties.join(","),
            data(&text)
        ));
    }
    out
}

/// What ends a command, or begins another one, is escaped.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
