//! One HelmRelease: from its spec to the objects that helm-controller applies.
//!
//! In: the release, the charts that are at hand, objects of the repository that
//! values come from. Out: objects in the order of their application.
//!
//! - `charts` finds the chart and makes of it what source-controller does,
//! - `facts` says what is known of it before it is loaded,
//! - `basis` says what all of it is rendered from, and what it cannot lead to,
//! - `values` composes the values,
//! - `lookups` has the objects that templates find,
//! - `definitions` reads the definitions of kinds that come with it,
//! - here, the chart is rendered and goes through the post-renderers.
//!
//! Compat: helm-controller 1.6 with Helm 4.3.

mod basis;
mod charts;
mod definitions;
mod facts;
mod lookups;
mod values;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::render::Options;
use super::{Sources, cluster};
use crate::artifact::Digest;
use crate::diag::{Finding, Findings, Result, Severity, SourceMap, Span, pointer};
use crate::flux::api::{
    self, ChartOrigin, ChartSpec, HelmRelease, Image, Patch, PostRenderStrategy, PostRenderer,
    SourceRef,
};
use crate::helm::{self, Chart, ReleaseOptions, UserValues, order};
use crate::kustomize::{Step, post_render};
use crate::lock::ChartRequest;
use crate::resource::ResId;
use crate::yaml::{Entry, Node, secret};

pub(super) use basis::{Basis, basis_of, is_told_of_flux};
pub(super) use charts::Charts;
pub(super) use definitions::{Definitions, Kinds};
pub use lookups::Lookups;
pub(super) use lookups::{Asked, Asking, Shelf};

/// The annotation that makes an object a hook.
const HOOK: &str = "helm.sh/hook";
/// The annotation by which hooks of one moment are ordered.
const HOOK_WEIGHT: &str = "helm.sh/hook-weight";

/// Kind, namespace and name.
type ObjectKey = (Arc<str>, Arc<str>, Arc<str>);

/// Objects of the repository by kind, namespace and name: those that HelmReleases
/// refer to.
#[derive(Debug, Default)]
pub(super) struct Objects<'a> {
    by_name: BTreeMap<ObjectKey, &'a Node>,
}

impl<'a> Objects<'a> {
    /// Adds an object, unless one of the same name is there.
    pub(super) fn add(&mut self, object: &'a Node, namespace: &Arc<str>) {
        let id = ResId::of(object);
        let is_wanted = match &*id.gvk.group {
            "" => matches!(&*id.gvk.kind, "ConfigMap" | "Secret"),
            "source.toolkit.fluxcd.io" => &*id.gvk.kind == "HelmChart",
            _ => false,
        };
        if !is_wanted || super::variables::is_sealed(object) {
            return;
        }
        let namespace = if id.namespace.is_empty() {
            namespace.clone()
        } else {
            id.namespace
        };
        self.by_name
            .entry((id.gvk.kind, namespace, id.name))
            .or_insert(object);
    }

    fn get(&self, kind: &Arc<str>, namespace: &Arc<str>, name: &Arc<str>) -> Option<&'a Node> {
        self.by_name
            .get(&(kind.clone(), namespace.clone(), name.clone()))
            .copied()
    }
}

/// What releases are rendered with.
pub(super) struct Context<'a> {
    pub(super) sources: &'a Sources,
    pub(super) options: &'a Options,
    pub(super) charts: &'a Charts,
    pub(super) objects: &'a Objects<'a>,
    /// What templates find by `lookup`; nothing where there is none.
    pub(super) shelf: Option<&'a Arc<Shelf>>,
    /// Whether shadows are to be taken for all secret values.
    pub(super) has_shadows: bool,
}

/// What a release applies, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Rendered {
    pub(super) objects: Vec<cluster::Object>,
    pub(super) findings: Findings,
    /// What they were made from, where that is known.
    pub(super) basis: Option<Basis>,
    /// Definitions that it applies as well, first, and that are not read.
    pub(super) unread: Definitions,
}

