//! Regular expressions, in Go's syntax.
//!
//! Compat: sprig 3.3.0 `regex.go`. A pattern is compiled once for an
//! execution.

use std::rc::Rc;

use crate::gostd::regexp::{self, Regexp};
use crate::gotmpl::exec::Context;
use crate::gotmpl::function::{CallError, CallResult, Function, Int, function};
use crate::gotmpl::value::{List, ListType, Text};

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    function!("regexMatch", with regex_match(pattern, text), "Whether the pattern matches somewhere in the text; false where it is none."),
    function!("mustRegexMatch", with must_regex_match(pattern, text), "As `regexMatch`; an error where the pattern is none."),
    function!("regexFind", with find(pattern, text), "The first match; an empty text where there is none."),
    function!("mustRegexFind", with must_find(pattern, text), "As `regexFind`."),
    function!("regexFindAll", with find_all(pattern, text, number), "All matches, or no more than a number that is not negative."),
    function!("mustRegexFindAll", with must_find_all(pattern, text, number), "As `regexFindAll`."),
    function!("regexReplaceAll", with replace_all(pattern, text, replacement), "The text with matches replaced; `${1}` in the replacement is the first group."),
    function!("mustRegexReplaceAll", with must_replace_all(pattern, text, replacement), "As `regexReplaceAll`."),
    function!("regexReplaceAllLiteral", with replace_all_literal(pattern, text, replacement), "The text with matches replaced by the replacement as it is."),
    function!("mustRegexReplaceAllLiteral", with must_replace_all_literal(pattern, text, replacement), "As `regexReplaceAllLiteral`."),
    function!("regexSplit", with split(pattern, text, number), "The parts between matches, all or no more than a number that is not negative."),
    function!("mustRegexSplit", with must_split(pattern, text, number), "As `regexSplit`."),
    function!(
        "regexQuoteMeta",
        regex_quote_meta(text),
        "A pattern that matches the text itself."
    ),
];

/// How many compiled patterns are kept; one with its scratch memory may take a
/// few megabytes.
const MAX_PATTERNS: usize = 100;

/// The compiled pattern; an error is Go's message, of `Compile` or, with a
/// panic, of `MustCompile`.
fn compiled(context: &mut Context<'_>, pattern: &Text, must: bool) -> CallResult<Rc<Regexp>> {
    let pattern = pattern.to_str();
    if let Some(regexp) = context.machine.patterns.get(&*pattern) {
        return Ok(regexp.clone());
    }
    // Compiling takes much longer than the text is, and much more memory.
    context.take_steps(2000 + pattern.len() as u64 * 100)?;
    if context.machine.patterns.len() >= MAX_PATTERNS {
        context.machine.patterns.clear();
    }
    let regexp = Regexp::new(&pattern).map_err(|e| {
        CallError::new(if must {
            let shown = if crate::gostd::strconv::can_backquote(&pattern) {
                format!("`{pattern}`")
            } else {
                crate::gostd::strconv::quote(&pattern)
            };
            format!("regexp: Compile({shown}): {e}")
        } else {
            e.to_string()
        })
    })?;
    let regexp = Rc::new(regexp);
    context
        .machine
        .patterns
        .insert(pattern.as_ref().into(), regexp.clone());
    Ok(regexp)
}

/// Counts the steps that matching takes.
fn look_at(context: &mut Context<'_>, text: &Text, regexp: &Regexp) -> CallResult<()> {
    let cost = 1 + text.len() as u64 / 64;
    context.take_steps(cost.saturating_mul(1 + regexp.as_str().len() as u64 / 64))
}

fn regex_match(context: &mut Context<'_>, pattern: Text, text: Text) -> CallResult<bool> {
    match must_regex_match(context, pattern, text) {
        Err(CallError::Message(_)) => Ok(false),
        other => other,
    }
}

fn must_regex_match(context: &mut Context<'_>, pattern: Text, text: Text) -> CallResult<bool> {
    let regexp = compiled(context, &pattern, false)?;
    look_at(context, &text, &regexp)?;
    Ok(regexp.is_match(&text.to_str()))
}

