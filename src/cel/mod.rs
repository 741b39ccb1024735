//! The Common Expression Language, as Kubernetes and Flux use it.
//!
//! In: an expression and the values of its variables. Out: a value, or why
//! there is none.
//!
//! - [`Program`] is an expression that has been read and checked: every name in
//!   it is known. There are no types before it runs, so what Kubernetes' type
//!   checker refuses shows when it is evaluated.
//! - [`Value`] is what expressions work on.
//! - Every step is counted, so that no expression runs without end: a
//!   [`Meter`] says how many are left.
//!
//! Compat: cel-go v0.26 with the libraries that Kubernetes 1.36 adds to it
//! (`environment/base.go` in k8s.io/apiserver).

mod ast;
mod evaluate;
mod functions;
mod lex;
mod parse;
mod quantity;
#[cfg(test)]
mod tests;
mod time;
mod value;

pub use evaluate::{Failure, Meter, Program};
pub use parse::SyntaxError;
pub use quantity::Quantity;
pub use time::Timestamp;
pub use value::{Key, List, ListKind, Map, Value};
