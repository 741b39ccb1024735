//! Points in time as RFC 3339 writes them.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time with the offset it was written in.
///
/// Compared and ordered as a point in time: the offset does not count.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Seconds since the beginning of 1970 in UTC.
    seconds: i64,
    nanoseconds: u32,
    /// Minutes east of Greenwich.
    offset_minutes: i32,
}

impl Moment {
    /// A point in time in UTC, in seconds since the beginning of 1970.
    pub fn from_unix(seconds: i64) -> Moment {
        Moment {
            seconds,
            nanoseconds: 0,
            offset_minutes: 0,
        }
    }

    /// Nanoseconds since the beginning of 1970 in UTC.
    pub fn unix_nanoseconds(self) -> i128 {
        i128::from(self.seconds) * 1_000_000_000 + i128::from(self.nanoseconds)
    }

    /// Reads RFC 3339 as Go's `time.Parse` does; none where the text is
    /// anything else.
    ///
    /// Compat: an hour of one digit and a fraction after a comma are taken.
    pub fn parse(text: &str) -> Option<Moment> {
        let mut rest = text.as_bytes();
        let year = i64::from(digits(&mut rest, 4, 4)?);
        expect(&mut rest, b'-')?;
        let month = digits(&mut rest, 2, 2)?;
        expect(&mut rest, b'-')?;
        let day = digits(&mut rest, 2, 2)?;
        expect(&mut rest, b'T')?;
        let hour = digits(&mut rest, 1, 2)?;
        expect(&mut rest, b':')?;
        let minute = digits(&mut rest, 2, 2)?;
        expect(&mut rest, b':')?;
        let second = digits(&mut rest, 2, 2)?;
        if !(1..=12).contains(&month)
            || day == 0
            || day > days_in_month(year, month)
            || hour > 23
            || minute > 59
            || second > 59
        {
            return None;
        }
        let mut nanoseconds = 0;
        if let [b'.' | b',', after @ ..] = rest {
            let length = after.iter().take_while(|b| b.is_ascii_digit()).count();
            let (fraction, after) = after.split_at(length);
            let mut scale = 100_000_000;
            for digit in fraction {
                nanoseconds += u32::from(digit - b'0') * scale;
                scale /= 10;
            }
            if fraction.is_empty() {
                return None;
            }
            rest = after;
        }
        let offset_minutes = match rest {
            b"Z" => 0,
            [sign @ (b'+' | b'-'), after @ ..] => {
                let mut after = after;
                let hours = digits(&mut after, 2, 2)?;
                expect(&mut after, b':')?;
                let minutes = digits(&mut after, 2, 2)?;
                if !after.is_empty() || hours > 24 || minutes > 59 {
                    return None;
                }
                let minutes = i32::try_from(hours * 60 + minutes).ok()?;
                if *sign == b'-' { -minutes } else { minutes }
            }
            _ => return None,
        };
        let seconds = days_before(year, month, day) * 86_400
            + i64::from(hour * 3600 + minute * 60 + second)
            - i64::from(offset_minutes) * 60;
        Some(Moment {
            seconds,
            nanoseconds,
            offset_minutes,
        })
    }

