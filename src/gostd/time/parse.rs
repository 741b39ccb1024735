//! Text to times.

use super::civil;
use super::layout::{self, Element, MONTHS, Offset, Padding, WEEKDAYS};
use super::zone::Zone;
use super::{SECONDS_PER_DAY, Time, quote};

/// Why a text is no time; reads as Go's `ParseError` does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    layout: String,
    value: String,
    problem: Problem,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    /// This part of the value is not as this part of the layout.
    Mismatch { layout: String, value: Vec<u8> },
    /// `month`, out of range.
    OutOfRange(&'static str),
    /// Text after the time.
    Extra(Vec<u8>),
    /// The day of the year is another day.
    YearDay(&'static str),
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "parsing time {}", quote(self.value.as_bytes()))?;
        match &self.problem {
            Problem::Mismatch { layout, value } => write!(
                f,
                " as {}: cannot parse {} as {}",
                quote(self.layout.as_bytes()),
                quote(value),
                quote(layout.as_bytes())
            ),
            Problem::OutOfRange(what) => write!(f, ": {what} out of range"),
            Problem::Extra(text) => write!(f, ": extra text: {}", quote(text)),
            Problem::YearDay(what) => write!(f, ": day-of-year does not match {what}"),
        }
    }
}

impl std::error::Error for ParseError {}

/// An element is not there.
struct Mismatch;

/// Why an element is not read.
enum Refusal {
    Mismatch,
    OutOfRange(&'static str),
}

impl From<Mismatch> for Refusal {
    fn from(Mismatch: Mismatch) -> Refusal {
        Refusal::Mismatch
    }
}

/// What was read so far.
#[derive(Default)]
struct Read {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanoseconds: u32,
    is_morning: bool,
    is_afternoon: bool,
    is_utc: bool,
    offset: Option<i64>,
    zone_name: Option<String>,
}

pub(super) fn parse(layout: &str, value: &str, zone: &Zone) -> Result<Time, ParseError> {
    let error = |problem| ParseError {
        layout: layout.to_owned(),
        value: value.to_owned(),
        problem,
    };
    let mut read = Read::default();
    let mut text = value.as_bytes();
    let mut rest = layout;
    loop {
        let chunk = layout::next(rest);
        text = skip(text, chunk.prefix.as_bytes()).map_err(|at| {
            error(Problem::Mismatch {
                layout: chunk.prefix.to_owned(),
                value: at.to_vec(),
            })
        })?;
        let Some((element, written)) = chunk.element else {
            break;
        };
        rest = chunk.suffix;
        let before = text;
        read.element(element, &mut text, rest)
            .map_err(|refusal| match refusal {
                Refusal::OutOfRange(what) => error(Problem::OutOfRange(what)),
                Refusal::Mismatch => error(Problem::Mismatch {
                    layout: written.to_owned(),
                    value: before.to_vec(),
                }),
            })?;
    }
    if !text.is_empty() {
        return Err(error(Problem::Extra(text.to_vec())));
    }
    read.into_time(zone).map_err(error)
}

/// What follows a text that is as the layout has it; blanks in it stand for any
/// number of blanks. Gives the place where they part.
fn skip<'v>(mut value: &'v [u8], mut prefix: &[u8]) -> Result<&'v [u8], &'v [u8]> {
    while let Some((wanted, rest)) = prefix.split_first() {
        if *wanted == b' ' {
            if value.first().is_some_and(|b| *b != b' ') {
                return Err(value);
            }
            prefix = without_blanks(prefix);
            value = without_blanks(value);
            continue;
        }
        match value.split_first() {
            Some((byte, after)) if byte == wanted => value = after,
            _ => return Err(value),
        }
        prefix = rest;
    }
    Ok(value)
}

fn without_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|b| **b == b' ').count();
    text.get(blanks..).unwrap_or_default()
}

