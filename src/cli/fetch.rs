//! `fluxwright fetch` and `fluxwright vendor`

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::folder;
use super::inputs::{Settled, read_lockfile, settle};
use super::output::{self, Exit};
use super::settings::{Repository, RepositoryArgs};
use crate::diag::{Error, Finding, Findings, Result, Severity, SourceMap};
use crate::lock::FILE_NAME;
use crate::pipeline::cluster::Cluster;
use crate::pipeline::index::OutputFiles;
use crate::source::vendor::{self, Index, Place};
use crate::source::{Filled, Key};

/// Bring everything that fluxwright.lock pins into the store
///
/// Afterwards every other command works without the network. What is there is not
/// fetched again; what has another digest than the lockfile says is refused.
///
/// Examples:
///   fluxwright fetch
///   fluxwright fetch --store /cache/fluxwright         # for a cache of a CI system
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    #[command(flatten)]
    repository: RepositoryArgs,
}

/// Write everything that fluxwright.lock pins into the repository
///
/// Trees as folders that can be read, charts as archives. Commands prefer what lies
/// there to the store, and refuse it where it was changed.
///
/// Examples:
///   fluxwright vendor                                  # into vendor/
///   fluxwright vendor --to third-party                 # name it under `vendor` in .fluxwright.yaml
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct VendorArgs {
    #[command(flatten)]
    repository: RepositoryArgs,

    /// The folder, relative to the root [default: what .fluxwright.yaml says, else vendor]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        let source_map = Arc::new(SourceMap::new());
        let result = self
            .repository
            .with_jobs(|| fetched(&self.repository, &source_map));
        finish(result.map(|(_, settled)| settled), &source_map, "at hand")
    }
}

impl VendorArgs {
    pub(super) fn run(self) -> io::Result<Exit> {
        let source_map = Arc::new(SourceMap::new());
        let result = self
            .repository
            .with_jobs(|| fetched(&self.repository, &source_map));
        let mut unused_folder = None;
        let written = result.and_then(|(repository, settled)| {
            if settled.failures.is_empty() {
                let configured = repository.config.vendor.as_deref();
                let configured = configured.unwrap_or(vendor::FOLDER);
                let folder = self.to.clone().unwrap_or_else(|| configured.into());
                let folder = below(&repository.root, &folder)?;
                let files = contents(&settled)?;
                folder::replace_as(&repository.root.join(&folder), &files, vendor::FORMAT)?;
                if folder != *Path::new(configured) {
                    unused_folder = Some(folder);
                }
            }
            Ok(settled)
        });
        let exit = finish(written, &source_map, "vendored")?;
        if let Some(folder) = unused_folder {
            let folder = folder.display();
            let text = format!("to use them, write `vendor: {folder}` into .fluxwright.yaml\n");
            output::stdout(text.as_bytes())?;
        }
        Ok(exit)
    }
}

/// A folder of the repository, relative to its root.
fn below(root: &Path, folder: &Path) -> Result<PathBuf> {
    let inside = folder.strip_prefix(root).unwrap_or(folder);
    let mut parts = inside.components();
    let is_inside = parts.all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let inside: PathBuf = inside
        .components()
        .filter(|part| *part != Component::CurDir)
        .collect();
    if is_inside && !inside.as_os_str().is_empty() {
        return Ok(inside);
    }
    Err(Error::new(
        "usage/vendor",
        format!("`{}` is no folder in the repository", folder.display()),
    )
    .help("name one relative to its root, as in `--to third-party`"))
}

/// The repository with all that is locked at hand.
fn fetched(args: &RepositoryArgs, source_map: &Arc<SourceMap>) -> Result<(Repository, Settled)> {
    let mut repository = args.open(source_map)?;
    let files = repository.sources.repository.clone();
    let Some(lockfile) = read_lockfile(&files)? else {
        return Err(
            Error::new("lock/missing", format!("there is no {FILE_NAME}"))
                .help("write it with `fluxwright lock`, and commit it"),
        );
    };
    let locked = args.locked(Some(lockfile), &files, &repository.config)?;
    let locked = locked.mended();
    let settled = settle(args, &mut repository, locked, &|order| order.pin.is_some())?;
    Ok((repository, settled))
}

