//! Renderings that were written: the output folder of a build, which a bundle
//! holds as well, and folders of manifests.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::rendering::{Cluster, Failure, Owner, Rendering, Unit, flags_of};
use crate::artifact::Kind;
use crate::diag::{Error, ObjectRef, Result};
use crate::pipeline::cluster::{Object, UnitKind};
use crate::pipeline::index::{FORMAT, INDEX_NAME};
use crate::resource::{Files, Gvk, ResId};
use crate::yaml::Node;

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    format: String,
    #[serde(default)]
    entries: Vec<IndexEntry>,
}

#[derive(Deserialize)]
struct IndexEntry {
    name: String,
    #[serde(default)]
    files: Vec<IndexFile>,
    #[serde(default)]
    failed: Vec<IndexFailed>,
}

#[derive(Deserialize)]
struct IndexFile {
    path: String,
    object: ObjectRef,
    parent: Option<ObjectRef>,
    #[serde(default)]
    suspended: bool,
    #[serde(default)]
    objects: Vec<IndexObject>,
}

#[derive(Deserialize)]
struct IndexObject {
    #[serde(flatten)]
    id: ObjectRef,
    #[serde(default)]
    stays: bool,
}

#[derive(Deserialize)]
struct IndexFailed {
    object: ObjectRef,
    rule: String,
    message: String,
}

/// The rendering in a folder: that of a build, where there is an index of one,
/// else all manifests in it.
///
/// # Errors
///
/// What cannot be read, and `schema/invalid` for documents that are no
/// Kubernetes objects.
pub fn read(files: &Files) -> Result<Rendering> {
    if files.kind(INDEX_NAME)? == Some(Kind::File) {
        let bytes = files.bytes(INDEX_NAME)?;
        if let Ok(index) = serde_json::from_slice::<Index>(&bytes)
            && index.format == FORMAT
        {
            return of_index(files, &index);
        }
    }
    let mut rendering = Rendering::default();
    let mut paths = Vec::new();
    manifests(files, "", &mut paths)?;
    for path in paths {
        let documents = files.documents(&path)?;
        let is_kustomization = |node: &Node| &*Gvk::of(node).group == "kustomize.config.k8s.io";
        let objects = documents.iter().filter(|d| !is_kustomization(&d.root));
        rendering.add_manifests(&"manifests".into(), objects)?;
    }
    // An empty folder is a cluster without objects.
    rendering.clusters.entry("manifests".into()).or_default();
    Ok(rendering)
}

fn manifests(files: &Files, folder: &str, paths: &mut Vec<String>) -> Result<()> {
    for entry in files.list(folder)? {
        if entry.name.starts_with('.') {
            continue;
        }
        let path = if folder.is_empty() {
            entry.name.clone()
        } else {
            format!("{folder}/{}", entry.name)
        };
        let is_manifest = [".yaml", ".yml", ".json"]
            .iter()
            .any(|ending| entry.name.ends_with(ending));
        match entry.kind {
            Kind::Directory if !entry.is_symlink => manifests(files, &path, paths)?,
            Kind::File if is_manifest => paths.push(path),
            _ => {}
        }
    }
    Ok(())
}

fn of_index(files: &Files, index: &Index) -> Result<Rendering> {
    let mut rendering = Rendering::default();
    for entry in &index.entries {
        let mut units: Vec<(&IndexFile, Vec<Object>)> = Vec::new();
        let mut by_id: BTreeMap<ResId, Node> = BTreeMap::new();
        for file in &entry.files {
            let documents = files.documents(&file.path)?;
            let staying: BTreeSet<&ObjectRef> = file
                .objects
                .iter()
                .filter(|object| object.stays)
                .map(|object| &object.id)
                .collect();
            let objects: Vec<Object> = documents
                .iter()
                .map(|document| {
                    let object = Object::new(document.root.clone());
                    Object {
                        stays: staying.contains(&object.id.to_object_ref()),
                        ..object
                    }
                })
                .collect();
            by_id.extend(objects.iter().map(|o| (o.id.clone(), o.node.clone())));
            units.push((file, objects));
        }
        let mut cluster = Cluster::default();
        for (file, objects) in units {
            let id = id_of(&file.object);
            let kind = kind_of(&id, &file.path)?;
            let flags = flags_of(kind, by_id.get(&id));
            cluster.units.push(Unit {
                owner: Some(Owner {
                    parent: file.parent.as_ref().map(id_of),
                    suspended: file.suspended,
                    ..Owner::new(kind, id, flags)
                }),
                outcome: Ok(objects),
                content: None,
            });
        }
        for failed in &entry.failed {
            let id = id_of(&failed.object);
            let kind = kind_of(&id, INDEX_NAME)?;
            let flags = flags_of(kind, by_id.get(&id));
            cluster.units.push(Unit {
                owner: Some(Owner::new(kind, id, flags)),
                outcome: Err(Failure {
                    rule: failed.rule.as_str().into(),
                    message: failed.message.clone(),
                    help: None,
                    location: None,
                }),
                content: None,
            });
        }
        rendering
            .clusters
            .insert(entry.name.as_str().into(), cluster);
    }
    Ok(rendering)
}

fn id_of(object: &ObjectRef) -> ResId {
    ResId {
        gvk: Gvk::new(&object.api_version, &object.kind),
        namespace: object.namespace.clone(),
        name: object.name.clone(),
    }
}

fn kind_of(id: &ResId, place: &str) -> Result<UnitKind> {
    match &*id.gvk.kind {
        "Kustomization" => Ok(UnitKind::Kustomization),
        "HelmRelease" => Ok(UnitKind::HelmRelease),
        kind => Err(Error::new(
            "file/unreadable",
            format!("{INDEX_NAME}: `{place}` is said to be applied by a `{kind}`"),
        )
        .help("make the folder again with `fluxwright build --output-dir`")),
    }
}
