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
    /// What it is where nothing is said; empty where that is nothing.
    default: &'static str,
}

impl Setting {
    const fn by_default(self, default: &'static str) -> Setting {
        Setting { default, ..self }
    }
}

const fn setting(
    path: &'static [&'static str],
    means: &'static str,
    severity: Severity,
) -> Setting {
    Setting {
        path,
        means,
        severity,
        default: "",
    }
}

const fn warn(path: &'static [&'static str], means: &'static str) -> Setting {
    setting(path, means, Severity::Warning)
}

const fn tell(path: &'static [&'static str], means: &'static str) -> Setting {
    setting(path, means, Severity::Info)
}

const fn stop(path: &'static [&'static str], means: &'static str) -> Setting {
    setting(path, means, Severity::Error)
}

const KUSTOMIZATION: &[Setting] = &[
    warn(
        &["spec", "deletionPolicy"],
        "it decides what becomes of the objects when the Kustomization is deleted",
    )
    .by_default("MirrorPrune"),
    warn(
        &["spec", "force"],
        "with it, objects that cannot be changed are deleted and made anew",
    )
    .by_default("false"),
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
    warn(
        &["spec", "ignore"],
        "what people change in these fields of the cluster stays, or no longer does",
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
    )
    .by_default("false"),
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
        &["spec", "driftDetection", "mode"],
        "what people change in the cluster is undone, or no longer is",
    )
    .by_default("disabled"),
    tell(
        &["spec", "driftDetection", "ignore"],
        "what people change in these fields of the cluster stays, or no longer does",
    ),
    warn(
        &["spec", "install", "crds"],
        "definitions are installed with the chart, or no longer are",
    )
    .by_default("Create"),
    tell(
        &["spec", "install", "createNamespace"],
        "the namespace of the release is made where it is missing, or no longer is",
    )
    .by_default("false"),
    warn(
        &["spec", "install", "disableHooks"],
        "hooks of the chart run at an installation, or no longer do",
    )
    .by_default("false"),
    warn(
        &["spec", "install", "disableSchemaValidation"],
        "values are held to the schema of the chart, or no longer are",
    )
    .by_default("false"),
    warn(
        &["spec", "install", "disableTakeOwnership"],
        "objects that are there already are taken over, or no longer are",
    )
    .by_default("false"),
    tell(
        &["spec", "install", "disableWait"],
        "a release counts as installed before its objects are ready, or no longer does",
    )
    .by_default("false"),
    tell(
        &["spec", "install", "remediation"],
        "what happens when an installation fails changes",
    ),
    warn(
        &["spec", "install", "replace"],
        "the name of a release that was uninstalled is taken again, or no longer is",
    )
    .by_default("false"),
    warn(
        &["spec", "install", "skipCRDs"],
        "definitions are installed with the chart, or no longer are",
    )
    .by_default("false"),
    tell(
        &["spec", "install", "strategy"],
        "what happens when an installation fails changes",
    ),
    tell(&["spec", "rollback"], "what a rollback does changes"),
    tell(
        &["spec", "test", "enable"],
        "the tests of the chart run, and a release fails with them, or no longer does",
    )
    .by_default("false"),
    warn(
        &["spec", "uninstall"],
        "what stays of it when it is uninstalled changes",
    ),
    warn(
        &["spec", "upgrade", "crds"],
        "definitions are upgraded with the chart, or no longer are",
    )
    .by_default("Skip"),
    warn(
        &["spec", "upgrade", "force"],
        "objects are replaced instead of patched, or no longer are",
    )
    .by_default("false"),
    warn(
        &["spec", "upgrade", "cleanupOnFail"],
        "what a failed upgrade made is deleted, or no longer is",
    )
    .by_default("false"),
    warn(
        &["spec", "upgrade", "disableHooks"],
        "hooks of the chart run at an upgrade, or no longer do",
    )
    .by_default("false"),
    warn(
        &["spec", "upgrade", "disableSchemaValidation"],
        "values are held to the schema of the chart, or no longer are",
    )
    .by_default("false"),
    warn(
        &["spec", "upgrade", "disableTakeOwnership"],
        "objects that are there already are taken over, or no longer are",
    )
    .by_default("false"),
    tell(
        &["spec", "upgrade", "disableWait"],
        "a release counts as upgraded before its objects are ready, or no longer does",
    )
    .by_default("false"),
    warn(
        &["spec", "upgrade", "preserveValues"],
        "values that were set before and are gone here stay, or no longer do",
    )
    .by_default("false"),
    tell(
        &["spec", "upgrade", "remediation"],
        "what happens when an upgrade fails changes",
    ),
    tell(
        &["spec", "upgrade", "strategy"],
        "what happens when an upgrade fails changes",
    ),
    tell(&["spec", "dependsOn"], "the order of things changes"),
    tell(
        &["spec", "healthCheckExprs"],
        "what counts as ready changes, and who waits for it",
    ),
];

