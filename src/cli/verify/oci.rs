//! `fluxwright verify oci LAYOUT:TAG`

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Format, answer};
use crate::artifact::DiskTree;
use crate::cli::output::Exit;
use crate::cli::read;
use crate::diag::Result;
use crate::verify::cosign::{Digest, Layout, Trust, verify};
use crate::verify::{KeyFile, MAX_KEY_FILE_BYTES, Proof};

/// Verify the cosign signature of an artifact in an OCI layout
///
/// The layout is a folder, as `skopeo copy` or `oras copy` makes one, with the
/// artifact and its signatures. Sigstore bundles that refer to the artifact are
/// tried first; if there is none, signatures under the tag `sha256-….sig`. Every
/// layer is hashed, too.
///
/// Examples:
///   fluxwright verify oci layout:6.9.4 --key cosign.pub
///   fluxwright verify oci layout@sha256:87c1556f… --key cosign.pub
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// The folder of the layout, and a tag (`:TAG`) or digest (`@sha256:…`) in it
    #[arg(value_name = "LAYOUT:TAG")]
    artifact: String,

    /// A file with a public key that may sign, in PEM form (repeatable)
    #[arg(long, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,

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
        let mut files = Vec::new();
        for path in &self.key {
            files.push(KeyFile {
                name: path.display().to_string(),
                content: read::file(path, MAX_KEY_FILE_BYTES)?,
            });
        }
        let trust = Trust::keys(&files)?;
        let (folder, reference) = split(&self.artifact);
        let tree = DiskTree::open(Path::new(folder))?.named(folder);
        let layout = Layout::open(Arc::new(tree))?;
        let digest = match reference {
            Reference::Tag(tag) => layout.resolve(tag)?,
            Reference::Digest(digest) => Digest::parse(digest)?,
        };
        verify(&layout, &digest, &trust)
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
