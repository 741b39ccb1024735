//! Arguments that several commands share, and what they come to together with
//! `.fluxwright.yaml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use rayon::prelude::*;
use serde_json::{Map, Value, json};

use super::cache::{Place, Recorder};
use super::head;
use super::inputs;
use super::progress::Bar;
#[cfg(feature = "sops")]
use super::secrets::SecretArgs;
use super::store::StoreArgs;
use super::trust::TrustArgs;
use super::world::WorldArgs;
use crate::artifact::{DiskTree, Kind, Tree};
use crate::config::{self, Config};
use crate::diag::{Error, Finding, Findings, Result, Severity, SourceMap, Span};
use crate::flux::FluxVersion;
use crate::flux::api::{SourceRef, is_kustomization};
use crate::gostd::moment::Moment;
use crate::helm::{Capabilities, KubeVersion, RenderOptions};
use crate::lock::Lockfile;
use crate::pipeline::cluster::Cluster;
use crate::pipeline::cluster::sha256;
use crate::pipeline::secrets::Secrets;
use crate::pipeline::shard::{Part, Shard};
use crate::pipeline::{
    Entry, LocalSource, Lookups, Progress, Reuse, Sources, build, entry, render,
};
use crate::resource::{Files, Gvk};
use crate::source::Locked;
use crate::source::vendor::{self, Vendored};
use crate::store::Store;
use crate::yaml::Node;

/// Where the repository is and what the clusters are like.
#[derive(Debug, Args)]
pub(super) struct RepositoryArgs {
    /// The root of the repository, or a folder in it that is an entry point
    #[arg(value_name = "PATH", default_value = ".")]
    pub(super) path: PathBuf,

    /// The root of the repository [default: the nearest folder upwards that holds .git,
    /// fluxwright.lock or .fluxwright.yaml]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,

    /// Only the entry point with this name or folder (repeatable)
    #[arg(long, value_name = "NAME")]
    entry: Vec<String>,

    /// Folders and archives that stand in for sources; not verified
    #[arg(long, value_name = "KIND/NAMESPACE/NAME=PATH", value_delimiter = ',')]
    local_sources: Vec<String>,

    #[command(flatten)]
    trust: TrustArgs,

    /// A file with Flux Kustomizations that take the place of those of the same name (repeatable)
    #[arg(long, value_name = "FILE")]
    kustomization_file: Vec<PathBuf>,

    /// The value of a variable that only the cluster knows (repeatable)
    #[arg(long, value_name = "NAME=VALUE")]
    substitute: Vec<String>,

    /// Whether a variable without value or default fails the build [default: as the Flux version
    /// has it]
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    strict_substitute: Option<bool>,

    /// The version of Flux: 2.6, 2.7, 2.8 or 2.9 [default: what the repository says, else the newest]
    #[arg(long, value_name = "VERSION")]
    flux_version: Option<FluxVersion>,

    /// The version of Kubernetes [default: what .fluxwright.yaml says, else 1.37.0]
    #[arg(long, value_name = "VERSION", value_parser = kube_version)]
    kube_version: Option<String>,

    /// An API version that the clusters serve besides their own (repeatable)
    #[arg(long, value_name = "GROUP/VERSION[/KIND]", value_delimiter = ',')]
    api_versions: Vec<String>,

    #[command(flatten)]
    world: WorldArgs,

    #[cfg(feature = "sops")]
    #[command(flatten)]
    secrets: SecretArgs,

    /// How many threads [default: as many as there are cores]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,

    #[command(flatten)]
    store: StoreArgs,

    /// Refuse a repository whose sources are not all locked
    #[arg(long)]
    frozen: bool,

    /// Reach no network: always so for this command; accepted for scripts
    #[arg(long)]
    offline: bool,
}

/// The default version of Kubernetes: that of Helm 4.3.
const KUBERNETES: &str = "1.37.0";

