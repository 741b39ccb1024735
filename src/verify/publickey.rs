//! Public keys in PEM files, and signatures by them.

use p256::pkcs8::DecodePublicKey as _;
use rsa::pkcs1::DecodeRsaPublicKey as _;
use rsa::traits::PublicKeyParts as _;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use super::{KeyFile, KeyKind, Signer, refuse};
use crate::diag::{Error, Result};

/// A digest that a signature is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub(super) fn of(self, message: &[u8]) -> Vec<u8> {
        match self {
            Hash::Sha256 => Sha256::digest(message).to_vec(),
            Hash::Sha384 => Sha384::digest(message).to_vec(),
            Hash::Sha512 => Sha512::digest(message).to_vec(),
        }
    }
}

/// The fewest and the most bits of an RSA key that are taken: fewer are weak,
/// more are only slow.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=16_384;

/// A public key that is trusted.
#[derive(Clone, Debug)]
pub(super) struct PublicKey {
    key: Key,
    /// The digest of its DER form.
    digest: [u8; 32],
    /// The file that it comes from.
    file: Option<String>,
}

#[derive(Clone)]
enum Key {
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    P521(Box<p521::ecdsa::VerifyingKey>),
    Ed25519(Box<ed25519_dalek::VerifyingKey>),
    Rsa(Box<rsa::RsaPublicKey>),
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Key::P256(_) => "P-256",
            Key::P384(_) => "P-384",
            Key::P521(_) => "P-521",
            Key::Ed25519(_) => "Ed25519",
            Key::Rsa(_) => "RSA",
        })
    }
}

impl PublicKey {
    /// Reads the first block of a PEM file, as cosign does.
    ///
    /// # Errors
    ///
    /// `trust/key-file` for what holds no public key, `trust/unsupported` for
    /// a kind of key that is not known, `trust/weak` for a short RSA key.
    pub(super) fn read(file: &KeyFile) -> Result<PublicKey> {
        let refused = |why: &str| {
            refuse(
                "trust/key-file",
                format!("key file `{}` {why}", file.name),
                "give the public half of the key pair: `cosign public-key --key cosign.key`",
            )
        };
        let text = std::str::from_utf8(&file.content).map_err(|_| refused("is no PEM file"))?;
        let (label, der) = first_pem_block(text).ok_or_else(|| {
            refused(if text.trim().is_empty() {
                "is empty"
            } else {
                "holds no PEM block"
            })
        })?;
        let mut key = match label.as_str() {
            "PUBLIC KEY" => PublicKey::from_spki(&der)
                .map_err(|e| e.context(format!("key file `{}`", file.name)))?,
            "RSA PUBLIC KEY" => {
                let (n, e) = match rsa::RsaPublicKey::from_pkcs1_der(&der) {
                    Ok(key) => (key.n().clone(), key.e().clone()),
                    Err(_) => return Err(refused("holds a public key that cannot be read")),
                };
                let key = rsa::RsaPublicKey::new_with_max_size(n, e, *RSA_BITS.end())
                    .map_err(|_| refused("holds a public key that cannot be read"))?;
                PublicKey::from_rsa(key, &der)?
            }
            label if label.contains("PRIVATE KEY") => {
                return Err(refused("holds a private key, not a public key"));
            }
            label => return Err(refused(&format!("holds a `{label}`, not a public key"))),
        };
        key.file = Some(file.name.clone());
        Ok(key)
    }

