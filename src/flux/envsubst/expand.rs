//! Parts to text.

use super::parse::{Argument, Expression, Part};
use super::pattern::{BadPattern, Ends, Pattern};
use super::{ErrorKind, Output, Replacement, SubstitutionError, Use};
use crate::gostd::{strconv, unicode};

type Lookup<'l, 'v> = &'l dyn Fn(&str) -> Option<&'v str>;

pub(super) fn expand(
    text: &str,
    parts: &[Part<'_>],
    is_strict: bool,
    value: Lookup<'_, '_>,
) -> Result<Output, SubstitutionError> {
    let mut expander = Expander {
        is_strict,
        value,
        uses: Vec::new(),
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut replacements = Vec::new();
    for part in parts {
        let start = bytes.len();
        let (input, variable) = match part {
            Part::Text(text) => {
                bytes.extend_from_slice(text.as_bytes());
                continue;
            }
            Part::Dollar { at } => {
                bytes.push(b'$');
                (*at..*at + 2, None)
            }
            Part::Expression(expression) => {
                bytes.extend(expander.expression(expression)?);
                (expression.input.clone(), Some(expression.variable.into()))
            }
        };
        replacements.push(Replacement {
            input,
            output: start..bytes.len(),
            variable,
        });
    }
    Ok(Output {
        bytes,
        replacements,
        uses: expander.uses,
    })
}

struct Expander<'l, 'v> {
    is_strict: bool,
    value: Lookup<'l, 'v>,
    uses: Vec<Use>,
}

impl Expander<'_, '_> {
    fn expression(&mut self, expression: &Expression<'_>) -> Result<Vec<u8>, SubstitutionError> {
        // Compat: arguments come first, whether they are needed or not.
        let arguments: Vec<Vec<u8>> = expression
            .arguments
            .iter()
            .map(|argument| match argument {
                Argument::Text(text) => Ok(text.as_bytes().to_vec()),
                Argument::Expression(inner) => self.expression(inner),
            })
            .collect::<Result<_, _>>()?;
        let error = |kind| SubstitutionError {
            kind,
            offset: expression.input.start,
        };
        let value = (self.value)(expression.variable);
        let has_default = matches!(expression.operator, "=" | ":=" | ":-" | ":?" | ":+");
        self.uses.push(Use {
            variable: expression.variable.into(),
            input: expression.input.clone(),
            is_set: value.is_some(),
            has_default,
        });
        if value.is_none() && self.is_strict && !has_default {
            return Err(error(ErrorKind::NotSet(expression.variable.into())));
        }
        apply(expression.operator, value.unwrap_or_default(), &arguments).map_err(error)
    }
}

/// What an operator makes of a value.
///
/// Compat: `funcs.go` works on bytes, and so may leave half a character.
fn apply(operator: &str, value: &str, arguments: &[Vec<u8>]) -> Result<Vec<u8>, ErrorKind> {
    let bytes = value.as_bytes();
    Ok(match (operator, arguments) {
        (",", _) => with_first(value, unicode::to_lower),
        ("^", _) => with_first(value, unicode::to_upper),
        (",,", _) => unicode::lower(value).into_bytes(),
        ("^^", _) => unicode::upper(value).into_bytes(),
        ("#", []) => value.len().to_string().into_bytes(),
        ("#", [pattern, ..]) => without_prefix(bytes, pattern, Extent::Shortest)?.to_vec(),
        ("##", [pattern, ..]) => without_prefix(bytes, pattern, Extent::Longest)?.to_vec(),
        ("%", [pattern, ..]) => without_suffix(bytes, pattern, Extent::Shortest)?,
        ("%%", [pattern, ..]) => without_suffix(bytes, pattern, Extent::Longest)?,
        (":", [position, rest @ ..]) => {
            substring(bytes, position, rest.first().map(Vec::as_slice))?.to_vec()
        }
        ("/", [old, rest @ ..]) => {
            let new = rest.first().map(Vec::as_slice).unwrap_or_default();
            replace(bytes, old, new, Some(1))
        }
        ("//", [old, rest @ ..]) => {
            let new = rest.first().map(Vec::as_slice).unwrap_or_default();
            replace(bytes, old, new, None)
        }
        ("/#", [old, new]) => match bytes.strip_prefix(&**old) {
            Some(rest) => [new, rest].concat(),
            None => bytes.to_vec(),
        },
        ("/%", [old, new]) => match bytes.strip_suffix(&**old) {
            Some(rest) => [rest, new].concat(),
            None => bytes.to_vec(),
        },
        // Compat: without a replacement they change nothing.
        ("/#" | "/%", _) => bytes.to_vec(),
        // Compat: `:?` and `:+` give a default too.
        (_, arguments) if bytes.is_empty() => arguments.concat(),
        _ => bytes.to_vec(),
    })
}

fn with_first(value: &str, change: impl Fn(char) -> char) -> Vec<u8> {
    let mut chars = value.chars();
    let first = chars.next().map(change);
    first
        .into_iter()
        .chain(chars)
        .collect::<String>()
        .into_bytes()
}

/// The bytes from a position on, which counts from the end where it is
/// negative. What is no number changes nothing.
fn substring<'b>(
    bytes: &'b [u8],
    position: &[u8],
    length: Option<&[u8]>,
) -> Result<&'b [u8], ErrorKind> {
    let number = |text: &[u8]| {
        std::str::from_utf8(text)
            .ok()
            .and_then(|t| strconv::atoi(t).ok())
    };
    let Some(position) = number(position) else {
        return Ok(bytes);
    };
    let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    let start = if position < 0 {
        size.saturating_add(position).max(0)
    } else {
        position
    };
    let end = match length.map(|text| (text, number(text))) {
        None => size,
        Some((_, None)) => return Ok(bytes),
        Some((text, Some(length))) => match start.checked_add(length) {
            Some(end) if end >= size => size,
            Some(end) if end >= start => end,
            _ => {
                let text = String::from_utf8_lossy(text);
                return Err(ErrorKind::Length(text.into()));
            }
        },
    };
    let index = |n: i64| usize::try_from(n).unwrap_or(usize::MAX);
    Ok(bytes.get(index(start)..index(end)).unwrap_or_default())
}