fn kube_version(text: &str) -> std::result::Result<String, String> {
    let bare = text.strip_prefix('v').unwrap_or(text);
    let mut parts: Vec<&str> = bare.split('.').collect();
    let numbers = parts
        .iter()
        .all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
    if !numbers || !(2..=3).contains(&parts.len()) {
        return Err(
            "a version of Kubernetes is two or three numbers, as in 1.36 or v1.36.0".into(),
        );
    }
    if parts.len() == 2 {
        parts.push("0");
    }
    Ok(parts.join("."))
}

/// A repository, opened.
pub(super) struct Repository {
    /// Its root, absolute and without links.
    pub(super) root: PathBuf,
    /// Its entry points, those that were asked for.
    pub(super) entries: Vec<Entry>,
    /// Whether these are all that it has, those of other parts of a sharded run
    /// included.
    pub(super) is_whole: bool,
    /// Whether findings name their cluster: there are several, here or in
    /// other parts of a sharded run.
    pub(super) has_several: bool,
    /// Which part of a sharded run this is, where it is one.
    pub(super) part: Option<Part>,
    /// The sources at hand.
    pub(super) sources: Sources,
    /// Every file that is read.
    pub(super) source_map: Arc<SourceMap>,
    /// `.fluxwright.yaml`.
    pub(super) config: Config,
    /// The file itself; none where there is no such file.
    pub(super) config_span: Span,
    /// Kubernetes, in three numbers.
    pub(super) kubernetes: String,
    /// What becomes of encrypted values.
    pub(super) secrets: Arc<Secrets>,
    /// Who remembers what is read.
    recorder: Option<Arc<Recorder>>,
    /// What it has in common with another version of it.
    reuse: Option<Arc<Reuse>>,
    /// What charts are rendered with.
    charts: RenderOptions,
    /// What templates of charts find by `lookup`.
    lookups: Lookups,
}

impl Repository {
    /// Keeps the entry points of one part, where one is named, and remembers of
    /// which whole it is.
    ///
    /// `run` is what all its parts have in common.
    pub(super) fn narrow(&mut self, shard: Option<Shard>, run: impl FnOnce() -> String) {
        let Some(shard) = shard else { return };
        let clusters = self.entries.iter().map(|e| e.name.to_string()).collect();
        self.entries.retain(|entry| shard.holds(&entry.name));
        self.part = Some(Part {
            shard,
            run: run(),
            clusters,
        });
    }
}

/// How far rendering goes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extent {
    /// As [`render::Options::keep_going`].
    pub(super) keep_going: bool,
    /// As [`render::Options::skip_releases`].
    pub(super) skip_releases: bool,
    /// As [`RenderOptions::tell_unused`].
    pub(super) tell_unused: bool,
    /// As [`render::Options::keeps_sealed`].
    pub(super) keeps_sealed: bool,
}

impl Extent {
    /// All of it, past what a controller would stop at.
    pub(super) const WHOLE: Extent = Extent {
        keep_going: true,
        skip_releases: false,
        tell_unused: false,
        keeps_sealed: false,
    };

    /// All of it, as a cluster gets it that can decrypt.
    pub(super) const RELEASED: Extent = Extent {
        keep_going: false,
        keeps_sealed: true,
        ..Extent::WHOLE
    };

    /// All of it, and what is doubtful about it.
    pub(super) const CHECKED: Extent = Extent {
        tell_unused: true,
        ..Extent::WHOLE
    };
}

impl RepositoryArgs {
    /// Opens the repository.
    ///
    /// # Errors
    ///
    /// What is wrong with the arguments, `.fluxwright.yaml`, or the entry
    /// points.
    pub(super) fn open(&self, source_map: &Arc<SourceMap>) -> Result<Repository> {
        let (root, _) = self.locate()?;
        self.open_tree(Arc::new(DiskTree::open(&root)?), source_map)
    }

