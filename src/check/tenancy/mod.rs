//! Tenants: whether what a team brings stays within what is the team's.
//!
//! A tenant's Kustomization or HelmRelease is one that `.fluxwright.yaml`
//! declares to be; one with the label `toolkit.fluxcd.io/tenant`, in a Namespace
//! with that label, or in a folder `tenants`; or one that a tenant's account
//! brings. What such a folder holds to make room for a tenant (its Namespace,
//! accounts and bindings, applied by Flux itself) is the platform's.

pub(super) mod declared;
pub(super) mod lockdown;
mod references;
pub(super) mod scope;
pub(super) mod service_account;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::declared::Declared;
use super::rbac::access::Applier;
use super::{Applied, View};
use crate::pipeline::cluster::Unit;
use crate::rbac::GROUP;
use crate::resource::ResId;
use crate::yaml::Node;

const LABEL: &str = "toolkit.fluxcd.io/tenant";

/// A unit of a tenant.
struct Tenant<'v, 'a> {
    /// The tenant's name.
    name: String,
    /// Its declaration, where there is one.
    declared: Option<&'v Declared>,
    /// What it applies by.
    unit: &'a Unit,
    /// What it applies.
    applied: Vec<&'v Applied<'a>>,
    /// Who applies it.
    applier: Applier,
}

/// The namespaces of a tenant.
struct Namespaces<'v> {
    declared: Option<&'v Declared>,
    found: BTreeSet<Arc<str>>,
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
    let mut found: Vec<Tenant<'_, '_>> = Vec::new();
    let mut others = Vec::new();
    for (unit, applied) in units.into_iter().filter(|(unit, _)| !unit.remote) {
        let applier = access.applier(unit);
        let file = view.repository.source_map.get(unit.object.span().file);
        let file = file.as_ref().map(|file| &*file.path);
        let declared = access.tenants.iter().find(|t| t.brings(&unit.id, file));
        let platform = applier == Applier::Controller && applied.iter().any(|a| makes_room(a));
        let name = declared
            .map(|tenant| tenant.name.clone())
            .or_else(|| label(&unit.object))
            .or_else(|| of_namespace(view, &unit.id.namespace).map(str::to_owned))
            .or_else(|| file.and_then(folder).filter(|_| !platform));
        let tenant = Tenant {
            name: name.clone().unwrap_or_default(),
            declared,
            unit,
            applied,
            applier,
        };
        match name {
            Some(_) => found.push(tenant),
            None => others.push(tenant),
        }
    }
    inherit(&mut found, others);
    found
}

/// Adds what is brought by an account of a tenant: it is the tenant's.
fn inherit<'v, 'a>(found: &mut Vec<Tenant<'v, 'a>>, mut others: Vec<Tenant<'v, 'a>>) {
    loop {
        let mut owners: BTreeMap<&ResId, (&str, Option<&'v Declared>)> = BTreeMap::new();
        for tenant in found.iter() {
            if matches!(tenant.applier, Applier::Account { .. }) {
                owners.insert(&tenant.unit.id, (&tenant.name, tenant.declared));
            }
        }
        let mut children = Vec::new();
        let mut left = Vec::new();
        for mut other in others {
            let parent = other.unit.parent.as_ref();
            match parent.and_then(|parent| owners.get(parent)) {
                Some((name, declared)) => {
                    (*name).clone_into(&mut other.name);
                    other.declared = *declared;
                    children.push(other);
                }
                None => left.push(other),
            }
        }
        if children.is_empty() {
            return;
        }
        found.append(&mut children);
        others = left;
    }
}

/// The tenant that a namespace is declared or labelled to be of.
fn of_namespace<'v>(view: &'v View<'_>, name: &'v str) -> Option<&'v str> {
    let tenants = &view.access().tenants;
    let declared = tenants.iter().find(|tenant| tenant.owns(name));
    declared.map(|tenant| &*tenant.name).or_else(|| {
        let namespace = view.find("", "Namespace", "", name)?;
        namespace.text(&["metadata", "labels", LABEL])
    })
}

fn label(object: &Node) -> Option<String> {
    let label = object.at_path(&["metadata", "labels", LABEL])?;
    label.text().map(str::to_owned)
}

/// The name of the folder below `tenants` that a file lies in.
fn folder(file: &str) -> Option<String> {
    let mut parts = file
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

impl<'v> Tenant<'v, '_> {
    /// The namespaces that are the tenant's: those that are declared; else
    /// those with its label, the one that it applies to, and those that its
    /// account has rights in.
    fn namespaces(&self, view: &View<'_>) -> Namespaces<'v> {
        let declared = self.declared.filter(|tenant| tenant.has_namespaces());
        let mut found = BTreeSet::new();
        if declared.is_none() {
            self.find_namespaces(view, &mut found);
        }
        Namespaces { declared, found }
    }

    fn find_namespaces(&self, view: &View<'_>, found: &mut BTreeSet<Arc<str>>) {
        let access = view.access();
        let own = view
            .of_kind("", "Namespace")
            .filter(|namespace| label(namespace.node()).as_deref() == Some(&*self.name))
            .map(|namespace| namespace.name().into());
        found.extend(own);
        // Who is confined to an account may write any namespace there; the
        // account decides.
        let by_platform = self.unit.id.namespace == access.controllers.namespace
            || self.applier == Applier::Controller;
        found.extend(self.target().filter(|_| by_platform).cloned());
        if self.unit.id.namespace != access.controllers.namespace {
            found.insert(self.unit.id.namespace.clone());
        }
        if let Applier::Account { subject, .. } = &self.applier {
            let rights = access.policy.rights(subject);
            found.extend(rights.namespaces().map(Arc::from));
        }
    }

    /// `spec.targetNamespace`.
    fn target(&self) -> Option<&Arc<str>> {
        let target = self.unit.object.at_path(&["spec", "targetNamespace"]);
        target.and_then(Node::shared_text)
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

impl Namespaces<'_> {
    fn hold(&self, namespace: &str) -> bool {
        match self.declared {
            Some(tenant) => tenant.owns(namespace),
            None => self.found.contains(namespace),
        }
    }

    fn are_unknown(&self) -> bool {
        self.declared.is_none() && self.found.is_empty()
    }

    /// In words.
    fn names(&self) -> String {
        let names: Vec<&str> = match self.declared {
            Some(tenant) => tenant.written.iter().map(|text| &**text).collect(),
            None => self.found.iter().map(|name| &**name).collect(),
        };
        format!("`{}`", names.join("`, `"))
    }
}
