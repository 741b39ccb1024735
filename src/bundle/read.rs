//! A layout to what it holds, with every digest proven.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::layout::{
    self, Beside, Index, LAYERS, LAYOUT, LAYOUT_NAME, Manifest, REF_NAME, VERSION, path_of, to_json,
};
use super::{FORMAT, claims, media_type};
use crate::artifact::{Kind, MemoryTree, Tree, archive, path};
use crate::diag::{Error, Result};
use crate::pipeline::cluster::sha256;
use crate::pipeline::index::{INDEX_NAME, OutputFiles};
use crate::source::signature_config;

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
    /// The Sigstore bundles that refer to it.
    pub(super) referrers: Vec<Referrer>,
}

/// The manifest of a Sigstore bundle that refers to a bundle, in the words of
/// whoever made it.
#[derive(Debug)]
pub(super) struct Referrer {
    pub(super) manifest: Arc<[u8]>,
    pub(super) parts: Vec<layout::Descriptor>,
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
/// not listed, the archive is as this program packs it, and all that the bundle
/// says of itself is so.
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
    let expected = LAYERS.map(|(kind, _)| kind);
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
    let mut referrers: Vec<Referrer> = Vec::new();
    let mut last_referrer = "";
    for descriptor in index.manifests.iter().skip(1) {
        if descriptor.annotations.is_empty() {
            if *descriptor.digest <= *last_referrer {
                return Err(damaged("its index lists what refers to it out of order"));
            }
            last_referrer = &descriptor.digest;
            known.insert(path_of(&descriptor.digest));
            let bytes = blob(tree, &descriptor.digest, descriptor.size)?;
            let found = referrer(&bytes, &main.digest)
                .filter(|_| descriptor.media_type == media_type::MANIFEST)
                .ok_or_else(|| damaged("its index lists a signature of another bundle"))?;
            for part in &found.parts {
                known.insert(path_of(&part.digest));
                blob(tree, &part.digest, part.size)?;
            }
            referrers.push(found);
            continue;
        }
        if !referrers.is_empty() {
            return Err(damaged("its index lists what is beside it out of order"));
        }
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
    let signatures = count(&|kind| kind != Beside::Attestation) + referrers.len();
    let attestations = count(&|kind| kind == Beside::Attestation);
    nothing_else(tree, "", &known)?;
    let config = contents.remove(0);
    let Ok(layers) = <[Arc<[u8]>; 5]>::try_from(contents) else {
        return Err(invalid("its layers are not those of a bundle"));
    };
    let [packed, build_index, images, findings, provenance] = layers.clone();
    let (mut build, archive) = unpacked(&packed)?;
    build.insert(INDEX_NAME, build_index);
    claims::check(&claims::Parts {
        manifest: &manifest,
        config: &config,
        layers: &layers,
        archive: &archive,
        build: &build,
    })?;
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
        referrers,
    })
}

/// What a manifest says that is one of a Sigstore bundle and refers to the bundle
/// with this digest; none for any other.
pub(super) fn referrer(manifest: &Arc<[u8]>, digest: &str) -> Option<Referrer> {
    let value: Value = serde_json::from_slice(manifest).ok()?;
    let text = |value: &Value, key: &str| value.get(key)?.as_str().map(str::to_owned);
    let layers = value.get("layers")?.as_array()?;
    let mut kinds: Vec<String> = layers.iter().filter_map(|l| text(l, "mediaType")).collect();
    kinds.extend(text(&value, "artifactType"));
    let is_bundle = kinds
        .iter()
        .any(|kind| kind.starts_with(media_type::SIGSTORE_BUNDLE));
    let is_its = text(value.get("subject")?, "digest")? == digest;
    let parts = value.get("config").into_iter().chain(layers);
    let parts: Option<Vec<_>> = parts
        .map(|part| {
            Some(layout::Descriptor {
                media_type: text(part, "mediaType")?,
                digest: text(part, "digest")?,
                size: part.get("size")?.as_u64()?,
                annotations: std::collections::BTreeMap::new(),
            })
        })
        .collect();
    Some(Referrer {
        manifest: manifest.clone(),
        parts: parts.filter(|_| is_bundle && is_its)?,
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

/// Whether an index is one that does not say that it is ours.
fn is_foreign(index: &[u8]) -> bool {
    let Ok(index) = serde_json::from_slice::<Value>(index) else {
        return false;
    };
    let annotations = index.get("annotations");
    index.get("manifests").is_some_and(Value::is_array)
        && annotations.is_none_or(|a| a.get("fluxwright.format").is_none())
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
    let bytes = tree.read(INDEX_NAME)?;
    if is_foreign(&bytes) {
        return Err(Error::new(
            "bundle/invalid",
            "this is no bundle as fluxwright writes it: another program wrote its index",
        )
        .help("copy it to a registry, and get it from there with `fluxwright bundle pull`"));
    }
    if &*tree.read(LAYOUT_NAME)? != LAYOUT.as_bytes() {
        return Err(damaged(&format!("`{LAYOUT_NAME}` is not as it was made")));
    }
    let index: Index = canonical(&bytes, "its index")?;
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
    let config = blob(tree, &manifest.config.digest, manifest.config.size)?;
    if *config != signature_config::of_layers(manifest.layers.iter().map(|l| &*l.digest)) {
        return Err(damaged(
            "a signature's configuration is not that of its layers",
        ));
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
        let inside = format!("{path}/");
        match entry.kind {
            Kind::Directory
                if !entry.is_symlink && known.iter().any(|file| file.starts_with(&inside)) =>
            {
                nothing_else(tree, &path, known)?;
            }
            Kind::File if known.contains(&path) => {}
            _ => {
                return Err(damaged(&format!("`{path}` is listed nowhere")));
            }
        }
    }
    Ok(())
}

/// The files of an archive that is packed as this program packs, and the archive.
fn unpacked(packed: &[u8]) -> Result<(MemoryTree, Vec<u8>)> {
    // Else it could hold more than is read, or say where it was made.
    let mut rest = packed;
    let mut plain = Vec::new();
    let mut decoder = flate2::bufread::GzDecoder::new(&mut rest);
    std::io::Read::read_to_end(&mut decoder, &mut plain)
        .map_err(|e| damaged(&format!("its archive cannot be read: {e}")))?;
    let not_ours = || damaged("its archive is not packed as it was made");
    if !rest.is_empty() || !packed.starts_with(&layout::GZIP_HEADER) {
        return Err(not_ours());
    }
    let mut tree = MemoryTree::new("bundle");
    archive::unpack(packed, &mut tree)?;
    let mut files = OutputFiles::new();
    let paths: Vec<String> = tree.paths().map(str::to_owned).collect();
    for path in paths {
        let content = tree.read(&path)?;
        files.insert(path, content);
    }
    if layout::archive(&files)? != plain {
        return Err(not_ours());
    }
    Ok((tree, plain))
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
