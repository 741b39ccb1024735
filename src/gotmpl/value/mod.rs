//! What templates compute with: Go's values, as far as templates tell them
//! apart.
//!
//! - [`Value`] is a value with its Go type: [`Text`], [`List`], [`Map`], the
//!   kinds of numbers, and [`Object`]s, which have fields and methods.
//! - [`Operand`] is what an expression gives: a value, and whether it lies in
//!   an interface, which Go's rules on nil and its messages depend on.
//!
//! Lists and maps are shared by their copies, as Go's are: `set` changes the
//! map that others see. They belong to one execution and one thread;
//! [`Value::from_yaml`] makes them from data that threads share.

mod compare;
mod list;
mod map;
mod object;
mod text;
mod yaml;

pub use compare::{Comparison, deep_equal, equal, less};
pub use list::{List, ListType};
pub use map::{Entries, Map, MapType};
pub use object::{Kind, Object};
pub use text::Text;
pub use yaml::Unsupported;

use std::rc::Rc;
use std::sync::Arc;

/// Go's integer types with a sign, as they occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntType {
    /// `int`
    Int,
    /// `int32`
    Int32,
    /// `int64`
    Int64,
    /// `time.Duration`
    Duration,
    /// `time.Month`
    Month,
    /// `time.Weekday`
    Weekday,
}

impl IntType {
    /// Its name in Go.
    pub fn name(self) -> &'static str {
        match self {
            IntType::Int => "int",
            IntType::Int32 => "int32",
            IntType::Int64 => "int64",
            IntType::Duration => "time.Duration",
            IntType::Month => "time.Month",
            IntType::Weekday => "time.Weekday",
        }
    }

    /// The name of its kind in Go.
    pub fn kind(self) -> &'static str {
        match self {
            IntType::Int | IntType::Month | IntType::Weekday => "int",
            IntType::Int32 => "int32",
            IntType::Int64 | IntType::Duration => "int64",
        }
    }
}

/// Go's integer types without a sign, as they occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UintType {
    /// `uint8`
    Uint8,
    /// `uint32`
    Uint32,
    /// `uint64`
    Uint64,
}

impl UintType {
    /// Its name in Go.
    pub fn name(self) -> &'static str {
        match self {
            UintType::Uint8 => "uint8",
            UintType::Uint32 => "uint32",
            UintType::Uint64 => "uint64",
        }
    }
}

/// A value with its Go type.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// `nil` without a type.
    #[default]
    Nil,
    /// `bool`
    Bool(bool),
    /// An integer with a sign.
    Int(i64, IntType),
    /// One without.
    Uint(u64, UintType),
    /// `float64`
    Float(f64),
    /// `complex128`
    Complex(f64, f64),
    /// `string`
    Text(Text),
    /// `[]byte`
    Bytes(Arc<[u8]>),
    /// A slice.
    List(List),
    /// A map whose keys are strings.
    Map(Map),
    /// Anything else.
    Object(Rc<dyn Object>),
}

impl Value {
    /// An `int`.
    pub fn int(i: i64) -> Value {
        Value::Int(i, IntType::Int)
    }

    /// An `int64`.
    pub fn int64(i: i64) -> Value {
        Value::Int(i, IntType::Int64)
    }

    /// A string.
    pub fn text(text: impl Into<Text>) -> Value {
        Value::Text(text.into())
    }

