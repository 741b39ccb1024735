//! Patterns of gobwas/glob, which Helm's `.Files.Glob` takes.
//!
//! `*` is any text without a separator, `**` any text, `?` one character that
//! is no separator, `[abc]`, `[!abc]`, `[a-z]` and `[!a-z]` one character, and
//! `{a,b}` one of several patterns. A backslash takes a character as it is.

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Glob(regex::Regex);

/// Why a pattern is refused; reads as the library's error does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobError(String);

impl std::fmt::Display for GlobError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for GlobError {}

impl Glob {
    /// `glob.Compile`, with the characters that `*` and `?` stop at.
    pub fn new(pattern: &str, separators: &[char]) -> Result<Glob, GlobError> {
        let mut parser = Parser {
            rest: pattern,
            not_separator: not_any_of(separators),
            out: String::from(r"(?s)\A(?:"),
            depth: 0,
        };
        parser.run()?;
        let mut out = parser.out;
        // Compat: a brace that is not closed is closed by the end.
        out.extend(std::iter::repeat_n(')', parser.depth + 1));
        out.push_str(r"\z");
        regex::RegexBuilder::new(&out)
            .nest_limit(u32::MAX)
            .build()
            .map(Glob)
            .map_err(|_| GlobError("pattern too large".to_owned()))
    }

    /// Whether the pattern matches the whole text.
    pub fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

/// A class of the characters other than these.
fn not_any_of(chars: &[char]) -> String {
    if chars.is_empty() {
        return ".".to_owned();
    }
    class(true, chars.iter().copied())
}

fn class(is_negated: bool, chars: impl Iterator<Item = char>) -> String {
    let mut out = String::from(if is_negated { "[^" } else { "[" });
    for c in chars {
        out.push_str(&code_point(c));
    }
    out.push(']');
    out
}

fn code_point(c: char) -> String {
    format!("\\x{{{:X}}}", u32::from(c))
}

struct Parser<'p> {
    rest: &'p str,
    /// A character that is no separator.
    not_separator: String,
    out: String,
    /// Braces that are open.
    depth: usize,
}

/// Deeper than any pattern that is meant, shallower than what exhausts the
/// stack of the engine's compiler.
const MAX_DEPTH: usize = 500;

impl Parser<'_> {
    fn run(&mut self) -> Result<(), GlobError> {
        while let Some(c) = self.next()? {
            match c {
                '*' if self.rest.starts_with('*') => {
                    self.rest = self.rest.get(1..).unwrap_or_default();
                    self.out.push_str(".*");
                }
                '*' => {
                    self.out.push_str(&self.not_separator);
                    self.out.push('*');
                }
                '?' => self.out.push_str(&self.not_separator),
                '[' => self.range()?,
                '{' => {
                    self.depth += 1;
                    if self.depth > MAX_DEPTH {
                        return Err(GlobError("pattern nests too deeply".to_owned()));
                    }
                    self.out.push_str("(?:");
                }
                ',' if self.depth > 0 => self.out.push('|'),
                '}' if self.depth > 0 => {
                    self.depth -= 1;
                    self.out.push(')');
                }
                '\\' => {
                    // At the end it stands for nothing.
                    if let Some(c) = self.next()? {
                        self.literal(c);
                    }
                }
                c => self.literal(c),
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<char>, GlobError> {
        let mut chars = self.rest.chars();
        let c = chars.next();
        self.rest = chars.as_str();
        if c == Some(char::REPLACEMENT_CHARACTER) {
            return Err(GlobError("could not read rune".to_owned()));
        }
        Ok(c)
    }

    fn in_range(&mut self) -> Result<char, GlobError> {
        self.next()?
            .ok_or_else(|| GlobError("unexpected end of input".to_owned()))
    }

    fn literal(&mut self, c: char) {
        self.out
            .push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
    }

    /// What follows `[`: characters, or one range.
    fn range(&mut self) -> Result<(), GlobError> {
        let is_negated = self.rest.starts_with('!');
        if is_negated {
            self.in_range()?;
        }
        let first = self.rest;
        let low = self.in_range()?;
        if self.rest.starts_with('-') {
            self.in_range()?;
            let high = self.in_range()?;
            self.close_range()?;
            if high < low {
                return Err(GlobError(format!(
                    "hi character '{high}' should be greater than lo '{low}'"
                )));
            }
            let not = if is_negated { "^" } else { "" };
            let (low, high) = (code_point(low), code_point(high));
            self.out.push_str(&format!("[{not}{low}-{high}]"));
            return Ok(());
        }
        self.rest = first;
        let mut chars = Vec::new();
        while !self.rest.starts_with(']') {
            let mut c = self.in_range()?;
            if c == '\\' {
                c = self.in_range()?;
            }
            chars.push(c);
        }
        self.close_range()?;
        if chars.is_empty() {
            return Err(GlobError("could not parse range".to_owned()));
        }
        self.out.push_str(&class(is_negated, chars.into_iter()));
        Ok(())
    }

    fn close_range(&mut self) -> Result<(), GlobError> {
        if self.in_range()? == ']' {
            Ok(())
        } else {
            Err(GlobError("expected close range character".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Answers {
        globs: Vec<Answer>,
    }

    #[derive(Deserialize)]
    struct Answer {
        #[serde(rename = "p")]
        pattern: String,
        #[serde(rename = "e")]
        error: String,
        #[serde(rename = "t")]
        texts: BTreeMap<String, bool>,
    }

    #[test]
    fn as_the_library_answers() {
        let answers: Answers =
            serde_json::from_str(include_str!("../../testdata/gostd/glob.json")).unwrap();
        assert!(answers.globs.len() > 100);
        for answer in &answers.globs {
            let pattern = &answer.pattern;
            match Glob::new(pattern, &['/']) {
                Err(e) => assert_eq!(e.to_string(), answer.error, "{pattern}"),
                Ok(glob) => {
                    assert_eq!(answer.error, "", "{pattern}");
                    for (text, is_match) in &answer.texts {
                        assert_eq!(glob.is_match(text), *is_match, "{pattern} on {text}");
                    }
                }
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn no_pattern_panics(pattern in r"([*?\[\]!{},\\a/-]|\PC){0,16}", name in r"\PC{0,8}") {
            if let Ok(glob) = Glob::new(&pattern, &['/']) {
                let _ = glob.is_match(&name);
            }
        }
    }
}
