//! Orders, fulfilled over the network.
//!
//! In: [`Order`]s. Out: for each what it came to, with its content in the
//! store. Sources wait for each other's servers at the same time; the charts of
//! one repository share one reading of its index.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use super::http::Http;
use super::{Credentials, Filled, Key, Order, Settings, bucket, docker, git, helm, locked, oci};
use crate::artifact::Digest;
use crate::diag::{Error, Result, Span};
use crate::flux::api::{HelmSpec, Source, SourceSpec};
use crate::kustomize::RepoSpec;
use crate::lock::{ChartPin, ChartRequest, Pin, without_password};
use crate::store::Store;

/// How many servers are waited for at once.
const AT_ONCE: usize = 32;

/// The largest file that is taken by its address alone, in bytes.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// What a source came to.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) revision: String,
    pub(super) digest: Digest,
}

impl Resolved {
    fn into_pin(self) -> Pin {
        Pin {
            revision: self.revision,
            digest: self.digest,
        }
    }
}

/// How a source is reached.
#[derive(Debug)]
pub(super) struct Access<'a> {
    pub(super) credentials: Credentials,
    pub(super) settings: &'a Settings,
    pub(super) store: &'a Store,
    /// Logins for registries, beside those.
    pub(super) pull_secrets: Vec<Credentials>,
    /// Secrets that are named and cannot be read, as NAMESPACE/NAME.
    unreadable: Vec<String>,
    /// The host that the credentials are for.
    host: String,
    /// Whether something else takes the place of the source's own host.
    is_mirrored: bool,
    /// What it must come to, where that is locked.
    expected: Option<Digest>,
}

impl<'a> Access<'a> {
    pub(super) fn new(
        url: &str,
        credentials: Credentials,
        settings: &'a Settings,
        store: &'a Store,
    ) -> Access<'a> {
        let address = settings.mirrored(url);
        let is_mirrored = address != url;
        // What is for the source's own host goes to no other one.
        let mut credentials = if is_mirrored {
            credentials.proxy_alone()
        } else {
            credentials
        };
        settings.add_for_address(&address, &mut credentials);
        Access {
            credentials,
            settings,
            store,
            pull_secrets: Vec::new(),
            unreadable: Vec::new(),
            host: host(&address),
            is_mirrored,
            expected: None,
        }
    }

    /// The same, for what is locked.
    fn expecting(self, pin: Option<&Pin>) -> Access<'a> {
        Access {
            expected: pin.map(|pin| pin.digest),
            ..self
        }
    }

    /// Puts content into the store, unless something else is locked.
    pub(super) fn put(&self, content: &[u8]) -> Result<Digest> {
        let digest = Digest::of(content);
        match self.expected {
            Some(expected) if expected != digest => Err(changed(&[digest], &[expected])),
            _ => self.store.put(content),
        }
    }

    /// The address to connect to.
    pub(super) fn address(&self, url: &str) -> String {
        self.settings.mirrored(url)
    }

    /// The credentials for another address: those of the source for its own
    /// host, and what is configured for that address.
    pub(super) fn credentials_for(&self, url: &str) -> Credentials {
        let mut credentials = if host(url) == self.host {
            self.credentials.clone()
        } else {
            Credentials::default()
        };
        self.settings.add_for_address(url, &mut credentials);
        credentials
    }

    /// The login of the user's docker configuration for a repository in a
    /// registry, `HOST/PATH`.
    pub(super) fn docker_login(&self, place: &str) -> Result<Option<docker::Login>> {
        let Some(content) = &self.settings.docker_config else {
            return Ok(None);
        };
        match docker::helped_login(content, place)? {
            Some(login) => Ok(Some(login)),
            None => docker::login(content, place),
        }
    }

    /// Says of what went wrong that a Secret might have helped.
    fn explained(&self, error: Error) -> Error {
        // Private repositories answer as if they were missing.
        let may_help = matches!(
            error.rule(),
            "source/denied"
                | "source/certificate"
                | "source/host-key"
                | "source/unreachable"
                | "source/missing"
        );
        match self.unreadable.first() {
            Some(secret) if may_help => error.helped(format!(
                "the Secret `{secret}` is not in the repository in clear: give a key that decrypts \
                 it, or what it holds under `credentials` in .fluxwright.yaml, with `secret: \
                 {secret}`"
            )),
            _ => error,
        }
    }
}

/// Scheme and host of an address.
fn host(url: &str) -> String {
    let end = url.find("://").map_or(0, |at| at + 3);
    let rest = url.get(end..).unwrap_or_default();
    let length = rest.find(['/', '?']).unwrap_or(rest.len());
    url.get(..end + length).unwrap_or_default().to_owned()
}

/// What is done together.
enum Task {
    One(Key, Box<Order>),
    /// Charts of one repository.
    Charts(Repository, Vec<(Key, Order, helm::Asked)>),
}

