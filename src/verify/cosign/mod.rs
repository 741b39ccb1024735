//! Signatures of OCI artifacts as cosign makes them and Flux takes them.
//!
//! An artifact's signatures lie beside it: as Sigstore bundles that refer to
//! it, or, in the older scheme, under the tag `sha256-DIGEST.sig`. Where there
//! is any bundle, the older scheme is not looked at. One good signature is
//! enough; if there is none, the refusal says what is wrong with each.

mod bundle;
mod certificate;
mod keyless;
pub mod layout;
mod log;
mod root;
mod sct;
mod simple;
mod timestamp;

pub use keyless::Identity;
pub use layout::{Digest, Layout};

use keyless::{Keyless, Witnessed};
use layout::{Descriptor, Manifest};

use super::publickey::PublicKey;
use super::{KeyFile, Proof, Signer, refuse};
use crate::diag::{Error, Result};

/// Who may sign.
#[derive(Debug)]
pub struct Trust(Who);

#[derive(Debug)]
enum Who {
    Keys(Vec<PublicKey>),
    Identities(Keyless),
}

/// A signature with what came along.
struct Found<'a> {
    /// What is signed.
    signed: &'a [u8],
    signature: &'a [u8],
    /// The digest of the key that is said to have made it.
    hint: Option<Vec<u8>>,
    /// What vouches for it without a key.
    witnesses: Option<Witnessed<'a>>,
}

impl Trust {
    /// Holders of these keys; one signature by one of them is enough.
    ///
    /// # Errors
    ///
    /// `trust/key-file` for a file that holds no public key in PEM form, and
    /// where there is no file at all.
    pub fn keys(files: &[KeyFile]) -> Result<Trust> {
        if files.is_empty() {
            return Err(refuse(
                "trust/key-file",
                "no public keys are given",
                "name the signer's public key: `--key cosign.pub`",
            ));
        }
        let keys = files.iter().map(PublicKey::read).collect::<Result<_>>()?;
        Ok(Trust(Who::Keys(keys)))
    }

    /// Holders of these identities, without a key: one signature by one of
    /// them is enough. `root` is a trust root in Sigstore's format.
    ///
    /// # Errors
    ///
    /// `trust/identity` where there is no identity, `trust/root` for a file
    /// that is no trust root.
    pub fn identities(root: &KeyFile, identities: Vec<Identity>) -> Result<Trust> {
        Keyless::new(root, identities).map(|keyless| Trust(Who::Identities(keyless)))
    }

    /// Who made a bare signature of some bytes.
    ///
    /// # Errors
    ///
    /// A refusal, also where identities are trusted and no keys.
    pub fn signer_of(&self, signed: &[u8], signature: &[u8]) -> Result<Signer> {
        self.signer(&Found {
            signed,
            signature,
            hint: None,
            witnesses: None,
        })
    }

    /// Who made a signature.
    fn signer(&self, found: &Found<'_>) -> Result<Signer> {
        let keys = match &self.0 {
            Who::Keys(keys) => keys,
            Who::Identities(keyless) => {
                let witnesses = found.witnesses.as_ref().ok_or_else(|| {
                    refuse(
                        "trust/unknown-key",
                        "it is signed with a key, and a certificate of an identity is asked for",
                        "give the key: `--key FILE`, or in `spec.verify.secretRef`",
                    )
                })?;
                return keyless.signer(witnesses);
            }
        };
        if let Some(key) = keys.iter().find(|k| k.holds(found.signed, found.signature)) {
            return Ok(key.signer());
        }
        let hint = found.hint.as_deref();
        let named = |k: &&PublicKey| hint == Some(k.digest().as_slice());
        let (rule, who) = match (keys.iter().find(named), hint) {
            (Some(key), _) => ("trust/bad-signature", format!("by {}", key.signer())),
            (None, Some(hint)) => (
                "trust/unknown-key",
                format!(
                    "by key SHA256:{}, which is none of the keys given",
                    hex::encode(hint)
                ),
            ),
            (None, None) if found.witnesses.is_some() => (
                "trust/unknown-key",
                "by the key of a certificate".to_owned(),
            ),
            (None, None) => ("trust/unknown-key", "by an unknown key".to_owned()),
        };
        Err(refuse(
            rule,
            format!(
                "the signature {who} does not match: it was made by another key than those given, \
                 or it or what is signed was changed"
            ),
            "give the signer's public key, or do not trust the artifact",
        ))
    }
}

/// Verifies an artifact in a layout: its signature, and that nothing of it has
/// changed.
///
/// # Errors
///
/// A refusal, or what the layout cannot give.
pub fn verify(layout: &Layout, digest: &Digest, trust: &Trust) -> Result<Vec<Proof>> {
    layout.check_whole(digest)?;
    verify_signatures(layout, digest, trust)
}

