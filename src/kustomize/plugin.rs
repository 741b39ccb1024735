//! Configuration files of the program's own generators and transformers.
//!
//! In: an object with `apiVersion: builtin`, named under `generators`,
//! `transformers` or `validators`. Out: what it configures. Every other object
//! there stands for a program to be run, and is refused.
//!
//! Compat: `internal/plugins/loader`, and the `Config` of each builtin.

use std::borrow::Cow;

use super::build::Context;
use super::config::{Specs, field_spec};
use super::file::read::{Mode, Object, TextMap};
use super::file::{
    GeneratorArgs, GeneratorKind, HelmChart, HelmGlobals, Image, Metadata, Patch, ReplacementField,
    Replica, Selector,
};
use super::generate::{Generator, IamPolicy};
use super::json;
use super::loader::Loader;
use super::resmap::ResMap;
use super::resource::Resource;
use super::transform::{
    Transform, affix, images, labels, namespace, patch, replacement, replicas, value_add,
};
use crate::diag::{Error, Result};
use crate::yaml::Node;
use crate::yaml::resolve::Version;

/// Annotations that say how to run a program.
const FUNCTION_ANNOTATIONS: [&str; 2] = ["config.kubernetes.io/function", "config.k8s.io/function"];

/// The generator that an object configures.
///
/// # Errors
///
/// `kustomize/plugin` for what is none.
pub(super) fn generator(resource: &Resource, _: &mut Context<'_>) -> Result<Generator> {
    let kind = builtin_kind(resource)?;
    let node = json::plain(&json::written_again(resource.node())?, Version::V3)?;
    match kind {
        "ConfigMapGenerator" => data_generator(&node, GeneratorKind::ConfigMap),
        "SecretGenerator" => data_generator(&node, GeneratorKind::Secret),
        "IAMPolicyGenerator" => Ok(Generator::IamPolicy(Box::new(IamPolicy::read(&node)?))),
        "HelmChartInflationGenerator" => {
            let mut object = Object::of(&node, "chart", Mode::Lenient)?;
            let globals = HelmGlobals::read_fields(&mut object)?;
            let chart = HelmChart::read_fields(&mut object)?;
            Ok(Generator::Chart(Box::new((chart, globals))))
        }
        _ => Err(wrong_list(resource, "no generator", "transformers")),
    }
}

fn data_generator(node: &Node, kind: GeneratorKind) -> Result<Generator> {
    let mut object = Object::of(node, "generator", Mode::Lenient)?;
    let mut args = GeneratorArgs::read_fields(&mut object, kind)?;
    let metadata = read_metadata(&mut object)?;
    if args.name.is_empty() {
        args.name = metadata.name;
    }
    if args.namespace.is_empty() {
        args.namespace = metadata.namespace;
    }
    Ok(Generator::Data(Box::new(args)))
}

fn read_metadata(object: &mut Object<'_>) -> Result<Metadata> {
    let metadata = object.object("metadata", |n| Metadata::read(n, Mode::Lenient))?;
    Ok(metadata.unwrap_or_default())
}

/// The transformer that an object configures.
///
/// # Errors
///
/// `kustomize/plugin` for what is none.
pub(super) fn transformer(
    resource: &Resource,
    loader: &Loader<'_>,
    context: &mut Context<'_>,
) -> Result<Box<dyn Transform>> {
    let kind = builtin_kind(resource)?;
    let node = json::plain(&json::written_again(resource.node())?, Version::V3)?;
    let mut object = Object::of(&node, "transformer", Mode::Lenient)?;
    Ok(match kind {
        "AnnotationsTransformer" => {
            let pairs = text_map(&mut object, "annotations")?;
            Box::new(labels::Labels::new(pairs, field_specs(&mut object)?))
        }
        "LabelTransformer" => {
            let pairs = text_map(&mut object, "labels")?;
            Box::new(labels::Labels::new(pairs, field_specs(&mut object)?))
        }
        "NamespaceTransformer" => Box::new(namespace_transformer(&mut object)?),
        "PrefixTransformer" | "SuffixTransformer" | "PrefixSuffixTransformer" => {
            affixes(&node, &mut object, kind)?
        }
        "ImageTagTransformer" => {
            let image = object.object("imageTag", |n| Image::read(n, Mode::Lenient))?;
            let fields = field_specs(&mut object)?;
            Box::new(images::Images::new(&image.unwrap_or_default(), fields)?)
        }
        "ReplicaCountTransformer" => {
            let replica = object.object("replica", |n| Replica::read(n, Mode::Lenient))?;
            let fields = field_specs(&mut object)?;
            Box::new(replicas::Replicas::new(
                &replica.unwrap_or_default(),
                fields,
            ))
        }
        "PatchTransformer" => {
            let patch = Patch::read(&node, Mode::Lenient)?;
            Box::new(patch::Patches::new(&patch, loader, context)?)
        }
        "PatchJson6902Transformer" => {
            let patch = Patch {
                target: object.object("target", |n| Selector::read(n, Mode::Lenient))?,
                path: object.text("path")?,
                inline: object.text("jsonOp")?,
                span: object.span(),
                ..Patch::default()
            };
            Box::new(patch::Json6902::new(&patch, loader)?)
        }
        "PatchStrategicMergeTransformer" => {
            let paths = object.texts("paths")?.unwrap_or_default();
            let written = object.text("patches")?;
            let written = Some(&written).filter(|text| !text.is_empty());
            Box::new(patch::Strategic::new(&paths, written, loader)?)
        }
        "ReplacementTransformer" => {
            let entries =
                object.list("replacements", |n| ReplacementField::read(n, Mode::Lenient))?;
            let entries = entries.unwrap_or_default();
            Box::new(replacement::Replacements::new(&entries, loader)?)
        }
        "ValueAddTransformer" => Box::new(value_add::ValueAdd::read(&node, loader)?),
        "HashTransformer" => Box::new(Hash),
        _ => return Err(wrong_list(resource, "no transformer", "generators")),
    })
}

