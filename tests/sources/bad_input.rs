//! What a server, a disk or a network can do wrong, for each kind of source:
//! every time the error names the source, its file and line and what to do, and
//! lockfile and store are as they were.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::charts::{archive_of, fleet as chart_fleet, index};
use super::fleet::{Fleet, Repository, config_map, source};
use super::http::{Answer, Request, Server, git};
use super::program;
use super::registry::{FLUX, Registry, layer};
use super::tls::Authority;
use crate::program::Run;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Git,
    Chart,
    Oci,
}

/// Whether a chart is asked for, not the index of its repository.
fn is_archive(path: &str) -> bool {
    path.rsplit_once('.')
        .is_some_and(|(_, ending)| ending == "tgz")
}

const KINDS: [Kind; 3] = [Kind::Git, Kind::Chart, Kind::Oci];

type Trouble = Arc<dyn Fn(&Request) -> Option<Answer> + Send + Sync>;

/// A fleet with one source, which was locked when all was well, and the server
/// that it comes from, which may be in trouble now.
struct World {
    kind: Kind,
    fleet: Fleet,
    server: Server,
    trouble: Arc<Mutex<Option<Trouble>>>,
    /// How often something new came.
    news: Arc<AtomicU32>,
    app: Repository,
    registry: Option<Registry>,
}

const NOISE_BYTES: u32 = 200_000;

/// Text that no compression makes much smaller.
fn noise(seed: u32) -> String {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'A' + u8::try_from(state >> 27).unwrap())
    };
    (0..NOISE_BYTES).map(next).collect()
}

/// What a chart repository serves after something new came so often.
fn chart(request: &Request, news: u32) -> Answer {
    let version = &*format!("1.0.{news}");
    match request.path() {
        "/index.yaml" => Answer::ok(index(&[version])),
        path if path == format!("/charts/web-{version}.tgz") => {
            Answer::ok(archive_of("web", version, NOISE_BYTES))
        }
        _ => Answer::status(404),
    }
}

impl World {
    /// A world, locked; none where a program is missing.
    fn new(kind: Kind) -> Option<World> {
        World::over(kind, None)
    }

    fn over(kind: Kind, authority: Option<&Authority>) -> Option<World> {
        let registry = match kind {
            Kind::Oci => Some(Registry::start(program("docker-registry")?, false)),
            Kind::Git | Kind::Chart => None,
        };
        let app = Repository::new();
        let trouble: Arc<Mutex<Option<Trouble>>> = Arc::default();
        let news = Arc::new(AtomicU32::new(0));
        let handler = {
            let (trouble, news) = (trouble.clone(), news.clone());
            let backend = git(app.served());
            let forward = registry.as_ref().map(Registry::forward);
            move |request: &Request| {
                // Registries are sent a login only if they ask for one.
                let asks = kind == Kind::Oci && request.header("authorization").is_none();
                if asks && trouble.lock().unwrap().is_none() {
                    return Answer::status(401).header("www-authenticate", "Basic realm=\"x\"");
                }
                let trouble = trouble.lock().unwrap().clone();
                if let Some(answer) = trouble.and_then(|trouble| trouble(request)) {
                    return answer;
                }
                match &forward {
                    Some(forward) => forward(request),
                    None if kind == Kind::Git => backend(request),
                    None => chart(request, news.load(Ordering::SeqCst)),
                }
            }
        };
        let server = match authority {
            Some(authority) => Server::with_tls(authority.server(false), handler),
            None => Server::start(handler),
        };
        let fleet = World::fleet(kind, &server, authority);
        let world = World {
            kind,
            fleet,
            server,
            trouble,
            news,
            app,
            registry,
        };
        if let Some(registry) = &world.registry {
            let content = layer(&[("deploy/web.yaml", &config_map("web", "one"))]);
            registry.push("app", "1.0.0", &[(FLUX, &content)]);
        }
        world.fleet.done(&["lock"]);
        Some(world)
    }

