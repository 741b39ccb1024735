//! Go's `path`, and `filepath.Match` with `/` as the separator.

/// `path.Clean`: the shortest path that names the same thing.
pub fn clean(path: &str) -> String {
    let is_rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if is_rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (is_rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

/// `path.Base`: the last part; `.` for the empty path, `/` for the root.
pub fn base(path: &str) -> &str {
    if path.is_empty() {
        return ".";
    }
    let trimmed = path.trim_end_matches('/');
    match trimmed.rsplit_once('/') {
        _ if trimmed.is_empty() => "/",
        Some((_, last)) => last,
        None => trimmed,
    }
}

/// `path.Dir`: all but the last part, cleaned.
pub fn dir(path: &str) -> String {
    let end = path.rfind('/').map_or(0, |i| i + 1);
    clean(path.get(..end).unwrap_or_default())
}

/// `path.Ext`: the last part from its last dot on.
pub fn ext(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.rfind('.')
        .and_then(|i| name.get(i..))
        .unwrap_or_default()
}

/// `path.IsAbs`.
pub fn is_abs(path: &str) -> bool {
    path.starts_with('/')
}

/// `path.Join`: the parts that are not empty, joined and cleaned.
pub fn join(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts.iter().copied().filter(|p| !p.is_empty()).collect();
    if parts.is_empty() {
        return String::new();
    }
    clean(&parts.join("/"))
}

/// `filepath.ErrBadPattern`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPattern;

impl std::fmt::Display for BadPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("syntax error in pattern")
    }
}

impl std::error::Error for BadPattern {}

/// `filepath.Match`, of a whole name. Use a [`Pattern`] to match many.
///
/// # Errors
///
/// See [`Pattern::is_match`].
pub fn is_match(pattern: &str, name: &str) -> Result<bool, BadPattern> {
    Pattern::new(pattern).is_match(name)
}

/// A pattern of `filepath.Match`: `*` and `?` stop at a slash, `[a-z]` and
/// `[^a-z]` do not, a backslash takes a character as it is.
#[derive(Clone, Debug)]
pub struct Pattern {
    chunks: Vec<Chunk>,
    /// Where it is nothing but text, with a star before it or without: most
    /// patterns are.
    plain: Option<Plain>,
}

/// Text, and whether a star stands before it.
#[derive(Clone, Debug)]
struct Plain {
    is_after_star: bool,
    text: Vec<u8>,
}

impl Plain {
    fn of(chunks: &[Chunk]) -> Option<Plain> {
        let [chunk] = chunks else { return None };
        let pieces = chunk.pieces.as_ref().ok()?.iter();
        let text = pieces.map(|piece| match piece {
            Piece::Byte(byte) => Some(*byte),
            _ => None,
        });
        Some(Plain {
            is_after_star: chunk.is_after_star,
            text: text.collect::<Option<_>>()?,
        })
    }

    fn is_match(&self, name: &[u8]) -> bool {
        match name.strip_suffix(&*self.text) {
            Some(before) if self.is_after_star => !before.contains(&b'/'),
            Some(before) => before.is_empty(),
            None => false,
        }
    }
}

/// What stands between stars.
#[derive(Clone, Debug)]
struct Chunk {
    is_after_star: bool,
    pieces: Result<Vec<Piece>, BadPattern>,
}

#[derive(Clone, Debug)]
enum Piece {
    Byte(u8),
    NotSlash,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Pattern {
    /// Reads a pattern. What is wrong with it is told by
    /// [`Pattern::is_match`].
    pub fn new(pattern: &str) -> Pattern {
        let mut chunks = Vec::new();
        let mut rest = pattern;
        while !rest.is_empty() {
            let without_stars = rest.trim_start_matches('*');
            let (chunk, after) = without_stars
                .split_at_checked(chunk_end(without_stars))
                .unwrap_or((without_stars, ""));
            chunks.push(Chunk {
                is_after_star: without_stars.len() != rest.len(),
                pieces: pieces(chunk),
            });
            rest = after;
        }
        Pattern {
            plain: Plain::of(&chunks),
            chunks,
        }
    }

    /// Whether the pattern matches the whole name.
    ///
    /// # Errors
    ///
    /// Compat: a part of the pattern that is wrong is found only where the
    /// parts before it match.
    pub fn is_match(&self, name: &str) -> Result<bool, BadPattern> {
        match &self.plain {
            Some(plain) => Ok(plain.is_match(name.as_bytes())),
            None => self.is_match_of_chunks(name),
        }
    }

    fn is_match_of_chunks(&self, name: &str) -> Result<bool, BadPattern> {
        let mut at = 0;
        for (i, chunk) in self.chunks.iter().enumerate() {
            let is_last = i + 1 == self.chunks.len();
            let pieces = chunk.pieces.as_ref().map_err(|e| *e)?;
            let rest = name.as_bytes().get(at..).unwrap_or_default();
            if chunk.is_after_star && pieces.is_empty() {
                return Ok(!rest.contains(&b'/'));
            }
            let skips = if chunk.is_after_star {
                rest.iter().take_while(|b| **b != b'/').count()
            } else {
                0
            };
            let end = (at..=at + skips).find_map(|from| {
                end_of(pieces, name, from).filter(|end| !is_last || *end == name.len())
            });
            match end {
                Some(end) => at = end,
                None => return Ok(false),
            }
        }
        Ok(at == name.len())
    }
}

/// Where the next star is that is none of a class.
fn chunk_end(pattern: &str) -> usize {
    let mut is_in_class = false;
    let mut bytes = pattern.bytes().enumerate();
    while let Some((i, byte)) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next();
            }
            b'[' => is_in_class = true,
            b']' => is_in_class = false,
            b'*' if !is_in_class => return i,
            _ => {}
        }
    }
    pattern.len()
}

