//! Bundles to a registry and back: Debian's `docker-registry`, looked at by
//! `skopeo` and as source-controller does, and servers that fail.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use fluxwright::artifact::Digest;
use serde_json::Value;

use super::cosign::Cosign;
use super::http::{Answer, Request, Server};
use super::program;
use super::registry::Registry;
use crate::diff::Fixture;
use crate::program::{Run, run_with};

/// A bundle of a small repository, signed with the test key.
pub(super) struct Made {
    pub(super) fixture: Fixture,
    digest: String,
}

impl Made {
    pub(super) fn new() -> Made {
        let fixture = Fixture::new();
        let mut made = Made {
            fixture,
            digest: String::new(),
        };
        let run = made.run(&[
            "create",
            made.root(),
            "--output",
            &made.at("bundle"),
            "--tag",
            "v1.2.0",
            "--source",
            "https://git.example/fleet",
            "--key",
            &key("p256.key"),
        ]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        run.stdout.trim().clone_into(&mut made.digest);
        made
    }

    /// A path beside what is built.
    pub(super) fn at(&self, name: &str) -> String {
        self.fixture
            .path()
            .join(".work")
            .join(name)
            .display()
            .to_string()
    }

    /// The repository.
    pub(super) fn root(&self) -> &str {
        self.fixture.path().to_str().unwrap()
    }

    fn run(&self, args: &[&str]) -> Run {
        self.run_with(args, &[])
    }

    pub(super) fn run_with(&self, args: &[&str], environment: &[(&str, &str)]) -> Run {
        let home = self.at("home");
        std::fs::create_dir_all(&home).unwrap();
        let mut all = vec![("HOME", home.as_str())];
        all.extend(environment);
        let arguments: Vec<&str> = ["bundle"].iter().chain(args).copied().collect();
        run_with(&arguments, "", &all)
    }

    fn push(&self, address: &str, more: &[&str]) -> Run {
        let bundle = self.at("bundle");
        let mut args = vec!["push", &*bundle, address, "--insecure"];
        args.extend(more);
        self.run(&args)
    }
}

fn key(name: &str) -> String {
    format!("{}/testdata/bundle/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The files of a folder, with their content.
pub(super) fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(at) = open.pop() {
        for entry in std::fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_owned();
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn what_is_pushed_comes_back_the_same() {
    let Some(program) = program("docker-registry") else {
        return;
    };
    let registry = Registry::start(program, false);
    let made = Made::new();
    let address = format!("{}/fleet", registry.url());
    let without = made.run(&["push", &made.at("bundle"), &address]);
    assert_eq!(without.code, Some(2));
    for text in ["does not speak TLS", "`--insecure`"] {
        assert!(without.stderr.contains(text), "{}", without.stderr);
    }
    let run = made.push(&address, &["--tag", "v1.2.0", "--tag", "v1.2.0"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let digest = &made.digest;
    let hex = digest.replace("sha256:", "");
    assert_eq!(
        run.stdout,
        format!(
            "{address}@{digest}\ntag sha256-{hex}.att: new\ntag sha256-{hex}.sig: new\ntag v1.2.0: \
             new\nblobs: 10 sent, 0 there already\n"
        )
    );
    // Again, nothing is sent; to another tag, neither.
    let again = made.push(&address, &["--tag", "v1.2.0", "--tag", "production"]);
    assert_eq!(
        again.stdout,
        format!(
            "{address}@{digest}\ntag sha256-{hex}.att: there already\ntag sha256-{hex}.sig: there \
             already\ntag v1.2.0: there already\ntag production: new\nblobs: 0 sent, 10 there \
             already\n"
        )
    );
    for reference in [
        ":v1.2.0".to_owned(),
        ":production".to_owned(),
        format!("@{digest}"),
    ] {
        let out = made.at("pulled");
        let from = format!("{address}{reference}");
        let run = made.run(&["pull", &from, "--output", &out, "--insecure"]);
        assert_eq!(
            (run.code, run.stdout),
            (Some(0), format!("{digest}\n")),
            "{}",
            run.stderr
        );
        assert_eq!(files(Path::new(&out)), files(Path::new(&made.at("bundle"))));
        let run = made.run(&["verify", &out, "--key", &key("p256.pub"), "--attested"]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
    }
    for (from, rule) in [(":none", "source/missing"), (":a b", "source/address")] {
        let out = made.at("nothing");
        let from = format!("{address}{from}");
        let run = made.run(&["pull", &from, "--output", &out, "--insecure"]);
        assert_eq!(run.code, Some(2));
        assert!(run.stderr.contains(rule), "{}", run.stderr);
        assert!(!Path::new(&out).exists());
    }
}

#[test]
fn flux_reads_it_as_what_flux_pushed() {
    let Some(program) = program("docker-registry") else {
        return;
    };
    let registry = Registry::start(program, false);
    let made = Made::new();
    let run = made.push(&format!("{}/fleet", registry.url()), &[]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);

    // As source-controller: the manifest by its tag, the annotations as
    // metadata, the first layer, unpacked.
    let manifest = registry.get("fleet", "manifests/v1.2.0");
    assert_eq!(Digest::of(&manifest).to_string(), made.digest);
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(
        manifest["config"]["mediaType"],
        "application/vnd.cncf.flux.config.v1+json"
    );
    let layer = &manifest["layers"][0];
    assert_eq!(
        layer["mediaType"],
        "application/vnd.cncf.flux.content.v1.tar+gzip"
    );
    let head = made.fixture.head();
    for (name, value) in [
        ("created", "2023-11-14T22:13:20Z"),
        ("source", "https://git.example/fleet"),
        ("revision", &format!("sha1:{head}")),
        ("version", "v1.2.0"),
    ] {
        let key = format!("org.opencontainers.image.{name}");
        assert_eq!(manifest["annotations"][&key], value, "{name}");
    }
    let config = manifest["config"]["digest"].as_str().unwrap();
    let config = registry.get("fleet", &format!("blobs/{config}"));
    let config: Value = serde_json::from_slice(&config).unwrap();
    let content = layer["digest"].as_str().unwrap();
    let content = registry.get("fleet", &format!("blobs/{content}"));
    assert_eq!(layer["size"], content.len());
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*content), &mut plain).unwrap();
    assert_eq!(
        config["rootfs"]["diff_ids"][0],
        Digest::of(&plain).to_string()
    );
    let folder = tempfile::tempdir().unwrap();
    tar::Archive::new(&*plain).unpack(folder.path()).unwrap();
    let applied = folder
        .path()
        .join("kustomization/flux-system/flux-system.yaml");
    let applied = std::fs::read_to_string(applied).unwrap();
    assert!(applied.contains("example.com/web:1.0"), "{applied}");

    // What an OCIRepository makes of it: its Kustomization renders the same.
    let fleet = super::fleet::Fleet::of(&super::fleet::source(
        "OCIRepository",
        &format!(
            "  url: {}/fleet\n  insecure: true\n  ref: {{tag: v1.2.0}}\n",
            registry.url()
        ),
    ));
    let apps = fleet.read("clusters/prod/apps.yaml");
    fleet.write(
        "clusters/prod/apps.yaml",
        &apps.replace("./deploy", "./kustomization/flux-system"),
    );
    // What is in it goes on from a GitRepository, which is nowhere here.
    let run = fleet.run(&["lock"]);
    assert!(run.stdout.contains(&made.digest), "{}", run.stdout);
    let built = fleet.run(&["build", "--only", "flux-system/apps"]).stdout;
    assert!(built.contains("image: example.com/web:1.0"), "{built}");
}

#[test]
fn skopeo_takes_the_layout_and_the_registry() {
    let (Some(server), Some(skopeo)) = (program("docker-registry"), program("skopeo")) else {
        return;
    };
    let registry = Registry::start(server, false);
    let made = Made::new();
    let skopeo = |args: &[&str]| {
        let output = Command::new(&skopeo)
            .args(args)
            .env("HOME", made.at("home"))
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    };
    let layout = format!("oci:{}:v1.2.0", made.at("bundle"));
    let raw = skopeo(&["inspect", "--raw", &layout]);
    assert_eq!(Digest::of(raw.as_bytes()).to_string(), made.digest);

    let run = made.push(&format!("{}/fleet", registry.url()), &[]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let address = registry.url().replace("oci://", "docker://");
    let copy = made.at("copy");
    skopeo(&[
        "--insecure-policy",
        "copy",
        "--src-tls-verify=false",
        &format!("{address}/fleet:v1.2.0"),
        &format!("oci:{copy}:v1.2.0"),
    ]);
    // As a layout it is in skopeo's words, which is told.
    let run = made.run(&["inspect", &copy]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(
        run.stderr.contains("another program wrote"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("bundle pull"), "{}", run.stderr);
    for (path, content) in files(&Path::new(&copy).join("blobs")) {
        let ours = Path::new(&made.at("bundle")).join("blobs").join(&path);
        assert_eq!(std::fs::read(ours).unwrap(), content, "{}", path.display());
    }
    // And the other way round.
    skopeo(&[
        "--insecure-policy",
        "copy",
        "--dest-tls-verify=false",
        &layout,
        &format!("{address}/copied:v1.2.0"),
    ]);
    let out = made.at("pulled");
    let from = format!("{}/copied:v1.2.0", registry.url());
    let run = made.run(&["pull", &from, "--output", &out, "--insecure"]);
    assert_eq!(
        (run.code, run.stdout),
        (Some(0), format!("{}\n", made.digest)),
        "{}",
        run.stderr
    );
}

#[test]
fn signatures_of_others_stay_and_come_along() {
    let Some(program) = program("docker-registry") else {
        return;
    };
    let registry = Registry::start(program, false);
    let made = Made::new();
    let address = format!("{}/fleet", registry.url());
    assert_eq!(made.push(&address, &[]).code, Some(0));
    // The same bundle, signed by another.
    let other = made.at("other");
    let run = made.run(&[
        "create",
        made.root(),
        "--output",
        &other,
        "--tag",
        "v1.2.0",
        "--source",
        "https://git.example/fleet",
        "--key",
        &key("ed25519.key"),
    ]);
    assert_eq!(run.stdout.trim(), made.digest);
    let run = made.run(&["push", &other, &address, "--insecure"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let out = made.at("pulled");
    let from = format!("{address}:v1.2.0");
    let run = made.run(&["pull", &from, "--output", &out, "--insecure"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    for name in ["p256.pub", "ed25519.pub"] {
        let run = made.run(&["verify", &out, "--key", &key(name), "--attested"]);
        assert_eq!(run.code, Some(0), "{name}: {}", run.stderr);
    }
}

/// cosign 3 puts its signatures beside a bundle as manifests that refer to it:
/// listed by the registry, or under a tag that stands in for the list.
#[test]
fn sigstore_bundles_of_others_come_along_and_go_on() {
    let Some(server) = program("docker-registry") else {
        return;
    };
    let mut registries = vec![Registry::start(server, false)];
    registries.extend(Registry::with_referrers());
    let made = Made::new();
    let digest = Digest::parse(&made.digest).unwrap();
    let signer = Cosign::new(9);
    let public = made.at("other.pub");
    std::fs::write(&public, signer.public()).unwrap();
    for registry in &registries {
        let address = format!("{}/fleet", registry.url());
        assert_eq!(made.push(&address, &[]).code, Some(0));
        let out = made.at("pulled");
        let pull = |from: &str| {
            let from = format!("{from}:v1.2.0");
            let run = made.run(&["pull", &from, "--output", &out, "--insecure"]);
            assert_eq!(run.code, Some(0), "{}", run.stderr);
        };
        pull(&address);
        let run = made.run(&["verify", &out, "--key", &public]);
        assert_eq!(run.code, Some(1), "{}", run.stdout);
        signer.sign_by_bundle(registry, "fleet", digest);
        pull(&address);
        // Either scheme counts, whoever else signed by the other.
        for key in [public.clone(), key("p256.pub")] {
            let run = made.run(&["verify", &out, "--key", &key]);
            assert_eq!(run.code, Some(0), "{key}: {}", run.stderr);
        }
        let run = made.run(&["inspect", &out]);
        assert!(run.stdout.contains("signatures  2"), "{}", run.stdout);
        // To the same registry nothing is sent again; to another one all is.
        let again = made.run(&["push", &out, &address, "--insecure"]);
        let told = "blobs: 0 sent, 12 there already\nsigstore bundles: 0 sent, 1 there already\n";
        assert!(again.stdout.ends_with(told), "{}", again.stdout);
        for (number, other) in registries.iter().enumerate() {
            let address = format!("{}/copy{number}", other.url());
            let first = made.run(&["push", &out, &address, "--insecure"]);
            assert!(
                first.stdout.contains("sigstore bundles: 1 sent")
                    || first.stdout.contains("tag v1.2.0: there already"),
                "{}{}",
                first.stdout,
                first.stderr
            );
            let copy = made.at("copy");
            let from = format!("{address}@{digest}");
            let run = made.run(&["pull", &from, "--output", &copy, "--insecure"]);
            assert_eq!(run.code, Some(0), "{}", run.stderr);
            assert_eq!(files(Path::new(&copy)), files(Path::new(&out)));
        }
        // A byte of it counts as any other.
        let index = std::fs::read_to_string(format!("{out}/index.json")).unwrap();
        let index: Value = serde_json::from_str(&index).unwrap();
        let last = index["manifests"].as_array().unwrap().last().unwrap();
        let name = last["digest"].as_str().unwrap().replace("sha256:", "");
        let path = format!("{out}/blobs/sha256/{name}");
        let changed = std::fs::read_to_string(&path).unwrap() + " ";
        std::fs::write(&path, changed).unwrap();
        let run = made.run(&["verify", &out, "--key", &public]);
        assert_eq!(run.code, Some(1));
        assert!(run.stderr.contains("bundle/damaged"), "{}", run.stderr);
    }
}

#[test]
fn logins_are_those_of_sources() {
    let Some(program) = program("docker-registry") else {
        return;
    };
    let registry = Registry::start(program, true);
    let made = Made::new();
    let address = format!("{}/fleet", registry.url());
    let run = made.push(&address, &[]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("source/denied"), "{}", run.stderr);
    assert!(run.stderr.contains("the right to write"), "{}", run.stderr);

    // Credentials of `.fluxwright.yaml`, by reference.
    made.fixture.write(
        ".fluxwright.yaml",
        &format!(
            "credentials:\n- address: {}\n  entries:\n    username: {{env: USER}}\n    password: \
             {{env: PASSWORD}}\n",
            registry.url()
        ),
    );
    let login = [("USER", "alice"), ("PASSWORD", "hunter2")];
    let bundle = made.at("bundle");
    let root = made.root();
    let push = ["push", &*bundle, &*address, "--insecure", "--root", root];
    let run = made.run_with(&push, &login);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    // And the user's docker configuration.
    let config = format!(
        r#"{{"auths": {{"{}": {{"auth": "YWxpY2U6aHVudGVyMg=="}}}}}}"#,
        registry.url().replace("oci://", "")
    );
    let folder = made.at("docker");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(format!("{folder}/config.json"), config).unwrap();
    let from = format!("{address}:v1.2.0");
    let out = made.at("pulled");
    let pull = ["pull", &*from, "--output", &*out, "--insecure"];
    let run = made.run_with(&pull, &[("DOCKER_CONFIG", &folder)]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(!run.stderr.contains("hunter2"));
}

/// What a registry keeps: blobs and tags.
#[derive(Default)]
pub(super) struct Kept {
    blobs: BTreeMap<String, Vec<u8>>,
    tags: BTreeMap<String, Vec<u8>>,
}

impl Kept {
    pub(super) fn is_empty(&self) -> bool {
        self.blobs.is_empty() && self.tags.is_empty()
    }
}

/// A registry of a few lines, which fails as `fails` says.
fn failing(
    kept: Arc<Mutex<Kept>>,
    fails: impl Fn(&Request) -> Option<Answer> + Send + Sync + 'static,
) -> Server {
    let answer = kept_by(kept);
    Server::start(move |request| fails(request).unwrap_or_else(|| answer(request)))
}

/// Answers as a registry does that keeps everything.
pub(super) fn kept_by(
    kept: Arc<Mutex<Kept>>,
) -> impl Fn(&Request) -> Answer + Send + Sync + 'static {
    move |request| {
        let mut kept = kept.lock().unwrap();
        let path = request.path().to_owned();
        let last = path.rsplit('/').next().unwrap().to_owned();
        match request.method.as_str() {
            "POST" => Answer::status(202).header("location", "/v2/fleet/blobs/uploads/1"),
            "PUT" if path.contains("/uploads/") => {
                let digest = request.target.split("digest=").nth(1).unwrap();
                let digest = digest.replace("%3A", ":");
                if Digest::of(&request.body).to_string() != digest {
                    return Answer::status(400);
                }
                kept.blobs.insert(digest.clone(), request.body.clone());
                Answer::status(201).header("location", &format!("/v2/fleet/blobs/{digest}"))
            }
            "PUT" => {
                kept.tags.insert(last, request.body.clone());
                Answer::status(201).header("location", &path)
            }
            _ if path == "/v2/" => Answer::ok("{}"),
            _ if path.contains("/manifests/") => {
                let by_digest = |m: &&Vec<u8>| Digest::of(m).to_string() == last;
                let found = kept.tags.get(&last).or(kept.tags.values().find(by_digest));
                match found {
                    Some(manifest) => Answer::ok(manifest.clone())
                        .header("docker-content-digest", &Digest::of(manifest).to_string())
                        .header("content-type", "application/vnd.oci.image.manifest.v1+json"),
                    None => Answer::status(404),
                }
            }
            _ => match kept.blobs.get(&last) {
                Some(blob) => Answer::ok(blob.clone()),
                None => Answer::status(404),
            },
        }
    }
}

fn address(server: &Server) -> String {
    format!("{}/fleet", server.address.replace("http://", "oci://"))
}

#[test]
fn a_push_that_breaks_off_leaves_no_tag_and_goes_on_from_there() {
    let made = Made::new();
    let kept = Arc::new(Mutex::new(Kept::default()));
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    // After four blobs the registry is gone.
    let server = failing(kept.clone(), move |request| {
        let is_upload = request.method == "PUT" && request.path().contains("/uploads/");
        let gone = counted.load(Ordering::SeqCst) >= 4;
        if is_upload {
            counted.fetch_add(1, Ordering::SeqCst);
        }
        (is_upload && gone).then(|| Answer::status(500))
    });
    let run = made.push(&address(&server), &[]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(run.stderr.contains("source/failed"), "{}", run.stderr);
    assert_eq!(kept.lock().unwrap().blobs.len(), 4);
    assert!(kept.lock().unwrap().tags.is_empty());

    let server = failing(kept.clone(), |_| None);
    let run = made.push(&address(&server), &[]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(
        run.stdout.ends_with("blobs: 6 sent, 4 there already\n"),
        "{}",
        run.stdout
    );
    // What others follow comes last.
    let requests = server.requests.lock().unwrap();
    let puts: Vec<&str> = requests
        .iter()
        .filter(|r| r.method == "PUT" && r.path().contains("/manifests/"))
        .map(super::http::Request::path)
        .collect();
    assert_eq!(puts.len(), 3);
    assert!(puts[2].ends_with("/manifests/v1.2.0"), "{puts:?}");
}

#[test]
fn who_may_not_push_is_told_so() {
    let made = Made::new();
    let kept = Arc::new(Mutex::new(Kept::default()));
    let server = failing(kept.clone(), |request| {
        (request.method == "POST").then(|| Answer::status(403))
    });
    let run = made.push(&address(&server), &[]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(run.stderr.contains("source/denied"), "{}", run.stderr);
    assert!(run.stderr.contains("the right to write"), "{}", run.stderr);
    assert!(kept.lock().unwrap().blobs.is_empty());
    // It is not asked again and again.
    let requests = server.requests.lock().unwrap();
    assert_eq!(requests.iter().filter(|r| r.method == "POST").count(), 1);
}

#[test]
fn what_does_not_fit_is_told() {
    let made = Made::new();
    for (status, help) in [
        (413, "raise its limit"),
        (404, "want the repository to be made before"),
    ] {
        let kept = Arc::new(Mutex::new(Kept::default()));
        let server = failing(kept.clone(), move |request| {
            (request.method == "POST").then(|| Answer::status(status))
        });
        let run = made.push(&address(&server), &[]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
        assert!(run.stderr.contains(help), "{}", run.stderr);
        assert!(run.stderr.contains("the blob sha256:"), "{}", run.stderr);
        assert!(kept.lock().unwrap().is_empty());
    }
}

/// How a registry falls silent.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Silence {
    /// It takes connections and says nothing.
    Always,
    /// It takes a blob, and says nothing more.
    AfterBlob,
    /// It sends a blob a byte at a time.
    Drips,
    /// It stops in the middle of a blob.
    InBlob,
}

/// A registry that falls silent without closing a connection.
fn silent(how: Silence, kept: Arc<Mutex<Kept>>) -> String {
    use std::io::{Read as _, Write as _};

    let answer = kept_by(kept);
    let upstream = Server::start(answer).address.replace("http://", "");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("oci://{}/fleet", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let upstream = upstream.clone();
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                let forever = || std::thread::sleep(std::time::Duration::from_mins(10));
                if how == Silence::Always {
                    forever();
                }
                // One request each, by a server that closes.
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if stream.read(&mut byte).unwrap_or(0) == 0 {
                        return;
                    }
                    head.push(byte[0]);
                }
                let text = String::from_utf8(head).unwrap();
                let line = text.lines().next().unwrap().to_owned();
                if how == Silence::AfterBlob && line.starts_with("PUT") {
                    forever();
                }
                let length = text.to_lowercase();
                let length = length.split("content-length: ").nth(1);
                let length: usize =
                    length.map_or(0, |l| l.lines().next().unwrap().parse().unwrap());
                let mut body = vec![0; length];
                stream.read_exact(&mut body).unwrap();
                let mut server = std::net::TcpStream::connect(&upstream).unwrap();
                let text = text.replacen("\r\n", "\r\nconnection: close\r\n", 1);
                server.write_all(text.as_bytes()).unwrap();
                server.write_all(&body).unwrap();
                let mut given = Vec::new();
                server.read_to_end(&mut given).unwrap();
                let is_blob = line.starts_with("GET") && line.contains("/blobs/");
                if is_blob && how == Silence::InBlob {
                    let _ = stream.write_all(&given[..given.len() - 1]);
                    forever();
                }
                if is_blob && how == Silence::Drips {
                    for byte in given {
                        if stream.write_all(&[byte]).is_err() {
                            return;
                        }
                        std::thread::sleep(std::time::Duration::from_millis(200));
                    }
                    return;
                }
                let _ = stream.write_all(&given);
            });
        }
    });
    address
}

/// A bundle, and a registry that it was pushed to, with what that keeps.
fn pushed() -> (Made, Arc<Mutex<Kept>>, Server) {
    let made = Made::new();
    let kept = Arc::new(Mutex::new(Kept::default()));
    let whole = failing(kept.clone(), |_| None);
    assert_eq!(made.push(&address(&whole), &[]).code, Some(0));
    (made, kept, whole)
}

#[test]
fn a_registry_that_falls_silent_is_given_up() {
    let (made, kept, _whole) = pushed();
    let begun = std::time::Instant::now();
    let given_up = |run: &Run, how: Silence| {
        let told = (run.code, run.stdout.as_str());
        assert_eq!(told, (Some(2), ""), "{how:?}: {}", run.stderr);
        assert!(
            run.stderr
                .contains("fell silent: nothing came of a request for 1 s"),
            "{how:?}: {}",
            run.stderr
        );
    };
    for how in [Silence::Always, Silence::AfterBlob] {
        let empty = Arc::new(Mutex::new(Kept::default()));
        let run = made.push(&silent(how, empty.clone()), &["--timeout", "1"]);
        given_up(&run, how);
        assert!(empty.lock().unwrap().is_empty());
    }
    for how in [Silence::Always, Silence::Drips, Silence::InBlob] {
        let out = made.at("nothing");
        let from = format!("{}:v1.2.0", silent(how, kept.clone()));
        let run = made.run(&[
            "pull",
            &from,
            "--output",
            &out,
            "--insecure",
            "--timeout",
            "1",
        ]);
        given_up(&run, how);
        assert!(!Path::new(&out).exists());
    }
    assert!(begun.elapsed() < std::time::Duration::from_mins(1));
}

#[test]
fn a_blob_that_does_not_end_is_not_taken() {
    let (made, kept, _whole) = pushed();
    let server = failing(kept, |request| {
        let is_blob = request.method == "GET" && request.path().contains("/blobs/");
        is_blob.then(|| Answer::ok(vec![b'x'; 1 << 20]))
    });
    let out = made.at("nothing");
    let from = format!("{}:v1.2.0", address(&server));
    let run = made.run(&["pull", &from, "--output", &out, "--insecure"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(run.stderr.contains("source/too-large"), "{}", run.stderr);
    assert!(run.stderr.contains("that were announced"), "{}", run.stderr);
    assert!(!Path::new(&out).exists());
}

#[test]
fn a_pull_that_breaks_off_writes_nothing_and_goes_on_from_there() {
    let (made, kept, whole) = pushed();
    let out = made.at("pulled");
    let pull = |server: &Server| {
        let from = format!("{}:v1.2.0", address(server));
        made.run(&["pull", &from, "--output", &out, "--insecure"])
    };
    // The largest blob breaks off half way, each time.
    let size = |blobs: &BTreeMap<String, Vec<u8>>| blobs.values().map(Vec::len).max().unwrap();
    let largest = size(&kept.lock().unwrap().blobs);
    let shared = kept.clone();
    let broken = failing(kept.clone(), move |request| {
        let last = request.path().rsplit('/').next().unwrap().to_owned();
        let blob = shared.lock().unwrap().blobs.get(&last).cloned()?;
        (request.method == "GET" && blob.len() == largest)
            .then(|| Answer::ok(blob.clone()).cut_after(blob.len() / 2))
    });
    let run = pull(&broken);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (Some(2), ""),
        "{}",
        run.stderr
    );
    assert!(!Path::new(&out).exists());
    let before = broken.requests.lock().unwrap().len();
    let run = pull(&whole);
    assert_eq!(
        (run.code, run.stdout),
        (Some(0), format!("{}\n", made.digest)),
        "{}",
        run.stderr
    );
    let again = whole.requests.lock().unwrap();
    let fetched = again
        .iter()
        .filter(|r| r.method == "GET" && r.path().contains("/blobs/"));
    assert!(fetched.count() < 9, "{before}");

    // A blob that is another than its digest says.
    let wrong = failing(kept.clone(), move |request| {
        (request.method == "GET" && request.path().contains("/blobs/"))
            .then(|| Answer::ok("something else"))
    });
    std::fs::remove_dir_all(made.at("home")).unwrap();
    std::fs::remove_dir_all(&out).unwrap();
    let run = pull(&wrong);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (Some(2), ""),
        "{}",
        run.stderr
    );
    assert!(!Path::new(&out).exists());
}

/// The lines of docs/release.md, from lock to cluster, as they stand there.
#[test]
fn the_release_pipeline_of_the_docs_works() {
    let Some(program) = program("docker-registry") else {
        return;
    };
    let registry = Registry::start(program, false);
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/release.md");
    let page = std::fs::read_to_string(page).unwrap();
    let part = page.split("## From lock to cluster").nth(1).unwrap();
    let script = part.split("```sh\n").nth(1).unwrap();
    let script = script.split("```").next().unwrap();
    assert!(script.lines().count() > 5, "{script}");

    let fixture = Fixture::new();
    fixture.write(
        "cluster/source.yaml",
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: \
         flux-system, namespace: flux-system}\nspec: {interval: 1m, url: 'https://git.example/fleet', \
         ref: {branch: main}}\n",
    );
    // With a source, which the job's own machine does not have yet.
    let content =
        super::registry::layer(&[("deploy/web.yaml", &super::fleet::config_map("web", "one"))]);
    registry.push("app", "1.0.0", &[(super::registry::FLUX, &content)]);
    fixture.write(
        "cluster/app.yaml",
        &format!(
            "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {{name: app, \
             namespace: flux-system}}\nspec: {{interval: 1m, url: '{}/app', insecure: true, ref: \
             {{tag: 1.0.0}}}}\n---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: \
             Kustomization\nmetadata: {{name: app, namespace: flux-system}}\nspec: {{interval: 1m, \
             path: ./deploy, prune: true, targetNamespace: default, sourceRef: {{kind: \
             OCIRepository, name: app}}}}\n",
            registry.url()
        ),
    );
    let root = fixture.path().to_str().unwrap();
    let store = tempfile::tempdir().unwrap();
    let store = store.path().to_str().unwrap();
    let run = run_with(&["lock", root, "--store", store], "", &[]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    fixture.write(".gitignore", "home\nrelease.pub\n");
    fixture.commit();
    let public = std::fs::read_to_string(key("p256.pub")).unwrap();
    fixture.write("release.pub", &public);
    let bin = Path::new(env!("CARGO_BIN_EXE_fluxwright"))
        .parent()
        .unwrap();
    // Twice: what an earlier run left is no hindrance.
    for line in script.lines().chain(script.lines()) {
        // Behind TLS nothing else is other.
        let line = if line.contains("$REGISTRY") {
            format!("{line} --insecure")
        } else {
            line.to_owned()
        };
        let output = Command::new("bash")
            .args(["-euc", &line])
            .current_dir(fixture.path())
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
            .env("HOME", fixture.path().join("home"))
            .env("REGISTRY", registry.url())
            .env(
                "RELEASE_KEY",
                std::fs::read_to_string(key("p256.key")).unwrap(),
            )
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{line}: {text}{errors}");
    }
    let v1 = registry.get("fleet", "manifests/v1.4.0");
    assert_eq!(v1, registry.get("fleet", "manifests/production"));
}
