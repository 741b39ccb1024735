//! Signatures as cosign makes them, of artifacts and charts in a registry.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fluxwright::artifact::Digest;
use p256::ecdsa::signature::Signer as _;

use super::charts::{archive, fleet as chart_fleet};
use super::fleet::{Fleet, config_map, source};
use super::program;
use super::registry::{CHART, FLUX, OCI_MANIFEST, Registry, layer};
use super::trust::{index_of, refused, secret};

/// A key in the form of cosign's.
pub(super) struct Cosign(p256::ecdsa::SigningKey);

impl Cosign {
    pub(super) fn new(seed: u8) -> Cosign {
        Cosign(p256::ecdsa::SigningKey::from_bytes(&[seed; 32].into()).unwrap())
    }

    pub(super) fn public(&self) -> String {
        use p256::pkcs8::EncodePublicKey as _;
        let der = self.0.verifying_key().to_public_key_der().unwrap();
        format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            STANDARD.encode(der.as_bytes())
        )
    }

    fn sign(&self, message: &[u8]) -> String {
        let signature: p256::ecdsa::Signature = self.0.sign(message);
        STANDARD.encode(signature.to_der().as_bytes())
    }

    /// Signs as cosign did before there were bundles.
    fn sign_simply(&self, registry: &Registry, repository: &str, digest: Digest) {
        let payload = format!(
            r#"{{"critical":{{"identity":{{"docker-reference":"app"}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"cosign container image signature"}},"optional":null}}"#
        );
        let signature = self.sign(payload.as_bytes());
        let blob = registry.push_blob(repository, payload.as_bytes());
        let config = registry.push_blob(repository, b"{}");
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config}","size":2}},"layers":[{{"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json","digest":"{blob}","size":{},"annotations":{{"dev.cosignproject.cosign/signature":"{signature}"}}}}]}}"#,
            payload.len()
        );
        let tag = format!("sha256-{}.sig", digest.hex());
        registry.push_manifest(repository, &tag, OCI_MANIFEST, &manifest);
    }

    /// Signs with a bundle, listed by the registry or under the tag that stands in
    /// for a registry's list of referrers.
    pub(super) fn sign_by_bundle(&self, registry: &Registry, repository: &str, digest: Digest) {
        const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
        let hex = digest.hex();
        let statement = format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"digest":{{"sha256":"{hex}"}}}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{{}}}}"#
        );
        let kind = "application/vnd.in-toto+json";
        let signed = format!(
            "DSSEv1 {} {kind} {} {statement}",
            kind.len(),
            statement.len()
        );
        let bundle = format!(
            r#"{{"mediaType":"{BUNDLE}","verificationMaterial":{{"publicKey":{{"hint":""}}}},"dsseEnvelope":{{"payload":"{}","payloadType":"{kind}","signatures":[{{"sig":"{}"}}]}}}}"#,
            STANDARD.encode(&statement),
            self.sign(signed.as_bytes())
        );
        let blob = registry.push_blob(repository, bundle.as_bytes());
        let config = registry.push_blob(repository, b"{}");
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","artifactType":"{BUNDLE}","config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{config}","size":2}},"layers":[{{"mediaType":"{BUNDLE}","digest":"{blob}","size":{}}}],"subject":{{"mediaType":"{OCI_MANIFEST}","digest":"{digest}","size":1}}}}"#,
            bundle.len()
        );
        let name = Digest::of(manifest.as_bytes()).to_string();
        registry.push_manifest(repository, &name, OCI_MANIFEST, &manifest);
        if registry.lists_referrers() {
            return;
        }
        let list = "application/vnd.oci.image.index.v1+json";
        let index = format!(
            r#"{{"schemaVersion":2,"mediaType":"{list}","manifests":[{{"mediaType":"{OCI_MANIFEST}","artifactType":"{BUNDLE}","digest":"{name}","size":{}}}]}}"#,
            manifest.len()
        );
        registry.push_manifest(repository, &format!("sha256-{hex}"), list, &index);
    }
}