    /// Opens the repository, and has remembered what is read of it.
    ///
    /// # Errors
    ///
    /// As [`RepositoryArgs::open`].
    pub(super) fn open_watched(
        &self,
        source_map: &Arc<SourceMap>,
        recorder: &Arc<Recorder>,
    ) -> Result<Repository> {
        let (root, _) = self.locate()?;
        let tree = recorder.watch(Place::Root, DiskTree::open(&root)?);
        self.open_parts(tree, source_map, Some(recorder), None)
    }

    /// Opens the repository as it is, to be compared with another version: what
    /// both have in common goes into `reuse`, and what is read of both is
    /// remembered.
    ///
    /// # Errors
    ///
    /// As [`RepositoryArgs::open`].
    pub(super) fn open_new(
        &self,
        source_map: &Arc<SourceMap>,
        recorder: &Arc<Recorder>,
        reuse: Reuse,
    ) -> Result<Repository> {
        Ok(Repository {
            reuse: Some(Arc::new(reuse)),
            ..self.open_watched(source_map, recorder)?
        })
    }

    /// Opens the other version, from a tree of its root: what it has in common
    /// with `new` is not rendered again.
    ///
    /// # Errors
    ///
    /// As [`RepositoryArgs::open`].
    pub(super) fn open_base(&self, tree: Arc<dyn Tree>, new: &Repository) -> Result<Repository> {
        self.open_parts(tree, &new.source_map, new.recorder.as_ref(), Some(new))
    }

    /// Opens another version of the repository, from a tree of its root.
    ///
    /// # Errors
    ///
    /// As [`RepositoryArgs::open`].
    pub(super) fn open_tree(
        &self,
        tree: Arc<dyn Tree>,
        source_map: &Arc<SourceMap>,
    ) -> Result<Repository> {
        self.open_parts(tree, source_map, None, None)
    }

    fn open_parts(
        &self,
        tree: Arc<dyn Tree>,
        source_map: &Arc<SourceMap>,
        recorder: Option<&Arc<Recorder>>,
        new: Option<&Repository>,
    ) -> Result<Repository> {
        let (root, folder) = self.locate()?;
        let mut files = Files::new(tree, source_map.clone());
        if let Some(new) = new {
            files = files.beside(new.sources.repository.clone());
        }
        let repository = Arc::new(files);
        let (config, config_span) = read_config(&repository)?;
        let entries = self.entries(&repository, &config, &folder)?;
        let kubernetes = match (&self.kube_version, &config.kubernetes_version) {
            (Some(version), _) => version.clone(),
            (None, Some(version)) => kube_version(version)
                .map_err(|e| Error::new("config/invalid", format!("`kubernetesVersion`: {e}")))?,
            (None, None) => KUBERNETES.to_owned(),
        };
        let mut sources = match new {
            Some(new) => new.sources.beside(repository),
            None => Sources::new(repository),
        };
        if new.is_none() {
            sources.local = self.local_sources(source_map, recorder)?;
        }
        // Without a lockfile nothing needs a store.
        if let Some(lockfile) = inputs::read_lockfile(&sources.repository)? {
            let mut store = self.store.open()?;
            if let Some(recorder) = recorder {
                store = recorder.watch_store(store);
            }
            let locked = self.inputs_of(Some(lockfile), store, &sources.repository, &config)?;
            sources.locked = Some(Arc::new(locked));
        } else if self.frozen {
            return Err(Error::new("lock/missing", "there is no fluxwright.lock")
                .help("write it with `fluxwright lock`, and commit it"));
        }
        // Charts that show the time show that of the commit.
        let now = self.time_of_charts(&root);
        Ok(Repository {
            charts: self.world.options(now)?,
            lookups: self.world.lookups()?,
            root,
            has_several: entries.len() > 1,
            part: None,
            entries,
            is_whole: folder.is_empty() && self.entry.is_empty(),
            sources,
            source_map: source_map.clone(),
            config,
            config_span,
            kubernetes,
            secrets: match new {
                Some(new) => new.secrets.clone(),
                None => Arc::new(self.secrets()?),
            },
            recorder: recorder.cloned(),
            reuse: new.and_then(|new| new.reuse.clone()),
        })
    }

