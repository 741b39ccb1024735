//! Flux's kinds: which exist, in which versions, and typed views of those that
//! shape the output. A kind is one line in [`KINDS`], and a file here where its
//! fields are read.

mod generator;
mod helm_release;
mod kustomization;
mod source;
mod verification;

use std::sync::Arc;

use super::FluxVersion;
use super::fields::Fields;
use crate::diag::{Finding, Result, Severity, SourceMap, Span};
use crate::resource::{Gvk, ResId};
use crate::schema::Schemas;
use crate::yaml::Node;

pub use generator::{
    CopyOperation, EXTENSIONS, Generator, GeneratorSource, OutputArtifact, Strategy, is_generator,
};
pub use helm_release::{
    ChartOrigin, ChartSpec, HelmRelease, PostRenderStrategy, PostRenderer, ValuesReference,
};
pub use kustomization::{
    Image, Kustomization, Patch, PostBuild, SubstituteReference, SubstituteStrategy,
};

pub use source::{BucketSpec, GitSpec, HelmSpec, Include, OciSpec, Source, SourceSpec, is_source};
pub use verification::Verification;

/// The group of Kustomizations.
pub const KUSTOMIZE: &str = "kustomize.toolkit.fluxcd.io";
/// The group of HelmReleases.
pub const HELM: &str = "helm.toolkit.fluxcd.io";
/// The group of sources.
pub const SOURCE: &str = "source.toolkit.fluxcd.io";

/// A version of a kind's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiVersion {
    /// Its name, `v1beta2`.
    pub name: &'static str,
    /// The Flux 2 minor since which it is deprecated; 0 for all that are known.
    pub deprecated: Option<u32>,
    /// The Flux 2 minor since which it is no longer served; 0 for all that are
    /// known.
    pub removed: Option<u32>,
    /// The first Flux 2 minor that serves it; 0 for all that are known.
    pub since: u32,
}

impl ApiVersion {
    /// Whether a version of Flux serves it.
    pub fn is_served_by(self, flux: FluxVersion) -> bool {
        self.since <= flux.minor() && self.removed.is_none_or(|minor| minor > flux.minor())
    }
}

const fn current(name: &'static str, since: u32) -> ApiVersion {
    ApiVersion {
        name,
        deprecated: None,
        removed: None,
        since,
    }
}

const fn old(name: &'static str, deprecated: u32, removed: u32) -> ApiVersion {
    ApiVersion {
        name,
        deprecated: Some(deprecated),
        removed: Some(removed),
        since: 0,
    }
}

/// A kind that Flux's controllers reconcile.
#[derive(Debug)]
pub struct Kind {
    /// Its API group.
    pub group: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its versions, newest first; the first is the one to write.
    pub versions: &'static [ApiVersion],
}

/// The group of image automation.
pub const IMAGE: &str = "image.toolkit.fluxcd.io";
/// The group of notifications.
pub const NOTIFICATION: &str = "notification.toolkit.fluxcd.io";

