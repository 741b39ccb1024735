//! The older scheme of cosign: a manifest tagged `sha256-DIGEST.sig`, each
//! layer of which is a small JSON text that names the artifact, its signature
//! in an annotation.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::layout::{Descriptor, Digest, Layout};
use super::{Signer, Trust};
use crate::diag::{Error, Result};
use crate::verify::refuse;

const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

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
    let signer = trust.signer(&content, &signature, None)?;
    // Only what is signed is read.
    check_payload(&content, digest)?;
    Ok(signer)
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
