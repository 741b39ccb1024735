//! Helm repositories over HTTP.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::fleet::{Fleet, source};
use super::http::{Answer, Request, Server};

/// The archive of a chart with one template.
pub(super) fn archive(name: &str, version: &str) -> Vec<u8> {
    archive_of(name, version, 0)
}

/// The same, with a file of so many bytes that no compression makes smaller.
pub(super) fn archive_of(name: &str, version: &str, bytes: u32) -> Vec<u8> {
    let mut state = 1u32;
    let ballast: String = (0..bytes)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'!' + u8::try_from(state >> 26).unwrap())
        })
        .collect();
    let files = [
        ("ballast.txt", ballast),
        (
            "Chart.yaml",
            format!("apiVersion: v2\nname: {name}\nversion: {version}\n"),
        ),
        ("values.yaml", "value: chart\n".to_owned()),
        (
            "templates/map.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n  labels:\n    \
             chart: {{ .Chart.Version | quote }}\ndata:\n  value: {{ .Values.value }}\n"
                .to_owned(),
        ),
    ];
    let mut tar = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append_data(&mut header, format!("{name}/{path}"), content.as_bytes())
            .unwrap();
    }
    let tar = tar.into_inner().unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&tar).unwrap();
    gzip.finish().unwrap()
}

/// An index of versions of the chart `web`.
pub(super) fn index(versions: &[&str]) -> String {
    let mut text =
        "apiVersion: v1\nentries:\n  other:\n  - version: 1.0.0\n    urls: []\n  web:\n".to_owned();
    for version in versions {
        text.push_str(&format!(
            "  - name: web\n    version: {version}\n    urls:\n    - charts/web-{version}.tgz\n"
        ));
    }
    text
}

/// Serves charts as a static repository does.
pub(super) fn serve(
    versions: &'static [&'static str],
) -> impl Fn(&Request) -> Answer + Send + Sync {
    move |request| match request.path() {
        "/index.yaml" => Answer::ok(index(versions)),
        path => {
            let version = path
                .strip_prefix("/charts/web-")
                .and_then(|rest| rest.strip_suffix(".tgz"));
            match version {
                Some(version) => Answer::ok(archive("web", version)),
                None => Answer::status(404),
            }
        }
    }
}

/// A fleet with a release of `web` from a repository.
pub(super) fn fleet(spec: &str, range: &str) -> Fleet {
    let fleet = Fleet::empty();
    fleet.write("clusters/prod/source.yaml", &source("HelmRepository", spec));
    fleet.write("clusters/prod/release.yaml", &release("web", range));
    fleet.write(
        "clusters/prod/flux-system.yaml",
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: \
         flux-system\n  namespace: flux-system\nspec:\n  interval: 1h\n  prune: true\n  path: \
         ./clusters/prod\n  sourceRef:\n    kind: GitRepository\n    name: flux-system\n",
    );
    fleet
}

pub(super) fn release(name: &str, range: &str) -> String {
    format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: {name}\n  \
         namespace: flux-system\nspec:\n  interval: 1h\n  chart:\n    spec:\n      chart: web\n      \
         version: '{range}'\n      sourceRef:\n        kind: HelmRepository\n        name: app\n"
    )
}

#[test]
fn a_range_is_locked_to_a_version() {
    let server = Server::start(serve(&["1.0.0", "1.2.0", "2.0.0", "1.3.0-rc.1"]));
    let fleet = fleet(&format!("  url: {}/\n", server.address), "1.x");
    let locked = fleet.done(&["lock"]);
    assert_eq!(
        locked.stdout,
        "HelmRepository/flux-system/app web 1.x  new: 1.2.0\n"
    );
    let lockfile = fleet.lockfile();
    let block = "  - chart: web\n    range: '1.x'\n    version: '1.2.0'\n";
    assert!(lockfile.contains(block), "{lockfile}");
    let built = fleet.done(&["build"]).stdout;
    assert!(built.contains("chart: 1.2.0"), "{built}");
    std::fs::remove_dir_all(fleet.store()).unwrap();
    fleet.done(&["fetch"]);
    assert_eq!(fleet.done(&["build"]).stdout, built);
}

