//! Bundles are the same wherever they are made, and nobody changes one unseen.

use std::sync::Arc;

use super::*;
use crate::artifact::{MemoryTree, Tree};
use crate::pipeline::cluster::sha256;
use crate::pipeline::index::{INDEX_NAME, OutputFiles, Versions};

fn files() -> OutputFiles {
    let mut files = OutputFiles::new();
    let long = format!("kustomization/flux-system/{}.yaml", "n".repeat(120));
    for (path, text) in [
        ("kustomization/flux-system/apps.yaml", "---\nkind: A\n"),
        (long.as_str(), "---\nkind: B\n"),
    ] {
        files.insert(path.to_owned(), text.as_bytes().into());
    }
    let listed: Vec<_> = files
        .iter()
        .map(|(path, content)| serde_json::json!({"path": path, "sha256": &*sha256(content)}))
        .collect();
    let index =
        serde_json::json!({"format": "fluxwright.index/v1", "entries": [{"files": listed}]});
    files.insert(INDEX_NAME.to_owned(), index.to_string().into_bytes().into());
    files
}

fn made() -> Bundle {
    let versions = Versions {
        flux: "2.9".into(),
        kubernetes: "1.37.0".into(),
    };
    create(&Contents {
        files: &files(),
        versions: &versions,
        images: vec![Image {
            image: "example.com/web:1".into(),
            objects: Vec::new(),
        }],
        findings: &[],
        dependencies: vec![Dependency {
            name: "OCIRepository/apps/web".into(),
            revision: "v1@sha256:0".into(),
            sha256: "1".repeat(64),
        }],
        origin: Origin {
            source: Some("https://example.com/fleet".into()),
            revision: Some(format!("sha1:{}", "0".repeat(40))),
            created: 1_700_000_000,
            lock_sha256: None,
            tag: "v1".into(),
        },
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
    let versions = Versions {
        flux: "2.9".into(),
        kubernetes: "1.37.0".into(),
    };
    let other = create(&Contents {
        files: &files(),
        versions: &versions,
        images: Vec::new(),
        findings: &[],
        dependencies: Vec::new(),
        origin: Origin {
            tag: "v1".into(),
            ..Origin::default()
        },
    })
    .unwrap();
    let told: Vec<String> = deviations(&opened(&bundle.files), &opened(&other.files))
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        told[0],
        "the annotation `org.opencontainers.image.created`: 2023-11-14T22:13:20Z in the bundle, \
         1970-01-01T00:00:00Z rebuilt"
    );
    assert!(
        told.iter()
            .any(|t| t == "the bill of images, `/0/image`: in the bundle alone"),
        "{told:?}"
    );
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
        let versions = Versions {
            flux: "2.8".into(),
            kubernetes: "1.37.0".into(),
        };
        let another = create(&Contents {
            files: &files(),
            versions: &versions,
            images: Vec::new(),
            findings: &[],
            dependencies: Vec::new(),
            origin: Origin {
                tag: "v1".into(),
                ..Origin::default()
            },
        })
        .unwrap();
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
