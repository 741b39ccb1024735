//! What is named is there.

pub(super) mod missing;
pub(super) mod patches;
mod pods;
mod values;
