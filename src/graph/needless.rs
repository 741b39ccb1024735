//! Dependencies that others imply.

use super::{Edge, Graph, Moment, Why};

/// With more items than this that depend on others nothing is looked for: the
/// table of who waits for whom would not fit.
const MAX_ITEMS: usize = 20_000;

/// The numbers of items, one bit each.
type Bits = Vec<u64>;

fn has(bits: &Bits, number: usize) -> bool {
    let word = bits.get(number / 64).copied().unwrap_or_default();
    word >> (number % 64) & 1 == 1
}

impl Graph {
    /// The dependencies that make no difference, each with another dependency of
    /// the same item that waits for the same: whoever waits for it waits for
    /// both. Cycles are left out.
    pub fn needless(&self) -> Vec<(Edge, usize)> {
        let edges = || {
            let edges = self.edges.iter();
            edges.filter(|e| e.why == Why::DependsOn && e.to.1 == Moment::Ready)
        };
        // The items that take part, under numbers of their own.
        let mut numbers = vec![usize::MAX; self.items.len()];
        let mut count = 0;
        for item in edges().flat_map(|e| [e.from.0, e.to.0]) {
            if let Some(number) = numbers.get_mut(item).filter(|n| **n == usize::MAX) {
                *number = count;
                count += 1;
            }
        }
        if count > MAX_ITEMS {
            return Vec::new();
        }
        let number = |item: usize| numbers.get(item).copied().unwrap_or_default();
        let mut targets: Vec<Vec<usize>> = vec![Vec::new(); count];
        let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); count];
        for edge in edges() {
            let (from, to) = (number(edge.from.0), number(edge.to.0));
            targets[from].push(to);
            waiting[to].push(from);
        }
        // Whom each item waits for, from the ones that wait for nobody up.
        let mut open: Vec<usize> = targets.iter().map(Vec::len).collect();
        let mut reached: Vec<Option<Bits>> = vec![None; count];
        let mut todo: Vec<usize> = (0..count).filter(|n| open[*n] == 0).collect();
        while let Some(next) = todo.pop() {
            let mut bits = vec![0; count.div_ceil(64)];
            for target in &targets[next] {
                bits[target / 64] |= 1 << (target % 64);
                for (word, other) in bits.iter_mut().zip(reached[*target].iter().flatten()) {
                    *word |= other;
                }
            }
            reached[next] = Some(bits);
            for from in &waiting[next] {
                open[*from] -= 1;
                if open[*from] == 0 {
                    todo.push(*from);
                }
            }
        }
        let mut items = vec![0; count];
        for (item, number) in numbers.iter().enumerate() {
            if let Some(known) = items.get_mut(*number) {
                *known = item;
            }
        }
        let implied = |edge: &Edge| {
            let (from, to) = (number(edge.from.0), number(edge.to.0));
            reached[from].as_ref()?;
            let mut others = targets[from].iter().filter(|other| **other != to);
            let implies =
                |other: &&usize| reached[**other].as_ref().is_some_and(|bits| has(bits, to));
            others.find(implies).map(|other| items[*other])
        };
        edges()
            .filter_map(|edge| Some((*edge, implied(edge)?)))
            .collect()
    }
}
