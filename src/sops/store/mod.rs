//! The formats of files that sops encrypts: bytes to values and back.

mod dotenv;
pub(super) mod flat;
mod ini;
mod json;
mod yaml;

use super::Format;
use super::metadata::{self, Flatten, Metadata};
use super::tree::{Documents, Key, Value};
use crate::diag::{Error, Result};

/// Reads an encrypted file: its values and its metadata.
///
/// # Errors
///
/// `sops/format` for what is not of the format, and as
/// [`metadata::extract`].
pub(super) fn read(content: &[u8], format: Format) -> Result<(Documents, Metadata)> {
    let (mut documents, flatten, escaped) = match format {
        Format::Yaml => (yaml::read(content)?, Flatten::None, false),
        Format::Json | Format::Binary => (json::read(content)?, Flatten::None, false),
        Format::Dotenv => (dotenv::read(content)?, Flatten::Full, false),
        Format::Ini => (ini::read(content)?, Flatten::BelowTop, true),
    };
    let metadata = metadata::extract(&mut documents, flatten, escaped)?;
    Ok((documents, metadata))
}

/// Writes values in clear.
///
/// # Errors
///
/// `sops/format` for values that the format cannot hold.
pub(super) fn write(documents: &Documents, format: Format) -> Result<Vec<u8>> {
    let first = documents.first().map(Vec::as_slice).unwrap_or_default();
    match format {
        Format::Yaml => yaml::write(documents),
        Format::Json => json::write(first),
        Format::Dotenv => dotenv::write(first),
        Format::Ini => ini::write(documents),
        Format::Binary => {
            let data = first
                .iter()
                .find(|i| matches!(&i.key, Key::Text(k) if k == "data"));
            match data.map(|item| &item.value) {
                Some(Value::Text(bytes)) if documents.len() == 1 => Ok(bytes.clone()),
                _ => Err(unfit(
                    "it holds no text under `data`, as encrypted binary files do",
                )),
            }
        }
    }
}

/// The error for text that is not of a format.
fn malformed(format: &str, why: impl std::fmt::Display) -> Error {
    Error::new("sops/format", format!("it is no {format} file: {why}"))
        .help("is its name right? `.yaml`, `.json`, `.env` and `.ini` say the format; `--input-type` sets another")
}

/// The error for values that a format cannot hold.
fn unfit(why: impl std::fmt::Display) -> Error {
    Error::new("sops/format", format!("it cannot be written: {why}"))
        .help("`--output-type` sets another format")
}
