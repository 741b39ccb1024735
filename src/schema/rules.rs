//! The rules that definitions bring in CEL, `x-kubernetes-validations`.
//!
//! In: an object that its schema holds for. Out: the rules that do not hold,
//! each at the field that it is about.
//!
//! Compat: `schema/cel` of apiextensions-apiserver, for an object that is
//! created: rules that compare with what was there before are passed over.

use std::borrow::Cow;
use std::sync::{Arc, PoisonError, RwLock};

use foldhash::HashMap;

use super::evaluate::{Evaluation, Step, Violation, pointer, resolve, with_room};
use super::pack::{Rule, Schema, flag};
use super::plain::Kind;
use crate::cel::{Key, List, ListKind, Map, Meter, Program, SyntaxError, Timestamp, Value};
use crate::diag::{SourceMap, Span};
use crate::gostd::strfmt;
use crate::yaml::{self, Node};

/// Steps that the rules of one object may take together.
const MAX_STEPS: u64 = 10_000_000;

/// Rules that have been compiled, shared by all threads.
#[derive(Debug, Default)]
pub(super) struct Cache {
    known: RwLock<HashMap<Box<str>, Compiled>>,
}

type Compiled = Arc<Result<Program, SyntaxError>>;

impl Cache {
    fn get(&self, rule: &str) -> Compiled {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(compiled) = known.get(rule) {
            return compiled.clone();
        }
        drop(known);
        // Two threads may do this at once; the result is the same.
        let compiled = Arc::new(Program::compile(rule, &["self", "oldSelf"]));
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(rule.into(), compiled.clone());
        compiled
    }
}

/// Judges an object by the rules of its schema.
pub(super) fn check<'n>(
    evaluation: &mut Evaluation<'_, 'n>,
    cache: &Cache,
    schema: Schema<'_>,
    object: &'n Node,
) {
    if !schema.has(flag::RULES) {
        return;
    }
    let mut checking = Checking {
        cache,
        meter: Meter::new(MAX_STEPS, evaluation.patterns()),
        evaluation,
        is_over: false,
    };
    checking.value(schema, schema, object, object.span(), true);
}

struct Checking<'c, 'e, 'n, 'a> {
    cache: &'c Cache,
    meter: Meter<'a>,
    evaluation: &'e mut Evaluation<'a, 'n>,
    /// Whether the steps are used up.
    is_over: bool,
}

