//! Numbers to text as Go's `strconv` writes them.

/// The shortest decimal digits of a finite float, and the exponent of the
/// first of them (`1.5e3` is `("15", 3)`).
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i32,
}

impl Decimal {
    fn of(scientific: &str) -> Decimal {
        let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
        let unsigned = mantissa.strip_prefix('-').unwrap_or(mantissa);
        Decimal {
            negative: mantissa.len() != unsigned.len(),
            digits: unsigned.replace('.', ""),
            exponent: exponent.parse().unwrap_or(0),
        }
    }

    /// `%e`: one digit before the point, an exponent of at least
    /// `exponent_digits` digits.
    fn scientific(&self, exponent_digits: usize) -> String {
        let mut out = self.sign();
        let (first, rest) = self.digits.split_at(1);
        out.push_str(first);
        if !rest.is_empty() {
            out.push('.');
            out.push_str(rest);
        }
        let sign = if self.exponent < 0 { '-' } else { '+' };
        out.push_str(&format!(
            "e{sign}{:0width$}",
            self.exponent.unsigned_abs(),
            width = exponent_digits
        ));
        out
    }

    /// `%f`: no exponent.
    fn fixed(&self) -> String {
        let mut out = self.sign();
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
            _ => {
                out.push_str("0.");
                out.extend(std::iter::repeat_n('0', point.unsigned_abs() as usize));
                out.push_str(&self.digits);
            }
        }
        out
    }

    fn sign(&self) -> String {
        if self.negative { "-" } else { "" }.to_owned()
    }

    fn general(&self) -> String {
        // Compat: strconv/ftoa.go: with the shortest digits, a precision of 6
        // decides on the form.
        if self.exponent < -4 || self.exponent >= 6 {
            self.scientific(2)
        } else {
            self.fixed()
        }
    }
}

/// `strconv.FormatFloat(f, 'g', -1, 64)`.
pub fn format_float(f: f64) -> String {
    not_finite(f).map_or_else(|| Decimal::of(&format!("{f:e}")).general(), str::to_owned)
}

/// `strconv.FormatFloat(f, 'g', -1, 32)`.
pub fn format_float32(f: f32) -> String {
    not_finite(f64::from(f)).map_or_else(|| Decimal::of(&format!("{f:e}")).general(), str::to_owned)
}

/// A float as `encoding/json` writes it; the caller keeps out what JSON cannot
/// hold.
pub fn format_json_float(f: f64) -> String {
    let decimal = Decimal::of(&format!("{f:e}"));
    if f != 0.0 && (decimal.exponent < -6 || decimal.exponent >= 21) {
        decimal.scientific(1)
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
