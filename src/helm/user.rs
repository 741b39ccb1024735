//! Values that a user gives, and where they come from.

use std::sync::Arc;

use super::values;
use crate::diag::{FileId, Result, Span};
use crate::yaml::{Map, Node};

/// A place that values were read from.
#[derive(Clone, Debug)]
pub enum ValuesSource {
    /// A values file, whole.
    File {
        /// Its number.
        file: FileId,
        /// Its text.
        text: Arc<str>,
    },
    /// A mapping within a file.
    Node(Node),
}

impl ValuesSource {
    /// Where a value stands, or what is there of its path.
    fn locate(&self, path: &[&str]) -> Option<(usize, Span)> {
        // The longest part of the path that is there.
        (1..=path.len()).rev().find_map(|length| {
            let path = path.get(..length)?;
            let span = match self {
                ValuesSource::File { file, text } => values::locate(text, *file, path),
                ValuesSource::Node(node) => values::locate_in(node, path),
            };
            span.map(|span| (length, span))
        })
    }
}

/// The values of a release: the data, and the sources of it, the strongest
/// last.
#[derive(Clone, Debug, Default)]
pub struct UserValues {
    map: Map,
    sources: Vec<ValuesSource>,
}

impl UserValues {
    /// No values.
    pub fn new() -> UserValues {
        UserValues::default()
    }

    /// Values that were composed elsewhere.
    pub fn from_map(map: Map, sources: Vec<ValuesSource>) -> UserValues {
        UserValues { map, sources }
    }

    /// The data.
    pub fn map(&self) -> &Map {
        &self.map
    }

    /// The data, to be changed.
    pub fn map_mut(&mut self) -> &mut Map {
        &mut self.map
    }

    /// Merges the values of a file over those that are there.
    ///
    /// # Errors
    ///
    /// As [`values::parse_values`].
    pub fn add_file(&mut self, text: Arc<str>, file: FileId) -> Result<()> {
        let map = values::parse_values(&text, file)?;
        values::merge(&mut self.map, map);
        self.sources.push(ValuesSource::File { file, text });
        Ok(())
    }

    /// Where a value stands: in the strongest source that has the most of its
    /// path; and how much of the path is there.
    pub(super) fn locate(&self, path: &[&str]) -> Option<(usize, Span)> {
        let found = self.sources.iter().filter_map(|source| source.locate(path));
        found.max_by_key(|(length, _)| *length)
    }
}
