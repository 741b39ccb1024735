//! Contents to the files of an OCI image layout.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::contents::{Contents, Provenance};
use super::{FORMAT, media_type};
use crate::diag::{Error, Result};
use crate::gostd::moment::Moment;
use crate::pipeline::cluster::sha256;
use crate::pipeline::index::{INDEX_NAME, OutputFiles};
use crate::source::signature_config;

/// The file that says that a folder is a layout.
pub(super) const LAYOUT_NAME: &str = "oci-layout";
/// What is in it.
pub(super) const LAYOUT: &str = "{\"imageLayoutVersion\":\"1.0.0\"}";

/// The annotation with a tag.
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The annotation with a version.
pub(super) const VERSION: &str = "org.opencontainers.image.version";
/// What the provenance calls the archive of manifests.
pub(super) const ARCHIVE_NAME: &str = "manifests.tar.gz";
pub(super) const TITLE: &str = "org.opencontainers.image.title";

/// The layers of a bundle, by media type, each with its title.
pub(super) const LAYERS: [(&str, Option<&str>); 5] = [
    (media_type::FLUX_CONTENT, None),
    (media_type::BUILD_INDEX, Some(INDEX_NAME)),
    (media_type::IMAGES, Some("images.json")),
    (media_type::FINDINGS, Some("findings.json")),
    (media_type::PROVENANCE, Some("provenance.json")),
];

/// What lies beside a bundle, by the ending of its tag, `sha256-DIGEST.ENDING`:
/// in this order in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Beside {
    /// Detached OpenPGP signatures of the manifest.
    OpenPgp,
    /// Attestations, as `cosign attest` stores them.
    Attestation,
    /// Signatures, as `cosign sign` stores them.
    Cosign,
}

impl Beside {
    /// All kinds.
    pub const ALL: [Beside; 3] = [Beside::OpenPgp, Beside::Attestation, Beside::Cosign];

    /// The ending of its tag.
    pub fn suffix(self) -> &'static str {
        match self {
            Beside::OpenPgp => "asc",
            Beside::Attestation => "att",
            Beside::Cosign => "sig",
        }
    }

    /// The media type of its layers.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Beside::OpenPgp => media_type::PGP_SIGNATURE,
            Beside::Attestation => media_type::DSSE,
            Beside::Cosign => media_type::SIMPLE_SIGNING,
        }
    }

    /// The tag of what is beside the bundle with a digest.
    pub(super) fn tag(self, digest: &str) -> String {
        let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
        format!("sha256-{hex}.{}", self.suffix())
    }

    /// What a tag beside the bundle with a digest stands for.
    pub(super) fn of_tag(tag: &str, digest: &str) -> Option<Beside> {
        Beside::ALL.into_iter().find(|b| b.tag(digest) == tag)
    }
}

/// The path of a blob.
pub(super) fn path_of(digest: &str) -> String {
    let hex = digest.strip_prefix("sha256:").unwrap_or_default();
    format!("blobs/sha256/{hex}")
}

/// A bundle as files of a layout.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// The digest of its manifest, `sha256:…`.
    pub digest: String,
    /// The files.
    pub files: OutputFiles,
}

impl Bundle {
    /// Lists a manifest that refers to the bundle, which is among its files.
    pub(super) fn put_referrer(&mut self, manifest: Arc<[u8]>) -> Result<()> {
        let descriptor = add_blob(&mut self.files, media_type::MANIFEST, manifest);
        let mut manifests = self.listed()?;
        manifests.push(descriptor);
        self.list(manifests);
        Ok(())
    }

    fn listed(&self) -> Result<Vec<Descriptor>> {
        let index = self.files.get(INDEX_NAME).cloned().unwrap_or_default();
        let index: Index = serde_json::from_slice(&index)
            .map_err(|e| Error::new("bundle/invalid", format!("its index cannot be read: {e}")))?;
        Ok(index.manifests)
    }

