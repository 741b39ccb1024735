//! Expressions to values.

use std::cmp::Ordering;
use std::sync::Arc;

use super::ast::{Comprehension, Expr, Macro, Node, Operator};
use super::functions;
use super::parse::{SyntaxError, parse};
use super::value::{Key, List, ListKind, Map, Value, compare, equal, same_key};
use crate::gostd::regexp::{Cache, Compiled};

/// An expression that has been read and checked.
#[derive(Clone, Debug)]
pub struct Program {
    root: Expr,
    names: Vec<Box<str>>,
}

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub message: String,
    /// Whether it ran out of steps: then nothing can make up for it.
    pub is_exhausted: bool,
}

impl Failure {
    pub(super) fn new(message: impl Into<String>) -> Failure {
        Failure {
            message: message.into(),
            is_exhausted: false,
        }
    }

    fn exhausted() -> Failure {
        Failure {
            message: "the expression takes too many steps".to_owned(),
            is_exhausted: true,
        }
    }

    /// What operators and functions say to values that they do not take.
    pub(super) fn no_overload(what: &str, values: &[&Value]) -> Failure {
        let types: Vec<&str> = values.iter().map(|v| v.type_name()).collect();
        Failure::new(format!("`{what}` does not take {}", types.join(", ")))
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// The steps that are left, and what is kept between evaluations.
#[derive(Debug)]
pub struct Meter<'c> {
    left: u64,
    patterns: &'c Cache,
}

impl<'c> Meter<'c> {
    /// So many steps; patterns are kept in the cache.
    pub fn new(steps: u64, patterns: &'c Cache) -> Meter<'c> {
        Meter {
            left: steps,
            patterns,
        }
    }

    /// Counts steps.
    pub(super) fn spend(&mut self, steps: u64) -> Result<(), Failure> {
        self.left = self
            .left
            .checked_sub(steps)
            .ok_or_else(Failure::exhausted)?;
        Ok(())
    }

    pub(super) fn equal(&mut self, a: &Value, b: &Value) -> Result<bool, Failure> {
        equal(a, b, &mut self.left).ok_or_else(Failure::exhausted)
    }

    /// A compiled pattern; compiling it counts, the first time.
    pub(super) fn pattern(&mut self, pattern: &str) -> Result<Compiled, Failure> {
        if let Some(compiled) = self.patterns.find(pattern) {
            return Ok(compiled);
        }
        self.spend(pattern.len() as u64)?;
        Ok(self.patterns.get(pattern))
    }
}

impl Program {
    /// Reads an expression in which these variables may stand.
    ///
    /// # Errors
    ///
    /// For what is no expression, and for names that are neither variables
    /// nor functions.
    pub fn compile(text: &str, variables: &[&str]) -> Result<Program, SyntaxError> {
        let root = parse(text, variables)?;
        let mut names = Vec::new();
        collect_names(&root, &mut names);
        Ok(Program { root, names })
    }

    /// Whether a variable occurs in it.
    pub fn uses(&self, variable: &str) -> bool {
        self.names.iter().any(|name| &**name == variable)
    }

    /// Whether the value is a boolean, as far as the form of the expression
    /// tells; none where it does not. Fields of variables are of any type, and
    /// so none of theirs is known to be a boolean.
    pub fn is_boolean(&self) -> Option<bool> {
        is_boolean(&self.root)
    }

