//! What builds of two versions of a repository have in common: rendered once.
//!
//! In: a Kustomization or HelmRelease with all that its rendering depends on.
//! Out: a digest of that, and the result of an earlier build in this process
//! that had the same. So a change is rendered where it reaches, and for the
//! rest there is proof that it cannot:
//!
//! - the object itself, as its parent leaves it, places included, so that
//!   findings and errors point to where they should,
//! - what kustomize was told when it read: the content of files, listings,
//!   paths that are not there, remote resources,
//! - variables, values, the chart by its content, what its templates found by
//!   `lookup`, and every option.
//!
//! Decrypted values are part of these digests, which never leave the process.
//! What fails is always rendered anew.
//!
//! Whose result is taken never depends on who is faster, so that places in it are
//! the same in every run ([`Scope`]).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::HashMap;

use super::Sources;
use super::composed;
use super::known::Known;
use super::release::{self, Asked};
use super::render::{Options, Raw, Rendered};
use super::variables::Sourced;
use crate::artifact::bytes::Writer;
use crate::artifact::{Digest, Reads, Recording};
use crate::diag::{FileId, Result, Span};
use crate::flux::api::{Kustomization, SourceRef};
use crate::helm;
use crate::kustomize::{Remote, RemoteContent, Text};
use crate::store::Renders;
use crate::yaml::{Data, Node};

/// What was read, and what kustomize made of it.
type Built = (Vec<(Origin, Reads)>, Raw);

/// Results of builds of several versions of one repository. All of them have
/// one source map and the same arguments.
#[derive(Debug, Default)]
pub struct Reuse {
    /// What kustomize made, by what is known before; and what it read.
    raw: Results<Built>,
    rendered: Results<Rendered>,
    /// With what their templates found.
    releases: Results<(Asked, release::Rendered)>,
    /// What templates made.
    templated: Results<release::Templated>,
    /// Documents of charts that were read.
    pub(super) parsed: Arc<helm::Parsed>,
    /// What earlier runs found out.
    pub(super) known: Known,
}

/// Who makes a result, or asks for one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Scope {
    /// Which version of the repository.
    pub(super) version: usize,
    /// Which cluster.
    pub(super) cluster: Arc<str>,
    /// Whether the version before is rendered at the same time, so that nothing of
    /// it may be taken.
    pub(super) is_alone: bool,
}

impl Scope {
    /// Whether a result of the version before may be taken: that of this cluster is
    /// there by now.
    fn follows(&self, maker: &Scope) -> bool {
        !self.is_alone && maker.version < self.version && maker.cluster == self.cluster
    }

    /// Whether a result has the same places as an own one would have.
    fn is_like(&self, maker: &Scope) -> bool {
        maker.version == self.version
    }
}

/// Results by the digests of what they were made from.
#[derive(Debug)]
struct Results<T>(Mutex<HashMap<Digest, Vec<(Scope, T)>>>);

impl<T> Default for Results<T> {
    fn default() -> Results<T> {
        Results(Mutex::default())
    }
}

impl<T: Clone> Results<T> {
    /// A result that may be taken. Nothing is locked while `is_meant` looks at it.
    fn find(&self, key: Digest, scope: &Scope, is_meant: impl Fn(&T) -> bool) -> Option<T> {
        let known = lock(&self.0).get(&key).cloned()?;
        let first = |is_taken: &dyn Fn(&Scope) -> bool| {
            let mut taken = known.iter().filter(|(maker, _)| is_taken(maker));
            taken.find(|(_, result)| is_meant(result))
        };
        let found =
            first(&|maker| scope.follows(maker)).or_else(|| first(&|maker| scope.is_like(maker)));
        found.map(|(_, result)| result.clone())
    }

    fn keep(&self, key: Digest, scope: &Scope, result: T) {
        let mut results = lock(&self.0);
        results
            .entry(key)
            .or_default()
            .push((scope.clone(), result));
    }
}