    fn list(&mut self, manifests: Vec<Descriptor>) {
        let bytes = to_json(&index(manifests));
        self.files.insert(INDEX_NAME.to_owned(), bytes.into());
    }

    /// Puts a manifest of these layers beside the bundle, in place of one of
    /// its kind.
    pub(super) fn put_beside(&mut self, kind: Beside, layers: Vec<Descriptor>) -> Result<()> {
        let config = signature_config::of_layers(layers.iter().map(|layer| &*layer.digest));
        let config = add_blob(&mut self.files, media_type::CONFIG, config);
        let manifest = Manifest {
            schema_version: 2,
            media_type: media_type::MANIFEST.to_owned(),
            config,
            layers,
            annotations: BTreeMap::new(),
        };
        let manifest = add_blob(&mut self.files, media_type::MANIFEST, to_json(&manifest));
        let tag = kind.tag(&self.digest);
        let manifest = annotated(manifest, REF_NAME, &tag);
        let mut manifests = self.listed()?;
        let place = |d: &Descriptor| {
            let tag = d.annotations.get(REF_NAME).map(String::as_str);
            tag.and_then(|tag| Beside::of_tag(tag, &self.digest))
        };
        manifests.retain(|d| place(d) != Some(kind));
        manifests.push(manifest);
        manifests.sort_by_key(place);
        self.list(manifests);
        Ok(())
    }
}

/// A reference to a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Descriptor {
    pub(super) media_type: String,
    pub(super) digest: String,
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

/// A manifest, its fields in the order in which they are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) schema_version: u32,
    pub(super) media_type: String,
    pub(super) config: Descriptor,
    pub(super) layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

/// The index of a layout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Index {
    pub(super) schema_version: u32,
    pub(super) media_type: String,
    pub(super) manifests: Vec<Descriptor>,
    pub(super) annotations: BTreeMap<String, String>,
}

/// Text that is the same for the same value.
pub(super) fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// Adds a blob, and refers to it.
pub(super) fn add_blob(
    files: &mut OutputFiles,
    media_type: &str,
    content: impl Into<Arc<[u8]>>,
) -> Descriptor {
    let content = content.into();
    let digest = sha256(&content);
    let descriptor = Descriptor {
        media_type: media_type.to_owned(),
        digest: format!("sha256:{digest}"),
        size: content.len() as u64,
        annotations: BTreeMap::new(),
    };
    files.insert(format!("blobs/sha256/{digest}"), content);
    descriptor
}

/// A descriptor with one annotation.
pub(super) fn annotated(mut descriptor: Descriptor, key: &str, value: &str) -> Descriptor {
    descriptor
        .annotations
        .insert(key.to_owned(), value.to_owned());
    descriptor
}

