//! Sources can be fetched, and by nobody who should not.

pub(super) mod address;
pub(super) mod auth;
pub(super) mod ignore_rules;
pub(super) mod pass_credentials;
pub(super) mod secret_keys;
