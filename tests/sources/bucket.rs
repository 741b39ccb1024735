//! Buckets on a real S3 server: moto's, started here, with keys and without.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::fleet::{Fleet, config_map, source};
use super::free_port;
use super::http::{Answer, Server};

/// An S3 server; it ends with this.
struct S3 {
    child: Child,
    port: u16,
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The answer to a request.
struct Reply {
    status: u16,
    body: String,
}

impl S3 {
    /// Starts a server; none, said by name, where it is not installed.
    fn start() -> Option<S3> {
        let port = free_port();
        let mut child = Command::new("python3")
            .args([
                "-m",
                "moto.server",
                "-H",
                "127.0.0.1",
                "-p",
                &port.to_string(),
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        for _ in 0..1200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(S3 { child, port });
            }
            if child.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = child.kill();
        let _ = child.wait();
        eprintln!("not run: the S3 server of Python's `moto[server]` is not installed");
        None
    }

    fn endpoint(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A request of a service that needs no login so far.
    fn send(&self, method: &str, target: &str, service: &str, body: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let content_type = if service == "s3" {
            "application/octet-stream"
        } else {
            "application/x-www-form-urlencoded"
        };
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: \
             {content_type}\r\nx-amz-acl: public-read\r\nauthorization: AWS4-HMAC-SHA256 \
             Credential=admin/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, \
             Signature=0\r\ncontent-length: {}\r\n\r\n",
            self.endpoint(),
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
        Reply { status, body }
    }

    #[track_caller]
    fn put(&self, target: &str, content: &str) {
        let reply = self.send("PUT", target, "s3", content.as_bytes());
        assert_eq!(reply.status, 200, "{}", reply.body);
    }

    /// From now on, only those may read who have keys: a user's, which are
    /// given back.
    fn ask_for_keys(&self) -> (String, String) {
        let iam = |action: &str| {
            let body = format!("Version=2010-05-08&UserName=alice&{action}");
            let reply = self.send("POST", "/", "iam", body.as_bytes());
            assert_eq!(reply.status, 200, "{}", reply.body);
            reply.body
        };
        iam("Action=CreateUser");
        iam(
            "Action=PutUserPolicy&PolicyName=all&PolicyDocument=%7B%22Version%22%3A%222012-10-17%22%2C%22\
             Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22s3%3A*%22%2C%22Resource%22\
             %3A%22*%22%7D%5D%7D",
        );
        let key = iam("Action=CreateAccessKey");
        let entry = |name: &str| {
            let rest = key.split(&format!("<{name}>")).nth(1).unwrap();
            rest.split('<').next().unwrap().to_owned()
        };
        let keys = (entry("AccessKeyId"), entry("SecretAccessKey"));
        assert_eq!(
            self.send("POST", "/moto-api/reset-auth", "s3", b"0").status,
            200
        );
        keys
    }
}

fn bucket(endpoint: &str, more: &str) -> String {
    source(
        "Bucket",
        &format!("  endpoint: {endpoint}\n  bucketName: apps\n  insecure: true\n{more}"),
    )
}

fn secret(key: &str, secret: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: keys\n  namespace: \
         flux-system\nstringData:\n  accesskey: {key}\n  secretkey: {secret}\n"
    )
}

#[test]
fn buckets_are_locked_fetched_and_built_offline() {
    let Some(s3) = S3::start() else { return };
    s3.put("/apps", "");
    // Folders that are marked, names that must be escaped, rules of the bucket.
    s3.put("/apps/deploy/", "");
    s3.put("/apps/deploy/web.yaml", &config_map("web", "one"));
    s3.put("/apps/deploy/a%20b+c%C3%BC.yaml", &config_map("odd", "odd"));
    s3.put("/apps/deploy/skipped.yaml", &config_map("skipped", "x"));
    s3.put("/apps/deploy/mine.yaml", &config_map("mine", "x"));
    s3.put("/apps/.sourceignore", "skipped.yaml\n");
    s3.put("/apps/other/large.bin", "not asked for");
    let fleet = Fleet::of(&bucket(&s3.endpoint(), "  ignore: mine.yaml\n"));
    let locked = fleet.done(&["lock"]);
    assert!(
        locked
            .stdout
            .starts_with("Bucket/flux-system/app  new: sha256:"),
        "{}",
        locked.stdout
    );
    let lockfile = fleet.lockfile();
    assert!(lockfile.contains("    bucketName: apps\n"), "{lockfile}");
    let built = fleet.done(&["build"]).stdout;
    for (name, is_there) in [
        ("web", true),
        ("odd", true),
        ("skipped", false),
        ("mine", false),
    ] {
        assert_eq!(
            built.contains(&format!("name: {name}")),
            is_there,
            "{name}: {built}"
        );
    }
    assert_eq!(
        fleet.done(&["lock"]).stdout,
        "fluxwright.lock is up to date\n"
    );
    std::fs::remove_dir_all(fleet.store()).unwrap();
    fleet.done(&["fetch"]);
    assert_eq!(fleet.done(&["build"]).stdout, built);

    // A part of the bucket, by the beginning of names.
    let part = Fleet::of(&bucket(
        &s3.endpoint(),
        "  prefix: deploy/w\n  region: eu-west-1\n",
    ));
    part.done(&["lock"]);
    let built = part.done(&["build"]).stdout;
    assert!(
        built.contains("name: web") && !built.contains("name: odd"),
        "{built}"
    );

    // What changed since is not taken for what was locked.
    s3.put("/apps/deploy/web.yaml", &config_map("web", "two"));
    std::fs::remove_dir_all(fleet.store()).unwrap();
    let run = fleet.run(&["fetch"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("store/digest"), "{}", run.stderr);
    assert!(
        run.stderr.contains("clusters/prod/source.yaml:8"),
        "{}",
        run.stderr
    );
    assert_eq!(fleet.lockfile(), lockfile);
    let updated = fleet.done(&["lock", "--update", "app"]);
    assert!(updated.stdout.contains(" → sha256:"), "{}", updated.stdout);
    assert!(fleet.done(&["build"]).stdout.contains("value: two"));

    let missing =
        Fleet::of(&bucket(&s3.endpoint(), "").replace("bucketName: apps", "bucketName: none"));
    let run = missing.run(&["lock"]);
    assert_eq!(run.code, Some(2));
    for part in [
        "source/missing",
        "`bucketName`",
        "clusters/prod/source.yaml:8",
        "Bucket/flux-system/app",
    ] {
        assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
    }
    assert!(!missing.root().join("fluxwright.lock").exists());
}

/// This server computes signatures over the query as it decodes it, so that it
/// takes none over a query with a slash; only that it refuses wrong ones is
/// shown here.
#[test]
fn keys_of_buckets_that_are_wrong() {
    let Some(s3) = S3::start() else { return };
    s3.put("/apps", "");
    s3.put("/apps/deploy/web.yaml", &config_map("web", "one"));
    let (key, word) = s3.ask_for_keys();
    let spec = bucket(&s3.endpoint(), "  secretRef: {name: keys}\n");
    let wrong = "x".repeat(40);
    for (key, word) in [(&*key, &*wrong), ("AKIAUNKNOWN", &*word)] {
        let fleet = Fleet::of(&spec);
        fleet.write("clusters/prod/secret.yaml", &secret(key, word));
        let run = fleet.run(&["lock"]);
        assert_eq!(run.code, Some(2));
        for part in [
            "source/denied",
            "`accesskey` and `secretkey`",
            "clusters/prod/source.yaml:8",
        ] {
            assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
        }
        assert!(!run.stderr.contains(word), "{}", run.stderr);
        assert!(!fleet.root().join("fluxwright.lock").exists());
    }
}

#[test]
fn a_secret_without_keys_is_told() {
    let nobody = format!("127.0.0.1:{}", free_port());
    let fleet = Fleet::of(&bucket(&nobody, "  secretRef: {name: keys}\n"));
    let text = secret("key", "word").replace("  secretkey: word\n", "");
    for text in [text.clone(), text.replace("accesskey", "other")] {
        fleet.write("clusters/prod/secret.yaml", &text);
        let run = fleet.run(&["lock"]);
        assert_eq!(run.code, Some(2));
        assert!(run.stderr.contains("source/credentials"), "{}", run.stderr);
    }
    let tokens = bucket(&nobody, "  sts: {provider: ldap, endpoint: x}\n");
    let run = Fleet::of(&tokens).run(&["lock"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("`spec.sts`"), "{}", run.stderr);
}

#[test]
fn buckets_are_asked_a_bounded_number_of_times() {
    let server = Server::start(|_| Answer::status(503));
    let endpoint = server.address.trim_start_matches("http://").to_owned();
    let fleet = Fleet::of(&bucket(&endpoint, ""));
    let run = fleet.run(&["lock"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("source/failed"), "{}", run.stderr);
    assert!(
        run.stderr.contains("clusters/prod/source.yaml:8"),
        "{}",
        run.stderr
    );
    assert_eq!(server.requests.lock().unwrap().len(), 4);

    let nobody = format!("127.0.0.1:{}", free_port());
    let run = Fleet::of(&bucket(&nobody, "")).run(&["lock"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("source/unreachable"), "{}", run.stderr);
    assert!(run.stderr.contains("is `endpoint` right"), "{}", run.stderr);
}
