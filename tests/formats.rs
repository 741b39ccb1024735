//! The formats of findings against what those who read them ask for.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::program::run;

fn printed(folder: &Path, format: &str) -> String {
    let folder = folder.to_str().unwrap();
    let arguments = ["check", folder, "--output", format, "--fail-on", "never"];
    let output = run(&arguments, "");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    output.stdout
}

/// What a JSON schema of `testdata/report` says of a value; nothing where it
/// holds. The schema is taken for that of a chart's values.
fn refused(schema: &str, value: &Value) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/report/{schema}"));
    std::fs::write(
        at("Chart.yaml"),
        "apiVersion: v2\nname: report\nversion: 1.0.0\n",
    )
    .unwrap();
    std::fs::copy(schema, at("values.schema.json")).unwrap();
    std::fs::write(at("report.json"), value.to_string()).unwrap();
    let chart = folder.path().to_str().unwrap();
    let report = at("report.json");
    let output = run(
        &["template", "r", chart, "-f", report.to_str().unwrap()],
        "",
    );
    (output.code != Some(0)).then_some(output.stderr)
}

/// Findings of every severity, with and without a place and an object.
fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "clusters/prod/flux-system/gotk-sync.yaml",
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: \
         flux-system, namespace: flux-system}\nspec:\n  interval: 1m\n  url: \
         https://git.example.com/fleet\n  ref: {branch: main}\n---\napiVersion: \
         kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: flux-system, \
         namespace: flux-system}\nspec:\n  interval: 10m\n  path: ./clusters/prod\n  prune: true\n  \
         sourceRef: {kind: GitRepository, name: flux-system}\n",
    );
    write("clusters/prod/a web.yaml", WEB);
    write(
        "clusters/prod/secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: default}\nstringData: \
         {\"<a> & 'b'\": hunter2}\n",
    );
    folder
}

const WEB: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: example.com/web}
      - {name: web, image: 'example.com/web:latest'}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: default}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
";

#[test]
fn sarif_is_what_the_standard_asks_for() {
    let folder = repository();
    let log: Value = serde_json::from_str(&printed(folder.path(), "sarif")).unwrap();
    let levels: BTreeSet<&str> = log["runs"][0]["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["level"].as_str().unwrap())
        .collect();
    assert_eq!(levels, BTreeSet::from(["error", "note", "warning"]));
    assert_eq!(refused("sarif.json", &log), None);
    // The schema does refuse what is none.
    for (pointer, value) in [
        ("/version", json!("2.2.0")),
        ("/runs/0/tool/driver/name", json!("")),
        ("/runs/0/tool/driver/rules/0/id", json!(1)),
        ("/runs/0/results/0/level", json!("info")),
        ("/runs/0/results/0/message", json!({})),
        ("/runs/0/results/0/extra", json!(true)),
        (
            "/runs/0/results/0/locations/0/physicalLocation/region/startLine",
            json!(0),
        ),
    ] {
        let mut spoilt = log.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        spoilt.pointer_mut(parent).unwrap()[key] = value;
        assert!(refused("sarif.json", &spoilt).is_some(), "{pointer}");
    }
    // A result's index is that of its rule, whose texts are there.
    let rules = log["runs"][0]["tool"]["driver"]["rules"]
        .as_array()
        .unwrap();
    for result in log["runs"][0]["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(rules[index]["help"]["text"].is_string());
    }
}

#[test]
fn fingerprints_survive_moved_lines_and_no_more() {
    let folder = repository();
    let fingerprints = || -> BTreeSet<String> {
        let log: Value = serde_json::from_str(&printed(folder.path(), "sarif")).unwrap();
        let results = log["runs"][0]["results"].as_array().unwrap().iter();
        results
            .map(|result| {
                let name = &result["partialFingerprints"]["fluxwright/v1"];
                name.as_str().unwrap().to_owned()
            })
            .collect()
    };
    let before = fingerprints();
    assert!(before.len() > 3);
    let web = folder.path().join("clusters/prod/a web.yaml");
    let above = "# moved\n\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: new, namespace: \
                 default}\n---\n";
    std::fs::write(&web, format!("{above}{WEB}")).unwrap();
    assert_eq!(fingerprints(), before);
    // One finding less, and all others as they were.
    std::fs::write(
        &web,
        WEB.replace("example.com/web:latest", "example.com/web:1.0.0"),
    )
    .unwrap();
    let after = fingerprints();
    assert_eq!(before.difference(&after).count(), 1);
    assert_eq!(after.difference(&before).count(), 0);
    // An object of another name is another finding.
    std::fs::write(&web, WEB.replace("name: data", "name: other")).unwrap();
    let renamed = fingerprints();
    assert_eq!(before.difference(&renamed).count(), 1);
    assert_eq!(renamed.difference(&before).count(), 1);
}

#[test]
fn gitlab_takes_the_report() {
    let folder = repository();
    let issues: Value = serde_json::from_str(&printed(folder.path(), "gitlab")).unwrap();
    let report = json!({"issues": issues});
    assert_eq!(refused("gitlab.json", &report), None);
    let list = issues.as_array().unwrap();
    let names: BTreeSet<&str> = list
        .iter()
        .map(|issue| issue["fingerprint"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), list.len());
    let mut spoilt = report;
    spoilt["issues"][0]["severity"] = json!("error");
    assert!(refused("gitlab.json", &spoilt).is_some());
}

/// An element of XML: its name, its attributes, what is in it.
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    children: Vec<Element>,
}

