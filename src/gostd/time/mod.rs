//! Times as Go's `time` has them: layouts, zones, arithmetic.
//!
//! No clock is read here. Zones come from the database that the program
//! carries, so that every machine gives the same answer; `Local` is UTC.

mod civil;
mod format;
mod layout;
mod parse;
#[cfg(test)]
mod tests;
mod zone;

use std::borrow::Cow;

pub use parse::ParseError;
pub use zone::{UnknownZone, Zone};

use crate::gostd::duration;
use crate::gostd::fmt::{Value, View};

const SECONDS_PER_DAY: i64 = 86_400;

/// A point in time, seen in a zone.
///
/// Two are equal when they are the same point, wherever it is seen; Go's `==`
/// would look at the zone as well.
#[derive(Clone, Debug)]
pub struct Time {
    /// Seconds since the beginning of 1970 in UTC.
    seconds: i64,
    nanoseconds: u32,
    zone: Zone,
}

impl Time {
    /// `time.Unix`, in UTC. Nanoseconds may be more than a second.
    pub fn from_unix(seconds: i64, nanoseconds: i64) -> Time {
        let more = nanoseconds.div_euclid(1_000_000_000);
        let nanoseconds = nanoseconds.rem_euclid(1_000_000_000);
        Time {
            seconds: seconds.saturating_add(more),
            nanoseconds: u32::try_from(nanoseconds).unwrap_or(0),
            zone: Zone::Utc,
        }
    }

    /// `Unix`: seconds since the beginning of 1970.
    pub fn unix(&self) -> i64 {
        self.seconds
    }

    /// `Nanosecond`: the part of the second.
    pub fn nanosecond(&self) -> u32 {
        self.nanoseconds
    }

    /// `UnixNano`; wraps around where Go's does.
    pub fn unix_nano(&self) -> i64 {
        (self.seconds.wrapping_mul(1_000_000_000)).wrapping_add(i64::from(self.nanoseconds))
    }

    /// `In`: the same point in another zone.
    #[must_use]
    pub fn in_zone(mut self, zone: Zone) -> Time {
        self.zone = zone;
        self
    }

    /// The zone that it is seen in.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// `Add`: so many nanoseconds later.
    #[must_use]
    pub fn add(&self, nanoseconds: i64) -> Time {
        let sum = i64::from(self.nanoseconds) + nanoseconds % 1_000_000_000;
        let moved = Time::from_unix(self.seconds, sum);
        Time {
            seconds: moved.seconds.saturating_add(nanoseconds / 1_000_000_000),
            nanoseconds: moved.nanoseconds,
            zone: self.zone.clone(),
        }
    }

    /// `Sub`: the nanoseconds from another time to this one; the largest or
    /// smallest duration where it does not fit.
    pub fn sub(&self, other: &Time) -> i64 {
        let seconds = i128::from(self.seconds) - i128::from(other.seconds);
        let nanoseconds = i128::from(self.nanoseconds) - i128::from(other.nanoseconds);
        let difference = seconds * 1_000_000_000 + nanoseconds;
        let limited = difference.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
        i64::try_from(limited).unwrap_or(i64::MAX)
    }

    /// `AddDate`: the same time of day so many years, months and days later;
    /// the 31st of a shorter month is a day of the next.
    #[must_use]
    pub fn add_date(&self, years: i64, months: i64, days: i64) -> Time {
        let date = self.date();
        let days = civil::days_normalized(
            date.year.saturating_add(years),
            date.month.saturating_add(months),
            date.day.saturating_add(days),
        );
        let local = days
            .saturating_mul(SECONDS_PER_DAY)
            .saturating_add(date.second_of_day);
        Time {
            seconds: self.zone.to_utc(local),
            ..self.clone()
        }
    }

    /// `Date`: year, month and day of the month.
    pub fn year_month_day(&self) -> (i64, i64, i64) {
        let date = self.date();
        (date.year, date.month, date.day)
    }

    /// `Clock`: hour, minute and second.
    pub fn clock(&self) -> (i64, i64, i64) {
        let second = self.date().second_of_day;
        (second / 3600, second / 60 % 60, second % 60)
    }

