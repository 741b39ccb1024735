//! The HelmReleases of a cluster, rendered once the Kustomizations are.
//!
//! In: what Kustomizations rendered. Out: each release with its objects; Flux
//! objects among these go back to the graph, which then goes on. What cannot
//! render any may be left for later, with a digest of what it is made from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::{Graph, Key, MAX_ROUNDS, Owner, Release, key_of, release_key_of, same_spec};
use crate::artifact::Digest;
use crate::flux::api;
use crate::pipeline::cluster::UnitKind;
use crate::pipeline::release;
use crate::pipeline::render::Options;
use crate::resource::{Gvk, ResId};
use crate::yaml::Node;

impl Graph<'_> {
    /// Renders the HelmReleases, and what they bring.
    pub(super) fn run_releases(&mut self) {
        for _ in 0..MAX_ROUNDS {
            self.find_releases();
            if self.releases.values().all(Release::is_settled) {
                return;
            }
            self.render_releases();
            if self.brings_flux() {
                // What comes next may change what those are rendered from that
                // were left for later.
                self.render_left(|_, _| true);
            }
            let mut children = Vec::new();
            for (key, release) in &self.releases {
                let Some(Ok(done)) = &release.done else {
                    continue;
                };
                for object in &done.objects {
                    self.sources.declare(&object.node);
                }
                let found = done.objects.iter().filter(|o| key_of(&o.node).is_some());
                children
                    .extend(found.map(|o| ((UnitKind::HelmRelease, key.clone()), o.node.clone())));
            }
            if !children.is_empty() {
                for (parent, object) in children {
                    self.adopt(&parent, object);
                }
                self.run();
            }
        }
    }

    /// Takes up the HelmReleases that are rendered; who renders one first, in
    /// the order of names, keeps it.
    fn find_releases(&mut self) {
        let mut found: BTreeMap<Key, (&Node, Option<Owner>)> = BTreeMap::new();
        for (key, task) in &self.tasks {
            let Some(Ok(done)) = &task.done else { continue };
            for object in &done.objects {
                if let Some(release) = release_key_of(object) {
                    let owner = (UnitKind::Kustomization, key.clone());
                    found.entry(release).or_insert((object, Some(owner)));
                }
            }
        }
        for (key, release) in &self.releases {
            let Some(Ok(done)) = &release.done else {
                continue;
            };
            for object in &done.objects {
                if let Some(release) = release_key_of(&object.node) {
                    let owner = (UnitKind::HelmRelease, key.clone());
                    found.entry(release).or_insert((&object.node, Some(owner)));
                }
            }
        }
        for object in &*self.seen {
            if let Some(release) = release_key_of(object) {
                found.entry(release).or_insert((object, None));
            }
        }
        let options = self.options;
        let mut there = BTreeSet::new();
        let mut changed = Vec::new();
        for (key, (object, parent)) in found {
            let known = self.releases.get(&key);
            if !known.is_some_and(|known| same_spec(&known.object, object)) {
                changed.push((key.clone(), Release::new(object.clone(), options, parent)));
            }
            there.insert(key);
        }
        self.releases.retain(|key, _| there.contains(key));
        self.releases.extend(changed);
    }

    fn render_releases(&mut self) {
        let open = self.releases.iter().filter(|(_, r)| !r.is_settled());
        let mut open: BTreeSet<Key> = open.map(|(key, _)| key.clone()).collect();
        if self.leaves_releases && !self.needs_all_releases() {
            self.each_of(&open, Work::Leave);
            let is_open = |key: &Key| self.releases.get(key).is_some_and(|r| !r.is_settled());
            open.retain(is_open);
        }
        self.render_those(&open);
        if self.leaves_releases {
            let rendered = self.releases.iter().filter(|(key, _)| open.contains(*key));
            rendered.for_each(|(_, release)| release.note(self.options));
        }
        if !self.options.lookups.rendered {
            return;
        }
        // What looked for objects is rendered again: now those of the other
        // releases are known.
        open.retain(|key| {
            let release = self.releases.get(key);
            release.is_some_and(|release| release.has_asked)
        });
        if !open.is_empty() {
            self.render_those(&open);
        }
    }

    /// What templates find by `lookup`: what Kustomizations render, and the
    /// releases that are rendered already.
    fn shelf(&self) -> Option<Arc<release::Shelf>> {
        let lookups = &self.options.lookups;
        if lookups.are_empty() {
            return None;
        }
        let mut shelf = release::Shelf::new(lookups);
        if lookups.rendered {
            let default = Arc::from("default");
            self.seen.iter().for_each(|o| shelf.add(None, o, &default));
            for task in self.tasks.values() {
                let Some(Ok(done)) = &task.done else { continue };
                let objects = done.objects.iter();
                objects.for_each(|object| shelf.add(None, object, &default));
            }
            for (key, release) in &self.releases {
                let (Some(Ok(done)), Ok(spec)) = (&release.done, &release.spec) else {
                    continue;
                };
                for object in &done.objects {
                    shelf.add(Some(key), &object.node, &spec.target_namespace);
                }
            }
        }
        Some(Arc::new(shelf))
    }

    /// Renders those that were left for later and are wanted.
    pub(super) fn render_left(&mut self, is_wanted: impl Fn(&Key, Digest) -> bool) {
        let mut wanted = BTreeSet::new();
        for (key, release) in &mut self.releases {
            let content = release.basis.filter(|_| release.is_left);
            if content.is_some_and(|basis| is_wanted(key, basis.content)) {
                release.is_left = false;
                wanted.insert(key.clone());
            }
        }
        if !wanted.is_empty() {
            self.render_those(&wanted);
        }
    }

    fn render_those(&mut self, keys: &BTreeSet<Key>) {
        self.each_of(keys, Work::Render);
    }

    fn each_of(&mut self, keys: &BTreeSet<Key>, work: Work) {
        let shelf = self.shelf();
        let mut objects = release::Objects::default();
        for (key, task) in &self.tasks {
            let Some(Ok(done)) = &task.done else { continue };
            for object in &done.objects {
                objects.add(object, &key.0);
            }
        }
        for object in &*self.seen {
            objects.add(object, &"default".into());
        }
        let context = release::Context {
            sources: &self.sources,
            options: self.options,
            charts: &self.sources.charts,
            objects: &objects,
            shelf: shelf.as_ref(),
            has_shadows: false,
        };
        let mut todo: Vec<&mut Release> = self
            .releases
            .iter_mut()
            .filter(|(key, _)| keys.contains(*key))
            .map(|(_, release)| release)
            .collect();
        if work == Work::Leave {
            return todo.par_iter_mut().for_each(|r| r.leave(&context));
        }
        let options = self.options;
        options.tell_found(todo.len());
        let specs = todo.iter().filter_map(|release| release.spec.as_ref().ok());
        context.charts.load(specs.map(|spec| &spec.chart), &context);
        todo.par_iter_mut().for_each(|release| {
            release.render(&context);
            options.tell_done();
        });
    }

    /// Whether what is left out could change what becomes of the rest, so that
    /// nothing may be left.
    fn needs_all_releases(&self) -> bool {
        self.options.lookups.rendered || self.sources.wait_for_keys() || self.has_bare_objects()
    }

    /// Whether the entry folder holds objects that no Kustomization applies: a
    /// HelmRelease may.
    fn has_bare_objects(&self) -> bool {
        let seen = self.seen.iter().map(ResId::of);
        let mut open: BTreeSet<ResId> = seen.filter(|id| !is_of_flux(&id.gvk)).collect();
        for task in self.tasks.values() {
            if open.is_empty() {
                return false;
            }
            let Some(Ok(done)) = &task.done else { continue };
            for object in &done.objects {
                open.remove(&ResId::of(object));
            }
        }
        !open.is_empty()
    }

    /// Whether a HelmRelease rendered what leads to more.
    fn brings_flux(&self) -> bool {
        self.leaves_releases && self.releases.values().any(Release::brings_flux)
    }
}

