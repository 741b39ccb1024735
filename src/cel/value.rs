//! What expressions work on.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::sync::Arc;

use super::quantity::Quantity;
use super::time::Timestamp;
use crate::gostd::semver::Version;

/// A value. Copies share what is large.
#[derive(Clone, Debug)]
pub enum Value {
    /// `null`
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer with a sign.
    Int(i64),
    /// An integer without a sign.
    Uint(u64),
    /// A floating point number.
    Double(f64),
    /// Text.
    String(Arc<str>),
    /// Bytes.
    Bytes(Arc<[u8]>),
    /// A list.
    List(Arc<List>),
    /// A map, or an object.
    Map(Arc<Map>),
    /// A span of time, in nanoseconds.
    Duration(i64),
    /// A point in time.
    Timestamp(Timestamp),
    /// A type.
    Type(Arc<str>),
    /// A value that may be missing.
    Optional(Option<Arc<Value>>),
    /// A number with a unit.
    Quantity(Quantity),
    /// An address on the web.
    Url(Arc<str>),
    /// An address of a machine.
    Ip(IpAddr),
    /// A range of such addresses: the address as written, and how many bits
    /// count.
    Cidr(IpAddr, u8),
    /// A version.
    Semver(Arc<Version>),
    /// A named format of text.
    Format(Arc<str>),
    /// What a schema does not describe.
    Opaque,
}

/// The items of a list.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// The items.
    pub items: Vec<Value>,
    /// When two lists are equal.
    pub kind: ListKind,
}

/// When two lists are equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ListKind {
    /// The same items in the same order.
    #[default]
    Ordered,
    /// The same items.
    Set,
    /// The same items under the same keys.
    Map(Arc<[Box<str>]>),
}

/// The entries of a map, in the order of their keys, each key once.
#[derive(Clone, Debug, Default)]
pub struct Map(Vec<(Key, Value)>);

