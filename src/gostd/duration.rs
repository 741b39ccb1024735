//! Durations as Go's `time.ParseDuration` reads and `Duration.String` writes
//! them.

use super::time::quote;

const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000), // U+00B5
    ("μs", 1_000), // U+03BC
    ("ms", 1_000_000),
    ("s", SECOND),
    ("m", 60 * SECOND),
    ("h", 3_600 * SECOND),
];

const SECOND: u64 = 1_000_000_000;

/// Why a text is no duration; reads as Go's error does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DurationError {
    text: String,
    kind: ErrorKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum ErrorKind {
    Invalid,
    MissingUnit,
    UnknownUnit(String),
}

impl std::fmt::Display for DurationError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = quote(self.text.as_bytes());
        match &self.kind {
            ErrorKind::Invalid => write!(f, "time: invalid duration {text}"),
            ErrorKind::MissingUnit => write!(f, "time: missing unit in duration {text}"),
            ErrorKind::UnknownUnit(unit) => {
                let unit = quote(unit.as_bytes());
                write!(f, "time: unknown unit {unit} in duration {text}")
            }
        }
    }
}

impl std::error::Error for DurationError {}

/// The nanoseconds that a text such as `1h30m` or `-1.5s` stands for.
pub fn parse(text: &str) -> Result<i64, DurationError> {
    let failed = |kind| DurationError {
        text: text.to_owned(),
        kind,
    };
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let total = total(unsigned).map_err(failed)?;
    if text.starts_with('-') {
        0_i64.checked_sub_unsigned(total)
    } else {
        i64::try_from(total).ok()
    }
    .ok_or_else(|| failed(ErrorKind::Invalid))
}

/// The sum of numbers with units.
fn total(text: &str) -> Result<u64, ErrorKind> {
    if text == "0" {
        return Ok(0);
    }
    if text.is_empty() {
        return Err(ErrorKind::Invalid);
    }
    let mut total: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let (whole, after) = split_digits(rest);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => split_digits(after),
            None => ("", after),
        };
        let is_number = !whole.is_empty() || !fraction.is_empty();
        // More than fits is found before the unit is looked at.
        let number: u64 = match whole {
            "" if is_number => 0,
            whole => (whole.parse().ok())
                .filter(|n| *n <= 1 << 63)
                .ok_or(ErrorKind::Invalid)?,
        };
        let end = after
            .find(|c: char| c == '.' || c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        if unit.is_empty() {
            return Err(ErrorKind::MissingUnit);
        }
        let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(ErrorKind::UnknownUnit(unit.to_owned()));
        };
        total = (number.checked_mul(*scale))
            .and_then(|n| n.checked_add(part(fraction, *scale)))
            .and_then(|n| n.checked_add(total))
            .filter(|n| *n <= 1 << 63)
            .ok_or(ErrorKind::Invalid)?;
        rest = after;
    }
    Ok(total)
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

/// The nanoseconds in a fraction of a unit; digits that no longer fit count
/// for nothing.
fn part(fraction: &str, unit: u64) -> u64 {
    let (mut value, mut scale): (u64, f64) = (0, 1.0);
    for digit in fraction.bytes().map(|b| u64::from(b - b'0')) {
        let Some(next) = value.checked_mul(10).and_then(|v| v.checked_add(digit)) else {
            break;
        };
        if next > 1 << 63 {
            break;
        }
        value = next;
        scale *= 10.0;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "as Go reckons; the result is less than one unit"
    )]
    let nanoseconds = (value as f64 * (unit as f64 / scale)) as u64;
    nanoseconds
}

/// `1h30m0s`, `1.5s`, `300ms`, `0s`.
pub fn format(nanoseconds: i64) -> String {
    let total = nanoseconds.unsigned_abs();
    let sign = if nanoseconds < 0 { "-" } else { "" };
    if total == 0 {
        return "0s".to_owned();
    }
    for (unit, scale) in [("ns", 1), ("µs", 1_000), ("ms", 1_000_000)] {
        if total < scale * 1_000 {
            return format!("{sign}{}{unit}", decimal(total, scale));
        }
    }
    let (minutes, rest) = (total / (60 * SECOND), total % (60 * SECOND));
    let seconds = decimal(rest, SECOND);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

/// A number of units, the fraction without zeros at its end.
fn decimal(nanoseconds: u64, unit: u64) -> String {
    let (whole, fraction) = (nanoseconds / unit, nanoseconds % unit);
    if fraction == 0 {
        return whole.to_string();
    }
    let digits = unit.ilog10() as usize;
    let fraction = format!("{fraction:0digits$}");
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_reads_and_writes_them() {
        // From go1.26: ParseDuration, then String.
        for (text, nanoseconds, written) in [
            ("0", 0, "0s"),
            ("-0", 0, "0s"),
            ("5s", 5_000_000_000, "5s"),
            ("1h30m", 5_400_000_000_000, "1h30m0s"),
            ("1.5h", 5_400_000_000_000, "1h30m0s"),
            ("-1.5s", -1_500_000_000, "-1.5s"),
            ("+.5s", 500_000_000, "500ms"),
            ("1.s", 1_000_000_000, "1s"),
            ("300ms", 300_000_000, "300ms"),
            ("10us", 10_000, "10µs"),
            ("10µs", 10_000, "10µs"),
            ("1.25ms", 1_250_000, "1.25ms"),
            ("1ns", 1, "1ns"),
            ("61s", 61_000_000_000, "1m1s"),
            ("1h1ns", 3_600_000_000_001, "1h0m0.000000001s"),
            ("0.3333333333333333333h", 1_200_000_000_000, "20m0s"),
            (
                "9223372036854775807ns",
                i64::MAX,
                "2562047h47m16.854775807s",
            ),
            (
                "-9223372036854775808ns",
                i64::MIN,
                "-2562047h47m16.854775808s",
            ),
        ] {
            assert_eq!(parse(text), Ok(nanoseconds), "{text}");
            assert_eq!(format(nanoseconds), written, "{text}");
        }
        for text in [
            "",
            "-",
            "5",
            "s",
            "5 s",
            "1d",
            "1h 5m",
            ".s",
            "5m5",
            "--1s",
            "1e3s",
            "9223372036854775808ns",
            "3000000h",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
