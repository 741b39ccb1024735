//! YAML documents, comments kept as sops keeps them.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{malformed, unfit};
use crate::diag::{Result, Span};
use crate::gostd::moment::Moment;
use crate::gostd::strconv;
use crate::sops::tree::{Comment, Documents, Item, Key, Value};
use crate::yaml::emit::{Indent, documents_as_written};
use crate::yaml::resolve::{Scalar, Version, is_plain_string, resolve, resolve_tagged};
use crate::yaml::{self, Comments, Data, Document, Entry, MAX_DEPTH, Node, Style, Tag};

/// Compat: `stores/yaml/store.go`, over go-yaml v3. Aliases are followed, so
/// that what is written has none.
pub(super) fn read(content: &[u8]) -> Result<Documents> {
    let fault = |e: crate::diag::Error| {
        let error = malformed("YAML", e.message());
        if e.span().line > 0 {
            error.context(format!("line {}", e.span().line))
        } else {
            error
        }
    };
    let text = yaml::text::decode(content).map_err(fault)?;
    let documents = yaml::parse(&text, Span::NONE.file).map_err(fault)?;
    if let Some(first) = documents.first() {
        // Compat: the others are not looked at.
        check_keys(&first.root, 0)?;
    }
    documents.iter().map(read_document).collect()
}

/// Refuses a key that stands twice.
fn check_keys(node: &Node, depth: usize) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(malformed("YAML", "it nests too deep"));
    }
    for item in node.items() {
        check_keys(item, depth + 1)?;
    }
    let mut seen = BTreeSet::new();
    for entry in node.entries() {
        if let Some(text) = entry.key.text().filter(|text| !seen.insert(*text)) {
            let line = entry.key.span().line;
            return Err(malformed(
                "YAML",
                format!("line {line}: the key `{text}` stands twice"),
            ));
        }
        check_keys(&entry.value, depth + 1)?;
    }
    Ok(())
}

fn read_document(document: &Document) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    comment_items(document.head.as_deref(), false, &mut items);
    let root = document.root.target();
    match root.data() {
        Data::Mapping(entries) => {
            let comments = root.comments();
            comment_items(head(comments), false, &mut items);
            comment_items(line(comments), false, &mut items);
            read_entries(entries, &mut items, 0)?;
            comment_items(foot(comments), false, &mut items);
        }
        Data::Scalar(_) if root.is_null() => {
            let comments = root.comments();
            comment_items(head(comments), false, &mut items);
            comment_items(line(comments), false, &mut items);
        }
        _ => {
            return Err(malformed(
                "YAML",
                format!("a document is {}", root.describe()),
            ));
        }
    }
    comment_items(document.foot.as_deref(), false, &mut items);
    Ok(items)
}

fn read_entries(entries: &[Entry], items: &mut Vec<Item>, depth: usize) -> Result<()> {
    for entry in entries {
        let key = entry.key.comments();
        comment_items(head(key), false, items);
        comment_items(line(key), false, items);
        let value = entry.value.comments();
        let is_leaf = entry.value.is_scalar() || entry.value.is_alias();
        if is_leaf {
            comment_items(head(value), false, items);
            comment_items(line(value), true, items);
        }
        items.push(Item {
            key: read_key(&entry.key),
            value: read_value(&entry.value, is_leaf, depth + 1)?,
        });
        if is_leaf {
            comment_items(foot(value), false, items);
        }
        comment_items(foot(key), false, items);
    }
    Ok(())
}

fn read_key(key: &Node) -> Key {
    let key = key.target();
    match read_scalar(key) {
        Some(Value::Text(text)) => Key::Text(String::from_utf8_lossy(&text).into_owned()),
        Some(Value::Null) => Key::Other("null"),
        Some(Value::Bool(_)) => Key::Other("a boolean"),
        Some(Value::Int(_) | Value::Float(_)) => Key::Other("a number"),
        Some(Value::Time(_)) => Key::Other("a time"),
        _ => Key::Other(key.describe()),
    }
}

/// `are_told` says that the comments around the node are told elsewhere.
fn read_value(node: &Node, are_told: bool, depth: usize) -> Result<Value> {
    if depth > MAX_DEPTH {
        return Err(malformed("YAML", "it nests too deep"));
    }
    let comments = node.comments();
    Ok(match node.data() {
        Data::Sequence(nodes) => {
            let mut values = Vec::new();
            if !are_told {
                comment_values(head(comments), false, &mut values);
                comment_values(line(comments), false, &mut values);
            }
            for item in nodes.iter() {
                let around = item.comments();
                comment_values(head(around), false, &mut values);
                comment_values(line(around), true, &mut values);
                values.push(read_value(item, true, depth + 1)?);
                comment_values(foot(around), false, &mut values);
            }
            if !are_told {
                comment_values(foot(comments), false, &mut values);
            }
            Value::List(values)
        }
        Data::Mapping(entries) => {
            let mut items = Vec::new();
            if !are_told {
                comment_items(head(comments), false, &mut items);
                comment_items(line(comments), false, &mut items);
            }
            read_entries(entries, &mut items, depth)?;
            if !are_told {
                comment_items(foot(comments), false, &mut items);
            }
            Value::Map(items)
        }
        Data::Alias(alias) => read_value(&alias.1, false, depth + 1)?,
        Data::Scalar(_) => read_scalar(node).unwrap_or(Value::Null),
    })
}