impl Rendered {
    /// Reads definitions that are not read: those that may define any of these
    /// kinds; all, where none are given.
    ///
    /// # Errors
    ///
    /// As [`Definitions::read`].
    pub(super) fn read_definitions(
        &mut self,
        kinds: Option<&Kinds>,
        release: &HelmRelease,
        context: &Context<'_>,
    ) -> Result<()> {
        let wanted = self.unread.take(kinds);
        let mut objects = wanted.read(release, context, &mut self.findings)?;
        objects.append(&mut self.objects);
        self.objects = objects;
        Ok(())
    }
}

/// The source that a release has its chart from; of a HelmChart, the one that
/// is named there.
pub(super) fn source_of(release: &HelmRelease, objects: &Objects<'_>) -> SourceRef {
    match &release.chart {
        ChartOrigin::Template(spec) => spec.source.clone(),
        ChartOrigin::Reference { source, .. } => {
            charts::helm_chart(source, objects).map_or(source.clone(), |spec| spec.source)
        }
    }
}

/// The chart that a release takes from a repository of charts; none where it
/// takes it otherwise.
pub(super) fn chart_request(release: &HelmRelease, objects: &Objects<'_>) -> Option<ChartRequest> {
    // What is secret is asked of nobody.
    let in_clear = |spec: &ChartSpec| (!spec.is_secret).then(|| ChartRequest::of(spec));
    match &release.chart {
        ChartOrigin::Template(spec) => in_clear(spec),
        ChartOrigin::Reference { source, .. } => {
            charts::helm_chart(source, objects).and_then(|spec| in_clear(&spec))
        }
    }
}

/// Looks for the signatures that are demanded of a release's chart and of where
/// it comes from.
///
/// # Errors
///
/// As [`Sources::verify`].
pub(super) fn verify(release: &HelmRelease, context: &Context<'_>) -> Result<()> {
    let of_spec = |spec: &ChartSpec| {
        context.sources.verify(&spec.source)?;
        context.sources.verify_chart(spec, &ChartRequest::of(spec))
    };
    match &release.chart {
        ChartOrigin::Template(spec) => of_spec(spec),
        ChartOrigin::Reference { source, span } => {
            match charts::helm_chart(source, context.objects) {
                Some(spec) => of_spec(&spec),
                None => context.sources.verify(source).map_err(|e| e.at(*span)),
            }
        }
    }
}

/// Whether a release may render objects of Flux for what its chart says, whatever it is
/// told.
pub(super) fn has_chart_of_flux(release: &HelmRelease, context: &Context<'_>) -> bool {
    let (charts, origin) = (context.charts, &release.chart);
    charts.may_mention(basis::FLUX, origin, context)
}

/// Whether a release renders objects that lead to others, as far as that is seen
/// without reading the definitions of its chart, which is most of the work: where one
/// may be of Flux, or nothing can be told, it does.
pub(super) fn leads_on(release: &HelmRelease, context: &Context<'_>, basis: Basis) -> bool {
    let asking = Arc::default();
    make(release, context, &asking, basis.templates).map_or(true, |made| {
        let ids = made.objects.iter().map(ResId::of);
        made.definitions.may_mention(basis::FLUX)
            || asking.has_asked()
            || ids.into_iter().any(|id| api::leads_on(&id.gvk))
    })
}

