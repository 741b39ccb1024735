//! What the user gives in the place of a source is taken at the user's word,
//! and told.

use std::fs;

use serde_json::Value;

use crate::program::run;

const ENTRY: &str = "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: library
  namespace: flux-system
spec:
  interval: 1h
  url: https://git.example.com/library
  ref:
    tag: 1.0.0
  verify:
    mode: HEAD
    secretRef:
      name: keys
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: library
  namespace: flux-system
spec:
  interval: 10m
  path: ./deploy
  prune: true
  sourceRef:
    kind: GitRepository
    name: library
";

#[test]
fn a_local_source_is_not_verified_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("fleet/.fluxwright.yaml", "entries:\n- path: cluster\n");
    write("fleet/cluster/library.yaml", ENTRY);
    write(
        "library/deploy/settings.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  namespace: b\n",
    );
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let source = format!("GitRepository/flux-system/library={}", path("library"));
    let fleet = path("fleet");
    let check = |more: &[&str]| {
        let run = run(&[&["check", &fleet, "--output", "json"], more].concat(), "");
        let findings: Vec<Value> = serde_json::from_str(&run.stdout).unwrap();
        let about: Vec<String> = findings
            .iter()
            .map(|f| {
                let part = |of: &Value, key: &str| of[key].as_str().unwrap_or_default().to_owned();
                let place = &f["location"];
                format!(
                    "{} {} {}:{}",
                    part(f, "severity"),
                    part(f, "rule"),
                    part(place, "file"),
                    place["line"]
                )
            })
            .collect();
        (run.code, about)
    };
    // It must be signed, and is not at hand; neither are the keys.
    let keys = "trust/keys cluster/library.yaml:14";
    let (_, without) = check(&[]);
    assert_eq!(
        without,
        [
            &format!("info {keys}"),
            "info source/unavailable cluster/library.yaml:26"
        ]
    );
    let (code, with) = check(&["--local-sources", &source]);
    assert_eq!(code, Some(0));
    assert_eq!(
        with,
        [
            "info trust/local-source cluster/library.yaml:1",
            &format!("info {keys}")
        ]
    );
    // Settings decide on it as on any other rule.
    write(
        "fleet/.fluxwright.yaml",
        "entries:\n- path: cluster\nrules:\n  trust/local-source: error\n",
    );
    let (code, with) = check(&["--local-sources", &source]);
    assert_eq!(code, Some(1));
    assert_eq!(
        with,
        [
            "error trust/local-source cluster/library.yaml:1",
            &format!("info {keys}")
        ]
    );
}

/// What `flux bootstrap` writes, with a Kustomization of `tenants`.
const SYNC: &str = "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: flux-system
  namespace: flux-system
spec:
  interval: 1m
  ref:
    branch: main
  secretRef:
    name: flux-system
  url: ssh://git@git.example.com/org/fleet
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: flux-system
  namespace: flux-system
spec:
  interval: 10m
  path: ./cluster
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
";

#[test]
fn another_source_with_the_same_content_is_the_working_tree() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let team = ENTRY.replace("library", "team").replace(
        "    tag: 1.0.0\n  verify:\n    mode: HEAD\n    secretRef:\n      name: keys\n",
        "    branch: main\n",
    );
    let (source, kustomization) = team.split_once("---\n").unwrap();
    write("cluster/flux-system/gotk-sync.yaml", SYNC);
    write(
        "deploy/settings.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  namespace: b\n",
    );
    // It is declared by what another Kustomization brings.
    let sources = kustomization.replace("team", "sources");
    let sources = sources
        .replace("./deploy", "./sources")
        .replace("name: sources\n", "name: flux-system\n")
        .replacen("name: flux-system\n", "name: sources\n", 1);
    write("cluster/sources.yaml", &sources);
    write("cluster/team.yaml", kustomization);
    for (of, is_same) in [
        ("url: https://git.example.com/org/fleet.git", true),
        ("url: ssh://git@git.example.com/org/fleet", true),
        ("url: https://git.example.com/org/other", false),
    ] {
        let source = source.replace("url: https://git.example.com/team", of);
        for (reference, is_same) in [("branch: main", is_same), ("tag: 1.0.0", false)] {
            write(
                "sources/team.yaml",
                &source.replace("branch: main", reference),
            );
            let done = run(&["build", root], "");
            let is_built = done.stdout.contains("# Kustomization flux-system/team\n");
            assert_eq!(is_built, is_same, "{of}, {reference}: {}", done.stderr);
            let is_missing = done.stderr.contains("error[source/unavailable]");
            assert_eq!(is_missing, !is_same, "{of}, {reference}: {}", done.stderr);
        }
    }

    // A FluxInstance makes the source of the repository itself.
    fs::remove_dir_all(folder.path().join("cluster/flux-system")).unwrap();
    write("sources/team.yaml", &source.replace("/team", "/org/fleet"));
    write(
        "cluster/instance.yaml",
        "apiVersion: fluxcd.controlplane.io/v1\nkind: FluxInstance\nmetadata:\n  name: flux\n  \
         namespace: flux-system\nspec:\n  distribution:\n    version: 2.x\n    registry: \
         ghcr.io/fluxcd\n  sync:\n    kind: GitRepository\n    url: \
         https://git.example.com/org/fleet.git\n    ref: refs/heads/main\n    path: cluster\n",
    );
    let done = run(&["build", root], "");
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(done.stdout.contains("# Kustomization flux-system/team\n"));
}
