//! Values that no template reads.
//!
//! In: a chart and the values of a release. Out: the paths of values that make
//! no difference: no template of the chart or of those below it reads them, and
//! neither the chart's own values nor its schema know them. What cannot be told
//! for sure is left out: a chart that hands `.Values` on as a whole uses them
//! all.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::chart::Chart;
use super::metadata::Dependency;
use super::user::UserValues;
use crate::diag::{Result, SourceMap, Span, nearest};
use crate::gotmpl::reads::{Reads, reads};
use crate::yaml::{Map, Value};

/// What values are below in templates.
const NAME: &str = "Values";
/// What all charts of a release have in common.
const GLOBAL: &str = "global";

/// A value that no template reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unused {
    /// Its keys, from the top.
    pub path: Vec<Arc<str>>,
    /// Where it stands.
    pub span: Span,
    /// A key that is read and looks like it.
    pub near: Option<String>,
}

/// The values of a release that no template of its chart reads, those that
/// come from Secrets left out.
///
/// # Errors
///
/// Where a file of the chart cannot be read.
pub fn unused(chart: &Arc<Chart>, values: &UserValues, sources: &SourceMap) -> Result<Vec<Unused>> {
    let mut found = find(chart, values, false)?;
    if !found.is_empty() {
        // Files that templates may be made of are looked at where it matters.
        found = find(chart, values, true)?;
    }
    found.retain_mut(|unused| {
        let path: Vec<&str> = unused.path.iter().map(|key| &**key).collect();
        match values.written(&path, sources) {
            Some(span) => {
                unused.span = span;
                true
            }
            None => false,
        }
    });
    Ok(found)
}

fn find(chart: &Arc<Chart>, values: &UserValues, with_files: bool) -> Result<Vec<Unused>> {
    let mut search = Search {
        shared: Reads::default(),
        found: Vec::new(),
    };
    search.share(chart, with_files)?;
    for value in values.map().values() {
        mentions(value, &mut search.shared);
    }
    search.chart(chart, values.map(), &Reads::default(), &mut Vec::new())?;
    Ok(search.found)
}

struct Search {
    /// What any chart may read: in templates that charts define for each
    /// other, in texts that are templates themselves.
    shared: Reads,
    found: Vec<Unused>,
}

impl Search {
    fn share(&mut self, chart: &Chart, with_files: bool) -> Result<()> {
        let (itself, defined) = of_templates(chart)?;
        self.shared.merge(&defined);
        if let Some(global) = itself.fields.get(GLOBAL) {
            self.shared.at([GLOBAL]).merge(global);
        }
        self.shared.at([GLOBAL]).whole |= itself.whole;
        for value in chart.defaults().map.values() {
            mentions(value, &mut self.shared);
        }
        if with_files {
            let is_prose = |name: &str| name.to_ascii_lowercase().ends_with(".md");
            for file in chart.files().iter().filter(|f| !is_prose(&f.name)) {
                self.shared.mention(NAME, &file.text()?);
            }
        }
        for below in chart.dependencies() {
            self.share(below, with_files)?;
        }
        Ok(())
    }

    /// Looks at the values of a chart, of which others read some.
    fn chart(
        &mut self,
        chart: &Chart,
        values: &Map,
        others: &Reads,
        path: &mut Vec<Arc<str>>,
    ) -> Result<()> {
        let (mut read, _) = of_templates(chart)?;
        read.merge(others);
        read.merge(&self.shared);
        let declared = chart.metadata().dependencies.as_deref().unwrap_or_default();
        for dependency in declared {
            of_dependency(dependency, &mut read);
        }
        if read.whole {
            return Ok(());
        }
        let mut own = values.clone();
        for below in chart.dependencies() {
            let name = &below.metadata().name;
            let known = declared.iter().filter(|d| d.name == *name);
            let mut names: Vec<&Arc<str>> = known.map(Dependency::effective_name).collect();
            if names.is_empty() {
                names.push(name);
            }
            for name in names {
                let Some(Value::Mapping(values)) = own.remove(name) else {
                    continue;
                };
                let others = read.fields.get(&**name).cloned().unwrap_or_default();
                path.push(name.clone());
                self.chart(below, &values, &others, path)?;
                path.pop();
            }
        }
        let mut names = BTreeSet::new();
        if let Some(Ok(schema)) = chart.values_schema() {
            properties(schema, &mut names);
        }
        self.table(&own, &read, Some(&chart.defaults().map), &names, path);
        Ok(())
    }

