//! The formats of texts that drafts up to 7 look at.
//!
//! Compat: `santhosh-tekuri/jsonschema` 6.0.3 `format.go`; a format that it
//! does not know takes everything.

use std::net::Ipv6Addr;

use crate::gostd::regexp::Regexp;
use crate::gostd::time::{Time, Zone};

/// Whether a text has a format; if not, why.
pub(super) fn check(format: &str, text: &str) -> Result<(), String> {
    match format {
        "date" => date(text),
        "date-time" => date_time(text),
        "duration" => duration(text),
        "email" => email(text),
        "hostname" => hostname(text),
        "ipv4" => ipv4(text),
        "ipv6" => ipv6(text),
        "iri" | "uri" => uri(text, true),
        "iri-reference" | "uri-reference" => {
            refuse(text.contains('\\'), "contains \\")?;
            uri(text, false)
        }
        "uri-template" => uri(text, false),
        "json-pointer" => json_pointer(text),
        "regex" => (Regexp::new(text).map(|_| ())).map_err(|e| e.to_string()),
        "relative-json-pointer" => relative_json_pointer(text),
        "semver" => semver(text),
        "time" => time(text),
        "uuid" => uuid(text),
        _ => Ok(()),
    }
}

fn refuse(is_wrong: bool, why: impl Into<String>) -> Result<(), String> {
    if is_wrong { Err(why.into()) } else { Ok(()) }
}

/// Refuses the first character that is not one of those.
fn only(text: &str, is_allowed: impl Fn(char) -> bool) -> Result<(), String> {
    match text.chars().find(|c| !is_allowed(*c)) {
        Some(c) => Err(format!("invalid character {}", quoted(c))),
        None => Ok(()),
    }
}

fn quoted(c: char) -> String {
    crate::gostd::strconv::quote_char(c)
}

fn date(text: &str) -> Result<(), String> {
    (Time::parse("2006-01-02", text, &Zone::Utc).map(|_| ())).map_err(|e| e.to_string())
}

fn date_time(text: &str) -> Result<(), String> {
    refuse(text.len() < 20, "less than 20 characters long")?;
    let (Some(day), Some(time_of_day)) = (text.get(..10), text.get(11..)) else {
        return Err("11th character must be t or T".to_owned());
    };
    let separator = text.as_bytes().get(10);
    refuse(
        !matches!(separator, Some(b't' | b'T')),
        "11th character must be t or T",
    )?;
    date(day).map_err(|e| format!("invalid date element: {e}"))?;
    time(time_of_day).map_err(|e| format!("invalid time element: {e}"))
}

/// Two digits, a colon, and so on.
fn clock(text: &str) -> Option<Vec<u32>> {
    text.split(':')
        .map(|part| {
            let is_number = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
            part.parse().ok().filter(|_| is_number)
        })
        .collect()
}

fn time(text: &str) -> Result<(), String> {
    refuse(text.len() < 9, "less than 9 characters long")?;
    let wrong = || "invalid hour/min/sec".to_owned();
    let parts = text.get(..8).and_then(clock).ok_or_else(wrong)?;
    let [hour, minute, second] = parts[..] else {
        return Err("missing colon in correct place".to_owned());
    };
    refuse(
        hour > 23 || minute > 59 || second > 60,
        "hour/min/sec out of range",
    )?;
    let mut rest = text.get(8..).unwrap_or_default();
    if let Some(fraction) = rest.strip_prefix('.') {
        rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
        refuse(rest.len() == fraction.len(), "no digits in second fraction")?;
    }
    let mut minutes = i64::from(hour * 60 + minute);
    if !matches!(rest, "z" | "Z") {
        refuse(rest.len() != 6, "offset must be 6 characters long")?;
        let sign = match rest.as_bytes().first() {
            Some(b'+') => -1,
            Some(b'-') => 1,
            _ => return Err("offset must begin with plus/minus".to_owned()),
        };
        let offset = rest.get(1..).and_then(clock);
        let Some([hours, more]) = offset.as_deref() else {
            return Err("invalid hour/min in offset".to_owned());
        };
        refuse(*hours > 23 || *more > 59, "hour/min in offset out of range")?;
        minutes = (minutes + sign * i64::from(hours * 60 + more)).rem_euclid(24 * 60);
    }
    refuse(
        second >= 60 && minutes != 23 * 60 + 59,
        "invalid leap second",
    )
}

