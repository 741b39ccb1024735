//! Encrypted values: `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`.

use aes_gcm::aead::consts::{U12, U16, U32};
use aes_gcm::aead::generic_array::GenericArray;
use aes_gcm::aead::{AeadInPlace as _, KeyInit as _};
use aes_gcm::aes::{Aes128, Aes192, Aes256};
use aes_gcm::{AesGcm, Tag};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::tree::Value;
use crate::gostd::moment::Moment;
use crate::gostd::strconv;

/// The key that the values of a file are encrypted with; wiped when dropped.
#[derive(Clone)]
pub(super) struct DataKey(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataKey")
    }
}

/// What was encrypted.
#[derive(Debug, PartialEq)]
pub(super) enum Opened {
    Value(Value),
    Comment(Vec<u8>),
}

/// Why a value does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is not written as an encrypted value.
    Form,
    /// It was changed, or belongs elsewhere, or to another key.
    Authenticity,
    /// The key or a part of the value has a length that is not known.
    Length,
    /// Its type is not known, or what was encrypted is not of that type.
    Type,
}

impl Fault {
    pub(super) fn describe(self) -> &'static str {
        match self {
            Fault::Form => "it is not written as an encrypted value",
            Fault::Authenticity => {
                "it does not authenticate: it was tampered with, or moved here from elsewhere"
            }
            Fault::Length => "its cipher has parts of a length that is not supported",
            Fault::Type => "what is encrypted is not of the type that it names",
        }
    }
}

impl DataKey {
    pub(super) fn new(bytes: Zeroizing<Vec<u8>>) -> DataKey {
        DataKey(bytes)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Decrypts a value that is bound to `place`. Empty text is not encrypted.
    pub(super) fn open(&self, sealed: &[u8], place: &str) -> Result<Opened, Fault> {
        if sealed.is_empty() {
            return Ok(Opened::Value(Value::Text(Vec::new())));
        }
        let parts = parse(sealed).ok_or(Fault::Form)?;
        let plain = self.decrypt(&parts, place.as_bytes())?;
        typed(parts.kind, plain)
    }

    fn decrypt(&self, parts: &Parts<'_>, place: &[u8]) -> Result<Vec<u8>, Fault> {
        let decode = |text: &[u8]| {
            // Compat: Go's decoder passes over line breaks.
            let text: Vec<u8> = text
                .iter()
                .copied()
                .filter(|b| !b"\r\n".contains(b))
                .collect();
            STANDARD.decode(text).map_err(|_| Fault::Form)
        };
        let mut data = decode(parts.data)?;
        let nonce = decode(parts.iv)?;
        data.extend(decode(parts.tag)?);
        let at = data.len().checked_sub(16).ok_or(Fault::Length)?;
        let tag = data.split_off(at);
        let tag = Tag::from_slice(&tag);

        macro_rules! open {
            ($aes:ty, $size:ty) => {{
                let cipher =
                    AesGcm::<$aes, $size>::new_from_slice(&self.0).map_err(|_| Fault::Length)?;
                let nonce = GenericArray::<u8, $size>::from_slice(&nonce);
                cipher.decrypt_in_place_detached(nonce, place, &mut data, tag)
            }};
        }
        let opened = match (self.0.len(), nonce.len()) {
            // What sops writes.
            (32, 32) => open!(Aes256, U32),
            (32, 12) => open!(Aes256, U12),
            (32, 16) => open!(Aes256, U16),
            (24, 32) => open!(Aes192, U32),
            (16, 32) => open!(Aes128, U32),
            _ => return Err(Fault::Length),
        };
        opened.map_err(|_| Fault::Authenticity)?;
        Ok(data)
    }
}

struct Parts<'a> {
    data: &'a [u8],
    iv: &'a [u8],
    tag: &'a [u8],
    kind: &'a [u8],
}

/// Takes an encrypted value apart; what stands behind it does not count.
fn parse(sealed: &[u8]) -> Option<Parts<'_>> {
    let line = sealed.split(|b| *b == b'\n').next()?;
    let rest = line.strip_prefix(b"ENC[AES256_GCM,data:")?;
    let end = memchr::memrchr(b']', rest)?;
    let (rest, kind) = split_last(rest.get(..end)?, b",type:")?;
    let (rest, tag) = split_last(rest, b",tag:")?;
    let (data, iv) = split_last(rest, b",iv:")?;
    let is_whole = [data, iv, tag, kind].iter().all(|p| !p.is_empty());
    is_whole.then_some(Parts {
        data,
        iv,
        tag,
        kind,
    })
}

