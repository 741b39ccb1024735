//! The formats that schemas may ask text and numbers to have.
//!
//! Compat: the API server looks at the formats of `strfmt` in kube-openapi and
//! passes over every other. Where that package goes by the code of a library
//! rather than by a standard, so does this.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use base64::Engine as _;

use super::regexp::Regexp;
use super::{duration, names, url};

/// Whether text has a format; true for formats that nobody looks at.
pub fn fits(format: &str, text: &str) -> bool {
    // Hyphens in a format's name do not count.
    match &*format.replace('-', "") {
        "quantity" => is_quantity(text),
        "duration" => duration(text).is_some(),
        "datetime" => is_date_time(text),
        "date" => is_date(text),
        "ipv4" => is_ip(text) && text.contains('.'),
        "ipv6" => is_ip(text) && text.contains(':'),
        "cidr" => is_cidr(text),
        "mac" => is_mac(text),
        "uuid" => is_uuid(text, None),
        "uuid3" => is_uuid(text, Some('3')),
        "uuid4" => is_uuid(text, Some('4')),
        "uuid5" => is_uuid(text, Some('5')),
        "uri" => url::is_request_uri(text),
        "email" => is_email(text),
        "hostname" => is_hostname(text),
        "byte" => is_base64(text),
        "hexcolor" => is_hex_color(text),
        "rgbcolor" => RGB_COLOR.is_match(text),
        "bsonobjectid" => text.len() == 24 && text.bytes().all(|b| b.is_ascii_hexdigit()),
        "ssn" => SSN.is_match(text),
        "isbn" => is_isbn10(text) || is_isbn13(text),
        "isbn10" => is_isbn10(text),
        "isbn13" => is_isbn13(text),
        "creditcard" => is_credit_card(text),
        "k8sshortname" => names::dns_label(text).is_none(),
        "k8slongname" => names::dns_subdomain(text).is_none(),
        _ => true,
    }
}

/// What text of a format looks like, for messages.
pub fn example(format: &str) -> Option<&'static str> {
    Some(match &*format.replace('-', "") {
        "quantity" => "a quantity is a number with a unit, such as `500m`, `1.5` or `2Gi`",
        "duration" => "a duration is a number with a unit, such as `30s`, `5m` or `1h30m`",
        "datetime" => "a time looks like `2026-01-31T12:00:00Z`",
        "date" => "a date looks like `2026-01-31`",
        "cidr" => "an address range looks like `10.0.0.0/8`",
        "byte" => "write it in base64",
        _ => return None,
    })
}

/// Whether a number is within what its format holds.
pub fn in_range(format: Option<&str>, value: f64) -> bool {
    match format {
        Some("int32") => (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&value),
        // The first number that is one too many has an exact float.
        Some("int64") => {
            (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value)
        }
        Some("float") => value.abs() <= f64::from(f32::MAX),
        _ => true,
    }
}

static HOSTNAME: LazyLock<Regexp> = LazyLock::new(|| {
    // Words of letters, digits and symbols, or of several such words joined by
    // dots, the last of which is of letters. The anchors bind to one side of
    // the alternative each, as in the original.
    let word = r"a-zA-Z0-9\p{S}\p{L}";
    constant(&format!(
        r"^([{word}]((-?[{word}]{{0,62}})?)|([{word}](([{word}-]{{0,61}}[{word}])?)(\.)){{1,}}([a-zA-Z\p{{L}}]){{2,63}})$"
    ))
});

static RGB_COLOR: LazyLock<Regexp> = LazyLock::new(|| {
    let byte = r"\s*(0|[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5])\s*";
    constant(&format!(r"^rgb\({byte},{byte},{byte}\)$"))
});

static SSN: LazyLock<Regexp> = LazyLock::new(|| constant(r"^[0-9]{3}[- ][0-9]{2}[- ][0-9]{4}$"));

fn constant(pattern: &str) -> Regexp {
    Regexp::new(pattern).expect("a constant, and tested")
}

/// Compat: `resource.ParseQuantity`: an optional sign, a decimal number, and
/// either a binary or decimal unit or a decimal exponent. Digits may be
/// missing; only text that is empty is nothing.
pub fn is_quantity(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let number_end = unsigned
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(unsigned.len());
    let (number, unit) = unsigned.split_at(number_end);
    if number.matches('.').count() > 1 || text.is_empty() {
        return false;
    }
    match unit {
        "" | "n" | "u" | "m" | "k" | "M" | "G" | "T" | "P" | "E" | "Ki" | "Mi" | "Gi" | "Ti"
        | "Pi" | "Ei" => true,
        _ => unit.strip_prefix(['e', 'E']).is_some_and(|exponent| {
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
        }),
    }
}

