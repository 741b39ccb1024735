//! A whole fleet, locked and fetched, then everything offline: in a network
//! namespace without interfaces.

use std::path::Path;
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
    // For `kustomize --enable-helm`.
    fleet.write(
        "charts-overlay/kustomization.yaml",
        &format!(
            "helmCharts:\n- name: web\n  repo: {}/charts\n  version: 1.x\n  releaseName: inflated\n",
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

/// The commands whose job it is to open connections.
const NETWORKED: &[&str] = &["lock", "fetch", "vendor", "bundle push", "bundle pull"];

/// Every command that opens no connection, with what it needs in the fleet.
fn offline_commands(fleet: &Fleet) -> Vec<Vec<String>> {
    let root = fleet.root().display().to_string();
    let at = |path: &str| fleet.root().join(path).display().to_string();
    let chart = at("web-1.1.0.tgz");
    std::fs::write(&chart, archive("web", "1.1.0")).unwrap();
    fleet.write("overlay/kustomization.yaml", "resources: [map.yaml]\n");
    let map = super::fleet::config_map("over", "lay");
    fleet.write("overlay/map.yaml", &map);
    fleet.write(
        "old/source.yaml",
        &source("GitRepository", "  url: https://h.invalid/x\n"),
    );
    for args in [
        &["init", "-q", "-b", "main"][..],
        &["add", "-A"],
        &["commit", "-q", "-m", "all"],
    ] {
        super::fleet::git(&fleet.root(), args);
    }
    let done = |command: &[&str]| {
        let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        let made = output(&[], &command, fleet);
        assert_eq!(made.0, Some(0), "{command:?}: {made:?}");
    };
    let bundle = at("../bundle");
    let signed = ["--tag", "v1", "--key", "testdata/bundle/p256.key"];
    done(
        &[
            &["bundle", "create", &root, "--output", &bundle][..],
            &signed,
        ]
        .concat(),
    );
    for part in ["1/2", "2/2"] {
        let folder = at(&format!("../part-{}", &part[..1]));
        done(&["build", &root, "--shard", part, "--output-dir", &folder]);
    }
    let layout = format!("{bundle}:v1");
    let signed = signed_chart(&fleet.root().join("../chart"));
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
        &["check", "schema", &at("overlay/map.yaml")],
        &["graph", &root],
        &["graph", &root, "--output", "svg"],
        &["rbac", &root],
        &["migrate", &root, "--dry-run"],
        &["diff", &root, "--base", "HEAD"],
        &["lock", &root, "--check"],
        &["get", "all", &root],
        &["get", "ignored", &root],
        &["get", "version", "--range", "1.x"],
        &["rule"],
        &["rule", "dag/cycle"],
        &["store", "list"],
        &["store", "verify"],
        &["store", "prune", "--older-than", "30d"],
        &[
            "bundle",
            "create",
            &root,
            "--output",
            &at("../bundle2"),
            "--tag",
            "v1",
        ],
        &["bundle", "inspect", &bundle],
        &["bundle", "diff", &bundle, &bundle],
        &[
            "bundle",
            "verify",
            &bundle,
            "--key",
            "testdata/bundle/p256.pub",
        ],
        &[
            "merge",
            &at("../part-1"),
            &at("../part-2"),
            "--output-dir",
            &at("../whole"),
        ],
        &[
            "verify",
            "git",
            "testdata/verify/git/cases.bundle",
            "--branch",
            "pgp/ed25519",
            "--key",
            "testdata/verify/git/keys/ed25519.asc",
        ],
        &[
            "verify",
            "chart",
            &signed[0],
            "--keyring",
            &signed[1],
            "--now",
            &signed[2],
        ],
        &[
            "verify",
            "oci",
            &layout,
            "--key",
            "testdata/bundle/p256.pub",
        ],
        &[
            "decrypt",
            "testdata/sops/files/all.yaml",
            "--age-key-file",
            "testdata/sops/keys/one.agekey",
        ],
        &["kustomize", &at("overlay")],
        &["kustomize", &at("charts-overlay"), "--enable-helm"],
        &["template", "web", &chart],
        &["envsubst"],
        &["completion", "bash"],
        &["man"],
        &["man", "build"],
    ];
    let own = |command: &&[&str]| command.iter().map(|a| (*a).to_owned()).collect();
    commands.iter().map(own).collect()
}

/// A chart beside its provenance, a keyring, and the time that its keys are valid
/// at: from the material of the tests of those.
fn signed_chart(folder: &Path) -> [String; 3] {
    use base64::Engine as _;
    let text = std::fs::read("testdata/verify/chart/cases.json").unwrap();
    let cases: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let mut all = cases["cases"].as_array().unwrap().iter();
    let case = all.find(|case| case["signer"].is_string()).unwrap();
    let text = |key: &str| case[key].as_str().unwrap();
    std::fs::create_dir_all(folder).unwrap();
    let put = |name: &str, content: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let keyring = base64::engine::general_purpose::STANDARD.decode(text("keyring"));
    put(
        &format!("{}.prov", text("file")),
        text("provenance").as_bytes(),
    );
    [
        put(text("file"), text("archive").as_bytes()),
        put("ring.gpg", &keyring.unwrap()),
        cases["now"].as_str().unwrap().to_owned(),
    ]
}

/// The commands below one, as its help lists them; those that only group others
/// are not among them.
fn leaves(command: &[&str], found: &mut Vec<String>) {
    let help = crate::program::run(&[command, &["--help"]].concat(), "").stdout;
    let listed = help
        .split_once("\nCommands:\n")
        .map_or("", |(_, rest)| rest);
    let listed = listed.split("\n\n").next().unwrap();
    let names: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty())
        .collect();
    let usage = help.lines().find(|line| line.starts_with("Usage: "));
    let is_group = usage.is_some_and(|line| line.ends_with("<COMMAND>"));
    if !command.is_empty() && (names.is_empty() || !is_group) {
        found.push(command.join(" "));
    }
    for name in names {
        leaves(&[command, &[name]].concat(), found);
    }
}

