//! Entry points: the folders that are bootstrapped, one for each cluster.
//!
//! In: the tree of the repository. Out: entries in the order of their folders.
//! Found in this order: the folders that `.fluxwright.yaml` names; those that a
//! `gotk-sync.yaml` or a FluxInstance syncs; else the folders whose Flux
//! Kustomizations no other Kustomization's path reaches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::artifact::{Kind, path};
use crate::config::Config;
use crate::diag::{Error, Result, Span};
use crate::flux::api::{self, SourceRef};
use crate::flux::controllers::{self, Controllers};
use crate::flux::generate::FILE_NAMES;
use crate::resource::{Files, ResId};
use crate::yaml::Node;

/// A folder that is bootstrapped.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name in reports, `--entry` and the output folder.
    pub name: Arc<str>,
    /// The folder in the tree.
    pub folder: String,
    /// The source that the repository itself is to this cluster, where the
    /// bootstrap files say so.
    pub source: Option<SourceRef>,
    /// The Kustomization that a FluxInstance makes, where there is one.
    pub made: Option<Node>,
    /// The FluxInstance that installs Flux, where there is one.
    pub instance: Option<Node>,
    /// What of the repository is in the artifact that Flux fetches.
    pub artifact: Artifact,
}

/// The folder that the artifact is made of which Flux fetches: the root, unless
/// something else pushes a part of the repository.
#[derive(Clone, Debug, Default)]
pub struct Artifact {
    /// The folder; empty for the root.
    pub folder: String,
    /// Where the path stands by which that was found out, where nobody says it.
    pub inferred: Option<Span>,
}

impl Artifact {
    /// A path in the artifact as one of the repository.
    pub fn within(&self, path: &str) -> String {
        path::join(&self.folder, path.trim_start_matches('/')).unwrap_or_default()
    }
}

/// Finds the entry points of a repository.
///
/// # Errors
///
/// `ref/missing` for a named folder that is not there, and where nothing is
/// found that Flux would sync.
pub fn find(files: &Files, config: &Config) -> Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = if config.entries.is_empty() {
        let scan = Scan::of(files, "")?;
        let bootstrapped = scan.bootstrapped(files);
        if bootstrapped.is_empty() {
            scan.roots(files)
        } else {
            bootstrapped
        }
    } else {
        config
            .entries
            .iter()
            .map(|entry| {
                let mut found = at(files, &entry.path)?;
                if let Some(artifact) = &entry.artifact {
                    found.artifact = Artifact {
                        folder: folder(files, artifact)?,
                        inferred: None,
                    };
                }
                if let Some(name) = &entry.name {
                    found.name = name.as_str().into();
                }
                Ok(found)
            })
            .collect::<Result<_>>()?
    };
    if entries.is_empty() {
        return Err(Error::new(
            "ref/missing",
            format!("no entry point was found in `{}`", files.display("")),
        )
        .help(
            "name the folder that is bootstrapped, as in `fluxwright build clusters/production`, \
             or list it under `entries` in .fluxwright.yaml",
        ));
    }
    entries.sort_by(|a, b| a.folder.cmp(&b.folder));
    entries.dedup_by(|a, b| a.folder == b.folder);
    distinguish(&mut entries);
    Ok(entries)
}

/// The entry point that is a given folder.
///
/// # Errors
///
/// `ref/missing` where it is not there.
pub fn at(files: &Files, written: &str) -> Result<Entry> {
    let folder = folder(files, written)?;
    let scan = Scan::of(files, &folder)?;
    let bootstrapped = scan.bootstrapped(files);
    let known = bootstrapped.into_iter().find(|e| e.folder == folder);
    Ok(known.unwrap_or_else(|| Entry {
        artifact: scan.artifact(files),
        ..Entry::plain(folder, None)
    }))
}

fn folder(files: &Files, written: &str) -> Result<String> {
    let folder = path::join("", written).filter(|folder| is_folder(files, folder));
    folder.ok_or_else(|| {
        Error::new("ref/missing", format!("no such folder: `{written}`"))
            .help("entry points are folders, relative to the root of the repository")
    })
}

