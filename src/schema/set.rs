//! All schemas that objects are judged by, and the judging of a document.
//!
//! In: the versions of Kubernetes and Flux, definitions of the user's. Out:
//! for each document, what is wrong with it, or that its kind is unknown.

use std::borrow::Cow;
use std::sync::LazyLock;

use super::build::Builder;
use super::crd;
use super::evaluate::{Evaluation, Step, Violation};
use super::json_schema;
use super::pack::{Pack, Schema, Scope, Variant};
use super::plain::plain;
use super::rules;
use super::unknown::{self, UnknownField};
use crate::diag::{Error, Result, Severity, Span, nearest};
use crate::gostd::regexp::Cache;
use crate::yaml::Node;

static KUBERNETES: LazyLock<Pack> = LazyLock::new(|| {
    Pack::open(include_bytes!("../../schemas/kubernetes.pack")).expect("made and tested here")
});

static FLUX: LazyLock<Pack> = LazyLock::new(|| {
    Pack::open(include_bytes!("../../schemas/flux.pack")).expect("made and tested here")
});

static CATALOG: LazyLock<Pack> = LazyLock::new(|| {
    Pack::open(include_bytes!("../../schemas/catalog.pack")).expect("made and tested here")
});

/// All packs of what is built in.
#[cfg(test)]
pub(super) fn built_in() -> [&'static Pack; 3] {
    [&KUBERNETES, &FLUX, &CATALOG]
}

/// Where a schema came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Kubernetes of the version asked for.
    Kubernetes,
    /// Flux of the version asked for.
    Flux,
    /// A definition or a schema that the user has given.
    Given,
    /// A definition of a well-known project, as it was when this program was
    /// made. The cluster's own may be another version, so that what is wrong
    /// by this one is a warning.
    Catalog,
}

/// The schemas to judge by. Shared by all threads.
#[derive(Debug)]
pub struct Schemas {
    kubernetes: u32,
    flux: u32,
    given: Vec<Pack>,
    located: Vec<Pack>,
    patterns: Cache,
    rules: rules::Cache,
}

/// What came of one object.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Its `apiVersion`; empty where it has none.
    pub api_version: String,
    /// Its kind; empty where it has none.
    pub kind: String,
    /// Its namespace; empty where it has none.
    pub namespace: String,
    /// Its name; empty where it has none.
    pub name: String,
    /// Where its `apiVersion` stands, else the object itself.
    pub span: Span,
    /// The JSON pointer to it, for items of a list; else empty.
    pub pointer: String,
    /// What is wrong.
    pub violations: Vec<Violation>,
    /// Why it was not looked at as what it is.
    pub missing: Option<Missing>,
}

/// Why there is no schema for an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Its API version is no longer served, or never was, though the kind is
    /// known; with what to do.
    NotServed(String),
    /// Its API version comes with a later version than the one asked for;
    /// with what to do.
    NotYet(String),
    /// The API group is known and has no such kind; with the nearest one.
    NoSuchKind(Option<String>),
    /// Nothing is known of its group.
    Unknown,
}

impl Schemas {
    /// Those of a minor version of Kubernetes and one of Flux.
    pub fn new(kubernetes: u32, flux: u32) -> Schemas {
        Schemas {
            kubernetes,
            flux,
            given: Vec::new(),
            located: Vec::new(),
            patterns: Cache::default(),
            rules: rules::Cache::default(),
        }
    }