    /// Seconds since the beginning of 1970 in UTC.
    pub fn unix(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds beyond the whole second.
    pub fn subsecond_nanoseconds(self) -> u32 {
        self.nanoseconds
    }

    /// The same point in time as the standard library has it; times before
    /// 1970 are its beginning.
    pub fn system_time(self) -> SystemTime {
        let seconds = u64::try_from(self.seconds).unwrap_or_default();
        UNIX_EPOCH + Duration::new(seconds, self.nanoseconds)
    }

    /// The day, `2026-11-22`, in UTC.
    pub fn date(self) -> String {
        let (year, month, day) = civil(self.seconds.div_euclid(86_400));
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// As Go's `time.RFC3339Nano`: as many digits of the second as it takes.
    pub fn rfc3339_nano(self) -> String {
        self.format(true)
    }

    fn format(self, with_fraction: bool) -> String {
        let local = self.seconds + i64::from(self.offset_minutes) * 60;
        let (year, month, day) = civil(local.div_euclid(86_400));
        let second = local.rem_euclid(86_400);
        let mut out = format!(
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}",
            second / 3600,
            second / 60 % 60,
            second % 60
        );
        if with_fraction && self.nanoseconds != 0 {
            out.push('.');
            out.push_str(format!("{:09}", self.nanoseconds).trim_end_matches('0'));
        }
        if self.offset_minutes == 0 {
            out.push('Z');
        } else {
            let sign = if self.offset_minutes < 0 { '-' } else { '+' };
            let minutes = self.offset_minutes.abs();
            out.push_str(&format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60));
        }
        out
    }
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Moment {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment {
            seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            nanoseconds: since.subsec_nanos(),
            offset_minutes: 0,
        }
    }
}

/// RFC 3339 without a fraction, as Go's `time.RFC3339`.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.format(false))
    }
}

impl PartialEq for Moment {
    fn eq(&self, other: &Moment) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Moment {}

impl PartialOrd for Moment {
    fn partial_cmp(&self, other: &Moment) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Moment {
    fn cmp(&self, other: &Moment) -> std::cmp::Ordering {
        (self.seconds, self.nanoseconds).cmp(&(other.seconds, other.nanoseconds))
    }
}

/// Takes a number of `least` to `most` digits off the front.
fn digits(rest: &mut &[u8], least: usize, most: usize) -> Option<u32> {
    let length = rest
        .iter()
        .take(most)
        .take_while(|b| b.is_ascii_digit())
        .count();
    if length < least {
        return None;
    }
    let (number, after) = rest.split_at(length);
    *rest = after;
    Some(number.iter().fold(0, |n, b| n * 10 + u32::from(b - b'0')))
}

fn expect(rest: &mut &[u8], byte: u8) -> Option<()> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    (*first == byte).then_some(())
}

fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from the beginning of 1970 to a date of the Gregorian calendar, with
/// years that begin in March, so that leap days come last.
fn days_before(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The date that lies this many days after the beginning of 1970.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days.saturating_add(719_468);
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_and_writing() {
        for (text, unix, same) in [
            ("1970-01-01T00:00:00Z", 0, true),
            ("2026-11-22T20:11:09Z", 1_795_378_269, true),
            ("2024-02-29T23:59:59Z", 1_709_251_199, true),
            ("2000-03-01T00:00:00+01:00", 951_865_200, true),
            ("1969-12-31T23:59:59-00:30", 1799, true),
            ("2026-01-02T03:04:05+00:00", 1_767_323_045, false),
            ("2026-01-02T3:04:05.5Z", 1_767_323_045, false),
        ] {
            let moment = Moment::parse(text).unwrap();
            assert_eq!(moment.unix(), unix, "{text}");
            assert_eq!(moment.to_string() == text, same, "{text}");
        }
        let fraction = Moment::parse("2026-01-02T03:04:05,120Z").unwrap();
        assert_eq!(fraction.rfc3339_nano(), "2026-01-02T03:04:05.12Z");
        assert_eq!(fraction.to_string(), "2026-01-02T03:04:05Z");
        assert_eq!(fraction.date(), "2026-01-02");
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "2026-11-22",
            "2026-11-22 20:11:09Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T20:11:09",
            "2026-11-22T20:11:09.Z",
            "2026-11-22T20:11:09+0100",
            "2026-11-22T20:11:09Zz",
        ] {
            assert!(Moment::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn the_calendar_turns_both_ways() {
        for days in (-800_000..800_000).step_by(97) {
            let (year, month, day) = civil(days);
            let month = u32::try_from(month).unwrap();
            let day = u32::try_from(day).unwrap();
            assert_eq!(days_before(year, month, day), days);
        }
    }
}
