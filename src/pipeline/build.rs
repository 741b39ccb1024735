//! From an entry point to everything that Flux would apply.
//!
//! In: an entry, the sources at hand, the options. Out: a [`Cluster`].
//!
//! The entry folder is built to see which Kustomizations it holds; each of them
//! is built, and what it renders may be Kustomizations again, or other versions
//! of ones that are known: a Kustomization is always built as its parent leaves
//! it. Values for `substituteFrom` come from objects that other Kustomizations
//! render, so those are waited for. All that is left to do and waits for
//! nothing is done in parallel; a round ends when all of it is done, and what
//! one round decides never depends on the order in which its parts finished.
//!
//! HelmReleases come when the Kustomizations are done, and should they render
//! Flux objects in turn, it goes on with those.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::cluster::{Cluster, Object, SourceOrigin, SourceUse, Unit, UnitKind};
use super::composed;
use super::release;
use super::render::{self, Options, Raw, Rendered};
use super::variables::{Providers, Sourced};
use super::{Entry, Sources};
use crate::artifact::path;
use crate::diag::{Error, Findings, Result};
use crate::flux::api::{self, HelmRelease, Kustomization, SourceRef};
use crate::lock::ChartRequest;
use crate::resource::{Gvk, ResId};
use crate::source::trust::Verdict;
use crate::yaml::{Node, Value, decode, resolve::Version};

/// A Kustomization or HelmRelease by namespace and name.
type Key = (Arc<str>, Arc<str>);

/// What renders an object.
type Owner = (UnitKind, Key);

/// Kind and name of objects of `substituteFrom` that nothing renders.
type Missing = Vec<(Arc<str>, Arc<str>)>;

/// What substitution made of a Kustomization.
type Completed = (Result<Rendered>, Missing);

/// How often a Kustomization is built again because it renders itself, or
/// because what it needs turned up late.
const MAX_ROUNDS: u32 = 4;

/// What is known of a Kustomization.
struct Task {
    object: Node,
    spec: Result<Kustomization>,
    /// Who renders it; none for what the entry folder alone holds.
    parent: Option<Owner>,
    raw: Option<Result<Raw>>,
    done: Option<Result<Rendered>>,
    /// Objects of `substituteFrom` that nothing had rendered when it was done.
    missing: Missing,
    rounds: u32,
}

impl Task {
    fn new(object: Node, options: &Options, parent: Option<Owner>) -> Task {
        Task {
            spec: Kustomization::read(&object, options.flux),
            object,
            parent,
            raw: None,
            done: None,
            missing: Vec::new(),
            rounds: 0,
        }
    }

    /// Whether nothing has declared its source yet.
    fn waits_for_source(&self, sources: &Sources) -> bool {
        matches!(&self.spec, Ok(spec) if !sources.knows(&spec.source))
    }
}

/// Whether a Kustomization waits for an object that declares its source.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    UntilDeclared,
    None,
}

/// What is known of a HelmRelease.
struct Release {
    object: Node,
    spec: Result<HelmRelease>,
    parent: Option<Owner>,
    source: Option<SourceRef>,
    chart: Option<ChartRequest>,
    done: Option<Result<release::Rendered>>,
    /// Whether a template of its chart looked for objects.
    asked: Arc<AtomicBool>,
}

impl Release {
    fn new(object: Node, options: &Options, parent: Option<Owner>) -> Release {
        Release {
            spec: HelmRelease::read(&object, options.flux),
            object,
            parent,
            source: None,
            chart: None,
            done: None,
            asked: Arc::default(),
        }
    }
}

/// Builds what an entry point leads to.
///
/// What fails is in the cluster as that, and in the findings; the rest is
/// built.
///
/// # Errors
///
/// Where the entry folder itself cannot be read or built.
pub fn build(
    entry: &Entry,
    sources: &Sources,
    options: &Options,
    findings: &mut Findings,
) -> Result<Cluster> {
    let redact = |text: &str| options.secrets.redact(text);
    let mut cluster = cluster(entry, sources, options, findings).map_err(|e| e.map_text(redact));
    findings.map_text(redact);
    if let Ok(cluster) = &mut cluster {
        options.secrets.hide(cluster);
    }
    cluster
}

