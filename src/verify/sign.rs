//! Private keys that sign, in PEM files: the other half of `publickey`.
//!
//! They are in PKCS #8, in clear or encrypted as cosign encrypts its keys: by a
//! password that scrypt makes a key of, in a secret box of NaCl.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto_secretbox::XSalsa20Poly1305;
use crypto_secretbox::aead::{Aead as _, KeyInit as _};
use p256::pkcs8::DecodePrivateKey as _;
use serde::Deserialize;
use zeroize::Zeroizing;

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
    /// Reads the first block of a PEM file; `password` opens a key that is
    /// encrypted.
    ///
    /// # Errors
    ///
    /// `trust/key-file` for what holds no private key in PKCS #8, for one of
    /// another kind, and for a password that is missing or wrong.
    pub fn read(file: &KeyFile, password: Option<&[u8]>) -> Result<SigningKey> {
        let refused = |why: &str, help: &str| {
            Error::new("trust/key-file", format!("key file `{}` {why}", file.name)).help(help)
        };
        const MAKE: &str = "make one: `openssl genpkey -algorithm EC -pkeyopt \
                            ec_paramgen_curve:P-256 -out key.pem`";
        let text =
            std::str::from_utf8(&file.content).map_err(|_| refused("is no PEM file", MAKE))?;
        let (label, block) =
            first_pem_block(text).ok_or_else(|| refused("holds no PEM block", MAKE))?;
        let der = match label.as_str() {
            "PRIVATE KEY" => block,
            "ENCRYPTED SIGSTORE PRIVATE KEY" | "ENCRYPTED COSIGN PRIVATE KEY" => {
                let password = password.ok_or_else(|| {
                    refused(
                        "is encrypted, and there is no password",
                        "name it: `--key-password env://COSIGN_PASSWORD`",
                    )
                })?;
                decrypted(&block, password).map_err(|why| {
                    refused(
                        &format!("cannot be decrypted: {why}"),
                        "is it the right password? an empty one is given as an empty file",
                    )
                })?
            }
            label => {
                let help = match label {
                    "PUBLIC KEY" => "name the private half of the key pair",
                    label if label.starts_with("ENCRYPTED") => {
                        "only cosign's own encryption is known: import the key with `cosign \
                         import-key-pair`, or decrypt it for the time of signing"
                    }
                    _ => "turn it into PKCS #8: `openssl pkcs8 -topk8 -nocrypt -in KEY`",
                };
                return Err(refused(&format!("holds a `{label}`"), help));
            }
        };
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

/// An encrypted key of cosign: JSON in a PEM block.
#[derive(Deserialize)]
struct Encrypted {
    kdf: Kdf,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Deserialize)]
struct Kdf {
    name: String,
    params: ScryptParams,
    salt: String,
}

#[derive(Deserialize)]
struct ScryptParams {
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
}

#[derive(Deserialize)]
struct Cipher {
    name: String,
    nonce: String,
}

/// The most memory that a key may ask for to be decrypted, as the binary
/// logarithm of `N`; cosign writes 15 or 16.
const MAX_LOG_N: u32 = 20;

/// Compat: go-securesystemslib `encrypted/encrypted.go`.
fn decrypted(block: &[u8], password: &[u8]) -> std::result::Result<Zeroizing<Vec<u8>>, String> {
    let encrypted: Encrypted =
        serde_json::from_slice(block).map_err(|e| format!("its block is not as cosign's: {e}"))?;
    if encrypted.kdf.name != "scrypt" || encrypted.cipher.name != "nacl/secretbox" {
        return Err(format!(
            "it is encrypted by `{}` and `{}`",
            encrypted.kdf.name, encrypted.cipher.name
        ));
    }
    let bytes = |text: &str| {
        STANDARD
            .decode(text)
            .map_err(|_| "its block is not as cosign's: no base64".to_owned())
    };
    let ScryptParams { n, r, p } = encrypted.kdf.params;
    let log_n = n.checked_ilog2().unwrap_or_default();
    if !n.is_power_of_two() || log_n > MAX_LOG_N || r > 16 || p > 16 {
        return Err(format!("scrypt with N={n}, r={r}, p={p} asks for too much"));
    }
    let parameters = u8::try_from(log_n)
        .ok()
        .and_then(|log_n| scrypt::Params::new(log_n, r, p, 32).ok())
        .ok_or_else(|| format!("scrypt knows no N={n}, r={r}, p={p}"))?;
    let mut key = Zeroizing::new([0; 32]);
    scrypt::scrypt(
        password,
        &bytes(&encrypted.kdf.salt)?,
        &parameters,
        &mut *key,
    )
    .map_err(|e| e.to_string())?;
    let nonce: [u8; 24] = bytes(&encrypted.cipher.nonce)?
        .try_into()
        .map_err(|_| "its nonce has not 24 bytes".to_owned())?;
    XSalsa20Poly1305::new((&*key).into())
        .decrypt(&nonce.into(), bytes(&encrypted.ciphertext)?.as_slice())
        .map(Zeroizing::new)
        .map_err(|_| "the password does not open it".to_owned())
}
