//! Quantities, versions, addresses on the web, named formats.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::convert::some;
use super::{Failure, Function, Meter, Result};
use crate::cel::quantity::Quantity;
use crate::cel::value::{Key, Map, Value};
use crate::gostd::semver::Version;
use crate::gostd::{names, strfmt, url};

pub(super) fn call(
    function: Function,
    arguments: &[Value],
    _meter: &mut Meter<'_>,
) -> Option<Result<Value>> {
    quantity(function, arguments)
        .or_else(|| semver(function, arguments))
        .or_else(|| address(function, arguments))
        .or_else(|| format(function, arguments))
}

fn quantity(function: Function, arguments: &[Value]) -> Option<Result<Value>> {
    let value = match (function, arguments) {
        (Function::Quantity, [Value::String(text)]) => {
            let quantity = Quantity::parse(text).map(Value::Quantity);
            return Some(quantity.ok_or_else(|| Failure::new(format!("`{text}` is no quantity"))));
        }
        (Function::IsQuantity, [Value::String(text)]) => Quantity::parse(text).is_some().into(),
        (Function::Sign, [Value::Quantity(q)]) => Value::Int(q.sign()),
        (Function::IsInteger, [Value::Quantity(q)]) => q.integer().is_some().into(),
        (Function::AsInteger, [Value::Quantity(q)]) => {
            let integer = q.integer().map(Value::Int);
            return Some(integer.ok_or_else(|| Failure::new("the quantity is no integer")));
        }
        (Function::AsFloat, [Value::Quantity(q)]) => Value::Double(q.float()),
        (Function::Add | Function::Subtract, [Value::Quantity(a), b]) => {
            let b = match b {
                Value::Quantity(b) => *b,
                Value::Int(i) => Quantity::of_int(*i),
                _ => return None,
            };
            Value::Quantity(if function == Function::Add {
                a.add(b)
            } else {
                a.subtract(b)
            })
        }
        (_, [Value::Quantity(a), Value::Quantity(b)]) => comparison(function, a.compare(*b))?,
        _ => return None,
    };
    Some(Ok(value))
}

fn comparison(function: Function, order: Ordering) -> Option<Value> {
    Some(match function {
        Function::IsGreaterThan => order.is_gt().into(),
        Function::IsLessThan => order.is_lt().into(),
        Function::CompareTo => Value::Int(order as i64),
        _ => return None,
    })
}

fn semver(function: Function, arguments: &[Value]) -> Option<Result<Value>> {
    let read = |text: &str, rest: &[Value]| match rest {
        [] | [Value::Bool(false)] => Some(Version::parse_strict(text).ok()),
        [Value::Bool(true)] => Some(normalized(text)),
        _ => None,
    };
    let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
    let value = match (function, arguments) {
        (Function::Semver, [Value::String(text), rest @ ..]) => {
            let version = read(text, rest)?.map(|version| Value::Semver(Arc::new(version)));
            return Some(version.ok_or_else(|| Failure::new(format!("`{text}` is no version"))));
        }
        (Function::IsSemver, [Value::String(text), rest @ ..]) => {
            read(text, rest)?.is_some().into()
        }
        (Function::Major, [Value::Semver(version)]) => number(version.major()),
        (Function::Minor, [Value::Semver(version)]) => number(version.minor()),
        (Function::Patch, [Value::Semver(version)]) => number(version.patch()),
        (_, [Value::Semver(a), Value::Semver(b)]) => comparison(function, a.cmp(b))?,
        _ => return None,
    };
    Some(Ok(value))
}

/// A version that may have a `v` before it, zeros before its numbers, and
/// numbers missing at its end; then nothing else may follow.
fn normalized(text: &str) -> Option<Version> {
    let is_short = text.splitn(3, '.').count() < 3;
    if is_short && text.contains(['+', '-']) {
        return None;
    }
    Version::parse(text).ok()
}

