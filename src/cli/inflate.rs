//! Charts that kustomizations name, rendered for `fluxwright kustomize`.
//!
//! A chart lies in the chart home, or is what the lockfile of the repository pins
//! for its address; nothing is fetched.
//!
//! Compat: kustomize 5.8.1 `HelmChartInflationGenerator`: the chart lies in the
//! chart home, its own values file is handed to Helm like one of the user's,
//! and values written out are merged with it before.

use std::sync::Arc;

use super::inputs::asked_of;
use crate::artifact::{Kind, MemoryTree, archive, path};
use crate::diag::{Error, Result, SourceMap};
use crate::helm::{
    Capabilities, Chart, KubeVersion, ReleaseOptions, RenderOptions, UserValues, is_release_name,
    render,
};
use crate::kustomize::{ChartInflator, ChartRequest, HelmChart, chart_place};
use crate::resource::Files;
use crate::source::Locked;
use crate::yaml::{self, Map, Node, Value, resolve::Version};

/// Renders charts from the tree that the kustomization lies in, and from what a
/// lockfile pins.
pub(super) struct LocalCharts {
    /// What is pinned; none where there is no lockfile.
    pub(super) locked: Option<Locked>,
}

/// Where a chart was found.
struct Found {
    /// The files of its archive; none where it lies in the chart home.
    archive: Option<Files>,
    folder: String,
}

impl Found {
    fn files<'a>(&'a self, request: &ChartRequest<'a>) -> &'a Files {
        self.archive.as_ref().unwrap_or(request.files)
    }
}

impl LocalCharts {
    /// The chart as it is locked; none where nothing pins it.
    fn locked(&self, chart: &HelmChart, sources: &Arc<SourceMap>) -> Result<Option<Found>> {
        let Some(locked) = self.locked.as_ref().filter(|_| !chart.repo.is_empty()) else {
            return Ok(None);
        };
        let address = chart.repo.trim_end_matches('/');
        let asked = asked_of(chart);
        let (packed, pin) = locked.dependency(address, None, &asked, chart.span)?;
        let mut tree = MemoryTree::new(format!("{}-{}.tgz", asked.name, pin.version));
        archive::unpack(&packed, &mut tree)?;
        Ok(Some(Found {
            archive: Some(Files::new(Arc::new(tree), sources.clone())),
            folder: asked.name,
        }))
    }

    fn find(&self, request: &ChartRequest<'_>) -> Result<Found> {
        let files = request.files;
        let folder = chart_folder(request)?;
        if files.kind(&folder)? == Some(Kind::Directory) {
            return Ok(Found {
                archive: None,
                folder,
            });
        }
        if let Some(found) = self.locked(request.chart, files.sources())? {
            return Ok(found);
        }
        let help = if request.chart.repo.is_empty() {
            "unpack the chart there: `helm pull --untar --untardir`"
        } else {
            "pin and fetch it with `fluxwright lock`, or unpack it there: `helm pull --untar \
             --untardir`"
        };
        Err(Error::new(
            "kustomize/helm",
            format!(
                "no chart found at `{}`, and nothing is fetched",
                files.display(&folder)
            ),
        )
        .help(help))
    }
}

impl ChartInflator for LocalCharts {
    fn inflate(&self, request: &ChartRequest<'_>) -> Result<Vec<Node>> {
        let chart = request.chart;
        let found = self.find(request)?;
        let sources = request.files.sources();
        let loaded = Chart::load(found.files(request).tree(), &found.folder, sources)?;
        let values = values(request, &found, sources)?;
        let release = ReleaseOptions::new(release_name(request)?, &*namespace(&chart.namespace));
        let mut capabilities = Capabilities::default();
        if !chart.kube_version.is_empty() {
            capabilities.kube_version = KubeVersion::parse(&chart.kube_version)?;
        }
        capabilities.api_versions = (chart.api_versions.iter())
            .map(|version| Arc::from(&**version))
            .collect();
        let rendered = render(
            &loaded,
            &values,
            &release,
            &Arc::new(capabilities),
            &RenderOptions::default(),
            sources,
        )?;
        let mut nodes = Vec::new();
        if chart.include_crds {
            for definition in &rendered.definitions {
                let bytes = definition.file.bytes()?;
                let text = yaml::text::decode(&bytes)?;
                let file = definition.file.span(sources, 1, 1).file;
                nodes.extend(yaml::parse(&text, file)?.into_iter().map(|d| d.root));
            }
        }
        let hooks = (rendered.hooks.iter())
            .filter(|hook| !(chart.skip_hooks || chart.skip_tests && hook.is_test()))
            .map(|hook| &hook.manifest);
        for manifest in rendered.manifests.iter().chain(hooks) {
            let shown = manifest.origin.line(1, sources);
            let documents = yaml::parse(&manifest.content, shown.file)
                .map_err(|e| e.moved(shown).context(manifest.path.to_string()))?;
            nodes.extend(documents.into_iter().map(|d| d.root));
        }
        // A chart may write nothing between two markers.
        nodes.retain(|node| !node.is_null());
        Ok(nodes)
    }
}

