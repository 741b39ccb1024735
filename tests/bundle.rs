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
    let manifest = json(&blob(&index["manifests"][2]["digest"]));
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

    // And the attestation: a DSSE envelope around the provenance.
    let manifest = json(&blob(&index["manifests"][1]["digest"]));
    let layer = &manifest["layers"][0];
    assert_eq!(layer["mediaType"], "application/vnd.dsse.envelope.v1+json");
    let envelope = json(&blob(&layer["digest"]));
    assert_eq!(envelope["payloadType"], "application/vnd.in-toto+json");
    let decoded = |value: &serde_json::Value, to: &Path| {
        fs::write(&encoded, format!("{}\n", value.as_str().unwrap())).unwrap();
        openssl(&[
            "base64",
            "-d",
            "-A",
            "-in",
            text(&encoded),
            "-out",
            text(to),
        ]);
    };
    let statement = work.path().join("statement");
    decoded(&envelope["payload"], &statement);
    decoded(&envelope["signatures"][0]["sig"], &raw);
    let statement = fs::read(&statement).unwrap();
    let mut signed = format!(
        "DSSEv1 28 application/vnd.in-toto+json {} ",
        statement.len()
    )
    .into_bytes();
    signed.extend_from_slice(&statement);
    let signed_file = work.path().join("signed");
    fs::write(&signed_file, signed).unwrap();
    openssl(&[
        "dgst",
        "-sha256",
        "-verify",
        &key("p256.pub"),
        "-signature",
        text(&raw),
        text(&signed_file),
    ]);
    let statement: serde_json::Value = serde_json::from_slice(&statement).unwrap();
    let hex = index["manifests"][0]["digest"].as_str().unwrap();
    assert_eq!(
        statement["subject"][0]["digest"]["sha256"],
        hex.replace("sha256:", "")
    );
    assert_eq!(statement["predicateType"], "https://slsa.dev/provenance/v1");
}

/// The source that the fixture's Kustomization names.
const SOURCE: &str = "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-system, namespace: flux-system}
spec: {interval: 1m, url: 'https://git.example/fleet', ref: {branch: main}}
";

/// A repository that may be released.
fn releasable() -> Fixture {
    let fixture = Fixture::new();
    fixture.write("cluster/source.yaml", SOURCE);
    fixture.commit();
    fixture
}

fn release(fixture: &Fixture, more: &[&str]) -> Run {
    let out = fixture.path().join(".out");
    let mut args = vec![
        "create",
        text(fixture.path()),
        "--output",
        text(&out),
        "--release",
    ];
    args.extend(more);
    bundle(&args)
}

/// Holds a release to be refused, for this reason, with nothing written.
fn refused(fixture: &Fixture, more: &[&str], why: &str) {
    let run = release(fixture, more);
    let said = (run.code, run.stdout.as_str());
    assert_eq!(said, (Some(1), ""), "{why}: {}", run.stderr);
    assert!(
        run.stderr.contains("error[bundle/refused]"),
        "{why}: {}",
        run.stderr
    );
    assert!(run.stderr.contains(why), "{why}: {}", run.stderr);
    assert!(!fixture.path().join(".out").exists(), "{why}");
}

