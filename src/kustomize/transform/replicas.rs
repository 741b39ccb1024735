//! The number of replicas of objects by their name.
//!
//! Compat: `ReplicaCountTransformer.go` of kustomize.

use super::Transform;
use crate::diag::{Error, Result};
use crate::kustomize::build::Context;
use crate::kustomize::config::Specs;
use crate::kustomize::fields::{self, Kind};
use crate::kustomize::fieldspec::{self, Create};
use crate::kustomize::file::Replica;
use crate::kustomize::resmap::ResMap;
use crate::yaml::{Node, Tag};

/// Sets numbers of replicas.
pub(in crate::kustomize) struct Replicas {
    replica: Replica,
    fields: Specs,
}

impl Replicas {
    pub(in crate::kustomize) fn new(replica: &Replica, fields: Specs) -> Replicas {
        Replicas {
            replica: replica.clone(),
            fields,
        }
    }
}

impl Transform for Replicas {
    fn transform(&self, map: &mut ResMap, context: &mut Context<'_>) -> Result<()> {
        let Replica { name, count, span } = &self.replica;
        let create = Some(Create {
            kind: Kind::Scalar,
            tag: Some(Tag::Int),
            span: *span,
        });
        let mut is_found = false;
        for spec in self.fields.iter() {
            for resource in map.iter_mut().filter(|r| !r.is_empty()) {
                let is_meant = resource.has_any_id(&context.api, |id| {
                    id.name == name.text && spec.gvk.selects(&id.gvk)
                });
                if !is_meant {
                    continue;
                }
                is_found = true;
                resource.edit(|node, links| {
                    fieldspec::apply(node, spec, create, links, &mut |field, links| {
                        fields::expect(field, Kind::Scalar)?;
                        fields::set_scalar(field, Node::int(*count, *span), links);
                        Ok(())
                    })
                })?;
            }
        }
        if is_found {
            return Ok(());
        }
        Err(Error::new(
            "ref/missing",
            format!("there is no object `{name}` that has replicas"),
        )
        .at(name.span)
        .help("name a Deployment, StatefulSet, ReplicaSet or ReplicationController"))
    }
}
