//! fluxwright renders and verifies Flux GitOps repositories without a cluster
//! and without the network.
//!
//! This library is the whole program; `main.rs` sets up its memory and calls
//! [`cli::run`]. The
//! modules, from those that know least to those that know most;
//! `docs/architecture.md` says how data flows between them and which may know
//! which:
//!
//! - [`diag`]: positions, errors, findings
//! - [`gostd`]: what Go's libraries do, where it shows in the output
//! - [`yaml`]: nodes, parsing, emission
//! - [`artifact`]: the trees of files that everything is read from
//! - [`cel`]: the Common Expression Language
//! - [`schema`]: what Kubernetes and Flux objects look like
//! - [`resource`]: Kubernetes objects, each file read and parsed once
//! - [`gotmpl`]: Go templates and their functions
//! - [`helm`]: charts and what they render to
//! - [`config`]: what a repository says of itself
//! - [`kustomize`]: kustomizations to objects
//! - [`flux`]: Flux's own objects and what its controllers do with them
//! - [`store`]: content by its digest, on disk
//! - [`lock`]: every input of a repository, by digest
//! - [`source`]: where the inputs come from; the only module that dials out
//! - [`pipeline`]: the order of the stages
//! - [`graph`]: what waits for what
//! - [`diff`]: what a change does to the clusters
//! - [`bundle`]: the signed artifact of a release
//! - [`report`]: findings for people and machines
//! - [`check`]: rules over what is rendered
//! - [`cli`]: the command line

#![forbid(unsafe_code)]
#![cfg_attr(
    not(all(feature = "network", feature = "sops", feature = "verify")),
    allow(
        dead_code,
        unused_imports,
        reason = "the whole program shows what is used by nobody"
    )
)]

pub mod artifact;
pub mod bundle;
pub mod cel;
pub mod check;
pub mod cli;
pub mod config;
pub mod diag;
pub mod diff;
pub mod flux;
pub mod gostd;
pub mod gotmpl;
pub mod graph;
pub mod helm;
pub mod kustomize;
pub mod lock;
pub mod pipeline;
pub mod rbac;
pub mod report;
pub mod resource;
pub mod schema;
pub mod sops;
pub mod source;
pub mod store;
pub mod verify;
pub mod yaml;
