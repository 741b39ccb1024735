//! The emitter below both printers: indentation, indicators, line breaks.
//!
//! Compat: `emitterc.go` of go.yaml.in/yaml v2.4.2 and v3.0.3, which follow
//! libyaml. Its rules hang on three facts about what was just written (the
//! column, whether it was a blank, whether only indentation stands on the
//! line), so those are kept here as they are there.

use std::borrow::Cow;
use std::sync::Arc;

use super::super::resolve::Version;
use super::super::{Comments, Style};
use super::scalar::{Analysis, is_break};

/// Indentation is written in pieces of this.
const BLANKS: &str = "                                ";

/// What an emitter is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Config {
    /// Whose rules.
    pub(super) version: Version,
    /// Blanks for a level.
    pub(super) indent: usize,
    /// Where lines are folded.
    pub(super) width: usize,
    /// v3: whether `- ` counts as indentation for sequences in mappings.
    pub(super) compact: bool,
}

/// A scalar to be written.
pub(super) struct Scalar<'a> {
    pub(super) text: Cow<'a, str>,
    /// The style wanted; another is taken where the text does not allow it.
    pub(super) style: Style,
    /// The tag to write, `!!int` or `!custom`.
    pub(super) tag: Option<Cow<'a, str>>,
    pub(super) anchor: Option<&'a str>,
}

/// How a collection begins.
#[derive(Clone, Default)]
pub(super) struct Start<'a> {
    pub(super) flow: bool,
    pub(super) tag: Option<Cow<'a, str>>,
    pub(super) anchor: Option<&'a str>,
}

