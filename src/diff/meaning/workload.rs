//! Pods: what they run, how many there are, and when they are replaced.

use super::super::fields::Change;
use super::super::path::FieldPath;
use super::{Subject, counted, from_to, shown, text_at};
use crate::diag::{Finding, Severity};
use crate::yaml::Node;

/// Where the pod's spec lies in a kind that has one.
fn pod_spec(group: &str, kind: &str) -> Option<&'static [&'static str]> {
    Some(match (group, kind) {
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
        | ("batch", "Job")
        | ("", "ReplicationController") => &["spec", "template", "spec"],
        ("", "PodTemplate") => &["template", "spec"],
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
    match pod_spec(group, kind) {
        Some(path) => images(subject, old.at_path(path), new.at_path(path), findings),
        None => other_images(subject, findings),
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
                findings.push(replicas(subject, &change));
                findings.extend(volumes(subject, &change));
            }
        }
        ("autoscaling", "HorizontalPodAutoscaler") => {
            for field in [&["spec", "minReplicas"], &["spec", "maxReplicas"]] {
                for change in subject.changes_at(field) {
                    let message = format!("`{}` {}", change.path, from_to(&change));
                    findings.push(subject.finding_at("change/replicas", &change, message));
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

/// Volumes that go with the pods of a StatefulSet that shrinks.
fn volumes(subject: &Subject<'_>, change: &Change) -> Option<Finding> {
    let (_, new) = subject.both()?;
    let path = ["spec", "persistentVolumeClaimRetentionPolicy", "whenScaled"];
    if subject.group_kind().1 != "StatefulSet"
        || text_at(new, &path).is_none_or(|policy| &**policy != "Delete")
    {
        return None;
    }
    let number = |node: &Option<Node>| match node {
        Some(node) => node.text()?.parse::<u32>().ok(),
        None => Some(1),
    };
    let (was, is) = (number(&change.old)?, number(&change.new)?);
    let gone = was.checked_sub(is).filter(|gone| *gone > 0)?;
    Some(
        subject
            .finding_at(
                "change/delete-data",
                change,
                format!(
                    "{} volumes",
                    counted(
                        gone as usize,
                        "pod is deleted, and with it its",
                        "pods are deleted, and with them their"
                    )
                ),
            )
            .help("`spec.persistentVolumeClaimRetentionPolicy.whenScaled: Retain` keeps them"),
    )
}

/// What the API server fills in below the template of a pod.
const FILLED_IN: &[(&[&str], &str)] = &[
    (
        &["spec", "containers", "*", "ports", "*", "protocol"],
        "TCP",
    ),
    (
        &["spec", "initContainers", "*", "ports", "*", "protocol"],
        "TCP",
    ),
    (&["spec", "dnsPolicy"], "ClusterFirst"),
    (&["spec", "enableServiceLinks"], "true"),
    (&["spec", "restartPolicy"], "Always"),
    (&["spec", "schedulerName"], "default-scheduler"),
    (&["spec", "terminationGracePeriodSeconds"], "30"),
];

fn restart(subject: &Subject<'_>, new: &Node, findings: &mut Vec<Finding>) {
    let is_nothing = |change: &Change| {
        FILLED_IN.iter().any(|(keys, default)| {
            let below = change.path.0.get(2..).unwrap_or_default();
            FieldPath(below.to_vec()).starts_with(keys) && change.is_filled_in(default)
        })
    };
    let changes = subject.changes_at(&["spec", "template"]);
    let changes: Vec<_> = changes.filter(|change| !is_nothing(change)).collect();
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
    let is_paused = new.at_path(&["spec", "paused"]).and_then(Node::as_bool) == Some(true);
    let why = if count == 1 {
        format!("`{}` changes", first.path)
    } else {
        format!(
            "the pod template has {}",
            counted(count, "change", "changes")
        )
    };
    let how = if is_paused {
        "replaced when the Deployment is no longer paused"
    } else if on_delete {
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

/// The volumes of a pod that are images, by name.
fn volume_images(spec: Option<&Node>) -> Vec<(&str, &Node)> {
    let volumes = spec.and_then(|s| s.get("volumes")).map(Node::items);
    let volumes = volumes.unwrap_or_default().iter();
    volumes
        .filter_map(|v| Some((v.get("name")?.text()?, v.at_path(&["image", "reference"])?)))
        .collect()
}

fn images(
    subject: &Subject<'_>,
    old: Option<&Node>,
    new: Option<&Node>,
    findings: &mut Vec<Finding>,
) {
    for (what, of) in [
        ("container", containers as fn(_) -> _),
        ("the image of volume", volume_images),
    ] {
        let before: Vec<(&str, &Node)> = of(old);
        for (name, image) in of(new) {
            let Some((_, was)) = before.iter().find(|(n, _)| *n == name) else {
                continue;
            };
            let finding = subject.finding("change/image", format!("{what} `{name}`"));
            findings.extend(moved(finding.at(image.span(), subject.sources), was, image));
        }
    }
}

/// Images in fields of other kinds: those that are called so.
fn other_images(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    // What Flux's own objects name is rendered, or looked for.
    if subject.group_kind().0.ends_with("fluxcd.io") {
        return;
    }
    for change in subject.changes {
        let (Some(was), Some(image)) = (&change.old, &change.new) else {
            continue;
        };
        if change.path.last_key() == Some("image") {
            let finding = subject.finding_at("change/image", change, format!("`{}`", change.path));
            findings.extend(moved(finding, was, image));
        }
    }
}

/// The longest name of an image that is shown: with a digest, most are longer
/// than other texts may be.
const MAX_IMAGE_CHARS: usize = 400;

/// What a finding whose message names a place says of the image there, which is
/// another one now.
fn moved(finding: Finding, was: &Node, image: &Node) -> Option<Finding> {
    let (from, to) = (was.text()?, image.text()?);
    if from == to {
        return None;
    }
    let name = |node: &Node, text: &str| {
        if node.is_secret() || text.chars().count() > MAX_IMAGE_CHARS {
            return shown(Some(node));
        }
        format!("`{text}`")
    };
    let (old, new) = (Image::of(from), Image::of(to));
    let message = format!(
        "{} moves from {} to {}",
        finding.message,
        name(was, from),
        name(image, to)
    );
    Some(if old.repository != new.repository {
        Finding {
            severity: Severity::Warning,
            message: format!("{message}, which is another repository"),
            ..finding
        }
    } else if old.digest.is_some() && new.digest.is_none() {
        Finding {
            severity: Severity::Warning,
            message: format!("{message}, which has no digest any more"),
            ..finding
        }
        .help("pin it again: `IMAGE:TAG@sha256:…`")
    } else if old.tag.is_some() && old.tag == new.tag && old.digest.is_some() {
        Finding {
            message: format!("{message}: the same tag, with other content"),
            ..finding
        }
    } else {
        Finding { message, ..finding }
    })
}

/// The name of an image, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Image<'i> {
    repository: &'i str,
    tag: Option<&'i str>,
    digest: Option<&'i str>,
}

impl<'i> Image<'i> {
    fn of(image: &'i str) -> Image<'i> {
        let (name, digest) = match image.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (image, None),
        };
        let (repository, tag) = match name.rsplit_once(':') {
            // What stands behind a port is no tag.
            Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
            _ => (name, None),
        };
        let repository = repository
            .strip_prefix("docker.io/library/")
            .or_else(|| repository.strip_prefix("docker.io/"))
            .unwrap_or(repository);
        Image {
            repository,
            tag,
            digest,
        }
    }
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
    fn images_have_a_repository_a_tag_and_a_digest() {
        for (image, repository, tag, digest) in [
            ("nginx", "nginx", None, None),
            ("docker.io/library/nginx:1.2", "nginx", Some("1.2"), None),
            ("host:5000/a/b", "host:5000/a/b", None, None),
            (
                "host:5000/a/b:c@sha256:00",
                "host:5000/a/b",
                Some("c"),
                Some("sha256:00"),
            ),
        ] {
            let expected = Image {
                repository,
                tag,
                digest,
            };
            assert_eq!(Image::of(image), expected, "{image}");
        }
    }
}
