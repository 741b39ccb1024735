//! Scalars in all five styles.

use std::borrow::Cow;

use super::super::Style;
use super::{Mark, Problem, Result, Scanner};

/// Line breaks between two words of a scalar that is folded.
#[derive(Default)]
struct Breaks {
    first: Option<char>,
    more: String,
}

impl Breaks {
    fn push(&mut self, meaning: char) {
        if self.first.is_none() {
            self.first = Some(meaning);
        } else {
            self.more.push(meaning);
        }
    }

    /// Appends what they mean: a single line feed is a blank, further ones
    /// are kept.
    fn fold_into(&mut self, text: &mut String) {
        match self.first.take() {
            Some('\n') if self.more.is_empty() => text.push(' '),
            Some('\n') | None => text.push_str(&self.more),
            Some(separator) => {
                text.push(separator);
                text.push_str(&self.more);
            }
        }
        self.more.clear();
    }
}

/// What becomes of the line breaks at the end of a block scalar.
#[derive(Clone, Copy, PartialEq)]
enum Chomping {
    Strip,
    Clip,
    Keep,
}

impl<'a> Scanner<'a> {
    /// Reads a plain scalar; says whether line breaks follow it, after which
    /// a key may begin.
    pub(super) fn plain_scalar(&mut self, mark: Mark) -> Result<(Cow<'a, str>, bool)> {
        let in_flow = self.in_flow();
        let indent = self.indent + 1;
        let start = self.cursor.offset();
        let mut end = start;
        // The text so far, once it is no longer a slice of the source.
        let mut folded: Option<String> = None;
        let mut breaks = Breaks::default();
        let mut new_line = false;
        loop {
            if self.cursor.is_document_marker() || self.cursor.byte() == b'#' {
                break;
            }
            let at = self.cursor.offset();
            let word = self.cursor.skip_plain_word(in_flow);
            if !word.is_empty() {
                if new_line {
                    let text =
                        folded.get_or_insert_with(|| self.cursor.slice(start, end).to_owned());
                    breaks.fold_into(text);
                    text.push_str(word);
                    new_line = false;
                } else if let Some(text) = &mut folded {
                    text.push_str(self.cursor.slice(end, at));
                    text.push_str(word);
                }
                end = self.cursor.offset();
            }
            if !(self.cursor.is_blank() || self.cursor.is_break()) {
                break;
            }
            loop {
                if self.cursor.is_blank() {
                    if new_line
                        && self.cursor.byte() == b'\t'
                        && i64::from(self.cursor.column()) < indent
                    {
                        return Err(Problem::tab(self.cursor.mark()));
                    }
                    self.cursor.skip();
                } else if self.cursor.is_break() {
                    breaks.push(self.cursor.skip_break());
                    new_line = true;
                } else {
                    break;
                }
            }
            if !in_flow && i64::from(self.cursor.column()) < indent {
                break;
            }
        }
        if end == start {
            return Err(Problem::no_token(self.cursor.char(), mark));
        }
        let text = match folded {
            Some(text) => Cow::Owned(text),
            None => Cow::Borrowed(self.cursor.slice(start, end)),
        };
        Ok((text, new_line))
    }

    /// Reads a scalar in quotes.
    pub(super) fn quoted_scalar(&mut self, mark: Mark) -> Result<(Cow<'a, str>, Style)> {
        let quote = self.cursor.byte();
        let (escape, style) = match quote {
            b'"' => (b'\\', Style::DoubleQuoted),
            _ => (quote, Style::SingleQuoted),
        };
        self.cursor.skip();
        let start = self.cursor.offset();
        // Most are of one line, without escapes: a slice of the source.
        loop {
            self.cursor.skip_quoted_word(quote, escape);
            if !self.cursor.is_blank() {
                break;
            }
            self.cursor.skip_blanks(true);
        }
        let text = self.cursor.slice(start, self.cursor.offset());
        let doubled = quote == b'\'' && self.cursor.byte_at(1) == quote;
        let text = if self.cursor.byte() == quote && !doubled {
            Cow::Borrowed(text)
        } else {
            let blanks = text.len() - text.trim_end_matches([' ', '\t']).len();
            let mut text = text.to_owned();
            self.quoted_lines(mark, quote, escape, &mut text, blanks)?;
            Cow::Owned(text)
        };
        self.cursor.skip();
        Ok((text, style))
    }

