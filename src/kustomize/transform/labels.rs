//! Labels and annotations, added wherever the field specifications say.

use std::sync::Arc;

use super::Transform;
use crate::diag::Result;
use crate::kustomize::build::Context;
use crate::kustomize::config::Specs;
use crate::kustomize::fields::{self, As, Kind};
use crate::kustomize::fieldspec::{self, Create};
use crate::kustomize::file::Text;
use crate::kustomize::file::read::TextMap;
use crate::kustomize::id::gvk_of;
use crate::kustomize::links::Links;
use crate::kustomize::resmap::ResMap;
use crate::yaml::{Node, Tag};

/// Adds labels or annotations.
pub(in crate::kustomize) struct Labels {
    pairs: TextMap,
    fields: Specs,
}

impl Labels {
    pub(in crate::kustomize) fn new(pairs: TextMap, fields: Specs) -> Labels {
        Labels { pairs, fields }
    }

    fn add(&self, node: &mut Node, links: &mut Links) -> Result<()> {
        let gvk = gvk_of(node);
        let fields: Vec<_> = self
            .fields
            .iter()
            .filter(|spec| spec.gvk.selects(&gvk))
            .collect();
        for (key, value) in &self.pairs {
            let mut added = Added {
                key,
                value,
                shared: Arc::from(&*value.text),
                count: 0,
            };
            let create = Some(Create {
                kind: Kind::Mapping,
                tag: Some(Tag::Map),
                span: value.span,
            });
            for spec in &fields {
                fieldspec::apply_to_selected(node, spec, create, links, &mut |map, links| {
                    added.add(map, links)
                })?;
            }
            if added.count > 1 {
                links.tie(added.shared);
            }
        }
        Ok(())
    }
}

/// A label on its way into the fields of one object.
struct Added<'a> {
    key: &'a Arc<str>,
    value: &'a Text,
    /// What all fields share that did not have the label before.
    shared: Arc<str>,
    count: usize,
}

impl Added<'_> {
    fn add(&mut self, map: &mut Node, links: &mut Links) -> Result<()> {
        fields::expect(map, Kind::Mapping)?;
        let is_new = map.is_mapping() && map.get(self.key).is_none();
        let text = if is_new {
            self.count += 1;
            self.shared.clone()
        } else {
            Arc::from(&*self.value.text)
        };
        fields::set_field(map, self.key, text, As::String, self.value.span, links)
    }
}

impl Transform for Labels {
    fn transform(&self, map: &mut ResMap, _: &mut Context<'_>) -> Result<()> {
        if self.pairs.is_empty() {
            return Ok(());
        }
        for resource in map.iter_mut().filter(|r| !r.is_empty()) {
            resource
                .edit(|node, links| self.add(node, links))
                .map_err(|e| e.object(resource_ref(resource.node())))?;
        }
        map.drop_empties();
        Ok(())
    }
}

/// The object that a finding is about.
pub(in crate::kustomize) fn resource_ref(node: &Node) -> crate::diag::ObjectRef {
    crate::resource::ResId::of(node).to_object_ref()
}
