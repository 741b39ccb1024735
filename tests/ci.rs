//! The steps of the GitHub Action and of the GitLab template, run as they are,
//! with a forge on loopback that records the calls.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::diff::Fixture;
use crate::sources::http::{Answer, Request, Server};

/// A forge with comments; whoever writes one is the bot.
pub(crate) struct Forge {
    pub(crate) server: Server,
    comments: Arc<Mutex<Vec<Value>>>,
}

impl Forge {
    pub(crate) fn start(before: Vec<Value>) -> Forge {
        Forge::with(before, |_| None)
    }

    /// A forge that answers some requests in its own way.
    fn with(
        before: Vec<Value>,
        own: impl Fn(&Request) -> Option<Answer> + Send + Sync + 'static,
    ) -> Forge {
        let comments = Arc::new(Mutex::new(before));
        let shared = comments.clone();
        let server = Server::start(move |request| {
            own(request).unwrap_or_else(|| answer(request, &mut shared.lock().unwrap()))
        });
        Forge { server, comments }
    }

    /// A forge that gives these answers first.
    fn that_begins_with(answers: Vec<Answer>) -> Forge {
        let left = Mutex::new(answers);
        Forge::with(Vec::new(), move |_| {
            let mut left = left.lock().unwrap();
            (!left.is_empty()).then(|| left.remove(0))
        })
    }

    /// Method and path of each call.
    pub(crate) fn calls(&self) -> Vec<String> {
        let requests = self.server.requests.lock().unwrap();
        let line = |r: &Request| format!("{} {}", r.method, r.path());
        requests.iter().map(line).collect()
    }

    pub(crate) fn bodies(&self) -> Vec<String> {
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
            // A page has fewer than were asked for: only the header says that
            // there are more.
            let page = request.target.split("&page=").nth(1).unwrap();
            let page: usize = page.parse().unwrap();
            let items = comments.iter().skip((page - 1) * 50).take(50);
            let text = Value::Array(items.cloned().collect()).to_string();
            let next = format!("<{path}?page={}>; rel=\"next\"", page + 1);
            let answer = Answer::ok(text);
            return if page * 50 < comments.len() {
                answer.header("Link", &next)
            } else {
                answer
            };
        }
        "POST" if path.ends_with("/sarifs") => json!({"id": "1"}),
        "POST" => {
            let ids = comments.iter().filter_map(|c| c["id"].as_u64());
            let id = ids.max().unwrap_or_default() + 1;
            comments.push(by_bot(id, &body()));
            by_bot(id, &body())
        }
        "PATCH" | "PUT" | "DELETE" => {
            let id: u64 = path.rsplit('/').next().unwrap().parse().unwrap();
            let Some(at) = comments.iter().position(|c| c["id"] == id) else {
                return Answer::status(404);
            };
            if request.method == "DELETE" {
                comments.remove(at);
                return Answer::status(204);
            }
            comments[at]["body"] = body();
            comments[at].clone()
        }
        _ => return Answer::status(405),
    };
    Answer::ok(value.to_string())
}

fn by_bot(id: u64, body: &Value) -> Value {
    json!({"id": id, "user": {"login": "github-actions[bot]"}, "author": {"id": 5}, "body": body})
}

fn by_other(id: u64, body: &str) -> Value {
    json!({"id": id, "user": {"login": "mallory"}, "author": {"id": 6}, "body": body})
}

/// What the commit to compare with is called in the action.
pub(crate) const BASE: &str =
    "github.event.pull_request.base.sha || github.event.merge_group.base_sha";

/// A run of the action: what `${{ … }}` stands for.
pub(crate) struct Run {
    pub(crate) values: BTreeMap<&'static str, String>,
    /// Where it runs.
    pub(crate) folder: tempfile::TempDir,
    /// Variables besides.
    pub(crate) variables: Vec<(&'static str, String)>,
}

/// A step that was run.
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) code: i32,
    /// Standard output, then standard error.
    pub(crate) log: String,
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn action() -> serde_yaml::Value {
    serde_yaml::from_str(&std::fs::read_to_string(root().join("action.yml")).unwrap()).unwrap()
}

