//! `fluxwright verify` in a build without the feature `verify`.

use std::ffi::OsString;
use std::io;

use super::output::{self, Exit};
use crate::diag::Error;

/// Verify signatures (not in this build)
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    arguments: Vec<OsString>,
}

impl Args {
    #[expect(clippy::unused_self, reason = "as every command")]
    pub(super) fn run(self) -> io::Result<Exit> {
        let error = Error::new(
            "trust/unsupported",
            "this build of fluxwright verifies no signatures",
        )
        .help("take a build with the cargo feature `verify`, which is on by default");
        output::error(&error);
        Ok(Exit::Failed)
    }
}
