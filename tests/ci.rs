//! The steps of the GitHub Action and of the GitLab template, run as they are,
//! with a forge on loopback that records the calls.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::diff::Fixture;
use crate::sources::http::{Answer, Request, Server};

/// A forge with comments; whoever writes one is the bot.
struct Forge {
    server: Server,
    comments: Arc<Mutex<Vec<Value>>>,
}

impl Forge {
    fn start(before: Vec<Value>) -> Forge {
        let comments = Arc::new(Mutex::new(before));
        let shared = comments.clone();
        let server = Server::start(move |request| answer(request, &mut shared.lock().unwrap()));
        Forge { server, comments }
    }

    /// Method and path of each call.
    fn calls(&self) -> Vec<String> {
        let requests = self.server.requests.lock().unwrap();
        let line = |r: &Request| format!("{} {}", r.method, r.path());
        requests.iter().map(line).collect()
    }

    fn bodies(&self) -> Vec<String> {
        let comments = self.comments.lock().unwrap();
        let text = |c: &Value| c["body"].as_str().unwrap().to_owned();
        comments.iter().map(text).collect()
    }
}

fn answer(request: &Request, comments: &mut Vec<Value>) -> Answer {
    let path = request.path().trim_end_matches('/').to_owned();
    let body = || serde_json::from_slice::<Value>(&request.body).unwrap()["body"].clone();
    let authorized = request.header("authorization") == Some("Bearer token")
        || request.header("private-token") == Some("token");
    if !authorized {
        return Answer::status(401);
    }
    let value = match request.method.as_str() {
        "GET" if path.ends_with("/user") => json!({"id": 5}),
        "GET" => {
            // A page has a hundred.
            let page = request.target.split("&page=").nth(1).unwrap();
            let page: usize = page.parse().unwrap();
            let items = comments.iter().skip((page - 1) * 100).take(100);
            Value::Array(items.cloned().collect())
        }
        "POST" if path.ends_with("/sarifs") => json!({"id": "1"}),
        "POST" => {
            let id = comments.len() + 1;
            comments.push(by_bot(id, &body()));
            json!({"id": id})
        }
        "PATCH" | "PUT" => {
            let id: usize = path.rsplit('/').next().unwrap().parse().unwrap();
            let found = comments.iter_mut().find(|c| c["id"] == id).unwrap();
            found["body"] = body();
            json!({"id": id})
        }
        _ => return Answer::status(405),
    };
    Answer::ok(value.to_string())
}

fn by_bot(id: usize, body: &Value) -> Value {
    json!({"id": id, "user": {"login": "github-actions[bot]"}, "author": {"id": 5}, "body": body})
}

fn by_other(id: usize, body: &str) -> Value {
    json!({"id": id, "user": {"login": "mallory"}, "author": {"id": 6}, "body": body})
}

/// A run of the action: what `${{ … }}` stands for.
struct Run {
    values: BTreeMap<&'static str, String>,
    folder: tempfile::TempDir,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn action() -> serde_yaml::Value {
    serde_yaml::from_str(&std::fs::read_to_string(root().join("action.yml")).unwrap()).unwrap()
}

impl Run {
    fn new(fixture: &Fixture, base: &str, head_repository: &str) -> Run {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let is_stranger = (head_repository != "org/fleet").to_string();
        let values = [
            ("inputs.path", fixture.path().display().to_string()),
            ("inputs.entry", String::new()),
            ("inputs.name", String::new()),
            ("inputs.fail-on", "error".to_owned()),
            ("inputs.comment", "true".to_owned()),
            ("inputs.comment-author", "github-actions[bot]".to_owned()),
            ("inputs.sarif", "true".to_owned()),
            ("inputs.token", "token".to_owned()),
            (
                "inputs.program",
                env!("CARGO_BIN_EXE_fluxwright").to_owned(),
            ),
            ("inputs.download", String::new()),
            ("inputs.sha256", String::new()),
            ("inputs.store", at("store")),
            ("inputs.report", at("report")),
            ("github.event.pull_request.base.sha", base.to_owned()),
            ("github.event.pull_request.number", "7".to_owned()),
            (
                "github.event.pull_request && github.event.pull_request.head.repo.full_name != \
                 github.repository",
                is_stranger,
            ),
            (
                "github.event.pull_request.head.sha || github.sha",
                base.to_owned(),
            ),
            (
                "github.event.pull_request && format('refs/pull/{0}/head', \
                 github.event.pull_request.number) || github.ref",
                "refs/pull/7/head".to_owned(),
            ),
        ];
        Run {
            values: values.into(),
            folder,
        }
    }

