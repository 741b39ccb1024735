//! What credentials look like.
//!
//! In: text. Out: the places of tokens and keys of well-known shapes; or, of a
//! single value, whether it looks as though chance had made it. No regular
//! expressions: a shape begins with a fixed text that is searched for, and goes
//! on with characters of a kind. Few false alarms count more than the last
//! token: what a person typed as an example is left out.

use std::ops::Range;

/// Characters that a token may go on with.
#[derive(Clone, Copy, Debug)]
enum Body {
    /// Letters and digits.
    Alphanumeric,
    /// Capital letters and digits.
    Upper,
    /// Digits and `a` to `f`.
    Hex,
    /// Letters, digits, `_` and `-`.
    Word,
    /// As that, with `.`, `/`, `+` and `=`.
    Loose,
}

impl Body {
    fn has(self, byte: u8) -> bool {
        match self {
            Body::Alphanumeric => byte.is_ascii_alphanumeric(),
            Body::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Body::Hex => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            Body::Word => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Body::Loose => {
                byte.is_ascii_alphanumeric()
                    || matches!(byte, b'_' | b'-' | b'.' | b'/' | b'+' | b'=')
            }
        }
    }
}

/// A shape: what it is, how it begins, what it goes on with, and how long that
/// is at least and at most.
type Shape = (&'static str, &'static str, Body, usize, usize);

/// Compat: the forms that the services document for their tokens.
const SHAPES: &[Shape] = &[
    ("a GitHub token", "ghp_", Body::Alphanumeric, 36, 255),
    ("a GitHub token", "gho_", Body::Alphanumeric, 36, 255),
    ("a GitHub token", "ghu_", Body::Alphanumeric, 36, 255),
    ("a GitHub token", "ghs_", Body::Alphanumeric, 36, 255),
    ("a GitHub token", "ghr_", Body::Alphanumeric, 36, 255),
    ("a GitHub token", "github_pat_", Body::Word, 60, 255),
    ("a GitLab token", "glpat-", Body::Loose, 20, 300),
    ("a GitLab token", "gldt-", Body::Word, 20, 64),
    ("a GitLab token", "glrt-", Body::Word, 20, 64),
    ("an AWS access key", "AKIA", Body::Upper, 16, 16),
    ("an AWS access key", "ASIA", Body::Upper, 16, 16),
    ("a Google API key", "AIza", Body::Word, 35, 35),
    ("a Slack token", "xoxb-", Body::Word, 20, 255),
    ("a Slack token", "xoxp-", Body::Word, 20, 255),
    ("a Slack token", "xoxa-", Body::Word, 20, 255),
    ("a Slack token", "xapp-", Body::Word, 20, 255),
    (
        "a Slack webhook",
        "https://hooks.slack.com/services/T",
        Body::Loose,
        30,
        80,
    ),
    (
        "a Discord webhook",
        "https://discord.com/api/webhooks/",
        Body::Loose,
        70,
        120,
    ),
    (
        "a Discord webhook",
        "https://discordapp.com/api/webhooks/",
        Body::Loose,
        70,
        120,
    ),
    ("a Stripe key", "sk_live_", Body::Alphanumeric, 20, 255),
    ("a Stripe key", "rk_live_", Body::Alphanumeric, 20, 255),
    ("an npm token", "npm_", Body::Alphanumeric, 36, 36),
    ("a PyPI token", "pypi-AgEIcHlwaS5vcmc", Body::Word, 40, 255),
    ("a Docker Hub token", "dckr_pat_", Body::Word, 27, 64),
    ("a DigitalOcean token", "dop_v1_", Body::Hex, 64, 64),
    ("a Vault token", "hvs.", Body::Word, 24, 255),
    ("a Vault token", "hvb.", Body::Word, 24, 255),
    ("a Tailscale key", "tskey-auth-", Body::Word, 20, 128),
    ("a Tailscale key", "tskey-client-", Body::Word, 20, 128),
    ("a Tailscale key", "tskey-api-", Body::Word, 20, 128),
    ("a Grafana token", "glsa_", Body::Word, 40, 64),
    ("a Grafana token", "glc_", Body::Loose, 60, 255),
    ("an age identity", "AGE-SECRET-KEY-1", Body::Upper, 58, 58),
    (
        "an age identity",
        "AGE-SECRET-KEY-PQ-1",
        Body::Upper,
        58,
        128,
    ),
    ("a SendGrid key", "SG.", Body::Loose, 60, 80),
    ("an Anthropic key", "sk-ant-", Body::Word, 80, 128),
    ("an OpenAI key", "sk-proj-", Body::Word, 40, 255),
    ("a 1Password token", "ops_eyJ", Body::Loose, 200, 2000),
    ("a Hugging Face token", "hf_", Body::Alphanumeric, 34, 40),
    ("a Linear key", "lin_api_", Body::Alphanumeric, 40, 48),
    ("a New Relic key", "NRAK-", Body::Upper, 27, 27),
    ("a Databricks token", "dapi", Body::Hex, 32, 32),
    ("a Doppler token", "dp.pt.", Body::Alphanumeric, 40, 48),
    ("a Pulumi token", "pul-", Body::Hex, 40, 40),
];

