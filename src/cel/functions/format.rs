//! `"…".format([…])`

use super::{Failure, Meter, Result, convert};
use crate::cel::value::Value;
use crate::gostd::strconv::{self, FloatVerb};

/// Fills the clauses of a text: `%s`, `%d`, `%f`, `%e`, `%b`, `%o`, `%x`,
/// `%X`, with a precision for floats, and `%%`.
pub(super) fn format(text: &str, arguments: &[Value], meter: &mut Meter<'_>) -> Result<String> {
    let mut out = String::new();
    let mut rest = text;
    let mut arguments = arguments.iter();
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let clause = &rest[at + 1..];
        let digits = clause.strip_prefix('.').map(|digits| {
            let end = digits.find(|c: char| !c.is_ascii_digit());
            &digits[..end.unwrap_or(digits.len())]
        });
        let precision = digits.and_then(|digits| digits.parse::<usize>().ok());
        let after = &clause[digits.map_or(0, |digits| digits.len() + 1)..];
        let Some(verb) = after.chars().next() else {
            return Err(Failure::new("a format ends in `%`"));
        };
        rest = &after[verb.len_utf8()..];
        if verb == '%' {
            out.push('%');
            continue;
        }
        let Some(argument) = arguments.next() else {
            return Err(Failure::new("a format has more clauses than arguments"));
        };
        let filled = fill(verb, precision.unwrap_or(6).min(1_000), argument)?;
        meter.spend((filled.len() / 10) as u64)?;
        out.push_str(&filled);
    }
    out.push_str(rest);
    Ok(out)
}

fn fill(verb: char, precision: usize, argument: &Value) -> Result<String> {
    let refuse = || Failure::no_overload(&format!("%{verb}"), &[argument]);
    Ok(match (verb, argument) {
        ('s', value) => nested(value, false),
        ('d', Value::Int(_) | Value::Uint(_)) => convert::show(argument),
        ('d' | 'f' | 'e', Value::Double(d)) if !d.is_finite() => convert::show(argument),
        ('f', Value::Double(d)) => {
            strconv::format_float_as(*d, FloatVerb::Fixed, Some(precision), 64)
        }
        ('e', Value::Double(d)) => strconv::format_float_as(
            *d,
            FloatVerb::Scientific { upper: false },
            Some(precision),
            64,
        ),
        ('b', Value::Bool(b)) => u8::from(*b).to_string(),
        ('b', Value::Int(i)) => signed(*i, |u| format!("{u:b}")),
        ('b', Value::Uint(u)) => format!("{u:b}"),
        ('o', Value::Int(i)) => signed(*i, |u| format!("{u:o}")),
        ('o', Value::Uint(u)) => format!("{u:o}"),
        ('x', Value::Int(i)) => signed(*i, |u| format!("{u:x}")),
        ('x', Value::Uint(u)) => format!("{u:x}"),
        ('x', Value::String(text)) => hex::encode(&**text),
        ('x', Value::Bytes(bytes)) => hex::encode(bytes),
        ('X', Value::Int(i)) => signed(*i, |u| format!("{u:X}")),
        ('X', Value::Uint(u)) => format!("{u:X}"),
        ('X', Value::String(text)) => hex::encode_upper(&**text),
        ('X', Value::Bytes(bytes)) => hex::encode_upper(bytes),
        _ => return Err(refuse()),
    })
}

fn signed(value: i64, digits: fn(u64) -> String) -> String {
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}", digits(value.unsigned_abs()))
}

/// A value as `%s` has it; text within lists and maps is quoted.
fn nested(value: &Value, inner: bool) -> String {
    match value {
        Value::String(text) if inner => strconv::quote(text),
        Value::List(list) => {
            let items: Vec<String> = list.items.iter().map(|v| nested(v, true)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(map) => {
            let entries = map.iter();
            let entries: Vec<String> = entries
                .map(|(key, v)| format!("{}:{}", nested(&key.value(), true), nested(v, true)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        other => convert::show(other),
    }
}
