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

#[cfg(feature = "verify")]
mod signatures {
    use super::*;
    use crate::verify::KeyFile;
    use crate::verify::cosign::Trust;
    use crate::verify::sign::SigningKey;

    /// Made by `openssl genpkey` for these tests, of no use elsewhere.
    fn key(name: &str) -> KeyFile {
        let content: &[u8] = match name {
            "p256.key" => include_bytes!("../../testdata/bundle/p256.key"),
            "p256.pub" => include_bytes!("../../testdata/bundle/p256.pub"),
            "ed25519.key" => include_bytes!("../../testdata/bundle/ed25519.key"),
            _ => include_bytes!("../../testdata/bundle/ed25519.pub"),
        };
        KeyFile {
            name: name.to_owned(),
            content: content.to_vec(),
        }
    }

    fn signed(names: &[&str]) -> Bundle {
        let mut bundle = made();
        let keys: Vec<SigningKey> = names
            .iter()
            .map(|name| SigningKey::read(&key(name)).unwrap())
            .collect();
        sign(&mut bundle, &keys).unwrap();
        bundle
    }

    #[test]
    fn signatures_are_no_part_of_the_digest_and_hold() {
        for name in ["p256", "ed25519"] {
            let bundle = signed(&[&format!("{name}.key")]);
            assert_eq!(bundle.digest, made().digest);
            assert_eq!(open(&tree(&bundle.files)).unwrap().signatures, 1);
            let tree: Arc<dyn Tree> = Arc::new(tree(&bundle.files));
            let trust = Trust::keys(&[key(&format!("{name}.pub"))]).unwrap();
            let proofs = verify(&tree, &trust).unwrap();
            assert_eq!(proofs.len(), 1);
            assert_eq!(proofs[0].subject, format!("artifact {}", bundle.digest));
        }
        assert_eq!(signed(&["p256.key"]).files, signed(&["p256.key"]).files);
    }

    #[test]
    fn others_and_nobody_are_refused() {
        let trust = Trust::keys(&[key("p256.pub")]).unwrap();
        let by_other: Arc<dyn Tree> = Arc::new(tree(&signed(&["ed25519.key"]).files));
        let error = verify(&by_other, &trust).unwrap_err();
        assert_eq!(error.rule(), "trust/unknown-key");
        let unsigned: Arc<dyn Tree> = Arc::new(tree(&made().files));
        assert_eq!(
            verify(&unsigned, &trust).unwrap_err().rule(),
            "trust/unsigned"
        );
        let both: Arc<dyn Tree> = Arc::new(tree(&signed(&["ed25519.key", "p256.key"]).files));
        assert_eq!(verify(&both, &trust).unwrap().len(), 1);
    }

    #[test]
    fn a_flipped_byte_of_a_signature_is_noticed() {
        let bundle = signed(&["p256.key"]);
        let trust = Trust::keys(&[key("p256.pub")]).unwrap();
        for (path, content) in &bundle.files {
            for at in (0..content.len()).step_by(7) {
                let mut changed = content.to_vec();
                changed[at] ^= 1;
                let mut files = bundle.files.clone();
                files.insert(path.clone(), changed.into());
                let tree: Arc<dyn Tree> = Arc::new(tree(&files));
                assert!(verify(&tree, &trust).is_err(), "{path} at {at}");
            }
        }
    }

    #[test]
    fn keys_that_cannot_sign_are_told() {
        let error = SigningKey::read(&key("p256.pub")).unwrap_err();
        assert_eq!(error.rule(), "trust/key-file");
        assert_eq!(error.message(), "key file `p256.pub` holds a `PUBLIC KEY`");
        assert_eq!(
            error.help_text(),
            Some("name the private half of the key pair")
        );
    }
}
