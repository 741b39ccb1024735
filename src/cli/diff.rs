//! `fluxwright diff`: what does this change do to the clusters?

mod base;
mod shown;
mod sides;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub(super) use base::Base;
pub(super) use shown::{Format, Shown, ShownArgs};

use super::cache::{CacheArgs, Recorder, Texts, take_up, texts_of};
use super::output::{self, Exit};
use super::settings::{Repository, RepositoryArgs, open_source};
use super::shard::{FORMAT, PartReport, ShardArg};
use crate::diag::{Error, Finding, Result, SourceMap};
use crate::diff::{self, Rendering};
use crate::pipeline::shard::Part;
use crate::report::difference::Model;

/// Show what a change does to the clusters, object by object
///
/// Renders what the change reaches, in the repository as it is and in a base,
/// which is read from git's objects: the working tree is not touched. Says what
/// the difference means, worst first; what a side cannot render is told as that,
/// never as a deletion. With two paths, compares two bundles, two folders of
/// manifests, or two folders that `fluxwright build --output-dir` wrote.
///
/// Examples:
///   fluxwright diff                                   # since the default branch
///   fluxwright diff --base v1.4.0                     # since a tag
///   fluxwright diff clusters/production --output brief
///   fluxwright diff --output github > comment.md      # for a pull request
///   fluxwright diff --base-lock old.lock              # what a new lockfile does
///   fluxwright diff old-manifests new-manifests       # two folders
///   fluxwright diff v1.3.tar v1.4.tar                 # two bundles
///   fluxwright diff --fail-on warning                 # hold the pull request
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    #[command(flatten)]
    repository: RepositoryArgs,

    /// Compare PATH with this instead of a base: both are bundles, or folders of manifests or of a
    /// build
    #[arg(value_name = "NEW")]
    new: Option<PathBuf>,

    /// The revision to compare with: a commit, tag or branch [default: the newest commit that HEAD
    /// and the default branch have in common]
    #[arg(long, value_name = "REVISION", conflicts_with_all = ["base_dir", "new"])]
    base: Option<String>,

    /// A folder with the repository as it was, to compare with
    #[arg(long, value_name = "DIR", conflicts_with = "new")]
    base_dir: Option<PathBuf>,

    /// A lockfile that takes the place of the base's; without a base, what it alone changes is
    /// shown
    #[arg(long, value_name = "FILE", conflicts_with = "new")]
    base_lock: Option<PathBuf>,

    /// Render everything, on both sides: also what a chart leads to that puts the names of Flux's
    /// kinds together of pieces
    #[arg(long, conflicts_with = "new")]
    full: bool,

    #[command(flatten)]
    shown: ShownArgs,

    #[command(flatten)]
    shard: ShardArg,

    #[command(flatten)]
    cache: CacheArgs,
}

