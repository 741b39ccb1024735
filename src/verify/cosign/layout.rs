//! An OCI layout: a folder with an index and blobs by their digests.
//!
//! Every blob is hashed when it is read: what has another digest than its
//! name is refused.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::artifact::Tree;
use crate::diag::{Error, Result};
use crate::verify::refuse;

/// The largest manifest that is read, as registries have it.
const MAX_MANIFEST_BYTES: usize = 4 << 20;

/// How deep indexes may lie in one another.
const MAX_DEPTH: usize = 4;

/// The digest of a blob, `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(String);

impl Digest {
    /// Reads a digest.
    ///
    /// # Errors
    ///
    /// `trust/digest` for any other algorithm or length.
    pub fn parse(text: &str) -> Result<Digest> {
        let digits = text.strip_prefix("sha256:").unwrap_or_default();
        let is_hex = digits
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if digits.len() != 64 || !is_hex {
            return Err(refuse(
                "trust/digest",
                format!("`{text}` is no SHA-256 digest"),
                "digests are written `sha256:` and 64 hexadecimal digits",
            ));
        }
        Ok(Digest(text.to_owned()))
    }

    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(format!("sha256:{}", hex::encode(Sha256::digest(bytes))))
    }

    /// The hexadecimal digits alone.
    pub fn hex(&self) -> &str {
        self.0.strip_prefix("sha256:").unwrap_or(&self.0)
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A reference to a blob.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    #[serde(default)]
    pub(super) media_type: String,
    pub(super) digest: String,
    #[serde(default)]
    pub(super) size: u64,
    #[serde(default)]
    pub(super) artifact_type: Option<String>,
    #[serde(default)]
    pub(super) annotations: Option<std::collections::BTreeMap<String, String>>,
}

impl Descriptor {
    pub(super) fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(name).map(String::as_str)
    }
}

/// A manifest or an index: what both have.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    #[serde(default)]
    pub(super) config: Option<Descriptor>,
    #[serde(default)]
    pub(super) layers: Option<Vec<Descriptor>>,
    #[serde(default)]
    pub(super) manifests: Option<Vec<Descriptor>>,
    #[serde(default)]
    pub(super) subject: Option<Descriptor>,
    #[serde(default)]
    pub(super) artifact_type: Option<String>,
}

/// An OCI layout in a tree of files.
#[derive(Clone, Debug)]
pub struct Layout {
    tree: Arc<dyn Tree>,
    index: Manifest,
}

impl Layout {
    /// Opens a layout: a folder with `oci-layout`, `index.json` and `blobs`.
    ///
    /// # Errors
    ///
    /// `ref/missing` and `oci/invalid` for what is none.
    pub fn open(tree: Arc<dyn Tree>) -> Result<Layout> {
        let content = tree.read("index.json").map_err(|e| {
            e.help("name the folder of an OCI layout, as `skopeo copy … oci:DIR:TAG` makes one")
        })?;
        let index = parse(&content, &tree.display("index.json"))?;
        Ok(Layout { tree, index })
    }

    /// The digest that a tag names.
    ///
    /// # Errors
    ///
    /// `ref/missing` where no image has the tag, `trust/digest` where two do.
    pub fn resolve(&self, tag: &str) -> Result<Digest> {
        let mut found = BTreeSet::new();
        for descriptor in self.listed() {
            if descriptor.is_tagged(tag) {
                found.insert(Digest::parse(&descriptor.digest)?);
            }
        }
        if found.len() > 1 {
            return Err(refuse(
                "trust/digest",
                format!(
                    "the tag `{tag}` names {} images with different digests",
                    found.len()
                ),
                "copy one image into the layout, or name it by `DIR@sha256:…`",
            ));
        }
        found.pop_first().ok_or_else(|| {
            let tags: Vec<&str> = self
                .listed()
                .filter_map(|d| d.annotation(REF_NAME))
                .filter(|t| !t.contains("sha256-"))
                .collect();
            let error = Error::new(
                "ref/missing",
                format!("no image is tagged `{tag}` in `{}`", self.tree.display("")),
            );
            match crate::diag::nearest(tag, tags.iter().copied()) {
                Some(near) => error.help(format!("there is `{near}`")),
                None if tags.is_empty() => {
                    error.help("its index has no tags: name the image by `DIR@sha256:…`")
                }
                None => error.help(format!("there are `{}`", tags.join("`, `"))),
            }
        })
    }

