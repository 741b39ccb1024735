//! Encrypted values in builds: see testdata/sops/SOURCE.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::program::{Run, run_with};

fn testdata(path: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/sops");
    folder.join(path).display().to_string()
}

/// Runs `build` over a repository, with all that it may write below `home`.
fn build(root: &str, home: &Path, options: &[&str]) -> Run {
    let cluster = format!("{root}/cluster");
    let args = [&["build", &cluster, "--root", root][..], options].concat();
    let home = home.display().to_string();
    run_with(&args, "", &[("HOME", &home), ("XDG_CACHE_HOME", &home)])
}

fn key() -> String {
    testdata("keys/one.agekey")
}

/// Every file below a folder, with what is in it.
pub(crate) fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let content = std::fs::read(&path).unwrap();
            found.push((path, content));
        }
    }
    found
}

/// What is unpacked, as it is and as gzip holds it.
fn unpacked(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut decoder = flate2::write::GzDecoder::new(&mut out);
    if decoder
        .write_all(content)
        .and_then(|()| decoder.finish().map(drop))
        .is_err()
    {
        out = content.to_vec();
    }
    out
}

/// The secrets of the repository `canary`, whole and in part.
const CANARIES: [&str; 18] = [
    "canary-7d1f-value",
    "7d1f",
    "58417",
    "canary-name-93b2",
    "canary-key-55aa",
    "canary-item-0c3e",
    "canary-line-31c5",
    "canary-widget-44f0",
    "48151623",
    "canary-env-6a6e",
    "canary-json-b0d7",
    "canary-patch-f00c",
    "canary-blob-1e9d",
    "canary-packed-9c21",
    "canary-spoilt-77e1",
    "canary-chart-e5e5",
    "canary-release-2b8a",
    "canary-list-c7c7",
];

/// The same, with nothing in the place of digests in hexadecimal.
fn without_digests(content: &[u8]) -> Vec<u8> {
    let runs = content.chunk_by(|a, b| a.is_ascii_hexdigit() == b.is_ascii_hexdigit());
    let kept = runs.filter(|run| run.len() < 40 || !run[0].is_ascii_hexdigit());
    kept.collect::<Vec<_>>().join(&b' ')
}

/// Searches for canaries in every form that a program might print.
#[track_caller]
pub(crate) fn assert_no_canary(what: &str, content: &[u8]) {
    let content = unpacked(content);
    let without = without_digests(&content);
    for canary in CANARIES {
        let mut forms = vec![
            canary.as_bytes().to_vec(),
            canary.to_uppercase().into_bytes(),
            hex::encode(canary).into_bytes(),
        ];
        // Three ways to begin within a group of base64; its ends depend on
        // what is around.
        for before in 0..3 {
            let packed = STANDARD_NO_PAD.encode([&vec![b' '; before], canary.as_bytes()].concat());
            let inner = packed.get(before + 1..packed.len() - 2).unwrap_or_default();
            if inner.len() > 8 {
                forms.push(inner.as_bytes().to_vec());
            }
        }
        for form in forms {
            // A digest may hold a few digits by chance.
            let content = if form.len() < 8 { &without } else { &content };
            assert!(
                memchr::memmem::find(content, &form).is_none(),
                "`{canary}` is in {what}: {}",
                String::from_utf8_lossy(content)
            );
        }
    }
}

#[test]
fn decrypted_values_are_nowhere() {
    let root = testdata("canary");
    let before = files(Path::new(&root));
    let home = tempfile::tempdir().unwrap();
    let output = home.path().join("rendered");
    let written = output.display().to_string();
    let key = key();
    let stream = build(&root, home.path(), &["--age-key-file", &key]);
    let folder = build(
        &root,
        home.path(),
        &["--age-key-file", &key, "--output-dir", &written],
    );
    for run in [&stream, &folder] {
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert_no_canary("standard output", run.stdout.as_bytes());
        assert_no_canary("standard error", run.stderr.as_bytes());
    }
    let made = files(home.path());
    assert!(made.iter().any(|(path, _)| path.ends_with("index.json")));
    for (path, content) in &made {
        let name = path.display().to_string();
        assert_no_canary("the name of a file", name.as_bytes());
        assert_no_canary(&name, content);
    }
    assert_eq!(files(Path::new(&root)), before);
    snapshot("masked", &without_names(&stream.stdout));
}

