//! Text to tokens, as the scanner of go-yaml finds them.
//!
//! Indentation becomes tokens of its own ([`Kind::MappingStart`],
//! [`Kind::BlockEnd`]), and a key is known as one only when its `:` is met: its
//! tokens wait in a queue until then. Comments are collected beside the tokens
//! (`comment`), with the place of the token that they belong to.
//!
//! Compat: `scannerc.go` of go.yaml.in/yaml v2.4.2 and v3.0.3. What they take
//! and refuse, and where v3 puts comments, follows from the order in which
//! they look at things; that order is kept here.

mod comment;
mod cursor;
mod property;
mod scalar;

use std::borrow::Cow;
use std::collections::VecDeque;

use super::problem::{Problem, Result};
use super::resolve::Version;
use super::{MAX_DEPTH, Style};
use comment::Comment;
pub(super) use comment::Sort;
use cursor::Cursor;
pub(super) use cursor::Mark;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    StreamEnd,
    DocumentStart,
    DocumentEnd,
    /// `%YAML` or `%TAG`.
    Directive,
    /// The first `-` at a deeper indentation follows.
    SequenceStart,
    /// The first key at a deeper indentation follows.
    MappingStart,
    /// A block collection ends.
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    /// `-`
    Item,
    /// `,`
    Comma,
    /// `?`, or the place where a key without it begins.
    Key,
    /// `:`
    Value,
    Alias,
    Anchor,
    Tag,
    Scalar,
}

/// What a token says beyond its kind.
#[derive(Debug)]
pub(super) enum Content<'a> {
    Nothing,
    /// Of an alias or anchor.
    Name(&'a str),
    Scalar(Cow<'a, str>, Style),
    /// A tag, or a prefix of tags in a directive.
    Tag(Box<Tag<'a>>),
    /// `%YAML`, and whether its version is known.
    Version(bool),
}

/// A tag, or a prefix of tags in a directive.
#[derive(Debug)]
pub(super) struct Tag<'a> {
    /// `!`, `!!` or `!name!`; empty where the tag is written out.
    pub(super) handle: &'a str,
    pub(super) rest: Cow<'a, str>,
}

/// A token and where it begins.
#[derive(Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) mark: Mark,
    pub(super) content: Content<'a>,
}

/// A place where a key may have begun.
struct PossibleKey {
    /// The number of its first token.
    token: u64,
    mark: Mark,
    /// How many brackets it is in.
    flow_level: usize,
    /// Whether nothing but a key may stand there.
    required: bool,
    /// Whether its first token waits until it is known to be a key.
    holds_back: bool,
}

/// Brackets that are open.
struct Bracket {
    /// The number of its token.
    token: u64,
    /// Whether a key may have begun within.
    has_key: bool,
}

