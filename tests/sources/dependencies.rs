//! What charts need beyond themselves: charts that they depend on, schemas that
//! theirs refer to.

use super::charts::{archive, fleet, index, serve};
use super::fleet::{Fleet, source};
use super::http::{Answer, Server};

const OWN: &str = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: \
                   flux-system\n  namespace: flux-system\nspec:\n  interval: 1h\n  prune: true\n  path: \
                   ./clusters/prod\n  sourceRef:\n    kind: GitRepository\n    name: flux-system\n";

/// A fleet with a release of a chart in the repository, which depends on `web`.
fn depending(repository: &str, range: &str, more: &str) -> Fleet {
    let fleet = Fleet::empty();
    fleet.write("clusters/prod/flux-system.yaml", OWN);
    fleet.write(
        "clusters/prod/release.yaml",
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: app\n  namespace: \
         flux-system\nspec:\n  interval: 1h\n  chart:\n    spec:\n      chart: ./charts/app\n      \
         sourceRef:\n        kind: GitRepository\n        name: flux-system\n",
    );
    fleet.write(
        "charts/app/Chart.yaml",
        &format!(
            "apiVersion: v2\nname: app\nversion: 0.1.0\ndependencies:\n- name: web\n  version: \
             '{range}'\n  repository: {repository}\n{more}"
        ),
    );
    fleet.write("charts/app/values.yaml", "web:\n  value: of the parent\n");
    fleet
}

#[test]
fn charts_that_charts_depend_on_are_locked() {
    let server = Server::start(serve(&["1.0.0", "1.2.0", "2.0.0"]));
    let fleet = depending(&format!("{}/", server.address), "1.x", "");
    let before = fleet.run(&["build"]);
    assert_eq!(before.code, Some(2));
    assert!(
        before.stderr.contains("fluxwright lock"),
        "{}",
        before.stderr
    );
    assert!(
        before.stderr.contains("clusters/prod/release.yaml:10"),
        "{}",
        before.stderr
    );

    let locked = fleet.done(&["lock"]);
    assert_eq!(
        locked.stdout,
        format!("{} web 1.x  new: 1.2.0\n", server.address)
    );
    let lockfile = fleet.lockfile();
    let block = format!(
        "dependencies:\n\n- url: {}\n  charts:\n  - chart: web\n    range: '1.x'\n    version: \
         '1.2.0'\n    digest: sha256:",
        server.address
    );
    assert!(lockfile.contains(&block), "{lockfile}");
    let built = fleet.done(&["build"]).stdout;
    assert!(
        built.contains("chart: 1.2.0") && built.contains("value: of the parent"),
        "{built}"
    );
    fleet.done(&["lock", "--check"]);
    fleet.done(&["build", "--frozen"]);
    std::fs::remove_dir_all(fleet.store()).unwrap();
    fleet.done(&["fetch"]);
    fleet.done(&["vendor"]);
    std::fs::remove_dir_all(fleet.store()).unwrap();
    assert_eq!(fleet.done(&["build"]).stdout, built);

    // What Chart.lock says comes first, as it does for Flux.
    fleet.write(
        "charts/app/Chart.lock",
        &format!(
            "dependencies:\n- name: web\n  version: 1.0.0\n  repository: {}\ndigest: x\ngenerated: y\n",
            server.address
        ),
    );
    fleet.done(&["lock"]);
    assert!(fleet.done(&["build"]).stdout.contains("chart: 1.0.0"));
}

#[test]
fn a_repository_of_the_same_address_says_how_to_log_in() {
    let charts = serve(&["1.0.0"]);
    let server = Server::start(move |request| match request.header("authorization") {
        Some("Basic YWxpY2U6aHVudGVyMg==") => charts(request),
        _ => Answer::status(401),
    });
    let fleet = depending(&server.address, "1.x", "");
    let run = fleet.run(&["lock"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("source/denied"), "{}", run.stderr);
    assert!(
        run.stderr.contains("clusters/prod/release.yaml:10"),
        "{}",
        run.stderr
    );
    let spec = format!("  url: {}/\n  secretRef: {{name: login}}\n", server.address);
    fleet.write(
        "clusters/prod/charts.yaml",
        &source("HelmRepository", &spec),
    );
    fleet.write(
        "clusters/prod/secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: login\n  namespace: \
         flux-system\nstringData:\n  username: alice\n  password: hunter2\n",
    );
    fleet.done(&["lock"]);
    assert!(
        fleet
            .done(&["build"])
            .stdout
            .contains("value: of the parent")
    );
}

#[test]
fn names_of_repositories_are_no_addresses() {
    let fleet = depending("'@stable'", "1.x", "");
    let run = fleet.run(&["lock"]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains("helm/missing-dependency"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("names of repositories"),
        "{}",
        run.stderr
    );
}

/// What `kustomize --enable-helm` makes of a folder of the fleet.
fn inflated(fleet: &Fleet, folder: &str) -> crate::program::Run {
    let folder = fleet.root().join(folder).display().to_string();
    let store = fleet.store();
    let environment = [("FLUXWRIGHT_STORE", store.to_str().unwrap())];
    let args = ["kustomize", &folder, "--enable-helm"];
    crate::program::run_with(&args, "", &environment)
}

#[test]
fn charts_of_kustomizations_are_locked_and_rendered_offline() {
    let server = Server::start(serve(&["1.0.0", "1.2.0", "2.0.0"]));
    let fleet = Fleet::empty();
    fleet.write("clusters/prod/flux-system.yaml", OWN);
    let chart = |name: &str, more: &str| {
        let address = &server.address;
        format!("helmCharts:\n- name: {name}\n  repo: {address}/\n  releaseName: own\n{more}")
    };
    fleet.write(
        "overlay/kustomization.yaml",
        &chart("web", "  version: 1.x\n  valuesInline: {value: inline}\n"),
    );
    // What lies in its chart home is not fetched; what cannot be read is not
    // the lockfile's to tell.
    fleet.write("home/kustomization.yaml", &chart("near", ""));
    fleet.write(
        "home/charts/near/Chart.yaml",
        "name: near\nversion: 0.1.0\n",
    );
    fleet.write("broken/kustomization.yaml", "helmCharts: 7\n");
    let before = inflated(&fleet, "overlay");
    assert_eq!(before.code, Some(2));
    assert!(
        before.stderr.contains("fluxwright lock"),
        "{}",
        before.stderr
    );

    let locked = fleet.done(&["lock"]);
    assert_eq!(
        locked.stdout,
        format!("{} web 1.x  new: 1.2.0\n", server.address)
    );
    fleet.done(&["lock", "--check"]);
    server.stop();
    let run = inflated(&fleet, "overlay");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stdout.contains("chart: 1.2.0"), "{}", run.stdout);
    assert!(run.stdout.contains("value: inline"), "{}", run.stdout);
    fleet.done(&["vendor"]);
    std::fs::remove_dir_all(fleet.store()).unwrap();
    assert_eq!(inflated(&fleet, "overlay").stdout, run.stdout);

    // Another range is not what is locked.
    let text = fleet.read("overlay/kustomization.yaml");
    fleet.write("overlay/kustomization.yaml", &text.replace("1.x", "2.x"));
    let run = inflated(&fleet, "overlay");
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("lock/missing"), "{}", run.stderr);
    assert!(
        run.stderr.contains("overlay/kustomization.yaml:2"),
        "{}",
        run.stderr
    );
    let check = fleet.run(&["lock", "--check"]);
    assert_eq!(check.code, Some(1), "{}", check.stderr);
}