    /// The name of its type in Go; none for nil.
    pub fn type_name(&self) -> Option<&'static str> {
        Some(match self {
            Value::Nil => return None,
            Value::Bool(_) => "bool",
            Value::Int(_, kind) => kind.name(),
            Value::Uint(_, kind) => kind.name(),
            Value::Float(_) => "float64",
            Value::Complex(..) => "complex128",
            Value::Text(_) => "string",
            Value::Bytes(_) => "[]uint8",
            Value::List(list) => list.list_type().name,
            Value::Map(map) => map.map_type().name,
            Value::Object(object) => object.type_name(),
        })
    }

    /// The name of its kind in Go, `reflect.Kind`.
    pub fn kind_name(&self) -> &'static str {
        match self {
            Value::Nil => "invalid",
            Value::Int(_, kind) => kind.kind(),
            Value::Bytes(_) | Value::List(_) => "slice",
            Value::Map(_) => "map",
            Value::Object(object) => object.kind().name(),
            other => other.type_name().unwrap_or_default(),
        }
    }

    /// Whether `if` takes it for true.
    ///
    /// Compat: `text/template/exec.go` `isTrue`.
    pub fn is_true(&self) -> bool {
        match self {
            Value::Nil => false,
            Value::Bool(b) => *b,
            Value::Int(i, _) => *i != 0,
            Value::Uint(u, _) => *u != 0,
            Value::Float(f) => *f != 0.0,
            Value::Complex(re, im) => *re != 0.0 || *im != 0.0,
            Value::Text(text) => !text.is_empty(),
            Value::Bytes(bytes) => !bytes.is_empty(),
            Value::List(list) => !list.is_empty(),
            Value::Map(map) => !map.is_empty(),
            Value::Object(object) => object.length().is_none_or(|n| n > 0),
        }
    }

    /// Whether it is nil, or a nil of its type.
    pub fn is_nil(&self) -> bool {
        match self {
            Value::Nil => true,
            Value::List(list) => list.is_nil(),
            Value::Map(map) => map.is_nil(),
            _ => false,
        }
    }

    /// The length of what has one, `reflect.Value.Len`.
    pub fn length(&self) -> Option<usize> {
        match self {
            Value::Text(text) => Some(text.len()),
            Value::Bytes(bytes) => Some(bytes.len()),
            Value::List(list) => Some(list.len()),
            Value::Map(map) => Some(map.len()),
            Value::Object(object) => object.length(),
            _ => None,
        }
    }

    /// Whether Go takes it for a slice.
    pub fn is_list(&self) -> bool {
        match self {
            Value::List(_) | Value::Bytes(_) => true,
            Value::Object(object) => object.kind() == Kind::Slice,
            _ => false,
        }
    }

    /// An item of anything that Go takes for a slice.
    pub fn item(&self, index: usize) -> Option<Value> {
        match self {
            Value::List(list) => list.get(index),
            Value::Bytes(bytes) => bytes
                .get(index)
                .map(|b| Value::Uint(u64::from(*b), UintType::Uint8)),
            other => other.items()?.into_iter().nth(index),
        }
    }

    /// Part of a text or of anything that Go takes for a slice; the bounds
    /// are put within its own.
    #[must_use]
    pub fn cut(&self, start: usize, end: usize) -> Value {
        match self {
            Value::Text(text) => Value::Text(text.cut(start, end)),
            Value::Bytes(bytes) => {
                let end = end.min(bytes.len());
                Value::Bytes(bytes[start.min(end)..end].into())
            }
            Value::List(list) => list.with(|items| {
                let end = end.min(items.len());
                List::new(list.list_type(), items[start.min(end)..end].to_vec()).into()
            }),
            other => {
                let items = other.items().unwrap_or_default();
                let end = end.min(items.len());
                List::any(items[start.min(end)..end].to_vec()).into()
            }
        }
    }

    /// The items of anything that Go takes for a slice.
    pub fn items(&self) -> Option<Vec<Value>> {
        match self {
            Value::List(list) => Some(list.to_vec()),
            Value::Bytes(bytes) => Some(
                bytes
                    .iter()
                    .map(|b| Value::Uint(u64::from(*b), UintType::Uint8))
                    .collect(),
            ),
            Value::Object(object) if object.kind() == Kind::Slice => Some(
                object
                    .entries()
                    .into_iter()
                    .map(|(_, value)| value)
                    .collect(),
            ),
            _ => None,
        }
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Value {
        Value::Bool(b)
    }
}

impl From<Text> for Value {
    fn from(text: Text) -> Value {
        Value::Text(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::text(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::text(text)
    }
}

impl From<List> for Value {
    fn from(list: List) -> Value {
        Value::List(list)
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Value {
        Value::Map(map)
    }
}

/// What an expression gives: Go's `reflect.Value`.
///
/// A nil that does not lie in an interface is Go's invalid value: fields of it
/// are silently nothing, while fields of a nil in an interface are an error.
#[derive(Clone, Debug, Default)]
pub struct Operand {
    /// The value.
    pub value: Value,
    /// Whether its static type is `interface {}`.
    pub boxed: bool,
}

impl Operand {
    /// No value.
    pub const INVALID: Operand = Operand {
        value: Value::Nil,
        boxed: false,
    };

    /// A value of its own type.
    pub fn plain(value: Value) -> Operand {
        Operand {
            value,
            boxed: false,
        }
    }

    /// A value in an interface.
    pub fn boxed(value: Value) -> Operand {
        Operand { value, boxed: true }
    }

    /// Whether it is Go's invalid value.
    pub fn is_invalid(&self) -> bool {
        !self.boxed && matches!(self.value, Value::Nil)
    }

    /// The name of its static type; none for an invalid value.
    pub fn type_name(&self) -> Option<&'static str> {
        if self.boxed {
            Some("interface {}")
        } else {
            self.value.type_name()
        }
    }

    /// The value taken out of its interface.
    #[must_use]
    pub fn unboxed(self) -> Operand {
        Operand::plain(self.value)
    }
}
