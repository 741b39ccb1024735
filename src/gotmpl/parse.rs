//! Tokens to trees.
//!
//! In: the text of a file. Out: a [`Source`], or what Go says is wrong with
//! it.
//!
//! Compat: `text/template/parse/parse.go` and `node.go` of Go 1.27. The order
//! in which tokens are looked at is Go's, since messages name the line of the
//! token that was read last.

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

use super::function::Functions;
use super::lex::{Kind, Lexer, Token};
use super::number;
use super::tree::{Branch, Literal, Node, NodeId, Range, Slice, Source, Tree};
use crate::gostd::strconv;
use crate::gostd::strconv::quote;

/// How deep actions and parentheses may nest.
///
/// Go allows 10,000 parentheses and any number of actions; no template that
/// people write comes near this number, and no thread's stack overflows.
const MAX_DEPTH: u32 = 400;

/// How many nodes a file may have: they take some fifty times what the largest
/// of charts do.
const MAX_NODES: usize = 4_000_000;

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// What is wrong, as Go words it.
    pub message: String,
    /// The line, from 1.
    pub line: u32,
    /// Where, in bytes.
    pub place: u32,
    /// The line of the action that is not closed.
    pub(super) action: Option<u32>,
}

impl ParseError {
    /// The message for a file of that name, without the place.
    pub fn message_in(&self, file: &str) -> String {
        match self.action {
            // Compat: "unclosed action" is not followed by "in action".
            Some(line) if self.message.ends_with(" action") => {
                format!("{} started at {file}:{line}", self.message)
            }
            Some(line) => format!("{} in action started at {file}:{line}", self.message),
            None => self.message.clone(),
        }
    }
}

type Result<T> = std::result::Result<T, ParseError>;

/// The variable that every template begins with; it has a number where it is
/// used.
const DOLLAR: (&str, u32) = ("$", u32::MAX);

/// How many actions a text has, comments among them.
pub(super) fn actions_in(text: &[u8]) -> usize {
    memchr::memmem::find_iter(text, "{{").count()
}

/// Parses the text of a file.
///
/// # Errors
///
/// What Go's parser refuses, and actions that nest too deep.
pub fn parse(text: impl Into<Arc<str>>, functions: &Functions) -> Result<Source> {
    let text = text.into();
    if u32::try_from(text.len()).is_err() {
        return Err(ParseError {
            message: "the file is too large".to_owned(),
            line: 1,
            place: 0,
            action: None,
        });
    }
    let end = Token {
        kind: Kind::Eof,
        spaced: false,
        start: 0,
        end: 0,
    };
    let mut parser = Parser {
        lexer: Lexer::new(&text),
        functions,
        tokens: [end; 2],
        peeked: 0,
        variables: vec![DOLLAR],
        numbers: HashMap::new(),
        action: None,
        ranges: 0,
        depth: 0,
        pending: Vec::new(),
        names: Vec::new(),
        source: Source::for_actions(actions_in(text.as_bytes())),
        text: &text,
    };
    parser.file()?;
    let mut source = parser.source;
    source.text = text;
    Ok(source)
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    functions: &'t Functions,
    text: &'t str,
    /// Tokens that were looked at; the one read last is the first.
    tokens: [Token; 2],
    peeked: usize,
    /// The variables that are visible, by their names, with their numbers.
    variables: Vec<(&'t str, u32)>,
    /// The numbers of all names of variables.
    numbers: HashMap<&'t str, u32>,
    /// Where the action that is being read began.
    action: Option<u32>,
    /// How many `range` are open.
    ranges: u32,
    depth: u32,
    /// Nodes whose parent is not complete, and likewise names.
    pending: Vec<NodeId>,
    names: Vec<Slice>,
    source: Source,
}

/// What ends a list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    End,
    Else,
}

impl Ending {
    fn show(self) -> &'static str {
        match self {
            Ending::End => "{{end}}",
            Ending::Else => "{{else}}",
        }
    }
}

/// An item of a list, or what ends it.
enum Item {
    Node(NodeId),
    Ending(Ending),
}

