//! `fmt.Sprint`, `fmt.Sprintln` and `fmt.Sprintf` on values.

use std::borrow::Cow;

use crate::gostd::fmt::{self, Item, View};
use crate::gotmpl::exec::Context;
use crate::gotmpl::function::CallResult;
use crate::gotmpl::print;
use crate::gotmpl::value::{Text, UintType, Value};

/// `fmt.Sprint`: blanks stand between values that are no strings.
pub(super) fn print(context: &mut Context<'_>, values: &[Value]) -> CallResult<Text> {
    let mut out = Vec::new();
    let mut after_text = true;
    for (i, value) in values.iter().enumerate() {
        let is_text = matches!(value, Value::Text(_));
        if i > 0 && !is_text && !after_text {
            out.push(b' ');
        }
        push(context, &mut out, value)?;
        after_text = is_text;
    }
    context.take_bytes(out.len())?;
    Ok(out.into())
}

/// `fmt.Sprintln`: blanks stand between all values.
pub(super) fn println(context: &mut Context<'_>, values: &[Value]) -> CallResult<Text> {
    let mut out = Vec::new();
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            out.push(b' ');
        }
        push(context, &mut out, value)?;
    }
    out.push(b'\n');
    context.take_bytes(out.len())?;
    Ok(out.into())
}

fn push(context: &mut Context<'_>, out: &mut Vec<u8>, value: &Value) -> CallResult<()> {
    if let Value::Text(text) = value {
        context.take_bytes(text.len())?;
        out.extend_from_slice(text.as_bytes());
        return Ok(());
    }
    let mut text = String::new();
    print::print(&mut text, value, &mut context.machine.meter, 0)?;
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// `fmt.Sprintf`
pub(super) fn format(
    context: &mut Context<'_>,
    layout: &Text,
    values: &[Value],
) -> CallResult<Text> {
    let layout = layout.to_str();
    context.take_bytes(padding(&layout, values))?;
    for value in values {
        // What nests too deep, or in itself, ends here, and what is large is
        // paid for.
        let mut text = String::new();
        print::print(&mut text, value, &mut context.machine.meter, 0)?;
    }
    let printed: Vec<Printed<'_>> = values.iter().map(Printed::of).collect();
    let args: Vec<&dyn fmt::Value> = printed.iter().map(|p| p as &dyn fmt::Value).collect();
    let out = fmt::sprintf(&layout, &args);
    context.take_bytes(out.len())?;
    Ok(out.into())
}

/// The most that widths and precisions can add.
fn padding(layout: &str, values: &[Value]) -> usize {
    let mut sum = 0usize;
    for verb in layout.split('%').skip(1) {
        let numbers = verb.split(|c: char| !c.is_ascii_digit());
        let widths = numbers.take(4).filter_map(|n| n.parse::<usize>().ok());
        sum = widths.fold(sum, |sum, n| sum.saturating_add(n.min(1_000_000)));
        if verb
            .trim_start_matches(['-', '+', '#', ' ', '0', '.'])
            .starts_with(['*', '['])
        {
            let stars = values.iter().map(|value| match value {
                Value::Int(i, _) => usize::try_from(i.unsigned_abs()).unwrap_or(usize::MAX),
                _ => 0,
            });
            sum = sum.saturating_add(stars.max().unwrap_or_default().min(1_000_000));
        }
    }
    sum
}

/// A value as `fmt` sees it.
struct Printed<'v> {
    value: Cow<'v, Value>,
    /// The text of a string, made readable.
    text: Option<Cow<'v, str>>,
}

impl<'v> Printed<'v> {
    fn of(value: &'v Value) -> Printed<'v> {
        Printed {
            value: Cow::Borrowed(value),
            text: match value {
                Value::Text(text) => Some(text.to_str()),
                _ => None,
            },
        }
    }

    fn owned(value: Value) -> Printed<'static> {
        let text = match &value {
            Value::Text(text) => Some(Cow::Owned(text.to_string())),
            _ => None,
        };
        Printed {
            value: Cow::Owned(value),
            text,
        }
    }

    fn item(value: Value) -> Item<'static> {
        Item::Own(Box::new(Printed::owned(value)))
    }
}

impl fmt::Value for Printed<'_> {
    fn view(&self) -> View<'_> {
        match &*self.value {
            Value::Nil => View::Nil,
            Value::Bool(b) => View::Bool(*b),
            Value::Int(i, _) => View::Int(*i),
            Value::Uint(u, UintType::Uint8 | UintType::Uint32 | UintType::Uint64) => View::Uint(*u),
            Value::Float(f) => View::Float(*f),
            Value::Complex(..) => View::Opaque,
            Value::Text(_) => View::Str(self.text.as_deref().unwrap_or_default()),
            Value::Bytes(bytes) => View::Bytes(bytes),
            Value::List(list) => View::List(list.to_vec().into_iter().map(Printed::item).collect()),
            Value::Map(map) => View::Map(
                map.to_entries()
                    .into_iter()
                    .map(|(key, value)| (Printed::item(Value::Text(key)), Printed::item(value)))
                    .collect(),
            ),
            Value::Object(object) => object.view(),
        }
    }

    fn type_name(&self) -> Cow<'_, str> {
        self.value.type_name().unwrap_or("<nil>").into()
    }

    fn text(&self) -> Option<Cow<'_, str>> {
        match &*self.value {
            Value::Object(object) if object.is_stringer() => Some(object.text().into()),
            Value::Int(i, kind) => super::int_text(*i, *kind).map(Cow::Owned),
            Value::Complex(..) => Some(print::shown(&self.value).into()),
            _ => None,
        }
    }
}

/// Keys and values of an object, to be printed.
pub(crate) fn items(entries: Vec<(Value, Value)>) -> Vec<(Item<'static>, Item<'static>)> {
    entries
        .into_iter()
        .map(|(key, value)| (Printed::item(key), Printed::item(value)))
        .collect()
}

/// A value of an object, to be printed.
pub(crate) fn item(value: Value) -> Item<'static> {
    Printed::item(value)
}
