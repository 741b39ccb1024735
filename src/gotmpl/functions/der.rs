//! ASN.1 in DER, as far as keys and certificates need it, and PEM around it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The types of values.
pub(super) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const NULL: u8 = 0x05;
    pub(crate) const OBJECT_ID: u8 = 0x06;
    pub(crate) const UTF8_STRING: u8 = 0x0c;
    pub(crate) const PRINTABLE_STRING: u8 = 0x13;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;
}

/// A value of that type.
pub(super) fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match u8::try_from(content.len()) {
        Ok(length) if length < 0x80 => out.push(length),
        _ => {
            let length = content.len().to_be_bytes();
            let used = length.iter().skip_while(|b| **b == 0);
            let used: Vec<u8> = used.copied().collect();
            #[expect(clippy::cast_possible_truncation, reason = "no more than 8")]
            out.push(0x80 | used.len() as u8);
            out.extend(used);
        }
    }
    out.extend_from_slice(content);
    out
}

/// Values one after the other within a value of that type.
pub(super) fn nested(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    value(tag, &parts.concat())
}

/// A sequence.
pub(super) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    nested(tag::SEQUENCE, parts)
}

/// An integer that is not negative, by its bytes.
pub(super) fn integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|b| *b != 0).unwrap_or(bytes.len());
    let mut content = Vec::with_capacity(bytes.len() + 1);
    let used = bytes.get(start..).unwrap_or_default();
    if used.first().is_none_or(|b| *b >= 0x80) {
        content.push(0);
    }
    content.extend_from_slice(used);
    value(tag::INTEGER, &content)
}

/// A string of whole bytes of bits.
pub(super) fn bits(bytes: &[u8]) -> Vec<u8> {
    let mut content = vec![0];
    content.extend_from_slice(bytes);
    value(tag::BIT_STRING, &content)
}

/// The text between the markers of PEM.
pub(super) fn to_pem(label: &str, der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in encoded.as_bytes().chunks(64) {
        out.push_str(std::str::from_utf8(line).unwrap_or_default());
        out.push('\n');
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

/// The first block of PEM in a text: its label and content.
///
/// Compat: headers at the beginning of a block are skipped, as
/// `encoding/pem` does.
pub(super) fn from_pem(text: &str) -> Option<(String, Vec<u8>)> {
    let mut rest = text;
    loop {
        let begin = rest.find("-----BEGIN ")?;
        let block = rest.get(begin + "-----BEGIN ".len()..)?;
        let (label, body) = block.split_once("-----")?;
        let end = format!("-----END {label}-----");
        if let Some((body, _)) = body.split_once(&end) {
            let lines = body.lines().filter(|line| !line.contains(':'));
            let packed: String = lines.flat_map(str::split_whitespace).collect();
            if let Ok(der) = STANDARD.decode(packed) {
                return Some((label.to_owned(), der));
            }
        }
        rest = block;
    }
}

/// Reads the values of a sequence one by one.
pub(super) struct Reader<'d>(&'d [u8]);

impl<'d> Reader<'d> {
    /// The values within the one value that the text is.
    pub(super) fn of_sequence(der: &'d [u8]) -> Option<Reader<'d>> {
        let mut outer = Reader(der);
        let content = outer.value(tag::SEQUENCE)?;
        outer.0.is_empty().then_some(Reader(content))
    }

    /// The content of the next value, which has that type.
    pub(super) fn value(&mut self, tag: u8) -> Option<&'d [u8]> {
        let (&found, rest) = self.0.split_first()?;
        let (&short, mut rest) = rest.split_first()?;
        let mut length = usize::from(short);
        if short >= 0x80 {
            let (bytes, after) = rest.split_at_checked(usize::from(short & 0x7f))?;
            length = bytes.iter().try_fold(0usize, |n, b| {
                n.checked_mul(256)?.checked_add(usize::from(*b))
            })?;
            rest = after;
        }
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        (found == tag).then_some(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_integers() {
        assert_eq!(value(tag::NULL, &[]), [5, 0]);
        assert_eq!(value(tag::OCTET_STRING, &[0; 200])[..3], [4, 0x81, 200]);
        assert_eq!(value(tag::OCTET_STRING, &[0; 300])[..4], [4, 0x82, 1, 44]);
        assert_eq!(integer(&[0, 0, 1]), [2, 1, 1]);
        assert_eq!(integer(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[]), [2, 1, 0]);
    }

    #[test]
    fn pem_goes_round() {
        let der = sequence(&[integer(&[7]), value(tag::OCTET_STRING, &[1; 100])]);
        let text = format!("x\n{}y", to_pem("A KEY", &der));
        let (label, back) = from_pem(&text).unwrap();
        assert_eq!((&*label, &back), ("A KEY", &der));
        let mut reader = Reader::of_sequence(&back).unwrap();
        assert_eq!(reader.value(tag::INTEGER), Some(&[7][..]));
        assert_eq!(reader.value(tag::OCTET_STRING), Some(&[1; 100][..]));
        assert_eq!(reader.value(tag::NULL), None);
        assert!(from_pem("-----BEGIN A-----").is_none());
    }
}
