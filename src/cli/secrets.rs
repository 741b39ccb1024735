//! Private keys for sops, as the command line and the environment name them,
//! and what a build does with what they open.

use std::path::PathBuf;

use super::{environment, read};
use crate::diag::Result;
use crate::pipeline::secrets::Secrets;
use crate::sops::{Keys, MAX_KEY_FILE_BYTES};

/// Variables that name files of keys.
const FILE_VARIABLES: [&str; 2] = ["SOPS_AGE_KEY_FILE", "SOPS_AGE_SSH_PRIVATE_KEY_FILE"];

/// What a build does with encrypted values.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Secrets")]
pub(super) struct SecretArgs {
    #[command(flatten)]
    keys: KeyArgs,

    /// Fail what needs an encrypted value that no key opens, instead of putting a placeholder there
    #[arg(long)]
    require_decryption: bool,

    /// Print decrypted values, instead of digests that stand for them
    #[arg(long)]
    include_secrets: bool,
}

impl SecretArgs {
    /// Whether keys are given, here or in the environment.
    pub(super) fn has_keys(&self) -> bool {
        let KeyArgs {
            age_key_file,
            pgp_key,
        } = &self.keys;
        let variables = ["SOPS_AGE_KEY"].iter().chain(&FILE_VARIABLES);
        !age_key_file.is_empty()
            || !pgp_key.is_empty()
            || variables.into_iter().any(|name| variable(name).is_some())
    }

    /// Whether decrypted values are printed.
    pub(super) fn includes_secrets(&self) -> bool {
        self.include_secrets
    }

    /// Reads the keys.
    ///
    /// # Errors
    ///
    /// As [`KeyArgs::read`].
    pub(super) fn open(&self) -> Result<Secrets> {
        let keys = self.keys.read()?;
        Ok(Secrets::new(
            keys,
            self.require_decryption,
            self.include_secrets,
        ))
    }
}

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
        environment::forbid_core_dumps();
        let mut keys = Keys::default();
        for path in &self.age_key_file {
            add_age_file(&mut keys, path)?;
        }
        for path in &self.pgp_key {
            let content = zeroize::Zeroizing::new(read::file(path, MAX_KEY_FILE_BYTES)?);
            keys.add_openpgp(&path.display().to_string(), &content)?;
        }
        if let Some(text) = variable("SOPS_AGE_KEY") {
            let text = zeroize::Zeroizing::new(text.into_encoded_bytes());
            // Several may stand on one line there, and comments as in a file.
            let lines: Vec<&[u8]> = text
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.trim_ascii_start().starts_with(b"#"))
                .flat_map(|line| line.split(u8::is_ascii_whitespace))
                .collect();
            let lines = zeroize::Zeroizing::new(lines.join(&b'\n'));
            keys.add_age("SOPS_AGE_KEY", &lines)?;
        }
        for name in FILE_VARIABLES {
            if let Some(path) = variable(name) {
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
fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn keys_are_not_dumped() {
        let none = KeyArgs {
            age_key_file: Vec::new(),
            pgp_key: Vec::new(),
        };
        assert!(none.read().is_ok());
        let limit = rustix::process::getrlimit(rustix::process::Resource::Core);
        assert_eq!(limit.current, limit.maximum);
        assert!(limit.current.is_some_and(|bytes| bytes <= 1), "{limit:?}");
    }
}
