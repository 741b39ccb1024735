//! Flux's own objects, and what its controllers do with them.
//!
//! In: objects as they are rendered, and the trees of their sources. Out: for
//! each Kustomization the kustomization to build ([`generate`]), the objects as
//! they leave it ([`envsubst`], [`metadata`], [`ignore`]), and the order in which
//! they are applied ([`order`]). Pure: which object is built when, and from which source,
//! is `pipeline`'s business. [`controllers`] says how those controllers are set up.

pub mod api;
pub mod compose;
pub mod controllers;
pub mod envsubst;
mod fields;
pub mod generate;
pub mod ignore;
pub mod metadata;
pub mod migrate;
pub mod order;
pub mod substitute;
mod version;

pub use controllers::Controllers;
pub use version::FluxVersion;
