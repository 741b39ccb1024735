//! Expressions as they are kept.

use std::sync::Arc;

use super::functions::Function;
use super::value::Value;

/// An expression and where it begins in the text, in bytes.
#[derive(Clone, Debug)]
pub(super) struct Expr {
    pub(super) at: usize,
    /// How many expressions lie within each other here, this one included.
    height: usize,
    pub(super) node: Node,
}

impl Expr {
    /// None where expressions would nest too deeply to be evaluated, or even
    /// dropped.
    pub(super) fn new(at: usize, node: Node) -> Option<Expr> {
        let height = 1 + node.children().map(|e| e.height).max().unwrap_or(0);
        (height <= MAX_HEIGHT).then_some(Expr { at, height, node })
    }
}

/// Frames of evaluation that any thread's stack holds.
const MAX_HEIGHT: usize = 200;

#[derive(Clone, Debug)]
pub(super) enum Node {
    Literal(Value),
    /// A variable.
    Name(Arc<str>),
    /// `operand.field`, `operand.?field`
    Select {
        operand: Box<Expr>,
        field: Arc<str>,
        optional: bool,
    },
    /// `has(operand.field)`
    Has {
        operand: Box<Expr>,
        field: Arc<str>,
    },
    /// `operand[index]`, `operand[?index]`
    Index {
        operand: Box<Expr>,
        index: Box<Expr>,
        optional: bool,
    },
    Not(Box<Expr>),
    Negate(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Conditional(Box<Expr>, Box<Expr>, Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    /// Items, each with whether it is left out where it is an empty optional.
    List(Vec<(Expr, bool)>),
    Map(Vec<(Expr, Expr, bool)>),
    /// A call; the target of a method is its first argument.
    Call(Function, Vec<Expr>),
    Comprehension(Box<Comprehension>),
    /// `cel.bind(name, value, body)`
    Bind {
        name: Arc<str>,
        value: Box<Expr>,
        body: Box<Expr>,
    },
    /// `target.optMap(name, body)`, and `optFlatMap`.
    MapOptional {
        target: Box<Expr>,
        name: Arc<str>,
        body: Box<Expr>,
        flat: bool,
    },
}

impl Node {
    pub(super) fn children(&self) -> Box<dyn Iterator<Item = &Expr> + '_> {
        match self {
            Node::Literal(_) | Node::Name(_) => Box::new(std::iter::empty()),
            Node::Select { operand, .. } | Node::Has { operand, .. } => {
                Box::new(std::iter::once(&**operand))
            }
            Node::Not(e) | Node::Negate(e) => Box::new(std::iter::once(&**e)),
            Node::Index { operand, index, .. } => Box::new([&**operand, index].into_iter()),
            Node::And(a, b) | Node::Or(a, b) | Node::Binary(_, a, b) => {
                Box::new([&**a, b].into_iter())
            }
            Node::Conditional(a, b, c) => Box::new([&**a, b, c].into_iter()),
            Node::List(items) => Box::new(items.iter().map(|(e, _)| e)),
            Node::Map(entries) => Box::new(entries.iter().flat_map(|(k, v, _)| [k, v])),
            Node::Call(_, arguments) => Box::new(arguments.iter()),
            Node::Comprehension(c) => {
                Box::new(std::iter::once(&c.target).chain(&c.filter).chain(&c.result))
            }
            Node::Bind { value, body, .. } => Box::new([&**value, body].into_iter()),
            Node::MapOptional { target, body, .. } => Box::new([&**target, body].into_iter()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
}

/// A macro that goes through a list or a map.
#[derive(Clone, Debug)]
pub(super) struct Comprehension {
    pub(super) macro_: Macro,
    pub(super) target: Expr,
    /// One variable for the item (or key), or two for index (or key) and
    /// value.
    pub(super) names: Vec<Arc<str>>,
    /// What decides which items count; of `map` and `transform…` it may be
    /// missing.
    pub(super) filter: Option<Expr>,
    /// What becomes of an item, for macros that make something.
    pub(super) result: Option<Expr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Macro {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
    TransformMap,
    TransformMapEntry,
    SortBy,
}
