//! From one type to another; optionals.

use std::sync::Arc;

use super::{Failure, Function, Meter, Result};
use crate::cel::time::Timestamp;
use crate::cel::value::Value;
use crate::gostd::{duration, strconv};

pub(super) fn call(
    function: Function,
    arguments: &[Value],
    _meter: &mut Meter<'_>,
) -> Option<Result<Value>> {
    Some(match (function, arguments) {
        (Function::Size, [value]) => {
            let size = match value {
                Value::String(text) => text.chars().count(),
                Value::Bytes(bytes) => bytes.len(),
                Value::List(list) => list.items.len(),
                Value::Map(map) => map.len(),
                _ => return None,
            };
            Ok(Value::Int(i64::try_from(size).unwrap_or(i64::MAX)))
        }
        (Function::Type, [value]) => Ok(Value::Type(value.type_name().into())),
        (Function::Dyn, [value]) => Ok(value.clone()),
        (Function::Int, [value]) => int(value)?,
        (Function::Uint, [value]) => uint(value)?,
        (Function::Double, [value]) => double(value)?,
        (Function::String, [value]) => string(value)?,
        (Function::Bytes, [Value::String(text)]) => Ok(Value::Bytes(text.as_bytes().into())),
        (Function::Bytes | Function::Bool | Function::Duration | Function::Timestamp, [value])
            if function.name() == value_type(value) =>
        {
            Ok(value.clone())
        }
        (Function::Bool, [Value::String(text)]) => strconv::parse_bool(text)
            .map(Value::Bool)
            .map_err(|_| cannot(text, "bool")),
        (Function::Duration, [Value::String(text)]) => duration::parse(text)
            .map(Value::Duration)
            .map_err(|_| cannot(text, "duration")),
        (Function::Timestamp, [Value::String(text)]) => Timestamp::parse(text)
            .map(Value::Timestamp)
            .ok_or_else(|| cannot(text, "timestamp")),
        (Function::Timestamp, [Value::Int(seconds)]) => Timestamp::new(*seconds, 0)
            .map(Value::Timestamp)
            .ok_or_else(|| cannot(&seconds.to_string(), "timestamp")),
        (Function::OptionalOfNonZero, [value]) if value.is_zero() => Ok(Value::Optional(None)),
        (Function::OptionalOf | Function::OptionalOfNonZero, [value]) => Ok(some(value.clone())),
        (Function::OptionalNone, []) => Ok(Value::Optional(None)),
        (Function::HasValue, [Value::Optional(inner)]) => Ok(Value::Bool(inner.is_some())),
        (Function::OptionalValue, [Value::Optional(inner)]) => match inner {
            Some(inner) => Ok((**inner).clone()),
            None => Err(Failure::new("optional.none() has no value")),
        },
        (Function::Or, [Value::Optional(inner), other @ Value::Optional(_)]) => Ok(inner
            .clone()
            .map_or(other.clone(), |inner| Value::Optional(Some(inner)))),
        (Function::OrValue, [Value::Optional(inner), other]) => {
            Ok(inner.as_ref().map_or(other, |inner| inner).clone())
        }
        _ => return None,
    })
}

pub(super) fn some(value: Value) -> Value {
    Value::Optional(Some(Arc::new(value)))
}

/// The name of the function that makes values of a type.
fn value_type(value: &Value) -> &str {
    match value {
        Value::Duration(_) => "duration",
        Value::Timestamp(_) => "timestamp",
        other => other.type_name(),
    }
}

fn cannot(text: &str, kind: &str) -> Failure {
    Failure::new(format!("`{text}` cannot be read as {kind}"))
}

