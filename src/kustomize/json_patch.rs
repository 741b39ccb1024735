//! JSON patches (RFC 6902), on nodes that keep their places.
//!
//! In: a list of operations, as JSON or YAML. Out: the patched object.
//!
//! Compat: `evanphx/json-patch` v4.13, with what kustomize does around it. Where
//! that one departs from the RFC, so does this: indexes may be negative or have
//! leading zeros, `replace` makes a missing key of a mapping, `copy` of one
//! makes a null, an `add` without a value adds null.

use super::fields;
use super::file::Text;
use super::{documents, json};
use crate::diag::{Error, Finding, Findings, Result, Severity, Span};
use crate::resource::Files;
use crate::yaml::resolve::{self, Version};
use crate::yaml::{Entry, Node, Style, Tag};

/// A list of operations.
#[derive(Clone, Debug)]
pub(super) struct JsonPatch {
    operations: Vec<Operation>,
}

#[derive(Clone, Debug)]
struct Operation {
    kind: String,
    path: Option<Text>,
    from: Option<Text>,
    value: Option<Node>,
    span: Span,
}

fn error(message: String, span: Span) -> Error {
    Error::new("kustomize/json-patch", message).at(span)
}

impl JsonPatch {
    /// Reads the operations in a file.
    ///
    /// # Errors
    ///
    /// `kustomize/patch` for what is no list of operations.
    pub(super) fn of_file(files: &Files, path: &str) -> Result<JsonPatch> {
        let text = files.text(path)?;
        let span = Span::new(text.file, 1, 1);
        check_json(&text.text, span)?;
        JsonPatch::of_document(documents::first_of_file(files, path)?.as_ref(), span)
    }

    /// Reads operations that are written out in a kustomization.
    ///
    /// # Errors
    ///
    /// As [`JsonPatch::of_file`].
    pub(super) fn of_inline(text: &Text, files: &Files) -> Result<JsonPatch> {
        check_json(text.trim(), text.span)?;
        let documents = documents::parse_inline(text, files)?;
        JsonPatch::of_document(documents.first().map(|d| &d.root), text.span)
    }

    fn of_document(document: Option<&Node>, span: Span) -> Result<JsonPatch> {
        let none = JsonPatch {
            operations: Vec::new(),
        };
        let Some(document) = document.filter(|d| !d.is_null()) else {
            return Ok(none);
        };
        if !document.is_sequence() {
            return Err(Error::new(
                "kustomize/no-json-patch",
                "a JSON patch is a list of operations",
            )
            .at(span));
        }
        let document = json::plain(document, Version::V2)?;
        let operations: Result<_> = document.items().iter().map(Operation::read).collect();
        Ok(JsonPatch {
            operations: operations?,
        })
    }

    /// Tells of pointers that do not begin with a slash, whose first part says
    /// nothing: `spec/replicas` is `/replicas`.
    pub(super) fn warn(&self, files: &Files, findings: &mut Findings) {
        for operation in &self.operations {
            let pointers = [&operation.path, &operation.from];
            for pointer in pointers.into_iter().flatten() {
                if pointer.contains('/') && !pointer.starts_with('/') {
                    let message = format!(
                        "`{pointer}` does not begin with `/`: its first part is passed over"
                    );
                    let finding =
                        Finding::new("kustomize/json-pointer", Severity::Warning, message)
                            .at(pointer.span, files.sources())
                            .help(format!("write `/{pointer}`"));
                    findings.push(finding);
                }
            }
        }
    }

    /// Whether there is nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Applies all operations to an object.
    ///
    /// # Errors
    ///
    /// `kustomize/json-patch` at the operation that cannot be done.
    pub(super) fn apply(&self, object: &Node) -> Result<Node> {
        let mut root = json::plain(&json::written_again(object)?, Version::V3)?;
        for operation in &self.operations {
            operation
                .apply(&mut root)
                .map_err(|e| e.at(operation.span))?;
        }
        if !root.is_mapping() {
            return Err(error(
                format!("the patch makes the object {}", root.describe()),
                root.span(),
            ));
        }
        json::through_floats(&mut root);
        written_anew(&mut root);
        Ok(root)
    }
}

