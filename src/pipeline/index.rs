//! Files of the output and `index.json`, which says what they are.
//!
//! In: clusters. Out: paths with their bytes, the last of them the index; pure,
//! so that the command line only has to write them. The schema of the index is
//! `schemas/fluxwright/index.json`.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;
use serde::Serialize;

use super::cluster::{Cluster, Object, SourceOrigin, Unit, sha256};
use super::shard::{self, Part};
use crate::diag::{Error, Finding, Location, ObjectRef, Result, Severity, SourceMap};
use crate::resource::ResId;
use crate::source::trust::Verdict;

/// The name of the index.
pub const INDEX_NAME: &str = "index.json";

/// What the index calls itself and its version, so that a folder can be told to
/// be ours.
pub const FORMAT: &str = "fluxwright.index/v1";

/// The files of an output folder by their path in it.
pub type OutputFiles = BTreeMap<String, Arc<[u8]>>;

/// The versions that a build took for granted.
#[derive(Clone, Debug)]
pub struct Versions {
    /// Flux, `2.9`.
    pub flux: String,
    /// Kubernetes, `1.37.0`.
    pub kubernetes: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    format: &'static str,
    flux_version: &'a str,
    kubernetes_version: &'a str,
    /// Which part of a whole it is, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<&'a Part>,
    entries: Vec<IndexEntry<'a>>,
    digest: String,
}

#[derive(Serialize)]
struct IndexEntry<'a> {
    name: &'a str,
    path: &'a str,
    files: Vec<IndexFile<'a>>,
    failed: Vec<Failed>,
}

#[derive(Serialize)]
struct IndexFile<'a> {
    path: String,
    sha256: Arc<str>,
    object: ObjectRef,
    parent: Option<ObjectRef>,
    suspended: bool,
    source: Option<IndexSource<'a>>,
    objects: Vec<IndexObject>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IndexSource<'a> {
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
    /// What the lockfile pins; null for the working tree and local sources.
    revision: Option<String>,
    digest: Option<String>,
    /// Who signed it, as far as that was proven.
    verified: Option<String>,
    /// Whether it must be signed, and nobody looked: the user said so.
    verification_skipped: bool,
    /// The path that `--local-sources` gave for it.
    local: Option<&'a str>,
}

#[derive(Serialize)]
struct IndexObject {
    #[serde(flatten)]
    id: ObjectRef,
    sha256: Arc<str>,
    /// Whether it stays in the cluster whatever becomes of its owner; said only
    /// where it does.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stays: bool,
}

#[derive(Serialize)]
struct Failed {
    object: ObjectRef,
    rule: &'static str,
    message: String,
    location: Option<Location>,
}