fn pieces(chunk: &str) -> Result<Vec<Piece>, BadPattern> {
    let mut pieces = Vec::new();
    let mut rest = chunk;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        let c = match c {
            '[' => {
                let (class, after) = class(rest)?;
                pieces.push(class);
                rest = after;
                continue;
            }
            '?' => {
                pieces.push(Piece::NotSlash);
                continue;
            }
            '\\' => {
                let escaped = rest.chars().next().ok_or(BadPattern)?;
                rest = rest.get(escaped.len_utf8()..).unwrap_or_default();
                escaped
            }
            c => c,
        };
        let mut buffer = [0; 4];
        pieces.extend(c.encode_utf8(&mut buffer).bytes().map(Piece::Byte));
    }
    Ok(pieces)
}

/// Reads a class after its bracket, and gives what follows it.
fn class(text: &str) -> Result<(Piece, &str), BadPattern> {
    let (mut rest, negated) = match text.strip_prefix('^') {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let mut ranges = Vec::new();
    loop {
        if let (Some(after), false) = (rest.strip_prefix(']'), ranges.is_empty()) {
            return Ok((Piece::Class { negated, ranges }, after));
        }
        let (low, after) = class_char(rest)?;
        let (high, after) = match after.strip_prefix('-') {
            Some(after) => class_char(after)?,
            None => (low, after),
        };
        ranges.push((low, high));
        rest = after;
    }
}

fn class_char(text: &str) -> Result<(char, &str), BadPattern> {
    if text.starts_with(['-', ']']) {
        return Err(BadPattern);
    }
    let mut chars = text.strip_prefix('\\').unwrap_or(text).chars();
    let c = chars.next().ok_or(BadPattern)?;
    // The closing bracket is still to come.
    if chars.as_str().is_empty() {
        return Err(BadPattern);
    }
    Ok((c, chars.as_str()))
}

/// Where a chunk that begins at a byte of the name ends in it.
fn end_of(pieces: &[Piece], name: &str, from: usize) -> Option<usize> {
    let mut at = from;
    for piece in pieces {
        let byte = *name.as_bytes().get(at)?;
        let (c, width) = match name.get(at..).and_then(|rest| rest.chars().next()) {
            Some(c) => (c, c.len_utf8()),
            // A star may have skipped a part of a character.
            None => (char::REPLACEMENT_CHARACTER, 1),
        };
        at += match piece {
            Piece::Byte(wanted) if byte == *wanted => 1,
            Piece::NotSlash if byte != b'/' => width,
            Piece::Class { negated, ranges }
                if ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated =>
            {
                width
            }
            _ => return None,
        };
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Answers {
        matches: Vec<Answer>,
        /// A path, then Clean, Base, Dir, Ext, `IsAbs`, and Join of it to `a/b`.
        paths: Vec<(String, String, String, String, String, bool, String)>,
    }

    #[derive(Deserialize)]
    struct Answer {
        #[serde(rename = "p")]
        pattern: String,
        /// Names that are an error.
        #[serde(rename = "e")]
        refused: Vec<String>,
        #[serde(rename = "t")]
        names: BTreeMap<String, bool>,
    }

    fn answers() -> Answers {
        serde_json::from_str(include_str!("../../testdata/gostd/glob.json")).unwrap()
    }

    #[test]
    fn matching() {
        for answer in answers().matches {
            let pattern = Pattern::new(&answer.pattern);
            for (name, matches) in &answer.names {
                // The short way is the long one.
                let long = pattern.is_match_of_chunks(name);
                assert_eq!(long, Ok(*matches), "{} {name}", answer.pattern);
                assert_eq!(
                    pattern.is_match(name),
                    Ok(*matches),
                    "{answer:?} {name}",
                    answer = answer.pattern
                );
            }
            for name in &answer.refused {
                assert_eq!(
                    pattern.is_match(name),
                    Err(BadPattern),
                    "{answer:?} {name}",
                    answer = answer.pattern
                );
            }
        }
    }

    #[test]
    fn parts() {
        for (path, clean, base, dir, ext, is_abs, joined) in answers().paths {
            assert_eq!(super::clean(&path), clean, "{path}");
            assert_eq!(super::base(&path), base, "{path}");
            assert_eq!(super::dir(&path), dir, "{path}");
            assert_eq!(super::ext(&path), ext, "{path}");
            assert_eq!(super::is_abs(&path), is_abs, "{path}");
            assert_eq!(super::join(&["a/b", &path]), joined, "{path}");
        }
        assert_eq!(super::join(&["", ""]), "");
    }

    proptest::proptest! {
        #[test]
        fn a_clean_path_is_clean(path in "[a./]{0,12}") {
            let clean = super::clean(&path);
            proptest::prop_assert_eq!(super::clean(&clean), clean);
        }

        #[test]
        fn no_pattern_panics(pattern in r"([*?\[\]^\\a/-]|\PC){0,12}", name in r"\PC{0,8}") {
            let _ = super::is_match(&pattern, &name);
        }
    }
}
