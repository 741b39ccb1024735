//! How Flux's controllers are set up: where they run, and the options and
//! feature gates that change what they do.
//!
//! In: their Deployments, a FluxInstance, patches of either. Out:
//! [`Controllers`], which knows what was said and leaves the rest at what the
//! controllers do by default.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::FluxVersion;
use crate::gostd::regexp::Regexp;
use crate::yaml::Node;

/// The namespace of an installation that says nothing else.
pub const NAMESPACE: &str = "flux-system";

/// The controllers that take options which matter here.
const NAMES: [&str; 7] = [
    "kustomize-controller",
    "helm-controller",
    "source-controller",
    "notification-controller",
    "image-reflector-controller",
    "image-automation-controller",
    "source-watcher",
];

/// Whether an undefined variable fails a Kustomization.
const STRICT: &str = "StrictPostBuildSubstitutions";
/// Whether what is waited for is read object by object, without lists.
const NO_STATUS_CACHE: &str = "DisableStatusPollerCache";
/// Whether helm-controller does by default what Helm 3 did.
const HELM_3: &str = "UseHelm3Defaults";

/// How Flux is set up in a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Controllers {
    /// Where the controllers run.
    pub namespace: Arc<str>,
    /// Whether the repository says how they are set up.
    pub known: bool,
    /// Whether their Deployments are in the repository, so that all their
    /// rights are too.
    pub installed: bool,
    /// Whether flux-operator installs them, from a FluxInstance that is in the
    /// repository.
    by_operator: bool,
    /// `--default-service-account` of kustomize-controller.
    pub kustomize_account: Option<String>,
    /// `--default-service-account` of helm-controller.
    pub helm_account: Option<String>,
    /// `--no-remote-bases` of kustomize-controller.
    pub refuses_remote_bases: bool,
    /// The controllers with `--no-cross-namespace-refs`.
    confined: Vec<&'static str>,
    /// `--feature-gates`, by controller and gate.
    gates: BTreeMap<(&'static str, String), bool>,
}

impl Controllers {
    /// Controllers in a namespace, of which nothing else is known.
    pub fn in_namespace(namespace: &str) -> Controllers {
        Controllers {
            namespace: namespace.into(),
            ..Controllers::default()
        }
    }

    /// Whether the repository says all of how they are set up, so that what it
    /// does not say is so by default.
    pub fn is_set_up(&self) -> bool {
        self.installed || self.by_operator
    }

    /// Whether a controller refuses references to other namespaces.
    pub fn confines(&self, name: &str) -> bool {
        self.confined.contains(&name)
    }

    /// What is said of a feature gate of a controller.
    pub fn gate(&self, controller: &str, gate: &str) -> Option<bool> {
        let named = |(key, _): &(&(&str, String), &bool)| key.0 == controller && key.1 == gate;
        self.gates.iter().find(named).map(|(_, on)| *on)
    }

    /// Whether an undefined variable fails a Kustomization.
    pub fn strict_substitution(&self, flux: FluxVersion) -> bool {
        self.gate("kustomize-controller", STRICT)
            .unwrap_or_else(|| flux.strict_substitution())
    }

    /// Whether hooks go through post-renderers where a HelmRelease says
    /// nothing.
    pub fn post_renders_hooks(&self, flux: FluxVersion) -> bool {
        flux.post_renders_hooks() && self.gate("helm-controller", HELM_3) != Some(true)
    }

    /// Whether kustomize-controller lists what it waits for.
    ///
    /// Compat: the gate that switches the cache of lists off is on by default
    /// since kustomize-controller 1.2.
    pub fn lists_what_it_waits_for(&self) -> bool {
        self.gate("kustomize-controller", NO_STATUS_CACHE) == Some(false)
    }

    /// Reads a Deployment, if it is one of Flux's: its namespace is where the
    /// controllers run.
    pub fn read_deployment(&mut self, deployment: &Node, namespace: &str) {
        let name = deployment.at_path(&["metadata", "name"]);
        let name = name.and_then(Node::text).unwrap_or_default();
        let Some(name) = NAMES.iter().find(|known| **known == name) else {
            return;
        };
        if !is_of_flux(deployment) {
            return;
        }
        self.namespace = namespace.into();
        self.known = true;
        self.installed = true;
        let containers = deployment.at_path(&["spec", "template", "spec", "containers"]);
        for container in items(containers) {
            for arg in items(container.target().get("args")) {
                self.option(name, arg.target().text().unwrap_or_default());
            }
        }
    }

    /// Reads what flux-operator sets up for a FluxInstance.
    ///
    /// Compat: flux-operator `internal/builder/profiles.go`.
    /// `spec.cluster.multitenant` locks all controllers down, with the account
    /// `default` unless `tenantDefaultServiceAccount` says another; a gate is
    /// on where a component needs it.
    pub fn read_instance(&mut self, instance: &Node, namespace: &str) {
        let at = |path: &[&str]| instance.at_path(path).map(Node::target);
        let is_true = |path: &[&str]| at(path).and_then(Node::as_bool) == Some(true);
        self.namespace = namespace.into();
        self.known = true;
        self.by_operator = true;
        if is_true(&["spec", "cluster", "multitenant"]) {
            let account = at(&["spec", "cluster", "tenantDefaultServiceAccount"]);
            let account = account.and_then(Node::text).unwrap_or("default").to_owned();
            self.kustomize_account = Some(account.clone());
            self.helm_account = Some(account);
            self.confined = NAMES.to_vec();
            self.refuses_remote_bases = true;
        }
        if let Some(on) = at(&["spec", "cluster", "objectLevelWorkloadIdentity"]) {
            for name in NAMES {
                self.set_gate(
                    name,
                    "ObjectLevelWorkloadIdentity",
                    on.as_bool() == Some(true),
                );
            }
        }
        let mut components = items(at(&["spec", "components"])).iter();
        if components.any(|node| node.target().text() == Some("source-watcher")) {
            for name in ["kustomize-controller", "helm-controller"] {
                self.set_gate(name, "ExternalArtifact", true);
            }
        }
        for patch in items(at(&["spec", "kustomize", "patches"])) {
            let text = patch.target().get("patch").and_then(Node::text);
            self.read_patch(patch.target(), text.unwrap_or_default());
        }
    }

