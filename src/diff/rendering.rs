//! What is compared: one side, as clusters of units of objects.
//!
//! In: what the pipeline built, or loose manifests. Out: a [`Rendering`]. What
//! could not be rendered is part of it, so that it is never taken for a
//! deletion.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diag::{Error, Location, Result, SourceMap};
use crate::pipeline::cluster::{self, Object, UnitKind};
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
    /// Whether it deletes what it no longer renders.
    pub prunes: bool,
    /// Whether it replaces what it cannot change.
    pub forces: bool,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The rule of the error.
    pub rule: &'static str,
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
            rule: error.rule(),
            message: error.to_string(),
            help: error.help_text().map(str::to_owned),
            location: Location::of(error.span(), sources),
        }
    }
}

impl Rendering {
    /// Adds what the pipeline built from an entry point.
    pub fn add_cluster(&mut self, built: cluster::Cluster, sources: &SourceMap) {
        let mut units: Vec<Unit> = built
            .units
            .into_iter()
            .map(|unit| Unit {
                owner: Some(owner(&unit)),
                outcome: unit.outcome.map_err(|e| Failure::of(&e, sources)),
            })
            .collect();
        if !built.bootstrap.is_empty() {
            units.push(Unit {
                owner: None,
                outcome: Ok(built.bootstrap),
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
    let spec = |path: &[&str]| {
        let spec = unit.object.get("spec")?;
        spec.at_path(path)
    };
    let flag = |path: &[&str]| spec(path).and_then(Node::as_bool) == Some(true);
    Owner {
        kind: unit.kind,
        id: unit.id.clone(),
        parent: unit.parent.clone(),
        suspended: unit.suspended,
        prunes: match unit.kind {
            UnitKind::Kustomization => flag(&["prune"]),
            // Helm deletes what a new version of a release no longer has.
            UnitKind::HelmRelease => true,
        },
        // Helm replaces with `--force`, too, but no immutable field.
        forces: unit.kind == UnitKind::Kustomization && flag(&["force"]),
        remote: spec(&["kubeConfig"]).map(|config| {
            let name = |key| config.at_path(&[key, "name"]).and_then(Node::shared_text);
            name("secretRef")
                .or_else(|| name("configMapRef"))
                .cloned()
                .unwrap_or_else(|| "another cluster".into())
        }),
    }
}
