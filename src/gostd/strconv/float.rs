//! Floats to text.

/// How a float is laid out: the verbs of `FormatFloat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloatVerb {
    /// `e`, `E`: one digit before the point, and an exponent.
    Scientific {
        /// Whether the letter is a capital.
        upper: bool,
    },
    /// `f`: no exponent.
    Fixed,
    /// `g`, `G`: an exponent where the number is very large or very small.
    General {
        /// Whether the letter is a capital.
        upper: bool,
    },
    /// `x`, `X`: hexadecimal, with a binary exponent.
    Hexadecimal {
        /// Whether letters are capitals.
        upper: bool,
    },
    /// `b`: a decimal integer and a binary exponent.
    Binary,
}

/// Decimal digits beyond these are zeros for every float.
const MAX_PRECISION: usize = 1100;

/// The digits of a float, and where the point is: `1.5e3` is `15` with
/// exponent 3.
struct Decimal {
    negative: bool,
    /// At least one; no zeros at the end unless it is the only digit.
    digits: String,
    exponent: i32,
}

impl Decimal {
    /// From Rust's `{:e}`.
    fn of(scientific: &str) -> Decimal {
        let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
        let unsigned = mantissa.strip_prefix('-').unwrap_or(mantissa);
        let mut digits = unsigned.replace('.', "");
        digits.truncate(digits.trim_end_matches('0').len().max(1));
        Decimal {
            negative: mantissa.len() != unsigned.len(),
            digits,
            exponent: exponent.parse().unwrap_or(0),
        }
    }

    /// The shortest digits that are read as the same float.
    ///
    /// Compat: of two texts that are as short and as near, Go takes the one
    /// that ends in an even digit, and Rust the larger one.
    fn shortest(f: f64, bits: u32) -> Decimal {
        // Fewer digits than this leave no room for two, save for the smallest
        // floats.
        let mut ties_from = 16;
        let decimal = if bits == 32 {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the caller says that it is one"
            )]
            let f = f as f32;
            ties_from = 7;
            Decimal::of(&format!("{f:e}"))
        } else {
            Decimal::of(&format!("{f:e}"))
        };
        if decimal.digits.len() < ties_from && decimal.exponent > -38 {
            return decimal;
        }
        // Rust rounds to a given number of digits as Go does.
        let rounded = format!("{f:.*e}", decimal.digits.len() - 1);
        let is_same = if bits == 32 {
            rounded
                .parse()
                .is_ok_and(|r: f32| f64::from(r).total_cmp(&f).is_eq())
        } else {
            rounded.parse().is_ok_and(|r: f64| r.total_cmp(&f).is_eq())
        };
        if is_same {
            Decimal::of(&rounded)
        } else {
            decimal
        }
    }

    /// Rounded to so many digits after the first.
    fn rounded(f: f64, precision: usize) -> Decimal {
        Decimal::of(&format!("{f:.*e}", precision.min(MAX_PRECISION)))
    }

    fn sign(&self) -> &'static str {
        if self.negative { "-" } else { "" }
    }

    /// With so many digits after the point, and an exponent of at least
    /// `exponent_digits` digits.
    fn scientific(&self, precision: Option<usize>, exponent_digits: usize, letter: char) -> String {
        let mut out = self.sign().to_owned();
        let (first, rest) = self.digits.split_at(1);
        let precision = precision.unwrap_or(rest.len());
        out.push_str(first);
        if precision > 0 {
            out.push('.');
            out.push_str(rest);
            out.extend(std::iter::repeat_n(
                '0',
                precision.saturating_sub(rest.len()),
            ));
        }
        let sign = if self.exponent < 0 { '-' } else { '+' };
        let exponent = self.exponent.unsigned_abs();
        out.push_str(&format!("{letter}{sign}{exponent:0exponent_digits$}"));
        out
    }

    /// Without an exponent, and with as many digits after the point as there
    /// are.
    fn fixed(&self) -> String {
        let mut out = self.sign().to_owned();
        let point = self.exponent + 1;
        match usize::try_from(point) {
            Ok(point) if point > 0 => {
                let (whole, fraction) = self.digits.split_at(point.min(self.digits.len()));
                out.push_str(whole);
                out.extend(std::iter::repeat_n('0', point - whole.len()));
                if !fraction.is_empty() {
                    out.push('.');
                    out.push_str(fraction);
                }
            }
            _ if self.digits == "0" => out.push('0'),
            _ => {
                out.push_str("0.");
                out.extend(std::iter::repeat_n('0', point.unsigned_abs() as usize));
                out.push_str(&self.digits);
            }
        }
        out
    }

    /// With an exponent if there would be many zeros otherwise.
    fn general(&self, precision: Option<usize>, upper: bool) -> String {
        // Compat: ftoa.go: with the shortest digits, a precision of 6 decides;
        // whole numbers may have as many digits as the precision allows.
        let digits = i32::try_from(self.digits.len()).unwrap_or(i32::MAX);
        let limit = match precision {
            None => 6,
            Some(precision) => {
                let precision = i32::try_from(precision).unwrap_or(i32::MAX);
                if precision > digits && digits > self.exponent {
                    digits
                } else {
                    precision
                }
            }
        };
        if self.exponent < -4 || self.exponent >= limit {
            self.scientific(None, 2, if upper { 'E' } else { 'e' })
        } else {
            self.fixed()
        }
    }
}

