//! Quoted text.

use std::borrow::Cow;

use crate::gostd::unicode::is_print;

/// `strconv.Quote`: in double quotes, with escapes for what does not print.
pub fn quote(text: &str) -> String {
    quote_bytes(text.as_bytes())
}

/// `strconv.QuoteToASCII`: what is not ASCII is escaped too.
pub fn quote_to_ascii(text: &str) -> String {
    quote_bytes_to_ascii(text.as_bytes())
}

/// [`quote`] for a text that may not be UTF-8.
pub fn quote_bytes(bytes: &[u8]) -> String {
    quoted(bytes, false)
}

/// [`quote_to_ascii`] for a text that may not be UTF-8.
pub fn quote_bytes_to_ascii(bytes: &[u8]) -> String {
    quoted(bytes, true)
}

fn quoted(bytes: &[u8], to_ascii: bool) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            escape(c, '"', to_ascii, &mut out);
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out.push('"');
    out
}

/// `strconv.QuoteRune`: a character in single quotes.
pub fn quote_char(c: char) -> String {
    let mut out = String::from("'");
    escape(c, '\'', false, &mut out);
    out.push('\'');
    out
}

/// `strconv.QuoteRuneToASCII`.
pub fn quote_char_to_ascii(c: char) -> String {
    let mut out = String::from("'");
    escape(c, '\'', true, &mut out);
    out.push('\'');
    out
}

fn escape(c: char, quote: char, to_ascii: bool, out: &mut String) {
    if c == quote || c == '\\' {
        out.push('\\');
        out.push(c);
        return;
    }
    if (c.is_ascii() || !to_ascii) && is_print(c) {
        out.push(c);
        return;
    }
    let letter = match c {
        '\x07' => 'a',
        '\x08' => 'b',
        '\x0c' => 'f',
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\x0b' => 'v',
        _ => {
            let code = u32::from(c);
            out.push_str(&match code {
                0..0x20 | 0x7f => format!("\\x{code:02x}"),
                0x20..0x1_0000 => format!("\\u{code:04x}"),
                _ => format!("\\U{code:08x}"),
            });
            return;
        }
    };
    out.push('\\');
    out.push(letter);
}

/// `strconv.CanBackquote`: whether back quotes can hold the text as it is.
pub fn can_backquote(text: &str) -> bool {
    (text.chars()).all(|c| c == '\t' || !(c.is_ascii_control() || c == '`' || c == '\u{feff}'))
}

/// `strconv.Unquote`: what stands between double, single or back quotes; none
/// where the text is not quoted as Go quotes. The result need not be UTF-8.
pub fn unquote(text: &str) -> Option<Cow<'_, [u8]>> {
    let quote = *text.as_bytes().first()?;
    let inner = text.get(1..)?;
    if quote == b'`' {
        let inner = inner.strip_suffix('`').filter(|t| !t.contains('`'))?;
        return Some(if inner.contains('\r') {
            Cow::Owned(inner.replace('\r', "").into_bytes())
        } else {
            Cow::Borrowed(inner.as_bytes())
        });
    }
    if quote != b'"' && quote != b'\'' {
        return None;
    }
    let is_plain = |b: u8| !matches!(b, b'\\' | b'\n') && b != quote;
    if let Some((last, plain)) = inner.as_bytes().split_last()
        && quote == b'"'
        && *last == quote
        && plain.iter().all(|b| is_plain(*b))
    {
        return Some(Cow::Borrowed(plain));
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while !rest.starts_with(char::from(quote)) {
        if rest.starts_with('\n') {
            return None;
        }
        let (unquoted, tail) = unquote_char(rest, quote)?;
        match unquoted {
            Unquoted::Byte(byte) => out.push(byte),
            Unquoted::Char(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        rest = tail;
        if quote == b'\'' {
            // Compat: `''` is taken as the empty text.
            break;
        }
    }
    (rest.len() == 1 && rest.starts_with(char::from(quote))).then_some(Cow::Owned(out))
}

/// One character of a quoted text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unquoted {
    /// `\xff`, `\377`: a byte, which need not be UTF-8.
    Byte(u8),
    /// A character.
    Char(char),
}

/// `strconv.UnquoteChar`: the first character of what stands between quotes,
/// and the text after it. Only the quote that is in use may be escaped, and
/// must be; 0 allows both to stand as they are.
pub fn unquote_char(text: &str, quote: u8) -> Option<(Unquoted, &str)> {
    let mut chars = text.chars();
    let first = chars.next()?;
    if first != '\\' {
        let is_end = quote != 0 && first == char::from(quote);
        return (!is_end).then_some((Unquoted::Char(first), chars.as_str()));
    }
    let letter = chars.next()?;
    let rest = chars.as_str();
    let simple = match letter {
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        '\\' => '\\',
        '\'' | '"' if quote != 0 && letter == char::from(quote) => letter,
        'x' => {
            let (code, rest) = digits(rest, 2, 16)?;
            return Some((Unquoted::Byte(u8::try_from(code).ok()?), rest));
        }
        'u' | 'U' => {
            let (code, rest) = digits(rest, if letter == 'u' { 4 } else { 8 }, 16)?;
            return Some((Unquoted::Char(char::from_u32(code)?), rest));
        }
        '0'..='7' => {
            let (low, rest) = digits(rest, 2, 8)?;
            let code = letter.to_digit(8)? * 64 + low;
            return Some((Unquoted::Byte(u8::try_from(code).ok()?), rest));
        }
        _ => return None,
    };
    Some((Unquoted::Char(simple), rest))
}

fn digits(text: &str, count: usize, radix: u32) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(count)?;
    if digits.starts_with('+') {
        return None;
    }
    Some((u32::from_str_radix(digits, radix).ok()?, rest))
}