const SOURCE: &[Setting] = &[
    warn(&["spec", "insecure"], "traffic may be read and changed").by_default("false"),
    warn(&["spec", "ref"], "another revision is taken"),
    warn(&["spec", "secretRef"], "other credentials are used"),
    warn(
        &["spec", "serviceAccountName"],
        "other credentials are used",
    ),
    warn(&["spec", "provider"], "other credentials are used").by_default("generic"),
    warn(&["spec", "certSecretRef"], "other certificates are trusted"),
    warn(
        &["spec", "proxySecretRef"],
        "it is reached by way of another proxy",
    ),
    warn(
        &["spec", "passCredentials"],
        "credentials are sent to every host that the index names, or no longer are",
    )
    .by_default("false"),
    warn(&["spec", "url"], "it leads elsewhere"),
    warn(&["spec", "endpoint"], "it leads elsewhere"),
    warn(&["spec", "bucketName"], "it leads elsewhere"),
    warn(&["spec", "prefix"], "it leads elsewhere"),
    warn(
        &["spec", "include"],
        "files of other sources are part of it",
    ),
    warn(&["spec", "layerSelector"], "another layer is taken"),
    tell(
        &["spec", "recurseSubmodules"],
        "other files are taken along",
    )
    .by_default("false"),
    tell(&["spec", "sparseCheckout"], "other files are left out"),
    tell(&["spec", "ignore"], "other files are left out"),
    warn(&["spec", "sources"], "it is composed of other sources"),
    warn(&["spec", "artifacts"], "it is composed otherwise"),
];

const INSTANCE: &[Setting] = &[
    warn(&["spec", "distribution"], "another Flux is installed"),
    warn(&["spec", "sync"], "the cluster is applied from elsewhere"),
    warn(&["spec", "components"], "other controllers run"),
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
            verification(subject, &["spec", "chart", "spec", "verify"], findings);
        }
        (api::SOURCE | "source.extensions.fluxcd.io", _) => {
            settings(subject, "change/source", SOURCE, findings);
            suspend(subject, findings);
            verification(subject, &["spec", "verify"], findings);
        }
        ("fluxcd.controlplane.io", "FluxInstance") => {
            settings(subject, "change/flux-setting", INSTANCE, findings);
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
        let is_nothing =
            |change: &Change| !setting.default.is_empty() && change.is_filled_in(setting.default);
        let changes = subject.changes_at(setting.path);
        let changes: Vec<_> = changes.filter(|change| !is_nothing(change)).collect();
        let Some(first) = changes.first() else {
            continue;
        };
        let mut what: Vec<String> = changes
            .iter()
            .take(SHOWN)
            .map(|change| format!("`{}` {}", change.path, from_to(change)))
            .collect();
        if changes.len() > SHOWN {
            what.push(format!("and {} more", changes.len() - SHOWN));
        }
        let message = format!("{}; {}", what.join(", "), setting.means);
        findings.push(Finding {
            severity: setting.severity,
            ..subject.finding_at(rule, first, message)
        });
    }
}

/// How many changes of one setting are named.
const SHOWN: usize = 3;

fn is_true(node: Option<&Node>) -> bool {
    node.and_then(Node::as_bool) == Some(true)
}

