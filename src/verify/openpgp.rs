//! OpenPGP keyrings and signatures.
//!
//! A signature holds when it is right, is made with digests and keys that are
//! not weak, by a key that may sign, and neither it nor its key has expired
//! or is revoked: all of it now, whenever it was made.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use openpgp::cert::CertParser;
use openpgp::cert::prelude::*;
use openpgp::packet::Signature;
use openpgp::packet::key::PublicParts;
use openpgp::parse::{PacketParser, PacketParserResult, Parse as _};
use openpgp::policy::{AsymmetricAlgorithm, HashAlgoSecurity, Policy as _, StandardPolicy};
use openpgp::types::{HashAlgorithm, RevocationStatus, SignatureType};
use openpgp::{Cert, Fingerprint, KeyHandle, Packet, armor};
use sequoia_openpgp as openpgp;

use super::publickey::curve_name;
use super::{KeyKind, Signer, refuse};
use crate::diag::{Error, Result};
use crate::gostd::moment::Moment;

/// How far another machine's clock may be ahead of ours.
const CLOCK_TOLERANCE: Duration = Duration::from_mins(5);

/// Keys that are trusted.
#[derive(Debug, Default)]
pub(super) struct Keyring {
    keys: Vec<TrustedKey>,
    /// Keys in armored blocks behind the first of a file, which neither Flux
    /// nor Helm reads.
    unread: Vec<TrustedKey>,
}

#[derive(Clone, Debug)]
struct TrustedKey {
    cert: Cert,
    file: String,
}

impl Keyring {
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Adds the keys of the first armored block of a file, as Flux does.
    ///
    /// # Errors
    ///
    /// `trust/key-file` where there is none.
    pub(super) fn add_armored(&mut self, file: &str, content: &[u8]) -> Result<()> {
        let refused = |why: &str, help: &str| {
            Err(refuse(
                "trust/key-file",
                format!("key file `{file}` {why}"),
                help,
            ))
        };
        if content.trim_ascii().is_empty() {
            return refused(
                "is empty",
                "export the signer's key: `gpg --export --armor ID`",
            );
        }
        let Some(block) = first_block(content) else {
            if CertParser::from_bytes(content).is_ok_and(|mut certs| certs.any(|c| c.is_ok())) {
                return refused(
                    "is a binary keyring, and Flux reads armored ones only",
                    "export it again with `gpg --export --armor ID`",
                );
            }
            if super::ssh::AuthorizedKeys::is_one(content) {
                return refused(
                    "holds SSH keys, and Flux takes a file for such only if it is named `*.sshpub`",
                    "rename it to `NAME.sshpub`",
                );
            }
            return refused(
                "holds no OpenPGP key",
                "export the signer's key: `gpg --export --armor ID`",
            );
        };
        let count = self.keys.len();
        let fault = self.add_certs(file, block.content);
        self.add_unread(file, block.rest);
        if self.keys.len() == count {
            let why = fault.unwrap_or_else(|| "it is empty".to_owned());
            return refused(
                &format!("holds no OpenPGP key that can be read: {why}"),
                "export the signer's key again: `gpg --export --armor ID`",
            );
        }
        Ok(())
    }

    /// Adds all keys of a file, armored or binary, as Helm does.
    ///
    /// # Errors
    ///
    /// `trust/key-file` where a file that is not empty holds none.
    pub(super) fn add_any(&mut self, file: &str, content: &[u8]) -> Result<()> {
        let block = first_block(content);
        let count = self.keys.len();
        let fault = self.add_certs(file, block.as_ref().map_or(content, |b| b.content));
        self.add_unread(file, block.map_or(&[], |b| b.rest));
        if self.keys.len() == count && !content.trim_ascii().is_empty() {
            let why = fault.unwrap_or_else(|| "it is empty".to_owned());
            return Err(refuse(
                "trust/key-file",
                format!("keyring `{file}` holds no OpenPGP key that can be read: {why}"),
                "export the signer's key: `gpg --export ID`",
            ));
        }
        Ok(())
    }