impl Run {
    pub(crate) fn new(fixture: &Fixture, base: &str, head_repository: &str) -> Run {
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
            (BASE, base.to_owned()),
            ("github.event.pull_request.head.sha", fixture.head()),
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
            variables: Vec::new(),
        }
    }

    pub(crate) fn report(&self) -> PathBuf {
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

    /// Runs every step that is a script, in order.
    pub(crate) fn steps(&self, forge: &Forge) -> Vec<Step> {
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
            command.envs(self.variables.iter().cloned());
            let output: Output = command.output().unwrap();
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            done.push(Step {
                name: step["name"].as_str().unwrap().to_owned(),
                code: output.status.code().unwrap(),
                log: text(&output.stdout) + &text(&output.stderr),
            });
        }
        done
    }

    #[track_caller]
    pub(crate) fn expect(&self, forge: &Forge, outcome: i32) {
        for step in self.steps(forge) {
            let expected = if step.name == "Outcome" { outcome } else { 0 };
            assert_eq!(step.code, expected, "{}: {}", step.name, step.log);
        }
    }

    /// The step of that name, after all were run.
    pub(crate) fn step(&self, forge: &Forge, name: &str) -> Step {
        let mut steps = self.steps(forge).into_iter();
        steps.find(|step| step.name == name).unwrap()
    }
}

/// A repository whose last commit changes an image; the commit before it.
pub(crate) fn changed() -> (Fixture, String) {
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
fn runs_at_the_same_time_leave_one_comment() {
    let (fixture, base) = changed();
    let first = || by_bot(3, &json!("<!-- fluxwright: all -->\nof the other run"));
    // It is not there yet when the run looks for one.
    let looked = AtomicBool::new(false);
    let forge = Forge::with(
        vec![first(), by_other(7, "<!-- fluxwright: all -->")],
        move |request| {
            let is_first = request.method == "GET" && !looked.swap(true, Ordering::Relaxed);
            is_first.then(|| Answer::ok("[]"))
        },
    );
    let mut run = Run::new(&fixture, &base, "org/fleet");
    run.values.insert("inputs.sarif", "false".to_owned());
    run.expect(&forge, 0);
    let bodies = forge.bodies();
    assert_eq!(bodies.len(), 2, "{bodies:?}");
    assert!(bodies[0].contains("change/image"), "{}", bodies[0]);
    assert_eq!(bodies[1], "<!-- fluxwright: all -->");

    // What an earlier run has left, in whatever order they are listed.
    let later = by_bot(4, &json!("<!-- fluxwright: all -->\nlater"));
    let forge = Forge::start(vec![later, first()]);
    run.expect(&forge, 0);
    let bodies = forge.bodies();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    let calls = forge.calls();
    let changed = "PATCH /repos/org/fleet/issues/comments/3";
    assert!(calls.iter().any(|call| call == changed), "{calls:?}");
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
        let step = run.step(&forge, "Install");
        assert_eq!(step.code, 2, "{digest}: {}", step.log);
        assert!(!run.folder.path().join("fluxwright-bin/fluxwright").exists());
    }
}

/// Releases have everything in one folder, as the release workflow packs them.
#[test]
fn a_release_is_installed() {
    let workflow = std::fs::read_to_string(root().join(".github/workflows/release.yml")).unwrap();
    assert!(workflow.contains("tar czf \"$name.tar.gz\" \"$name\""));
    let fixture = Fixture::new();
    let forge = Forge::start(Vec::new());
    let packed = tempfile::tempdir().unwrap();
    for folder in ["fluxwright-v0.1.0-x86_64", "."] {
        let inside = packed.path().join(folder);
        std::fs::create_dir_all(&inside).unwrap();
        std::fs::write(inside.join("fluxwright"), "#!/bin/sh\necho it is there\n").unwrap();
        let name = if folder == "." { "fluxwright" } else { folder };
        let made = Command::new("sh")
            .args([
                "-c",
                "chmod +x \"$1/fluxwright\" && tar czf a.tar.gz \"$2\"",
                "sh",
            ])
            .args([folder, name])
            .current_dir(packed.path())
            .status();
        assert!(made.unwrap().success());
        let archive = std::fs::read(packed.path().join("a.tar.gz")).unwrap();
        let digest = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&archive));
        let server = Server::start(move |_| Answer::ok(archive.clone()));
        let mut run = Run::new(&fixture, &fixture.head(), "org/fleet");
        run.values.insert("inputs.program", String::new());
        run.values
            .insert("inputs.download", format!("{}/a.tar.gz", server.address));
        run.values.insert("inputs.sha256", digest);
        let step = run.step(&forge, "Install");
        assert_eq!(step.code, 0, "{}", step.log);
        assert!(step.log.contains("it is there"), "{}", step.log);
    }
    let mut run = Run::new(&fixture, &fixture.head(), "org/fleet");
    run.values.insert("inputs.program", "/no/such".to_owned());
    let step = run.step(&forge, "Install");
    assert!(step.code == 2 && step.log.contains("there is no program '/no/such'"));
}

