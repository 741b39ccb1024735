//! A place in the text that moves forward: characters, columns, line breaks.

/// A place in the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::yaml) struct Mark {
    /// Bytes before it.
    pub(in crate::yaml) offset: u32,
    /// Lines before it.
    pub(in crate::yaml) line: u32,
    /// Characters before it on its line.
    pub(in crate::yaml) column: u32,
}

/// Ends a word in any context: a blank, a line break or the end; the first
/// byte of a break that has several is told from other characters by looking
/// on.
const ENDS_WORD: u8 = 1;
/// Ends a line.
const ENDS_LINE: u8 = 2;
/// Ends a plain scalar within brackets.
const FLOW: u8 = 4;
/// May end a plain scalar.
const COLON: u8 = 8;

static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let breaks = [0, b'\r', b'\n', 0xC2, 0xE2];
    let mut i = 0;
    while i < breaks.len() {
        classes[breaks[i] as usize] = ENDS_WORD | ENDS_LINE;
        i += 1;
    }
    classes[b' ' as usize] = ENDS_WORD;
    classes[b'\t' as usize] = ENDS_WORD;
    let flow = *b",?[]{}";
    let mut i = 0;
    while i < flow.len() {
        classes[flow[i] as usize] = FLOW;
        i += 1;
    }
    classes[b':' as usize] = COLON;
    classes
};

