//! `fluxwright bundle pull`

use std::io;
use std::path::PathBuf;

use super::registry::RegistryArgs;
use crate::bundle::{self, Beside, Bundle, Parts};
use crate::cli::folder;
use crate::cli::output::{self, Exit};
use crate::diag::Result;
use crate::source::transfer::{self, Address};

/// Fetch a bundle from a registry, with its signatures
///
/// Proves every digest before anything is written, and writes all or nothing.
/// What came before it broke off lies in the store and is not fetched again. Who
/// signed it is `verify`'s to say.
///
/// Examples:
///   fluxwright bundle pull oci://registry.example/fleet:v1.4.0 --output bundle
///   fluxwright bundle pull oci://registry.example/fleet@sha256:87c1556f… --output bundle.tar
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// Where from: oci://HOST/PATH with :TAG or @sha256:… [default: the tag latest]
    #[arg(value_name = "ADDRESS")]
    address: String,

    /// The folder of the layout, or a file that ends with .tar
    #[arg(long, value_name = "DIR|FILE.tar")]
    output: PathBuf,

    #[command(flatten)]
    registry: RegistryArgs,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        let pulled = self.pull().and_then(|bundle| {
            folder::write_bundle(&self.output, &bundle.files)?;
            Ok(bundle)
        });
        match pulled {
            Ok(bundle) => {
                output::stdout(format!("{}\n", bundle.digest).as_bytes())?;
                Ok(Exit::Done)
            }
            Err(e) => {
                output::error(&e);
                Ok(Exit::Failed)
            }
        }
    }

    fn pull(&self) -> Result<Bundle> {
        let address = Address::parse(&self.address)?;
        let reach = self.registry.open()?;
        let suffixes = Beside::ALL.map(Beside::suffix);
        let pulled = transfer::pull(&reach.connection(), &address, &suffixes)?;
        let kinds = Beside::ALL.into_iter().filter_map(|kind| {
            let manifest = pulled.beside.get(kind.suffix())?;
            Some((kind, manifest.clone()))
        });
        bundle::together(&Parts {
            manifest: pulled.manifest.clone(),
            beside: kinds.collect(),
            referrers: pulled.referrers.clone(),
            blobs: pulled.blobs.clone(),
        })
        .map_err(|e| e.context(format!("`{}`", self.address)))
    }
}
