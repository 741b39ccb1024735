//! In which order things become ready, where nothing goes wrong.

use super::{Graph, Moment, Why};

/// The items in the order in which they can become ready.
#[derive(Clone, Debug, Default)]
pub struct Waves {
    /// The numbers of the items that can become ready at the same time.
    pub waves: Vec<Vec<usize>>,
    /// The items of a longest chain, the first to become ready first.
    pub longest: Vec<usize>,
    /// Items that never become ready: those in cycles and what waits for them.
    pub never: Vec<usize>,
}

impl Graph {
    /// The waves in which the items become ready.
    ///
    /// An item is in the wave after the last of those that it waits for. What
    /// applies it counts as well, unless it waits for the item in turn.
    pub fn waves(&self) -> Waves {
        let nodes = self.items.len() * 2;
        let mut open = vec![0_usize; nodes];
        let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); nodes];
        for (i, edge) in self.edges.iter().enumerate() {
            open[Graph::node(edge.from)] += 1;
            waiting[Graph::node(edge.to)].push(i);
        }
        // How many items, one after the other, came before a moment, and the
        // edge by which that is so.
        let mut depth = vec![0_usize; nodes];
        let mut by: Vec<Option<usize>> = vec![None; nodes];
        let mut todo: Vec<usize> = (0..nodes).filter(|node| open[*node] == 0).collect();
        let mut done = vec![false; nodes];
        while let Some(node) = todo.pop() {
            done[node] = true;
            for number in &waiting[node] {
                let edge = &self.edges[*number];
                let next = Graph::node(edge.from);
                // One more item is ready where the wait is for another's
                // readiness, or for what it applies.
                let step = usize::from(edge.why != Why::Itself && edge.to.1 == Moment::Ready);
                let step = step.max(usize::from(edge.why == Why::Parent));
                if depth[node] + step > depth[next] || by[next].is_none() {
                    depth[next] = depth[next].max(depth[node] + step);
                    by[next] = Some(*number);
                }
                open[next] -= 1;
                if open[next] == 0 {
                    todo.push(next);
                }
            }
        }
        self.collect(&depth, &by, &done)
    }

    fn collect(&self, depth: &[usize], by: &[Option<usize>], done: &[bool]) -> Waves {
        let mut result = Waves::default();
        let ready = |item| Graph::node((item, Moment::Ready));
        for item in 0..self.items.len() {
            if !done[ready(item)] {
                result.never.push(item);
                continue;
            }
            let wave = depth[ready(item)];
            if result.waves.len() <= wave {
                result.waves.resize(wave + 1, Vec::new());
            }
            result.waves[wave].push(item);
        }
        result.waves.retain(|wave| !wave.is_empty());
        let last = result.waves.last().and_then(|wave| wave.first()).copied();
        let mut at = last.map(ready);
        while let Some(node) = at {
            let item = node / 2;
            if result.longest.last() != Some(&item) {
                result.longest.push(item);
            }
            at = by[node].map(|number| Graph::node(self.edges[number].to));
        }
        result.longest.reverse();
        result
    }
}