/// Text that begins with `[` must be JSON.
///
/// Compat: kustomize hands such text to a JSON reader as it is.
fn check_json(text: &str, span: Span) -> Result<()> {
    if !text.starts_with('[') {
        return Ok(());
    }
    serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|e| {
        Error::new("kustomize/patch", format!("the patch is no JSON: {e}"))
            .at(span)
            .help("put keys and strings in quotes, or write it as YAML: `- op: replace`")
    })?;
    Ok(())
}

/// Gives strings the style that they have when Go writes YAML anew.
fn written_anew(node: &mut Node) {
    if let Some(text) = node.as_str() {
        let style = if text.contains('\n') {
            Style::Literal
        } else if resolve::is_plain_string(text, Version::V3) {
            Style::Plain
        } else {
            Style::DoubleQuoted
        };
        node.set_style(style);
    }
    for item in node.items_mut().into_iter().flatten() {
        written_anew(item);
    }
    for entry in node.entries_mut().into_iter().flatten() {
        if fields::plain_tag(entry.key.text().unwrap_or_default()) != Tag::Str {
            entry.key.set_style(Style::DoubleQuoted);
        }
        written_anew(&mut entry.value);
    }
}

impl Operation {
    fn read(node: &Node) -> Result<Operation> {
        if !node.is_mapping() {
            return Err(Error::new(
                "kustomize/patch",
                format!("an operation is a mapping, not {}", node.describe()),
            )
            .at(node.span())
            .help("write `- op: replace` with `path` and `value` below it"));
        }
        let text = |name: &str| -> Option<Text> {
            let field = node.get(name)?;
            Some(Text::new(field.as_str()?, field.span()))
        };
        Ok(Operation {
            kind: text("op").map_or_else(String::new, |op| op.to_string()),
            path: text("path"),
            from: text("from"),
            value: node.get("value").cloned(),
            span: node.span(),
        })
    }

    fn apply(&self, root: &mut Node) -> Result<()> {
        match self.kind.as_str() {
            "add" => self.add(root, self.value_or_null()),
            "remove" => {
                let path = self.path()?;
                remove(root, path).map(drop)
            }
            "replace" => self.replace(root),
            "move" => {
                let from = self.from()?;
                let value = get(root, from)?.cloned().unwrap_or_else(|| self.null());
                remove(root, from)?;
                self.add(root, value)
            }
            "copy" => {
                let value = get(root, self.from()?)?.cloned();
                self.add(root, value.unwrap_or_else(|| self.null()))
            }
            "test" => self.test(root),
            other => Err(error(format!("unknown operation `{other}`"), self.span)
                .help("write `add`, `remove`, `replace`, `move`, `copy` or `test`")),
        }
    }

    fn null(&self) -> Node {
        Node::null(self.span)
    }

    fn value_or_null(&self) -> Node {
        self.value.clone().unwrap_or_else(|| self.null())
    }

    fn path(&self) -> Result<&Text> {
        self.path.as_ref().ok_or_else(|| {
            error("the operation has no `path`".to_owned(), self.span)
                .help("add `path: /spec/replicas`")
        })
    }

    fn from(&self) -> Result<&Text> {
        self.from.as_ref().ok_or_else(|| {
            error("the operation has no `from`".to_owned(), self.span)
                .help("say where the value is: `from: /metadata/labels/app`")
        })
    }

    fn add(&self, root: &mut Node, value: Node) -> Result<()> {
        let path = self.path()?;
        let (parent, key) = parent_mut(root, path)?;
        if parent.is_mapping() {
            put(parent, &key, value);
            return Ok(());
        }
        let length = parent.items().len();
        let index = if key == "-" {
            length
        } else {
            index(&key, length + 1, path)?
        };
        if let Some(items) = parent.items_mut() {
            items.insert(index, value);
        }
        Ok(())
    }

    fn replace(&self, root: &mut Node) -> Result<()> {
        let path = self.path()?;
        if path.is_empty() {
            let value = self.value_or_null();
            if value.is_scalar() {
                return Err(error(
                    "the whole object can be replaced by a mapping alone".to_owned(),
                    path.span,
                ));
            }
            *root = value;
            return Ok(());
        }
        let (parent, key) = parent_mut(root, path)?;
        if parent.is_mapping() {
            put(parent, &key, self.value_or_null());
            return Ok(());
        }
        let index = index(&key, parent.items().len(), path)?;
        if let Some(slot) = parent.items_mut().and_then(|items| items.get_mut(index)) {
            *slot = self.value_or_null();
        }
        Ok(())
    }

