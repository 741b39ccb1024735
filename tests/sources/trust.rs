//! Signatures that sources, charts and `.fluxwright.yaml` demand: verified when
//! they are locked, and again whenever they are used.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fluxwright::artifact::Digest;

use super::charts::{archive, fleet as chart_fleet, index};
use super::fleet::{Fleet, Repository, config_map, source};
use super::http::{Answer, Server, git};
use super::program;
use crate::program::Run;

/// An SSH key that signs commits.
struct Author {
    folder: tempfile::TempDir,
}

impl Author {
    fn new() -> Option<Author> {
        let program = program("ssh-keygen")?;
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new(program)
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "alice", "-f"])
            .arg(folder.path().join("key"))
            .status()
            .unwrap();
        assert!(made.success());
        Some(Author { folder })
    }

    fn public(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("key.pub")).unwrap()
    }

    /// Signs the newest commit, and a tag `v2.0.0` of it.
    fn sign(&self, repository: &Repository) {
        let key = format!(
            "user.signingkey={}",
            self.folder.path().join("key.pub").display()
        );
        let with = ["-c", "gpg.format=ssh", "-c", &key];
        let amend = ["commit", "-q", "--amend", "--no-edit", "--gpg-sign"];
        repository.git(&[&with[..], &amend].concat());
        let tag = ["tag", "--sign", "--force", "-m", "second", "v2.0.0"];
        repository.git(&[&with[..], &tag].concat());
        repository.publish();
    }

    /// A Secret with the key.
    fn secret(&self) -> String {
        secret("alice.sshpub", &self.public())
    }
}

pub(super) fn secret(entry: &str, content: &str) -> String {
    let content = STANDARD.encode(content);
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: keys\n  namespace: flux-system\ndata:\n  \
         {entry}: {content}\n"
    )
}

fn signed_repository(url: &str, reference: &str, mode: &str) -> String {
    source(
        "GitRepository",
        &format!(
            "  url: {url}/app.git\n  ref: {{{reference}}}\n  verify:\n    mode: {mode}\n    \
             secretRef: {{name: keys}}\n"
        ),
    )
}

#[track_caller]
pub(super) fn refused(run: &Run, code: i32, rule: &str, message: &str) {
    assert_eq!(run.code, Some(code), "{}{}", run.stdout, run.stderr);
    assert!(
        run.stderr.contains(rule) && run.stderr.contains(message),
        "{}",
        run.stderr
    );
}

/// What the index says of the source `app`.
pub(super) fn index_of(fleet: &Fleet, args: &[&str]) -> serde_json::Value {
    let folder = fleet.root().join("../rendered");
    let folder = folder.to_str().unwrap();
    fleet.done(&[&["build", "--output-dir", folder], args].concat());
    let text = std::fs::read(Path::new(folder).join("index.json")).unwrap();
    let index: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let files = index["entries"][0]["files"].as_array().unwrap();
    let mut sources = files.iter().map(|file| &file["source"]);
    sources.find(|s| s["name"] == "app").unwrap().clone()
}

