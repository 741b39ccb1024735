//! What a bundle holds.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::diag::{Finding, ObjectRef};
use crate::pipeline::cluster::{Cluster, Object, SourceOrigin, sha256};
use crate::pipeline::index::{OutputFiles, Versions};
use crate::yaml::Node;

/// What a provenance calls the lockfile.
const LOCKFILE: &str = "fluxwright.lock";

/// All that goes into a bundle.
#[derive(Debug)]
pub struct Contents<'a> {
    /// The files of the build, its index among them.
    pub files: &'a OutputFiles,
    /// The versions that the build took for granted.
    pub versions: &'a Versions,
    /// The images that pods run.
    pub images: Vec<Image>,
    /// What was found.
    pub findings: &'a [Finding],
    /// The sources that it was made of, each once.
    pub dependencies: Vec<Dependency>,
    /// Where it comes from.
    pub origin: Origin,
    /// The options that it was built with, by what provenance calls them.
    pub options: Map<String, Value>,
}

/// Where the content of a bundle comes from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The address of the repository, as the user gives it.
    pub source: Option<String>,
    /// Its revision, as Flux writes it: `sha1:…`.
    pub revision: Option<String>,
    /// When the revision was made, in seconds since 1970.
    pub created: i64,
    /// The digest of the lockfile, in hexadecimal.
    pub lock_sha256: Option<String>,
    /// The version or tag of the bundle.
    pub tag: String,
}

/// An image, and who runs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The image as it is written.
    pub image: String,
    /// The objects that name it.
    pub objects: Vec<ObjectRef>,
}

/// A source that the lockfile pins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Dependency {
    /// Its kind, namespace and name.
    pub name: String,
    /// Its revision, in Flux's words.
    pub revision: String,
    /// The digest of its content, in hexadecimal.
    pub sha256: String,
}

/// The pinned sources that clusters are made of, sorted, each once.
pub fn dependencies(clusters: &[Cluster]) -> Vec<Dependency> {
    let units = clusters.iter().flat_map(|cluster| &cluster.units);
    let found: BTreeSet<Dependency> = units
        .filter_map(|unit| {
            let used = unit.source.as_ref()?;
            let SourceOrigin::Locked { revision, digest } = &used.origin else {
                return None;
            };
            Some(Dependency {
                name: used.source.to_string(),
                revision: revision.clone(),
                sha256: digest.hex(),
            })
        })
        .collect();
    found.into_iter().collect()
}

/// The images of all pods and of whatever else has containers, sorted.
pub fn images(clusters: &[Cluster]) -> Vec<Image> {
    let objects = clusters.iter().flat_map(Cluster::objects);
    images_of(objects.map(|(_, object)| object))
}

/// The images of objects, sorted.
pub(super) fn images_of<'o>(objects: impl Iterator<Item = &'o Object>) -> Vec<Image> {
    let mut found: BTreeMap<String, BTreeSet<ObjectRef>> = BTreeMap::new();
    for object in objects {
        object.node.walk(&mut |node| {
            for list in ["containers", "initContainers", "ephemeralContainers"] {
                let containers = node.get(list).map(Node::items).unwrap_or_default();
                let images = containers
                    .iter()
                    .filter(|c| c.get("name").is_some())
                    .filter_map(|c| c.get("image")?.as_str());
                for image in images.filter(|image| !image.is_empty()) {
                    let objects = found.entry(image.to_owned()).or_default();
                    objects.insert(object.id.to_object_ref());
                }
            }
        });
    }
    found
        .into_iter()
        .map(|(image, objects)| Image {
            image,
            objects: objects.into_iter().collect(),
        })
        .collect()
}

