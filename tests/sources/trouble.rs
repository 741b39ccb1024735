//! Servers that misbehave, and runs that are interrupted.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::charts::{archive, fleet, index, serve};
use super::fleet::{Fleet, source};
use super::free_port;
use super::http::{Answer, Server};

/// The error of a `lock` that cannot succeed; it leaves no lockfile.
#[track_caller]
fn refused(server: &Server, rule: &str, message: &str, help: &str) {
    let fleet = fleet(&format!("  url: {}\n", server.address), "1.x");
    let run = fleet.run(&["lock"]);
    assert_eq!(run.code, Some(2), "{}", run.stdout);
    assert!(run.stderr.contains(rule), "{rule}: {}", run.stderr);
    assert!(run.stderr.contains(message), "{message}: {}", run.stderr);
    assert!(run.stderr.contains(help), "{help}: {}", run.stderr);
    assert!(run.stderr.contains("HelmRepository/flux-system/app"));
    assert!(
        run.stderr.contains("clusters/prod/release.yaml"),
        "{}",
        run.stderr
    );
    assert!(!fleet.root().join("fluxwright.lock").exists());
}

#[test]
fn answers_that_are_final() {
    let server = Server::start(|_| Answer::status(403));
    refused(
        &server,
        "source/denied",
        "refused access (403",
        "credentials",
    );
    assert_eq!(server.requests.lock().unwrap().len(), 1);
    let server = Server::start(|_| Answer::status(404));
    refused(
        &server,
        "source/missing",
        "is not there (404",
        "is the address right?",
    );
    let server = Server::start(|_| Answer::status(500));
    refused(&server, "source/failed", "answered 500", "try again later");
    let server = Server::start(|_| Answer::ok("<html>hello</html>"));
    refused(&server, "source/failed", "the index", "a Helm repository");
}

#[test]
fn what_passes_is_asked_again_a_bounded_number_of_times() {
    let count = AtomicUsize::new(0);
    let charts = serve(&["1.0.0"]);
    let server = Server::start(move |request| {
        if count.fetch_add(1, Ordering::SeqCst) < 2 {
            return Answer::status(429).header("retry-after", "0");
        }
        charts(request)
    });
    fleet(&format!("  url: {}\n", server.address), "1.x").done(&["lock"]);
    let server = Server::start(|_| Answer::status(503).header("retry-after", "0"));
    refused(
        &server,
        "source/failed",
        "after 4 attempts",
        "try again later",
    );
    assert_eq!(server.requests.lock().unwrap().len(), 4);
}

#[test]
fn what_breaks_off_is_fetched_again_from_the_beginning() {
    let count = AtomicUsize::new(0);
    let server = Server::start(move |request| {
        if request.path() == "/index.yaml" {
            return Answer::ok(index(&["1.0.0"]));
        }
        let whole = Answer::ok(archive("web", "1.0.0"));
        if count.fetch_add(1, Ordering::SeqCst) == 0 {
            return whole.cut_after(100);
        }
        whole
    });
    let fleet = fleet(&format!("  url: {}\n", server.address), "1.x");
    fleet.done(&["lock"]);
    assert_eq!(server.count("/charts/web-1.0.0.tgz"), 2);
    let server = Server::start(|request| match request.path() {
        "/index.yaml" => Answer::ok(index(&["1.0.0"])),
        _ => Answer::ok(archive("web", "1.0.0")).cut_after(50),
    });
    refused(&server, "source/broken", "broke off", "try again");
}

