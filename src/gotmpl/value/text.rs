//! Strings.

use std::borrow::{Borrow, Cow};
use std::sync::Arc;

/// A Go string: bytes, nearly always UTF-8; copies share them.
///
/// Templates can cut characters in half and read files that are no text, so
/// that any bytes must pass through unharmed.
#[derive(Clone)]
pub enum Text {
    /// What is UTF-8.
    Utf8(Arc<str>),
    /// What is not.
    Bytes(Arc<[u8]>),
}

impl Text {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Text::Utf8(text) => text.as_bytes(),
            Text::Bytes(bytes) => bytes,
        }
    }

    /// The text, with U+FFFD for what is no UTF-8.
    pub fn to_str(&self) -> Cow<'_, str> {
        match self {
            Text::Utf8(text) => Cow::Borrowed(text),
            Text::Bytes(bytes) => Cow::Owned(replaced(bytes)),
        }
    }

    /// The text to be shared, with U+FFFD for what is no UTF-8.
    pub fn to_shared(&self) -> Arc<str> {
        match self {
            Text::Utf8(text) => text.clone(),
            Text::Bytes(bytes) => replaced(bytes).into(),
        }
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }

    /// Whether nothing else holds it.
    pub(crate) fn is_unshared(&self) -> bool {
        1 == match self {
            Text::Utf8(text) => Arc::strong_count(text),
            Text::Bytes(bytes) => Arc::strong_count(bytes),
        }
    }

    /// The bytes from `start` to before `end`; both are put within bounds.
    #[must_use]
    pub fn cut(&self, start: usize, end: usize) -> Text {
        let end = end.min(self.len());
        let start = start.min(end);
        match self {
            Text::Utf8(text) => match text.get(start..end) {
                Some(part) => Text::from(part),
                None => Text::Bytes(text.as_bytes()[start..end].into()),
            },
            Text::Bytes(bytes) => Text::from(&bytes[start..end]),
        }
    }
}

/// Bytes as text, each byte that is no UTF-8 as U+FFFD, as Go decodes.
fn replaced(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|_| '\u{FFFD}'));
    }
    out
}

impl Default for Text {
    fn default() -> Text {
        Text::Utf8(Arc::from(""))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text::Utf8(text.into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        Text::Utf8(text.into())
    }
}

impl From<Cow<'_, str>> for Text {
    fn from(text: Cow<'_, str>) -> Text {
        Text::Utf8(text.into())
    }
}

impl From<Arc<str>> for Text {
    fn from(text: Arc<str>) -> Text {
        Text::Utf8(text)
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Text {
        match std::str::from_utf8(bytes) {
            Ok(text) => Text::Utf8(text.into()),
            Err(_) => Text::Bytes(bytes.into()),
        }
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Text {
        match String::from_utf8(bytes) {
            Ok(text) => Text::Utf8(text.into()),
            Err(e) => Text::Bytes(e.into_bytes().into()),
        }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Text) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Text) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl std::hash::Hash for Text {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl Borrow<[u8]> for Text {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_str())
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.to_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutting_may_leave_half_a_character() {
        let text = Text::from("aä");
        assert_eq!(text.cut(0, 2).as_bytes(), b"a\xc3");
        assert_eq!(text.cut(1, 9).to_str(), "ä");
        assert!(matches!(text.cut(0, 2), Text::Bytes(_)));
        assert!(matches!(text.cut(0, 2).cut(0, 1), Text::Utf8(_)));
        assert_eq!(text.cut(5, 2).len(), 0);
        let euro = Text::from(&b"\xe2\x82"[..]);
        assert_eq!(euro.to_str(), "\u{FFFD}\u{FFFD}");
    }
}
