//! Template text to tokens.
//!
//! Compat: `text/template/parse/lex.go` of Go 1.27. Comments are dropped here,
//! text beside trim markers is cut here, and blanks in actions are no tokens of
//! their own: a token tells whether any stand before it.

use crate::gostd::strconv::quote;
use crate::gostd::unicode;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// What the lexer cannot read; [`Lexer::error`] says why. Nothing follows.
    Error,
    /// `true` or `false`.
    Bool,
    /// One printable character without another meaning, such as a comma.
    Char,
    /// A character in single quotes.
    CharConstant,
    /// `1+2i`
    Complex,
    /// `=`
    Assign,
    /// `:=`
    Declare,
    /// The end of the text.
    Eof,
    /// A name behind a dot.
    Field,
    /// A name.
    Identifier,
    /// `{{`
    LeftDelimiter,
    /// `(`
    LeftParenthesis,
    /// A number.
    Number,
    /// `|`
    Pipe,
    /// A string in backquotes.
    RawString,
    /// `}}`
    RightDelimiter,
    /// `)`
    RightParenthesis,
    /// A string in double quotes.
    String,
    /// What stands outside of actions.
    Text,
    /// A name behind a dollar sign, or the sign alone.
    Variable,
    /// `.`
    Dot,
    /// `block`
    Block,
    /// `break`
    Break,
    /// `continue`
    Continue,
    /// `define`
    Define,
    /// `else`
    Else,
    /// `end`
    End,
    /// `if`
    If,
    /// `nil`
    Nil,
    /// `range`
    Range,
    /// `template`
    Template,
    /// `with`
    With,
}

impl Kind {
    /// Whether error messages put the token in angle brackets.
    fn is_keyword(self) -> bool {
        use Kind::{
            Block, Break, Continue, Define, Dot, Else, End, If, Nil, Range, Template, With,
        };
        matches!(
            self,
            Block
                | Break
                | Continue
                | Define
                | Dot
                | Else
                | End
                | If
                | Nil
                | Range
                | Template
                | With
        )
    }
}

fn keyword(word: &str) -> Option<Kind> {
    Some(match word {
        "block" => Kind::Block,
        "break" => Kind::Break,
        "continue" => Kind::Continue,
        "define" => Kind::Define,
        "else" => Kind::Else,
        "end" => Kind::End,
        "if" => Kind::If,
        "range" => Kind::Range,
        "nil" => Kind::Nil,
        "template" => Kind::Template,
        "with" => Kind::With,
        _ => return None,
    })
}

/// A token: what it is and where it stands in the text, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Whether blanks stand before it, in an action.
    pub(super) spaced: bool,
    pub(super) start: u32,
    pub(super) end: u32,
}

const LEFT: &str = "{{";
const RIGHT: &str = "}}";

/// Reads tokens one by one.
pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
    in_action: bool,
    /// Whether blanks were passed before the token that is being read.
    spaced: bool,
    parentheses: u32,
    /// Why the last token is an error.
    pub(super) error: String,
}

impl<'t> Lexer<'t> {
    /// A lexer at the start of a text, which is shorter than 4 GiB.
    pub(super) fn new(text: &'t str) -> Lexer<'t> {
        Lexer {
            text,
            at: 0,
            in_action: false,
            spaced: false,
            parentheses: 0,
            error: String::new(),
        }
    }

    /// How error messages show a token.
    pub(super) fn describe(&self, token: Token) -> String {
        let text = self.slice(token);
        match token.kind {
            Kind::Eof => "EOF".to_owned(),
            Kind::Error => self.error.clone(),
            kind if kind.is_keyword() => format!("<{text}>"),
            _ if text.len() > 10 => {
                let short: String = text.chars().take(10).collect();
                format!("{}...", quote(&short))
            }
            _ => quote(text),
        }
    }

    /// The text of a token.
    pub(super) fn slice(&self, token: Token) -> &'t str {
        self.text
            .get(token.start as usize..token.end as usize)
            .unwrap_or_default()
    }

    /// The next token; [`Kind::Eof`] again and again at the end.
    pub(super) fn next(&mut self) -> Token {
        if self.in_action {
            self.in_action()
        } else {
            self.outside()
        }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        let rest = self.rest();
        match rest.as_bytes().first() {
            Some(b) if b.is_ascii() => Some(char::from(*b)),
            Some(_) => rest.chars().next(),
            None => None,
        }
    }

