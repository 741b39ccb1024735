//! Classes and cases of characters as Go's `unicode` has them.
//!
//! Go and Rust agree on ASCII and differ beyond: Go asks for general
//! categories where Rust has derived properties, and changes one character at a
//! time where Rust may give several. The categories come from the tables of
//! `regex-syntax`, which the program holds anyway, and are looked up the first
//! time that a character beyond ASCII asks for one.

use std::sync::OnceLock;

/// Sorted ranges, both ends in them.
type Ranges = Vec<(char, char)>;

/// Defines a function that asks for a category.
macro_rules! category {
    ($(#[$doc:meta])* $name:ident, $class:literal, $ascii:expr) => {
        $(#[$doc])*
        pub fn $name(c: char) -> bool {
            static RANGES: OnceLock<Ranges> = OnceLock::new();
            if c.is_ascii() {
                let is_in: fn(u8) -> bool = $ascii;
                return u8::try_from(c).is_ok_and(is_in);
            }
            holds(RANGES.get_or_init(|| ranges_of($class)), c)
        }
    };
}

category! {
    /// `unicode.IsLetter`.
    is_letter, r"\p{L}", |b| b.is_ascii_alphabetic()
}
category! {
    /// `unicode.IsDigit`.
    is_digit, r"\p{Nd}", |b| b.is_ascii_digit()
}
category! {
    /// `unicode.IsNumber`.
    is_number, r"\p{N}", |b| b.is_ascii_digit()
}
category! {
    /// `unicode.IsUpper`.
    is_upper, r"\p{Lu}", |b| b.is_ascii_uppercase()
}
category! {
    /// `unicode.IsLower`.
    is_lower, r"\p{Ll}", |b| b.is_ascii_lowercase()
}
category! {
    /// `unicode.IsTitle`.
    is_title, r"\p{Lt}", |_| false
}
category! {
    /// `unicode.IsPunct`.
    is_punct, r"\p{P}", |b| b.is_ascii_punctuation() && !b"$+<=>^`|~".contains(&b)
}

/// `unicode.IsSpace`.
pub fn is_space(c: char) -> bool {
    c.is_whitespace()
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
            PRINTABLE.get_or_init(|| ranges_of(r"[\p{L}\p{M}\p{N}\p{P}\p{S}]")),
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
fn ranges_of(class: &str) -> Ranges {
    use regex_syntax::hir::{Class, HirKind};
    let hir = regex_syntax::parse(class).expect("a constant that parses");
    match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => {
            class.iter().map(|r| (r.start(), r.end())).collect()
        }
        _ => Ranges::new(),
    }
}

/// `unicode.ToUpper`.
pub fn to_upper(c: char) -> char {
    let mut upper = c.to_uppercase();
    if let (Some(upper), None) = (upper.next(), upper.next()) {
        return upper;
    }
    // Letters with an iota below have one capital too, a few places on.
    let offset = match c {
        'ᾀ'..='ᾇ' | 'ᾐ'..='ᾗ' | 'ᾠ'..='ᾧ' => 8,
        'ᾳ' | 'ῃ' | 'ῳ' => 9,
        _ => 0,
    };
    char::from_u32(u32::from(c) + offset).unwrap_or(c)
}

/// `unicode.ToLower`.
pub fn to_lower(c: char) -> char {
    if c == 'İ' {
        return 'i';
    }
    c.to_lowercase().next().unwrap_or(c)
}

/// `unicode.ToTitle`: the capital as it begins a word.
pub fn to_title(c: char) -> char {
    match c {
        'Ǆ'..='ǆ' => 'ǅ',
        'Ǉ'..='ǉ' => 'ǈ',
        'Ǌ'..='ǌ' => 'ǋ',
        'Ǳ'..='ǳ' => 'ǲ',
        // Georgian words begin with a letter like the others.
        'ა'..='ჿ' => c,
        _ => to_upper(c),
    }
}

/// `strings.ToUpper`.
pub fn upper(text: &str) -> String {
    text.chars().map(to_upper).collect()
}

/// `strings.ToLower`.
pub fn lower(text: &str) -> String {
    text.chars().map(to_lower).collect()
}

/// `strings.Title`: each word begins with a capital.
pub fn title(text: &str) -> String {
    let mut is_start = true;
    text.chars()
        .map(|c| {
            let titled = if is_start { to_title(c) } else { c };
            is_start = if c.is_ascii() {
                !c.is_ascii_alphanumeric() && c != '_'
            } else {
                !is_letter(c) && !is_digit(c) && is_space(c)
            };
            titled
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_and_not_properties() {
        // Alphabetic, numeric, lower case… for Rust, but no letters and digits
        // for Go.
        for c in ['Ⅷ', 'ⓐ', '\u{345}', '²', '½', '_'] {
            assert!(!is_letter(c) && !is_digit(c) && !is_lower(c), "{c}");
        }
        assert!(is_letter('é') && is_letter('日') && is_letter('ª'));
        assert!(is_digit('٣') && is_digit('7') && !is_digit('a'));
        assert!(is_number('½') && is_number('Ⅷ') && !is_upper('Ⅷ'));
        assert!(is_title('ǅ') && !is_upper('ǅ') && !is_lower('ǅ'));
        assert!(is_punct('¿') && is_punct('_') && !is_punct('$') && !is_punct('€'));
        assert!(is_space('\u{85}') && is_space('\u{a0}') && !is_space('\u{200b}'));
        assert!(is_print('€') && is_print(' ') && !is_print('\u{a0}') && !is_print('\u{ad}'));
    }

    #[test]
    fn one_character_for_one() {
        // From go1.26.
        assert_eq!(upper("straße ŉ ﬁ ᾀᾳ ǆ ı ა"), "STRAßE ŉ ﬁ ᾈᾼ Ǆ I Ა");
        assert_eq!(lower("İSTANBUL ΣΑΣ ǅ Ა"), "istanbul σασ ǆ ა");
        assert_eq!(
            title("ǆ ᾳ ა x_y é-é 日a 1a don't"),
            "ǅ ᾼ ა X_y É-É 日a 1a Don'T"
        );
    }
}
