//! Bytes to text, as go-yaml's reader (`readerc.go`) takes them.

use std::borrow::Cow;

use crate::diag::{Error, FileId, Result, Span};

/// Decodes the bytes of a YAML file: UTF-8, or UTF-16 with a byte-order mark.
///
/// # Errors
///
/// `yaml/invalid` for bytes that are no text in that encoding, with their
/// place; the caller says in which file (`Error::in_file`). Control characters
/// are refused where the text is parsed.
pub fn decode(bytes: &[u8]) -> Result<Cow<'_, str>> {
    Ok(match bytes {
        [0xFF, 0xFE, rest @ ..] => Cow::Owned(utf16(rest, u16::from_le_bytes)?),
        [0xFE, 0xFF, rest @ ..] => Cow::Owned(utf16(rest, u16::from_be_bytes)?),
        [0xEF, 0xBB, 0xBF, rest @ ..] => Cow::Borrowed(utf8(rest)?),
        _ => Cow::Borrowed(utf8(bytes)?),
    })
}

/// Refuses the control characters that YAML excludes, and texts whose places
/// do not fit a span.
///
/// # Errors
///
/// `yaml/invalid` with the place, but without the file.
pub(super) fn check(text: &str) -> Result<()> {
    if u32::try_from(text.len()).is_err() {
        return Err(Error::new("yaml/invalid", "text is longer than 4 GiB"));
    }
    if let Some(offset) = forbidden(text) {
        let c = text[offset..].chars().next().unwrap_or_default();
        return Err(Error::new(
            "yaml/invalid",
            format!("control character U+{:04X} is not allowed", u32::from(c)),
        )
        .at(place(&text.as_bytes()[..offset]))
        .help("write it as an escape in double quotes, or remove it"));
    }
    Ok(())
}

fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|e| {
        Error::new("yaml/invalid", "invalid UTF-8")
            .at(place(&bytes[..e.valid_up_to()]))
            .help("YAML is text: keep binary content out, or in base64")
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String> {
    let mut units = Vec::with_capacity(bytes.len() / 2);
    for pair in bytes.chunks(2) {
        let &[a, b] = pair else {
            return Err(
                Error::new("yaml/invalid", "incomplete UTF-16 character").at(Span::new(
                    FileId::default(),
                    1,
                    1,
                )),
            );
        };
        units.push(unit([a, b]));
    }
    String::from_utf16(&units).map_err(|_| {
        Error::new("yaml/invalid", "unpaired UTF-16 surrogate").at(Span::new(
            FileId::default(),
            1,
            1,
        ))
    })
}

/// The offset of the first character that YAML does not allow.
fn forbidden(text: &str) -> Option<usize> {
    let mut offset = 0;
    loop {
        let rest = text.get(offset..)?;
        let at = suspicious(rest.as_bytes())?;
        let c = rest.get(at..)?.chars().next()?;
        if !is_allowed(c) {
            return Some(offset + at);
        }
        offset += at + c.len_utf8();
    }
}

/// The first byte that may begin a character that is not allowed; most files
/// have none.
fn suspicious(bytes: &[u8]) -> Option<usize> {
    let is_suspicious = |b: u8| matches!(b, 0..=8 | 0xB | 0xC | 0xE..=0x1F | 0x7F | 0xC2 | 0xEF);
    // All bytes of a chunk are looked at together.
    const CHUNK: usize = 64;
    let clean = bytes
        .chunks(CHUNK)
        .take_while(|chunk| {
            let found = chunk
                .iter()
                .fold(0, |found, b| found | u8::from(is_suspicious(*b)));
            found == 0
        })
        .count();
    let start = (clean * CHUNK).min(bytes.len());
    let at = bytes[start..].iter().position(|b| is_suspicious(*b))?;
    Some(start + at)
}

/// Whether YAML lets this character stand unescaped.
pub(super) fn is_allowed(c: char) -> bool {
    matches!(c,
        '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{A0}'..='\u{D7FF}'
        | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// The place behind these bytes.
fn place(before: &[u8]) -> Span {
    let line = before.iter().filter(|b| **b == b'\n').count();
    let start = before
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |i| i + 1);
    let column = String::from_utf8_lossy(&before[start..]).chars().count();
    Span::new(
        FileId::default(),
        u32::try_from(line + 1).unwrap_or(u32::MAX),
        u32::try_from(column + 1).unwrap_or(u32::MAX),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8]) -> std::result::Result<String, (String, u32, u32)> {
        decode(bytes)
            .and_then(|text| super::check(&text).map(|()| text.into_owned()))
            .map_err(|e| (e.message().to_owned(), e.span().line, e.span().column))
    }

    #[test]
    fn encodings() {
        assert_eq!(check(b"a: b").unwrap(), "a: b");
        assert_eq!(check(b"\xEF\xBB\xBFa: b").unwrap(), "a: b");
        assert_eq!(check(b"\xFF\xFEa\0:\0").unwrap(), "a:");
        assert_eq!(check(b"\xFE\xFF\0a\0:").unwrap(), "a:");
    }

    #[test]
    fn what_is_refused_has_a_place() {
        assert_eq!(
            check(b"a: b\nc: \xC3(").unwrap_err(),
            ("invalid UTF-8".into(), 2, 4)
        );
        assert_eq!(
            check("ä: \0".as_bytes()).unwrap_err(),
            ("control character U+0000 is not allowed".into(), 1, 4)
        );
        assert!(check(b"a\x7f").is_err());
        assert!(check("a\u{80}".as_bytes()).is_err());
        assert!(check("a\u{85}b\u{FFFD}".as_bytes()).is_ok());
        assert!(check(b"\xFF\xFEa").is_err());
    }
}