    /// The value of the expression, its variables having these values.
    ///
    /// # Errors
    ///
    /// For fields and keys that are not there, values of the wrong type,
    /// numbers that do not fit, and more steps than the meter has.
    pub fn evaluate(
        &self,
        variables: &[(&str, Value)],
        meter: &mut Meter<'_>,
    ) -> Result<Value, Failure> {
        let scope = variables
            .iter()
            .map(|(name, value)| (Arc::from(*name), value.clone()))
            .collect();
        Evaluation { scope, meter }.value(&self.root)
    }
}

fn is_boolean(expr: &Expr) -> Option<bool> {
    match &expr.node {
        Node::Literal(value) => Some(matches!(value, Value::Bool(_))),
        Node::Has { .. } | Node::Not(_) | Node::And(..) | Node::Or(..) => Some(true),
        Node::Binary(operator, ..) => Some(!matches!(
            operator,
            Operator::Add
                | Operator::Subtract
                | Operator::Multiply
                | Operator::Divide
                | Operator::Remainder
        )),
        Node::Select { .. }
        | Node::Index { .. }
        | Node::Negate(_)
        | Node::List(_)
        | Node::Map(_)
        | Node::MapOptional { .. } => Some(false),
        Node::Conditional(_, yes, no) => Some(is_boolean(yes)? && is_boolean(no)?),
        Node::Comprehension(comprehension) => Some(matches!(
            comprehension.macro_,
            Macro::All | Macro::Exists | Macro::ExistsOne
        )),
        Node::Bind { body, .. } => is_boolean(body),
        Node::Name(_) | Node::Call(..) => None,
    }
}

fn collect_names(expr: &Expr, names: &mut Vec<Box<str>>) {
    if let Node::Name(name) = &expr.node {
        names.push((**name).into());
    }
    for child in expr.node.children() {
        collect_names(child, names);
    }
}

struct Evaluation<'m, 'c> {
    /// Variables, the innermost last.
    scope: Vec<(Arc<str>, Value)>,
    meter: &'m mut Meter<'c>,
}

type Result<T, E = Failure> = std::result::Result<T, E>;

impl Evaluation<'_, '_> {
    fn value(&mut self, expr: &Expr) -> Result<Value> {
        self.meter.spend(1)?;
        match &expr.node {
            Node::Literal(value) => Ok(value.clone()),
            Node::Name(name) => Ok(self.name(name)),
            Node::Select {
                operand,
                field,
                optional,
            } => {
                let operand = self.value(operand)?;
                select(&operand, field, *optional)
            }
            Node::Has { operand, field } => match self.value(operand)? {
                Value::Map(map) => Ok(Value::Bool(map.field(field).is_some())),
                Value::Optional(Some(inner)) => Ok(Value::Bool(inner.get(field).is_some())),
                // What has no fields has not this one.
                _ => Ok(Value::Bool(false)),
            },
            Node::Index {
                operand,
                index,
                optional,
            } => {
                let operand = self.value(operand)?;
                let index = self.value(index)?;
                subscript(&operand, &index, *optional)
            }
            Node::Not(operand) => match self.value(operand)? {
                Value::Bool(b) => Ok(Value::Bool(!b)),
                other => Err(Failure::no_overload("!", &[&other])),
            },
            Node::Negate(operand) => match self.value(operand)? {
                Value::Int(i) => i.checked_neg().map(Value::Int).ok_or_else(overflow),
                Value::Duration(d) => d.checked_neg().map(Value::Duration).ok_or_else(overflow),
                Value::Double(d) => Ok(Value::Double(-d)),
                other => Err(Failure::no_overload("-", &[&other])),
            },
            Node::And(left, right) => self.logic(left, right, false),
            Node::Or(left, right) => self.logic(left, right, true),
            Node::Conditional(condition, then, otherwise) => match self.value(condition)? {
                Value::Bool(true) => self.value(then),
                Value::Bool(false) => self.value(otherwise),
                other => Err(Failure::no_overload("?", &[&other])),
            },
            Node::Binary(operator, left, right) => {
                let left = self.value(left)?;
                let right = self.value(right)?;
                self.binary(*operator, &left, &right)
            }
            Node::List(items) => self.list(items),
            Node::Map(entries) => self.map(entries),
            Node::Call(function, arguments) => {
                let mut values = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    values.push(self.value(argument)?);
                }
                functions::call(*function, &values, self.meter)
            }
            Node::Comprehension(comprehension) => self.comprehension(comprehension),
            Node::Bind { name, value, body } => {
                let value = self.value(value)?;
                self.with(&[(name.clone(), value)], body)
            }
            Node::MapOptional {
                target,
                name,
                body,
                flat,
            } => match self.value(target)? {
                Value::Optional(None) => Ok(Value::Optional(None)),
                Value::Optional(Some(inner)) => {
                    let made = self.with(&[(name.clone(), (*inner).clone())], body)?;
                    match made {
                        Value::Optional(_) if *flat => Ok(made),
                        other if *flat => Err(Failure::no_overload("optFlatMap", &[&other])),
                        other => Ok(Value::Optional(Some(Arc::new(other)))),
                    }
                }
                other => Err(Failure::no_overload("optMap", &[&other])),
            },
        }
    }

