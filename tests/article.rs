//! A widely copied introduction to Flux, row by row: each thing that it shows
//! has an outcome here, which is what its reader is told, or what is made of it.

use std::collections::BTreeMap;
use std::path::Path;

use fluxwright::check::example;
use serde_json::Value;

use crate::program::{run, run_with};

/// What becomes of a row.
enum Outcome {
    /// A finding in a repository of `testdata/article`: severity and rule,
    /// kind and name of the object, the way to the field (or the end of it),
    /// and a part of its help.
    Told(
        &'static str,
        &'static str,
        &'static str,
        &'static str,
        &'static str,
    ),
    /// Right as it stands: no finding of the rule about an object.
    Right(&'static str, &'static str, &'static str),
    /// A command prints this, given a repository.
    Prints(&'static [&'static str], &'static str, &'static str),
    /// Nothing in a repository shows it: a page says how it is.
    Page(&'static str, &'static str),
    /// Not about a repository, and why.
    Beyond(&'static str),
}

use Outcome::{Beyond, Page, Prints, Right, Told};

/// Number, what the row is about, what becomes of it.
const ROWS: &[(u32, &str, Outcome)] = &[
    // What Flux is made of.
    (
        1,
        "sources of every kind",
        Right("sources", "OCIRepository/till", "schema/invalid"),
    ),
    (
        2,
        "Kustomization",
        Prints(
            &["build"],
            "kustomizations",
            "registry.example.com/shopfront:v2.0.0",
        ),
    ),
    (
        3,
        "HelmRelease",
        Prints(&["graph"], "releases", "HelmRelease/monitoring/metrics"),
    ),
    (
        4,
        "Event is no kind",
        Told(
            "notifications",
            "error schema/missing-kind",
            "Event/production",
            "/kind",
            "",
        ),
    ),
    (
        5,
        "ImageRepository is needed",
        Told(
            "images",
            "error ref/missing",
            "ImagePolicy/often",
            "/spec/imageRepositoryRef/name",
            "add the ImageRepository",
        ),
    ),
    (
        6,
        "an automation is no edge back",
        Right("images", "Kustomization/till", "dag/cycle"),
    ),
    (
        7,
        "what is installed counts",
        Page("docs/rules.md", "--no-cross-namespace-refs"),
    ),
    // Commands for a cluster.
    (
        8,
        "bootstrap files are the root",
        Prints(
            &["graph"],
            "images",
            "Kustomization/flux-system/flux-system",
        ),
    ),
    (
        9,
        "extra components",
        Prints(&["bootstrap"], "patterns", "unrecognized subcommand"),
    ),
    (
        10,
        "flux install",
        Prints(&["install"], "patterns", "unrecognized subcommand"),
    ),
    (
        11,
        "commands about a cluster",
        Prints(&["reconcile"], "patterns", "unrecognized subcommand"),
    ),
    // GitRepository.
    (
        12,
        "GitRepository v1beta2",
        Told(
            "outdated",
            "error api/deprecated",
            "GitRepository/shop",
            "/apiVersion",
            "source.toolkit.fluxcd.io/v1`",
        ),
    ),
    (
        13,
        "interval",
        Right("sources", "GitRepository/tag", "schema/invalid"),
    ),
    (
        14,
        "address",
        Told(
            "sources",
            "warning source/auth",
            "GitRepository/tag",
            "/spec/url",
            "https://",
        ),
    ),
    (
        15,
        "branch",
        Told(
            "sources",
            "warning pin/floating",
            "GitRepository/branch",
            "/spec/ref/branch",
            "ref.tag",
        ),
    ),
    (
        16,
        "tag",
        Right("sources", "GitRepository/tag", "pin/floating"),
    ),
    (
        17,
        "commit that is none",
        Told(
            "sources",
            "error pin/not-a-commit",
            "GitRepository/commit",
            "/spec/ref/commit",
            "40 hexadecimal",
        ),
    ),
    (
        18,
        "Secret of a source",
        Told(
            "sources",
            "error source/secret-keys",
            "GitRepository/commit",
            "/spec/secretRef/name",
            "username",
        ),
    ),
    (
        19,
        "ignore rules in YAML",
        Told(
            "sources",
            "warning source/ignore-rules",
            "GitRepository/branch",
            "/spec/ignore",
            ".gitignore",
        ),
    ),
    (
        20,
        "verify as a list",
        Told(
            "sources",
            "error schema/invalid",
            "GitRepository/branch",
            "/spec/verify",
            "mapping",
        ),
    ),
    // HelmRepository.
    (
        21,
        "HelmRepository v1beta2",
        Told(
            "outdated",
            "error api/deprecated",
            "HelmRepository/charts",
            "/apiVersion",
            "source.toolkit.fluxcd.io/v1`",
        ),
    ),
    (
        22,
        "index of charts",
        Right("sources", "HelmRepository/charts", "source/auth"),
    ),
    (
        23,
        "Secret of a HelmRepository",
        Right("sources", "HelmRepository/charts", "source/secret-keys"),
    ),
    (
        24,
        "no bearer tokens",
        Page("docs/guides/source-authentication.md", "certSecretRef"),
    ),
    (
        25,
        "passCredentials",
        Told(
            "sources",
            "warning source/pass-credentials",
            "HelmRepository/charts",
            "/spec/passCredentials",
            "take it out",
        ),
    ),
    // Kustomization.
    (
        26,
        "Kustomization v1beta2",
        Told(
            "outdated",
            "error api/deprecated",
            "Kustomization/shop",
            "/apiVersion",
            "kustomize.toolkit.fluxcd.io/v1`",
        ),
    ),
    (
        27,
        "path",
        Told(
            "kustomizations",
            "error ref/missing",
            "Kustomization/lost",
            "",
            "overlays/production",
        ),
    ),
    (
        28,
        "source in the own namespace",
        Right("kustomizations", "Kustomization/overlay", "ref/missing"),
    ),
    (
        29,
        "targetNamespace is no cluster",
        Page("docs/guides/cluster-admin.md", "`targetNamespace`"),
    ),
    (
        30,
        "dependency",
        Told(
            "kustomizations",
            "error ref/missing",
            "Kustomization/production",
            "/spec/dependsOn/0/name",
            "add the Kustomization",
        ),
    ),
    (
        31,
        "postBuild is no hook",
        Prints(
            &["build"],
            "kustomizations",
            "registry.example.com/till:latest",
        ),
    ),
    (
        32,
        "latest by a variable",
        Told(
            "kustomizations",
            "warning image/mutable",
            "Deployment/till",
            "/image",
            "release",
        ),
    ),
    (
        33,
        "variables of a ConfigMap",
        Told(
            "kustomizations",
            "warning ref/missing",
            "Kustomization/production",
            "",
            "--substitute",
        ),
    ),
    (
        34,
        "source that is nowhere",
        Told(
            "kustomizations",
            "error ref/missing",
            "Kustomization/shopfront",
            "/spec/sourceRef/name",
            "add the GitRepository",
        ),
    ),
    (
        35,
        "overlay",
        Prints(&["build"], "kustomizations", "replicas: 5"),
    ),
    // HelmRelease.
    (
        36,
        "HelmRelease v2beta1",
        Told(
            "outdated",
            "error api/deprecated",
            "HelmRelease/metrics",
            "/apiVersion",
            "helm.toolkit.fluxcd.io/v2`",
        ),
    ),
    (
        37,
        "range of versions",
        Told(
            "releases",
            "warning pin/floating",
            "HelmRelease/metrics",
            "/spec/chart/spec/version",
            "one release",
        ),
    ),
    (
        38,
        "source in another namespace",
        Told(
            "releases",
            "error ref/missing",
            "HelmRelease/metrics",
            "/spec/chart/spec/sourceRef/name",
            "namespace: flux-system",
        ),
    ),
    (
        39,
        "values are free",
        Right("releases", "HelmRelease/metrics", "helm/values-invalid"),
    ),
    (
        40,
        "remediateLastFailure",
        Right("releases", "HelmRelease/metrics", "helm/schema"),
    ),
    (
        41,
        "upgrade.rollback",
        Told(
            "releases",
            "error schema/invalid",
            "HelmRelease/metrics",
            "/spec/upgrade/rollback",
            "strategy: rollback",
        ),
    ),
    (
        42,
        "dependency of the other kind",
        Told(
            "releases",
            "error ref/missing",
            "HelmRelease/metrics",
            "/spec/dependsOn/0/name",
            "is a Kustomization",
        ),
    ),
    (
        43,
        "postRenderers are no hook",
        Page("docs/compatibility.md", "post-render"),
    ),
    (
        44,
        "post-renderers add nothing",
        Told(
            "releases",
            "error ref/missing",
            "HelmRelease/rendered",
            "",
            "correct kind, name and namespace",
        ),
    ),
    // Tenants.
    (
        45,
        "whoever writes Kustomizations",
        Told(
            "tenants",
            "warning rbac/path",
            "RoleBinding/developer",
            "",
            "cut the way",
        ),
    ),
    (
        46,
        "a person's rights",
        Right("tenants", "RoleBinding/developer", "rbac/dangling"),
    ),
    (
        47,
        "a tenant's Kustomization",
        Told(
            "tenants",
            "warning tenancy/service-account",
            "Kustomization/team-b-web",
            "/spec",
            "serviceAccountName",
        ),
    ),
    // Images.
    (
        48,
        "ImagePolicy v1beta2",
        Told(
            "outdated",
            "error api/deprecated",
            "ImagePolicy/till",
            "/apiVersion",
            "image.toolkit.fluxcd.io/v1`",
        ),
    ),
    (
        49,
        "imageRef",
        Told(
            "images",
            "error schema/invalid",
            "ImagePolicy/till",
            "/spec/imageRef",
            "imageRepositoryRef",
        ),
    ),
    (
        50,
        "range without spaces",
        Told(
            "images",
            "warning auto/policy",
            "ImagePolicy/till",
            "/spec/policy/semver/range",
            "1.0.0 - 2.0.0",
        ),
    ),
    (
        51,
        "alphabetically",
        Told(
            "images",
            "error schema/invalid",
            "ImagePolicy/newest",
            "/spec/policy/alphabetically",
            "`alphabetical`",
        ),
    ),
    (
        52,
        "interval of a policy",
        Told(
            "images",
            "error schema/invalid-cel",
            "ImagePolicy/often",
            "/spec",
            "",
        ),
    ),
    (
        53,
        "push to the deployed branch",
        Told(
            "images",
            "info auto/push",
            "ImageUpdateAutomation/images",
            "/spec/git/push/branch",
            "another branch",
        ),
    ),
    (
        54,
        ".Updated is gone",
        Told(
            "images",
            "warning auto/template",
            "ImageUpdateAutomation/images",
            "/spec/git/commit/messageTemplate",
            ".Changed",
        ),
    ),
    (
        55,
        "markers name policies",
        Told("images", "warning auto/marker", "", "", "flux-system:till"),
    ),
    // Notifications.
    (
        56,
        "Provider v1beta2",
        Told(
            "outdated",
            "error api/deprecated",
            "Provider/chat",
            "/apiVersion",
            "notification.toolkit.fluxcd.io/v1beta3`",
        ),
    ),
    (
        57,
        "Alert v1beta2",
        Told(
            "outdated",
            "error api/deprecated",
            "Alert/shop",
            "/apiVersion",
            "notification.toolkit.fluxcd.io/v1beta3`",
        ),
    ),
    (
        58,
        "no patterns in event sources",
        Told(
            "notifications",
            "warning notify/event-source",
            "Alert/production",
            "/spec/eventSources/0/name",
            "`*`",
        ),
    ),
    (
        59,
        "suspend",
        Right("notifications", "Alert/production", "schema/invalid"),
    ),
    // The comparison, the patterns, the end.
    (
        60,
        "another cluster by kubeConfig",
        Right("patterns", "ConfigMap/a", "own/duplicate"),
    ),
    (61, "what others are", Beyond("about another project")),
    (62, "who began it", Beyond("about a company")),
    (
        63,
        "a source that cannot authenticate",
        Told(
            "patterns",
            "error source/auth",
            "GitRepository/shop",
            "/spec/url",
            "known_hosts",
        ),
    ),
    (
        64,
        "a cycle",
        Told(
            "patterns",
            "error dag/cycle",
            "Kustomization/a",
            "",
            "take one of these edges out",
        ),
    ),
    (
        65,
        "cluster-admin",
        Told(
            "patterns",
            "error rbac/escalation",
            "ClusterRoleBinding/team-b",
            "/roleRef",
            "fluxwright rbac",
        ),
    ),
    (
        66,
        "everything by digest",
        Prints(&["lock", "--check"], "notifications", "up to date"),
    ),
];

/// The repositories, and what a check finds in each.
#[derive(Default)]
struct Repositories {
    folders: BTreeMap<&'static str, tempfile::TempDir>,
    findings: BTreeMap<&'static str, Vec<Value>>,
}

impl Repositories {
    fn folder(&mut self, name: &'static str) -> String {
        let folder = self.folders.entry(name).or_insert_with(|| {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/article");
            let text = std::fs::read_to_string(root.join(format!("{name}.txt"))).unwrap();
            let folder = tempfile::tempdir().unwrap();
            for (path, content) in example::files(&text) {
                let path = folder.path().join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, content).unwrap();
            }
            folder
        });
        folder.path().display().to_string()
    }

