//! Variables are replaced, by what was meant.

pub(super) mod boolean_name;
pub(super) mod skipped;

/// Whether a text holds an expression that nothing here replaces: what it will
/// be only the cluster knows.
pub(in crate::check) fn is_open(text: &str) -> bool {
    text.split_once("${")
        .is_some_and(|(_, rest)| rest.contains('}'))
}
