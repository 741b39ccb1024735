//! `fluxwright get WHAT`: what is in a repository, and what a rule chooses.

mod version;

use std::io;

use clap::Subcommand;

use super::output::Exit;

/// Show what a repository holds, or what a rule chooses
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Version(version::Args),
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        match self.what {
            What::Version(args) => args.run(),
        }
    }
}
