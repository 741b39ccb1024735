//! Functions: how they are described, found and called.
//!
//! A function is one entry in the table of its family, made by `function!`
//! from an ordinary Rust function: the types of its parameters tell which Go
//! types a template may pass, how constants are read, and what messages say.
//! Conversions, counts and type errors are dealt with here and in `exec`, not
//! in the functions.

use foldhash::{HashMap, HashMapExt};

use super::error::Failure;
use super::exec::Context;
use super::limits::Exhausted;
use super::value::{
    IntType, List, ListType, Map, MapType, Operand, Text, UintType, Unsupported, Value,
};

/// A Go type that a parameter or result has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Type {
    /// `interface {}`
    Any,
    /// `reflect.Value`: anything, together with its interface.
    Reflect,
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `int64`
    Int64,
    /// `uint32`
    Uint32,
    /// `uint64`
    Uint64,
    /// `float64`
    Float,
    /// `string`
    Text,
    /// A slice.
    List(&'static ListType),
    /// A map.
    Map(&'static MapType),
    /// Another type, by its name in Go.
    Named(&'static str),
}

impl Type {
    /// Its name in Go.
    pub fn name(self) -> &'static str {
        match self {
            Type::Any => "interface {}",
            Type::Reflect => "reflect.Value",
            Type::Bool => "bool",
            Type::Int => "int",
            Type::Int64 => "int64",
            Type::Uint32 => "uint32",
            Type::Uint64 => "uint64",
            Type::Float => "float64",
            Type::Text => "string",
            Type::List(list) => list.name,
            Type::Map(map) => map.name,
            Type::Named(name) => name,
        }
    }

    /// Whether nil without a type may stand for it.
    ///
    /// Compat: `text/template/exec.go` `canBeNil`.
    pub(super) fn can_be_nil(self) -> bool {
        match self {
            Type::Any | Type::Reflect | Type::List(_) | Type::Map(_) => true,
            Type::Named(name) => name.starts_with('*'),
            _ => false,
        }
    }

    /// Its zero value.
    pub(super) fn zero(self) -> Value {
        match self {
            Type::List(list) => List::nil(list).into(),
            Type::Map(map) => Map::nil(map).into(),
            _ => Value::Nil,
        }
    }

    /// Whether Go would assign the value to a variable of this type.
    pub(super) fn takes(self, value: &Value) -> bool {
        match (self, value) {
            (Type::Any | Type::Reflect, _)
            | (Type::Bool, Value::Bool(_))
            | (Type::Float, Value::Float(_))
            | (Type::Text, Value::Text(_))
            | (Type::Int, Value::Int(_, IntType::Int))
            | (Type::Int64, Value::Int(_, IntType::Int64))
            | (Type::Uint32, Value::Uint(_, UintType::Uint32))
            | (Type::Uint64, Value::Uint(_, UintType::Uint64)) => true,
            (Type::List(wanted), Value::List(list)) => wanted == list.list_type(),
            // A named map type passes for one without a name.
            (Type::Map(wanted), Value::Map(map)) => {
                wanted == map.map_type()
                    || wanted.boxed == map.map_type().boxed && wanted.is_unnamed()
            }
            (Type::Named(name), value) => value.type_name() == Some(name),
            _ => false,
        }
    }
}

/// Why a function gives no value.
#[derive(Debug)]
pub(crate) enum CallError {
    /// What Go's function says.
    Message(String),
    /// What `required` and `fail` say: Helm shows it without the calls around
    /// it.
    Chosen(String),
    /// An execution within failed: what stands before its message, and why.
    Inner(String, Box<Failure>),
    /// It costs too much.
    Exhausted(Exhausted),
}

impl CallError {
    /// An error with that message.
    pub(crate) fn new(message: impl Into<String>) -> CallError {
        CallError::Message(message.into())
    }
}

impl From<Exhausted> for CallError {
    fn from(exhausted: Exhausted) -> CallError {
        CallError::Exhausted(exhausted)
    }
}

impl From<String> for CallError {
    fn from(message: String) -> CallError {
        CallError::Message(message)
    }
}

impl From<Unsupported> for CallError {
    fn from(unsupported: Unsupported) -> CallError {
        match unsupported {
            Unsupported::Value(message) => CallError::Message(message),
            Unsupported::Exhausted(exhausted) => CallError::Exhausted(exhausted),
        }
    }
}

/// What a call gives.
pub(crate) type CallResult<T = Value> = Result<T, CallError>;

/// How many parameters a function may have.
const MAX_PARAMETERS: usize = 6;

/// The types of a function.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    types: [Type; MAX_PARAMETERS],
    count: usize,
    /// Whether the last parameter takes any number of arguments.
    pub variadic: bool,
    /// The type of the result.
    pub result: Type,
}

