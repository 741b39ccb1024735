//! The values of a release: from ConfigMaps and Secrets, in order, and those in
//! the HelmRelease itself.
//!
//! Compat: fluxcd/pkg `chartutil/values.go` `ChartValuesFromReferences`. There,
//! a value with a target path is set in a map that shares parts with the inline
//! values, so that it wins over them where it lands in a shared part, and loses
//! where it does not. [`Shared`] tells which parts these are.

use std::sync::Arc;

use base64::Engine as _;

use super::Context;
use crate::diag::{Cause, Error, FileId, Finding, Findings, Result, Severity};
use crate::flux::api::{HelmRelease, ValuesReference};
use crate::helm::strvals::{self, Kind};
use crate::helm::values::{floats_of, merge};
use crate::helm::{Place, UserValues, ValuesSource};
use crate::yaml::{self, Map, Node, Value, resolve::Version, secret};

/// Composes the values of a release.
///
/// # Errors
///
/// `helm/values-invalid` for values that are none, and for a target path that
/// leads nowhere.
pub(super) fn compose(
    release: &HelmRelease,
    context: &Context<'_>,
    findings: &mut Findings,
) -> Result<UserValues> {
    let mut inline = match &release.values {
        Some(node) => mapping(node)?,
        None => Map::new(),
    };
    let mut sources = Vec::new();
    let mut values = Map::new();
    for reference in &release.values_from {
        let Some(found) = look_up(reference, release, context, findings) else {
            continue;
        };
        if let Some(path) = &reference.target_path {
            set(&mut values, &mut inline, path, &found.text, reference)?;
            let mut map = Map::new();
            // What it sets in nothing: where such values come from.
            if set(&mut map, &mut Map::new(), path, &found.text, reference).is_ok() {
                let place = Place::File(found.node.span());
                sources.push(ValuesSource::Set { map, place });
            }
            continue;
        }
        let map = read(&found.text, found.node.span().file).map_err(|e| {
            Error::new(
                "helm/values-invalid",
                format!(
                    "key `{}` of {} `{}` holds no values: {}",
                    reference.key,
                    reference.kind,
                    reference.name,
                    e.message()
                ),
            )
            .at(found.node.span())
        })?;
        merge(&mut values, map);
        let Found { node, text } = found;
        sources.push(ValuesSource::Text { node, text });
    }
    merge(&mut values, inline);
    sources.extend(release.values.iter().cloned().map(ValuesSource::Node));
    Ok(UserValues::from_map(values, sources))
}

fn mapping(node: &Node) -> Result<Map> {
    match yaml::decode(node, Version::V3)? {
        Value::Mapping(map) => Ok(floats_of(map)),
        _ => Ok(Map::new()),
    }
}

/// Reads the text of a values file, of which only the first document counts.
///
/// Compat: Helm `ReadValues`.
///
/// # Errors
///
/// `helm/values-invalid`, with the place.
pub(super) fn read(text: &str, file: FileId) -> Result<Map> {
    let invalid = |e: Error| Error::new("helm/values-invalid", e.message().to_owned()).at(e.span());
    let Some(node) = yaml::parse_one(text, file).map_err(invalid)? else {
        return Ok(Map::new());
    };
    match yaml::decode(&node, Version::V2).map_err(invalid)? {
        Value::Mapping(map) => Ok(floats_of(map)),
        Value::Null => Ok(Map::new()),
        _ => Err(Error::new("helm/values-invalid", "values must be a mapping").at(node.span())),
    }
}

/// A value of a ConfigMap or Secret.
struct Found {
    node: Node,
    text: Arc<str>,
}

fn look_up(
    reference: &ValuesReference,
    release: &HelmRelease,
    context: &Context<'_>,
    findings: &mut Findings,
) -> Option<Found> {
    let object = context
        .objects
        .get(&reference.kind, &release.id.namespace, &reference.name);
    let found = object.and_then(|object| value_of(object, &reference.key));
    let found = if context.has_shadows {
        found.map(|found| shadowed(found, reference))
    } else {
        found
    };
    if found.is_none() && !reference.optional {
        let what = format!(
            "{} `{}/{}`",
            reference.kind, release.id.namespace, reference.name
        );
        let message = if object.is_none() {
            format!("{what} is not in the repository in clear: its values are missing")
        } else {
            format!(
                "{what} has no key `{}`: its values are missing",
                reference.key
            )
        };
        // Secrets are kept out of repositories; ConfigMaps seldom are.
        let severity = match &*reference.kind {
            "Secret" if object.is_none() => Severity::Info,
            _ => Severity::Warning,
        };
        findings.push(
            Finding::new("ref/missing", severity, message)
                .at(reference.span, &context.options.source_map)
                .object(release.id.to_object_ref())
                .cause(Cause::NoValues)
                .help("set `optional: true` where the release can do without"),
        );
    }
    found
}

