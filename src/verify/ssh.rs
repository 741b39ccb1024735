//! SSH keys and the signatures that `ssh-keygen -Y sign` and Git make.
//!
//! The format of signatures is OpenSSH's PROTOCOL.sshsig; that of key files
//! is `authorized_keys`, as golang.org/x/crypto/ssh reads it for Flux.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha256};
use ssh_encoding::{Decode as _, Encode as _};
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, HashAlg, SshSig};

use super::{KeyKind, Signer, publickey, refuse};
use crate::diag::{Error, Result};

/// Keys that are allowed to sign.
#[derive(Debug, Default)]
pub(super) struct AuthorizedKeys(Vec<AuthorizedKey>);

#[derive(Debug)]
struct AuthorizedKey {
    data: KeyData,
    comment: String,
    file: String,
}

/// The longest signature that is looked at: the largest RSA keys make some
/// kilobytes.
const MAX_SIGNATURE_BYTES: usize = 64 << 10;

/// The fewest bits of an RSA key that are taken.
const MIN_RSA_BITS: usize = 2048;

impl AuthorizedKeys {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a file holds SSH keys, whatever it is called.
    pub(super) fn is_one(content: &[u8]) -> bool {
        AuthorizedKeys::default().add("", content).is_ok()
    }

    /// Adds the keys of a file.
    ///
    /// # Errors
    ///
    /// `trust/key-file`, and no key is added, where any line cannot be read.
    /// Compat: fluxcd/pkg/git/signature drops such a file whole.
    pub(super) fn add(&mut self, file: &str, content: &[u8]) -> Result<()> {
        let mut keys = Vec::new();
        let mut has_certificates = false;
        for (i, line) in content.split(|b| *b == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            match std::str::from_utf8(line).ok().and_then(read_line) {
                Some(Line::Key(data, comment)) => keys.push(AuthorizedKey {
                    data,
                    comment,
                    file: file.to_owned(),
                }),
                Some(Line::Certificate) => has_certificates = true,
                None => {
                    return Err(refuse(
                        "trust/key-file",
                        format!("line {} of `{file}` is no SSH public key", i + 1),
                        "Flux takes no key of a file with such a line: remove it, or comment it out",
                    ));
                }
            }
        }
        if keys.is_empty() {
            let what = if has_certificates {
                "no keys, but certificates, which are not supported"
            } else {
                "no keys"
            };
            return Err(refuse(
                "trust/key-file",
                format!("`{file}` holds {what}"),
                "write one public key on each line, as in `~/.ssh/id_ed25519.pub`",
            ));
        }
        self.0.append(&mut keys);
        Ok(())
    }

    /// Verifies an armored signature over a message.
    pub(super) fn verify(&self, armored: &[u8], message: &[u8], namespace: &str) -> Result<Signer> {
        let signature = read_signature(armored)?;
        let key = signature.public_key();
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        let what = format!("the signature by SSH key {fingerprint}");
        let Some(known) = self.0.iter().find(|known| known.data == *key) else {
            return Err(refuse(
                "trust/unknown-key",
                format!("it is signed by SSH key {fingerprint}, which is none of the keys given"),
                "if you trust that key, add its public half to a file `NAME.sshpub`",
            ));
        };
        if signature.namespace() != namespace {
            return Err(refuse(
                "trust/namespace",
                format!(
                    "{what} was made for the namespace `{}`, not `{namespace}`",
                    signature.namespace()
                ),
                "it was made to sign something else; sign again with Git",
            ));
        }
        check_strength(&signature, &what)?;
        let signed = SshSig::signed_data(namespace, signature.hash_alg(), message)
            .map_err(|e| malformed(&e.to_string()))?;
        if !holds(&signature, &signed) {
            return Err(refuse(
                "trust/bad-signature",
                format!(
                    "{what} does not match what is signed: it was changed, or the signature was"
                ),
                "do not trust it; ask the signer",
            ));
        }
        check_presence(&signature, &what)?;
        Ok(Signer {
            kind: KeyKind::Ssh,
            fingerprint,
            subkey: None,
            name: Some(known.comment.clone()).filter(|c| !c.is_empty()),
            issuer: None,
            key_file: Some(known.file.clone()),
        })
    }
}

/// What a line of `authorized_keys` holds.
enum Line {
    /// A key, and the comment behind it.
    Key(KeyData, String),
    /// A certificate: a line as good as any, that nobody signs with here.
    Certificate,
}

