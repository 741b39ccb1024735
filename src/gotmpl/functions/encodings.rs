//! Base 64 and base 32, and digests.
//!
//! Compat: sprig 3.3.0 `strings.go`, `crypto.go`; Go's `encoding/base64` and
//! `encoding/base32`, whose messages come as the result where text cannot be
//! decoded.

use base64::Engine as _;
use sha2::Digest as _;

use crate::gotmpl::exec::Context;
use crate::gotmpl::function::{CallResult, Function, function};
use crate::gotmpl::value::Text;

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    function!("b64enc", with b64enc(text), "The text in base 64."),
    function!("b64dec", with b64dec(text), "The text that base 64 holds; an error text where it holds none."),
    function!("b32enc", with b32enc(text), "The text in base 32."),
    function!("b32dec", with b32dec(text), "The text that base 32 holds; an error text where it holds none."),
    function!("sha1sum", with sha1sum(text), "The SHA-1 digest of the text, in hexadecimal digits."),
    function!("sha256sum", with sha256sum(text), "The SHA-256 digest of the text, in hexadecimal digits."),
    function!("sha512sum", with sha512sum(text), "The SHA-512 digest of the text, in hexadecimal digits."),
    function!("adler32sum", with adler32sum(text), "The Adler-32 checksum of the text, as a number."),
];

fn b64enc(context: &mut Context<'_>, text: Text) -> CallResult<String> {
    context.take_bytes(text.len().div_ceil(3) * 4)?;
    Ok(base64::engine::general_purpose::STANDARD.encode(text.as_bytes()))
}

fn b64dec(context: &mut Context<'_>, text: Text) -> CallResult<Text> {
    context.take_bytes(text.len())?;
    Ok(match decode_base64(text.as_bytes()) {
        Ok(bytes) => bytes.into(),
        Err(at) => format!("illegal base64 data at input byte {at}").into(),
    })
}

/// The value of a digit, or none.
fn base64_digit(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

/// Decodes base 64 with padding; line breaks do not count. The error is the
/// offset at which Go finds a fault.
pub(super) fn decode_base64(text: &[u8]) -> Result<Vec<u8>, usize> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let is_break = |at: usize| matches!(text.get(at), Some(b'\n' | b'\r'));
    let mut at = 0;
    loop {
        let mut digits = [0u8; 4];
        let mut count = 0;
        while count < 4 {
            let Some(&byte) = text.get(at) else {
                // The end is fine between groups of four.
                return if count == 0 { Ok(out) } else { Err(at - count) };
            };
            at += 1;
            match base64_digit(byte) {
                Some(digit) => {
                    digits[count] = digit;
                    count += 1;
                }
                None if matches!(byte, b'\n' | b'\r') => {}
                None if byte != b'=' || count < 2 => return Err(at - 1),
                None => {
                    if count == 2 {
                        while is_break(at) {
                            at += 1;
                        }
                        match text.get(at) {
                            None => return Err(text.len()),
                            Some(b'=') => at += 1,
                            Some(_) => return Err(at - 1),
                        }
                    }
                    while is_break(at) {
                        at += 1;
                    }
                    if at < text.len() {
                        return Err(at);
                    }
                    out.extend(&group(digits)[..count - 1]);
                    return Ok(out);
                }
            }
        }
        out.extend(group(digits));
    }
}

