//! YAML and JSON from and to values.
//!
//! Compat: Helm 4.3.1 `pkg/engine/funcs.go`, sprig 3.3.0 `defaults.go`;
//! sigs.k8s.io/yaml 1.6, in which everything goes through JSON, so that numbers
//! that are read are floats. `to…` give nothing where Go's library fails, and
//! `from…` give the error as a value; their `must…` variants fail.

use std::sync::Arc;

use crate::diag::{Error, FileId};
use crate::gotmpl::exec::Context;
use crate::gotmpl::function::{CallError, CallResult, Function, function};
use crate::gotmpl::json;
use crate::gotmpl::value::{List, ListType, Map, MapType, Text, Unsupported, Value};
use crate::yaml;

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    function!("toYaml", with to_yaml(value), "The value as YAML, without a line break at the end; nothing where it cannot be written."),
    function!("mustToYaml", with must_to_yaml(value), "As `toYaml`; an error where it cannot be written."),
    function!("toYamlPretty", with to_yaml_pretty(value), "As `toYaml`, with lists further in than their keys."),
    function!("fromYaml", with from_yaml(text), "The dict that YAML text holds; one with the key `Error` where it holds none."),
    function!("fromYamlArray", with from_yaml_array(text), "The list that YAML text holds; one of an error text where it holds none."),
    function!("toJson", with to_json(value), "The value as JSON in one line; nothing where it cannot be written."),
    function!("mustToJson", with must_to_json(value), "As `toJson`; an error where it cannot be written."),
    function!("toPrettyJson", with to_pretty_json(value), "The value as JSON with indentation; nothing where it cannot be written."),
    function!("mustToPrettyJson", with must_to_pretty_json(value), "As `toPrettyJson`; an error where it cannot be written."),
    function!("toRawJson", with must_to_raw_json(value), "As `mustToJson`, with `<`, `>` and `&` as they are."),
    function!("mustToRawJson", with must_to_raw_json(value), "As `toRawJson`."),
    function!("fromJson", with from_json(text), "The dict that JSON text holds; one with the key `Error` where it holds none."),
    function!("fromJsonArray", with from_json_array(text), "The list that JSON text holds; one of an error text where it holds none."),
    function!("mustFromJson", with must_from_json(text), "The value that JSON text holds; an error where it holds none."),
];

/// Writes a value as YAML.
fn yaml_of(context: &mut Context<'_>, value: &Value) -> CallResult<String> {
    let data = value.to_json(&mut context.machine.meter)?;
    let mut out = String::new();
    yaml::emit::sorted_value(&data, &mut out)
        .map_err(|e| CallError::new(format!("yaml: {}", e.message())))?;
    out.truncate(out.strip_suffix('\n').map_or(out.len(), str::len));
    context.take_bytes(out.len())?;
    Ok(out)
}

/// Nothing where the library fails; budgets hold all the same.
fn or_nothing(result: CallResult<String>) -> CallResult<String> {
    match result {
        Err(CallError::Message(_)) => Ok(String::new()),
        other => other,
    }
}

fn to_yaml(context: &mut Context<'_>, value: Value) -> CallResult<String> {
    or_nothing(yaml_of(context, &value))
}

fn must_to_yaml(context: &mut Context<'_>, value: Value) -> CallResult<String> {
    yaml_of(context, &value)
}

/// Compat: go-yaml v3 writes this one, with no JSON between.
fn to_yaml_pretty(context: &mut Context<'_>, value: Value) -> CallResult<String> {
    or_nothing(
        value
            .to_json(&mut context.machine.meter)
            .map_err(CallError::from)
            .and_then(|data| {
                let mut out = String::new();
                yaml::emit::value_as_written(&data, yaml::emit::Indent::Wide(2), &mut out);
                out.truncate(out.strip_suffix('\n').map_or(out.len(), str::len));
                context.take_bytes(out.len())?;
                Ok(out)
            }),
    )
}

/// Counts what reading a text takes. Nodes are larger than their text, and each
/// takes one of some characters to begin.
pub(super) fn take_nodes(
    context: &mut Context<'_>,
    text: &Text,
    begins: &[u8],
    each: usize,
) -> CallResult<()> {
    let nodes = text
        .as_bytes()
        .iter()
        .filter(|b| begins.contains(b))
        .count();
    context.take_bytes(text.len() * 2 + nodes.saturating_mul(each))
}

/// Reads YAML text as plain data.
fn read_yaml(
    context: &mut Context<'_>,
    text: &Text,
) -> CallResult<Result<Arc<yaml::Value>, String>> {
    take_nodes(context, text, b",:-\n[{?", 160)?;
    let texts = &context.machine.environment.world.texts;
    Ok(texts
        .get(text.as_bytes(), parse_yaml)
        .map_err(|e| format!("error converting YAML to JSON: {}", go_yaml_message(&e))))
}

fn parse_yaml(bytes: &[u8]) -> Result<yaml::Value, Error> {
    let text = yaml::text::decode(bytes)?;
    yaml::decode_one(&text, FileId::default()).map(Option::unwrap_or_default)
}

