//! Texts: cut, joined, padded, searched.
//!
//! Compat: sprig 3.3.0 `strings.go`, `functions.go`; `strings` of Go; the
//! library `Masterminds/goutils` 1.1.1.

use std::collections::BTreeSet;

use super::case;
use super::convert::{count, strslice, strval};
use crate::gotmpl::exec::Context;
use crate::gotmpl::function::{CallError, CallResult, Function, Int, Rest, function};
use crate::gotmpl::value::{List, Map, MapType, Text, Value};

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    function!(
        "trim",
        trim(text),
        "The text without blanks and line breaks around it."
    ),
    function!("trimAll", with trim_all(characters, text), "The text without any of the characters around it."),
    function!("trimall", with trim_all(characters, text), "Older name of `trimAll`."),
    function!(
        "trimPrefix",
        trim_prefix(prefix, text),
        "The text without that beginning."
    ),
    function!(
        "trimSuffix",
        trim_suffix(suffix, text),
        "The text without that end."
    ),
    function!(
        "nospace",
        nospace(text),
        "The text without any blanks and line breaks."
    ),
    function!(
        "trunc",
        trunc(length, text),
        "The first bytes of the text; the last ones where the length is negative."
    ),
    function!(
        "substr",
        substr(start, end, text),
        "The bytes from `start` to before `end`; a negative start counts from the beginning, a negative end means all the rest."
    ),
    function!(
        "abbrev",
        abbrev(width, text),
        "The text cut to that width, with `...` at its end."
    ),
    function!(
        "abbrevboth",
        abbrevboth(left, right, text),
        "The text cut on both sides, with `...` there."
    ),
    function!("repeat", with repeat(times, text), "The text that many times."),
    function!("replace", with replace(old, new, text), "The text with each `old` replaced by `new`."),
    function!(
        "contains",
        contains(part, text),
        "Whether the text holds that part."
    ),
    function!(
        "hasPrefix",
        has_prefix(prefix, text),
        "Whether the text begins so."
    ),
    function!(
        "hasSuffix",
        has_suffix(suffix, text),
        "Whether the text ends so."
    ),
    function!("quote", with quote(value), "The values in double quotes, with Go's escapes, blanks between; nil is left out."),
    function!("squote", with squote(value), "The values in single quotes, without escapes, blanks between; nil is left out."),
    function!("cat", with cat(value), "The values with blanks between; nil is left out."),
    function!("indent", with indent(spaces, text), "The text with that many blanks before each line."),
    function!("nindent", with nindent(spaces, text), "As `indent`, behind a line break."),
    function!("wrap", with wrap(width, text), "The text with line breaks instead of blanks, so that lines fit the width; long words stay whole."),
    function!("wrapWith", with wrap_with(width, separator, text), "As `wrap`, with that text between the lines; long words are cut."),
    function!(
        "plural",
        plural(one, many, number),
        "`one` where the number is 1, else `many`."
    ),
    function!("toString", with to_string(value), "The value as text."),
    function!("toStrings", with to_strings(list), "The items of a list as texts; nil is left out."),
    function!("join", with join(separator, list), "The items of a list as one text with separators."),
    function!("split", with split(separator, text), "The parts between separators, as a dict with the keys `_0`, `_1` and so on."),
    function!("splitn", with splitn(separator, number, text), "As `split`, with no more than that number of parts."),
    function!("splitList", with split_list(separator, text), "The parts between separators, as a list."),
    function!("sortAlpha", with sort_alpha(list), "The items of a list as texts, sorted."),
    function!("hello", hello(), "Says `Hello!`"),
];

fn hello() -> &'static str {
    "Hello!"
}

fn trim(text: Text) -> Text {
    match &text {
        Text::Utf8(inner) => {
            let trimmed = inner.trim();
            if trimmed.len() == inner.len() {
                text
            } else {
                trimmed.into()
            }
        }
        Text::Bytes(bytes) => Text::from(bytes.trim_ascii()),
    }
}

fn trim_all(context: &mut Context<'_>, characters: Text, text: Text) -> CallResult<Text> {
    let characters = characters.to_str();
    let text = text.to_str();
    context.take_steps((text.len() + characters.len()) as u64 / 64)?;
    let characters: BTreeSet<char> = characters.chars().collect();
    Ok(text.trim_matches(|c| characters.contains(&c)).into())
}

fn trim_prefix(prefix: Text, text: Text) -> Text {
    if text.as_bytes().starts_with(prefix.as_bytes()) && !prefix.is_empty() {
        text.cut(prefix.len(), text.len())
    } else {
        text
    }
}

fn trim_suffix(suffix: Text, text: Text) -> Text {
    if text.as_bytes().ends_with(suffix.as_bytes()) && !suffix.is_empty() {
        text.cut(0, text.len() - suffix.len())
    } else {
        text
    }
}

