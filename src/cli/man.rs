//! `fluxwright man`

use std::io;

use super::output::{self, Exit};

/// Print the manual page of the program, or of one command
///
/// Examples:
///   fluxwright man | man -l -
///   fluxwright man build > fluxwright-build.1
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// The command
    command: Option<String>,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        let mut definition = super::definition();
        definition.build();
        let command = match &self.command {
            None => definition,
            Some(name) => {
                let Some(command) = definition.find_subcommand(name) else {
                    output::stderr(&format!("error: no such command: `{name}`"));
                    return Ok(Exit::Failed);
                };
                command.clone().name(format!("fluxwright-{name}"))
            }
        };
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        output::stdout(&page)?;
        Ok(Exit::Done)
    }
}
