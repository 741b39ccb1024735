//! age's hybrid recipients, `age1pq1…`: ML-KEM-768 and X25519 together.
//!
//! The stanza `mlkem768x25519` is HPKE (RFC 9180) with the KEM that is known
//! as X-Wing, HKDF-SHA256 and ChaCha20-Poly1305, over age's file key.

use age::DecryptError;
use age_core::format::{FileKey, Stanza};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chacha20poly1305::aead::{AeadInPlace as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Tag};
use hkdf::Hkdf;
use ml_kem::ml_kem_768::{Ciphertext, DecapsulationKey};
use ml_kem::{Decapsulate as _, Seed};
use sha2::Sha256;
use sha3::{Digest as _, Sha3_256};
use shake::digest::{ExtendableOutput as _, Update as _, XofReader as _};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize as _, Zeroizing};

/// What HPKE binds the file key to.
const LABEL: &[u8] = b"age-encryption.org/mlkem768x25519";

/// HPKE's name for the KEM, the KDF and the cipher.
const SUITE: [u8; 10] = *b"HPKE\x64\x7a\x00\x01\x00\x03";

const ML_KEM_CIPHERTEXT_BYTES: usize = 1088;
const X25519_BYTES: usize = 32;
const FILE_KEY_BYTES: usize = 16;
const TAG_BYTES: usize = 16;

/// A private key, `AGE-SECRET-KEY-PQ-1…`; wiped when dropped.
pub(super) struct HybridIdentity {
    ml_kem: DecapsulationKey,
    x25519: StaticSecret,
}

impl HybridIdentity {
    /// Reads a private key; none where it is none.
    pub(super) fn parse(text: &str) -> Option<HybridIdentity> {
        let (kind, mut digits, variant) = bech32::decode(text).ok()?;
        if !kind.eq_ignore_ascii_case("age-secret-key-pq-") || variant != bech32::Variant::Bech32 {
            return None;
        }
        let seed = <Vec<u8> as bech32::FromBase32>::from_base32(&digits).map(Zeroizing::new);
        for digit in &mut digits {
            *digit = bech32::u5::default();
        }
        let seed: [u8; 32] = seed.ok()?.as_slice().try_into().ok()?;
        let seed = Zeroizing::new(seed);

        let mut hash = shake::Shake256::default();
        hash.update(&*seed);
        let mut reader = hash.finalize_xof();
        let mut ml_kem = Seed::default();
        reader.read(&mut ml_kem);
        let mut x25519 = Zeroizing::new([0; X25519_BYTES]);
        reader.read(&mut *x25519);
        let identity = HybridIdentity {
            ml_kem: DecapsulationKey::from_seed(ml_kem),
            x25519: StaticSecret::from(*x25519),
        };
        ml_kem.as_mut_slice().zeroize();
        Some(identity)
    }

    /// The secret that a sender shared; what is not for this key gives
    /// another one.
    fn decapsulate(&self, sent: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
        let (to_ml_kem, to_x25519) = sent.split_at_checked(ML_KEM_CIPHERTEXT_BYTES)?;
        let to_x25519: [u8; X25519_BYTES] = to_x25519.try_into().ok()?;
        let ciphertext = Ciphertext::try_from(to_ml_kem).ok()?;
        let mut from_ml_kem = self.ml_kem.decapsulate(&ciphertext);
        let from_x25519 = self.x25519.diffie_hellman(&PublicKey::from(to_x25519));
        if !from_x25519.was_contributory() {
            return None;
        }
        let mut hash = Sha3_256::new();
        sha3::Digest::update(&mut hash, from_ml_kem.as_slice());
        sha3::Digest::update(&mut hash, from_x25519.as_bytes());
        sha3::Digest::update(&mut hash, to_x25519);
        sha3::Digest::update(&mut hash, PublicKey::from(&self.x25519).as_bytes());
        sha3::Digest::update(&mut hash, br"\.//^\");
        from_ml_kem.as_mut_slice().zeroize();
        Some(Zeroizing::new(hash.finalize().into()))
    }

    fn open(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        if stanza.tag != "mlkem768x25519" {
            return None;
        }
        let [sent] = stanza.args.as_slice() else {
            return Some(Err(DecryptError::InvalidHeader));
        };
        let Ok(sent) = STANDARD_NO_PAD.decode(sent) else {
            return Some(Err(DecryptError::InvalidHeader));
        };
        if stanza.body.len() != FILE_KEY_BYTES + TAG_BYTES {
            return Some(Err(DecryptError::InvalidHeader));
        }
        let secret = self.decapsulate(&sent)?;
        let (key, nonce) = key_and_nonce(&secret)?;
        let (sealed, tag) = stanza.body.split_at_checked(FILE_KEY_BYTES)?;
        let mut file_key = Box::new([0; FILE_KEY_BYTES]);
        file_key.copy_from_slice(sealed);
        ChaCha20Poly1305::new((&*key).into())
            .decrypt_in_place_detached((&nonce).into(), &[], &mut *file_key, Tag::from_slice(tag))
            .ok()?;
        Some(Ok(FileKey::new(file_key)))
    }
}

impl age::Identity for HybridIdentity {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        self.open(stanza)
    }
}

/// HPKE's key schedule, base mode.
fn key_and_nonce(secret: &[u8; 32]) -> Option<(Zeroizing<[u8; 32]>, [u8; 12])> {
    let mut context = vec![0];
    context.extend(extract(&[], b"psk_id_hash", &[]).0);
    context.extend(extract(&[], b"info_hash", LABEL).0);
    let (_, schedule) = extract(secret, b"secret", &[]);
    let mut key = Zeroizing::new([0; 32]);
    let mut nonce = [0; 12];
    expand(&schedule, b"key", &context, &mut *key)?;
    expand(&schedule, b"base_nonce", &context, &mut nonce)?;
    Some((key, nonce))
}

fn extract(salt: &[u8], label: &[u8], input: &[u8]) -> ([u8; 32], Hkdf<Sha256>) {
    let labeled = [b"HPKE-v1", SUITE.as_slice(), label, input].concat();
    let (key, hkdf) = Hkdf::<Sha256>::extract(Some(salt), &labeled);
    (key.into(), hkdf)
}

fn expand(schedule: &Hkdf<Sha256>, label: &[u8], context: &[u8], out: &mut [u8]) -> Option<()> {
    let length = u16::try_from(out.len()).ok()?.to_be_bytes();
    let info = [length.as_slice(), b"HPKE-v1", &SUITE, label, context].concat();
    schedule.expand(&info, out).ok()
}
