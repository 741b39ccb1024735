//! Both versions of a repository, rendered as far as the change between them
//! reaches.
//!
//! In: the two, opened. Out: a [`Rendering`] of each. Kustomizations that have
//! the same inputs in both are built once; then it is known what every
//! HelmRelease would be rendered from, and only those are rendered that are not
//! the same in both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use crate::cli::cache::may_be_kept;
use crate::cli::progress::Bar;
use crate::cli::settings::{Extent, Repository, RepositoryArgs};
use crate::diag::{Error, Findings, Result};
use crate::diff::Rendering;
use crate::pipeline::build::{self, Prepared};
use crate::pipeline::shard::Shard;
use crate::pipeline::{Entry, Progress, render};

/// The two versions.
pub(super) struct Sides {
    pub(super) old: Rendering,
    pub(super) new: Rendering,
    /// What was noticed in the new one, which is `check`'s to tell.
    pub(super) told: Findings,
    /// Whether all of it may be kept for the next run.
    pub(super) may_be_kept: bool,
}

/// How much of them is rendered.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    /// Only these clusters.
    pub(super) shard: Option<Shard>,
    /// Also what could be left, being the same in both.
    pub(super) full: bool,
}

/// Renders both versions; without an old one, there was nothing before.
pub(super) fn render(
    args: &RepositoryArgs,
    old: Option<&Repository>,
    new: &Repository,
    plan: Plan,
) -> Sides {
    let new = Side::plan(args, new, plan);
    let old = old.map(|old| Side::plan(args, old, plan));
    let names: BTreeSet<&Arc<str>> = [Some(&new), old.as_ref()]
        .into_iter()
        .flatten()
        .flat_map(|side| side.plans.keys())
        .collect();
    let names: Vec<&Arc<str>> = names.into_iter().collect();
    let builds = names.into_par_iter().map(|name| {
        // These are single Kustomizations, of one thread each.
        let begin_old = || old.as_ref().and_then(|old| old.prepare(name));
        let (mut now, mut before) = rayon::join(|| new.prepare(name), begin_old);
        build::render_both(built(&mut now), built(&mut before));
        ((name, now), (name, before))
    });
    let (now, before): (Vec<_>, Vec<_>) = builds.unzip();
    let finish_old = || old.as_ref().map(|old| old.finish(args, before));
    let (now, before) = rayon::join(|| new.finish(args, now), finish_old);
    let before = before.unwrap_or_default();
    Sides {
        old: before.rendering,
        new: now.rendering,
        told: now.told,
        may_be_kept: now.may_be_kept && before.may_be_kept,
    }
}

/// What an entry point is built to, so far; none where this version has no such
/// entry point.
type Build<'a> = Option<Result<Prepared<'a>>>;

fn built<'b, 'a>(build: &'b mut Build<'a>) -> Option<&'b mut Prepared<'a>> {
    build.as_mut()?.as_mut().ok()
}

/// What came of a version.
struct Finished {
    rendering: Rendering,
    told: Findings,
    may_be_kept: bool,
}

impl Default for Finished {
    /// There was nothing.
    fn default() -> Finished {
        Finished {
            rendering: Rendering::default(),
            told: Findings::new(),
            may_be_kept: true,
        }
    }
}

/// One version, and how its entry points are built.
struct Side<'a> {
    repository: &'a Repository,
    plans: BTreeMap<Arc<str>, (&'a Entry, Result<render::Options>)>,
    /// The clusters that other parts of a sharded run compare.
    left_out: BTreeSet<Arc<str>>,
    told: Findings,
}

impl<'a> Side<'a> {
    fn plan(args: &RepositoryArgs, repository: &'a Repository, plan: Plan) -> Side<'a> {
        let mut side = Side {
            repository,
            plans: BTreeMap::new(),
            left_out: BTreeSet::new(),
            told: Findings::new(),
        };
        for entry in &repository.entries {
            if plan.shard.is_some_and(|shard| !shard.holds(&entry.name)) {
                side.left_out.insert(entry.name.clone());
                continue;
            }
            let progress = Bar::new(&entry.name).map(|bar| bar as Arc<dyn Progress>);
            let (extent, told) = (Extent::default(), &mut side.told);
            let mut options = args.options(repository, entry, extent, progress, told);
            if let Ok(options) = &mut options {
                options.renders_all = plan.full;
            }
            side.plans.insert(entry.name.clone(), (entry, options));
        }
        side
    }

    fn prepare(&self, name: &Arc<str>) -> Build<'_> {
        let (entry, options) = self.plans.get(name)?;
        let options = options.as_ref().map_err(Error::clone);
        Some(options.and_then(|options| build::prepare(entry, &self.repository.sources, options)))
    }

    fn finish(&self, args: &RepositoryArgs, builds: Vec<(&Arc<str>, Build<'_>)>) -> Finished {
        let Repository {
            source_map,
            sources,
            has_several,
            ..
        } = self.repository;
        let mut finished = Finished {
            told: self.told.clone(),
            ..Finished::default()
        };
        let Finished {
            rendering,
            told,
            may_be_kept: is_kept,
        } = &mut finished;
        for (name, build) in builds {
            let Some(build) = build else { continue };
            let mut own = Findings::new();
            let cluster = build.and_then(|build| {
                let cluster = build.finish(&mut own);
                args.check_frozen(&cluster, sources)?;
                Ok(cluster)
            });
            if *has_several {
                own.set_cluster(name);
            }
            told.extend(own);
            match cluster {
                Ok(cluster) => {
                    *is_kept &= may_be_kept(&cluster);
                    rendering.add_cluster(cluster, source_map);
                }
                Err(e) => {
                    *is_kept = false;
                    rendering.add_failed(name, &e, source_map);
                }
            }
        }
        rendering.left_out.clone_from(&self.left_out);
        finished
    }
}
