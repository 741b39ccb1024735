//! What must hold for every tree of files: used by the fuzz target and by the
//! tests that replay its inputs.

use std::sync::Arc;

use fluxwright::artifact::MemoryTree;
use fluxwright::diag::SourceMap;
use fluxwright::kustomize::{self, Options};
use fluxwright::resource::Files;

/// The most files of a tree.
const MAX_FILES: usize = 32;

/// Builds the tree of a text in which `-- path --` begins each file; what is
/// before the first is `kustomization.yaml`. Nothing panics; an error says what
/// is wrong; what is built can be printed, and is the same when it is built
/// again.
pub(crate) fn build(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Some(once) = built(&text) else { return };
    assert_eq!(Some(once), built(&text));
}

fn built(text: &str) -> Option<String> {
    let files = Files::new(Arc::new(tree(text)), Arc::new(SourceMap::new()));
    let output = kustomize::build(&files, "", &Options::default())
        .inspect_err(|error| assert!(!error.message().is_empty()))
        .ok()?;
    // YAML has no form for some values, such as a key that is a list.
    kustomize::to_yaml(&output.objects).ok()
}

fn tree(text: &str) -> MemoryTree {
    let mut files = vec![("kustomization.yaml", String::new())];
    for line in text.split_inclusive('\n') {
        let name = line
            .strip_prefix("-- ")
            .and_then(|rest| rest.trim_end().strip_suffix(" --"));
        match name {
            Some(name) if files.len() < MAX_FILES => files.push((name, String::new())),
            _ => {
                if let Some((_, content)) = files.last_mut() {
                    content.push_str(line);
                }
            }
        }
    }
    let mut tree = MemoryTree::new("");
    for (path, content) in files {
        if !content.is_empty() && is_path(path) {
            tree.insert(path, content.into_bytes());
        }
    }
    tree
}

/// Whether a tree can have a file of this name.
fn is_path(path: &str) -> bool {
    path.split('/')
        .all(|part| !part.is_empty() && part != "." && part != "..")
}
