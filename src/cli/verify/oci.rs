//! `fluxwright verify oci LAYOUT:TAG`

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Format, answer};
use crate::artifact::DiskTree;
use crate::cli::output::Exit;
use crate::cli::read;
use crate::diag::Result;
use crate::verify::cosign::{Digest, Identity, Layout, Trust, verify};
use crate::verify::{KeyFile, MAX_KEY_FILE_BYTES, Proof};

/// Verify the cosign signature of an artifact in an OCI layout
///
/// The layout is a folder, as `skopeo copy` or `oras copy` makes one, with the
/// artifact and its signatures. Sigstore bundles that refer to the artifact are
/// tried first; if there is none, signatures under the tag `sha256-….sig`. Every
/// layer is hashed, too.
///
/// Without a key, a signature counts when an authority of the trust root vouches
/// that the identity is the one asked for, and its logs recorded both; patterns
/// are regular expressions that match anywhere unless they begin with ^ and end
/// with $. A trust root is a file: nothing is fetched.
///
/// Examples:
///   fluxwright verify oci layout:6.9.4 --key cosign.pub
///   fluxwright verify oci layout@sha256:87c1556f… --key cosign.pub
///   fluxwright verify oci layout:6.9.4 --trust-root trusted_root.json
///     --issuer '^https://token.actions.githubusercontent.com$'
///     --identity '^https://github.com/org/repo/'
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// The folder of the layout, and a tag (`:TAG`) or digest (`@sha256:…`) in it
    #[arg(value_name = "LAYOUT:TAG")]
    artifact: String,

    /// A file with a public key that may sign, in PEM form (repeatable)
    #[arg(long, value_name = "FILE", required_unless_present = "trust_root")]
    key: Vec<PathBuf>,

    /// A trust root in Sigstore's format, to verify without a key
    #[arg(long, value_name = "FILE", conflicts_with = "key", requires_all = ["identity", "issuer"])]
    trust_root: Option<PathBuf>,

    /// Who may sign without a key: a pattern for the identity in the certificate
    #[arg(long, value_name = "PATTERN", requires = "trust_root")]
    identity: Option<String>,

    /// Who must vouch for the identity: a pattern for the issuer in the certificate
    #[arg(long, value_name = "PATTERN", requires = "trust_root")]
    issuer: Option<String>,

    /// How the answer is printed
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        let format = self.output;
        answer(self.verify().map_err(|e| vec![e]), format)
    }

    fn verify(self) -> Result<Vec<Proof>> {
        let trust = self.trust()?;
        let (folder, reference) = split(&self.artifact);
        let tree = DiskTree::open(Path::new(folder))?.named(folder);
        let layout = Layout::open(Arc::new(tree))?;
        let digest = match reference {
            Reference::Tag(tag) => layout.resolve(tag)?,
            Reference::Digest(digest) => Digest::parse(digest)?,
        };
        verify(&layout, &digest, &trust)
    }

    fn trust(&self) -> Result<Trust> {
        let read = |path: &PathBuf| {
            Ok(KeyFile {
                name: path.display().to_string(),
                content: read::file(path, MAX_KEY_FILE_BYTES)?,
            })
        };
        if let Some(path) = &self.trust_root {
            let issuer = self.issuer.as_deref().unwrap_or_default();
            let identity = self.identity.as_deref().unwrap_or_default();
            return Trust::identities(&read(path)?, vec![Identity::new(issuer, identity)?]);
        }
        let files = self.key.iter().map(read).collect::<Result<Vec<_>>>()?;
        Trust::keys(&files)
    }
}

enum Reference<'a> {
    Tag(&'a str),
    Digest(&'a str),
}

/// The folder, and what is behind it; the tag `latest` where there is none.
fn split(artifact: &str) -> (&str, Reference<'_>) {
    if let Some((folder, digest)) = artifact.split_once("@sha256:") {
        let start = artifact.len() - digest.len() - "sha256:".len();
        return (
            folder,
            Reference::Digest(artifact.get(start..).unwrap_or(digest)),
        );
    }
    match artifact.rsplit_once(':') {
        Some((folder, tag)) if !tag.contains('/') && !folder.is_empty() => {
            (folder, Reference::Tag(tag))
        }
        _ => (artifact, Reference::Tag("latest")),
    }
}
