//! Keyless signatures: by a key that lived for minutes, whose certificate
//! names the identity that held it.
//!
//! What must hold, all of it offline: a trusted authority issued the
//! certificate and a trusted log recorded it; a trusted log recorded the
//! signature; it was made while the certificate was valid, as a log or a
//! timestamp authority vouches; and the identity and its issuer are those
//! that are asked for.

use super::certificate::{Certificate, Purpose, chain};
use super::log::{self, Entry, Logged};
use super::root::TrustRoot;
use super::{sct, timestamp};
use crate::diag::{Error, Result};
use crate::gostd::moment::Moment;
use crate::gostd::regexp::Regexp;
use crate::verify::publickey::Hash;
use crate::verify::{KeyFile, KeyKind, Signer, refuse};

/// How many log entries and timestamps are looked at.
const MAX_WITNESSES: usize = 32;

/// An identity that may sign: patterns as in `spec.verify.matchOIDCIdentity`,
/// which match anywhere unless they say otherwise.
#[derive(Debug)]
pub struct Identity {
    issuer: Regexp,
    subject: Regexp,
}

impl Identity {
    /// Reads the patterns of an identity.
    ///
    /// # Errors
    ///
    /// `trust/identity` for an empty pattern, which would match anybody, and
    /// for what is no pattern.
    pub fn new(issuer: &str, subject: &str) -> Result<Identity> {
        let pattern = |what: &str, text: &str| {
            if text.is_empty() {
                return Err(refuse(
                    "trust/identity",
                    format!("the pattern of the {what} is empty: it would match anybody"),
                    "write the whole of it between `^` and `$`",
                ));
            }
            Regexp::new(text).map_err(|e| {
                refuse(
                    "trust/identity",
                    format!("the pattern `{text}` of the {what} is malformed: {e}"),
                    "write a regular expression as Go has them",
                )
            })
        };
        Ok(Identity {
            issuer: pattern("issuer", issuer)?,
            subject: pattern("identity", subject)?,
        })
    }

    fn matches(&self, issuer: &str, subjects: &[String]) -> bool {
        self.issuer.is_match(issuer) && subjects.iter().any(|s| self.subject.is_match(s))
    }
}

/// Who may sign without a key.
#[derive(Debug)]
pub(super) struct Keyless {
    root: TrustRoot,
    identities: Vec<Identity>,
}

/// A signature with what vouches for it.
pub(super) struct Witnessed<'a> {
    pub(super) certificate: Vec<u8>,
    /// Further certificates that were sent along.
    pub(super) offered: Vec<Vec<u8>>,
    pub(super) entries: Vec<Entry>,
    pub(super) timestamps: Vec<Vec<u8>>,
    /// What is signed.
    pub(super) signed: &'a [u8],
    /// The payload within, where it is a DSSE envelope.
    pub(super) payload: Option<&'a [u8]>,
    pub(super) signature: &'a [u8],
}

impl Keyless {
    /// Identities that count, under a trust root; one of them is enough.
    ///
    /// # Errors
    ///
    /// `trust/identity` where there is none: anybody can get a certificate.
    pub(super) fn new(root: &KeyFile, identities: Vec<Identity>) -> Result<Keyless> {
        if identities.is_empty() {
            return Err(refuse(
                "trust/identity",
                "no identity is asked for, and anybody can get a certificate",
                "say who may sign: `matchOIDCIdentity`, or `--identity` and `--issuer`",
            ));
        }
        Ok(Keyless {
            root: TrustRoot::read(root)?,
            identities,
        })
    }

