//! Calls: arguments checked against parameters, then the function.

use std::rc::Rc;
use std::sync::Arc;

use super::{Context, Failure, Frame, Machine, RandomCall, Result, Scope};
use crate::gostd::strconv::quote_bytes;
use crate::gotmpl::function::{Arguments, CallError, CallResult, Function, Special, Type};
use crate::gotmpl::limits::Meter;
use crate::gotmpl::parse;
use crate::gotmpl::set::Set;
use crate::gotmpl::tree::{Node, NodeId, Range};
use crate::gotmpl::value::{IntType, Operand, Text, UintType, Value};

/// A text whose making is counted, be the function one that counts or not.
const LONG_TEXT: usize = 4096;

impl Machine {
    /// Calls a function, or a method of `receiver`. `node` is what errors of
    /// the function itself are told at.
    #[expect(clippy::too_many_arguments, reason = "what Go's function takes")]
    pub(super) fn call(
        &mut self,
        frame: &mut Frame<'_>,
        dot: &Operand,
        function: &'static Function,
        node: NodeId,
        receiver: Option<Value>,
        arguments: &[NodeId],
        fed: Option<Operand>,
    ) -> Result<Operand> {
        self.step()?;
        let signature = &function.signature;
        let given = arguments.len() + usize::from(fed.is_some());
        let fixed = signature.fixed();
        let name = function.name;
        if signature.variadic && given < fixed {
            let got = arguments.len();
            return Err(self.error(
                frame,
                format!("wrong number of args for {name}: want at least {fixed} got {got}"),
            ));
        }
        if !signature.variadic && given != fixed {
            return Err(self.error(
                frame,
                format!("wrong number of args for {name}: want {fixed} got {given}"),
            ));
        }
        match function.special {
            Special::And | Special::Or => {
                return self.short_circuit(frame, dot, function, arguments, fed);
            }
            Special::None | Special::Call => {}
        }
        let mut values = Vec::with_capacity(given);
        for (i, argument) in arguments.iter().enumerate() {
            values.push(self.argument(frame, dot, Some(signature.argument(i)), *argument)?);
        }
        if let Some(fed) = fed {
            let wanted = signature.argument(values.len());
            values.push(self.checked(frame, fed, Some(wanted))?);
        }
        // Nothing that is done with a text takes less time than looking at it.
        let texts = values.iter().map(|operand| match &operand.value {
            Value::Text(text) => text.len(),
            _ => 0,
        });
        self.meter.look_at(texts.sum()).map_err(super::exhausted)?;
        let called = node;
        let made_of = self.made.among(name, &values);
        let mut arguments = Arguments::new(receiver.unwrap_or_default(), values);
        let mut context = Context {
            machine: self,
            scope: frame.scope,
            file: &frame.template.file,
            place: frame.source.place(called),
        };
        match (function.run)(&mut context, &mut arguments) {
            Ok(value) => {
                // A text is written before it is shared: it is there twice.
                if let Value::Text(text) = &value
                    && text.len() >= LONG_TEXT
                    && text.is_unshared()
                {
                    self.meter
                        .take_bytes(text.len())
                        .map_err(super::exhausted)?;
                }
                if let Some(site) = self.random_site.take() {
                    self.made.add(site, &value);
                }
                if !made_of.is_empty() {
                    self.made.add_made_of(made_of, &value);
                }
                Ok(Operand {
                    value,
                    boxed: signature.result == Type::Any,
                })
            }
            Err(error) => {
                frame.node = called;
                Err(self.call_error(frame, name, error))
            }
        }
    }

    fn call_error(&self, frame: &Frame<'_>, name: &str, error: CallError) -> Box<Failure> {
        let cause = match error {
            CallError::Message(message) => Failure::Function {
                message,
                cause: None,
            },
            CallError::Chosen(message) => Failure::Chosen { message },
            CallError::Inner(message, inner) if message.is_empty() => *inner,
            CallError::Inner(message, inner) => Failure::Function {
                message,
                cause: Some(inner),
            },
            CallError::Exhausted(exhausted) => Failure::Exhausted(exhausted),
        };
        self.error_with(
            frame,
            format!("error calling {name}"),
            Some(Box::new(cause)),
        )
    }

