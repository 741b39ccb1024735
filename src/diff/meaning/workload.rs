//! Pods: what they run, how many there are, and when they are replaced.

use super::super::fields::Change;
use super::{Subject, counted, from_to, shown, text_at};
use crate::diag::{Finding, Severity};
use crate::yaml::Node;

/// Where the pod's spec lies in a kind that has one.
fn pod_spec(group: &str, kind: &str) -> Option<&'static [&'static str]> {
    Some(match (group, kind) {
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") | ("batch", "Job") => {
            &["spec", "template", "spec"]
        }
        ("batch", "CronJob") => &["spec", "jobTemplate", "spec", "template", "spec"],
        ("", "Pod") => &["spec"],
        _ => return None,
    })
}

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some((old, new)) = subject.both() else {
        return;
    };
    let (group, kind) = subject.group_kind();
    if let Some(path) = pod_spec(group, kind) {
        images(subject, old.at_path(path), new.at_path(path), findings);
    }
    match (group, kind) {
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet") => restart(subject, new, findings),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => {
            served_versions(subject, old, new, findings);
        }
        _ => {}
    }
    match (group, kind) {
        ("apps", "Deployment" | "StatefulSet" | "ReplicaSet") => {
            for change in subject.changes_at(&["spec", "replicas"]) {
                findings.push(replicas(subject, change));
            }
        }
        ("autoscaling", "HorizontalPodAutoscaler") => {
            for field in [&["spec", "minReplicas"], &["spec", "maxReplicas"]] {
                for change in subject.changes_at(field) {
                    let message = format!("`{}` {}", change.path, from_to(change));
                    findings.push(subject.finding_at("change/replicas", change, message));
                }
            }
        }
        _ => {}
    }
}

fn replicas(subject: &Subject<'_>, change: &Change) -> Finding {
    let finding = subject.finding_at(
        "change/replicas",
        change,
        format!("the number of pods {}", from_to(change)),
    );
    let none = change.new.as_ref().and_then(Node::text) == Some("0");
    if none {
        return Finding {
            severity: Severity::Warning,
            ..finding
        }
        .help("nothing runs any more once this is applied");
    }
    finding
}

fn restart(subject: &Subject<'_>, new: &Node, findings: &mut Vec<Finding>) {
    let changes: Vec<&Change> = subject.changes_at(&["spec", "template"]).collect();
    let Some(first) = changes.first() else { return };
    let count = changes.len();
    let only_noise = changes.iter().all(|c| c.noise.is_some());
    let on_delete = text_at(new, &["spec", "updateStrategy", "type"])
        .is_some_and(|strategy| &**strategy == "OnDelete");
    let pods = match text_at(new, &["spec", "replicas"]).map(|t| &**t) {
        Some("0") => return,
        Some("1") | None => "its pods are".to_owned(),
        Some(n) => format!("its {n} pods are"),
    };
    let why = if count == 1 {
        format!("`{}` changes", first.path)
    } else {
        format!(
            "the pod template has {}",
            counted(count, "change", "changes")
        )
    };
    let how = if on_delete {
        "replaced when somebody deletes them"
    } else {
        "replaced"
    };
    let noise = if only_noise {
        ", all of them noise"
    } else {
        ""
    };
    findings.push(subject.finding_at(
        "change/restart",
        first,
        format!("{pods} {how}: {why}{noise}"),
    ));
}

/// The containers of a pod by name, with their images.
fn containers(spec: Option<&Node>) -> Vec<(&str, &Node)> {
    let lists = ["initContainers", "containers", "ephemeralContainers"];
    lists
        .iter()
        .filter_map(|list| spec?.get(list))
        .flat_map(Node::items)
        .filter_map(|container| Some((container.get("name")?.text()?, container.get("image")?)))
        .collect()
}

fn images(
    subject: &Subject<'_>,
    old: Option<&Node>,
    new: Option<&Node>,
    findings: &mut Vec<Finding>,
) {
    let before = containers(old);
    for (name, image) in containers(new) {
        let Some((_, was)) = before.iter().find(|(n, _)| *n == name) else {
            continue;
        };
        let (Some(from), Some(to)) = (was.text(), image.text()) else {
            continue;
        };
        if from == to {
            continue;
        }
        let finding = subject
            .finding(
                "change/image",
                format!(
                    "container `{name}` moves from {} to {}",
                    shown(Some(was)),
                    shown(Some(image))
                ),
            )
            .at(image.span(), subject.sources);
        let ((from_repository, from_digest), (to_repository, to_digest)) = (split(from), split(to));
        findings.push(if from_repository != to_repository {
            Finding {
                severity: Severity::Warning,
                message: format!("{}, which is another repository", finding.message),
                ..finding
            }
        } else if from_digest.is_some() && to_digest.is_none() {
            Finding {
                severity: Severity::Warning,
                message: format!("{}, which has no digest any more", finding.message),
                ..finding
            }
            .help("pin it again: `IMAGE:TAG@sha256:…`")
        } else {
            finding
        });
    }
}

/// The repository and the digest of an image.
fn split(image: &str) -> (&str, Option<&str>) {
    let (name, digest) = match image.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (image, None),
    };
    let repository = match name.rsplit_once(':') {
        // What stands behind a port is no tag.
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    };
    let repository = repository
        .strip_prefix("docker.io/library/")
        .or_else(|| repository.strip_prefix("docker.io/"))
        .unwrap_or(repository);
    (repository, digest)
}

/// Versions of a custom resource that are not served any more.
fn served_versions(subject: &Subject<'_>, old: &Node, new: &Node, findings: &mut Vec<Finding>) {
    let served = |node: &Node| -> Vec<String> {
        let versions = node.at_path(&["spec", "versions"]).map(Node::items);
        versions
            .unwrap_or_default()
            .iter()
            .filter(|v| v.get("served").and_then(Node::as_bool) != Some(false))
            .filter_map(|v| v.get("name")?.text().map(str::to_owned))
            .collect()
    };
    let now = served(new);
    for version in served(old).iter().filter(|v| !now.contains(v)) {
        findings.push(
            subject
                .finding(
                    "change/crd-version",
                    format!("version `{version}` is no longer served"),
                )
                .help("write all objects of it in a newer version first"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_have_a_repository_and_a_digest() {
        for (image, repository, digest) in [
            ("nginx", "nginx", None),
            ("docker.io/library/nginx:1.2", "nginx", None),
            ("host:5000/a/b", "host:5000/a/b", None),
            (
                "host:5000/a/b:c@sha256:00",
                "host:5000/a/b",
                Some("sha256:00"),
            ),
        ] {
            assert_eq!(split(image), (repository, digest), "{image}");
        }
    }
}
