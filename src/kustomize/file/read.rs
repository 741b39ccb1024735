//! Typed reading of nodes, as Go's `encoding/json` reads into structs.
//!
//! In: a JSON-shaped node (see [`json`](super::super::json)). Out: text, flags,
//! numbers, lists, each with its place. Names of fields are compared without
//! regard to case, null counts as missing, and what is unknown or of the wrong
//! kind is told with the nearest known name.

use std::ops::Deref;
use std::sync::Arc;

use crate::diag::{Error, Result, Span};
use crate::yaml::{Entry, Node, Tag};

/// Text and where it is from; empty where it is missing.
#[derive(Clone, Debug, Default)]
pub struct Text {
    /// The text.
    pub text: Arc<str>,
    /// Its place.
    pub span: Span,
}

impl Text {
    /// Text from this place.
    pub fn new(text: impl Into<Arc<str>>, span: Span) -> Text {
        Text {
            text: text.into(),
            span,
        }
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// Keys with their values, in the order of the keys' bytes.
pub(in crate::kustomize) type TextMap = Vec<(Arc<str>, Text)>;

/// How strictly a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::kustomize) enum Mode {
    /// Unknown fields are refused, and so is a number where text is wanted:
    /// kustomization files.
    Strict,
    /// Unknown fields are refused; numbers and booleans are taken as text:
    /// configurations of transformers.
    Known,
    /// Unknown fields are passed over, and numbers and booleans are taken as
    /// text: configurations of plugins.
    Lenient,
}

/// A mapping that is being read.
pub(in crate::kustomize) struct Object<'a> {
    node: &'a Node,
    /// What it is, for messages: `patch`.
    what: &'static str,
    mode: Mode,
    /// Which entries have been asked for.
    is_read: Vec<bool>,
    names: Vec<&'static str>,
}

