//! `fluxwright rule [ID]`: what `check` looks for.

use std::io;

use clap::ValueEnum;

use super::output::{self, Exit};
use crate::check::{RULES, Rule, reference, rule, settings};
use crate::diag::{Error, Severity, nearest};
use crate::diff;

/// List the rules of check, or explain one
///
/// Those of `fluxwright diff`, which say what a change means, are the family
/// `change`.
///
/// Examples:
///   fluxwright rule                 # all rules of check
///   fluxwright rule dag             # those of a family
///   fluxwright rule dag/cycle       # one: why, what to do, examples
///   fluxwright rule change/owner    # one of diff
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// The rule, or a family of rules
    #[arg(value_name = "ID")]
    id: Option<String>,

    /// The form of the answer
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    output: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Text
    Human,
    /// A list of rules
    Json,
    /// The page docs/rules.md
    Markdown,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        match self.text() {
            Ok(text) => {
                output::stdout(text.as_bytes())?;
                Ok(Exit::Done)
            }
            Err(e) => {
                output::error(&e);
                Ok(Exit::Failed)
            }
        }
    }

    fn text(&self) -> Result<String, Error> {
        if let Some(id) = self.id.as_deref().filter(|id| is_of_changes(id)) {
            return changes(id, self.output);
        }
        let chosen = self.chosen()?;
        Ok(match (self.output, &chosen[..]) {
            (Format::Human, [one]) if self.id.as_deref() == Some(one.id) => reference::explain(one),
            (Format::Human, _) => list(chosen.iter().map(|r| (r.id, r.severity, r.title))),
            (Format::Json, _) => json(&chosen),
            (Format::Markdown, _) => reference::page(&chosen),
        })
    }

    fn chosen(&self) -> Result<Vec<&'static Rule>, Error> {
        let Some(id) = &self.id else {
            return Ok(RULES.to_vec());
        };
        settings::check_name(id)?;
        if let Some(rule) = rule(id) {
            return Ok(vec![rule]);
        }
        let family = RULES.iter().filter(|rule| rule.family() == id);
        Ok(family.copied().collect())
    }
}

/// The family of the rules of `diff`.
const CHANGES: &str = "change";

fn is_of_changes(id: &str) -> bool {
    id.split('/').next() == Some(CHANGES)
}

/// What there is to know of a rule of `diff`, or of all.
fn changes(id: &str, format: Format) -> Result<String, Error> {
    let known = |rule: &&&diff::Rule| id == CHANGES || rule.id == id;
    let chosen: Vec<&diff::Rule> = diff::RULES.iter().filter(|rule| known(&rule)).collect();
    if chosen.is_empty() {
        let error = Error::new("config/invalid", format!("no rule is named `{id}`"));
        let ids = diff::RULES.iter().map(|rule| rule.id);
        return Err(match nearest(id, ids) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error.help("`fluxwright rule change` lists the rules of diff"),
        });
    }
    let row = |rule: &&diff::Rule| (rule.id, rule.severity, rule.title);
    Ok(match (format, &chosen[..]) {
        (Format::Human, [one]) => {
            let severity = one.severity.name();
            format!("{} ({severity}): {}\n\n{}\n", one.id, one.title, one.why)
        }
        (Format::Human, _) => list(chosen.iter().map(row)),
        (Format::Json, _) => {
            let rules = chosen.iter().map(|rule| {
                serde_json::json!({
                    "id": rule.id,
                    "severity": rule.severity,
                    "title": rule.title,
                    "why": rule.why,
                })
            });
            let mut out =
                serde_json::to_string_pretty(&rules.collect::<Vec<_>>()).unwrap_or_default();
            out.push('\n');
            out
        }
        (Format::Markdown, _) => {
            let mut out = "| rule | severity | finds |\n| --- | --- | --- |\n".to_owned();
            for rule in chosen {
                let severity = rule.severity.name();
                out.push_str(&format!(
                    "| `{}` | {severity} | {} |\n",
                    rule.id, rule.title
                ));
            }
            out
        }
    })
}

/// One line for each rule: its id, its severity, what it finds.
fn list(rules: impl Iterator<Item = (&'static str, Severity, &'static str)> + Clone) -> String {
    let width = rules.clone().map(|(id, ..)| id.len()).max();
    let width = width.unwrap_or_default();
    let mut out = String::new();
    for (id, severity, title) in rules {
        out.push_str(&format!("{id:width$}  {:7}  {title}\n", severity.name()));
    }
    out
}

fn json(rules: &[&Rule]) -> String {
    let rules: Vec<serde_json::Value> = rules
        .iter()
        .map(|rule| {
            serde_json::json!({
                "id": rule.id,
                "severity": rule.severity,
                "title": rule.title,
                "why": rule.why,
                "mend": rule.mend,
                "bad": rule.bad,
                "good": rule.good,
            })
        })
        .collect();
    let mut out = serde_json::to_string_pretty(&rules).unwrap_or_default();
    out.push('\n');
    out
}