    /// Adds definitions of custom resources; they win over what is built in,
    /// and those added earlier over later ones.
    ///
    /// # Errors
    ///
    /// One for each definition that is none, `schema/definition` with its
    /// place; the others are added.
    pub fn add_definitions<'n>(
        &mut self,
        definitions: impl IntoIterator<Item = &'n Node>,
    ) -> Vec<Error> {
        let mut builder = Builder::new();
        let mut errors = Vec::new();
        for definition in definitions {
            errors.extend(crd::add(&mut builder, definition, 0).err());
        }
        match builder.finish() {
            Ok(pack) => self.given.push(pack),
            Err(e) => errors.push(e),
        }
        errors
    }

    /// Adds JSON schemas for kinds that have none yet, each with its
    /// `apiVersion` and kind. They win over the catalog alone.
    ///
    /// # Errors
    ///
    /// One for each that is no schema, `schema/definition` with its place; the
    /// others are added.
    pub fn add_schemas<'n>(
        &mut self,
        schemas: impl IntoIterator<Item = (&'n str, &'n str, &'n Node)>,
    ) -> Vec<Error> {
        let mut builder = Builder::new();
        let mut errors = Vec::new();
        for (api_version, kind, schema) in schemas {
            errors.extend(json_schema::add(&mut builder, api_version, kind, schema).err());
        }
        match builder.finish() {
            Ok(pack) => self.located.push(pack),
            Err(e) => errors.push(e),
        }
        errors
    }

    /// What is known of a kind.
    pub fn kind(&self, api_version: &str, kind: &str) -> Option<(Origin, Variant<'_>)> {
        let mut given = self.given.iter();
        if let Some(variant) = given.find_map(|pack| pack.kind(api_version, kind).next()) {
            return Some((Origin::Given, variant));
        }
        if let Some(variant) = KUBERNETES.kind(api_version, kind).at(self.kubernetes) {
            return Some((Origin::Kubernetes, variant));
        }
        if let Some(variant) = FLUX.kind(api_version, kind).at(self.flux) {
            return Some((Origin::Flux, variant));
        }
        let mut located = self.located.iter();
        if let Some(variant) = located.find_map(|pack| pack.kind(api_version, kind).next()) {
            return Some((Origin::Given, variant));
        }
        let variant = CATALOG.kind(api_version, kind).next()?;
        Some((Origin::Catalog, variant))
    }

    /// The fields of a Flux object that this version of Flux does not have;
    /// none for a kind that it does not serve.
    pub fn unknown_flux_fields(flux: u32, object: &Node) -> Vec<UnknownField> {
        let text = |name| object.get(name).and_then(Node::text).unwrap_or_default();
        let variant = FLUX.kind(text("apiVersion"), text("kind")).at(flux);
        let schema = variant.and_then(|variant| variant.schema);
        schema.map_or_else(Vec::new, |schema| unknown::fields(schema, object))
    }

    /// Whether a group is one of Kubernetes' own.
    pub fn is_built_in_group(group: &str) -> bool {
        is_kubernetes_group(group)
    }

    /// Where objects of a kind live.
    pub fn scope(&self, api_version: &str, kind: &str) -> Option<Scope> {
        self.kind(api_version, kind)?.1.scope
    }

    /// Where objects of a kind live, by any version of it where this one is not
    /// known.
    pub fn scope_of_any(&self, api_version: &str, kind: &str) -> Option<Scope> {
        let known = self.scope(api_version, kind);
        known.or_else(|| {
            let built_in = [(&*KUBERNETES, self.kubernetes), (&*FLUX, self.flux)];
            built_in.into_iter().find_map(|(pack, minor)| {
                let instead = served_as(pack, api_version, kind, minor)?;
                self.scope(instead, kind)
            })
        })
    }

    /// Why a kind has no schema; none where it has one.
    pub fn missing(&self, api_version: &str, kind: &str) -> Option<Missing> {
        let known = self.lookup(api_version, kind).is_some();
        (!known).then(|| self.why_missing(api_version, kind))
    }

    /// Judges a document. A `List` stands for its items; a document without
    /// content has no verdict.
    ///
    /// # Errors
    ///
    /// `yaml/invalid`, with the place, for what the
    /// API server's decoder refuses.
    pub fn check(&self, document: &Node) -> Result<Vec<Verdict>> {
        let document = plain(document)?;
        if document.is_null() {
            return Ok(Vec::new());
        }
        if !document.is_mapping() {
            return Err(Error::new(
                "yaml/invalid",
                format!("a manifest is a mapping, not {}", document.describe()),
            )
            .at(document.span())
            .help("begin with `apiVersion:` and `kind:`"));
        }
        let mut verdicts = Vec::new();
        self.object(&document, "", &mut verdicts);
        Ok(verdicts)
    }

    fn object(&self, document: &Node, pointer: &str, verdicts: &mut Vec<Verdict>) {
        let mut verdict = Verdict::of(document, pointer);
        if is_list(&verdict)
            && let Some(items) = document.get("items").filter(|n| n.is_sequence())
        {
            for (i, item) in items.items().iter().enumerate() {
                self.object(item, &format!("{pointer}/items/{i}"), verdicts);
            }
            return;
        }
        // Flux takes this block away before it applies the object.
        let sealed = document.get("sops").is_some_and(Node::is_mapping);
        let mut document = Cow::Borrowed(document);
        if sealed {
            document.to_mut().remove("sops");
        }
        let known = self.lookup(&verdict.api_version, &verdict.kind);
        let metadata = KUBERNETES.definition(&format!("{}:metadata", self.kubernetes));
        let mut evaluation = Evaluation::new(&self.patterns, metadata, sealed);
        judge(&mut evaluation, &document, &verdict, known.as_ref());
        let holds = evaluation
            .finish()
            .iter()
            .all(|v| v.severity < Severity::Error);
        if holds && let Some(schema) = known.as_ref().and_then(|known| known.schema) {
            let before = evaluation.found.len();
            rules::check(&mut evaluation, &self.rules, schema, &document);
            soften(&mut evaluation, before, known.as_ref());
        }
        verdict.violations = evaluation.found;
        if !pointer.is_empty() {
            for violation in &mut verdict.violations {
                violation.path.insert_str(0, pointer);
            }
        }
        if known.is_none() && !verdict.api_version.is_empty() && !verdict.kind.is_empty() {
            verdict.missing = Some(self.why_missing(&verdict.api_version, &verdict.kind));
        }
        verdicts.push(verdict);
    }

    /// The schema of a kind, however its capitals are written.
    fn lookup<'s>(&'s self, api_version: &str, kind: &str) -> Option<Known<'s>> {
        if let Some((origin, variant)) = self.kind(api_version, kind) {
            return Some(Known {
                origin,
                schema: variant.schema,
                respelt: None,
            });
        }
        let built_in = [&*KUBERNETES, &*FLUX, &*CATALOG];
        let packs = self.given.iter().chain(&self.located).chain(built_in);
        packs.into_iter().find_map(|pack| {
            pack.kinds_of(api_version)
                .filter(|known| known.eq_ignore_ascii_case(kind))
                .find_map(|known| {
                    let (origin, variant) = self.kind(api_version, known)?;
                    Some(Known {
                        origin,
                        schema: variant.schema,
                        respelt: Some(known),
                    })
                })
        })
    }

    fn why_missing(&self, api_version: &str, kind: &str) -> Missing {
        let products = [
            (&*KUBERNETES, "Kubernetes 1", self.kubernetes),
            (&*FLUX, "Flux 2", self.flux),
        ];
        for (pack, product, minor) in products {
            let variants: Vec<Variant<'_>> = pack.kind(api_version, kind).collect();
            if let Some(next) = variants.iter().find(|v| v.first > minor) {
                return Missing::NotYet(format!("{product}.{} brings it", next.first));
            }
            if let Some(last) = variants.last() {
                let mut help = format!("{product}.{} was the last to serve it", last.last);
                if let Some(instead) = served_as(pack, api_version, kind, minor) {
                    help.push_str(&format!("; write `apiVersion: {instead}`"));
                }
                return Missing::NotServed(help);
            }
        }
        for (pack, product, minor) in products {
            if !has_group(pack, api_version) {
                continue;
            }
            return match served_as(pack, api_version, kind, minor) {
                Some(instead) => Missing::NotServed(format!(
                    "{product}.{minor} has `{kind}` in `{instead}`: write `apiVersion: {instead}`"
                )),
                // A version of the group that is gone took its kinds along.
                None if pack.kinds_of(api_version).next().is_none() => Missing::NotServed(format!(
                    "{product}.{minor} has no `{api_version}`, and no `{kind}` in its place"
                )),
                None => Missing::NoSuchKind(
                    nearest(kind, pack.kinds_of(api_version)).map(str::to_owned),
                ),
            };
        }
        let mut given = self.given.iter().chain(&self.located);
        if let Some(instead) = given.find_map(|pack| served_as(pack, api_version, kind, 0)) {
            return Missing::NotServed(format!(
                "its definition has `{instead}`: write `apiVersion: {instead}`"
            ));
        }
        if is_kubernetes_group(group_of(api_version)) {
            let instead = served_as(&KUBERNETES, api_version, kind, self.kubernetes);
            return match instead {
                Some(instead) => Missing::NotServed(format!("write `apiVersion: {instead}`")),
                None => Missing::NoSuchKind(None),
            };
        }
        Missing::Unknown
    }
}

