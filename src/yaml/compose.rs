//! Events to nodes.

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

use super::events::{Event, Events, Scalar, Start};
use super::{Entry, MAX_DEPTH, Node, Style, Tag, resolve};
use crate::diag::{Error, FileId, Result, Span};

/// A YAML document.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its only node; a null where the document is empty.
    pub root: Node,
}

/// Reads all documents of a text.
///
/// An empty text, or one of comments alone, has no document; `---` alone has
/// one that is null.
///
/// # Errors
///
/// `yaml/invalid`, with the place, for what go-yaml refuses: syntax, unknown
/// anchors, collections within themselves, more nesting than [`MAX_DEPTH`],
/// and aliases that multiply a small text into a huge one.
pub fn parse(text: &str, file: FileId) -> Result<Vec<Document>> {
    Composer::new(text, file).documents()
}

/// Reads a text that holds one document; none where it holds nothing.
///
/// # Errors
///
/// As [`parse`]; documents after the first are not looked at, as
/// `yaml.Unmarshal` does not.
pub fn parse_one(text: &str, file: FileId) -> Result<Option<Node>> {
    let mut composer = Composer::new(text, file);
    composer.document().map(|d| d.map(|d| d.root))
}

/// A collection that is being read.
enum Frame {
    Sequence(Open, Vec<Node>),
    Mapping(Open, Vec<Entry>, Option<Node>),
}

/// What is known of a collection at its start.
struct Open {
    start: Start,
    name: Option<Arc<str>>,
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
    anchors: HashMap<usize, Anchored>,
    stack: Vec<Frame>,
    /// The anchor on the scalar just read, until its name is known.
    named: Option<(usize, Node)>,
    /// Nodes read so far, and those of them that aliases stand for.
    nodes: u64,
    aliased: u64,
}

/// Longest text that is looked up among those met before.
const INTERN_LIMIT: usize = 40;

impl<'a> Composer<'a> {
    fn new(text: &'a str, file: FileId) -> Composer<'a> {
        Composer {
            events: Events::new(text, file),
            interned: HashMap::new(),
            anchors: HashMap::new(),
            stack: Vec::new(),
            named: None,
            nodes: 0,
            aliased: 0,
        }
    }

    fn documents(&mut self) -> Result<Vec<Document>> {
        let mut documents = Vec::new();
        while let Some(document) = self.document()? {
            documents.push(document);
        }
        Ok(documents)
    }

    /// Reads up to the end of the next document.
    fn document(&mut self) -> Result<Option<Document>> {
        let mut root = None;
        while let Some((event, span)) = self.events.next()? {
            if !matches!(event, Event::Anchor(..)) {
                self.place_named(&mut root)?;
            }
            match event {
                Event::DocumentStart => {
                    self.anchors.clear();
                    self.nodes = 0;
                    self.aliased = 0;
                }
                Event::DocumentEnd => {
                    return Ok(Some(Document {
                        root: root.unwrap_or_else(|| Node::null(span)),
                    }));
                }
                Event::Scalar(scalar) => {
                    let anchor = scalar.anchor;
                    let node = self.scalar(scalar, span);
                    if anchor == 0 {
                        self.place(node, 1, 0, span, &mut root)?;
                    } else {
                        self.named = Some((anchor, node));
                    }
                }
                Event::SequenceStart(start) => {
                    self.stack
                        .push(Frame::Sequence(Open::new(start, span), Vec::new()));
                }
                Event::MappingStart(start) => {
                    self.stack
                        .push(Frame::Mapping(Open::new(start, span), Vec::new(), None));
                }
                Event::SequenceEnd | Event::MappingEnd => self.close(span, &mut root)?,
                Event::Anchor(id, name) => self.anchor(id, &name, &mut root)?,
                Event::Alias(id) => {
                    let Some(anchored) = self.anchors.get(&id) else {
                        return Err(invalid("an anchor's value contains itself", span));
                    };
                    let (weight, depth) = (anchored.weight, anchored.depth);
                    let node = Node::alias(anchored.name.clone(), anchored.node.clone(), span);
                    self.aliased += weight;
                    self.place(node, weight, depth, span, &mut root)?;
                }
                Event::Comment(..) => {}
            }
        }
        Ok(None)
    }

    fn scalar(&mut self, scalar: Scalar<'a>, span: Span) -> Node {
        let text = match scalar.text {
            std::borrow::Cow::Borrowed(text) if text.len() <= INTERN_LIMIT => self
                .interned
                .entry(text)
                .or_insert_with(|| Arc::from(text))
                .clone(),
            text => Arc::from(text),
        };
        let mut node = match scalar.style {
            Style::Plain if scalar.omitted => Node::resolved_scalar(text, Tag::Null, span),
            Style::Plain => {
                let tag = resolve::v3_tag(&text);
                Node::resolved_scalar(text, tag, span)
            }
            style => Node::string(text, span).with_style(style),
        };
        if let Some((tag, text)) = scalar.tag {
            node.set_written_tag(tag, text);
        }
        node
    }

    /// Names the anchor on the scalar or collection just met.
    fn anchor(&mut self, id: usize, name: &str, root: &mut Option<Node>) -> Result<()> {
        let name: Arc<str> = Arc::from(name);
        if let Some((_, mut node)) = self.named.take() {
            let span = node.span();
            node.set_anchor(name.clone());
            self.anchors.insert(
                id,
                Anchored {
                    name,
                    node: node.clone(),
                    weight: 1,
                    depth: 0,
                },
            );
            self.place(node, 1, 0, span, root)
        } else {
            if let Some(Frame::Sequence(open, _) | Frame::Mapping(open, ..)) = self.stack.last_mut()
            {
                open.name = Some(name);
            }
            Ok(())
        }
    }

    /// Places a scalar whose anchor turned out to have no name event.
    fn place_named(&mut self, root: &mut Option<Node>) -> Result<()> {
        if let Some((_, node)) = self.named.take() {
            let span = node.span();
            self.place(node, 1, 0, span, root)?;
        }
        Ok(())
    }

    /// Ends the innermost collection.
    fn close(&mut self, end: Span, root: &mut Option<Node>) -> Result<()> {
        let (open, mut node) = match self.stack.pop() {
            Some(Frame::Sequence(open, items)) => {
                let node = Node::sequence(items, open.span);
                (open, node)
            }
            Some(Frame::Mapping(open, entries, _)) => {
                let node = Node::mapping(entries, open.span);
                (open, node)
            }
            None => return Err(invalid("a collection ends that did not begin", end)),
        };
        if open.start.flow {
            node.set_style(Style::Flow);
        }
        if let Some((tag, text)) = open.start.tag {
            node.set_written_tag(tag, text);
        }
        if let Some(name) = open.name {
            node.set_anchor(name.clone());
            self.anchors.insert(
                open.start.anchor,
                Anchored {
                    name,
                    node: node.clone(),
                    weight: open.weight,
                    depth: open.depth,
                },
            );
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
            Some(Frame::Mapping(open, entries, key)) => {
                match key.take() {
                    None => *key = Some(node),
                    Some(key) => entries.push(Entry { key, value: node }),
                }
                open
            }
        };
        open.weight += weight;
        open.depth = open.depth.max(depth + 1);
        Ok(())
    }
}

impl Open {
    fn new(start: Start, span: Span) -> Open {
        Open {
            start,
            name: None,
            span,
            weight: 1,
            depth: 0,
        }
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