fn cluster(
    entry: &Entry,
    sources: &Sources,
    options: &Options,
    findings: &mut Findings,
) -> Result<Cluster> {
    let seen = render::entry_objects(entry, sources, options, findings)?;
    let mut sources = sources.clone();
    sources.verdicts = Arc::default();
    if sources.own.is_none() {
        sources.own = entry.source.clone().or_else(|| own_source(&seen, &sources));
    }
    sources.leave_out_ignored(&seen)?;
    for object in &seen {
        sources.declare(object);
    }
    let mut graph = Graph {
        entry,
        sources,
        options,
        tasks: BTreeMap::new(),
        releases: BTreeMap::new(),
        seen: &seen,
        cycles: BTreeSet::new(),
    };
    for object in options.replacements.iter().chain(&seen) {
        graph.seed(object);
    }
    graph.run();
    if !options.skip_releases {
        graph.run_releases();
    }
    Ok(graph.finish(findings))
}

struct Graph<'a> {
    entry: &'a Entry,
    sources: Sources,
    options: &'a Options,
    tasks: BTreeMap<Key, Task>,
    releases: BTreeMap<Key, Release>,
    /// The objects of the entry folder.
    seen: &'a [Node],
    /// Cycles of Kustomizations that render each other, told once each.
    cycles: BTreeSet<Vec<Owner>>,
}