    /// `Weekday`: 0 is Sunday.
    pub fn weekday(&self) -> i64 {
        self.date().weekday()
    }

    /// `YearDay`: 1 is the first of January.
    pub fn year_day(&self) -> i64 {
        self.date().year_day()
    }

    /// `Format`.
    pub fn format(&self, layout: &str) -> String {
        format::format(self, layout)
    }

    /// `ParseInLocation`; `Parse` is that in UTC.
    pub fn parse(layout: &str, value: &str, zone: &Zone) -> Result<Time, ParseError> {
        parse::parse(layout, value, zone)
    }

    /// The date and the time of day in the zone.
    fn date(&self) -> Date {
        let (_, offset) = self.zone.at(self.seconds);
        let local = self.seconds.saturating_add(offset);
        let (year, month, day) = civil::date_of(local.div_euclid(SECONDS_PER_DAY));
        Date {
            year,
            month,
            day,
            second_of_day: local.rem_euclid(SECONDS_PER_DAY),
        }
    }
}

/// A date and a second of that day.
struct Date {
    year: i64,
    month: i64,
    day: i64,
    second_of_day: i64,
}

impl Date {
    fn days(&self) -> i64 {
        civil::days_of(self.year, self.month, self.day)
    }

    fn weekday(&self) -> i64 {
        // The first of January 1970 was a Thursday.
        (self.days() + 4).rem_euclid(7)
    }

    fn year_day(&self) -> i64 {
        self.days() - civil::days_of(self.year, 1, 1) + 1
    }
}

impl PartialEq for Time {
    fn eq(&self, other: &Time) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Time {}

impl PartialOrd for Time {
    fn partial_cmp(&self, other: &Time) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Time {
    fn cmp(&self, other: &Time) -> std::cmp::Ordering {
        (self.seconds, self.nanoseconds).cmp(&(other.seconds, other.nanoseconds))
    }
}

/// `String`: `2026-11-22 20:00:00 +0000 UTC`.
impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.format("2006-01-02 15:04:05.999999999 -0700 MST"))
    }
}

impl Value for Time {
    /// Its fields are not for others to see.
    fn view(&self) -> View<'_> {
        View::Struct(Vec::new())
    }

    fn type_name(&self) -> Cow<'_, str> {
        "time.Time".into()
    }

    fn text(&self) -> Option<Cow<'_, str>> {
        Some(self.to_string().into())
    }
}

/// Compat: `time` quotes by itself: what is not ASCII byte by byte.
pub(super) fn quote(text: &[u8]) -> String {
    let mut out = String::from("\"");
    for byte in text {
        match byte {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(*byte));
            }
            0..0x20 | 0x80.. => out.push_str(&format!("\\x{byte:02x}")),
            byte => out.push(char::from(*byte)),
        }
    }
    out.push('"');
    out
}

/// A duration in nanoseconds, `time.Duration`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(pub i64);

impl Duration {
    /// `Truncate`: rounded towards zero to a multiple of `unit`.
    #[must_use]
    pub fn truncate(self, unit: Duration) -> Duration {
        if unit.0 <= 0 {
            return self;
        }
        Duration(self.0 - self.0 % unit.0)
    }

    /// `Round`: to the nearest multiple of `unit`, halves away from zero; the
    /// largest or smallest duration where that does not fit.
    #[must_use]
    pub fn round(self, unit: Duration) -> Duration {
        if unit.0 <= 0 {
            return self;
        }
        let rest = self.0 % unit.0;
        let is_down = rest.unsigned_abs().saturating_mul(2) < unit.0.unsigned_abs();
        let truncated = self.0 - rest;
        Duration(if is_down {
            truncated
        } else if self.0 < 0 {
            truncated.saturating_sub(unit.0)
        } else {
            truncated.saturating_add(unit.0)
        })
    }
}

/// `String`: `1h30m0s`.
impl std::fmt::Display for Duration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&duration::format(self.0))
    }
}

impl Value for Duration {
    fn view(&self) -> View<'_> {
        View::Int(self.0)
    }

    fn type_name(&self) -> Cow<'_, str> {
        "time.Duration".into()
    }

    fn text(&self) -> Option<Cow<'_, str>> {
        Some(self.to_string().into())
    }
}