#[test]
fn a_commit_is_verified_when_it_is_locked_and_when_it_is_used() {
    let (Some(alice), Some(mallory)) = (Author::new(), Author::new()) else {
        return;
    };
    let app = Repository::new();
    let server = Server::start(git(app.served()));
    let fleet = Fleet::of(&signed_repository(&server.address, "branch: main", "HEAD"));

    // Nobody knows the keys.
    let run = fleet.run(&["lock"]);
    refused(
        &run,
        1,
        "trust/key-file",
        "the Secret `flux-system/keys` with the keys is not in the repository",
    );
    assert!(run.stderr.contains("`secret: flux-system/keys`"));
    assert!(!fleet.root().join("fluxwright.lock").exists());

    // The commit is not signed.
    fleet.write("clusters/prod/keys.yaml", &alice.secret());
    let run = fleet.run(&["lock"]);
    refused(&run, 1, "trust/unsigned", "it is not signed");
    assert!(
        run.stderr
            .contains("`GitRepository/flux-system/app`: commit")
    );
    assert!(run.stderr.contains("clusters/prod/source.yaml:"));
    assert!(!fleet.root().join("fluxwright.lock").exists());

    // It is.
    alice.sign(&app);
    let locked = fleet.done(&["lock"]);
    let signed = "GitRepository/flux-system/app, signed by  new: SSH key SHA256:";
    assert!(locked.stdout.contains(signed), "{}", locked.stdout);
    let lockfile = fleet.lockfile();
    assert!(
        lockfile.contains("  verified:\n  - 'SSH key SHA256:"),
        "{lockfile}"
    );
    assert_eq!(
        fleet.done(&["lock"]).stdout,
        "fluxwright.lock is up to date\n"
    );
    fleet.done(&["lock", "--check"]);
    let source = index_of(&fleet, &[]);
    let verified = source["verified"].as_str().unwrap();
    assert!(verified.starts_with("SSH key SHA256:"), "{verified}");
    assert!(verified.ends_with("(alice)"), "{verified}");
    assert_eq!(source["verificationSkipped"], false);

    // Alice is no longer trusted.
    fleet.write("clusters/prod/keys.yaml", &mallory.secret());
    for command in [&["build"][..], &["build", "--only", "flux-system/apps"]] {
        let run = fleet.run(command);
        refused(
            &run,
            2,
            "trust/unknown-key",
            "which is none of the keys given",
        );
        assert!(!run.stdout.contains("value: one"), "{}", run.stdout);
    }
    refused(
        &fleet.run(&["lock", "--check"]),
        1,
        "trust/unknown-key",
        "it is signed by SSH key",
    );
    assert_eq!(fleet.lockfile(), lockfile);
}

#[test]
fn keys_come_with_what_another_kustomization_applies() {
    let Some(alice) = Author::new() else { return };
    let app = Repository::new();
    alice.sign(&app);
    let server = Server::start(git(app.served()));
    let fleet = Fleet::of(&signed_repository(&server.address, "branch: main", "HEAD"));
    fleet.write("infra/keys.yaml", &alice.secret());
    fleet.write(
        "clusters/prod/infra.yaml",
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: \
         zz-infra\n  namespace: flux-system\nspec:\n  interval: 1h\n  prune: true\n  path: \
         ./infra\n  sourceRef:\n    kind: GitRepository\n    name: flux-system\n",
    );
    fleet.done(&["lock"]);
    assert!(fleet.done(&["build"]).stdout.contains("value: one"));
}

/// A file of testdata/sops/keys.
#[cfg(feature = "sops")]
fn age_key(name: &str) -> std::path::PathBuf {
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/sops/keys");
    keys.join(name)
}

/// The Secret with keys as sops encrypts it for `one.agekey`.
#[cfg(feature = "sops")]
fn sealed(entry: &str, content: &str) -> String {
    use aes_gcm::aead::consts::U32;
    use aes_gcm::aead::{AeadInPlace as _, KeyInit as _};
    use aes_gcm::aes::Aes256;
    use sha2::Digest as _;

    const MADE: &str = "2026-01-01T00:00:00Z";
    let data_key = [9; 32];
    let seal = |plain: &str, place: &str| {
        let cipher = aes_gcm::AesGcm::<Aes256, U32>::new(&data_key.into());
        let (iv, mut data) = ([7; 32], plain.as_bytes().to_vec());
        let tag = cipher
            .encrypt_in_place_detached(&iv.into(), place.as_bytes(), &mut data)
            .unwrap();
        let [data, iv, tag] = [&data[..], &iv, &tag].map(|part| STANDARD.encode(part));
        format!("ENC[AES256_GCM,data:{data},iv:{iv},tag:{tag},type:str]")
    };
    let content = STANDARD.encode(content);
    let mut mac = sha2::Sha512::new();
    for value in ["v1", "Secret", "keys", "flux-system", &content] {
        mac.update(value);
    }
    let mac = hex::encode_upper(mac.finalize());
    let identity = std::fs::read_to_string(age_key("one.agekey")).unwrap();
    let recipient = identity
        .lines()
        .find_map(|l| l.strip_prefix("# public key: "));
    let recipient: age::x25519::Recipient = recipient.unwrap().parse().unwrap();
    let wrapped = age::encrypt_and_armor(&recipient, &data_key).unwrap();
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: keys\n  namespace: flux-system\ndata:\n  \
         {entry}: {}\nsops:\n  age:\n  - recipient: {recipient}\n    enc: |\n      {}\n  \
         lastmodified: \"{MADE}\"\n  mac: {}\n  encrypted_regex: ^data$\n  version: 3.10.2\n",
        seal(&content, &format!("data:{entry}:")),
        wrapped.trim_end().replace('\n', "\n      "),
        seal(&mac, MADE)
    )
}

