//! What is named is there.

pub(super) mod missing;
mod values;
