//! The HelmReleases of a cluster, rendered once the Kustomizations are.
//!
//! In: what Kustomizations rendered. Out: each release with its objects; Flux
//! objects among these go back to the graph, which then goes on. Two versions of
//! a cluster are rendered side by side: what is the same in both, and cannot
//! render Flux objects, is left.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{
    Graph, Key, MAX_ROUNDS, Owner, Release, definitions, key_of, release_key_of, same_spec,
};
use crate::flux::api;
use crate::pipeline::Sources;
use crate::pipeline::cluster::{Object, UnitKind};
use crate::pipeline::release;
use crate::pipeline::render::Options;
use crate::resource::ResId;
use crate::yaml::Node;

/// Keys of one graph.
pub(super) type Keys = BTreeSet<Key>;

/// Renders the HelmReleases of graphs, and what they bring. With `leaves`, those
/// are left that are the same in all of the graphs and lead to nothing else.
pub(super) fn run(graphs: &mut [&mut Graph<'_>], leaves: bool) {
    for _ in 0..MAX_ROUNDS {
        let mut open: Vec<Keys> = Vec::new();
        for graph in &mut *graphs {
            graph.find_releases();
            open.push(graph.keys_where(|release| !release.is_settled()));
        }
        if open.iter().all(Keys::is_empty) {
            return;
        }
        if leaves {
            leave(graphs, &mut open);
            definitions::leave(graphs, &open);
        }
        render(graphs, &open);
        if leaves {
            for (graph, keys) in graphs.iter().zip(&open) {
                graph.note(keys);
            }
            // What comes next may change what those are rendered from that were
            // left.
            let left: Vec<Keys> = graphs.iter_mut().map(|g| g.take_up_if_flux()).collect();
            render_once(graphs, &left);
        }
        for graph in &mut *graphs {
            graph.take_up_children();
        }
    }
}

/// Leaves releases of `open` for later, and takes them out.
fn leave(graphs: &mut [&mut Graph<'_>], open: &mut [Keys]) {
    if graphs.iter().any(|graph| graph.needs_all_releases()) {
        return;
    }
    each_of(graphs, open, |_, _| 0, Release::find_basis);
    let content = |graph: &Graph<'_>, key: &Key| Some(graph.releases.get(key)?.basis?.content);
    let is_same = |key: &&Key| {
        let mut contents = graphs.iter().map(|graph| content(graph, key));
        let first = contents.next().flatten();
        first.is_some() && contents.all(|other| other == first)
    };
    let same: Vec<Keys> = open
        .iter()
        .map(|keys| keys.iter().filter(is_same).cloned().collect())
        .collect();
    // What has the same content brings the same.
    let Some((first, others)) = graphs.split_first_mut() else {
        return;
    };
    each_of(
        &mut [&mut **first],
        &same,
        // Those are rendered to see what they bring.
        |release, _| usize::from(release.is_told_of_flux),
        Release::leave,
    );
    for (graph, keys) in others.iter_mut().zip(same.iter().skip(1)) {
        for key in keys {
            let is_left = first.releases.get(key).is_some_and(|r| r.is_left);
            if let Some(release) = graph.releases.get_mut(key) {
                release.is_left = is_left;
            }
        }
    }
    for (graph, keys) in graphs.iter().zip(open) {
        keys.retain(|key| graph.releases.get(key).is_some_and(|r| !r.is_left));
    }
}

/// Renders releases, those twice that look for objects of other ones.
fn render(graphs: &mut [&mut Graph<'_>], wanted: &[Keys]) {
    render_once(graphs, wanted);
    let asked = |(graph, keys): (&&mut Graph<'_>, &Keys)| {
        // What looked for objects is rendered again: now those of the other
        // releases are known.
        let is_again = |key: &&Key| {
            let release = graph.releases.get(*key);
            graph.options.lookups.rendered && release.is_some_and(|r| r.has_asked)
        };
        keys.iter().filter(is_again).cloned().collect()
    };
    let again: Vec<Keys> = graphs.iter().zip(wanted).map(asked).collect();
    render_once(graphs, &again);
}

fn render_once(graphs: &mut [&mut Graph<'_>], wanted: &[Keys]) {
    if wanted.iter().all(Keys::is_empty) {
        return;
    }
    for (graph, keys) in graphs.iter_mut().zip(wanted) {
        graph.options.tell_found(keys.len());
        let (desk, releases) = graph.desk(keys);
        let context = desk.context();
        let specs = releases
            .iter()
            .filter_map(|(_, release)| release.spec.as_ref().ok());
        context.charts.load(specs.map(|spec| &spec.chart), &context);
    }
    each_of(graphs, wanted, Release::weight, |release, context| {
        release.render(context);
        context.options.tell_done();
    });
}

/// Does the same with releases in parallel, those of the most weight first, so that
/// no thread is left with one of them at the end. Those of one name are done one
/// after the other: what is made for one graph is at hand for the next.
pub(super) fn each_of(
    graphs: &mut [&mut Graph<'_>],
    wanted: &[Keys],
    weight: impl Fn(&Release, &release::Context<'_>) -> usize,
    work: impl Fn(&mut Release, &release::Context<'_>) + Sync,
) {
    let mut desks = Vec::new();
    let mut todo: BTreeMap<&Key, Vec<(usize, &mut Release)>> = BTreeMap::new();
    for (at, (graph, keys)) in graphs.iter_mut().zip(wanted).enumerate() {
        let (desk, releases) = graph.desk(keys);
        desks.push(desk);
        for (key, release) in releases {
            todo.entry(key).or_default().push((at, release));
        }
    }
    let contexts: Vec<release::Context<'_>> = desks.iter().map(Desk::context).collect();
    let weight = |same: &Vec<(usize, &mut Release)>| {
        let weights = same
            .iter()
            .filter_map(|(at, r)| Some(weight(r, contexts.get(*at)?)));
        weights.sum::<usize>()
    };
    let mut todo: Vec<_> = todo
        .into_values()
        .map(|same| (weight(&same), same))
        .collect();
    todo.sort_by_key(|(weight, _)| Reverse(*weight));
    let (contexts, work) = (&contexts, &work);
    rayon::scope_fifo(|scope| {
        for (_, same) in todo {
            scope.spawn_fifo(move |_| {
                for (at, release) in same {
                    if let Some(context) = contexts.get(at) {
                        work(release, context);
                    }
                }
            });
        }
    });
}

/// What releases of a graph are rendered with.
struct Desk<'g> {
    sources: &'g Sources,
    options: &'g Options,
    objects: release::Objects<'g>,
    shelf: Option<Arc<release::Shelf>>,
}

impl Desk<'_> {
    fn context(&self) -> release::Context<'_> {
        release::Context {
            sources: self.sources,
            options: self.options,
            charts: &self.sources.charts,
            objects: &self.objects,
            shelf: self.shelf.as_ref(),
            has_shadows: false,
        }
    }
}

impl Graph<'_> {
    pub(super) fn keys_where(&self, is_wanted: impl Fn(&Release) -> bool) -> Keys {
        let found = self
            .releases
            .iter()
            .filter(|(_, release)| is_wanted(release));
        found.map(|(key, _)| key.clone()).collect()
    }

    /// Takes up what releases rendered that leads to more, and goes on with it.
    fn take_up_children(&mut self) {
        let mut children = Vec::new();
        for (key, release) in &self.releases {
            let Some(Ok(done)) = &release.done else {
                continue;
            };
            for object in &done.objects {
                self.sources.declare(&object.node);
            }
            let found = done.objects.iter().filter(|o| key_of(&o.node).is_some());
            children.extend(found.map(|o| ((UnitKind::HelmRelease, key.clone()), o.node.clone())));
        }
        if !children.is_empty() {
            for (parent, object) in children {
                self.adopt(&parent, object);
            }
            self.run();
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

    /// Renders what was left.
    pub(super) fn render_left(&mut self) {
        let left = self.take_up();
        render_once(&mut [self], &[left]);
    }

    /// Leaves nothing for later any more; gives what was.
    fn take_up(&mut self) -> Keys {
        let left = self.keys_where(|release| release.is_left);
        let releases = self.releases.values_mut();
        releases.for_each(|release| release.is_left = false);
        left
    }

    /// The same if a HelmRelease rendered what leads to more.
    fn take_up_if_flux(&mut self) -> Keys {
        if self.releases.values().any(Release::brings_flux) {
            self.take_up()
        } else {
            Keys::new()
        }
    }

    /// What releases are rendered with, and those that are meant.
    fn desk(&mut self, keys: &Keys) -> (Desk<'_>, Vec<(&Key, &mut Release)>) {
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
        let desk = Desk {
            sources: &self.sources,
            options: self.options,
            objects,
            shelf,
        };
        let releases = self.releases.iter_mut();
        let meant = releases.filter(|(key, _)| keys.contains(*key));
        (desk, meant.collect())
    }

    /// Remembers, for the next run, what releases bring.
    fn note(&self, keys: &Keys) {
        let releases = keys.iter().filter_map(|key| self.releases.get(key));
        releases.for_each(|release| release.note(self.options));
    }

    /// Whether what is left out could change what becomes of the rest, so that
    /// nothing may be left.
    pub(super) fn needs_all_releases(&self) -> bool {
        self.options.lookups.rendered || self.sources.wait_for_keys() || self.has_bare_objects()
    }

    /// Whether the entry folder holds objects that no Kustomization applies: a
    /// HelmRelease may.
    fn has_bare_objects(&self) -> bool {
        let seen = self.seen.iter().map(ResId::of);
        let mut open: BTreeSet<ResId> = seen.filter(|id| !api::leads_on(&id.gvk)).collect();
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
}

/// What is asked of a release's inputs.
const BRINGS_FLUX: &str = "brings objects of Flux";

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
                    let (object, leaves) = (&self.object, self.leaves_definitions);
                    let done = release::render(object, spec, context, self.basis, leaves);
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

    /// About how long it takes to render, as the size of its chart.
    fn weight(&self, context: &release::Context<'_>) -> usize {
        let spec = self.spec.as_ref().ok();
        spec.map_or(0, |spec| context.charts.size(&spec.chart, context))
    }

    /// Finds out what it would be rendered from, where that is known and may be
    /// used.
    fn find_basis(&mut self, context: &release::Context<'_>) {
        let Ok(spec) = &self.spec else { return };
        if release::verify(spec, context).is_ok() {
            self.source = Some(release::source_of(spec, context.objects));
            self.chart = release::chart_request(spec, context.objects);
            self.basis = release::basis_of(&self.object, spec, context);
            self.is_told_of_flux = release::is_told_of_flux(&self.object, spec, context);
        }
    }

    /// Leaves it for later, if it leads to nothing else.
    fn leave(&mut self, context: &release::Context<'_>) {
        let (Ok(spec), Some(basis)) = (&self.spec, self.basis) else {
            return;
        };
        // What the first run found out. That does not depend on the time, which is
        // no part of the content.
        let known = context.options.reuse.as_ref().map(|reuse| &reuse.known);
        let brings = known.and_then(|known| known.get(BRINGS_FLUX, basis.content));
        self.is_left = match brings {
            Some(brings) => !brings,
            None if !self.is_told_of_flux && !release::has_chart_of_flux(spec, context) => true,
            None => {
                let leads_on = release::leads_on(spec, context, basis);
                if let Some(known) = known.filter(|_| !leads_on && !basis.has_secrets) {
                    known.put(BRINGS_FLUX, basis.content, false);
                }
                !leads_on
            }
        };
    }

    /// What it renders; nothing where it fails or is not done.
    pub(super) fn objects(&self) -> impl Iterator<Item = &Object> {
        self.done.iter().flatten().flat_map(|done| &done.objects)
    }

    fn brings_flux(&self) -> bool {
        self.objects().any(|object| api::leads_on(&object.id.gvk))
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
