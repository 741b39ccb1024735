//! What every Go template can call.
//!
//! Compat: `text/template/funcs.go` of Go 1.27.

use std::fmt::Write as _;

use super::printf;
use crate::gotmpl::exec::Context;
use crate::gotmpl::function::{
    CallError, CallResult, Function, Int, Rest, Signature, Special, Type, function,
};
use crate::gotmpl::value::{self, Kind, Operand, Text, Value};

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "and",
        parameters: &["value"],
        signature: Signature::variadic(Type::Reflect, 1),
        doc: "The first value that is empty, or the last one. Values behind the first empty one are not evaluated.",
        special: Special::And,
        run: |_, _| Ok(Value::Nil),
    },
    Function {
        name: "or",
        parameters: &["value"],
        signature: Signature::variadic(Type::Reflect, 1),
        doc: "The first value that is not empty, or the last one. Values behind it are not evaluated.",
        special: Special::Or,
        run: |_, _| Ok(Value::Nil),
    },
    function!(
        "not",
        not(value),
        "Whether the value is empty: false, 0, nil, or a text, list or dict without content."
    ),
    Function {
        name: "call",
        parameters: &["function", "argument"],
        signature: Signature::variadic(Type::Reflect, 1),
        doc: "Calls a function that is a value. No value that a chart sees is one.",
        special: Special::Call,
        run: call,
    },
    function!(
        "index",
        index(collection, key),
        "The item of a list, dict or text behind a chain of indexes or keys: `index .Values.list 0 \"name\"`. A key that is not there gives nil, an index out of range is an error."
    ),
    function!(
        "slice",
        slice(collection, bound),
        "Part of a list or text: `slice x 1 3` is Go's `x[1:3]`."
    ),
    function!(
        "len",
        length(collection),
        "The number of items of a list or dict, or of bytes of a text."
    ),
    function!(
        "eq",
        eq(value, other),
        "Whether the first value equals one of the others. Numbers of different types cannot be compared: `eq .Values.n 1` fails where the value came from YAML, which has only floats."
    ),
    function!("ne", ne(value, other), "Whether two values differ."),
    function!(
        "lt",
        lt(value, other),
        "Whether the first value is less than the second."
    ),
    function!(
        "le",
        le(value, other),
        "Whether the first value is less than the second, or equal."
    ),
    function!(
        "gt",
        gt(value, other),
        "Whether the first value is greater than the second."
    ),
    function!(
        "ge",
        ge(value, other),
        "Whether the first value is greater than the second, or equal."
    ),
    function!("print", with print(value), "The values as text, with blanks between those that are no texts."),
    function!("println", with println(value), "The values as text, with blanks between them and a line break at the end."),
    function!("printf", with format(layout, value), "Text by a format with Go's verbs: `%s`, `%d`, `%q`, `%v`, `%05.2f` and so on."),
    function!("html", with html(value), "The values as text, with what HTML gives a meaning escaped."),
    function!("js", with js(value), "The values as text, with what JavaScript gives a meaning escaped."),
    function!("urlquery", with urlquery(value), "The values as text, escaped for the query of an address."),
];

fn not(value: Operand) -> bool {
    !value.value.is_true()
}

fn call(_: &mut Context<'_>, arguments: &mut crate::gotmpl::function::Arguments) -> CallResult {
    let function: Operand = arguments.take();
    match function.value.type_name() {
        None => Err(CallError::new("call of nil")),
        Some(kind) => Err(CallError::new(format!(
            "non-function {} of type {kind}",
            crate::gotmpl::print::shown(&function.value)
        ))),
    }
}

/// Compat: `indexArg`.
fn index_argument(index: &Value, capacity: usize) -> CallResult<usize> {
    let number = match index {
        Value::Int(i, _) => *i,
        #[expect(clippy::cast_possible_wrap, reason = "as Go converts")]
        Value::Uint(u, _) => *u as i64,
        Value::Nil => return Err(CallError::new("cannot index slice/array with nil")),
        other => {
            return Err(CallError::new(format!(
                "cannot index slice/array with type {}",
                other.type_name().unwrap_or_default()
            )));
        }
    };
    match usize::try_from(number) {
        Ok(index) if index <= capacity => Ok(index),
        _ => Err(CallError::new(format!("index out of range: {number}"))),
    }
}

