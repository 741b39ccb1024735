//! Remote resources of kustomizations.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::fleet::{Fleet, config_map};
use super::http::{Answer, Server};

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
