//! OpenAPI documents as Kubernetes publishes them, to packs.
//!
//! In: a parsed document (version 2 of the specification: `definitions` and
//! `paths`). Out: its definitions, the kinds they belong to, and where objects
//! of these live, in a [`Builder`].

use std::collections::{BTreeMap, BTreeSet};

use super::build::{Builder, Draft, KindDraft, SchemaId};
use super::compile::{Compiler, Dialect};
use super::pack::{Pack, Scope, Slot, flag};
use crate::diag::{Error, Result, Span};
use crate::yaml::Node;

/// The pack that answers what kustomize asks: structure, merge keys and patch
/// strategies, scopes. References stay references.
///
/// # Errors
///
/// `schema/definition`, with the place, for what is no OpenAPI document.
pub fn for_merging(document: &Node) -> Result<Pack> {
    let mut builder = Builder::new();
    let mut kinds: BTreeMap<(String, String), (Option<SchemaId>, Option<Scope>)> = BTreeMap::new();
    let mut merging = Merging {
        builder: &mut builder,
    };
    for entry in mapping_at(document, "definitions")? {
        let name = name_of(&entry.key)?;
        let schema = merging.schema(&entry.value)?;
        merging.builder.define(name, schema);
        let gvks = entry.value.get("x-kubernetes-group-version-kind");
        for gvk in gvks.map_or(&[][..], |n| n.target().items()) {
            if gvk.target().is_mapping() {
                kinds.entry(api_version_and_kind(gvk)?).or_default().0 = Some(schema);
            }
        }
    }
    for (kind, scope) in scopes(document)? {
        kinds.entry(kind).or_default().1 = Some(scope);
    }
    for ((api_version, kind), (schema, scope)) in kinds {
        let known = KindDraft {
            schema,
            scope,
            deprecated: false,
        };
        builder.kind(&api_version, &kind, 0, known);
    }
    builder.finish()
}

/// Adds the kinds that a minor version of Kubernetes serves, each with its
/// schema. Its definitions are put where they are referred to.
///
/// # Errors
///
/// `schema/definition`, with the place, for what is no OpenAPI document.
pub fn add_kubernetes(builder: &mut Builder, document: &Node, minor: u32) -> Result<()> {
    let definitions = mapping_at(document, "definitions")?;
    let scopes = scopes(document)?;
    let mut served = served_kinds(document)?;
    let prefix = format!("{minor}:");
    let mut compiler = Compiler::new(builder, Dialect::Kubernetes, definitions, &prefix);
    let mut kinds = BTreeMap::new();
    for entry in definitions {
        let Some(gvks) = entry.value.get("x-kubernetes-group-version-kind") else {
            continue;
        };
        for gvk in gvks.target().items() {
            let kind = api_version_and_kind(gvk)?;
            if served.remove(&kind) {
                let name = name_of(&entry.key)?;
                let schema = compiler.definition(name, false, entry.key.span())?;
                kinds.insert(kind, schema);
            }
        }
    }
    // The metadata of every object, custom ones included.
    let metadata = compiler.definition(OBJECT_META, false, Span::NONE)?;
    compiler.check_ends()?;
    if let Some(metadata) = metadata {
        builder.define(&format!("{minor}:metadata"), metadata);
    }
    for ((api_version, kind), schema) in kinds {
        let scope = scopes.get(&(api_version.clone(), kind.clone())).copied();
        let known = KindDraft {
            schema,
            scope,
            deprecated: false,
        };
        builder.kind(&api_version, &kind, minor, known);
    }
    Ok(())
}

const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// The kinds that some address of the document reads or takes.
fn served_kinds(document: &Node) -> Result<BTreeSet<(String, String)>> {
    let mut kinds = BTreeSet::new();
    for path in mapping_at(document, "paths")? {
        for operation in path.value.target().entries() {
            if let Some(gvk) = operation.value.get("x-kubernetes-group-version-kind") {
                kinds.insert(api_version_and_kind(gvk)?);
            }
        }
    }
    Ok(kinds)
}

/// Where the objects of each kind live that the document's `paths` read: in a
/// namespace as soon as one of the kind's addresses has one.
///
/// Compat: `findNamespaceability` in kyaml's `openapi/openapi.go`.
pub(super) fn scopes(document: &Node) -> Result<BTreeMap<(String, String), Scope>> {
    let mut scopes = BTreeMap::new();
    for path in mapping_at(document, "paths")? {
        let Some(gvk) = path
            .value
            .target()
            .at_path(&["get", "x-kubernetes-group-version-kind"])
            .filter(|gvk| gvk.target().is_mapping())
        else {
            continue;
        };
        let kind = api_version_and_kind(gvk)?;
        if name_of(&path.key)?.contains("namespaces/{namespace}") {
            scopes.insert(kind, Scope::Namespaced);
        } else {
            scopes.entry(kind).or_insert(Scope::Cluster);
        }
    }
    Ok(scopes)
}