    /// `and` and `or`, which look at no more than they need.
    fn short_circuit(
        &mut self,
        frame: &mut Frame<'_>,
        dot: &Operand,
        function: &'static Function,
        arguments: &[NodeId],
        fed: Option<Operand>,
    ) -> Result<Operand> {
        let stops_at = function.special == Special::Or;
        let mut value = Operand::INVALID;
        for argument in arguments {
            value = self.argument(frame, dot, Some(Type::Reflect), *argument)?;
            if value.value.is_true() == stops_at {
                return Ok(value);
            }
        }
        Ok(fed.unwrap_or(value))
    }

    /// The value of an argument, of the type that is wanted; none where any
    /// will do.
    pub(super) fn argument(
        &mut self,
        frame: &mut Frame<'_>,
        dot: &Operand,
        wanted: Option<Type>,
        id: NodeId,
    ) -> Result<Operand> {
        frame.node = id;
        let operand = match frame.source.node(id) {
            Node::Dot => dot.clone(),
            Node::Nil => return self.nil(frame, wanted),
            Node::Field(names) => self.fields(frame, dot, dot.clone(), id, names, &[], None)?,
            Node::Variable { variable, fields } => {
                self.variable(frame, dot, id, variable, fields)?
            }
            Node::Pipe { .. } => self.pipeline(frame, dot, id)?,
            Node::Function(function) => self.call(frame, dot, function, id, None, &[], None)?,
            Node::Chain { node, fields } => {
                let base = self.chain_base(frame, dot, id, node)?;
                self.fields(frame, dot, base, id, fields, &[], None)?
            }
            _ => return self.constant(frame, wanted, id),
        };
        self.checked(frame, operand, wanted)
    }

    fn variable(
        &mut self,
        frame: &mut Frame<'_>,
        dot: &Operand,
        id: NodeId,
        variable: u32,
        fields: Range,
    ) -> Result<Operand> {
        let value = self.lookup(frame, variable)?.clone();
        if fields.len() == 0 {
            return Ok(value);
        }
        self.fields(frame, dot, value, id, fields, &[], None)
    }

    fn nil(&self, frame: &Frame<'_>, wanted: Option<Type>) -> Result<Operand> {
        match wanted {
            Some(Type::Any) => Ok(Operand::boxed(Value::Nil)),
            Some(wanted) if wanted.can_be_nil() => Ok(Operand::plain(wanted.zero())),
            Some(wanted) => {
                Err(self.error(frame, format!("cannot assign nil to {}", wanted.name())))
            }
            None => Ok(Operand::INVALID),
        }
    }

    /// A constant, of the type that is wanted.
    fn constant(
        &mut self,
        frame: &mut Frame<'_>,
        wanted: Option<Type>,
        id: NodeId,
    ) -> Result<Operand> {
        let node = frame.source.node(id);
        let number = match node {
            Node::Number(number) => Some(frame.source.number(number)),
            _ => None,
        };
        let expected = |what: &str| {
            let shown = frame.source.show(id);
            Err(self.error(frame, format!("expected {what}; found {shown}")))
        };
        let wanted = wanted.unwrap_or(Type::Any);
        let value = match wanted {
            Type::Bool => match node {
                Node::Bool(b) => Value::Bool(b),
                _ => return expected("bool"),
            },
            Type::Text => match node {
                Node::String(literal) => Value::Text(frame.source.literal(literal)),
                _ => return expected("string"),
            },
            Type::Float => match number.and_then(|n| n.float) {
                Some(float) => Value::Float(float),
                None => return expected("float"),
            },
            Type::Named("time.Duration") => match number.and_then(|n| n.int) {
                Some(int) => Value::Int(int, IntType::Duration),
                None => return expected("integer"),
            },
            Type::Int | Type::Int64 => match number.and_then(|n| n.int) {
                Some(int) if wanted == Type::Int => Value::int(int),
                Some(int) => Value::Int(int, IntType::Int64),
                None => return expected("integer"),
            },
            Type::Uint32 | Type::Uint64 => match number.and_then(|n| n.uint) {
                #[expect(clippy::cast_possible_truncation, reason = "as Go's SetUint")]
                Some(uint) if wanted == Type::Uint32 => {
                    Value::Uint(u64::from(uint as u32), UintType::Uint32)
                }
                Some(uint) => Value::Uint(uint, UintType::Uint64),
                None => return expected("unsigned integer"),
            },
            Type::Any | Type::Reflect => match node {
                Node::Bool(b) => Value::Bool(b),
                Node::Number(number) => return self.number(frame, id, number),
                Node::String(literal) => Value::Text(frame.source.literal(literal)),
                _ => {
                    let shown = frame.source.show(id);
                    return Err(self.error(
                        frame,
                        format!("can't handle assignment of {shown} to empty interface argument"),
                    ));
                }
            },
            other => {
                let shown = frame.source.show(id);
                return Err(self.error(
                    frame,
                    format!("can't handle {shown} for arg of type {}", other.name()),
                ));
            }
        };
        Ok(Operand::plain(value))
    }

