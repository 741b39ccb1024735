//! Bundles are the same wherever they are made, and nobody changes one unseen.

use std::sync::Arc;

use super::*;
use crate::artifact::{MemoryTree, Tree};
use crate::diag::ObjectRef;
use crate::pipeline::cluster::sha256;
use crate::pipeline::index::{INDEX_NAME, OutputFiles, Versions};

fn files() -> OutputFiles {
    let long = format!("kustomization/flux-system/{}.yaml", "n".repeat(120));
    files_of(&[("kustomization/flux-system/apps.yaml", APPS), (&long, POD)])
}

fn files_of(texts: &[(&str, &str)]) -> OutputFiles {
    let mut files = OutputFiles::new();
    for (path, text) in texts {
        files.insert((*path).to_owned(), text.as_bytes().into());
    }
    files.insert(INDEX_NAME.to_owned(), index(&files).into());
    files
}

const APPS: &str = "\
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: a
---
apiVersion: v1
data:
  text: |
    ---
    two
kind: ConfigMap
metadata:
  name: b
  namespace: shop
";

const POD: &str = "\
---
apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: shop
spec:
  containers:
  - image: example.com/web:1
    name: web
";

/// The index of these files, as a build writes it.
fn index(files: &OutputFiles) -> Vec<u8> {
    let object = |kind: &str, namespace: &str, name: &str| {
        serde_json::json!({
            "apiVersion": "v1", "kind": kind, "namespace": namespace, "name": name,
        })
    };
    let all = [
        object("ConfigMap", "", "a"),
        object("ConfigMap", "shop", "b"),
        object("Pod", "shop", "web"),
    ];
    let mut objects = all.into_iter();
    let mut digests = String::new();
    let mut listed = Vec::new();
    for (path, content) in files.iter().filter(|(path, _)| *path != INDEX_NAME) {
        let text = std::str::from_utf8(content).unwrap();
        let texts: Vec<&str> = text
            .strip_prefix("---\n")
            .unwrap()
            .split("\n---\n")
            .collect();
        let count = texts.len();
        let texts = texts.into_iter().enumerate();
        let objects: Vec<_> = texts
            .map(|(number, text)| {
                let end = if number + 1 < count { "\n" } else { "" };
                let mut object = objects.next().unwrap();
                object["sha256"] = (*sha256(format!("{text}{end}").as_bytes())).into();
                object
            })
            .collect();
        let digest = sha256(content);
        digests.push_str(&format!("{digest}  {path}\n"));
        listed.push(serde_json::json!({
            "path": path,
            "sha256": &*digest,
            "source": {
                "kind": "OCIRepository", "namespace": "apps", "name": "web",
                "revision": "v1@sha256:0", "digest": format!("sha256:{}", "1".repeat(64)),
            },
            "objects": objects,
        }));
    }
    let index = serde_json::json!({
        "format": "fluxwright.index/v1",
        "fluxVersion": "2.9",
        "kubernetesVersion": "1.37.0",
        "entries": [{"name": "prod", "path": "clusters/prod", "files": listed}],
        "digest": format!("sha256:{}", sha256(digests.as_bytes())),
    });
    format!("{}\n", serde_json::to_string_pretty(&index).unwrap()).into_bytes()
}

fn made() -> Bundle {
    made_of(
        &files(),
        Origin {
            source: Some("https://example.com/fleet".into()),
            revision: Some(format!("sha1:{}", "0".repeat(40))),
            created: 1_700_000_000,
            lock_sha256: None,
            tag: "v1".into(),
        },
    )
}

/// The bundle of a build without the pod, of which nobody knows whence it is.
fn another() -> Bundle {
    made_of(
        &files_of(&[("kustomization/flux-system/apps.yaml", APPS)]),
        Origin {
            tag: "v1".into(),
            ..Origin::default()
        },
    )
}