/// The archive of `web` with a schema.
fn with_schema(schema: &str) -> Vec<u8> {
    use std::io::Write as _;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(Vec::new());
    let plain = archive("web", "1.0.0");
    let mut old = tar::Archive::new(flate2::read::GzDecoder::new(plain.as_slice()));
    for entry in old.entries().unwrap() {
        let entry = entry.unwrap();
        tar.append(&entry.header().clone(), entry).unwrap();
    }
    let mut header = tar::Header::new_gnu();
    header.set_size(schema.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    tar.append_data(&mut header, "web/values.schema.json", schema.as_bytes())
        .unwrap();
    gzip.write_all(&tar.into_inner().unwrap()).unwrap();
    gzip.finish().unwrap()
}

#[test]
fn schemas_that_a_schema_refers_to_are_locked() {
    let server = Server::start(|request| {
        let address = format!("http://{}", request.header("host").unwrap());
        match request.path() {
            "/index.yaml" => Answer::ok(index(&["1.0.0"])),
            "/charts/web-1.0.0.tgz" => Answer::ok(with_schema(&format!(
                r#"{{"properties": {{"value": {{"$ref": "{address}/schemas/value.json#/$defs/word"}}}}}}"#
            ))),
            "/schemas/value.json" => Answer::ok(r#"{"$defs": {"word": {"$ref": "more.json"}}}"#),
            "/schemas/more.json" => Answer::ok(r#"{"type": "string", "maxLength": 8}"#),
            _ => Answer::status(404),
        }
    });
    let fleet = fleet(&format!("  url: {}\n", server.address), "1.x");
    fleet.done(&["lock"]);
    let lockfile = fleet.lockfile();
    for file in ["value.json", "more.json"] {
        let block = format!("- url: {}/schemas/{file}\n  digest: ", server.address);
        assert!(lockfile.contains(&block), "{lockfile}");
    }
    let count = server.requests.lock().unwrap().len();
    let built = fleet.done(&["build"]);
    assert!(
        built.stdout.contains("value: chart") && !built.stderr.contains("helm/schema"),
        "{}",
        built.stderr
    );
    assert_eq!(server.requests.lock().unwrap().len(), count);

    // A comparison holds each side to what its own lockfile pins.
    let store = fluxwright::store::Store::new(fleet.store());
    let strict = store.put(br#"{"type": "string", "maxLength": 3}"#).unwrap();
    let lax = store.put(br#"{"type": "string", "maxLength": 8}"#).unwrap();
    let lockfile = fleet.lockfile();
    assert!(lockfile.contains(&lax.to_string()), "{lockfile}");
    let old = lockfile.replace(&lax.to_string(), &strict.to_string());
    fleet.write("../old.lock", &old);
    let old = fleet.root().join("../old.lock").display().to_string();
    let run = fleet.run(&["diff", "--base-lock", &old]);
    assert!(
        run.stdout.contains("maxLength"),
        "{}{}",
        run.stdout,
        run.stderr
    );
    fleet.write("../old.lock", &lockfile);
    let run = fleet.run(&["diff", "--base-lock", &old]);
    assert!(!run.stdout.contains("maxLength"), "{}", run.stdout);

    // Values are held to it.
    let release = fleet.read("clusters/prod/release.yaml");
    let release = format!("{release}  values:\n    value: much too long\n");
    fleet.write("clusters/prod/release.yaml", &release);
    let run = fleet.run(&["build"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("helm/schema"), "{}", run.stderr);
    assert!(run.stderr.contains("maxLength"), "{}", run.stderr);
}
