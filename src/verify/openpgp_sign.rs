//! OpenPGP: detached signatures, made and proven; the other half of `openpgp`.

use std::io::Write as _;

use openpgp::crypto::{KeyPair, Password};
use openpgp::parse::Parse as _;
use openpgp::policy::StandardPolicy;
use openpgp::serialize::stream::{Armorer, Message, Signer as StreamSigner};
use openpgp::{Cert, armor};
use sequoia_openpgp as openpgp;

use super::openpgp::Keyring;
use super::{KeyFile, Signer, refuse};
use crate::diag::{Error, Result};
use crate::gostd::moment::Moment;

/// A private key that makes detached signatures.
pub struct OpenPgpKey {
    pair: KeyPair,
    now: Moment,
}

impl std::fmt::Debug for OpenPgpKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OpenPgpKey({})", self.pair.public().fingerprint())
    }
}

impl OpenPgpKey {
    /// Reads an exported private key, armored or binary; `password` opens one
    /// that is protected. Signatures are dated `now`, when the key must be
    /// valid.
    ///
    /// # Errors
    ///
    /// `trust/key-file` for what holds no private key that may sign now, and
    /// for a password that is missing or wrong.
    pub fn read(file: &KeyFile, password: Option<&[u8]>, now: Moment) -> Result<OpenPgpKey> {
        let refused = |why: String, help: &str| {
            Error::new("trust/key-file", format!("key file `{}` {why}", file.name)).help(help)
        };
        const EXPORT: &str = "export it: `gpg --export-secret-keys --armor ID`";
        let cert = Cert::from_bytes(&file.content)
            .map_err(|e| refused(format!("holds no OpenPGP key: {e}"), EXPORT))?;
        if !cert.is_tsk() {
            return Err(refused("holds a public key alone".to_owned(), EXPORT));
        }
        let policy = StandardPolicy::at(now.system_time());
        let key = cert
            .keys()
            .with_policy(&policy, now.system_time())
            .supported()
            .alive()
            .revoked(false)
            .for_signing()
            .secret()
            .next()
            .ok_or_else(|| {
                refused(
                    format!("holds no private key that may sign on {}", now.date()),
                    "has it expired, or was only a part of it exported?",
                )
            })?;
        let mut key = key.key().clone();
        if key.secret().is_encrypted() {
            let password = password.ok_or_else(|| {
                refused(
                    "is protected, and there is no password".to_owned(),
                    "name it: `--key-password env://NAME`",
                )
            })?;
            key = key.decrypt_secret(&Password::from(password)).map_err(|_| {
                refused(
                    "is not opened by the password".to_owned(),
                    "which one is it?",
                )
            })?;
        }
        let pair = key
            .into_keypair()
            .map_err(|e| refused(format!("holds a key that cannot sign: {e}"), EXPORT))?;
        Ok(OpenPgpKey { pair, now })
    }

    /// An armored signature of a message, apart from it.
    ///
    /// # Errors
    ///
    /// `trust/key-file` for what the key cannot do.
    pub fn sign(&self, content: &[u8]) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        self.write(content, &mut out).map_err(|e| {
            Error::new(
                "trust/key-file",
                format!("the OpenPGP key cannot sign: {e}"),
            )
        })?;
        Ok(out)
    }

    fn write(&self, content: &[u8], out: &mut Vec<u8>) -> openpgp::Result<()> {
        let armored = Armorer::new(Message::new(&mut *out))
            .kind(armor::Kind::Signature)
            .build()?;
        let mut signer = StreamSigner::new(armored, self.pair.clone())?
            .detached()
            .creation_time(self.now.system_time())
            .build()?;
        signer.write_all(content)?;
        signer.finalize()
    }
}

/// Keys that are trusted to have made detached signatures.
#[derive(Debug, Default)]
pub struct OpenPgpTrust(Keyring);

impl OpenPgpTrust {
    /// Reads keyrings, armored or binary.
    ///
    /// # Errors
    ///
    /// `trust/key-file` for a file without a key.
    pub fn read(files: &[KeyFile]) -> Result<OpenPgpTrust> {
        let mut keyring = Keyring::default();
        for file in files {
            keyring.add_any(&file.name, &file.content)?;
        }
        if keyring.is_empty() {
            return Err(refuse(
                "trust/key-file",
                "no OpenPGP keys are given",
                "export the signer's key: `gpg --export --armor ID`",
            ));
        }
        Ok(OpenPgpTrust(keyring))
    }

    /// Who made an armored signature of a message, as of `now`.
    ///
    /// # Errors
    ///
    /// A refusal.
    pub fn verify(&self, armored: &[u8], message: &[u8], now: Moment) -> Result<Signer> {
        self.0.verify_armored(armored, message, now)
    }
}
