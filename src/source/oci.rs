//! OCI registries: tags, manifests, layers.
//!
//! In the store lie the manifest, as it was signed and digested, and the one
//! layer that is taken, each under the digest that the registry knows it by.
//!
//! Compat: source-controller `ocirepository_controller.go`.

use std::sync::Arc;
use std::time::Duration;

use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::manifest::OciImageIndex;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};

use super::http::{self, Failure, retrying};
use super::oci_manifest::{self, CHART_LAYER, Manifest};
use super::progress::{Moved, PATIENCE, Receiver, while_it_moves};
use super::view::Layer;
use super::{Access, Resolved};
use crate::artifact::Digest;
use crate::diag::{Error, Result};
use crate::flux::api::{OciSpec, Source, SourceSpec};
use crate::gostd::regexp::Regexp;
use crate::gostd::semver::{Constraints, latest};
use crate::store::Store;

/// The largest layer that is taken, in bytes.
const MAX_LAYER_BYTES: u64 = 1 << 30;

/// The largest bundle or signed payload that is taken, in bytes.
const MAX_SIGNATURE_BYTES: u64 = 16 << 20;

/// How many signatures of one artifact are looked at.
const MAX_SIGNATURES: usize = 64;

/// How many manifests that refer to one artifact are looked at.
const MAX_REFERRERS: usize = 512;

/// What to do about content that is not what its name says.
const CHANGED: &str = "the registry or what stands before it is broken or hostile: find out why";

/// How many tags are asked for at once.
const TAGS_AT_ONCE: usize = 1000;

const MANIFESTS: &[&str] = &[
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

/// What an OCIRepository comes to; with a revision, what it came to when that
/// was written down.
pub(super) fn resolve(
    access: &Access<'_>,
    source: &Source,
    spec: &OciSpec,
    revision: Option<&str>,
) -> Result<Resolved> {
    connected(access, source, &source.url, |registry| {
        let (label, reference) = match revision {
            Some(revision) => {
                let (label, digest) = revision.rsplit_once('@').unwrap_or(("", revision));
                (label.to_owned(), digest.to_owned())
            }
            None => choose(registry, spec)?,
        };
        let digest = registry.fetch(access.store, &reference, &Layer::Of(spec))?;
        Ok(Resolved {
            revision: if label.is_empty() {
                digest.to_string()
            } else {
                format!("{label}@{digest}")
            },
            digest,
        })
    })
}

/// What `work` comes to in the registry of a source. One that may be insecure
/// is spoken to in plain HTTP, and where that is not what it speaks, over TLS,
/// whoever vouches for it.
///
/// Compat: go-containerregistry tries both, and source-controller
/// `ocirepository_controller.go` `getTLSConfig` asks for no authority where
/// none is named; charts are asked for in plain HTTP alone.
fn connected<T>(
    access: &Access<'_>,
    source: &Source,
    url: &str,
    work: impl Fn(&Registry) -> Result<T>,
) -> Result<T> {
    if !source.insecure {
        return work(&Registry::connect(access, url, Protocol::Tls)?);
    }
    let plain = work(&Registry::connect(access, url, Protocol::Plain)?);
    // What servers of TLS answer to plain HTTP: 400, or nothing.
    let may_be_tls = matches!(source.spec, SourceSpec::Oci(_))
        && plain.as_ref().is_err_and(|e| {
            e.rule() == "source/unreachable" || e.message().contains("answered 400")
        });
    if !may_be_tls {
        return plain;
    }
    match work(&Registry::connect(access, url, Protocol::TlsUnverified)?) {
        Err(e) if e.rule() == "source/unreachable" => plain,
        answered => answered,
    }
}

/// How a registry is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// HTTPS.
    Tls,
    /// HTTPS, without asking who vouches for the server, unless an authority is
    /// named.
    TlsUnverified,
    /// HTTP.
    Plain,
}

impl Protocol {
    /// That of a source that is to be secure or not.
    pub(super) fn of(insecure: bool) -> Protocol {
        if insecure {
            Protocol::Plain
        } else {
            Protocol::Tls
        }
    }
}

