//! Which kinds live in namespaces.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::rendering::Cluster;
use crate::flux::FluxVersion;
use crate::resource::Gvk;
use crate::schema::{KubernetesVersion, Schemas, Scope, crd};
use crate::yaml::Node;

/// Where objects of which kinds live, as far as that is known.
#[derive(Debug)]
pub(super) struct Scopes {
    /// Whether the kinds of definitions that are rendered, by group and kind,
    /// live in namespaces.
    defined: BTreeMap<(Arc<str>, Arc<str>), bool>,
    schemas: Schemas,
}

impl Scopes {
    /// By the definitions in both versions of a cluster.
    pub(super) fn of(sides: [&Cluster; 2]) -> Scopes {
        let units = sides.into_iter().flat_map(|side| &side.units);
        let objects = units
            .filter_map(|unit| unit.outcome.as_ref().ok())
            .flatten();
        let definitions = objects.filter(|object| crd::is_definition(&object.node));
        let defined = definitions.filter_map(|object| {
            let text = |path: &[&str]| object.node.at_path(path).and_then(Node::shared_text);
            let kind = (
                text(&["spec", "group"])?.clone(),
                text(&["spec", "names", "kind"])?.clone(),
            );
            Some((kind, &**text(&["spec", "scope"])? == "Namespaced"))
        });
        Scopes {
            defined: defined.collect(),
            // Kinds do not move between versions.
            schemas: Schemas::new(
                KubernetesVersion::NEWEST.minor(),
                FluxVersion::NEWEST.minor(),
            ),
        }
    }

    /// Whether objects of a kind live in namespaces; false where that is not
    /// known.
    pub(super) fn is_namespaced(&self, gvk: &Gvk) -> bool {
        let defined = self.defined.get(&(gvk.group.clone(), gvk.kind.clone()));
        defined.copied().unwrap_or_else(|| {
            let scope = self.schemas.scope_of_any(&gvk.api_version(), &gvk.kind);
            scope == Some(Scope::Namespaced)
        })
    }
}
