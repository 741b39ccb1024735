//! Patches and replacements that hit nothing, and which of them are meant so.
//!
//! In: findings of rendering, one for each build in which the target of one
//! meant no object. Out: those that are worth telling: a patch that is handed
//! to many Kustomizations, or stands in a component that many include, is meant
//! for those that have its target, and wrong only where none has it. And what
//! `flux bootstrap` writes is patched before it is written.

use std::collections::{BTreeMap, BTreeSet};

use crate::artifact::path;
use crate::check::files::reach::Reach;
use crate::check::{Repository, View};
use crate::diag::{Cause, Finding, Location};
use crate::flux::api;
use crate::flux::generate::FILE_NAMES;
use crate::yaml::Node;

/// A patch in a cluster.
type Key = (Option<std::sync::Arc<str>>, Location);

/// Leaves out what is told of patches that hit something elsewhere.
pub(in crate::check) fn drop_shared(
    repository: &Repository,
    views: &[View<'_>],
    findings: &mut Vec<Finding>,
) {
    let mut missed: BTreeMap<Key, usize> = BTreeMap::new();
    for finding in findings.iter() {
        if let Some(key) = key_of(finding) {
            *missed.entry(key).or_default() += 1;
        }
    }
    if missed.is_empty() {
        return;
    }
    let handed = handed(repository, views);
    let includes: BTreeMap<_, _> = views
        .iter()
        .map(|view| (view.label.clone(), includes(repository, view)))
        .collect();
    let mut told = BTreeSet::new();
    findings.retain(|finding| {
        let Some(key) = key_of(finding) else {
            return true;
        };
        let missed = missed.get(&key).copied().unwrap_or_default();
        let folder = path::parent(&key.1.file).unwrap_or_default();
        let included = || includes.get(&key.0).and_then(|by| by.get(folder));
        let used = handed.get(&key).or_else(included);
        let used = used.copied().unwrap_or_default();
        // Of one that never hits anything, once is enough.
        missed >= used && !is_unwritten(repository, folder) && told.insert(key)
    });
}

fn key_of(finding: &Finding) -> Option<Key> {
    let location = finding.location.clone();
    let location = location.filter(|_| finding.cause == Some(Cause::NothingMatched))?;
    Some((finding.cluster.clone(), location))
}

/// How many Flux Kustomizations of a cluster have the patch of a place: more
/// than one where a patch of their parent gave it to them.
fn handed(repository: &Repository, views: &[View<'_>]) -> BTreeMap<Key, usize> {
    let mut handed: BTreeMap<Key, usize> = BTreeMap::new();
    for view in views {
        let units = view.cluster.units.iter();
        let patches = units.filter_map(|unit| unit.object.at_path(&["spec", "patches"]));
        for patch in patches.flat_map(|patches| patches.target().items()) {
            let target = patch.target().get("target").map(Node::span);
            let place = target.and_then(|span| Location::of(span, &repository.source_map));
            if let Some(place) = place {
                *handed.entry((view.label.clone(), place)).or_default() += 1;
            }
        }
    }
    handed
}

/// How often each folder is included by others that are built for a cluster.
fn includes(repository: &Repository, view: &View<'_>) -> BTreeMap<String, usize> {
    let reach = Reach::of(repository, std::slice::from_ref(view));
    let mut includes: BTreeMap<String, usize> = BTreeMap::new();
    let mut count = |folder: &str, node: Option<&Node>| {
        for item in node.map_or(&[][..], |list| list.target().items()) {
            let text = item.target().text().unwrap_or_default();
            if let Some(at) = path::join(folder, text) {
                *includes.entry(at).or_default() += 1;
            }
        }
    };
    for folder in &reach.built {
        for name in FILE_NAMES {
            let file = path::join(folder, name).unwrap_or_default();
            let documents = reach.files.documents(&file).unwrap_or_default();
            for document in documents.iter() {
                for field in ["resources", "bases", "components"] {
                    count(folder, document.root.get(field));
                }
            }
        }
    }
    let units = view.cluster.units.iter();
    for unit in units.filter(|unit| api::is_kustomization(&unit.id.gvk)) {
        let written = unit.object.at_path(&["spec", "path"]);
        let written = written.and_then(Node::text).unwrap_or_default();
        let folder = view.cluster.entry.artifact.within(written);
        count(&folder, unit.object.at_path(&["spec", "components"]));
    }
    includes
}

/// Whether the manifests of Flux in a folder are still to be written.
fn is_unwritten(repository: &Repository, folder: &str) -> bool {
    let files = &repository.sources.repository;
    ["gotk-components.yaml", "gotk-sync.yaml"]
        .iter()
        .filter_map(|name| path::join(folder, name))
        .filter(|file| matches!(files.kind(file), Ok(Some(_))))
        .any(|file| {
            let documents = files.documents(&file);
            documents.is_ok_and(|documents| documents.iter().all(|d| d.root.is_null_or_empty()))
        })
}

#[cfg(test)]
mod tests {
    use crate::check::example::testing::found;

    fn kustomization(name: &str) -> String {
        format!(
            "---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: \
             {name}\n  namespace: flux-system\nspec:\n  interval: 10m\n  path: ./{name}\n  prune: \
             true\n  sourceRef:\n    kind: GitRepository\n    name: flux-system\n"
        )
    }

    /// A component that two include, with a patch for objects of a kind.
    fn component(kind: &str) -> String {
        let map = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  namespace: default\n";
        format!(
            "{}{}-- a/kustomization.yaml --\nresources: [a.yaml]\ncomponents: [../shared]\n-- a/a.yaml \
             --\n{map}-- b/kustomization.yaml --\nresources: [b.yaml]\ncomponents: [../shared]\n-- \
             b/b.yaml --\n{}-- shared/kustomization.yaml --\napiVersion: \
             kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches:\n- target: {{kind: {kind}}}\n  \
             patch: '- {{op: add, path: /metadata/labels, value: {{a: b}}}}'\n",
            kustomization("a"),
            kustomization("b"),
            map.replace("ConfigMap", "ServiceAccount")
        )
    }

    #[test]
    fn a_component_is_for_those_that_have_its_target() {
        assert_eq!(found("ref/missing", &component("ConfigMap")), [""; 0]);
        assert_eq!(
            found("ref/missing", &component("Deployment")),
            [
                "warning shared/kustomization.yaml:4:11 the patch's target matches nothing: kind: \
                 Deployment"
            ]
        );
    }
}