impl<'a> Object<'a> {
    /// Begins to read a mapping; a null counts as an empty one.
    ///
    /// # Errors
    ///
    /// `kustomize/invalid-field` for anything else.
    pub(in crate::kustomize) fn of(
        node: &'a Node,
        what: &'static str,
        mode: Mode,
    ) -> Result<Object<'a>> {
        if !node.is_mapping() && !node.is_null() {
            return Err(invalid(node, what, "a mapping"));
        }
        Ok(Object {
            node,
            what,
            mode,
            is_read: vec![false; node.entries().len()],
            names: Vec::new(),
        })
    }

    /// The mode it is read in.
    pub(in crate::kustomize) fn mode(&self) -> Mode {
        self.mode
    }

    /// The place of the mapping.
    pub(in crate::kustomize) fn span(&self) -> Span {
        self.node.span()
    }

    /// The value of a field that is there and no null.
    ///
    /// Compat: of names that differ in case alone, the last in the order of
    /// their bytes counts.
    pub(in crate::kustomize) fn get(&mut self, name: &'static str) -> Option<&'a Node> {
        self.names.push(name);
        let mut found: Option<&'a Entry> = None;
        for (i, entry) in self.node.entries().iter().enumerate() {
            let key = entry.key.text().unwrap_or_default();
            if !key.eq_ignore_ascii_case(name) {
                continue;
            }
            self.is_read[i] = true;
            let is_later = found.is_none_or(|f| f.key.text().unwrap_or_default() < key);
            if !entry.value.is_null() && is_later {
                found = Some(entry);
            }
        }
        found.map(|entry| &entry.value)
    }

    /// The place of a field's name.
    pub(in crate::kustomize) fn key_span(&self, name: &str) -> Span {
        let mut entries = self.node.entries().iter();
        let entry = entries.find(|e| e.key.text().is_some_and(|k| k.eq_ignore_ascii_case(name)));
        entry.map_or(self.node.span(), |entry| entry.key.span())
    }

    /// Text.
    pub(in crate::kustomize) fn text(&mut self, name: &'static str) -> Result<Text> {
        Ok(self.optional_text(name)?.unwrap_or_default())
    }

    /// Text that may be missing.
    pub(in crate::kustomize) fn optional_text(
        &mut self,
        name: &'static str,
    ) -> Result<Option<Text>> {
        self.get(name)
            .map(|node| text(node, name, self.mode))
            .transpose()
    }

    /// A flag; false where it is missing.
    pub(in crate::kustomize) fn flag(&mut self, name: &'static str) -> Result<bool> {
        match self.get(name) {
            None => Ok(false),
            Some(node) => node
                .as_bool()
                .ok_or_else(|| invalid(node, name, "`true` or `false`")),
        }
    }

    /// A whole number and its place; 0 where it is missing.
    pub(in crate::kustomize) fn integer(&mut self, name: &'static str) -> Result<(i64, Span)> {
        let Some(node) = self.get(name) else {
            return Ok((0, self.node.span()));
        };
        let text = node.text().filter(|_| node.tag() == Tag::Int);
        text.and_then(|text| text.parse().ok())
            .map(|value| (value, node.span()))
            .ok_or_else(|| invalid(node, name, "a whole number"))
    }

    /// A list, each item read by `item`.
    pub(in crate::kustomize) fn list<T>(
        &mut self,
        name: &'static str,
        item: impl Fn(&'a Node) -> Result<T>,
    ) -> Result<Option<Vec<T>>> {
        let Some(node) = self.get(name) else {
            return Ok(None);
        };
        if !node.is_sequence() {
            return Err(invalid(node, name, "a list").help("put `- ` before each item"));
        }
        let items: Result<_> = node.items().iter().map(item).collect();
        items.map(Some)
    }

    /// A list of texts; null is an empty one.
    pub(in crate::kustomize) fn texts(&mut self, name: &'static str) -> Result<Option<Vec<Text>>> {
        let mode = self.mode;
        self.list(name, |node| text_or_empty(node, name, mode))
    }

    /// A mapping of texts; null is an empty one.
    pub(in crate::kustomize) fn text_map(&mut self, name: &'static str) -> Result<Option<TextMap>> {
        let Some(node) = self.get(name) else {
            return Ok(None);
        };
        if !node.is_mapping() {
            return Err(invalid(node, name, "a mapping of text"));
        }
        let mut map: TextMap = Vec::with_capacity(node.entries().len());
        for entry in node.entries() {
            let key = entry.key.shared_text().cloned().unwrap_or_default();
            map.push((key, text_or_empty(&entry.value, name, self.mode)?));
        }
        map.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(Some(map))
    }

    /// A mapping below, read by `read`.
    pub(in crate::kustomize) fn object<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&'a Node) -> Result<T>,
    ) -> Result<Option<T>> {
        self.get(name).map(read).transpose()
    }

    /// Refuses fields that nobody asked for, unless the mode is lenient.
    ///
    /// # Errors
    ///
    /// `kustomize/unknown-field`, with the nearest known name.
    pub(in crate::kustomize) fn finish(self) -> Result<()> {
        if self.mode == Mode::Lenient {
            return Ok(());
        }
        let unread = self.is_read.iter().position(|is_read| !is_read);
        let Some(entry) = unread.and_then(|i| self.node.entries().get(i)) else {
            return Ok(());
        };
        let key = entry.key.text().unwrap_or_default();
        let error = Error::new(
            "kustomize/unknown-field",
            format!("unknown field `{key}` in {}", with_article(self.what)),
        )
        .at(entry.key.span());
        Err(match nearest(key, &self.names) {
            Some(name) => error.help(format!("did you mean `{name}`?")),
            None => error.help("remove it; kustomize would refuse it too"),
        })
    }
}

fn with_article(what: &str) -> String {
    let article = if what.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {what}")
}

fn text(node: &Node, name: &str, mode: Mode) -> Result<Text> {
    let text = match node.tag() {
        Tag::Str => node.shared_text(),
        Tag::Int | Tag::Float | Tag::Bool if mode != Mode::Strict => node.shared_text(),
        _ => None,
    };
    match text {
        Some(text) => Ok(Text::new(text.clone(), node.span())),
        None => Err(invalid(node, name, "text").help(if node.is_scalar() {
            "put the value in quotes"
        } else {
            "write one value here"
        })),
    }
}

