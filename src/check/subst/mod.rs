//! Variables are replaced, by what was meant.

pub(super) mod boolean_name;
pub(super) mod skipped;
