//! Inputs as the lockfile pins them, out of the store or the repository.
//!
//! In: the lockfile, the store, and the folder that `vendor` fills, where there
//! is one. Out: trees, charts and remote resources; and for what is not at
//! hand an error, and an [`Order`] that says what would help. Opens no
//! connection.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::trust::Policy;
use super::vendor::Vendored;
use super::view::{self, Layer};
use super::{Filled, Key, Order};
use crate::artifact::{Digest, MemoryTree, pack};
use crate::diag::{Error, Result, SourceMap, Span};
use crate::flux::api::{Source, SourceRef, SourceSpec};
use crate::kustomize::{RemoteContent, RepoSpec};
use crate::lock::{ChartPin, ChartRequest, FILE_NAME, Lockfile, Pin, Request, without_password};
use crate::resource::Files;
use crate::store::Store;

/// Finds the source that a reference names, as the cluster holds it.
pub type Declared<'a> = dyn Fn(&SourceRef) -> Option<Source> + 'a;

/// The inputs of a repository, as they are locked.
#[derive(Debug)]
pub struct Locked {
    lockfile: Lockfile,
    /// Whether there is a lockfile at all.
    has_lockfile: bool,
    store: Store,
    /// What lies in the repository itself.
    vendored: Option<Vendored>,
    source_map: Arc<SourceMap>,
    /// What was tried and failed.
    failed: BTreeMap<Key, Error>,
    /// Signatures that were looked for and are not there.
    found_none: BTreeSet<Key>,
    orders: Mutex<BTreeMap<Key, Order>>,
    /// Inputs that were asked for: what the lockfile must hold.
    used: Mutex<BTreeMap<Key, Filled>>,
    trees: Mutex<BTreeMap<String, Arc<Files>>>,
    policy: Arc<Policy>,
    /// Whether what is damaged is to be fetched anew.
    is_mended: bool,
    /// Who signed what, by the digest of it.
    signers: Mutex<BTreeMap<(Request, Digest), Vec<String>>>,
}

impl Locked {
    /// The inputs of a repository; without a lockfile, none.
    pub fn new(
        lockfile: Option<Lockfile>,
        store: Store,
        vendored: Option<Vendored>,
        source_map: Arc<SourceMap>,
    ) -> Locked {
        Locked {
            has_lockfile: lockfile.is_some(),
            lockfile: lockfile.unwrap_or_default(),
            store,
            vendored,
            source_map,
            failed: BTreeMap::new(),
            found_none: BTreeSet::new(),
            orders: Mutex::default(),
            used: Mutex::default(),
            trees: Mutex::default(),
            policy: Arc::default(),
            is_mended: false,
            signers: Mutex::default(),
        }
    }

    /// The same inputs, held to what the user asks for.
    #[must_use]
    pub fn with_policy(self, policy: Arc<Policy>) -> Locked {
        Locked { policy, ..self }
    }

    /// The same inputs, where what is damaged in the store is as good as not
    /// there, and what was changed in the vendored folder as well: for who can
    /// fetch it anew.
    #[must_use]
    pub fn mended(self) -> Locked {
        Locked {
            is_mended: true,
            ..self
        }
    }

