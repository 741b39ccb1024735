//! Everything that is applied is what the schema of its kind says.

pub(super) mod invalid;
pub(super) mod kinds;
pub(super) mod no_namespace;
