//! Execution: trees and a value to text.
//!
//! A [`Machine`] walks the tree of a template. Everything that Go's messages
//! depend on is kept as Go keeps it: which node was looked at last, which nil
//! lies in an interface, which variables are on the stack.
//!
//! Compat: `text/template/exec.go` of Go 1.27.

// A failure always travels in a box.
#![allow(clippy::unnecessary_box_returns)]

mod call;
mod eval;
mod made;
mod output;

pub(crate) use call::without_no_value;
pub use made::{Made, Site};

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use foldhash::HashMap;

use super::error::{Failure, Place};
use super::function::Functions;
use super::limits::{Exhausted, Limits, Meter};
use super::set::{Set, Template};
use super::texts::Texts;
use super::tree::{Branch, LoopVariables, Node, NodeId, Source};
use super::value::{Kind, Map, Operand, Text, Value};
use crate::gostd::regexp::Regexp;
use crate::gostd::strconv::quote;
use crate::yaml;
use output::{Output, Spare};

/// The stack that an execution may need, in bytes, at the default limits.
const STACK_BYTES: usize = 256 << 20;

/// How many texts that `tpl` was given are kept parsed.
const MAX_PARSED: usize = 1000;

/// How often what a template writes is there again when it is cut into objects
/// and these are printed.
const OUTPUT_COPIES: usize = 3;

/// The longest expression that an error shows, in bytes.
const MAX_EXPRESSION: usize = 2000;

/// Runs something on a stack with room for the deepest execution that the
/// default limits allow.
///
/// On the thread that calls, so that what runs may use the thread pool that the
/// thread is of. Memory that is not used is never touched, so that this costs
/// little.
pub fn with_large_stack<T>(run: impl FnOnce() -> T) -> T {
    stacker::grow(STACK_BYTES, run)
}

/// What a field of a map gives that is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingKey {
    /// No value: fields of it are nothing, too.
    #[default]
    Invalid,
    /// The zero value of the map's type: a nil, fields of which are an error.
    Zero,
    /// An error.
    Error,
}

/// What a template may ask for besides its value.
#[derive(Debug)]
pub struct Environment {
    /// What a field gives that is not there.
    pub missing_key: MissingKey,
    /// The functions that `tpl` parses with.
    pub functions: Arc<Functions>,
    /// How much an execution may cost.
    pub limits: Limits,
    /// What the world outside answers.
    pub world: World,
}

/// What functions ask of the world outside.
#[derive(Clone, Default)]
pub struct World {
    /// The time, in nanoseconds since the Unix epoch.
    pub now_nanos: i128,
    /// What random values are made of.
    pub seed: Seed,
    /// The objects of a cluster: by API version, kind, namespace and name.
    pub lookup: Option<Arc<Lookup>>,
    /// What was read of texts as YAML.
    pub texts: Arc<Texts>,
    /// Set in an execution that is there to see what becomes of some calls.
    pub disturbance: Option<Arc<Disturbance>>,
}

/// An execution beside the real one: these calls, whose results are random or
/// depend on the time, give something else than there, so that what differs in
/// the output is what they are for. Keys and hashes are cheap ones throughout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disturbance {
    /// The files of the calls, and their places there.
    pub sites: BTreeSet<Site>,
}

impl World {
    /// Whether a call is to give something else than in the real execution.
    fn disturbs(&self, file: &Arc<str>, place: u32) -> bool {
        self.disturbance
            .as_ref()
            .is_some_and(|d| d.sites.contains(&(file.clone(), place)))
    }
}

/// What random values are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seed {
    /// Anybody can make the same values of it.
    Known([u8; 32]),
    /// Nobody else has it.
    Secret([u8; 32]),
}

impl Seed {
    /// A seed of what nobody else has.
    pub fn secret(content: &[u8]) -> Seed {
        use sha2::{Digest as _, Sha256};
        Seed::Secret(Sha256::digest(content).into())
    }

    /// The seed of a part that goes by these names: no two parts have the same.
    #[must_use]
    pub fn of_part(&self, names: &[&str]) -> Seed {
        use sha2::{Digest as _, Sha256};
        let mut hash = Sha256::new_with_prefix(self.bytes());
        for name in names {
            hash.update((name.len() as u64).to_be_bytes());
            hash.update(name);
        }
        let bytes = hash.finalize().into();
        match self {
            Seed::Known(_) => Seed::Known(bytes),
            Seed::Secret(_) => Seed::Secret(bytes),
        }
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        match self {
            Seed::Known(bytes) | Seed::Secret(bytes) => bytes,
        }
    }
}

