//! Sources: which tree stands behind a `sourceRef`.
//!
//! The repository's own source is its working tree; `--local-sources` gives
//! others, and the lockfile with the store the rest. What is none of these is
//! not at hand, and stops only what needs it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::composed::{self, Generators};
use super::release::Charts;
use super::reuse::Scope;
use crate::artifact::ignore::{IgnoringTree, Matcher};
use crate::artifact::{MemoryTree, archive};
use crate::diag::{Error, Result, SourceMap, Span};
use crate::flux::api::{Source, SourceRef, SourceSpec};
use crate::helm::RemoteSchemas;
use crate::kustomize::{Remote, RemoteContent, Text};
use crate::lock::Pin;
use crate::resource::Files;
use crate::source::Locked;
use crate::source::trust::{self, Verdict};
use crate::yaml::{Node, secret};

/// A source that the user gives: the user's own word, not verified.
#[derive(Clone, Debug)]
pub struct LocalSource {
    /// The path as the user wrote it.
    pub path: String,
    content: Arc<Content>,
}

#[derive(Debug)]
enum Content {
    Folder(Arc<Files>),
    Archive {
        bytes: Arc<[u8]>,
        source_map: Arc<SourceMap>,
        /// Unpacked when a file of it is asked for: charts are read packed.
        files: OnceLock<Result<Arc<Files>>>,
    },
}

impl LocalSource {
    /// A folder.
    pub fn folder(path: impl Into<String>, files: Arc<Files>) -> LocalSource {
        LocalSource {
            path: path.into(),
            content: Arc::new(Content::Folder(files)),
        }
    }

    /// A tar archive, packed by gzip or not.
    pub fn archive(
        path: impl Into<String>,
        bytes: Arc<[u8]>,
        source_map: &Arc<SourceMap>,
    ) -> LocalSource {
        LocalSource {
            path: path.into(),
            content: Arc::new(Content::Archive {
                bytes,
                source_map: source_map.clone(),
                files: OnceLock::new(),
            }),
        }
    }

    /// The files in it.
    ///
    /// # Errors
    ///
    /// As [`archive::unpack`].
    pub fn files(&self) -> Result<&Arc<Files>> {
        match &*self.content {
            Content::Folder(files) => Ok(files),
            Content::Archive {
                bytes,
                source_map,
                files,
            } => files
                .get_or_init(|| {
                    let mut tree = MemoryTree::new(&*self.path);
                    archive::unpack(bytes, &mut tree)?;
                    Ok(Arc::new(Files::new(Arc::new(tree), source_map.clone())))
                })
                .as_ref()
                .map_err(Error::clone),
        }
    }

    /// The bytes of an archive; none for a folder.
    pub fn packed(&self) -> Option<&Arc<[u8]>> {
        match &*self.content {
            Content::Folder(_) => None,
            Content::Archive { bytes, .. } => Some(bytes),
        }
    }
}

/// All sources that are at hand.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The repository's working tree.
    pub repository: Arc<Files>,
    /// What the repository itself is called in the cluster.
    pub own: Option<SourceRef>,
    /// What `--local-sources` gives.
    pub local: BTreeMap<SourceRef, LocalSource>,
    /// What the lockfile pins; none where nobody looked for a lockfile.
    pub locked: Option<Arc<Locked>>,
    /// The sources that the cluster's objects declare, as far as they are
    /// known.
    pub(super) declared: BTreeMap<SourceRef, Result<Source>>,
    /// The cluster's Secrets, as far as they are known.
    pub(super) secrets: BTreeMap<(Arc<str>, Arc<str>), trust::Secret>,
    /// What was found of the signatures of its sources and charts.
    pub(super) verdicts: Arc<Mutex<BTreeMap<String, Verdict>>>,
    /// What composes artifacts of sources.
    pub(super) generators: Generators,
    /// The charts that were loaded from these.
    pub(super) charts: Arc<Charts>,
    /// Which of several versions of the repository this is, and of which cluster.
    pub(super) scope: Scope,
    /// The repository as its own source makes it, by the folder that it is made
    /// of and the rules of that source: made once for all clusters.
    artifacts: Arc<Mutex<BTreeMap<ArtifactKey, Arc<Files>>>>,
}

/// A folder, and the ignore rules of a source.
type ArtifactKey = (String, Option<String>);

impl Sources {
    /// A repository's working tree, and nothing besides.
    pub fn new(repository: Arc<Files>) -> Sources {
        Sources {
            repository,
            own: None,
            local: BTreeMap::new(),
            locked: None,
            declared: BTreeMap::new(),
            secrets: BTreeMap::new(),
            verdicts: Arc::default(),
            generators: Generators::default(),
            charts: Arc::default(),
            scope: Scope::default(),
            artifacts: Arc::default(),
        }
    }

