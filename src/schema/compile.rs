//! JSON schemas, as Kubernetes and others write them, to their compact form.
//!
//! In: a schema as a parsed document. Out: a [`SchemaId`] in a [`Builder`].
//! What the dialects leave to be known (which objects are closed, which values
//! may be null) is written into the compact form, so that whoever reads it
//! needs to know no dialect.

use std::collections::BTreeMap;

use foldhash::{HashMap, HashSet};

use super::build::{Builder, Draft, RuleDraft, SchemaId};
use super::evaluate::with_room;
use super::openapi::{definition_name, mapping_at, name_of, text_at, types, wrong};
use super::pack::{Slot, flag};
use crate::diag::{Error, Result, Span};
use crate::yaml::resolve::Version;
use crate::yaml::{Entry, Node, decode, to_json};

/// Whose schema it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Kubernetes' own OpenAPI document: objects with properties are closed,
    /// and null stands for every optional field.
    Kubernetes,
    /// The schema of a CustomResourceDefinition: objects are closed unless
    /// they preserve unknown fields; null is a value of its own.
    Structural,
    /// A JSON schema that says all this itself.
    Plain,
}

/// Where a schema stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    /// It says what there is.
    Structure,
    /// It says more about what is there: the branches of `allOf` and the like.
    Branch,
}

/// A definition that is being read.
struct Open {
    name: String,
    depth: usize,
}

/// The name of the whole schema as a definition.
pub(super) const WHOLE: &str = "#";

/// Reads schemas of one document.
pub(super) struct Compiler<'d, 'b> {
    pub(super) builder: &'b mut Builder,
    dialect: Dialect,
    definitions: HashMap<&'d str, &'d Node>,
    /// Definitions that are complete, without and with null.
    done: HashMap<(String, bool), SchemaId>,
    /// Definitions that are being read.
    open: Vec<Open>,
    /// How many steps into values lead from the whole object to where the
    /// schema that is being read applies.
    depth: usize,
    /// Which definitions each applies to the very value that it is itself
    /// applied to, with the place of the reference.
    beside: BTreeMap<String, BTreeMap<String, Span>>,
    /// Those of them that refer to themselves.
    recursive: HashSet<String>,
    /// What the names of such definitions begin with in the pack.
    prefix: String,
    /// Whether the next schema is that of a whole object.
    at_root: bool,
}

impl<'d, 'b> Compiler<'d, 'b> {
    /// A compiler of schemas that refer to these definitions. Definitions that
    /// refer to themselves keep a name in the pack, with this prefix.
    pub(super) fn new(
        builder: &'b mut Builder,
        dialect: Dialect,
        definitions: &'d [Entry],
        prefix: &str,
    ) -> Compiler<'d, 'b> {
        Compiler {
            builder,
            dialect,
            definitions: definitions
                .iter()
                .filter_map(|e| Some((e.key.target().text()?, e.value.target())))
                .collect(),
            done: HashMap::default(),
            open: Vec::new(),
            depth: 0,
            beside: BTreeMap::new(),
            recursive: HashSet::default(),
            prefix: prefix.to_owned(),
            at_root: false,
        }
    }

    /// The schema of objects of a kind.
    pub(super) fn root(&mut self, node: &'d Node) -> Result<SchemaId> {
        self.at_root = true;
        if self.dialect == Dialect::Plain {
            self.definitions.insert(WHOLE, node.target());
            self.open.push(Open {
                name: WHOLE.to_owned(),
                depth: self.depth,
            });
        }
        let schema = self.schema(node, Position::Structure, false)?;
        self.open.clear();
        self.check_ends()?;
        if self.recursive.contains(WHOLE) {
            let name = format!("{}{WHOLE}", self.prefix);
            self.builder.define(&name, schema);
        }
        Ok(schema)
    }

    /// Refuses definitions that apply themselves to one and the same value:
    /// what that would mean is undefined in JSON Schema, and judging by it
    /// would have no end.
    pub(super) fn check_ends(&self) -> Result<()> {
        let none = BTreeMap::new();
        let next = |name: &str| self.beside.get(name).unwrap_or(&none).iter();
        let mut done: HashSet<&str> = HashSet::default();
        for start in self.beside.keys() {
            // The definitions on the way, each with those still to be followed.
            let mut way = vec![(start.as_str(), next(start))];
            while let Some((name, rest)) = way.last_mut() {
                let Some((to, span)) = rest.next() else {
                    done.insert(*name);
                    way.pop();
                    continue;
                };
                if let Some(from) = way.iter().position(|(open, _)| open == to) {
                    let names = way.iter().skip(from).map(|(open, _)| *open);
                    let names: Vec<String> = names
                        .chain([&**to])
                        .map(|name| format!("`{name}`"))
                        .collect();
                    return Err(Error::new(
                        "schema/definition",
                        format!(
                            "a schema applies itself to one and the same value: {}",
                            names.join(" → ")
                        ),
                    )
                    .at(*span)
                    .help("take this reference out, or let it stand for a property or an item"));
                }
                if !done.contains(to.as_str()) {
                    way.push((to.as_str(), next(to)));
                }
            }
        }
        Ok(())
    }

