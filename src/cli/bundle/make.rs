//! A repository to the bundle of what it renders: what `create` makes, and
//! `verify --rebuild` makes again.

use std::path::Path;
use std::sync::Arc;

use super::release;
use crate::bundle::{self, Bundle, Contents, Origin};
use crate::check::{self, View};
use crate::cli::cache::{Place, Recorder};
use crate::cli::head;
use crate::cli::settings::{Extent, Repository, RepositoryArgs};
use crate::diag::{Error, Finding, Findings, Result, SourceMap};
use crate::flux::FluxVersion;
use crate::gostd::moment::Moment;
use crate::pipeline::cluster::{Cluster, sha256};
use crate::pipeline::index::{self, Versions};
use crate::pipeline::shard::Shard;
use crate::schema::KubernetesVersion;
use crate::source::tag::check_tag;

/// What the command line says of a bundle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan<'a> {
    /// Its version and tag.
    pub(super) tag: &'a str,
    /// The address of the repository.
    pub(super) source: Option<&'a str>,
    /// Whether what must not be released is refused.
    pub(super) release: bool,
    /// Which part of the clusters it holds; all where none is named.
    pub(super) shard: Option<Shard>,
    /// Where it is to be written.
    pub(super) output: Option<&'a Path>,
}

/// Renders a repository and packs it; what is noticed on the way is `told`.
///
/// # Errors
///
/// What cannot be rendered, `bundle/incomplete` where anything is missing, and
/// `bundle/refused` for what must not be released.
pub(super) fn make(
    args: &RepositoryArgs,
    plan: Plan<'_>,
    sources: &Arc<SourceMap>,
    told: &mut Findings,
) -> Result<Bundle> {
    check_tag(plan.tag)?;
    // What is released is held to what was read.
    let recorder = Arc::new(Recorder::default());
    let mut opened = if plan.release {
        args.open_watched(sources, &recorder)?
    } else {
        args.open(sources)?
    };
    opened.narrow(plan.shard, || args.run_of("bundle create", ""));
    let mut rendered = Vec::new();
    for entry in &opened.entries {
        rendered.push(args.render(&opened, entry, Extent::RELEASED, told)?);
    }
    // What the rules read besides decides nothing that is in the clusters.
    let reads = recorder.reads(&Place::Root).unwrap_or_default();
    if plan.release {
        let clusters = rendered.iter().map(|(_, cluster)| cluster);
        release::refuse_sources(&opened, clusters)?;
        release::refuse_seed(&opened, args.seed_file())?;
    }
    let units = rendered.iter().flat_map(|(_, cluster)| &cluster.units);
    let failed = units.filter(|u| u.outcome.is_err()).count();
    if failed > 0 {
        return Err(Error::new(
            "bundle/incomplete",
            format!("{failed} of the Flux objects cannot be rendered"),
        )
        .help("mend what the other findings tell: a bundle holds all or nothing"));
    }
    let head = head::of(&opened.root);
    let lock = opened.sources.repository.bytes(crate::lock::FILE_NAME).ok();
    let origin = Origin {
        source: plan.source.map(str::to_owned),
        revision: head.as_ref().map(|h| h.revision.clone()),
        created: head.as_ref().map_or(0, |h| h.seconds),
        lock_sha256: lock.map(|bytes| sha256(&bytes).to_string()),
        tag: plan.tag.to_owned(),
    };
    let mut flux_versions: Vec<String> = rendered.iter().map(|(f, _)| f.to_string()).collect();
    flux_versions.sort();
    flux_versions.dedup();
    let versions = Versions {
        flux: flux_versions.join(", "),
        kubernetes: opened.kubernetes.clone(),
    };
    let findings = findings(&opened, &rendered, &day_of(&origin), told.clone())?;
    let clusters: Vec<Cluster> = rendered.into_iter().map(|(_, cluster)| cluster).collect();
    let (files, errors) = index::output_files(&clusters, &versions, opened.part.as_ref(), sources);
    if let Some(error) = errors.into_iter().next() {
        return Err(error);
    }
    if plan.release {
        release::refuse_changes(&opened, plan.output, &reads)?;
        release::refuse(&clusters, told, &findings)?;
    }
    bundle::create(&Contents {
        files: &files,
        versions: &versions,
        images: bundle::images(&clusters),
        findings: &findings,
        dependencies: bundle::dependencies(&clusters),
        origin,
        options: args.recorded(),
    })
}

/// What `check` finds, as of the day of the commit: of the same commit anybody
/// finds the same on any day.
fn findings(
    opened: &Repository,
    rendered: &[(FluxVersion, Cluster)],
    day: &str,
    told: Findings,
) -> Result<Vec<Finding>> {
    let settings = check::settings::Settings::new(&opened.config, opened.config_span, &[], day)?;
    let kubernetes = KubernetesVersion::parse_minor(&opened.kubernetes)
        .map_or_else(KubernetesVersion::default, |minor| {
            KubernetesVersion::nearest(minor).0
        });
    let repository = check::Repository {
        sources: opened.sources.clone(),
        config: opened.config.clone(),
        source_map: opened.source_map.clone(),
        // Whether every file of the repository is used is no matter of what
        // is released.
        is_whole: false,
        is_part: false,
        today: day.into(),
    };
    let views: Vec<View<'_>> = rendered
        .iter()
        .map(|(flux, cluster)| {
            let mut view = View::new(&repository, cluster, *flux, kubernetes);
            view.label = opened.has_several.then(|| cluster.entry.name.clone());
            view
        })
        .collect();
    Ok(check::run(&repository, &views, told, &settings))
}

/// The day of the commit, `2026-11-23`; empty where there is none.
fn day_of(origin: &Origin) -> String {
    if origin.revision.is_none() {
        return String::new();
    }
    Moment::from_unix(origin.created).date()
}
