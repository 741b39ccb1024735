//! Points in time, and what a calendar says of them.

use crate::gostd::moment::Moment;

/// A point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Seconds since the beginning of 1970.
    pub seconds: i64,
    /// Nanoseconds beyond them.
    pub nanoseconds: u32,
}

/// The first and the last second that a timestamp may have, of the years 1 and
/// 9999.
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

const DAY: i64 = 86_400;

/// A point in time as a calendar and a clock show it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Civil {
    pub(super) year: i64,
    /// From 1.
    pub(super) month: i64,
    /// From 1.
    pub(super) day: i64,
    /// From 0.
    pub(super) day_of_year: i64,
    /// From 0, a Sunday.
    pub(super) weekday: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
}

impl Timestamp {
    /// Reads RFC 3339.
    pub fn parse(text: &str) -> Option<Timestamp> {
        let moment = Moment::parse(text)?;
        Timestamp::new(moment.unix(), moment.subsecond_nanoseconds())
    }

    pub(super) fn new(seconds: i64, nanoseconds: u32) -> Option<Timestamp> {
        SECONDS.contains(&seconds).then_some(Timestamp {
            seconds,
            nanoseconds,
        })
    }

    /// This point and so many nanoseconds; none beyond the calendar.
    pub(super) fn plus(self, nanoseconds: i64) -> Option<Timestamp> {
        const SECOND: i128 = 1_000_000_000;
        let total = i128::from(self.seconds) * SECOND
            + i128::from(self.nanoseconds)
            + i128::from(nanoseconds);
        let seconds = i64::try_from(total.div_euclid(SECOND)).ok()?;
        Timestamp::new(seconds, u32::try_from(total.rem_euclid(SECOND)).ok()?)
    }

    /// The nanoseconds since another point; none for more than there can be.
    pub(super) fn since(self, other: Timestamp) -> Option<i64> {
        let seconds = i128::from(self.seconds) - i128::from(other.seconds);
        let nanoseconds = i128::from(self.nanoseconds) - i128::from(other.nanoseconds);
        i64::try_from(seconds * 1_000_000_000 + nanoseconds).ok()
    }

    /// As a calendar shows it, so many seconds east of Greenwich.
    pub(super) fn civil(self, offset: i64) -> Civil {
        let local = self.seconds + offset;
        let (days, clock) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        // Years are reckoned from the first of March, so that the leap day is
        // the last one, in eras of 400 years.
        let shifted = days + 719_468;
        let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let from_march = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * from_march + 2) / 153;
        let month = (month_from_march + 2) % 12 + 1;
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let day_of_year = if month > 2 {
            from_march + 59 + i64::from(leap)
        } else {
            from_march - 306
        };
        Civil {
            year,
            month,
            day: from_march - (153 * month_from_march + 2) / 5 + 1,
            day_of_year,
            weekday: (days + 4).rem_euclid(7),
            hour: clock / 3_600,
            minute: clock / 60 % 60,
            second: clock % 60,
        }
    }

    /// RFC 3339 in UTC, as many digits of the second as there are.
    pub(super) fn rfc3339(self) -> String {
        let c = self.civil(0);
        let mut out = format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            c.year, c.month, c.day, c.hour, c.minute, c.second
        );
        if self.nanoseconds > 0 {
            let digits = format!(".{:09}", self.nanoseconds);
            out.push_str(digits.trim_end_matches('0'));
        }
        out.push('Z');
        out
    }
}

/// The seconds east of Greenwich of a zone: `UTC`, `+02:00`, `-03:30`.
///
/// Named zones would need their history; no schema has one.
pub(super) fn zone(name: &str) -> Option<i64> {
    if matches!(name, "" | "UTC" | "Z") {
        return Some(0);
    }
    let (sign, rest) = match name.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, name.strip_prefix('+').unwrap_or(name)),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let number = |text: &str| {
        let plain = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| text.parse::<i64>().ok()).flatten()
    };
    Some(sign * (number(hours)? * 3_600 + number(minutes)? * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calendars_agree_with_go() {
        // From go1.26: Unix(s, 0).UTC(), its fields, YearDay-1 and Weekday.
        for (text, day_of_year, weekday) in [
            ("1970-01-01T00:00:00Z", 0, 4),
            ("2000-02-29T23:59:59Z", 59, 2),
            ("2023-03-01T00:00:00Z", 59, 3),
            ("2024-12-31T12:30:45Z", 365, 2),
            ("0001-01-01T00:00:00Z", 0, 1),
            ("9999-12-31T23:59:59Z", 364, 5),
            ("1900-03-01T00:00:00Z", 59, 4),
        ] {
            let timestamp = Timestamp::parse(text).unwrap();
            assert_eq!(timestamp.rfc3339(), text);
            let civil = timestamp.civil(0);
            assert_eq!(
                (civil.day_of_year, civil.weekday),
                (day_of_year, weekday),
                "{text}"
            );
        }
        let timestamp = Timestamp::parse("2026-01-31T23:30:00.5+01:00").unwrap();
        assert_eq!(timestamp.rfc3339(), "2026-01-31T22:30:00.5Z");
        assert_eq!(timestamp.civil(zone("+02:00").unwrap()).day, 1);
        assert_eq!(zone("-03:30"), Some(-12_600));
        assert_eq!(zone("Europe/Berlin"), None);
        assert_eq!(Timestamp::parse("2026-13-01T00:00:00Z"), None);
    }
}