    fn fleet(kind: Kind, server: &Server, authority: Option<&Authority>) -> Fleet {
        let (_, host) = server.address.split_once("://").unwrap();
        let mut spec = match kind {
            Kind::Git => format!(
                "  url: {}/app.git\n  ref: {{tag: v1.0.0}}\n",
                server.address
            ),
            Kind::Chart => format!("  url: {}\n", server.address),
            Kind::Oci => format!("  url: oci://{host}/app\n  ref: {{tag: 1.0.0}}\n"),
        };
        if kind == Kind::Oci && authority.is_none() {
            spec.push_str("  insecure: true\n");
        }
        spec.push_str("  secretRef: {name: login}\n");
        if authority.is_some() && kind != Kind::Git {
            spec.push_str("  certSecretRef: {name: tls}\n");
        }
        let fleet = match kind {
            Kind::Git => Fleet::of(&source("GitRepository", &spec)),
            Kind::Oci => Fleet::of(&source("OCIRepository", &spec)),
            Kind::Chart => chart_fleet(&spec, "1.x"),
        };
        World::secrets(kind, &fleet, host, authority);
        fleet
    }

    /// A login, and who vouches for the server.
    fn secrets(kind: Kind, fleet: &Fleet, host: &str, authority: Option<&Authority>) {
        let login = match kind {
            Kind::Git | Kind::Chart => "  username: alice\n  password: hunter2\n".to_owned(),
            Kind::Oci => format!(
                "  .dockerconfigjson: '{{\"auths\": {{\"{host}\": {{\"auth\": \"{}\"}}}}}}'\n",
                STANDARD.encode("alice:hunter2")
            ),
        };
        let mut text = format!(
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: login\n  namespace: \
             flux-system\nstringData:\n{login}"
        );
        if let Some(authority) = authority {
            let tls = authority.secret("tls", &[("ca.crt", "ca.crt")]);
            match (kind, tls.split_once("stringData:\n")) {
                // For Git there is one Secret for all.
                (Kind::Git, Some((_, entries))) => text.push_str(entries),
                _ => text.push_str(&format!("---\n{tls}")),
            }
        }
        fleet.write("clusters/prod/secret.yaml", &text);
    }

    /// The source gets something new, which the next `lock --update` would take.
    fn renew(&self) {
        let news = self.news.fetch_add(1, Ordering::SeqCst) + 1;
        let text = config_map("web", &format!("new{news}"));
        self.app.write("deploy/noise.txt", &noise(news));
        self.app.commit("deploy/web.yaml", &text);
        self.app.git(&["tag", "-f", "-a", "v1.0.0", "-m", "moved"]);
        self.app.publish();
        if let Some(registry) = &self.registry {
            let noise = noise(news);
            let content = layer(&[("deploy/web.yaml", &text), ("deploy/noise.txt", &noise)]);
            registry.push("app", "1.0.0", &[(FLUX, &content)]);
        }
    }

    /// From now on, the server may answer so.
    fn troubled(&self, trouble: impl Fn(&Request) -> Option<Answer> + Send + Sync + 'static) {
        *self.trouble.lock().unwrap() = Some(Arc::new(trouble));
    }

    /// Whether a request is for the content itself.
    fn is_for_content(kind: Kind, request: &Request) -> bool {
        match kind {
            Kind::Git => {
                let is_fetch = request.body.windows(5).any(|part| part == b"fetch");
                request.path().ends_with("/git-upload-pack") && is_fetch
            }
            Kind::Chart => is_archive(request.path()),
            Kind::Oci => request.path().contains("/blobs/"),
        }
    }

    /// The source, its file and its line.
    fn place(&self) -> [&'static str; 2] {
        match self.kind {
            Kind::Git => [
                "GitRepository/flux-system/app",
                "clusters/prod/source.yaml:8",
            ],
            Kind::Oci => [
                "OCIRepository/flux-system/app",
                "clusters/prod/source.yaml:8",
            ],
            Kind::Chart => [
                "HelmRepository/flux-system/app",
                "clusters/prod/release.yaml:10",
            ],
        }
    }