fn split_last<'a>(text: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = memchr::memmem::rfind(text, mark)?;
    Some((text.get(..at)?, text.get(at + mark.len()..)?))
}

/// What decrypted bytes mean.
fn typed(kind: &[u8], plain: Vec<u8>) -> Result<Opened, Fault> {
    let text = || std::str::from_utf8(&plain).map_err(|_| Fault::Type);
    let value = match kind {
        b"str" => Value::Text(plain),
        b"bytes" => Value::Bytes(plain),
        b"comment" => return Ok(Opened::Comment(plain)),
        b"int" => Value::Int(strconv::atoi(text()?).map_err(|_| Fault::Type)?),
        b"float" => Value::Float(strconv::parse_float(text()?, 64).map_err(|_| Fault::Type)?),
        b"bool" => Value::Bool(strconv::parse_bool(text()?).map_err(|_| Fault::Type)?),
        b"time" => Value::Time(Moment::parse(text()?).ok_or(Fault::Type)?),
        _ => return Err(Fault::Type),
    };
    Ok(Opened::Value(value))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Encrypts a value as sops does.
    pub(in crate::sops) fn seal(key: &[u8; 32], plain: &[u8], kind: &str, place: &str) -> String {
        let cipher = AesGcm::<Aes256, U32>::new(key.into());
        let iv = [7; 32];
        let mut data = plain.to_vec();
        let tag = cipher
            .encrypt_in_place_detached(&iv.into(), place.as_bytes(), &mut data)
            .unwrap();
        let encode = |b: &[u8]| STANDARD.encode(b);
        format!(
            "ENC[AES256_GCM,data:{},iv:{},tag:{},type:{kind}]",
            encode(&data),
            encode(&iv),
            encode(&tag)
        )
    }

    fn key() -> DataKey {
        DataKey::new(Zeroizing::new(vec![1; 32]))
    }

    #[test]
    fn values_of_every_type() {
        let open = |plain: &str, kind: &str| {
            let sealed = seal(&[1; 32], plain.as_bytes(), kind, "a:b:");
            key().open(sealed.as_bytes(), "a:b:")
        };
        let value = |v| Ok(Opened::Value(v));
        assert_eq!(open("x", "str"), value(Value::Text(b"x".to_vec())));
        assert_eq!(open("x", "bytes"), value(Value::Bytes(b"x".to_vec())));
        assert_eq!(open("-7", "int"), value(Value::Int(-7)));
        assert_eq!(open("1.5", "float"), value(Value::Float(1.5)));
        assert_eq!(open("True", "bool"), value(Value::Bool(true)));
        assert_eq!(open(" c", "comment"), Ok(Opened::Comment(b" c".to_vec())));
        assert!(matches!(
            open("2026-01-02T03:04:05Z", "time"),
            Ok(Opened::Value(Value::Time(_)))
        ));
        for (plain, kind) in [("x", "int"), ("x", "bool"), ("x", "time"), ("x", "none")] {
            assert_eq!(open(plain, kind), Err(Fault::Type), "{kind}");
        }
    }

    #[test]
    fn what_was_changed_does_not_open() {
        let sealed = seal(&[1; 32], b"secret", "str", "a:");
        assert_eq!(
            key().open(sealed.as_bytes(), "b:"),
            Err(Fault::Authenticity)
        );
        let other = DataKey::new(Zeroizing::new(vec![2; 32]));
        assert_eq!(
            other.open(sealed.as_bytes(), "a:"),
            Err(Fault::Authenticity)
        );
        for i in "ENC[AES256_GCM,data:".len()..sealed.find(",type").unwrap() {
            let mut bytes = sealed.clone().into_bytes();
            bytes[i] = if bytes[i] == b'A' { b'B' } else { b'A' };
            assert!(key().open(&bytes, "a:").is_err(), "{i}");
        }
        for text in [
            "secret",
            "ENC[",
            "ENC[AES256_GCM,data:,iv:,tag:,type:]",
            "ENC[]",
        ] {
            assert_eq!(
                key().open(text.as_bytes(), "a:"),
                Err(Fault::Form),
                "{text}"
            );
        }
        let short = DataKey::new(Zeroizing::new(vec![1; 31]));
        assert_eq!(short.open(sealed.as_bytes(), "a:"), Err(Fault::Length));
    }

    #[test]
    fn empty_text_is_not_encrypted() {
        assert_eq!(
            key().open(b"", "a:"),
            Ok(Opened::Value(Value::Text(Vec::new())))
        );
    }
}
