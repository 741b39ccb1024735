//! ExternalArtifacts: what the ArtifactGenerators of a cluster make of its
//! other sources, made when it is asked for and once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Sources;
use super::source::unavailable;
use crate::artifact::{Digest, MemoryTree, Tree, archive, ignore, pack};
use crate::diag::{Error, Result, Span};
use crate::flux::api::{ChartSpec, Generator, SourceRef};
use crate::flux::compose::{self, Trees};
use crate::lock::{ChartRequest, Pin};
use crate::resource::Files;
use crate::yaml::Node;

/// How deep artifacts may be made of artifacts.
const MAX_DEPTH: usize = 8;

/// The generators that are known, and what they made.
#[derive(Clone, Debug, Default)]
pub(super) struct Generators {
    declared: BTreeMap<SourceRef, Result<Generator>>,
    /// HelmCharts, which generators may take from.
    charts: BTreeMap<SourceRef, ChartSpec>,
    made: Arc<Mutex<BTreeMap<String, Made>>>,
}

type Made = Result<Arc<BTreeMap<String, Result<Artifact>>>>;

/// An artifact that was made here.
#[derive(Clone, Debug)]
pub(super) struct Artifact {
    pub(super) files: Arc<Files>,
    /// Revision and digest.
    pub(super) pin: Pin,
}

impl Generators {
    /// Takes up a generator, or a HelmChart that one may take from.
    pub(super) fn declare(&mut self, object: &Node) {
        let id = SourceRef::of(object);
        match Generator::read(object) {
            Ok(None) => {
                if &*id.kind == "HelmChart"
                    && let Ok(spec) = ChartSpec::read(object)
                {
                    self.charts.insert(id, spec);
                }
            }
            Ok(Some(generator)) => {
                self.declared.insert(id, Ok(generator));
            }
            Err(e) => {
                self.declared.insert(id, Err(e));
            }
        }
    }

    /// The generators that may make an artifact, those that name it first.
    fn of<'a>(&'a self, artifact: &'a SourceRef) -> impl Iterator<Item = &'a Result<Generator>> {
        let mut found: Vec<&Result<Generator>> = self
            .declared
            .iter()
            .filter(|(id, generator)| {
                id.namespace == artifact.namespace
                    && match generator {
                        Ok(generator) => compose::may_make(generator, &artifact.name),
                        Err(_) => true,
                    }
            })
            .map(|(_, generator)| generator)
            .collect();
        let order = |generator: &Result<Generator>| match generator {
            Ok(generator) => usize::from(generator.path_pattern.is_some()),
            Err(_) => 2,
        };
        found.sort_by_key(|generator| order(generator));
        found.into_iter()
    }
}

/// Whether a source is one that generators make.
pub(super) fn is_artifact(source: &SourceRef) -> bool {
    &*source.kind == "ExternalArtifact"
}

impl Sources {
    /// Whether all is known that an artifact may be made of.
    pub(super) fn knows_artifact(&self, artifact: &SourceRef) -> bool {
        self.generators
            .of(artifact)
            .next()
            .is_some_and(|generator| match generator {
                Ok(generator) => {
                    generator
                        .sources
                        .iter()
                        .all(|source| match &*source.source.kind {
                            "HelmChart" => true,
                            "ExternalArtifact" => {
                                self.generators.of(&source.source).next().is_some()
                            }
                            _ => self.knows(&source.source),
                        })
                }
                Err(_) => true,
            })
    }

    /// The sources that an artifact is made of; none for other sources.
    pub(super) fn parts_of(&self, source: &SourceRef) -> Vec<SourceRef> {
        if !is_artifact(source) {
            return Vec::new();
        }
        let generators = self.generators.of(source).filter_map(|g| g.as_ref().ok());
        let parts = generators.flat_map(|generator| &generator.sources);
        // One that is made of itself was told.
        parts
            .map(|part| part.source.clone())
            .filter(|part| !is_artifact(part))
            .collect()
    }

    /// The artifact that a reference at `span` names.
    ///
    /// # Errors
    ///
    /// `source/unavailable` where nothing makes it, what is wrong with the
    /// sources that it is made of, and as [`compose::compose`].
    pub(super) fn artifact(&self, artifact: &SourceRef, span: Span) -> Result<Artifact> {
        self.artifact_within(artifact, span, 0)
    }