#[cfg(feature = "sops")]
#[test]
fn keys_may_be_encrypted_themselves() {
    let Some(alice) = Author::new() else { return };
    let app = Repository::new();
    alice.sign(&app);
    let server = Server::start(git(app.served()));
    let fleet = Fleet::of(&signed_repository(&server.address, "branch: main", "HEAD"));
    fleet.write("infra/keys.yaml", &sealed("alice.sshpub", &alice.public()));
    fleet.write(
        "clusters/prod/infra.yaml",
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: \
         infra\n  namespace: flux-system\nspec:\n  interval: 1h\n  prune: true\n  path: \
         ./infra\n  sourceRef:\n    kind: GitRepository\n    name: flux-system\n  decryption:\n    \
         provider: sops\n    secretRef: {name: age}\n",
    );
    let sealed = "the Secret `flux-system/keys` with the keys is encrypted, and no key opens it";
    let [one, two] = ["one.agekey", "two.agekey"].map(|name| age_key(name).display().to_string());
    for key in [&[][..], &["--age-key-file", &two]] {
        let run = fleet.run(&[&["lock"], key].concat());
        refused(&run, 1, "trust/key-file", sealed);
        assert!(run.stderr.contains("give `--age-key-file` or `--pgp-key`"));
        assert!(!fleet.root().join("fluxwright.lock").exists());
    }
    let key = ["--age-key-file", &one];
    let locked = fleet.done(&[&["lock"][..], &key].concat());
    assert!(locked.stdout.contains("signed by  new: SSH key SHA256:"));
    let built = fleet.done(&[&["build"][..], &key].concat());
    assert!(built.stdout.contains("value: one"));
    // What is locked is verified anew, and needs the keys again.
    let run = fleet.run(&["build"]);
    refused(&run, 2, "trust/key-file", sealed);
    assert!(!run.stdout.contains("value: one"));
    // The keys that are in it are those that count.
    let mallory = Author::new().unwrap();
    let other = self::sealed("alice.sshpub", &mallory.public());
    fleet.write("infra/keys.yaml", &other);
    let run = fleet.run(&[&["build"][..], &key].concat());
    refused(
        &run,
        2,
        "trust/unknown-key",
        "which is none of the keys given",
    );
}

#[test]
fn tags_and_ranges_of_versions_have_tags_to_verify() {
    let Some(alice) = Author::new() else { return };
    let app = Repository::new();
    alice.sign(&app);
    app.git(&["tag", "v3.0.0"]);
    app.publish();
    let server = Server::start(git(app.served()));
    for (reference, mode, refusal) in [
        ("tag: v2.0.0", "Tag", None),
        ("tag: v2.0.0", "TagAndHEAD", None),
        ("semver: 2.x", "TagAndHEAD", None),
        ("name: refs/tags/v2.0.0", "Tag", None),
        ("tag: v3.0.0", "HEAD", None),
        (
            "tag: v3.0.0",
            "Tag",
            Some(("trust/unsigned", "it is a lightweight tag")),
        ),
        ("tag: v1.0.0", "Tag", Some(("trust/unsigned", "tag v1.0.0"))),
        (
            "branch: main",
            "Tag",
            Some(("trust/mode", "the reference names no tag")),
        ),
        (
            "branch: main",
            "Head",
            Some(("trust/mode", "unsupported verification mode `Head`")),
        ),
    ] {
        let fleet = Fleet::of(&signed_repository(&server.address, reference, mode));
        fleet.write("clusters/prod/keys.yaml", &alice.secret());
        let run = fleet.run(&["lock"]);
        match refusal {
            None => {
                assert_eq!(run.code, Some(0), "{reference} {mode}: {}", run.stderr);
                // Fetched elsewhere, it holds, too.
                std::fs::remove_dir_all(fleet.store()).unwrap();
                fleet.done(&["fetch"]);
                assert!(fleet.done(&["build"]).stdout.contains("value: one"));
            }
            Some((rule, message)) => refused(&run, 1, rule, message),
        }
    }
}

