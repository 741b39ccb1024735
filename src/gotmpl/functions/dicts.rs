//! Dicts: built, read, changed, merged.
//!
//! Compat: sprig 3.3.0 `dict.go`; the libraries `dario.cat/mergo` 1.0.1 and
//! `mitchellh/copystructure` 1.2.0. Go's maps have no order; keys and values
//! come in the order of the keys here.

use super::convert::strval;
use crate::gotmpl::exec::Context;
use crate::gotmpl::function::{CallError, CallResult, Function, Rest, function};
use crate::gotmpl::value::{Entries, Kind, List, Map, MapType, Text, Value};
use crate::yaml::MAX_DEPTH;

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    function!("dict", with dict(pair), "A dict of keys and values in turn; a key without a value gets an empty text."),
    function!(
        "get",
        get(dict, key),
        "The value of a key; an empty text where it is not there."
    ),
    function!("set", with set(dict, key, value), "Sets the value of a key in the dict itself, for all who see it, and gives the dict."),
    function!(
        "unset",
        unset(dict, key),
        "Takes a key out of the dict itself, for all who see it, and gives the dict."
    ),
    function!("hasKey", has_key(dict, key), "Whether the key is there."),
    function!("pluck", with pluck(key, dict), "The values of a key in each dict that has it."),
    function!(
        "dig",
        dig(path),
        "The value behind a chain of keys: `dig \"a\" \"b\" DEFAULT DICT`."
    ),
    function!("keys", with keys(dict), "The keys of all dicts, those of each in order."),
    function!("values", with values(dict), "The values of a dict, in the order of the keys."),
    function!("pick", with pick(dict, key), "A new dict with these keys alone."),
    function!("omit", with omit(dict, key), "A new dict without these keys."),
    function!("merge", with merge(dict, other), "Adds to the first dict itself what the others have and it has not, or has empty."),
    function!("mustMerge", with merge(dict, other), "As `merge`."),
    function!("mergeOverwrite", with merge_overwrite(dict, other), "Sets in the first dict itself what the others have."),
    function!("mustMergeOverwrite", with merge_overwrite(dict, other), "As `mergeOverwrite`."),
    function!("deepCopy", with deep_copy(value), "A copy that shares nothing with the value."),
    function!("mustDeepCopy", with deep_copy(value), "As `deepCopy`."),
];

fn dict(context: &mut Context<'_>, pairs: Rest<Value>) -> CallResult<Map> {
    let mut entries = Entries::new();
    let mut pairs = pairs.0.into_iter();
    while let Some(key) = pairs.next() {
        let key = strval(context, &key)?;
        entries.insert(key, pairs.next().unwrap_or_else(|| Value::text("")));
    }
    context.take_bytes(Map::bytes(entries.len()))?;
    Ok(Map::any(entries))
}

fn get(dict: Map, key: Text) -> Value {
    dict.get(key.as_bytes()).unwrap_or_else(|| Value::text(""))
}

fn set(context: &mut Context<'_>, dict: Map, key: Text, value: Value) -> CallResult<Map> {
    context.take_bytes(4 * size_of::<Value>())?;
    match dict.change(|entries| entries.insert(key, value)) {
        Some(_) => Ok(dict.typed(MapType::ANY)),
        None => Err(CallError::new("assignment to entry in nil map")),
    }
}

fn unset(dict: Map, key: Text) -> Map {
    dict.change(|entries| entries.remove(&key));
    dict.typed(MapType::ANY)
}

fn has_key(dict: Map, key: Text) -> bool {
    dict.has(key.as_bytes())
}

fn pluck(context: &mut Context<'_>, key: Text, dicts: Rest<Map>) -> CallResult<List> {
    context.take_bytes(dicts.0.len() * size_of::<Value>())?;
    let values = dicts.0.iter().filter_map(|dict| dict.get(key.as_bytes()));
    Ok(List::any(values.collect()))
}

fn dig(path: Rest<Value>) -> CallResult {
    let mut path = path.0;
    if path.len() < 3 {
        return Err(CallError::new("dig needs at least three arguments"));
    }
    let dict = path.pop().unwrap_or_default();
    let default = path.pop().unwrap_or_default();
    let mut dict = asserted_dict(&dict)?.clone();
    let mut keys = Vec::with_capacity(path.len());
    for key in &path {
        match key {
            Value::Text(text) => keys.push(text),
            other => return Err(not_a("string", other)),
        }
    }
    let Some((last, chain)) = keys.split_last() else {
        return Ok(default);
    };
    for key in chain {
        let Some(step) = dict.get(key.as_bytes()) else {
            return Ok(default);
        };
        dict = asserted_dict(&step)?.clone();
    }
    Ok(dict.get(last.as_bytes()).unwrap_or(default))
}

