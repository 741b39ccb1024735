//! What came of a build: the units of the cluster, and what is told of them.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::{Graph, Owner, Release, Task, incomplete};
use crate::diag::{Error, Findings};
use crate::flux::api::{self, SourceRef};
use crate::lock::ChartRequest;
use crate::pipeline::cluster::{Cluster, Object, SourceOrigin, SourceUse, Unit, UnitKind};
use crate::pipeline::{release, render};
use crate::resource::{Gvk, ResId};
use crate::source::trust::Verdict;
use crate::yaml::Node;

/// Why sources may not be used.
type Unverified = BTreeMap<SourceRef, Error>;

impl Graph<'_> {
    /// What came of it all.
    pub(super) fn finish(mut self, findings: &mut Findings) -> Cluster {
        self.drop_orphans();
        self.fail_cycles();
        let unverified = self.sources.unverified();
        let tasks: Vec<Task> = std::mem::take(&mut self.tasks).into_values().collect();
        let releases = std::mem::take(&mut self.releases);
        let releases: Vec<Release> = releases.into_values().collect();
        let tasks = tasks.into_par_iter().map(|t| self.unit(t, &unverified));
        let releases = releases.into_par_iter().map(|r| self.release_unit(r));
        let finished: Vec<(Unit, Findings)> = tasks.chain(releases).collect();
        let mut units = Vec::with_capacity(finished.len());
        for (unit, told) in finished {
            units.push(unit);
            findings.extend(told);
        }
        let applied: BTreeSet<&ResId> = units
            .iter()
            .flat_map(|unit| unit.outcome.as_deref().unwrap_or_default())
            .map(|object| &object.id)
            .collect();
        let bootstrap = self
            .seen
            .iter()
            .cloned()
            .map(Object::new)
            .filter(|o| !applied.contains(&o.id))
            .collect();
        let by_hand = match &self.entry.source {
            Some(_) => BTreeSet::new(),
            None => self.seen.iter().filter_map(super::key_of).collect(),
        };
        let sources = &self.options.source_map;
        self.sources.tell_unverified(sources, findings);
        Cluster {
            entry: self.entry.clone(),
            own: self.sources.own,
            units,
            by_hand,
            bootstrap,
            unverified,
        }
    }

    /// What came of a Kustomization.
    fn unit(&self, task: Task, unverified: &Unverified) -> (Unit, Findings) {
        let mut findings = Findings::new();
        let spec = task.spec.ok();
        let refusal = spec.as_ref().and_then(|s| unverified.get(&s.source));
        let mut inputs = None;
        let outcome = task
            .done
            .unwrap_or_else(|| Err(incomplete()))
            .and_then(|rendered| match refusal {
                // However it was rendered.
                Some(refusal) => Err(refusal.clone()),
                None => Ok(rendered),
            })
            .and_then(|rendered| {
                findings.extend(about(&task.object, rendered.findings));
                let objects = render::in_order(rendered.objects, self.options)?;
                inputs = rendered.inputs;
                Ok(objects)
            });
        let fields = spec.as_ref().map(|s| s.dropped.as_slice());
        let failure = outcome.as_ref().err();
        self.tell(&task.object, fields, failure, &mut findings);
        let source = spec.as_ref().map(|s| s.source.clone());
        let unit = Unit {
            kind: UnitKind::Kustomization,
            source: source.map(|source| self.source_use(source, None)),
            suspended: spec.as_ref().is_some_and(|s| s.suspend),
            remote: spec.as_ref().is_some_and(|s| s.remote),
            parent: task.parent.map(to_id),
            id: ResId::of(&task.object),
            object: task.object,
            outcome,
            inputs,
            content: inputs,
            is_left: false,
        };
        (unit, findings)
    }

    /// What came of a HelmRelease.
    fn release_unit(&self, release: Release) -> (Unit, Findings) {
        let mut findings = Findings::new();
        let mut basis = release.basis;
        let done = if release.is_left {
            Ok(release::Rendered::default())
        } else {
            release.done.unwrap_or_else(|| Err(incomplete()))
        };
        let outcome = done.map(|rendered| {
            basis = rendered.basis.or(basis);
            findings.extend(about(&release.object, rendered.findings));
            rendered.objects
        });
        let spec = release.spec.ok();
        let fields = spec.as_ref().map(|s| s.dropped.as_slice());
        let failure = outcome.as_ref().err();
        self.tell(&release.object, fields, failure, &mut findings);
        let chart = release.chart.as_ref();
        let unit = Unit {
            kind: UnitKind::HelmRelease,
            source: (release.source).map(|source| self.source_use(source, chart)),
            suspended: spec.as_ref().is_some_and(|s| s.suspend),
            remote: spec.as_ref().is_some_and(|s| s.remote),
            parent: release.parent.map(to_id),
            id: ResId::of(&release.object),
            object: release.object,
            inputs: basis.filter(|_| outcome.is_ok()).map(|basis| basis.inputs),
            content: basis.map(|basis| basis.content),
            outcome,
            is_left: release.is_left,
        };
        (unit, findings)
    }

    /// Tells what is wrong with a Flux object itself, and why it fails.
    fn tell(
        &self,
        object: &Node,
        dropped: Option<&[api::Dropped]>,
        failure: Option<&Error>,
        findings: &mut Findings,
    ) {
        let sources = &self.options.source_map;
        let id = ResId::of(object).to_object_ref();
        let dropped = dropped.unwrap_or_default();
        findings.extend(api::check_fields(
            object,
            dropped,
            self.options.flux,
            sources,
        ));
        if let Some(old) = api::check_version(object, self.options.flux, sources) {
            findings.push(old);
        }
        if let Some(error) = failure {
            findings.push(
                error
                    .clone()
                    .object(id)
                    .at(object.span())
                    .to_finding(sources),
            );
        }
    }

    fn source_use(&self, source: SourceRef, chart: Option<&ChartRequest>) -> SourceUse {
        let origin = if let Some(path) = self.sources.local_part(&source) {
            SourceOrigin::Local { path }
        } else if self.sources.is_own(&source) {
            SourceOrigin::Repository
        } else if let Some(pin) = self.sources.pin(&source) {
            SourceOrigin::Locked {
                revision: pin.revision,
                digest: pin.digest,
            }
        } else {
            SourceOrigin::Unavailable
        };
        let verdict = [chart, None]
            .into_iter()
            .map(|chart| self.sources.verdict(&source, chart))
            .find(|verdict| *verdict != Verdict::Unasked)
            .unwrap_or(Verdict::Unasked);
        SourceUse {
            source,
            origin,
            verdict,
        }
    }
}

/// What identifies an owner, in the version that Flux serves.
fn to_id((kind, (namespace, name)): Owner) -> ResId {
    let gvk = match kind {
        UnitKind::Kustomization => Gvk::new("kustomize.toolkit.fluxcd.io/v1", "Kustomization"),
        UnitKind::HelmRelease => Gvk::new("helm.toolkit.fluxcd.io/v2", "HelmRelease"),
    };
    ResId {
        gvk,
        namespace,
        name,
    }
}

/// What is about no object in particular is about the Flux object itself.
fn about(object: &Node, findings: Findings) -> Findings {
    let mut about = Findings::new();
    for mut finding in findings.into_vec() {
        finding
            .object
            .get_or_insert_with(|| ResId::of(object).to_object_ref());
        about.push(finding);
    }
    about
}