impl Signature {
    /// A signature of these parameters.
    pub const fn new(
        types: [Type; MAX_PARAMETERS],
        count: usize,
        variadic: bool,
        result: Type,
    ) -> Signature {
        Signature {
            types,
            count,
            variadic,
            result,
        }
    }

    /// A signature of `least` parameters of one type, or more.
    pub const fn variadic(item: Type, least: usize) -> Signature {
        Signature::new([item; MAX_PARAMETERS], least + 1, true, Type::Reflect)
    }

    /// The parameters, with the variadic one, which has the type of its items.
    pub fn parameters(&self) -> &[Type] {
        self.types.get(..self.count).unwrap_or_default()
    }

    /// How many parameters are not variadic.
    pub fn fixed(&self) -> usize {
        self.count - usize::from(self.variadic)
    }

    /// The type of an argument.
    pub(super) fn argument(&self, index: usize) -> Type {
        let last = self.count.saturating_sub(1);
        let index = if self.variadic {
            index.min(last)
        } else {
            index
        };
        self.parameters().get(index).copied().unwrap_or(Type::Any)
    }
}

/// Functions that the machine treats in a way of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Special {
    /// None.
    None,
    /// `and`: looks at no argument behind one that is false.
    And,
    /// `or`: looks at no argument behind one that is true.
    Or,
    /// `call`: its messages show the expression of the function.
    Call,
}

/// A function, or a method.
#[derive(Debug)]
pub struct Function {
    /// Its name in templates.
    pub name: &'static str,
    /// What its parameters are called in the documentation.
    pub parameters: &'static [&'static str],
    /// Their types.
    pub signature: Signature,
    /// What it does, in Markdown; the first sentence stands alone.
    pub doc: &'static str,
    /// Whether the machine treats it in a way of its own.
    pub(crate) special: Special,
    /// Does it.
    pub(crate) run: fn(&mut Context<'_>, &mut Arguments) -> CallResult,
}

impl Function {
    /// How it is called: its name and what its parameters are called.
    pub fn usage(&self) -> String {
        let mut usage = self.name.to_owned();
        for (i, parameter) in self.parameters.iter().enumerate() {
            usage.push(' ');
            usage.push_str(&parameter.to_uppercase());
            if self.signature.variadic && i + 1 == self.parameters.len() {
                usage.push_str("...");
            }
        }
        usage
    }
}

/// The arguments of a call, taken one by one; each has the type that its
/// parameter asks for.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    /// What a method belongs to.
    pub(crate) receiver: Value,
    values: std::vec::IntoIter<Operand>,
}

impl Arguments {
    /// These arguments.
    pub(super) fn new(receiver: Value, values: Vec<Operand>) -> Arguments {
        Arguments {
            receiver,
            values: values.into_iter(),
        }
    }

    fn next(&mut self) -> Operand {
        self.values.next().unwrap_or_default()
    }

    /// Takes the next one.
    pub(crate) fn take<A: Argument>(&mut self) -> A {
        A::take(self)
    }
}

/// What a parameter can be.
pub(crate) trait Argument: Sized {
    /// Its type in Go; of the items, if it is variadic.
    const TYPE: Type;
    /// Whether it takes all arguments that are left.
    const VARIADIC: bool = false;