impl Graph<'_> {
    /// Adds a Kustomization of the entry folder.
    fn seed(&mut self, object: &Node) {
        if let Some(key) = key_of(object) {
            self.tasks
                .entry(key)
                .or_insert_with(|| Task::new(object.clone(), self.options, None));
        }
    }

    /// Works until nothing is left to do.
    fn run(&mut self) {
        // What applies the entry folder itself renders the others: first.
        let first: Vec<Key> = self
            .tasks
            .iter()
            .filter(|(_, task)| self.covers_entry(task))
            .map(|(key, _)| key.clone())
            .collect();
        if !first.is_empty() {
            self.build_raw(|key| first.contains(key), Patience::None);
            self.complete(&first);
        }
        loop {
            self.build_raw(|_| true, Patience::UntilDeclared);
            let ready = self.ready();
            if ready.is_empty() && !self.revisit() {
                return;
            }
            // What is ready now waits for nothing that could still come.
            self.build_raw(|key| ready.contains(key), Patience::None);
            self.complete(&ready);
        }
    }

    fn covers_entry(&self, task: &Task) -> bool {
        let Ok(spec) = &task.spec else { return false };
        self.sources.is_own(&spec.source)
            && render::folder_of(spec)
                .is_some_and(|folder| path::is_within(&self.entry.folder, &folder))
    }

    /// Runs kustomize for what was not built yet.
    fn build_raw(&mut self, wanted: impl Fn(&Key) -> bool + Sync, patience: Patience) {
        let (sources, options) = (&self.sources, self.options);
        let mut todo: Vec<&mut Task> = self
            .tasks
            .iter_mut()
            .filter(|(key, task)| task.raw.is_none() && task.done.is_none() && wanted(key))
            .map(|(_, task)| task)
            .filter(|task| patience == Patience::None || !task.waits_for_source(sources))
            .collect();
        options.tell_found(todo.len());
        todo.par_iter_mut().for_each(|task| {
            task.raw = Some(match &task.spec {
                Ok(spec) => render::raw(spec, sources, options),
                Err(e) => Err(e.clone()),
            });
            options.tell_done();
        });
    }

    /// Which Kustomizations have all that they can hope for.
    ///
    /// Those whose variables are all there; else those that wait for objects
    /// that nobody renders; else those that wait for each other.
    fn ready(&self) -> Vec<Key> {
        let providers = self.providers();
        let open: Vec<&Key> = self
            .tasks
            .iter()
            .filter(|(_, task)| task.done.is_none())
            .map(|(key, _)| key)
            .collect();
        let state = |key: &Key| {
            let Some(task @ Task { spec: Ok(spec), .. }) = self.tasks.get(key) else {
                return Wait::Nothing;
            };
            if task.raw.is_none() && task.waits_for_source(&self.sources) {
                return Wait::Source;
            }
            let references = spec.post_build.iter().flat_map(|p| &p.substitute_from);
            references
                .map(|r| match providers.find(&r.kind, &key.0, &r.name) {
                    Some(owner) if owner == key => Wait::Nothing,
                    Some(owner) if self.is_done(owner) => Wait::Nothing,
                    Some(_) => Wait::Other,
                    None => Wait::Unknown,
                })
                .max()
                .unwrap_or(Wait::Nothing)
        };
        let states: Vec<Wait> = open.iter().map(|key| state(key)).collect();
        let Some(least) = states.iter().min().copied() else {
            return Vec::new();
        };
        open.iter()
            .zip(&states)
            .filter(|(_, state)| **state == least)
            .map(|(key, _)| (*key).clone())
            .collect()
    }

    fn is_done(&self, key: &Key) -> bool {
        self.tasks.get(key).is_some_and(|t| t.done.is_some())
    }

    /// Which Kustomization renders which ConfigMap and Secret.
    fn providers(&self) -> Providers<Key> {
        let mut providers = Providers::default();
        for (key, task) in &self.tasks {
            let objects = match (&task.done, &task.raw) {
                (Some(Ok(done)), _) => &done.objects,
                (None, Some(Ok(raw))) => &raw.objects,
                _ => continue,
            };
            for object in objects {
                providers.add(key, object, &key.0);
            }
        }
        providers
    }

    /// Substitutes variables and adds metadata, then takes up what was
    /// rendered.
    fn complete(&mut self, keys: &[Key]) {
        let providers = self.providers();
        let done: Vec<(Key, Completed)> = keys
            .par_iter()
            .filter_map(|key| {
                let task = self.tasks.get(key)?;
                Some((key.clone(), self.rendered(key, task, &providers)))
            })
            .collect();
        let mut children = Vec::new();
        for (key, (result, missing)) in done {
            if let Ok(rendered) = &result {
                for object in &rendered.objects {
                    self.sources.declare(object);
                }
                let found = rendered.objects.iter().filter(|o| key_of(o).is_some());
                children.extend(found.map(|o| (key.clone(), o.clone())));
            }
            if let Some(task) = self.tasks.get_mut(&key) {
                task.done = Some(result);
                task.missing = missing;
            }
        }
        for (parent, object) in children {
            self.adopt(&(UnitKind::Kustomization, parent), object);
        }
    }

    fn rendered(&self, key: &Key, task: &Task, providers: &Providers<Key>) -> Completed {
        let spec = match &task.spec {
            Ok(spec) => spec,
            Err(e) => return (Err(e.clone()), Vec::new()),
        };
        let raw = match &task.raw {
            Some(Ok(raw)) => raw,
            Some(Err(e)) => return (Err(e.clone()), Vec::new()),
            None => return (Err(incomplete()), Vec::new()),
        };
        let mut missing = Vec::new();
        let sourced = spec.post_build.iter().flat_map(|p| &p.substitute_from);
        let sourced: Vec<Sourced> = sourced
            .map(|reference| {
                let owner = providers.find(&reference.kind, &key.0, &reference.name);
                let object = owner.and_then(|owner| {
                    let task = self.tasks.get(owner)?;
                    let objects = match (&task.done, &task.raw) {
                        (Some(Ok(done)), _) => &done.objects,
                        (_, Some(Ok(raw))) => &raw.objects,
                        _ => return None,
                    };
                    Providers::<Key>::object(objects, &reference.kind, &key.0, &reference.name)
                });
                if object.is_none() {
                    missing.push((reference.kind.clone(), reference.name.clone()));
                }
                Sourced::new(reference, object)
            })
            .collect();
        let rendered = render::complete(spec, raw, &sourced, &self.sources, self.options);
        (rendered, missing)
    }

    /// Takes up a Kustomization that `parent` renders.
    fn adopt(&mut self, parent: &Owner, object: Node) {
        let Some(key) = key_of(&object) else { return };
        let mut given = self.options.replacements.iter();
        let given = given.rfind(|o| key_of(o).as_ref() == Some(&key));
        let object = given.cloned().unwrap_or(object);
        let owner = (UnitKind::Kustomization, key.clone());
        if owner != *parent && self.is_ancestor(&owner, parent) {
            self.note_cycle(&owner, parent);
            return;
        }
        let own = owner == *parent;
        match self.tasks.get_mut(&key) {
            None => {
                let task = Task::new(object, self.options, Some(parent.clone()));
                self.tasks.insert(key, task);
            }
            Some(task) => {
                let known = task.parent.as_ref();
                // The first parent, in the order of names, keeps it.
                if !own && known.is_some_and(|p| p < parent && *p != owner) {
                    return;
                }
                if !own || known.is_none() {
                    task.parent = Some(parent.clone());
                }
                let rounds = task.rounds;
                if same_spec(&task.object, &object) || rounds >= MAX_ROUNDS {
                    task.object = object;
                    return;
                }
                let parent = task.parent.clone();
                *task = Task::new(object, self.options, parent);
                task.rounds = rounds + 1;
            }
        }
    }

    fn parent_of(&self, (kind, key): &Owner) -> Option<&Owner> {
        match kind {
            UnitKind::Kustomization => self.tasks.get(key)?.parent.as_ref(),
            UnitKind::HelmRelease => self.releases.get(key)?.parent.as_ref(),
        }
    }

    /// Whether `ancestor` renders, at some remove, `of`.
    fn is_ancestor(&self, ancestor: &Owner, of: &Owner) -> bool {
        let mut at = of;
        let mut seen = BTreeSet::new();
        while seen.insert(at) {
            match self.parent_of(at) {
                Some(parent) if parent == ancestor => return true,
                Some(parent) => at = parent,
                None => return false,
            }
        }
        false
    }

    /// Remembers that `parent` renders `owner`, which renders `parent` in turn.
    fn note_cycle(&mut self, owner: &Owner, parent: &Owner) {
        let mut cycle = vec![parent.clone()];
        let mut at = parent;
        while at != owner {
            match self.parent_of(at) {
                Some(next) if !cycle.contains(next) => {
                    cycle.push(next.clone());
                    at = next;
                }
                _ => break,
            }
        }
        cycle.reverse();
        self.cycles.insert(cycle);
    }

    /// Renders the HelmReleases, and what they bring.
    fn run_releases(&mut self) {
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

    /// Opens again what was done without an object that has turned up since.
    fn revisit(&mut self) -> bool {
        let providers = self.providers();
        let late: Vec<Key> = self
            .tasks
            .iter()
            .filter(|(key, task)| {
                task.rounds < MAX_ROUNDS
                    && task
                        .missing
                        .iter()
                        .any(|(kind, name)| providers.find(kind, &key.0, name).is_some())
            })
            .map(|(key, _)| key.clone())
            .collect();
        for key in &late {
            if let Some(task) = self.tasks.get_mut(key) {
                task.done = None;
                task.missing.clear();
                task.rounds += 1;
            }
        }
        !late.is_empty()
    }

    /// What came of it all.
    fn finish(mut self, findings: &mut Findings) -> Cluster {
        self.drop_orphans();
        self.fail_cycles();
        let unverified = self.sources.unverified();
        let mut units = Vec::new();
        for (_, task) in std::mem::take(&mut self.tasks) {
            let spec = task.spec.ok();
            let refusal = spec.as_ref().and_then(|s| unverified.get(&s.source));
            let mut inputs = None;
            let outcome = task
                .done
                .unwrap_or_else(|| Err(incomplete()))
                .and_then(|rendered| match refusal {
                    // However it was rendered.
                    Some(refusal) => Err(refusal.clone()),
                    None => Ok(rendered),
                })
                .and_then(|rendered| {
                    inputs = rendered.inputs;
                    findings.extend(about(&task.object, rendered.findings));
                    render::in_order(rendered.objects, self.options)
                });
            let fields = spec.as_ref().map(|s| s.dropped.as_slice());
            self.tell(&task.object, fields, outcome.as_ref().err(), findings);
            units.push(Unit {
                kind: UnitKind::Kustomization,
                source: spec
                    .as_ref()
                    .map(|s| self.source_use(s.source.clone(), None)),
                suspended: spec.as_ref().is_some_and(|s| s.suspend),
                remote: spec.as_ref().is_some_and(|s| s.remote),
                parent: task.parent.map(to_id),
                id: ResId::of(&task.object),
                object: task.object,
                outcome,
                inputs,
            });
        }
        for (_, release) in std::mem::take(&mut self.releases) {
            let mut inputs = None;
            let outcome = release
                .done
                .unwrap_or_else(|| Err(incomplete()))
                .map(|rendered| {
                    inputs = rendered.inputs;
                    findings.extend(about(&release.object, rendered.findings));
                    rendered.objects
                });
            let spec = release.spec.ok();
            let fields = spec.as_ref().map(|s| s.dropped.as_slice());
            self.tell(&release.object, fields, outcome.as_ref().err(), findings);
            units.push(Unit {
                kind: UnitKind::HelmRelease,
                source: (release.source)
                    .map(|source| self.source_use(source, release.chart.as_ref())),
                suspended: spec.as_ref().is_some_and(|s| s.suspend),
                remote: spec.as_ref().is_some_and(|s| s.remote),
                parent: release.parent.map(to_id),
                id: ResId::of(&release.object),
                object: release.object,
                outcome,
                inputs,
            });
        }
        let applied: BTreeSet<&ResId> = units
            .iter()
            .flat_map(|unit| unit.outcome.as_deref().unwrap_or_default())
            .map(|object| &object.id)
            .collect();
        let bootstrap = self
            .seen
            .iter()
            .cloned()
            .map(Object::new)
            .filter(|o| !applied.contains(&o.id))
            .collect();
        let sources = &self.options.source_map;
        self.sources.tell_unverified(sources, findings);
        Cluster {
            entry: self.entry.clone(),
            own: self.sources.own,
            units,
            bootstrap,
            unverified,
        }
    }

    /// Tells what is wrong with a Flux object itself, and why it fails.
    fn tell(
        &self,
        object: &Node,
        dropped: Option<&[api::Dropped]>,
        failure: Option<&Error>,
        findings: &mut Findings,
    ) {
        let sources = &self.options.source_map;
        let id = ResId::of(object).to_object_ref();
        let dropped = dropped.unwrap_or_default();
        for finding in api::check_fields(object, dropped, self.options.flux, sources) {
            findings.push(finding);
        }
        if let Some(old) = api::check_version(object, self.options.flux, sources) {
            findings.push(old);
        }
        if let Some(error) = failure {
            findings.push(
                error
                    .clone()
                    .object(id)
                    .at(object.span())
                    .to_finding(sources),
            );
        }
    }

    /// Fails what renders itself at some remove.
    fn fail_cycles(&mut self) {
        for cycle in &self.cycles {
            let names = cycle.iter().chain(cycle.first());
            let names: Vec<String> = names
                .map(|(_, (namespace, name))| format!("{namespace}/{name}"))
                .collect();
            let error = Error::new(
                "dag/cycle",
                format!("Kustomizations render each other: {}", names.join(" → ")),
            )
            .help("take the Kustomization that closes the circle out of what the last one renders");
            for (kind, key) in cycle {
                match kind {
                    UnitKind::Kustomization => {
                        if let Some(task) = self.tasks.get_mut(key) {
                            let at = task.object.span();
                            task.done = Some(Err(error.clone().at(at)));
                        }
                    }
                    UnitKind::HelmRelease => {
                        if let Some(release) = self.releases.get_mut(key) {
                            let at = release.object.span();
                            release.done = Some(Err(error.clone().at(at)));
                        }
                    }
                }
            }
        }
    }

    /// Drops Kustomizations whose parent no longer renders them.
    fn drop_orphans(&mut self) {
        loop {
            // Each parent's objects are looked through once, however many
            // children it has.
            let mut rendered: BTreeMap<&Owner, Option<BTreeSet<Key>>> = BTreeMap::new();
            let orphans: Vec<Key> = self
                .tasks
                .iter()
                .filter(|(key, task)| {
                    let Some(parent) = &task.parent else {
                        return false;
                    };
                    let rendered = rendered
                        .entry(parent)
                        .or_insert_with(|| self.rendered_by(parent));
                    rendered.as_ref().is_some_and(|keys| !keys.contains(key))
                })
                .map(|(key, _)| key.clone())
                .collect();
            if orphans.is_empty() {
                return;
            }
            for key in orphans {
                self.tasks.remove(&key);
            }
        }
    }

    /// The Kustomizations that an owner renders; none where it cannot tell.
    fn rendered_by(&self, (kind, owner): &Owner) -> Option<BTreeSet<Key>> {
        match kind {
            UnitKind::Kustomization => match self.tasks.get(owner).map(|task| &task.done) {
                None => Some(BTreeSet::new()),
                Some(Some(Ok(done))) => Some(done.objects.iter().filter_map(key_of).collect()),
                Some(_) => None,
            },
            UnitKind::HelmRelease => match self.releases.get(owner).map(|r| &r.done) {
                None => Some(BTreeSet::new()),
                Some(Some(Ok(done))) => {
                    let objects = done.objects.iter();
                    Some(objects.filter_map(|o| key_of(&o.node)).collect())
                }
                Some(_) => None,
            },
        }
    }

    fn source_use(&self, source: SourceRef, chart: Option<&ChartRequest>) -> SourceUse {
        let origin = if let Some(path) = self.sources.local_part(&source) {
            SourceOrigin::Local { path }
        } else if self.sources.is_own(&source) {
            SourceOrigin::Repository
        } else if let Some(pin) = self.sources.pin(&source) {
            SourceOrigin::Locked {
                revision: pin.revision,
                digest: pin.digest,
            }
        } else {
            SourceOrigin::Unavailable
        };
        let verdict = [chart, None]
            .into_iter()
            .map(|chart| self.sources.verdict(&source, chart))
            .find(|verdict| *verdict != Verdict::Unasked)
            .unwrap_or(Verdict::Unasked);
        SourceUse {
            source,
            origin,
            verdict,
        }
    }
}

