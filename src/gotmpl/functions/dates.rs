//! Times: the clock, layouts, zones.
//!
//! The clock is the world's: it stands still while a release is rendered, and
//! each look at it is noted. `Local` is UTC.
//!
//! Compat: sprig 3.3.0 `date.go`; methods of Go's `time.Time`.

use std::any::Any;
use std::rc::Rc;

use crate::gostd::duration;
use crate::gostd::strconv::{NumErrorKind, parse_int};
use crate::gostd::time::{Duration, Time, Zone};
use crate::gotmpl::exec::Context;
use crate::gotmpl::function::{
    Argument, CallError, CallResult, Function, Int, Returned, Type, function, method,
};
use crate::gotmpl::value::{IntType, Kind, Object, Operand, Text, Value};
use crate::yaml;

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    function!("now", with now(), "The time: `--now`, else the date of the commit, else the Unix epoch."),
    function!("date", with date(layout, time), "A time, or seconds since the Unix epoch, by a layout such as `2006-01-02 15:04:05`."),
    function!("dateInZone", with date_in_zone(layout, time, zone), "As `date`, seen in a zone such as `Europe/Berlin`; UTC where that is unknown."),
    function!("date_in_zone", with date_in_zone(layout, time, zone), "Another name of `dateInZone`."),
    function!("htmlDate", with html_date(time), "As `date` with the layout `2006-01-02`."),
    function!("htmlDateInZone", with html_date_in_zone(time, zone), "As `dateInZone` with the layout `2006-01-02`."),
    function!(
        "dateModify",
        date_modify(duration, time),
        "A time so much later, such as `-1.5h`; the time itself where that is no duration."
    ),
    function!(
        "date_modify",
        date_modify(duration, time),
        "Another name of `dateModify`."
    ),
    function!(
        "mustDateModify",
        must_date_modify(duration, time),
        "As `dateModify`; an error for what is no duration."
    ),
    function!(
        "must_date_modify",
        must_date_modify(duration, time),
        "Another name of `mustDateModify`."
    ),
    function!(
        "toDate",
        to_date(layout, text),
        "The time that a text has, by a layout; the year 1 where it does not fit."
    ),
    function!(
        "mustToDate",
        must_to_date(layout, text),
        "As `toDate`; an error where the text does not fit."
    ),
    function!(
        "unixEpoch",
        unix_epoch(time),
        "The seconds since the Unix epoch, as text."
    ),
    function!("ago", with ago(time), "How long ago a time was, to the second: `2h34m7s`."),
    function!(
        "duration",
        duration_of(seconds),
        "So many seconds, an integer or a text, as a duration: `1m35s`."
    ),
    function!("durationRound", with duration_round(duration), "A duration, or how long ago a time was, in its largest unit: `2h`, `3mo`."),
];

/// `time.Time`
#[derive(Clone, Debug)]
pub(super) struct Moment(pub(super) Time);

const TYPE: &str = "time.Time";

/// The seconds from the Unix epoch to Go's zero time, the first of January of
/// the year 1.
const YEAR_ONE: i64 = -62_135_596_800;

impl Default for Moment {
    fn default() -> Moment {
        Moment(Time::from_unix(YEAR_ONE, 0))
    }
}

impl Argument for Moment {
    const TYPE: Type = Type::Named(TYPE);

    fn from_operand(operand: Operand) -> Moment {
        time_of(&operand.value).map_or_else(Moment::default, |time| Moment(time.clone()))
    }
}

impl Returned for Moment {
    const TYPE: Type = Type::Named(TYPE);

    fn into_value(self) -> CallResult {
        Ok(Value::Object(Rc::new(self)))
    }
}

/// The time that a value is, if it is one.
pub(super) fn time_of(value: &Value) -> Option<&Time> {
    match value {
        Value::Object(object) => {
            let moment: Option<&Moment> = object.as_any().downcast_ref();
            moment.map(|m| &m.0)
        }
        _ => None,
    }
}

fn now(context: &mut Context<'_>) -> Moment {
    let nanoseconds = context.now_nanos("now");
    let seconds = i64::try_from(nanoseconds.div_euclid(1_000_000_000)).unwrap_or_default();
    let rest = i64::try_from(nanoseconds.rem_euclid(1_000_000_000)).unwrap_or_default();
    Moment(Time::from_unix(seconds, rest))
}