/// `strconv.FormatFloat(f, 'g', -1, 64)`.
pub fn format_float(f: f64) -> String {
    format_float_as(f, FloatVerb::General { upper: false }, None, 64)
}

/// `strconv.FormatFloat(f, 'g', -1, 32)`.
pub fn format_float32(f: f32) -> String {
    format_float_as(f64::from(f), FloatVerb::General { upper: false }, None, 32)
}

/// `strconv.FormatFloat`: without a precision (-1 for Go) as many digits as it
/// takes to read the same float of so many bits, 32 or 64.
pub fn format_float_as(f: f64, verb: FloatVerb, precision: Option<usize>, bits: u32) -> String {
    if let Some(text) = not_finite(f) {
        return text.to_owned();
    }
    match (verb, precision) {
        (FloatVerb::Scientific { upper }, precision) => {
            let decimal = match precision {
                None => Decimal::shortest(f, bits),
                Some(precision) => Decimal::rounded(f, precision),
            };
            decimal.scientific(precision, 2, if upper { 'E' } else { 'e' })
        }
        (FloatVerb::Fixed, None) => Decimal::shortest(f, bits).fixed(),
        (FloatVerb::Fixed, Some(precision)) => {
            let mut out = format!("{f:.*}", precision.min(MAX_PRECISION));
            out.extend(std::iter::repeat_n(
                '0',
                precision.saturating_sub(MAX_PRECISION),
            ));
            out
        }
        (FloatVerb::General { upper }, None) => Decimal::shortest(f, bits).general(None, upper),
        (FloatVerb::General { upper }, Some(precision)) => {
            let precision = precision.max(1);
            Decimal::rounded(f, precision - 1).general(Some(precision), upper)
        }
        (FloatVerb::Hexadecimal { upper }, precision) => hexadecimal(f, precision, upper, bits),
        (FloatVerb::Binary, _) => {
            let (mantissa, exponent) = binary(f, bits);
            let sign = if f.is_sign_negative() { "-" } else { "" };
            format!("{sign}{mantissa}p{exponent:+}")
        }
    }
}

/// The integer and the power of two that make up a finite float.
fn binary(f: f64, bits: u32) -> (u64, i32) {
    let (word, mantissa_bits, exponent_bits) = if bits == 32 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the caller says that it is one"
        )]
        let f = f as f32;
        (u64::from(f.to_bits()), 23, 8)
    } else {
        (f.to_bits(), 52, 11)
    };
    let mantissa = word & ((1 << mantissa_bits) - 1);
    let exponent = i32::try_from((word >> mantissa_bits) & ((1 << exponent_bits) - 1)).unwrap_or(0);
    let bias = (1 << (exponent_bits - 1)) - 1 + mantissa_bits;
    if exponent == 0 {
        (mantissa, 1 - bias)
    } else {
        (mantissa | 1 << mantissa_bits, exponent - bias)
    }
}