fn is_folder(files: &Files, path: &str) -> bool {
    path.is_empty() || matches!(files.kind(path), Ok(Some(Kind::Directory)))
}

/// Gives entries of the same name longer ones.
fn distinguish(entries: &mut [Entry]) {
    let mut counts: BTreeMap<Arc<str>, usize> = BTreeMap::new();
    for entry in entries.iter() {
        *counts.entry(entry.name.clone()).or_default() += 1;
    }
    for entry in entries {
        if counts.get(&entry.name).is_some_and(|n| *n > 1) {
            entry.name = entry.folder.replace('/', "_").into();
        }
    }
}

impl Entry {
    fn plain(folder: String, source: Option<SourceRef>) -> Entry {
        let name = match path::name(&folder) {
            "" => "root",
            // `clusters/production/flux-system` is production.
            "flux-system" => match path::parent(&folder).map(path::name) {
                None | Some("") => "flux-system",
                Some(parent) => parent,
            },
            name => name,
        };
        Entry {
            name: name.into(),
            folder,
            source,
            made: None,
            instance: None,
            artifact: Artifact::default(),
        }
    }
}

/// The file in which `flux bootstrap` says what is synced.
const SYNC_FILE: &str = "gotk-sync.yaml";

/// A Flux object found in a file.
struct Found {
    folder: String,
    file: String,
    object: Node,
}

/// What the YAML files of a tree hold of Flux.
struct Scan {
    kustomizations: Vec<Found>,
    instances: Vec<Found>,
    /// Folders with a `gotk-sync.yaml` that is no YAML.
    unreadable: Vec<String>,
    /// The kustomization files of kustomize.
    kustomization_files: Vec<String>,
}

impl Scan {
    /// Looks through a folder and all below.
    fn of(files: &Files, folder: &str) -> Result<Scan> {
        let mut scan = Scan {
            kustomizations: Vec::new(),
            instances: Vec::new(),
            unreadable: Vec::new(),
            kustomization_files: Vec::new(),
        };
        scan.folder(files, folder)?;
        Ok(scan)
    }

    fn folder(&mut self, files: &Files, folder: &str) -> Result<()> {
        for entry in files.list(folder)? {
            let at = if folder.is_empty() {
                entry.name.clone()
            } else {
                format!("{folder}/{}", entry.name)
            };
            if entry.is_symlink || entry.name.starts_with('.') {
                continue;
            }
            match entry.kind {
                Kind::Directory => self.folder(files, &at)?,
                Kind::File => {
                    if FILE_NAMES.contains(&entry.name.as_str()) {
                        self.kustomization_files.push(at.clone());
                    }
                    let yaml = [".yaml", ".yml"].iter().any(|e| entry.name.ends_with(e));
                    if yaml {
                        self.file(files, folder, &at, &entry.name);
                    }
                }
            }
        }
        Ok(())
    }

    /// Looks into a file; what cannot be read is the build's to tell.
    fn file(&mut self, files: &Files, folder: &str, at: &str, name: &str) {
        // Parse only files that can hold what is looked for.
        let Ok(bytes) = files.bytes(at) else { return };
        let holds = |needle: &str| memchr::memmem::find(&bytes, needle.as_bytes()).is_some();
        let is_chart = holds(INSTANCE_CHART) && holds("HelmRelease");
        let is_sync = name == SYNC_FILE;
        let may_hold = holds("kustomize.toolkit.fluxcd.io/") || holds("FluxInstance") || is_chart;
        if !may_hold && !is_sync {
            return;
        }
        let Ok(documents) = files.documents(at) else {
            if is_sync {
                self.unreadable.push(folder.to_owned());
            }
            return;
        };
        for document in documents.iter() {
            let id = ResId::of(&document.root);
            let found = || Found {
                folder: folder.to_owned(),
                file: name.to_owned(),
                object: document.root.clone(),
            };
            if api::is_kustomization(&id.gvk) {
                self.kustomizations.push(found());
            } else if &*id.gvk.kind == "FluxInstance" && &*id.gvk.group == "fluxcd.controlplane.io"
            {
                self.instances.push(found());
            } else if let Some(instance) = instance_of_chart(files, &document.root) {
                self.instances.push(Found {
                    object: instance,
                    ..found()
                });
            }
        }
    }

