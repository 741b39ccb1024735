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
pub mod kustomize;
pub mod openapi;
#[expect(dead_code, reason = "validation, which comes next, uses the rest")]
mod pack;

pub use build::{Builder, SchemaId};
pub use pack::{Pack, Schema, Scope, Variant, Variants};
