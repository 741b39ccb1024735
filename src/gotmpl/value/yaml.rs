//! Values from and to plain data.

use super::{IntType, List, ListType, Map, MapType, Text, UintType, Value};
use crate::gotmpl::limits::{Exhausted, Meter};
use crate::yaml;

/// How deep values may nest that are walked through.
pub(crate) const MAX_DEPTH: usize = yaml::MAX_DEPTH;

/// Why a value cannot be written as data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsupported {
    /// What Go says.
    Value(String),
    /// It costs too much.
    Exhausted(Exhausted),
}

impl From<Exhausted> for Unsupported {
    fn from(exhausted: Exhausted) -> Unsupported {
        Unsupported::Exhausted(exhausted)
    }
}

impl Value {
    /// The value of plain data, with the kinds of numbers that it has.
    pub fn from_yaml(value: &yaml::Value) -> Value {
        match value {
            yaml::Value::Null => Value::Nil,
            yaml::Value::Bool(b) => Value::Bool(*b),
            yaml::Value::Int(i) => Value::Int(*i, IntType::Int64),
            yaml::Value::Uint(u) => Value::Uint(*u, UintType::Uint64),
            yaml::Value::Float(f) => Value::Float(*f),
            yaml::Value::String(text) => Value::Text(Text::Utf8(text.clone())),
            yaml::Value::Sequence(items) => {
                List::any(items.iter().map(Value::from_yaml).collect()).into()
            }
            yaml::Value::Mapping(map) => Map::any(
                map.iter()
                    .map(|(key, value)| (Text::Utf8(key.clone()), Value::from_yaml(value)))
                    .collect(),
            )
            .into(),
        }
    }

    /// The value of data that came through JSON: all numbers are floats.
    ///
    /// Compat: sigs.k8s.io/yaml and `encoding/json` decode into
    /// `interface {}`.
    #[expect(clippy::cast_precision_loss, reason = "as Go converts")]
    pub fn from_json(value: &yaml::Value) -> Value {
        match value {
            yaml::Value::Int(i) => Value::Float(*i as f64),
            yaml::Value::Uint(u) => Value::Float(*u as f64),
            yaml::Value::Sequence(items) => {
                List::any(items.iter().map(Value::from_json).collect()).into()
            }
            yaml::Value::Mapping(map) => Map::any(
                map.iter()
                    .map(|(key, value)| (Text::Utf8(key.clone()), Value::from_json(value)))
                    .collect(),
            )
            .into(),
            scalar => Value::from_yaml(scalar),
        }
    }

    /// The data that `json.Marshal` writes.
    ///
    /// # Errors
    ///
    /// What it refuses, values that nest too deep or hold themselves, and
    /// those that cost too much.
    pub fn to_json(&self, meter: &mut Meter) -> Result<yaml::Value, Unsupported> {
        self.to_json_at(meter, 0)
    }

    fn to_json_at(&self, meter: &mut Meter, depth: usize) -> Result<yaml::Value, Unsupported> {
        if depth > MAX_DEPTH {
            return Err(Unsupported::Value(format!(
                "json: unsupported value: nested deeper than {MAX_DEPTH} levels"
            )));
        }
        // What is printed of it later is paid for here: blanks before it, too.
        meter.take_bytes(self.shallow_bytes() + 2 * depth)?;
        Ok(match self {
            Value::Nil => yaml::Value::Null,
            Value::Bool(b) => yaml::Value::Bool(*b),
            Value::Int(i, _) => yaml::Value::Int(*i),
            Value::Uint(u, _) => match i64::try_from(*u) {
                Ok(i) => yaml::Value::Int(i),
                Err(_) => yaml::Value::Uint(*u),
            },
            Value::Float(f) if f.is_finite() => yaml::Value::Float(*f),
            Value::Float(f) => {
                return Err(Unsupported::Value(format!(
                    "json: unsupported value: {}",
                    crate::gostd::strconv::format_float(*f)
                )));
            }
            Value::Complex(..) => {
                return Err(Unsupported::Value(
                    "json: unsupported type: complex128".to_owned(),
                ));
            }
            Value::Text(text) => yaml::Value::String(text.to_shared()),
            Value::Bytes(bytes) => {
                use base64::Engine as _;
                meter.take_bytes(bytes.len() / 3 * 4)?;
                let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
                yaml::Value::String(encoded.into())
            }
            Value::List(list) if list.is_nil() => yaml::Value::Null,
            Value::List(list) => yaml::Value::Sequence(list.with(|items| {
                items
                    .iter()
                    .map(|item| item.to_json_at(meter, depth + 1))
                    .collect::<Result<_, _>>()
            })?),
            Value::Map(map) if map.is_nil() => yaml::Value::Null,
            Value::Map(map) => yaml::Value::Mapping(map.with(|entries| {
                entries
                    .iter()
                    .map(|(key, value)| Ok((key.to_shared(), value.to_json_at(meter, depth + 1)?)))
                    .collect::<Result<_, Unsupported>>()
            })?),
            Value::Object(object) => object.json(),
        })
    }

    /// The bytes of the value itself, without what it holds.
    fn shallow_bytes(&self) -> usize {
        match self {
            Value::Text(text) => size_of::<Value>() + text.len(),
            Value::List(list) => List::bytes(list.len()),
            Value::Map(map) => Map::bytes(map.len()),
            _ => size_of::<Value>(),
        }
    }

    /// A copy that shares no list and no map with this value.
    ///
    /// # Errors
    ///
    /// As [`Value::to_json`].
    pub fn deep_copy(&self, meter: &mut Meter) -> Result<Value, Unsupported> {
        self.deep_copy_at(meter, 0)
    }

    fn deep_copy_at(&self, meter: &mut Meter, depth: usize) -> Result<Value, Unsupported> {
        if depth > MAX_DEPTH {
            return Err(Unsupported::Value(format!(
                "the value nests deeper than {MAX_DEPTH} levels"
            )));
        }
        meter.take_bytes(self.shallow_bytes())?;
        Ok(match self {
            Value::List(list) if !list.is_nil() => {
                let items = list.with(|items| {
                    items
                        .iter()
                        .map(|item| item.deep_copy_at(meter, depth + 1))
                        .collect::<Result<_, _>>()
                })?;
                let copied: &'static ListType = list.list_type();
                List::new(copied, items).into()
            }
            Value::Map(map) if !map.is_nil() => {
                let entries = map.with(|entries| {
                    entries
                        .iter()
                        .map(|(k, v)| Ok((k.clone(), v.deep_copy_at(meter, depth + 1)?)))
                        .collect::<Result<_, Unsupported>>()
                })?;
                let copied: &'static MapType = map.map_type();
                Map::new(copied, entries).into()
            }
            other => other.clone(),
        })
    }
}
