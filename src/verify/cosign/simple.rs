//! The older scheme of cosign: a manifest tagged `sha256-DIGEST.sig`, each
//! layer of which is a small JSON text that names the artifact, its signature
//! in an annotation.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::layout::{Descriptor, Digest, Layout};
use super::log::Entry;
use super::{Found, Signer, Trust, Witnessed};
use crate::diag::{Error, Result};
use crate::verify::publickey::first_pem_block;
use crate::verify::refuse;

const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const CHAIN: &str = "dev.sigstore.cosign/chain";
const BUNDLE: &str = "dev.sigstore.cosign/bundle";
const TIMESTAMP: &str = "dev.sigstore.cosign/rfc3161timestamp";

/// What a log promised, in an annotation.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Promised {
    signed_entry_timestamp: String,
    payload: Promise,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Promise {
    body: String,
    integrated_time: i64,
    log_index: i64,
    #[serde(rename = "logID")]
    log_id: String,
}

/// A timestamp, in an annotation.
#[derive(Deserialize)]
struct Timestamp {
    #[serde(rename = "SignedRFC3161Timestamp")]
    signed: String,
}

/// What is signed.
#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    image: Image,
    #[serde(rename = "type", default)]
    kind: String,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// Verifies every signature under the artifact's tag.
pub(super) fn verify(
    layout: &Layout,
    digest: &Digest,
    trust: &Trust,
) -> Result<Vec<Result<Signer>>> {
    let Some(manifest) = layout.tagged(&format!("sha256-{}.sig", digest.hex()))? else {
        return Ok(Vec::new());
    };
    let manifest = layout.manifest(&manifest)?;
    Ok(manifest
        .layers
        .iter()
        .flatten()
        .map(|layer| one(layout, layer, digest, trust))
        .collect())
}

fn one(layout: &Layout, layer: &Descriptor, digest: &Digest, trust: &Trust) -> Result<Signer> {
    let content = layout.blob(layer)?;
    let signature = layer
        .annotation(SIGNATURE)
        .filter(|text| !text.is_empty())
        .ok_or_else(|| malformed(&format!("its annotation `{SIGNATURE}` is missing")))?;
    let signature = STANDARD
        .decode(signature)
        .map_err(|_| malformed("it is not base64"))?;
    let found = Found {
        signed: &content,
        signature: &signature,
        hint: None,
        witnesses: witnesses(layer, &content, &signature)?,
    };
    let signer = trust.signer(&found)?;
    // Only what is signed is read.
    check_payload(&content, digest)?;
    Ok(signer)
}

/// What vouches for a signature by a certificate; none where there is none.
fn witnesses<'a>(
    layer: &Descriptor,
    signed: &'a [u8],
    signature: &'a [u8],
) -> Result<Option<Witnessed<'a>>> {
    let Some(text) = layer.annotation(CERTIFICATE) else {
        return Ok(None);
    };
    let mut certificates = pem_blocks(text);
    if certificates.is_empty() {
        return Err(malformed("its certificate is no PEM block"));
    }
    let certificate = certificates.remove(0);
    certificates.extend(layer.annotation(CHAIN).map(pem_blocks).unwrap_or_default());
    let mut entries = Vec::new();
    if let Some(text) = layer.annotation(BUNDLE) {
        let promised: Promised =
            serde_json::from_str(text).map_err(|e| malformed(&format!("its log entry: {e}")))?;
        let log = hex::decode(&promised.payload.log_id)
            .map_err(|_| malformed("the log of its entry has no name"))?;
        entries.push(Entry::promised(
            &promised.payload.body,
            promised.payload.integrated_time,
            promised.payload.log_index,
            &log,
            &promised.signed_entry_timestamp,
        ));
    }
    let mut timestamps = Vec::new();
    if let Some(text) = layer.annotation(TIMESTAMP) {
        let timestamp: Timestamp =
            serde_json::from_str(text).map_err(|e| malformed(&format!("its timestamp: {e}")))?;
        let bytes = STANDARD.decode(timestamp.signed);
        timestamps.push(bytes.map_err(|_| malformed("its timestamp is not base64"))?);
    }
    Ok(Some(Witnessed {
        certificate,
        offered: certificates,
        entries,
        timestamps,
        signed,
        payload: None,
        signature,
    }))
}

/// The contents of all blocks of a PEM text.
fn pem_blocks(mut text: &str) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    while let Some((label, content)) = first_pem_block(text) {
        blocks.push(content.to_vec());
        let end = format!("-----END {label}-----");
        text = text.split_once(&end).map_or("", |(_, rest)| rest);
    }
    blocks
}

/// Checks that the signed text is about this artifact.
///
/// Compat: Flux 2.9 leaves this out with a key; cosign does it.
fn check_payload(content: &[u8], digest: &Digest) -> Result<()> {
    let payload: Payload = serde_json::from_slice(content)
        .map_err(|e| malformed(&format!("what is signed is no claim about an image ({e})")))?;
    if payload.critical.kind != "cosign container image signature"
        && payload.critical.kind != "atomic container signature"
    {
        return Err(malformed(&format!(
            "what is signed is of the type `{}`",
            payload.critical.kind
        )));
    }
    if payload.critical.image.digest != digest.to_string() {
        return Err(refuse(
            "trust/digest",
            format!(
                "the signature is of another artifact: its digest does not match, it names {}",
                payload.critical.image.digest
            ),
            "the signature was copied from that artifact: do not trust this one",
        ));
    }
    Ok(())
}

fn malformed(why: &str) -> Error {
    refuse(
        "trust/bad-signature",
        format!("the signature is malformed: {why}"),
        "sign the artifact again",
    )
}
