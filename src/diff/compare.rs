//! Two renderings to their difference.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::fields::{self, Change};
use super::ignore::Ignore;
use super::noise::{self, Noise};
use super::pairs::{self, Located, Pair};
use super::rendering::{Cluster, Failure, Owner, Rendering, Side, Unit};
use super::scopes::Scopes;
use super::secret::{self, Placeholders};
use super::{meaning, pairs::stem};
use crate::artifact::Digest;
use crate::diag::{Finding, ObjectRef, SourceMap};
use crate::pipeline::cluster::Object;
use crate::resource::ResId;
use crate::yaml::{Node, emit};

/// How two renderings are compared.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Fields that are left out.
    pub ignore: Vec<Ignore>,
    /// Whether findings name their cluster even where there is but one: it is
    /// one of several, the others of which are compared elsewhere.
    pub is_part: bool,
}

/// What differs between two renderings.
#[derive(Clone, Debug, Default)]
pub struct Difference {
    /// The clusters, in the order of their names, also those without any
    /// difference.
    pub clusters: Vec<ClusterDifference>,
}

/// On which sides a cluster is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// On both.
    Both,
    /// It is new.
    Added,
    /// It is gone.
    Removed,
}

/// What differs in one cluster.
#[derive(Clone, Debug)]
pub struct ClusterDifference {
    /// Its name.
    pub name: Arc<str>,
    /// On which sides it is.
    pub presence: Presence,
    /// What could not be compared.
    pub unrendered: Vec<Unrendered>,
    /// The objects that differ, by owner, kind, namespace and name.
    pub objects: Vec<ObjectDifference>,
    /// How many objects are the same on both sides, of those that were
    /// compared.
    pub unchanged: usize,
    /// How many Kustomizations and HelmReleases have the same inputs on both
    /// sides: what they apply is the same, and was not compared.
    pub unreached: usize,
    /// What the change means, worst first.
    pub findings: Vec<Finding>,
}

/// A part that does not render on one side, so that nothing is known of what
/// changed in it.
#[derive(Clone, Debug)]
pub struct Unrendered {
    /// On which side; none where it renders on neither.
    pub side: Option<Side>,
    /// What does not render; none for a whole cluster.
    pub owner: Option<ObjectRef>,
    /// Why.
    pub failure: Failure,
    /// How many objects of the other side stand there without counterpart.
    pub not_compared: usize,
}

impl std::fmt::Display for Unrendered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.owner {
            Some(owner) => write!(f, "{owner} ")?,
            None => f.write_str("the cluster ")?,
        }
        f.write_str(match self.side {
            None => "does not render, nor did it before this change",
            Some(Side::Old) => "did not render before this change",
            Some(Side::New) => "does not render",
        })?;
        write!(f, ": {}", self.failure.message)?;
        match self.not_compared {
            0 => Ok(()),
            1 => f.write_str("; 1 object has nothing to be compared with"),
            n => write!(f, "; {n} objects have nothing to be compared with"),
        }
    }
}

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Its fields changed, or its owner.
    Changed,
}

/// An object that differs.
///
/// Its content and changes have placeholders for secret values.
#[derive(Clone, Debug)]
pub struct ObjectDifference {
    /// What became of it.
    pub action: Action,
    /// What identifies it: as it is to be; as it was, for what is gone.
    pub id: ObjectRef,
    /// What identified it, where its generated name is another one now.
    pub old_id: Option<ObjectRef>,
    /// Who applies it, or did.
    pub owner: Option<ObjectRef>,
    /// Who applied it, where that is somebody else now.
    pub old_owner: Option<ObjectRef>,
    /// The fields that differ; empty for what is new or gone.
    pub changes: Vec<Change>,
    /// The old object.
    pub old: Option<Node>,
    /// The new object.
    pub new: Option<Node>,
}

