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

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::cluster::{Cluster, Object, SourceOrigin, SourceUse, Unit, UnitKind};
use super::render::{self, Options, Raw, Rendered};
use super::variables::{Providers, Sourced};
use super::{Entry, Sources};
use crate::artifact::path;
use crate::diag::{Error, Finding, Findings, Result, Severity};
use crate::flux::api::{self, Kustomization};
use crate::resource::ResId;
use crate::yaml::{Node, Value, decode, resolve::Version};

/// A Kustomization by namespace and name.
type Key = (Arc<str>, Arc<str>);

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
    parent: Option<Key>,
    raw: Option<Result<Raw>>,
    done: Option<Result<Rendered>>,
    /// Objects of `substituteFrom` that nothing had rendered when it was done.
    missing: Missing,
    rounds: u32,
}

impl Task {
    fn new(object: Node, options: &Options, parent: Option<Key>) -> Task {
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
    let seen = render::entry_objects(entry, sources, options, findings)?;
    let mut sources = sources.clone();
    if sources.own.is_none() {
        sources.own = entry.source.clone().or_else(|| own_source(&seen, &sources));
    }
    let mut graph = Graph {
        entry,
        sources: &sources,
        options,
        tasks: BTreeMap::new(),
        cycles: BTreeSet::new(),
    };
    for object in &seen {
        graph.seed(object);
    }
    graph.run();
    Ok(graph.finish(seen, findings))
}

struct Graph<'a> {
    entry: &'a Entry,
    sources: &'a Sources,
    options: &'a Options,
    tasks: BTreeMap<Key, Task>,
    /// Cycles of Kustomizations that render each other, told once each.
    cycles: BTreeSet<Vec<Key>>,
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
            self.build_raw(|key| first.contains(key));
            self.complete(&first);
        }
        loop {
            self.build_raw(|_| true);
            let ready = self.ready();
            if ready.is_empty() && !self.revisit() {
                return;
            }
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
    fn build_raw(&mut self, wanted: impl Fn(&Key) -> bool + Sync) {
        let (sources, options) = (self.sources, self.options);
        let mut todo: Vec<&mut Task> = self
            .tasks
            .iter_mut()
            .filter(|(key, task)| task.raw.is_none() && task.done.is_none() && wanted(key))
            .map(|(_, task)| task)
            .collect();
        todo.par_iter_mut().for_each(|task| {
            task.raw = Some(match &task.spec {
                Ok(spec) => render::raw(spec, sources, options),
                Err(e) => Err(e.clone()),
            });
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
            let Some(Task { spec: Ok(spec), .. }) = self.tasks.get(key) else {
                return Wait::Nothing;
            };
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
                let found = rendered.objects.iter().filter(|o| key_of(o).is_some());
                children.extend(found.map(|o| (key.clone(), o.clone())));
            }
            if let Some(task) = self.tasks.get_mut(&key) {
                task.done = Some(result);
                task.missing = missing;
            }
        }
        for (parent, object) in children {
            self.adopt(&parent, object);
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
            None => {
                let error = Error::new("render/incomplete", "it was not built");
                return (Err(error), Vec::new());
            }
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
        (render::complete(spec, raw, &sourced, self.options), missing)
    }

    /// Takes up a Kustomization that `parent` renders.
    fn adopt(&mut self, parent: &Key, object: Node) {
        let Some(key) = key_of(&object) else { return };
        if key != *parent && self.is_ancestor(&key, parent) {
            self.note_cycle(&key, parent);
            return;
        }
        let own = key == *parent;
        match self.tasks.get_mut(&key) {
            None => {
                let task = Task::new(object, self.options, Some(parent.clone()));
                self.tasks.insert(key, task);
            }
            Some(task) => {
                let known = task.parent.as_ref();
                // The first parent, in the order of names, keeps it.
                if !own && known.is_some_and(|p| p < parent && *p != key) {
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

    /// Whether `ancestor` renders, at some remove, `of`.
    fn is_ancestor(&self, ancestor: &Key, of: &Key) -> bool {
        let mut at = of.clone();
        let mut seen = BTreeSet::new();
        while seen.insert(at.clone()) {
            match self.tasks.get(&at).and_then(|t| t.parent.clone()) {
                Some(parent) if parent == *ancestor => return true,
                Some(parent) => at = parent,
                None => return false,
            }
        }
        false
    }

    /// Remembers that `parent` renders `key`, which renders `parent` in turn.
    fn note_cycle(&mut self, key: &Key, parent: &Key) {
        let mut cycle = vec![parent.clone()];
        let mut at = parent.clone();
        while at != *key {
            match self.tasks.get(&at).and_then(|t| t.parent.clone()) {
                Some(next) if !cycle.contains(&next) => {
                    cycle.push(next.clone());
                    at = next;
                }
                _ => break,
            }
        }
        cycle.reverse();
        self.cycles.insert(cycle);
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
    fn finish(mut self, seen: Vec<Node>, findings: &mut Findings) -> Cluster {
        self.drop_orphans();
        for cycle in &self.cycles {
            let names = cycle.iter().chain(cycle.first());
            let names: Vec<String> = names.map(|(ns, name)| format!("{ns}/{name}")).collect();
            let error = Error::new(
                "dag/cycle",
                format!("Kustomizations render each other: {}", names.join(" → ")),
            )
            .help("take the Kustomization that closes the circle out of what the last one renders");
            for key in cycle {
                if let Some(task) = self.tasks.get_mut(key) {
                    let at = task.object.span();
                    task.done = Some(Err(error.clone().at(at)));
                }
            }
        }
        let sources = self.options.source_map.clone();
        let mut units = Vec::new();
        let mut applied = BTreeSet::new();
        for (_, task) in std::mem::take(&mut self.tasks) {
            let id = ResId::of(&task.object);
            if let Ok(spec) = &task.spec {
                for (field, span) in &spec.dropped {
                    findings.push(
                        Finding::new(
                            "api/unknown-field",
                            Severity::Warning,
                            format!("`{field}` does not exist in Flux {}", self.options.flux),
                        )
                        .at(*span, &sources)
                        .object(id.to_object_ref())
                        .help("the API server drops it; raise `--flux-version` if yours has it"),
                    );
                }
            }
            if let Some(old) = api::check_version(&task.object, self.options.flux, &sources) {
                findings.push(old);
            }
            let outcome = task
                .done
                .unwrap_or_else(|| Err(Error::new("render/incomplete", "it was not built")))
                .and_then(|rendered| {
                    findings.extend(rendered.findings);
                    render::in_order(rendered.objects, self.options)
                });
            match &outcome {
                Ok(objects) => applied.extend(objects.iter().map(|o| o.id.clone())),
                Err(e) => findings.push(e.clone().object(id.to_object_ref()).to_finding(&sources)),
            }
            let spec = task.spec.ok();
            units.push(Unit {
                kind: UnitKind::Kustomization,
                source: spec.as_ref().map(|s| self.source_use(s)),
                suspended: spec.as_ref().is_some_and(|s| s.suspend),
                remote: spec.as_ref().is_some_and(|s| s.remote),
                parent: task.parent.map(|(namespace, name)| ResId {
                    gvk: id.gvk.clone(),
                    namespace,
                    name,
                }),
                object: task.object,
                outcome,
                id,
            });
        }
        let bootstrap = seen
            .into_iter()
            .map(Object::new)
            .filter(|o| !applied.contains(&o.id))
            .collect();
        Cluster {
            entry: self.entry.clone(),
            units,
            bootstrap,
        }
    }

    /// Drops Kustomizations whose parent no longer renders them.
    fn drop_orphans(&mut self) {
        loop {
            let orphans: Vec<Key> = self
                .tasks
                .iter()
                .filter(|(key, task)| {
                    let Some(parent) = &task.parent else {
                        return false;
                    };
                    match self.tasks.get(parent).map(|p| &p.done) {
                        None => true,
                        Some(Some(Ok(done))) => {
                            !done.objects.iter().any(|o| key_of(o).as_ref() == Some(key))
                        }
                        Some(_) => false,
                    }
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

    fn source_use(&self, spec: &Kustomization) -> SourceUse {
        let origin = if let Some(local) = self.sources.local.get(&spec.source) {
            SourceOrigin::Local {
                path: local.path.clone(),
            }
        } else if self.sources.is_own(&spec.source) {
            SourceOrigin::Repository
        } else {
            SourceOrigin::Unavailable
        };
        SourceUse {
            source: spec.source.clone(),
            origin,
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
}

fn key_of(object: &Node) -> Option<Key> {
    let id = ResId::of(object);
    if !api::is_kustomization(&id.gvk) {
        return None;
    }
    let namespace = if id.namespace.is_empty() {
        "default".into()
    } else {
        id.namespace
    };
    Some((namespace, id.name))
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
fn own_source(objects: &[Node], sources: &Sources) -> Option<crate::flux::api::SourceRef> {
    let mut counts: BTreeMap<crate::flux::api::SourceRef, usize> = BTreeMap::new();
    for object in objects {
        if key_of(object).is_none() {
            continue;
        }
        let Ok(spec) = Kustomization::read(object, crate::flux::FluxVersion::NEWEST) else {
            continue;
        };
        let there = render::folder_of(&spec)
            .is_some_and(|folder| matches!(sources.repository.kind(&folder), Ok(Some(_))));
        if there && !sources.local.contains_key(&spec.source) {
            *counts.entry(spec.source).or_default() += 1;
        }
    }
    let most = counts.values().max().copied()?;
    counts
        .into_iter()
        .find(|(_, count)| *count == most)
        .map(|(source, _)| source)
}
