//! Fields of files that Go reads into structs: `Chart.yaml`, heads of
//! manifests.
//!
//! Compat: sigs.k8s.io/yaml 1.6 turns numbers and booleans into text where a
//! field is text; `encoding/json` finds fields whatever the case of their
//! letters, takes null for nothing, and refuses every other type.

use std::sync::Arc;

use crate::gostd::strconv;
use crate::yaml::{Map, Value};

/// A mapping that is read into a struct of that name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'v> {
    map: &'v Map,
    /// The path of the struct in messages: `Metadata.`, or with the fields
    /// that lead to it.
    path: &'static str,
}

/// What is wrong with a field, in the words of `encoding/json`.
/// Texts by name, in the order they are written.
pub(super) type TextMap = Vec<(Arc<str>, Arc<str>)>;

pub(super) type Result<T> = std::result::Result<T, String>;

impl<'v> Fields<'v> {
    /// The fields of a value; none where it is null.
    pub(super) fn of(value: &'v Value, path: &'static str) -> Result<Option<Fields<'v>>> {
        match value {
            Value::Null => Ok(None),
            Value::Mapping(map) => Ok(Some(Fields { map, path })),
            other => Err(mismatch(other, path.trim_end_matches('.'), "map")),
        }
    }

    /// The value of a field; none where it is not there, or null.
    pub(super) fn value(&self, name: &str) -> Option<&'v Value> {
        let found = match self.map.get(name) {
            Some(value) => Some(value),
            // Of several the last counts, and small letters come last.
            None => self
                .map
                .iter()
                .rev()
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value),
        };
        found.filter(|value| !matches!(value, Value::Null))
    }

    /// The text of a field; empty where it is not there.
    pub(super) fn text(&self, name: &str) -> Result<Arc<str>> {
        match self.value(name) {
            Some(value) => self.as_text(value, name),
            None => Ok(Arc::from("")),
        }
    }

    /// A boolean; false where it is not there.
    pub(super) fn boolean(&self, name: &str) -> Result<bool> {
        match self.value(name) {
            None => Ok(false),
            Some(Value::Bool(b)) => Ok(*b),
            Some(other) => Err(self.wrong(other, name, "bool")),
        }
    }

    /// The items of a list; none where it is not there.
    pub(super) fn list(&self, name: &str, kind: &str) -> Result<Option<&'v [Value]>> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Sequence(items)) => Ok(Some(items)),
            Some(other) => Err(self.wrong(other, name, kind)),
        }
    }

    /// A list of texts; none where it is not there.
    pub(super) fn texts(&self, name: &str) -> Result<Option<Vec<Arc<str>>>> {
        let Some(items) = self.list(name, "[]string")? else {
            return Ok(None);
        };
        let texts = items.iter().map(|item| self.as_text(item, name));
        texts.collect::<Result<_>>().map(Some)
    }

    /// A map of texts; none where it is not there.
    pub(super) fn text_map(&self, name: &str) -> Result<Option<TextMap>> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Mapping(map)) => map
                .iter()
                .map(|(key, value)| Ok((key.clone(), self.as_text(value, name)?)))
                .collect::<Result<_>>()
                .map(Some),
            Some(other) => Err(self.wrong(other, name, "map[string]string")),
        }
    }

    fn as_text(&self, value: &Value, name: &str) -> Result<Arc<str>> {
        Ok(match value {
            Value::String(text) => text.clone(),
            Value::Null => Arc::from(""),
            Value::Bool(b) => Arc::from(if *b { "true" } else { "false" }),
            Value::Int(i) => i.to_string().into(),
            Value::Uint(u) => u.to_string().into(),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the library prints floats as 32 bits"
            )]
            Value::Float(f) => strconv::format_float32(*f as f32).into(),
            other => return Err(self.wrong(other, name, "string")),
        })
    }

    fn wrong(&self, value: &Value, name: &str, kind: &str) -> String {
        mismatch(value, &format!("{}{name}", self.path), kind)
    }
}

fn mismatch(value: &Value, field: &str, kind: &str) -> String {
    let what = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Int(_) | Value::Uint(_) | Value::Float(_) => "number",
        Value::String(_) => "string",
        Value::Sequence(_) => "array",
        Value::Mapping(_) => "object",
    };
    format!("json: cannot unmarshal {what} into Go struct field {field} of type {kind}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;
    use crate::yaml::{self, resolve::Version};

    fn value(text: &str) -> Value {
        let node = yaml::parse_one(text, FileId::default()).unwrap().unwrap();
        yaml::decode(&node, Version::V2).unwrap()
    }

    #[test]
    fn scalars_become_text() {
        let value = value("a: 1.10\nb: true\nc: 0x10\nd: x\nE: ~\nf: [1]\ng: {h: 2}");
        let fields = Fields::of(&value, "T.").unwrap().unwrap();
        assert_eq!(&*fields.text("a").unwrap(), "1.1");
        assert_eq!(&*fields.text("b").unwrap(), "true");
        assert_eq!(&*fields.text("c").unwrap(), "16");
        assert_eq!(&*fields.text("D").unwrap(), "x");
        assert_eq!(&*fields.text("e").unwrap(), "");
        assert_eq!(&*fields.texts("f").unwrap().unwrap()[0], "1");
        assert_eq!(&*fields.text_map("g").unwrap().unwrap()[0].1, "2");
        assert_eq!(
            fields.text("f").unwrap_err(),
            "json: cannot unmarshal array into Go struct field T.f of type string"
        );
        assert!(fields.boolean("a").is_err());
    }
}
