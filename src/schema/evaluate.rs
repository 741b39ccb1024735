//! A value against its schema.
//!
//! In: a schema and a node. Out: what is wrong, each with its JSON pointer and
//! its place in the file.
//!
//! Compat: a custom resource is judged as kube-openapi's `validate` and
//! apiextensions' `listtype` do, after pruning in strict mode; a built-in
//! kind as its strict decoder does, with null for a field meaning that it is
//! not set.

use super::pack::{Schema, flag};
use super::plain::Kind;
use crate::diag::{Severity, Span, nearest};
use crate::gostd::regexp::Cache;
use crate::gostd::strfmt;
use crate::yaml::resolve::Version;
use crate::yaml::{Node, Value, decode, to_json};

/// Something that is not as the schema wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule: `schema/invalid`, or `schema/invalid-cel` for a rule of the
    /// definition's own.
    pub rule: &'static str,
    /// Whether it is refused, or merely looks wrong.
    pub severity: Severity,
    /// The JSON pointer to the value, from the root of the document.
    pub path: String,
    /// The place of the value, or of the key above what is missing.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// A step from a value to one in it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'n> {
    Key(&'n str),
    Index(usize),
}

/// How often branches of schemas may be tried on values, in one document.
const MAX_BRANCHES: usize = 200_000;

/// Judges the values of one document.
pub(super) struct Evaluation<'e, 'n> {
    patterns: &'e Cache,
    /// Whether values that SOPS sealed stand for what they will be.
    sealed: bool,
    /// The schema of every object's metadata.
    metadata: Option<Schema<'e>>,
    pub(super) path: Vec<Step<'n>>,
    pub(super) found: Vec<Violation>,
    branches_left: usize,
    /// Where there were too many of them.
    stopped: Option<(Span, String)>,
}

impl<'e, 'n> Evaluation<'e, 'n> {
    pub(super) fn new(
        patterns: &'e Cache,
        metadata: Option<Schema<'e>>,
        sealed: bool,
    ) -> Evaluation<'e, 'n> {
        Evaluation {
            patterns,
            sealed,
            metadata,
            path: Vec::new(),
            found: Vec::new(),
            branches_left: MAX_BRANCHES,
            stopped: None,
        }
    }

    /// What is wrong, and whether all was looked at.
    pub(super) fn finish(&mut self) -> &mut Vec<Violation> {
        if let Some((span, path)) = self.stopped.take() {
            self.found.push(Violation {
                rule: "schema/invalid",
                severity: Severity::Error,
                path,
                span,
                message: "too many alternatives to try: the rest is not validated".to_owned(),
                help: Some("split the document, or simplify the schema".to_owned()),
            });
        }
        &mut self.found
    }

