//! A layout to the parts that a registry takes, and back.
//!
//! A registry may hold signatures of others beside a bundle, with manifests
//! that are written otherwise: their layers are kept, and their manifests are
//! written anew. Sigstore bundles refer to it by manifests that stay as they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::layout::{
    Beside, Bundle, Descriptor, Index, LAYOUT, LAYOUT_NAME, Manifest, REF_NAME, VERSION, add_blob,
    annotated, index, path_of, to_json,
};
use super::media_type;
use super::read::{canonical, invalid, open, referrer};
use crate::artifact::{Digest, MemoryTree, Tree};
use crate::diag::{Error, Result};
use crate::pipeline::index::{INDEX_NAME, OutputFiles};

/// A bundle in parts.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Its manifest.
    pub manifest: Arc<[u8]>,
    /// The manifests of what lies beside it.
    pub beside: BTreeMap<Beside, Arc<[u8]>>,
    /// The manifests of the Sigstore bundles that refer to it.
    pub referrers: BTreeMap<Digest, Arc<[u8]>>,
    /// What these name.
    pub blobs: BTreeMap<Digest, Arc<[u8]>>,
}

impl Parts {
    /// The digest of the manifest, `sha256:…`.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.manifest)
    }
}

/// Takes a bundle apart, which must be whole; also gives its tag.
///
/// # Errors
///
/// As [`open`], and `bundle/part` for one of several parts: nobody should
/// deploy that.
pub fn apart(tree: &dyn Tree) -> Result<(Parts, String)> {
    let opened = open(tree)?;
    if let Some(part) = opened.part() {
        return Err(Error::new(
            "bundle/part",
            format!("it is part {part} of a bundle alone"),
        )
        .help("join all parts with `fluxwright merge PART… --output-dir BUNDLE`"));
    }
    let listed: Index = canonical(&tree.read(INDEX_NAME)?, "its index")?;
    let mut parts = Parts {
        manifest: opened.manifest.clone(),
        beside: BTreeMap::new(),
        referrers: BTreeMap::new(),
        blobs: BTreeMap::new(),
    };
    let main: Manifest = canonical(&opened.manifest, "its manifest")?;
    let manifests = std::iter::once(&main).chain(opened.beside.iter().map(|(_, m)| m));
    let named = manifests.flat_map(|m| std::iter::once(&m.config).chain(&m.layers));
    for descriptor in named.chain(opened.referrers.iter().flat_map(|r| &r.parts)) {
        let content = tree.read(&path_of(&descriptor.digest))?;
        parts.blobs.insert(Digest::of(&content), content);
    }
    for referrer in &opened.referrers {
        let digest = Digest::of(&referrer.manifest);
        parts.referrers.insert(digest, referrer.manifest.clone());
    }
    let tagged = listed.manifests.iter().skip(1);
    for descriptor in tagged.filter(|d| !d.annotations.is_empty()) {
        let tag = descriptor.annotations.get(REF_NAME);
        let kind = tag.and_then(|tag| Beside::of_tag(tag, &opened.digest));
        let kind = kind.ok_or_else(|| invalid("its index is not that of a bundle"))?;
        let content = tree.read(&path_of(&descriptor.digest))?;
        parts.beside.insert(kind, content);
    }
    Ok((parts, opened.tag))
}

/// The layers of a manifest that may be written in any way.
#[derive(Deserialize)]
struct Foreign {
    layers: Vec<ForeignLayer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ForeignLayer {
    media_type: String,
    digest: String,
    size: u64,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// Puts a bundle together, and proves that it is whole.
///
/// # Errors
///
/// As [`open`].
pub fn together(parts: &Parts) -> Result<Bundle> {
    let mut files = OutputFiles::new();
    let manifest: Manifest = serde_json::from_slice(&parts.manifest)
        .map_err(|e| invalid(&format!("its manifest cannot be read: {e}")))?;
    let tag = manifest.annotations.get(VERSION);
    let tag = tag.ok_or_else(|| invalid("its manifest has no version"))?;
    let mut put = |descriptor: &Descriptor| {
        let digest = Digest::parse(&descriptor.digest)?;
        // What is missing is found when it is opened.
        if let Some(content) = parts.blobs.get(&digest) {
            add_blob(&mut files, &descriptor.media_type, content.clone());
        }
        Ok(())
    };
    for descriptor in std::iter::once(&manifest.config).chain(&manifest.layers) {
        put(descriptor)?;
    }
    let mut beside = Vec::new();
    for (kind, bytes) in &parts.beside {
        let Ok(foreign) = serde_json::from_slice::<Foreign>(bytes) else {
            continue;
        };
        let mut layers = Vec::new();
        for layer in foreign.layers {
            if layer.media_type == kind.media_type() {
                let layer = Descriptor {
                    media_type: layer.media_type,
                    digest: layer.digest,
                    size: layer.size,
                    annotations: layer.annotations,
                };
                put(&layer)?;
                layers.push(layer);
            }
        }
        if !layers.is_empty() {
            beside.push((*kind, layers));
        }
    }
    let digest = parts.digest().to_string();
    let mut referring = Vec::new();
    for manifest in parts.referrers.values() {
        // What else refers to it is no signature.
        if let Some(found) = referrer(manifest, &digest) {
            for part in &found.parts {
                put(part)?;
            }
            referring.push(found.manifest);
        }
    }
    let main = add_blob(&mut files, media_type::MANIFEST, parts.manifest.clone());
    files.insert(LAYOUT_NAME.to_owned(), LAYOUT.as_bytes().into());
    let digest = main.digest.clone();
    let main = annotated(main, REF_NAME, tag);
    files.insert(INDEX_NAME.to_owned(), to_json(&index(vec![main])).into());
    let mut bundle = Bundle { digest, files };
    for (kind, layers) in beside {
        bundle.put_beside(kind, layers)?;
    }
    for manifest in referring {
        bundle.put_referrer(manifest)?;
    }
    let mut tree = MemoryTree::new("bundle");
    for (path, content) in &bundle.files {
        tree.insert(path.clone(), content.clone());
    }
    open(&tree)?;
    Ok(bundle)
}
