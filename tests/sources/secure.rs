//! TLS: an authority of one's own, certificates of clients, and Git repositories
//! and charts behind them.

use super::charts::{fleet as chart_fleet, serve};
use super::fleet::{Fleet, Repository, source};
use super::http::{Answer, Server, git};
use super::tls::Authority;

fn git_fleet(server: &Server, more: &str) -> Fleet {
    let spec = format!(
        "  url: {}/app.git\n  ref: {{branch: main}}\n{more}",
        server.address
    );
    Fleet::of(&source("GitRepository", &spec))
}

#[test]
fn the_authority_of_a_git_server_comes_from_its_secret() {
    let Some(authority) = Authority::new() else {
        return;
    };
    let app = Repository::new();
    let server = Server::with_tls(authority.server(false), git(app.served()));
    let unknown = git_fleet(&server, "");
    let run = unknown.run(&["lock"]);
    assert_eq!(run.code, Some(2));
    for part in [
        "source/certificate",
        "is not trusted",
        "`ca.crt`",
        "clusters/prod/source.yaml:8",
    ] {
        assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
    }
    assert!(!unknown.root().join("fluxwright.lock").exists());

    let known = git_fleet(&server, "  secretRef: {name: tls}\n");
    known.write(
        "clusters/prod/secret.yaml",
        &authority.secret("tls", &[("ca.crt", "ca.crt")]),
    );
    known.done(&["lock"]);
    assert!(known.done(&["build"]).stdout.contains("value: one"));
    // Another authority vouches for nothing here.
    let other = Authority::new().unwrap();
    known.write(
        "clusters/prod/secret.yaml",
        &other.secret("tls", &[("ca.crt", "ca.crt")]),
    );
    let lockfile = known.lockfile();
    let run = known.run(&["lock", "--update"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("source/certificate"), "{}", run.stderr);
    assert_eq!(known.lockfile(), lockfile);
}

#[test]
fn certificates_of_clients_are_shown() {
    let Some(authority) = Authority::new() else {
        return;
    };
    let app = Repository::new();
    let all = [
        ("ca.crt", "ca.crt"),
        ("tls.crt", "client.crt"),
        ("tls.key", "client.key"),
    ];
    let server = Server::with_tls(authority.server(true), git(app.served()));
    let fleet = git_fleet(&server, "  secretRef: {name: tls}\n");
    fleet.write(
        "clusters/prod/secret.yaml",
        &authority.secret("tls", &all[..1]),
    );
    let run = fleet.run(&["lock"]);
    assert_eq!(run.code, Some(2), "{}", run.stdout);
    for part in [
        "source/denied",
        "`tls.crt` and `tls.key`",
        "clusters/prod/source.yaml:8",
    ] {
        assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
    }
    fleet.write("clusters/prod/secret.yaml", &authority.secret("tls", &all));
    fleet.done(&["lock"]);
    fleet.write(
        "clusters/prod/secret.yaml",
        &authority.secret("tls", &all[..2]),
    );
    let run = fleet.run(&["lock", "--update"]);
    assert!(
        run.stderr.contains("`tls.crt` and `tls.key`"),
        "{}",
        run.stderr
    );

    let charts = Server::with_tls(authority.server(true), serve(&["1.0.0"]));
    let spec = format!(
        "  url: {}\n  certSecretRef: {{name: tls}}\n",
        charts.address
    );
    let fleet = chart_fleet(&spec, "1.x");
    fleet.write("clusters/prod/secret.yaml", &authority.secret("tls", &all));
    let locked = fleet.done(&["lock"]).stdout;
    assert!(locked.ends_with("new: 1.0.0\n"), "{locked}");
}

#[test]
fn proxies_that_ask_for_a_login() {
    let app = Repository::new();
    let backend = git(app.served());
    // A proxy is asked for the whole address.
    let proxy = Server::start(move |request| {
        let Some(path) = request.target.strip_prefix("http://git.example.invalid") else {
            return Answer::status(400);
        };
        if request.header("proxy-authorization") != Some("Basic YWxpY2U6aHVudGVyMg==") {
            return Answer::status(407);
        }
        let mut request = request.clone();
        request.target = path.to_owned();
        backend(&request)
    });
    let spec = "  url: http://git.example.invalid/app.git\n  ref: {branch: main}\n  proxySecretRef: {name: \
                proxy}\n";
    let fleet = Fleet::of(&source("GitRepository", spec));
    let secret = |password: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: proxy\n  namespace: \
             flux-system\nstringData:\n  address: {}\n  username: alice\n  password: {password}\n",
            proxy.address
        )
    };
    fleet.write("clusters/prod/secret.yaml", &secret("hunter3"));
    let run = fleet.run(&["lock"]);
    assert_eq!(run.code, Some(2), "{}", run.stdout);
    assert!(run.stderr.contains("407"), "{}", run.stderr);
    assert!(
        run.stderr.contains("clusters/prod/source.yaml:8"),
        "{}",
        run.stderr
    );
    assert!(!run.stderr.contains("hunter3"), "{}", run.stderr);
    fleet.write("clusters/prod/secret.yaml", &secret("hunter2"));
    fleet.done(&["lock"]);
    assert!(
        !fleet
            .lockfile()
            .contains(proxy.address.trim_start_matches("http://"))
    );
    assert!(fleet.done(&["build"]).stdout.contains("value: one"));
}

#[test]
fn repositories_named_by_sha256() {
    let app = Repository::with_format("sha256");
    let commit = app.git(&["rev-parse", "HEAD"]).trim().to_owned();
    assert_eq!(commit.len(), 64);
    let server = Server::start(git(app.served()));
    for (reference, revision) in [
        ("branch: main", format!("main@sha256:{commit}")),
        ("tag: v1.0.0", format!("v1.0.0@sha256:{commit}")),
        (&*format!("commit: {commit}"), format!("sha256:{commit}")),
    ] {
        let spec = format!(
            "  url: {}/app.git\n  ref: {{{reference}}}\n",
            server.address
        );
        let fleet = Fleet::of(&source("GitRepository", &spec));
        fleet.done(&["lock"]);
        assert!(
            fleet
                .lockfile()
                .contains(&format!("revision: {revision}\n")),
            "{}",
            fleet.lockfile()
        );
        assert!(fleet.done(&["build"]).stdout.contains("value: one"));
        std::fs::remove_dir_all(fleet.store()).unwrap();
        fleet.done(&["fetch"]);
    }
}
