//! `HelmRelease` and `HelmChart`: what shapes their output.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::kustomization::{Image, Patch, patches};
use super::{Dropped, SourceRef, Verification};
use crate::diag::{Error, Result, Span};
use crate::flux::FluxVersion;
use crate::flux::fields::Fields;
use crate::resource::ResId;
use crate::yaml::Node;

/// The longest name of a release.
const MAX_RELEASE_NAME: usize = 53;

/// A HelmRelease, read for rendering.
#[derive(Clone, Debug)]
pub struct HelmRelease {
    /// What identifies it.
    pub id: ResId,
    /// `metadata.name`, with its place.
    pub name: Node,
    /// `metadata.namespace`, with its place.
    pub namespace: Node,
    /// Where the chart comes from.
    pub chart: ChartOrigin,
    /// `spec.releaseName`, or the name that follows from the other fields, cut
    /// to what Helm takes.
    pub release_name: Arc<str>,
    /// `spec.targetNamespace`, or that of the HelmRelease.
    pub target_namespace: Arc<str>,
    /// `spec.values`.
    pub values: Option<Node>,
    /// `spec.valuesFrom`, in order.
    pub values_from: Vec<ValuesReference>,
    /// `spec.postRenderers`, in order.
    pub post_renderers: Vec<PostRenderer>,
    /// `spec.postRenderStrategy`; where none is given, Flux's version and its
    /// feature gates decide.
    pub post_render_strategy: Option<PostRenderStrategy>,
    /// `spec.commonMetadata.labels`, in the order written.
    pub common_labels: Vec<(Arc<str>, Node)>,
    /// `spec.commonMetadata.annotations`, in the order written.
    pub common_annotations: Vec<(Arc<str>, Node)>,
    /// `spec.install.crds` is `Skip`: definitions in `crds/` are not applied.
    pub skips_definitions: bool,
    /// `spec.install.disableHooks`.
    pub disables_hooks: bool,
    /// `spec.install.disableSchemaValidation`.
    pub disables_schema: bool,
    /// `spec.suspend`.
    pub suspend: bool,
    /// `spec.kubeConfig` is set: it applies to another cluster.
    pub remote: bool,
    /// Fields of the spec that this version of Flux does not have; it drops
    /// them.
    pub dropped: Vec<Dropped>,
}

/// Where a release has its chart from.
#[derive(Clone, Debug)]
pub enum ChartOrigin {
    /// `spec.chart`: a chart of a source.
    Template(ChartSpec),
    /// `spec.chartRef`: a source that is a chart, or a HelmChart.
    Reference {
        /// What is referred to.
        source: SourceRef,
        /// The place of the reference.
        span: Span,
    },
}

/// A chart of a source: `spec.chart.spec` of a HelmRelease, `spec` of a
/// HelmChart.
#[derive(Clone, Debug)]
pub struct ChartSpec {
    /// The chart's name, or the path to it where the source is a tree.
    pub chart: Node,
    /// The version or range; `*` where none is written. Only repositories of
    /// charts go by it.
    pub version: Arc<str>,
    /// The place of the version, or of the chart's name.
    pub version_span: Span,
    /// Where the chart is.
    pub source: SourceRef,
    /// The place of `sourceRef`.
    pub source_span: Span,
    /// `valuesFiles`, in order.
    pub values_files: Vec<Node>,
    /// `ignoreMissingValuesFiles`.
    pub ignores_missing_values_files: bool,
    /// `verify`: who must have signed it.
    pub verify: Option<Arc<Result<Verification>>>,
    /// `reconcileStrategy: Revision`: the version tells the source's revision.
    pub follows_revision: bool,
    /// Whether its name or version was made from a decrypted value.
    pub is_secret: bool,
}

/// An entry of `valuesFrom`.
#[derive(Clone, Debug)]
pub struct ValuesReference {
    /// `ConfigMap` or `Secret`.
    pub kind: Arc<str>,
    /// The name of an object in the HelmRelease's namespace.
    pub name: Arc<str>,
    /// The key in it.
    pub key: Arc<str>,
    /// Where the value goes; without it, the value is a whole values file.
    pub target_path: Option<Node>,
    /// Whether the value is taken as it is.
    pub literal: bool,
    /// Whether object and key may be missing.
    pub optional: bool,
    /// Where the name stands.
    pub span: Span,
}

