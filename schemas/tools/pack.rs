//! Makes the packs in `schemas/` from the documents of published packages.
//!
//! `schemas/README.md` says where the documents come from; `schemas/tools/make.py`
//! fetches them, calls this, and writes `PROVENANCE`.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a tool for developers: it reads and writes files"
)]

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use fluxwright::diag::SourceMap;
use fluxwright::schema::{Builder, crd, openapi};
use fluxwright::yaml::{self, Document, Node};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "usage:
  pack-schemas kustomize KUBERNETES.json KUSTOMIZATION.json FOLDER
  pack-schemas kubernetes OUT.pack MINOR=OPENAPI.json...
  pack-schemas crds OUT.pack MINOR=FILE-OR-FOLDER...";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        ["kustomize", kubernetes, kustomization, out] => {
            kustomize(kubernetes.as_ref(), kustomization.as_ref(), out.as_ref())
        }
        ["kubernetes", out, ref versions @ ..] => kubernetes(out.as_ref(), versions),
        ["crds", out, ref versions @ ..] => crds(out.as_ref(), versions),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

/// The packs that kustomize's questions are answered from.
fn kustomize(kubernetes: &Path, kustomization: &Path, out: &Path) -> Result<()> {
    let mut document = read(kubernetes)?;
    leave_out_alpha(&mut document);
    let pack = openapi::for_merging(&document)?;
    std::fs::write(out.join("kustomize.pack"), pack.to_bytes())?;
    let pack = openapi::for_merging(&read(kustomization)?)?;
    std::fs::write(out.join("kustomization.pack"), pack.to_bytes())?;
    Ok(())
}

/// The kinds of Kubernetes, all minor versions in one pack.
fn kubernetes(out: &Path, versions: &[&str]) -> Result<()> {
    let mut builder = Builder::new();
    for version in versions {
        let (minor, path) = version_and_path(version)?;
        openapi::add_kubernetes(&mut builder, &read(path)?, minor)?;
    }
    Ok(std::fs::write(out, builder.finish()?.to_bytes())?)
}

/// The kinds of CustomResourceDefinitions.
fn crds(out: &Path, versions: &[&str]) -> Result<()> {
    let mut builder = Builder::new();
    for version in versions {
        let (minor, path) = version_and_path(version)?;
        let mut files = vec![path.to_owned()];
        if path.is_dir() {
            files = std::fs::read_dir(path)?
                .map(|entry| Ok(entry?.path()))
                .collect::<Result<_>>()?;
            files.retain(|f| f.extension().is_some_and(|e| e == "yaml" || e == "yml"));
            files.sort();
        }
        for file in files {
            let found = read_all(&file)?;
            for document in found
                .iter()
                .map(|d| &d.root)
                .filter(|d| crd::is_definition(d))
            {
                crd::add(&mut builder, document, minor)?;
            }
        }
    }
    Ok(std::fs::write(out, builder.finish()?.to_bytes())?)
}

fn version_and_path(version: &str) -> Result<(u32, &Path)> {
    let (minor, path) = version.split_once('=').ok_or(USAGE)?;
    Ok((minor.parse()?, Path::new(path)))
}

fn read(path: &Path) -> Result<Node> {
    let documents = read_all(path)?;
    let first = documents.into_iter().next();
    let first = first.ok_or_else(|| format!("{} is empty", path.display()))?;
    Ok(first.root)
}

fn read_all(path: &Path) -> Result<Vec<Document>> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| format!("{name}: {e}"))?;
    let file = SourceMap::new().add(name.as_str(), "");
    Ok(yaml::parse(&text, file).map_err(|e| format!("{name}: {e}"))?)
}

/// Takes out what a cluster serves only where it is switched on: kustomize's
/// document was taken from a cluster with default settings, the one in
/// Kubernetes' sources has everything.
fn leave_out_alpha(document: &mut Node) {
    let is_alpha = |name: &str| {
        name.split(['.', '/']).any(|part| {
            let version = part.strip_prefix('v').unwrap_or_default();
            version.starts_with(|c: char| c.is_ascii_digit()) && version.contains("alpha")
        })
    };
    for key in ["definitions", "paths"] {
        let Some(entries) = document.get_mut(key).and_then(Node::entries_mut) else {
            continue;
        };
        entries.retain(|entry| {
            let name = entry.key.text().unwrap_or_default();
            let feature_gate =
                name.ends_with(".EphemeralContainers") || name.ends_with("/ephemeralcontainers");
            !is_alpha(name) && !feature_gate
        });
    }
}