    /// A command cannot succeed, says all of that, and changes nothing.
    #[track_caller]
    fn refuses(&self, run: impl FnOnce(&Fleet) -> Run, parts: &[&str]) {
        let kind = format!("{:?}", self.kind);
        let all = [&self.place()[..], &["= help: "], parts].concat();
        self.fleet.unchanged(&kind, run, &all);
    }

    #[track_caller]
    fn refuses_update(&self, parts: &[&str]) {
        self.refuses(|fleet| fleet.run(&["lock", "--update"]), parts);
        // When it is over, it works.
        *self.trouble.lock().unwrap() = None;
        self.fleet.done(&["lock", "--update"]);
    }

    fn requests(&self) -> usize {
        self.server.requests.lock().unwrap().len()
    }
}

fn worlds() -> impl Iterator<Item = World> {
    KINDS.into_iter().filter_map(World::new)
}

#[test]
fn a_refused_login() {
    for status in [401, 403] {
        for world in worlds() {
            world.renew();
            world.troubled(move |_| Some(Answer::status(status)));
            let before = world.requests();
            world.refuses(
                |fleet| fleet.run(&["lock", "--update"]),
                &["source/denied", "are the credentials right"],
            );
            assert!(world.requests() - before <= 2, "it is not asked again");
            world.refuses_update(&["source/denied"]);
        }
    }
}

#[test]
fn an_answer_that_nothing_is_there() {
    for world in worlds() {
        world.renew();
        world.troubled(|_| Some(Answer::status(404)));
        world.refuses_update(&["source/missing", "is the address right?"]);
        // The content alone is gone.
        world.renew();
        let kind = world.kind;
        world.troubled(move |request| {
            World::is_for_content(kind, request).then(|| Answer::status(404))
        });
        world.refuses(
            |fleet| {
                std::fs::remove_dir_all(fleet.store()).unwrap();
                fleet.run(&["fetch"])
            },
            &[match kind {
                Kind::Chart => "ref/missing",
                Kind::Git | Kind::Oci => "source/missing",
            }],
        );
    }
}

#[test]
fn a_server_that_takes_no_more_requests() {
    for world in worlds() {
        world.renew();
        world.troubled(|_| Some(Answer::status(429).header("retry-after", "0")));
        let before = world.requests();
        world.refuses_update(&[
            "source/busy",
            "after 4 attempts",
            "log in for a higher limit",
        ]);
        // A registry is greeted before each attempt.
        let asked = world.requests() - before;
        assert!(asked < 20, "{asked} requests");
    }
}

#[test]
fn a_redirect_to_another_host_takes_no_login_along() {
    for world in worlds() {
        world.renew();
        let elsewhere = Server::start(|_| Answer::status(401));
        let (kind, address) = (world.kind, elsewhere.address.clone());
        world.troubled(move |request| {
            // With git, the first request alone may be redirected.
            let is_it = match kind {
                Kind::Git => request.path().ends_with("/info/refs"),
                _ => World::is_for_content(kind, request),
            };
            let target = format!("{address}{}", request.target);
            is_it.then(|| Answer::status(302).header("location", &target))
        });
        world.refuses_update(&["source/denied"]);
        let requests = elsewhere.requests.lock().unwrap();
        assert!(!requests.is_empty(), "{kind:?}: it was not followed");
        for request in requests.iter() {
            assert_eq!(request.header("authorization"), None, "{kind:?}");
        }
        // It would be seen.
        let requests = world.server.requests.lock().unwrap();
        assert!(requests.iter().any(|r| r.header("authorization").is_some()));
    }
}

