//! Pipelines, commands and operands to values.

use super::{Frame, Machine, MissingKey, Result, Variable};
use crate::gostd::strconv::quote;
use crate::gotmpl::functions;
use crate::gotmpl::tree::{Node, NodeId, Number, Range};
use crate::gotmpl::value::{Kind, Operand, Value};

impl Machine {
    /// The value of a pipeline; its variables stay on the stack.
    pub(super) fn pipeline(
        &mut self,
        frame: &mut Frame<'_>,
        dot: &Operand,
        id: NodeId,
    ) -> Result<Operand> {
        frame.node = id;
        let Node::Pipe {
            nodes,
            declared,
            assigns,
        } = frame.source.node(id)
        else {
            return Err(self.error(frame, "no pipeline"));
        };
        self.deeper()?;
        let (variables, commands) = frame
            .source
            .children(nodes)
            .split_at_checked(usize::from(declared))
            .unwrap_or_default();
        let mut value = None;
        for command in commands {
            let operand = self.command(frame, dot, *command, value)?;
            // A value in an interface is taken out between commands.
            value = Some(operand.unboxed());
        }
        let value = value.unwrap_or_default();
        for variable in variables {
            let Node::Variable { variable, .. } = frame.source.node(*variable) else {
                continue;
            };
            if assigns {
                self.assign(frame, variable, value.clone())?;
            } else {
                self.variables.push(Variable {
                    name: variable,
                    value: value.clone(),
                });
            }
        }
        self.depth -= 1;
        Ok(value)
    }

    fn command(
        &mut self,
        frame: &mut Frame<'_>,
        dot: &Operand,
        id: NodeId,
        fed: Option<Operand>,
    ) -> Result<Operand> {
        self.step()?;
        let Node::Command(range) = frame.source.node(id) else {
            return Err(self.error(frame, "no command"));
        };
        let words = frame.source.children(range);
        let Some((&first, arguments)) = words.split_first() else {
            return Err(self.error(frame, "empty command"));
        };
        match frame.source.node(first) {
            Node::Field(names) => {
                frame.node = first;
                self.fields(frame, dot, dot.clone(), first, names, arguments, fed)
            }
            Node::Chain { node, fields } => {
                let receiver = self.chain_base(frame, dot, first, node)?;
                self.fields(frame, dot, receiver, first, fields, arguments, fed)
            }
            Node::Function(function) => {
                frame.node = first;
                self.call(frame, dot, function, id, None, arguments, fed)
            }
            Node::Pipe { .. } => {
                self.no_arguments(frame, first, arguments, fed.as_ref())?;
                self.pipeline(frame, dot, first)
            }
            Node::Variable { variable, fields } => {
                frame.node = first;
                let value = self.lookup(frame, variable)?.clone();
                if fields.len() == 0 {
                    self.no_arguments(frame, first, arguments, fed.as_ref())?;
                    return Ok(value);
                }
                self.fields(frame, dot, value, first, fields, arguments, fed)
            }
            constant => {
                frame.node = first;
                self.no_arguments(frame, first, arguments, fed.as_ref())?;
                match constant {
                    Node::Bool(b) => Ok(Operand::plain(Value::Bool(b))),
                    Node::Dot => Ok(dot.clone()),
                    Node::Nil => Err(self.error(frame, "nil is not a command")),
                    Node::Number(number) => self.number(frame, first, number),
                    Node::String(literal) => {
                        Ok(Operand::plain(Value::Text(frame.source.literal(literal))))
                    }
                    _ => {
                        let shown = quote(&frame.source.show(first));
                        Err(self.error(frame, format!("can't evaluate command {shown}")))
                    }
                }
            }
        }
    }

    fn no_arguments(
        &self,
        frame: &Frame<'_>,
        word: NodeId,
        arguments: &[NodeId],
        fed: Option<&Operand>,
    ) -> Result<()> {
        if arguments.is_empty() && fed.is_none() {
            return Ok(());
        }
        let shown = frame.source.show(word);
        Err(self.error(
            frame,
            format!("can't give argument to non-function {shown}"),
        ))
    }

    /// What a constant is where nothing says which type it should have.
    ///
    /// Compat: `idealConstant`.
    pub(super) fn number(
        &mut self,
        frame: &mut Frame<'_>,
        id: NodeId,
        number: u32,
    ) -> Result<Operand> {
        frame.node = id;
        let Number {
            int,
            uint,
            float,
            complex,
            text,
        } = frame.source.number(number);
        let text = frame.source.slice(text);
        let is_float = !is_hex_int(text)
            && !text.starts_with('\'')
            && text.contains(['.', 'e', 'E', 'p', 'P']);
        let value = match (complex, float, int, uint) {
            (Some((real, imaginary)), ..) => Value::Complex(real, imaginary),
            (_, Some(float), ..) if is_float => Value::Float(float),
            (.., Some(int), _) => Value::int(int),
            (.., Some(_)) => {
                return Err(self.error(frame, format!("{text} overflows int")));
            }
            _ => Value::Nil,
        };
        Ok(Operand::plain(value))
    }

