//! What is fetched is the same today and tomorrow.

pub(super) mod floating;
pub(super) mod not_a_commit;
