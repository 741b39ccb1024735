//! Charts from folders and archives.
//!
//! Compat: Helm 4.3.1 `pkg/chart/v2/loader`.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;

use super::archive;
use super::chart::{Chart, ChartFile};
use super::ignore::Rules;
use super::metadata::{self, Dependency, Metadata};
use super::values::Defaults;
use crate::artifact::{Kind, Tree};
use crate::diag::{Error, Result, SourceMap, Span};
use crate::yaml::{self, Value};

/// How deep charts may lie in charts.
const MAX_DEPTH: usize = 32;

impl Chart {
    /// Loads a chart: a folder of a tree, or an archive in it. What is read is
    /// named in `sources` where something is to be said of it.
    ///
    /// # Errors
    ///
    /// `helm/chart-invalid` for what is no chart, `helm/values-invalid` for its
    /// values, and those of [`Tree::read`].
    pub fn load(tree: &Arc<dyn Tree>, path: &str, sources: &SourceMap) -> Result<Arc<Chart>> {
        match tree.kind(path)? {
            Some(Kind::File) => {
                let bytes = tree.read(path)?;
                Chart::from_archive(&bytes, &tree.display(path), sources)
            }
            Some(Kind::Directory) => {
                let files = folder(tree, path, sources)?;
                if !files.iter().any(|file| file.name == "Chart.yaml") {
                    return Err(Error::new(
                        "helm/chart-invalid",
                        format!("`{}` is no chart: it has no Chart.yaml", tree.display(path)),
                    )
                    .help("name the folder that Chart.yaml lies in"));
                }
                chart(files, &tree.display(path), sources, 0)
            }
            None => Err(Error::new(
                "ref/missing",
                format!("no such chart: `{}`", tree.display(path)),
            )),
        }
    }

    /// Loads the chart in a `.tgz`; `display` is the archive's path as users
    /// know it.
    ///
    /// # Errors
    ///
    /// As [`Chart::load`].
    pub fn from_archive(bytes: &[u8], display: &str, sources: &SourceMap) -> Result<Arc<Chart>> {
        chart(unpacked(bytes, display)?, display, sources, 0)
    }

    /// Loads the chart in the tree of an archive, where everything lies in the
    /// chart's folder.
    ///
    /// # Errors
    ///
    /// As [`Chart::load`].
    pub fn from_tree(
        tree: &Arc<dyn Tree>,
        display: &str,
        sources: &SourceMap,
    ) -> Result<Arc<Chart>> {
        let mut files = Vec::new();
        for path in crate::artifact::ignore::regular_files(&**tree)? {
            let name =
                archive::name_in_chart(&path).map_err(|e| e.context(format!("`{display}`")))?;
            files.push(ChartFile::later(name, tree, &path));
        }
        chart(files, display, sources, 0)
    }
}

fn unpacked(bytes: &[u8], display: &str) -> Result<Vec<ChartFile>> {
    let files = archive::files(bytes).map_err(|e| e.context(format!("`{display}`")))?;
    Ok(files
        .into_iter()
        .map(|(name, content)| {
            let shown = format!("{display}/{name}");
            ChartFile::new(name, shown, &content)
        })
        .collect())
}

/// The files of a folder, without those that `.helmignore` leaves out.
fn folder(tree: &Arc<dyn Tree>, root: &str, sources: &SourceMap) -> Result<Vec<ChartFile>> {
    let ignore_file = join(root, ".helmignore");
    let rules = if tree.kind(&ignore_file)? == Some(Kind::File) {
        let bytes = tree.read(&ignore_file)?;
        let text = String::from_utf8_lossy(&bytes);
        match Rules::parse(&text, Span::NONE.file) {
            Ok(rules) => rules,
            Err(e) => {
                let file = sources.add(tree.display(&ignore_file), text.into_owned());
                return Err(e.in_file(file));
            }
        }
    } else {
        Rules::defaults()
    };
    let mut files = Vec::new();
    walk(tree, root, "", &rules, &mut files, 0)?;
    Ok(files)
}

