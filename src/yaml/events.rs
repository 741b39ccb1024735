//! Tokens to events: the grammar, as go-yaml's parser has it.
//!
//! Compat: `parserc.go` of go.yaml.in/yaml v2.4.2 and v3.0.3. Comments are
//! handed to the first event after them that takes any; which events do is
//! decided there.

use std::borrow::Cow;
use std::sync::Arc;

use super::problem::{Problem, Result, span};
use super::resolve::Version;
use super::scan::{Content, Kind, Mark, Scanner, Sort};
use super::{Style, Tag, scan};
use crate::diag::{self, FileId, Span};

/// A tag as written: its kind, and its text where it is none of YAML's own.
pub(super) type WrittenTag = (Tag, Option<Arc<str>>);

/// What stands before a node; most have nothing.
pub(super) type Properties<'a> = Option<Box<Property<'a>>>;

/// An anchor, a tag or both.
#[derive(Default)]
pub(super) struct Property<'a> {
    pub(super) anchor: Option<&'a str>,
    pub(super) tag: Option<WrittenTag>,
}

/// What the parser meets, in order.
pub(super) enum Event<'a> {
    DocumentStart,
    DocumentEnd,
    Scalar(Properties<'a>, Cow<'a, str>, Style),
    SequenceStart(Properties<'a>, Style),
    SequenceEnd,
    MappingStart(Properties<'a>, Style),
    MappingEnd,
    /// A reference to the anchor of this name.
    Alias(&'a str),
    StreamEnd,
}

/// The comments of an event.
#[derive(Default)]
pub(super) struct Remarks {
    pub(super) head: Option<String>,
    pub(super) line: Option<String>,
    pub(super) foot: Option<String>,
}

/// What is expected next.
#[derive(Clone, Copy, Debug)]
enum State {
    /// A document; it may begin without `---` only as the first.
    Document {
        first: bool,
    },
    DocumentContent,
    DocumentEnd,
    BlockNode,
    /// Items of a sequence in deeper indentation than what is around it.
    Item,
    /// Items of a sequence level with its key.
    LevelItem,
    BlockKey,
    BlockValue,
    FlowItem {
        first: bool,
    },
    /// A pair within a flow sequence, which is a mapping of its own.
    PairKey,
    PairValue,
    PairEnd,
    FlowKey {
        first: bool,
    },
    FlowValue,
    /// A flow mapping's entry without `:`.
    FlowNoValue,
}

/// The events of a text.
pub(super) struct Events<'a> {
    scanner: Scanner<'a>,
    text: &'a str,
    file: FileId,
    state: State,
    /// What is expected after that, the next last.
    states: Vec<State>,
    /// Where the collections that are open begin, for messages.
    starts: Vec<Mark>,
    /// Handles of tags and what they stand for, in this document.
    handles: Vec<(&'a str, Cow<'a, str>)>,
    /// Where something left out would stand: behind the last token.
    behind: Mark,
    /// Comments met that no event has taken yet.
    remarks: Remarks,
    /// The head comment of the next collection, moved out of the way of its
    /// first entry's.
    stem: Option<String>,
    /// The comments of the event given last.
    taken: Option<Box<Remarks>>,
}

impl<'a> Events<'a> {
    /// The events of a text, which has passed `text::check`.
    pub(super) fn new(text: &'a str, file: FileId, version: Version) -> Events<'a> {
        Events {
            scanner: Scanner::new(text, version),
            text,
            file,
            state: State::Document { first: true },
            states: Vec::new(),
            starts: Vec::new(),
            handles: Vec::new(),
            behind: Mark::default(),
            remarks: Remarks::default(),
            stem: None,
            taken: None,
        }
    }

    /// The next event and where it begins; nothing comes after
    /// [`Event::StreamEnd`].
    ///
    /// # Errors
    ///
    /// `yaml/invalid`; the events end there.
    pub(super) fn next(&mut self) -> diag::Result<(Event<'a>, Span)> {
        match self.step() {
            Ok((event, mark)) => Ok((event, span(mark, self.file))),
            Err(problem) => Err(problem.into_error(self.text, self.file)),
        }
    }

    /// The comments of the event given last; none is most frequent.
    pub(super) fn take_remarks(&mut self) -> Option<Box<Remarks>> {
        self.taken.take()
    }

    // Tokens.

    /// What comes next and where; takes note of the comments before it.
    fn peek(&mut self) -> Result<(Kind, Mark)> {
        let token = self.scanner.peek()?;
        let next = token.kind;
        let mark = token.mark;
        while let Some((sort, text)) = self
            .scanner
            .comment_before(mark.offset, next == Kind::BlockEnd)
        {
            let slot = match sort {
                Sort::Head => &mut self.remarks.head,
                Sort::Line => &mut self.remarks.line,
                Sort::Foot => &mut self.remarks.foot,
            };
            match slot {
                None => *slot = Some(text),
                Some(before) => {
                    before.push('\n');
                    before.push_str(&text);
                }
            }
        }
        Ok((next, mark))
    }

    /// Passes a token and shows the one after it.
    fn pass(&mut self) -> Result<(Kind, Mark)> {
        self.take();
        self.peek()
    }

    /// Takes the token that was shown.
    fn take(&mut self) -> Content<'a> {
        let Some(token) = self.scanner.take() else {
            return Content::Nothing;
        };
        let width = match token.kind {
            // These stand for indentation, which is nowhere.
            Kind::SequenceStart | Kind::MappingStart | Kind::BlockEnd => return token.content,
            Kind::DocumentStart => 3,
            Kind::Item | Kind::Key | Kind::Value => 1,
            _ => 0,
        };
        self.behind = Mark {
            offset: token.mark.offset + width,
            column: token.mark.column + width,
            ..token.mark
        };
        token.content
    }

    /// The empty scalar of a node that was left out.
    fn nothing(&self) -> (Event<'a>, Mark) {
        (
            Event::Scalar(None, Cow::Borrowed(""), Style::Plain),
            self.behind,
        )
    }

    /// Gives the comments met so far to the event being made.
    fn take_comments(&mut self) {
        self.stem = None;
        let Remarks { head, line, foot } = &self.remarks;
        if head.is_some() || line.is_some() || foot.is_some() {
            self.taken = Some(Box::new(std::mem::take(&mut self.remarks)));
        }
    }

    /// Gives a head comment to the event being made.
    fn give_head(&mut self, head: String) {
        self.taken = Some(Box::new(Remarks {
            head: Some(head),
            ..Remarks::default()
        }));
    }

    fn pop_state(&mut self) {
        // The document's own end is below everything that pushes a state.
        self.state = self.states.pop().unwrap_or(State::DocumentEnd);
    }

    fn step(&mut self) -> Result<(Event<'a>, Mark)> {
        self.taken = None;
        match self.state {
            State::Document { first } => self.document_start(first),
            State::DocumentContent => match self.peek()? {
                (
                    Kind::Directive | Kind::DocumentStart | Kind::DocumentEnd | Kind::StreamEnd,
                    _,
                ) => {
                    self.pop_state();
                    Ok(self.nothing())
                }
                _ => self.node(true, false),
            },
            State::DocumentEnd => self.document_end(),
            State::BlockNode => self.node(true, false),
            State::Item => self.item(),
            State::LevelItem => self.level_item(),
            State::BlockKey => self.block_key(),
            State::BlockValue => self.block_value(),
            State::FlowItem { first } => self.flow_item(first),
            State::PairKey => self.pair_key(),
            State::PairValue => self.flow_value(State::PairEnd, Kind::FlowSequenceEnd),
            State::PairEnd => {
                let (_, mark) = self.peek()?;
                self.state = State::FlowItem { first: false };
                Ok((Event::MappingEnd, mark))
            }
            State::FlowKey { first } => self.flow_key(first),
            State::FlowValue => {
                self.flow_value(State::FlowKey { first: false }, Kind::FlowMappingEnd)
            }
            State::FlowNoValue => {
                self.peek()?;
                self.state = State::FlowKey { first: false };
                Ok(self.nothing())
            }
        }
    }

    // Documents.

    fn document_start(&mut self, first: bool) -> Result<(Event<'a>, Mark)> {
        let (mut next, mut mark) = self.peek()?;
        if !first {
            while next == Kind::DocumentEnd {
                (next, mark) = self.pass()?;
            }
        }
        let start = mark;
        match next {
            Kind::StreamEnd => return Ok((Event::StreamEnd, mark)),
            Kind::Directive | Kind::DocumentStart => {}
            _ if first => {
                self.default_handles();
                self.states.push(State::DocumentEnd);
                self.state = State::BlockNode;
                self.split_document_head();
                return Ok((Event::DocumentStart, start));
            }
            _ => {}
        }
        self.directives()?;
        let (next, mark) = self.peek()?;
        if next != Kind::DocumentStart {
            return Err(
                Problem::new("a document must begin here with `---`", mark).help(
                    "separate documents with `---`, and indent what belongs to the value before",
                ),
            );
        }
        self.states.push(State::DocumentEnd);
        self.state = State::DocumentContent;
        self.take();
        Ok((Event::DocumentStart, start))
    }

    /// Gives the comments before the last empty line to the document, and
    /// leaves those after it to its content.
    fn split_document_head(&mut self) {
        let Some(head) = self.remarks.head.take() else {
            return;
        };
        let (own, rest) = if let Some(own) = head.strip_suffix('\n') {
            (own, "")
        } else if let Some((own, rest)) = head.rsplit_once("\n\n") {
            (own, rest)
        } else {
            self.remarks.head = Some(head);
            return;
        };
        self.give_head(own.to_owned());
        self.remarks.head = (!rest.is_empty()).then(|| rest.to_owned());
    }

    fn directives(&mut self) -> Result<()> {
        let mut has_version = false;
        let (mut next, mut mark) = self.peek()?;
        while next == Kind::Directive {
            match self.take() {
                Content::Tag(tag) => {
                    let scan::Tag { handle, rest } = *tag;
                    if self.handles.iter().any(|(known, _)| *known == handle) {
                        return Err(Problem::new(
                            format!("the tag handle `{handle}` is defined twice"),
                            mark,
                        ));
                    }
                    self.handles.push((handle, rest));
                }
                Content::Version(is_known) => {
                    if has_version {
                        return Err(Problem::new("`%YAML` stands twice", mark));
                    }
                    if !is_known {
                        return Err(Problem::new("only `%YAML 1.1` is understood", mark)
                            .help("remove the directive"));
                    }
                    has_version = true;
                }
                _ => {}
            }
            (next, mark) = self.peek()?;
        }
        self.default_handles();
        Ok(())
    }

    fn default_handles(&mut self) {
        for (handle, prefix) in [("!", "!"), ("!!", CORE)] {
            if !self.handles.iter().any(|(known, _)| *known == handle) {
                self.handles.push((handle, prefix.into()));
            }
        }
    }

    fn document_end(&mut self) -> Result<(Event<'a>, Mark)> {
        let (next, mark) = self.peek()?;
        if next == Kind::DocumentEnd {
            self.take();
        }
        self.handles.clear();
        self.state = State::Document { first: false };
        self.take_comments();
        if let Some(taken) = &mut self.taken
            && taken.foot.is_none()
        {
            taken.foot = taken.head.take();
        }
        Ok((Event::DocumentEnd, mark))
    }

    // Nodes.

    /// A node; in a block context, where `level` says whether a sequence may
    /// stand level with its key, or within brackets.
    fn node(&mut self, block: bool, level: bool) -> Result<(Event<'a>, Mark)> {
        let (mut next, start) = self.peek()?;
        let mut mark = start;
        if next == Kind::Alias {
            self.pop_state();
            self.take_comments();
            if let Content::Name(name) = self.take() {
                return Ok((Event::Alias(name), start));
            }
        }
        let mut properties = None;
        if matches!(next, Kind::Anchor | Kind::Tag) {
            properties = Some(Box::new(self.properties()?));
            (next, mark) = self.peek()?;
        }
        match next {
            Kind::Item if level => {
                self.state = State::LevelItem;
                return Ok((Event::SequenceStart(properties, Style::Plain), start));
            }
            Kind::Scalar => {
                self.pop_state();
                self.take_comments();
                if let Content::Scalar(text, style) = self.take() {
                    return Ok((Event::Scalar(properties, text, style), start));
                }
            }
            Kind::FlowSequenceStart => {
                self.open(State::FlowItem { first: true }, mark);
                self.take_comments();
                return Ok((Event::SequenceStart(properties, Style::Flow), start));
            }
            Kind::FlowMappingStart => {
                self.open(State::FlowKey { first: true }, mark);
                self.take_comments();
                return Ok((Event::MappingStart(properties, Style::Flow), start));
            }
            Kind::SequenceStart if block => {
                self.state = State::Item;
                self.take_stem();
                self.starts.push(mark);
                self.take();
                return Ok((Event::SequenceStart(properties, Style::Plain), start));
            }
            Kind::MappingStart if block => {
                self.state = State::BlockKey;
                self.take_stem();
                self.starts.push(mark);
                self.take();
                return Ok((Event::MappingStart(properties, Style::Plain), start));
            }
            _ if properties.is_some() => {
                self.pop_state();
                return Ok((
                    Event::Scalar(properties, Cow::Borrowed(""), Style::Plain),
                    start,
                ));
            }
            _ => {}
        }
        Err(Problem::unexpected(next, mark))
    }

    /// An anchor and a tag, in either order.
    fn properties(&mut self) -> Result<Property<'a>> {
        let mut property = Property::default();
        loop {
            let (next, mark) = self.peek()?;
            match next {
                Kind::Anchor if property.anchor.is_none() => {
                    if let Content::Name(name) = self.take() {
                        property.anchor = Some(name);
                    }
                }
                Kind::Tag if property.tag.is_none() => {
                    if let Content::Tag(tag) = self.take() {
                        property.tag = Some(self.written_tag(&tag, mark)?);
                    }
                }
                _ => return Ok(property),
            }
        }
    }

    /// Begins a collection within brackets.
    fn open(&mut self, state: State, mark: Mark) {
        self.state = state;
        self.starts.push(mark);
        self.take();
    }

    /// Ends the innermost collection.
    fn close(&mut self) {
        self.pop_state();
        self.starts.pop();
        self.take();
    }

    fn take_stem(&mut self) {
        if let Some(stem) = self.stem.take() {
            self.give_head(stem);
        }
    }

    /// The tag that a handle and a suffix stand for.
    fn written_tag(&self, tag: &scan::Tag<'_>, mark: Mark) -> Result<WrittenTag> {
        let (handle, suffix) = (tag.handle, &*tag.rest);
        let prefix = if handle.is_empty() {
            ""
        } else {
            let known = self.handles.iter().find(|(known, _)| *known == handle);
            let Some((_, prefix)) = known else {
                return Err(Problem::new(
                    format!("the tag handle `{handle}` is not defined"),
                    mark,
                )
                .help("put the value in quotes if `!` belongs to it"));
            };
            prefix
        };
        if let Some(suffix) = suffix.strip_prefix(CORE).filter(|_| prefix.is_empty()) {
            return Ok(core_tag(suffix));
        }
        if prefix == CORE {
            return Ok(core_tag(suffix));
        }
        let whole = format!("{prefix}{suffix}");
        Ok(match whole.strip_prefix(CORE) {
            Some(suffix) => core_tag(suffix),
            None => (Tag::Other, Some(whole.into())),
        })
    }

    // Block collections.

    /// Passes a `-`; moves the comments above it out of the way of those of
    /// the first entry, if a collection follows.
    fn pass_item(&mut self) -> Result<(Kind, Mark)> {
        let above = self.remarks.head.as_ref().map(String::len);
        let (next, mark) = self.pass()?;
        if let Some(length) = above
            && matches!(next, Kind::SequenceStart | Kind::MappingStart)
            && let Some(mut head) = self.remarks.head.take()
        {
            // A line feed stands between the two.
            let rest = head.get(length + 1..).map(str::to_owned);
            head.truncate(length);
            self.stem = Some(head);
            self.remarks.head = rest.filter(|rest| !rest.is_empty());
        }
        Ok((next, mark))
    }

    fn item(&mut self) -> Result<(Event<'a>, Mark)> {
        let (next, mark) = self.peek()?;
        match next {
            Kind::Item => {
                let (next, _) = self.pass_item()?;
                if matches!(next, Kind::Item | Kind::BlockEnd) {
                    self.state = State::Item;
                    return Ok(self.nothing());
                }
                self.states.push(State::Item);
                self.node(true, false)
            }
            Kind::BlockEnd => {
                self.close();
                Ok((Event::SequenceEnd, mark))
            }
            _ => Err(Problem::misplaced(
                "an item of the list",
                self.start(),
                next,
                mark,
                self.text,
            )),
        }
    }

    fn level_item(&mut self) -> Result<(Event<'a>, Mark)> {
        let (next, mark) = self.peek()?;
        if next != Kind::Item {
            self.pop_state();
            return Ok((Event::SequenceEnd, mark));
        }
        let (next, _) = self.pass_item()?;
        if matches!(next, Kind::Item | Kind::Key | Kind::Value | Kind::BlockEnd) {
            self.state = State::LevelItem;
            return Ok(self.nothing());
        }
        self.states.push(State::LevelItem);
        self.node(true, false)
    }

    fn block_key(&mut self) -> Result<(Event<'a>, Mark)> {
        let (next, mark) = self.peek()?;
        match next {
            Kind::Key => self.block_content(State::BlockValue),
            Kind::BlockEnd => {
                self.close();
                self.take_comments();
                Ok((Event::MappingEnd, mark))
            }
            _ => Err(Problem::misplaced(
                "a key of the mapping",
                self.start(),
                next,
                mark,
                self.text,
            )),
        }
    }

    fn block_value(&mut self) -> Result<(Event<'a>, Mark)> {
        let (next, _) = self.peek()?;
        if next == Kind::Value {
            return self.block_content(State::BlockKey);
        }
        self.state = State::BlockKey;
        Ok(self.nothing())
    }

    /// A key or value of a block mapping, behind its indicator.
    fn block_content(&mut self, then: State) -> Result<(Event<'a>, Mark)> {
        let (next, _) = self.pass()?;
        if matches!(next, Kind::Key | Kind::Value | Kind::BlockEnd) {
            self.state = then;
            return Ok(self.nothing());
        }
        self.states.push(then);
        self.node(true, true)
    }

    // Flow collections.

    fn flow_item(&mut self, first: bool) -> Result<(Event<'a>, Mark)> {
        let (mut next, mut mark) = self.peek()?;
        if next != Kind::FlowSequenceEnd && !first {
            if next != Kind::Comma {
                return Err(Problem::unclosed("list", ']', self.start(), next, mark));
            }
            (next, mark) = self.pass()?;
        }
        match next {
            Kind::FlowSequenceEnd => {
                self.close();
                self.take_comments();
                Ok((Event::SequenceEnd, mark))
            }
            Kind::Key => {
                self.state = State::PairKey;
                self.take();
                Ok((Event::MappingStart(None, Style::Flow), mark))
            }
            _ => {
                self.states.push(State::FlowItem { first: false });
                self.node(false, false)
            }
        }
    }

    fn pair_key(&mut self) -> Result<(Event<'a>, Mark)> {
        let (next, _) = self.peek()?;
        if matches!(next, Kind::Value | Kind::Comma | Kind::FlowSequenceEnd) {
            // Compat: the token is passed, so that `[? : a]` is a list that
            // does not close.
            self.take();
            self.state = State::PairValue;
            return Ok(self.nothing());
        }
        self.states.push(State::PairValue);
        self.node(false, false)
    }

    /// The value of an entry that `end` or a comma may follow.
    fn flow_value(&mut self, then: State, end: Kind) -> Result<(Event<'a>, Mark)> {
        let (next, _) = self.peek()?;
        if next == Kind::Value {
            let (next, _) = self.pass()?;
            if next != Kind::Comma && next != end {
                self.states.push(then);
                return self.node(false, false);
            }
        }
        self.state = then;
        Ok(self.nothing())
    }

    fn flow_key(&mut self, first: bool) -> Result<(Event<'a>, Mark)> {
        let (mut next, mut mark) = self.peek()?;
        if next != Kind::FlowMappingEnd && !first {
            if next != Kind::Comma {
                return Err(Problem::unclosed("mapping", '}', self.start(), next, mark));
            }
            (next, mark) = self.pass()?;
        }
        match next {
            Kind::FlowMappingEnd => {
                self.close();
                self.take_comments();
                Ok((Event::MappingEnd, mark))
            }
            Kind::Key => {
                let (next, _) = self.pass()?;
                if matches!(next, Kind::Value | Kind::Comma | Kind::FlowMappingEnd) {
                    self.state = State::FlowValue;
                    return Ok(self.nothing());
                }
                self.states.push(State::FlowValue);
                self.node(false, false)
            }
            _ => {
                self.states.push(State::FlowNoValue);
                self.node(false, false)
            }
        }
    }

    /// Where the innermost collection begins.
    fn start(&self) -> Mark {
        self.starts.last().copied().unwrap_or_default()
    }
}

const CORE: &str = "tag:yaml.org,2002:";

fn core_tag(suffix: &str) -> WrittenTag {
    match Tag::of_core_suffix(suffix) {
        Tag::Other => (Tag::Other, Some(format!("!!{suffix}").into())),
        known => (known, None),
    }
}