fn prune(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for change in subject.changes_at(&["spec", "prune"]) {
        if change.is_filled_in("false") {
            continue;
        }
        let means = if is_true(change.new.as_ref()) {
            "from now on, what leaves the repository is deleted from the cluster"
        } else {
            "from now on, what leaves the repository stays in the cluster, and nobody looks after it"
        };
        let message = format!("`spec.prune` {}; {means}", from_to(&change));
        findings.push(subject.finding_at("change/flux-setting", &change, message));
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
        findings.push(subject.finding_at("change/flux-setting", &change, message));
    }
}

/// What a release is known by.
#[derive(PartialEq)]
struct Target {
    name: String,
    namespace: String,
    storage: String,
}

impl Target {
    /// Compat: helm-controller `api/v2`: `GetReleaseName`, `GetReleaseNamespace`,
    /// `GetStorageNamespace`.
    fn of(located: super::Located<'_>) -> Target {
        let id = &located.object.id;
        let set = |key: &str| {
            let text = text_at(&located.object.node, &["spec", key]);
            text.filter(|text| !text.is_empty())
                .map(ToString::to_string)
        };
        let target = set("targetNamespace");
        let composed = target
            .as_ref()
            .map(|target| format!("{target}-{}", id.name));
        let own = id.namespace.to_string();
        Target {
            name: set("releaseName")
                .or(composed)
                .unwrap_or_else(|| id.name.to_string()),
            storage: set("storageNamespace").unwrap_or_else(|| own.clone()),
            namespace: target.unwrap_or(own),
        }
    }
}

/// Changes for which helm-controller uninstalls a release and installs it.
///
/// Compat: helm-controller `internal/action/diff.go`, `release_target`: another
/// name, namespace or storage namespace.
fn reinstall(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    if subject.old.map(Target::of) == subject.new.map(Target::of) {
        return;
    }
    for path in [
        &["spec", "releaseName"],
        &["spec", "storageNamespace"],
        &["spec", "targetNamespace"],
    ] {
        for change in subject.changes_at(path) {
            let message = format!(
                "`{}` {}: the release is uninstalled and installed anew",
                change.path,
                from_to(&change)
            );
            findings.push(
                subject
                    .finding_at("change/reinstall", &change, message)
                    .help("keep the value, or plan for the time without the release and its data"),
            );
        }
    }
}

fn chart(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some((old, new)) = subject.both() else {
        return;
    };
    let refers = |node: &Node| node.at_path(&["spec", "chartRef"]).is_some();
    if refers(old) != refers(new) {
        let change = subject.changes_at(&["spec", "chartRef"]).next();
        let place = if refers(new) {
            "`spec.chartRef`"
        } else {
            "`spec.chart`"
        };
        findings.extend(change.map(|change| Finding {
            severity: Severity::Warning,
            ..subject.finding_at(
                "change/chart",
                &change,
                format!("its chart is the one of {place} from now on"),
            )
        }));
        return;
    }
    let paths: [&[&str]; 4] = [
        &["spec", "chart", "spec", "chart"],
        &["spec", "chart", "spec", "sourceRef"],
        &["spec", "chart", "spec", "version"],
        &["spec", "chartRef"],
    ];
    for change in paths.into_iter().flat_map(|path| subject.changes_at(path)) {
        let message = format!("`{}` {}", change.path, from_to(&change));
        let finding = subject.finding_at("change/chart", &change, message);
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

fn verification(subject: &Subject<'_>, path: &[&'static str], findings: &mut Vec<Finding>) {
    let Some((old, new)) = subject.both() else {
        return;
    };
    let verify = |node: &Node| node.at_path(path).is_some();
    let Some(change) = subject.changes_at(path).next() else {
        return;
    };
    let change = &*change;
    if path.len() > 2 && new.at_path(&["spec", "chart"]).is_none() {
        // Whether the source that it refers to now is verified is said there.
        return;
    }
    if !verify(old) {
        findings.push(Finding {
            severity: Severity::Info,
            ..subject.finding_at(
                "change/source",
                change,
                "its signature is verified from now on",
            )
        });
    } else if !verify(new) {
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
        let key = new
            .at_path(path)
            .and_then(|v| text_at(v, &["secretRef", "name"]));
        let who = key.map_or_else(String::new, |k| format!(", by the keys in `{k}`"));
        findings.push(subject.finding_at(
            "change/source",
            change,
            format!("its signature is verified otherwise{who}"),
        ));
    }
}