/// What a scalar means; none where its text does not fit its tag, which
/// go-yaml's decoder leaves as nothing.
fn read_scalar(node: &Node) -> Option<Value> {
    let text = node.text()?;
    if node.tag() == Tag::Binary {
        let text: String = text.split_ascii_whitespace().collect();
        return STANDARD.decode(text).ok().map(Value::Text);
    }
    let scalar = if node.is_resolved() {
        resolve(text, Version::V3)
    } else {
        resolve_tagged(text, node.tag(), Version::V3)?
    };
    Some(match scalar {
        Scalar::Null => Value::Null,
        Scalar::Bool(b) => Value::Bool(b),
        Scalar::Int(i) => Value::Int(i),
        Scalar::Uint(_) => Value::Other("an integer of more than 63 bits"),
        Scalar::Float(f) => Value::Float(f),
        Scalar::Timestamp(text) => Value::Time(Moment::parse(&text)?),
        Scalar::String => Value::Text(text.as_bytes().to_vec()),
    })
}

fn head(comments: Option<&Comments>) -> Option<&str> {
    comments?.head.as_deref()
}

fn line(comments: Option<&Comments>) -> Option<&str> {
    comments?.line.as_deref()
}

fn foot(comments: Option<&Comments>) -> Option<&str> {
    comments?.foot.as_deref()
}

/// The lines of a comment, each without its `#`.
fn lines(comment: Option<&str>) -> impl Iterator<Item = &str> {
    comment
        .into_iter()
        .flat_map(|c| c.split('\n'))
        .filter(|line| !line.is_empty())
        .map(|line| line.strip_prefix('#').unwrap_or(line))
}

fn comment_items(comment: Option<&str>, inline: bool, items: &mut Vec<Item>) {
    items.extend(lines(comment).map(|line| Item::comment(line, inline)));
}

fn comment_values(comment: Option<&str>, inline: bool, values: &mut Vec<Value>) {
    values.extend(lines(comment).map(|line| {
        Value::Comment(Comment {
            text: line.as_bytes().to_vec(),
            inline,
        })
    }));
}

/// Writes documents with four blanks to a level, as `sops decrypt` does.
pub(super) fn write(documents: &Documents) -> Result<Vec<u8>> {
    let mut out = String::new();
    let mut nodes = Vec::new();
    for items in documents {
        nodes.push(Document {
            root: write_map(items)?,
            head: None,
            foot: None,
        });
    }
    documents_as_written(&nodes, Indent::Wide(4), &mut out);
    Ok(out.into_bytes())
}

/// Comments that wait for what they belong to.
#[derive(Default)]
struct Waiting {
    above: Vec<String>,
    behind: Vec<String>,
}

impl Waiting {
    fn add(&mut self, comment: &Comment) {
        let text = String::from_utf8_lossy(&comment.text).into_owned();
        if comment.inline {
            self.behind.push(text);
        } else {
            self.above.push(text);
        }
    }

    fn put_above(&mut self, node: &mut Node) {
        if let Some(comment) = joined(&mut self.above) {
            let slot = &mut node.comments_mut().head;
            *slot = Some(match slot.take() {
                Some(old) => format!("{comment}\n{old}").into(),
                None => comment.into(),
            });
        }
    }

    fn put_behind(&mut self, node: &mut Node) {
        if let Some(comment) = joined(&mut self.behind) {
            let slot = &mut node.comments_mut().line;
            *slot = Some(appended(slot.take(), &comment));
        }
    }

    fn put_below(&mut self, node: &mut Node) {
        self.above.append(&mut self.behind);
        if let Some(comment) = joined(&mut self.above) {
            let slot = &mut node.comments_mut().foot;
            *slot = Some(appended(slot.take(), &comment));
        }
    }
}

fn joined(lines: &mut Vec<String>) -> Option<String> {
    let lines = std::mem::take(lines);
    (!lines.is_empty()).then(|| format!("#{}", lines.join("\n#")))
}

fn appended(old: Option<Arc<str>>, comment: &str) -> Arc<str> {
    match old {
        Some(old) => format!("{old}\n{comment}").into(),
        None => comment.into(),
    }
}