impl ObjectDifference {
    /// Whether all that changed is noise; one that gets another name is made anew.
    pub fn is_noise(&self) -> bool {
        self.action == Action::Changed
            && self.old_owner.is_none()
            && self.old_id.is_none()
            && !self.changes.is_empty()
            && self.changes.iter().all(|c| c.noise.is_some())
    }
}

impl Difference {
    /// Whether nothing differs and everything could be compared.
    pub fn is_empty(&self) -> bool {
        self.clusters.iter().all(|c| {
            c.presence == Presence::Both && c.objects.is_empty() && c.unrendered.is_empty()
        })
    }

    /// All findings, each with its cluster.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.clusters.iter().flat_map(|c| &c.findings)
    }
}

/// A pair with the fields that differ: what conclusions are drawn from.
pub(super) struct Compared<'a> {
    pub(super) pair: Pair<'a>,
    pub(super) changes: Vec<Change>,
}

/// Compares two renderings.
///
/// `sources` is the map that the places in both point into.
pub fn compare(
    old: &Rendering,
    new: &Rendering,
    comparison: &Comparison,
    sources: &SourceMap,
) -> Difference {
    let names: BTreeSet<&Arc<str>> = old.clusters.keys().chain(new.clusters.keys()).collect();
    let several = names.len() > 1 || comparison.is_part;
    let nothing = Cluster::default();
    let clusters = names
        .into_iter()
        .map(|name| {
            let sides = (old.clusters.get(name), new.clusters.get(name));
            let presence = match sides {
                (Some(_), None) => Presence::Removed,
                (None, Some(_)) => Presence::Added,
                _ => Presence::Both,
            };
            let (old, new) = (sides.0.unwrap_or(&nothing), sides.1.unwrap_or(&nothing));
            let mut difference = cluster(name, old, new, comparison, sources);
            difference.presence = presence;
            if presence == Presence::Removed {
                difference.findings = meaning::of_removed(name, &difference);
            }
            if several {
                for finding in &mut difference.findings {
                    finding.cluster = Some(name.clone());
                }
            }
            difference
        })
        .collect();
    Difference { clusters }
}

fn cluster(
    name: &Arc<str>,
    old: &Cluster,
    new: &Cluster,
    comparison: &Comparison,
    sources: &SourceMap,
) -> ClusterDifference {
    let unreached = unreached(old, new);
    let old = printable(old, &Printed::new(), &unreached, sources);
    let reached = old.units.iter().filter(|unit| !is_among(unit, &unreached));
    let printed = reached.flat_map(|unit| unit.outcome.iter().flatten());
    let printed: Printed<'_> = printed.map(|object| (&object.id, &object.node)).collect();
    let new = printable(new, &printed, &unreached, sources);
    let (old, new) = (&*old, &*new);
    let scopes = Scopes::of([old, new]);
    let (mut old_objects, old_left_out) = comparable(old, new, &unreached, &scopes);
    let (mut new_objects, new_left_out) = comparable(new, old, &unreached, &scopes);
    let in_new = failures(new, Side::New, &old_left_out, &unreached);
    let mut unrendered: Vec<Unrendered> = in_new.collect();
    for before in failures(old, Side::Old, &new_left_out, &unreached) {
        match unrendered.iter_mut().find(|u| u.owner == before.owner) {
            // What is wrong now is what can be mended.
            Some(both) => both.side = None,
            None => unrendered.push(before),
        }
    }
    unrendered.sort_by(|a, b| a.owner.cmp(&b.owner));
    // Objects that are ignored in part are copied without these parts.
    let copies: Vec<_> = [&old_objects, &new_objects]
        .map(|objects| without_ignored(objects, &comparison.ignore))
        .into();
    if let [Some(old), Some(new)] = &copies[..] {
        for (located, copy) in old_objects.iter_mut().zip(old) {
            located.object = copy;
        }
        for (located, copy) in new_objects.iter_mut().zip(new) {
            located.object = copy;
        }
    }
    let pairs = pairs::pairs(old_objects, new_objects);
    let total = pairs.len();
    let renamed: BTreeMap<&str, &str> = pairs.iter().filter_map(rename).collect();
    let compared: Vec<Compared<'_>> = pairs
        .into_par_iter()
        .filter_map(|pair| compare_pair(pair, &renamed))
        .collect();
    let findings = meaning::of(&compared, old, new, &unrendered, sources);
    let mut objects: Vec<ObjectDifference> = compared.par_iter().map(difference).collect();
    objects.sort_by(|a, b| (&a.owner, &a.id, a.action).cmp(&(&b.owner, &b.id, b.action)));
    ClusterDifference {
        name: name.clone(),
        presence: Presence::Both,
        unrendered,
        unchanged: total - objects.len(),
        unreached: unreached.len(),
        objects,
        findings,
    }
}

