//! What can be printed.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Deref;

/// A value of Go's.
pub trait Value {
    /// What it is.
    fn view(&self) -> View<'_>;

    /// The name of its type, as `%T` prints it: `int`, `[]uint8`,
    /// `map[string]interface {}`.
    fn type_name(&self) -> Cow<'_, str>;

    /// What its method `Error` or `String` gives; none for a type that has
    /// neither.
    fn text(&self) -> Option<Cow<'_, str>> {
        None
    }

    /// What its method `GoString` gives, which `%#v` asks for.
    fn go_string(&self) -> Option<Cow<'_, str>> {
        None
    }
}

/// What a value is; named types are what they are made of.
pub enum View<'v> {
    /// An interface without a value.
    Nil,
    /// A truth value.
    Bool(bool),
    /// An integer of any size.
    Int(i64),
    /// An unsigned integer of any size.
    Uint(u64),
    /// A float of 64 bits.
    Float(f64),
    /// A float of 32 bits.
    Float32(f32),
    /// A string.
    Str(&'v str),
    /// A slice of bytes.
    Bytes(&'v [u8]),
    /// A slice or an array of anything else.
    List(Vec<Item<'v>>),
    /// A map; the printer sorts it.
    Map(Vec<(Item<'v>, Item<'v>)>),
    /// A struct: names and values of its fields.
    Struct(Vec<(&'v str, Item<'v>)>),
    /// A pointer to something.
    Pointer(Item<'v>),
    /// A function, a channel, a pointer to something that is never printed.
    Opaque,
}

/// An element of a list or a map: borrowed from it, or made for the occasion.
pub enum Item<'v> {
    /// Borrowed.
    Ref(&'v dyn Value),
    /// Made for the occasion.
    Own(Box<dyn Value + 'v>),
}

impl<'v> Deref for Item<'v> {
    type Target = dyn Value + 'v;

    fn deref(&self) -> &Self::Target {
        match self {
            Item::Ref(value) => *value,
            Item::Own(value) => &**value,
        }
    }
}

impl<'v> From<&'v dyn Value> for Item<'v> {
    fn from(value: &'v dyn Value) -> Item<'v> {
        Item::Ref(value)
    }
}

/// A string, such as a key of a map.
impl<'v> From<&'v str> for Item<'v> {
    fn from(value: &'v str) -> Item<'v> {
        Item::Own(Box::new(value))
    }
}

/// Implements [`Value`] for a Rust type that has its like in Go.
macro_rules! basic {
    ($($type:ty => $name:literal, |$value:ident| $view:expr;)*) => {
        $(impl Value for $type {
            fn view(&self) -> View<'_> {
                let $value = self;
                $view
            }

            fn type_name(&self) -> Cow<'_, str> {
                $name.into()
            }
        })*
    };
}

basic! {
    bool => "bool", |b| View::Bool(*b);
    i64 => "int", |n| View::Int(*n);
    u64 => "uint64", |n| View::Uint(*n);
    f64 => "float64", |n| View::Float(*n);
    f32 => "float32", |n| View::Float32(*n);
    &str => "string", |s| View::Str(s);
    String => "string", |s| View::Str(s);
    // The elements of a slice of bytes.
    u8 => "uint8", |n| View::Uint(u64::from(*n));
}

/// The order of keys in a printed map: as they are ordered within their type,
/// and by type where types differ.
pub(super) fn compare_keys(a: &dyn Value, b: &dyn Value) -> Ordering {
    let (a, b) = (a.view(), b.view());
    match (&a, &b) {
        (View::Bool(a), View::Bool(b)) => a.cmp(b),
        (View::Int(a), View::Int(b)) => a.cmp(b),
        (View::Uint(a), View::Uint(b)) => a.cmp(b),
        (View::Float(a), View::Float(b)) => a
            .partial_cmp(b)
            // Not a number comes first.
            .unwrap_or_else(|| b.is_nan().cmp(&a.is_nan())),
        (View::Str(a), View::Str(b)) => a.cmp(b),
        _ => rank(&a).cmp(&rank(&b)),
    }
}

/// Compat: Go orders types by their address, which nobody can rely on.
fn rank(view: &View<'_>) -> u8 {
    match view {
        View::Nil => 0,
        View::Bool(_) => 1,
        View::Int(_) => 2,
        View::Uint(_) => 3,
        View::Float(_) | View::Float32(_) => 4,
        View::Str(_) => 5,
        _ => 6,
    }
}
