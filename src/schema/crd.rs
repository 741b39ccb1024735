//! CustomResourceDefinitions to packs.
//!
//! In: a parsed definition. Out: the kinds that it serves, each with its scope
//! and schema, in a [`Builder`].

use super::build::{Builder, KindDraft};
use super::compile::{Compiler, Dialect};
use super::openapi::{text_at, wrong};
use super::pack::Scope;
use crate::diag::Result;
use crate::yaml::Node;

/// Whether a document is a CustomResourceDefinition.
pub fn is_definition(document: &Node) -> bool {
    document.str_at("kind") == Some("CustomResourceDefinition")
        && document
            .str_at("apiVersion")
            .is_some_and(|v| v.starts_with("apiextensions.k8s.io/"))
}

/// Adds the versions that a definition serves, as minor version `minor` of
/// its product has them.
///
/// # Errors
///
/// `schema/definition`, with the place, for what the API server would not take
/// for a definition.
pub fn add(builder: &mut Builder, document: &Node, minor: u32) -> Result<()> {
    let spec = document
        .get("spec")
        .map(Node::target)
        .ok_or_else(|| wrong(document, "the definition has no `spec`"))?;
    let group = required_text(spec, "group")?;
    let names = spec
        .get("names")
        .map(Node::target)
        .ok_or_else(|| wrong(spec, "`spec` has no `names`"))?;
    let kind = required_text(names, "kind")?;
    let scope = match text_at(spec, "scope")? {
        Some("Cluster") => Scope::Cluster,
        _ => Scope::Namespaced,
    };
    // v1beta1 has one schema for all versions, and may name a single version.
    let shared = spec.at_path(&["validation", "openAPIV3Schema"]);
    let mut served: Vec<(&str, Option<&Node>, bool)> = Vec::new();
    for version in spec.get("versions").map_or(&[][..], |n| n.target().items()) {
        let version = version.target();
        if version.get("served").is_none() || is(version, "served") {
            let schema = version.at_path(&["schema", "openAPIV3Schema"]);
            let deprecated = is(version, "deprecated");
            served.push((
                required_text(version, "name")?,
                schema.or(shared),
                deprecated,
            ));
        }
    }
    if served.is_empty()
        && let Some(version) = text_at(spec, "version")?
    {
        served.push((version, shared, false));
    }
    // All of them first, so that a definition is added whole or not at all.
    let mut compiled = Vec::new();
    for (version, schema, deprecated) in served {
        let mut compiler = Compiler::new(builder, Dialect::Structural, &[], "");
        let schema = schema.map(|schema| compiler.root(schema)).transpose()?;
        compiled.push((format!("{group}/{version}"), schema, deprecated));
    }
    for (api_version, schema, deprecated) in compiled {
        let known = KindDraft {
            schema,
            scope: Some(scope),
            deprecated,
        };
        builder.kind(&api_version, kind, minor, known);
    }
    Ok(())
}

fn is(node: &Node, key: &str) -> bool {
    node.get(key).and_then(|n| n.target().as_bool()) == Some(true)
}

fn required_text<'n>(node: &'n Node, key: &str) -> Result<&'n str> {
    text_at(node, key)?.ok_or_else(|| wrong(node, format!("`{key}` is missing")))
}
