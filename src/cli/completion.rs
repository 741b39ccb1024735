//! `fluxwright completion SHELL`

use std::io;

use clap_complete::Shell;

use super::output::{self, Exit};

/// Print the completion script of a shell
///
/// Examples:
///   source <(fluxwright completion bash)
///   fluxwright completion fish > ~/.config/fish/completions/fluxwright.fish
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// The shell
    shell: Shell,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        let mut script = Vec::new();
        clap_complete::generate(
            self.shell,
            &mut super::definition(),
            "fluxwright",
            &mut script,
        );
        output::stdout(&script)?;
        Ok(Exit::Done)
    }
}
