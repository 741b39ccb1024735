//! What stands before a node, or before a document: anchors, tags,
//! directives.

use std::borrow::Cow;

use super::{Content, Mark, Problem, Result, Scanner, Tag};

/// Characters of anchor names, tag handles and directive names.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn is_uri(byte: u8) -> bool {
    is_name(byte)
        || matches!(
            byte,
            b';' | b'/'
                | b'?'
                | b':'
                | b'@'
                | b'&'
                | b'='
                | b'+'
                | b'$'
                | b','
                | b'.'
                | b'!'
                | b'~'
                | b'*'
                | b'\''
                | b'('
                | b')'
                | b'['
                | b']'
                | b'%'
        )
}

impl<'a> Scanner<'a> {
    fn name(&mut self) -> &'a str {
        let start = self.cursor.offset();
        while is_name(self.cursor.byte()) {
            self.cursor.skip();
        }
        self.cursor.slice(start, self.cursor.offset())
    }

    /// Reads `&name` or `*name`.
    pub(super) fn anchor_name(&mut self, sign: u8, mark: Mark) -> Result<&'a str> {
        self.cursor.skip();
        let name = self.name();
        let may_follow = matches!(
            self.cursor.byte(),
            b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`'
        );
        if name.is_empty() || !(may_follow || self.cursor.ends_word_at(0)) {
            let what = if sign == b'*' { "alias" } else { "anchor" };
            return Err(Problem::new(
                format!("the name of an {what} has letters, digits, `-` and `_` alone"),
                mark,
            )
            .help(format!(
                "put the value in quotes if `{}` belongs to it",
                char::from(sign)
            )));
        }
        Ok(name)
    }

    /// Reads `!suffix`, `!handle!suffix` or `!<uri>`.
    pub(super) fn tag(&mut self, mark: Mark) -> Result<Tag<'a>> {
        let (handle, rest) = if self.cursor.byte_at(1) == b'<' {
            self.cursor.skip_ascii(2);
            let uri = self.uri(mark, false)?;
            if self.cursor.byte() != b'>' {
                return Err(Problem::new("no `>` ends this tag", mark));
            }
            self.cursor.skip();
            ("", uri)
        } else {
            let start = self.cursor.offset();
            self.cursor.skip();
            self.name();
            if self.cursor.byte() == b'!' {
                self.cursor.skip();
                let handle = self.cursor.slice(start, self.cursor.offset());
                (handle, self.uri(mark, false)?)
            } else {
                // What was read is no handle, but the beginning of the suffix.
                let head = self.cursor.slice(start + 1, self.cursor.offset());
                match self.uri(mark, true)? {
                    rest if head.is_empty() && rest.is_empty() => ("", "!".into()),
                    rest if rest.is_empty() => ("!", head.into()),
                    rest => ("!", Cow::Owned(format!("{head}{rest}"))),
                }
            }
        };
        if !self.cursor.ends_word_at(0) {
            return Err(Problem::new("a blank must follow a tag", mark)
                .help("put the value in quotes if `!` belongs to it"));
        }
        Ok(Tag { handle, rest })
    }

    /// Reads the characters of an address, `%` escapes undone.
    fn uri(&mut self, mark: Mark, may_be_empty: bool) -> Result<Cow<'a, str>> {
        let start = self.cursor.offset();
        let mut decoded: Option<Vec<u8>> = None;
        while is_uri(self.cursor.byte()) {
            if self.cursor.byte() == b'%' {
                let before = self.cursor.slice(start, self.cursor.offset()).as_bytes();
                let mut bytes = decoded.take().unwrap_or_else(|| before.to_vec());
                self.uri_escape(mark, &mut bytes)?;
                decoded = Some(bytes);
            } else {
                if let Some(bytes) = &mut decoded {
                    bytes.push(self.cursor.byte());
                }
                self.cursor.skip();
            }
        }
        let text = match decoded {
            None => Cow::Borrowed(self.cursor.slice(start, self.cursor.offset())),
            Some(bytes) => Cow::Owned(
                String::from_utf8(bytes)
                    .map_err(|_| Problem::new("the escapes in this tag are no UTF-8", mark))?,
            ),
        };
        if text.is_empty() && !may_be_empty {
            return Err(Problem::new("a tag is missing here", mark)
                .help("put the value in quotes if `!` belongs to it"));
        }
        Ok(text)
    }

    /// Reads the escaped octets of one character.
    fn uri_escape(&mut self, mark: Mark, bytes: &mut Vec<u8>) -> Result<()> {
        let mut left = None;
        while left != Some(0) {
            let digit = |n| char::from(self.cursor.byte_at(n)).to_digit(16);
            let (b'%', Some(high), Some(low)) = (self.cursor.byte(), digit(1), digit(2)) else {
                return Err(Problem::new(
                    "two hexadecimal digits must follow `%` in a tag",
                    mark,
                ));
            };
            let octet = u8::try_from(high * 16 + low).unwrap_or(0);
            let more = match (left, octet) {
                (None, 0..0x80) => 0,
                (None, 0xC0..0xE0) => 1,
                (None, 0xE0..0xF0) => 2,
                (None, 0xF0..0xF8) => 3,
                (Some(n), 0x80..0xC0) => n - 1,
                _ => {
                    return Err(Problem::new("the escapes in this tag are no UTF-8", mark));
                }
            };
            left = Some(more);
            bytes.push(octet);
            self.cursor.skip_ascii(3);
        }
        Ok(())
    }

    /// Reads a line that begins with `%`.
    pub(super) fn directive(&mut self) -> Result<Content<'a>> {
        let mark = self.cursor.mark();
        self.cursor.skip();
        let name = self.name();
        if !self.cursor.ends_word_at(0) {
            return Err(Problem::no_directive(mark));
        }
        let content = match name {
            "YAML" => self.version_directive(mark)?,
            "TAG" => self.tag_directive(mark)?,
            _ => return Err(Problem::no_directive(mark)),
        };
        self.cursor.skip_blanks(true);
        if self.cursor.byte() == b'#' {
            self.cursor.skip_line();
        }
        if !self.cursor.ends_line_at(0) {
            return Err(Problem::new(
                "a directive must have its line alone",
                self.cursor.mark(),
            ));
        }
        self.cursor.skip_break();
        Ok(content)
    }

    fn version_directive(&mut self, mark: Mark) -> Result<Content<'a>> {
        self.cursor.skip_blanks(true);
        let start = self.cursor.offset();
        while matches!(self.cursor.byte(), b'0'..=b'9' | b'.') {
            self.cursor.skip();
        }
        let version = self.cursor.slice(start, self.cursor.offset());
        let is_number =
            |text: &str| matches!(text.len(), 1 | 2) && text.bytes().all(|b| b.is_ascii_digit());
        match version.split_once('.') {
            Some((major, minor)) if is_number(major) && is_number(minor) => Ok(Content::Version(
                matches!((major, minor), ("1" | "01", "1" | "01")),
            )),
            _ => Err(Problem::no_directive(mark).help("remove the directive")),
        }
    }

    fn tag_directive(&mut self, mark: Mark) -> Result<Content<'a>> {
        let malformed = || {
            Problem::new("this `%TAG` directive is malformed", mark)
                .help("write `%TAG !handle! prefix`")
        };
        self.cursor.skip_blanks(true);
        let start = self.cursor.offset();
        if self.cursor.byte() != b'!' {
            return Err(malformed());
        }
        self.cursor.skip();
        let name = self.name();
        if self.cursor.byte() == b'!' {
            self.cursor.skip();
        } else if !name.is_empty() {
            return Err(malformed());
        }
        let handle = self.cursor.slice(start, self.cursor.offset());
        if !self.cursor.is_blank() {
            return Err(malformed());
        }
        self.cursor.skip_blanks(true);
        let prefix = self.uri(mark, true)?;
        if prefix.is_empty() || !self.cursor.ends_word_at(0) {
            return Err(malformed());
        }
        Ok(Content::Tag(Box::new(Tag {
            handle,
            rest: prefix,
        })))
    }
}
