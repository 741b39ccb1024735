//! What rules see: the repository, and each cluster with look-up tables.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use foldhash::HashMap;
use rayon::prelude::*;

use crate::artifact::ignore::regular_files;
use crate::config::Config;
use crate::diag::{Error, ObjectRef, Severity, SourceMap};
use crate::flux::{FluxVersion, api};
use crate::graph::Graph;
use crate::pipeline::Sources;
use crate::pipeline::cluster::{Cluster, Object, SourceOrigin, Unit, UnitKind};
use crate::resource::{Gvk, ResId};
use crate::schema::{KubernetesVersion, Schemas, Scope, Verdict, Violation};
use crate::yaml::Node;

use super::rbac::access::Access;

/// The repository that is checked.
#[derive(Debug)]
pub struct Repository {
    /// Its sources: the working tree and what stands in for others.
    pub sources: Sources,
    /// `.fluxwright.yaml`.
    pub config: Config,
    /// Every file that was read.
    pub source_map: Arc<SourceMap>,
    /// Whether all its entry points are checked.
    pub is_whole: bool,
    /// Whether other parts of a sharded run check the others: what those read is
    /// known where the parts are joined.
    pub is_part: bool,
    /// Today, `2026-11-23`; empty where time must not matter.
    pub today: Arc<str>,
}

/// An object as it is applied, and who applies it.
#[derive(Clone, Copy, Debug)]
pub struct Applied<'a> {
    /// The object.
    pub object: &'a Object,
    /// Who applies it; none for what is applied by hand, at bootstrap.
    pub unit: Option<&'a Unit>,
    /// The namespace that it ends up in; empty for what has none.
    pub namespace: &'a str,
}

/// A cluster: everything that is applied there, and ways to find it.
#[derive(Debug)]
pub struct View<'a> {
    /// What was rendered.
    pub cluster: &'a Cluster,
    /// The version of Flux in it.
    pub flux: FluxVersion,
    /// The version of Kubernetes.
    pub kubernetes: KubernetesVersion,
    /// The schemas of its kinds, definitions that it renders included.
    pub schemas: Schemas,
    /// What waits for what.
    pub graph: Graph,
    /// The repository.
    pub repository: &'a Repository,
    /// The name of the cluster, where there are several.
    pub label: Option<Arc<str>>,
    access: OnceLock<Access>,
    verdicts: OnceLock<Vec<(usize, Verdict)>>,
    written: OnceLock<BTreeSet<(String, String)>>,
    objects: Vec<Applied<'a>>,
    kinds: BTreeMap<(&'a str, &'a str), Vec<usize>>,
    names: HashMap<(&'a str, &'a str, &'a str, &'a str), Vec<usize>>,
}

impl<'a> Applied<'a> {
    /// The object as findings name it.
    pub fn reference(&self) -> ObjectRef {
        ObjectRef {
            namespace: self.namespace.into(),
            ..self.object.id.to_object_ref()
        }
    }

    /// The object itself.
    pub fn node(&self) -> &'a Node {
        &self.object.node
    }

    /// Its group, version and kind.
    pub fn gvk(&self) -> &'a Gvk {
        &self.object.id.gvk
    }

    /// Its name.
    pub fn name(&self) -> &'a str {
        &self.object.id.name
    }

    /// The value behind a chain of keys, nulls passed over.
    pub fn at(&self, path: &[&str]) -> Option<&'a Node> {
        let node = path
            .iter()
            .try_fold(self.node(), |node, key| node.target().get(key))?;
        Some(node.target()).filter(|n| !n.is_null())
    }

    /// The text behind a chain of keys.
    pub fn text(&self, path: &[&str]) -> Option<&'a str> {
        self.at(path).and_then(Node::text)
    }

    /// Whether something is true; false where it is not written.
    pub fn is_true(&self, path: &[&str]) -> bool {
        self.at(path).and_then(Node::as_bool) == Some(true)
    }

    /// Whether it is applied to another cluster.
    pub fn is_remote(&self) -> bool {
        self.unit.is_some_and(|unit| unit.remote)
    }

    /// Whether a chart brings it that is not the repository's own.
    pub fn is_of_foreign_chart(&self) -> bool {
        self.unit.is_some_and(|unit| {
            let source = unit.source.as_ref();
            unit.kind == UnitKind::HelmRelease
                && source.is_none_or(|source| source.origin != SourceOrigin::Repository)
        })
    }

    /// Whether it has this group and kind, in any version.
    pub fn is(&self, group: &str, kind: &str) -> bool {
        let gvk = self.gvk();
        *gvk.group == *group && *gvk.kind == *kind
    }
}

