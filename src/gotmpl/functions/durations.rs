//! Durations.
//!
//! Compat: Helm 4.3.1 `pkg/engine/funcs.go`; methods of Go's `time.Duration`.

use crate::gostd::duration;
use crate::gostd::strconv::{format_float, parse_float, quote_bytes};
use crate::gostd::time::Duration;
use crate::gotmpl::function::{
    Argument, CallError, CallResult, Function, Returned, Type, function, method,
};
use crate::gotmpl::value::{IntType, Operand, Value};

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    function!(
        "mustToDuration",
        must_to_duration(value),
        "A duration: a text such as `1h2m3s`, or a number of seconds; an error for anything else."
    ),
    function!(
        "durationSeconds",
        seconds(duration),
        "A duration in seconds; 0 for what is none, here and below."
    ),
    function!(
        "durationMilliseconds",
        milliseconds(duration),
        "A duration in whole milliseconds."
    ),
    function!(
        "durationMicroseconds",
        microseconds(duration),
        "A duration in whole microseconds."
    ),
    function!(
        "durationNanoseconds",
        nanoseconds(duration),
        "A duration in nanoseconds."
    ),
    function!(
        "durationMinutes",
        minutes(duration),
        "A duration in minutes."
    ),
    function!("durationHours", hours(duration), "A duration in hours."),
    function!("durationDays", days(duration), "A duration in days."),
    function!("durationWeeks", weeks(duration), "A duration in weeks."),
    function!(
        "durationRoundTo",
        round_to(duration, unit),
        "A duration as the nearest multiple of another."
    ),
    function!(
        "durationTruncateTo",
        truncate_to(duration, unit),
        "A duration as a multiple of another, nearer to zero."
    ),
];

/// The methods of a duration.
pub(super) const METHODS: &[Function] = &[
    method!("Abs", abs()),
    method!("Hours", own_hours()),
    method!("Microseconds", own_microseconds()),
    method!("Milliseconds", own_milliseconds()),
    method!("Minutes", own_minutes()),
    method!("Nanoseconds", own_nanoseconds()),
    method!("Round", round(unit)),
    method!("Seconds", own_seconds()),
    method!("String", string()),
    method!("Truncate", truncate(unit)),
];

const SECOND: i64 = 1_000_000_000;

impl Argument for Duration {
    const TYPE: Type = Type::Named("time.Duration");

    fn from_operand(operand: Operand) -> Duration {
        own(&operand.value)
    }
}

impl Returned for Duration {
    const TYPE: Type = Type::Named("time.Duration");

    fn into_value(self) -> CallResult {
        Ok(Value::Int(self.0, IntType::Duration))
    }
}

/// The duration that a method belongs to.
fn own(value: &Value) -> Duration {
    match value {
        Value::Int(nanoseconds, _) => Duration(*nanoseconds),
        _ => Duration(0),
    }
}

/// Anything that stands for a duration.
///
/// Compat: `asDuration`.
fn read(value: &Value) -> Result<Duration, String> {
    match value {
        Value::Int(nanoseconds, IntType::Duration) => Ok(Duration(*nanoseconds)),
        Value::Int(seconds, _) => (seconds.checked_mul(SECOND))
            .map(Duration)
            .ok_or_else(|| format!("duration seconds overflow: {seconds}")),
        Value::Uint(seconds, _) => (i64::try_from(*seconds).ok())
            .and_then(|seconds| seconds.checked_mul(SECOND))
            .map(Duration)
            .ok_or_else(|| format!("duration seconds overflow: {seconds}")),
        Value::Float(seconds) => of_seconds(*seconds),
        Value::Text(text) => {
            let text = text.to_str();
            let trimmed = text.trim();
            if trimmed.is_empty() {
                return Err("empty duration".to_owned());
            }
            if let Ok(nanoseconds) = duration::parse(trimmed) {
                return Ok(Duration(nanoseconds));
            }
            match parse_float(trimmed, 64) {
                Ok(seconds) => of_seconds(seconds),
                Err(_) => Err(format!(
                    "could not parse duration {}",
                    quote_bytes(text.as_bytes())
                )),
            }
        }
        Value::Nil => Err("invalid duration".to_owned()),
        other => Err(format!(
            "unsupported duration type {}",
            other.type_name().unwrap_or("<nil>")
        )),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "as Go reckons; the size is looked at first"
)]
fn of_seconds(seconds: f64) -> Result<Duration, String> {
    let shown = format_float;
    if !seconds.is_finite() {
        return Err(format!("invalid duration seconds: {}", shown(seconds)));
    }
    let most = i64::MAX as f64 / SECOND as f64;
    if seconds.abs() > most {
        return Err(format!("duration seconds overflow: {}", shown(seconds)));
    }
    Ok(Duration((seconds * SECOND as f64) as i64))
}

