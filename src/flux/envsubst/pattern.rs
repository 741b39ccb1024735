//! The patterns of `${var#pattern}` and its kin.
//!
//! Compat: `path/match.go` is `filepath.Match` without separators, and older:
//! what is wrong with a pattern shows only where the text gets there. It works
//! on bytes, and a byte that is no character counts as U+FFFD.

/// A pattern: `*`, `?`, `[a-z]`, `[^a-z]`, and a backslash before a character.
pub(super) struct Pattern {
    chunks: Vec<Chunk>,
}

/// The pattern is wrong.
#[derive(Debug)]
pub(super) struct BadPattern;

/// What stands between stars.
struct Chunk {
    is_after_star: bool,
    /// The last one may be wrong.
    pieces: Vec<Piece>,
}

enum Piece {
    Byte(u8),
    Any,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
    /// Wrong; nothing comes after it.
    Bad,
}

impl Pattern {
    pub(super) fn new(pattern: &[u8]) -> Pattern {
        let mut chunks = Vec::new();
        let mut rest = pattern;
        while !rest.is_empty() {
            let stars = rest.iter().take_while(|b| **b == b'*').count();
            let (_, without_stars) = rest.split_at(stars);
            let (chunk, after) = without_stars.split_at(chunk_end(without_stars));
            chunks.push(Chunk {
                is_after_star: stars > 0,
                pieces: pieces(chunk),
            });
            rest = after;
        }
        Pattern { chunks }
    }

    /// Whether the pattern matches the whole text.
    pub(super) fn is_match(&self, text: &[u8]) -> Result<bool, BadPattern> {
        let mut rest = text;
        'chunks: for (i, chunk) in self.chunks.iter().enumerate() {
            let is_last = i + 1 == self.chunks.len();
            if chunk.is_after_star && chunk.pieces.is_empty() {
                return Ok(true);
            }
            let skips = if chunk.is_after_star { rest.len() } else { 0 };
            for skip in 0..=skips {
                let from = rest.get(skip..).unwrap_or_default();
                if let Some(after) = rest_after(&chunk.pieces, from)?
                    && (after.is_empty() || !is_last)
                {
                    rest = after;
                    continue 'chunks;
                }
            }
            return Ok(false);
        }
        Ok(rest.is_empty())
    }
}

impl Pattern {
    /// The shortest and the longest beginning of a text that match, for a
    /// pattern of plain bytes and stars: in time linear in the text, where
    /// trying one beginning after the other is not. None for other patterns.
    pub(super) fn plain_ends(&self, text: &[u8]) -> Option<Ends> {
        let mut at = 0;
        for (i, chunk) in self.chunks.iter().enumerate() {
            let literal: Vec<u8> = (chunk.pieces.iter())
                .map(|piece| match piece {
                    Piece::Byte(byte) => Some(*byte),
                    _ => None,
                })
                .collect::<Option<_>>()?;
            let rest = text.get(at..).unwrap_or_default();
            let is_last = i + 1 == self.chunks.len();
            if !chunk.is_after_star {
                if !rest.starts_with(&literal) {
                    return Some(Ends::None);
                }
                at += literal.len();
            } else if literal.is_empty() {
                // A star at the end; the empty beginning does not count.
                return Some(Ends::new(at.max(1), text.len()));
            } else {
                let found = |place: Option<usize>| place.map(|place| at + place + literal.len());
                let is_here = |window: &[u8]| window == literal;
                let mut windows = rest.windows(literal.len());
                let Some(first) = found(windows.clone().position(is_here)) else {
                    return Some(Ends::None);
                };
                if is_last {
                    let last = found(windows.rposition(is_here)).unwrap_or(first);
                    return Some(Ends::new(first, last));
                }
                at = first;
            }
        }
        Some(Ends::new(at, at))
    }
}

/// The beginnings of a text that a pattern matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    None,
    Some { shortest: usize, longest: usize },
}

impl Ends {
    fn new(shortest: usize, longest: usize) -> Ends {
        if shortest == 0 || shortest > longest {
            Ends::None
        } else {
            Ends::Some { shortest, longest }
        }
    }
}

/// Where the next star is that is none of a class.
fn chunk_end(pattern: &[u8]) -> usize {
    let mut is_in_class = false;
    let mut bytes = pattern.iter().enumerate();
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

fn pieces(mut chunk: &[u8]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    while let Some((first, rest)) = chunk.split_first() {
        chunk = rest;
        let piece = match first {
            b'[' => match class(chunk) {
                Ok((class, rest)) => {
                    chunk = rest;
                    class
                }
                Err(BadPattern) => Piece::Bad,
            },
            b'?' => Piece::Any,
            b'\\' => match chunk.split_first() {
                Some((escaped, rest)) => {
                    chunk = rest;
                    Piece::Byte(*escaped)
                }
                None => Piece::Bad,
            },
            byte => Piece::Byte(*byte),
        };
        let is_bad = matches!(piece, Piece::Bad);
        pieces.push(piece);
        if is_bad {
            break;
        }
    }
    pieces
}

/// Reads a class after its bracket, and gives what follows it.
fn class(text: &[u8]) -> Result<(Piece, &[u8]), BadPattern> {
    let (mut rest, negated) = match text.strip_prefix(b"^") {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let mut ranges = Vec::new();
    loop {
        if let (Some(after), false) = (rest.strip_prefix(b"]"), ranges.is_empty()) {
            return Ok((Piece::Class { negated, ranges }, after));
        }
        let (low, after) = class_char(rest)?;
        let (high, after) = match after.strip_prefix(b"-") {
            Some(after) => class_char(after)?,
            None => (low, after),
        };
        ranges.push((low, high));
        rest = after;
    }
}

fn class_char(text: &[u8]) -> Result<(char, &[u8]), BadPattern> {
    if let [b'-' | b']', ..] = text {
        return Err(BadPattern);
    }
    let text = text.strip_prefix(b"\\").unwrap_or(text);
    let (c, width) = first_char(text).ok_or(BadPattern)?;
    let rest = text.get(width..).unwrap_or_default();
    if rest.is_empty() || (c == char::REPLACEMENT_CHARACTER && width == 1) {
        return Err(BadPattern);
    }
    Ok((c, rest))
}

/// What is left of a text after a chunk matched its beginning.
fn rest_after<'t>(pieces: &[Piece], mut text: &'t [u8]) -> Result<Option<&'t [u8]>, BadPattern> {
    for piece in pieces {
        let Some((c, width)) = first_char(text) else {
            return Ok(None);
        };
        let width = match piece {
            Piece::Bad => return Err(BadPattern),
            Piece::Byte(byte) if text.first() == Some(byte) => 1,
            Piece::Any => width,
            Piece::Class { negated, ranges }
                if ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated =>
            {
                width
            }
            _ => return Ok(None),
        };
        text = text.get(width..).unwrap_or_default();
    }
    Ok(Some(text))
}

/// The first character and its width; U+FFFD of width one where it is none.
fn first_char(text: &[u8]) -> Option<(char, usize)> {
    let start = text.get(..4).unwrap_or(text);
    let chunk = start.utf8_chunks().next()?;
    Some(match chunk.valid().chars().next() {
        Some(c) => (c, c.len_utf8()),
        None => (char::REPLACEMENT_CHARACTER, 1),
    })
}