#[test]
fn policy_asks_for_signatures_and_names_keys() {
    let Some(alice) = Author::new() else { return };
    let app = Repository::new();
    let server = Server::start(git(app.served()));
    let fleet = Fleet::of(&source(
        "GitRepository",
        &format!(
            "  url: {}/app.git\n  ref: {{branch: main}}\n",
            server.address
        ),
    ));
    let config = "entries:\n- path: clusters/prod\ntrust:\n  sources:\n  - source: \
                  GitRepository/flux-system/*\n    keys: [keys/alice.sshpub]\n";
    fleet.write(".fluxwright.yaml", config);
    let run = fleet.run(&["lock"]);
    refused(
        &run,
        1,
        "trust/key-file",
        "key file `keys/alice.sshpub` cannot be read",
    );
    fleet.write("keys/alice.sshpub", &alice.public());
    let run = fleet.run(&["lock"]);
    let by = "as `trust.sources` in .fluxwright.yaml asks of `GitRepository/flux-system/*`: commit";
    refused(&run, 1, "trust/unsigned", by);
    alice.sign(&app);
    fleet.done(&["lock"]);
    let verified = index_of(&fleet, &[])["verified"].clone();
    assert!(verified.as_str().unwrap().contains("SSH key"), "{verified}");

    // Key files in the place of a Secret.
    let fleet = Fleet::of(&signed_repository(&server.address, "branch: main", "HEAD"));
    fleet.write("keys/alice.sshpub", &alice.public());
    fleet.write(
        ".fluxwright.yaml",
        "entries:\n- path: clusters/prod\nkeys:\n- secret: flux-system/keys\n  files: \
         [keys/alice.sshpub]\n",
    );
    fleet.done(&["lock"]);
    fleet.done(&["build"]);
}

#[test]
fn what_is_skipped_is_told_everywhere() {
    let app = Repository::new();
    let server = Server::start(git(app.served()));
    let fleet = Fleet::of(&signed_repository(&server.address, "branch: main", "HEAD"));
    let skip = ["--insecure-skip-verify", "GitRepository/flux-system/app"];
    let locked = fleet.done(&[&["lock"][..], &skip].concat());
    assert!(locked.stderr.contains("trust/skipped"), "{}", locked.stderr);
    assert!(
        !fleet.lockfile().contains("verified"),
        "{}",
        fleet.lockfile()
    );
    let built = fleet.done(&[&["build"][..], &skip].concat());
    assert!(
        built.stderr.contains(
            "`GitRepository/flux-system/app` must be signed, and its signature was not verified"
        ),
        "{}",
        built.stderr
    );
    assert_eq!(index_of(&fleet, &skip)["verificationSkipped"], true);
    fleet.write("../old.lock", &fleet.lockfile());
    let old = fleet.root().join("../old.lock").display().to_string();
    for command in [&["check"][..], &["diff", "--base-lock", &old]] {
        let run = fleet.run(&[command, &skip].concat());
        let talk = format!("{}{}", run.stdout, run.stderr);
        assert!(talk.contains("trust/skipped"), "{command:?}: {talk}");
    }
    in_bundles(&fleet, &skip);
    let run = fleet.run(&["build"]);
    refused(&run, 2, "trust/key-file", "`flux-system/keys`");
    let run = fleet.run(&["build", "--insecure-skip-verify", "app"]);
    refused(
        &run,
        2,
        "usage/skip-verify",
        "`app` is not KIND/NAMESPACE/NAME",
    );
}