/// The manifests of an artifact's signatures, with their layers in the store;
/// empty where there are none. `locked` are those that were found before: then
/// no others count.
///
/// Compat: sigstore's bundles are found by the registry's list of referrers, or
/// by the tag that stands in for it; only where there is none, the tag
/// `sha256-….sig` is looked at.
pub(super) fn signatures(
    access: &Access<'_>,
    source: &Source,
    chart: Option<&str>,
    of: Digest,
    locked: Option<&[Digest]>,
) -> Result<Vec<Digest>> {
    let url = match chart {
        Some(chart) => format!("{}/{chart}", source.url.trim_end_matches('/')),
        None => source.url.to_string(),
    };
    connected(access, source, &url, |registry| {
        if let Some(locked) = locked {
            for digest in locked {
                registry.signature(access.store, &digest.to_string(), Some(*digest))?;
            }
            return Ok(locked.to_vec());
        }
        find_signatures(access, registry, of)
    })
}

/// The signatures of an artifact that a registry has.
fn find_signatures(access: &Access<'_>, registry: &Registry, of: Digest) -> Result<Vec<Digest>> {
    let mut found = registry.bundles(access.store, of)?;
    if found.is_empty() {
        match registry.signature(access.store, &format!("sha256-{}.sig", of.hex()), None) {
            Ok(signature) => found.push(signature),
            Err(e) if e.rule() == "source/missing" => {}
            Err(e) => return Err(e),
        }
    }
    Ok(found)
}

fn too_many(limit: usize, what: &str) -> Error {
    Error::new("source/too-large", format!("more than {limit} {what}"))
        .help("remove those that nobody needs")
}

/// The tag that a reference chooses, and what to ask for.
fn choose(registry: &Registry, spec: &OciSpec) -> Result<(String, String)> {
    let get = |key: &str| spec.reference.get(key);
    if let Some(digest) = get("digest") {
        Digest::parse(digest).map_err(|e| e.context("`spec.ref.digest`"))?;
        return Ok((String::new(), digest.clone()));
    }
    if let Some(range) = get("semver") {
        let tag = registry.latest_tag(range, get("semverFilter"), spec)?;
        return Ok((tag.clone(), tag));
    }
    let tag = get("tag").cloned().unwrap_or_else(|| "latest".to_owned());
    Ok((tag.clone(), tag))
}

/// A repository in a registry.
pub(super) struct Registry {
    pub(super) client: Client,
    pub(super) login: RegistryAuth,
    /// Registry and repository.
    repository: Reference,
    /// The address, for messages.
    pub(super) display: String,
    runtime: tokio::runtime::Runtime,
    /// How long nothing may move before it is given up.
    pub(super) patience: Duration,
}