/// All kinds of Flux 2, in every version that was ever served.
///
/// Source: the release notes of each controller and the definitions of each
/// Flux minor version.
pub const KINDS: &[Kind] = &[
    Kind {
        group: KUSTOMIZE,
        name: "Kustomization",
        versions: &[
            current("v1", 0),
            old("v1beta2", 0, 8),
            old("v1beta1", 0, 7),
            old("v1alpha1", 0, 0),
        ],
    },
    Kind {
        group: HELM,
        name: "HelmRelease",
        versions: &[
            current("v2", 3),
            old("v2beta2", 3, 8),
            old("v2beta1", 2, 7),
            old("v2alpha1", 0, 0),
        ],
    },
    Kind {
        group: SOURCE,
        name: "GitRepository",
        versions: &[
            current("v1", 0),
            old("v1beta2", 0, 8),
            old("v1beta1", 0, 7),
            old("v1alpha1", 0, 0),
        ],
    },
    Kind {
        group: SOURCE,
        name: "OCIRepository",
        versions: &[current("v1", 6), old("v1beta2", 6, 8)],
    },
    Kind {
        group: SOURCE,
        name: "HelmRepository",
        versions: &[
            current("v1", 3),
            old("v1beta2", 3, 8),
            old("v1beta1", 0, 7),
            old("v1alpha1", 0, 0),
        ],
    },
    Kind {
        group: SOURCE,
        name: "HelmChart",
        versions: &[
            current("v1", 3),
            old("v1beta2", 3, 8),
            old("v1beta1", 0, 7),
            old("v1alpha1", 0, 0),
        ],
    },
    Kind {
        group: SOURCE,
        name: "Bucket",
        versions: &[
            current("v1", 4),
            old("v1beta2", 4, 8),
            old("v1beta1", 0, 7),
            old("v1alpha1", 0, 0),
        ],
    },
    Kind {
        group: SOURCE,
        name: "ExternalArtifact",
        versions: &[current("v1", 7)],
    },
    Kind {
        group: EXTENSIONS,
        name: "ArtifactGenerator",
        versions: &[current("v1beta1", 7)],
    },
    Kind {
        group: IMAGE,
        name: "ImageRepository",
        versions: &[
            current("v1", 7),
            old("v1beta2", 7, 9),
            old("v1beta1", 0, 7),
            old("v1alpha2", 0, 0),
            old("v1alpha1", 0, 0),
        ],
    },
    Kind {
        group: IMAGE,
        name: "ImagePolicy",
        versions: &[
            current("v1", 7),
            old("v1beta2", 7, 9),
            old("v1beta1", 0, 7),
            old("v1alpha2", 0, 0),
            old("v1alpha1", 0, 0),
        ],
    },
    Kind {
        group: IMAGE,
        name: "ImageUpdateAutomation",
        versions: &[
            current("v1", 7),
            old("v1beta2", 7, 9),
            old("v1beta1", 0, 7),
            old("v1alpha2", 0, 0),
            old("v1alpha1", 0, 0),
        ],
    },
    Kind {
        group: NOTIFICATION,
        name: "Provider",
        versions: &[
            current("v1beta3", 2),
            old("v1beta2", 2, 9),
            old("v1beta1", 0, 7),
        ],
    },
    Kind {
        group: NOTIFICATION,
        name: "Alert",
        versions: &[
            current("v1beta3", 2),
            old("v1beta2", 2, 9),
            old("v1beta1", 0, 7),
        ],
    },
    Kind {
        group: NOTIFICATION,
        name: "Receiver",
        versions: &[current("v1", 0), old("v1beta2", 0, 9), old("v1beta1", 0, 7)],
    },
];

/// The kind and version that an object is of; none for what is not Flux's.
pub fn kind_of(gvk: &Gvk) -> Option<(&'static Kind, Option<ApiVersion>)> {
    let kind = KINDS
        .iter()
        .find(|k| k.group == &*gvk.group && k.name == &*gvk.kind)?;
    let version = kind.versions.iter().find(|v| v.name == &*gvk.version);
    Some((kind, version.copied()))
}

/// Whether objects of a kind may lead to other objects.
pub fn leads_on(gvk: &Gvk) -> bool {
    [KUSTOMIZE, HELM, SOURCE, EXTENSIONS].contains(&&*gvk.group)
}

/// Whether an object is a Kustomization of Flux, in any version.
pub fn is_kustomization(gvk: &Gvk) -> bool {
    &*gvk.group == KUSTOMIZE && &*gvk.kind == "Kustomization"
}

/// Whether an object is a HelmRelease, in any version.
pub fn is_helm_release(gvk: &Gvk) -> bool {
    &*gvk.group == HELM && &*gvk.kind == "HelmRelease"
}

/// What is to be told of fields that the object's kind does not have: the API
/// server drops them, or refuses the object.
///
/// `dropped` are those that other versions of Flux have, which is told apart.
pub fn check_fields(
    object: &Node,
    dropped: &[Dropped],
    flux: FluxVersion,
    sources: &SourceMap,
) -> Vec<Finding> {
    let id = ResId::of(object).to_object_ref();
    let newer = dropped.iter().map(|(field, span)| {
        let message = format!("`{field}` does not exist in Flux {flux}");
        Finding::new("api/unknown-field", Severity::Warning, message)
            .at(*span, sources)
            .help("the API server drops it; raise `--flux-version` if yours has it")
    });
    let pointer = |field: &str| format!("/{}", field.replace('.', "/"));
    let unknown = Schemas::unknown_flux_fields(flux.minor(), object)
        .into_iter()
        .filter(|field| {
            !dropped
                .iter()
                .any(|(known, _)| pointer(known) == field.path)
        })
        .map(|field| {
            let message = format!("unknown field `{}`", field.name);
            Finding::new("api/unknown-field", Severity::Warning, message)
                .at(field.span, sources)
                .path(field.path)
                .help(field.help)
        });
    newer
        .chain(unknown)
        .map(|finding| finding.object(id.clone()))
        .collect()
}

