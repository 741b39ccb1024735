//! What waits for what, as text and for programs that draw.

use serde_json::{Value, json};

use crate::graph::{Edge, Graph, Moment, Waves, Why};

/// The edges that a reader wants to see: one between two items, and none of an
/// item to itself.
pub(super) fn edges(graph: &Graph) -> Vec<&Edge> {
    let mut shown: Vec<&Edge> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    // `dependsOn` says more than that one applies the other.
    let rank = |edge: &&Edge| match edge.why {
        Why::DependsOn => 0,
        Why::Source => 1,
        Why::Wait | Why::HealthCheck | Why::Values => 2,
        Why::Parent | Why::Itself => 3,
    };
    let mut all: Vec<&Edge> = graph
        .edges
        .iter()
        .filter(|e| e.why != Why::Itself)
        .collect();
    all.sort_by_key(|edge| (edge.from.0, edge.to.0, rank(edge)));
    for edge in all {
        if seen.insert((edge.from.0, edge.to.0)) {
            shown.push(edge);
        }
    }
    shown
}

fn name(graph: &Graph, item: usize) -> String {
    graph.item(item).id.to_object_ref().to_string()
}

/// Why one waits for another, as Flux's fields are called.
pub(super) fn word(why: Why) -> &'static str {
    match why {
        Why::Itself => "itself",
        Why::DependsOn => "dependsOn",
        Why::Parent => "parent",
        Why::Source => "source",
        Why::Wait => "wait",
        Why::HealthCheck => "healthCheck",
        Why::Values => "values",
    }
}

/// The waves in which the items of a cluster become ready, and a longest chain.
pub fn text(cluster: &str, graph: &Graph, waves: &Waves) -> String {
    let mut out = format!(
        "{cluster}: {} Flux objects in {} waves\n",
        graph.items.len(),
        waves.waves.len()
    );
    for (number, wave) in waves.waves.iter().enumerate() {
        out.push_str(&format!("\nwave {}\n", number + 1));
        for item in wave {
            let suspended = if graph.item(*item).suspended {
                " (suspended)"
            } else {
                ""
            };
            out.push_str(&format!("  {}{suspended}\n", name(graph, *item)));
            let waits = graph.edges.iter().filter(|e| e.from.0 == *item);
            for edge in waits.filter(|e| matches!(e.why, Why::DependsOn | Why::HealthCheck)) {
                out.push_str(&format!(
                    "    {} {}\n",
                    word(edge.why),
                    name(graph, edge.to.0)
                ));
            }
        }
    }
    if waves.longest.len() > 1 {
        let chain: Vec<String> = waves.longest.iter().map(|i| name(graph, *i)).collect();
        out.push_str(&format!(
            "\nlongest chain ({})\n  {}\n",
            chain.len(),
            chain.join("\n  → ")
        ));
    }
    if !waves.never.is_empty() {
        out.push_str("\nnever ready (`fluxwright check --rule dag` says why)\n");
        for item in &waves.never {
            out.push_str(&format!("  {}\n", name(graph, *item)));
        }
    }
    out
}

/// A flow chart for Mermaid: arrows lead from what is first to what waits.
pub fn mermaid(graph: &Graph) -> String {
    let mut out = String::from("flowchart LR\n");
    for (number, item) in graph.items.iter().enumerate() {
        let label = format!(
            "{}<br>{}/{}",
            item.id.gvk.kind, item.id.namespace, item.id.name
        );
        out.push_str(&format!(
            "  n{number}[\"{}\"]\n",
            label.replace('"', "#quot;")
        ));
    }
    for edge in edges(graph) {
        let arrow = match edge.why {
            Why::Parent | Why::Source => "-.->",
            _ => "-->",
        };
        let (from, to) = (edge.from.0, edge.to.0);
        out.push_str(&format!("  n{to} {arrow}|{}| n{from}\n", word(edge.why)));
    }
    out
}

/// A directed graph for Graphviz.
pub fn dot(graph: &Graph) -> String {
    let mut out = String::from("digraph flux {\n  rankdir=LR;\n  node [shape=box];\n");
    for number in 0..graph.items.len() {
        let label = name(graph, number)
            .replace('\\', "\\\\")
            .replace('"', "\\\"");
        out.push_str(&format!("  n{number} [label=\"{label}\"];\n"));
    }
    for edge in edges(graph) {
        let style = match edge.why {
            Why::Parent | Why::Source => ", style=dashed",
            _ => "",
        };
        let (from, to) = (edge.from.0, edge.to.0);
        out.push_str(&format!(
            "  n{to} -> n{from} [label=\"{}\"{style}];\n",
            word(edge.why)
        ));
    }
    out.push_str("}\n");
    out
}

/// The graph of a cluster as a value.
pub fn value(cluster: &str, graph: &Graph, waves: &Waves) -> Value {
    let names =
        |items: &[usize]| -> Vec<String> { items.iter().map(|item| name(graph, *item)).collect() };
    let moment = |moment: Moment| match moment {
        Moment::Applied => "applied",
        Moment::Ready => "ready",
    };
    let waits = graph.edges.iter().filter(|e| e.why != Why::Itself);
    json!({
        "cluster": cluster,
        "items": graph.items.iter().map(|item| json!({
            "object": item.id.to_object_ref(),
            "suspended": item.suspended,
        })).collect::<Vec<_>>(),
        "edges": waits.map(|edge| json!({
            "from": name(graph, edge.from.0),
            "to": name(graph, edge.to.0),
            "why": word(edge.why),
            "waits": moment(edge.from.1),
            "until": moment(edge.to.1),
        })).collect::<Vec<_>>(),
        "waves": waves.waves.iter().map(|wave| names(wave)).collect::<Vec<_>>(),
        "longest": names(&waves.longest),
        "never": names(&waves.never),
    })
}
