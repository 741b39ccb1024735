//! Printing, and what the program ends with.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::check::RULES;
use crate::diag::{Error, Finding, Findings, Result, Severity, SourceMap};
use crate::report::{self, human};

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: the answer is no.
    No,
    /// 2: it could not be done, or not wholly.
    Failed,
}

/// The form of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Annotated source
    Human,
    /// A list of findings
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// JUnit XML
    Junit,
    /// Annotations of GitHub's workflows
    Github,
    /// A code quality report of GitLab
    Gitlab,
    /// Markdown, for a comment on a pull request
    Markdown,
}

/// Findings in one of the forms, or by a template, which is given by its name and
/// its text.
///
/// # Errors
///
/// `report/template`.
pub(super) fn report_text(
    findings: &[Finding],
    sources: &SourceMap,
    format: Format,
    template: Option<&(String, String)>,
) -> Result<String> {
    if let Some((name, source)) = template {
        return report::by_template(findings, &rule_texts(), name, source);
    }
    Ok(match format {
        Format::Human => human(findings, sources, stdout_takes_color()),
        Format::Json => report::json(findings),
        Format::Sarif => report::sarif(findings, &rule_texts()),
        Format::Junit => report::junit(findings),
        Format::Github => report::github(findings),
        Format::Gitlab => report::gitlab(findings),
        Format::Markdown => report::markdown(findings)?,
    })
}

/// The rules as reports show them.
fn rule_texts() -> Vec<report::RuleText> {
    let texts = RULES.iter().map(|rule| report::RuleText {
        id: rule.id,
        title: rule.title,
        why: rule.why,
        mend: rule.mend,
        severity: rule.severity,
    });
    texts.collect()
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::No => 1,
            Exit::Failed => 2,
        })
    }
}

/// Writes data to standard output.
///
/// # Errors
///
/// What the operating system says; a reader that went away is one of them, and
/// [`exit_of_io`] forgives it.
pub(super) fn stdout(data: &[u8]) -> io::Result<()> {
    stdout_of(|out| out.write_all(data))
}

/// Writes to standard output what `write` writes.
///
/// # Errors
///
/// As [`stdout`], and what `write` says.
pub(super) fn stdout_of(
    write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    write(&mut stdout)?;
    stdout.flush()
}

/// Writes a message to standard error, with a line break.
pub(super) fn stderr(message: &str) {
    // Nothing is left to tell it to.
    let _ = writeln!(io::stderr().lock(), "{message}");
}

/// Tells of what was noticed on the way what every command tells: sources whose
/// signatures nobody looked at.
pub(super) fn unverified(told: &Findings, sources: &SourceMap) {
    findings(&unverified_in(told), sources);
}

/// Those findings of what was noticed.
pub(super) fn unverified_in(told: &Findings) -> Vec<Finding> {
    let mut loud = Findings::new();
    for finding in told.as_slice() {
        if &*finding.rule == "trust/skipped" {
            loud.push(finding.clone());
        }
    }
    loud.into_sorted()
}

/// Whether standard output takes colour: it is a terminal, and nobody asked for none
/// (`NO_COLOR`).
pub(super) fn stdout_takes_color() -> bool {
    anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

/// Whether standard error takes colour.
fn takes_color() -> bool {
    anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
}

/// Writes an error that has no place in a file to standard error.
pub(super) fn error(error: &Error) {
    error_at(error, &SourceMap::new());
}

/// Writes an error to standard error, with the line that it is about.
pub(super) fn error_at(error: &Error, sources: &SourceMap) {
    let finding = error.to_finding(sources);
    stderr(human(&[finding], sources, takes_color()).trim_end());
}

/// Shows one finding on standard error.
pub(super) fn finding(finding: &Finding, sources: &SourceMap) {
    stderr(human(std::slice::from_ref(finding), sources, takes_color()).trim_end());
}

/// Shows findings on standard error, in colour where that is a terminal that
/// takes it, with a count at the end.
pub(super) fn findings(findings: &[Finding], sources: &SourceMap) {
    if findings.is_empty() {
        return;
    }
    let count = |severity| findings.iter().filter(|f| f.severity == severity).count();
    let named = [
        (Severity::Error, "error"),
        (Severity::Warning, "warning"),
        (Severity::Info, "note"),
    ]
    .map(|(severity, name)| match count(severity) {
        0 => String::new(),
        1 => format!("1 {name}"),
        n => format!("{n} {name}s"),
    });
    let summary: Vec<String> = named.into_iter().filter(|s| !s.is_empty()).collect();
    stderr(&human(findings, sources, takes_color()));
    stderr(&summary.join(", "));
}

/// How a run ends that could not write its output.
pub(super) fn exit_of_io(error: &io::Error) -> Exit {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Exit::Done;
    }
    stderr(&format!("error: cannot write output: {error}"));
    Exit::Failed
}
