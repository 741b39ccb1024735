//! Transformers: what a kustomization does to all objects that it has.
//!
//! Each file is one transformer. [`configured`] is their order.

pub(super) mod affix;
pub(super) mod hash;
pub(super) mod images;
pub(super) mod labels;
pub(super) mod name_reference;
pub(super) mod namespace;
pub(super) mod patch;
pub(super) mod replacement;
pub(super) mod replicas;
pub(super) mod sort;
mod structured;
pub(super) mod value_add;
pub(super) mod variables;

use std::borrow::Cow;
use std::sync::Arc;

use super::build::Context;
use super::config::{Config, Specs};
use super::fieldspec::{FieldSpec, merge_all, merge_one};
use super::file::{Kustomization, Label};
use super::loader::Loader;
use super::resmap::ResMap;
use crate::diag::Result;

/// Something that changes objects.
pub(super) trait Transform {
    /// Changes the objects.
    fn transform(&self, map: &mut ResMap, context: &mut Context<'_>) -> Result<()>;
}

/// A transformer with the name that kustomize has for it.
type Named = (&'static str, Box<dyn Transform>);

/// The transformers that a kustomization configures, in their order.
///
/// Compat: `configureBuiltinTransformers` of kustomize.
pub(super) fn configured(
    kustomization: &Kustomization,
    config: &Arc<Config>,
    loader: &Loader<'_>,
    context: &mut Context<'_>,
) -> Result<Vec<Named>> {
    let k = kustomization;
    let mut list: Vec<Named> = Vec::new();
    if !k.patches_strategic_merge.is_empty() {
        let patches = patch::Strategic::new(&k.patches_strategic_merge, None, loader)?;
        list.push(("PatchStrategicMergeTransformer", Box::new(patches)));
    }
    for patch in &k.patches {
        let patch = patch::Patches::new(patch, loader, context)?;
        list.push(("PatchTransformer", Box::new(patch)));
    }
    if !k.namespace.is_empty() {
        let namespace = namespace::Namespace::new(&k.namespace, config.namespace.clone());
        list.push(("NamespaceTransformer", Box::new(namespace)));
    }
    if !k.name_prefix.is_empty() {
        let prefix = affix::Affix::prefix(&k.name_prefix, config.name_prefix.clone());
        list.push(("PrefixTransformer", Box::new(prefix)));
    }
    if !k.name_suffix.is_empty() {
        let suffix = affix::Affix::suffix(&k.name_suffix, config.name_suffix.clone());
        list.push(("SuffixTransformer", Box::new(suffix)));
    }
    for label in &k.labels {
        let labels = labels::Labels::new(label.pairs.clone(), label_fields(label, config)?);
        list.push(("LabelTransformer", Box::new(labels)));
    }
    // Compat: with `labels` alone there is one for common labels, too, which
    // does nothing but show in `transformerAnnotations`.
    if !k.labels.is_empty() || !k.common_labels.is_empty() {
        let labels = labels::Labels::new(k.common_labels.clone(), config.common_labels.clone());
        list.push(("LabelTransformer", Box::new(labels)));
    }
    if !k.common_annotations.is_empty() {
        let fields = config.common_annotations.clone();
        let annotations = labels::Labels::new(k.common_annotations.clone(), fields);
        list.push(("AnnotationsTransformer", Box::new(annotations)));
    }
    for patch in &k.patches_json6902 {
        let patch = patch::Json6902::new(patch, loader)?;
        list.push(("PatchJson6902Transformer", Box::new(patch)));
    }
    for replica in &k.replicas {
        let replicas = replicas::Replicas::new(replica, config.replicas.clone());
        list.push(("ReplicaCountTransformer", Box::new(replicas)));
    }
    for image in &k.images {
        let images = images::Images::new(image, config.images.clone())?;
        list.push(("ImageTagTransformer", Box::new(images)));
    }
    if !k.replacements.is_empty() {
        let replacements = replacement::Replacements::new(&k.replacements, loader)?;
        list.push(("ReplacementTransformer", Box::new(replacements)));
    }
    Ok(list)
}

/// The fields that get the labels of an entry of `labels`.
fn label_fields(label: &Label, config: &Config) -> Result<Specs> {
    let mut fields: Vec<FieldSpec> = label.fields.clone();
    merge_all(&mut fields, &config.labels)?;
    if label.include_selectors {
        merge_all(&mut fields, &config.common_labels)?;
    } else {
        if label.include_templates {
            merge_all(&mut fields, &config.template_labels)?;
        }
        merge_one(&mut fields, FieldSpec::of_all("metadata/labels", true))?;
    }
    Ok(Cow::Owned(fields))
}
