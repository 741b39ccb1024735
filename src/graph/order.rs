//! Whether one thing surely comes before another.

use super::{Graph, Moment};

/// The moments of a graph, and what each waits for.
#[derive(Debug)]
pub struct Order<'g> {
    graph: &'g Graph,
    adjacency: Vec<Vec<usize>>,
}

impl Graph {
    /// A table to ask for what comes first.
    pub fn order(&self) -> Order<'_> {
        Order {
            graph: self,
            adjacency: self.adjacency(),
        }
    }
}

impl Order<'_> {
    /// Whether, before an item applies anything, one of the moments must have
    /// come that `is_wanted` knows by item and moment.
    pub fn comes_after(&self, item: usize, is_wanted: impl Fn(usize, Moment) -> bool) -> bool {
        let start = Graph::node((item, Moment::Applied));
        let mut seen = vec![false; self.adjacency.len()];
        let mut todo = vec![start];
        while let Some(node) = todo.pop() {
            for number in self.adjacency.get(node).map_or(&[][..], Vec::as_slice) {
                let Some(edge) = self.graph.edges.get(*number) else {
                    continue;
                };
                let next = Graph::node(edge.to);
                if is_wanted(edge.to.0, edge.to.1) {
                    return true;
                }
                if let Some(seen) = seen.get_mut(next).filter(|seen| !**seen) {
                    *seen = true;
                    todo.push(next);
                }
            }
        }
        false
    }
}
