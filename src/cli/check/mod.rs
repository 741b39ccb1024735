//! `fluxwright check`: is it right?

mod schema;

use std::io;

use clap::Subcommand;

use super::output::Exit;

/// Find what is wrong before it is merged
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Schema(schema::Args),
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        match self.what {
            What::Schema(args) => args.run(),
        }
    }
}
