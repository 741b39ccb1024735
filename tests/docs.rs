//! Pages that are made by the program.

use std::path::Path;

use fluxwright::check::{RULES, reference};

#[test]
fn the_page_of_rules_is_the_rules() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules.md");
    let page = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        page == reference::page(RULES),
        "run `cargo run -- rule --output markdown > docs/rules.md`"
    );
}