#[test]
fn a_forge_that_asks_to_wait_is_asked_again() {
    let (fixture, base) = changed();
    let later = |status| Answer::status(status).header("Retry-After", "0");
    let limit = Answer::status(403)
        .header("X-RateLimit-Remaining", "0")
        .header("X-RateLimit-Reset", "1");
    let forge = Forge::that_begins_with(vec![later(403), limit, later(502)]);
    Run::new(&fixture, &base, "org/fleet").expect(&forge, 0);
    assert_eq!(forge.bodies().len(), 1);
}

#[test]
fn what_a_forge_refuses_is_told() {
    let (fixture, base) = changed();
    let refuses = |status, message: &str| {
        let body = json!({"message": message}).to_string();
        Forge::with(Vec::new(), move |request| {
            let answer = Answer {
                status,
                ..Answer::ok(body.clone())
            };
            (request.method == "POST").then_some(answer)
        })
    };
    let forge = refuses(422, "Validation Failed");
    let run = Run::new(&fixture, &base, "org/fleet");
    let step = run.step(&forge, "Comment");
    assert_eq!(step.code, 1);
    let told = "the forge answered 422: Validation Failed";
    assert!(step.log.contains(told), "{}", step.log);

    let forge = refuses(403, "Resource not accessible by integration");
    let step = run.step(&forge, "Comment");
    assert_eq!(step.code, 1);
    assert!(step.log.contains("pull-requests: write"), "{}", step.log);
    let step = run.step(&forge, "Upload findings");
    assert_eq!(step.code, 1);
    assert!(step.log.contains("security-events: write"), "{}", step.log);
    // The token of a fork may only read: that is no failure of the change.
    let run = Run::new(&fixture, &base, "mallory/fleet");
    run.expect(&forge, 0);
    let step = run.step(&forge, "Comment");
    assert!(step.log.contains("may only read"), "{}", step.log);

    // Whose comment it is, and which to say so that it is found again.
    let mut run = Run::new(&fixture, &base, "org/fleet");
    run.values
        .insert("inputs.comment-author", "somebody".to_owned());
    let step = run.step(&Forge::start(Vec::new()), "Comment");
    let told = "`comment-author: github-actions[bot]`";
    assert!(step.code == 0 && step.log.contains(told), "{}", step.log);
}

/// What forges check out is the change merged into its base as that is now.
#[test]
fn what_happened_in_the_base_is_not_the_changes_doing() {
    let (fixture, base) = changed();
    let head = fixture.head();
    fixture.git(&["checkout", "--quiet", "-b", "main-now", &base]);
    fixture.write(
        "cluster/other.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other, namespace: shop}\n",
    );
    fixture.commit();
    fixture.git(&["merge", "--quiet", "--no-ff", "--message", "x", &head]);
    let forge = Forge::start(Vec::new());
    let mut run = Run::new(&fixture, &base, "org/fleet");
    run.values
        .insert("github.event.pull_request.head.sha", head);
    run.expect(&forge, 0);
    let body = &forge.bodies()[0];
    assert!(body.contains("objects: 1 changed"), "{body}");
    assert!(!body.contains("other"), "{body}");
}

