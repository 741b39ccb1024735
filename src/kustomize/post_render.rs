//! What helm-controller's post-renderers do: objects through kustomizations and
//! label transformers, one after the other.
//!
//! Compat: helm-controller 1.6 `internal/postrender`.

use std::sync::Arc;

use super::build::{Context, build};
use super::fieldspec::FieldSpec;
use super::file::Text;
use super::resmap::ResMap;
use super::resource::Resource;
use super::transform::{Transform as _, labels::Labels};
use super::{LoadRestrictions, Options, Reorder, documents};
use crate::artifact::MemoryTree;
use crate::diag::{Findings, Result, SourceMap};
use crate::resource::Files;
use crate::yaml::Node;

/// Something that objects go through.
#[derive(Clone, Debug)]
pub enum Step {
    /// A kustomization whose resources they are.
    Kustomization(Node),
    /// Labels on each of them, and nowhere within.
    Labels(Vec<(Arc<str>, Node)>),
    /// Annotations on each of them.
    Annotations(Vec<(Arc<str>, Node)>),
}

/// Objects after all steps; lists are opened.
///
/// # Errors
///
/// What is no object, two objects of one identity, and as
/// [`build`](super::build).
pub fn post_render(
    objects: Vec<Node>,
    steps: &[Step],
    sources: &Arc<SourceMap>,
    findings: &mut Findings,
) -> Result<Vec<Node>> {
    let files = Files::new(Arc::new(MemoryTree::new("")), sources.clone());
    let mut objects = objects;
    for step in steps {
        objects = match step {
            Step::Kustomization(kustomization) => {
                let options = Options {
                    load_restrictions: LoadRestrictions::None,
                    reorder: Reorder::None,
                    kustomization: Some(kustomization.clone()),
                    objects,
                    ..Options::default()
                };
                let output = build(&files, "", &options)?;
                findings.extend(output.findings);
                output.objects
            }
            Step::Labels(pairs) => add(objects, pairs, "metadata/labels")?,
            Step::Annotations(pairs) => add(objects, pairs, "metadata/annotations")?,
        };
    }
    Ok(objects)
}

fn add(objects: Vec<Node>, pairs: &[(Arc<str>, Node)], path: &'static str) -> Result<Vec<Node>> {
    let options = Options::default();
    let mut context = Context::new(&options);
    let mut map = read(objects, &context)?;
    let mut pairs: Vec<(Arc<str>, Text)> = pairs
        .iter()
        .map(|(key, value)| {
            let text = value.text().unwrap_or_default();
            (key.clone(), Text::new(text, value.span()))
        })
        .collect();
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    let fields = vec![FieldSpec::of_all(path, true)];
    Labels::new(pairs, fields.into()).transform(&mut map, &mut context)?;
    for resource in map.iter_mut() {
        resource.write_again()?;
    }
    Ok(map
        .into_vec()
        .into_iter()
        .map(Resource::into_node)
        .collect())
}

/// Objects that were made elsewhere, lists opened, none of them twice.
pub(super) fn read(objects: Vec<Node>, context: &Context<'_>) -> Result<ResMap> {
    let mut map = ResMap::default();
    for resource in documents::of_nodes(objects)? {
        map.append(resource, &context.api)?;
    }
    Ok(map)
}
