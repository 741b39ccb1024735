//! Values files.
//!
//! Compat: Helm 4.3.1 `pkg/chart/v2/loader/load.go` `LoadValues`, `MergeMaps`:
//! documents of a file are merged, and numbers are floats.

use std::sync::Arc;

use super::chart::ChartFile;
use crate::diag::{Error, FileId, Result, SourceMap, Span};
use crate::yaml::{self, Map, Node, Value};

/// The defaults of a chart.
#[derive(Debug, Default)]
pub struct Defaults {
    /// The data, with the kinds of numbers that templates see.
    pub map: Map,
    /// The file that it was read from.
    pub(super) file: Option<Arc<ChartFile>>,
}

/// Reads the text of a values file.
///
/// # Errors
///
/// `helm/values-invalid`, with the place: what is no YAML, and documents that
/// are no mappings.
pub fn parse_values(text: &str, file: FileId) -> Result<Map> {
    let mut values = Map::new();
    let text = &*yaml::text::decode(text.as_bytes()).map_err(|e| {
        let span = Span::new(file, e.span().line, e.span().column);
        Error::new("helm/values-invalid", e.message().to_owned()).at(span)
    })?;
    for (line, document) in documents(text, file)? {
        let shift = |e: Error| {
            let span = e.span();
            let moved = Span::new(file, span.line + line, span.column);
            Error::new("helm/values-invalid", e.message().to_owned()).at(moved)
        };
        match yaml::decode_one(document, file).map_err(shift)? {
            None | Some(Value::Null) => {}
            Some(Value::Mapping(map)) if values.is_empty() => values = floats_of(map),
            Some(Value::Mapping(map)) => merge(&mut values, floats_of(map)),
            Some(_) => {
                let node = yaml::parse_one(document, file).map_err(shift)?;
                return Err(shift(
                    Error::new("helm/values-invalid", "values must be a mapping")
                        .at(node.map_or(Span::NONE, |node| node.span()))
                        .help("write `key: value` at the top of the file"),
                ));
            }
        }
    }
    Ok(values)
}

/// The documents of a text, each with the number of lines before it.
///
/// Compat: `YAMLReader` of k8s.io/apimachinery splits wherever a line begins
/// with `---`, even in a block scalar.
fn documents(text: &str, file: FileId) -> Result<Vec<(u32, &str)>> {
    // Most are one document.
    if !text.starts_with("---") && memchr::memmem::find(text.as_bytes(), b"\n---").is_none() {
        return Ok(if text.is_empty() {
            Vec::new()
        } else {
            vec![(0, text)]
        });
    }
    let mut documents = Vec::new();
    let (mut start, mut start_line) = (0, 0);
    let mut offset = 0;
    for (number, line) in (0..).zip(text.split_inclusive('\n')) {
        if let Some(rest) = line.strip_prefix("---") {
            let rest = rest.trim();
            if !rest.is_empty() && !rest.starts_with('#') {
                return Err(Error::new(
                    "helm/values-invalid",
                    format!("invalid Yaml document separator: {rest}"),
                )
                .at(Span::new(file, number + 1, 1))
                .help("let nothing but a comment follow `---`"));
            }
            if offset > start {
                documents.push((start_line, text.get(start..offset).unwrap_or_default()));
                // The separator belongs to no document.
                start = offset + line.len();
                start_line = number + 1;
            }
        }
        offset += line.len();
    }
    if offset > start {
        documents.push((start_line, text.get(start..).unwrap_or_default()));
    }
    Ok(documents)
}

/// Data with all numbers as floats, as it is after JSON.
#[expect(clippy::cast_precision_loss, reason = "as Go converts")]
fn floats(value: Value) -> Value {
    match value {
        Value::Int(i) => Value::Float(i as f64),
        Value::Uint(u) => Value::Float(u as f64),
        Value::Sequence(items) => Value::Sequence(items.into_iter().map(floats).collect()),
        Value::Mapping(map) => Value::Mapping(floats_of(map)),
        other => other,
    }
}

/// As `floats`, for a mapping.
pub(crate) fn floats_of(mut map: Map) -> Map {
    for value in map.values_mut() {
        if matches!(
            value,
            Value::Int(_) | Value::Uint(_) | Value::Sequence(_) | Value::Mapping(_)
        ) {
            *value = floats(std::mem::take(value));
        }
    }
    map
}

