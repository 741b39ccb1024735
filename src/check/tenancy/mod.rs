//! Tenants: whether what a team brings stays within what is the team's.
//!
//! A tenant's Kustomization or HelmRelease is one with the label
//! `toolkit.fluxcd.io/tenant`, one in a Namespace with that label, or one that
//! lies in a folder `tenants`. What such a folder holds to make room for a
//! tenant (its Namespace, accounts and bindings, applied by Flux itself) is the
//! platform's.

pub(super) mod lockdown;
pub(super) mod scope;
pub(super) mod service_account;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::rbac::access::Applier;
use super::{Applied, View};
use crate::pipeline::cluster::Unit;
use crate::rbac::GROUP;
use crate::yaml::Node;

const LABEL: &str = "toolkit.fluxcd.io/tenant";

/// A unit of a tenant.
struct Tenant<'v, 'a> {
    /// The tenant's name.
    name: String,
    /// What it applies by.
    unit: &'a Unit,
    /// What it applies.
    applied: Vec<&'v Applied<'a>>,
    /// Who applies it.
    applier: Applier,
}

/// The units of tenants.
fn tenants<'v, 'a>(view: &'v View<'a>) -> Vec<Tenant<'v, 'a>> {
    let access = view.access();
    let mut units = view.applied_by_unit();
    for unit in &view.cluster.units {
        if unit.outcome.is_err() {
            units.push((unit, Vec::new()));
        }
    }
    units
        .into_iter()
        .filter(|(unit, _)| !unit.remote)
        .filter_map(|(unit, applied)| {
            let applier = access.applier(unit);
            let by_label = label(&unit.object).or_else(|| {
                let namespace = view.find("", "Namespace", "", &unit.id.namespace)?;
                label(namespace.node())
            });
            let platform = applier == Applier::Controller && applied.iter().any(|a| makes_room(a));
            let by_folder = || folder(view, unit).filter(|_| !platform);
            let name = by_label.or_else(by_folder)?;
            Some(Tenant {
                name,
                unit,
                applied,
                applier,
            })
        })
        .collect()
}

fn label(object: &Node) -> Option<String> {
    let label = object.at_path(&["metadata", "labels", LABEL])?;
    label.text().map(str::to_owned)
}

/// The name of the folder below `tenants` that a unit lies in.
fn folder(view: &View<'_>, unit: &Unit) -> Option<String> {
    let file = view.repository.source_map.get(unit.object.span().file)?;
    let mut parts = file
        .path
        .split('/')
        .skip_while(|part| *part != "tenants")
        .skip(1);
    let name = parts.find(|part| !matches!(*part, "base" | "overlays"))?;
    Some(
        name.trim_end_matches(".yaml")
            .trim_end_matches(".yml")
            .to_owned(),
    )
}

/// Whether an object makes room for a tenant.
fn makes_room(applied: &Applied<'_>) -> bool {
    applied.is("", "Namespace")
        || applied.is("", "ServiceAccount")
        || &*applied.gvk().group == GROUP
}

impl Tenant<'_, '_> {
    /// The namespaces that are the tenant's: those with its label, the one that
    /// it applies to, and those that its account has rights in.
    fn namespaces(&self, view: &View<'_>) -> BTreeSet<Arc<str>> {
        let access = view.access();
        let mut found: BTreeSet<Arc<str>> = view
            .of_kind("", "Namespace")
            .filter(|namespace| label(namespace.node()).as_deref() == Some(&*self.name))
            .map(|namespace| namespace.name().into())
            .collect();
        let target = self.unit.object.at_path(&["spec", "targetNamespace"]);
        found.extend(target.and_then(Node::shared_text).cloned());
        if self.unit.id.namespace != access.controllers.namespace {
            found.insert(self.unit.id.namespace.clone());
        }
        if let Applier::Account { subject, .. } = &self.applier {
            let rights = access.policy.rights(subject);
            found.extend(rights.namespaces().map(Arc::from));
        }
        found
    }

    /// Whether the tenant's account may do everything: who gave it that does
    /// not mean to confine it.
    fn is_unconfined(&self, view: &View<'_>) -> bool {
        match &self.applier {
            Applier::Account { subject, .. } => {
                view.access().policy.rights(subject).is_cluster_admin()
            }
            Applier::Controller | Applier::Elsewhere => false,
        }
    }
}
