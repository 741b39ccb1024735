//! Both versions of a repository, rendered as far as the change between them
//! reaches.
//!
//! In: the two, opened. Out: a [`Rendering`] of each. First all Kustomizations
//! are built, and those that have the same inputs in both once; then it is known
//! what every HelmRelease would be rendered from, and only those are rendered
//! that are not the same in both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use crate::cli::cache::may_be_kept;
use crate::cli::progress::Bar;
use crate::cli::settings::{Extent, Repository, RepositoryArgs};
use crate::diag::{Error, Findings, Result};
use crate::diff::Rendering;
use crate::pipeline::build::{self, Left, Prepared};
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
    // What the base has in common with it is built once.
    let mut new_builds = new.prepare();
    let mut old_builds = old.as_ref().map(Side::prepare).unwrap_or_default();
    let (new_left, old_left) = (left(&new_builds), left(&old_builds));
    // One after the other, each with all threads: what the first reads, the
    // second has.
    render_others(&mut new_builds, &old_left);
    render_others(&mut old_builds, &new_left);
    render_where_definitions_go(&mut new_builds, &old_builds);
    let mut sides = Sides {
        old: Rendering::default(),
        new: Rendering::default(),
        told: Findings::new(),
        may_be_kept: true,
    };
    sides.may_be_kept &= new.finish(args, new_builds, &mut sides.new, &mut sides.told);
    if let Some(old) = &old {
        let mut untold = Findings::new();
        sides.may_be_kept &= old.finish(args, old_builds, &mut sides.old, &mut untold);
    }
    sides
}

/// One version, and how its entry points are built.
struct Side<'a> {
    repository: &'a Repository,
    plans: Vec<(&'a Entry, Result<render::Options>)>,
    /// The clusters that other parts of a sharded run compare.
    left_out: BTreeSet<Arc<str>>,
    told: Findings,
}

/// What an entry point is built to, so far.
type Builds<'a> = BTreeMap<Arc<str>, Result<Prepared<'a>>>;

impl<'a> Side<'a> {
    fn plan(args: &RepositoryArgs, repository: &'a Repository, plan: Plan) -> Side<'a> {
        let mut side = Side {
            repository,
            plans: Vec::new(),
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
            side.plans.push((entry, options));
        }
        side
    }

    fn prepare(&self) -> Builds<'_> {
        let sources = &self.repository.sources;
        let plans = self.plans.par_iter();
        let builds = plans.map(|(entry, options)| {
            let options = options.as_ref().map_err(Error::clone);
            let build = options.and_then(|options| build::prepare(entry, sources, options));
            (entry.name.clone(), build)
        });
        builds.collect()
    }

    /// Adds what came of it to a rendering; gives whether it may be kept.
    fn finish(
        &self,
        args: &RepositoryArgs,
        builds: Builds<'_>,
        rendering: &mut Rendering,
        told: &mut Findings,
    ) -> bool {
        let Repository {
            source_map,
            sources,
            has_several,
            ..
        } = self.repository;
        let mut is_kept = true;
        told.extend(self.told.clone());
        for (name, build) in builds {
            let mut own = Findings::new();
            let cluster = build.and_then(|build| {
                let cluster = build.finish(&mut own);
                args.check_frozen(&cluster, sources)?;
                Ok(cluster)
            });
            if *has_several {
                own.set_cluster(&name);
            }
            told.extend(own);
            match cluster {
                Ok(cluster) => {
                    is_kept &= may_be_kept(&cluster);
                    rendering.add_cluster(cluster, source_map);
                }
                Err(e) => {
                    is_kept = false;
                    rendering.add_failed(&name, &e, source_map);
                }
            }
        }
        rendering.left_out.clone_from(&self.left_out);
        is_kept
    }
}

/// What is left of each build.
fn left(builds: &Builds<'_>) -> BTreeMap<Arc<str>, Left> {
    let builds = builds.iter();
    let left = builds.filter_map(|(name, build)| Some((name.clone(), build.as_ref().ok()?.left())));
    left.collect()
}

/// Renders what is not the same elsewhere.
fn render_others(builds: &mut Builds<'_>, elsewhere: &BTreeMap<Arc<str>, Left>) {
    let nothing = Left::new();
    builds.par_iter_mut().for_each(|(name, build)| {
        if let Ok(build) = build {
            build.render(elsewhere.get(name).unwrap_or(&nothing));
        }
    });
}

/// Renders all of a cluster from which the definition of a kind goes: all
/// objects of that kind go with it, and are counted.
fn render_where_definitions_go(new: &mut Builds<'_>, old: &Builds<'_>) {
    for (name, build) in new {
        let (Ok(build), Some(Ok(before))) = (build, old.get(name)) else {
            continue;
        };
        let now = build.definitions();
        if before.definitions().iter().any(|one| !now.contains(one)) {
            build.render(&Left::new());
        }
    }
}