    /// Entries that bootstrap files name.
    fn bootstrapped(&self, files: &Files) -> Vec<Entry> {
        let mut entries = Vec::new();
        for found in &self.kustomizations {
            if found.file != SYNC_FILE {
                continue;
            }
            let (folder, artifact) = synced(files, found, &["spec", "path"]);
            entries.push(Entry {
                artifact,
                ..Entry::plain(folder, source_of(&found.object))
            });
        }
        // What it syncs cannot be read: where `flux bootstrap` puts it, that is the
        // folder around it, which fails as a whole and is not gone.
        for folder in &self.unreadable {
            let folder = match path::name(folder) {
                "flux-system" => path::parent(folder).unwrap_or_default(),
                _ => folder,
            };
            entries.push(Entry::plain(folder.to_owned(), None));
        }
        for found in &self.instances {
            let Some(sync) = found.object.at_path(&["spec", "sync"]) else {
                continue;
            };
            let (folder, artifact) = synced(files, found, &["spec", "sync", "path"]);
            let mut id = ResId::of(&found.object);
            if id.namespace.is_empty() {
                // Where it is installed, unless its kustomization says another.
                id.namespace = "flux-system".into();
            }
            let name: Arc<str> = match sync.get("name").and_then(Node::shared_text) {
                Some(name) => name.clone(),
                None => id.namespace.clone(),
            };
            let source = SourceRef {
                kind: sync
                    .get("kind")
                    .and_then(Node::shared_text)
                    .cloned()
                    .unwrap_or_else(|| "GitRepository".into()),
                namespace: id.namespace.clone(),
                name: name.clone(),
            };
            let mut entry = Entry::plain(folder, Some(source.clone()));
            entry.artifact = artifact;
            entry.made = Some(made_by_instance(&source, sync));
            entry.instance = Some(found.object.clone());
            entries.push(entry);
        }
        entries
    }

    /// Folders with Kustomizations that no other Kustomization's path reaches.
    /// A folder that a kustomization in another one includes is no root: what
    /// includes it may be.
    fn roots(&self, files: &Files) -> Vec<Entry> {
        let artifact = self.artifact(files);
        let mut includes = self.includes(files);
        includes.extend(self.components(&artifact));
        let mut open: Vec<&str> = self
            .kustomizations
            .iter()
            .map(|f| f.folder.as_str())
            // Nobody bootstraps what was put aside: `_archive`.
            .filter(|folder| !folder.split('/').any(|part| part.starts_with('_')))
            .collect();
        let mut seen = BTreeSet::new();
        let mut roots = BTreeSet::new();
        while let Some(folder) = open.pop() {
            // A Kustomization that lies outside of what it applies.
            let reached = self.kustomizations.iter().any(|k| {
                let path = artifact.within(&sync_path(&k.object, &["spec", "path"]));
                !path::is_within(&k.folder, &path) && path::is_within(folder, &path)
            });
            if reached || !seen.insert(folder) {
                continue;
            }
            let by = includes.iter().filter(|(by, what)| {
                by != folder && (what == folder || path::parent(what) == Some(folder))
            });
            let by: Vec<&str> = by.map(|(by, _)| by.as_str()).collect();
            if by.is_empty() {
                roots.insert(folder);
            }
            open.extend(by);
        }
        // What a Kustomization in a folder of it applies is one with that folder.
        let is_synced = |root: &&str| {
            self.kustomizations.iter().any(|k| {
                let path = artifact.within(&sync_path(&k.object, &["spec", "path"]));
                path == **root
                    && k.folder != path
                    && path::is_within(&k.folder, &path)
                    && roots.contains(&*k.folder)
            })
        };
        let roots = roots.iter().copied().filter(|root| !is_synced(root));
        roots
            .map(|folder| Entry {
                artifact: artifact.clone(),
                ..Entry::plain(folder.to_owned(), None)
            })
            .collect()
    }

