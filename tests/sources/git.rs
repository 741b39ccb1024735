//! Git repositories, served by git's own `http-backend`.

use super::fleet::{Fleet, Repository, config_map, source};
use super::http::{Answer, Server, git};

fn repository(url: &str, reference: &str) -> String {
    source(
        "GitRepository",
        &format!("  url: {url}/app.git\n  ref: {{{reference}}}\n"),
    )
}

#[test]
fn a_branch_is_locked_fetched_and_built_offline() {
    let app = Repository::new();
    let commit = app.git(&["rev-parse", "HEAD"]).trim().to_owned();
    let server = Server::start(git(app.served()));
    let fleet = Fleet::of(&repository(&server.address, "branch: main"));

    let before = fleet.run(&["build"]);
    assert_eq!(before.code, Some(2));
    assert!(
        before.stderr.contains("source/unavailable"),
        "{}",
        before.stderr
    );
    assert!(before.stderr.contains("fluxwright lock"));

    let locked = fleet.done(&["lock"]);
    assert_eq!(
        locked.stdout,
        format!("GitRepository/flux-system/app  new: main@sha1:{commit}\n")
    );
    let lockfile = fleet.lockfile();
    assert!(
        lockfile.contains(&format!("  revision: main@sha1:{commit}\n")),
        "{lockfile}"
    );
    let requests = server.requests.lock().unwrap().len();
    // One for the greeting, one for the references, one for the commit.
    assert_eq!(requests, 3);

    let again = fleet.done(&["lock"]);
    assert_eq!(again.stdout, "fluxwright.lock is up to date\n");
    assert_eq!(fleet.lockfile(), lockfile);
    fleet.done(&["lock", "--check"]);
    let built = fleet.done(&["build"]);
    assert!(built.stdout.contains("value: one"), "{}", built.stdout);
    assert_eq!(server.requests.lock().unwrap().len(), requests);

    // Another machine: the same bytes.
    std::fs::remove_dir_all(fleet.store()).unwrap();
    let missing = fleet.run(&["build"]);
    assert_eq!(missing.code, Some(2));
    assert!(
        missing.stderr.contains("store/missing"),
        "{}",
        missing.stderr
    );
    assert!(missing.stderr.contains("fluxwright fetch"));
    assert_eq!(fleet.done(&["fetch"]).stdout, "1 input is at hand\n");
    assert_eq!(fleet.done(&["build"]).stdout, built.stdout);
}

#[test]
fn a_moved_branch_stays_where_it_is_locked_until_it_is_updated() {
    let app = Repository::new();
    let server = Server::start(git(app.served()));
    let fleet = Fleet::of(&repository(&server.address, "branch: main"));
    fleet.done(&["lock"]);
    let old = app.git(&["rev-parse", "HEAD"]).trim().to_owned();
    let new = app.commit("deploy/web.yaml", &config_map("web", "two"));
    app.publish();

    fleet.done(&["lock"]);
    std::fs::remove_dir_all(fleet.store()).unwrap();
    fleet.done(&["fetch"]);
    assert!(fleet.done(&["build"]).stdout.contains("value: one"));

    let updated = fleet.done(&[
        "lock",
        "--output",
        "markdown",
        "--update",
        "flux-system/app",
    ]);
    assert_eq!(
        updated.stdout,
        format!(
            "| input | change |\n| --- | --- |\n| `GitRepository/flux-system/app` | \
             `main@sha1:{old}` → `main@sha1:{new}` |\n"
        )
    );
    assert!(fleet.done(&["build"]).stdout.contains("value: two"));
    let unknown = fleet.run(&["lock", "--update", "ap"]);
    assert_eq!(unknown.code, Some(2));
    assert!(
        unknown
            .stderr
            .contains("did you mean `GitRepository/flux-system/app`?")
    );
}