    /// Makes sure that a value has the type that is wanted.
    ///
    /// Compat: `validateType`.
    fn checked(
        &self,
        frame: &Frame<'_>,
        operand: Operand,
        wanted: Option<Type>,
    ) -> Result<Operand> {
        let Some(wanted) = wanted else {
            return Ok(operand);
        };
        if operand.is_invalid() {
            if wanted.can_be_nil() {
                return Ok(Operand::plain(wanted.zero()));
            }
            return Err(self.error(frame, format!("invalid value; expected {}", wanted.name())));
        }
        let is_nil = matches!(operand.value, Value::Nil);
        if wanted == Type::Reflect
            || wanted.takes(&operand.value) && (!is_nil || wanted == Type::Any)
        {
            return Ok(operand);
        }
        let got = if is_nil {
            "interface {}"
        } else {
            operand.value.type_name().unwrap_or_default()
        };
        Err(self.error(
            frame,
            format!(
                "wrong type for value; expected {}; got {got}",
                wanted.name()
            ),
        ))
    }
}

/// How often a template may be within itself.
///
/// Compat: `pkg/engine/engine.go` `recursionMaxNums`, and the comparison.
const MAX_INCLUDES: u32 = 1000;

/// The name of the set that all templates of a release are in, which is the
/// name of the templates that `tpl` parses, too.
const SET_NAME: &str = "gotpl";