/// An entry of `spec.postRenderers`.
#[derive(Clone, Debug)]
pub struct PostRenderer {
    /// `kustomize.patches`.
    pub patches: Vec<Patch>,
    /// `kustomize.images`.
    pub images: Vec<Image>,
    /// Where it stands.
    pub span: Span,
}

/// What post-renderers are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostRenderStrategy {
    /// Objects and hooks together.
    Combined,
    /// Objects and hooks, each on their own.
    Separate,
    /// Objects alone.
    NoHooks,
}

impl HelmRelease {
    /// Reads a HelmRelease.
    ///
    /// # Errors
    ///
    /// `schema/invalid`, with the place, for fields of the wrong kind and for
    /// those that must be there.
    pub fn read(object: &Node, flux: FluxVersion) -> Result<HelmRelease> {
        let id = ResId::of(object);
        HelmRelease::read_spec(object, flux).map_err(|e| e.object(id.to_object_ref()))
    }

    fn read_spec(object: &Node, flux: FluxVersion) -> Result<HelmRelease> {
        let whole = Fields::of(object);
        let id = ResId::of(object);
        let (name, namespace) = super::name_and_namespace(&whole)?;
        let own_namespace: Arc<str> = namespace.shared_text().cloned().unwrap_or_default();
        let spec = whole
            .mapping("spec")?
            .ok_or_else(|| whole.missing("spec"))?;
        let mut dropped = Vec::new();
        let mut known = |field: &str, node: Option<Span>| {
            let has = flux.has_helm_release_field(field);
            if let (false, Some(span)) = (has, node) {
                dropped.push((format!("spec.{field}"), span));
            }
            has
        };
        let written = |field| spec.get(field).map(Node::span);

        let common = if known("commonMetadata", written("commonMetadata")) {
            spec.mapping("commonMetadata")?
        } else {
            None
        };
        let common_map = |field| match &common {
            None => Ok(Vec::new()),
            Some(fields) => fields.string_map(field),
        };
        let strategy = spec.string("postRenderStrategy")?;
        let has_strategy = known("postRenderStrategy", strategy.map(Node::span));
        let mut values_from = Vec::new();
        for entry in spec.mappings("valuesFrom")? {
            let has = known("valuesFrom.literal", entry.get("literal").map(Node::span));
            let mut reference = ValuesReference::read(&entry)?;
            reference.literal &= has;
            values_from.push(reference);
        }
        let values = spec.mapping("values")?.map(|f| f.node().clone());
        let install = spec.mapping("install")?;
        let of_install = |field| match &install {
            None => Ok(false),
            Some(fields) => fields.bool(field),
        };
        let policy = match &install {
            None => Arc::default(),
            Some(fields) => fields.text("crds")?,
        };
        let target = spec.text("targetNamespace")?;
        Ok(HelmRelease {
            chart: chart_origin(&spec, &own_namespace)?,
            release_name: release_name(
                &spec.text("releaseName")?,
                &target,
                name.text().unwrap_or_default(),
            ),
            target_namespace: if target.is_empty() {
                own_namespace.clone()
            } else {
                target
            },
            values,
            values_from,
            post_renderers: spec
                .mappings("postRenderers")?
                .iter()
                .filter_map(|entry| PostRenderer::read(entry).transpose())
                .collect::<Result<_>>()?,
            post_render_strategy: strategy
                .filter(|_| has_strategy)
                .map(PostRenderStrategy::read)
                .transpose()?,
            common_labels: common_map("labels")?,
            common_annotations: common_map("annotations")?,
            skips_definitions: &*policy == "Skip",
            disables_hooks: of_install("disableHooks")?,
            disables_schema: of_install("disableSchemaValidation")?,
            suspend: spec.bool("suspend")?,
            remote: spec.get("kubeConfig").is_some(),
            dropped,
            id: ResId {
                namespace: own_namespace,
                ..id
            },
            name,
            namespace,
        })
    }
}

