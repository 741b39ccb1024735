//! What a change reaches: for `check --changed-from`.
//!
//! The repository is built as it was, too, as far as to see what everything is
//! rendered from. A Kustomization or HelmRelease that was rendered from the same
//! inputs, by their digest, is not reached, nor is what it applies.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::check::{Applied, View};
use crate::cli::cache::Recorder;
use crate::cli::diff::Base;
use crate::cli::settings::{Extent, Repository, RepositoryArgs};
use crate::diag::{Error, Finding, Findings, ObjectRef, Result, SourceMap};
use crate::pipeline::build;
use crate::pipeline::cluster::{Cluster, Unit, UnitKind};
use crate::resource::Files;

/// A unit of a cluster, by name.
type Name = (Arc<str>, UnitKind, Arc<str>, Arc<str>);

/// What a change reaches.
pub(super) struct Reach {
    /// The units that it does not.
    same: BTreeSet<Name>,
    new: Arc<Files>,
    /// The files as they were; none where there was no such folder.
    old: Option<Arc<Files>>,
}

fn name_of(cluster: &Cluster, unit: &Unit) -> Name {
    let id = &unit.id;
    let cluster = cluster.entry.name.clone();
    (cluster, unit.kind, id.namespace.clone(), id.name.clone())
}

impl Reach {
    /// What the change from a revision to `clusters` reaches.
    ///
    /// # Errors
    ///
    /// For a revision that is not there, and as [`RepositoryArgs::open`].
    pub(super) fn of<'a>(
        args: &RepositoryArgs,
        new: &Repository,
        clusters: impl Iterator<Item = &'a Cluster>,
        revision: &str,
    ) -> Result<Reach> {
        let tree = Base::commit(&new.root, Some(revision))?.open(&Recorder::default())?;
        let mut reach = Reach {
            same: BTreeSet::new(),
            new: new.sources.repository.clone(),
            old: None,
        };
        let old = match args.open_base(tree, new) {
            Ok(old) => old,
            // A folder that is new was nothing before.
            Err(e) if e.rule() == "ref/missing" => return Ok(reach),
            Err(e) => return Err(e),
        };
        reach.old = Some(old.sources.repository.clone());
        let mut before = BTreeSet::new();
        for entry in &old.entries {
            // What was wrong there is not asked for, nor what is rendered.
            let mut told = Findings::new();
            let options = args.options(&old, entry, Extent::CHECKED, None, &mut told);
            let prepared = options.as_ref().map_err(Error::clone);
            let prepared = prepared.and_then(|o| build::prepare(entry, &old.sources, o));
            if let Ok(mut prepared) = prepared {
                prepared.lead_on();
                before.extend(rendered(&prepared.finish(&mut told)));
            }
        }
        let now = clusters.flat_map(rendered);
        let same = now.filter(|unit| before.contains(unit));
        reach.same.extend(same.map(|(name, _)| name));
        Ok(reach)
    }

    /// Keeps the findings about what is reached, and in files that changed; why a
    /// cluster or something in it that is reached does not render, whatever object and
    /// file that is about.
    pub(super) fn narrow(
        &self,
        views: &[View<'_>],
        failed: &[Error],
        sources: &SourceMap,
        findings: &mut Vec<Finding>,
    ) {
        let mut kept: BTreeSet<(Option<Arc<str>>, ObjectRef)> = BTreeSet::new();
        let mut errors: Vec<&Error> = failed.iter().collect();
        for view in views {
            let is_reached = |unit: &Unit| !self.same.contains(&name_of(view.cluster, unit));
            let units = view.cluster.units.iter().filter(|unit| is_reached(unit));
            errors.extend(units.clone().filter_map(|unit| unit.outcome.as_ref().err()));
            let objects = view.objects().iter();
            let objects = objects.filter(|applied| applied.unit.is_some_and(is_reached));
            let references = units
                .map(|unit| unit.id.to_object_ref())
                .chain(objects.map(Applied::reference));
            kept.extend(references.map(|reference| (view.label.clone(), reference)));
        }
        let said = |finding: &Finding| {
            let place = finding.location.clone();
            (finding.rule.clone(), finding.message.clone(), place)
        };
        let errors = errors.into_iter().map(|e| said(&e.to_finding(sources)));
        let errors: BTreeSet<_> = errors.collect();
        findings.retain(|finding| {
            let object = finding.object.clone();
            object.is_some_and(|object| kept.contains(&(finding.cluster.clone(), object)))
                || finding
                    .location
                    .as_ref()
                    .is_some_and(|l| self.has_changed(&l.file))
                || errors.contains(&said(finding))
        });
    }

    /// Whether a file of the repository has another content than before.
    fn has_changed(&self, path: &str) -> bool {
        let is_own = matches!(self.new.kind(path), Ok(Some(_)));
        let old = self.old.as_ref();
        is_own && old.is_none_or(|old| old.digest(path) != self.new.digest(path))
    }
}

/// The units that were rendered, each with the digest of its inputs.
fn rendered(cluster: &Cluster) -> impl Iterator<Item = (Name, crate::artifact::Digest)> + '_ {
    let units = cluster.units.iter();
    units.filter_map(|unit| Some((name_of(cluster, unit), unit.inputs?)))
}