/// What a provenance statement says.
#[derive(Debug)]
pub(super) struct Provenance<'a> {
    /// The parts of the bundle that it is of, with their content: the archive,
    /// and the index of the build.
    pub(super) subjects: [(&'a str, &'a [u8]); 2],
    /// The versions of Flux and Kubernetes that were taken for granted.
    pub(super) versions: [&'a str; 2],
    /// The repository and its revision.
    pub(super) repository: [Option<&'a str>; 2],
    /// The digest of the lockfile.
    pub(super) lock_sha256: Option<&'a str>,
    /// The sources.
    pub(super) dependencies: &'a [Dependency],
    /// The options besides.
    pub(super) options: &'a Map<String, Value>,
    /// The version of the program that made the bundle.
    pub(super) program: &'a str,
}

impl Provenance<'_> {
    /// The statement: in-toto, with SLSA's predicate.
    pub(super) fn statement(&self) -> Value {
        let subjects = self.subjects.iter();
        let subjects: Vec<_> = subjects
            .map(|(name, content)| json!({"name": name, "digest": {"sha256": &*sha256(content)}}))
            .collect();
        let mut dependencies = Vec::new();
        let [source, revision] = self.repository;
        if let Some(revision) = revision {
            let commit = revision.rsplit(':').next().unwrap_or(revision);
            let uri = source.unwrap_or("git+repository");
            dependencies.push(json!({"uri": uri, "digest": {"gitCommit": commit}}));
        }
        if let Some(digest) = self.lock_sha256 {
            dependencies.push(json!({"uri": LOCKFILE, "digest": {"sha256": digest}}));
        }
        dependencies.extend(self.dependencies.iter().map(|source| {
            json!({
                "name": source.name,
                "digest": {"sha256": source.sha256},
                "annotations": {"revision": source.revision},
            })
        }));
        let [flux, kubernetes] = self.versions;
        let [_, (_, index)] = self.subjects;
        let index: Value = serde_json::from_slice(index).unwrap_or_default();
        let entries = index.get("entries").and_then(Value::as_array);
        let entries = entries.into_iter().flatten();
        let entries: Vec<&Value> = entries.filter_map(|entry| entry.get("path")).collect();
        let mut parameters = json!({
            "entries": entries,
            "fluxVersion": flux,
            "kubernetesVersion": kubernetes,
        });
        if !self.options.is_empty() {
            parameters["options"] = Value::Object(self.options.clone());
        }
        json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": subjects,
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": {
                "buildDefinition": {
                    "buildType": "urn:fluxwright:bundle:v1",
                    "externalParameters": parameters,
                    "resolvedDependencies": dependencies,
                },
                "runDetails": {
                    "builder": {
                        "id": "urn:fluxwright",
                        "version": {"fluxwright": self.program},
                    },
                },
            },
        })
    }
}

/// What a provenance says that a bundle was made of, besides what stands in its index.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    /// The digest of the lockfile.
    pub(super) lock_sha256: Option<String>,
    /// The sources.
    pub(super) dependencies: Vec<Dependency>,
    /// The options.
    pub(super) options: Map<String, Value>,
}

/// What a provenance names.
pub(super) fn inputs(statement: &Value) -> Inputs {
    let list = statement.pointer("/predicate/buildDefinition/resolvedDependencies");
    let list = list.and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |value: &Value, pointer: &str| {
        let found = value.pointer(pointer).and_then(Value::as_str);
        found.map(str::to_owned)
    };
    let options = statement.pointer("/predicate/buildDefinition/externalParameters/options");
    let mut inputs = Inputs {
        options: options
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default(),
        ..Inputs::default()
    };
    for dependency in &list {
        let digest = text(dependency, "/digest/sha256");
        let revision = text(dependency, "/annotations/revision");
        match (text(dependency, "/name"), revision, digest) {
            (Some(name), Some(revision), Some(sha256)) => inputs.dependencies.push(Dependency {
                name,
                revision,
                sha256,
            }),
            (None, None, Some(sha256)) if text(dependency, "/uri").as_deref() == Some(LOCKFILE) => {
                inputs.lock_sha256 = Some(sha256);
            }
            _ => {}
        }
    }
    inputs
}
