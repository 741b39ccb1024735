//! Layouts: the parts of a reference time that stand for parts of any time.

/// A part of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    /// `January`, `Jan`.
    MonthName { is_long: bool },
    /// `1`, `01`.
    Month { is_padded: bool },
    /// `Monday`, `Mon`.
    Weekday { is_long: bool },
    /// `2`, `_2`, `02`.
    Day(Padding),
    /// `__2`, `002`.
    YearDay(Padding),
    /// `15`.
    Hour,
    /// `3`, `03`.
    Hour12 { is_padded: bool },
    /// `4`, `04`.
    Minute { is_padded: bool },
    /// `5`, `05`.
    Second { is_padded: bool },
    /// `2006`, `06`.
    Year { is_long: bool },
    /// `PM`, `pm`.
    HalfDay { is_upper: bool },
    /// `MST`.
    ZoneName,
    /// `-0700` and its kin.
    Offset(Offset),
    /// `.000`, `,999`: the separator, the digits, and whether zeros at the end
    /// go.
    Fraction {
        separator: u8,
        digits: usize,
        is_trimmed: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Padding {
    None,
    Blank,
    Zero,
}

/// How an offset from UTC is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offset {
    /// `Z` for UTC.
    pub(super) has_z: bool,
    pub(super) has_colons: bool,
    pub(super) has_minutes: bool,
    pub(super) has_seconds: bool,
}

/// What comes before the first element of a layout, the element as it is
/// written, and what comes after it. Without an element all of the layout comes
/// before.
pub(super) struct Chunk<'l> {
    pub(super) prefix: &'l str,
    pub(super) element: Option<(Element, &'l str)>,
    pub(super) suffix: &'l str,
}

pub(super) fn next(layout: &str) -> Chunk<'_> {
    for (at, _) in layout.char_indices() {
        let (prefix, rest) = layout.split_at(at);
        if let Some((element, length)) = element(rest)
            && let Some((text, suffix)) = rest.split_at_checked(length)
        {
            // `_2006` is a low line and a year.
            let (prefix, text) = match (element, text.strip_prefix('_')) {
                (Element::Year { .. }, Some(year)) => (layout.get(..=at).unwrap_or(prefix), year),
                _ => (prefix, text),
            };
            return Chunk {
                prefix,
                element: Some((element, text)),
                suffix,
            };
        }
    }
    Chunk {
        prefix: layout,
        element: None,
        suffix: "",
    }
}

/// The element that a text begins with, and how long it is.
fn element(text: &str) -> Option<(Element, usize)> {
    use Element::{
        Day, HalfDay, Hour, Hour12, Minute, Month, MonthName, Second, Weekday, Year, YearDay,
        ZoneName,
    };
    let starts = |start: &str| text.starts_with(start);
    // `Month` is no month, and `Monsoon` no day.
    let is_word = |start: &str| {
        let rest = text.strip_prefix(start);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_lowercase()))
    };
    Some(match *text.as_bytes().first()? {
        b'J' if starts("January") => (MonthName { is_long: true }, 7),
        b'J' if is_word("Jan") => (MonthName { is_long: false }, 3),
        b'M' if starts("Monday") => (Weekday { is_long: true }, 6),
        b'M' if is_word("Mon") => (Weekday { is_long: false }, 3),
        b'M' if starts("MST") => (ZoneName, 3),
        b'0' if starts("01") => (Month { is_padded: true }, 2),
        b'0' if starts("02") => (Day(Padding::Zero), 2),
        b'0' if starts("03") => (Hour12 { is_padded: true }, 2),
        b'0' if starts("04") => (Minute { is_padded: true }, 2),
        b'0' if starts("05") => (Second { is_padded: true }, 2),
        b'0' if starts("06") => (Year { is_long: false }, 2),
        b'0' if starts("002") => (YearDay(Padding::Zero), 3),
        b'1' if starts("15") => (Hour, 2),
        b'1' => (Month { is_padded: false }, 1),
        b'2' if starts("2006") => (Year { is_long: true }, 4),
        b'2' => (Day(Padding::None), 1),
        b'_' if starts("_2006") => (Year { is_long: true }, 5),
        b'_' if starts("_2") => (Day(Padding::Blank), 2),
        b'_' if starts("__2") => (YearDay(Padding::Blank), 3),
        b'3' => (Hour12 { is_padded: false }, 1),
        b'4' => (Minute { is_padded: false }, 1),
        b'5' => (Second { is_padded: false }, 1),
        b'P' if starts("PM") => (HalfDay { is_upper: true }, 2),
        b'p' if starts("pm") => (HalfDay { is_upper: false }, 2),
        b'-' | b'Z' => return offset(text),
        b'.' | b',' => return fraction(text),
        _ => return None,
    })
}

fn offset(text: &str) -> Option<(Element, usize)> {
    let has_z = text.starts_with('Z');
    let digits = text.get(1..)?;
    // The longer ones first.
    for (form, has_colons, has_minutes, has_seconds) in [
        ("070000", false, true, true),
        ("07:00:00", true, true, true),
        ("0700", false, true, false),
        ("07:00", true, true, false),
        ("07", false, false, false),
    ] {
        if digits.starts_with(form) {
            let offset = Offset {
                has_z,
                has_colons,
                has_minutes,
                has_seconds,
            };
            return Some((Element::Offset(offset), form.len() + 1));
        }
    }
    None
}

fn fraction(text: &str) -> Option<(Element, usize)> {
    let (separator, digits) = text.as_bytes().split_first()?;
    let digit = *digits.first().filter(|b| matches!(b, b'0' | b'9'))?;
    let count = digits.iter().take_while(|b| **b == digit).count();
    if digits.get(count).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let element = Element::Fraction {
        separator: *separator,
        digits: count,
        is_trimmed: digit == b'9',
    };
    Some((element, count + 1))
}

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