    fn report(&self) -> PathBuf {
        self.folder.path().join("report")
    }

    fn value(&self, text: &str) -> String {
        match text
            .strip_prefix("${{ ")
            .and_then(|t| t.strip_suffix(" }}"))
        {
            Some(expression) => match self.values.get(expression) {
                Some(value) => value.clone(),
                None => panic!("the test knows no `{expression}`"),
            },
            None => text.to_owned(),
        }
    }

    fn command(&self, forge: &Forge) -> Command {
        let mut command = Command::new("bash");
        let bin = self.folder.path().join("fluxwright-bin");
        let path = std::env::var("PATH").unwrap();
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", format!("{}:{path}", bin.display()))
            .env("HOME", self.folder.path())
            .env("RUNNER_TEMP", self.folder.path())
            .env("GITHUB_ACTION_PATH", root())
            .env("GITHUB_API_URL", &forge.server.address)
            .env("GITHUB_REPOSITORY", "org/fleet");
        command
    }

    /// Runs every step that is a script, in order; the exit code of each.
    fn steps(&self, forge: &Forge) -> Vec<(String, i32, String)> {
        let action = action();
        let mut done = Vec::new();
        for step in action["runs"]["steps"].as_sequence().unwrap() {
            let Some(script) = step["run"].as_str() else {
                continue;
            };
            let mut command = self.command(forge);
            command.arg("-c").arg(script);
            if let Some(variables) = step["env"].as_mapping() {
                for (name, value) in variables {
                    command.env(name.as_str().unwrap(), self.value(value.as_str().unwrap()));
                }
            }
            let output: Output = command.output().unwrap();
            let name = step["name"].as_str().unwrap().to_owned();
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            done.push((name, output.status.code().unwrap(), errors));
        }
        done
    }

    #[track_caller]
    fn expect(&self, forge: &Forge, outcome: i32) {
        for (name, code, errors) in self.steps(forge) {
            let expected = if name == "Outcome" { outcome } else { 0 };
            assert_eq!(code, expected, "{name}: {errors}");
        }
    }
}

/// A repository whose last commit changes an image; the commit before it.
fn changed() -> (Fixture, String) {
    let fixture = Fixture::new();
    fixture.write(
        "cluster/source.yaml",
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: \
         flux-system, namespace: flux-system}\nspec: {interval: 1m, url: 'https://git.example/fleet', \
         ref: {branch: main}}\n",
    );
    fixture.commit();
    let base = fixture.head();
    let web = std::fs::read_to_string(fixture.path().join("cluster/web.yaml")).unwrap();
    fixture.write("cluster/web.yaml", &web.replace("web:1.0", "web:1.1"));
    fixture.commit();
    (fixture, base)
}

#[test]
fn scripts_of_the_action_hold_no_expression() {
    let action = action();
    let steps = action["runs"]["steps"].as_sequence().unwrap();
    for step in steps {
        if let Some(script) = step["run"].as_str() {
            assert!(!script.contains("${{"), "{script}");
        }
    }
    // What checks out, builds or runs is the scripts' alone.
    let used = steps.iter().filter_map(|s| s["uses"].as_str());
    assert!(used.clone().count() > 0);
    for action in used {
        assert!(action.starts_with("actions/cache/"), "{action}");
    }
}

