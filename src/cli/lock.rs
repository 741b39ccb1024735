//! `fluxwright lock`

use std::io;
use std::path::Path;
use std::sync::Arc;

use clap::ValueEnum;

use super::folder;
use super::inputs::{self, Settled, settle};
use super::output::{self, Exit};
use super::settings::{Repository, RepositoryArgs};
use crate::diag::{Error, Finding, Findings, Result, Severity, SourceMap, nearest};
use crate::flux::api::SourceRef;
use crate::lock::{self, Change, ChartRequest, FILE_NAME, Lockfile, compare};

/// Pin every source to a revision and a digest, in fluxwright.lock
///
/// Renders the repository, fetches what it asks for into the store, and goes on
/// until nothing new turns up. What is locked stays as it is, what is missing is
/// added. What nobody asks for any more goes, unless only a part of the
/// repository is looked at. Signatures that sources, charts or .fluxwright.yaml
/// ask for are verified, and who signed is written down; where one is not enough,
/// nothing is written. Prints what moved.
///
/// Examples:
///   fluxwright lock                                    # add what is missing
///   fluxwright lock --update                           # take everything's newest revision
///   fluxwright lock --update flux-system/podinfo       # take that of one source
///   fluxwright lock --check                            # offline: is the lockfile up to date?
///   fluxwright lock --update --output markdown         # for the text of a pull request
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    #[command(flatten)]
    repository: RepositoryArgs,

    /// Take the newest revision of this source, KIND/NAMESPACE/NAME or the end of it, of this
    /// chart, or of this address (repeatable); of all, where none is named
    #[arg(long, value_name = "NAME", num_args = 0..)]
    update: Option<Vec<String>>,

    /// Write nothing and fetch nothing; exit with 1 where something is missing or stale
    #[arg(long, conflicts_with = "update")]
    check: bool,

    /// How the table of what moved is printed
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Lines for people
    #[default]
    Text,
    /// A Markdown table
    Markdown,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        let source_map = Arc::new(SourceMap::new());
        let result = self.repository.with_jobs(|| self.lock(&source_map));
        let (changes, findings, exit) = match result {
            Ok(done) => done,
            Err(e) => {
                output::error_at(&e, &source_map);
                return Ok(Exit::Failed);
            }
        };
        output::findings(&findings.into_sorted(), &source_map);
        let text = match (self.output, changes.is_empty()) {
            (_, true) if exit == Exit::Done => format!("{FILE_NAME} is up to date\n"),
            (_, true) => String::new(),
            (Format::Text, false) => lock::table(&changes),
            (Format::Markdown, false) => lock::markdown(&changes),
        };
        output::stdout(text.as_bytes())?;
        Ok(exit)
    }

    fn lock(&self, source_map: &Arc<SourceMap>) -> Result<(Vec<Change>, Findings, Exit)> {
        let mut repository = self.repository.open(source_map)?;
        let files = repository.sources.repository.clone();
        let old = inputs::read_lockfile(&files)?;
        let start = match &self.update {
            None => old.clone().unwrap_or_default(),
            Some(names) => without(old.as_ref(), names)?,
        };
        let start = if self.check { old.clone() } else { Some(start) };
        let mut locked = self.repository.locked(start, &files, &repository.config)?;
        if !self.check {
            locked = locked.mended();
        }
        let settled = settle(&self.repository, &mut repository, locked, &|_| !self.check)?;
        let old = old.unwrap_or_default();
        if self.check {
            return Ok(check(&repository, &old, &settled));
        }
        write(&repository, &old, &settled)
    }
}

/// Writes what was found, unless something could not be fetched.
fn write(
    repository: &Repository,
    old: &Lockfile,
    settled: &Settled,
) -> Result<(Vec<Change>, Findings, Exit)> {
    let sources = &repository.source_map;
    if !settled.failures.is_empty() {
        let mut findings = Findings::new();
        for failure in &settled.failures {
            findings.push(failure.to_finding(sources));
        }
        return Ok((Vec::new(), findings, Exit::Failed));
    }
    let findings = with_refusals(settled, sources);
    if findings.as_slice().iter().any(is_refusal) {
        // What nobody may use is not locked.
        return Ok((Vec::new(), findings, Exit::No));
    }
    let is_error = |f: &Finding| f.severity == Severity::Error;
    let has_errors = findings.as_slice().iter().any(is_error);
    let mut new = settled.locked.used();
    if has_errors || !repository.is_whole {
        // What does not render may still ask for what is locked, and so may the
        // rest of the repository.
        new.keep(old, !repository.is_whole);
    }
    let changes = compare(old, &new);
    let path = repository.root.join(FILE_NAME);
    let text = new.to_text();
    // Nothing to lock needs no file.
    let is_there = path.exists();
    let is_wanted = is_there || new != Lockfile::default();
    if is_wanted && !(is_there && *old == new) {
        folder::replace_file(&path, text.as_bytes())?;
    }
    // What does not render may ask for more than is known.
    let exit = if has_errors { Exit::Failed } else { Exit::Done };
    Ok((changes, findings, exit))
}

