//! Encrypted files that a build reads: inputs of generators, patches.

use zeroize::Zeroizing;

use super::object::{Decryptor, placeholder};
use super::tree::{Item, Value};
use super::{Format, store};
use crate::diag::{Error, Result};
use crate::yaml::secret::shadow;

/// The largest file that kustomize-controller decrypts, in bytes.
pub const MAX_SOURCE_BYTES: usize = 5 << 20;

/// What an encrypted file holds.
#[derive(Debug)]
pub struct Opened {
    /// The file in clear.
    pub plain: Zeroizing<Vec<u8>>,
    /// The same file with a [`shadow`] in place of each value that was
    /// encrypted.
    pub shadow: Vec<u8>,
}

impl Decryptor {
    /// Decrypts the input of a generator or a patch where it is encrypted;
    /// none where it is not.
    ///
    /// `key` is the name that the generator gives the entry, or the path of an
    /// env file or patch: it decides the format, as for kustomize-controller.
    ///
    /// # Errors
    ///
    /// As [`super::decrypt`]; `sops/format` for a file of more than
    /// [`MAX_SOURCE_BYTES`].
    pub fn decrypt_source(&self, content: &[u8], format: Format) -> Result<Option<Opened>> {
        if !has_marker(content, format) {
            return Ok(None);
        }
        if content.len() > MAX_SOURCE_BYTES {
            return Err(Error::new(
                "sops/format",
                format!(
                    "it is encrypted and larger than the {} MiB that Flux decrypts",
                    MAX_SOURCE_BYTES >> 20
                ),
            )
            .help("split it"));
        }
        let (sealed, _) = store::read(content, format)?;
        let (documents, key) = self.open(content, format)?;
        let mut shadows = documents.clone();
        for (document, sealed) in shadows.iter_mut().zip(&sealed) {
            cast(document, sealed);
        }
        Ok(Some(Opened {
            plain: self.write(&documents, format, &key)?,
            shadow: store::write(&shadows, format)?,
        }))
    }
}

/// Puts shadows in place of values that were encrypted.
fn cast(items: &mut [Item], sealed: &[Item]) {
    for (item, sealed) in items.iter_mut().zip(sealed) {
        cast_value(&mut item.value, &sealed.value);
    }
}

fn cast_value(value: &mut Value, sealed: &Value) {
    match (&mut *value, sealed) {
        (Value::Map(items), Value::Map(sealed)) => cast(items, sealed),
        (Value::List(values), Value::List(sealed)) => {
            for (value, sealed) in values.iter_mut().zip(sealed) {
                cast_value(value, sealed);
            }
        }
        // What decryption did not change was not encrypted.
        (new, old) if *new == *old => {}
        (Value::Bool(b), _) => *b = !*b,
        (Value::Int(i), _) => *i = i.wrapping_add(1),
        (Value::Float(f), _) => {
            *f = if f.to_bits() == 1.5_f64.to_bits() {
                2.5
            } else {
                1.5
            }
        }
        (Value::Text(text) | Value::Bytes(text), _) => {
            *text = match std::str::from_utf8(text) {
                Ok(text) => shadow(text).into_bytes(),
                Err(_) => text.iter().map(|byte| byte ^ 1).collect(),
            };
        }
        (new, _) => *new = Value::Text(b"shadow".to_vec()),
    }
}

/// The format of a generator's input, by the name of its entry.
pub fn source_format(name: &str) -> Format {
    if name.ends_with(".dockerconfigjson") {
        Format::Json
    } else {
        Format::of_path(name)
    }
}

/// The format of an env file of a generator, by its path.
pub fn env_format(path: &str) -> Format {
    match source_format(path) {
        Format::Binary => Format::Dotenv,
        format => format,
    }
}

/// The input of a generator with placeholders for its encrypted values, where
/// no key is at hand; none where it is not encrypted.
///
/// # Errors
///
/// As [`super::decrypt`] has them for metadata and format.
pub fn source_placeholders(content: &[u8], format: Format) -> Result<Option<Vec<u8>>> {
    if !has_marker(content, format) {
        return Ok(None);
    }
    let (mut documents, _) = store::read(content, format)?;
    for item in documents.iter_mut().flatten() {
        replace_sealed_value(&mut item.value);
    }
    store::write(&documents, format).map(Some)
}

fn replace_sealed_value(value: &mut Value) {
    match value {
        Value::Text(text) if text.starts_with(b"ENC[AES256_GCM,") => {
            *text = placeholder(text).into_bytes();
        }
        Value::Map(items) => items
            .iter_mut()
            .for_each(|i| replace_sealed_value(&mut i.value)),
        Value::List(values) => values.iter_mut().for_each(replace_sealed_value),
        _ => {}
    }
}

/// What gives away an encrypted file of each format.
fn marker(format: Format) -> &'static [u8] {
    match format {
        Format::Binary | Format::Json => b"\"mac\": \"ENC[",
        Format::Dotenv => b"sops_mac=ENC[",
        Format::Ini => b"[sops]",
        Format::Yaml => b"mac: ENC[",
    }
}

fn has_marker(content: &[u8], format: Format) -> bool {
    memchr::memmem::find(content, marker(format)).is_some()
}

/// Compat: where several fit, kustomize-controller takes any; here the first.
pub(super) fn marked_format(content: &[u8]) -> Option<Format> {
    [Format::Json, Format::Dotenv, Format::Ini, Format::Yaml]
        .into_iter()
        .find(|format| has_marker(content, *format))
}
