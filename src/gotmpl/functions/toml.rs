//! TOML from and to values.
//!
//! Compat: Helm 4.3.1 `pkg/engine/funcs.go`; `BurntSushi/toml` 1.6.0: tables
//! come behind what stands directly in a table, two blanks for each level.
//! Messages for text that is no TOML are of another parser.

use std::rc::Rc;

use toml::de::{DeTable, DeValue};

use super::dates::{Moment, time_of};
use crate::gostd::strconv::{FloatVerb, format_float_as};
use crate::gostd::time::{Time, Zone};
use crate::gotmpl::exec::Context;
use crate::gotmpl::function::{CallError, CallResult, Function, function};
use crate::gotmpl::limits::{Exhausted, Meter};
use crate::gotmpl::value::{Entries, IntType, List, ListType, Map, Text, Value};

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    function!("toToml", with to_toml(value), "The value, a dict, as TOML; what is wrong with it where it cannot be written."),
    function!("mustToToml", with must_to_toml(value), "As `toToml`; an error where it cannot be written."),
    function!("fromToml", with from_toml(text), "The dict that TOML text holds; one with the key `Error` where it holds none."),
];

/// What Go says of nil.
const NIL: &str = "reflect: call of reflect.Value.Type on zero Value";

/// How deep values may nest.
const MAX_DEPTH: usize = 1000;

/// The names of the zones that times without one are in.
const LOCAL_DATE_TIME: &str = "datetime-local";
const LOCAL_DATE: &str = "date-local";
const LOCAL_TIME: &str = "time-local";

/// Compat: Go's library knows what to say of everything but nil.
fn to_toml(context: &mut Context<'_>, value: Value) -> CallResult<String> {
    if matches!(value, Value::Nil) {
        return Err(CallError::new(NIL));
    }
    match must_to_toml(context, value) {
        Err(CallError::Message(message)) => Ok(message),
        other => other,
    }
}

fn must_to_toml(context: &mut Context<'_>, value: Value) -> CallResult<String> {
    let mut writer = Writer {
        out: String::new(),
        counted: 0,
        meter: &mut context.machine.meter,
    };
    let mut path = Vec::new();
    writer.entry(&mut path, &value)?;
    writer.count()?;
    Ok(writer.out)
}

/// What TOML takes a value for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nil,
    Table,
    Tables,
    Other,
}

struct Writer<'m> {
    out: String,
    /// How much of it is counted.
    counted: usize,
    meter: &'m mut Meter,
}