impl Read {
    /// Reads an element. `rest` is the layout after it.
    fn element(&mut self, element: Element, text: &mut &[u8], rest: &str) -> Result<(), Refusal> {
        match element {
            Element::Year { is_long: false } => {
                let year = integer(take(text, 2)?)?;
                self.year = year + if year >= 69 { 1900 } else { 2000 };
            }
            Element::Year { is_long: true } => {
                if !text.first().is_some_and(u8::is_ascii_digit) {
                    return Err(Refusal::Mismatch);
                }
                self.year = integer(take(text, 4)?)?;
            }
            Element::MonthName { is_long } => self.month = Some(name(text, &MONTHS, is_long)?),
            Element::Weekday { is_long } => {
                name(text, &WEEKDAYS, is_long)?;
            }
            Element::Month { is_padded } => {
                let month = number(text, is_padded)?;
                self.month = Some(in_range(month, 1..=12, "month")?);
            }
            Element::Day(padding) => {
                skip_blank(text, padding);
                self.day = Some(number(text, padding == Padding::Zero)?);
            }
            Element::YearDay(padding) => {
                skip_blank(text, padding);
                skip_blank(text, padding);
                let length = text
                    .iter()
                    .take(3)
                    .take_while(|b| b.is_ascii_digit())
                    .count();
                if length == 0 || (padding == Padding::Zero && length != 3) {
                    return Err(Refusal::Mismatch);
                }
                self.year_day = Some(integer(take(text, length)?)?);
            }
            Element::Hour => self.hour = in_range(number(text, false)?, 0..=23, "hour")?,
            Element::Hour12 { is_padded } => {
                self.hour = in_range(number(text, is_padded)?, 0..=12, "hour")?;
            }
            Element::Minute { is_padded } => {
                self.minute = in_range(number(text, is_padded)?, 0..=59, "minute")?;
            }
            Element::Second { is_padded } => {
                self.second = in_range(number(text, is_padded)?, 0..=59, "second")?;
                // A fraction is taken even if the layout has none.
                let next = layout::next(rest).element.map(|(element, _)| element);
                if !matches!(next, Some(Element::Fraction { .. })) {
                    self.optional_fraction(text)?;
                }
            }
            Element::HalfDay { is_upper } => match (take(text, 2)?, is_upper) {
                (b"PM", true) | (b"pm", false) => self.is_afternoon = true,
                (b"AM", true) | (b"am", false) => self.is_morning = true,
                _ => return Err(Refusal::Mismatch),
            },
            Element::Offset(form) => self.offset(form, text)?,
            Element::ZoneName => {
                if text.starts_with(b"UTC") {
                    take(text, 3)?;
                    self.is_utc = true;
                } else {
                    let length = zone_name_length(text).ok_or(Mismatch)?;
                    let name = take(text, length)?;
                    self.zone_name = Some(String::from_utf8_lossy(name).into_owned());
                }
            }
            Element::Fraction {
                is_trimmed: true, ..
            } => self.optional_fraction(text)?,
            Element::Fraction { digits, .. } => {
                let fraction = take(text, digits + 1)?;
                self.nanoseconds = nanoseconds(fraction)?;
            }
        }
        Ok(())
    }

    fn optional_fraction(&mut self, text: &mut &[u8]) -> Result<(), Refusal> {
        if let [b'.' | b',', digits @ ..] = *text {
            let length = digits.iter().take_while(|b| b.is_ascii_digit()).count();
            if length > 0 {
                self.nanoseconds = nanoseconds(take(text, length + 1)?)?;
            }
        }
        Ok(())
    }