/// What was not verified is named in every part of a bundle that could be read
/// for it, and never released.
fn in_bundles(fleet: &Fleet, skip: &[&str]) {
    let root = fleet.root();
    for args in [
        &["init", "-q", "-b", "main"][..],
        &["add", "-A"],
        &["commit", "-q", "-m", "all"],
    ] {
        super::fleet::git(&root, args);
    }
    let folder = root.join("../bundle").display().to_string();
    let store = fleet.store();
    let run = |args: &[&str]| {
        let environment = [("FLUXWRIGHT_STORE", store.to_str().unwrap())];
        crate::program::run_with(args, "", &environment)
    };
    let root_name = root.to_str().unwrap();
    for command in [
        &["get", "all", root_name][..],
        &["graph", root_name],
        &["rbac", root_name],
    ] {
        let run = run(&[command, skip].concat());
        assert!(
            run.stderr.contains("trust/skipped"),
            "{command:?}: {}",
            run.stderr
        );
    }
    let create = [
        "bundle",
        "create",
        root.to_str().unwrap(),
        "--output",
        &folder,
    ];
    let create = [
        &create[..],
        &["--tag", "v1", "--key", "testdata/bundle/p256.key"],
        skip,
    ]
    .concat();
    let made = run(&create);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    assert!(made.stderr.contains("trust/skipped"), "{}", made.stderr);
    let name = "GitRepository/flux-system/app";
    assert!(made.stderr.contains(name), "{}", made.stderr);
    for (part, says) in [
        ("summary", "unverified  GitRepository/flux-system/app"),
        ("index", "\"verificationSkipped\":true"),
        ("findings", "trust/skipped"),
    ] {
        let shown = run(&["bundle", "inspect", &folder, "--part", part]).stdout;
        let shown = shown.replace("\": ", "\":");
        assert!(shown.contains(says), "{part}: {shown}");
    }
    let verified = run(&[
        "bundle",
        "verify",
        &folder,
        "--key",
        "testdata/bundle/p256.pub",
    ]);
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    let talk = format!("{}{}", verified.stdout, verified.stderr);
    assert!(
        talk.contains(&format!("unverified: {name} must be signed")),
        "{talk}"
    );

    // Nor is what cannot be verified.
    let other = root.join("../unverified").display().to_string();
    let released = run(&[
        "bundle",
        "create",
        root_name,
        "--output",
        &other,
        "--release",
    ]);
    assert_eq!(released.code, Some(1), "{}", released.stdout);
    for part in ["bundle/refused", name, "is not verified"] {
        assert!(
            released.stderr.contains(part),
            "{part}: {}",
            released.stderr
        );
    }

    let released = run(&[&create[..], &["--release"]].concat());
    assert_eq!(released.code, Some(1), "{}", released.stdout);
    for part in ["bundle/refused", name, "must be signed, and nobody looked"] {
        assert!(
            released.stderr.contains(part),
            "{part}: {}",
            released.stderr
        );
    }
}

#[test]
fn files_that_are_not_those_of_the_commit_are_refused() {
    let Some(alice) = Author::new() else { return };
    let app = Repository::new();
    alice.sign(&app);
    let server = Server::start(git(app.served()));
    let fleet = Fleet::of(&signed_repository(&server.address, "branch: main", "HEAD"));
    fleet.write("clusters/prod/keys.yaml", &alice.secret());
    fleet.done(&["lock"]);
    // Somebody who may write to the repository alone: other files under a
    // commit that is signed, with a lockfile that says it is so.
    fleet.done(&["vendor"]);
    std::fs::remove_dir_all(fleet.store()).unwrap();
    assert!(fleet.done(&["build"]).stdout.contains("value: one"));
    let vendored = "vendor/sources/GitRepository/flux-system/app";
    let file = format!("{vendored}/deploy/web.yaml");
    for (path, content, message) in [
        (
            &file,
            config_map("web", "evil"),
            "`deploy/web.yaml` was changed",
        ),
        (
            &format!("{vendored}/deploy/more.yaml"),
            config_map("more", "evil"),
            "there are files that it does not hold",
        ),
        (
            &format!("{vendored}/_git/trees"),
            String::new(),
            "is missing",
        ),
    ] {
        let old = std::fs::read(fleet.root().join(path)).ok();
        fleet.write(path, &content);
        let changed = repacked(&fleet, vendored);
        let (lockfile, listed) = (fleet.lockfile(), fleet.read("vendor/index.json"));
        let locked = lockfile
            .lines()
            .find_map(|line| line.trim().strip_prefix("digest: "))
            .unwrap()
            .to_owned();
        fleet.write("fluxwright.lock", &lockfile.replace(&locked, &changed));
        fleet.write("vendor/index.json", &listed.replace(&locked, &changed));
        let run = fleet.run(&["build"]);
        refused(&run, 2, "trust/digest", message);
        fleet.write("fluxwright.lock", &lockfile);
        fleet.write("vendor/index.json", &listed);
        match old {
            Some(old) => std::fs::write(fleet.root().join(path), old).unwrap(),
            None => std::fs::remove_file(fleet.root().join(path)).unwrap(),
        }
    }
    assert!(fleet.done(&["build"]).stdout.contains("value: one"));
}

