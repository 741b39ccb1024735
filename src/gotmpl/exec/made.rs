//! What random calls gave, and what was made of it.
//!
//! In: the results of calls, and of what was called with them. Out: pieces of
//! text by which each is known again. Who finds one in the output knows the call
//! that it comes from; what `sha256sum` or `b64enc` makes of a result is a piece
//! of that call as well.

use std::collections::BTreeSet;
use std::sync::Arc;

use memchr::memmem::Finder;

use crate::gotmpl::value::{Operand, Value};

/// The place of a call: its file, and the offset in it in bytes.
pub type Site = (Arc<str>, u32);

/// What is shorter may stand somewhere by chance.
const MIN_BYTES: usize = 8;

/// The most pieces that are kept; what is made in a loop may give any number.
const MAX_PIECES: usize = 256;

/// The functions that make something of a text in which it cannot be seen; all
/// others give it on as it is, or decide on it.
const REMAKING: &[&str] = &[
    "abbrev",
    "abbrevboth",
    "adler32sum",
    "b32dec",
    "b32enc",
    "b64dec",
    "b64enc",
    "bcrypt",
    "buildCustomCert",
    "camelcase",
    "decryptAES",
    "derivePassword",
    "encryptAES",
    "genCAWithKey",
    "genSelfSignedCertWithKey",
    "genSignedCert",
    "genSignedCertWithKey",
    "htpasswd",
    "initials",
    "kebabcase",
    "lower",
    "nospace",
    "regexFind",
    "regexReplaceAll",
    "regexReplaceAllLiteral",
    "replace",
    "sha1sum",
    "sha256sum",
    "sha512sum",
    "shuffle",
    "snakecase",
    "substr",
    "swapcase",
    "title",
    "trunc",
    "untitle",
    "upper",
    "urlquery",
];

/// The pieces of an execution.
#[derive(Clone, Debug, Default)]
pub struct Made {
    pieces: Vec<(Site, Finder<'static>)>,
    /// The length of the shortest piece.
    shortest: usize,
    blurred: BTreeSet<Site>,
}

impl Made {
    /// What finds the pieces, and the places of the calls that they come from.
    pub fn pieces(&self) -> impl Iterator<Item = (&Site, &Finder<'static>)> {
        self.pieces.iter().map(|(site, piece)| (site, piece))
    }

    /// Whether not all that a call gave can be known again.
    pub fn is_blurred(&self, site: &Site) -> bool {
        self.blurred.contains(site)
    }

    /// Adds what a call gave.
    pub(super) fn add(&mut self, site: Site, result: &Value) {
        let finder = |text: &[u8]| piece(text).map(|piece| Finder::new(piece).into_owned());
        let piece = match result {
            Value::Text(text) => finder(text.as_bytes()),
            Value::Object(object) => finder(object.text().as_bytes()),
            _ => None,
        };
        match piece {
            Some(piece) if self.pieces.len() < MAX_PIECES => {
                let length = piece.needle().len();
                if self.pieces.is_empty() || length < self.shortest {
                    self.shortest = length;
                }
                self.pieces.push((site, piece));
            }
            _ => {
                self.blurred.insert(site);
            }
        }
    }

    /// The calls of which something is in the arguments of another call, where
    /// that makes something else of it.
    pub(super) fn among(&self, function: &str, arguments: &[Operand]) -> Vec<Site> {
        let mut sites = Vec::new();
        let may_hold = |argument: &Operand| match &argument.value {
            Value::Text(text) => text.len() >= self.shortest,
            value => matches!(value, Value::Object(_)),
        };
        if self.pieces.is_empty()
            || !arguments.iter().any(may_hold)
            || REMAKING.binary_search(&function).is_err()
        {
            return sites;
        }
        for argument in arguments {
            match &argument.value {
                Value::Text(text) => self.in_text(text.as_bytes(), &mut sites),
                Value::Object(object) => self.in_text(object.text().as_bytes(), &mut sites),
                _ => {}
            }
        }
        sites
    }

    /// Adds what was made of the results of calls, unless they are in it as they
    /// were.
    pub(super) fn add_made_of(&mut self, sites: Vec<Site>, result: &Value) {
        let mut seen = Vec::new();
        match result {
            Value::Text(text) => self.in_text(text.as_bytes(), &mut seen),
            Value::Object(object) => self.in_text(object.text().as_bytes(), &mut seen),
            _ => return,
        }
        for site in sites {
            if !seen.contains(&site) {
                self.add(site, result);
            }
        }
    }

    fn in_text(&self, text: &[u8], sites: &mut Vec<Site>) {
        if text.len() < self.shortest {
            return;
        }
        for (site, piece) in &self.pieces {
            if piece.find(text).is_some() && !sites.contains(site) {
                sites.push(site.clone());
            }
        }
    }
}

/// The part of a result that can stand nowhere else: its longest line, of
/// several the one in the middle; those of a key in PEM are all as long, and the
/// first of them often begin alike.
fn piece(text: &[u8]) -> Option<&[u8]> {
    let lines = || text.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
    let longest = lines().map(<[u8]>::len).max()?;
    let among = || lines().filter(|line| line.len() == longest);
    let piece = among().nth(among().count() / 2)?;
    (longest >= MIN_BYTES).then_some(piece)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gotmpl::value::Text;

    #[test]
    fn results_are_known_by_what_was_made_of_them() {
        let site: Site = ("f".into(), 7);
        let other: Site = ("f".into(), 9);
        let text = |text: &str| Value::Text(Text::from(text));
        let mut made = Made::default();
        made.add(site.clone(), &text("correct-horse"));
        made.add(other.clone(), &text("short"));
        assert!(made.is_blurred(&other) && !made.is_blurred(&site));
        let arguments = [Operand::plain(text("my correct-horse battery"))];
        let sites = made.among("b64enc", &arguments);
        assert_eq!(sites, std::slice::from_ref(&site));
        // It is in the result as it was: nothing new.
        made.add_made_of(sites.clone(), &text("(my correct-horse battery)"));
        assert_eq!(made.pieces().count(), 1);
        made.add_made_of(sites, &text("bXkgY29ycmVjdC1ob3JzZQ=="));
        let arguments = [Operand::plain(text("x: bXkgY29ycmVjdC1ob3JzZQ=="))];
        assert_eq!(made.among("b64enc", &arguments), [site]);
    }

    #[test]
    fn functions_that_remake_are_sorted_and_there() {
        assert!(REMAKING.is_sorted());
        let functions = crate::gotmpl::functions::all();
        for name in REMAKING {
            assert!(functions.get(name).is_some(), "{name}");
        }
    }

    #[test]
    fn the_piece_of_a_key_is_in_its_middle() {
        let pem = "-----BEGIN KEY-----\nAAAAAAAAAAAAAAAAAAAAAAAA\nBBBBBBBBBBBBBBBBBBBBBBBB\n\
                   CCCCCCCCCCCCCCCCCCCCCCCC\nDDDD\n-----END KEY-----\n";
        assert_eq!(
            piece(pem.as_bytes()),
            Some(&b"BBBBBBBBBBBBBBBBBBBBBBBB"[..])
        );
        assert_eq!(piece(b"1234567"), None);
    }
}
