//! Charts: which one a release means, loaded once for all releases.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::facts::Facts;
use super::{Context, Objects};
use crate::artifact::{Digest, Hasher, Kind, path};
use crate::diag::{Error, Result, Span};
use crate::flux::api::{ChartOrigin, ChartSpec, SourceRef, SourceSpec};
use crate::gostd::semver::{self, Version};
use crate::helm::values as chart_values;
use crate::helm::{Chart, Dependency};
use crate::lock::ChartRequest;
use crate::pipeline::composed;
use crate::pipeline::source::LocalSource;
use crate::resource::Files;
use crate::yaml::Map;

/// How much of a digest a version tells.
const SHORT_DIGEST: usize = 12;

/// The charts that were loaded so far; shared by all threads.
#[derive(Debug, Default)]
pub(crate) struct Charts {
    loaded: Mutex<BTreeMap<String, Result<Loaded>>>,
    pub(super) facts: Facts,
}

/// A chart that was loaded.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    pub(super) chart: Arc<Chart>,
    /// A digest of all that it was loaded from; none where that is not known.
    pub(super) identity: Option<Digest>,
}

impl Charts {
    /// The chart of a release.
    ///
    /// # Errors
    ///
    /// `source/unavailable` where its source is not at hand, `ref/missing` and
    /// `source/version` where that has no such chart, and as [`Chart::load`].
    pub(super) fn find(&self, origin: &ChartOrigin, context: &Context<'_>) -> Result<Loaded> {
        match origin {
            ChartOrigin::Template(spec) => self.of_spec(spec, context),
            ChartOrigin::Reference { source, span } if &*source.kind == "HelmChart" => {
                let spec = helm_chart(source, context.objects)
                    .ok_or_else(|| no_helm_chart(source, *span))?;
                self.of_spec(&spec, context)
            }
            ChartOrigin::Reference { source, span } => self.of_source(source, *span, context),
        }
    }

    /// How much the chart of a release holds, in bytes; none where it cannot be
    /// loaded.
    pub(crate) fn size(&self, origin: &ChartOrigin, context: &Context<'_>) -> usize {
        let loaded = self.find(origin, context);
        loaded.map_or(0, |loaded| loaded.chart.size())
    }

