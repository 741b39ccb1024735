//! What the keywords of a schema must look like.
//!
//! Compat: Helm's library holds schemas to the schema of their draft; this
//! table says of the same keywords the same, in fewer words. A keyword that a
//! draft does not know may hold anything.

use super::document::Draft::{self, Draft4, Draft6, Draft7, Draft2019, Draft2020};
use crate::gostd::regexp::Regexp;
use crate::yaml::Value;

/// What the value of a keyword must be.
#[derive(Clone, Copy)]
enum Shape {
    Anchor,
    Boolean,
    Count,
    Dependencies,
    Enum,
    Exclusive,
    Id,
    Items,
    List,
    Number,
    Object,
    Pattern,
    PatternSchemas,
    PositiveNumber,
    Schema,
    SchemaOrBoolean,
    Schemas,
    NamedSchemas,
    Text,
    Texts,
    NamedTexts,
    Type,
}

/// A keyword, the drafts that know it, and its shape.
struct Keyword {
    name: &'static str,
    first: Draft,
    last: Draft,
    shape: Shape,
}

const fn since(first: Draft, name: &'static str, shape: Shape) -> Keyword {
    within(first, Draft2020, name, shape)
}

const fn within(first: Draft, last: Draft, name: &'static str, shape: Shape) -> Keyword {
    Keyword {
        name,
        first,
        last,
        shape,
    }
}

const KEYWORDS: &[Keyword] = &[
    since(Draft2019, "$anchor", Shape::Anchor),
    since(Draft7, "$comment", Shape::Text),
    since(Draft2019, "$defs", Shape::NamedSchemas),
    since(Draft2020, "$dynamicAnchor", Shape::Anchor),
    since(Draft2020, "$dynamicRef", Shape::Text),
    since(Draft6, "$id", Shape::Id),
    since(Draft4, "$ref", Shape::Text),
    since(Draft4, "$schema", Shape::Text),
    since(Draft2019, "$vocabulary", Shape::Object),
    within(Draft4, Draft2019, "additionalItems", Shape::SchemaOrBoolean),
    since(Draft4, "additionalProperties", Shape::SchemaOrBoolean),
    since(Draft4, "allOf", Shape::Schemas),
    since(Draft4, "anyOf", Shape::Schemas),
    since(Draft6, "contains", Shape::Schema),
    since(Draft7, "contentEncoding", Shape::Text),
    since(Draft7, "contentMediaType", Shape::Text),
    since(Draft2019, "contentSchema", Shape::Schema),
    since(Draft4, "definitions", Shape::NamedSchemas),
    since(Draft4, "dependencies", Shape::Dependencies),
    since(Draft2019, "dependentRequired", Shape::NamedTexts),
    since(Draft2019, "dependentSchemas", Shape::NamedSchemas),
    since(Draft2019, "deprecated", Shape::Boolean),
    since(Draft4, "description", Shape::Text),
    since(Draft7, "else", Shape::Schema),
    since(Draft4, "enum", Shape::Enum),
    since(Draft6, "examples", Shape::List),
    since(Draft4, "exclusiveMaximum", Shape::Exclusive),
    since(Draft4, "exclusiveMinimum", Shape::Exclusive),
    since(Draft4, "format", Shape::Text),
    within(Draft4, Draft4, "id", Shape::Text),
    since(Draft7, "if", Shape::Schema),
    since(Draft4, "items", Shape::Items),
    since(Draft2019, "maxContains", Shape::Count),
    since(Draft4, "maxItems", Shape::Count),
    since(Draft4, "maxLength", Shape::Count),
    since(Draft4, "maxProperties", Shape::Count),
    since(Draft4, "maximum", Shape::Number),
    since(Draft2019, "minContains", Shape::Count),
    since(Draft4, "minItems", Shape::Count),
    since(Draft4, "minLength", Shape::Count),
    since(Draft4, "minProperties", Shape::Count),
    since(Draft4, "minimum", Shape::Number),
    since(Draft4, "multipleOf", Shape::PositiveNumber),
    since(Draft4, "not", Shape::Schema),
    since(Draft4, "oneOf", Shape::Schemas),
    since(Draft4, "pattern", Shape::Pattern),
    since(Draft4, "patternProperties", Shape::PatternSchemas),
    since(Draft2020, "prefixItems", Shape::Schemas),
    since(Draft4, "properties", Shape::NamedSchemas),
    since(Draft6, "propertyNames", Shape::Schema),
    since(Draft7, "readOnly", Shape::Boolean),
    since(Draft4, "required", Shape::Texts),
    since(Draft7, "then", Shape::Schema),
    since(Draft4, "title", Shape::Text),
    since(Draft4, "type", Shape::Type),
    since(Draft2019, "unevaluatedItems", Shape::Schema),
    since(Draft2019, "unevaluatedProperties", Shape::Schema),
    since(Draft4, "uniqueItems", Shape::Boolean),
    since(Draft2019, "writeOnly", Shape::Boolean),
];