fn made_of(files: &OutputFiles, origin: Origin) -> Bundle {
    let pod = ObjectRef {
        api_version: "v1".into(),
        kind: "Pod".into(),
        namespace: "shop".into(),
        name: "web".into(),
    };
    let image = Image {
        image: "example.com/web:1".into(),
        objects: vec![pod],
    };
    let has_pod = files.values().any(|content| **content == *POD.as_bytes());
    create(&Contents {
        files,
        versions: &Versions {
            flux: "2.9".into(),
            kubernetes: "1.37.0".into(),
        },
        images: has_pod.then_some(image).into_iter().collect(),
        findings: &[],
        dependencies: vec![Dependency {
            name: "OCIRepository/apps/web".into(),
            revision: "v1@sha256:0".into(),
            sha256: "1".repeat(64),
        }],
        origin,
        options: serde_json::Map::new(),
    })
    .unwrap()
}

fn tree(files: &OutputFiles) -> MemoryTree {
    let mut tree = MemoryTree::new("bundle");
    for (path, content) in files {
        tree.insert(path.clone(), content.clone());
    }
    tree
}

#[test]
fn what_goes_in_comes_out() {
    let bundle = made();
    let opened = open(&tree(&bundle.files)).unwrap();
    assert_eq!(opened.digest, bundle.digest);
    assert_eq!(opened.tag, "v1");
    for (path, content) in files() {
        assert_eq!(opened.build.read(&path).unwrap(), content);
    }
    let statement: serde_json::Value = serde_json::from_slice(&opened.provenance).unwrap();
    assert_eq!(statement["predicateType"], "https://slsa.dev/provenance/v1");
    let asked = &statement["predicate"]["buildDefinition"]["externalParameters"];
    assert_eq!(asked["entries"][0], "clusters/prod");
    assert!(asked.get("options").is_none(), "{asked}");
    let sources = &statement["predicate"]["buildDefinition"]["resolvedDependencies"];
    assert_eq!(sources[1]["name"], "OCIRepository/apps/web");
    assert_eq!(
        opened.annotations["org.opencontainers.image.created"],
        "2023-11-14T22:13:20Z"
    );
    // What is pinned here changes with the version of the program alone.
    assert_eq!(made().files, bundle.files);
}

#[test]
fn any_byte_that_is_not_as_it_was_is_noticed() {
    let bundle = made();
    let mut flipped = 0;
    for (path, content) in &bundle.files {
        for at in 0..content.len() {
            let mut changed = content.to_vec();
            changed[at] ^= 1 << (at % 8);
            let mut files = bundle.files.clone();
            files.insert(path.clone(), changed.into());
            let error = open(&tree(&files)).expect_err(path);
            assert!(error.rule().starts_with("bundle/"), "{path}: {error}");
            assert!(error.help_text().is_some());
            flipped += 1;
        }
        let mut files = bundle.files.clone();
        files.remove(path);
        assert!(open(&tree(&files)).is_err(), "{path}");
    }
    assert!(flipped > 3000, "{flipped}");
    let mut files = bundle.files.clone();
    files.insert("blobs/sha256/more".to_owned(), b"x".as_slice().into());
    let error = open(&tree(&files)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the bundle is damaged: `blobs/sha256/more` is listed nowhere"
    );
}

#[test]
fn what_is_taken_apart_is_put_together_the_same() {
    let bundle = made();
    let (parts, tag) = apart(&tree(&bundle.files)).unwrap();
    assert_eq!(tag, "v1");
    assert_eq!(together(&parts).unwrap().files, bundle.files);
    for digest in parts.blobs.keys() {
        let mut less = parts.clone();
        less.blobs.remove(digest);
        assert!(together(&less).is_err(), "{digest}");
    }
}

#[test]
fn what_deviates_is_told() {
    let opened = |files: &OutputFiles| open(&tree(files)).unwrap();
    let bundle = made();
    assert_eq!(
        deviations(&opened(&bundle.files), &opened(&bundle.files)),
        []
    );
    let other = another();
    let told: Vec<String> = deviations(&opened(&bundle.files), &opened(&other.files))
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        told[0],
        "the annotation `org.opencontainers.image.created`: 2023-11-14T22:13:20Z in the bundle, \
         1970-01-01T00:00:00Z rebuilt"
    );
    let long = "n".repeat(120);
    let path = format!("kustomization/flux-system/{long}.yaml");
    for expected in [
        "the bill of images, `/0/image`: in the bundle alone".to_owned(),
        format!("Pod/shop/web in `{path}`: in the bundle alone"),
        format!("the file `{path}`: in the bundle alone"),
        "the provenance, `/predicate/buildDefinition/resolvedDependencies/https://example.com/fleet/uri`: \
         in the bundle alone"
            .to_owned(),
    ] {
        assert!(told.contains(&expected), "{expected}: {told:?}");
    }
    // Neither its fields one by one, nor the sources that are the same.
    for other in ["`/object/", "OCIRepository/apps/web"] {
        assert!(!told.iter().any(|t| t.contains(other)), "{other}: {told:?}");
    }
}