impl Default for Seed {
    fn default() -> Seed {
        Seed::Known([0; 32])
    }
}

/// Gives an object of a cluster, or a list where the name is empty; none where
/// there is nothing.
pub type Lookup = dyn Fn(&str, &str, &str, &str) -> Option<yaml::Value> + Send + Sync;

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("now_nanos", &self.now_nanos)
            .finish_non_exhaustive()
    }
}

/// A set, and those it lies over: what `tpl` defines is seen on top of what
/// was there.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) set: Arc<Set>,
    pub(crate) below: Option<Rc<Scope>>,
}

impl Scope {
    fn get(&self, name: &[u8]) -> Option<&Template> {
        let mut scope = Some(self);
        while let Some(here) = scope {
            if let Some(template) = here.set.get(name) {
                return Some(template);
            }
            scope = here.below.as_deref();
        }
        None
    }
}

/// Where in the output of a template what its source says begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Bytes of output before it.
    pub output: usize,
    /// The place in the source, in bytes.
    pub place: u32,
}

/// What a template gave.
#[derive(Debug)]
pub struct Rendering {
    /// The output.
    pub text: Text,
    /// Where it comes from, in the order of the output.
    pub marks: Vec<Mark>,
    /// Where functions gave values that are random, or depend on the time, in
    /// order.
    pub random: Vec<RandomCall>,
    /// How often each of their places had given such values before; nothing
    /// where this template asks for none.
    pub counts: RandomCounts,
}

/// How often the calls at each place, by file and offset, gave random values.
pub type RandomCounts = HashMap<Site, u64>;

struct Variable {
    /// The number of its name in the source of the template.
    name: u32,
    value: Operand,
}

/// Executes templates.
///
/// One machine renders the files of a chart one after the other: budgets and
/// counts of nested templates go on from one to the next.
pub struct Machine {
    pub(super) environment: Environment,
    pub(super) meter: Meter,
    variables: Vec<Variable>,
    out: Output,
    spare: Spare,
    marks: Vec<Mark>,
    /// How many templates are within each other.
    templates: u32,
    /// How many nodes are within each other.
    depth: u32,
    /// How often each name is being included.
    included: HashMap<Text, u32>,
    /// Where functions gave random values, in order.
    random_calls: Vec<RandomCall>,
    /// How often each place gave some.
    random_counts: RandomCounts,
    /// The call that gives something random, while it runs.
    random_site: Option<Site>,
    /// What such calls gave.
    made: Made,
    /// The regular expressions that were compiled.
    pub(super) patterns: HashMap<Box<str>, Rc<Regexp>>,
    /// What `tpl` has parsed.
    parsed: HashMap<Text, Arc<Source>>,
}

/// A call whose result is random, or depends on the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RandomCall {
    /// The function.
    pub function: &'static str,
    /// The file of the call.
    pub file: Arc<str>,
    /// The place in it, in bytes.
    pub place: u32,
    /// Whether it depends on the time alone.
    pub is_clock: bool,
}

impl RandomCall {
    /// Its place.
    pub fn site(&self) -> Site {
        (self.file.clone(), self.place)
    }
}

/// A template being executed.
struct Frame<'f> {
    scope: &'f Rc<Scope>,
    template: &'f Template,
    source: &'f Source,
    /// Where its variables begin.
    base: usize,
    /// The node looked at last.
    node: NodeId,
}

/// What a function sees of the execution.
pub(crate) struct Context<'c> {
    pub(super) machine: &'c mut Machine,
    scope: &'c Rc<Scope>,
    /// The file of the call, and its place in it.
    file: &'c super::set::File,
    place: u32,
}

type Result<T> = std::result::Result<T, Box<Failure>>;

/// How a walk goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

impl Machine {
    /// A machine at the start of its budgets.
    pub fn new(environment: Environment) -> Machine {
        Machine {
            meter: Meter::new(&environment.limits),
            environment,
            variables: Vec::new(),
            out: Output::default(),
            spare: Spare::default(),
            marks: Vec::new(),
            templates: 0,
            depth: 0,
            included: HashMap::default(),
            random_calls: Vec::new(),
            random_counts: HashMap::default(),
            random_site: None,
            made: Made::default(),
            patterns: HashMap::default(),
            parsed: HashMap::default(),
        }
    }

    /// The same machine behind calls that gave random values before.
    #[must_use]
    pub fn behind(mut self, counts: RandomCounts) -> Machine {
        self.random_counts = counts;
        self
    }

    /// What random calls gave in all that was rendered.
    pub fn into_made(self) -> Made {
        self.made
    }