/// Holds a schema to the shapes of its keywords.
pub(super) fn check(schema: &Value, draft: Draft) -> Result<(), String> {
    let map = match schema {
        Value::Mapping(map) => map,
        Value::Bool(_) => return Ok(()),
        other => {
            return Err(format!("got {}, want a schema", type_name(other)));
        }
    };
    for (keyword, value) in map {
        let known = KEYWORDS
            .binary_search_by_key(&&**keyword, |k| k.name)
            .ok()
            .and_then(|found| KEYWORDS.get(found))
            .filter(|k| k.first <= draft && draft <= k.last);
        if let Some(known) = known
            && let Some(wanted) = wanted(known.shape, value, draft)
        {
            return Err(format!(
                "`{keyword}` of a schema is {}, want {wanted}",
                type_name(value)
            ));
        }
    }
    if draft == Draft4 {
        for (exclusive, bound) in [
            ("exclusiveMaximum", "maximum"),
            ("exclusiveMinimum", "minimum"),
        ] {
            if map.contains_key(exclusive) && !map.contains_key(bound) {
                return Err(format!(
                    "`{exclusive}` of a schema wants `{bound}` beside it"
                ));
            }
        }
    }
    Ok(())
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some()
}

fn is_pattern(text: &str) -> bool {
    Regexp::new(text).is_ok()
}

/// Whether a list holds something, and nothing twice.
fn are_distinct(items: &[Value]) -> bool {
    !items.is_empty() && !has_twice(items)
}

fn has_twice(items: &[Value]) -> bool {
    let mut rest = items;
    while let Some((first, others)) = rest.split_first() {
        if others.contains(first) {
            return true;
        }
        rest = others;
    }
    false
}

fn is_type(value: &Value) -> bool {
    matches!(
        value.as_str(),
        Some("array" | "boolean" | "integer" | "null" | "number" | "object" | "string")
    )
}

/// A name such as those of anchors.
fn is_anchor(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.chars().all(is_word)
}