/// Compat: goes by bytes; where something is taken out, each byte beyond ASCII
/// becomes a character of its own.
fn nospace(text: Text) -> Text {
    let bytes = text.as_bytes();
    if !bytes.iter().any(|b| case::is_latin1_space(*b)) {
        return text;
    }
    let kept = bytes.iter().filter(|b| !case::is_latin1_space(**b));
    kept.map(|b| char::from(*b)).collect::<String>().into()
}

fn trunc(length: Int, text: Text) -> Text {
    let wanted = usize::try_from(length.0.unsigned_abs()).unwrap_or(usize::MAX);
    if wanted >= text.len() {
        return text;
    }
    if length.0 < 0 {
        text.cut(text.len() - wanted, text.len())
    } else {
        text.cut(0, wanted)
    }
}

fn substr(start: Int, end: Int, text: Text) -> CallResult<Text> {
    let length = text.len();
    let out_of_range =
        |what: String| CallError::new(format!("runtime error: slice bounds out of range {what}"));
    let Ok(from) = usize::try_from(start.0) else {
        return match usize::try_from(end.0) {
            Ok(to) if to <= length => Ok(text.cut(0, to)),
            Ok(to) => Err(out_of_range(format!("[:{to}] with length {length}"))),
            Err(_) => Err(out_of_range(format!("[:{}]", end.0))),
        };
    };
    match usize::try_from(end.0) {
        Ok(to) if to <= length => {
            if from > to {
                return Err(out_of_range(format!("[{from}:{to}]")));
            }
            Ok(text.cut(from, to))
        }
        _ if from > length => Err(out_of_range(format!("[{from}:{length}]"))),
        _ => Ok(text.cut(from, length)),
    }
}

fn abbrev(width: Int, text: Text) -> Text {
    if width.0 < 4 {
        return text;
    }
    let width = usize::try_from(width.0).unwrap_or(usize::MAX);
    abbreviated(&text, 0, width)
}

fn abbrevboth(left: Int, right: Int, text: Text) -> Text {
    if right.0 < 4 || left.0 > 0 && right.0 < 7 {
        return text;
    }
    let offset = usize::try_from(left.0).unwrap_or(0);
    let width = usize::try_from(right.0).unwrap_or(usize::MAX);
    abbreviated(&text, offset, width)
}

/// The text in `width` bytes, at least 4, of which those at `offset` are some.
fn abbreviated(text: &Text, offset: usize, width: usize) -> Text {
    let length = text.len();
    if length <= width {
        return text.clone();
    }
    let kept = width - 3;
    let offset = offset.min(length).min(length - kept);
    let with_dots = |before: bool, part: &[u8]| {
        let mut out = Vec::with_capacity(part.len() + 3);
        if before {
            out.extend_from_slice(b"...");
        }
        out.extend_from_slice(part);
        if !before {
            out.extend_from_slice(b"...");
        }
        Text::from(out)
    };
    let bytes = text.as_bytes();
    if offset <= 4 {
        return with_dots(false, &bytes[..kept]);
    }
    if width < 7 {
        return Text::default();
    }
    if offset + kept < length {
        let rest = abbreviated(&text.cut(offset, length), 0, kept);
        return with_dots(true, rest.as_bytes());
    }
    with_dots(true, &bytes[length - kept..])
}

fn repeat(context: &mut Context<'_>, times: Int, text: Text) -> CallResult<Text> {
    let times = count(times.0)?;
    // It is there twice while it is made.
    context.take_bytes(times.saturating_mul(text.len()).saturating_mul(2))?;
    Ok(match &text {
        Text::Utf8(text) => text.repeat(times).into(),
        Text::Bytes(bytes) => Text::from(bytes.repeat(times)),
    })
}

fn replace(context: &mut Context<'_>, old: Text, new: Text, text: Text) -> CallResult<Text> {
    let (old, new) = (old.to_str(), new.to_str());
    let whole = text.to_str();
    context.machine.meter.look_at(whole.len())?;
    if !whole.contains(&*old) {
        return Ok(text);
    }
    let found = if old.is_empty() {
        whole.len() + 1
    } else {
        whole.matches(&*old).count()
    };
    context.take_bytes(whole.len() + found.saturating_mul(new.len()))?;
    Ok(whole.replace(&*old, &new).into())
}

fn contains(part: Text, text: Text) -> bool {
    memchr::memmem::find(text.as_bytes(), part.as_bytes()).is_some()
}

fn has_prefix(prefix: Text, text: Text) -> bool {
    text.as_bytes().starts_with(prefix.as_bytes())
}

fn has_suffix(suffix: Text, text: Text) -> bool {
    text.as_bytes().ends_with(suffix.as_bytes())
}

