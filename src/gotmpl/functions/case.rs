//! Upper, lower and other cases of texts.
//!
//! Compat: sprig 3.3.0 `strings.go`; Go's `unicode` and `strings`; the
//! libraries `Masterminds/goutils` 1.1.1 and `huandu/xstrings` 1.5.0.

use crate::gostd::unicode::{
    self, is_lower, is_punct, is_title, is_upper, to_lower, to_title, to_upper,
};
use crate::gotmpl::exec::Context;
use crate::gotmpl::function::{CallResult, Function, function};
use crate::gotmpl::value::Text;

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    function!("upper", with upper(text), "The text in upper case."),
    function!("lower", with lower(text), "The text in lower case."),
    function!("title", with title(text), "The text with the first letter of each word in title case."),
    function!("untitle", with untitle(text), "The text with the first letter of each word in lower case."),
    function!("swapcase", with swapcase(text), "The text with lower and upper case exchanged; the first letter of a word becomes title case."),
    function!("initials", with initials(text), "The first letter of each word."),
    function!("snakecase", with snakecase(text), "`HTTPServer` as `http_server`."),
    function!("kebabcase", with kebabcase(text), "`HTTPServer` as `http-server`."),
    function!("camelcase", with camelcase(text), "`http_server` as `HttpServer`."),
];

/// Whether a byte, taken for a character, is a blank.
pub(super) fn is_latin1_space(byte: u8) -> bool {
    char::from(byte).is_whitespace()
}

/// Maps each character of a text.
fn mapped(
    context: &mut Context<'_>,
    text: &Text,
    mut map: impl FnMut(char) -> char,
) -> CallResult<Text> {
    context.take_bytes(text.len())?;
    Ok(text
        .to_str()
        .chars()
        .map(&mut map)
        .collect::<String>()
        .into())
}

fn upper(context: &mut Context<'_>, text: Text) -> CallResult<Text> {
    context.take_bytes(text.len())?;
    Ok(unicode::upper(&text.to_str()).into())
}

fn lower(context: &mut Context<'_>, text: Text) -> CallResult<Text> {
    context.take_bytes(text.len())?;
    Ok(unicode::lower(&text.to_str()).into())
}

fn title(context: &mut Context<'_>, text: Text) -> CallResult<Text> {
    context.take_bytes(text.len())?;
    Ok(unicode::title(&text.to_str()).into())
}

fn untitle(context: &mut Context<'_>, text: Text) -> CallResult<Text> {
    let mut starts = true;
    mapped(context, &text, |c| {
        if c.is_whitespace() {
            starts = true;
            c
        } else if std::mem::take(&mut starts) {
            to_lower(c)
        } else {
            c
        }
    })
}

fn swapcase(context: &mut Context<'_>, text: Text) -> CallResult<Text> {
    let mut after_blank = true;
    mapped(context, &text, |c| {
        if is_upper(c) || is_title(c) {
            after_blank = false;
            to_lower(c)
        } else if is_lower(c) {
            if std::mem::take(&mut after_blank) {
                to_title(c)
            } else {
                to_upper(c)
            }
        } else {
            after_blank = c.is_whitespace();
            c
        }
    })
}

/// Compat: goes by bytes, each taken for a character.
fn initials(context: &mut Context<'_>, text: Text) -> CallResult<Text> {
    context.take_bytes(text.len())?;
    let mut after_blank = true;
    let mut out = String::new();
    for byte in text.as_bytes() {
        if is_latin1_space(*byte) {
            after_blank = true;
        } else if std::mem::take(&mut after_blank) {
            out.push(char::from(*byte));
        }
    }
    Ok(out.into())
}

fn snakecase(context: &mut Context<'_>, text: Text) -> CallResult<Text> {
    context.take_bytes(text.len() * 8)?;
    Ok(separated(&text.to_str(), '_').into())
}

fn kebabcase(context: &mut Context<'_>, text: Text) -> CallResult<Text> {
    context.take_bytes(text.len() * 8)?;
    Ok(separated(&text.to_str(), '-').into())
}

fn is_connector(c: char) -> bool {
    matches!(c, '-' | '_') || c.is_whitespace()
}

/// A letter of a script that has cases, or might have.
fn is_alphabetic(c: char) -> bool {
    unicode::is_letter(c)
        && !matches!(c,
            '\u{4e00}'..='\u{9fcc}' | '\u{3400}'..='\u{4d85}' | '\u{20000}'..='\u{2b81d}')
}

/// What a word is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Number,
    /// Begins in upper case.
    Upper,
    /// Begins in lower case, or has no case.
    Lower,
    Connector,
    Punctuation,
    Other,
}

/// The first word of a text that is not empty, and its length.
fn first_word(text: &str) -> (Word, usize) {
    let run = |belongs: &dyn Fn(char) -> bool| text.find(|c| !belongs(c)).unwrap_or(text.len());
    let first = text.chars().next().unwrap_or_default();
    let small = |c: char| is_alphabetic(c) && !is_upper(c);
    if is_connector(first) {
        return (Word::Connector, run(&is_connector));
    }
    if is_punct(first) {
        return (Word::Punctuation, run(&is_punct));
    }
    if is_upper(first) {
        let capitals = run(&is_upper);
        let rest = &text[capitals..];
        let single = capitals == first.len_utf8();
        if single {
            let tail = rest.find(|c| !small(c)).unwrap_or(rest.len());
            return (Word::Upper, capitals + tail);
        }
        // The last capital of `HTTPServer` belongs to the next word.
        let begins_next = rest.chars().next().is_some_and(is_alphabetic);
        let last = text[..capitals]
            .chars()
            .next_back()
            .map_or(0, char::len_utf8);
        return (Word::Upper, capitals - if begins_next { last } else { 0 });
    }
    if is_alphabetic(first) {
        return (Word::Lower, run(&small));
    }
    if unicode::is_number(first) {
        return (Word::Number, run(&unicode::is_number));
    }
    let other =
        |c: char| !is_connector(c) && !is_alphabetic(c) && !unicode::is_number(c) && !is_punct(c);
    (Word::Other, run(&other))
}

