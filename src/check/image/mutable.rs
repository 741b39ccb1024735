//! Images without a tag, or with one that moves.

use crate::check::{Applied, Check, Out, Rule, View};
use crate::diag::Severity;
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
        let Some((path, spec)) = pod_spec(applied) else {
            continue;
        };
        for list in ["initContainers", "containers", "ephemeralContainers"] {
            let containers = spec.get(list).map_or(&[][..], |n| n.target().items());
            for (i, container) in containers.iter().enumerate() {
                if let Some(image) = container.target().get("image") {
                    let path = format!("{path}/{list}/{i}/image");
                    one(applied, image.target(), path, out);
                }
            }
        }
    }
}

/// The pod that a workload of Kubernetes makes, and the way to it.
pub(in crate::check) fn pod_spec<'a>(applied: &Applied<'a>) -> Option<(String, &'a Node)> {
    let path: &[&str] = match (&*applied.gvk().group, &*applied.gvk().kind) {
        ("", "Pod") => &["spec"],
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
    if text.contains('@') || text.contains("${") {
        return;
    }
    let message = match tag(text) {
        None => format!("the image `{text}` has no tag, which means `latest`"),
        Some("latest") => format!("the image `{text}` has the tag `latest`, which moves"),
        Some(_) => return,
    };
    out.push(
        out.about(applied, image.span(), message)
            .path(path)
            .help("name a release by its tag, or by its digest"),
    );
}

/// The tag of an image; a colon before the last slash belongs to a port.
fn tag(image: &str) -> Option<&str> {
    let name = image.rsplit('/').next().unwrap_or(image);
    name.split_once(':').map(|(_, tag)| tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_no_tag() {
        assert_eq!(tag("registry:5000/web"), None);
        assert_eq!(tag("registry:5000/web:1"), Some("1"));
        assert_eq!(tag("web"), None);
    }
}
