//! Every object has one owner.

pub(super) mod deletion_policy;
pub(super) mod duplicate;
pub(super) mod force;
