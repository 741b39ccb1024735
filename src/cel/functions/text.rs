//! Text. Characters are counted, not bytes.

use super::{Failure, Function, Meter, Result, format};
use crate::cel::value::Value;
use crate::gostd::regexp::Regexp;
use crate::gostd::strconv;

pub(super) fn call(
    function: Function,
    arguments: &[Value],
    meter: &mut Meter<'_>,
) -> Option<Result<Value>> {
    if let (Function::Join, [Value::List(list), rest @ ..]) = (function, arguments) {
        let delimiter = match rest {
            [] => "",
            [Value::String(text)] => text,
            _ => return None,
        };
        return Some(join(&list.items, delimiter, meter));
    }
    let [Value::String(text), rest @ ..] = arguments else {
        return None;
    };
    Some(match (function, rest) {
        (Function::Contains, [Value::String(part)]) => Ok(text.contains(&**part).into()),
        (Function::StartsWith, [Value::String(part)]) => Ok(text.starts_with(&**part).into()),
        (Function::EndsWith, [Value::String(part)]) => Ok(text.ends_with(&**part).into()),
        (Function::Matches, [Value::String(pattern)]) => {
            with_pattern(pattern, meter, |regexp| regexp.is_match(text).into())
        }
        (Function::Find, [Value::String(pattern)]) => with_pattern(pattern, meter, |regexp| {
            let found = regexp.find(text).and_then(|range| text.get(range));
            found.unwrap_or_default().into()
        }),
        (Function::FindAll, [Value::String(pattern), rest @ ..]) => {
            let limit = match rest {
                [] => usize::MAX,
                [Value::Int(limit)] => usize::try_from(*limit).unwrap_or(usize::MAX),
                _ => return None,
            };
            with_pattern(pattern, meter, |regexp| {
                let found = regexp.find_all(text).take(limit);
                let found: Vec<Value> = found
                    .filter_map(|range| text.get(range))
                    .map(Value::from)
                    .collect();
                found.into()
            })
        }
        (Function::CharAt, [Value::Int(at)]) => char_at(text, *at),
        (Function::IndexOf, [Value::String(part), rest @ ..]) => {
            let from = offset(rest)?;
            index_of(text, part, from)
        }
        (Function::LastIndexOf, [Value::String(part), rest @ ..]) => {
            let until = offset(rest)?;
            last_index_of(text, part, until)
        }
        (Function::LowerAscii, []) => Ok(text.to_ascii_lowercase().into()),
        (Function::UpperAscii, []) => Ok(text.to_ascii_uppercase().into()),
        (Function::Replace, [Value::String(old), Value::String(new), rest @ ..]) => {
            let limit = offset(rest)?;
            replace(text, old, new, limit, meter)
        }
        (Function::Split, [Value::String(separator), rest @ ..]) => {
            let limit = offset(rest)?;
            Ok(split(text, separator, limit))
        }
        (Function::Substring, [Value::Int(from), rest @ ..]) => {
            let until = offset(rest)?;
            substring(text, *from, until)
        }
        (Function::Trim, []) => Ok(text.trim().into()),
        (Function::Reverse, []) => Ok(text.chars().rev().collect::<String>().into()),
        (Function::Quote, []) => Ok(strconv::quote(text).into()),
        (Function::Format, [Value::List(list)]) => {
            format::format(text, &list.items, meter).map(Value::from)
        }
        _ => return None,
    })
}

fn with_pattern(
    pattern: &str,
    meter: &mut Meter<'_>,
    use_it: impl FnOnce(&Regexp) -> Value,
) -> Result<Value> {
    match &*meter.pattern(pattern)? {
        Ok(regexp) => Ok(use_it(regexp)),
        Err(e) => Err(Failure::new(e.to_string())),
    }
}

/// An integer that may be missing; none where there is something else.
#[expect(clippy::option_option, reason = "missing, and not what it should be")]
fn offset(arguments: &[Value]) -> Option<Option<i64>> {
    match arguments {
        [] => Some(None),
        [Value::Int(offset)] => Some(Some(*offset)),
        _ => None,
    }
}

fn out_of_range(at: i64) -> Failure {
    Failure::new(format!("index out of range: {at}"))
}