#[test]
fn releases_share_one_reading_of_the_index() {
    let server = Server::start(serve(&["1.0.0", "1.2.0", "2.0.0"]));
    let fleet = fleet(&format!("  url: {}\n", server.address), "1.x");
    for (name, range) in [("a", "2.x"), ("b", "1.0.0"), ("c", "1.x")] {
        fleet.write(&format!("clusters/prod/{name}.yaml"), &release(name, range));
    }
    fleet.done(&["lock"]);
    assert_eq!(server.count("/index.yaml"), 1);
    assert_eq!(server.count("/charts/web-1.2.0.tgz"), 1);
    // Two people's updates of two charts are in lines of their own.
    assert_eq!(fleet.lockfile().matches("  - chart: web").count(), 3);
}

#[test]
fn one_chart_is_updated_and_what_does_not_render_keeps_its_pins() {
    let is_new = Arc::new(AtomicBool::new(false));
    let flag = is_new.clone();
    let server = Server::start(move |request| {
        let versions: &[&str] = if flag.load(Ordering::SeqCst) {
            &["1.0.0", "1.1.0", "2.0.0", "2.1.0"]
        } else {
            &["1.0.0", "2.0.0"]
        };
        match request.path() {
            "/index.yaml" => {
                let web = index(versions);
                let other = web.replace("  web:", "  api:").replace("web", "api");
                let other = other.split_once("  api:\n").unwrap().1;
                Answer::ok(format!("{web}  api:\n{other}"))
            }
            path => {
                let file = path.strip_prefix("/charts/").unwrap();
                let (name, rest) = file.split_once('-').unwrap();
                Answer::ok(archive(name, rest.strip_suffix(".tgz").unwrap()))
            }
        }
    });
    let fleet = fleet(&format!("  url: {}\n", server.address), "1.x");
    let second = release("second", "2.x");
    fleet.write("clusters/prod/second.yaml", &second);
    let third = release("third", "1.x").replace("chart: web", "chart: api");
    fleet.write("clusters/prod/third.yaml", &third);
    fleet.done(&["lock"]);
    is_new.store(true, Ordering::SeqCst);
    let name = "HelmRepository/flux-system/app";
    let updated = fleet.done(&["lock", "--update", "api"]).stdout;
    assert_eq!(updated, format!("{name} api 1.x  1.0.0 → 1.1.0\n"));
    // As the table shows it.
    let updated = fleet
        .done(&["lock", "--update", &format!("{name} web 2.x")])
        .stdout;
    assert_eq!(updated, format!("{name} web 2.x  2.0.0 → 2.1.0\n"));
    let unknown = fleet.run(&["lock", "--update", "apy"]);
    assert_eq!(unknown.code, Some(2));
    assert!(
        unknown.stderr.contains("did you mean `"),
        "{}",
        unknown.stderr
    );

    // A release that cannot be read for the moment loses nothing.
    let lockfile = fleet.lockfile();
    fleet.write(
        "clusters/prod/second.yaml",
        &second.replace("chart: web", "chart: [web]"),
    );
    let run = fleet.run(&["lock"]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert_eq!(fleet.lockfile(), lockfile);
    std::fs::remove_file(fleet.root().join("clusters/prod/second.yaml")).unwrap();
    fleet.done(&["lock"]);
    assert!(
        !fleet.lockfile().contains("range: '2.x'"),
        "{}",
        fleet.lockfile()
    );
}

#[test]
fn what_a_repository_does_not_have() {
    let server = Server::start(serve(&["1.0.0"]));
    for (range, rule, message) in [
        (">3", "source/version", "no version is in the range `>3`"),
        ("x.y", "source/version", "is no range of versions"),
    ] {
        let fleet = fleet(&format!("  url: {}\n", server.address), range);
        let run = fleet.run(&["lock"]);
        assert_eq!(run.code, Some(2));
        assert!(
            run.stderr.contains(rule) && run.stderr.contains(message),
            "{}",
            run.stderr
        );
        assert!(
            run.stderr.contains("clusters/prod/release.yaml"),
            "{}",
            run.stderr
        );
    }
    let fleet = fleet(&format!("  url: {}/none\n", server.address), "1.x");
    let run = fleet.run(&["lock"]);
    assert!(run.stderr.contains("source/missing"), "{}", run.stderr);
}

#[test]
fn credentials_stay_with_their_host() {
    let cdn = Server::start(serve(&["1.0.0"]));
    let elsewhere = format!("{}/charts/web-1.0.0.tgz", cdn.address);
    let server = Server::start(move |request| {
        if request.header("authorization").is_none() {
            return Answer::status(401);
        }
        match request.path() {
            "/index.yaml" => Answer::ok(index(&["1.0.0"])),
            _ => Answer::status(302).header("location", &elsewhere),
        }
    });
    let secret = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: login\n  namespace: \
                  flux-system\nstringData:\n  username: alice\n  password: hunter2\n";
    let fleet = fleet(
        &format!("  url: {}\n  secretRef: {{name: login}}\n", server.address),
        "1.x",
    );
    fleet.write("clusters/prod/secret.yaml", secret);
    fleet.done(&["lock"]);
    let requests = cdn.requests.lock().unwrap();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].header("authorization"), None);
}