#[test]
fn content_that_changed_behind_its_name_is_refused() {
    let server = Server::start(serve(&["1.0.0"]));
    let fleet = fleet(&format!("  url: {}\n", server.address), "1.x");
    fleet.done(&["lock"]);
    let lockfile = fleet.lockfile();
    let changed: String = lockfile
        .lines()
        .map(|line| match line.split_once("digest: sha256:") {
            Some((before, _)) => format!("{before}digest: sha256:{}\n", "0".repeat(64)),
            None => format!("{line}\n"),
        })
        .collect();
    fleet.write("fluxwright.lock", &changed);
    let run = fleet.run(&["fetch"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("store/digest"), "{}", run.stderr);
    assert!(run.stderr.contains("find out why"), "{}", run.stderr);
    assert_eq!(fleet.lockfile(), changed);
}

#[test]
fn nobody_there() {
    let fleet = fleet(&format!("  url: http://127.0.0.1:{}\n", free_port()), "1.x");
    let run = fleet.run(&["lock"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("source/unreachable"), "{}", run.stderr);
    assert!(run.stderr.contains("after 4 attempts"), "{}", run.stderr);
}

#[test]
fn a_redirect_without_end() {
    let server = Server::start(|request| Answer::status(302).header("location", &request.target));
    refused(
        &server,
        "source/redirect",
        "redirects without end",
        "write the address",
    );
}

#[test]
fn conflict_marks_in_the_lockfile() {
    let fleet = fleet("  url: http://127.0.0.1:1\n", "1.x");
    fleet.write(
        "fluxwright.lock",
        "version: 1\n<<<<<<< HEAD\nsources: []\n=======\nremotes: []\n>>>>>>> other\n",
    );
    let run = fleet.run(&["lock"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("lock/conflict"), "{}", run.stderr);
    assert!(run.stderr.contains("fluxwright.lock:2"), "{}", run.stderr);
}

#[test]
fn providers_that_are_not_known_are_said() {
    let fleet = Fleet::of(&source(
        "GitRepository",
        "  url: https://h.invalid/x\n  provider: azure\n",
    ));
    let run = fleet.run(&["lock"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("source/provider"), "{}", run.stderr);
}

/// Runs a command and ends it at 200 moments, spread over the time that it
/// takes; `between` is told which run it is, before and after.
fn interrupted(fleet: &Fleet, command: &str, before: impl Fn(u64), after: impl Fn(u64)) {
    let store = fluxwright::store::Store::new(fleet.store());
    let start = std::time::Instant::now();
    fleet.done(&[command]);
    let whole = u64::try_from(start.elapsed().as_micros()).unwrap();
    let whole = whole.clamp(50_000, 250_000);
    for i in 0..200u64 {
        before(i);
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_fluxwright"))
            .arg(command)
            .arg(fleet.root())
            .env_clear()
            .env("FLUXWRIGHT_STORE", fleet.store())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_micros(i * 7919 % whole));
        let _ = child.kill();
        child.wait().unwrap();
        assert!(store.verify().unwrap().is_empty(), "after run {i}");
        after(i);
    }
}

/// A fleet with two releases.
fn two_releases(server: &Server) -> Fleet {
    let fleet = fleet(&format!("  url: {}\n", server.address), "1.x");
    fleet.write("clusters/prod/b.yaml", &super::charts::release("b", "2.x"));
    fleet
}

#[test]
fn locking_that_is_interrupted_leaves_everything_whole() {
    let server = Server::start(serve(&["1.0.0", "1.2.0", "2.0.0"]));
    let fleet = two_releases(&server);
    let path = fleet.root().join("fluxwright.lock");
    let before = |i: u64| {
        let _ = std::fs::remove_file(&path);
        if i.is_multiple_of(7) {
            let _ = std::fs::remove_dir_all(fleet.store());
        }
    };
    let after = |i: u64| {
        if let Ok(text) = std::fs::read_to_string(&path) {
            let lockfile =
                fluxwright::lock::Lockfile::parse(&text, fluxwright::diag::FileId::default());
            assert_eq!(lockfile.unwrap().digests().count(), 2, "after run {i}");
        }
    };
    interrupted(&fleet, "lock", before, after);
    fleet.done(&["lock"]);
    fleet.done(&["build"]);
}

#[test]
fn fetching_that_is_interrupted_leaves_everything_whole() {
    let latency = std::time::Duration::from_millis(2);
    let server = Server::with_latency(latency, serve(&["1.0.0", "1.2.0", "2.0.0"]));
    let fleet = two_releases(&server);
    fleet.done(&["lock"]);
    let lockfile = fleet.lockfile();
    let before = |i: u64| {
        // Most runs begin with nothing, some with what others left.
        if !i.is_multiple_of(5) {
            let _ = std::fs::remove_dir_all(fleet.store());
        }
    };
    let after = |i: u64| assert_eq!(fleet.lockfile(), lockfile, "after run {i}");
    interrupted(&fleet, "fetch", before, after);
    fleet.done(&["fetch"]);
    fleet.done(&["build"]);
}

#[test]
fn two_runs_at_once() {
    let server = Server::start(serve(&["1.0.0", "1.2.0"]));
    let fleet = fleet(&format!("  url: {}\n", server.address), "1.x");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| fleet.done(&["lock"]));
        }
    });
    fleet.done(&["lock", "--check"]);
    let lockfile = fleet.lockfile();
    std::fs::remove_dir_all(fleet.store()).unwrap();
    std::thread::scope(|scope| {
        for command in ["fetch", "lock", "fetch", "lock"] {
            let fleet = &fleet;
            scope.spawn(move || fleet.done(&[command]));
        }
    });
    assert_eq!(fleet.lockfile(), lockfile);
    assert!(
        fluxwright::store::Store::new(fleet.store())
            .verify()
            .unwrap()
            .is_empty()
    );
}

/// A fleet that was locked when all was well, and a server that answers no
/// longer as it did.
fn locked_before(
    change: impl Fn(&super::http::Request) -> Option<Answer> + Send + Sync + 'static,
) -> (Fleet, Server) {
    let charts = serve(&["1.0.0"]);
    let is_changed = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flag = is_changed.clone();
    let server = Server::start(move |request| {
        let changed = flag
            .load(Ordering::SeqCst)
            .then(|| change(request))
            .flatten();
        changed.unwrap_or_else(|| charts(request))
    });
    let fleet = fleet(&format!("  url: {}\n", server.address), "1.x");
    fleet.done(&["lock"]);
    is_changed.store(true, Ordering::SeqCst);
    (fleet, server)
}

