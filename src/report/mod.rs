//! Findings as people and machines read them.
//!
//! In: findings in their order, and the sources that they point into. Out:
//! text; nothing is printed here. A format is one file and one line here.

pub mod difference;
mod human;
mod json;

pub use human::human;
pub use json::json;