/// What others publish is named by its commit: a tag can be moved to anything.
#[test]
fn actions_of_others_are_pinned_by_commit() {
    let mut files = vec![root().join("action.yml"), root().join("docs/ci.md")];
    let workflows = std::fs::read_dir(root().join(".github/workflows")).unwrap();
    files.extend(workflows.map(|entry| entry.unwrap().path()));
    let mut count = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let used = text.lines().filter_map(|line| line.split_once("uses:"));
        for (_, used) in used {
            let name = used.split_whitespace().next().unwrap();
            let (action, revision) = name.split_once('@').unwrap_or((name, ""));
            if action.starts_with("./") || action == "your-org/fluxwright" {
                continue;
            }
            let is_commit = revision.len() == 40 && revision.bytes().all(|b| b.is_ascii_hexdigit());
            assert!(is_commit, "{}: {name}", file.display());
            assert!(
                used.contains("# v"),
                "{}: {name} says no version",
                file.display()
            );
            count += 1;
        }
    }
    assert!(count > 5, "{count}");
}

/// What the store holds at the end of a run is what the next one begins with,
/// save for what strangers had fetched.
#[test]
fn the_store_is_kept_from_run_to_run() {
    let action = action();
    let steps = action["runs"]["steps"].as_sequence().unwrap();
    let at = |what: &str| {
        let is_it = |step: &&serde_yaml::Value| {
            ["uses", "run"]
                .iter()
                .any(|key| step[*key].as_str().is_some_and(|s| s.contains(what)))
        };
        let found = steps.iter().position(|step| is_it(&step));
        (found.unwrap(), &steps[found.unwrap()])
    };
    let (restore, save) = (at("actions/cache/restore@"), at("actions/cache/save@"));
    assert!(restore.0 < at("ci/inputs.sh").0 && at("ci/run.sh").0 < save.0);
    assert!(save.0 < at("ci/outcome.sh").0);
    for key in ["path", "key"] {
        assert_eq!(restore.1["with"][key], save.1["with"][key]);
    }
    // What is kept under a key stays as it is: another run has another.
    let key = save.1["with"]["key"].as_str().unwrap();
    let (kept, of_run) = key.split_once("${{ github.sha }}").unwrap();
    assert_eq!(of_run, "");
    let earlier = restore.1["with"]["restore-keys"].as_str().unwrap();
    assert!(earlier.lines().any(|line| line == kept), "{earlier}");
    let condition = save.1["if"].as_str().unwrap();
    assert!(
        condition.contains("head.repo.full_name != github.repository"),
        "{condition}"
    );
}

#[test]
fn one_comment_is_made_and_then_updated() {
    let (fixture, base) = changed();
    let forge = Forge::start(
        // Enough to fill the first page, one of them with a stolen mark.
        (1..=120)
            .map(|id| by_other(id, "<!-- fluxwright: all -->\nmine"))
            .collect(),
    );
    let run = Run::new(&fixture, &base, "org/fleet");
    run.expect(&forge, 0);
    let bodies = forge.bodies();
    assert_eq!(bodies.len(), 121);
    let body = &bodies[120];
    assert!(body.starts_with("<!-- fluxwright: all -->\n"), "{body}");
    assert!(body.contains("change/image"), "{body}");
    assert!(body.contains("fluxwright check"), "{body}");

    fixture.write(
        "cluster/other.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, namespace: shop}\n",
    );
    fixture.commit();
    run.expect(&forge, 0);
    let bodies = forge.bodies();
    assert_eq!(bodies.len(), 121);
    assert!(bodies[120].contains("ConfigMap"), "{}", bodies[120]);
    assert!(bodies[..120].iter().all(|b| b.ends_with("mine")));
    let calls = forge.calls();
    let writes = |method: &str| calls.iter().filter(|c| c.starts_with(method)).count();
    assert_eq!(writes("POST /repos/org/fleet/issues/7/comments"), 1);
    assert_eq!(writes("PATCH /repos/org/fleet/issues/comments/121"), 1);
    assert_eq!(writes("POST /repos/org/fleet/code-scanning/sarifs"), 2);
}