/// The values that are not nil, each as `show` has it, with blanks between.
fn spaced(
    context: &mut Context<'_>,
    values: &[Value],
    show: impl Fn(&mut Vec<u8>, &Text),
) -> CallResult<Text> {
    let mut out = Vec::new();
    for value in values.iter().filter(|v| !matches!(v, Value::Nil)) {
        if !out.is_empty() {
            out.push(b' ');
        }
        let text = strval(context, value)?;
        let before = out.len();
        show(&mut out, &text);
        context.take_bytes(out.len() - before)?;
    }
    Ok(out.into())
}

fn quote(context: &mut Context<'_>, values: Rest<Value>) -> CallResult<Text> {
    spaced(context, &values.0, |out, text| {
        let quoted = crate::gostd::strconv::quote_bytes(text.as_bytes());
        out.extend_from_slice(quoted.as_bytes());
    })
}

fn squote(context: &mut Context<'_>, values: Rest<Value>) -> CallResult<Text> {
    // Compat: `%v` prints the bytes of a byte slice as numbers.
    let mut out = Vec::new();
    for value in values.0.iter().filter(|v| !matches!(v, Value::Nil)) {
        let text = plain(context, value)?;
        context.take_bytes(text.len() + 3)?;
        out.extend_from_slice(if out.is_empty() { b"'" } else { b" '" });
        out.extend_from_slice(text.as_bytes());
        out.push(b'\'');
    }
    Ok(out.into())
}

fn cat(context: &mut Context<'_>, values: Rest<Value>) -> CallResult<Text> {
    let mut out = Vec::new();
    let shown = values.0.iter().filter(|v| !matches!(v, Value::Nil));
    for (i, value) in shown.enumerate() {
        if i > 0 {
            out.push(b' ');
        }
        let text = plain(context, value)?;
        context.take_bytes(text.len() + 1)?;
        out.extend_from_slice(text.as_bytes());
    }
    Ok(out.into())
}

/// A value as `%v`.
fn plain(context: &mut Context<'_>, value: &Value) -> CallResult<Text> {
    match value {
        Value::Text(text) => Ok(text.clone()),
        value => {
            let mut out = String::new();
            let meter = &mut context.machine.meter;
            crate::gotmpl::print::print(&mut out, value, meter, 0)?;
            Ok(out.into())
        }
    }
}

fn indent(context: &mut Context<'_>, spaces: Int, text: Text) -> CallResult<Text> {
    indented(context, spaces, &text, "")
}

fn nindent(context: &mut Context<'_>, spaces: Int, text: Text) -> CallResult<Text> {
    indented(context, spaces, &text, "\n")
}

fn indented(context: &mut Context<'_>, spaces: Int, text: &Text, before: &str) -> CallResult<Text> {
    let spaces = count(spaces.0)?;
    let bytes = text.as_bytes();
    let lines = 1 + memchr::memchr_iter(b'\n', bytes).count();
    let length = spaces
        .saturating_mul(lines)
        .saturating_add(bytes.len() + before.len());
    context.take_bytes(length)?;
    Ok(match text {
        Text::Utf8(text) => {
            let mut out = String::with_capacity(length);
            out.push_str(before);
            let mut rest = &**text;
            loop {
                out.extend(std::iter::repeat_n(' ', spaces));
                match memchr::memchr(b'\n', rest.as_bytes()) {
                    Some(at) => {
                        out.push_str(&rest[..=at]);
                        rest = &rest[at + 1..];
                    }
                    None => break,
                }
            }
            out.push_str(rest);
            out.into()
        }
        Text::Bytes(bytes) => {
            let pad = vec![b' '; spaces];
            let mut out = Vec::with_capacity(length);
            out.extend_from_slice(before.as_bytes());
            for (i, line) in bytes.split(|b| *b == b'\n').enumerate() {
                if i > 0 {
                    out.push(b'\n');
                }
                out.extend_from_slice(&pad);
                out.extend_from_slice(line);
            }
            out.into()
        }
    })
}

fn wrap(context: &mut Context<'_>, width: Int, text: Text) -> CallResult<Text> {
    wrapped(context, width, "\n", &text, false)
}

fn wrap_with(
    context: &mut Context<'_>,
    width: Int,
    separator: Text,
    text: Text,
) -> CallResult<Text> {
    let separator = separator.to_str();
    let separator = if separator.is_empty() {
        "\n"
    } else {
        &separator
    };
    wrapped(context, width, separator, &text, true)
}