    /// Executes a template of a set against a value.
    ///
    /// # Errors
    ///
    /// What Go's engine and the functions refuse, and budgets that are used
    /// up.
    pub fn render(
        &mut self,
        set: &Arc<Set>,
        name: &str,
        value: Value,
    ) -> std::result::Result<Rendering, Failure> {
        let scope = Rc::new(Scope {
            set: set.clone(),
            below: None,
        });
        let Some(template) = set.get(name.as_bytes()) else {
            return Err(Failure::NoTemplate {
                name: name.to_owned(),
            });
        };
        let counts = self.random_counts.clone();
        self.out = self.spare.output();
        self.marks.clear();
        self.random_calls.clear();
        (self.templates, self.depth) = (0, 0);
        self.variables.clear();
        self.included.clear();
        let result = self.execute(&scope, template, &Operand::plain(value));
        let out = std::mem::take(&mut self.out);
        result.map_err(|failure| *failure)?;
        let copies = out.len().saturating_mul(OUTPUT_COPIES);
        self.meter.take_bytes(copies).map_err(Failure::Exhausted)?;
        Ok(Rendering {
            text: self.spare.text(out),
            marks: std::mem::take(&mut self.marks),
            counts: if self.random_calls.is_empty() {
                HashMap::default()
            } else {
                counts
            },
            random: std::mem::take(&mut self.random_calls),
        })
    }

    /// A text that `tpl` was given, parsed once.
    fn parsed(&mut self, text: &Text) -> std::result::Result<Arc<Source>, super::ParseError> {
        if let Some(source) = self.parsed.get(text) {
            return Ok(source.clone());
        }
        let source = Arc::new(super::parse(text.to_shared(), &self.environment.functions)?);
        if self.parsed.len() >= MAX_PARSED {
            self.parsed.clear();
        }
        self.parsed.insert(text.clone(), source.clone());
        Ok(source)
    }

