//! Choosing a version as Flux does.

use super::version::{Version, VersionError};
use super::{ConstraintError, Constraints};

/// Reads a version as Flux does: leniently, but of three numbers.
pub fn parse_three_parts(text: &str) -> Result<Version, VersionError> {
    // Compat: fluxcd/pkg/version counts the dots, wherever they are.
    if text.split('.').count() < 3 {
        return Err(VersionError::Invalid);
    }
    Version::parse(text)
}

/// The place of the latest version in the range; texts that are no versions
/// are passed over. Of those that differ in build metadata alone, the one with
/// the greatest `tie` wins, and of these the first.
pub fn latest<'v, T: Ord>(
    versions: impl IntoIterator<Item = &'v str>,
    range: &Constraints,
    tie: impl Fn(usize) -> T,
) -> Option<usize> {
    let mut best: Option<(Version, T, usize)> = None;
    for (i, text) in versions.into_iter().enumerate() {
        let Ok(version) = parse_three_parts(text) else {
            continue;
        };
        if !range.check(&version) {
            continue;
        }
        let tie = tie(i);
        let is_better = best.as_ref().is_none_or(|(best, best_tie, _)| {
            version.cmp(best).then_with(|| tie.cmp(best_tie)).is_gt()
        });
        if is_better {
            best = Some((version, tie, i));
        }
    }
    best.map(|(_, _, i)| i)
}

/// The place of the version that a chart's `version` asks for: that very text,
/// else the latest in the range; no range means any.
///
/// # Errors
///
/// What is wrong with the range.
pub fn chart_version(versions: &[&str], wanted: &str) -> Result<Option<usize>, ConstraintError> {
    if let Some(i) = versions.iter().position(|version| *version == wanted) {
        return Ok(Some(i));
    }
    let range = Constraints::parse(if wanted.is_empty() { "*" } else { wanted })?;
    Ok(latest(versions.iter().copied(), &range, |_| ()))
}
