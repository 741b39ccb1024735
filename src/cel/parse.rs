//! Tokens to expressions, every name checked.

use std::sync::Arc;

use super::ast::{Comprehension, Expr, Macro, Node, Operator};
use super::functions::{Arity, Function};
use super::lex::{Token, tokens};
use super::value::Value;

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where, in bytes from the beginning of the text.
    pub at: usize,
    /// What is wrong.
    pub message: String,
}

impl SyntaxError {
    pub(super) fn new(at: usize, message: impl Into<String>) -> SyntaxError {
        SyntaxError {
            at,
            message: message.into(),
        }
    }
}

impl std::fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at character {}", self.message, self.at + 1)
    }
}

impl std::error::Error for SyntaxError {}

/// How many brackets may be open at once: a level takes some ten frames of the
/// parser.
const MAX_DEPTH: usize = 64;

/// Longer texts are refused.
const MAX_LENGTH: usize = 100_000;

/// Words that cannot be names.
const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// Types, which are values too.
const TYPES: [&str; 12] = [
    "bool",
    "bytes",
    "double",
    "duration",
    "dyn",
    "int",
    "list",
    "map",
    "null_type",
    "string",
    "type",
    "uint",
];

/// Types whose names have dots.
const LONG_TYPES: [&str; 2] = ["google.protobuf.Duration", "google.protobuf.Timestamp"];

/// Reads an expression in which these variables may stand.
pub(super) fn parse(text: &str, variables: &[&str]) -> Result<Expr, SyntaxError> {
    if text.len() > MAX_LENGTH {
        return Err(SyntaxError::new(0, "the expression is too long"));
    }
    let mut parser = Parser {
        tokens: tokens(text)?,
        next: 0,
        depth: 0,
        scope: variables.iter().map(|name| Arc::from(*name)).collect(),
    };
    let expr = parser.expression()?;
    match parser.peek() {
        Token::End => Ok(expr),
        token => Err(parser.unexpected(&token.clone())),
    }
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    next: usize,
    depth: usize,
    /// Variables that may stand here.
    scope: Vec<Arc<str>>,
}

