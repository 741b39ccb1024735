//! What a bundle says of itself, held to what is in it.
//!
//! In: the parts of a bundle, whose digests are right. Out: nothing, or what is
//! not as this program would have written it: the configuration, the index of
//! the build with the digest and the name of every object, the bill of images,
//! the findings, the provenance. So whoever put a bundle together by hand has
//! to say of its manifests what is true of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::contents::{Dependency, Image, Inputs, Provenance, images_of, inputs};
use super::layout::{ARCHIVE_NAME, LAYERS, Manifest, TITLE, VERSION, config, to_json};
use super::read::damaged;
use crate::artifact::{MemoryTree, Tree as _};
use crate::diag::{Finding, ObjectRef, Result, SourceMap};
use crate::gostd::moment::Moment;
use crate::pipeline::cluster::{Object, sha256};
use crate::pipeline::index::INDEX_NAME;
use crate::resource::Files;

/// The annotations that a manifest may have.
const ANNOTATIONS: [&str; 4] = [
    "org.opencontainers.image.created",
    "org.opencontainers.image.revision",
    "org.opencontainers.image.source",
    VERSION,
];

/// The parts of a bundle.
pub(super) struct Parts<'a> {
    /// The manifest.
    pub(super) manifest: &'a Manifest,
    /// The configuration.
    pub(super) config: &'a [u8],
    /// The layers, in their order.
    pub(super) layers: &'a [Arc<[u8]>; 5],
    /// The first of them, unpacked.
    pub(super) archive: &'a [u8],
    /// The files of the build, its index among them.
    pub(super) build: &'a MemoryTree,
}

/// The index of the build, as far as it is read here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    #[serde(default)]
    flux_version: String,
    #[serde(default)]
    kubernetes_version: String,
    entries: Vec<Entry>,
    #[serde(default)]
    digest: String,
}

#[derive(Deserialize)]
struct Entry {
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    path: String,
    sha256: String,
    source: Option<Source>,
    objects: Vec<Listed>,
}

#[derive(Deserialize)]
struct Source {
    kind: String,
    namespace: String,
    name: String,
    revision: Option<String>,
    digest: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(flatten)]
    id: ObjectRef,
    sha256: String,
}

/// That all of it is so.
///
/// # Errors
///
/// `bundle/damaged` for the first that is not.
pub(super) fn check(parts: &Parts<'_>) -> Result<()> {
    labels(parts)?;
    let [_, build_index, images, findings, provenance] = parts.layers;
    let index: Value = read(build_index, "the index of its build")?;
    if pretty(&index) != **build_index {
        return Err(damaged(
            "the index of its build is not written as it was made",
        ));
    }
    let index: Index = read(build_index, "the index of its build")?;
    let objects = objects(&index, parts.build)?;
    let listed: Vec<Image> = read(images, "the bill of images")?;
    if to_json(&listed) != **images || listed != images_of(objects.iter()) {
        return Err(damaged("its bill of images is not that of its manifests"));
    }
    let listed: Vec<Finding> = read(findings, "its findings")?;
    if to_json(&listed) != **findings {
        return Err(damaged("its findings are not written as they were made"));
    }
    let statement: Value = read(provenance, "its provenance")?;
    check_provenance(parts, &index, &statement)
}

fn read<T: serde::de::DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|e| damaged(&format!("{what} cannot be read: {e}")))
}

fn pretty(value: &Value) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).unwrap_or_default();
    text.push(b'\n');
    text
}

/// The annotations and the configuration.
fn labels(parts: &Parts<'_>) -> Result<()> {
    let annotations = &parts.manifest.annotations;
    let mut unknown = annotations.keys();
    if let Some(name) = unknown.find(|name| !ANNOTATIONS.contains(&name.as_str())) {
        return Err(damaged(&format!(
            "its manifest has the annotation `{name}`"
        )));
    }
    let [created, ..] = ANNOTATIONS;
    let created = annotations.get(created);
    let created =
        created.filter(|text| Moment::parse(text).is_some_and(|m| m.to_string() == **text));
    let created = created.ok_or_else(|| damaged("its manifest does not say when it was made"))?;
    for (layer, (_, title)) in parts.manifest.layers.iter().zip(LAYERS) {
        let expected = title.map(|title| (TITLE.to_owned(), title.to_owned()));
        if layer.annotations != expected.into_iter().collect::<BTreeMap<_, _>>() {
            return Err(damaged("a layer has other annotations than it was given"));
        }
    }
    if config(created, parts.archive, parts.layers) != parts.config {
        return Err(damaged("its configuration is not that of its layers"));
    }
    Ok(())
}