fn go_yaml_message(error: &Error) -> String {
    let message = error.message();
    match error.span().line {
        0 => format!("yaml: {message}"),
        line => format!("yaml: line {line}: {message}"),
    }
}

/// What Go says of data that is not of the type that is wanted.
fn mismatch(value: &yaml::Value, wanted: &str) -> String {
    let what = match value {
        yaml::Value::Null => "null",
        yaml::Value::Bool(_) => "bool",
        yaml::Value::Int(_) | yaml::Value::Uint(_) | yaml::Value::Float(_) => "number",
        yaml::Value::String(_) => "string",
        yaml::Value::Sequence(_) => "array",
        yaml::Value::Mapping(_) => "object",
    };
    format!("json: cannot unmarshal {what} into Go value of type {wanted}")
}

/// The dict that data is.
fn dict_of(value: &yaml::Value) -> Result<Map, String> {
    match value {
        yaml::Value::Null => Ok(Map::nil(MapType::ANY)),
        yaml::Value::Mapping(_) => match Value::from_json(value) {
            Value::Map(map) => Ok(map),
            _ => Ok(Map::default()),
        },
        other => Err(mismatch(other, MapType::ANY.name)),
    }
}

/// The list that data is.
fn list_of(value: &yaml::Value) -> Result<List, String> {
    match value {
        yaml::Value::Null => Ok(List::nil(ListType::ANY)),
        yaml::Value::Sequence(_) => match Value::from_json(value) {
            Value::List(list) => Ok(list),
            _ => Ok(List::default()),
        },
        other => Err(mismatch(other, ListType::ANY.name)),
    }
}

fn error_dict(message: String) -> Map {
    Map::any([("Error".into(), Value::text(message))].into())
}

fn error_list(message: String) -> List {
    List::any(vec![Value::text(message)])
}

const DECODING: &str = "error unmarshaling JSON: while decoding JSON";

/// Compat: nothing, and a null, leave the empty dict that Helm reads into; the
/// reader of JSON makes a nil of it.
fn from_yaml(context: &mut Context<'_>, text: Text) -> CallResult<Map> {
    let read = read_yaml(context, &text)?;
    Ok(read
        .and_then(|value| match &*value {
            yaml::Value::Null => Ok(Map::any([].into())),
            value => dict_of(value).map_err(|e| format!("{DECODING}: {e}")),
        })
        .unwrap_or_else(error_dict))
}

fn from_yaml_array(context: &mut Context<'_>, text: Text) -> CallResult<List> {
    let read = read_yaml(context, &text)?;
    Ok(read
        .and_then(|value| match &*value {
            yaml::Value::Null => Ok(List::any(Vec::new())),
            value => list_of(value).map_err(|e| format!("{DECODING}: {e}")),
        })
        .unwrap_or_else(error_list))
}

fn json_of(
    context: &mut Context<'_>,
    value: &Value,
    write: fn(&yaml::Value) -> String,
) -> CallResult<String> {
    let data = value
        .to_json(&mut context.machine.meter)
        .map_err(|e| match e {
            // Compat: a nil in the way is an error of its own in Go's encoder.
            Unsupported::Value(message) => CallError::Message(message),
            Unsupported::Exhausted(exhausted) => CallError::Exhausted(exhausted),
        })?;
    let out = write(&data);
    context.take_bytes(out.len())?;
    Ok(out)
}

fn to_json(context: &mut Context<'_>, value: Value) -> CallResult<String> {
    or_nothing(json_of(context, &value, yaml::to_json))
}

fn must_to_json(context: &mut Context<'_>, value: Value) -> CallResult<String> {
    json_of(context, &value, yaml::to_json)
}

fn to_pretty_json(context: &mut Context<'_>, value: Value) -> CallResult<String> {
    or_nothing(json_of(context, &value, json::pretty))
}

fn must_to_pretty_json(context: &mut Context<'_>, value: Value) -> CallResult<String> {
    json_of(context, &value, json::pretty)
}

fn must_to_raw_json(context: &mut Context<'_>, value: Value) -> CallResult<String> {
    json_of(context, &value, json::raw)
}

fn read_json(context: &mut Context<'_>, text: &Text) -> CallResult<Result<yaml::Value, String>> {
    take_nodes(context, text, b",:[{", 112)?;
    Ok(json::parse(&text.to_str()))
}

fn from_json(context: &mut Context<'_>, text: Text) -> CallResult<Map> {
    let read = read_json(context, &text)?;
    Ok(read
        .and_then(|value| dict_of(&value))
        .unwrap_or_else(error_dict))
}

fn from_json_array(context: &mut Context<'_>, text: Text) -> CallResult<List> {
    let read = read_json(context, &text)?;
    Ok(read
        .and_then(|value| list_of(&value))
        .unwrap_or_else(error_list))
}

fn must_from_json(context: &mut Context<'_>, text: Text) -> CallResult {
    let value = read_json(context, &text)?.map_err(CallError::Message)?;
    Ok(Value::from_json(&value))
}