    fn findings(&mut self, name: &'static str) -> &[Value] {
        let folder = self.folder(name);
        self.findings.entry(name).or_insert_with(|| {
            let check = run(&["check", &folder, "--output", "json"], "");
            serde_json::from_str(&check.stdout).unwrap()
        })
    }
}

/// Whether a finding is about an object, `Kind/name`; of a file where it is
/// empty.
fn is_about(finding: &Value, object: &str) -> bool {
    let part = |key: &str| finding["object"][key].as_str().unwrap_or_default();
    match object.split_once('/') {
        Some((kind, name)) => part("kind") == kind && part("name") == name,
        None => finding["object"].is_null(),
    }
}

#[test]
fn every_row_has_its_outcome() {
    let numbers: Vec<u32> = ROWS.iter().map(|(number, ..)| *number).collect();
    assert_eq!(numbers, (1..=66).collect::<Vec<_>>());
    let mut repositories = Repositories::default();
    let mut wrong = Vec::new();
    for (number, what, outcome) in ROWS {
        let row = format!("row {number}, {what}");
        match outcome {
            Told(name, told, object, path, help) => {
                let (severity, rule) = told.split_once(' ').unwrap();
                let found = repositories.findings(name);
                let is = |finding: &&Value| {
                    let text = |key: &str| finding[key].as_str().unwrap_or_default();
                    text("severity") == severity
                        && text("rule") == rule
                        && is_about(finding, object)
                        && text("path").ends_with(path)
                        && text("help").contains(help)
                };
                if !found.iter().any(|finding| is(&finding)) {
                    wrong.push(format!("{row}: no {told} about {object} in {found:#?}"));
                }
            }
            Right(name, object, rule) => {
                let found = repositories.findings(name);
                let is = |finding: &&Value| finding["rule"] == *rule && is_about(finding, object);
                if let Some(finding) = found.iter().find(is) {
                    wrong.push(format!("{row}: {finding:#?}"));
                }
            }
            Prints(command, name, text) => {
                let folder = repositories.folder(name);
                let arguments: Vec<&str> =
                    command.iter().copied().chain([folder.as_str()]).collect();
                // The store lies in the user's home.
                let home = tempfile::tempdir().unwrap();
                let home = home.path().display().to_string();
                let ran = run_with(&arguments, "", &[("HOME", &home)]);
                if !(ran.stdout.contains(text) || ran.stderr.contains(text)) {
                    wrong.push(format!("{row}: {ran:#?}"));
                }
            }
            Beyond(why) => assert!(!why.is_empty(), "{row}"),
            Page(page, text) => {
                let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
                if !std::fs::read_to_string(path).unwrap().contains(text) {
                    wrong.push(format!("{row}: {page} does not say `{text}`"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn outdated_versions_are_rewritten() {
    let mut repositories = Repositories::default();
    let folder = repositories.folder("outdated");
    let migrated = run(&["migrate", &folder], "");
    assert_eq!(migrated.code, Some(0), "{}", migrated.stderr);
    let left = repositories.findings("outdated");
    assert!(
        !left
            .iter()
            .any(|finding| finding["rule"] == "api/deprecated"),
        "{left:#?}"
    );
}
