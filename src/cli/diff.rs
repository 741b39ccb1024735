//! `fluxwright diff`: what does this change do to the clusters?

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;

use super::fail_on::FailOn;
use super::output::{self, Exit};
use super::settings::{Extent, Repository, RepositoryArgs, open_source};
use super::shard::{FORMAT, PartReport, ShardArg};
use super::{environment, read};
use crate::artifact::{DiskTree, Replaced, Tree};
use crate::diag::{Error, Findings, Result, SourceMap};
use crate::diff::{self, Comparison, Difference, Ignore, Rendering};
use crate::pipeline::shard::Part;
use crate::report::difference::{self as report, Form, Model, Titles};

/// Show what a change does to the clusters, object by object
///
/// Renders the repository as it is, and what is not the same in a base, which is
/// read from git's objects: the working tree is not touched. Says what the difference
/// means, worst first; what a side cannot render is told as that, never as a
/// deletion. With two paths, compares two folders of manifests, or two folders
/// that `fluxwright build --output-dir` wrote.
///
/// Examples:
///   fluxwright diff                                   # since the default branch
///   fluxwright diff --base v1.4.0                     # since a tag
///   fluxwright diff clusters/production --output brief
///   fluxwright diff --output github > comment.md      # for a pull request
///   fluxwright diff --base-lock old.lock              # what a new lockfile does
///   fluxwright diff old-manifests new-manifests       # two folders
///   fluxwright diff --fail-on warning                 # hold the pull request
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    #[command(flatten)]
    repository: RepositoryArgs,

    /// Compare PATH with this instead of a base: both are folders of manifests or of a build
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

    /// A field that is left out, as a JSON pointer: [KIND:]/a/b, * for any part (repeatable); or a
    /// rule that is left out: change/restart
    #[arg(long, value_name = "FIELD|RULE")]
    ignore: Vec<String>,

    /// Show objects, too, in which nothing but noise changed: version labels, checksums
    #[arg(long)]
    show_noise: bool,

    /// Which findings make the answer no
    #[arg(long, value_name = "SEVERITY", default_value = "error")]
    fail_on: FailOn,

    /// Exit with 1 where anything differs
    #[arg(long)]
    exit_code: bool,

    #[command(flatten)]
    shard: ShardArg,

    /// The form of the report
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    output: Format,

    /// Fill in this template (MiniJinja) instead; docs/diff.md lists what it is given
    #[arg(long, value_name = "FILE", conflicts_with = "output")]
    template: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Field by field, for a terminal
    Human,
    /// Lines of YAML, as `diff -u` shows them
    Unified,
    /// All of it as data, with RFC 6902 patches
    Json,
    /// A page of Markdown
    Markdown,
    /// A comment for a pull request, within its limit
    Github,
    /// One HTML file
    Html,
    /// One line for each object
    Brief,
}