/// How many objects of each owner have no counterpart.
type LeftOut = BTreeMap<Part, usize>;

/// A part of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// All of it.
    Whole,
    /// What one owner applies.
    Of(ResId),
}

impl Part {
    fn is(&self, other: &Part) -> bool {
        match (self, other) {
            (Part::Of(a), Part::Of(b)) => meaning::same_object(a, b),
            _ => self == other,
        }
    }
}

/// Owners, whatever the API version of these, with what they have on both sides.
type Unreached<'a> = BTreeMap<OwnerKey<'a>, Digest>;

/// Group, kind, namespace and name.
type OwnerKey<'a> = [&'a str; 4];

/// What has the same content on both sides, and is not compared:
/// each object in it is one of both sides.
fn unreached<'a>(old: &'a Cluster, new: &'a Cluster) -> Unreached<'a> {
    let contents = |side: &'a Cluster| -> Unreached<'a> {
        let units = side.units.iter();
        units
            .filter_map(|unit| Some((Owners::key(&unit.owner.as_ref()?.id), unit.content?)))
            .collect()
    };
    let before = contents(old);
    let mut same = contents(new);
    same.retain(|id, content| before.get(id) == Some(content));
    same
}

/// Whether a unit is one of those that are the same on both sides.
fn is_among(unit: &Unit, unreached: &Unreached<'_>) -> bool {
    let owner = unit.owner.as_ref();
    owner.is_some_and(|owner| unreached.contains_key(&Owners::key(&owner.id)))
}

/// Objects that can be printed.
type Printed<'a> = BTreeMap<&'a ResId, &'a Node>;

/// A side in which what cannot be printed has failed, as it does where it is built:
/// nothing of it gets into a cluster. What is the same on both sides fails on both.
fn printable<'a>(
    side: &'a Cluster,
    printed: &Printed<'_>,
    unreached: &Unreached<'_>,
    sources: &SourceMap,
) -> Cow<'a, Cluster> {
    let failure = |unit: &Unit| {
        if is_among(unit, unreached) {
            return None;
        }
        let objects = unit.outcome.as_ref().ok()?;
        let check = |object: &Object| {
            let known = printed.get(&object.id).copied();
            emit::check_sorted(&object.node, known).err()
        };
        let error = objects.iter().find_map(check)?;
        Some(Failure::of(&error, sources))
    };
    let failures: Vec<Option<Failure>> = side.units.par_iter().map(failure).collect();
    if failures.iter().all(Option::is_none) {
        return Cow::Borrowed(side);
    }
    let mut side = side.clone();
    for (unit, failure) in side.units.iter_mut().zip(failures) {
        if let Some(failure) = failure {
            unit.outcome = Err(failure);
        }
    }
    Cow::Owned(side)
}

