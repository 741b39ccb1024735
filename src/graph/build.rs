//! Clusters to graphs.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::{HashMap, HashSet};

use super::{Edge, Graph, Item, Moment, Why};
use crate::diag::Span;
use crate::flux::api::{self, HELM, KUSTOMIZE, SOURCE};
use crate::pipeline::cluster::{Cluster, SourceOrigin, Unit, UnitKind};
use crate::resource::{Gvk, ResId};
use crate::yaml::Node;

/// Group, kind, namespace and name.
type Key<'a> = (&'a str, &'a str, &'a str, &'a str);

impl Graph {
    /// The graph of a cluster.
    pub fn of(cluster: &Cluster) -> Graph {
        let mut builder = Builder {
            items: BTreeMap::new(),
            owners: HashMap::default(),
            shared: HashSet::default(),
            numbers: HashMap::default(),
            graph: Graph::default(),
        };
        builder.collect(cluster);
        builder.number();
        builder.connect(cluster);
        builder.graph
    }
}

struct Builder<'a> {
    /// The Flux objects, and whether each is suspended.
    items: BTreeMap<Key<'a>, &'a Node>,
    /// Which unit applies which object.
    owners: HashMap<Key<'a>, &'a Unit>,
    /// What more than one unit applies: it waits for neither.
    shared: HashSet<Key<'a>>,
    numbers: HashMap<Key<'a>, usize>,
    graph: Graph,
}

impl<'a> Builder<'a> {
    fn collect(&mut self, cluster: &'a Cluster) {
        for unit in &cluster.units {
            self.items.insert(key_of_unit(unit), &unit.object);
        }
        for object in &cluster.bootstrap {
            let key = key_of(&object.id, "");
            if is_item(&object.id.gvk) {
                self.items.entry(key).or_insert(&object.node);
            }
        }
        for (unit, object) in cluster.objects() {
            let key = key_of(&object.id, &unit.id.namespace);
            if is_item(&object.id.gvk) && !unit.remote {
                self.items.entry(key).or_insert(&object.node);
            }
            let owner = *self.owners.entry(key).or_insert(unit);
            if owner.kind != unit.kind || owner.id != unit.id {
                self.shared.insert(key);
            }
        }
    }

    fn number(&mut self) {
        for (number, (key, object)) in self.items.iter().enumerate() {
            self.numbers.insert(*key, number);
            let id = ResId::of(object);
            self.graph.items.push(Item {
                id: ResId {
                    namespace: key.2.into(),
                    ..id
                },
                span: object.span(),
                suspended: flag(object, "suspend"),
            });
        }
    }

    fn connect(&mut self, cluster: &'a Cluster) {
        let units: HashMap<Key<'_>, &Unit> =
            cluster.units.iter().map(|u| (key_of_unit(u), u)).collect();
        let items: Vec<(Key<'a>, &'a Node)> = self.items.iter().map(|(k, n)| (*k, *n)).collect();
        for (number, (key, object)) in items.into_iter().enumerate() {
            let applied = (number, Moment::Applied);
            let ready = (number, Moment::Ready);
            self.edge(ready, applied, Why::Itself, object.span());
            let unit = units.get(&key).copied();
            let owner = self.owners.get(&key).copied();
            // What is its own parent, or has none, was applied by hand.
            let by_hand = match unit {
                Some(unit) => {
                    let own = |owner: &Unit| key_of_unit(owner) == key;
                    let applied = || (Arc::from(key.2), Arc::from(key.3));
                    unit.kind == UnitKind::Kustomization
                        && (unit.parent.is_none()
                            || owner.is_none_or(own)
                            || cluster.by_hand.contains(&applied()))
                }
                None => owner.is_none() || is_repository(cluster, &key),
            };
            if !by_hand && !self.shared.contains(&key) {
                let parent = owner.and_then(|o| self.numbers.get(&key_of_unit(o)).copied());
                if let Some(parent) = parent {
                    let span = object.span();
                    self.edge(applied, (parent, Moment::Applied), Why::Parent, span);
                }
            }
            if matches!(key.1, "Kustomization" | "HelmRelease") {
                self.of_object(number, &key, object, by_hand, cluster);
            }
            if let Some(unit) = unit.filter(|unit| unit.kind == UnitKind::Kustomization) {
                self.waits(ready, unit);
            }
        }
    }

    /// What a Kustomization or a HelmRelease waits for before it applies
    /// anything.
    fn of_object(
        &mut self,
        number: usize,
        own: &Key<'a>,
        object: &'a Node,
        by_hand: bool,
        cluster: &'a Cluster,
    ) {
        let applied = (number, Moment::Applied);
        let Some(spec) = object.get("spec").map(Node::target) else {
            return;
        };
        for dependency in list(spec, "dependsOn") {
            let Some(name) = dependency.get("name").filter(|n| n.text().is_some()) else {
                continue;
            };
            let namespace = text(dependency, "namespace").unwrap_or(own.2);
            let target = (own.0, own.1, namespace, name.text().unwrap_or_default());
            let Some(other) = self.numbers.get(&target).copied() else {
                continue;
            };
            // What `readyExpr` waits for only it can say.
            let moment = match dependency.get("readyExpr") {
                Some(_) => Moment::Applied,
                None => Moment::Ready,
            };
            self.edge(applied, (other, moment), Why::DependsOn, name.span());
        }

        let source = source_of(spec);
        if let Some(source) = source.filter(|_| !by_hand) {
            let namespace = text(source, "namespace").unwrap_or(own.2);
            let (kind, name) = (text(source, "kind"), text(source, "name"));
            let target = (
                SOURCE,
                kind.unwrap_or_default(),
                namespace,
                name.unwrap_or_default(),
            );
            let other = self.numbers.get(&target).copied();
            if let Some(other) = other.filter(|_| !is_repository(cluster, &target)) {
                self.edge(applied, (other, Moment::Ready), Why::Source, source.span());
            }
        }

        let post_build = spec.get("postBuild").map(Node::target);
        let variables = post_build.map_or(&[][..], |p| list(p, "substituteFrom"));
        for reference in variables.iter().chain(list(spec, "valuesFrom")) {
            if by_hand || flag_of(reference, "optional") {
                continue;
            }
            let kind = text(reference, "kind").unwrap_or_default();
            let name = text(reference, "name").unwrap_or_default();
            if let Some(other) = self.owner(("", kind, own.2, name)) {
                let span = reference.span();
                self.edge(applied, (other, Moment::Applied), Why::Values, span);
            }
        }
    }