/// What a run says.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    /// The report.
    text: String,
    exit: Exit,
    /// What was noticed on the way and every command tells.
    findings: Vec<Finding>,
    /// The files that these point into, where it is kept.
    texts: Texts,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        let sources = Arc::new(SourceMap::new());
        match self.repository.with_jobs(|| self.answer(&sources)) {
            Ok(answer) => {
                output::findings(&answer.findings, &sources);
                output::stdout(answer.text.as_bytes())?;
                Ok(answer.exit)
            }
            Err(e) => {
                output::error_at(&e, &sources);
                Ok(Exit::Failed)
            }
        }
    }

    fn answer(&self, sources: &Arc<SourceMap>) -> Result<Answer> {
        if self.shard.shard.is_some() && self.shown.chooses_a_form() {
            return Err(
                Error::new("usage/shard", "the part of a report has a form of its own").help(
                    "give `--output` or `--template` to `fluxwright merge`, which joins the parts",
                ),
            );
        }
        let shown = self.shown.read()?;
        match &self.new {
            Some(new) => self.written(new, shown, sources),
            None => self.revisions(shown, sources),
        }
    }

    /// Two folders, or bundles, that hold what was rendered.
    fn written(&self, new: &Path, shown: Shown, sources: &Arc<SourceMap>) -> Result<Answer> {
        let side = |path: &Path| -> Result<Rendering> {
            let mut rendering = written(path, sources)?;
            if let Some(shard) = self.shard.shard {
                rendering.narrow(shard);
            }
            Ok(rendering)
        };
        let old = &self.repository.path;
        let (old_side, new_side) = (side(old)?, side(new)?);
        let sides = [(old.as_path(), &old_side), (new, &new_side)];
        let loose = sides.iter().find(|(_, side)| side.owned() == Some(false));
        let built = sides.iter().find(|(_, side)| side.owned() == Some(true));
        if let (Some((loose, _)), Some((built, _))) = (loose, built) {
            return Err(Error::new(
                "usage/sides",
                format!(
                    "`{}` holds plain manifests, and `{}` the clusters of a build: what is which \
                     cannot be told",
                    loose.display(),
                    built.display()
                ),
            )
            .help(
                "compare two of one sort; `fluxwright build --output-dir DIR` makes the latter",
            ));
        }
        let names = (old.display().to_string(), new.display().to_string());
        self.told(&old_side, &new_side, names, shown, sources)
    }

    /// The repository as it was and as it is.
    fn revisions(&self, shown: Shown, sources: &Arc<SourceMap>) -> Result<Answer> {
        let (root, _) = self.repository.locate()?;
        let base = self.base(&root)?;
        let arguments = format!(
            "{} {:?} {} {}",
            shown.key(),
            self.shard,
            self.full,
            base.key
        );
        let cache = self.cache.open("diff", &self.repository, &arguments);
        let kept = cache.as_ref().and_then(|cache| cache.get(&root)?.bytes());
        if let Some(answer) = kept.and_then(|kept| serde_json::from_slice::<Answer>(&kept).ok()) {
            take_up(&answer.texts, sources);
            return Ok(answer);
        }
        let recorder = Arc::new(Recorder::default());
        let names = (base.name.clone(), "the working tree".to_owned());
        let found_out = cache
            .as_ref()
            .map(|cache| cache.found_out(&self.repository));
        let reuse = found_out.unwrap_or_default();
        let new = self.repository.open_new(sources, &recorder, reuse)?;
        let old = self.open_base(base, &new, &recorder)?;
        let plan = sides::Plan {
            shard: self.shard.shard,
            full: self.full,
        };
        let sides = sides::render(&self.repository, old.as_ref(), &new, plan);
        let mut answer = self.told(&sides.old, &sides.new, names, shown, sources)?;
        answer.findings = output::unverified_in(&sides.told);
        answer.texts = texts_of(&answer.findings, sources);
        if let Some(cache) = cache
            && sides.may_be_kept
            && let Ok(bytes) = serde_json::to_vec(&answer)
        {
            cache.put(&recorder, &bytes);
        }
        // The process ends: its memory goes back as a whole.
        std::mem::forget((sides, old, new));
        Ok(answer)
    }

    fn base(&self, root: &Path) -> Result<Base> {
        let base = match (&self.base_dir, &self.base, &self.base_lock) {
            (Some(folder), ..) => Base::folder(folder),
            (None, None, Some(_)) => Base::same(root.to_owned()),
            (None, revision, _) => Base::commit(root, revision.as_deref())?,
        };
        match &self.base_lock {
            Some(path) => base.with_lock(path),
            None => Ok(base),
        }
    }

    /// Opens the base; none for a folder that is new.
    fn open_base(
        &self,
        base: Base,
        new: &Repository,
        recorder: &Recorder,
    ) -> Result<Option<Repository>> {
        match self.repository.open_base(base.open(recorder)?, new) {
            Ok(old) => Ok(Some(old)),
            // It was nothing before.
            Err(e) if e.rule() == "ref/missing" => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// What is compared, as all parts of a sharded run say it: the revision, but
    /// not the names of folders.
    fn compared(&self, old: &str) -> String {
        let revision = match (&self.new, &self.base_dir) {
            (None, None) => old,
            _ => "",
        };
        format!("{revision} {:?} {}", self.shown.ignored(), self.full)
    }

    /// What is said of two sides that are called so.
    fn told(
        &self,
        old: &Rendering,
        new: &Rendering,
        titles: (String, String),
        mut shown: Shown,
        sources: &Arc<SourceMap>,
    ) -> Result<Answer> {
        let part = self.shard.shard.map(|shard| {
            let names = old.names().chain(new.names()).map(ToString::to_string);
            let names: BTreeSet<String> = names.collect();
            Part {
                shard,
                run: self.repository.run_of("diff", &self.compared(&titles.0)),
                clusters: names.into_iter().collect(),
            }
        });
        shown.comparison.is_part = part.as_ref().is_some_and(|part| part.clusters.len() > 1);
        let mut difference = diff::compare(old, new, &shown.comparison, sources);
        shown.narrow(&mut difference);
        let titles = shown.titles(titles.0, titles.1);
        let (text, exit) = match part {
            None => (shown.text(&difference, &titles)?, shown.exit(&difference)),
            Some(part) => {
                // What the answer is can be said of the whole alone.
                let report = PartReport {
                    format: FORMAT.to_owned(),
                    part,
                    findings: None,
                    reads: None,
                    difference: Some(Box::new(Model::new(&difference, &titles))),
                };
                (report.to_text(), Exit::Done)
            }
        };
        Ok(Answer {
            text,
            exit,
            findings: Vec::new(),
            texts: Texts::new(),
        })
    }
}

/// What a folder or an archive holds: a bundle, the output of a build, or
/// manifests.
///
/// # Errors
///
/// What is wrong with a bundle, and as [`diff::output::read`].
pub(super) fn written(path: &Path, sources: &Arc<SourceMap>) -> Result<Rendering> {
    let name = path.display().to_string();
    let source = open_source(&name, sources)?;
    let files = source.files()?;
    if super::bundle::is_bundle(&**files.tree()) {
        return super::bundle::rendering(path, sources);
    }
    diff::output::read(files)
}
