//! The parts of a bundle to the whole.
//!
//! In: bundles that `bundle create --shard I/N` made. Out: the bundle that it
//! would have made in one piece, with the same digest; without signatures, which
//! are those of the parts.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::contents::{Contents, Dependency, Image, Origin, inputs};
use super::layout::{Bundle, VERSION, create};
use super::read::Opened;
use crate::artifact::Tree as _;
use crate::diag::{Error, Finding, Findings, Result};
use crate::gostd::moment::Moment;
use crate::pipeline::index::{self, INDEX_NAME, OutputFiles, Versions};

/// Joins the parts.
///
/// # Errors
///
/// `merge/parts` for what are not all parts of one bundle.
pub fn merge(parts: &[Opened]) -> Result<Bundle> {
    let mut builds = Vec::new();
    let mut images: BTreeMap<String, BTreeSet<_>> = BTreeMap::new();
    let mut findings = Findings::new();
    let mut dependencies: BTreeSet<Dependency> = BTreeSet::new();
    let mut common: Option<Common> = None;
    for part in parts {
        let mut files = OutputFiles::new();
        for path in part.build.paths() {
            files.insert(path.to_owned(), part.build.read(path)?);
        }
        builds.push(files);
        let list: Vec<Image> = read(&part.images, "a bill of images")?;
        for image in list {
            images.entry(image.image).or_default().extend(image.objects);
        }
        let list: Vec<Finding> = read(&part.findings, "findings")?;
        findings.extend(list);
        let statement: Value = read(&part.provenance, "a provenance")?;
        let inputs = inputs(&statement);
        dependencies.extend(inputs.dependencies);
        let own = Common {
            lock_sha256: inputs.lock_sha256,
            options: inputs.options,
            annotations: part.annotations.clone(),
        };
        if common.get_or_insert_with(|| own.clone()) != &own {
            return Err(Error::new(
                "merge/parts",
                "the parts are of different revisions, or have different versions or options",
            )
            .help("make all parts of one commit, with the same `--tag`, `--source` and options"));
        }
    }
    // A bundle in which anything failed is not made.
    let (files, _) = index::merge(&builds)?;
    let Common {
        lock_sha256,
        options,
        annotations,
    } = common.unwrap_or_default();
    let annotation = |name: &str| annotations.get(&format!("org.opencontainers.image.{name}"));
    let build = files.get(INDEX_NAME).cloned().unwrap_or_default();
    let build: Value = read(&build, "an index")?;
    let text = |key: &str| {
        let found = build.get(key).and_then(Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    let images = images.into_iter().map(|(image, objects)| Image {
        image,
        objects: objects.into_iter().collect(),
    });
    let created = annotation("created").and_then(|text| Moment::parse(text));
    create(&Contents {
        files: &files,
        versions: &Versions {
            flux: text("fluxVersion"),
            kubernetes: text("kubernetesVersion"),
        },
        images: images.collect(),
        findings: &findings.into_sorted(),
        dependencies: dependencies.into_iter().collect(),
        origin: Origin {
            source: annotation("source").cloned(),
            revision: annotation("revision").cloned(),
            created: created.map_or(0, Moment::unix),
            lock_sha256,
            tag: annotations.get(VERSION).cloned().unwrap_or_default(),
        },
        options,
    })
}

/// What all parts have in common.
#[derive(Clone, Debug, Default, PartialEq)]
struct Common {
    lock_sha256: Option<String>,
    options: Map<String, Value>,
    annotations: BTreeMap<String, String>,
}

fn read<T: serde::de::DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|e| {
        Error::new(
            "merge/parts",
            format!("{what} of a part cannot be read: {e}"),
        )
        .help("make the parts again, with one version of the program")
    })
}