/// A dict of exactly this type.
///
/// Compat: `.Values` itself is of another one.
fn asserted_dict(value: &Value) -> CallResult<&Map> {
    match value {
        Value::Map(map) if map.map_type() == MapType::ANY => Ok(map),
        other => Err(not_a(MapType::ANY.name, other)),
    }
}

fn not_a(wanted: &str, value: &Value) -> CallError {
    let what = match value.type_name() {
        Some(name) => format!("interface {{}} is {name}"),
        None => "interface {} is nil".to_owned(),
    };
    CallError::new(format!("interface conversion: {what}, not {wanted}"))
}

fn keys(context: &mut Context<'_>, dicts: Rest<Map>) -> CallResult<List> {
    let count: usize = dicts.0.iter().map(Map::len).sum();
    context.take_bytes(count * size_of::<Value>())?;
    let mut keys: Vec<Text> = Vec::with_capacity(count);
    for dict in &dicts.0 {
        dict.with(|entries| keys.extend(entries.keys().cloned()));
    }
    Ok(List::texts(keys))
}

fn values(context: &mut Context<'_>, dict: Map) -> CallResult<List> {
    context.take_bytes(dict.len() * size_of::<Value>())?;
    Ok(List::any(dict.with(|e| e.values().cloned().collect())))
}

fn pick(context: &mut Context<'_>, dict: Map, keys: Rest<Text>) -> CallResult<Map> {
    context.take_bytes(Map::bytes(keys.0.len()))?;
    let picked = keys
        .0
        .into_iter()
        .filter_map(|key| dict.get(key.as_bytes()).map(|value| (key, value)));
    Ok(Map::any(picked.collect()))
}

fn omit(context: &mut Context<'_>, dict: Map, keys: Rest<Text>) -> CallResult<Map> {
    context.take_bytes(Map::bytes(dict.len()))?;
    let mut entries = dict.to_entries();
    for key in &keys.0 {
        entries.remove(key);
    }
    Ok(Map::any(entries))
}

fn merge(context: &mut Context<'_>, dict: Map, others: Rest<Map>) -> CallResult {
    merge_all(context, dict, &others.0, false)
}

fn merge_overwrite(context: &mut Context<'_>, dict: Map, others: Rest<Map>) -> CallResult {
    merge_all(context, dict, &others.0, true)
}

fn merge_all(context: &mut Context<'_>, dict: Map, others: &[Map], overwrite: bool) -> CallResult {
    let mut dict = dict.typed(MapType::ANY);
    for other in others {
        if dict.is_nil() && !other.is_nil() {
            dict = Map::any(Entries::new());
        }
        merge_into(context, &dict, other, overwrite, 0)?;
    }
    Ok(dict.into())
}

/// Merges one dict into another.
///
/// Compat: `mergo` `deepMerge`: dicts that are not empty on both sides are
/// merged in place, everything else is replaced as a whole; an empty dict is
/// replaced by the other's own, not by a copy.
fn merge_into(
    context: &mut Context<'_>,
    dict: &Map,
    other: &Map,
    overwrite: bool,
    depth: usize,
) -> CallResult<()> {
    if depth > MAX_DEPTH {
        return Err(CallError::new("dicts nest too deep to be merged"));
    }
    let entries = other.to_entries();
    context.take_bytes(Map::bytes(entries.len()))?;
    for (key, new) in entries {
        if matches!(new, Value::Nil) {
            if overwrite {
                dict.change(|e| e.insert(key, Value::Nil));
            }
            continue;
        }
        let old = dict.get(key.as_bytes());
        if let (Some(Value::Map(old)), Value::Map(new)) = (&old, &new)
            && !old.is_nil()
        {
            merge_into(context, old, new, overwrite, depth + 1)?;
        }
        let is_kept = old.as_ref().is_some_and(|old| {
            let both_maps = is_map(old) && is_map(&new);
            old.is_true() && (both_maps || new.is_list() && !overwrite)
        });
        let is_empty = old.as_ref().is_none_or(|old| !old.is_true());
        if !is_kept && (overwrite || is_empty) {
            dict.change(|e| e.insert(key, new));
        }
    }
    Ok(())
}

fn is_map(value: &Value) -> bool {
    match value {
        Value::Map(_) => true,
        Value::Object(object) => object.kind() == Kind::Map,
        _ => false,
    }
}

fn deep_copy(context: &mut Context<'_>, value: Value) -> CallResult {
    if matches!(value, Value::Nil) {
        return Err(CallError::new(
            "reflect: call of reflect.Value.Type on zero Value",
        ));
    }
    Ok(value.deep_copy(&mut context.machine.meter)?)
}