#[test]
fn content_that_breaks_off() {
    for world in worlds() {
        world.renew();
        let kind = world.kind;
        let news = world.news.clone();
        let backend = git(world.app.served());
        let forward = world.registry.as_ref().map(Registry::forward);
        world.troubled(move |request| {
            let whole = match (&forward, kind) {
                (Some(forward), _) => forward(request),
                (None, Kind::Git) => backend(request),
                (None, _) => chart(request, news.load(Ordering::SeqCst)),
            };
            let half = whole.body.len() / 2;
            World::is_for_content(kind, request).then(|| whole.cut_after(half))
        });
        world.refuses_update(&["source/broken", "after 4 attempts", "try again"]);
    }
}

#[test]
fn content_that_is_something_else() {
    for world in worlds() {
        world.renew();
        world.troubled(|_| Some(Answer::ok("<html>hello</html>")));
        let rule = match world.kind {
            Kind::Git | Kind::Chart => "source/failed",
            Kind::Oci => "oci/invalid",
        };
        world.refuses_update(&[rule]);
        let kind = world.kind;
        world.troubled(move |request| {
            World::is_for_content(kind, request).then(|| Answer::ok("<html>hello</html>"))
        });
        std::fs::remove_dir_all(world.fleet.store()).unwrap();
        let rule = match world.kind {
            Kind::Git => "source/",
            Kind::Chart => "store/digest",
            Kind::Oci => "source/broken",
        };
        world.refuses(|fleet| fleet.run(&["fetch"]), &[rule]);
    }
}

#[test]
fn a_digest_that_is_not_the_locked_one() {
    for world in worlds() {
        std::fs::remove_dir_all(world.fleet.store()).unwrap();
        let (rule, help) = match world.kind {
            Kind::Git => {
                // A commit has one content: another one takes its place.
                world.renew();
                ("store/digest", "find out why")
            }
            Kind::Chart => {
                world.troubled(|request| {
                    let is_it = is_archive(request.path());
                    is_it.then(|| Answer::ok(archive_of("web", "1.0.0", 10)))
                });
                ("store/digest", "find out why")
            }
            Kind::Oci => {
                let registry = world.registry.as_ref().unwrap();
                let other = registry.push("app", "2.0.0", &[(FLUX, &layer(&[("x", "y")]))]);
                let other = registry.get("app", &format!("manifests/{other}"));
                world.troubled(move |request| {
                    let is_it = request.path().contains("/manifests/");
                    let manifest = Answer::ok(other.clone());
                    let kind = super::registry::OCI_MANIFEST;
                    is_it.then(|| manifest.header("content-type", kind))
                });
                ("source/broken", "find out why")
            }
        };
        world.refuses(|fleet| fleet.run(&["fetch"]), &[rule, "digest", help]);
    }
}

#[test]
fn a_certificate_that_nobody_vouches_for() {
    let (Some(authority), Some(other)) = (Authority::new(), Authority::new()) else {
        return;
    };
    for kind in KINDS {
        let Some(world) = World::over(kind, Some(&authority)) else {
            continue;
        };
        world.renew();
        let (_, host) = world.server.address.split_once("://").unwrap();
        World::secrets(kind, &world.fleet, host, Some(&other));
        world.refuses(
            |fleet| fleet.run(&["lock", "--update"]),
            &["source/certificate", "is not trusted", "`ca.crt`"],
        );
        World::secrets(kind, &world.fleet, host, Some(&authority));
        world.fleet.done(&["lock", "--update"]);
    }
}