impl Map {
    /// The value under a key.
    pub fn get(&self, key: &Key) -> Option<&Value> {
        let at = self.0.binary_search_by(|(known, _)| known.cmp(key)).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// The value under a key that is text.
    pub fn field(&self, name: &str) -> Option<&Value> {
        let order = |known: &Key| match known {
            Key::String(text) => (**text).cmp(name),
            // Text comes after everything else.
            _ => Ordering::Less,
        };
        let at = self.0.binary_search_by(|(known, _)| order(known)).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// The entries.
    pub fn iter(&self) -> impl Iterator<Item = &(Key, Value)> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(Key, Value)> for Map {
    /// Of entries with the same key the last one stays.
    fn from_iter<I: IntoIterator<Item = (Key, Value)>>(entries: I) -> Map {
        let mut entries: Vec<(Key, Value)> = entries.into_iter().collect();
        entries.reverse();
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        entries.dedup_by(|(a, _), (b, _)| a == b);
        Map(entries)
    }
}

/// The key of an entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A boolean.
    Bool(bool),
    /// A number; equal numbers of different types are one key.
    Int(i64),
    /// A number that is larger than an integer with a sign.
    Uint(u64),
    /// Text.
    String(Arc<str>),
}

impl Key {
    /// A value as a key; none for what cannot be one.
    pub fn of(value: &Value) -> Option<Key> {
        Some(match value {
            Value::Bool(b) => Key::Bool(*b),
            Value::Int(i) => Key::Int(*i),
            Value::Uint(u) => i64::try_from(*u).map_or(Key::Uint(*u), Key::Int),
            #[expect(clippy::cast_possible_truncation, reason = "it is whole and in range")]
            Value::Double(d) if d.fract() == 0.0 && d.abs() < 9.0e18 => Key::Int(*d as i64),
            Value::String(text) => Key::String(text.clone()),
            _ => return None,
        })
    }

    /// The key as a value.
    pub fn value(&self) -> Value {
        match self {
            Key::Bool(b) => Value::Bool(*b),
            Key::Int(i) => Value::Int(*i),
            Key::Uint(u) => Value::Uint(*u),
            Key::String(text) => Value::String(text.clone()),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::String(text.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Value {
        Value::List(Arc::new(List {
            items,
            kind: ListKind::Ordered,
        }))
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Value {
        Value::Map(Arc::new(map))
    }
}

impl Value {
    /// The value under a name, in a map.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Map(map) => map.field(name),
            _ => None,
        }
    }

    /// The name of the value's type.
    pub fn type_name(&self) -> &str {
        match self {
            Value::Null => "null_type",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Uint(_) => "uint",
            Value::Double(_) => "double",
            Value::String(_) => "string",
            Value::Bytes(_) => "bytes",
            Value::List(_) => "list",
            Value::Map(_) => "map",
            Value::Duration(_) => "google.protobuf.Duration",
            Value::Timestamp(_) => "google.protobuf.Timestamp",
            Value::Type(_) => "type",
            Value::Optional(_) => "optional_type",
            Value::Quantity(_) => "kubernetes.Quantity",
            Value::Url(_) => "kubernetes.URL",
            Value::Ip(_) => "net.IP",
            Value::Cidr(..) => "net.CIDR",
            Value::Semver(_) => "kubernetes.Semver",
            Value::Format(_) => "kubernetes.NamedFormat",
            Value::Opaque => "unknown",
        }
    }

    /// Whether this is what a type has before anything is set.
    pub(super) fn is_zero(&self) -> bool {
        match self {
            Value::Null | Value::Optional(None) => true,
            Value::Bool(b) => !b,
            Value::Int(i) | Value::Duration(i) => *i == 0,
            Value::Uint(u) => *u == 0,
            Value::Double(d) => *d == 0.0,
            Value::String(text) => text.is_empty(),
            Value::Bytes(bytes) => bytes.is_empty(),
            Value::List(list) => list.items.is_empty(),
            Value::Map(map) => map.is_empty(),
            _ => false,
        }
    }

    /// What looking through the value costs.
    pub(super) fn weight(&self) -> u64 {
        let weight = match self {
            Value::String(text) => text.len() / 10,
            Value::Bytes(bytes) => bytes.len() / 10,
            Value::List(list) => list.items.len(),
            Value::Map(map) => map.len(),
            _ => 0,
        };
        1 + weight as u64
    }
}

/// Whether two values are equal. Numbers are by their value, whatever their
/// type; values of different types are not equal.
///
/// `steps` counts what it takes; none where there are not enough.
pub(super) fn equal(a: &Value, b: &Value, steps: &mut u64) -> Option<bool> {
    *steps = steps.checked_sub(1)?;
    Some(match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::String(a), Value::String(b)) | (Value::Url(a), Value::Url(b)) => {
            spend(steps, a.len().min(b.len()) / 10)?;
            a == b
        }
        (Value::Bytes(a), Value::Bytes(b)) => {
            spend(steps, a.len().min(b.len()) / 10)?;
            a == b
        }
        (Value::Type(a), Value::Type(b)) | (Value::Format(a), Value::Format(b)) => a == b,
        (Value::Duration(a), Value::Duration(b)) => a == b,
        (Value::Timestamp(a), Value::Timestamp(b)) => a == b,
        (Value::Quantity(a), Value::Quantity(b)) => a == b,
        (Value::Ip(a), Value::Ip(b)) => a == b,
        (Value::Cidr(a, n), Value::Cidr(b, m)) => a == b && n == m,
        (Value::Semver(a), Value::Semver(b)) => a == b,
        (Value::Optional(a), Value::Optional(b)) => match (a, b) {
            (None, None) => true,
            (Some(a), Some(b)) => equal(a, b, steps)?,
            _ => false,
        },
        (Value::List(a), Value::List(b)) => lists_equal(a, b, steps)?,
        (Value::Map(a), Value::Map(b)) => {
            if a.len() != b.len() {
                return Some(false);
            }
            for (key, a) in a.iter() {
                let Some(b) = b.get(key) else {
                    return Some(false);
                };
                if !equal(a, b, steps)? {
                    return Some(false);
                }
            }
            true
        }
        _ => compare_numbers(a, b) == Some(Ordering::Equal),
    })
}

fn spend(steps: &mut u64, count: usize) -> Option<()> {
    *steps = steps.checked_sub(count as u64)?;
    Some(())
}

fn lists_equal(a: &List, b: &List, steps: &mut u64) -> Option<bool> {
    if a.items.len() != b.items.len() {
        return Some(false);
    }
    match &a.kind {
        ListKind::Ordered => {
            for (a, b) in a.items.iter().zip(&b.items) {
                if !equal(a, b, steps)? {
                    return Some(false);
                }
            }
        }
        // Nothing stands twice in either, so that each has its like if every
        // one of the first has.
        kind => {
            for a in &a.items {
                let mut found = false;
                for b in &b.items {
                    if same_key(kind, a, b, steps)? {
                        found = equal(a, b, steps)?;
                        break;
                    }
                }
                if !found {
                    return Some(false);
                }
            }
        }
    }
    Some(true)
}

/// Whether two items of a list stand for the same one.
pub(super) fn same_key(kind: &ListKind, a: &Value, b: &Value, steps: &mut u64) -> Option<bool> {
    let ListKind::Map(keys) = kind else {
        return equal(a, b, steps);
    };
    for key in keys.iter() {
        let same = match (a.get(key), b.get(key)) {
            (None, None) => true,
            (Some(a), Some(b)) => equal(a, b, steps)?,
            _ => false,
        };
        if !same {
            return Some(false);
        }
    }
    Some(true)
}

/// How two values of an ordered type compare; none for others.
pub(super) fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Bytes(a), Value::Bytes(b)) => Some(a.cmp(b)),
        (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(b)),
        (Value::Timestamp(a), Value::Timestamp(b)) => Some(a.cmp(b)),
        _ => compare_numbers(a, b),
    }
}

fn compare_numbers(a: &Value, b: &Value) -> Option<Ordering> {
    #[expect(clippy::cast_precision_loss, reason = "doubles hold no more")]
    let double = |i: i128| i as f64;
    let whole = |v: &Value| match v {
        Value::Int(i) => Some(i128::from(*i)),
        Value::Uint(u) => Some(i128::from(*u)),
        _ => None,
    };
    match (whole(a), whole(b), a, b) {
        (Some(a), Some(b), _, _) => Some(a.cmp(&b)),
        (Some(a), None, _, Value::Double(b)) => double(a).partial_cmp(b),
        (None, Some(b), Value::Double(a), _) => a.partial_cmp(&double(b)),
        (None, None, Value::Double(a), Value::Double(b)) => a.partial_cmp(b),
        _ => None,
    }
}