    /// Reads on to the closing quote; the last `blanks` bytes of `text` are
    /// blanks that count only if their line goes on.
    fn quoted_lines(
        &mut self,
        mark: Mark,
        quote: u8,
        escape: u8,
        text: &mut String,
        mut blanks: usize,
    ) -> Result<()> {
        let mut breaks = Breaks::default();
        loop {
            // A line of the scalar, or the rest of one, up to blanks.
            let mut new_line = false;
            loop {
                let word = self.cursor.skip_quoted_word(quote, escape);
                if !word.is_empty() {
                    text.push_str(word);
                    blanks = 0;
                }
                let byte = self.cursor.byte();
                if byte == b'\'' && quote == byte && self.cursor.byte_at(1) == byte {
                    text.push('\'');
                    blanks = 0;
                    self.cursor.skip_ascii(2);
                } else if byte == b'\\' && escape == byte {
                    blanks = 0;
                    if self.cursor.break_len_at(1) > 0 {
                        self.cursor.skip();
                        self.cursor.skip_break();
                        new_line = true;
                        break;
                    }
                    text.push(self.escape()?);
                } else {
                    break;
                }
            }
            if self.cursor.byte() == quote {
                return Ok(());
            }
            loop {
                if self.cursor.is_blank() {
                    if !new_line {
                        text.push(char::from(self.cursor.byte()));
                        blanks += 1;
                    }
                    self.cursor.skip();
                } else if self.cursor.is_break() {
                    let meaning = self.cursor.skip_break();
                    if new_line {
                        breaks.more.push(meaning);
                    } else {
                        text.truncate(text.len() - blanks);
                        blanks = 0;
                        breaks.first = Some(meaning);
                        new_line = true;
                    }
                } else {
                    break;
                }
            }
            if new_line {
                breaks.fold_into(text);
            }
            if self.cursor.is_document_marker() || self.cursor.byte() == 0 {
                return Err(Problem::new(
                    format!("the string that begins here has no closing `{}`", char::from(quote)),
                    mark,
                )
                .help("close it on its own line, or use a block scalar (`|`) for text of several lines"));
            }
        }
    }

    /// Reads an escape sequence.
    fn escape(&mut self) -> Result<char> {
        let mark = self.cursor.mark();
        let digits = match self.cursor.byte_at(1) {
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            sign => {
                let meaning = match sign {
                    b'0' => '\0',
                    b'a' => '\u{7}',
                    b'b' => '\u{8}',
                    b't' | b'\t' => '\t',
                    b'n' => '\n',
                    b'v' => '\u{b}',
                    b'f' => '\u{c}',
                    b'r' => '\r',
                    b'e' => '\u{1b}',
                    b' ' | b'"' | b'\'' | b'\\' => char::from(sign),
                    b'N' => '\u{85}',
                    b'_' => '\u{A0}',
                    b'L' => '\u{2028}',
                    b'P' => '\u{2029}',
                    _ => {
                        self.cursor.skip();
                        let escape = format!("\\{}", self.cursor.char());
                        return Err(Problem::new(
                            format!("`{escape}` is no escape sequence of a double-quoted string"),
                            mark,
                        )
                        .help(
                            "double the backslash, or use single quotes, which have no escapes",
                        ));
                    }
                };
                // A tab is a blank, which the cursor counts apart.
                self.cursor.skip();
                self.cursor.skip();
                return Ok(meaning);
            }
        };
        let mut code = 0;
        for n in 0..digits {
            let Some(digit) = char::from(self.cursor.byte_at(2 + n)).to_digit(16) else {
                return Err(Problem::new(
                    format!("this escape sequence needs {digits} hexadecimal digits"),
                    mark,
                )
                .help("write all of them, or double the backslash"));
            };
            code = code << 4 | digit;
        }
        let Some(meaning) = char::from_u32(code) else {
            return Err(
                Problem::new("this escape sequence stands for no character", mark)
                    .help("write the character itself, or `\\U` and its number in eight digits"),
            );
        };
        for _ in 0..2 + digits {
            self.cursor.skip();
        }
        Ok(meaning)
    }