#[test]
fn what_may_be_released_is() {
    let fixture = releasable();
    let run = release(&fixture, &[]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    // What an earlier run wrote is no change.
    let run = release(&fixture, &[]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    fixture.write("cluster/new.yaml", "kind: {");
    fixture.commit();
    let run = release(&fixture, &[]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(run.stderr.contains("error[yaml/invalid]"), "{}", run.stderr);
}

#[test]
fn findings_at_error_are_not_released() {
    let fixture = Fixture::new();
    refused(&fixture, &[], "1 finding is at severity error");
    refused(&fixture, &[], "there is no GitRepository");
}

#[test]
fn files_that_are_not_as_committed_are_not_released() {
    let note = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    type Change<'c> = &'c dyn Fn(&Fixture);
    let changes: [(&str, Change<'_>); 6] = [
        // New.
        ("cluster/new.yaml", &|f| f.write("cluster/new.yaml", note)),
        // Changed, staged or not.
        ("cluster/web.yaml", &|f| f.write("cluster/web.yaml", note)),
        ("cluster/source.yaml", &|f| {
            f.write("cluster/source.yaml", &format!("# changed\n{SOURCE}"));
            f.git(&["add", "--all"]);
        }),
        // Gone.
        ("cluster/web.yaml", &|f| {
            fs::remove_file(f.path().join("cluster/web.yaml")).unwrap();
        }),
        // Not to be read.
        ("notes.txt", &|f| {
            fs::remove_file(f.path().join("notes.txt")).unwrap();
            std::os::unix::fs::symlink("nowhere", f.path().join("notes.txt")).unwrap();
        }),
        // Read, whatever it is called, and though Git ignores it.
        (".fluxwright.yaml", &|f| {
            f.write(".fluxwright.yaml", "kubernetesVersion: \"1.34\"\n");
            f.write(".git/info/exclude", ".fluxwright.yaml\n");
        }),
    ];
    for (path, change) in changes {
        let fixture = Fixture::new();
        fixture.write("cluster/source.yaml", SOURCE);
        fixture.write("notes.txt", "a note\n");
        fixture.commit();
        change(&fixture);
        refused(
            &fixture,
            &[],
            &format!("`{path}` is not as it was committed"),
        );
    }
}

#[test]
fn charts_that_are_not_committed_are_not_released() {
    let fixture = releasable();
    chart(&fixture, "{{ tpl (.Files.Get \"files/text.tpl\") . }}");
    fixture.write("charts/a/files/text.tpl", "made");
    fixture.commit();
    let run = release(&fixture, &[]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    fs::remove_dir_all(fixture.path().join(".out")).unwrap();
    fixture.git(&["rm", "--quiet", "--cached", "charts/a/files/text.tpl"]);
    fixture.git(&["commit", "--quiet", "--message", "x"]);
    refused(
        &fixture,
        &[],
        "`charts/a/files/text.tpl` is not as it was committed",
    );
}

#[test]
fn sources_that_are_given_by_hand_are_not_released() {
    let fixture = releasable();
    let root = text(fixture.path());
    let local = format!("GitRepository/flux-system/flux-system={root}");
    refused(&fixture, &["--local-sources", &local], "is given by hand");
}

#[test]
fn sources_that_are_not_locked_are_not_released() {
    let other = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {name: \
                 other, namespace: flux-system}\nspec: {interval: 1m, url: \
                 'oci://registry.example/other', ref: {tag: v1}}\n";
    let fixture = releasable();
    fixture.write("cluster/other.yaml", other);
    fixture.commit();
    let name = "the source `OCIRepository/flux-system/other` is not locked";
    refused(
        &fixture,
        &[],
        &format!("{name}: there is no fluxwright.lock"),
    );
    // With a lockfile that does not have it; in use.
    let store = fixture.path().join(".store");
    let store = ["--store", text(&store)];
    fixture.write("fluxwright.lock", "version: 1\n");
    fixture.commit();
    refused(&fixture, &store, name);
    fixture.write(
        "cluster/user.yaml",
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: user, \
         namespace: flux-system}\nspec: {interval: 1m, path: ./, prune: true, sourceRef: {kind: \
         OCIRepository, name: other}}\n",
    );
    fixture.commit();
    refused(&fixture, &store, name);
}

#[test]
fn charts_that_are_not_locked_are_not_released() {
    let fixture = releasable();
    fixture.write(
        "cluster/chart.yaml",
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata: {name: charts, \
         namespace: flux-system}\nspec: {interval: 1m, url: \
         'https://charts.example'}\n---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: \
         HelmRelease\nmetadata: {name: a, namespace: flux-system}\nspec: {interval: 1m, chart: \
         {spec: {chart: a, version: 1.0.0, sourceRef: {kind: HelmRepository, name: charts}}}}\n",
    );
    fixture.commit();
    let needs = "HelmRelease/flux-system/a needs what is not locked";
    refused(&fixture, &[], needs);
    let store = fixture.path().join(".store");
    fixture.write("fluxwright.lock", "version: 1\n");
    fixture.commit();
    refused(&fixture, &["--store", text(&store)], needs);
}

#[test]
fn a_bundle_has_a_tag_that_registries_take_and_replaces_nothing_else() {
    let fixture = Fixture::new();
    let root = text(fixture.path());
    let out = fixture.path().join(".new/out.tar");
    for tag in ["a b", "", "v1:x", "v1/2", &"a".repeat(129)] {
        let run = bundle(&["create", root, "--output", text(&out), "--tag", tag]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{tag}");
        assert!(
            run.stderr.contains("is no tag of a registry"),
            "{}",
            run.stderr
        );
    }
    assert!(!out.exists());
    // Folders on the way are made; what is no bundle is left alone.
    for tag in ["v1", "v2"] {
        let run = bundle(&["create", root, "--output", text(&out), "--tag", tag]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
    }
    fs::write(&out, "somebody's backup").unwrap();
    let run = bundle(&["create", root, "--output", text(&out), "--tag", "v1"]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains("is there, and is no bundle"),
        "{}",
        run.stderr
    );
    assert_eq!(fs::read_to_string(&out).unwrap(), "somebody's backup");
}

/// In one file, every byte of that counts, those between the files too.
#[test]
fn a_bundle_in_one_file_is_held_to_every_byte() {
    let fixture = Fixture::new();
    let (out, other) = (fixture.path().join(".a.tar"), fixture.path().join(".b.tar"));
    let made = bundle(&["create", text(fixture.path()), "--output", text(&out)]);
    let digest = made.stdout.trim();
    let verify = |path: &Path| bundle(&["verify", text(path), "--digest", digest]);
    assert_eq!(verify(&out).code, Some(0));
    let whole = fs::read(&out).unwrap();
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let mut spoilt: Vec<Vec<u8>> = (0..64).map(|n| flipped(n * whole.len() / 64)).collect();
    spoilt.push(flipped(whole.len() - 1));
    spoilt.push([&whole[..], b"more"].concat());
    spoilt.push([&whole[..], &[0; 512]].concat());
    spoilt.push(whole[..whole.len() / 2].to_vec());
    for (number, bytes) in spoilt.into_iter().enumerate() {
        fs::write(&other, bytes).unwrap();
        let run = verify(&other);
        // What begins as no layout is none.
        let is_none = run.stderr.contains("is no bundle");
        assert!(
            run.code == Some(1) || is_none && run.code == Some(2),
            "{number}: {}",
            run.stderr
        );
        assert!(!run.stdout.contains("whole"), "{number}");
    }
    // Another program's archive of the same files is told apart.
    let folder = fixture.path().join(".folder");
    bundle(&["create", text(fixture.path()), "--output", text(&folder)]);
    let packed = Command::new("tar")
        .args(["-cf", text(&other), "-C", text(&folder), "."])
        .status();
    assert!(packed.unwrap().success());
    let run = verify(&other);
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr.contains("unpack it, and name the folder"),
        "{}",
        run.stderr
    );
}

#[test]
fn who_may_have_signed_must_be_named() {
    let fixture = Fixture::new();
    let out = fixture.path().join(".a");
    bundle(&["create", text(fixture.path()), "--output", text(&out)]);
    let run = bundle(&["verify", text(&out)]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    for option in ["--key", "--keyring", "--config", "--digest", "--rebuild"] {
        assert!(run.stderr.contains(option), "{option}: {}", run.stderr);
    }
}

#[test]
fn secrets_in_clear_are_not_released() {
    let fixture = releasable();
    fixture.write(
        "cluster/secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {a: b}\n",
    );
    fixture.commit();
    refused(&fixture, &[], "Secret/a holds a secret in clear");
}

/// A chart with a ConfigMap of this text, and a release of it.
fn chart(fixture: &Fixture, value: &str) {
    fixture.write(
        "charts/a/Chart.yaml",
        "apiVersion: v2\nname: a\nversion: 1.0.0\n",
    );
    fixture.write(
        "charts/a/templates/a.yaml",
        &format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: made}}\ndata: {{a: {value}}}\n"
        ),
    );
    fixture.write(
        "cluster/release.yaml",
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: a, namespace: \
         flux-system}\nspec: {interval: 1m, chart: {spec: {chart: ./charts/a, sourceRef: {kind: \
         GitRepository, name: flux-system}}}}\n",
    );
}

#[test]
fn keys_that_anybody_can_make_again_are_not_released() {
    let fixture = releasable();
    chart(&fixture, "{{ randAlphaNum 9 }}");
    fixture.commit();
    refused(&fixture, &[], "anybody can make again");
    refused(&fixture, &[], "--seed-file");
    let seed = fixture.path().join(".seed");
    fs::write(&seed, "what nobody else has").unwrap();
    let run = release(&fixture, &["--seed-file", text(&seed)]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}

#[test]
fn a_seed_that_is_committed_is_no_secret() {
    let fixture = releasable();
    chart(&fixture, "{{ randAlphaNum 9 }}");
    fixture.write("seed", "what everybody has");
    fixture.commit();
    let seed = fixture.path().join("seed");
    refused(
        &fixture,
        &["--seed-file", text(&seed)],
        "is in the repository",
    );
}

#[test]
fn what_an_earlier_run_left_is_no_change() {
    let fixture = releasable();
    let root = text(fixture.path());
    let pulled = fixture.path().join("pulled");
    let run = bundle(&["create", root, "--output", text(&pulled)]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let run = release(&fixture, &[]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    fs::remove_dir_all(fixture.path().join(".out")).unwrap();
    // What is no part of a layout is.
    fixture.write("pulled/more.json", "{}");
    refused(
        &fixture,
        &[],
        "`pulled/more.json` is not as it was committed",
    );
}

#[test]
fn secrets_that_only_say_they_are_encrypted_are_not_released() {
    let fixture = releasable();
    fixture.write(
        ".fluxwright.yaml",
        "ignore:\n- rule: secret/plaintext\n  reason: a test\n",
    );
    let secret = |value: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: a, namespace: shop}}\nstringData: {{a: \
             '{value}'}}\nsops: {{version: 3.9.0, mac: 'ENC[x]'}}\n"
        )
    };
    fixture.write("cluster/secret.yaml", &secret("hunter2"));
    fixture.commit();
    refused(&fixture, &[], "holds a secret in clear");
    let encrypted = "ENC[AES256_GCM,data:AAAA,iv:AAAA,tag:AAAA,type:str]";
    fixture.write("cluster/secret.yaml", &secret(encrypted));
    fixture.commit();
    let run = release(&fixture, &[]);
    assert!(!run.stderr.contains("in clear"), "{}", run.stderr);
}

/// The manifests of a bundle, one after the other.
fn manifests(out: &Path) -> String {
    let read = |digest: &serde_json::Value| {
        let name = digest.as_str().unwrap().replace("sha256:", "");
        fs::read(out.join("blobs/sha256").join(name)).unwrap()
    };
    let json = |bytes: &[u8]| -> serde_json::Value { serde_json::from_slice(bytes).unwrap() };
    let index = json(&fs::read(out.join("index.json")).unwrap());
    let manifest = json(&read(&index["manifests"][0]["digest"]));
    let packed = read(&manifest["layers"][0]["digest"]);
    let mut plain = String::new();
    let mut decoder = flate2::read::GzDecoder::new(&*packed);
    std::io::Read::read_to_string(&mut decoder, &mut plain).unwrap();
    plain
}

/// What the cluster decrypts goes there as it lies in the repository; what was
/// decrypted here, or what stands in for it, does not.
#[test]
fn encrypted_secrets_stay_encrypted() {
    let sops = format!("{}/testdata/sops", env!("CARGO_MANIFEST_DIR"));
    let file = |name: &str| fs::read_to_string(format!("{sops}/canary/secrets/{name}")).unwrap();
    let fixture = releasable();
    fixture.write(
        "cluster/secrets.yaml",
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: secrets, \
         namespace: flux-system}\nspec: {interval: 1m, path: ./secrets, prune: true, decryption: \
         {provider: sops}, sourceRef: {kind: GitRepository, name: flux-system}}\n",
    );
    fixture.write("secrets/secret.yaml", &file("secret.yaml"));
    fixture.commit();
    let run = release(&fixture, &[]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stderr.contains("stays encrypted"), "{}", run.stderr);
    let out = fixture.path().join(".out");
    let text = manifests(&out);
    for line in file("secret.yaml").lines().filter(|l| l.contains("ENC[")) {
        assert!(text.contains(line.trim()), "{line}");
    }
    assert!(text.contains("\nsops:\n"), "{text}");
    assert!(!text.contains("encrypted-"), "{text}");
    fs::remove_dir_all(&out).unwrap();

    let key = format!("{sops}/keys/one.agekey");
    refused(
        &fixture,
        &["--age-key-file", &key],
        "a value that was decrypted",
    );
    refused(&fixture, &["--age-key-file", &key], "leave the keys away");
    let shown = ["--age-key-file", &key, "--include-secrets"];
    refused(&fixture, &shown, "a value that was decrypted");

    fixture.write(
        "secrets/kustomization.yaml",
        "namespace: flux-system\nresources: [secret.yaml]\nsecretGenerator: [{name: env, envs: \
         [app.env]}]\n",
    );
    fixture.write("secrets/app.env", &file("app.env"));
    fixture.commit();
    refused(&fixture, &[], "holds what stands in for an encrypted value");
}