    /// The patterns that have been compiled.
    pub(super) fn patterns(&self) -> &'e Cache {
        self.patterns
    }

    /// Reports at the current path.
    pub(super) fn report(&mut self, span: Span, message: impl Into<String>) -> &mut Violation {
        self.found.push(Violation {
            rule: "schema/invalid",
            severity: Severity::Error,
            path: pointer(&self.path),
            span,
            message: message.into(),
            help: None,
        });
        // It was put there just now.
        let last = self.found.len() - 1;
        &mut self.found[last]
    }

    /// Reports at a step below the current path.
    pub(super) fn report_at(
        &mut self,
        step: Step<'n>,
        span: Span,
        message: impl Into<String>,
    ) -> &mut Violation {
        self.path.push(step);
        self.report(span, message);
        self.path.pop();
        let last = self.found.len() - 1;
        &mut self.found[last]
    }

    /// Judges a value; `place` is that of its key, for what is missing in it.
    pub(super) fn value(&mut self, schema: Schema<'_>, node: &'n Node, place: Span) {
        let node = node.target();
        let nullable = schema.has(flag::NULLABLE);
        let Some(schema) = resolve(schema) else {
            return;
        };
        if self.stopped.is_some() {
            return;
        }
        // Of what stands in for a secret, nothing can be said.
        let stands_in = node.is_secret() || node.is_placeholder();
        if stands_in || self.sealed && node.text().is_some_and(is_sealed) {
            return;
        }
        let kind = Kind::of(node);
        if kind == Kind::Null && (nullable || schema.has(flag::NULLABLE)) {
            return;
        }
        if !self.type_fits(schema, node, &kind) {
            return;
        }
        match &kind {
            Kind::Mapping => self.mapping(schema, node, place),
            Kind::List => self.list(schema, node),
            Kind::Text => self.text(schema, node),
            #[expect(clippy::cast_precision_loss, reason = "as the API server reckons")]
            Kind::Int(i) => self.number(schema, node, *i as f64),
            #[expect(clippy::cast_precision_loss, reason = "as the API server reckons")]
            Kind::Uint(u) => self.number(schema, node, *u as f64),
            Kind::Float(f) => self.number(schema, node, *f),
            Kind::Null | Kind::Bool(_) => {}
        }
        self.one_of_values(schema, node, &kind);
        self.branches(schema, node, place);
    }

    fn type_fits(&mut self, schema: Schema<'_>, node: &Node, kind: &Kind) -> bool {
        let types = schema.flags() & flag::TYPES;
        let int_or_string = schema.has(flag::INT_OR_STRING);
        if types == 0 && !int_or_string {
            return true;
        }
        let whole = match kind {
            Kind::Int(_) | Kind::Uint(_) => true,
            Kind::Float(f) => f.fract() == 0.0,
            _ => false,
        };
        let fits = match kind {
            Kind::Null => types & flag::NULL != 0,
            Kind::Bool(_) => types & flag::BOOLEAN != 0,
            Kind::Text => int_or_string || types & flag::STRING != 0,
            Kind::List => types & flag::ARRAY != 0,
            Kind::Mapping => types & flag::OBJECT != 0,
            Kind::Int(_) | Kind::Uint(_) | Kind::Float(_) => {
                types & flag::NUMBER != 0 || whole && (int_or_string || types & flag::INTEGER != 0)
            }
        };
        if fits {
            return true;
        }
        let wanted = if int_or_string {
            "an integer or a string".to_owned()
        } else {
            describe_types(types)
        };
        let found = match kind {
            Kind::Float(_) if types & flag::INTEGER != 0 || int_or_string => "a fraction",
            kind => kind.describe(),
        };
        let text = node.text().unwrap_or_default();
        let help = match kind {
            Kind::Int(_) | Kind::Uint(_) | Kind::Float(_) | Kind::Bool(_)
                if types & flag::STRING != 0 =>
            {
                Some(format!("write it in quotes: \"{text}\""))
            }
            Kind::Text if types & flag::BOOLEAN != 0 && matches!(text, "true" | "false") => {
                Some("write it without quotes".to_owned())
            }
            Kind::Text
                if types & (flag::INTEGER | flag::NUMBER) != 0 && text.parse::<f64>().is_ok() =>
            {
                Some("write it without quotes".to_owned())
            }
            Kind::Null => Some("give it a value, or remove it".to_owned()),
            Kind::Mapping if types == flag::ARRAY => {
                Some("make it a list: begin each item with `- `".to_owned())
            }
            Kind::List if types == flag::OBJECT => {
                Some("make it a mapping: write its fields without `- `".to_owned())
            }
            _ => None,
        };
        self.report(node.span(), format!("expected {wanted}, found {found}"))
            .help = help;
        false
    }

    fn mapping(&mut self, schema: Schema<'_>, node: &'n Node, place: Span) {
        let embedded = schema.has(flag::EMBEDDED);
        self.fields(schema, node, embedded);
        self.required(schema, node, place);
        if embedded {
            self.embedded(node, place);
        }
        self.count(
            node.span(),
            node.entries().len(),
            (schema.min_properties(), schema.max_properties()),
            "entries",
        );
    }

    /// Judges what every object has, in one that is part of another.
    fn embedded(&mut self, node: &'n Node, place: Span) {
        for name in ["apiVersion", "kind"] {
            if node.str_at(name).is_none_or(str::is_empty) {
                let message = format!("an object needs `{name}`");
                self.report_at(Step::Key(name), place, message).help =
                    Some(format!("add `{name}`"));
            }
        }
        self.metadata(node, true);
    }

    /// Judges the metadata of an object, which may be part of another.
    pub(super) fn metadata(&mut self, node: &'n Node, is_part: bool) {
        let Some(entry) = node.entry("metadata") else {
            return;
        };
        self.path.push(Step::Key("metadata"));
        if let Some(schema) = self.metadata {
            self.value(schema, &entry.value, entry.key.span());
        }
        self.path.pop();
        self.names(node, is_part);
    }

    /// Judges the names in the metadata of an object, beyond their schema.
    pub(super) fn names(&mut self, node: &'n Node, is_part: bool) {
        let Some(metadata) = node.get("metadata") else {
            return;
        };
        self.path.push(Step::Key("metadata"));
        super::metadata::check(self, node, metadata.target(), is_part);
        self.path.pop();
    }

    /// Judges the fields of a mapping. Those that every object has are passed
    /// over in the root of one.
    pub(super) fn fields(&mut self, schema: Schema<'_>, node: &'n Node, is_object: bool) {
        let additional = schema.additional();
        for entry in node.entries() {
            let Some(name) = entry.key.text() else {
                continue;
            };
            self.path.push(Step::Key(name));
            let place = entry.key.span();
            if let Some(property) = schema.property(name) {
                self.value(property, &entry.value, place);
            } else if let Some(additional) = additional {
                self.value(additional, &entry.value, place);
            } else if schema.has(flag::CLOSED)
                && !(is_object && matches!(name, "apiVersion" | "kind" | "metadata"))
            {
                let help = help_for_unknown(schema, name);
                self.report(place, format!("unknown field `{name}`")).help = Some(help);
            }
            self.path.pop();
        }
    }

    pub(super) fn required(&mut self, schema: Schema<'_>, node: &'n Node, place: Span) {
        for name in schema.required() {
            // A default is filled in before anyone looks.
            let missing = node.get(name).is_none()
                && schema.property(name).is_none_or(|p| p.default().is_none());
            if missing {
                let span = if place.is_none() { node.span() } else { place };
                self.report(span, format!("missing field `{name}`")).help =
                    Some(format!("add `{name}`"));
            }
        }
    }

    fn list(&mut self, schema: Schema<'_>, node: &'n Node) {
        let items = node.items();
        if let Some(schema) = schema.items() {
            for (i, item) in items.iter().enumerate() {
                self.path.push(Step::Index(i));
                self.value(schema, item, item.span());
                self.path.pop();
            }
        }
        self.count(
            node.span(),
            items.len(),
            (schema.min_items(), schema.max_items()),
            "items",
        );
        if items.len() < 2 {
            return;
        }
        if schema.has(flag::LIST_MAP) {
            self.unique(items, |item| map_key(schema, item));
        } else if schema.has(flag::LIST_SET | flag::UNIQUE_ITEMS) {
            self.unique(items, |item| Some(format!("value `{}`", json(item))));
        }
    }

    /// Reports the second of items that are the same.
    fn unique(&mut self, items: &'n [Node], key: impl Fn(&Node) -> Option<String>) {
        // The first item of each key, and whether its like has been reported.
        let mut seen: foldhash::HashMap<String, (usize, bool)> = foldhash::HashMap::default();
        for (i, item) in items.iter().enumerate() {
            let Some(key) = key(item) else {
                continue;
            };
            match seen.get_mut(&key) {
                None => {
                    seen.insert(key, (i, false));
                }
                Some((_, true)) => {}
                Some((first, told)) => {
                    *told = true;
                    let message = format!("item {i} has the same {key} as item {first}");
                    self.report_at(Step::Index(i), item.span(), message).help =
                        Some("remove one of the two, or make them differ".to_owned());
                }
            }
        }
    }

    fn text(&mut self, schema: Schema<'_>, node: &Node) {
        let text = node.text().unwrap_or_default();
        let (min, max) = (schema.min_length(), schema.max_length());
        if min.is_some() || max.is_some() {
            self.count(node.span(), text.chars().count(), (min, max), "characters");
        }
        if let Some(pattern) = schema.pattern() {
            match &*self.patterns.get(pattern) {
                Ok(regexp) if regexp.is_match(text) => {}
                Ok(_) => {
                    let help = pattern_help(pattern, text);
                    self.report(
                        node.span(),
                        format!("`{text}` does not match the pattern `{pattern}`"),
                    )
                    .help = help;
                }
                Err(e) => {
                    self.report(
                        node.span(),
                        format!("the schema's pattern is no regular expression: {e}"),
                    )
                    .help = Some("mend the definition that the schema comes from".to_owned());
                }
            }
        }
        let Some(format) = schema.format() else {
            return;
        };
        let decoded = format == "byte" && schema.has(flag::BUILT_IN);
        // Compat: Go's decoder of base64 passes over line breaks.
        let packed =
            (decoded && text.contains(['\r', '\n'])).then(|| text.replace(['\r', '\n'], ""));
        if !strfmt::fits(format, packed.as_deref().unwrap_or(text)) {
            let refused = !decoded;
            let violation = self.report(
                node.span(),
                format!("`{text}` is no {}", format_name(format)),
            );
            violation.help = strfmt::example(format).map(str::to_owned);
            if !refused {
                violation.severity = Severity::Warning;
            }
        }
    }

    fn number(&mut self, schema: Schema<'_>, node: &Node, value: f64) {
        let text = node.text().unwrap_or_default();
        if let Some(minimum) = schema.minimum() {
            let exclusive = schema.has(flag::EXCLUSIVE_MINIMUM);
            if value < minimum || exclusive && value <= minimum {
                let than = if exclusive {
                    "greater than"
                } else {
                    "at least"
                };
                self.report(node.span(), format!("{text} is not {than} {minimum}"));
            }
        }
        if let Some(maximum) = schema.maximum() {
            let exclusive = schema.has(flag::EXCLUSIVE_MAXIMUM);
            if value > maximum || exclusive && value >= maximum {
                let than = if exclusive { "less than" } else { "at most" };
                self.report(node.span(), format!("{text} is not {than} {maximum}"));
            }
        }
        if let Some(step) = schema.multiple_of()
            && step > 0.0
            && !is_multiple(value, step)
        {
            self.report(node.span(), format!("{text} is not a multiple of {step}"));
        }
        // Integers of an int-or-string hold 32 bits too.
        let format = match schema.format() {
            None if schema.has(flag::BUILT_IN) && schema.has(flag::INT_OR_STRING) => Some("int32"),
            format => format,
        };
        if !strfmt::in_range(format, value) {
            let bits = if format == Some("int64") { 64 } else { 32 };
            self.report(node.span(), format!("{text} does not fit in {bits} bits"));
        }
    }

    fn count(
        &mut self,
        span: Span,
        count: usize,
        (min, max): (Option<usize>, Option<usize>),
        what: &str,
    ) {
        if let Some(min) = min.filter(|min| count < *min) {
            self.report(
                span,
                format!("{count} {what}, and at least {min} are wanted"),
            );
        }
        if let Some(max) = max.filter(|max| count > *max) {
            self.report(
                span,
                format!("{count} {what}, and at most {max} are allowed"),
            );
        }
    }

    fn one_of_values(&mut self, schema: Schema<'_>, node: &Node, kind: &Kind) {
        let Some(values) = schema.values() else {
            return;
        };
        let values: Vec<&str> = values.collect();
        let written = json(node);
        if values.iter().any(|value| **value == *written) {
            return;
        }
        let found = match kind {
            Kind::List | Kind::Mapping => kind.describe().to_owned(),
            _ => format!("`{}`", node.text().unwrap_or_default()),
        };
        let plain: Vec<&str> = values.iter().map(|v| v.trim_matches('"')).collect();
        let near = node
            .text()
            .and_then(|text| nearest(text, plain.iter().copied()));
        let shown = list_of(&plain);
        let message = match plain[..] {
            [only] => format!("{found} is not `{only}`"),
            _ => format!("{found} is none of {shown}"),
        };
        self.report(node.span(), message).help = Some(match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "write {}",
                if plain.len() > 1 {
                    "one of these"
                } else {
                    "that"
                }
            ),
        });
    }

    /// `allOf`, `anyOf`, `oneOf` and `not`.
    fn branches(&mut self, schema: Schema<'_>, node: &'n Node, place: Span) {
        for branch in schema.all_of() {
            self.branch(branch, node, place);
        }
        for (branches, exactly_one) in [
            (schema.any_of().collect::<Vec<_>>(), false),
            (schema.one_of().collect(), true),
        ] {
            if branches.is_empty() {
                continue;
            }
            let mut fitting = 0;
            let mut wrong = Vec::new();
            for branch in branches {
                match self.attempt(branch, node, place) {
                    Some(found) if found.is_empty() => fitting += 1,
                    Some(found) => wrong.extend(found),
                    None => return,
                }
            }
            if fitting == 0 {
                self.no_branch(node, wrong);
            } else if exactly_one && fitting > 1 {
                let message = "several alternatives fit at once, and only one may";
                self.report(node.span(), message);
            }
        }
        if let Some(forbidden) = schema.forbidden()
            && let Some(found) = self.attempt(forbidden, node, place)
            && found.is_empty()
        {
            self.report(node.span(), "this is just what is not allowed here");
        }
    }

    /// What is wrong with a value as one of several alternatives; none when
    /// too many have been tried.
    fn attempt(
        &mut self,
        branch: Schema<'_>,
        node: &'n Node,
        place: Span,
    ) -> Option<Vec<Violation>> {
        let outer = std::mem::take(&mut self.found);
        self.branch(branch, node, place);
        let found = std::mem::replace(&mut self.found, outer);
        self.stopped.is_none().then_some(found)
    }

    /// Judges a value by a part of its schema.
    ///
    /// Parts multiply where a schema refers to itself: two at each level of a
    /// value make 2^n on the n-th.
    fn branch(&mut self, branch: Schema<'_>, node: &'n Node, place: Span) {
        match self.branches_left.checked_sub(1) {
            Some(left) => {
                self.branches_left = left;
                with_room(|| self.value(branch, node, place));
            }
            None if self.stopped.is_none() => {
                self.stopped = Some((node.span(), pointer(&self.path)));
            }
            None => {}
        }
    }

    /// Reports that no alternative fits, and why each does not.
    fn no_branch(&mut self, node: &Node, wrong: Vec<Violation>) {
        let here = pointer(&self.path);
        let reasons: Vec<&str> = wrong
            .iter()
            .filter(|v| v.path == here)
            .map(|v| v.message.as_str())
            .collect();
        let message = if reasons.is_empty() {
            "none of the alternatives fits".to_owned()
        } else {
            let mut unique = reasons;
            unique.dedup();
            format!("none of the alternatives fits: {}", unique.join("; or "))
        };
        self.report(node.span(), message);
        // What lies deeper has places of its own.
        self.found
            .extend(wrong.into_iter().filter(|v| v.path != here));
    }
}