/// Where charts come from.
#[derive(Clone)]
enum Repository {
    /// A HelmRepository.
    Of(Box<Source>),
    /// An address that no HelmRepository has.
    At(String),
}

impl Repository {
    fn resolve(
        &self,
        settings: &Settings,
        store: &Store,
        asked: &[helm::Asked],
    ) -> Result<Vec<Result<ChartPin>>> {
        let nothing = HelmSpec::default();
        let (access, url, insecure, spec) = match self {
            Repository::Of(source) => {
                let SourceSpec::Helm(spec) = &source.spec else {
                    let message = format!("`{}` is no HelmRepository", source.id);
                    return Err(Error::new("ref/missing", message));
                };
                (
                    access(source, settings, store)?,
                    &*source.url,
                    source.insecure,
                    spec,
                )
            }
            Repository::At(url) => {
                let access = Access::new(url, Credentials::default(), settings, store);
                (access, url.as_str(), false, &nothing)
            }
        };
        let repository = helm::Repository {
            url,
            insecure,
            is_oci: match self {
                Repository::Of(_) => spec.is_oci,
                Repository::At(url) => locked::is_registry(url),
            },
            pass_credentials: spec.pass_credentials,
        };
        let results = helm::resolve(&access, &repository, asked).into_iter();
        Ok(results
            .map(|result| result.map_err(|e| access.explained(e)))
            .collect())
    }
}

