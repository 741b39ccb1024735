//! Kubernetes objects: where they are read from and what identifies them.
//!
//! In: a [`Tree`](crate::artifact::Tree). Out: documents, each file read and
//! parsed once ([`Files`]), and the names that tell objects apart ([`Gvk`],
//! [`ResId`]).

mod files;
mod id;

pub use files::{Files, Text};
pub use id::{Gvk, ResId};
