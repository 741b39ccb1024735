//! A document as sops sees it: values in their order, comments among them,
//! and the walk that decrypts it.

use sha2::{Digest as _, Sha512};

use super::cipher::{DataKey, Opened};
use super::metadata::Rules;
use crate::diag::{Error, Result};
use crate::gostd::moment::Moment;
use crate::gostd::strconv::{FloatVerb, format_float_as};

/// A value of a document.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Time(Moment),
    /// Text. It need not be UTF-8: a binary file is the text of one value.
    Text(Vec<u8>),
    /// Bytes that are no text: only decryption gives them.
    Bytes(Vec<u8>),
    List(Vec<Value>),
    Map(Vec<Item>),
    /// A comment among the items of a list.
    Comment(Comment),
    /// What sops does not know, by its name.
    Other(&'static str),
}

/// An entry of a mapping, or a comment between two.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub(super) key: Key,
    pub(super) value: Value,
}

/// What stands before a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Key {
    Text(String),
    Comment(Comment),
    /// A key that is no text, by the name of its kind.
    Other(&'static str),
}

/// One line of a comment, without its mark.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Comment {
    pub(super) text: Vec<u8>,
    /// Whether it stands behind a value on its line.
    pub(super) inline: bool,
}

impl Item {
    pub(super) fn comment(text: impl Into<Vec<u8>>, inline: bool) -> Item {
        Item {
            key: Key::Comment(Comment {
                text: text.into(),
                inline,
            }),
            value: Value::Null,
        }
    }

    pub(super) fn new(key: impl Into<String>, value: Value) -> Item {
        Item {
            key: Key::Text(key.into()),
            value,
        }
    }
}

/// The documents of a file, the metadata taken out.
pub(super) type Documents = Vec<Vec<Item>>;

/// The digest over all values that says whether any was changed.
pub(super) struct Mac(Sha512);

/// What the digest begins with where it covers encrypted values alone, so that
/// it is another one than over all values: the SHA-256 of `sops`.
const ENCRYPTED_ONLY: [u8; 32] = [
    0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0x0b,
    0x0b, 0x97, 0x5b, 0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
];

impl Mac {
    fn new(rules: &Rules) -> Mac {
        let mut hash = Sha512::new();
        if rules.mac_only_encrypted {
            hash.update(ENCRYPTED_ONLY);
        }
        Mac(hash)
    }

    /// As it stands in a file: hexadecimal capitals.
    pub(super) fn finish(self) -> String {
        hex::encode_upper(self.0.finalize())
    }
}

/// Decrypts all documents in place and gives the digest over their values.
///
/// # Errors
///
/// `sops/tampered`, with the path of the value, for what cannot be decrypted;
/// `sops/unsupported` for what sops does not know.
pub(super) fn decrypt(documents: &mut Documents, rules: &Rules, key: &DataKey) -> Result<Mac> {
    let mut walk = Walk {
        rules,
        key,
        mac: Mac::new(rules),
        path: Vec::new(),
        comments: Vec::new(),
    };
    for document in documents {
        walk.map(document)?;
    }
    Ok(walk.mac)
}

struct Walk<'a> {
    rules: &'a Rules,
    key: &'a DataKey,
    mac: Mac,
    /// The keys that lead to where the walk is; lists have none.
    path: Vec<String>,
    /// For each collection that is open, the comments before the next value.
    comments: Vec<Vec<Vec<u8>>>,
}

