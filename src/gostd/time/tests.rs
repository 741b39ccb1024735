//! Answers of Go's `time`, see `testdata/gostd/SOURCE`.

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Answers {
    /// Seconds, nanoseconds, zone, layout, text or error.
    formats: Vec<(i64, i64, String, String, String)>,
    /// Layout, value, time or error.
    parses: Vec<(String, String, String)>,
    sums: Vec<Sum>,
    /// Text, nanoseconds and `String`, or the error.
    durations: Vec<(String, String)>,
}

/// A time, a duration and their sum; another time and the difference; years,
/// months and days and the date so much later; weekday, day of the year; a unit
/// and the duration rounded and truncated to it.
type Sum = (
    i64,
    i64,
    i64,
    String,
    (i64, i64, i64),
    ((i64, i64, i64), String),
    (i64, i64),
    (i64, String, String),
);

fn answers() -> Answers {
    serde_json::from_str(include_str!("../../../testdata/gostd/time.json")).unwrap()
}

fn said<T: ToString, E: ToString>(result: Result<T, E>) -> String {
    result.map_or_else(|e| e.to_string(), |value| value.to_string())
}

#[test]
fn times_to_text() {
    let formats = answers().formats;
    assert!(formats.len() >= 200);
    for (seconds, nanoseconds, zone, layout, text) in formats {
        let time = Time::from_unix(seconds, nanoseconds);
        let printed = Zone::load(&zone).map(|zone| time.in_zone(zone).format(&layout));
        assert_eq!(
            said(printed),
            text,
            "{seconds} {nanoseconds} {zone} {layout}"
        );
    }
}

#[test]
fn text_to_times() {
    let parses = answers().parses;
    assert!(parses.len() >= 200);
    for (layout, value, time) in parses {
        let parsed = Time::parse(&layout, &value, &Zone::Utc);
        assert_eq!(said(parsed), time, "{value} as {layout}");
    }
}

#[test]
fn reckoning() {
    let sums = answers().sums;
    assert!(sums.len() >= 200);
    for sum in sums {
        let (seconds, nanoseconds, duration, later, other, date, days, rounded) = sum;
        let time = Time::from_unix(seconds, nanoseconds);
        assert_eq!(time.add(duration).to_string(), later);
        let (other_seconds, other_nanoseconds, difference) = other;
        let other = Time::from_unix(other_seconds, other_nanoseconds);
        assert_eq!(time.sub(&other), difference);
        let ((years, months, more_days), then) = date;
        assert_eq!(time.add_date(years, months, more_days).to_string(), then);
        assert_eq!((time.weekday(), time.year_day()), days);
        let (unit, round, truncated) = rounded;
        let (duration, unit) = (Duration(duration), Duration(unit));
        assert_eq!(duration.round(unit).to_string(), round);
        assert_eq!(duration.truncate(unit).to_string(), truncated);
    }
}

#[test]
fn durations() {
    for (text, want) in answers().durations {
        let got = duration::parse(&text).map(|d| format!("{d} {}", Duration(d)));
        assert_eq!(said(got), want, "{text}");
    }
}

#[test]
fn zones_of_the_caller() {
    let berlin = Zone::load("Europe/Berlin").unwrap();
    let parse = |value| Time::parse("2006-01-02 15:04 MST", value, &berlin);
    // From go1.26: ParseInLocation.
    let known = parse("2026-07-01 12:00 CEST").unwrap();
    assert_eq!(known.to_string(), "2026-07-01 12:00:00 +0200 CEST");
    let unknown = parse("2026-07-01 12:00 PDT").unwrap();
    assert_eq!(unknown.to_string(), "2026-07-01 12:00:00 +0000 PDT");
    let plain = Time::parse("2006-01-02", "2026-07-01", &berlin).unwrap();
    assert_eq!(plain.unix(), 1_782_856_800);
}

#[test]
fn printed_by_fmt() {
    use crate::gostd::fmt::sprintf;
    let time = Time::from_unix(0, 0);
    let duration = Duration(90_000_000_000);
    assert_eq!(
        sprintf("%v %v %d %T", &[&time, &duration, &duration, &time]),
        "1970-01-01 00:00:00 +0000 UTC 1m30s 90000000000 time.Time"
    );
}

proptest::proptest! {
    #[test]
    fn printed_times_are_read_as_the_same(
        // The years 0 to 9999.
        seconds in -62_167_219_200_i64..253_402_300_800,
        nanoseconds in 0_i64..1_000_000_000,
    ) {
        let layout = "2006-01-02T15:04:05.999999999Z07:00";
        let time = Time::from_unix(seconds, nanoseconds);
        let printed = time.format(layout);
        proptest::prop_assert_eq!(Time::parse(layout, &printed, &Zone::Utc).unwrap(), time);
    }

    #[test]
    fn no_layout_panics(
        layout in r"([-+_.,:/ 0-9ZJanuryMonSTPpm]|\PC){0,16}",
        value in r"([-+.,:/ 0-9ZJanMonUTC]|\PC){0,16}",
        seconds: i64,
    ) {
        let _ = Time::parse(&layout, &value, &Zone::Utc);
        let _ = Time::from_unix(seconds, 0).format(&layout);
        let _ = duration::parse(&value);
    }
}
