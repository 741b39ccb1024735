//! `eq`, `lt` and `reflect.DeepEqual`.

use std::cmp::Ordering;
use std::rc::Rc;

use super::yaml::MAX_DEPTH;
use super::{Operand, Value};
use crate::gotmpl::limits::{Exhausted, Meter};

/// Why two values cannot be compared, or how they compare.
pub type Comparison<T> = Result<T, String>;

/// The kinds among which `eq` and `lt` compare.
///
/// Compat: `text/template/funcs.go` `basicKind`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Basic {
    Bool,
    Complex,
    Int,
    Float,
    Text,
    Uint,
}

fn basic(value: &Value) -> Option<Basic> {
    Some(match value {
        Value::Bool(_) => Basic::Bool,
        Value::Complex(..) => Basic::Complex,
        Value::Int(..) => Basic::Int,
        Value::Float(_) => Basic::Float,
        Value::Text(_) => Basic::Text,
        Value::Uint(..) => Basic::Uint,
        _ => return None,
    })
}

fn incompatible(a: &Value, b: &Value) -> String {
    format!(
        "incompatible types for comparison: {} and {}",
        a.type_name().unwrap_or("<nil>"),
        b.type_name().unwrap_or("<nil>")
    )
}

/// `eq a b`
#[expect(clippy::float_cmp, reason = "as Go compares")]
pub fn equal(a: &Value, b: &Value) -> Comparison<bool> {
    Ok(match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Complex(a, c), Value::Complex(b, d)) => a == b && c == d,
        (Value::Int(a, _), Value::Int(b, _)) => a == b,
        (Value::Uint(a, _), Value::Uint(b, _)) => a == b,
        (Value::Int(a, _), Value::Uint(b, _)) | (Value::Uint(b, _), Value::Int(a, _)) => {
            u64::try_from(*a) == Ok(*b)
        }
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Text(a), Value::Text(b)) => a == b,
        (Value::Nil, Value::Nil) => true,
        (a, b) if basic(a) != basic(b) => {
            if matches!(a, Value::Nil) || matches!(b, Value::Nil) {
                return Ok(false);
            }
            return Err(incompatible(a, b));
        }
        (a, b) => return equal_others(a, b),
    })
}

/// Compares values that are not of a basic kind.
fn equal_others(a: &Value, b: &Value) -> Comparison<bool> {
    let same_kind = a.kind_name() == b.kind_name();
    if !same_kind && !matches!(a, Value::Nil) && !matches!(b, Value::Nil) {
        return Err(format!(
            "non-comparable types {}: {}, {}: {}",
            reflected(a),
            a.type_name().unwrap_or("<nil>"),
            b.type_name().unwrap_or("<nil>"),
            shown(b)
        ));
    }
    if a.is_nil() || b.is_nil() {
        return Ok(a.is_nil() && b.is_nil());
    }
    match (a, b) {
        (Value::Object(a), Value::Object(b)) if a.length().is_none() => {
            Ok(Rc::ptr_eq(a, b) || a.type_name() == b.type_name() && a.equals(&**b))
        }
        _ => Err(format!(
            "non-comparable type {}: {}",
            reflected(b),
            b.type_name().unwrap_or("<nil>")
        )),
    }
}

/// A `reflect.Value` as `%s` prints it.
fn reflected(value: &Value) -> String {
    shown(value)
}

fn shown(value: &Value) -> String {
    crate::gotmpl::print::shown(value)
}

/// `lt a b`
pub fn less(a: &Value, b: &Value) -> Comparison<bool> {
    let bad = || "invalid type for comparison".to_owned();
    let (kind_a, kind_b) = (basic(a).ok_or_else(bad)?, basic(b).ok_or_else(bad)?);
    Ok(match (a, b) {
        (Value::Int(a, _), Value::Int(b, _)) => a < b,
        (Value::Uint(a, _), Value::Uint(b, _)) => a < b,
        (Value::Int(a, _), Value::Uint(b, _)) => u64::try_from(*a).is_ok_and(|a| a < *b) || *a < 0,
        (Value::Uint(a, _), Value::Int(b, _)) => u64::try_from(*b).is_ok_and(|b| *a < b),
        (Value::Float(a), Value::Float(b)) => a < b,
        (Value::Text(a), Value::Text(b)) => a.cmp(b) == Ordering::Less,
        _ if kind_a == kind_b => return Err(bad()),
        _ => return Err(incompatible(a, b)),
    })
}

/// `reflect.DeepEqual`: same types, same content.
///
/// # Errors
///
/// Where comparing costs too much; values that nest deeper than anything real
/// count as different.
pub fn deep_equal(a: &Value, b: &Value, meter: &mut Meter) -> Result<bool, Exhausted> {
    deep_equal_at(a, b, meter, 0)
}

#[expect(clippy::float_cmp, reason = "as Go compares")]
fn deep_equal_at(a: &Value, b: &Value, meter: &mut Meter, depth: usize) -> Result<bool, Exhausted> {
    // Each looks at both.
    meter.take_steps(4)?;
    if depth > MAX_DEPTH {
        return Ok(false);
    }
    Ok(match (a, b) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a, t), Value::Int(b, u)) => t == u && a == b,
        (Value::Uint(a, t), Value::Uint(b, u)) => t == u && a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Complex(a, c), Value::Complex(b, d)) => a == b && c == d,
        (Value::Text(a), Value::Text(b)) => a == b,
        (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            if a.list_type() != b.list_type() || a.is_nil() != b.is_nil() || a.len() != b.len() {
                return Ok(false);
            }
            if a.is_same(b) {
                return Ok(true);
            }
            let (a, b) = (a.to_vec(), b.to_vec());
            for (a, b) in a.iter().zip(&b) {
                if !deep_equal_at(a, b, meter, depth + 1)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Map(a), Value::Map(b)) => {
            if !std::ptr::eq(a.map_type().name, b.map_type().name)
                || a.is_nil() != b.is_nil()
                || a.len() != b.len()
            {
                return Ok(false);
            }
            if a.is_same(b) {
                return Ok(true);
            }
            let (a, b) = (a.to_entries(), b.to_entries());
            for ((k, a), (l, b)) in a.iter().zip(&b) {
                if k != l || !deep_equal_at(a, b, meter, depth + 1)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Object(a), Value::Object(b)) => a.type_name() == b.type_name() && a.equals(&**b),
        _ => false,
    })
}

impl Operand {
    /// What a comparison looks at: the value out of its interface.
    pub fn compared(&self) -> &Value {
        &self.value
    }
}
