//! One Kustomization: from its spec to the objects that it applies.
//!
//! In two steps, since variables come from what others render: [`raw`] builds
//! the kustomization, [`complete`] substitutes and adds what the controller
//! adds. Both are pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::cluster::Object;
use super::reuse::{self, Reuse, Watch};
use super::secrets::{self, Secrets};
use super::variables::{Sourced, is_encrypted};
use super::{Entry, Lookups, Progress, Sources, names};
use crate::artifact::ignore::Matcher;
use crate::artifact::{Digest, Kind, path};
use crate::diag::{
    Cause, Error, Finding, Findings, Result, Severity, SourceMap, Span, nearest, pointer,
};
use crate::flux::api::{Kustomization, SubstituteStrategy};
use crate::flux::ignore::IgnoreRules;
use crate::flux::substitute::{self, Missing, Substituted, Variables};
use crate::flux::{FluxVersion, generate, metadata, order};
use crate::helm::{Capabilities, RenderOptions};
use crate::kustomize;
use crate::resource::{Files, ResId};
use crate::yaml::{self, Node, secret};

/// What shapes a build besides the repository.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which Flux is reproduced.
    pub flux: FluxVersion,
    /// Whether a variable without value or default fails the build.
    pub strict: bool,
    /// Whether hooks go through post-renderers where a HelmRelease says
    /// nothing.
    pub post_renders_hooks: bool,
    /// Whether such a variable is told instead and left as it is written, so
    /// that what else there is can be looked at.
    pub keep_going: bool,
    /// Values of variables that only the cluster knows.
    pub substitutes: BTreeMap<String, String>,
    /// Whether HelmReleases are left alone.
    pub skip_releases: bool,
    /// Kustomizations that take the place of those of the same name in the
    /// repository.
    pub replacements: Vec<Node>,
    /// Kinds that the controller applies in a stage of their own.
    pub custom_stage_kinds: Vec<(String, String)>,
    /// What charts are told of the cluster.
    pub capabilities: Arc<Capabilities>,
    /// What charts are rendered with besides.
    pub charts: RenderOptions,
    /// What templates of charts find by `lookup`.
    pub lookups: Lookups,
    /// Every file that is read.
    pub source_map: Arc<SourceMap>,
    /// What becomes of encrypted values.
    pub secrets: Arc<Secrets>,
    /// Whether objects that no key opens stay encrypted, for the cluster to open
    /// them; else placeholders stand in for their values.
    pub keeps_sealed: bool,
    /// Who is told how far the build is.
    pub progress: Option<Arc<dyn Progress>>,
    /// What another version of the repository has in common with this one.
    pub reuse: Option<Arc<Reuse>>,
    /// Whether HelmReleases are rendered that could be left for later.
    pub renders_all: bool,
}

impl Options {
    /// The newest Flux, as it is by default, and nothing known of the cluster.
    pub fn new(source_map: Arc<SourceMap>) -> Options {
        Options {
            flux: FluxVersion::NEWEST,
            strict: true,
            post_renders_hooks: true,
            keep_going: false,
            substitutes: BTreeMap::new(),
            skip_releases: false,
            replacements: Vec::new(),
            custom_stage_kinds: Vec::new(),
            capabilities: Arc::default(),
            charts: RenderOptions::default(),
            lookups: Lookups::default(),
            source_map,
            secrets: Arc::default(),
            keeps_sealed: false,
            progress: None,
            reuse: None,
            renders_all: false,
        }
    }

    /// Tells that so many more parts are to be rendered.
    pub(super) fn tell_found(&self, count: usize) {
        if let Some(progress) = &self.progress {
            progress.found(count);
        }
    }

    /// Tells that one of them is done.
    pub(super) fn tell_done(&self) {
        if let Some(progress) = &self.progress {
            progress.done();
        }
    }
}

/// What kustomize makes of a Kustomization.
#[derive(Clone, Debug)]
pub struct Raw {
    /// The objects, in kustomize's order.
    pub objects: Vec<Node>,
    /// What was noticed.
    pub findings: Findings,
    /// A digest of all that they were made from, where that is known.
    pub inputs: Option<Digest>,
}

/// What a Kustomization applies, in no particular order.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The objects.
    pub objects: Vec<Node>,
    /// What was noticed.
    pub findings: Findings,
    /// A digest of all that they were made from, where that is known.
    pub inputs: Option<Digest>,
}