    fn name(&self, name: &Arc<str>) -> Value {
        let found = self.scope.iter().rev().find(|(known, _)| known == name);
        match found {
            Some((_, value)) => value.clone(),
            // What is no variable is the name of a type: others were refused
            // when the expression was read.
            None => Value::Type(name.clone()),
        }
    }

    /// Evaluates with more variables.
    fn with(&mut self, variables: &[(Arc<str>, Value)], body: &Expr) -> Result<Value> {
        let outer = self.scope.len();
        self.scope.extend_from_slice(variables);
        let result = self.value(body);
        self.scope.truncate(outer);
        result
    }

    /// `&&` and `||`: one operand that decides makes up for an error in the
    /// other, on whichever side it is.
    fn logic(&mut self, left: &Expr, right: &Expr, decisive: bool) -> Result<Value> {
        let left = self.truth(left);
        match left {
            Ok(value) if value == decisive => return Ok(Value::Bool(decisive)),
            Err(e) if e.is_exhausted => return Err(e),
            _ => {}
        }
        match (left, self.truth(right)) {
            (_, Ok(value)) if value == decisive => Ok(Value::Bool(decisive)),
            (Ok(_), Ok(_)) => Ok(Value::Bool(!decisive)),
            (_, Err(e)) if e.is_exhausted => Err(e),
            (Err(e), _) | (Ok(_), Err(e)) => Err(e),
        }
    }

    fn truth(&mut self, expr: &Expr) -> Result<bool> {
        match self.value(expr)? {
            Value::Bool(b) => Ok(b),
            other => Err(Failure::no_overload("a condition", &[&other])),
        }
    }

    fn binary(&mut self, operator: Operator, left: &Value, right: &Value) -> Result<Value> {
        match operator {
            Operator::Equal => Ok(Value::Bool(self.meter.equal(left, right)?)),
            Operator::NotEqual => Ok(Value::Bool(!self.meter.equal(left, right)?)),
            Operator::In => self.contains(left, right),
            Operator::Less => self.ordered("<", left, right, Ordering::is_lt),
            Operator::LessOrEqual => self.ordered("<=", left, right, Ordering::is_le),
            Operator::Greater => self.ordered(">", left, right, Ordering::is_gt),
            Operator::GreaterOrEqual => self.ordered(">=", left, right, Ordering::is_ge),
            Operator::Add => {
                self.meter.spend(left.weight() + right.weight())?;
                self.add(left, right)
            }
            Operator::Subtract => subtract(left, right),
            Operator::Multiply => arithmetic(
                "*",
                left,
                right,
                i64::checked_mul,
                u64::checked_mul,
                |a, b| Some(a * b),
            ),
            Operator::Divide => {
                if is_zero_integer(right) {
                    return Err(Failure::new("division by zero"));
                }
                let divide = |a: f64, b: f64| Some(a / b);
                arithmetic("/", left, right, i64::checked_div, u64::checked_div, divide)
            }
            Operator::Remainder => {
                if is_zero_integer(right) {
                    return Err(Failure::new("modulus by zero"));
                }
                let none = |_: f64, _: f64| None;
                arithmetic("%", left, right, i64::checked_rem, u64::checked_rem, none)
            }
        }
    }

