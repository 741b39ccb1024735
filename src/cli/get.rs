//! `fluxwright get WHAT`: what is in a repository, and what a rule chooses.

mod ignored;
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
    Ignored(ignored::Args),
    Version(version::Args),
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        match self.what {
            What::Ignored(args) => args.run(),
            What::Version(args) => args.run(),
        }
    }
}
