//! Text to objects.
//!
//! In: the documents of a file, or of text within a file. Out: Kubernetes
//! objects, lists opened. Compat: `kio/byteio_reader.go` of kyaml and
//! `resource/factory.go` of kustomize.

use super::json;
use super::resource::Resource;
use crate::diag::{Error, FileId, Result, Span};
use crate::resource::{Files, Text};
use crate::yaml::anchors;
use crate::yaml::resolve::Version;
use crate::yaml::{self, Document, Node, Style};

/// The objects in a file of the tree.
///
/// # Errors
///
/// As [`Files::documents`], and as [`of_documents`].
pub(super) fn of_file(files: &Files, path: &str) -> Result<Vec<Resource>> {
    let text = files.text(path)?;
    of_text(&text, || {
        let documents = files.documents(path)?;
        Ok(documents.iter().map(|d| d.root.clone()).collect())
    })
}

/// The objects in a text that stands within a file.
pub(super) fn of_inline(text: &super::file::Text, files: &Files) -> Result<Vec<Resource>> {
    let inline = Text {
        text: text.text.clone(),
        file: text.span.file,
    };
    let place = Placed::new(text.span, files);
    let mut resources = of_text(&inline, || {
        let documents = yaml::parse(&text.text, text.span.file)?;
        Ok(documents.into_iter().map(|d| d.root).collect())
    })
    .map_err(|e| place.moved_error(e))?;
    for resource in &mut resources {
        resource.edit(|node, _| {
            place.moved(node);
            Ok(())
        })?;
    }
    Ok(resources)
}

/// The objects in documents that were made elsewhere.
pub(super) fn of_nodes(documents: Vec<Node>) -> Result<Vec<Resource>> {
    let is_single = documents.len() == 1;
    let nodes = of_documents(documents, is_single)?;
    Ok(nodes.into_iter().map(Resource::new).collect())
}

fn of_text(text: &Text, parse: impl FnOnce() -> Result<Vec<Node>>) -> Result<Vec<Resource>> {
    let chunks = chunks(&text.text, text.file)?;
    let documents = if chunks.is_usual {
        parse()?
    } else {
        chunks.parse(&text.text, text.file)?
    };
    let nodes = of_documents(documents, chunks.count == 1)?;
    Ok(nodes.into_iter().map(Resource::new).collect())
}

/// How a text is cut into documents.
///
/// Compat: kyaml cuts text at lines that begin with `---` before it is parsed,
/// and reads one document of each piece.
struct Chunks {
    count: usize,
    /// Whether a parser cuts at the same places.
    is_usual: bool,
    /// Where each piece begins and ends.
    pieces: Vec<(usize, usize)>,
}

/// What may begin each piece, as files that were joined have it.
const MARK: char = '\u{FEFF}';

fn chunks(text: &str, file: FileId) -> Result<Chunks> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut from = 0;
    while let Some(found) = text[from..].find("\n---") {
        let at = from + found;
        let Some(length) = text[at + 1..].find('\n') else {
            break;
        };
        let end = at + 1 + length;
        let rest = text[at + 4..end].trim();
        if !rest.is_empty() && !rest.starts_with('#') {
            let line = 2 + text[..at].bytes().filter(|b| *b == b'\n').count();
            return Err(Error::new(
                "yaml/invalid",
                "a line that begins with `---` holds more than that",
            )
            .at(Span::new(file, u32::try_from(line).unwrap_or(0), 1))
            .help("begin the document on the next line"));
        }
        pieces.push((start, at + 1));
        start = end + 1;
        from = start;
    }
    pieces.push((start, text.len()));
    // Directives, document ends and byte-order marks are where the two ways to
    // cut differ.
    let has_mark = |(start, _): &(usize, usize)| text[*start..].starts_with(MARK);
    let is_usual = !pieces.iter().skip(1).any(has_mark)
        && !text.contains("\n...")
        && !text.contains("\n%")
        && !text.starts_with("...")
        && !text.starts_with('%');
    Ok(Chunks {
        count: pieces.len(),
        is_usual,
        pieces,
    })
}

impl Chunks {
    /// The first document of each piece.
    fn parse(&self, text: &str, file: FileId) -> Result<Vec<Node>> {
        let mut documents = Vec::new();
        for (start, end) in &self.pieces {
            // Empty lines stand for what is before, so that places are right.
            let before = text[..*start].bytes().filter(|b| *b == b'\n').count();
            let piece = &text[*start..*end];
            let content = match start {
                // The mark of the file itself is gone by now.
                0 => piece,
                _ => piece.strip_prefix(MARK).unwrap_or(piece),
            };
            let piece = "\n".repeat(before) + content;
            documents.extend(yaml::parse_one(&piece, file)?);
        }
        Ok(documents)
    }
}

