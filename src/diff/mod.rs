//! What a change does to the clusters: two renderings, compared by object and
//! by meaning.
//!
//! In: two [`Rendering`]s, of two revisions, folders or bundles. Out: a
//! [`Difference`]: for each cluster the objects that came, went, changed or
//! moved to another owner, the parts that could not be compared because a side
//! does not render, and findings of the rules [`RULES`], which say what the
//! change means. Pure: `report` shows it, `cli` decides by it.
//!
//! - `rendering` is what is compared, [`output`] reads one that was written,
//! - `pairs` says which object of one side is which of the other,
//! - `fields` compares two objects, lists by their merge keys (`align`),
//! - `noise` tells apart what changes with every release and means nothing,
//! - `secret` puts placeholders for what must not be shown,
//! - `meaning` draws the conclusions,
//! - `patch` and `text` are the same differences as RFC 6902 and as lines.

mod align;
mod compare;
mod fields;
mod ignore;
mod meaning;
mod noise;
pub mod output;
mod pairs;
pub mod patch;
mod path;
mod rendering;
mod rules;
mod scopes;
mod secret;
#[cfg(test)]
mod tests;
pub mod text;

pub use align::value;
pub use compare::{
    Action, ClusterDifference, Comparison, Difference, ObjectDifference, Presence, Unrendered,
    compare,
};
pub use fields::{Change, ChangeKind};
pub use ignore::Ignore;
pub use noise::Noise;
pub use path::{FieldPath, Step};
pub use rendering::{Cluster, Failure, Owner, Rendering, Side, Unit};
pub use rules::{RULES, Rule};
