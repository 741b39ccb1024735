//! The part of a file that says how it is encrypted.

use super::tree::{Documents, Item, Key, Value};
use crate::diag::{Error, Result};
use crate::gostd::moment::Moment;
use crate::gostd::regexp::Regexp;
use crate::gostd::strconv;

/// How the metadata lies in a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flatten {
    /// Under the key `sops` of each document.
    None,
    /// Under the key `sops`, but in one level.
    BelowTop,
    /// Among the other keys, with `sops_` before each.
    Full,
}

/// What a file says about its encryption.
#[derive(Debug)]
pub(super) struct Metadata {
    /// Each group holds the whole data key, or with several a part of it.
    pub(super) groups: Vec<Vec<MasterKey>>,
    /// How many parts it takes.
    pub(super) threshold: usize,
    /// The encrypted digest over all values.
    pub(super) mac: Vec<u8>,
    /// When the file was last changed; the digest is bound to it.
    pub(super) last_modified: Moment,
    pub(super) rules: Rules,
}

/// A key that the data key, or a part of it, is encrypted for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MasterKey {
    pub(super) kind: KeyKind,
    /// Its name, as people know it.
    pub(super) name: String,
    /// The data key, encrypted.
    pub(super) encrypted: String,
}

/// Where a master key lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyKind {
    Age,
    OpenPgp,
    AwsKms,
    GcpKms,
    AzureKeyVault,
    Vault,
    HuaweiKms,
}

impl KeyKind {
    /// What it is called.
    pub(super) fn describe(self) -> &'static str {
        match self {
            KeyKind::Age => "age",
            KeyKind::OpenPgp => "OpenPGP",
            KeyKind::AwsKms => "AWS KMS",
            KeyKind::GcpKms => "Google Cloud KMS",
            KeyKind::AzureKeyVault => "Azure Key Vault",
            KeyKind::Vault => "Vault",
            KeyKind::HuaweiKms => "Huawei Cloud KMS",
        }
    }

    /// Whether a service has to be asked over the network.
    pub(super) fn is_remote(self) -> bool {
        !matches!(self, KeyKind::Age | KeyKind::OpenPgp)
    }
}

/// Which values are encrypted.
#[derive(Debug, Default)]
pub(super) struct Rules {
    which: Which,
    /// Whether the digest covers encrypted values alone.
    pub(super) mac_only_encrypted: bool,
}

#[derive(Debug)]
enum Which {
    UnencryptedSuffix(String),
    EncryptedSuffix(String),
    UnencryptedRegex(Pattern),
    EncryptedRegex(Pattern),
    UnencryptedComment(Pattern),
    EncryptedComment(Pattern),
}

impl Default for Which {
    fn default() -> Which {
        Which::UnencryptedSuffix("_unencrypted".to_owned())
    }
}

/// Compat: a pattern that is none matches nothing.
#[derive(Debug)]
struct Pattern(Option<Regexp>);

impl Pattern {
    fn new(text: &str) -> Pattern {
        Pattern(Regexp::new(text).ok())
    }

    fn matches(&self, text: &str) -> bool {
        self.0.as_ref().is_some_and(|r| r.is_match(text))
    }

    fn matches_any(&self, path: &[String]) -> bool {
        path.iter().any(|key| self.matches(key))
    }
}

impl Rules {
    /// Whether the value at this path is encrypted; `comments` are those
    /// before each collection and value that leads to it.
    pub(super) fn is_encrypted(
        &self,
        path: &[String],
        comments: &[Vec<Vec<u8>>],
        is_comment: bool,
    ) -> bool {
        match &self.which {
            Which::UnencryptedSuffix(suffix) => !path.iter().any(|k| k.ends_with(suffix)),
            Which::EncryptedSuffix(suffix) => path.iter().any(|k| k.ends_with(suffix)),
            Which::UnencryptedRegex(pattern) => !pattern.matches_any(path),
            Which::EncryptedRegex(pattern) => pattern.matches_any(path),
            Which::UnencryptedComment(pattern) => !comments
                .iter()
                .flatten()
                .any(|c| pattern.matches(&String::from_utf8_lossy(c))),
            Which::EncryptedComment(pattern) => {
                // The comment that asks for encryption stays in clear itself.
                let last = comments.len().checked_sub(1);
                comments.iter().enumerate().any(|(i, level)| {
                    let own = usize::from(is_comment && Some(i) == last);
                    let before = level
                        .get(..level.len().saturating_sub(own))
                        .unwrap_or_default();
                    before
                        .iter()
                        .any(|c| pattern.matches(&String::from_utf8_lossy(c)))
                })
            }
        }
    }
}

