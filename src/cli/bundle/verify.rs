//! `fluxwright bundle verify`

use std::io;
use std::path::{Path, PathBuf};

use crate::bundle;
use crate::cli::output::{self, Exit};
use crate::cli::read;
use crate::config::Config;
use crate::diag::{Error, Result, Span};
use crate::verify::cosign::Trust;
use crate::verify::{KeyFile, MAX_KEY_FILE_BYTES, is_refusal};

/// Prove that a bundle is whole and who signed it
///
/// Hashes every byte of it, and looks for a signature by one of the keys. Exits
/// with 1 where it is damaged, or signed by nobody who is trusted.
///
/// Examples:
///   fluxwright bundle verify bundle --key cosign.pub
///   fluxwright bundle verify bundle.tar --digest sha256:87c1556f…
///   fluxwright bundle verify bundle --config .fluxwright.yaml
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// The folder of the bundle, or its .tar file
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,

    /// A file with a public key that may sign, in PEM form (repeatable)
    #[arg(long, value_name = "FILE", required_unless_present_any = ["digest", "config"])]
    key: Vec<PathBuf>,

    /// A .fluxwright.yaml, whose `trust.bundles` names the keys that may sign
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// The digest that it must have, where somebody you trust told you
    #[arg(long, value_name = "DIGEST")]
    digest: Option<String>,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        match self.verify() {
            Ok(lines) => {
                output::stdout(lines.as_bytes())?;
                Ok(Exit::Done)
            }
            Err(e) => {
                output::error(&e);
                let is_no = is_refusal(&e) || e.rule().starts_with("bundle/");
                Ok(if is_no { Exit::No } else { Exit::Failed })
            }
        }
    }

    fn verify(&self) -> Result<String> {
        let tree = super::tree(&self.bundle)?;
        let opened = bundle::open(&*tree)?;
        if let Some(digest) = &self.digest
            && *digest != opened.digest
        {
            return Err(Error::new(
                "bundle/digest",
                format!("its digest is {}, not {digest}", opened.digest),
            )
            .help("it is another bundle than the one you were told of"));
        }
        let mut lines = format!("whole: {} ({})\n", opened.digest, opened.tag);
        let keys = self.keys()?;
        if !keys.is_empty() {
            let files = keys.iter().map(|path| {
                Ok(KeyFile {
                    name: path.display().to_string(),
                    content: read::file(path, MAX_KEY_FILE_BYTES)?,
                })
            });
            let trust = Trust::keys(&files.collect::<Result<Vec<_>>>()?)?;
            for proof in bundle::verify(&tree, &trust)? {
                lines.push_str(&format!(
                    "verified: {} is signed by {}\n",
                    proof.subject, proof.signer
                ));
            }
        }
        Ok(lines)
    }

    /// The key files of the command line and of the configuration.
    fn keys(&self) -> Result<Vec<PathBuf>> {
        const MAX_CONFIG_BYTES: usize = 1 << 20;
        let mut keys = self.key.clone();
        if let Some(path) = &self.config {
            let text = read::text_file(path, MAX_CONFIG_BYTES)?;
            let config = Config::parse(&text, Span::NONE.file)
                .map_err(|e| e.context(format!("`{}`", path.display())))?;
            if config.trust.bundles.keys.is_empty() {
                return Err(Error::new(
                    "trust/key-file",
                    format!("`{}` names no keys that may sign bundles", path.display()),
                )
                .help("name them under `trust.bundles.keys`"));
            }
            let folder = path.parent().unwrap_or(Path::new(""));
            keys.extend(config.trust.bundles.keys.iter().map(|key| folder.join(key)));
        }
        Ok(keys)
    }
}
