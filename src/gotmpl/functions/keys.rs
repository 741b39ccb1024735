//! Private keys: made, written, read.
//!
//! Compat: sprig 3.3.0 `crypto.go`; Go's `crypto/x509`, whose formats these
//! are.

use ed25519_dalek::SigningKey;
use num_bigint_dig::{BigUint, ModInverse as _, RandBigInt as _};
use p256::ecdsa;
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};
use rsa::pkcs1::{DecodeRsaPrivateKey as _, EncodeRsaPrivateKey as _, EncodeRsaPublicKey as _};
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::signature::Signer as _;
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
use sha2::{Digest as _, Sha256};

use super::der::{self, Reader, tag};
use super::primes;

/// `1.2.840.113549.1.1.1`, RSA.
const OID_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// `1.2.840.113549.1.1.11`, RSA with SHA-256.
const OID_RSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
/// `2.16.840.1.101.3.4.2.1`, SHA-256.
const OID_SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
/// `1.2.840.10045.2.1`, keys on elliptic curves.
const OID_EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// `1.2.840.10045.3.1.7`, the curve P-256.
const OID_P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// `1.2.840.10045.4.3.2`, ECDSA with SHA-256.
const OID_ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
/// `1.3.101.112`, Ed25519.
const OID_ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// A private key.
pub(super) enum Key {
    Rsa(Box<rsa::RsaPrivateKey>),
    Ecdsa(p256::SecretKey),
    Ed25519(Box<SigningKey>),
    /// One that signs nothing: its numbers.
    Dsa(Vec<Vec<u8>>),
}

/// What a certificate says of a key.
pub(super) struct PublicKey {
    /// Algorithm and key.
    pub(super) info: Vec<u8>,
    /// The key alone.
    pub(super) bytes: Vec<u8>,
}

fn oid(bytes: &[u8]) -> Vec<u8> {
    der::value(tag::OBJECT_ID, bytes)
}

fn algorithm(parts: &[Vec<u8>]) -> Vec<u8> {
    der::sequence(parts)
}

impl Key {
    /// An RSA key of so many bits.
    ///
    /// Where anybody can compute the random numbers, its primes are not made
    /// but taken from a table: that takes no time, and such a key is no secret
    /// either way.
    pub(super) fn rsa(random: &mut ChaCha20Rng, bits: usize, secret: bool) -> Key {
        let exponent = BigUint::from(65_537u32);
        if !secret && let Some((p, q)) = primes::known_primes(random, bits / 2) {
            let key = rsa::RsaPrivateKey::from_p_q(p, q, exponent.clone());
            if let Ok(key) = key {
                return Key::Rsa(Box::new(key));
            }
        }
        loop {
            // Each prime from random numbers of its own, so that both can be
            // looked for at once.
            let [mut first, mut second] = [(); 2].map(|()| {
                let mut seed = [0; 32];
                random.fill_bytes(&mut seed);
                ChaCha20Rng::from_seed(seed)
            });
            let (p, q) = rayon::join(
                || primes::random_prime(&mut first, bits / 2),
                || primes::random_prime(&mut second, bits - bits / 2),
            );
            // No key where the primes are the same or do not fit the exponent.
            if let Ok(key) = rsa::RsaPrivateKey::from_p_q(p, q, exponent.clone()) {
                return Key::Rsa(Box::new(key));
            }
        }
    }

    /// A key on the curve P-256.
    pub(super) fn ecdsa(random: &mut ChaCha20Rng) -> Key {
        Key::Ecdsa(p256::SecretKey::random(random))
    }

    /// An Ed25519 key.
    pub(super) fn ed25519(random: &mut ChaCha20Rng) -> Key {
        let mut seed = [0; 32];
        random.fill_bytes(&mut seed);
        Key::Ed25519(Box::new(SigningKey::from_bytes(&seed)))
    }