/// Which files were read.
#[derive(Clone, Debug)]
enum Origin {
    Source(SourceRef),
    Remote(Arc<str>),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reuse {
    /// With what earlier runs found out, and left in the store; all of that
    /// depends on `basis`: the program, and how it was called.
    pub fn in_store(renders: Renders, basis: String) -> Reuse {
        Reuse {
            known: Known::in_store(renders, basis),
            ..Reuse::default()
        }
    }

    /// What kustomize made of a Kustomization whose files are the same.
    pub(super) fn raw(&self, key: Digest, sources: &Sources) -> Option<Raw> {
        let holds = |(origin, reads): &(Origin, Reads)| {
            let files = match origin {
                Origin::Source(source) => sources.resolve(source, Span::NONE).ok(),
                Origin::Remote(address) => {
                    let address = Text {
                        text: address.clone(),
                        span: Span::NONE,
                    };
                    Remote::resolve(sources, &address).ok().map(|r| r.files)
                }
            };
            files.is_some_and(|files| files.hold(reads))
        };
        let all_hold = |(reads, _): &Built| reads.iter().all(holds);
        let found = self.raw.find(key, &sources.scope, all_hold);
        found.map(|(_, raw)| raw)
    }

    /// Keeps what kustomize made, and gives it the digest of all that it was
    /// made from.
    pub(super) fn keep_raw(&self, key: Digest, watch: Watch<'_>, mut raw: Raw) -> Raw {
        let seen = watch.seen.into_inner();
        let seen = seen.unwrap_or_else(PoisonError::into_inner);
        let reads: Vec<(Origin, Reads)> = seen
            .into_iter()
            .map(|(origin, recording)| (origin, recording.reads()))
            .collect();
        let mut writer = Writer::default();
        writer.plain(key.as_bytes());
        for (origin, reads) in &reads {
            writer.bytes(format!("{origin:?}").as_bytes());
            writer.plain(reads.digest().as_bytes());
        }
        raw.inputs = Some(Digest::of(&writer.finish()));
        let scope = &watch.sources.scope;
        self.raw.keep(key, scope, (reads, raw.clone()));
        raw
    }

    /// What was rendered of the same inputs before, or what is made now.
    pub(super) fn rendered(
        &self,
        key: Digest,
        scope: &Scope,
        make: impl FnOnce() -> Result<Rendered>,
    ) -> Result<Rendered> {
        if let Some(known) = self.rendered.find(key, scope, |_| true) {
            return Ok(known);
        }
        let mut made = make()?;
        made.inputs = Some(key);
        self.rendered.keep(key, scope, made.clone());
        Ok(made)
    }

    /// What templates made before of the same, or what they make now.
    pub(super) fn templated(
        &self,
        key: Digest,
        scope: &Scope,
        make: impl FnOnce() -> Result<release::Templated>,
    ) -> Result<release::Templated> {
        if let Some(known) = self.templated.find(key, scope, |_| true) {
            return Ok(known);
        }
        let made = make()?;
        self.templated.keep(key, scope, made.clone());
        Ok(made)
    }

    /// What a HelmRelease rendered to before from the same inputs, where its
    /// templates would find the same now, and what they found.
    pub(super) fn release(
        &self,
        key: Digest,
        scope: &Scope,
        finds_the_same: impl Fn(&Asked) -> bool,
    ) -> Option<(Asked, release::Rendered)> {
        let is_meant = |(asked, _): &(Asked, release::Rendered)| finds_the_same(asked);
        self.releases.find(key, scope, is_meant)
    }

    /// Keeps what a HelmRelease rendered to.
    pub(super) fn keep_release(
        &self,
        key: Digest,
        scope: &Scope,
        asked: Asked,
        made: release::Rendered,
    ) {
        self.releases.keep(key, scope, (asked, made));
    }
}

/// Remembers what the build of a Kustomization reads.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    sources: &'a Sources,
    seen: Mutex<Vec<(Origin, Arc<Recording>)>>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(sources: &'a Sources) -> Watch<'a> {
        Watch {
            sources,
            seen: Mutex::default(),
        }
    }

    /// The files of the source come from here.
    pub(super) fn source(&self, source: &SourceRef, recording: Arc<Recording>) {
        lock(&self.seen).push((Origin::Source(source.clone()), recording));
    }
}

impl Remote for Watch<'_> {
    fn resolve(&self, address: &Text) -> Result<RemoteContent> {
        let content = Remote::resolve(self.sources, address)?;
        let (files, recording) = content.files.watched();
        lock(&self.seen).push((Origin::Remote(address.text.clone()), recording));
        Ok(RemoteContent {
            files: Arc::new(files),
            ..content
        })
    }
}

/// All that the build of a Kustomization depends on, save for files; none
/// where that is not known.
pub(super) fn key_of_raw(
    spec: &Kustomization,
    sources: &Sources,
    options: &Options,
) -> Option<Digest> {
    // What an artifact is composed of is read elsewhere.
    if composed::is_artifact(&spec.source) && !sources.local.contains_key(&spec.source) {
        return None;
    }
    let mut inputs = Inputs::new("build", sources, options);
    inputs.node(&spec.object);
    inputs.text(&spec.source.to_string());
    inputs.flag(sources.locked.is_some());
    Some(inputs.finish())
}