    /// Reads a SubjectPublicKeyInfo in DER.
    ///
    /// # Errors
    ///
    /// As [`PublicKey::read`].
    pub(super) fn from_spki(der: &[u8]) -> Result<PublicKey> {
        const ED25519: &str = "1.3.101.112";
        const RSA: &str = "1.2.840.113549.1.1.1";
        const EC: &str = "1.2.840.10045.2.1";
        let unreadable = || {
            refuse(
                "trust/key-file",
                "the public key cannot be read: it is malformed",
                "export the public key again",
            )
        };
        let info = p256::pkcs8::SubjectPublicKeyInfoRef::try_from(der).map_err(|_| unreadable())?;
        let algorithm = info.algorithm.oid.to_string();
        let key = match algorithm.as_str() {
            ED25519 => {
                let bytes = info.subject_public_key.raw_bytes().try_into();
                let bytes = bytes.map_err(|_| unreadable())?;
                Key::Ed25519(Box::new(
                    ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| unreadable())?,
                ))
            }
            RSA => {
                let der_key = info.subject_public_key.raw_bytes();
                let parts =
                    rsa::pkcs1::RsaPublicKey::try_from(der_key).map_err(|_| unreadable())?;
                let number = |n: rsa::pkcs1::UintRef<'_>| rsa::BigUint::from_bytes_be(n.as_bytes());
                let key = rsa::RsaPublicKey::new_with_max_size(
                    number(parts.modulus),
                    number(parts.public_exponent),
                    *RSA_BITS.end(),
                )
                .map_err(|_| unreadable())?;
                return PublicKey::from_rsa(key, der);
            }
            EC => match info
                .algorithm
                .parameters_oid()
                .map(|o| o.to_string())
                .as_deref()
            {
                Ok("1.2.840.10045.3.1.7") => Key::P256(
                    p256::ecdsa::VerifyingKey::from_public_key_der(der)
                        .map_err(|_| unreadable())?,
                ),
                Ok("1.3.132.0.34") => Key::P384(
                    p384::ecdsa::VerifyingKey::from_public_key_der(der)
                        .map_err(|_| unreadable())?,
                ),
                Ok("1.3.132.0.35") => {
                    let point = info.subject_public_key.raw_bytes();
                    let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(point);
                    Key::P521(Box::new(key.map_err(|_| unreadable())?))
                }
                Ok(curve) => return Err(unsupported(&format!("the curve {}", curve_name(curve)))),
                Err(_) => return Err(unreadable()),
            },
            other => {
                return Err(unsupported(&format!(
                    "the algorithm {}",
                    algorithm_name(other)
                )));
            }
        };
        Ok(PublicKey {
            key,
            digest: Sha256::digest(der).into(),
            file: None,
        })
    }

    fn from_rsa(key: rsa::RsaPublicKey, der: &[u8]) -> Result<PublicKey> {
        let bits = key.n().bits();
        if bits < *RSA_BITS.start() {
            return Err(refuse(
                "trust/weak",
                format!("an RSA key of {bits} bits is weak: it is too short"),
                "make a key of 3072 bits, or an ECDSA or Ed25519 key",
            ));
        }
        Ok(PublicKey {
            key: Key::Rsa(Box::new(key)),
            digest: Sha256::digest(der).into(),
            file: None,
        })
    }

    /// The digest of the key in DER form.
    pub(super) fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Whether a signature is one of this key over a message.
    ///
    /// Compat: sigstore's verifiers with a key take SHA-256 whatever the
    /// curve, ASN.1 for ECDSA, PKCS #1 v1.5 for RSA and plain Ed25519.
    pub(super) fn holds(&self, message: &[u8], signature: &[u8]) -> bool {
        self.holds_with(Hash::Sha256, message, signature)
    }

    /// Whether a signature is one of this key over a message, by its digest
    /// of this kind.
    pub(super) fn holds_with(&self, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
        use p256::ecdsa::signature::Verifier as _;
        use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
        match &self.key {
            Key::P256(key) => p256::ecdsa::Signature::from_der(signature)
                .is_ok_and(|s| key.verify_prehash(&hash.of(message), &s).is_ok()),
            Key::P384(key) => p384::ecdsa::Signature::from_der(signature)
                .is_ok_and(|s| key.verify_prehash(&hash.of(message), &s).is_ok()),
            Key::P521(key) => {
                // The library refuses digests shorter than half the curve's
                // numbers; zeros in front do not change the number.
                let digest = hash.of(message);
                let mut padded = vec![0; 66_usize.saturating_sub(digest.len())];
                padded.extend_from_slice(&digest);
                p521::ecdsa::Signature::from_der(signature)
                    .is_ok_and(|s| key.verify_prehash(&padded, &s).is_ok())
            }
            Key::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|s| key.verify(message, &s).is_ok()),
            Key::Rsa(key) => rsa_key_holds(key, hash, message, signature),
        }
    }

    /// The key as a signer.
    pub(super) fn signer(&self) -> Signer {
        Signer {
            kind: KeyKind::PublicKey,
            fingerprint: format!("SHA256:{}", hex::encode(self.digest)),
            subkey: None,
            name: None,
            issuer: None,
            key_file: self.file.clone(),
        }
    }
}

/// Whether an RSA signature (PKCS #1 v1.5) is one of this key over a message.
pub(super) fn rsa_holds(n: &[u8], e: &[u8], hash: Hash, message: &[u8], signature: &[u8]) -> bool {
    let number = rsa::BigUint::from_bytes_be;
    rsa::RsaPublicKey::new_with_max_size(number(n), number(e), *RSA_BITS.end())
        .is_ok_and(|key| rsa_key_holds(&key, hash, message, signature))
}

fn rsa_key_holds(key: &rsa::RsaPublicKey, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
    let scheme = match hash {
        Hash::Sha256 => rsa::Pkcs1v15Sign::new::<rsa::sha2::Sha256>(),
        Hash::Sha384 => rsa::Pkcs1v15Sign::new::<rsa::sha2::Sha384>(),
        Hash::Sha512 => rsa::Pkcs1v15Sign::new::<rsa::sha2::Sha512>(),
    };
    key.verify(scheme, &hash.of(message), signature).is_ok()
}

