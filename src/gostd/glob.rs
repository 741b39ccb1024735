//! Patterns of gobwas/glob, which Helm's `.Files.Glob` takes.
//!
//! `*` is any text without a separator, `**` any text, `?` one character that
//! is no separator, `[abc]`, `[!abc]`, `[a-z]` and `[!a-z]` one character, and
//! `{a,b}` one of several patterns. A backslash takes a character as it is.
//!
//! A pattern is compiled to steps, and all steps that may come next are followed
//! at once, so that matching takes time in proportion to pattern and text.

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Glob {
    steps: Vec<Step>,
    separators: Box<[char]>,
}

/// A step of a pattern; steps are named by their numbers.
#[derive(Clone, Debug)]
enum Step {
    /// Reads this character.
    One(char),
    /// Reads any character, or any but a separator.
    Any { separators: bool },
    /// Reads a character of a set, or one outside of it.
    Of { set: Set, is_negated: bool },
    /// Goes on at one of these, without reading.
    Either(Vec<usize>),
    /// The end of the pattern.
    End,
}

#[derive(Clone, Debug)]
enum Set {
    Chars(Box<[char]>),
    Range(char, char),
}

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
    ///
    /// # Errors
    ///
    /// What the library refuses, and braces that nest deeper than any that are
    /// meant.
    pub fn new(pattern: &str, separators: &[char]) -> Result<Glob, GlobError> {
        let mut parser = Parser {
            rest: pattern,
            steps: Vec::new(),
            open: Vec::new(),
        };
        parser.run()?;
        Ok(Glob {
            steps: parser.steps,
            separators: separators.into(),
        })
    }

    /// Whether the pattern matches the whole text.
    pub fn is_match(&self, text: &str) -> bool {
        let mut here = Reached::new(self.steps.len());
        let mut next = Reached::new(self.steps.len());
        self.reach(0, &mut here);
        for c in text.chars() {
            for &at in &here.steps {
                let is_read = match self.steps.get(at) {
                    Some(Step::One(wanted)) => *wanted == c,
                    Some(Step::Any { separators }) => *separators || !self.separators.contains(&c),
                    Some(Step::Of { set, is_negated }) => set.holds(c) != *is_negated,
                    Some(Step::Either(_) | Step::End) | None => false,
                };
                if is_read {
                    self.reach(at + 1, &mut next);
                }
            }
            std::mem::swap(&mut here, &mut next);
            next.clear();
            if here.steps.is_empty() {
                return false;
            }
        }
        let ends = |at: &usize| matches!(self.steps.get(*at), Some(Step::End));
        here.steps.iter().any(ends)
    }

    /// Adds a step, and those that it leads to without reading.
    fn reach(&self, step: usize, reached: &mut Reached) {
        let mut ahead = vec![step];
        while let Some(step) = ahead.pop() {
            if reached.add(step)
                && let Some(Step::Either(ways)) = self.steps.get(step)
            {
                ahead.extend(ways);
            }
        }
    }
}

impl Set {
    fn holds(&self, c: char) -> bool {
        match self {
            Set::Chars(chars) => chars.contains(&c),
            Set::Range(low, high) => (*low..=*high).contains(&c),
        }
    }
}

/// Steps that may come next, each once.
struct Reached {
    steps: Vec<usize>,
    is_in: Vec<bool>,
}

impl Reached {
    fn new(count: usize) -> Reached {
        Reached {
            steps: Vec::new(),
            is_in: vec![false; count],
        }
    }

    /// Whether it was not there.
    fn add(&mut self, step: usize) -> bool {
        match self.is_in.get_mut(step) {
            Some(is_in) if !*is_in => {
                *is_in = true;
                self.steps.push(step);
                true
            }
            _ => false,
        }
    }

    fn clear(&mut self) {
        self.steps.clear();
        self.is_in.fill(false);
    }
}

struct Parser<'p> {
    rest: &'p str,
    steps: Vec<Step>,
    /// The braces that are open.
    open: Vec<Braces>,
}

/// Braces that are not closed.
struct Braces {
    /// The step that leads to each of the patterns in them.
    start: usize,
    /// The steps behind each of the patterns that end already.
    ends: Vec<usize>,
}

/// Deeper than any pattern that is meant.
const MAX_DEPTH: usize = 500;

impl Parser<'_> {
    fn run(&mut self) -> Result<(), GlobError> {
        while let Some(c) = self.next()? {
            match c {
                '*' => {
                    let separators = self.rest.starts_with('*');
                    if separators {
                        self.rest = self.rest.get(1..).unwrap_or_default();
                    }
                    // Any number of times: onwards, or through the next step and
                    // back here.
                    let here = self.steps.len();
                    self.steps.push(Step::Either(vec![here + 1, here + 3]));
                    self.steps.push(Step::Any { separators });
                    self.steps.push(Step::Either(vec![here]));
                }
                '?' => self.steps.push(Step::Any { separators: false }),
                '[' => self.range()?,
                '{' => {
                    if self.open.len() >= MAX_DEPTH {
                        return Err(GlobError("pattern nests too deeply".to_owned()));
                    }
                    let start = self.steps.len();
                    self.steps.push(Step::Either(vec![start + 1]));
                    self.open.push(Braces {
                        start,
                        ends: Vec::new(),
                    });
                }
                ',' if !self.open.is_empty() => self.alternative(),
                '}' if !self.open.is_empty() => self.close(),
                '\\' => {
                    // At the end it stands for nothing.
                    if let Some(c) = self.next()? {
                        self.steps.push(Step::One(c));
                    }
                }
                c => self.steps.push(Step::One(c)),
            }
        }
        // Compat: a brace that is not closed is closed by the end.
        while !self.open.is_empty() {
            self.close();
        }
        self.steps.push(Step::End);
        Ok(())
    }

    /// Ends one of the patterns in braces, and begins another.
    fn alternative(&mut self) {
        let end = self.steps.len();
        self.steps.push(Step::Either(Vec::new()));
        if let Some(braces) = self.open.last_mut() {
            braces.ends.push(end);
            if let Some(Step::Either(ways)) = self.steps.get_mut(braces.start) {
                ways.push(end + 1);
            }
        }
    }

    /// Closes the innermost braces: all patterns in them go on behind them.
    fn close(&mut self) {
        let behind = self.steps.len();
        for end in self.open.pop().into_iter().flat_map(|braces| braces.ends) {
            if let Some(Step::Either(ways)) = self.steps.get_mut(end) {
                ways.push(behind);
            }
        }
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
            let set = Set::Range(low, high);
            self.steps.push(Step::Of { set, is_negated });
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
        let set = Set::Chars(chars.into());
        self.steps.push(Step::Of { set, is_negated });
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

    #[test]
    fn what_could_take_forever_does_not() {
        let glob = Glob::new(&"{a*,a**}".repeat(100), &['/']).unwrap();
        let text = "a".repeat(1000);
        assert!(glob.is_match(&text));
        assert!(!glob.is_match(&format!("b{text}")));
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
