//! Replacements within text that holds JSON or YAML.
//!
//! Compat: `setValueInStructuredData` of kustomize 5.8.

use super::replacement::{Maker, overwrite};
use crate::diag::{Error, Result};
use crate::kustomize::fields::{self, Kind};
use crate::kustomize::links::Links;
use crate::yaml::emit::{Indent, as_written};
use crate::yaml::resolve::Version;
use crate::yaml::{self, Node, Value};

/// The document that a text holds.
///
/// # Errors
///
/// `kustomize/wrong-kind` for text that holds none.
pub(super) fn parse(field: &Node) -> Result<Node> {
    let text = field.text().unwrap_or_default();
    let document = yaml::parse_one(text, field.span().file).map_err(|e| e.moved(field.span()))?;
    let mut document = document.ok_or_else(|| {
        Error::new(
            "kustomize/wrong-kind",
            "an empty text where a mapping or a list is needed",
        )
        .at(field.span())
    })?;
    place_at(&mut document, field);
    Ok(document)
}

/// Gives every part of a document the place of the text that it is in.
fn place_at(node: &mut Node, field: &Node) {
    node.set_span(field.span());
    for item in node.items_mut().into_iter().flatten() {
        place_at(item, field);
    }
    for entry in node.entries_mut().into_iter().flatten() {
        entry.key.set_span(field.span());
        place_at(&mut entry.value, field);
    }
}

/// Sets a value within a text on the way of a path.
///
/// # Errors
///
/// Anything, where the path does not lead into a text that holds what it names:
/// then it is to be taken as any other path.
pub(super) fn set(
    node: &mut Node,
    value: &Node,
    path: &[String],
    create: Option<Kind>,
    links: &mut Links,
) -> Result<()> {
    let none = || Error::new("kustomize/wrong-kind", "no text on the way");
    let is_text = |end: &usize| {
        let found = fields::lookup(node, &path[..*end]).ok().flatten();
        found.is_some_and(|field| {
            field.is_scalar() && yaml::parse_one(scalar(field), field.span().file).is_ok()
        })
    };
    let end = (1..path.len()).find(is_text).ok_or_else(none)?;
    let (outer, inner) = path.split_at(end);
    let field = fields::lookup(node, outer)?.ok_or_else(none)?;
    let original = scalar(field).to_owned();
    let mut document = parse(field)?;

    let mut found = 0;
    let maker = Maker {
        create,
        span: value.span(),
    };
    let mut change = |field: &mut Node, links: &mut Links| {
        found += 1;
        overwrite(field, value.clone(), links);
        Ok(())
    };
    let mut no_links = Links::default();
    maker.walk(&mut document, inner, &mut no_links, &mut change)?;
    if found == 0 {
        return Err(none());
    }
    let text = written(&document, &original)?;
    let field = fields::lookup_mut(node, outer)?.ok_or_else(none)?;
    let mut new = field.clone();
    new.set_text(text);
    new.set_span(value.span());
    links.overwrite(field, new);
    Ok(())
}

fn scalar(field: &Node) -> &str {
    field.text().unwrap_or_default()
}

/// The document as text again: JSON where it was JSON, on several lines where it
/// was.
fn written(document: &Node, original: &str) -> Result<String> {
    if !original.trim().starts_with(['{', '[']) {
        let mut text = String::new();
        as_written(document, Indent::Compact, &mut text);
        return Ok(text.trim().to_owned());
    }
    let value = yaml::decode(document, Version::V3)?;
    if original.contains('\n') && original.contains("  ") {
        let mut text = String::new();
        indented(&value, 0, &mut text);
        return Ok(text);
    }
    Ok(yaml::to_json(&value))
}

/// JSON with two blanks for each level, as `json.MarshalIndent` writes it.
fn indented(value: &Value, depth: usize, out: &mut String) {
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    match value {
        Value::Sequence(items) if !items.is_empty() => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                line(out, depth + 1);
                indented(item, depth + 1, out);
            }
            line(out, depth);
            out.push(']');
        }
        Value::Mapping(map) if !map.is_empty() => {
            out.push('{');
            for (i, (key, item)) in map.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                line(out, depth + 1);
                yaml::write_json_string(out, key);
                out.push_str(": ");
                indented(item, depth + 1, out);
            }
            line(out, depth);
            out.push('}');
        }
        value => out.push_str(&yaml::to_json(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{FileId, Span};

    fn check(text: &str, path: &[&str], want: Option<&str>) {
        let mut node = Node::mapping(Vec::new(), Span::NONE);
        node.set(
            "data",
            Node::string(text, Span::new(FileId::default(), 1, 1)),
        );
        let path: Vec<String> = path.iter().map(|p| (*p).to_owned()).collect();
        let value = Node::string("new", Span::NONE);
        let result = set(&mut node, &value, &path, None, &mut Links::default());
        assert_eq!(result.is_ok().then(|| node.str_at("data").unwrap()), want);
    }

    #[test]
    fn json_and_yaml_within_text() {
        check(
            r#"{"b": {"a": "x"}, "a": 1}"#,
            &["data", "b", "a"],
            Some(r#"{"a":1,"b":{"a":"new"}}"#),
        );
        check(
            "{\n  \"a\": \"x\",\n  \"l\": [1, {}]\n}\n",
            &["data", "a"],
            Some("{\n  \"a\": \"new\",\n  \"l\": [\n    1,\n    {}\n  ]\n}"),
        );
        check("b: 1\na: x\n", &["data", "a"], Some("b: 1\na: new"));
        check("a: x\n", &["data", "c"], None);
        check("plain", &["data", "a"], None);
        check("a: x\n", &["data"], None);
    }
}