/// A credential in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// What it is.
    pub(super) what: &'static str,
    /// Where it is.
    pub(super) range: Range<usize>,
}

/// The tokens and keys of well-known shapes in a text, in their order.
pub(super) fn find(text: &str) -> Vec<Found> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    for (what, prefix, body, least, most) in SHAPES {
        for start in memchr::memmem::find_iter(bytes, prefix) {
            let before = start.checked_sub(1).and_then(|i| bytes.get(i));
            if before.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'/'))
            {
                continue;
            }
            let rest = bytes.get(start + prefix.len()..).unwrap_or_default();
            let length = rest.iter().take_while(|b| body.has(**b)).count();
            let range = start..start + prefix.len() + length;
            let token = text
                .get(start + prefix.len()..range.end)
                .unwrap_or_default();
            if (*least..=*most).contains(&length) && !is_example(token) {
                found.push(Found { what, range });
            }
        }
    }
    private_keys(text, &mut found);
    web_tokens(text, &mut found);
    found.sort_by_key(|f| f.range.start);
    found
}

/// PEM blocks of private keys that have content.
fn private_keys(text: &str, found: &mut Vec<Found>) {
    const BEGIN: &str = "-----BEGIN ";
    for start in memchr::memmem::find_iter(text.as_bytes(), BEGIN) {
        let rest = text.get(start + BEGIN.len()..).unwrap_or_default();
        let Some((label, content)) = rest.split_once("-----") else {
            continue;
        };
        let is_key = label.len() < 40 && label.contains("PRIVATE KEY");
        let base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
        let until_end = content.split("-----").next().unwrap_or_default();
        // A line of a key, not the words of whoever writes about keys.
        let has_line = until_end.split(|c| !base64(c)).any(|run| run.len() >= 40);
        if is_key && has_line && !until_end.contains("...") {
            let range = start..start + BEGIN.len() + label.len() + 5;
            let what = "a private key";
            found.push(Found { what, range });
        }
    }
}

/// JSON web tokens: three parts, of which the first two are JSON objects.
fn web_tokens(text: &str, found: &mut Vec<Found>) {
    let bytes = text.as_bytes();
    for start in memchr::memmem::find_iter(bytes, "eyJ") {
        let before = start.checked_sub(1).and_then(|i| bytes.get(i));
        if before.is_some_and(|b| Body::Loose.has(*b) && *b != b'=') {
            continue;
        }
        let part = |from: usize| {
            let rest = bytes.get(from..).unwrap_or_default();
            rest.iter().take_while(|b| Body::Word.has(**b)).count()
        };
        let head = part(start);
        let body_at = start + head + 1;
        let body = part(body_at);
        let sign_at = body_at + body + 1;
        let sign = part(sign_at);
        let dots = [body_at - 1, sign_at - 1].map(|i| bytes.get(i) == Some(&b'.'));
        let begins = bytes.get(body_at..).is_some_and(|b| b.starts_with(b"eyJ"));
        if head >= 16 && body >= 20 && sign >= 20 && begins && dots == [true, true] {
            let range = start..sign_at + sign;
            let what = "a JSON web token";
            found.push(Found { what, range });
        }
    }
}

/// Whether a person made a token up: it says so, or hardly varies.
fn is_example(token: &str) -> bool {
    let lower = token.to_ascii_lowercase();
    let words = [
        "example",
        "xxxx",
        "1234567890abcdef",
        "abcdefghij",
        "your",
        "redacted",
        "0000000",
    ];
    words.iter().any(|word| lower.contains(word)) || entropy(token) < 2.5
}