    /// Reads what a patch of the components adds: an entry of `patches`, and
    /// the text of the patch, which may lie in a file of its own.
    pub fn read_patch(&mut self, patch: &Node, text: &str) {
        let target = |key: &str| {
            let value = patch.get("target").and_then(|t| t.target().get(key));
            value.and_then(Node::text)
        };
        if target("kind").is_some_and(|kind| kind != "Deployment") {
            return;
        }
        let name = target("name").map(|name| Regexp::new(&format!("^(?:{name})$")));
        for controller in NAMES {
            let meant = match &name {
                Some(Ok(name)) => name.is_match(controller),
                Some(Err(_)) => false,
                // Without a target, the patch itself names what it is for.
                None => text.contains(controller) || target("kind").is_some(),
            };
            if !meant {
                continue;
            }
            let words = text.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\''));
            for word in words.filter(|word| word.starts_with("--")) {
                self.known = true;
                self.option(controller, word);
            }
        }
    }

    fn option(&mut self, controller: &'static str, text: &str) {
        let text = text.trim().trim_end_matches([',', ']']);
        let (name, value) = text.split_once('=').unwrap_or((text, "true"));
        match (name, controller) {
            ("--default-service-account", "kustomize-controller") => {
                self.kustomize_account = Some(value.to_owned());
            }
            ("--default-service-account", "helm-controller") => {
                self.helm_account = Some(value.to_owned());
            }
            ("--no-remote-bases", "kustomize-controller") => {
                self.refuses_remote_bases = value == "true";
            }
            ("--no-cross-namespace-refs", _)
                if value == "true" && !self.confined.contains(&controller) =>
            {
                self.confined.push(controller);
            }
            ("--feature-gates", _) => {
                for (gate, on) in value.split(',').filter_map(|gate| gate.split_once('=')) {
                    self.set_gate(controller, gate.trim(), on.trim() == "true");
                }
            }
            _ => {}
        }
    }

    fn set_gate(&mut self, controller: &'static str, gate: &str, on: bool) {
        self.gates.insert((controller, gate.to_owned()), on);
    }
}

fn items(node: Option<&Node>) -> &[Node] {
    node.map_or(&[], |node| node.target().items())
}

/// Whether an object is part of a Flux installation.
pub fn is_of_flux(object: &Node) -> bool {
    let label = |key: &str| {
        object
            .at_path(&["metadata", "labels", key])
            .and_then(Node::text)
    };
    label("app.kubernetes.io/part-of") == Some("flux")
        || label("app.kubernetes.io/name") == Some("flux-operator")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;
    use crate::yaml;

    fn node(text: &str) -> Node {
        yaml::parse_one(text, FileId::default()).unwrap().unwrap()
    }

    #[test]
    fn gates_are_those_of_their_controller() {
        let mut found = Controllers::in_namespace("flux");
        assert!(found.strict_substitution(FluxVersion::V2_9));
        found.read_deployment(
            &node(
                "metadata: {name: kustomize-controller, labels: {app.kubernetes.io/part-of: flux}}\n\
                 spec: {template: {spec: {containers: [{args: ['--feature-gates=A=true,\
                 StrictPostBuildSubstitutions=false', '--feature-gates=DisableStatusPollerCache=false']}]}}}",
            ),
            "gitops",
        );
        assert!(found.installed && &*found.namespace == "gitops");
        assert_eq!(found.gate("kustomize-controller", "A"), Some(true));
        assert_eq!(found.gate("helm-controller", "A"), None);
        assert!(!found.strict_substitution(FluxVersion::V2_9));
        assert!(found.lists_what_it_waits_for());
        assert!(found.post_renders_hooks(FluxVersion::V2_9));
    }

    #[test]
    fn patches_and_instances_set_options() {
        let mut found = Controllers::in_namespace("flux-system");
        let patch = node("target: {kind: Deployment, name: (helm|kustomize)-controller}");
        let text = "- op: add\n  path: /x\n  value: --feature-gates=UseHelm3Defaults=true";
        found.read_patch(&patch, text);
        assert_eq!(
            found.gate("kustomize-controller", "UseHelm3Defaults"),
            Some(true)
        );
        assert!(!found.post_renders_hooks(FluxVersion::V2_9));
        assert!(!found.installed);
        found.read_instance(
            &node(
                "spec: {components: [source-watcher], cluster: {multitenant: true, \
                 objectLevelWorkloadIdentity: true}}",
            ),
            "flux-system",
        );
        assert_eq!(found.helm_account.as_deref(), Some("default"));
        assert_eq!(
            found.gate("helm-controller", "ExternalArtifact"),
            Some(true)
        );
        let gate = "ObjectLevelWorkloadIdentity";
        assert_eq!(found.gate("source-controller", gate), Some(true));
        assert!(found.confines("notification-controller"));
    }
}