    /// What a tag names, where there is one.
    pub(super) fn tagged(&self, tag: &str) -> Result<Option<Digest>> {
        match self.listed().find(|d| d.is_tagged(tag)) {
            Some(descriptor) => Digest::parse(&descriptor.digest).map(Some),
            None => Ok(None),
        }
    }

    /// What the layout's index lists.
    pub(super) fn listed(&self) -> impl Iterator<Item = &Descriptor> {
        self.index.manifests.iter().flatten()
    }

    /// A blob, hashed.
    ///
    /// # Errors
    ///
    /// `trust/digest` where it is missing or has another digest or size.
    pub(super) fn blob(&self, descriptor: &Descriptor) -> Result<Arc<[u8]>> {
        let digest = Digest::parse(&descriptor.digest)?;
        let content = self.content(&digest)?;
        if descriptor.size != 0 && descriptor.size != content.len() as u64 {
            return Err(refuse(
                "trust/digest",
                format!(
                    "the blob {digest} has {} bytes, and what refers to it says {}",
                    content.len(),
                    descriptor.size
                ),
                "copy the image anew",
            ));
        }
        Ok(content)
    }

    fn content(&self, digest: &Digest) -> Result<Arc<[u8]>> {
        let path = format!("blobs/sha256/{}", digest.hex());
        let content = self.tree.read(&path).map_err(|e| {
            refuse(
                "trust/digest",
                format!("the blob with the digest {digest} cannot be read: {e}"),
                "copy the whole image into the layout",
            )
        })?;
        let real = Digest::of(&content);
        if real != *digest {
            return Err(refuse(
                "trust/digest",
                format!("the blob named {digest} does not match its name: its digest is {real}"),
                "it was changed or damaged: copy the image anew",
            ));
        }
        Ok(content)
    }

    /// A manifest, hashed.
    ///
    /// # Errors
    ///
    /// As [`Layout::blob`]; `oci/invalid` for what is no manifest.
    pub(super) fn manifest(&self, digest: &Digest) -> Result<Manifest> {
        let content = self.content(digest)?;
        if content.len() > MAX_MANIFEST_BYTES {
            return Err(invalid(&digest.to_string(), "it is larger than 4 MiB"));
        }
        parse(&content, &digest.to_string())
    }

    /// Hashes everything that an image consists of: its manifests, its
    /// configuration, its layers.
    ///
    /// # Errors
    ///
    /// `trust/digest` for the first part that is missing or changed.
    pub(super) fn check_whole(&self, digest: &Digest) -> Result<()> {
        self.check(digest, MAX_DEPTH, &mut BTreeSet::new())
    }

    fn check(&self, digest: &Digest, depth: usize, seen: &mut BTreeSet<String>) -> Result<()> {
        let manifest = self.manifest(digest)?;
        for part in manifest
            .config
            .iter()
            .chain(manifest.layers.iter().flatten())
        {
            if seen.insert(part.digest.clone()) {
                self.blob(part)?;
            }
        }
        for child in manifest.manifests.iter().flatten() {
            if !seen.insert(child.digest.clone()) {
                continue;
            }
            if depth == 0 {
                return Err(invalid(
                    &digest.to_string(),
                    "its indexes lie too deep in one another",
                ));
            }
            self.check(&Digest::parse(&child.digest)?, depth - 1, seen)?;
        }
        Ok(())
    }
}

const REF_NAME: &str = "org.opencontainers.image.ref.name";

impl Descriptor {
    /// Whether the index gives it this tag, alone or behind the name of a
    /// repository.
    fn is_tagged(&self, tag: &str) -> bool {
        self.annotation(REF_NAME).is_some_and(|name| {
            name == tag
                || name
                    .strip_suffix(tag)
                    .is_some_and(|rest| rest.ends_with(':'))
        })
    }
}

fn parse(content: &[u8], name: &str) -> Result<Manifest> {
    serde_json::from_slice(content).map_err(|e| invalid(name, &e.to_string()))
}

fn invalid(name: &str, why: &str) -> Error {
    Error::new("oci/invalid", format!("`{name}` is no OCI manifest: {why}"))
        .help("copy the image anew, with `skopeo copy` or `oras copy`")
}
