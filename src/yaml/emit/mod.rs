//! Nodes and values to text, byte for byte as the reference programs print.
//!
//! - [`sorted`] and [`sorted_value`]: what sigs.k8s.io/yaml prints, which is
//!   what `kustomize build`, `flux build` and Helm's `toYaml` show: keys sorted
//!   by go-yaml v2's natural order, comments and styles gone, lines folded at
//!   80 columns, sequences level with their keys.
//! - [`as_written`], [`documents_as_written`]: what go-yaml v3 prints of a node
//!   tree: order, styles and comments kept; [`value_as_written`]: of plain data.

mod emitter;
mod order;
mod scalar;
mod sorted;
mod written;

pub use sorted::{check_sorted, sorted, sorted_start, sorted_value};
pub use written::{Indent, as_written, check_block, documents_as_written, value_as_written};
