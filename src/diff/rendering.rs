//! What is compared: one side, as clusters of units of objects.
//!
//! In: what the pipeline built, or loose manifests. Out: a [`Rendering`]. What
//! could not be rendered is part of it, so that it is never taken for a
//! deletion.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::artifact::Digest;
use crate::diag::{Error, Location, Result, SourceMap, Span};
use crate::pipeline::cluster::{self, Object, UnitKind};
use crate::pipeline::shard::Shard;
use crate::resource::ResId;
use crate::yaml::{Document, Node, anchors};

/// Which of the two renderings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// What was.
    Old,
    /// What is to be.
    New,
}

/// All that one side applies.
#[derive(Clone, Debug, Default)]
pub struct Rendering {
    /// Its clusters by name.
    pub clusters: BTreeMap<Arc<str>, Cluster>,
    /// The clusters that other parts of a sharded run compare.
    pub left_out: BTreeSet<Arc<str>>,
}

/// One cluster of a side.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    /// Who applies what.
    pub units: Vec<Unit>,
    /// Why nothing of it could be rendered.
    pub failure: Option<Failure>,
}

/// Objects with one owner.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Who applies them; none for what is applied by hand.
    pub owner: Option<Owner>,
    /// The objects, in the order in which they are applied, or why there are
    /// none.
    pub outcome: std::result::Result<Vec<Object>, Failure>,
    /// A digest of what decides which objects these are, where that is known: a
    /// unit of the other side with the same is the same, and either need not
    /// have been rendered.
    pub content: Option<Digest>,
}

/// A Kustomization or HelmRelease, as far as it matters for what it applies.
#[derive(Clone, Debug)]
pub struct Owner {
    /// Which of the two.
    pub kind: UnitKind,
    /// What identifies it.
    pub id: ResId,
    /// The Kustomization that renders it.
    pub parent: Option<ResId>,
    /// Whether it does nothing at present.
    pub suspended: bool,
    /// Where it says so.
    pub suspends: Option<Span>,
    /// Whether it deletes what it no longer renders.
    pub prunes: bool,
    /// Whether it deletes what it has applied when it is deleted itself.
    pub takes_along: bool,
    /// Whether it replaces what it cannot change.
    pub forces: bool,
    /// The namespace that objects end up in which name none, where it gives
    /// them one.
    pub namespace: Option<Arc<str>>,
    /// The kubeconfig of the cluster that it applies to, where that is another
    /// one.
    pub remote: Option<Arc<str>>,
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.id.to_object_ref().fmt(f)
    }
}

/// Why something could not be rendered.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The rule of the error.
    pub rule: Arc<str>,
    /// Its message.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Where it happened.
    pub location: Option<Location>,
}

impl Failure {
    /// From an error.
    pub fn of(error: &Error, sources: &SourceMap) -> Failure {
        Failure {
            rule: error.rule().into(),
            message: error.to_string(),
            help: error.help_text().map(str::to_owned),
            location: Location::of(error.span(), sources),
        }
    }
}

impl Rendering {
    /// The names of all clusters, those of other parts included.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.clusters.keys().chain(&self.left_out)
    }

    /// Whether somebody applies what it holds, or nobody does; none where it holds
    /// nothing.
    pub fn owned(&self) -> Option<bool> {
        let units = self.clusters.values().flat_map(|cluster| &cluster.units);
        let mut units = units.filter(|u| u.outcome.as_ref().is_ok_and(|o| !o.is_empty()));
        units.next().map(|unit| unit.owner.is_some())
    }

    /// Leaves the clusters that a part does not hold to others.
    pub fn narrow(&mut self, shard: Shard) {
        let left_out = self.clusters.extract_if(.., |name, _| !shard.holds(name));
        self.left_out.extend(left_out.map(|(name, _)| name));
    }

    /// Adds what the pipeline built from an entry point.
    pub fn add_cluster(&mut self, built: cluster::Cluster, sources: &SourceMap) {
        let mut units: Vec<Unit> = built
            .units
            .into_iter()
            .map(|unit| Unit {
                owner: Some(owner(&unit)),
                outcome: unit.outcome.map_err(|e| Failure::of(&e, sources)),
                content: unit.content,
            })
            .collect();
        if !built.bootstrap.is_empty() {
            units.push(Unit {
                owner: None,
                outcome: Ok(built.bootstrap),
                content: None,
            });
        }
        let cluster = Cluster {
            units,
            failure: None,
        };
        self.clusters.insert(built.entry.name, cluster);
    }

    /// Adds a cluster of which nothing could be rendered.
    pub fn add_failed(&mut self, name: &Arc<str>, error: &Error, sources: &SourceMap) {
        let cluster = Cluster {
            units: Vec::new(),
            failure: Some(Failure::of(error, sources)),
        };
        self.clusters.insert(name.clone(), cluster);
    }

    /// Adds manifests that have no owner, as one cluster of this name.
    ///
    /// Lists are opened; documents that are empty are left out.
    ///
    /// # Errors
    ///
    /// `schema/invalid`, with the place, for a document that is no Kubernetes
    /// object, `yaml/invalid` for merge keys that cannot be merged.
    pub fn add_manifests<'a>(
        &mut self,
        name: &Arc<str>,
        documents: impl IntoIterator<Item = &'a Document>,
    ) -> Result<()> {
        let cluster = self.clusters.entry(name.clone()).or_default();
        let mut objects = Vec::new();
        for document in documents {
            if !document.root.is_null() {
                add_object(&anchors::resolved(&document.root)?, &mut objects)?;
            }
        }
        cluster.units.push(Unit {
            owner: None,
            outcome: Ok(objects),
            content: None,
        });
        Ok(())
    }
}

