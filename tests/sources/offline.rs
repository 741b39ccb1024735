//! A whole fleet, locked and fetched, then everything offline: in a network
//! namespace without interfaces.

use std::process::Command;

use super::charts::{archive, index};
use super::fleet::{Fleet, Repository, source};
use super::http::{Answer, Server, git};
use super::program;

/// A fleet with a Git source, a chart, a remote base and a remote file.
fn fleet(server: &Server) -> Fleet {
    let fleet = Fleet::of(&source(
        "GitRepository",
        &format!(
            "  url: {}/git/app.git\n  ref: {{branch: main}}\n",
            server.address
        ),
    ));
    let charts = source(
        "HelmRepository",
        &format!("  url: {}/charts\n", server.address),
    );
    fleet.write("clusters/prod/charts.yaml", &charts);
    fleet.write(
        "clusters/prod/release.yaml",
        &super::charts::release("web", "1.x"),
    );
    fleet.write(
        "clusters/prod/flux-system.yaml",
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: \
         flux-system\n  namespace: flux-system\nspec:\n  interval: 1h\n  prune: true\n  path: \
         ./clusters/prod\n  sourceRef:\n    kind: GitRepository\n    name: flux-system\n",
    );
    fleet.write(
        "clusters/prod/remote.yaml",
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: \
         remote\n  namespace: flux-system\nspec:\n  interval: 1h\n  prune: true\n  path: \
         ./remote\n  sourceRef:\n    kind: GitRepository\n    name: flux-system\n",
    );
    fleet.write(
        "remote/kustomization.yaml",
        &format!(
            "resources:\n- {0}/git/app.git//base?ref=v1.1.0\n- {0}/files/extra.yaml\n",
            server.address
        ),
    );
    fleet.write(
        "clusters/prod/kustomization.yaml",
        "resources: [apps.yaml, source.yaml, charts.yaml, release.yaml, flux-system.yaml, remote.yaml]\n",
    );
    fleet
}

fn serve(app: &Repository) -> Server {
    app.write("base/kustomization.yaml", "resources: [map.yaml]\n");
    app.commit("base/map.yaml", &super::fleet::config_map("base", "remote"));
    app.git(&["tag", "v1.1.0"]);
    app.publish();
    let backend = git(app.served());
    Server::start(move |request| {
        let path = request.path().to_owned();
        if let Some(rest) = request.target.strip_prefix("/git") {
            let mut request = request.clone();
            request.target = rest.into();
            return backend(&request);
        }
        match path.as_str() {
            "/charts/index.yaml" => Answer::ok(index(&["1.0.0", "1.1.0"])),
            "/charts/charts/web-1.1.0.tgz" => Answer::ok(archive("web", "1.1.0")),
            "/files/extra.yaml" => Answer::ok(super::fleet::config_map("extra", "file")),
            _ => Answer::status(404),
        }
    })
}

#[test]
fn everything_works_on_an_aeroplane() {
    let app = Repository::new();
    let server = serve(&app);
    let fleet = fleet(&server);
    fleet.done(&["lock"]);
    let lockfile = fleet.lockfile();
    for part in [
        "GitRepository/flux-system/app",
        "HelmRepository/flux-system/app",
        "/git/app.git?ref=v1.1.0",
        "/files/extra.yaml",
    ] {
        assert!(lockfile.contains(part), "{part}: {lockfile}");
    }
    let built = fleet.done(&["build"]);
    for part in [
        "name: extra",
        "name: web",
        "value: one",
        "value: chart",
        "value: remote",
    ] {
        assert!(built.stdout.contains(part), "{part}: {}", built.stdout);
    }
    let count = server.requests.lock().unwrap().len();

    if program("unshare").is_some() {
        let output = Command::new("unshare")
            .args(["-rn", env!("CARGO_BIN_EXE_fluxwright"), "build"])
            .arg(fleet.root())
            .env("FLUXWRIGHT_STORE", fleet.store())
            .output()
            .unwrap();
        if String::from_utf8_lossy(&output.stderr).contains("unshare") {
            eprintln!("not run: this machine gives no namespaces");
        } else {
            assert_eq!(output.status.code(), Some(0));
            assert_eq!(String::from_utf8(output.stdout).unwrap(), built.stdout);
        }
    }
    fleet.done(&["lock", "--check"]);
    assert_eq!(server.requests.lock().unwrap().len(), count);
}

#[test]
fn no_offline_command_opens_a_socket() {
    let Some(strace) = program("strace") else {
        return;
    };
    let app = Repository::new();
    let server = serve(&app);
    let fleet = fleet(&server);
    fleet.done(&["lock"]);
    for command in [&["build"][..], &["lock", "--check"], &["check"]] {
        let output = Command::new(&strace)
            .args(["-f", "-e", "trace=socket", "-o", "/dev/stderr"])
            .arg(env!("CARGO_BIN_EXE_fluxwright"))
            .arg(command[0])
            .arg(fleet.root())
            .args(&command[1..])
            .env("FLUXWRIGHT_STORE", fleet.store())
            .output()
            .unwrap();
        let trace = String::from_utf8_lossy(&output.stderr);
        assert!(!trace.contains("AF_INET"), "{command:?}: {trace}");
    }
}

#[test]
fn vendored_inputs_need_no_store() {
    let app = Repository::new();
    let server = serve(&app);
    let fleet = fleet(&server);
    fleet.done(&["lock"]);
    let built = fleet.done(&["build"]).stdout;
    let vendored = fleet.done(&["vendor"]);
    assert_eq!(vendored.stdout, "4 inputs are vendored\n");
    let readable = "vendor/sources/GitRepository/flux-system/app/deploy/web.yaml";
    assert!(fleet.read(readable).contains("value: one"));
    assert!(fleet.root().join("vendor/charts/web-1.1.0.tgz").exists());
    std::fs::remove_dir_all(fleet.store()).unwrap();
    assert_eq!(fleet.done(&["build"]).stdout, built);
    fleet.done(&["build", "--frozen"]);

    fleet.write(readable, &super::fleet::config_map("web", "edited"));
    let run = fleet.run(&["build"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("vendor/changed"), "{}", run.stderr);
    fleet.done(&["fetch"]);
}
