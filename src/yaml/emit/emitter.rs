//! The emitter below both printers: indentation, indicators, line breaks.
//!
//! Compat: `emitterc.go` of go.yaml.in/yaml v2.4.2 and v3.0.3, which follow
//! libyaml. Its rules hang on three facts about what was just written (the
//! column, whether it was a blank, whether only indentation stands on the
//! line), so those are kept here as they are there.

use std::borrow::Cow;

use super::super::Style;
use super::super::resolve::Version;
use super::scalar::Analysis;

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
    pub(super) tag: Option<&'a str>,
    pub(super) anchor: Option<&'a str>,
}

/// How a collection begins.
#[derive(Clone, Copy, Default)]
pub(super) struct Start<'a> {
    pub(super) flow: bool,
    pub(super) tag: Option<&'a str>,
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
        }
    }

    /// Writes a document without markers.
    pub(super) fn document<V: View>(&mut self, root: &V) -> Result<(), V::Error> {
        self.node(root.shape()?, Context::default())?;
        self.write_indent();
        Ok(())
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
        while self.column < indent {
            self.put(' ');
        }
        self.whitespace = true;
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

    // Nodes.

    fn node<V: View>(&mut self, shape: Shape<'_, V>, at: Context) -> Result<(), V::Error> {
        match shape {
            Shape::Scalar(scalar) => self.scalar(&scalar, None, at),
            Shape::Alias(name) => {
                self.write_indicator("*", true);
                self.put_str(name);
            }
            Shape::Sequence(start, items) => {
                self.properties(start.anchor, start.tag);
                if start.flow || self.in_flow() || items.is_empty() {
                    self.flow_sequence(&items, at)?;
                } else {
                    self.block_sequence(&items, at)?;
                }
            }
            Shape::Mapping(start, entries) => {
                self.properties(start.anchor, start.tag);
                if start.flow || self.in_flow() || entries.is_empty() {
                    self.flow_mapping(&entries, at)?;
                } else {
                    self.block_mapping(&entries, at)?;
                }
            }
        }
        Ok(())
    }

    fn block_sequence<V: View>(&mut self, items: &[V], at: Context) -> Result<(), V::Error> {
        let outer = if self.is_v3() {
            let compact =
                self.config.compact && at.mapping && (self.column == 0 || !self.indention);
            self.deepen(at, false, false, compact)
        } else {
            self.deepen(at, false, at.mapping && !self.indention, false)
        };
        for item in items {
            self.write_indent();
            self.indicator("-", true, false, true);
            let context = Context {
                block_item: true,
                ..Context::default()
            };
            self.node(item.shape()?, context)?;
        }
        self.indent = outer;
        Ok(())
    }

    fn block_mapping<V: View>(&mut self, entries: &[(V, V)], at: Context) -> Result<(), V::Error> {
        let outer = self.deepen(at, false, false, false);
        for (key, value) in entries {
            self.write_indent();
            let simple = self.key(key.shape()?, "?", true)?;
            if simple {
                self.write_indicator(":", false);
            } else {
                self.write_indent();
                self.indicator(":", true, false, true);
            }
            let context = Context {
                mapping: true,
                ..Context::default()
            };
            self.node(value.shape()?, context)?;
        }
        self.indent = outer;
        Ok(())
    }

    fn flow_sequence<V: View>(&mut self, items: &[V], at: Context) -> Result<(), V::Error> {
        self.indicator("[", true, true, false);
        let outer = self.deepen(at, true, false, false);
        self.flow_level += 1;
        for (i, item) in items.iter().enumerate() {
            self.next_in_flow(i);
            self.node(item.shape()?, Context::default())?;
        }
        self.end_flow(outer, "]");
        Ok(())
    }

    fn flow_mapping<V: View>(&mut self, entries: &[(V, V)], at: Context) -> Result<(), V::Error> {
        self.indicator("{", true, true, false);
        let outer = self.deepen(at, true, false, false);
        self.flow_level += 1;
        for (i, (key, value)) in entries.iter().enumerate() {
            self.next_in_flow(i);
            let simple = self.key(key.shape()?, "?", false)?;
            if simple {
                self.write_indicator(":", false);
            } else {
                if self.column > self.config.width {
                    self.write_indent();
                }
                self.write_indicator(":", true);
            }
            let context = Context {
                mapping: true,
                ..Context::default()
            };
            self.node(value.shape()?, context)?;
        }
        self.end_flow(outer, "}");
        Ok(())
    }

    fn next_in_flow(&mut self, index: usize) {
        if index > 0 {
            self.write_indicator(",", false);
        }
        if self.column > self.config.width {
            self.write_indent();
        }
    }

    fn end_flow(&mut self, outer: Option<usize>, bracket: &str) {
        self.flow_level -= 1;
        self.indent = outer;
        self.write_indicator(bracket, false);
    }

    /// Writes a key, behind `mark` where it does not fit before its `:`; says
    /// whether it does.
    fn key<V: View>(
        &mut self,
        shape: Shape<'_, V>,
        mark: &str,
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
                    && size(scalar.anchor, scalar.tag) + scalar.text.len() <= LONGEST;
                if context.simple_key {
                    self.scalar(scalar, Some(analysis), context);
                    return Ok(true);
                }
                false
            }
            Shape::Alias(name) => name.len() <= LONGEST,
            Shape::Sequence(start, items) => {
                items.is_empty() && size(start.anchor, start.tag) <= LONGEST
            }
            Shape::Mapping(start, entries) => {
                entries.is_empty() && size(start.anchor, start.tag) <= LONGEST
            }
        };
        context.simple_key = simple;
        if !simple {
            self.indicator(mark, true, false, mark_indents);
        }
        self.node(shape, context)?;
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
        self.properties(scalar.anchor, scalar.tag);
        let outer = self.deepen(at, true, false, false);
        self.write_scalar(&scalar.text, style, !at.simple_key);
        self.indent = outer;
    }
}
