//! Points in time.

use crate::gostd::moment::Moment;
use crate::gostd::time::{Time, Zone};

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
        let sum = self.in_zone(Zone::Utc).add(nanoseconds);
        Timestamp::new(sum.unix(), sum.nanosecond())
    }

    /// The nanoseconds since another point; none for more than there can be.
    pub(super) fn since(self, other: Timestamp) -> Option<i64> {
        let seconds = i128::from(self.seconds) - i128::from(other.seconds);
        let nanoseconds = i128::from(self.nanoseconds) - i128::from(other.nanoseconds);
        i64::try_from(seconds * 1_000_000_000 + nanoseconds).ok()
    }

    /// As a calendar and a clock there show it.
    pub(super) fn in_zone(self, zone: Zone) -> Time {
        Time::from_unix(self.seconds, i64::from(self.nanoseconds)).in_zone(zone)
    }

    /// RFC 3339 in UTC, as many digits of the second as there are.
    pub(super) fn rfc3339(self) -> String {
        self.in_zone(Zone::Utc)
            .format("2006-01-02T15:04:05.999999999Z07:00")
    }
}

/// A zone by its name, `Europe/Berlin`, or its offset, `+02:00`.
pub(super) fn zone(name: &str) -> Option<Zone> {
    let Some((hours, minutes)) = name.split_once(':') else {
        return Zone::load(name).ok();
    };
    let number = |text: &str| {
        let plain = text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| text.parse::<i64>().ok()).flatten()
    };
    let (sign, hours) = match hours.strip_prefix('-') {
        Some(hours) => (-1, hours),
        None => (1, hours.strip_prefix('+').unwrap_or(hours)),
    };
    let seconds = sign * (number(hours)? * 3_600 + number(minutes)? * 60);
    Some(Zone::Fixed("".into(), seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_and_names_are_zones() {
        let timestamp = Timestamp::parse("2026-01-31T23:30:00.5+01:00").unwrap();
        assert_eq!(timestamp.rfc3339(), "2026-01-31T22:30:00.5Z");
        let hour = |name: &str| zone(name).map(|zone| timestamp.in_zone(zone).clock().0);
        assert_eq!(hour("+02:00"), Some(0));
        assert_eq!(hour("-03:30"), Some(19));
        assert_eq!(hour("Europe/Berlin"), Some(23));
        assert_eq!(hour("UTC"), Some(22));
        assert_eq!(hour("Nowhere/At"), None);
        assert_eq!(hour("a:b"), None);
    }

    #[test]
    fn the_calendar_has_an_end() {
        assert_eq!(Timestamp::parse("2026-13-01T00:00:00Z"), None);
        let last = Timestamp::parse("9999-12-31T23:59:59Z").unwrap();
        assert_eq!(last.plus(1_000_000_000), None);
        let first = Timestamp::parse("0001-01-01T00:00:00Z").unwrap();
        assert_eq!(first.plus(-1), None);
        assert_eq!(last.since(first), None);
    }
}
