//! Parsed templates.
//!
//! A [`Source`] is the text of one file with the templates in it, made once
//! and shared by every execution. Nodes lie in one vector and refer to each
//! other by number; names and text are places in the source. A file's name is
//! no part of it, since one file may be rendered under several (aliases of a
//! chart).

use std::sync::{Arc, OnceLock};

use super::function::Function;
use super::value::Text;
use crate::gostd::strconv::{self, quote};

/// The number of a node in its [`Source`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeId(pub(super) u32);

/// Some neighbours in one of the lists of a [`Source`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Range {
    fn of<T>(self, list: &[T]) -> &[T] {
        list.get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }

    pub(super) fn len(self) -> usize {
        (self.end - self.start) as usize
    }
}

/// A piece of the text, in bytes.
pub(super) type Slice = Range;

/// What stands in a template.
#[derive(Clone, Copy, Debug)]
pub(super) enum Node {
    /// Nodes one after the other.
    List(Range),
    /// What is printed as it is.
    Text(Slice),
    /// A pipeline whose value is printed.
    Action(NodeId),
    /// `if`, `with` or `range`.
    Branch {
        kind: Branch,
        pipe: NodeId,
        list: NodeId,
        otherwise: Option<NodeId>,
    },
    Break,
    Continue,
    /// A call of a template; the name is a literal.
    Template {
        name: u32,
        pipe: Option<NodeId>,
    },
    /// Commands, each fed by the one before it. The first `declared` of the
    /// nodes are variables.
    Pipe {
        nodes: Range,
        declared: u8,
        assigns: bool,
    },
    /// An operand and its arguments.
    Command(Range),
    Function(&'static Function),
    /// `.a.b`: names.
    Field(Range),
    /// `$x.a.b`: the variable, and names.
    Variable {
        variable: u32,
        fields: Range,
    },
    /// Fields of the value of another node.
    Chain {
        node: NodeId,
        fields: Range,
    },
    Dot,
    Nil,
    Bool(bool),
    Number(u32),
    String(u32),
}

/// The actions that hold others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Branch {
    If,
    With,
    Range,
}

impl Branch {
    pub(super) fn keyword(self) -> &'static str {
        match self {
            Branch::If => "if",
            Branch::With => "with",
            Branch::Range => "range",
        }
    }
}

/// A number constant, under every type that can represent it.
///
/// Compat: Go's untyped constants; `parse/node.go` `newNumber`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Number {
    pub(super) int: Option<i64>,
    pub(super) uint: Option<u64>,
    pub(super) float: Option<f64>,
    pub(super) complex: Option<(f64, f64)>,
    /// How it is written.
    pub(super) text: Slice,
}

/// The variables that a `range` declares or assigns.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LoopVariables {
    pub(super) count: usize,
    pub(super) assigns: bool,
    pub(super) names: [u32; 2],
}

/// A string constant; its text is made where it is first used, since most of a
/// library of templates never is.
#[derive(Clone, Debug)]
pub(super) struct Literal {
    pub(super) quoted: Slice,
    text: OnceLock<Text>,
}

impl Literal {
    /// A constant that is written so; it has been found to be quoted well.
    pub(super) fn new(quoted: Slice) -> Literal {
        Literal {
            quoted,
            text: OnceLock::new(),
        }
    }
}

/// A template of a file.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    /// Its name; none for the file itself.
    pub(super) name: Option<Text>,
    pub(super) root: NodeId,
    /// Whether it holds nothing but blanks.
    pub(super) is_empty: bool,
}

/// The text of one template file, parsed.
#[derive(Debug, Default)]
pub struct Source {
    pub(super) text: Arc<str>,
    pub(super) nodes: Vec<Node>,
    /// Where each node begins, in bytes.
    pub(super) places: Vec<u32>,
    pub(super) children: Vec<NodeId>,
    pub(super) names: Vec<Slice>,
    pub(super) variables: Vec<Slice>,
    pub(super) numbers: Vec<Number>,
    pub(super) literals: Vec<Literal>,
    /// The definitions, and the file itself at the end.
    pub(super) trees: Vec<Tree>,
    /// The number of the variable `$`, where it is used.
    pub(super) dollar: Option<u32>,
}

