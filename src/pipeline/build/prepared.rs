//! A build of one version of a repository, to be compared with another: what is
//! the same in both need not be rendered.
//!
//! In: an entry, as for [`build`](super::build). Out: first what all
//! HelmReleases would be rendered from, then, of those that somebody wants,
//! what they render.
//!
//! Only a HelmRelease is left that cannot render objects of Flux, which would
//! lead on to others: the group of these has a word in it that stands neither
//! in its chart nor in its values. A chart that puts the word together of
//! pieces is not seen through, save where everything is rendered
//! ([`Options::renders_all`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Graph, Key, graph};
use crate::artifact::Digest;
use crate::diag::{Findings, Result};
use crate::pipeline::cluster::Cluster;
use crate::pipeline::render::Options;
use crate::pipeline::{Entry, Sources};
use crate::resource::ResId;
use crate::yaml::Node;

/// HelmReleases that were left, by namespace and name, each with a digest of
/// what decides which objects it applies.
pub type Left = BTreeMap<(Arc<str>, Arc<str>), Digest>;

/// A build that is not finished.
pub struct Prepared<'a> {
    graph: Graph<'a>,
    findings: Findings,
}

/// Builds what an entry point leads to, and leaves HelmReleases for later.
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
    graph.leaves_releases = !options.renders_all;
    graph.run_all();
    Ok(Prepared { graph, findings })
}

impl Prepared<'_> {
    /// The HelmReleases that are left.
    pub fn left(&self) -> Left {
        let releases = self.graph.releases.iter();
        let left = releases.filter(|(_, release)| release.is_left);
        left.filter_map(|(key, release)| Some((key.clone(), release.basis?.content)))
            .collect()
    }

    /// Renders those that are left, save for those that are `same` elsewhere.
    pub fn render(&mut self, same: &Left) {
        let is_other = |key: &Key, content| same.get(key) != Some(&content);
        self.graph.render_left(is_other);
    }

    /// The definitions of kinds that are rendered so far.
    pub fn definitions(&self) -> BTreeSet<Arc<str>> {
        let tasks = self.graph.tasks.values().filter_map(|t| t.done.as_ref());
        let releases = self.graph.releases.values().filter_map(|r| r.done.as_ref());
        let nodes = tasks.flatten().flat_map(|done| &done.objects);
        let objects = releases.flatten().flat_map(|done| &done.objects);
        let all = nodes.chain(objects.map(|object| &object.node));
        all.filter_map(definition).collect()
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

/// The name of the definition that an object is.
fn definition(object: &Node) -> Option<Arc<str>> {
    let is_definition = super::is_of_kind(object, "CustomResourceDefinition");
    is_definition.then(|| ResId::of(object).name)
}
