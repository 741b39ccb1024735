//! Artifacts as a whole, to a registry and from one.
//!
//! In: blobs and tagged manifests, or an address. Out: all of it there, or here;
//! what is there already is not sent again, what is here already is not fetched
//! again. A push ends with the tag that others follow: until then nobody sees
//! anything of it, wherever it breaks off.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use oci_client::RegistryOperation;
use oci_client::errors::OciDistributionError;
use oci_client::manifest::ImageIndexEntry;
use reqwest::header::HeaderValue;

use super::fetch::Access;
use super::http::retrying;
use super::oci::{Protocol, Registry};
use super::oci_manifest::Layer;
use super::progress::Moved;
use super::tag::check_tag;
use super::{Credentials, Settings, signature_config};
use crate::artifact::Digest;
use crate::diag::{Error, Result};
use crate::store::Store;

/// The most blobs that an artifact may have.
const MAX_BLOBS: usize = 256;

/// How much of a blob is sent at once, in bytes.
const PIECE_BYTES: usize = 64 << 10;

/// The most bytes that its blobs may have together.
const MAX_BYTES: u64 = 1 << 30;

/// The media type of an image's manifest.
const MANIFEST: HeaderValue =
    HeaderValue::from_static("application/vnd.oci.image.manifest.v1+json");

/// The media type of a list of manifests.
const INDEX: HeaderValue = HeaderValue::from_static("application/vnd.oci.image.index.v1+json");

/// Where an artifact lies: `oci://HOST/PATH`, with a tag or digest or without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Without tag and digest.
    pub url: String,
    /// The tag, or the digest, `sha256:…`.
    pub reference: Option<String>,
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    ///
    /// `source/address` for what does not begin with `oci://`, and for a digest
    /// or tag that is none.
    pub fn parse(text: &str) -> Result<Address> {
        let wrong = |why: String| {
            Error::new("source/address", why)
                .help("write `oci://HOST/PATH:TAG` or `oci://HOST/PATH@sha256:…`")
        };
        let Some(rest) = text.strip_prefix("oci://") else {
            return Err(wrong(format!("`{text}` is no address in a registry")));
        };
        if let Some((url, digest)) = rest.split_once('@') {
            Digest::parse(digest).map_err(|e| wrong(e.to_string()))?;
            return Ok(Address {
                url: format!("oci://{url}"),
                reference: Some(digest.to_owned()),
            });
        }
        let name = rest.rfind('/').and_then(|at| rest.get(at..));
        let (url, tag) = match name.and_then(|name| name.split_once(':')) {
            Some((name, tag)) => {
                let folder = rest.rfind('/').and_then(|at| rest.get(..at));
                (
                    format!("oci://{}{name}", folder.unwrap_or_default()),
                    Some(tag),
                )
            }
            None => (text.to_owned(), None),
        };
        if let Some(tag) = tag {
            check_tag(tag)?;
        }
        Ok(Address {
            url,
            reference: tag.map(str::to_owned),
        })
    }
}

/// How a registry is reached.
#[derive(Debug)]
pub struct Connection<'a> {
    /// Whether it is spoken to without TLS.
    pub insecure: bool,
    /// How long it may be silent.
    pub patience: Duration,
    /// Mirrors and credentials.
    pub settings: &'a Settings,
    /// Where what comes is kept.
    pub store: &'a Store,
}

impl Connection<'_> {
    fn registry(&self, url: &str) -> Result<Registry> {
        let access = Access::new(url, Credentials::default(), self.settings, self.store);
        let mut registry = Registry::connect(&access, url, Protocol::of(self.insecure))?;
        registry.patience = self.patience;
        Ok(registry)
    }
}

/// A manifest under a tag.
#[derive(Clone, Debug)]
pub struct Tagged {
    /// The tag.
    pub tag: String,
    /// The manifest.
    pub manifest: Arc<[u8]>,
    /// Whether the layers that are already there under this tag stay beside its
    /// own, as signatures of others do.
    pub joins: bool,
}

