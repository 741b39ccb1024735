//! Every object has one owner.

pub(super) mod deletion_policy;
pub(super) mod duplicate;
pub(super) mod force;
pub(super) mod ignored_fields;
pub(super) mod prune;
pub(super) mod replicas;