/// Kubernetes objects from documents; `is_single` where the text is one piece.
///
/// # Errors
///
/// `kustomize/no-object` for what is no object, `yaml/invalid` for merge keys
/// that merge nothing.
fn of_documents(documents: Vec<Node>, is_single: bool) -> Result<Vec<Node>> {
    let mut nodes = Vec::new();
    for document in documents {
        if document.is_null() {
            continue;
        }
        if is_single && is_wrapper(&document) {
            let items = document.get("items").map(Node::target);
            nodes.extend(items.map(content).unwrap_or_default());
        } else {
            nodes.push(document);
        }
    }
    let mut objects = Vec::with_capacity(nodes.len());
    for node in nodes {
        let node = anchors::resolved(&node)?;
        if !node.is_null_or_empty() {
            check_object(&node)?;
            objects.push(node);
        }
    }
    open_lists(objects)
}

/// The nodes in a list, or the keys and values of a mapping.
fn content(node: &Node) -> Vec<Node> {
    if node.is_sequence() {
        return node.items().to_vec();
    }
    let entries = node.entries().iter();
    entries
        .flat_map(|e| [e.key.clone(), e.value.clone()])
        .collect()
}

/// Whether a document is nothing but a wrapper of others.
fn is_wrapper(document: &Node) -> bool {
    let kind = document.get("kind").and_then(Node::text);
    matches!(kind, Some("List" | "ResourceList"))
        && (document.get("items").is_some() || document.get("functionConfig").is_some())
}

/// Refuses what has no kind or no name.
///
/// Compat: `GetValidatedMetadata`.
pub(super) fn check_object(node: &Node) -> Result<()> {
    let error = |message: &str, help: &str| {
        Err(Error::new("kustomize/no-object", message)
            .at(node.span())
            .help(help))
    };
    let kind = node
        .get("kind")
        .filter(|kind| !kind.is_null_or_empty())
        .and_then(Node::text)
        .unwrap_or_default();
    if kind.is_empty() {
        return error(
            "this is no Kubernetes object: it has no `kind`",
            "every document that `resources` names must have `apiVersion`, `kind` and `metadata.name`",
        );
    }
    if kind.ends_with("List") {
        return Ok(());
    }
    if super::id::metadata_text(node, "name").is_empty() {
        return error("the object has no `metadata.name`", "give it a name");
    }
    Ok(())
}

/// Opens lists of objects.
///
/// Compat: `inlineAnyEmbeddedLists`: the items come behind all other objects,
/// and go through JSON on the way.
fn open_lists(objects: Vec<Node>) -> Result<Vec<Node>> {
    if !objects.iter().any(is_list_kind) {
        return Ok(objects);
    }
    let mut queue: std::collections::VecDeque<Node> = objects.into();
    let mut out = Vec::new();
    while let Some(object) = queue.pop_front() {
        let items = object.get("items").filter(|_| is_list_kind(&object));
        let Some(items) = items else {
            out.push(object);
            continue;
        };
        if items.is_null() {
            continue;
        }
        if !items.is_sequence() {
            return Err(Error::new(
                "kustomize/no-object",
                format!("the `items` of a list are {}", items.describe()),
            )
            .at(items.span())
            .help("write a list of objects"));
        }
        for item in items.items() {
            let mut item = json::plain(item, Version::V3)?;
            quote_strings(&mut item);
            if item.is_null_or_empty() {
                continue;
            }
            if is_wrapper(&item) {
                let inner = item.get("items").map(content).unwrap_or_default();
                for item in inner.into_iter().filter(|n| !n.is_null_or_empty()) {
                    check_object(&item)?;
                    queue.push_back(item);
                }
                continue;
            }
            check_object(&item)?;
            queue.push_back(item);
        }
    }
    Ok(out)
}

fn is_list_kind(object: &Node) -> bool {
    object
        .get("kind")
        .and_then(Node::text)
        .is_some_and(|kind| kind.ends_with("List"))
}

/// Puts strings in quotes, as JSON has them.
fn quote_strings(node: &mut Node) {
    if node.as_str().is_some() {
        node.set_style(Style::DoubleQuoted);
    }
    for item in node.items_mut().into_iter().flatten() {
        quote_strings(item);
    }
    for entry in node.entries_mut().into_iter().flatten() {
        quote_strings(&mut entry.value);
    }
}

