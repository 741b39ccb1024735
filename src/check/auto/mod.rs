//! Image automation: policies, markers and commits that do what they look like.

pub(super) mod marker;
pub(super) mod policy;
pub(super) mod push;
pub(super) mod template;