/// Verifies the signature of an artifact whose content is known to have this
/// digest; the layout need only hold the signatures.
///
/// # Errors
///
/// As [`verify`].
pub fn verify_signatures(layout: &Layout, digest: &Digest, trust: &Trust) -> Result<Vec<Proof>> {
    let mut results = by_bundles(layout, digest, trust)?;
    if results.is_empty() {
        results = simple::verify(layout, digest, trust)?;
    }
    proofs(digest, results)
}

/// Verifies an artifact as [`verify`] does, by signatures of either scheme: one
/// of the older scheme counts, too, where there are bundles by others.
///
/// # Errors
///
/// As [`verify`].
pub fn verify_any(layout: &Layout, digest: &Digest, trust: &Trust) -> Result<Vec<Proof>> {
    layout.check_whole(digest)?;
    let mut results = by_bundles(layout, digest, trust)?;
    results.extend(simple::verify(layout, digest, trust)?);
    proofs(digest, results)
}

fn by_bundles(layout: &Layout, digest: &Digest, trust: &Trust) -> Result<Vec<Result<Signer>>> {
    let bundles = bundles(layout, digest)?.into_iter();
    Ok(bundles
        .map(|found| found.and_then(|content| bundle::verify(&content, digest, trust)))
        .collect())
}

/// The signatures that are good, or why none is.
fn proofs(digest: &Digest, results: Vec<Result<Signer>>) -> Result<Vec<Proof>> {
    let subject = format!("artifact {digest}");
    let mut proofs: Vec<Proof> = Vec::new();
    let mut refusals: Vec<Error> = Vec::new();
    for result in results {
        match result {
            Ok(signer) => {
                let subject = subject.clone();
                let proof = Proof { subject, signer };
                if !proofs.contains(&proof) {
                    proofs.push(proof);
                }
            }
            Err(e) => refusals.push(e),
        }
    }
    if !proofs.is_empty() {
        return Ok(proofs);
    }
    Err(join(refusals).context(subject))
}

/// One refusal for several.
fn join(refusals: Vec<Error>) -> Error {
    let count = refusals.len();
    let mut refusals = refusals.into_iter();
    let Some(first) = refusals.next() else {
        return refuse(
            "trust/unsigned",
            "it is not signed: no bundle refers to it, and it has no signature tag",
            "copy it together with its signatures (`cosign copy`, `oras copy --recursive`), or sign it",
        );
    };
    if count == 1 {
        return first;
    }
    let mut text = format!("none of its {count} signatures is enough: {first}");
    for other in refusals {
        text.push_str("; ");
        text.push_str(&other.to_string());
    }
    refuse(first.rule(), text, first.help_text().unwrap_or_default())
}

/// The Sigstore bundles that refer to an artifact; errors for those that
/// cannot be read.
fn bundles(layout: &Layout, digest: &Digest) -> Result<Vec<Result<Vec<u8>>>> {
    let mut referrers: Vec<Descriptor> = Vec::new();
    // Manifests in the index that name the artifact as their subject, which a
    // registry lists as its referrers.
    for listed in layout.listed() {
        let Ok(manifest) = Digest::parse(&listed.digest).and_then(|d| layout.manifest(&d)) else {
            continue;
        };
        if manifest
            .subject
            .is_some_and(|s| s.digest == digest.to_string())
        {
            referrers.push(listed.clone());
        }
    }
    // The tag that stands in for the list where a registry makes none.
    if let Some(list) = layout.tagged(&format!("sha256-{}", digest.hex()))? {
        let list = layout.manifest(&list)?;
        referrers.extend(list.manifests.into_iter().flatten());
    }
    let mut seen = std::collections::BTreeSet::new();
    referrers.retain(|r| seen.insert(r.digest.clone()));

    let mut found = Vec::new();
    for referrer in referrers {
        let manifest = match Digest::parse(&referrer.digest).and_then(|d| layout.manifest(&d)) {
            Ok(manifest) => manifest,
            // What says that it is a bundle must be readable.
            Err(e) if is_bundle(referrer.artifact_type.as_deref()) => {
                found.push(Err(e));
                continue;
            }
            Err(_) => continue,
        };
        if let Some(layer) = bundle_layer(&manifest) {
            found.push(layout.blob(layer).map(|content| content.to_vec()));
        }
    }
    Ok(found)
}

/// The layer with the bundle, where a manifest is one of a bundle.
fn bundle_layer(manifest: &Manifest) -> Option<&Descriptor> {
    let layers = manifest.layers.as_deref()?;
    let is_declared = is_bundle(manifest.artifact_type.as_deref());
    layers
        .iter()
        .find(|layer| is_bundle(Some(&layer.media_type)))
        .or_else(|| layers.first().filter(|_| is_declared))
}

fn is_bundle(media_type: Option<&str>) -> bool {
    media_type.is_some_and(|t| t.starts_with("application/vnd.dev.sigstore.bundle"))
}
