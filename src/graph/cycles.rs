//! Waits that can never end.

use std::collections::VecDeque;

use petgraph::algo::kosaraju_scc;
use petgraph::graph::DiGraph;

use super::{Edge, Graph, Why};

/// Edges of which each begins where the one before it ends, and the first
/// where the last one ends.
pub type Cycle = Vec<Edge>;

impl Graph {
    /// A shortest cycle out of each knot of waits, in the order of the items.
    pub fn cycles(&self) -> Vec<Cycle> {
        let adjacency = self.adjacency();
        let mut graph: DiGraph<(), ()> = DiGraph::with_capacity(adjacency.len(), self.edges.len());
        let nodes: Vec<_> = adjacency.iter().map(|_| graph.add_node(())).collect();
        for edge in &self.edges {
            let from = nodes.get(Graph::node(edge.from));
            let to = nodes.get(Graph::node(edge.to));
            if let (Some(from), Some(to)) = (from, to) {
                graph.add_edge(*from, *to, ());
            }
        }
        // Which knot a moment belongs to; 0 for none.
        let mut knots = vec![0; adjacency.len()];
        let mut count = 0;
        for component in kosaraju_scc(&graph) {
            if component.len() < 2 {
                continue;
            }
            count += 1;
            for node in component {
                if let Some(knot) = knots.get_mut(node.index()) {
                    *knot = count;
                }
            }
        }
        let knot = |node: usize| knots.get(node).copied().unwrap_or(0);
        let mut told = vec![false; count + 1];
        let mut cycles = Vec::new();
        // Begin with what somebody wrote to wait for something.
        for why in [
            Why::DependsOn,
            Why::HealthCheck,
            Why::Source,
            Why::Wait,
            Why::Values,
        ] {
            for edge in self.edges.iter().filter(|edge| edge.why == why) {
                let (from, to) = (Graph::node(edge.from), Graph::node(edge.to));
                let number = knot(from);
                if number == 0 || number != knot(to) || told.get(number) != Some(&false) {
                    continue;
                }
                if let Some(way) = self.shortest(&adjacency, to, from) {
                    told[number] = true;
                    let mut cycle = vec![*edge];
                    cycle.extend(way);
                    cycles.push(cycle);
                }
            }
        }
        cycles.sort_by_key(|cycle| cycle.first().map(|edge| edge.from));
        cycles
    }

    /// A shortest way between two moments.
    fn shortest(&self, adjacency: &[Vec<usize>], from: usize, to: usize) -> Option<Vec<Edge>> {
        let mut came: Vec<Option<usize>> = vec![None; adjacency.len()];
        let mut queue = VecDeque::from([from]);
        while let Some(node) = queue.pop_front() {
            if node == to {
                break;
            }
            for number in adjacency.get(node)? {
                let next = Graph::node(self.edges.get(*number)?.to);
                if next != from && came.get(next) == Some(&None) {
                    came[next] = Some(*number);
                    queue.push_back(next);
                }
            }
        }
        let mut way = Vec::new();
        let mut at = to;
        while at != from {
            let edge = self.edges.get((*came.get(at)?)?)?;
            way.push(*edge);
            at = Graph::node(edge.from);
        }
        way.reverse();
        Some(way)
    }
}