/// All that completing a Kustomization depends on; none where what it was made
/// from is not known.
pub(super) fn key_of_rendered(
    raw: &Raw,
    sourced: &[Sourced],
    sources: &Sources,
    options: &Options,
) -> Option<Digest> {
    let mut inputs = Inputs::new("complete", sources, options);
    inputs.text(&raw.inputs?.hex());
    for source in sourced {
        inputs.text(&source.reference.kind);
        inputs.text(&source.reference.name);
        inputs.flag(source.variables.is_some());
        for (name, value) in source.variables.iter().flatten() {
            inputs.text(name);
            inputs.node(value);
        }
        inputs.text("");
    }
    Some(inputs.finish())
}

/// What something is rendered from, gathered for a digest.
pub(super) struct Inputs<'a> {
    writer: Writer,
    options: &'a Options,
    /// What stands before the paths of this version of the repository.
    prefix: String,
    /// The files that nodes come from, in the order of their appearance.
    files: HashMap<FileId, usize>,
    /// Whether it matters where nodes stand.
    has_places: bool,
}

impl<'a> Inputs<'a> {
    pub(super) fn new(what: &str, sources: &Sources, options: &'a Options) -> Inputs<'a> {
        let mut inputs = Inputs {
            writer: Writer::default(),
            options,
            prefix: sources.repository.display(""),
            files: HashMap::default(),
            has_places: true,
        };
        inputs.text(what);
        let Options {
            flux,
            strict,
            post_renders_hooks,
            keep_going,
            substitutes,
            custom_stage_kinds,
            capabilities,
            charts,
            ..
        } = options;
        inputs.text(&format!(
            "{flux} {strict} {post_renders_hooks} {keep_going} {substitutes:?} {custom_stage_kinds:?} {capabilities:?}"
        ));
        inputs.flag(charts.tell_unused);
        inputs
    }

    /// The same, wherever nodes stand, and whatever comments are at them.
    pub(super) fn without_places(
        what: &str,
        sources: &Sources,
        options: &'a Options,
    ) -> Inputs<'a> {
        Inputs {
            has_places: false,
            ..Inputs::new(what, sources, options)
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        self.writer.bytes(text.as_bytes());
    }

    pub(super) fn flag(&mut self, is: bool) {
        self.writer.number(u64::from(is));
    }

    /// A node that may be missing.
    pub(super) fn node_if_any(&mut self, node: Option<&Node>) {
        self.flag(node.is_some());
        if let Some(node) = node {
            self.node(node);
        }
    }

    /// A node with its places: those of the repository by their paths in it.
    pub(super) fn node(&mut self, node: &Node) {
        let flags = [
            node.is_tagged(),
            node.is_resolved(),
            node.is_untagged(),
            node.is_secret(),
            node.is_placeholder(),
        ];
        let flags = flags.iter().fold(0, |bits, is| bits * 2 + u64::from(*is));
        self.writer.number(flags);
        self.writer.number(node.tag() as u64);
        self.writer.number(node.style() as u64);
        self.text(node.custom_tag().unwrap_or_default());
        self.text(node.anchor().unwrap_or_default());
        if self.has_places {
            match node.comments() {
                Some(comments) => self.text(&format!("{comments:?}")),
                None => self.text(""),
            }
            self.place(node.span());
        }
        match node.data() {
            Data::Scalar(text) => {
                self.writer.number(0);
                self.text(text);
            }
            Data::Sequence(items) => {
                self.writer.number(1);
                self.writer.count(items.len());
                items.iter().for_each(|item| self.node(item));
            }
            Data::Mapping(entries) => {
                self.writer.number(2);
                self.writer.count(entries.len());
                for entry in entries.iter() {
                    self.node(&entry.key);
                    self.node(&entry.value);
                }
            }
            Data::Alias(alias) => {
                self.writer.number(3);
                self.text(&alias.0);
                self.node(&alias.1);
            }
        }
    }

    fn place(&mut self, span: Span) {
        self.writer.number(u64::from(span.line));
        self.writer.number(u64::from(span.column));
        let count = self.files.len();
        let number = *self.files.entry(span.file).or_insert(count);
        self.writer.count(number);
        if number < count {
            return;
        }
        let file = self.options.source_map.get(span.file);
        let path = file.as_ref().map_or("", |file| &*file.path);
        // As `Tree::display` puts it there.
        let own = path.strip_prefix(self.prefix.as_str());
        let own = own.map(|rest| rest.trim_start_matches('/'));
        self.text(own.unwrap_or(path));
    }

    pub(super) fn finish(self) -> Digest {
        Digest::of(&self.writer.finish())
    }
}
