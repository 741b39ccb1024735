//! Numbers.
//!
//! Compat: sprig 3.3.0 `numeric.go`, `functions.go`; the library
//! `shopspring/decimal` 1.4.0, in which sums and products of floats are exact
//! and quotients have 16 decimals.

use num_bigint::{BigInt, Sign};

use super::convert::{to_float64, to_int64};
use crate::gostd::strconv;
use crate::gotmpl::exec::Context;
use crate::gotmpl::function::{CallError, CallResult, Function, Int, Rest, function};
use crate::gotmpl::value::{Text, Value};

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    function!("add", add(number), "The sum of integers."),
    function!("add1", add1(number), "The integer and 1."),
    function!("sub", sub(number, other), "The difference of integers."),
    function!("mul", mul(number, other), "The product of integers."),
    function!(
        "div",
        div(number, other),
        "The quotient of integers, without remainder."
    ),
    function!("mod", modulo(number, other), "The remainder of integers."),
    function!("addf", with addf(number), "The sum of numbers."),
    function!("add1f", with add1f(number), "The number and 1."),
    function!("subf", with subf(number, other), "The first number without the others."),
    function!("mulf", with mulf(number, other), "The product of numbers."),
    function!("divf", with divf(number, other), "The first number divided by the others."),
    function!("max", max(number, other), "The largest of integers."),
    function!("biggest", max(number, other), "Older name of `max`."),
    function!("min", min(number, other), "The smallest of integers."),
    function!("maxf", maxf(number, other), "The largest of numbers."),
    function!("minf", minf(number, other), "The smallest of numbers."),
    function!("ceil", ceil(number), "The number rounded up."),
    function!("floor", floor(number), "The number rounded down."),
    function!(
        "round",
        round(number, places, threshold),
        "The number rounded to decimal places; from `threshold` (0.5) on it is rounded up."
    ),
    function!(
        "int",
        int(value),
        "The value as an integer; 0 where it is none."
    ),
    function!(
        "int64",
        int64(value),
        "The value as an integer of 64 bits; 0 where it is none."
    ),
    function!(
        "float64",
        float64(value),
        "The value as a float; 0 where it is none."
    ),
    function!(
        "atoi",
        atoi(text),
        "The text as an integer; 0 where it is none."
    ),
    function!("toDecimal", with to_decimal(value), "An octal number as an integer; 0 where it is none."),
];

fn add(numbers: Rest<Value>) -> i64 {
    numbers
        .0
        .iter()
        .fold(0, |sum, number| sum.wrapping_add(to_int64(number)))
}

fn add1(number: Value) -> i64 {
    to_int64(&number).wrapping_add(1)
}

fn sub(number: Value, other: Value) -> i64 {
    to_int64(&number).wrapping_sub(to_int64(&other))
}

fn mul(number: Value, others: Rest<Value>) -> i64 {
    others.0.iter().fold(to_int64(&number), |product, number| {
        product.wrapping_mul(to_int64(number))
    })
}

fn div(number: Value, other: Value) -> CallResult<i64> {
    match to_int64(&other) {
        0 => Err(CallError::new("runtime error: integer divide by zero")),
        other => Ok(to_int64(&number).wrapping_div(other)),
    }
}

fn modulo(number: Value, other: Value) -> CallResult<i64> {
    match to_int64(&other) {
        0 => Err(CallError::new("runtime error: integer divide by zero")),
        other => Ok(to_int64(&number).wrapping_rem(other)),
    }
}

fn max(number: Value, others: Rest<Value>) -> i64 {
    others
        .0
        .iter()
        .fold(to_int64(&number), |max, other| max.max(to_int64(other)))
}

fn min(number: Value, others: Rest<Value>) -> i64 {
    others
        .0
        .iter()
        .fold(to_int64(&number), |min, other| min.min(to_int64(other)))
}

fn maxf(number: Value, others: Rest<Value>) -> f64 {
    others.0.iter().fold(to_float64(&number), |max, other| {
        // Unlike Rust's, Go's takes not-a-number over numbers.
        let other = to_float64(other);
        if max.is_nan() || other.is_nan() {
            f64::NAN
        } else {
            max.max(other)
        }
    })
}

fn minf(number: Value, others: Rest<Value>) -> f64 {
    others.0.iter().fold(to_float64(&number), |min, other| {
        let other = to_float64(other);
        if min.is_nan() || other.is_nan() {
            f64::NAN
        } else {
            min.min(other)
        }
    })
}

fn ceil(number: Value) -> f64 {
    to_float64(&number).ceil()
}

fn floor(number: Value) -> f64 {
    to_float64(&number).floor()
}

fn round(number: Value, places: Int, threshold: Rest<f64>) -> f64 {
    let threshold = threshold.0.first().copied().unwrap_or(0.5);
    #[expect(clippy::cast_precision_loss, reason = "as Go converts")]
    let power = pow10(places.0 as f64);
    let scaled = power * to_float64(&number);
    let rounded = if scaled.fract() >= threshold {
        scaled.ceil()
    } else {
        scaled.floor()
    };
    rounded / power
}

/// `math.Pow(10, exponent)`
fn pow10(exponent: f64) -> f64 {
    10f64.powf(exponent)
}

fn int(value: Value) -> Int {
    Int(to_int64(&value))
}

fn int64(value: Value) -> i64 {
    to_int64(&value)
}