/// The words of a text in lower case, with a connector between.
///
/// Compat: numbers belong to the word before them, unless lower case follows:
/// then they begin a new one.
fn separated(text: &str, connector: char) -> String {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (kind, length) = first_word(rest);
        let (word, tail) = rest.split_at(length);
        words.push((kind, word));
        rest = tail;
    }
    let mut out = String::with_capacity(text.len() + words.len());
    let write = |out: &mut String, (kind, word): (Word, &str)| match kind {
        Word::Upper => out.extend(
            word.chars()
                .map(|c| if is_upper(c) { to_lower(c) } else { c }),
        ),
        Word::Connector => out.extend(word.chars().map(|_| connector)),
        _ => out.push_str(word),
    };
    let joins = |kind: Word| matches!(kind, Word::Lower | Word::Number);
    let separates = |next: Option<&(Word, &str)>| {
        next.is_some_and(|(kind, _)| !matches!(kind, Word::Connector | Word::Punctuation))
    };
    let mut i = 0;
    while let Some(&word) = words.get(i) {
        write(&mut out, word);
        i += 1;
        let next = words.get(i);
        match word.0 {
            Word::Connector | Word::Punctuation => {}
            Word::Number => {
                i = write_while(&words, i, &mut out, &write, &joins);
                if separates(words.get(i)) {
                    out.push(connector);
                }
            }
            _ => match next {
                Some(&(Word::Number, number)) => match words.get(i + 1) {
                    None => {}
                    Some((Word::Lower, _)) => {
                        out.push(connector);
                        out.push_str(number);
                        i = write_while(&words, i + 1, &mut out, &write, &joins);
                        if separates(words.get(i)) {
                            out.push(connector);
                        }
                    }
                    behind => {
                        out.push_str(number);
                        i += 1;
                        if separates(behind) {
                            out.push(connector);
                        }
                    }
                },
                next => {
                    if separates(next) {
                        out.push(connector);
                    }
                }
            },
        }
    }
    out
}

/// Writes words as long as they are wanted, and gives the first that is not.
fn write_while<'t>(
    words: &[(Word, &'t str)],
    mut at: usize,
    out: &mut String,
    write: &impl Fn(&mut String, (Word, &'t str)),
    wanted: &impl Fn(Word) -> bool,
) -> usize {
    while let Some(&word) = words.get(at).filter(|(kind, _)| wanted(*kind)) {
        write(out, word);
        at += 1;
    }
    at
}

/// Words joined without connectors, each with a capital.
fn camelcase(context: &mut Context<'_>, text: Text) -> CallResult<Text> {
    context.take_bytes(text.len())?;
    Ok(camel(&text.to_str()).into())
}

fn camel(text: &str) -> String {
    let body = text.trim_start_matches(is_connector);
    // Connectors at the beginning stay.
    let mut out = text[..text.len() - body.len()].to_owned();
    let mut chars = body.chars();
    let Some(first) = chars.next() else {
        // Compat: of connectors alone, the last is written twice.
        out.extend(text.chars().next_back());
        return out;
    };
    let mut pending = to_upper(first);
    let mut in_capitals = is_upper(first);
    for mut c in chars {
        match (is_connector(pending), is_connector(c)) {
            (true, true) => {
                out.push(pending);
                pending = c;
                continue;
            }
            (true, false) => {
                in_capitals = is_upper(c);
                c = to_upper(c);
            }
            (false, _) => {
                // Capitals behind the first one of a word become small.
                if in_capitals && is_upper(c) {
                    c = to_lower(c);
                } else {
                    in_capitals = false;
                }
                out.push(pending);
            }
        }
        pending = c;
    }
    out.push(pending);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        // From Helm 4.3.1: snakecase and camelcase.
        for (text, snake, camel_case) in [
            ("FirstName", "first_name", "FirstName"),
            ("HTTPServer", "http_server", "Httpserver"),
            ("NoHTTPS", "no_https", "NoHTTPS"),
            ("GO PATH", "go_path", "GoPath"),
            ("GO-PATH", "go_path", "GoPath"),
            ("http2xx", "http_2xx", "Http2xx"),
            ("HTTP20xOK", "http_20x_ok", "Http20xOK"),
            ("Duration2m3s", "duration_2m3s", "Duration2m3s"),
            ("Bld4Floor3rd", "bld4_floor_3rd", "Bld4Floor3rd"),
            ("_camel_case", "_camel_case", "_CamelCase"),
            ("_complex__case_", "_complex__case_", "_Complex_Case_"),
            ("no_https", "no_https", "NoHttps"),
            ("all", "all", "All"),
            ("a", "a", "A"),
            ("", "", ""),
            ("--", "__", "---"),
            ("a.b", "a.b", "A.b"),
            ("12ab", "12ab", "12ab"),
            ("x1", "x1", "X1"),
            ("日本go", "日本_go", "日本go"),
        ] {
            assert_eq!(separated(text, '_'), snake, "{text}");
            assert_eq!(camel(text), camel_case, "{text}");
        }
    }
}