    fn test(&self, root: &Node) -> Result<()> {
        let path = self.path()?;
        let found = if path.is_empty() {
            Some(root)
        } else {
            get(root, path)?
        };
        let wanted = self.value.as_ref();
        let is_null = |node: Option<&Node>| node.is_none_or(Node::is_null);
        let is_equal = match (found, wanted) {
            (found, wanted) if is_null(found) || is_null(wanted) => {
                is_null(found) && is_null(wanted)
            }
            (Some(found), Some(wanted)) => equal(found, wanted),
            _ => false,
        };
        if is_equal {
            return Ok(());
        }
        Err(error(
            format!("the test of `{path}` failed: the object has another value there"),
            path.span,
        )
        .help("compare the value with what the object has before this patch"))
    }
}

/// Whether two JSON-shaped nodes are the same.
fn equal(a: &Node, b: &Node) -> bool {
    if a.is_mapping() && b.is_mapping() {
        return a.entries().len() == b.entries().len()
            && a.entries().iter().all(|entry| {
                let other = b.get(entry.key.text().unwrap_or_default());
                other.is_some_and(|other| equal(&entry.value, other))
            });
    }
    if a.is_sequence() && b.is_sequence() {
        let pairs = a.items().iter().zip(b.items());
        return a.items().len() == b.items().len() && pairs.into_iter().all(|(a, b)| equal(a, b));
    }
    a.is_scalar() && b.is_scalar() && a.tag() == b.tag() && a.text() == b.text()
}

/// Sets a key, under the place of the value where it is new.
fn put(map: &mut Node, key: &str, value: Node) {
    if let Some(slot) = map.get_mut(key) {
        *slot = value;
    } else if let Some(entries) = map.entries_mut() {
        entries.push(Entry {
            key: Node::string(key, value.span()),
            value,
        });
    }
}

/// The parts of a pointer before the last, and the last.
///
/// Compat: what is before the first slash does not count.
fn split(pointer: &Text) -> Result<(Vec<String>, String)> {
    let mut parts = pointer
        .split('/')
        .skip(1)
        .map(crate::diag::pointer::unescape);
    let mut parents: Vec<String> = parts.by_ref().collect();
    match parents.pop() {
        Some(last) => Ok((parents, last)),
        None => Err(
            error(format!("`{pointer}` is no JSON pointer"), pointer.span)
                .help("begin it with a slash: `/spec/replicas`"),
        ),
    }
}

fn missing(pointer: &Text, at: &str) -> Error {
    error(
        format!("`{pointer}` leads nowhere: there is no `{at}`"),
        pointer.span,
    )
    .help("add what is missing first, or correct the path")
}

/// The mapping or list that holds what a pointer names, and the name in it.
fn parent_mut<'n>(root: &'n mut Node, pointer: &Text) -> Result<(&'n mut Node, String)> {
    let (parents, last) = split(pointer)?;
    let mut node = root;
    for part in &parents {
        let next = if node.is_mapping() {
            node.get_mut(part)
        } else {
            let found = index(part, node.items().len(), pointer)?;
            node.items_mut().and_then(|items| items.get_mut(found))
        };
        node = match next {
            Some(next) if !next.is_scalar() => next,
            _ => return Err(missing(pointer, part)),
        };
    }
    Ok((node, last))
}

/// What a pointer names; none for a key that a mapping does not have.
fn get<'n>(root: &'n Node, pointer: &Text) -> Result<Option<&'n Node>> {
    let (parents, last) = split(pointer)?;
    let mut node = root;
    for part in &parents {
        let next = if node.is_mapping() {
            node.get(part)
        } else {
            node.items().get(index(part, node.items().len(), pointer)?)
        };
        node = match next {
            Some(next) if !next.is_scalar() => next,
            _ => return Err(missing(pointer, part)),
        };
    }
    if node.is_mapping() {
        return Ok(node.get(&last));
    }
    let found = index(&last, node.items().len(), pointer)?;
    Ok(node.items().get(found))
}

fn remove(root: &mut Node, pointer: &Text) -> Result<()> {
    let (parent, key) = parent_mut(root, pointer)?;
    if parent.is_mapping() {
        return match parent.remove(&key) {
            Some(_) => Ok(()),
            None => Err(missing(pointer, &key)),
        };
    }
    let found = index(&key, parent.items().len(), pointer)?;
    if let Some(items) = parent.items_mut() {
        items.remove(found);
    }
    Ok(())
}

