//! A layout to what it holds, with every digest proven.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::layout::{
    self, ARCHIVE_NAME, Beside, Index, LAYOUT, LAYOUT_NAME, Manifest, REF_NAME, VERSION, path_of,
    to_json,
};
use super::{FORMAT, media_type};
use crate::artifact::{Kind, MemoryTree, Tree, archive, path};
use crate::diag::{Error, Result};
use crate::pipeline::cluster::sha256;
use crate::pipeline::index::{INDEX_NAME, OutputFiles};

/// A bundle that is whole: every byte of it is accounted for by its digest.
#[derive(Debug)]
pub struct Opened {
    /// The digest of its manifest, `sha256:…`.
    pub digest: String,
    /// Its tag.
    pub tag: String,
    /// The annotations of its manifest.
    pub annotations: std::collections::BTreeMap<String, String>,
    /// The files of the build, its index among them.
    pub build: MemoryTree,
    /// The bill of images, JSON.
    pub images: Arc<[u8]>,
    /// The findings, JSON.
    pub findings: Arc<[u8]>,
    /// The provenance statement, JSON.
    pub provenance: Arc<[u8]>,
    /// How many signatures lie beside it; nothing is said of who made them.
    pub signatures: usize,
    /// How many attestations do; nothing is said of who made them.
    pub attestations: usize,
    /// The manifest.
    pub(super) manifest: Arc<[u8]>,
    /// What lies beside it.
    pub(super) beside: Vec<(Beside, Manifest)>,
}

impl Opened {
    /// Which part it is, `1/2`, where it is not the whole.
    pub fn part(&self) -> Option<String> {
        let index = self.build.read(INDEX_NAME).ok()?;
        let index: Value = serde_json::from_slice(&index).ok()?;
        let shard = index.get("part")?.get("shard")?.as_str()?;
        Some(shard.to_owned())
    }

    /// The sources whose signatures nobody looked at, though they must be signed.
    pub fn unverified(&self) -> BTreeSet<String> {
        let index = self.build.read(INDEX_NAME).ok();
        let index: Value = index
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        let list = |value: &Value, key: &str| {
            let items = value.get(key).and_then(Value::as_array);
            items.cloned().unwrap_or_default()
        };
        let entries = list(&index, "entries").into_iter();
        let files = entries.flat_map(|entry| list(&entry, "files"));
        files
            .filter_map(|file| {
                let source = file.get("source")?;
                let part = |key: &str| source.get(key).and_then(Value::as_str);
                let is_skipped = source.get("verificationSkipped")?.as_bool()?;
                let name = format!("{}/{}/{}", part("kind")?, part("namespace")?, part("name")?);
                is_skipped.then_some(name)
            })
            .collect()
    }
}

/// Opens a bundle and proves that it is as it was made: every blob has its
/// digest, the index says what the manifests say, nothing lies there that is
/// not listed, and the archive is as this program packs it.
///
/// # Errors
///
/// `bundle/damaged` for what is not so, `ref/missing` and `bundle/invalid` for
/// what is no bundle.
pub fn open(tree: &dyn Tree) -> Result<Opened> {
    let (index, main) = index_of(tree)?;
    let manifest_bytes = blob(tree, &main.digest, main.size)?;
    let manifest: Manifest = canonical(&manifest_bytes, "the manifest")?;
    let mut known: BTreeSet<String> = BTreeSet::from([
        LAYOUT_NAME.to_owned(),
        INDEX_NAME.to_owned(),
        path_of(&main.digest),
    ]);
    let tag = manifest.annotations.get(VERSION).cloned();
    let tag = tag.ok_or_else(|| invalid("its manifest has no version"))?;
    if main.annotations.get(REF_NAME) != Some(&tag) {
        return Err(damaged("the tag in its index is not that of its manifest"));
    }
    let expected = [
        media_type::FLUX_CONTENT,
        media_type::BUILD_INDEX,
        media_type::IMAGES,
        media_type::FINDINGS,
        media_type::PROVENANCE,
    ];
    let kinds: Vec<&str> = manifest.layers.iter().map(|l| &*l.media_type).collect();
    if kinds != expected || manifest.config.media_type != media_type::FLUX_CONFIG {
        return Err(invalid("its layers are not those of a bundle"));
    }
    let mut contents = Vec::new();
    for descriptor in std::iter::once(&manifest.config).chain(&manifest.layers) {
        known.insert(path_of(&descriptor.digest));
        contents.push(blob(tree, &descriptor.digest, descriptor.size)?);
    }
    let mut lying_beside: Vec<(Beside, Manifest)> = Vec::new();
    for descriptor in index.manifests.iter().skip(1) {
        let found = beside(tree, descriptor, &main.digest, &mut known)?;
        if lying_beside
            .last()
            .is_some_and(|(last, _)| *last >= found.0)
        {
            return Err(damaged("its index lists what is beside it out of order"));
        }
        lying_beside.push(found);
    }
    let count = |wanted: &dyn Fn(Beside) -> bool| {
        let kinds = lying_beside.iter().filter(|(kind, _)| wanted(*kind));
        kinds.map(|(_, manifest)| manifest.layers.len()).sum()
    };
    let signatures = count(&|kind| kind != Beside::Attestation);
    let attestations = count(&|kind| kind == Beside::Attestation);
    nothing_else(tree, "", &known)?;
    let Ok([_, packed, build_index, images, findings, provenance]) =
        <[Arc<[u8]>; 6]>::try_from(contents)
    else {
        return Err(invalid("its layers are not those of a bundle"));
    };
    check_provenance(&provenance, &packed, &build_index)?;
    let mut build = unpacked(&packed)?;
    build.insert(INDEX_NAME, build_index);
    check_build(&build)?;
    Ok(Opened {
        digest: main.digest.clone(),
        tag,
        annotations: manifest.annotations,
        build,
        images,
        findings,
        provenance,
        signatures,
        attestations,
        manifest: manifest_bytes,
        beside: lying_beside,
    })
}