/// What is asked of a release's inputs.
const BRINGS_FLUX: &str = "brings objects of Flux";

/// What is done with releases.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    /// They are left for later, where they can be.
    Leave,
    /// They are rendered.
    Render,
}

/// Whether a kind is one that may lead to other objects.
fn is_of_flux(gvk: &Gvk) -> bool {
    [api::KUSTOMIZE, api::HELM, api::SOURCE, api::EXTENSIONS].contains(&&*gvk.group)
}

impl Release {
    /// Whether nothing is to be done with it at present.
    fn is_settled(&self) -> bool {
        self.done.is_some() || self.is_left
    }

    fn render(&mut self, context: &release::Context<'_>) {
        self.done = Some(match &self.spec {
            Ok(spec) => {
                self.source = Some(release::source_of(spec, context.objects));
                self.chart = release::chart_request(spec, context.objects);
                // However it is rendered.
                release::verify(spec, context).and_then(|()| {
                    if context.options.reuse.is_some() {
                        let known = self.basis.take();
                        self.basis =
                            known.or_else(|| release::basis_of(&self.object, spec, context));
                    }
                    let done = release::render(&self.object, spec, context, self.basis);
                    let (done, has_asked) = done.inspect_err(|_| {
                        // What its templates looked for is not known.
                        self.basis = self.basis.filter(|_| !context.options.lookups.rendered);
                    })?;
                    self.has_asked = has_asked;
                    Ok(done)
                })
            }
            Err(e) => Err(e.clone()),
        });
    }

    /// Leaves it for later, where it is known what it would be rendered from,
    /// and that it leads to nothing else.
    fn leave(&mut self, context: &release::Context<'_>) {
        let Ok(spec) = &self.spec else { return };
        if release::verify(spec, context).is_err() {
            return;
        }
        self.basis = release::basis_of(&self.object, spec, context);
        let Some(basis) = self.basis else { return };
        // The first run that rendered it saw what it brings. That does not
        // depend on the time, which is no part of the content.
        let known = context.options.reuse.as_ref().map(|reuse| &reuse.known);
        let known = known.and_then(|known| known.get(BRINGS_FLUX, basis.content));
        let brings = known.unwrap_or_else(|| release::may_bring_flux(&self.object, spec, context));
        if brings {
            return;
        }
        self.source = Some(release::source_of(spec, context.objects));
        self.chart = release::chart_request(spec, context.objects);
        self.is_left = true;
    }

    fn brings_flux(&self) -> bool {
        let objects = self.done.iter().flatten().flat_map(|done| &done.objects);
        objects.into_iter().any(|object| is_of_flux(&object.id.gvk))
    }

    /// Remembers, for the next run, what it brings.
    fn note(&self, options: &Options) {
        if let (Some(reuse), Some(Ok(done))) = (&options.reuse, &self.done)
            && let Some(basis) = done.basis
            && !basis.has_secrets
        {
            reuse
                .known
                .put(BRINGS_FLUX, basis.content, self.brings_flux());
        }
    }
}