/// The `apiVersion` and the kind of an `x-kubernetes-group-version-kind`.
pub(super) fn api_version_and_kind(gvk: &Node) -> Result<(String, String)> {
    let gvk = gvk.target();
    let text = |key: &str| {
        gvk.str_at(key).ok_or_else(|| {
            wrong(
                gvk,
                format!("`x-kubernetes-group-version-kind` has no text `{key}`"),
            )
        })
    };
    let (version, kind) = (text("version")?, text("kind")?);
    let api_version = match gvk.str_at("group") {
        None | Some("") => version.to_owned(),
        Some(group) => format!("{group}/{version}"),
    };
    Ok((api_version, kind.to_owned()))
}

/// The definition that a `$ref` names; none for references to other places.
pub(super) fn definition_name(reference: &str) -> Option<String> {
    let (_, pointer) = reference.split_once('#')?;
    let name = pointer
        .strip_prefix("/definitions/")
        .or_else(|| pointer.strip_prefix("/$defs/"))?;
    (!name.contains('/')).then(|| crate::diag::pointer::unescape(name))
}

pub(super) fn wrong(node: &Node, message: impl Into<String>) -> Error {
    Error::new("schema/definition", message)
        .at(node.span())
        .help("write it as the OpenAPI specification has it")
}

/// The entries under a key, which may be missing.
pub(super) fn mapping_at<'n>(node: &'n Node, key: &str) -> Result<&'n [crate::yaml::Entry]> {
    let Some(value) = node.target().get(key) else {
        return Ok(&[]);
    };
    match value.target() {
        value if value.is_mapping() => Ok(value.entries()),
        value if value.is_null() => Ok(&[]),
        value => Err(wrong(
            value,
            format!("`{key}` is {}, not a mapping", value.describe()),
        )),
    }
}

pub(super) fn name_of(key: &Node) -> Result<&str> {
    key.target()
        .text()
        .ok_or_else(|| wrong(key, format!("a key is {}, not text", key.describe())))
}

/// The text under a key, which may be missing.
pub(super) fn text_at<'n>(node: &'n Node, key: &str) -> Result<Option<&'n str>> {
    let Some(value) = node.get(key).map(Node::target) else {
        return Ok(None);
    };
    value.as_str().map(Some).ok_or_else(|| {
        wrong(
            value,
            format!("`{key}` is {}, not a string", value.describe()),
        )
    })
}

/// The flag of each type that is named.
pub(super) fn types(node: &Node) -> Result<u32> {
    let flag_of = |node: &Node| {
        Ok(match node.target().text().unwrap_or_default() {
            "object" => flag::OBJECT,
            "array" => flag::ARRAY,
            "string" => flag::STRING,
            "integer" => flag::INTEGER,
            "number" => flag::NUMBER,
            "boolean" => flag::BOOLEAN,
            "null" => flag::NULL,
            other => return Err(wrong(node, format!("there is no type `{other}`"))),
        })
    };
    match node.get("type").map(Node::target) {
        None => Ok(0),
        Some(list) if list.is_sequence() => list
            .items()
            .iter()
            .try_fold(0, |types, item| Ok(types | flag_of(item)?)),
        Some(one) => flag_of(one),
    }
}

/// Stores what is of interest for merging.
struct Merging<'b> {
    builder: &'b mut Builder,
}

impl Merging<'_> {
    fn schema(&mut self, node: &Node) -> Result<SchemaId> {
        let node = node.target();
        if !node.is_mapping() {
            return Err(wrong(
                node,
                format!("a schema is {}, not a mapping", node.describe()),
            ));
        }
        let mut draft = Draft::default();
        if let Some(reference) = text_at(node, "$ref")? {
            // Nothing that stands beside a reference counts. One that leads
            // nowhere finds nothing when it is followed.
            let name = definition_name(reference).unwrap_or_default();
            let name = self.builder.text(&name);
            draft.set(Slot::Reference, name);
            return Ok(self.builder.schema(&draft));
        }
        draft.flag(types(node)?);
        let mut properties = BTreeMap::new();
        for entry in mapping_at(node, "properties")? {
            properties.insert(name_of(&entry.key)?, self.schema(&entry.value)?);
        }
        if !properties.is_empty() {
            let properties = self.builder.properties(&properties);
            draft.set(Slot::Properties, properties);
        }
        for (key, slot) in [
            ("additionalProperties", Slot::Additional),
            ("items", Slot::Items),
        ] {
            if let Some(child) = node.get(key).filter(|n| n.target().is_mapping()) {
                let child = self.schema(child)?;
                draft.set_schema(slot, child);
            }
        }
        for (key, slot) in [
            ("x-kubernetes-patch-strategy", Slot::PatchStrategy),
            ("x-kubernetes-patch-merge-key", Slot::MergeKey),
        ] {
            if let Some(text) = text_at(node, key)? {
                let text = self.builder.text(text);
                draft.set(slot, text);
            }
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
        Ok(self.builder.schema(&draft))
    }
}
