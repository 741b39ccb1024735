//! Sources can be fetched, and by nobody who should not.

pub(super) mod auth;