    /// Adds the keys in one block; gives what is wrong with the first that
    /// cannot be read.
    fn add_certs(&mut self, file: &str, content: &[u8]) -> Option<String> {
        let mut fault = None;
        match CertParser::from_bytes(content) {
            Ok(certs) => {
                for cert in certs {
                    match cert {
                        Ok(cert) => self.keys.push(TrustedKey {
                            cert: cert.strip_secret_key_material(),
                            file: file.to_owned(),
                        }),
                        Err(e) => {
                            fault.get_or_insert_with(|| root_cause(&e));
                        }
                    }
                }
            }
            Err(e) => fault = Some(root_cause(&e)),
        }
        fault
    }

    /// Notes the keys of all armored blocks in a text as not read.
    fn add_unread(&mut self, file: &str, mut text: &[u8]) {
        let mut further = Keyring::default();
        while let Some(block) = first_block(text) {
            further.add_certs(file, block.content);
            text = block.rest;
        }
        self.unread.append(&mut further.keys);
    }

    /// Verifies an armored, detached signature over a message.
    pub(super) fn verify_armored(
        &self,
        armored: &[u8],
        message: &[u8],
        now: Moment,
    ) -> Result<Signer> {
        let signature = read_signature(armored)?;
        self.verify(&signature, message, now)
    }

    /// Verifies one signature over a message.
    pub(super) fn verify(
        &self,
        signature: &Signature,
        message: &[u8],
        now: Moment,
    ) -> Result<Signer> {
        let issuers = signature.get_issuers();
        let Some(first) = issuers.first() else {
            return Err(bad("the OpenPGP signature is invalid: it names no key"));
        };
        let mut refusal = None;
        let mut seen = BTreeSet::new();
        for trusted in &self.keys {
            if !has_key(&trusted.cert, &issuers) || !seen.insert(trusted.cert.fingerprint()) {
                continue;
            }
            let trusted = self.whole(trusted)?;
            let candidates = trusted.cert.keys().filter(|key| is_one_of(key, &issuers));
            for key in candidates {
                match check(&trusted, &key, signature, message, now) {
                    Ok(signer) => return Ok(signer),
                    // Of several refusals, one by a key that made it counts.
                    Err(e) if e.rule() == "trust/bad-signature" => {
                        refusal.get_or_insert(e);
                    }
                    Err(e) => refusal = Some(e),
                }
            }
        }
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        let made = match signature.signature_creation_time() {
            Some(time) => format!(" on {}", Moment::from(time).date()),
            None => String::new(),
        };
        let who =
            format!("it is signed by OpenPGP key {first:X}{made}, which is none of the keys given");
        let unread = self.unread.iter().find(|k| has_key(&k.cert, &issuers));
        Err(match unread {
            Some(unread) => refuse(
                "trust/unknown-key",
                format!(
                    "{who}: `{}` holds it, but only the first armored block of a file is read, by Flux too",
                    unread.file
                ),
                "put the keys into one block (`gpg --export --armor ID ID`), or each into a file of its own",
            ),
            None => refuse(
                "trust/unknown-key",
                who,
                "if you trust that key, add it: `gpg --export --armor ID`",
            ),
        })
    }

    /// A key with what all its copies say of it.
    ///
    /// A copy made before the key was revoked does not know it: what any copy
    /// says counts, and of two words on the same matter the newer one.
    fn whole<'a>(&'a self, key: &'a TrustedKey) -> Result<Cow<'a, TrustedKey>> {
        let fingerprint = key.cert.fingerprint();
        let mut whole = Cow::Borrowed(key);
        for copy in &self.keys {
            if std::ptr::eq(copy, key) || copy.cert.fingerprint() != fingerprint {
                continue;
            }
            let cert = whole.cert.clone().merge_public(copy.cert.clone());
            whole.to_mut().cert = cert.map_err(|e| {
                refuse(
                    "trust/key-file",
                    format!(
                        "key {fingerprint:X} stands in `{}` and in `{}`, and the copies do not fit: {}",
                        key.file,
                        copy.file,
                        root_cause(&e)
                    ),
                    "keep the newest copy alone",
                )
            })?;
        }
        Ok(whole)
    }
}

/// Whether a certificate holds a key that a signature names.
fn has_key(cert: &Cert, issuers: &[KeyHandle]) -> bool {
    cert.keys().any(|key| is_one_of(&key, issuers))
}

