//! Prefixes and suffixes of names.
//!
//! Compat: `PrefixTransformer.go`, `SuffixTransformer.go` of kustomize.

use std::sync::Arc;

use super::Transform;
use super::labels::resource_ref;
use crate::diag::Result;
use crate::kustomize::build::Context;
use crate::kustomize::config::Specs;
use crate::kustomize::fields::{self, As, Kind};
use crate::kustomize::fieldspec::{self, Create};
use crate::kustomize::file::Text;
use crate::kustomize::id::Id;
use crate::kustomize::resmap::ResMap;
use crate::yaml::Tag;

/// Adds text before or behind names.
pub(in crate::kustomize) struct Affix {
    text: Text,
    is_prefix: bool,
    fields: Specs,
}

impl Affix {
    pub(in crate::kustomize) fn prefix(text: &Text, fields: Specs) -> Affix {
        Affix {
            text: text.clone(),
            is_prefix: true,
            fields,
        }
    }

    pub(in crate::kustomize) fn suffix(text: &Text, fields: Specs) -> Affix {
        Affix {
            text: text.clone(),
            is_prefix: false,
            fields,
        }
    }

    fn joined(&self, name: &str) -> Arc<str> {
        if self.is_prefix {
            format!("{}{name}", self.text).into()
        } else {
            format!("{name}{}", self.text).into()
        }
    }
}

/// Whether the names of these objects mean something elsewhere, and stay.
fn is_skipped(id: &Id) -> bool {
    match &*id.gvk.kind {
        "CustomResourceDefinition" | "Namespace" => true,
        "APIService" => &*id.gvk.group == "apiregistration.k8s.io",
        _ => false,
    }
}

impl Transform for Affix {
    fn transform(&self, map: &mut ResMap, context: &mut Context<'_>) -> Result<()> {
        let api = &context.api;
        for resource in map.iter_mut() {
            let original = resource.original_id(api);
            if is_skipped(&original) {
                continue;
            }
            for spec in self.fields.iter().filter(|s| s.gvk.selects(&original.gvk)) {
                if spec.path == "metadata/name" {
                    if self.is_prefix {
                        resource.add_prefix(&self.text.text)?;
                    } else {
                        resource.add_suffix(&self.text.text)?;
                    }
                    if !self.text.is_empty() {
                        resource.store_previous_id(api)?;
                    }
                }
                let create = Some(Create {
                    kind: Kind::Scalar,
                    tag: Some(Tag::Str),
                    span: self.text.span,
                });
                resource
                    .edit(|node, links| {
                        fieldspec::apply(node, spec, create, links, &mut |field, links| {
                            let name = self.joined(field.text().unwrap_or_default());
                            fields::set_text(field, name, As::Written, self.text.span, links)
                        })
                    })
                    .map_err(|e| e.object(resource_ref(resource.node())))?;
            }
        }
        Ok(())
    }
}