/// Whoever adds a command says here that it opens connections, or gets it tried
/// without a network.
#[test]
fn every_command_is_networked_or_tried_without_a_network() {
    let app = Repository::new();
    let server = serve(&app);
    let fleet = fleet(&server);
    fleet.done(&["lock"]);
    let tried = offline_commands(&fleet);
    let mut commands = Vec::new();
    leaves(&[], &mut commands);
    assert!(commands.len() > 25, "{commands:?}");
    for known in [
        "bundle pull",
        "check",
        "check schema",
        "verify git",
        "store prune",
    ] {
        assert!(
            commands.iter().any(|command| command == known),
            "{known}: {commands:?}"
        );
    }
    for command in &commands {
        let words: Vec<&str> = command.split(' ').collect();
        let below: Vec<&str> = commands
            .iter()
            .filter_map(|other| other.strip_prefix(&format!("{command} ")))
            .collect();
        let is_it = |tried: &Vec<String>| {
            let next = tried.get(words.len()).map_or("", String::as_str);
            tried.iter().zip(&words).filter(|(a, b)| a == b).count() == words.len()
                && !below.contains(&next)
        };
        let is_tried = tried.iter().any(is_it);
        let is_networked = NETWORKED.contains(&command.as_str());
        assert!(
            is_tried || is_networked,
            "`{command}` is neither in `NETWORKED` nor in `offline_commands`"
        );
    }
    for command in NETWORKED {
        assert!(
            commands.iter().any(|known| known == command),
            "{command} is gone"
        );
    }
}

/// Runs a command, by way of another program where one is given: its exit code
/// and what it printed.
fn output(by: &[&str], command: &[String], fleet: &Fleet) -> (Option<i32>, String, String) {
    // Every run begins with the same files.
    for made in ["bundle2", "whole"] {
        let _ = std::fs::remove_dir_all(fleet.root().join("..").join(made));
    }
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
        "dependencies:\n",
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
    assert_eq!(vendored.stdout, "6 inputs are vendored\n");
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

#[test]
fn vendored_inputs_survive_git() {
    let app = Repository::new();
    app.write("deploy/.gitignore", "*.yaml\n");
    app.write(".gitattributes", "*.yaml eol=crlf\n");
    let crlf = super::fleet::config_map("crlf", "two").replace('\n', "\r\n");
    app.write("deploy/crlf.yaml", &crlf);
    app.git(&["add", "-f", "-A"]);
    app.git(&["commit", "-q", "-m", "odd"]);
    app.publish();
    let server = serve(&app);
    let fleet = fleet(&server);
    fleet.write(".gitignore", "*.tgz\n/vendor/**/*.yaml\n");
    fleet.done(&["lock"]);
    let built = fleet.done(&["build"]).stdout;
    fleet.done(&["vendor"]);
    let root = fleet.root();
    let git = |args: &[&str]| super::fleet::git(&root, args);
    git(&["init", "-q"]);
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "all"]);
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().join("clone");
    let from = root.to_str().unwrap();
    let to = target.to_str().unwrap();
    git(&["clone", "-q", "-c", "core.autocrlf=true", from, to]);
    std::fs::remove_dir_all(fleet.store()).unwrap();
    std::fs::remove_dir_all(&root).unwrap();
    std::fs::rename(&target, &root).unwrap();
    assert_eq!(fleet.done(&["build", "--frozen"]).stdout, built);
}

#[test]
fn what_is_damaged_is_fetched_anew() {
    let app = Repository::new();
    let server = serve(&app);
    let fleet = fleet(&server);
    fleet.done(&["lock"]);
    let built = fleet.done(&["build", "--no-cache"]).stdout;
    let store = fluxwright::store::Store::new(fleet.store());
    let paths: Vec<_> = store.list().unwrap();
    for entry in paths {
        let hex = entry.digest.hex();
        let path = fleet.store().join("sha256").join(&hex[..2]).join(&hex[2..]);
        let mut content = std::fs::read(&path).unwrap();
        let middle = content.len() / 2;
        content[middle] ^= 1;
        std::fs::write(&path, content).unwrap();
        let run = fleet.run(&["build", "--no-cache"]);
        assert_eq!(run.code, Some(2), "{hex}");
        assert!(run.stderr.contains("store/damaged"), "{}", run.stderr);
        fleet.done(&["fetch"]);
        assert!(store.verify().unwrap().is_empty(), "{hex}");
        assert_eq!(fleet.done(&["build", "--no-cache"]).stdout, built);
    }
    // A vendored folder that was edited is written anew, and only in the repository.
    fleet.done(&["vendor"]);
    let readable = "vendor/sources/GitRepository/flux-system/app/deploy/web.yaml";
    let written = fleet.read(readable);
    fleet.write(readable, "edited: true\n");
    assert_eq!(fleet.run(&["build", "--no-cache"]).code, Some(2));
    fleet.done(&["vendor"]);
    assert_eq!(fleet.read(readable), written);
    let run = fleet.run(&["vendor", "--to", "../elsewhere"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("usage/vendor"), "{}", run.stderr);
}