fn is_one_of(key: &ErasedKeyAmalgamation<PublicParts>, issuers: &[KeyHandle]) -> bool {
    issuers.iter().any(|i| i.aliases(key.key().key_handle()))
}

/// Puts a signature to the test with one key that it names.
fn check(
    trusted: &TrustedKey,
    key: &ErasedKeyAmalgamation<PublicParts>,
    signature: &Signature,
    message: &[u8],
    now: Moment,
) -> Result<Signer> {
    let policy = policy(now);
    let now_time = now.system_time();
    let cert = &trusted.cert;
    let signer = signer(trusted, &key.key().fingerprint());
    let made_at = signature.signature_creation_time();
    let what = format!("the signature by {signer}");

    if !matches!(signature.typ(), SignatureType::Binary | SignatureType::Text) {
        return Err(bad(format!(
            "{what} is invalid: it is one of type `{}`",
            signature.typ()
        )));
    }
    // A digest that can be forged proves nothing, right or not.
    if policy
        .signature(signature, HashAlgoSecurity::CollisionResistance)
        .is_err()
    {
        return Err(weak(format!(
            "{what} is weak: it is over a {} digest",
            signature.hash_algo()
        )));
    }
    let canonical;
    let message = if signature.typ() == SignatureType::Text {
        canonical = with_crlf(message);
        &canonical
    } else {
        message
    };
    let key_created = key.key().creation_time();
    if let Some(made) = made_at.filter(|made| *made < key_created) {
        return Err(bad(format!(
            "{what} is invalid: the key was made on {}, later than the signature of {}",
            Moment::from(key_created),
            Moment::from(made)
        )));
    }
    if let Err(e) = signature.verify_message(key.key(), message) {
        return Err(unverified(&what, &e));
    }
    if let Err(e) = signature.signature_alive(now_time, CLOCK_TOLERANCE) {
        let made = made_at.map_or("an unknown day".to_owned(), |t| Moment::from(t).to_string());
        return Err(match e.downcast_ref::<openpgp::Error>() {
            Some(openpgp::Error::NotYetLive(_)) => refuse(
                "trust/future",
                format!("{what} is of {made}, which is in the future: it is {now} now"),
                "set the clock right, here or where it was signed; `--now` sets another time",
            ),
            Some(openpgp::Error::Expired(when)) => refuse(
                "trust/expired",
                format!("{what} expired on {}", Moment::from(*when)),
                "sign again",
            ),
            _ => bad(format!("{what} is invalid: {}", root_cause(&e))),
        });
    }
    check_revocation(cert, &policy, now_time, &what)?;
    let valid = match key.clone().with_policy(&policy, now_time) {
        Ok(valid) => valid,
        Err(e) => return Err(unusable(key, &e, now, &what)),
    };
    if let RevocationStatus::Revoked(signatures) = valid.revocation_status() {
        return Err(revoked("its subkey", &signatures, &what));
    }
    for alive in [valid.valid_cert().alive(), valid.alive()] {
        if let Err(e) = alive {
            return Err(match e.downcast_ref::<openpgp::Error>() {
                Some(openpgp::Error::Expired(when)) => refuse(
                    "trust/expired",
                    format!(
                        "{what} does not count: the key expired on {}",
                        Moment::from(*when)
                    ),
                    "ask the signer to extend the key and to publish it, then take the new copy",
                ),
                _ => bad(format!("{what} is invalid: {}", root_cause(&e))),
            });
        }
    }
    if !valid.for_signing() {
        let uses = valid
            .key_flags()
            .map_or_else(|| "something else".to_owned(), |f| uses(&f));
        return Err(refuse(
            "trust/key-usage",
            format!("{what} does not count: the key is for {uses} only, not to sign data"),
            "sign with a key or subkey that may sign",
        ));
    }
    Ok(signer)
}

