//! Text to plain data, without nodes between.
//!
//! In: the text of a document. Out: the [`Value`] that [`decode`] makes of it
//! under go-yaml v2, or its entries of some names alone, all else being held to
//! the same rules.
//!
//! Most documents have no anchor, alias, tag or merge key. These are read
//! straight from events; what is not so plain, and what may be an error, is left
//! to [`parse_one`] and [`decode`], which know all the rules.

use super::compose::Interned;
use super::events::{Event, Events};
use super::resolve::{Scalar, Version, resolve};
use super::{Data, MAX_DEPTH, Map, Node, Style, Tag, Value, decode, parse_one, text};
use crate::diag::{Error, FileId, Result};

/// What a text that holds one document means: as [`parse_one`] reads it and
/// [`decode`] under v2 decodes it; none where it holds nothing.
///
/// # Errors
///
/// Theirs.
pub fn decode_one(text: &str, file: FileId) -> Result<Option<Value>> {
    decode_entries(text, file, |_| true)
}

/// As [`decode_one`], but where the document is a mapping, with those of its
/// entries alone whose keys are wanted.
///
/// # Errors
///
/// Those of the whole document.
pub fn decode_entries(
    text: &str,
    file: FileId,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<Option<Value>> {
    text::check(text).map_err(|e| e.in_file(file))?;
    let mut reader = Reader {
        events: Events::new(text, file, Version::V2),
        interned: Interned::default(),
    };
    match reader.document(is_wanted) {
        Ok(value) => Ok(value),
        Err(Stop::Failed(error)) => Err(error),
        Err(Stop::Unplain) => {
            let node = parse_one(text, file)?;
            node.map(|node| decode(&node, Version::V2)).transpose()
        }
    }
}

/// What the wanted entries of a node mean under v2, as [`decode_entries`] has
/// it.
///
/// # Errors
///
/// Those of the whole node.
pub fn decode_entries_of(node: &Node, is_wanted: impl Fn(&str) -> bool) -> Result<Value> {
    if !node.is_mapping() || !is_plain(node) {
        return decode(node, Version::V2);
    }
    let mut map = Map::new();
    for entry in node.entries() {
        if let Some(key) = entry.key.shared_text().filter(|key| is_wanted(key)) {
            map.insert(key.clone(), decode(&entry.value, Version::V2)?);
        }
    }
    Ok(Value::Mapping(map))
}

/// Whether decoding a node cannot fail, and its keys are what is written.
fn is_plain(node: &Node) -> bool {
    match node.data() {
        Data::Alias(_) => false,
        Data::Scalar(text) if node.is_resolved() => is_finite(&resolve(text, Version::V2)),
        Data::Scalar(_) => node.tag() == Tag::Str,
        Data::Sequence(items) => items.iter().all(is_plain),
        Data::Mapping(entries) => entries.iter().all(|entry| {
            let is_key = match entry.key.text() {
                Some(text) if entry.key.is_resolved() => is_text_key(text, Style::Plain),
                Some(_) => entry.key.tag() == Tag::Str,
                None => false,
            };
            is_key && is_plain(&entry.value)
        }),
    }
}

/// What a scalar without properties is.
fn meaning(text: &str, style: Style) -> Scalar {
    match style {
        Style::Plain => resolve(text, Version::V2),
        _ => Scalar::String,
    }
}

/// Whether JSON can hold it.
fn is_finite(scalar: &Scalar) -> bool {
    !matches!(scalar, Scalar::Float(f) if !f.is_finite())
}

/// Whether a key is text, and merges nothing.
fn is_text_key(text: &str, style: Style) -> bool {
    style != Style::Plain || text != "<<" && matches!(resolve(text, Version::V2), Scalar::String)
}

/// Why plain data cannot be read.
enum Stop {
    /// Something is not plain.
    Unplain,
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Failed(error)
    }
}

