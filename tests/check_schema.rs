//! `fluxwright check schema FILE…`

use crate::program::run;

fn check(args: &[&str], manifest: &str) -> crate::program::Run {
    let args = [&["check", "schema", "-"], args].concat();
    run(&args, manifest)
}

fn assert_shown(name: &str, text: &str) {
    insta::with_settings!({
        snapshot_path => "../snapshots/check_schema",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, { insta::assert_snapshot!(name, text) });
}

const RELEASE: &str = "\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: web
  namespace: apps
spec:
  interval: 5 minutes
  chartRef:
    kind: OciRepository
    name: web
  upgrade:
    remediateLastFailure: yes
    crds: CreateReplace
  values:
    anything: [at, all]
";

#[test]
fn what_is_right_is_quiet() {
    let manifest = RELEASE
        .replace("5 minutes", "5m")
        .replace("OciRepository", "OCIRepository")
        .replace("    remediateLastFailure: yes\n", "");
    let done = check(&[], &manifest);
    assert_eq!((done.code, &*done.stdout), (Some(0), ""));
    assert_eq!(done.stderr, "1 object: nothing is wrong\n");
    let done = check(&["--output", "json"], &manifest);
    assert_eq!((done.code, &*done.stdout), (Some(0), "[]\n"));
}

#[test]
fn what_is_wrong_is_shown_with_its_line() {
    let done = check(&[], RELEASE);
    assert_eq!(done.code, Some(1));
    assert_shown("flux", &done.stdout);
    insta::assert_snapshot!(done.stderr, @"1 object: 3 errors");
}

#[test]
fn builtin_kinds_are_held_to_what_the_api_server_takes() {
    let manifest = "\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: numbers, labels: {a b: c}}
  data: {port: 80, flag: on, text: null}
- apiVersion: v1
  kind: Pod
  metadata: {name: a..b}
  spec:
    restartPolicy:
    containers:
    - name: web
      image: nginx
      ports: [{containerPort: http}]
      resources: {limits: {cpu: 1, memory: 1 GB}}
    - name: web
      livenessProbe: {httpGet: {port: 1.5}}
";
    let done = check(&[], manifest);
    assert_shown("builtin", &done.stdout);
}

#[test]
fn rules_in_cel_are_asked_where_the_schema_holds() {
    let manifest = "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: Bucket
metadata: {name: files, namespace: apps}
spec:
  interval: 5m
  bucketName: files
  endpoint: s3.example.org
  secretRef: {name: files}
  serviceAccountName: files
";
    let done = check(&[], manifest);
    assert_shown("cel", &done.stdout);
    // A violation of the schema comes first.
    let done = check(&["--output", "json"], &manifest.replace("5m", "soon"));
    assert!(done.stdout.contains("schema/invalid\""));
    assert!(!done.stdout.contains("schema/invalid-cel"));
}

#[test]
fn versions_that_are_not_served() {
    let manifest = "\
apiVersion: batch/v1beta1
kind: CronJob
metadata: {name: nightly}
---
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: {name: gpu}
---
apiVersion: v1
kind: ConfigMapp
metadata: {name: typo}
---
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImageRepository
metadata: {name: web}
spec: {image: nginx, interval: 5m}
---
apiVersion: extensions/v1beta1
kind: Deployment
metadata: {name: old}
";
    let done = check(&["--kube-version", "1.33"], manifest);
    assert_shown("versions", &done.stdout);
    let older = check(
        &["--kube-version", "v1.34.2", "--flux-version", "2.8"],
        manifest,
    );
    assert!(!older.stdout.contains("api/unavailable"));
    assert!(!older.stdout.contains("ImageRepository"));
    let unknown = check(&["--kube-version", "1.20"], manifest);
    assert_eq!(unknown.code, Some(2));
}

const DEFINITION: &str = "\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: things.example.org
spec:
  group: example.org
  scope: Namespaced
  names: {kind: Thing, plural: things}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [size]
            properties:
              size: {type: integer, minimum: 1}
              mode: {type: string, default: small}
            x-kubernetes-validations:
            - rule: \"self.mode == 'small' ? self.size < 10 : true\"
              message: small things are small
";

const THING: &str = "\
apiVersion: example.org/v1
kind: Thing
metadata: {name: one}
spec: {size: 20}
";

#[test]
fn definitions_among_the_files_and_beside_them_count() {
    let folder = tempfile::tempdir().unwrap();
    let crds = folder.path().join("crds");
    std::fs::create_dir(&crds).unwrap();
    std::fs::write(crds.join("thing.yaml"), DEFINITION).unwrap();
    let crds = crds.to_str().unwrap();

    let unknown = check(&[], THING);
    assert_eq!(unknown.code, Some(0));
    assert_shown("unknown", &unknown.stdout);
    assert_eq!(check(&["--require-schemas"], THING).code, Some(1));

    let given = check(&["--crds", crds], THING);
    assert_eq!(given.code, Some(1));
    assert_shown("given", &given.stdout);
    let beside = check(&[], &format!("{DEFINITION}---\n{THING}"));
    assert!(beside.stdout.contains("small things are small"));
    assert!(beside.stdout.contains("<stdin>:30:"));

    // What is wrong in a definition that is given stops the run.
    std::fs::write(
        folder.path().join("crds/thing.yaml"),
        DEFINITION.replace("  group: example.org\n", ""),
    )
    .unwrap();
    let wrong = check(&["--crds", crds], THING);
    assert_eq!((wrong.code, &*wrong.stdout), (Some(2), ""));
    assert!(
        wrong
            .stderr
            .contains("error[schema/definition]: `group` is missing")
    );
}

#[test]
fn definitions_that_come_along_give_warnings() {
    let manifest = "\
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: web}
spec: {secretName: web, issuerRef: {name: ca}, dnsName: web.example.org}
";
    let done = check(&[], manifest);
    assert_eq!(done.code, Some(0));
    assert_shown("catalog", &done.stdout);
}

#[test]
fn sealed_secrets_are_taken_for_what_they_will_be() {
    let manifest = "\
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  ports:
  - port: ENC[AES256_GCM,data:abcd,iv:e=,tag:f=,type:int]
sops:
  mac: ENC[AES256_GCM,data:abcd,iv:e=,tag:f=,type:str]
";
    assert_eq!(check(&[], manifest).code, Some(0));
    let unsealed = manifest.split("sops:").next().unwrap();
    assert_eq!(check(&[], unsealed).code, Some(1));
}

#[test]
fn what_is_no_manifest_is_told() {
    for (text, rule) in [
        ("a: [1", "yaml/invalid"),
        ("a: 1\na: 2\n", "yaml/invalid"),
        ("- a\n", "yaml/invalid"),
        ("{{ .Values.x }}: 1\n", "yaml/invalid"),
        ("kind: Pod\n", "schema/invalid"),
        ("apiVersion: v1\nkind: Pod\n", "schema/invalid"),
    ] {
        let done = check(&["--output", "json"], text);
        assert_eq!(done.code, Some(1), "{text}");
        assert!(
            done.stdout.contains(&format!("\"rule\": \"{rule}\"")),
            "{text}: {}",
            done.stdout
        );
    }
    for text in ["", "---\n", "# nothing\n---\n# at all\n"] {
        assert_eq!(check(&[], text).code, Some(0), "{text}");
    }
    let missing = run(&["check", "schema", "no/such/file.yaml"], "");
    assert_eq!(missing.code, Some(2));
    assert!(missing.stderr.contains("no such file: `no/such/file.yaml`"));
}

#[test]
fn folders_are_gone_through_in_order() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        (
            "b/two.yml",
            "apiVersion: v1\nkind: Podd\nmetadata: {name: two}\n",
        ),
        (
            "a/one.yaml",
            "apiVersion: v1\nkind: Podd\nmetadata: {name: one}\n",
        ),
        (
            "a/three.json",
            "{\"apiVersion\":\"v1\",\"kind\":\"Podd\",\"metadata\":{\"name\":\"three\"}}",
        ),
        ("a/.hidden.yaml", "not: [a manifest"),
        ("a/notes.txt", "not: [a manifest"),
    ] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let root = folder.path().to_str().unwrap();
    let one = run(
        &["check", "schema", root, "--output", "json", "--jobs", "1"],
        "",
    );
    let two = run(
        &["check", "schema", root, "--output", "json", "--jobs", "2"],
        "",
    );
    assert_eq!(one.stdout, two.stdout);
    let files: Vec<&str> = one
        .stdout
        .lines()
        .filter_map(|line| line.trim().strip_prefix("\"file\": \""))
        .map(|file| file.trim_end_matches("\",").strip_prefix(root).unwrap())
        .collect();
    assert_eq!(files, ["/a/one.yaml", "/a/three.json", "/b/two.yml"]);
}