    /// Executes a template; its output is added to what was written.
    fn execute(&mut self, scope: &Rc<Scope>, template: &Template, dot: &Operand) -> Result<()> {
        let base = self.variables.len();
        let mut frame = Frame {
            scope,
            template,
            source: &template.file.source,
            base,
            node: template.root,
        };
        // Compat: `$` is the first name of every template.
        let dollar = frame.source.dollar();
        self.variables.push(Variable {
            name: dollar,
            value: dot.clone(),
        });
        self.templates += 1;
        let result = self.walk(&mut frame, dot, template.root);
        self.templates -= 1;
        self.variables.truncate(base);
        match result {
            Ok(_) => Ok(()),
            Err(failure) if matches!(*failure, Failure::Exhausted(_)) => {
                Err(self.error_with(&frame, "stopped", Some(failure)))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Executes a template on its own and gives what it writes.
    pub(super) fn capture(
        &mut self,
        scope: &Rc<Scope>,
        template: &Template,
        value: Value,
    ) -> Result<Text> {
        let own = self.spare.output();
        let before = std::mem::replace(&mut self.out, own);
        let result = self.execute(scope, template, &Operand::plain(value));
        let out = std::mem::replace(&mut self.out, before);
        result.map(|()| self.spare.text(out))
    }

    fn walk(&mut self, frame: &mut Frame<'_>, dot: &Operand, id: NodeId) -> Result<Flow> {
        frame.node = id;
        self.step()?;
        match frame.source.node(id) {
            Node::List(range) => {
                self.deeper()?;
                for child in frame.source.children(range) {
                    let flow = self.walk(frame, dot, *child)?;
                    if flow != Flow::Next {
                        self.depth -= 1;
                        return Ok(flow);
                    }
                }
                self.depth -= 1;
            }
            Node::Text(slice) => {
                self.mark(slice.start);
                let text = frame.source.slice(slice);
                self.meter.take_bytes(text.len()).map_err(exhausted)?;
                self.out.push_str(text);
            }
            Node::Action(pipe) => {
                self.mark(frame.source.place(id));
                let operand = self.pipeline(frame, dot, pipe)?;
                if !frame.source.declares(pipe) {
                    frame.node = id;
                    self.print(&operand)?;
                }
            }
            Node::Branch {
                kind: Branch::Range,
                pipe,
                list,
                otherwise,
            } => {
                let mark = self.variables.len();
                let flow = self.range(frame, dot, pipe, list, otherwise);
                self.variables.truncate(mark);
                return flow;
            }
            Node::Branch {
                kind,
                pipe,
                list,
                otherwise,
            } => {
                let mark = self.variables.len();
                let value = self.pipeline(frame, dot, pipe)?;
                let flow = if value.value.is_true() {
                    if kind == Branch::With {
                        self.walk(frame, &value, list)
                    } else {
                        self.walk(frame, dot, list)
                    }
                } else {
                    match otherwise {
                        Some(list) => self.walk(frame, dot, list),
                        None => Ok(Flow::Next),
                    }
                };
                self.variables.truncate(mark);
                return flow;
            }
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
            Node::Template { name, pipe } => self.template(frame, dot, id, name, pipe)?,
            _ => return Err(self.error(frame, "unknown node")),
        }
        Ok(Flow::Next)
    }

    fn template(
        &mut self,
        frame: &mut Frame<'_>,
        dot: &Operand,
        id: NodeId,
        name: u32,
        pipe: Option<NodeId>,
    ) -> Result<()> {
        self.mark(frame.source.place(id));
        let name = frame.source.literal(name);
        let Some(template) = frame.scope.get(name.as_bytes()) else {
            let shown = quote(&name.to_string());
            return Err(self.error(frame, format!("template {shown} not defined")));
        };
        let value = match pipe {
            Some(pipe) => self.pipeline(frame, dot, pipe)?,
            None => Operand::INVALID,
        };
        self.deeper()?;
        self.execute(frame.scope, template, &value)?;
        self.depth -= 1;
        Ok(())
    }

    fn range(
        &mut self,
        frame: &mut Frame<'_>,
        dot: &Operand,
        pipe: NodeId,
        list: NodeId,
        otherwise: Option<NodeId>,
    ) -> Result<Flow> {
        let over = self.pipeline(frame, dot, pipe)?;
        let variables = frame.source.loop_variables(pipe);
        let mut looped = Loop {
            list,
            variables,
            ran: false,
        };
        match &over.value {
            Value::Nil => {}
            Value::Int(count, kind) => {
                if variables.count > 1 {
                    return Err(self.one_variable(frame, &over.value));
                }
                for i in 0..*count {
                    let element = Operand::plain(Value::Int(i, *kind));
                    if self.iterate(frame, &mut looped, Operand::INVALID, &element)? {
                        break;
                    }
                }
            }
            Value::Uint(count, kind) => {
                if variables.count > 1 {
                    return Err(self.one_variable(frame, &over.value));
                }
                for i in 0..*count {
                    let element = Operand::plain(Value::Uint(i, *kind));
                    if self.iterate(frame, &mut looped, Operand::INVALID, &element)? {
                        break;
                    }
                }
            }
            Value::List(items) => {
                let boxed = items.list_type().boxed;
                let mut i = 0;
                while let Some(value) = items.get(i) {
                    let index = Operand::plain(Value::int(i64::try_from(i).unwrap_or(i64::MAX)));
                    let element = Operand { value, boxed };
                    if self.iterate(frame, &mut looped, index, &element)? {
                        break;
                    }
                    i += 1;
                }
            }
            Value::Map(map) => {
                let boxed = map.map_type().boxed;
                self.meter
                    .take_bytes(Map::bytes(map.len()))
                    .map_err(exhausted)?;
                for (key, value) in map.to_entries() {
                    let key = Operand::plain(Value::Text(key));
                    let element = Operand { value, boxed };
                    if self.iterate(frame, &mut looped, key, &element)? {
                        break;
                    }
                }
            }
            Value::Bytes(_) => {
                for (i, item) in over
                    .value
                    .items()
                    .unwrap_or_default()
                    .into_iter()
                    .enumerate()
                {
                    let index = Operand::plain(Value::int(i64::try_from(i).unwrap_or(i64::MAX)));
                    if self.iterate(frame, &mut looped, index, &Operand::plain(item))? {
                        break;
                    }
                }
            }
            Value::Object(object) if matches!(object.kind(), Kind::Map | Kind::Slice) => {
                for (key, value) in object.entries() {
                    let key = Operand::plain(key);
                    if self.iterate(frame, &mut looped, key, &Operand::plain(value))? {
                        break;
                    }
                }
            }
            other => {
                let shown = super::print::shown(other);
                return Err(self.error(frame, format!("range can't iterate over {shown}")));
            }
        }
        match otherwise {
            Some(list) if !looped.ran => self.walk(frame, dot, list),
            _ => Ok(Flow::Next),
        }
    }

    fn one_variable(&self, frame: &Frame<'_>, over: &Value) -> Box<Failure> {
        let shown = super::print::shown(over);
        self.error(
            frame,
            format!("can't use {shown} to iterate over more than one variable"),
        )
    }

    /// One round of a loop; whether it was the last.
    fn iterate(
        &mut self,
        frame: &mut Frame<'_>,
        looped: &mut Loop,
        index: Operand,
        element: &Operand,
    ) -> Result<bool> {
        looped.ran = true;
        let LoopVariables {
            count,
            assigns,
            names,
        } = looped.variables;
        if count > 0 {
            if assigns {
                let first = if count > 1 { index } else { element.clone() };
                self.assign(frame, names[0], first)?;
                if count > 1 {
                    self.assign(frame, names[1], element.clone())?;
                }
            } else {
                // The loop's own variables are on top of the stack.
                self.set_top(1, element.clone());
                if count > 1 {
                    self.set_top(2, index);
                }
            }
        }
        let mark = self.variables.len();
        let flow = self.walk(frame, element, looped.list);
        self.variables.truncate(mark);
        Ok(flow? == Flow::Break)
    }

    fn set_top(&mut self, from_top: usize, value: Operand) {
        let index = self.variables.len().wrapping_sub(from_top);
        if let Some(variable) = self.variables.get_mut(index) {
            variable.value = value;
        }
    }

    fn assign(&mut self, frame: &Frame<'_>, name: u32, value: Operand) -> Result<()> {
        let own = self.variables.get_mut(frame.base..).unwrap_or_default();
        match own.iter_mut().rev().find(|v| v.name == name) {
            Some(variable) => {
                variable.value = value;
                Ok(())
            }
            None => Err(self.undefined(frame, name)),
        }
    }

    fn lookup(&self, frame: &Frame<'_>, name: u32) -> Result<&Operand> {
        let own = self.variables.get(frame.base..).unwrap_or_default();
        own.iter()
            .rev()
            .find(|v| v.name == name)
            .map(|v| &v.value)
            .ok_or_else(|| self.undefined(frame, name))
    }

    fn undefined(&self, frame: &Frame<'_>, name: u32) -> Box<Failure> {
        let name = frame.source.variable(name);
        self.error(frame, format!("undefined variable: {name}"))
    }

    fn print(&mut self, operand: &Operand) -> Result<()> {
        match &operand.value {
            Value::Text(text) => {
                self.meter.take_bytes(text.len()).map_err(exhausted)?;
                self.out.push(text);
            }
            Value::Nil => self.out.push_str("<no value>"),
            value => {
                let mut text = String::new();
                super::print::printed(&mut text, value, &mut self.meter).map_err(exhausted)?;
                self.meter.take_bytes(text.len()).map_err(exhausted)?;
                self.out.push_str(&text);
            }
        }
        Ok(())
    }

    /// Notes where output comes from, in the outermost template.
    fn mark(&mut self, place: u32) {
        if self.templates == 1 {
            self.marks.push(Mark {
                output: self.out.len(),
                place,
            });
        }
    }

    fn step(&mut self) -> Result<()> {
        self.meter.take_steps(1).map_err(exhausted)
    }

    fn deeper(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > self.environment.limits.depth {
            return Err(exhausted(Exhausted::Depth));
        }
        Ok(())
    }

    /// An error at the node that was looked at last.
    fn error(&self, frame: &Frame<'_>, message: impl Into<String>) -> Box<Failure> {
        self.error_with(frame, message, None)
    }

    #[expect(clippy::unused_self, reason = "reads as the others do")]
    fn error_with(
        &self,
        frame: &Frame<'_>,
        message: impl Into<String>,
        cause: Option<Box<Failure>>,
    ) -> Box<Failure> {
        let mut expression = frame.source.show(frame.node);
        if expression.len() > MAX_EXPRESSION {
            expression.truncate(expression.floor_char_boundary(MAX_EXPRESSION));
            expression.push_str("...");
        }
        Box::new(Failure::At {
            place: place_in(frame.template, frame.source.place(frame.node)),
            template: frame.template.name.to_string(),
            expression,
            message: message.into(),
            cause,
        })
    }
}

fn place_in(template: &Template, place: u32) -> Place {
    let source = &template.file.source;
    let (line, bytes) = source.line_and_bytes(place);
    let (_, column) = source.line_and_column(place);
    Place {
        file: template.file.name.to_string(),
        line,
        bytes,
        column,
    }
}

fn exhausted(exhausted: Exhausted) -> Box<Failure> {
    Box::new(Failure::Exhausted(exhausted))
}

/// A loop under way.
struct Loop {
    list: NodeId,
    variables: LoopVariables,
    /// Whether it had a round.
    ran: bool,
}