/// The largest template or lockfile that is read, in bytes.
const MAX_FILE_BYTES: usize = 16 << 20;

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        let sources = Arc::new(SourceMap::new());
        match self
            .repository
            .with_jobs(|| self.compare(&sources))
            .and_then(|(difference, titles, part)| {
                let Some(part) = part else {
                    return Ok((self.text(&difference, &titles)?, self.exit(&difference)));
                };
                // What the answer is can be said of the whole alone.
                let report = PartReport {
                    format: FORMAT.to_owned(),
                    part,
                    findings: None,
                    difference: Some(Box::new(Model::new(&difference, &titles))),
                };
                Ok((report.to_text(), Exit::Done))
            }) {
            Ok((text, exit)) => {
                output::stdout(text.as_bytes())?;
                Ok(exit)
            }
            Err(e) => {
                output::error_at(&e, &sources);
                Ok(Exit::Failed)
            }
        }
    }

    fn exit(&self, difference: &Difference) -> Exit {
        if difference.clusters.iter().any(|c| !c.unrendered.is_empty()) {
            return Exit::Failed;
        }
        if self.exit_code && !difference.is_empty() {
            return Exit::No;
        }
        self.fail_on.exit(difference.findings())
    }

    fn text(&self, difference: &Difference, titles: &Titles) -> Result<String> {
        if let Some(path) = &self.template {
            let source = read::text_file(path, MAX_FILE_BYTES)?;
            let name = path.display().to_string();
            return report::with_template(difference, titles, &name, &source);
        }
        let color = io::stdout().is_terminal();
        let form = match self.output {
            Format::Human => Form::Human {
                color,
                width: environment::columns(),
            },
            Format::Unified => Form::Unified { color },
            Format::Json => Form::Json,
            Format::Markdown => Form::Markdown,
            Format::Github => Form::Github,
            Format::Html => Form::Html,
            Format::Brief => Form::Brief,
        };
        report::difference(difference, titles, form)
    }

    fn compare(&self, sources: &Arc<SourceMap>) -> Result<(Difference, Titles, Option<Part>)> {
        let (rules, fields): (Vec<&String>, Vec<&String>) = self
            .ignore
            .iter()
            .partition(|text| text.starts_with("change/"));
        let mut comparison = Comparison {
            is_part: false,
            ignore: fields
                .into_iter()
                .map(|text| Ignore::parse(text))
                .collect::<Result<_>>()?,
        };
        for rule in &rules {
            known_rule(rule)?;
        }
        let ((old, new), names) = match &self.new {
            Some(new) => self.written(new, sources)?,
            None => self.rendered(sources)?,
        };
        let part = self.shard.shard.map(|shard| {
            let names: BTreeSet<String> = old
                .names()
                .chain(new.names())
                .map(ToString::to_string)
                .collect();
            Part {
                shard,
                clusters: names.into_iter().collect(),
            }
        });
        comparison.is_part = part.as_ref().is_some_and(|part| part.clusters.len() > 1);
        let mut difference = diff::compare(&old, &new, &comparison, sources);
        for cluster in &mut difference.clusters {
            cluster
                .findings
                .retain(|f| !rules.iter().any(|rule| *rule.as_str() == *f.rule));
        }
        let titles = Titles {
            old: names.0,
            new: names.1,
            show_noise: self.show_noise,
        };
        Ok((difference, titles, part))
    }

    /// Two folders that hold what was rendered.
    fn written(&self, new: &Path, sources: &Arc<SourceMap>) -> Result<Sides> {
        let side = |path: &Path| -> Result<(Rendering, String)> {
            let name = path.display().to_string();
            let source = open_source(&name, sources)?;
            let mut rendering = diff::output::read(source.files()?)?;
            if let Some(shard) = self.shard.shard {
                rendering.narrow(shard);
            }
            Ok((rendering, name))
        };
        let (old, new) = (side(&self.repository.path)?, side(new)?);
        Ok(((old.0, new.0), (old.1, new.1)))
    }

    /// The repository as it was and as it is, both rendered.
    fn rendered(&self, sources: &Arc<SourceMap>) -> Result<Sides> {
        let (root, _) = self.repository.locate()?;
        let (base, name): (Arc<dyn Tree>, String) = match &self.base_dir {
            Some(folder) => {
                let name = folder.display().to_string();
                (Arc::new(DiskTree::open(folder)?.named(&name)), name)
            }
            None if self.base_lock.is_some() && self.base.is_none() => {
                (Arc::new(DiskTree::open(&root)?), String::new())
            }
            None => base_tree(&root, self.base.as_deref())?,
        };
        let (base, name) = match &self.base_lock {
            Some(path) => with_lock(base, &name, path)?,
            None => (base, name),
        };
        let new = self.repository.open_new(sources)?;
        // What the base has in common with it is rendered once.
        let mut told = Findings::new();
        let new_side = self.side(&new, sources, &mut told);
        output::unverified(&told, sources);
        let old_side = match self.repository.open_base(base, &new) {
            Ok(old) => self.side(&old, sources, &mut Findings::new()),
            // A folder that is new was nothing before.
            Err(e) if e.rule() == "ref/missing" => Rendering::default(),
            Err(e) => return Err(e),
        };
        Ok(((old_side, new_side), (name, "the working tree".to_owned())))
    }

    /// All clusters of one side; `told` is what is noticed on the way, which is
    /// `check`'s to tell.
    fn side(
        &self,
        opened: &Repository,
        sources: &Arc<SourceMap>,
        told: &mut Findings,
    ) -> Rendering {
        let mut rendering = Rendering::default();
        for entry in &opened.entries {
            if self
                .shard
                .shard
                .is_some_and(|shard| !shard.holds(&entry.name))
            {
                rendering.left_out.insert(entry.name.clone());
                continue;
            }
            match self
                .repository
                .render(opened, entry, Extent::default(), told)
            {
                Ok((_, cluster)) => rendering.add_cluster(cluster, sources),
                Err(e) => rendering.add_failed(&entry.name, &e, sources),
            }
        }
        rendering
    }
}

