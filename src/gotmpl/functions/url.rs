//! Addresses taken apart and put together.
//!
//! Compat: Go's `net/url` 1.26, as far as `urlParse` and `urlJoin` show it.

use std::fmt::{self, Write as _};
use std::net::Ipv6Addr;

use crate::gostd::strconv::quote;

/// An address by its parts, escapes undone where the reference undoes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) scheme: String,
    pub(super) opaque: String,
    pub(super) user: Option<User>,
    pub(super) host: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) fragment: String,
}

/// Who uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    name: String,
    password: Option<String>,
}

/// The part of an address that text belongs to, which decides on escapes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Path,
    Host,
    Zone,
    User,
    Fragment,
}

impl Part {
    /// Whether a byte stands as it is.
    fn keeps(self, byte: u8) -> bool {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            return true;
        }
        let kept: &[u8] = match self {
            Part::Path => b"$&+,/:;=@",
            Part::Host | Part::Zone => b"!$&'()*+,;=:[]<>\"",
            Part::User => b"$&+,;=",
            Part::Fragment => b"$&+,/:;=?@!()*",
        };
        kept.contains(&byte)
    }
}

fn escape(text: &str, part: Part) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if part.keeps(byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn unescape(text: &str, part: Part) -> Result<String, String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte != b'%' {
            let in_host = matches!(part, Part::Host | Part::Zone);
            if in_host && byte.is_ascii() && !part.keeps(byte) {
                let shown = quote(&char::from(byte).to_string());
                return Err(format!("invalid character {shown} in host name"));
            }
            out.push(byte);
            at += 1;
            continue;
        }
        let escape = bytes.get(at..).unwrap_or_default();
        let escape = &escape[..escape.len().min(3)];
        let invalid = || {
            let shown = quote(&String::from_utf8_lossy(escape));
            format!("invalid URL escape {shown}")
        };
        let digit = |index: usize| {
            let byte = escape.get(index)?;
            char::from(*byte).to_digit(16)
        };
        let (Some(high), Some(low)) = (digit(1), digit(2)) else {
            return Err(invalid());
        };
        let code = u8::try_from(high * 16 + low).unwrap_or_default();
        let is_percent = escape == b"%25";
        // In a host only what is no ASCII may be escaped; a zone may have
        // blanks, too.
        let allowed = match part {
            Part::Host => code >= 0x80 || is_percent,
            Part::Zone => is_percent || code == b' ' || Part::Host.keeps(code),
            _ => true,
        };
        if !allowed {
            return Err(invalid());
        }
        out.push(code);
        at += 3;
    }
    Ok(String::from_utf8(out)
        .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
}

/// The scheme, in small letters, and the rest.
fn split_scheme(text: &str) -> Result<(String, &str), String> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c));
    match end {
        Some(0) if text.starts_with(':') => Err("missing protocol scheme".to_owned()),
        Some(end)
            if text[end..].starts_with(':')
                && text.starts_with(|c: char| c.is_ascii_alphabetic()) =>
        {
            Ok((text[..end].to_ascii_lowercase(), &text[end + 1..]))
        }
        _ => Ok((String::new(), text)),
    }
}

fn is_port(text: &str) -> bool {
    match text.strip_prefix(':') {
        Some(port) => port.bytes().all(|b| b.is_ascii_digit()),
        None => text.is_empty(),
    }
}

fn parse_host(scheme: &str, host: &str) -> Result<String, String> {
    let check_port = |port: &str| {
        if is_port(port) {
            Ok(())
        } else {
            Err(format!("invalid port {} after host", quote(port)))
        }
    };
    match host.rfind('[') {
        Some(0) => {
            let Some(end) = host.rfind(']') else {
                return Err("missing ']' in host".to_owned());
            };
            let (address, port) = (&host[1..end], &host[end + 1..]);
            check_port(port)?;
            let address = match address.find("%25") {
                Some(zone) => {
                    unescape(&address[..zone], Part::Host)?
                        + &unescape(&address[zone..], Part::Zone)?
                }
                None => unescape(address, Part::Host)?,
            };
            let number = address.split('%').next().unwrap_or_default();
            if number.parse::<Ipv6Addr>().is_err() {
                return Err(if number.parse::<std::net::Ipv4Addr>().is_ok() {
                    "invalid IP-literal".to_owned()
                } else {
                    let shown = quote(&address);
                    format!("invalid host: ParseAddr({shown}): unable to parse IP")
                });
            }
            return Ok(format!("[{address}]{port}"));
        }
        Some(_) => return Err("invalid IP-literal".to_owned()),
        None => {}
    }
    // Lists of hosts with ports are taken, but for the web's schemes.
    let strict = matches!(scheme, "http" | "https");
    let colon = if strict {
        host.find(':')
    } else {
        host.rfind(':')
    };
    if let Some(colon) = colon {
        check_port(&host[colon..])?;
    }
    unescape(host, Part::Host)
}

fn parse_user(text: &str) -> Result<User, String> {
    let is_valid = |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
    if !text.chars().all(is_valid) {
        return Err("net/url: invalid userinfo".to_owned());
    }
    Ok(match text.split_once(':') {
        Some((name, password)) => User {
            name: unescape(name, Part::User)?,
            password: Some(unescape(password, Part::User)?),
        },
        None => User {
            name: unescape(text, Part::User)?,
            password: None,
        },
    })
}