#[test]
fn schemas_of_further_kinds_lie_where_the_user_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("example.org");
    std::fs::create_dir(&path).unwrap();
    let schema = r##"{"type": "object", "properties": {"spec": {"$ref": "#/definitions/spec"}},
        "definitions": {"spec": {"type": "object", "additionalProperties": false,
            "properties": {"size": {"type": ["integer", "null"], "exclusiveMinimum": 20},
                           "inner": {"$ref": "#/definitions/spec"}}}}}"##;
    std::fs::write(path.join("thing_v1.json"), schema).unwrap();
    let template = format!(
        "{}/{{{{ .Group }}}}/{{{{ .ResourceKind }}}}_{{{{ .ResourceAPIVersion }}}}.json",
        folder.path().display()
    );
    let args = ["--schema-location", &template, "--require-schemas"];
    let done = check(
        &args,
        &THING.replace("20", "20, sise: 3, inner: {inner: {x: 1}}"),
    );
    assert_shown("located", &done.stdout);
    assert_eq!(check(&args, &THING.replace("20", "null")).code, Some(0));

    std::fs::write(path.join("thing_v1.json"), "{\"type\": \"objekt\"}").unwrap();
    let wrong = check(&args, THING);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("there is no type `objekt`"));
    let remote = check(&["--schema-location", "https://example.org/s.json"], THING);
    assert_eq!(remote.code, Some(2));
}

