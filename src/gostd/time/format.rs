//! Times to text.

use super::layout::{self, Element, MONTHS, Offset, Padding, WEEKDAYS};
use super::{Date, Time};

pub(super) fn format(time: &Time, layout: &str) -> String {
    let date = time.date();
    let (zone_name, offset) = time.zone.at(time.seconds);
    let mut out = String::with_capacity(layout.len() + 10);
    let mut rest = layout;
    loop {
        let chunk = layout::next(rest);
        out.push_str(chunk.prefix);
        let Some((element, _)) = chunk.element else {
            return out;
        };
        match element {
            Element::ZoneName if zone_name.is_empty() => {
                let numeric = Offset {
                    has_z: false,
                    has_colons: false,
                    has_minutes: true,
                    has_seconds: false,
                };
                push_offset(offset, numeric, &mut out);
            }
            Element::ZoneName => out.push_str(&zone_name),
            Element::Offset(form) => push_offset(offset, form, &mut out),
            Element::Fraction {
                separator,
                digits,
                is_trimmed,
            } => push_fraction(time.nanoseconds, separator, digits, is_trimmed, &mut out),
            element => push_part(&date, element, &mut out),
        }
        rest = chunk.suffix;
    }
}

/// A number with zeros before it; the sign does not count.
fn push(number: i64, digits: usize, out: &mut String) {
    if number < 0 {
        out.push('-');
    }
    out.push_str(&format!("{:0digits$}", number.unsigned_abs()));
}

fn padded(is_padded: bool) -> usize {
    if is_padded { 2 } else { 0 }
}

fn push_part(date: &Date, element: Element, out: &mut String) {
    let hour = date.second_of_day / 3600;
    let name = |names: &[&'static str], index: i64, is_long: bool| {
        let name = usize::try_from(index).ok().and_then(|i| names.get(i));
        let name = name.copied().unwrap_or_default();
        if is_long {
            name
        } else {
            name.get(..3).unwrap_or(name)
        }
    };
    match element {
        Element::MonthName { is_long } => out.push_str(name(&MONTHS, date.month - 1, is_long)),
        Element::Weekday { is_long } => out.push_str(name(&WEEKDAYS, date.weekday(), is_long)),
        Element::Month { is_padded } => push(date.month, padded(is_padded), out),
        Element::Day(padding) => push_padded(date.day, 2, padding, out),
        Element::YearDay(padding) => push_padded(date.year_day(), 3, padding, out),
        Element::Hour => push(hour, 2, out),
        Element::Hour12 { is_padded } => push((hour + 11) % 12 + 1, padded(is_padded), out),
        Element::Minute { is_padded } => {
            push(date.second_of_day / 60 % 60, padded(is_padded), out);
        }
        Element::Second { is_padded } => push(date.second_of_day % 60, padded(is_padded), out),
        Element::Year { is_long: true } => push(date.year, 4, out),
        Element::Year { is_long: false } => push(date.year.abs() % 100, 2, out),
        Element::HalfDay { is_upper } => out.push_str(match (hour >= 12, is_upper) {
            (false, true) => "AM",
            (true, true) => "PM",
            (false, false) => "am",
            (true, false) => "pm",
        }),
        Element::ZoneName | Element::Offset(_) | Element::Fraction { .. } => {}
    }
}

fn push_padded(number: i64, width: usize, padding: Padding, out: &mut String) {
    match padding {
        Padding::None => push(number, 0, out),
        Padding::Zero => push(number, width, out),
        Padding::Blank => out.push_str(&format!("{number:width$}")),
    }
}

fn push_offset(offset: i64, form: Offset, out: &mut String) {
    if offset == 0 && form.has_z {
        out.push('Z');
        return;
    }
    // Compat: the sign is that of the minutes, so that half a minute west is
    // written as east.
    let minutes = offset / 60;
    out.push(if minutes < 0 { '-' } else { '+' });
    push(minutes.abs() / 60, 2, out);
    if form.has_colons {
        out.push(':');
    }
    if form.has_minutes {
        push(minutes.abs() % 60, 2, out);
    }
    if form.has_seconds {
        if form.has_colons {
            out.push(':');
        }
        let seconds = if minutes < 0 { -offset } else { offset };
        push(seconds % 60, 2, out);
    }
}

fn push_fraction(
    nanoseconds: u32,
    separator: u8,
    digits: usize,
    is_trimmed: bool,
    out: &mut String,
) {
    if is_trimmed && nanoseconds == 0 {
        return;
    }
    let all = format!("{nanoseconds:09}");
    let mut fraction = all.get(..digits).unwrap_or(&all);
    if is_trimmed {
        fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() {
            return;
        }
    }
    out.push(char::from(separator));
    out.push_str(fraction);
}
