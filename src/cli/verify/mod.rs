//! `fluxwright verify WHAT`: one question about a signature at a time.

mod chart;
mod git;
mod oci;

use std::io;

use clap::{Subcommand, ValueEnum};
use serde::Serialize;

use super::output::{self, Exit};
use crate::diag::{Error, Finding, Findings, SourceMap};
use crate::report::human;
use crate::verify::{self, Proof};

/// Verify signatures, offline
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Chart(chart::Args),
    Git(git::Args),
    Oci(oci::Args),
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        match self.what {
            What::Chart(args) => args.run(),
            What::Git(args) => args.run(),
            What::Oci(args) => args.run(),
        }
    }
}

/// How the answer is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Lines for people; refusals on standard error
    #[default]
    Text,
    /// One JSON object, refusals included
    Json,
}

/// The answer as JSON.
#[derive(Serialize)]
struct Answer<'a> {
    verified: bool,
    proofs: &'a [Proof],
    findings: Vec<Finding>,
}

/// Prints what was verified or why it was not.
///
/// Exits with 1 for a refusal, and with 2 for what could not be looked at.
fn answer(result: Result<Vec<Proof>, Vec<Error>>, format: Format) -> io::Result<Exit> {
    let (proofs, errors) = match result {
        Ok(proofs) => (proofs, Vec::new()),
        Err(errors) => (Vec::new(), errors),
    };
    let sources = SourceMap::new();
    let exit = if errors.is_empty() {
        Exit::Done
    } else if errors.iter().all(verify::is_refusal) {
        Exit::No
    } else {
        Exit::Failed
    };
    let mut findings = Findings::new();
    for error in &errors {
        findings.push(error.to_finding(&sources));
    }
    let findings = findings.into_sorted();
    if !findings.is_empty() {
        output::stderr(human(&findings, &sources, false).trim_end());
    }
    let text = match format {
        Format::Json => {
            let answer = Answer {
                verified: exit == Exit::Done,
                proofs: &proofs,
                findings,
            };
            let mut text = serde_json::to_string_pretty(&answer)?;
            text.push('\n');
            text
        }
        Format::Text => proofs.iter().fold(String::new(), |text, p| {
            text + &format!("verified: {} is signed by {}\n", p.subject, p.signer)
        }),
    };
    output::stdout(text.as_bytes())?;
    Ok(exit)
}
