//! The HelmReleases of a cluster, rendered once the Kustomizations are.
//!
//! In: what Kustomizations rendered. Out: each release with its objects; Flux
//! objects among these go back to the graph, which then goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rayon::prelude::*;

use super::{Graph, Key, MAX_ROUNDS, Owner, Release, key_of, release_key_of, same_spec};
use crate::pipeline::cluster::UnitKind;
use crate::pipeline::release;
use crate::yaml::Node;

impl Graph<'_> {
    /// Renders the HelmReleases, and what they bring.
    pub(super) fn run_releases(&mut self) {
        for _ in 0..MAX_ROUNDS {
            self.find_releases();
            if self.releases.values().all(|release| release.done.is_some()) {
                return;
            }
            self.render_releases();
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
        for object in self.seen {
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
        let open = self.releases.iter().filter(|(_, r)| r.done.is_none());
        let mut open: BTreeSet<Key> = open.map(|(key, _)| key.clone()).collect();
        self.render_those(&open);
        if !self.options.lookups.rendered {
            return;
        }
        // What looked for objects is rendered again: now those of the other
        // releases are known.
        open.retain(|key| {
            let release = self.releases.get(key);
            release.is_some_and(|release| release.asked.load(Ordering::Relaxed))
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

    fn render_those(&mut self, keys: &BTreeSet<Key>) {
        let shelf = self.shelf();
        let mut objects = release::Objects::default();
        for (key, task) in &self.tasks {
            let Some(Ok(done)) = &task.done else { continue };
            for object in &done.objects {
                objects.add(object, &key.0);
            }
        }
        for object in self.seen {
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
        let options = self.options;
        options.tell_found(todo.len());
        let specs = todo.iter().filter_map(|release| release.spec.as_ref().ok());
        context.charts.load(specs.map(|spec| &spec.chart), &context);
        todo.par_iter_mut().for_each(|release| {
            release.done = Some(match &release.spec {
                Ok(spec) => {
                    release.source = Some(release::source_of(spec, &objects));
                    release.chart = release::chart_request(spec, &objects);
                    // However it is rendered.
                    release::verify(spec, &context).and_then(|()| {
                        release::render(&release.object, spec, &context, &release.asked)
                    })
                }
                Err(e) => Err(e.clone()),
            });
            options.tell_done();
        });
    }
}
