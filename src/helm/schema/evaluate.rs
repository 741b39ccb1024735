//! Values held to a schema.
//!
//! Compat: `santhosh-tekuri/jsonschema` 6.0.3, `validator.go`: which keywords a
//! draft has, when the first thing that is wrong ends the search, and how
//! problems are grouped.

use std::collections::BTreeSet;
use std::rc::Rc;

use foldhash::{HashMap, HashMapExt as _};

use super::document::{Document, Draft, Refusal, Schema, place};
use super::format;
use super::problem::{Kind, Problem, all_quoted, count, number, quoted, shown};
use super::shape::type_name;
use crate::gostd::regexp::Regexp;
use crate::yaml::{Map, Value};

/// How many schemas may be applied; far more than any real chart needs.
const MAX_STEPS: u64 = 20_000_000;

/// How deep values and schemas may nest.
const MAX_DEPTH: usize = 400;

/// Why the evaluation found no answer, or what the answer is.
pub(super) enum Outcome {
    /// The values are as the schema wants them.
    Valid,
    /// They are not.
    Invalid(Vec<Problem>),
    /// It costs too much to know.
    TooCostly,
}

/// Holds a value to the document's schema.
pub(super) fn evaluate(document: &Document<'_>, value: &Value) -> Outcome {
    let mut evaluator = Evaluator {
        document,
        patterns: HashMap::new(),
        path: Vec::new(),
        steps: 0,
        is_over: false,
    };
    let root = document.root();
    let mut open = Open::of(document, root, value, false);
    let frame = Frame {
        schema: root,
        value_number: 0,
        quiet: false,
        parent: None,
    };
    let result = evaluator.schema(&frame, value, &mut open);
    if evaluator.is_over {
        return Outcome::TooCostly;
    }
    match result {
        Ok(()) => Outcome::Valid,
        Err(problem) if problem.kind == Kind::Group => Outcome::Invalid(problem.causes),
        Err(problem) => Outcome::Invalid(vec![problem]),
    }
}

struct Evaluator<'d, 's> {
    document: &'d Document<'s>,
    patterns: HashMap<&'s str, Option<Rc<Regexp>>>,
    path: Vec<String>,
    steps: u64,
    is_over: bool,
}

/// A schema being applied, and how it came to that.
struct Frame<'f, 's> {
    schema: Schema<'s>,
    /// Differs between values.
    value_number: usize,
    /// Whether only the answer counts, not what is wrong.
    quiet: bool,
    parent: Option<&'f Frame<'f, 's>>,
}

/// The properties and items that no keyword has looked at.
#[derive(Default)]
struct Open<'v> {
    properties: BTreeSet<&'v str>,
    items: BTreeSet<usize>,
}

impl<'v> Open<'v> {
    fn of(document: &Document<'_>, schema: Schema<'_>, value: &'v Value, wanted: bool) -> Open<'v> {
        let mut open = Open::default();
        let has = |keyword: &str| schema.value.get(keyword).is_some();
        match value {
            Value::Mapping(map)
                if !has("additionalProperties") && (wanted || has("unevaluatedProperties")) =>
            {
                open.properties = map.keys().map(|key| &**key).collect();
            }
            Value::Sequence(items) if wanted || has("unevaluatedItems") => {
                let is_latest = document.draft(schema) == Draft::Draft2020;
                let (all, first) = if is_latest {
                    (has("items"), length_of(schema.value.get("prefixItems")))
                } else {
                    let is_list = matches!(schema.value.get("items"), Some(Value::Sequence(_)));
                    (
                        has("items") && !is_list || has("additionalItems"),
                        length_of(schema.value.get("items")),
                    )
                };
                if !all {
                    open.items = (first..items.len()).collect();
                }
            }
            _ => {}
        }
        open
    }

    fn is_empty(&self) -> bool {
        self.properties.is_empty() && self.items.is_empty()
    }

    /// Keeps what is open in the other, too.
    fn meet(&mut self, other: &Open<'_>) {
        self.properties
            .retain(|name| other.properties.contains(name));
        self.items.retain(|i| other.items.contains(i));
    }
}

fn length_of(list: Option<&Value>) -> usize {
    match list {
        Some(Value::Sequence(items)) => items.len(),
        _ => 0,
    }
}

/// A keyword whose value is a count.
fn count_of(schema: &Value, keyword: &str) -> Option<usize> {
    match schema.get(keyword)? {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count, as its shape was checked"
        )]
        Value::Float(f) => Some(*f as usize),
        _ => None,
    }
}

