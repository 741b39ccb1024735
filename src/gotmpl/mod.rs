//! Go templates and their functions, as Helm uses them.
//!
//! In: the text of templates and a value. Out: text, or an error with the
//! place and Go's words. Nothing here knows of charts or clusters.
//!
//! - [`parse`] makes a [`Source`] of a file, once; it is shared by threads,
//! - a [`Set`] holds templates by name,
//! - a [`Machine`] executes a template of a set against a [`Value`],
//! - `functions` are what templates may call: Go's own, those of sprig, and
//!   Helm's.
//!
//! Reproduced: `text/template` of Go 1.27, sprig 3.3.0, the functions of
//! Helm 4.3.1.

pub mod error;
mod exec;
pub(crate) mod function;
pub mod functions;
pub(crate) mod json;
mod lex;
pub mod limits;
mod number;
mod parse;
mod print;
pub mod reads;
mod set;
mod texts;
mod tree;
pub mod value;

pub use error::Failure;
pub use exec::{
    Disturbance, Environment, Lookup, Machine, Made, Mark, MissingKey, RandomCall, RandomCounts,
    Rendering, Seed, Site, World, with_large_stack,
};
pub use function::{Function, Functions, Signature, Type};
pub use limits::Limits;
pub use parse::{ParseError, parse};
pub use set::Set;
pub use texts::Texts;
pub use tree::Source;
pub use value::Value;

pub(crate) use exec::{Context, without_no_value};
pub(crate) use print::shown as show_value;
