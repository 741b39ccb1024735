//! Who applies what in a cluster, and with which rights: worked out once, for
//! all rules that ask.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::check::tenancy::declared::{self, Declared};
use crate::check::{Applied, View};
use crate::diag::Span;
use crate::flux::controllers::{Controllers, NAMESPACE};
use crate::pipeline::cluster::{Unit, UnitKind};
use crate::pipeline::entry;
use crate::rbac::kinds::Resource;
use crate::rbac::needs::{How, Item};
use crate::rbac::{Binding, GROUP, Policy, Role, Subject};
use crate::resource::ResId;
use crate::schema::{Origin, Scope};
use crate::yaml::Node;

/// The rights and accounts of a cluster.
#[derive(Debug)]
pub(in crate::check) struct Access {
    /// How Flux is set up.
    pub(in crate::check) controllers: Controllers,
    /// Roles and bindings.
    pub(in crate::check) policy: Policy,
    /// ServiceAccounts that are applied: namespaces and names.
    pub(in crate::check) accounts: BTreeSet<(Arc<str>, Arc<str>)>,
    /// Resources of definitions that are applied, by group and kind.
    plurals: BTreeMap<(Arc<str>, Arc<str>), Arc<str>>,
    /// Tenants that `.fluxwright.yaml` declares.
    pub(in crate::check) tenants: Vec<Declared>,
    /// The Kustomization that flux-operator makes for a FluxInstance.
    made: Option<ResId>,
}

/// Who a unit's objects are applied by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::check) enum Applier {
    /// The controller itself: it may do everything.
    Controller,
    /// An account.
    Account {
        /// Whose rights count.
        subject: Subject,
        /// Where it is named; the unit itself where the controller's option
        /// says so.
        span: Span,
        /// Whether the unit names it.
        named: bool,
    },
    /// Somebody in another cluster.
    Elsewhere,
}

impl Access {
    pub(in crate::check) fn of(view: &View<'_>) -> Access {
        let controllers = controllers(view);
        let local = |kind: &'static str| view.of_kind(GROUP, kind).filter(|a| !a.is_remote());
        let roles = ["Role", "ClusterRole"].into_iter().flat_map(local);
        let bindings = ["RoleBinding", "ClusterRoleBinding"]
            .into_iter()
            .flat_map(local)
            .filter_map(|a| Binding::of(a.node(), a.namespace));
        let bindings: Vec<Binding> = bindings.collect();
        // Where the installation is in the repository, so are its bindings.
        let controller =
            Subject::service_account(controllers.namespace.clone(), "kustomize-controller");
        let bound = bindings.iter().any(|b| b.subjects.contains(&controller));
        let flux = Some(&*controllers.namespace).filter(|_| !controllers.installed || !bound);
        let policy = Policy::new(
            roles.filter_map(|a| Role::of(a.node(), a.namespace)),
            bindings,
            flux,
        );
        let accounts = view
            .of_kind("", "ServiceAccount")
            .filter(|a| !a.is_remote());
        let definitions = view.of_kind("apiextensions.k8s.io", "CustomResourceDefinition");
        Access {
            controllers,
            policy,
            // What is wrong with them is told when settings are read.
            tenants: declared::read(&view.repository.config).unwrap_or_default(),
            made: view.cluster.entry.made.as_ref().map(ResId::of),
            accounts: accounts
                .map(|a| (a.namespace.into(), a.name().into()))
                .collect(),
            plurals: definitions
                .filter_map(|definition| {
                    let text = |path: &[&str]| definition.text(path).map(Arc::from);
                    let key = (text(&["spec", "group"])?, text(&["spec", "names", "kind"])?);
                    Some((key, text(&["spec", "names", "plural"])?))
                })
                .collect(),
        }
    }

    /// Who applies what a unit brings.
    ///
    /// Compat: kustomize-controller and helm-controller act as
    /// `spec.serviceAccountName` in the object's own namespace, else as
    /// `--default-service-account`, else as themselves.
    pub(in crate::check) fn applier(&self, unit: &Unit) -> Applier {
        if unit.remote {
            return Applier::Elsewhere;
        }
        let named = unit.object.at_path(&["spec", "serviceAccountName"]);
        let named = named.filter(|node| node.text().is_some_and(|text| !text.is_empty()));
        let default = match unit.kind {
            UnitKind::Kustomization => self.controllers.kustomize_account.as_deref(),
            UnitKind::HelmRelease => self.controllers.helm_account.as_deref(),
        };
        // Compat: flux-operator lets what it makes itself run as the controller.
        let made = self.made.as_ref() == Some(&unit.id);
        let name = named.and_then(Node::text).or(default.filter(|_| !made));
        match name {
            None => Applier::Controller,
            Some(name) => Applier::Account {
                subject: Subject::service_account(unit.id.namespace.clone(), name),
                span: named.map_or(unit.object.span(), Node::span),
                named: named.is_some(),
            },
        }
    }

    /// The account that Flux's controller runs as.
    pub(in crate::check) fn controller(&self, name: &str) -> Subject {
        Subject::service_account(self.controllers.namespace.clone(), name)
    }

    /// Whether a subject is Flux itself, or the cluster's own.
    pub(in crate::check) fn is_trusted(&self, subject: &Subject) -> bool {
        match subject {
            Subject::ServiceAccount { namespace, name } => {
                let own = matches!(
                    &**name,
                    "kustomize-controller" | "helm-controller" | "flux-operator"
                );
                own && (*namespace == self.controllers.namespace || &**name == "flux-operator")
                    || &**namespace == "kube-system"
            }
            Subject::Group(name) => &**name == "system:masters",
            Subject::User(name) => name.starts_with("system:kube-"),
        }
    }