    /// Another version of the repository, with the same local sources, and
    /// with the charts that are the same in both.
    #[must_use]
    pub fn beside(&self, repository: Arc<Files>) -> Sources {
        Sources {
            local: self.local.clone(),
            charts: self.charts.clone(),
            scope: Scope {
                version: self.scope.version + 1,
                ..Scope::default()
            },
            ..Sources::new(repository)
        }
    }

    /// The tree behind a reference that stands at `span`.
    ///
    /// # Errors
    ///
    /// `source/unavailable` for what is not at hand, and as [`Locked::tree`].
    pub fn resolve(&self, source: &SourceRef, span: Span) -> Result<Arc<Files>> {
        if let Some(local) = self.local.get(source) {
            return local.files().cloned();
        }
        if self.is_own(source) {
            return Ok(self.repository.clone());
        }
        if composed::is_artifact(source) {
            return Ok(self.artifact(source, span)?.files);
        }
        self.verify(source).map_err(|e| e.at(span))?;
        let (locked, declared) = self.locked(source, span)?;
        let others = |other: &SourceRef| self.declared.get(other)?.as_ref().ok().cloned();
        locked.tree(declared, &others).map_err(|e| e.at(span))
    }

    /// What the lockfile has, and the source as the cluster declares it.
    ///
    /// # Errors
    ///
    /// `source/unavailable` where one of them is missing, and what is wrong
    /// with the declaration.
    pub(super) fn locked(&self, source: &SourceRef, span: Span) -> Result<(&Locked, &Source)> {
        match (&self.locked, self.declared.get(source)) {
            (Some(locked), Some(Ok(declared))) => Ok((locked, declared)),
            (_, Some(Err(e))) => Err(e.clone()),
            _ => Err(unavailable(source, span)),
        }
    }

    /// What a source is locked at, or what it is composed to; none for what is
    /// neither.
    pub(super) fn pin(&self, source: &SourceRef) -> Option<Pin> {
        if composed::is_artifact(source) && !self.local.contains_key(source) {
            return self.artifact(source, Span::NONE).ok().map(|a| a.pin);
        }
        let declared = self.declared.get(source)?.as_ref().ok()?;
        self.locked.as_ref()?.pin_of(declared)
    }

    /// What schemas refer to by address, as it is locked; none where nothing is.
    pub(super) fn schemas(&self) -> Option<Arc<dyn RemoteSchemas>> {
        let locked = self.locked.clone()?;
        Some(Arc::new(LockedSchemas(locked)))
    }

    /// What all that schemas can refer to is known by: what is locked under an
    /// address.
    pub(super) fn key_of_schemas(&self) -> String {
        let locked = self.locked.as_ref();
        locked.map_or_else(String::new, |locked| locked.key_of_remotes())
    }

    /// The HelmRepository of an address in a namespace.
    pub(super) fn repository_at(&self, address: &str, namespace: &str) -> Option<&Source> {
        self.declared
            .values()
            .filter_map(|declared| declared.as_ref().ok())
            .find(|source| {
                matches!(source.spec, SourceSpec::Helm(_))
                    && &*source.id.namespace == namespace
                    && source.url.trim_end_matches('/') == address
            })
    }

    /// The path of a source that the user gives by hand and that this one is, or
    /// is made of.
    pub(super) fn local_part(&self, source: &SourceRef) -> Option<String> {
        if let Some(local) = self.local.get(source) {
            return Some(local.path.clone());
        }
        self.parts_of(source)
            .iter()
            .find_map(|part| self.local_part(part))
    }

    /// What the content of a source is known by in this cluster: the path that
    /// the user gave, which may be one for many sources; else its name, what it
    /// is locked at, and for what need not be the same in every version of the
    /// repository, that version.
    pub(super) fn key_of(&self, source: &SourceRef) -> String {
        let version = self.scope.version;
        match (self.local.get(source), self.pin(source)) {
            (Some(local), _) => format!("local {}", local.path),
            // Each cluster may leave other files out of it.
            _ if self.is_own(source) => {
                format!("{source} {:p} {version}", Arc::as_ptr(&self.repository))
            }
            (None, Some(pin)) => format!("{source} {} {version}", pin.digest),
            (None, None) => format!("{source} {version}"),
        }
    }

    /// Takes up a source that an object declares, and a Secret, which may hold
    /// keys.
    pub(super) fn declare(&mut self, object: &Node) {
        // Most objects are neither, and that is seen at once.
        let text = |key| object.get(key).and_then(Node::text).unwrap_or_default();
        if text("kind") != "Secret" && !text("apiVersion").contains("fluxcd.io/") {
            return;
        }
        self.declare_secret(object);
        self.generators.declare(object);
        let declared = match Source::read(object) {
            Ok(None) => return,
            Ok(Some(source)) => in_clear(object).map(|()| source),
            Err(e) => Err(e),
        };
        self.declared.insert(SourceRef::of(object), declared);
    }