    fn ordered(
        &mut self,
        name: &str,
        left: &Value,
        right: &Value,
        holds: fn(Ordering) -> bool,
    ) -> Result<Value> {
        self.meter.spend(left.weight().min(right.weight()))?;
        let is_nan = |v: &Value| matches!(v, Value::Double(d) if d.is_nan());
        if is_nan(left) || is_nan(right) {
            return Ok(Value::Bool(false));
        }
        let order =
            compare(left, right).ok_or_else(|| Failure::no_overload(name, &[left, right]))?;
        Ok(Value::Bool(holds(order)))
    }

    fn contains(&mut self, item: &Value, within: &Value) -> Result<Value> {
        match within {
            Value::List(list) => {
                for other in &list.items {
                    if self.meter.equal(item, other)? {
                        return Ok(Value::Bool(true));
                    }
                }
                Ok(Value::Bool(false))
            }
            Value::Map(map) => {
                let found = Key::of(item).is_some_and(|key| map.get(&key).is_some());
                Ok(Value::Bool(found))
            }
            other => Err(Failure::no_overload("in", &[item, other])),
        }
    }

    fn add(&mut self, left: &Value, right: &Value) -> Result<Value> {
        match (left, right) {
            (Value::String(a), Value::String(b)) => Ok(format!("{a}{b}").into()),
            (Value::Bytes(a), Value::Bytes(b)) => Ok(Value::Bytes([&**a, b].concat().into())),
            (Value::List(a), Value::List(b)) => self.concatenate(a, b),
            (Value::Duration(a), Value::Duration(b)) => {
                a.checked_add(*b).map(Value::Duration).ok_or_else(overflow)
            }
            (Value::Timestamp(t), Value::Duration(d))
            | (Value::Duration(d), Value::Timestamp(t)) => {
                t.plus(*d).map(Value::Timestamp).ok_or_else(overflow)
            }
            _ => arithmetic(
                "+",
                left,
                right,
                i64::checked_add,
                u64::checked_add,
                |a, b| Some(a + b),
            ),
        }
    }

    /// Two lists in one; of lists whose items are unique, the second one's
    /// take the place of the first one's.
    fn concatenate(&mut self, a: &Arc<List>, b: &Arc<List>) -> Result<Value> {
        let mut items = a.items.clone();
        if a.kind == ListKind::Ordered {
            items.extend(b.items.iter().cloned());
        } else {
            for item in &b.items {
                let mut place = None;
                for (i, known) in items.iter().enumerate() {
                    let same = same_key(&a.kind, known, item, &mut self.meter.left);
                    if same.ok_or_else(Failure::exhausted)? {
                        place = Some(i);
                        break;
                    }
                }
                match place.and_then(|i| items.get_mut(i)) {
                    Some(known) => *known = item.clone(),
                    None => items.push(item.clone()),
                }
            }
        }
        let kind = a.kind.clone();
        Ok(Value::List(Arc::new(List { items, kind })))
    }

    fn list(&mut self, items: &[(Expr, bool)]) -> Result<Value> {
        let mut values = Vec::with_capacity(items.len());
        for (item, optional) in items {
            let value = self.value(item)?;
            match value {
                Value::Optional(inner) if *optional => {
                    values.extend(inner.map(|inner| (*inner).clone()));
                }
                value => values.push(value),
            }
        }
        Ok(values.into())
    }

    fn map(&mut self, entries: &[(Expr, Expr, bool)]) -> Result<Value> {
        let mut pairs = Vec::with_capacity(entries.len());
        for (key, value, optional) in entries {
            let key = self.value(key)?;
            let key = Key::of(&key).ok_or_else(|| Failure::no_overload("a key", &[&key]))?;
            match self.value(value)? {
                Value::Optional(inner) if *optional => {
                    pairs.extend(inner.map(|inner| (key, (*inner).clone())));
                }
                value => pairs.push((key, value)),
            }
        }
        let map: Map = pairs.into_iter().collect();
        Ok(map.into())
    }

