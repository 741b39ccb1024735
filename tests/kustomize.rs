//! Kustomizations, each in one file of `testdata/kustomize`: what is built, as
//! kustomize builds it, and what is refused, as a person is told.

use std::path::Path;
use std::sync::Arc;

use fluxwright::artifact::MemoryTree;
use fluxwright::diag::{Error, SourceMap};
use fluxwright::kustomize::{self, Options};
use fluxwright::report::human;
use fluxwright::resource::Files;

/// The files in a text where `-- path --` begins each of them.
fn files(text: &str) -> Vec<(&str, String)> {
    let mut files: Vec<(&str, String)> = Vec::new();
    for line in text.split_inclusive('\n') {
        let name = line
            .strip_prefix("-- ")
            .and_then(|rest| rest.trim_end().strip_suffix(" --"));
        match (name, files.last_mut()) {
            (Some(name), _) => files.push((name, String::new())),
            (None, Some((_, content))) => content.push_str(line),
            (None, None) => panic!("text before the first file: {line}"),
        }
    }
    files
}

/// Builds the root of a tree, or its folder `overlay` where there is one.
fn build(tree: MemoryTree, sources: &Arc<SourceMap>) -> Result<kustomize::Output, Error> {
    let has_overlay = tree.paths().any(|path| path.starts_with("overlay/"));
    let folder = if has_overlay { "overlay" } else { "" };
    let files = Files::new(Arc::new(tree), sources.clone());
    kustomize::build(&files, folder, &Options::default())
}

fn tree(files: &[(&str, String)]) -> MemoryTree {
    let mut tree = MemoryTree::new("");
    for (path, content) in files {
        tree.insert(*path, content.clone().into_bytes());
    }
    tree
}

#[test]
fn builds_as_kustomize_does() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/kustomize/built");
    let mut count = 0;
    for case in std::fs::read_dir(folder).unwrap() {
        let path = case.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let mut files = files(&text);
        let (name, expected) = files.pop().unwrap();
        assert_eq!(name, "expected.yaml", "{}", path.display());
        let sources = Arc::new(SourceMap::new());
        let built = build(tree(&files), &sources)
            .and_then(|output| kustomize::to_yaml(&output.objects))
            .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        snapbox::assert_data_eq!(built, snapbox::Data::text(expected).raw());
        count += 1;
    }
    assert!(count > 10, "{count} cases");
}

/// Runs a test on the files of a folder, with snapshots for each.
fn each(folder: &str, test: impl FnMut(&Path)) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots/kustomize");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::glob!("../testdata/kustomize", folder, test));
}

/// Each message has a rule, a place with its line, and says what to do.
#[test]
fn refuses_with_place_and_help() {
    each("refused/*.txtar", |path| {
        let text = std::fs::read_to_string(path).unwrap();
        let sources = Arc::new(SourceMap::new());
        let case = path.display();
        let Err(error) = build(tree(&files(&text)), &sources) else {
            panic!("{case} is not refused");
        };
        assert!(error.help_text().is_some(), "{case}: no help: {error}");
        assert!(!error.span().is_none(), "{case}: no place: {error}");
        insta::assert_snapshot!(human(&[error.to_finding(&sources)], &sources, false));
    });
}

/// What kustomize passes over, or warns of without a place.
#[test]
fn warns_of_what_has_no_effect() {
    each("warned/*.txtar", |path| {
        let text = std::fs::read_to_string(path).unwrap();
        let sources = Arc::new(SourceMap::new());
        let output = build(tree(&files(&text)), &sources).unwrap();
        let findings = output.findings.into_sorted();
        assert!(!findings.is_empty(), "{}", path.display());
        insta::assert_snapshot!(human(&findings, &sources, false));
    });
}
