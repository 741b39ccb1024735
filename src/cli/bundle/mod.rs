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
use crate::diag::{Error, Result, SourceMap};

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
///
/// # Errors
///
/// Where there is none, and `bundle/damaged` for an archive that is not as it
/// was made.
fn tree(path: &Path) -> Result<Arc<dyn Tree>> {
    let name = path.display().to_string();
    let source = open_source(&name, &Arc::new(SourceMap::new()))?;
    let files = source.files().map_err(|e| match e.rule() {
        "archive/invalid" => Error::new("bundle/damaged", format!("`{name}`: {e}"))
            .help("do not use it: get it again from where it was made"),
        _ => e,
    })?;
    let tree = files.tree().clone();
    if let Some(packed) = source.packed().filter(|_| is_bundle(&*tree)) {
        crate::bundle::check_file(&*tree, packed)?;
    }
    Ok(tree)
}
