//! `fluxwright build`

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::folder;
use super::output::{self, Exit};
use super::settings::{Extent, Repository, RepositoryArgs};
use crate::diag::{Findings, Result, SourceMap};
use crate::pipeline::cluster::{Cluster, Unit, UnitKind};
use crate::pipeline::index::{self, Versions};

/// Render what Flux would apply
///
/// Builds every Kustomization from the entry points down, each as its parent
/// leaves it, with post-build substitution and everything else that the
/// controllers do. Prints a YAML stream, or writes a folder with a file for each
/// Flux object and an index.json.
///
/// Examples:
///   fluxwright build                                  # all clusters of this repository
///   fluxwright build clusters/production              # one cluster
///   fluxwright build --only flux-system/apps          # one Kustomization
///   fluxwright build --output-dir rendered            # files and index.json
///   fluxwright build --substitute DOMAIN=example.com  # what only the cluster knows
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    #[command(flatten)]
    repository: RepositoryArgs,

    /// Write files and index.json into this folder, in place of what an earlier run left there
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,

    /// Only the Flux object with this namespace and name (repeatable)
    #[arg(long, value_name = "NAMESPACE/NAME")]
    only: Vec<String>,

    /// Only Flux objects of this kind
    #[arg(long, value_name = "KIND", ignore_case = true)]
    kind: Option<KindArg>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum KindArg {
    #[value(name = "Kustomization")]
    Kustomization,
    #[value(name = "HelmRelease")]
    HelmRelease,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        let source_map = Arc::new(SourceMap::new());
        let mut findings = Findings::new();
        let result = self
            .repository
            .with_jobs(|| self.clusters(&source_map, &mut findings));
        let (repository, clusters) = match result {
            Ok(built) => built,
            Err(e) => {
                findings.push(e.to_finding(&source_map));
                output::findings(&findings.into_sorted(), &source_map);
                return Ok(Exit::Failed);
            }
        };
        let failed = clusters
            .iter()
            .flat_map(|c| &c.units)
            .any(|u| u.outcome.is_err());
        let mut exit = if failed { Exit::Failed } else { Exit::Done };
        let written = match &self.output_dir {
            Some(folder) => {
                let versions = Versions {
                    flux: repository.1,
                    kubernetes: repository.0.kubernetes.clone(),
                };
                let (files, errors) = index::output_files(&clusters, &versions, &source_map);
                for e in &errors {
                    exit = Exit::Failed;
                    findings.push(e.to_finding(&source_map));
                }
                folder::replace(folder, &files)
            }
            None => match stream(&clusters) {
                Ok(text) => {
                    output::stdout(&text)?;
                    Ok(())
                }
                Err(e) => Err(e),
            },
        };
        let is_written = written.is_ok();
        if let Err(e) = written {
            exit = Exit::Failed;
            findings.push(e.to_finding(&source_map));
        }
        output::findings(&findings.into_sorted(), &source_map);
        if let Some(folder) = self.output_dir.as_ref().filter(|_| is_written) {
            output::stderr(&summary(&clusters, folder));
        }
        Ok(exit)
    }

    fn clusters(
        &self,
        source_map: &Arc<SourceMap>,
        findings: &mut Findings,
    ) -> Result<((Repository, String), Vec<Cluster>)> {
        let repository = self.repository.open(source_map)?;
        let mut clusters = Vec::new();
        let mut flux_versions = Vec::new();
        let extent = Extent {
            keep_going: false,
            skip_releases: self.kind == Some(KindArg::Kustomization),
        };
        for entry in &repository.entries {
            let (flux, mut cluster) =
                self.repository
                    .render(&repository, entry, extent, findings)?;
            flux_versions.push(flux.to_string());
            cluster.units.retain(|unit| self.wants(unit));
            clusters.push(cluster);
        }
        self.check_only(&clusters)?;
        flux_versions.sort();
        flux_versions.dedup();
        Ok(((repository, flux_versions.join(", ")), clusters))
    }

    fn wants(&self, unit: &Unit) -> bool {
        let kind = match self.kind {
            None => true,
            Some(KindArg::Kustomization) => unit.kind == UnitKind::Kustomization,
            Some(KindArg::HelmRelease) => unit.kind == UnitKind::HelmRelease,
        };
        let name = format!("{}/{}", unit.id.namespace, unit.id.name);
        kind && (self.only.is_empty() || self.only.contains(&name))
    }

    fn check_only(&self, clusters: &[Cluster]) -> Result<()> {
        for wanted in &self.only {
            let found = clusters.iter().flat_map(|c| &c.units).any(|u| {
                let name = format!("{}/{}", u.id.namespace, u.id.name);
                name == *wanted
            });
            if !found {
                return Err(crate::diag::Error::new(
                    "ref/missing",
                    format!("no Kustomization or HelmRelease is named `{wanted}`"),
                )
                .help("names are NAMESPACE/NAME, as in `flux-system/apps`"));
            }
        }
        Ok(())
    }
}

/// What was rendered: a line for each cluster.
fn summary(clusters: &[Cluster], folder: &Path) -> String {
    let mut lines = Vec::new();
    for cluster in clusters {
        let of_kind = |kind| cluster.units.iter().filter(move |u| u.kind == kind);
        let failed = cluster.units.iter().filter(|u| u.outcome.is_err()).count();
        let mut folder = folder.to_owned();
        if clusters.len() > 1 {
            folder.push(&*cluster.entry.name);
        }
        let mut line = format!(
            "{}: {}, {}, {}",
            cluster.entry.name,
            counted(of_kind(UnitKind::Kustomization).count(), "Kustomization"),
            counted(of_kind(UnitKind::HelmRelease).count(), "HelmRelease"),
            counted(cluster.objects().count(), "object"),
        );
        if failed > 0 {
            line.push_str(&format!(", {failed} failed"));
        }
        line.push_str(&format!(" → {}", folder.display()));
        lines.push(line);
    }
    lines.join("\n")
}

fn counted(count: usize, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {what}{ending}")
}

/// All objects as one YAML stream, each unit under a comment that names it.
fn stream(clusters: &[Cluster]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    for cluster in clusters {
        for unit in &cluster.units {
            let Ok(objects) = &unit.outcome else { continue };
            let mut text = Vec::new();
            index::write_objects(objects, &mut text)?;
            let mut title = format!(
                "# {} {}/{}",
                unit.id.gvk.kind, unit.id.namespace, unit.id.name
            );
            if clusters.len() > 1 {
                title.push_str(&format!(" of {}", cluster.entry.name));
            }
            if unit.suspended {
                title.push_str(" (suspended)");
            }
            title.push('\n');
            out.extend_from_slice(title.as_bytes());
            out.extend_from_slice(&text);
        }
    }
    Ok(out)
}
