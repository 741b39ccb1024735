//! Classes and cases of characters as Go's `unicode` has them.
//!
//! Go and Rust agree on ASCII and name things differently beyond: Go asks for
//! general categories, Rust for derived properties. The categories come from
//! the tables of `regex-syntax`, which the program holds anyway.

use std::sync::OnceLock;

/// Sorted ranges, both ends in them.
type Ranges = Vec<(char, char)>;

/// `unicode.IsLetter`.
pub fn is_letter(c: char) -> bool {
    static LETTERS: OnceLock<Ranges> = OnceLock::new();
    if c.is_ascii() {
        return c.is_ascii_alphabetic();
    }
    holds(LETTERS.get_or_init(|| category(r"\p{L}")), c)
}

/// `unicode.IsDigit`.
pub fn is_digit(c: char) -> bool {
    static DIGITS: OnceLock<Ranges> = OnceLock::new();
    if c.is_ascii() {
        return c.is_ascii_digit();
    }
    holds(DIGITS.get_or_init(|| category(r"\p{Nd}")), c)
}

/// `unicode.IsPrint`, `strconv.IsPrint`: letters, marks, numbers, punctuation,
/// symbols, and of the blanks the ASCII one.
pub fn is_print(c: char) -> bool {
    static PRINTABLE: OnceLock<Ranges> = OnceLock::new();
    match c {
        ' '..='~' | '\u{a1}'..='\u{ac}' | '\u{ae}'..='\u{2ff}' | '가'..='힣' | '一'..='鿿' => {
            true
        }
        '\0'..='\u{ff}' => false,
        _ => holds(
            PRINTABLE.get_or_init(|| category(r"[\p{L}\p{M}\p{N}\p{P}\p{S}]")),
            c,
        ),
    }
}

fn holds(ranges: &Ranges, c: char) -> bool {
    let after = ranges.partition_point(|&(low, _)| low <= c);
    after
        .checked_sub(1)
        .and_then(|i| ranges.get(i))
        .is_some_and(|&(_, high)| c <= high)
}

/// The characters of a class, given in the syntax of `regex`.
fn category(class: &str) -> Ranges {
    use regex_syntax::hir::{Class, HirKind};
    let hir = regex_syntax::parse(class).expect("a constant that parses");
    match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => {
            class.iter().map(|r| (r.start(), r.end())).collect()
        }
        _ => Ranges::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_and_not_properties() {
        // Alphabetic or numeric for Rust, but no letters and digits for Go.
        for c in ['Ⅷ', 'ⓐ', '\u{345}', '²', '½', '_'] {
            assert!(!is_letter(c) && !is_digit(c), "{c}");
        }
        assert!(is_letter('é') && is_letter('日') && is_letter('ª'));
        assert!(is_digit('٣') && is_digit('7') && !is_digit('a'));
    }
}
