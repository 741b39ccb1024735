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
//! Flux objects in turn, it goes on with those. [`prepare`] and [`render_both`] build
//! two versions side by side, so that a comparison need not render what is the
//! same in both.

mod definitions;
mod family;
mod finish;
mod prepared;
mod releases;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::cluster::{Cluster, UnitKind};
use super::composed;
use super::entry;
use super::release;
use super::render::{self, Options, Raw, Rendered};
use super::variables::{Providers, Sourced};
use super::{Entry, Sources};
use crate::artifact::path;
use crate::diag::{Error, Finding, Findings, Result, Severity, Span};
use crate::flux::api::{self, HelmRelease, Kustomization, SourceRef};
use crate::lock::ChartRequest;
use crate::resource::ResId;
use crate::yaml::{Node, decode, resolve::Version};

pub use prepared::{Prepared, prepare, render_both};

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
    /// What it is rendered from, where that is known and asked for.
    basis: Option<release::Basis>,
    /// Whether what its chart is told may be of Flux; known with the basis.
    is_told_of_flux: bool,
    /// Whether it is left for later.
    is_left: bool,
    /// Whether the definitions of its chart may be left unread.
    leaves_definitions: bool,
    /// Whether a template of its chart looked for objects.
    has_asked: bool,
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
            basis: None,
            is_told_of_flux: false,
            is_left: false,
            leaves_definitions: false,
            has_asked: false,
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
    let cluster = graph(entry, sources, options, findings).map(|mut graph| {
        graph.run();
        if !options.skip_releases {
            releases::run(&mut [&mut graph], false);
        }
        graph.finish(findings)
    });
    if let Ok(cluster) = &cluster {
        options.secrets.learn(cluster);
    }
    let mut cluster = cluster.map_err(|e| e.map_text(redact));
    findings.map_text(redact);
    if let Ok(cluster) = &mut cluster {
        options.secrets.hide(cluster);
    }
    cluster
}

/// What an entry folder holds, nothing of it built yet.
fn graph<'a>(
    entry: &'a Entry,
    sources: &Sources,
    options: &'a Options,
    findings: &mut Findings,
) -> Result<Graph<'a>> {
    let seen = render::entry_objects(entry, sources, options, findings)?;
    let mut sources = sources.clone();
    sources.verdicts = Arc::default();
    sources.scope.cluster = entry.name.clone();
    if sources.own.is_none() {
        let own = || own_source(&seen, &sources, &entry.artifact.folder);
        sources.own = entry.source.clone().or_else(own);
    }
    sources.make_artifact(&entry.artifact.folder, &seen)?;
    if let Some(span) = entry.artifact.inferred {
        findings.push(artifact_folder(&entry.artifact.folder, span, options));
    }
    for object in entry::synced_repository(entry).iter().chain(&seen) {
        sources.declare(object);
    }
    let mut graph = Graph {
        entry,
        sources,
        options,
        tasks: BTreeMap::new(),
        releases: BTreeMap::new(),
        seen: seen.into(),
        cycles: BTreeSet::new(),
    };
    for object in options.replacements.iter().chain(&*graph.seen.clone()) {
        graph.seed(object);
    }
    Ok(graph)
}

struct Graph<'a> {
    entry: &'a Entry,
    sources: Sources,
    options: &'a Options,
    tasks: BTreeMap<Key, Task>,
    releases: BTreeMap<Key, Release>,
    /// The objects of the entry folder.
    seen: Arc<[Node]>,
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

    /// Works until no Kustomization is left to do.
    fn run(&mut self) {
        self.start();
        self.go_on();
    }

    /// Builds what applies the entry folder itself, and renders the others.
    fn start(&mut self) {
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
    }

    /// Works until nothing is left to do.
    fn go_on(&mut self) {
        while self.step() {}
    }

    /// Does all that waits for nothing; false where nothing is left to do.
    fn step(&mut self) -> bool {
        self.build_raw(|_| true, Patience::UntilDeclared);
        let ready = self.ready();
        if ready.is_empty() && !self.revisit() {
            return false;
        }
        // What is ready now waits for nothing that could still come.
        self.build_raw(|key| ready.contains(key), Patience::None);
        self.complete(&ready);
        true
    }

    /// Whether there are more threads than Kustomizations to build next.
    fn leaves_threads(&self) -> bool {
        let is_open = |task: &&Task| task.raw.is_none() && task.done.is_none();
        self.tasks.values().filter(is_open).count() < rayon::current_num_threads()
    }

    fn covers_entry(&self, task: &Task) -> bool {
        let Ok(spec) = &task.spec else { return false };
        self.sources.is_own(&spec.source)
            && render::folder_of(spec).is_some_and(|folder| {
                path::is_within(&self.entry.folder, &self.entry.artifact.within(&folder))
            })
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

fn key_of(object: &Node) -> Option<Key> {
    // Most objects are of another kind.
    if !is_of_kind(object, "Kustomization") {
        return None;
    }
    let id = ResId::of(object);
    api::is_kustomization(&id.gvk).then(|| key(id))
}

fn release_key_of(object: &Node) -> Option<Key> {
    if !is_of_kind(object, "HelmRelease") {
        return None;
    }
    let id = ResId::of(object);
    api::is_helm_release(&id.gvk).then(|| key(id))
}

fn is_of_kind(object: &Node, kind: &str) -> bool {
    object.get("kind").and_then(Node::text) == Some(kind)
}

fn key(id: ResId) -> Key {
    let namespace = if id.namespace.is_empty() {
        "default".into()
    } else {
        id.namespace
    };
    (namespace, id.name)
}

/// Whether two versions of a Kustomization render the same.
fn same_spec(a: &Node, b: &Node) -> bool {
    let is_same = |key: &str| {
        let (a, b) = (a.get(key), b.get(key));
        // Most often it is the very same object again.
        if a.zip(b).is_some_and(|(a, b)| a.is_shared_with(b)) {
            return true;
        }
        let value = |n: Option<&Node>| n.and_then(|n| decode(n, Version::V3).ok());
        value(a) == value(b)
    };
    is_same("spec") && is_same("apiVersion")
}

/// Tells which folder was taken for the root of the artifact.
fn artifact_folder(folder: &str, span: Span, options: &Options) -> Finding {
    Finding::new(
        "source/artifact-folder",
        Severity::Info,
        format!(
            "paths are taken to be those in an artifact of `{folder}`: they lead nowhere from the \
             root of the repository"
        ),
    )
    .at(span, &options.source_map)
    .help(format!(
        "say so with `artifact: {folder}` for this folder under `entries` in .fluxwright.yaml, or \
         correct the paths"
    ))
}

/// The source that the repository itself most probably is: the one that most
/// Kustomizations with a path that exists here refer to.
fn own_source(objects: &[Node], sources: &Sources, artifact: &str) -> Option<SourceRef> {
    let mut counts: BTreeMap<SourceRef, usize> = BTreeMap::new();
    for object in objects {
        if key_of(object).is_none() {
            continue;
        }
        let Ok(spec) = Kustomization::read(object, crate::flux::FluxVersion::NEWEST) else {
            continue;
        };
        let folder = render::folder_of(&spec).and_then(|folder| path::join(artifact, &folder));
        let there =
            folder.is_some_and(|folder| matches!(sources.repository.kind(&folder), Ok(Some(_))));
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
