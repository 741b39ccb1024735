//! Number constants.
//!
//! Compat: `text/template/parse/node.go` `newNumber`: a constant is kept under
//! every type that holds it, as Go's untyped constants are.

use super::lex::Kind;
use super::tree::Number;
use crate::gostd::strconv::{self, Unquoted};

/// The value of a constant; an error is the message that Go has for it.
pub(super) fn parse(text: &str, kind: Kind) -> Result<Number, String> {
    match kind {
        Kind::CharConstant => character(text),
        Kind::Complex => complex(text).ok_or_else(|| "syntax error scanning complex number".into()),
        _ => real(text),
    }
}

fn character(text: &str) -> Result<Number, String> {
    let inner = text.strip_prefix('\'').unwrap_or_default();
    let Some((unquoted, tail)) = strconv::unquote_char(inner, b'\'') else {
        return Err("invalid syntax".to_owned());
    };
    if tail != "'" {
        return Err(format!("malformed character constant: {text}"));
    }
    let code = match unquoted {
        Unquoted::Char(c) => u32::from(c),
        Unquoted::Byte(b) => u32::from(b),
    };
    Ok(Number {
        int: Some(i64::from(code)),
        uint: Some(u64::from(code)),
        float: Some(f64::from(code)),
        ..Number::default()
    })
}

fn float(text: &str) -> Option<f64> {
    strconv::parse_float(text, 64).ok()
}

/// `1+2i`: the second sign splits it.
fn complex(text: &str) -> Option<Number> {
    let parts = text.strip_suffix('i')?;
    let split = parts
        .char_indices()
        .skip(1)
        .filter(|(_, c)| matches!(c, '+' | '-'))
        .map(|(i, _)| i)
        .filter(|i| !matches!(parts.as_bytes().get(i - 1), Some(b'e' | b'E' | b'p' | b'P')))
        .last()?;
    let (real, imaginary) = parts.split_at(split);
    Some(simplified(float(real)?, float(imaginary)?))
}

/// A complex number, and what else represents it where it has no imaginary
/// part.
fn simplified(real: f64, imaginary: f64) -> Number {
    let mut number = Number {
        complex: Some((real, imaginary)),
        ..Number::default()
    };
    if imaginary == 0.0 {
        number.float = Some(real);
        number.int = exact_int(real);
        number.uint = exact_uint(real);
    }
    number
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "whether the conversion is exact is the question"
)]
fn exact_int(f: f64) -> Option<i64> {
    let int = f as i64;
    (int as f64 == f).then_some(int)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "whether the conversion is exact is the question"
)]
fn exact_uint(f: f64) -> Option<u64> {
    let uint = f as u64;
    (uint as f64 == f).then_some(uint)
}

#[expect(clippy::cast_precision_loss, reason = "as Go converts")]
fn real(text: &str) -> Result<Number, String> {
    if let Some(imaginary) = text.strip_suffix('i').and_then(float) {
        return Ok(simplified(0.0, imaginary));
    }
    let mut number = Number {
        uint: strconv::parse_uint(text, 0, 64).ok(),
        int: strconv::parse_int(text, 0, 64).ok(),
        ..Number::default()
    };
    if number.int == Some(0) {
        // A negative zero is no unsigned number by itself.
        number.uint = Some(0);
    }
    number.float = number
        .int
        .map(|i| i as f64)
        .or(number.uint.map(|u| u as f64));
    if number.float.is_none()
        && let Some(f) = float(text)
    {
        if !text.contains(['.', 'e', 'E', 'p', 'P']) {
            return Err(format!("integer overflow: {}", strconv::quote(text)));
        }
        number.float = Some(f);
        number.int = exact_int(f);
        number.uint = exact_uint(f);
    }
    if number.float.is_none() {
        return Err(format!("illegal number syntax: {}", strconv::quote(text)));
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_has_every_type_that_fits() {
        let n = parse("1e3", Kind::Number).unwrap();
        assert_eq!(
            (n.int, n.uint, n.float),
            (Some(1000), Some(1000), Some(1000.0))
        );
        let n = parse("-1", Kind::Number).unwrap();
        assert_eq!((n.int, n.uint, n.float), (Some(-1), None, Some(-1.0)));
        let n = parse("1.5", Kind::Number).unwrap();
        assert_eq!((n.int, n.uint, n.float), (None, None, Some(1.5)));
        let n = parse("-0", Kind::Number).unwrap();
        assert_eq!((n.int, n.uint), (Some(0), Some(0)));
        let n = parse("'a'", Kind::CharConstant).unwrap();
        assert_eq!(n.int, Some(97));
        let n = parse("1e3-2i", Kind::Complex).unwrap();
        assert_eq!((n.float, n.complex), (None, Some((1000.0, -2.0))));
        let n = parse("0i", Kind::Number).unwrap();
        assert_eq!((n.int, n.complex), (Some(0), Some((0.0, 0.0))));
        let n = parse("18446744073709551615", Kind::Number).unwrap();
        assert_eq!((n.int, n.uint), (None, Some(u64::MAX)));
    }

    #[test]
    fn what_is_no_number() {
        for (text, want) in [
            ("089x", "illegal number syntax: \"089x\""),
            ("-", "illegal number syntax: \"-\""),
            (
                "18446744073709551616",
                "integer overflow: \"18446744073709551616\"",
            ),
        ] {
            assert_eq!(parse(text, Kind::Number).unwrap_err(), want);
        }
        assert!(parse("''", Kind::CharConstant).is_err());
    }
}
