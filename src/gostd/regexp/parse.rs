//! Go's syntax to a tree.
//!
//! Compat: `regexp/syntax/parse.go` with the flags that `regexp.Compile` sets
//! (Perl's extensions, one line, `\p{…}`). A repetition takes whatever was
//! read last, so that `a(?i)*` repeats the `a`; flags last to the end of the
//! group, over every `|`.

use super::names::{self, Property};
use super::tree::{Class, Item, Kind, Limit, Look, Node};
use super::{ErrorKind, SyntaxError};

/// The most that a counted repetition may ask for.
const MAX_REPEAT: u32 = 1000;

/// A tree and the names of its groups; the first, the whole match, has none.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) tree: Node,
    pub(super) groups: Vec<Option<String>>,
}

/// Parses a pattern.
pub(super) fn parse(pattern: &str) -> Result<Parsed> {
    let mut parser = Parser {
        whole: pattern,
        rest: pattern,
        flags: Flags::default(),
        group: Group::default(),
        outer: Vec::new(),
        groups: vec![None],
    };
    parser.run()?;
    if !parser.outer.is_empty() {
        return Err(SyntaxError::new(ErrorKind::MissingParen, pattern));
    }
    let tree = std::mem::take(&mut parser.group)
        .into_node()
        .map_err(|limit| parser.limit(limit, pattern))?;
    Ok(Parsed {
        tree,
        groups: parser.groups,
    })
}

type Result<T> = std::result::Result<T, SyntaxError>;

/// `(?i)`, `(?m)`, `(?s)`, `(?U)`.
#[derive(Clone, Copy, Debug, Default)]
struct Flags {
    fold: bool,
    multi_line: bool,
    dot_all: bool,
    swap_greed: bool,
}

/// A group that is not closed yet, or the whole pattern.
#[derive(Debug, Default)]
struct Group {
    /// Its number, if it captures.
    capture: Option<usize>,
    /// The flags that hold again after it.
    flags: Flags,
    alternatives: Vec<Node>,
    /// What was read since the last `|`.
    sequence: Vec<Node>,
}

impl Group {
    fn next_alternative(&mut self) -> std::result::Result<(), Limit> {
        let sequence = std::mem::take(&mut self.sequence);
        self.alternatives.push(Node::concat(sequence)?);
        Ok(())
    }

    fn into_node(mut self) -> std::result::Result<Node, Limit> {
        self.next_alternative()?;
        let node = Node::alternate(self.alternatives)?;
        match self.capture {
            Some(index) => Node::capture(index, node),
            None => Ok(node),
        }
    }
}

struct Parser<'p> {
    whole: &'p str,
    rest: &'p str,
    flags: Flags,
    group: Group,
    outer: Vec<Group>,
    groups: Vec<Option<String>>,
}

impl<'p> Parser<'p> {
    fn run(&mut self) -> Result<()> {
        // The last thing read, if it was a repetition.
        let mut last_repeat: Option<&'p str> = None;
        while let Some(c) = self.peek() {
            let from = self.rest;
            let mut repeat = None;
            match c {
                '(' if from.starts_with("(?") => self.flags_or_group()?,
                '(' => {
                    self.skip(1);
                    self.open_capture(None);
                }
                ')' => {
                    self.skip(1);
                    self.close_group()?;
                }
                '|' => {
                    self.skip(1);
                    let done = self.group.next_alternative();
                    done.map_err(|limit| self.limit(limit, self.whole))?;
                }
                '^' => {
                    self.skip(1);
                    self.look(if self.flags.multi_line {
                        Look::LineStart
                    } else {
                        Look::TextStart
                    });
                }
                '$' => {
                    self.skip(1);
                    self.look(if self.flags.multi_line {
                        Look::LineEnd
                    } else {
                        Look::TextEnd
                    });
                }
                '.' => {
                    self.skip(1);
                    let line_feed = self.flags.dot_all;
                    self.push(Node::leaf(Kind::Any { line_feed }));
                }
                '[' => self.class()?,
                '*' | '+' | '?' => {
                    self.skip(1);
                    let (min, max) = match c {
                        '*' => (0, None),
                        '+' => (1, None),
                        _ => (0, Some(1)),
                    };
                    self.repeat(from, last_repeat, |node, greedy| {
                        Node::repeat(node, min, max, greedy)
                    })?;
                    repeat = Some(from);
                }
                '{' => match counts(from) {
                    None => {
                        self.skip(1);
                        self.literal('{');
                    }
                    Some(counts) => {
                        self.rest = counts.rest;
                        let Some((min, max)) = counts.valid() else {
                            return Err(self.error_since(from, ErrorKind::InvalidRepeatSize));
                        };
                        self.repeat(from, last_repeat, |node, greedy| {
                            Node::counted(node, min, max, greedy)
                        })?;
                        repeat = Some(from);
                    }
                },
                '\\' => self.escape()?,
                c => {
                    self.skip(c.len_utf8());
                    self.literal(c);
                }
            }
            last_repeat = repeat;
        }
        Ok(())
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.skip(c.len_utf8());
        Some(c)
    }