/// What a Kustomization waits for; ordered from what needs the least patience.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wait {
    Nothing,
    /// An object that nothing renders so far.
    Unknown,
    /// Another Kustomization that is not done.
    Other,
    /// An object that declares its source.
    Source,
}

fn incomplete() -> Error {
    Error::new("render/incomplete", "it was not built")
}

/// What identifies an owner, in the version that Flux serves.
fn to_id((kind, (namespace, name)): Owner) -> ResId {
    let gvk = match kind {
        UnitKind::Kustomization => Gvk::new("kustomize.toolkit.fluxcd.io/v1", "Kustomization"),
        UnitKind::HelmRelease => Gvk::new("helm.toolkit.fluxcd.io/v2", "HelmRelease"),
    };
    ResId {
        gvk,
        namespace,
        name,
    }
}

fn key_of(object: &Node) -> Option<Key> {
    let id = ResId::of(object);
    api::is_kustomization(&id.gvk).then(|| key(id))
}

fn release_key_of(object: &Node) -> Option<Key> {
    let id = ResId::of(object);
    api::is_helm_release(&id.gvk).then(|| key(id))
}

fn key(id: ResId) -> Key {
    let namespace = if id.namespace.is_empty() {
        "default".into()
    } else {
        id.namespace
    };
    (namespace, id.name)
}

