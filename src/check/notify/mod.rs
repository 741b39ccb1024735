//! Notifications: alerts that can match, providers that can send.

pub(super) mod event_source;
pub(super) mod provider;