/// Renders a release, read from `object`; gives besides whether its templates
/// looked for objects. With `leaves_definitions` those are not read that lead to
/// nothing else.
///
/// # Errors
///
/// Where its chart is not at hand, values do not go together, the chart does
/// not render, or a post-renderer fails.
pub(super) fn render(
    object: &Node,
    release: &HelmRelease,
    context: &Context<'_>,
    basis: Option<Basis>,
    leaves_definitions: bool,
) -> Result<(Rendered, bool)> {
    let reuse = context.options.reuse.as_ref().zip(basis);
    let reuse = reuse.map(|(reuse, basis)| (reuse, basis, basis.key(leaves_definitions)));
    if let Some((reuse, _, key)) = reuse {
        let finds = |asked: &Asked| asked.is_answered_alike(release, context);
        if let Some((asked, made)) = reuse.release(key, &context.sources.scope, finds) {
            return Ok((made, !asked.is_empty()));
        }
    }
    let asking = Arc::default();
    let templates = basis.and_then(|basis| basis.templates);
    let mut made = rendered(object, release, context, &asking, templates)?;
    if !leaves_definitions || made.unread.may_mention(basis::FLUX) {
        made.read_definitions(None, release, context)?;
    }
    let asked = asking.all();
    let has_asked = !asked.is_empty();
    if let Some((reuse, basis, key)) = reuse {
        made.basis = Some(basis.with(&asked));
        reuse.keep_release(key, &context.sources.scope, asked, made.clone());
    }
    Ok((made, has_asked))
}

fn rendered(
    object: &Node,
    release: &HelmRelease,
    context: &Context<'_>,
    asking: &Arc<Asking>,
    templates: Option<Digest>,
) -> Result<Rendered> {
    let made = make(release, context, asking, templates);
    let shadow = secret::shadowed(object);
    let finds_secrets =
        asking.has_asked() && context.shelf.is_some_and(|shelf| shelf.has_secrets());
    let made = if shadow.is_some() || finds_secrets || values::have_secrets(release, context) {
        mark(made, shadow.as_ref().unwrap_or(object), context, asking)?
    } else {
        made?
    };
    Ok(Rendered {
        objects: in_order(made.objects),
        findings: made.findings,
        basis: None,
        unread: made.definitions,
    })
}

/// Marks what was made of secret values: what differs when the release is made
/// of shadows. What was told of them is left out of what was told.
fn mark(
    made: Result<Made>,
    shadow: &Node,
    context: &Context<'_>,
    asking: &Arc<Asking>,
) -> Result<Made> {
    let shadow_context = Context {
        has_shadows: true,
        ..*context
    };
    // A schema may ask for what a shadow is not; where it is what refuses, it
    // has to say so of shadows, too.
    let is_refused = matches!(&made, Err(e) if e.rule() == "helm/schema");
    let shadows = HelmRelease::read(shadow, context.options.flux).and_then(|mut shadow| {
        shadow.disables_schema |= !is_refused;
        make(&shadow, &shadow_context, asking, None)
    });
    let mut made = made.map_err(|e| e.without_secrets(shadows.as_ref().err()))?;
    if let Ok(shadows) = &shadows {
        secret::mark_differences(&mut made.objects, &shadows.objects);
    } else {
        made.objects.iter_mut().for_each(secret::mark_object);
    }
    let told = shadows.as_ref().ok().map(|shadows| &shadows.findings);
    made.findings.without_secrets(told);
    Ok(made)
}

/// What a release is made into, in no particular order.
struct Made {
    definitions: Definitions,
    objects: Vec<Node>,
    findings: Findings,
}

/// What the templates of a release make.
#[derive(Clone, Debug)]
pub(super) struct Templated {
    objects: Vec<Node>,
    /// Of these none where the release disables them.
    hooks: Vec<Node>,
    definitions: Arc<[helm::Definition]>,
    findings: Findings,
}