macro_rules! with_pattern {
    ($name:ident, $must:ident, $apply:ident ($($argument:ident: $kind:ty),*) -> $result:ty) => {
        fn $name(context: &mut Context<'_>, pattern: Text, text: Text $(, $argument: $kind)*) -> CallResult<$result> {
            let regexp = compiled(context, &pattern, true)?;
            look_at(context, &text, &regexp)?;
            $apply(context, &regexp, &text $(, $argument)*)
        }

        fn $must(context: &mut Context<'_>, pattern: Text, text: Text $(, $argument: $kind)*) -> CallResult<$result> {
            let regexp = compiled(context, &pattern, false)?;
            look_at(context, &text, &regexp)?;
            $apply(context, &regexp, &text $(, $argument)*)
        }
    };
}

with_pattern!(find, must_find, first() -> Text);
with_pattern!(find_all, must_find_all, all(number: Int) -> List);
with_pattern!(replace_all, must_replace_all, replaced(replacement: Text) -> String);
with_pattern!(replace_all_literal, must_replace_all_literal, replaced_literally(replacement: Text) -> String);
with_pattern!(split, must_split, parts(number: Int) -> List);

fn first(_: &mut Context<'_>, regexp: &Regexp, text: &Text) -> CallResult<Text> {
    let text = text.to_str();
    let found = regexp.find(&text).and_then(|range| text.get(range));
    Ok(found.unwrap_or_default().into())
}

fn all(context: &mut Context<'_>, regexp: &Regexp, text: &Text, number: Int) -> CallResult<List> {
    let text = text.to_str();
    let mut found = Vec::new();
    for range in regexp.find_all(&text).take(at_most(number)) {
        behind(context, regexp, &text, &range)?;
        context.take_bytes(size_of::<crate::gotmpl::Value>() + range.len())?;
        found.push(text.get(range).unwrap_or_default());
    }
    Ok(if found.is_empty() {
        List::nil(ListType::TEXTS)
    } else {
        List::texts(found)
    })
}

/// How many matches are wanted: all, where the number is negative.
fn at_most(number: Int) -> usize {
    usize::try_from(number.0).unwrap_or(usize::MAX)
}

/// Counts what finding one of several matches may have looked at behind it; all
/// of them together look at a long text as often as there are matches.
fn behind(
    context: &mut Context<'_>,
    regexp: &Regexp,
    text: &str,
    found: &std::ops::Range<usize>,
) -> CallResult<()> {
    if !regexp.may_look_far() {
        return Ok(());
    }
    context.take_steps((text.len() - found.end.min(text.len())) as u64 / 48)
}

/// Counts the bytes that replacing can make.
fn grow(
    context: &mut Context<'_>,
    regexp: &Regexp,
    text: &str,
    replacement: &str,
) -> CallResult<()> {
    let mut matches: usize = 0;
    for found in regexp.find_all(text) {
        matches += 1;
        // They are found again to be replaced.
        behind(context, regexp, text, &found)?;
        behind(context, regexp, text, &found)?;
    }
    // A group in the replacement may stand for the whole text.
    let groups = replacement.matches('$').count();
    let each = replacement
        .len()
        .saturating_add(groups.saturating_mul(text.len() / matches.max(1) + 1));
    context.take_bytes(text.len().saturating_add(matches.saturating_mul(each)))
}

fn replaced(
    context: &mut Context<'_>,
    regexp: &Regexp,
    text: &Text,
    replacement: Text,
) -> CallResult<String> {
    let (text, replacement) = (text.to_str(), replacement.to_str());
    grow(context, regexp, &text, &replacement)?;
    Ok(regexp.replace_all(&text, &replacement))
}

fn replaced_literally(
    context: &mut Context<'_>,
    regexp: &Regexp,
    text: &Text,
    replacement: Text,
) -> CallResult<String> {
    let (text, replacement) = (text.to_str(), replacement.to_str());
    grow(context, regexp, &text, &replacement)?;
    Ok(regexp.replace_all_literal(&text, &replacement))
}

fn parts(context: &mut Context<'_>, regexp: &Regexp, text: &Text, number: Int) -> CallResult<List> {
    let text = text.to_str();
    if number.0 == 0 {
        return Ok(List::nil(ListType::TEXTS));
    }
    for found in regexp.find_all(&text).take(at_most(number)) {
        behind(context, regexp, &text, &found)?;
        behind(context, regexp, &text, &found)?;
    }
    let parts = regexp.split(&text, number.0);
    context.take_bytes(text.len() + parts.len() * size_of::<crate::gotmpl::Value>())?;
    Ok(List::texts(parts))
}

fn regex_quote_meta(text: Text) -> String {
    regexp::quote_meta(&text.to_str())
}