    /// The schema of a definition; `span` is the place of the reference to it.
    pub(super) fn definition(
        &mut self,
        name: &str,
        nullable: bool,
        span: Span,
    ) -> Result<Option<SchemaId>> {
        if let Some(open) = self.open.last().filter(|open| open.depth == self.depth) {
            let beside = self.beside.entry(open.name.clone()).or_default();
            beside.entry(name.to_owned()).or_insert(span);
        }
        if let Some(&done) = self.done.get(&(name.to_owned(), nullable)) {
            return Ok(Some(done));
        }
        if self.dialect == Dialect::Kubernetes
            && let Some(mut draft) = special(self.builder, name)
        {
            if nullable {
                draft.flag(flag::NULLABLE);
            }
            return Ok(Some(self.builder.schema(&draft)));
        }
        let Some(&node) = self.definitions.get(name) else {
            return Ok(None);
        };
        if self.open.iter().any(|open| open.name == name) {
            self.recursive.insert(name.to_owned());
            let mut draft = Draft::default();
            let reference = format!("{}{name}", self.prefix);
            let reference = self.builder.text(&reference);
            draft.set(Slot::Reference, reference);
            if nullable {
                draft.flag(flag::NULLABLE);
            }
            return Ok(Some(self.builder.schema(&draft)));
        }
        self.open.push(Open {
            name: name.to_owned(),
            depth: self.depth,
        });
        // Definitions may make a chain as long as the document.
        let schema = with_room(|| self.schema(node, Position::Structure, nullable))?;
        self.open.pop();
        if self.recursive.contains(name) {
            let name = format!("{}{name}", self.prefix);
            self.builder.define(&name, schema);
        }
        // What was read within a recursive definition refers to it by name,
        // which is right wherever it is used.
        self.done.insert((name.to_owned(), nullable), schema);
        Ok(Some(schema))
    }

    /// The schema of what is in a value.
    fn inner(&mut self, node: &Node, position: Position, nullable: bool) -> Result<SchemaId> {
        self.depth += 1;
        let schema = self.schema(node, position, nullable);
        self.depth -= 1;
        schema
    }

    fn schema(&mut self, node: &Node, position: Position, nullable: bool) -> Result<SchemaId> {
        let node = node.target();
        match node.as_bool() {
            Some(true) => return Ok(self.builder.schema(&Draft::default())),
            Some(false) => {
                let mut draft = Draft::default();
                let any = self.builder.schema(&Draft::default());
                draft.set_schema(Slot::Not, any);
                return Ok(self.builder.schema(&draft));
            }
            None => {}
        }
        if !node.is_mapping() {
            return Err(wrong(
                node,
                format!("a schema is {}, not a mapping", node.describe()),
            ));
        }
        if let Some(reference) = text_at(node, "$ref")? {
            let name = match reference {
                "#" => WHOLE.to_owned(),
                _ => definition_name(reference).unwrap_or_default(),
            };
            return match self.definition(&name, nullable, reference_span(node))? {
                Some(schema) => Ok(schema),
                None => Err(
                    wrong(node, format!("`{reference}` names no definition here"))
                        .help("use a schema that stands alone, with all its definitions in it"),
                ),
            };
        }
        let mut draft = Draft::default();
        draft.flag(types(node)?);
        self.flags(&mut draft, node, nullable);
        self.object(&mut draft, node, position)?;
        if let Some(items) = node.get("items").filter(|n| !n.target().is_sequence()) {
            let items = self.inner(items, position, false)?;
            draft.inherit(self.builder.flags(items));
            draft.set_schema(Slot::Items, items);
        }
        self.limits(&mut draft, node)?;
        for (key, slot) in [
            ("allOf", Slot::AllOf),
            ("anyOf", Slot::AnyOf),
            ("oneOf", Slot::OneOf),
        ] {
            let Some(branches) = node.get(key) else {
                continue;
            };
            let mut ids = Vec::new();
            for branch in branches.target().items() {
                let id = self.schema(branch, Position::Branch, false)?;
                if slot == Slot::AllOf {
                    draft.inherit(self.builder.flags(id));
                }
                ids.push(id);
            }
            let list = self.builder.schemas(&ids);
            draft.set(slot, list);
        }
        if let Some(not) = node.get("not") {
            let not = self.schema(not, Position::Branch, false)?;
            draft.set_schema(Slot::Not, not);
        }
        self.extensions(&mut draft, node)?;
        Ok(self.builder.schema(&draft))
    }

