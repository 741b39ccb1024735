//! `Kustomization`: what shapes its output.

use std::sync::Arc;

use super::{Dropped, SourceRef};
use crate::diag::{Error, Result, Span};
use crate::flux::FluxVersion;
use crate::flux::fields::Fields;
use crate::resource::ResId;
use crate::yaml::Node;

/// A Kustomization of Flux, read for rendering.
///
/// Nodes are kept where their place matters later.
#[derive(Clone, Debug)]
pub struct Kustomization {
    /// What identifies it.
    pub id: ResId,
    /// The object as rendered.
    pub object: Node,
    /// `metadata.name`, with its place.
    pub name: Node,
    /// `metadata.namespace`, with its place.
    pub namespace: Node,
    /// `spec.sourceRef`.
    pub source: SourceRef,
    /// The place of `spec.sourceRef`.
    pub source_span: Span,
    /// `spec.path`, empty for the root of the source.
    pub path: Arc<str>,
    /// The place of `spec.path`, or of the spec where it is missing.
    pub path_span: Span,
    /// `spec.suspend`.
    pub suspend: bool,
    /// `spec.prune`.
    pub prune: bool,
    /// `spec.kubeConfig` is set: it applies to another cluster.
    pub remote: bool,
    /// `spec.targetNamespace`.
    pub target_namespace: Option<Node>,
    /// `spec.namePrefix`.
    pub name_prefix: Option<Node>,
    /// `spec.nameSuffix`.
    pub name_suffix: Option<Node>,
    /// `spec.patches`.
    pub patches: Vec<Patch>,
    /// `spec.patchesStrategicMerge` of v1beta2 and before: the patches.
    pub patches_strategic_merge: Vec<Node>,
    /// `spec.patchesJson6902` of v1beta2 and before: operations and target.
    pub patches_json6902: Vec<Patch>,
    /// `spec.images`.
    pub images: Vec<Image>,
    /// `spec.components`.
    pub components: Vec<Node>,
    /// `spec.ignoreMissingComponents`.
    pub ignore_missing_components: bool,
    /// `spec.buildMetadata`.
    pub build_metadata: Option<Node>,
    /// `spec.postBuild`.
    pub post_build: Option<PostBuild>,
    /// `spec.commonMetadata.labels`, in the order written.
    pub common_labels: Vec<(Arc<str>, Node)>,
    /// `spec.commonMetadata.annotations`, in the order written.
    pub common_annotations: Vec<(Arc<str>, Node)>,
    /// `spec.decryption.provider`.
    pub decryption: Option<Node>,
    /// `spec.ignore`: the rules, as written.
    pub ignore: Vec<Node>,
    /// Fields of the spec that this version of Flux does not have; it drops
    /// them.
    pub dropped: Vec<Dropped>,
}

/// An entry of `spec.patches`.
#[derive(Clone, Debug)]
pub struct Patch {
    /// The patch: a string, or a list of operations in `patchesJson6902`.
    pub patch: Node,
    /// The target, with the fields that kustomize's selectors have.
    pub target: Option<Node>,
}

/// An entry of `spec.images`.
#[derive(Clone, Debug)]
pub struct Image {
    /// The image that is replaced.
    pub name: Node,
    /// Its new name.
    pub new_name: Option<Node>,
    /// Its new tag.
    pub new_tag: Option<Node>,
    /// Its new digest.
    pub digest: Option<Node>,
}

/// `spec.postBuild`.
#[derive(Clone, Debug, Default)]
pub struct PostBuild {
    /// `substitute`, in the order written.
    pub substitute: Vec<(Arc<str>, Node)>,
    /// `substituteFrom`, in order.
    pub substitute_from: Vec<SubstituteReference>,
    /// `substituteStrategy`.
    pub strategy: SubstituteStrategy,
}

/// When substitution takes place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SubstituteStrategy {
    /// Where there is a variable.
    #[default]
    WithVariables,
    /// Always.
    Always,
}

/// An entry of `substituteFrom`.
#[derive(Clone, Debug)]
pub struct SubstituteReference {
    /// `ConfigMap` or `Secret`.
    pub kind: Arc<str>,
    /// The name of an object in the Kustomization's namespace.
    pub name: Arc<str>,
    /// Whether it may be missing.
    pub optional: bool,
    /// Where the name stands.
    pub span: Span,
}

/// The fields of a kustomize selector that Flux has.
const SELECTOR: &[&str] = &[
    "group",
    "version",
    "kind",
    "name",
    "namespace",
    "labelSelector",
    "annotationSelector",
];