    fn comprehension(&mut self, comprehension: &Comprehension) -> Result<Value> {
        let target = self.value(&comprehension.target)?;
        let rounds = self.rounds(&target, comprehension.names.len())?;
        let mut state = Rounds::default();
        for round in rounds {
            self.meter.spend(1)?;
            let outer = self.scope.len();
            let names = comprehension.names.iter().cloned();
            self.scope.extend(names.zip(round.iter().cloned()));
            let done = self.round(comprehension, round, &mut state);
            self.scope.truncate(outer);
            if done? {
                break;
            }
        }
        state.finish(comprehension.macro_)
    }

    /// The values of the variables in each round.
    fn rounds(&mut self, target: &Value, variables: usize) -> Result<Vec<Vec<Value>>> {
        self.meter.spend(target.weight())?;
        let index = |i: usize| Value::Int(i64::try_from(i).unwrap_or(i64::MAX));
        Ok(match (target, variables) {
            (Value::List(list), 1) => list.items.iter().map(|item| vec![item.clone()]).collect(),
            (Value::List(list), _) => {
                let items = list.items.iter().enumerate();
                items
                    .map(|(i, item)| vec![index(i), item.clone()])
                    .collect()
            }
            (Value::Map(map), 1) => map.iter().map(|(key, _)| vec![key.value()]).collect(),
            (Value::Map(map), _) => {
                let entries = map.iter();
                entries
                    .map(|(key, value)| vec![key.value(), value.clone()])
                    .collect()
            }
            (other, _) => return Err(Failure::no_overload("a comprehension", &[other])),
        })
    }

