//! Private keys that sign, in PEM files: the other half of `publickey`.

use p256::pkcs8::DecodePrivateKey as _;

use super::KeyFile;
use super::publickey::first_pem_block;
use crate::diag::{Error, Result};

/// A key that signs as cosign's do: ECDSA on P-256 over SHA-256, or Ed25519.
///
/// Both are deterministic: the same key and message give the same signature.
pub struct SigningKey(Key);

enum Key {
    P256(p256::ecdsa::SigningKey),
    Ed25519(Box<ed25519_dalek::SigningKey>),
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Key::P256(_) => "SigningKey(P-256)",
            Key::Ed25519(_) => "SigningKey(Ed25519)",
        })
    }
}

impl SigningKey {
    /// Reads the first block of a PEM file.
    ///
    /// # Errors
    ///
    /// `trust/key-file` for what holds no private key in PKCS #8, and for one
    /// that is encrypted or of another kind.
    pub fn read(file: &KeyFile) -> Result<SigningKey> {
        let refused = |why: &str, help: &str| {
            Error::new("trust/key-file", format!("key file `{}` {why}", file.name)).help(help)
        };
        const MAKE: &str = "make one: `openssl genpkey -algorithm EC -pkeyopt \
                            ec_paramgen_curve:P-256 -out key.pem`";
        let text =
            std::str::from_utf8(&file.content).map_err(|_| refused("is no PEM file", MAKE))?;
        let (label, der) =
            first_pem_block(text).ok_or_else(|| refused("holds no PEM block", MAKE))?;
        if label != "PRIVATE KEY" {
            let help = match label.as_str() {
                "PUBLIC KEY" => "name the private half of the key pair",
                label if label.starts_with("ENCRYPTED") => {
                    "decrypt it for the time of signing, and hand it over by `env://NAME`"
                }
                _ => "turn it into PKCS #8: `openssl pkcs8 -topk8 -nocrypt -in KEY`",
            };
            return Err(refused(&format!("holds a `{label}`"), help));
        }
        if let Ok(key) = p256::ecdsa::SigningKey::from_pkcs8_der(&der) {
            return Ok(SigningKey(Key::P256(key)));
        }
        ed25519_dalek::SigningKey::from_pkcs8_der(&der)
            .map(|key| SigningKey(Key::Ed25519(Box::new(key))))
            .map_err(|_| refused("holds neither a P-256 nor an Ed25519 key", MAKE))
    }

    /// The signature of a message: DER for ECDSA, 64 bytes for Ed25519.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.0 {
            Key::P256(key) => {
                use p256::ecdsa::signature::Signer as _;
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_der().as_bytes().to_vec()
            }
            Key::Ed25519(key) => {
                use ed25519_dalek::Signer as _;
                key.sign(message).to_bytes().to_vec()
            }
        }
    }
}
