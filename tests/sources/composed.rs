//! ArtifactGenerators: artifacts of locked sources and of the repository.

use super::charts::archive;
use super::fleet::{Fleet, Repository, config_map, source};
use super::http::{Server, git};

fn generator(spec: &str) -> String {
    format!(
        "apiVersion: source.extensions.fluxcd.io/v1beta1\nkind: ArtifactGenerator\nmetadata:\n  name: \
         mix\n  namespace: flux-system\nspec:\n{spec}"
    )
}

fn kustomization(name: &str, artifact: &str) -> String {
    format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: {name}\n  \
         namespace: flux-system\nspec:\n  interval: 1h\n  prune: true\n  path: ./\n  sourceRef:\n    \
         kind: ExternalArtifact\n    name: {artifact}\n"
    )
}

const OWN: &str = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: \
                   flux-system\n  namespace: flux-system\nspec:\n  interval: 1h\n  prune: true\n  path: \
                   ./clusters/prod\n  sourceRef:\n    kind: GitRepository\n    name: flux-system\n";

fn fleet(server: &Server) -> Fleet {
    let fleet = Fleet::empty();
    fleet.write("clusters/prod/flux-system.yaml", OWN);
    fleet.write(
        "clusters/prod/source.yaml",
        &source(
            "GitRepository",
            &format!(
                "  url: {}/app.git\n  ref: {{branch: main}}\n",
                server.address
            ),
        ),
    );
    fleet.write("overlay/extra.yaml", &config_map("extra", "own"));
    fleet.write(
        "clusters/prod/generator.yaml",
        &generator(
            "  sources:\n  - {alias: app, kind: GitRepository, name: app}\n  - {alias: own, kind: \
             GitRepository, name: flux-system}\n  artifacts:\n  - name: mixed\n    copy:\n    - {from: \
             '@app/deploy/**', to: '@artifact/'}\n    - {from: '@own/overlay/extra.yaml', to: \
             '@artifact/more/'}\n",
        ),
    );
    fleet.write("clusters/prod/mixed.yaml", &kustomization("mixed", "mixed"));
    fleet
}

#[test]
fn artifacts_are_composed_offline_of_what_is_locked() {
    let app = Repository::new();
    let server = Server::start(git(app.served()));
    let fleet = fleet(&server);
    fleet.done(&["lock"]);
    let built = fleet.done(&["build"]).stdout;
    assert!(
        built.contains("value: one") && built.contains("value: own"),
        "{built}"
    );
    let count = server.requests.lock().unwrap().len();
    fleet.done(&["lock", "--check"]);
    fleet.done(&["build", "--frozen"]);
    assert_eq!(server.requests.lock().unwrap().len(), count);

    // The index says what it was made of.
    let out = fleet.root().join("../out");
    fleet.done(&["build", "--output-dir", out.to_str().unwrap()]);
    let index = std::fs::read_to_string(out.join("index.json")).unwrap();
    assert!(index.contains("\"revision\": \"latest@sha256:"), "{index}");
}

#[test]
fn folders_of_the_repository_become_artifacts_without_a_lockfile() {
    let fleet = Fleet::empty();
    fleet.write("clusters/prod/flux-system.yaml", OWN);
    fleet.write("apps/Shop/map.yaml", &config_map("shop", "shop"));
    fleet.write("apps/blog/map.yaml", &config_map("blog", "blog"));
    fleet.write(
        "clusters/prod/generator.yaml",
        &generator(
            "  sources:\n  - {alias: own, kind: GitRepository, name: flux-system}\n  pathPattern: \
             '@own/apps/{app}'\n  artifacts:\n  - name: app-{app}\n    copy:\n    - {from: \
             '@own/apps/{app}/**', to: '@artifact/'}\n",
        ),
    );
    fleet.write(
        "clusters/prod/shop.yaml",
        &kustomization("shop", "app-shop"),
    );
    let built = fleet.done(&["build"]).stdout;
    assert!(
        built.contains("value: shop") && !built.contains("value: blog"),
        "{built}"
    );

    fleet.write(
        "clusters/prod/none.yaml",
        &kustomization("none", "app-none"),
    );
    let run = fleet.run(&["build"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("source/unavailable"), "{}", run.stderr);
    assert!(
        run.stderr.contains("no ArtifactGenerator makes"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("clusters/prod/none.yaml"),
        "{}",
        run.stderr
    );

    fleet.write("apps/shop/map.yaml", &config_map("again", "x"));
    let run = fleet.run(&["build"]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains("both lead to `app-shop`"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("clusters/prod/generator.yaml:9"),
        "{}",
        run.stderr
    );
}

#[test]
fn charts_are_composed_with_other_values() {
    let app = Repository::new();
    app.write("values/prod.yaml", "value: merged\n");
    let work = app.work().join("charts");
    std::fs::create_dir_all(&work).unwrap();
    std::fs::write(work.join("web-1.0.0.tgz"), archive("web", "1.0.0")).unwrap();
    app.commit("readme", "x");
    app.publish();
    let server = Server::start(git(app.served()));
    let fleet = Fleet::empty();
    fleet.write("clusters/prod/flux-system.yaml", OWN);
    let spec = format!(
        "  url: {}/app.git\n  ref: {{branch: main}}\n",
        server.address
    );
    fleet.write("clusters/prod/source.yaml", &source("GitRepository", &spec));
    fleet.write(
        "clusters/prod/generator.yaml",
        &generator(
            "  sources:\n  - {alias: app, kind: GitRepository, name: app}\n  artifacts:\n  - name: \
             web\n    revision: '@app'\n    copy:\n    - {from: '@app/charts/*.tgz', to: '@artifact/', \
             strategy: Extract}\n    - {from: '@app/values/prod.yaml', to: '@artifact/web/values.yaml', \
             strategy: Merge}\n",
        ),
    );
    fleet.write(
        "clusters/prod/release.yaml",
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: web\n  namespace: \
         flux-system\nspec:\n  interval: 1h\n  chartRef: {kind: ExternalArtifact, name: web}\n",
    );
    fleet.done(&["lock"]);
    let built = fleet.done(&["build"]).stdout;
    assert!(built.contains("value: merged"), "{built}");
    // As helm-controller does it: what the source was at is in the version.
    let commit = app.git(&["rev-parse", "HEAD"]);
    assert!(
        built.contains(&format!("chart: 1.0.0+{}", &commit[..12])),
        "{built}"
    );
}