/// Breaks a text at blanks so that lines have no more than `width` bytes.
fn wrapped(
    context: &mut Context<'_>,
    width: Int,
    separator: &str,
    text: &Text,
    cut_words: bool,
) -> CallResult<Text> {
    let width = usize::try_from(width.0).unwrap_or(0).max(1);
    let mut rest = text.as_bytes();
    context.take_bytes(rest.len())?;
    let mut out = Vec::with_capacity(rest.len());
    while rest.len() > width {
        if rest[0] == b' ' {
            rest = &rest[1..];
            continue;
        }
        // The last blank that still lets the line fit, or, for a word that is
        // too long, the first one behind it.
        let within = rest[..=width].iter().rposition(|b| *b == b' ');
        let (line, skipped) = match within {
            Some(blank) => (blank, 1),
            None if cut_words => (width, 0),
            None => match rest[width..].iter().position(|b| *b == b' ') {
                Some(behind) => (width + behind, 1),
                None => break,
            },
        };
        context.take_bytes(separator.len())?;
        out.extend_from_slice(&rest[..line]);
        out.extend_from_slice(separator.as_bytes());
        rest = &rest[line + skipped..];
    }
    out.extend_from_slice(rest);
    Ok(out.into())
}

fn plural(one: Text, many: Text, number: Int) -> Text {
    if number.0 == 1 { one } else { many }
}

fn to_string(context: &mut Context<'_>, value: Value) -> CallResult<Text> {
    strval(context, &value)
}

fn to_strings(context: &mut Context<'_>, list: Value) -> CallResult<List> {
    strslice(context, &list)
}

fn join(context: &mut Context<'_>, separator: Text, list: Value) -> CallResult<Text> {
    let texts = strslice(context, &list)?;
    // Paid for before it is made: few texts may stand in many places.
    let length = texts.with(|items| {
        let lengths = items.iter().map(|item| match item {
            Value::Text(text) => text.len(),
            _ => 0,
        });
        let separators = items
            .len()
            .saturating_sub(1)
            .saturating_mul(separator.len());
        lengths.fold(separators, usize::saturating_add)
    });
    context.take_bytes(length)?;
    let mut out = Vec::with_capacity(length);
    texts.with(|items| {
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                out.extend_from_slice(separator.as_bytes());
            }
            if let Value::Text(text) = item {
                out.extend_from_slice(text.as_bytes());
            }
        }
    });
    Ok(out.into())
}

/// `strings.SplitN`; all parts where the limit is negative.
fn parts(
    context: &mut Context<'_>,
    separator: &Text,
    text: &Text,
    limit: i64,
) -> CallResult<Vec<Text>> {
    let (separator, text) = (separator.to_str(), text.to_str());
    let most = match usize::try_from(limit) {
        Ok(0) => return Ok(Vec::new()),
        Ok(most) => most,
        Err(_) => usize::MAX,
    };
    let found = if separator.is_empty() {
        text.chars().count()
    } else {
        text.matches(&*separator).count() + 1
    };
    let number = found.min(most);
    // A text of its own takes two words more than its bytes.
    context.take_bytes(text.len() + number.saturating_mul(2 * size_of::<Value>()))?;
    if separator.is_empty() {
        // Between any two characters.
        let mut parts = Vec::with_capacity(number);
        let mut rest = &*text;
        while let Some(c) = rest.chars().next() {
            if parts.len() + 1 == number {
                parts.push(rest.into());
                break;
            }
            let (first, tail) = rest.split_at(c.len_utf8());
            parts.push(first.into());
            rest = tail;
        }
        return Ok(parts);
    }
    Ok(text.splitn(number, &*separator).map(Text::from).collect())
}

fn numbered(context: &mut Context<'_>, parts: Vec<Text>) -> CallResult {
    context.take_bytes(Map::bytes(parts.len()) + 32 * parts.len())?;
    let entries = parts
        .into_iter()
        .enumerate()
        .map(|(i, part)| (Text::from(format!("_{i}")), Value::Text(part)))
        .collect();
    Ok(Map::new(MapType::TEXTS, entries).into())
}

fn split(context: &mut Context<'_>, separator: Text, text: Text) -> CallResult {
    let parts = parts(context, &separator, &text, -1)?;
    numbered(context, parts)
}

fn splitn(context: &mut Context<'_>, separator: Text, number: Int, text: Text) -> CallResult {
    let parts = parts(context, &separator, &text, number.0)?;
    numbered(context, parts)
}

fn split_list(context: &mut Context<'_>, separator: Text, text: Text) -> CallResult<List> {
    Ok(List::texts(parts(context, &separator, &text, -1)?))
}

fn sort_alpha(context: &mut Context<'_>, list: Value) -> CallResult<List> {
    if !list.is_list() {
        return Ok(List::texts([strval(context, &list)?]));
    }
    // Compat: a list of texts is sorted itself, for all who see it.
    let texts = strslice(context, &list)?;
    context.take_steps(texts.len() as u64 * 3)?;
    texts.change(|items| {
        items.sort_by(|a, b| match (a, b) {
            (Value::Text(a), Value::Text(b)) => a.cmp(b),
            _ => std::cmp::Ordering::Equal,
        });
    });
    Ok(texts)
}
