//! `$(NAME)`: vars, replaced by fields of objects.
//!
//! Compat: `filters/refvar`, `accumulator/refvartransformer.go` of kustomize.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::labels::resource_ref;
use crate::diag::{Error, Finding, Result, Severity, Span};
use crate::gostd::strconv;
use crate::kustomize::build::Context;
use crate::kustomize::fields::{self, Kind};
use crate::kustomize::fieldspec::{self, FieldSpec, split_field_path};
use crate::kustomize::file::Var;
use crate::kustomize::links::Links;
use crate::kustomize::resmap::ResMap;
use crate::kustomize::resource::Resource;
use crate::resource::Files;
use crate::yaml::{Node, Tag};

/// The value of a var.
enum Value {
    Text(Arc<str>),
    Int(i64),
    Float(f64),
    Bool(bool),
    /// A mapping or a list, which nothing is replaced by.
    Collection,
}

/// A var, its value, and how often it was used.
struct Known {
    value: Value,
    span: Span,
    is_used: bool,
}

type Vars = BTreeMap<Arc<str>, Known>;

/// Replaces vars wherever the field specifications say.
///
/// # Errors
///
/// `kustomize/var` for a var without a value, and for text that kustomize would
/// break.
pub(in crate::kustomize) fn replace(
    map: &mut ResMap,
    variables: &BTreeMap<Arc<str>, Var>,
    fields: &[FieldSpec],
    files: &Files,
    context: &mut Context<'_>,
) -> Result<()> {
    if variables.is_empty() {
        return Ok(());
    }
    let mut vars = Vars::new();
    for (name, var) in variables {
        vars.insert(name.clone(), value_of(map, name, var)?);
    }
    for resource in map.iter_mut() {
        for spec in fields {
            resource
                .edit(|node, links| {
                    fieldspec::apply(node, spec, None, links, &mut |field, links| {
                        set(field, &mut vars, links)
                    })
                })
                .map_err(|e| e.object(resource_ref(resource.node())))?;
        }
    }
    for (name, known) in &vars {
        if !known.is_used
            && let Some(var) = variables.get(name)
        {
            let finding = Finding::new(
                "kustomize/unused-var",
                Severity::Warning,
                format!("the var `{name}` is nowhere replaced"),
            );
            context.findings.push(
                finding
                    .at(var.name.span, files.sources())
                    .help("take it out, or say under `configurations` which fields hold vars"),
            );
        }
    }
    Ok(())
}

/// The value of a var, read from the object that it names.
fn value_of(map: &ResMap, name: &Arc<str>, var: &Var) -> Result<Known> {
    let error = |message: String, span: Span| Error::new("kustomize/var", message).at(span);
    let is_source = |r: &&Resource| r.variables.contains(name);
    let Some(source) = map.iter().find(is_source) else {
        return Err(error(
            format!("the var `{name}` names an object that is not there"),
            var.object.span,
        )
        .help("`objref` needs the kind, apiVersion and name that the object has in its file"));
    };
    let path = with_indexes(&var.field_path);
    let node = fields::lookup(source.node(), &path).ok().flatten();
    let Some(node) = node else {
        return Err(error(
            format!(
                "the var `{name}` names a field that is not there: `{}`",
                var.field_path
            ),
            var.field_path.span,
        )
        .object(resource_ref(source.node()))
        .help("correct `fieldref.fieldPath`"));
    };
    let text = node.shared_text().cloned().unwrap_or_default();
    let unreadable = || {
        error(
            format!("the var `{name}` is a number that kustomize cannot read: `{text}`"),
            node.span(),
        )
        .help("write it in digits alone")
    };
    let value = match node.tag() {
        _ if !node.is_scalar() => Value::Collection,
        Tag::Int => Value::Int(fields::atoi(&text).ok_or_else(unreadable)?),
        Tag::Float => Value::Float(text.parse().map_err(|_| unreadable())?),
        Tag::Bool => Value::Bool(node.as_bool().unwrap_or_default()),
        _ => Value::Text(text.clone()),
    };
    Ok(Known {
        value,
        span: node.span(),
        is_used: false,
    })
}

/// The parts of a field path, `name[0]` as two of them.
fn with_indexes(path: &str) -> Vec<String> {
    let mut parts = Vec::new();
    for part in split_field_path(path) {
        let index = part.strip_suffix(']').and_then(|p| p.rsplit_once('['));
        match index {
            Some((name, digits))
                if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) =>
            {
                if !name.is_empty() {
                    parts.push(name.to_owned());
                }
                parts.push(digits.to_owned());
            }
            _ => parts.push(part.into_owned()),
        }
    }
    parts
}

