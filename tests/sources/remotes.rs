//! Remote resources of kustomizations.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::fleet::{Fleet, Repository, config_map};
use super::http::{Answer, Server, git};

#[test]
fn all_remote_resources_of_a_repository_are_asked_for_at_once() {
    let server = Server::with_latency(Duration::from_millis(20), |request| {
        let name = request.path().rsplit('/').next().unwrap_or_default();
        Answer::ok(config_map(name.trim_end_matches(".yaml"), "remote"))
    });
    let fleet = Fleet::empty();
    // Some in one kustomization, one in each of some bases: more than there may be
    // passes.
    fleet.write(
        "clusters/prod/flux-system.yaml",
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: \
         flux-system\n  namespace: flux-system\nspec:\n  interval: 1h\n  prune: true\n  path: \
         ./clusters/prod\n  sourceRef:\n    kind: GitRepository\n    name: flux-system\n",
    );
    let mut resources = String::from("- flux-system.yaml\n");
    for i in 0..40 {
        resources.push_str(&format!(
            "- {}/file-{i}.yaml\n- ../base-{i}\n",
            server.address
        ));
        fleet.write(
            &format!("clusters/base-{i}/kustomization.yaml"),
            &format!("resources: [{}/in-base-{i}.yaml]\n", server.address),
        );
    }
    fleet.write(
        "clusters/prod/kustomization.yaml",
        &format!("resources:\n{resources}"),
    );
    fleet.done(&["lock"]);
    assert_eq!(server.requests.lock().unwrap().len(), 80);
    let busiest = server.busiest.load(Ordering::SeqCst);
    assert!(busiest >= 10, "{busiest} at the same time");
    let run = fleet.done(&["build"]);
    assert!(run.stdout.contains("name: file-39") && run.stdout.contains("name: in-base-39"));
}

/// A fleet with a Kustomization `apps` of the repository's own folder `apps`.
fn fleet_of_apps(kustomization: &str) -> Fleet {
    let fleet = Fleet::empty();
    fleet.write(
        "clusters/prod/apps.yaml",
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: \
         apps\n  namespace: flux-system\nspec:\n  interval: 1h\n  prune: true\n  path: \
         ./apps\n  sourceRef:\n    kind: GitRepository\n    name: flux-system\n",
    );
    fleet.write("apps/map.yaml", &config_map("map", "own"));
    fleet.write("apps/kustomization.yaml", kustomization);
    fleet
}

#[test]
fn every_file_of_a_kustomization_may_lie_elsewhere() {
    let server = Server::start(|request| match request.path() {
        "/patch.yaml" => Answer::ok(config_map("map", "patched")),
        "/operations.yaml" => Answer::ok("- op: add\n  path: /data/operated\n  value: remotely\n"),
        "/settings.txt" => Answer::ok("from afar"),
        "/replace.yaml" => Answer::ok(
            "source: {kind: ConfigMap, name: map, fieldPath: data.value}\ntargets:\n- select: \
             {kind: ConfigMap, name: map}\n  fieldPaths: [data.replaced]\n  options: {create: \
             true}\n",
        ),
        _ => Answer::status(404),
    });
    let at = &server.address;
    let fleet = fleet_of_apps(&format!(
        "resources: [map.yaml]\npatches:\n- path: {at}/patch.yaml\n- path: \
         {at}/operations.yaml\n  target: {{kind: ConfigMap, name: map}}\nreplacements:\n- path: \
         {at}/replace.yaml\nconfigMapGenerator:\n- name: made\n  files: \
         [{at}/settings.txt]\ngeneratorOptions: {{disableNameSuffixHash: true}}\n"
    ));
    fleet.done(&["lock"]);
    assert_eq!(server.requests.lock().unwrap().len(), 4);
    let lockfile = fleet.lockfile();
    assert!(lockfile.contains("/replace.yaml"), "{lockfile}");
    server.stop();
    let built = fleet.done(&["build", "--frozen"]).stdout;
    for line in [
        "  value: patched\n",
        "  operated: remotely\n",
        "  settings.txt: from afar\n",
        "  replaced: patched\n",
    ] {
        assert!(built.contains(line), "{line}: {built}");
    }
}

#[test]
fn components_of_other_repositories() {
    let app = Repository::new();
    app.write(
        "labels/kustomization.yaml",
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nlabels:\n- pairs: {from: \
         afar}\n",
    );
    app.commit("labels/note", "");
    app.git(&["tag", "v2.0.0"]);
    app.publish();
    let server = Server::start(git(app.served()));
    let fleet = fleet_of_apps(&format!(
        "resources: [map.yaml]\ncomponents: ['{}/app.git//labels?ref=v2.0.0']\n",
        server.address
    ));
    fleet.done(&["lock"]);
    server.stop();
    let built = fleet.done(&["build"]).stdout;
    assert!(built.contains("from: afar"), "{built}");
}