/// What the names of certificates end with.
const CERTIFICATE: &str = "-cert-v01@openssh.com";

/// The first of the strings that a key, certificate or signature consists of:
/// its kind.
fn kind_of(mut blob: &[u8]) -> Option<&str> {
    std::str::from_utf8(string(&mut blob)?).ok()
}

/// Reads a string: its length, then its bytes.
fn string<'a>(reader: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::decode(reader).ok()?;
    let (string, rest) = reader.split_at_checked(length)?;
    *reader = rest;
    Some(string)
}

/// Reads a line of `authorized_keys`: a key, or options and a key.
///
/// Compat: x/crypto/ssh `ParseAuthorizedKey`; the word before the key must
/// name its kind.
fn read_line(line: &str) -> Option<Line> {
    read_key(line).or_else(|| {
        let mut in_quotes = false;
        let mut previous = ' ';
        let end = line.find(|c| {
            if c == '"' && previous != '\\' {
                in_quotes = !in_quotes;
            }
            previous = c;
            !in_quotes && (c == ' ' || c == '\t')
        })?;
        read_key(line.get(end..)?.trim_start())
    })
}

/// Reads `KIND BASE64 COMMENT`.
fn read_key(text: &str) -> Option<Line> {
    let (kind, rest) = text.split_once([' ', '\t'])?;
    let rest = rest.trim_start();
    let (encoded, comment) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
    let bytes = STANDARD.decode(encoded).ok()?;
    if kind.ends_with(CERTIFICATE) {
        return (kind_of(&bytes) == Some(kind)).then_some(Line::Certificate);
    }
    let mut reader = bytes.as_slice();
    let data = KeyData::decode(&mut reader).ok()?;
    let is_whole = reader.is_empty() && data.algorithm().as_str() == kind;
    is_whole.then(|| Line::Key(data, comment.trim().to_owned()))
}

/// Takes off the armor and reads what is in it.
fn read_signature(armored: &[u8]) -> Result<SshSig> {
    const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
    if armored.len() > MAX_SIGNATURE_BYTES {
        return Err(malformed("it is too long"));
    }
    let text = std::str::from_utf8(armored).map_err(|_| malformed("it is no text"))?;
    let (body, rest) = text
        .trim()
        .strip_prefix(BEGIN)
        .and_then(|rest| rest.split_once("-----END SSH SIGNATURE-----"))
        .ok_or_else(|| malformed("its last line is missing"))?;
    // Readers differ in which of several counts.
    if !rest.trim().is_empty() {
        return Err(malformed(if rest.contains(BEGIN) {
            "it is more than one signature"
        } else {
            "something follows its last line"
        }));
    }
    let encoded: String = body.split_ascii_whitespace().collect();
    let bytes = STANDARD
        .decode(encoded)
        .map_err(|_| malformed("it is not base64"))?;
    let key = check_parts(&bytes)?;
    let mut reader = bytes.as_slice();
    let signature = SshSig::decode(&mut reader).map_err(|e| malformed(&e.to_string()))?;
    if !reader.is_empty() {
        return Err(malformed("something follows its end"));
    }
    // The library passes over lengths within the key that do not fit.
    let mut again = Vec::with_capacity(key.len());
    let is_exact = signature.public_key().encode(&mut again).is_ok() && again == key;
    if !is_exact {
        return Err(malformed("its key is not written as one"));
    }
    Ok(signature)
}

/// Refuses by name what the library does not read, or reads as something else;
/// gives the key.
fn check_parts(bytes: &[u8]) -> Result<&[u8]> {
    let mut rest = bytes
        .strip_prefix(b"SSHSIG")
        .ok_or_else(|| malformed("it does not begin as one"))?;
    let cut = || malformed("it is cut off");
    let version = u32::decode(&mut rest).map_err(|_| cut())?;
    if version != VERSION {
        return Err(malformed(&format!(
            "it is of version {version}, and only version {VERSION} is supported"
        )));
    }
    let mut next = || string(&mut rest).ok_or_else(cut);
    let key = next()?;
    let _namespace = next()?;
    let _reserved = next()?;
    let digest = next()?;
    let signature = next()?;
    if let Some(kind) = kind_of(key).filter(|k| k.ends_with(CERTIFICATE)) {
        return Err(refuse(
            "trust/unsupported",
            format!(
                "its SSH signature is made with a certificate (`{kind}`), which is not supported"
            ),
            "sign with the key itself: `git config user.signingkey` names `KEY.pub`",
        ));
    }
    let who = || {
        let fingerprint = STANDARD_NO_PAD.encode(Sha256::digest(key));
        format!("the signature by SSH key SHA256:{fingerprint}")
    };
    let weak = |digest: &str| {
        refuse(
            "trust/weak",
            format!("{} is weak: it is over a {digest} digest", who()),
            "sign again with a current OpenSSH",
        )
    };
    match digest {
        b"sha256" | b"sha512" => {}
        b"sha1" => return Err(weak("SHA-1")),
        b"md5" => return Err(weak("MD5")),
        other => {
            return Err(malformed(&format!(
                "it is over a digest of an unknown kind, `{}`",
                String::from_utf8_lossy(other)
            )));
        }
    }
    match kind_of(signature) {
        Some("ssh-rsa") => Err(weak("SHA-1")),
        _ => Ok(key),
    }
}

