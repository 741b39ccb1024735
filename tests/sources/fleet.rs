//! A repository in a temporary folder, and the program run on it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{Run, run_with};

/// A repository with a store of its own.
pub(super) struct Fleet {
    folder: tempfile::TempDir,
}

impl Fleet {
    /// A repository of one cluster whose Kustomization `apps` reads the folder
    /// `deploy` of a source, and that source.
    pub(super) fn of(source: &str) -> Fleet {
        let kind = source.split("kind: ").nth(1).unwrap();
        let kind = kind.lines().next().unwrap();
        let fleet = Fleet {
            folder: tempfile::tempdir().unwrap(),
        };
        fleet.write(
            "clusters/prod/apps.yaml",
            &format!(
                "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  \
                 name: apps\n  namespace: flux-system\nspec:\n  interval: 1h\n  prune: true\n  \
                 path: ./deploy\n  sourceRef:\n    kind: {kind}\n    name: app\n"
            ),
        );
        fleet.write("clusters/prod/source.yaml", source);
        fleet.write(".fluxwright.yaml", "entries:\n- path: clusters/prod\n");
        fleet
    }

    /// A repository without anything but its configuration.
    pub(super) fn empty() -> Fleet {
        let fleet = Fleet {
            folder: tempfile::tempdir().unwrap(),
        };
        fleet.write(".fluxwright.yaml", "entries:\n- path: clusters/prod\n");
        fleet
    }

    pub(super) fn root(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    pub(super) fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    pub(super) fn write(&self, path: &str, content: &str) {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(super) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root().join(path)).unwrap()
    }

    pub(super) fn lockfile(&self) -> String {
        self.read("fluxwright.lock")
    }

    pub(super) fn run(&self, args: &[&str]) -> Run {
        self.run_with(args, &[])
    }

    pub(super) fn run_with(&self, args: &[&str], environment: &[(&str, &str)]) -> Run {
        let root = self.root();
        let store = self.store();
        let home = self.folder.path().to_str().unwrap().to_owned();
        let path = std::env::var("PATH").unwrap();
        let mut all = vec![
            ("FLUXWRIGHT_STORE", store.to_str().unwrap()),
            ("HOME", home.as_str()),
            ("PATH", path.as_str()),
        ];
        all.extend(environment);
        let mut whole = vec![args[0], root.to_str().unwrap()];
        whole.extend(&args[1..]);
        run_with(&whole, "", &all)
    }

    /// Runs a command that must do its work.
    #[track_caller]
    pub(super) fn done(&self, args: &[&str]) -> Run {
        let run = self.run(args);
        assert_eq!(run.code, Some(0), "{args:?}: {}{}", run.stdout, run.stderr);
        run
    }
}

impl Fleet {
    /// A command cannot succeed, says all of this, and leaves lockfile and store
    /// as they were.
    #[track_caller]
    pub(super) fn unchanged(&self, of: &str, run: impl FnOnce(&Fleet) -> Run, parts: &[&str]) {
        let store = fluxwright::store::Store::new(self.store());
        let digests = || -> Vec<fluxwright::artifact::Digest> {
            let entries = store.list().unwrap();
            entries.iter().map(|entry| entry.digest).collect()
        };
        let before = (self.lockfile(), digests());
        let run = run(self);
        assert_eq!(run.code, Some(2), "{of}: {}{}", run.stdout, run.stderr);
        for part in parts {
            assert!(run.stderr.contains(part), "{of}: {part}: {}", run.stderr);
        }
        assert!(!run.stderr.contains("hunter2"), "{of}: {}", run.stderr);
        assert_eq!(self.lockfile(), before.0, "{of}");
        let new: Vec<_> = digests();
        assert!(
            new.iter().all(|digest| before.1.contains(digest)),
            "{of}: {new:?}"
        );
        assert!(store.verify().unwrap().is_empty(), "{of}");
        let incoming = std::fs::read_dir(self.store().join("incoming"));
        assert_eq!(
            incoming.map_or(0, Iterator::count),
            0,
            "{of}: something is left"
        );
    }
}

/// A source of flux-system named `app`.
pub(super) fn source(kind: &str, spec: &str) -> String {
    format!(
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: {kind}\nmetadata:\n  name: app\n  \
         namespace: flux-system\nspec:\n  interval: 1h\n{spec}"
    )
}

pub(super) fn config_map(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  value: {value}\n")
}

/// A repository for git to serve.
pub(super) struct Repository {
    folder: tempfile::TempDir,
}

impl Repository {
    /// A repository `app.git` with one commit on `main`, tagged v1.0.0.
    pub(super) fn new() -> Repository {
        Repository::with_format("sha1")
    }

    /// The same, with objects named by this algorithm.
    pub(super) fn with_format(format: &str) -> Repository {
        let repository = Repository {
            folder: tempfile::tempdir().unwrap(),
        };
        let work = repository.work();
        std::fs::create_dir_all(&work).unwrap();
        let format = format!("--object-format={format}");
        repository.git(&["init", "-q", "-b", "main", &format]);
        repository.commit("deploy/web.yaml", &config_map("web", "one"));
        repository.git(&["tag", "-a", "v1.0.0", "-m", "first"]);
        repository.publish();
        repository
    }

    /// The folder that holds `app.git`.
    pub(super) fn served(&self) -> PathBuf {
        self.folder.path().join("served")
    }

    pub(super) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    pub(super) fn git(&self, args: &[&str]) -> String {
        git(&self.work(), args)
    }

    pub(super) fn write(&self, path: &str, content: &str) {
        let path = self.work().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Commits a file; the commit's name.
    pub(super) fn commit(&self, path: &str, content: &str) -> String {
        self.write(path, content);
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", path]);
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// Brings everything to where it is served.
    pub(super) fn publish(&self) {
        let target = self.served().join("app.git");
        if !target.exists() {
            std::fs::create_dir_all(self.served()).unwrap();
            let target = target.to_str().unwrap();
            self.git(&["clone", "-q", "--bare", ".", target]);
            return;
        }
        let target = target.to_str().unwrap();
        self.git(&["push", "-q", "--force", "--all", target]);
        self.git(&["push", "-q", "--force", "--tags", target]);
    }
}

/// Runs git as nobody in particular.
pub(super) fn git(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args(args)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .envs([
            ("GIT_AUTHOR_NAME", "Alice"),
            ("GIT_AUTHOR_EMAIL", "alice@example.org"),
            ("GIT_COMMITTER_NAME", "Alice"),
            ("GIT_COMMITTER_EMAIL", "alice@example.org"),
            ("GIT_AUTHOR_DATE", "2024-01-01T00:00:00Z"),
            ("GIT_COMMITTER_DATE", "2024-01-01T00:00:00Z"),
        ])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