    /// The folder that the paths of Kustomizations count from: the root, unless
    /// none of them is there, and all of them are in one folder alone that holds
    /// Kustomizations.
    fn artifact(&self, files: &Files) -> Artifact {
        let mut paths: Vec<(String, Span)> = Vec::new();
        for found in &self.kustomizations {
            let path = sync_path(&found.object, &["spec", "path"]);
            let node = found.object.at_path(&["spec", "path"]);
            if let Some(node) = node.filter(|_| !path.is_empty()) {
                paths.push((path, node.span()));
            }
        }
        let Some((_, span)) = paths.first() else {
            return Artifact::default();
        };
        let holds = |root: &str, path: &str| {
            path::join(root, path).is_some_and(|folder| is_folder(files, &folder))
        };
        if paths.iter().any(|(path, _)| holds("", path)) {
            return Artifact::default();
        }
        let roots: BTreeSet<&str> = self
            .kustomizations
            .iter()
            .flat_map(|found| ancestors(&found.folder))
            .filter(|root| paths.iter().all(|(path, _)| holds(root, path)))
            .collect();
        let mut roots = roots.into_iter();
        match (roots.next(), roots.next()) {
            (Some(root), None) => Artifact {
                folder: root.to_owned(),
                inferred: Some(*span),
            },
            _ => Artifact::default(),
        }
    }

    /// Which folders Kustomizations add components to, and which components.
    fn components(&self, artifact: &Artifact) -> Vec<(String, String)> {
        let mut includes = Vec::new();
        for found in &self.kustomizations {
            let folder = artifact.within(&sync_path(&found.object, &["spec", "path"]));
            let components = found.object.at_path(&["spec", "components"]);
            let components = components.map_or(&[][..], |list| list.target().items());
            let texts = components.iter().filter_map(|item| item.target().text());
            let paths = texts.filter_map(|text| path::join(&folder, text));
            includes.extend(paths.map(|what| (folder.clone(), what)));
        }
        includes
    }

    /// Which folder's kustomization includes which files and folders.
    fn includes(&self, files: &Files) -> Vec<(String, String)> {
        let mut includes = Vec::new();
        for file in &self.kustomization_files {
            let folder = path::parent(file).unwrap_or_default();
            // What cannot be read is the build's to tell.
            let Ok(documents) = files.documents(file) else {
                continue;
            };
            let fields = ["resources", "bases", "components"];
            let listed = documents.iter().flat_map(|document| {
                let lists = fields.iter().filter_map(|field| document.root.get(field));
                lists.flat_map(|list| list.target().items())
            });
            let texts = listed.filter_map(|item| item.target().text());
            let paths = texts.filter_map(|text| path::join(folder, text));
            includes.extend(paths.map(|what| (folder.to_owned(), what)));
        }
        includes
    }
}

/// The chart that makes a FluxInstance of its values.
const INSTANCE_CHART: &str = "flux-instance";

/// The FluxInstance that a release of its chart makes; none for any other
/// object, and where the folder that it syncs is not here.
fn instance_of_chart(files: &Files, release: &Node) -> Option<Node> {
    let id = ResId::of(release);
    if !api::is_helm_release(&id.gvk) {
        return None;
    }
    let named = [
        &["spec", "chartRef", "name"][..],
        &["spec", "chart", "spec", "chart"],
    ];
    let mut named = named
        .iter()
        .filter_map(|path| release.at_path(path)?.text());
    let spec = release.at_path(&["spec", "values", "instance"])?;
    if !named.any(|name| name.ends_with(INSTANCE_CHART)) {
        return None;
    }
    let empty = || Node::mapping(Vec::new(), release.span());
    let text = |value: &str| Node::string(value, release.span());
    let (mut instance, mut metadata) = (empty(), empty());
    metadata.set("name", text("flux"));
    if !id.namespace.is_empty() {
        metadata.set("namespace", text(&id.namespace));
    }
    instance.set("apiVersion", text("fluxcd.controlplane.io/v1"));
    instance.set("kind", text("FluxInstance"));
    instance.set("metadata", metadata);
    instance.set("spec", spec.target().clone());
    let folder = sync_path(&instance, &["spec", "sync", "path"]);
    (!folder.is_empty() && is_folder(files, &folder)).then_some(instance)
}

