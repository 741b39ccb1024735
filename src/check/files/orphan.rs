//! Manifests that no build reads.

use std::collections::BTreeSet;

use super::reach::{MAX_DEPTH, Reach};
use crate::artifact::{Kind, path};
use crate::check::{Check, Out, Repository, Rule, View};
use crate::diag::Severity;
use crate::resource::ResId;

pub(in crate::check) static RULE: Rule = Rule {
    id: "file/orphan",
    severity: Severity::Info,
    title: "a manifest that no Kustomization reaches",
    why: "The file lies in or below a folder whose kustomization.yaml is built, but nothing names \
          it: what it describes is not in the cluster, though everything looks as if it were.",
    mend: "Name it under `resources`, or delete it.",
    bad: "\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: apps
  namespace: flux-system
spec:
  interval: 10m
  path: ./apps
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
-- apps/kustomization.yaml --
resources:
- namespace.yaml
-- apps/namespace.yaml --
apiVersion: v1
kind: Namespace
metadata:
  name: web
-- apps/quota.yaml --
apiVersion: v1
kind: ResourceQuota
metadata:
  name: web
  namespace: web
",
    good: "\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: apps
  namespace: flux-system
spec:
  interval: 10m
  path: ./apps
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
-- apps/kustomization.yaml --
resources:
- namespace.yaml
- quota.yaml
-- apps/namespace.yaml --
apiVersion: v1
kind: Namespace
metadata:
  name: web
-- apps/quota.yaml --
apiVersion: v1
kind: ResourceQuota
metadata:
  name: web
  namespace: web
",
    check: Check::Repository(check),
};

fn check(repository: &Repository, views: &[View<'_>], out: &mut Out<'_>) {
    // What a cluster that was left out reads is not known.
    if !repository.is_whole && !repository.is_part {
        return;
    }
    let reach = Reach::of(repository, views);
    let mut looked = BTreeSet::new();
    for folder in &reach.built {
        orphans(&reach, folder, 0, &mut looked, out);
    }
}

/// Tells the manifests in and below a folder that nothing reads.
fn orphans(
    reach: &Reach<'_>,

    folder: &str,
    depth: usize,
    looked: &mut BTreeSet<String>,
    out: &mut Out<'_>,
) {
    if depth > MAX_DEPTH || !looked.insert(folder.to_owned()) {
        return;
    }
    let entries = reach.files.list(folder).unwrap_or_default();
    // Charts hold templates, not manifests.
    if entries.iter().any(|e| e.name == "Chart.yaml") {
        return;
    }
    for entry in entries {
        let Some(at) = path::join(folder, &entry.name) else {
            continue;
        };
        if entry.name.starts_with('.') || entry.is_symlink {
            continue;
        }
        match entry.kind {
            Kind::Directory => orphans(reach, &at, depth + 1, looked, out),
            Kind::File if !reach.read.contains(&at) => orphan(reach, &at, out),
            Kind::File => {}
        }
    }
}

fn orphan(reach: &Reach<'_>, file: &str, out: &mut Out<'_>) {
    if ![".yaml", ".yml"].iter().any(|end| file.ends_with(end)) {
        return;
    }
    let Ok(documents) = reach.files.documents(file) else {
        return;
    };
    let manifest = documents.iter().find(|document| {
        let id = ResId::of(&document.root);
        !id.gvk.kind.is_empty()
            && !id.gvk.version.is_empty()
            && !id.name.is_empty()
            && &*id.gvk.group != "kustomize.config.k8s.io"
    });
    if let Some(document) = manifest {
        let id = ResId::of(&document.root).to_object_ref();
        out.push(
            out.about_object(
                id,
                document.root.span(),
                "no Kustomization reaches this file",
            )
            .help("name it under `resources` of a kustomization.yaml, or delete it"),
        );
    }
}