fn duration(text: &str) -> Result<(), String> {
    let rest = text.strip_prefix('P').ok_or("must start with P")?;
    refuse(rest.is_empty(), "nothing after P")?;
    if let Some(weeks) = rest.strip_suffix('W') {
        refuse(weeks.is_empty(), "no number in week")?;
        return refuse(!weeks.bytes().all(|b| b.is_ascii_digit()), "invalid week");
    }
    for (i, part) in rest.split('T').enumerate() {
        refuse(i > 0 && part.is_empty(), "no time elements")?;
        let mut units = match i {
            0 => "YMD",
            1 => "HMS",
            _ => return Err("more than one T".to_owned()),
        };
        let mut part = part;
        while !part.is_empty() {
            let after = part.trim_start_matches(|c: char| c.is_ascii_digit());
            refuse(after.len() == part.len(), "missing number")?;
            let unit = after.chars().next().ok_or("missing unit")?;
            let Some(at) = units.find(unit) else {
                return Err(format!("invalid unit {}", quoted(unit)));
            };
            units = units.get(at + 1..).unwrap_or_default();
            part = after.get(unit.len_utf8()..).unwrap_or_default();
        }
    }
    Ok(())
}

fn ipv4(text: &str) -> Result<(), String> {
    let groups: Vec<&str> = text.split('.').collect();
    refuse(groups.len() != 4, "expected four decimals")?;
    for group in groups {
        refuse(group.len() > 1 && group.starts_with('0'), "leading zeros")?;
        let number = crate::gostd::strconv::atoi(group).map_err(|e| e.to_string())?;
        refuse(
            !(0..=255).contains(&number),
            "decimal must be between 0 and 255",
        )?;
    }
    Ok(())
}

fn ipv6(text: &str) -> Result<(), String> {
    refuse(!text.contains(':'), "missing colon")?;
    refuse(text.contains('%'), "zone id is not a part of ipv6 address")?;
    let parsed: Result<Ipv6Addr, _> = text.parse();
    refuse(parsed.is_err(), format!("`{text}` is no address"))
}

fn hostname(text: &str) -> Result<(), String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    refuse(text.len() > 253, "more than 253 characters long")?;
    for label in text.split('.') {
        refuse(
            label.is_empty() || label.len() > 63,
            "label must be 1 to 63 characters long",
        )?;
        refuse(label.starts_with('-'), "label starts with hyphen")?;
        refuse(label.ends_with('-'), "label ends with hyphen")?;
        only(label, |c| c.is_ascii_alphanumeric() || c == '-')?;
    }
    Ok(())
}

fn email(text: &str) -> Result<(), String> {
    refuse(text.len() > 254, "more than 255 characters long")?;
    let (local, domain) = text.rsplit_once('@').ok_or("missing @")?;
    refuse(local.len() > 64, "local part more than 64 characters long")?;
    let within = local.strip_prefix('"').and_then(|l| l.strip_suffix('"'));
    if let Some(within) = within {
        refuse(
            within.contains(['\\', '"']),
            "backslash and quote are not allowed within quoted local part",
        )?;
    } else {
        refuse(local.starts_with('.'), "starts with dot")?;
        refuse(local.ends_with('.'), "ends with dot")?;
        refuse(local.contains(".."), "consecutive dots")?;
        only(local, |c| {
            c.is_ascii_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~".contains(c)
        })?;
    }
    match domain.strip_prefix('[').and_then(|d| d.strip_suffix(']')) {
        Some(address) => match address.strip_prefix("IPv6:") {
            Some(address) => ipv6(address).map_err(|e| format!("invalid ipv6 address: {e}")),
            None => ipv4(address).map_err(|e| format!("invalid ipv4 address: {e}")),
        },
        None => hostname(domain).map_err(|e| format!("invalid domain: {e}")),
    }
}

fn uri(text: &str, is_absolute: bool) -> Result<(), String> {
    let refused = |why: &str| {
        let shown = crate::gostd::strconv::quote(text);
        Err(format!("parse {shown}: {why}"))
    };
    if text.chars().any(|c| c.is_ascii_control()) {
        return refused("net/url: invalid control character in URL");
    }
    if text.starts_with(':') {
        return refused("missing protocol scheme");
    }
    let scheme = text.split_once(':').map(|(scheme, _)| scheme);
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    };
    let mut escapes = text.split('%').skip(1);
    let is_escape =
        |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|b| b.is_ascii_hexdigit());
    if !escapes.all(is_escape) {
        return refused("invalid URL escape");
    }
    match scheme {
        Some(scheme) if is_scheme(scheme) => Ok(()),
        Some(scheme) if !scheme.contains(['/', '?', '#']) => {
            refused("first path segment in URL cannot contain colon")
        }
        _ => refuse(is_absolute, "relative url"),
    }
}