#[test]
fn a_version_that_is_not_there() {
    for world in worlds() {
        let (file, old, cases) = match world.kind {
            Kind::Git => (
                "clusters/prod/source.yaml",
                "tag: v1.0.0",
                [
                    ("tag: v9", "ref/missing"),
                    ("semver: '>9'", "source/version"),
                ],
            ),
            Kind::Oci => (
                "clusters/prod/source.yaml",
                "tag: 1.0.0",
                [
                    ("tag: none", "source/missing"),
                    ("semver: '>9'", "source/version"),
                ],
            ),
            Kind::Chart => (
                "clusters/prod/release.yaml",
                "version: '1.x'",
                [
                    ("version: 9.0.0", "source/version"),
                    ("version: '>9'", "source/version"),
                ],
            ),
        };
        let text = world.fleet.read(file);
        for (new, rule) in cases {
            world.fleet.write(file, &text.replace(old, new));
            for args in [&["lock"][..], &["lock", "--update"]] {
                world.refuses(|fleet| fleet.run(args), &[rule]);
            }
        }
    }
}

/// Runs the program by way of a shell.
fn by(shell: &str, fleet: &Fleet) -> Run {
    let output = std::process::Command::new("sh")
        .args(["-c", shell])
        .arg(env!("CARGO_BIN_EXE_fluxwright"))
        .arg(fleet.root())
        .env("FLUXWRIGHT_STORE", fleet.store())
        .env("HOME", fleet.root().join(".."))
        .output()
        .unwrap();
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn no_route_to_the_server() {
    if !super::has_namespaces() {
        return;
    }
    for world in worlds() {
        world.renew();
        world.refuses(
            |fleet| by("unshare -rn \"$0\" lock \"$1\" --update", fleet),
            &["source/unreachable", "and the network there?"],
        );
        world.fleet.done(&["lock", "--update"]);
    }
}

#[test]
fn a_disk_that_is_full() {
    for world in worlds() {
        world.renew();
        world.refuses(
            |fleet| {
                by(
                    "trap '' XFSZ; ulimit -f 8; exec \"$0\" lock \"$1\" --update",
                    fleet,
                )
            },
            &["make room"],
        );
        world.fleet.done(&["lock", "--update"]);
    }
}

#[test]
fn two_runs_at_once() {
    for world in worlds() {
        world.renew();
        let (fleet, kind) = (&world.fleet, world.kind);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| fleet.done(&["lock", "--update"]));
            }
        });
        fleet.done(&["lock", "--check"]);
        let lockfile = fleet.lockfile();
        std::fs::remove_dir_all(fleet.store()).unwrap();
        std::thread::scope(|scope| {
            for command in ["fetch", "lock", "fetch", "lock"] {
                scope.spawn(move || fleet.done(&[command]));
            }
        });
        assert_eq!(fleet.lockfile(), lockfile, "{kind:?}");
        let store = fluxwright::store::Store::new(fleet.store());
        assert!(store.verify().unwrap().is_empty(), "{kind:?}");
    }
}

#[test]
fn a_run_that_is_interrupted() {
    for world in worlds() {
        let (fleet, kind) = (&world.fleet, world.kind);
        let store = fluxwright::store::Store::new(fleet.store());
        let start = std::time::Instant::now();
        world.renew();
        fleet.done(&["lock", "--update"]);
        let whole = u64::try_from(start.elapsed().as_micros()).unwrap();
        for i in 0..20u64 {
            world.renew();
            let before = fleet.lockfile();
            let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_fluxwright"))
                .args(["lock", "--update"])
                .arg(fleet.root())
                .env_clear()
                .env("PATH", std::env::var_os("PATH").unwrap_or_default())
                .env("FLUXWRIGHT_STORE", fleet.store())
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(std::time::Duration::from_micros(i * whole / 20));
            let _ = child.kill();
            child.wait().unwrap();
            assert!(store.verify().unwrap().is_empty(), "{kind:?}, run {i}");
            let after = fleet.lockfile();
            let read =
                fluxwright::lock::Lockfile::parse(&after, fluxwright::diag::FileId::default());
            // The old one or the new one, never a part.
            assert_eq!(read.unwrap().digests().count(), 1, "{kind:?}, run {i}");
            assert!(after == before || fleet.run(&["lock", "--check"]).code == Some(0));
        }
        fleet.done(&["lock"]);
        fleet.done(&["build"]);
    }
}