/// Fulfils orders; `done` is told of each that is finished.
pub fn fulfil(
    orders: BTreeMap<Key, Order>,
    settings: &Settings,
    store: &Store,
    done: &(dyn Fn(&Key) + Sync),
) -> Vec<(Key, Result<Filled>)> {
    let tasks = Mutex::new(group(orders));
    let results = Mutex::new(Vec::new());
    let work = || {
        loop {
            let next = tasks
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front();
            let Some(task) = next else { return };
            let finished = task.run(settings, store);
            for (key, _) in &finished {
                done(key);
            }
            results
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend(finished);
        }
    };
    let count = tasks.lock().unwrap_or_else(PoisonError::into_inner).len();
    std::thread::scope(|scope| {
        for _ in 0..count.min(AT_ONCE) {
            scope.spawn(work);
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by(|a, b| a.0.cmp(&b.0));
    results
}

fn group(orders: BTreeMap<Key, Order>) -> VecDeque<Task> {
    let mut tasks: VecDeque<Task> = VecDeque::new();
    for (key, order) in orders {
        let (Key::Chart(_, chart) | Key::Dependency(_, chart)) = &key else {
            tasks.push_back(Task::One(key, Box::new(order)));
            continue;
        };
        let repository = match (&order.source, &key) {
            (Some(source), _) => Repository::Of(Box::new(source.clone())),
            (None, Key::Dependency(url, _)) => {
                Repository::At(order.address.clone().unwrap_or_else(|| url.clone()))
            }
            (None, _) => continue,
        };
        let pin = match &order.pin {
            Some(Filled::Chart(pin)) => Some(pin.clone()),
            _ => None,
        };
        let asked = (chart.clone(), pin);
        // Keys are sorted: the charts of a repository stand together.
        if let Some(Task::Charts(_, charts)) = tasks.back_mut()
            && charts
                .first()
                .is_some_and(|(other, _, _)| is_same_repository(other, &key))
        {
            charts.push((key, order, asked));
        } else {
            tasks.push_back(Task::Charts(repository, vec![(key, order, asked)]));
        }
    }
    tasks
}

fn is_same_repository(a: &Key, b: &Key) -> bool {
    match (a, b) {
        (Key::Chart(a, _), Key::Chart(b, _)) => a == b,
        (Key::Dependency(a, _), Key::Dependency(b, _)) => a == b,
        _ => false,
    }
}

impl Task {
    fn run(self, settings: &Settings, store: &Store) -> Vec<(Key, Result<Filled>)> {
        match self {
            Task::One(key, order) => {
                let result = one(&key, &order, settings, store)
                    .and_then(|(key, filled)| Ok((key, as_locked(filled, order.pin.as_ref())?)))
                    .map_err(|e| about(e, &key, order.span));
                vec![match result {
                    Ok((key, filled)) => (key, Ok(filled)),
                    Err(e) => (key, Err(e)),
                }]
            }
            Task::Charts(repository, charts) => {
                let asked: Vec<helm::Asked> = charts.iter().map(|(_, _, a)| a.clone()).collect();
                let results = repository
                    .resolve(settings, store, &asked)
                    .unwrap_or_else(|e| asked.iter().map(|_| Err(e.clone())).collect());
                charts
                    .into_iter()
                    .zip(results)
                    .map(|((key, order, _), result)| {
                        let result = result
                            .map(Filled::Chart)
                            .and_then(|filled| as_locked(filled, order.pin.as_ref()))
                            .map_err(|e| about(e, &key, order.span));
                        (key, result)
                    })
                    .collect()
            }
        }
    }
}

/// Says of an error which input it is about.
fn about(error: Error, key: &Key, span: Span) -> Error {
    error.context(format!("`{key}`")).at(span)
}

/// Refuses what is not what was locked.
fn as_locked(filled: Filled, locked: Option<&Filled>) -> Result<Filled> {
    match locked {
        Some(locked) if locked.digests() != filled.digests() => {
            Err(changed(&filled.digests(), &locked.digests()))
        }
        // Names and revisions stay as they are locked.
        Some(locked) => Ok(locked.clone()),
        None => Ok(filled),
    }
}

/// The error for what is not what was locked.
fn changed(fetched: &[Digest], locked: &[Digest]) -> Error {
    let shown = |digests: &[Digest]| {
        let digests: Vec<String> = digests.iter().map(ToString::to_string).collect();
        digests.join(", ")
    };
    Error::new(
        "store/digest",
        format!(
            "what was fetched has the digest {}, and {} is locked",
            shown(fetched),
            shown(locked)
        ),
    )
    .help(
        "the content changed behind its name: find out why, then take it over with \
         `fluxwright lock --update NAME`",
    )
}

/// How a source is reached: with what its Secrets hold.
fn access<'a>(source: &Source, settings: &'a Settings, store: &'a Store) -> Result<Access<'a>> {
    let mut credentials = Credentials::default();
    let mut unreadable = Vec::new();
    let mut entries = |name: &str| {
        let key = (source.id.namespace.to_string(), name.to_owned());
        let found = settings.secrets.get(&key);
        if found.is_none() {
            unreadable.push(format!("{}/{}", key.0, key.1));
        }
        found.cloned()
    };
    for secret in [&source.cert_secret, &source.secret].into_iter().flatten() {
        if let Some(entries) = entries(secret) {
            credentials.add(entries);
        }
    }
    if let Some(secret) = &source.proxy_secret
        && let Some(entries) = entries(secret)
    {
        credentials.add_proxy(entries);
    }
    let account = source.service_account.as_deref().unwrap_or_default();
    let account = (source.id.namespace.to_string(), account.to_owned());
    let mut pull_secrets = Vec::new();
    for secret in settings
        .service_accounts
        .get(&account)
        .into_iter()
        .flatten()
    {
        if let Some(entries) = entries(secret) {
            let mut login = Credentials::default();
            login.add(entries);
            pull_secrets.push(login);
        }
    }
    let mut access = Access::new(&source.url, credentials, settings, store);
    if matches!(source.spec, SourceSpec::Bucket(_)) && !source.url.contains("://") {
        // An endpoint is a host alone, where other addresses have a scheme.
        for scheme in ["https", "http"] {
            let url = format!("{scheme}://{}", access.address(&source.url));
            settings.add_for_address(&url, &mut access.credentials);
        }
    }
    if !access.is_mirrored {
        access.pull_secrets = pull_secrets;
        check_provider(source, &access)?;
    }
    access.unreadable = unreadable;
    Ok(access)
}

/// Refuses a provider whose login this machine does not offer: for registries
/// docker's configuration and its helpers do, for all sources what
/// `.fluxwright.yaml` names for the address.
fn check_provider(source: &Source, access: &Access<'_>) -> Result<()> {
    let provider = &*source.provider;
    if matches!(source.spec, SourceSpec::Bucket(_)) || provider == "generic" {
        return Ok(());
    }
    if !matches!(provider, "aws" | "azure" | "gcp" | "github") {
        return Err(Error::new(
            "source/provider",
            format!("the provider `{provider}` is not known"),
        )
        .help("there is `generic`, `aws`, `azure`, `gcp` and, for Git, `github`"));
    }
    let place = source.url.strip_prefix("oci://");
    let is_offered = access.credentials.can_log_in()
        || match place {
            Some(place) => {
                let logins = access.pull_secrets.iter().map(|s| s.docker_login(place));
                let logins = logins.collect::<Result<Vec<_>>>()?;
                logins.iter().any(Option::is_some) || access.docker_login(place)?.is_some()
            }
            None => false,
        };
    if is_offered {
        return Ok(());
    }
    Err(Error::new(
        "source/provider",
        format!("this machine offers no login for the provider `{provider}`"),
    )
    .help(match (place, provider) {
        (Some(_), _) => {
            "log in with `docker login`, name a helper under `credHelpers` in docker's \
             configuration, or name `credentials` for the address in .fluxwright.yaml"
        }
        (None, "github") => {
            "GitHub Apps are not supported: name `credentials` for the address in \
             .fluxwright.yaml, a token or `helper: git`"
        }
        (None, _) => {
            "name `credentials` for the address in .fluxwright.yaml, entries or `helper: git`"
        }
    }))
}

/// What an order comes to, and what that is known by.
fn one(key: &Key, order: &Order, settings: &Settings, store: &Store) -> Result<(Key, Filled)> {
    let pin = match &order.pin {
        Some(Filled::Pin(pin)) => Some(pin),
        _ => None,
    };
    let resolved = match (key, &order.source) {
        (Key::Remote(name), _) => {
            let address = order.address.as_deref().unwrap_or(name);
            let (name, resolved) = remote(name, address, pin, settings, store)?;
            return Ok((Key::Remote(name), Filled::Pin(resolved.into_pin())));
        }
        (
            Key::Signatures {
                chart, version, of, ..
            },
            Some(source),
        ) => {
            let access = access(source, settings, store)?;
            let found = signatures(&access, source, order, chart.as_ref(), (version, *of))
                .map_err(|e| access.explained(e))?;
            return Ok((key.clone(), Filled::Signatures(found)));
        }
        (_, Some(source)) => {
            let access = access(source, settings, store)?.expecting(pin);
            let revision = pin.map(|pin| pin.revision.as_str());
            let resolved = match &source.spec {
                SourceSpec::Git(spec) => git::resolve(&access, &source.url, spec, revision),
                SourceSpec::Oci(spec) => oci::resolve(&access, source, spec, revision),
                SourceSpec::Bucket(spec) => bucket::resolve(&access, source, spec),
                SourceSpec::Helm(_) => Err(Error::new(
                    "ref/missing",
                    "a HelmRepository holds charts alone",
                )),
            };
            resolved.map_err(|e| access.explained(e))?
        }
        (_, None) => return Err(Error::new("ref/missing", "it belongs to no source")),
    };
    Ok((key.clone(), Filled::Pin(resolved.into_pin())))
}

/// What proves who signed something; empty where nothing does.
fn signatures(
    access: &Access<'_>,
    source: &Source,
    order: &Order,
    chart: Option<&ChartRequest>,
    (version, of): (&str, Digest),
) -> Result<Vec<Digest>> {
    let locked = match &order.pin {
        Some(Filled::Signatures(locked)) => Some(locked.as_slice()),
        _ => None,
    };
    match (&source.spec, chart) {
        (SourceSpec::Oci(_), _) => oci::signatures(access, source, None, of, locked),
        (SourceSpec::Helm(helm), Some(chart)) if helm.is_oci => {
            oci::signatures(access, source, Some(&chart.name), of, locked)
        }
        (SourceSpec::Helm(helm), Some(chart)) => {
            helm::provenance(access, &source.url, helm.pass_credentials, chart, version)
        }
        _ => Ok(Vec::new()),
    }
}

/// A repository, or a file, that a kustomization names by its address; what it
/// is locked as, which is `name` where nothing else is known.
fn remote(
    name: &str,
    address: &str,
    pin: Option<&Pin>,
    settings: &Settings,
    store: &Store,
) -> Result<(String, Resolved)> {
    let access = Access::new(address, Credentials::default(), settings, store).expecting(pin);
    let git = |spec: &RepoSpec, name: String| {
        let revision = pin.map(|pin| pin.revision.as_str());
        let reference = spec.reference.as_deref();
        let found = git::resolve_base(&access, &spec.repository, reference, revision)?;
        Ok((name, found))
    };
    let spec = RepoSpec::parse(address);
    let is_repository = pin.is_some_and(|pin| !pin.revision.is_empty());
    match &spec {
        Some(spec) if is_repository || locked::is_repository(address) => {
            return git(spec, name.to_owned());
        }
        _ => {}
    }
    let url = access.address(address);
    let http = Http::new(&url, &access.credentials, false)?;
    let content = match (http.read(&url, MAX_FILE_BYTES), spec) {
        (Ok(content), Some(spec)) if pin.is_none() && is_page(&content) => {
            return git(&spec, without_password(&spec.repository));
        }
        (Ok(content), _) => content,
        (Err(e), Some(spec)) if pin.is_none() => {
            // What the first attempt said is more to the point.
            return git(&spec, without_password(&spec.repository)).map_err(|_| e);
        }
        (Err(e), _) => return Err(e),
    };
    let resolved = Resolved {
        revision: String::new(),
        digest: access.put(&content)?,
    };
    Ok((name.to_owned(), resolved))
}

/// Whether content is a page for people, as the sites of repositories answer.
fn is_page(content: &[u8]) -> bool {
    let start = content.get(..content.len().min(200)).unwrap_or_default();
    let start = String::from_utf8_lossy(start)
        .trim_start()
        .to_ascii_lowercase();
    start.starts_with("<!doctype html") || start.starts_with("<html")
}