impl Url {
    /// Takes an address apart; the error is the reference's.
    pub(super) fn parse(text: &str) -> Result<Url, String> {
        let (address, fragment) = text.split_once('#').unwrap_or((text, ""));
        let wrong = |of: &str, e: String| format!("parse {}: {e}", quote(of));
        let mut url = Url::without_fragment(address).map_err(|e| wrong(address, e))?;
        url.fragment = unescape(fragment, Part::Fragment).map_err(|e| wrong(text, e))?;
        Ok(url)
    }

    fn without_fragment(text: &str) -> Result<Url, String> {
        if text.bytes().any(|b| b.is_ascii_control()) {
            return Err("net/url: invalid control character in URL".to_owned());
        }
        let mut url = Url::default();
        if text == "*" {
            "*".clone_into(&mut url.path);
            return Ok(url);
        }
        let (scheme, rest) = split_scheme(text)?;
        url.scheme = scheme;
        let (mut rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        query.clone_into(&mut url.query);
        if !rest.starts_with('/') {
            if !url.scheme.is_empty() {
                rest.clone_into(&mut url.opaque);
                return Ok(url);
            }
            if rest.split('/').next().is_some_and(|s| s.contains(':')) {
                return Err("first path segment in URL cannot contain colon".to_owned());
            }
        }
        let has_authority = !url.scheme.is_empty() || !rest.starts_with("///");
        if let Some(authority) = rest.strip_prefix("//").filter(|_| has_authority) {
            let end = authority.find('/').unwrap_or(authority.len());
            let (authority, path) = authority.split_at(end);
            rest = path;
            let (user, host) = match authority.rsplit_once('@') {
                Some((user, host)) => (Some(user), host),
                None => (None, authority),
            };
            url.host = parse_host(&url.scheme, host)?;
            url.user = user.map(parse_user).transpose()?;
        }
        url.path = unescape(rest, Part::Path)?;
        Ok(url)
    }

    /// The host without its port and brackets.
    pub(super) fn hostname(&self) -> &str {
        let host = match self.host.rfind(':') {
            Some(colon) if is_port(&self.host[colon..]) => &self.host[..colon],
            _ => &self.host,
        };
        host.strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host)
    }

    /// Who uses it, escaped; empty where nobody is named.
    pub(super) fn user_text(&self) -> String {
        self.user.as_ref().map_or_else(String::new, |user| {
            let name = escape(&user.name, Part::User);
            match &user.password {
                Some(password) => format!("{name}:{}", escape(password, Part::User)),
                None => name,
            }
        })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        if !self.scheme.is_empty() {
            out.push_str(&self.scheme);
            out.push(':');
        }
        if self.opaque.is_empty() {
            let has_authority = !self.host.is_empty() || self.user.is_some();
            if has_authority || !self.scheme.is_empty() && !self.path.is_empty() {
                out.push_str("//");
            }
            if self.user.is_some() {
                out.push_str(&self.user_text());
                out.push('@');
            }
            out.push_str(&escape(&self.host, Part::Host));
            let path = if self.path == "*" {
                self.path.clone()
            } else {
                escape(&self.path, Part::Path)
            };
            if !path.is_empty() && !path.starts_with('/') && !self.host.is_empty() {
                out.push('/');
            }
            if out.is_empty() && path.split('/').next().is_some_and(|s| s.contains(':')) {
                // The segment would be taken for a scheme.
                out.push_str("./");
            }
            out.push_str(&path);
        } else {
            out.push_str(&self.opaque);
        }
        if !self.query.is_empty() {
            out.push('?');
            out.push_str(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push('#');
            out.push_str(&escape(&self.fragment, Part::Fragment));
        }
        f.write_str(&out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apart_and_together() {
        let url = Url::parse("HTTP://us%40er:p:w@[fe80::1%25en0]:80/a%20b/c?q=1&r#f%21").unwrap();
        assert_eq!(url.scheme, "http");
        assert_eq!(url.user_text(), "us%40er:p%3Aw");
        assert_eq!(url.host, "[fe80::1%en0]:80");
        assert_eq!(url.hostname(), "fe80::1%en0");
        assert_eq!(url.path, "/a b/c");
        assert_eq!((&*url.query, &*url.fragment), ("q=1&r", "f!"));
        for text in [
            "mailto:a@b.c",
            "http://host/path?query#frag",
            "//host/x",
            "/a/b",
            "a/b",
            "./x:y",
            "*",
            "proto://auth@host:80/path",
        ] {
            assert_eq!(Url::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_refused() {
        for (text, want) in [
            (":x", "parse \":x\": missing protocol scheme"),
            ("a:b/c:d%", ""),
            ("x:y:z/%zz", ""),
            ("/%zz", "parse \"/%zz\": invalid URL escape \"%zz\""),
            (
                "1:2",
                "parse \"1:2\": first path segment in URL cannot contain colon",
            ),
            (
                "http://a b/",
                "parse \"http://a b/\": invalid character \" \" in host name",
            ),
            (
                "http://h:x/",
                "parse \"http://h:x/\": invalid port \":x\" after host",
            ),
            (
                "http://[::1/",
                "parse \"http://[::1/\": missing ']' in host",
            ),
            (
                "\u{1}",
                "parse \"\\x01\": net/url: invalid control character in URL",
            ),
        ] {
            let got = Url::parse(text).map_or_else(|e| e, |_| String::new());
            assert_eq!(got, want, "{text}");
        }
    }
}