/// Refuses keys that are revoked, or all of whose user ids are.
fn check_revocation(
    cert: &Cert,
    policy: &StandardPolicy,
    now: SystemTime,
    what: &str,
) -> Result<()> {
    // A revocation counts whenever it was made.
    if let RevocationStatus::Revoked(signatures) = cert.revocation_status(policy, now) {
        return Err(revoked("the key", &signatures, what));
    }
    let mut last = None;
    for user_id in cert.userids() {
        match user_id.revocation_status(policy, now) {
            RevocationStatus::Revoked(signatures) => {
                last = Some(revoked("the key's user id", &signatures, what));
            }
            _ => return Ok(()),
        }
    }
    last.map_or(Ok(()), Err)
}

fn revoked(which: &str, signatures: &[&Signature], what: &str) -> Error {
    let reason = signatures.first().and_then(|s| s.reason_for_revocation());
    let why = match reason {
        Some((code, [])) => format!(" ({code})"),
        Some((code, text)) => format!(" ({code}: {})", String::from_utf8_lossy(text)),
        None => String::new(),
    };
    refuse(
        "trust/revoked",
        format!("{what} does not count: {which} was revoked{why}"),
        "sign again with a key that is in use",
    )
}

/// Why a key that made a signature cannot be used now.
fn unusable(
    key: &ErasedKeyAmalgamation<PublicParts>,
    error: &openpgp::anyhow::Error,
    now: Moment,
    what: &str,
) -> Error {
    let created = Moment::from(key.key().creation_time());
    if created > now {
        return refuse(
            "trust/future",
            format!("{what} does not count: the key is of {created}, which is in the future"),
            "set the clock right; `--now` sets another time",
        );
    }
    // What holds without rules on strength fails for its weakness.
    if key
        .clone()
        .with_policy(&lenient(), now.system_time())
        .is_ok()
    {
        return weak(format!(
            "{what} does not count: the key is weak ({})",
            root_cause(error)
        ));
    }
    refuse(
        "trust/key-usage",
        format!(
            "{what} does not count: the key is not bound to its owner ({})",
            root_cause(error)
        ),
        "take a new, whole copy of the key",
    )
}

/// What is strong enough.
///
/// Compat: what the holder of a key says of it himself, its user ids, subkeys and
/// revocations, may be over SHA-1, as for gpg and Flux: nobody else can make such
/// a statement without a second preimage. What is signed may not.
fn policy(now: Moment) -> StandardPolicy<'static> {
    let mut policy = StandardPolicy::at(now.system_time());
    let property = HashAlgoSecurity::SecondPreImageResistance;
    policy.accept_hash_property(HashAlgorithm::SHA1, property);
    policy
}

/// A policy that lets old digests and short keys pass.
fn lenient() -> StandardPolicy<'static> {
    let mut policy = StandardPolicy::new();
    policy.accept_hash(HashAlgorithm::SHA1);
    policy.accept_hash(HashAlgorithm::MD5);
    policy.accept_hash(HashAlgorithm::RipeMD);
    AsymmetricAlgorithm::variants().for_each(|a| policy.accept_asymmetric_algo(a));
    policy
}

/// Why a signature could not be confirmed.
fn unverified(what: &str, error: &openpgp::anyhow::Error) -> Error {
    use openpgp::Error::{
        UnsupportedEllipticCurve, UnsupportedHashAlgorithm, UnsupportedPublicKeyAlgorithm,
    };
    let unsupported = match error.downcast_ref::<openpgp::Error>() {
        Some(UnsupportedEllipticCurve(curve)) => {
            Some(format!("the curve {}", curve_name(&curve.to_string())))
        }
        Some(UnsupportedPublicKeyAlgorithm(algorithm)) => Some(format!("{algorithm}")),
        Some(UnsupportedHashAlgorithm(hash)) => Some(format!("the digest {hash}")),
        _ => None,
    };
    match unsupported {
        Some(thing) => refuse(
            "trust/unsupported",
            format!("{what} cannot be verified: {thing} is not supported"),
            "sign with an Ed25519, NIST or RSA key",
        ),
        None => bad(format!(
            "{what} does not match what is signed: it was changed, or the signature was"
        )),
    }
}

fn signer(trusted: &TrustedKey, key: &Fingerprint) -> Signer {
    let primary = trusted.cert.fingerprint();
    let name = trusted
        .cert
        .userids()
        .next()
        .map(|u| String::from_utf8_lossy(u.userid().value()).into_owned());
    Signer {
        kind: KeyKind::OpenPgp,
        fingerprint: format!("{primary:X}"),
        subkey: (*key != primary).then(|| format!("{key:X}")),
        name,
        issuer: None,
        key_file: Some(trusted.file.clone()),
    }
}