/// What a push came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pushed {
    /// How many blobs were sent.
    pub sent: usize,
    /// How many were there.
    pub present: usize,
    /// For each tag, in order, what it named before.
    pub before: Vec<Option<Digest>>,
    /// How many of those that refer were sent.
    pub referrers: usize,
}

/// Sends blobs, then the manifests that refer to the artifact `of`, then those
/// with tags, in their order.
///
/// # Errors
///
/// `source/…` for what the registry refuses or breaks off.
pub fn push(
    connection: &Connection<'_>,
    url: &str,
    blobs: &BTreeMap<Digest, Arc<[u8]>>,
    (of, referrers): (Digest, &BTreeMap<Digest, Arc<[u8]>>),
    manifests: &[Tagged],
) -> Result<Pushed> {
    let registry = connection.registry(url)?;
    registry.log_in_to_push()?;
    let mut pushed = Pushed::default();
    for (digest, content) in blobs {
        if registry.has_blob(*digest)? {
            pushed.present += 1;
        } else {
            registry.send_blob(*digest, content)?;
            pushed.sent += 1;
        }
    }
    pushed.referrers = registry.send_referrers(of, referrers)?;
    for tagged in manifests {
        let before = registry.tagged(&tagged.tag)?;
        let manifest = match before {
            Some(digest) if digest == Digest::of(&tagged.manifest) => None,
            Some(digest) if tagged.joins => {
                registry.manifest(connection.store, &digest.to_string(), Some(digest))?;
                match joined(&connection.store.read(digest)?, &tagged.manifest) {
                    Some((manifest, config)) => {
                        let digest = Digest::of(&config);
                        if !registry.has_blob(digest)? {
                            registry.send_blob(digest, &config.into())?;
                        }
                        Some(manifest)
                    }
                    None => None,
                }
            }
            _ => Some(tagged.manifest.to_vec()),
        };
        if let Some(manifest) = manifest {
            registry.send_manifest(&tagged.tag, &manifest, &MANIFEST)?;
        }
        pushed.before.push(before);
    }
    Ok(pushed)
}

/// The manifest with the layers of both, and its configuration; none where the
/// first has all of the second.
fn joined(there: &[u8], ours: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let read = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).ok();
    let layers = |manifest: &serde_json::Value| {
        let layers = manifest.get("layers").and_then(|l| l.as_array());
        layers.cloned().unwrap_or_default()
    };
    let mut joined = read(ours)?;
    let mut all = read(there).map(|there| layers(&there)).unwrap_or_default();
    let before = all.len();
    for layer in layers(&joined) {
        if !all.contains(&layer) {
            all.push(layer);
        }
    }
    if all.len() == before {
        return None;
    }
    let digests = all.iter().filter_map(|layer| layer.get("digest")?.as_str());
    let config = signature_config::of_layers(digests);
    if let Some(descriptor) = joined.get_mut("config").and_then(|c| c.as_object_mut()) {
        descriptor.insert("digest".to_owned(), Digest::of(&config).to_string().into());
        descriptor.insert("size".to_owned(), config.len().into());
    }
    if let Some(list) = joined.get_mut("layers") {
        *list = serde_json::Value::Array(all);
    }
    Some((serde_json::to_vec(&joined).ok()?, config))
}

/// An artifact as it came.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// Its manifest.
    pub manifest: Arc<[u8]>,
    /// The manifests under the tags `sha256-DIGEST.SUFFIX` that are there, by
    /// suffix.
    pub beside: BTreeMap<String, Arc<[u8]>>,
    /// The manifests of the Sigstore bundles that refer to it.
    pub referrers: BTreeMap<Digest, Arc<[u8]>>,
    /// What these manifests name.
    pub blobs: BTreeMap<Digest, Arc<[u8]>>,
}