/// What a lockfile lacks, and what it holds for nothing.
fn check(
    repository: &Repository,
    old: &Lockfile,
    settled: &Settled,
) -> (Vec<Change>, Findings, Exit) {
    let sources = &repository.source_map;
    let mut found = with_refusals(settled, sources);
    let mut errors = Findings::new();
    for finding in found.as_slice() {
        if finding.severity == Severity::Error {
            errors.push(finding.clone());
        }
    }
    let is_unlocked = |e: &&Error| {
        matches!(
            e.rule(),
            "lock/missing" | "lock/stale" | "source/unavailable"
        )
    };
    for error in settled.missing.iter().filter(is_unlocked) {
        let finding = error.to_finding(sources);
        // Who uses it has told so.
        let is_told =
            |told: &Finding| told.rule == finding.rule && told.location == finding.location;
        if !errors.as_slice().iter().any(is_told) {
            errors.push(finding.clone());
            found.push(finding);
        }
    }
    let mut new = settled.locked.used();
    if !repository.is_whole {
        new.keep(old, true);
    }
    let changes: Vec<Change> = if errors.is_empty() {
        compare(old, &new)
    } else {
        // What could not be rendered may still ask for the rest.
        Vec::new()
    };
    let is_answer = errors.as_slice().iter().all(|f| {
        matches!(
            &*f.rule,
            "lock/missing" | "lock/stale" | "source/unavailable"
        ) || f.rule.starts_with("trust/")
    });
    let exit = match (errors.is_empty() && changes.is_empty(), is_answer) {
        (true, _) => Exit::Done,
        (false, true) => Exit::No,
        (false, false) => Exit::Failed,
    };
    (changes, found, exit)
}

/// The errors of rendering, what was taken unverified, and the sources that are
/// not signed as they must be, used or not.
fn with_refusals(settled: &Settled, sources: &SourceMap) -> Findings {
    let mut found = Findings::new();
    for finding in settled.findings.as_slice() {
        if finding.severity == Severity::Error || &*finding.rule == "trust/skipped" {
            found.push(finding.clone());
        }
    }
    for cluster in &settled.clusters {
        let uses = |source: &SourceRef| {
            let mut units = cluster.units.iter().filter_map(|unit| unit.source.as_ref());
            units.any(|used| used.source == *source)
        };
        for (source, refusal) in &cluster.unverified {
            // Who uses it has told so.
            if !uses(source) {
                found.push(refusal.to_finding(sources));
            }
        }
    }
    found
}

/// Whether a finding says that something is not signed as it must be.
fn is_refusal(finding: &Finding) -> bool {
    finding.severity == Severity::Error && finding.rule.starts_with("trust/")
}

/// A lockfile without what is to be updated.
fn without(old: Option<&Lockfile>, names: &[String]) -> Result<Lockfile> {
    let mut left = old.cloned().unwrap_or_default();
    if names.is_empty() {
        return Ok(Lockfile::default());
    }
    for wanted in names {
        let is_it = |name: &str| {
            name.strip_suffix(wanted.as_str())
                .is_some_and(|before| before.is_empty() || before.ends_with('/'))
        };
        let before = count(&left);
        left.sources
            .retain(|request, _| !is_it(&request.source.to_string()));
        left.dependencies.retain(|address, _| address != wanted);
        left.remotes.retain(|address, _| address != wanted);
        if count(&left) == before {
            // A chart, by its name or as the table shows it.
            let is_chart = |from: &str, chart: &ChartRequest| {
                let ChartRequest { name, range } = chart;
                is_it(name)
                    || is_it(&format!("{from} {name}"))
                    || is_it(&format!("{from} {name} {range}"))
            };
            for (request, locked) in &mut left.sources {
                let from = request.source.to_string();
                locked.charts.retain(|chart, _| !is_chart(&from, chart));
            }
            for (from, charts) in &mut left.dependencies {
                charts.retain(|chart, _| !is_chart(from, chart));
            }
        }
        if count(&left) == before {
            // What stands behind `--update` is a name, the path as well.
            if let Some(path) = names.iter().find(|n| Path::new(n).is_dir()) {
                return Err(unknown(wanted, &left).helped(format!(
                    "`{path}` was taken for a name: write the path before `--update`, or \
                     `--update=NAME`"
                )));
            }
            return Err(unknown(wanted, &left));
        }
    }
    Ok(left)
}

/// How much is locked.
fn count(lockfile: &Lockfile) -> usize {
    let charts = lockfile.sources.values().map(|locked| locked.charts.len());
    let depended = lockfile
        .dependencies
        .values()
        .map(std::collections::BTreeMap::len);
    lockfile.sources.len()
        + lockfile.dependencies.len()
        + lockfile.remotes.len()
        + charts.chain(depended).sum::<usize>()
}

/// The error for a name that nothing has.
fn unknown(wanted: &str, lockfile: &Lockfile) -> Error {
    let charts = lockfile.sources.values().map(|locked| &locked.charts);
    let charts = charts.chain(lockfile.dependencies.values());
    let charts = charts.flat_map(|charts| charts.keys().map(|chart| chart.name.clone()));
    let known: Vec<String> = (lockfile.sources.keys().map(|r| r.source.to_string()))
        .chain(lockfile.dependencies.keys().cloned())
        .chain(lockfile.remotes.keys().cloned())
        .chain(charts)
        .collect();
    let error = Error::new(
        "ref/missing",
        format!("nothing locked is called `{wanted}`"),
    );
    let tail = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    let tails: Vec<String> = known.iter().map(|name| tail(name)).collect();
    let near = nearest(&tail(wanted), tails.iter().map(String::as_str));
    match near.and_then(|near| known.iter().find(|name| tail(name) == near)) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help("names are KIND/NAMESPACE/NAME, or the end of that; or that of a chart"),
    }
}