impl Walk<'_> {
    fn map(&mut self, items: &mut [Item]) -> Result<()> {
        self.comments.push(Vec::new());
        for item in items {
            match &mut item.key {
                Key::Comment(comment) => {
                    self.note(comment);
                    *comment = self.comment(comment)?;
                }
                Key::Other(kind) => {
                    return Err(Error::new(
                        "sops/unsupported",
                        format!(
                            "{}: a key is {kind}, and sops knows text alone",
                            self.place()
                        ),
                    ));
                }
                Key::Text(key) => {
                    self.path.push(key.clone());
                    self.value(&mut item.value)?;
                    self.path.pop();
                    self.forget();
                }
            }
        }
        self.comments.pop();
        Ok(())
    }

    fn list(&mut self, items: &mut [Value]) -> Result<()> {
        self.comments.push(Vec::new());
        for item in items {
            if let Value::Comment(comment) = item {
                self.note(comment);
                *comment = self.comment(comment)?;
            } else {
                self.value(item)?;
                self.forget();
            }
        }
        self.comments.pop();
        Ok(())
    }

    fn value(&mut self, value: &mut Value) -> Result<()> {
        match value {
            Value::Null => Ok(()),
            Value::Map(items) => self.map(items),
            Value::List(items) => self.list(items),
            Value::Other(kind) => Err(Error::new(
                "sops/unsupported",
                format!("{}: sops does not know {kind}", self.place()),
            )),
            _ => self.leaf(value),
        }
    }

    fn leaf(&mut self, value: &mut Value) -> Result<()> {
        let is_encrypted = self.rules.is_encrypted(&self.path, &self.comments, false);
        if is_encrypted {
            let Value::Text(sealed) = &*value else {
                return Err(self.tampered("it should be encrypted text and is not"));
            };
            *value = match self.key.open(sealed, &self.bound_to()) {
                Ok(Opened::Value(opened)) => opened,
                Ok(Opened::Comment(text)) => Value::Comment(Comment {
                    text,
                    inline: false,
                }),
                Err(fault) => return Err(self.tampered(fault.describe())),
            };
        }
        if is_encrypted || !self.rules.mac_only_encrypted {
            self.add(value);
        }
        Ok(())
    }

    /// A comment, decrypted if it is encrypted.
    ///
    /// Compat: one that cannot be decrypted is taken for one in clear; one
    /// that can is no longer behind its value but above it.
    fn comment(&mut self, comment: &Comment) -> Result<Comment> {
        if self.rules.is_encrypted(&self.path, &self.comments, true) {
            match self.key.open(&comment.text, &self.bound_to()) {
                Ok(Opened::Comment(text)) => {
                    return Ok(Comment {
                        text,
                        inline: false,
                    });
                }
                Ok(Opened::Value(Value::Text(text))) => {
                    self.mac.0.update(&text);
                    return Ok(Comment {
                        text,
                        inline: comment.inline,
                    });
                }
                Ok(Opened::Value(_)) => {
                    return Err(self.tampered("a comment is encrypted as a value"));
                }
                Err(_) => {}
            }
        }
        Ok(comment.clone())
    }

    fn note(&mut self, comment: &Comment) {
        if let Some(last) = self.comments.last_mut() {
            last.push(comment.text.clone());
        }
    }

    fn forget(&mut self) {
        if let Some(last) = self.comments.last_mut() {
            last.clear();
        }
    }

    fn add(&mut self, value: &Value) {
        let hash = &mut self.mac.0;
        match value {
            Value::Text(bytes) | Value::Bytes(bytes) => hash.update(bytes),
            Value::Int(i) => hash.update(i.to_string()),
            Value::Float(f) => hash.update(format_float_as(*f, FloatVerb::Fixed, None, 64)),
            Value::Bool(true) => hash.update("True"),
            Value::Bool(false) => hash.update("False"),
            Value::Time(time) => hash.update(time.rfc3339_nano()),
            Value::Null | Value::List(_) | Value::Map(_) | Value::Comment(_) | Value::Other(_) => {}
        }
    }

    /// What a value's place binds it to: moved elsewhere, it does not open.
    fn bound_to(&self) -> String {
        let mut path = self.path.join(":");
        path.push(':');
        path
    }

    fn place(&self) -> String {
        if self.path.is_empty() {
            "at the top".to_owned()
        } else {
            format!("`{}`", self.path.join("."))
        }
    }

    fn tampered(&self, why: &str) -> Error {
        Error::new(
            "sops/tampered",
            format!("{}: cannot decrypt the value: {why}", self.place()),
        )
        .help("it was changed or moved by hand: restore it from history, or encrypt it again with `sops set`")
    }
}

/// The text of a value where a format knows text alone.
///
/// Compat: `stores.ValToString`.
pub(super) fn plain_text(value: &Value) -> Vec<u8> {
    match value {
        Value::Text(bytes) => bytes.clone(),
        // Compat: Go prints a slice of bytes as a list of numbers.
        Value::Bytes(bytes) => {
            let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
            format!("[{}]", numbers.join(" ")).into_bytes()
        }
        Value::Int(i) => i.to_string().into_bytes(),
        Value::Bool(b) => b.to_string().into_bytes(),
        Value::Float(f) => {
            let text = format_float_as(*f, FloatVerb::General { upper: true }, None, 64);
            if text.contains(['.', 'E']) {
                text.into_bytes()
            } else {
                format_float_as(*f, FloatVerb::Fixed, Some(1), 64).into_bytes()
            }
        }
        Value::Time(time) => time.to_string().into_bytes(),
        Value::Comment(comment) => comment.text.clone(),
        Value::Null => b"<nil>".to_vec(),
        // Formats that know text alone refuse these before.
        Value::List(_) | Value::Map(_) | Value::Other(_) => Vec::new(),
    }
}