fn date(context: &mut Context<'_>, layout: Text, time: Value) -> CallResult<String> {
    written(context, &layout, &time, "Local")
}

fn date_in_zone(
    context: &mut Context<'_>,
    layout: Text,
    time: Value,
    zone: Text,
) -> CallResult<String> {
    written(context, &layout, &time, &zone.to_str())
}

fn html_date(context: &mut Context<'_>, time: Value) -> CallResult<String> {
    written(context, &HTML_LAYOUT.into(), &time, "Local")
}

fn html_date_in_zone(context: &mut Context<'_>, time: Value, zone: Text) -> CallResult<String> {
    written(context, &HTML_LAYOUT.into(), &time, &zone.to_str())
}

const HTML_LAYOUT: &str = "2006-01-02";

/// Compat: what is neither a time nor an integer, a number from a values file
/// among them, stands for the present.
fn written(
    context: &mut Context<'_>,
    layout: &Text,
    time: &Value,
    zone: &str,
) -> CallResult<String> {
    context.take_bytes(layout.len())?;
    let time = match time {
        Value::Int(seconds, IntType::Int | IntType::Int32 | IntType::Int64) => {
            Time::from_unix(*seconds, 0)
        }
        other => match time_of(other) {
            Some(time) => time.clone(),
            None => now(context).0,
        },
    };
    let zone = Zone::load(zone).unwrap_or(Zone::Utc);
    Ok(time.in_zone(zone).format(&layout.to_str()))
}

fn date_modify(duration: Text, time: Moment) -> Moment {
    match duration::parse(&duration.to_str()) {
        Ok(nanoseconds) => Moment(time.0.add(nanoseconds)),
        Err(_) => time,
    }
}

fn must_date_modify(duration: Text, time: Moment) -> CallResult<Moment> {
    let nanoseconds =
        duration::parse(&duration.to_str()).map_err(|e| CallError::new(e.to_string()))?;
    Ok(Moment(time.0.add(nanoseconds)))
}

fn to_date(layout: Text, text: Text) -> Moment {
    must_to_date(layout, text).unwrap_or_default()
}

fn must_to_date(layout: Text, text: Text) -> CallResult<Moment> {
    Time::parse(&layout.to_str(), &text.to_str(), &Zone::Utc)
        .map(Moment)
        .map_err(|e| CallError::new(e.to_string()))
}

fn unix_epoch(time: Moment) -> String {
    time.0.unix().to_string()
}

fn ago(context: &mut Context<'_>, time: Value) -> String {
    let now = now(context).0;
    let time = match &time {
        Value::Int(seconds, IntType::Int | IntType::Int64) => Time::from_unix(*seconds, 0),
        other => time_of(other).unwrap_or(&now).clone(),
    };
    let second = Duration(1_000_000_000);
    Duration(now.sub(&time)).round(second).to_string()
}

/// Compat: an `int` counts for nothing; a text that is too large for the
/// largest integer.
fn duration_of(seconds: Value) -> String {
    let seconds = match &seconds {
        Value::Int(seconds, IntType::Int64) => *seconds,
        Value::Text(text) => match parse_int(&text.to_str(), 10, 64) {
            Ok(seconds) => seconds,
            Err(e) if e.kind == NumErrorKind::Range => {
                if text.as_bytes().starts_with(b"-") {
                    i64::MIN
                } else {
                    i64::MAX
                }
            }
            Err(_) => 0,
        },
        _ => 0,
    };
    Duration(seconds.wrapping_mul(1_000_000_000)).to_string()
}

fn duration_round(context: &mut Context<'_>, value: Value) -> String {
    let nanoseconds = match &value {
        Value::Int(nanoseconds, IntType::Int64) => *nanoseconds,
        Value::Text(text) => duration::parse(&text.to_str()).unwrap_or_default(),
        other => match time_of(other) {
            Some(time) => now(context).0.sub(time),
            None => 0,
        },
    };
    const SECOND: u64 = 1_000_000_000;
    const HOUR: u64 = 3600 * SECOND;
    let size = nanoseconds.unsigned_abs();
    [
        (365 * 24 * HOUR, "y"),
        (30 * 24 * HOUR, "mo"),
        (24 * HOUR, "d"),
        (HOUR, "h"),
        (60 * SECOND, "m"),
        (SECOND, "s"),
    ]
    .into_iter()
    // Compat: exactly one of a unit is told in the next smaller one.
    .find(|(unit, _)| size > *unit)
    .map_or_else(
        || "0s".to_owned(),
        |(unit, name)| format!("{}{name}", size / unit),
    )
}

