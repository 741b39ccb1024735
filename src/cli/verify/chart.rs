//! `fluxwright verify chart ARCHIVE`

use std::io;
use std::path::PathBuf;

use super::{Format, answer};
use crate::cli::output::Exit;
use crate::cli::read;
use crate::diag::{Error, Result};
use crate::gostd::moment::Moment;
use crate::verify::{KeyFile, MAX_KEY_FILE_BYTES, Proof, provenance};

/// Verify a chart archive by its provenance file
///
/// The provenance lies beside the archive under its name with `.prov` behind it.
/// Its signature must be by a key of the keyring, and the digest that it lists for
/// the archive's file name must be the archive's.
///
/// Examples:
///   fluxwright verify chart web-1.0.0.tgz --keyring pubring.gpg
///   fluxwright verify chart web-1.0.0.tgz --keyring <(gpg --export --armor release@example.org)
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// The archive, NAME-VERSION.tgz
    #[arg(value_name = "ARCHIVE")]
    archive: PathBuf,

    /// A file of OpenPGP public keys that may sign, armored or binary
    #[arg(long, value_name = "FILE")]
    keyring: PathBuf,

    /// The provenance file [default: ARCHIVE.prov]
    #[arg(long, value_name = "FILE")]
    provenance: Option<PathBuf>,

    /// The time that keys must be valid at [default: the machine's clock]
    #[arg(long, value_name = "TIME", value_parser = read::moment)]
    now: Option<Moment>,

    /// How the answer is printed
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

/// The largest archive that is read, in bytes.
const MAX_ARCHIVE_BYTES: usize = 256 << 20;

/// The largest provenance file that is read, in bytes.
const MAX_PROVENANCE_BYTES: usize = 4 << 20;

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        let format = self.output;
        answer(self.verify().map(|p| vec![p]).map_err(|e| vec![e]), format)
    }

    fn verify(self) -> Result<Proof> {
        if self.archive.is_dir() {
            return Err(Error::new(
                "file/unreadable",
                format!("`{}` is a folder, not an archive", self.archive.display()),
            )
            .help("only packaged charts are signed: name `NAME-VERSION.tgz`"));
        }
        let archive = read::file(&self.archive, MAX_ARCHIVE_BYTES)?;
        let path = self.provenance.unwrap_or_else(|| {
            let mut name = self.archive.clone().into_os_string();
            name.push(".prov");
            name.into()
        });
        let content = match read::file(&path, MAX_PROVENANCE_BYTES) {
            Err(e) if e.rule() == "ref/missing" => {
                return Err(provenance::missing(&path.display().to_string()));
            }
            read => read?,
        };
        let keyring = KeyFile {
            name: self.keyring.display().to_string(),
            content: read::file(&self.keyring, MAX_KEY_FILE_BYTES)?,
        };
        let name = self
            .archive
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        provenance::verify(&archive, &name, &content, &keyring, read::now(self.now))
    }
}
