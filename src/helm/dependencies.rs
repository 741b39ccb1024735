//! Which of its subcharts a chart has for given values, and under which names.
//!
//! Compat: Helm 4.3.1 `pkg/chart/v2/util/dependencies.go`.

use std::sync::Arc;

use super::chart::Chart;
use super::coalesce::{self, Nulls, Warnings, deep_copy, merge_tables, table};
use super::metadata::Dependency;
use crate::gostd::semver::{Constraints, Version};
use crate::gotmpl::value::{Entries, Map, Text, Value};
use crate::yaml;

/// A chart with its place among others, as one release has it.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    /// The chart.
    pub(super) chart: Arc<Chart>,
    /// Its name, or the alias that it goes by.
    pub(super) name: Arc<str>,
    /// The dependencies of its metadata that are on; none where there are
    /// none.
    pub(super) declared: Option<Vec<Dependency>>,
    /// The charts below it.
    pub(super) dependencies: Vec<Instance>,
    /// Its defaults together with what it imports, where that was worked out.
    imported: Option<Map>,
}

impl Instance {
    /// A chart and all below it.
    pub(super) fn new(chart: &Arc<Chart>) -> Instance {
        Instance {
            chart: chart.clone(),
            name: chart.metadata().name.clone(),
            declared: chart.metadata().dependencies.clone(),
            dependencies: chart.dependencies().iter().map(Instance::new).collect(),
            imported: None,
        }
    }

    /// Its defaults, in tables of their own.
    pub(super) fn values(&self) -> Map {
        match &self.imported {
            Some(values) => deep_copy(values),
            None => self.chart.default_values(),
        }
    }

    /// Takes away what is off, and works out what is imported.
    pub(super) fn process(&mut self, user: &Map, warnings: &mut Warnings) -> Result<(), String> {
        self.switch(user, "", warnings)?;
        self.import(warnings)
    }

    /// Takes away the dependencies that tags and conditions switch off.
    fn switch(&mut self, user: &Map, path: &str, warnings: &mut Warnings) -> Result<(), String> {
        let Some(mut declared) = self.declared.take() else {
            return Ok(());
        };
        let present = std::mem::take(&mut self.dependencies);
        let undeclared = present.iter().filter(|chart| {
            !declared
                .iter()
                .any(|d| chart.name == d.name && chart.has_version(&d.version))
        });
        let mut charts: Vec<Instance> = undeclared.cloned().collect();
        for dependency in &mut declared {
            let found = present.iter().find(|chart| {
                chart.name == dependency.name && chart.has_version(&dependency.version)
            });
            if let Some(found) = found {
                let mut chart = found.clone();
                if !dependency.alias.is_empty() {
                    chart.name = dependency.alias.clone();
                }
                charts.push(chart);
            }
            if !dependency.alias.is_empty() {
                dependency.name = dependency.alias.clone();
            }
        }
        self.dependencies = charts;
        // Conditions and tags look at the declared dependencies as they are.
        let values = coalesce::values(self, user, Nulls::Delete, warnings)?;
        for dependency in &mut declared {
            dependency.enabled = true;
        }
        apply_tags(&mut declared, &values, warnings);
        apply_conditions(&mut declared, &values, path, warnings);
        let is_off = |name: &Arc<str>| declared.iter().any(|d| !d.enabled && d.name == *name);
        self.dependencies.retain(|chart| !is_off(&chart.name));
        let on: Vec<Dependency> = declared
            .iter()
            .filter(|d| !is_off(&d.name))
            .cloned()
            .collect();
        for chart in &mut self.dependencies {
            let path = format!("{path}{}.", chart.name);
            chart.switch(&values, &path, warnings)?;
        }
        self.declared = (!on.is_empty()).then_some(on);
        Ok(())
    }

    /// Whether a range allows its version.
    fn has_version(&self, range: &str) -> bool {
        is_compatible(range, &self.chart.metadata().version)
    }

