//! What a build gives: for each entry point a cluster, for each Flux object in
//! it what that object applies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::artifact::Digest;
use crate::diag::{Error, Result};
use crate::flux::api::{Source, SourceRef};
use crate::resource::ResId;
use crate::source::trust::Verdict;
use crate::yaml::{Node, emit};

use super::Entry;

/// A Kubernetes object as it is applied.
#[derive(Clone, Debug)]
pub struct Object {
    /// What identifies it.
    pub id: ResId,
    /// The object; every node knows the place it came from.
    pub node: Node,
    /// Whether it stays in the cluster whatever becomes of its owner: a
    /// definition in the `crds/` of a chart, which Helm never deletes.
    pub stays: bool,
}

impl Object {
    /// An object.
    pub fn new(node: Node) -> Object {
        Object {
            id: ResId::of(&node),
            node,
            stays: false,
        }
    }

    /// Appends the object as Flux's programs print it, without marker.
    ///
    /// # Errors
    ///
    /// As [`emit::sorted`].
    pub fn print(&self, out: &mut String) -> Result<()> {
        emit::sorted(&self.node, out).map_err(|e| e.object(self.id.to_object_ref()))
    }
}

/// The SHA-256 of bytes, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> Arc<str> {
    hex::encode(Sha256::digest(bytes)).into()
}

/// What kind of Flux object applies something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnitKind {
    /// A Kustomization.
    Kustomization,
    /// A HelmRelease.
    HelmRelease,
}

impl UnitKind {
    /// The folder of its files in the output.
    pub fn folder(self) -> &'static str {
        match self {
            UnitKind::Kustomization => "kustomization",
            UnitKind::HelmRelease => "helmrelease",
        }
    }
}

/// A Flux object that applies others, and what it applies.
#[derive(Clone, Debug)]
pub struct Unit {
    /// What kind it is.
    pub kind: UnitKind,
    /// What identifies it.
    pub id: ResId,
    /// The Flux object, as its parent renders it.
    pub object: Node,
    /// The Kustomization that renders it; none for one that is bootstrapped.
    pub parent: Option<ResId>,
    /// Where its content comes from.
    pub source: Option<SourceUse>,
    /// `spec.suspend`.
    pub suspended: bool,
    /// It applies to another cluster (`spec.kubeConfig`).
    pub remote: bool,
    /// What it applies, in the order in which it does, or why it cannot.
    pub outcome: Result<Vec<Object>>,
    /// A digest of all that it was rendered from, where another version of the
    /// repository is rendered, too ([`Options::reuse`]): a unit with the same
    /// digest applies the same.
    ///
    /// [`Options::reuse`]: super::render::Options::reuse
    pub inputs: Option<Digest>,
    /// The same of what decides which objects it applies, and nothing besides:
    /// not where that stands, nor what a HelmRelease says of its upgrades.
    pub content: Option<Digest>,
    /// Whether it was not rendered, so that the outcome is empty: another
    /// version of the repository has it with the same content.
    pub is_left: bool,
}

/// A source as a unit uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceUse {
    /// The source.
    pub source: SourceRef,
    /// How it is at hand.
    pub origin: SourceOrigin,
    /// What was found of its signature, or of that of the chart in it.
    pub verdict: Verdict,
}

/// How a source is at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceOrigin {
    /// The repository's own working tree.
    Repository,
    /// The user gave it: not verified.
    Local {
        /// The path as the user wrote it.
        path: String,
    },
    /// The lockfile pins it.
    Locked {
        /// The revision, in Flux's words.
        revision: String,
        /// The digest of what the store holds.
        digest: Digest,
    },
    /// It is not at hand.
    Unavailable,
}

/// All that one entry point leads to.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The entry point.
    pub entry: Entry,
    /// Flux objects and what they apply: Kustomizations first, each sort by
    /// namespace and name.
    pub units: Vec<Unit>,
    /// What the repository itself is called in it.
    pub own: Option<SourceRef>,
    /// The Kustomizations of an entry folder that nothing syncs, by namespace and
    /// name: somebody applied them, whatever applies them now.
    pub by_hand: BTreeSet<(Arc<str>, Arc<str>)>,
    /// Objects of the entry folder that no Kustomization applies: applied by
    /// hand, at bootstrap.
    pub bootstrap: Vec<Object>,
    /// Sources that are not signed as they must be, used or not.
    pub unverified: BTreeMap<SourceRef, Error>,
}

impl Cluster {
    /// The unit with this kind, namespace and name.
    pub fn unit(&self, kind: UnitKind, namespace: &str, name: &str) -> Option<&Unit> {
        self.units
            .iter()
            .find(|u| u.kind == kind && &*u.id.namespace == namespace && &*u.id.name == name)
    }

    /// The sources that its objects declare and that are not the repository
    /// itself, each once. What cannot be read is passed over: whoever uses it
    /// fails.
    pub fn sources(&self) -> Vec<Source> {
        let applied = self.objects().map(|(_, object)| object);
        let mut found: BTreeMap<SourceRef, Source> = BTreeMap::new();
        for object in applied.chain(&self.bootstrap) {
            if let Ok(Some(source)) = Source::read(&object.node)
                && self.own.as_ref() != Some(&source.id)
            {
                found.entry(source.id.clone()).or_insert(source);
            }
        }
        found.into_values().collect()
    }

    /// Whether something in it could not be rendered although its source is at
    /// hand.
    pub fn has_failures(&self) -> bool {
        let mut errors = self.units.iter().filter_map(|u| u.outcome.as_ref().err());
        errors.any(|e| e.rule() != "source/unavailable")
    }

    /// The objects of all units that could be rendered, with their units.
    pub fn objects(&self) -> impl Iterator<Item = (&Unit, &Object)> {
        self.units.iter().flat_map(|unit| {
            let objects = unit.outcome.as_deref().unwrap_or_default();
            objects.iter().map(move |object| (unit, object))
        })
    }
}
