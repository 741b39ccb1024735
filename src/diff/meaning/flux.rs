//! Flux's own objects: settings that change what happens to everything else.

use super::super::fields::{Change, ChangeKind};
use super::{Subject, from_to, text_at};
use crate::diag::{Finding, Severity};
use crate::flux::api;
use crate::yaml::Node;

/// A setting and what its change means.
struct Setting {
    path: &'static [&'static str],
    /// Put behind what changed, after a semicolon.
    means: &'static str,
    severity: Severity,
}

const fn warn(path: &'static [&'static str], means: &'static str) -> Setting {
    Setting {
        path,
        means,
        severity: Severity::Warning,
    }
}

const fn tell(path: &'static [&'static str], means: &'static str) -> Setting {
    Setting {
        path,
        means,
        severity: Severity::Info,
    }
}

const fn stop(path: &'static [&'static str], means: &'static str) -> Setting {
    Setting {
        path,
        means,
        severity: Severity::Error,
    }
}

const KUSTOMIZATION: &[Setting] = &[
    warn(
        &["spec", "deletionPolicy"],
        "it decides what becomes of the objects when the Kustomization is deleted",
    ),
    warn(
        &["spec", "force"],
        "with it, objects that cannot be changed are deleted and made anew",
    ),
    stop(&["spec", "kubeConfig"], "the objects go to another cluster"),
    warn(
        &["spec", "namePrefix"],
        "every object gets another name: the old ones are pruned",
    ),
    warn(
        &["spec", "nameSuffix"],
        "every object gets another name: the old ones are pruned",
    ),
    warn(
        &["spec", "serviceAccountName"],
        "the objects are applied with other rights",
    ),
    warn(
        &["spec", "sourceRef"],
        "the objects come from another source",
    ),
    warn(
        &["spec", "targetNamespace"],
        "every object moves to another namespace: the old ones are pruned",
    ),
    warn(
        &["spec", "decryption"],
        "encrypted objects are decrypted with other keys, or no longer",
    ),
    tell(&["spec", "dependsOn"], "the order of things changes"),
    tell(
        &["spec", "healthCheckExprs"],
        "what counts as ready changes, and who waits for it",
    ),
    tell(
        &["spec", "healthChecks"],
        "what counts as ready changes, and who waits for it",
    ),
    tell(&["spec", "path"], "the objects come from another folder"),
    tell(
        &["spec", "wait"],
        "what depends on it waits for its objects, or no longer does",
    ),
];

const RELEASE: &[Setting] = &[
    stop(
        &["spec", "kubeConfig"],
        "the release goes to another cluster",
    ),
    warn(
        &["spec", "serviceAccountName"],
        "the release is applied with other rights",
    ),
    warn(
        &["spec", "driftDetection"],
        "what people change in the cluster is undone, or no longer is",
    ),
    warn(
        &["spec", "install", "crds"],
        "definitions are installed with the chart, or no longer are",
    ),
    warn(
        &["spec", "install", "disableHooks"],
        "hooks of the chart run at an installation, or no longer do",
    ),
    warn(
        &["spec", "install", "disableSchemaValidation"],
        "values are held to the schema of the chart, or no longer are",
    ),
    tell(
        &["spec", "install", "disableWait"],
        "a release counts as installed before its objects are ready, or no longer does",
    ),
    warn(
        &["spec", "uninstall"],
        "what stays of it when it is uninstalled changes",
    ),
    warn(
        &["spec", "upgrade", "crds"],
        "definitions are upgraded with the chart, or no longer are",
    ),
    warn(
        &["spec", "upgrade", "force"],
        "objects are replaced instead of patched, or no longer are",
    ),
    warn(
        &["spec", "upgrade", "cleanupOnFail"],
        "what a failed upgrade made is deleted, or no longer is",
    ),
    warn(
        &["spec", "upgrade", "disableHooks"],
        "hooks of the chart run at an upgrade, or no longer do",
    ),
    warn(
        &["spec", "upgrade", "disableSchemaValidation"],
        "values are held to the schema of the chart, or no longer are",
    ),
    tell(
        &["spec", "upgrade", "disableWait"],
        "a release counts as upgraded before its objects are ready, or no longer does",
    ),
    warn(
        &["spec", "upgrade", "preserveValues"],
        "values that were set before and are gone here stay, or no longer do",
    ),
    tell(
        &["spec", "upgrade", "remediation"],
        "what happens when an upgrade fails changes",
    ),
    tell(&["spec", "dependsOn"], "the order of things changes"),
];

