//! Addresses on the web as Go's `net/url` reads them, as far as schemas ask.

use std::fmt::Write as _;

/// Whether `url.ParseRequestURI` takes a text: an absolute address or path.
pub fn is_request_uri(text: &str) -> bool {
    if text.is_empty() || text.bytes().any(|b| b < b' ' || b == 0x7f) {
        return false;
    }
    if text == "*" {
        return true;
    }
    if text.starts_with(':') {
        return false;
    }
    let parts = Parts::of(text);
    if parts.scheme.is_empty() {
        // An address without a scheme is a path from the root.
        return text.starts_with('/') && has_good_escapes(parts.path) && is_host(parts.host);
    }
    if !parts.is_hierarchical {
        return true;
    }
    has_good_escapes(parts.path) && is_host(parts.host)
}

/// An address taken apart; nothing is decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts<'t> {
    /// What stands before the first `:`.
    pub scheme: &'t str,
    /// The host and its port, without user and password.
    pub host: &'t str,
    /// The path.
    pub path: &'t str,
    /// What stands behind `?`.
    pub query: &'t str,
    /// Whether the scheme is followed by a path: not in `mailto:me`.
    is_hierarchical: bool,
}

impl<'t> Parts<'t> {
    /// The parts of an address; empty for what it does not have.
    pub fn of(text: &'t str) -> Parts<'t> {
        let text = text.split_once('#').map_or(text, |(before, _)| before);
        let (scheme, rest) = match text.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (scheme, rest),
            _ => ("", text),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        if !rest.starts_with('/') && !scheme.is_empty() {
            return Parts {
                scheme,
                query,
                ..Parts::default()
            };
        }
        let (authority, path) = match rest.strip_prefix("//") {
            // Three slashes begin a path, and the host is empty.
            Some(rest) if !(scheme.is_empty() && rest.starts_with('/')) => {
                rest.split_at(rest.find('/').unwrap_or(rest.len()))
            }
            _ => ("", rest),
        };
        let host = authority
            .rsplit_once('@')
            .map_or(authority, |(_, host)| host);
        Parts {
            scheme,
            host,
            path,
            query,
            is_hierarchical: true,
        }
    }

    /// The host without its port and the brackets of an IPv6 address.
    pub fn hostname(self) -> &'t str {
        let host = self.split_port().0;
        host.strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host)
    }

    /// The port; empty where none is written.
    pub fn port(self) -> &'t str {
        self.split_port().1
    }

    fn split_port(self) -> (&'t str, &'t str) {
        match self.host.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') && is_digits(port) => (host, port),
            _ => (self.host, ""),
        }
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

fn has_good_escapes(text: &str) -> bool {
    text.match_indices('%').all(|(at, _)| {
        text.as_bytes()
            .get(at + 1..at + 3)
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

fn is_host(text: &str) -> bool {
    let bad = |c: char| {
        matches!(
            c,
            ' ' | '<' | '>' | '"' | '\\' | '^' | '`' | '{' | '|' | '}' | '%'
        )
    };
    if let Some(rest) = text.strip_prefix('[') {
        // An IPv6 address, perhaps with a zone.
        return rest.split_once(']').is_some_and(|(_, after)| {
            after.is_empty() || after.strip_prefix(':').is_some_and(is_digits)
        });
    }
    let port_fits = text
        .rsplit_once(':')
        .is_none_or(|(_, port)| is_digits(port));
    !text.contains(bad) && port_fits
}

/// Decodes a part of a query; none for a wrong escape.
pub fn unescape_query(text: &str) -> Option<String> {
    if !has_good_escapes(text) {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digits = String::new();
                let pair = rest.next().zip(rest.next())?;
                write!(digits, "{}{}", char::from(pair.0), char::from(pair.1)).ok()?;
                u8::from_str_radix(&digits, 16).ok()?
            }
            other => other,
        });
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_takes_them() {
        // From go1.26: url.ParseRequestURI.
        for text in [
            "https://example.org",
            "https://user:pass@example.org:8080/a%20b?c=d#e",
            "/path",
            "//host/path",
            "mailto:me@example.org",
            "http://[::1]:80/",
            "http://a_b",
            "*",
            "http:///x",
            "oci://ghcr.io/org/chart",
        ] {
            assert!(is_request_uri(text), "{text}");
        }
        for text in [
            "",
            "example.org",
            "path/to",
            "http://a b/",
            "http://a/%zz",
            "http://a:b/",
            ":foo",
            "1http://a",
            "http://[::1",
            "a\nb:c",
        ] {
            assert!(!is_request_uri(text), "{text}");
        }
    }

    #[test]
    fn parts_are_found() {
        let parts = Parts::of("https://me:secret@example.org:8443/a/b?c=d&e#f");
        assert_eq!(
            (parts.scheme, parts.host, parts.path, parts.query),
            ("https", "example.org:8443", "/a/b", "c=d&e")
        );
        assert_eq!((parts.hostname(), parts.port()), ("example.org", "8443"));
        let parts = Parts::of("http://[::1]:80/");
        assert_eq!((parts.hostname(), parts.port()), ("::1", "80"));
        let parts = Parts::of("/only/path?x");
        assert_eq!(
            (parts.host, parts.path, parts.query),
            ("", "/only/path", "x")
        );
        assert_eq!(unescape_query("a+b%21").as_deref(), Some("a b!"));
        assert_eq!(unescape_query("%2"), None);
    }
}