/// A folder and those that it lies in, the root left out.
fn ancestors(folder: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(folder), |folder| path::parent(folder))
        .take_while(|folder| !folder.is_empty())
}

/// The folder that is synced, in the repository, and the one that its path
/// counts from: the root, or where it is not there, the only folder above the
/// file that holds it.
fn synced(files: &Files, found: &Found, at: &[&str]) -> (String, Artifact) {
    let written = sync_path(&found.object, at);
    let span = found.object.at_path(at).map(Node::span);
    if is_folder(files, &written) {
        return (written, Artifact::default());
    }
    let holds =
        |root: &&str| path::join(root, &written).is_some_and(|folder| is_folder(files, &folder));
    let mut roots = ancestors(&found.folder).filter(holds);
    match (roots.next(), roots.next()) {
        (Some(root), None) => {
            let artifact = Artifact {
                folder: root.to_owned(),
                inferred: span,
            };
            (artifact.within(&written), artifact)
        }
        _ => (written, Artifact::default()),
    }
}

/// The path of a sync, relative to the root.
fn sync_path(object: &Node, at: &[&str]) -> String {
    let written = object.at_path(at).and_then(Node::text).unwrap_or_default();
    path::join("", written.trim_start_matches('/')).unwrap_or_default()
}

fn source_of(kustomization: &Node) -> Option<SourceRef> {
    let source = kustomization.at_path(&["spec", "sourceRef"])?;
    let id = ResId::of(kustomization);
    let text = |key| source.get(key).and_then(Node::shared_text).cloned();
    Some(SourceRef {
        kind: text("kind")?,
        namespace: text("namespace").unwrap_or(id.namespace),
        name: text("name")?,
    })
}

/// The Kustomization that flux-operator makes for `spec.sync`.
fn made_by_instance(source: &SourceRef, sync: &Node) -> Node {
    let span = sync.span();
    let text = |value: &str| Node::string(value, span);
    let map = |entries: &[(&str, Node)]| {
        let mut node = Node::mapping(Vec::new(), span);
        for (key, value) in entries {
            node.set(key, value.clone());
        }
        node
    };
    let path = sync.get("path").cloned().unwrap_or_else(|| text(""));
    // Compat: the default of flux-operator's definition.
    let interval = sync.get("interval").cloned().unwrap_or_else(|| text("1m"));
    map(&[
        ("apiVersion", text("kustomize.toolkit.fluxcd.io/v1")),
        ("kind", text("Kustomization")),
        (
            "metadata",
            map(&[
                ("name", text(&source.name)),
                ("namespace", text(&source.namespace)),
            ]),
        ),
        (
            "spec",
            map(&[
                ("interval", interval),
                ("path", path),
                ("prune", Node::bool(true, span)),
                (
                    "sourceRef",
                    map(&[("kind", text(&source.kind)), ("name", text(&source.name))]),
                ),
            ]),
        ),
    ])
}

/// The GitRepository that flux-operator makes for `spec.sync`; none where the
/// source is of another kind, or where the bootstrap files declare it.
pub(super) fn synced_repository(entry: &Entry) -> Option<Node> {
    let source = entry
        .source
        .as_ref()
        .filter(|s| &*s.kind == "GitRepository")?;
    let sync = entry.instance.as_ref()?.at_path(&["spec", "sync"])?;
    let text = |value: &str| Node::string(value, sync.span());
    let empty = || Node::mapping(Vec::new(), sync.span());
    let (mut metadata, mut reference, mut spec) = (empty(), empty(), empty());
    metadata.set("name", text(&source.name));
    metadata.set("namespace", text(&source.namespace));
    reference.set("name", sync.get("ref")?.clone());
    spec.set("url", sync.get("url")?.clone());
    spec.set("ref", reference);
    let mut repository = empty();
    repository.set("apiVersion", text("source.toolkit.fluxcd.io/v1"));
    repository.set("kind", text(&source.kind));
    repository.set("metadata", metadata);
    repository.set("spec", spec);
    Some(repository)
}