/// What is wanted instead of a value that has not the shape.
fn wanted(shape: Shape, value: &Value, draft: Draft) -> Option<&'static str> {
    // The oldest draft has no schemas that are booleans.
    let is_schema = |value: &Value| match value {
        Value::Mapping(_) => true,
        Value::Bool(_) => draft >= Draft6,
        _ => false,
    };
    let list = |fits: &dyn Fn(&[Value]) -> bool| match value {
        Value::Sequence(items) => fits(items),
        _ => false,
    };
    let named = |fits: &dyn Fn(&str, &Value) -> bool| match value {
        Value::Mapping(map) => map.iter().all(|(name, value)| fits(name, value)),
        _ => false,
    };
    let are_texts = |items: &[Value]| items.iter().all(is_text) && !has_twice(items);
    let is_text_list = |value: &Value| match value {
        Value::Sequence(items) => are_texts(items) && (draft > Draft4 || !items.is_empty()),
        _ => false,
    };
    let (fits, wanted) = match shape {
        Shape::Anchor => (
            value
                .as_str()
                .is_some_and(|text| draft < Draft2019 || is_anchor(text)),
            "a name",
        ),
        Shape::Boolean => (matches!(value, Value::Bool(_)), "boolean"),
        Shape::Count => (
            matches!(value, Value::Float(f) if *f >= 0.0 && f.fract() == 0.0),
            "a count",
        ),
        Shape::Dependencies => (
            named(&|_, value| is_schema(value) || is_text_list(value)),
            "an object of schemas and arrays of strings",
        ),
        Shape::Enum if draft >= Draft2019 => (matches!(value, Value::Sequence(_)), "array"),
        Shape::Enum => (list(&are_distinct), "an array of different values"),
        Shape::Exclusive if draft == Draft4 => (matches!(value, Value::Bool(_)), "boolean"),
        Shape::Exclusive | Shape::Number => (matches!(value, Value::Float(_)), "number"),
        Shape::Id => (
            value.as_str().is_some_and(|text| {
                draft < Draft2019 || !text.strip_suffix('#').unwrap_or(text).contains('#')
            }),
            "an address without a fragment",
        ),
        Shape::Items => (
            is_schema(value)
                || draft < Draft2020
                    && list(&|items| items.iter().all(is_schema) && !items.is_empty()),
            "a schema",
        ),
        Shape::List => (matches!(value, Value::Sequence(_)), "array"),
        Shape::NamedSchemas => (named(&|_, value| is_schema(value)), "an object of schemas"),
        Shape::NamedTexts => (
            named(&|_, value| is_text_list(value)),
            "an object of arrays of strings",
        ),
        Shape::Object => (matches!(value, Value::Mapping(_)), "object"),
        Shape::Pattern => (
            value.as_str().is_some_and(is_pattern),
            "a regular expression",
        ),
        Shape::PatternSchemas => (
            named(&|name, value| is_schema(value) && (draft == Draft4 || is_pattern(name))),
            "an object of schemas whose names are regular expressions",
        ),
        Shape::PositiveNumber => (
            matches!(value, Value::Float(f) if *f > 0.0),
            "a number above 0",
        ),
        Shape::Schema => (is_schema(value), "a schema"),
        Shape::SchemaOrBoolean => (
            is_schema(value) || matches!(value, Value::Bool(_)),
            "a schema",
        ),
        Shape::Schemas => (
            list(&|items| items.iter().all(is_schema) && !items.is_empty()),
            "an array of schemas",
        ),
        Shape::Text => (is_text(value), "string"),
        Shape::Texts => (is_text_list(value), "an array of different strings"),
        Shape::Type => (
            is_type(value) || list(&|items| items.iter().all(is_type) && are_distinct(items)),
            "the name of a type",
        ),
    };
    (!fits).then_some(wanted)
}

/// What JSON Schema calls the type of a value.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Int(_) | Value::Uint(_) | Value::Float(_) => "number",
        Value::String(_) => "string",
        Value::Sequence(_) => "array",
        Value::Mapping(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_in_order() {
        assert!(KEYWORDS.is_sorted_by_key(|k| k.name));
    }

    /// Whether a schema in JSON has the shapes of a draft.
    fn fits(draft: Draft, schema: &str) -> bool {
        check(&crate::gotmpl::json::parse(schema).unwrap(), draft).is_ok()
    }

    #[test]
    fn each_draft_has_its_own_shapes() {
        for (schema, drafts) in [
            (
                r#"{"exclusiveMinimum": 5}"#,
                &[Draft6, Draft7, Draft2020][..],
            ),
            (r#"{"minimum": 1, "exclusiveMinimum": true}"#, &[Draft4]),
            (r#"{"exclusiveMinimum": true}"#, &[]),
            (
                r#"{"properties": {"a": true}}"#,
                &[Draft6, Draft7, Draft2020],
            ),
            (
                r#"{"additionalProperties": false}"#,
                &[Draft4, Draft6, Draft7, Draft2020],
            ),
            (r#"{"items": [{}]}"#, &[Draft4, Draft6, Draft7]),
            (r#"{"prefixItems": 5}"#, &[Draft4, Draft6, Draft7]),
            (r#"{"if": 5}"#, &[Draft4, Draft6]),
            (r#"{"required": []}"#, &[Draft6, Draft7, Draft2020]),
            (r#"{"required": ["a", "a"]}"#, &[]),
            (r#"{"enum": [1, 1]}"#, &[Draft2020]),
            (r##"{"$id": "#a"}"##, &[Draft4, Draft6, Draft7]),
            (r#"{"multipleOf": 0}"#, &[]),
            (r#"{"$ref": "x", "type": 5}"#, &[]),
            (r#"{"patternProperties": {"(": {}}}"#, &[Draft4]),
        ] {
            for draft in [Draft4, Draft6, Draft7, Draft2020] {
                assert_eq!(
                    fits(draft, schema),
                    drafts.contains(&draft),
                    "{schema} {draft:?}"
                );
            }
        }
    }
}
