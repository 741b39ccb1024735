//! Replacing matches, and the templates of what replaces them.

use super::{Regexp, Submatches};
use crate::gostd::unicode;

impl Regexp {
    /// `ReplaceAllString`: `$1`, `${1}`, `$name` and `${name}` in the template
    /// stand for groups, `$$` for a dollar sign.
    pub fn replace_all(&self, text: &str, template: &str) -> String {
        let parts = template_parts(template);
        self.replace_all_with(text, |text, groups| {
            let mut out = String::new();
            self.expand(&parts, text, groups, &mut out);
            out
        })
    }

    /// `ReplaceAllLiteralString`: the replacement as it is.
    pub fn replace_all_literal(&self, text: &str, replacement: &str) -> String {
        self.replace_all_with(text, |_, _| replacement.to_owned())
    }

    /// Replaces each match by what `replacement` makes of the text and the
    /// places of the groups in it.
    pub fn replace_all_with(
        &self,
        text: &str,
        mut replacement: impl FnMut(&str, &Submatches) -> String,
    ) -> String {
        let mut out = String::new();
        let mut copied = 0;
        self.each_match(text, |locations| {
            let groups = self.submatches(locations);
            if let Some(Some(whole)) = groups.first() {
                out.push_str(text.get(copied..whole.start).unwrap_or_default());
                out.push_str(&replacement(text, &groups));
                copied = whole.end;
            }
        });
        out.push_str(text.get(copied..).unwrap_or_default());
        out
    }

    /// Calls back for each match in turn. An empty match right after another one
    /// does not count.
    pub(super) fn each_match(&self, text: &str, mut found: impl FnMut(&regex::CaptureLocations)) {
        let Some(regex) = self.engines.of(text) else {
            return;
        };
        let mut locations = regex.capture_locations();
        let mut from = 0;
        let mut last_end = None;
        while from <= text.len() {
            let Some(whole) = regex.captures_read_at(&mut locations, text, from) else {
                return;
            };
            let is_adjacent = whole.is_empty() && last_end == Some(whole.start());
            if !is_adjacent {
                found(&locations);
            }
            last_end = Some(whole.end());
            from = if whole.end() == from {
                let next = text.get(from..).and_then(|rest| rest.chars().next());
                from + next.map_or(1, char::len_utf8)
            } else {
                whole.end()
            };
        }
    }

    fn expand(&self, parts: &[Part<'_>], text: &str, groups: &Submatches, out: &mut String) {
        for part in parts {
            let range = match part {
                Part::Text(text) => {
                    out.push_str(text);
                    continue;
                }
                Part::Number(number) => groups.get(*number).cloned().flatten(),
                // Of groups that share a name, the first that took part.
                Part::Name(name) => self
                    .names
                    .iter()
                    .zip(groups)
                    .filter(|(n, _)| n.as_deref() == Some(name))
                    .find_map(|(_, range)| range.clone()),
            };
            if let Some(range) = range {
                out.push_str(text.get(range).unwrap_or_default());
            }
        }
    }
}

/// A part of a template.
#[derive(Debug, PartialEq, Eq)]
enum Part<'t> {
    Text(&'t str),
    Number(usize),
    Name(&'t str),
}

fn template_parts(mut template: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    while let Some((before, after)) = template.split_once('$') {
        parts.push(Part::Text(before));
        if let Some(rest) = after.strip_prefix('$') {
            parts.push(Part::Text("$"));
            template = rest;
        } else if let Some((part, rest)) = reference(after) {
            parts.push(part);
            template = rest;
        } else {
            // Not a reference: the dollar sign is itself.
            parts.push(Part::Text("$"));
            template = after;
        }
    }
    parts.push(Part::Text(template));
    parts
}

/// What a dollar sign refers to, and the text after it. Without braces a name
/// is as long as it can be: `$1x` is a group named `1x`.
fn reference(text: &str) -> Option<(Part<'_>, &str)> {
    let (text, is_braced) = match text.strip_prefix('{') {
        Some(text) => (text, true),
        None => (text, false),
    };
    let end = text
        .find(|c| !(c == '_' || unicode::is_letter(c) || unicode::is_digit(c)))
        .unwrap_or(text.len());
    let (name, mut rest) = text.split_at_checked(end)?;
    if name.is_empty() {
        return None;
    }
    if is_braced {
        rest = rest.strip_prefix('}')?;
    }
    let is_number =
        name.bytes().all(|b| b.is_ascii_digit()) && (name.len() == 1 || !name.starts_with('0'));
    let part = match name.parse() {
        // Compat: regexp.go stops to read a number after nine digits.
        Ok(number) if is_number && name.len() <= 9 => Part::Number(number),
        _ => Part::Name(name),
    };
    Some((part, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates() {
        use Part::{Name, Number, Text};
        let parts = |template| {
            let mut parts = template_parts(template);
            parts.retain(|part| *part != Text(""));
            parts
        };
        assert_eq!(
            parts("a$1-${2}b"),
            [Text("a"), Number(1), Text("-"), Number(2), Text("b")]
        );
        assert_eq!(parts("$1x$é"), [Name("1x"), Name("é")]);
        assert_eq!(parts("$$1"), [Text("$"), Text("1")]);
        assert_eq!(
            parts("$ ${ ${} ${a"),
            [
                Text("$"),
                Text(" "),
                Text("$"),
                Text("{ "),
                Text("$"),
                Text("{} "),
                Text("$"),
                Text("{a")
            ]
        );
        assert_eq!(parts("$01$0"), [Name("01"), Number(0)]);
        assert_eq!(
            parts("$123456789$1234567890"),
            [Number(123_456_789), Name("1234567890")]
        );
    }
}