/// The label and the content of the first block of a PEM text, which may be a
/// private key.
pub(super) fn first_pem_block(text: &str) -> Option<(String, Zeroizing<Vec<u8>>)> {
    use base64::Engine as _;
    let rest = text.split_once("-----BEGIN ")?.1;
    let (label, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    // Headers stand before an empty line.
    let body = body
        .split_once("\n\n")
        .filter(|(head, _)| head.contains(':'))
        .map_or(body, |(_, body)| body);
    // Room for all of it: growing would leave copies behind.
    let mut encoded = Zeroizing::new(String::with_capacity(body.len()));
    encoded.extend(body.split_ascii_whitespace());
    let der = base64::engine::general_purpose::STANDARD
        .decode(&*encoded)
        .ok()?;
    Some((label.to_owned(), Zeroizing::new(der)))
}

fn unsupported(what: &str) -> Error {
    refuse(
        "trust/unsupported",
        format!("the public key cannot be used: {what} is not supported"),
        "sign with an ECDSA key on P-256, P-384 or P-521, an Ed25519 key or an RSA key",
    )
}

fn algorithm_name(oid: &str) -> &str {
    match oid {
        "1.3.101.110" => "X25519",
        "1.3.101.111" => "X448",
        "1.3.101.113" => "Ed448",
        "1.2.840.10040.4.1" => "DSA",
        "1.2.840.113549.1.1.10" => "RSASSA-PSS",
        other => other,
    }
}

/// The name of a curve that is not supported.
pub(super) fn curve_name(oid: &str) -> &str {
    match oid {
        "1.2.840.10045.3.1.1" => "P-192",
        "1.3.132.0.33" => "P-224",
        "1.3.132.0.10" => "secp256k1",
        "1.3.36.3.3.2.8.1.1.7" => "brainpoolP256r1",
        "1.3.36.3.3.2.8.1.1.11" => "brainpoolP384r1",
        "1.3.36.3.3.2.8.1.1.13" => "brainpoolP512r1",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        // Made by openssl 3.0; the private halves were not kept.
        for (name, der) in [
            (
                "brainpoolP256r1",
                "MFowFAYHKoZIzj0CAQYJKyQDAwIIAQEHA0IABDyNjMGsKs0drL7cHsSN+t2Rkr7AhMhV+nOzNT1Fap7BFleIWgbxHGQ+c4Lhl/SM/6fKVWakdyqnY++DscnVlpI=",
            ),
            (
                "brainpoolP384r1",
                "MHowFAYHKoZIzj0CAQYJKyQDAwIIAQELA2IABIkKXiK88miqeTTesvuXIncyuKtVCRRz3oJxqJvoMqXwzYIXC3VBJTNbeJZPpnLfSE6Ml33kpZ25Hi/KNSgaLddsKUlbtSn6L0WTJw3PTVW0hI8VDkmuC1pJX/ZWpW2DFg==",
            ),
            (
                "brainpoolP512r1",
                "MIGbMBQGByqGSM49AgEGCSskAwMCCAEBDQOBggAEASDo+5IVS09NzVTnrHMOoOzOhVWflKhP9vwpXM9nQdX7wTxxW72Akao+2jmRMeDHer+rjPwfZH0oSZj7mYNZdVf6lCv7ZH23mYChOKtIQeJ9XBSuk37zo1na5jKP6tWkBCIK9AWH9NdM9NtDH4HIgeIC7F2OsOTl7mPHt8pX7Hw=",
            ),
            (
                "P-192",
                "MEkwEwYHKoZIzj0CAQYIKoZIzj0DAQEDMgAE4FuBHSX22b6ct8Q+433pdH8mMj1njnKoNKI7vGW9GAOG+yBXobjGCuS3VW+0oCF9",
            ),
            (
                "Ed448",
                "MEMwBQYDK2VxAzoAj/PgcQH3vGst1pRdNB4HeMN/fPivrefqeKefyTeNXoEy0xD1OW3S9g8wlSws87EtcezeRoHN41cA",
            ),
            (
                "X25519",
                "MCowBQYDK2VuAyEA/p2jNtmicm/ARvhWobWhOl+2Su87IQRr8fDDlwjK0Xc=",
            ),
        ] {
            let file = KeyFile {
                name: "cosign.pub".to_owned(),
                content: format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n")
                    .into_bytes(),
            };
            let error = PublicKey::read(&file).unwrap_err();
            assert_eq!(error.rule(), "trust/unsupported", "{name}");
            assert!(
                error
                    .to_string()
                    .contains(&format!(" {name} is not supported")),
                "{error}"
            );
            assert!(error.help_text().is_some_and(|help| help.contains("P-521")));
        }
    }
}