/// The entropy of a text by how often each of its characters occurs, in bits
/// for each character.
fn entropy(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let length = f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX).max(1));
    let counts = counts.iter().filter(|count| **count > 0);
    counts
        .map(|count| {
            let share = f64::from(*count) / length;
            -share * share.log2()
        })
        .sum()
}

/// Words at the end of a name that say that its value is a credential.
const NAMES: &[&[&str]] = &[
    &["password"],
    &["passwd"],
    &["passphrase"],
    &["pwd"],
    &["token"],
    &["secret"],
    &["apikey"],
    &["api", "key"],
    &["access", "key"],
    &["secret", "key"],
    &["private", "key"],
    &["encryption", "key"],
    &["signing", "key"],
    &["master", "key"],
    &["auth", "key"],
    &["credential"],
    &["credentials"],
    &["webhook", "url"],
];

/// Whether a name says that its value is a credential: `DB_PASSWORD`,
/// `clientSecret`, `api-key`.
pub(super) fn is_credential_name(name: &str) -> bool {
    let words = words(name);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    NAMES.iter().any(|end| words.ends_with(end))
}

/// The words of a name, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut last: Option<char> = None;
    for c in name.chars() {
        if !c.is_alphanumeric() {
            last = None;
            continue;
        }
        let begins = match last {
            None => true,
            Some(last) => last.is_lowercase() && c.is_uppercase(),
        };
        if begins {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
        last = Some(c);
    }
    words
}

/// Whether a value looks as though chance had made it, or somebody who was
/// told to make a good password: no name, no number, no path, no word.
pub(super) fn looks_random(value: &str) -> bool {
    let length = value.len();
    let plain = |b: u8| b.is_ascii_graphic() && !b"\"'`()[]{}<>|\\,;$".contains(&b);
    if !(8..=4096).contains(&length) || !value.bytes().all(plain) {
        return false;
    }
    let class = |of: fn(&u8) -> bool| value.as_bytes().iter().filter(|b| of(b)).count();
    let digits = class(u8::is_ascii_digit);
    let upper = class(u8::is_ascii_uppercase);
    let lower = class(u8::is_ascii_lowercase);
    let other = length - digits - upper - lower;
    let kinds = [digits, upper, lower, other]
        .iter()
        .filter(|n| **n > 0)
        .count();
    if digits + upper + lower == 0 || kinds < 2 || is_name(value) {
        return false;
    }
    let example = is_example(value) || value.contains("://") || value.starts_with(['/', '.']);
    // The more kinds of characters, the less they have to vary.
    let wanted = match kinds {
        2 => 3.2,
        3 => 3.0,
        _ => 2.75,
    };
    !example && entropy(value) >= wanted
}

/// Whether a value is words with separators, as names of objects and keys are,
/// or a version, a date, an address.
fn is_name(value: &str) -> bool {
    let parts: Vec<&str> = value.split(['-', '_', '.', '/', ':', '@', '=']).collect();
    let word = |part: &&str| {
        let digits = part.bytes().filter(u8::is_ascii_digit).count();
        let letters = part.bytes().filter(u8::is_ascii_alphabetic).count();
        let short = digits <= 2 && letters <= 16;
        let number = letters <= 1;
        // One case throughout, or a capital at the beginnings of words.
        let shape = {
            let upper = part.bytes().filter(u8::is_ascii_uppercase).count();
            upper == 0 || upper == letters || upper * 3 <= letters
        };
        digits + letters == part.len() && (number || short && shape)
    };
    if parts.len() == 1 {
        // A single word of letters with a small number at its end.
        let stem = value.trim_end_matches(|c: char| c.is_ascii_digit());
        let upper = stem.bytes().filter(u8::is_ascii_uppercase).count();
        return value.len() - stem.len() <= 2
            && stem.bytes().all(|b| b.is_ascii_alphabetic())
            && (upper * 3 <= stem.len() || upper == stem.len());
    }
    parts.iter().all(word)
}