fn chart_origin(spec: &Fields<'_>, namespace: &Arc<str>) -> Result<ChartOrigin> {
    if let Some(reference) = spec.mapping("chartRef")? {
        return Ok(ChartOrigin::Reference {
            source: SourceRef::read(&reference, namespace)?,
            span: reference.node().span(),
        });
    }
    let chart = spec.mapping("chart")?.ok_or_else(|| {
        spec.missing("chart")
            .help("say where the chart is: `chart` for one of a source, or `chartRef`")
    })?;
    let chart = chart
        .mapping("spec")?
        .ok_or_else(|| chart.missing("spec"))?;
    ChartSpec::read_fields(&chart, namespace).map(ChartOrigin::Template)
}

impl ChartSpec {
    /// Reads a HelmChart.
    ///
    /// # Errors
    ///
    /// As [`HelmRelease::read`].
    pub fn read(object: &Node) -> Result<ChartSpec> {
        let whole = Fields::of(object);
        let (_, namespace) = super::name_and_namespace(&whole)?;
        let spec = whole
            .mapping("spec")?
            .ok_or_else(|| whole.missing("spec"))?;
        let namespace = namespace.shared_text().cloned().unwrap_or_default();
        ChartSpec::read_fields(&spec, &namespace)
    }

    fn read_fields(spec: &Fields<'_>, namespace: &Arc<str>) -> Result<ChartSpec> {
        let source = spec
            .mapping("sourceRef")?
            .ok_or_else(|| spec.missing("sourceRef"))?;
        spec.required("chart")?;
        let chart = spec
            .string("chart")?
            .ok_or_else(|| spec.missing("chart"))?
            .clone();
        let version = spec.string("version")?;
        Ok(ChartSpec {
            version: version
                .and_then(Node::shared_text)
                .filter(|v| !v.is_empty())
                .cloned()
                .unwrap_or_else(|| "*".into()),
            version_span: version.map_or(chart.span(), Node::span),
            source: SourceRef::read(&source, namespace)?,
            source_span: source.node().span(),
            values_files: spec.strings("valuesFiles")?.into_iter().cloned().collect(),
            ignores_missing_values_files: spec.bool("ignoreMissingValuesFiles")?,
            verify: Verification::read(spec).map(Arc::new),
            follows_revision: &*spec.text("reconcileStrategy")? == "Revision",
            is_secret: chart.is_secret() || version.is_some_and(Node::is_secret),
            chart,
        })
    }
}

impl ValuesReference {
    fn read(entry: &Fields<'_>) -> Result<ValuesReference> {
        let kind = entry.required("kind")?;
        if !matches!(&*kind, "ConfigMap" | "Secret") {
            return Err(Error::new(
                "schema/invalid",
                format!("`{}` must be ConfigMap or Secret", entry.path_of("kind")),
            )
            .at(entry.get("kind").unwrap_or(entry.node()).span()));
        }
        let key = entry.text("valuesKey")?;
        let path = entry.string("targetPath")?;
        let name = entry.required("name")?;
        Ok(ValuesReference {
            kind,
            span: entry.get("name").unwrap_or(entry.node()).span(),
            name,
            key: if key.is_empty() {
                "values.yaml".into()
            } else {
                key
            },
            target_path: path.filter(|p| p.text() != Some("")).cloned(),
            literal: entry.bool("literal")?,
            optional: entry.bool("optional")?,
        })
    }
}

impl PostRenderer {
    /// Reads an entry; none where it asks for nothing.
    fn read(entry: &Fields<'_>) -> Result<Option<PostRenderer>> {
        let Some(kustomize) = entry.mapping("kustomize")? else {
            return Ok(None);
        };
        Ok(Some(PostRenderer {
            patches: patches(&kustomize, "patches", false)?,
            images: kustomize
                .mappings("images")?
                .iter()
                .map(Image::read)
                .collect::<Result<_>>()?,
            span: kustomize.node().span(),
        }))
    }
}