/// The value with a shadow for its text, where that is secret.
fn shadowed(found: Found, reference: &ValuesReference) -> Found {
    if !found.node.is_secret() {
        return found;
    }
    let text = if reference.target_path.is_some() {
        secret::shadow(&found.text)
    } else {
        secret::shadow_of_values(&found.node, &found.text)
    };
    Found {
        text: text.into(),
        ..found
    }
}

/// Whether any value of a release comes from a secret one.
pub(super) fn have_secrets(release: &HelmRelease, context: &Context<'_>) -> bool {
    release.values_from.iter().any(|reference| {
        context
            .objects
            .get(&reference.kind, &release.id.namespace, &reference.name)
            .and_then(|object| value_of(object, &reference.key))
            .is_some_and(|found| found.node.is_secret())
    })
}

/// The value that is referred to, and whether it is secret.
pub(super) fn text_of(
    reference: &ValuesReference,
    release: &HelmRelease,
    context: &Context<'_>,
) -> Option<(Arc<str>, bool)> {
    let object = context
        .objects
        .get(&reference.kind, &release.id.namespace, &reference.name)?;
    let Found { node, text } = value_of(object, &reference.key)?;
    Some((text, node.is_secret()))
}

/// Whether a word stands in a value of a release that comes from another object.
pub(super) fn mention(release: &HelmRelease, word: &str, context: &Context<'_>) -> bool {
    release.values_from.iter().any(|reference| {
        context
            .objects
            .get(&reference.kind, &release.id.namespace, &reference.name)
            .and_then(|object| value_of(object, &reference.key))
            .is_some_and(|found| found.text.contains(word))
    })
}

/// The value under a key of a ConfigMap or Secret.
fn value_of(object: &Node, key: &str) -> Option<Found> {
    let of = |field: &str| object.get(field).and_then(|data| data.get(key)).cloned();
    let is_secret = object.str_at("kind") == Some("Secret");
    if is_secret && let Some(node) = of("stringData") {
        let text = node.shared_text()?.clone();
        return Some(Found { node, text });
    }
    let node = of("data")?;
    let text = node.shared_text()?.clone();
    if !is_secret {
        return Some(Found { node, text });
    }
    let packed: String = text.split_ascii_whitespace().collect();
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(packed)
        .ok()?;
    let text = String::from_utf8_lossy(&bytes).into();
    Some(Found { node, text })
}

/// Sets a value at a target path.
fn set(
    values: &mut Map,
    inline: &mut Map,
    path: &Node,
    text: &str,
    reference: &ValuesReference,
) -> Result<()> {
    let shared = Shared::of(values, inline);
    merge(values, inline.clone());
    let path_text = path.text().unwrap_or_default();
    let result = if reference.literal {
        strvals::set(
            values,
            &format!("{path_text}={}", escaped(text)),
            Kind::Text,
        )
    } else if let Some(text) = unquoted(text) {
        strvals::set(values, &format!("{path_text}={text}"), Kind::Text)
    } else {
        strvals::set(values, &format!("{path_text}={text}"), Kind::Typed)
    };
    result.map_err(|message| {
        Error::new(
            "helm/values-invalid",
            format!(
                "the value of {} `{}` cannot be set at `{path_text}`: {message}",
                reference.kind, reference.name
            ),
        )
        .at(path.span())
    })?;
    shared.write_back(values, inline);
    Ok(())
}

/// The text within quotes, if it stands in quotes.
fn unquoted(text: &str) -> Option<&str> {
    let quotes = ['\'', '"'];
    let is_quoted = quotes
        .iter()
        .any(|quote| text.starts_with(*quote) && text.ends_with(*quote));
    is_quoted.then(|| text.trim_matches(quotes))
}

/// Text that a line of values takes as it is.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | ',' | '[' | ']' | '{' | '}') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The parts that values share with the inline values once these are merged
/// into them: what is not in both, and lists.
struct Shared {
    paths: Vec<Vec<Arc<str>>>,
}

impl Shared {
    fn of(values: &Map, inline: &Map) -> Shared {
        let mut shared = Shared { paths: Vec::new() };
        shared.collect(values, inline, &mut Vec::new());
        shared
    }