/// Merges stronger values into others: mappings merge, everything else is
/// replaced.
pub fn merge(values: &mut Map, stronger: Map) {
    for (key, value) in stronger {
        match (values.get_mut(&key), value) {
            (Some(Value::Mapping(old)), Value::Mapping(new)) => merge(old, new),
            (_, value) => {
                values.insert(key, value);
            }
        }
    }
}

/// Where a value stands in a values file; `path` are keys and indexes.
pub fn locate(text: &str, file: FileId, path: &[&str]) -> Option<Span> {
    // The last document that has it is the strongest.
    let documents = documents(text, file).ok()?;
    documents.into_iter().rev().find_map(|(line, document)| {
        let root = yaml::parse_one(document, file).ok()??;
        let span = locate_in(&root, path)?;
        Some(Span::new(file, span.line + line, span.column))
    })
}

/// Where a value stands below a node.
pub(super) fn locate_in(root: &Node, path: &[&str]) -> Option<Span> {
    let mut node = root;
    let mut span = None;
    for key in path {
        let target = node.target();
        if let Some(entry) = target.entry(key) {
            span = Some(entry.key.span());
            node = &entry.value;
        } else {
            node = target.items().get(key.parse::<usize>().ok()?)?;
            span = Some(node.span());
        }
    }
    span
}

impl Defaults {
    /// Reads `values.yaml` of a chart.
    pub(super) fn read(file: Arc<ChartFile>, sources: &SourceMap) -> Result<Defaults> {
        let text = file.text()?;
        // The file gets a number only where something is wrong with it.
        match parse_values(&text, FileId::default()) {
            Ok(map) => Ok(Defaults {
                map,
                file: Some(file),
            }),
            Err(e) => {
                let place = e.span();
                let span = file.span(sources, place.line, place.column);
                Err(e.in_file(span.file).context("cannot load values.yaml"))
            }
        }
    }

    /// Where a default stands.
    pub(super) fn locate(&self, sources: &SourceMap, path: &[&str]) -> Option<Span> {
        let file = self.file.as_ref()?;
        let id = file.span(sources, 0, 0).file;
        locate(&file.text().ok()?, id, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::SourceMap;

    fn parse(text: &str) -> Result<Map> {
        parse_values(text, FileId::default())
    }

    #[test]
    fn documents_merge_and_numbers_are_floats() {
        let values =
            parse("a: 1\nb: {c: 2, d: [3]}\n---\nb: {c: x}\n--- # more\ne: null\n").unwrap();
        let text = crate::yaml::to_json(&Value::Mapping(values.clone()));
        assert_eq!(text, r#"{"a":1,"b":{"c":"x","d":[3]},"e":null}"#);
        assert_eq!(values.get("a"), Some(&Value::Float(1.0)));
    }

    #[test]
    fn what_is_wrong_has_its_place() {
        let sources = SourceMap::new();
        let file = sources.add("values.yaml", "");
        for (text, line, column, message) in [
            ("a: 1\n---\n\n- b\n", 4, 1, "values must be a mapping"),
            ("a: 1\n--- x\n", 2, 1, "invalid Yaml document separator: x"),
        ] {
            let e = parse_values(text, file).unwrap_err();
            assert_eq!(e.rule(), "helm/values-invalid");
            assert_eq!((e.span().line, e.span().column), (line, column), "{text}");
            assert_eq!(e.message(), message);
        }
        assert!(parse("a: [").is_err());
    }

    #[test]
    fn values_are_found_again() {
        let text = "a: 1\nb:\n  c:\n  - d: 2\n---\nb:\n  e: 3\n";
        let find = |path: &[&str]| {
            let span = locate(text, FileId::default(), path)?;
            Some((span.line, span.column))
        };
        assert_eq!(find(&["b", "c", "0", "d"]), Some((4, 5)));
        assert_eq!(find(&["b", "e"]), Some((7, 3)));
        assert_eq!(find(&["b"]), Some((6, 1)));
        assert_eq!(find(&["b", "x"]), None);
    }
}