/// The folder of `spec.path`, relative to the root of the source.
pub fn folder_of(spec: &Kustomization) -> Option<String> {
    path::join("", spec.path.trim_start_matches('/'))
}

/// The objects that an entry folder holds, as a build of it shows them.
pub fn entry_objects(
    entry: &Entry,
    sources: &Sources,
    options: &Options,
    findings: &mut Findings,
) -> Result<Vec<Node>> {
    let files = &sources.repository;
    let kustomization = generate::plain(files, &entry.folder)?;
    let built = kustomize::build(
        files,
        &entry.folder,
        &kustomize_options(kustomization, sources, None),
    )
    .map_err(|e| e.context(format!("the entry point `{}`", entry.folder)))?;
    findings.extend(built.findings);
    let mut objects = built.objects;
    if let Some(made) = &entry.made {
        let id = ResId::of(made);
        if !objects.iter().any(|o| ResId::of(o) == id) {
            objects.push(made.clone());
        }
    }
    let _ = options;
    Ok(objects)
}

/// Kustomize as the controller calls it.
///
/// Compat: fluxcd/pkg `kustomize_generator.go` `Build`: files may come from
/// anywhere in the source, and the order is that of the kustomization.
fn kustomize_options<'a>(
    kustomization: Node,
    sources: &'a Sources,
    watch: Option<&'a Watch<'_>>,
) -> kustomize::Options<'a> {
    let remote = match watch {
        Some(watch) => watch as &dyn kustomize::Remote,
        None => sources,
    };
    kustomize::Options {
        load_restrictions: kustomize::LoadRestrictions::None,
        reorder: kustomize::Reorder::None,
        kustomization: Some(kustomization),
        remote: sources.locked.as_ref().map(|_| remote),
        ..kustomize::Options::default()
    }
}

/// Builds the kustomization of a Kustomization.
///
/// # Errors
///
/// Where its source is not at hand, its path is not there, or kustomize
/// refuses.
pub fn raw(spec: &Kustomization, sources: &Sources, options: &Options) -> Result<Raw> {
    if let Some(reuse) = &options.reuse
        && let Some(key) = reuse::key_of_raw(spec, sources, options)
    {
        if let Some(known) = reuse.raw(key, sources) {
            return Ok(known);
        }
        let watch = Watch::new(sources);
        let raw = marked(spec, sources, options, Some(&watch))?;
        return Ok(reuse.keep_raw(key, watch, raw));
    }
    marked(spec, sources, options, None)
}

/// Builds it, with marks on what comes from secrets.
fn marked(
    spec: &Kustomization,
    sources: &Sources,
    options: &Options,
    watch: Option<&Watch<'_>>,
) -> Result<Raw> {
    let raw = build(spec, sources, options, watch);
    // A Kustomization can hold secrets itself, substituted by its parent.
    let Some(shadow) = secret::shadowed(&spec.object) else {
        return raw;
    };
    let shadow = Kustomization::read(&shadow, options.flux)
        .and_then(|shadow| build(&shadow, sources, options, watch))
        .map(|raw| (raw.objects, raw.findings));
    let mut raw = raw.map_err(|e| e.without_secrets(shadow.as_ref().err()))?;
    mark(&mut raw.objects, &mut raw.findings, shadow);
    Ok(raw)
}

/// Marks what differs from what was made of shadows; everything, where they
/// could not be made into anything. What was told of them is left out of what
/// was told.
fn mark(objects: &mut [Node], findings: &mut Findings, shadows: Result<(Vec<Node>, Findings)>) {
    if let Ok((mut shadows, told)) = shadows {
        names::align(objects, &mut shadows);
        secret::mark_differences(objects, &shadows);
        findings.without_secrets(Some(&told));
    } else {
        objects.iter_mut().for_each(secret::mark_object);
        findings.without_secrets(None);
    }
}

