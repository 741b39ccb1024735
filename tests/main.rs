//! All integration tests in one binary: one link, one place to look.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests may panic, and read and write files"
)]

mod article;
mod bad_repository;
mod baseline;
mod build;
#[cfg(feature = "verify")]
mod bundle;
mod cache;
mod check_schema;
#[cfg(all(feature = "network", feature = "verify"))]
mod ci;
#[cfg(feature = "git")]
mod diff;
#[cfg(feature = "git")]
mod diff_reach;
mod docs;
mod envsubst;
mod fleet;
mod formats;
mod fuzz_corpus;
mod get;
mod graph;
#[cfg(feature = "git")]
mod history;
mod hostile;
mod kustomize;
mod layering;
mod local_sources;
mod program;
mod rbac;
#[cfg(feature = "git")]
mod reach;
mod releases;
#[cfg(feature = "sops")]
mod secrets;
#[cfg(feature = "git")]
mod shard;
#[cfg(feature = "sops")]
mod sops;
#[cfg(feature = "network")]
mod sources;
mod store;
#[cfg(all(feature = "network", feature = "verify"))]
mod strangers;
mod template;
#[cfg(feature = "verify")]
mod verify;
mod yaml;