fn add_object(node: &Node, objects: &mut Vec<Object>) -> Result<()> {
    let id = ResId::of(node);
    if id.gvk.kind.ends_with("List") && node.get("items").is_some_and(Node::is_sequence) {
        let items = node.get("items").map(Node::items).unwrap_or_default();
        return items.iter().try_for_each(|item| add_object(item, objects));
    }
    if id.gvk.kind.is_empty() || id.name.is_empty() {
        return Err(
            Error::new("schema/invalid", "the document is no Kubernetes object")
                .at(node.span())
                .help("every object has `apiVersion`, `kind` and `metadata.name`"),
        );
    }
    objects.push(Object::new(node.clone()));
    Ok(())
}

fn owner(unit: &cluster::Unit) -> Owner {
    Owner {
        parent: unit.parent.clone(),
        suspended: unit.suspended,
        ..Owner::new(
            unit.kind,
            unit.id.clone(),
            flags_of(unit.kind, Some(&unit.object)),
        )
    }
}

/// What an owner does with what it applies.
#[derive(Clone, Debug, Default)]
pub(super) struct Flags {
    prunes: bool,
    pub(super) takes_along: bool,
    forces: bool,
    remote: Option<Arc<str>>,
    target: Option<Arc<str>>,
    suspends: Option<Span>,
}

impl Owner {
    pub(super) fn new(kind: UnitKind, id: ResId, flags: Flags) -> Owner {
        let namespace = match kind {
            UnitKind::Kustomization => None,
            // Helm applies to the release's namespace.
            UnitKind::HelmRelease => Some(flags.target.unwrap_or_else(|| id.namespace.clone())),
        };
        Owner {
            kind,
            id,
            namespace,
            parent: None,
            suspended: false,
            suspends: flags.suspends,
            prunes: flags.prunes,
            takes_along: flags.takes_along,
            forces: flags.forces,
            remote: flags.remote,
        }
    }
}

/// What a Flux object says it does with what it applies.
pub(super) fn flags_of(kind: UnitKind, object: Option<&Node>) -> Flags {
    let spec = object.and_then(|o| o.get("spec"));
    let flag = |key: &str| spec.and_then(|s| s.get(key)).and_then(Node::as_bool) == Some(true);
    // Of one that is not at hand, the worse is thought.
    let prune = flag("prune") || object.is_none();
    Flags {
        prunes: match kind {
            UnitKind::Kustomization => prune,
            // Helm deletes what a new version of a release no longer has.
            UnitKind::HelmRelease => true,
        },
        // Compat: `finalizerShouldDeleteResources` of kustomize-controller and
        // `reconcileDelete` of helm-controller: what is suspended deletes nothing.
        takes_along: !flag("suspend")
            && match kind {
                UnitKind::Kustomization => {
                    let policy = spec.and_then(|s| s.get("deletionPolicy"));
                    match policy.and_then(Node::text) {
                        Some("Delete" | "WaitForTermination") => true,
                        Some("Orphan") => false,
                        _ => prune,
                    }
                }
                UnitKind::HelmRelease => true,
            },
        suspends: spec.and_then(|s| s.get("suspend")).map(Node::span),
        target: spec
            .and_then(|s| s.get("targetNamespace"))
            .and_then(Node::shared_text)
            .filter(|name| !name.is_empty())
            .cloned(),
        // Helm replaces with `--force`, too, but no immutable field.
        forces: kind == UnitKind::Kustomization && flag("force"),
        remote: spec.and_then(|s| s.get("kubeConfig")).map(|config| {
            let name = |key| config.at_path(&[key, "name"]).and_then(Node::shared_text);
            name("secretRef")
                .or_else(|| name("configMapRef"))
                .cloned()
                .unwrap_or_else(|| "another cluster".into())
        }),
    }
}
