//! `fluxwright bundle`: what a release deploys, as one artifact.

mod compare;
mod create;
mod inspect;
mod make;
#[cfg(feature = "network")]
mod pull;
#[cfg(feature = "network")]
mod push;
#[cfg(feature = "network")]
mod registry;
mod release;
#[cfg(feature = "verify")]
mod signing;
#[cfg(feature = "verify")]
mod verify;

use std::io;
use std::path::Path;
use std::sync::Arc;

use clap::Subcommand;

#[cfg(feature = "verify")]
pub(super) use signing::SignArgs;

use super::output::Exit;
use super::settings::open_source;
use crate::artifact::Tree;
use crate::diag::{Result, SourceMap};

/// Make and verify bundles: what a release deploys, as one OCI artifact
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Create(Box<create::Args>),
    Diff(compare::Args),
    Inspect(inspect::Args),
    #[cfg(feature = "network")]
    Pull(pull::Args),
    #[cfg(feature = "network")]
    Push(push::Args),
    #[cfg(feature = "verify")]
    Verify(verify::Args),
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        match self.what {
            What::Create(args) => args.run(),
            What::Diff(args) => args.run(),
            What::Inspect(args) => args.run(),
            #[cfg(feature = "network")]
            What::Pull(args) => args.run(),
            #[cfg(feature = "network")]
            What::Push(args) => args.run(),
            #[cfg(feature = "verify")]
            What::Verify(args) => args.run(),
        }
    }
}

pub(super) use compare::rendering;

/// Whether a tree is that of a bundle, whole or not.
pub(super) fn is_bundle(tree: &dyn Tree) -> bool {
    crate::bundle::is_layout(tree)
}

/// The files of a bundle: a folder, or a tar archive of one.
fn tree(path: &Path) -> Result<Arc<dyn Tree>> {
    let source = open_source(&path.display().to_string(), &Arc::new(SourceMap::new()))?;
    Ok(source.files()?.tree().clone())
}
