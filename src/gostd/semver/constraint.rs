//! Ranges of versions.
//!
//! Compat: the library reads a range by regular expressions, and its oddities
//! are theirs: a number may have `|`, `x` and `*` in it until it is looked at
//! more closely, and a hyphen range is rewritten as text before anything else
//! is read, across `||` even.

use super::version::{Version, compare_prereleases};
use crate::gostd::strconv::quote;

/// The longest range that is read, in bytes.
const MAX_BYTES: usize = 512;
/// The most alternatives of a range.
const MAX_ALTERNATIVES: usize = 32;

/// A range: alternatives, each of which asks for several things at once.
#[derive(Clone, Debug)]
pub struct Constraints {
    alternatives: Vec<Alternative>,
}

#[derive(Clone, Debug)]
struct Alternative {
    constraints: Vec<Constraint>,
    /// Whether one of them has a prerelease, which lets prereleases in.
    takes_prereleases: bool,
}

#[derive(Clone, Debug)]
struct Constraint {
    operator: Operator,
    version: Version,
    /// The first part that is `x` or is not there.
    open: Open,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    /// All parts are given.
    None,
    Major,
    Minor,
    Patch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Tilde,
    Caret,
}

/// Each of them, those before others that they begin with.
const OPERATORS: &[(&str, Operator)] = &[
    ("!=", Operator::NotEqual),
    (">=", Operator::GreaterOrEqual),
    ("=>", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("=<", Operator::LessOrEqual),
    ("~>", Operator::Tilde),
    ("~", Operator::Tilde),
    ("^", Operator::Caret),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("=", Operator::Equal),
];

/// Why a text is no range; reads as the library's error does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConstraintError {
    /// It is longer than 512 bytes.
    TooLong,
    /// It has more than 32 alternatives.
    TooMany,
    /// This alternative does not read as a range.
    Improper(String),
    /// A version in it is none.
    Version,
}

impl std::fmt::Display for ConstraintError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ConstraintError::TooLong => {
                f.write_str("constraint string is too long (max 512 bytes)")
            }
            ConstraintError::TooMany => f.write_str("too many constraint groups (max 32)"),
            ConstraintError::Improper(text) => write!(f, "improper constraint: {}", quote(text)),
            ConstraintError::Version => f.write_str("constraint parser error"),
        }
    }
}

impl std::error::Error for ConstraintError {}

impl Constraints {
    /// `semver.NewConstraint`.
    pub fn parse(text: &str) -> Result<Constraints, ConstraintError> {
        if text.len() > MAX_BYTES {
            return Err(ConstraintError::TooLong);
        }
        let text = without_hyphen_ranges(text);
        let alternatives: Vec<&str> = text.split("||").collect();
        if alternatives.len() > MAX_ALTERNATIVES {
            return Err(ConstraintError::TooMany);
        }
        let alternatives = alternatives.into_iter().map(Alternative::parse);
        Ok(Constraints {
            alternatives: alternatives.collect::<Result<_, _>>()?,
        })
    }

    /// Whether a version is in the range.
    pub fn check(&self, version: &Version) -> bool {
        self.alternatives.iter().any(|alternative| {
            (version.prerelease().is_empty() || alternative.takes_prereleases)
                && alternative.constraints.iter().all(|c| c.check(version))
        })
    }
}

impl Alternative {
    fn parse(text: &str) -> Result<Alternative, ConstraintError> {
        let improper = || ConstraintError::Improper(text.to_owned());
        let mut found: Vec<Written> = Vec::new();
        let mut rest = skip_blanks(text);
        while !rest.is_empty() || found.is_empty() {
            let constraint = Written::read(rest).ok_or_else(improper)?;
            let after = skip_blanks(constraint.rest);
            let has_blanks = after.len() != constraint.rest.len();
            rest = match after.strip_prefix(',') {
                Some(after) => {
                    let after = skip_blanks(after);
                    if after.is_empty() {
                        return Err(improper());
                    }
                    after
                }
                None if after.is_empty() || has_blanks => after,
                None => return Err(improper()),
            };
            found.push(constraint);
        }
        let constraints: Vec<Constraint> = (found.iter())
            .map(Written::resolve)
            .collect::<Result<_, _>>()?;
        Ok(Alternative {
            takes_prereleases: constraints
                .iter()
                .any(|c| !c.version.prerelease().is_empty()),
            constraints,
        })
    }
}

/// A constraint as it is written.
struct Written<'t> {
    operator: Operator,
    version: Loose<'t>,
    rest: &'t str,
}

impl<'t> Written<'t> {
    fn read(text: &'t str) -> Option<Written<'t>> {
        let (operator, rest) = OPERATORS
            .iter()
            .find_map(|(sign, operator)| Some((*operator, text.strip_prefix(sign)?)))
            .unwrap_or((Operator::Equal, text));
        let (version, rest) = Loose::read(skip_blanks(rest))?;
        Some(Written {
            operator,
            version,
            rest,
        })
    }

    fn resolve(&self) -> Result<Constraint, ConstraintError> {
        let Loose {
            text,
            major,
            minor,
            patch,
            prerelease,
        } = self.version;
        let is_open = |part: &str| matches!(part, "" | "x" | "X" | "*");
        // What is open counts from zero; build metadata goes.
        let (open, text) = if is_open(major) {
            (Open::Major, format!("0.0.0{prerelease}"))
        } else if is_open(minor) {
            (Open::Minor, format!("{major}.0.0{prerelease}"))
        } else if is_open(patch) {
            (Open::Patch, format!("{major}.{minor}.0{prerelease}"))
        } else {
            (Open::None, text.to_owned())
        };
        Ok(Constraint {
            operator: self.operator,
            version: Version::parse(&text).map_err(|_| ConstraintError::Version)?,
            open,
        })
    }
}

/// A version in a range, before its numbers are looked at.
#[derive(Clone, Copy)]
struct Loose<'t> {
    text: &'t str,
    major: &'t str,
    minor: &'t str,
    patch: &'t str,
    /// With its `-`.
    prerelease: &'t str,
}