    /// Reads a scalar that begins with `|` or `>`.
    pub(super) fn block_scalar(&mut self, mark: Mark) -> Result<(Cow<'a, str>, Style)> {
        let style = if self.cursor.byte() == b'|' {
            Style::Literal
        } else {
            Style::Folded
        };
        self.cursor.skip();
        let (chomping, increment) = self.block_header(mark)?;
        let mut indent = match increment {
            0 => None,
            n if self.indent >= 0 => Some(self.indent + n),
            n => Some(n),
        };
        let mut text = String::new();
        // The break behind the last line, and those of empty lines since.
        let mut line_break = None;
        let mut empty = String::new();
        let mut after_blank = false;
        self.block_breaks(&mut indent, &mut empty, mark)?;
        while Some(i64::from(self.cursor.column())) == indent && self.cursor.byte() != 0 {
            let begins_blank = self.cursor.is_blank();
            let folds =
                style == Style::Folded && line_break == Some('\n') && !after_blank && !begins_blank;
            if folds {
                if empty.is_empty() {
                    text.push(' ');
                }
            } else {
                text.extend(line_break);
            }
            text.push_str(&empty);
            empty.clear();
            after_blank = begins_blank;
            text.push_str(self.cursor.skip_line());
            line_break = self.cursor.is_break().then(|| self.cursor.skip_break());
            self.block_breaks(&mut indent, &mut empty, mark)?;
        }
        if chomping != Chomping::Strip {
            text.extend(line_break);
        }
        if chomping == Chomping::Keep {
            text.push_str(&empty);
        }
        Ok((Cow::Owned(text), style))
    }

    /// Reads what may follow `|` or `>` on its line: how the end is chomped
    /// and how deep the lines are indented, 0 where they say so themselves.
    fn block_header(&mut self, mark: Mark) -> Result<(Chomping, i64)> {
        let mut chomping = None;
        let mut increment = None;
        for _ in 0..2 {
            match self.cursor.byte() {
                sign @ (b'+' | b'-') if chomping.is_none() => {
                    chomping = Some(if sign == b'+' {
                        Chomping::Keep
                    } else {
                        Chomping::Strip
                    });
                }
                digit @ b'0'..=b'9' if increment.is_none() => {
                    if digit == b'0' {
                        return Err(Problem::new(
                            "a block scalar cannot be indented by 0",
                            self.cursor.mark(),
                        ));
                    }
                    increment = Some(i64::from(digit - b'0'));
                }
                _ => break,
            }
            self.cursor.skip();
        }
        self.cursor.skip_blanks(true);
        if self.cursor.byte() == b'#' {
            self.line_comment(mark);
            self.cursor.skip_line();
        }
        if !self.cursor.ends_line_at(0) {
            return Err(Problem::new(
                "text cannot follow the `|` or `>` of a block scalar on its line",
                self.cursor.mark(),
            )
            .help("begin the text on the next line, or put the value in quotes"));
        }
        self.cursor.skip_break();
        Ok((
            chomping.unwrap_or(Chomping::Clip),
            increment.unwrap_or_default(),
        ))
    }

    /// Passes empty lines and the indentation of the next one that is not,
    /// which decides the indentation of the scalar unless that is known.
    fn block_breaks(
        &mut self,
        indent: &mut Option<i64>,
        empty: &mut String,
        mark: Mark,
    ) -> Result<()> {
        let mut deepest = 0;
        loop {
            let within = |column: u32| indent.is_none_or(|indent| i64::from(column) < indent);
            while self.cursor.byte() == b' ' && within(self.cursor.column()) {
                self.cursor.skip();
            }
            deepest = deepest.max(i64::from(self.cursor.column()));
            if self.cursor.byte() == b'\t' && within(self.cursor.column()) {
                return Err(Problem::tab(self.cursor.mark()).within("block scalar", mark));
            }
            if !self.cursor.is_break() {
                break;
            }
            empty.push(self.cursor.skip_break());
        }
        if indent.is_none() {
            *indent = Some(deepest.max(self.indent + 1).max(1));
        }
        Ok(())
    }
}