/// The nanoseconds of a duration: as Go reads it, or numbers with the words for
/// units that Scala has.
///
/// Compat: kube-openapi `strfmt.ParseDuration`. Every number that a word
/// follows counts, whatever stands between; sums wrap around.
pub fn duration(text: &str) -> Option<i64> {
    if let Ok(nanoseconds) = duration::parse(text) {
        return Some(nanoseconds);
    }
    const UNITS: [(&[&str], &str, i64); 8] = [
        (&["ns"], "nano", 1),
        (&["us", "µs"], "micro", 1_000),
        (&["ms"], "milli", 1_000_000),
        (&["s"], "sec", 1_000_000_000),
        (&["m"], "min", 60_000_000_000),
        (&["h", "hr"], "hour", 3_600_000_000_000),
        (&["d"], "day", 86_400_000_000_000),
        (&["w", "wk"], "week", 604_800_000_000_000),
    ];
    let mut found = None;
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let digits = &rest[start..];
        let end = digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len());
        let after = digits[end..].trim_start_matches([' ', '\t', '\n', '\r', '\u{c}']);
        let word_end = after
            .find(|c: char| !c.is_ascii_alphabetic() && c != 'µ')
            .unwrap_or(after.len());
        let word = after[..word_end].to_lowercase();
        if !word.is_empty() {
            let count: i64 = digits[..end].parse().ok()?;
            for (short, long, unit) in UNITS {
                if short.contains(&&*word) || word.starts_with(long) {
                    let sum = found.unwrap_or(0_i64);
                    found = Some(sum.wrapping_add(count.wrapping_mul(unit)));
                }
            }
        }
        rest = &after[word_end..];
    }
    found
}

fn is_date_time(text: &str) -> bool {
    let lower = text.to_lowercase();
    let mut parts = lower.split('t');
    let (Some(date), Some(time)) = (parts.next(), parts.next()) else {
        return false;
    };
    is_date(date) && is_time(time)
}

/// `15:04:05`, a fraction, and a zone.
fn is_time(text: &str) -> bool {
    let Some((clock, rest)) = text.split_at_checked(8) else {
        return false;
    };
    let clock_fits = clock.bytes().enumerate().all(|(i, b)| match i {
        2 | 5 => b == b':',
        _ => b.is_ascii_digit(),
    }) && &clock[..2] <= "23"
        && &clock[3..5] <= "59"
        && &clock[6..] <= "59";
    // Compat: any character may begin the fraction, and an empty one is none.
    let zone = if rest.starts_with(['z', '+', '-']) {
        rest
    } else {
        let mut after = rest.chars();
        after.next();
        let after = after.as_str();
        let digits = after.trim_start_matches(|c: char| c.is_ascii_digit());
        if digits.len() == after.len() {
            return false;
        }
        digits
    };
    let offset = |text: &str| {
        text.len() == 6
            && text.bytes().enumerate().all(|(i, b)| match i {
                0 => matches!(b, b'+' | b'-'),
                3 => b == b':',
                _ => b.is_ascii_digit(),
            })
    };
    clock_fits && (zone == "z" || offset(zone))
}