#[test]
fn files_are_named_from_the_root_of_the_clone() {
    let fixture = Fixture::new();
    std::fs::create_dir(fixture.path().join("deploy x")).unwrap();
    fixture.git(&["mv", "cluster", "deploy x/cluster"]);
    fixture.write("deploy x/fluxwright.lock", "version: 1\nsources: []\n");
    fixture.commit();
    let base = fixture.head();
    let web = std::fs::read_to_string(fixture.path().join("deploy x/cluster/web.yaml")).unwrap();
    fixture.write(
        "deploy x/cluster/web.yaml",
        &web.replace("replicas: 2", "replicas: x"),
    );
    fixture.commit();
    for head in ["org/fleet", "mallory/fleet"] {
        let forge = Forge::start(Vec::new());
        let mut run = Run::new(&fixture, &base, head);
        let path = fixture.path().join("deploy x").display().to_string();
        run.values.insert("inputs.path", path);
        run.expect(&forge, 1);
        let read = |name: &str| -> Value {
            serde_json::from_slice(&std::fs::read(run.report().join(name)).unwrap()).unwrap()
        };
        let found = "/locations/0/physicalLocation/artifactLocation/uri";
        let sarif = read("check.sarif");
        let results = sarif["runs"][0]["results"].as_array().unwrap();
        let uris = results
            .iter()
            .map(|r| r.pointer(found).unwrap().as_str().unwrap());
        assert!(uris.clone().count() > 1);
        for uri in uris {
            assert!(uri.starts_with("deploy%20x/cluster/"), "{uri}");
        }
        let quality = read("check.gitlab.json");
        for issue in quality.as_array().unwrap() {
            let path = issue["location"]["path"].as_str().unwrap();
            assert!(fixture.path().join(path).is_file(), "{path}");
        }
    }
}

#[test]
fn what_went_wrong_before_is_in_the_comment() {
    let (fixture, base) = changed();
    fixture.write("fluxwright.lock", "no lockfile\n");
    fixture.write(".fluxwright.yaml", "rules: {ref: info}\n");
    fixture.commit();
    let forge = Forge::start(Vec::new());
    let run = Run::new(&fixture, &base, "org/fleet");
    run.expect(&forge, 2);
    let body = &forge.bodies()[0];
    assert!(body.contains("could not be fetched"), "{body}");
    assert!(body.contains("The lockfile could not be checked"), "{body}");
    assert!(
        body.contains("The change is to `.fluxwright.yaml`"),
        "{body}"
    );
    // It is over with the next run.
    fixture.git(&["rm", "--quiet", "fluxwright.lock", ".fluxwright.yaml"]);
    fixture.commit();
    run.expect(&forge, 0);
    let body = &forge.bodies()[0];
    assert!(!body.contains('🛑') && !body.contains('⚠'), "{body}");
}

#[test]
fn a_comment_has_room_for_names() {
    let (fixture, base) = changed();
    let forge = Forge::start(Vec::new());
    let mut run = Run::new(&fixture, &base, "org/fleet");
    for end in ["a", "b", "a"] {
        run.values.insert("inputs.name", "x".repeat(70_000) + end);
        run.expect(&forge, 0);
    }
    let bodies = forge.bodies();
    assert_eq!(bodies.len(), 2);
    assert!(bodies.iter().all(|body| body.len() < 2000));
}

/// What is deleted is no file that a pattern could choose, and any file can be
/// part of what is rendered.
#[test]
fn hooks_run_before_every_commit() {
    let text = std::fs::read_to_string(root().join(".pre-commit-hooks.yaml")).unwrap();
    let hooks: Vec<serde_yaml::Value> = serde_yaml::from_str(&text).unwrap();
    assert_eq!(hooks.len(), 2);
    let (fixture, _) = changed();
    fixture.write("fluxwright.lock", "version: 1\nsources: []\n");
    fixture.write(
        "cluster/kustomization.yaml",
        "resources: [flux-system/gotk-sync.yaml, source.yaml, web.yaml]\n",
    );
    let forge = Forge::start(Vec::new());
    let run = Run::new(&fixture, &fixture.head(), "org/fleet");
    assert_eq!(run.step(&forge, "Install").code, 0);
    for outcome in [true, false] {
        for hook in &hooks {
            assert_eq!(hook["always_run"], true);
            assert_eq!(hook["pass_filenames"], false);
            let mut words = hook["entry"].as_str().unwrap().split(' ');
            let program = run.folder.path().join("fluxwright-bin");
            let output = Command::new(program.join(words.next().unwrap()))
                .args(words)
                .current_dir(fixture.path())
                .output()
                .unwrap();
            let log = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.success(), outcome, "{log}");
        }
        let _ = std::fs::remove_file(fixture.path().join("cluster/web.yaml"));
    }
}
