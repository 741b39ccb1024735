//! What moved between two lockfiles, for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::Lockfile;
use crate::artifact::Digest;
use crate::flux::api::SourceRef;

/// An input whose revision moved, came or went.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// The input: `GitRepository/flux-system/app`, with the chart's name behind
    /// it where it is one.
    pub name: String,
    /// What it was; none for what is new.
    pub old: Option<String>,
    /// What it is; none for what is gone.
    pub new: Option<String>,
}

/// What is different in `new`, sorted by name.
pub fn compare(old: &Lockfile, new: &Lockfile) -> Vec<Change> {
    // What is there several times, before or now, is told apart in both.
    let is_several = |source: &SourceRef| {
        let count = |lockfile: &Lockfile| lockfile.named(source).count();
        count(old) > 1 || count(new) > 1
    };
    let (old, new) = (revisions(old, &is_several), revisions(new, &is_several));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name))
        .map(|name| {
            let shown = |side: &BTreeMap<String, (String, String)>| {
                side.get(name).map(|(revision, digest)| {
                    // The same revision with other content shows its digest.
                    let other = |s: &BTreeMap<String, (String, String)>| {
                        s.get(name)
                            .is_some_and(|(r, d)| r == revision && d != digest)
                    };
                    if revision.is_empty() || other(&old) || other(&new) {
                        format!("{revision} {digest}").trim_start().to_owned()
                    } else {
                        revision.clone()
                    }
                })
            };
            Change {
                name: name.clone(),
                old: shown(&old),
                new: shown(&new),
            }
        })
        .collect()
}

/// Revision and digest of each input by its name.
fn revisions(
    lockfile: &Lockfile,
    is_several: &dyn Fn(&SourceRef) -> bool,
) -> BTreeMap<String, (String, String)> {
    let mut found = BTreeMap::new();
    let mut signers = BTreeMap::new();
    for (request, locked) in &lockfile.sources {
        let mut name = request.source.to_string();
        if is_several(&request.source) {
            let reference: Vec<String> = (request.reference.iter())
                .map(|(k, v)| format!("{k}={v}"))
                .collect();
            let _ = write!(name, " ({})", reference.join(", "));
        }
        let mut note_signed = |name: &str, of: &Digest| {
            let signed = locked.signed.get(of).filter(|s| !s.verified.is_empty());
            if let Some(signed) = signed {
                let proof: Vec<String> = signed.signatures.iter().map(Digest::to_string).collect();
                signers.insert(
                    format!("{name}, signed by"),
                    (signed.verified.join("; "), proof.join(" ")),
                );
            }
        };
        if let Some(pin) = &locked.pin {
            note_signed(&name, &pin.digest);
            found.insert(name.clone(), (pin.revision.clone(), pin.digest.to_string()));
        }
        for (chart, pin) in &locked.charts {
            let name = format!("{name} {} {}", chart.name, chart.range);
            note_signed(&name, &pin.digest);
            found.insert(name, (pin.version.clone(), pin.digest.to_string()));
        }
    }
    for (url, charts) in &lockfile.dependencies {
        for (chart, pin) in charts {
            found.insert(
                format!("{url} {} {}", chart.name, chart.range),
                (pin.version.clone(), pin.digest.to_string()),
            );
        }
    }
    for (url, pin) in &lockfile.remotes {
        found.insert(url.clone(), (pin.revision.clone(), pin.digest.to_string()));
    }
    found.append(&mut signers);
    found
}

/// The changes as a table for a terminal, one line each.
pub fn table(changes: &[Change]) -> String {
    let width = changes
        .iter()
        .map(|c| c.name.chars().count())
        .max()
        .unwrap_or(0);
    let mut out = String::new();
    for change in changes {
        let padding = width - change.name.chars().count();
        let _ = writeln!(
            out,
            "{}{:padding$}  {}",
            change.name,
            "",
            movement(change, "")
        );
    }
    out
}

/// The changes as a table in Markdown.
pub fn markdown(changes: &[Change]) -> String {
    let mut out = String::from("| input | change |\n| --- | --- |\n");
    for change in changes {
        let name = change.name.replace('|', "\\|");
        let _ = writeln!(out, "| `{name}` | {} |", movement(change, "`"));
    }
    out
}

fn movement(change: &Change, quote: &str) -> String {
    let cell = |text: &String| format!("{quote}{}{quote}", text.replace('|', "\\|"));
    match (&change.old, &change.new) {
        (Some(old), Some(new)) => format!("{} → {}", cell(old), cell(new)),
        (None, Some(new)) => format!("new: {}", cell(new)),
        (Some(old), None) => format!("gone: {}", cell(old)),
        (None, None) => String::new(),
    }
}