/// What is about no object in particular is about the Flux object itself.
fn about(object: &Node, findings: Findings) -> Findings {
    let mut about = Findings::new();
    for mut finding in findings.into_vec() {
        finding
            .object
            .get_or_insert_with(|| ResId::of(object).to_object_ref());
        about.push(finding);
    }
    about
}

/// Whether two versions of a Kustomization render the same.
fn same_spec(a: &Node, b: &Node) -> bool {
    let value = |n: &Node, key: &str| -> Option<Value> {
        n.get(key).and_then(|n| decode(n, Version::V3).ok())
    };
    value(a, "spec") == value(b, "spec") && value(a, "apiVersion") == value(b, "apiVersion")
}

/// The source that the repository itself most probably is: the one that most
/// Kustomizations with a path that exists here refer to.
fn own_source(objects: &[Node], sources: &Sources) -> Option<SourceRef> {
    let mut counts: BTreeMap<SourceRef, usize> = BTreeMap::new();
    for object in objects {
        if key_of(object).is_none() {
            continue;
        }
        let Ok(spec) = Kustomization::read(object, crate::flux::FluxVersion::NEWEST) else {
            continue;
        };
        let there = render::folder_of(&spec)
            .is_some_and(|folder| matches!(sources.repository.kind(&folder), Ok(Some(_))));
        // What generators make is never the repository itself.
        let is_source = !composed::is_artifact(&spec.source);
        if there && is_source && !sources.local.contains_key(&spec.source) {
            *counts.entry(spec.source).or_default() += 1;
        }
    }
    let most = counts.values().max().copied()?;
    counts
        .into_iter()
        .find(|(_, count)| *count == most)
        .map(|(source, _)| source)
}
