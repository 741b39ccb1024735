//! Values as actions print them: `fmt.Fprint`.

use super::limits::{Exhausted, Limits, Meter};
use super::value::{IntType, Value};
use crate::gostd::strconv;
use crate::yaml::MAX_DEPTH;

/// Appends what an action prints for a value.
pub(super) fn printed(out: &mut String, value: &Value, meter: &mut Meter) -> Result<(), Exhausted> {
    match value {
        Value::Object(object) => {
            out.push_str(&object.printed());
            Ok(())
        }
        value => print(out, value, meter, 0),
    }
}

/// Appends a value as `%v` has it.
pub(super) fn print(
    out: &mut String,
    value: &Value,
    meter: &mut Meter,
    depth: usize,
) -> Result<(), Exhausted> {
    if depth > MAX_DEPTH {
        // Go goes on until its stack is full.
        return Err(Exhausted::Depth);
    }
    let before = out.len();
    match value {
        Value::Nil => out.push_str("<nil>"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(i, kind) => out.push_str(&int(*i, *kind)),
        Value::Uint(u, _) => out.push_str(&u.to_string()),
        Value::Float(f) => out.push_str(&strconv::format_float(*f)),
        Value::Complex(real, imaginary) => {
            let sign = if imaginary.is_sign_negative() {
                ""
            } else {
                "+"
            };
            out.push_str(&format!(
                "({}{sign}{}i)",
                strconv::format_float(*real),
                strconv::format_float(*imaginary).trim_start_matches('+')
            ));
        }
        Value::Text(text) => out.push_str(&text.to_str()),
        Value::Bytes(bytes) => {
            meter.take_bytes(bytes.len() * 4)?;
            let items: Vec<String> = bytes.iter().map(u8::to_string).collect();
            out.push_str(&format!("[{}]", items.join(" ")));
        }
        Value::List(list) => {
            out.push('[');
            list.with(|items| {
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(' ');
                    }
                    print(out, item, meter, depth + 1)?;
                }
                Ok(())
            })?;
            out.push(']');
        }
        Value::Map(map) => {
            out.push_str("map[");
            map.with(|entries| {
                for (i, (key, value)) in entries.iter().enumerate() {
                    if i > 0 {
                        out.push(' ');
                    }
                    out.push_str(&key.to_str());
                    out.push(':');
                    print(out, value, meter, depth + 1)?;
                }
                Ok(())
            })?;
            out.push(']');
        }
        Value::Object(object) => out.push_str(&object.text()),
    }
    meter.take_bytes(out.len().saturating_sub(before))
}

/// An integer, or the name that its type has for it.
fn int(i: i64, kind: IntType) -> String {
    super::functions::int_text(i, kind).unwrap_or_else(|| i.to_string())
}

/// A value as messages show it: `%v`, cut off where it is long.
pub(crate) fn shown(value: &Value) -> String {
    let limits = Limits {
        steps: 10_000,
        bytes: 4096,
        depth: 0,
    };
    let mut out = String::new();
    if print(&mut out, value, &mut Meter::new(&limits), 0).is_err() {
        out.push_str("...");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::value::{List, Map};
    use super::*;

    #[test]
    fn as_go_prints() {
        let list = Value::from(List::any(vec![
            Value::Nil,
            Value::Bool(true),
            Value::int(-3),
            Value::Float(1e6),
            Value::Float(2.5),
            "a b".into(),
            Value::Bytes(b"ab"[..].into()),
            Value::Complex(1.0, -2.0),
        ]));
        assert_eq!(shown(&list), "[<nil> true -3 1e+06 2.5 a b [97 98] (1-2i)]");
        let map = Map::any([("b".into(), list), ("a".into(), "x".into())].into());
        assert_eq!(
            shown(&map.into()),
            "map[a:x b:[<nil> true -3 1e+06 2.5 a b [97 98] (1-2i)]]"
        );
    }

    #[test]
    fn a_map_within_itself_ends() {
        let map = Map::any([].into());
        map.change(|e| e.insert("a".into(), map.clone().into()));
        let limits = Limits::default();
        let mut out = String::new();
        let result = print(&mut out, &map.clone().into(), &mut Meter::new(&limits), 0);
        assert_eq!(result, Err(Exhausted::Depth));
        map.change(std::collections::BTreeMap::clear);
    }
}