fn float64(value: Value) -> f64 {
    to_float64(&value)
}

fn atoi(text: Text) -> Int {
    // Compat: a number out of range is the nearest that fits.
    Int(match strconv::atoi(&text.to_str()) {
        Ok(number) => number,
        Err(e) if e.kind == strconv::NumErrorKind::Range => {
            if text.as_bytes().starts_with(b"-") {
                i64::MIN
            } else {
                i64::MAX
            }
        }
        Err(_) => 0,
    })
}

fn to_decimal(context: &mut Context<'_>, value: Value) -> CallResult<i64> {
    let mut text = String::new();
    let meter = &mut context.machine.meter;
    crate::gotmpl::print::print(&mut text, &value, meter, 0)?;
    Ok(strconv::parse_int(&text, 8, 64).unwrap_or_default())
}

/// A decimal number: digits times a power of ten.
#[derive(Clone, Debug)]
struct Decimal {
    digits: BigInt,
    exponent: i64,
}

/// The decimals that a quotient has.
const DIVISION_PLACES: i64 = 16;

impl Decimal {
    /// The shortest decimal that reads back as the float.
    fn of(f: f64) -> CallResult<Decimal> {
        if !f.is_finite() {
            return Err(CallError::new(format!(
                "Cannot create a Decimal from {}",
                strconv::format_float(f)
            )));
        }
        let text = format!("{f:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let fraction = mantissa
            .split_once('.')
            .map_or(0, |(_, digits)| digits.len());
        let digits = BigInt::parse_bytes(mantissa.replace('.', "").as_bytes(), 10);
        Ok(Decimal {
            digits: digits.unwrap_or_default(),
            exponent: exponent.parse::<i64>().unwrap_or_default()
                - i64::try_from(fraction).unwrap_or_default(),
        })
    }

    fn to_f64(&self) -> f64 {
        format!("{}e{}", self.digits, self.exponent)
            .parse()
            .unwrap_or_default()
    }

    /// The digits at a lower exponent.
    fn digits_at(&self, exponent: i64) -> BigInt {
        let power = u32::try_from(self.exponent - exponent).unwrap_or_default();
        &self.digits * BigInt::from(10).pow(power)
    }

    fn add(&self, other: &Decimal, sign: i64) -> Decimal {
        let exponent = self.exponent.min(other.exponent);
        Decimal {
            digits: self.digits_at(exponent) + other.digits_at(exponent) * sign,
            exponent,
        }
    }

    fn mul(&self, other: &Decimal) -> Decimal {
        Decimal {
            digits: &self.digits * &other.digits,
            exponent: self.exponent + other.exponent,
        }
    }

    /// The quotient with [`DIVISION_PLACES`], halves rounded away from zero.
    fn div(&self, other: &Decimal) -> CallResult<Decimal> {
        if other.digits.sign() == Sign::NoSign {
            return Err(CallError::new("decimal division by 0"));
        }
        // Both sides are made integers of such a scale that their quotient
        // has the places that are wanted.
        let scale = self.exponent - other.exponent + DIVISION_PLACES;
        let power = BigInt::from(10).pow(u32::try_from(scale.unsigned_abs()).unwrap_or_default());
        let (mut above, mut below) = (self.digits.clone(), other.digits.clone());
        if scale >= 0 {
            above *= power;
        } else {
            below *= power;
        }
        let negative = (above.sign() == Sign::Minus) != (below.sign() == Sign::Minus);
        let (above, below) = (above.magnitude(), below.magnitude());
        let rounded = (above * 2u32 + below) / (below * 2u32);
        let sign = if negative { Sign::Minus } else { Sign::Plus };
        Ok(Decimal {
            digits: BigInt::from_biguint(sign, rounded),
            exponent: -DIVISION_PLACES,
        })
    }
}

/// Applies an operation to numbers in turn.
fn fold(
    context: &mut Context<'_>,
    first: f64,
    others: &[Value],
    apply: impl Fn(&Decimal, &Decimal) -> CallResult<Decimal>,
) -> CallResult<f64> {
    let mut result = Decimal::of(first)?;
    for other in others {
        context.take_steps(2 + result.digits.bits() / 64)?;
        result = apply(&result, &Decimal::of(to_float64(other))?)?;
    }
    Ok(result.to_f64())
}

fn addf(context: &mut Context<'_>, numbers: Rest<Value>) -> CallResult<f64> {
    fold(context, 0.0, &numbers.0, |a, b| Ok(a.add(b, 1)))
}

fn add1f(context: &mut Context<'_>, number: Value) -> CallResult<f64> {
    let one = [Value::int(1)];
    fold(context, to_float64(&number), &one, |a, b| Ok(a.add(b, 1)))
}

fn subf(context: &mut Context<'_>, number: Value, others: Rest<Value>) -> CallResult<f64> {
    let first = to_float64(&number);
    fold(context, first, &others.0, |a, b| Ok(a.add(b, -1)))
}

fn mulf(context: &mut Context<'_>, number: Value, others: Rest<Value>) -> CallResult<f64> {
    let first = to_float64(&number);
    fold(context, first, &others.0, |a, b| Ok(a.mul(b)))
}

fn divf(context: &mut Context<'_>, number: Value, others: Rest<Value>) -> CallResult<f64> {
    let first = to_float64(&number);
    fold(context, first, &others.0, Decimal::div)
}