    fn table(
        &mut self,
        values: &Map,
        read: &Reads,
        defaults: Option<&Map>,
        names: &BTreeSet<Arc<str>>,
        path: &mut Vec<Arc<str>>,
    ) {
        for (key, value) in values {
            // Such keys hold what YAML refers to elsewhere.
            let is_aside = key.starts_with("x-") || key.starts_with(['_', '.']);
            if is_aside || *value == Value::Null {
                continue;
            }
            let default = defaults.and_then(|defaults| defaults.get(key));
            path.push(key.clone());
            match (read.fields.get(&**key), value) {
                (Some(below), Value::Mapping(values))
                    if !below.whole && !below.fields.is_empty() =>
                {
                    let defaults = match default {
                        Some(Value::Mapping(map)) => Some(map),
                        _ => None,
                    };
                    self.table(values, below, defaults, names, path);
                }
                (Some(_), _) => {}
                (None, _) if default.is_some() || names.contains(key) => {}
                (None, _) => {
                    let known = read.fields.keys().map(String::as_str);
                    let defaults = defaults.into_iter().flat_map(Map::keys).map(|key| &**key);
                    self.found.push(Unused {
                        path: path.clone(),
                        span: Span::NONE,
                        near: nearest(key, known.chain(defaults)).map(str::to_owned),
                    });
                }
            }
            path.pop();
        }
    }
}

/// What the templates of a chart read: themselves, and in what they define.
fn of_templates(chart: &Chart) -> Result<(Reads, Reads)> {
    let (mut itself, mut defined) = (Reads::default(), Reads::default());
    for file in chart.templates() {
        // One that is no template fails the release.
        if let Ok(source) = file.template()? {
            let (own, below) = reads(source, NAME);
            itself.merge(&own);
            defined.merge(&below);
        }
    }
    Ok((itself, defined))
}

/// What Helm itself reads to find out about a dependency.
fn of_dependency(dependency: &Dependency, read: &mut Reads) {
    for condition in dependency.condition.split(',').map(str::trim) {
        if !condition.is_empty() {
            read.at(condition.split('.')).whole = true;
        }
    }
    read.at(["tags"]).whole = true;
    let name = &**dependency.effective_name();
    for import in &dependency.import_values {
        let child = match import {
            Value::Mapping(map) => match map.get("child") {
                Some(Value::String(child)) => child.to_string(),
                _ => continue,
            },
            Value::String(export) => format!("exports.{export}"),
            _ => continue,
        };
        read.at([name].into_iter().chain(child.split('.'))).whole = true;
    }
}

/// What texts in values read, when they are taken for templates.
fn mentions(value: &Value, read: &mut Reads) {
    match value {
        Value::String(text) if text.contains("{{") => read.mention(NAME, text),
        Value::Sequence(items) => items.iter().for_each(|item| mentions(item, read)),
        Value::Mapping(map) => map.values().for_each(|value| mentions(value, read)),
        _ => {}
    }
}

/// The names of all properties that a schema knows, wherever.
fn properties(schema: &Value, names: &mut BTreeSet<Arc<str>>) {
    match schema {
        Value::Mapping(map) => {
            if let Some(Value::Mapping(properties)) = map.get("properties") {
                names.extend(properties.keys().cloned());
            }
            for value in map.values() {
                properties(value, names);
            }
        }
        Value::Sequence(items) => items.iter().for_each(|item| properties(item, names)),
        _ => {}
    }
}