impl Kustomization {
    /// Reads a Kustomization.
    ///
    /// # Errors
    ///
    /// `schema/invalid`, with the place, for fields of the wrong kind and for
    /// those that must be there.
    pub fn read(object: &Node, flux: FluxVersion) -> Result<Kustomization> {
        let id = ResId::of(object);
        Kustomization::read_spec(object, flux).map_err(|e| e.object(id.to_object_ref()))
    }

    fn read_spec(object: &Node, flux: FluxVersion) -> Result<Kustomization> {
        let whole = Fields::of(object);
        let id = ResId::of(object);
        let (name, namespace) = super::name_and_namespace(&whole)?;
        let own_namespace = namespace.shared_text().cloned().unwrap_or_default();
        let spec = whole
            .mapping("spec")?
            .ok_or_else(|| whole.missing("spec"))?;

        let source = spec
            .mapping("sourceRef")?
            .ok_or_else(|| spec.missing("sourceRef"))?;
        let path = spec.string("path")?;
        let mut dropped = Vec::new();
        let mut known = |field: &str, node: Option<Span>| {
            let has = flux.has_kustomization_field(field);
            if let (false, Some(span)) = (has, node) {
                dropped.push((format!("spec.{field}"), span));
            }
            has
        };
        let written = |field| spec.get(field).map(Node::span);

        let post_build = match spec.mapping("postBuild")? {
            None => None,
            Some(fields) => {
                let strategy = fields.string("substituteStrategy")?;
                let has = known("postBuild.substituteStrategy", strategy.map(Node::span));
                Some(PostBuild {
                    substitute: fields.string_map("substitute")?,
                    substitute_from: fields
                        .mappings("substituteFrom")?
                        .iter()
                        .map(SubstituteReference::read)
                        .collect::<Result<_>>()?,
                    strategy: SubstituteStrategy::read(strategy.filter(|_| has))?,
                })
            }
        };
        let common = spec.mapping("commonMetadata")?;
        let common_map = |field| match &common {
            None => Ok(Vec::new()),
            Some(fields) => fields.string_map(field),
        };
        let ignore_missing_components = known(
            "ignoreMissingComponents",
            written("ignoreMissingComponents"),
        ) && spec.bool("ignoreMissingComponents")?;
        let build_metadata = if known("buildMetadata", written("buildMetadata")) {
            spec.strings("buildMetadata")?;
            spec.get("buildMetadata")
                .filter(|n| !n.items().is_empty())
                .cloned()
        } else {
            None
        };
        let ignore = if known("ignore", written("ignore")) {
            spec.mappings("ignore")?
                .iter()
                .map(|f| f.node().clone())
                .collect()
        } else {
            Vec::new()
        };
        let decryption = match spec.mapping("decryption")? {
            None => None,
            Some(fields) => Some(
                fields
                    .string("provider")?
                    .ok_or_else(|| fields.missing("provider"))?
                    .clone(),
            ),
        };

        Ok(Kustomization {
            source: SourceRef::read(&source, &own_namespace)?,
            source_span: source.node().span(),
            path: spec.text("path")?,
            path_span: path.map_or(spec.node().span(), Node::span),
            suspend: spec.bool("suspend")?,
            prune: spec.bool("prune")?,
            remote: spec.get("kubeConfig").is_some(),
            target_namespace: spec.string("targetNamespace")?.cloned(),
            name_prefix: spec.string("namePrefix")?.cloned(),
            name_suffix: spec.string("nameSuffix")?.cloned(),
            patches: patches(&spec, "patches", false)?,
            patches_strategic_merge: spec
                .mappings("patchesStrategicMerge")?
                .iter()
                .map(|f| f.node().clone())
                .collect(),
            patches_json6902: patches(&spec, "patchesJson6902", true)?,
            images: spec
                .mappings("images")?
                .iter()
                .map(Image::read)
                .collect::<Result<_>>()?,
            components: spec.strings("components")?.into_iter().cloned().collect(),
            ignore_missing_components,
            build_metadata,
            post_build,
            common_labels: common_map("labels")?,
            common_annotations: common_map("annotations")?,
            decryption,
            ignore,
            dropped,
            id: ResId {
                namespace: own_namespace,
                ..id
            },
            name,
            namespace,
            object: object.clone(),
        })
    }
}

pub(super) fn patches(spec: &Fields<'_>, field: &str, operations: bool) -> Result<Vec<Patch>> {
    let mut patches = Vec::new();
    for entry in spec.mappings(field)? {
        let patch = if operations {
            entry.list("patch")?;
            entry.get("patch")
        } else {
            entry.string("patch")?
        };
        let target = entry.mapping("target")?.map(|fields| {
            // Other fields are dropped by the API server.
            let known = fields.node().entries().iter().filter(|e| {
                e.key.text().is_some_and(|k| SELECTOR.contains(&k)) && !e.value.is_null()
            });
            Node::mapping(known.cloned().collect(), fields.node().span())
        });
        patches.push(Patch {
            patch: patch.ok_or_else(|| entry.missing("patch"))?.clone(),
            target,
        });
    }
    Ok(patches)
}