fn signed_artifact(registry: &Registry, verify: &str) -> Fleet {
    Fleet::of(&source(
        "OCIRepository",
        &format!(
            "  url: {}/app\n  insecure: true\n  ref: {{tag: 1.0.0}}\n  verify:\n{verify}",
            registry.url()
        ),
    ))
}

const BY_KEY: &str = "    provider: cosign\n    secretRef: {name: keys}\n";

#[test]
fn artifacts_are_verified_by_both_schemes() {
    let Some(program) = program("docker-registry") else {
        return;
    };
    let registry = Registry::start(program, false);
    let content = layer(&[("deploy/web.yaml", &config_map("web", "one"))]);
    let digest = registry.push("app", "1.0.0", &[(FLUX, &content)]);
    let (key, other) = (Cosign::new(7), Cosign::new(8));

    let fleet = signed_artifact(&registry, BY_KEY);
    fleet.write(
        "clusters/prod/keys.yaml",
        &secret("cosign.pub", &key.public()),
    );
    let run = fleet.run(&["lock"]);
    refused(
        &run,
        1,
        "trust/unsigned",
        "it is not signed: no bundle refers to it",
    );
    assert!(!fleet.root().join("fluxwright.lock").exists());

    key.sign_simply(&registry, "app", digest);
    fleet.done(&["lock"]);
    let lockfile = fleet.lockfile();
    assert!(
        lockfile.contains("  signatures:\n  - sha256:"),
        "{lockfile}"
    );
    assert!(
        lockfile.contains("  verified:\n  - 'key SHA256:"),
        "{lockfile}"
    );
    let built = fleet.done(&["build"]).stdout;
    assert!(built.contains("value: one"));
    // Another machine; and without the registry's tag, too.
    std::fs::remove_dir_all(fleet.store()).unwrap();
    refused(
        &fleet.run(&["build"]),
        2,
        "store/missing",
        "was not fetched",
    );
    fleet.done(&["fetch"]);
    assert_eq!(fleet.done(&["build"]).stdout, built);
    let verified = index_of(&fleet, &[])["verified"].clone();
    assert!(verified.as_str().unwrap().starts_with("key SHA256:"));
    fleet.done(&["vendor"]);
    std::fs::remove_dir_all(fleet.store()).unwrap();
    assert_eq!(fleet.done(&["build"]).stdout, built);

    // Whoever takes the proof out of the lockfile gains nothing.
    let without: String = {
        let mut is_proof = false;
        let lines = lockfile.lines().filter(|line| {
            is_proof = *line == "  signatures:"
                || *line == "  verified:"
                || (is_proof && line.starts_with("  - "));
            !is_proof
        });
        lines.collect::<Vec<_>>().join("\n") + "\n"
    };
    fleet.write("fluxwright.lock", &without);
    refused(
        &fleet.run(&["build"]),
        2,
        "lock/missing",
        "names no signatures of it",
    );
    fleet.write("fluxwright.lock", &lockfile);

    fleet.write(
        "clusters/prod/keys.yaml",
        &secret("cosign.pub", &other.public()),
    );
    refused(
        &fleet.run(&["build"]),
        2,
        "trust/unknown-key",
        "it was made by another key than those given",
    );
    fleet.write("clusters/prod/keys.yaml", &secret("key", &key.public()));
    refused(
        &fleet.run(&["build"]),
        2,
        "trust/key-file",
        "has no entry `*.pub`",
    );

    // A bundle, where there is one, decides.
    other.sign_by_bundle(&registry, "app", digest);
    let fleet = signed_artifact(&registry, BY_KEY);
    fleet.write(
        "clusters/prod/keys.yaml",
        &secret("cosign.pub", &key.public()),
    );
    refused(
        &fleet.run(&["lock"]),
        1,
        "trust/unknown-key",
        "does not match",
    );
    fleet.write(
        "clusters/prod/keys.yaml",
        &secret("cosign.pub", &other.public()),
    );
    fleet.done(&["lock"]);
    std::fs::remove_dir_all(fleet.store()).unwrap();
    fleet.done(&["fetch"]);
    assert_eq!(fleet.done(&["build"]).stdout, built);
}