    /// Goes on by so many bytes; the caller has looked at them.
    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    fn error_since(&self, from: &str, kind: ErrorKind) -> SyntaxError {
        let read = from.len() - self.rest.len();
        SyntaxError::new(kind, from.get(..read).unwrap_or(from))
    }

    fn limit(&self, limit: Limit, repetition: &str) -> SyntaxError {
        match limit {
            Limit::Height => SyntaxError::new(ErrorKind::NestingDepth, self.whole),
            Limit::Size => SyntaxError::new(ErrorKind::Large, self.whole),
            Limit::Copies => SyntaxError::new(ErrorKind::InvalidRepeatSize, repetition),
        }
    }

    fn push(&mut self, node: Node) {
        self.group.sequence.push(node);
    }

    fn look(&mut self, look: Look) {
        self.push(Node::leaf(Kind::Look(look)));
    }

    fn literal(&mut self, c: char) {
        self.push(Node::literal(c, self.flags.fold));
    }

    fn open_capture(&mut self, name: Option<String>) {
        let capture = Some(self.groups.len());
        self.groups.push(name);
        self.open(capture);
    }

    fn open(&mut self, capture: Option<usize>) {
        let group = Group {
            capture,
            flags: self.flags,
            ..Group::default()
        };
        self.outer.push(std::mem::replace(&mut self.group, group));
    }

    fn close_group(&mut self) -> Result<()> {
        let Some(outer) = self.outer.pop() else {
            return Err(SyntaxError::new(ErrorKind::UnexpectedParen, self.whole));
        };
        let group = std::mem::replace(&mut self.group, outer);
        self.flags = group.flags;
        let node = group
            .into_node()
            .map_err(|limit| self.limit(limit, self.whole))?;
        self.push(node);
        Ok(())
    }

    /// Repeats what was read last. `from` begins with the operator, which is
    /// read already.
    fn repeat(
        &mut self,
        from: &'p str,
        last_repeat: Option<&'p str>,
        make: impl FnOnce(Node, bool) -> std::result::Result<Node, Limit>,
    ) -> Result<()> {
        let mut greedy = !self.flags.swap_greed;
        if self.rest.starts_with('?') {
            self.skip(1);
            greedy = !greedy;
        }
        if let Some(last_repeat) = last_repeat {
            return Err(self.error_since(last_repeat, ErrorKind::InvalidRepeatOp));
        }
        let Some(node) = self.group.sequence.pop() else {
            return Err(self.error_since(from, ErrorKind::MissingRepeatArgument));
        };
        let operator = self.error_since(from, ErrorKind::InvalidRepeatSize);
        let node = make(node, greedy).map_err(|limit| self.limit(limit, operator.expression()))?;
        self.push(node);
        Ok(())
    }

    /// What begins with `(?`: flags, or a group that is named or captures not.
    fn flags_or_group(&mut self) -> Result<()> {
        let from = self.rest;
        // Compat: a lone `(?<` or `(?P<` at the end is read as flags.
        for prefix in ["(?P<", "(?<"] {
            if from.len() > prefix.len() && from.starts_with(prefix) {
                return self.named_group(prefix.len());
            }
        }
        self.skip(2);
        let mut flags = self.flags;
        let mut value = true;
        let mut is_set = false;
        while let Some(c) = self.next() {
            let flag = match c {
                'i' => &mut flags.fold,
                'm' => &mut flags.multi_line,
                's' => &mut flags.dot_all,
                'U' => &mut flags.swap_greed,
                '-' if value => {
                    value = false;
                    is_set = false;
                    continue;
                }
                ':' | ')' if value || is_set => {
                    if c == ':' {
                        self.open(None);
                    }
                    self.flags = flags;
                    return Ok(());
                }
                _ => break,
            };
            *flag = value;
            is_set = true;
        }
        Err(self.error_since(from, ErrorKind::InvalidPerlOp))
    }