fn uses(flags: &openpgp::types::KeyFlags) -> String {
    let mut uses = Vec::new();
    if flags.for_certification() {
        uses.push("certifying keys");
    }
    if flags.for_transport_encryption() || flags.for_storage_encryption() {
        uses.push("encryption");
    }
    if flags.for_authentication() {
        uses.push("authentication");
    }
    if uses.is_empty() {
        "nothing".to_owned()
    } else {
        uses.join(" and ")
    }
}

/// Reads the one signature in an armored block.
///
/// # Errors
///
/// `trust/bad-signature` for what is none, and for several: Git and Flux
/// disagree on which of them counts.
pub(super) fn read_signature(armored: &[u8]) -> Result<Signature> {
    let malformed = |why: &str| bad(format!("its OpenPGP signature is malformed: {why}"));
    if !armored
        .trim_ascii()
        .starts_with(b"-----BEGIN PGP SIGNATURE-----")
    {
        return Err(refuse(
            "trust/unsupported",
            "its OpenPGP signature is of an unsupported type: it is no detached signature",
            "sign with `git commit --gpg-sign` or `git tag --sign`",
        ));
    }
    let kind = armor::ReaderMode::Tolerant(Some(armor::Kind::Signature));
    let reader = armor::Reader::from_bytes(armored, kind);
    let mut next = PacketParser::from_reader(reader).map_err(|e| malformed(&root_cause(&e)))?;
    let mut signatures = Vec::new();
    while let PacketParserResult::Some(parser) = next {
        let (packet, rest) = parser.next().map_err(|e| malformed(&root_cause(&e)))?;
        match packet {
            Packet::Signature(signature) => signatures.push(signature),
            Packet::Marker(_) | Packet::Padding(_) => {}
            Packet::Unknown(unknown) => {
                return Err(malformed(&root_cause(unknown.error())));
            }
            other => return Err(malformed(&format!("it holds a packet `{}`", other.tag()))),
        }
        next = rest;
    }
    let count = signatures.len();
    match signatures.pop() {
        Some(signature) if count == 1 => Ok(signature),
        Some(_) => Err(malformed(&format!(
            "it holds {count} signatures, more than one"
        ))),
        None => Err(malformed("it is empty")),
    }
}

/// The first armored block of a text, and what follows it.
struct Block<'a> {
    content: &'a [u8],
    rest: &'a [u8],
}

/// The first armored block of a text, from its first line to its last.
fn first_block(content: &[u8]) -> Option<Block<'_>> {
    const BEGIN: &[u8] = b"-----BEGIN PGP ";
    const END: &[u8] = b"-----END PGP ";
    let begin = memchr::memmem::find(content, BEGIN)?;
    let rest = content.get(begin..)?;
    let end = memchr::memmem::find(rest, END)
        .and_then(|at| memchr::memchr(b'\n', rest.get(at..)?).map(|line| at + line + 1))
        .unwrap_or(rest.len());
    Some(Block {
        content: rest.get(..end)?,
        rest: rest.get(end..)?,
    })
}

/// The text with CR LF at the end of every line, as text signatures are over.
fn with_crlf(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 32);
    let mut previous = 0;
    for byte in text {
        if *byte == b'\n' && previous != b'\r' {
            out.push(b'\r');
        }
        out.push(*byte);
        previous = *byte;
    }
    out
}

/// What is at the bottom of an error of the library.
fn root_cause(error: &openpgp::anyhow::Error) -> String {
    let text = error.root_cause().to_string();
    let text = text.strip_prefix("Malformed packet: ").unwrap_or(&text);
    text.trim_end_matches('.').to_owned()
}

fn bad(message: impl Into<String>) -> Error {
    refuse(
        "trust/bad-signature",
        message,
        "do not trust it; ask the signer",
    )
}

fn weak(message: impl Into<String>) -> Error {
    refuse(
        "trust/weak",
        message,
        "sign with SHA-256 or better, by an Ed25519 key or an RSA key of 3072 bits",
    )
}