const PLACE: [&str; 2] = [
    "HelmRepository/flux-system/app",
    "clusters/prod/release.yaml:10",
];

#[test]
fn an_archive_that_is_truncated() {
    let (fleet, _server) = locked_before(|request| {
        let whole = archive("web", "1.0.1");
        match request.path() {
            "/index.yaml" => Some(Answer::ok(index(&["1.0.1"]))),
            _ => Some(Answer::ok(&whole[..whole.len() - 40])),
        }
    });
    let parts = [&PLACE[..], &["source/broken", "web-1.0.1.tgz", "damaged"]].concat();
    fleet.unchanged("", |fleet| fleet.run(&["lock", "--update"]), &parts);
}

#[test]
fn an_archive_that_is_not_what_the_index_says() {
    let (fleet, _server) = locked_before(|request| match request.path() {
        "/index.yaml" => {
            let digest = "0".repeat(64);
            let index = index(&["1.0.1"]);
            Some(Answer::ok(format!("{index}    digest: {digest}\n")))
        }
        _ => Some(Answer::ok(archive("web", "1.0.1"))),
    });
    let parts = [&PLACE[..], &["store/digest", "find out why"]].concat();
    fleet.unchanged("", |fleet| fleet.run(&["lock", "--update"]), &parts);
}

#[test]
fn a_server_that_is_busy_says_for_how_long() {
    let count = AtomicUsize::new(0);
    let (fleet, server) = locked_before(move |_| {
        let is_first = count.fetch_add(1, Ordering::SeqCst) == 0;
        is_first.then(|| Answer::status(429).header("retry-after", "1"))
    });
    let start = std::time::Instant::now();
    fleet.done(&["lock", "--update"]);
    assert!(start.elapsed() >= std::time::Duration::from_secs(1));
    drop(server);
    let (fleet, server) = locked_before(|_| Some(Answer::status(429).header("retry-after", "0")));
    let before = server.requests.lock().unwrap().len();
    let parts = [
        &PLACE[..],
        &[
            "source/busy",
            "after 4 attempts",
            "log in for a higher limit",
        ],
    ]
    .concat();
    fleet.unchanged("", |fleet| fleet.run(&["lock", "--update"]), &parts);
    assert_eq!(server.requests.lock().unwrap().len() - before, 4);
}

#[test]
fn a_redirect_that_leaves_tls() {
    let Some(authority) = super::tls::Authority::new() else {
        return;
    };
    let plain = Server::start(serve(&["1.0.0"]));
    let target = plain.address.clone();
    let server = Server::with_tls(authority.server(false), move |request| {
        Answer::status(302).header("location", &format!("{target}{}", request.path()))
    });
    let spec = format!(
        "  url: {}\n  certSecretRef: {{name: tls}}\n",
        server.address
    );
    let fleet = fleet(&spec, "1.x");
    fleet.write(
        "clusters/prod/secret.yaml",
        &authority.secret("tls", &[("ca.crt", "ca.crt")]),
    );
    let run = fleet.run(&["lock"]);
    assert_eq!(run.code, Some(2));
    for part in [
        "source/redirect",
        "from HTTPS to HTTP",
        "write the address",
        PLACE[0],
        PLACE[1],
    ] {
        assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
    }
    assert!(plain.requests.lock().unwrap().is_empty());
}

#[test]
fn no_route() {
    let (fleet, _server) = locked_before(|_| None);
    let offline = |fleet: &Fleet| {
        let output = std::process::Command::new("unshare")
            .args(["-rn", env!("CARGO_BIN_EXE_fluxwright"), "lock"])
            .arg(fleet.root())
            .arg("--update")
            .env("FLUXWRIGHT_STORE", fleet.store())
            .output()
            .unwrap();
        crate::program::Run {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    };
    if !super::has_namespaces() {
        return;
    }
    let parts = [
        &PLACE[..],
        &[
            "source/unreachable",
            "is the address right, and the network there?",
        ],
    ]
    .concat();
    fleet.unchanged("", offline, &parts);
}

/// The program on a disk that is full: nothing larger than some hundred bytes
/// can be written.
#[test]
fn a_full_disk() {
    let (fleet, _server) = locked_before(|request| match request.path() {
        "/index.yaml" => Some(Answer::ok(index(&["1.0.1"]))),
        // Large, and hard to compress.
        _ => Some(Answer::ok(super::charts::archive_of(
            "web",
            "1.0.1",
            1 << 20,
        ))),
    });
    let full = |fleet: &Fleet| {
        let output = std::process::Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\""])
            .args([env!("CARGO_BIN_EXE_fluxwright"), "lock"])
            .arg(fleet.root())
            .arg("--update")
            .env("FLUXWRIGHT_STORE", fleet.store())
            .output()
            .unwrap();
        crate::program::Run {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    };
    let parts = [&PLACE[..], &["store/unwritable", "make room"]].concat();
    fleet.unchanged("", full, &parts);
}