    /// One round; gives whether it decided the matter.
    fn round(
        &mut self,
        comprehension: &Comprehension,
        round: Vec<Value>,
        state: &mut Rounds,
    ) -> Result<bool> {
        let filter = comprehension.filter.as_ref();
        match comprehension.macro_ {
            Macro::All | Macro::Exists => {
                let decisive = comprehension.macro_ == Macro::Exists;
                let held = filter.map_or(Ok(true), |filter| self.truth(filter));
                match held {
                    Ok(held) if held == decisive => {
                        state.decided = Some(decisive);
                        return Ok(true);
                    }
                    Ok(_) => {}
                    Err(e) if e.is_exhausted => return Err(e),
                    // A later round may decide all the same.
                    Err(e) => state.error = state.error.take().or(Some(e)),
                }
                return Ok(false);
            }
            _ => {}
        }
        if let Some(filter) = filter
            && !self.truth(filter)?
        {
            return Ok(false);
        }
        state.count += 1;
        let result = match &comprehension.result {
            Some(result) => self.value(result)?,
            None => round.first().cloned().unwrap_or(Value::Null),
        };
        match comprehension.macro_ {
            Macro::TransformMap => {
                let key = round.first().and_then(Key::of);
                let key = key.ok_or_else(|| Failure::new("a key is no key"))?;
                state.entries.push((key, result));
            }
            Macro::TransformMapEntry => match result {
                Value::Map(map) => state.entries.extend(map.iter().cloned()),
                other => return Err(Failure::no_overload("transformMapEntry", &[&other])),
            },
            Macro::SortBy => {
                state.keys.push(result);
                state.items.extend(round);
            }
            Macro::ExistsOne => {}
            _ => state.items.push(result),
        }
        Ok(false)
    }
}

/// What rounds have brought so far.
#[derive(Default)]
struct Rounds {
    decided: Option<bool>,
    error: Option<Failure>,
    count: usize,
    items: Vec<Value>,
    keys: Vec<Value>,
    entries: Vec<(Key, Value)>,
}

impl Rounds {
    fn finish(self, macro_: Macro) -> Result<Value> {
        Ok(match macro_ {
            Macro::All | Macro::Exists => match (self.decided, self.error) {
                (Some(decided), _) => Value::Bool(decided),
                (None, Some(error)) => return Err(error),
                (None, None) => Value::Bool(macro_ == Macro::All),
            },
            Macro::ExistsOne => Value::Bool(self.count == 1),
            Macro::Filter | Macro::Map => self.items.into(),
            Macro::TransformMap | Macro::TransformMapEntry => {
                let count = self.entries.len();
                let map: Map = self.entries.into_iter().collect();
                if map.len() < count {
                    return Err(Failure::new("a key stands twice in a map"));
                }
                map.into()
            }
            Macro::SortBy => functions::sort(self.items, &self.keys)?,
        })
    }
}

fn select(operand: &Value, field: &str, optional: bool) -> Result<Value> {
    match operand {
        Value::Map(map) => match map.field(field) {
            Some(value) if optional => Ok(Value::Optional(Some(Arc::new(value.clone())))),
            Some(value) => Ok(value.clone()),
            None if optional => Ok(Value::Optional(None)),
            None => Err(Failure::new(format!("no such key: {field}"))),
        },
        // Fields of an optional are optional themselves.
        Value::Optional(None) => Ok(Value::Optional(None)),
        Value::Optional(Some(inner)) => select(inner, field, true),
        other => Err(Failure::new(format!(
            "{} has no field `{field}`",
            other.type_name()
        ))),
    }
}

fn subscript(operand: &Value, index: &Value, optional: bool) -> Result<Value> {
    let (found, message) = match operand {
        Value::List(list) => {
            let at = match index {
                Value::Int(i) => usize::try_from(*i).ok(),
                Value::Uint(u) => usize::try_from(*u).ok(),
                #[expect(clippy::cast_possible_truncation, reason = "it is whole and small")]
                #[expect(clippy::cast_sign_loss, reason = "it is not negative")]
                Value::Double(d) if d.fract() == 0.0 && (0.0..1e9).contains(d) => Some(*d as usize),
                other => return Err(Failure::no_overload("[]", &[operand, other])),
            };
            let found = at.and_then(|at| list.items.get(at));
            (found, "index out of bounds")
        }
        Value::Map(map) => {
            let key = Key::of(index);
            let found = key.and_then(|key| map.get(&key));
            (found, "no such key")
        }
        Value::Optional(None) => return Ok(Value::Optional(None)),
        Value::Optional(Some(inner)) => return subscript(inner, index, true),
        other => return Err(Failure::no_overload("[]", &[other, index])),
    };
    match found {
        Some(value) if optional => Ok(Value::Optional(Some(Arc::new(value.clone())))),
        Some(value) => Ok(value.clone()),
        None if optional => Ok(Value::Optional(None)),
        None => Err(Failure::new(format!(
            "{message}: {}",
            functions::show(index)
        ))),
    }
}

fn subtract(left: &Value, right: &Value) -> Result<Value> {
    let result = match (left, right) {
        (Value::Duration(a), Value::Duration(b)) => a.checked_sub(*b).map(Value::Duration),
        (Value::Timestamp(a), Value::Timestamp(b)) => a.since(*b).map(Value::Duration),
        (Value::Timestamp(t), Value::Duration(d)) => d
            .checked_neg()
            .and_then(|d| t.plus(d))
            .map(Value::Timestamp),
        _ => {
            return arithmetic(
                "-",
                left,
                right,
                i64::checked_sub,
                u64::checked_sub,
                |a, b| Some(a - b),
            );
        }
    };
    result.ok_or_else(overflow)
}

/// An operator on two numbers of one type.
fn arithmetic(
    name: &str,
    left: &Value,
    right: &Value,
    ints: fn(i64, i64) -> Option<i64>,
    uints: fn(u64, u64) -> Option<u64>,
    doubles: fn(f64, f64) -> Option<f64>,
) -> Result<Value> {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => ints(*a, *b).map(Value::Int).ok_or_else(overflow),
        (Value::Uint(a), Value::Uint(b)) => uints(*a, *b).map(Value::Uint).ok_or_else(overflow),
        (Value::Double(a), Value::Double(b)) => doubles(*a, *b)
            .map(Value::Double)
            .ok_or_else(|| Failure::no_overload(name, &[left, right])),
        _ => Err(Failure::no_overload(name, &[left, right])),
    }
}

fn is_zero_integer(value: &Value) -> bool {
    matches!(value, Value::Int(0) | Value::Uint(0))
}

fn overflow() -> Failure {
    Failure::new("a number does not fit")
}
