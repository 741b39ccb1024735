//! A tree to a pattern of the `regex` crate that means the same.
//!
//! Nothing is left to that crate's defaults: greed, line mode and case are
//! spelled out at each part, and names of groups stay here, since Go takes a
//! name twice, and names that begin with a digit.

use super::parse::Parsed;
use super::tree::{Class, Item, Kind, Look, Node};

/// The characters of the texts that a pattern is to match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alphabet {
    Ascii,
    Unicode,
}

/// A pattern, and for each of Go's groups its number in the pattern; none for
/// a group that never takes part.
#[derive(Debug)]
pub(super) struct Emitted {
    pub(super) pattern: String,
    pub(super) groups: Vec<Option<usize>>,
}

/// Writes a tree for texts of an alphabet.
pub(super) fn emit(parsed: &Parsed, alphabet: Alphabet) -> Emitted {
    let mut emitter = Emitter {
        alphabet,
        out: String::new(),
        groups: vec![None; parsed.groups.len()],
        next_group: 1,
    };
    if let Some(whole) = emitter.groups.first_mut() {
        *whole = Some(0);
    }
    emitter.node(&parsed.tree);
    Emitted {
        pattern: emitter.out,
        groups: emitter.groups,
    }
}

struct Emitter {
    alphabet: Alphabet,
    out: String,
    groups: Vec<Option<usize>>,
    next_group: usize,
}

impl Emitter {
    fn node(&mut self, node: &Node) {
        match &node.kind {
            Kind::Empty => {}
            Kind::Literal { c: None, .. } => self.out.push_str(NOTHING),
            Kind::Literal { c: Some(c), fold } => self.literal(*c, *fold),
            Kind::Any { line_feed: true } => self.any(),
            Kind::Any { line_feed: false } => self.out.push_str(match self.alphabet {
                Alphabet::Ascii => "[\\x{0}-\\x{9}\\x{B}-\\x{7F}]",
                Alphabet::Unicode => "[^\\n]",
            }),
            Kind::Class(class) => self.class(class),
            Kind::Look(look) => self.out.push_str(match look {
                Look::TextStart => "\\A",
                Look::TextEnd => "\\z",
                Look::LineStart => "(?m:^)",
                Look::LineEnd => "(?m:$)",
                Look::WordBoundary => "(?-u:\\b)",
                Look::NotWordBoundary => "(?-u:\\B)",
            }),
            Kind::Capture { index, node } => {
                if let Some(group) = self.groups.get_mut(*index) {
                    *group = Some(self.next_group);
                    self.next_group += 1;
                }
                self.wrapped("(", node);
            }
            Kind::Repeat {
                min,
                max,
                greedy,
                node,
            } => self.repeat(*min, *max, *greedy, node),
            Kind::Concat(nodes) => {
                for node in nodes {
                    if matches!(node.kind, Kind::Alternate(_)) {
                        self.wrapped("(?:", node);
                    } else {
                        self.node(node);
                    }
                }
            }
            Kind::Alternate(nodes) => {
                for (i, node) in nodes.iter().enumerate() {
                    if i > 0 {
                        self.out.push('|');
                    }
                    self.node(node);
                }
            }
        }
    }

    fn wrapped(&mut self, open: &str, node: &Node) {
        self.out.push_str(open);
        self.node(node);
        self.out.push(')');
    }

    fn repeat(&mut self, min: u32, max: Option<u32>, greedy: bool, node: &Node) {
        if max == Some(0) {
            // Its groups go with it: they never match.
            return;
        }
        if matches!(
            node.kind,
            Kind::Empty | Kind::Concat(_) | Kind::Alternate(_) | Kind::Repeat { .. }
        ) {
            self.wrapped("(?:", node);
        } else {
            self.node(node);
        }
        match (min, max) {
            (0, None) => self.out.push('*'),
            (1, None) => self.out.push('+'),
            (0, Some(1)) => self.out.push('?'),
            (min, None) => self.out.push_str(&format!("{{{min},}}")),
            (min, Some(max)) => self.out.push_str(&format!("{{{min},{max}}}")),
        }
        if !greedy {
            self.out.push('?');
        }
    }

    fn any(&mut self) {
        self.out.push_str(match self.alphabet {
            Alphabet::Ascii => "[\\x{0}-\\x{7F}]",
            Alphabet::Unicode => "(?s:.)",
        });
    }

    fn literal(&mut self, c: char, fold: bool) {
        if fold && c.is_ascii_alphabetic() && self.alphabet == Alphabet::Ascii {
            self.out.push('[');
            self.out.push(c.to_ascii_lowercase());
            self.out.push(c.to_ascii_uppercase());
            self.out.push(']');
        } else if fold && (c.is_ascii_alphabetic() || !c.is_ascii()) {
            self.out.push_str("(?i:");
            self.out.push(c);
            self.out.push(')');
        } else if c.is_ascii_alphanumeric() || !c.is_ascii() {
            self.out.push(c);
        } else {
            self.code_point(c);
        }
    }

    fn code_point(&mut self, c: char) {
        self.out.push_str(&format!("\\x{{{:X}}}", u32::from(c)));
    }

    /// Compat: Go takes the other cases of each item before it negates the
    /// item; so does `regex` where each negated item is a class of its own.
    fn class(&mut self, class: &Class) {
        if class.items.iter().all(is_empty) {
            if class.negated {
                self.any();
            } else {
                self.out.push_str(NOTHING);
            }
            return;
        }
        if class.fold {
            self.out.push_str("(?i:");
        }
        if self.alphabet == Alphabet::Ascii {
            self.out.push_str("[\\x{0}-\\x{7F}&&");
        }
        self.out.push_str(if class.negated { "[^" } else { "[" });
        for item in &class.items {
            match item {
                Item::Range(low, high) => self.range(*low, *high),
                Item::Ascii { ranges, negated } => {
                    self.out.push_str(if *negated { "[^" } else { "[" });
                    for &(low, high) in *ranges {
                        self.range(u32::from(low), u32::from(high));
                    }
                    self.out.push(']');
                }
                Item::Unicode { property, negated } => {
                    let letter = if *negated { 'P' } else { 'p' };
                    self.out.push_str(&format!("\\{letter}{{{property}}}"));
                }
            }
        }
        self.out.push(']');
        if self.alphabet == Alphabet::Ascii {
            self.out.push(']');
        }
        if class.fold {
            self.out.push(')');
        }
    }

    fn range(&mut self, low: u32, high: u32) {
        // An end that is a surrogate moves to the nearest character inside.
        let (Some(low), Some(high)) = (
            char::from_u32(low).or_else(|| char::from_u32(0xe000)),
            char::from_u32(high).or_else(|| char::from_u32(0xd7ff)),
        ) else {
            return;
        };
        if low <= high {
            self.code_point(low);
            self.out.push('-');
            self.code_point(high);
        }
    }
}

/// Matches no character.
const NOTHING: &str = "[^\\x{0}-\\x{10FFFF}]";

/// Whether an item holds nothing but surrogates.
fn is_empty(item: &Item) -> bool {
    matches!(item, Item::Range(0xd800..=0xdfff, 0xd800..=0xdfff))
}