/// The API version that serves a kind instead of this one, the most stable; of
/// the same group, unless the group is one of Kubernetes' own that may be gone.
fn served_as<'p>(pack: &'p Pack, api_version: &str, kind: &str, minor: u32) -> Option<&'p str> {
    let group = group_of(api_version);
    pack.kinds()
        .filter(|(_, known)| known == &kind)
        .filter(|(known, _)| pack.kind(known, kind).at(minor).is_some())
        .map(|(known, _)| known)
        .filter(|known| group_of(known) == group || is_kubernetes_group(group))
        .max_by_key(|known| {
            let version = known.rsplit('/').next().unwrap_or_default();
            (
                group_of(known) == group,
                !version.contains(['a', 'b']),
                *known,
            )
        })
}

/// The schema of a kind as it was found.
struct Known<'s> {
    origin: Origin,
    schema: Option<Schema<'s>>,
    /// The kind as it should be written.
    respelt: Option<&'s str>,
}

impl Verdict {
    fn of(document: &Node, pointer: &str) -> Verdict {
        let text = |key: &str| document.str_at(key).unwrap_or_default().to_owned();
        let meta = |key: &str| {
            let node = document.at_path(&["metadata", key]);
            node.and_then(Node::as_str).unwrap_or_default().to_owned()
        };
        Verdict {
            api_version: text("apiVersion"),
            kind: text("kind"),
            namespace: meta("namespace"),
            name: meta("name"),
            span: document
                .get("apiVersion")
                .map_or(document.span(), Node::span),
            pointer: pointer.to_owned(),
            violations: Vec::new(),
            missing: None,
        }
    }
}

