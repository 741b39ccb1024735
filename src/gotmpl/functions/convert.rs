//! What several families do with values of any type.

use crate::gostd::strconv;
use crate::gotmpl::exec::Context;
use crate::gotmpl::function::{CallError, CallResult};
use crate::gotmpl::print;
use crate::gotmpl::value::{IntType, List, ListType, Text, Value};

/// What Go says where a function uses a nil that it does not expect.
pub(super) const NIL_POINTER: &str =
    "runtime error: invalid memory address or nil pointer dereference";

/// A value as text: texts as they are, others as `%v`.
///
/// Compat: sprig `strings.go` `strval`.
pub(super) fn strval(context: &mut Context<'_>, value: &Value) -> CallResult<Text> {
    Ok(match value {
        Value::Text(text) => text.clone(),
        Value::Bytes(bytes) => Text::from(&bytes[..]),
        value => {
            let mut out = String::new();
            print::print(&mut out, value, &mut context.machine.meter, 0)?;
            out.into()
        }
    })
}

/// The items of a list as texts, without those that are nil; anything else as
/// one text.
///
/// Compat: sprig `strings.go` `strslice`.
pub(super) fn strslice(context: &mut Context<'_>, value: &Value) -> CallResult<List> {
    match value {
        Value::List(list) if list.list_type() == ListType::TEXTS => Ok(list.clone()),
        Value::Nil => Ok(List::texts::<Text>([])),
        value => match value.items() {
            Some(items) => {
                let mut texts = Vec::with_capacity(items.len());
                for item in items.iter().filter(|item| !matches!(item, Value::Nil)) {
                    texts.push(strval(context, item)?);
                }
                Ok(List::texts(texts))
            }
            None => Ok(List::texts([strval(context, value)?])),
        },
    }
}

/// Compat: `cast.ToInt64` of spf13/cast 1.7.0.
pub(super) fn to_int64(value: &Value) -> i64 {
    match value {
        Value::Int(_, IntType::Duration) => 0,
        Value::Int(i, _) => *i,
        #[expect(clippy::cast_possible_wrap, reason = "as Go converts")]
        Value::Uint(u, _) => *u as i64,
        Value::Float(f) => float_to_int(*f),
        Value::Bool(b) => i64::from(*b),
        Value::Text(text) => {
            let text = text.to_str();
            strconv::parse_int(without_zero_decimals(&text), 0, 64).unwrap_or_default()
        }
        _ => 0,
    }
}

/// Compat: `cast.ToFloat64` of spf13/cast 1.7.0.
#[expect(clippy::cast_precision_loss, reason = "as Go converts")]
pub(super) fn to_float64(value: &Value) -> f64 {
    match value {
        Value::Int(_, IntType::Duration) => 0.0,
        Value::Int(i, _) => *i as f64,
        Value::Uint(u, _) => *u as f64,
        Value::Float(f) => *f,
        Value::Bool(b) => f64::from(u8::from(*b)),
        Value::Text(text) => strconv::parse_float(&text.to_str(), 64).unwrap_or_default(),
        _ => 0.0,
    }
}

/// A float as an integer.
///
/// Compat: what does not fit is the smallest integer, as on amd64.
pub(super) fn float_to_int(f: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&f) {
        #[expect(clippy::cast_possible_truncation, reason = "as Go converts")]
        return f as i64;
    }
    i64::MIN
}

/// `12.00` as `12`.
fn without_zero_decimals(text: &str) -> &str {
    let trimmed = text.trim_end_matches('0');
    match trimmed.strip_suffix('.') {
        Some(whole) if trimmed.len() < text.len() => whole,
        _ => text,
    }
}

/// The length that a count asks for; negative ones are an error in Go's
/// words.
pub(super) fn count(count: i64) -> CallResult<usize> {
    usize::try_from(count).map_err(|_| CallError::new("strings: negative Repeat count"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_from_anything() {
        for (value, int, float) in [
            (Value::text("12"), 12, 12.0),
            (Value::text("12.00"), 12, 12.0),
            (Value::text("12."), 0, 12.0),
            (Value::text("12.5"), 0, 12.5),
            (Value::text("0x10"), 16, 0.0),
            (Value::text("017"), 15, 17.0),
            (Value::text("08"), 0, 8.0),
            (Value::text("1_000"), 1000, 1000.0),
            (Value::text(" 1"), 0, 0.0),
            (Value::text(""), 0, 0.0),
            (Value::Float(-1.9), -1, -1.9),
            (Value::Float(1e30), i64::MIN, 1e30),
            (Value::Bool(true), 1, 1.0),
            (Value::Nil, 0, 0.0),
            (Value::Int(5, IntType::Duration), 0, 0.0),
            (Value::Int(5, IntType::Month), 5, 5.0),
        ] {
            assert_eq!(to_int64(&value), int, "{value:?}");
            assert!((to_float64(&value) - float).abs() < 1e-9, "{value:?}");
        }
    }
}