    fn offset(&mut self, form: Offset, text: &mut &[u8]) -> Result<(), Refusal> {
        if form.has_z && text.starts_with(b"Z") {
            take(text, 1)?;
            self.is_utc = true;
            return Ok(());
        }
        let parts = 1 + usize::from(form.has_minutes) + usize::from(form.has_seconds);
        let colons = if form.has_colons { parts - 1 } else { 0 };
        let written = take(text, 1 + 2 * parts + colons)?;
        let mut seconds = 0;
        let (sign, mut digits) = written.split_at(1);
        let mut is_number = true;
        let mut range = None;
        for (i, (unit, limit, what)) in [
            (3600, 24, "time zone offset hour"),
            (60, 60, "time zone offset minute"),
            (1, 60, "time zone offset second"),
        ]
        .into_iter()
        .take(parts)
        .enumerate()
        {
            if i > 0 && form.has_colons && take(&mut digits, 1)? != b":" {
                return Err(Refusal::Mismatch);
            }
            let mut two = take(&mut digits, 2)?;
            match number(&mut two, true) {
                // Compat: what follows a part that is no number is not read.
                Ok(number) if is_number => {
                    seconds += number * unit;
                    if number > limit {
                        range = Some(what);
                    }
                }
                _ => is_number = false,
            }
        }
        if let Some(what) = range {
            return Err(Refusal::OutOfRange(what));
        }
        self.offset = Some(match sign {
            b"+" if is_number => seconds,
            b"-" if is_number => -seconds,
            _ => return Err(Refusal::Mismatch),
        });
        Ok(())
    }

    fn into_time(mut self, zone: &Zone) -> Result<Time, Problem> {
        if self.is_afternoon && self.hour < 12 {
            self.hour += 12;
        } else if self.is_morning && self.hour == 12 {
            self.hour = 0;
        }
        let (month, day) = self.month_and_day()?;
        if day < 1 || day > civil::days_in_month(self.year, month) {
            return Err(Problem::OutOfRange("day"));
        }
        let local = civil::days_of(self.year, month, day) * SECONDS_PER_DAY
            + self.hour * 3600
            + self.minute * 60
            + self.second;
        let time = |seconds, zone| Time {
            seconds,
            nanoseconds: self.nanoseconds,
            zone,
        };
        if self.is_utc {
            return Ok(time(local, Zone::Utc));
        }
        // Compat: for Go, one second west is no offset.
        if let Some(offset) = self.offset.filter(|offset| *offset != -1) {
            let seconds = local - offset;
            let (name, here) = zone.at(seconds);
            let is_here = here == offset && self.zone_name.as_ref().is_none_or(|n| *n == name);
            let seen_in = if is_here {
                zone.clone()
            } else {
                Zone::Fixed(self.zone_name.unwrap_or_default().into(), offset)
            };
            return Ok(time(seconds, seen_in));
        }
        let Some(name) = self.zone_name else {
            return Ok(time(zone.to_utc(local), zone.clone()));
        };
        let here = zone.to_utc(local);
        if zone.at(here).0 == name {
            return Ok(time(here, zone.clone()));
        }
        // Compat: a name that is not known here is UTC by another name.
        let hours = name
            .strip_prefix("GMT")
            .and_then(|h| integer(h.as_bytes()).ok());
        let offset = hours.unwrap_or(0) * 3600;
        // The offset is for show: the point in time stays as written.
        Ok(time(local, Zone::Fixed(name.into(), offset)))
    }

    fn month_and_day(&self) -> Result<(i64, i64), Problem> {
        let Some(year_day) = self.year_day else {
            return Ok((self.month.unwrap_or(1), self.day.unwrap_or(1)));
        };
        let days = 365 + i64::from(civil::is_leap(self.year));
        if !(1..=days).contains(&year_day) {
            return Err(Problem::OutOfRange("day-of-year"));
        }
        let first = civil::days_of(self.year, 1, 1);
        let (_, month, day) = civil::date_of(first + year_day - 1);
        if self.month.is_some_and(|m| m != month) {
            return Err(Problem::YearDay("month"));
        }
        if self.day.is_some_and(|d| d != day) {
            return Err(Problem::YearDay("day"));
        }
        Ok((month, day))
    }
}

