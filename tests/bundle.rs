//! `fluxwright bundle` over a repository, as a user runs it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::diff::Fixture;
use crate::program::{Run, run_with};

fn bundle(args: &[&str]) -> Run {
    let all: Vec<&str> = ["bundle"].iter().chain(args).copied().collect();
    run_with(&all, "", &[])
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn key(name: &str) -> String {
    format!("{}/testdata/bundle/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_bundle_is_the_same_wherever_it_is_made() {
    let mut bundles = Vec::new();
    for jobs in ["1", "16"] {
        let fixture = Fixture::new();
        let out = fixture.path().join(".out");
        let tar = fixture.path().join(".out.tar");
        for output in [&out, &tar] {
            let run = bundle(&[
                "create",
                text(fixture.path()),
                "--output",
                text(output),
                "--tag",
                "v1",
                "--jobs",
                jobs,
            ]);
            assert_eq!(run.code, Some(0), "{}", run.stderr);
            bundles.push(run.stdout);
        }
        bundles.push(format!("{:x?}\n", fs::read(&tar).unwrap()));
    }
    assert_eq!(bundles[0], bundles[1]);
    let (first, second) = bundles.split_at(3);
    assert_eq!(first, second);
    assert!(bundles[0].starts_with("sha256:"), "{}", bundles[0]);
}

#[test]
fn signatures_are_confirmed_by_openssl() {
    let fixture = Fixture::new();
    let out = fixture.path().join(".out");
    let out = text(&out);
    let private = fs::read_to_string(key("p256.key")).unwrap();
    let run = run_with(
        &[
            "bundle",
            "create",
            text(fixture.path()),
            "--output",
            out,
            "--key",
            "env://KEY",
        ],
        "",
        &[("KEY", &private)],
    );
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let run = bundle(&["verify", out, "--key", &key("p256.pub")]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(
        run.stdout.contains("is signed by key SHA256:"),
        "{}",
        run.stdout
    );
    let run = bundle(&["verify", out, "--key", &key("ed25519.pub")]);
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr.contains("error[trust/unknown-key]"),
        "{}",
        run.stderr
    );

    // The signature as a program that knows nothing of fluxwright sees it.
    let json = |path: &str| -> serde_json::Value {
        serde_json::from_slice(&fs::read(format!("{out}/{path}")).unwrap()).unwrap()
    };
    let blob = |digest: &serde_json::Value| {
        format!(
            "blobs/sha256/{}",
            digest.as_str().unwrap().replace("sha256:", "")
        )
    };
    let index = json("index.json");
    let manifest = json(&blob(&index["manifests"][1]["digest"]));
    let layer = &manifest["layers"][0];
    let signature = layer["annotations"]["dev.cosignproject.cosign/signature"]
        .as_str()
        .unwrap();
    let work = tempfile::tempdir().unwrap();
    let encoded = work.path().join("signature.b64");
    let raw = work.path().join("signature");
    fs::write(&encoded, format!("{signature}\n")).unwrap();
    let openssl = |args: &[&str]| {
        let output = Command::new("openssl").args(args).output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    openssl(&[
        "base64",
        "-d",
        "-A",
        "-in",
        text(&encoded),
        "-out",
        text(&raw),
    ]);
    let payload = format!("{out}/{}", blob(&layer["digest"]));
    openssl(&[
        "dgst",
        "-sha256",
        "-verify",
        &key("p256.pub"),
        "-signature",
        text(&raw),
        &payload,
    ]);
}

#[test]
fn what_must_not_be_released_is_refused() {
    let fixture = Fixture::new();
    let out = fixture.path().join(".out");
    let create = || {
        bundle(&[
            "create",
            text(fixture.path()),
            "--output",
            text(&out),
            "--release",
        ])
    };
    assert_eq!(create().code, Some(0), "{}", create().stderr);
    fixture.write(
        "cluster/new.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
    );
    let run = create();
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""));
    assert!(
        run.stderr
            .contains("`cluster/new.yaml` is not as it was committed"),
        "{}",
        run.stderr
    );
    fixture.write(
        "cluster/new.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {a: b}\n",
    );
    fixture.commit();
    let run = create();
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr.contains("Secret/a holds a secret in clear"),
        "{}",
        run.stderr
    );
    fixture.write("cluster/new.yaml", "kind: {");
    fixture.commit();
    let run = create();
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(run.stderr.contains("error[yaml/invalid]"), "{}", run.stderr);
}

#[test]
fn two_bundles_are_compared_and_damage_is_told() {
    let fixture = Fixture::new();
    let (old, new) = (fixture.path().join(".old"), fixture.path().join(".new.tar"));
    let create = |output: &Path| {
        bundle(&[
            "create",
            text(fixture.path()),
            "--output",
            text(output),
            "--tag",
            "v2",
        ])
    };
    create(&old);
    let web = fs::read_to_string(fixture.path().join("cluster/web.yaml")).unwrap();
    fixture.write("cluster/web.yaml", &web.replace("web:1.0", "web:1.1"));
    create(&new);
    let run = bundle(&["diff", text(&old), text(&new)]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stdout.contains("change/image"), "{}", run.stdout);
    assert_eq!(bundle(&["diff", text(&old), text(&old)]).code, Some(0));

    let run = bundle(&["inspect", text(&new), "--part", "images"]);
    let images: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(images[0]["image"], "example.com/web:1.1");
    let run = bundle(&["verify", text(&old), "--digest", "sha256:00"]);
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr.contains("error[bundle/digest]"),
        "{}",
        run.stderr
    );
    fs::write(old.join("oci-layout"), "{}").unwrap();
    let run = bundle(&["inspect", text(&old)]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(
        run.stderr.contains("error[bundle/damaged]"),
        "{}",
        run.stderr
    );
}