    fn advance(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the parser takes no text of 4 GiB"
    )]
    fn token(&self, kind: Kind, start: usize) -> Token {
        Token {
            kind,
            spaced: self.spaced,
            start: start as u32,
            end: self.at as u32,
        }
    }

    fn fail(&mut self, start: usize, message: impl Into<String>) -> Token {
        self.error = message.into();
        let token = self.token(Kind::Error, start);
        self.text = "";
        self.at = 0;
        token
    }

    /// Reads text up to the next action, and the delimiter of that action.
    fn outside(&mut self) -> Token {
        self.spaced = false;
        loop {
            let start = self.at;
            let rest = self.rest();
            let Some(length) = find(rest, *b"{{") else {
                self.at = self.text.len();
                let kind = if rest.is_empty() {
                    Kind::Eof
                } else {
                    Kind::Text
                };
                return self.token(kind, start);
            };
            if length > 0 {
                let (before, action) = rest.split_at(length);
                let kept = if has_left_trim(&action[LEFT.len()..]) {
                    before.trim_end_matches(is_space)
                } else {
                    before
                };
                self.at = start + kept.len();
                let token = self.token(Kind::Text, start);
                self.at = start + length;
                if !kept.is_empty() {
                    return token;
                }
            }
            if let Some(token) = self.left_delimiter() {
                return token;
            }
        }
    }

    /// Reads `{{` with its trim marker; none where a comment was skipped.
    fn left_delimiter(&mut self) -> Option<Token> {
        let start = self.at;
        self.at += LEFT.len();
        let token = self.token(Kind::LeftDelimiter, start);
        if has_left_trim(self.rest()) {
            self.at += 2;
        }
        if self.rest().starts_with("/*") {
            return self.comment();
        }
        self.in_action = true;
        self.parentheses = 0;
        Some(token)
    }

    fn comment(&mut self) -> Option<Token> {
        let start = self.at;
        self.at += 2;
        let Some(length) = find(self.rest(), *b"*/") else {
            return Some(self.fail(start, "unclosed comment"));
        };
        self.at += length + 2;
        let Some(delimiter) = self.right_delimiter_here() else {
            return Some(self.fail(start, "comment ends before closing delimiter"));
        };
        self.skip_right_delimiter(delimiter);
        None
    }

    /// The length of `}}` or ` -}}` here.
    fn right_delimiter_here(&self) -> Option<usize> {
        match self.text.as_bytes().get(self.at..)? {
            [b'}', b'}', ..] => Some(2),
            [b' ' | b'\t' | b'\r' | b'\n', b'-', b'}', b'}', ..] => Some(4),
            _ => None,
        }
    }

    /// Skips a delimiter of that length, and blanks behind a trim marker.
    fn skip_right_delimiter(&mut self, length: usize) {
        self.at += length;
        if length > 2 {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start_matches(is_space).len();
        }
    }

    fn right_delimiter(&mut self, length: usize) -> Token {
        let end = self.at + length;
        self.skip_right_delimiter(length);
        self.in_action = false;
        let after = std::mem::replace(&mut self.at, end);
        let token = self.token(Kind::RightDelimiter, end - RIGHT.len());
        self.at = after;
        token
    }

    fn in_action(&mut self) -> Token {
        let bytes = self.text.as_bytes();
        let before = self.at;
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = bytes.get(self.at) {
            self.at += 1;
        }
        self.spaced = self.at > before;
        let start = self.at;
        let rest = bytes.get(start..).unwrap_or_default();
        // The last of the blanks belongs to a closing trim marker.
        let (start, length) = match rest {
            [b'-', b'}', b'}', ..] if self.spaced => (start - 1, 4),
            [b'}', b'}', ..] => (start, 2),
            _ => return self.token_in_action(start),
        };
        self.at = start;
        if self.parentheses == 0 {
            return self.right_delimiter(length);
        }
        self.fail(start, "unclosed left paren")
    }

    fn token_in_action(&mut self, start: usize) -> Token {
        let Some(&first) = self.text.as_bytes().get(start) else {
            return self.fail(start, "unclosed action");
        };
        self.at = start + 1;
        match first {
            b'=' => self.token(Kind::Assign, start),
            b':' if self.advance() == Some('=') => self.token(Kind::Declare, start),
            b':' => self.fail(start, "expected :="),
            b'|' => self.token(Kind::Pipe, start),
            b'"' => self.quoted(start, '"'),
            b'\'' => self.quoted(start, '\''),
            b'`' => match memchr::memchr(b'`', self.rest().as_bytes()) {
                Some(length) => {
                    self.at += length + 1;
                    self.token(Kind::RawString, start)
                }
                None => self.fail(start, "unterminated raw quoted string"),
            },
            b'$' => self.field_or_variable(start, Kind::Variable),
            b'.' => match self.text.as_bytes().get(self.at) {
                Some(b) if !b.is_ascii_digit() => self.field_or_variable(start, Kind::Field),
                _ => self.number(start),
            },
            b'+' | b'-' | b'0'..=b'9' => self.number(start),
            b'A'..=b'Z' | b'a'..=b'z' | b'_' => self.identifier(start),
            b'(' => {
                self.parentheses += 1;
                self.token(Kind::LeftParenthesis, start)
            }
            b')' => match self.parentheses.checked_sub(1) {
                Some(parentheses) => {
                    self.parentheses = parentheses;
                    self.token(Kind::RightParenthesis, start)
                }
                None => self.fail(start, "unexpected right paren"),
            },
            b' '..=b'~' => self.token(Kind::Char, start),
            _ => {
                self.at = start;
                match self.advance() {
                    Some(c) if is_alphanumeric(c) => self.identifier(start),
                    c => {
                        let shown = c.map(describe_char).unwrap_or_default();
                        self.fail(start, format!("unrecognized character in action: {shown}"))
                    }
                }
            }
        }
    }

    fn identifier(&mut self, start: usize) -> Token {
        self.skip_alphanumeric();
        if !self.at_terminator() {
            return self.bad_character(start);
        }
        let kind = match self.text.get(start..self.at).unwrap_or_default() {
            "true" | "false" => Kind::Bool,
            word => keyword(word).unwrap_or(Kind::Identifier),
        };
        self.token(kind, start)
    }

    fn field_or_variable(&mut self, start: usize, kind: Kind) -> Token {
        if self.at_terminator() {
            let alone = if kind == Kind::Variable {
                kind
            } else {
                Kind::Dot
            };
            return self.token(alone, start);
        }
        self.skip_alphanumeric();
        if !self.at_terminator() {
            return self.bad_character(start);
        }
        self.token(kind, start)
    }

    fn skip_alphanumeric(&mut self) {
        let bytes = self.text.as_bytes();
        loop {
            while bytes.get(self.at).is_some_and(|b| WORD[usize::from(*b)]) {
                self.at += 1;
            }
            // Letters of other scripts are rare.
            match self.peek() {
                Some(c) if !c.is_ascii() && is_alphanumeric(c) => self.at += c.len_utf8(),
                _ => return,
            }
        }
    }

    fn bad_character(&mut self, start: usize) -> Token {
        let shown = self.peek().map(describe_char).unwrap_or_default();
        self.fail(start, format!("bad character {shown}"))
    }

    /// Whether a name may end here.
    fn at_terminator(&self) -> bool {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let ends = matches!(
            rest.first(),
            None | Some(b' ' | b'\t' | b'\r' | b'\n' | b'.' | b',' | b'|' | b':' | b')' | b'(')
        );
        ends || rest.starts_with(b"}}")
    }

    /// Reads a string or character constant behind its opening quote.
    fn quoted(&mut self, start: usize, quote: char) -> Token {
        let (kind, unterminated) = if quote == '"' {
            (Kind::String, "unterminated quoted string")
        } else {
            (Kind::CharConstant, "unterminated character constant")
        };
        let end = u8::try_from(quote).unwrap_or_default();
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            let Some(length) = memchr::memchr3(end, b'\\', b'\n', rest) else {
                self.at = self.text.len();
                return self.fail(start, unterminated);
            };
            self.at += length;
            match self.advance() {
                Some('\\') => {
                    if matches!(self.advance(), None | Some('\n')) {
                        return self.fail(start, unterminated);
                    }
                }
                Some(c) if c == quote => return self.token(kind, start),
                _ => return self.fail(start, unterminated),
            }
        }
    }

    fn number(&mut self, start: usize) -> Token {
        self.at = start;
        let mut kind = Kind::Number;
        let mut good = self.scan_number();
        if good && matches!(self.peek(), Some('+' | '-')) {
            kind = Kind::Complex;
            good = self.scan_number() && self.text.as_bytes().get(self.at - 1) == Some(&b'i');
        }
        if good {
            self.token(kind, start)
        } else {
            let text = self.text.get(start..self.at).unwrap_or_default();
            let message = format!("bad number syntax: {}", quote(text));
            self.fail(start, message)
        }
    }

    /// Skips what looks like a number; the parser finds out whether it is one.
    fn scan_number(&mut self) -> bool {
        self.accept(|b| matches!(b, b'+' | b'-'));
        let mut digits: fn(u8) -> bool = |b| matches!(b, b'0'..=b'9' | b'_');
        let (mut decimal, mut hex) = (true, false);
        if self.accept(|b| b == b'0') {
            if self.accept(|b| matches!(b, b'x' | b'X')) {
                digits = |b| b.is_ascii_hexdigit() || b == b'_';
                (decimal, hex) = (false, true);
            } else if self.accept(|b| matches!(b, b'o' | b'O')) {
                digits = |b| matches!(b, b'0'..=b'7' | b'_');
                decimal = false;
            } else if self.accept(|b| matches!(b, b'b' | b'B')) {
                digits = |b| matches!(b, b'0' | b'1' | b'_');
                decimal = false;
            }
        }
        while self.accept(digits) {}
        if self.accept(|b| b == b'.') {
            while self.accept(digits) {}
        }
        if decimal && self.accept(|b| matches!(b, b'e' | b'E'))
            || hex && self.accept(|b| matches!(b, b'p' | b'P'))
        {
            self.accept(|b| matches!(b, b'+' | b'-'));
            while self.accept(|b| matches!(b, b'0'..=b'9' | b'_')) {}
        }
        self.accept(|b| b == b'i');
        if self.peek().is_some_and(is_alphanumeric) {
            self.advance();
            return false;
        }
        true
    }

    fn accept(&mut self, wanted: impl Fn(u8) -> bool) -> bool {
        let found = self
            .text
            .as_bytes()
            .get(self.at)
            .is_some_and(|b| wanted(*b));
        self.at += usize::from(found);
        found
    }
}

