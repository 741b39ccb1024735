//! Values against `values.schema.json`.
//!
//! In: the composed values of a chart and those below it. Out: nothing, or one
//! error in Helm's words that says of every value where it was set.
//!
//! - `document` is a schema with its resources, anchors and references,
//! - `shape` refuses keywords that are no schema's,
//! - `evaluate` holds values to it, `format` texts to formats,
//! - `problem` words what is wrong.
//!
//! What a schema refers to by address comes from whoever has it
//! ([`RemoteSchemas`]); without one, values are not held to it, and a finding
//! says so.
//!
//! Compat: Helm 4.3.1 `pkg/chart/common/util/jsonschema.go`.

mod document;
mod evaluate;
mod format;
mod problem;
mod shape;

use std::fmt::Write as _;

use std::collections::BTreeMap;
use std::sync::Arc;

use document::{Document, Fetched, Refusal};
use evaluate::Outcome;
use problem::Problem;

use super::dependencies::Instance;
use super::user::{Place, UserValues};
use crate::diag::{Error, Finding, Findings, Result, Severity, SourceMap, Span};
use crate::gotmpl;
use crate::gotmpl::value::{Map, Value};
use crate::gotmpl::{Limits, limits::Meter};
use crate::yaml;

/// The most schemas that one may refer to.
const MAX_SCHEMAS: usize = 256;

/// Schemas by address.
pub trait RemoteSchemas: std::fmt::Debug + Send + Sync {
    /// The text of a schema.
    ///
    /// # Errors
    ///
    /// Where it is not at hand.
    fn schema(&self, address: &str, span: Span) -> Result<Arc<[u8]>>;
}

/// How many values an error's help tells the places of.
const PLACES: usize = 10;

/// Holds the values of a chart and those below it against their schemas.
///
/// # Errors
///
/// `helm/schema` for values that are not as a schema wants them,
/// `helm/schema-invalid` for what is no schema.
pub(super) fn validate(
    instance: &Instance,
    values: &Map,
    user: &UserValues,
    remote: Option<&dyn RemoteSchemas>,
    sources: &SourceMap,
    findings: &mut Findings,
) -> Result<()> {
    let mut run = Run {
        user,
        remote,
        sources,
        findings,
        message: String::new(),
        places: Vec::new(),
        span: Span::NONE,
    };
    run.chart(instance, values, &mut Vec::new())?;
    if run.message.is_empty() {
        return Ok(());
    }
    let message = format!("{INTRO}{}", run.message.trim_end());
    let mut help = run.places.join("; ");
    if help.is_empty() {
        help.push_str("look at the chart's values.schema.json");
    }
    Err(Error::new("helm/schema", message).at(run.span).help(help))
}

/// What Helm says first of whatever a schema is in the way of.
const INTRO: &str =
    "values don't meet the specifications of the schema(s) in the following chart(s):\n";

fn intro(chart: &str, message: &str) -> String {
    format!("{INTRO}{chart}:\n{message}")
}

struct Run<'r> {
    user: &'r UserValues,
    remote: Option<&'r dyn RemoteSchemas>,
    sources: &'r SourceMap,
    findings: &'r mut Findings,
    /// What is wrong, by chart.
    message: String,
    /// Where values were set that are wrong.
    places: Vec<String>,
    /// The first of these places.
    span: Span,
}