impl Image {
    pub(super) fn read(entry: &Fields<'_>) -> Result<Image> {
        Ok(Image {
            name: entry
                .string("name")?
                .ok_or_else(|| entry.missing("name"))?
                .clone(),
            new_name: entry.string("newName")?.cloned(),
            new_tag: entry.string("newTag")?.cloned(),
            digest: entry.string("digest")?.cloned(),
        })
    }
}

impl SubstituteReference {
    fn read(entry: &Fields<'_>) -> Result<SubstituteReference> {
        let kind = entry.required("kind")?;
        if !matches!(&*kind, "ConfigMap" | "Secret") {
            return Err(Error::new(
                "schema/invalid",
                format!(
                    "`{}` must be `ConfigMap` or `Secret`, not `{kind}`",
                    entry.path_of("kind")
                ),
            )
            .at(entry.get("kind").map_or(Span::NONE, Node::span)));
        }
        Ok(SubstituteReference {
            kind,
            name: entry.required("name")?,
            optional: entry.bool("optional")?,
            span: entry.get("name").map_or(Span::NONE, Node::span),
        })
    }
}

impl SubstituteStrategy {
    fn read(node: Option<&Node>) -> Result<SubstituteStrategy> {
        match node.and_then(Node::as_str) {
            None | Some("WithVariables") => Ok(SubstituteStrategy::WithVariables),
            Some("Always") => Ok(SubstituteStrategy::Always),
            Some(other) => Err(Error::new(
                "schema/invalid",
                format!(
                    "`spec.postBuild.substituteStrategy` must be `WithVariables` or `Always`, \
                     not `{other}`"
                ),
            )
            .at(node.map_or(Span::NONE, Node::span))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;
    use crate::yaml::parse_one;

    fn read(spec: &str, flux: FluxVersion) -> Result<Kustomization> {
        let text = format!(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  \
             name: apps\n  namespace: flux-system\nspec:\n  sourceRef: {{kind: GitRepository, \
             name: fleet}}\n{spec}"
        );
        let node = parse_one(&text, FileId::default()).unwrap().unwrap();
        Kustomization::read(&node, flux)
    }

    #[track_caller]
    fn refused(spec: &str, message: &str, line: u32) {
        let error = read(spec, FluxVersion::NEWEST).unwrap_err();
        assert_eq!(error.message(), message);
        assert_eq!((error.rule(), error.span().line), ("schema/invalid", line));
    }

    #[test]
    fn references_default_to_the_own_namespace() {
        let k = read("  path: ./apps\n", FluxVersion::NEWEST).unwrap();
        assert_eq!(k.source.to_string(), "GitRepository/flux-system/fleet");
        assert_eq!(&*k.path, "./apps");
        assert_eq!(k.path_span.line, 8);
    }

    #[test]
    fn wrong_kinds_name_field_and_place() {
        refused(
            "  path: 5\n",
            "`spec.path` must be a string, not a number",
            8,
        );
        refused(
            "  images:\n  - name: a\n    newTag: 1.0\n",
            "`spec.images[0].newTag` must be a string, not a number",
            10,
        );
        refused(
            "  postBuild:\n    substituteFrom:\n    - kind: Pod\n      name: x\n",
            "`spec.postBuild.substituteFrom[0].kind` must be `ConfigMap` or `Secret`, not `Pod`",
            10,
        );
        refused(
            "  postBuild:\n    substitute:\n      A: true\n",
            "`spec.postBuild.substitute.A` must be a string, not a boolean",
            10,
        );
        refused(
            "  prune: \"yes\"\n",
            "`spec.prune` must be true or false, not a string",
            8,
        );
    }

    #[test]
    fn older_versions_drop_newer_fields() {
        let spec = "  ignoreMissingComponents: true\n  buildMetadata: [originAnnotations]\n  \
                    postBuild:\n    substituteStrategy: Always\n";
        let dropped = |flux| -> Vec<String> {
            let k = read(spec, flux).unwrap();
            k.dropped.into_iter().map(|(field, _)| field).collect()
        };
        assert!(dropped(FluxVersion::V2_9).is_empty());
        assert_eq!(
            dropped(FluxVersion::V2_8),
            ["spec.postBuild.substituteStrategy", "spec.buildMetadata"]
        );
        assert_eq!(dropped(FluxVersion::V2_6).len(), 3);
        let k = read(spec, FluxVersion::V2_6).unwrap();
        assert!(!k.ignore_missing_components && k.build_metadata.is_none());
        assert_eq!(
            k.post_build.unwrap().strategy,
            SubstituteStrategy::WithVariables
        );
    }
}
