//! What `bundle create --release` refuses.

use std::collections::BTreeSet;
use std::path::Path;

use crate::artifact::Reads;
use crate::cli::head;
use crate::cli::settings::Repository;
use crate::diag::{Error, Finding, Findings, Result, Severity};
use crate::flux::api::{Source, SourceSpec};
use crate::pipeline::cluster::{Cluster, SourceOrigin, SourceUse, UnitKind};
use crate::pipeline::secrets::stands_in;
use crate::source::trust::Verdict;
use crate::yaml::Node;

/// Refuses what is not as it was committed: any file of the commit, and any other
/// that was read; `output` is where the bundle goes.
///
/// # Errors
///
/// `bundle/refused`.
pub(super) fn refuse_changes(
    opened: &Repository,
    output: Option<&Path>,
    reads: &Reads,
) -> Result<()> {
    match head::first_change(&opened.root, output, reads)? {
        Some(path) => Err(refused(
            format!("`{path}` is not as it was committed"),
            "commit it, or put it aside: `git stash --include-untracked`",
        )),
        None => Ok(()),
    }
}

/// Refuses a seed that is no secret: one that is committed, as whoever has the
/// repository has it.
///
/// # Errors
///
/// `bundle/refused`.
pub(super) fn refuse_seed(opened: &Repository, seed: Option<&Path>) -> Result<()> {
    match seed {
        Some(path) if head::is_committed(&opened.root, path)? => Err(refused(
            format!("the seed file `{}` is in the repository", path.display()),
            "keep it where nobody else reads it, and make a new one: `head -c 32 /dev/urandom > FILE`",
        )),
        _ => Ok(()),
    }
}

/// Refuses what must not be released: `told` is what rendering told, `findings`
/// what the rules say of it.
///
/// # Errors
///
/// `bundle/refused`.
pub(super) fn refuse(clusters: &[Cluster], told: &Findings, findings: &[Finding]) -> Result<()> {
    stand_ins(clusters)?;
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

/// Refuses clusters with a source that is local, unverified or not locked,
/// whether or not anything of it could be rendered.
///
/// # Errors
///
/// `bundle/refused`.
pub(super) fn refuse_sources<'c>(
    opened: &Repository,
    clusters: impl Iterator<Item = &'c Cluster>,
) -> Result<()> {
    if let Some(local) = opened.sources.local.keys().next() {
        return Err(refused(
            format!("the source `{local}` is given by hand"),
            "lock it, and leave `--local-sources` away",
        ));
    }
    for cluster in clusters {
        if let Some((source, e)) = cluster.unverified.iter().next() {
            return Err(refused(
                format!("the source `{source}` is not verified: {e}"),
                "see docs/trust.md: have it signed, or do not ask for a signature",
            ));
        }
        let used = cluster.units.iter().filter_map(|unit| unit.source.as_ref());
        let mut own = BTreeSet::new();
        for used in used {
            if is_own(used)? {
                own.insert(&used.source);
            }
        }
        for source in cluster.sources() {
            if !own.contains(&source.id) {
                locked(opened, &source)?;
            }
        }
        // Charts and remote bases are locked one by one.
        for unit in &cluster.units {
            if let Err(e) = &unit.outcome
                && is_unlocked(e, unit.source.as_ref())
            {
                let what = format!("{} needs what is not locked: {e}", unit.id.to_object_ref());
                return Err(refused(what, LOCK).at(e.span()));
            }
        }
    }
    Ok(())
}

/// Whether it is for want of a pin that something does not render.
fn is_unlocked(error: &Error, source: Option<&SourceUse>) -> bool {
    match error.rule() {
        "lock/missing" | "lock/stale" => true,
        "source/unavailable" => source.is_some_and(|s| s.origin == SourceOrigin::Unavailable),
        _ => false,
    }
}

/// Whether a source that is used is the repository itself.
fn is_own(used: &SourceUse) -> Result<bool> {
    let source = &used.source;
    if used.verdict == Verdict::Skipped {
        return Err(refused(
            format!("the source `{source}` must be signed, and nobody looked"),
            "leave the option away that skips its verification",
        ));
    }
    let why = match &used.origin {
        SourceOrigin::Repository => return Ok(true),
        SourceOrigin::Locked { .. } => return Ok(false),
        SourceOrigin::Local { path } => format!("is local: `{path}`"),
        // Charts are locked one by one, which the release that takes one tells.
        SourceOrigin::Unavailable if &*source.kind == "HelmRepository" => return Ok(false),
        SourceOrigin::Unavailable => "is not locked".to_owned(),
    };
    Err(refused(format!("the source `{source}` {why}"), LOCK))
}

const LOCK: &str = "lock it with `fluxwright lock`, and commit fluxwright.lock";

fn locked(opened: &Repository, source: &Source) -> Result<()> {
    let refused = |why: String| refused(format!("the source `{}` {why}", source.id), LOCK);
    match &opened.sources.locked {
        Some(locked) => locked
            .require(source)
            .map_err(|e| refused(format!("is not locked: {e}"))),
        None if matches!(source.spec, SourceSpec::Helm(_)) => Ok(()),
        None => Err(refused("is not locked: there is no fluxwright.lock".into())),
    }
}

/// Nothing stands in for what is encrypted: the cluster would get that.
fn stand_ins(clusters: &[Cluster]) -> Result<()> {
    for (_, object) in clusters.iter().flat_map(Cluster::objects) {
        let (mut is_opened, mut is_sealed) = (false, false);
        object.node.walk(&mut |node| {
            is_opened |= node.is_secret();
            is_sealed |= stands_in(node);
        });
        let (what, help) = if is_opened {
            (
                "a value that was decrypted, or what stands in for it",
                "leave the keys away, those in the environment, too: encrypted objects stay encrypted \
                 then, and the cluster opens them",
            )
        } else if is_sealed {
            (
                "what stands in for an encrypted value",
                "what generators and patches read encrypted is in no bundle: keep it in an encrypted \
                 Secret",
            )
        } else {
            continue;
        };
        let id = object.id.to_object_ref();
        return Err(refused(format!("{id} holds {what}"), help).at(object.node.span()));
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
        Some((unit, object)) => Err(refused(
            format!("{} holds a secret in clear", object.id.to_object_ref()),
            match unit.kind {
                UnitKind::Kustomization => "encrypt it with sops, or leave it to the cluster",
                UnitKind::HelmRelease => {
                    "see whether the chart takes a Secret that is there already: one that is \
                     encrypted with sops, or that the cluster makes"
                }
            },
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

/// Whether an object is a Secret with values that anybody can read: whether it is
/// encrypted is told by each of them, and not by what the file says of itself.
fn is_clear_secret(object: &Node) -> bool {
    let is = |key, value| object.get(key).and_then(Node::text) == Some(value);
    let is_encrypted = object.get("sops").is_some();
    is("kind", "Secret")
        && is("apiVersion", "v1")
        && ["data", "stringData"].iter().any(|key| {
            let entries = object.get(key).map(Node::entries).unwrap_or_default();
            // What is marked here is sealed: what stands in is refused before.
            let mut values = entries.iter().map(|entry| &entry.value);
            values.any(|value| {
                let is_sealed = |text: &str| {
                    text.is_empty()
                        || value.is_placeholder()
                        || is_encrypted && text.starts_with("ENC[")
                };
                value.text().is_some_and(|text| !is_sealed(text))
            })
        })
}