/// `0x1.8p+01`: a leading one (zero for zero), and hexadecimal digits.
fn hexadecimal(f: f64, precision: Option<usize>, upper: bool, bits: u32) -> String {
    let (mut mantissa, mut exponent) = binary(f, bits);
    if mantissa == 0 {
        exponent = 0;
    } else {
        // The leading one moves to bit 60, before fifteen digits.
        let shift = mantissa.leading_zeros().saturating_sub(3);
        mantissa <<= shift;
        exponent += 60 - i32::try_from(shift).unwrap_or(0);
    }
    if let Some(precision @ 0..15) = precision {
        let dropped = 60 - 4 * precision;
        let rest = mantissa & ((1 << dropped) - 1);
        let half = 1 << (dropped - 1);
        mantissa >>= dropped;
        if rest > half || (rest == half && mantissa & 1 == 1) {
            mantissa += 1;
        }
        mantissa <<= dropped;
        if mantissa >> 61 == 1 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let mut digits = format!("{:015x}", mantissa & ((1 << 60) - 1));
    match precision {
        None => digits.truncate(digits.trim_end_matches('0').len()),
        Some(precision @ 0..15) => digits.truncate(precision),
        Some(precision) => digits.extend(std::iter::repeat_n('0', precision - 15)),
    }
    let sign = if f.is_sign_negative() { "-" } else { "" };
    let point = if digits.is_empty() { "" } else { "." };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    let text = format!(
        "{sign}0x{}{point}{digits}p{exponent_sign}{:02}",
        mantissa >> 60,
        exponent.unsigned_abs()
    );
    if upper { text.to_uppercase() } else { text }
}

/// A float as `encoding/json` writes it; the caller keeps out what JSON cannot
/// hold.
pub fn format_json_float(f: f64) -> String {
    let decimal = Decimal::shortest(f, 64);
    if f != 0.0 && (decimal.exponent < -6 || decimal.exponent >= 21) {
        decimal.scientific(None, 1, 'e')
    } else {
        decimal.fixed()
    }
}

fn not_finite(f: f64) -> Option<&'static str> {
    if f.is_nan() {
        Some("NaN")
    } else if f.is_infinite() {
        Some(if f > 0.0 { "+Inf" } else { "-Inf" })
    } else {
        None
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_prints_them() {
        // From go1.26: FormatFloat(f, 'g', -1, 64), the same with 32, and json.Marshal.
        for (f, g, g32, json) in [
            (0.0, "0", "0", "0"),
            (-1.0, "-1", "-1", "-1"),
            (0.5, "0.5", "0.5", "0.5"),
            (1e6, "1e+06", "1e+06", "1000000"),
            (123_456.0, "123456", "123456", "123456"),
            (
                123_456_789.0,
                "1.23456789e+08",
                "1.2345679e+08",
                "123456789",
            ),
            (1e20, "1e+20", "1e+20", "100000000000000000000"),
            (1e21, "1e+21", "1e+21", "1e+21"),
            (0.0001, "0.0001", "0.0001", "0.0001"),
            (0.00001, "1e-05", "1e-05", "0.00001"),
            (1e-6, "1e-06", "1e-06", "0.000001"),
            (1e-7, "1e-07", "1e-07", "1e-7"),
            (1.5e-9, "1.5e-09", "1.5e-09", "1.5e-9"),
            (5e-324, "5e-324", "0", "5e-324"),
            (
                12_345_678.9,
                "1.23456789e+07",
                "1.2345679e+07",
                "12345678.9",
            ),
        ] {
            assert_eq!(format_float(f), g);
            #[expect(clippy::cast_possible_truncation, reason = "what is tested")]
            let f32 = f as f32;
            assert_eq!(format_float32(f32), g32);
            assert_eq!(format_json_float(f), json);
        }
        assert_eq!(format_float(f64::NEG_INFINITY), "-Inf");
    }
}
