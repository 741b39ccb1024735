//! Keys as parts of a JSON pointer (RFC 6901).

/// A key as it stands in a pointer: `a/b~c` as `a~1b~0c`.
pub fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The key that a part of a pointer stands for.
pub fn unescape(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_again() {
        assert_eq!(escape("a/b~c"), "a~1b~0c");
        for key in ["", "a/b~c", "~1", "~01", "//~~"] {
            assert_eq!(unescape(&escape(key)), key);
        }
    }
}