fn number_of(value: &Value) -> Option<f64> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "values are floats, save these")]
        Value::Int(i) => Some(*i as f64),
        #[expect(clippy::cast_precision_loss, reason = "values are floats, save these")]
        Value::Uint(u) => Some(*u as f64),
        Value::Float(f) => Some(*f),
        _ => None,
    }
}

/// Whether two values are the same; a number is the same however it is kept.
pub(super) fn equals(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Mapping(a), Value::Mapping(b)) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .all(|((k, a), (l, b))| k == l && equals(a, b))
        }
        (Value::Sequence(a), Value::Sequence(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equals(a, b))
        }
        (a, b) => match (number_of(a), number_of(b)) {
            (Some(a), Some(b)) => a.total_cmp(&b).is_eq() || a == 0.0 && b == 0.0,
            _ => a == b,
        },
    }
}

/// Whether one number is so many times another, in decimal digits.
fn is_multiple(a: f64, b: f64) -> bool {
    let parts = |f: f64| {
        let text = format!("{f:e}");
        let (digits, exponent) = text.split_once('e')?;
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
        let exponent = exponent.parse::<i32>().ok()? - i32::try_from(fraction.len()).ok()?;
        Some((mantissa, exponent))
    };
    let scaled = || {
        let ((a, i), (b, j)) = (parts(a)?, parts(b)?);
        let least = i.min(j);
        let up = |m: i128, e: i32| m.checked_mul(10_i128.checked_pow(e.abs_diff(least))?);
        Some((up(a, i)?, up(b, j)?))
    };
    match scaled() {
        Some((_, 0)) => true,
        Some((a, b)) => a % b == 0,
        None => (a % b).abs() < f64::EPSILON,
    }
}

fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let items = match value {
        Some(Value::Sequence(items)) => items.as_slice(),
        _ => &[],
    };
    items.iter().filter_map(Value::as_str)
}

fn list(value: Option<&Value>) -> &[Value] {
    match value {
        Some(Value::Sequence(items)) => items,
        _ => &[],
    }
}

fn entries(value: Option<&Value>) -> impl Iterator<Item = (&str, &Value)> {
    static NONE: Map = Map::new();
    let map = match value {
        Some(Value::Mapping(map)) => map,
        _ => &NONE,
    };
    map.iter().map(|(key, value)| (&**key, value))
}

/// What one schema finds wrong with one value.
type Problems = Vec<Problem>;

