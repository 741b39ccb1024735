//! Lists and sets.

use std::cmp::Ordering;
use std::sync::Arc;

use super::convert::some;
use super::{Failure, Function, Meter, Result};
use crate::cel::value::{List, ListKind, Value, compare};

pub(super) fn call(
    function: Function,
    arguments: &[Value],
    meter: &mut Meter<'_>,
) -> Option<Result<Value>> {
    if let (Function::Range, [Value::Int(count)]) = (function, arguments) {
        return Some(range(*count, meter));
    }
    let [Value::List(list), rest @ ..] = arguments else {
        return None;
    };
    let items = &list.items;
    Some(match (function, rest) {
        (Function::IsSorted, []) => is_sorted(items),
        (Function::Sum, []) => sum(items),
        (Function::Min, []) => extreme(items, "min", Ordering::Less),
        (Function::Max, []) => extreme(items, "max", Ordering::Greater),
        (Function::IndexOf, [item]) => position(items.iter().enumerate(), item, meter),
        (Function::LastIndexOf, [item]) => position(items.iter().enumerate().rev(), item, meter),
        (Function::Slice, [Value::Int(from), Value::Int(until)]) => slice(items, *from, *until),
        (Function::Flatten, []) => flatten(items, 1, meter).map(Value::from),
        (Function::Flatten, [Value::Int(depth)]) => {
            if *depth < 0 {
                return Some(Err(Failure::new("the depth of `flatten` is negative")));
            }
            flatten(items, *depth, meter).map(Value::from)
        }
        (Function::Sort, []) => sort(items.clone(), items),
        (Function::Reverse, []) => Ok(items.iter().rev().cloned().collect::<Vec<_>>().into()),
        (Function::Distinct, []) => distinct(items, meter),
        (Function::First, []) => Ok(items
            .first()
            .map_or(Value::Optional(None), |v| some(v.clone()))),
        (Function::Last, []) => Ok(items
            .last()
            .map_or(Value::Optional(None), |v| some(v.clone()))),
        (Function::SetsContains, [Value::List(other)]) => contains_all(items, &other.items, meter),
        (Function::SetsEquivalent, [Value::List(other)]) => {
            match contains_all(items, &other.items, meter) {
                Ok(Value::Bool(true)) => contains_all(&other.items, items, meter),
                result => result,
            }
        }
        (Function::SetsIntersects, [Value::List(other)]) => {
            let found = other.items.iter().map(|item| has(items, item, meter));
            any(found)
        }
        _ => return None,
    })
}

fn range(count: i64, meter: &mut Meter<'_>) -> Result<Value> {
    meter.spend(u64::try_from(count).unwrap_or(0))?;
    Ok((0..count).map(Value::Int).collect::<Vec<_>>().into())
}

fn order(a: &Value, b: &Value) -> Result<Ordering> {
    compare(a, b).ok_or_else(|| Failure::no_overload("<", &[a, b]))
}

fn is_sorted(items: &[Value]) -> Result<Value> {
    for pair in items.windows(2) {
        if let [a, b] = pair
            && order(a, b)?.is_gt()
        {
            return Ok(Value::Bool(false));
        }
    }
    Ok(Value::Bool(true))
}

fn sum(items: &[Value]) -> Result<Value> {
    let mut total: Option<Value> = None;
    for item in items {
        let next = match (&total, item) {
            (None, Value::Int(_) | Value::Uint(_) | Value::Double(_) | Value::Duration(_)) => {
                Some(item.clone())
            }
            (Some(Value::Int(a)), Value::Int(b)) => a.checked_add(*b).map(Value::Int),
            (Some(Value::Uint(a)), Value::Uint(b)) => a.checked_add(*b).map(Value::Uint),
            (Some(Value::Double(a)), Value::Double(b)) => Some(Value::Double(a + b)),
            (Some(Value::Duration(a)), Value::Duration(b)) => {
                a.checked_add(*b).map(Value::Duration)
            }
            (_, other) => return Err(Failure::no_overload("sum", &[other])),
        };
        total = Some(next.ok_or_else(|| Failure::new("a number does not fit"))?);
    }
    Ok(total.unwrap_or(Value::Int(0)))
}

fn extreme(items: &[Value], name: &str, wanted: Ordering) -> Result<Value> {
    let mut best: Option<&Value> = None;
    for item in items {
        best = match best {
            Some(known) if order(item, known)? != wanted => Some(known),
            _ => Some(item),
        };
    }
    best.cloned()
        .ok_or_else(|| Failure::new(format!("`{name}` of an empty list")))
}

fn position<'v>(
    items: impl Iterator<Item = (usize, &'v Value)>,
    wanted: &Value,
    meter: &mut Meter<'_>,
) -> Result<Value> {
    for (i, item) in items {
        if meter.equal(item, wanted)? {
            return Ok(Value::Int(i64::try_from(i).unwrap_or(i64::MAX)));
        }
    }
    Ok(Value::Int(-1))
}

fn slice(items: &[Value], from: i64, until: i64) -> Result<Value> {
    let range = usize::try_from(from).ok().zip(usize::try_from(until).ok());
    let part = range.and_then(|(from, until)| items.get(from..until));
    part.map(|part| part.to_vec().into())
        .ok_or_else(|| Failure::new(format!("invalid slice range: {from} to {until}")))
}

fn flatten(items: &[Value], depth: i64, meter: &mut Meter<'_>) -> Result<Vec<Value>> {
    let mut out = Vec::new();
    for item in items {
        meter.spend(1)?;
        match item {
            Value::List(inner) if depth > 0 => {
                out.extend(flatten(&inner.items, depth - 1, meter)?);
            }
            other => out.push(other.clone()),
        }
    }
    Ok(out)
}

/// The items in the order of their keys.
pub(in crate::cel) fn sort(items: Vec<Value>, keys: &[Value]) -> Result<Value> {
    if let [first, rest @ ..] = keys {
        for key in rest {
            order(first, key)?;
        }
    }
    let mut pairs: Vec<(&Value, Value)> = keys.iter().zip(items).collect();
    pairs.sort_by(|(a, _), (b, _)| compare(a, b).unwrap_or(Ordering::Equal));
    Ok(pairs
        .into_iter()
        .map(|(_, item)| item)
        .collect::<Vec<_>>()
        .into())
}

fn distinct(items: &[Value], meter: &mut Meter<'_>) -> Result<Value> {
    let mut out: Vec<Value> = Vec::new();
    for item in items {
        if !has(&out, item, meter)? {
            out.push(item.clone());
        }
    }
    let kind = ListKind::Ordered;
    Ok(Value::List(Arc::new(List { items: out, kind })))
}

fn has(items: &[Value], wanted: &Value, meter: &mut Meter<'_>) -> Result<bool> {
    for item in items {
        if meter.equal(item, wanted)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn contains_all(items: &[Value], wanted: &[Value], meter: &mut Meter<'_>) -> Result<Value> {
    for item in wanted {
        if !has(items, item, meter)? {
            return Ok(Value::Bool(false));
        }
    }
    Ok(Value::Bool(true))
}

fn any(found: impl Iterator<Item = Result<bool>>) -> Result<Value> {
    for found in found {
        if found? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}