    fn named_group(&mut self, prefix_bytes: usize) -> Result<()> {
        let from = self.rest;
        let Some(end) = from.find('>') else {
            return Err(SyntaxError::new(ErrorKind::InvalidNamedCapture, from));
        };
        self.skip(end + 1);
        let name = from.get(prefix_bytes..end).unwrap_or_default();
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(self.error_since(from, ErrorKind::InvalidNamedCapture));
        }
        self.open_capture(Some(name.to_owned()));
        Ok(())
    }

    /// What begins with a backslash, outside of a class.
    fn escape(&mut self) -> Result<()> {
        let from = self.rest;
        let look = match from.as_bytes().get(1) {
            Some(b'A') => Look::TextStart,
            Some(b'z') => Look::TextEnd,
            Some(b'b') => Look::WordBoundary,
            Some(b'B') => Look::NotWordBoundary,
            Some(b'Q') => {
                self.skip(2);
                let (literal, rest) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
                self.rest = rest;
                for c in literal.chars() {
                    self.literal(c);
                }
                return Ok(());
            }
            _ => {
                if let Some(item) = self.class_escape()? {
                    self.push(Node::leaf(Kind::Class(Class {
                        negated: false,
                        fold: self.flags.fold,
                        items: vec![item],
                    })));
                } else {
                    let c = char::from_u32(self.character_escape()?);
                    let fold = self.flags.fold;
                    self.push(Node::leaf(Kind::Literal { c, fold }));
                }
                return Ok(());
            }
        };
        self.skip(2);
        self.look(look);
        Ok(())
    }

    /// `\d`, `\pL` and the like; none if the escape stands for one character.
    fn class_escape(&mut self) -> Result<Option<Item>> {
        let Some(&letter) = self.rest.as_bytes().get(1) else {
            return Ok(None);
        };
        if letter == b'p' || letter == b'P' {
            return self.unicode_class(letter == b'P').map(Some);
        }
        let Some(ranges) = names::perl_class(letter.to_ascii_lowercase()) else {
            return Ok(None);
        };
        self.skip(2);
        Ok(Some(Item::Ascii {
            ranges,
            negated: letter.is_ascii_uppercase(),
        }))
    }

    /// `\pL`, `\p{Greek}`, `\p{^Greek}`.
    fn unicode_class(&mut self, mut negated: bool) -> Result<Item> {
        let from = self.rest;
        self.skip(2);
        let name = match self.next() {
            Some('{') => {
                let Some((name, rest)) = self.rest.split_once('}') else {
                    return Err(SyntaxError::new(ErrorKind::InvalidCharRange, from));
                };
                self.rest = rest;
                name
            }
            Some(c) => from.get(2..2 + c.len_utf8()).unwrap_or_default(),
            None => "",
        };
        let name = match name.strip_prefix('^') {
            Some(name) => {
                negated = !negated;
                name
            }
            None => name,
        };
        match names::property(name) {
            Some(Property::Surrogates) if negated => Ok(Item::Range(0, u32::from(char::MAX))),
            Some(Property::Surrogates) => Ok(Item::Range(0xd800, 0xdfff)),
            Some(Property::Named(property)) => Ok(Item::Unicode { property, negated }),
            None => Err(self.error_since(from, ErrorKind::InvalidCharRange)),
        }
    }

    /// An escape that stands for one character; it may be a surrogate.
    fn character_escape(&mut self) -> Result<u32> {
        let from = self.rest;
        self.skip(1);
        let Some(c) = self.next() else {
            return Err(SyntaxError::new(ErrorKind::TrailingBackslash, ""));
        };
        let invalid = |parser: &Self| Err(parser.error_since(from, ErrorKind::InvalidEscape));
        Ok(u32::from(match c {
            '0'..='7' => {
                let digits = self.rest.bytes().take(2);
                let more = digits.take_while(|b| matches!(b, b'0'..=b'7')).count();
                if c != '0' && more == 0 {
                    // A back-reference.
                    return invalid(self);
                }
                self.skip(more);
                let digits = from.get(1..2 + more).unwrap_or_default();
                return Ok(u32::from_str_radix(digits, 8).unwrap_or_default());
            }
            'x' => {
                return match self.hexadecimal() {
                    Some(c) => Ok(c),
                    None => invalid(self),
                };
            }
            'a' => '\x07',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => c,
            _ => return invalid(self),
        }))
    }

    /// What follows `\x`. Reads up to and with what is wrong.
    fn hexadecimal(&mut self) -> Option<u32> {
        let digit = |c: Option<char>| c.and_then(|c| c.to_digit(16));
        let first = self.next();
        if first != Some('{') {
            let second = digit(self.next());
            return Some(digit(first)? * 16 + second?);
        }
        let mut value = None;
        loop {
            match self.next()? {
                '}' => return value,
                c => {
                    let more = value.unwrap_or(0) * 16 + c.to_digit(16)?;
                    if more > u32::from(char::MAX) {
                        return None;
                    }
                    value = Some(more);
                }
            }
        }
    }

    /// `[…]`.
    fn class(&mut self) -> Result<()> {
        let from = self.rest;
        self.skip(1);
        let mut class = Class {
            negated: false,
            fold: self.flags.fold,
            items: Vec::new(),
        };
        if self.rest.starts_with('^') {
            self.skip(1);
            class.negated = true;
        }
        let mut is_first = true;
        while is_first || !self.rest.starts_with(']') {
            is_first = false;
            let item = match self.posix_class()? {
                Some(item) => item,
                None if self.rest.starts_with('\\') => match self.class_escape()? {
                    Some(item) => item,
                    None => self.range(from)?,
                },
                None => self.range(from)?,
            };
            class.items.push(item);
        }
        self.skip(1);
        self.push(Node::leaf(Kind::Class(class)));
        Ok(())
    }

    /// `[:alpha:]`, `[:^alpha:]`.
    fn posix_class(&mut self) -> Result<Option<Item>> {
        let from = self.rest;
        let Some((name, rest)) = from
            .strip_prefix("[:")
            .and_then(|rest| rest.split_once(":]"))
        else {
            return Ok(None);
        };
        self.rest = rest;
        let (name, negated) = match name.strip_prefix('^') {
            Some(name) => (name, true),
            None => (name, false),
        };
        match names::posix_class(name) {
            Some(ranges) => Ok(Some(Item::Ascii { ranges, negated })),
            None => Err(self.error_since(from, ErrorKind::InvalidCharRange)),
        }
    }

    /// A character or a range; `class` begins with the bracket.
    fn range(&mut self, class: &str) -> Result<Item> {
        let from = self.rest;
        let low = self.class_character(class)?;
        let mut high = low;
        // A dash before the closing bracket is itself.
        if self.rest.len() >= 2 && self.rest.starts_with('-') && !self.rest.starts_with("-]") {
            self.skip(1);
            high = self.class_character(class)?;
            if high < low {
                return Err(self.error_since(from, ErrorKind::InvalidCharRange));
            }
        }
        Ok(Item::Range(low, high))
    }

    fn class_character(&mut self, class: &str) -> Result<u32> {
        match self.peek() {
            None => Err(SyntaxError::new(ErrorKind::MissingBracket, class)),
            Some('\\') => self.character_escape(),
            Some(c) => {
                self.skip(c.len_utf8());
                Ok(u32::from(c))
            }
        }
    }
}

