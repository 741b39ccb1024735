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

/// Ends `lock` at random moments: lockfile and store are whole every time.
#[test]
fn interrupted_runs_leave_everything_whole() {
    let server = Server::start(serve(&["1.0.0", "1.2.0", "2.0.0"]));
    let fleet = fleet(&format!("  url: {}\n", server.address), "1.x");
    fleet.write("clusters/prod/b.yaml", &super::charts::release("b", "2.x"));
    let store = fluxwright::store::Store::new(fleet.store());
    for i in 0..200u64 {
        let _ = std::fs::remove_file(fleet.root().join("fluxwright.lock"));
        if i % 7 == 0 {
            let _ = std::fs::remove_dir_all(fleet.store());
        }
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_fluxwright"))
            .arg("lock")
            .arg(fleet.root())
            .env_clear()
            .env("FLUXWRIGHT_STORE", fleet.store())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // A spread of moments over the time that a run takes.
        std::thread::sleep(std::time::Duration::from_micros(i * 7919 % 60_000));
        let _ = child.kill();
        child.wait().unwrap();
        assert!(store.verify().unwrap().is_empty(), "after run {i}");
        let path = fleet.root().join("fluxwright.lock");
        if let Ok(text) = std::fs::read_to_string(path) {
            let lockfile =
                fluxwright::lock::Lockfile::parse(&text, fluxwright::diag::FileId::default());
            assert_eq!(lockfile.unwrap().digests().count(), 2, "after run {i}");
        }
    }
    fleet.done(&["lock"]);
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
}