/// A definition whose `spec` is as given, and an object of it.
fn trap(spec: &str, value: &str) -> String {
    format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: \
         traps.example.com}}\nspec:\n  group: example.com\n  scope: Namespaced\n  names: {{kind: Trap, \
         plural: traps}}\n  versions:\n  - name: v1\n    served: true\n    storage: true\n    \
         schema:\n      openAPIV3Schema:\n        type: object\n        properties:\n          \
         spec: {spec}\n---\napiVersion: example.com/v1\nkind: Trap\nmetadata: {{name: a}}\nspec: \
         {value}\n"
    )
}

#[test]
fn patterns_and_rules_without_end_are_bounded_and_told() {
    let start = std::time::Instant::now();
    let many = "a".repeat(50_000) + "!";
    let numbers: Vec<String> = (0..2000).map(|i| i.to_string()).collect();
    for (spec, value, told) in [
        (
            "{type: object, properties: {a: {type: string, pattern: '^(a+)+(a|aa)*$'}}}",
            format!("{{a: {many}}}"),
            "does not match the pattern `^(a+)+(a|aa)*$`",
        ),
        (
            "{type: object, properties: {a: {type: string, pattern: \
             '((a{1,1000}){1,1000}){1,1000}'}}}",
            "{a: b}".to_owned(),
            "the schema's pattern is no regular expression",
        ),
        (
            "{type: object, x-kubernetes-validations: [{rule: \"self.a.matches('^(a+)+$')\"}], \
             properties: {a: {type: string}}}",
            format!("{{a: {many}}}"),
            "the rule does not hold",
        ),
        (
            "{type: object, x-kubernetes-validations: [{rule: 'self.l.all(a, self.l.all(b, \
             self.l.all(c, self.l.all(d, a + b + c + d < 999999))))'}], properties: {l: {type: \
             array, items: {type: integer}}}}",
            format!("{{l: [{}]}}", numbers.join(", ")),
            "the rules of the definition take too many steps",
        ),
    ] {
        let done = check(&[], &trap(spec, &value));
        assert_eq!(done.code, Some(1), "{spec}");
        assert!(done.stdout.contains(told), "{spec}: {}", done.stderr);
    }
    // Without optimisation, on a busy machine; without bounds it has no end.
    assert!(start.elapsed().as_secs() < 300, "{:?}", start.elapsed());
}

/// The value of `next` so many levels deep.
fn nested(levels: usize, inner: &str) -> String {
    "{next: ".repeat(levels) + inner + &"}".repeat(levels)
}

