//! Patterns of files and names in settings.

use crate::artifact::path;
use crate::diag::{Error, Result};
use crate::gostd::glob::Glob;

/// A pattern of files, or of folders and all in them.
#[derive(Debug)]
pub(super) struct Place {
    /// The root, and so everything.
    all: bool,
    glob: Glob,
}

impl Place {
    /// # Errors
    ///
    /// `config/invalid` for a pattern that is none.
    pub(super) fn new(pattern: &str) -> Result<Place> {
        let text = pattern.trim_start_matches("./").trim_end_matches('/');
        Ok(Place {
            all: text.is_empty() || text == ".",
            glob: glob(text)?,
        })
    }

    pub(super) fn holds(&self, file: &str) -> bool {
        let mut at = Some(file);
        while let Some(path) = at.filter(|path| !path.is_empty()) {
            if self.glob.is_match(path) {
                return true;
            }
            at = path::parent(path);
        }
        self.all
    }
}

/// A pattern in which `*` stands for anything but `/`.
///
/// # Errors
///
/// `config/invalid` for one that is none.
pub(super) fn glob(pattern: &str) -> Result<Glob> {
    Glob::new(pattern, &['/'])
        .map_err(|e| Error::new("config/invalid", format!("`{pattern}` is no pattern: {e}")))
}