impl Context<'_> {
    /// The output of the template of that name.
    pub(crate) fn include(&mut self, name: &Text, value: Value) -> CallResult<Text> {
        let count = self.machine.included.entry(name.clone()).or_insert(0);
        if *count > MAX_INCLUDES {
            return Err(CallError::new(format!(
                "rendering template has a nested reference name: {name}: unable to execute template"
            )));
        }
        *count += 1;
        let result = match self.scope.get(name.as_bytes()) {
            Some(template) => self
                .machine
                .deeper()
                .and_then(|()| self.machine.capture(self.scope, template, value)),
            None => Err(Box::new(Failure::NoTemplate {
                name: name.to_string(),
            })),
        };
        self.machine.depth = self.machine.depth.saturating_sub(u32::from(result.is_ok()));
        if let Some(count) = self.machine.included.get_mut(name) {
            *count -= 1;
        }
        result.map_err(|failure| CallError::Inner(String::new(), failure))
    }

    /// The output of a text that is itself a template.
    pub(crate) fn evaluate(&mut self, text: &Text, value: Value) -> CallResult<Text> {
        let actions = parse::actions_in(text.as_bytes());
        let parsed = 1024 + text.len() * 2 + actions.saturating_mul(320);
        self.machine.meter.take_bytes(parsed)?;
        let shown = || quote_bytes(text.as_bytes());
        let in_template = |e: &parse::ParseError| {
            CallError::new(format!(
                "cannot parse template {}: template: {SET_NAME}:{}: {}",
                shown(),
                e.line,
                e.message_in(SET_NAME)
            ))
        };
        let source = self.machine.parsed(text).map_err(|e| in_template(&e))?;
        let mut set = Set::new();
        let known = |name: &Text| self.scope.get(name.as_bytes()).is_some();
        let template = set
            .insert(Arc::from(SET_NAME), source, known)
            .map_err(|e| in_template(&e))?;
        let Some(template) = template else {
            return Ok(Text::default());
        };
        let scope = Rc::new(Scope {
            set: Arc::new(set),
            below: Some(self.scope.clone()),
        });
        self.machine
            .deeper()
            .and_then(|()| self.machine.capture(&scope, &template, value))
            .map(|text| {
                self.machine.depth -= 1;
                without_no_value(text)
            })
            .map_err(|failure| {
                CallError::Inner(
                    format!("error during tpl function execution for {}", shown()),
                    failure,
                )
            })
    }

    /// Counts bytes that are about to be made.
    pub(crate) fn take_bytes(&mut self, bytes: usize) -> CallResult<()> {
        Ok(self.machine.meter.take_bytes(bytes)?)
    }

    /// What counts the cost.
    pub(crate) fn meter(&mut self) -> &mut Meter {
        &mut self.machine.meter
    }

    /// Counts steps of work.
    pub(crate) fn take_steps(&mut self, steps: u64) -> CallResult<()> {
        Ok(self.machine.meter.take_steps(steps)?)
    }

    /// Notes that the call gives something random, and tells which call it is.
    pub(crate) fn note_random(&mut self, function: &'static str) -> RandomSite {
        self.note(function, false);
        let site = (self.file.name.clone(), self.place);
        let count = self.machine.random_counts.entry(site.clone()).or_insert(0);
        *count += 1;
        self.machine.random_site = Some(site.clone());
        RandomSite {
            count: *count - 1,
            is_disturbed: self.is_disturbed(),
            file: site.0,
            place: site.1,
        }
    }

    fn is_disturbed(&self) -> bool {
        let world = &self.machine.environment.world;
        world.disturbs(&self.file.name, self.place)
    }

    /// The time, in nanoseconds since the Unix epoch; notes that it was asked
    /// for.
    pub(crate) fn now_nanos(&mut self, function: &'static str) -> i128 {
        self.note(function, true);
        let now = self.machine.environment.world.now_nanos;
        if self.is_disturbed() {
            now + DISTURBED_BY_NANOS
        } else {
            now
        }
    }

    fn note(&mut self, function: &'static str, is_clock: bool) {
        let call = RandomCall {
            function,
            file: self.file.name.clone(),
            place: self.place,
            is_clock,
        };
        // A call in a loop is told once.
        if self.machine.random_calls.len() < 1000 && !self.machine.random_calls.contains(&call) {
            self.machine.random_calls.push(call);
        }
    }
}

/// How far a clock is put forward to see what shows it: no part of a date or a
/// time stays the same.
const DISTURBED_BY_NANOS: i128 =
    (((400 * 24 + 5) * 60 + 7) * 60 + 11) * 1_000_000_000 + 123_456_789;

/// A call that gives something random.
pub(crate) struct RandomSite {
    /// The file of the call.
    pub(crate) file: Arc<str>,
    /// The place in it, in bytes.
    pub(crate) place: u32,
    /// How often it was made there before.
    pub(crate) count: u64,
    /// Whether it is to give something else than in the real execution.
    pub(crate) is_disturbed: bool,
}

/// Text without what Go prints for a missing value.
///
/// Compat: `pkg/engine/engine.go` takes this text out of what templates write,
/// wherever it comes from.
pub(crate) fn without_no_value(text: Text) -> Text {
    const NO_VALUE: &str = "<no value>";
    match &text {
        Text::Utf8(inner) if inner.contains(NO_VALUE) => Text::from(inner.replace(NO_VALUE, "")),
        Text::Bytes(inner) if memchr::memmem::find(inner, NO_VALUE.as_bytes()).is_some() => {
            let mut out = Vec::with_capacity(inner.len());
            let mut rest = &inner[..];
            while let Some(at) = memchr::memmem::find(rest, NO_VALUE.as_bytes()) {
                out.extend_from_slice(&rest[..at]);
                rest = &rest[at + NO_VALUE.len()..];
            }
            out.extend_from_slice(rest);
            Text::from(out)
        }
        _ => text,
    }
}