/// The first document of a file, as `sigs.k8s.io/yaml` reads it; none where
/// the file holds nothing.
///
/// # Errors
///
/// As [`Files::documents`]; what is wrong behind the first document does not
/// matter.
pub(super) fn first_of_file(files: &Files, path: &str) -> Result<Option<Node>> {
    match files.documents(path) {
        Ok(documents) => Ok(documents.first().map(|d| d.root.clone())),
        Err(error) => {
            let Ok(text) = files.text(path) else {
                return Err(error);
            };
            yaml::parse_one(&text.text, text.file)
        }
    }
}

/// The documents of a text within a file, at their places in the file.
pub(super) fn parse_inline(text: &super::file::Text, files: &Files) -> Result<Vec<Document>> {
    let place = Placed::new(text.span, files);
    let mut documents =
        yaml::parse(&text.text, text.span.file).map_err(|e| place.moved_error(e))?;
    for document in &mut documents {
        place.moved(&mut document.root);
    }
    Ok(documents)
}

/// Where a text within a file stands: its lines are the file's own if it is
/// a literal block, else they are all in one line.
struct Placed {
    span: Span,
    /// The lines before the text's first, where it is a literal block.
    block: Option<(u32, u32)>,
}

impl Placed {
    fn new(span: Span, files: &Files) -> Placed {
        let block = files.sources().get(span.file).and_then(|source| {
            let header = source.line(span.line)?;
            let start: String = header
                .chars()
                .skip((span.column as usize).saturating_sub(1))
                .collect();
            if !start.starts_with('|') {
                return None;
            }
            let mut lines = source.text.lines().skip(span.line as usize);
            let first = lines.find(|line| !line.trim().is_empty())?;
            let indent = first.len() - first.trim_start_matches(' ').len();
            Some((span.line, u32::try_from(indent).unwrap_or(0)))
        });
        Placed { span, block }
    }

    fn place(&self, span: Span) -> Span {
        match self.block {
            _ if span.is_none() => span,
            Some((line, indent)) => Span::new(
                self.span.file,
                line.saturating_add(span.line),
                span.column.saturating_add(indent),
            ),
            None => self.span,
        }
    }

    fn moved(&self, node: &mut Node) {
        let span = self.place(node.span());
        node.set_span(span);
        for item in node.items_mut().into_iter().flatten() {
            self.moved(item);
        }
        for entry in node.entries_mut().into_iter().flatten() {
            let span = self.place(entry.key.span());
            entry.key.set_span(span);
            self.moved(&mut entry.value);
        }
    }

    fn moved_error(&self, error: Error) -> Error {
        let span = self.place(error.span());
        error.moved(span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::MemoryTree;
    use crate::diag::SourceMap;
    use std::sync::Arc;

    fn names(text: &str) -> std::result::Result<Vec<String>, String> {
        let mut tree = MemoryTree::new("");
        tree.insert("a.yaml", text.as_bytes());
        let files = Files::new(Arc::new(tree), Arc::new(SourceMap::new()));
        let resources = of_file(&files, "a.yaml").map_err(|e| e.to_string())?;
        Ok(resources
            .iter()
            .map(|r| format!("{}:{}", r.name(), r.node().span().line))
            .collect())
    }

    fn object(name: &str) -> String {
        format!("apiVersion: v1\nkind: A\nmetadata:\n  name: {name}\n")
    }

    #[test]
    fn documents_and_lists() {
        let (a, b) = (object("a"), object("b"));
        assert_eq!(names(&format!("{a}---\n{b}")).unwrap(), ["a:1", "b:6"]);
        assert_eq!(names(&format!("---\n# c\n---\n{a}---\n")).unwrap(), ["a:4"]);
        assert_eq!(names(&format!("{a}...\n{b}")).unwrap(), ["a:1"]);
        assert_eq!(
            names("kind: List\nitems:\n- {kind: A, metadata: {name: x}}\n").unwrap(),
            ["x:3"]
        );
        assert_eq!(
            names(&format!(
                "kind: AList\nitems:\n- {{kind: A, metadata: {{name: x}}}}\n---\n{a}"
            ))
            .unwrap(),
            ["a:5", "x:3"]
        );
        assert_eq!(names("").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_is_no_object() {
        assert!(names("a: b\n").unwrap_err().contains("no `kind`"));
        assert!(
            names("kind: A\n")
                .unwrap_err()
                .contains("no `metadata.name`")
        );
        let text = format!("{}--- a\n{}", object("a"), object("b"));
        assert!(names(&text).unwrap_err().contains("holds more than that"));
    }
}