    /// Who must have signed what.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(super) fn lockfile(&self) -> &Lockfile {
        &self.lockfile
    }

    /// Remembers who signed something.
    pub(super) fn note_signers(&self, request: Request, digest: Digest, signers: &[String]) {
        lock(&self.signers).insert((request, digest), signers.to_vec());
    }

    /// Whether an order came to nothing.
    pub(super) fn looked_for(&self, key: &Key) -> bool {
        self.found_none.contains(key)
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What was asked for and is not at hand; asked once, it is forgotten.
    pub fn take_orders(&mut self) -> BTreeMap<Key, Order> {
        std::mem::take(
            self.orders
                .get_mut()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Whether something was asked for that is not at hand.
    pub fn has_orders(&self) -> bool {
        !lock(&self.orders).is_empty()
    }

    /// Takes up what an order came to.
    pub fn fill(&mut self, key: Key, result: Result<Filled>) {
        match result {
            Ok(filled) => {
                set(&mut self.lockfile, &key, filled.clone());
                if filled.digests().is_empty() {
                    self.found_none.insert(key);
                }
            }
            Err(e) => {
                self.failed.insert(key, e);
            }
        }
    }

    /// The lockfile that holds what was asked for so far, and nothing else.
    pub fn used(&self) -> Lockfile {
        let mut lockfile = Lockfile::default();
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, filled) in used.iter() {
            set(&mut lockfile, key, filled.clone());
        }
        for ((request, digest), signers) in lock(&self.signers).iter() {
            if let Some(locked) = lockfile.sources.get_mut(request) {
                let signed = locked.signed.entry(*digest).or_default();
                signed.verified.clone_from(signers);
            }
        }
        lockfile
    }

    /// The artifact of a source.
    ///
    /// # Errors
    ///
    /// `lock/missing`, `lock/stale`, `store/missing` and what is wrong with
    /// the content.
    pub fn tree(&self, source: &Source, declared: &Declared<'_>) -> Result<Arc<Files>> {
        self.tree_within(source, declared, 0)
    }

    fn tree_within(
        &self,
        source: &Source,
        declared: &Declared<'_>,
        depth: u32,
    ) -> Result<Arc<Files>> {
        let request = Request::of(source);
        let pin = self.pin(&request, source)?;
        // Everything that decides the artifact, beside the content.
        let view = format!("{} {:?} {:?}", pin.digest, source.ignore, source.spec);
        if let Some(files) = lock(&self.trees).get(&view) {
            return Ok(files.clone());
        }
        let content = self.content(source, &request, &pin)?;
        let name = source.id.to_string();
        let ignore = source.ignore.as_deref();
        let tree = match &source.spec {
            SourceSpec::Git(git) => {
                let included = |include: &crate::flux::api::Include| {
                    let other = SourceRef {
                        kind: "GitRepository".into(),
                        namespace: source.id.namespace.clone(),
                        name: include.repository.clone(),
                    };
                    let missing = || {
                        Error::new("ref/missing", format!("`{other}` is not in the repository"))
                            .help("`include` names a GitRepository of the same namespace")
                    };
                    let other = declared(&other).ok_or_else(missing)?;
                    if depth > 8 {
                        return Err(Error::new(
                            "dag/cycle",
                            format!("`{}` includes itself", source.id),
                        )
                        .help("leave out one of the entries of `include` that lead back"));
                    }
                    let files = self.tree_within(&other, declared, depth + 1)?;
                    Ok(files.tree().clone())
                };
                view::git(&content, &name, git, ignore, &included)?
            }
            SourceSpec::Oci(oci) => view::oci(&content, &name, oci, ignore)?,
            SourceSpec::Bucket(bucket) => view::bucket(&content, &name, bucket, ignore)?,
            SourceSpec::Helm(_) => {
                return Err(Error::new(
                    "ref/missing",
                    format!("`{}` holds charts, no files", source.id),
                ));
            }
        };
        let files = Arc::new(Files::new(tree, self.source_map.clone()));
        lock(&self.trees).insert(view, files.clone());
        Ok(files)
    }

    /// Makes sure that a source is pinned and at hand, whoever uses it; of a
    /// HelmRepository, nothing but its charts ever is.
    ///
    /// # Errors
    ///
    /// As [`Locked::tree`].
    pub fn require(&self, source: &Source) -> Result<()> {
        if matches!(source.spec, SourceSpec::Helm(_)) {
            return Ok(());
        }
        let request = Request::of(source);
        let pin = self.pin(&request, source)?;
        self.content(source, &request, &pin).map(drop)
    }

    /// What was tried and failed.
    pub fn failures(&self) -> impl Iterator<Item = &Error> {
        self.failed.values()
    }

    /// Inputs that were asked for and are at hand.
    pub fn inputs(&self) -> BTreeMap<Key, Filled> {
        lock(&self.used).clone()
    }

    /// The archive of a chart from a HelmRepository.
    ///
    /// # Errors
    ///
    /// As [`Locked::tree`].
    pub fn chart(
        &self,
        source: &Source,
        chart: &ChartRequest,
        span: Span,
    ) -> Result<(Arc<[u8]>, ChartPin)> {
        let SourceSpec::Helm(helm) = &source.spec else {
            return Err(Error::new(
                "ref/missing",
                format!("`{}` is no HelmRepository", source.id),
            ));
        };
        let request = Request::of(source);
        let key = Key::Chart(request.clone(), chart.clone());
        let locked = self
            .lockfile
            .sources
            .get(&request)
            .and_then(|s| s.charts.get(chart));
        let order = |pin: Option<&ChartPin>| Order {
            source: Some(source.clone()),
            address: None,
            span,
            pin: pin.cloned().map(Filled::Chart),
        };
        let Some(pin) = locked else {
            return Err(self.unlocked(&key, order(None)));
        };
        match self.archive(pin, helm.is_oci)? {
            Some(content) => {
                self.note_use(key, Filled::Chart(pin.clone()));
                Ok((content, pin.clone()))
            }
            None => Err(self.unfetched(&key, order(Some(pin)))),
        }
    }

    /// The archive of a chart that another one depends on, from the repository
    /// at an address; `source` is the HelmRepository of that address, if there
    /// is one.
    ///
    /// # Errors
    ///
    /// As [`Locked::tree`].
    pub fn dependency(
        &self,
        address: &str,
        source: Option<&Source>,
        chart: &ChartRequest,
        span: Span,
    ) -> Result<(Arc<[u8]>, ChartPin)> {
        let url = without_password(address);
        let key = Key::Dependency(url.clone(), chart.clone());
        let locked = self.lockfile.dependencies.get(&url);
        let locked = locked.and_then(|charts| charts.get(chart));
        let order = |pin: Option<&ChartPin>| Order {
            source: source.cloned(),
            address: Some(address.to_owned()),
            span,
            pin: pin.cloned().map(Filled::Chart),
        };
        let Some(pin) = locked else {
            return Err(self.unlocked(&key, order(None)));
        };
        match self.archive(pin, is_registry(address))? {
            Some(content) => {
                self.note_use(key, Filled::Chart(pin.clone()));
                Ok((content, pin.clone()))
            }
            None => Err(self.unfetched(&key, order(Some(pin)))),
        }
    }

    /// The archive that a chart is locked at; none where it is not at hand.
    fn archive(&self, pin: &ChartPin, is_registry: bool) -> Result<Option<Arc<[u8]>>> {
        let digest = if is_registry {
            self.layer(pin.digest, &Layer::Chart)?
        } else {
            Some(pin.digest)
        };
        Ok(digest.map(|d| self.read(d)).transpose()?.flatten())
    }

    /// A file by its address.
    ///
    /// # Errors
    ///
    /// As [`Locked::tree`].
    pub fn file(&self, address: &str, span: Span) -> Result<Arc<[u8]>> {
        let name = without_password(address);
        let key = Key::Remote(name.clone());
        let order = |pin: Option<&Pin>| Order {
            source: None,
            address: Some(address.to_owned()),
            span,
            pin: pin.cloned().map(Filled::Pin),
        };
        let Some(pin) = self.lockfile.remotes.get(&name) else {
            return Err(self.unlocked(&key, order(None)));
        };
        let Some(content) = self.read(pin.digest)? else {
            return Err(self.unfetched(&key, order(Some(pin))));
        };
        self.note_use(key, Filled::Pin(pin.clone()));
        Ok(content)
    }

    /// What the contents of all addresses are known by.
    pub fn key_of_remotes(&self) -> String {
        let remotes = self.lockfile.remotes.iter();
        let pins = remotes.map(|(address, pin)| format!("{address} {}\n", pin.digest));
        pins.collect()
    }

    /// The archive of a chart that is an OCIRepository's layer.
    ///
    /// # Errors
    ///
    /// As [`Locked::tree`].
    pub fn chart_layer(&self, source: &Source) -> Result<(Arc<[u8]>, Pin)> {
        let request = Request::of(source);
        let pin = self.pin(&request, source)?;
        Ok((self.content(source, &request, &pin)?, pin))
    }

    /// What a remote resource of a kustomization stands for.
    ///
    /// # Errors
    ///
    /// As [`Locked::tree`].
    pub fn remote(&self, address: &str, span: Span) -> Result<RemoteContent> {
        let names = remote_names(address);
        let locked = names
            .iter()
            .find_map(|(name, spec)| Some((name, spec, self.lockfile.remotes.get(name)?)));
        let order = |pin: Option<&Pin>| Order {
            source: None,
            address: Some(address.to_owned()),
            span,
            pin: pin.cloned().map(Filled::Pin),
        };
        let Some((name, repository, pin)) = locked else {
            let (name, _) = names.first().cloned().unwrap_or_default();
            return Err(self.unlocked(&Key::Remote(name), order(None)));
        };
        let key = Key::Remote(name.clone());
        let Some(content) = self.read(pin.digest)? else {
            return Err(self.unfetched(&key, order(Some(pin))));
        };
        self.note_use(key, Filled::Pin(pin.clone()));
        let view = format!("{name} {}", pin.digest);
        let known = lock(&self.trees).get(&view).cloned();
        let (files, path) = if let Some(spec) = repository {
            let unpack = || -> Result<Arc<Files>> {
                let tree = Arc::new(pack::unpack(&content, name)?);
                Ok(Arc::new(Files::new(tree, self.source_map.clone())))
            };
            (known.map_or_else(unpack, Ok)?, spec.folder.clone())
        } else {
            let file = name.rsplit('/').next().unwrap_or_default();
            let file = file.split(['?', '#']).next().unwrap_or_default().to_owned();
            let make = || {
                let folder = address.split(['?', '#']).next().unwrap_or_default();
                let folder = folder.strip_suffix(&file).unwrap_or_default();
                let mut tree = MemoryTree::new(folder.trim_end_matches('/'));
                tree.insert(file.clone(), content.clone());
                Arc::new(Files::new(Arc::new(tree), self.source_map.clone()))
            };
            (known.unwrap_or_else(make), file)
        };
        lock(&self.trees).insert(view, files.clone());
        Ok(RemoteContent {
            files,
            path: path.trim_end_matches('/').to_owned(),
        })
    }

    /// What an input consists of: pairs of what it is to be called and its
    /// digest; empty where it is not at hand.
    ///
    /// # Errors
    ///
    /// As [`Locked::tree`].
    pub fn parts(
        &self,
        key: &Key,
        source: Option<&Source>,
        filled: &Filled,
    ) -> Result<Vec<Digest>> {
        let of = match filled {
            Filled::Pin(pin) => pin.digest,
            Filled::Chart(pin) => pin.digest,
            Filled::Signatures(signatures) => {
                let read = |digest| self.read(digest);
                return view::with_layers(&read, signatures);
            }
        };
        let choice = match (key, source.map(|s| &s.spec)) {
            (Key::Dependency(url, _), _) if is_registry(url) => Layer::Chart,
            (Key::Source(_), Some(SourceSpec::Oci(spec))) => Layer::Of(spec),
            (Key::Chart(..), Some(SourceSpec::Helm(helm))) if helm.is_oci => Layer::Chart,
            _ => return Ok(vec![of]),
        };
        view::parts(&|digest| self.read(digest), of, &choice)
    }

    /// Content by its digest.
    ///
    /// # Errors
    ///
    /// As [`Store::read`].
    pub fn content_of(&self, digest: Digest) -> Result<Arc<[u8]>> {
        match self.read(digest)? {
            Some(content) => Ok(content),
            None => self.store.read(digest),
        }
    }

    /// What a source is locked at; none for what is not.
    pub fn pin_of(&self, source: &Source) -> Option<Pin> {
        let locked = self.lockfile.sources.get(&Request::of(source))?;
        locked.pin.clone()
    }

    /// The pin of a source; without one, an order for it.
    fn pin(&self, request: &Request, source: &Source) -> Result<Pin> {
        let found = self.lockfile.sources.get(request);
        match found.and_then(|s| s.pin.clone()) {
            Some(pin) => Ok(pin),
            None => Err(self.unlocked(
                &Key::Source(request.clone()),
                Order {
                    source: Some(source.clone()),
                    address: None,
                    span: source.url_span,
                    pin: None,
                },
            )),
        }
    }

    /// What a pin stands for; of an OCI artifact its layer.
    fn content(&self, source: &Source, request: &Request, pin: &Pin) -> Result<Arc<[u8]>> {
        let key = Key::Source(request.clone());
        let digest = match &source.spec {
            SourceSpec::Oci(spec) => self
                .layer(pin.digest, &Layer::Of(spec))
                .map_err(|e| e.at(source.span))?,
            _ => Some(pin.digest),
        };
        match digest.map(|d| self.read(d)).transpose()?.flatten() {
            Some(content) => {
                self.note_use(key, Filled::Pin(pin.clone()));
                Ok(content)
            }
            None => Err(self.unfetched(
                &key,
                Order {
                    source: Some(source.clone()),
                    address: None,
                    span: source.url_span,
                    pin: Some(Filled::Pin(pin.clone())),
                },
            )),
        }
    }

    /// The layer of an artifact; none where its manifest is not at hand.
    fn layer(&self, manifest: Digest, choice: &Layer<'_>) -> Result<Option<Digest>> {
        view::layer(&|digest| self.read(digest), manifest, choice)
    }

    /// Content by its digest, from the repository or the store; none where it
    /// is in neither.
    pub(super) fn read(&self, digest: Digest) -> Result<Option<Arc<[u8]>>> {
        if let Some(vendored) = &self.vendored {
            match vendored.read(digest) {
                Ok(None) => {}
                Err(_) if self.is_mended => {}
                found => return found,
            }
        }
        match self.store.read(digest) {
            Ok(content) => Ok(Some(content)),
            Err(e) if e.rule() == "store/missing" => Ok(None),
            Err(e) if e.rule() == "store/damaged" && self.is_mended => Ok(None),
            Err(e) => Err(e),
        }
    }

    pub(super) fn note_use(&self, key: Key, filled: Filled) {
        lock(&self.used).insert(key, filled);
    }

    /// Why an input without a pin cannot be had.
    fn unlocked(&self, key: &Key, order: Order) -> Error {
        if let Some(failed) = self.failed.get(key) {
            return failed.clone().at(order.span);
        }
        let span = order.span;
        lock(&self.orders).insert(key.clone(), order);
        let source = match key {
            Key::Source(request) | Key::Chart(request, _) => Some(&request.source),
            Key::Dependency(..) | Key::Remote(_) | Key::Signatures { .. } => None,
        };
        if !self.has_lockfile {
            return Error::new("source/unavailable", format!("`{key}` is not at hand"))
                .at(span)
                .help(match source {
                    Some(source) => format!(
                        "run `fluxwright lock` to pin and fetch it, or give what stands in: \
                         `--local-sources {source}=PATH`"
                    ),
                    None => "run `fluxwright lock` to pin and fetch it".to_owned(),
                });
        }
        if let Some(source) = source
            && let Some((old, _)) = self.lockfile.named(source).next()
            && !matches!(key, Key::Chart(request, _) if request == old)
        {
            return Error::new(
                "lock/stale",
                format!("{FILE_NAME} has `{key}` for {}", asked(old)),
            )
            .at(span)
            .help("the source was changed since: run `fluxwright lock`");
        }
        Error::new("lock/missing", format!("`{key}` is not in {FILE_NAME}"))
            .at(span)
            .help("run `fluxwright lock`")
    }

    /// Why signatures that the lockfile does not name cannot be looked at.
    pub(super) fn unlocked_signatures(&self, key: &Key, order: Order) -> Error {
        if let Some(failed) = self.failed.get(key) {
            return failed.clone();
        }
        lock(&self.orders).insert(key.clone(), order);
        Error::new(
            "lock/missing",
            format!("it must be signed, and {FILE_NAME} names no signatures of it"),
        )
        .help("run `fluxwright lock`")
    }

    /// Why an input that is pinned cannot be had.
    pub(super) fn unfetched(&self, key: &Key, order: Order) -> Error {
        if let Some(failed) = self.failed.get(key) {
            return failed.clone().at(order.span);
        }
        let span = order.span;
        lock(&self.orders).insert(key.clone(), order);
        Error::new(
            "store/missing",
            format!("`{key}` is locked and was not fetched"),
        )
        .at(span)
        .help("run `fluxwright fetch`, which needs the network")
    }
}

/// What a remote address may be locked as, and the repository that it is then.
///
/// Compat: kustomize `accumulateResources`: an address is tried as a file, then
/// as a folder of a repository. One that cannot be a file is a repository; all
/// folders of a repository are one input.
fn remote_names(address: &str) -> Vec<(String, Option<RepoSpec>)> {
    let file = (without_password(address), None);
    let Some(spec) = RepoSpec::parse(address) else {
        return vec![file];
    };
    let name = match &spec.reference {
        Some(reference) => format!("{}?ref={reference}", spec.repository),
        None => spec.repository.clone(),
    };
    let repository = (without_password(&name), Some(spec));
    if is_repository(address) {
        vec![repository]
    } else {
        vec![file, repository]
    }
}

/// Whether a repository of charts is one in a registry.
pub(super) fn is_registry(address: &str) -> bool {
    address.starts_with("oci://")
}

/// Whether an address can be nothing but that of a repository.
pub(super) fn is_repository(address: &str) -> bool {
    let is_http = address.starts_with("https://") || address.starts_with("http://");
    let (place, query) = address.split_once('?').unwrap_or((address, ""));
    let place = place.split_once("://").map_or(place, |(_, rest)| rest);
    let names_revision = |q: &str| q.starts_with("ref=") || q.starts_with("version=");
    !is_http
        || query.split('&').any(names_revision)
        || place.contains("//")
        || format!("{place}/").contains(".git/")
}

/// What a request asks for, in a few words.
fn asked(request: &Request) -> String {
    let reference: Vec<String> = request
        .reference
        .iter()
        .map(|(key, value)| format!("{key} {value}"))
        .collect();
    if reference.is_empty() {
        format!("`{}`", request.url)
    } else {
        format!("`{}`, {}", request.url, reference.join(", "))
    }
}

/// Puts a pin in its place in a lockfile.
fn set(lockfile: &mut Lockfile, key: &Key, filled: Filled) {
    match (key, filled) {
        (Key::Source(request), Filled::Pin(pin)) => {
            lockfile.sources.entry(request.clone()).or_default().pin = Some(pin);
        }
        (Key::Chart(request, chart), Filled::Chart(pin)) => {
            let source = lockfile.sources.entry(request.clone()).or_default();
            source.charts.insert(chart.clone(), pin);
        }
        (Key::Dependency(url, chart), Filled::Chart(pin)) => {
            let charts = lockfile.dependencies.entry(url.clone()).or_default();
            charts.insert(chart.clone(), pin);
        }
        (Key::Remote(address), Filled::Pin(pin)) => {
            lockfile.remotes.insert(address.clone(), pin);
        }
        (Key::Signatures { request, of, .. }, Filled::Signatures(signatures)) => {
            let source = lockfile.sources.entry(request.clone()).or_default();
            source.signed.entry(*of).or_default().signatures = signatures;
        }
        // An order is filled by what it asks for.
        _ => {}
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