#[test]
fn schemas_that_refer_to_themselves_come_to_an_end() {
    let start = std::time::Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("thing.json");
    let template = path.display().to_string();
    let judged = |schema: &str, spec: &str| {
        std::fs::write(&path, schema).unwrap();
        let manifest = format!(
            "apiVersion: example.org/v1\nkind: Thing\nmetadata: {{name: a}}\nspec: {spec}\n"
        );
        check(
            &["--schema-location", &template, "--require-schemas"],
            &manifest,
        )
    };

    // One that applies itself to the same value has no meaning, and is told.
    for (schema, told) in [
        (
            r##"{"type":"object","properties":{"spec":{"$ref":"#/definitions/a"}},"definitions":{
                "a":{"allOf":[{"$ref":"#/definitions/b"}]},
                "b":{"allOf":[{"$ref":"#/definitions/a"}],
                     "properties":{"next":{"$ref":"#/definitions/a"}}}}}"##,
            "one and the same value: `a` → `b` → `a`",
        ),
        (r##"{"$ref":"#"}"##, "one and the same value: `#` → `#`"),
        (
            r##"{"properties":{"spec":{"$ref":"#/$defs/a"}},"$defs":{
                "a":{"properties":{"b":{"$ref":"#/$defs/b"}},"not":{"$ref":"#/$defs/b"}},
                "b":{"anyOf":[{"type":"string"},{"$ref":"#/$defs/a"}]}}}"##,
            "one and the same value: `a` → `b` → `a`",
        ),
    ] {
        let done = judged(schema, &nested(200, "{}"));
        assert_eq!(done.code, Some(2), "{}", done.stdout);
        assert!(done.stderr.contains(told), "{}", done.stderr);
        assert!(done.stderr.contains("error[schema/definition]"));
        assert!(done.stderr.contains("thing.json:"), "{}", done.stderr);
        assert!(done.stderr.contains("= help: take this reference out"));
    }

    // One that describes what lies deeper is what it says.
    let list = r##"{"type":"object","properties":{"spec":{"$ref":"#/definitions/a"},
        "like":{"$ref":"#"}},"definitions":{"a":{"type":"object","additionalProperties":false,
        "properties":{"next":{"allOf":[{"$ref":"#/definitions/a"}]}}}}}"##;
    let done = judged(list, &nested(500, "{}"));
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    let done = judged(list, &nested(500, "{nxt: 1}"));
    assert_eq!(done.code, Some(1));
    assert!(done.stdout.contains("unknown field `nxt`"));
    let done = judged(list, "{}\nlike: {like: {spec: {nxt: 1}}}");
    assert_eq!(done.code, Some(1));
    assert!(done.stdout.contains("unknown field `nxt`"));
    // Deeper than any document may be.
    let done = judged(list, &nested(10_000, "{}"));
    assert_eq!(done.code, Some(1));
    assert!(done.stdout.contains("nest deeper than 512 levels"));

    // Branches that each go into the same value double at every level, and
    // some nest a long way before they do.
    let twice = r##"{"allOf":[{"properties":{"next":{"$ref":"#/definitions/a"}}},
                              {"properties":{"next":{"$ref":"#/definitions/a"}}}]}"##;
    let far = r#"{"allOf":["#.repeat(200)
        + r##"{"properties":{"next":{"$ref":"#/definitions/a"}}}"##
        + &"]}".repeat(200);
    for (a, told) in [
        (twice.to_owned(), "too many alternatives to try"),
        (
            twice.replace("allOf", "anyOf"),
            "too many alternatives to try",
        ),
        (far, ""),
    ] {
        let schema = format!(
            r##"{{"properties":{{"spec":{{"$ref":"#/definitions/a"}}}},"definitions":{{"a":{a}}}}}"##
        );
        let done = judged(&schema, &nested(300, "{}"));
        assert_eq!(
            done.code,
            Some(i32::from(!told.is_empty())),
            "{}",
            done.stderr
        );
        assert!(done.stdout.contains(told), "{}", done.stdout);
    }

    // A long chain of definitions.
    let chain: Vec<String> = (0..3000)
        .map(|i| {
            format!(
                r##""d{i}":{{"allOf":[{{"$ref":"#/definitions/d{}"}}]}}"##,
                i + 1
            )
        })
        .collect();
    let schema = format!(
        r##"{{"properties":{{"spec":{{"$ref":"#/definitions/d0"}}}},"definitions":{{{},
            "d3000":{{"type":"string"}}}}}}"##,
        chain.join(",")
    );
    let done = judged(&schema, "{}");
    assert!(done.stdout.contains("expected a string"), "{}", done.stdout);
    // Without optimisation, on a busy machine; without bounds it has no end.
    assert!(start.elapsed().as_secs() < 300, "{:?}", start.elapsed());
}