impl PostRenderStrategy {
    fn read(node: &Node) -> Result<PostRenderStrategy> {
        match node.text().unwrap_or_default() {
            "combined" => Ok(PostRenderStrategy::Combined),
            "separate" => Ok(PostRenderStrategy::Separate),
            "nohooks" => Ok(PostRenderStrategy::NoHooks),
            other => Err(Error::new(
                "schema/invalid",
                format!("`spec.postRenderStrategy` is `{other}`"),
            )
            .at(node.span())
            .help("write `combined`, `separate` or `nohooks`")),
        }
    }
}

/// What the release is called.
///
/// Compat: helm-controller `GetReleaseName` and `internal/release/name.go`
/// `ShortenName`.
fn release_name(written: &str, target_namespace: &str, name: &str) -> Arc<str> {
    let full = if !written.is_empty() {
        written.to_owned()
    } else if !target_namespace.is_empty() {
        format!("{target_namespace}-{name}")
    } else {
        name.to_owned()
    };
    if full.len() <= MAX_RELEASE_NAME {
        return full.into();
    }
    const HASH: usize = 12;
    let hash = hex::encode(Sha256::digest(&full));
    let kept = MAX_RELEASE_NAME - HASH - 1;
    let head = full.get(..kept).unwrap_or(&full);
    format!("{head}-{}", hash.get(..HASH).unwrap_or(&hash)).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;
    use crate::yaml::parse_one;

    fn read(spec: &str, flux: FluxVersion) -> Result<HelmRelease> {
        let text = format!(
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: web\n  \
             namespace: apps\nspec:\n{spec}"
        );
        let object = parse_one(&text, FileId::default()).unwrap().unwrap();
        HelmRelease::read(&object, flux)
    }

    const CHART: &str =
        "  chart:\n    spec:\n      chart: web\n      sourceRef: {kind: HelmRepository, name: r}\n";

    #[test]
    fn names_of_releases_are_cut() {
        assert_eq!(&*release_name("", "", "web"), "web");
        assert_eq!(&*release_name("", "prod", "web"), "prod-web");
        assert_eq!(&*release_name("front", "prod", "web"), "front");
        let long = "a".repeat(60);
        let short = release_name(&long, "", "web");
        assert_eq!(short.len(), 53);
        assert!(short.starts_with(&format!("{}-", "a".repeat(40))));
    }

    #[test]
    fn charts_are_looked_for_where_they_are_said_to_be() {
        let release = read(CHART, FluxVersion::NEWEST).unwrap();
        let ChartOrigin::Template(chart) = &release.chart else {
            panic!("a chart of a source");
        };
        assert_eq!(chart.source.to_string(), "HelmRepository/apps/r");
        assert_eq!(&*chart.version, "*");
        let release = read(
            "  chartRef: {kind: OCIRepository, name: r, namespace: charts}\n",
            FluxVersion::NEWEST,
        );
        let ChartOrigin::Reference { source, .. } = release.unwrap().chart else {
            panic!("a reference");
        };
        assert_eq!(source.to_string(), "OCIRepository/charts/r");
        let error = read("  interval: 5m\n", FluxVersion::NEWEST).unwrap_err();
        assert_eq!(error.message(), "`spec.chart` is missing");
    }

    #[test]
    fn fields_that_a_version_lacks_are_dropped() {
        let spec = format!(
            "{CHART}  postRenderStrategy: separate\n  commonMetadata: {{labels: {{a: b}}}}\n  \
             valuesFrom:\n    - {{kind: Secret, name: s, targetPath: a, literal: true}}\n"
        );
        let new = read(&spec, FluxVersion::NEWEST).unwrap();
        assert!(new.dropped.is_empty() && new.values_from[0].literal);
        assert_eq!(new.post_render_strategy, Some(PostRenderStrategy::Separate));
        let old = read(&spec, FluxVersion::V2_6).unwrap();
        assert_eq!(old.dropped.len(), 3);
        assert!(!old.values_from[0].literal && old.common_labels.is_empty());
        assert_eq!(old.post_render_strategy, None);
        assert!(
            read(
                &format!("{CHART}  postRenderStrategy: all\n"),
                FluxVersion::NEWEST
            )
            .is_err()
        );
    }
}