/// Proves that the file which a bundle was unpacked from holds it and nothing
/// else, as [`in_one_file`](layout::in_one_file) packs it.
///
/// # Errors
///
/// `bundle/damaged` for what is not so.
pub fn check_file(tree: &dyn Tree, file: &[u8]) -> Result<()> {
    let mut files = OutputFiles::new();
    let mut open = vec![String::new()];
    while let Some(folder) = open.pop() {
        for entry in tree.list(&folder)? {
            let path = path::join(&folder, &entry.name).unwrap_or_default();
            match entry.kind {
                Kind::Directory => open.push(path),
                Kind::File => {
                    let content = tree.read(&path)?;
                    files.insert(path, content);
                }
            }
        }
    }
    if layout::in_one_file(&files)? == file {
        return Ok(());
    }
    Err(Error::new(
        "bundle/damaged",
        "the bundle is damaged: the archive that it lies in is not packed as it was made",
    )
    .help(
        "get it again from where it was made; if another program packed it, unpack it, and name \
         the folder",
    ))
}

/// Whether a tree is an OCI layout, as bundles are.
pub fn is_layout(tree: &dyn Tree) -> bool {
    matches!(tree.kind(LAYOUT_NAME), Ok(Some(Kind::File)))
}

fn index_of(tree: &dyn Tree) -> Result<(Index, layout::Descriptor)> {
    if tree.kind(LAYOUT_NAME)? != Some(Kind::File) {
        return Err(Error::new(
            "ref/missing",
            format!(
                "`{}` is no bundle: it has no `{LAYOUT_NAME}`",
                tree.display("")
            ),
        )
        .help("make one with `fluxwright bundle create --output DIR`"));
    }
    if &*tree.read(LAYOUT_NAME)? != LAYOUT.as_bytes() {
        return Err(damaged(&format!("`{LAYOUT_NAME}` is not as it was made")));
    }
    let index: Index = canonical(&tree.read(INDEX_NAME)?, "its index")?;
    let is_ours = index
        .annotations
        .get("fluxwright.format")
        .map(String::as_str)
        == Some(FORMAT);
    let main = index.manifests.first().filter(|_| is_ours).cloned();
    let main = main.ok_or_else(|| invalid("its index is not that of a bundle"))?;
    if layout::index(index.manifests.clone()) != index || main.media_type != media_type::MANIFEST {
        return Err(invalid("its index is not that of a bundle"));
    }
    if main.annotations.len() != 1 {
        return Err(damaged("its index says more than it should"));
    }
    Ok((index, main))
}

/// A manifest beside the bundle: what it may hold, and that it is of this
/// bundle.
fn beside(
    tree: &dyn Tree,
    descriptor: &layout::Descriptor,
    digest: &str,
    known: &mut BTreeSet<String>,
) -> Result<(Beside, Manifest)> {
    let tag = descriptor.annotations.get(REF_NAME);
    let kind = tag.and_then(|tag| Beside::of_tag(tag, digest));
    let is_its = descriptor.annotations.len() == 1 && descriptor.media_type == media_type::MANIFEST;
    let Some(kind) = kind.filter(|_| is_its) else {
        return Err(damaged("its index lists a signature of another bundle"));
    };
    let bytes = blob(tree, &descriptor.digest, descriptor.size)?;
    let manifest: Manifest = canonical(&bytes, "a signature's manifest")?;
    known.insert(path_of(&descriptor.digest));
    for part in std::iter::once(&manifest.config).chain(&manifest.layers) {
        known.insert(path_of(&part.digest));
        blob(tree, &part.digest, part.size)?;
    }
    let mut layers = manifest.layers.iter();
    if let Some(other) = layers.find(|layer| layer.media_type != kind.media_type()) {
        return Err(damaged(&format!(
            "among its signatures there is `{}`",
            other.media_type
        )));
    }
    Ok((kind, manifest))
}