/// The byte at which a character begins; the end counts as one.
fn byte_of(text: &str, at: i64) -> Option<usize> {
    let at = usize::try_from(at).ok()?;
    let mut places = text
        .char_indices()
        .map(|(byte, _)| byte)
        .chain([text.len()]);
    places.nth(at)
}

fn chars_before(text: &str, byte: usize) -> i64 {
    let count = text.get(..byte).map_or(0, |before| before.chars().count());
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn char_at(text: &str, at: i64) -> Result<Value> {
    let byte = byte_of(text, at).ok_or_else(|| out_of_range(at))?;
    let c = text.get(byte..).and_then(|rest| rest.chars().next());
    Ok(c.map(String::from).unwrap_or_default().into())
}

fn index_of(text: &str, part: &str, from: Option<i64>) -> Result<Value> {
    let from = from.unwrap_or(0);
    if part.is_empty() {
        return Ok(Value::Int(from));
    }
    let byte = byte_of(text, from).ok_or_else(|| out_of_range(from))?;
    let found = text.get(byte..).and_then(|rest| rest.find(part));
    Ok(Value::Int(
        found.map_or(-1, |at| chars_before(text, byte + at)),
    ))
}

fn last_index_of(text: &str, part: &str, until: Option<i64>) -> Result<Value> {
    let end = chars_before(text, text.len());
    if part.is_empty() {
        return Ok(Value::Int(until.unwrap_or(end)));
    }
    let until = until.unwrap_or(end);
    let byte = byte_of(text, until).ok_or_else(|| out_of_range(until))?;
    // The last place at which it begins, no later than asked for.
    let within = (byte + part.len()).min(text.len());
    let mut found = text
        .match_indices(part)
        .map(|(at, _)| at)
        .take_while(|at| *at <= byte)
        .last();
    if let Some(within) = text.get(..within) {
        found = found.max(within.rfind(part));
    }
    Ok(Value::Int(found.map_or(-1, |at| chars_before(text, at))))
}

fn replace(
    text: &str,
    old: &str,
    new: &str,
    limit: Option<i64>,
    meter: &mut Meter<'_>,
) -> Result<Value> {
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    let count = text.matches(old).count().min(limit.unwrap_or(usize::MAX));
    meter.spend((count * new.len() / 10) as u64)?;
    Ok(match limit {
        Some(limit) => text.replacen(old, new, limit).into(),
        None => text.replace(old, new).into(),
    })
}

fn split(text: &str, separator: &str, limit: Option<i64>) -> Value {
    let limit = match limit {
        Some(0) => return Vec::new().into(),
        Some(limit) => usize::try_from(limit).unwrap_or(usize::MAX),
        None => usize::MAX,
    };
    let parts: Vec<Value> = if separator.is_empty() {
        // Between all characters.
        let mut parts: Vec<String> = text.chars().map(String::from).collect();
        if parts.len() > limit {
            let rest = parts.split_off(limit - 1).concat();
            parts.push(rest);
        }
        parts.into_iter().map(Value::from).collect()
    } else {
        text.splitn(limit, separator).map(Value::from).collect()
    };
    parts.into()
}

fn substring(text: &str, from: i64, until: Option<i64>) -> Result<Value> {
    let start = byte_of(text, from).ok_or_else(|| out_of_range(from))?;
    let end = match until {
        Some(until) => byte_of(text, until).ok_or_else(|| out_of_range(until))?,
        None => text.len(),
    };
    let part = text.get(start..end);
    part.map(Value::from).ok_or_else(|| {
        Failure::new(format!(
            "invalid substring range: {from} to {}",
            until.unwrap_or(0)
        ))
    })
}

fn join(items: &[Value], delimiter: &str, meter: &mut Meter<'_>) -> Result<Value> {
    let mut out = String::new();
    for (i, item) in items.iter().enumerate() {
        let Value::String(text) = item else {
            return Err(Failure::no_overload("join", &[item]));
        };
        meter.spend(((text.len() + delimiter.len()) / 10) as u64)?;
        if i > 0 {
            out.push_str(delimiter);
        }
        out.push_str(text);
    }
    Ok(out.into())
}
