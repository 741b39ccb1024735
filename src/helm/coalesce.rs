//! Values of charts and their users made one.
//!
//! Tables merge, everything else is replaced, and a null takes a default away.
//! A chart's own table lies under its name in that of its parent, and what is
//! under `global` is handed down.
//!
//! Tables are shared here exactly where Helm shares them, since a template
//! that changes one may be seen to change another.
//!
//! Compat: Helm 4.3.1 `pkg/chart/common/util/coalesce.go`. "Coalescing" drops
//! nulls, "merging" keeps them for a later step.

use super::dependencies::Instance;
use crate::gotmpl::value::{Entries, Map, Text, Value};

/// Whether nulls are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nulls {
    /// A null in the stronger table takes the key away.
    Delete,
    /// Nulls stay.
    Keep,
}

/// What is said about values that do not fit each other.
pub(super) type Warnings = Vec<String>;

const GLOBAL: &str = "global";

/// All values of a chart and those below it, over its user's.
///
/// # Errors
///
/// Where a subchart's table is something else.
pub(super) fn values(
    chart: &Instance,
    user: &Map,
    nulls: Nulls,
    warnings: &mut Warnings,
) -> Result<Map, String> {
    let values = deep_copy(user);
    coalesce(chart, &values, "", nulls, warnings)?;
    Ok(values)
}

/// A copy that shares no table with the original.
pub(super) fn deep_copy(map: &Map) -> Map {
    Map::any(map.with(|entries| {
        entries
            .iter()
            .map(|(key, value)| (key.clone(), deep_copy_value(value)))
            .collect()
    }))
}

fn deep_copy_value(value: &Value) -> Value {
    match value {
        Value::Map(map) if !map.is_nil() => deep_copy(map).into(),
        Value::List(list) if !list.is_nil() => {
            let items = list.with(|items| items.iter().map(deep_copy_value).collect());
            crate::gotmpl::value::List::new(list.list_type(), items).into()
        }
        other => other.clone(),
    }
}

pub(super) fn table(value: Option<&Value>) -> Option<&Map> {
    match value {
        Some(Value::Map(map)) => Some(map),
        _ => None,
    }
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}

fn coalesce(
    chart: &Instance,
    into: &Map,
    prefix: &str,
    nulls: Nulls,
    warnings: &mut Warnings,
) -> Result<(), String> {
    add_defaults(chart, into, prefix, nulls, warnings);
    let prefix = join(prefix, &chart.name);
    for subchart in &chart.dependencies {
        let key = Text::from(subchart.name.clone());
        let own = match into.get(key.as_bytes()) {
            None => {
                let own = Map::any(Entries::new());
                into.change(|e| e.insert(key, own.clone().into()));
                own
            }
            Some(Value::Map(own)) => own,
            Some(other) => {
                return Err(format!("type mismatch on {key}: {}", go_bool_verb(&other)));
            }
        };
        hand_down_globals(&own, into, &prefix, warnings);
        coalesce(subchart, &own, &prefix, nulls, warnings)?;
    }
    Ok(())
}

/// A value as Go's `%t` shows it, which is meant for booleans.
fn go_bool_verb(value: &Value) -> String {
    match value {
        Value::Bool(b) => b.to_string(),
        Value::Nil => "%!t(<nil>)".to_owned(),
        other => format!(
            "%!t({}={})",
            other.type_name().unwrap_or_default(),
            crate::gotmpl::show_value(other)
        ),
    }
}

/// Adds the defaults of a chart to its values.
fn add_defaults(chart: &Instance, into: &Map, prefix: &str, nulls: Nulls, warnings: &mut Warnings) {
    let prefix = join(prefix, &chart.name);
    for (key, default) in chart.values().to_entries() {
        match into.get(key.as_bytes()) {
            Some(Value::Nil) if nulls == Nulls::Delete => {
                into.change(|e| e.remove(&key));
            }
            Some(Value::Map(stronger)) => match &default {
                Value::Map(weaker) => {
                    let is_subchart = chart
                        .dependencies
                        .iter()
                        .any(|d| d.name.as_bytes() == key.as_bytes());
                    let nulls = if is_subchart { Nulls::Keep } else { nulls };
                    if nulls == Nulls::Delete {
                        drop_nulls(weaker);
                    }
                    let full = join(&prefix, &key.to_str());
                    merge_tables(&stronger, weaker, &full, nulls, warnings);
                }
                Value::Nil => {}
                _ => warnings.push(format!(
                    "warning: skipped value for {prefix}.{key}: Not a table."
                )),
            },
            Some(_) => {}
            None => {
                if nulls == Nulls::Delete {
                    match &default {
                        Value::Nil => continue,
                        Value::Map(map) => drop_nulls(map),
                        _ => {}
                    }
                }
                into.change(|e| e.insert(key, default));
            }
        }
    }
}