type Result<T, E = SyntaxError> = std::result::Result<T, E>;

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.next).map_or(&Token::End, |(_, t)| t)
    }

    fn at(&self) -> usize {
        let last = self.tokens.last();
        let token = self.tokens.get(self.next).or(last);
        token.map_or(0, |(at, _)| *at)
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Token::Sign(s) if *s == sign);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<()> {
        if self.take(sign) {
            return Ok(());
        }
        Err(SyntaxError::new(
            self.at(),
            format!("expected `{sign}`, found {}", describe(self.peek())),
        ))
    }

    fn unexpected(&self, token: &Token) -> SyntaxError {
        SyntaxError::new(self.at(), format!("unexpected {}", describe(token)))
    }

    /// Reads one level deeper.
    fn deeper<T>(&mut self, read: impl FnOnce(&mut Parser) -> Result<T>) -> Result<T> {
        if self.depth >= MAX_DEPTH {
            return Err(too_deep(self.at()));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn expression(&mut self) -> Result<Expr> {
        self.deeper(|parser| {
            let at = parser.at();
            let condition = parser.or()?;
            if !parser.take("?") {
                return Ok(condition);
            }
            let then = parser.or()?;
            parser.expect(":")?;
            let otherwise = parser.expression()?;
            let node = Node::Conditional(condition.into(), then.into(), otherwise.into());
            make(at, node)
        })
    }

    fn or(&mut self) -> Result<Expr> {
        self.chain("||", Parser::and, Node::Or)
    }

    fn and(&mut self) -> Result<Expr> {
        self.chain("&&", Parser::relation, Node::And)
    }

    /// Operands joined by one sign, as a tree that is no deeper than needed.
    fn chain(
        &mut self,
        sign: &str,
        operand: fn(&mut Parser) -> Result<Expr>,
        join: fn(Box<Expr>, Box<Expr>) -> Node,
    ) -> Result<Expr> {
        let mut operands = vec![operand(self)?];
        while self.take(sign) {
            operands.push(operand(self)?);
        }
        balance(operands, join)
    }

    fn relation(&mut self) -> Result<Expr> {
        let mut left = self.addition()?;
        loop {
            let at = self.at();
            let operator = match self.peek() {
                Token::Sign("==") => Operator::Equal,
                Token::Sign("!=") => Operator::NotEqual,
                Token::Sign("<") => Operator::Less,
                Token::Sign("<=") => Operator::LessOrEqual,
                Token::Sign(">") => Operator::Greater,
                Token::Sign(">=") => Operator::GreaterOrEqual,
                Token::Name(name) if &**name == "in" => Operator::In,
                _ => return Ok(left),
            };
            self.next += 1;
            let right = self.addition()?;
            let node = Node::Binary(operator, left.into(), right.into());
            left = make(at, node)?;
        }
    }

    fn addition(&mut self) -> Result<Expr> {
        let signs = [("+", Operator::Add), ("-", Operator::Subtract)];
        self.arithmetic(&signs, Parser::multiplication)
    }

    fn multiplication(&mut self) -> Result<Expr> {
        let signs = [
            ("*", Operator::Multiply),
            ("/", Operator::Divide),
            ("%", Operator::Remainder),
        ];
        self.arithmetic(&signs, Parser::unary)
    }

    fn arithmetic(
        &mut self,
        signs: &[(&str, Operator)],
        operand: fn(&mut Parser) -> Result<Expr>,
    ) -> Result<Expr> {
        let mut left = operand(self)?;
        loop {
            let at = self.at();
            let Some((_, operator)) = signs.iter().find(|(sign, _)| self.take(sign)) else {
                return Ok(left);
            };
            let right = operand(self)?;
            let node = Node::Binary(*operator, left.into(), right.into());
            left = make(at, node)?;
        }
    }

    fn unary(&mut self) -> Result<Expr> {
        let at = self.at();
        let sign = ["!", "-"].into_iter().find(|sign| self.take(sign));
        let Some(sign) = sign else {
            return self.member();
        };
        // The smallest integer has no positive twin to negate.
        if sign == "-"
            && let Token::Int(value) = self.peek()
            && *value == i64::MIN.unsigned_abs()
        {
            self.next += 1;
            let node = Node::Literal(Value::Int(i64::MIN));
            return make(at, node);
        }
        let operand = self.deeper(Parser::unary)?;
        let operand_at = operand.at;
        let node = match (sign, operand.node) {
            ("-", Node::Literal(Value::Int(i))) => Node::Literal(Value::Int(-i)),
            ("-", Node::Literal(Value::Double(d))) => Node::Literal(Value::Double(-d)),
            (sign, node) => {
                let operand = make(operand_at, node)?;
                if sign == "!" {
                    Node::Not(operand.into())
                } else {
                    Node::Negate(operand.into())
                }
            }
        };
        make(at, node)
    }

    fn member(&mut self) -> Result<Expr> {
        let mut operand = self.primary()?;
        loop {
            let at = self.at();
            operand = if self.take(".?") {
                let field = self.field()?;
                Parser::select(at, operand, field, true)?
            } else if self.take(".") {
                let field = self.field()?;
                if self.take("(") {
                    self.method(at, operand, &field)?
                } else {
                    Parser::select(at, operand, field, false)?
                }
            } else if self.take("[?") {
                self.index(at, operand, true)?
            } else if self.take("[") {
                self.index(at, operand, false)?
            } else {
                return self.settled(operand);
            };
        }
    }

    /// A name that stands alone must be one that is known: what it was until
    /// now may have become part of a longer one.
    fn settled(&self, operand: Expr) -> Result<Expr> {
        let unknown = root_of(&operand).filter(|name| !self.is_known(name));
        match unknown {
            Some("google") => match path_of(&operand) {
                Some(path) if LONG_TYPES.contains(&&*path) => {
                    make(operand.at, Node::Literal(Value::Type(path.into())))
                }
                _ => Err(SyntaxError::new(operand.at, "undeclared name `google`")),
            },
            Some(name) => Err(SyntaxError::new(
                operand.at,
                format!("undeclared name `{name}`"),
            )),
            None => Ok(operand),
        }
    }

    fn is_known(&self, name: &str) -> bool {
        self.scope.iter().any(|known| &**known == name) || TYPES.contains(&name)
    }

    fn field(&mut self) -> Result<Arc<str>> {
        let field = match self.peek() {
            Token::Name(name) | Token::QuotedName(name) => name.clone(),
            token => {
                return Err(SyntaxError::new(
                    self.at(),
                    format!("expected the name of a field, found {}", describe(token)),
                ));
            }
        };
        self.next += 1;
        Ok(field)
    }

    fn select(at: usize, operand: Expr, field: Arc<str>, optional: bool) -> Result<Expr> {
        let node = Node::Select {
            operand: operand.into(),
            field,
            optional,
        };
        make(at, node)
    }

    fn index(&mut self, at: usize, operand: Expr, optional: bool) -> Result<Expr> {
        let operand = self.settled(operand)?;
        let index = self.expression()?;
        self.expect("]")?;
        let node = Node::Index {
            operand: operand.into(),
            index: index.into(),
            optional,
        };
        make(at, node)
    }

    fn primary(&mut self) -> Result<Expr> {
        let at = self.at();
        let token = self.peek().clone();
        self.next += 1;
        let node = match token {
            Token::Int(value) => Node::Literal(Value::Int(
                i64::try_from(value)
                    .map_err(|_| SyntaxError::new(at, "this integer is too large"))?,
            )),
            Token::Uint(value) => Node::Literal(Value::Uint(value)),
            Token::Double(value) => Node::Literal(Value::Double(value)),
            Token::String(text) => Node::Literal(Value::String(text)),
            Token::Bytes(bytes) => Node::Literal(Value::Bytes(bytes)),
            Token::Sign("(") => {
                let inner = self.expression()?;
                self.expect(")")?;
                return Ok(inner);
            }
            Token::Sign("[") => Node::List(self.items(false)?),
            Token::Sign("[?") => Node::List(self.items(true)?),
            Token::Sign("{") => Node::Map(self.entries(false)?),
            Token::Sign("{?") => Node::Map(self.entries(true)?),
            // A leading dot asks for a name of the outermost scope.
            Token::Sign(".") => {
                let name = self.field()?;
                return self.name(at, &name);
            }
            Token::Name(name) => return self.name(at, &name),
            token => {
                self.next -= 1;
                return Err(self.unexpected(&token));
            }
        };
        make(at, node)
    }

    fn name(&mut self, at: usize, name: &Arc<str>) -> Result<Expr> {
        let node = match &**name {
            "true" => Node::Literal(Value::Bool(true)),
            "false" => Node::Literal(Value::Bool(false)),
            "null" => Node::Literal(Value::Null),
            name if RESERVED.contains(&name) => {
                return Err(SyntaxError::new(at, format!("`{name}` cannot be a name")));
            }
            _ if self.take("(") => return self.function(at, name),
            _ => Node::Name(name.clone()),
        };
        make(at, node)
    }

    /// Items up to the closing bracket; the first may have been marked
    /// already.
    fn items(&mut self, first_optional: bool) -> Result<Vec<(Expr, bool)>> {
        let mut items = Vec::new();
        let mut optional = first_optional;
        while !self.take("]") {
            optional |= self.take("?");
            items.push((self.expression()?, optional));
            optional = false;
            if !self.take(",") {
                self.expect("]")?;
                break;
            }
        }
        Ok(items)
    }

    fn entries(&mut self, first_optional: bool) -> Result<Vec<(Expr, Expr, bool)>> {
        let mut entries = Vec::new();
        let mut optional = first_optional;
        while !self.take("}") {
            optional |= self.take("?");
            let key = self.expression()?;
            self.expect(":")?;
            entries.push((key, self.expression()?, optional));
            optional = false;
            if !self.take(",") {
                self.expect("}")?;
                break;
            }
        }
        Ok(entries)
    }

    fn arguments(&mut self) -> Result<Vec<Expr>> {
        let mut arguments = Vec::new();
        while !self.take(")") {
            arguments.push(self.expression()?);
            if !self.take(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(arguments)
    }

    /// `name(…)`
    fn function(&mut self, at: usize, name: &str) -> Result<Expr> {
        if name == "has" {
            return self.has(at);
        }
        let arguments = self.arguments()?;
        let node = Node::Call(find(at, name, false, arguments.len())?, arguments);
        make(at, node)
    }

    fn has(&mut self, at: usize) -> Result<Expr> {
        let argument = self.expression()?;
        self.expect(")")?;
        match argument.node {
            Node::Select {
                operand,
                field,
                optional: false,
            } => {
                let node = Node::Has { operand, field };
                make(at, node)
            }
            _ => Err(SyntaxError::new(
                at,
                "`has` asks for a field: `has(self.field)`",
            )),
        }
    }

    /// `target.name(…)`
    fn method(&mut self, at: usize, target: Expr, name: &str) -> Result<Expr> {
        if let Some(space) = path_of(&target) {
            let root = space.split('.').next().unwrap_or_default();
            let full = format!("{space}.{name}");
            if !self.is_known(root) {
                if full == "cel.bind" {
                    return self.bind(at);
                }
                if Function::find(&full, false).is_some() {
                    let arguments = self.arguments()?;
                    let node = Node::Call(find(at, &full, false, arguments.len())?, arguments);
                    return make(at, node);
                }
            }
        }
        let target = self.settled(target)?;
        if matches!(name, "optMap" | "optFlatMap") {
            return self.map_optional(at, target, name == "optFlatMap");
        }
        if let Some(shape) = self.macro_shape(name) {
            return self.comprehension(at, target, name, shape);
        }
        let mut arguments = vec![target];
        arguments.extend(self.arguments()?);
        let node = Node::Call(find(at, name, true, arguments.len())?, arguments);
        make(at, node)
    }

    fn bind(&mut self, at: usize) -> Result<Expr> {
        let name = self.variable()?;
        self.expect(",")?;
        let value = self.expression()?.into();
        self.expect(",")?;
        let body = self.within(std::slice::from_ref(&name), Parser::expression)?;
        self.expect(")")?;
        let node = Node::Bind {
            name,
            value,
            body: body.into(),
        };
        make(at, node)
    }

    fn map_optional(&mut self, at: usize, target: Expr, flat: bool) -> Result<Expr> {
        let name = self.variable()?;
        self.expect(",")?;
        let body = self.within(std::slice::from_ref(&name), Parser::expression)?;
        self.expect(")")?;
        let node = Node::MapOptional {
            target: target.into(),
            name,
            body: body.into(),
            flat,
        };
        make(at, node)
    }

    /// A macro that goes through its target.
    fn comprehension(
        &mut self,
        at: usize,
        target: Expr,
        name: &str,
        (macro_, variables, results): (Macro, usize, usize),
    ) -> Result<Expr> {
        let mut names = Vec::new();
        for _ in 0..variables {
            names.push(self.variable()?);
            self.expect(",")?;
        }
        let mut parts = vec![self.within(&names, Parser::expression)?];
        while self.take(",") {
            parts.push(self.within(&names, Parser::expression)?);
        }
        self.expect(")")?;
        if parts.len() > results {
            return Err(SyntaxError::new(
                at,
                format!("`{name}` has too many arguments"),
            ));
        }
        let makes = !matches!(
            macro_,
            Macro::All | Macro::Exists | Macro::ExistsOne | Macro::Filter
        );
        let result = if makes { parts.pop() } else { None };
        let node = Node::Comprehension(Box::new(Comprehension {
            macro_,
            target,
            names,
            filter: parts.pop(),
            result,
        }));
        make(at, node)
    }

    /// A macro by its name and the number of names that its arguments begin
    /// with, and how many expressions it may have at most.
    fn macro_shape(&self, name: &str) -> Option<(Macro, usize, usize)> {
        let variable = |offset: usize| {
            let name = matches!(
                self.tokens.get(self.next + offset),
                Some((_, Token::Name(_)))
            );
            let comma = self.tokens.get(self.next + offset + 1);
            name && matches!(comma, Some((_, Token::Sign(","))))
        };
        // A second variable is told from an expression by what follows: a
        // name, a comma, and one argument more.
        let commas = self.commas();
        let two = variable(0) && variable(2) && commas == 2;
        Some(match name {
            "all" => (Macro::All, 1 + usize::from(two), 1),
            "exists" => (Macro::Exists, 1 + usize::from(two), 1),
            "existsOne" if two => (Macro::ExistsOne, 2, 1),
            "exists_one" => (Macro::ExistsOne, 1 + usize::from(two), 1),
            "filter" => (Macro::Filter, 1, 1),
            "map" => (Macro::Map, 1, 2),
            "sortBy" => (Macro::SortBy, 1, 1),
            "transformList" => (Macro::Map, 2, 2),
            "transformMap" => (Macro::TransformMap, 2, 2),
            "transformMapEntry" => (Macro::TransformMapEntry, 2, 2),
            _ => return None,
        })
    }

    /// How many commas the arguments that begin here have.
    fn commas(&self) -> usize {
        let (mut depth, mut commas) = (0_usize, 0);
        for (_, token) in self.tokens.iter().skip(self.next) {
            match token {
                Token::Sign("(" | "[" | "{" | "[?" | "{?") => depth += 1,
                Token::Sign(")" | "]" | "}") => match depth.checked_sub(1) {
                    Some(less) => depth = less,
                    None => break,
                },
                Token::Sign(",") if depth == 0 => commas += 1,
                _ => {}
            }
        }
        commas
    }

    fn variable(&mut self) -> Result<Arc<str>> {
        let at = self.at();
        match self.peek() {
            Token::Name(name) if !RESERVED.contains(&&**name) => {
                let name = name.clone();
                self.next += 1;
                Ok(name)
            }
            token => Err(SyntaxError::new(
                at,
                format!("expected the name of a variable, found {}", describe(token)),
            )),
        }
    }

    /// Reads what may use these variables too.
    fn within<T>(
        &mut self,
        names: &[Arc<str>],
        read: impl FnOnce(&mut Parser) -> Result<T>,
    ) -> Result<T> {
        let outer = self.scope.len();
        self.scope.extend_from_slice(names);
        let result = read(self);
        self.scope.truncate(outer);
        result
    }
}

/// The function of this name.
fn find(at: usize, name: &str, is_method: bool, arguments: usize) -> Result<Function> {
    match Function::find(name, is_method) {
        None => Err(SyntaxError::new(
            at,
            format!("undeclared function `{name}`"),
        )),
        Some((_, Arity { min, max })) if !(min..=max).contains(&arguments) => {
            let message = format!("`{name}` has the wrong number of arguments");
            Err(SyntaxError::new(at, message))
        }
        Some((function, _)) => Ok(function),
    }
}

/// The name that a chain of fields begins with.
fn root_of(expr: &Expr) -> Option<&str> {
    match &expr.node {
        Node::Name(name) => Some(name),
        Node::Select { operand, .. } => root_of(operand),
        _ => None,
    }
}

/// A chain of names, joined by dots.
fn path_of(expr: &Expr) -> Option<String> {
    match &expr.node {
        Node::Name(name) => Some(name.to_string()),
        Node::Select {
            operand,
            field,
            optional: false,
        } => Some(format!("{}.{field}", path_of(operand)?)),
        _ => None,
    }
}

/// Operands in their order, joined so that the tree is as flat as it can be.
fn balance(mut operands: Vec<Expr>, join: fn(Box<Expr>, Box<Expr>) -> Node) -> Result<Expr> {
    while operands.len() > 1 {
        let mut joined = Vec::with_capacity(operands.len().div_ceil(2));
        let mut rest = operands.into_iter();
        while let Some(left) = rest.next() {
            joined.push(match rest.next() {
                Some(right) => make(left.at, join(left.into(), right.into()))?,
                None => left,
            });
        }
        operands = joined;
    }
    operands
        .pop()
        .ok_or_else(|| SyntaxError::new(0, "the expression is empty"))
}

fn make(at: usize, node: Node) -> Result<Expr> {
    Expr::new(at, node).ok_or_else(|| too_deep(at))
}

fn too_deep(at: usize) -> SyntaxError {
    SyntaxError::new(at, "the expression nests too deeply")
}

fn describe(token: &Token) -> String {
    match token {
        Token::Int(_) | Token::Uint(_) | Token::Double(_) => "a number".to_owned(),
        Token::String(_) => "text".to_owned(),
        Token::Bytes(_) => "bytes".to_owned(),
        Token::Name(name) | Token::QuotedName(name) => format!("`{name}`"),
        Token::Sign(sign) => format!("`{sign}`"),
        Token::End => "the end".to_owned(),
    }
}