    /// A DSA key of 2048 and 256 bits.
    pub(super) fn dsa(random: &mut ChaCha20Rng) -> Key {
        let one = BigUint::from(1u8);
        let (p, q) = loop {
            let mut q = random.gen_biguint(256);
            q |= &one;
            q |= &one << 255usize;
            if !primes::is_prime(&q) {
                continue;
            }
            // Numbers of the right size that are one more than a multiple of
            // 2q, until one is prime.
            let step = &q << 1usize;
            let found = (0..4 * 2048).find_map(|_| {
                let mut x = random.gen_biguint(2048);
                x |= &one << 2047usize;
                let p = &x - (&x % &step) + &one;
                (p.bits() == 2048 && primes::is_prime(&p)).then_some(p)
            });
            if let Some(p) = found {
                break (p, q);
            }
        };
        let exponent = (&p - &one) / &q;
        let mut base = BigUint::from(2u8);
        let g = loop {
            let g = primes::power(&base, &exponent, &p);
            if g != one {
                break g;
            }
            base += &one;
        };
        let x = random.gen_biguint_range(&one, &q);
        let y = primes::power(&g, &x, &p);
        Key::Dsa([p, q, g, y, x].iter().map(BigUint::to_bytes_be).collect())
    }

    /// The key as Go writes it in PEM.
    pub(super) fn to_pem(&self) -> Result<String, String> {
        Ok(match self {
            Key::Rsa(key) => {
                let der = key.to_pkcs1_der().map_err(|e| e.to_string())?;
                der::to_pem("RSA PRIVATE KEY", der.as_bytes())
            }
            Key::Ecdsa(key) => {
                let public = self.public()?;
                let der = der::sequence(&[
                    der::integer(&[1]),
                    der::value(tag::OCTET_STRING, &key.to_bytes()),
                    der::value(0xa0, &oid(OID_P256)),
                    der::value(0xa1, &der::bits(&public.bytes)),
                ]);
                der::to_pem("EC PRIVATE KEY", &der)
            }
            Key::Ed25519(key) => {
                let seed = der::value(tag::OCTET_STRING, &key.to_bytes());
                let der = der::sequence(&[
                    der::integer(&[0]),
                    algorithm(&[oid(OID_ED25519)]),
                    der::value(tag::OCTET_STRING, &seed),
                ]);
                der::to_pem("PRIVATE KEY", &der)
            }
            Key::Dsa(numbers) => {
                let mut parts = vec![der::integer(&[0])];
                parts.extend(numbers.iter().map(|n| der::integer(n)));
                der::to_pem("DSA PRIVATE KEY", &der::sequence(&parts))
            }
        })
    }

    /// Reads a key from PEM; errors are the reference's.
    pub(super) fn from_pem(text: &str) -> Result<Key, String> {
        let Some((label, der)) = der::from_pem(text) else {
            return Err("no PEM data in input".to_owned());
        };
        let Some(kind) = label.strip_suffix("PRIVATE KEY") else {
            return Err(format!("no private key data in PEM block of type {label}"));
        };
        match kind.trim_end() {
            "" if label == "PRIVATE KEY" => {
                pkcs8(&der).ok_or_else(|| "decoding PEM as PKCS#8: unknown key".to_owned())
            }
            "RSA" => rsa::RsaPrivateKey::from_pkcs1_der(&der)
                .map(|key| Key::Rsa(Box::new(key)))
                .map_err(|e| format!("parsing RSA private key from PEM: {e}")),
            "EC" => p256::SecretKey::from_sec1_der(&der)
                .map(Key::Ecdsa)
                .map_err(|e| format!("parsing EC private key from PEM: {e}")),
            "DSA" => dsa_numbers(&der)
                .map(Key::Dsa)
                .ok_or_else(|| "parsing DSA private key from PEM: not a key".to_owned()),
            kind => Err(format!("invalid private key type {kind}")),
        }
    }