/// The objects of a side that can be compared, and for each part that failed on
/// the other side the number of those that cannot.
fn comparable<'a>(
    side: &'a Cluster,
    other: &Cluster,
    unreached: &Unreached<'_>,
    scopes: &Scopes,
) -> (Vec<Located<'a>>, LeftOut) {
    let mut objects = Vec::new();
    let mut left_out = LeftOut::new();
    let (owners, others) = (Owners::of(side), Owners::of(other));
    for unit in &side.units {
        let Ok(own) = &unit.outcome else { continue };
        if is_among(unit, unreached) {
            continue;
        }
        let failed = match &other.failure {
            Some(_) => Some(Part::Whole),
            None => failed_part(unit, &owners, &others),
        };
        if let Some(failed) = failed {
            *left_out.entry(failed).or_default() += own.len();
            continue;
        }
        let owner = unit.owner.as_ref();
        objects.extend(own.iter().map(|object| Located::new(owner, object, scopes)));
    }
    (objects, left_out)
}

/// The part of the other side that does not render and would hold what a unit of
/// this side holds: the unit itself, or a Kustomization that renders it.
fn failed_part(unit: &Unit, owners: &Owners<'_>, others: &Owners<'_>) -> Option<Part> {
    let mut owner = unit.owner.as_ref()?;
    let mut seen = BTreeSet::new();
    loop {
        match others.unit(&owner.id) {
            Some(unit) if unit.outcome.is_err() => return Some(Part::Of(owner.id.clone())),
            Some(_) => return None,
            None => {}
        }
        let parent = owner.parent.as_ref()?;
        if !seen.insert(parent) {
            return None;
        }
        owner = owners.unit(parent)?.owner.as_ref()?;
    }
}

/// The units of a side by their owners, whatever the API version of these.
struct Owners<'a>(BTreeMap<OwnerKey<'a>, &'a Unit>);

impl<'a> Owners<'a> {
    fn of(side: &'a Cluster) -> Owners<'a> {
        let units = side.units.iter();
        let owned = units.filter_map(|unit| Some((Self::key(&unit.owner.as_ref()?.id), unit)));
        Owners(owned.collect())
    }

    fn key(id: &ResId) -> OwnerKey<'_> {
        [&id.gvk.group, &id.gvk.kind, &id.namespace, &id.name]
    }

    fn unit(&self, owner: &ResId) -> Option<&'a Unit> {
        self.0.get(&Self::key(owner)).copied()
    }
}

fn failures<'a>(
    side: &'a Cluster,
    which: Side,
    left_out: &'a LeftOut,
    unreached: &'a Unreached<'_>,
) -> impl Iterator<Item = Unrendered> + 'a {
    let count = |part: &Part| {
        let parts = left_out.iter().filter(|(other, _)| other.is(part));
        parts.map(|(_, n)| n).sum()
    };
    let whole = side.failure.iter().map(move |failure| Unrendered {
        side: Some(which),
        owner: None,
        failure: failure.clone(),
        not_compared: count(&Part::Whole),
    });
    let units = side.units.iter().filter_map(move |unit| {
        let failure = unit.outcome.as_ref().err()?;
        let id = &unit.owner.as_ref()?.id;
        // What fails as before is no difference.
        if is_among(unit, unreached) {
            return None;
        }
        Some(Unrendered {
            side: Some(which),
            failure: failure.clone(),
            not_compared: count(&Part::Of(id.clone())),
            owner: Some(id.to_object_ref()),
        })
    });
    whole.chain(units)
}

/// Copies of objects without the fields that are ignored; none where nothing
/// is.
fn without_ignored(
    objects: &[Located<'_>],
    ignore: &[Ignore],
) -> Option<Vec<crate::pipeline::cluster::Object>> {
    if ignore.is_empty() {
        return None;
    }
    let copy = |located: &Located<'_>| {
        let mut node = located.object.node.clone();
        for rule in ignore {
            rule.apply(&mut node);
        }
        // Whatever is left out, it is the same object.
        crate::pipeline::cluster::Object {
            node,
            ..located.object.clone()
        }
    };
    Some(objects.iter().map(copy).collect())
}

/// The old and the new name of a generated object that has another one now.
fn rename<'a>(pair: &Pair<'a>) -> Option<(&'a str, &'a str)> {
    let (old, new) = (&pair.old?.object.id, &pair.new?.object.id);
    (old.name != new.name && stem(&old.name).is_some()).then_some((&*old.name, &*new.name))
}

