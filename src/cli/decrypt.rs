//! `fluxwright decrypt FILE`

use std::io;
use std::path::PathBuf;

use super::output::{self, Exit};
use super::read;
use super::secrets::KeyArgs;
use crate::diag::Result;
use crate::sops::{Format, decrypt};

/// Print a file that is encrypted with sops, in clear
///
/// The format follows from the file's name: .yaml, .yml, .json, .env, .ini, and
/// binary for anything else. The MAC is checked: a file that was changed without
/// sops is refused. Keys in a cloud or a Vault are never asked for, since that
/// takes the network.
///
/// Examples:
///   fluxwright decrypt secret.yaml --age-key-file key.agekey
///   SOPS_AGE_KEY_FILE=key.agekey fluxwright decrypt app.env
///   fluxwright decrypt secret.yaml --pgp-key <(gpg --export-secret-keys ID)
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    keys: KeyArgs,

    /// The format of the file [default: by its name]
    #[arg(long, value_enum, value_name = "FORMAT")]
    input_type: Option<FormatArg>,

    /// The format to print [default: that of the file]
    #[arg(long, value_enum, value_name = "FORMAT")]
    output_type: Option<FormatArg>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FormatArg {
    Yaml,
    Json,
    Dotenv,
    Ini,
    Binary,
}

impl From<FormatArg> for Format {
    fn from(format: FormatArg) -> Format {
        match format {
            FormatArg::Yaml => Format::Yaml,
            FormatArg::Json => Format::Json,
            FormatArg::Dotenv => Format::Dotenv,
            FormatArg::Ini => Format::Ini,
            FormatArg::Binary => Format::Binary,
        }
    }
}

/// The largest file that is decrypted, in bytes.
const MAX_FILE_BYTES: usize = 64 << 20;

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        match self.decrypt() {
            Ok(plain) => {
                output::stdout(&plain)?;
                Ok(Exit::Done)
            }
            Err(error) => {
                let was_changed = matches!(error.rule(), "sops/mac" | "sops/tampered");
                output::error(&error);
                Ok(if was_changed { Exit::No } else { Exit::Failed })
            }
        }
    }

    fn decrypt(&self) -> Result<zeroize::Zeroizing<Vec<u8>>> {
        let name = self.file.display().to_string();
        let content = read::file(&self.file, MAX_FILE_BYTES)?;
        let input = self
            .input_type
            .map_or_else(|| Format::of_path(&name), Format::from);
        let output = self.output_type.map_or(input, Format::from);
        let keys = self.keys.read()?;
        decrypt(&content, input, output, &keys).map_err(|e| e.context(format!("`{name}`")))
    }
}