    /// Loads the charts of releases, each once, in parallel.
    pub(crate) fn load<'o>(
        &self,
        origins: impl Iterator<Item = &'o ChartOrigin>,
        context: &Context<'_>,
    ) {
        let mut distinct: BTreeMap<String, &ChartOrigin> = BTreeMap::new();
        for origin in origins {
            let name = match origin {
                ChartOrigin::Reference { source, .. } => context.sources.key_of(source),
                ChartOrigin::Template(spec) => {
                    let chart = spec.chart.text().unwrap_or_default();
                    let source = context.sources.key_of(&spec.source);
                    format!("{source} {chart} {}", spec.version)
                }
            };
            distinct.entry(name).or_insert(origin);
        }
        let distinct: Vec<&ChartOrigin> = distinct.into_values().collect();
        // Errors are kept, and told by the releases that meet them.
        distinct.into_par_iter().for_each(|origin| {
            let _ = self.find(origin, context);
        });
    }

    /// Loads a chart, unless it is there.
    ///
    /// Nothing is locked meanwhile: loading uses the thread pool, and a thread
    /// that waits there may be given a release that needs this very chart.
    fn once(&self, key: String, load: impl FnOnce() -> Result<Loaded>) -> Result<Loaded> {
        let lock = || self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = lock().get(&key) {
            return loaded.clone();
        }
        let loaded = load();
        lock().entry(key).or_insert(loaded).clone()
    }

    /// A chart in an archive, whatever it is called.
    fn of_archive(&self, archive: &[u8], display: &str, context: &Context<'_>) -> Result<Loaded> {
        // Several sources may hold the same.
        let digest = Digest::of(archive);
        self.once(format!("{display} {digest}"), || {
            let sources = &context.options.source_map;
            Ok(Loaded {
                chart: Chart::from_archive(archive, display, sources)?,
                identity: Some(digest),
            })
        })
    }

    /// A source that is a chart.
    fn of_source(&self, source: &SourceRef, span: Span, context: &Context<'_>) -> Result<Loaded> {
        let sources = &context.options.source_map;
        // Before what another cluster may have loaded, with other keys.
        context.sources.verify(source).map_err(|e| e.at(span))?;
        let key = context.sources.key_of(source);
        let Some(local) = context.sources.local.get(source) else {
            return self.of_locked(source, key, span, context);
        };
        self.once(key, || {
            if let Some(bytes) = local.packed() {
                return self.of_archive(bytes, &local.path, context);
            }
            let files = local.files()?;
            let folder = chart_folder(files)?.ok_or_else(|| {
                Error::new(
                    "ref/missing",
                    format!("`{}` holds no chart: no Chart.yaml", local.path),
                )
            })?;
            let chart = Chart::load(files.tree(), &folder, sources)?;
            Ok(of_files(chart, files, &folder, context))
        })
        .map_err(|e| e.at(span))
    }

    fn of_spec(&self, spec: &ChartSpec, context: &Context<'_>) -> Result<Loaded> {
        let is_repository = &*spec.source.kind == "HelmRepository";
        context
            .sources
            .verify_chart(spec, &ChartRequest::of(spec))?;
        let loaded = if is_repository {
            self.of_repository(spec, context)?
        } else {
            self.of_tree(spec, context)?
        };
        let revision = revision_of(spec, context);
        if spec.values_files.is_empty() && revision.is_none() {
            return Ok(loaded);
        }
        let names = spec.values_files.iter().filter_map(|n| n.text());
        let key = format!(
            "{} {} {} {} {:?} {revision:?}",
            context.sources.key_of(&spec.source),
            spec.chart.text().unwrap_or_default(),
            loaded.chart.metadata().version,
            spec.ignores_missing_values_files,
            names.collect::<Vec<_>>(),
        );
        self.once(key, || {
            let chart = &loaded.chart;
            let values = if spec.values_files.is_empty() {
                None
            } else {
                Some(merged_values(chart, spec, is_repository, context)?)
            };
            let identity = match loaded.identity {
                Some(chart) if is_repository => Some(chart),
                Some(chart) => Some(with_values_of_source(chart, spec, context)?),
                None => None,
            };
            let identity = identity.map(|identity| match &revision {
                Some(revision) => with_text(identity, revision),
                None => identity,
            });
            // A new HelmChart has the generation 1.
            let generation = values.is_some().then(|| "1".to_owned());
            let parts: Vec<String> = revision.into_iter().chain(generation).collect();
            let version = match Version::parse(&chart.metadata().version) {
                Ok(version) => with_build(&version, &parts.join(".")),
                Err(_) => chart.metadata().version.to_string(),
            };
            Ok(Loaded {
                chart: Arc::new(chart.repackaged(Some(version.into()), values)),
                identity,
            })
        })
    }

    /// A chart at a path in a tree.
    fn of_tree(&self, spec: &ChartSpec, context: &Context<'_>) -> Result<Loaded> {
        let name = spec.chart.text().unwrap_or_default();
        let files = context.sources.resolve(&spec.source, spec.source_span)?;
        let key = format!("{} {name}", context.sources.key_of(&spec.source));
        self.once(key, || {
            let folder = path::join("", name.trim_start_matches('/')).unwrap_or_default();
            let sources = &context.options.source_map;
            let has_more = Cell::new(false);
            let download = |dependency: &Dependency| {
                has_more.set(true);
                self.dependency(dependency, spec, context)
            };
            let chart = Chart::load_with_dependencies(files.tree(), &folder, &download, sources)
                .map_err(|e| e.at(spec.chart.span()))?;
            let loaded = of_files(chart, &files, &folder, context);
            Ok(Loaded {
                identity: loaded.identity.filter(|_| !has_more.get()),
                chart: loaded.chart,
            })
        })
    }

    /// The version of a chart that a repository's range asks for.
    fn of_repository(&self, spec: &ChartSpec, context: &Context<'_>) -> Result<Loaded> {
        let Some(local) = context.sources.local.get(&spec.source) else {
            return self.of_locked_repository(spec, context);
        };
        self.of_folder(local, &spec.source, &Wanted::of(spec), context)
    }

    /// The version of a chart that a folder of archives has for a range.
    fn of_folder(
        &self,
        local: &LocalSource,
        source: &SourceRef,
        wanted: &Wanted<'_>,
        context: &Context<'_>,
    ) -> Result<Loaded> {
        let (files, file) = in_folder(local, wanted)?;
        let key = format!("{} {file}", context.sources.key_of(source));
        self.once(key, || {
            let chart = Chart::load(files.tree(), &file, &context.options.source_map)?;
            let identity = context.options.reuse.as_ref().map(|_| files.digest(&file));
            Ok(Loaded { chart, identity })
        })
    }

    /// A chart that one in a tree depends on and that does not lie there.
    ///
    /// Compat: source-controller `namespacedChartRepositoryCallback`: with what
    /// a HelmRepository of the same address and namespace says, else without
    /// any login.
    fn dependency(
        &self,
        dependency: &Dependency,
        spec: &ChartSpec,
        context: &Context<'_>,
    ) -> Result<Arc<Chart>> {
        let address = dependency.repository.trim_end_matches('/');
        let span = spec.chart.span();
        if !["https://", "http://", "oci://"]
            .iter()
            .any(|s| address.starts_with(s))
        {
            return Err(Error::new(
                "helm/missing-dependency",
                format!("it is in `{address}`, which is no address"),
            )
            .at(span)
            .help("Flux takes `https://`, `oci://` and `file://`, and no names of repositories"));
        }
        let sources = context.sources;
        let declared = sources.repository_at(address, &spec.source.namespace);
        if let Some(source) = declared
            && let Some(local) = sources.local.get(&source.id)
        {
            let wanted = Wanted {
                name: &dependency.name,
                range: &dependency.version,
                span,
                range_span: span,
            };
            return Ok(self.of_folder(local, &source.id, &wanted, context)?.chart);
        }
        let Some(locked) = &sources.locked else {
            return Err(Error::new(
                "source/unavailable",
                format!(
                    "the chart `{}` of `{address}` is not at hand",
                    dependency.name
                ),
            )
            .at(span)
            .help("pin and fetch it with `fluxwright lock`, or put it into the chart's charts/"));
        };
        let request = ChartRequest {
            name: dependency.name.to_string(),
            range: dependency.version.to_string(),
        };
        let (archive, pin) = locked.dependency(address, declared, &request, span)?;
        let display = format!("{}-{}.tgz", request.name, pin.version);
        let loaded = self.of_archive(&archive, &display, context);
        Ok(loaded.map_err(|e| e.at(span))?.chart)
    }
}

