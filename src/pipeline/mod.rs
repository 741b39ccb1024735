//! The order of the stages: entry points, sources, Kustomizations as their
//! parents leave them, the objects that each applies.
//!
//! In: a repository's tree, the sources at hand, the options. Out: for each
//! entry point a [`Cluster`](cluster::Cluster), and files with an index.
//! Everything that does not depend on each other runs in parallel on rayon's
//! pool; results are joined in the order of names, so that the number of
//! threads never shows.

pub mod build;
pub mod cluster;
mod composed;
pub mod entry;
pub mod index;
mod known;
mod names;
mod progress;
mod release;
pub mod render;
mod reuse;
pub mod secrets;
pub mod shard;
mod source;
mod trust;
mod variables;

pub use entry::Entry;
pub use progress::Progress;
pub use release::Lookups;
pub use reuse::Reuse;
pub use source::{LocalSource, Sources};