struct Reader<'a> {
    events: Events<'a>,
    interned: Interned<'a>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Event<'a>> {
        self.events.next().map(|(event, _)| event)
    }

    /// The first document.
    fn document(
        &mut self,
        is_wanted: impl Fn(&str) -> bool,
    ) -> std::result::Result<Option<Value>, Stop> {
        if let Event::StreamEnd = self.next()? {
            return Ok(None);
        }
        let value = match self.next()? {
            Event::MappingStart(None, _) => self.mapping(1, is_wanted)?,
            event => self.value(event, 0)?,
        };
        // What ends it may be wrong.
        self.next()?;
        Ok(Some(value))
    }

    fn value(&mut self, event: Event<'a>, depth: usize) -> std::result::Result<Value, Stop> {
        if depth > MAX_DEPTH {
            return Err(Stop::Unplain);
        }
        match event {
            Event::Scalar(None, text, style) => Ok(match meaning(&text, style) {
                Scalar::Null => Value::Null,
                Scalar::Bool(b) => Value::Bool(b),
                Scalar::Int(i) => Value::Int(i),
                Scalar::Uint(u) => Value::Uint(u),
                Scalar::Float(f) if f.is_finite() => Value::Float(f),
                Scalar::Float(_) => return Err(Stop::Unplain),
                Scalar::Timestamp(_) | Scalar::String => Value::String(self.interned.shared(text)),
            }),
            Event::SequenceStart(None, _) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        Event::SequenceEnd => return Ok(Value::Sequence(items)),
                        event => items.push(self.value(event, depth + 1)?),
                    }
                }
            }
            Event::MappingStart(None, _) => self.mapping(depth + 1, |_| true),
            _ => Err(Stop::Unplain),
        }
    }

    /// The wanted entries of a mapping that has begun.
    fn mapping(
        &mut self,
        depth: usize,
        is_wanted: impl Fn(&str) -> bool,
    ) -> std::result::Result<Value, Stop> {
        let mut map = Map::new();
        loop {
            let key = match self.next()? {
                Event::MappingEnd => return Ok(Value::Mapping(map)),
                Event::Scalar(None, key, style) if is_text_key(&key, style) => key,
                _ => return Err(Stop::Unplain),
            };
            let event = self.next()?;
            if is_wanted(&key) {
                let key = self.interned.shared(key);
                map.insert(key, self.value(event, depth)?);
            } else {
                self.pass(&event, depth)?;
            }
        }
    }

    /// Passes a value, held to the same rules.
    fn pass(&mut self, event: &Event<'a>, depth: usize) -> std::result::Result<(), Stop> {
        if depth > MAX_DEPTH {
            return Err(Stop::Unplain);
        }
        match event {
            Event::Scalar(None, text, style) if is_finite(&meaning(text, *style)) => Ok(()),
            Event::SequenceStart(None, _) => loop {
                match self.next()? {
                    Event::SequenceEnd => return Ok(()),
                    event => self.pass(&event, depth + 1)?,
                }
            },
            Event::MappingStart(None, _) => loop {
                match self.next()? {
                    Event::MappingEnd => return Ok(()),
                    Event::Scalar(None, key, style) if is_text_key(&key, style) => {}
                    _ => return Err(Stop::Unplain),
                }
                let event = self.next()?;
                self.pass(&event, depth + 1)?;
            },
            _ => Err(Stop::Unplain),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What both ways make of a text: the value, or what is wrong and where.
    fn both(text: &str) -> [std::result::Result<Option<Value>, String>; 2] {
        let shown = |e: Error| format!("{} {:?}", e.message(), e.span());
        let file = FileId::default();
        let nodes = parse_one(text, file)
            .and_then(|node| node.map(|node| decode(&node, Version::V2)).transpose());
        [decode_one(text, file).map_err(shown), nodes.map_err(shown)]
    }

    /// All entries but those of one name, by either way.
    fn without(text: &str, name: &str) -> [std::result::Result<Option<Value>, String>; 3] {
        let file = FileId::default();
        let shown = |e: Error| format!("{} {:?}", e.message(), e.span());
        let [_, whole] = both(text);
        let less = whole.map(|value| match value {
            Some(Value::Mapping(mut map)) => {
                map.remove(name);
                Some(Value::Mapping(map))
            }
            other => other,
        });
        let without_it = |value: Option<Value>| match value {
            // What is not plain is read in full.
            Some(Value::Mapping(mut map)) => {
                map.remove(name);
                Some(Value::Mapping(map))
            }
            other => other,
        };
        let of_text = decode_entries(text, file, |key| key != name).map(without_it);
        let of_node = parse_one(text, file).and_then(|node| {
            let value = node.map(|node| decode_entries_of(&node, |key| key != name));
            value.transpose().map(without_it)
        });
        [of_text.map_err(shown), of_node.map_err(shown), less]
    }

    const TEXTS: &[&str] = &[
        "",
        "# nothing\n",
        "---\n",
        "--- text\n--- more\n",
        "a: 1\nb: [x, {y: 2.5}, ~]\nc:\n- d\n-\n",
        "a: yes\nb: 'yes'\nc: |\n  yes\nd: >-\n  yes\n  no\n",
        "a: 2001-01-02\nb: 18446744073709551615\nc: 0x10\nd: 1e3\n",
        "a: 1\na: 2\n",
        "1: a\n1.5: b\nyes: c\n.inf: d\n",
        "~: a\n",
        "a: {~: b}\n",
        "b: .inf\n",
        "a: {b: -.INF}\n",
        "a: &x {c: 1}\nb: *x\nd: {<<: *x}\n",
        "'<<': text\n",
        "<<: {a: 1}\nb: 2\n",
        "a: !!str 12\nb: ! 12\nc: !!binary aGk=\n",
        "a: !!int x\n",
        "a: {{ .b }}\n",
        "? [a]\n: b\n",
        "a: [\n",
        "a: b: c\n",
        "a: *none\n",
        "a: 1\n b: 2\n",
        "- a\n- b: c\n",
        "text\n",
        "a: 1\n...\nb\n",
        "a: \"\\q\"\n",
        "a: 1\n\u{7}\n",
    ];

    #[test]
    fn what_is_read_without_nodes_is_what_they_mean() {
        for text in TEXTS {
            let [plain, nodes] = both(text);
            assert_eq!(plain, nodes, "{text}");
            let [of_text, of_node, less] = without(text, "a");
            assert_eq!(of_text, less, "{text}");
            assert_eq!(of_node, less, "{text}");
        }
        let deep = format!("a: {}{}", "[".repeat(513), "]".repeat(513));
        let [plain, nodes] = both(&deep);
        assert_eq!(plain, nodes);
        let [of_text, of_node, less] = without(&deep, "a");
        assert!(less.is_err());
        assert_eq!((of_text, of_node), (less.clone(), less));
    }

    proptest! {
        #[test]
        fn whatever_is_written(text in "([ab1~.<*&!|'\"]{1,3}: ?|- |[\\[\\]{},]|\n {0,4}|[a-c]){0,24}") {
            let [plain, nodes] = both(&text);
            prop_assert_eq!(plain, nodes);
            let [of_text, of_node, less] = without(&text, "a");
            prop_assert_eq!(of_text, less.clone());
            prop_assert_eq!(of_node, less);
        }
    }
}
