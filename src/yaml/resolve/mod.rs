//! What plain text means: the kinds that go-yaml gives to unquoted scalars.
//!
//! Compat: `resolve.go` of go.yaml.in/yaml v2.4.2 and v3.0.3. The two differ in
//! the booleans of YAML 1.1 (`yes`, `on`, `n` …), which only v2 knows; v3 also
//! reads `0o` octals, which v2 gets from Go's own integer syntax.

mod number;
mod timestamp;

use super::Tag;
use number::{Number, parse_number};

/// A scalar with its kind worked out.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// Nothing.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer that fits 64 bits with a sign.
    Int(i64),
    /// A larger one that fits 64 bits without.
    Uint(u64),
    /// Any other number.
    Float(f64),
    /// A timestamp, in RFC 3339 form as Go prints it.
    Timestamp(String),
    /// Text.
    String,
}

impl Scalar {
    /// The tag of its kind.
    pub fn tag(&self) -> Tag {
        match self {
            Scalar::Null => Tag::Null,
            Scalar::Bool(_) => Tag::Bool,
            Scalar::Int(_) | Scalar::Uint(_) => Tag::Int,
            Scalar::Float(_) => Tag::Float,
            Scalar::Timestamp(_) => Tag::Timestamp,
            Scalar::String => Tag::Str,
        }
    }
}

/// Which go-yaml reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// go-yaml v2, with YAML 1.1 booleans: sigs.k8s.io/yaml.
    V2,
    /// go-yaml v3: kyaml.
    V3,
}

/// Resolves plain text without a tag.
pub fn resolve(text: &str, version: Version) -> Scalar {
    let Some(&first) = text.as_bytes().first() else {
        return Scalar::Null;
    };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => {
            word(text, version)
        }
        b'.' => special_float(text).map_or_else(
            || match parse_number(text, number::Form::DotFirst) {
                Some(Number::Float(f)) => Scalar::Float(f),
                _ => Scalar::String,
            },
            Scalar::Float,
        ),
        b'+' | b'-' | b'0'..=b'9' => {
            if let Some(f) = special_float(text) {
                return Scalar::Float(f);
            }
            if let Some(timestamp) = timestamp::parse(text) {
                return Scalar::Timestamp(timestamp.rfc3339());
            }
            match parse_number(text, number::Form::Any(version)) {
                Some(Number::Int(i)) => Scalar::Int(i),
                Some(Number::Uint(u)) => Scalar::Uint(u),
                Some(Number::Float(f)) => Scalar::Float(f),
                None => Scalar::String,
            }
        }
        _ => Scalar::String,
    }
}

fn word(text: &str, version: Version) -> Scalar {
    match text {
        "true" | "True" | "TRUE" => Scalar::Bool(true),
        "false" | "False" | "FALSE" => Scalar::Bool(false),
        "null" | "Null" | "NULL" | "~" => Scalar::Null,
        _ if version == Version::V2 => old_bool(text).map_or(Scalar::String, Scalar::Bool),
        _ => Scalar::String,
    }
}

