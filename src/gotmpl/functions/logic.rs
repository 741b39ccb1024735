//! Defaults and choices, types and kinds.
//!
//! Compat: sprig 3.3.0 `defaults.go`, `reflect.go`.

use crate::gotmpl::exec::Context;
use crate::gotmpl::function::{CallResult, Function, Rest, function};
use crate::gotmpl::value::{self, Text, Value};

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    function!(
        "default",
        default(fallback, value),
        "The value, or the fallback where the value is empty."
    ),
    function!(
        "empty",
        empty(value),
        "Whether the value is empty: nil, false, 0, or without content."
    ),
    function!(
        "coalesce",
        coalesce(value),
        "The first value that is not empty, else nil."
    ),
    function!("all", all(value), "Whether no value is empty."),
    function!("any", any(value), "Whether a value is not empty."),
    function!(
        "ternary",
        ternary(yes, no, condition),
        "`yes` where the condition is true, else `no`."
    ),
    function!(
        "typeOf",
        type_of(value),
        "The name of the value's type in Go."
    ),
    function!(
        "typeIs",
        type_is(name, value),
        "Whether the value's type in Go has that name."
    ),
    function!(
        "typeIsLike",
        type_is_like(name, value),
        "As `typeIs`; a pointer to the type will do, too."
    ),
    function!(
        "kindOf",
        kind_of(value),
        "The name of the value's kind in Go: `map`, `slice`, `string`, `float64`, …"
    ),
    function!(
        "kindIs",
        kind_is(name, value),
        "Whether the value's kind in Go has that name."
    ),
    function!("deepEqual", with deep_equal(value, other), "Whether both values have the same types and the same content."),
];

fn default(fallback: Value, value: Rest<Value>) -> Value {
    match value.0.into_iter().next() {
        Some(value) if value.is_true() => value,
        _ => fallback,
    }
}

fn empty(value: Value) -> bool {
    !value.is_true()
}

fn coalesce(values: Rest<Value>) -> Value {
    values
        .0
        .into_iter()
        .find(Value::is_true)
        .unwrap_or_default()
}

fn all(values: Rest<Value>) -> bool {
    values.0.iter().all(Value::is_true)
}

fn any(values: Rest<Value>) -> bool {
    values.0.iter().any(Value::is_true)
}

fn ternary(yes: Value, no: Value, condition: bool) -> Value {
    if condition { yes } else { no }
}

fn type_of(value: Value) -> &'static str {
    value.type_name().unwrap_or("<nil>")
}

fn type_is(name: Text, value: Value) -> bool {
    name.as_bytes() == type_of(value).as_bytes()
}

fn type_is_like(name: Text, value: Value) -> bool {
    let own = type_of(value).as_bytes();
    name.as_bytes() == own || own.strip_prefix(b"*") == Some(name.as_bytes())
}

fn kind_of(value: Value) -> &'static str {
    value.kind_name()
}

fn kind_is(name: Text, value: Value) -> bool {
    name.as_bytes() == value.kind_name().as_bytes()
}

fn deep_equal(context: &mut Context<'_>, value: Value, other: Value) -> CallResult<bool> {
    Ok(value::deep_equal(
        &value,
        &other,
        &mut context.machine.meter,
    )?)
}