impl Registry {
    /// Prepares to talk to a registry; `url` is `oci://HOST/PATH`.
    pub(super) fn connect(access: &Access<'_>, url: &str, protocol: Protocol) -> Result<Registry> {
        http::install_provider();
        let address = access.address(url);
        let invalid = |e: &dyn std::fmt::Display| {
            Error::new(
                "source/address",
                format!("`{address}` is no address in a registry: {e}"),
            )
            .help("write `oci://HOST/PATH`, in lower case and without a tag")
        };
        let name = address
            .strip_prefix("oci://")
            .ok_or_else(|| invalid(&"it does not begin with `oci://`"))?;
        let repository: Reference = name.parse().map_err(|e| invalid(&e))?;
        if repository.digest().is_some() || name.rsplit('/').next().is_some_and(|n| n.contains(':'))
        {
            return Err(invalid(&"it has a tag or digest").help("put it under `spec.ref`"));
        }
        let mut config = ClientConfig {
            protocol: if protocol == Protocol::Plain {
                ClientProtocol::Http
            } else {
                ClientProtocol::Https
            },
            accept_invalid_certificates: protocol == Protocol::TlsUnverified
                && access.credentials.authority().is_none(),
            connect_timeout: Some(Duration::from_secs(30)),
            use_monolithic_push: true,
            user_agent: concat!("fluxwright/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        if let Some(authority) = access.credentials.authority() {
            if !matches!(reqwest::Certificate::from_pem_bundle(authority), Ok(c) if !c.is_empty()) {
                return Err(http::no_certificate());
            }
            config.extra_root_certificates = vec![Certificate {
                encoding: CertificateEncoding::Pem,
                data: authority.to_vec(),
            }];
        }
        if access.credentials.client_certificate()?.is_some() {
            return Err(Error::new(
                "source/credentials",
                "client certificates are not supported for registries",
            )
            .help("log in with `.dockerconfigjson`, or name a mirror under `mirrors` in .fluxwright.yaml"));
        }
        if let Some(proxy) = access.credentials.proxy()? {
            let address = proxy.whole_address()?;
            config.https_proxy = Some(address.clone());
            config.http_proxy = Some(address);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Error::new("source/failed", format!("no runtime: {e}")))?;
        let client = Client::try_from(config).map_err(|e| {
            Error::new(
                "source/credentials",
                format!("the certificates cannot be used: {e}"),
            )
        })?;
        Ok(Registry {
            client,
            login: login(
                access,
                &format!("{}/{}", repository.registry(), repository.repository()),
            )?,
            display: format!("{}/{}", repository.registry(), repository.repository()),
            repository,
            runtime,
            patience: PATIENCE,
        })
    }

    /// What comes of a request whose bytes are counted: where too few move for
    /// too long, it is given up.
    pub(super) fn transfer<T>(
        &self,
        moved: &Moved,
        request: impl Future<Output = std::result::Result<T, OciDistributionError>>,
    ) -> std::result::Result<T, Failure> {
        let done = while_it_moves(self.patience, moved, request);
        match self.runtime.block_on(done) {
            Some(done) => done.map_err(|e| self.failure(&e)),
            None => Err(Failure::final_(
                Error::new(
                    "source/broken",
                    format!(
                        "`{}` fell silent: nothing came of a request for {} s",
                        self.display,
                        self.patience.as_secs()
                    ),
                )
                .help("try again later: what is there already is not transferred twice"),
            )),
        }
    }

    /// What comes of a request that has little to transfer.
    pub(super) fn ask<T>(
        &self,
        request: impl Future<Output = std::result::Result<T, OciDistributionError>>,
    ) -> std::result::Result<T, Failure> {
        self.transfer(&Moved::default(), request)
    }

    /// A tag or digest in the repository.
    pub(super) fn reference(&self, reference: &str) -> Reference {
        let registry = self.repository.registry().to_owned();
        let repository = self.repository.repository().to_owned();
        if reference.contains(':') {
            Reference::with_digest(registry, repository, reference.to_owned())
        } else {
            Reference::with_tag(registry, repository, reference.to_owned())
        }
    }

    /// A manifest under what is taken for a tag.
    pub(super) fn under(&self, name: &str) -> Reference {
        let registry = self.repository.registry().to_owned();
        let repository = self.repository.repository().to_owned();
        Reference::with_tag(registry, repository, name.to_owned())
    }

    /// All tags.
    pub(super) fn tags(&self) -> Result<Vec<String>> {
        let mut tags: Vec<String> = Vec::new();
        loop {
            let last = tags.last().map(String::as_str);
            let asked = || {
                let list =
                    self.client
                        .list_tags(&self.repository, &self.login, Some(TAGS_AT_ONCE), last);
                self.ask(list)
            };
            let page = retrying(asked)?.tags;
            let is_last = page.len() < TAGS_AT_ONCE || page.last().map(String::as_str) == last;
            tags.extend(page);
            if is_last {
                return Ok(tags);
            }
        }
    }

    /// The latest tag in a range, of those that a filter matches.
    fn latest_tag(&self, range: &str, filter: Option<&String>, spec: &OciSpec) -> Result<String> {
        let constraints = Constraints::parse(range).map_err(|e| {
            Error::new(
                "source/version",
                format!("`{range}` is no range of versions: {e}"),
            )
            .help("write a range such as `>=1.2.0 <2.0.0`")
        })?;
        let mut tags = self.tags()?;
        if let Some(filter) = filter {
            let pattern = Regexp::new(filter).map_err(|e| {
                Error::new(
                    "source/version",
                    format!("`spec.ref.semverFilter` cannot be read: {e}"),
                )
            })?;
            tags.retain(|tag| pattern.is_match(tag));
        }
        // Compat: tags of charts have `_` where versions have `+`.
        let is_chart = spec.layer_media_type.as_deref() == Some(CHART_LAYER);
        let versions: Vec<String> = tags
            .iter()
            .map(|t| {
                if is_chart {
                    t.replace('_', "+")
                } else {
                    t.clone()
                }
            })
            .collect();
        let chosen = latest(versions.iter().map(String::as_str), &constraints, |_| ());
        chosen.and_then(|i| tags.get(i).cloned()).ok_or_else(|| {
            Error::new(
                "source/version",
                format!("no tag is in the range `{range}`"),
            )
            .help(format!(
                "`{}` has {} tags that could be",
                self.display,
                tags.len()
            ))
        })
    }

    /// Brings a manifest and the layer that is meant into the store; the
    /// manifest's digest. What breaks off half way leaves nothing there.
    pub(super) fn fetch(
        &self,
        store: &Store,
        reference: &str,
        choice: &Layer<'_>,
    ) -> Result<Digest> {
        let expected = reference
            .contains(':')
            .then(|| Digest::parse(reference))
            .transpose()?;
        let (first, content) = self.pull_manifest(store, reference, expected)?;
        let mut manifests = vec![content];
        for _ in 0..2 {
            let Some(content) = manifests.last() else {
                break;
            };
            match oci_manifest::read(content).map_err(|e| e.context(self.display.clone()))? {
                Manifest::Index(next) => {
                    let (_, content) = self.pull_manifest(store, &next.to_string(), Some(next))?;
                    manifests.push(content);
                }
                Manifest::Layers(layers) => {
                    let layer = match choice {
                        Layer::Of(spec) => oci_manifest::select(&layers, spec)?,
                        Layer::Chart => oci_manifest::by_media_type(&layers, CHART_LAYER)?,
                    };
                    self.blob(store, layer)?;
                    for manifest in &manifests {
                        store.put(manifest)?;
                    }
                    return Ok(first);
                }
            }
        }
        Err(Error::new(
            "oci/invalid",
            "an OCI index leads to another index",
        ))
    }

    /// Brings the manifest of a signature into the store, and all its layers
    /// before.
    fn signature(
        &self,
        store: &Store,
        reference: &str,
        expected: Option<Digest>,
    ) -> Result<Digest> {
        let (_, content) = self.pull_manifest(store, reference, expected)?;
        let manifest = oci_manifest::read(&content).map_err(|e| e.context(self.display.clone()))?;
        if let Manifest::Layers(layers) = manifest {
            for layer in &layers {
                if layer.size_bytes > MAX_SIGNATURE_BYTES {
                    return Err(Error::new(
                        "source/too-large",
                        format!("a signature has {} MiB", layer.size_bytes >> 20),
                    ));
                }
                self.blob(store, layer)?;
            }
        }
        store.put(&content)
    }

    /// Brings the Sigstore bundles that refer to an artifact into the store;
    /// their manifests.
    pub(super) fn bundles(&self, store: &Store, of: Digest) -> Result<Vec<Digest>> {
        let mut found = Vec::new();
        for referrer in self.referrers(of)? {
            let name = referrer.to_string();
            // Compat: cosign and Flux look at what refers, not at what the list says
            // of it: registries copy other types there, or none.
            let (_, manifest) = self.pull_manifest(store, &name, Some(referrer))?;
            if !oci_manifest::is_bundle(&manifest) {
                continue;
            }
            if found.len() == MAX_SIGNATURES {
                return Err(too_many(MAX_SIGNATURES, "signatures refer to the artifact"));
            }
            self.signature(store, &name, Some(referrer))?;
            found.push(referrer);
        }
        Ok(found)
    }

    /// What refers to an artifact, in the registry's order.
    fn referrers(&self, of: Digest) -> Result<Vec<Digest>> {
        let listed = self.list_of_referrers(of)?.manifests;
        if listed.len() > MAX_REFERRERS {
            return Err(too_many(MAX_REFERRERS, "manifests refer to the artifact"));
        }
        let digests = listed.iter().map(|entry| Digest::parse(&entry.digest));
        digests.collect()
    }

    /// The list of what refers to an artifact: the registry's own, or the one
    /// under the tag that stands in for it; empty where there is none.
    pub(super) fn list_of_referrers(&self, of: Digest) -> Result<OciImageIndex> {
        let image = self.reference(&of.to_string());
        let listed = retrying(|| {
            let login = self
                .client
                .store_auth_if_needed(image.resolve_registry(), &self.login);
            self.runtime.block_on(login);
            self.ask(self.client.pull_referrers(&image, None))
        });
        match listed {
            Err(e) if e.rule() == "source/missing" => Ok(OciImageIndex {
                schema_version: 2,
                media_type: Some(MANIFESTS[1].to_owned()),
                artifact_type: None,
                annotations: None,
                manifests: Vec::new(),
            }),
            listed => listed,
        }
    }

    /// Brings a manifest into the store.
    pub(super) fn manifest(
        &self,
        store: &Store,
        reference: &str,
        expected: Option<Digest>,
    ) -> Result<Digest> {
        let (_, content) = self.pull_manifest(store, reference, expected)?;
        store.put(&content)
    }

    /// A manifest and its digest, out of the store or the registry.
    fn pull_manifest(
        &self,
        store: &Store,
        reference: &str,
        expected: Option<Digest>,
    ) -> Result<(Digest, Arc<[u8]>)> {
        if let Some(digest) = expected
            && store.holds(digest)
            && let Ok(content) = store.read(digest)
        {
            return Ok((digest, content));
        }
        let image = self.reference(reference);
        let (content, _) = retrying(|| {
            let pull = self
                .client
                .pull_manifest_raw(&image, &self.login, MANIFESTS);
            self.ask(pull)
        })
        .map_err(|e| match e.rule() {
            "source/missing" => Error::new("source/missing", format!("`{image}` is not there"))
                .help(
                    "is the address right? is its tag or digest? private repositories answer so without \
                     credentials",
                ),
            _ => e.context(format!("`{reference}`")),
        })?;
        let digest = Digest::of(&content);
        if let Some(expected) = expected
            && expected != digest
        {
            return Err(Error::new(
                "store/digest",
                format!("the registry gives a manifest with the digest {digest}, not {expected}"),
            )
            .help(CHANGED));
        }
        Ok((digest, content.to_vec().into()))
    }

    /// Brings a layer into the store.
    pub(super) fn blob(&self, store: &Store, layer: &oci_manifest::Layer) -> Result<()> {
        if store.holds(layer.digest) && store.read(layer.digest).is_ok() {
            return Ok(());
        }
        if layer.size_bytes > MAX_LAYER_BYTES {
            return Err(Error::new(
                "source/too-large",
                format!(
                    "the layer has {} MiB, more than {} MiB",
                    layer.size_bytes >> 20,
                    MAX_LAYER_BYTES >> 20
                ),
            ));
        }
        let digest = layer.digest.to_string();
        let image = self.reference(&digest);
        let content = retrying(|| {
            let login = self
                .client
                .store_auth_if_needed(image.resolve_registry(), &self.login);
            self.runtime.block_on(login);
            let limit = match layer.size_bytes {
                0 => MAX_LAYER_BYTES,
                size => size,
            };
            let moved = Moved::default();
            let mut receiver = Receiver::new(limit, &moved);
            let pull = self
                .client
                .pull_blob(&image, digest.as_str(), &mut receiver);
            let pulled = self.transfer(&moved, pull);
            match receiver.take() {
                Some(content) => pulled.map(|()| content),
                None => Err(Failure::final_(
                    Error::new(
                        "source/too-large",
                        format!("it is more than the {limit} bytes that were announced"),
                    )
                    .help(CHANGED),
                )),
            }
        })
        .map_err(|e| e.context(format!("the blob {digest}")))?;
        let got = Digest::of(&content);
        if got == layer.digest {
            store.put(&content).map(drop)
        } else {
            Err(Error::new(
                "store/digest",
                format!("the registry gives a layer with the digest {got}, not {digest}"),
            )
            .help(CHANGED))
        }
    }

    pub(super) fn failure(&self, error: &OciDistributionError) -> Failure {
        use reqwest::StatusCode;
        let status = |status: StatusCode| http::refused(&self.display, status, self.has_login());
        match error {
            OciDistributionError::RequestError(e) => match e.status() {
                Some(code) => Failure::answered(&self.display, code, self.has_login()).patient(),
                None => Failure::of(&self.display, e),
            },
            OciDistributionError::UnauthorizedError { .. }
            | OciDistributionError::AuthenticationFailure(_) => {
                Failure::final_(status(StatusCode::UNAUTHORIZED))
            }
            OciDistributionError::ImageManifestNotFoundError(_) => {
                Failure::final_(status(StatusCode::NOT_FOUND))
            }
            OciDistributionError::ServerError { code, .. } => {
                let code = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                // The library keeps no headers.
                Failure::answered(&self.display, code, self.has_login()).patient()
            }
            OciDistributionError::RegistryError { envelope, .. } => {
                let is = |wanted: &OciErrorCode| envelope.errors.iter().any(|e| e.code == *wanted);
                if is(&OciErrorCode::Unauthorized) || is(&OciErrorCode::Denied) {
                    Failure::final_(status(StatusCode::UNAUTHORIZED))
                } else if is(&OciErrorCode::Toomanyrequests) {
                    Failure::later(status(StatusCode::TOO_MANY_REQUESTS)).patient()
                } else if [
                    OciErrorCode::ManifestUnknown,
                    OciErrorCode::NameUnknown,
                    OciErrorCode::BlobUnknown,
                    OciErrorCode::NotFound,
                ]
                .iter()
                .any(is)
                {
                    Failure::final_(status(StatusCode::NOT_FOUND))
                } else {
                    Failure::final_(self.other(error))
                }
            }
            OciDistributionError::DigestError(_) => Failure::later(
                Error::new(
                    "source/broken",
                    format!(
                        "what `{}` sent has another digest than it says",
                        self.display
                    ),
                )
                .help(CHANGED),
            ),
            _ => Failure::final_(self.other(error)),
        }
    }

    fn has_login(&self) -> bool {
        self.login != RegistryAuth::Anonymous
    }

    fn other(&self, error: &OciDistributionError) -> Error {
        // What the library says of addresses has no credentials in it, and may
        // have tokens behind a question mark.
        let text: String = error.to_string().chars().take(300).collect();
        let text = text.split('?').next().unwrap_or_default().to_owned();
        Error::new("source/failed", format!("`{}`: {text}", self.display))
            .help("is the address that of an OCI registry?")
    }
}

/// What to log in with for a repository, `HOST/PATH`: the source's Secret, then
/// what is configured for the address, then the pull secrets of its service
/// account, then the user's docker configuration.
fn login(access: &Access<'_>, place: &str) -> Result<RegistryAuth> {
    let credentials = &access.credentials;
    let mut found = credentials.docker_login(place)?;
    if found.is_none()
        && let Some((user, password)) = credentials.login()?
    {
        found = Some((user.to_owned(), password.to_owned()));
    }
    for secret in &access.pull_secrets {
        if found.is_none() {
            found = secret.docker_login(place)?;
        }
    }
    if found.is_none() {
        found = access.docker_login(place)?;
    }
    if let Some(token) = credentials.bearer_token()? {
        return Ok(RegistryAuth::Bearer(token.to_owned()));
    }
    Ok(match found {
        Some((user, password)) => RegistryAuth::Basic(user, password),
        None => RegistryAuth::Anonymous,
    })
}
