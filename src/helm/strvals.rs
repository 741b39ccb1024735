//! The lines of `--set` and its kin, and of `targetPath`: `a.b[0]=x,c={y,z}`.
//!
//! Compat: Helm 4.3.1 `pkg/strvals/parser.go`, `literal_parser.go`, oddities
//! included: a backslash takes the meaning from any character, `a=` at the end
//! sets an empty text, and a line that ends within a key is no error where
//! nothing was begun.

use std::iter::Peekable;
use std::str::Chars;

use crate::gostd::strconv;
use crate::gotmpl::json;
use crate::yaml::{Map, Value};

/// The largest index of a list.
const MAX_INDEX: usize = 65536;
/// How many names may be within each other.
const MAX_NAMES: usize = 30;

/// What the values of a line are.
#[derive(Clone, Copy)]
pub enum Kind<'r> {
    /// `--set`: integers, booleans and null are what they look like.
    Typed,
    /// `--set-string`: text.
    Text,
    /// `--set-file`: the content of the file that is named.
    File(&'r dyn Fn(&str) -> Result<String, String>),
    /// `--set-json`: JSON.
    Json,
    /// `--set-literal`: text up to the end, without any escapes.
    Literal,
}

/// Sets what a line says in the values.
///
/// # Errors
///
/// Helm's message; values before the fault are set.
pub fn set(values: &mut Map, line: &str, kind: Kind<'_>) -> Result<(), String> {
    let mut parser = Parser {
        rest: line.chars().peekable(),
        kind,
    };
    loop {
        match parser.key(values, 0) {
            Ok(()) => {}
            Err(Stop::End) => return Ok(()),
            Err(Stop::Fault(message)) => return Err(message),
        }
    }
}