fn text_or_empty(node: &Node, name: &str, mode: Mode) -> Result<Text> {
    if node.is_null() {
        return Ok(Text::new("", node.span()));
    }
    text(node, name, mode)
}

fn invalid(node: &Node, name: &str, wanted: &str) -> Error {
    Error::new(
        "kustomize/invalid-field",
        format!("`{name}` must be {wanted}, not {}", node.describe()),
    )
    .at(node.span())
}

/// The known name that is nearest to one that is not known.
pub(in crate::kustomize) fn nearest<'n>(name: &str, known: &[&'n str]) -> Option<&'n str> {
    let name = name.to_ascii_lowercase();
    let limit = 1 + name.len() / 4;
    known
        .iter()
        .map(|k| (distance(&name, &k.to_ascii_lowercase()), *k))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k)
}

/// How many letters must be put in, left out, or changed.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

/// Refuses keys that stand twice in one mapping.
///
/// # Errors
///
/// `yaml/invalid` at the second of them.
pub(in crate::kustomize) fn refuse_duplicates(node: &Node) -> Result<()> {
    for item in node.items() {
        refuse_duplicates(item)?;
    }
    for (i, entry) in node.entries().iter().enumerate() {
        let mut before = node.entries()[..i].iter();
        if let Some(first) = before.find(|e| e.key.text() == entry.key.text()) {
            return Err(Error::new(
                "yaml/invalid",
                format!(
                    "the key `{}` is there already, in line {}",
                    entry.key.text().unwrap_or_default(),
                    first.key.span().line
                ),
            )
            .at(entry.key.span())
            .help("remove one of the two"));
        }
        refuse_duplicates(&entry.value)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{FileId, SourceMap};
    use crate::kustomize::json;
    use crate::yaml;
    use crate::yaml::resolve::Version;

    fn node(text: &str) -> Node {
        let node = yaml::parse_one(text, FileId::default()).unwrap().unwrap();
        json::plain(&node, Version::V2).unwrap()
    }

    #[test]
    fn case_does_not_matter_and_null_is_nothing() {
        let node = node("NamePrefix: a\nnameprefix: ~\nFlag: true\n");
        let mut object = Object::of(&node, "thing", Mode::Strict).unwrap();
        assert_eq!(&*object.text("namePrefix").unwrap(), "a");
        assert!(object.flag("flag").unwrap());
        assert_eq!(&*object.text("other").unwrap(), "");
        object.finish().unwrap();
    }

    #[test]
    fn an_unknown_field_suggests_a_known_one() {
        let sources = SourceMap::new();
        let file = sources.add("k.yaml", "namePrefx: a\n");
        let node = yaml::parse_one("namePrefx: a\n", file).unwrap().unwrap();
        let mut object = Object::of(&node, "kustomization", Mode::Strict).unwrap();
        object.text("namePrefix").unwrap();
        let finding = object.finish().unwrap_err().to_finding(&sources);
        assert_eq!(&*finding.rule, "kustomize/unknown-field");
        assert_eq!(
            finding.message,
            "unknown field `namePrefx` in a kustomization"
        );
        assert_eq!(finding.help.unwrap(), "did you mean `namePrefix`?");
        assert_eq!(finding.location.unwrap().line, 1);
    }

    #[test]
    fn wrong_kinds_are_told() {
        let node = node("a: 1\nb: {}\nc: x\n");
        let mut object = Object::of(&node, "thing", Mode::Strict).unwrap();
        let error = object.text("a").unwrap_err();
        assert_eq!(error.rule(), "kustomize/invalid-field");
        assert_eq!(error.to_string(), "`a` must be text, not a number");
        assert!(object.list("b", |_| Ok(())).is_err());
        assert!(object.flag("c").is_err());
        assert!(object.integer("c").is_err());
        let mut object = Object::of(&node, "thing", Mode::Lenient).unwrap();
        assert_eq!(&*object.text("a").unwrap(), "1");
        object.finish().unwrap();
    }
}
