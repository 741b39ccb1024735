//! Definitions of kinds in the charts of two versions of a cluster: those that a
//! release brings along in both are the same objects in both, and are not read.
//!
//! In: graphs whose releases are to be rendered, or are. Out: the same graphs, in
//! which a release has unread definitions only where it has them in all versions.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::releases::{Keys, each_of};
use super::{Graph, Key, Owner, Release};
use crate::flux::FluxVersion;
use crate::pipeline::cluster::UnitKind;
use crate::pipeline::release::{self, Definitions, Kinds};
use crate::resource::ResId;
use crate::schema::{KubernetesVersion, Schemas};
use crate::yaml::{Node, emit};

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
    let is_alone = |key: &&Key| !is_in_all(graphs, key) || !all_print(graphs, key);
    let alone: Keys = unread.par_iter().filter(is_alone).cloned().collect();
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

/// Whether definitions go that are deleted with their owner. Of what fails now, or is
/// rendered by what does, nothing is known.
pub(super) fn are_deleted(before: &Graph<'_>, now: &Graph<'_>) -> bool {
    let known: BTreeSet<ResId> = now
        .objects()
        .filter_map(|(_, node)| definition(node))
        .collect();
    let mut old = before.objects();
    old.any(|(owner, node)| {
        definition(node).is_some_and(|id| !known.contains(&id)) && !now.fails(owner, before)
    })
}

/// What identifies the definition that an object is.
fn definition(object: &Node) -> Option<ResId> {
    let is_definition = super::is_of_kind(object, "CustomResourceDefinition");
    is_definition.then(|| ResId::of(object))
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

/// Whether what a release renders can be printed, in all versions: what cannot be
/// counts as failed.
fn all_print(graphs: &[&mut Graph<'_>], key: &Key) -> bool {
    let releases = graphs.iter().filter_map(|graph| graph.releases.get(key));
    let mut objects = releases.flat_map(Release::objects);
    objects.all(|object| emit::check_sorted(&object.node, None).is_ok())
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
    /// What is rendered so far with its owners, but for what stays whatever becomes of
    /// these.
    fn objects(&self) -> impl Iterator<Item = (Owner, &Node)> {
        let of_tasks = self.tasks.iter().flat_map(|(key, task)| {
            let objects = task.done.iter().flatten().flat_map(|done| &done.objects);
            objects.map(move |node| ((UnitKind::Kustomization, key.clone()), node))
        });
        let of_releases = self.releases.iter().flat_map(|(key, release)| {
            let objects = release.objects().filter(|object| !object.stays);
            objects.map(move |object| ((UnitKind::HelmRelease, key.clone()), &object.node))
        });
        of_tasks.chain(of_releases)
    }

    /// Whether an owner in another version fails in this one, or what renders it there.
    fn fails(&self, owner: Owner, other: &Graph<'_>) -> bool {
        let mut seen = BTreeSet::new();
        let mut next = Some(owner);
        while let Some((kind, key)) = next.take() {
            let (is_ok, parent) = match kind {
                UnitKind::Kustomization => (
                    self.tasks
                        .get(&key)
                        .map(|task| matches!(task.done, Some(Ok(_)))),
                    other.tasks.get(&key).and_then(|task| task.parent.clone()),
                ),
                UnitKind::HelmRelease => (
                    self.releases
                        .get(&key)
                        .map(|r| r.is_left || matches!(r.done, Some(Ok(_)))),
                    other.releases.get(&key).and_then(|r| r.parent.clone()),
                ),
            };
            if let Some(is_ok) = is_ok {
                return !is_ok;
            }
            next = parent.filter(|_| seen.insert((kind, key)));
        }
        false
    }

    /// The kinds of objects for which only a definition tells whether they live in
    /// the namespace of their release.
    fn unplaced(&self) -> Kinds {
        let (kubernetes, flux) = (KubernetesVersion::NEWEST, FluxVersion::NEWEST);
        let schemas = Schemas::new(kubernetes.minor(), flux.minor());
        let objects = self.releases.values().flat_map(Release::objects);
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