/// Compares with a snapshot.
#[track_caller]
fn snapshot(name: &str, text: &str) {
    insta::with_settings!({
        snapshot_path => "../snapshots/secrets",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, { insta::assert_snapshot!(name, text) });
}

/// The stream with digests that depend on the keys of the test data left out.
fn without_names(stream: &str) -> String {
    let digest = regex::Regex::new("secret-[0-9a-f]{32}").unwrap();
    let packed = regex::Regex::new("c2VjcmV0L[0-9A-Za-z]{43}==").unwrap();
    let stream = digest.replace_all(stream, "secret-…");
    packed
        .replace_all(&stream, "(base64 of secret-…)")
        .into_owned()
}

#[test]
fn with_leave_objects_are_printed_as_flux_applies_them() {
    let home = tempfile::tempdir().unwrap();
    let key = key();
    let run = build(
        &testdata("canary"),
        home.path(),
        &["--age-key-file", &key, "--include-secrets"],
    );
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    snapshot("shown", &run.stdout);
}

#[test]
fn without_a_key_placeholders_stand_in_and_are_told() {
    let home = tempfile::tempdir().unwrap();
    let root = testdata("canary");
    let first = build(&root, home.path(), &["--strict-substitute=false"]);
    assert_eq!(first.code, Some(0));
    let again = build(&root, home.path(), &["--strict-substitute=false"]);
    assert_eq!(first, again);
    for name in [
        "Secret/flux-system/canary",
        "Widget/widget",
        "secrets/app.env",
        "secrets/patch.yaml",
    ] {
        assert!(
            first.stderr.contains(&format!("{name}` is not decrypted"))
                || first.stderr.contains(&format!("{name} is not decrypted")),
            "{name}: {}",
            first.stderr
        );
    }
    // The Secret counts as absent.
    assert!(
        first
            .stderr
            .contains("`CANARY` has neither a value nor a default"),
        "{}",
        first.stderr
    );
    let handed = build(
        &root,
        home.path(),
        &[
            "--substitute",
            "CANARY=told",
            "--substitute",
            "PORT=80",
            "--substitute",
            "NAME=web",
            "--substitute",
            "TREE=t",
        ],
    );
    assert_eq!(handed.code, Some(0), "{}", handed.stderr);
    assert!(
        handed.stdout.contains("value: is told"),
        "{}",
        handed.stdout
    );
    snapshot("placeholders", &without_placeholders(&handed.stdout));
}

fn without_placeholders(stream: &str) -> String {
    let digest = regex::Regex::new("encrypted-[0-9a-f]{16}").unwrap();
    let packed = regex::Regex::new("ZW5jcnlwdGVkL[0-9A-Za-z]{23}=").unwrap();
    let name = regex::Regex::new("name: (env|files|same-file)-[a-z0-9]{10}").unwrap();
    let stream = digest.replace_all(stream, "encrypted-…");
    let stream = packed.replace_all(&stream, "(base64 of encrypted-…)");
    name.replace_all(&stream, "name: $1-…").into_owned()
}

#[test]
fn decryption_can_be_required() {
    let home = tempfile::tempdir().unwrap();
    let other = testdata("keys/two.agekey");
    let run = build(
        &testdata("canary"),
        home.path(),
        &["--require-decryption", "--age-key-file", &other],
    );
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("error[sops/key]"), "{}", run.stderr);
    assert!(run.stderr.contains("--age-key-file FILE"), "{}", run.stderr);
    assert!(!run.stdout.contains("kind: Widget"));
}

/// A file, a change of it, and the rule that it breaks.
type Spoilt = (&'static str, fn(&str) -> String, &'static str);

/// A copy of the repository with one file changed.
fn changed(file: &str, change: impl Fn(&str) -> String) -> tempfile::TempDir {
    let root = testdata("canary");
    let copy = tempfile::tempdir().unwrap();
    for (path, content) in files(Path::new(&root)) {
        let name = path.strip_prefix(&root).unwrap();
        let target = copy.path().join(name);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        let content = if name == Path::new(file) {
            let text = String::from_utf8(content).unwrap();
            let new = change(&text);
            assert_ne!(new, text);
            new.into_bytes()
        } else {
            content
        };
        std::fs::write(target, content).unwrap();
    }
    copy
}

