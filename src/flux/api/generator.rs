//! ArtifactGenerator: artifacts composed of those of other sources.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::SourceRef;
use crate::diag::{Error, Result, Span};
use crate::flux::fields::Fields;
use crate::resource::{Gvk, ResId};
use crate::yaml::Node;

/// The group of ArtifactGenerators.
pub const EXTENSIONS: &str = "source.extensions.fluxcd.io";

/// An ArtifactGenerator, typed.
#[derive(Clone, Debug)]
pub struct Generator {
    /// Which it is.
    pub id: SourceRef,
    /// What it takes from.
    pub sources: Vec<GeneratorSource>,
    /// `spec.pathPattern` with its place: one set of artifacts for each folder
    /// that it matches.
    pub path_pattern: Option<(Arc<str>, Span)>,
    /// What it makes, in order.
    pub artifacts: Vec<OutputArtifact>,
}

/// An entry of `spec.sources`.
#[derive(Clone, Debug)]
pub struct GeneratorSource {
    /// What copy operations call it.
    pub alias: Arc<str>,
    /// The source.
    pub source: SourceRef,
    /// Where it stands.
    pub span: Span,
}

/// An entry of `spec.artifacts`.
#[derive(Clone, Debug)]
pub struct OutputArtifact {
    /// The name of the ExternalArtifact; with a pattern, a template of it.
    pub name: Arc<str>,
    /// Where the name stands.
    pub span: Span,
    /// The alias of the source whose revision it takes.
    pub revision: Option<Arc<str>>,
    /// What is copied, in order.
    pub copy: Vec<CopyOperation>,
}

/// An entry of `copy`.
#[derive(Clone, Debug)]
pub struct CopyOperation {
    /// `@alias/pattern`.
    pub from: Arc<str>,
    /// `@artifact/path`.
    pub to: Arc<str>,
    /// Patterns of what is left out.
    pub exclude: Vec<Arc<str>>,
    /// What happens to files that are there.
    pub strategy: Strategy,
    /// Where it stands.
    pub span: Span,
}

/// What a copy operation does with files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Later files replace earlier ones.
    Overwrite,
    /// YAML files are merged as Helm merges values.
    Merge,
    /// Archives are unpacked.
    Extract,
}

/// Whether an object is an ArtifactGenerator.
pub fn is_generator(gvk: &Gvk) -> bool {
    &*gvk.group == EXTENSIONS && &*gvk.kind == "ArtifactGenerator"
}

impl Generator {
    /// Reads an ArtifactGenerator; none for objects of other kinds.
    ///
    /// # Errors
    ///
    /// `schema/invalid`, with the place: fields of the wrong kind, those that
    /// must be there, aliases and names that stand twice.
    pub fn read(object: &Node) -> Result<Option<Generator>> {
        let id = ResId::of(object);
        if !is_generator(&id.gvk) {
            return Ok(None);
        }
        Generator::read_spec(object)
            .map(Some)
            .map_err(|e| e.object(id.to_object_ref()))
    }

    fn read_spec(object: &Node) -> Result<Generator> {
        let whole = Fields::of(object);
        let id = SourceRef::of(object);
        let spec = whole
            .mapping("spec")?
            .ok_or_else(|| whole.missing("spec"))?;
        let mut sources = Vec::new();
        let mut aliases = BTreeSet::new();
        for entry in spec.mappings("sources")? {
            let alias = entry.required("alias")?;
            if !aliases.insert(alias.clone()) {
                return Err(twice(&entry, "alias", &alias));
            }
            sources.push(GeneratorSource {
                alias,
                source: SourceRef::read(&entry, &id.namespace)?,
                span: entry.node().span(),
            });
        }
        let mut artifacts = Vec::new();
        let mut names = BTreeSet::new();
        for entry in spec.mappings("artifacts")? {
            let artifact = output(&entry)?;
            if !names.insert(artifact.name.clone()) {
                return Err(twice(&entry, "name", &artifact.name));
            }
            if let Some(alias) = artifact.revision.as_ref().filter(|a| !aliases.contains(*a)) {
                let span = entry.get("revision").unwrap_or(entry.node()).span();
                return Err(Error::new(
                    "schema/invalid",
                    format!(
                        "`{}`: no source has the alias `{alias}`",
                        entry.path_of("revision")
                    ),
                )
                .at(span)
                .help("name an alias of `spec.sources`, as in `@repo`"));
            }
            artifacts.push(artifact);
        }
        let pattern = spec.string("pathPattern")?;
        let pattern = pattern.and_then(|node| Some((node.shared_text()?.clone(), node.span())));
        Ok(Generator {
            id,
            sources,
            path_pattern: pattern.filter(|(text, _)| !text.is_empty()),
            artifacts,
        })
    }
}

fn output(entry: &Fields<'_>) -> Result<OutputArtifact> {
    let name = entry.required("name")?;
    let revision = entry.text("revision")?;
    let copy = entry.mappings("copy")?;
    let copy = copy.iter().map(|operation| {
        let strategy = operation.text("strategy")?;
        Ok(CopyOperation {
            from: operation.required("from")?,
            to: operation.required("to")?,
            exclude: operation
                .strings("exclude")?
                .into_iter()
                .filter_map(Node::shared_text)
                .cloned()
                .collect(),
            strategy: match &*strategy {
                "" | "Overwrite" => Strategy::Overwrite,
                "Merge" => Strategy::Merge,
                "Extract" => Strategy::Extract,
                other => {
                    let span = operation
                        .get("strategy")
                        .map_or(entry.node().span(), Node::span);
                    let field = operation.path_of("strategy");
                    return Err(Error::new(
                        "schema/invalid",
                        format!("`{field}` is Overwrite, Merge or Extract, not `{other}`"),
                    )
                    .at(span));
                }
            },
            span: operation.node().span(),
        })
    });
    Ok(OutputArtifact {
        span: entry.get("name").map_or(entry.node().span(), Node::span),
        name,
        revision: match revision.strip_prefix('@') {
            Some(alias) => Some(alias.into()),
            None if revision.is_empty() => None,
            None => Some(revision.clone()),
        },
        copy: copy.collect::<Result<_>>()?,
    })
}

fn twice(entry: &Fields<'_>, field: &str, value: &str) -> Error {
    let span = entry.get(field).unwrap_or(entry.node()).span();
    Error::new(
        "schema/invalid",
        format!("`{}`: `{value}` stands twice", entry.path_of(field)),
    )
    .at(span)
    .help("give it another one")
}