/// The user of an address that holds a password as well.
pub(super) fn address_with_password(text: &str) -> Option<(&str, &str)> {
    let (_, rest) = text.split_once("://")?;
    let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '?'));
    let authority = rest.get(..end.unwrap_or(rest.len()))?;
    let (user, host) = authority.rsplit_once('@')?;
    let (name, password) = user.split_once(':')?;
    // `{PASSWORD}`, `<password>`, `%(password)s`: filled in elsewhere.
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '*' | '[' | ']' | '{' | '<' | '(');
    let made_up = [
        "password", "pass", "pwd", "secret", "token", "changeme", "xxx",
    ];
    (!host.is_empty()
        && password.len() >= 4
        && password.chars().all(plain)
        && !made_up.contains(&&*password.to_ascii_lowercase()))
    .then_some((name, password))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts that are put together here, so that no scanner takes this file
    /// for what it looks for.
    fn token(prefix: &str, body: &str) -> String {
        format!("{prefix}{body}")
    }

    #[test]
    fn tokens_have_their_shapes() {
        let body = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6";
        let text = format!("x: {} # and {}", token("ghp_", body), token("gho_", body));
        let found = find(&text);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].what, "a GitHub token");
        assert_eq!(&text[found[0].range.clone()], token("ghp_", body));
        // Too short, within a word, or made up.
        for text in [
            token("ghp_", "abc"),
            token("xghp_", body),
            token("ghp_", &"x".repeat(36)),
            token("AKIA", "IOSFODNN7EXAMPLE"),
        ] {
            assert_eq!(find(&text), [], "{text}");
        }
        assert_eq!(
            find(&token("AKIA", "Q3EGRTV7LMWSXJ2P"))[0].what,
            "an AWS access key"
        );
    }

    #[test]
    fn private_keys_have_content() {
        let begin = token("-----BEGIN OPENSSH ", "PRIVATE KEY-----");
        let key = format!(
            "{begin}\n{}\n-----END",
            "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU".repeat(3)
        );
        assert_eq!(find(&key)[0].what, "a private key");
        assert!(find(&format!("{begin}\n...\n-----END")).is_empty());
        assert!(find("-----BEGIN CERTIFICATE-----\nMIIB").is_empty());
        // Whoever writes about keys, or looks for them, has none.
        let prose = "then come many words about what is in such a file and how it is made";
        assert!(find(&format!("// {begin} {prose}\n")).is_empty());
    }

    #[test]
    fn web_tokens_have_three_parts() {
        let part = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
        let sign = "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJVadQssw5c";
        assert_eq!(find(&format!("{part}.{part}.{sign}")).len(), 1);
        assert!(find(&format!("{part}.{part}")).is_empty());
        assert!(find(part).is_empty());
    }

    #[test]
    fn names_of_credentials() {
        for name in [
            "DB_PASSWORD",
            "clientSecret",
            "api-key",
            "apiKey",
            "TOKEN",
            "admin.password",
        ] {
            assert!(is_credential_name(name), "{name}");
        }
        for name in [
            "secretName",
            "passwordKey",
            "tokenSecretRef",
            "key",
            "existingSecretName",
            "public_key",
        ] {
            assert!(!is_credential_name(name), "{name}");
        }
    }

    #[test]
    fn values_that_chance_made() {
        for value in [
            "hunter2-Vq8!",
            "9f86d081884c7d659a2feaa0c55ad015",
            "Zm9vYmFyYmF6cXV4MTIz",
            "S3cr3tP4ssw0rd",
        ] {
            assert!(looks_random(value), "{value}");
        }
        for value in [
            "grafana-admin-secret",
            "my-app-credentials-v2",
            "GF_SECURITY_ADMIN_PASSWORD",
            "/var/run/secrets/token",
            "https://auth.example.com/token",
            "true",
            "1234567890",
            "changeme",
            "admin123",
            "clientSecret",
            "kubernetes.io/service-account-token",
            "${DB_PASSWORD}",
            "2026-11-23T01:02:03Z",
            "xxxxxxxx-1",
        ] {
            assert!(!looks_random(value), "{value}");
        }
    }

    #[test]
    fn addresses_with_passwords() {
        let found = |text| address_with_password(text).map(|(user, _)| user);
        assert_eq!(found("postgres://app:Vq8hunter@db:5432/app"), Some("app"));
        assert_eq!(found("postgres://app:password@db"), None);
        assert_eq!(found("rtsp://view:{CAMERA_PASSWORD}@door:554/live"), None);
        assert_eq!(found("https://example.com/a:b@c"), None);
        assert_eq!(found("ssh://git@example.com"), None);
    }
}
