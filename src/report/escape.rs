//! Text within Markdown that nothing takes for more than text.
//!
//! In: names and messages, which a change can choose. Out: Markdown, without
//! links, images, mentions, or the end of the cell that they stand in. Messages
//! have their values in backticks already.

/// Text as a fenced block that nothing in it can end.
pub(super) fn fence(text: &str, language: &str) -> String {
    let longest = text
        .split(|c| c != '`')
        .map(str::len)
        .max()
        .unwrap_or_default();
    let marks = "`".repeat(longest.max(2) + 1);
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!("{marks}{language}\n{text}{end}{marks}")
}

/// Text as code within a line.
pub(super) fn code(text: &str) -> String {
    if text.is_empty() || text.contains(['`', '|', '\\', '\n', '\r']) {
        tag(text)
    } else {
        format!("`{text}`")
    }
}

/// The same as HTML, which also holds where there is no Markdown.
pub(super) fn tag(text: &str) -> String {
    let mut out = String::from("<code>");
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '/' | '-' | '.' | ':' | '=' | ' ' => out.push(c),
            c if c.is_ascii_punctuation() => out.push_str(&format!("&#{};", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push_str("</code>");
    out
}

/// A message on one line.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some((value, after)) = value(rest) {
            out.push_str(&code(value));
            rest = after;
            continue;
        }
        match c {
            '\n' | '\r' => out.push(' '),
            '&' if is_entity(rest) => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // Nobody is told of a comment because an object is named so.
            '@' => out.push_str("@\u{200B}"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '|' | '~' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    out
}

/// The value in backticks that a text begins with, and what follows. Backticks
/// within a value are found out by what stands around them: a value ends where
/// one stands alone.
fn value(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('`')?;
    let (value, after) = inner.split_once('`')?;
    let is_value = !value.is_empty() && !after.starts_with('`');
    is_value.then_some((value, after))
}

/// Whether a text begins with what HTML takes for another character, `&#64;`.
fn is_entity(text: &str) -> bool {
    let name = text.strip_prefix('&').and_then(|t| t.split_once(';'));
    name.is_some_and(|(name, _)| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'#')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_block_but_its_end() {
        assert_eq!(fence("a\n", "diff"), "```diff\na\n```");
        assert_eq!(fence("a ```` b", ""), "`````\na ```` b\n`````");
    }

    #[test]
    fn code_stays_code() {
        assert_eq!(code("Deployment/shop/web"), "`Deployment/shop/web`");
        assert_eq!(code("a`b"), "<code>a&#96;b</code>");
        assert_eq!(code("a|b"), "<code>a&#124;b</code>");
        // Two line breaks would end the HTML around it.
        assert_eq!(tag("a\n\n@org/team"), "<code>a  &#64;org/team</code>");
        assert_eq!(tag("</code><b>"), "<code>&#60;/code&#62;&#60;b&#62;</code>");
    }

    #[test]
    fn messages_are_text() {
        assert_eq!(
            plain("<b> `a_b` @team *x* | [y](z) &#64;team & so"),
            "&lt;b&gt; `a_b` @\u{200B}team \\*x\\* \\| \\[y\\](z) &amp;\\#64;team & so"
        );
        // Where there is no code, there is no mention.
        assert_eq!(
            plain("from ```` @org/team` to `b`"),
            "from \\`\\`\\`` @org/team` to `b`"
        );
        assert_eq!(plain("`a\\|b`"), "<code>a&#92;&#124;b</code>");
        assert_eq!(plain("a\\|b\nc"), "a\\\\\\|b c");
        assert_eq!(plain("one ` @alone"), "one \\` @\u{200B}alone");
        assert_eq!(plain("`` @two"), "\\`\\` @\u{200B}two");
    }
}
