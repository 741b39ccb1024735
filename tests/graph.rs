//! `fluxwright graph` in each of its forms, over the sample fleet.

use crate::program::run;

/// The graph of the staging cluster of the sample fleet.
fn graph(output: &str) -> String {
    let args = [
        "graph",
        concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/fleet"),
        "--entry",
        "staging",
        "--output",
        output,
    ];
    let run = run(&args, "");
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    run.stdout
}

/// Holds a form of the graph to its snapshot.
fn check(name: &str, text: &str) {
    insta::with_settings!({
        snapshot_path => "../snapshots/graph",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn waves_and_the_longest_chain() {
    check("text", &graph("text"));
}

#[test]
fn for_programs_that_draw() {
    check("mermaid", &graph("mermaid"));
    check("dot", &graph("dot"));
}

#[test]
fn each_item_and_each_edge_is_drawn_once() {
    let svg = graph("svg");
    let json: serde_json::Value = serde_json::from_str(&graph("json")).unwrap();
    let items = json[0]["items"].as_array().unwrap();
    assert!(!items.is_empty());
    assert_eq!(svg.matches("<rect ").count(), items.len());
    for item in items {
        let object = &item["object"];
        let label = format!(
            ">{}/{}</text>",
            object["namespace"].as_str().unwrap(),
            object["name"].as_str().unwrap()
        );
        assert!(svg.contains(&label), "{label}");
    }
    // As many arrows as the form for Graphviz has.
    let arrows = graph("dot").matches(" -> ").count();
    assert_eq!(svg.matches("marker-end").count(), arrows);
    check("svg", &svg);
}