/// Runs something with room on the stack, as branches may nest in branches at
/// every level of a value.
pub(super) fn with_room<T>(run: impl FnOnce() -> T) -> T {
    const NEEDED_BYTES: usize = 256 << 10;
    const GROWN_BYTES: usize = 4 << 20;
    stacker::maybe_grow(NEEDED_BYTES, GROWN_BYTES, run)
}

/// The schema behind references; none for one that goes in a circle.
pub(super) fn resolve(schema: Schema<'_>) -> Option<Schema<'_>> {
    let mut schema = schema;
    for _ in 0..16 {
        let Some(name) = schema.reference() else {
            return Some(schema);
        };
        schema = schema.pack().definition(name)?;
    }
    None
}

/// A value that SOPS sealed.
pub(super) fn is_sealed(text: &str) -> bool {
    text.starts_with("ENC[AES256_GCM,")
}

/// The keys that tell an item of a list apart, as JSON.
fn map_key(schema: Schema<'_>, item: &Node) -> Option<String> {
    let item = item.target();
    if !item.is_mapping() && !item.is_null() {
        return None;
    }
    let properties = schema.items().and_then(resolve);
    let mut out = String::new();
    for name in schema.list_map_keys() {
        let value = match item.get(name) {
            Some(value) => json(value),
            None => match properties.and_then(|p| p.property(name)?.default()) {
                Some(default) => default.to_owned(),
                None => continue,
            },
        };
        if !out.is_empty() {
            out.push_str(", ");
        }
        out.push_str(&format!("`{name}: {value}`"));
    }
    Some(if out.is_empty() {
        "lack of a key".to_owned()
    } else {
        out
    })
}

/// A value as JSON, numbers by their value.
fn json(node: &Node) -> String {
    let value = decode(node, Version::V2).unwrap_or_else(|_| {
        // Only numbers that JSON cannot hold come here.
        Value::String(node.target().text().unwrap_or_default().into())
    });
    to_json(&value)
}

/// The JSON pointer of a path.
pub(super) fn pointer(path: &[Step<'_>]) -> String {
    let mut out = String::new();
    for step in path {
        out.push('/');
        match step {
            Step::Index(i) => out.push_str(&i.to_string()),
            Step::Key(key) => out.push_str(&crate::diag::pointer::escape(key)),
        }
    }
    out
}

fn describe_types(types: u32) -> String {
    let words: Vec<&str> = [
        (flag::OBJECT, "a mapping"),
        (flag::ARRAY, "a list"),
        (flag::STRING, "a string"),
        (flag::INTEGER, "an integer"),
        (flag::NUMBER, "a number"),
        (flag::BOOLEAN, "a boolean"),
        (flag::NULL, "null"),
    ]
    .iter()
    .filter(|(flag, _)| types & flag != 0)
    .map(|(_, word)| *word)
    .collect();
    words.join(" or ")
}

/// What to do about a field that a schema does not have.
pub(super) fn help_for_unknown(schema: Schema<'_>, name: &str) -> String {
    let known = schema.properties().map(|(name, _)| name);
    match (nearest(name, known), home_of(schema, name)) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, Some(home)) => format!("it is a field of `{home}`: write it there"),
        (None, None) => fields_help(schema),
    }
}