/// The layout that a tool would copy out of a registry: an artifact, and what
/// refers to it.
fn copied(registry: &Registry, digest: Digest, folder: &Path) {
    let put = |content: &[u8]| {
        let path = folder.join("blobs/sha256").join(Digest::of(content).hex());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    let listed = registry.get("app", &format!("referrers/{digest}"));
    let listed: serde_json::Value = serde_json::from_slice(&listed).unwrap();
    let mut entries = listed["manifests"].as_array().unwrap().clone();
    entries.push(serde_json::json!({
        "mediaType": OCI_MANIFEST,
        "digest": digest.to_string(),
        "annotations": {"org.opencontainers.image.ref.name": "1.0.0"},
    }));
    for entry in &entries {
        let digest = entry["digest"].as_str().unwrap();
        let manifest = registry.get("app", &format!("manifests/{digest}"));
        put(&manifest);
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        let layers = manifest["layers"].as_array().unwrap();
        for part in layers.iter().chain([&manifest["config"]]) {
            let digest = part["digest"].as_str().unwrap();
            put(&registry.get("app", &format!("blobs/{digest}")));
        }
    }
    let index = serde_json::json!({"schemaVersion": 2, "manifests": entries});
    std::fs::write(folder.join("index.json"), index.to_string()).unwrap();
    std::fs::write(
        folder.join("oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )
    .unwrap();
}

#[test]
fn bundles_that_a_registry_lists_as_referrers() {
    let Some(registry) = Registry::with_referrers() else {
        return;
    };
    let content = layer(&[("deploy/web.yaml", &config_map("web", "one"))]);
    let digest = registry.push("app", "1.0.0", &[(FLUX, &content)]);
    let (key, other) = (Cosign::new(7), Cosign::new(8));
    let fleet = signed_artifact(&registry, BY_KEY);
    let trust = |key: &Cosign| {
        fleet.write(
            "clusters/prod/keys.yaml",
            &secret("cosign.pub", &key.public()),
        );
    };
    trust(&key);
    // Something else that refers to it is no signature.
    let config = registry.push_blob("app", b"{}");
    let note = registry.push_blob("app", b"note");
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","artifactType":"text/x-note","config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{config}","size":2}},"layers":[{{"mediaType":"text/plain","digest":"{note}","size":4}}],"subject":{{"mediaType":"{OCI_MANIFEST}","digest":"{digest}","size":1}}}}"#
    );
    let name = Digest::of(manifest.as_bytes()).to_string();
    registry.push_manifest("app", &name, OCI_MANIFEST, &manifest);
    let run = fleet.run(&["lock"]);
    let unsigned = "it is not signed: no bundle refers to it";
    refused(&run, 1, "trust/unsigned", unsigned);
    assert!(!fleet.root().join("fluxwright.lock").exists());

    // The older scheme counts where no bundle refers to it.
    other.sign_simply(&registry, "app", digest);
    refused(&fleet.run(&["lock"]), 1, "trust/unknown-key", "");
    trust(&other);
    fleet.done(&["lock"]);
    std::fs::remove_file(fleet.root().join("fluxwright.lock")).unwrap();

    key.sign_by_bundle(&registry, "app", digest);
    refused(&fleet.run(&["lock"]), 1, "trust/unknown-key", "");
    trust(&key);
    fleet.done(&["lock"]);
    let lockfile = fleet.lockfile();
    assert_eq!(lockfile.matches("  signatures:\n").count(), 1, "{lockfile}");
    let built = fleet.done(&["build"]).stdout;
    assert!(built.contains("value: one"));
    std::fs::remove_dir_all(fleet.store()).unwrap();
    fleet.done(&["fetch"]);
    assert_eq!(fleet.done(&["build"]).stdout, built);

    // The same of a copy, by itself.
    let layout = tempfile::tempdir().unwrap();
    copied(&registry, digest, layout.path());
    for (name, key) in [("key.pub", &key), ("other.pub", &other)] {
        std::fs::write(layout.path().join(name), key.public()).unwrap();
    }
    let at = |name: &str| layout.path().join(name).display().to_string();
    let verify = |key: &str| {
        let artifact = format!("{}:1.0.0", layout.path().display());
        crate::program::run(&["verify", "oci", &artifact, "--key", &at(key)], "")
    };
    let run = verify("key.pub");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    refused(&verify("other.pub"), 1, "trust/unknown-key", "");
}

#[test]
fn demands_that_nothing_can_meet_are_refused() {
    let Some(program) = program("docker-registry") else {
        return;
    };
    let registry = Registry::start(program, false);
    let content = layer(&[("deploy/web.yaml", &config_map("web", "one"))]);
    let digest = registry.push("app", "1.0.0", &[(FLUX, &content)]);
    Cosign::new(7).sign_simply(&registry, "app", digest);
    for (verify, rule, message) in [
        (
            "    provider: notation\n    secretRef: {name: keys}\n",
            "trust/unsupported",
            "`provider: notation` is not supported",
        ),
        (
            "    provider: cosgin\n",
            "trust/unsupported",
            "the provider `cosgin` is not known",
        ),
        (
            "    provider: cosign\n",
            "trust/identity",
            "anybody could have signed it",
        ),
        (
            "    provider: cosign\n    matchOIDCIdentity: [{issuer: ^a$, subject: ^b$}]\n",
            "trust/root",
            "no trust root is given",
        ),
        (
            "    provider: cosign\n    matchOIDCIdentity: [{issuer: ^a$, subject: ^b$}]\n    \
             trustedRootSecretRef: {name: root}\n",
            "trust/key-file",
            "`flux-system/root`",
        ),
        (
            "    - provider: cosign\n",
            "trust/unsupported",
            "what must be signed cannot be read",
        ),
    ] {
        let fleet = signed_artifact(&registry, verify);
        let run = fleet.run(&["lock"]);
        refused(&run, 1, rule, message);
        assert!(
            run.stderr.contains("clusters/prod/source.yaml:"),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn charts_in_a_registry_are_verified() {
    let Some(program) = program("docker-registry") else {
        return;
    };
    let registry = Registry::start(program, false);
    let digest = registry.push("charts/web", "1.0.0", &[(CHART, &archive("web", "1.0.0"))]);
    let key = Cosign::new(7);
    let spec = format!(
        "  type: oci\n  insecure: true\n  url: {}/charts\n",
        registry.url()
    );
    let fleet = chart_fleet(&spec, "1.x");
    let release = fleet.read("clusters/prod/release.yaml");
    let verify =
        "      verify:\n        provider: cosign\n        secretRef:\n          name: keys\n";
    fleet.write("clusters/prod/release.yaml", &format!("{release}{verify}"));
    fleet.write(
        "clusters/prod/keys.yaml",
        &secret("cosign.pub", &key.public()),
    );
    let run = fleet.run(&["lock"]);
    refused(
        &run,
        1,
        "trust/unsigned",
        "`HelmRepository/flux-system/app web`",
    );
    assert!(
        run.stderr.contains("clusters/prod/release.yaml:"),
        "{}",
        run.stderr
    );
    key.sign_simply(&registry, "charts/web", digest);
    fleet.done(&["lock"]);
    let lockfile = fleet.lockfile();
    assert!(
        lockfile.contains("    signatures:\n    - sha256:"),
        "{lockfile}"
    );
    let built = fleet.done(&["build"]).stdout;
    assert!(built.contains("chart: 1.0.0"), "{built}");
    std::fs::remove_dir_all(fleet.store()).unwrap();
    fleet.done(&["fetch"]);
    assert_eq!(fleet.done(&["build"]).stdout, built);
    fleet.write(
        "clusters/prod/keys.yaml",
        &secret("cosign.pub", &Cosign::new(9).public()),
    );
    let run = fleet.run(&["build"]);
    refused(&run, 2, "trust/unknown-key", "does not match");
    assert!(!run.stdout.contains("chart: 1.0.0"), "{}", run.stdout);
}

/// Whatever asks for it, and whichever command is asked: a signature of another
/// kind is never taken for verified.
#[test]
fn notation_is_refused_everywhere() {
    let Some(program) = program("docker-registry") else {
        return;
    };
    let registry = Registry::start(program, false);
    let content = layer(&[("deploy/web.yaml", &config_map("web", "one"))]);
    let key = Cosign::new(7);
    for digest in [
        registry.push("app", "1.0.0", &[(FLUX, &content)]),
        registry.push("charts/web", "1.0.0", &[(CHART, &archive("web", "1.0.0"))]),
    ] {
        for repository in ["app", "charts/web"] {
            key.sign_simply(&registry, repository, digest);
        }
    }
    let artifact = signed_artifact(&registry, BY_KEY);
    let charts = format!(
        "  type: oci\n  insecure: true\n  url: {}/charts\n",
        registry.url()
    );
    let chart = chart_fleet(&charts, "1.x");
    let release = chart.read("clusters/prod/release.yaml");
    let verify =
        "      verify:\n        provider: cosign\n        secretRef:\n          name: keys\n";
    chart.write("clusters/prod/release.yaml", &format!("{release}{verify}"));
    for (fleet, file) in [
        (&artifact, "clusters/prod/source.yaml"),
        (&chart, "clusters/prod/release.yaml"),
    ] {
        fleet.write(
            "clusters/prod/keys.yaml",
            &secret("cosign.pub", &key.public()),
        );
        fleet.done(&["lock"]);
        fleet.done(&["build"]);
        let lockfile = fleet.lockfile();
        let text = fleet.read(file);
        fleet.write(
            file,
            &text.replace("provider: cosign", "provider: notation"),
        );
        let message = "`provider: notation` is not supported";
        for (command, code) in [
            (&["lock"][..], 1),
            (&["lock", "--update"], 1),
            (&["lock", "--check"], 1),
            (&["build"], 2),
            (&["check"], 1),
        ] {
            let run = fleet.run(command);
            assert_eq!(run.code, Some(code), "{command:?}: {}", run.stderr);
            let talk = format!("{}{}", run.stdout, run.stderr);
            for part in ["trust/unsupported", message, file] {
                assert!(talk.contains(part), "{command:?}: {part}: {talk}");
            }
            assert!(
                !run.stdout.contains("value: "),
                "{command:?}: {}",
                run.stdout
            );
        }
        let folder = fleet.root().join("../bundle").display().to_string();
        let root = fleet.root().display().to_string();
        let store = fleet.store();
        let create = [
            "bundle", "create", &root, "--output", &folder, "--tag", "v1",
        ];
        let environment = [("FLUXWRIGHT_STORE", store.to_str().unwrap())];
        let run = crate::program::run_with(&create, "", &environment);
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        assert!(run.stderr.contains(message), "{}", run.stderr);
        assert!(!Path::new(&folder).exists());
        assert_eq!(fleet.lockfile(), lockfile);
    }
}

/// Pushes an OCI layout: blobs, manifests by digest, tags.
fn push_layout(registry: &Registry, files: &serde_json::Map<String, serde_json::Value>) {
    let blobs = || {
        let contents = files.iter().filter(|(path, _)| path.starts_with("blobs/"));
        contents.filter_map(|(_, content)| content.as_str())
    };
    let manifest = |text: &str| -> Option<(String, bool)> {
        let value: serde_json::Value = serde_json::from_str(text).ok()?;
        let kind = value.get("mediaType")?.as_str()?;
        (kind.contains("image")).then(|| (kind.to_owned(), kind.contains("index")))
    };
    for blob in blobs() {
        registry.push_blob("app", blob.as_bytes());
    }
    for are_indexes in [false, true] {
        for text in blobs() {
            if let Some((kind, is_index)) = manifest(text)
                && is_index == are_indexes
            {
                let digest = Digest::of(text.as_bytes()).to_string();
                registry.push_manifest("app", &digest, &kind, text);
            }
        }
    }
    let index: serde_json::Value =
        serde_json::from_str(files["index.json"].as_str().unwrap()).unwrap();
    for entry in index["manifests"].as_array().unwrap() {
        let tag = &entry["annotations"]["org.opencontainers.image.ref.name"];
        let path = entry["digest"].as_str().unwrap().replace(':', "/");
        let text = files[&format!("blobs/{path}")].as_str().unwrap();
        if let (Some(tag), Some((kind, _))) = (tag.as_str(), manifest(text)) {
            registry.push_manifest("app", tag, &kind, text);
        }
    }
}

#[test]
fn artifacts_are_verified_without_a_key() {
    let Some(program) = program("docker-registry") else {
        return;
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/verify/cosign/cases.json");
    let cases: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let case = |name: &str| {
        let mut all = cases["cases"].as_array().unwrap().iter();
        all.find(|case| case["name"] == name).unwrap()
    };
    let root = cases["root"].to_string();
    let verify = |issuer: &str| {
        format!(
            "    provider: cosign\n    trustedRootSecretRef: {{name: keys}}\n    \
             matchOIDCIdentity:\n    - issuer: {issuer}\n      subject: ^https://github.com/org/repo/\n"
        )
    };
    let issuer = case("keyless-dsse")["issuer"].as_str().unwrap();
    for name in [
        "keyless-dsse",
        "keyless-simple",
        "keyless-checkpoint-changed",
    ] {
        let registry = Registry::start(program.clone(), false);
        let mut files = cases["files"].as_object().unwrap().clone();
        files.extend(case(name)["files"].as_object().unwrap().clone());
        push_layout(&registry, &files);
        // Nothing uses it: it is locked, and verified, all the same.
        let declared = |verify: &str| {
            source(
                "OCIRepository",
                &format!(
                    "  url: {}/app\n  insecure: true\n  ref: {{tag: '1.0'}}\n  verify:\n{verify}",
                    registry.url()
                ),
            )
        };
        let fleet = Fleet::empty();
        fleet.write("clusters/prod/source.yaml", &declared(&verify(issuer)));
        fleet.write(
            "clusters/prod/keys.yaml",
            &secret("trusted_root.json", &root),
        );
        let run = fleet.run(&["lock"]);
        if case(name).get("rule").is_some() {
            refused(&run, 1, "trust/log", "`OCIRepository/flux-system/app`");
            assert!(!fleet.root().join("fluxwright.lock").exists());
            continue;
        }
        assert_eq!(run.code, Some(0), "{name}: {}", run.stderr);
        let lockfile = fleet.lockfile();
        let signed = "identity https://github.com/org/repo/.github/workflows/release.yml";
        assert!(lockfile.contains(signed), "{lockfile}");
        // As somebody else; from a trust root that the user names.
        fleet.write(
            "clusters/prod/source.yaml",
            &declared(&verify("^https://other$")),
        );
        refused(&fleet.run(&["lock", "--check"]), 1, "trust/identity", "");
        let plain = declared(&verify(issuer))
            .split("  verify:")
            .next()
            .unwrap()
            .to_owned();
        fleet.write("clusters/prod/source.yaml", &plain);
        fleet.write("keys/root.json", &root);
        fleet.write(
            ".fluxwright.yaml",
            &format!(
                "entries:\n- path: clusters/prod\ntrust:\n  trustedRoot: keys/root.json\n  \
                 sources:\n  - source: OCIRepository/*/*\n    identities:\n    - issuer: {issuer}\n      \
                 subject: ^https://github.com/org/repo/\n"
            ),
        );
        fleet.done(&["lock", "--check"]);
    }
}
