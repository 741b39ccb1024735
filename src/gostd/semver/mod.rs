//! Versions and ranges as Masterminds/semver 3.5.0 reads them, which Helm,
//! sprig and Flux all use.
//!
//! A [`Version`] is read leniently (`v1.2`, `01.2.3`) or strictly; a
//! [`Constraints`] is a range such as `>=1.2 <2 || ^3.0.0-0`. [`latest`] is how
//! Flux chooses among the tags of a repository or the versions of a chart.

mod constraint;
mod select;
#[cfg(test)]
mod tests;
mod version;

pub use constraint::{ConstraintError, Constraints};
pub use select::{chart_version, latest, parse_three_parts};
pub use version::{Version, VersionError};
