//! Builds of versions of one cluster, to be compared: what is the same in all of
//! them need not be rendered.
//!
//! In: an entry of each, as for [`build`](super::build). Out: what Kustomizations
//! apply, and what those HelmReleases apply that differ; definitions in charts that
//! are the same in both are not read.
//!
//! Only a HelmRelease is left that cannot render objects of Flux, which would
//! lead on to others: the group of these has a word in it that stands neither
//! in its chart nor in its values. A chart that puts the word together of
//! pieces is not seen through, save where everything is rendered
//! ([`Options::renders_all`]).

use super::{Graph, definitions, graph, releases};
use crate::diag::{Findings, Result};
use crate::pipeline::cluster::Cluster;
use crate::pipeline::render::Options;
use crate::pipeline::{Entry, Sources};

/// A build that is not finished.
pub struct Prepared<'a> {
    graph: Graph<'a>,
    findings: Findings,
}

/// Begins to build what an entry point leads to: what applies the entry folder itself
/// is built.
///
/// # Errors
///
/// As [`build`](super::build).
pub fn prepare<'a>(
    entry: &'a Entry,
    sources: &Sources,
    options: &'a Options,
) -> Result<Prepared<'a>> {
    let mut findings = Findings::new();
    let graph = graph(entry, sources, options, &mut findings);
    let mut graph = graph.map_err(|e| e.map_text(|text| options.secrets.redact(text)))?;
    // The other version may begin at the same time.
    graph.sources.scope.is_alone = true;
    graph.start();
    Ok(Prepared { graph, findings })
}

/// Builds the rest of two versions; where one version is missing, all of the other.
/// Left are HelmReleases that both have with the same content, and that lead to
/// nothing else.
pub fn render_both<'a>(now: Option<&mut Prepared<'a>>, before: Option<&mut Prepared<'a>>) {
    match (now, before) {
        (Some(now), Some(before)) => {
            run(&mut [now, before]);
            let (now, before) = (&mut now.graph, &mut before.graph);
            definitions::read_needed(&mut [now, before]);
            // All objects of a kind go with its definition, and are counted.
            if definitions::are_deleted(before, now) {
                now.render_left();
                definitions::read_all(&mut [now, before]);
            }
        }
        (Some(build), None) | (None, Some(build)) => {
            build.lead_on();
            build.graph.render_left();
        }
        (None, None) => {}
    }
}

/// Builds the Kustomizations, and then the HelmReleases.
fn run(builds: &mut [&mut Prepared<'_>]) {
    // Only `go_on` does anything of both at once.
    for build in &mut *builds {
        build.graph.sources.scope.is_alone = false;
    }
    match builds {
        [now, before] => go_on(&mut now.graph, &mut before.graph),
        _ => builds.iter_mut().for_each(|build| build.graph.go_on()),
    }
    let renders_all = builds.iter().any(|build| build.graph.options.renders_all);
    let graphs = builds.iter_mut().map(|build| &mut build.graph);
    let mut graphs: Vec<&mut Graph<'_>> = graphs.filter(|g| !g.options.skip_releases).collect();
    releases::run(&mut graphs, !renders_all);
}

/// Builds the Kustomizations of two versions: of each step first those of the one, so
/// that what they have in common is built once; where that would leave threads idle,
/// those of both.
fn go_on(now: &mut Graph<'_>, before: &mut Graph<'_>) {
    let mut is_open = (true, true);
    while is_open != (false, false) {
        let leave_threads = now.leaves_threads() && before.leaves_threads();
        before.sources.scope.is_alone = leave_threads;
        let mut step_now = || is_open.0 && now.step();
        let mut step_before = || is_open.1 && before.step();
        is_open = if leave_threads {
            rayon::join(step_now, step_before)
        } else {
            (step_now(), step_before())
        };
    }
    before.sources.scope.is_alone = false;
}

impl Prepared<'_> {
    /// Builds the rest, but for HelmReleases that lead to nothing else.
    pub fn lead_on(&mut self) {
        run(&mut [self]);
    }

    /// What came of it: what is still left is in the cluster as that.
    pub fn finish(self, findings: &mut Findings) -> Cluster {
        let Prepared {
            graph,
            findings: mut own,
        } = self;
        let options = graph.options;
        let mut cluster = graph.finish(&mut own);
        options.secrets.learn(&cluster);
        own.map_text(|text| options.secrets.redact(text));
        options.secrets.hide(&mut cluster);
        findings.extend(own);
        cluster
    }
}
