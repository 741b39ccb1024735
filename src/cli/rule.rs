//! `fluxwright rule [ID]`: what `check` looks for.

use std::io;

use clap::ValueEnum;

use super::output::{self, Exit};
use crate::check::{RULES, Rule, reference, rule, settings};
use crate::diag::Error;

/// List the rules of check, or explain one
///
/// Examples:
///   fluxwright rule                 # all rules
///   fluxwright rule dag             # those of a family
///   fluxwright rule dag/cycle       # one: why, what to do, examples
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
        let chosen = match self.chosen() {
            Ok(chosen) => chosen,
            Err(e) => {
                output::error(&e);
                return Ok(Exit::Failed);
            }
        };
        let text = match (self.output, &chosen[..]) {
            (Format::Human, [one]) if self.id.as_deref() == Some(one.id) => reference::explain(one),
            (Format::Human, _) => list(&chosen),
            (Format::Json, _) => json(&chosen),
            (Format::Markdown, _) => reference::page(&chosen),
        };
        output::stdout(text.as_bytes())?;
        Ok(Exit::Done)
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

/// One line for each rule.
fn list(rules: &[&Rule]) -> String {
    let width = rules.iter().map(|r| r.id.len()).max().unwrap_or_default();
    let mut out = String::new();
    for rule in rules {
        out.push_str(&format!(
            "{:width$}  {:7}  {}\n",
            rule.id,
            rule.severity.name(),
            rule.title
        ));
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
