//! Templates that never end, or grow without end: each is refused, within the
//! limits that hold when nothing is said. And more objects than anybody has.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::Instant;

use crate::program::run;

/// What a template does, and itself.
const TEMPLATES: &[(&str, &str)] = &[
    (
        "includes itself",
        r#"{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}"#,
    ),
    (
        "includes itself by way of another",
        r#"{{ define "a" }}{{ include "b" . }}{{ end }}{{ define "b" }}{{ include "a" . }}{{ end }}{{ include "a" . }}"#,
    ),
    (
        "is its own value",
        r#"{{ $_ := set .Values "t" "{{ tpl .Values.t . }}" }}{{ tpl .Values.t . }}"#,
    ),
    (
        "counts without end",
        "{{ range 9223372036854775807 }}{{ end }}",
    ),
    (
        "writes without end",
        "{{ range 2000000000 }}xxxxxxxx{{ end }}",
    ),
    (
        "counts within counting",
        "{{ range until 9999 }}{{ range until 9999 }}{{ end }}{{ end }}",
    ),
    ("makes a large list", "{{ untilStep 0 2000000000 1 | len }}"),
    ("repeats", r#"{{ $x := repeat 2000000000 "x" }}"#),
    (
        "repeats what repeats",
        r#"{{ repeat 100000 (repeat 100000 "x") }}"#,
    ),
    (
        "indents far",
        r#"{{ repeat 100000 "\n" | indent 1000000 }}"#,
    ),
    (
        "pads far",
        r#"{{ range until 3000 }}{{ printf "%999999d" 1 }}{{ end }}"#,
    ),
    (
        "replaces by much",
        r#"{{ repeat 1000000 "x" | replace "x" (repeat 100000 "y") }}"#,
    ),
    (
        "joins by much",
        r#"{{ splitList "" (repeat 100000 "x") | join (repeat 100000 "y") }}"#,
    ),
    (
        "quotes one text often",
        r#"{{ $s := repeat 1000000 "\"" }}{{ $l := list }}{{ range until 1000 }}{{ $l = append $l $s }}{{ end }}{{ toYaml $l | len }}"#,
    ),
    (
        "doubles a text",
        r#"{{ $s := "xx" }}{{ range until 64 }}{{ $s = print $s $s }}{{ end }}"#,
    ),
    (
        "doubles a list",
        "{{ $l := list 1 2 }}{{ range until 64 }}{{ $l = concat $l $l }}{{ end }}",
    ),
    (
        "doubles a dict, and copies it",
        r#"{{ $d := dict "a" 1 }}{{ range until 60 }}{{ $d = dict "a" $d "b" $d }}{{ end }}{{ deepCopy $d | len }}"#,
    ),
    (
        "doubles a dict, and prints it",
        r#"{{ $d := dict "a" 1 }}{{ range until 60 }}{{ $d = dict "a" $d "b" $d }}{{ end }}{{ toYaml $d | len }}"#,
    ),
    (
        "doubles two dicts, and compares them",
        r#"{{ $d := dict "a" 1 }}{{ $e := dict "a" 1 }}{{ range until 60 }}{{ $d = dict "a" $d "b" $d }}{{ $e = dict "a" $e "b" $e }}{{ end }}{{ deepEqual $d $e }}"#,
    ),
    (
        "makes many dicts",
        r#"{{ $l := list }}{{ range until 9000000 }}{{ $l = append $l (dict "a" . "b" .) }}{{ end }}"#,
    ),
    (
        "splits into many",
        r#"{{ split "" (repeat 10000000 "x") | len }}"#,
    ),
    (
        "prints a list at a deep place",
        r#"{{ $d := until 2000000 }}{{ range until 400 }}{{ $d = dict "a" $d }}{{ end }}{{ toYaml $d | len }}"#,
    ),
    (
        "reads much YAML",
        r#"{{ fromYaml (printf "a: [%s]" (repeat 20000000 "x,")) | len }}"#,
    ),
    (
        "makes keys",
        r#"{{ range until 100000 }}{{ $x := genPrivateKey "ecdsa" }}{{ end }}"#,
    ),
    (
        "hashes much",
        r#"{{ $s := repeat 1000000 "x" }}{{ range until 100000 }}{{ $x := sha256sum $s }}{{ end }}"#,
    ),
    (
        "compiles many patterns",
        r#"{{ range $i := until 100000 }}{{ $_ := regexMatch (printf "[^a]%d\\pL" $i) "xé" }}{{ end }}"#,
    ),
    (
        "looks for files by much",
        r#"{{ range until 1000000 }}{{ $_ := $.Files.Glob (repeat 200 "{*,**}") }}{{ end }}"#,
    ),
    (
        "reads a file again and again",
        r#"{{ range until 1000000 }}{{ $_ := $.Files.Lines "lines.txt" }}{{ end }}"#,
    ),
    (
        "prints its values again and again",
        "{{ range 2000000000 }}{{ $_ := $.Values.YAML }}{{ end }}",
    ),
    (
        "sorts again and again",
        r#"{{ $l := splitList "" (repeat 100000 "ba") }}{{ range until 10000 }}{{ $_ := sortAlpha $l }}{{ end }}"#,
    ),
    (
        "reads much JSON",
        r#"{{ fromJsonArray (printf "[1%s]" (repeat 20000000 ",1")) | len }}"#,
    ),
    (
        "reads much TOML",
        r#"{{ fromToml (repeat 5000000 "a = 1\n") }}"#,
    ),
    (
        "writes TOML within TOML",
        r#"{{ $l := dict "a" 1 }}{{ range until 60 }}{{ $l = dict "a" $l "b" $l }}{{ end }}{{ toToml $l }}"#,
    ),
    (
        "makes template after template",
        r#"{{ range $i := until 1000000 }}{{ $_ := tpl (printf "{{ %d }}" $i) $ }}{{ end }}"#,
    ),
    (
        "makes a large template",
        r#"{{ tpl (repeat 20000000 "{{ 1 }}") . | len }}"#,
    ),
    (
        "writes too many objects",
        "{{ range until 600000 }}\n---\na: 1\n{{ end }}",
    ),
    (
        "finds what may be longer at every place",
        r#"{{ regexFindAll "a.*b|a" (repeat 100000 "a") -1 | len }}"#,
    ),
    (
        "matches at every place",
        r#"{{ $s := repeat 1000000 "a" }}{{ range until 10000 }}{{ $x := regexMatch "(a*)*b" $s }}{{ end }}"#,
    ),
];

/// Virtual memory in KiB: a gibibyte, and the program, its stacks and what the
/// allocator reserves.
const MEMORY: u32 = 1_800_000;

#[cfg(target_os = "linux")]
#[test]
fn templates_that_never_end_are_refused() {
    let program = env!("CARGO_BIN_EXE_fluxwright");
    for (what, template) in TEMPLATES {
        let chart = tempfile::tempdir().unwrap();
        let path = chart.path();
        fs::create_dir(path.join("templates")).unwrap();
        fs::write(
            path.join("Chart.yaml"),
            "apiVersion: v2\nname: c\nversion: 1.0.0\n",
        )
        .unwrap();
        fs::write(path.join("lines.txt"), "x\n".repeat(50_000)).unwrap();
        fs::write(path.join("templates/x.yaml"), template).unwrap();
        // Fewer steps than by default: this is not an optimised program.
        let command =
            format!("ulimit -v {MEMORY} && exec '{program}' template r . --max-steps 6000000");
        let output = Command::new("sh")
            .args(["-c", &command])
            .current_dir(path)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.len() < 4000, "{what} has a long answer");
        assert_eq!(output.status.code(), Some(2), "{what}: {said}");
        assert!(output.stdout.is_empty(), "{what}");
        // Helm itself refuses what includes itself.
        let is_limit = said.contains("error[helm/limit]") && said.contains("= help: ");
        let is_nested = said.contains("has a nested reference name");
        assert!(is_limit || is_nested, "{what}: {said}");
        assert!(said.contains("x.yaml:1:"), "{what}: {said}");
    }
}