/// The booleans of YAML 1.1 that YAML 1.2 dropped.
pub fn old_bool(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

fn special_float(text: &str) -> Option<f64> {
    match text {
        ".nan" | ".NaN" | ".NAN" => Some(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Some(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// The kind that go-yaml v3 gives to plain text as it reads it.
pub(super) fn v3_tag(text: &str) -> Tag {
    if text == "<<" {
        return Tag::Merge;
    }
    resolve(text, Version::V3).tag()
}

/// Resolves text under a tag that was given or found.
///
/// None where the text cannot be read as that kind, which go-yaml refuses with
/// "cannot decode".
pub fn resolve_tagged(text: &str, tag: Tag, version: Version) -> Option<Scalar> {
    if !matches!(
        tag,
        Tag::Null | Tag::Bool | Tag::Int | Tag::Float | Tag::Timestamp
    ) {
        return Some(Scalar::String);
    }
    let mut scalar = resolve(text, version);
    // Only text without a tag, or with that one, is tried as a timestamp. A
    // timestamp can be nothing else: its first digits end in a hyphen.
    if tag != Tag::Timestamp && matches!(scalar, Scalar::Timestamp(_)) {
        scalar = Scalar::String;
    }
    if let (Tag::Float, Scalar::Int(i)) = (tag, &scalar) {
        #[expect(clippy::cast_precision_loss, reason = "as Go converts")]
        return Some(Scalar::Float(*i as f64));
    }
    (scalar.tag() == tag).then_some(scalar)
}

/// Whether text would be read back as a string if it were printed plain.
///
/// Compat: `encode.go` `stringv`: base-60 numbers are kept in quotes for other
/// readers' sake, and so are YAML 1.1 booleans by v3.
pub fn is_plain_string(text: &str, version: Version) -> bool {
    let Some(first) = text.as_bytes().first() else {
        return false;
    };
    // Most text begins with a letter that begins nothing else.
    if !matches!(
        first,
        b'y' | b'Y'
            | b'n'
            | b'N'
            | b't'
            | b'T'
            | b'f'
            | b'F'
            | b'o'
            | b'O'
            | b'~'
            | b'.'
            | b'+'
            | b'-'
            | b'0'..=b'9'
    ) {
        return true;
    }
    resolve(text, version) == Scalar::String
        && !number::is_base_60(text)
        && (version == Version::V2 || old_bool(text).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn both(text: &str, want: &Scalar) {
        assert_eq!(&resolve(text, Version::V2), want, "{text} in v2");
        assert_eq!(&resolve(text, Version::V3), want, "{text} in v3");
    }

    #[test]
    fn words() {
        for text in ["", "~", "null", "Null", "NULL"] {
            both(text, &Scalar::Null);
        }
        both("True", &Scalar::Bool(true));
        both("tRUE", &Scalar::String);
        both("nil", &Scalar::String);
        both("<<", &Scalar::String);
        assert_eq!(v3_tag("<<"), Tag::Merge);
        for text in ["y", "Yes", "ON"] {
            assert_eq!(resolve(text, Version::V2), Scalar::Bool(true));
            assert_eq!(resolve(text, Version::V3), Scalar::String);
        }
        for text in ["n", "No", "OFF"] {
            assert_eq!(resolve(text, Version::V2), Scalar::Bool(false));
            assert_eq!(resolve(text, Version::V3), Scalar::String);
        }
    }

    #[test]
    fn numbers() {
        both("0", &Scalar::Int(0));
        both("-17", &Scalar::Int(-17));
        both("+12", &Scalar::Int(12));
        both("1_000", &Scalar::Int(1000));
        both("0777", &Scalar::Int(511));
        both("0o14", &Scalar::Int(12));
        both("-0o14", &Scalar::Int(-12));
        both("0x1F", &Scalar::Int(31));
        both("0b101", &Scalar::Int(5));
        both("-0b101", &Scalar::Int(-5));
        both("9223372036854775807", &Scalar::Int(i64::MAX));
        both("9223372036854775808", &Scalar::Uint(1 << 63));
        both("-9223372036854775808", &Scalar::Int(i64::MIN));
        both(
            "18446744073709551616",
            &Scalar::Float(18_446_744_073_709_551_616.0),
        );
        both("089", &Scalar::Float(89.0));
        both("1.", &Scalar::Float(1.0));
        both(".5", &Scalar::Float(0.5));
        both("-.5e-3", &Scalar::Float(-0.0005));
        both("1e3", &Scalar::Float(1000.0));
        both("6.8523015e+5", &Scalar::Float(685_230.15));
        both("1e999", &Scalar::String);
        both("1:30", &Scalar::String);
        both("1.2.3", &Scalar::String);
        both("0x", &Scalar::String);
        both("0b2", &Scalar::String);
        both("-", &Scalar::String);
        both("+.inf", &Scalar::Float(f64::INFINITY));
        both("-.INF", &Scalar::Float(f64::NEG_INFINITY));
        assert!(matches!(resolve(".nan", Version::V3), Scalar::Float(f) if f.is_nan()));
        both(".", &Scalar::String);
        both("..", &Scalar::String);
        both(".inff", &Scalar::String);
    }

    #[test]
    fn tags() {
        let tagged = |text, tag| resolve_tagged(text, tag, Version::V3);
        assert_eq!(tagged("1", Tag::Float), Some(Scalar::Float(1.0)));
        assert_eq!(tagged("1", Tag::Str), Some(Scalar::String));
        assert_eq!(tagged("x", Tag::Int), None);
        assert_eq!(tagged("1.5", Tag::Int), None);
        assert_eq!(tagged("2001-01-01", Tag::Int), None);
    }

    #[test]
    fn what_needs_quotes() {
        for text in ["", "true", "12", "1:30", "190:20:30.15", "2001-01-01", "~"] {
            assert!(!is_plain_string(text, Version::V2), "{text}");
            assert!(!is_plain_string(text, Version::V3), "{text}");
        }
        for text in ["yes", "y", "off"] {
            assert!(!is_plain_string(text, Version::V2), "{text}");
            assert!(!is_plain_string(text, Version::V3), "{text}");
        }
        for text in ["a", "<<", "1.2.3", "1:99", "-x", "yess", "nginx"] {
            assert!(is_plain_string(text, Version::V2), "{text}");
            assert!(is_plain_string(text, Version::V3), "{text}");
        }
    }
}