/// Makes a bundle.
///
/// # Errors
///
/// `output/failed` for a path that no archive holds.
pub fn create(contents: &Contents<'_>) -> Result<Bundle> {
    let mut files = OutputFiles::new();
    let archive = archive(contents.files)?;
    let packed = gzip(&archive)?;
    let build_index = contents.files.get(INDEX_NAME).cloned().unwrap_or_default();
    let origin = &contents.origin;
    let provenance = Provenance {
        subjects: [(ARCHIVE_NAME, &packed), (INDEX_NAME, &build_index)],
        versions: [&contents.versions.flux, &contents.versions.kubernetes],
        repository: [origin.source.as_deref(), origin.revision.as_deref()],
        lock_sha256: origin.lock_sha256.as_deref(),
        dependencies: &contents.dependencies,
        options: &contents.options,
        program: env!("CARGO_PKG_VERSION"),
    };
    let provenance = to_json(&provenance.statement());
    let created = Moment::from_unix(origin.created).to_string();
    let parts: [Arc<[u8]>; 5] = [
        packed.into(),
        build_index,
        to_json(&contents.images).into(),
        to_json(&contents.findings).into(),
        provenance.into(),
    ];
    let config = config(&created, &archive, &parts);
    let config = add_blob(&mut files, media_type::FLUX_CONFIG, config);
    let mut layers = Vec::new();
    for ((kind, title), content) in LAYERS.into_iter().zip(parts) {
        let mut layer = add_blob(&mut files, kind, content);
        if let Some(title) = title {
            layer = annotated(layer, TITLE, title);
        }
        layers.push(layer);
    }
    let mut annotations: BTreeMap<String, String> = BTreeMap::new();
    let mut annotate = |name: &str, value: &str| {
        annotations.insert(format!("org.opencontainers.image.{name}"), value.to_owned());
    };
    // As `flux push artifact` sets them.
    annotate("created", &created);
    if let Some(source) = &origin.source {
        annotate("source", source);
    }
    if let Some(revision) = &origin.revision {
        annotate("revision", revision);
    }
    annotate("version", &origin.tag);
    let manifest = Manifest {
        schema_version: 2,
        media_type: media_type::MANIFEST.to_owned(),
        config,
        layers,
        annotations,
    };
    let main = add_blob(&mut files, media_type::MANIFEST, to_json(&manifest));
    let digest = main.digest.clone();
    files.insert(LAYOUT_NAME.to_owned(), LAYOUT.as_bytes().into());
    let main = annotated(main, REF_NAME, &contents.origin.tag);
    files.insert(INDEX_NAME.to_owned(), to_json(&index(vec![main])).into());
    Ok(Bundle { digest, files })
}

/// The configuration, as `flux push artifact` writes it: when the content was
/// made, and the digests of the layers, unpacked.
pub(super) fn config(created: &str, archive: &[u8], layers: &[Arc<[u8]>]) -> Vec<u8> {
    let others = layers.iter().skip(1).map(|layer| &**layer);
    let unpacked = std::iter::once(archive).chain(others);
    let digests: Vec<String> = unpacked
        .map(|content| format!("sha256:{}", sha256(content)))
        .collect();
    to_json(&json!({
        "architecture": "unknown",
        "config": {},
        "created": created,
        "os": "unknown",
        "rootfs": {"diff_ids": digests, "type": "layers"},
    }))
}

/// The index of a layout that lists these manifests.
pub(super) fn index(manifests: Vec<Descriptor>) -> Index {
    Index {
        schema_version: 2,
        media_type: media_type::INDEX.to_owned(),
        manifests,
        annotations: BTreeMap::from([("fluxwright.format".to_owned(), FORMAT.to_owned())]),
    }
}

/// The manifests as a tar archive: sorted, with nothing of the machine in it.
pub(super) fn archive(files: &OutputFiles) -> Result<Vec<u8>> {
    packed(files.iter().filter(|(path, _)| *path != INDEX_NAME))
}

fn packed<'f>(files: impl Iterator<Item = (&'f String, &'f Arc<[u8]>)>) -> Result<Vec<u8>> {
    let failed = |e: std::io::Error| Error::new("output/failed", format!("cannot pack: {e}"));
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_entry_type(tar::EntryType::Regular);
        builder
            .append_data(&mut header, path, &**content)
            .map_err(failed)?;
    }
    builder.into_inner().map_err(failed)
}

/// A bundle as one file: a tar archive of its layout.
///
/// # Errors
///
/// `output/failed` for a path that no archive holds.
pub fn in_one_file(files: &OutputFiles) -> Result<Vec<u8>> {
    packed(files.iter())
}

/// What a packed archive begins with: no name, no time, no flags, a machine that
/// is unknown.
pub(super) const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

fn gzip(content: &[u8]) -> Result<Vec<u8>> {
    let failed = |e: std::io::Error| Error::new("output/failed", format!("cannot pack: {e}"));
    let mut encoder = flate2::GzBuilder::new()
        .mtime(0)
        .operating_system(255)
        .write(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(content).map_err(failed)?;
    encoder.finish().map_err(failed)
}