impl Writer<'_> {
    /// Counts what was written; twice, since a text that grows is moved.
    fn count(&mut self) -> CallResult<()> {
        let written = self.out.len() - self.counted;
        self.counted = self.out.len();
        Ok(self.meter.take_bytes(16 + written * 2)?)
    }

    /// A value at a path: a table, or a line of a table.
    fn entry(&mut self, path: &mut Vec<Text>, value: &Value) -> CallResult<()> {
        if path.len() > MAX_DEPTH {
            return Err(Exhausted::Depth.into());
        }
        match (kind(value)?, value) {
            (Kind::Nil, Value::Nil) if path.is_empty() => Err(CallError::new(NIL)),
            (Kind::Nil, _) => Ok(()),
            (Kind::Table, _) => {
                if path.len() == 1 && !self.out.is_empty() {
                    self.out.push('\n');
                }
                if let Some(last) = path.len().checked_sub(1) {
                    self.indent(last);
                    self.out.push('[');
                    self.path(path);
                    self.out.push_str("]\n");
                }
                self.table(path, value)
            }
            (Kind::Tables, list) => {
                if path.is_empty() {
                    return Err(CallError::new(
                        "toml: top-level values must be Go maps or structs",
                    ));
                }
                for table in list.items().unwrap_or_default() {
                    if !self.out.is_empty() {
                        self.out.push('\n');
                    }
                    self.indent(path.len() - 1);
                    self.out.push_str("[[");
                    self.path(path);
                    self.out.push_str("]]\n");
                    self.table(path, &table)?;
                }
                Ok(())
            }
            (Kind::Other, value) => {
                let Some((key, above)) = path.split_last() else {
                    return self.element(value, 0);
                };
                self.indent(above.len());
                self.key(key);
                self.out.push_str(" = ");
                self.element(value, path.len())?;
                self.out.push('\n');
                Ok(())
            }
        }
    }

    /// The entries of a table, those that are tables themselves last.
    fn table(&mut self, path: &mut Vec<Text>, value: &Value) -> CallResult<()> {
        let (direct, below) = parts(value)?;
        for (key, value) in direct.into_iter().chain(below) {
            self.count()?;
            path.push(key);
            let result = self.entry(path, &value);
            path.pop();
            result?;
        }
        Ok(())
    }

    /// A value within a line.
    fn element(&mut self, value: &Value, depth: usize) -> CallResult<()> {
        if depth > MAX_DEPTH {
            return Err(Exhausted::Depth.into());
        }
        self.count()?;
        match value {
            Value::Bool(b) => self.out.push_str(&b.to_string()),
            Value::Int(i, IntType::Duration) => {
                let text = crate::gostd::duration::format(*i);
                self.quoted(&text);
            }
            Value::Int(i, _) => self.out.push_str(&i.to_string()),
            Value::Uint(u, _) => self.out.push_str(&u.to_string()),
            Value::Float(f) => self.out.push_str(&float(*f)),
            Value::Text(text) => self.quoted(&text.to_str()),
            Value::Map(_) => {
                let (direct, below) = parts(value)?;
                self.out.push('{');
                let more_below = !below.is_empty();
                // Compat: a comma stands before an entry that is left out, too.
                for (group, entries) in [direct, below].into_iter().enumerate() {
                    let last = entries.len().saturating_sub(1);
                    for (i, (key, value)) in entries.into_iter().enumerate() {
                        if value.is_nil() {
                            continue;
                        }
                        self.key(&key);
                        self.out.push_str(" = ");
                        self.element(&value, depth + 1)?;
                        if i != last || group == 0 && more_below {
                            self.out.push_str(", ");
                        }
                    }
                }
                self.out.push('}');
            }
            Value::Object(object) => match time_of(value) {
                Some(time) => self.out.push_str(&time_text(time)),
                None => self.quoted(&object.text()),
            },
            list => match list.items() {
                Some(items) => {
                    self.out.push('[');
                    for (i, item) in items.iter().enumerate() {
                        if i > 0 {
                            self.out.push_str(", ");
                        }
                        self.element(item, depth + 1)?;
                    }
                    self.out.push(']');
                }
                None => {
                    return Err(CallError::new(format!(
                        "unexpected type: {}",
                        list.type_name().unwrap_or("<nil>")
                    )));
                }
            },
        }
        Ok(())
    }

    fn indent(&mut self, levels: usize) {
        self.out.extend(std::iter::repeat_n("  ", levels));
    }

    fn path(&mut self, path: &[Text]) {
        for (i, key) in path.iter().enumerate() {
            if i > 0 {
                self.out.push('.');
            }
            self.key(key);
        }
    }

    fn key(&mut self, key: &Text) {
        let is_bare = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        if !key.is_empty() && key.as_bytes().iter().all(is_bare) {
            self.out.push_str(&key.to_str());
        } else {
            self.quoted(&key.to_str());
        }
    }

    fn quoted(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\u{8}' => self.out.push_str("\\b"),
                '\t' => self.out.push_str("\\t"),
                '\n' => self.out.push_str("\\n"),
                '\u{c}' => self.out.push_str("\\f"),
                '\r' => self.out.push_str("\\r"),
                '\0'..' ' | '\u{7f}' => {
                    self.out.push_str(&format!("\\u{:04x}", u32::from(c)));
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}

/// Keys and values.
type Group = Vec<(Text, Value)>;

/// The entries of a table: those that stand in it, and those that are tables.
fn parts(value: &Value) -> CallResult<(Group, Group)> {
    let Value::Map(map) = value else {
        return Ok((Group::new(), Group::new()));
    };
    let (mut direct, mut below) = (Group::new(), Group::new());
    for (key, value) in map.to_entries() {
        match kind(&value)? {
            Kind::Table | Kind::Tables => below.push((key, value)),
            Kind::Nil | Kind::Other => direct.push((key, value)),
        }
    }
    Ok((direct, below))
}

fn kind(value: &Value) -> CallResult<Kind> {
    if value.is_nil() {
        return Ok(Kind::Nil);
    }
    if matches!(value, Value::Map(_)) {
        return Ok(Kind::Table);
    }
    let Value::List(list) = value else {
        return Ok(Kind::Other);
    };
    let items = list.to_vec();
    let mut are_tables = !items.is_empty();
    for item in &items {
        match kind(item)? {
            Kind::Nil => {
                return Err(CallError::new("toml: cannot encode array with nil element"));
            }
            Kind::Table => {}
            Kind::Tables | Kind::Other => are_tables = false,
        }
    }
    Ok(if are_tables {
        Kind::Tables
    } else {
        Kind::Other
    })
}

fn float(f: f64) -> String {
    if f.is_nan() {
        return "nan".to_owned();
    }
    if f.is_infinite() {
        return if f < 0.0 { "-inf" } else { "inf" }.to_owned();
    }
    let text = format_float_as(f, FloatVerb::General { upper: false }, None, 64);
    if text.contains(['e', '.']) {
        text
    } else {
        text + ".0"
    }
}

fn time_text(time: &Time) -> String {
    let layout = match time.zone() {
        Zone::Fixed(name, _) => match &**name {
            LOCAL_DATE_TIME => "2006-01-02T15:04:05.999999999",
            LOCAL_DATE => "2006-01-02",
            LOCAL_TIME => "15:04:05.999999999",
            _ => "2006-01-02T15:04:05.999999999Z07:00",
        },
        _ => "2006-01-02T15:04:05.999999999Z07:00",
    };
    time.format(layout)
}

fn from_toml(context: &mut Context<'_>, text: Text) -> CallResult<Map> {
    super::data::take_nodes(context, &text, b"=,[{.", 320)?;
    let text = text.to_str();
    let read = DeTable::parse(&text)
        .map_err(|e| toml_message(&text, &e))
        .and_then(|table| table_value(&text, table.get_ref()));
    Ok(read.unwrap_or_else(|message| Map::any([("Error".into(), Value::text(message))].into())))
}

fn toml_message(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.unwrap_or_default().matches('\n').count() + 1;
    format!("toml: line {line}: {}", error.message())
}

fn table_value(text: &str, table: &DeTable<'_>) -> Result<Map, String> {
    let entries: Entries = table
        .iter()
        .map(|(key, value)| {
            let value = value_of(text, value.get_ref())?;
            Ok((Text::from(key.get_ref().to_string()), value))
        })
        .collect::<Result<_, String>>()?;
    Ok(Map::any(entries))
}

/// Compat: a list of tables with headlines of their own has that type.
fn value_of(source: &str, value: &DeValue<'_>) -> Result<Value, String> {
    Ok(match value {
        DeValue::String(text) => Value::text(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map(Value::int64)
            .map_err(|_| format!("toml: {number} is out of range for int64"))?,
        DeValue::Float(number) => match number.as_str().trim_start_matches(['+', '-']) {
            "inf" if number.as_str().starts_with('-') => Value::Float(f64::NEG_INFINITY),
            "inf" => Value::Float(f64::INFINITY),
            "nan" => Value::Float(f64::NAN),
            _ => (number.as_str().parse().map(Value::Float))
                .map_err(|_| format!("toml: {number} is no float"))?,
        },
        DeValue::Boolean(b) => Value::Bool(*b),
        DeValue::Datetime(datetime) => {
            let text = datetime.to_string();
            let (layout, zone) = match (datetime.date, datetime.time, datetime.offset) {
                (Some(_), Some(_), Some(_)) => ("2006-01-02T15:04:05Z07:00", Zone::Utc),
                (Some(_), Some(_), None) => (
                    "2006-01-02T15:04:05",
                    Zone::Fixed(LOCAL_DATE_TIME.into(), 0),
                ),
                (Some(_), None, _) => ("2006-01-02", Zone::Fixed(LOCAL_DATE.into(), 0)),
                (None, ..) => ("15:04:05", Zone::Fixed(LOCAL_TIME.into(), 0)),
            };
            let time = Time::parse(layout, &text, &zone).map_err(|e| e.to_string())?;
            Value::Object(Rc::new(Moment(time)))
        }
        DeValue::Array(items) => {
            let values = items
                .iter()
                .map(|item| value_of(source, item.get_ref()))
                .collect::<Result<Vec<_>, String>>()?;
            let is_headline = items.iter().next().is_some_and(|item| {
                let begin = source.get(item.span().start..).unwrap_or_default();
                item.get_ref().is_table() && begin.starts_with('[')
            });
            let list_type = if is_headline {
                ListType::MAPS
            } else {
                ListType::ANY
            };
            List::new(list_type, values).into()
        }
        DeValue::Table(table) => table_value(source, table)?.into(),
    })
}