    /// The value of an operand that has this type.
    fn from_operand(operand: Operand) -> Self;

    /// Takes what it needs.
    fn take(arguments: &mut Arguments) -> Self {
        Self::from_operand(arguments.next())
    }
}

/// What a result can be.
pub(crate) trait Returned {
    /// Its type in Go.
    const TYPE: Type;

    /// The value.
    fn into_value(self) -> CallResult;
}

/// An `int`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Int(pub(crate) i64);

/// A `uint32`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Uint32(pub(super) u32);

/// All arguments that are left.
#[derive(Debug)]
pub(super) struct Rest<T>(pub(super) Vec<T>);

macro_rules! argument {
    ($rust:ty, $go:expr, $pattern:pat => $value:expr) => {
        impl Argument for $rust {
            const TYPE: Type = $go;

            fn from_operand(operand: Operand) -> Self {
                match operand.value {
                    $pattern => $value,
                    // The caller has made sure of the type.
                    _ => Default::default(),
                }
            }
        }
    };
}

impl Default for List {
    fn default() -> List {
        List::nil(ListType::ANY)
    }
}

impl Default for Map {
    fn default() -> Map {
        Map::nil(MapType::ANY)
    }
}

argument!(bool, Type::Bool, Value::Bool(b) => b);
argument!(i64, Type::Int64, Value::Int(i, _) => i);
argument!(f64, Type::Float, Value::Float(f) => f);
argument!(Int, Type::Int, Value::Int(i, _) => Int(i));
argument!(Uint32, Type::Uint32, Value::Uint(u, _) => Uint32(u32::try_from(u).unwrap_or_default()));
argument!(Text, Type::Text, Value::Text(text) => text);
argument!(Map, Type::Map(MapType::ANY), Value::Map(map) => map);
argument!(List, Type::List(ListType::ANY), Value::List(list) => list);

impl Argument for Value {
    const TYPE: Type = Type::Any;

    fn from_operand(operand: Operand) -> Value {
        operand.value
    }
}

impl Argument for Operand {
    const TYPE: Type = Type::Reflect;

    fn from_operand(operand: Operand) -> Operand {
        operand
    }
}

impl<T: Argument> Argument for Rest<T> {
    const TYPE: Type = T::TYPE;
    const VARIADIC: bool = true;

    fn from_operand(operand: Operand) -> Rest<T> {
        Rest(vec![T::from_operand(operand)])
    }

    fn take(arguments: &mut Arguments) -> Rest<T> {
        Rest(arguments.values.by_ref().map(T::from_operand).collect())
    }
}

macro_rules! returned {
    ($rust:ty, $go:expr, $name:ident => $value:expr) => {
        impl Returned for $rust {
            const TYPE: Type = $go;

            fn into_value(self) -> CallResult {
                let $name = self;
                Ok($value)
            }
        }
    };
}

returned!(bool, Type::Bool, b => Value::Bool(b));
returned!(i64, Type::Int64, i => Value::int64(i));
returned!(f64, Type::Float, f => Value::Float(f));
returned!(Int, Type::Int, i => Value::int(i.0));
returned!(Text, Type::Text, text => Value::Text(text));
returned!(String, Type::Text, text => Value::text(text));
returned!(&str, Type::Text, text => Value::text(text));
returned!(Map, Type::Map(MapType::ANY), map => Value::Map(map));
returned!(List, Type::List(ListType::ANY), list => Value::List(list));
returned!(Value, Type::Any, value => value);
returned!(Operand, Type::Reflect, operand => operand.value);

impl<T: Returned> Returned for CallResult<T> {
    const TYPE: Type = T::TYPE;

    fn into_value(self) -> CallResult {
        self?.into_value()
    }
}

/// The signature of a Rust function, by the number of its parameters.
pub(crate) mod signature {
    // A name for each number of parameters; not all of them have a use.
    #![allow(dead_code)]

    use super::{Argument, Context, MAX_PARAMETERS, Returned, Signature, Type, Value};