    fn artifact_within(&self, artifact: &SourceRef, span: Span, depth: usize) -> Result<Artifact> {
        if depth > MAX_DEPTH {
            return Err(
                Error::new("dag/cycle", format!("`{artifact}` is made of itself")).at(span),
            );
        }
        for generator in self.generators.of(artifact) {
            let generator = generator.as_ref().map_err(Error::clone)?;
            let made = self.made(generator, depth)?;
            if let Some(found) = made.get(&*artifact.name) {
                return found.clone();
            }
        }
        Err(Error::new(
            "source/unavailable",
            format!("no ArtifactGenerator makes `{artifact}`"),
        )
        .at(span)
        .help(format!(
            "name one that a generator in the namespace `{}` makes, or give a folder that stands \
             in: `--local-sources {artifact}=PATH`",
            artifact.namespace
        )))
    }

    fn made(&self, generator: &Generator, depth: usize) -> Made {
        let mut key = format!(
            "{} {:?} {:?}",
            generator.id, generator.path_pattern, generator.artifacts
        );
        let mut trees = Trees::new();
        for source in &generator.sources {
            let (tree, content) = self
                .tree_for(&source.source, source.span, depth)
                .map_err(|e| e.context(format!("`{}`", generator.id)))?;
            key.push_str(&format!(" {} {content}", source.alias));
            trees.insert(source.alias.clone(), tree);
        }
        let lock = || {
            self.generators
                .made
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(made) = lock().get(&key) {
            return made.clone();
        }
        let made = self.make(generator, &trees);
        lock().entry(key).or_insert(made).clone()
    }

    fn make(&self, generator: &Generator, trees: &Trees) -> Made {
        let composed = compose::compose(generator, trees)?;
        let artifacts = composed.into_iter().map(|(name, composed)| {
            let artifact = composed.and_then(|composed| {
                let mut tree = MemoryTree::new(format!(
                    "ExternalArtifact/{}/{name}",
                    generator.id.namespace
                ));
                for file in ignore::regular_files(&*composed.tree)? {
                    let content = composed.tree.read(&file)?;
                    tree.insert(file, content);
                }
                let digest = Digest::of(&pack::pack(&tree)?);
                let of_source = composed.revision.and_then(|alias| {
                    let mut sources = generator.sources.iter();
                    let source = sources.find(|source| source.alias == alias)?;
                    self.pin(&source.source).map(|pin| pin.revision)
                });
                Ok(Artifact {
                    files: Arc::new(Files::new(
                        Arc::new(tree),
                        self.repository.sources().clone(),
                    )),
                    pin: Pin {
                        revision: of_source.unwrap_or_else(|| format!("latest@{digest}")),
                        digest,
                    },
                })
            });
            (name, artifact)
        });
        Ok(Arc::new(artifacts.collect()))
    }

    /// The tree of a generator's source, and what tells its content from
    /// another's.
    fn tree_for(
        &self,
        source: &SourceRef,
        span: Span,
        depth: usize,
    ) -> Result<(Arc<dyn Tree>, String)> {
        if is_artifact(source) && !self.local.contains_key(source) {
            let artifact = self.artifact_within(source, span, depth + 1)?;
            let digest = artifact.pin.digest.to_string();
            return Ok((artifact.files.tree().clone(), digest));
        }
        if &*source.kind == "HelmChart" && !self.local.contains_key(source) {
            return self.chart_for(source, span);
        }
        let files = self.resolve(source, span)?;
        // Trees are shared: one place in memory is one content.
        let content = format!("{} {:p}", self.key_of(source), Arc::as_ptr(&files));
        Ok((files.tree().clone(), content))
    }

    /// The files of a chart from a repository of charts, as its archive holds
    /// them.
    fn chart_for(&self, chart: &SourceRef, span: Span) -> Result<(Arc<dyn Tree>, String)> {
        let Some(spec) = self.generators.charts.get(chart) else {
            return Err(unavailable(chart, span));
        };
        if &*spec.source.kind != "HelmRepository" || !spec.values_files.is_empty() {
            return Err(Error::new(
                "source/unavailable",
                format!(
                    "`{chart}` is packaged in the cluster, which generators cannot take from here"
                ),
            )
            .at(span)
            .help("take from the chart's own source instead"));
        }
        let request = ChartRequest::of(spec);
        self.verify_chart(spec, &request)?;
        let (locked, declared) = self.locked(&spec.source, spec.source_span)?;
        let (bytes, pin) = locked.chart(declared, &request, spec.chart.span())?;
        let mut tree = MemoryTree::new(format!("{}-{}.tgz", request.name, pin.version));
        archive::unpack(&bytes, &mut tree)?;
        Ok((Arc::new(tree), pin.digest.to_string()))
    }
}