/// Runs the templates of a release.
fn template(
    release: &HelmRelease,
    context: &Context<'_>,
    asking: &Arc<Asking>,
) -> Result<Templated> {
    let sources = &context.options.source_map;
    let mut findings = Findings::new();
    // Values that are none are told where the chart is not at hand, too.
    let values = values::compose(release, context, &mut findings)?;
    let chart = context.charts.find(&release.chart, context)?.chart;
    let mut options = context.options.charts.clone();
    options.skip_schema_validation |= release.disables_schema;
    options.schemas = context.sources.schemas();
    options.parsed = context.options.reuse.as_ref().map(|r| r.parsed.clone());
    let parsed = options.parsed.as_deref();
    if let Some(shelf) = context.shelf {
        let own = (release.id.namespace.clone(), release.id.name.clone());
        options.world.lookup = Some(shelf.finder(own, context.has_shadows, asking));
    }
    let rendered = helm::render(
        &chart,
        &values,
        &ReleaseOptions::new(
            release.release_name.clone(),
            release.target_namespace.clone(),
        ),
        &context.options.capabilities,
        &options,
        sources,
    )?;
    findings.extend(rendered.findings);
    if options.tell_unused {
        findings.extend(unused(&chart, &values, release, sources)?);
    }
    let mut objects = Vec::new();
    for manifest in rendered.manifests {
        objects.extend(manifest.into_node(parsed, sources)?);
    }
    let mut hooks = Vec::new();
    if !release.disables_hooks {
        for hook in rendered.hooks {
            hooks.extend(hook.manifest.into_node(parsed, sources)?);
        }
    }
    Ok(Templated {
        objects,
        hooks,
        definitions: rendered.definitions.into(),
        findings,
    })
}

fn make(
    release: &HelmRelease,
    context: &Context<'_>,
    asking: &Arc<Asking>,
    templates: Option<Digest>,
) -> Result<Made> {
    let sources = &context.options.source_map;
    let template = || template(release, context, asking);
    let reuse = context.options.reuse.as_ref().zip(templates);
    let Templated {
        mut objects,
        mut hooks,
        definitions,
        mut findings,
    } = match reuse {
        Some((reuse, key)) => reuse.templated(key, &context.sources.scope, template)?,
        None => template()?,
    };
    let steps = steps(release);
    let mut run = |objects| -> Result<Vec<Node>> {
        let mut objects = post_render(objects, &steps, sources, &mut findings)?;
        objects.iter_mut().for_each(drop_empty_annotations);
        Ok(objects)
    };
    let by_default = if context.options.post_renders_hooks {
        PostRenderStrategy::Combined
    } else {
        PostRenderStrategy::NoHooks
    };
    let all = match release.post_render_strategy.unwrap_or(by_default) {
        PostRenderStrategy::Combined => {
            objects.append(&mut hooks);
            run(objects)?
        }
        PostRenderStrategy::Separate => {
            let mut all = run(hooks)?;
            all.append(&mut run(objects)?);
            all
        }
        PostRenderStrategy::NoHooks => {
            let mut all = run(objects)?;
            all.append(&mut hooks);
            all
        }
    };
    Ok(Made {
        definitions: Definitions::of(release, definitions),
        objects: all,
        findings,
    })
}

/// Tells the values that no template of a chart reads.
fn unused(
    chart: &Arc<Chart>,
    values: &UserValues,
    release: &HelmRelease,
    sources: &SourceMap,
) -> Result<Findings> {
    let inline = release.values.as_ref();
    let found = helm::unused(chart, values, sources)?.into_iter();
    let findings = found.map(|unused| {
        let message = format!(
            "no template of the chart `{}` reads the value `{}`",
            chart.metadata().name,
            unused.path.join(".")
        );
        let finding = Finding::new("helm/unused-values", Severity::Info, message);
        let finding = finding.at(unused.span, sources).help(match unused.near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "see which values the chart has, and take it out or move it".to_owned(),
        });
        // Where it stands in the object itself.
        let path: Vec<&str> = unused.path.iter().map(|key| &**key).collect();
        let is_inline = inline.is_some_and(|node| node.at_path(&path).is_some());
        if is_inline {
            let path: Vec<String> = path.iter().map(|key| pointer::escape(key)).collect();
            finding.path(format!("/spec/values/{}", path.join("/")))
        } else {
            finding
        }
    });
    Ok(findings.collect())
}

/// Takes out `metadata.annotations` that holds nothing.
///
/// Compat: Helm notes the file of an object in an annotation while
/// post-renderers run, and its writer leaves out the mapping when nothing else
/// is in it.
fn drop_empty_annotations(object: &mut Node) {
    let Some(metadata) = object.get_mut("metadata") else {
        return;
    };
    if metadata
        .get("annotations")
        .is_some_and(Node::is_null_or_empty)
    {
        metadata.remove("annotations");
    }
}