/// The files that a build writes.
///
/// With several clusters, the files of each lie in a folder of its name; those
/// of which `part` is one count.
///
/// # Errors
///
/// Nothing fails as a whole: what cannot be printed, or has a name that is no
/// file name, is among the failed, and given back as errors.
pub fn output_files(
    clusters: &[Cluster],
    versions: &Versions,
    part: Option<&Part>,
    sources: &SourceMap,
) -> (OutputFiles, Vec<Error>) {
    let several = part.map_or(clusters.len(), |part| part.clusters.len()) > 1;
    let mut output = OutputFiles::new();
    let mut errors = Vec::new();
    let mut entries = Vec::new();
    let mut digests = String::new();
    for cluster in clusters {
        let prefix = if several {
            format!("{}/", cluster.entry.name)
        } else {
            String::new()
        };
        let written: Vec<_> = cluster
            .units
            .par_iter()
            .map(|unit| (unit, file_of(unit, &prefix)))
            .collect();
        let mut files = Vec::new();
        let mut failed = Vec::new();
        for (unit, result) in written {
            match result {
                Ok(Written {
                    path,
                    sha256,
                    text,
                    objects,
                }) => {
                    digests.push_str(&format!("{sha256}  {path}\n"));
                    files.push(IndexFile {
                        path: path.clone(),
                        sha256,
                        object: unit.id.to_object_ref(),
                        parent: unit.parent.as_ref().map(ResId::to_object_ref),
                        suspended: unit.suspended,
                        source: unit.source.as_ref().map(|s| IndexSource {
                            kind: &s.source.kind,
                            namespace: &s.source.namespace,
                            name: &s.source.name,
                            revision: match &s.origin {
                                SourceOrigin::Locked { revision, .. } => Some(revision.clone()),
                                _ => None,
                            },
                            digest: match &s.origin {
                                SourceOrigin::Locked { digest, .. } => Some(digest.to_string()),
                                _ => None,
                            },
                            verified: match &s.verdict {
                                Verdict::Signed(signers) => Some(signers.join("; ")),
                                Verdict::Unasked | Verdict::Skipped => None,
                            },
                            verification_skipped: s.verdict == Verdict::Skipped,
                            local: match &s.origin {
                                SourceOrigin::Local { path } => Some(path),
                                _ => None,
                            },
                        }),
                        objects,
                    });
                    output.insert(path, text.into_bytes().into());
                }
                Err(e) => {
                    failed.push(Failed {
                        object: unit.id.to_object_ref(),
                        rule: e.rule(),
                        message: e.to_string(),
                        location: Location::of(e.span(), sources),
                    });
                    if unit.outcome.is_ok() {
                        errors.push(e);
                    }
                }
            }
        }
        entries.push(IndexEntry {
            name: &cluster.entry.name,
            path: &cluster.entry.folder,
            files,
            failed,
        });
    }
    let index = Index {
        format: FORMAT,
        flux_version: &versions.flux,
        kubernetes_version: &versions.kubernetes,
        part,
        entries,
        digest: format!("sha256:{}", sha256(digests.as_bytes())),
    };
    let mut text = serde_json::to_string_pretty(&index).unwrap_or_default();
    text.push('\n');
    output.insert(INDEX_NAME.to_owned(), text.into_bytes().into());
    (output, errors)
}

/// A unit's file.
struct Written {
    path: String,
    sha256: Arc<str>,
    text: String,
    objects: Vec<IndexObject>,
}

fn file_of(unit: &Unit, prefix: &str) -> Result<Written> {
    let objects = unit.outcome.as_ref().map_err(Error::clone)?;
    let (namespace, name) = (
        file_name(unit, &unit.id.namespace)?,
        file_name(unit, &unit.id.name)?,
    );
    let path = format!("{prefix}{}/{namespace}/{name}.yaml", unit.kind.folder());
    let mut text = String::new();
    let mut listed = Vec::with_capacity(objects.len());
    write_objects(objects, &mut text, |object, printed| {
        listed.push(IndexObject {
            id: object.id.to_object_ref(),
            sha256: sha256(printed.as_bytes()),
            stays: object.stays,
        });
    })?;
    Ok(Written {
        path,
        sha256: sha256(text.as_bytes()),
        text,
        objects: listed,
    })
}

/// Appends objects as a YAML stream, and shows the text of each.
///
/// # Errors
///
/// As [`Object::print`].
pub fn write_objects(
    objects: &[Object],
    out: &mut String,
    mut seen: impl FnMut(&Object, &str),
) -> Result<()> {
    for object in objects {
        out.push_str("---\n");
        let start = out.len();
        object.print(out)?;
        seen(object, out.get(start..).unwrap_or_default());
    }
    Ok(())
}

/// A namespace or name as part of a path.
fn file_name<'a>(unit: &Unit, text: &'a str) -> Result<&'a str> {
    let plain = !text.is_empty()
        && text.len() <= 253
        && text != "."
        && text != ".."
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
    if plain {
        return Ok(text);
    }
    Err(Error::new(
        "schema/invalid",
        format!("`{text}` is no name that Kubernetes would take"),
    )
    .at(unit.object.span())
    .object(unit.id.to_object_ref())
    .help("names are lower-case letters, digits, hyphens and points"))
}