/// Compat: `appendTreeBranch`: comments before the first entry are those of
/// the mapping, comments after the last one stand below its key.
fn write_map(items: &[Item]) -> Result<Node> {
    let mut waiting = Waiting::default();
    let mut entries: Vec<Entry> = Vec::new();
    let mut mapping = Node::mapping(Vec::new(), Span::NONE);
    for item in items {
        let key = match &item.key {
            Key::Comment(comment) => {
                waiting.add(comment);
                continue;
            }
            Key::Text(key) => key,
            Key::Other(kind) => return Err(unfit(format!("a key is {kind}"))),
        };
        if entries.is_empty() {
            waiting.put_above(&mut mapping);
        }
        let mut key = text_node(key);
        waiting.put_above(&mut key);
        let mut value = write_value(&item.value)?;
        waiting.put_behind(&mut value);
        entries.push(Entry { key, value });
    }
    if let Some(last) = entries.last_mut() {
        waiting.put_below(&mut last.key);
    } else {
        waiting.above.append(&mut waiting.behind);
        waiting.put_above(&mut mapping);
    }
    if let Some(slot) = mapping.entries_mut() {
        *slot = entries;
    }
    Ok(mapping)
}

fn write_list(values: &[Value]) -> Result<Node> {
    let mut waiting = Waiting::default();
    let mut items: Vec<Node> = Vec::new();
    let mut sequence = Node::sequence(Vec::new(), Span::NONE);
    for value in values {
        if let Value::Comment(comment) = value {
            waiting.add(comment);
            continue;
        }
        if items.is_empty() {
            waiting.put_above(&mut sequence);
        }
        let mut item = write_value(value)?;
        waiting.put_above(&mut item);
        waiting.put_behind(&mut item);
        items.push(item);
    }
    if let Some(last) = items.last_mut() {
        waiting.put_below(last);
    } else {
        waiting.above.append(&mut waiting.behind);
        waiting.put_above(&mut sequence);
    }
    if let Some(slot) = sequence.items_mut() {
        *slot = items;
    }
    Ok(sequence)
}

fn write_value(value: &Value) -> Result<Node> {
    let plain = |text: String, tag| Node::scalar(text, tag, Span::NONE);
    Ok(match value {
        Value::Null => Node::null(Span::NONE),
        Value::Bool(b) => Node::bool(*b, Span::NONE),
        Value::Int(i) => Node::int(*i, Span::NONE),
        // Compat: read back, what has no fraction is an integer: 1e3 is `1000`.
        Value::Float(f) => match float_text(*f) {
            text if matches!(resolve(&text, Version::V3), Scalar::Float(_)) => {
                plain(text, Tag::Float)
            }
            text => plain(text, Tag::Int),
        },
        Value::Time(time) => plain(time.rfc3339_nano(), Tag::Timestamp),
        Value::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => text_node(text),
            Err(_) => binary_node(text),
        },
        // Compat: Go prints a slice of bytes as a list of numbers.
        Value::Bytes(bytes) => Node::sequence(
            bytes
                .iter()
                .map(|b| Node::int((*b).into(), Span::NONE))
                .collect(),
            Span::NONE,
        ),
        Value::Map(items) => write_map(items)?,
        Value::List(values) => write_list(values)?,
        Value::Comment(_) => return Err(unfit("a comment stands where a value is")),
        Value::Other(kind) => return Err(unfit(format!("sops does not know {kind}"))),
    })
}

/// Compat: `encode.go` `floatv`.
fn float_text(f: f64) -> String {
    if f.is_nan() {
        ".nan".to_owned()
    } else if f.is_infinite() {
        if f > 0.0 { ".inf" } else { "-.inf" }.to_owned()
    } else {
        strconv::format_float_as(f, strconv::FloatVerb::General { upper: false }, None, 64)
    }
}

/// Compat: `encode.go` `stringv`.
fn text_node(text: &str) -> Node {
    if text == "<<" {
        // Compat: read back it is a merge key.
        return Node::scalar(text, Tag::Merge, Span::NONE);
    }
    let style = if text.contains('\n') {
        Style::Literal
    } else if is_plain_string(text, Version::V3) {
        Style::Plain
    } else {
        Style::DoubleQuoted
    };
    Node::string(text, Span::NONE).with_style(style)
}

/// Text that is not UTF-8: base64, in lines of 70.
fn binary_node(bytes: &[u8]) -> Node {
    const LINE: usize = 70;
    let encoded = STANDARD.encode(bytes);
    if encoded.len() < LINE {
        return Node::scalar(encoded, Tag::Binary, Span::NONE);
    }
    let mut text = String::new();
    for (i, c) in encoded.chars().enumerate() {
        if i > 0 && i % LINE == 0 {
            text.push('\n');
        }
        text.push(c);
    }
    text.push('\n');
    Node::scalar(text, Tag::Binary, Span::NONE).with_style(Style::Literal)
}
