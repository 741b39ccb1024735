//! Images without a tag, or with one that moves.

use crate::check::subst::is_open;
use crate::check::{Applied, Check, Out, Rule, View};
use crate::diag::Severity;
use crate::flux::api::HELM;
use crate::yaml::Node;

pub(in crate::check) static RULE: Rule = Rule {
    id: "image/mutable",
    severity: Severity::Warning,
    title: "an image without a tag, or with `latest`",
    why: "What runs is then whatever the registry holds when a node pulls: two pods of one \
          Deployment can run different programs, a restart can be an upgrade, and nothing in Git \
          says so.",
    mend: "Name a release by its tag, or better by its digest (`image: name:1.2.3@sha256:…`).",
    bad: "\
apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: default
spec:
  containers:
  - name: web
    image: registry.example.com/web:latest
",
    good: "\
apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: default
spec:
  containers:
  - name: web
    image: registry.example.com/web:1.4.2
",
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for applied in view.objects() {
        if let Some((path, spec)) = pod_spec(applied) {
            pod(applied, &path, spec, out);
        } else if is_custom(applied) {
            below(applied, applied.node(), "", true, out);
        }
    }
    for applied in view.of_kind(HELM, "HelmRelease") {
        let unit = view.unit("HelmRelease", applied.namespace, applied.name());
        // What can be rendered is looked at as it comes out.
        let is_rendered = unit.is_some_and(|unit| unit.outcome.is_ok());
        if is_rendered {
            continue;
        }
        if let Some(values) = applied.at(&["spec", "values"]) {
            below(applied, values, "/spec/values", false, out);
        }
        let renderers = applied.at(&["spec", "postRenderers"]);
        let renderers = renderers.map_or(&[][..], Node::items).iter().enumerate();
        for (i, renderer) in renderers {
            let images = renderer.target().at_path(&["kustomize", "images"]);
            let images = images.map_or(&[][..], |n| n.target().items());
            for (j, image) in images.iter().enumerate() {
                let tag = image.target().get("newTag").map(Node::target);
                if let Some(tag) = tag.filter(|tag| tag.text() == Some("latest")) {
                    out.push(
                        out.about(applied, tag.span(), "the tag `latest` moves")
                            .path(format!(
                                "/spec/postRenderers/{i}/kustomize/images/{j}/newTag"
                            ))
                            .help(HELP),
                    );
                }
            }
        }
    }
}

fn pod(applied: &Applied<'_>, path: &str, spec: &Node, out: &mut Out<'_>) {
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        let containers = spec.get(list).map_or(&[][..], |n| n.target().items());
        for (i, container) in containers.iter().enumerate() {
            if let Some(image) = container.target().get("image") {
                let path = format!("{path}/{list}/{i}/image");
                one(applied, image.target(), path, out);
            }
        }
    }
    let volumes = spec.get("volumes").map_or(&[][..], |n| n.target().items());
    for (i, volume) in volumes.iter().enumerate() {
        if let Some(image) = volume.target().at_path(&["image", "reference"]) {
            let path = format!("{path}/volumes/{i}/image/reference");
            one(applied, image, path, out);
        }
    }
}

/// Whether an object is of a kind that operators read: which of their fields
/// are images only names tell.
fn is_custom(applied: &Applied<'_>) -> bool {
    let group = &*applied.gvk().group;
    group.contains('.')
        && !group.ends_with(".fluxcd.io")
        && !group.ends_with(".k8s.io")
        && group != "fluxcd.controlplane.io"
}

/// Looks for `image: …:latest`, and in values of charts also for a `tag`, since
/// a chart puts the two together. What has no tag at all may get one.
fn below(applied: &Applied<'_>, node: &Node, path: &str, whole: bool, out: &mut Out<'_>) {
    for (i, item) in node.items().iter().enumerate() {
        below(applied, item.target(), &format!("{path}/{i}"), whole, out);
    }
    let is_named = ["repository", "image", "registry", "name"]
        .iter()
        .any(|key| node.str_at(key).is_some());
    for entry in node.entries() {
        let key = entry.key.text().unwrap_or_default();
        let value = entry.value.target();
        let path = format!("{path}/{}", crate::diag::pointer::escape(key));
        let text = value.text().unwrap_or_default();
        let message = match key {
            "image" if tag(text) == Some("latest") && is_name(text) => moves(text),
            "tag" if !whole && is_named && text == "latest" => "the tag `latest` moves".to_owned(),
            _ => {
                below(applied, value, &path, whole, out);
                continue;
            }
        };
        out.push(
            out.about(applied, value.span(), message)
                .path(path)
                .help(HELP),
        );
    }
}