impl<'t> Loose<'t> {
    /// Reads as much as can belong to one, and gives the rest.
    fn read(text: &'t str) -> Option<(Loose<'t>, &'t str)> {
        let take = |text: &'t str, is_part: fn(u8) -> bool| {
            let end = text.bytes().take_while(|b| is_part(*b)).count();
            text.split_at_checked(end)
                .filter(|(part, _)| !part.is_empty())
        };
        let number = |text| take(text, |b| b.is_ascii_digit() || b"|xX*".contains(&b));
        let further = |text: &'t str| text.strip_prefix('.').and_then(number);
        let identifiers = |text: &'t str, sign| {
            let mut rest = text.strip_prefix(sign)?;
            loop {
                (_, rest) = take(rest, |b| b.is_ascii_alphanumeric() || b == b'-')?;
                let next = rest.strip_prefix('.').filter(|next| {
                    next.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-')
                });
                match next {
                    Some(next) => rest = next,
                    None => return Some((text.get(..text.len() - rest.len())?, rest)),
                }
            }
        };
        let (major, rest) = number(text.strip_prefix('v').unwrap_or(text))?;
        let (minor, rest) = further(rest).unwrap_or(("", rest));
        let (patch, rest) = match minor {
            "" => ("", rest),
            _ => further(rest).unwrap_or(("", rest)),
        };
        let (prerelease, rest) = identifiers(rest, '-').unwrap_or(("", rest));
        let (_, rest) = identifiers(rest, '+').unwrap_or(("", rest));
        let version = Loose {
            text: text.get(..text.len() - rest.len())?,
            major,
            minor,
            patch,
            prerelease,
        };
        Some((version, rest))
    }
}

fn skip_blanks(text: &str) -> &str {
    text.trim_start_matches(is_blank)
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\x0c' | '\r')
}

/// Rewrites `1 - 2` as `>= 1, <= 2`.
fn without_hyphen_ranges(text: &str) -> String {
    let mut rewritten = text.to_owned();
    let mut rest = text;
    while let Some(range) = HyphenRange::find(rest) {
        let replacement = format!(">= {}, <= {} ", range.low, range.high);
        // Compat: the first place with the same text is replaced.
        rewritten = rewritten.replacen(range.text, &replacement, 1);
        rest = range.rest;
    }
    rewritten
}

struct HyphenRange<'t> {
    /// With the blanks around it.
    text: &'t str,
    low: &'t str,
    high: &'t str,
    rest: &'t str,
}

impl<'t> HyphenRange<'t> {
    fn find(text: &'t str) -> Option<HyphenRange<'t>> {
        text.char_indices()
            .find_map(|(start, _)| HyphenRange::read(text.get(start..)?))
    }

    fn read(text: &'t str) -> Option<HyphenRange<'t>> {
        let blanks = |text: &'t str| Some(skip_blanks(text)).filter(|t| t.len() < text.len());
        let (low, rest) = Loose::read(skip_blanks(text))?;
        let rest = blanks(blanks(rest)?.strip_prefix('-')?)?;
        let (high, rest) = Loose::read(rest)?;
        let rest = skip_blanks(rest);
        Some(HyphenRange {
            text: text.get(..text.len() - rest.len())?,
            low: low.text,
            high: high.text,
            rest,
        })
    }
}

impl Constraint {
    /// Whether a version is as asked; prereleases were let in or not before.
    fn check(&self, v: &Version) -> bool {
        let c = &self.version;
        let is_same_minor = v.major() == c.major() && v.minor() == c.minor();
        match self.operator {
            Operator::Equal if self.open == Open::None => v == c,
            Operator::Equal | Operator::Tilde => self.is_near(v),
            Operator::NotEqual => match self.open {
                // Compat: `!=*` is read as `!=0.0.0`.
                Open::None | Open::Major => v != c,
                Open::Minor => v.major() != c.major(),
                Open::Patch => {
                    !is_same_minor || compare_prereleases(v.prerelease(), c.prerelease()).is_ne()
                }
            },
            Operator::Greater => match self.open {
                Open::None | Open::Major => v > c,
                Open::Minor => v.major() > c.major(),
                Open::Patch => (v.major(), v.minor()) > (c.major(), c.minor()),
            },
            Operator::GreaterOrEqual => v >= c,
            Operator::Less => v < c,
            Operator::LessOrEqual => match self.open {
                Open::None => v <= c,
                Open::Minor => v.major() <= c.major(),
                Open::Major | Open::Patch => (v.major(), v.minor()) <= (c.major(), c.minor()),
            },
            Operator::Caret => {
                v >= c
                    && if c.major() > 0 || self.open == Open::Minor {
                        v.major() == c.major()
                    } else if v.major() > 0 {
                        false
                    } else if c.minor() > 0 || self.open == Open::Patch {
                        v.minor() == c.minor()
                    } else {
                        v.minor() == 0 && v.patch() == c.patch()
                    }
            }
        }
    }

    /// `~1.2.3`, `~1.2`, `~1`.
    fn is_near(&self, v: &Version) -> bool {
        let c = &self.version;
        // Compat: `~0.0.0` is any version, as `~*` is.
        let is_any = (c.major(), c.minor(), c.patch()) == (0, 0, 0)
            && !matches!(self.open, Open::Minor | Open::Patch);
        v >= c
            && (is_any
                || v.major() == c.major() && (self.open == Open::Minor || v.minor() == c.minor()))
    }
}
