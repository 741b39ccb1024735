//! `fluxwright envsubst`

use std::collections::BTreeMap;
use std::io;

use super::output::{self, Exit};
use super::read;
use crate::diag::{Result, SourceMap, Span};
use crate::flux::envsubst;

/// Replace variables in standard input as Flux's post-build substitution does
///
/// Each line is taken by itself, as by `flux envsubst`. Variables are those
/// given by --var, and with --env those of the environment.
///
/// Examples:
///   kustomize build . | fluxwright envsubst --strict --var cluster_region=eu-central-1
///   kustomize build . | fluxwright envsubst --env
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// Fail if a variable has no value and the expression has no default
    #[arg(long)]
    strict: bool,

    /// A variable and its value; may be given several times
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    variables: Vec<(String, String)>,

    /// Take the environment's variables too; those of --var win
    #[arg(long)]
    env: bool,
}

fn variable(text: &str) -> std::result::Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("no `=` after a name".to_owned()),
    }
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        let mut variables: BTreeMap<String, String> = BTreeMap::new();
        if self.env {
            variables.extend(environment());
        }
        variables.extend(self.variables);
        let sources = SourceMap::new();
        let out =
            read::stdin().and_then(|input| substitute(&input, self.strict, &variables, &sources));
        match out {
            Ok(out) => {
                output::stdout(&out)?;
                Ok(Exit::Done)
            }
            Err(e) => {
                output::error_at(&e, &sources);
                Ok(Exit::Failed)
            }
        }
    }
}

fn environment() -> impl Iterator<Item = (String, String)> {
    // What is not UTF-8 cannot be named in a text that is.
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

fn substitute(
    input: &str,
    is_strict: bool,
    variables: &BTreeMap<String, String>,
    sources: &SourceMap,
) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(input.len());
    for (number, line) in (1..).zip(input.lines()) {
        // Compat: a carriage return goes, at the end of the last line too.
        let line = line.strip_suffix('\r').unwrap_or(line);
        let value = |name: &str| variables.get(name).map(String::as_str);
        let substituted = envsubst::substitute(line, is_strict, value).map_err(|e| {
            let file = sources.add("standard input", input);
            let before = line.get(..e.offset).unwrap_or_default();
            let column = u32::try_from(before.chars().count()).unwrap_or(u32::MAX - 1) + 1;
            e.at(Span::new(file, number, column))
        })?;
        out.extend(substituted.bytes);
        out.push(b'\n');
    }
    Ok(out)
}
