//! API versions are those that the cluster serves.

pub(super) mod deprecated;
