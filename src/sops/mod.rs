//! Files encrypted with sops: decryption as `sops` and kustomize-controller do
//! it, without the network and without another program.
//!
//! In: bytes of a file and private keys. Out: bytes in clear, or nodes whose
//! decrypted values are marked as secret. A file whose values were changed,
//! moved, removed or added is refused: each value is bound to its place, and
//! an encrypted digest (the MAC) covers all of them.
//!
//! docs/trust.md says what this proves and what it does not.

#[cfg(feature = "sops")]
mod cipher;
#[cfg(feature = "sops")]
mod hybrid;
#[cfg(feature = "sops")]
mod keys;
#[cfg(feature = "sops")]
mod mask;
#[cfg(feature = "sops")]
mod metadata;
#[cfg(feature = "sops")]
mod object;
#[cfg(feature = "sops")]
mod shamir;
#[cfg(feature = "sops")]
mod source;
#[cfg(feature = "sops")]
mod store;
#[cfg(feature = "sops")]
mod tree;

#[cfg(feature = "sops")]
pub use keys::{Keys, MAX_KEY_FILE_BYTES};
#[cfg(feature = "sops")]
pub use object::{
    DECRYPT_ANNOTATION, Decryptor, Outcome, is_encrypted, is_left_alone, is_stand_in,
    mark_placeholders, mark_sealed, placeholders,
};
#[cfg(feature = "sops")]
pub use source::{MAX_SOURCE_BYTES, Opened, env_format, source_format, source_placeholders};

#[cfg(feature = "sops")]
use zeroize::Zeroizing;

#[cfg(feature = "sops")]
use crate::diag::{Error, Result};

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// YAML documents.
    Yaml,
    /// A JSON object.
    Json,
    /// Lines of `NAME=value`.
    Dotenv,
    /// Sections of `name = value`.
    Ini,
    /// Anything else: one value, in JSON when encrypted.
    Binary,
}

impl Format {
    /// The format that sops takes a file for, by its name.
    pub fn of_path(path: &str) -> Format {
        let has = |ending: &str| path.ends_with(ending);
        if has(".yaml") || has(".yml") {
            Format::Yaml
        } else if has(".json") {
            Format::Json
        } else if has(".env") {
            Format::Dotenv
        } else if has(".ini") {
            Format::Ini
        } else {
            Format::Binary
        }
    }
}

/// Decrypts a file and checks its MAC.
///
/// # Errors
///
/// Rules of the family `sops/`: `format`, `not-encrypted` and `metadata` for
/// what is not an encrypted file of the format, `key` where no key opens it,
/// `tampered` and `mac` for what was changed.
#[cfg(feature = "sops")]
pub fn decrypt(
    content: &[u8],
    input: Format,
    output: Format,
    keys: &Keys,
) -> Result<Zeroizing<Vec<u8>>> {
    let (mut documents, metadata) = store::read(content, input)?;
    let key = keys.data_key(&metadata)?;
    let mac = tree::decrypt(&mut documents, &metadata.rules, &key)?;
    check_mac(mac, &metadata, &key)?;
    store::write(&documents, output).map(Zeroizing::new)
}

#[cfg(feature = "sops")]
fn check_mac(mac: tree::Mac, metadata: &metadata::Metadata, key: &cipher::DataKey) -> Result<()> {
    use cipher::Opened;
    use tree::Value;
    let refused = |why: String| {
        Error::new("sops/mac", format!("its MAC does not hold: {why}")).help(
            "a value, or the list of them, was changed without sops: compare with history, and if the \
             change is meant, make it with `sops edit` or `sops set`",
        )
    };
    if metadata.mac.is_empty() {
        return Err(refused("the file has none".to_owned()));
    }
    let place = metadata.last_modified.to_string();
    match key.open(&metadata.mac, &place) {
        Ok(Opened::Value(Value::Text(expected))) if expected == mac.finish().into_bytes() => Ok(()),
        Ok(_) => Err(refused(
            "the values are not those that were encrypted".to_owned(),
        )),
        Err(fault) => Err(refused(format!(
            "the MAC itself cannot be decrypted: {}",
            fault.describe()
        ))),
    }
}
