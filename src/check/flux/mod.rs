//! Flux itself, as the repository sets it up.

pub(super) mod feature_gate;
