//! The parse tree of a pattern, with the measures that Go's limits look at.

/// The largest height of a tree that Go takes.
const MAX_HEIGHT: u32 = 1000;
/// The largest program that Go takes: 128 MiB in instructions of 40 bytes.
const MAX_SIZE: u64 = (128 << 20) / 40;
/// The most copies of one thing that nested repetitions may ask for.
const MAX_COPIES: u64 = 1000;

/// A part of a pattern.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// The longest way down, as Go counts it.
    height: u32,
    /// Instructions that Go would compile it to.
    size: u64,
    /// Copies that counted repetitions make of the innermost part.
    copies: u64,
}

/// What a part is.
#[derive(Debug)]
pub(super) enum Kind {
    /// The empty text.
    Empty,
    /// One character; `fold` takes its other cases as well. None is a
    /// surrogate, which no text holds.
    Literal { c: Option<char>, fold: bool },
    /// Any character, or any but a line feed.
    Any { line_feed: bool },
    /// One character of a set.
    Class(Class),
    /// A place between characters.
    Look(Look),
    /// A group that captures, with its number.
    Capture { index: usize, node: Box<Node> },
    /// A part several times; without `max` any number of times.
    Repeat {
        min: u32,
        max: Option<u32>,
        greedy: bool,
        node: Box<Node>,
    },
    /// Parts one after the other: two or more.
    Concat(Vec<Node>),
    /// One of several parts: two or more.
    Alternate(Vec<Node>),
}

/// A condition on a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    TextStart,
    TextEnd,
    LineStart,
    LineEnd,
    WordBoundary,
    NotWordBoundary,
}

/// A set of characters.
#[derive(Debug, Default)]
pub(super) struct Class {
    pub(super) negated: bool,
    pub(super) fold: bool,
    pub(super) items: Vec<Item>,
}

/// A part of a set; code points may be surrogates.
#[derive(Debug)]
pub(super) enum Item {
    Range(u32, u32),
    /// Named ASCII characters: `\d`, `[:alpha:]`.
    Ascii {
        ranges: &'static [(u8, u8)],
        negated: bool,
    },
    /// `\p{…}`, as `regex` spells what stands between the braces.
    Unicode {
        property: String,
        negated: bool,
    },
}

/// Go's reasons to refuse a tree that is well formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    Height,
    Size,
    Copies,
}

impl Node {
    /// Instructions that Go would compile it to.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn leaf(kind: Kind) -> Node {
        Node {
            kind,
            height: 1,
            size: 1,
            copies: 1,
        }
    }

    pub(super) fn literal(c: char, fold: bool) -> Node {
        Node::leaf(Kind::Literal { c: Some(c), fold })
    }

    pub(super) fn capture(index: usize, node: Node) -> Result<Node, Limit> {
        Node {
            height: node.height + 1,
            size: node.size.saturating_add(2),
            copies: node.copies,
            kind: Kind::Capture {
                index,
                node: Box::new(node),
            },
        }
        .checked()
    }

    /// `*`, `+` and `?`.
    pub(super) fn repeat(
        node: Node,
        min: u32,
        max: Option<u32>,
        greedy: bool,
    ) -> Result<Node, Limit> {
        Node {
            height: node.height + 1,
            size: node.size.saturating_add(2),
            copies: node.copies,
            kind: Kind::Repeat {
                min,
                max,
                greedy,
                node: Box::new(node),
            },
        }
        .checked()
    }

    /// `{min,max}`.
    pub(super) fn counted(
        node: Node,
        min: u32,
        max: Option<u32>,
        greedy: bool,
    ) -> Result<Node, Limit> {
        let size = match max {
            Some(max) => (node.size.saturating_mul(u64::from(max)))
                .saturating_add(u64::from(max.saturating_sub(min))),
            None => node
                .size
                .saturating_mul(u64::from(min.max(1)))
                .saturating_add(2),
        };
        let copies = match max.unwrap_or(min) {
            // What is left out altogether is not counted.
            0 if max == Some(0) => 1,
            n => node.copies.saturating_mul(u64::from(n.max(1))),
        };
        let repeated = Node {
            height: node.height + 1,
            size: size.max(1),
            copies,
            kind: Kind::Repeat {
                min,
                max,
                greedy,
                node: Box::new(node),
            },
        }
        .checked()?;
        if copies > MAX_COPIES {
            return Err(Limit::Copies);
        }
        Ok(repeated)
    }

    /// Parts one after the other; what is itself a sequence is taken apart.
    pub(super) fn concat(nodes: Vec<Node>) -> Result<Node, Limit> {
        let mut all = Vec::with_capacity(nodes.len());
        for node in nodes {
            match node.kind {
                Kind::Concat(inner) => all.extend(inner),
                _ => all.push(node),
            }
        }
        if all.len() < 2 {
            return Ok(all.pop().unwrap_or_else(|| Node::leaf(Kind::Empty)));
        }
        let is_string = all.iter().all(|n| matches!(n.kind, Kind::Literal { .. }));
        Node {
            height: if is_string { 1 } else { tallest(&all) + 1 },
            size: total(&all),
            copies: most_copies(&all),
            kind: Kind::Concat(all),
        }
        .checked()
    }

    /// One of several parts; an alternative that is a choice is taken apart.
    pub(super) fn alternate(nodes: Vec<Node>) -> Result<Node, Limit> {
        let mut all = Vec::with_capacity(nodes.len());
        for node in nodes {
            match node.kind {
                Kind::Alternate(inner) => all.extend(inner),
                _ => all.push(node),
            }
        }
        if all.len() < 2 {
            return Ok(all.pop().unwrap_or_else(|| Node::leaf(Kind::Empty)));
        }
        // Go makes one set of single characters.
        let is_set = all.iter().all(|n| {
            matches!(
                n.kind,
                Kind::Literal { .. } | Kind::Class(_) | Kind::Any { .. }
            )
        });
        Node {
            height: if is_set { 1 } else { tallest(&all) + 1 },
            size: total(&all).saturating_add(all.len() as u64 - 1),
            copies: most_copies(&all),
            kind: Kind::Alternate(all),
        }
        .checked()
    }

    /// Checked at every step, so that a tree never grows so high that walking
    /// it, or dropping it, exhausts the stack.
    fn checked(self) -> Result<Node, Limit> {
        if self.size > MAX_SIZE {
            Err(Limit::Size)
        } else if self.height > MAX_HEIGHT {
            Err(Limit::Height)
        } else {
            Ok(self)
        }
    }
}

fn tallest(nodes: &[Node]) -> u32 {
    nodes.iter().map(|n| n.height).max().unwrap_or(0)
}

fn total(nodes: &[Node]) -> u64 {
    nodes.iter().map(|n| n.size).fold(0, u64::saturating_add)
}

fn most_copies(nodes: &[Node]) -> u64 {
    nodes.iter().map(|n| n.copies).max().unwrap_or(1)
}