/// Tells what came of it.
fn finish(result: Result<Settled>, source_map: &Arc<SourceMap>, done: &str) -> io::Result<Exit> {
    let settled = match result {
        Ok(settled) => settled,
        Err(e) => {
            output::error_at(&e, source_map);
            return Ok(Exit::Failed);
        }
    };
    let mut findings = Findings::new();
    for finding in settled.findings.into_sorted() {
        let is_unlocked = matches!(&*finding.rule, "lock/missing" | "lock/stale");
        let is_lost = finding.rule.starts_with("store/");
        if (is_unlocked || is_lost) && finding.severity == Severity::Error {
            findings.push(finding);
        }
    }
    for error in settled.missing.iter().chain(&settled.failures) {
        let finding = error.to_finding(source_map);
        let is_told =
            |told: &Finding| told.rule == finding.rule && told.location == finding.location;
        if !findings.as_slice().iter().any(is_told) {
            findings.push(finding);
        }
    }
    if findings.is_empty() {
        let text = match settled.locked.inputs().len() {
            1 => format!("1 input is {done}\n"),
            count => format!("{count} inputs are {done}\n"),
        };
        output::stdout(text.as_bytes())?;
        return Ok(Exit::Done);
    }
    output::findings(&findings.into_sorted(), source_map);
    Ok(Exit::Failed)
}

/// The files of the folder.
fn contents(settled: &Settled) -> Result<OutputFiles> {
    let mut files = OutputFiles::new();
    let mut index = Index {
        format: vendor::FORMAT.to_owned(),
        content: BTreeMap::new(),
    };
    let sources = settled.clusters.iter().flat_map(Cluster::sources);
    let sources: BTreeMap<_, _> = sources
        .map(|source| (crate::lock::Request::of(&source), source))
        .collect();
    for (key, filled) in settled.locked.inputs() {
        let source = match &key {
            Key::Source(request) | Key::Chart(request, _) => sources.get(request),
            Key::Dependency(..) | Key::Remote(_) | Key::Signatures { .. } => None,
        };
        let parts = settled.locked.parts(&key, source, &filled)?;
        let is_artifact = parts.len() > 1;
        let name = unused(&files, &place(&key, &filled));
        for (i, digest) in parts.iter().enumerate() {
            if index.content.contains_key(&digest.to_string()) {
                continue;
            }
            let content = settled.locked.content_of(*digest)?;
            if matches!(key, Key::Signatures { .. }) {
                let name = format!("signatures/{}", digest.hex());
                files.insert(name.clone(), content);
                index.content.insert(digest.to_string(), Place::File(name));
                continue;
            }
            let is_last = i + 1 == parts.len();
            let name = name.clone();
            let readable = (!is_artifact).then(|| vendor::readable(&content)).flatten();
            let place = match readable {
                Some(tree) => {
                    for (file, content) in tree.files() {
                        files.insert(format!("{name}/{file}"), content.clone());
                    }
                    Place::Folder(name)
                }
                None if is_last => {
                    let ending = match &key {
                        Key::Remote(_) => "",
                        _ => ".tgz",
                    };
                    files.insert(format!("{name}{ending}"), content);
                    Place::File(format!("{name}{ending}"))
                }
                None => {
                    files.insert(format!("{name}.manifest.{i}.json"), content);
                    Place::File(format!("{name}.manifest.{i}.json"))
                }
            };
            index.content.insert(digest.to_string(), place);
        }
    }
    let mut text = serde_json::to_vec_pretty(&index)
        .map_err(|e| Error::new("output/failed", format!("the index cannot be written: {e}")))?;
    text.push(b'\n');
    files.insert(vendor::INDEX_NAME.to_owned(), text.into());
    for (name, text) in vendor::FOR_GIT {
        files.insert(name.to_owned(), text.as_bytes().into());
    }
    Ok(files)
}

/// Where an input lies, without an ending.
fn place(key: &Key, filled: &Filled) -> String {
    match (key, filled) {
        (Key::Chart(_, chart) | Key::Dependency(_, chart), Filled::Chart(pin)) => {
            format!("charts/{}-{}", safe(&chart.name), safe(&pin.version))
        }
        (Key::Source(request) | Key::Chart(request, _) | Key::Signatures { request, .. }, _) => {
            let source = &request.source;
            format!(
                "sources/{}/{}/{}",
                source.kind,
                safe(&source.namespace),
                safe(&source.name)
            )
        }
        (Key::Remote(address) | Key::Dependency(address, _), _) => {
            format!("remotes/{}", safe(address))
        }
    }
}

/// A text as one part of a path.
fn safe(text: &str) -> String {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let text = text.replace(|c| !is_safe(c), "-");
    text.trim_start_matches('.').to_owned()
}

/// A name that is not taken.
fn unused(files: &OutputFiles, name: &str) -> String {
    let is_taken = |name: &str| {
        files
            .range(name.to_owned()..)
            .next()
            .is_some_and(|(file, _)| file.starts_with(name))
    };
    let numbered = (2..).map(|n| format!("{name}-{n}"));
    std::iter::once(name.to_owned())
        .chain(numbered)
        .find(|name| !is_taken(&format!("{name}/")) && !is_taken(&format!("{name}.")))
        .unwrap_or_default()
}