/// A tag or a commit, changed after it was signed, and put in the place of the one
/// that was.
#[test]
fn commits_and_tags_that_were_changed_are_refused() {
    let Some(alice) = Author::new() else { return };
    let app = Repository::new();
    alice.sign(&app);
    let signed = app.git(&["rev-parse", "HEAD"]);
    let server = Server::start(git(app.served()));
    let change = |kind: &str, name: &str, from: &str, to: &str| {
        let text = app.git(&["cat-file", kind, name]);
        assert!(text.contains(from), "{text}");
        let file = app.work().join("../changed");
        std::fs::write(&file, text.replacen(from, to, 1)).unwrap();
        let file = file.display().to_string();
        let made = app.git(&["hash-object", "-t", kind, "-w", "--literally", &file]);
        made.trim().to_owned()
    };
    let tag = change("tag", "v2.0.0", "\nsecond\n", "\nsecnod\n");
    app.git(&["update-ref", "refs/tags/v2.0.1", &tag]);
    app.git(&["update-ref", "refs/tags/v2.0.0", &tag]);
    let commit = change(
        "commit",
        signed.trim(),
        "\nauthor Alice",
        "\nauthor Mallory",
    );
    app.git(&["update-ref", "refs/heads/main", &commit]);
    app.publish();
    for (reference, mode, subject) in [
        ("tag: v2.0.0", "Tag", "tag v2.0.0"),
        ("tag: v2.0.0", "TagAndHEAD", "tag v2.0.0"),
        ("branch: main", "HEAD", "commit "),
        (&*format!("commit: {commit}"), "HEAD", "commit "),
    ] {
        let fleet = Fleet::of(&signed_repository(&server.address, reference, mode));
        fleet.write("clusters/prod/keys.yaml", &alice.secret());
        let run = fleet.run(&["lock"]);
        refused(&run, 1, "trust/bad-signature", "does not match");
        for part in [
            "`GitRepository/flux-system/app`",
            subject,
            "SSH key SHA256:",
            "clusters/prod/source.yaml:",
            "= help: ",
        ] {
            assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
        }
        assert!(!fleet.root().join("fluxwright.lock").exists());
        assert!(!run.stdout.contains("value:"), "{}", run.stdout);
    }
}

/// The digest of a vendored folder as it is now.
fn repacked(fleet: &Fleet, folder: &str) -> String {
    let mut tree = fluxwright::artifact::MemoryTree::new("");
    let root = fleet.root().join(folder);
    let mut open = vec![root.clone()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
            let name = name.replacen("_git/", ".git/", 1);
            tree.insert(name, std::fs::read(&path).unwrap());
        }
    }
    Digest::of(&fluxwright::artifact::pack::pack(&tree).unwrap()).to_string()
}

