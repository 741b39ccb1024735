//! Go's own behaviour, where it decides bytes of our output.
//!
//! Each module reproduces a package of Go's standard library, or of a small
//! library that Helm, Kustomize and Flux share, as far as it shows.

pub mod doublestar;
pub mod duration;
pub mod fmt;
pub mod glob;
pub mod moment;
pub mod names;
pub mod path;
pub mod regexp;
pub mod semver;
pub mod strconv;
pub mod strfmt;
pub mod time;
pub mod unicode;
pub mod url;