    /// The time that questions of validity are asked for.
    #[cfg(feature = "verify")]
    pub(super) fn now(&self) -> Moment {
        self.trust.now()
    }

    /// Whether private keys are given, here or in the environment; a secret
    /// seed is as one.
    #[cfg(feature = "sops")]
    pub(super) fn has_keys(&self) -> bool {
        self.world.has_seed() || self.secrets.has_keys()
    }

    #[cfg(not(feature = "sops"))]
    pub(super) fn has_keys(&self) -> bool {
        self.world.has_seed()
    }

    /// The file that makes random values secret.
    pub(super) fn seed_file(&self) -> Option<&Path> {
        self.world.seed_file()
    }

    /// The store, where there is a place for one.
    pub(super) fn store(&self) -> Option<Store> {
        self.store.open().ok()
    }

    /// The time that charts see, in nanoseconds since 1970: what the user says,
    /// else that of the commit.
    pub(super) fn time_of_charts(&self, root: &Path) -> i128 {
        let of_commit = || head::of(root).map(|head| Moment::from_unix(head.seconds));
        let now = self.trust.now.or_else(of_commit);
        now.map_or(0, Moment::unix_nanoseconds)
    }

    /// What all parts of a sharded run of a command have in common: a digest of
    /// the commit, the version of the program, and of what decides what comes
    /// out; not where it lies on this machine, nor what values are.
    pub(super) fn run_of(&self, command: &str, options: &str) -> String {
        let located = self.locate().ok();
        let commit = located.as_ref().and_then(|(root, _)| head::of(root));
        let commit = commit.map(|head| head.revision);
        let folder = located.map(|(_, folder)| folder);
        let text = format!(
            "{} {command} {commit:?} {folder:?} {:?} {:?} {:?} {:?} {options}",
            env!("CARGO_PKG_VERSION"),
            self.entry,
            self.flux_version,
            self.kube_version,
            self.recorded(),
        );
        format!("sha256:{}", sha256(text.as_bytes()))
    }

    /// The options that decide what comes out, besides entry points and versions, as
    /// provenance names them: files by their names alone, and of variables not the
    /// values, which may be secret.
    pub(super) fn recorded(&self) -> Map<String, Value> {
        let names = |files: &[PathBuf]| -> Vec<String> {
            let names = files.iter().filter_map(|file| file.file_name());
            names.map(|name| name.to_string_lossy().into()).collect()
        };
        let variables = self.substitute.iter().filter_map(|v| v.split('=').next());
        let mut variables: Vec<&str> = variables.collect();
        variables.sort_unstable();
        let mut options = Map::new();
        let mut add = |name: &str, value: Value| {
            if value != Value::Null && value != json!([]) {
                options.insert(name.to_owned(), value);
            }
        };
        add("apiVersions", json!(self.api_versions));
        #[cfg(feature = "sops")]
        add(
            "includeSecrets",
            json!(self.secrets.includes_secrets().then_some(true)),
        );
        add("kustomizationFiles", json!(names(&self.kustomization_file)));
        add("lookupFrom", json!(names(self.world.lookup_from())));
        add("seedFile", json!(self.world.has_seed().then_some(true)));
        add("strictSubstitute", json!(self.strict_substitute));
        add("substitute", json!(variables));
        options
    }

    /// Whether charts are rendered with what is in files that the user names.
    pub(super) fn reads_other_files(&self) -> bool {
        self.world.reads_files()
    }

    #[cfg(feature = "sops")]
    fn secrets(&self) -> Result<Secrets> {
        self.secrets.open()
    }

    #[cfg(not(feature = "sops"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as with it")]
    fn secrets(&self) -> Result<Secrets> {
        Ok(Secrets::default())
    }

    /// What the lockfile pins, out of the store and the folder that `vendor`
    /// fills.
    pub(super) fn locked(
        &self,
        lockfile: Option<Lockfile>,
        repository: &Files,
        config: &Config,
    ) -> Result<Locked> {
        self.inputs_of(lockfile, self.store.open()?, repository, config)
    }

