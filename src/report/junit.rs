//! JUnit XML, for whatever shows tests.

use crate::diag::{Finding, Severity};

/// The findings as failed tests, one suite for each rule; without findings, as
/// one test that passed.
pub fn junit(findings: &[Finding]) -> String {
    let counted: Vec<&Finding> = findings
        .iter()
        .filter(|f| f.severity > Severity::Info)
        .collect();
    let tests = counted.len().max(1);
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"fluxwright\" \
         tests=\"{tests}\" failures=\"{}\">\n",
        counted.len()
    );
    if counted.is_empty() {
        out.push_str(
            "  <testsuite name=\"fluxwright check\" tests=\"1\" failures=\"0\">\n    <testcase \
             classname=\"fluxwright\" name=\"nothing is wrong\"/>\n  </testsuite>\n",
        );
    }
    let mut rules: Vec<&str> = counted.iter().map(|f| &*f.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    for rule in rules {
        let own: Vec<&&Finding> = counted.iter().filter(|f| *f.rule == *rule).collect();
        out.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\">\n",
            escape(rule),
            own.len(),
            own.len()
        ));
        for finding in own {
            case(finding, &mut out);
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn case(finding: &Finding, out: &mut String) {
    let place = finding
        .location
        .as_ref()
        .map(|l| format!("{}:{}", l.file, l.line));
    let object = finding.object.as_ref().map(ToString::to_string);
    let names: Vec<String> = object.into_iter().chain(place).collect();
    let name = if names.is_empty() {
        finding.message.clone()
    } else {
        names.join(" at ")
    };
    out.push_str(&format!(
        "    <testcase classname=\"{}\" name=\"{}\">\n      <failure type=\"{}\" \
         message=\"{}\">{}</failure>\n    </testcase>\n",
        escape(&finding.rule),
        escape(&name),
        finding.severity.name(),
        escape(&finding.message),
        escape(finding.help.as_deref().unwrap_or_default())
    ));
}

/// Text for attributes and content; characters that XML cannot hold are
/// replaced.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
