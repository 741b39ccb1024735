//! Signatures that are asked for, and what they prove.

pub(super) mod identity;
pub(super) mod keys;
pub(super) mod mode;
pub(super) mod policy;
pub(super) mod proof;