/// The pod that a workload of Kubernetes makes, and the way to it.
pub(in crate::check) fn pod_spec<'a>(applied: &Applied<'a>) -> Option<(String, &'a Node)> {
    let path: &[&str] = match (&*applied.gvk().group, &*applied.gvk().kind) {
        ("", "Pod") => &["spec"],
        ("", "PodTemplate") => &["template", "spec"],
        ("", "ReplicationController")
        | ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
        | ("batch", "Job") => &["spec", "template", "spec"],
        ("batch", "CronJob") => &["spec", "jobTemplate", "spec", "template", "spec"],
        // A workload of another group, as Argo's and Knative's are.
        (group, _) if group.contains('.') && has_containers(applied) => {
            &["spec", "template", "spec"]
        }
        _ => return None,
    };
    Some((format!("/{}", path.join("/")), applied.at(path)?))
}

/// Whether an object makes pods the way a Deployment does.
fn has_containers(applied: &Applied<'_>) -> bool {
    let containers = applied.at(&["spec", "template", "spec", "containers"]);
    containers.is_some_and(Node::is_sequence)
}

fn one(applied: &Applied<'_>, image: &Node, path: String, out: &mut Out<'_>) {
    let Some(text) = image.text().filter(|t| !t.is_empty()) else {
        return;
    };
    if !is_name(text) || is_open(text) {
        return;
    }
    let message = match tag(text) {
        None => format!("the image `{text}` has no tag, which means `latest`"),
        Some("") => format!("the image `{text}` has an empty tag, which no node can pull"),
        Some("latest") => moves(text),
        Some(_) => return,
    };
    out.push(
        out.about(applied, image.span(), message)
            .path(path)
            .help(HELP),
    );
}

/// What to do about any of them.
const HELP: &str = "name a release by its tag, or by its digest";

fn moves(image: &str) -> String {
    format!("the image `{image}` has the tag `latest`, which moves")
}

/// Whether a text names an image by its tag: neither by its digest, nor many at
/// once, as policies do.
fn is_name(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | ':' | '_' | '-');
    text.chars().all(is_part)
}

/// The tag of an image; a colon before the last slash belongs to a port.
fn tag(image: &str) -> Option<&str> {
    let name = image.rsplit('/').next().unwrap_or(image);
    name.split_once(':').map(|(_, tag)| tag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::example::testing::found;

    #[test]
    fn a_port_is_no_tag() {
        assert_eq!(tag("registry:5000/web"), None);
        assert_eq!(tag("registry:5000/web:1"), Some("1"));
        assert_eq!(tag("web"), None);
    }

    #[test]
    fn images_are_found_wherever_they_stand() {
        let places = |text: &str| found(RULE.id, text);
        let object = "apiVersion: example.com/v1\nkind: Database\nmetadata:\n  name: a\n  namespace: \
                      b\nspec:\n  image: db:latest\n  sidecars:\n  - image: metrics\n    tag: latest\n";
        assert_eq!(
            places(object),
            [
                "warning clusters/prod/example.yaml:7:10 the image `db:latest` has the tag `latest`, \
                 which moves"
            ]
        );
        // A policy says which images there may be.
        let policy = object.replace("db:latest", "'!*:latest'");
        assert_eq!(places(&policy), [""; 0]);
        let volume = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  namespace: b\nspec:\n  \
                      volumes:\n  - name: v\n    image: {reference: data}\n  containers:\n  - name: c\n    \
                      image: 'c:'\n";
        assert_eq!(places(volume).len(), 2);
        // A chart that is not at hand.
        let release = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: \
                       a\n  namespace: b\nspec:\n  interval: 1h\n  chartRef:\n    kind: \
                       OCIRepository\n    name: a\n  values:\n    tag: latest\n    image:\n      \
                       repository: web\n      tag: latest\n    other: {image: \
                       'x:latest@sha256:0'}\n  postRenderers:\n  - kustomize:\n      images: [{name: x, \
                       newTag: latest}]\n";
        assert_eq!(
            places(release),
            [
                "warning clusters/prod/example.yaml:15:12 the tag `latest` moves",
                "warning clusters/prod/example.yaml:19:34 the tag `latest` moves"
            ]
        );
    }
}