    macro_rules! signatures {
        ($($name:ident, $with_context:ident, $method:ident, $method_with:ident: $($parameter:ident)*;)*) => {$(
            /// Of a function of the arguments alone.
            pub(crate) const fn $name<$($parameter: Argument,)* R: Returned>(
                _: fn($($parameter),*) -> R,
            ) -> Signature {
                of::<R>(&[$(($parameter::TYPE, $parameter::VARIADIC)),*])
            }

            /// Of a method, which takes what it belongs to.
            pub(crate) const fn $method<$($parameter: Argument,)* R: Returned>(
                _: fn(&Value, $($parameter),*) -> R,
            ) -> Signature {
                of::<R>(&[$(($parameter::TYPE, $parameter::VARIADIC)),*])
            }

            /// Of a method that sees the execution, too.
            pub(crate) const fn $method_with<$($parameter: Argument,)* R: Returned>(
                _: fn(&mut Context<'_>, &Value, $($parameter),*) -> R,
            ) -> Signature {
                of::<R>(&[$(($parameter::TYPE, $parameter::VARIADIC)),*])
            }

            /// Of a function that sees the execution, too.
            pub(crate) const fn $with_context<$($parameter: Argument,)* R: Returned>(
                _: fn(&mut Context<'_>, $($parameter),*) -> R,
            ) -> Signature {
                of::<R>(&[$(($parameter::TYPE, $parameter::VARIADIC)),*])
            }
        )*};
    }

    const fn of<R: Returned>(parameters: &[(Type, bool)]) -> Signature {
        let mut types = [Type::Any; MAX_PARAMETERS];
        let mut variadic = false;
        let mut i = 0;
        while i < parameters.len() {
            types[i] = parameters[i].0;
            variadic = parameters[i].1;
            i += 1;
        }
        Signature::new(types, parameters.len(), variadic, R::TYPE)
    }

    signatures! {
        of_0, with_0, method_0, method_with_0: ;
        of_1, with_1, method_1, method_with_1: A;
        of_2, with_2, method_2, method_with_2: A B;
        of_3, with_3, method_3, method_with_3: A B C;
        of_4, with_4, method_4, method_with_4: A B C D;
        of_5, with_5, method_5, method_with_5: A B C D E;
        of_6, with_6, method_6, method_with_6: A B C D E F;
    }
}

/// An entry of a table of functions: its name in templates, the Rust function
/// with what its parameters are called (`with` where it sees the execution),
/// and what it does.
macro_rules! function {
    ($name:literal, with $run:ident($($parameter:ident),*), $doc:literal $(,)?) => {
        $crate::gotmpl::function::Function {
            name: $name,
            parameters: &[$(stringify!($parameter)),*],
            signature: function!(@signature with $run $($parameter)*),
            doc: $doc,
            special: $crate::gotmpl::function::Special::None,
            run: |context, arguments| {
                $(let $parameter = arguments.take();)*
                let _ = &arguments;
                $crate::gotmpl::function::Returned::into_value($run(context, $($parameter),*))
            },
        }
    };
    ($name:literal, $run:ident($($parameter:ident),*), $doc:literal $(,)?) => {
        $crate::gotmpl::function::Function {
            name: $name,
            parameters: &[$(stringify!($parameter)),*],
            signature: function!(@signature $run $($parameter)*),
            doc: $doc,
            special: $crate::gotmpl::function::Special::None,
            run: |_, arguments| {
                $(let $parameter = arguments.take();)*
                let _ = &arguments;
                $crate::gotmpl::function::Returned::into_value($run($($parameter),*))
            },
        }
    };
    (@method $run:ident) => { $crate::gotmpl::function::signature::method_0($run) };
    (@method $run:ident $a:ident) => { $crate::gotmpl::function::signature::method_1($run) };
    (@method $run:ident $a:ident $b:ident) => { $crate::gotmpl::function::signature::method_2($run) };
    (@method $run:ident $a:ident $b:ident $c:ident) => { $crate::gotmpl::function::signature::method_3($run) };
    (@method_with $run:ident) => { $crate::gotmpl::function::signature::method_with_0($run) };
    (@method_with $run:ident $a:ident) => { $crate::gotmpl::function::signature::method_with_1($run) };
    (@signature with $run:ident) => { $crate::gotmpl::function::signature::with_0($run) };
    (@signature with $run:ident $a:ident) => { $crate::gotmpl::function::signature::with_1($run) };
    (@signature with $run:ident $a:ident $b:ident) => { $crate::gotmpl::function::signature::with_2($run) };
    (@signature with $run:ident $a:ident $b:ident $c:ident) => { $crate::gotmpl::function::signature::with_3($run) };
    (@signature with $run:ident $a:ident $b:ident $c:ident $d:ident) => { $crate::gotmpl::function::signature::with_4($run) };
    (@signature with $run:ident $a:ident $b:ident $c:ident $d:ident $e:ident) => { $crate::gotmpl::function::signature::with_5($run) };
    (@signature with $run:ident $a:ident $b:ident $c:ident $d:ident $e:ident $f:ident) => { $crate::gotmpl::function::signature::with_6($run) };
    (@signature $run:ident) => { $crate::gotmpl::function::signature::of_0($run) };
    (@signature $run:ident $a:ident) => { $crate::gotmpl::function::signature::of_1($run) };
    (@signature $run:ident $a:ident $b:ident) => { $crate::gotmpl::function::signature::of_2($run) };
    (@signature $run:ident $a:ident $b:ident $c:ident) => { $crate::gotmpl::function::signature::of_3($run) };
    (@signature $run:ident $a:ident $b:ident $c:ident $d:ident) => { $crate::gotmpl::function::signature::of_4($run) };
    (@signature $run:ident $a:ident $b:ident $c:ident $d:ident $e:ident) => { $crate::gotmpl::function::signature::of_5($run) };
    (@signature $run:ident $a:ident $b:ident $c:ident $d:ident $e:ident $f:ident) => { $crate::gotmpl::function::signature::of_6($run) };
}

pub(crate) use function;

/// A method: as [`function!`], but its Rust function takes the receiver first.
macro_rules! method {
    ($name:literal, $run:ident($($parameter:ident),*)) => {
        $crate::gotmpl::function::Function {
            name: $name,
            parameters: &[$(stringify!($parameter)),*],
            signature: $crate::gotmpl::function::function!(@method $run $($parameter)*),
            doc: "",
            special: $crate::gotmpl::function::Special::None,
            run: |_, arguments| {
                $(let $parameter = arguments.take();)*
                $crate::gotmpl::function::Returned::into_value($run(&arguments.receiver, $($parameter),*))
            },
        }
    };
    ($name:literal, with $run:ident($($parameter:ident),*)) => {
        $crate::gotmpl::function::Function {
            name: $name,
            parameters: &[$(stringify!($parameter)),*],
            signature: $crate::gotmpl::function::function!(@method_with $run $($parameter)*),
            doc: "",
            special: $crate::gotmpl::function::Special::None,
            run: |context, arguments| {
                $(let $parameter = arguments.take();)*
                $crate::gotmpl::function::Returned::into_value($run(context, &arguments.receiver, $($parameter),*))
            },
        }
    };
}

pub(crate) use method;

/// The functions that a template may call, by name.
#[derive(Debug)]
pub struct Functions(HashMap<&'static str, &'static Function>);

impl Functions {
    /// The functions of these families; of two with one name the later counts.
    pub fn new(families: &[&'static [Function]]) -> Functions {
        let count = families.iter().map(|family| family.len()).sum();
        let mut functions = HashMap::with_capacity(count);
        for family in families {
            functions.extend(family.iter().map(|f| (f.name, f)));
        }
        Functions(functions)
    }

    /// The function of that name.
    pub fn get(&self, name: &str) -> Option<&'static Function> {
        self.0.get(name).copied()
    }
}