impl Charts {
    /// The chart that the lockfile pins for a range.
    fn of_locked_repository(&self, spec: &ChartSpec, context: &Context<'_>) -> Result<Loaded> {
        let (locked, declared) = context.sources.locked(&spec.source, spec.source_span)?;
        let request = ChartRequest::of(spec);
        let (archive, pin) = locked.chart(declared, &request, spec.chart.span())?;
        // By content: two clusters may have sources of one name.
        self.once(pin.digest.to_string(), || {
            let display = format!("{}-{}.tgz", request.name, pin.version);
            self.of_archive(&archive, &display, context)
                .map_err(|e| e.at(spec.chart.span()))
        })
    }

    /// The chart that a locked artifact is, that its layer holds, or that is
    /// composed here; `key` is what the source is known by.
    fn of_locked(
        &self,
        source: &SourceRef,
        key: String,
        span: Span,
        context: &Context<'_>,
    ) -> Result<Loaded> {
        if composed::is_artifact(source) {
            let artifact = context.sources.artifact(source, span)?;
            let display = source.to_string();
            let tree = artifact.files.tree();
            let chart = Chart::from_tree(tree, &display, &context.options.source_map)
                .map_err(|e| e.at(span))?;
            return Ok(Loaded {
                chart: with_revision(&chart, &artifact.pin.revision, span)?,
                identity: None,
            });
        }
        let (locked, declared) = context.sources.locked(source, span)?;
        let sources = &context.options.source_map;
        if !matches!(declared.spec, SourceSpec::Oci(_)) {
            let loaded = self.once(key, || {
                let files = context.sources.resolve(source, span)?;
                let chart = Chart::load(files.tree(), "", sources)?;
                Ok(of_files(chart, &files, "", context))
            });
            return loaded.map_err(|e| e.at(span));
        }
        let (archive, pin) = locked.chart_layer(declared).map_err(|e| e.at(span))?;
        // By content: many sources may name one chart.
        let display = format!("{}@{}", path::name(&declared.url), pin.revision);
        let loaded = self
            .of_archive(&archive, &display, context)
            .map_err(|e| e.at(span))?;
        Ok(Loaded {
            chart: with_revision(&loaded.chart, &pin.revision, span)?,
            identity: loaded.identity.map(|i| with_text(i, &pin.revision)),
        })
    }
}

/// A chart that is wanted of a folder of archives.
pub(super) struct Wanted<'w> {
    name: &'w str,
    range: &'w str,
    span: Span,
    range_span: Span,
}