#[test]
fn two_sets_of_clusters_have_two_comments() {
    let (fixture, base) = changed();
    let forge = Forge::start(Vec::new());
    let mut run = Run::new(&fixture, &base, "org/fleet");
    for _ in 0..2 {
        for name in ["production", "staging"] {
            run.values.insert("inputs.name", name.to_owned());
            run.expect(&forge, 0);
        }
    }
    let bodies = forge.bodies();
    assert_eq!(bodies.len(), 2);
    assert!(bodies[0].starts_with("<!-- fluxwright: production -->"));
    assert!(bodies[1].starts_with("<!-- fluxwright: staging -->"));
    // Names that are made harmless are not made the same.
    for _ in 0..2 {
        for name in ["eu/web", "eu_web", "eu+web", "eu web"] {
            run.values.insert("inputs.name", name.to_owned());
            run.expect(&forge, 0);
        }
    }
    let bodies = forge.bodies();
    assert_eq!(bodies.len(), 6, "{bodies:?}");
    assert!(
        bodies[5].starts_with("<!-- fluxwright: eu+web -->"),
        "{}",
        bodies[5]
    );
}

#[test]
fn the_outcome_is_that_of_the_run() {
    let (fixture, base) = changed();
    std::fs::remove_file(fixture.path().join("cluster/source.yaml")).unwrap();
    fixture.commit();
    let forge = Forge::start(Vec::new());
    let run = Run::new(&fixture, &base, "org/fleet");
    run.expect(&forge, 1);
    // It was reported all the same.
    assert_eq!(forge.bodies().len(), 1);
    let sarif = std::fs::read_to_string(run.report().join("check.sarif")).unwrap();
    assert!(sarif.contains("ref/missing"), "{sarif}");
}

#[test]
fn what_a_request_names_is_never_run_nor_reached() {
    let (fixture, base) = changed();
    let forge = Forge::start(Vec::new());
    let elsewhere = Server::start(|_| Answer::status(500));
    // A source that only the request has, at an address that would be noticed;
    // names that are commands; a hook; attributes with a filter.
    let command = format!("$(touch {}/pwned)", fixture.path().display());
    fixture.write(
        "cluster/evil.yaml",
        &format!(
            "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata: {{name: evil, \
             namespace: flux-system}}\nspec: {{interval: 1m, url: '{0}'}}\n---\napiVersion: \
             helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: evil, namespace: \
             flux-system}}\nspec: {{interval: 1m, chart: {{spec: {{chart: x, sourceRef: {{kind: \
             HelmRepository, name: evil}}}}}}}}\n",
            elsewhere.address
        ),
    );
    fixture.write(
        "fluxwright.lock",
        &format!(
            "version: 1\nsources:\n\n- name: HelmRepository/flux-system/evil\n  url: {}\n",
            elsewhere.address
        ),
    );
    fixture.write(
        ".fluxwright.yaml",
        &format!(
            "mirrors: {{'https://git.example/': '{}/'}}\n",
            elsewhere.address
        ),
    );
    fixture.write(&format!("cluster/{}.yaml", "$(touch pwned)"), "a: b\n");
    fixture.write(".gitattributes", "* filter=evil\n");
    fixture.commit();
    let mut run = Run::new(&fixture, &base, "mallory/fleet");
    run.values.insert("inputs.name", command);
    let codes: Vec<i32> = run.steps(&forge).into_iter().map(|s| s.1).collect();
    assert_eq!(codes[..codes.len() - 1], [0, 0, 0, 0, 0], "{codes:?}");
    assert_ne!(codes[5], 0);
    assert!(elsewhere.requests.lock().unwrap().is_empty());
    let mut names = Vec::new();
    for folder in [fixture.path(), run.folder.path()] {
        for entry in std::fs::read_dir(folder).unwrap() {
            names.push(entry.unwrap().file_name().into_string().unwrap());
        }
    }
    assert!(!names.contains(&"pwned".to_owned()), "{names:?}");
    let bodies = forge.bodies();
    assert_eq!(bodies.len(), 1);
    let first = bodies[0].lines().next().unwrap();
    assert!(first.starts_with("<!-- fluxwright: __touch+"), "{first}");
    assert_eq!(first.matches("-->").count(), 1, "{first}");

    // What is no commit and no number goes nowhere.
    for (name, value) in [
        ("github.event.pull_request.base.sha", "--output=/tmp/x"),
        ("github.event.pull_request.number", "7/../8"),
    ] {
        let mut run = Run::new(&fixture, &base, "mallory/fleet");
        run.values.insert(name, value.to_owned());
        let before = forge.calls().len();
        let failed = run.steps(&forge).into_iter().any(|s| s.1 == 2);
        assert!(failed, "{name}");
        let calls = forge.calls();
        assert!(
            calls[before..].iter().all(|c| !c.contains("..")),
            "{calls:?}"
        );
    }
}

