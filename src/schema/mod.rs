//! What Kubernetes and Flux objects look like.
//!
//! In: `schemas/`, data made from published packages, and documents that users
//! bring. Out: answers on a kind and its fields.
//!
//! - [`Pack`] is the compact form that everything is kept in; [`Schema`] is a
//!   place in it. A pack is searched where it lies: nothing is unpacked, and
//!   starting the program costs nothing.
//! - [`openapi`] makes packs of OpenAPI documents, with [`Builder`].
//! - [`kustomize`] answers as kustomize's own library does: merge keys, patch
//!   strategies, scopes.

mod build;
mod compile;
pub mod crd;
mod evaluate;
mod json_schema;
pub mod kustomize;
mod location;
mod metadata;
pub mod openapi;
mod pack;
mod plain;
mod rules;
mod set;
#[cfg(test)]
mod tests;
mod unknown;
mod version;

pub use build::{Builder, KindDraft, SchemaId};
pub use evaluate::Violation;
pub use location::Location;
pub use pack::{Pack, Rule, Schema, Scope, Variant, Variants};
pub use set::{Missing, Origin, Schemas, Verdict};
pub use unknown::UnknownField;
pub use version::KubernetesVersion;