#[test]
fn references_come_to_what_flux_makes_of_them() {
    let app = Repository::new();
    let first = app.git(&["rev-parse", "HEAD"]).trim().to_owned();
    let second = app.commit("deploy/web.yaml", &config_map("web", "two"));
    app.git(&["tag", "v1.1.0"]);
    app.git(&["tag", "v2.0.0-rc.1"]);
    app.git(&["checkout", "-q", "-b", "side", &first]);
    let side = app.commit("deploy/web.yaml", &config_map("web", "side"));
    app.publish();
    let server = Server::start(git(app.served()));
    for (reference, revision) in [
        ("tag: v1.0.0", format!("v1.0.0@sha1:{first}")),
        ("semver: 1.x", format!("v1.1.0@sha1:{second}")),
        ("semver: '>=1.0.0-0'", format!("v2.0.0-rc.1@sha1:{second}")),
        ("name: refs/heads/side", format!("side@sha1:{side}")),
        (&format!("commit: {first}"), format!("sha1:{first}")),
        (
            &format!("branch: main, commit: {first}"),
            format!("main@sha1:{first}"),
        ),
        ("branch: main, tag: v1.0.0", format!("v1.0.0@sha1:{first}")),
        ("tag: v1.0.0, semver: 1.x", format!("v1.1.0@sha1:{second}")),
        (
            "semver: 1.x, name: refs/heads/side",
            format!("side@sha1:{side}"),
        ),
    ] {
        let fleet = Fleet::of(&repository(&server.address, reference));
        fleet.done(&["lock"]);
        let lockfile = fleet.lockfile();
        assert!(
            lockfile.contains(&format!("  revision: {revision}\n")),
            "{reference}: {lockfile}"
        );
        // What is fetched by its revision is the same content.
        std::fs::remove_dir_all(fleet.store()).unwrap();
        fleet.done(&["fetch"]);
    }
    let fleet = Fleet::of(&repository(
        &server.address,
        &format!("branch: main, commit: {side}"),
    ));
    let run = fleet.run(&["lock"]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr
            .contains("is not in the history of branch `main`"),
        "{}",
        run.stderr
    );
}

#[test]
fn what_is_not_there_is_said_with_its_place() {
    let app = Repository::new();
    let server = Server::start(git(app.served()));
    for (reference, rule, message) in [
        (
            "branch: nope",
            "ref/missing",
            "has no reference `refs/heads/nope`",
        ),
        ("tag: v9", "ref/missing", "has no reference `refs/tags/v9`"),
        (
            "semver: '>9'",
            "source/version",
            "no tag matches the range `>9`",
        ),
        ("commit: abc", "git/reference", "is no name of a commit"),
    ] {
        let fleet = Fleet::of(&repository(&server.address, reference));
        let run = fleet.run(&["lock"]);
        assert_eq!(run.code, Some(2));
        assert!(run.stderr.contains(rule), "{}", run.stderr);
        assert!(run.stderr.contains(message), "{}", run.stderr);
        assert!(run.stderr.contains("GitRepository/flux-system/app"));
        assert!(
            run.stderr.contains("clusters/prod/source.yaml:8"),
            "{}",
            run.stderr
        );
        assert!(!fleet.root().join("fluxwright.lock").exists());
    }
    let fleet = Fleet::of(&source(
        "GitRepository",
        &format!("  url: {}/none.git\n", server.address),
    ));
    let run = fleet.run(&["lock"]);
    assert!(run.stderr.contains("source/missing"), "{}", run.stderr);
}

