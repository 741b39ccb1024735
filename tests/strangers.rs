//! Pull requests of strangers: nothing that they contain is run, no address that
//! they name is reached, and what they say is text.

use std::os::unix::fs::symlink;
use std::process::Command;

use crate::ci::{BASE, Forge, Run, changed};
use crate::sources::http::{Answer, Server};

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
    let codes: Vec<i32> = run.steps(&forge).into_iter().map(|s| s.code).collect();
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
        (BASE, "--output=/tmp/x"),
        ("github.event.pull_request.number", "7/../8"),
    ] {
        let mut run = Run::new(&fixture, &base, "mallory/fleet");
        run.values.insert(name, value.to_owned());
        let before = forge.calls().len();
        let failed = run.steps(&forge).into_iter().any(|s| s.code == 2);
        assert!(failed, "{name}");
        let calls = forge.calls();
        assert!(
            calls[before..].iter().all(|c| !c.contains("..")),
            "{calls:?}"
        );
    }
}

/// What a run writes lands where it should, and what it reads from the store was
/// made by runs.
#[test]
fn folders_for_results_are_never_the_requests() {
    let (fixture, base) = changed();
    let elsewhere = tempfile::tempdir().unwrap();
    fixture.write("kept/file", "");
    fixture.write("results/comment.md", "mine");
    symlink(elsewhere.path(), fixture.path().join("link")).unwrap();
    fixture.commit();
    for (folder, is_fine) in [
        ("results", false),
        ("link", false),
        ("link/below", false),
        (".", false),
        ("kept/results", true),
        ("new", true),
    ] {
        for input in ["inputs.report", "inputs.store"] {
            let mut run = Run::new(&fixture, &base, "mallory/fleet");
            let path = fixture.path().join(folder).display().to_string();
            run.values.insert(input, path);
            let forge = Forge::start(Vec::new());
            let step = run.step(&forge, "Check and compare");
            let code = if is_fine { 0 } else { 2 };
            assert_eq!(step.code, code, "{input} {folder}: {}", step.log);
            if !is_fine {
                let told = "is a folder for results, and the repository has something there";
                assert!(step.log.contains(told), "{}", step.log);
            }
        }
    }
    assert_eq!(elsewhere.path().read_dir().unwrap().count(), 0);
    let mine = std::fs::read_to_string(fixture.path().join("results/comment.md"));
    assert_eq!(mine.unwrap(), "mine");
}

/// Lines of the log that GitHub would take for commands.
fn commands(log: &str) -> Vec<&str> {
    let mut stopped = None;
    let mut found = Vec::new();
    for line in log.split(['\n', '\r']) {
        let trimmed = line.trim_start();
        if let Some(token) = stopped {
            if trimmed == format!("::{token}::") {
                stopped = None;
            }
        } else if let Some(token) = trimmed.strip_prefix("::stop-commands::") {
            stopped = Some(token);
        } else if trimmed.starts_with("::") || line.contains("##[") {
            found.push(line);
        }
    }
    assert_eq!(stopped, None);
    found
}

#[test]
fn no_line_of_the_log_is_a_command() {
    assert_eq!(commands("a ##[add-mask]x\n ::error::y").len(), 2);
    let (fixture, base) = changed();
    fixture.write(".fluxwright.yaml", "\"##[add-mask]key\": 1\n");
    fixture.write("fluxwright.lock", "\"##[add-mask]lock\": 1\n");
    fixture.commit();
    for head in ["org/fleet", "mallory/fleet"] {
        let forge = Forge::start(Vec::new());
        let mut run = Run::new(&fixture, &base, head);
        run.variables = vec![("GITHUB_ACTIONS", "true".to_owned())];
        let mut all = String::new();
        for step in run.steps(&forge) {
            assert_eq!(commands(&step.log), Vec::<&str>::new(), "{}", step.name);
            all.push_str(&step.log);
        }
        assert!(all.contains("##[add-mask]key"), "{all}");
    }
}

/// A folder with the files of a bare repository is one for git, settings and all.
#[test]
fn a_repository_within_the_request_is_a_folder() {
    let (fixture, _) = changed();
    fixture.write("sub/fluxwright.lock", "version: 1\nsources: []\n");
    fixture.write("sub/.gitattributes", "* filter=evil\n");
    fixture.commit();
    let base = fixture.head();
    let pwned = tempfile::tempdir().unwrap();
    let script = "git clone --quiet --bare . sub/bare && mv sub/bare/* sub/ && rm -r sub/bare && \
         git --git-dir=sub config filter.evil.smudge \"touch '$1/pwned'; cat\"";
    let made = Command::new("sh")
        .args(["-c", script, "sh", pwned.path().to_str().unwrap()])
        .current_dir(fixture.path())
        .status();
    assert!(made.unwrap().success());
    // Git would take it.
    let inside = Command::new("git")
        .args(["rev-parse", "--is-bare-repository"])
        .current_dir(fixture.path().join("sub"))
        .output();
    assert_eq!(inside.unwrap().stdout, b"true\n");
    fixture.commit();
    let mut run = Run::new(&fixture, &base, "mallory/fleet");
    let path = fixture.path().join("sub").display().to_string();
    run.values.insert("inputs.path", path);
    let step = run.step(&Forge::start(Vec::new()), "Inputs");
    assert_eq!(step.code, 0, "{}", step.log);
    assert_eq!(pwned.path().read_dir().unwrap().count(), 0);
}

/// What brings large files would ask the address that the request names.
#[test]
fn filters_of_the_base_are_not_run() {
    let (fixture, _) = changed();
    fixture.write(
        ".gitattributes",
        "* filter=large\nfluxwright.lock export-ignore\n",
    );
    fixture.write("fluxwright.lock", "version: 1\nsources: []\n");
    fixture.commit();
    let base = fixture.head();
    let ran = tempfile::tempdir().unwrap();
    let smudge = format!("touch '{}/ran'; cat", ran.path().display());
    fixture.git(&["config", "filter.large.smudge", &smudge]);
    let run = Run::new(&fixture, &base, "mallory/fleet");
    let step = run.step(&Forge::start(Vec::new()), "Inputs");
    assert_eq!(step.code, 0, "{}", step.log);
    assert!(step.log.contains("0 inputs are at hand"), "{}", step.log);
    assert_eq!(ran.path().read_dir().unwrap().count(), 0);
}

/// Names are what a request makes them: the comment mentions nobody, links
/// nowhere, and keeps its form.
#[test]
fn the_comment_shows_names_as_text() {
    let (fixture, base) = changed();
    fixture.write("cluster/@org-team [x](https:evil).yaml", "a: [b\n");
    fixture.write(
        "cluster/names.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: \"a\\n\\n@org/team | <img src=x> ``` \
         x\"\n  namespace: shop\n",
    );
    fixture.commit();
    let forge = Forge::start(Vec::new());
    let run = Run::new(&fixture, &base, "mallory/fleet");
    run.steps(&forge);
    std::fs::remove_file(
        fixture
            .path()
            .join("cluster/@org-team [x](https:evil).yaml"),
    )
    .unwrap();
    fixture.commit();
    let whole = Forge::start(Vec::new());
    run.steps(&whole);
    for forge in [forge, whole] {
        let body = &forge.bodies()[0];
        let mut is_fenced = false;
        for line in body.lines() {
            is_fenced ^= line.starts_with("```");
            if !is_fenced {
                assert!(!line.contains("@org"), "{line}");
                assert!(!line.replace("\\]", "").contains("](https"), "{line}");
                assert!(!line.contains("<img"), "{line}");
            }
        }
        assert!(body.contains("org"), "{body}");
    }
}
