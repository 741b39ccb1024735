//! Entries of a transparency log (Rekor): that a signature was logged, and
//! when.
//!
//! A log vouches for an entry in two ways: by a promise (a signature over the
//! entry and its time), or by a proof (hashes that lead from the entry to a
//! checkpoint, which the log signed). Only a promise vouches for the time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::certificate::Certificate;
use super::root::{Log, LogId, TrustRoot};
use crate::diag::{Error, Result};
use crate::gostd::moment::Moment;
use crate::verify::publickey::{Hash, first_pem_block};
use crate::verify::refuse;

/// An entry as a bundle holds it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    #[serde(deserialize_with = "number")]
    log_index: i64,
    log_id: LogId,
    #[serde(default, deserialize_with = "number")]
    integrated_time: i64,
    #[serde(default)]
    inclusion_promise: Option<Promise>,
    #[serde(default)]
    inclusion_proof: Option<Proof>,
    canonicalized_body: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Promise {
    signed_entry_timestamp: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Proof {
    #[serde(default, deserialize_with = "number")]
    log_index: i64,
    #[serde(deserialize_with = "number")]
    tree_size: i64,
    #[serde(default)]
    hashes: Vec<String>,
    checkpoint: Checkpoint,
}

#[derive(Deserialize)]
struct Checkpoint {
    envelope: String,
}

/// JSON of protocol buffers writes 64-bit numbers as text.
fn number<'de, D: serde::Deserializer<'de>>(reader: D) -> std::result::Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(i64),
        Text(String),
    }
    match Either::deserialize(reader)? {
        Either::Number(n) => Ok(n),
        Either::Text(text) => text.parse().map_err(serde::de::Error::custom),
    }
}

impl Entry {
    /// An entry as the older scheme holds it in an annotation.
    pub(super) fn promised(
        body: &str,
        integrated_time: i64,
        log_index: i64,
        log_id: &[u8],
        signed: &str,
    ) -> Entry {
        Entry {
            log_index,
            log_id: LogId {
                key_id: STANDARD.encode(log_id),
            },
            integrated_time,
            inclusion_promise: Some(Promise {
                signed_entry_timestamp: signed.to_owned(),
            }),
            inclusion_proof: None,
            canonicalized_body: body.to_owned(),
        }
    }
}

/// What must have been logged.
pub(super) struct Logged<'a> {
    /// The signature.
    pub(super) signature: &'a [u8],
    /// The certificate whose key made it.
    pub(super) certificate: &'a Certificate,
    /// The payload of a DSSE envelope, where it is over one.
    pub(super) payload: Option<&'a [u8]>,
    /// What the signature is over.
    pub(super) signed: &'a [u8],
}

/// Checks that a trusted log holds the signature; gives the time that it
/// vouches for, if it does.
///
/// # Errors
///
/// `trust/log`.
pub(super) fn verify(
    entry: &Entry,
    logged: &Logged<'_>,
    root: &TrustRoot,
) -> Result<Option<Moment>> {
    let id = decode(&entry.log_id.key_id)?;
    let log = root
        .logs
        .iter()
        .find(|log| log.id == id)
        .ok_or_else(|| fault("its entry is of a log that the trust root does not know"))?;
    let body = decode(&entry.canonicalized_body)?;
    if entry.inclusion_promise.is_none() && entry.inclusion_proof.is_none() {
        return Err(fault(
            "its entry has neither a promise nor a proof of the log",
        ));
    }
    let mut time = None;
    if let Some(promise) = &entry.inclusion_promise {
        let at = Moment::from_unix(entry.integrated_time);
        check_promise(entry, promise, log, &id)?;
        if !log.valid.contains(at) {
            return Err(fault(format!("the log's key was not valid at {at}")));
        }
        time = Some(at);
    }
    if let Some(proof) = &entry.inclusion_proof {
        check_proof(proof, log, &body)?;
    }
    check_body(&body, logged)?;
    Ok(time)
}

/// The promise is a signature over a JSON text with sorted keys.
fn check_promise(entry: &Entry, promise: &Promise, log: &Log, id: &[u8]) -> Result<()> {
    let signed = format!(
        r#"{{"body":"{}","integratedTime":{},"logID":"{}","logIndex":{}}}"#,
        entry.canonicalized_body,
        entry.integrated_time,
        hex::encode(id),
        entry.log_index
    );
    let signature = decode(&promise.signed_entry_timestamp)?;
    if !log
        .key
        .holds_with(Hash::Sha256, signed.as_bytes(), &signature)
    {
        return Err(fault(
            "the promise of the log does not match its entry: one of them was changed",
        ));
    }
    Ok(())
}