/// Reads XML without comments and sections; panics where it is not well-formed.
fn read(xml: &str) -> Element {
    let mut rest = xml
        .strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>")
        .unwrap();
    let mut open = vec![Element {
        name: String::new(),
        attributes: Vec::new(),
        children: Vec::new(),
    }];
    while let Some(start) = rest.find('<') {
        let text = &rest[..start];
        assert!(!text.contains('>'), "{text}");
        for (at, _) in text.match_indices('&') {
            assert!(text[at..].contains(';'), "{text}");
        }
        let end = start + rest[start..].find('>').unwrap();
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let done = open.pop().unwrap();
            assert_eq!(done.name, name);
            open.last_mut().unwrap().children.push(done);
            continue;
        }
        let alone = tag.ends_with('/');
        let tag = tag.trim_end_matches('/');
        let (name, mut text) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut attributes = Vec::new();
        while let Some((key, after)) = text.split_once("=\"") {
            let (value, after) = after.split_once('"').unwrap();
            assert!(!value.contains('<'), "{value}");
            attributes.push((key.trim().to_owned(), value.to_owned()));
            text = after;
        }
        assert_eq!(text.trim(), "");
        let element = Element {
            name: name.to_owned(),
            attributes,
            children: Vec::new(),
        };
        if alone {
            open.last_mut().unwrap().children.push(element);
        } else {
            open.push(element);
        }
    }
    assert_eq!(open.len(), 1);
    open.remove(0).children.remove(0)
}

impl Element {
    fn attribute(&self, name: &str) -> &str {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        &found
            .unwrap_or_else(|| panic!("{} has no {name}", self.name))
            .1
    }

    fn number(&self, name: &str) -> usize {
        self.attribute(name).parse().unwrap()
    }
}

#[test]
fn junit_counts_what_is_in_it() {
    let folder = repository();
    let suites = read(&printed(folder.path(), "junit"));
    assert_eq!(suites.name, "testsuites");
    let mut total = 0;
    for suite in &suites.children {
        assert_eq!(suite.name, "testsuite");
        assert!(!suite.attribute("name").is_empty());
        assert_eq!(suite.number("tests"), suite.children.len());
        let failed = suite.children.iter().filter(|c| !c.children.is_empty());
        assert_eq!(suite.number("failures"), failed.count());
        total += suite.children.len();
        for case in &suite.children {
            assert_eq!(case.name, "testcase");
            assert!(!case.attribute("name").is_empty() && !case.attribute("classname").is_empty());
            for failure in &case.children {
                assert_eq!(failure.name, "failure");
                assert!(["error", "warning"].contains(&failure.attribute("type")));
                assert!(!failure.attribute("message").is_empty());
            }
        }
    }
    assert_eq!(suites.number("tests"), total);
    assert!(total > 3);
}

#[test]
fn github_takes_every_line_for_a_command() {
    let folder = repository();
    let text = printed(folder.path(), "github");
    for line in text.lines() {
        let command = line.strip_prefix("::").unwrap_or_else(|| panic!("{line}"));
        let (head, data) = command.split_once("::").unwrap();
        let (name, properties) = head.split_once(' ').unwrap();
        assert!(["error", "warning", "notice"].contains(&name), "{line}");
        assert!(!data.is_empty());
        for property in properties.split(',') {
            let (key, value) = property.split_once('=').unwrap();
            assert!(["file", "line", "col", "title"].contains(&key), "{line}");
            assert!(!value.is_empty() && !value.contains(':'), "{line}");
        }
    }
    assert!(text.lines().count() > 3);
}