/// Reads a text from its start to its end.
///
/// The byte 0 stands for the end of the text: it occurs nowhere else, since
/// `text::check` refuses it before anything is scanned.
pub(super) struct Cursor<'a> {
    text: &'a str,
    mark: Mark,
    /// Line breaks since the last character that was no blank.
    pub(super) breaks: u32,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Cursor<'a> {
        Cursor {
            text,
            mark: Mark::default(),
            breaks: 0,
        }
    }

    #[inline]
    pub(super) fn mark(&self) -> Mark {
        self.mark
    }

    #[inline]
    pub(super) fn offset(&self) -> usize {
        self.mark.offset as usize
    }

    #[inline]
    pub(super) fn column(&self) -> u32 {
        self.mark.column
    }

    #[inline]
    pub(super) fn line(&self) -> u32 {
        self.mark.line
    }

    /// Moves on by some bytes of the line, which are so many characters.
    #[inline]
    fn advance(&mut self, bytes: usize, characters: u32) {
        // `text::check` refuses longer texts than a mark can say.
        let length = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.mark.offset = self.mark.offset.saturating_add(length);
        self.mark.column = self.mark.column.saturating_add(characters);
    }

    /// The text between two offsets, both of which were offsets of this
    /// cursor.
    pub(super) fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// The bytes from here on.
    #[inline]
    fn rest(&self) -> &'a [u8] {
        self.text
            .as_bytes()
            .get(self.offset()..)
            .unwrap_or_default()
    }

    /// The byte here; 0 at the end.
    #[inline]
    pub(super) fn byte(&self) -> u8 {
        self.byte_at(0)
    }

    /// The byte `n` further on; 0 beyond the end.
    #[inline]
    pub(super) fn byte_at(&self, n: usize) -> u8 {
        self.text
            .as_bytes()
            .get(self.offset() + n)
            .copied()
            .unwrap_or(0)
    }

    /// The character here.
    pub(super) fn char(&self) -> char {
        self.slice(self.offset(), self.text.len())
            .chars()
            .next()
            .unwrap_or_default()
    }

    #[inline]
    pub(super) fn is_blank(&self) -> bool {
        matches!(self.byte(), b' ' | b'\t')
    }

    /// The bytes of the line break `n` further on, 0 where there is none.
    pub(super) fn break_len_at(&self, n: usize) -> usize {
        match self.byte_at(n) {
            b'\r' if self.byte_at(n + 1) == b'\n' => 2,
            b'\r' | b'\n' => 1,
            0xC2 if self.byte_at(n + 1) == 0x85 => 2,
            0xE2 if self.byte_at(n + 1) == 0x80 && matches!(self.byte_at(n + 2), 0xA8 | 0xA9) => 3,
            _ => 0,
        }
    }

    #[inline]
    pub(super) fn is_break(&self) -> bool {
        self.break_len_at(0) > 0
    }

    /// Whether a line ends `n` further on.
    #[inline]
    pub(super) fn ends_line_at(&self, n: usize) -> bool {
        let byte = self.byte_at(n);
        CLASSES[usize::from(byte)] & ENDS_LINE != 0 && (byte == 0 || self.break_len_at(n) > 0)
    }

    /// Whether a blank, a line break or the end is `n` further on.
    #[inline]
    pub(super) fn ends_word_at(&self, n: usize) -> bool {
        matches!(self.byte_at(n), b' ' | b'\t') || self.ends_line_at(n)
    }

    /// Whether `---` or `...` stands here alone.
    #[inline]
    pub(super) fn is_document_marker(&self) -> bool {
        self.mark.column == 0
            && matches!(self.byte(), b'-' | b'.')
            && self.byte_at(1) == self.byte()
            && self.byte_at(2) == self.byte()
            && self.ends_word_at(3)
    }

    /// Passes one character that is no line break.
    pub(super) fn skip(&mut self) {
        let width = match self.byte() {
            0 => return,
            b' ' | b'\t' => {
                self.advance(1, 1);
                return;
            }
            1..0xC0 => 1,
            0xC0..0xE0 => 2,
            0xE0..0xF0 => 3,
            0xF0.. => 4,
        };
        self.breaks = 0;
        self.advance(width, 1);
    }

    /// Passes `n` characters of one byte each, none of them a blank.
    #[inline]
    pub(super) fn skip_ascii(&mut self, n: u32) {
        self.breaks = 0;
        self.advance(n as usize, n);
    }

    /// How many blanks are here.
    #[inline]
    pub(super) fn blanks(&self) -> usize {
        let is_blank = |b: &&u8| matches!(**b, b' ' | b'\t');
        self.rest().iter().take_while(is_blank).count()
    }

    /// Passes spaces, and tabs where they are allowed.
    pub(super) fn skip_blanks(&mut self, tabs: bool) {
        let count = self
            .rest()
            .iter()
            .take_while(|b| **b == b' ' || (tabs && **b == b'\t'))
            .count();
        self.advance(count, u32::try_from(count).unwrap_or(u32::MAX));
    }

    /// Passes the rest of the line and gives it.
    pub(super) fn skip_line(&mut self) -> &'a str {
        self.skip_run(Cursor::ends_line_at, ENDS_LINE)
    }

    /// Passes a word of a quoted scalar: up to a blank, a line break, the end
    /// or one of two bytes.
    pub(super) fn skip_quoted_word(&mut self, quote: u8, escape: u8) -> &'a str {
        let start = self.offset();
        loop {
            let rest = self.rest();
            let count = rest
                .iter()
                .position(|b| {
                    *b == quote || *b == escape || CLASSES[usize::from(*b)] & ENDS_WORD != 0
                })
                .unwrap_or(rest.len());
            self.pass(count);
            let byte = self.byte();
            if byte == quote || byte == escape || self.ends_word_at(0) {
                return self.slice(start, self.offset());
            }
            self.skip();
        }
    }

    /// Passes a word of a plain scalar and gives it.
    pub(super) fn skip_plain_word(&mut self, in_flow: bool) -> &'a str {
        let classes = ENDS_WORD | COLON | if in_flow { FLOW } else { 0 };
        self.skip_run(
            |cursor, n| match cursor.byte_at(n) {
                b':' => cursor.ends_word_at(n + 1),
                byte => CLASSES[usize::from(byte)] & FLOW != 0 || cursor.ends_word_at(n),
            },
            classes,
        )
    }

    /// Passes characters up to the first of these classes of which `is_end`
    /// is true.
    fn skip_run(&mut self, is_end: impl Fn(&Cursor<'a>, usize) -> bool, classes: u8) -> &'a str {
        let start = self.offset();
        loop {
            let rest = self.rest();
            let count = rest
                .iter()
                .position(|b| CLASSES[usize::from(*b)] & classes != 0)
                .unwrap_or(rest.len());
            self.pass(count);
            if self.byte() == 0 || is_end(self, 0) {
                return self.slice(start, self.offset());
            }
            self.skip();
        }
    }

    /// Passes `count` bytes on this line, which end with a character.
    fn pass(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        let passed = self.slice(self.offset(), self.offset() + count);
        let characters = if passed.is_ascii() {
            count
        } else {
            passed.chars().count()
        };
        if !passed.bytes().all(|b| matches!(b, b' ' | b'\t')) {
            self.breaks = 0;
        }
        self.advance(count, u32::try_from(characters).unwrap_or(u32::MAX));
    }

    /// Passes a line break; gives what it means: a line feed, or the
    /// separators of Unicode as they are.
    pub(super) fn skip_break(&mut self) -> char {
        let width = self.break_len_at(0);
        let meaning = match (width, self.byte_at(2)) {
            (0, _) => return '\n',
            (3, 0xA8) => '\u{2028}',
            (3, _) => '\u{2029}',
            _ => '\n',
        };
        self.advance(width, 0);
        self.mark.line += 1;
        self.mark.column = 0;
        self.breaks += 1;
        meaning
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_count_breaks() {
        let mut cursor = Cursor::new("äb c\r\nd\u{2028}e");
        assert_eq!(cursor.skip_plain_word(false), "äb");
        assert_eq!(cursor.column(), 2);
        cursor.skip_blanks(true);
        assert_eq!(cursor.skip_line(), "c");
        assert_eq!(cursor.column(), 4);
        assert_eq!(cursor.skip_break(), '\n');
        assert_eq!(cursor.skip_line(), "d");
        assert_eq!(cursor.skip_break(), '\u{2028}');
        assert_eq!((cursor.line(), cursor.column()), (2, 0));
        assert_eq!(cursor.skip_line(), "e");
        assert_eq!(cursor.byte(), 0);
        assert_eq!(cursor.skip_break(), '\n');
        cursor.skip();
        assert_eq!(cursor.offset(), "äb c\r\nd\u{2028}e".len());
    }

    #[test]
    fn words_end_at_breaks_of_any_kind() {
        for (text, word) in [
            ("a\u{85}b", "a"),
            ("ä\u{2029}", "ä"),
            ("a\u{80A0}b c", "a\u{80A0}b"),
            ("a:b: c", "a:b"),
            ("a:", "a"),
        ] {
            assert_eq!(Cursor::new(text).skip_plain_word(false), word, "{text:?}");
        }
        assert_eq!(Cursor::new("a,b").skip_plain_word(true), "a");
        assert_eq!(Cursor::new("a,b").skip_plain_word(false), "a,b");
    }
}