/// What is said of an object that the API server's decoder refuses.
fn refused(applied: &Applied<'_>, error: &Error) -> Verdict {
    let id = &applied.object.id;
    Verdict {
        api_version: id.gvk.api_version(),
        kind: id.gvk.kind.to_string(),
        namespace: id.namespace.to_string(),
        name: id.name.to_string(),
        span: applied.node().span(),
        pointer: String::new(),
        violations: vec![Violation {
            rule: "yaml/invalid",
            severity: Severity::Error,
            message: error.to_string(),
            help: error.help_text().map(str::to_owned),
            path: String::new(),
            span: error.span(),
        }],
        missing: None,
    }
}

impl<'a> View<'a> {
    /// The view of a cluster.
    pub fn new(
        repository: &'a Repository,
        cluster: &'a Cluster,
        flux: FluxVersion,
        kubernetes: KubernetesVersion,
    ) -> View<'a> {
        let mut schemas = Schemas::new(kubernetes.minor(), flux.minor());
        let rendered = cluster.objects().map(|(_, object)| &object.node);
        let rendered = rendered.chain(cluster.bootstrap.iter().map(|object| &object.node));
        // What is wrong with a definition is told where it is checked itself.
        schemas.add_definitions(rendered.filter(|node| crate::schema::crd::is_definition(node)));