/// Takes the metadata out of the documents of a file.
///
/// # Errors
///
/// `sops/not-encrypted` where there is none, `sops/metadata` for what is wrong
/// with it.
pub(super) fn extract(
    documents: &mut Documents,
    flatten: Flatten,
    escaped: bool,
) -> Result<Metadata> {
    let mut found: Option<Vec<Item>> = None;
    if flatten == Flatten::Full {
        if let Some(first) = documents.first_mut() {
            let (own, rest) = std::mem::take(first)
                .into_iter()
                .partition(|item| matches!(&item.key, Key::Text(k) if k.starts_with("sops_")));
            *first = rest;
            let own: Vec<Item> = own;
            found = (!own.is_empty()).then_some(own);
            for item in found.iter_mut().flatten() {
                if let Key::Text(key) = &mut item.key {
                    *key = key.strip_prefix("sops_").unwrap_or(key).to_owned();
                }
            }
        }
    } else {
        for (i, document) in documents.iter_mut().enumerate() {
            let (own, rest): (Vec<Item>, Vec<Item>) = std::mem::take(document)
                .into_iter()
                .partition(|item| matches!(&item.key, Key::Text(k) if k == "sops"));
            *document = rest;
            // The metadata of the first document is that of the file.
            for item in own.into_iter().filter(|_| i == 0) {
                if found.is_some() {
                    return Err(invalid("the key `sops` stands twice"));
                }
                match item.value {
                    Value::Map(items) => found = Some(items),
                    _ => return Err(invalid("`sops` is no mapping")),
                }
            }
        }
    }
    let Some(mut items) = found else {
        return Err(Error::new(
            "sops/not-encrypted",
            "it is not encrypted: it has no sops metadata",
        )
        .help("encrypt it with `sops encrypt --in-place FILE`, or use it as it is"));
    };
    if flatten != Flatten::None {
        if escaped {
            for item in &mut items {
                if let Value::Text(text) = &mut item.value {
                    *text = String::from_utf8_lossy(text)
                        .replace("\\n", "\n")
                        .into_bytes();
                }
            }
        }
        items = super::store::flat::unflatten(items).map_err(invalid)?;
    }
    read(&Fields(&items))
}

fn read(fields: &Fields<'_>) -> Result<Metadata> {
    let last_modified = fields.text("lastmodified")?;
    let last_modified = Moment::parse(&last_modified).ok_or_else(|| {
        if last_modified.is_empty() {
            invalid("`lastmodified` is missing")
        } else {
            invalid(format!("`lastmodified` is no time: `{last_modified}`"))
        }
    })?;
    let own = group(fields)?;
    let groups = if own.is_empty() {
        let mut groups = Vec::new();
        for fields in fields.list("key_groups")? {
            groups.push(group(&fields)?);
        }
        groups
    } else {
        vec![own]
    };
    if groups.is_empty() {
        return Err(invalid("it names no keys"));
    }
    Ok(Metadata {
        groups,
        threshold: fields.number("shamir_threshold")?,
        mac: fields.text("mac")?.into_bytes(),
        last_modified,
        rules: Rules {
            which: which(fields)?,
            mac_only_encrypted: fields.flag("mac_only_encrypted")?,
        },
    })
}

fn which(fields: &Fields<'_>) -> Result<Which> {
    type Make = fn(&str) -> Which;
    const RULES: [(&str, Make); 6] = [
        ("unencrypted_suffix", |t| {
            Which::UnencryptedSuffix(t.to_owned())
        }),
        ("encrypted_suffix", |t| Which::EncryptedSuffix(t.to_owned())),
        ("unencrypted_regex", |t| {
            Which::UnencryptedRegex(Pattern::new(t))
        }),
        ("encrypted_regex", |t| {
            Which::EncryptedRegex(Pattern::new(t))
        }),
        ("unencrypted_comment_regex", |t| {
            Which::UnencryptedComment(Pattern::new(t))
        }),
        ("encrypted_comment_regex", |t| {
            Which::EncryptedComment(Pattern::new(t))
        }),
    ];
    let mut found = None;
    for (name, make) in RULES {
        let text = fields.text(name)?;
        if text.is_empty() {
            continue;
        }
        if found.is_some() {
            return Err(invalid(
                "it has more than one of encrypted_suffix, unencrypted_suffix, encrypted_regex, \
                 unencrypted_regex and their like for comments",
            ));
        }
        found = Some(make(&text));
    }
    Ok(found.unwrap_or_default())
}

