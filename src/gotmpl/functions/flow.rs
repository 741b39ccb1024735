//! Templates within templates, demands, and the world outside.
//!
//! Compat: Helm 4.3.1 `pkg/engine/engine.go`, `pkg/engine/lookup_func.go`.

use crate::gotmpl::exec::Context;
use crate::gotmpl::function::{CallError, CallResult, Function, function};
use crate::gotmpl::value::{Map, Text, Value};

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    function!("include", with include(name, value), "What the template of that name writes for the value."),
    function!("tpl", with tpl(text, value), "What the text, which is itself a template, writes for the value."),
    function!(
        "required",
        required(message, value),
        "The value; an error with that message where it is nil or an empty text."
    ),
    function!("fail", fail(message), "An error with that message."),
    function!("lookup", with lookup(api_version, kind, namespace, name), "An object of the cluster, or a list of objects where the name is empty; an empty dict where there is nothing. Without a cluster, objects come from `--lookup-from`."),
    function!(
        "getHostByName",
        get_host_by_name(name),
        "The address of a host. No name is looked up here: the result is empty, as Helm has it without `--enable-dns`."
    ),
];

fn include(context: &mut Context<'_>, name: Text, value: Value) -> CallResult<Text> {
    context.include(&name, value)
}

fn tpl(context: &mut Context<'_>, text: Text, value: Value) -> CallResult<Text> {
    context.evaluate(&text, value)
}

fn required(message: Text, value: Value) -> CallResult {
    match &value {
        Value::Nil => Err(CallError::Chosen(message.to_string())),
        Value::Text(text) if text.is_empty() => Err(CallError::Chosen(message.to_string())),
        _ => Ok(value),
    }
}

fn fail(message: Text) -> CallResult<&'static str> {
    Err(CallError::Chosen(message.to_string()))
}

fn lookup(
    context: &mut Context<'_>,
    api_version: Text,
    kind: Text,
    namespace: Text,
    name: Text,
) -> CallResult {
    let found = context
        .machine
        .environment
        .world
        .lookup
        .as_ref()
        .and_then(|lookup| {
            lookup(
                &api_version.to_str(),
                &kind.to_str(),
                &namespace.to_str(),
                &name.to_str(),
            )
        });
    Ok(match found {
        Some(object) => Value::from_yaml(&object),
        None => Map::any([].into()).into(),
    })
}

fn get_host_by_name(_name: Text) -> &'static str {
    ""
}
