//! What names, labels and annotations may be.
//!
//! Compat: `k8s.io/apimachinery`, packages `api/validation` and
//! `util/validation`.

use std::borrow::Cow;

/// More bytes than this are no DNS label.
const MAX_LABEL: usize = 63;
/// More bytes than this are no DNS subdomain.
const MAX_SUBDOMAIN: usize = 253;

/// What is wrong with a text as a name of some sort; none where it is one.
pub type Wrong = Option<String>;

/// Lower-case letters, digits and `-`, beginning and ending with a letter or
/// digit: the names of namespaces.
pub fn dns_label(text: &str) -> Wrong {
    if text.len() > MAX_LABEL {
        return Some(too_long(text, MAX_LABEL));
    }
    (!is_dns_label(text)).then(|| {
        "it must consist of lower-case letters, digits and `-`, and begin and end with a \
         letter or digit"
            .to_owned()
    })
}

/// A DNS label that begins with a letter: the names of Services.
pub fn dns1035_label(text: &str) -> Wrong {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return Some("it must begin with a lower-case letter".to_owned());
    }
    dns_label(text)
}

/// DNS labels joined by dots: the names of most objects.
pub fn dns_subdomain(text: &str) -> Wrong {
    if text.len() > MAX_SUBDOMAIN {
        return Some(too_long(text, MAX_SUBDOMAIN));
    }
    (!text.split('.').all(is_dns_label)).then(|| {
        "it must consist of lower-case letters, digits, `-` and `.`, and each part between \
         dots must begin and end with a letter or digit"
            .to_owned()
    })
}

/// A prefix of a name as it is judged: one that ends in a hyphen loses that
/// and the character before it, and gets a letter.
pub fn without_final_hyphen(prefix: &str) -> Cow<'_, str> {
    let mut chars = prefix.chars();
    match (chars.next_back(), chars.next_back()) {
        (Some('-'), Some(_)) => Cow::Owned(format!("{}a", chars.as_str())),
        _ => Cow::Borrowed(prefix),
    }
}

/// What can stand in a URL's path: the names of RBAC objects.
pub fn path_segment(text: &str) -> Wrong {
    if matches!(text, "." | "..") {
        return Some(format!("it must not be `{text}`"));
    }
    let bad = text.chars().find(|c| matches!(c, '/' | '%'))?;
    Some(format!("it must not contain `{bad}`"))
}

/// `[prefix/]name`: the keys of labels and annotations.
pub fn qualified_name(text: &str) -> Wrong {
    let name = match text.split_once('/') {
        None => text,
        Some(("", _)) => return Some("the part before `/` must not be empty".into()),
        Some((_, name)) if name.contains('/') => {
            return Some("it must have at most one `/`".into());
        }
        Some((prefix, name)) => {
            if let Some(wrong) = dns_subdomain(prefix) {
                return Some(format!("the part before `/` is no DNS name: {wrong}"));
            }
            name
        }
    };
    if name.is_empty() {
        return Some("its name must not be empty".into());
    }
    if name.len() > MAX_LABEL {
        return Some(too_long(name, MAX_LABEL));
    }
    (!is_label_text(name)).then(|| {
        "its name must consist of letters, digits, `-`, `_` and `.`, and begin and end with a \
         letter or digit"
            .to_owned()
    })
}

/// The values of labels.
pub fn label_value(text: &str) -> Wrong {
    if text.len() > MAX_LABEL {
        return Some(too_long(text, MAX_LABEL));
    }
    (!text.is_empty() && !is_label_text(text)).then(|| {
        "it must be empty, or consist of letters, digits, `-`, `_` and `.`, and begin and end \
         with a letter or digit"
            .to_owned()
    })
}

fn too_long(text: &str, max: usize) -> String {
    format!("it has {} bytes, and at most {max} are allowed", text.len())
}

/// Without its length.
fn is_dns_label(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.first().is_some_and(|b| inner(*b))
        && bytes.last().is_some_and(|b| inner(*b))
        && bytes.iter().all(|b| inner(*b) || *b == b'-')
}

fn is_label_text(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_objects() {
        for name in ["a", "a-b.c", "0", "a.b.c", &"a".repeat(253)] {
            assert_eq!(dns_subdomain(name), None, "{name}");
        }
        for name in ["", "A", "a_b", "-a", "a-", "a..b", ".a", "a.", "ä", "a b"] {
            assert!(dns_subdomain(name).is_some(), "{name}");
        }
        assert_eq!(
            dns_subdomain(&"a".repeat(254)).unwrap(),
            "it has 254 bytes, and at most 253 are allowed"
        );
        assert_eq!(dns_label("a-b"), None);
        assert!(dns_label("a.b").is_some());
        assert!(dns_label(&"a".repeat(64)).is_some());
        assert_eq!(path_segment("system:controller"), None);
        assert!(path_segment("a/b").is_some());
        assert!(path_segment("..").is_some());
        assert_eq!(path_segment("..."), None);
    }

    #[test]
    fn keys_and_values_of_labels() {
        for key in ["a", "A.b_c-d", "example.org/a", "0"] {
            assert_eq!(qualified_name(key), None, "{key}");
        }
        for key in ["", "a b", "-a", "a/", "/a", "a/b/c", "A.org/a", "a_/b"] {
            assert!(qualified_name(key).is_some(), "{key}");
        }
        assert!(qualified_name(&"a".repeat(64)).is_some());
        for value in ["", "a", "A.b_c-d", &"a".repeat(63)] {
            assert_eq!(label_value(value), None, "{value}");
        }
        for value in ["-a", "a b", "a/b", "a.", &"a".repeat(64)] {
            assert!(label_value(value).is_some(), "{value}");
        }
    }
}
