//! Values against `values.schema.json`.

use super::dependencies::Instance;
use super::user::UserValues;
use crate::diag::{Findings, Result, SourceMap};
use crate::gotmpl::value::Map;

/// Holds the values of a chart and those below it against their schemas.
#[expect(clippy::unnecessary_wraps, reason = "to be written")]
pub(super) fn validate(
    _instance: &Instance,
    _values: &Map,
    _user: &UserValues,
    _sources: &SourceMap,
    _findings: &mut Findings,
) -> Result<()> {
    Ok(())
}