fn address(function: Function, arguments: &[Value]) -> Option<Result<Value>> {
    let value = match (function, arguments) {
        (Function::Url, [Value::String(text)]) => {
            let is_url = url::is_request_uri(text);
            return Some(if is_url {
                Ok(Value::Url(text.clone()))
            } else {
                Err(Failure::new(format!("`{text}` is no URL")))
            });
        }
        (Function::IsUrl, [Value::String(text)]) => url::is_request_uri(text).into(),
        (_, [Value::Url(text)]) => {
            let parts = url::Parts::of(text);
            match function {
                Function::Scheme => parts.scheme.to_lowercase().into(),
                Function::Host => parts.host.into(),
                Function::Hostname => parts.hostname().into(),
                Function::Port => parts.port().into(),
                Function::EscapedPath => parts.path.into(),
                Function::Query => query(parts.query),
                _ => return None,
            }
        }
        _ => return None,
    };
    Some(Ok(value))
}

/// The parameters of an address, each with all its values.
fn query(text: &str) -> Value {
    let mut parameters: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = url::unescape_query(name).zip(url::unescape_query(value));
        if let Some((name, value)) = decoded {
            parameters.entry(name).or_default().push(value.into());
        }
    }
    let entries = parameters.into_iter();
    let map: Map = entries
        .map(|(name, values)| (Key::String(name.into()), values.into()))
        .collect();
    map.into()
}

const FORMATS: [(Function, &str); 13] = [
    (Function::FormatDns1123Label, "dns1123Label"),
    (Function::FormatDns1123Subdomain, "dns1123Subdomain"),
    (Function::FormatDns1035Label, "dns1035Label"),
    (Function::FormatQualifiedName, "qualifiedName"),
    (Function::FormatDns1123LabelPrefix, "dns1123LabelPrefix"),
    (
        Function::FormatDns1123SubdomainPrefix,
        "dns1123SubdomainPrefix",
    ),
    (Function::FormatDns1035LabelPrefix, "dns1035LabelPrefix"),
    (Function::FormatLabelValue, "labelValue"),
    (Function::FormatUri, "uri"),
    (Function::FormatUuid, "uuid"),
    (Function::FormatByte, "byte"),
    (Function::FormatDate, "date"),
    (Function::FormatDatetime, "datetime"),
];

fn format(function: Function, arguments: &[Value]) -> Option<Result<Value>> {
    let named = |name: &str| Value::Format(name.into());
    if let Some((_, name)) = FORMATS.iter().find(|(known, _)| *known == function) {
        return Some(Ok(named(name)));
    }
    Some(Ok(match (function, arguments) {
        (Function::FormatNamed, [Value::String(name)]) => {
            match FORMATS.iter().find(|(_, known)| *known == &**name) {
                Some((_, name)) => some(named(name)),
                None => Value::Optional(None),
            }
        }
        (Function::Validate, [Value::Format(name), Value::String(text)]) => {
            match wrong_format(name, text) {
                None => Value::Optional(None),
                Some(message) => some(vec![message.into()].into()),
            }
        }
        _ => return None,
    }))
}

/// What is wrong with a text of a named format; none where it is right.
fn wrong_format(name: &str, text: &str) -> Option<String> {
    let prefix = names::without_final_hyphen(text);
    match name {
        "dns1123Label" => names::dns_label(text),
        "dns1123LabelPrefix" => names::dns_label(&prefix),
        "dns1123Subdomain" => names::dns_subdomain(text),
        "dns1123SubdomainPrefix" => names::dns_subdomain(&prefix),
        "dns1035Label" => names::dns1035_label(text),
        "dns1035LabelPrefix" => names::dns1035_label(&prefix),
        "qualifiedName" => names::qualified_name(text),
        "labelValue" => names::label_value(text),
        other => (!strfmt::fits(other, text)).then(|| format!("it is no {other}")),
    }
}
