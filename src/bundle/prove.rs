//! Who signed a bundle, as far as they are trusted.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::layout::Beside;
use super::read::{Opened, blob};
use super::sign::{Envelope, PAYLOAD_TYPE, signed_text};
use crate::artifact::Tree;
use crate::diag::{Error, Result};
use crate::gostd::moment::Moment;
use crate::verify::Proof;
use crate::verify::cosign::{self, Digest, Layout, Trust};
use crate::verify::openpgp_sign::OpenPgpTrust;

/// Who is trusted to have signed.
#[derive(Debug)]
pub struct Signers {
    /// Holders of keys as cosign's; none where their signature is not asked
    /// for.
    pub cosign: Option<Trust>,
    /// Holders of OpenPGP keys; none where their signature is not asked for.
    pub openpgp: Option<OpenPgpTrust>,
    /// Whether there must be an attestation by one of the former.
    pub attested: bool,
    /// The time that keys must be valid at.
    pub now: Moment,
}

/// Who signed a bundle: of each kind of signers that is asked for at least one.
///
/// An attestation by one who is trusted must say what the bundle says of
/// itself; those of others count for nothing.
///
/// # Errors
///
/// The refusals of `verify`, and `trust/attestation`.
pub fn prove(tree: &Arc<dyn Tree>, opened: &Opened, signers: &Signers) -> Result<Vec<Proof>> {
    let mut proofs = Vec::new();
    if let Some(trust) = &signers.cosign {
        let layout = Layout::open(tree.clone())?;
        proofs.extend(cosign::verify_any(
            &layout,
            &Digest::parse(&opened.digest)?,
            trust,
        )?);
        let attested = attestations(&**tree, opened, trust)?;
        if attested.is_empty() && signers.attested {
            return Err(Error::new(
                "trust/attestation",
                format!("{} has no attestation by one of the keys", opened.digest),
            )
            .help("make one when signing: `fluxwright bundle create --key FILE` adds it"));
        }
        proofs.extend(attested);
    }
    if let Some(trust) = &signers.openpgp {
        proofs.extend(openpgp(&**tree, opened, trust, signers.now)?);
    }
    Ok(proofs)
}

/// The DSSE envelopes beside a bundle: those that `cosign attest` tags, and those
/// in Sigstore bundles.
fn envelopes(tree: &dyn Tree, opened: &Opened) -> Result<Vec<Envelope>> {
    let mut found = Vec::new();
    for content in layers(tree, opened, Beside::Attestation)? {
        found.extend(serde_json::from_slice(&content));
    }
    for part in opened.referrers.iter().flat_map(|r| &r.parts) {
        let content = blob(tree, &part.digest, part.size)?;
        let bundle: Value = serde_json::from_slice(&content).unwrap_or_default();
        let envelope = bundle.get("dsseEnvelope").cloned().unwrap_or_default();
        found.extend(serde_json::from_value(envelope));
    }
    Ok(found)
}

fn layers(tree: &dyn Tree, opened: &Opened, kind: Beside) -> Result<Vec<Arc<[u8]>>> {
    let manifests = opened.beside.iter().filter(|(other, _)| *other == kind);
    manifests
        .flat_map(|(_, manifest)| &manifest.layers)
        .map(|layer| blob(tree, &layer.digest, layer.size))
        .collect()
}

fn openpgp(
    tree: &dyn Tree,
    opened: &Opened,
    trust: &OpenPgpTrust,
    now: Moment,
) -> Result<Vec<Proof>> {
    let mut proofs = Vec::new();
    let mut refusal = None;
    for signature in layers(tree, opened, Beside::OpenPgp)? {
        match trust.verify(&signature, &opened.manifest, now) {
            Ok(signer) => proofs.push(Proof {
                subject: format!("artifact {}", opened.digest),
                signer,
            }),
            Err(e) => refusal = refusal.or(Some(e)),
        }
    }
    if !proofs.is_empty() {
        return Ok(proofs);
    }
    Err(refusal.unwrap_or_else(|| {
        Error::new(
            "trust/unsigned",
            format!("{} has no OpenPGP signature", opened.digest),
        )
        .help("sign it when it is made: `fluxwright bundle create --sign-pgp-key FILE`")
    }))
}

/// The attestations by those who are trusted, each of which must be right.
fn attestations(tree: &dyn Tree, opened: &Opened, trust: &Trust) -> Result<Vec<Proof>> {
    let mut proofs = Vec::new();
    for envelope in envelopes(tree, opened)? {
        let Ok(payload) = STANDARD.decode(&envelope.payload) else {
            continue;
        };
        let signed = signed_text(&envelope.payload_type, &payload);
        let signer = envelope.signatures.iter().find_map(|signature| {
            let signature = STANDARD.decode(&signature.sig).ok()?;
            trust.signer_of(&signed, &signature).ok()
        });
        let Some(signer) = signer else { continue };
        if check(&envelope.payload_type, &payload, opened)? {
            proofs.push(Proof {
                subject: format!("provenance of {}", opened.digest),
                signer,
            });
        }
    }
    Ok(proofs)
}

/// Whether a statement is one of provenance, which says of the bundle what it
/// says of itself. Others, of scans and the like, are about the bundle, too.
fn check(payload_type: &str, payload: &[u8], opened: &Opened) -> Result<bool> {
    let refused = |why: &str| {
        Error::new(
            "trust/attestation",
            format!("the attestation of {} {why}", opened.digest),
        )
        .help("do not use the bundle: whoever holds the key said something else of it")
    };
    let statement: Value = serde_json::from_slice(payload)
        .ok()
        .filter(|_| payload_type == PAYLOAD_TYPE)
        .ok_or_else(|| refused("is no in-toto statement"))?;
    let own: Value = serde_json::from_slice(&opened.provenance).unwrap_or_default();
    // What it is called is left to whoever attests: cosign names the repository.
    let hex = opened.digest.strip_prefix("sha256:");
    let subjects = statement.get("subject").and_then(Value::as_array);
    let is_its = subjects.into_iter().flatten().any(|subject| {
        let digest = subject.pointer("/digest/sha256").and_then(Value::as_str);
        digest.is_some() && digest == hex
    });
    if !is_its {
        return Err(refused("is one of another bundle"));
    }
    let key = "predicateType";
    if statement.get(key) != own.get(key) {
        return Ok(false);
    }
    if claimed(&statement) != claimed(&own) {
        return Err(refused("says otherwise than its provenance"));
    }
    Ok(true)
}

/// What a provenance statement claims; when and in which run that was attested
/// is not of the bundle.
fn claimed(statement: &Value) -> Option<Value> {
    let mut predicate = statement.get("predicate")?.clone();
    if let Some(run) = predicate
        .get_mut("runDetails")
        .and_then(Value::as_object_mut)
    {
        run.remove("metadata");
    }
    Some(predicate)
}