/// The keys of one group.
fn group(fields: &Fields<'_>) -> Result<Vec<MasterKey>> {
    const KINDS: [(&str, KeyKind, &[&str]); 7] = [
        ("kms", KeyKind::AwsKms, &["arn"]),
        ("gcp_kms", KeyKind::GcpKms, &["resource_id"]),
        ("hckms", KeyKind::HuaweiKms, &["key_id"]),
        ("azure_kv", KeyKind::AzureKeyVault, &["vault_url", "name"]),
        (
            "hc_vault",
            KeyKind::Vault,
            &["vault_address", "engine_path", "key_name"],
        ),
        ("pgp", KeyKind::OpenPgp, &["fp"]),
        ("age", KeyKind::Age, &["recipient"]),
    ];
    let mut keys = Vec::new();
    for (name, kind, parts) in KINDS {
        for fields in fields.list(name)? {
            if kind != KeyKind::Age {
                let created = fields.text("created_at")?;
                if Moment::parse(&created).is_none() {
                    return Err(invalid(format!(
                        "`created_at` of a key in `{name}` is no time: `{created}`"
                    )));
                }
            }
            let mut called = Vec::new();
            for part in parts {
                called.push(fields.text(part)?);
            }
            keys.push(MasterKey {
                kind,
                name: called.join("/"),
                encrypted: fields.text("enc")?,
            });
        }
    }
    Ok(keys)
}

/// A mapping of the metadata. Values are taken as what is wanted of them
/// where they can be: in formats that know text alone all are text.
struct Fields<'a>(&'a [Item]);

impl<'a> Fields<'a> {
    /// Compat: the last of several; a name in other letters where there is
    /// none in these.
    fn get(&self, name: &str) -> Option<&'a Value> {
        let find = |same: &dyn Fn(&str) -> bool| {
            self.0.iter().rev().find_map(|item| match &item.key {
                Key::Text(key) if same(key) => Some(&item.value),
                _ => None,
            })
        };
        find(&|key| key == name)
            .or_else(|| find(&|key| key.eq_ignore_ascii_case(name)))
            .filter(|value| **value != Value::Null)
    }

    fn text(&self, name: &str) -> Result<String> {
        match self.get(name) {
            None => Ok(String::new()),
            Some(Value::Text(text)) => Ok(String::from_utf8_lossy(text).into_owned()),
            Some(Value::Int(i)) => Ok(i.to_string()),
            Some(Value::Float(f)) => Ok(strconv::format_float_as(
                *f,
                strconv::FloatVerb::Fixed,
                None,
                64,
            )),
            Some(Value::Bool(b)) => Ok(i32::from(*b).to_string()),
            Some(Value::Time(time)) => Ok(time.rfc3339_nano()),
            Some(_) => Err(invalid(format!("`{name}` is no text"))),
        }
    }

    fn number(&self, name: &str) -> Result<usize> {
        let number = match self.get(name) {
            None => Some(0),
            Some(Value::Int(i)) => usize::try_from(*i).ok(),
            Some(Value::Text(text)) if text.is_empty() => Some(0),
            Some(Value::Text(text)) => std::str::from_utf8(text)
                .ok()
                .and_then(|t| strconv::parse_int(t, 0, 64).ok())
                .and_then(|i| usize::try_from(i).ok()),
            _ => None,
        };
        number.ok_or_else(|| invalid(format!("`{name}` is no number")))
    }

    fn flag(&self, name: &str) -> Result<bool> {
        let flag = match self.get(name) {
            None => Some(false),
            Some(Value::Bool(b)) => Some(*b),
            Some(Value::Int(i)) => Some(*i != 0),
            Some(Value::Text(text)) if text.is_empty() => Some(false),
            Some(Value::Text(text)) => std::str::from_utf8(text)
                .ok()
                .and_then(|t| strconv::parse_bool(t).ok()),
            _ => None,
        };
        flag.ok_or_else(|| invalid(format!("`{name}` is neither true nor false")))
    }

    fn list(&self, name: &str) -> Result<Vec<Fields<'a>>> {
        let wrong = || invalid(format!("`{name}` is no list of mappings"));
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Value::Map(items)) if items.is_empty() => Ok(Vec::new()),
            // Compat: one mapping stands for a list of one.
            Some(Value::Map(items)) => Ok(vec![Fields(items)]),
            Some(Value::List(values)) => {
                let mut list = Vec::new();
                for value in values {
                    match value {
                        Value::Map(items) => list.push(Fields(items)),
                        Value::Comment(_) => {}
                        Value::Null => list.push(Fields(&[])),
                        _ => return Err(wrong()),
                    }
                }
                Ok(list)
            }
            Some(_) => Err(wrong()),
        }
    }
}

fn invalid(why: impl std::fmt::Display) -> Error {
    Error::new(
        "sops/metadata",
        format!("its sops metadata is invalid: {why}"),
    )
    .help("restore the `sops` part of the file from history: it was damaged or merged by hand")
}
