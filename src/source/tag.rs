//! Tags, as registries take them.

use crate::diag::{Error, Result};

/// Refuses what registries take for no tag.
///
/// # Errors
///
/// `source/address`.
pub fn check_tag(tag: &str) -> Result<()> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_tag = tag.len() <= 128
        && tag.starts_with(is_word)
        && tag.chars().all(|c| is_word(c) || c == '.' || c == '-');
    if is_tag {
        return Ok(());
    }
    Err(
        Error::new("source/address", format!("`{tag}` is no tag of a registry"))
            .help("a tag has up to 128 letters, digits, `.`, `_` and `-`"),
    )
}