/// What objects go through, in helm-controller's order.
///
/// Compat: `internal/postrender/build.go`: the labels of the origin come last
/// and win.
fn steps(release: &HelmRelease) -> Vec<Step> {
    let mut steps: Vec<Step> = release
        .post_renderers
        .iter()
        .map(|renderer| Step::Kustomization(kustomization(renderer)))
        .collect();
    if !release.common_labels.is_empty() {
        steps.push(Step::Labels(release.common_labels.clone()));
    }
    if !release.common_annotations.is_empty() {
        steps.push(Step::Annotations(release.common_annotations.clone()));
    }
    steps.push(origin_labels(release));
    steps
}

fn origin_labels(release: &HelmRelease) -> Step {
    Step::Labels(vec![
        ("helm.toolkit.fluxcd.io/name".into(), release.name.clone()),
        (
            "helm.toolkit.fluxcd.io/namespace".into(),
            release.namespace.clone(),
        ),
    ])
}

fn kustomization(renderer: &PostRenderer) -> Node {
    let at = renderer.span;
    let mut node = Node::mapping(Vec::new(), at);
    let patches = renderer.patches.iter().map(|patch| patch_node(patch, at));
    let images = renderer.images.iter().map(|image| image_node(image, at));
    node.set("patches", Node::sequence(patches.collect(), at));
    node.set("images", Node::sequence(images.collect(), at));
    node
}

fn mapping<'n>(fields: impl IntoIterator<Item = (&'n str, Option<&'n Node>)>, at: Span) -> Node {
    let entries = fields.into_iter().filter_map(|(key, value)| {
        Some(Entry {
            key: Node::string(key, at),
            value: value?.clone(),
        })
    });
    Node::mapping(entries.collect(), at)
}

fn patch_node(patch: &Patch, at: Span) -> Node {
    let fields = [
        ("patch", Some(&patch.patch)),
        ("target", patch.target.as_ref()),
    ];
    mapping(fields, at)
}

fn image_node(image: &Image, at: Span) -> Node {
    let fields = [
        ("name", Some(&image.name)),
        ("newName", image.new_name.as_ref()),
        ("newTag", image.new_tag.as_ref()),
        ("digest", image.digest.as_ref()),
    ];
    mapping(fields, at)
}

/// What is created before, the release itself, and what is created at other moments;
/// tests are left out.
fn in_order(objects: Vec<Node>) -> Vec<cluster::Object> {
    let annotation = |object: &cluster::Object, key: &str| {
        object
            .node
            .at_path(&["metadata", "annotations", key])
            .and_then(Node::text)
            .map(str::to_owned)
    };
    let mut before = Vec::new();
    let mut own = Vec::new();
    let mut later = Vec::new();
    for object in objects.into_iter().map(cluster::Object::new) {
        let Some(events) = annotation(&object, HOOK) else {
            own.push(object);
            continue;
        };
        let is_at = |names: &[&str]| events.split(',').any(|e| names.contains(&e.trim()));
        if is_at(&["test", "test-success"]) {
            continue;
        }
        let weight = annotation(&object, HOOK_WEIGHT)
            .and_then(|w| w.trim().parse::<i64>().ok())
            .unwrap_or_default();
        if is_at(&["pre-install"]) {
            before.push((weight, object));
        } else {
            later.push((weight, object));
        }
    }
    let by_kind =
        |a: &cluster::Object, b: &cluster::Object| order::compare(&a.id.gvk.kind, &b.id.gvk.kind);
    own.sort_by(by_kind);
    for hooks in [&mut before, &mut later] {
        hooks.sort_by(|a, b| {
            a.0.cmp(&b.0)
                .then_with(|| by_kind(&a.1, &b.1))
                .then_with(|| a.1.id.name.cmp(&b.1.id.name))
        });
    }
    let mut all: Vec<cluster::Object> = before.into_iter().map(|(_, object)| object).collect();
    all.append(&mut own);
    all.extend(later.into_iter().map(|(_, object)| object));
    all
}