#[test]
fn errors_do_not_say_what_is_secret() {
    let objects = "apps/objects.yaml";
    let chart = "chart/templates/all.yaml";
    let cases: [Spoilt; 12] = [
        // What comes of the value is no YAML.
        (
            objects,
            |t| t.replace("part: ${CANARY:7:4}", "part: ${SPOILT}"),
            "subst/invalid",
        ),
        // The value is a name of an object that is there twice.
        (
            objects,
            |t| {
                t.replace("kind: Service\n", "kind: Service\nmetadata: {name: \"${NAME:0:99}\"}\n---\napiVersion: v1\nkind: Service\n")
            },
            "kustomize/conflict",
        ),
        // The value is part of a path.
        (
            objects,
            |t| t.replace("path: ./child", "path: ./${CANARY}"),
            "ref/missing",
        ),
        // A patch that does not fit.
        (
            "secrets/kustomization.yaml",
            |t| {
                t.replace("index: 0", "index: 9").replace(
                    "fieldPath: data.password",
                    "fieldPath: data.password\n    options: {delimiter: '-', index: 9}",
                )
            },
            "kustomize/replacement",
        ),
        // A value within a value, and what functions make of it.
        (
            chart,
            |t| format!("{{{{ fail .Values.password }}}}\n{t}"),
            "helm/template-error",
        ),
        (
            chart,
            |t| format!("{{{{ fail (printf \"user:%s\" .Values.password | b64enc) }}}}\n{t}"),
            "helm/template-error",
        ),
        (
            chart,
            |t| format!("{{{{ semverCompare (upper .Values.password) \"1.0.0\" }}}}\n{t}"),
            "helm/template-error",
        ),
        (chart, |t| format!("{t}---\n{t}"), "kustomize/duplicate-id"),
        // What substitution made of it, in names that lead somewhere.
        (
            objects,
            |t| t.replace("path: ./child", "path: ./${CANARY^^}"),
            "ref/missing",
        ),
        (
            objects,
            |t| t.replace("path: /data/patched", "path: /nothing/${CANARY^^}"),
            "kustomize/json-patch",
        ),
        (
            "apps/release.yaml",
            |t| t.replace("chart: ./chart", "chart: ./${CANARY:7}"),
            "ref/missing",
        ),
        (
            "apps/release.yaml",
            |t| t.replace("kind: GitRepository", "kind: ${CANARY^^}"),
            "source/unavailable",
        ),
    ];
    for (file, change, rule) in cases {
        let root = changed(file, change);
        let home = tempfile::tempdir().unwrap();
        let output = home.path().join("rendered").display().to_string();
        let run = build(
            &root.path().display().to_string(),
            home.path(),
            &["--age-key-file", &key(), "--output-dir", &output],
        );
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        assert!(run.stderr.contains(rule), "{}", run.stderr);
        assert_no_canary("standard error", run.stderr.as_bytes());
        for (path, content) in files(home.path()) {
            assert_no_canary(&path.display().to_string(), &content);
        }
        let root = root.path().display().to_string();
        let cluster = format!("{root}/cluster");
        let key = key();
        let args = ["check", &cluster, "--root", &root, "--age-key-file", &key];
        let run = run_with(&args, "", &[]);
        assert_no_canary("a report", run.stdout.as_bytes());
    }
}

