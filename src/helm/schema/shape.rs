//! What the keywords of a schema must look like.
//!
//! Compat: Helm's library holds schemas to the schema of their draft; this
//! table says of the same keywords the same, in fewer words.

use super::document::Draft;
use crate::yaml::Value;

/// What the value of a keyword must be.
#[derive(Clone, Copy)]
enum Shape {
    Boolean,
    Count,
    List,
    Number,
    Object,
    Pattern,
    Schema,
    SchemaOrList,
    Schemas,
    Text,
    Texts,
    Type,
}

const SHAPES: &[(&str, Shape)] = &[
    ("$anchor", Shape::Text),
    ("$comment", Shape::Text),
    ("$defs", Shape::Object),
    ("$id", Shape::Text),
    ("$ref", Shape::Text),
    ("$schema", Shape::Text),
    ("additionalItems", Shape::Schema),
    ("additionalProperties", Shape::Schema),
    ("allOf", Shape::Schemas),
    ("anyOf", Shape::Schemas),
    ("contains", Shape::Schema),
    ("definitions", Shape::Object),
    ("dependencies", Shape::Object),
    ("dependentRequired", Shape::Object),
    ("dependentSchemas", Shape::Object),
    ("description", Shape::Text),
    ("else", Shape::Schema),
    ("enum", Shape::List),
    ("exclusiveMaximum", Shape::Number),
    ("exclusiveMinimum", Shape::Number),
    ("format", Shape::Text),
    ("if", Shape::Schema),
    ("items", Shape::SchemaOrList),
    ("maxContains", Shape::Count),
    ("maxItems", Shape::Count),
    ("maxLength", Shape::Count),
    ("maxProperties", Shape::Count),
    ("maximum", Shape::Number),
    ("minContains", Shape::Count),
    ("minItems", Shape::Count),
    ("minLength", Shape::Count),
    ("minProperties", Shape::Count),
    ("minimum", Shape::Number),
    ("multipleOf", Shape::Number),
    ("not", Shape::Schema),
    ("oneOf", Shape::Schemas),
    ("pattern", Shape::Pattern),
    ("patternProperties", Shape::Object),
    ("prefixItems", Shape::Schemas),
    ("properties", Shape::Object),
    ("propertyNames", Shape::Schema),
    ("required", Shape::Texts),
    ("then", Shape::Schema),
    ("title", Shape::Text),
    ("type", Shape::Type),
    ("unevaluatedItems", Shape::Schema),
    ("unevaluatedProperties", Shape::Schema),
    ("uniqueItems", Shape::Boolean),
];

/// Holds a schema to the shapes of its keywords.
pub(super) fn check(schema: &Value, draft: Draft) -> Result<(), String> {
    let map = match schema {
        Value::Mapping(map) => map,
        Value::Bool(_) if draft >= Draft::Draft6 => return Ok(()),
        Value::Bool(_) => return Ok(()),
        other => {
            return Err(format!("got {}, want a schema", type_name(other)));
        }
    };
    if draft < Draft::Draft2019 && map.contains_key("$ref") {
        return Ok(());
    }
    for (keyword, value) in map {
        let Ok(found) = SHAPES.binary_search_by_key(&&**keyword, |(name, _)| name) else {
            continue;
        };
        let Some((_, shape)) = SHAPES.get(found) else {
            continue;
        };
        if let Some(wanted) = wanted(*shape, value, draft) {
            return Err(format!(
                "`{keyword}` of a schema is {}, want {wanted}",
                type_name(value)
            ));
        }
    }
    Ok(())
}

/// What is wanted instead of a value that has not the shape.
fn wanted(shape: Shape, value: &Value, draft: Draft) -> Option<&'static str> {
    let is_schema = |value: &Value| matches!(value, Value::Mapping(_) | Value::Bool(_));
    let (fits, wanted) = match shape {
        Shape::Boolean => (matches!(value, Value::Bool(_)), "boolean"),
        Shape::Count => (
            matches!(value, Value::Float(f) if *f >= 0.0 && f.fract() == 0.0),
            "a count",
        ),
        Shape::List => (matches!(value, Value::Sequence(_)), "array"),
        Shape::Number => (
            matches!(value, Value::Float(_))
                || draft == Draft::Draft4 && matches!(value, Value::Bool(_)),
            "number",
        ),
        Shape::Object => (matches!(value, Value::Mapping(_)), "object"),
        Shape::Pattern => (
            value
                .as_str()
                .is_some_and(|text| crate::gostd::regexp::Regexp::new(text).is_ok()),
            "a regular expression",
        ),
        Shape::Schema => (is_schema(value), "a schema"),
        Shape::SchemaOrList => (
            is_schema(value)
                || draft < Draft::Draft2020
                    && matches!(value, Value::Sequence(items) if items.iter().all(is_schema)),
            "a schema",
        ),
        Shape::Schemas => (
            matches!(value, Value::Sequence(items) if items.iter().all(is_schema) && !items.is_empty()),
            "an array of schemas",
        ),
        Shape::Text => (matches!(value, Value::String(_)), "string"),
        Shape::Texts => (
            matches!(value, Value::Sequence(items) if items.iter().all(|i| i.as_str().is_some())),
            "an array of strings",
        ),
        Shape::Type => {
            let is_type = |value: &Value| {
                matches!(
                    value.as_str(),
                    Some("array" | "boolean" | "integer" | "null" | "number" | "object" | "string")
                )
            };
            let are_types = matches!(value, Value::Sequence(items) if items.iter().all(is_type) && !items.is_empty());
            (is_type(value) || are_types, "the name of a type")
        }
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
        assert!(SHAPES.is_sorted_by_key(|(name, _)| name));
    }
}
