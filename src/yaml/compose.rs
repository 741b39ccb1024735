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
enum Frame<'a> {
    Sequence(Open<'a>, Vec<Node>),
    Mapping(Open<'a>, Vec<Entry>, Option<Node>),
}

/// What is known of a collection at its start.
struct Open<'a> {
    style: Style,
    tag: Option<super::events::WrittenTag>,
    anchor: Option<&'a str>,
    head: Option<String>,
    span: Span,
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
    /// Text that occurs often is kept once.
    interned: HashMap<&'a str, Arc<str>>,
    /// What each anchor stands for; none while its collection is open.
    anchors: HashMap<&'a str, Option<Anchored>>,
    stack: Vec<Frame<'a>>,
    /// Nodes read so far, and those of them that aliases stand for.
    nodes: u64,
    aliased: u64,
}

/// Longest text that is looked up among those met before.
const INTERN_LIMIT: usize = 40;

impl<'a> Composer<'a> {
    fn new(text: &'a str, file: FileId, version: Version) -> Result<Composer<'a>> {
        text::check(text).map_err(|e| e.in_file(file))?;
        Ok(Composer {
            events: Events::new(text, file, version),
            interned: HashMap::new(),
            anchors: HashMap::new(),
            stack: Vec::new(),
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
                    let open = self.open(properties, style, span);
                    self.stack.push(Frame::Sequence(open, Vec::new()));
                }
                Event::MappingStart(properties, style) => {
                    let open = self.open(properties, style, span);
                    self.stack.push(Frame::Mapping(open, Vec::new(), None));
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
        let text = match text {
            Cow::Borrowed(text) if text.len() <= INTERN_LIMIT => self
                .interned
                .entry(text)
                .or_insert_with(|| Arc::from(text))
                .clone(),
            text => Arc::from(text),
        };
        let mut node = match style {
            Style::Plain => {
                let tag = resolve::v3_tag(&text);
                Node::resolved_scalar(text, tag, span)
            }
            style => Node::string(text, span).with_style(style),
        };
        if let Some((tag, text)) = properties.tag {
            node.set_written_tag(tag, text);
        }
        if let Some(remarks) = self.events.take_remarks() {
            remark(&mut node, remarks);
        }
        if let Some(name) = properties.anchor {
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
            remark(&mut node, remarks);
        }
        self.aliased += weight;
        self.place(node, weight, depth, span, root)
    }

    fn open(&mut self, properties: Properties<'a>, style: Style, span: Span) -> Open<'a> {
        if let Some(name) = properties.anchor {
            self.anchors.insert(name, None);
        }
        Open {
            style,
            tag: properties.tag,
            anchor: properties.anchor,
            head: self.events.take_remarks().and_then(|r| r.head),
            span,
            weight: 1,
            depth: 0,
        }
    }

    /// Ends the innermost collection.
    fn close(&mut self, end: Span, root: &mut Option<Node>) -> Result<()> {
        let remarks = self.events.take_remarks();
        let mut foot = remarks.as_ref().and_then(|r| r.foot.clone());
        let (open, mut node) = match self.stack.pop() {
            Some(Frame::Sequence(open, items)) => {
                let node = Node::sequence(items, open.span);
                (open, node)
            }
            Some(Frame::Mapping(open, mut entries, _)) => {
                // What stands below a block mapping is below its last entry.
                if open.style != Style::Flow
                    && let Some(last) = entries.last_mut()
                    && let Some(foot) = foot.take()
                {
                    last.key.comments_mut().foot = Some(foot.into());
                }
                let node = Node::mapping(entries, open.span);
                (open, node)
            }
            None => return Err(invalid("a collection ends that did not begin", end)),
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
        node: Node,
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
        if self.stack.len() + depth > MAX_DEPTH {
            return Err(invalid(
                format!("collections nest deeper than {MAX_DEPTH} levels"),
                span,
            ));
        }
        let open = match self.stack.last_mut() {
            None => {
                *root = Some(node);
                return Ok(());
            }
            Some(Frame::Sequence(open, items)) => {
                items.push(node);
                open
            }
            Some(Frame::Mapping(open, entries, slot)) => {
                match slot.take() {
                    None => *slot = Some(key(node, open, entries)),
                    Some(key) => entries.push(entry(key, node)),
                }
                open
            }
        };
        open.weight += weight;
        open.depth = open.depth.max(depth + 1);
        Ok(())
    }
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

/// A key; what stands below it in a block mapping is below the entry before
/// it, if there is one.
fn key(mut node: Node, open: &Open<'_>, entries: &mut [Entry]) -> Node {
    if open.style != Style::Flow
        && let Some(before) = entries.last_mut()
        && node.comments().is_some_and(|c| c.foot.is_some())
    {
        before.key.comments_mut().foot = node.comments_mut().foot.take();
    }
    node
}

/// An entry; what stands below its value is below its key.
fn entry(mut key: Node, mut value: Node) -> Entry {
    if value.comments().is_some_and(|c| c.foot.is_some())
        && key.comments().is_none_or(|c| c.foot.is_none())
    {
        key.comments_mut().foot = value.comments_mut().foot.take();
    }
    Entry { key, value }
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
