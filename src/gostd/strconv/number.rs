//! Text to numbers and truth values.

use super::quote::quote;

/// Why a text is no number; reads as Go's error does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumError {
    /// The function of `strconv` that refused it.
    pub function: &'static str,
    /// The text.
    pub number: String,
    /// What is wrong with it.
    pub kind: NumErrorKind,
}

/// What is wrong with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumErrorKind {
    /// It is none.
    Syntax,
    /// It is too large or too small.
    Range,
    /// There is no such base.
    Base(u32),
}

impl std::fmt::Display for NumError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let number = quote(&self.number);
        write!(f, "strconv.{}: parsing {number}: ", self.function)?;
        match self.kind {
            NumErrorKind::Syntax => f.write_str("invalid syntax"),
            NumErrorKind::Range => f.write_str("value out of range"),
            NumErrorKind::Base(base) => write!(f, "invalid base {base}"),
        }
    }
}

impl std::error::Error for NumError {}

fn named<T>(
    result: Result<T, NumErrorKind>,
    function: &'static str,
    number: &str,
) -> Result<T, NumError> {
    result.map_err(|kind| NumError {
        function,
        number: number.to_owned(),
        kind,
    })
}

/// `strconv.ParseBool`.
pub fn parse_bool(text: &str) -> Result<bool, NumError> {
    let parsed = match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(NumErrorKind::Syntax),
    };
    named(parsed, "ParseBool", text)
}

/// `strconv.Atoi`.
pub fn atoi(text: &str) -> Result<i64, NumError> {
    named(signed(text, 10, 64), "Atoi", text)
}

/// `strconv.ParseInt`: base 0 takes prefixes and underscores.
pub fn parse_int(text: &str, base: u32, bits: u32) -> Result<i64, NumError> {
    named(signed(text, base, bits), "ParseInt", text)
}

/// `strconv.ParseUint`: base 0 takes prefixes and underscores.
pub fn parse_uint(text: &str, base: u32, bits: u32) -> Result<u64, NumError> {
    named(unsigned(text, base, bits), "ParseUint", text)
}

fn signed(text: &str, base: u32, bits: u32) -> Result<i64, NumErrorKind> {
    let (digits, is_negative) = match text.strip_prefix('-') {
        Some(digits) => (digits, true),
        None => (text.strip_prefix('+').unwrap_or(text), false),
    };
    let magnitude = i128::from(unsigned(digits, base, bits)?);
    let value = if is_negative { -magnitude } else { magnitude };
    let bits = if bits == 0 { 64 } else { bits.min(64) };
    let limit = 1_i128 << (bits - 1);
    if (-limit..limit).contains(&value) {
        i64::try_from(value).map_err(|_| NumErrorKind::Range)
    } else {
        Err(NumErrorKind::Range)
    }
}

fn unsigned(text: &str, base: u32, bits: u32) -> Result<u64, NumErrorKind> {
    let (digits, radix) = match base {
        0 => prefixed(text),
        2..=36 => (text, base),
        _ if text.is_empty() => return Err(NumErrorKind::Syntax),
        _ => return Err(NumErrorKind::Base(base)),
    };
    if text.is_empty() {
        return Err(NumErrorKind::Syntax);
    }
    let bits = if bits == 0 { 64 } else { bits.min(64) };
    let largest = u64::MAX >> (64 - bits);
    let mut value: u64 = 0;
    let mut has_underscores = false;
    for c in digits.chars() {
        if c == '_' && base == 0 {
            has_underscores = true;
            continue;
        }
        let digit = c.to_digit(radix).ok_or(NumErrorKind::Syntax)?;
        value = value
            .checked_mul(u64::from(radix))
            .and_then(|v| v.checked_add(u64::from(digit)))
            .filter(|v| *v <= largest)
            // Compat: what follows is not looked at.
            .ok_or(NumErrorKind::Range)?;
    }
    if has_underscores && !underscores_are_between_digits(text) {
        return Err(NumErrorKind::Syntax);
    }
    Ok(value)
}

/// The digits and their base, by Go's prefixes.
fn prefixed(text: &str) -> (&str, u32) {
    let Some(rest) = text.strip_prefix('0') else {
        return (text, 10);
    };
    // A prefix needs a digit after it.
    let digits = if text.len() >= 3 { rest.get(1..) } else { None };
    match (rest.bytes().next().map(|b| b.to_ascii_lowercase()), digits) {
        (Some(b'b'), Some(digits)) => (digits, 2),
        (Some(b'o'), Some(digits)) => (digits, 8),
        (Some(b'x'), Some(digits)) => (digits, 16),
        _ => (rest, 8),
    }
}

/// Whether each underscore has a digit, or the prefix, before it and a digit
/// after it.
fn underscores_are_between_digits(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut is_hexadecimal = false;
    let mut is_after_digit = false;
    let mut is_after_underscore = false;
    let mut bytes = text.as_bytes();
    if let [
        b'0',
        letter @ (b'b' | b'o' | b'x' | b'B' | b'O' | b'X'),
        rest @ ..,
    ] = bytes
    {
        is_hexadecimal = letter.eq_ignore_ascii_case(&b'x');
        is_after_digit = true;
        bytes = rest;
    }
    for byte in bytes {
        let is_digit = byte.is_ascii_digit() || (is_hexadecimal && byte.is_ascii_hexdigit());
        let is_underscore = *byte == b'_';
        if (is_underscore && !is_after_digit) || (is_after_underscore && !is_digit) {
            return false;
        }
        is_after_digit = is_digit;
        is_after_underscore = is_underscore;
    }
    !is_after_underscore
}

