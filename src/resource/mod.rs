//! Kubernetes objects: where they are read from and what identifies them.
//!
//! In: a [`Tree`](crate::artifact::Tree). Out: documents, each file read and
//! parsed once ([`Files`]), and the names that tell objects apart ([`Gvk`],
//! [`ResId`]) or choose among them ([`Selector`]).

mod files;
mod id;
mod selector;

pub use files::{Files, Raw, Text};
pub use id::{Gvk, ResId};
pub use selector::Selector;