/// The difference of a pair; none where there is none.
fn compare_pair<'a>(pair: Pair<'a>, renamed: &BTreeMap<&str, &str>) -> Option<Compared<'a>> {
    let (Some(old), Some(new)) = (pair.old, pair.new) else {
        return Some(Compared {
            pair,
            changes: Vec::new(),
        });
    };
    let mut changes = fields::changes(&old.object.node, &new.object.node);
    for change in &mut changes {
        secret::mark(change, &new.object.id.gvk);
        let from = change.old.as_ref().and_then(Node::text).unwrap_or_default();
        if let Some(to) = renamed.get(from)
            && noise::follows_name(change, from, to)
        {
            change.noise = Some(Noise::GeneratedName);
        }
        // Helm alone makes certificates; a person's are a change.
        let by_helm = new
            .owner
            .is_some_and(|o| o.kind == crate::pipeline::cluster::UnitKind::HelmRelease);
        if change.noise == Some(Noise::Certificate) && !by_helm {
            change.noise = None;
        }
    }
    let moved = owner_id(old.owner) != owner_id(new.owner);
    (!changes.is_empty() || moved).then_some(Compared { pair, changes })
}

fn owner_id(owner: Option<&Owner>) -> Option<ObjectRef> {
    owner.map(|o| ObjectRef {
        api_version: o.id.gvk.group.clone(),
        ..o.id.to_object_ref()
    })
}

fn difference(compared: &Compared<'_>) -> ObjectDifference {
    let (old, new) = (compared.pair.old, compared.pair.new);
    let mut placeholders = Placeholders::default();
    let masked = |located: Option<Located<'_>>, placeholders: &mut Placeholders| {
        located.map(|l| placeholders.object(&l.object.node))
    };
    let old_node = masked(old, &mut placeholders);
    let new_node = masked(new, &mut placeholders);
    let id = Located::reference;
    let owner = |located: Located<'_>| located.owner.map(|o| o.id.to_object_ref());
    let action = match (&old, &new) {
        (Some(_), Some(_)) => Action::Changed,
        (Some(_), None) => Action::Removed,
        _ => Action::Added,
    };
    let now = new.or(old);
    let renamed = match (&old, &new) {
        (Some(a), Some(b)) => a.object.id.name != b.object.id.name,
        _ => false,
    };
    let moved = match (old, new) {
        (Some(a), Some(b)) => owner_id(a.owner) != owner_id(b.owner),
        _ => false,
    };
    ObjectDifference {
        action,
        id: now.as_ref().map_or_else(nobody, id),
        old_id: old.as_ref().filter(|_| renamed).map(id),
        owner: now.and_then(owner),
        old_owner: old.filter(|_| moved).and_then(owner),
        changes: shown(compared, old_node.as_ref(), new_node.as_ref()),
        old: old_node,
        new: new_node,
    }
}

/// The changes with placeholders for secret values.
///
/// Equal values have equal placeholders, so that comparing the masked objects
/// gives the same changes; what was found out about them is kept.
fn shown(compared: &Compared<'_>, old: Option<&Node>, new: Option<&Node>) -> Vec<Change> {
    let (Some(old), Some(new)) = (old, new) else {
        return Vec::new();
    };
    let is_as_it_was = |located: Option<Located<'_>>, masked: &Node| {
        located.is_some_and(|l| l.object.node.is_shared_with(masked))
    };
    if is_as_it_was(compared.pair.old, old) && is_as_it_was(compared.pair.new, new) {
        return compared.changes.clone();
    }
    let mut changes = fields::changes(old, new);
    for change in &mut changes {
        let known = compared.changes.iter().find(|c| c.path == change.path);
        change.noise = known.and_then(|c| c.noise);
    }
    changes
}

fn nobody() -> ObjectRef {
    ResId::default().to_object_ref()
}