/// The ASCII characters that names consist of.
const WORD: [bool; 256] = {
    let mut is_word = [false; 256];
    let mut b: u8 = 0;
    while b < 128 {
        is_word[b as usize] = b.is_ascii_alphanumeric() || b == b'_';
        b += 1;
    }
    is_word
};

/// Where a pattern of two characters begins; what is here is too short for a
/// searcher to be made.
fn find(text: &str, pattern: [u8; 2]) -> Option<usize> {
    let bytes = text.as_bytes();
    memchr::memchr_iter(pattern[0], bytes).find(|at| bytes.get(at + 1) == Some(&pattern[1]))
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_alphanumeric(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || c == '_'
        || !c.is_ascii() && (unicode::is_letter(c) || unicode::is_digit(c))
}

fn has_left_trim(text: &str) -> bool {
    matches!(text.as_bytes(), [b'-', b' ' | b'\t' | b'\r' | b'\n', ..])
}

/// `%#U`
fn describe_char(c: char) -> String {
    let code = u32::from(c);
    if unicode::is_print(c) {
        format!("U+{code:04X} '{c}'")
    } else {
        format!("U+{code:04X}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<String> {
        let mut lexer = Lexer::new(text);
        let mut shown = Vec::new();
        loop {
            let token = lexer.next();
            match token.kind {
                Kind::Eof => return shown,
                Kind::Error => {
                    shown.push(format!("Error: {}", lexer.error));
                    return shown;
                }
                kind => shown.push(format!("{kind:?} {}", lexer.slice(token))),
            }
        }
    }

    #[test]
    fn text_is_trimmed_beside_markers() {
        assert_eq!(
            tokens("a \n{{- .x -}} \t b {{- /* c */ -}} \n"),
            [
                "Text a",
                "LeftDelimiter {{",
                "Field .x",
                "RightDelimiter }}",
                "Text b"
            ]
        );
        assert_eq!(
            tokens("{{-3}}{{3 - }}"),
            [
                "LeftDelimiter {{",
                "Number -3",
                "RightDelimiter }}",
                "LeftDelimiter {{",
                "Number 3",
                "Number -",
                "RightDelimiter }}"
            ]
        );
    }

    #[test]
    fn everything_in_an_action() {
        assert_eq!(
            tokens(r#"{{ $x.y := (f "a\"}}" `b}}` 'c' 0x1F 1e3 1+2i true nil | if) , $ . }}"#),
            [
                "LeftDelimiter {{",
                "Variable $x",
                "Field .y",
                "Declare :=",
                "LeftParenthesis (",
                "Identifier f",
                r#"String "a\"}}""#,
                "RawString `b}}`",
                "CharConstant 'c'",
                "Number 0x1F",
                "Number 1e3",
                "Complex 1+2i",
                "Bool true",
                "Nil nil",
                "Pipe |",
                "If if",
                "RightParenthesis )",
                "Char ,",
                "Variable $",
                "Dot .",
                "RightDelimiter }}"
            ]
        );
    }

    #[test]
    fn errors_are_gos() {
        for (text, want) in [
            ("{{", "unclosed action"),
            ("{{/* a", "unclosed comment"),
            ("{{/* a */ }}", "comment ends before closing delimiter"),
            ("{{ \"a\n\" }}", "unterminated quoted string"),
            ("{{ `a }}", "unterminated raw quoted string"),
            ("{{ 'a }}\n", "unterminated character constant"),
            ("{{ (a }}", "unclosed left paren"),
            ("{{ a) }}", "unexpected right paren"),
            ("{{ : }}", "expected :="),
            ("{{ a+b }}", "bad character U+002B '+'"),
            ("{{ 12x }}", "bad number syntax: \"12x\""),
            ("{{ \u{1} }}", "unrecognized character in action: U+0001"),
        ] {
            let last = tokens(text).pop().unwrap();
            assert_eq!(last, format!("Error: {want}"), "{text}");
        }
    }
}