/// Judges an object: what every object has, then what its kind has.
fn judge<'n>(
    evaluation: &mut Evaluation<'_, 'n>,
    document: &'n Node,
    verdict: &Verdict,
    known: Option<&Known<'_>>,
) {
    if !document.is_mapping() {
        let message = format!("expected a mapping, found {}", document.describe());
        evaluation.report(document.span(), message);
        return;
    }
    for (name, text) in [
        ("apiVersion", &verdict.api_version),
        ("kind", &verdict.kind),
    ] {
        if !text.is_empty() {
            continue;
        }
        match document.get(name) {
            Some(value) if !value.is_null_or_empty() => {
                let message = format!("expected a string, found {}", value.describe());
                evaluation
                    .report_at(Step::Key(name), value.span(), message)
                    .help = Some("write it in quotes".to_owned());
            }
            _ => {
                let message = format!("missing field `{name}`");
                evaluation
                    .report_at(Step::Key(name), document.span(), message)
                    .help = Some(format!("add `{name}`: every object says what it is"));
            }
        }
    }
    if !evaluation.found.is_empty() {
        return;
    }
    if needs_name(&verdict.api_version, &verdict.kind) {
        name(evaluation, document);
    }
    let schema = known.and_then(|known| known.schema);
    if let Some(schema) = schema {
        let before = evaluation.found.len();
        evaluation.fields(schema, document, true);
        evaluation.required(schema, document, Span::NONE);
        soften(evaluation, before, known);
    }
    // The schema of a built-in kind has that of its metadata in it.
    if known.is_none_or(|known| known.origin != Origin::Kubernetes) {
        evaluation.metadata(document, false);
    } else {
        evaluation.names(document, false);
    }
    if let Some(respelt) = known.and_then(|known| known.respelt)
        && let Some(kind) = document.get("kind")
    {
        let message = format!("`{}` is written `{respelt}`", verdict.kind);
        let violation = evaluation.report_at(Step::Key("kind"), kind.span(), message);
        violation.severity = Severity::Warning;
        violation.help = Some(format!("write `kind: {respelt}`"));
    }
}

/// Makes warnings of what was found by a definition that the cluster may not
/// have.
fn soften(evaluation: &mut Evaluation<'_, '_>, from: usize, known: Option<&Known<'_>>) {
    if known.is_none_or(|known| known.origin != Origin::Catalog) {
        return;
    }
    for violation in evaluation.found.iter_mut().skip(from) {
        violation.severity = violation.severity.min(Severity::Warning);
        let help = violation.help.get_or_insert_default();
        match help.chars().last() {
            None => {}
            Some('?') => help.push(' '),
            Some(_) => help.push_str("; "),
        }
        help.push_str("the definition came with fluxwright, and `--crds` takes the cluster's own");
    }
}

/// Reports an object without a name.
fn name<'n>(evaluation: &mut Evaluation<'_, 'n>, document: &'n Node) {
    let metadata = document.entry("metadata");
    let has = |key: &str| {
        metadata
            .and_then(|entry| entry.value.get(key))
            .is_some_and(|value| !value.is_null() && value.text() != Some(""))
    };
    if metadata.is_some_and(|e| !e.value.is_mapping() && !e.value.is_null()) {
        // Told by the schema.
        return;
    }
    if !has("name") && !has("generateName") {
        let span = metadata.map_or(document.span(), |entry| entry.key.span());
        let message = "the object has no name";
        evaluation
            .report_at(Step::Key("metadata"), span, message)
            .help = Some("add `metadata.name`, or `metadata.generateName`".to_owned());
    }
}

/// Whether a list of objects, which stands for them.
fn is_list(verdict: &Verdict) -> bool {
    verdict.kind.ends_with("List") && !verdict.api_version.is_empty()
}

/// Whether objects of a kind have names: questions to the API server, and
/// files of programs that look like objects, have none.
fn needs_name(api_version: &str, kind: &str) -> bool {
    let group = group_of(api_version);
    let question = matches!(group, "authentication.k8s.io" | "authorization.k8s.io");
    !question && !group.ends_with("config.k8s.io") && kind != "Status"
}

fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

fn has_group(pack: &Pack, api_version: &str) -> bool {
    let group = group_of(api_version);
    pack.api_versions().any(|known| group_of(known) == group)
}

/// Groups that are Kubernetes' own, those that are gone included: custom
/// resources cannot have a group without a dot.
fn is_kubernetes_group(group: &str) -> bool {
    !group.contains('.') || has_group(&KUBERNETES, &format!("{group}/v1"))
}
