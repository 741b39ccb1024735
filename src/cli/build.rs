//! `fluxwright build`

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::cache::{CacheArgs, Recorder, Texts, may_be_kept, take_up, texts_of};
use super::folder;
use super::output::{self, Exit};
use super::settings::{Extent, Repository, RepositoryArgs};
use super::shard::ShardArg;
use crate::diag::{Error, Finding, Findings, Result, SourceMap};
use crate::pipeline::cluster::{Cluster, Unit, UnitKind};
use crate::pipeline::index::{self, OutputFiles, Versions};
use crate::store::Rendered;

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
///   fluxwright build --shard 1/4 --output-dir part-1  # a part, for `fluxwright merge`
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

    #[command(flatten)]
    shard: ShardArg,

    #[command(flatten)]
    cache: CacheArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum KindArg {
    #[value(name = "Kustomization")]
    Kustomization,
    #[value(name = "HelmRelease")]
    HelmRelease,
}

/// What a build gave.
#[derive(Debug)]
struct Built {
    /// Whether some of it could not be rendered.
    has_failed: bool,
    content: Content,
    /// What was rendered, by cluster.
    counts: Vec<Counts>,
    findings: Vec<Finding>,
    /// The files that findings point into, as far as they were read.
    texts: Texts,
}

/// What is written.
#[derive(Debug)]
enum Content {
    /// To standard output.
    Stream(Vec<u8>),
    /// Into a folder.
    Files(OutputFiles),
    /// Either, out of a result that was kept.
    Kept(Kept),
}

/// A result that was kept, and where in it what is.
#[derive(Debug)]
struct Kept {
    rendered: Rendered,
    /// The files; none where it is a stream.
    files: Option<Vec<(String, Range<u64>)>>,
    /// Where the stream is, or all of the files.
    all: Range<u64>,
}

/// How much of a cluster was rendered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Counts {
    name: Arc<str>,
    kustomizations: usize,
    releases: usize,
    objects: usize,
    failed: usize,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        let source_map = Arc::new(SourceMap::new());
        let mut findings = Findings::new();
        let result = self
            .repository
            .with_jobs(|| self.built(&source_map, &mut findings));
        let built = match result {
            Ok(built) => built,
            Err(e) => {
                findings.push(e.to_finding(&source_map));
                output::findings(&findings.into_sorted(), &source_map);
                return Ok(Exit::Failed);
            }
        };
        let mut exit = if built.has_failed {
            Exit::Failed
        } else {
            Exit::Done
        };
        let mut findings = built.findings;
        let mut summary = None;
        if let Some(folder) = &self.output_dir {
            match built.content.replace(folder) {
                Ok(()) => summary = Some(summary_of(&built.counts, folder)),
                Err(e) => {
                    exit = Exit::Failed;
                    let mut all = Findings::new();
                    findings.push(e.to_finding(&source_map));
                    all.extend(findings);
                    findings = all.into_sorted();
                }
            }
        } else {
            built.content.print()?;
        }
        output::findings(&findings, &source_map);
        if let Some(summary) = summary {
            output::stderr(&summary);
        }
        Ok(exit)
    }

    /// What a build gives, kept from an earlier one or made now.
    fn built(&self, source_map: &Arc<SourceMap>, findings: &mut Findings) -> Result<Built> {
        let run = self.shard.shard.map(|_| {
            let options = format!("{:?} {:?}", self.only, self.kind);
            self.repository.run_of("build", &options)
        });
        let arguments = format!(
            "{:?} {:?} {:?} {run:?} {}",
            self.only,
            self.kind,
            self.shard,
            self.output_dir.is_some()
        );
        let cache = self.cache.open("build", &self.repository, &arguments);
        let (root, _) = self.repository.locate()?;
        let kept = cache.as_ref().and_then(|cache| cache.get(&root));
        if let Some(built) = kept.and_then(Built::read) {
            take_up(&built.texts, source_map);
            return Ok(built);
        }
        let recorder = Arc::new(Recorder::default());
        let mut repository = match &cache {
            Some(_) => self.repository.open_watched(source_map, &recorder)?,
            None => self.repository.open(source_map)?,
        };
        repository.narrow(self.shard.shard, || run.unwrap_or_default());
        let (flux, clusters) = self.clusters(&repository, findings)?;
        let mut has_failed = clusters
            .iter()
            .flat_map(|c| &c.units)
            .any(|u| u.outcome.is_err());
        let content = if self.output_dir.is_some() {
            let versions = Versions {
                flux,
                kubernetes: repository.kubernetes.clone(),
            };
            let (files, errors) =
                index::output_files(&clusters, &versions, repository.part.as_ref(), source_map);
            has_failed |= !errors.is_empty();
            for e in &errors {
                findings.push(e.to_finding(source_map));
            }
            Content::Files(files)
        } else {
            Content::Stream(stream(&clusters)?)
        };
        let findings = std::mem::take(findings).into_sorted();
        let built = Built {
            has_failed,
            content,
            counts: clusters.iter().map(Counts::of).collect(),
            texts: texts_of(&findings, source_map),
            findings,
        };
        if let Some(cache) = cache
            && clusters.iter().all(may_be_kept)
            && let Some(bytes) = built.write()
        {
            cache.put(&recorder, &bytes);
        }
        // The process ends: its memory goes back as a whole.
        std::mem::forget(clusters);
        Ok(built)
    }

    /// The version of Flux, and what it makes of each entry point.
    fn clusters(
        &self,
        repository: &Repository,
        findings: &mut Findings,
    ) -> Result<(String, Vec<Cluster>)> {
        let mut clusters = Vec::new();
        let mut flux_versions = Vec::new();
        let extent = Extent {
            keep_going: false,
            skip_releases: self.kind == Some(KindArg::Kustomization),
            ..Extent::default()
        };
        let rendered = self.repository.render_all(repository, extent, findings)?;
        for (flux, mut cluster) in rendered {
            flux_versions.push(flux.to_string());
            cluster.units.retain(|unit| self.wants(unit));
            clusters.push(cluster);
        }
        self.check_only(&clusters)?;
        flux_versions.sort();
        flux_versions.dedup();
        Ok((flux_versions.join(", "), clusters))
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
                return Err(Error::new(
                    "ref/missing",
                    format!("no Kustomization or HelmRelease is named `{wanted}`"),
                )
                .help("names are NAMESPACE/NAME, as in `flux-system/apps`"));
            }
        }
        Ok(())
    }
}