fn set(field: &mut Node, vars: &mut Vars, links: &mut Links) -> Result<()> {
    if field.is_null() {
        return Ok(());
    }
    match Kind::of(field) {
        Kind::Scalar => set_scalar(field, vars, links),
        Kind::Mapping => {
            for entry in field.entries_mut().into_iter().flatten() {
                if entry.key.tag() != Tag::Str {
                    return Err(not_text(&entry.key, "a key"));
                }
                set_scalar(&mut entry.value, vars, links)?;
            }
            Ok(())
        }
        Kind::Sequence => {
            for item in field.items_mut().into_iter().flatten() {
                if item.as_str().is_none() {
                    return Err(not_text(item, "an item"));
                }
                set_scalar(item, vars, links)?;
            }
            Ok(())
        }
    }
}

fn not_text(node: &Node, what: &str) -> Error {
    Error::new(
        "kustomize/wrong-kind",
        format!(
            "where vars are replaced, {what} is {}, not a string",
            node.describe()
        ),
    )
    .at(node.span())
    .help("put it in quotes")
}

fn set_scalar(field: &mut Node, vars: &mut Vars, links: &mut Links) -> Result<()> {
    let Some(text) = field.as_str().filter(|text| text.contains('$')) else {
        return Ok(());
    };
    let span = field.span();
    let value = replaced(text, vars, span)?;
    links.overwrite(field, value);
    Ok(())
}

/// Text with vars replaced; a var that is all of the text gives its own kind of
/// value.
fn replaced(text: &str, vars: &mut Vars, span: Span) -> Result<Node> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let after = &rest[at + 1..];
        let Some(next) = after.bytes().next() else {
            break;
        };
        out.push_str(&rest[..at]);
        rest = match next {
            b'$' => {
                out.push('$');
                &after[1..]
            }
            b'(' => {
                if let Some(end) = after.find(')') {
                    let name = &after[1..end];
                    let known = vars.get_mut(name);
                    if text.len() == name.len() + 3 {
                        return Ok(whole(name, known, span));
                    }
                    push_value(&mut out, name, known);
                    &after[end + 1..]
                } else {
                    out.push_str("$(");
                    &after[1..]
                }
            }
            byte if byte.is_ascii() => {
                out.push('$');
                out.push(char::from(byte));
                &after[1..]
            }
            _ => {
                return Err(Error::new(
                    "kustomize/var",
                    "kustomize breaks a character that is not ASCII and follows on `$`",
                )
                .at(span)
                .help("write `$$` for a `$` that is meant as it is"));
            }
        };
    }
    out.push_str(rest);
    Ok(Node::string(out, span))
}

/// The value of a var in place of all text.
fn whole(name: &str, known: Option<&mut Known>, span: Span) -> Node {
    let unknown = || Node::string(format!("$({name})"), span);
    let Some(known) = known else {
        return unknown();
    };
    if matches!(known.value, Value::Collection) {
        return unknown();
    }
    known.is_used = true;
    let span = known.span.or(span);
    match &known.value {
        Value::Text(text) => Node::string(&**text, span),
        Value::Int(i) => Node::int(*i, span),
        Value::Float(f) => Node::scalar(f.to_string(), Tag::Float, span),
        Value::Bool(b) => Node::bool(*b, span),
        Value::Collection => unknown(),
    }
}

/// The value of a var within text.
fn push_value(out: &mut String, name: &str, known: Option<&mut Known>) {
    match known {
        Some(known) if !matches!(known.value, Value::Collection) => {
            known.is_used = true;
            match &known.value {
                Value::Text(text) => out.push_str(text),
                Value::Int(i) => out.push_str(&i.to_string()),
                Value::Float(f) => out.push_str(&strconv::format_float(*f)),
                Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
                Value::Collection => {}
            }
        }
        _ => {
            out.push_str("$(");
            out.push_str(name);
            out.push(')');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> String {
        let mut vars = Vars::new();
        for (name, value) in [
            ("A", Value::Text("a".into())),
            ("N", Value::Int(7)),
            ("F", Value::Float(1e6)),
            ("C", Value::Collection),
        ] {
            let known = Known {
                value,
                span: Span::NONE,
                is_used: false,
            };
            vars.insert(name.into(), known);
        }
        match replaced(text, &mut vars, Span::NONE) {
            Ok(node) => format!("{} {}", node.tag().short(), node.text().unwrap()),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn replacing() {
        assert_eq!(check("x$(A)y$(N)"), "!!str xay7");
        assert_eq!(check("$(N)"), "!!int 7");
        assert_eq!(check("$(F)"), "!!float 1000000");
        assert_eq!(check("-$(F)"), "!!str -1e+06");
        assert_eq!(check("$(X) $(C)"), "!!str $(X) $(C)");
        assert_eq!(check("$$(A) $A $( $"), "!!str $(A) $A $( $");
        assert!(check("$ä").contains("not ASCII"));
    }

    #[test]
    fn indexes() {
        assert_eq!(with_indexes("a.b[0].c"), ["a", "b", "0", "c"]);
        assert_eq!(with_indexes("a[0]"), ["a", "0"]);
        assert_eq!(with_indexes("[0]"), ["0"]);
    }
}