fn build(
    spec: &Kustomization,
    sources: &Sources,
    options: &Options,
    watch: Option<&Watch<'_>>,
) -> Result<Raw> {
    let files = &sources.resolve(&spec.source, spec.source_span)?;
    let watched = watch.map(|watch| {
        let (files, recording) = files.watched();
        watch.source(&spec.source, recording);
        Arc::new(files)
    });
    let files = watched.as_ref().unwrap_or(files);
    let Some(folder) = folder_of(spec) else {
        return Err(Error::new(
            "ref/missing",
            format!("`spec.path` leads out of the source: `{}`", spec.path),
        )
        .at(spec.path_span)
        .help("name a folder of the source, relative to its root"));
    };
    if files.kind(&folder)? != Some(Kind::Directory) {
        return Err(no_folder(spec, &folder, files));
    }
    let mut findings = Findings::new();
    let matcher = Matcher::for_kustomization(&**files.tree(), &folder)?;
    let ignored = |path: &str, kind| matcher.is_ignored(path, kind);
    let generated =
        generate::generate(files, &folder, spec, options.flux, &ignored, &mut findings)?;
    let is_sops = secrets::is_asked_for(spec);
    let unsealed = if is_sops {
        let top = &generated.kustomization;
        let secrets = &options.secrets;
        secrets.open_sources(files, &folder, top, options, &mut findings)?
    } else {
        None
    };
    let kustomize = |files: &Files| {
        let options = kustomize_options(generated.kustomization.clone(), sources, watch);
        kustomize::build(files, &folder, &options)
    };
    let built = kustomize(unsealed.as_ref().map_or(&**files, |u| &u.files));
    let shadows = unsealed.as_ref().and_then(|u| u.shadows.as_ref());
    let shadows = shadows.map(kustomize);
    let built = match &shadows {
        Some(shadow) => built.map_err(|e| e.without_secrets(shadow.as_ref().err())),
        None => built,
    };
    let mut built = built.map_err(|e| {
        if generated.created {
            e.help(
                "the folder has no kustomization.yaml, so every YAML file in it must hold \
                 Kubernetes objects",
            )
        } else {
            e
        }
    })?;
    if let Some(shadows) = shadows {
        let shadows = shadows.map(|built| (built.objects, built.findings));
        mark(&mut built.objects, &mut built.findings, shadows);
    }
    findings.extend(built.findings);
    if is_sops {
        let has_placeholders = unsealed.is_some_and(|u| u.has_placeholders);
        let (secrets, objects) = (&options.secrets, &mut built.objects);
        secrets.open_objects(objects, has_placeholders, options, &mut findings)?;
    }
    Ok(Raw {
        objects: built.objects,
        findings,
        inputs: None,
    })
}

/// Says that the folder of a Kustomization is not there, and which one is.
fn no_folder(spec: &Kustomization, folder: &str, files: &Files) -> Error {
    // What a variable will be only the cluster knows.
    if spec.path.contains("${") {
        let message = format!("the folder `{}` has a variable without a value", spec.path);
        return Error::new("source/unavailable", message)
            .at(spec.path_span)
            .help("give the variable a value with `--substitute NAME=VALUE`");
    }
    let error = Error::new("ref/missing", format!("no such folder: `{}`", spec.path));
    let parent = path::parent(folder).unwrap_or_default();
    let beside = files.list(parent).unwrap_or_default();
    let folders = beside.iter().filter(|e| e.kind == Kind::Directory);
    let near = nearest(path::name(folder), folders.map(|e| e.name.as_str()));
    error.at(spec.path_span).help(match near {
        Some(near) => format!(
            "did you mean `./{}`?",
            path::join(parent, near).unwrap_or_default()
        ),
        None => {
            "create it, or correct `spec.path`; it is relative to the root of the source".to_owned()
        }
    })
}

/// Substitutes variables, labels the objects with their owner, adds common
/// metadata and takes ignored fields out.
///
/// Compat: kustomize-controller `build` and `apply`, in their order: owner
/// labels are set on what was substituted, common metadata wins over them.
///
/// # Errors
///
/// Where substitution fails, gives two objects one identity, or a rule of
/// `spec.ignore` is none.
pub fn complete(
    spec: &Kustomization,
    raw: &Raw,
    sourced: &[Sourced],
    sources: &Sources,
    options: &Options,
) -> Result<Rendered> {
    if let Some(reuse) = &options.reuse
        && let Some(key) = reuse::key_of_rendered(raw, sourced, sources, options)
    {
        return reuse.rendered(key, &sources.scope, || {
            completed(spec, raw, sourced, options)
        });
    }
    completed(spec, raw, sourced, options)
}

