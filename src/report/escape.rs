//! Text that others wrote, as reports may show it: nothing in it acts.
//!
//! In: names, values and messages with what stands in a repository. Out: the same
//! for a terminal, which obeys control characters, and for Markdown, in which HTML,
//! links and mentions of people would come to life.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character acts instead of being seen: control characters, those that
/// turn the direction of text, line breaks that are no line feed, and what is no
/// character at all.
fn acts(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c,
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}' | '\u{2029}' | '\u{FEFF}'
            | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FDD0}'..='\u{FDEF}')
        || u32::from(c) & 0xFFFE == 0xFFFE
}

fn written(text: &str, is_written: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if is_plain || !text.contains(&is_written) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            _ if !is_written(c) => out.push(c),
            // Pictures of the control characters follow in the same order.
            '\0'..='\u{1F}' => out.extend(char::from_u32(0x2400 + u32::from(c))),
            '\u{7F}' => out.push('\u{2421}'),
            _ => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
        }
    }
    Cow::Owned(out)
}

/// Text with pictures of the characters that would act.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    written(text, acts)
}

/// The same within a line: line breaks and tabs are pictures, too.
pub(crate) fn in_line(text: &str) -> Cow<'_, str> {
    written(text, |c| acts(c) || c == '\n' || c == '\t')
}

/// Text as a fenced block of Markdown that nothing in it can end.
pub(crate) fn fence(text: &str, language: &str) -> String {
    let longest = text
        .split(|c| c != '`')
        .map(str::len)
        .max()
        .unwrap_or_default();
    let marks = "`".repeat(longest.max(2) + 1);
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!("{marks}{language}\n{text}{end}{marks}")
}

/// Text as code within a line of Markdown, or a cell of a table.
pub(crate) fn code(text: &str) -> String {
    let text = text.replace(['\n', '\r'], " ");
    if text.is_empty() {
        return text;
    }
    let is_plain = !text.contains(['`', '|', '\\']) && text.trim() == text;
    // Marks of Markdown's own cannot hold these everywhere.
    if is_plain {
        format!("`{text}`")
    } else {
        tag(&text)
    }
}

/// The same as HTML, which also holds where there is no Markdown: named characters
/// mean nothing but themselves.
pub(crate) fn tag(text: &str) -> String {
    let mut out = String::from("<code>");
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '/' | '-' | '.' | ':' | '=' => out.push(c),
            c if c.is_ascii_punctuation() => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push_str("</code>");
    without_links(&out)
}

/// Addresses as text: GitHub makes links of them, which reach over the marks of
/// code behind them, and what was code is HTML.
fn without_links(text: &str) -> String {
    text.replace("://", "&#58;//").replace("www.", "www&#46;")
}

/// A message, whose values are in backticks already, on one line of Markdown and
/// without anything that it, or HTML, would take for more than text.
///
/// Where code begins and ends is what Markdown makes of it: a run of backticks ends
/// at the next one of the same length, and is text where there is none.
pub(crate) fn plain(text: &str) -> String {
    let text = text.replace(['\n', '\r'], " ");
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, from)) = rest.find('`').map(|at| rest.split_at(at)) {
        escape(before, &mut out);
        let inside = from.trim_start_matches('`');
        let run = from.len() - inside.len();
        if let Some((content, after)) = until_run(inside, run) {
            let bare = content.strip_prefix(' ').and_then(|c| c.strip_suffix(' '));
            out.push_str(&code(bare.filter(|c| !c.is_empty()).unwrap_or(content)));
            rest = after;
        } else {
            out.push_str(&"&#96;".repeat(run));
            rest = inside;
        }
    }
    escape(rest, &mut out);
    out
}

/// What stands before the next run of exactly so many backticks, and behind it.
fn until_run(text: &str, length: usize) -> Option<(&str, &str)> {
    let mut at = 0;
    while let Some(found) = text.get(at..)?.find('`') {
        let (content, from) = text.split_at(at + found);
        let after = from.trim_start_matches('`');
        if from.len() - after.len() == length {
            return Some((content, after));
        }
        at = text.len() - after.len();
    }
    None
}

fn escape(text: &str, out: &mut String) {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // Nobody is told of a comment because an object is named so.
            '@' => escaped.push_str("@\u{200B}"),
            '*' | '_' | '[' | ']' | '#' | '|' | '\\' | '~' => {
                escaped.push('\\');
                escaped.push(c);
            }
            c => escaped.push(c),
        }
    }
    out.push_str(&without_links(&escaped));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_block_but_its_end() {
        assert_eq!(fence("a\n", "diff"), "```diff\na\n```");
        assert_eq!(fence("a ```` b", ""), "`````\na ```` b\n`````");
        assert_eq!(code("a b"), "`a b`");
        assert_eq!(code(""), "");
        assert_eq!(code("a`b"), "<code>a&#96;b</code>");
        assert_eq!(code("``|"), "<code>&#96;&#96;&#124;</code>");
        // Two line breaks would end the HTML around it.
        assert_eq!(tag("a\n\n@org/team"), "<code>a  &#64;org/team</code>");
        assert_eq!(tag("</code><b>"), "<code>&#60;/code&#62;&#60;b&#62;</code>");
        assert_eq!(
            plain("<b> `a_b` @team *x* | [y](z) \\"),
            "&lt;b&gt; `a_b` @\u{200B}team \\*x\\* \\| \\[y\\](z) \\\\"
        );
    }

    /// A value with backticks does not turn the rest of a message into something
    /// else.
    #[test]
    fn values_with_backticks_stay_values() {
        for (text, expected) in [
            (
                "from `x``` to `<img>`",
                "from <code>x&#96;&#96;&#96; to </code>&lt;img&gt;&#96;",
            ),
            ("`a``b <i>`", "<code>a&#96;&#96;b &#60;i&#62;</code>"),
            ("`\\|<i>|`", "<code>&#92;&#124;&#60;i&#62;&#124;</code>"),
            ("`` a`b ``", "<code>a&#96;b</code>"),
            ("`a", "&#96;a"),
            ("``", "&#96;&#96;"),
            ("http://e`<img>` www.e", "http&#58;//e`<img>` www&#46;e"),
            ("``` @team", "&#96;&#96;&#96; @\u{200B}team"),
        ] {
            assert_eq!(plain(text), expected, "{text}");
        }
    }

    #[test]
    fn what_acts_is_shown() {
        assert_eq!(visible("a\nb\tc"), "a\nb\tc");
        assert_eq!(
            visible("\u{1b}[31m\r\u{7f}\u{9b}\u{202e}"),
            "␛[31m␍␡\\u{9b}\\u{202e}"
        );
        assert_eq!(in_line("a\nb\tc\u{2028}"), "a␊b␉c\\u{2028}");
    }
}