    fn inputs_of(
        &self,
        lockfile: Option<Lockfile>,
        store: Store,
        repository: &Files,
        config: &Config,
    ) -> Result<Locked> {
        let folder = config.vendor.as_deref().unwrap_or(vendor::FOLDER);
        let locked = Locked::new(
            lockfile,
            store,
            Vendored::open(repository.tree().clone(), folder)?,
            repository.sources().clone(),
        );
        let (root, _) = self.locate()?;
        Ok(locked.with_policy(Arc::new(self.trust.policy(repository, config, &root)?)))
    }

    /// The root, and the folder in it that was named.
    pub(super) fn locate(&self) -> Result<(PathBuf, String)> {
        let absolute = |path: &Path| {
            path.canonicalize().map_err(|_| {
                Error::new(
                    "ref/missing",
                    format!("no such folder: `{}`", path.display()),
                )
            })
        };
        let path = absolute(&self.path)?;
        let root = match &self.root {
            Some(root) => absolute(root)?,
            None => path
                .ancestors()
                .find(|folder| {
                    [".git", "fluxwright.lock", config::FILE_NAME]
                        .iter()
                        .any(|mark| folder.join(mark).exists())
                })
                .unwrap_or(&path)
                .to_owned(),
        };
        let Ok(folder) = path.strip_prefix(&root) else {
            return Err(Error::new(
                "ref/missing",
                format!(
                    "`{}` does not lie in the root `{}`",
                    self.path.display(),
                    root.display()
                ),
            )
            .help("give another --root"));
        };
        let Some(folder) = folder.to_str() else {
            return Err(Error::new(
                "file/unreadable",
                format!("`{}` is not UTF-8", folder.display()),
            ));
        };
        Ok((root.clone(), folder.to_owned()))
    }

    fn entries(&self, files: &Files, config: &Config, folder: &str) -> Result<Vec<Entry>> {
        let mut entries = if folder.is_empty() {
            entry::find(files, config)?
        } else {
            vec![entry::at(files, folder)?]
        };
        if self.entry.is_empty() {
            return Ok(entries);
        }
        let names: Vec<Arc<str>> = entries.iter().map(|e| e.name.clone()).collect();
        for wanted in &self.entry {
            let known = entries
                .iter()
                .any(|e| *e.name == **wanted || e.folder == *wanted);
            if !known {
                return Err(
                    Error::new("ref/missing", format!("no such entry point: `{wanted}`"))
                        .help(format!("there is `{}`", names.join("`, `"))),
                );
            }
        }
        entries.retain(|e| {
            let wanted = |w: &String| *e.name == **w || e.folder == *w;
            self.entry.iter().any(wanted)
        });
        Ok(entries)
    }

    fn local_sources(
        &self,
        source_map: &Arc<SourceMap>,
        recorder: Option<&Arc<Recorder>>,
    ) -> Result<BTreeMap<SourceRef, LocalSource>> {
        let mut named = Vec::new();
        for argument in &self.local_sources {
            let wrong = || {
                Error::new(
                    "usage/local-sources",
                    format!("`{argument}` is not KIND/NAMESPACE/NAME=PATH"),
                )
                .help("as in `GitRepository/flux-system/flux-system=.`")
            };
            let (reference, path) = argument.split_once('=').ok_or_else(wrong)?;
            let source = source_ref(reference).ok_or_else(wrong)?;
            named.push((source, reference, path));
        }
        // Many sources may have one path: it is read once.
        let paths: BTreeSet<&str> = named.iter().map(|(_, _, path)| *path).collect();
        let opened = paths.into_par_iter().map(|path| {
            let local = open_watched_source(path, source_map, recorder);
            (path, local)
        });
        let opened: BTreeMap<&str, Result<LocalSource>> = opened.collect();
        let mut sources = BTreeMap::new();
        for (source, reference, path) in named {
            match opened.get(path) {
                Some(Ok(local)) => sources.insert(source, local.clone()),
                Some(Err(e)) => {
                    let e = e.clone();
                    return Err(e.context(format!("the local source `{reference}`")));
                }
                None => None,
            };
        }
        Ok(sources)
    }

