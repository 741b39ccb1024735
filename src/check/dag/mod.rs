//! What waits for what, and whether it can end.

pub(super) mod cycle;
