//! `fluxwright build` as a user runs it.

use std::path::Path;

use crate::program::{Run, run};

const SOURCES: &str = "--local-sources=GitRepository/garden/garden=testdata/herbs,\
                       OCIRepository/ingress/ingress-nginx=testdata/charts/ingress-nginx";

fn build(more: &[&str]) -> Run {
    let mut args = vec!["build", "testdata/fleet", SOURCES];
    args.extend(more);
    run(&args, "")
}

fn files_below(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut pending = vec![folder.to_owned()];
    while let Some(at) = pending.pop() {
        for entry in std::fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                found.push((name, std::fs::read(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_folder_has_a_file_for_each_flux_object_and_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out");
    let run = build(&["--output-dir", output.to_str().unwrap()]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let files = files_below(&output);
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    insta::assert_snapshot!(names.join("\n"), @"
    index.json
    production/helmrelease/ingress/ingress-nginx.yaml
    production/helmrelease/queue/queue.yaml
    production/kustomization/flux-system/apps.yaml
    production/kustomization/flux-system/flux-system.yaml
    production/kustomization/flux-system/infra-configs.yaml
    production/kustomization/flux-system/infra-controllers.yaml
    production/kustomization/flux-system/tenants.yaml
    production/kustomization/garden/garden.yaml
    staging/helmrelease/ingress/ingress-nginx.yaml
    staging/helmrelease/queue/queue.yaml
    staging/kustomization/flux-system/apps.yaml
    staging/kustomization/flux-system/flux-system.yaml
    staging/kustomization/flux-system/infra-configs.yaml
    staging/kustomization/flux-system/infra-controllers.yaml
    staging/kustomization/flux-system/tenants.yaml
    staging/kustomization/garden/garden.yaml
    ");
    let index: serde_json::Value = serde_json::from_slice(&files[0].1).unwrap();
    assert_eq!(index["format"], "fluxwright.index/v1");
    assert_eq!(index["kubernetesVersion"], "1.36.0");
    let files = index["entries"][0]["files"].as_array().unwrap();
    let release = files
        .iter()
        .find(|f| f["object"]["name"] == "ingress-nginx");
    let local = &release.unwrap()["source"]["local"];
    assert_eq!(local, "testdata/charts/ingress-nginx");

    // What an earlier run left goes, what is not ours stays.
    let run = build(&[
        "--output-dir",
        output.to_str().unwrap(),
        "--entry",
        "staging",
    ]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(!output.join("production").exists());
    std::fs::remove_file(output.join("index.json")).unwrap();
    let refused = build(&["--output-dir", output.to_str().unwrap()]);
    assert_eq!(refused.code, Some(2));
    assert!(output.join("kustomization").exists());
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let one = build(&["--jobs", "1"]);
    let eight = build(&["--jobs", "8"]);
    assert_eq!(one, eight);
    assert_eq!(one.code, Some(0), "{}", one.stderr);
}

#[test]
fn a_source_that_is_not_at_hand_stops_what_needs_it() {
    let run = run(&["build", "testdata/fleet", "--entry", "staging"], "");
    assert_eq!(run.code, Some(2));
    insta::assert_snapshot!(run.stderr, @"
    error[source/unavailable]: the source `OCIRepository/ingress/ingress-nginx` is not at hand
      --> infrastructure/controllers/ingress.yaml:28:5
       |
    28 |     kind: OCIRepository
       |     ^^^^^
       |
       = note: object: HelmRelease/ingress/ingress-nginx
       = help: pin and fetch it with `fluxwright lock`, or give a folder or an archive that stands in: `--local-sources OCIRepository/ingress/ingress-nginx=PATH`
    error[source/unavailable]: the source `GitRepository/garden/garden` is not at hand
      --> tenants/base/garden/sync.yaml:20:5
       |
    20 |     kind: GitRepository
       |     ^^^^^
       |
       = note: object: Kustomization/garden/garden
       = help: pin and fetch it with `fluxwright lock`, or give a folder or an archive that stands in: `--local-sources GitRepository/garden/garden=PATH`

    2 errors
    ");
    assert!(run.stdout.contains("# Kustomization flux-system/apps\n"));
    assert!(!run.stdout.contains("# Kustomization garden/garden"));
}

#[test]
fn a_kustomization_in_a_file_takes_the_place_of_the_repository_s() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("apps.yaml");
    std::fs::write(
        &file,
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: apps\n  \
         namespace: flux-system\nspec:\n  interval: 1h\n  path: ./infrastructure/configs\n  prune: \
         true\n  sourceRef:\n    kind: GitRepository\n    name: flux-system\n  postBuild:\n    \
         substitute:\n      ISSUER: other\n    substituteFrom:\n      - kind: ConfigMap\n        \
         name: cluster-settings\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let only = ["--entry", "staging", "--only", "flux-system/apps"];
    let run = build(&[&only[..], &["--kustomization-file", file]].concat());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stdout.contains("  name: other\n"), "{}", run.stdout);
    let none = build(&["--kustomization-file", "testdata/fleet/README.md"]);
    assert_eq!(none.code, Some(2));
}

/// Of many objects that lack variables, the first is told: not that of the fastest
/// thread.
#[test]
fn the_first_error_is_told_whichever_thread_is_faster() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let kustomization = |name: &str, path: &str, more: &str| {
        format!(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: \
             {name}, namespace: flux-system}}\nspec: {{path: {path}, prune: true, interval: 1m, \
             sourceRef: {{kind: GitRepository, name: flux-system}}{more}}}\n"
        )
    };
    write(
        "cluster/flux-system/gotk-sync.yaml",
        &kustomization("flux-system", "./cluster", ""),
    );
    write(
        "cluster/apps.yaml",
        &kustomization("apps", "./apps", ", postBuild: {substitute: {a: b}}"),
    );
    for n in 10..40 {
        let object = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{n}, namespace: n}}\ndata: {{a: \
             '${{V{n}}}'}}\n"
        );
        write(&format!("apps/{n}.yaml"), &object);
    }
    let root = folder.path().to_str().unwrap();
    for _ in 0..20 {
        let run = run(&["build", root, "--no-cache", "--root", root], "");
        assert!(run.stderr.contains("\"V10\""), "{}", run.stderr);
    }
}
