//! `fluxwright get WHAT`: what is in a repository, and what a rule chooses.

mod ignored;
mod objects;
mod version;

use std::io;

use clap::Subcommand;

use super::output::Exit;

/// Show what a repository holds, or what a rule chooses
///
/// With kinds: the objects that the repository renders, in all its clusters, who
/// applies each, from which line, and where it comes from.
///
/// Examples:
///   fluxwright get all                              # Flux's own objects
///   fluxwright get ks,hr clusters/production        # Kustomizations and HelmReleases
///   fluxwright get sources --output json
///   fluxwright get deployments -n apps --output yaml
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Args {
    #[command(subcommand)]
    what: Option<What>,

    #[command(flatten)]
    objects: objects::Args,
}

#[derive(Debug, Subcommand)]
enum What {
    Ignored(ignored::Args),
    Version(version::Args),
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        match self.what {
            Some(What::Ignored(args)) => args.run(),
            Some(What::Version(args)) => args.run(),
            None => self.objects.run(),
        }
    }
}