/// The bundle with other content in some of its layers, put together by somebody
/// who knows how: all digests are right, in the provenance, too.
fn forged(change: impl Fn(&mut layout::Manifest, &mut Vec<Vec<u8>>)) -> Bundle {
    let bundle = made();
    let mut files = bundle.files.clone();
    let manifest = files.remove(&layout::path_of(&bundle.digest)).unwrap();
    let mut manifest: layout::Manifest = serde_json::from_slice(&manifest).unwrap();
    let named = std::iter::once(&manifest.config).chain(&manifest.layers);
    let mut contents: Vec<Vec<u8>> = named
        .map(|part| {
            files
                .remove(&layout::path_of(&part.digest))
                .unwrap()
                .to_vec()
        })
        .collect();
    let before = contents[0].clone();
    change(&mut manifest, &mut contents);
    let mut statement: serde_json::Value = serde_json::from_slice(&contents[5]).unwrap();
    for number in [0, 1] {
        statement["subject"][number]["digest"]["sha256"] = (*sha256(&contents[number + 1])).into();
    }
    contents[5] = layout::to_json(&statement);
    if contents[0] == before {
        let mut archive = Vec::new();
        let mut packed = flate2::read::GzDecoder::new(&*contents[1]);
        std::io::Read::read_to_end(&mut packed, &mut archive).unwrap();
        let layers: Vec<Arc<[u8]>> = contents[1..].iter().map(|c| c.as_slice().into()).collect();
        let created = manifest.annotations.values().next().unwrap();
        contents[0] = layout::config(created, &archive, &layers);
    }
    let named = std::iter::once(&mut manifest.config).chain(&mut manifest.layers);
    for (part, content) in named.zip(contents) {
        let made = layout::add_blob(&mut files, &part.media_type, content);
        (part.digest, part.size) = (made.digest, made.size);
    }
    let main = layout::add_blob(&mut files, media_type::MANIFEST, layout::to_json(&manifest));
    let digest = main.digest.clone();
    let main = layout::annotated(main, layout::REF_NAME, "v1");
    let index = layout::to_json(&layout::index(vec![main]));
    files.insert(INDEX_NAME.to_owned(), index.into());
    Bundle { digest, files }
}