/// The tokens of a text.
pub(super) struct Scanner<'a> {
    cursor: Cursor<'a>,
    version: Version,
    tokens: VecDeque<Token<'a>>,
    /// Tokens taken from the queue so far.
    taken: u64,
    /// The last two tokens put at the end of the queue, the newer first.
    recent: [(Kind, Mark); 2],
    /// Whether the first token of the queue can be taken.
    ready: bool,
    /// The column of the innermost block collection; -1 outside of all.
    indent: i64,
    /// Those of the collections around it.
    indents: Vec<i64>,
    brackets: Vec<Bracket>,
    /// Whether a key may begin here.
    key_allowed: bool,
    /// Places where keys may have begun, at most one in each pair of
    /// brackets, outermost first.
    keys: VecDeque<PossibleKey>,
    /// Comments that no token has taken yet, in the order of the text.
    comments: VecDeque<Comment>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str, version: Version) -> Scanner<'a> {
        Scanner {
            cursor: Cursor::new(text),
            version,
            tokens: VecDeque::new(),
            taken: 0,
            recent: [(Kind::StreamEnd, Mark::default()); 2],
            ready: false,
            indent: -1,
            indents: Vec::new(),
            brackets: Vec::new(),
            key_allowed: true,
            keys: VecDeque::new(),
            comments: VecDeque::new(),
        }
    }

    /// The next token, which stays in the queue.
    pub(super) fn peek(&mut self) -> Result<&Token<'a>> {
        while !self.ready {
            if self.needs_more()? {
                self.fetch()?;
            } else {
                self.ready = true;
            }
        }
        match self.tokens.front() {
            Some(token) => Ok(token),
            None => Err(Problem::new("the text ends", self.cursor.mark())),
        }
    }

    /// Takes the token that [`Scanner::peek`] showed.
    pub(super) fn take(&mut self) -> Option<Token<'a>> {
        let token = self.tokens.pop_front()?;
        self.taken += 1;
        // Nothing comes after the end, which may be asked for again.
        self.ready = token.kind == Kind::StreamEnd;
        Some(token)
    }

    /// The next comment, where it belongs to a token at `offset` or before.
    #[inline]
    pub(super) fn comment_before(&mut self, offset: u32, is_end: bool) -> Option<(Sort, String)> {
        let comment = self.comments.front()?;
        if comment.at > offset || (is_end && comment.sort == Sort::Head) {
            return None;
        }
        let comment = self.comments.pop_front()?;
        Some((comment.sort, comment.text))
    }

    /// Whether tokens must be fetched before one can be taken: v3 looks two
    /// further, for the comments there.
    fn needs_more(&mut self) -> Result<bool> {
        if self.recent[0].0 == Kind::StreamEnd && !self.tokens.is_empty() {
            return Ok(false);
        }
        let ahead = match self.version {
            Version::V2 => 0,
            Version::V3 => 2,
        };
        if self.tokens.len() <= ahead {
            return Ok(true);
        }
        // Whether the first token begins a key must be known.
        let index = match self.keys.front() {
            // Most often there is none, or one that is further on.
            None => return Ok(false),
            Some(key) if key.token > self.taken => return Ok(false),
            Some(key) if key.token == self.taken => 0,
            Some(_) => match self.keys.binary_search_by_key(&self.taken, |key| key.token) {
                Ok(index) => index,
                Err(_) => return Ok(false),
            },
        };
        let Some(key) = self.keys.get_mut(index) else {
            return Ok(false);
        };
        if !key.holds_back || is_current(key, &self.cursor) {
            return Ok(key.holds_back);
        }
        if key.required {
            return Err(Problem::no_colon(key.mark));
        }
        key.holds_back = false;
        Ok(false)
    }

    /// Reads the next token, sometimes several.
    fn fetch(&mut self) -> Result<()> {
        let before = self.cursor.mark();
        self.skip_to_token()?;
        if self.indent > i64::from(self.cursor.column()) {
            self.unroll(i64::from(self.cursor.column()), before);
        }
        let mark = self.cursor.mark();
        let byte = self.cursor.byte();
        if byte == 0 {
            return self.stream_end();
        }
        if mark.column == 0 && byte == b'%' {
            self.leave_blocks()?;
            let content = self.directive()?;
            self.push(Kind::Directive, mark, content);
            return Ok(());
        }
        if self.cursor.is_document_marker() {
            self.leave_blocks()?;
            self.cursor.skip_ascii(3);
            let kind = if byte == b'-' {
                Kind::DocumentStart
            } else {
                Kind::DocumentEnd
            };
            self.push(kind, mark, Content::Nothing);
            return Ok(());
        }
        // A comment behind a `:` or `,` belongs to what stands before that.
        let comment_at = match (byte, self.in_flow()) {
            (b':', false) | (b',', true) => self.recent[0].1,
            _ => mark,
        };
        self.fetch_content(byte, mark)?;
        if !matches!(self.cursor.byte(), b' ' | b'\t' | b'#') {
            return Ok(());
        }
        match self.recent[0] {
            // One behind a `-` alone belongs to what follows.
            (Kind::Item, _) => {}
            // A `:` that was read with its key.
            (Kind::Value, value) if value.offset > mark.offset && self.in_flow() => {
                self.line_comment(value);
            }
            _ => self.line_comment(comment_at),
        }
        Ok(())
    }

    fn fetch_content(&mut self, byte: u8, mark: Mark) -> Result<()> {
        let in_flow = self.in_flow();
        match byte {
            b'[' => self.flow_start(Kind::FlowSequenceStart, mark),
            b'{' => self.flow_start(Kind::FlowMappingStart, mark),
            b']' => self.flow_end(Kind::FlowSequenceEnd, mark),
            b'}' => self.flow_end(Kind::FlowMappingEnd, mark),
            b',' => {
                self.forget_key()?;
                self.key_allowed = true;
                self.indicator(Kind::Comma, mark);
                Ok(())
            }
            b'-' if self.cursor.ends_word_at(1) => self.item(mark),
            b'?' if in_flow || self.cursor.ends_word_at(1) => self.key(mark),
            b':' if in_flow || self.cursor.ends_word_at(1) => self.value(mark),
            b'*' | b'&' => {
                self.may_be_key(mark)?;
                self.key_allowed = false;
                let kind = if byte == b'*' {
                    Kind::Alias
                } else {
                    Kind::Anchor
                };
                let name = self.anchor_name(byte, mark)?;
                self.push(kind, mark, Content::Name(name));
                Ok(())
            }
            b'!' => {
                self.may_be_key(mark)?;
                self.key_allowed = false;
                let tag = self.tag(mark)?;
                self.push(Kind::Tag, mark, Content::Tag(Box::new(tag)));
                Ok(())
            }
            b'|' | b'>' if !in_flow => {
                self.forget_key()?;
                self.key_allowed = true;
                let (text, style) = self.block_scalar(mark)?;
                self.push(Kind::Scalar, mark, Content::Scalar(text, style));
                Ok(())
            }
            b'\'' | b'"' => {
                let (text, style) = self.quoted_scalar(mark)?;
                self.flow_scalar(mark, text, style)?;
                self.key_allowed = false;
                Ok(())
            }
            b' ' | b'\t' | b'#' | b'|' | b'>' | b'%' | b'@' | b'`' => {
                Err(Problem::no_token(self.cursor.char(), mark))
            }
            _ => {
                let (text, folded) = self.plain_scalar(mark)?;
                self.flow_scalar(mark, text, Style::Plain)?;
                self.key_allowed = folded;
                Ok(())
            }
        }
    }

    /// Pushes a scalar that was just read; with its `:`, if one follows, so
    /// that most keys need not wait to be known as such.
    fn flow_scalar(&mut self, mark: Mark, text: Cow<'a, str>, style: Style) -> Result<()> {
        let content = Content::Scalar(text, style);
        if !self.key_allowed {
            self.push(Kind::Scalar, mark, content);
            return Ok(());
        }
        let blanks = self.cursor.blanks();
        let is_key = self.cursor.byte_at(blanks) == b':'
            && is_key_at(mark, &self.cursor, blanks)
            && (self.in_flow() || self.cursor.ends_word_at(blanks + 1));
        if !is_key {
            self.may_be_key(mark)?;
            self.push(Kind::Scalar, mark, content);
            return Ok(());
        }
        self.forget_key()?;
        if let Some(bracket) = self.brackets.last_mut() {
            bracket.has_key = true;
        }
        self.roll(mark, None, Kind::MappingStart)?;
        self.push(Kind::Key, mark, Content::Nothing);
        self.push(Kind::Scalar, mark, content);
        self.cursor.skip_blanks(true);
        self.indicator(Kind::Value, self.cursor.mark());
        Ok(())
    }

    /// Passes blanks, comments and line breaks.
    fn skip_to_token(&mut self) -> Result<()> {
        let before = self.cursor.mark();
        loop {
            // Tabs are no indentation.
            self.cursor
                .skip_blanks(!self.brackets.is_empty() || !self.key_allowed);
            if self.recent[0].0 == Kind::Item {
                self.raise_comment();
            }
            if self.cursor.byte() == b'#' {
                match self.version {
                    Version::V2 => {
                        self.cursor.skip_line();
                    }
                    Version::V3 => self.scan_comments(before),
                }
            }
            if !self.cursor.is_break() {
                return Ok(());
            }
            self.cursor.skip_break();
            if !self.in_flow() {
                self.key_allowed = true;
            }
        }
    }

    // The queue.

    /// The number of the token that comes next.
    fn next_number(&self) -> u64 {
        self.taken + self.tokens.len() as u64
    }

    pub(super) fn in_flow(&self) -> bool {
        !self.brackets.is_empty()
    }

    fn push(&mut self, kind: Kind, mark: Mark, content: Content<'a>) {
        self.recent = [(kind, mark), self.recent[0]];
        self.tokens.push_back(Token {
            kind,
            mark,
            content,
        });
    }

    /// Passes a character and pushes the token that it is.
    fn indicator(&mut self, kind: Kind, mark: Mark) {
        self.cursor.skip_ascii(1);
        self.push(kind, mark, Content::Nothing);
    }

    // Indentation.

    /// Begins a block collection if this column is deeper than the one
    /// around; `token` is the number of the token it goes before, the end of
    /// the queue where there is none.
    fn roll(&mut self, mark: Mark, token: Option<u64>, kind: Kind) -> Result<()> {
        let column = i64::from(mark.column);
        if self.in_flow() || self.indent >= column {
            return Ok(());
        }
        self.indents.push(self.indent);
        self.indent = column;
        if self.indents.len() > MAX_DEPTH {
            return Err(Problem::too_deep(mark));
        }
        match token {
            None => self.push(kind, mark, Content::Nothing),
            Some(number) => self.insert(number, kind, mark),
        }
        Ok(())
    }

    fn insert(&mut self, number: u64, kind: Kind, mark: Mark) {
        let token = Token {
            kind,
            mark,
            content: Content::Nothing,
        };
        let index = number
            .checked_sub(self.taken)
            .and_then(|index| usize::try_from(index).ok())
            .filter(|index| *index <= self.tokens.len());
        match index {
            Some(index) => self.tokens.insert(index, token),
            // Compat: too late for it; the grammar will refuse it.
            None => self.tokens.push_back(token),
        }
    }

    /// Ends the block collections that are deeper than this column; `before`
    /// is the place behind the last token.
    ///
    /// A collection ends before the comments in its own column that follow
    /// it, so that these are its own.
    fn unroll(&mut self, column: i64, before: Mark) {
        if self.in_flow() || self.indent <= column {
            return;
        }
        let mut end = i64::from(before.offset) - 1;
        let mut end_mark = before;
        while self.indent > column {
            let mut stop = end;
            for comment in self.comments.iter().rev() {
                if i64::from(comment.end) < stop {
                    break;
                }
                if i64::from(comment.start.column) == self.indent {
                    end = i64::from(comment.start.offset);
                    end_mark = comment.start;
                }
                // Nothing but blanks may stand between this comment and the
                // one before it.
                stop = i64::from(comment.scanned_from);
            }
            let mark = Mark {
                // Where the text begins with the end, nothing precedes it.
                offset: u32::try_from(end).unwrap_or(0),
                ..end_mark
            };
            self.push(Kind::BlockEnd, mark, Content::Nothing);
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    /// Ends all block collections, before something that no key holds.
    fn leave_blocks(&mut self) -> Result<()> {
        let mark = self.cursor.mark();
        self.unroll(-1, mark);
        self.forget_key()?;
        self.key_allowed = false;
        Ok(())
    }

    fn stream_end(&mut self) -> Result<()> {
        let mut mark = self.cursor.mark();
        if mark.column != 0 {
            mark.column = 0;
            mark.line += 1;
        }
        self.unroll(-1, mark);
        self.forget_key()?;
        self.key_allowed = false;
        self.push(Kind::StreamEnd, mark, Content::Nothing);
        Ok(())
    }

    // Keys.

    /// Remembers that a key may begin here.
    fn may_be_key(&mut self, mark: Mark) -> Result<()> {
        if !self.key_allowed {
            return Ok(());
        }
        self.forget_key()?;
        let token = self.next_number();
        if let Some(bracket) = self.brackets.last_mut() {
            bracket.has_key = true;
        }
        self.keys.push_back(PossibleKey {
            token,
            mark,
            flow_level: self.brackets.len(),
            required: !self.in_flow() && self.indent == i64::from(mark.column),
            holds_back: true,
        });
        Ok(())
    }

    /// The place where a key may have begun within these brackets.
    fn take_possible_key(&mut self) -> Option<PossibleKey> {
        self.keys
            .pop_back_if(|key| key.flow_level == self.brackets.len())
    }

    /// What may have begun as a key was none.
    fn forget_key(&mut self) -> Result<()> {
        match self.take_possible_key() {
            Some(key) if key.required => Err(Problem::no_colon(key.mark)),
            _ => Ok(()),
        }
    }

    // Indicators.

    fn flow_start(&mut self, kind: Kind, mark: Mark) -> Result<()> {
        self.may_be_key(mark)?;
        let token = self.next_number();
        self.brackets.push(Bracket {
            token,
            has_key: false,
        });
        if self.brackets.len() > MAX_DEPTH {
            return Err(Problem::too_deep(mark));
        }
        self.key_allowed = true;
        self.indicator(kind, mark);
        Ok(())
    }

    fn flow_end(&mut self, kind: Kind, mark: Mark) -> Result<()> {
        self.forget_key()?;
        // Compat: a collection in which no key could begin, as `{}`, holds
        // nothing back, so that `{}: a` is no mapping unless the `:` is met
        // while looking ahead.
        if let Some(bracket) = self.brackets.pop()
            && !bracket.has_key
            && let Some(key) = self.keys.back_mut()
            && key.token == bracket.token
        {
            key.holds_back = false;
        }
        self.key_allowed = false;
        self.indicator(kind, mark);
        Ok(())
    }

    fn item(&mut self, mark: Mark) -> Result<()> {
        if !self.in_flow() {
            if !self.key_allowed {
                return Err(Problem::no_item(mark));
            }
            self.roll(mark, None, Kind::SequenceStart)?;
        }
        self.forget_key()?;
        self.key_allowed = true;
        self.indicator(Kind::Item, mark);
        Ok(())
    }

    fn key(&mut self, mark: Mark) -> Result<()> {
        if !self.in_flow() {
            if !self.key_allowed {
                return Err(Problem::new("a key cannot begin here", mark)
                    .help("begin the mapping on a line of its own, or put the value in quotes"));
            }
            self.roll(mark, None, Kind::MappingStart)?;
        }
        self.forget_key()?;
        self.key_allowed = !self.in_flow();
        self.indicator(Kind::Key, mark);
        Ok(())
    }

    fn value(&mut self, mark: Mark) -> Result<()> {
        match self.take_possible_key() {
            Some(key) if is_current(&key, &self.cursor) => {
                self.insert(key.token, Kind::Key, key.mark);
                self.roll(key.mark, Some(key.token), Kind::MappingStart)?;
                self.key_allowed = false;
            }
            Some(key) if key.required => return Err(Problem::no_colon(key.mark)),
            _ => {
                if !self.in_flow() {
                    if !self.key_allowed {
                        return Err(Problem::no_value(mark, self.recent[0].1));
                    }
                    self.roll(mark, None, Kind::MappingStart)?;
                }
                self.key_allowed = !self.in_flow();
            }
        }
        self.indicator(Kind::Value, mark);
        Ok(())
    }
}

/// Whether what began there can still turn out to be a key: keys without `?`
/// are of one line, and of at most 1024 characters.
fn is_current(key: &PossibleKey, cursor: &Cursor<'_>) -> bool {
    is_key_at(key.mark, cursor, 0)
}

/// Whether a `:` that is so many blanks behind the cursor can end a key that
/// begins there.
fn is_key_at(key: Mark, cursor: &Cursor<'_>, blanks: usize) -> bool {
    key.line == cursor.line() && (cursor.column() - key.column) as usize + blanks <= 1024
}