fn namespace(given: &str) -> Arc<str> {
    if given.is_empty() { "default" } else { given }.into()
}

/// The folder of the chart.
fn chart_folder(request: &ChartRequest<'_>) -> Result<String> {
    let chart = request.chart;
    if chart.name.is_empty() {
        return Err(Error::new("kustomize/helm", "chart name cannot be empty"));
    }
    chart_place(chart, request.globals, request.folder).ok_or_else(|| escape(&chart.name))
}

fn join(folder: &str, name: &str) -> Result<String> {
    path::join(folder, name).ok_or_else(|| escape(name))
}

fn escape(name: &str) -> Error {
    Error::new(
        "kustomize/helm",
        format!("`{name}` leads out of the repository"),
    )
    .help("name a folder below the kustomization's")
}

fn release_name(request: &ChartRequest<'_>) -> Result<Arc<str>> {
    let chart = request.chart;
    if !chart.name_template.is_empty() {
        return Err(Error::new(
            "kustomize/helm",
            "`nameTemplate` of a chart is not supported",
        )
        .help("give the release a name by `releaseName`"));
    }
    // Compat: kustomize lets Helm make up a name, with the time in it.
    let name = match &*chart.release_name {
        "" => format!("{}-0", &*chart.name),
        name => name.to_owned(),
    };
    if !is_release_name(&name) {
        return Err(Error::new(
            "helm/release-name",
            format!("`{name}` is no name of a release"),
        )
        .help("use at most 53 lower-case letters, digits and `-`"));
    }
    Ok(name.into())
}

/// The values of the release.
fn values(request: &ChartRequest<'_>, found: &Found, sources: &SourceMap) -> Result<UserValues> {
    let (chart, files) = (request.chart, request.files);
    let (main_files, main) = match &*chart.values_file {
        "" => (found.files(request), join(&found.folder, "values.yaml")?),
        file => (files, join(request.folder, file)?),
    };
    let mut values = UserValues::new();
    match &chart.values_inline {
        Some(inline) if !inline.entries().is_empty() => {
            let inline = mapping(inline)?;
            let merged = match &*chart.values_merge {
                "replace" => inline,
                "" | "override" => merged(file_values(main_files, &main)?, inline),
                "merge" => merged(inline, file_values(main_files, &main)?),
                other => {
                    return Err(Error::new(
                        "kustomize/helm",
                        format!("`valuesMerge` cannot be `{other}`"),
                    )
                    .help("write `merge`, `override` or `replace`"));
                }
            };
            let mut text = String::new();
            yaml::emit::sorted_value(&Value::Mapping(merged), &mut text)?;
            let file = sources.add(format!("values of chart {}", &*chart.name), text.clone());
            values.add_file(text.into(), file)?;
        }
        _ => add_file(&mut values, main_files, &main, sources)?,
    }
    for file in &chart.additional_values_files {
        add_file(&mut values, files, &join(request.folder, file)?, sources)?;
    }
    Ok(values)
}

fn add_file(
    values: &mut UserValues,
    files: &Files,
    place: &str,
    sources: &SourceMap,
) -> Result<()> {
    let text = yaml::text::decode(&files.bytes(place)?)?.into_owned();
    let file = sources.add(files.display(place), text.clone());
    values.add_file(text.into(), file)
}

fn file_values(files: &Files, place: &str) -> Result<Map> {
    let text = yaml::text::decode(&files.bytes(place)?)?.into_owned();
    match yaml::parse_one(&text, crate::diag::FileId::default())? {
        Some(node) => mapping(&node),
        None => Ok(Map::new()),
    }
}

fn mapping(node: &Node) -> Result<Map> {
    match yaml::decode(node, Version::V3)? {
        Value::Mapping(map) => Ok(map),
        _ => Err(Error::new("kustomize/helm", "values must be a mapping").at(node.span())),
    }
}

/// Values over others: mappings merge, a null takes away, everything else
/// takes the place of what was there.
fn merged(mut weaker: Map, stronger: Map) -> Map {
    for (key, value) in stronger {
        match (weaker.remove(&key), value) {
            (_, Value::Null) => {}
            (Some(Value::Mapping(old)), Value::Mapping(new)) => {
                weaker.insert(key, Value::Mapping(merged(old, new)));
            }
            (_, value) => {
                weaker.insert(key, value);
            }
        }
    }
    weaker
}