/// The methods of months and days of the week.
pub(super) const NAMED_METHODS: &[Function] = &[method!("String", name())];

fn name(value: &Value) -> String {
    match value {
        Value::Int(i, kind) => super::int_text(*i, *kind).unwrap_or_default(),
        _ => String::new(),
    }
}

/// `time.Month`: 1 is January.
pub(super) fn month_name(month: i64) -> String {
    let time = Time::from_unix(0, 0).add_date(0, (month - 1).clamp(0, 11), 0);
    time.format("January")
}

/// `time.Weekday`: 0 is Sunday.
pub(super) fn weekday_name(weekday: i64) -> String {
    // The third of January 1970 was a Saturday.
    let time = Time::from_unix(0, 0).add_date(0, 0, 3 + weekday.clamp(0, 6));
    time.format("Monday")
}

/// The time that a method belongs to.
fn own(value: &Value) -> CallResult<&Time> {
    time_of(value).ok_or_else(|| CallError::new("not a time"))
}

fn format(time: &Value, layout: Text) -> CallResult<String> {
    Ok(own(time)?.format(&layout.to_str()))
}

fn string(time: &Value) -> CallResult<String> {
    Ok(own(time)?.to_string())
}

fn year(time: &Value) -> CallResult<Int> {
    Ok(Int(own(time)?.year_month_day().0))
}

fn month(time: &Value) -> CallResult {
    Ok(Value::Int(own(time)?.year_month_day().1, IntType::Month))
}

fn day(time: &Value) -> CallResult<Int> {
    Ok(Int(own(time)?.year_month_day().2))
}

fn hour(time: &Value) -> CallResult<Int> {
    Ok(Int(own(time)?.clock().0))
}

fn minute(time: &Value) -> CallResult<Int> {
    Ok(Int(own(time)?.clock().1))
}

fn second(time: &Value) -> CallResult<Int> {
    Ok(Int(own(time)?.clock().2))
}

fn nanosecond(time: &Value) -> CallResult<Int> {
    Ok(Int(i64::from(own(time)?.nanosecond())))
}

fn weekday(time: &Value) -> CallResult {
    Ok(Value::Int(own(time)?.weekday(), IntType::Weekday))
}

fn year_day(time: &Value) -> CallResult<Int> {
    Ok(Int(own(time)?.year_day()))
}

fn unix(time: &Value) -> CallResult<i64> {
    Ok(own(time)?.unix())
}

fn unix_milli(time: &Value) -> CallResult<i64> {
    let time = own(time)?;
    Ok((time.unix().wrapping_mul(1_000)).wrapping_add(i64::from(time.nanosecond() / 1_000_000)))
}

fn unix_micro(time: &Value) -> CallResult<i64> {
    let time = own(time)?;
    Ok((time.unix().wrapping_mul(1_000_000)).wrapping_add(i64::from(time.nanosecond() / 1_000)))
}

fn unix_nano(time: &Value) -> CallResult<i64> {
    Ok(own(time)?.unix_nano())
}

fn utc(time: &Value) -> CallResult<Moment> {
    Ok(Moment(own(time)?.clone().in_zone(Zone::Utc)))
}

fn add(time: &Value, duration: Duration) -> CallResult<Moment> {
    Ok(Moment(own(time)?.add(duration.0)))
}

fn add_date(time: &Value, years: Int, months: Int, days: Int) -> CallResult<Moment> {
    Ok(Moment(own(time)?.add_date(years.0, months.0, days.0)))
}

fn sub(time: &Value, other: Moment) -> CallResult<Duration> {
    Ok(Duration(own(time)?.sub(&other.0)))
}

fn after(time: &Value, other: Moment) -> CallResult<bool> {
    Ok(*own(time)? > other.0)
}