    /// What a Kustomization waits for after it has applied everything.
    fn waits(&mut self, ready: (usize, Moment), unit: &'a Unit) {
        let Some(spec) = unit.object.get("spec").map(Node::target) else {
            return;
        };
        if flag_of(spec, "wait") {
            let span = spec.get("wait").map_or(spec.span(), Node::span);
            for object in unit.outcome.as_deref().unwrap_or_default() {
                let key = key_of(&object.id, &unit.id.namespace);
                let other = self.numbers.get(&key).copied();
                // It does not wait for itself.
                if let Some(other) = other.filter(|other| *other != ready.0) {
                    self.edge(ready, (other, Moment::Ready), Why::Wait, span);
                }
            }
            return;
        }
        for check in list(spec, "healthChecks") {
            let gvk = Gvk::new(
                text(check, "apiVersion").unwrap_or_default(),
                text(check, "kind").unwrap_or_default(),
            );
            let name = text(check, "name").unwrap_or_default();
            let namespace = text(check, "namespace").unwrap_or_default();
            let item = (&*gvk.group, &*gvk.kind, namespace, name);
            let span = check.get("name").map_or(check.span(), Node::span);
            if let Some(other) = self.numbers.get(&item).copied() {
                self.edge(ready, (other, Moment::Ready), Why::HealthCheck, span);
            } else if let Some(other) = self.owner(item) {
                self.edge(ready, (other, Moment::Applied), Why::HealthCheck, span);
            }
        }
    }

    /// The unit that applies an object.
    fn owner(&self, key: Key<'_>) -> Option<usize> {
        let unit = self.owners.get(&key)?;
        self.numbers.get(&key_of_unit(unit)).copied()
    }

    fn edge(&mut self, from: (usize, Moment), to: (usize, Moment), why: Why, span: Span) {
        self.graph.edges.push(Edge {
            from,
            to,
            why,
            span,
        });
    }
}

/// Whether an object becomes ready in a way that others wait for.
fn is_item(gvk: &Gvk) -> bool {
    api::is_kustomization(gvk)
        || api::is_helm_release(gvk)
        || (&*gvk.group == SOURCE && api::kind_of(gvk).is_some())
}

fn key_of_unit(unit: &Unit) -> Key<'_> {
    let (group, kind) = match unit.kind {
        UnitKind::Kustomization => (KUSTOMIZE, "Kustomization"),
        UnitKind::HelmRelease => (HELM, "HelmRelease"),
    };
    let namespace = if unit.id.namespace.is_empty() {
        "default"
    } else {
        &unit.id.namespace
    };
    (group, kind, namespace, &unit.id.name)
}

/// The key of an object; Flux objects without a namespace are in `default`.
fn key_of<'a>(id: &'a ResId, release: &'a str) -> Key<'a> {
    let namespace = match &*id.namespace {
        "" if is_item(&id.gvk) => "default",
        "" => release,
        namespace => namespace,
    };
    (&id.gvk.group, &id.gvk.kind, namespace, &id.name)
}

/// Whether a source is the repository itself, which exists before anything.
fn is_repository(cluster: &Cluster, key: &Key<'_>) -> bool {
    let is = |source: &api::SourceRef| {
        key.0 == SOURCE
            && key.1 == &*source.kind
            && key.2 == &*source.namespace
            && key.3 == &*source.name
    };
    let mut used = cluster.units.iter().filter_map(|u| u.source.as_ref());
    cluster.entry.source.as_ref().is_some_and(is)
        || used.any(|used| used.origin == SourceOrigin::Repository && is(&used.source))
}

/// The source of a Kustomization or HelmRelease.
fn source_of(spec: &Node) -> Option<&Node> {
    spec.get("sourceRef")
        .or_else(|| spec.get("chartRef"))
        .or_else(|| spec.at_path(&["chart", "spec", "sourceRef"]))
        .map(Node::target)
}

fn list<'a>(node: &'a Node, field: &str) -> &'a [Node] {
    node.get(field).map_or(&[][..], |n| n.target().items())
}

fn text<'a>(node: &'a Node, field: &str) -> Option<&'a str> {
    node.get(field)
        .and_then(|n| n.target().text())
        .filter(|text| !text.is_empty())
}

fn flag_of(node: &Node, field: &str) -> bool {
    node.get(field).and_then(|n| n.target().as_bool()) == Some(true)
}

fn flag(object: &Node, field: &str) -> bool {
    object.get("spec").is_some_and(|spec| flag_of(spec, field))
}
