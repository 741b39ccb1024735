//! Sigstore bundles: a DSSE envelope around an in-toto statement that names
//! the artifact, with what is needed to verify it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::log::Entry;
use super::root::{Chain, Raw};
use super::{Digest, Found, Signer, Trust, Witnessed};
use crate::diag::{Error, Result};
use crate::verify::refuse;

/// A bundle; fields that decide nothing here are left out.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    media_type: String,
    verification_material: Material,
    #[serde(default)]
    dsse_envelope: Option<Envelope>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    #[serde(default)]
    public_key: Option<KeyHint>,
    #[serde(default)]
    certificate: Option<Raw>,
    /// Before version 0.3.
    #[serde(default)]
    x509_certificate_chain: Option<Chain>,
    #[serde(default)]
    tlog_entries: Vec<Entry>,
    #[serde(default)]
    timestamp_verification_data: Option<Timestamps>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Timestamps {
    #[serde(default)]
    rfc3161_timestamps: Vec<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Timestamp {
    signed_timestamp: String,
}

#[derive(Deserialize)]
struct KeyHint {
    #[serde(default)]
    hint: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Deserialize)]
struct EnvelopeSignature {
    sig: String,
}

/// An in-toto statement.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
}

#[derive(Deserialize)]
struct Subject {
    #[serde(default)]
    digest: std::collections::BTreeMap<String, String>,
}

/// What a statement may say for it to count as a signature: that the artifact
/// is approved, or how it was made. Anything else, a list of components or the
/// report of a scan, says nothing on whether to trust it.
const PREDICATES: [&str; 3] = [
    "https://sigstore.dev/cosign/sign/v1",
    "https://slsa.dev/provenance/v1",
    "https://slsa.dev/provenance/v0.2",
];

/// Verifies one bundle.
pub(super) fn verify(content: &[u8], digest: &Digest, trust: &Trust) -> Result<Signer> {
    let (signer, payload_type, payload) = open(content, trust)?;
    // Only what is signed is read.
    check_statement(&payload_type, &payload, digest)?;
    Ok(signer)
}

/// Verifies the signature of a bundle; gives what is signed, and its type.
fn open(content: &[u8], trust: &Trust) -> Result<(Signer, String, Vec<u8>)> {
    let bundle: Bundle = serde_json::from_slice(content).map_err(|e| malformed(&e.to_string()))?;
    check_version(&bundle.media_type)?;
    let envelope = bundle
        .dsse_envelope
        .ok_or_else(|| malformed("it holds no DSSE envelope"))?;
    let payload = decode(&envelope.payload, "its payload")?;
    let [signature] = envelope.signatures.as_slice() else {
        return Err(malformed(&format!(
            "it holds {} signatures, not one",
            envelope.signatures.len()
        )));
    };
    let signature = decode(&signature.sig, "its signature")?;
    let signed = pre_authentication_encoding(&envelope.payload_type, &payload);
    let material = bundle.verification_material;
    let hint = material
        .public_key
        .as_ref()
        .and_then(|k| STANDARD.decode(&k.hint).ok());
    let found = Found {
        signed: &signed,
        signature: &signature,
        hint: hint.filter(|h| h.len() == 32),
        witnesses: witnesses(material, &signed, &payload, &signature)?,
    };
    let signer = trust.signer(&found)?;
    Ok((signer, envelope.payload_type, payload))
}

/// What vouches for a signature by a certificate; none where there is none.
fn witnesses<'a>(
    material: Material,
    signed: &'a [u8],
    payload: &'a [u8],
    signature: &'a [u8],
) -> Result<Option<Witnessed<'a>>> {
    let chain = material.x509_certificate_chain.map(|c| c.certificates);
    let mut certificates = Vec::new();
    for raw in material
        .certificate
        .into_iter()
        .chain(chain.into_iter().flatten())
    {
        certificates.push(decode(&raw.raw_bytes, "its certificate")?);
    }
    if certificates.is_empty() {
        return Ok(None);
    }
    let certificate = certificates.remove(0);
    let mut timestamps = Vec::new();
    let data = material.timestamp_verification_data;
    for timestamp in data.into_iter().flat_map(|t| t.rfc3161_timestamps) {
        timestamps.push(decode(&timestamp.signed_timestamp, "its timestamp")?);
    }
    Ok(Some(Witnessed {
        certificate,
        offered: certificates,
        entries: material.tlog_entries,
        timestamps,
        signed,
        payload: Some(payload),
        signature,
    }))
}

/// What a DSSE signature is over.
fn pre_authentication_encoding(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    out.extend_from_slice(payload);
    out
}

fn check_version(media_type: &str) -> Result<()> {
    match media_type {
        "application/vnd.dev.sigstore.bundle.v0.3+json"
        | "application/vnd.dev.sigstore.bundle+json;version=0.3"
        | "application/vnd.dev.sigstore.bundle+json;version=0.2"
        | "application/vnd.dev.sigstore.bundle+json;version=0.1" => Ok(()),
        other => Err(refuse(
            "trust/unsupported",
            format!("the bundle is of the type `{other}`, which is not supported"),
            "sign with cosign 3, which writes bundles of version 0.3",
        )),
    }
}