const SOURCE: &[Setting] = &[
    warn(&["spec", "insecure"], "traffic may be read and changed"),
    warn(&["spec", "ref"], "another revision is taken"),
    warn(&["spec", "secretRef"], "other credentials are used"),
    warn(&["spec", "url"], "it leads elsewhere"),
    warn(&["spec", "endpoint"], "it leads elsewhere"),
    warn(&["spec", "bucketName"], "it leads elsewhere"),
    tell(&["spec", "ignore"], "other files are left out"),
];

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    if subject.both().is_none() {
        return;
    }
    match subject.group_kind() {
        (api::KUSTOMIZE, "Kustomization") => {
            settings(subject, "change/flux-setting", KUSTOMIZATION, findings);
            prune(subject, findings);
            suspend(subject, findings);
        }
        (api::HELM, "HelmRelease") => {
            settings(subject, "change/flux-setting", RELEASE, findings);
            suspend(subject, findings);
            reinstall(subject, findings);
            chart(subject, findings);
        }
        (api::SOURCE, _) => {
            settings(subject, "change/source", SOURCE, findings);
            suspend(subject, findings);
            verification(subject, findings);
        }
        _ => {}
    }
}

fn settings(
    subject: &Subject<'_>,
    rule: &'static str,
    known: &'static [Setting],
    findings: &mut Vec<Finding>,
) {
    for setting in known {
        let Some(change) = subject.changes_at(setting.path).next() else {
            continue;
        };
        let message = format!("`{}` {}; {}", change.path, from_to(change), setting.means);
        findings.push(Finding {
            severity: setting.severity,
            ..subject.finding_at(rule, change, message)
        });
    }
}

fn is_true(node: Option<&Node>) -> bool {
    node.and_then(Node::as_bool) == Some(true)
}

fn prune(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for change in subject.changes_at(&["spec", "prune"]) {
        let means = if is_true(change.new.as_ref()) {
            "from now on, what leaves the repository is deleted from the cluster"
        } else {
            "from now on, what leaves the repository stays in the cluster, and nobody looks after it"
        };
        let message = format!("`spec.prune` {}; {means}", from_to(change));
        findings.push(subject.finding_at("change/flux-setting", change, message));
    }
}

fn suspend(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for change in subject.changes_at(&["spec", "suspend"]) {
        let (was, is) = (is_true(change.old.as_ref()), is_true(change.new.as_ref()));
        let message = match (was, is) {
            (false, true) => "it is suspended: nothing of it is applied from now on",
            (true, false) => "it is resumed: all that waited is applied at once",
            _ => continue,
        };
        findings.push(subject.finding_at("change/flux-setting", change, message));
    }
}

/// Changes for which helm-controller uninstalls a release and installs it.
///
/// Compat: helm-controller `internal/action/diff.go`, `release_target`: another
/// name, namespace or storage namespace.
fn reinstall(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for path in [
        &["spec", "releaseName"],
        &["spec", "storageNamespace"],
        &["spec", "targetNamespace"],
    ] {
        for change in subject.changes_at(path) {
            let message = format!(
                "`{}` {}: the release is uninstalled and installed anew",
                change.path,
                from_to(change)
            );
            findings.push(
                subject
                    .finding_at("change/reinstall", change, message)
                    .help("keep the value, or plan for the time without the release and its data"),
            );
        }
    }
}

fn chart(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for change in subject
        .changes_at(&["spec", "chart", "spec"])
        .chain(subject.changes_at(&["spec", "chartRef"]))
    {
        if !matches!(
            change.path.last_key(),
            Some("version" | "chart" | "name" | "kind" | "namespace" | "chartRef" | "sourceRef")
        ) {
            continue;
        }
        let message = format!("`{}` {}", change.path, from_to(change));
        let finding = subject.finding_at("change/chart", change, message);
        let texts = (
            change.old.as_ref().and_then(Node::text),
            change.new.as_ref().and_then(Node::text),
        );
        let other_chart = change.path.last_key() != Some("version");
        let major = matches!(texts, (Some(old), Some(new)) if major(old) != major(new));
        findings.push(if other_chart {
            Finding {
                severity: Severity::Warning,
                ..finding
            }
        } else if major && change.kind == ChangeKind::Changed {
            Finding {
                severity: Severity::Warning,
                message: format!("{}, a new major version", finding.message),
                ..finding
            }
            .help("read the notes of the chart: major versions often need steps by hand")
        } else {
            finding
        });
    }
}

/// The first number of a version or a range.
fn major(version: &str) -> Option<&str> {
    version
        .split(|c: char| !c.is_ascii_digit())
        .find(|part| !part.is_empty())
}

fn verification(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some((old, new)) = subject.both() else {
        return;
    };
    let verify = |node: &Node| node.at_path(&["spec", "verify"]).is_some();
    let change: Option<&Change> = subject.changes_at(&["spec", "verify"]).next();
    let Some(change) = change else { return };
    if verify(old) && !verify(new) {
        findings.push(
            Finding {
                severity: Severity::Error,
                ..subject.finding_at(
                    "change/source",
                    change,
                    "its signature is no longer verified",
                )
            }
            .help("leave `spec.verify` in place: what is applied from it may come from anybody"),
        );
    } else {
        let key = text_at(new, &["spec", "verify", "secretRef", "name"]);
        let who = key.map_or_else(String::new, |k| format!(", by the keys in `{k}`"));
        findings.push(subject.finding_at(
            "change/source",
            change,
            format!("its signature is verified otherwise{who}"),
        ));
    }
}