impl<'w> Wanted<'w> {
    pub(super) fn of(spec: &'w ChartSpec) -> Wanted<'w> {
        Wanted {
            name: path::name(spec.chart.text().unwrap_or_default()),
            range: &spec.version,
            span: spec.chart.span(),
            range_span: spec.version_span,
        }
    }
}

/// The archive in a folder of them that a range asks for.
pub(super) fn in_folder<'l>(
    local: &'l LocalSource,
    wanted: &Wanted<'_>,
) -> Result<(&'l Arc<Files>, String)> {
    let Wanted { name, range, .. } = wanted;
    let files = local.files()?;
    let candidates = candidates(files, name)?;
    let versions: Vec<&str> = candidates.iter().map(|(v, _)| v.as_str()).collect();
    let chosen = semver::chart_version(&versions, range).map_err(|e| {
        Error::new("source/version", e.to_string())
            .at(wanted.range_span)
            .help("write a range such as `>=1.2.0 <2.0.0`, `^1.2.0` or `1.2.x`")
    })?;
    let Some((_, file)) = chosen.and_then(|i| candidates.get(i)) else {
        let error = if candidates.is_empty() {
            Error::new(
                "ref/missing",
                format!("`{}` has no chart `{name}`", local.path),
            )
            .at(wanted.span)
            .help(format!("put `{name}-VERSION.tgz` there"))
        } else {
            Error::new(
                "source/version",
                format!("no version of `{name}` is in the range `{range}`"),
            )
            .at(wanted.range_span)
            .help(format!("there is {}", versions.join(", ")))
        };
        return Err(error);
    };
    Ok((files, file.clone()))
}

pub(super) fn no_helm_chart(source: &SourceRef, span: Span) -> Error {
    Error::new("ref/missing", format!("there is no `{source}`"))
        .at(span)
        .help("add the HelmChart, or name another one in `spec.chartRef`")
}

/// An identity with a text that goes into the chart, too.
fn with_text(identity: Digest, text: &str) -> Digest {
    let mut hasher = Hasher::default();
    hasher.update(identity.as_bytes());
    hasher.update(text.as_bytes());
    hasher.finish()
}

/// The chart with the digest of its artifact in its version.
///
/// Compat: helm-controller `mutateChartWithSourceRevision`.
fn with_revision(chart: &Chart, revision: &str, span: Span) -> Result<Arc<Chart>> {
    let written = &chart.metadata().version;
    let mismatch = |message: String| {
        Error::new("helm/chart-invalid", message)
            .at(span)
            .help("Flux refuses it: the tag of a chart is the chart's version")
    };
    let version = Version::parse(written)
        .map_err(|e| mismatch(format!("the chart's version `{written}` is none: {e}")))?;
    let (tag, digest) = revision.split_once('@').unwrap_or(("", revision));
    if let Ok(tagged) = Version::parse(&tag.replace('_', "+"))
        && tagged != version
    {
        return Err(mismatch(format!(
            "the tag `{tag}` is not the chart's version `{written}`"
        )));
    }
    let hex = digest.rsplit(':').next().unwrap_or_default();
    let Some(short) = hex.get(..SHORT_DIGEST) else {
        return Err(mismatch(format!("`{revision}` has no digest")));
    };
    Ok(Arc::new(chart.repackaged(
        Some(with_build(&version, short).into()),
        None,
    )))
}

/// What a chart's version tells of its source's revision; none where it tells
/// nothing, or the source has no revision here.
///
/// Compat: source-controller `buildFromTarballArtifact`.
fn revision_of(spec: &ChartSpec, context: &Context<'_>) -> Option<String> {
    if !spec.follows_revision || !matches!(&*spec.source.kind, "GitRepository" | "Bucket") {
        return None;
    }
    let pin = context.sources.pin(&spec.source)?;
    let hex = pin.revision.rsplit(':').next().unwrap_or_default();
    hex.get(..SHORT_DIGEST).map(str::to_owned)
}

/// A chart in a folder, with a digest of all that lies there. What lies beside
/// it, and belongs to it, is not known.
fn of_files(chart: Arc<Chart>, files: &Files, folder: &str, context: &Context<'_>) -> Loaded {
    let dependencies = chart.metadata().dependencies.as_deref();
    let mut dependencies = dependencies.unwrap_or_default().iter();
    let is_known = context.options.reuse.is_some()
        && !dependencies.any(|dependency| dependency.repository.starts_with("file:"));
    let identity = is_known.then(|| digest_of_folder(files, folder)).flatten();
    Loaded { chart, identity }
}

/// A digest of all files in a folder; none where links are in it.
fn digest_of_folder(files: &Files, folder: &str) -> Option<Digest> {
    let mut hasher = Hasher::default();
    let mut open = vec![folder.to_owned()];
    while let Some(at) = open.pop() {
        for entry in files.list(&at).ok()? {
            let path = path::join(&at, &entry.name).filter(|_| !entry.is_symlink)?;
            match entry.kind {
                Kind::Directory => open.push(path),
                Kind::File => {
                    hasher.update(path.as_bytes());
                    hasher.update(b"\0");
                    hasher.update(files.digest(&path).as_bytes());
                }
            }
        }
    }
    Some(hasher.finish())
}