/// The version of the format that there is.
const VERSION: u32 = 1;

fn malformed(why: &str) -> Error {
    refuse(
        "trust/bad-signature",
        format!("its SSH signature is malformed: {why}"),
        "it was damaged or cut off: sign again",
    )
}

/// Refuses what breaks too easily, and what is not supported, by name.
fn check_strength(signature: &SshSig, what: &str) -> Result<()> {
    let key = signature.public_key();
    if let KeyData::Rsa(key) = key {
        let bits = rsa_bits(key);
        if bits < MIN_RSA_BITS {
            return Err(refuse(
                "trust/weak",
                format!("{what} is weak: an RSA key of {bits} bits is too short"),
                "sign with an Ed25519 key, or an RSA key of 3072 bits",
            ));
        }
    }
    match signature.signature().algorithm() {
        Algorithm::Rsa { hash: None } => Err(refuse(
            "trust/weak",
            format!("{what} is weak: it is over a SHA-1 digest"),
            "sign again with a current OpenSSH",
        )),
        Algorithm::Rsa { hash: Some(_) }
        | Algorithm::Ecdsa { .. }
        | Algorithm::Ed25519
        | Algorithm::SkEd25519
        | Algorithm::SkEcdsaSha2NistP256 => Ok(()),
        other => Err(refuse(
            "trust/unsupported",
            format!(
                "{what} is by an algorithm that is not supported: `{}`",
                other.as_str()
            ),
            "sign with an Ed25519, ECDSA or RSA key",
        )),
    }
}

fn rsa_bits(key: &ssh_key::public::RsaPublicKey) -> usize {
    let modulus = key.n.as_positive_bytes().unwrap_or_default();
    let first = modulus.first().copied().unwrap_or_default();
    (modulus.len() * 8).saturating_sub(first.leading_zeros() as usize)
}

/// Whether the signature is one of the key in it over these bytes.
fn holds(signature: &SshSig, signed: &[u8]) -> bool {
    use rsa::signature::Verifier as _;
    let inner = signature.signature();
    match (signature.public_key(), inner.algorithm()) {
        // The library stops at 4096 bits.
        (KeyData::Rsa(key), Algorithm::Rsa { hash: Some(hash) }) => {
            let hash = match hash {
                HashAlg::Sha512 => publickey::Hash::Sha512,
                _ => publickey::Hash::Sha256,
            };
            let (Some(n), Some(e)) = (key.n.as_positive_bytes(), key.e.as_positive_bytes()) else {
                return false;
            };
            publickey::rsa_holds(n, e, hash, signed, inner.as_bytes())
        }
        (key, _) => key.verify(signed, inner).is_ok(),
    }
}

/// Refuses a security key's signature that nobody touched the key for.
///
/// Compat: x/crypto/ssh refuses it and knows no `no-touch-required` here.
fn check_presence(signature: &SshSig, what: &str) -> Result<()> {
    const USER_PRESENT: u8 = 1;
    let is_security_key = matches!(
        signature.public_key(),
        KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_)
    );
    // Behind the signature stand flags, one byte, and a counter, four.
    let bytes = signature.signature().as_bytes();
    let flags = bytes.len().checked_sub(5).and_then(|i| bytes.get(i));
    if is_security_key && flags.is_none_or(|flags| flags & USER_PRESENT == 0) {
        return Err(refuse(
            "trust/weak",
            format!("{what} is not allowed: the security key was not touched to make it"),
            "make the key without `no-touch-required`, and sign again",
        ));
    }
    Ok(())
}
