//! Parsers of what Go's libraries parse: nothing panics, and what is printed
//! is read as the same. Used by the fuzz target and by the tests that replay
//! its inputs.

use fluxwright::gostd::fmt::{Value, sprintf};
use fluxwright::gostd::glob::Glob;
use fluxwright::gostd::regexp::{Regexp, quote_meta};
use fluxwright::gostd::semver::{Constraints, Version};
use fluxwright::gostd::time::{Time, Zone};
use fluxwright::gostd::{duration, path, strconv};

/// The first byte chooses a parser; the first line after it is a pattern, a
/// layout or a format, the rest what is held against it.
pub(crate) fn parse(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else {
        return;
    };
    let input = String::from_utf8_lossy(data);
    let (pattern, text) = input.split_once('\n').unwrap_or((&input, ""));
    match choice % 8 {
        0 => {
            if let Ok(regexp) = Regexp::new(pattern) {
                let all = regexp.find_all_submatches(text);
                assert_eq!(regexp.is_match(text), !all.is_empty());
                let _ = regexp.replace_all(text, pattern);
                let _ = regexp.split(text, -1);
            }
            let quoted = Regexp::anchored(&quote_meta(text)).expect("quoted text is a pattern");
            assert!(quoted.is_match(text));
        }
        1 => {
            let version = Version::parse(pattern);
            if let (Ok(version), Ok(range)) = (&version, Constraints::parse(text)) {
                let _ = range.check(version);
            }
            if let Ok(version) = version {
                let printed = Version::parse(&version.to_string()).expect("printed versions parse");
                assert_eq!(printed, version);
            }
        }
        2 => {
            if let Ok(glob) = Glob::new(pattern, &['/']) {
                let _ = glob.is_match(text);
            }
            let _ = path::is_match(pattern, text);
            let clean = path::clean(pattern);
            assert_eq!(path::clean(&clean), clean);
        }
        3 => {
            let quoted = strconv::quote(&input);
            let unquoted = strconv::unquote(&quoted).expect("quoted text can be unquoted");
            assert_eq!(&*unquoted, input.as_bytes());
            let _ = strconv::unquote(&input);
        }
        4 => {
            let _ = strconv::parse_int(pattern, 0, 64);
            if let Ok(f) = strconv::parse_float(pattern, 64)
                && f.is_finite()
            {
                let printed = strconv::format_float(f);
                let read = strconv::parse_float(&printed, 64).expect("printed floats parse");
                assert_eq!(read.to_bits(), f.to_bits());
            }
        }
        5 => {
            let number = i64::try_from(text.len()).unwrap_or(0);
            let args: [&dyn Value; 4] = [&text, &number, &1.5, &true];
            // A width or precision may be a million.
            if !pattern.contains(|c: char| c.is_ascii_digit()) {
                let _ = sprintf(pattern, &args);
            }
        }
        6 => {
            if let Ok(time) = Time::parse(pattern, text, &Zone::Utc) {
                let _ = time.format(pattern);
            }
        }
        _ => {
            if let Ok(nanoseconds) = duration::parse(pattern) {
                let printed = duration::format(nanoseconds);
                assert_eq!(duration::parse(&printed), Ok(nanoseconds));
            }
        }
    }
}