impl Source {
    /// An empty one, with room for what so many actions usually hold.
    pub(super) fn for_actions(count: usize) -> Source {
        let count = count.min(10_000);
        Source {
            nodes: Vec::with_capacity(count * 6),
            places: Vec::with_capacity(count * 6),
            children: Vec::with_capacity(count * 5),
            names: Vec::with_capacity(count * 2),
            literals: Vec::with_capacity(count),
            ..Source::default()
        }
    }

    /// The text that was parsed.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    pub(super) fn node(&self, id: NodeId) -> Node {
        self.nodes.get(id.0 as usize).copied().unwrap_or(Node::Nil)
    }

    pub(super) fn place(&self, id: NodeId) -> u32 {
        self.places.get(id.0 as usize).copied().unwrap_or_default()
    }

    pub(super) fn children(&self, range: Range) -> &[NodeId] {
        range.of(&self.children)
    }

    pub(super) fn slice(&self, slice: Slice) -> &str {
        self.text
            .get(slice.start as usize..slice.end as usize)
            .unwrap_or_default()
    }

    /// The names of a chain of fields.
    pub(super) fn names(&self, range: Range) -> &[Slice] {
        range.of(&self.names)
    }

    pub(super) fn variable(&self, variable: u32) -> &str {
        self.variables
            .get(variable as usize)
            .map(|s| self.slice(*s))
            .unwrap_or_default()
    }

    pub(super) fn literal(&self, literal: u32) -> Text {
        self.literal_in(&self.text, literal)
    }

    /// As [`Source::literal`], for a text that has not been put in yet.
    pub(super) fn literal_in(&self, text: &str, literal: u32) -> Text {
        let Some(literal) = self.literals.get(literal as usize) else {
            return Text::default();
        };
        let read = || {
            let Range { start, end } = literal.quoted;
            let quoted = text.get(start as usize..end as usize);
            let unquoted = quoted.and_then(strconv::unquote);
            unquoted.map_or_else(Text::default, |bytes| Text::from(&*bytes))
        };
        literal.text.get_or_init(read).clone()
    }

    /// Puts another node in the place of one.
    pub(super) fn replace(&mut self, id: NodeId, node: Node, place: u32) {
        if let Some(slot) = self.nodes.get_mut(id.0 as usize) {
            *slot = node;
        }
        if let Some(slot) = self.places.get_mut(id.0 as usize) {
            *slot = place;
        }
    }

    pub(super) fn number(&self, number: u32) -> Number {
        self.numbers
            .get(number as usize)
            .copied()
            .unwrap_or_default()
    }

    /// The number of the variable `$`; one that nothing refers to where it is
    /// not used.
    pub(super) fn dollar(&self) -> u32 {
        self.dollar.unwrap_or(u32::MAX)
    }

    /// Whether a pipeline declares or assigns variables.
    pub(super) fn declares(&self, pipe: NodeId) -> bool {
        matches!(self.node(pipe), Node::Pipe { declared, .. } if declared > 0)
    }

    /// The variables of a `range`.
    pub(super) fn loop_variables(&self, pipe: NodeId) -> LoopVariables {
        let Node::Pipe {
            nodes,
            declared,
            assigns,
        } = self.node(pipe)
        else {
            return LoopVariables::default();
        };
        let mut variables = LoopVariables {
            count: usize::from(declared.min(2)),
            assigns,
            names: [0; 2],
        };
        let nodes = self.children(nodes).iter().take(variables.count);
        for (name, node) in variables.names.iter_mut().zip(nodes) {
            if let Node::Variable { variable, .. } = self.node(*node) {
                *name = variable;
            }
        }
        variables
    }

    /// The line, from 1, and the bytes before a place on its line, as Go's
    /// messages count them.
    pub fn line_and_bytes(&self, place: u32) -> (u32, u32) {
        let before = self.text.get(..place as usize).unwrap_or_default();
        let line = 1 + memchr::memchr_iter(b'\n', before.as_bytes()).count();
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        (number(line), number(before.len() - start))
    }

    /// The line and column of a place, both from 1, as spans count them.
    pub fn line_and_column(&self, place: u32) -> (u32, u32) {
        let before = self.text.get(..place as usize).unwrap_or_default();
        let (line, _) = self.line_and_bytes(place);
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = 1 + before[start..].chars().count();
        (line, u32::try_from(column).unwrap_or(u32::MAX))
    }

    /// A node as Go's messages write it.
    pub(super) fn show(&self, id: NodeId) -> String {
        let mut out = String::new();
        self.write(&mut out, id);
        out
    }

    fn write(&self, out: &mut String, id: NodeId) {
        match self.node(id) {
            Node::List(range) => {
                for child in self.children(range) {
                    self.write(out, *child);
                }
            }
            Node::Text(slice) => out.push_str(self.slice(slice)),
            Node::Action(pipe) => {
                out.push_str("{{");
                self.write(out, pipe);
                out.push_str("}}");
            }
            Node::Branch {
                kind,
                pipe,
                list,
                otherwise,
            } => {
                out.push_str("{{");
                out.push_str(kind.keyword());
                out.push(' ');
                self.write(out, pipe);
                out.push_str("}}");
                self.write(out, list);
                if let Some(otherwise) = otherwise {
                    out.push_str("{{else}}");
                    self.write(out, otherwise);
                }
                out.push_str("{{end}}");
            }
            Node::Break => out.push_str("{{break}}"),
            Node::Continue => out.push_str("{{continue}}"),
            Node::Template { name, pipe } => {
                out.push_str("{{template ");
                out.push_str(&quote(&self.literal(name).to_string()));
                if let Some(pipe) = pipe {
                    out.push(' ');
                    self.write(out, pipe);
                }
                out.push_str("}}");
            }
            Node::Pipe {
                nodes,
                declared,
                assigns,
            } => {
                let (declared, commands) = self
                    .children(nodes)
                    .split_at_checked(usize::from(declared))
                    .unwrap_or_default();
                self.join(out, declared, ", ");
                if !declared.is_empty() {
                    out.push_str(if assigns { " = " } else { " := " });
                }
                self.join(out, commands, " | ");
            }
            Node::Command(range) => self.join(out, self.children(range), " "),
            Node::Function(function) => out.push_str(function.name),
            Node::Field(names) => self.write_fields(out, names),
            Node::Variable { variable, fields } => {
                out.push_str(self.variable(variable));
                self.write_fields(out, fields);
            }
            Node::Chain { node, fields } => {
                self.write_operand(out, node);
                self.write_fields(out, fields);
            }
            Node::Dot => out.push('.'),
            Node::Nil => out.push_str("nil"),
            Node::Bool(value) => out.push_str(if value { "true" } else { "false" }),
            Node::Number(number) => out.push_str(self.slice(self.number(number).text)),
            Node::String(literal) => {
                if let Some(literal) = self.literals.get(literal as usize) {
                    out.push_str(self.slice(literal.quoted));
                }
            }
        }
    }

    fn join(&self, out: &mut String, nodes: &[NodeId], separator: &str) {
        for (i, node) in nodes.iter().enumerate() {
            if i > 0 {
                out.push_str(separator);
            }
            self.write_operand(out, *node);
        }
    }

    /// Writes a node, a pipeline in parentheses.
    fn write_operand(&self, out: &mut String, id: NodeId) {
        let is_pipe = matches!(self.node(id), Node::Pipe { .. });
        if is_pipe {
            out.push('(');
        }
        self.write(out, id);
        if is_pipe {
            out.push(')');
        }
    }

    fn write_fields(&self, out: &mut String, names: Range) {
        for name in self.names(names) {
            out.push('.');
            out.push_str(self.slice(*name));
        }
    }
}