fn int(value: &Value) -> Option<Result<Value>> {
    let result = match value {
        Value::Int(i) => Some(*i),
        Value::Uint(u) => i64::try_from(*u).ok(),
        #[expect(clippy::cast_possible_truncation, reason = "it is in range")]
        Value::Double(d) if d.abs() < 9_223_372_036_854_774_784.0 => Some(*d as i64),
        Value::Double(_) => None,
        Value::String(text) => strconv::parse_int(text, 10, 64).ok(),
        Value::Timestamp(t) => Some(t.seconds),
        Value::Duration(d) => Some(*d),
        _ => return None,
    };
    Some(
        result
            .map(Value::Int)
            .ok_or_else(|| cannot(&show(value), "int")),
    )
}

fn uint(value: &Value) -> Option<Result<Value>> {
    let result = match value {
        Value::Uint(u) => Some(*u),
        Value::Int(i) => u64::try_from(*i).ok(),
        #[expect(clippy::cast_possible_truncation, reason = "it is in range")]
        #[expect(clippy::cast_sign_loss, reason = "it is not negative")]
        Value::Double(d) if (0.0..18_446_744_073_709_549_568.0).contains(d) => Some(*d as u64),
        Value::Double(_) => None,
        Value::String(text) => strconv::parse_uint(text, 10, 64).ok(),
        _ => return None,
    };
    Some(
        result
            .map(Value::Uint)
            .ok_or_else(|| cannot(&show(value), "uint")),
    )
}

fn double(value: &Value) -> Option<Result<Value>> {
    #[expect(clippy::cast_precision_loss, reason = "what is asked for")]
    let result = match value {
        Value::Double(d) => Ok(*d),
        Value::Int(i) => Ok(*i as f64),
        Value::Uint(u) => Ok(*u as f64),
        Value::String(text) => strconv::parse_float(text, 64).map_err(|_| cannot(text, "double")),
        _ => return None,
    };
    Some(result.map(Value::Double))
}

fn string(value: &Value) -> Option<Result<Value>> {
    let text = match value {
        Value::String(text) => return Some(Ok(Value::String(text.clone()))),
        Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => return Some(Err(Failure::new("the bytes are no text"))),
        },
        Value::Bool(_)
        | Value::Int(_)
        | Value::Uint(_)
        | Value::Double(_)
        | Value::Duration(_)
        | Value::Timestamp(_)
        | Value::Ip(_)
        | Value::Cidr(..) => show(value),
        _ => return None,
    };
    Some(Ok(text.into()))
}

/// A value as text, as `string()` and messages have it.
pub(in crate::cel) fn show(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Int(i) => i.to_string(),
        Value::Uint(u) => u.to_string(),
        Value::Double(d) => strconv::format_float(*d),
        Value::String(text) | Value::Url(text) | Value::Type(text) | Value::Format(text) => {
            text.to_string()
        }
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::List(list) => {
            let items: Vec<String> = list.items.iter().map(show).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(map) => {
            let entries = map.iter();
            let entries: Vec<String> = entries
                .map(|(key, value)| format!("{}: {}", show(&key.value()), show(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Duration(nanoseconds) => seconds(*nanoseconds),
        Value::Timestamp(timestamp) => timestamp.rfc3339(),
        Value::Optional(None) => "optional.none()".to_owned(),
        Value::Optional(Some(inner)) => format!("optional.of({})", show(inner)),
        Value::Quantity(quantity) => strconv::format_float(quantity.float()),
        Value::Ip(address) => address.to_string(),
        Value::Cidr(address, bits) => format!("{address}/{bits}"),
        Value::Semver(version) => version.original().to_owned(),
        Value::Opaque => "unknown".to_owned(),
    }
}

/// A duration as so many seconds.
fn seconds(nanoseconds: i64) -> String {
    let total = nanoseconds.unsigned_abs();
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let (whole, rest) = (total / 1_000_000_000, total % 1_000_000_000);
    if rest == 0 {
        return format!("{sign}{whole}s");
    }
    let digits = format!("{rest:09}");
    format!("{sign}{whole}.{}s", digits.trim_end_matches('0'))
}