/// What is made for what a secret is has no counterpart among what is made of
/// another value in its place.
#[test]
fn objects_that_depend_on_a_secret_are_secret() {
    let chart = "chart/templates/all.yaml";
    let object = |name: &str, kind: &str| {
        format!("apiVersion: v1\nkind: {kind}\nmetadata: {{name: {name}}}\n")
    };
    let named = object("x-{{ .Values.name }}", "ConfigMap");
    let cases = [
        format!("---\n{{{{ if hasPrefix \"canary\" .Values.name }}}}\n{named}{{{{ end }}}}\n"),
        format!("---\n{}", object("x", "{{ upper .Values.name }}")),
        // The chart takes no other value.
        format!(
            "---\n{{{{ if ne (sha256sum .Values.password | trunc 4) \"7765\" }}}}{{{{ fail \"no\" }}}}{{{{ end }}}}\n{named}"
        ),
    ];
    for more in cases {
        // The name of the chart's own object is one, too.
        let root = changed(chart, |t| format!("{t}{more}"));
        let home = tempfile::tempdir().unwrap();
        let root = root.path().display().to_string();
        let run = build(&root, home.path(), &["--age-key-file", &key()]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert_no_canary("standard output", run.stdout.as_bytes());
        assert!(run.stdout.contains("kind: Deployment"), "{}", run.stdout);
    }
}

#[test]
fn encrypted_files_in_a_config_map_are_told() {
    // The repository has a ConfigMap of the file that a Secret is made of.
    let root = testdata("canary");
    let home = tempfile::tempdir().unwrap();
    let run = build(&root, home.path(), &["--age-key-file", &key()]);
    assert!(!run.stderr.contains("sops/encrypted"), "{}", run.stderr);
    let root = changed("secrets/kustomization.yaml", |t| {
        t.replace("files: [file.json, renamed=blob.txt]", "files: [file.json]")
    });
    let root = root.path().display().to_string();
    let run = build(&root, home.path(), &["--age-key-file", &key()]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let told = "`blob.txt` of ConfigMap/same-file-";
    assert!(run.stderr.contains(told), "{}", run.stderr);
}

/// A lockfile is in clear, and so is what a server is asked for.
#[test]
fn what_is_secret_is_not_locked() {
    let repository = |name: &str, url: &str| {
        format!(
            "---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata: {{name: {name}, \
             namespace: flux-system}}\nspec: {{interval: 1h, url: \"{url}\"}}\n"
        )
    };
    let release = |name: &str, version: &str| {
        format!(
            "---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: {name}, \
             namespace: flux-system}}\nspec: {{interval: 1h, chart: {{spec: {{chart: x, version: \
             \"{version}\", sourceRef: {{kind: HelmRepository, name: {name}}}}}}}}}\n"
        )
    };
    let more = [
        repository("address", "https://localhost:1/${NAME^^}"),
        release("address", "1.0.0"),
        repository("version", "https://localhost:1/charts"),
        release("version", "${CANARY^^}"),
    ]
    .concat();
    let root = changed("apps/objects.yaml", |t| format!("{t}{more}"));
    let home = tempfile::tempdir().unwrap();
    let (path, key) = (root.path().display().to_string(), key());
    let cluster = format!("{path}/cluster");
    let args = ["lock", &cluster, "--root", &path, "--age-key-file", &key];
    let home = home.path().display().to_string();
    let run = run_with(&args, "", &[("HOME", &home), ("XDG_CACHE_HOME", &home)]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    let told = run.stderr.matches("holds a decrypted value").count();
    assert_eq!(told, 2, "{}", run.stderr);
    assert_no_canary("standard error", run.stderr.as_bytes());
    for (path, content) in files(root.path()) {
        let is_lockfile = path.ends_with("fluxwright.lock");
        assert!(!is_lockfile, "{}", String::from_utf8_lossy(&content));
    }
}

#[test]
fn keys_of_the_environment_are_those_of_a_file() {
    let sealed = testdata("canary/secrets/secret.yaml");
    let content = std::fs::read_to_string(key()).unwrap();
    let line = content.lines().find(|l| l.starts_with("AGE")).unwrap();
    let several = std::fs::read_to_string(testdata("keys/two.agekey")).unwrap();
    for keys in [
        format!("# created: today\n# public key: age1x\n{line}\n"),
        line.to_owned(),
        format!(
            "{} {line}",
            several.lines().find(|l| l.starts_with("AGE")).unwrap()
        ),
    ] {
        let run = run_with(&["decrypt", &sealed], "", &[("SOPS_AGE_KEY", &keys)]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert!(run.stdout.contains("canary-7d1f-value"));
    }
}

#[test]
fn what_was_tampered_with_fails_its_kustomization_alone() {
    let cases: [Spoilt; 3] = [
        (
            "secrets/widget.yaml",
            |t| t.replace("clear: shown", "clear: other"),
            "sops/mac",
        ),
        (
            "secrets/secret.yaml",
            |t| {
                t.replace(
                    "    CANARY: ENC[AES256_GCM,data:",
                    "    CANARY: ENC[AES256_GCM,data:AAAA",
                )
            },
            "sops/tampered",
        ),
        (
            "secrets/app.env",
            |t| format!("{t}MORE=x\n"),
            "sops/tampered",
        ),
    ];
    for (file, change, rule) in cases {
        let root = changed(file, change);
        let home = tempfile::tempdir().unwrap();
        let root = root.path().display().to_string();
        let options = ["--age-key-file", &key(), "--strict-substitute=false"];
        let run = build(&root, home.path(), &options);
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        let error = run.stderr.lines().find(|l| l.contains("error[")).unwrap();
        assert!(error.contains(rule), "{}", run.stderr);
        assert!(
            run.stderr.contains(&format!("--> {file}:")),
            "{}",
            run.stderr
        );
        assert!(!run.stdout.contains("kind: Widget") && run.stdout.contains("name: config"));
    }
}
