//! Numbers with units, as Kubernetes counts resources.

use std::cmp::Ordering;

/// A quantity, in billionths.
///
/// Compat: `resource.Quantity`: what is finer than a billionth is rounded up;
/// values too large for this form stay the largest there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(i128);

const UNIT: i128 = 1_000_000_000;

impl Quantity {
    /// Reads `1.5Gi`, `500m`, `1e3`; none for what is no quantity.
    pub fn parse(text: &str) -> Option<Quantity> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let end = unsigned
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(unsigned.len());
        let (number, unit) = unsigned.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        // Compat: digits may be missing; only text that is empty is nothing.
        if fraction.contains('.') || text.is_empty() {
            return None;
        }
        // The value is digits × base^power × 10^exponent.
        let (base, power, exponent) = match unit {
            "" => (10, 0, 0),
            "n" => (10, 0, -9),
            "u" => (10, 0, -6),
            "m" => (10, 0, -3),
            "k" => (10, 0, 3),
            "M" => (10, 0, 6),
            "G" => (10, 0, 9),
            "T" => (10, 0, 12),
            "P" => (10, 0, 15),
            "E" => (10, 0, 18),
            "Ki" => (2, 10, 0),
            "Mi" => (2, 20, 0),
            "Gi" => (2, 30, 0),
            "Ti" => (2, 40, 0),
            "Pi" => (2, 50, 0),
            "Ei" => (2, 60, 0),
            _ => {
                let exponent = unit.strip_prefix(['e', 'E'])?;
                let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
                if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    return None;
                }
                let limit = if exponent.starts_with('-') {
                    i32::MIN
                } else {
                    i32::MAX
                };
                (10, 0, exponent.parse().unwrap_or(limit / 2))
            }
        };
        let digits = format!("{whole}{fraction}");
        let digits = digits.trim_start_matches('0');
        let scale = i32::try_from(fraction.len()).ok()?;
        let value = scaled(
            digits,
            base,
            power,
            exponent.checked_sub(scale)?.checked_add(9)?,
        );
        Some(Quantity(if negative { -value } else { value }))
    }

    pub(super) fn of_int(value: i64) -> Quantity {
        Quantity(i128::from(value) * UNIT)
    }

    /// The value, if it is an integer of 64 bits.
    pub(super) fn integer(self) -> Option<i64> {
        (self.0 % UNIT == 0)
            .then(|| i64::try_from(self.0 / UNIT).ok())
            .flatten()
    }

    #[expect(clippy::cast_precision_loss, reason = "what is asked for")]
    pub(super) fn float(self) -> f64 {
        self.0 as f64 / UNIT as f64
    }

    pub(super) fn sign(self) -> i64 {
        i64::try_from(self.0.signum()).unwrap_or(0)
    }

    pub(super) fn add(self, other: Quantity) -> Quantity {
        Quantity(self.0.saturating_add(other.0))
    }

    pub(super) fn subtract(self, other: Quantity) -> Quantity {
        Quantity(self.0.saturating_sub(other.0))
    }

    pub(super) fn compare(self, other: Quantity) -> Ordering {
        self.cmp(&other)
    }
}

/// `digits × base^power × 10^exponent`, rounded up to a whole number, and the
/// largest there is for what is larger.
fn scaled(digits: &str, base: i128, power: u32, exponent: i32) -> i128 {
    if digits.is_empty() {
        return 0;
    }
    // More digits than fit behind the point are dropped, and rounded up.
    let drop = usize::try_from(exponent.saturating_neg()).unwrap_or(0);
    let keep = 30;
    let (digits, dropped) = match digits.len().checked_sub(keep) {
        Some(more) if more <= drop => digits.split_at(keep),
        Some(0) | None => (digits, ""),
        Some(_) => return i128::MAX,
    };
    let exponent = exponent + i32::try_from(dropped.len()).unwrap_or(i32::MAX);
    let Some(mut value) = digits
        .parse::<i128>()
        .ok()
        .and_then(|value| value.checked_mul(base.checked_pow(power)?))
    else {
        return i128::MAX;
    };
    let mut inexact = dropped.bytes().any(|b| b != b'0');
    for _ in 0..exponent.max(0) {
        let Some(larger) = value.checked_mul(10) else {
            return i128::MAX;
        };
        value = larger;
    }
    for _ in exponent.min(0)..0 {
        inexact |= value % 10 != 0;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    value + i128::from(inexact)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Quantity {
        Quantity::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn units_are_what_they_are_worth() {
        for (a, b) in [
            ("1", "1000m"),
            ("1.5Gi", "1610612736"),
            ("0.5", "500m"),
            (".5", "500m"),
            ("5.", "5"),
            ("1e3", "1k"),
            ("1E3", "1k"),
            ("1E", "1000P"),
            ("12e-1", "1200m"),
            ("-1k", "-1000"),
            ("+1", "1"),
            ("0.0000000001", "1n"),
            ("100n", "0.1u"),
            ("0", "-0"),
        ] {
            assert_eq!(parse(a), parse(b), "{a} {b}");
        }
        assert!(parse("9999999999999999999999999999999999999G") > parse("1Ei"));
        assert_eq!(parse("50k").integer(), Some(50_000));
        assert_eq!(parse("1500m").integer(), None);
        for text in ["Mi", "m", ".", "-", "e3"] {
            assert_eq!(parse(text), parse("0"), "{text}");
        }
        for text in [
            "", "Three", "1,3G", "200K", "1.2.3", "1e", "1 Gi", "0x1", "--1",
        ] {
            assert_eq!(Quantity::parse(text), None, "{text}");
        }
    }

    #[test]
    fn hostile_exponents_end_soon() {
        assert_eq!(parse("1e2147483000"), parse("1e2147482000"));
        assert_eq!(parse("1e-2147483000"), parse("1n"));
        assert_eq!(parse(&"9".repeat(10_000)), parse(&"9".repeat(9_000)));
        assert_eq!(parse(&format!("0.{}1", "0".repeat(10_000))), parse("1n"));
        assert_eq!(parse("1e99999999999"), parse("1e2147483000"));
    }
}