/// A hundred Kustomizations, each with five hundred ConfigMaps and as many pods,
/// the n-th of which waits for the ConfigMap that `name` gives.
fn many_objects(root: &std::path::Path, name: impl Fn(usize) -> String) {
    let flux =
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: k";
    let mut sync = String::new();
    for k in 0..100 {
        write!(
            sync,
            "---\n{flux}{k}, namespace: flux-system}}\nspec:\n  interval: 10m\n  path: \
             ./apps/{k}\n  prune: true\n  sourceRef: {{kind: GitRepository, name: flux-system}}\n"
        )
        .unwrap();
        let mut objects = String::new();
        for n in k * 500..(k + 1) * 500 {
            write!(
                objects,
                "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings-{n}, namespace: \
                 apps}}\n---\napiVersion: v1\nkind: Pod\nmetadata: {{name: pod-{n}, namespace: \
                 apps}}\nspec: {{containers: [{{name: a, image: 'a:1', envFrom: [{{configMapRef: \
                 {{name: {}}}}}]}}]}}\n",
                name(n)
            )
            .unwrap();
        }
        let folder = root.join(format!("apps/{k}"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("objects.yaml"), objects).unwrap();
    }
    fs::create_dir_all(root.join("clusters/a")).unwrap();
    fs::write(root.join("clusters/a/sync.yaml"), sync).unwrap();
}

#[test]
fn a_hundred_thousand_objects_are_checked() {
    let start = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let check = |more: &[&str]| {
        let arguments = [&["check", root.to_str().unwrap()], more].concat();
        run(&arguments, "")
    };
    // One of them is wrong, and is found.
    many_objects(root, |n| match n {
        49_999 => "setting-49999".to_owned(),
        n => format!("settings-{n}"),
    });
    let one = check(&[]);
    assert_eq!(one.code, Some(0), "{}", one.stderr);
    assert!(
        one.stderr.contains("100100 objects: 1 warning"),
        "{}",
        one.stderr
    );
    assert!(one.stdout.contains("did you mean `settings-49999`?"));
    // All of them are: each is told, and the first ones with what was meant.
    many_objects(root, |n| format!("setting-{n}"));
    let all = check(&["--rule", "ref", "--output", "json"]);
    let told = all.stdout.matches("and the pods wait for it").count();
    assert_eq!(told, 50_000);
    assert!(all.stdout.contains("did you mean `settings-0`?"));
    // Without optimisation, on a busy machine; each with each would take days.
    assert!(start.elapsed().as_secs() < 300, "{:?}", start.elapsed());
}