    /// Whether all is known that can be of a source.
    pub(super) fn knows(&self, source: &SourceRef) -> bool {
        if composed::is_artifact(source) {
            return self.local.contains_key(source) || self.knows_artifact(source);
        }
        self.local.contains_key(source)
            || self.is_own(source)
            // One that is declared may turn out to be the repository itself.
            || (self.declared.contains_key(source)
                && (self.locked.is_none() || self.knows_keys(source)))
    }

    /// Makes the repository the artifact that its own source makes of a folder
    /// of it: what `.sourceignore` files, the source's `spec.ignore` or Flux's
    /// defaults leave out is not there.
    ///
    /// # Errors
    ///
    /// As [`Matcher::for_artifact`].
    pub(super) fn make_artifact(&mut self, folder: &str, objects: &[Node]) -> Result<()> {
        let own = objects
            .iter()
            .find(|object| self.own.as_ref().is_some_and(|own| own.is_of(object)));
        let rules = own
            .and_then(|object| object.at_path(&["spec", "ignore"]))
            .and_then(Node::text);
        let key = (folder.to_owned(), rules.map(str::to_owned));
        let lock = || {
            self.artifacts
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let known = lock().get(&key).cloned();
        let artifact = if let Some(artifact) = known {
            artifact
        } else {
            let rooted = (!folder.is_empty()).then(|| self.repository.rooted(folder));
            let files = rooted.as_ref().unwrap_or(&self.repository);
            let tree = files.tree().clone();
            let matcher = Matcher::for_artifact(&*tree, rules)?;
            let tree = IgnoringTree::new(tree, matcher);
            let artifact = Arc::new(files.narrowed(Arc::new(tree)));
            lock().entry(key).or_insert(artifact).clone()
        };
        self.repository = artifact;
        Ok(())
    }

    /// Whether a reference is the repository itself: its own source, or another
    /// GitRepository with the same content.
    pub fn is_own(&self, source: &SourceRef) -> bool {
        let Some(own) = &self.own else { return false };
        let declared = |source| self.declared.get(source)?.as_ref().ok();
        own == source
            || declared(own)
                .zip(declared(source))
                .is_some_and(|(own, other)| own.is_same_content(other))
    }
}

/// Refuses a source whose address or version was made from a decrypted value: it
/// would stand in the lockfile, and be asked of a server.
fn in_clear(object: &Node) -> Result<()> {
    /// What a lockfile does not tell.
    const UNTOLD: [&str; 9] = [
        "accessFrom",
        "certSecretRef",
        "interval",
        "proxySecretRef",
        "secretRef",
        "serviceAccountName",
        "suspend",
        "timeout",
        "verify",
    ];
    let spec = object.get("spec").map_or(&[][..], Node::entries).iter();
    let told = spec.filter(|e| !e.key.text().is_some_and(|key| UNTOLD.contains(&key)));
    let names = ["name", "namespace"].map(|name| object.at_path(&["metadata", name]));
    let all = told
        .map(|entry| &entry.value)
        .chain(names.into_iter().flatten());
    match all.into_iter().find(|node| secret::has_secret(node)) {
        Some(node) => Err(secret_request("the source").at(node.span())),
        None => Ok(()),
    }
}

/// The error for what cannot be pinned, since a lockfile is in clear.
pub(super) fn secret_request(what: &str) -> Error {
    Error::new(
        "source/unavailable",
        format!("{what} cannot be pinned: its name, address or version holds a decrypted value"),
    )
    .help(
        "a lockfile is in clear: write it in clear here too, or give what stands in for it with \
         `--local-sources`",
    )
}

/// Schemas as they are locked.
#[derive(Debug)]
struct LockedSchemas(Arc<Locked>);

impl RemoteSchemas for LockedSchemas {
    fn schema(&self, address: &str, span: Span) -> Result<Arc<[u8]>> {
        self.0.file(address, span)
    }
}

/// The error for a source that is not at hand.
pub(super) fn unavailable(source: &SourceRef, span: Span) -> Error {
    Error::new(
        "source/unavailable",
        format!("the source `{source}` is not at hand"),
    )
    .at(span)
    .help(format!(
        "pin and fetch it with `fluxwright lock`, or give a folder or an archive that stands in: \
         `--local-sources {source}=PATH`"
    ))
}

impl Remote for Sources {
    fn resolve(&self, address: &Text) -> Result<RemoteContent> {
        match &self.locked {
            Some(locked) => locked.remote(&address.text, address.span),
            None => Err(Error::new(
                "source/unavailable",
                format!("the remote resource `{}` is not at hand", address.text),
            )
            .at(address.span)
            .help("pin and fetch it with `fluxwright lock`, or name a copy in the repository")),
        }
    }
}
