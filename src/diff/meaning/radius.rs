//! How far a change reaches.

use std::collections::BTreeSet;

use super::super::compare::Compared;
use super::super::rendering::Cluster;
use super::rules;
use crate::diag::{Finding, ObjectRef};

/// With fewer owners than this touched, nothing is said of the rest: small
/// clusters change as a whole every day.
const MIN_TOUCHED: usize = 10;

/// How many owners are named.
const SHOWN: usize = 5;

/// Tells of a change that touches more than half of what a cluster applies.
pub(super) fn look(
    compared: &[Compared<'_>],
    old: &Cluster,
    new: &Cluster,
    findings: &mut Vec<Finding>,
) {
    // What changed in nothing but noise is not touched.
    let touched = compared.iter().filter(|c| {
        let (is_one_sided, changes) = (c.pair.old.is_none() || c.pair.new.is_none(), &c.changes);
        is_one_sided || changes.is_empty() || changes.iter().any(|change| change.noise.is_none())
    });
    let owners = touched.flat_map(|c| [c.pair.old, c.pair.new]).flatten();
    let touched: BTreeSet<ObjectRef> = owners
        .filter_map(|located| Some(located.owner?.id.to_object_ref()))
        .collect();
    let units = old.units.iter().chain(&new.units);
    let all: BTreeSet<ObjectRef> = units
        .filter_map(|unit| Some(unit.owner.as_ref()?.id.to_object_ref()))
        .collect();
    if touched.len() < MIN_TOUCHED || touched.len() * 2 <= all.len() {
        return;
    }
    let mut named: Vec<String> = touched
        .iter()
        .take(SHOWN)
        .map(|owner| format!("`{owner}`"))
        .collect();
    let more = touched.len().saturating_sub(SHOWN);
    named.push(format!("and {more} more"));
    let rule = "change/blast-radius";
    let message = format!(
        "it touches {} of {} Kustomizations and HelmReleases: {}",
        touched.len(),
        all.len(),
        named.join(", ")
    );
    findings.push(
        Finding::new(rule, rules::severity(rule), message)
            .help("where one cluster can go first, release it there, and the others later"),
    );
}