    fn flags(&self, draft: &mut Draft, node: &Node, nullable: bool) {
        let is = |key: &str| node.get(key).and_then(|n| n.target().as_bool()) == Some(true);
        if nullable || is("nullable") {
            draft.flag(flag::NULLABLE);
        }
        let format = node.str_at("format");
        if is("x-kubernetes-int-or-string")
            || (self.dialect == Dialect::Kubernetes && format == Some("int-or-string"))
        {
            draft.unflag(flag::TYPES);
            draft.flag(flag::INT_OR_STRING);
        }
        if is("x-kubernetes-preserve-unknown-fields") {
            draft.flag(flag::PRESERVE_UNKNOWN);
        }
        if is("x-kubernetes-embedded-resource") {
            draft.flag(flag::EMBEDDED);
        }
        if is("uniqueItems") {
            draft.flag(flag::UNIQUE_ITEMS);
        }
        match node.str_at("x-kubernetes-list-type") {
            Some("set") => draft.flag(flag::LIST_SET),
            Some("map") => draft.flag(flag::LIST_MAP),
            _ => {}
        }
        if node.str_at("x-kubernetes-map-type") == Some("atomic") {
            draft.flag(flag::MAP_ATOMIC);
        }
    }

    /// Properties, and what is said of others.
    fn object(&mut self, draft: &mut Draft, node: &Node, position: Position) -> Result<()> {
        let required: HashSet<&str> = node
            .get("required")
            .map_or(&[][..], |n| n.target().items())
            .iter()
            .filter_map(Node::as_str)
            .collect();
        let is_object = std::mem::take(&mut self.at_root) || draft.is(flag::EMBEDDED);
        let mut properties = BTreeMap::new();
        for entry in mapping_at(node, "properties")? {
            let name = name_of(&entry.key)?;
            let optional = self.dialect == Dialect::Kubernetes && !required.contains(name);
            // What a definition says of metadata is never all there is.
            let position = match (self.dialect, name) {
                (Dialect::Structural, "metadata") if is_object => Position::Branch,
                _ => position,
            };
            let property = self.inner(&entry.value, position, optional)?;
            draft.inherit(self.builder.flags(property));
            properties.insert(name, property);
        }
        let mut additional = node.get("additionalProperties").map(Node::target);
        if let Some(schema) = additional.filter(|n| n.is_mapping()) {
            let schema = self.inner(schema, position, false)?;
            draft.inherit(self.builder.flags(schema));
            draft.set_schema(Slot::Additional, schema);
        }
        if node.get("patternProperties").is_some() {
            // Not understood, so nothing is said to be unknown.
            additional = None;
        }
        let closed = match (self.dialect, additional.map(Node::as_bool)) {
            (_, Some(Some(false))) => true,
            (_, Some(_)) | (Dialect::Plain, None) => false,
            (Dialect::Kubernetes, None) => !properties.is_empty(),
            (Dialect::Structural, None) => {
                position == Position::Structure
                    && draft.is(flag::OBJECT)
                    && !draft.is(flag::PRESERVE_UNKNOWN)
            }
        };
        if closed {
            draft.flag(flag::CLOSED);
        }
        if !properties.is_empty() {
            let properties = self.builder.properties(&properties);
            draft.set(Slot::Properties, properties);
        }
        if let Some(required) = node.get("required") {
            let mut names: Vec<&str> = required
                .target()
                .items()
                .iter()
                .map(name_of)
                .collect::<Result<_>>()?;
            names.sort_unstable();
            names.dedup();
            if !names.is_empty() {
                let names = self.builder.texts(names);
                draft.set(Slot::Required, names);
            }
        }
        Ok(())
    }

