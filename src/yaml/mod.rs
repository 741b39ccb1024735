//! YAML as go-yaml and its users read and write it.
//!
//! In: bytes of a file. Out: [`Document`]s of [`Node`]s, which keep everything
//! that was written (order, styles, tags, anchors, comments) and know the file
//! and line they came from; and back to bytes, as either of the two emitters
//! that the reference programs use prints them.
//!
//! - [`text`] turns bytes into text, as go-yaml's reader takes them,
//! - [`parse`] reads documents: `scan` finds tokens and comments, `events` is
//!   the grammar, `compose` makes nodes,
//! - [`Node`] is the tree, cheap to copy and shared until it is changed,
//! - [`resolve`] gives plain scalars their kind, as go-yaml v2 and v3 do,
//! - [`anchors`] puts what they stand for in the place of aliases and merge keys,
//! - [`Value`] is plain data, what a node means; [`decode_one`] reads it without
//!   nodes between,
//! - [`emit`] writes: sorted as sigs.k8s.io/yaml does, or as kyaml does.
//!
//! Versions reproduced: go.yaml.in/yaml v2.4.2 and v3.0.3, sigs.k8s.io/yaml
//! v1.5.0, as kustomize 5.8.1 and Flux 2.9 are built with.

pub mod anchors;
mod compose;
pub mod emit;
mod events;
mod json;
mod node;
mod plain;
mod problem;
pub mod resolve;
mod scan;
pub mod secret;
pub mod text;
mod value;

pub use compose::{Document, parse, parse_one};
pub use json::{to_json, write_json_string};
pub use node::{Comments, Data, Entry, Node, Style, Tag};
pub use plain::{decode_entries, decode_entries_of, decode_one};
pub use value::{Map, Value, check_unique, decode};

/// How deep collections may nest, aliases followed.
///
/// go-yaml stops at 10,000 levels; nothing that Kubernetes takes comes near
/// either number, and recursion over a node never overflows a thread's stack.
pub const MAX_DEPTH: usize = 512;
