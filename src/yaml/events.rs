//! The events of the YAML parser crate, in this module's own terms.
//!
//! The only place that knows the crate (see `docs/architecture.md`): its
//! options, its error type, and the points in which it reads more than
//! go-yaml does.

use std::borrow::Cow;
use std::sync::Arc;

use granit_parser as granit;

use super::{Style, Tag};
use crate::diag::{Error, FileId, Result, Span};

/// A tag as written: its kind, and its text where it is none of YAML's own.
pub(super) type WrittenTag = (Tag, Option<Arc<str>>);

/// A scalar event.
pub(super) struct Scalar<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) style: Style,
    pub(super) tag: Option<WrittenTag>,
    /// The number of the anchor on it, 0 for none.
    pub(super) anchor: usize,
    /// Whether nothing was written, as in `a:`.
    pub(super) omitted: bool,
}

/// The start of a collection.
pub(super) struct Start {
    pub(super) flow: bool,
    pub(super) tag: Option<WrittenTag>,
    /// The number of the anchor on it, 0 for none.
    pub(super) anchor: usize,
}

/// What the parser meets, in order.
pub(super) enum Event<'a> {
    DocumentStart,
    DocumentEnd,
    Scalar(Scalar<'a>),
    SequenceStart(Start),
    SequenceEnd,
    MappingStart(Start),
    MappingEnd,
    /// A reference to the anchor with this number.
    Alias(usize),
    /// The name of the anchor on the node before.
    Anchor(usize, Cow<'a, str>),
    /// A comment, from its `#` on; whether it has a line of its own.
    #[expect(dead_code, reason = "attached to nodes next")]
    Comment(Cow<'a, str>, bool),
}

/// The events of a text.
pub(super) struct Events<'a> {
    parser: granit::Parser<'a, granit::StrInput<'a>>,
    text: &'a str,
    file: FileId,
}

impl<'a> Events<'a> {
    pub(super) fn new(text: &'a str, file: FileId) -> Events<'a> {
        let options = granit::options! {
            bom_inside_document_as_content: true,
            block_scalar_eof_without_line_feed: true,
            emit_anchor_events: true,
            max_buffered_comment_events: usize::MAX,
            flow_nesting_limit: super::MAX_DEPTH,
            block_nesting_limit: super::MAX_DEPTH,
        };
        Events {
            parser: granit::Parser::new_from_str_with_options(text, options),
            text,
            file,
        }
    }

    /// The next event and where it is; none at the end of the text.
    pub(super) fn next(&mut self) -> Result<Option<(Event<'a>, Span)>> {
        loop {
            let Some(next) = self.parser.next() else {
                return Ok(None);
            };
            let (event, at) = next.map_err(|e| self.error(&e))?;
            let span = self.span(at.start);
            let event = match event {
                granit::Event::StreamEnd => return Ok(None),
                granit::Event::DocumentStart(..) => Event::DocumentStart,
                granit::Event::DocumentEnd => Event::DocumentEnd,
                granit::Event::Scalar(text, style, anchor, tag) => {
                    let style = match style {
                        granit::ScalarStyle::Plain => Style::Plain,
                        granit::ScalarStyle::SingleQuoted => Style::SingleQuoted,
                        granit::ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
                        granit::ScalarStyle::Literal => Style::Literal,
                        granit::ScalarStyle::Folded => Style::Folded,
                    };
                    if style == Style::DoubleQuoted && matches!(text, Cow::Owned(_)) {
                        self.check_escapes(at, span)?;
                    }
                    let omitted = style == Style::Plain && at.is_empty();
                    Event::Scalar(Scalar {
                        text: if omitted { Cow::Borrowed("") } else { text },
                        style,
                        tag: tag.map(|t| written_tag(&t)),
                        anchor,
                        omitted,
                    })
                }
                granit::Event::SequenceStart(style, anchor, tag) => {
                    Event::SequenceStart(start(style, anchor, tag))
                }
                granit::Event::SequenceEnd => Event::SequenceEnd,
                granit::Event::MappingStart(style, anchor, tag) => {
                    Event::MappingStart(start(style, anchor, tag))
                }
                granit::Event::MappingEnd => Event::MappingEnd,
                granit::Event::Alias(id) => Event::Alias(id),
                granit::Event::Anchor(id, name) => Event::Anchor(id, name),
                granit::Event::Comment(_, placement) => Event::Comment(
                    Cow::Borrowed(at.slice(self.text).unwrap_or_default()),
                    placement != granit::Placement::Right,
                ),
                _ => continue,
            };
            return Ok(Some((event, span)));
        }
    }

    fn span(&self, mark: granit::Marker) -> Span {
        Span::new(self.file, number(mark.line()), number(mark.col() + 1))
    }

    /// Refuses the escapes of JSON that libyaml does not know.
    ///
    /// Compat: `scannerc.go` `yaml_parser_scan_flow_scalar`: `\/` is an
    /// unknown escape there, and a surrogate half no character.
    fn check_escapes(&self, at: granit::Span, span: Span) -> Result<()> {
        let source = at.slice(self.text).unwrap_or_default().as_bytes();
        let mut i = 0;
        while let Some(offset) = source[i..].iter().position(|b| *b == b'\\') {
            i += offset + 1;
            let problem = match source.get(i) {
                Some(b'/') => Some("unknown escape `\\/` in a double-quoted string"),
                Some(b'u') if is_surrogate(&source[i + 1..]) => {
                    Some("a surrogate half is no character of its own")
                }
                _ => None,
            };
            if let Some(problem) = problem {
                return Err(Error::new("yaml/invalid", problem)
                    .at(span)
                    .help("write the character itself"));
            }
            i += 1;
        }
        Ok(())
    }

    fn error(&self, error: &granit::ScanError) -> Error {
        Error::new("yaml/invalid", error.info()).at(self.span(*error.marker()))
    }
}

fn is_surrogate(digits: &[u8]) -> bool {
    matches!(
        digits,
        [b'd' | b'D', b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F', ..]
    )
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn start(style: granit::StructureStyle, anchor: usize, tag: Option<Cow<'_, granit::Tag>>) -> Start {
    Start {
        flow: style == granit::StructureStyle::Flow,
        tag: tag.map(|t| written_tag(&t)),
        anchor,
    }
}

fn written_tag(tag: &granit::Tag) -> WrittenTag {
    const CORE: &str = "tag:yaml.org,2002:";
    let whole = format!("{}{}", tag.handle(), tag.suffix());
    match whole.strip_prefix(CORE) {
        Some(suffix) => match Tag::of_core_suffix(suffix) {
            Tag::Other => (Tag::Other, Some(format!("!!{suffix}").into())),
            known => (known, None),
        },
        None => (Tag::Other, Some(whole.into())),
    }
}