    fn collect(&mut self, values: &Map, inline: &Map, path: &mut Vec<Arc<str>>) {
        for (key, value) in inline {
            path.push(key.clone());
            match (values.get(key), value) {
                (Some(Value::Mapping(below)), Value::Mapping(inline)) => {
                    self.collect(below, inline, path);
                }
                (_, Value::Mapping(_) | Value::Sequence(_)) => self.paths.push(path.clone()),
                _ => {}
            }
            path.pop();
        }
    }

    /// Brings what was changed in shared parts to the inline values.
    fn write_back(&self, values: &Map, inline: &mut Map) {
        for path in &self.paths {
            let (Some(changed), Some(slot)) = (find(values, path), find_mut(inline, path)) else {
                continue;
            };
            // A list that has grown is another list.
            let is_same = match (changed, &*slot) {
                (Value::Sequence(new), Value::Sequence(old)) => new.len() == old.len(),
                (Value::Mapping(_), Value::Mapping(_)) => true,
                _ => false,
            };
            if is_same {
                *slot = changed.clone();
            }
        }
    }
}

fn find<'m>(map: &'m Map, path: &[Arc<str>]) -> Option<&'m Value> {
    let (first, rest) = path.split_first()?;
    let value = map.get(first)?;
    match value {
        _ if rest.is_empty() => Some(value),
        Value::Mapping(below) => find(below, rest),
        _ => None,
    }
}

fn find_mut<'m>(map: &'m mut Map, path: &[Arc<str>]) -> Option<&'m mut Value> {
    let (first, rest) = path.split_first()?;
    let value = map.get_mut(first)?;
    if rest.is_empty() {
        return Some(value);
    }
    match value {
        Value::Mapping(below) => find_mut(below, rest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Span;

    fn map(text: &str) -> Map {
        read(text, FileId::default()).unwrap()
    }

    fn reference(literal: bool) -> ValuesReference {
        ValuesReference {
            kind: "Secret".into(),
            name: "s".into(),
            key: "k".into(),
            target_path: None,
            literal,
            optional: false,
            span: Span::NONE,
        }
    }

    /// Values after each of these was set, and the inline values merged.
    fn composed(before: &str, inline: &str, sets: &[(&str, &str)]) -> String {
        let (mut values, mut inline) = (map(before), map(inline));
        for (path, text) in sets {
            let path = Node::string(*path, Span::NONE);
            if let Err(e) = set(&mut values, &mut inline, &path, text, &reference(false)) {
                return e.message().to_owned();
            }
        }
        merge(&mut values, inline);
        yaml::to_json(&Value::Mapping(values))
    }

    #[test]
    fn inline_values_win_over_a_path_at_the_top() {
        assert_eq!(composed("", "a: 1", &[("a", "2")]), r#"{"a":1}"#);
    }

    #[test]
    fn a_path_wins_within_what_only_the_inline_values_have() {
        assert_eq!(
            composed("", "a: {b: 1}", &[("a.b", "2")]),
            r#"{"a":{"b":2}}"#
        );
        // The second path finds a copy.
        assert_eq!(
            composed("", "a: {b: 1, c: 1}", &[("a.b", "2"), ("a.c", "3")]),
            r#"{"a":{"b":2,"c":1}}"#
        );
        assert_eq!(
            composed("a: {x: 0}", "a: {b: 1}", &[("a.b", "2")]),
            r#"{"a":{"b":1,"x":0}}"#
        );
    }

    #[test]
    fn lists_are_shared_until_they_grow() {
        assert_eq!(
            composed("", "a: [1, 2]", &[("a[1]", "3")]),
            r#"{"a":[1,3]}"#
        );
        assert_eq!(
            composed("", "a: [1, 2]", &[("a[2]", "3")]),
            r#"{"a":[1,2]}"#
        );
    }

    #[test]
    fn values_are_lines_of_set() {
        assert_eq!(composed("", "", &[("a", "b,k=v")]), r#"{"a":"b","k":"v"}"#);
        assert_eq!(
            composed("", "", &[("a", "'10'"), ("b", "10000000"), ("c", "1.5")]),
            r#"{"a":"10","b":10000000,"c":"1.5"}"#
        );
        let mut values = Map::new();
        let path = Node::string("a.b", Span::NONE);
        set(
            &mut values,
            &mut Map::new(),
            &path,
            "{x},\\y=[1]",
            &reference(true),
        )
        .unwrap();
        assert_eq!(
            yaml::to_json(&Value::Mapping(values)),
            r#"{"a":{"b":"{x},\\y=[1]"}}"#
        );
        assert!(composed("", "a: 1", &[("a.b", "2")]).contains("cannot be set at `a.b`"));
    }
}