/// The digest of a chart with those of values files beside it.
fn with_values_of_source(chart: Digest, spec: &ChartSpec, context: &Context<'_>) -> Result<Digest> {
    let files = context.sources.resolve(&spec.source, spec.source_span)?;
    let mut hasher = Hasher::default();
    hasher.update(chart.as_bytes());
    for name in spec.values_files.iter().filter_map(|name| name.text()) {
        let clean = path::join("", name.trim_start_matches('/')).unwrap_or_default();
        hasher.update(files.digest(&clean).as_bytes());
    }
    Ok(hasher.finish())
}

/// The HelmChart that is referred to.
pub(super) fn helm_chart(source: &SourceRef, objects: &Objects<'_>) -> Option<ChartSpec> {
    if &*source.kind != "HelmChart" {
        return None;
    }
    let object = objects.get(&source.kind, &source.namespace, &source.name)?;
    ChartSpec::read(object).ok()
}

/// The versions of a chart in a folder of archives, with their paths.
fn candidates(files: &Files, name: &str) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for entry in files.list("")? {
        let version = entry
            .name
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('-'))
            .and_then(|rest| rest.strip_suffix(".tgz"));
        if let Some(version) = version.filter(|v| Version::parse(v).is_ok()) {
            found.push((version.to_owned(), entry.name.clone()));
        }
    }
    Ok(found)
}

/// The folder that Chart.yaml is in: the root, or the one folder there is.
fn chart_folder(files: &Files) -> Result<Option<String>> {
    if files.kind("Chart.yaml")? == Some(Kind::File) {
        return Ok(Some(String::new()));
    }
    let entries = files.list("")?;
    let mut folders = entries.iter().filter(|e| e.kind == Kind::Directory);
    let (Some(only), None) = (folders.next(), folders.next()) else {
        return Ok(None);
    };
    let is_chart = files.kind(&format!("{}/Chart.yaml", only.name))? == Some(Kind::File);
    Ok(is_chart.then(|| only.name.clone()))
}

/// The defaults that `valuesFiles` makes.
///
/// Compat: source-controller `mergeChartValues` and `mergeFileValues`: paths
/// count from the chart for repositories of charts, from the root of the source
/// otherwise.
fn merged_values(
    chart: &Chart,
    spec: &ChartSpec,
    is_repository: bool,
    context: &Context<'_>,
) -> Result<Map> {
    let mut merged = Map::new();
    for name in &spec.values_files {
        let text = name.text().unwrap_or_default();
        let missing = || {
            Error::new("ref/missing", format!("there is no values file `{text}`"))
                .at(name.span())
                .help("set `ignoreMissingValuesFiles` where it may be missing")
        };
        let clean = path::join("", text.trim_start_matches('/')).unwrap_or_default();
        let found = if is_repository {
            of_chart(chart, &clean, context)?
        } else {
            of_source(&clean, spec, context)?
        };
        match found {
            Some(map) => chart_values::merge(&mut merged, map),
            None if spec.ignores_missing_values_files => {}
            None => return Err(missing()),
        }
    }
    if !chart.has_defaults() {
        return Err(Error::new(
            "helm/chart-invalid",
            "the chart has no values.yaml, which `valuesFiles` could replace",
        )
        .at(spec.chart.span()));
    }
    Ok(merged)
}

/// A version with other build metadata.
fn with_build(version: &Version, build: &str) -> String {
    let mut text = format!(
        "{}.{}.{}",
        version.major(),
        version.minor(),
        version.patch()
    );
    if !version.prerelease().is_empty() {
        text.push('-');
        text.push_str(version.prerelease());
    }
    text.push('+');
    text.push_str(build);
    text
}

fn of_chart(chart: &Chart, name: &str, context: &Context<'_>) -> Result<Option<Map>> {
    if name == "values.yaml" {
        return Ok(Some(chart.defaults().map.clone()));
    }
    let Some(file) = chart.file(name) else {
        return Ok(None);
    };
    let bytes = file.bytes()?;
    let id = file.span(&context.options.source_map, 1, 1).file;
    super::values::read(&String::from_utf8_lossy(&bytes), id).map(Some)
}

fn of_source(name: &str, spec: &ChartSpec, context: &Context<'_>) -> Result<Option<Map>> {
    let files = context.sources.resolve(&spec.source, spec.source_span)?;
    if files.kind(name)? != Some(Kind::File) {
        return Ok(None);
    }
    let text = files.text(name)?;
    super::values::read(&text.text, text.file).map(Some)
}
