//! Signatures and an attestation beside a bundle.
//!
//! cosign's are over a small text that names the digest of the bundle's
//! manifest, OpenPGP's over the manifest itself, so that `gpg --verify` takes
//! the blob. The attestation is the provenance with the manifest as its
//! subject, as `cosign attest` would make it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::layout::{Beside, Bundle, Manifest, add_blob, annotated, path_of, to_json};
use super::media_type;
use super::read::{canonical, invalid};
use crate::diag::Result;
use crate::verify::openpgp_sign::OpenPgpKey;
use crate::verify::sign::SigningKey;

const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const PREDICATE_TYPE: &str = "predicateType";

/// The kind of text that an attestation is over.
pub(super) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// Private keys that sign a bundle.
#[derive(Debug, Default)]
pub struct Keys {
    /// Keys as cosign takes them.
    pub cosign: Vec<SigningKey>,
    /// OpenPGP keys.
    pub openpgp: Vec<OpenPgpKey>,
}

/// A DSSE envelope.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Envelope {
    pub(super) payload_type: String,
    pub(super) payload: String,
    pub(super) signatures: Vec<EnvelopeSignature>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct EnvelopeSignature {
    #[serde(default)]
    keyid: String,
    pub(super) sig: String,
}

/// What a signature in an envelope is over: the envelope's own encoding, so
/// that no signature of one kind of text is taken for one of another.
pub(super) fn signed_text(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut text = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    )
    .into_bytes();
    text.extend_from_slice(payload);
    text
}

/// Adds signatures over the digest of a bundle, one for each key, and for each
/// of cosign's an attestation; those that are there go.
///
/// # Errors
///
/// `bundle/invalid` where the bundle cannot be read again, `trust/key-file` for
/// an OpenPGP key that cannot sign.
pub fn sign(bundle: &mut Bundle, keys: &Keys) -> Result<()> {
    let content = bundle.files.get(&path_of(&bundle.digest)).cloned();
    let content = content.ok_or_else(|| invalid("it has no manifest"))?;
    if !keys.openpgp.is_empty() {
        let mut layers = Vec::new();
        for key in &keys.openpgp {
            let signature = key.sign(&content)?;
            layers.push(add_blob(
                &mut bundle.files,
                media_type::PGP_SIGNATURE,
                signature,
            ));
        }
        bundle.put_beside(Beside::OpenPgp, layers)?;
    }
    if keys.cosign.is_empty() {
        return Ok(());
    }
    let manifest: Manifest = canonical(&content, "its manifest")?;
    let mut statement = provenance(bundle, &manifest)?;
    let predicate_type = statement
        .get(PREDICATE_TYPE)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    if let Some(subject) = statement.get_mut("subject") {
        *subject = subject_of(&bundle.digest);
    }
    let statement = to_json(&statement);
    // The text that cosign signs, in its order.
    let payload = format!(
        "{{\"critical\":{{\"identity\":{{\"docker-reference\":\"\"}},\"image\":\
         {{\"docker-manifest-digest\":\"{}\"}},\"type\":\"cosign container image signature\"}},\
         \"optional\":null}}",
        bundle.digest
    )
    .into_bytes();
    let mut signatures = Vec::new();
    let mut attestations = Vec::new();
    for key in &keys.cosign {
        let signature = STANDARD.encode(key.sign(&payload));
        let layer = add_blob(
            &mut bundle.files,
            media_type::SIMPLE_SIGNING,
            payload.clone(),
        );
        signatures.push(annotated(layer, SIGNATURE, &signature));

        let envelope = Envelope {
            payload_type: PAYLOAD_TYPE.to_owned(),
            payload: STANDARD.encode(&statement),
            signatures: vec![EnvelopeSignature {
                keyid: String::new(),
                sig: STANDARD.encode(key.sign(&signed_text(PAYLOAD_TYPE, &statement))),
            }],
        };
        let layer = add_blob(&mut bundle.files, media_type::DSSE, to_json(&envelope));
        let layer = annotated(layer, SIGNATURE, "");
        attestations.push(annotated(layer, PREDICATE_TYPE, &predicate_type));
    }
    bundle.put_beside(Beside::Attestation, attestations)?;
    bundle.put_beside(Beside::Cosign, signatures)
}

/// The subject of an attestation of the bundle with this digest.
fn subject_of(digest: &str) -> Value {
    let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
    json!([{"name": "bundle", "digest": {"sha256": hex}}])
}

/// The provenance statement of a bundle.
fn provenance(bundle: &Bundle, manifest: &Manifest) -> Result<Value> {
    let layers = &manifest.layers;
    let layer = layers
        .iter()
        .find(|layer| layer.media_type == media_type::PROVENANCE)
        .and_then(|layer| bundle.files.get(&path_of(&layer.digest)));
    layer
        .and_then(|content| serde_json::from_slice(content).ok())
        .ok_or_else(|| invalid("it has no provenance"))
}