/// What a node is to the emitter.
pub(super) enum Shape<'a, V> {
    Scalar(Scalar<'a>),
    Sequence(Start<'a>, Vec<V>),
    Mapping(Start<'a>, Vec<(V, V)>),
    Alias(&'a str),
}

/// Something that can be emitted.
pub(super) trait View: Sized {
    type Error;
    /// What it is.
    fn shape(&self) -> Result<Shape<'_, Self>, Self::Error>;
    /// The comments around it.
    fn comments(&self) -> Option<&Comments> {
        None
    }
}

/// Where a node stands.
#[derive(Clone, Copy, Default)]
struct Context {
    /// It is an item of a block sequence.
    block_item: bool,
    /// It is a key or value of a mapping.
    mapping: bool,
    /// It is a key that fits before its `:`.
    simple_key: bool,
}

/// Where the comments of a node are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    /// Not here: it is a key.
    Key,
    /// Behind it.
    Block,
    /// Behind it and a comma.
    Flow,
}

/// Comments that were met and not yet written.
///
/// Compat: a comment waits here until something writes its sort, which may
/// be long after the node that it came from.
#[derive(Default)]
struct Pending {
    head: Option<Arc<str>>,
    line: Option<Arc<str>>,
    foot: Option<Arc<str>>,
    /// The foot of the entry before, which is written above the next one.
    tail: Option<Arc<str>>,
    /// The line comment of a key, which is written behind its value.
    key_line: Option<Arc<str>>,
}

impl Pending {
    /// Whether something is to be written behind a node within brackets.
    fn is_behind(&self) -> bool {
        self.line.is_some() || self.foot.is_some() || self.tail.is_some()
    }
}

/// The state of the text written so far.
pub(super) struct Emitter {
    pub(super) config: Config,
    pub(super) out: String,
    /// Characters since the last line break.
    pub(super) column: usize,
    /// The last character was a blank, or nothing was written.
    pub(super) whitespace: bool,
    /// Only indentation stands on this line.
    pub(super) indention: bool,
    /// Blanks before a new line's content; none outside of all collections.
    indent: Option<usize>,
    flow_level: usize,
    pending: Pending,
    /// The indentation at which an empty line must divide what comes next
    /// from the foot comment before it.
    foot_indent: Option<usize>,
}

impl Emitter {
    /// An emitter that appends to `out`, which ends with a line break or is
    /// empty.
    pub(super) fn new(config: Config, out: String) -> Emitter {
        Emitter {
            config,
            out,
            column: 0,
            whitespace: true,
            indention: true,
            indent: None,
            flow_level: 0,
            pending: Pending::default(),
            foot_indent: None,
        }
    }

    /// Writes a document without markers.
    pub(super) fn document<V: View>(
        &mut self,
        head: Option<&Arc<str>>,
        root: &V,
        foot: Option<&Arc<str>>,
    ) -> Result<(), V::Error> {
        if head.is_some() {
            self.pending.head = head.cloned();
            self.write_head_comments();
            self.put_break('\n');
        }
        let shape = root.shape()?;
        self.meet(root, &shape, false, None);
        self.write_head_comments();
        self.node(root, shape, Context::default(), After::Block)?;
        if foot.is_some() {
            self.pending.foot = foot.cloned();
        }
        self.foot_indent = Some(0);
        self.write_foot_comment();
        self.foot_indent = None;
        self.write_indent();
        Ok(())
    }

    /// Writes the marker between two documents.
    pub(super) fn document_start(&mut self) {
        self.write_indent();
        self.write_indicator("---", true);
        self.write_indent();
    }

    pub(super) fn is_v3(&self) -> bool {
        self.config.version == Version::V3
    }

    // Characters.

    pub(super) fn put(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
    }

    pub(super) fn put_str(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += if text.is_ascii() {
            text.len()
        } else {
            text.chars().count()
        };
    }

    /// Writes a line break of the content: `\n`, or what Unicode has besides.
    pub(super) fn put_break(&mut self, c: char) {
        self.out.push(c);
        self.column = 0;
        if self.is_v3() {
            self.indention = true;
        }
    }

    /// Begins a line at the current indentation, unless this one stands there.
    pub(super) fn write_indent(&mut self) {
        let indent = self.indent.unwrap_or(0);
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.put_break('\n');
        }
        if self.foot_indent == Some(indent) {
            self.put_break('\n');
        }
        while self.column < indent {
            let missing = (indent - self.column).min(BLANKS.len());
            self.out.push_str(&BLANKS[..missing]);
            self.column += missing;
        }
        self.whitespace = true;
        self.foot_indent = None;
        if !self.is_v3() {
            self.indention = true;
        }
    }

    /// Writes `-`, `:`, a bracket …
    pub(super) fn write_indicator(&mut self, indicator: &str, need_blank: bool) {
        self.indicator(indicator, need_blank, false, false);
    }

    fn indicator(&mut self, indicator: &str, need_blank: bool, is_blank: bool, is_indent: bool) {
        if need_blank && !self.whitespace {
            self.put(' ');
        }
        self.put_str(indicator);
        self.whitespace = is_blank;
        self.indention &= is_indent;
    }

    /// Whether we are within brackets.
    pub(super) fn in_flow(&self) -> bool {
        self.flow_level > 0
    }

    /// Deepens the indentation; gives the one before, to be restored.
    fn deepen(&mut self, at: Context, flow: bool, level: bool, compact: bool) -> Option<usize> {
        let outer = self.indent;
        let step = self.config.indent;
        self.indent = Some(match outer {
            None if flow => step,
            None => 0,
            Some(indent) if level => indent,
            // An item's own indentation skips its `- `.
            Some(indent) if self.is_v3() && at.block_item => indent + 2,
            Some(indent) if self.is_v3() => {
                let aligned = step * ((indent + step) / step);
                aligned - if compact { 2 } else { 0 }
            }
            Some(indent) => indent + step,
        });
        outer
    }

    // Comments.

    /// Takes note of the comments of a node that begins; `tail` is what was
    /// left over from the entry before. The foot of a key is left out: it
    /// waits for the end of its value.
    fn meet<V: View>(
        &mut self,
        view: &V,
        shape: &Shape<'_, V>,
        is_key: bool,
        tail: Option<Arc<str>>,
    ) {
        if tail.is_some() && matches!(shape, Shape::Scalar(_) | Shape::Mapping(..)) {
            self.pending.tail = tail;
        }
        let Some(comments) = view.comments() else {
            return;
        };
        if comments.head.is_some() {
            self.pending.head.clone_from(&comments.head);
        }
        if matches!(shape, Shape::Scalar(_) | Shape::Alias(_)) {
            self.meet_behind(comments, is_key);
        }
    }

    /// Takes note of the comments behind a collection that ends.
    fn meet_end<V: View>(&mut self, view: &V, is_key: bool, tail: Option<Arc<str>>) {
        if tail.is_some() {
            self.pending.tail = tail;
        }
        if let Some(comments) = view.comments() {
            self.meet_behind(comments, is_key);
        }
    }

    fn meet_behind(&mut self, comments: &Comments, is_key: bool) {
        if comments.line.is_some() {
            self.pending.line.clone_from(&comments.line);
        }
        if comments.foot.is_some() && !is_key {
            self.pending.foot.clone_from(&comments.foot);
        }
    }

    /// Writes the foot of the entry before and the head of this one.
    fn write_head_comments(&mut self) {
        if let Some(tail) = self.pending.tail.take() {
            self.write_indent();
            self.write_comment(&tail);
            self.foot_indent = Some(self.indent.unwrap_or(0));
        }
        if let Some(head) = self.pending.head.take() {
            self.write_indent();
            self.write_comment(&head);
        }
    }

    fn write_line_comment(&mut self) -> bool {
        let Some(comment) = self.pending.line.take() else {
            return false;
        };
        if !self.whitespace {
            self.put(' ');
        }
        self.write_comment(&comment);
        true
    }

    fn write_foot_comment(&mut self) {
        if let Some(foot) = self.pending.foot.take() {
            self.write_indent();
            self.write_comment(&foot);
            self.foot_indent = Some(self.indent.unwrap_or(0));
        }
    }

    /// Ends the line of a `|` or `>`, with the comment on it.
    pub(super) fn end_block_header(&mut self) {
        if !self.write_line_comment() {
            self.put_break('\n');
        }
        if !self.is_v3() {
            self.indention = true;
        }
        self.whitespace = true;
    }

    /// Writes the lines of a comment; those without `#` get one.
    fn write_comment(&mut self, comment: &str) {
        let (mut after_break, mut has_sign) = (false, false);
        for c in comment.chars() {
            if is_break(c) {
                self.put_break(c);
                after_break = true;
                has_sign = false;
                continue;
            }
            if after_break {
                self.write_indent();
            }
            if !has_sign {
                if c != '#' {
                    self.put_str("# ");
                }
                has_sign = true;
            }
            self.put(c);
            self.indention = false;
            after_break = false;
        }
        if !after_break {
            self.put_break('\n');
        }
        self.whitespace = true;
    }

    // Nodes.

    /// Writes a node; `after` says what is written between the beginning of
    /// a collection and its content, and behind a scalar.
    fn node<V: View>(
        &mut self,
        view: &V,
        shape: Shape<'_, V>,
        at: Context,
        after: After,
    ) -> Result<(), V::Error> {
        match shape {
            Shape::Scalar(scalar) => {
                self.scalar(&scalar, None, at);
                self.behind(after);
                Ok(())
            }
            Shape::Alias(name) => {
                self.write_indicator("*", true);
                self.put_str(name);
                self.behind(after);
                Ok(())
            }
            Shape::Sequence(start, items) => {
                self.properties(start.anchor, start.tag.as_deref());
                self.behind(after);
                if start.flow || self.in_flow() || items.is_empty() {
                    self.flow_sequence(view, &items, at, after)
                } else {
                    self.block_sequence(view, &items, at, after)
                }
            }
            Shape::Mapping(start, entries) => {
                self.properties(start.anchor, start.tag.as_deref());
                self.behind(after);
                if start.flow || self.in_flow() || entries.is_empty() {
                    self.flow_mapping(view, &entries, at, after)
                } else {
                    self.block_mapping(view, &entries, at, after)
                }
            }
        }
    }

    /// Writes the comments behind a node, or behind what it begins with.
    fn behind(&mut self, after: After) {
        if after == After::Key {
            return;
        }
        if after == After::Flow && self.pending.is_behind() {
            self.write_indicator(",", false);
        }
        self.write_line_comment();
        self.write_foot_comment();
    }

    fn block_sequence<V: View>(
        &mut self,
        view: &V,
        items: &[V],
        at: Context,
        after: After,
    ) -> Result<(), V::Error> {
        let outer = if self.is_v3() {
            let compact =
                self.config.compact && at.mapping && (self.column == 0 || !self.indention);
            self.deepen(at, false, false, compact)
        } else {
            self.deepen(at, false, at.mapping && !self.indention, false)
        };
        for item in items {
            let shape = item.shape()?;
            self.meet(item, &shape, false, None);
            self.write_head_comments();
            self.write_indent();
            self.indicator("-", true, false, true);
            let context = Context {
                block_item: true,
                ..Context::default()
            };
            self.node(item, shape, context, After::Block)?;
        }
        self.meet_end(view, after == After::Key, None);
        self.indent = outer;
        Ok(())
    }

    fn block_mapping<V: View>(
        &mut self,
        view: &V,
        entries: &[(V, V)],
        at: Context,
        after: After,
    ) -> Result<(), V::Error> {
        let outer = self.deepen(at, false, false, false);
        let mut tail = None;
        for (key, value) in entries {
            let shape = key.shape()?;
            self.meet(key, &shape, true, tail);
            tail = foot(key);
            self.write_head_comments();
            self.write_indent();
            if self.pending.line.is_some() {
                self.pending.key_line = self.pending.line.take();
            }
            let simple = self.key(key, shape, true)?;
            let shape = value.shape()?;
            self.meet(value, &shape, false, None);
            if simple {
                self.write_indicator(":", false);
            } else {
                self.write_indent();
                self.indicator(":", true, false, true);
            }
            self.place_key_comment(&shape);
            let context = Context {
                mapping: true,
                ..Context::default()
            };
            self.node(value, shape, context, After::Block)?;
        }
        self.meet_end(view, after == After::Key, tail);
        self.write_head_comments();
        self.indent = outer;
        Ok(())
    }

    /// Finds a place for the line comment of a key: behind its value, or
    /// behind its `:` where a block follows.
    fn place_key_comment<V>(&mut self, value: &Shape<'_, V>) {
        if self.pending.key_line.is_none() {
            return;
        }
        match value {
            // Compat: where both have one, the key's waits for a value that
            // has none.
            Shape::Scalar(_) if self.pending.line.is_none() => {
                self.pending.line = self.pending.key_line.take();
            }
            Shape::Sequence(start, _) | Shape::Mapping(start, _) if !start.flow => {
                let own = std::mem::replace(&mut self.pending.line, self.pending.key_line.take());
                self.write_line_comment();
                self.pending.line = own;
            }
            _ => {}
        }
    }

    fn flow_sequence<V: View>(
        &mut self,
        view: &V,
        items: &[V],
        at: Context,
        after: After,
    ) -> Result<(), V::Error> {
        self.indicator("[", true, true, false);
        let outer = self.deepen(at, true, false, false);
        self.flow_level += 1;
        let mut needs_comma = false;
        for item in items {
            let shape = item.shape()?;
            self.meet(item, &shape, false, None);
            self.next_in_flow(needs_comma);
            needs_comma = !self.pending.is_behind();
            self.node(item, shape, Context::default(), After::Flow)?;
        }
        self.meet_end(view, after == After::Key, None);
        self.flow_level -= 1;
        self.indent = outer;
        if self.is_v3() && self.column == 0 {
            self.write_indent();
        }
        self.end_flow("]");
        Ok(())
    }

    fn flow_mapping<V: View>(
        &mut self,
        view: &V,
        entries: &[(V, V)],
        at: Context,
        after: After,
    ) -> Result<(), V::Error> {
        self.indicator("{", true, true, false);
        let outer = self.deepen(at, true, false, false);
        self.flow_level += 1;
        let mut needs_comma = false;
        let mut tail = None;
        for (key, value) in entries {
            let shape = key.shape()?;
            self.meet(key, &shape, true, tail);
            tail = foot(key);
            self.next_in_flow(needs_comma);
            let simple = self.key(key, shape, false)?;
            let shape = value.shape()?;
            self.meet(value, &shape, false, None);
            if simple {
                self.write_indicator(":", false);
            } else {
                if self.column > self.config.width {
                    self.write_indent();
                }
                self.write_indicator(":", true);
            }
            needs_comma = !self.pending.is_behind();
            let context = Context {
                mapping: true,
                ..Context::default()
            };
            self.node(value, shape, context, After::Flow)?;
        }
        self.meet_end(view, after == After::Key, tail);
        let Pending {
            head, foot, tail, ..
        } = &self.pending;
        if needs_comma && (head.is_some() || foot.is_some() || tail.is_some()) {
            self.write_indicator(",", false);
        }
        self.write_head_comments();
        self.flow_level -= 1;
        self.indent = outer;
        self.end_flow("}");
        Ok(())
    }

    /// Writes what stands before an entry within brackets.
    fn next_in_flow(&mut self, needs_comma: bool) {
        if needs_comma {
            self.write_indicator(",", false);
        }
        self.write_head_comments();
        if self.is_v3() && self.column == 0 {
            self.write_indent();
        }
        if self.column > self.config.width {
            self.write_indent();
        }
    }

    fn end_flow(&mut self, bracket: &str) {
        self.write_indicator(bracket, false);
        self.write_line_comment();
        self.write_foot_comment();
    }

    /// Writes a key, behind a `?` where it does not fit before its `:`; says
    /// whether it does.
    fn key<V: View>(
        &mut self,
        view: &V,
        shape: Shape<'_, V>,
        mark_indents: bool,
    ) -> Result<bool, V::Error> {
        /// The longest key that is written before its `:`, in bytes.
        const LONGEST: usize = 128;
        let mut context = Context {
            mapping: true,
            ..Context::default()
        };
        let size = |anchor: Option<&str>, tag: Option<&str>| {
            anchor.map_or(0, str::len) + tag.map_or(0, str::len)
        };
        let simple = match &shape {
            Shape::Scalar(scalar) => {
                let analysis = Analysis::of(&scalar.text, self.config.version);
                context.simple_key = !analysis.multiline
                    && size(scalar.anchor, scalar.tag.as_deref()) + scalar.text.len() <= LONGEST;
                if context.simple_key {
                    self.scalar(scalar, Some(analysis), context);
                    return Ok(true);
                }
                false
            }
            Shape::Alias(name) => name.len() <= LONGEST,
            Shape::Sequence(start, items) => {
                items.is_empty() && size(start.anchor, start.tag.as_deref()) <= LONGEST
            }
            Shape::Mapping(start, entries) => {
                entries.is_empty() && size(start.anchor, start.tag.as_deref()) <= LONGEST
            }
        };
        context.simple_key = simple;
        if !simple {
            self.indicator("?", true, false, mark_indents);
        }
        self.node(view, shape, context, After::Key)?;
        Ok(simple)
    }

    fn properties(&mut self, anchor: Option<&str>, tag: Option<&str>) {
        if let Some(anchor) = anchor {
            self.write_indicator("&", true);
            self.put_str(anchor);
        }
        if let Some(tag) = tag {
            self.write_indicator(tag, true);
        }
    }

    fn scalar(&mut self, scalar: &Scalar<'_>, analysis: Option<Analysis>, at: Context) {
        let analysis = analysis.unwrap_or_else(|| Analysis::of(&scalar.text, self.config.version));
        let style = analysis.style(scalar, self.in_flow(), at.simple_key);
        self.properties(scalar.anchor, scalar.tag.as_deref());
        let outer = self.deepen(at, true, false, false);
        self.write_scalar(&scalar.text, style, !at.simple_key);
        self.indent = outer;
    }
}

fn foot<V: View>(key: &V) -> Option<Arc<str>> {
    key.comments().and_then(|comments| comments.foot.clone())
}