    /// Works out the defaults together with what dependencies export, from
    /// the bottom up.
    fn import(&mut self, warnings: &mut Warnings) -> Result<(), String> {
        for chart in &mut self.dependencies {
            chart.import(warnings)?;
        }
        let Some(mut declared) = self.declared.take() else {
            return Ok(());
        };
        let nothing = Map::any(Entries::new());
        let values = coalesce::values(self, &nothing, Nulls::Keep, warnings)?;
        let imports = Map::any(Entries::new());
        for dependency in &mut declared {
            let name = dependency.name.clone();
            let mut kept = Vec::new();
            for import in &dependency.import_values {
                let (child, parent) = match import {
                    yaml::Value::Mapping(map) => {
                        let field = |key: &str| match map.get(key) {
                            Some(value) => crate::gotmpl::show_value(&Value::from_json(value)),
                            None => "<nil>".to_owned(),
                        };
                        (field("child"), field("parent"))
                    }
                    yaml::Value::String(export) => (format!("exports.{export}"), ".".to_owned()),
                    _ => continue,
                };
                kept.push(import_value(&child, &parent));
                let Some(found) = table_at(&values, &format!("{name}.{child}")) else {
                    warnings.push(format!(
                        "import-values: chart `{name}` has no table `{child}`"
                    ));
                    continue;
                };
                let placed = match (import, &*parent) {
                    (yaml::Value::Mapping(_), parent) if parent != "." => nest(parent, found),
                    _ => found,
                };
                merge_tables(&imports, &placed, "", Nulls::Keep, warnings);
            }
            dependency.import_values = kept;
        }
        // What the parent says itself counts more than what it imports.
        let own = if imports.is_empty() {
            values
        } else {
            let own = deep_copy(&values);
            merge_tables(&own, &imports, "", Nulls::Keep, warnings);
            own
        };
        self.imported = Some(own);
        self.declared = Some(declared);
        Ok(())
    }
}

/// How an import is shown to templates.
fn import_value(child: &str, parent: &str) -> yaml::Value {
    let entry = |key: &str, value: &str| (Arc::from(key), yaml::Value::String(value.into()));
    yaml::Value::Mapping([entry("child", child), entry("parent", parent)].into())
}

/// Tables within each other, with one at the end of the path.
fn nest(path: &str, table: Map) -> Map {
    path.split('.').rev().fold(table, |inner, key| {
        Map::any([(Text::from(key), inner.into())].into())
    })
}

/// The table behind a path.
pub(super) fn table_at(values: &Map, path: &str) -> Option<Map> {
    path.split('.')
        .try_fold(values.clone(), |map, key| match map.get(key.as_bytes()) {
            Some(Value::Map(inner)) => Some(inner),
            _ => None,
        })
}

/// The value behind a path, unless it is a table.
fn value_at(values: &Map, path: &str) -> Option<Value> {
    let (map, key) = match path.rsplit_once('.') {
        Some((table, key)) => (table_at(values, table)?, key),
        None => (values.clone(), path),
    };
    map.get(key.as_bytes())
        .filter(|value| table(Some(value)).is_none())
}

fn apply_tags(declared: &mut [Dependency], values: &Map, warnings: &mut Warnings) {
    let Some(tags) = table_at(values, "tags") else {
        return;
    };
    for dependency in declared {
        let (mut on, mut off) = (false, false);
        for tag in &dependency.tags {
            match tags.get(tag.as_bytes()) {
                Some(Value::Bool(true)) => on = true,
                Some(Value::Bool(false)) => off = true,
                Some(_) => warnings.push(format!(
                    "tag `{tag}` of chart `{}` is no boolean",
                    dependency.name
                )),
                None => {}
            }
        }
        dependency.enabled = on || !off;
    }
}

fn apply_conditions(
    declared: &mut [Dependency],
    values: &Map,
    path: &str,
    warnings: &mut Warnings,
) {
    for dependency in declared {
        let condition = dependency.condition.clone();
        // The first of the paths that leads to a boolean decides.
        for condition in condition.trim().split(',').filter(|c| !c.is_empty()) {
            match value_at(values, &format!("{path}{condition}")) {
                Some(Value::Bool(on)) => {
                    dependency.enabled = on;
                    break;
                }
                Some(_) => warnings.push(format!(
                    "condition `{condition}` of chart `{}` is no boolean",
                    dependency.name
                )),
                None => {}
            }
        }
    }
}

/// Compat: `pkg/chart/v2/util/compatible.go`.
pub(super) fn is_compatible(range: &str, version: &str) -> bool {
    match (Constraints::parse(range), Version::parse(version)) {
        (Ok(range), Ok(version)) => range.check(&version),
        _ => false,
    }
}
