//! The last thirty commits of a history of the sample fleet: what `diff` says
//! of each.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::program::run_with;

/// A step of the history: what it is called, and what it does.
type Step = (&'static str, Box<dyn Fn(&Path)>);

/// Replaces a text in a file, which must be there.
fn edit(root: &Path, path: &str, old: &str, new: &str) {
    let path = root.join(path);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(old), "{}: {old}", path.display());
    fs::write(&path, text.replace(old, new)).unwrap();
}

fn replacing(path: &'static str, old: &'static str, new: &'static str) -> Box<dyn Fn(&Path)> {
    Box::new(move |root| edit(root, path, old, new))
}

fn moving(from: &'static str, to: &'static str) -> Box<dyn Fn(&Path)> {
    Box::new(move |root| {
        let at = |name: &str| root.join("apps/base").join(name);
        fs::rename(at(from), at(to)).unwrap();
        for cluster in ["production", "staging"] {
            let path = format!("apps/{cluster}/ledger/kustomization.yaml");
            edit(root, &path, &format!("base/{from}"), &format!("base/{to}"));
        }
    })
}

/// Six kinds of changes, five times, each time another.
fn steps() -> Vec<Step> {
    const SHOP: &str = "apps/production/shop/kustomization.yaml";
    const STAGING: &str = "apps/staging/kustomization.yaml";
    const PRODUCTION: &str = "apps/production/kustomization.yaml";
    const CHART: &str = "charts/queue/Chart.yaml";
    const ENV: &str = "apps/base/shop/shop.env";
    const BASE: &str = "apps/base/shop/kustomization.yaml";
    const RBAC: &str = "tenants/base/garden/rbac.yaml";
    let renamed = |from: &'static str, to: &'static str| -> Box<dyn Fn(&Path)> {
        Box::new(move |root| {
            for path in [BASE, SHOP, "apps/base/shop/deployment.yaml"] {
                edit(root, path, from, to);
            }
        })
    };
    let with_line = |path: &'static str, line: &'static str| -> Box<dyn Fn(&Path)> {
        Box::new(move |root| {
            let path = root.join(path);
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, format!("{text}{line}\n")).unwrap();
        })
    };
    let image = |new: &'static str, old: &'static str| replacing(SHOP, old, new);
    vec![
        ("image", image("1.14.3", "1.14.2")),
        (
            "chart",
            replacing(CHART, "version: 0.3.1", "version: 0.3.2"),
        ),
        ("generator", with_line(ENV, "CURRENCY=EUR")),
        ("release-removed", replacing(PRODUCTION, "  - queue\n", "")),
        ("rbac", replacing(RBAC, "name: edit", "name: admin")),
        ("folder", moving("ledger", "books")),
        ("image", image("1.15.0", "1.14.3")),
        (
            "chart",
            replacing(CHART, "version: 0.3.2", "version: 1.0.0"),
        ),
        ("generator", renamed("shop-config", "shop-settings")),
        ("release-added", with_line(PRODUCTION, "  - queue")),
        (
            "rbac",
            replacing(RBAC, "name: admin", "name: cluster-admin"),
        ),
        ("folder", moving("books", "ledger")),
        ("image", image("1.15.0-rc.1", "1.15.0")),
        (
            "chart",
            replacing(CHART, "appVersion: 2.11.4", "appVersion: 2.12.0"),
        ),
        ("generator", replacing(ENV, "CURRENCY=EUR", "CURRENCY=CHF")),
        ("release-removed", replacing(STAGING, "  - queue\n", "")),
        ("rbac", replacing(RBAC, "name: cluster-admin", "name: view")),
        ("folder", moving("ledger", "finance")),
        ("image", image("1.16.0", "1.15.0-rc.1")),
        (
            "chart",
            replacing(
                "apps/base/queue/values.yaml",
                "storage: 4Gi",
                "storage: 8Gi",
            ),
        ),
        ("generator", renamed("shop-settings", "shop-config")),
        ("release-added", with_line(STAGING, "  - queue")),
        ("rbac", replacing(RBAC, "kind: ClusterRole", "kind: Role")),
        ("folder", moving("finance", "ledger")),
        (
            "image",
            replacing(
                "apps/base/ledger/cronjob.yaml",
                "ledger-report:2.4.1",
                "ledger-report",
            ),
        ),
        (
            "chart",
            replacing(CHART, "version: 1.0.0", "version: 1.0.1"),
        ),
        (
            "generator",
            replacing(BASE, "FEATURES=cakes,bread", "FEATURES=cakes"),
        ),
        ("release-removed", replacing(PRODUCTION, "  - queue\n", "")),
        ("rbac", replacing(RBAC, "name: view", "name: edit")),
        ("folder", moving("ledger", "books")),
    ]
}

fn git(root: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args(args)
        .current_dir(root)
        .env("HOME", root)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .envs([
            ("GIT_AUTHOR_NAME", "a"),
            ("GIT_AUTHOR_EMAIL", "a@example.com"),
            ("GIT_COMMITTER_NAME", "a"),
            ("GIT_COMMITTER_EMAIL", "a@example.com"),
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn every_commit_has_its_report() {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    copy(&testdata.join("fleet"), root);
    git(root, &["init", "--quiet", "--initial-branch", "main", "."]);
    git(root, &["add", "--all"]);
    git(root, &["commit", "--quiet", "--message", "begin"]);
    let sources = format!(
        "GitRepository/garden/garden={0}/herbs,OCIRepository/ingress/ingress-nginx={0}/charts/ingress-nginx",
        testdata.display()
    );
    let steps = steps();
    assert_eq!(steps.len(), 30);
    for (number, (name, change)) in steps.into_iter().enumerate() {
        change(root);
        git(root, &["add", "--all"]);
        git(root, &["commit", "--quiet", "--message", name]);
        let base = git(root, &["rev-parse", "--short=10", "HEAD~1"]);
        let run = run_with(
            &[
                "diff",
                root.to_str().unwrap(),
                "--base",
                "HEAD~1",
                "--local-sources",
                &sources,
                "--output",
                "markdown",
            ],
            "",
            &[],
        );
        assert!(
            matches!(run.code, Some(0 | 1)),
            "{number} {name}: {}",
            run.stderr
        );
        let report = format!(
            "exit code: {}\n\n{}",
            run.code.unwrap(),
            run.stdout.replace(&base, "BASE")
        );
        insta::with_settings!({snapshot_path => "../snapshots/history", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(format!("{:02}-{name}", number + 1), report);
        });
    }
}