/// Merges the globals of a parent into those of its child.
fn hand_down_globals(child: &Map, parent: &Map, prefix: &str, warnings: &mut Warnings) {
    let mut globals_of = |map: &Map, which: &str| match map.get(GLOBAL.as_bytes()) {
        None => Some(Map::any(Entries::new())),
        Some(Value::Map(globals)) => Some(globals),
        Some(_) => {
            warnings.push(format!(
                "warning: skipping globals because {which} {GLOBAL} is not a table."
            ));
            None
        }
    };
    let Some(own) = globals_of(child, "destination") else {
        return;
    };
    let Some(given) = globals_of(parent, "source") else {
        return;
    };
    for (key, value) in given.to_entries() {
        let before = own.get(key.as_bytes());
        let Value::Map(stronger) = &value else {
            if table(before.as_ref()).is_some() {
                warnings.push(format!("key {key} is table. Skipping"));
            } else {
                own.change(|e| e.insert(key, value));
            }
            continue;
        };
        // A copy of the table itself; tables within it stay shared.
        let copy = Map::any(stronger.to_entries());
        match before {
            None => {}
            Some(Value::Map(weaker)) => {
                let full = join(prefix, &key.to_str());
                merge_tables(&copy, &weaker, &full, Nulls::Keep, warnings);
            }
            Some(_) => {
                warnings.push(format!(
                    "Conflict: cannot merge map onto non-map for {}. Skipping.",
                    crate::gostd::strconv::quote(&key.to_str())
                ));
                continue;
            }
        }
        own.change(|e| e.insert(key, copy.into()));
    }
    child.change(|e| e.insert(GLOBAL.into(), own.into()));
}

/// Adds to a table what a weaker one has.
pub(super) fn merge_tables(
    stronger: &Map,
    weaker: &Map,
    prefix: &str,
    nulls: Nulls,
    warnings: &mut Warnings,
) {
    if weaker.is_nil() {
        return;
    }
    // A key that is null in the stronger table becomes one of the weaker
    // table, in which it shows where that is shared; only a default that was
    // there before is taken away by it.
    let had_defaults = weaker.to_entries();
    let nulled: Vec<Text> = stronger.with(|own| {
        let nulls = own.iter().filter(|(_, v)| matches!(v, Value::Nil));
        nulls.map(|(key, _)| key.clone()).collect()
    });
    weaker.change(|e| {
        for key in &nulled {
            e.insert(key.clone(), Value::Nil);
        }
    });
    let is_default = |key: &Text| {
        had_defaults
            .get(key)
            .is_some_and(|v| !matches!(v, Value::Nil))
    };
    let with_nulls = (!nulled.is_empty()).then(|| weaker.to_entries());
    for (key, value) in with_nulls.as_ref().unwrap_or(&had_defaults) {
        let full = || join(prefix, &key.to_str());
        match stronger.get(key.as_bytes()) {
            None => {
                stronger.change(|e| e.insert(key.clone(), value.clone()));
            }
            Some(Value::Nil) if nulls == Nulls::Delete && is_default(key) => {
                stronger.change(|e| e.remove(key));
            }
            Some(Value::Map(own)) => match value {
                Value::Map(weaker) => merge_tables(&own, weaker, &full(), nulls, warnings),
                Value::Nil => {}
                other => warnings.push(format!(
                    "warning: destination for {} is a table. Ignoring non-table value ({})",
                    full(),
                    crate::gotmpl::show_value(other)
                )),
            },
            Some(_) => {
                if let Value::Map(_) = value {
                    warnings.push(format!(
                        "warning: cannot overwrite table with non table for {} ({})",
                        full(),
                        crate::gotmpl::show_value(value)
                    ));
                }
            }
        }
    }
}

/// Takes all nulls out of a table and those within.
pub(super) fn drop_nulls(map: &Map) {
    let mut inner = Vec::new();
    map.change(|entries| {
        entries.retain(|_, value| !matches!(value, Value::Nil));
        inner.extend(entries.values().filter_map(|value| match value {
            Value::Map(map) => Some(map.clone()),
            _ => None,
        }));
    });
    for map in inner {
        drop_nulls(&map);
    }
}