    /// Verifies a signature and gives the identity that made it.
    pub(super) fn signer(&self, found: &Witnessed<'_>) -> Result<Signer> {
        let leaf = Certificate::from_der(&found.certificate)?;
        let mut offered = Vec::new();
        for der in found.offered.iter().take(MAX_WITNESSES) {
            offered.push(Certificate::from_der(der)?);
        }
        let logged = Logged {
            signature: found.signature,
            certificate: &leaf,
            payload: found.payload,
            signed: found.signed,
        };
        let times = self.times(found, &logged)?;
        let mut way = None;
        for time in &times {
            way = Some(self.way(&leaf, &offered, *time)?);
        }
        // There is a time, or `times` had refused.
        let way = way.ok_or_else(no_time)?;
        let issuer = way.get(1).unwrap_or(&leaf);
        sct::verify(&leaf, issuer, &self.root)?;
        let hashes = [Hash::Sha256, Hash::Sha384, Hash::Sha512];
        if !hashes
            .iter()
            .any(|h| leaf.key().holds_with(*h, found.signed, found.signature))
        {
            return Err(refuse(
                "trust/bad-signature",
                "the signature does not match what is signed: it was changed, or the signature was",
                "do not trust the artifact",
            ));
        }
        self.identity(&leaf)
    }

    /// The points in time that are vouched for; at least one.
    fn times(&self, found: &Witnessed<'_>, logged: &Logged<'_>) -> Result<Vec<Moment>> {
        if found.entries.len() + found.timestamps.len() > MAX_WITNESSES {
            return Err(refuse(
                "trust/log",
                format!("it has more than {MAX_WITNESSES} log entries and timestamps"),
                "sign again",
            ));
        }
        if found.entries.is_empty() {
            return Err(refuse(
                "trust/log",
                "the signature has no entry of a transparency log",
                "sign with a transparency log",
            ));
        }
        let mut times = Vec::new();
        let mut is_logged = false;
        let mut refusal = None;
        for entry in &found.entries {
            match log::verify(entry, logged, &self.root) {
                Ok(time) => {
                    is_logged = true;
                    times.extend(time);
                }
                Err(e) => {
                    refusal.get_or_insert(e);
                }
            }
        }
        if let Some(refusal) = refusal.filter(|_| !is_logged) {
            return Err(refusal);
        }
        for response in &found.timestamps {
            match timestamp::verify(response, found.signature, &self.root) {
                Ok(time) => times.push(time),
                // One that counts is needed only where the log tells no time.
                Err(e) if times.is_empty() => return Err(e),
                Err(_) => {}
            }
        }
        if times.is_empty() {
            return Err(no_time());
        }
        Ok(times)
    }

    /// The certificates from one to a root that was trusted at a time.
    fn way(
        &self,
        leaf: &Certificate,
        offered: &[Certificate],
        time: Moment,
    ) -> Result<Vec<Certificate>> {
        let mut refusal = None;
        for authority in self
            .root
            .authorities
            .iter()
            .filter(|a| a.valid.contains(time))
        {
            match chain(leaf, &authority.chain, offered, time, Purpose::CodeSigning) {
                Ok(way) => return Ok(way),
                Err(e) => {
                    refusal.get_or_insert(e);
                }
            }
        }
        Err(refusal.unwrap_or_else(|| {
            refuse(
                "trust/chain",
                format!("the trust root names no authority for {time}"),
                "give a trust root that was valid then",
            )
        }))
    }

    fn identity(&self, leaf: &Certificate) -> Result<Signer> {
        let subjects = leaf.identities();
        let issuer = leaf.issuer().unwrap_or_default();
        if !self
            .identities
            .iter()
            .any(|i| i.matches(&issuer, &subjects))
        {
            let wanted: Vec<String> = self
                .identities
                .iter()
                .map(|i| format!("`{}` by `{}`", i.subject.as_str(), i.issuer.as_str()))
                .collect();
            return Err(refuse(
                "trust/identity",
                format!(
                    "it is signed by `{}`, as `{issuer}` vouches, which is none of the identities asked for: {}",
                    subjects.join("`, `"),
                    wanted.join(", ")
                ),
                "if you trust that identity, ask for it",
            ));
        }
        Ok(Signer {
            kind: KeyKind::Certificate,
            fingerprint: subjects.join(", "),
            subkey: None,
            name: None,
            issuer: Some(issuer),
            key_file: None,
        })
    }
}

fn no_time() -> Error {
    refuse(
        "trust/timestamp",
        "nothing vouches for the time of the signature: the log entry has no promise, and there is no signed timestamp",
        "sign with a timestamp authority",
    )
}
