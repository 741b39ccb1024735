//! Signatures as cosign makes them with a key, beside the bundle.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::layout::{
    Bundle, Index, LAYOUT_NAME, Manifest, REF_NAME, add_blob, annotated, index, to_json,
};
use super::media_type;
use super::read::open;
use crate::artifact::Tree;
use crate::diag::{Error, Result};
use crate::pipeline::index::INDEX_NAME;
use crate::verify::Proof;
use crate::verify::cosign::{self, Digest, Layout, Trust};
use crate::verify::sign::SigningKey;

const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

/// Adds signatures over the digest of a bundle, one for each key.
///
/// # Errors
///
/// `bundle/invalid` where the bundle's own index cannot be read again.
pub fn sign(bundle: &mut Bundle, keys: &[SigningKey]) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    debug_assert!(bundle.files.contains_key(LAYOUT_NAME));
    // The text that cosign signs, in its order.
    let payload = format!(
        "{{\"critical\":{{\"identity\":{{\"docker-reference\":\"\"}},\"image\":\
         {{\"docker-manifest-digest\":\"{}\"}},\"type\":\"cosign container image signature\"}},\
         \"optional\":null}}",
        bundle.digest
    );
    let files = &mut bundle.files;
    let mut layers = Vec::new();
    for key in keys {
        let signature = STANDARD.encode(key.sign(payload.as_bytes()));
        let layer = add_blob(
            files,
            media_type::SIMPLE_SIGNING,
            payload.clone().into_bytes(),
        );
        layers.push(annotated(layer, SIGNATURE, &signature));
    }
    let config = add_blob(files, media_type::CONFIG, b"{}".to_vec());
    let manifest = Manifest {
        schema_version: 2,
        media_type: media_type::MANIFEST.to_owned(),
        config,
        layers,
        annotations: std::collections::BTreeMap::new(),
    };
    let manifest = add_blob(files, media_type::MANIFEST, to_json(&manifest));
    let hex = bundle.digest.strip_prefix("sha256:").unwrap_or_default();
    let manifest = annotated(manifest, REF_NAME, &format!("sha256-{hex}.sig"));
    let before = files.get(INDEX_NAME).cloned().unwrap_or_default();
    let before: Index = serde_json::from_slice(&before)
        .map_err(|e| Error::new("bundle/invalid", format!("its index cannot be read: {e}")))?;
    let mut manifests = before.manifests;
    manifests.truncate(1);
    manifests.push(manifest);
    files.insert(INDEX_NAME.to_owned(), to_json(&index(manifests)).into());
    Ok(())
}

/// Who signed a bundle, as far as they are trusted.
///
/// # Errors
///
/// As [`open`], and the refusals of [`cosign::verify`].
pub fn verify(tree: &Arc<dyn Tree>, trust: &Trust) -> Result<Vec<Proof>> {
    let opened = open(&**tree)?;
    let layout = Layout::open(tree.clone())?;
    cosign::verify(&layout, &Digest::parse(&opened.digest)?, trust)
}
