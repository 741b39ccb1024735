//! `fluxwright bundle create`

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::make::{self, Plan};
use crate::bundle::Bundle;
use crate::cli::folder;
use crate::cli::output::{self, Exit};
use crate::cli::settings::RepositoryArgs;
use crate::cli::shard::ShardArg;
use crate::diag::{Findings, Result, SourceMap};

/// Make a bundle of what the clusters get
///
/// Renders the repository and packs it as an OCI image layout: the manifests as
/// a Flux artifact, which an OCIRepository takes as it is, and beside them the
/// index of the build, a bill of images, the findings, and a provenance
/// statement. The same commit gives the same bytes on any machine. Signatures
/// lie beside the content and are no part of its digest.
///
/// Examples:
///   fluxwright bundle create --output bundle --tag v1.4.0
///   fluxwright bundle create --output bundle.tar --tag v1.4.0 --release --key env://SIGNING_KEY
///   fluxwright bundle create --output bundle --sign-pgp-key key.asc --key-password env://PASSWORD
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    #[command(flatten)]
    repository: RepositoryArgs,

    /// The folder of the layout, or a file that ends with .tar
    #[arg(long, value_name = "DIR|FILE.tar")]
    output: PathBuf,

    /// The version of the bundle, and its tag
    #[arg(long, value_name = "TAG", default_value = "latest")]
    tag: String,

    /// The address of the repository, for the annotation that Flux shows
    #[arg(long, value_name = "URL")]
    source: Option<String>,

    /// Refuse what must not be released: changes that are not committed, sources that are not
    /// locked or local, findings at error, secrets in clear, generated ones without a secret seed
    #[arg(long)]
    release: bool,

    #[cfg(feature = "verify")]
    #[command(flatten)]
    signing: super::SignArgs,

    #[command(flatten)]
    shard: ShardArg,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        let sources = Arc::new(SourceMap::new());
        let mut findings = Findings::new();
        let plan = Plan {
            tag: &self.tag,
            source: self.source.as_deref(),
            release: self.release,
            output: Some(&self.output),
            shard: self.shard.shard,
        };
        let made = self
            .repository
            .with_jobs(|| make::make(&self.repository, plan, &sources, &mut findings))
            .and_then(|mut bundle| {
                self.sign(&mut bundle)?;
                folder::write_bundle(&self.output, &bundle.files)?;
                Ok(bundle)
            });
        match made {
            Ok(bundle) => {
                output::findings(&findings.into_sorted(), &sources);
                output::stdout(format!("{}\n", bundle.digest).as_bytes())?;
                Ok(Exit::Done)
            }
            Err(e) => {
                findings.push(e.to_finding(&sources));
                output::findings(&findings.into_sorted(), &sources);
                Ok(if e.rule() == "bundle/refused" {
                    Exit::No
                } else {
                    Exit::Failed
                })
            }
        }
    }

    #[cfg(feature = "verify")]
    fn sign(&self, made: &mut Bundle) -> Result<()> {
        self.signing.sign(made, self.repository.now())
    }

    #[cfg(not(feature = "verify"))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "as with the feature"
    )]
    fn sign(&self, _made: &mut Bundle) -> Result<()> {
        Ok(())
    }
}
