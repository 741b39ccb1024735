//! Every object has one owner.

pub(super) mod duplicate;