/// That the provenance is of this content.
fn check_provenance(provenance: &[u8], packed: &[u8], build_index: &[u8]) -> Result<()> {
    let statement: serde_json::Value = serde_json::from_slice(provenance)
        .map_err(|e| damaged(&format!("its provenance cannot be read: {e}")))?;
    let expected = serde_json::json!([
        {"name": ARCHIVE_NAME, "digest": {"sha256": &*sha256(packed)}},
        {"name": INDEX_NAME, "digest": {"sha256": &*sha256(build_index)}},
    ]);
    if statement.get("subject") == Some(&expected) {
        Ok(())
    } else {
        Err(damaged("its provenance is that of another content"))
    }
}

pub(super) fn blob(tree: &dyn Tree, digest: &str, size: u64) -> Result<Arc<[u8]>> {
    let hex = digest.strip_prefix("sha256:").unwrap_or_default();
    if hex.len() != 64 || !hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(damaged(&format!("`{digest}` is no digest")));
    }
    let content = tree
        .read(&path_of(digest))
        .map_err(|_| damaged(&format!("the blob {digest} is missing")))?;
    if *sha256(&content) != *hex {
        return Err(damaged(&format!("the blob {digest} has another digest")));
    }
    if content.len() as u64 != size {
        return Err(damaged(&format!("the blob {digest} has another size")));
    }
    Ok(content)
}

/// Reads JSON that is written as this program writes it.
pub(super) fn canonical<T: serde::de::DeserializeOwned + serde::Serialize>(
    bytes: &[u8],
    what: &str,
) -> Result<T> {
    let value: T = serde_json::from_slice(bytes)
        .map_err(|e| damaged(&format!("{what} cannot be read: {e}")))?;
    if to_json(&value) != bytes {
        return Err(damaged(&format!("{what} is not written as it was made")));
    }
    Ok(value)
}

fn nothing_else(tree: &dyn Tree, folder: &str, known: &BTreeSet<String>) -> Result<()> {
    for entry in tree.list(folder)? {
        let path = if folder.is_empty() {
            entry.name
        } else {
            format!("{folder}/{}", entry.name)
        };
        match entry.kind {
            Kind::Directory if !entry.is_symlink => nothing_else(tree, &path, known)?,
            Kind::File if known.contains(&path) => {}
            _ => {
                return Err(damaged(&format!("`{path}` is listed nowhere")));
            }
        }
    }
    Ok(())
}

/// The files of an archive that is packed as this program packs.
fn unpacked(packed: &[u8]) -> Result<MemoryTree> {
    let mut tree = MemoryTree::new("bundle");
    archive::unpack(packed, &mut tree)?;
    let mut files = OutputFiles::new();
    let paths: Vec<String> = tree.paths().map(str::to_owned).collect();
    for path in paths {
        let content = tree.read(&path)?;
        files.insert(path, content);
    }
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(packed), &mut plain)
        .map_err(|e| damaged(&format!("its archive cannot be read: {e}")))?;
    if layout::archive(&files)? != plain {
        return Err(damaged("its archive is not packed as it was made"));
    }
    Ok(tree)
}

/// That the files are those which the index of the build lists.
fn check_build(build: &MemoryTree) -> Result<()> {
    let index: serde_json::Value = serde_json::from_slice(&build.read(INDEX_NAME)?)
        .map_err(|e| damaged(&format!("the index of its build cannot be read: {e}")))?;
    let list = |value: &serde_json::Value, key: &str| {
        value
            .get(key)
            .and_then(serde_json::Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let mut listed: BTreeSet<String> = BTreeSet::from([INDEX_NAME.to_owned()]);
    for file in list(&index, "entries")
        .iter()
        .flat_map(|e| list(e, "files"))
    {
        let text = |key: &str| file.get(key).and_then(serde_json::Value::as_str);
        let (Some(path), Some(digest)) = (text("path"), text("sha256")) else {
            return Err(damaged("the index of its build lists a file without name"));
        };
        let content = build
            .read(path)
            .map_err(|_| damaged(&format!("`{path}` is listed and missing")))?;
        if *sha256(&content) != *digest {
            return Err(damaged(&format!("`{path}` has another digest than listed")));
        }
        listed.insert(path.to_owned());
    }
    match build.paths().find(|path| !listed.contains(*path)) {
        Some(path) => Err(damaged(&format!(
            "`{path}` is in its archive and not listed"
        ))),
        None => Ok(()),
    }
}

pub(super) fn damaged(why: &str) -> Error {
    Error::new("bundle/damaged", format!("the bundle is damaged: {why}"))
        .help("do not use it: get it again from where it was made")
}

pub(super) fn invalid(why: &str) -> Error {
    Error::new(
        "bundle/invalid",
        format!("this is no bundle of fluxwright: {why}"),
    )
    .help("make one with `fluxwright bundle create --output DIR`")
}