#[test]
fn the_template_of_gitlab_does_the_same() {
    let (fixture, base) = changed();
    let forge = Forge::start(vec![by_other(1, "<!-- fluxwright: all -->\nmine")]);
    let run = Run::new(&fixture, &base, "org/fleet");
    let text = std::fs::read_to_string(root().join("ci/gitlab.yml")).unwrap();
    let template: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
    let lines = template[".fluxwright"]["script"].as_sequence().unwrap();
    let script: Vec<&str> = lines.iter().map(|l| l.as_str().unwrap()).collect();
    std::fs::create_dir(run.folder.path().join("fluxwright-bin")).unwrap();
    std::os::unix::fs::symlink(
        env!("CARGO_BIN_EXE_fluxwright"),
        run.folder.path().join("fluxwright-bin/fluxwright"),
    )
    .unwrap();
    let pipeline = |token: &str, source: &str| {
        let mut command = run.command(&forge);
        let output = command
            .arg("-ec")
            .arg(script.join("\n"))
            .env("FW_SCRIPTS", root().join("ci"))
            .env("FW_PATH", fixture.path())
            .env("FW_REPORT", run.report())
            .env("FW_BASE", &base)
            .env("FW_TOKEN", token)
            .env("CI_API_V4_URL", &forge.server.address)
            .env("CI_MERGE_REQUEST_PROJECT_ID", "3")
            .env("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", source)
            .env("CI_MERGE_REQUEST_IID", "7")
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{errors}");
    };
    pipeline("token", "3");
    pipeline("token", "3");
    let bodies = forge.bodies();
    assert_eq!(bodies.len(), 2);
    assert!(bodies[1].contains("change/image"), "{}", bodies[1]);
    assert!(bodies[0].ends_with("mine"));
    // A fork has no token.
    let before = forge.calls().len();
    pipeline("", "4");
    assert_eq!(forge.calls().len(), before);
    let quality = std::fs::read_to_string(run.report().join("check.gitlab.json")).unwrap();
    assert!(serde_json::from_str::<Value>(&quality).unwrap().is_array());
}

#[test]
fn a_release_with_another_digest_is_not_installed() {
    let fixture = Fixture::new();
    let base = fixture.head();
    let server = Server::start(|_| Answer::ok("not what was promised"));
    let forge = Forge::start(Vec::new());
    let mut run = Run::new(&fixture, &base, "org/fleet");
    run.values.insert("inputs.program", String::new());
    run.values
        .insert("inputs.download", format!("{}/x.tar.gz", server.address));
    for digest in ["", "abc", &"0".repeat(64)] {
        run.values.insert("inputs.sha256", digest.to_owned());
        let (name, code, errors) = run.steps(&forge).swap_remove(0);
        assert_eq!((name.as_str(), code), ("Install", 2), "{digest}: {errors}");
        assert!(!run.folder.path().join("fluxwright-bin/fluxwright").exists());
    }
}