/// What an index says of something that failed.
fn failure(failed: &serde_json::Value, cluster: Option<Arc<str>>) -> Finding {
    let text = |key: &str| {
        let found = failed.get(key).and_then(serde_json::Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    let mut finding = Finding::new(text("rule"), Severity::Error, text("message"));
    let read = |key: &str| failed.get(key).cloned().unwrap_or_default();
    finding.object = serde_json::from_value(read("object")).ok();
    finding.location = serde_json::from_value(read("location")).ok();
    finding.cluster = cluster;
    finding
}

/// The files of a build of which these are all the parts, the same, byte for
/// byte, as if it had been made in one piece; and what failed.
///
/// # Errors
///
/// `merge/parts` for what are not all parts of one build.
pub fn merge(parts: &[OutputFiles]) -> Result<(OutputFiles, Vec<Finding>)> {
    use serde_json::Value;

    let invalid = |why: &str| {
        Error::new("merge/parts", why.to_owned())
            .help("give what `fluxwright build --shard I/N --output-dir DIR` wrote")
    };
    let mut indexes = Vec::new();
    for files in parts {
        let bytes = files.get(INDEX_NAME).cloned().unwrap_or_default();
        let index: Value = serde_json::from_slice(&bytes)
            .map_err(|e| invalid(&format!("an index cannot be read: {e}")))?;
        let part = index.get("part").cloned().unwrap_or_default();
        let part: Part =
            serde_json::from_value(part).map_err(|_| invalid("a build is not part of a whole"))?;
        indexes.push((part, index));
    }
    let all: Vec<&Part> = indexes.iter().map(|(part, _)| part).collect();
    let order: Vec<String> = shard::complete(&all)?.to_vec();
    let text = |value: &Value, key: &str| {
        let found = value.get(key).and_then(Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    let list = |value: &Value, key: &str| {
        let found = value.get(key).and_then(Value::as_array);
        found.cloned().unwrap_or_default()
    };
    let mut flux: Vec<String> = Vec::new();
    let mut kubernetes: Vec<String> = Vec::new();
    let mut entries: Vec<Value> = Vec::new();
    for (_, index) in &indexes {
        let versions = text(index, "fluxVersion");
        let versions = versions.split(", ").filter(|v| !v.is_empty());
        flux.extend(versions.map(str::to_owned));
        kubernetes.push(text(index, "kubernetesVersion"));
        entries.extend(list(index, "entries"));
    }
    flux.sort();
    flux.dedup();
    kubernetes.dedup();
    let [kubernetes] = &kubernetes[..] else {
        return Err(invalid(
            "the parts are for different versions of Kubernetes",
        ));
    };
    let place = |entry: &Value| order.iter().position(|name| *name == text(entry, "name"));
    entries.sort_by_key(place);
    let names: Vec<String> = entries.iter().map(|e| text(e, "name")).collect();
    if names != order {
        return Err(invalid("the parts do not hold the clusters that they name"));
    }
    let mut output = OutputFiles::new();
    for files in parts {
        output.extend(files.clone());
    }
    let mut digests = String::new();
    for file in entries.iter().flat_map(|entry| list(entry, "files")) {
        digests.push_str(&format!(
            "{}  {}\n",
            text(&file, "sha256"),
            text(&file, "path")
        ));
    }
    let failed = entries.iter().flat_map(|entry| {
        let name = (order.len() > 1).then(|| Arc::from(text(entry, "name")));
        let failed = list(entry, "failed").into_iter();
        failed.map(move |one| failure(&one, name.clone()))
    });
    let failed = failed.collect();
    let index = serde_json::json!({
        "format": FORMAT,
        "fluxVersion": flux.join(", "),
        "kubernetesVersion": kubernetes,
        "entries": entries,
        "digest": format!("sha256:{}", sha256(digests.as_bytes())),
    });
    let mut text = serde_json::to_string_pretty(&index).unwrap_or_default();
    text.push('\n');
    output.insert(INDEX_NAME.to_owned(), text.into_bytes().into());
    Ok((output, failed))
}
