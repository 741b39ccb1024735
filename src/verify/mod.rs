//! Signatures: who signed what, and whether that is enough.
//!
//! In: bytes, signatures and the keys that are trusted, as files or as the
//! entries of a Secret. Out: a [`Proof`] for each thing that is signed, or an
//! error that says who signed it, with what, and why that is not enough.
//! Nothing here reads a clock: whether a key has expired is asked for a point
//! in time.
//!
//! - [`git`]: commits and tags, by OpenPGP and SSH keys,
//! - [`provenance`]: `.prov` files of Helm charts,
//! - [`cosign`]: artifacts in an OCI layout, by keys and without.
//!
//! A verification that cannot be carried out is a refusal. Every refusal has a
//! rule of the family `trust/`; what could not be read at all has another.
//! docs/trust.md says what each kind proves and what it does not.

#[cfg(feature = "verify")]
pub mod cosign;
#[cfg(feature = "verify")]
pub mod git;
#[cfg(feature = "verify")]
mod keys;
#[cfg(feature = "verify")]
mod openpgp;
#[cfg(feature = "verify")]
pub mod openpgp_sign;
#[cfg(feature = "verify")]
pub mod provenance;
#[cfg(feature = "verify")]
mod publickey;
#[cfg(feature = "verify")]
pub mod sign;
#[cfg(feature = "verify")]
mod ssh;

#[cfg(feature = "verify")]
pub use keys::Keys;

use serde::Serialize;

use crate::diag::Error;

/// The largest key file that is read, in bytes: room for tens of thousands of
/// keys.
pub const MAX_KEY_FILE_BYTES: usize = 16 << 20;

/// A file of keys, or an entry of a Secret.
#[derive(Clone, Debug)]
pub struct KeyFile {
    /// Its name; for keys of Git signatures its ending decides what is in it.
    pub name: String,
    /// What is in it.
    pub content: Vec<u8>,
}

/// The key may be a private one.
#[cfg(feature = "verify")]
impl Drop for KeyFile {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.content);
    }
}

/// What kind of key made a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyKind {
    /// An OpenPGP key, named by its fingerprint in hexadecimal.
    OpenPgp,
    /// An SSH key, named by `SHA256:` and the digest of the key.
    Ssh,
    /// A public key in a PEM file, named by `SHA256:` and the digest of its
    /// DER form.
    PublicKey,
    /// A certificate of a short life, named by the identity in it.
    Certificate,
}

/// Whose signature it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Signer {
    /// What kind of key it is.
    pub kind: KeyKind,
    /// The name of the key; for OpenPGP that of the primary key.
    pub fingerprint: String,
    /// The subkey that signed, where it was not the primary key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subkey: Option<String>,
    /// Who the key says it belongs to. Nothing proves that it does: what is
    /// trusted is the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The issuer of the identity in a certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The key file that holds the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<String>,
}

impl std::fmt::Display for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.kind {
            KeyKind::OpenPgp => "OpenPGP key",
            KeyKind::Ssh => "SSH key",
            KeyKind::PublicKey => "key",
            KeyKind::Certificate => "identity",
        };
        write!(f, "{kind} {}", self.fingerprint)?;
        if let Some(subkey) = &self.subkey {
            write!(f, ", subkey {subkey}")?;
        }
        if let Some(issuer) = &self.issuer {
            write!(f, ", as {issuer} vouches")?;
        }
        if let Some(name) = &self.name {
            write!(f, " ({name})")?;
        }
        Ok(())
    }
}

/// A signature that holds: what is signed, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// What is signed, in a few words: `commit 6e8a2c58…`.
    pub subject: String,
    /// Who signed it.
    pub signer: Signer,
}

/// Whether an error says that a signature is not enough, and not merely that
/// something could not be read.
pub fn is_refusal(error: &Error) -> bool {
    error.rule().starts_with("trust/")
}

/// A refusal with what to do about it.
#[cfg(feature = "verify")]
fn refuse(rule: &'static str, message: impl Into<String>, help: &str) -> Error {
    Error::new(rule, message).help(help)
}
