//! Images are the same today and tomorrow.

pub(super) mod mutable;