/// The three bytes of four digits.
fn group(digits: [u8; 4]) -> [u8; 3] {
    let bits = digits
        .iter()
        .fold(0u32, |bits, d| bits << 6 | u32::from(*d));
    let [_, a, b, c] = bits.to_be_bytes();
    [a, b, c]
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn b32enc(context: &mut Context<'_>, text: Text) -> CallResult<String> {
    context.take_bytes(text.len().div_ceil(5) * 8)?;
    let mut out = String::with_capacity(text.len().div_ceil(5) * 8);
    for chunk in text.as_bytes().chunks(5) {
        let mut bytes = [0u8; 8];
        bytes[3..3 + chunk.len()].copy_from_slice(chunk);
        let bits = u64::from_be_bytes(bytes);
        let used = (chunk.len() * 8).div_ceil(5);
        for i in 0..8 {
            let digit = (bits >> (35 - 5 * i) & 31) as usize;
            let shown = if i < used { BASE32[digit] } else { b'=' };
            out.push(char::from(shown));
        }
    }
    Ok(out)
}

fn b32dec(context: &mut Context<'_>, text: Text) -> CallResult<Text> {
    context.take_bytes(text.len())?;
    Ok(match decode_base32(text.as_bytes()) {
        Ok(bytes) => bytes.into(),
        Err(at) => format!("illegal base32 data at input byte {at}").into(),
    })
}

/// Decodes base 32 with padding; line breaks do not count, not even in the
/// offset of a fault.
fn decode_base32(text: &[u8]) -> Result<Vec<u8>, usize> {
    let text: Vec<u8> = text
        .iter()
        .copied()
        .filter(|b| !matches!(b, b'\n' | b'\r'))
        .collect();
    let mut out = Vec::with_capacity(text.len() / 8 * 5);
    let mut at = 0;
    while at < text.len() {
        let mut bits = 0u64;
        let mut count = 0;
        while count < 8 {
            let Some(&byte) = text.get(at) else {
                return Err(at - count);
            };
            at += 1;
            let left = text.len() - at;
            if byte == b'=' && count >= 2 && left < 8 {
                if left + count < 7 {
                    return Err(text.len());
                }
                let padding = text.get(at..at + 7 - count).unwrap_or_default();
                if let Some(wrong) = padding.iter().position(|b| *b != b'=') {
                    return Err((at + wrong).saturating_sub(1));
                }
                if matches!(count, 1 | 3 | 6) {
                    return Err(at - 1);
                }
                let bytes = (bits << (5 * (8 - count))).to_be_bytes();
                out.extend(&bytes[3..3 + count * 5 / 8]);
                return Ok(out);
            }
            let Some(digit) = BASE32.iter().position(|b| *b == byte) else {
                return Err(at - 1);
            };
            bits = bits << 5 | digit as u64;
            count += 1;
        }
        out.extend(&bits.to_be_bytes()[3..]);
    }
    Ok(out)
}

/// Counts the steps that a digest takes.
fn look_at(context: &mut Context<'_>, text: &Text) -> CallResult<()> {
    context.take_steps(1 + text.len() as u64 / 32)
}

fn sha1sum(context: &mut Context<'_>, text: Text) -> CallResult<String> {
    look_at(context, &text)?;
    Ok(hex::encode(sha1::Sha1::digest(text.as_bytes())))
}

fn sha256sum(context: &mut Context<'_>, text: Text) -> CallResult<String> {
    look_at(context, &text)?;
    Ok(hex::encode(sha2::Sha256::digest(text.as_bytes())))
}

fn sha512sum(context: &mut Context<'_>, text: Text) -> CallResult<String> {
    look_at(context, &text)?;
    Ok(hex::encode(sha2::Sha512::digest(text.as_bytes())))
}

fn adler32sum(context: &mut Context<'_>, text: Text) -> CallResult<String> {
    const MODULUS: u32 = 65521;
    // So many bytes never overflow the sums.
    const CHUNK: usize = 5552;
    look_at(context, &text)?;
    let (mut a, mut b) = (1u32, 0u32);
    for chunk in text.as_bytes().chunks(CHUNK) {
        for byte in chunk {
            a += u32::from(*byte);
            b += a;
        }
        a %= MODULUS;
        b %= MODULUS;
    }
    Ok((b << 16 | a).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_64() {
        let decoded = |text: &str| decode_base64(text.as_bytes());
        assert_eq!(decoded("aGVsbG8="), Ok(b"hello".to_vec()));
        assert_eq!(decoded("aGVs\nbG8\r\n=\n"), Ok(b"hello".to_vec()));
        // From go1.26: base64.StdEncoding.DecodeString.
        for (text, at) in [
            ("a", 0),
            ("ab", 0),
            ("abc", 0),
            ("aGVsbG8", 4),
            ("a===", 1),
            ("ab=", 3),
            ("ab=c", 2),
            ("ab==c", 4),
            ("a*==", 1),
            ("=", 0),
            ("aGVsbG8==", 8),
        ] {
            assert_eq!(decoded(text), Err(at), "{text}");
        }
    }

    #[test]
    fn base_32() {
        let decoded = |text: &str| decode_base32(text.as_bytes());
        assert_eq!(decoded("NBSWY3DP"), Ok(b"hello".to_vec()));
        assert_eq!(decoded("NBSWY\n3A="), Ok(b"hell".to_vec()));
        assert_eq!(decoded("ME======"), Ok(b"a".to_vec()));
        // From go1.26: base32.StdEncoding.DecodeString.
        for (text, at) in [
            ("M", 0),
            ("ME", 0),
            ("ME=====", 7),
            ("me======", 0),
            ("ME=A====", 2),
        ] {
            assert_eq!(decoded(text), Err(at), "{text}");
        }
    }
}
