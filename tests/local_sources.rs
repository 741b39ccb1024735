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
    // It must be signed, and is not at hand.
    let (_, without) = check(&[]);
    assert_eq!(without, ["info source/unavailable cluster/library.yaml:26"]);
    let (code, with) = check(&["--local-sources", &source]);
    assert_eq!(code, Some(0));
    assert_eq!(with, ["info trust/local-source cluster/library.yaml:1"]);
    // Settings decide on it as on any other rule.
    write(
        "fleet/.fluxwright.yaml",
        "entries:\n- path: cluster\nrules:\n  trust/local-source: error\n",
    );
    let (code, with) = check(&["--local-sources", &source]);
    assert_eq!(code, Some(1));
    assert_eq!(with, ["error trust/local-source cluster/library.yaml:1"]);
}