/// Sets what a line of `--set-json` says: values at their names, or a whole
/// object that is merged.
///
/// # Errors
///
/// What is no JSON, or as [`set`].
pub fn set_json(values: &mut Map, line: &str) -> Result<(), String> {
    let trimmed = line.trim();
    if !trimmed.starts_with('{') {
        return set(values, line, Kind::Json);
    }
    match json::parse(trimmed)? {
        Value::Mapping(map) => {
            super::values::merge(values, map);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Why parsing goes no further.
enum Stop {
    /// The line is at its end.
    End,
    Fault(String),
}

type Parsed<T> = Result<T, Stop>;

fn fault<T>(message: impl Into<String>) -> Parsed<T> {
    Err(Stop::Fault(message.into()))
}

struct Parser<'t, 'r> {
    rest: Peekable<Chars<'t>>,
    kind: Kind<'r>,
}

impl Parser<'_, '_> {
    /// The text up to a character, which is taken, too; none of it at the end
    /// of the line.
    fn until(&mut self, stops: &[char]) -> (String, Option<char>) {
        let mut text = String::new();
        while let Some(c) = self.rest.next() {
            if stops.contains(&c) {
                return (text, Some(c));
            }
            if c == '\\' && !matches!(self.kind, Kind::Literal) {
                match self.rest.next() {
                    Some(escaped) => text.push(escaped),
                    None => break,
                }
            } else {
                text.push(c);
            }
        }
        (text, None)
    }

    fn key(&mut self, data: &mut Map, level: usize) -> Parsed<()> {
        let stops: &[char] = if matches!(self.kind, Kind::Literal) {
            &['=', '[', '.']
        } else {
            &['=', '[', ',', '.']
        };
        let (key, stop) = self.until(stops);
        match stop {
            None if key.is_empty() => Err(Stop::End),
            None => fault(format!("key {} has no value", strconv::quote(&key))),
            Some('[') => {
                let index = self.index()?;
                let mut list = match data.get(&*key) {
                    None => Vec::new(),
                    Some(Value::Sequence(items)) => items.clone(),
                    Some(other) => return not_a("[]interface {}", other),
                };
                let result = self.item(&mut list, index, level);
                put(data, &key, Value::Sequence(list));
                result
            }
            Some('=') => {
                let (value, result) = self.value();
                if let Some(value) = value {
                    put(data, &key, value);
                }
                result
            }
            Some(',') => {
                put(data, &key, Value::String("".into()));
                fault(format!(
                    "key {} has no value (cannot end with ,)",
                    strconv::quote(&key)
                ))
            }
            Some(_) => {
                if level + 1 > MAX_NAMES {
                    return fault(format!(
                        "value name nested level is greater than maximum supported nested level of {MAX_NAMES}"
                    ));
                }
                let mut inner = match data.get_mut(&*key) {
                    None => Map::new(),
                    Some(Value::Mapping(map)) => std::mem::take(map),
                    Some(other) => return not_a("map[string]interface {}", other),
                };
                let result = self.key(&mut inner, level + 1);
                let is_empty = inner.is_empty();
                if !is_empty || data.contains_key(&*key) {
                    put(data, &key, Value::Mapping(inner));
                }
                if result.is_ok() && is_empty {
                    return fault(format!("key map {} has no value", strconv::quote(&key)));
                }
                result
            }
        }
    }

    /// What stands behind `=`, if anything is to be set, and how it ended.
    fn value(&mut self) -> (Option<Value>, Parsed<()>) {
        match self.kind {
            Kind::Json => match self.json() {
                Ok(value) => (Some(value), Ok(())),
                Err(stop) => (None, Err(stop)),
            },
            Kind::Literal => {
                let (text, _) = self.until(&[]);
                (Some(Value::String(text.into())), Ok(()))
            }
            _ => match self.rest.peek() {
                None => (Some(Value::String("".into())), Err(Stop::End)),
                Some('{') => match self.list() {
                    Ok(items) => (Some(Value::Sequence(items)), Ok(())),
                    Err(stop) => (None, Err(stop)),
                },
                Some(_) => {
                    let (text, _) = self.until(&[',']);
                    match self.scalar(&text) {
                        Ok(value) => (Some(value), Ok(())),
                        Err(stop) => (Some(Value::Null), Err(stop)),
                    }
                }
            },
        }
    }

    /// A JSON value, or null where there is none, and the comma behind it.
    fn json(&mut self) -> Parsed<Value> {
        if self.is_value_empty() {
            return Ok(Value::Null);
        }
        let rest: String = self.rest.clone().collect();
        let (value, length) = json::parse_prefix(&rest).map_err(Stop::Fault)?;
        let read = rest.get(..length).unwrap_or_default().chars().count();
        self.rest.by_ref().take(read).for_each(drop);
        self.is_value_empty();
        Ok(value)
    }

    /// Skips blanks; and the comma behind them, or the end, if there is
    /// nothing else.
    fn is_value_empty(&mut self) -> bool {
        loop {
            match self.rest.peek() {
                None => return true,
                Some(',') => {
                    self.rest.next();
                    return true;
                }
                Some(c) if c.is_whitespace() => {
                    self.rest.next();
                }
                Some(_) => return false,
            }
        }
    }

    /// `{a,b}`
    fn list(&mut self) -> Parsed<Vec<Value>> {
        self.rest.next();
        let mut items = Vec::new();
        loop {
            let (text, stop) = self.until(&[',', '}']);
            match stop {
                None => return fault("list must terminate with '}'"),
                Some(',') => items.push(self.scalar(&text)?),
                Some(_) => {
                    self.rest.next_if_eq(&',');
                    items.push(self.scalar(&text)?);
                    return Ok(items);
                }
            }
        }
    }

    fn scalar(&self, text: &str) -> Parsed<Value> {
        Ok(match self.kind {
            Kind::Typed => typed(text),
            Kind::File(read) => Value::String(read(text).map_err(Stop::Fault)?.into()),
            _ => Value::String(text.into()),
        })
    }

    /// The number up to `]`.
    fn index(&mut self) -> Parsed<i64> {
        let (text, stop) = self.until(&[']']);
        if stop.is_none() {
            return Err(Stop::End);
        }
        strconv::atoi(&text).map_err(|e| Stop::Fault(format!("error parsing index: {e}")))
    }

    /// What stands behind `]`: sets an item of the list.
    fn item(&mut self, list: &mut Vec<Value>, index: i64, level: usize) -> Parsed<()> {
        let Ok(index) = usize::try_from(index) else {
            return fault(format!("negative {index} index not allowed"));
        };
        let (text, stop) = self.until(&['[', '.', '=']);
        if !text.is_empty() {
            let shown: Vec<String> = text.chars().map(|c| format!("'{c}'")).collect();
            return fault(format!(
                "unexpected data at end of array index: [{}]",
                shown.join(" ")
            ));
        }
        match stop {
            None => Err(Stop::End),
            Some('=') => {
                let (value, result) = self.value();
                match (value, result) {
                    (Some(value), Ok(()) | Err(Stop::End)) => put_at(list, index, value),
                    (_, result) => result,
                }
            }
            Some('[') => {
                let next = self.index()?;
                let mut inner = match list.get(index) {
                    None | Some(Value::Null) => Vec::new(),
                    Some(Value::Sequence(items)) => items.clone(),
                    Some(other) => return not_a("[]interface {}", other),
                };
                self.item(&mut inner, next, level)?;
                put_at(list, index, Value::Sequence(inner))
            }
            Some(_) => {
                let is_there = index < list.len();
                let mut inner = match list.get_mut(index) {
                    Some(Value::Mapping(map)) => std::mem::take(map),
                    _ => Map::new(),
                };
                let result = self.key(&mut inner, level);
                // What was begun is lost where the list has no such item yet.
                if is_there || result.is_ok() {
                    put_at(list, index, Value::Mapping(inner))?;
                }
                result
            }
        }
    }
}

/// Helm's message where a value is not what a key takes it for.
fn not_a<T>(wanted: &str, value: &Value) -> Parsed<T> {
    let is = match value {
        Value::Null => "nil",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int64",
        Value::Uint(_) => "uint64",
        Value::Float(_) => "float64",
        Value::String(_) => "string",
        Value::Sequence(_) => "[]interface {}",
        Value::Mapping(_) => "map[string]interface {}",
    };
    fault(format!(
        "unable to parse key: interface conversion: interface {{}} is {is}, not {wanted}"
    ))
}

fn put(data: &mut Map, key: &str, value: Value) {
    if !key.is_empty() {
        data.insert(key.into(), value);
    }
}

fn put_at(list: &mut Vec<Value>, index: usize, value: Value) -> Parsed<()> {
    if index > MAX_INDEX {
        return fault(format!(
            "index of {index} is greater than maximum supported index of {MAX_INDEX}"
        ));
    }
    if list.len() <= index {
        list.resize(index + 1, Value::Null);
    }
    if let Some(slot) = list.get_mut(index) {
        *slot = value;
    }
    Ok(())
}

fn typed(text: &str) -> Value {
    if text.eq_ignore_ascii_case("true") {
        return Value::Bool(true);
    }
    if text.eq_ignore_ascii_case("false") {
        return Value::Bool(false);
    }
    if text.eq_ignore_ascii_case("null") {
        return Value::Null;
    }
    if text == "0" {
        return Value::Int(0);
    }
    // A number with zeros before it is an id, a phone number, …
    match strconv::parse_int(text, 10, 64) {
        Ok(number) if !text.starts_with('0') => Value::Int(number),
        _ => Value::String(text.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::to_json;

    fn apply(before: &str, line: &str, kind: Kind<'_>) -> Result<String, String> {
        let mut values = match json::parse(before)? {
            Value::Mapping(map) => map,
            _ => Map::new(),
        };
        set(&mut values, line, kind)?;
        Ok(to_json(&Value::Mapping(values)))
    }

    #[test]
    fn lines() {
        for (line, want) in [
            ("a=1", r#"{"a":1}"#),
            ("a=1,b=x", r#"{"a":1,"b":"x"}"#),
            ("a.b.c=TRUE,a.d=null", r#"{"a":{"b":{"c":true},"d":null}}"#),
            (
                "a=007,b=0,c=1e3,d=-5",
                r#"{"a":"007","b":0,"c":"1e3","d":-5}"#,
            ),
            ("a={1,x,},b={}", r#"{"a":[1,"x",""],"b":[""]}"#),
            ("a[1]=x,a[0].b=y", r#"{"a":[{"b":"y"},"x"]}"#),
            ("a[0][1]=x", r#"{"a":[[null,"x"]]}"#),
            (r"a\.b=1\,2\\", r#"{"a.b":"1,2\\"}"#),
            ("a=", r#"{"a":""}"#),
            ("a=b=c", r#"{"a":"b=c"}"#),
            ("a=1,", r#"{"a":1}"#),
            ("", "{}"),
            ("=x", "{}"),
            ("a[0", "{}"),
            ("a=9223372036854775808", r#"{"a":"9223372036854775808"}"#),
        ] {
            assert_eq!(
                apply("{}", line, Kind::Typed).as_deref(),
                Ok(want),
                "{line}"
            );
        }
        let before = r#"{"a":{"b":1,"c":2}}"#;
        assert_eq!(
            apply(before, "a.b=x", Kind::Typed).unwrap(),
            r#"{"a":{"b":"x","c":2}}"#
        );
    }

    #[test]
    fn kinds() {
        assert_eq!(
            apply("{}", "a=1,b={2}", Kind::Text).unwrap(),
            r#"{"a":"1","b":["2"]}"#
        );
        assert_eq!(
            apply("{}", "a={\"b\": [1]} , c=,d[1]=\"x,y\"", Kind::Json).unwrap(),
            r#"{" c":null,"a":{"b":[1]},"d":[null,"x,y"]}"#
        );
        assert_eq!(
            apply("{}", r"a.b[0]=1,\2={x", Kind::Literal).unwrap(),
            r#"{"a":{"b":["1,\\2={x"]}}"#
        );
        let read = |path: &str| Ok(format!("<{path}>"));
        assert_eq!(
            apply("{}", "a=x,b={y}", Kind::File(&read)).unwrap(),
            r#"{"a":"\u003cx\u003e","b":["\u003cy\u003e"]}"#
        );
    }

    #[test]
    fn faults() {
        for (before, line, want) in [
            ("{}", "a", "key \"a\" has no value"),
            ("{}", "a,b=1", "key \"a\" has no value (cannot end with ,)"),
            ("{}", "a.=1", "key map \"a\" has no value"),
            ("{}", "a={1", "list must terminate with '}'"),
            (
                "{}",
                "a[x]=1",
                "error parsing index: strconv.Atoi: parsing \"x\": invalid syntax",
            ),
            ("{}", "a[-1]=1", "negative -1 index not allowed"),
            (
                "{}",
                "a[0]x=1",
                "unexpected data at end of array index: ['x']",
            ),
            (
                "{}",
                "a[70000]=1",
                "index of 70000 is greater than maximum supported index of 65536",
            ),
            (
                r#"{"a":"x"}"#,
                "a.b=1",
                "unable to parse key: interface conversion: interface {} is string, not map[string]interface {}",
            ),
            (
                r#"{"a":null}"#,
                "a[0]=1",
                "unable to parse key: interface conversion: interface {} is nil, not []interface {}",
            ),
        ] {
            assert_eq!(
                apply(before, line, Kind::Typed),
                Err(want.to_owned()),
                "{line}"
            );
        }
        let deep = "a.".repeat(31) + "b=1";
        assert!(apply("{}", &deep, Kind::Typed).is_err());
    }
}