/// The property that has a field of this name.
fn home_of<'p>(schema: Schema<'p>, name: &str) -> Option<&'p str> {
    let has = |schema: Schema<'p>| resolve(schema).is_some_and(|s| s.property(name).is_some());
    let mut properties = schema.properties();
    properties
        .find(|(_, property)| has(*property))
        .map(|(home, _)| home)
}

fn fields_help(schema: Schema<'_>) -> String {
    let names: Vec<&str> = schema.properties().map(|(name, _)| name).collect();
    match names.len() {
        0 => "remove it: no fields are known here".to_owned(),
        1..=12 => format!("known here: {}", list_of(&names)),
        _ => "remove it, or look for its place in the API reference".to_owned(),
    }
}

fn list_of(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    quoted.join(", ")
}

/// What a pattern that many schemas have asks for, in words.
fn pattern_help(pattern: &str, text: &str) -> Option<String> {
    if pattern.contains("(ms|s|m") {
        return Some("a duration is a number with a unit, such as `30s`, `5m` or `1h30m`".into());
    }
    let schemes = pattern.strip_prefix("^(")?.strip_suffix(")://.*$")?;
    let schemes: Vec<&str> = schemes.split('|').collect();
    Some(match text.split_once("://") {
        None if text.contains('@') => {
            "write it with a scheme: `ssh://user@host/path`, not `user@host:path`".into()
        }
        _ => format!("the address must begin with one of {}", list_of(&schemes)),
    })
}

fn format_name(format: &str) -> String {
    match format {
        "byte" => "base64".to_owned(),
        "datetime" | "date-time" => "time".to_owned(),
        "cidr" => "address range".to_owned(),
        other => other.to_owned(),
    }
}

/// Whether a number is a multiple of a step.
///
/// Compat: go-openapi `MultipleOf`, which divides so that 0.3 is three times
/// 0.1, and swag's tolerance for what is left.
fn is_multiple(value: f64, step: f64) -> bool {
    let times = if step < 1.0 {
        1.0 / step * value
    } else {
        value / step
    };
    let left = times.fract().abs();
    left <= 0.0 || left / (times.abs() + times.trunc().abs()) < 1e-9
}