/// The objects of the build, each of which has the digest and the name that the
/// index says; and no file is there that is not listed.
fn objects(index: &Index, build: &MemoryTree) -> Result<Vec<Object>> {
    let tree = Arc::new(build.clone());
    let files = Files::new(tree, Arc::new(SourceMap::new()));
    let mut paths: BTreeSet<&str> = BTreeSet::from([INDEX_NAME]);
    let mut digests = String::new();
    let mut found = Vec::new();
    for file in index.entries.iter().flat_map(|entry| &entry.files) {
        let path = &file.path;
        let content = build
            .read(path)
            .map_err(|_| damaged(&format!("`{path}` is listed and missing")))?;
        if *sha256(&content) != *file.sha256 {
            return Err(damaged(&format!("`{path}` has another digest than listed")));
        }
        if !paths.insert(path) {
            return Err(damaged(&format!("`{path}` is listed twice")));
        }
        digests.push_str(&format!("{}  {path}\n", file.sha256));
        let texts = documents(&content);
        let parsed = files
            .documents(path)
            .map_err(|e| damaged(&format!("`{path}` cannot be read: {e}")))?;
        if texts.len() != file.objects.len() || parsed.len() != file.objects.len() {
            return Err(damaged(&format!("`{path}` has other objects than listed")));
        }
        for ((text, document), listed) in texts.iter().zip(parsed.iter()).zip(&file.objects) {
            let object = Object::new(document.root.clone());
            if *sha256(text) != *listed.sha256 || object.id.to_object_ref() != listed.id {
                return Err(damaged(&format!(
                    "{} in `{path}` is another than listed",
                    listed.id
                )));
            }
            found.push(object);
        }
    }
    if let Some(path) = build.paths().find(|path| !paths.contains(path)) {
        return Err(damaged(&format!(
            "`{path}` is in its archive and not listed"
        )));
    }
    if index.digest != format!("sha256:{}", sha256(digests.as_bytes())) {
        return Err(damaged(
            "the index of its build has another digest over all",
        ));
    }
    Ok(found)
}

/// The texts of the objects in a file: what stands behind each marker.
fn documents(content: &[u8]) -> Vec<Vec<u8>> {
    const MARKER: &[u8] = b"---\n";
    let mut found: Vec<Vec<u8>> = Vec::new();
    for line in content.split_inclusive(|byte| *byte == b'\n') {
        match found.last_mut() {
            _ if line == MARKER => found.push(Vec::new()),
            Some(text) => text.extend_from_slice(line),
            // What stands before the first one is no object that was written.
            None => found.push(line.to_vec()),
        }
    }
    found
}

/// That the provenance is of this content, and of the sources that the index
/// names.
fn check_provenance(parts: &Parts<'_>, index: &Index, statement: &Value) -> Result<()> {
    let [packed, build_index, _, _, provenance] = parts.layers;
    let files = index.entries.iter().flat_map(|entry| &entry.files);
    let pinned: BTreeSet<Dependency> = files
        .filter_map(|file| {
            let source = file.source.as_ref()?;
            Some(Dependency {
                name: format!("{}/{}/{}", source.kind, source.namespace, source.name),
                revision: source.revision.clone()?,
                sha256: source
                    .digest
                    .as_deref()?
                    .strip_prefix("sha256:")?
                    .to_owned(),
            })
        })
        .collect();
    let Inputs {
        lock_sha256,
        dependencies,
        options,
    } = inputs(statement);
    let annotation = |name: &str| {
        let name = format!("org.opencontainers.image.{name}");
        parts.manifest.annotations.get(&name).map(String::as_str)
    };
    let program = statement.pointer("/predicate/runDetails/builder/version/fluxwright");
    let expected = Provenance {
        subjects: [(ARCHIVE_NAME, packed), (INDEX_NAME, build_index)],
        versions: [&index.flux_version, &index.kubernetes_version],
        repository: [annotation("source"), annotation("revision")],
        lock_sha256: lock_sha256.as_deref(),
        dependencies: &dependencies,
        options: &options,
        program: program.and_then(Value::as_str).unwrap_or_default(),
    };
    let is_pinned = dependencies.iter().cloned().collect::<BTreeSet<_>>() == pinned;
    if is_pinned && to_json(&expected.statement()) == **provenance {
        Ok(())
    } else {
        Err(damaged("its provenance is that of another content"))
    }
}
