//! Events to nodes.

use std::borrow::Cow;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

use super::events::{Event, Events, Properties, Remarks};
use super::resolve::Version;
use super::{Entry, MAX_DEPTH, Node, Style, resolve, text};
use crate::diag::{Error, FileId, Result, Span};

/// A YAML document.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its only node; a null where the document is empty.
    pub root: Node,
    /// The comments at its beginning that an empty line divides from those
    /// of its content.
    pub head: Option<Arc<str>>,
    /// The comments at its end.
    pub foot: Option<Arc<str>>,
}

/// Reads all documents of a text, with their comments.
///
/// An empty text, or one of comments alone, has no document; `---` alone has
/// one that is null.
///
/// # Errors
///
/// `yaml/invalid`, with the place, for what go-yaml refuses: control
/// characters, syntax, unknown anchors, collections within themselves, more
/// nesting than [`MAX_DEPTH`], and aliases that multiply a small text into a
/// huge one.
pub fn parse(text: &str, file: FileId) -> Result<Vec<Document>> {
    let mut composer = Composer::new(text, file, Version::V3)?;
    let mut documents = Vec::new();
    while let Some(document) = composer.document()? {
        documents.push(document);
    }
    Ok(documents)
}

/// Reads a text that holds one document, without its comments; none where it
/// holds nothing.
///
/// Compat: as `Unmarshal` of sigs.k8s.io/yaml reads it, that is go-yaml v2:
/// what stands behind the first document is not looked at.
///
/// # Errors
///
/// As [`parse`].
pub fn parse_one(text: &str, file: FileId) -> Result<Option<Node>> {
    let mut composer = Composer::new(text, file, Version::V2)?;
    composer.document().map(|d| d.map(|d| d.root))
}

/// A collection that is being read.
struct Open<'a> {
    is_mapping: bool,
    style: Style,
    tag: Option<super::events::WrittenTag>,
    anchor: Option<&'a str>,
    head: Option<String>,
    span: Span,
    /// How many nodes of the collections around it wait below its own.
    below: usize,
    /// Nodes within, aliases followed.
    weight: u64,
    /// The deepest nesting within.
    depth: usize,
}

/// An anchored node that is complete.
struct Anchored {
    name: Arc<str>,
    node: Node,
    weight: u64,
    depth: usize,
}

struct Composer<'a> {
    events: Events<'a>,
    interned: Interned<'a>,
    /// What each anchor stands for; none while its collection is open.
    anchors: HashMap<&'a str, Option<Anchored>>,
    /// The collections that are open, the innermost last.
    open: Vec<Open<'a>>,
    /// Nodes that wait for the end of their collection.
    waiting: Vec<Node>,
    /// Nodes read so far, and those of them that aliases stand for.
    nodes: u64,
    aliased: u64,
}

/// Texts met before: what occurs often is kept once.
#[derive(Default)]
pub(super) struct Interned<'a>(HashMap<&'a str, Arc<str>>);

impl<'a> Interned<'a> {
    /// Longest text that is looked up.
    const LIMIT: usize = 40;

    /// The text, to be shared.
    pub(super) fn shared(&mut self, text: Cow<'a, str>) -> Arc<str> {
        match text {
            Cow::Borrowed(text) if text.len() <= Self::LIMIT => {
                let known = self.0.entry(text);
                known.or_insert_with(|| Arc::from(text)).clone()
            }
            text => Arc::from(text),
        }
    }
}

