//! What waits for what in a cluster.
//!
//! In: a rendered [`Cluster`]. Out: a [`Graph`] of Flux objects, each with two
//! moments (it is applied, it is ready), and what each moment waits for:
//! dependencies, sources, parents, waits and health checks. Cycles in it can
//! never end; without cycles, the moments come in waves.
//!
//! Compat: facts of kustomize-controller and helm-controller: `dependsOn` waits
//! before anything is applied; `wait` and `healthChecks` come after it, and
//! `healthChecks` count only without `wait`. What was bootstrapped exists: a
//! Kustomization that nothing else renders, and the source that the repository
//! itself is, wait for nobody to apply them.

mod build;
mod cycles;
mod needless;
mod order;
mod waves;

use crate::diag::Span;
use crate::resource::ResId;

pub use cycles::Cycle;
pub use order::Order;
pub use waves::Waves;

#[cfg(doc)]
use crate::pipeline::cluster::Cluster;

/// A Flux object that becomes ready: a Kustomization, a HelmRelease, a source.
#[derive(Clone, Debug)]
pub struct Item {
    /// What identifies it; its namespace is never empty.
    pub id: ResId,
    /// Where it stands.
    pub span: Span,
    /// Whether it is suspended.
    pub suspended: bool,
}

/// A moment in the life of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// What it brings is applied; a source itself is applied.
    Applied,
    /// It is ready.
    Ready,
}

/// Why one moment waits for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nothing is ready before it is applied.
    Itself,
    /// `spec.dependsOn`
    DependsOn,
    /// The other applies it.
    Parent,
    /// The other is its source.
    Source,
    /// `spec.wait`: it applies the other and waits for it.
    Wait,
    /// `spec.healthChecks`: the other, or something that the other applies.
    HealthCheck,
    /// The other applies an object of `substituteFrom` or `valuesFrom`.
    Values,
}

/// That one moment waits for another.
#[derive(Clone, Copy, Debug)]
pub struct Edge {
    /// What waits: the number of an item, and its moment.
    pub from: (usize, Moment),
    /// What it waits for.
    pub to: (usize, Moment),
    /// Why.
    pub why: Why,
    /// Where that is written.
    pub span: Span,
}

/// What waits for what.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// The items, in the order of kind, namespace and name.
    pub items: Vec<Item>,
    /// The edges, by the item that waits.
    pub edges: Vec<Edge>,
}

impl Graph {
    /// The item with this number.
    ///
    /// # Panics
    ///
    /// Where there is none: numbers come from the graph itself.
    pub fn item(&self, number: usize) -> &Item {
        &self.items[number]
    }

    /// The number of a moment, for algorithms.
    fn node((item, moment): (usize, Moment)) -> usize {
        item * 2 + usize::from(moment == Moment::Ready)
    }

    /// The edges that leave each moment, by its number.
    fn adjacency(&self) -> Vec<Vec<usize>> {
        let mut out = vec![Vec::new(); self.items.len() * 2];
        for (i, edge) in self.edges.iter().enumerate() {
            if let Some(edges) = out.get_mut(Graph::node(edge.from)) {
                edges.push(i);
            }
        }
        out
    }
}