    /// The version of Flux to reproduce for an entry point.
    fn flux_version(
        &self,
        repository: &Repository,
        entry: &Entry,
        findings: &mut Findings,
    ) -> Result<FluxVersion> {
        if let Some(version) = self.flux_version {
            return Ok(version);
        }
        let of_entry = repository
            .config
            .entries
            .iter()
            .find(|e| crate::artifact::path::join("", &e.path).as_deref() == Some(&*entry.folder))
            .and_then(|e| e.flux_version.as_ref());
        if let Some(text) = of_entry.or(repository.config.flux_version.as_ref()) {
            return text
                .parse()
                .map_err(|e| Error::new("config/invalid", format!("`fluxVersion`: {e}")));
        }
        let Some((text, span)) = entry::flux_version(&repository.sources.repository, entry) else {
            return Ok(FluxVersion::NEWEST);
        };
        let Some(minor) = FluxVersion::parse_minor(&text) else {
            return Ok(FluxVersion::NEWEST);
        };
        let (version, exact) = FluxVersion::nearest(minor);
        if !exact {
            findings.push(
                Finding::new(
                    "flux/version",
                    Severity::Warning,
                    format!("Flux {text} is not known; it is rendered as {version} would"),
                )
                .at(span, &repository.source_map)
                .help("say `--flux-version` to choose another"),
            );
        }
        Ok(version)
    }

    /// Values for variables that only the cluster knows, for an entry point.
    fn substitutes(&self, config: &Config, entry: &Entry) -> Result<BTreeMap<String, String>> {
        let mut values = config.substitute.clone();
        let own = config.entries.iter().filter(|e| {
            crate::artifact::path::join("", &e.path).as_deref() == Some(&*entry.folder)
        });
        for entry in own {
            values.extend(entry.substitute.clone());
        }
        for argument in &self.substitute {
            let (name, value) = argument.split_once('=').ok_or_else(|| {
                Error::new(
                    "usage/substitute",
                    format!("`{argument}` is not NAME=VALUE"),
                )
            })?;
            values.insert(name.to_owned(), value.to_owned());
        }
        Ok(values)
    }

    /// Renders what an entry point leads to, as the version of Flux in it does;
    /// as far as `extent` says.
    ///
    /// # Errors
    ///
    /// As [`build::build`], and for versions and variables that are none.
    pub(super) fn render(
        &self,
        repository: &Repository,
        entry: &Entry,
        extent: Extent,
        findings: &mut Findings,
    ) -> Result<(FluxVersion, Cluster)> {
        let progress = Bar::new(&entry.name).map(|bar| bar as Arc<dyn Progress>);
        self.render_with(repository, entry, extent, progress, findings)
    }

    /// Renders all entry points side by side, in their order; what they come to
    /// is told up to the first that fails as a whole.
    pub(super) fn render_all(
        &self,
        repository: &Repository,
        extent: Extent,
        findings: &mut Findings,
    ) -> Result<Vec<(FluxVersion, Cluster)>> {
        let bar = match &repository.entries[..] {
            [entry] => Bar::new(&entry.name),
            entries => Bar::new(&format!("{} clusters", entries.len())),
        };
        let progress = bar.map(|bar| bar as Arc<dyn Progress>);
        let rendered: Vec<_> = repository
            .entries
            .par_iter()
            .map(|entry| {
                let mut own = Findings::new();
                let progress = progress.clone();
                let result = self.render_with(repository, entry, extent, progress, &mut own);
                (result, own)
            })
            .collect();
        let clusters = rendered.into_iter().map(|(result, own)| {
            findings.extend(own);
            result
        });
        clusters.collect()
    }