/// Takes so many bytes.
fn take<'v>(text: &mut &'v [u8], length: usize) -> Result<&'v [u8], Mismatch> {
    let (taken, rest) = text.split_at_checked(length).ok_or(Mismatch)?;
    *text = rest;
    Ok(taken)
}

fn skip_blank(text: &mut &[u8], padding: Padding) {
    if padding == Padding::Blank
        && let Some(rest) = text.strip_prefix(b" ")
    {
        *text = rest;
    }
}

/// A number that is all of a text; it may have a sign. Compat: nothing is
/// zero.
fn integer(text: &[u8]) -> Result<i64, Mismatch> {
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    let mut number: i64 = 0;
    for byte in digits {
        if !byte.is_ascii_digit() {
            return Err(Mismatch);
        }
        number = (number.checked_mul(10))
            .and_then(|n| n.checked_add(i64::from(byte - b'0')))
            .ok_or(Mismatch)?;
    }
    Ok(if is_negative { -number } else { number })
}

/// One or two digits.
fn number(text: &mut &[u8], is_padded: bool) -> Result<i64, Mismatch> {
    let digits = text
        .iter()
        .take(2)
        .take_while(|b| b.is_ascii_digit())
        .count();
    if digits == 0 || (is_padded && digits == 1) {
        return Err(Mismatch);
    }
    integer(take(text, digits)?)
}

fn in_range(
    number: i64,
    range: std::ops::RangeInclusive<i64>,
    what: &'static str,
) -> Result<i64, Refusal> {
    if range.contains(&number) {
        Ok(number)
    } else {
        Err(Refusal::OutOfRange(what))
    }
}

/// A name in any case, and its number, from one.
fn name(text: &mut &[u8], names: &[&str], is_long: bool) -> Result<i64, Mismatch> {
    for (number, name) in (1..).zip(names) {
        let name = if is_long {
            name
        } else {
            name.get(..3).unwrap_or(name)
        };
        let start = text.get(..name.len());
        if start.is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes())) {
            take(text, name.len())?;
            return Ok(number);
        }
    }
    Err(Mismatch)
}

/// A separator and digits.
fn nanoseconds(fraction: &[u8]) -> Result<u32, Refusal> {
    let (b'.' | b',', digits) = fraction.split_first().ok_or(Mismatch)? else {
        return Err(Refusal::Mismatch);
    };
    // What is smaller does not count.
    let digits = digits.get(..9).unwrap_or(digits);
    let value = integer(digits)?;
    let value = u32::try_from(value).map_err(|_| Refusal::OutOfRange("fractional second"))?;
    let missing = u32::try_from(9 - digits.len()).unwrap_or(0);
    Ok(value * 10_u32.pow(missing))
}

/// How long the name of a zone is that a text begins with.
fn zone_name_length(text: &[u8]) -> Option<usize> {
    if text.len() < 3 {
        return None;
    }
    if text.starts_with(b"ChST") || text.starts_with(b"MeST") {
        return Some(4);
    }
    if let Some(offset) = text.strip_prefix(b"GMT") {
        return Some(3 + signed_offset_length(offset).unwrap_or(0));
    }
    if let [b'+' | b'-', ..] = text {
        return signed_offset_length(text);
    }
    let capitals = text
        .iter()
        .take(6)
        .take_while(|b| b.is_ascii_uppercase())
        .count();
    match capitals {
        3 => Some(3),
        4 if text.get(3) == Some(&b'T') || text.starts_with(b"WITA") => Some(4),
        5 if text.get(4) == Some(&b'T') => Some(5),
        _ => None,
    }
}

/// How long a sign with hours is.
fn signed_offset_length(text: &[u8]) -> Option<usize> {
    let [b'+' | b'-', digits @ ..] = text else {
        return None;
    };
    let length = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    let hours = integer(digits.get(..length).filter(|d| !d.is_empty())?).ok()?;
    (hours <= 23).then_some(length + 1)
}