fn join(folder: &str, name: &str) -> String {
    match (folder, name) {
        ("", name) => name.to_owned(),
        // The folder itself.
        (folder, "") => folder.to_owned(),
        (folder, name) => format!("{folder}/{name}"),
    }
}

fn walk(
    tree: &Arc<dyn Tree>,
    root: &str,
    below: &str,
    rules: &Rules,
    files: &mut Vec<ChartFile>,
    depth: usize,
) -> Result<()> {
    if depth > 4 * MAX_DEPTH {
        return Err(Error::new(
            "helm/chart-invalid",
            format!("folders of `{}` nest too deep", tree.display(root)),
        )
        .help("look for a symbolic link to a folder around it"));
    }
    for entry in tree.list(&join(root, below))? {
        let name = join(below, &entry.name);
        let is_folder = entry.kind == Kind::Directory;
        if rules.ignores(&name, is_folder) {
            continue;
        }
        if is_folder {
            walk(tree, root, &name, rules, files, depth + 1)?;
        } else {
            let path = join(root, &name);
            files.push(ChartFile::later(name, tree, &path));
        }
    }
    Ok(())
}

/// Makes a chart of its files.
fn chart(
    files: Vec<ChartFile>,
    display: &str,
    sources: &SourceMap,
    depth: usize,
) -> Result<Arc<Chart>> {
    let invalid = |message: String| Error::new("helm/chart-invalid", message);
    if depth > MAX_DEPTH {
        return Err(invalid(format!("`{display}` lies in too many charts")));
    }
    let mut metadata = Metadata::default();
    let mut parts = Parts::default();
    let mut requirements = None;
    let mut lock = None;
    let mut subcharts: BTreeMap<String, Vec<ChartFile>> = BTreeMap::new();
    for file in files {
        match &*file.name {
            "Chart.yaml" => parts.metadata = Some(Arc::new(file)),
            "Chart.lock" => lock = Some(read_lock(&file, sources)?),
            "values.yaml" => parts.values = Some(Arc::new(file)),
            "values.schema.json" => parts.schema = Some(Arc::new(file)),
            "requirements.yaml" => requirements = Some(Arc::new(file)),
            "requirements.lock" => {
                lock = Some(read_lock(&file, sources)?);
                parts.files.push(Arc::new(file));
            }
            name if name.starts_with("templates/") => parts.templates.push(Arc::new(file)),
            name if name.starts_with("charts/") => {
                let below = name["charts/".len()..].to_owned();
                if below.strip_suffix(".prov").is_some() {
                    parts.files.push(Arc::new(file));
                    continue;
                }
                let folder = below.split('/').next().unwrap_or_default().to_owned();
                subcharts
                    .entry(folder)
                    .or_default()
                    .push(file.renamed(below));
            }
            _ => parts.files.push(Arc::new(file)),
        }
    }
    let Some(metadata_file) = parts.metadata else {
        return Err(invalid(format!("`{display}`: Chart.yaml file is missing"))
            .help("a chart needs a Chart.yaml with apiVersion, name and version"));
    };
    read_metadata(&mut metadata, &metadata_file, sources)?;
    if let Some(file) = requirements {
        read_metadata(&mut metadata, &file, sources)?;
        if &*metadata.api_version == "v1" {
            parts.files.push(file);
        }
    }
    if &*metadata.api_version != "v1" {
        parts.files.retain(|file| file.name != "requirements.lock");
    }
    let at_metadata = || metadata_file.span(sources, 1, 1);
    if !matches!(&*metadata.api_version, "v1" | "v2") {
        return Err(invalid(format!(
            "unsupported chart version `{}`",
            metadata.api_version
        ))
        .at(at_metadata())
        .help("set `apiVersion: v2`"));
    }
    metadata
        .validate()
        .map_err(|message| invalid(format!("validation: {message}")).at(at_metadata()))?;
    let charts: Vec<(String, Vec<ChartFile>)> = subcharts
        .into_iter()
        .filter(|(name, _)| !name.starts_with(['_', '.']))
        .collect();
    let read_values = || match parts.values {
        Some(file) => Defaults::read(file, sources),
        None => Ok(Defaults::default()),
    };
    let read_subchart = |(name, files): (String, Vec<ChartFile>)| {
        subchart(&name, files, display, sources, depth).map_err(|e| {
            let parent = &metadata.name;
            e.context(format!("error unpacking subchart {name} in {parent}"))
        })
    };
    // Values and subcharts are read side by side; the first error counts.
    let (values, dependencies) = if is_worth_threads(charts.len(), MANY_CHARTS) {
        rayon::join(read_values, || {
            let charts = charts.into_par_iter();
            charts.map(read_subchart).collect::<Vec<_>>()
        })
    } else {
        (
            read_values(),
            charts.into_iter().map(read_subchart).collect(),
        )
    };
    Ok(Arc::new(Chart {
        values: values?,
        dependencies: dependencies.into_iter().collect::<Result<_>>()?,
        lock,
        metadata,
        metadata_file,
        templates: parts.templates,
        files: parts.files,
        schema: parts.schema,
        parsed_schema: std::sync::OnceLock::new(),
    }))
}

