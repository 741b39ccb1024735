//! Old repositories: what is known, and what is new.

use crate::program::{Run, run};

const SOURCE: &str = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: \
                      NAME, namespace: flux-system}\nspec: {interval: 1h, url: \
                      'ssh://git@git.example.com/x', ref: {tag: 1.0.0}}\n";

#[test]
fn only_what_is_new_fails() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (root, baseline) = (at("fleet"), at("known.json").display().to_string());
    std::fs::create_dir(&root).unwrap();
    let write = |text: &str| std::fs::write(root.join("sources.yaml"), text).unwrap();
    let root = root.display().to_string();
    let check = |more: &[&str]| -> Run {
        let arguments: Vec<&str> = ["check", &root]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        run(&arguments, "")
    };

    let sync = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: all, \
                namespace: flux-system}\nspec: {interval: 1h, path: ./, prune: true, sourceRef: {kind: \
                GitRepository, name: old}}\n---\n";
    let old = SOURCE.replace("NAME", "old");
    write(&format!("{sync}{old}"));
    assert_eq!(check(&[]).code, Some(1));
    let missing = check(&["--baseline", &baseline]);
    assert_eq!(missing.code, Some(2));
    assert!(
        missing.stdout.contains("--write-baseline"),
        "{}",
        missing.stdout
    );
    let written = check(&["--baseline", &baseline, "--write-baseline"]);
    assert_eq!((written.code, &*written.stdout), (Some(0), ""));
    assert!(
        written.stderr.contains("in the baseline"),
        "{}",
        written.stderr
    );

    // Lines move, and nothing is new.
    write(&format!("# One\n# Two\n{sync}{old}"));
    assert_eq!(check(&["--baseline", &baseline]).code, Some(0));
    // A second one like it is.
    write(&format!(
        "{sync}{old}---\n{}",
        SOURCE.replace("NAME", "new")
    ));
    let more = check(&["--baseline", &baseline, "--output", "json"]);
    assert_eq!(more.code, Some(1));
    let found: Vec<serde_json::Value> = serde_json::from_str(&more.stdout).unwrap();
    let errors = found.iter().filter(|f| f["severity"] == "error");
    let names: Vec<_> = errors.map(|f| f["object"]["name"].as_str()).collect();
    assert_eq!(names, [Some("new")]);

    // What is no baseline is refused, and both options go together.
    std::fs::write(&baseline, "[]").unwrap();
    assert_eq!(check(&["--baseline", &baseline]).code, Some(2));
    assert_eq!(check(&["--write-baseline"]).code, Some(2));
}