    /// The value whose fields a chain takes.
    pub(super) fn chain_base(
        &mut self,
        frame: &mut Frame<'_>,
        dot: &Operand,
        chain: NodeId,
        base: NodeId,
    ) -> Result<Operand> {
        frame.node = chain;
        if matches!(frame.source.node(base), Node::Nil) {
            let shown = frame.source.show(chain);
            return Err(self.error(
                frame,
                format!("indirection through explicit nil in {shown}"),
            ));
        }
        self.argument(frame, dot, None, base)
    }

    /// The value behind a chain of names; the last may be a method with
    /// arguments.
    #[expect(clippy::too_many_arguments, reason = "what Go's function takes")]
    pub(super) fn fields(
        &mut self,
        frame: &mut Frame<'_>,
        dot: &Operand,
        mut receiver: Operand,
        node: NodeId,
        names: Range,
        arguments: &[NodeId],
        mut fed: Option<Operand>,
    ) -> Result<Operand> {
        let source = frame.source;
        let names = source.names(names);
        for (i, name) in names.iter().enumerate() {
            let name = source.slice(*name);
            receiver = if i + 1 == names.len() {
                self.field(frame, dot, node, receiver, name, arguments, fed.take())?
            } else {
                self.field(frame, dot, node, receiver, name, &[], None)?
            };
        }
        Ok(receiver)
    }

    #[expect(clippy::too_many_arguments, reason = "what Go's function takes")]
    fn field(
        &mut self,
        frame: &mut Frame<'_>,
        dot: &Operand,
        node: NodeId,
        receiver: Operand,
        name: &str,
        arguments: &[NodeId],
        fed: Option<Operand>,
    ) -> Result<Operand> {
        let missing = self.environment.missing_key;
        if receiver.is_invalid() {
            if missing == MissingKey::Error {
                let shown = quote(name);
                return Err(self.error(frame, format!("nil data; no entry for key {shown}")));
            }
            return Ok(Operand::INVALID);
        }
        if matches!(receiver.value, Value::Nil) {
            return Err(self.error(
                frame,
                format!("nil pointer evaluating interface {{}}.{name}"),
            ));
        }
        if let Some(method) = functions::method(&receiver.value, name) {
            return self.call(
                frame,
                dot,
                method,
                node,
                Some(receiver.value),
                arguments,
                fed,
            );
        }
        let has_arguments = !arguments.is_empty() || fed.is_some();
        let found = match &receiver.value {
            Value::Map(map) => {
                if has_arguments {
                    return Err(self.not_a_method(frame, name));
                }
                let map_type = map.map_type();
                Some(map.get(name.as_bytes()).map_or_else(
                    || Found::Missing(map_type.zero()),
                    |value| {
                        Found::Here(Operand {
                            value,
                            boxed: map_type.boxed,
                        })
                    },
                ))
            }
            Value::Object(object) => match object.kind() {
                Kind::Map => {
                    if has_arguments {
                        return Err(self.not_a_method(frame, name));
                    }
                    Some(object.get(name.as_bytes()).map_or_else(
                        || Found::Missing(object.zero()),
                        |value| Found::Here(Operand::plain(value)),
                    ))
                }
                Kind::Struct | Kind::Pointer => match object.field(name) {
                    Some(_) if has_arguments => {
                        return Err(self.error(
                            frame,
                            format!("{name} has arguments but cannot be invoked as function"),
                        ));
                    }
                    field => field.map(|value| Found::Here(Operand::plain(value))),
                },
                Kind::Slice => None,
            },
            _ => None,
        };
        match found {
            Some(Found::Here(operand)) => Ok(operand),
            Some(Found::Missing(zero)) => match missing {
                MissingKey::Invalid => Ok(Operand::INVALID),
                MissingKey::Zero => Ok(zero),
                MissingKey::Error => {
                    let shown = quote(name);
                    Err(self.error(frame, format!("map has no entry for key {shown}")))
                }
            },
            None => {
                let kind = receiver.type_name().unwrap_or_default();
                Err(self.error(frame, format!("can't evaluate field {name} in type {kind}")))
            }
        }
    }

    fn not_a_method(&self, frame: &Frame<'_>, name: &str) -> Box<super::Failure> {
        self.error(frame, format!("{name} is not a method but has arguments"))
    }
}

enum Found {
    Here(Operand),
    Missing(Operand),
}

fn is_hex_int(text: &str) -> bool {
    matches!(text.as_bytes(), [b'0', b'x' | b'X', _, ..]) && !text.contains(['p', 'P'])
}