fn before(time: &Value, other: Moment) -> CallResult<bool> {
    Ok(*own(time)? < other.0)
}

fn equal(time: &Value, other: Moment) -> CallResult<bool> {
    Ok(*own(time)? == other.0)
}

fn compare(time: &Value, other: Moment) -> CallResult<Int> {
    Ok(Int(own(time)?.cmp(&other.0) as i64))
}

fn is_zero(time: &Value) -> CallResult<bool> {
    Ok(*own(time)? == Moment::default().0)
}

/// Compat: multiples are counted from the year 1.
fn truncate(time: &Value, unit: Duration) -> CallResult<Moment> {
    let time = own(time)?;
    Ok(Moment(time.add(-since_multiple(time, unit))))
}

fn round(time: &Value, unit: Duration) -> CallResult<Moment> {
    let time = own(time)?;
    let rest = since_multiple(time, unit);
    let is_down = rest.saturating_mul(2) < unit.0 || unit.0 <= 0;
    Ok(Moment(time.add(if is_down {
        -rest
    } else {
        unit.0 - rest
    })))
}

/// The nanoseconds since the last multiple of a duration.
fn since_multiple(time: &Time, unit: Duration) -> i64 {
    if unit.0 <= 0 {
        return 0;
    }
    let seconds = i128::from(time.unix()) - i128::from(YEAR_ONE);
    let nanoseconds = seconds * 1_000_000_000 + i128::from(time.nanosecond());
    i64::try_from(nanoseconds.rem_euclid(i128::from(unit.0))).unwrap_or_default()
}

impl Object for Moment {
    fn type_name(&self) -> &'static str {
        TYPE
    }

    fn kind(&self) -> Kind {
        Kind::Struct
    }

    fn methods(&self) -> &'static [Function] {
        const {
            &[
                method!("Add", add(duration)),
                method!("AddDate", add_date(years, months, days)),
                method!("After", after(other)),
                method!("Before", before(other)),
                method!("Compare", compare(other)),
                method!("Day", day()),
                method!("Equal", equal(other)),
                method!("Format", format(layout)),
                method!("Hour", hour()),
                method!("IsZero", is_zero()),
                method!("Local", utc()),
                method!("Minute", minute()),
                method!("Month", month()),
                method!("Nanosecond", nanosecond()),
                method!("Round", round(unit)),
                method!("Second", second()),
                method!("String", string()),
                method!("Sub", sub(other)),
                method!("Truncate", truncate(unit)),
                method!("UTC", utc()),
                method!("Unix", unix()),
                method!("UnixMicro", unix_micro()),
                method!("UnixMilli", unix_milli()),
                method!("UnixNano", unix_nano()),
                method!("Weekday", weekday()),
                method!("Year", year()),
                method!("YearDay", year_day()),
            ]
        }
    }

    fn text(&self) -> String {
        self.0.to_string()
    }

    fn is_stringer(&self) -> bool {
        true
    }

    fn json(&self) -> yaml::Value {
        let text = self.0.format("2006-01-02T15:04:05.999999999Z07:00");
        yaml::Value::String(text.into())
    }

    fn equals(&self, other: &dyn Object) -> bool {
        let other: Option<&Moment> = other.as_any().downcast_ref();
        other.is_some_and(|other| self.0 == other.0)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_counts_from_the_year_one() {
        // From go1.26: a week is counted from a Monday.
        let time = Moment(Time::from_unix(1_700_000_000, 0))
            .into_value()
            .unwrap();
        let week = Duration(7 * 86_400 * 1_000_000_000);
        let down = truncate(&time, week).unwrap().0;
        assert_eq!(down.to_string(), "2023-11-13 00:00:00 +0000 UTC");
        let near = round(&time, Duration(3_600_000_000_000)).unwrap().0;
        assert_eq!(near.to_string(), "2023-11-14 22:00:00 +0000 UTC");
    }

    #[test]
    fn seconds_as_durations() {
        for (seconds, want) in [
            (Value::text("95"), "1m35s"),
            (Value::text("9223372036854775808"), "-1s"),
            (Value::text("1.5"), "0s"),
            (Value::int64(3600), "1h0m0s"),
            (Value::int(3600), "0s"),
        ] {
            assert_eq!(duration_of(seconds), want);
        }
    }
}