fn index(collection: Operand, keys: Rest<Operand>) -> CallResult<Operand> {
    let mut item = collection;
    if matches!(item.value, Value::Nil) {
        return Err(CallError::new("index of untyped nil"));
    }
    for key in keys.0 {
        let key = key.value;
        if matches!(item.value, Value::Nil) {
            return Err(CallError::new("index of nil pointer"));
        }
        item = Operand::plain(index_once(&item.value, &key)?);
    }
    Ok(item)
}

fn index_once(item: &Value, key: &Value) -> CallResult {
    match item {
        Value::Text(text) => {
            let at = index_argument(key, text.len())?;
            match text.as_bytes().get(at) {
                Some(byte) => Ok(Value::Uint(u64::from(*byte), value::UintType::Uint8)),
                None => Err(CallError::new("reflect: string index out of range")),
            }
        }
        Value::Map(map) => {
            let key = map_key(key)?;
            Ok(map
                .get(key.as_bytes())
                .unwrap_or_else(|| map.map_type().zero().value))
        }
        Value::Object(object) if object.kind() == Kind::Map => {
            let key = map_key(key)?;
            Ok(object
                .get(key.as_bytes())
                .unwrap_or_else(|| object.zero().value))
        }
        list => {
            let Some(items) = list.length().filter(|_| list.is_list()) else {
                return Err(CallError::new(format!(
                    "can't index item of type {}",
                    list.type_name().unwrap_or_default()
                )));
            };
            let at = index_argument(key, items)?;
            list.item(at)
                .ok_or_else(|| CallError::new("reflect: slice index out of range"))
        }
    }
}

/// The key of a map whose keys are strings.
fn map_key(key: &Value) -> CallResult<&Text> {
    match key {
        Value::Text(text) => Ok(text),
        Value::Nil => Err(CallError::new("value is nil; should be of type string")),
        other => Err(CallError::new(format!(
            "value has type {}; should be string",
            other.type_name().unwrap_or_default()
        ))),
    }
}

fn slice(collection: Operand, bounds: Rest<Operand>) -> CallResult {
    let (item, bounds) = (collection.value, bounds.0);
    if matches!(item, Value::Nil) {
        let what = if collection.boxed {
            "nil pointer"
        } else {
            "untyped nil"
        };
        return Err(CallError::new(format!("slice of {what}")));
    }
    if bounds.len() > 3 {
        return Err(CallError::new(format!(
            "too many slice indexes: {}",
            bounds.len()
        )));
    }
    let length = match &item {
        Value::Text(_) if bounds.len() == 3 => {
            return Err(CallError::new("cannot 3-index slice a string"));
        }
        Value::Text(text) => text.len(),
        list if list.is_list() => list.length().unwrap_or_default(),
        other => {
            return Err(CallError::new(format!(
                "can't slice item of type {}",
                other.type_name().unwrap_or_default()
            )));
        }
    };
    let mut cut = [0, length, length];
    for (slot, bound) in cut.iter_mut().zip(&bounds) {
        *slot = index_argument(&bound.value, length)?;
    }
    for pair in [(cut[0], cut[1]), (cut[1], cut[2])] {
        if pair.0 > pair.1 {
            return Err(CallError::new(format!(
                "invalid slice index: {} > {}",
                pair.0, pair.1
            )));
        }
    }
    Ok(item.cut(cut[0], cut[1]))
}

