//! Answers of Go's `strconv`, see `testdata/gostd/SOURCE`.

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Answers {
    floats: Vec<(String, char, i64, u32, String)>,
    numbers: Vec<(String, u32, u32, [String; 5])>,
    quoted: Vec<(String, String, String, String, String, bool)>,
    unquoted: Vec<(String, Option<String>)>,
}

fn answers() -> Answers {
    serde_json::from_str(include_str!("../../../testdata/gostd/strconv.json")).unwrap()
}

fn float(bits: &str) -> f64 {
    f64::from_bits(u64::from_str_radix(bits, 16).unwrap())
}

#[test]
fn floats_to_text() {
    let floats = answers().floats;
    assert!(floats.len() >= 200);
    for (f, letter, precision, bits, text) in floats {
        let upper = letter.is_uppercase();
        let verb = match letter.to_ascii_lowercase() {
            'e' => FloatVerb::Scientific { upper },
            'f' => FloatVerb::Fixed,
            'g' => FloatVerb::General { upper },
            'x' => FloatVerb::Hexadecimal { upper },
            _ => FloatVerb::Binary,
        };
        let precision = usize::try_from(precision).ok();
        let got = format_float_as(float(&f), verb, precision, bits);
        assert_eq!(got, text, "{f} as {letter} {precision:?} {bits}");
    }
}

#[test]
fn text_to_numbers() {
    fn said<T: ToString>(result: Result<T, NumError>) -> String {
        result.map_or_else(|e| e.to_string(), |value| value.to_string())
    }
    let numbers = answers().numbers;
    assert!(numbers.len() >= 200);
    for (text, base, bits, [int, uint, float, bool, number]) in numbers {
        let what = format!("{text:?} in base {base} with {bits} bits");
        assert_eq!(said(parse_int(&text, base, bits)), int, "{what}");
        assert_eq!(said(parse_uint(&text, base, bits)), uint, "{what}");
        let parsed = parse_float(&text, if bits == 32 { 32 } else { 64 });
        let parsed = parsed.map(|f| {
            if f.is_nan() {
                "NaN".to_owned()
            } else {
                format!("{:016x}", f.to_bits())
            }
        });
        assert_eq!(said(parsed), float, "{what}");
        assert_eq!(said(parse_bool(&text)), bool, "{what}");
        assert_eq!(said(atoi(&text)), number, "{what}");
    }
}

#[test]
fn text_to_quoted_text() {
    let quoted = answers().quoted;
    assert!(quoted.len() >= 200);
    for (text, quoted, ascii, char_quoted, char_ascii, backquoted) in quoted {
        let bytes = hex::decode(&text).unwrap();
        assert_eq!(quote_bytes(&bytes), quoted);
        assert_eq!(quote_bytes_to_ascii(&bytes), ascii);
        let lossy = String::from_utf8_lossy(&bytes);
        let first = lossy.chars().next().unwrap_or('a');
        assert_eq!(quote_char(first), char_quoted);
        assert_eq!(quote_char_to_ascii(first), char_ascii);
        if let Ok(text) = std::str::from_utf8(&bytes) {
            assert_eq!(can_backquote(text), backquoted, "{text:?}");
        }
    }
}

#[test]
fn quoted_text_to_text() {
    let unquoted = answers().unquoted;
    assert!(unquoted.len() >= 200);
    for (text, bytes) in unquoted {
        let got = unquote(&text).map(hex::encode);
        assert_eq!(got, bytes, "{text:?}");
    }
}

proptest::proptest! {
    #[test]
    fn what_is_quoted_can_be_unquoted(text in r#"(\PC|[\x00-\x1f`"\\]){0,20}"#) {
        let quoted = quote(&text);
        proptest::prop_assert_eq!(unquote(&quoted).unwrap(), text.as_bytes());
        let ascii = quote_to_ascii(&text);
        proptest::prop_assert!(ascii.is_ascii());
        proptest::prop_assert_eq!(unquote(&ascii).unwrap(), text.as_bytes());
    }

    #[test]
    fn shortest_floats_are_read_as_the_same(bits: u64) {
        let f = f64::from_bits(bits);
        proptest::prop_assume!(f.is_finite());
        let read = parse_float(&format_float(f), 64).unwrap();
        proptest::prop_assert_eq!(read.to_bits(), bits);
    }

    #[test]
    fn no_text_panics(text in r"(\PC|[-+._0-9a-fxp]){0,12}", base in 0_u32..40) {
        let _ = (parse_int(&text, base, 64), parse_float(&text, 64), unquote(&text));
    }
}
