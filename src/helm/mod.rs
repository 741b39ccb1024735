//! Charts, their values, and what they render to: Helm 4.3 without a cluster.
//!
//! In: a chart from a folder or an archive, values, and what a release is
//! called. Out: objects in the order in which Helm installs them, hooks, notes
//! and definitions, each with the template that wrote it.
//!
//! - [`Chart`] is a chart as loaded: immutable, shared by its releases,
//!   templates parsed once,
//! - `dependencies` finds the subcharts of a release, `coalesce` its values,
//! - [`render`] does the rest,
//! - [`unused`](fn@unused) tells which values make no difference.
//!
//! Reproduced: Helm 4.3.1, as helm-controller 1.6 calls it.

mod again;
mod archive;
mod capabilities;
mod chart;
mod coalesce;
mod dependencies;
mod document;
mod errors;
mod execute;
mod files;
mod ignore;
mod landing;
mod load;
mod lookup;
mod manifest;
mod mention;
mod metadata;
mod objects;
pub mod order;
mod package;
mod parsed;
mod random;
mod render;
mod schema;
pub mod strvals;
mod typed;
mod unused;
mod user;
pub mod values;

pub use crate::gotmpl::Lookup;
pub use capabilities::{Capabilities, KubeVersion};
pub use chart::{Chart, ChartFile};
pub use lookup::lookup_in;
pub use manifest::{Hook, HookEvent, Manifest, Origin, documents};
pub use mention::archive_mentions;
pub use metadata::{Dependency, Maintainer, Metadata};
pub use package::Download;
pub use parsed::Parsed;
pub use render::{
    Definition, Invalid, ReleaseOptions, RenderOptions, Rendered, is_release_name, render,
};
pub use schema::RemoteSchemas;
pub use unused::{Unused, unused};
pub use user::{Place, UserValues, ValuesSource};