/// `strconv.ParseFloat`, for a float of 32 or 64 bits.
pub fn parse_float(text: &str, bits: u32) -> Result<f64, NumError> {
    named(float(text, bits), "ParseFloat", text)
}

fn float(text: &str, bits: u32) -> Result<f64, NumErrorKind> {
    let (unsigned, is_negative) = match text.strip_prefix('-') {
        Some(rest) => (rest, true),
        None => (text.strip_prefix('+').unwrap_or(text), false),
    };
    if ["inf", "infinity"]
        .iter()
        .any(|name| unsigned.eq_ignore_ascii_case(name))
    {
        return Ok(if is_negative {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        });
    }
    // Compat: a sign before `nan` is refused.
    if text.eq_ignore_ascii_case("nan") {
        return Ok(f64::NAN);
    }
    let value = if unsigned.starts_with("0x") || unsigned.starts_with("0X") {
        hexadecimal_float(unsigned, bits)?
    } else {
        // What Rust takes besides: names, and a second sign.
        if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
            || (unsigned.contains('_') && !underscores_are_between_digits(unsigned))
        {
            return Err(NumErrorKind::Syntax);
        }
        let digits = unsigned.replace('_', "");
        if bits == 32 {
            digits.parse::<f32>().map(f64::from)
        } else {
            digits.parse::<f64>()
        }
        .map_err(|_| NumErrorKind::Syntax)?
    };
    if value.is_infinite() {
        return Err(NumErrorKind::Range);
    }
    Ok(if is_negative { -value } else { value })
}

/// `0x1.8p3`; underscores may stand between digits, the exponent must be
/// there.
fn hexadecimal_float(text: &str, bits: u32) -> Result<f64, NumErrorKind> {
    let body = text.get(2..).unwrap_or_default();
    let (mantissa, exponent) = body.split_once(['p', 'P']).ok_or(NumErrorKind::Syntax)?;
    let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if !digits.starts_with(|c: char| c.is_ascii_digit())
        || !digits.bytes().all(|b| b.is_ascii_digit() || b == b'_')
        || (text.contains('_') && !underscores_are_between_digits(text))
    {
        return Err(NumErrorKind::Syntax);
    }
    // Far beyond what a float can hold, and far from overflowing.
    let mut power = digits
        .bytes()
        .filter(u8::is_ascii_digit)
        .fold(0_i64, |power, b| {
            (power * 10 + i64::from(b - b'0')).min(100_000)
        });
    if exponent.starts_with('-') {
        power = -power;
    }

    // Sixty-four bits of digits; whether more follow decides on rounding.
    let mut value: u64 = 0;
    let mut is_inexact = false;
    let mut is_after_point = false;
    let mut has_digits = false;
    for c in mantissa.chars() {
        match c {
            '_' => continue,
            '.' if !is_after_point => {
                is_after_point = true;
                continue;
            }
            _ => {}
        }
        let digit = c.to_digit(16).ok_or(NumErrorKind::Syntax)?;
        has_digits = true;
        if value >> 60 == 0 {
            value = value << 4 | u64::from(digit);
            power -= if is_after_point { 4 } else { 0 };
        } else {
            is_inexact |= digit != 0;
            power += if is_after_point { 0 } else { 4 };
        }
    }
    if !has_digits {
        return Err(NumErrorKind::Syntax);
    }
    Ok(scaled(value, is_inexact, power, bits))
}

/// `value * 2^power`, rounded once to the nearest float, to even between two.
fn scaled(value: u64, is_inexact: bool, power: i64, bits: u32) -> f64 {
    if value == 0 {
        return 0.0;
    }
    let (precision, least) = if bits == 32 { (24, -149) } else { (53, -1074) };
    // The bits that do not fit: to keep the precision, or to reach the least
    // power that a float has.
    let length = 64 - i64::from(value.leading_zeros());
    let dropped = (length - precision).max(least - power);
    let (kept, power) = if dropped <= 0 {
        (value, power)
    } else if dropped > 64 {
        (0, power + dropped)
    } else {
        let wide = u128::from(value);
        let kept = wide >> dropped;
        let rest = wide & ((1 << dropped) - 1);
        let half = 1_u128 << (dropped - 1);
        let up = rest > half || (rest == half && (is_inexact || kept & 1 == 1));
        (
            u64::try_from(kept + u128::from(up)).unwrap_or(u64::MAX),
            power + dropped,
        )
    };
    // Exact from here on: both steps of the power are in range.
    #[expect(clippy::cast_precision_loss, reason = "it has at most 53 bits")]
    let kept = kept as f64;
    let power = i32::try_from(power.clamp(-5000, 5000)).unwrap_or(0);
    let result = kept * 2_f64.powi(power / 2) * 2_f64.powi(power - power / 2);
    if bits == 32 && result > f64::from(f32::MAX) {
        f64::INFINITY
    } else {
        result
    }
}