fn completed(
    spec: &Kustomization,
    raw: &Raw,
    sourced: &[Sourced],
    options: &Options,
) -> Result<Rendered> {
    let mut findings = raw.findings.clone();
    let mut objects = substitute_all(spec, raw, sourced, options, &mut findings)?;
    unique(&objects).map_err(|e| {
        if !objects.iter().any(secret::has_secret) {
            return e;
        }
        let shadow = |object| secret::shadowed(object).unwrap_or_else(|| object.clone());
        let shadows: Vec<Node> = objects.iter().map(shadow).collect();
        e.without_secrets(unique(&shadows).err().as_ref())
    })?;
    let ignore = IgnoreRules::read(&spec.ignore)?;
    for object in &mut objects {
        if is_encrypted(object) {
            tell_encrypted(object, spec, options, &mut findings);
        } else if let Some(entry) = sealed_entry(object) {
            tell_sealed(object, entry, options, &mut findings);
        }
        metadata::set_owner(object, &spec.name, &spec.namespace);
    }
    let mut opened = open_lists(objects);
    for object in &mut opened {
        metadata::set_common(object, &spec.common_labels, &spec.common_annotations);
        ignore.apply(object);
    }
    Ok(Rendered {
        objects: opened,
        findings,
        inputs: None,
    })
}

fn substitute_all(
    spec: &Kustomization,
    raw: &Raw,
    sourced: &[Sourced],
    options: &Options,
    findings: &mut Findings,
) -> Result<Vec<Node>> {
    let Some(post_build) = &spec.post_build else {
        return Ok(raw.objects.clone());
    };
    let mut variables = Variables::default();
    for source in sourced {
        match &source.variables {
            Some(values) => variables.extend(values.iter().cloned()),
            None if source.reference.optional => {}
            None => {
                let values = options.substitutes.iter();
                variables.extend(values.map(|(name, value)| {
                    let node = Node::string(value.as_str(), source.reference.span);
                    (Arc::from(name.as_str()), node)
                }));
                if options.substitutes.is_empty() {
                    findings.push(missing_source(spec, source, options));
                }
            }
        }
    }
    variables.extend(post_build.substitute.iter().cloned());
    let absent = |optional: bool| {
        let mut absent = sourced.iter().filter(|s| s.variables.is_none());
        absent.any(|s| s.reference.optional == optional)
    };
    // What is not here has variables where Flux works.
    let has_more = options.keep_going && absent(false);
    if variables.is_empty() && !has_more && post_build.strategy != SubstituteStrategy::Always {
        return Ok(raw.objects.clone());
    }
    variables.check_names()?;
    let missing = match (options.keep_going, options.strict) {
        (true, true) => Missing::Kept,
        (true, false) if has_more => Missing::Kept,
        (false, true) => Missing::Refused,
        (_, false) => Missing::Empty,
    };
    // All of them first: the error is that of the first object, not of the fastest.
    let substituted: Vec<Result<Substituted>> = raw
        .objects
        .par_iter()
        .map(|object| {
            substitute::substitute(object, &variables, missing)
                .map_err(|e| e.object(ResId::of(object).to_object_ref()))
        })
        .collect();
    let substituted: Vec<Substituted> = substituted.into_iter().collect::<Result<_>>()?;
    let value = if absent(false) {
        Value::Elsewhere
    } else if absent(true) {
        Value::PerhapsElsewhere
    } else {
        Value::Nowhere
    };
    let mut objects = Vec::with_capacity(substituted.len());
    for one in substituted {
        for (name, span) in &one.unset {
            let object = ResId::of(&one.object);
            findings.push(unset(name, *span, value, options).object(object.to_object_ref()));
        }
        objects.push(one.object);
    }
    Ok(objects)
}

/// Where the value of a variable can come from that has none here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    /// From an object that Flux insists on and the repository does not have.
    Elsewhere,
    /// From one that may be missing, and is not in the repository.
    PerhapsElsewhere,
    /// From nothing.
    Nowhere,
}

/// A variable that nothing here gives a value.
fn unset(name: &str, span: Span, value: Value, options: &Options) -> Finding {
    let (severity, message) = if value == Value::Elsewhere {
        (Severity::Info, format!("`{name}` has no value here"))
    } else if value == Value::PerhapsElsewhere {
        let message = format!("`{name}` has a value only where an optional object gives it one");
        (Severity::Warning, message)
    } else if options.strict {
        let message = format!("`{name}` has neither a value nor a default: Flux refuses to apply");
        (Severity::Error, message)
    } else {
        let message = format!("`{name}` has neither a value nor a default: it becomes empty");
        (Severity::Warning, message)
    };
    let mut finding = Finding::new("subst/unresolved", severity, message)
        .at(span, &options.source_map)
        .help(format!(
            "give `{name}` a value, a default as in `${{{name}:-default}}`, or write \
             `$${{{name}}}` to keep it as it is"
        ));
    if value == Value::Elsewhere {
        finding = finding.cause(Cause::ValueElsewhere);
    }
    finding
}