/// A base with another lockfile, and what it is called.
fn with_lock(base: Arc<dyn Tree>, name: &str, path: &Path) -> Result<(Arc<dyn Tree>, String)> {
    let content = read::file(path, MAX_FILE_BYTES)?;
    let display = path.display().to_string();
    let name = match name {
        "" => display.clone(),
        name => format!("{name} with {display}"),
    };
    let tree = Replaced::new(base, crate::lock::FILE_NAME, content, &display);
    Ok((Arc::new(tree), name))
}

/// Both sides, and what they are called.
type Sides = ((Rendering, Rendering), (String, String));

fn known_rule(id: &str) -> Result<()> {
    let ids = || diff::RULES.iter().map(|rule| rule.id);
    if ids().any(|known| known == id) {
        return Ok(());
    }
    let error = Error::new("usage/ignore", format!("no such rule: `{id}`"));
    Err(match crate::diag::nearest(id, ids()) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help("docs/diff.md lists the rules"),
    })
}

/// The root as it was at a revision, and what messages call it.
#[cfg(feature = "git")]
pub(super) fn base_tree(root: &Path, revision: Option<&str>) -> Result<(Arc<dyn Tree>, String)> {
    use crate::artifact::git::{GitRepository, GitTree};

    let top = root.ancestors().find(|folder| folder.join(".git").exists());
    let Some(top) = top else {
        return Err(Error::new(
            "ref/missing",
            format!("`{}` lies in no Git repository", root.display()),
        )
        .help("name a folder to compare with: `--base-dir DIR`"));
    };
    let folder = root.strip_prefix(top).unwrap_or(Path::new(""));
    let folder = folder.to_str().unwrap_or_default();
    let repository = GitRepository::open(top)?;
    let commit = if let Some(revision) = revision {
        repository.revision(revision)?
    } else {
        let head = repository.revision("HEAD")?;
        let default = repository.default_branch().ok_or_else(|| {
            Error::new(
                "ref/missing",
                "which branch is the default one is not known here",
            )
            .help("name what to compare with: `--base REVISION`")
        })?;
        repository.merge_base(head, default)?
    };
    let short: String = commit.to_string().chars().take(10).collect();
    let tree = GitTree::open(repository, commit, folder, &short)?;
    let name = match revision {
        Some(revision) if !commit.to_string().starts_with(revision) => {
            format!("{revision} ({short})")
        }
        _ => short,
    };
    Ok((Arc::new(tree), name))
}

#[cfg(not(feature = "git"))]
pub(super) fn base_tree(_root: &Path, _revision: Option<&str>) -> Result<(Arc<dyn Tree>, String)> {
    Err(Error::new(
        "usage/feature",
        "this build of fluxwright lacks the feature `git`",
    )
    .help("name a folder to compare with: `--base-dir DIR`"))
}