impl Counts {
    fn of(cluster: &Cluster) -> Counts {
        let of_kind = |kind| cluster.units.iter().filter(move |u| u.kind == kind);
        Counts {
            name: cluster.entry.name.clone(),
            kustomizations: of_kind(UnitKind::Kustomization).count(),
            releases: of_kind(UnitKind::HelmRelease).count(),
            objects: cluster.objects().count(),
            failed: cluster.units.iter().filter(|u| u.outcome.is_err()).count(),
        }
    }
}

impl Content {
    /// Writes files into a folder.
    fn replace(&self, folder: &Path) -> Result<()> {
        match self {
            Content::Files(files) => folder::replace(folder, files),
            Content::Kept(kept) => {
                let files = kept.files.iter().flatten();
                let files = files.map(|(path, part)| {
                    let content = folder::Content::Kept(&kept.rendered, part.clone());
                    (path.as_str(), content)
                });
                folder::replace_kept(folder, &files.collect())
            }
            Content::Stream(_) => Ok(()),
        }
    }

    /// Prints a stream.
    fn print(&self) -> io::Result<()> {
        match self {
            Content::Stream(text) => output::stdout(text),
            Content::Kept(Kept {
                rendered,
                files: None,
                all,
            }) => output::stdout_of(|out| rendered.each_piece(all, |piece| out.write_all(piece))),
            Content::Kept(_) | Content::Files(_) => Ok(()),
        }
    }
}

/// What is kept of a build, before the bytes of its files.
#[derive(Serialize, Deserialize)]
struct Head {
    has_failed: bool,
    counts: Vec<Counts>,
    findings: Vec<Finding>,
    texts: Texts,
    /// The names of the files and their lengths; none where it is a stream.
    files: Option<FileLengths>,
}

/// Files by name, and their lengths in bytes.
type FileLengths = Vec<(String, u64)>;