/// The numbers of `{2}`, `{2,}` or `{2,3}`, none of them too large to count.
struct Counts<'p> {
    min: u32,
    max: Option<u32>,
    rest: &'p str,
}

impl Counts<'_> {
    fn valid(&self) -> Option<(u32, Option<u32>)> {
        let largest = self.max.unwrap_or(self.min);
        (self.min <= largest && largest <= MAX_REPEAT).then_some((self.min, self.max))
    }
}

/// Reads a counted repetition; none if it is not one, so that the brace stands
/// for itself.
fn counts(text: &str) -> Option<Counts<'_>> {
    let (min, rest) = number(text.strip_prefix('{')?)?;
    let (max, rest) = match rest.strip_prefix(',') {
        None => (Some(min), rest),
        Some(rest) if rest.starts_with('}') => (None, rest),
        Some(rest) => {
            let (max, rest) = number(rest)?;
            (Some(max), rest)
        }
    };
    let rest = rest.strip_prefix('}')?;
    Some(Counts { min, max, rest })
}

/// A decimal number without needless zeros; what is too large stays too large.
fn number(text: &str) -> Option<(u32, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(digits)?;
    if number.is_empty() || (number.len() > 1 && number.starts_with('0')) {
        return None;
    }
    Some((number.parse().unwrap_or(u32::MAX), rest))
}
