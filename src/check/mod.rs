//! Rules over what a repository renders.
//!
//! In: objects, with the places they come from. Out: findings.
//!
//! - [`schemas`]: objects against the schemas of their kinds

pub mod schemas;
