//! Timestamps, in the four layouts that go-yaml tries.

/// A point in time with the offset it was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timestamp {
    year: u32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    nanosecond: u32,
    /// Minutes east of Greenwich.
    offset: i32,
}

impl Timestamp {
    /// Go's `time.RFC3339Nano`: as many digits of the second as it takes.
    pub(super) fn rfc3339(self) -> String {
        let mut out = format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            self.year, self.month, self.day, self.hour, self.minute, self.second
        );
        if self.nanosecond != 0 {
            out.push('.');
            out.push_str(format!("{:09}", self.nanosecond).trim_end_matches('0'));
        }
        if self.offset == 0 {
            out.push('Z');
        } else {
            let sign = if self.offset < 0 { '-' } else { '+' };
            let minutes = self.offset.abs();
            out.push_str(&format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60));
        }
        out
    }
}

/// Reads a timestamp; none where the text is not wholly one.
///
/// Compat: `resolve.go` `parseTimestamp`, with what Go's `time.Parse` lets pass:
/// months, days and times of one digit, any number of fraction digits after a
/// point or a comma, several spaces between date and time.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || bytes[4] != b'-' || !bytes[..4].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut s = Scanner(&bytes[5..]);
    let mut t = Timestamp {
        year: text[..4].parse().ok()?,
        month: s.number(1, 12)?,
        day: 0,
        hour: 0,
        minute: 0,
        second: 0,
        nanosecond: 0,
        offset: 0,
    };
    s.expect(b'-')?;
    t.day = s.number(1, days(t.year, t.month))?;
    let zoned = match s.0 {
        [] => return Some(t),
        [b'T' | b't', ..] => {
            s.0 = &s.0[1..];
            true
        }
        [b' ', ..] => {
            while let [b' ', rest @ ..] = s.0 {
                s.0 = rest;
            }
            false
        }
        _ => return None,
    };
    t.hour = s.number(0, 23)?;
    s.expect(b':')?;
    t.minute = s.number(0, 59)?;
    s.expect(b':')?;
    t.second = s.number(0, 59)?;
    t.nanosecond = s.fraction();
    if zoned {
        t.offset = s.zone()?;
    }
    s.0.is_empty().then_some(t)
}

fn days(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

struct Scanner<'a>(&'a [u8]);

impl Scanner<'_> {
    fn expect(&mut self, byte: u8) -> Option<()> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        (*first == byte).then_some(())
    }

    /// One or two digits.
    fn number(&mut self, min: u32, max: u32) -> Option<u32> {
        let count = self
            .0
            .iter()
            .take(2)
            .take_while(|b| b.is_ascii_digit())
            .count();
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        let value = std::str::from_utf8(digits).ok()?.parse().ok()?;
        (min..=max).contains(&value).then_some(value)
    }

    /// A fraction of a second, in nanoseconds; further digits are dropped.
    fn fraction(&mut self) -> u32 {
        let [b'.' | b',', rest @ ..] = self.0 else {
            return 0;
        };
        let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        if count == 0 {
            return 0;
        }
        self.0 = &rest[count..];
        let mut value = 0;
        for i in 0..9 {
            value = value * 10 + rest[..count].get(i).map_or(0, |b| u32::from(b - b'0'));
        }
        value
    }

    /// `Z` or `±hh:mm`, in minutes.
    fn zone(&mut self) -> Option<i32> {
        let (sign, rest) = match self.0 {
            [b'Z', rest @ ..] => {
                self.0 = rest;
                return Some(0);
            }
            [b'+', rest @ ..] => (1, rest),
            [b'-', rest @ ..] => (-1, rest),
            _ => return None,
        };
        let [h1, h2, b':', m1, m2, rest @ ..] = rest else {
            return None;
        };
        let two = |a: &u8, b: &u8| {
            (a.is_ascii_digit() && b.is_ascii_digit())
                .then(|| i32::from(a - b'0') * 10 + i32::from(b - b'0'))
        };
        let (hours, minutes) = (two(h1, h2)?, two(m1, m2)?);
        self.0 = rest;
        (hours <= 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: Option<&str>) {
        assert_eq!(
            parse(text).map(Timestamp::rfc3339).as_deref(),
            want,
            "{text}"
        );
    }

    #[test]
    fn layouts() {
        check("2001-12-14", Some("2001-12-14T00:00:00Z"));
        check("2001-1-4", Some("2001-01-04T00:00:00Z"));
        check(
            "2001-12-14t21:59:43.10-05:00",
            Some("2001-12-14T21:59:43.1-05:00"),
        );
        check("2001-12-14T1:2:3Z", Some("2001-12-14T01:02:03Z"));
        check("2001-12-14   21:59:43,5", Some("2001-12-14T21:59:43.5Z"));
        check("2024-02-29", Some("2024-02-29T00:00:00Z"));
    }

    #[test]
    fn near_misses() {
        for text in [
            "2001-12",
            "01-12-14",
            "2001-13-01",
            "2001-02-29",
            "2001-12-14T21:59:43",
            "2001-12-14 21:59:43 -5",
            "2001-12-14 21:59:43Z",
            "2001-12-14T21:59Z",
            "2001-12-14x",
            "2001-12-14T21:59:60Z",
            "2001--1-01",
        ] {
            check(text, None);
        }
    }
}