impl Run<'_> {
    fn chart(&mut self, instance: &Instance, values: &Map, path: &mut Vec<String>) -> Result<()> {
        if let Some(parsed) = instance.chart.values_schema() {
            self.judge(instance, parsed, values, path)?;
        }
        for child in &instance.dependencies {
            match values.get(child.name.as_bytes()) {
                None | Some(Value::Nil) => {}
                Some(Value::Map(below)) => {
                    path.push(child.name.to_string());
                    self.chart(child, &below, path)?;
                    path.pop();
                }
                Some(other) => {
                    let _ = writeln!(
                        self.message,
                        "{}:\ninvalid type for values: expected object (map), got {}",
                        child.name,
                        other.type_name().unwrap_or("<nil>")
                    );
                }
            }
        }
        Ok(())
    }

    /// Holds the values of one chart against its schema.
    fn judge(
        &mut self,
        instance: &Instance,
        parsed: &Result<yaml::Value>,
        values: &Map,
        path: &[String],
    ) -> Result<()> {
        let file = instance.chart.schema();
        let place = |sources: &SourceMap| match file {
            Some(file) => file.span(sources, 1, 1),
            None => Span::NONE,
        };
        let invalid = |message: String, sources: &SourceMap| {
            Error::new("helm/schema-invalid", intro(&instance.name, &message))
                .at(place(sources))
                .help("mend the chart's values.schema.json, or pass --skip-schema-validation")
        };
        let schema = match parsed {
            Ok(schema) => schema,
            Err(e) => return Err(invalid(e.message().to_owned(), self.sources)),
        };
        let fetched = self.fetched(schema, place(self.sources))?;
        let document = match Document::new(schema, &fetched) {
            Ok(document) => document,
            Err(Refusal::Remote(address)) => {
                self.findings.push(
                    Finding::new(
                        "helm/schema-reference",
                        Severity::Warning,
                        format!(
                            "values of chart `{}` are not held to its schema, which refers to \
                             `{address}`",
                            instance.name
                        ),
                    )
                    .at(place(self.sources), self.sources)
                    .help(
                        "`fluxwright lock` pins what schemas of a repository's charts refer to; \
                         elsewhere nothing is fetched",
                    ),
                );
                return Ok(());
            }
            Err(Refusal::Dangling(message)) => return Err(invalid(message, self.sources)),
            Err(Refusal::Invalid(message)) => {
                let message = format!(
                    "\"file:///values.schema.json#\" is not valid against metaschema: {message}"
                );
                return Err(invalid(message, self.sources));
            }
        };
        let mut meter = Meter::new(&Limits::default());
        let data = Value::from(values.clone())
            .to_json(&mut meter)
            .map_err(|_| invalid("values nest too deep to be validated".into(), self.sources))?;
        match evaluate::evaluate(&document, &data) {
            Outcome::Valid => Ok(()),
            Outcome::TooCostly => Err(Error::new(
                "helm/limit",
                format!(
                    "the schema of chart `{}` takes too many steps",
                    instance.name
                ),
            )
            .at(place(self.sources))
            .help("pass --skip-schema-validation")),
            Outcome::Invalid(problems) => {
                self.tell(instance, &problems, path);
                Ok(())
            }
        }
    }

    /// The schemas that one refers to, and those that these refer to.
    fn fetched(&self, schema: &yaml::Value, span: Span) -> Result<Fetched> {
        let mut fetched = BTreeMap::new();
        let Some(remote) = self.remote else {
            return Ok(fetched);
        };
        while fetched.len() < MAX_SCHEMAS {
            let address = match Document::new(schema, &fetched) {
                Err(Refusal::Remote(address)) if !fetched.contains_key(&address) => address,
                _ => break,
            };
            let text = remote.schema(&address, span)?;
            let parsed = gotmpl::json::parse(&String::from_utf8_lossy(&text)).map_err(|e| {
                Error::new(
                    "helm/schema-invalid",
                    format!("`{address}` is no schema: {e}"),
                )
                .at(span)
                .help("what lies there was locked: is it the right address?")
            })?;
            fetched.insert(address, parsed);
        }
        Ok(fetched)
    }

    fn tell(&mut self, instance: &Instance, problems: &[Problem], path: &[String]) {
        let mut text = String::new();
        for problem in problems {
            problem.write(&mut text, 0);
        }
        let _ = writeln!(self.message, "{}:\n{text}", instance.name);
        let mut leaves = Vec::new();
        for problem in problems {
            problem.leaves(&mut leaves);
        }
        for leaf in leaves {
            let below: Vec<&str> = leaf.path.iter().map(String::as_str).collect();
            let whole: Vec<&str> = path
                .iter()
                .map(String::as_str)
                .chain(below.clone())
                .collect();
            let by_user = self.user.locate(&whole, self.sources);
            let (length, place) = match by_user {
                Some((length, place)) if length == whole.len() => (length, place),
                by_user => {
                    let default = instance.chart.defaults().locate(self.sources, &below);
                    match (default, by_user) {
                        (Some(span), _) => (whole.len(), Place::File(span)),
                        (None, Some((length, place))) if length > path.len() => (length, place),
                        _ => continue,
                    }
                }
            };
            if self.span.is_none()
                && let Some(span) = place.span()
            {
                self.span = span;
            }
            let shown = whole.get(..length).unwrap_or_default().join(".");
            let Some(place) = place.shown(self.sources) else {
                continue;
            };
            let place = format!("`{shown}` is set {place}");
            if !self.places.contains(&place) && self.places.len() < PLACES {
                self.places.push(place);
            }
        }
    }
}