fn is_date(text: &str) -> bool {
    let fits = text.len() == 10
        && text.bytes().enumerate().all(|(i, b)| match i {
            4 | 7 => b == b'-',
            _ => b.is_ascii_digit(),
        });
    if !fits {
        return false;
    }
    let number = |range: std::ops::Range<usize>| text[range].parse::<u32>().unwrap_or(0);
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

/// Compat: zeros may begin the parts of an IPv4 address.
fn is_ip(text: &str) -> bool {
    if text.contains(':') {
        return text.parse::<Ipv6Addr>().is_ok();
    }
    let parts: Vec<&str> = text
        .split('.')
        .map(|part| match part.trim_start_matches('0') {
            "" if !part.is_empty() => "0",
            trimmed => trimmed,
        })
        .collect();
    parts.join(".").parse::<Ipv4Addr>().is_ok()
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else {
        return false;
    };
    let max = if address.contains(':') { 128 } else { 32 };
    let plain = !bits.is_empty() && bits.bytes().all(|b| b.is_ascii_digit());
    is_ip(address) && plain && bits.parse::<u32>().is_ok_and(|bits| bits <= max)
}

/// Six, eight or twenty bytes, as pairs joined by `:` or `-`, as fours joined
/// by dots, or joined by nothing.
fn is_mac(text: &str) -> bool {
    let all_digits = text.bytes().all(|b| b.is_ascii_hexdigit());
    if all_digits && matches!(text.len(), 12 | 16 | 40) {
        return true;
    }
    let hexadecimal =
        |part: &str, len| part.len() == len && part.bytes().all(|b| b.is_ascii_hexdigit());
    [(':', 2), ('-', 2), ('.', 4)].iter().any(|(joint, len)| {
        let parts: Vec<&str> = text.split(*joint).collect();
        matches!(parts.len() * len / 2, 6 | 8 | 20) && parts.iter().all(|p| hexadecimal(p, *len))
    })
}

fn is_uuid(text: &str, version: Option<char>) -> bool {
    // Each hyphen may be missing.
    let mut digits = String::new();
    let mut rest = text;
    for (i, len) in [8, 4, 4, 4, 12].into_iter().enumerate() {
        if i > 0 {
            rest = rest.strip_prefix('-').unwrap_or(rest);
        }
        let Some((part, after)) = rest.split_at_checked(len) else {
            return false;
        };
        digits.push_str(part);
        rest = after;
    }
    let digit = |at: usize| digits.as_bytes().get(at).map(u8::to_ascii_lowercase);
    rest.is_empty()
        && digits.bytes().all(|b| b.is_ascii_hexdigit())
        && version.is_none_or(|version| {
            digit(12) == u8::try_from(version).ok()
                && (version == '3' || matches!(digit(16), Some(b'8' | b'9' | b'a' | b'b')))
        })
}

/// An address, or one in angle brackets behind a name.
fn is_email(text: &str) -> bool {
    let text = text.trim();
    let address = match text.strip_suffix('>') {
        Some(named) => match named.rsplit_once('<') {
            Some((_, address)) => address,
            None => return false,
        },
        None => text,
    };
    let Some((local, domain)) = address.rsplit_once('@') else {
        return false;
    };
    let atom = |text: &str| {
        !text.is_empty()
            && text.split('.').all(|part| {
                !part.is_empty()
                    && part.chars().all(|c| {
                        c.is_ascii_alphanumeric()
                            || !c.is_ascii()
                            || "!#$%&'*+-/=?^_`{|}~".contains(c)
                    })
            })
    };
    let quoted = local.len() >= 2 && local.starts_with('"') && local.ends_with('"');
    (quoted || atom(local)) && atom(domain)
}

fn is_hostname(text: &str) -> bool {
    HOSTNAME.is_match(text) && text.len() <= 255 && text.split('.').all(|label| label.len() <= 63)
}

fn is_base64(text: &str) -> bool {
    !text.is_empty()
        && base64::engine::general_purpose::STANDARD
            .decode(text)
            .is_ok()
}

fn is_hex_color(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or(text);
    matches!(digits.len(), 3 | 6) && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The digits of a number that hyphens and blanks may stand in.
fn digits(text: &str) -> Vec<u32> {
    text.chars()
        .filter(|c| !matches!(c, '-' | ' '))
        .map(|c| c.to_digit(10).unwrap_or(99))
        .collect()
}

fn is_isbn10(text: &str) -> bool {
    let mut digits = digits(text);
    if let Some(last) = digits.last_mut()
        && *last == 99
        && text.ends_with('X')
    {
        *last = 10;
    }
    let within = digits
        .iter()
        .enumerate()
        .all(|(i, d)| *d < 10 || (i == 9 && *d == 10));
    let sum: u32 = (1..).zip(&digits).map(|(i, d)| i * d).sum();
    digits.len() == 10 && within && sum.is_multiple_of(11)
}

fn is_isbn13(text: &str) -> bool {
    let digits = digits(text);
    let sum: u32 = digits
        .iter()
        .zip([1, 3].iter().cycle())
        .map(|(d, f)| d * f)
        .sum();
    digits.len() == 13 && digits.iter().all(|d| *d < 10) && sum.is_multiple_of(10)
}

/// The numbers that card issuers use, with the right check digit.
fn is_credit_card(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
    let number: String = digits.iter().map(ToString::to_string).collect();
    let begins = |prefixes: &[&str]| prefixes.iter().any(|p| number.starts_with(p));
    let issued = match number.len() {
        13 => begins(&["4"]),
        14 => begins(&["300", "301", "302", "303", "304", "305", "36", "38"]),
        15 => begins(&["34", "37", "2131", "1800"]),
        16 => begins(&["4", "51", "52", "53", "54", "55", "6011", "65", "35"]),
        _ => false,
    };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, d)| match (i % 2, d * 2) {
            (0, _) => *d,
            (_, double) if double > 9 => double - 9,
            (_, double) => double,
        })
        .sum();
    issued && sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gostd::strconv;

    #[test]
    fn as_kubernetes_answers() {
        let table = include_str!("../../testdata/gostd/strfmt.txt");
        let mut wrong = Vec::new();
        for line in table.lines() {
            let mut columns = line.split('\t');
            let [name, text, expected] = [(); 3].map(|()| columns.next().unwrap());
            let text = strconv::unquote(text).unwrap();
            let text = std::str::from_utf8(&text).unwrap();
            let fits = match name {
                "name dns label" => names::dns_label(text).is_none(),
                "name dns1035 label" => names::dns1035_label(text).is_none(),
                "name dns subdomain" => names::dns_subdomain(text).is_none(),
                "name dns subdomain prefix" => {
                    names::dns_subdomain(&names::without_final_hyphen(text)).is_none()
                }
                "name qualified" => names::qualified_name(text).is_none(),
                "name label value" => names::label_value(text).is_none(),
                format => super::fits(format, text),
            };
            if fits.to_string() != expected {
                wrong.push(line);
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn numbers_within_their_formats() {
        assert!(in_range(Some("int32"), 2_147_483_647.0));
        assert!(!in_range(Some("int32"), 2_147_483_648.0));
        assert!(in_range(Some("int64"), 2_147_483_648.0));
        assert!(in_range(None, 1e300));
        assert!(!in_range(Some("float"), 1e300));
        assert!(fits("nothing that is known", "anything"));
    }
}
