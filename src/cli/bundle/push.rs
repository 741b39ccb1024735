//! `fluxwright bundle push`

use std::io;
use std::path::PathBuf;

use super::registry::RegistryArgs;
use crate::bundle::{self, Beside};
use crate::cli::output::{self, Exit};
use crate::diag::{Error, Result};
use crate::source::tag::check_tag;
use crate::source::transfer::{self, Address, Pushed, Tagged};

/// Push a bundle to a registry, with its signatures
///
/// What is there already is not sent again. The tags come last, after all that
/// they lead to, signatures included: where it breaks off nobody sees anything
/// of it, and the next run goes on from there. Signatures that others put beside
/// the same bundle stay. An OCIRepository of Flux takes it as it is.
///
/// Logs in as sources do: with what .fluxwright.yaml names for the address, else
/// with the docker configuration.
///
/// Examples:
///   fluxwright bundle push bundle.tar oci://registry.example/fleet
///   fluxwright bundle push bundle oci://registry.example/fleet --tag v1.4.0 --tag production
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// The folder of the bundle, or its .tar file
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,

    /// Where to: oci://HOST/PATH, with :TAG or without
    #[arg(value_name = "ADDRESS")]
    address: String,

    /// A tag that it gets (repeatable) [default: the version of the bundle]
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,

    #[command(flatten)]
    registry: RegistryArgs,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        match self.push() {
            Ok(text) => {
                output::stdout(text.as_bytes())?;
                Ok(Exit::Done)
            }
            Err(e) => {
                output::error(&e);
                Ok(Exit::Failed)
            }
        }
    }

    fn push(&self) -> Result<String> {
        let tree = super::tree(&self.bundle)?;
        let (parts, version) = bundle::apart(&*tree)?;
        let address = Address::parse(&self.address)?;
        let mut tags: Vec<String> = Vec::new();
        for tag in &self.tag {
            if !tags.contains(tag) {
                tags.push(tag.clone());
            }
        }
        match address.reference {
            Some(digest) if digest.contains(':') => {
                return Err(Error::new(
                    "source/address",
                    format!("`{}` names a digest", self.address),
                )
                .help("the digest is the bundle's own: push to a tag"));
            }
            Some(tag) if !tags.contains(&tag) => tags.insert(0, tag),
            _ => {}
        }
        if tags.is_empty() {
            tags.push(version);
        }
        for tag in &tags {
            check_tag(tag)?;
        }
        let digest = parts.digest();
        let manifest = |tag: String, manifest: &std::sync::Arc<[u8]>, joins: bool| Tagged {
            tag,
            manifest: manifest.clone(),
            joins,
        };
        let beside = parts.beside.iter().map(|(kind, content)| {
            let tag = format!("sha256-{}.{}", digest.hex(), Beside::suffix(*kind));
            manifest(tag, content, true)
        });
        let main = tags
            .iter()
            .map(|tag| manifest(tag.clone(), &parts.manifest, false));
        let manifests: Vec<Tagged> = beside.chain(main).collect();
        let reach = self.registry.open()?;
        let pushed = transfer::push(
            &reach.connection(),
            &address.url,
            &parts.blobs,
            (digest, &parts.referrers),
            &manifests,
        )?;
        let mut text = summary(&address.url, &digest.to_string(), &manifests, &pushed);
        if !parts.referrers.is_empty() {
            text.push_str(&format!(
                "sigstore bundles: {} sent, {} there already\n",
                pushed.referrers,
                parts.referrers.len().saturating_sub(pushed.referrers)
            ));
        }
        Ok(text)
    }
}

fn summary(url: &str, digest: &str, manifests: &[Tagged], pushed: &Pushed) -> String {
    let mut text = format!("{url}@{digest}\n");
    for (tagged, before) in manifests.iter().zip(&pushed.before) {
        let what = match before {
            None => "new".to_owned(),
            Some(before) if before.to_string() == digest => "there already".to_owned(),
            Some(_) if tagged.joins => "there already".to_owned(),
            Some(before) => format!("was {before}"),
        };
        text.push_str(&format!("tag {}: {what}\n", tagged.tag));
    }
    text.push_str(&format!(
        "blobs: {} sent, {} there already\n",
        pushed.sent, pushed.present
    ));
    text
}