/// Fetches an artifact, what lies beside it under these suffixes, and the
/// Sigstore bundles that refer to it.
///
/// # Errors
///
/// `source/…`, `store/…` for what cannot be had or is other than it should be,
/// `oci/invalid` for a manifest that is none.
pub fn pull(connection: &Connection<'_>, address: &Address, suffixes: &[&str]) -> Result<Pulled> {
    let registry = connection.registry(&address.url)?;
    pull_from(&registry, connection.store, address, suffixes).map_err(may_not_read)
}

fn pull_from(
    registry: &Registry,
    store: &Store,
    address: &Address,
    suffixes: &[&str],
) -> Result<Pulled> {
    let reference = address.reference.as_deref().unwrap_or("latest");
    let expected = if reference.contains(':') {
        Some(Digest::parse(reference)?)
    } else {
        None
    };
    let digest = registry.manifest(store, reference, expected)?;
    let manifest = store.read(digest)?;
    let mut beside = BTreeMap::new();
    for suffix in suffixes {
        let tag = format!("sha256-{}.{suffix}", digest.hex());
        if let Some(digest) = registry.tagged(&tag)? {
            registry.manifest(store, &digest.to_string(), Some(digest))?;
            beside.insert((*suffix).to_owned(), store.read(digest)?);
        }
    }
    let mut referrers = BTreeMap::new();
    for referrer in registry.bundles(store, digest)? {
        referrers.insert(referrer, store.read(referrer)?);
    }
    let mut blobs = BTreeMap::new();
    let manifests = [&manifest].into_iter();
    for layer in named(manifests.chain(beside.values()).chain(referrers.values()))? {
        registry.blob(store, &layer)?;
        blobs.insert(layer.digest, store.read(layer.digest)?);
    }
    Ok(Pulled {
        manifest,
        beside,
        referrers,
        blobs,
    })
}

/// The blobs that manifests name, within bounds.
fn named<'m>(manifests: impl Iterator<Item = &'m Arc<[u8]>>) -> Result<Vec<Layer>> {
    let invalid = |why: &str| {
        Error::new(
            "oci/invalid",
            format!("the OCI manifest cannot be used: {why}"),
        )
        .help("is it a bundle that `fluxwright bundle push` made?")
    };
    let mut found: Vec<Layer> = Vec::new();
    let mut seen = BTreeSet::new();
    for manifest in manifests {
        let manifest: serde_json::Value =
            serde_json::from_slice(manifest).map_err(|e| invalid(&e.to_string()))?;
        let layers = manifest.get("layers").and_then(|l| l.as_array());
        let layers = layers.ok_or_else(|| invalid("it has no layers"))?;
        for descriptor in manifest.get("config").into_iter().chain(layers) {
            let text = |key: &str| descriptor.get(key).and_then(|v| v.as_str());
            let digest = Digest::parse(text("digest").unwrap_or_default())
                .map_err(|e| invalid(e.message()))?;
            let size = descriptor.get("size").and_then(serde_json::Value::as_u64);
            if seen.insert(digest) {
                found.push(Layer {
                    media_type: text("mediaType").unwrap_or_default().to_owned(),
                    digest,
                    size_bytes: size.ok_or_else(|| invalid("a layer has no size"))?,
                });
            }
        }
    }
    let size = found
        .iter()
        .try_fold(0, |sum: u64, l| sum.checked_add(l.size_bytes));
    if found.len() > MAX_BLOBS || size.is_none_or(|size| size > MAX_BYTES) {
        return Err(Error::new(
            "source/too-large",
            format!(
                "the artifact names {} blobs of more than a bundle has: at most {MAX_BLOBS} and {} MiB",
                found.len(),
                MAX_BYTES >> 20
            ),
        ));
    }
    Ok(found)
}

