//! The compiled forms of a pattern, each made when it is first needed.
//!
//! In: a pattern as the `regex` crate reads it. Out: its engine for a text.
//!
//! Nearly all texts are ASCII. A class such as `[^/]` holds most of Unicode, and
//! to compile it takes some hundred times as long as its ASCII part, and 200
//! kB: so there is an engine for texts that are ASCII alone.

use std::sync::OnceLock;

use super::emit::{Alphabet, emit};
use super::parse::Parsed;

/// The most memory that a compiled pattern may take. A pattern within Go's own
/// limits can need more only by repeating large Unicode classes.
const MAX_COMPILED_BYTES: usize = 256 << 20;

/// What Go would compile to so many instructions never takes so much: the
/// largest class takes some 50 kB.
const SMALL: u64 = 1000;

/// A pattern in its compiled forms.
#[derive(Clone, Debug)]
pub(super) struct Engines {
    any: Engine,
    /// For texts that are ASCII; none where that is no other pattern.
    ascii: Option<Engine>,
}

/// More memory than a pattern may take.
#[derive(Debug)]
pub(super) struct TooLarge;

impl Engines {
    /// The engines of a pattern. What may be too large is compiled at once.
    pub(super) fn new(parsed: &Parsed) -> Result<Engines, TooLarge> {
        let any = emit(parsed, Alphabet::Unicode).pattern;
        let ascii = emit(parsed, Alphabet::Ascii).pattern;
        let engines = Engines {
            ascii: (ascii != any).then(|| Engine::new(ascii)),
            any: Engine::new(any),
        };
        let forms = [Some(&engines.any), engines.ascii.as_ref()];
        let is_large = parsed.tree.size() > SMALL;
        if is_large && forms.into_iter().flatten().any(|e| e.compiled().is_none()) {
            return Err(TooLarge);
        }
        Ok(engines)
    }

    /// The engine for a text.
    pub(super) fn of(&self, text: &str) -> Option<&regex::Regex> {
        match &self.ascii {
            Some(ascii) if text.is_ascii() => ascii.compiled(),
            _ => self.any.compiled(),
        }
    }
}

#[derive(Clone, Debug)]
struct Engine {
    pattern: Box<str>,
    regex: OnceLock<Option<regex::Regex>>,
}

impl Engine {
    fn new(pattern: String) -> Engine {
        Engine {
            pattern: pattern.into(),
            regex: OnceLock::new(),
        }
    }

    /// None where it takes too much memory.
    fn compiled(&self) -> Option<&regex::Regex> {
        let compile = || {
            regex::RegexBuilder::new(&self.pattern)
                .size_limit(MAX_COMPILED_BYTES)
                // The tree's height is limited already.
                .nest_limit(u32::MAX)
                .build()
                .ok()
        };
        self.regex.get_or_init(compile).as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;

    #[test]
    fn what_is_small_is_never_too_large() {
        // The largest classes, as often as may be.
        for class in [r"\pL", r"\PL", r"(?i)[^\pL\pN]", "(?i:[a-z])"] {
            let pattern = class.repeat(usize::try_from(SMALL).unwrap());
            let parsed = parse(&pattern).unwrap();
            assert_eq!(parsed.tree.size(), SMALL, "{class}");
            let engines = Engines::new(&parsed).unwrap();
            assert!(engines.of("a").is_some() && engines.of("é").is_some());
        }
    }
}
