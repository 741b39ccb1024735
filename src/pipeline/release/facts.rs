//! What is known of a chart before it is loaded: a digest of all that it would
//! be loaded from, and which words do not stand in it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::charts::{Charts, helm_chart};
use super::{Context, charts};
use crate::artifact::{Digest, Hasher};
use crate::diag::{Result, Span};
use crate::flux::api::{ChartOrigin, ChartSpec, SourceRef, SourceSpec};
use crate::helm;
use crate::lock::ChartRequest;
use crate::pipeline::composed;

/// What was found out so far; shared by all threads.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// The digests of archives that the user gave, by their paths.
    digests: Mutex<BTreeMap<String, Digest>>,
    /// Whether a word stands in an archive.
    words: Mutex<BTreeMap<(Digest, &'static str), bool>>,
}

/// The archive of a chart.
struct Packed {
    bytes: Arc<[u8]>,
    digest: Digest,
    /// What goes into the chart besides.
    revision: Option<String>,
}

impl Packed {
    fn new(bytes: Arc<[u8]>) -> Packed {
        let digest = Digest::of(&bytes);
        Packed {
            bytes,
            digest,
            revision: None,
        }
    }
}

impl Charts {
    /// A digest of all that the chart of a release is loaded from; none where
    /// that is not known.
    ///
    /// # Errors
    ///
    /// As [`Charts::find`], as far as that is seen without loading it.
    pub(super) fn identity(
        &self,
        origin: &ChartOrigin,
        context: &Context<'_>,
    ) -> Result<Option<Digest>> {
        let Some(packed) = self.packed(origin, context)? else {
            return Ok(self.find(origin, context)?.identity);
        };
        let Some(revision) = packed.revision else {
            return Ok(Some(packed.digest));
        };
        let mut hasher = Hasher::default();
        hasher.update(packed.digest.as_bytes());
        hasher.update(revision.as_bytes());
        Ok(Some(hasher.finish()))
    }

    /// Whether a word may stand in the chart of a release: in any file of it,
    /// or of the charts in it.
    pub(super) fn may_mention(
        &self,
        word: &'static str,
        origin: &ChartOrigin,
        context: &Context<'_>,
    ) -> bool {
        if has_other_values(origin, context) {
            return true;
        }
        match self.packed(origin, context) {
            Ok(Some(packed)) => {
                let words = || {
                    let words = &self.facts.words;
                    words.lock().unwrap_or_else(PoisonError::into_inner)
                };
                let key = (packed.digest, word);
                if let Some(known) = words().get(&key) {
                    return *known;
                }
                let reuse = context.options.reuse.as_deref();
                let question = format!("mentions {word}");
                let known = reuse.and_then(|reuse| reuse.known.get(&question, packed.digest));
                let is_there = known.unwrap_or_else(|| {
                    let is_there = helm::archive_mentions(&packed.bytes, word);
                    if let Some(reuse) = reuse {
                        reuse.known.put(&question, packed.digest, is_there);
                    }
                    is_there
                });
                words().insert(key, is_there);
                is_there
            }
            Ok(None) => {
                let loaded = self.find(origin, context);
                loaded
                    .and_then(|loaded| loaded.chart.mentions(word))
                    .unwrap_or(true)
            }
            Err(_) => true,
        }
    }

    /// The archive of a release's chart; none where it is made otherwise.
    fn packed(&self, origin: &ChartOrigin, context: &Context<'_>) -> Result<Option<Packed>> {
        match origin {
            ChartOrigin::Template(spec) => packed_of_spec(spec, context),
            ChartOrigin::Reference { source, span } if &*source.kind == "HelmChart" => {
                match helm_chart(source, context.objects) {
                    Some(spec) => packed_of_spec(&spec, context),
                    None => Err(charts::no_helm_chart(source, *span)),
                }
            }
            ChartOrigin::Reference { source, span } => {
                self.packed_of_source(source, *span, context)
            }
        }
    }

    fn packed_of_source(
        &self,
        source: &SourceRef,
        span: Span,
        context: &Context<'_>,
    ) -> Result<Option<Packed>> {
        context.sources.verify(source).map_err(|e| e.at(span))?;
        if let Some(local) = context.sources.local.get(source) {
            let Some(bytes) = local.packed() else {
                return Ok(None);
            };
            let digests = || {
                let digests = &self.facts.digests;
                digests.lock().unwrap_or_else(PoisonError::into_inner)
            };
            let known = digests().get(&local.path).copied();
            let digest = known.unwrap_or_else(|| Digest::of(bytes));
            digests().insert(local.path.clone(), digest);
            return Ok(Some(Packed {
                bytes: bytes.clone(),
                digest,
                revision: None,
            }));
        }
        if composed::is_artifact(source) {
            return Ok(None);
        }
        let (locked, declared) = context.sources.locked(source, span)?;
        if !matches!(declared.spec, SourceSpec::Oci(_)) {
            return Ok(None);
        }
        let (bytes, pin) = locked.chart_layer(declared).map_err(|e| e.at(span))?;
        Ok(Some(Packed {
            revision: Some(pin.revision),
            ..Packed::new(bytes)
        }))
    }
}

fn packed_of_spec(spec: &ChartSpec, context: &Context<'_>) -> Result<Option<Packed>> {
    if &*spec.source.kind != "HelmRepository" {
        return Ok(None);
    }
    let request = ChartRequest::of(spec);
    context.sources.verify_chart(spec, &request)?;
    if let Some(local) = context.sources.local.get(&spec.source) {
        let (files, file) = charts::in_folder(local, &charts::Wanted::of(spec))?;
        return Ok(Some(Packed::new(files.bytes(&file)?)));
    }
    let (locked, declared) = context.sources.locked(&spec.source, spec.source_span)?;
    let (bytes, _) = locked.chart(declared, &request, spec.chart.span())?;
    Ok(Some(Packed::new(bytes)))
}

/// Whether the defaults of a chart are made of files beside it.
fn has_other_values(origin: &ChartOrigin, context: &Context<'_>) -> bool {
    let is_so =
        |spec: &ChartSpec| &*spec.source.kind != "HelmRepository" && !spec.values_files.is_empty();
    match origin {
        ChartOrigin::Template(spec) => is_so(spec),
        ChartOrigin::Reference { source, .. } => {
            helm_chart(source, context.objects).is_some_and(|spec| is_so(&spec))
        }
    }
}