fn must_to_duration(value: Value) -> CallResult<Duration> {
    read(&value).map_err(CallError::new)
}

/// What Helm takes where there is no duration: none.
fn or_zero(value: &Value) -> Duration {
    read(value).unwrap_or(Duration(0))
}

/// A duration in units: the whole ones and the rest, each as a float, as Go
/// adds them.
#[expect(clippy::cast_precision_loss, reason = "as Go reckons")]
fn in_units(duration: Duration, unit: i64) -> f64 {
    (duration.0 / unit) as f64 + (duration.0 % unit) as f64 / unit as f64
}

fn seconds(value: Value) -> f64 {
    in_units(or_zero(&value), SECOND)
}

fn minutes(value: Value) -> f64 {
    in_units(or_zero(&value), 60 * SECOND)
}

fn hours(value: Value) -> f64 {
    in_units(or_zero(&value), 3600 * SECOND)
}

fn days(value: Value) -> f64 {
    hours(value) / 24.0
}

fn weeks(value: Value) -> f64 {
    hours(value) / 24.0 / 7.0
}

fn milliseconds(value: Value) -> i64 {
    or_zero(&value).0 / 1_000_000
}

fn microseconds(value: Value) -> i64 {
    or_zero(&value).0 / 1_000
}

fn nanoseconds(value: Value) -> i64 {
    or_zero(&value).0
}

/// Compat: what is no unit leaves the duration as it is.
fn round_to(value: Value, unit: Value) -> Duration {
    or_zero(&value).round(or_zero(&unit))
}

fn truncate_to(value: Value, unit: Value) -> Duration {
    or_zero(&value).truncate(or_zero(&unit))
}

fn own_seconds(duration: &Value) -> f64 {
    in_units(own(duration), SECOND)
}

fn own_minutes(duration: &Value) -> f64 {
    in_units(own(duration), 60 * SECOND)
}

fn own_hours(duration: &Value) -> f64 {
    in_units(own(duration), 3600 * SECOND)
}

fn own_milliseconds(duration: &Value) -> i64 {
    own(duration).0 / 1_000_000
}

fn own_microseconds(duration: &Value) -> i64 {
    own(duration).0 / 1_000
}

fn own_nanoseconds(duration: &Value) -> i64 {
    own(duration).0
}

fn abs(duration: &Value) -> Duration {
    Duration(own(duration).0.saturating_abs())
}

fn round(duration: &Value, unit: Duration) -> Duration {
    own(duration).round(unit)
}

fn truncate(duration: &Value, unit: Duration) -> Duration {
    own(duration).truncate(unit)
}

fn string(duration: &Value) -> String {
    own(duration).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_a_duration() {
        for (value, want) in [
            (Value::text(" 1h2m "), Ok(3_720 * SECOND)),
            (Value::text("2.5"), Ok(2_500_000_000)),
            (Value::int(2), Ok(2 * SECOND)),
            (Value::Int(2, IntType::Duration), Ok(2)),
            (Value::text(" "), Err("empty duration")),
            (Value::text("x"), Err("could not parse duration \"x\"")),
            (Value::text("inf"), Err("invalid duration seconds: +Inf")),
            (
                Value::int(10_000_000_000),
                Err("duration seconds overflow: 10000000000"),
            ),
            (Value::Float(1e10), Err("duration seconds overflow: 1e+10")),
            (Value::Bool(true), Err("unsupported duration type bool")),
            (Value::Nil, Err("invalid duration")),
        ] {
            let got = read(&value).map(|duration| duration.0);
            assert_eq!(got, want.map_err(str::to_owned), "{value:?}");
        }
    }
}