#[test]
fn a_mirror_takes_the_place_of_an_address() {
    let server = Server::start(serve(&["1.0.0"]));
    let fleet = fleet("  url: https://charts.example.invalid/stable\n", "1.x");
    fleet.write(
        ".fluxwright.yaml",
        &format!(
            "entries:\n- path: clusters/prod\nmirrors:\n  https://charts.example.invalid/stable: {}\n",
            server.address
        ),
    );
    fleet.done(&["lock"]);
    let lockfile = fleet.lockfile();
    assert!(
        lockfile.contains("url: https://charts.example.invalid/stable"),
        "{lockfile}"
    );
    assert!(!lockfile.contains("127.0.0.1"));
}

#[test]
fn many_sources_wait_for_their_servers_at_the_same_time() {
    let latency = Duration::from_millis(20);
    let server = Server::with_latency(latency, |request| match request.path().rsplit('/').next() {
        Some("index.yaml") => Answer::ok(index(&["1.0.0"])),
        _ => Answer::ok(archive("web", "1.0.0")),
    });
    let fleet = fleet(&format!("  url: {}/app\n", server.address), "1.x");
    for i in 0..99 {
        let spec = format!("  url: {}/app{i}\n", server.address);
        let source =
            source("HelmRepository", &spec).replace("name: app\n", &format!("name: app{i}\n"));
        let release =
            release(&format!("web{i}"), "1.x").replace("name: app\n", &format!("name: app{i}\n"));
        fleet.write(
            &format!("clusters/prod/app{i}.yaml"),
            &format!("{source}---\n{release}"),
        );
    }
    fleet.done(&["lock"]);
    wait_together(&server, 200);
}

/// How long it takes is for `benches/locking.py` to say; here, that several
/// requests wait at the same time.
#[track_caller]
fn wait_together(server: &Server, count: usize) {
    assert_eq!(server.requests.lock().unwrap().len(), count);
    let busiest = server.busiest.load(Ordering::SeqCst);
    assert!(busiest >= 10, "{busiest} at the same time");
}

#[test]
fn many_charts_of_one_repository_are_fetched_at_the_same_time() {
    let latency = Duration::from_millis(50);
    let server = Server::with_latency(latency, serve(MANY));
    let fleet = fleet(&format!("  url: {}\n", server.address), "1.0.0");
    for (i, version) in MANY.iter().enumerate() {
        let release = release(&format!("web{i}"), version);
        fleet.write(&format!("clusters/prod/web{i}.yaml"), &release);
    }
    fleet.done(&["lock"]);
    wait_together(&server, 41);
}

