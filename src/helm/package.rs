//! What source-controller makes of a chart before a release sees it: other
//! defaults, another version, dependencies from folders beside it.
//!
//! The files of the chart stay shared, so that its templates are parsed once
//! for all that is made of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::chart::{Chart, ChartFile};
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

    /// The chart in a folder of a source, with dependencies that lie in other
    /// folders of that source.
    ///
    /// Compat: source-controller `DependencyManager.Build`; what would have to
    /// be downloaded is left for rendering to miss.
    ///
    /// # Errors
    ///
    /// As [`Chart::load`], and `helm/missing-dependency` for a folder that is
    /// not there or holds another version.
    pub fn load_with_neighbours(
        tree: &Arc<dyn Tree>,
        folder: &str,
        sources: &SourceMap,
    ) -> Result<Arc<Chart>> {
        let chart = Chart::load(tree, folder, sources)?;
        if tree.kind(folder)? != Some(Kind::Directory) {
            return Ok(chart);
        }
        let wanted = chart.metadata.dependencies.as_deref().unwrap_or_default();
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
        for (name, dependency) in missing {
            let repository = &*dependency.repository;
            let Some(beside) = repository.strip_prefix("file://") else {
                // Without a repository it is to lie in charts/.
                if !repository.is_empty() {
                    continue;
                }
                return Err(wrong(
                    &chart,
                    sources,
                    format!("the dependency `{name}` is not in charts/, and has no repository"),
                ));
            };
            let Some(at) = path::join(folder, beside) else {
                return Err(wrong(
                    &chart,
                    sources,
                    format!("the dependency `{name}` lies outside of the source: `{repository}`"),
                ));
            };
            if tree.kind(&at)?.is_none() {
                return Err(wrong(
                    &chart,
                    sources,
                    format!("the dependency `{name}` is not there: `{repository}`"),
                ));
            }
            let found = Chart::load(tree, &at, sources)?;
            let range = Constraints::parse(&dependency.version).map_err(|_| {
                wrong(
                    &chart,
                    sources,
                    format!(
                        "the dependency `{name}` has no version range: `{}`",
                        dependency.version
                    ),
                )
            })?;
            let fits =
                Version::parse(&found.metadata.version).is_ok_and(|version| range.check(&version));
            if !fits {
                return Err(wrong(
                    &chart,
                    sources,
                    format!(
                        "the dependency `{name}` is at {}, not {}",
                        found.metadata.version, dependency.version
                    ),
                ));
            }
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

fn wrong(chart: &Chart, sources: &SourceMap, message: String) -> Error {
    Error::new("helm/missing-dependency", message)
        .at(chart.metadata_file.span(sources, 1, 1))
        .help("see `dependencies` in Chart.yaml")
}