impl Registry {
    /// Asks for the right to write before anything is sent.
    fn log_in_to_push(&self) -> Result<()> {
        let image = self.reference("latest");
        retrying(|| {
            let login = self
                .client
                .auth(&image, &self.login, RegistryOperation::Push);
            self.ask(login).map(drop)
        })
        .map_err(may_not_write)
    }

    fn has_blob(&self, digest: Digest) -> Result<bool> {
        let digest = digest.to_string();
        let image = self.reference(&digest);
        retrying(|| self.ask(self.client.blob_exists(&image, &digest))).map_err(may_not_write)
    }

    fn send_blob(&self, digest: Digest, content: &Arc<[u8]>) -> Result<()> {
        let digest = digest.to_string();
        let image = self.reference(&digest);
        retrying(|| {
            let moved = Moved::default();
            let (counted, body) = (moved.clone(), content.clone());
            let pieces = (0..body.len()).step_by(PIECE_BYTES).map(move |start| {
                let end = body.len().min(start + PIECE_BYTES);
                let piece = body.get(start..end).unwrap_or_default().to_vec();
                counted.add(piece.len());
                Ok(piece.into())
            });
            let size = content.len() as u64;
            let sent = async {
                let sent = self.client.push_blob_stream(
                    &image,
                    futures_util::stream::iter(pieces),
                    &digest,
                    Some(size),
                );
                match sent.await {
                    // Some registries take it and do not say where it is.
                    Err(OciDistributionError::RegistryNoLocationError)
                        if self.client.blob_exists(&image, &digest).await? =>
                    {
                        Ok(())
                    }
                    sent => sent.map(drop),
                }
            };
            self.transfer(&moved, sent)
        })
        .map_err(|e| may_not_write(e).context(format!("the blob {digest}")))
    }

    fn send_manifest(&self, name: &str, manifest: &[u8], kind: &HeaderValue) -> Result<()> {
        // A digest, too, goes where a tag would: the library needs one there.
        let image = self.under(name);
        retrying(|| {
            let sent = self
                .client
                .push_manifest_raw(&image, manifest.to_vec(), kind.clone());
            self.ask(sent).map(drop)
        })
        .map_err(|e| {
            let what = if name.contains(':') {
                "manifest"
            } else {
                "tag"
            };
            may_not_write(e).context(format!("the {what} `{name}`"))
        })
    }

    /// Sends manifests that refer to the artifact `of`, and lists them where the
    /// registry makes no list itself; how many were not there.
    fn send_referrers(&self, of: Digest, manifests: &BTreeMap<Digest, Arc<[u8]>>) -> Result<usize> {
        if manifests.is_empty() {
            return Ok(0);
        }
        let mut sent = 0;
        for (digest, manifest) in manifests {
            let name = digest.to_string();
            if self.tagged(&name)?.is_none() {
                self.send_manifest(&name, manifest, &MANIFEST)?;
                sent += 1;
            }
        }
        let listed = self.list_of_referrers(of)?;
        let is_listed = |digest: &Digest| {
            let name = digest.to_string();
            listed.manifests.iter().any(|entry| entry.digest == name)
        };
        let missing: Vec<_> = manifests.iter().filter(|(d, _)| !is_listed(d)).collect();
        if missing.is_empty() {
            return Ok(sent);
        }
        let mut list = listed.clone();
        for (digest, manifest) in missing {
            let manifest_value: serde_json::Value =
                serde_json::from_slice(manifest).unwrap_or_default();
            let kind = manifest_value.get("artifactType").and_then(|v| v.as_str());
            list.manifests.push(ImageIndexEntry {
                media_type: MANIFEST.to_str().unwrap_or_default().to_owned(),
                digest: digest.to_string(),
                size: i64::try_from(manifest.len()).unwrap_or_default(),
                platform: None,
                annotations: None,
                artifact_type: kind.map(str::to_owned),
            });
        }
        let list = serde_json::to_vec(&list).unwrap_or_default();
        self.send_manifest(&format!("sha256-{}", of.hex()), &list, &INDEX)?;
        Ok(sent)
    }