impl<'s> Evaluator<'_, 's> {
    fn problem(&self, quiet: bool, message: impl FnOnce() -> String) -> Problem {
        Problem {
            path: if quiet { Vec::new() } else { self.path.clone() },
            message: if quiet { String::new() } else { message() },
            kind: Kind::Keyword,
            causes: Vec::new(),
        }
    }

    /// Applies a schema to a value.
    fn schema<'v>(
        &mut self,
        frame: &Frame<'_, 's>,
        value: &'v Value,
        open: &mut Open<'v>,
    ) -> Result<(), Problem> {
        let quiet = frame.quiet;
        self.steps += 1;
        self.is_over |= self.steps > MAX_STEPS;
        if self.is_over {
            return Err(self.problem(true, String::new));
        }
        let map = match frame.schema.value {
            Value::Mapping(map) => map,
            Value::Bool(false) => return Err(self.problem(quiet, || "false schema".to_owned())),
            _ => return Ok(()),
        };
        let mut depth = 0;
        let mut above = frame.parent;
        let mut same_value = true;
        while let Some(outer) = above {
            depth += 1;
            same_value &= outer.value_number == frame.value_number;
            if same_value && place(outer.schema.value) == place(frame.schema.value)
                || depth > MAX_DEPTH
            {
                return Err(self.problem(quiet, || {
                    "a schema refers to itself without an end".to_owned()
                }));
            }
            above = outer.parent;
        }
        let draft = self.document.draft(frame.schema);
        if draft >= Draft::Draft2019 || !map.contains_key("$ref") {
            self.kinds(map, draft, value, quiet)?;
        }
        let mut problems = Problems::new();
        if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
            let result = self.reference(frame, reference, value, open);
            if draft < Draft::Draft2019 {
                return result;
            }
            problems.extend(result.err());
        }
        match value {
            Value::Mapping(object) => {
                self.object(frame, map, draft, object, open, value, &mut problems);
            }
            Value::Sequence(items) => self.array(frame, map, draft, items, open, &mut problems),
            Value::String(text) => self.text(map, text, quiet, &mut problems),
            value => {
                if let Some(value) = number_of(value) {
                    self.number(map, value, quiet, &mut problems);
                }
            }
        }
        if problems.is_empty() || !quiet {
            self.references(frame, map, draft, value, open, &mut problems);
            self.combinations(frame, map, draft, value, open, &mut problems);
            if draft >= Draft::Draft2019 {
                self.unevaluated(frame, map, value, open, &mut problems);
            }
        }
        match problems.len() {
            0 => Ok(()),
            1 => Err(problems.remove(0)),
            _ => {
                let mut group = self.problem(quiet, || "validation failed".to_owned());
                group.kind = Kind::Group;
                group.causes = problems;
                Err(group)
            }
        }
    }

    /// `type`, `const`, `enum`, `format`: what they refuse needs no other word.
    fn kinds(
        &mut self,
        map: &'s Map,
        draft: Draft,
        value: &Value,
        quiet: bool,
    ) -> Result<(), Problem> {
        let got = type_name(value);
        let named: Vec<&str> = match map.get("type") {
            Some(Value::String(name)) => vec![name],
            other => texts(other).collect(),
        };
        if !named.is_empty() {
            let is_whole = number_of(value).is_some_and(|f| f.fract() == 0.0);
            let fits = |name: &&str| *name == got || *name == "integer" && is_whole;
            if !named.iter().any(fits) {
                const ORDER: [&str; 7] = [
                    "null", "boolean", "number", "integer", "string", "array", "object",
                ];
                return Err(self.problem(quiet, || {
                    let wanted: Vec<&str> =
                        ORDER.into_iter().filter(|n| named.contains(n)).collect();
                    format!("got {got}, want {}", wanted.join(" or "))
                }));
            }
        }
        if draft >= Draft::Draft6
            && let Some(wanted) = map.get("const")
            && !equals(value, wanted)
        {
            return Err(self.problem(quiet, || match wanted {
                Value::Sequence(_) | Value::Mapping(_) => "'const' failed".to_owned(),
                wanted => format!("value must be {}", shown(wanted)),
            }));
        }
        if let Some(Value::Sequence(choices)) = map.get("enum")
            && !choices.iter().any(|choice| equals(value, choice))
        {
            return Err(self.problem(quiet, || {
                let is_plain = |c: &Value| !matches!(c, Value::Sequence(_) | Value::Mapping(_));
                if !choices.iter().all(is_plain) {
                    return "'enum' failed".to_owned();
                }
                let shown: Vec<String> = choices.iter().map(shown).collect();
                let one_of = if shown.len() == 1 { "" } else { "one of " };
                format!("value must be {one_of}{}", shown.join(", "))
            }));
        }
        if draft < Draft::Draft2019
            && let Some(name) = map.get("format").and_then(Value::as_str)
            && let Value::String(text) = value
            && let Err(why) = format::check(name, text)
        {
            return Err(self.problem(quiet, || {
                format!("{} is not valid {name}: {why}", quoted(text))
            }));
        }
        Ok(())
    }

    /// Applies another schema to the same value.
    fn same<'v>(
        &mut self,
        frame: &Frame<'_, 's>,
        schema: Schema<'s>,
        quiet: bool,
        value: &'v Value,
        open: &mut Open<'v>,
    ) -> Result<(), Problem> {
        let mut own = Open::of(self.document, schema, value, !open.is_empty());
        let below = Frame {
            schema,
            value_number: frame.value_number,
            quiet: frame.quiet || quiet,
            parent: Some(frame),
        };
        self.schema(&below, value, &mut own)?;
        open.meet(&own);
        Ok(())
    }

    /// Applies a schema within this one to the same value.
    fn also<'v>(
        &mut self,
        frame: &Frame<'_, 's>,
        schema: &'s Value,
        quiet: bool,
        value: &'v Value,
        open: &mut Open<'v>,
    ) -> Result<(), Problem> {
        let schema = self.document.within(frame.schema, schema);
        self.same(frame, schema, quiet, value, open)
    }

    /// Applies a schema within this one to a value in this one.
    fn inner(
        &mut self,
        frame: &Frame<'_, 's>,
        schema: &'s Value,
        value: &Value,
        token: impl Into<String>,
    ) -> Result<(), Problem> {
        let schema = self.document.within(frame.schema, schema);
        let mut open = Open::of(self.document, schema, value, false);
        let below = Frame {
            schema,
            value_number: frame.value_number + 1,
            quiet: frame.quiet,
            parent: Some(frame),
        };
        self.path.push(token.into());
        let result = self.schema(&below, value, &mut open);
        self.path.pop();
        result
    }

    fn reference<'v>(
        &mut self,
        frame: &Frame<'_, 's>,
        reference: &str,
        value: &'v Value,
        open: &mut Open<'v>,
    ) -> Result<(), Problem> {
        match self.document.resolve(frame.schema, reference) {
            Ok(Some(target)) => self.referred(frame, target, value, open),
            Ok(None) => Ok(()),
            Err(Refusal::Remote(what) | Refusal::Invalid(what) | Refusal::Dangling(what)) => {
                Err(self.problem(frame.quiet, || what))
            }
        }
    }

    fn referred<'v>(
        &mut self,
        frame: &Frame<'_, 's>,
        target: Schema<'s>,
        value: &'v Value,
        open: &mut Open<'v>,
    ) -> Result<(), Problem> {
        self.same(frame, target, false, value, open)
            .map_err(|problem| {
                let mut reference = self.problem(frame.quiet, || "validation failed".to_owned());
                reference.kind = Kind::Reference;
                reference.causes = match problem.kind {
                    Kind::Group => problem.causes,
                    _ => vec![problem],
                };
                reference
            })
    }

    /// `$recursiveRef` and `$dynamicRef`, which look at how a schema was come
    /// to.
    fn references<'v>(
        &mut self,
        frame: &Frame<'_, 's>,
        map: &'s Map,
        draft: Draft,
        value: &'v Value,
        open: &mut Open<'v>,
        problems: &mut Problems,
    ) {
        let is_recursive = |schema: Schema<'_>| {
            matches!(
                schema.value.get("$recursiveAnchor"),
                Some(Value::Bool(true))
            )
        };
        let outward = || std::iter::successors(Some(frame), |frame| frame.parent);
        let (reference, target) = match draft {
            Draft::Draft2019 => {
                let Some(reference) = map.get("$recursiveRef").and_then(Value::as_str) else {
                    return;
                };
                let target = self.document.resolve(frame.schema, reference);
                (
                    reference,
                    target.map(|target| {
                        target.map(|target| {
                            let found = outward()
                                .filter(|f| {
                                    is_recursive(target)
                                        && is_recursive(self.document.resource_root(f.schema))
                                })
                                .last();
                            found.map_or(target, |f| f.schema)
                        })
                    }),
                )
            }
            Draft::Draft2020 => {
                let Some(reference) = map.get("$dynamicRef").and_then(Value::as_str) else {
                    return;
                };
                let anchor = reference.split_once('#').map_or("", |(_, anchor)| anchor);
                let target = self.document.resolve(frame.schema, reference);
                (
                    reference,
                    target.map(|target| {
                        target.map(|target| {
                            let own = target.value.get("$dynamicAnchor").and_then(Value::as_str);
                            if own != Some(anchor) {
                                return target;
                            }
                            let found = outward()
                                .filter_map(|f| self.document.dynamic_anchor(f.schema, anchor))
                                .last();
                            found.unwrap_or(target)
                        })
                    }),
                )
            }
            _ => return,
        };
        match target {
            Ok(Some(target)) => problems.extend(self.referred(frame, target, value, open).err()),
            Ok(None) => {}
            Err(_) => problems.push(self.problem(frame.quiet, || {
                format!("reference `{reference}` leads nowhere")
            })),
        }
    }

    fn missing(object: &Map, wanted: Option<&Value>) -> Option<Vec<String>> {
        let missing: Vec<String> = texts(wanted)
            .filter(|name| !object.contains_key(*name))
            .map(str::to_owned)
            .collect();
        (!missing.is_empty()).then_some(missing)
    }

    #[expect(clippy::too_many_arguments, reason = "one step of `schema`")]
    fn object<'v>(
        &mut self,
        frame: &Frame<'_, 's>,
        map: &'s Map,
        draft: Draft,
        object: &'v Map,
        open: &mut Open<'v>,
        value: &'v Value,
        problems: &mut Problems,
    ) {
        let quiet = frame.quiet;
        let (schema, got) = (frame.schema.value, object.len());
        if let Some(want) = count_of(schema, "minProperties").filter(|want| got < *want) {
            problems.push(self.bound(quiet, "minProperties", got, want));
        }
        if let Some(want) = count_of(schema, "maxProperties").filter(|want| got > *want) {
            problems.push(self.bound(quiet, "maxProperties", got, want));
        }
        if let Some(missing) = Self::missing(object, map.get("required")) {
            problems.push(self.problem(quiet, || {
                let names = all_quoted(missing.iter().map(String::as_str));
                let plural = if missing.len() == 1 { "y" } else { "ies" };
                format!("missing propert{plural} {names}")
            }));
        }
        if quiet && !problems.is_empty() {
            return;
        }
        let requires = |this: &Self, name: &str, missing: &[String]| {
            this.problem(quiet, || {
                let missing = all_quoted(missing.iter().map(String::as_str));
                format!("properties {missing} required, if {} exists", quoted(name))
            })
        };
        for (name, dependency) in entries(map.get("dependencies")) {
            if !object.contains_key(name) {
                continue;
            }
            if let Value::Sequence(_) = dependency {
                if let Some(missing) = Self::missing(object, Some(dependency)) {
                    problems.push(requires(self, name, &missing));
                }
            } else {
                problems.extend(self.also(frame, dependency, false, value, open).err());
            }
        }
        self.properties(frame, map, object, open, problems);
        if draft == Draft::Draft4 {
            return;
        }
        if let Some(names) = map.get("propertyNames") {
            self.property_names(frame, names, object, problems);
        }
        if draft == Draft::Draft6 {
            return;
        }
        if draft < Draft::Draft2019 {
            return;
        }
        for (name, dependent) in entries(map.get("dependentSchemas")) {
            if object.contains_key(name) {
                problems.extend(self.also(frame, dependent, false, value, open).err());
            }
        }
        for (name, wanted) in entries(map.get("dependentRequired")) {
            if object.contains_key(name)
                && let Some(missing) = Self::missing(object, Some(wanted))
            {
                problems.push(requires(self, name, &missing));
            }
        }
    }

    fn property_names(
        &mut self,
        frame: &Frame<'_, 's>,
        names: &'s Value,
        object: &Map,
        problems: &mut Problems,
    ) {
        for name in object.keys() {
            let schema = self.document.within(frame.schema, names);
            let text = Value::String(name.clone());
            let below = Frame {
                schema,
                value_number: frame.value_number + 1,
                quiet: frame.quiet,
                parent: Some(frame),
            };
            let mut open = Open::default();
            let path = std::mem::take(&mut self.path);
            let result = self.schema(&below, &text, &mut open);
            self.path = path;
            if let Err(problem) = result {
                let mut outer = self.problem(frame.quiet, || {
                    format!("invalid propertyName {}", quoted(name))
                });
                // Compat: names are judged as values of their own, which are
                // nowhere.
                outer.path.clear();
                outer.causes = match problem.kind {
                    Kind::Group => problem.causes,
                    _ => vec![problem],
                };
                problems.push(outer);
            }
        }
    }

    fn properties<'v>(
        &mut self,
        frame: &Frame<'_, 's>,
        map: &'s Map,
        object: &'v Map,
        open: &mut Open<'v>,
        problems: &mut Problems,
    ) {
        let declared = map.get("properties");
        let additional = map.get("additionalProperties");
        let patterns: Vec<(Rc<Regexp>, &'s Value)> = entries(map.get("patternProperties"))
            .filter_map(|(pattern, schema)| Some((self.pattern(pattern)?, schema)))
            .collect();
        let mut not_allowed = Vec::new();
        for (name, value) in object {
            if frame.quiet && !problems.is_empty() {
                return;
            }
            let mut is_evaluated = false;
            if let Some(schema) = declared.and_then(|declared| declared.get(name)) {
                is_evaluated = true;
                problems.extend(self.inner(frame, schema, value, &**name).err());
            }
            for (pattern, schema) in &patterns {
                if pattern.is_match(name) {
                    is_evaluated = true;
                    problems.extend(self.inner(frame, schema, value, &**name).err());
                }
            }
            if !is_evaluated && let Some(additional) = additional {
                is_evaluated = true;
                match additional {
                    Value::Bool(false) => not_allowed.push(&**name),
                    Value::Bool(true) => {}
                    schema => problems.extend(self.inner(frame, schema, value, &**name).err()),
                }
            }
            if is_evaluated {
                open.properties.remove(&**name);
            }
        }
        if !not_allowed.is_empty() {
            problems.push(self.problem(frame.quiet, || {
                format!(
                    "additional properties {} not allowed",
                    all_quoted(not_allowed)
                )
            }));
        }
    }

    fn array<'v>(
        &mut self,
        frame: &Frame<'_, 's>,
        map: &'s Map,
        draft: Draft,
        items: &'v [Value],
        open: &mut Open<'v>,
        problems: &mut Problems,
    ) {
        let quiet = frame.quiet;
        let (schema, got) = (frame.schema.value, items.len());
        if let Some(want) = count_of(schema, "minItems").filter(|want| got < *want) {
            problems.push(self.bound(quiet, "minItems", got, want));
        }
        if let Some(want) = count_of(schema, "maxItems").filter(|want| got > *want) {
            problems.push(self.bound(quiet, "maxItems", got, want));
        }
        if matches!(map.get("uniqueItems"), Some(Value::Bool(true)))
            && let Some((i, j)) = self.duplicates(items)
        {
            problems.push(self.problem(quiet, || {
                format!("items at {} and {} are equal", count(i), count(j))
            }));
        }
        let (first, rest, is_list) = if draft == Draft::Draft2020 {
            (list(map.get("prefixItems")), map.get("items"), true)
        } else {
            match map.get("items") {
                Some(Value::Sequence(first)) => {
                    (first.as_slice(), map.get("additionalItems"), true)
                }
                other => (&[][..], other, false),
            }
        };
        for (i, (item, schema)) in items.iter().zip(first).enumerate() {
            problems.extend(self.inner(frame, schema, item, i.to_string()).err());
        }
        let beyond = items.get(first.len()..).unwrap_or_default();
        match rest {
            _ if beyond.is_empty() => {}
            Some(Value::Bool(false)) if is_list && draft < Draft::Draft2020 => {
                problems.push(self.problem(quiet, || {
                    format!("last {} additionalItem(s) not allowed", count(beyond.len()))
                }));
            }
            Some(schema) => {
                for (i, item) in beyond.iter().enumerate() {
                    let token = (first.len() + i).to_string();
                    problems.extend(self.inner(frame, schema, item, token).err());
                }
            }
            None => {}
        }
        if draft >= Draft::Draft6
            && let Some(wanted) = map.get("contains")
        {
            self.contains(frame, wanted, draft, items, open, problems);
        }
    }

    fn duplicates(&mut self, items: &[Value]) -> Option<(usize, usize)> {
        for (i, item) in items.iter().enumerate() {
            self.steps += i as u64;
            if let Some(j) = items.iter().take(i).position(|other| equals(item, other)) {
                return Some((j, i));
            }
            if self.steps > MAX_STEPS {
                return None;
            }
        }
        None
    }

    fn contains<'v>(
        &mut self,
        frame: &Frame<'_, 's>,
        wanted: &'s Value,
        draft: Draft,
        items: &'v [Value],
        open: &mut Open<'v>,
        problems: &mut Problems,
    ) {
        let (mut matched, mut causes) = (Vec::new(), Vec::new());
        for (i, item) in items.iter().enumerate() {
            match self.inner(frame, wanted, item, i.to_string()) {
                Ok(()) => {
                    matched.push(i);
                    if draft == Draft::Draft2020 {
                        open.items.remove(&i);
                    }
                }
                Err(problem) => causes.push(problem),
            }
        }
        let at = |matched: &[usize]| {
            let matched: Vec<String> = matched.iter().map(usize::to_string).collect();
            format!(
                "matched {} items at {}",
                count(matched.len()),
                matched.join(" ")
            )
        };
        let bound =
            |keyword| count_of(frame.schema.value, keyword).filter(|_| draft >= Draft::Draft2019);
        match bound("minContains") {
            Some(want) if matched.len() < want => {
                let mut problem = self.problem(frame.quiet, || {
                    let found = if matched.is_empty() {
                        "none matched".to_owned()
                    } else {
                        at(&matched)
                    };
                    format!(
                        "min {} items required to match contains schema, but {found}",
                        count(want)
                    )
                });
                problem.causes = causes;
                problems.push(problem);
            }
            None if matched.is_empty() => {
                let mut problem =
                    self.problem(frame.quiet, || "no items match contains schema".to_owned());
                problem.causes = causes;
                problems.push(problem);
            }
            _ => {}
        }
        if let Some(want) = bound("maxContains").filter(|want| matched.len() > *want) {
            problems.push(self.problem(frame.quiet, || {
                format!(
                    "max {} items required to match contains schema, but {}",
                    count(want),
                    at(&matched)
                )
            }));
        }
    }

    fn bound(&self, quiet: bool, keyword: &str, got: usize, want: usize) -> Problem {
        self.problem(quiet, || {
            format!("{keyword}: got {}, want {}", count(got), count(want))
        })
    }

    fn text(&mut self, map: &'s Map, text: &str, quiet: bool, problems: &mut Problems) {
        let bounds = ["minLength", "maxLength"].map(|keyword| match map.get(keyword) {
            Some(Value::Float(f)) => Some(*f),
            _ => None,
        });
        if bounds.iter().any(Option::is_some) {
            let length = text.chars().count();
            #[expect(clippy::cast_precision_loss, reason = "lengths are small")]
            let got = length as f64;
            let [least, most] = bounds;
            if let Some(want) = least.filter(|want| got < *want) {
                problems.push(self.problem(quiet, || {
                    format!("minLength: got {}, want {}", number(got), number(want))
                }));
            }
            if let Some(want) = most.filter(|want| got > *want) {
                problems.push(self.problem(quiet, || {
                    format!("maxLength: got {}, want {}", number(got), number(want))
                }));
            }
        }
        if let Some(Value::String(pattern)) = map.get("pattern")
            && let Some(compiled) = self.pattern(pattern)
            && !compiled.is_match(text)
        {
            problems.push(self.problem(quiet, || {
                format!(
                    "{} does not match pattern {}",
                    quoted(text),
                    quoted(pattern)
                )
            }));
        }
    }

    /// A pattern, compiled once; what is none was refused before.
    fn pattern(&mut self, pattern: &'s str) -> Option<Rc<Regexp>> {
        self.patterns
            .entry(pattern)
            .or_insert_with(|| Regexp::new(pattern).ok().map(Rc::new))
            .clone()
    }

    fn number(&mut self, map: &'s Map, got: f64, quiet: bool, problems: &mut Problems) {
        let limit = |keyword: &str| match map.get(keyword) {
            Some(Value::Float(f)) => Some(*f),
            _ => None,
        };
        let flag = |keyword: &str| matches!(map.get(keyword), Some(Value::Bool(true)));
        let bound = |this: &Self, name: &str, want: f64| {
            this.problem(quiet, || {
                format!("{name}: got {}, want {}", number(got), number(want))
            })
        };
        // Draft 4 has flags where later drafts have limits.
        let (mut minimum, mut above) = (limit("minimum"), limit("exclusiveMinimum"));
        if flag("exclusiveMinimum") {
            above = minimum.take();
        }
        let (mut maximum, mut under) = (limit("maximum"), limit("exclusiveMaximum"));
        if flag("exclusiveMaximum") {
            under = maximum.take();
        }
        if let Some(want) = minimum.filter(|want| got < *want) {
            problems.push(bound(self, "minimum", want));
        }
        if let Some(want) = maximum.filter(|want| got > *want) {
            problems.push(bound(self, "maximum", want));
        }
        if let Some(want) = above.filter(|want| got <= *want) {
            problems.push(bound(self, "exclusiveMinimum", want));
        }
        if let Some(want) = under.filter(|want| got >= *want) {
            problems.push(bound(self, "exclusiveMaximum", want));
        }
        if let Some(want) = limit("multipleOf").filter(|want| !is_multiple(got, *want)) {
            problems.push(bound(self, "multipleOf", want));
        }
    }

    /// `not`, `allOf`, `anyOf`, `oneOf`, `if`.
    fn combinations<'v>(
        &mut self,
        frame: &Frame<'_, 's>,
        map: &'s Map,
        draft: Draft,
        value: &'v Value,
        open: &mut Open<'v>,
        problems: &mut Problems,
    ) {
        let quiet = frame.quiet;
        if let Some(schema) = map.get("not")
            && self.also(frame, schema, true, value, open).is_ok()
        {
            problems.push(self.problem(quiet, || "'not' failed".to_owned()));
        }
        let mut failed = Problems::new();
        for schema in list(map.get("allOf")) {
            failed.extend(self.also(frame, schema, false, value, open).err());
            if quiet && !failed.is_empty() {
                break;
            }
        }
        if !failed.is_empty() {
            let mut problem = self.problem(quiet, || "'allOf' failed".to_owned());
            problem.causes = failed;
            problems.push(problem);
        }
        let any = list(map.get("anyOf"));
        let (mut is_matched, mut failed) = (any.is_empty(), Problems::new());
        for schema in any {
            match self.also(frame, schema, false, value, open) {
                Ok(()) => {
                    is_matched = true;
                    // What none has looked at wants all of them to look.
                    if open.is_empty() {
                        break;
                    }
                }
                Err(problem) => failed.push(problem),
            }
        }
        if !is_matched {
            let mut problem = self.problem(quiet, || "'anyOf' failed".to_owned());
            problem.causes = failed;
            problems.push(problem);
        }
        self.one_of(frame, list(map.get("oneOf")), value, open, problems);
        if draft >= Draft::Draft7
            && let Some(condition) = map.get("if")
        {
            let holds = self.also(frame, condition, true, value, open).is_ok();
            if let Some(schema) = map.get(if holds { "then" } else { "else" }) {
                problems.extend(self.also(frame, schema, false, value, open).err());
            }
        }
    }

    fn one_of<'v>(
        &mut self,
        frame: &Frame<'_, 's>,
        schemas: &'s [Value],
        value: &'v Value,
        open: &mut Open<'v>,
        problems: &mut Problems,
    ) {
        let (mut matched, mut failed) = (None, Problems::new());
        for (i, schema) in schemas.iter().enumerate() {
            match (
                self.also(frame, schema, matched.is_some(), value, open),
                matched,
            ) {
                (Ok(()), None) => matched = Some(i),
                (Ok(()), Some(first)) => {
                    problems.push(self.problem(frame.quiet, || {
                        format!(
                            "'oneOf' failed, subschemas {}, {} matched",
                            count(first),
                            count(i)
                        )
                    }));
                    return;
                }
                (Err(problem), None) => failed.push(problem),
                (Err(_), Some(_)) => {}
            }
        }
        if matched.is_none() && !schemas.is_empty() {
            let mut problem =
                self.problem(frame.quiet, || "'oneOf' failed, none matched".to_owned());
            problem.causes = failed;
            problems.push(problem);
        }
    }

    fn unevaluated<'v>(
        &mut self,
        frame: &Frame<'_, 's>,
        map: &'s Map,
        value: &'v Value,
        open: &mut Open<'v>,
        problems: &mut Problems,
    ) {
        if let (Value::Mapping(object), Some(schema)) = (value, map.get("unevaluatedProperties")) {
            for name in std::mem::take(&mut open.properties) {
                if let Some(value) = object.get(name) {
                    problems.extend(self.inner(frame, schema, value, name).err());
                }
            }
        }
        if let (Value::Sequence(items), Some(schema)) = (value, map.get("unevaluatedItems")) {
            for i in std::mem::take(&mut open.items) {
                if let Some(item) = items.get(i) {
                    problems.extend(self.inner(frame, schema, item, i.to_string()).err());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiples() {
        for (a, b, want) in [
            (0.3, 0.1, true),
            (10.0, 3.0, false),
            (1e22, 10.0, true),
            (0.0, 5.0, true),
            (-4.5, 1.5, true),
        ] {
            assert_eq!(is_multiple(a, b), want, "{a} / {b}");
        }
    }
}
