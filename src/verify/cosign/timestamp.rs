//! Signed timestamps (RFC 3161): when a signature was there.

use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::{SignedData, SignerInfo};
use der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use der::{Decode as _, Encode as _, Reader as _, SliceReader, Tag, Tagged as _};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::certificate::{Certificate, Purpose, chain};
use super::root::TrustRoot;
use crate::diag::{Error, Result};
use crate::gostd::moment::Moment;
use crate::verify::publickey::Hash;
use crate::verify::refuse;

const SIGNED_DATA: &str = "1.2.840.113549.1.7.2";
const TIMESTAMP_INFO: &str = "1.2.840.113549.1.9.16.1.4";
const CONTENT_TYPE: &str = "1.2.840.113549.1.9.3";
const MESSAGE_DIGEST: &str = "1.2.840.113549.1.9.4";

/// Verifies the timestamp of a signature and gives its time.
///
/// # Errors
///
/// `trust/timestamp`.
pub(super) fn verify(response: &[u8], signature: &[u8], root: &TrustRoot) -> Result<Moment> {
    let token = token(response).ok_or_else(|| fault("it is malformed"))?;
    let (info, data) = token;
    let (hash, imprint, time) = read_info(&info).ok_or_else(|| fault("it is malformed"))?;
    if digest(&hash, signature).as_deref() != Some(&imprint) {
        return Err(fault("it is of another signature"));
    }
    let [signer] = data.signer_infos.0.as_slice() else {
        return Err(fault("it is not signed by one authority"));
    };
    let embedded: Vec<Certificate> = data
        .certificates
        .iter()
        .flat_map(|set| set.0.iter())
        .filter_map(|choice| match choice {
            CertificateChoices::Certificate(c) => Certificate::from_der(&c.to_der().ok()?).ok(),
            CertificateChoices::Other(_) => None,
        })
        .collect();
    let mut why = fault("no authority of the trust root signed it");
    for authority in root.timestamps.iter().filter(|a| a.valid.contains(time)) {
        for leaf in embedded.iter().chain(&authority.chain) {
            if !is_signed_by(signer, &info, leaf) {
                continue;
            }
            match chain(
                leaf,
                &authority.chain,
                &embedded,
                time,
                Purpose::TimeStamping,
            ) {
                Ok(_) => return Ok(time),
                Err(e) => why = fault(e.message()),
            }
        }
    }
    Err(why)
}

/// What is signed in a response, and the signed data around it.
fn token(response: &[u8]) -> Option<(Vec<u8>, SignedData)> {
    let mut reader = SliceReader::new(response).ok()?;
    let content = reader
        .sequence(|inner| {
            // The status, then the token.
            let status = AnyRef::decode(inner)?;
            if status.tag() != Tag::Sequence {
                return Err(Tag::Sequence.value_error());
            }
            ContentInfo::decode(inner)
        })
        .ok()?;
    if content.content_type.to_string() != SIGNED_DATA {
        return None;
    }
    let data = content.content.decode_as::<SignedData>().ok()?;
    if data.encap_content_info.econtent_type.to_string() != TIMESTAMP_INFO {
        return None;
    }
    let info = data.encap_content_info.econtent.as_ref()?;
    let info = info
        .decode_as::<OctetStringRef<'_>>()
        .ok()?
        .as_bytes()
        .to_vec();
    Some((info, data))
}

/// The digest algorithm, the digest and the time in a timestamp.
fn read_info(info: &[u8]) -> Option<(ObjectIdentifier, Vec<u8>, Moment)> {
    let mut reader = SliceReader::new(info).ok()?;
    let (imprint, time) = reader
        .sequence(|inner| {
            let _version = u8::decode(inner)?;
            // The policy: of as few numbers as its owner likes.
            let _policy = AnyRef::decode(inner)?;
            let imprint = inner.sequence(|inner| {
                let algorithm = inner.sequence(|inner| {
                    let oid = ObjectIdentifier::decode(inner)?;
                    while !inner.is_finished() {
                        AnyRef::decode(inner)?;
                    }
                    Ok(oid)
                })?;
                Ok((
                    algorithm,
                    OctetStringRef::decode(inner)?.as_bytes().to_vec(),
                ))
            })?;
            let _serial = AnyRef::decode(inner)?;
            let time = AnyRef::decode(inner)?;
            if time.tag() != Tag::GeneralizedTime {
                return Err(Tag::GeneralizedTime.value_error());
            }
            while !inner.is_finished() {
                AnyRef::decode(inner)?;
            }
            Ok((imprint, time.value().to_vec()))
        })
        .ok()?;
    Some((imprint.0, imprint.1, generalized_time(&time)?))
}

/// `20261122200000Z`, or with a fraction of a second.
fn generalized_time(text: &[u8]) -> Option<Moment> {
    let text = std::str::from_utf8(text).ok()?;
    let part = |from: usize, to: usize| text.get(from..to);
    Moment::parse(&format!(
        "{}-{}-{}T{}:{}:{}{}",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 10)?,
        part(10, 12)?,
        part(12, 14)?,
        text.get(14..)?
    ))
}

/// Whether a certificate's key signed a timestamp.
fn is_signed_by(signer: &SignerInfo, info: &[u8], certificate: &Certificate) -> bool {
    let Some(attributes) = &signer.signed_attrs else {
        return false;
    };
    let attribute = |oid: &str| {
        let found = attributes.iter().find(|a| a.oid.to_string() == oid)?;
        (found.values.len() == 1)
            .then(|| found.values.get(0))
            .flatten()
    };
    let of_type = attribute(CONTENT_TYPE)
        .and_then(|v| v.decode_as::<ObjectIdentifier>().ok())
        .is_some_and(|oid| oid.to_string() == TIMESTAMP_INFO);
    let of_content = attribute(MESSAGE_DIGEST)
        .and_then(|v| v.decode_as::<OctetStringRef<'_>>().ok())
        .is_some_and(|d| digest(&signer.digest_alg.oid, info).as_deref() == Some(d.as_bytes()));
    let Some(hash) = hash(&signer.digest_alg.oid) else {
        return false;
    };
    of_type
        && of_content
        && attributes.to_der().is_ok_and(|signed| {
            certificate
                .key()
                .holds_with(hash, &signed, signer.signature.as_bytes())
        })
}

fn hash(oid: &ObjectIdentifier) -> Option<Hash> {
    match oid.to_string().as_str() {
        "2.16.840.1.101.3.4.2.1" => Some(Hash::Sha256),
        "2.16.840.1.101.3.4.2.2" => Some(Hash::Sha384),
        "2.16.840.1.101.3.4.2.3" => Some(Hash::Sha512),
        _ => None,
    }
}

fn digest(oid: &ObjectIdentifier, bytes: &[u8]) -> Option<Vec<u8>> {
    Some(match hash(oid)? {
        Hash::Sha256 => Sha256::digest(bytes).to_vec(),
        Hash::Sha384 => Sha384::digest(bytes).to_vec(),
        Hash::Sha512 => Sha512::digest(bytes).to_vec(),
    })
}

fn fault(why: impl std::fmt::Display) -> Error {
    refuse(
        "trust/timestamp",
        format!("the signature has no timestamp that counts: {why}"),
        "sign again, or give the trust root of the timestamp authority",
    )
}