/// How many bytes the length of the head takes.
const HEAD_LENGTH_BYTES: usize = 8;

impl Built {
    fn write(&self) -> Option<Vec<u8>> {
        let (files, contents): (Option<FileLengths>, Vec<&[u8]>) = match &self.content {
            Content::Stream(text) => (None, vec![text]),
            Content::Files(files) => (
                Some(
                    files
                        .iter()
                        .map(|(name, bytes)| (name.clone(), bytes.len() as u64))
                        .collect(),
                ),
                files.values().map(|bytes| &**bytes).collect(),
            ),
            Content::Kept(_) => return None,
        };
        let head = Head {
            has_failed: self.has_failed,
            counts: self.counts.clone(),
            findings: self.findings.clone(),
            texts: self.texts.clone(),
            files,
        };
        let head = serde_json::to_vec(&head).ok()?;
        let length: usize = contents.iter().map(|content| content.len()).sum();
        let mut whole = Vec::with_capacity(HEAD_LENGTH_BYTES + head.len() + length);
        whole.extend_from_slice(&(head.len() as u64).to_le_bytes());
        whole.extend_from_slice(&head);
        for content in contents {
            whole.extend_from_slice(content);
        }
        Some(whole)
    }

    fn read(rendered: Rendered) -> Option<Built> {
        let mut length = [0; HEAD_LENGTH_BYTES];
        rendered.read_at(&mut length, 0).ok()?;
        let begins = HEAD_LENGTH_BYTES as u64;
        let length = u64::from_le_bytes(length);
        let left = rendered.length_bytes().checked_sub(begins)?;
        let mut head = vec![0; usize::try_from(length).ok().filter(|_| length <= left)?];
        rendered.read_at(&mut head, begins).ok()?;
        let head: Head = serde_json::from_slice(&head).ok()?;
        let all = begins + length..rendered.length_bytes();
        let mut at = all.start;
        let mut files = None;
        if let Some(names) = head.files {
            let mut parts = Vec::new();
            for (name, length) in names {
                let end = at.checked_add(length)?;
                parts.push((name, at..end));
                at = end;
            }
            if at != all.end {
                return None;
            }
            files = Some(parts);
        }
        Some(Built {
            has_failed: head.has_failed,
            content: Content::Kept(Kept {
                rendered,
                files,
                all,
            }),
            counts: head.counts,
            findings: head.findings,
            texts: head.texts,
        })
    }
}

/// What was rendered: a line for each cluster.
fn summary_of(clusters: &[Counts], folder: &Path) -> String {
    let mut lines = Vec::new();
    for cluster in clusters {
        let mut folder = folder.to_owned();
        if clusters.len() > 1 {
            folder.push(&*cluster.name);
        }
        let mut line = format!(
            "{}: {}, {}, {}",
            cluster.name,
            counted(cluster.kustomizations, "Kustomization"),
            counted(cluster.releases, "HelmRelease"),
            counted(cluster.objects, "object"),
        );
        if cluster.failed > 0 {
            line.push_str(&format!(", {} failed", cluster.failed));
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
    let units: Vec<(&Cluster, &Unit)> = clusters
        .iter()
        .flat_map(|cluster| cluster.units.iter().map(move |unit| (cluster, unit)))
        .collect();
    let texts: Vec<Result<String>> = units
        .into_par_iter()
        .map(|(cluster, unit)| {
            let mut text = String::new();
            let Ok(objects) = &unit.outcome else {
                return Ok(text);
            };
            text.push_str(&format!(
                "# {} {}/{}",
                unit.id.gvk.kind, unit.id.namespace, unit.id.name
            ));
            if clusters.len() > 1 {
                text.push_str(&format!(" of {}", cluster.entry.name));
            }
            if unit.suspended {
                text.push_str(" (suspended)");
            }
            text.push('\n');
            index::write_objects(objects, &mut text, |_, _| {})?;
            Ok(text)
        })
        .collect();
    let texts: Vec<String> = texts.into_iter().collect::<Result<_>>()?;
    let mut out = Vec::with_capacity(texts.iter().map(String::len).sum());
    for text in texts {
        out.extend_from_slice(text.as_bytes());
    }
    Ok(out)
}