#[test]
fn a_folder_that_nobody_listed_is_noticed() {
    let fixture = Fixture::new();
    let out = fixture.path().join(".out");
    bundle(&["create", text(fixture.path()), "--output", text(&out)]);
    fs::create_dir(out.join("more")).unwrap();
    let run = bundle(&["inspect", text(&out)]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(
        run.stderr.contains("`more` is listed nowhere"),
        "{}",
        run.stderr
    );
}

#[test]
fn openpgp_signatures_are_confirmed_by_gpg() {
    let gpg = Path::new("/usr/bin/gpg");
    assert!(gpg.exists(), "gpg is not installed");
    let home = tempfile::tempdir().unwrap();
    std::os::unix::fs::PermissionsExt::set_mode(
        &mut fs::metadata(home.path()).unwrap().permissions(),
        0o700,
    );
    let gpg = |args: &[&str]| {
        let output = Command::new(gpg)
            .args(["--batch", "--quiet", "--homedir", text(home.path())])
            .args(args)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {errors}");
        output.stdout
    };
    gpg(&[
        "--passphrase",
        "swordfish",
        "--pinentry-mode",
        "loopback",
        "--quick-generate-key",
        "Release <release@example.org>",
        "ed25519",
        "sign",
        "never",
    ]);
    let secret = gpg(&[
        "--passphrase",
        "swordfish",
        "--pinentry-mode",
        "loopback",
        "--armor",
        "--export-secret-keys",
    ]);
    let keyring = home.path().join("release.asc");
    fs::write(&keyring, gpg(&["--armor", "--export"])).unwrap();
    let fixture = Fixture::new();
    let out = fixture.path().join(".out");
    let create = |environment: &[(&str, &str)], password: &str| {
        run_with(
            &[
                "bundle",
                "create",
                text(fixture.path()),
                "--output",
                text(&out),
                "--sign-pgp-key",
                "env://KEY",
                "--key-password",
                password,
            ],
            "",
            environment,
        )
    };
    let key_text = String::from_utf8(secret).unwrap();
    let run = create(
        &[("KEY", &key_text), ("PASSWORD", "wrong")],
        "env://PASSWORD",
    );
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("trust/key-file"), "{}", run.stderr);
    let run = create(
        &[("KEY", &key_text), ("PASSWORD", "swordfish")],
        "env://PASSWORD",
    );
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let digest = run.stdout.trim().replace("sha256:", "");

    let run = bundle(&["verify", text(&out), "--keyring", text(&keyring)]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(
        run.stdout.contains("is signed by OpenPGP key"),
        "{}",
        run.stdout
    );
    // As a program that knows nothing of fluxwright sees it.
    let json = |path: &Path| -> serde_json::Value {
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    };
    let blob = |digest: &serde_json::Value| {
        out.join("blobs/sha256")
            .join(digest.as_str().unwrap().replace("sha256:", ""))
    };
    let index = json(&out.join("index.json"));
    let beside = json(&blob(&index["manifests"][1]["digest"]));
    let layer = &beside["layers"][0];
    assert_eq!(layer["mediaType"], "application/pgp-signature");
    let signature = blob(&layer["digest"]);
    let manifest = out.join("blobs/sha256").join(&digest);
    gpg(&["--verify", text(&signature), text(&manifest)]);

    // Which keys are enough is trust policy: of each kind that it names, one.
    let policy = |bundles: &str| {
        let file = home.path().join("policy.yaml");
        fs::write(&file, format!("trust: {{bundles: {{{bundles}}}}}\n")).unwrap();
        bundle(&["verify", text(&out), "--config", text(&file)])
    };
    let run = policy("keyrings: [release.asc]");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(
        run.stdout.contains("is signed by OpenPGP key"),
        "{}",
        run.stdout
    );
    let both = format!("keyrings: [release.asc], keys: [{}]", key("p256.pub"));
    let run = policy(&both);
    assert_eq!(run.code, Some(1), "{}", run.stdout);
    assert!(run.stderr.contains("trust/unsigned"), "{}", run.stderr);
    let run = policy("keyrings: [missing.asc]");
    assert_eq!(run.code, Some(2), "{}", run.stdout);
    let run = policy("keyrings: []");
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr.contains("trust.bundles.keyrings"),
        "{}",
        run.stderr
    );

    // Nobody else's key is enough, and a signature that is asked for is there.
    let run = bundle(&["verify", text(&out), "--key", &key("p256.pub")]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("trust/unsigned"), "{}", run.stderr);
    let run = bundle(&["verify", text(&out), "--keyring", &key("p256.pub")]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
}

#[test]
fn what_is_built_again_is_the_same_or_told() {
    let fixture = Fixture::new();
    let out = fixture.path().join(".out");
    let root = text(fixture.path());
    let run = bundle(&["create", root, "--output", text(&out), "--tag", "v3"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let digest = run.stdout.trim().to_owned();
    let verify = ["verify", text(&out), "--digest", &digest, "--rebuild", root];
    let run = bundle(&verify);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(
        run.stdout,
        format!("whole: {digest} (v3)\nrebuilt: the same, byte for byte\n")
    );
    // Other options, another bundle.
    let mut with_options = verify.to_vec();
    with_options.extend(["--", "--kube-version", "1.36"]);
    let run = bundle(&with_options);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(
        run.stdout
            .contains("- the version of Kubernetes: 1.37.0 in the bundle, 1.36.0 rebuilt\n"),
        "{}",
        run.stdout
    );
    // The provenance names them; what variables are is nobody's business.
    let mut with_options = verify.to_vec();
    with_options.extend(["--", "--substitute", "TOKEN=secret"]);
    let run = bundle(&with_options);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let told = "- the provenance, \
                `/predicate/buildDefinition/externalParameters/options/substitute/0`: in the rebuilt \
                one alone\n";
    assert!(run.stdout.contains(told), "{}", run.stdout);
    let web = fs::read_to_string(fixture.path().join("cluster/web.yaml")).unwrap();
    fixture.write("cluster/web.yaml", &web.replace("web:1.0", "web:1.1"));
    let run = bundle(&verify);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let told = run
        .stdout
        .lines()
        .filter(|l| l.starts_with("- Deployment/"));
    assert_eq!(told.count(), 1, "{}", run.stdout);
    assert!(
        run.stdout.contains("+        image: example.com/web:1.1")
            || run.stdout.contains("+      - image: example.com/web:1.1"),
        "{}",
        run.stdout
    );
    // What cannot be built again is no answer.
    fixture.write("cluster/web.yaml", "{");
    assert_eq!(bundle(&verify).code, Some(2));
}

#[test]
fn provenance_names_the_options() {
    let fixture = Fixture::new();
    let out = fixture.path().join(".out");
    fixture.write(".seed", "0123456789abcdef");
    let seed = fixture.path().join(".seed");
    let create = ["create", text(fixture.path()), "--output", text(&out)];
    let options = "--substitute=B=secret --substitute=A=1 --strict-substitute=false \
                   --api-versions=example.com/v1 --lookup-from=repository --include-secrets";
    let mut create: Vec<&str> = create.into_iter().chain(options.split(' ')).collect();
    create.extend(["--seed-file", text(&seed)]);
    let run = bundle(&create);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let run = bundle(&["inspect", text(&out), "--part", "provenance"]);
    let statement: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let parameters = &statement["predicate"]["buildDefinition"]["externalParameters"];
    assert_eq!(
        parameters["options"],
        serde_json::json!({
            "apiVersions": ["example.com/v1"],
            "includeSecrets": true,
            "lookupFrom": ["repository"],
            "seedFile": true,
            "strictSubstitute": false,
            "substitute": ["A", "B"],
        })
    );
}

#[test]
fn the_machine_leaves_no_trace() {
    let files: &[(&str, &str)] = &[
        ("cluster/source.yaml", SOURCE),
        (
            "cluster/a.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
        ),
        (
            "cluster/Z.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: z}\n",
        ),
        (
            "cluster/\u{e9}.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: e}\n",
        ),
        (
            "cluster/_b.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n",
        ),
    ];
    let mut digests = Vec::new();
    for (umask, locale, zone, jobs, reversed) in [
        ("022", "C", "UTC", "1", false),
        ("077", "tr_TR.UTF-8", "Pacific/Kiritimati", "16", true),
        ("000", "ja_JP.UTF-8", "America/St_Johns", "3", true),
    ] {
        let fixture = Fixture::new();
        let mut files = files.to_vec();
        if reversed {
            files.reverse();
        }
        for (path, content) in files {
            fixture.write(path, content);
        }
        fixture.commit();
        let out = fixture.path().join(".out");
        let script = format!(
            "umask {umask}; exec {} bundle create {} --output {} --tag v1 --jobs {jobs}",
            env!("CARGO_BIN_EXE_fluxwright"),
            text(fixture.path()),
            text(&out)
        );
        let output = Command::new("sh")
            .args(["-c", &script])
            .env_clear()
            .envs([("LC_ALL", locale), ("LANG", locale), ("TZ", zone)])
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{errors}");
        digests.push(String::from_utf8(output.stdout).unwrap());
    }
    assert!(digests[0].starts_with("sha256:"));
    assert!(digests.iter().all(|d| *d == digests[0]), "{digests:?}");
}

/// Bytes of the bundle of the sample fleet, flipped: 10,000 over all files.
#[test]
fn no_flipped_byte_goes_unnoticed() {
    use fluxwright::artifact::MemoryTree;

    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/fleet");
    let sources = "GitRepository/garden/garden=testdata/herbs,OCIRepository/ingress/ingress-nginx=testdata/charts/ingress-nginx";
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("bundle");
    let output = Command::new(env!("CARGO_BIN_EXE_fluxwright"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["bundle", "create", root, "--local-sources", sources])
        .args(["--output", text(&out), "--key", &key("p256.key")])
        .env_clear()
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    let mut open = vec![out.clone()];
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(&out).unwrap().to_str().unwrap();
                files.push((name.to_owned(), fs::read(&path).unwrap()));
            }
        }
    }
    files.sort();
    let mut tree = MemoryTree::new("bundle");
    for (path, content) in &files {
        tree.insert(path.clone(), content.as_slice());
    }
    fluxwright::bundle::open(&tree).unwrap();
    let total: usize = files.iter().map(|(_, content)| content.len()).sum();
    // A step that is prime reaches every file and, in the end, every bit.
    let mut at = 0;
    for number in 0..10_000_usize {
        at = (at + 1_000_003) % total;
        let mut offset = at;
        let (path, content) = files
            .iter()
            .find(|(_, content)| {
                let here = offset < content.len();
                if !here {
                    offset -= content.len();
                }
                here
            })
            .unwrap();
        let mut changed = content.clone();
        changed[offset] ^= 1 << (number % 8);
        tree.insert(path.clone(), changed);
        let error = fluxwright::bundle::open(&tree).expect_err(path);
        assert!(error.rule().starts_with("bundle/"), "{path}: {error}");
        tree.insert(path.clone(), content.as_slice());
    }
    assert!(tree.paths().count() > 8);
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
    let diff = |more: &[&str]| {
        let mut args = vec!["diff", text(&old), text(&new)];
        args.extend(more);
        bundle(&args)
    };
    let run = diff(&[]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stdout.contains("change/image"), "{}", run.stdout);
    // As every comparison, it is no answer of yes or no unless it is asked for.
    assert_eq!(diff(&["--exit-code"]).code, Some(1));
    assert_eq!(diff(&["--fail-on", "info"]).code, Some(1));
    assert_eq!(diff(&["--fail-on", "warning"]).code, Some(0));
    let ignored = [
        "--fail-on",
        "info",
        "--ignore",
        "change/image",
        "--ignore",
        "change/restart",
    ];
    assert_eq!(diff(&ignored).code, Some(0));
    let same = ["diff", text(&old), text(&old), "--exit-code"];
    assert_eq!(bundle(&same).code, Some(0));
    for form in [
        "human", "unified", "json", "markdown", "github", "html", "brief",
    ] {
        let of_bundles = diff(&["--output", form]);
        assert_eq!(of_bundles.code, Some(0), "{form}: {}", of_bundles.stderr);
        assert!(
            of_bundles.stdout.contains("web"),
            "{form}: {}",
            of_bundles.stdout
        );
        // `diff` sees that these are bundles.
        let args = ["diff", text(&old), text(&new), "--output", form];
        assert_eq!(run_with(&args, "", &[]), of_bundles, "{form}");
    }
    fixture.write("own.jinja", "{{ summary.changed }}\n");
    let template = fixture.path().join("own.jinja");
    assert_eq!(diff(&["--template", text(&template)]).stdout, "1\n");

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