/// `strings.Replace`: an empty text stands before every character, and at the
/// end.
fn replace(bytes: &[u8], old: &[u8], new: &[u8], limit: Option<usize>) -> Vec<u8> {
    let mut limit = limit.unwrap_or(usize::MAX);
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    let mut is_start = true;
    while limit > 0 {
        let found = if !old.is_empty() {
            rest.windows(old.len()).position(|window| window == old)
        } else if is_start {
            Some(0)
        } else if rest.is_empty() {
            None
        } else {
            Some(width_of_first(rest))
        };
        let Some(found) = found else { break };
        let (before, after) = rest.split_at(found.min(rest.len()));
        out.extend_from_slice(before);
        out.extend_from_slice(new);
        rest = after.get(old.len()..).unwrap_or_default();
        is_start = false;
        limit -= 1;
    }
    out.extend_from_slice(rest);
    out
}

/// How many bytes the first character has; one where it is none.
fn width_of_first(bytes: &[u8]) -> usize {
    let start = bytes.get(..4).unwrap_or(bytes);
    let valid = start.utf8_chunks().next().map(|chunk| chunk.valid());
    let first = valid.and_then(|text| text.chars().next());
    first.map_or(1, char::len_utf8)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    Shortest,
    Longest,
}

/// The longest value that is tried beginning by beginning.
const MAX_TRIED_BYTES: usize = 8 << 10;

/// The bytes without the shortest or the longest beginning that matches.
/// Compat: the empty beginning never counts.
fn without_prefix<'b>(
    bytes: &'b [u8],
    pattern: &[u8],
    extent: Extent,
) -> Result<&'b [u8], ErrorKind> {
    let pattern = Pattern::new(pattern);
    let end = match pattern.plain_ends(bytes) {
        Some(Ends::None) => 0,
        Some(Ends::Some { shortest, longest }) => match extent {
            Extent::Shortest => shortest,
            Extent::Longest => longest,
        },
        None if bytes.len() > MAX_TRIED_BYTES => return Err(ErrorKind::TooLong),
        None => tried_end(bytes, &pattern, extent),
    };
    Ok(bytes.get(end..).unwrap_or_default())
}

/// Where the beginning ends that matches; zero if there is none.
fn tried_end(bytes: &[u8], pattern: &Pattern, extent: Extent) -> usize {
    let mut found = 0;
    for end in (1..=bytes.len()).rev() {
        match pattern.is_match(bytes.get(..end).unwrap_or_default()) {
            // A pattern that is wrong changes nothing.
            Err(BadPattern) => return 0,
            Ok(false) => {}
            Ok(true) => {
                found = end;
                if extent == Extent::Longest {
                    break;
                }
            }
        }
    }
    found
}

/// Compat: the library turns both texts around, pattern and all, so that
/// `[ab]` in a suffix is `]ba[`.
fn without_suffix(bytes: &[u8], pattern: &[u8], extent: Extent) -> Result<Vec<u8>, ErrorKind> {
    let reversed = reverse(bytes);
    let kept = without_prefix(&reversed, &reverse(pattern), extent)?;
    Ok(reverse(kept))
}

/// The characters in the other order; what is no character becomes U+FFFD.
fn reverse(bytes: &[u8]) -> Vec<u8> {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text.chars().rev().collect::<String>().into_bytes()
}