    /// Whether an account is there: applied, or one that is always there.
    pub(in crate::check) fn exists(&self, namespace: &str, name: &str) -> bool {
        name == "default"
            || self.accounts.contains(&(namespace.into(), name.into()))
            || (*namespace == *self.controllers.namespace
                && self.is_trusted(&Subject::service_account(namespace, name)))
    }

    /// The resource of an object.
    pub(in crate::check) fn resource(
        &self,
        view: &View<'_>,
        applied: &Applied<'_>,
    ) -> Resource<'_> {
        let gvk = applied.gvk();
        let key = (gvk.group.clone(), gvk.kind.clone());
        if let Some(plural) = self.plurals.get(&key) {
            return Resource::named(plural);
        }
        let known = view.schemas.kind(&gvk.api_version(), &gvk.kind);
        let own =
            known.is_some_and(|(origin, _)| matches!(origin, Origin::Kubernetes | Origin::Flux));
        Resource::usual(&gvk.kind, own)
    }
}

/// How Flux is set up: as its Deployments are applied; where they are written
/// at bootstrap and are not in the repository, as the files beside them say.
fn controllers(view: &View<'_>) -> Controllers {
    let entry = &view.cluster.entry;
    let namespace = entry.source.as_ref().map(|source| &*source.namespace);
    let mut found = Controllers::in_namespace(namespace.unwrap_or(NAMESPACE));
    for applied in view
        .of_kind("apps", "Deployment")
        .filter(|a| !a.is_remote())
    {
        found.read_deployment(applied.node(), applied.namespace);
    }
    if !found.installed {
        found = entry::controllers(&view.repository.sources.repository, entry);
    }
    for applied in view.of_kind("fluxcd.controlplane.io", "FluxInstance") {
        found.read_instance(applied.node(), applied.namespace);
    }
    found
}

/// How a unit applies its objects.
pub(in crate::check) fn how<'a>(access: &Access, unit: &'a Unit) -> How<'a> {
    let text = |key: &str| unit.object.at_path(&["spec", key]).and_then(Node::text);
    let flag = |path: &[&str]| unit.object.at_path(path).and_then(Node::as_bool) == Some(true);
    match unit.kind {
        UnitKind::Kustomization => How::Kustomization {
            prune: flag(&["spec", "prune"]),
            lists: access.controllers.lists_what_it_waits_for(),
        },
        UnitKind::HelmRelease => How::Helm {
            storage: text("storageNamespace").unwrap_or(&unit.id.namespace),
            creates: flag(&["spec", "install", "createNamespace"])
                .then(|| text("targetNamespace").unwrap_or(&unit.id.namespace)),
        },
    }
}

/// The objects of a unit that somebody could apply: not those that should have
/// a namespace and have none, which `schema/no-namespace` and `tenancy/scope`
/// tell of.
pub(in crate::check) fn placed<'v, 'a>(
    view: &View<'_>,
    applied: Vec<&'v Applied<'a>>,
) -> Vec<&'v Applied<'a>> {
    let placed = |applied: &&Applied<'_>| {
        let gvk = applied.gvk();
        !applied.namespace.is_empty()
            || view.schemas.scope(&gvk.api_version(), &gvk.kind) != Some(Scope::Namespaced)
    };
    applied.into_iter().filter(placed).collect()
}

/// The objects of a unit, as the account that applies them sees them.
pub(in crate::check) fn items<'a>(
    view: &'a View<'a>,
    access: &'a Access,
    unit: &'a Unit,
    applied: &[&'a Applied<'a>],
) -> Vec<Item<'a>> {
    let flag = |path: &[&str]| unit.object.at_path(path).and_then(Node::as_bool) == Some(true);
    let waits = match unit.kind {
        UnitKind::Kustomization => flag(&["spec", "wait"]),
        UnitKind::HelmRelease => !flag(&["spec", "install", "disableWait"]),
    };
    let checks = unit.object.at_path(&["spec", "healthChecks"]);
    let checks = checks.map_or(&[][..], |list| list.target().items());
    let by_kustomization = unit.kind == UnitKind::Kustomization;
    let is_waited = |applied: &Applied<'_>| {
        let named = || {
            checks
                .iter()
                .any(|check| is_checked(check.target(), applied))
        };
        waits || by_kustomization && (is_definition(applied) || named())
    };
    applied
        .iter()
        .map(|applied| Item {
            group: &applied.gvk().group,
            kind: &applied.gvk().kind,
            resource: access.resource(view, applied),
            namespace: applied.namespace,
            name: applied.name(),
            node: applied.node(),
            waited: is_waited(applied),
        })
        .collect()
}

/// Whether an entry of `spec.healthChecks` names an object.
fn is_checked(check: &Node, applied: &Applied<'_>) -> bool {
    let text = |key: &str| check.get(key).and_then(Node::text).unwrap_or_default();
    let namespace = text("namespace");
    text("kind") == &*applied.gvk().kind
        && text("name") == applied.name()
        && (namespace.is_empty() || namespace == applied.namespace)
}

/// Whether the rest of a Kustomization waits for it, whatever `spec.wait` says.
///
/// Compat: fluxcd/pkg `ssa` `ApplyAllStaged`.
fn is_definition(applied: &Applied<'_>) -> bool {
    applied.is("", "Namespace")
        || applied.is(GROUP, "ClusterRole")
        || applied.is("apiextensions.k8s.io", "CustomResourceDefinition")
}