fn missing_source(spec: &Kustomization, source: &Sourced, options: &Options) -> Finding {
    let reference = &source.reference;
    // Secrets are kept out of repositories; ConfigMaps seldom are.
    let severity = match &*reference.kind {
        "Secret" => Severity::Info,
        _ => Severity::Warning,
    };
    Finding::new(
        "ref/missing",
        severity,
        format!(
            "{} `{}/{}` is not in the repository in clear: its variables have no values",
            reference.kind, spec.id.namespace, reference.name
        ),
    )
    .at(reference.span, &options.source_map)
    .object(spec.id.to_object_ref())
    .help("give them with `--substitute NAME=VALUE`, or under `substitute` in .fluxwright.yaml")
}

/// The first entry of a ConfigMap that holds what sops encrypted: only inputs of
/// Secrets are decrypted.
fn sealed_entry(object: &Node) -> Option<&yaml::Entry> {
    let is_config_map = object.str_at("kind") == Some("ConfigMap");
    let data = object.get("data").filter(|_| is_config_map)?;
    let is_sealed = |entry: &&yaml::Entry| {
        let text = entry.value.text();
        text.is_some_and(|text| text.contains("ENC[AES256_GCM,data:"))
    };
    data.entries().iter().find(is_sealed)
}

fn tell_sealed(object: &Node, entry: &yaml::Entry, options: &Options, findings: &mut Findings) {
    let id = ResId::of(object).to_object_ref();
    let key = entry.key.text().unwrap_or_default();
    findings.push(
        Finding::new(
            "sops/encrypted",
            Severity::Warning,
            format!("`{key}` of {id} is encrypted, and nothing decrypts it"),
        )
        .at(entry.value.span(), &options.source_map)
        .object(id)
        .path(format!("/data/{}", pointer::escape(key)))
        .help("what is secret belongs into a Secret: use `secretGenerator`, whose files are decrypted"),
    );
}

fn tell_encrypted(object: &Node, spec: &Kustomization, options: &Options, findings: &mut Findings) {
    let id = ResId::of(object);
    let message = if spec.decryption.is_some() {
        format!("{} is encrypted and was left so", id.to_object_ref())
    } else {
        format!(
            "{} is encrypted, and the Kustomization `{}/{}` has no `spec.decryption`",
            id.to_object_ref(),
            spec.id.namespace,
            spec.id.name
        )
    };
    let severity = if spec.decryption.is_some() {
        Severity::Info
    } else {
        Severity::Warning
    };
    findings.push(
        Finding::new("sops/encrypted", severity, message)
            .at(object.span(), &options.source_map)
            .object(id.to_object_ref()),
    );
}

/// Refuses two objects of one identity.
///
/// Compat: fact 88: the second of them fails the build.
fn unique(objects: &[Node]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for object in objects {
        let id = ResId::of(object);
        if !seen.insert(id.clone()) {
            return Err(Error::new(
                "kustomize/conflict",
                format!(
                    "substitution gives two objects the name {}",
                    id.to_object_ref()
                ),
            )
            .at(object.span())
            .object(id.to_object_ref()));
        }
    }
    Ok(())
}

/// Puts the items of lists in their place.
///
/// Compat: fluxcd/pkg `ssa/utils/object.go` `ReadObjects`.
fn open_lists(objects: Vec<Node>) -> Vec<Node> {
    let is_list = |o: &Node| o.get("items").is_some_and(Node::is_sequence);
    if !objects.iter().any(is_list) {
        return objects;
    }
    let mut opened = Vec::with_capacity(objects.len());
    for object in objects {
        match object.get("items") {
            Some(items) if items.is_sequence() => opened.extend(items.items().iter().cloned()),
            _ => opened.push(object),
        }
    }
    opened
}

/// The objects in the order in which they are applied, each printed once.
pub fn in_order(objects: Vec<Node>, options: &Options) -> Result<Vec<Object>> {
    let mut objects: Vec<Object> = objects.into_iter().map(Object::new).collect();
    objects.sort_by(|a, b| order::compare(&a.id, &b.id, &options.custom_stage_kinds));
    Ok(objects)
}
