//! What source-controller makes of a chart before a release sees it: other
//! defaults, another version, dependencies from folders beside it.
//!
//! The files of the chart stay shared, so that its templates are parsed once
//! for all that is made of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::chart::{Chart, ChartFile};
use super::metadata::Dependency;
use super::values::Defaults;
use crate::artifact::{Kind, Tree, path};
use crate::diag::{Error, Result, SourceMap};
use crate::gostd::semver::{Constraints, Version};
use crate::yaml::Map;

impl Chart {
    /// The chart with what source-controller changes.
    #[must_use]
    pub fn repackaged(&self, version: Option<Arc<str>>, defaults: Option<Map>) -> Chart {
        let mut metadata = self.metadata.clone();
        if let Some(version) = version {
            metadata.version = version;
        }
        let values = match defaults {
            Some(map) => Defaults { map, file: None },
            None => Defaults {
                map: self.values.map.clone(),
                file: self.values.file.clone(),
            },
        };
        Chart {
            metadata,
            metadata_file: self.metadata_file.clone(),
            templates: self.templates.clone(),
            files: self.files.clone(),
            values,
            schema: self.schema.clone(),
            parsed_schema: self.parsed_schema.clone(),
            dependencies: self.dependencies.clone(),
            lock: self.lock.clone(),
        }
    }

    /// A file of the chart by its path in it: none of those with a meaning of
    /// their own.
    pub fn file(&self, name: &str) -> Option<&Arc<ChartFile>> {
        self.files.iter().find(|file| file.name == name)
    }

    /// Whether the chart has a `values.yaml`.
    pub fn has_defaults(&self) -> bool {
        self.values.file.is_some()
    }

    /// The chart in a folder of a source, with the dependencies that it lacks:
    /// those in other folders of that source, and those that `download` gives.
    ///
    /// Compat: source-controller `DependencyManager.Build`; what `Chart.lock`
    /// says takes the place of `Chart.yaml`.
    ///
    /// # Errors
    ///
    /// As [`Chart::load`], those of `download`, and `helm/missing-dependency`
    /// for a folder that is not there or holds another version.
    pub fn load_with_dependencies(
        tree: &Arc<dyn Tree>,
        folder: &str,
        download: &Download<'_>,
        sources: &SourceMap,
    ) -> Result<Arc<Chart>> {
        let chart = Chart::load(tree, folder, sources)?;
        if tree.kind(folder)? != Some(Kind::Directory) {
            return Ok(chart);
        }
        let wanted = chart.lock.as_deref();
        let wanted = wanted.or(chart.metadata.dependencies.as_deref());
        let wanted = wanted.unwrap_or_default();
        if wanted.len() == chart.dependencies.len() {
            return Ok(chart);
        }
        let mut missing = BTreeMap::new();
        for dependency in wanted {
            let name = dependency.effective_name();
            let is_there = |c: &Arc<Chart>| c.metadata.name == *name;
            if !chart.dependencies.iter().any(is_there) {
                missing.insert(name.clone(), dependency);
            }
        }
        let mut added = Vec::new();
        for dependency in missing.values() {
            let repository = &*dependency.repository;
            let found = if repository.is_empty() || repository.starts_with("file://") {
                neighbour(&chart, (tree, folder), dependency, sources)?
            } else {
                download(dependency).map_err(|e| {
                    let name = dependency.effective_name();
                    e.at(chart.metadata_file.span(sources, 1, 1))
                        .context(format!(
                            "the dependency `{name}` of chart `{}`",
                            chart.metadata.name
                        ))
                })?
            };
            let mut found = found.repackaged(None, None);
            if !dependency.alias.is_empty() {
                found.metadata.name = dependency.alias.clone();
            }
            added.push(Arc::new(found));
        }
        let mut chart = chart.repackaged(None, None);
        chart.dependencies.extend(added);
        Ok(Arc::new(chart))
    }
}

/// Gives a chart that another one depends on, from its repository.
pub type Download<'a> = dyn Fn(&Dependency) -> Result<Arc<Chart>> + 'a;

/// A dependency in another folder of the chart's source; without a repository,
/// in the chart's own `charts/`.
fn neighbour(
    chart: &Chart,
    (tree, folder): (&Arc<dyn Tree>, &str),
    dependency: &Dependency,
    sources: &SourceMap,
) -> Result<Arc<Chart>> {
    let (name, repository) = (dependency.effective_name(), &*dependency.repository);
    let at = match repository.strip_prefix("file://") {
        Some(beside) => path::join(folder, beside),
        None => path::join(folder, &format!("charts/{}", dependency.name)),
    };
    let Some(at) = at else {
        return Err(wrong(
            chart,
            sources,
            format!("the dependency `{name}` lies outside of the source: `{repository}`"),
        ));
    };
    if tree.kind(&at)?.is_none() {
        return Err(wrong(
            chart,
            sources,
            if repository.is_empty() {
                format!("the dependency `{name}` is not in charts/, and has no repository")
            } else {
                format!("the dependency `{name}` is not there: `{repository}`")
            },
        ));
    }
    let found = Chart::load(tree, &at, sources)?;
    let range = Constraints::parse(&dependency.version).map_err(|_| {
        wrong(
            chart,
            sources,
            format!(
                "the dependency `{name}` has no version range: `{}`",
                dependency.version
            ),
        )
    })?;
    if Version::parse(&found.metadata.version).is_ok_and(|version| range.check(&version)) {
        return Ok(found);
    }
    Err(wrong(
        chart,
        sources,
        format!(
            "the dependency `{name}` is at {}, not {}",
            found.metadata.version, dependency.version
        ),
    ))
}

fn wrong(chart: &Chart, sources: &SourceMap, message: String) -> Error {
    Error::new("helm/missing-dependency", message)
        .at(chart.metadata_file.span(sources, 1, 1))
        .help("see `dependencies` in Chart.yaml")
}
