//! What is other in two bundles that should be the same.
//!
//! In: a bundle, and one that was made again of the same revision. Out: each
//! part that deviates, down to the object. What differs within an object is
//! `diff`'s to say.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::read::Opened;
use crate::artifact::Tree as _;
use crate::pipeline::index::INDEX_NAME;

/// A part that is other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// Which part, for people: an object and its file, an annotation.
    pub what: String,
    /// What it is in the bundle; none where it is not there.
    pub bundle: Option<String>,
    /// What it is when it is made again; none where it is not there.
    pub rebuilt: Option<String>,
}

impl std::fmt::Display for Deviation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.bundle, &self.rebuilt) {
            (Some(bundle), Some(rebuilt)) => {
                write!(
                    f,
                    "{}: {bundle} in the bundle, {rebuilt} rebuilt",
                    self.what
                )
            }
            (Some(_), None) => write!(f, "{}: in the bundle alone", self.what),
            (None, _) => write!(f, "{}: in the rebuilt one alone", self.what),
        }
    }
}

/// All that deviates, in the order of what is said of it; nothing where the
/// digests are the same, and never nothing where they are not.
pub fn deviations(bundle: &Opened, rebuilt: &Opened) -> Vec<Deviation> {
    if bundle.digest == rebuilt.digest {
        return Vec::new();
    }
    let mut found = Vec::new();
    let annotations = |opened: &Opened| {
        let all = opened.annotations.iter();
        all.map(|(name, value)| (format!("the annotation `{name}`"), value.clone()))
            .collect()
    };
    compare(&annotations(bundle), &annotations(rebuilt), &mut found);
    compare_builds(bundle, rebuilt, &mut found);
    for (what, one, other) in [
        ("the bill of images", &bundle.images, &rebuilt.images),
        ("the findings", &bundle.findings, &rebuilt.findings),
        ("the provenance", &bundle.provenance, &rebuilt.provenance),
    ] {
        let values = [one, other].map(|bytes| serde_json::from_slice(bytes).unwrap_or_default());
        let [one, other] = values.map(|value| leaves(&by_name(value)));
        let mut inner = Vec::new();
        compare(&one, &other, &mut inner);
        // The digests of what deviates are said above.
        inner.retain(|d| !d.what.starts_with("/subject/"));
        found.extend(inner.into_iter().map(|d| Deviation {
            what: format!("{what}, `{}`", d.what),
            ..d
        }));
    }
    if found.is_empty() {
        found.push(Deviation {
            what: "the digest".to_owned(),
            bundle: Some(bundle.digest.clone()),
            rebuilt: Some(rebuilt.digest.clone()),
        });
    }
    found
}

fn compare(
    one: &BTreeMap<String, String>,
    other: &BTreeMap<String, String>,
    found: &mut Vec<Deviation>,
) {
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    for name in names {
        let (bundle, rebuilt) = (one.get(name), other.get(name));
        if bundle != rebuilt {
            found.push(Deviation {
                what: name.clone(),
                bundle: bundle.cloned(),
                rebuilt: rebuilt.cloned(),
            });
        }
    }
}

/// A provenance with its sources by their names, so that one more or less does
/// not make all others deviate.
fn by_name(mut value: Value) -> Value {
    let list = value.pointer_mut("/predicate/buildDefinition/resolvedDependencies");
    if let Some(list) = list
        && let Some(sources) = list.as_array()
    {
        let name = |source: &Value| {
            let name = source.get("name").or_else(|| source.get("uri"))?.as_str();
            name.map(str::to_owned)
        };
        let sources = sources.iter();
        let sources = sources.map(|source| (name(source).unwrap_or_default(), source.clone()));
        *list = Value::Object(sources.collect());
    }
    value
}

/// What deviates in two builds. A file that is in one alone is told as that, with
/// its objects.
fn compare_builds(bundle: &Opened, rebuilt: &Opened, found: &mut Vec<Deviation>) {
    let is_file = |opened: &Opened, path: &str| opened.build.read(path).is_ok();
    let mut inner = Vec::new();
    compare(&of_build(bundle), &of_build(rebuilt), &mut inner);
    inner.retain(|deviation| {
        let field = deviation.what.strip_prefix('`');
        let path = field.and_then(|field| field.split_once("`, `/"));
        path.is_none_or(|(path, _)| is_file(bundle, path) == is_file(rebuilt, path))
    });
    found.extend(inner);
    let paths: BTreeSet<&str> = bundle.build.paths().chain(rebuilt.build.paths()).collect();
    for path in paths {
        let there = |opened: &Opened| is_file(opened, path).then(String::new);
        if is_file(bundle, path) != is_file(rebuilt, path) {
            found.push(Deviation {
                what: format!("the file `{path}`"),
                bundle: there(bundle),
                rebuilt: there(rebuilt),
            });
        }
    }
}

/// The objects of a build with their digests, and what else its index says.
fn of_build(opened: &Opened) -> BTreeMap<String, String> {
    let content = opened.build.read(INDEX_NAME).unwrap_or_default();
    let index: Value = serde_json::from_slice(&content).unwrap_or_default();
    let text = |value: &Value, key: &str| {
        let found = value.get(key).and_then(Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    let list = |value: &Value, key: &str| {
        let found = value.get(key).and_then(Value::as_array);
        found.cloned().unwrap_or_default()
    };
    let mut found = BTreeMap::new();
    for (key, what) in [
        ("fluxVersion", "the version of Flux"),
        ("kubernetesVersion", "the version of Kubernetes"),
    ] {
        found.insert(what.to_owned(), text(&index, key));
    }
    for file in list(&index, "entries")
        .iter()
        .flat_map(|e| list(e, "files"))
    {
        let path = text(&file, "path");
        for (number, object) in list(&file, "objects").iter().enumerate() {
            let namespace = text(object, "namespace");
            let slash = if namespace.is_empty() { "" } else { "/" };
            let mut what = format!(
                "{}/{namespace}{slash}{} in `{path}`",
                text(object, "kind"),
                text(object, "name")
            );
            if found.contains_key(&what) {
                what.push_str(&format!(" (object {})", number + 1));
            }
            let stays = object.get("stays") == Some(&Value::Bool(true));
            let stays = if stays {
                ", which stays in the cluster"
            } else {
                ""
            };
            found.insert(what, format!("sha256:{}{stays}", text(object, "sha256")));
        }
        for (pointer, value) in leaves(&file) {
            let said_already = ["/objects/", "/path", "/sha256"];
            if !said_already.iter().any(|p| pointer.starts_with(p)) {
                found.insert(format!("`{path}`, `{pointer}`"), value);
            }
        }
    }
    found
}

/// The scalars of a value, by JSON pointer.
fn leaves(value: &Value) -> BTreeMap<String, String> {
    fn walk(value: &Value, pointer: &str, found: &mut BTreeMap<String, String>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    walk(value, &format!("{pointer}/{key}"), found);
                }
            }
            Value::Array(items) => {
                for (number, value) in items.iter().enumerate() {
                    walk(value, &format!("{pointer}/{number}"), found);
                }
            }
            scalar => {
                found.insert(pointer.to_owned(), scalar.to_string());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(value, "", &mut found);
    found
}
