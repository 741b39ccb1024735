//! The order of the stages: entry points, sources, Kustomizations as their
//! parents leave them, the objects that each applies.
//!
//! In: a [`Workspace`] (the repository's tree and what the user says of it).
//! Out: for each entry point a [`Cluster`]. Everything that does not depend on
//! each other runs in parallel on rayon's pool; results are joined in the order
//! of names, so that the number of threads never shows.

pub mod entry;
pub mod source;

pub use entry::Entry;
pub use source::{LocalSource, Sources};
