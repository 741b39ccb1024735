//! Bundles to registries that one must trust, and be trusted by: over TLS with
//! an authority of one's own, and with a server that gives tokens.

use std::path::Path;
use std::sync::{Arc, Mutex};

use super::bundle::{Kept, Made, files, kept_by};
use super::http::{Answer, Request, Server};
use super::program;
use super::registry::Registry;
use super::tls::Authority;

const LOGIN: [(&str, &str); 2] = [("USER", "alice"), ("PASSWORD", "hunter2")];

/// What `.fluxwright.yaml` says of a registry.
fn credentials(address: &str, more: &str) -> String {
    format!(
        "credentials:\n- address: {address}\n  entries:\n    username: {{env: USER}}\n    password: \
         {{env: PASSWORD}}\n{more}"
    )
}

#[test]
fn pushed_and_pulled_over_tls() {
    let Some(program) = program("docker-registry") else {
        return;
    };
    let Some(authority) = Authority::new() else {
        return;
    };
    let plain = Registry::start(program.clone(), false);
    let registry = plain.with_tls(program, &authority);
    let made = Made::new();
    let (bundle, out) = (made.at("bundle"), made.at("pulled"));
    let address = format!("{}/fleet", registry.url());
    let tag = format!("{address}:v1.2.0");
    let push = |environment: &[(&str, &str)], more: &[&str]| {
        let mut args = vec!["push", &*bundle, &*address, "--root", made.root()];
        args.extend(more);
        made.run_with(&args, environment)
    };
    // An authority that nobody named is not trusted.
    made.fixture
        .write(".fluxwright.yaml", &credentials(&registry.url(), ""));
    let run = push(&LOGIN, &[]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(run.stderr.contains("source/certificate"), "{}", run.stderr);

    let trusted = format!(
        "    ca.crt: {{file: {}}}\n",
        authority.path("ca.crt").display()
    );
    made.fixture
        .write(".fluxwright.yaml", &credentials(&registry.url(), &trusted));
    // A registry that speaks TLS gets nothing without.
    let run = push(&LOGIN, &["--insecure"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    let wrong = [("USER", "alice"), ("PASSWORD", "hunter3")];
    let run = push(&wrong, &[]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(run.stderr.contains("source/denied"), "{}", run.stderr);
    assert!(!run.stderr.contains("hunter3"), "{}", run.stderr);

    let run = push(&LOGIN, &[]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(
        run.stdout.ends_with("blobs: 10 sent, 0 there already\n"),
        "{}",
        run.stdout
    );
    let pull = ["pull", &*tag, "--output", &*out, "--root", made.root()];
    let run = made.run_with(&pull, &wrong);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("source/denied"), "{}", run.stderr);
    assert!(!Path::new(&out).exists());
    let run = made.run_with(&pull, &LOGIN);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(files(Path::new(&out)), files(Path::new(&bundle)));
}

/// A server that gives tokens: alice one to read and write, bob one to read.
fn token_server() -> Server {
    Server::start(|request| {
        let scope = request.target.replace("%3A", ":").replace("%2C", ",");
        let is_known =
            scope.contains("service=registry.test") && scope.contains("scope=repository:fleet:");
        let rights = match request.header("authorization") {
            // alice:hunter2
            Some("Basic YWxpY2U6aHVudGVyMg==") if scope.contains("push") => "write",
            Some("Basic YWxpY2U6aHVudGVyMg==" | "Basic Ym9iOmh1bnRlcjI=") => "read",
            _ => return Answer::status(401),
        };
        if !is_known {
            return Answer::status(400);
        }
        Answer::ok(format!(r#"{{"token": "to-{rights}", "expires_in": 300}}"#))
            .header("content-type", "application/json")
    })
}

/// A registry that takes its tokens alone.
fn guarded(tokens: &Server, kept: Arc<Mutex<Kept>>) -> Server {
    let challenge = format!(
        "Bearer realm=\"{}/token\",service=\"registry.test\",scope=\"repository:fleet:pull\"",
        tokens.address
    );
    let answer = kept_by(kept);
    Server::start(move |request: &Request| {
        let writes = matches!(request.method.as_str(), "POST" | "PUT" | "PATCH");
        match request.header("authorization") {
            Some("Bearer to-write") => answer(request),
            Some("Bearer to-read") if !writes => answer(request),
            Some("Bearer to-read") => Answer::status(403),
            _ => Answer::status(401).header("www-authenticate", &challenge),
        }
    })
}

#[test]
fn a_server_gives_tokens_to_push_and_to_pull() {
    let tokens = token_server();
    let kept = Arc::new(Mutex::new(Kept::default()));
    let server = guarded(&tokens, kept.clone());
    let made = Made::new();
    let registry = server.address.replace("http://", "oci://");
    let address = format!("{registry}/fleet");
    let tag = format!("{address}:v1.2.0");
    let (bundle, out) = (made.at("bundle"), made.at("pulled"));
    let push = [
        "push",
        &*bundle,
        &*address,
        "--insecure",
        "--root",
        made.root(),
    ];

    // Nobody, and who may only read.
    let run = made.run_with(&push, &[]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(run.stderr.contains("source/denied"), "{}", run.stderr);
    made.fixture
        .write(".fluxwright.yaml", &credentials(&registry, ""));
    let bob = [("USER", "bob"), ("PASSWORD", "hunter2")];
    let run = made.run_with(&push, &bob);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(run.stderr.contains("source/denied"), "{}", run.stderr);
    assert!(run.stderr.contains("the right to write"), "{}", run.stderr);
    assert!(kept.lock().unwrap().is_empty());

    let run = made.run_with(&push, &LOGIN);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(
        run.stdout.ends_with("blobs: 10 sent, 0 there already\n"),
        "{}",
        run.stdout
    );
    let pull = [
        "pull",
        &*tag,
        "--output",
        &*out,
        "--insecure",
        "--root",
        made.root(),
    ];
    let run = made.run_with(&pull, &bob);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(files(Path::new(&out)), files(Path::new(&bundle)));

    // The password goes to the server of tokens, and to nobody else.
    let asked = tokens.requests.lock().unwrap();
    assert!(asked.iter().any(|request| request.target.contains("push")));
    let requests = server.requests.lock().unwrap();
    let sent = requests
        .iter()
        .filter_map(|request| request.header("authorization"));
    assert!(sent.clone().count() > 9);
    assert!(sent.clone().all(|header| header.starts_with("Bearer to-")));
}
