//! Stored content as the artifact that Flux makes of it: sparse checkout,
//! includes, layers, ignore rules.
//!
//! All of this is applied whenever content is read, so that changing it asks
//! for nothing new from the network.

use std::sync::Arc;

use super::oci_manifest::{self, Manifest};
use crate::artifact::ignore::{IgnoringTree, Matcher};
use crate::artifact::{Digest, MemoryTree, Tree, archive, pack, path};
use crate::diag::{Error, Result};
use crate::flux::api::{BucketSpec, GitSpec, Include, OciSpec};

/// The artifact of a GitRepository; `included` gives those of others.
///
/// Compat: source-controller `gitrepository_controller.go`: includes are copied
/// into the checkout, then what is ignored is left out of all of it.
pub(super) fn git(
    content: &[u8],
    name: &str,
    spec: &GitSpec,
    ignore: Option<&str>,
    included: &dyn Fn(&Include) -> Result<Arc<dyn Tree>>,
) -> Result<Arc<dyn Tree>> {
    let stored = pack::unpack(content, name)?;
    let sparse: Vec<String> = spec
        .sparse_checkout
        .iter()
        .filter_map(|folder| path::join("", folder))
        .collect();
    let is_checked_out = |file: &str| {
        // Compat: a sparse checkout keeps the files of the root.
        sparse.is_empty() || !file.contains('/') || sparse.iter().any(|s| path::is_within(file, s))
    };
    let mut tree = MemoryTree::new(name);
    for (file, content) in stored.files() {
        if !path::is_within(file, ".git") && is_checked_out(file) {
            tree.insert(file, content.clone());
        }
    }
    for include in &spec.include {
        let other = included(include).map_err(|e| e.at(include.span))?;
        let inside = |text: &str| {
            path::join("", text.trim_start_matches('/')).ok_or_else(|| {
                Error::new(
                    "ref/missing",
                    format!("`{text}` leads out of the repository"),
                )
                .at(include.span)
                .help("`fromPath` and `toPath` are folders in the repositories")
            })
        };
        copy(
            &*other,
            &inside(&include.from)?,
            &inside(&include.to)?,
            &mut tree,
        )
        .map_err(|e| {
            e.at(include.span)
                .help("is `fromPath` a folder in that repository, and not ignored there?")
        })?;
    }
    let matcher = Matcher::for_artifact(&tree, ignore)?;
    Ok(Arc::new(IgnoringTree::new(Arc::new(tree), matcher)))
}

/// Copies a folder of one tree into another.
fn copy(from: &dyn Tree, folder: &str, to: &str, tree: &mut MemoryTree) -> Result<()> {
    let below = |parent: &str, name: &str| path::join(parent, name).unwrap_or_default();
    let mut open = vec![(folder.to_owned(), to.to_owned())];
    while let Some((source, target)) = open.pop() {
        for entry in from.list(&source)? {
            let (source, target) = (below(&source, &entry.name), below(&target, &entry.name));
            match entry.kind {
                crate::artifact::Kind::Directory => open.push((source, target)),
                crate::artifact::Kind::File => tree.insert(target, from.read(&source)?),
            }
        }
    }
    Ok(())
}

/// The artifact of a Bucket.
pub(super) fn bucket(
    content: &[u8],
    name: &str,
    _spec: &BucketSpec,
    ignore: Option<&str>,
) -> Result<Arc<dyn Tree>> {
    let tree = pack::unpack(content, name)?;
    let matcher = Matcher::for_bucket(&tree, ignore)?;
    Ok(Arc::new(IgnoringTree::new(Arc::new(tree), matcher)))
}

/// The artifact of an OCIRepository whose layer is unpacked.
///
/// Compat: source-controller `ocirepository_controller.go`: a layer that is
/// copied becomes the artifact as it is.
pub(super) fn oci(
    layer: &[u8],
    name: &str,
    spec: &OciSpec,
    ignore: Option<&str>,
) -> Result<Arc<dyn Tree>> {
    let mut tree = MemoryTree::new(name);
    archive::unpack(layer, &mut tree).map_err(|e| {
        e.context(format!("the layer of `{name}`")).help(
            "is it the one that holds files? `spec.layerSelector.mediaType` takes another of the \
             artifact's layers",
        )
    })?;
    if spec.copies_layer {
        return Ok(Arc::new(tree));
    }
    let matcher = Matcher::for_artifact(&tree, ignore)?;
    Ok(Arc::new(IgnoringTree::new(Arc::new(tree), matcher)))
}

/// Reads content by its digest; none where it is not at hand.
pub(super) type Read<'a> = dyn Fn(Digest) -> Result<Option<Arc<[u8]>>> + 'a;

/// The layer of an artifact; none where a manifest on the way is not at hand.
pub(super) fn layer(
    read: &Read<'_>,
    manifest: Digest,
    choice: &Layer<'_>,
) -> Result<Option<Digest>> {
    Ok(parts(read, manifest, choice)?.pop())
}

/// Manifests, and behind them the layer that is meant; empty where a manifest
/// is not at hand.
pub(super) fn parts(read: &Read<'_>, manifest: Digest, choice: &Layer<'_>) -> Result<Vec<Digest>> {
    let mut parts = vec![manifest];
    let mut at = manifest;
    for _ in 0..2 {
        let Some(content) = read(at)? else {
            return Ok(Vec::new());
        };
        match oci_manifest::read(&content)? {
            Manifest::Index(next) => at = next,
            Manifest::Layers(layers) => {
                let layer = match choice {
                    Layer::Of(spec) => oci_manifest::select(&layers, spec)?,
                    Layer::Chart => {
                        oci_manifest::by_media_type(&layers, oci_manifest::CHART_LAYER)?
                    }
                };
                parts.push(layer.digest);
                return Ok(parts);
            }
        }
        parts.push(at);
    }
    Err(Error::new(
        "oci/invalid",
        "an OCI index leads to another index",
    ))
}

/// Manifests, each with all its layers behind it; what is no manifest stands
/// alone. Empty where something is not at hand.
pub(super) fn with_layers(read: &Read<'_>, manifests: &[Digest]) -> Result<Vec<Digest>> {
    let mut parts = Vec::new();
    for digest in manifests {
        let Some(content) = read(*digest)? else {
            return Ok(Vec::new());
        };
        parts.push(*digest);
        if let Ok(Manifest::Layers(layers)) = oci_manifest::read(&content) {
            parts.extend(layers.iter().map(|layer| layer.digest));
        }
    }
    Ok(parts)
}

/// Which layer is meant.
#[derive(Clone, Copy, Debug)]
pub(super) enum Layer<'a> {
    /// The one that an OCIRepository selects.
    Of(&'a OciSpec),
    /// The one that holds a chart.
    Chart,
}