/// A place in a list of this length; a negative one counts from its end.
fn index(text: &str, length: usize, pointer: &Text) -> Result<usize> {
    let wrong = |why: &str| {
        error(format!("`{pointer}`: `{text}` {why}"), pointer.span)
            .help("items count from 0; `-` stands for the place behind the last")
    };
    let number = fields::atoi(text).ok_or_else(|| wrong("is no place in a list"))?;
    let end = i64::try_from(length).unwrap_or(i64::MAX);
    let place = if number < 0 { number + end } else { number };
    match usize::try_from(place) {
        Ok(place) if place < length => Ok(place),
        _ => Err(wrong("is outside of the list")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;
    use crate::yaml;

    fn apply(object: &str, operations: &str) -> std::result::Result<String, String> {
        let parse = |text: &str| yaml::parse_one(text, FileId::default()).unwrap().unwrap();
        let patch = JsonPatch::of_document(Some(&parse(operations)), Span::NONE)
            .map_err(|e| e.to_string())?;
        let patched = patch.apply(&parse(object)).map_err(|e| e.to_string())?;
        let mut out = String::new();
        yaml::emit::sorted(&patched, &mut out).unwrap();
        Ok(out)
    }

    #[track_caller]
    fn check(object: &str, operations: &str, want: &str) {
        assert_eq!(apply(object, operations).as_deref(), Ok(want));
    }

    #[test]
    fn operations() {
        check(
            "a: 1\n",
            "[{op: add, path: /b, value: {c: 2}}]",
            "a: 1\nb:\n  c: 2\n",
        );
        check(
            "a: [1, 2]\n",
            "[{op: add, path: /a/1, value: x}]",
            "a:\n- 1\n- x\n- 2\n",
        );
        check(
            "a: [1]\n",
            "[{op: add, path: /a/-, value: 2}]",
            "a:\n- 1\n- 2\n",
        );
        check("a: [1, 2]\n", "[{op: remove, path: /a/0}]", "a:\n- 2\n");
        check(
            "a: {b: 1}\n",
            "[{op: move, from: /a/b, path: /c}]",
            "a: {}\nc: 1\n",
        );
        check("a: 1\n", "[{op: copy, from: /a, path: /b}]", "a: 1\nb: 1\n");
        check(
            "a/b: 1\n",
            "[{op: replace, path: /a~1b, value: 2}]",
            "a/b: 2\n",
        );
        check("a: 1.0\n", "[{op: test, path: /a, value: 1}]", "a: 1\n");
    }

    #[test]
    fn where_the_library_departs_from_the_standard() {
        check(
            "a: [1, 2]\n",
            "[{op: replace, path: /a/-1, value: 3}]",
            "a:\n- 1\n- 3\n",
        );
        check(
            "a: [1, 2]\n",
            "[{op: replace, path: /a/01, value: 3}]",
            "a:\n- 1\n- 3\n",
        );
        check(
            "a: 1\n",
            "[{op: replace, path: /b, value: 2}]",
            "a: 1\nb: 2\n",
        );
        check("a: 1\n", "[{op: add, path: /b}]", "a: 1\nb: null\n");
        check(
            "a: 1\n",
            "[{op: copy, from: /c, path: /b}]",
            "a: 1\nb: null\n",
        );
        check(
            "a: 1\n",
            "[{op: add, path: spec/b, value: 2}]",
            "a: 1\nb: 2\n",
        );
        check(
            "a: [1]\n",
            "[{op: add, path: /a/-1, value: 2}]",
            "a:\n- 1\n- 2\n",
        );
    }

    #[test]
    fn what_cannot_be_done() {
        for operations in [
            "[{op: remove, path: /b}]",
            "[{op: add, path: /b/c, value: 1}]",
            "[{op: replace, path: /l/5, value: 1}]",
            "[{op: add, path: b, value: 1}]",
            "[{op: test, path: /a, value: '1'}]",
            "[{op: jump, path: /a}]",
            "[{op: add}]",
            "[1]",
        ] {
            assert!(apply("a: 1\nl: [1]\n", operations).is_err(), "{operations}");
        }
    }

    #[test]
    fn text_that_looks_like_json_must_be() {
        assert!(check_json("[{\"op\": \"add\"}]", Span::NONE).is_ok());
        assert!(check_json("[{op: add}]", Span::NONE).is_err());
        assert!(check_json("- op: add", Span::NONE).is_ok());
    }
}