    fn render_with(
        &self,
        repository: &Repository,
        entry: &Entry,
        extent: Extent,
        progress: Option<Arc<dyn Progress>>,
        findings: &mut Findings,
    ) -> Result<(FluxVersion, Cluster)> {
        let options = self.options(repository, entry, extent, progress, findings)?;
        let mut own = Findings::new();
        let cluster = build::build(entry, &repository.sources, &options, &mut own);
        if repository.has_several {
            own.set_cluster(&entry.name);
        }
        findings.extend(own);
        let cluster = cluster?;
        self.check_frozen(&cluster, &repository.sources)?;
        Ok((options.flux, cluster))
    }

    /// Refuses a cluster some of whose sources are not locked, where the user
    /// asks for that.
    ///
    /// # Errors
    ///
    /// For the first of them.
    pub(super) fn check_frozen(&self, cluster: &Cluster, sources: &Sources) -> Result<()> {
        if self.frozen {
            check_frozen(cluster, sources)
        } else {
            Ok(())
        }
    }

    /// What shapes the build of an entry point besides the repository.
    ///
    /// # Errors
    ///
    /// For versions and variables that are none.
    pub(super) fn options(
        &self,
        repository: &Repository,
        entry: &Entry,
        extent: Extent,
        progress: Option<Arc<dyn Progress>>,
        findings: &mut Findings,
    ) -> Result<render::Options> {
        let flux = self.flux_version(repository, entry, findings)?;
        let controllers = entry::controllers(&repository.sources.repository, entry);
        Ok(render::Options {
            flux,
            strict: self
                .strict_substitute
                .unwrap_or_else(|| controllers.strict_substitution(flux)),
            post_renders_hooks: controllers.post_renders_hooks(flux),
            keep_going: extent.keep_going,
            skip_releases: extent.skip_releases,
            substitutes: self.substitutes(&repository.config, entry)?,
            replacements: self.replacements(repository)?,
            capabilities: self.capabilities(repository)?,
            charts: RenderOptions {
                tell_unused: extent.tell_unused,
                ..repository.charts.clone()
            },
            lookups: repository.lookups.clone(),
            secrets: repository.secrets.clone(),
            keeps_sealed: extent.keeps_sealed,
            progress,
            reuse: repository.reuse.clone(),
            ..render::Options::new(repository.source_map.clone())
        })
    }

    /// The Kustomizations of `--kustomization-file`.
    fn replacements(&self, repository: &Repository) -> Result<Vec<Node>> {
        let mut found = Vec::new();
        for path in &self.kustomization_file {
            let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new("."));
            let tree = DiskTree::open(folder)?.named(folder.display().to_string());
            let place = Place::Beside(path.display().to_string());
            let tree = watched(tree, place, repository.recorder.as_ref());
            let files = Files::new(tree, repository.source_map.clone());
            let name = path
                .file_name()
                .and_then(|n| n.to_str())
                .unwrap_or_default();
            let before = found.len();
            for document in files.documents(name)?.iter() {
                if is_kustomization(&Gvk::of(&document.root)) {
                    found.push(document.root.clone());
                }
            }
            if found.len() == before {
                return Err(Error::new(
                    "ref/missing",
                    format!("`{}` holds no Kustomization of Flux", path.display()),
                )
                .help("as `flux create kustomization … --export` prints one"));
            }
        }
        Ok(found)
    }

    /// What charts are told of the clusters.
    pub(super) fn capabilities(&self, repository: &Repository) -> Result<Arc<Capabilities>> {
        let of_config = repository.config.api_versions.iter();
        let versions = of_config.chain(&self.api_versions);
        Ok(Arc::new(Capabilities {
            kube_version: KubeVersion::parse(&repository.kubernetes)?,
            api_versions: versions.map(|v| v.as_str().into()).collect(),
        }))
    }

    /// Runs `work` with the threads that were asked for.
    pub(super) fn with_jobs<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let Some(jobs) = self.jobs else {
            return work();
        };
        match rayon::ThreadPoolBuilder::new()
            .num_threads(jobs.max(1))
            .build()
        {
            Ok(pool) => pool.install(work),
            Err(_) => work(),
        }
    }
}

