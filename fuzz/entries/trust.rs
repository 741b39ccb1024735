//! What must hold for every signature and every encrypted file: used by the fuzz
//! targets and by the tests that replay their inputs. Nothing panics, and
//! nothing that was made up is verified or decrypted by accident.

use std::collections::BTreeMap;
use std::sync::Arc;

use fluxwright::artifact::MemoryTree;
use fluxwright::artifact::git::check_files;
use fluxwright::diag::{Error, FileId};
use fluxwright::gostd::moment::Moment;
use fluxwright::sops::{self, Decryptor, Format};
use fluxwright::verify::cosign::{self, Digest, Identity, Layout, Trust};
use fluxwright::verify::git::{Signed, verify_signed};
use fluxwright::verify::{self, KeyFile, Keys, provenance};
use fluxwright::yaml;

fn file(name: &str, content: &[u8]) -> KeyFile {
    KeyFile {
        name: name.to_owned(),
        content: content.to_vec(),
    }
}

fn now() -> Moment {
    Moment::from_unix(1_767_225_600)
}

/// A refusal says what it refuses, and by which rule.
fn check_refusal(error: &Error) {
    assert!(verify::is_refusal(error), "{} {error}", error.rule());
    assert!(!error.message().is_empty());
}

/// Reads a commit and a tag, their signatures, and the same bytes as keys.
pub(crate) fn git(data: &[u8]) {
    let trusted = [
        file(
            "a.asc",
            include_bytes!("../../testdata/verify/git/keys/ed25519.asc"),
        ),
        file(
            "b.sshpub",
            include_bytes!("../../testdata/verify/git/keys/ssh-ed25519.sshpub"),
        ),
        file("c.asc", data),
        file("d.sshpub", data),
    ];
    let keys = Keys::read(&trusted);
    for is_sha256 in [false, true] {
        match Signed::of_commit(data, is_sha256) {
            Ok(signed) => {
                assert!(signed.payload.len() <= data.len());
                assert_eq!(signed.signature.is_empty(), signed.format.is_none());
                if let Err(e) = verify_signed(&signed, &keys, now()) {
                    check_refusal(&e);
                }
            }
            Err(e) => check_refusal(&e),
        }
    }
    if let Err(e) = check_files(data, data, false, true, &BTreeMap::new()) {
        assert!(!e.message().is_empty());
    }
    let signed = Signed::of_tag(data);
    assert!(signed.payload.len() <= data.len());
    if let Err(e) = verify_signed(&signed, &keys, now()) {
        check_refusal(&e);
    }
}

/// Reads a provenance file, and the same bytes as a keyring.
pub(crate) fn provenance(data: &[u8]) {
    let ring = include_bytes!("../../testdata/verify/git/keys/ed25519.asc");
    for keyring in [ring.as_slice(), data] {
        let keyring = file("ring", keyring);
        let result = provenance::verify(b"archive", "web-1.0.0.tgz", data, &keyring, now());
        if let Err(e) = result {
            check_refusal(&e);
        }
    }
}

/// Reads a bundle, the payload and the annotations of an older signature, a
/// public key and a trust root. The first byte chooses.
pub(crate) fn cosign(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else {
        return;
    };
    let key = file("key.pub", KEY.as_bytes());
    if choice % 4 == 3 {
        if let Err(e) = Trust::keys(&[file("key.pub", data)]) {
            check_refusal(&e);
        }
        let identity = Identity::new("^i$", "^s$").expect("patterns that are some");
        if let Err(e) = Trust::identities(&file("root.json", data), vec![identity]) {
            check_refusal(&e);
        }
        return;
    }
    let trust = Trust::keys(&[key]).expect("a public key");
    let (layout, digest) = layout(choice % 4, data);
    let layout = match Layout::open(Arc::new(layout)) {
        Ok(layout) => layout,
        Err(e) => {
            assert!(!e.message().is_empty());
            return;
        }
    };
    let verified = cosign::verify(&layout, &digest, &trust);
    assert!(verified.is_err(), "nobody has the private key");
}

/// A public key on P-256 whose private half was thrown away.
const KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZHISL/YY9AyLfI5PvZMO+obz+vRz\n\
    7ZCC3Y4cD81cMbPuVr5bGC0ktdkVtzE3OBIjg3kMlBujbVtECIoCjFOVAw==\n\
    -----END PUBLIC KEY-----\n";

/// An artifact with something beside it that is to be a signature.
fn layout(choice: u8, data: &[u8]) -> (MemoryTree, Digest) {
    let mut tree = MemoryTree::new("layout");
    let mut put = |content: &[u8]| {
        let digest = Digest::of(content);
        tree.insert(format!("blobs/sha256/{}", digest.hex()), content);
        format!(r#""digest":"{digest}","size":{}"#, content.len())
    };
    let config = put(b"{}");
    let image = format!(r#"{{"config":{{{config}}},"layers":[]}}"#);
    let digest = Digest::of(image.as_bytes());
    let image = put(image.as_bytes());
    let other = put(data);
    let bundle = "application/vnd.dev.sigstore.bundle.v0.3+json";
    let (tag, beside) = match choice {
        0 => (
            "bundle".to_owned(),
            format!(
                r#"{{"config":{{{config}}},"layers":[{{"mediaType":"{bundle}",{other}}}],"subject":{{{image}}}}}"#
            ),
        ),
        1 => (
            format!("sha256-{}.sig", digest.hex()),
            format!(
                r#"{{"config":{{{config}}},"layers":[{{{other},"annotations":{{"dev.cosignproject.cosign/signature":"AAAA"}}}}]}}"#
            ),
        ),
        // What is beside it is made up as a whole.
        _ => (
            format!("sha256-{}.sig", digest.hex()),
            String::from_utf8_lossy(data).into_owned(),
        ),
    };
    let beside = put(beside.as_bytes());
    let index = format!(
        r#"{{"manifests":[{{{image},"annotations":{{"org.opencontainers.image.ref.name":"v1"}}}},{{{beside},"annotations":{{"org.opencontainers.image.ref.name":"{tag}"}}}}]}}"#
    );
    tree.insert("index.json", index.as_bytes());
    (tree, digest)
}

/// Reads an encrypted file in every format, with a key and without. The first
/// byte chooses the format.
pub(crate) fn sops(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else {
        return;
    };
    let formats = [
        Format::Yaml,
        Format::Json,
        Format::Dotenv,
        Format::Ini,
        Format::Binary,
    ];
    let format = formats[usize::from(*choice) % formats.len()];
    let mut keys = sops::Keys::default();
    keys.add_age("key", IDENTITY.as_bytes())
        .expect("an identity");
    if let Err(e) = sops::decrypt(data, format, format, &keys) {
        assert!(e.rule().starts_with("sops/"), "{} {e}", e.rule());
        assert!(!e.message().is_empty());
    }
    let _ = sops::source_placeholders(data, format);
    let _ = sops::Keys::default().add_age("key", data);
    let decryptor = Decryptor::new(keys);
    let _ = decryptor.decrypt_source(data, format);
    let Ok(text) = yaml::text::decode(data) else {
        return;
    };
    for mut document in yaml::parse(&text, FileId::default()).unwrap_or_default() {
        let mut object = document.root.clone();
        if decryptor.decrypt_object(&mut object).is_err() {
            sops::placeholders(&mut document.root);
        }
    }
}

/// The key of the files in testdata/sops.
const IDENTITY: &str = include_str!("../../testdata/sops/keys/one.agekey");
