//! Patterns of paths in which `**` stands for any number of folders.
//!
//! In: a pattern, and paths with `/`. Out: whether they match, whole.
//!
//! Compat: github.com/bmatcuk/doublestar v4 `match.go`, as Flux's
//! source-watcher uses it: `*` and `?` stop at a slash; `**` crosses folders
//! where it is a whole part of the path, and is a `*` elsewhere; `{a,b}` are
//! alternatives; `a/**` matches `a`, too.

/// The most alternatives that a pattern may come to.
const MAX_ALTERNATIVES: usize = 1000;

/// A pattern that was read.
#[derive(Clone, Debug)]
pub struct Doublestar {
    alternatives: Vec<Vec<Piece>>,
}

/// A pattern that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPattern;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Char(char),
    /// `?`
    One,
    /// `*`
    Some,
    /// `**` at the end.
    Rest,
    /// `**/`
    Folders,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Doublestar {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// Where a bracket, brace or backslash has no end, and where alternatives
    /// come to more than a thousand patterns.
    pub fn new(pattern: &str) -> Result<Doublestar, BadPattern> {
        let characters: Vec<char> = pattern.chars().collect();
        let alternatives = expand(&characters)?;
        Ok(Doublestar {
            alternatives: alternatives
                .iter()
                .map(|text| pieces(text))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Whether a whole path matches.
    pub fn is_match(&self, path: &str) -> bool {
        let path: Vec<char> = path.chars().collect();
        self.alternatives
            .iter()
            .any(|pieces| matches_whole(pieces, &path))
    }
}

/// The patterns that braces stand for.
fn expand(pattern: &[char]) -> Result<Vec<Vec<char>>, BadPattern> {
    let Some(open) = position(pattern, 0, '{')? else {
        return Ok(vec![pattern.to_vec()]);
    };
    let mut depth = 0usize;
    let mut at = open;
    let mut starts = vec![open + 1];
    let close = loop {
        match pattern.get(at).ok_or(BadPattern)? {
            '\\' => at += 1,
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    break at;
                }
            }
            ',' if depth == 1 => starts.push(at + 1),
            _ => {}
        }
        at += 1;
    };
    let mut expanded = Vec::new();
    for (i, start) in starts.iter().enumerate() {
        let end = starts.get(i + 1).map_or(close, |next| next - 1);
        let alternative = [
            &pattern[..open],
            &pattern[*start..end],
            &pattern[close + 1..],
        ]
        .concat();
        expanded.extend(expand(&alternative)?);
        if expanded.len() > MAX_ALTERNATIVES {
            return Err(BadPattern);
        }
    }
    Ok(expanded)
}

/// The next place of a character that is neither escaped nor in a class.
fn position(pattern: &[char], from: usize, wanted: char) -> Result<Option<usize>, BadPattern> {
    let mut at = from;
    while let Some(c) = pattern.get(at) {
        match c {
            c if *c == wanted => return Ok(Some(at)),
            '\\' => at += 1,
            '[' => at = class_end(pattern, at)?,
            _ => {}
        }
        at += 1;
    }
    Ok(None)
}

/// Where the class that begins at `open` ends.
fn class_end(pattern: &[char], open: usize) -> Result<usize, BadPattern> {
    let mut at = open + 1;
    if matches!(pattern.get(at), Some('^' | '!')) {
        at += 1;
    }
    let first = at;
    loop {
        match pattern.get(at).ok_or(BadPattern)? {
            ']' if at > first => return Ok(at),
            '\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn pieces(pattern: &[char]) -> Result<Vec<Piece>, BadPattern> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(c) = pattern.get(at) {
        match c {
            '\\' => {
                at += 1;
                pieces.push(Piece::Char(*pattern.get(at).ok_or(BadPattern)?));
            }
            '?' => pieces.push(Piece::One),
            '*' => {
                let begins_part = at == 0 || pattern.get(at - 1) == Some(&'/');
                let is_double = pattern.get(at + 1) == Some(&'*');
                let after = pattern.get(at + 2).filter(|_| is_double);
                if begins_part && is_double && after.is_none() {
                    pieces.push(Piece::Rest);
                    at += 1;
                } else if begins_part && after == Some(&'/') {
                    pieces.push(Piece::Folders);
                    at += 2;
                } else if pieces.last() != Some(&Piece::Some) {
                    pieces.push(Piece::Some);
                }
            }
            '[' => {
                let end = class_end(pattern, at)?;
                pieces.push(class(&pattern[at + 1..end])?);
                at = end;
            }
            c => pieces.push(Piece::Char(*c)),
        }
        at += 1;
    }
    Ok(pieces)
}

fn class(text: &[char]) -> Result<Piece, BadPattern> {
    let negated = matches!(text.first(), Some('^' | '!'));
    let mut at = usize::from(negated);
    let mut next = || -> Result<Option<(char, bool)>, BadPattern> {
        let Some(c) = text.get(at) else {
            return Ok(None);
        };
        at += 1;
        if *c != '\\' {
            return Ok(Some((*c, *c == '-')));
        }
        let escaped = *text.get(at).ok_or(BadPattern)?;
        at += 1;
        Ok(Some((escaped, false)))
    };
    let mut ranges: Vec<(char, char)> = Vec::new();
    let mut is_range = false;
    while let Some((c, is_dash)) = next()? {
        if is_dash && !ranges.is_empty() && !is_range {
            is_range = true;
        } else if is_range {
            ranges.last_mut().ok_or(BadPattern)?.1 = c;
            is_range = false;
        } else {
            ranges.push((c, c));
        }
    }
    if is_range || ranges.is_empty() {
        return Err(BadPattern);
    }
    Ok(Piece::Class { negated, ranges })
}

/// Whether pieces match a whole path, in time that grows with the product of
/// their lengths: of each piece is known behind which characters it can end.
fn matches_whole(pieces: &[Piece], path: &[char]) -> bool {
    let mut reachable = vec![false; path.len() + 1];
    reachable[0] = true;
    for (i, piece) in pieces.iter().enumerate() {
        let rest = pieces.get(i..).unwrap_or_default();
        // `a/**` matches `a`.
        if let [Piece::Char('/'), Piece::Rest | Piece::Folders] = rest
            && reachable[path.len()]
        {
            return true;
        }
        let mut after = vec![false; path.len() + 1];
        let mut was_reachable = false;
        for at in 0..=path.len() {
            let before = at
                .checked_sub(1)
                .map(|at| (after[at], reachable[at], path[at]));
            after[at] = match (piece, before) {
                (Piece::Some, Some((true, _, c))) if c != '/' => true,
                (Piece::Rest, _) | (Piece::Folders, Some((_, _, '/'))) => {
                    was_reachable || reachable[at]
                }
                (Piece::Some | Piece::Folders, _) => reachable[at],
                (single, Some((_, true, c))) => single.is_one(c),
                (_, _) => false,
            };
            was_reachable |= reachable[at];
        }
        reachable = after;
    }
    reachable[path.len()]
}

impl Piece {
    /// Whether it is this one character.
    fn is_one(&self, c: char) -> bool {
        match self {
            Piece::Char(wanted) => *wanted == c,
            Piece::One => c != '/',
            Piece::Class { negated, ranges } => {
                let is_in = ranges.iter().any(|(low, high)| (*low..=*high).contains(&c));
                c != '/' && is_in != *negated
            }
            Piece::Some | Piece::Rest | Piece::Folders => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn holds(pattern: &str, yes: &[&str], no: &[&str]) {
        let read = Doublestar::new(pattern).unwrap();
        for path in yes {
            assert!(read.is_match(path), "{pattern} and {path}");
        }
        for path in no {
            assert!(!read.is_match(path), "{pattern} and {path}");
        }
    }

    #[test]
    fn folders_are_crossed_by_two_stars_alone() {
        holds("*.md", &["a.md", ".md"], &["x/a.md", "a.mdx"]);
        holds("**", &["", "a", "a/b/c"], &[]);
        holds("a/**", &["a", "a/b", "a/b/c"], &["ab", "b/a"]);
        holds(
            "**/testdata/**",
            &["testdata", "x/testdata/y/z", "testdata/a"],
            &["testdatas/a"],
        );
        holds("**/*.tgz", &["a.tgz", "x/a.tgz", "x/y/a.tgz"], &["a.tar"]);
        holds(
            "a/**/b",
            &["a/b", "a/x/b", "a/x/y/b"],
            &["ab", "a/xb", "a/x/y"],
        );
        holds("a**b", &["ab", "axxb"], &["a/b"]);
        holds("a/**/**/c", &["a/c", "a/x/c"], &["c"]);
    }

    #[test]
    fn classes_and_alternatives() {
        holds(
            "[a-c]?.{yaml,yml}",
            &["ax.yaml", "cx.yml"],
            &["dx.yaml", "a/.yml", "ax.json"],
        );
        holds("[!a]", &["b"], &["a", "/"]);
        holds("[^a]x", &["bx", "-x"], &["ax"]);
        holds("{a,b/{c,d}}e", &["ae", "b/ce", "b/de"], &["be"]);
        holds(r"\*", &["*"], &["a"]);
        for bad in ["[", "[a", "{a", r"a\", "[]", "[a-]"] {
            assert!(Doublestar::new(bad).is_err(), "{bad}");
        }
        let bomb = "{a,b}".repeat(30);
        assert!(Doublestar::new(&bomb).is_err());
    }

    #[test]
    fn long_patterns_end() {
        let pattern = "**/*a".repeat(40);
        let read = Doublestar::new(&pattern).unwrap();
        assert!(!read.is_match(&"a/".repeat(200)));
    }
}