/// Reads KIND/NAMESPACE/NAME.
pub(super) fn source_ref(text: &str) -> Option<SourceRef> {
    let parts: Vec<&str> = text.split('/').collect();
    let [kind, namespace, name] = parts[..] else {
        return None;
    };
    Some(SourceRef {
        kind: kind.into(),
        namespace: namespace.into(),
        name: name.into(),
    })
}

/// Refuses a cluster some of whose sources are not locked.
fn check_frozen(cluster: &Cluster, sources: &Sources) -> Result<()> {
    let frozen = |e: Error| e.context("`--frozen`");
    if let Some(local) = sources.local.keys().next() {
        return Err(frozen(Error::new(
            "usage/local-sources",
            format!("`{local}` is given by hand and not locked"),
        )));
    }
    let Some(locked) = &sources.locked else {
        return Ok(());
    };
    for source in cluster.sources() {
        locked.require(&source).map_err(frozen)?;
    }
    let unlocked = cluster.units.iter().find_map(|unit| {
        let error = unit.outcome.as_ref().err()?;
        let rules = ["lock/missing", "lock/stale", "source/unavailable"];
        rules.contains(&error.rule()).then(|| error.clone())
    });
    unlocked.map_or(Ok(()), |e| Err(frozen(e)))
}

pub(super) fn read_config(files: &Files) -> Result<(Config, Span)> {
    if files.kind(config::FILE_NAME)? != Some(Kind::File) {
        return Ok((Config::default(), Span::NONE));
    }
    let text = files.text(config::FILE_NAME)?;
    let config = Config::parse(&text.text, text.file)?;
    Ok((config, Span::new(text.file, 1, 1)))
}

/// Opens a folder or an archive.
pub(super) fn open_source(path: &str, source_map: &Arc<SourceMap>) -> Result<LocalSource> {
    open_watched_source(path, source_map, None)
}

fn watched(tree: DiskTree, place: Place, recorder: Option<&Arc<Recorder>>) -> Arc<dyn Tree> {
    match recorder {
        Some(recorder) => recorder.watch(place, tree),
        None => Arc::new(tree),
    }
}

fn open_watched_source(
    path: &str,
    source_map: &Arc<SourceMap>,
    recorder: Option<&Arc<Recorder>>,
) -> Result<LocalSource> {
    let at = Path::new(path);
    if at.is_dir() {
        let tree = DiskTree::open(at)?.named(path);
        let tree = watched(tree, Place::Folder(path.to_owned()), recorder);
        let files = Files::new(tree, source_map.clone());
        return Ok(LocalSource::folder(path, Arc::new(files)));
    }
    let folder = at.parent().filter(|p| !p.as_os_str().is_empty());
    let folder = DiskTree::open(folder.unwrap_or(Path::new(".")))?;
    let folder = watched(folder, Place::Beside(path.to_owned()), recorder);
    let name = at.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let bytes = folder.read(name).map_err(|_| {
        Error::new(
            "ref/missing",
            format!("no such folder or archive: `{path}`"),
        )
    })?;
    if ![".tgz", ".tar.gz", ".tar"]
        .iter()
        .any(|e| name.ends_with(e))
    {
        return Err(Error::new(
            "file/unreadable",
            format!("`{path}` is neither a folder nor a .tgz, .tar.gz or .tar archive"),
        ));
    }
    Ok(LocalSource::archive(path, bytes, source_map))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_kubernetes_come_in_all_forms() {
        assert_eq!(kube_version("1.36"), Ok("1.36.0".into()));
        assert_eq!(kube_version("v1.36.2"), Ok("1.36.2".into()));
        for wrong in ["1", "1.x", "", "v", "1.2.3.4", "1..2"] {
            assert!(kube_version(wrong).is_err(), "{wrong}");
        }
    }
}