/// Checks that a statement is about this artifact, and says that it is signed.
fn check_statement(payload_type: &str, payload: &[u8], digest: &Digest) -> Result<()> {
    if payload_type != "application/vnd.in-toto+json" {
        return Err(malformed(&format!(
            "what is signed is of the type `{payload_type}`"
        )));
    }
    let statement: Statement = serde_json::from_slice(payload)
        .map_err(|e| malformed(&format!("what is signed is no in-toto statement ({e})")))?;
    if !statement.kind.starts_with("https://in-toto.io/Statement/") {
        return Err(malformed(&format!(
            "what is signed is a `{}`",
            statement.kind
        )));
    }
    let digests = statement
        .subject
        .iter()
        .filter_map(|s| s.digest.get("sha256"));
    if !digests.clone().any(|d| d == digest.hex()) {
        let named: Vec<&str> = digests.map(String::as_str).collect();
        return Err(refuse(
            "trust/digest",
            format!(
                "the bundle is about another artifact: the digest does not match any in its \
                 statement ({})",
                if named.is_empty() {
                    "it has none".to_owned()
                } else {
                    format!("sha256:{}", named.join(", sha256:"))
                }
            ),
            "the bundle was copied from that artifact: do not trust this one",
        ));
    }
    if !PREDICATES.contains(&statement.predicate_type.as_str()) {
        return Err(refuse(
            "trust/unsigned",
            format!(
                "it is not signed: the bundle is an attestation (`{}`), no signature",
                statement.predicate_type
            ),
            "sign the artifact, too: `cosign sign`",
        ));
    }
    Ok(())
}

fn decode(text: &str, what: &str) -> Result<Vec<u8>> {
    STANDARD
        .decode(text)
        .map_err(|_| malformed(&format!("{what} is not base64")))
}

fn malformed(why: &str) -> Error {
    refuse(
        "trust/bad-signature",
        format!("the bundle is malformed: {why}"),
        "sign the artifact again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gostd::regexp::Regexp;
    use crate::verify::KeyFile;
    use crate::verify::cosign::Identity;

    const BUNDLE: &str =
        include_str!("../../../testdata/verify/public/sigstore-2.0.0.sigstore.json");
    const ROOT: &[u8] = include_bytes!("../../../testdata/verify/public/trusted_root.json");
    const ISSUER: &str = r"^https://token\.actions\.githubusercontent\.com$";
    const SUBJECT: &str = r"^https://github\.com/sigstore/sigstore-js/\.github/workflows/release\.yml@refs/heads/main$";

    fn trust(subject: &str) -> Trust {
        let root = KeyFile {
            name: "trusted_root.json".to_owned(),
            content: ROOT.to_vec(),
        };
        Trust::identities(&root, vec![Identity::new(ISSUER, subject).unwrap()]).unwrap()
    }

    /// A signature of the public instance: see testdata/verify/SOURCE.
    #[test]
    fn a_signature_of_the_public_instance() {
        let (signer, kind, payload) = open(BUNDLE.as_bytes(), &trust(SUBJECT)).unwrap();
        assert_eq!(kind, "application/vnd.in-toto+json");
        assert!(payload.windows(20).any(|w| w == b"pkg:npm/sigstore@2.0"));
        assert!(Regexp::new(SUBJECT).unwrap().is_match(&signer.fingerprint));
        assert_eq!(
            signer.issuer.as_deref(),
            Some("https://token.actions.githubusercontent.com")
        );
        // It is about a package, and no artifact.
        let digest = Digest::of(b"x");
        let refusal = verify(BUNDLE.as_bytes(), &digest, &trust(SUBJECT)).unwrap_err();
        assert_eq!(refusal.rule(), "trust/digest");
    }

    /// A change to what was found in the bundle.
    type Change = fn(&mut serde_json::Value);

    #[test]
    fn each_part_of_it_counts() {
        let other = trust("^https://github\\.com/example/");
        let refusal = open(BUNDLE.as_bytes(), &other).unwrap_err();
        assert_eq!(refusal.rule(), "trust/identity");
        let spoilt: [(&str, Change, &str); 5] = [
            (
                "/dsseEnvelope/payload",
                |v| {
                    let text = STANDARD.decode(v.as_str().unwrap()).unwrap();
                    let text = String::from_utf8(text).unwrap().replace("2.0.0", "2.0.1");
                    *v = STANDARD.encode(text).into();
                },
                "trust/log",
            ),
            (
                "/verificationMaterial/tlogEntries/0/integratedTime",
                |v| *v = "1600000000".into(),
                "trust/log",
            ),
            (
                "/verificationMaterial/tlogEntries/0/inclusionProof/hashes/0",
                |v| *v = STANDARD.encode([0; 32]).into(),
                "trust/log",
            ),
            (
                "/verificationMaterial/tlogEntries",
                |v| *v = serde_json::json!([]),
                "trust/log",
            ),
            (
                "/dsseEnvelope/signatures/0/sig",
                |v| *v = STANDARD.encode([0x30, 6, 2, 1, 1, 2, 1, 1]).into(),
                "trust/log",
            ),
        ];
        for (pointer, change, rule) in spoilt {
            let mut bundle: serde_json::Value = serde_json::from_str(BUNDLE).unwrap();
            change(bundle.pointer_mut(pointer).unwrap());
            let refusal = open(bundle.to_string().as_bytes(), &trust(SUBJECT)).unwrap_err();
            assert_eq!(refusal.rule(), rule, "{pointer}: {refusal}");
        }
    }
}