#[test]
fn a_tag_that_moved_is_refused() {
    let app = Repository::new();
    let server = Server::start(git(app.served()));
    let fleet = Fleet::of(&repository(&server.address, "tag: v1.0.0"));
    fleet.done(&["lock"]);
    let lockfile = fleet.lockfile();
    app.commit("deploy/web.yaml", &config_map("web", "evil"));
    app.git(&["tag", "-f", "-a", "v1.0.0", "-m", "moved"]);
    app.publish();
    std::fs::remove_dir_all(fleet.store()).unwrap();
    let run = fleet.run(&["fetch"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("store/digest"), "{}", run.stderr);
    assert!(run.stderr.contains("lock --update"));
    assert_eq!(fleet.lockfile(), lockfile);
}

/// What `alice` with the password `hunter2` sends.
const ALICE: &str = "Basic YWxpY2U6aHVudGVyMg==";

/// A server of a repository for those who send this alone.
fn guarded(app: &Repository, authorization: &'static str) -> Server {
    let backend = git(app.served());
    Server::start(move |request| {
        if request.header("authorization") == Some(authorization) {
            backend(request)
        } else {
            Answer::status(401)
        }
    })
}

#[test]
fn logins_come_from_secrets_and_go_nowhere_else() {
    let app = Repository::new();
    let server = guarded(&app, ALICE);
    let spec = format!(
        "  url: {}/app.git\n  ref: {{branch: main}}\n",
        server.address
    );
    let fleet = Fleet::of(&source("GitRepository", &spec));
    let refused = fleet.run(&["lock"]);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("source/denied"),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains("give a `secretRef`"));

    let fleet = Fleet::of(&source(
        "GitRepository",
        &format!("{spec}  secretRef: {{name: login}}\n"),
    ));
    let secret = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: login\n  namespace: \
                  flux-system\nstringData:\n  username: alice\n  password: hunter2\n";
    fleet.write("clusters/prod/secret.yaml", secret);
    fleet.done(&["lock"]);
    assert!(!fleet.lockfile().contains("hunter2"));

    let fleet = Fleet::of(&source(
        "GitRepository",
        &format!("{spec}  secretRef: {{name: login}}\n"),
    ));
    fleet.write(
        ".fluxwright.yaml",
        "entries:\n- path: clusters/prod\ncredentials:\n- secret: flux-system/login\n  entries:\n    \
         username: {env: USER_NAME}\n    password: {file: ../password}\n",
    );
    fleet.write("../password", "hunter2\n");
    let run = fleet.run_with(&["lock"], &[("USER_NAME", "alice")]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let unset = fleet.run(&["lock", "--update"]);
    assert!(
        unset.stderr.contains("`USER_NAME` is not set"),
        "{}",
        unset.stderr
    );

    let fleet = Fleet::of(&source(
        "GitRepository",
        &spec.replace("http://", "http://alice:hunter3@"),
    ));
    let run = fleet.run(&["lock"]);
    assert_eq!(run.code, Some(2));
    // Nor in the line of the file that is shown.
    assert!(!run.stderr.contains("hunter3"), "{}", run.stderr);
    assert!(run.stderr.contains("http://alice:*******@127"));
    assert!(run.stderr.contains("are the credentials right"));

    let token = Fleet::of(&source(
        "GitRepository",
        &spec.replace("http://", "http://hunter3@"),
    ));
    let run = token.run(&["lock"]);
    assert_eq!(run.code, Some(2));
    assert!(!run.stderr.contains("hunter3"), "{}", run.stderr);
}

#[test]
fn a_token_may_be_a_name_with_an_empty_password() {
    let app = Repository::new();
    // token:
    let server = guarded(&app, "Basic dG9rZW46");
    let spec = format!(
        "  url: {}/app.git\n  ref: {{branch: main}}\n",
        server.address
    );
    let named = Fleet::of(&source(
        "GitRepository",
        &format!("{spec}  secretRef: {{name: login}}\n"),
    ));
    // What a Secret might have helped with is said.
    let run = named.run(&["lock"]);
    assert_eq!(run.code, Some(2));
    for part in ["source/denied", "`flux-system/login`", ".fluxwright.yaml"] {
        assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
    }
    named.write(
        "clusters/prod/secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: login\n  namespace: \
         flux-system\nstringData:\n  username: token\n  password: ''\n",
    );
    named.done(&["lock"]);

    let written = spec.replace("http://", "http://token@");
    let written = Fleet::of(&source("GitRepository", &written));
    written.done(&["lock"]);
    assert!(!written.lockfile().contains("token"));
    // A base that is named so is fetched so, too.
    let base = Fleet::empty();
    base.write(
        "clusters/prod/kustomization.yaml",
        "resources: [apps.yaml]\n",
    );
    base.write(
        "clusters/prod/apps.yaml",
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: \
         apps\n  namespace: flux-system\nspec:\n  interval: 1h\n  prune: true\n  path: \
         ./apps\n  sourceRef:\n    kind: GitRepository\n    name: flux-system\n",
    );
    let address = server.address.replace("http://", "http://token@");
    base.write(
        "apps/kustomization.yaml",
        &format!("resources: ['{address}/app.git//kustomized?ref=main']\n"),
    );
    app.write("kustomized/kustomization.yaml", "resources: [map.yaml]\n");
    app.commit("kustomized/map.yaml", &config_map("map", "kustomized"));
    app.publish();
    base.done(&["lock"]);
    assert!(!base.lockfile().contains("token"));
    assert!(base.done(&["build"]).stdout.contains("value: kustomized"));
}

#[test]
fn what_helps_with_a_reference_is_said() {
    let app = Repository::new();
    let server = Server::start(git(app.served()));
    for (reference, help) in [
        ("", "Flux takes the branch `master`"),
        ("  ref: {name: main}\n", "as in `refs/heads/main`"),
        ("  ref: {branch: nope}\n", "is it spelled right"),
    ] {
        let spec = format!("  url: {}/app.git\n{reference}", server.address);
        let run = Fleet::of(&source("GitRepository", &spec)).run(&["lock"]);
        assert_eq!(run.code, Some(2));
        assert!(run.stderr.contains(help), "{reference}: {}", run.stderr);
    }
    for url in ["file:///srv/app.git", "oci://127.0.0.1:1/app"] {
        let spec = format!("  url: {url}\n  ref: {{branch: main}}\n");
        let run = Fleet::of(&source("GitRepository", &spec)).run(&["lock"]);
        assert_eq!(run.code, Some(2));
        assert!(
            run.stderr.contains("source/address"),
            "{url}: {}",
            run.stderr
        );
        assert!(!run.stderr.contains("attempts"), "{url}: {}", run.stderr);
    }
}

#[test]
fn sources_that_nobody_uses_are_locked_as_well() {
    let app = Repository::new();
    let server = Server::start(git(app.served()));
    let spec = format!(
        "  url: {}/app.git\n  ref: {{branch: main}}\n",
        server.address
    );
    let fleet = Fleet::of(&source("GitRepository", &spec));
    fleet.done(&["lock"]);
    fleet.done(&["lock", "--check"]);
    let other = source("GitRepository", &spec).replace("name: app", "name: other");
    fleet.write("clusters/prod/other.yaml", &other);
    let run = fleet.run(&["lock", "--check"]);
    assert_eq!(run.code, Some(1), "{}", run.stdout);
    for part in [
        "lock/missing",
        "GitRepository/flux-system/other",
        "other.yaml:8",
    ] {
        assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
    }
    let run = fleet.run(&["fetch"]);
    assert_eq!(run.code, Some(2), "{}", run.stdout);
    assert!(run.stderr.contains("lock/missing"), "{}", run.stderr);
    fleet.done(&["lock"]);
    fleet.done(&["lock", "--check"]);
    fleet.done(&["fetch"]);
    // A path behind `--update` is taken for a name.
    let root = fleet.root();
    let root = root.to_str().unwrap();
    let run = fleet.run(&["lock", "--update", "app", root]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains("write the path before"),
        "{}",
        run.stderr
    );
}

#[test]
fn logins_that_helpers_of_git_know() {
    let app = Repository::new();
    let server = guarded(&app, ALICE);
    let fleet = Fleet::of(&repository(&server.address, "branch: main"));
    let config = format!(
        "entries:\n- path: clusters/prod\ncredentials:\n- address: {}\n  helper: git\n",
        server.address
    );
    fleet.write(".fluxwright.yaml", &config);
    let run = fleet.run(&["lock"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("git knows no login"), "{}", run.stderr);
    assert!(run.stderr.contains("`credentials[0]`"), "{}", run.stderr);
    // The user's own configuration, in the home folder.
    fleet.write(
        "../.gitconfig",
        "[credential]\n\thelper = \"!f() { echo username=alice; echo password=hunter2; }; f\"\n",
    );
    fleet.done(&["lock"]);
    assert!(fleet.done(&["build"]).stdout.contains("value: one"));
}

#[test]
fn servers_that_know_the_old_protocol_alone() {
    let app = Repository::new();
    let commit = app.git(&["rev-parse", "HEAD"]).trim().to_owned();
    let backend = git(app.served());
    let server = Server::start(move |request| {
        let mut request = request.clone();
        request.headers.remove("git-protocol");
        backend(&request)
    });
    for (reference, revision) in [
        ("branch: main", format!("main@sha1:{commit}")),
        ("tag: v1.0.0", format!("v1.0.0@sha1:{commit}")),
    ] {
        let fleet = Fleet::of(&repository(&server.address, reference));
        fleet.done(&["lock"]);
        assert!(fleet.lockfile().contains(&revision));
        assert!(fleet.done(&["build"]).stdout.contains("value: one"));
    }
}

#[test]
fn ignore_include_and_sparse_checkout_shape_the_artifact_without_fetching() {
    let app = Repository::new();
    app.write("deploy/extra.yaml", &config_map("extra", "x"));
    app.write("other/o.yaml", &config_map("other", "o"));
    app.commit("more/m.yaml", &config_map("more", "m"));
    app.publish();
    let server = Server::start(git(app.served()));
    let spec = format!(
        "  url: {}/app.git\n  ref: {{branch: main}}\n",
        server.address
    );
    let fleet = Fleet::of(&source("GitRepository", &spec));
    fleet.done(&["lock"]);
    assert!(fleet.done(&["build"]).stdout.contains("name: extra"));
    let count = server.requests.lock().unwrap().len();

    let ignoring = format!("{spec}  ignore: |\n    extra.yaml\n");
    fleet.write(
        "clusters/prod/source.yaml",
        &source("GitRepository", &ignoring),
    );
    let built = fleet.done(&["build"]).stdout;
    assert!(
        !built.contains("name: extra") && built.contains("name: web"),
        "{built}"
    );

    let sparse = format!("{spec}  sparseCheckout: [other]\n");
    fleet.write(
        "clusters/prod/source.yaml",
        &source("GitRepository", &sparse),
    );
    let run = fleet.run(&["build"]);
    assert_eq!(run.code, Some(2), "{}", run.stdout);

    let including = format!(
        "{spec}  include:\n  - repository: {{name: second}}\n    fromPath: more\n    toPath: deploy/in\n"
    );
    let second = source("GitRepository", &spec).replace("name: app", "name: second");
    fleet.write(
        "clusters/prod/source.yaml",
        &format!("{}---\n{second}", source("GitRepository", &including)),
    );
    fleet.done(&["lock"]);
    let built = fleet.done(&["build"]).stdout;
    assert!(built.contains("name: more"), "{built}");
    let lockfile = fleet.lockfile();
    assert!(
        lockfile.contains("GitRepository/flux-system/second"),
        "{lockfile}"
    );
    // Only the second source was asked for.
    assert_eq!(server.requests.lock().unwrap().len(), count + 3);
}

#[test]
fn what_no_longer_fits_is_stale() {
    let app = Repository::new();
    let server = Server::start(git(app.served()));
    let fleet = Fleet::of(&repository(&server.address, "branch: main"));
    fleet.done(&["lock"]);
    fleet.write(
        "clusters/prod/source.yaml",
        &repository(&server.address, "tag: v1.0.0"),
    );
    let stale = fleet.run(&["build"]);
    assert_eq!(stale.code, Some(2));
    assert!(stale.stderr.contains("lock/stale"), "{}", stale.stderr);
    assert!(stale.stderr.contains("branch main"));
    let check = fleet.run(&["lock", "--check"]);
    assert_eq!(check.code, Some(1), "{}{}", check.stdout, check.stderr);
    let frozen = fleet.run(&["build", "--frozen"]);
    assert_eq!(frozen.code, Some(2));
    assert!(frozen.stderr.contains("`--frozen`"), "{}", frozen.stderr);
    fleet.done(&["lock"]);
    fleet.done(&["lock", "--check"]);
    fleet.done(&["build", "--frozen"]);
    // What nobody asks for any more goes.
    std::fs::remove_file(fleet.root().join("clusters/prod/source.yaml")).unwrap();
    std::fs::remove_file(fleet.root().join("clusters/prod/apps.yaml")).unwrap();
    fleet.write("clusters/prod/map.yaml", &config_map("x", "y"));
    let check = fleet.run(&["lock", "--check"]);
    assert_eq!(check.code, Some(1), "{}", check.stderr);
    assert!(
        check.stdout.contains("gone: v1.0.0@sha1:"),
        "{}",
        check.stdout
    );
}

#[test]
fn submodules_and_their_credentials() {
    let library = Repository::new();
    let app = Repository::new();
    let root = tempfile::tempdir().unwrap();
    for (name, repository) in [("app", &app), ("library", &library)] {
        std::fs::rename(
            repository.served().join("app.git"),
            root.path().join(format!("{name}.git")),
        )
        .unwrap();
    }
    let server = Server::start(git(root.path().to_owned()));
    let commit = library.git(&["rev-parse", "HEAD"]).trim().to_owned();
    app.write(
        ".gitmodules",
        "[submodule \"lib\"]\n\tpath = deploy/lib\n\turl = ../library.git\n",
    );
    app.git(&["add", "-A"]);
    app.git(&[
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("160000,{commit},deploy/lib"),
    ]);
    app.git(&["commit", "-q", "-m", "library"]);
    let target = root.path().join("app.git");
    app.git(&["push", "-q", target.to_str().unwrap(), "main"]);
    let fleet = Fleet::of(&source(
        "GitRepository",
        &format!(
            "  url: {}/app.git\n  ref: {{branch: main}}\n  recurseSubmodules: true\n  ignore: |\n    \
             /deploy/web.yaml\n",
            server.address
        ),
    ));
    fleet.done(&["lock"]);
    assert!(fleet.lockfile().contains("    recurseSubmodules: 'true'\n"));
    let built = fleet.done(&["build"]).stdout;
    assert!(built.contains("name: web"), "{built}");
}

#[test]
fn a_part_of_a_repository_leaves_the_pins_of_the_rest() {
    let app = Repository::new();
    app.commit("deploy/web.yaml", &config_map("web", "two"));
    app.publish();
    let server = Server::start(git(app.served()));
    let spec = |reference: &str| {
        let url = &server.address;
        source(
            "GitRepository",
            &format!("  url: {url}/app.git\n  ref: {{{reference}}}\n"),
        )
    };
    let fleet = Fleet::of(&spec("tag: v1.0.0"));
    fleet.write("clusters/test/source.yaml", &spec("branch: main"));
    fleet.write(
        "clusters/test/apps.yaml",
        &fleet.read("clusters/prod/apps.yaml"),
    );
    fleet.write(
        ".fluxwright.yaml",
        "entries:\n- path: clusters/prod\n- path: clusters/test\n",
    );
    fleet.done(&["lock"]);
    let whole = fleet.lockfile();
    for args in [
        &["lock", "--entry", "prod"][..],
        &["lock", "--entry", "prod", "--check"],
        &["lock", "--entry", "prod", "--update"],
        &["lock", "--entry", "prod", "--update", "app"],
    ] {
        let run = fleet.done(args);
        assert!(
            run.stdout.contains("up to date"),
            "{args:?}: {}",
            run.stdout
        );
        assert_eq!(fleet.lockfile(), whole, "{args:?}");
    }
    fleet.write("clusters/prod/source.yaml", &spec("branch: main"));
    fleet.done(&["lock", "--entry", "prod"]);
    let run = fleet.done(&["lock"]);
    // The one that went is told from the one that stays.
    assert!(run.stdout.contains("(tag=v1.0.0)  gone"), "{}", run.stdout);
    assert!(!run.stdout.contains("new:"), "{}", run.stdout);
}