/// What is to be told of an object's API version: that it is deprecated, or no
/// longer served.
///
/// A warning: the object is read all the same.
pub fn check_version(object: &Node, flux: FluxVersion, sources: &SourceMap) -> Option<Finding> {
    let id = ResId::of(object);
    let (kind, version) = kind_of(&id.gvk)?;
    let written = object.get("apiVersion")?;
    let best = kind
        .versions
        .iter()
        .find(|v| v.removed.is_none() && v.since <= flux.minor())
        .or(kind.versions.first())?;
    let message = match version {
        None => format!("`{}` was never a version of {}", id.gvk.version, kind.name),
        Some(v) if v.removed.is_some_and(|minor| minor <= flux.minor()) => format!(
            "{} `{}` is not served by Flux {flux}",
            kind.name, id.gvk.version
        ),
        Some(v) if v.deprecated.is_some_and(|minor| minor <= flux.minor()) => {
            format!("{} `{}` is deprecated", kind.name, id.gvk.version)
        }
        Some(v) if v.since > flux.minor() => format!(
            "{} `{}` is served since Flux 2.{}, not by {flux}",
            kind.name, id.gvk.version, v.since
        ),
        Some(_) => return None,
    };
    Some(
        Finding::new("api/deprecated", Severity::Warning, message)
            .at(written.span(), sources)
            .path("/apiVersion")
            .object(id.to_object_ref())
            .help(format!("write `apiVersion: {}/{}`", kind.group, best.name)),
    )
}

/// Names another object: what a `sourceRef` or `chartRef` holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceRef {
    /// The kind, `GitRepository`.
    pub kind: Arc<str>,
    /// The namespace; that of the object that refers where none is written.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

/// A field that a version of Flux does not have, and where it stands.
pub type Dropped = (String, Span);

impl SourceRef {
    /// Whether an object is the source that is meant.
    pub fn is_of(&self, object: &Node) -> bool {
        let id = ResId::of(object);
        *id.gvk.group == *SOURCE
            && id.gvk.kind == self.kind
            && id.name == self.name
            && id.namespace == self.namespace
    }

    /// Reads `kind`, `name` and `namespace`; `namespace` is that of the object
    /// that refers.
    fn read(fields: &Fields<'_>, namespace: &Arc<str>) -> Result<SourceRef> {
        let written = fields.text("namespace")?;
        Ok(SourceRef {
            kind: fields.required("kind")?,
            namespace: if written.is_empty() {
                namespace.clone()
            } else {
                written
            },
            name: fields.required("name")?,
        })
    }
}

/// `metadata.name` and `metadata.namespace`, with their places.
fn name_and_namespace(whole: &Fields<'_>) -> Result<(Node, Node)> {
    let metadata = whole
        .mapping("metadata")?
        .ok_or_else(|| whole.missing("metadata"))?;
    let name = metadata
        .string("name")?
        .ok_or_else(|| metadata.missing("name"))?;
    let namespace = metadata
        .string("namespace")?
        .cloned()
        .unwrap_or_else(|| Node::string("default", name.span()));
    Ok((name.clone(), namespace))
}

impl std::fmt::Display for SourceRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.kind, self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;
    use crate::yaml::parse_one;

    fn told(api_version: &str, kind: &str, flux: FluxVersion) -> Option<(String, String)> {
        let text = format!("apiVersion: {api_version}\nkind: {kind}\nmetadata:\n  name: x\n");
        let object = parse_one(&text, FileId::default()).unwrap().unwrap();
        let finding = check_version(&object, flux, &SourceMap::new())?;
        Some((finding.message, finding.help.unwrap()))
    }

    #[test]
    fn old_versions_are_told_per_kind() {
        let new = FluxVersion::NEWEST;
        assert_eq!(
            told("kustomize.toolkit.fluxcd.io/v1", "Kustomization", new),
            None
        );
        assert_eq!(
            told("kustomize.toolkit.fluxcd.io/v1beta2", "Kustomization", new),
            Some((
                "Kustomization `v1beta2` is not served by Flux 2.9".into(),
                "write `apiVersion: kustomize.toolkit.fluxcd.io/v1`".into()
            ))
        );
        // The group's newest version is not every kind's.
        assert_eq!(
            told("notification.toolkit.fluxcd.io/v1beta2", "Alert", new)
                .unwrap()
                .1,
            "write `apiVersion: notification.toolkit.fluxcd.io/v1beta3`"
        );
        assert_eq!(
            told(
                "image.toolkit.fluxcd.io/v1",
                "ImagePolicy",
                FluxVersion::V2_6
            ),
            Some((
                "ImagePolicy `v1` is served since Flux 2.7, not by 2.6".into(),
                "write `apiVersion: image.toolkit.fluxcd.io/v1`".into()
            ))
        );
        assert!(told("source.toolkit.fluxcd.io/v3", "Bucket", new).is_some());
        assert_eq!(told("v1", "ConfigMap", new), None);
    }
}