fn json_pointer(text: &str) -> Result<(), String> {
    refuse(
        !text.is_empty() && !text.starts_with('/'),
        "not starting with /",
    )?;
    let mut escapes = text.split('~').skip(1);
    refuse(
        escapes.any(|rest| !rest.starts_with(['0', '1'])),
        "~ must be followed by 0 or 1",
    )
}

fn relative_json_pointer(text: &str) -> Result<(), String> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = text.len() - rest.len();
    refuse(digits == 0, "must start with non-negative integer")?;
    refuse(digits > 1 && text.starts_with('0'), "starts with zero")?;
    if rest == "#" {
        return Ok(());
    }
    json_pointer(rest)
}

fn uuid(text: &str) -> Result<(), String> {
    const LENGTHS: [usize; 5] = [8, 4, 4, 4, 12];
    let groups: Vec<&str> = text.split('-').collect();
    refuse(groups.len() != LENGTHS.len(), "must have 5 elements")?;
    for (i, (group, length)) in groups.iter().zip(LENGTHS).enumerate() {
        refuse(
            group.len() != length,
            format!("element {} must be {length} characters long", i + 1),
        )?;
        if let Some(c) = group.chars().find(|c| !c.is_ascii_hexdigit()) {
            return Err(format!("non-hex character {}", quoted(c)));
        }
    }
    Ok(())
}

fn semver(text: &str) -> Result<(), String> {
    let is_identifier = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let (text, build) = match text.split_once('+') {
        Some((text, build)) => (text, Some(build)),
        None => (text, None),
    };
    for part in build.into_iter().flat_map(|build| build.split('.')) {
        refuse(part.is_empty(), "build identifier is empty")?;
        only(part, is_identifier).map_err(|e| format!("{e} in build identifier"))?;
    }
    let (core, pre) = match text.split_once('-') {
        Some((core, pre)) => (core, Some(pre)),
        None => (text, None),
    };
    let is_number = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    for part in pre.into_iter().flat_map(|pre| pre.split('.')) {
        refuse(part.is_empty(), "pre-release identifier is empty")?;
        only(part, is_identifier).map_err(|e| format!("{e} in pre-release identifier"))?;
        refuse(
            part.len() > 1 && part.starts_with('0') && is_number(part),
            "pre-release numeric identifier starts with zero",
        )?;
    }
    let numbers: Vec<&str> = core.split('.').collect();
    refuse(
        numbers.len() != 3,
        "versionCore must have 3 numbers separated by dot",
    )?;
    for (number, name) in numbers.iter().zip(["major", "minor", "patch"]) {
        refuse(number.is_empty(), format!("{name} is empty"))?;
        refuse(
            number.len() > 1 && number.starts_with('0'),
            format!("{name} starts with zero"),
        )?;
        refuse(!is_number(number), format!("{name} contains non-digit"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_format() {
        for (format, good, bad) in [
            ("date", "2024-02-29", "2023-02-29"),
            (
                "date-time",
                "2024-02-29T12:00:00.5+01:00",
                "2024-02-29 12:00:00Z",
            ),
            ("time", "23:59:60Z", "12:59:60Z"),
            ("duration", "P1Y2DT3H", "P1D2Y"),
            ("duration", "P3W", "PT"),
            ("email", "a.b+c@example.com", "a..b@example.com"),
            ("email", "\"a b\"@[127.0.0.1]", "a@b@-c"),
            ("hostname", "a-b.example.", "a_b.example"),
            ("ipv4", "10.0.0.1", "10.0.0.256"),
            ("ipv6", "::1", "::1%eth0"),
            ("uri", "https://a.b/c?d#e", "a/b"),
            ("uri-reference", "a/b", "a\\b"),
            ("uri", "urn:x:y", "http://a/%zz"),
            ("json-pointer", "/a~1b", "/a~2"),
            ("relative-json-pointer", "1/a", "01"),
            ("semver", "1.2.3-rc.1+b.2", "1.02.3"),
            ("uuid", "00000000-0000-0000-0000-00000000000f", "0-0-0-0-0"),
            ("regex", "^a+$", "("),
        ] {
            assert_eq!(check(format, good), Ok(()), "{format} {good}");
            assert!(check(format, bad).is_err(), "{format} {bad}");
        }
        assert_eq!(check("unheard-of", "x"), Ok(()));
    }
}
