//! Charts that the kustomizations of a tree name by the address of a repository.
//!
//! In: a tree. Out: the charts that `kustomize build --enable-helm` would fetch,
//! with the folders of the kustomizations that name them.

use super::file::{FILE_NAMES, HelmChart, HelmGlobals, Kustomization};
use crate::artifact::{Kind, path};
use crate::diag::{Result, Span};
use crate::resource::Files;

/// Where charts lie unless a kustomization says otherwise.
const CHART_HOME: &str = "charts";

/// Deeper folders are not looked into.
const MAX_DEPTH: usize = 64;

/// A chart that a kustomization names.
#[derive(Debug)]
pub struct NamedChart {
    /// The chart.
    pub chart: HelmChart,
    /// Settings for all charts of the kustomization.
    pub globals: HelmGlobals,
    /// The folder of the kustomization.
    pub folder: String,
}

impl NamedChart {
    /// The folder that the chart would lie in, were it unpacked; none where that
    /// leads out of the tree.
    pub fn place(&self) -> Option<String> {
        chart_place(&self.chart, &self.globals, &self.folder)
    }
}

/// The folder in the chart home that a chart is looked for in; none where that
/// leads out of the tree.
///
/// Compat: kustomize `HelmChartInflationGenerator.absChartHome`: charts that are
/// fetched in a version have a folder for it.
pub fn chart_place(chart: &HelmChart, globals: &HelmGlobals, folder: &str) -> Option<String> {
    let home = match &*globals.chart_home {
        "" => CHART_HOME,
        home => home,
    };
    let mut place = path::join(folder, home)?;
    if !chart.version.is_empty() && !chart.repo.is_empty() {
        place = path::join(&place, &format!("{}-{}", &*chart.name, &*chart.version))?;
    }
    path::join(&place, &chart.name)
}

/// The charts that kustomizations name by the address of a repository, save for
/// those below the folder `except`. What cannot be read is a build's to tell.
///
/// # Errors
///
/// Where a folder cannot be listed.
pub fn named_charts(files: &Files, except: &str) -> Result<Vec<NamedChart>> {
    let mut found = Vec::new();
    look(files, "", except, 0, &mut found)?;
    Ok(found)
}

fn look(
    files: &Files,
    folder: &str,
    except: &str,
    depth: usize,
    found: &mut Vec<NamedChart>,
) -> Result<()> {
    if depth > MAX_DEPTH {
        return Ok(());
    }
    for entry in files.list(folder)? {
        if entry.is_symlink || entry.name.starts_with('.') {
            continue;
        }
        let Some(at) = path::join(folder, &entry.name) else {
            continue;
        };
        match entry.kind {
            Kind::Directory if at == except => {}
            Kind::Directory => look(files, &at, except, depth + 1, found)?,
            Kind::File if FILE_NAMES.contains(&entry.name.as_str()) => {
                let Some(kustomization) = read(files, &at) else {
                    continue;
                };
                let named = kustomization.helm_charts.into_iter();
                let named = named.filter(|chart| !chart.repo.is_empty() && !chart.name.is_empty());
                found.extend(named.map(|chart| NamedChart {
                    chart,
                    globals: kustomization.helm_globals.clone(),
                    folder: folder.to_owned(),
                }));
            }
            Kind::File => {}
        }
    }
    Ok(())
}

/// The kustomization in a file, where it names charts.
fn read(files: &Files, path: &str) -> Option<Kustomization> {
    // Parse only files that can hold what is looked for.
    let bytes = files.bytes(path).ok()?;
    memchr::memmem::find(&bytes, b"helmChart")?;
    let documents = files.documents(path).ok()?;
    Kustomization::read(Some(&documents.first()?.root), Span::NONE).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::artifact::MemoryTree;
    use crate::diag::SourceMap;

    #[test]
    fn charts_with_an_address_are_found() {
        let mut tree = MemoryTree::new("");
        tree.insert(
            "a/b/kustomization.yaml",
            "helmGlobals: {chartHome: ../home}\nhelmCharts:\n- name: web\n  repo: https://c.example.org\n  \
             version: 1.2.3\n- name: own\n"
                .as_bytes(),
        );
        tree.insert(
            "c/kustomization.yml",
            "helmChartInflationGenerator:\n- chartName: old\n  chartRepoUrl: https://c.example.org\n"
                .as_bytes(),
        );
        tree.insert("d/kustomization.yaml", "helmCharts: 7\n".as_bytes());
        for path in ["e/other.yaml", "vendor/f/kustomization.yaml"] {
            tree.insert(path, "helmCharts:\n- name: web\n  repo: x\n".as_bytes());
        }
        let files = Files::new(Arc::new(tree), Arc::new(SourceMap::new()));
        let found = named_charts(&files, "vendor").unwrap();
        let names: Vec<(String, Option<String>)> = found
            .iter()
            .map(|named| (named.chart.name.to_string(), named.place()))
            .collect();
        assert_eq!(
            names,
            [
                ("web".into(), Some("a/home/web-1.2.3/web".into())),
                ("old".into(), Some("c/charts/old".into())),
            ]
        );
    }
}