impl<'n> Checking<'_, '_, 'n, '_> {
    /// Judges a value by the rules of `ruling`, which is its schema or a
    /// branch of it, and what is in it.
    fn value(
        &mut self,
        ruling: Schema<'_>,
        schema: Schema<'_>,
        node: &'n Node,
        place: Span,
        is_object: bool,
    ) {
        let (Some(ruling), Some(schema)) = (resolve(ruling), resolve(schema)) else {
            return;
        };
        let node = node.target();
        if !ruling.has(flag::RULES) || node.is_null() || self.is_over {
            return;
        }
        let is_object = is_object || schema.has(flag::EMBEDDED);
        if ruling.rules().next().is_some() {
            let value = convert(schema, node, is_object);
            for rule in ruling.rules() {
                self.rule(rule, &value, node, place);
            }
        }
        for branch in ruling.all_of() {
            with_room(|| self.value(branch, schema, node, place, is_object));
        }
        match Kind::of(node) {
            Kind::Mapping => {
                for entry in node.entries() {
                    let Some(name) = entry.key.text() else {
                        continue;
                    };
                    if let (Some(inner), Some(structure)) = (part(ruling, name), part(schema, name))
                    {
                        self.evaluation.path.push(Step::Key(name));
                        self.value(inner, structure, &entry.value, entry.key.span(), false);
                        self.evaluation.path.pop();
                    }
                }
            }
            Kind::List => {
                if let (Some(inner), Some(structure)) = (ruling.items(), schema.items())
                    && inner.has(flag::RULES)
                {
                    for (i, item) in node.items().iter().enumerate() {
                        self.evaluation.path.push(Step::Index(i));
                        self.value(inner, structure, item, item.span(), false);
                        self.evaluation.path.pop();
                    }
                }
            }
            _ => {}
        }
    }

    fn rule(&mut self, rule: Rule<'_>, value: &Value, node: &'n Node, place: Span) {
        if self.is_over || rule.rule.trim().is_empty() {
            return;
        }
        let compiled = self.cache.get(rule.rule);
        let program = match &*compiled {
            Ok(program) => program,
            Err(e) => {
                let message = format!("the rule `{}` cannot be read: {e}", rule.rule);
                self.report(place, message, MEND);
                return;
            }
        };
        let mut variables = vec![("self", value.clone())];
        if program.uses("oldSelf") {
            if !rule.optional_old_self {
                return;
            }
            variables.push(("oldSelf", Value::Optional(None)));
        }
        match program.evaluate(&variables, &mut self.meter) {
            Ok(Value::Bool(true)) => {}
            Ok(_) => {
                let message = self.message(rule, &variables);
                self.failed(rule, message, node, place);
            }
            Err(e) if e.is_exhausted => {
                self.is_over = true;
                self.report(
                    place,
                    "the rules of the definition take too many steps",
                    MEND,
                );
            }
            Err(e) => {
                let message = format!("the rule `{}` cannot be evaluated: {e}", rule.rule);
                self.report(place, message, MEND);
            }
        }
    }

    /// What a rule says where it does not hold.
    fn message(&mut self, rule: Rule<'_>, variables: &[(&str, Value)]) -> String {
        if let Some(expression) = rule.message_expression
            && let Ok(program) = &*self.cache.get(expression)
            && let Ok(Value::String(text)) = program.evaluate(variables, &mut self.meter)
        {
            let text = text.trim();
            if !text.is_empty() && !text.contains('\n') {
                return text.to_owned();
            }
        }
        match rule.message {
            Some(message) => message.trim().to_owned(),
            None => format!("the rule does not hold: {}", rule.rule),
        }
    }

    /// Reports at the field that a rule names.
    fn failed(&mut self, rule: Rule<'_>, message: String, node: &'n Node, place: Span) {
        let (mut span, mut node) = (place, Some(node));
        let names = rule.field_path.map(field_path).unwrap_or_default();
        for name in &names {
            let entry = node.and_then(|node| node.target().entry(name));
            span = entry.map_or(span, |entry| entry.key.span());
            node = entry.map(|entry| &entry.value);
        }
        let steps: Vec<Step<'_>> = names.iter().map(|name| Step::Key(name)).collect();
        let help = format!("the definition asks: {}", rule.rule);
        let violation = self.report(span, message, &help);
        violation.path.push_str(&pointer(&steps));
    }

    fn report(&mut self, span: Span, message: impl Into<String>, help: &str) -> &mut Violation {
        let violation = self.evaluation.report(span, message);
        violation.rule = "schema/invalid-cel";
        violation.help = Some(help.to_owned());
        violation
    }
}

const MEND: &str = "mend the definition that the rule comes from";

fn part<'p>(schema: Schema<'p>, name: &str) -> Option<Schema<'p>> {
    schema.property(name).or_else(|| schema.additional())
}

/// The names in a path such as `.spec.refs['a.b']`.
fn field_path(path: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix("['") {
            let Some((name, after)) = quoted.split_once("']") else {
                break;
            };
            names.push(name.replace("\\'", "'"));
            rest = after;
        } else {
            let plain = rest.strip_prefix('.').unwrap_or(rest);
            let end = plain.find(['.', '[']).unwrap_or(plain.len());
            let (name, after) = plain.split_at(end);
            if name.is_empty() {
                break;
            }
            names.push(name.to_owned());
            rest = after;
        }
    }
    names
}

/// A value as rules see it: as its schema describes it, with defaults.
fn convert(schema: Schema<'_>, node: &Node, is_object: bool) -> Value {
    let Some(schema) = resolve(schema) else {
        return Value::Opaque;
    };
    let node = node.target();
    let kind = Kind::of(node);
    let types = schema.flags() & flag::TYPES;
    match kind {
        Kind::Null => Value::Null,
        Kind::Bool(b) => Value::Bool(b),
        Kind::Int(_) | Kind::Uint(_) | Kind::Float(_) => number(&kind, types),
        Kind::Text => text(schema, node.text().unwrap_or_default()),
        Kind::List => list(schema, node),
        Kind::Mapping if types == 0 => Value::Opaque,
        Kind::Mapping => mapping(schema, node, is_object || schema.has(flag::EMBEDDED)),
    }
}

fn number(kind: &Kind, types: u32) -> Value {
    let is_double = types & flag::NUMBER != 0 && types & flag::INTEGER == 0;
    match *kind {
        #[expect(clippy::cast_precision_loss, reason = "as the API server reckons")]
        Kind::Int(i) if is_double => Value::Double(i as f64),
        Kind::Int(i) => Value::Int(i),
        Kind::Uint(u) => Value::Uint(u),
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and in range")]
        Kind::Float(f) if !is_double && f.fract() == 0.0 && f.abs() < 9.0e18 => {
            Value::Int(f as i64)
        }
        Kind::Float(f) => Value::Double(f),
        _ => Value::Null,
    }
}