const MANY: &[&str] = &[
    "1.0.0", "1.0.1", "1.0.2", "1.0.3", "1.0.4", "1.0.5", "1.0.6", "1.0.7", "1.0.8", "1.0.9",
    "1.1.0", "1.1.1", "1.1.2", "1.1.3", "1.1.4", "1.1.5", "1.1.6", "1.1.7", "1.1.8", "1.1.9",
    "1.2.0", "1.2.1", "1.2.2", "1.2.3", "1.2.4", "1.2.5", "1.2.6", "1.2.7", "1.2.8", "1.2.9",
    "1.3.0", "1.3.1", "1.3.2", "1.3.3", "1.3.4", "1.3.5", "1.3.6", "1.3.7", "1.3.8", "1.3.9",
];

#[test]
fn addresses_of_repositories_may_have_a_query() {
    let archives = serve(&["1.0.0"]);
    let server = Server::start(move |request| {
        if request.target.ends_with("?token=x") {
            archives(request)
        } else {
            Answer::status(404)
        }
    });
    let queried = fleet(&format!("  url: {}?token=x\n", server.address), "1.x");
    queried.done(&["lock"]);
    let run = fleet(&format!("  url: {}/index.yaml\n", server.address), "1.x").run(&["lock"]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains("the folder which holds index.yaml"),
        "{}",
        run.stderr
    );
    let run = fleet("  url: oci://127.0.0.1:1/charts\n", "1.x").run(&["lock"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("`spec.type: oci`"), "{}", run.stderr);
}

#[test]
fn mirrors_get_logins_of_their_own() {
    // alice:hunter2
    let asks = |request: &Request| match request.header("authorization") {
        Some("Basic YWxpY2U6aHVudGVyMg==") => None,
        _ => Some(Answer::status(401)),
    };
    let archives = serve(&["1.0.0"]);
    let server = Server::start(move |request| asks(request).unwrap_or_else(|| archives(request)));
    let mirrored = fleet(
        "  url: https://charts.example.invalid/stable\n  secretRef: {name: login}\n",
        "1.x",
    );
    let login = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: login\n  namespace: \
                 flux-system\nstringData:\n  username: bob\n  password: hunter3\n";
    mirrored.write("clusters/prod/secret.yaml", login);
    let configured = |more: &str| {
        format!(
            "entries:\n- path: clusters/prod\nmirrors:\n  https://charts.example.invalid: {}\n{more}",
            server.address
        )
    };
    mirrored.write(".fluxwright.yaml", &configured(""));
    assert_eq!(mirrored.run(&["lock"]).code, Some(2));
    for request in server.requests.lock().unwrap().iter() {
        assert_eq!(request.header("authorization"), None);
    }
    let more = format!(
        "credentials:\n- address: {}\n  entries:\n    username: {{env: MIRROR_USER}}\n    password: \
         {{env: MIRROR_WORD}}\n",
        server.address
    );
    mirrored.write(".fluxwright.yaml", &configured(&more));
    let environment = [("MIRROR_USER", "alice"), ("MIRROR_WORD", "hunter2")];
    let run = mirrored.run_with(&["lock"], &environment);
    // Below the host that is mirrored lies another folder.
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("/stable/index.yaml"), "{}", run.stderr);
    let whole = configured(&more).replace("invalid:", "invalid/stable:");
    mirrored.write(".fluxwright.yaml", &whole);
    let run = mirrored.run_with(&["lock"], &environment);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}

#[test]
fn charts_that_no_release_uses_are_locked_as_well() {
    let server = Server::start(serve(&["1.0.0", "1.1.0"]));
    let declared = fleet(&format!("  url: {}\n", server.address), "1.0.x");
    declared.write(
        "clusters/prod/chart.yaml",
        &source(
            "HelmChart",
            "  chart: web\n  version: 1.1.x\n  sourceRef: {kind: HelmRepository, name: app}\n",
        ),
    );
    let run = declared.done(&["lock"]);
    assert!(
        run.stdout.contains("web 1.1.x  new: 1.1.0"),
        "{}",
        run.stdout
    );
    declared.done(&["lock", "--check"]);
}
