//! Private keys for sops, as the command line and the environment name them.

use std::path::PathBuf;

use super::read;
use crate::diag::Result;
use crate::sops::{Keys, MAX_KEY_FILE_BYTES};

/// Where private keys are.
#[derive(Debug, clap::Args)]
pub(super) struct KeyArgs {
    /// A file of age identities, or an SSH private key, for sops files (repeatable); the
    /// environment's SOPS_AGE_KEY, SOPS_AGE_KEY_FILE and SOPS_AGE_SSH_PRIVATE_KEY_FILE count, too
    #[arg(long, value_name = "FILE")]
    age_key_file: Vec<PathBuf>,

    /// A file of OpenPGP secret keys for sops files (repeatable)
    #[arg(long, value_name = "FILE")]
    pgp_key: Vec<PathBuf>,
}

impl KeyArgs {
    /// Reads all keys.
    ///
    /// # Errors
    ///
    /// The first that cannot be read.
    pub(super) fn read(&self) -> Result<Keys> {
        let mut keys = Keys::default();
        for path in &self.age_key_file {
            add_age_file(&mut keys, path)?;
        }
        for path in &self.pgp_key {
            let content = zeroize::Zeroizing::new(read::file(path, MAX_KEY_FILE_BYTES)?);
            keys.add_openpgp(&path.display().to_string(), &content)?;
        }
        if let Some(text) = environment("SOPS_AGE_KEY") {
            let text = zeroize::Zeroizing::new(text.into_encoded_bytes());
            // Several may stand on one line there.
            let lines: Vec<&[u8]> = text.split(u8::is_ascii_whitespace).collect();
            let lines = zeroize::Zeroizing::new(lines.join(&b'\n'));
            keys.add_age("SOPS_AGE_KEY", &lines)?;
        }
        for name in ["SOPS_AGE_KEY_FILE", "SOPS_AGE_SSH_PRIVATE_KEY_FILE"] {
            if let Some(path) = environment(name) {
                add_age_file(&mut keys, &PathBuf::from(path))?;
            }
        }
        Ok(keys)
    }
}

fn add_age_file(keys: &mut Keys, path: &std::path::Path) -> Result<()> {
    let content = zeroize::Zeroizing::new(read::file(path, MAX_KEY_FILE_BYTES)?);
    keys.add_age(&path.display().to_string(), &content)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the command line reads the environment"
)]
fn environment(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
