//! Keys that are trusted to sign commits and tags.

use super::openpgp::Keyring;
use super::ssh::AuthorizedKeys;
use super::{KeyFile, MAX_KEY_FILE_BYTES, refuse};
use crate::diag::Error;

/// Keys of the two kinds that Git signatures are made with, read once.
///
/// A file that cannot be read is no error as long as another one holds the
/// key that is needed, as source-controller has it; what is wrong with it is
/// told when none does.
#[derive(Debug, Default)]
pub struct Keys {
    pub(super) openpgp: Keyring,
    pub(super) ssh: AuthorizedKeys,
    /// Files that could not be read, by kind.
    bad_openpgp: Vec<Error>,
    bad_ssh: Vec<Error>,
}

impl Keys {
    /// Reads key files.
    ///
    /// Compat: source-controller tells their kinds by name: `*.sshpub` holds
    /// SSH keys, anything else an armored OpenPGP keyring.
    pub fn read<'a>(files: impl IntoIterator<Item = &'a KeyFile>) -> Keys {
        let mut keys = Keys::default();
        for file in files {
            let is_ssh = file.name.ends_with(".sshpub");
            if file.content.len() > MAX_KEY_FILE_BYTES {
                let error = refuse(
                    "trust/key-file",
                    format!(
                        "key file `{}` has {} MiB: more than {} are not read",
                        file.name,
                        file.content.len() >> 20,
                        MAX_KEY_FILE_BYTES >> 20
                    ),
                    "list the keys that may sign, and no others",
                );
                if is_ssh {
                    keys.bad_ssh.push(error);
                } else {
                    keys.bad_openpgp.push(error);
                }
            } else if is_ssh {
                if let Err(e) = keys.ssh.add(&file.name, &file.content) {
                    keys.bad_ssh.push(e);
                }
            } else if let Err(e) = keys.openpgp.add_armored(&file.name, &file.content) {
                // Told to those who miss a key of either kind.
                if AuthorizedKeys::is_one(&file.content) {
                    keys.bad_ssh.push(e);
                } else {
                    keys.bad_openpgp.push(e);
                }
            }
        }
        keys
    }

    /// The error for a signature whose key is not among those that could be
    /// read: the fault of a file that could not be, if there is one.
    pub(super) fn explain(&self, error: Error, is_ssh: bool) -> Error {
        if error.rule() != "trust/unknown-key" {
            return error;
        }
        let (bad, others, none) = if is_ssh {
            (&self.bad_ssh, !self.openpgp.is_empty(), self.ssh.is_empty())
        } else {
            (
                &self.bad_openpgp,
                !self.ssh.is_empty(),
                self.openpgp.is_empty(),
            )
        };
        if !none {
            return match bad.first() {
                Some(bad) => error.help(format!("a file was left out, too: {bad}")),
                None => error,
            };
        }
        if let Some(bad) = bad.first() {
            let text = format!("{}: {}", error.message(), bad.message());
            let help = bad
                .help_text()
                .unwrap_or("give a file with the signer's public key");
            return refuse("trust/key-file", text, help);
        }
        let (have, wanted, name) = if is_ssh {
            ("OpenPGP", "SSH", "NAME.sshpub")
        } else {
            ("SSH", "OpenPGP", "NAME.asc")
        };
        if others {
            return refuse(
                "trust/unknown-key",
                format!(
                    "{}: only {have} keys are given, no {wanted} keys",
                    error.message()
                ),
                &format!("add the signer's {wanted} public key as `{name}`"),
            );
        }
        refuse(
            "trust/unknown-key",
            format!("{}: no keys are given", error.message()),
            &format!("name the signer's public key: `--key {name}`"),
        )
    }
}