    /// Its public key.
    pub(super) fn public(&self) -> Result<PublicKey, String> {
        let with = |algorithm: Vec<u8>, bytes: Vec<u8>| PublicKey {
            info: der::sequence(&[algorithm, der::bits(&bytes)]),
            bytes,
        };
        Ok(match self {
            Key::Rsa(key) => {
                let bytes = key
                    .to_public_key()
                    .to_pkcs1_der()
                    .map_err(|e| e.to_string())?
                    .into_vec();
                let null = der::value(tag::NULL, &[]);
                with(algorithm(&[oid(OID_RSA), null]), bytes)
            }
            Key::Ecdsa(key) => {
                let point = key.public_key().to_encoded_point(false);
                with(
                    algorithm(&[oid(OID_EC), oid(OID_P256)]),
                    point.as_bytes().to_vec(),
                )
            }
            Key::Ed25519(key) => with(
                algorithm(&[oid(OID_ED25519)]),
                key.verifying_key().to_bytes().to_vec(),
            ),
            Key::Dsa(_) => return Err(NO_SIGNER.to_owned()),
        })
    }

    /// How signatures by it are called.
    pub(super) fn signature_algorithm(&self) -> Vec<u8> {
        match self {
            Key::Rsa(_) => algorithm(&[oid(OID_RSA_SHA256), der::value(tag::NULL, &[])]),
            Key::Ecdsa(_) => algorithm(&[oid(OID_ECDSA_SHA256)]),
            Key::Ed25519(_) | Key::Dsa(_) => algorithm(&[oid(OID_ED25519)]),
        }
    }

    /// A signature over a message.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        match self {
            Key::Rsa(key) => rsa_signature(key, message).ok_or_else(|| "no signature".to_owned()),
            Key::Ecdsa(key) => {
                let signer = ecdsa::SigningKey::from(key);
                let signature: ecdsa::Signature = signer.sign(message);
                Ok(signature.to_der().as_bytes().to_vec())
            }
            Key::Ed25519(key) => Ok(key.sign(message).to_bytes().to_vec()),
            Key::Dsa(_) => Err(NO_SIGNER.to_owned()),
        }
    }
}

/// A signature of PKCS #1 v1.5 with SHA-256.
fn rsa_signature(key: &rsa::RsaPrivateKey, message: &[u8]) -> Option<Vec<u8>> {
    let algorithm = algorithm(&[oid(OID_SHA256), der::value(tag::NULL, &[])]);
    let hash = der::value(tag::OCTET_STRING, &Sha256::digest(message));
    let digest = der::sequence(&[algorithm, hash]);
    let length = key.size();
    let mut padded = vec![0xff; length.checked_sub(digest.len() + 1)?];
    *padded.first_mut()? = 0;
    *padded.get_mut(1)? = 1;
    padded.push(0);
    padded.extend(digest);
    let message = BigUint::from_bytes_be(&padded);
    // Once for each prime: the numbers are half as long.
    let [p, q] = key.primes() else { return None };
    let one = BigUint::from(1u8);
    let of = |prime: &BigUint| primes::power(&message, &(key.d() % (prime - &one)), prime);
    let (of_p, of_q) = (of(p), of(q));
    let inverse = q.clone().mod_inverse(p)?.to_biguint()?;
    let difference = (&of_p + p - &of_q % p) % p;
    let bytes = (of_q + q * (difference * inverse % p)).to_bytes_be();
    let mut signature = vec![0; length.checked_sub(bytes.len())?];
    signature.extend(bytes);
    Some(signature)
}

const NO_SIGNER: &str = "x509: certificate private key does not implement crypto.Signer";

fn pkcs8(der: &[u8]) -> Option<Key> {
    if let Ok(key) = rsa::RsaPrivateKey::from_pkcs8_der(der) {
        return Some(Key::Rsa(Box::new(key)));
    }
    if let Ok(key) = p256::SecretKey::from_pkcs8_der(der) {
        return Some(Key::Ecdsa(key));
    }
    SigningKey::from_pkcs8_der(der)
        .ok()
        .map(|key| Key::Ed25519(Box::new(key)))
}

/// The numbers of a DSA key: p, q, g, y, x.
fn dsa_numbers(der: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut reader = Reader::of_sequence(der)?;
    reader.value(tag::INTEGER)?;
    (0..5)
        .map(|_| reader.value(tag::INTEGER).map(<[u8]>::to_vec))
        .collect()
}