impl<'a> Composer<'a> {
    fn new(text: &'a str, file: FileId, version: Version) -> Result<Composer<'a>> {
        text::check(text).map_err(|e| e.in_file(file))?;
        Ok(Composer {
            events: Events::new(text, file, version),
            interned: Interned::default(),
            anchors: HashMap::new(),
            open: Vec::new(),
            waiting: Vec::new(),
            nodes: 0,
            aliased: 0,
        })
    }

    /// Reads up to the end of the next document.
    fn document(&mut self) -> Result<Option<Document>> {
        let mut root = None;
        let mut head = None;
        loop {
            let (event, span) = self.events.next()?;
            match event {
                Event::StreamEnd => return Ok(None),
                Event::DocumentStart => {
                    self.anchors.clear();
                    self.nodes = 0;
                    self.aliased = 0;
                    head = self.events.take_remarks().and_then(|r| r.head);
                }
                Event::DocumentEnd => {
                    let foot = self.events.take_remarks().and_then(|r| r.foot);
                    return Ok(Some(Document {
                        root: root.unwrap_or_else(|| Node::null(span)),
                        head: head.map(Arc::from),
                        foot: foot.map(Arc::from),
                    }));
                }
                Event::Scalar(properties, text, style) => {
                    let node = self.scalar(properties, text, style, span);
                    self.place(node, 1, 0, span, &mut root)?;
                }
                Event::SequenceStart(properties, style) => {
                    self.open(false, properties, style, span);
                }
                Event::MappingStart(properties, style) => {
                    self.open(true, properties, style, span);
                }
                Event::SequenceEnd | Event::MappingEnd => self.close(span, &mut root)?,
                Event::Alias(name) => self.alias(name, span, &mut root)?,
            }
        }
    }

    fn scalar(
        &mut self,
        properties: Properties<'a>,
        text: Cow<'a, str>,
        style: Style,
        span: Span,
    ) -> Node {
        let text = self.interned.shared(text);
        let mut node = match style {
            Style::Plain => {
                let tag = resolve::v3_tag(&text);
                Node::resolved_scalar(text, tag, span)
            }
            style => Node::string(text, span).with_style(style),
        };
        if let Some(remarks) = self.events.take_remarks() {
            remark(&mut node, *remarks);
        }
        let Some(property) = properties else {
            return node;
        };
        if let Some((tag, text)) = property.tag {
            node.set_written_tag(tag, text);
        }
        if let Some(name) = property.anchor {
            let shared: Arc<str> = name.into();
            node.set_anchor(shared.clone());
            self.anchors.insert(
                name,
                Some(Anchored {
                    name: shared,
                    node: node.clone(),
                    weight: 1,
                    depth: 0,
                }),
            );
        }
        node
    }

    fn alias(&mut self, name: &str, span: Span, root: &mut Option<Node>) -> Result<()> {
        let anchored = match self.anchors.get(name) {
            Some(Some(anchored)) => anchored,
            Some(None) => {
                return Err(invalid(
                    format!("the value of the anchor `{name}` contains itself"),
                    span,
                )
                .help("name the anchor of another value"));
            }
            None => {
                return Err(
                    invalid(format!("no anchor is named `{name}`"), span).help(format!(
                        "define it before with `&{name}`, or put the value in quotes if `*` belongs to it"
                    )),
                );
            }
        };
        let (weight, depth) = (anchored.weight, anchored.depth);
        let mut node = Node::alias(anchored.name.clone(), anchored.node.clone(), span);
        if let Some(remarks) = self.events.take_remarks() {
            remark(&mut node, *remarks);
        }
        self.aliased += weight;
        self.place(node, weight, depth, span, root)
    }

    /// Begins a collection.
    fn open(&mut self, is_mapping: bool, properties: Properties<'a>, style: Style, span: Span) {
        let anchor = properties.as_ref().and_then(|property| property.anchor);
        if let Some(name) = anchor {
            self.anchors.insert(name, None);
        }
        let open = Open {
            is_mapping,
            style,
            tag: properties.and_then(|property| property.tag),
            anchor,
            head: self.events.take_remarks().and_then(|r| r.head),
            span,
            below: self.waiting.len(),
            weight: 1,
            depth: 0,
        };
        self.open.push(open);
    }

    /// Ends the innermost collection.
    fn close(&mut self, end: Span, root: &mut Option<Node>) -> Result<()> {
        let remarks = self.events.take_remarks();
        let mut foot = remarks.as_ref().and_then(|r| r.foot.clone());
        let Some(open) = self.open.pop() else {
            return Err(invalid("a collection ends that did not begin", end));
        };
        let content = self.waiting.drain(open.below..);
        let mut node = if open.is_mapping {
            let mut entries = entries(content);
            // What stands below a block mapping is below its last entry.
            if open.style != Style::Flow
                && let Some(last) = entries.last_mut()
                && let Some(foot) = foot.take()
            {
                last.key.comments_mut().foot = Some(foot.into());
            }
            Node::mapping(entries, open.span)
        } else {
            Node::sequence(content.collect(), open.span)
        };
        node.set_style(open.style);
        if let Some((tag, text)) = open.tag {
            node.set_written_tag(tag, text);
        }
        let remarks = Remarks {
            head: open.head,
            line: remarks.and_then(|r| r.line),
            foot,
        };
        remark(&mut node, remarks);
        if let Some(name) = open.anchor {
            let shared: Arc<str> = name.into();
            node.set_anchor(shared.clone());
            // Another node within may have taken the name meanwhile.
            if let Some(slot @ None) = self.anchors.get_mut(name) {
                *slot = Some(Anchored {
                    name: shared,
                    node: node.clone(),
                    weight: open.weight,
                    depth: open.depth,
                });
            }
        }
        self.place(node, open.weight, open.depth, open.span, root)
    }

    /// Puts a finished node where it belongs.
    fn place(
        &mut self,
        mut node: Node,
        weight: u64,
        depth: usize,
        span: Span,
        root: &mut Option<Node>,
    ) -> Result<()> {
        self.nodes += if node.is_alias() { weight } else { 1 };
        if excessive(self.nodes, self.aliased) {
            return Err(invalid("document contains excessive aliasing", span)
                .help("each alias stands for a copy of its anchor's value: nest them less"));
        }
        if self.open.len() + depth > MAX_DEPTH {
            return Err(invalid(
                format!("collections nest deeper than {MAX_DEPTH} levels"),
                span,
            ));
        }
        let Some(open) = self.open.last_mut() else {
            *root = Some(node);
            return Ok(());
        };
        open.weight += weight;
        open.depth = open.depth.max(depth + 1);
        if open.is_mapping && has_foot(&node) {
            place_foot(&mut node, open, &mut self.waiting);
        }
        self.waiting.push(node);
        Ok(())
    }
}

/// The entries of a mapping, whose keys and values follow each other.
fn entries(mut content: std::vec::Drain<'_, Node>) -> Vec<Entry> {
    let mut entries = Vec::with_capacity(content.len() / 2);
    while let (Some(key), Some(value)) = (content.next(), content.next()) {
        entries.push(Entry { key, value });
    }
    entries
}

/// Adds comments to a node.
fn remark(node: &mut Node, remarks: Remarks) {
    if remarks.head.is_none() && remarks.line.is_none() && remarks.foot.is_none() {
        return;
    }
    let comments = node.comments_mut();
    comments.head = remarks.head.map(Arc::from);
    comments.line = remarks.line.map(Arc::from);
    comments.foot = remarks.foot.map(Arc::from);
}

fn has_foot(node: &Node) -> bool {
    node.comments().is_some_and(|c| c.foot.is_some())
}

/// Moves the foot comment of a node that is about to be placed in a mapping:
/// what stands below a key is below the entry before it, if there is one and
/// the mapping is a block; what stands below a value is below its key.
fn place_foot(node: &mut Node, open: &Open<'_>, waiting: &mut [Node]) {
    let count = waiting.len() - open.below;
    let is_key = count.is_multiple_of(2);
    if is_key && open.style == Style::Flow {
        return;
    }
    // The key before: two back from a key, one back from a value.
    let back = if is_key { 2 } else { 1 };
    if count < back {
        return;
    }
    let Some(key) = waiting.iter_mut().nth_back(back - 1) else {
        return;
    };
    if is_key || !has_foot(key) {
        key.comments_mut().foot = node.comments_mut().foot.take();
    }
}

/// Whether aliases stand for too much of a document.
///
/// Compat: the limits of go-yaml v3 `decode.go` `allowedAliasRatio`, held
/// against whole documents.
fn excessive(nodes: u64, aliased: u64) -> bool {
    const LOW: f64 = 400_000.0;
    const HIGH: f64 = 4_000_000.0;
    if aliased <= 100 || nodes <= 1000 {
        return false;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    let (nodes, aliased) = (nodes as f64, aliased as f64);
    let allowed = 0.99 - 0.89 * ((nodes - LOW) / (HIGH - LOW)).clamp(0.0, 1.0);
    aliased / nodes > allowed
}

fn invalid(message: impl Into<String>, span: Span) -> Error {
    Error::new("yaml/invalid", message).at(span)
}