/// Subcharts that are read by several threads.
const MANY_CHARTS: usize = 4;

/// Whether threads gain more than they cost: many parts are to be worked on, or
/// a thread pool runs already.
pub(super) fn is_worth_threads(parts: usize, many: usize) -> bool {
    parts >= many || parts * 4 >= many && rayon::current_thread_index().is_some()
}

/// The files of a chart by what they are for.
#[derive(Default)]
struct Parts {
    metadata: Option<Arc<ChartFile>>,
    values: Option<Arc<ChartFile>>,
    schema: Option<Arc<ChartFile>>,
    templates: Vec<Arc<ChartFile>>,
    files: Vec<Arc<ChartFile>>,
}

fn subchart(
    name: &str,
    files: Vec<ChartFile>,
    display: &str,
    sources: &SourceMap,
    depth: usize,
) -> Result<Arc<Chart>> {
    let display = format!("{display}/charts/{name}");
    if name.strip_suffix(".tgz").is_some() {
        return match files.into_iter().next() {
            Some(file) if file.name == name => {
                let files = unpacked(&file.bytes()?, &display)?;
                chart(files, &display, sources, depth + 1)
            }
            _ => Err(Error::new(
                "helm/chart-invalid",
                format!("`{display}` is a folder, not an archive"),
            )),
        };
    }
    // A file that lies in charts/ itself is no chart, and has no Chart.yaml.
    let files = files
        .into_iter()
        .filter_map(|file| {
            let below = file.name.split_once('/')?.1.to_owned();
            Some(file.renamed(below))
        })
        .collect();
    chart(files, &display, sources, depth + 1)
}

/// Reads a file of a chart as YAML.
fn read(file: &ChartFile, sources: &SourceMap) -> Result<Value> {
    let text = file.text()?;
    let id = Span::NONE.file;
    let read = yaml::decode_one(&text, id).map(Option::unwrap_or_default);
    read.map_err(|e| {
        let span = file.span(sources, e.span().line, e.span().column);
        Error::new("helm/chart-invalid", e.message().to_owned())
            .at(span)
            .context(format!("cannot load {}", file.name))
    })
}

/// Reads `Chart.lock` or `requirements.lock`.
fn read_lock(file: &ChartFile, sources: &SourceMap) -> Result<Vec<Dependency>> {
    metadata::locked_dependencies(&read(file, sources)?).map_err(|message| {
        Error::new(
            "helm/chart-invalid",
            format!("cannot load {}: {message}", file.name),
        )
        .at(file.span(sources, 1, 1))
    })
}

fn read_metadata(metadata: &mut Metadata, file: &ChartFile, sources: &SourceMap) -> Result<()> {
    let value = read(file, sources)?;
    let result = metadata.read(&value);
    if metadata.api_version.is_empty() {
        // Compat: Helm 2 took charts without one.
        metadata.api_version = Arc::from("v1");
    }
    result.map_err(|message| {
        Error::new(
            "helm/chart-invalid",
            format!("cannot load {}: {message}", file.name),
        )
        .at(file.span(sources, 1, 1))
    })
}