fn length(item: Operand) -> CallResult<Int> {
    if matches!(item.value, Value::Nil) {
        // Compat: a nil outside of an interface makes Go's function panic.
        return Err(CallError::new(if item.boxed {
            "len of nil pointer"
        } else {
            "reflect: call of reflect.Value.Type on zero Value"
        }));
    }
    match item.value.length() {
        Some(length) => Ok(Int(i64::try_from(length).unwrap_or(i64::MAX))),
        None => Err(CallError::new(format!(
            "len of type {}",
            item.value.type_name().unwrap_or_default()
        ))),
    }
}

fn eq(value: Operand, others: Rest<Operand>) -> CallResult<bool> {
    if others.0.is_empty() {
        return Err(CallError::new("missing argument for comparison"));
    }
    for other in others.0 {
        if value::equal(&value.value, &other.value)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn ne(a: Operand, b: Operand) -> CallResult<bool> {
    Ok(!value::equal(&a.value, &b.value)?)
}

fn lt(a: Operand, b: Operand) -> CallResult<bool> {
    Ok(value::less(&a.value, &b.value)?)
}

fn le(a: Operand, b: Operand) -> CallResult<bool> {
    Ok(value::less(&a.value, &b.value)? || value::equal(&a.value, &b.value)?)
}

fn gt(a: Operand, b: Operand) -> CallResult<bool> {
    Ok(!le(a, b)?)
}

fn ge(a: Operand, b: Operand) -> CallResult<bool> {
    Ok(!value::less(&a.value, &b.value)?)
}

fn print(context: &mut Context<'_>, values: Rest<Value>) -> CallResult<Text> {
    printf::print(context, &values.0)
}

fn println(context: &mut Context<'_>, values: Rest<Value>) -> CallResult<Text> {
    printf::println(context, &values.0)
}

fn format(context: &mut Context<'_>, format: Text, values: Rest<Value>) -> CallResult<Text> {
    printf::format(context, &format, &values.0)
}

/// The values as `html` and its kin take them: a single text as it is, others
/// as actions print them.
fn joined(context: &mut Context<'_>, values: Rest<Value>) -> CallResult<Text> {
    if let [Value::Text(text)] = &values.0[..] {
        return Ok(text.clone());
    }
    let values: Vec<Value> = values
        .0
        .into_iter()
        .map(|value| match value {
            Value::Nil => Value::text("<no value>"),
            value => value,
        })
        .collect();
    printf::print(context, &values)
}

fn html(context: &mut Context<'_>, values: Rest<Value>) -> CallResult<Text> {
    let text = joined(context, values)?;
    escaped(context, &text, |out, c| match c {
        '\0' => out.push('\u{FFFD}'),
        '"' => out.push_str("&#34;"),
        '\'' => out.push_str("&#39;"),
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        c => out.push(c),
    })
}

fn js(context: &mut Context<'_>, values: Rest<Value>) -> CallResult<Text> {
    let text = joined(context, values)?;
    escaped(context, &text, |out, c| {
        let code = u32::from(c);
        let _ = match c {
            '\\' => write!(out, "\\\\"),
            '\'' => write!(out, "\\'"),
            '"' => write!(out, "\\\""),
            '<' | '>' | '&' | '=' | '\0'..='\u{1f}' => write!(out, "\\u{code:04X}"),
            c if c.is_ascii() || crate::gostd::unicode::is_print(c) => write!(out, "{c}"),
            _ => write!(out, "\\u{code:04X}"),
        };
    })
}

fn urlquery(context: &mut Context<'_>, values: Rest<Value>) -> CallResult<Text> {
    let text = joined(context, values)?;
    context.take_bytes(text.len() * 3)?;
    let mut out = String::with_capacity(text.len());
    for byte in text.as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(*byte));
            }
            b' ' => out.push('+'),
            byte => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    Ok(out.into())
}

fn escaped(
    context: &mut Context<'_>,
    text: &Text,
    escape: impl Fn(&mut String, char),
) -> CallResult<Text> {
    let mut out = String::with_capacity(text.len());
    for c in text.to_str().chars() {
        escape(&mut out, c);
    }
    context.take_bytes(out.len())?;
    Ok(out.into())
}