/// The folders that the components of Flux may lie in, for an entry point.
fn component_folders(entry: &Entry) -> [String; 2] {
    let within = |name: &str| format!("{}/{name}", entry.folder);
    [within("flux-system"), within("")].map(|path| path.trim_matches('/').to_owned())
}

/// The version of Flux that the bootstrap files of an entry point name, and
/// where.
///
/// From the labels of `gotk-components.yaml`, or the FluxInstance's
/// `spec.distribution.version`.
pub fn flux_version(files: &Files, entry: &Entry) -> Option<(String, Span)> {
    for folder in component_folders(entry) {
        let Some(documents) = path::join(&folder, "gotk-components.yaml")
            .and_then(|file| files.documents(&file).ok())
        else {
            continue;
        };
        let label = documents.iter().find_map(|document| {
            document
                .root
                .at_path(&["metadata", "labels", "app.kubernetes.io/version"])
        });
        if let Some(label) = label {
            return Some((label.text()?.to_owned(), label.span()));
        }
    }
    let instance = entry.instance.as_ref()?;
    let version = instance.at_path(&["spec", "distribution", "version"])?;
    Some((version.text()?.to_owned(), version.span()))
}

/// How the bootstrap files of an entry point set Flux's controllers up:
/// `gotk-components.yaml` with the patches beside it, or a FluxInstance.
///
/// Patches count whether the components are in the repository or were written
/// to the cluster alone. What a patch takes out again is not seen: whoever has
/// rendered the components knows better.
pub fn controllers(files: &Files, entry: &Entry) -> Controllers {
    let namespace = entry.source.as_ref().map(|source| &*source.namespace);
    let mut found = Controllers::in_namespace(namespace.unwrap_or(controllers::NAMESPACE));
    if let Some(instance) = &entry.instance {
        let namespace = found.namespace.clone();
        found.read_instance(instance, &namespace);
    }
    for folder in component_folders(entry) {
        let components = path::join(&folder, "gotk-components.yaml");
        let documents = components.and_then(|file| files.documents(&file).ok());
        for document in documents.iter().flat_map(|documents| documents.iter()) {
            let id = ResId::of(&document.root);
            if &*id.gvk.kind == "Deployment" {
                found.read_deployment(&document.root, &id.namespace);
            }
        }
        read_patches(files, &folder, &mut found);
    }
    found
}