fn check_proof(proof: &Proof, log: &Log, body: &[u8]) -> Result<()> {
    let (size, root) = read_checkpoint(&proof.checkpoint.envelope, log)?;
    let mut hashes = Vec::new();
    for hash in &proof.hashes {
        let hash: [u8; 32] = decode(hash)?
            .try_into()
            .map_err(|_| fault("its proof has a hash of another length"))?;
        hashes.push(hash);
    }
    let numbers = (
        u64::try_from(proof.log_index),
        u64::try_from(proof.tree_size),
    );
    let (Ok(index), Ok(tree_size)) = numbers else {
        return Err(fault("its proof has a negative number"));
    };
    if tree_size != size {
        return Err(fault("its proof is of another tree than the checkpoint"));
    }
    if root_of(body, index, size, &hashes) != Some(root) {
        return Err(fault(
            "its proof does not lead from the entry to the checkpoint",
        ));
    }
    Ok(())
}

/// The size of the tree and its hash in a checkpoint that the log signed.
///
/// A checkpoint is a signed note: lines with the log's name, the size and the
/// hash, an empty line, then signatures, each behind a dash and a name.
fn read_checkpoint(text: &str, log: &Log) -> Result<(u64, [u8; 32])> {
    let malformed = || fault("its checkpoint is malformed");
    let (body, signatures) = text.split_once("\n\n").ok_or_else(malformed)?;
    let body = format!("{body}\n");
    let mut lines = body.lines();
    let origin = lines.next().ok_or_else(malformed)?;
    let name = origin.split(" - ").next().unwrap_or(origin);
    if log
        .host
        .as_deref()
        .is_some_and(|host| host != name && !name.starts_with(&format!("{host}/")))
    {
        return Err(fault(format!("its checkpoint is of another log, `{name}`")));
    }
    let size = lines
        .next()
        .and_then(|l| l.parse().ok())
        .ok_or_else(malformed)?;
    let root = lines.next().and_then(|l| STANDARD.decode(l).ok());
    let root = root.and_then(|r| r.try_into().ok()).ok_or_else(malformed)?;
    let is_signed = signatures.lines().any(|line| {
        line.strip_prefix("\u{2014} ")
            .and_then(|rest| rest.rsplit_once(' '))
            .and_then(|(_, signature)| STANDARD.decode(signature).ok())
            // Four bytes name the key.
            .and_then(|bytes| bytes.get(4..).map(<[u8]>::to_vec))
            .is_some_and(|signature| {
                log.key
                    .holds_with(Hash::Sha256, body.as_bytes(), &signature)
            })
    });
    if !is_signed {
        return Err(fault("the log did not sign its checkpoint"));
    }
    Ok((size, root))
}

/// The hash of a tree of `size` entries in which `leaf` stands at `index`
/// (RFC 9162, section 2.1.3.2); none where there are too few or too many
/// hashes.
fn root_of(leaf: &[u8], index: u64, size: u64, hashes: &[[u8; 32]]) -> Option<[u8; 32]> {
    if index >= size {
        return None;
    }
    let mut hash: [u8; 32] = Sha256::new()
        .chain_update([0])
        .chain_update(leaf)
        .finalize()
        .into();
    let join = |left: &[u8; 32], right: &[u8; 32]| -> [u8; 32] {
        Sha256::new()
            .chain_update([1])
            .chain_update(left)
            .chain_update(right)
            .finalize()
            .into()
    };
    let (mut at, mut last) = (index, size - 1);
    for other in hashes {
        if last == 0 {
            return None;
        }
        if at % 2 == 1 || at == last {
            hash = join(other, &hash);
            while at % 2 == 0 && at != 0 {
                at /= 2;
                last /= 2;
            }
        } else {
            hash = join(&hash, other);
        }
        at /= 2;
        last /= 2;
    }
    (last == 0).then_some(hash)
}

