//! Definitions of kinds in the charts of two versions of a cluster: those that a
//! release brings along in both are the same objects in both, and are not read.
//!
//! In: graphs whose releases are to be rendered, or are. Out: the same graphs, in
//! which a release has unread definitions only where it has them in all versions.

use super::releases::{Keys, each_of};
use super::{Graph, Key, Release};
use crate::flux::FluxVersion;
use crate::pipeline::release::{self, Definitions, Kinds};
use crate::schema::{KubernetesVersion, Schemas};

/// Lets releases that are in all versions leave their definitions unread.
pub(super) fn leave(graphs: &mut [&mut Graph<'_>], open: &[Keys]) {
    if graphs.len() < 2 || graphs.iter().any(|graph| graph.needs_all_releases()) {
        return;
    }
    for key in open.iter().flatten() {
        let is_in_all = graphs.iter().all(|graph| graph.releases.contains_key(key));
        for release in graphs.iter_mut().filter_map(|g| g.releases.get_mut(key)) {
            release.leaves_definitions = is_in_all;
        }
    }
}

/// Reads definitions that not all versions have, and those that tell where objects
/// live.
pub(super) fn read_needed(graphs: &mut [&mut Graph<'_>]) {
    let unread = unread(graphs);
    let is_alone = |key: &&Key| !is_in_all(graphs, key);
    let alone: Keys = unread.iter().filter(is_alone).cloned().collect();
    read(graphs, &alone, None);
    let kinds: Kinds = graphs.iter().flat_map(|g| g.unplaced()).collect();
    if !kinds.is_empty() {
        read(graphs, &unread, Some(&kinds));
    }
}

/// Reads all definitions that were left.
pub(super) fn read_all(graphs: &mut [&mut Graph<'_>]) {
    let unread = unread(graphs);
    read(graphs, &unread, None);
}

/// The releases that left definitions in any version.
fn unread(graphs: &[&mut Graph<'_>]) -> Keys {
    let has_unread = |release: &Release| release.unread().is_some_and(|unread| !unread.is_empty());
    let keys = graphs.iter().map(|graph| graph.keys_where(has_unread));
    keys.flatten().collect()
}

/// Whether all versions of a release leave the same definitions.
fn is_in_all(graphs: &[&mut Graph<'_>], key: &Key) -> bool {
    let mut all = graphs
        .iter()
        .map(|graph| graph.releases.get(key).and_then(Release::unread));
    let Some(Some(first)) = all.next() else {
        return false;
    };
    all.all(|other| other.is_some_and(|other| first.is_same(other)))
}

fn read(graphs: &mut [&mut Graph<'_>], releases: &Keys, kinds: Option<&Kinds>) {
    let wanted = vec![releases.clone(); graphs.len()];
    each_of(
        graphs,
        &wanted,
        |_, _| 0,
        |release, context| release.read_definitions(kinds, context),
    );
}

impl Graph<'_> {
    /// The kinds of objects for which only a definition tells whether they live in
    /// the namespace of their release.
    fn unplaced(&self) -> Kinds {
        let (kubernetes, flux) = (KubernetesVersion::NEWEST, FluxVersion::NEWEST);
        let schemas = Schemas::new(kubernetes.minor(), flux.minor());
        let done = self
            .releases
            .values()
            .filter_map(|release| release.done.as_ref());
        let objects = done.flatten().flat_map(|done| &done.objects);
        let ids = objects.map(|object| &object.id);
        let unplaced = ids.filter(|id| {
            let gvk = &id.gvk;
            let scope = || schemas.scope_of_any(&gvk.api_version(), &gvk.kind);
            id.namespace.is_empty() && scope().is_none()
        });
        let kinds = unplaced.map(|id| (id.gvk.group.clone(), id.gvk.kind.clone()));
        kinds.collect()
    }
}

impl Release {
    /// The definitions that it left, if it renders.
    fn unread(&self) -> Option<&Definitions> {
        Some(&self.done.as_ref()?.as_ref().ok()?.unread)
    }

    /// Reads definitions that it left.
    fn read_definitions(&mut self, kinds: Option<&Kinds>, context: &release::Context<'_>) {
        if let (Ok(spec), Some(Ok(done))) = (&self.spec, &mut self.done)
            && let Err(e) = done.read_definitions(kinds, spec, context)
        {
            self.done = Some(Err(e));
        }
    }
}
