//! Signed certificate timestamps: that a certificate was logged when it was
//! made (RFC 6962).

use der::Encode as _;
use sha2::{Digest as _, Sha256};

use super::certificate::{Certificate, TIMESTAMPS};
use super::root::TrustRoot;
use crate::diag::{Error, Result};
use crate::gostd::moment::Moment;
use crate::verify::publickey::Hash;
use crate::verify::refuse;

/// One timestamp.
struct Timestamp<'a> {
    log: &'a [u8],
    /// Milliseconds since 1970.
    time: u64,
    extensions: &'a [u8],
    hash: u8,
    signature: &'a [u8],
}

/// Checks that a log of the trust root vouches for a certificate.
///
/// # Errors
///
/// `trust/log` where none does.
pub(super) fn verify(leaf: &Certificate, issuer: &Certificate, root: &TrustRoot) -> Result<()> {
    let value = leaf
        .extension_value(TIMESTAMPS)
        .ok_or_else(|| fault("the certificate has no timestamp of one"))?;
    let timestamps = read(value).ok_or_else(|| fault("its timestamps are malformed"))?;
    let entry = pre_certificate(leaf, issuer).ok_or_else(|| fault("it cannot be read"))?;
    let mut why = "the certificate's timestamps are of logs that the trust root does not know";
    for timestamp in &timestamps {
        let logs = root
            .certificate_logs
            .iter()
            .filter(|log| log.id == timestamp.log);
        for log in logs {
            let seconds = i64::try_from(timestamp.time / 1000).unwrap_or(i64::MAX);
            if !log.valid.contains(Moment::from_unix(seconds)) {
                why = "its timestamp is of a time at which the log's key was not valid";
                continue;
            }
            // 4 is SHA-256, the digest of all logs.
            if timestamp.hash == 4
                && log.key.holds_with(
                    Hash::Sha256,
                    &signed(timestamp, &entry),
                    timestamp.signature,
                )
            {
                return Ok(());
            }
            why = "its timestamp does not match: it is of another certificate, or was changed";
        }
    }
    Err(fault(why))
}

/// What a log signed for a certificate: the hash of its issuer's key, and the
/// certificate without timestamps.
fn pre_certificate(leaf: &Certificate, issuer: &Certificate) -> Option<Vec<u8>> {
    let mut certificate = leaf.x509.tbs_certificate.clone();
    let extensions = certificate.extensions.as_mut()?;
    extensions.retain(|e| e.extn_id.to_string() != TIMESTAMPS);
    let der = certificate.to_der().ok()?;
    let mut entry = Sha256::digest(issuer.spki()).to_vec();
    let length = u32::try_from(der.len()).ok()?.to_be_bytes();
    entry.extend_from_slice(length.get(1..)?);
    entry.extend_from_slice(&der);
    Some(entry)
}

fn signed(timestamp: &Timestamp<'_>, entry: &[u8]) -> Vec<u8> {
    // Version 1, a certificate's timestamp; entry type 1, a precertificate.
    let mut out = vec![0, 0];
    out.extend_from_slice(&timestamp.time.to_be_bytes());
    out.extend_from_slice(&[0, 1]);
    out.extend_from_slice(entry);
    let length = u16::try_from(timestamp.extensions.len()).unwrap_or_default();
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(timestamp.extensions);
    out
}

fn read(value: &[u8]) -> Option<Vec<Timestamp<'_>>> {
    // An octet string within the extension's own.
    let list = <der::asn1::OctetStringRef<'_> as der::Decode>::from_der(value).ok()?;
    let mut rest = list.as_bytes();
    let mut rest = take_prefixed(&mut rest)?;
    let mut timestamps = Vec::new();
    while !rest.is_empty() {
        let mut one = take_prefixed(&mut rest)?;
        if take(&mut one, 1)? != [0] {
            continue;
        }
        timestamps.push(Timestamp {
            log: take(&mut one, 32)?,
            time: u64::from_be_bytes(take(&mut one, 8)?.try_into().ok()?),
            extensions: take_prefixed(&mut one)?,
            hash: *take(&mut one, 2)?.first()?,
            signature: take_prefixed(&mut one)?,
        });
    }
    Some(timestamps)
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(count)?;
    *rest = after;
    Some(taken)
}

/// Takes bytes behind their length in two bytes.
fn take_prefixed<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take(rest, 2)?;
    let length = u16::from_be_bytes(length.try_into().ok()?);
    take(rest, length.into())
}

fn fault(why: &str) -> Error {
    refuse(
        "trust/log",
        format!("the certificate is not proven to be in a certificate transparency log: {why}"),
        "do not trust it; sign again",
    )
}