#[test]
fn what_a_bundle_says_of_itself_is_held_to_its_content() {
    type Change<'c> = &'c dyn Fn(&mut layout::Manifest, &mut Vec<Vec<u8>>);
    fn text(bytes: &[u8]) -> String {
        String::from_utf8(bytes.to_vec()).unwrap()
    }
    fn replaced(bytes: &mut Vec<u8>, from: &str, to: &str) {
        let before = text(bytes);
        let after = before.replacen(from, to, 1);
        assert_ne!(before, after, "{from}");
        *bytes = after.into_bytes();
    }
    assert_eq!(forged(|_, _| ()).files, made().files);
    let one = sha256(b"one").to_string();
    let changes: [(&str, Change<'_>); 19] = [
        ("archive is not packed", &|_, c| c[1].extend(b"more")),
        ("archive is not packed", &|_, c| {
            let again = c[1].clone();
            c[1].extend(again);
        }),
        ("archive is not packed", &|_, c| c[1][4] = 1),
        ("is another than listed", &|_, c| {
            let digest = text(&c[2]);
            let (_, rest) = digest.split_once("\"name\": \"a\",\n").unwrap();
            let digest = rest.split('"').nth(3).unwrap().to_owned();
            replaced(&mut c[2], &digest, &one);
        }),
        ("is another than listed", &|_, c| {
            replaced(&mut c[2], "\"name\": \"a\"", "\"name\": \"c\"");
        }),
        ("other objects than listed", &|_, c| {
            let mut index: serde_json::Value = serde_json::from_slice(&c[2]).unwrap();
            let objects = index["entries"][0]["files"][0]["objects"].as_array_mut();
            objects.unwrap().pop();
            c[2] = format!("{}\n", serde_json::to_string_pretty(&index).unwrap()).into_bytes();
        }),
        ("another digest over all", &|_, c| {
            let all = text(&c[2]);
            let digest = all.rsplit('"').nth(1).unwrap();
            replaced(&mut c[2], digest, &format!("sha256:{one}"));
        }),
        ("index of its build is not written", &|_, c| {
            replaced(&mut c[2], "\": \"", "\":\"");
        }),
        ("index of its build is not written", &|_, c| {
            replaced(&mut c[2], "{\n", "{\n  \"format\": \"x\",\n");
        }),
        ("bill of images is not that", &|_, c| c[3] = b"[]".to_vec()),
        ("bill of images cannot be read", &|_, c| {
            c[3] = b"no".to_vec();
        }),
        ("findings cannot be read", &|_, c| c[4] = b"{}".to_vec()),
        ("findings are not written", &|_, c| c[4] = b"[ ]".to_vec()),
        ("provenance is that of another", &|_, c| {
            replaced(&mut c[5], &"0".repeat(40), &"1".repeat(40));
        }),
        ("provenance is that of another", &|_, c| {
            replaced(&mut c[5], "v1@sha256:0", "v2@sha256:0");
        }),
        ("has the annotation `more`", &|m, _| {
            m.annotations.insert("more".into(), "x".into());
        }),
        ("does not say when it was made", &|m, _| {
            let created = m.annotations.values_mut().next().unwrap();
            *created = "yesterday".into();
        }),
        ("layer has other annotations", &|m, _| {
            m.layers[0].annotations.insert("x".into(), "y".into());
        }),
        ("configuration is not that", &|_, c| {
            replaced(&mut c[0], "unknown", "amd64");
        }),
    ];
    for (number, (expected, change)) in changes.into_iter().enumerate() {
        let error = open(&tree(&forged(change).files)).expect_err(expected);
        assert_eq!(error.rule(), "bundle/damaged", "{number}: {error}");
        assert!(error.to_string().contains(expected), "{number}: {error}");
    }
}

#[cfg(feature = "verify")]
mod signatures {
    use super::*;
    use crate::gostd::moment::Moment;
    use crate::verify::cosign::Trust;
    use crate::verify::sign::SigningKey;
    use crate::verify::{KeyFile, Proof};

    /// Made by `openssl genpkey` for these tests, of no use elsewhere.
    fn key(name: &str) -> KeyFile {
        let content: &[u8] = match name {
            "p256.key" => include_bytes!("../../testdata/bundle/p256.key"),
            "p256.pub" => include_bytes!("../../testdata/bundle/p256.pub"),
            "ed25519.key" => include_bytes!("../../testdata/bundle/ed25519.key"),
            "encrypted.key" => include_bytes!("../../testdata/bundle/encrypted.key"),
            _ => include_bytes!("../../testdata/bundle/ed25519.pub"),
        };
        KeyFile {
            name: name.to_owned(),
            content: content.to_vec(),
        }
    }

    fn signed(names: &[&str]) -> Bundle {
        let mut bundle = made();
        let cosign = names
            .iter()
            .map(|name| SigningKey::read(&key(name), None).unwrap())
            .collect();
        let keys = Keys {
            cosign,
            openpgp: Vec::new(),
        };
        sign(&mut bundle, &keys).unwrap();
        bundle
    }

    fn proofs(files: &OutputFiles, trusted: &str) -> crate::diag::Result<Vec<Proof>> {
        let tree: Arc<dyn Tree> = Arc::new(tree(files));
        let signers = Signers {
            cosign: Some(Trust::keys(&[key(trusted)]).unwrap()),
            openpgp: None,
            attested: false,
            now: Moment::from_unix(1_700_000_000),
        };
        prove(&tree, &open(&*tree)?, &signers)
    }

    #[test]
    fn signatures_are_no_part_of_the_digest_and_hold() {
        for name in ["p256", "ed25519"] {
            let bundle = signed(&[&format!("{name}.key")]);
            assert_eq!(bundle.digest, made().digest);
            let opened = open(&tree(&bundle.files)).unwrap();
            assert_eq!((opened.signatures, opened.attestations), (1, 1));
            let proofs = proofs(&bundle.files, &format!("{name}.pub")).unwrap();
            let subjects: Vec<&str> = proofs.iter().map(|p| &*p.subject).collect();
            assert_eq!(
                subjects,
                [
                    format!("artifact {}", bundle.digest),
                    format!("provenance of {}", bundle.digest)
                ]
            );
            let (parts, _) = apart(&tree(&bundle.files)).unwrap();
            assert_eq!(together(&parts).unwrap().files, bundle.files);
        }
        assert_eq!(signed(&["p256.key"]).files, signed(&["p256.key"]).files);
    }

    #[test]
    fn others_and_nobody_are_refused() {
        let by_other = signed(&["ed25519.key"]);
        let error = proofs(&by_other.files, "p256.pub").unwrap_err();
        assert_eq!(error.rule(), "trust/unknown-key");
        let error = proofs(&made().files, "p256.pub").unwrap_err();
        assert_eq!(error.rule(), "trust/unsigned");
        // The attestation of the one whom nobody trusts counts for nothing.
        let both = signed(&["ed25519.key", "p256.key"]);
        assert_eq!(proofs(&both.files, "p256.pub").unwrap().len(), 2);
    }

    #[test]
    fn signatures_and_attestations_of_another_bundle_are_refused() {
        let another = another();
        for kind in ["sig", "att"] {
            // What lies beside the one is put beside the other.
            let (mut parts, _) = apart(&tree(&signed(&["p256.key"]).files)).unwrap();
            parts.beside.retain(|beside, _| beside.suffix() == kind);
            let (own, _) = apart(&tree(&another.files)).unwrap();
            parts.manifest = own.manifest;
            parts.blobs.extend(own.blobs);
            if kind == "att" {
                let mut whole = another.clone();
                let keys = Keys {
                    cosign: vec![SigningKey::read(&key("p256.key"), None).unwrap()],
                    openpgp: Vec::new(),
                };
                sign(&mut whole, &keys).unwrap();
                let (whole, _) = apart(&tree(&whole.files)).unwrap();
                parts.blobs.extend(whole.blobs);
                let own = whole.beside.into_iter();
                parts
                    .beside
                    .extend(own.filter(|(b, _)| b.suffix() == "sig"));
            }
            let other = together(&parts).unwrap();
            let error = proofs(&other.files, "p256.pub").unwrap_err();
            assert!(error.rule().starts_with("trust/"), "{kind}: {error}");
            assert!(
                error.to_string().contains("another") || error.to_string().contains("digest"),
                "{error}"
            );
        }
    }

    /// A DSSE envelope by the test key, around a statement of this kind.
    fn attested(digest: &str, kind: &str, predicate: &serde_json::Value) -> serde_json::Value {
        use base64::Engine as _;
        use base64::engine::general_purpose::STANDARD;

        let statement = serde_json::json!({
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": kind,
            "subject": [{"name": "registry.example/fleet", "digest": {"sha256": digest}}],
            "predicate": predicate,
        });
        let payload = layout::to_json(&statement);
        let signed = sign::signed_text(sign::PAYLOAD_TYPE, &payload);
        let key = SigningKey::read(&key("p256.key"), None).unwrap();
        serde_json::json!({
            "payloadType": sign::PAYLOAD_TYPE,
            "payload": STANDARD.encode(&payload),
            "signatures": [{"keyid": "", "sig": STANDARD.encode(key.sign(&signed))}],
        })
    }

    /// `cosign attest` names the repository as the subject, and adds `metadata`;
    /// it attests scans as well.
    #[test]
    fn attestations_of_cosign_count() {
        const SLSA: &str = "https://slsa.dev/provenance/v1";
        let bundle = signed(&["p256.key"]);
        let hex = bundle.digest.replace("sha256:", "");
        let opened = open(&tree(&bundle.files)).unwrap();
        let own: serde_json::Value = serde_json::from_slice(&opened.provenance).unwrap();
        let mut same = own["predicate"].clone();
        same["runDetails"]["metadata"] = serde_json::json!({});
        let mut other = same.clone();
        other["buildDefinition"]["buildType"] = "another".into();
        let with = |envelope: &serde_json::Value, by_bundle: bool| {
            let (mut parts, _) = apart(&tree(&bundle.files)).unwrap();
            if !by_bundle {
                parts.beside.remove(&Beside::Attestation);
            }
            let mut bundle = together(&parts).unwrap();
            if by_bundle {
                let content = layout::to_json(&serde_json::json!({"dsseEnvelope": envelope}));
                let kind = "application/vnd.dev.sigstore.bundle.v0.3+json";
                let layer = layout::add_blob(&mut bundle.files, kind, content);
                let config = layout::add_blob(&mut bundle.files, media_type::CONFIG, *b"{}");
                let manifest = serde_json::json!({
                    "schemaVersion": 2, "artifactType": kind, "config": config,
                    "layers": [layer], "subject": {"digest": bundle.digest},
                });
                bundle
                    .put_referrer(layout::to_json(&manifest).into())
                    .unwrap();
            } else {
                let layer = layout::to_json(envelope);
                let layer = layout::add_blob(&mut bundle.files, media_type::DSSE, layer);
                bundle.put_beside(Beside::Attestation, vec![layer]).unwrap();
            }
            proofs(&bundle.files, "p256.pub")
        };
        let scan = serde_json::json!({"findings": 0});
        for by_bundle in [false, true] {
            let proven = |digest: &str, kind: &str, predicate: &serde_json::Value| {
                let proofs = with(&attested(digest, kind, predicate), by_bundle);
                proofs.map(|proofs| {
                    let provenance = proofs.iter().filter(|p| p.subject.starts_with("prov"));
                    provenance.count()
                })
            };
            // Beside the bundle's own, which is not replaced by what refers.
            let before = usize::from(by_bundle);
            assert_eq!(proven(&hex, SLSA, &same).unwrap(), before + 1);
            assert_eq!(proven(&hex, "https://scan.example", &scan).unwrap(), before);
            let error = proven(&hex, SLSA, &other).unwrap_err();
            assert!(error.to_string().contains("says otherwise"), "{error}");
            let error = proven(&"0".repeat(64), SLSA, &same).unwrap_err();
            assert!(error.to_string().contains("of another bundle"), "{error}");
        }
    }

    #[test]
    fn a_flipped_byte_of_a_signature_is_noticed() {
        let bundle = signed(&["p256.key"]);
        for (path, content) in &bundle.files {
            for at in (0..content.len()).step_by(7) {
                let mut changed = content.to_vec();
                changed[at] ^= 1;
                let mut files = bundle.files.clone();
                files.insert(path.clone(), changed.into());
                assert!(proofs(&files, "p256.pub").is_err(), "{path} at {at}");
            }
        }
    }

    #[test]
    fn keys_that_cannot_sign_are_told() {
        let refused = |name: &str, password: Option<&[u8]>| {
            let error = SigningKey::read(&key(name), password).unwrap_err();
            assert_eq!(error.rule(), "trust/key-file");
            (
                error.message().to_owned(),
                error.help_text().unwrap_or_default().to_owned(),
            )
        };
        assert_eq!(
            refused("p256.pub", None),
            (
                "key file `p256.pub` holds a `PUBLIC KEY`".to_owned(),
                "name the private half of the key pair".to_owned()
            )
        );
        assert_eq!(
            refused("encrypted.key", None),
            (
                "key file `encrypted.key` is encrypted, and there is no password".to_owned(),
                "name it: `--key-password env://COSIGN_PASSWORD`".to_owned()
            )
        );
        let (message, _) = refused("encrypted.key", Some(b"wrong horse"));
        assert_eq!(
            message,
            "key file `encrypted.key` cannot be decrypted: the password does not open it"
        );
    }

    #[test]
    fn keys_that_cosign_encrypted_sign_as_in_clear() {
        let encrypted = SigningKey::read(&key("encrypted.key"), Some(b"correct horse")).unwrap();
        let clear = SigningKey::read(&key("p256.key"), None).unwrap();
        assert_eq!(encrypted.sign(b"message"), clear.sign(b"message"));
    }
}
