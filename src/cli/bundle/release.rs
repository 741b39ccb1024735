//! What `bundle create --release` refuses.

use std::path::Path;

use crate::cli::head;
use crate::cli::settings::Repository;
use crate::diag::{Error, Finding, Findings, Result, Severity};
use crate::pipeline::cluster::{Cluster, SourceOrigin};
use crate::source::trust::Verdict;
use crate::yaml::Node;

/// Refuses what must not be released: `output` is where the bundle goes, `told` is what rendering told,
/// `findings` what the rules say of it.
///
/// # Errors
///
/// `bundle/refused`.
pub(super) fn refuse(
    opened: &Repository,
    output: Option<&Path>,
    clusters: &[Cluster],
    told: &Findings,
    findings: &[Finding],
) -> Result<()> {
    if let Some(path) = head::first_change(&opened.root, output)? {
        return Err(refused(
            format!("`{path}` is not as it was committed"),
            "commit it, or put it aside: `git stash --include-untracked`",
        ));
    }
    sources(opened, clusters)?;
    secrets(clusters)?;
    generated(told)?;
    let mut errors = findings.iter().filter(|f| f.severity == Severity::Error);
    let count = errors.clone().count();
    if let Some(finding) = errors.next() {
        let place = finding.location.as_ref().map_or(String::new(), |location| {
            format!(" ({}:{})", location.file, location.line)
        });
        return Err(refused(
            format!(
                "{count} finding{} at severity error, of which the first is {}: {}{place}",
                if count == 1 { " is" } else { "s are" },
                finding.rule,
                finding.message,
            ),
            "`fluxwright check` shows them all: mend them, or accept them with a reason under \
             `ignore` in .fluxwright.yaml",
        ));
    }
    Ok(())
}

fn refused(what: impl Into<String>, help: &str) -> Error {
    Error::new("bundle/refused", what).help(help)
}

/// Every source is locked, none is local.
fn sources(opened: &Repository, clusters: &[Cluster]) -> Result<()> {
    if let Some(local) = opened.sources.local.keys().next() {
        return Err(refused(
            format!("the source `{local}` is given by hand"),
            "lock it, and leave `--local-sources` away",
        ));
    }
    let unverified = clusters.iter().flat_map(|c| &c.unverified).next();
    if let Some((source, e)) = unverified {
        return Err(refused(
            format!("the source `{source}` is not verified: {e}"),
            "see docs/trust.md: have it signed, or do not ask for a signature",
        ));
    }
    for unit in clusters.iter().flat_map(|c| &c.units) {
        let Some(used) = &unit.source else { continue };
        if used.verdict == Verdict::Skipped {
            return Err(refused(
                format!(
                    "the source `{}` must be signed, and nobody looked",
                    used.source
                ),
                "leave the option away that skips its verification",
            ));
        }
        let why = match &used.origin {
            SourceOrigin::Repository | SourceOrigin::Locked { .. } => continue,
            SourceOrigin::Local { path } => format!("is local: `{path}`"),
            SourceOrigin::Unavailable => "is not locked".to_owned(),
        };
        return Err(refused(
            format!("the source `{}` {why}", used.source),
            "lock it with `fluxwright lock`, and commit fluxwright.lock",
        ));
    }
    let Some(locked) = &opened.sources.locked else {
        return Ok(());
    };
    for cluster in clusters {
        for source in cluster.sources() {
            locked.require(&source).map_err(|e| {
                refused(
                    format!("the source `{}` is not locked: {e}", source.id),
                    "lock it with `fluxwright lock`, and commit fluxwright.lock",
                )
            })?;
        }
    }
    Ok(())
}

/// No Secret has values that anybody can read.
fn secrets(clusters: &[Cluster]) -> Result<()> {
    let secret = clusters
        .iter()
        .flat_map(Cluster::objects)
        .find(|(_, object)| is_clear_secret(&object.node));
    match secret {
        Some((_, object)) => Err(refused(
            format!("{} holds a secret in clear", object.id.to_object_ref()),
            "encrypt it with sops, or leave it to the cluster",
        )
        .at(object.node.span())),
        None => Ok(()),
    }
}

/// No value that should be secret is made of a seed that anybody has.
fn generated(told: &Findings) -> Result<()> {
    let told = told.clone().into_sorted();
    let computable = told
        .iter()
        .find(|f| &*f.rule == "render/random" && f.severity >= Severity::Warning);
    match computable {
        Some(finding) => {
            let of = finding
                .object
                .as_ref()
                .map_or(String::new(), |o| format!("{o}: "));
            Err(refused(
                format!("{of}{}", finding.message),
                "give the value yourself, or keep its seed secret by `--seed-file FILE`",
            ))
        }
        None => Ok(()),
    }
}

/// Whether an object is a Secret with values that anybody can read.
fn is_clear_secret(object: &Node) -> bool {
    let is = |key, value| object.get(key).and_then(Node::text) == Some(value);
    is("kind", "Secret")
        && is("apiVersion", "v1")
        && object.get("sops").is_none()
        && ["data", "stringData"].iter().any(|key| {
            let entries = object.get(key).map(Node::entries).unwrap_or_default();
            entries
                .iter()
                .any(|e| e.value.text().is_some_and(|text| !text.is_empty()))
        })
}
