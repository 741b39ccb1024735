//! `spec.verify` of sources and charts: who must have signed them.

use std::sync::Arc;

use crate::diag::{Result, Span};
use crate::flux::fields::Fields;
use crate::yaml::Node;

/// A demand that something be signed.
#[derive(Clone, Debug)]
pub struct Verification {
    /// Where it stands.
    pub span: Span,
    /// `provider`; `cosign` where none is written. A GitRepository has none.
    pub provider: Arc<str>,
    /// `mode` of a GitRepository; `HEAD` where none is written.
    pub mode: Arc<str>,
    /// The Secret with the keys.
    pub secret: Option<Arc<str>>,
    /// The Secret with the trust root, for signatures without a key.
    pub trusted_root: Option<Arc<str>>,
    /// Who may sign without a key: patterns for the issuer and the subject.
    pub identities: Vec<(Arc<str>, Arc<str>)>,
}

impl Verification {
    /// Reads `verify` of a spec; none where nothing need be signed. What cannot
    /// be read is kept as its error, for whoever is to verify.
    pub(super) fn read(spec: &Fields<'_>) -> Option<Result<Verification>> {
        spec.get("verify")?;
        Verification::read_fields(spec).transpose()
    }

    fn read_fields(spec: &Fields<'_>) -> Result<Option<Verification>> {
        let Some(verify) = spec.mapping("verify")? else {
            return Ok(None);
        };
        let or = |text: Arc<str>, default: &str| {
            if text.is_empty() {
                default.into()
            } else {
                text
            }
        };
        let secret = |field: &str| -> Result<Option<Arc<str>>> {
            match verify.mapping(field)? {
                None => Ok(None),
                Some(reference) => reference.required("name").map(Some),
            }
        };
        let mut identities = Vec::new();
        for identity in verify.mappings("matchOIDCIdentity")? {
            identities.push((identity.text("issuer")?, identity.text("subject")?));
        }
        Ok(Some(Verification {
            span: spec.get("verify").map_or(verify.node().span(), Node::span),
            provider: or(verify.text("provider")?, "cosign"),
            mode: or(verify.text("mode")?, "HEAD"),
            secret: secret("secretRef")?,
            trusted_root: secret("trustedRootSecretRef")?,
            identities,
        }))
    }
}