#[test]
fn provenance_of_charts_is_verified_and_expires() {
    let Some(gpg) = program("gpg") else { return };
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    let gpg = |args: &[&str]| {
        let output = Command::new(&gpg)
            .args(["--homedir", at.to_str().unwrap(), "--batch", "--quiet"])
            .args(["--passphrase", "", "--faked-system-time", "20240101T000000"])
            .args(args)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    gpg(&[
        "--quick-generate-key",
        "Alice <alice@example.org>",
        "ed25519",
        "sign",
        "1y",
    ]);
    let keyring = gpg(&["--export", "--armor"]);
    let chart = archive("web", "1.0.0");
    let text = format!(
        "name: web\nversion: 1.0.0\n\n...\nfiles:\n  web-1.0.0.tgz: {}\n",
        Digest::of(&chart)
    );
    std::fs::write(at.join("text"), text).unwrap();
    let file = at.join("text");
    let provenance = gpg(&["--clear-sign", "--output", "-", file.to_str().unwrap()]);
    let server = {
        let chart = chart.clone();
        Server::start(move |request| match request.path() {
            "/index.yaml" => Answer::ok(index(&["1.0.0", "1.1.0"])),
            "/charts/web-1.0.0.tgz" => Answer::ok(chart.clone()),
            "/charts/web-1.1.0.tgz" => Answer::ok(archive("web", "1.1.0")),
            "/charts/web-1.0.0.tgz.prov" => Answer::ok(provenance.clone()),
            _ => Answer::status(404),
        })
    };
    let spec = format!("  url: {}\n", server.address);
    let config = "entries:\n- path: clusters/prod\ntrust:\n  sources:\n  - source: \
                  HelmRepository/*/*\n    keys: [keys/alice.asc]\n";
    let fleet = |range: &str| {
        let fleet = chart_fleet(&spec, range);
        fleet.write(".fluxwright.yaml", config);
        fleet.write("keys/alice.asc", std::str::from_utf8(&keyring).unwrap());
        fleet
    };
    let unsigned = fleet("1.1.0");
    let run = unsigned.run(&["lock", "--now", "2024-06-01T00:00:00Z"]);
    refused(&run, 1, "trust/unsigned", "web-1.1.0.tgz.prov");

    let signed = fleet("1.0.0");
    signed.done(&["lock", "--now", "2024-06-01T00:00:00Z"]);
    let lockfile = signed.lockfile();
    assert!(lockfile.contains("    - 'OpenPGP key "), "{lockfile}");
    signed.done(&["build", "--now", "2024-12-01T00:00:00Z"]);
    let run = signed.run(&["build", "--now", "2025-06-01T00:00:00Z"]);
    refused(&run, 2, "trust/expired", "the key expired on 2024-12-31");
    let source = index_of(&signed, &["--now", "2024-12-01T00:00:00Z"]);
    assert!(
        source["verified"]
            .as_str()
            .unwrap()
            .contains("alice@example.org")
    );

    // `verify` in the release alone cannot be met, since Flux ignores it here.
    let asked = chart_fleet(&spec, "1.0.0");
    let release = asked.read("clusters/prod/release.yaml");
    let verify =
        "      verify:\n        provider: cosign\n        secretRef:\n          name: keys\n";
    asked.write("clusters/prod/release.yaml", &format!("{release}{verify}"));
    refused(
        &asked.run(&["lock"]),
        1,
        "trust/unsupported",
        "Flux would ignore `verify`",
    );
}

/// Decrypted values that reach a chart of a locked repository, and everything
/// that commands write on the way: store, lockfile, vendored files, bundles.
#[cfg(feature = "sops")]
#[test]
fn decrypted_values_reach_neither_store_nor_lockfile_nor_bundle() {
    use crate::secrets::{assert_no_canary, files};

    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/sops");
    let server = Server::start(super::charts::serve(&["1.0.0"]));
    let fleet = chart_fleet(&format!("  url: {}\n", server.address), "1.x");
    let canary = testdata.join("canary");
    for (path, content) in files(&canary) {
        let name = path.strip_prefix(&canary).unwrap().to_str().unwrap();
        let name = name.replacen("cluster/", "clusters/prod/", 1);
        fleet.write(&name, std::str::from_utf8(&content).unwrap());
    }
    let release = fleet.read("clusters/prod/release.yaml");
    let values = "  valuesFrom:\n  - kind: Secret\n    name: canary\n    valuesKey: CANARY\n    \
                  targetPath: value\n";
    fleet.write("clusters/prod/release.yaml", &format!("{release}{values}"));
    let key = testdata.join("keys/one.agekey");
    let key = ["--age-key-file", key.to_str().unwrap()];
    let folder = |name: &str| fleet.root().join("..").join(name).display().to_string();
    let (rendered, bundle) = (folder("rendered"), folder("bundle"));
    for command in [
        &["lock"][..],
        &["fetch"],
        &["build"],
        &["build"],
        &["build", "--output-dir", &rendered],
        &["check", "--output", "json"],
        &["check", "--fail-on", "never"],
        &["graph"],
        &["vendor"],
    ] {
        let run = fleet.run(&[command, &key].concat());
        assert!(
            matches!(run.code, Some(0 | 1)),
            "{command:?}: {}",
            run.stderr
        );
        assert_no_canary("standard output", run.stdout.as_bytes());
        assert_no_canary("standard error", run.stderr.as_bytes());
    }
    let (root, store) = (fleet.root(), fleet.store());
    let create = [
        "bundle",
        "create",
        root.to_str().unwrap(),
        "--output",
        &bundle,
    ];
    let environment = [("FLUXWRIGHT_STORE", store.to_str().unwrap())];
    let run = crate::program::run_with(&[&create[..], &key].concat(), "", &environment);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_no_canary("standard error", run.stderr.as_bytes());
    let shown = fleet.done(&[&["build"][..], &key, &["--include-secrets"]].concat());
    assert!(
        shown.stdout.contains("value: canary-7d1f-value"),
        "{}",
        shown.stdout
    );
    let made = files(&fleet.root().join(".."));
    for part in [
        "store/",
        "fluxwright.lock",
        "index.json",
        "vendor/",
        "bundle/blobs/",
    ] {
        let is_there = |path: &std::path::PathBuf| path.to_str().unwrap().contains(part);
        assert!(made.iter().any(|(path, _)| is_there(path)), "{part}");
    }
    for (path, content) in &made {
        let name = path.display().to_string();
        assert_no_canary("the name of a file", name.as_bytes());
        assert_no_canary(&name, content);
    }
}

#[test]
fn old_keys_may_be_bound_by_sha1_and_may_not_sign_so() {
    let Some(program) = program("gpg") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let gpg = |args: &[&str]| {
        let output = Command::new(&program)
            .args([
                "--homedir",
                at.to_str().unwrap(),
                "--batch",
                "--quiet",
                "--yes",
            ])
            .args(["--passphrase", "", "--cert-digest-algo", "SHA1"])
            .args(args)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    gpg(&[
        "--quick-generate-key",
        "Old <old@example.org>",
        "rsa2048",
        "sign",
        "never",
    ]);
    std::fs::write(at.join("ring.gpg"), gpg(&["--export"])).unwrap();
    std::fs::write(at.join("web-1.0.0.tgz"), "archive").unwrap();
    let text = format!(
        "name: web\n\n...\nfiles:\n  web-1.0.0.tgz: {}\n",
        Digest::of(b"archive")
    );
    std::fs::write(at.join("text"), text).unwrap();
    let path = |name: &str| at.join(name).display().to_string();
    let (archive, ring) = (path("web-1.0.0.tgz"), path("ring.gpg"));
    let (text, signed) = (path("text"), path("web-1.0.0.tgz.prov"));
    let verify = || crate::program::run(&["verify", "chart", &archive, "--keyring", &ring], "");
    gpg(&[
        "--digest-algo",
        "SHA512",
        "--clear-sign",
        "--output",
        &signed,
        &text,
    ]);
    let run = verify();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(
        run.stdout.contains("Old <old@example.org>"),
        "{}",
        run.stdout
    );
    gpg(&[
        "--digest-algo",
        "SHA1",
        "--clear-sign",
        "--output",
        &signed,
        &text,
    ]);
    refused(&verify(), 1, "trust/weak", "over a SHA1 digest");
}
