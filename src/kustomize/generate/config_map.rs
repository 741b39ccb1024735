//! ConfigMaps and Secrets from literals and files.
//!
//! Compat: `internal/generators` of kustomize and `yaml/datamap.go` of kyaml.

use std::sync::Arc;

use super::key_values::{self, Pair};
use crate::diag::{Error, Result, Span};
use crate::kustomize::build::Context;
use crate::kustomize::fields;
use crate::kustomize::file::read::TextMap;
use crate::kustomize::file::{GeneratorArgs, GeneratorKind};
use crate::kustomize::loader::Loader;
use crate::kustomize::resource::{Behavior, Resource};
use crate::yaml::{Entry, Node, Style};

/// Makes a ConfigMap or a Secret.
///
/// # Errors
///
/// `kustomize/generator` where it has no name, and as [`key_values::load`].
pub(super) fn generate(
    args: &GeneratorArgs,
    loader: &Loader<'_>,
    context: &mut Context<'_>,
) -> Result<Resource> {
    if args.name.is_empty() {
        return Err(Error::new("kustomize/generator", "a generator has no name")
            .at(args.span)
            .help("give it a `name`"));
    }
    let kind = match args.kind {
        GeneratorKind::ConfigMap => "ConfigMap",
        GeneratorKind::Secret => "Secret",
    };
    let mut pairs = key_values::load(args, loader, context)?;
    pairs.sort_by(|a, b| a.key.cmp(&b.key));

    let mut node = Node::mapping(Vec::new(), args.span);
    node.set("apiVersion", Node::string("v1", args.span));
    node.set("kind", Node::string(kind, args.span));
    let mut metadata = Node::mapping(Vec::new(), args.span);
    metadata.set("name", string(&args.name.text, args.name.span));
    if !args.namespace.is_empty() {
        metadata.set(
            "namespace",
            string(&args.namespace.text, args.namespace.span),
        );
    }
    if let Some(options) = &args.options {
        for (field, map) in [
            ("labels", &options.labels),
            ("annotations", &options.annotations),
        ] {
            if !map.is_empty() {
                metadata.set(field, text_map(map, args.span));
            }
        }
    }
    node.set("metadata", metadata);
    match args.kind {
        GeneratorKind::ConfigMap => config_map_data(&mut node, pairs),
        GeneratorKind::Secret => {
            let secret_type = if args.secret_type.is_empty() {
                string(&Arc::from("Opaque"), args.span)
            } else {
                string(&args.secret_type.text, args.secret_type.span)
            };
            node.set("type", secret_type);
            let entries = pairs.into_iter().map(|pair| {
                let packed = key_values::base64_lines(&pair.value);
                entry(&pair.key, data(packed, pair.span))
            });
            node.set("data", Node::mapping(entries.collect(), args.span));
        }
    }
    let options = args.options.as_ref();
    if let Some(span) = options.and_then(|options| options.immutable) {
        node.set("immutable", Node::bool(true, span));
    }

    let mut resource = Resource::new(node);
    resource.history.needs_hash = !options.is_some_and(|o| o.disable_name_suffix_hash);
    resource.history.behavior = Some(Behavior::of(&args.behavior));
    Ok(resource)
}

/// A string in the style that kyaml gives to new ones.
fn string(text: &Arc<str>, span: Span) -> Node {
    Node::string(text.clone(), span)
}

fn text_map(map: &TextMap, span: Span) -> Node {
    let entries = map.iter().map(|(key, value)| {
        entry(
            key,
            Node::string(value.text.clone(), value.span).with_style(Style::SingleQuoted),
        )
    });
    Node::mapping(entries.collect(), span)
}

fn entry(key: &Arc<str>, value: Node) -> Entry {
    Entry {
        key: fields::untagged(key.clone(), value.span()),
        value,
    }
}

/// Data of one key; in lines if it has any.
fn data(text: impl Into<Arc<str>>, span: Span) -> Node {
    let node = Node::string(text, span);
    if node.text().is_some_and(|text| text.contains('\n')) {
        return node.with_style(Style::Literal);
    }
    node
}

/// Text goes under `data`, everything else under `binaryData`.
fn config_map_data(node: &mut Node, pairs: Vec<Pair>) {
    let mut text: Vec<Entry> = Vec::new();
    let mut binary: Vec<Entry> = Vec::new();
    for pair in pairs {
        if let Some(value) = key_values::as_text(&pair.value) {
            text.push(entry(&pair.key, data(&*value, pair.span)));
        } else {
            let packed = key_values::base64_lines(&pair.value);
            binary.push(entry(&pair.key, data(packed, pair.span)));
        }
    }
    for (field, entries) in [("data", text), ("binaryData", binary)] {
        if !entries.is_empty() {
            node.set(field, Node::mapping(entries, node.span()));
        }
    }
}
