//! Texts that hold secret values, with these left out.
//!
//! What was made of a secret value (in capitals, in base64, as a digest) cannot
//! be found by looking for the value. But where the same was done with another
//! value in its place, the two texts differ where it stands, and nowhere else.

/// What stands for the part of a text that is left out.
const HIDDEN: &str = "(secret)";

/// What stands for a text that is left out as a whole.
pub(super) const LEFT_OUT: &str = "it failed for what a decrypted value is: the message is left out, since it may hold that value";

/// A text without what differs from another.
pub(super) fn common(text: &str, other: &str) -> String {
    match differing(text, other) {
        None => text.to_owned(),
        Some((start, end)) => {
            let before = text.get(..start).unwrap_or_default();
            let after = text.get(end..).unwrap_or_default();
            format!("{before}{HIDDEN}{after}")
        }
    }
}

/// Where a text differs from another, from the first to the last byte; none
/// where they are the same.
pub fn differing(text: &str, other: &str) -> Option<(usize, usize)> {
    if text == other {
        return None;
    }
    let same = |(a, b): &(char, char)| a == b;
    let width = |(c, _): (char, char)| c.len_utf8();
    let start: usize = text
        .chars()
        .zip(other.chars())
        .take_while(same)
        .map(width)
        .sum();
    // What is common to both ends is not told twice.
    let most = text.len().min(other.len()) - start;
    let mut behind = 0;
    for (a, b) in text.chars().rev().zip(other.chars().rev()) {
        if a != b || behind + a.len_utf8() > most {
            break;
        }
        behind += a.len_utf8();
    }
    Some((start, text.len() - behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_left_out() {
        for (text, other, left) in [
            ("same", "same", "same"),
            ("no P4SS here", "no Q5TT here", "no (secret) here"),
            ("P4SS", "Q5TT", "(secret)"),
            ("a 1 and 1 b", "a 2 and 2 b", "a (secret) b"),
            ("is ü!", "is ö!", "is (secret)!"),
            ("aa", "a", "a(secret)"),
            ("a", "aa", "a(secret)"),
            ("", "a", "(secret)"),
        ] {
            assert_eq!(common(text, other), left, "{text} {other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_text_is_cut_between_characters(text in "[aäб]{0,6}", other in "[aäб]{0,6}") {
            if let Some((start, end)) = differing(&text, &other) {
                proptest::prop_assert!(text.get(start..end).is_some());
                proptest::prop_assert_eq!(text.get(..start), other.get(..start));
                proptest::prop_assert!(other.ends_with(text.get(end..).unwrap_or("-")));
            }
        }
    }
}
