//! Commands of features that are not in this build.

use std::ffi::OsString;
use std::io;

use super::output::{self, Exit};
use crate::diag::Error;

/// Not in this build
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    arguments: Vec<OsString>,
}

impl Args {
    /// Says which feature is missing, whatever is asked.
    pub(super) fn run(self, feature: &str) -> io::Result<Exit> {
        drop(self.arguments);
        let error = Error::new(
            "usage/feature",
            format!("this build of fluxwright lacks the feature `{feature}`"),
        )
        .help("take a released build, or build with the default features");
        output::error(&error);
        Ok(Exit::Failed)
    }
}
