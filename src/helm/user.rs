//! Values that a user gives, and where they come from.

use std::sync::Arc;

use super::values;
use crate::diag::{FileId, Result, SourceMap, Span};
use crate::yaml::{Map, Node, Value};

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
    /// A text within a file that holds values.
    Text {
        /// The scalar.
        node: Node,
        /// What it says.
        text: Arc<str>,
    },
    /// Values that one place sets, wherever they belong.
    Set {
        /// The values.
        map: Map,
        /// Where they are set.
        place: Place,
    },
}

/// Where a value is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file.
    File(Span),
    /// By an argument of the command line, of which only the name is told: values can be secret.
    Argument(Arc<str>),
}

impl Place {
    /// `values.yaml:3:1`, or the argument; none for a file that is not known.
    pub(super) fn shown(&self, sources: &SourceMap) -> Option<String> {
        match self {
            Place::File(span) => {
                let file = sources.get(span.file)?;
                Some(format!("at {}:{}:{}", file.path, span.line, span.column))
            }
            Place::Argument(argument) => Some(format!("by `{argument}`")),
        }
    }

    /// The place in a file, if it is in one.
    pub(super) fn span(&self) -> Option<Span> {
        match self {
            Place::File(span) => Some(*span),
            Place::Argument(_) => None,
        }
    }
}

impl ValuesSource {
    /// Where a value stands, or what is there of its path.
    fn locate(&self, path: &[&str], sources: &SourceMap) -> Option<(usize, Place)> {
        // The longest part of the path that is there.
        (1..=path.len()).rev().find_map(|length| {
            let path = path.get(..length)?;
            let span = match self {
                ValuesSource::File { file, text } => values::locate(text, *file, path),
                ValuesSource::Node(node) => values::locate_in(node, path),
                ValuesSource::Text { node, text } => {
                    let inner = values::locate(text, FileId::default(), path);
                    inner.map(|inner| within(node, text, inner, sources))
                }
                ValuesSource::Set { map, place } => {
                    return holds(map, path).then(|| (length, place.clone()));
                }
            };
            span.map(|span| (length, Place::File(span)))
        })
    }
}

/// Whether values have one at a path.
fn holds(map: &Map, path: &[&str]) -> bool {
    let Some((first, rest)) = path.split_first() else {
        return true;
    };
    let mut value = map.get(*first);
    for key in rest {
        value = match value {
            Some(Value::Mapping(map)) => map.get(*key),
            Some(Value::Sequence(items)) => {
                key.parse::<usize>().ok().and_then(|index| items.get(index))
            }
            _ => None,
        };
    }
    value.is_some()
}

/// The place in a file of a place in the text of a scalar there: its own, in a
/// block that is written out line by line, else that of the scalar.
fn within(node: &Node, text: &str, inner: Span, sources: &SourceMap) -> Span {
    let outer = node.span();
    let line = |text: &str, number: u32| {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        Some(text.lines().nth(index)?.to_owned())
    };
    let found = || {
        let file = sources.get(outer.file)?;
        let number = outer.line + inner.line;
        let (written, said) = (line(&file.text, number)?, line(text, inner.line)?);
        let indentation = written.strip_suffix(&said)?;
        if said.is_empty() || !indentation.trim().is_empty() {
            return None;
        }
        let column = inner.column + u32::try_from(indentation.chars().count()).ok()?;
        Some(Span::new(outer.file, number, column))
    };
    found().unwrap_or(outer)
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

    /// Sets values by one argument, whose line is understood by `set`.
    ///
    /// # Errors
    ///
    /// As `set`.
    pub fn set_by<E>(
        &mut self,
        argument: &str,
        set: impl Fn(&mut Map) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        set(&mut self.map)?;
        // A line that needs what is there already sets no value of its own.
        let mut map = Map::new();
        let _ = set(&mut map);
        self.sources.push(ValuesSource::Set {
            map,
            place: Place::Argument(argument.into()),
        });
        Ok(())
    }

    /// Where a value stands: in the strongest source that has the most of its
    /// path; and how much of the path is there.
    pub(super) fn locate(&self, path: &[&str], sources: &SourceMap) -> Option<(usize, Place)> {
        let places = self.sources.iter();
        let found = places.filter_map(|source| source.locate(path, sources));
        found.max_by_key(|(length, _)| *length)
    }

    /// Where in a file a value is written; none where that is a Secret.
    pub(super) fn written(&self, path: &[&str], sources: &SourceMap) -> Option<Span> {
        let is_whole = |(length, place): (usize, Place)| {
            let span = place.span()?;
            (length == path.len()).then_some(span)
        };
        let places = self.sources.iter().rev();
        let mut found =
            places.filter_map(|source| Some((source, is_whole(source.locate(path, sources)?)?)));
        let (source, span) = found.next()?;
        let is_secret = matches!(source, ValuesSource::Text { node, .. } if node.is_secret());
        (!is_secret).then_some(span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::helm::strvals;
    use crate::yaml::parse_one;

    #[test]
    fn places_of_values() {
        let sources = SourceMap::new();
        let text = "data:\n  block: |\n    # first\n    a:\n      b: 1\n  line: \"a: {b: 2}\"\n";
        let file = sources.add("map.yaml", text);
        let root = parse_one(text, file).unwrap().unwrap();
        let source = |key: &str| {
            let node = root.get("data").and_then(|data| data.get(key)).unwrap();
            let text = node.shared_text().unwrap().clone();
            let node = node.clone();
            ValuesSource::Text { node, text }
        };
        let place = |values: &UserValues, path: &[&str]| {
            let (length, place) = values.locate(path, &sources)?;
            Some((length, place.shown(&sources)?))
        };
        let at = |length, place: &str| Some((length, place.to_owned()));
        let mut values = UserValues::from_map(Map::new(), vec![source("block")]);
        assert_eq!(place(&values, &["a", "b"]), at(2, "at map.yaml:5:7"));
        assert_eq!(place(&values, &["a", "c"]), at(1, "at map.yaml:4:5"));
        assert_eq!(place(&values, &["c"]), None);
        // What is not written line by line is where its text is.
        values.sources.push(source("line"));
        assert_eq!(place(&values, &["a", "b"]), at(2, "at map.yaml:6:9"));

        let set = |map: &mut Map| strvals::set(map, "c[1]=2", strvals::Kind::Typed);
        values.set_by("--set", set).unwrap();
        assert_eq!(place(&values, &["c", "1"]), at(2, "by `--set`"));
        assert_eq!(place(&values, &["c", "2"]), at(1, "by `--set`"));
        assert_eq!(place(&values, &["a", "b"]), at(2, "at map.yaml:6:9"));
    }
}