/// The patches of a folder's kustomization.
fn read_patches(files: &Files, folder: &str, found: &mut Controllers) {
    for name in FILE_NAMES {
        let file = path::join(folder, name);
        let Some(documents) = file.and_then(|file| files.documents(&file).ok()) else {
            continue;
        };
        let patches = documents.iter().filter_map(|d| d.root.get("patches"));
        for patch in patches.flat_map(|list| list.target().items()) {
            let patch = patch.target();
            let at = patch.get("path").and_then(Node::text);
            let beside = at.and_then(|at| files.text(&path::join(folder, at)?).ok());
            let text = match &beside {
                Some(beside) => &beside.text,
                None => patch.get("patch").and_then(Node::text).unwrap_or_default(),
            };
            found.read_patch(patch, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::MemoryTree;
    use crate::diag::SourceMap;

    fn files(content: &[(&str, &str)]) -> Files {
        let mut tree = MemoryTree::new("");
        for (path, text) in content {
            tree.insert(*path, text.as_bytes());
        }
        Files::new(Arc::new(tree), Arc::new(SourceMap::new()))
    }

    fn kustomization(name: &str, path: &str) -> String {
        format!(
            "---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  \
             name: {name}\n  namespace: flux-system\nspec:\n  path: {path}\n  sourceRef:\n    \
             kind: GitRepository\n    name: fleet\n"
        )
    }

    fn names(files: &Files, config: &str) -> Vec<(String, String)> {
        let config = Config::parse(config, crate::diag::FileId::default()).unwrap();
        find(files, &config)
            .unwrap()
            .into_iter()
            .map(|e| (e.name.to_string(), e.folder))
            .collect()
    }

    #[test]
    fn bootstrap_files_name_the_folders() {
        let sync = kustomization("flux-system", "./clusters/blue");
        let files = files(&[
            ("clusters/blue/flux-system/gotk-sync.yaml", &sync),
            ("clusters/blue/apps.yaml", &kustomization("apps", "./apps")),
        ]);
        assert_eq!(names(&files, ""), [("blue".into(), "clusters/blue".into())]);
        let entries = find(&files, &Config::default()).unwrap();
        assert_eq!(
            entries[0].source.as_ref().unwrap().to_string(),
            "GitRepository/flux-system/fleet"
        );
    }

    #[test]
    fn an_instance_makes_a_kustomization() {
        let files = files(&[(
            "bootstrap/instance.yaml",
            "apiVersion: fluxcd.controlplane.io/v1\nkind: FluxInstance\nmetadata:\n  name: flux\n  \
             namespace: flux-system\nspec:\n  sync:\n    kind: OCIRepository\n    url: \
             oci://registry.example/fleet\n    path: clusters/green\n",
        )]);
        let entries = find(&files, &Config::default()).unwrap();
        assert_eq!(entries[0].folder, "clusters/green");
        let made = entries[0].made.as_ref().unwrap();
        assert_eq!(ResId::of(made).name, "flux-system".into());
        assert_eq!(
            entries[0].source.as_ref().unwrap().to_string(),
            "OCIRepository/flux-system/flux-system"
        );
    }

    #[test]
    fn a_release_of_its_chart_makes_an_instance() {
        let release = |chart: &str, path: &str| {
            format!(
                "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: \
                 flux-instance\nspec:\n  chartRef: {{kind: OCIRepository, name: {chart}}}\n  \
                 values:\n    instance:\n      sync:\n        kind: GitRepository\n        url: \
                 https://git.example.com/fleet\n        ref: refs/heads/main\n        path: \
                 {path}\n"
            )
        };
        let found = |release: &str| {
            let apps = kustomization("web", "./apps/web/app");
            let files = files(&[
                ("apps/flux/release.yaml", release),
                ("apps/web/ks.yaml", &apps),
                ("apps/web/app/x.yaml", ""),
            ]);
            let entries = find(&files, &Config::default()).unwrap();
            let entries = entries.into_iter();
            entries
                .map(|e| (e.folder, e.source.map(|s| s.to_string())))
                .collect::<Vec<_>>()
        };
        let source = Some("GitRepository/flux-system/flux-system".to_owned());
        assert_eq!(
            found(&release("flux-instance", "apps/")),
            [("apps".to_owned(), source)]
        );
        // Of another chart, or of another repository.
        let plain = [("apps/web".to_owned(), None)];
        assert_eq!(found(&release("other", "apps/")), plain);
        assert_eq!(found(&release("flux-instance", "clusters/a")), plain);
    }

    #[test]
    fn an_artifact_may_be_a_part_of_the_repository() {
        let sync = kustomization("flux-system", "./clusters/blue");
        let apps = kustomization("apps", "./apps");
        let of = |content: &[(&str, &str)], config: &str| {
            let config = Config::parse(config, crate::diag::FileId::default()).unwrap();
            let found = find(&files(content), &config).unwrap();
            let found = found.into_iter().map(|e| {
                let is_told = e.artifact.inferred.is_some();
                (e.folder, e.artifact.folder, is_told)
            });
            found.collect::<Vec<_>>()
        };
        let part = |is_told| vec![("deploy/clusters/blue".into(), "deploy".into(), is_told)];
        let bootstrapped = [
            ("deploy/clusters/blue/flux-system/gotk-sync.yaml", &*sync),
            ("deploy/apps/web.yaml", ""),
        ];
        assert_eq!(of(&bootstrapped, ""), part(true));
        let plain = [
            ("deploy/clusters/blue/apps.yaml", &*apps),
            ("deploy/apps/web.yaml", ""),
            ("src/main.yaml", ""),
        ];
        assert_eq!(of(&plain, ""), part(true));
        let config = "entries: [{path: deploy/clusters/blue, artifact: ./deploy/}]";
        assert_eq!(of(&plain, config), part(false));
        // Two folders could be meant, or one path is wrong.
        let two = [plain[0], plain[1], ("deploy/clusters/apps/x.yaml", "")];
        let root = vec![("deploy/clusters/blue".into(), String::new(), false)];
        assert_eq!(of(&two, ""), root);
        assert_eq!(of(&plain[..1], ""), root);
    }

    #[test]
    fn else_roots_are_what_nothing_reaches() {
        let files = files(&[
            (
                "kubernetes/flux/cluster.yaml",
                &kustomization("apps", "./kubernetes/apps"),
            ),
            (
                "kubernetes/apps/web/ks.yaml",
                &kustomization("web", "./kubernetes/apps/web/app"),
            ),
        ]);
        assert_eq!(
            names(&files, ""),
            [("flux".into(), "kubernetes/flux".into())]
        );
    }

    #[test]
    fn what_is_synced_from_below_and_what_was_put_aside_are_no_roots() {
        let cluster = kustomization("cluster", "./flux");
        let apps = kustomization("apps", "./apps");
        let files = files(&[
            ("flux/config/cluster.yaml", &cluster),
            ("flux/apps.yaml", &apps),
            ("apps/web.yaml", ""),
            ("_archive/old/sync.yaml", &apps),
        ]);
        assert_eq!(names(&files, ""), [("config".into(), "flux/config".into())]);
    }

    #[test]
    fn what_a_kustomization_adds_as_a_component_is_no_root() {
        let apps = kustomization("apps", "./apps");
        let with = format!("{apps}  components: [../parts/database]\n");
        let inner = kustomization("database", "./database");
        let found = |apps: &str| {
            names(
                &files(&[
                    ("cluster/apps.yaml", apps),
                    ("apps/web.yaml", ""),
                    ("parts/database/sync.yaml", &inner),
                ]),
                "",
            )
        };
        let cluster = ("cluster".to_owned(), "cluster".to_owned());
        assert_eq!(found(&with), std::slice::from_ref(&cluster));
        let part = ("database".to_owned(), "parts/database".to_owned());
        assert_eq!(found(&apps), [cluster, part]);
    }

    #[test]
    fn what_a_kustomization_includes_is_no_root() {
        let tenants = kustomization("tenants", "./tenants/prod");
        let team = kustomization("team", "./");
        let files = files(&[
            ("clusters/prod/tenants.yaml", &tenants),
            ("tenants/base/team/sync.yaml", &team),
            (
                "tenants/base/team/kustomization.yaml",
                "resources: [sync.yaml]\n",
            ),
            (
                "tenants/prod/kustomization.yaml",
                "resources: [../base/team]\n",
            ),
        ]);
        assert_eq!(names(&files, ""), [("prod".into(), "clusters/prod".into())]);
    }

    #[test]
    fn the_configuration_wins_and_names_are_told_apart() {
        let files = files(&[
            ("a/prod/x.yaml", ""),
            ("b/prod/x.yaml", ""),
            ("c/x.yaml", ""),
        ]);
        assert_eq!(
            names(
                &files,
                "entries: [{path: b/prod}, {path: ./a/prod/}, {path: c, name: see}]"
            ),
            [
                ("a_prod".into(), "a/prod".into()),
                ("b_prod".into(), "b/prod".into()),
                ("see".into(), "c".into())
            ]
        );
        let missing = Config::parse("entries: [{path: d}]", crate::diag::FileId::default());
        let error = find(&files, &missing.unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "no such folder: `d`");
        let error = find(&files, &Config::default()).unwrap_err();
        assert_eq!(error.to_string(), "no entry point was found in `.`");
    }
}