fn text_map(object: &mut Object<'_>, name: &'static str) -> Result<TextMap> {
    Ok(object.text_map(name)?.unwrap_or_default())
}

fn field_specs(object: &mut Object<'_>) -> Result<Specs> {
    let specs = object.list("fieldSpecs", |n| field_spec(n, Mode::Lenient))?;
    Ok(Cow::Owned(specs.unwrap_or_default()))
}

fn namespace_transformer(object: &mut Object<'_>) -> Result<namespace::Namespace> {
    let subjects = object.text("setRoleBindingSubjects")?;
    Ok(namespace::Namespace {
        name: read_metadata(object)?.namespace,
        fields: field_specs(object)?,
        unset_only: object.flag("unsetOnly")?,
        subjects: namespace::Subjects::read(&subjects)?,
    })
}

/// Prefixes and suffixes, which need field specifications.
fn affixes(node: &Node, object: &mut Object<'_>, kind: &str) -> Result<Box<dyn Transform>> {
    if object.get("fieldSpecs").is_none() {
        return Err(Error::new(
            "kustomize/plugin",
            format!("the {kind} has no `fieldSpecs`"),
        )
        .at(node.span())
        .help("say which fields it changes: `fieldSpecs: [{path: metadata/name}]`"));
    }
    let fields = field_specs(object)?;
    let prefix = affix::Affix::prefix(&object.text("prefix")?, fields.clone());
    let suffix = affix::Affix::suffix(&object.text("suffix")?, fields);
    Ok(match kind {
        "PrefixTransformer" => Box::new(prefix),
        "SuffixTransformer" => Box::new(suffix),
        _ => Box::new(Both(prefix, suffix)),
    })
}

/// A prefix and a suffix.
struct Both(affix::Affix, affix::Affix);

impl Transform for Both {
    fn transform(&self, map: &mut ResMap, context: &mut Context<'_>) -> Result<()> {
        self.0.transform(map, context)?;
        self.1.transform(map, context)
    }
}

/// Hashes in names, before the end of the build.
struct Hash;

impl Transform for Hash {
    fn transform(&self, map: &mut ResMap, context: &mut Context<'_>) -> Result<()> {
        super::transform::hash::add_hashes(map, &context.api)
    }
}

/// The kind of a configuration of one of the program's own.
fn builtin_kind(resource: &Resource) -> Result<&str> {
    let gvk = resource.gvk();
    let kind = resource.kind();
    let error = |message: String| {
        let span = resource
            .node()
            .get("kind")
            .map_or(resource.node().span(), Node::span);
        Error::new("kustomize/plugin", message).at(span)
    };
    let runs_program = FUNCTION_ANNOTATIONS
        .iter()
        .any(|annotation| resource.annotation(annotation).is_some());
    if runs_program {
        return Err(
            error(format!("`{kind}` would run a program, which is refused")).help(
                "a build runs nothing, so that it is the same everywhere: run the function before, \
             and commit what it makes",
            ),
        );
    }
    if !gvk.group.is_empty() || &*gvk.version != "builtin" {
        return Err(error(format!(
            "`{kind}` of `{}` is no plugin of kustomize itself, and others are refused",
            gvk.api_version()
        ))
        .help(
            "plugins are programs, and a build runs none: write `apiVersion: builtin` if one of \
             kustomize's own is meant",
        ));
    }
    Ok(kind)
}

fn wrong_list(resource: &Resource, what: &str, list: &str) -> Error {
    let kind = resource.kind();
    let error = Error::new(
        "kustomize/plugin",
        format!("`{kind}` is {what} of kustomize"),
    )
    .at(resource.node().span());
    error.help(format!("correct the kind, or name it under `{list}`"))
}

/// Whether an object differs at most by the label that a validator may set.
pub(super) fn is_only_validated(before: &Node, after: &Node) -> bool {
    const LABEL: &str = "validated-by";
    if is_same(before, after) {
        return true;
    }
    let labels = |node: &Node| node.at_path(&["metadata", "labels"]).cloned();
    let (Some(metadata), None) = (after.get("metadata"), labels(before)) else {
        return false;
    };
    let is_only_label = metadata
        .get("labels")
        .is_some_and(|labels| labels.entries().len() == 1 && labels.get(LABEL).is_some());
    let mut stripped = after.clone();
    if let Some(metadata) = stripped.get_mut("metadata") {
        metadata.remove("labels");
    }
    is_only_label && is_same(before, &stripped)
}

/// Whether two nodes are written the same way.
fn is_same(a: &Node, b: &Node) -> bool {
    let pairs_are_same = a.items().len() == b.items().len()
        && a.entries().len() == b.entries().len()
        && a.items().iter().zip(b.items()).all(|(a, b)| is_same(a, b))
        && a.entries()
            .iter()
            .zip(b.entries())
            .all(|(a, b)| is_same(&a.key, &b.key) && is_same(&a.value, &b.value));
    pairs_are_same
        && a.text() == b.text()
        && a.tag() == b.tag()
        && a.is_mapping() == b.is_mapping()
        && a.is_sequence() == b.is_sequence()
}
