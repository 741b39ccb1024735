//! Values with fields and methods.

use std::any::Any;

use super::{Operand, Value};
use crate::gostd::fmt::View;
use crate::gotmpl::function::Function;
use crate::gotmpl::functions::{item, items};
use crate::yaml;

/// What kind of thing an object is in Go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A struct.
    Struct,
    /// A pointer to a struct, never nil.
    Pointer,
    /// A map.
    Map,
    /// A slice.
    Slice,
}

impl Kind {
    /// Its name in Go.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Struct => "struct",
            Kind::Pointer => "ptr",
            Kind::Map => "map",
            Kind::Slice => "slice",
        }
    }
}

/// A value of a Go type that is none of the basic ones: a time, a version, the
/// files of a chart.
pub trait Object: std::fmt::Debug {
    /// The name of its type in Go.
    fn type_name(&self) -> &'static str;

    /// What kind of thing it is.
    fn kind(&self) -> Kind;

    /// Its methods.
    fn methods(&self) -> &'static [Function] {
        &[]
    }

    /// A field of a struct.
    fn field(&self, _name: &str) -> Option<Value> {
        None
    }

    /// The value of a key of a map.
    fn get(&self, _key: &[u8]) -> Option<Value> {
        None
    }

    /// What a key that is not there gives.
    fn zero(&self) -> Operand {
        Operand::INVALID
    }

    /// The length of a map or slice.
    fn length(&self) -> Option<usize> {
        None
    }

    /// What `range` goes through, keys in order.
    fn entries(&self) -> Vec<(Value, Value)> {
        Vec::new()
    }

    /// The names and values of its fields, for what is a struct.
    fn fields(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }

    /// What `fmt` sees of it.
    fn view(&self) -> View<'_> {
        let fields = || {
            let fields = self.fields().into_iter();
            fields.map(|(name, value)| (name, item(value))).collect()
        };
        match self.kind() {
            Kind::Struct => View::Struct(fields()),
            Kind::Pointer => View::Opaque,
            Kind::Map => View::Map(items(self.entries())),
            Kind::Slice => View::List(items(self.entries()).into_iter().map(|e| e.1).collect()),
        }
    }

    /// What `String()` or, lacking that, `%v` gives.
    fn text(&self) -> String;

    /// Whether `text` is what `String()` gives.
    fn is_stringer(&self) -> bool {
        false
    }

    /// What an action prints, where the value is addressable: methods of its
    /// pointer count there.
    fn printed(&self) -> String {
        self.text()
    }

    /// What `json.Marshal` makes of it.
    fn json(&self) -> yaml::Value;

    /// Whether `reflect.DeepEqual` takes both for equal.
    fn equals(&self, other: &dyn Object) -> bool;

    /// Itself, for those who know its type.
    fn as_any(&self) -> &dyn Any;
}