/// Checks that an entry is of this signature, by this key, over this payload.
fn check_body(body: &[u8], logged: &Logged<'_>) -> Result<()> {
    let body: Value = serde_json::from_slice(body).map_err(|_| fault("its entry is no JSON"))?;
    let text = |path: &str| {
        body.pointer(path)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let decoded = |path: &str| STANDARD.decode(text(path)).unwrap_or_default();
    let payload = logged.payload.map(|p| hex::encode(Sha256::digest(p)));
    let payload_matches = |path: &str| payload.as_deref() == Some(text(path));
    let (signature, verifier, is_over) = match (text("/kind"), text("/apiVersion")) {
        ("dsse", "0.0.1") => (
            decoded("/spec/signatures/0/signature"),
            pem(&decoded("/spec/signatures/0/verifier")),
            payload_matches("/spec/payloadHash/value") && has_one(&body, "/spec/signatures"),
        ),
        ("intoto", "0.0.2") => (
            // Twice base64.
            STANDARD
                .decode(decoded("/spec/content/envelope/signatures/0/sig"))
                .unwrap_or_default(),
            pem(&decoded("/spec/content/envelope/signatures/0/publicKey")),
            payload_matches("/spec/content/payloadHash/value")
                && has_one(&body, "/spec/content/envelope/signatures"),
        ),
        ("hashedrekord", "0.0.1") => (
            decoded("/spec/signature/content"),
            pem(&decoded("/spec/signature/publicKey/content")),
            text("/spec/data/hash/algorithm") == "sha256"
                && text("/spec/data/hash/value") == hex::encode(Sha256::digest(logged.signed)),
        ),
        ("hashedrekord", "0.0.2") => {
            let spec = "/spec/hashedRekordV002";
            let hash = match text(&format!("{spec}/data/algorithm")) {
                "SHA2_256" => Some(Hash::Sha256),
                "SHA2_384" => Some(Hash::Sha384),
                "SHA2_512" => Some(Hash::Sha512),
                _ => None,
            };
            let digest = decoded(&format!("{spec}/data/digest"));
            (
                decoded(&format!("{spec}/signature/content")),
                decoded(&format!(
                    "{spec}/signature/verifier/x509Certificate/rawBytes"
                )),
                hash.is_some_and(|h| h.of(logged.signed) == digest),
            )
        }
        (kind, version) => {
            return Err(refuse(
                "trust/unsupported",
                format!("its log entry is of the kind `{kind}` {version}, which is not supported"),
                "sign again with a current cosign",
            ));
        }
    };
    if signature != logged.signature {
        return Err(fault("its entry is of another signature"));
    }
    if verifier != logged.certificate.der() {
        return Err(fault("its entry is of another certificate"));
    }
    if !is_over {
        return Err(fault(
            "its entry is over something else: the digest does not match",
        ));
    }
    Ok(())
}

fn has_one(body: &Value, path: &str) -> bool {
    body.pointer(path)
        .and_then(Value::as_array)
        .is_some_and(|list| list.len() == 1)
}

fn pem(text: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(text).unwrap_or_default();
    first_pem_block(text)
        .map(|(_, der)| der.to_vec())
        .unwrap_or_default()
}

fn decode(text: &str) -> Result<Vec<u8>> {
    STANDARD
        .decode(text)
        .map_err(|_| fault("a part of its entry is not base64"))
}

fn fault(why: impl std::fmt::Display) -> Error {
    refuse(
        "trust/log",
        format!("the signature is not proven to be in a transparency log: {why}"),
        "do not trust it; sign again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hash of a list of leaves, as RFC 9162, section 2.1.1 defines it,
    /// and the proof for one of them.
    fn tree(leaves: &[Vec<u8>]) -> [u8; 32] {
        if let [leaf] = leaves {
            return Sha256::new()
                .chain_update([0])
                .chain_update(leaf)
                .finalize()
                .into();
        }
        let (left, right) = leaves.split_at(split(leaves.len()));
        Sha256::new()
            .chain_update([1])
            .chain_update(tree(left))
            .chain_update(tree(right))
            .finalize()
            .into()
    }

    fn split(size: usize) -> usize {
        size.next_power_of_two() / 2
    }

    fn proof(leaves: &[Vec<u8>], index: usize) -> Vec<[u8; 32]> {
        if leaves.len() == 1 {
            return Vec::new();
        }
        let (left, right) = leaves.split_at(split(leaves.len()));
        if index < left.len() {
            let mut hashes = proof(left, index);
            hashes.push(tree(right));
            hashes
        } else {
            let mut hashes = proof(right, index - left.len());
            hashes.push(tree(left));
            hashes
        }
    }

    #[test]
    fn every_entry_of_every_small_tree_is_proven() {
        for size in 1..40 {
            let leaves: Vec<Vec<u8>> = (0..size).map(|i: usize| i.to_be_bytes().to_vec()).collect();
            let root = tree(&leaves);
            for (i, leaf) in leaves.iter().enumerate() {
                let hashes = proof(&leaves, i);
                let (index, count) = (i as u64, size as u64);
                assert_eq!(
                    root_of(leaf, index, count, &hashes),
                    Some(root),
                    "{i} of {size}"
                );
                assert_ne!(root_of(b"x", index, count, &hashes), Some(root));
                assert_ne!(root_of(leaf, index + 1, count, &hashes), Some(root));
                let mut more = hashes.clone();
                more.push(root);
                assert_ne!(root_of(leaf, index, count, &more), Some(root));
                if let Some((_, fewer)) = hashes.split_last() {
                    assert_ne!(root_of(leaf, index, count, fewer), Some(root));
                }
            }
        }
        assert_eq!(root_of(b"x", 1, 1, &[]), None);
        assert_eq!(root_of(b"x", u64::MAX, u64::MAX, &[[0; 32]; 70]), None);
    }
}
