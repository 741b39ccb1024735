//! How Flux's controllers are set up, as far as the repository says: where they
//! run, and the options that change what an object may do.
//!
//! In: what is applied (`gotk-components.yaml` as its patches leave it, a
//! FluxInstance). Where the components are written at bootstrap and are not in
//! the repository, the patches beside them still say which options they get.

use std::sync::Arc;

use crate::check::View;
use crate::gostd::regexp::Regexp;
use crate::yaml::Node;

/// The namespace of an installation that says nothing else.
const NAMESPACE: &str = "flux-system";

/// The controllers that take options which matter here.
const NAMES: [&str; 6] = [
    "kustomize-controller",
    "helm-controller",
    "source-controller",
    "notification-controller",
    "image-reflector-controller",
    "image-automation-controller",
];

/// How Flux is set up in a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::check) struct Controllers {
    /// Where the controllers run.
    pub(in crate::check) namespace: Arc<str>,
    /// Whether the repository says how they are set up.
    pub(in crate::check) known: bool,
    /// Whether their Deployments are in the repository, so that all their
    /// rights are too.
    pub(in crate::check) installed: bool,
    /// `--default-service-account` of kustomize-controller.
    pub(in crate::check) kustomize_account: Option<String>,
    /// `--default-service-account` of helm-controller.
    pub(in crate::check) helm_account: Option<String>,
    /// The controllers with `--no-cross-namespace-refs`.
    pub(in crate::check) confined: Vec<&'static str>,
    /// `--no-remote-bases` of kustomize-controller.
    pub(in crate::check) refuses_remote_bases: bool,
}

impl Controllers {
    pub(in crate::check) fn of(view: &View<'_>) -> Controllers {
        let mut found = Controllers {
            namespace: NAMESPACE.into(),
            ..Controllers::default()
        };
        for applied in view.of_kind("apps", "Deployment") {
            let Some(name) = NAMES.iter().find(|name| **name == applied.name()) else {
                continue;
            };
            if !is_of_flux(applied.node()) {
                continue;
            }
            found.namespace = applied.namespace.into();
            found.known = true;
            found.installed = true;
            let path = ["spec", "template", "spec", "containers"];
            for container in applied.at(&path).map_or(&[][..], Node::items) {
                let args = container.target().get("args").map(Node::target);
                for arg in args.map_or(&[][..], Node::items) {
                    found.option(name, arg.target().text().unwrap_or_default());
                }
            }
        }
        found.read_instance(view);
        if !found.installed {
            found.read_patches(view);
        }
        found
    }

    /// Whether a controller refuses references to other namespaces.
    pub(in crate::check) fn confines(&self, name: &str) -> bool {
        self.confined.contains(&name)
    }

    fn option(&mut self, controller: &'static str, text: &str) {
        let (name, value) = text.trim().split_once('=').unwrap_or((text.trim(), "true"));
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
            _ => {}
        }
    }

    /// What flux-operator sets up for a FluxInstance.
    ///
    /// Compat: `spec.cluster.multitenant` locks all controllers down, with the
    /// account `default` unless `tenantDefaultServiceAccount` says another.
    fn read_instance(&mut self, view: &View<'_>) {
        for applied in view.of_kind("fluxcd.controlplane.io", "FluxInstance") {
            self.namespace = applied.namespace.into();
            self.known = true;
            if applied.is_true(&["spec", "cluster", "multitenant"]) {
                let account = applied.text(&["spec", "cluster", "tenantDefaultServiceAccount"]);
                let account = account.unwrap_or("default").to_owned();
                self.kustomize_account = Some(account.clone());
                self.helm_account = Some(account);
                self.confined = NAMES.to_vec();
                self.refuses_remote_bases = true;
            }
            let patches = applied.at(&["spec", "kustomize", "patches"]);
            for patch in patches.map_or(&[][..], Node::items) {
                self.read_patch(patch.target());
            }
        }
    }

    /// The patches of the folder that bootstrap writes the components to.
    fn read_patches(&mut self, view: &View<'_>) {
        let folder = &view.cluster.entry.folder;
        for folder in [format!("{folder}/flux-system"), folder.clone()] {
            let path = format!("{folder}/kustomization.yaml");
            let files = &view.repository.sources.repository;
            let Ok(documents) = files.documents(path.trim_start_matches('/')) else {
                continue;
            };
            let roots = documents.iter().map(|document| &document.root);
            let patches = roots.filter_map(|root| root.get("patches"));
            for patch in patches.flat_map(|p| p.target().items()) {
                self.read_patch(patch.target());
            }
        }
    }

    fn read_patch(&mut self, patch: &Node) {
        let target = |key: &str| {
            let value = patch.get("target").and_then(|t| t.target().get(key));
            value.and_then(Node::text)
        };
        let Some(text) = patch.get("patch").and_then(Node::text) else {
            return;
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
}

/// Whether an object is part of a Flux installation.
pub(in crate::check) fn is_of_flux(object: &Node) -> bool {
    let label = |key: &str| {
        object
            .at_path(&["metadata", "labels", key])
            .and_then(Node::text)
    };
    label("app.kubernetes.io/part-of") == Some("flux")
        || label("app.kubernetes.io/name") == Some("flux-operator")
}
