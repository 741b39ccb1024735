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
    let backend = git(app.served());
    let server = Server::start(move |request| {
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
    });
    // A remote base that has a remote base.
    app.write("deeper/kustomization.yaml", "resources: [map.yaml]\n");
    app.write(
        "deeper/map.yaml",
        &super::fleet::config_map("deeper", "deep"),
    );
    app.write(
        "base/kustomization.yaml",
        &format!(
            "resources:\n- map.yaml\n- {}/git/app.git//deeper?ref=main\n",
            server.address
        ),
    );
    app.commit("base/map.yaml", &super::fleet::config_map("base", "remote"));
    app.git(&["tag", "v1.1.0"]);
    app.publish();
    server
}

/// Every command that opens no connection, with what it needs in the fleet.
fn offline_commands(fleet: &Fleet) -> Vec<Vec<String>> {
    let root = fleet.root().display().to_string();
    let at = |path: &str| fleet.root().join(path).display().to_string();
    let chart = at("web-1.1.0.tgz");
    std::fs::write(&chart, archive("web", "1.1.0")).unwrap();
    fleet.write("overlay/kustomization.yaml", "resources: [map.yaml]\n");
    fleet.write("overlay/map.yaml", &super::fleet::config_map("over", "lay"));
    for args in [
        &["init", "-q", "-b", "main"][..],
        &["add", "-A"],
        &["commit", "-q", "-m", "all"],
    ] {
        super::fleet::git(&fleet.root(), args);
    }
    let bundle = [
        "bundle",
        "create",
        &root,
        "--output",
        &at("../bundle"),
        "--tag",
        "v1",
    ];
    let made = output(&[], &bundle.map(str::to_owned), fleet);
    assert_eq!(made.0, Some(0), "{made:?}");
    let commands: &[&[&str]] = &[
        &["build", &root],
        &[
            "build",
            &root,
            "--frozen",
            "--output-dir",
            &at("../rendered"),
        ],
        &["check", &root],
        &["graph", &root],
        &["rbac", &root],
        &["migrate", &root, "--dry-run"],
        &["diff", &root, "--base", "HEAD"],
        &["lock", &root, "--check"],
        &["get", "ignored", &root],
        &["rule"],
        &["store", "list"],
        &["store", "verify"],
        &[
            "bundle",
            "create",
            &root,
            "--output",
            &at("../bundle2"),
            "--tag",
            "v1",
        ],
        &["bundle", "inspect", &at("../bundle")],
        &["bundle", "diff", &at("../bundle"), &at("../bundle")],
        &["kustomize", &at("overlay")],
        &["template", "web", &chart],
        &["envsubst"],
        &["completion", "bash"],
    ];
    let own = |command: &&[&str]| command.iter().map(|a| (*a).to_owned()).collect();
    commands.iter().map(own).collect()
}

/// Runs a command, by way of another program where one is given: its exit code
/// and what it printed.
fn output(by: &[&str], command: &[String], fleet: &Fleet) -> (Option<i32>, String, String) {
    // Every run begins with the same files.
    let _ = std::fs::remove_dir_all(fleet.root().join("../bundle2"));
    let whole = by.iter().copied().chain([env!("CARGO_BIN_EXE_fluxwright")]);
    let whole: Vec<&str> = whole.chain(command.iter().map(String::as_str)).collect();
    let output = Command::new(whole[0])
        .args(&whole[1..])
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap())
        .env("FLUXWRIGHT_STORE", fleet.store())
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    // How long it took is the one thing that may differ.
    let untimed = |line: &str| match line.strip_suffix(" s)") {
        Some(rest) => rest
            .rsplit_once(" (")
            .map_or(rest, |(rest, _)| rest)
            .to_owned(),
        None => line.to_owned(),
    };
    let talk: Vec<String> = text(output.stderr).lines().map(untimed).collect();
    (output.status.code(), text(output.stdout), talk.join("\n"))
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
        "/git/app.git?ref=main",
        "/files/extra.yaml",
    ] {
        assert!(lockfile.contains(part), "{part}: {lockfile}");
    }
    // Another machine.
    std::fs::remove_dir_all(fleet.store()).unwrap();
    fleet.done(&["fetch"]);
    let built = fleet.done(&["build"]);
    for part in [
        "name: extra",
        "name: web",
        "value: one",
        "value: chart",
        "value: remote",
        "value: deep",
    ] {
        assert!(built.stdout.contains(part), "{part}: {}", built.stdout);
    }
    let commands = offline_commands(&fleet);
    let before: Vec<_> = commands.iter().map(|c| output(&[], c, &fleet)).collect();
    server.stop();
    let has_namespaces = super::has_namespaces();
    for (command, before) in commands.iter().zip(before) {
        assert!(matches!(before.0, Some(0 | 1)), "{command:?}: {before:?}");
        assert_eq!(output(&[], command, &fleet), before, "{command:?}");
        if has_namespaces {
            assert_eq!(
                output(&["unshare", "-rn"], command, &fleet),
                before,
                "{command:?}"
            );
        }
    }
}

#[test]
fn no_offline_command_opens_a_socket() {
    if program("strace").is_none() {
        return;
    }
    let app = Repository::new();
    let server = serve(&app);
    let fleet = fleet(&server);
    fleet.done(&["lock"]);
    let trace = fleet.root().join("../trace").display().to_string();
    let strace = ["strace", "-f", "-e", "trace=socket,connect", "-o", &trace];
    let sockets = || std::fs::read_to_string(&trace).unwrap().contains("AF_INET");
    for command in offline_commands(&fleet) {
        output(&strace, &command, &fleet);
        assert!(
            !sockets(),
            "{command:?}: {}",
            std::fs::read_to_string(&trace).unwrap()
        );
    }
    // It would be seen.
    let lock = ["lock", fleet.root().to_str().unwrap(), "--update"].map(str::to_owned);
    output(&strace, &lock, &fleet);
    assert!(sockets());
}

#[test]
fn vendored_inputs_need_no_store() {
    let app = Repository::new();
    let server = serve(&app);
    let fleet = fleet(&server);
    fleet.done(&["lock"]);
    let built = fleet.done(&["build"]).stdout;
    let vendored = fleet.done(&["vendor"]);
    assert_eq!(vendored.stdout, "5 inputs are vendored\n");
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