fn text(schema: Schema<'_>, text: &str) -> Value {
    let special = match schema.format() {
        Some("duration") => strfmt::duration(text).map(Value::Duration),
        Some("date-time") => Timestamp::parse(text).map(Value::Timestamp),
        Some("date") => Timestamp::parse(&format!("{text}T00:00:00Z")).map(Value::Timestamp),
        Some("byte") => Some(Value::Bytes(text.as_bytes().into())),
        _ => None,
    };
    special.unwrap_or_else(|| text.into())
}

fn list(schema: Schema<'_>, node: &Node) -> Value {
    let items = schema.items();
    let values: Vec<Value> = node
        .items()
        .iter()
        .map(|item| items.map_or(Value::Opaque, |items| convert(items, item, false)))
        .collect();
    let kind = if schema.has(flag::LIST_SET) {
        ListKind::Set
    } else if schema.has(flag::LIST_MAP) {
        ListKind::Map(schema.list_map_keys().map(Box::from).collect())
    } else {
        ListKind::Ordered
    };
    Value::List(Arc::new(List {
        items: values,
        kind,
    }))
}

fn mapping(schema: Schema<'_>, node: &Node, is_object: bool) -> Value {
    if let Some(additional) = schema.additional() {
        let entries = node.entries().iter().filter_map(|entry| {
            let key = Key::String(entry.key.text()?.into());
            Some((key, convert(additional, &entry.value, false)))
        });
        return entries.collect::<Map>().into();
    }
    let mut fields: Vec<(Key, Value)> = Vec::new();
    let mut add = |name: &str, value: Value| {
        if let Some(name) = escape(name) {
            fields.push((Key::String(name.into()), value));
        }
    };
    for (name, property) in schema.properties() {
        if is_object && name == "metadata" {
            continue;
        }
        let nullable = property.has(flag::NULLABLE);
        match node.get(name).filter(|n| nullable || !n.is_null()) {
            Some(value) => add(name, convert(property, value, false)),
            None => {
                if let Some(default) = property.default() {
                    add(name, default_value(property, default));
                }
            }
        }
    }
    if is_object {
        for name in ["apiVersion", "kind"] {
            if schema.property(name).is_none()
                && let Some(text) = node.str_at(name)
            {
                add(name, text.into());
            }
        }
        if let Some(metadata) = node.get("metadata").filter(|n| n.is_mapping()) {
            let names = ["name", "generateName"].into_iter().filter_map(|name| {
                let text = metadata.str_at(name)?;
                Some((Key::String(name.into()), Value::from(text)))
            });
            add("metadata", names.collect::<Map>().into());
        }
    }
    fields.into_iter().collect::<Map>().into()
}

/// A default, which is kept as JSON.
fn default_value(schema: Schema<'_>, json: &str) -> Value {
    let plain = json.strip_prefix('"').and_then(|s| s.strip_suffix('"'));
    if let Some(plain) = plain.filter(|plain| !plain.contains('\\')) {
        return text(schema, plain);
    }
    let file = SourceMap::new().add("<default>", "");
    match yaml::parse_one(json, file) {
        Ok(Some(node)) => convert(schema, &node, false),
        _ => Value::Null,
    }
}

/// The name of a field as rules write it; none for one that they cannot.
///
/// Compat: `Escape` in k8s.io/apiserver, `pkg/cel/escaping.go`.
fn escape(name: &str) -> Option<Cow<'_, str>> {
    const RESERVED: [&str; 21] = [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ];
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if RESERVED.contains(&name) {
        return Some(Cow::Owned(format!("__{name}__")));
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.bytes().all(plain) && !name.contains("__") {
        return Some(Cow::Borrowed(name));
    }
    let mut out = String::new();
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        let (length, written) = match c {
            '_' if rest.starts_with("__") => (2, "__underscores__"),
            '.' => (1, "__dot__"),
            '-' => (1, "__dash__"),
            '/' => (1, "__slash__"),
            c if c.is_ascii_alphanumeric() || c == '_' => (1, &rest[..1]),
            _ => return None,
        };
        out.push_str(written);
        rest = &rest[length..];
    }
    Some(Cow::Owned(out))
}