    /// Formats, patterns, ranges and lengths.
    fn limits(&mut self, draft: &mut Draft, node: &Node) -> Result<()> {
        if self.dialect == Dialect::Kubernetes && node.str_at("format") == Some("byte") {
            draft.flag(flag::BUILT_IN);
        }
        for (key, slot) in [("format", Slot::Format), ("pattern", Slot::Pattern)] {
            if let Some(text) = text_at(node, key)? {
                let text = self.builder.text(text);
                draft.set(slot, text);
            }
        }
        for (key, exclusive, exclusive_flag, slot) in [
            (
                "minimum",
                "exclusiveMinimum",
                flag::EXCLUSIVE_MINIMUM,
                Slot::Minimum,
            ),
            (
                "maximum",
                "exclusiveMaximum",
                flag::EXCLUSIVE_MAXIMUM,
                Slot::Maximum,
            ),
        ] {
            let mut limit = number_at(node, key)?;
            // A flag beside the limit in older drafts, a limit of its own in
            // newer ones.
            match node.get(exclusive).map(Node::target) {
                Some(flag) if flag.as_bool() == Some(true) => draft.flag(exclusive_flag),
                Some(flag) if flag.as_bool() == Some(false) => {}
                Some(_) => {
                    limit = number_at(node, exclusive)?;
                    draft.flag(exclusive_flag);
                }
                None => {}
            }
            if let Some(limit) = limit {
                let limit = self.builder.text(limit);
                draft.set(slot, limit);
            }
        }
        if let Some(step) = number_at(node, "multipleOf")? {
            let step = self.builder.text(step);
            draft.set(Slot::MultipleOf, step);
        }
        for (key, slot) in [
            ("minLength", Slot::MinLength),
            ("maxLength", Slot::MaxLength),
            ("minItems", Slot::MinItems),
            ("maxItems", Slot::MaxItems),
            ("minProperties", Slot::MinProperties),
            ("maxProperties", Slot::MaxProperties),
        ] {
            if let Some(text) = number_at(node, key)? {
                // More than fits is no limit from above and one that cannot
                // be met from below; neither is ever written.
                let limit = text.parse().unwrap_or(u32::MAX);
                draft.set(slot, limit);
            }
        }
        let values = match (node.get("enum"), node.get("const")) {
            (Some(values), _) => values.target().items(),
            (None, Some(value)) => std::slice::from_ref(value),
            (None, None) => return Ok(()),
        };
        let values: Vec<String> = values.iter().map(json).collect::<Result<_>>()?;
        let values = self.builder.texts(values.iter().map(String::as_str));
        draft.set(Slot::Enum, values);
        Ok(())
    }

    /// Defaults, and what only Kubernetes has.
    fn extensions(&mut self, draft: &mut Draft, node: &Node) -> Result<()> {
        if let Some(default) = node.get("default") {
            let default = self.builder.text(&json(default)?);
            draft.set(Slot::Default, default);
        }
        if let Some(keys) = node.get("x-kubernetes-list-map-keys") {
            let keys: Vec<&str> = keys
                .target()
                .items()
                .iter()
                .map(name_of)
                .collect::<Result<_>>()?;
            let keys = self.builder.texts(keys);
            draft.set(Slot::ListMapKeys, keys);
        }
        let Some(rules) = node.get("x-kubernetes-validations") else {
            return Ok(());
        };
        let mut drafts = Vec::new();
        for rule in rules.target().items() {
            let rule = rule.target();
            drafts.push(RuleDraft {
                rule: text_at(rule, "rule")?.unwrap_or_default(),
                message: text_at(rule, "message")?.unwrap_or_default(),
                message_expression: text_at(rule, "messageExpression")?.unwrap_or_default(),
                reason: text_at(rule, "reason")?.unwrap_or_default(),
                field_path: text_at(rule, "fieldPath")?.unwrap_or_default(),
                optional_old_self: rule.get("optionalOldSelf").and_then(Node::as_bool)
                    == Some(true),
            });
        }
        if !drafts.is_empty() {
            let rules = self.builder.rules(&drafts);
            draft.set(Slot::Rules, rules);
            draft.flag(flag::RULES);
        }
        Ok(())
    }
}

/// Types whose definitions in Kubernetes' OpenAPI document say less, or
/// something else, than the API server goes by.
fn special(builder: &mut Builder, name: &str) -> Option<Draft> {
    let mut draft = Draft::default();
    let mut format = |draft: &mut Draft, format: &str| {
        let format = builder.text(format);
        draft.set(Slot::Format, format);
    };
    match name {
        // A number is taken as well as text.
        "io.k8s.apimachinery.pkg.api.resource.Quantity" => {
            draft.flag(flag::STRING | flag::NUMBER);
            format(&mut draft, "quantity");
        }
        "io.k8s.apimachinery.pkg.util.intstr.IntOrString" => {
            draft.flag(flag::INT_OR_STRING | flag::BUILT_IN);
        }
        "io.k8s.apimachinery.pkg.runtime.RawExtension" => {
            draft.flag(flag::OBJECT | flag::PRESERVE_UNKNOWN);
        }
        "io.k8s.apimachinery.pkg.apis.meta.v1.Duration" => {
            draft.flag(flag::STRING);
            format(&mut draft, "duration");
        }
        _ => return None,
    }
    Some(draft)
}

fn reference_span(node: &Node) -> Span {
    node.get("$ref").map_or(node.span(), Node::span)
}

fn number_at<'n>(node: &'n Node, key: &str) -> Result<Option<&'n str>> {
    let Some(value) = node.get(key).map(Node::target) else {
        return Ok(None);
    };
    match value.text() {
        Some(text) if text.parse::<f64>().is_ok() => Ok(Some(text)),
        _ => Err(wrong(
            value,
            format!("`{key}` is {}, not a number", value.describe()),
        )),
    }
}

fn json(node: &Node) -> Result<String> {
    Ok(to_json(&decode(node, Version::V3)?))
}