    /// What a tag names; none where there is no such tag.
    fn tagged(&self, tag: &str) -> Result<Option<Digest>> {
        let image = self.reference(tag);
        let asked = retrying(|| self.ask(self.client.fetch_manifest_digest(&image, &self.login)));
        match asked {
            Ok(digest) => Digest::parse(&digest).map(Some),
            Err(e) if e.rule() == "source/missing" => Ok(None),
            Err(e) => Err(e.context(format!("the tag `{tag}`"))),
        }
    }
}

/// Says that it is the right to write that is missing, or the repository.
fn may_not_write(error: Error) -> Error {
    // What help there is speaks of reading.
    let help = match error.rule() {
        "source/denied" => {
            "whoever pushes needs the right to write: log in with `docker login`, or name \
             credentials for the address under `credentials` in .fluxwright.yaml"
        }
        "source/missing" => {
            "is the address right? some registries want the repository to be made before"
        }
        _ => return error,
    };
    Error::new(error.rule(), error.to_string()).help(help)
}

/// Says that it is the right to read that is missing.
fn may_not_read(error: Error) -> Error {
    if error.rule() != "source/denied" {
        return error;
    }
    // What help there is speaks of sources.
    Error::new("source/denied", error.to_string()).help(
        "log in with `docker login`, or name credentials for the address under `credentials` in \
         .fluxwright.yaml; and are they right, and may they read this?",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_tag_a_digest_or_neither() {
        let digest = format!("sha256:{}", "0".repeat(64));
        for (text, url, reference) in [
            ("oci://h:5000/a/b", "oci://h:5000/a/b", None),
            ("oci://h:5000/a/b:v1", "oci://h:5000/a/b", Some("v1")),
            (&format!("oci://h/a@{digest}"), "oci://h/a", Some(&*digest)),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(
                (&*address.url, address.reference.as_deref()),
                (url, reference)
            );
        }
        for wrong in ["h/a", "oci://h/a:", "oci://h/a:b c", "oci://h/a@sha256:0"] {
            let error = Address::parse(wrong).unwrap_err();
            assert_eq!(error.rule(), "source/address", "{wrong}");
        }
    }

    #[test]
    fn signatures_of_others_stay() {
        let manifest = |layers: &str| format!(r#"{{"config":{{}},"layers":[{layers}]}}"#);
        let (a, b) = (r#"{"digest":"a"}"#, r#"{"digest":"b"}"#);
        let (both, config) = joined(manifest(a).as_bytes(), manifest(b).as_bytes()).unwrap();
        let both_value: serde_json::Value = serde_json::from_slice(&both).unwrap();
        assert_eq!(
            both_value["layers"].to_string(),
            format!("[{a},{b}]"),
            "{both_value}"
        );
        assert_eq!(
            both_value["config"]["digest"],
            Digest::of(&config).to_string()
        );
        let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
        assert_eq!(config["rootfs"]["diff_ids"], serde_json::json!(["a", "b"]));
        assert_eq!(joined(&both, manifest(b).as_bytes()), None);
    }

    #[test]
    fn manifests_name_no_more_than_is_taken() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let manifest = |size: u64| -> Arc<[u8]> {
            format!(r#"{{"layers":[{{"digest":"{digest}","size":{size}}}]}}"#)
                .into_bytes()
                .into()
        };
        assert_eq!(named([&manifest(5)].into_iter()).unwrap().len(), 1);
        let error = named([&manifest(2 << 30)].into_iter()).unwrap_err();
        assert_eq!(error.rule(), "source/too-large");
        let nothing: Arc<[u8]> = b"{}".as_slice().into();
        assert_eq!(
            named([&nothing].into_iter()).unwrap_err().rule(),
            "oci/invalid"
        );
    }
}
