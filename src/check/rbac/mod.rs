//! Rights: who has too many, and whether what Flux applies would be allowed.

pub(super) mod access;
pub(super) mod aggregation;
pub(super) mod dangling;
pub(super) mod escalation;
pub(super) mod insufficient;
pub(super) mod least;
pub(super) mod path;
pub(super) mod powers;
pub(super) mod tenant;
pub(super) mod together;
pub(super) mod wildcard;

use crate::check::{Applied, View};
use crate::diag::Severity;
use crate::flux::controllers::is_of_flux;
use crate::rbac::GROUP;

/// Roles and bindings that a repository answers for: not those of a Flux
/// installation, nor those for another cluster.
fn own<'v, 'a>(
    view: &'v View<'a>,
    kinds: &'static [&'static str],
) -> impl Iterator<Item = &'v Applied<'a>> {
    let found = kinds.iter().flat_map(|kind| view.of_kind(GROUP, kind));
    found.filter(|applied| !applied.is_remote() && !is_of_flux(applied.node()))
}

/// The severity of a finding about an object: less for what a chart of somebody
/// else brings, which is its author's to answer for.
fn severity(applied: &Applied<'_>, severity: Severity) -> Severity {
    let foreign = applied.is_of_foreign_chart();
    match severity {
        Severity::Error if foreign => Severity::Warning,
        Severity::Warning if foreign => Severity::Info,
        severity => severity,
    }
}