impl<'t> Parser<'t> {
    // Tokens.

    fn next(&mut self) -> Token {
        if self.peeked > 0 {
            self.peeked -= 1;
        } else {
            self.tokens[0] = self.lexer.next();
        }
        self.tokens[self.peeked.min(1)]
    }

    fn backup(&mut self) {
        self.peeked += 1;
    }

    /// Takes back the last token and one before it.
    fn backup2(&mut self, before: Token) {
        self.tokens[1] = before;
        self.peeked = 2;
    }

    fn peek(&mut self) -> Token {
        if self.peeked == 0 {
            self.peeked = 1;
            self.tokens[0] = self.lexer.next();
        }
        self.tokens[(self.peeked - 1).min(1)]
    }

    fn slice(&self, token: Token) -> &'t str {
        self.text
            .get(token.start as usize..token.end as usize)
            .unwrap_or_default()
    }

    // Errors.

    fn line_at(&self, place: u32) -> u32 {
        let before = self.text.get(..place as usize).unwrap_or_default();
        let breaks = memchr::memchr_iter(b'\n', before.as_bytes()).count();
        u32::try_from(breaks + 1).unwrap_or(u32::MAX)
    }

    fn error(&self, message: impl Into<String>) -> ParseError {
        let place = self.tokens[0].start;
        ParseError {
            message: message.into(),
            line: self.line_at(place),
            place,
            action: None,
        }
    }

    fn unexpected(&self, token: Token, context: &str) -> ParseError {
        let shown = self.lexer.describe(token);
        if token.kind != Kind::Error {
            return self.error(format!("unexpected {shown} in {context}"));
        }
        let started = self.action.map(|place| self.line_at(place));
        ParseError {
            action: started.filter(|line| *line != self.line_at(token.start)),
            ..self.error(shown)
        }
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Result<Token> {
        let token = self.next();
        if token.kind == kind {
            Ok(token)
        } else {
            Err(self.unexpected(token, context))
        }
    }

    fn deeper(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error("max expression depth exceeded"));
        }
        Ok(())
    }

    // Nodes.

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a text below 4 GiB has fewer nodes"
    )]
    fn add(&mut self, node: Node, place: u32) -> NodeId {
        self.source.nodes.push(node);
        self.source.places.push(place);
        NodeId(self.source.nodes.len() as u32 - 1)
    }

    /// The nodes that became pending after `mark`, as a list.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a text below 4 GiB has fewer nodes"
    )]
    fn children_since(&mut self, mark: usize) -> Range {
        let start = self.source.children.len() as u32;
        self.source.children.extend(self.pending.drain(mark..));
        Range {
            start,
            end: self.source.children.len() as u32,
        }
    }

    fn list_since(&mut self, mark: usize, place: u32) -> NodeId {
        let range = self.children_since(mark);
        self.add(Node::List(range), place)
    }

    /// The names gathered, as a list.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a text below 4 GiB has fewer names"
    )]
    fn take_names(&mut self) -> Range {
        let start = self.source.names.len() as u32;
        self.source.names.append(&mut self.names);
        Range {
            start,
            end: self.source.names.len() as u32,
        }
    }

    fn literal(&mut self, token: Token) -> Result<u32> {
        if strconv::unquote(self.slice(token)).is_none() {
            return Err(self.error("invalid syntax"));
        }
        self.source.literals.push(Literal::new(slice_of(token)));
        Ok(u32::try_from(self.source.literals.len() - 1).unwrap_or(u32::MAX))
    }

    /// The number of the name of a variable that is declared.
    fn number_of(&mut self, token: Token) -> u32 {
        let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(self.slice(token)).or_insert(next);
        if number == next {
            self.source.variables.push(slice_of(token));
        }
        number
    }

    /// The number of the name of a variable that is visible.
    fn variable(&mut self, token: Token) -> Option<u32> {
        let name = self.slice(token);
        let at = self.variables.iter().rposition(|(n, _)| *n == name)?;
        let number = self.variables.get(at)?.1;
        if (name, number) != DOLLAR {
            return Some(number);
        }
        // The first use in this template.
        let number = self.number_of(token);
        self.source.dollar = Some(number);
        self.variables.get_mut(at)?.1 = number;
        Some(number)
    }

    // Grammar.

    /// The file: what stands in it, and definitions between.
    fn file(&mut self) -> Result<()> {
        let place = self.peek().start;
        let mark = self.pending.len();
        loop {
            match self.peek().kind {
                Kind::Eof => break,
                Kind::LeftDelimiter => {
                    let delimiter = self.next();
                    if self.next().kind == Kind::Define {
                        self.definition()?;
                        continue;
                    }
                    self.backup2(delimiter);
                }
                _ => {}
            }
            match self.text_or_action()? {
                Item::Node(node) => self.pending.push(node),
                Item::Ending(ending) => {
                    return Err(self.error(format!("unexpected {}", ending.show())));
                }
            }
        }
        let root = self.list_since(mark, place);
        let is_empty = self.is_empty(root);
        self.source.trees.push(Tree {
            name: None,
            root,
            is_empty,
        });
        Ok(())
    }

    /// `define`, whose keyword has been read.
    fn definition(&mut self) -> Result<()> {
        const CONTEXT: &str = "define clause";
        let outer = self.enter_template();
        let token = self.next();
        if !matches!(token.kind, Kind::String | Kind::RawString) {
            return Err(self.unexpected(token, CONTEXT));
        }
        let name = self.literal(token)?;
        self.expect(Kind::RightDelimiter, CONTEXT)?;
        let (root, ending) = self.item_list()?;
        if ending != Ending::End {
            return Err(self.error(format!("unexpected {} in {CONTEXT}", ending.show())));
        }
        self.add_tree(name, root)?;
        self.leave_template(outer);
        Ok(())
    }

    fn add_tree(&mut self, name: u32, root: NodeId) -> Result<()> {
        let name = self.source.literal_in(self.text, name);
        let is_empty = self.is_empty(root);
        let tree = Tree {
            name: Some(name.clone()),
            root,
            is_empty,
        };
        let known = |t: &&mut Tree| t.name.as_ref() == Some(&name);
        match self.source.trees.iter_mut().find(known) {
            None => self.source.trees.push(tree),
            Some(old) if old.is_empty => *old = tree,
            Some(_) if is_empty => {}
            Some(_) => {
                let name = quote(&name.to_string());
                return Err(self.error(format!("template: multiple definition of template {name}")));
            }
        }
        Ok(())
    }

    /// Begins a template within another; it sees none of its variables.
    fn enter_template(&mut self) -> Outer<'t> {
        Outer {
            variables: std::mem::replace(&mut self.variables, vec![DOLLAR]),
            action: self.action.take(),
            ranges: std::mem::take(&mut self.ranges),
            token: self.tokens[0],
        }
    }

    fn leave_template(&mut self, outer: Outer<'t>) {
        self.variables = outer.variables;
        self.action = outer.action;
        self.ranges = outer.ranges;
        self.tokens[0] = outer.token;
    }

    /// Whether a list holds nothing but blanks.
    fn is_empty(&self, list: NodeId) -> bool {
        match self.source.nodes.get(list.0 as usize) {
            Some(Node::List(range)) => self
                .source
                .children(*range)
                .iter()
                .all(|child| self.is_empty(*child)),
            Some(Node::Text(slice)) => self
                .text
                .get(slice.start as usize..slice.end as usize)
                .is_some_and(|text| text.trim().is_empty()),
            _ => false,
        }
    }

    /// Text and actions up to `end` or `else`.
    fn item_list(&mut self) -> Result<(NodeId, Ending)> {
        let place = self.peek().start;
        let mark = self.pending.len();
        self.deeper()?;
        while self.peek().kind != Kind::Eof {
            match self.text_or_action()? {
                Item::Node(node) => self.pending.push(node),
                Item::Ending(ending) => {
                    self.depth -= 1;
                    return Ok((self.list_since(mark, place), ending));
                }
            }
        }
        Err(self.error("unexpected EOF"))
    }

    fn text_or_action(&mut self) -> Result<Item> {
        let token = self.next();
        if self.source.nodes.len() > MAX_NODES {
            return Err(self.error("the file has too many actions"));
        }
        match token.kind {
            Kind::Text => Ok(Item::Node(
                self.add(Node::Text(slice_of(token)), token.start),
            )),
            Kind::LeftDelimiter => {
                self.action = Some(token.start);
                let item = self.action();
                if item.is_ok() {
                    self.action = None;
                }
                item
            }
            _ => Err(self.unexpected(token, "input")),
        }
    }

    fn action(&mut self) -> Result<Item> {
        let token = self.next();
        let node = match token.kind {
            Kind::Block => self.block()?,
            Kind::Break => self.loop_control(token, Node::Break, "{{break}}")?,
            Kind::Continue => self.loop_control(token, Node::Continue, "{{continue}}")?,
            Kind::Else => return self.else_control().map(|()| Item::Ending(Ending::Else)),
            Kind::End => {
                self.expect(Kind::RightDelimiter, "end")?;
                return Ok(Item::Ending(Ending::End));
            }
            Kind::If => self.branch(Branch::If)?,
            Kind::Range => self.branch(Branch::Range)?,
            Kind::With => self.branch(Branch::With)?,
            Kind::Template => self.template()?,
            _ => {
                self.backup();
                let place = self.peek().start;
                let pipe = self.pipeline("command", Kind::RightDelimiter)?;
                self.add(Node::Action(pipe), place)
            }
        };
        Ok(Item::Node(node))
    }

    fn loop_control(&mut self, keyword: Token, node: Node, shown: &str) -> Result<NodeId> {
        let token = self.next();
        if token.kind != Kind::RightDelimiter {
            return Err(self.unexpected(token, shown));
        }
        if self.ranges == 0 {
            return Err(self.error(format!("{shown} outside {{{{range}}}}")));
        }
        Ok(self.add(node, keyword.start))
    }

    fn else_control(&mut self) -> Result<()> {
        // What follows `else if` is read by the branch that this is part of.
        if !matches!(self.peek().kind, Kind::If | Kind::With) {
            self.expect(Kind::RightDelimiter, "else")?;
        }
        Ok(())
    }

    fn branch(&mut self, kind: Branch) -> Result<NodeId> {
        let visible = self.variables.len();
        let pipe = self.pipeline(kind.keyword(), Kind::RightDelimiter)?;
        self.ranges += u32::from(kind == Branch::Range);
        let (list, ending) = self.item_list()?;
        self.ranges -= u32::from(kind == Branch::Range);
        let otherwise = match ending {
            Ending::End => None,
            Ending::Else => Some(self.otherwise(kind)?),
        };
        self.variables.truncate(visible);
        let place = self.source.place(pipe);
        Ok(self.add(
            Node::Branch {
                kind,
                pipe,
                list,
                otherwise,
            },
            place,
        ))
    }

    /// What follows `else`: a list, or another branch that shares its `end`.
    fn otherwise(&mut self, kind: Branch) -> Result<NodeId> {
        let next = self.peek();
        let chained = match next.kind {
            Kind::If => kind == Branch::If,
            Kind::With => kind == Branch::With,
            _ => false,
        };
        if chained {
            self.next();
            self.deeper()?;
            let mark = self.pending.len();
            let branch = self.branch(kind)?;
            self.depth -= 1;
            self.pending.push(branch);
            return Ok(self.list_since(mark, next.start));
        }
        let (list, ending) = self.item_list()?;
        if ending != Ending::End {
            return Err(self.error(format!("expected end; found {}", ending.show())));
        }
        Ok(list)
    }

    fn block(&mut self) -> Result<NodeId> {
        const CONTEXT: &str = "block clause";
        let token = self.next();
        let name = self.template_name(token, CONTEXT)?;
        let pipe = self.pipeline(CONTEXT, Kind::RightDelimiter)?;
        let outer = self.enter_template();
        let (root, ending) = self.item_list()?;
        if ending != Ending::End {
            self.leave_template(outer);
            return Err(self.error(format!("unexpected {} in {CONTEXT}", ending.show())));
        }
        self.add_tree(name, root)?;
        self.leave_template(outer);
        Ok(self.add(
            Node::Template {
                name,
                pipe: Some(pipe),
            },
            token.start,
        ))
    }

    fn template(&mut self) -> Result<NodeId> {
        const CONTEXT: &str = "template clause";
        let token = self.next();
        let name = self.template_name(token, CONTEXT)?;
        let mut pipe = None;
        if self.next().kind != Kind::RightDelimiter {
            self.backup();
            pipe = Some(self.pipeline(CONTEXT, Kind::RightDelimiter)?);
        }
        Ok(self.add(Node::Template { name, pipe }, token.start))
    }

    fn template_name(&mut self, token: Token, context: &str) -> Result<u32> {
        match token.kind {
            Kind::String | Kind::RawString => self.literal(token),
            _ => Err(self.unexpected(token, context)),
        }
    }

    /// Declarations, then commands with `|` between them.
    fn pipeline(&mut self, context: &str, end: Kind) -> Result<NodeId> {
        let place = self.peek().start;
        let mark = self.pending.len();
        let assigns = self.declarations(context)?;
        let declared = self.pending.len() - mark;
        loop {
            let token = self.next();
            match token.kind {
                kind if kind == end => break,
                Kind::Bool
                | Kind::CharConstant
                | Kind::Complex
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParenthesis => {
                    self.backup();
                    let command = self.command()?;
                    self.pending.push(command);
                }
                _ => return Err(self.unexpected(token, context)),
            }
        }
        self.check_pipeline(mark + declared, context)?;
        let nodes = self.children_since(mark);
        Ok(self.add(
            Node::Pipe {
                nodes,
                declared: u8::try_from(declared).unwrap_or_default(),
                assigns,
            },
            place,
        ))
    }

    /// Reads `$x :=`, `$x =` or, in `range`, `$i, $x :=`; tells whether it
    /// assigns.
    fn declarations(&mut self, context: &str) -> Result<bool> {
        let mut count = 0;
        loop {
            let variable = self.peek();
            if variable.kind != Kind::Variable {
                return Ok(false);
            }
            self.next();
            // What follows the variable tells a declaration from an argument.
            let next = self.peek();
            let is_comma = next.kind == Kind::Char && self.slice(next) == ",";
            if matches!(next.kind, Kind::Assign | Kind::Declare) {
                self.next();
                self.declare(variable);
                return Ok(next.kind == Kind::Assign);
            } else if is_comma {
                self.next();
                self.declare(variable);
                count += 1;
                if context != "range" || count >= 2 {
                    return Err(self.error(format!("too many declarations in {context}")));
                }
                if !matches!(
                    self.peek().kind,
                    Kind::Variable | Kind::RightDelimiter | Kind::RightParenthesis
                ) {
                    return Err(self.error("range can only initialize variables"));
                }
            } else {
                self.backup2(variable);
                return Ok(false);
            }
        }
    }

    fn declare(&mut self, token: Token) {
        let variable = self.number_of(token);
        let fields = Range::default();
        let node = self.add(Node::Variable { variable, fields }, token.start);
        self.pending.push(node);
        self.variables.push((self.slice(token), variable));
    }

    /// Checks the commands that became pending after `mark`.
    fn check_pipeline(&self, mark: usize, context: &str) -> Result<()> {
        let commands = self.pending.get(mark..).unwrap_or_default();
        if commands.is_empty() {
            return Err(self.error(format!("missing value for {context}")));
        }
        for (i, command) in commands.iter().enumerate().skip(1) {
            let Node::Command(arguments) = self.source.node(*command) else {
                continue;
            };
            let first = self.source.children(arguments).first();
            if first.is_some_and(|id| {
                matches!(
                    self.source.node(*id),
                    Node::Bool(_) | Node::Dot | Node::Nil | Node::Number(_) | Node::String(_)
                )
            }) {
                return Err(self.error(format!(
                    "non executable command in pipeline stage {}",
                    i + 1
                )));
            }
        }
        Ok(())
    }

    /// Operands up to `|` or the end of the pipeline.
    fn command(&mut self) -> Result<NodeId> {
        let place = self.peek().start;
        let mark = self.pending.len();
        loop {
            self.peek();
            let operand = self.operand()?;
            self.pending.extend(operand);
            let token = self.next();
            match token.kind {
                Kind::RightDelimiter | Kind::RightParenthesis => self.backup(),
                Kind::Pipe => {}
                _ if token.spaced && operand.is_some() => {
                    self.backup();
                    continue;
                }
                _ => return Err(self.unexpected(token, "operand")),
            }
            break;
        }
        if self.pending.len() == mark {
            return Err(self.error("empty command"));
        }
        let arguments = self.children_since(mark);
        Ok(self.add(Node::Command(arguments), place))
    }

    /// A term and the fields behind it.
    fn operand(&mut self) -> Result<Option<NodeId>> {
        let Some((term, token)) = self.term()? else {
            return Ok(None);
        };
        let is_field = |token: Token| token.kind == Kind::Field && !token.spaced;
        let place = self.peek();
        if !is_field(place) {
            return Ok(Some(term));
        }
        let place = place.start;
        debug_assert!(self.names.is_empty(), "names are taken with their node");
        while is_field(self.peek()) {
            let field = self.next();
            self.names.push(Slice {
                start: field.start + 1,
                end: field.end,
            });
        }
        let fields = self.take_names();
        let node = match self.source.node(term) {
            // Its name was the last one before these.
            Node::Field(first) => Node::Field(Range {
                start: first.start,
                end: fields.end,
            }),
            Node::Variable { variable, .. } => Node::Variable { variable, fields },
            Node::Bool(_) | Node::String(_) | Node::Number(_) | Node::Nil | Node::Dot => {
                let shown = quote(self.slice(token));
                return Err(self.error(format!("unexpected . after term {shown}")));
            }
            _ => return Ok(Some(self.add(Node::Chain { node: term, fields }, place))),
        };
        // Compat: the place is that of the second name.
        self.source.replace(term, node, place);
        Ok(Some(term))
    }

    fn term(&mut self) -> Result<Option<(NodeId, Token)>> {
        let token = self.next();
        let text = self.slice(token);
        let node = match token.kind {
            Kind::Identifier => {
                let Some(function) = self.functions.get(text) else {
                    let shown = quote(text);
                    return Err(self.error(format!("function {shown} not defined")));
                };
                Node::Function(function)
            }
            Kind::Dot => Node::Dot,
            Kind::Nil => Node::Nil,
            Kind::Variable => {
                let Some(variable) = self.variable(token) else {
                    let shown = quote(text);
                    return Err(self.error(format!("undefined variable {shown}")));
                };
                Node::Variable {
                    variable,
                    fields: Range::default(),
                }
            }
            Kind::Field => {
                self.names.push(Slice {
                    start: token.start + 1,
                    end: token.end,
                });
                Node::Field(self.take_names())
            }
            Kind::Bool => Node::Bool(text == "true"),
            Kind::CharConstant | Kind::Complex | Kind::Number => {
                let mut number =
                    number::parse(text, token.kind).map_err(|message| self.error(message))?;
                number.text = slice_of(token);
                self.source.numbers.push(number);
                Node::Number(u32::try_from(self.source.numbers.len() - 1).unwrap_or(u32::MAX))
            }
            Kind::LeftParenthesis => {
                self.deeper()?;
                let pipe = self.pipeline("parenthesized pipeline", Kind::RightParenthesis)?;
                self.depth -= 1;
                return Ok(Some((pipe, token)));
            }
            Kind::String | Kind::RawString => Node::String(self.literal(token)?),
            _ => {
                self.backup();
                return Ok(None);
            }
        };
        Ok(Some((self.add(node, token.start), token)))
    }
}

/// What belongs to the template around another.
struct Outer<'t> {
    variables: Vec<(&'t str, u32)>,
    action: Option<u32>,
    ranges: u32,
    token: Token,
}

fn slice_of(token: Token) -> Slice {
    Slice {
        start: token.start,
        end: token.end,
    }
}