        let mut view = View {
            cluster,
            flux,
            kubernetes,
            schemas,
            graph: Graph::of(cluster),
            repository,
            label: None,
            access: OnceLock::new(),
            verdicts: OnceLock::new(),
            written: OnceLock::new(),
            objects: Vec::new(),
            kinds: BTreeMap::new(),
            names: HashMap::default(),
        };
        for object in &cluster.bootstrap {
            view.add(object, None);
        }
        for (unit, object) in cluster.objects() {
            view.add(object, Some(unit));
        }
        view
    }

    fn add(&mut self, object: &'a Object, unit: Option<&'a Unit>) {
        let gvk = &object.id.gvk;
        let namespace = if object.id.namespace.is_empty() {
            self.default_namespace(gvk, unit)
        } else {
            &object.id.namespace
        };
        let index = self.objects.len();
        self.objects.push(Applied {
            object,
            unit,
            namespace,
        });
        self.kinds
            .entry((&gvk.group, &gvk.kind))
            .or_default()
            .push(index);
        self.names
            .entry((&gvk.group, &gvk.kind, namespace, &object.id.name))
            .or_default()
            .push(index);
    }

    /// Where an object without a namespace ends up.
    fn default_namespace(&self, gvk: &Gvk, unit: Option<&'a Unit>) -> &'a str {
        let scope = self.schemas.scope_of_any(&gvk.api_version(), &gvk.kind);
        if scope == Some(Scope::Cluster) {
            return "";
        }
        match unit {
            // Helm applies to the release's namespace.
            Some(unit) if unit.kind == UnitKind::HelmRelease && scope.is_some() => unit
                .object
                .at_path(&["spec", "targetNamespace"])
                .and_then(Node::text)
                .unwrap_or(&unit.id.namespace),
            _ if api::kind_of(gvk).is_some() => "default",
            _ => "",
        }
    }

    /// Who applies what, and with which rights: worked out when first asked.
    pub(super) fn access(&self) -> &Access {
        self.access.get_or_init(|| Access::of(self))
    }

    /// What the schemas of their kinds say of all objects.
    ///
    /// [`View::judge`] works it out beforehand, in parallel; that must not
    /// happen in here, where a thread that helps out could come to wait for
    /// itself.
    pub(super) fn verdicts(&self) -> impl Iterator<Item = (&Applied<'a>, &Verdict)> {
        let verdicts = self.verdicts.get().map_or(&[][..], Vec::as_slice);
        verdicts
            .iter()
            .filter_map(|(i, verdict)| Some((self.objects.get(*i)?, verdict)))
    }

    /// Holds all objects to the schemas of their kinds.
    pub(super) fn judge(&self) {
        let judged: Vec<Vec<(usize, Verdict)>> = self
            .objects
            .par_iter()
            .enumerate()
            .map(|(index, applied)| {
                let verdicts = match self.schemas.check(applied.node()) {
                    Ok(verdicts) => verdicts,
                    Err(e) => vec![refused(applied, &e)],
                };
                verdicts.into_iter().map(|v| (index, v)).collect()
            })
            .collect();
        // Who comes second has worked out the same.
        let _ = self.verdicts.set(judged.into_iter().flatten().collect());
    }

    /// The units that could be rendered, each with its objects.
    pub(super) fn applied_by_unit(&self) -> Vec<(&'a Unit, Vec<&Applied<'a>>)> {
        let units = self
            .cluster
            .units
            .iter()
            .filter(|unit| unit.outcome.is_ok());
        let mut found: Vec<(&Unit, Vec<&Applied<'_>>)> =
            units.map(|unit| (unit, Vec::new())).collect();
        let mut at = 0;
        for applied in &self.objects {
            // Objects come unit by unit, in the order of the units.
            let Some(unit) = applied.unit else { continue };
            while let Some((known, objects)) = found.get_mut(at) {
                if std::ptr::eq(*known, unit) {
                    objects.push(applied);
                    break;
                }
                at += 1;
            }
        }
        found
    }

    /// Everything that is applied: at bootstrap first, then unit by unit.
    pub fn objects(&self) -> &[Applied<'a>] {
        &self.objects
    }

    /// All objects of a kind, whatever their version.
    pub fn of_kind<'v>(
        &'v self,
        group: &'v str,
        kind: &'v str,
    ) -> impl Iterator<Item = &'v Applied<'a>> + use<'v, 'a> {
        let found = self
            .kinds
            .get(&(group, kind))
            .map_or(&[][..], Vec::as_slice);
        found.iter().filter_map(|i| self.objects.get(*i))
    }

    /// How many objects of a kind there are.
    pub fn count_of_kind(&self, group: &str, kind: &str) -> usize {
        self.kinds.get(&(group, kind)).map_or(0, Vec::len)
    }

    /// All objects of this identity: more than one where several apply it.
    pub fn all<'v>(
        &'v self,
        group: &'v str,
        kind: &'v str,
        namespace: &'v str,
        name: &'v str,
    ) -> impl Iterator<Item = &'v Applied<'a>> + use<'v, 'a> {
        let found = self.names.get(&(group, kind, namespace, name));
        let found = found.map_or(&[][..], Vec::as_slice);
        found.iter().filter_map(|i| self.objects.get(*i))
    }

    /// The object of this identity, whatever its version.
    pub fn find<'v>(
        &'v self,
        group: &'v str,
        kind: &'v str,
        namespace: &'v str,
        name: &'v str,
    ) -> Option<&'v Applied<'a>> {
        self.all(group, kind, namespace, name).next()
    }

    /// What a Flux object applies; none where it is none, or there is no such.
    pub fn unit(&self, kind: &str, namespace: &str, name: &str) -> Option<&'a Unit> {
        let kind = match kind {
            "Kustomization" => UnitKind::Kustomization,
            "HelmRelease" => UnitKind::HelmRelease,
            _ => return None,
        };
        self.cluster.unit(kind, namespace, name)
    }

    /// Whether a Flux object that is not among the objects does not exist.
    ///
    /// Not so where something makes Flux objects that are not rendered here, or
    /// where a Kustomization could not be rendered: that is told, and what
    /// follows from it need not be. What lies in other repositories counts as
    /// not there, as Flux objects are seldom brought from one for use in
    /// another.
    pub fn is_complete(&self) -> bool {
        let failed = self.cluster.units.iter().any(|unit| {
            let error = unit.outcome.as_ref().err();
            unit.kind == UnitKind::Kustomization
                && error.is_some_and(|e| !matches!(e.rule(), "source/unavailable" | "ref/missing"))
        });
        let mut makers = self.of_kind("fluxcd.controlplane.io", "ResourceSet");
        !failed && makers.next().is_none()
    }

    /// Whether an object of this kind and name is written anywhere in the
    /// repository, applied or not.
    ///
    /// For what is missing where not everything could be rendered.
    pub(super) fn is_written(&self, kind: &str, name: &str) -> bool {
        let written = self.written.get_or_init(|| {
            let files = &self.repository.sources.repository;
            let paths = regular_files(&**files.tree()).unwrap_or_default();
            let manifests = paths
                .iter()
                .filter(|path| [".yaml", ".yml"].iter().any(|end| path.ends_with(end)));
            let documents = manifests.filter_map(|path| files.documents(path).ok());
            let mut written = BTreeSet::new();
            for documents in documents {
                written.extend(documents.iter().map(|document| {
                    let id = ResId::of(&document.root);
                    (id.gvk.kind.to_string(), id.name.to_string())
                }));
            }
            written
        });
        written.contains(&(kind.to_owned(), name.to_owned()))
    }

    /// Whether an object is the source that the repository itself is.
    pub fn is_own_source(&self, applied: &Applied<'_>) -> bool {
        let is = |source: &api::SourceRef| {
            applied.is(api::SOURCE, &source.kind)
                && *source.namespace == *applied.namespace
                && *source.name == *applied.name()
        };
        let used = self.cluster.units.iter().filter_map(|u| u.source.as_ref());
        self.cluster.entry.source.as_ref().is_some_and(is)
            || used
                .filter(|used| used.origin == SourceOrigin::Repository)
                .any(|used| is(&used.source))
    }
}
