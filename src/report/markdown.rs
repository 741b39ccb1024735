//! Findings by templates: Markdown, for a comment on a pull request, and those of
//! users.

use std::collections::BTreeMap;

use serde::Serialize;

use super::RuleText;
use super::template::{FUEL, FUEL_OF_USERS, render};
use crate::diag::{Finding, Result, Severity};

const MARKDOWN: &str = include_str!("templates/check.md.jinja");

/// What a template is given.
#[derive(Serialize)]
struct Data<'a> {
    /// As `--output json` has them.
    findings: &'a [Finding],
    summary: Summary,
    /// The rules that have findings, by their ids.
    rules: BTreeMap<&'a str, Rule>,
}

#[derive(Serialize)]
struct Summary {
    errors: usize,
    warnings: usize,
    notes: usize,
}

#[derive(Serialize)]
struct Rule {
    title: &'static str,
    why: &'static str,
    mend: &'static str,
}

impl<'a> Data<'a> {
    fn new(findings: &'a [Finding], texts: &[RuleText]) -> Data<'a> {
        let count = |severity| findings.iter().filter(|f| f.severity == severity).count();
        let rule = |finding: &'a Finding| {
            let text = texts.iter().find(|text| text.id == &*finding.rule)?;
            let rule = Rule {
                title: text.title,
                why: text.why,
                mend: text.mend,
            };
            Some((&*finding.rule, rule))
        };
        Data {
            findings,
            summary: Summary {
                errors: count(Severity::Error),
                warnings: count(Severity::Warning),
                notes: count(Severity::Info),
            },
            rules: findings.iter().filter_map(rule).collect(),
        }
    }
}

/// The findings as a summary and a table for each severity; notes are folded
/// away.
///
/// # Errors
///
/// `report/template`, where there are too many for a report.
pub fn markdown(findings: &[Finding]) -> Result<String> {
    render("check.md", MARKDOWN, &Data::new(findings, &[]), FUEL)
}

/// The findings by a template of the user.
///
/// # Errors
///
/// `report/template`, with the line, for a template that is none or asks for
/// what is not there.
pub fn by_template(
    findings: &[Finding],
    rules: &[RuleText],
    name: &str,
    source: &str,
) -> Result<String> {
    render(name, source, &Data::new(findings, rules), FUEL_OF_USERS)
}
